/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/webhook.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "rtp/list.h"
#include "signaling/auth_grant.h"
#include "signaling/fetch.h"

#define ANSWER_MAX 4096 /* of a target; not looked at */

struct delivery {
    struct list node;
    char id[WEBHOOK_ID_LEN + 1];
    char event[32];
    int64_t queued_us;
    int attempts;
    size_t len;
    char body[];
};

struct target {
    struct webhooks *owner;
    struct conf_webhook conf;
    struct list queue; /* of deliveries; the first is the one under way */
    unsigned n;
    uint64_t dropped; /* since the last delivery that arrived */
    uint64_t told;    /* of them, by the delivery under way */
    struct fetch *running;
    uv_timer_t retry;
    int pause_ms;
};

struct webhooks {
    uv_loop_t *loop;
    struct fetch_pool *pool;
    const struct conf *conf;
    int n;
    struct target *targets[CONF_LIST_MAX];
    uint64_t counts[WEBHOOK_RESULTS];
};

static void send_first(struct target *t);

const char *webhook_result_name(enum webhook_result r)
{
    static const char *const names[] = {
        [WEBHOOK_DELIVERED] = "delivered", [WEBHOOK_RETRIED] = "retried",
        [WEBHOOK_REFUSED] = "refused",     [WEBHOOK_EXPIRED] = "expired",
        [WEBHOOK_OVERFLOW] = "overflow",   [WEBHOOK_STOPPED] = "stopped",
    };
    return names[r];
}

const char *webhook_sign(const char *secret, int64_t now_s, const char *body, size_t len,
                         char out[WEBHOOK_SIGNATURE])
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    char stamp[24];
    int stamp_len = snprintf(stamp, sizeof(stamp), "%" PRId64 ".", now_s);
    int n = snprintf(out, WEBHOOK_SIGNATURE, "t=%" PRId64 ",v1=", now_s);
    uint8_t *text = malloc((size_t)stamp_len + len);
    if (text != NULL) {
        memcpy(text, stamp, (size_t)stamp_len);
        memcpy(text + stamp_len, body, len);
        HMAC(EVP_sha256(), secret, (int)strlen(secret), text, (size_t)stamp_len + len, mac,
             &mac_len);
        free(text);
    }
    for (unsigned i = 0; i < mac_len; i++, n += 2) {
        snprintf(out + n, WEBHOOK_SIGNATURE - (size_t)n, "%02x", mac[i]);
    }
    return out;
}

/* ---- one target ---- */

static struct delivery *first_of(const struct target *t)
{
    return list_empty(&t->queue) ? NULL : container_of(t->queue.next, struct delivery, node);
}

static void forget(struct target *t, struct delivery *d)
{
    list_remove(&d->node);
    free(d);
    t->n--;
}

static void drop(struct target *t, struct delivery *d, enum webhook_result why)
{
    t->owner->counts[why]++;
    t->dropped++;
    forget(t, d);
}

static void on_retry(uv_timer_t *h)
{
    send_first(h->data);
}

/* The target does not take it now. What is too old goes, the rest waits. */
static void pause_target(struct target *t)
{
    int64_t oldest_us =
        clock_now_us() - (int64_t)t->owner->conf->webhooks.retry_s * (int64_t)US_PER_S;
    if (first_of(t)->queued_us > oldest_us) {
        t->owner->counts[WEBHOOK_RETRIED]++;
    }
    while (first_of(t) != NULL && first_of(t)->queued_us <= oldest_us) {
        drop(t, first_of(t), WEBHOOK_EXPIRED);
    }
    t->pause_ms = t->pause_ms == 0 ? WEBHOOK_RETRY_MS : MIN(2 * t->pause_ms, WEBHOOK_RETRY_MAX_MS);
    uv_timer_start(&t->retry, on_retry, (uint64_t)t->pause_ms, 0);
}

static bool is_final(int status)
{
    return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
}

