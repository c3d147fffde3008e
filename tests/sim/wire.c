/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/wire.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double wire_random(struct wire *w)
{
    w->random = w->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(w->random >> 11) / 9007199254740992.0;
}

void wire_init(struct wire *w, const struct wire_params *p, uint64_t seed, int64_t now_us)
{
    memset(w, 0, sizeof(*w));
    w->p = *p;
    w->start_us = w->now_us = now_us;
    w->random = seed * 0x9e3779b97f4a7c15ULL + 1;
    w->tail = &w->head;
    w->police_tokens = p->police_bytes;
    w->police_at_us = now_us;
    for (int i = 0; i < 4; i++) {
        (void)wire_random(w);
    }
}

static void free_list(struct wire_packet *p)
{
    while (p) {
        struct wire_packet *next = p->next;
        free(p);
        p = next;
    }
}

void wire_fini(struct wire *w)
{
    free_list(w->head);
    free_list(w->flying);
    for (unsigned i = 0; i < ARRAY_LEN(w->held); i++) {
        free(w->held[i]);
    }
    memset(w, 0, sizeof(*w));
}

uint32_t wire_rate(const struct wire *w, int64_t now_us)
{
    int64_t t = now_us - w->start_us;
    if (!w->p.trace) {
        return UINT32_MAX;
    }
    if (w->p.outage_every_us && t % w->p.outage_every_us >= w->p.outage_every_us - w->p.outage_us) {
        return 0;
    }
    uint32_t bps = w->p.trace[0].bps;
    for (int i = 1; i < w->p.n_steps && w->p.trace[i].at_us <= t; i++) {
        bps = w->p.trace[i].bps;
    }
    return bps;
}

/* The next moment at which the rate may change. */
static int64_t next_change(const struct wire *w, int64_t now_us)
{
    int64_t t = now_us - w->start_us, at = INT64_MAX;
    for (int i = 1; i < w->p.n_steps; i++) {
        if (w->p.trace[i].at_us > t) {
            at = w->p.trace[i].at_us;
            break;
        }
    }
    if (w->p.outage_every_us) {
        int64_t begin = w->p.outage_every_us - w->p.outage_us, in = t % w->p.outage_every_us;
        at = MIN(at, t - in + (in < begin ? begin : w->p.outage_every_us));
    }
    return at == INT64_MAX ? at : at + w->start_us;
}

/* What the queue may hold is reckoned at the rate that is nominal now, outages left out. */
static double queue_limit(const struct wire *w, int64_t now_us)
{
    double most = w->p.queue_bytes ? (double)w->p.queue_bytes : 1e18;
    if (w->p.queue_us) {
        int64_t t = now_us - w->start_us;
        uint32_t bps = w->p.trace[0].bps;
        for (int i = 1; i < w->p.n_steps && w->p.trace[i].at_us <= t; i++) {
            bps = w->p.trace[i].bps ? w->p.trace[i].bps : bps;
        }
        most = MIN(most, (double)bps * (double)w->p.queue_us / 8e6);
        most = MAX(most, 2.0 * WIRE_MTU);
    }
    return most;
}

int64_t wire_queue_us(const struct wire *w, int64_t now_us)
{
    uint32_t bps = wire_rate(w, now_us);
    return bps ? (int64_t)((double)w->queued_bytes * 8e6 / bps) : 0;
}

static bool police(struct wire *w, size_t size, int64_t now_us)
{
    if (!w->p.police_bps) {
        return true;
    }
    w->police_tokens += (double)(now_us - w->police_at_us) * w->p.police_bps / 8e6;
    w->police_tokens = MIN(w->police_tokens, (double)w->p.police_bytes);
    w->police_at_us = now_us;
    if (w->police_tokens < (double)size) {
        w->dropped_police++;
        return false;
    }
    w->police_tokens -= (double)size;
    return true;
}

static bool lost(struct wire *w)
{
    bool gone = w->p.loss > 0 && wire_random(w) < w->p.loss;
    if (w->p.burst_loss > 0) {
        /* Gilbert: leave the burst with 1/mean, enter it so that the share comes out. */
        double leave = 1 / w->p.burst_mean;
        double enter = leave * w->p.burst_loss / (1 - w->p.burst_loss);
        w->in_burst = w->in_burst ? wire_random(w) >= leave : wire_random(w) < enter;
        gone |= w->in_burst;
    }
    w->dropped_loss += gone;
    return gone;
}

