/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/auth_jwks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "signaling/fetch.h"

struct waiter {
    void (*fn)(void *ctx);
    void *ctx;
};

struct auth_jwks {
    struct fetch_pool *pool;
    char url[CONF_STR_MAX];
    struct jwt_key_set set;
    uv_timer_t timer;
    struct fetch *running; /* NULL: none */
    int64_t begun_us;      /* the latest fetch; 0: none */
    int retry_ms;
    struct auth_jwks_stats stats;
    int n_waiters;
    struct waiter waiters[AUTH_JWKS_WAITERS_MAX];
};

static void begin(struct auth_jwks *j);

static void on_timer(uv_timer_t *h)
{
    begin(h->data);
}

static void call_waiters(struct auth_jwks *j)
{
    struct waiter all[AUTH_JWKS_WAITERS_MAX];
    int n = j->n_waiters;
    memcpy(all, j->waiters, (size_t)n * sizeof(all[0]));
    j->n_waiters = 0;
    for (int i = 0; i < n; i++) {
        all[i].fn(all[i].ctx);
    }
}

static void arm(struct auth_jwks *j, bool ok)
{
    j->retry_ms = ok ? AUTH_JWKS_RETRY_MS : MIN(2 * j->retry_ms, AUTH_JWKS_REFRESH_MS);
    uv_timer_start(&j->timer, on_timer, (uint64_t)(ok ? AUTH_JWKS_REFRESH_MS : j->retry_ms / 2), 0);
}

static void on_fetched(const struct fetch_result *res, void *ctx)
{
    struct auth_jwks *j = ctx;
    const char *why = res->why;
    j->running = NULL;
    bool ok = res->status == 200 && jwt_key_set_read(&j->set, res->body, res->len) == 0;
    if (ok) {
        j->stats.fetched++;
        log_info("jwks_fetched", LOG_INT("keys", j->set.n));
    } else {
        j->stats.failed++;
        log_warn("jwks_failed", LOG_INT("status", res->status),
                 LOG_STR("why", res->status == 200 ? "not-a-key-set" : why),
                 LOG_INT("keys_kept", j->set.n));
    }
    if (res->status != 0 || strcmp(why, "stopped") != 0) {
        arm(j, ok);
    }
    call_waiters(j);
}

static void begin(struct auth_jwks *j)
{
    struct fetch_params p = {
        .url = j->url,
        .headers = {"Accept: application/jwk-set+json, application/json"},
        .timeout_ms = AUTH_JWKS_TIMEOUT_MS,
        .answer_max = JWT_KEY_FILE_MAX,
        .fn = on_fetched,
        .ctx = j,
    };
    if (j->running != NULL) {
        return;
    }
    j->begun_us = clock_now_us();
    if (fetch_start(j->pool, &p, &j->running) < 0) {
        j->running = NULL;
        j->stats.failed++;
        arm(j, false);
    }
}

struct auth_jwks *auth_jwks_new(struct uv_loop_s *loop, struct fetch_pool *pool, const char *url)
{
    struct auth_jwks *j = calloc(1, sizeof(*j));
    if (j == NULL) {
        return NULL;
    }
    j->pool = pool;
    j->retry_ms = AUTH_JWKS_RETRY_MS;
    snprintf(j->url, sizeof(j->url), "%s", url);
    uv_timer_init(loop, &j->timer);
    j->timer.data = j;
    begin(j);
    return j;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void auth_jwks_free(struct auth_jwks *j)
{
    if (j == NULL) {
        return;
    }
    fetch_cancel(j->running);
    j->running = NULL;
    call_waiters(j);
    jwt_key_set_clear(&j->set);
    uv_close((uv_handle_t *)&j->timer, on_closed);
}

const struct jwt_key_set *auth_jwks_keys(const struct auth_jwks *j)
{
    return &j->set;
}

const char *auth_jwks_url(const struct auth_jwks *j)
{
    return j->url;
}

int auth_jwks_wait(struct auth_jwks *j, void (*fn)(void *ctx), void *ctx)
{
    bool fresh = j->begun_us != 0 && clock_now_us() - j->begun_us < AUTH_JWKS_INTERVAL_US;
    if (j->n_waiters == AUTH_JWKS_WAITERS_MAX || (j->running == NULL && fresh)) {
        return -EAGAIN;
    }
    begin(j);
    if (j->running == NULL) {
        return -EAGAIN;
    }
    j->waiters[j->n_waiters++] = (struct waiter){.fn = fn, .ctx = ctx};
    return 0;
}

void auth_jwks_stats(const struct auth_jwks *j, struct auth_jwks_stats *ret)
{
    *ret = j->stats;
    ret->keys = j->set.n;
}