static void on_done(const struct fetch_result *res, void *ctx)
{
    struct target *t = ctx;
    struct delivery *d = first_of(t);
    t->running = NULL;
    if (res->status >= 200 && res->status < 300) {
        t->owner->counts[WEBHOOK_DELIVERED]++;
        t->pause_ms = 0;
        t->dropped -= t->told;
        forget(t, d);
        send_first(t);
        return;
    }
    log_warn("webhook_failed", LOG_STR("url", t->conf.url), LOG_STR("event", d->event),
             LOG_INT("status", res->status), LOG_STR("why", res->why),
             LOG_INT("attempt", d->attempts), LOG_INT("waiting", t->n));
    if (is_final(res->status)) {
        t->pause_ms = 0;
        drop(t, d, WEBHOOK_REFUSED);
        send_first(t);
    } else {
        pause_target(t);
    }
}

static void send_first(struct target *t)
{
    struct delivery *d = first_of(t);
    char signature[WEBHOOK_SIGNATURE + 32] = "Sluice-Signature: ";
    char event[64];
    char id[64];
    char attempt[64];
    char dropped[64];
    if (d == NULL || t->running != NULL || uv_is_active((uv_handle_t *)&t->retry)) {
        return;
    }
    d->attempts++;
    snprintf(event, sizeof(event), "Sluice-Event: %s", d->event);
    snprintf(id, sizeof(id), "Sluice-Delivery: %s", d->id);
    snprintf(attempt, sizeof(attempt), "Sluice-Attempt: %d", d->attempts);
    snprintf(dropped, sizeof(dropped), "Sluice-Dropped: %" PRIu64, t->dropped);
    if (t->conf.secret[0] != '\0') {
        webhook_sign(t->conf.secret, clock_wall_us() / US_PER_S, d->body, d->len,
                     signature + strlen(signature));
    }
    struct fetch_params p = {
        .url = t->conf.url,
        .body = d->body,
        .body_len = d->len,
        .headers = {"Content-Type: application/json", event, id, attempt, dropped,
                    t->conf.secret[0] != '\0' ? signature : NULL},
        .timeout_ms = t->owner->conf->webhooks.timeout_ms,
        .answer_max = ANSWER_MAX,
        .http_ok = true,
        .fn = on_done,
        .ctx = t,
    };
    t->told = t->dropped;
    if (fetch_start(t->owner->pool, &p, &t->running) < 0) {
        t->running = NULL;
        pause_target(t);
    }
}