static void fly(struct wire *w, struct wire_packet *p)
{
    struct wire_packet **at = &w->flying;
    while (*at && (*at)->arrival_us <= p->arrival_us) {
        at = &(*at)->next;
    }
    p->next = *at;
    *at = p;
}

/* Behind the queue at time at_us: lost, held back, or on its way. */
static void launch(struct wire *w, struct wire_packet *p, int64_t at_us)
{
    p->queued_us = at_us - p->sent_us;
    w->last_queue_us = p->queued_us;
    if (lost(w)) {
        free(p);
        return;
    }
    int64_t extra = 0;
    if (w->p.jitter_us) {
        extra = (int64_t)(-log(1 - wire_random(w)) * (double)w->p.jitter_us);
        extra = w->p.jitter_max_us ? MIN(extra, w->p.jitter_max_us) : extra;
    }
    if (w->p.step_us && at_us - w->start_us >= w->p.step_at_us) {
        extra += w->p.step_us;
    }
    p->arrival_us = at_us + w->p.delay_us + extra;
    if (!w->p.jitter_reorders) {
        p->arrival_us = MAX(p->arrival_us, w->last_arrival_us);
    }
    w->last_arrival_us = MAX(w->last_arrival_us, p->arrival_us);
    for (unsigned i = 0; i < ARRAY_LEN(w->held); i++) {
        if (w->held[i] && --w->held_left[i] <= 0) {
            w->held[i]->arrival_us = MAX(w->held[i]->arrival_us, p->arrival_us + 1);
            fly(w, w->held[i]);
            w->held[i] = NULL;
        }
    }
    if (w->p.reorder > 0 && wire_random(w) < w->p.reorder) {
        for (unsigned i = 0; i < ARRAY_LEN(w->held); i++) {
            if (!w->held[i]) {
                w->held[i] = p;
                w->held_left[i] = w->p.reorder_depth;
                return;
            }
        }
    }
    fly(w, p);
}

/* Serves the queue up to until_us. */
static void serve(struct wire *w, int64_t until_us)
{
    while (w->now_us < until_us && w->head) {
        double bps = wire_rate(w, w->now_us);
        int64_t change = MIN(next_change(w, w->now_us), until_us);
        double could = bps * (double)(change - w->now_us) / 1e6;
        if (could < w->head_bits) {
            w->head_bits -= could;
            w->now_us = change;
            continue;
        }
        w->now_us += MIN((int64_t)ceil(w->head_bits * 1e6 / bps), change - w->now_us);
        struct wire_packet *p = w->head;
        w->head = p->next;
        if (!w->head) {
            w->tail = &w->head;
        } else {
            w->head_bits = (double)(w->head->len + WIRE_HEADERS) * 8;
        }
        w->queued_bytes -= p->len + WIRE_HEADERS;
        launch(w, p, w->now_us);
    }
    w->now_us = MAX(w->now_us, until_us);
}

bool wire_send(struct wire *w, int flow, uint64_t tag, const uint8_t *buf, size_t len,
               int64_t now_us)
{
    assert(len <= WIRE_MTU);
    serve(w, now_us);
    w->sent++;
    if (!police(w, len + WIRE_HEADERS, now_us)) {
        return false;
    }
    if (w->p.trace && (double)(w->queued_bytes + len + WIRE_HEADERS) > queue_limit(w, now_us)) {
        w->dropped_queue++;
        return false;
    }
    struct wire_packet *p = malloc(sizeof(*p) + (buf ? len : 0));
    assert(p);
    *p = (struct wire_packet){.flow = flow, .tag = tag, .sent_us = now_us, .len = len};
    if (buf) {
        memcpy(p->buf, buf, len);
    } else {
        p->tag |= WIRE_EMPTY;
    }
    if (!w->p.trace) {
        launch(w, p, now_us);
        return true;
    }
    if (!w->head) {
        w->head_bits = (double)(len + WIRE_HEADERS) * 8;
    }
    *w->tail = p;
    w->tail = &p->next;
    w->queued_bytes += len + WIRE_HEADERS;
    return true;
}

void wire_poll(struct wire *w, int64_t now_us, wire_out_fn *out, void *ctx)
{
    serve(w, now_us);
    while (w->flying && w->flying->arrival_us <= now_us) {
        struct wire_packet *p = w->flying;
        w->flying = p->next;
        w->delivered++;
        w->delivered_bytes += p->len + WIRE_HEADERS;
        bool empty = p->tag & WIRE_EMPTY;
        p->tag &= ~WIRE_EMPTY;
        out(p, empty ? NULL : p->buf, ctx);
        free(p);
    }
}
