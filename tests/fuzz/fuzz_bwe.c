/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_bwe.c - a script of what can happen to a bandwidth estimator: packets sent, feedback bytes,
 * REMB, reports, wishes, probes and time. Whatever a receiver says, the estimate stays within its
 * bounds. An operation is a byte and what follows it:
 *   0 n        n packets leave, 1..4 ms apart     4 f r    a report: loss f, rtt r ms
 *   1 len ...  the body of a feedback message     5 a b    wishes, 64 kbps each
 *   2 b n      feedback about n + 1 packets, from 6        probe: sent if one is due
 *              b behind the last one; then flags  7        100 ms pass, tick
 *   3 x        REMB of 2^(x / 8)                  8 t      t * t ms pass */
#include "rtp/bwe.h"
#include "rtp/bwe_state.h"
#include "rtp/rtcp.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

#define MIN_BPS 30000
#define MAX_BPS 5000000
#define OPS     9
#define ST_MAX  300

struct script {
    const uint8_t *data;
    size_t len;
    size_t pos;
    int64_t now_us;
    struct bwe *bwe;
};

static uint8_t next(struct script *s)
{
    return s->pos < s->len ? s->data[s->pos++] : 0;
}

static void check(const struct bwe *b)
{
    struct bwe_facts f;
    bwe_facts(b, &f);
    if (f.estimate_bps < MIN_BPS || f.estimate_bps > MAX_BPS || f.capacity_bps < f.estimate_bps ||
        f.capacity_bps > MAX_BPS || f.loss_q8 > 256 || !f.why || f.queue_us > 60 * US_PER_S ||
        b->aimd.bps < MIN_BPS || b->aimd.bps > MAX_BPS) {
        abort();
    }
}

static void send(struct script *s, int n, uint8_t cluster)
{
    for (int i = 0; i < n; i++) {
        bwe_on_sent(s->bwe, 60 + (uint32_t)(s->now_us % 1400), cluster, s->now_us);
        s->now_us += (1 + i % 4) * US_PER_MS;
    }
}

/* The bytes as they are, so that the reader's corners are met too. */
static void feed_bytes(struct script *s)
{
    struct rtcp_twcc_status st[ST_MAX];
    struct rtcp_twcc head;
    size_t n = next(s);
    n = MIN(n, s->len - s->pos);
    struct rtcp_packet p = {.type = RTCP_RTPFB,
                            .count = RTCP_RTPFB_TWCC,
                            .body = s->data + s->pos,
                            .body_len = (uint16_t)n};
    s->pos += n;
    int count = rtcp_twcc_read(&p, &head, st, ST_MAX);
    if (count > 0) {
        bwe_on_twcc(s->bwe, &head, st, count, s->now_us);
    }
}

/* Feedback that is about packets that were sent, so that deeper states are reached. */
static void feed_made(struct script *s)
{
    struct rtcp_twcc_status st[256];
    uint16_t seq16 = (uint16_t)(bwe_seq16(s->bwe) - 1 - next(s));
    int n = next(s) + 1;
    struct rtcp_twcc head = {.base_seq16 = seq16,
                             .status_count = (uint16_t)n,
                             .ref_time = (uint32_t)(s->now_us / RTCP_TWCC_REF_US) & 0xffffff};
    uint8_t how = next(s);
    if (how & 0x80) {
        head.ref_time = (uint32_t)next(s) << 16;
    }
    for (int i = 0; i < n; i++) {
        bool lost = (how & 3) && i % (how & 3) == 1;
        int32_t delta = (how & 4 ? 200 : 2000) * (how & 8 && i % 5 == 0 ? -1 : 1);
        st[i] = (struct rtcp_twcc_status){
            .seq16 = (uint16_t)(seq16 + i), .received = !lost, .delta_us = lost ? 0 : delta};
    }
    bwe_on_twcc(s->bwe, &head, st, n, s->now_us);
}

static void probe(struct script *s)
{
    struct bwe_probe p;
    if (!bwe_probe_due(s->bwe, s->now_us, &p)) {
        return;
    }
    if (p.cluster == 0 || p.rate_bps == 0 || p.rate_bps > MAX_BPS || p.packets == 0) {
        abort();
    }
    uint8_t n = next(s);
    send(s, n % 32, p.cluster);
    if (n < 240) {
        bwe_probe_end(s->bwe, p.cluster, n % 32 * 1000U, s->now_us);
    }
}

static void step(struct script *s)
{
    uint8_t a = 0;
    switch (next(s) % OPS) {
    case 0:
        send(s, next(s), 0);
        break;
    case 1:
        feed_bytes(s);
        break;
    case 2:
        feed_made(s);
        break;
    case 3:
        a = next(s);
        bwe_on_remb(s->bwe, a == 255 ? UINT64_MAX : 1ULL << (a / 8), s->now_us);
        break;
    case 4:
        a = next(s);
        bwe_on_report(s->bwe, a == 255 ? UINT32_MAX : a, (uint32_t)next(s) * 1000, s->now_us);
        break;
    case 5:
        a = next(s);
        bwe_wish(s->bwe, a * 64000U, a == 255 ? UINT32_MAX : next(s) * 64000U, s->now_us);
        break;
    case 6:
        probe(s);
        break;
    case 7:
        s->now_us += 100 * US_PER_MS;
        bwe_tick(s->bwe, s->now_us);
        break;
    case 8:
        a = next(s);
        s->now_us += (int64_t)a * a * US_PER_MS;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bwe_params p = {.start_bps = 1000000, .min_bps = MIN_BPS, .max_bps = MAX_BPS};
    struct script s = {.data = data, .len = len, .now_us = 1000};
    s.bwe = bwe_new(&p, 0x7ff0, s.now_us);
    while (s.bwe && s.pos < s.len) {
        step(&s);
        check(s.bwe);
    }
    bwe_free(s.bwe);
    return 0;
}