static struct target *new_target(struct webhooks *w, const struct conf_webhook *c)
{
    struct target *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    t->owner = w;
    t->conf = *c;
    list_init(&t->queue);
    uv_timer_init(w->loop, &t->retry);
    t->retry.data = t;
    return t;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void close_target(struct target *t)
{
    fetch_cancel(t->running);
    while (first_of(t) != NULL) {
        drop(t, first_of(t), WEBHOOK_STOPPED);
    }
    uv_close((uv_handle_t *)&t->retry, on_closed);
}

/* ---- all of them ---- */

struct webhooks *webhook_new(struct uv_loop_s *loop, struct fetch_pool *pool)
{
    struct webhooks *w = calloc(1, sizeof(*w));
    if (w != NULL) {
        w->loop = loop;
        w->pool = pool;
    }
    return w;
}

static struct target *take_old(struct target **old, int n, const char *url)
{
    for (int i = 0; i < n; i++) {
        if (old[i] != NULL && strcmp(old[i]->conf.url, url) == 0) {
            struct target *t = old[i];
            old[i] = NULL;
            return t;
        }
    }
    return NULL;
}

void webhook_configure(struct webhooks *w, const struct conf *c)
{
    struct target *old[CONF_LIST_MAX];
    int n_old = w->n;
    memcpy(old, w->targets, sizeof(old));
    w->conf = c;
    w->n = 0;
    for (int i = 0; i < c->webhooks.n; i++) {
        const struct conf_webhook *want = &c->webhooks.targets[i];
        struct target *t = take_old(old, n_old, want->url);
        if (t != NULL) {
            t->conf = *want;
        } else {
            t = new_target(w, want);
        }
        if (t != NULL) {
            w->targets[w->n++] = t;
        } else {
            log_error("webhook_lost", LOG_STR("url", want->url));
        }
    }
    for (int i = 0; i < n_old; i++) {
        if (old[i] != NULL) {
            close_target(old[i]);
        }
    }
}

void webhook_free(struct webhooks *w)
{
    if (w == NULL) {
        return;
    }
    unsigned lost = webhook_waiting(w);
    if (lost > 0) {
        log_warn("webhooks_lost", LOG_INT("events", lost));
    }
    for (int i = 0; i < w->n; i++) {
        close_target(w->targets[i]);
    }
    free(w);
}

/* Takes the next of the names in *at, which have commas between them. False: there is none. */
static bool next_name(const char **at, char out[CONF_STR_MAX])
{
    *at += strspn(*at, ", ");
    size_t n = strcspn(*at, ", ");
    snprintf(out, CONF_STR_MAX, "%.*s", (int)n, *at);
    *at += n;
    return n > 0;
}

/* events: names or patterns with commas; empty: all. */
static bool is_wanted(const char *events, const char *event)
{
    char one[CONF_STR_MAX];
    bool any = false;
    while (next_name(&events, one)) {
        any = true;
        if (auth_grant_glob(one, event)) {
            return true;
        }
    }
    return !any;
}

bool webhook_knows(const char *pattern)
{
    static const char *const names[] = {
        "room.started",     "room.ended",      "participant.joined",
        "participant.left", "publisher.live",  "publisher.gone",
        "publisher.silent", "session.started", "session.ended",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (auth_grant_glob(pattern, names[i])) {
            return true;
        }
    }
    return false;
}

int webhook_check(const struct conf *c, const char **ret_what)
{
    static char what[CONF_STR_MAX + 64];
    for (int i = 0; i < c->webhooks.n; i++) {
        const char *at = c->webhooks.targets[i].events;
        char one[CONF_STR_MAX];
        while (next_name(&at, one)) {
            if (!webhook_knows(one)) {
                snprintf(what, sizeof(what), "webhooks.targets[%d]: no event is called \"%s\"", i,
                         one);
                *ret_what = what;
                return -EINVAL;
            }
        }
    }
    return 0;
}

bool webhook_wants(const struct webhooks *w, const char *event)
{
    for (int i = 0; i < w->n; i++) {
        if (is_wanted(w->targets[i]->conf.events, event)) {
            return true;
        }
    }
    return false;
}

void webhook_emit(struct webhooks *w, const char *event, const char *id, const char *body,
                  size_t len)
{
    for (int i = 0; i < w->n; i++) {
        struct target *t = w->targets[i];
        if (!is_wanted(t->conf.events, event)) {
            continue;
        }
        struct delivery *d =
            t->n < (unsigned)w->conf->webhooks.queue ? malloc(sizeof(*d) + len + 1) : NULL;
        if (d == NULL) {
            w->counts[WEBHOOK_OVERFLOW]++;
            t->dropped++;
            continue;
        }
        *d = (struct delivery){.queued_us = clock_now_us(), .len = len};
        snprintf(d->id, sizeof(d->id), "%s", id);
        snprintf(d->event, sizeof(d->event), "%s", event);
        memcpy(d->body, body, len);
        d->body[len] = '\0';
        list_init(&d->node);
        list_append(&t->queue, &d->node);
        t->n++;
        send_first(t);
    }
}

unsigned webhook_waiting(const struct webhooks *w)
{
    unsigned n = 0;
    for (int i = 0; i < w->n; i++) {
        n += w->targets[i]->n;
    }
    return n;
}

uint64_t webhook_count(const struct webhooks *w, enum webhook_result r)
{
    return w->counts[r];
}
