/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/signaling.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "signaling/admin.h"
#include "signaling/admin_call.h"
#include "signaling/auth.h"
#include "signaling/auth_jwks.h"
#include "signaling/auth_revoked_file.h"
#include "signaling/conference.h"
#include "signaling/cors.h"
#include "signaling/entropy.h"
#include "signaling/event.h"
#include "signaling/fetch.h"
#include "signaling/health.h"
#include "signaling/http.h"
#include "signaling/ice_servers.h"
#include "signaling/life.h"
#include "signaling/limiter.h"
#include "signaling/metrics.h"
#include "signaling/moderate.h"
#include "signaling/post.h"
#include "signaling/problem.h"
#include "signaling/query.h"
#include "signaling/session.h"
#include "signaling/sse.h"
#include "signaling/state.h"
#include "signaling/tls.h"
#include "signaling/web.h"
#include "signaling/webhook.h"
#include "signaling/whep.h"
#include "signaling/whip.h"

#define OFFER_MAX    (128 * 1024)
#define FRAGMENT_MAX (8 * 1024)
#define TICK_MS      500
/* How long ended sessions may take to say so before they are written off. */
#define ENDING_MAX_US (10 * (int64_t)US_PER_S)
#define FORCED_MAX_US (2 * (int64_t)US_PER_S)

static void on_nowhere(struct http_request *rq, void *ctx)
{
    (void)ctx;
    problem_answer(rq, 404, "not-found", "Nothing is here.");
}

static const struct http_route public_routes[] = {
    {"/whip/", true, "whip", OFFER_MAX, whip_handle},
    {"/whep/", true, "whep", OFFER_MAX, whep_handle},
    {"/session/", true, "session", FRAGMENT_MAX, session_handle},
    {"/moderate/", true, "moderate", ADMIN_BODY_MAX, moderate_handle},
    {"", true, "page", FRAGMENT_MAX, web_handle},
};

static const struct http_route admin_routes[] = {
    {"/api/v1/sessions", true, "api_sessions", ADMIN_BODY_MAX, admin_handle},
    {"/api/v1/streams", true, "api_streams", ADMIN_BODY_MAX, admin_handle},
    {"/api/v1/rooms", true, "api_rooms", ADMIN_BODY_MAX, admin_handle},
    {"/api/v1/tokens", true, "api_tokens", ADMIN_BODY_MAX, admin_handle},
    {"/api/v1/", true, "api", ADMIN_BODY_MAX, admin_handle},
    {"/metrics", false, "metrics", 0, metrics_handle},
    {"/livez", false, "livez", 0, health_live},
    {"/readyz", false, "readyz", 0, health_ready},
    {"/startupz", false, "startupz", 0, health_startup},
    {"", true, "admin_other", FRAGMENT_MAX, on_nowhere},
};

static const struct http_route health_routes[] = {
    {"/livez", false, "livez", 0, health_live},
    {"/readyz", false, "readyz", 0, health_ready},
    {"", true, "health_other", FRAGMENT_MAX, on_nowhere},
};

static void add_cors(struct http_request *rq, void *ctx)
{
    const struct signaling *s = ctx;
    cors_apply(s->conf, rq);
}

static void on_public_done(const struct http_done *done, void *ctx)
{
    struct signaling *s = ctx;
    metrics_on_done(&s->metrics, done);
    if (done->status >= 400) {
        char ip[ADDR_TEXT_MAX];
        char masked[24];
        /* Which stream it was about. Other paths may be secrets: a session's URL is one. */
        bool names = done->route->fn == whip_handle || done->route->fn == whep_handle;
        log_info("http_refused", LOG_STR("route", done->route->name),
                 LOG_STR("label", names ? done->tail : ""), LOG_INT("status", done->status),
                 LOG_STR("type", done->problem != NULL ? done->problem : ""),
                 LOG_STR("client", log_mask(addr_format(&done->client, false, ip), masked)));
    }
}

static void on_inner_done(const struct http_done *done, void *ctx)
{
    struct signaling *s = ctx;
    metrics_on_done(&s->metrics, done);
}

/* ---- draining ---- */

static void drain_check(struct signaling *s, int64_t now_us)
{
    if (!s->draining || s->on_drained == NULL) {
        return;
    }
    if (now_us >= s->drain_deadline_us && !s->drain_forced) {
        s->drain_forced = true;
        for (size_t i = 0; i < ARRAY_LEN(s->sessions.ids); i++) {
            LIST_EACH(it, &s->sessions.ids[i])
            {
                life_end(s, container_of(it, struct resource, by_id), API_END_SHUTDOWN);
            }
        }
    }
    /* The last events should still be told. */
    bool waits = life_count(s) > 0 || webhook_waiting(s->webhooks) > 0;
    if (life_count(s) == 0 && s->drained_us == 0) {
        s->drained_us = now_us;
    }
    bool enough = (s->drain_forced && now_us - s->drain_deadline_us >= FORCED_MAX_US) ||
                  (s->drained_us != 0 && now_us - s->drained_us >= FORCED_MAX_US);
    if (waits && !enough) {
        return;
    }
    void (*fn)(void *ctx) = s->on_drained;
    s->on_drained = NULL;
    log_info("drained", LOG_INT("left", life_count(s)));
    fn(s->on_drained_ctx);
}

/* A worker that hangs must not keep names and quotas for ever. */
static void write_off(struct signaling *s, int64_t now_us)
{
    if (s->sessions.n[API_PUBLISH][RESOURCE_ENDING] + s->sessions.n[API_PLAY][RESOURCE_ENDING] ==
        0) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(s->sessions.ids); i++) {
        LIST_EACH(it, &s->sessions.ids[i])
        {
            struct resource *r = container_of(it, struct resource, by_id);
            if (r->state == RESOURCE_ENDING && now_us - r->ended_us > ENDING_MAX_US) {
                log_warn("session_written_off", LOG_STR("label", r->label), LOG_INT("id", r->id),
                         LOG_INT("worker", r->worker));
                s->metrics.ended[r->role][r->reason]++;
                event_on_ended(s, r, NULL);
                resource_set_gone(&s->sessions, r, now_us);
            }
        }
    }
}

static void on_tick(uv_timer_t *h)
{
    struct signaling *s = h->data;
    int64_t now_us = clock_now_us();
    s->metrics.loop_lag_us = MAX(now_us - s->tick_due_us, 0);
    s->tick_due_us = now_us + TICK_MS * US_PER_MS;
    write_off(s, now_us);
    resource_sweep(&s->sessions, now_us);
    moderate_sweep(s, clock_wall_us() / US_PER_S);
    drain_check(s, now_us);
    uv_timer_start(&s->tick, on_tick, s->draining ? 20 : TICK_MS, 0);
    s->tick_due_us = now_us + (s->draining ? 20 : TICK_MS) * US_PER_MS;
}

void signaling_drain(struct signaling *s, int timeout_ms, void (*fn)(void *ctx), void *ctx)
{
    int64_t now_us = clock_now_us();
    int64_t deadline_us = timeout_ms < 0 ? INT64_MAX : now_us + (int64_t)timeout_ms * US_PER_MS;
    if (!s->draining) {
        s->draining = true;
        sse_drain(s);
        s->drain_deadline_us = deadline_us;
        log_info("draining", LOG_INT("sessions", life_count(s)), LOG_INT("timeout_ms", timeout_ms));
    }
    s->drain_deadline_us = MIN(s->drain_deadline_us, deadline_us);
    s->on_drained = fn;
    s->on_drained_ctx = ctx;
    uv_timer_start(&s->tick, on_tick, 0, 0);
    s->tick_due_us = now_us;
}

/* ---- start ---- */

/* key: the setting that p->listen comes from. */
static int start_listener(struct signaling *s, const struct http_params *p,
                          struct http_server **ret, const char *key, const char **ret_what)
{
    static char what[CONF_STR_MAX + 64];
    struct http_params params = *p;
    params.loop = s->loop;
    params.ctx = s;
    int r = http_start(&params, ret, ret_what);
    if (r == -EADDRINUSE || r == -EADDRNOTAVAIL || r == -EACCES || r == -EINVAL) {
        snprintf(what, sizeof(what), "%s: %s cannot be used", key, p->listen);
        *ret_what = what;
    }
    return r;
}

static int start_listeners(struct signaling *s, const char **ret_what)
{
    const struct conf *c = s->conf;
    struct http_params pub = {
        .listen = c->http.listen,
        .tls = s->tls,
        .max_connections = c->http.max_connections,
        .max_connections_per_ip = c->http.max_connections_per_ip,
        .for_strangers = true,
        .proxies = &s->proxies,
        .routes = public_routes,
        .n_routes = ARRAY_LEN(public_routes),
        .before_answer = add_cors,
        .on_done = on_public_done,
    };
    struct http_params admin = {
        .listen = c->admin.listen,
        .tls = conf_admin_is_public(c) ? s->tls : NULL,
        .max_connections = 64,
        .routes = admin_routes,
        .n_routes = ARRAY_LEN(admin_routes),
        .gate = admin_gate,
        .on_done = on_inner_done,
    };
    struct http_params health = {
        .listen = c->admin.health_listen,
        .max_connections = 64,
        .max_connections_per_ip = 16,
        .routes = health_routes,
        .n_routes = ARRAY_LEN(health_routes),
        .on_done = on_inner_done,
    };
    int r = start_listener(s, &pub, &s->public_http, "http.listen", ret_what);
    if (r == 0) {
        r = start_listener(s, &admin, &s->admin_http, "admin.listen", ret_what);
    }
    if (r == 0 && c->admin.health_listen[0] != '\0') {
        r = start_listener(s, &health, &s->health_http, "admin.health_listen", ret_what);
    }
    return r;
}

static int check_settings(const struct conf *c, struct proxy_set *ret_proxies,
                          struct auth **ret_auth, const char **ret_what)
{
    const char *bad;
    if (proxy_parse(&c->http.trusted_proxies, ret_proxies, &bad) < 0) {
        *ret_what = "http.trusted_proxies holds something that is no address or network";
        return -EINVAL;
    }
    if (ice_servers_check(c, &bad) < 0) {
        *ret_what = "ice_servers: URLs and credentials may hold no spaces, quotes, commas, "
                    "semicolons or angle brackets, since clients split on them";
        return -EINVAL;
    }
    int r = webhook_check(c, ret_what);
    return r < 0 ? r : auth_new(c, ret_auth, ret_what);
}

int signaling_check(const struct conf *c, const char **ret_what)
{
    struct proxy_set proxies;
    struct auth *auth = NULL;
    int r = check_settings(c, &proxies, &auth, ret_what);
    auth_free(auth);
    return r == 0 && c->tls.cert_file[0] != '\0' ? tls_check(c, ret_what) : r;
}

/* The fetched keys that the present settings ask for, the same as before if the URL is. */
static int start_jwks(struct signaling *s)
{
    const char *url = s->conf->auth.jwks_url;
    struct auth_jwks *old = s->jwks;
    if (old != NULL && strcmp(auth_jwks_url(old), url) == 0) {
        old = NULL;
    } else {
        s->jwks = url[0] != '\0' ? auth_jwks_new(s->loop, s->fetches, url) : NULL;
    }
    auth_set_fetched(s->auth, s->jwks != NULL ? auth_jwks_keys(s->jwks) : NULL);
    auth_set_revoked(s->auth, &s->revoked);
    auth_jwks_free(old);
    return url[0] != '\0' && s->jwks == NULL ? -ENOMEM : 0;
}

/* Reads what is still revoked, and writes it back: that drops what has expired, and shows now that
 * later revocations can be written. */
static int start_revoked(struct signaling *s, const char **ret_what)
{
    static char what[CONF_STR_MAX + 128];
    const char *path = s->conf->auth.revoked_file;
    int r = 0;
    snprintf(s->revoked_file, sizeof(s->revoked_file), "%s", path);
    if (path[0] != '\0') {
        r = auth_revoked_file_load(&s->revoked, path, clock_wall_us() / US_PER_S);
        r = r < 0 ? r : auth_revoked_file_save(&s->revoked, path);
    }
    if (r < 0) {
        snprintf(what, sizeof(what), "auth.revoked_file: %s: %s", path,
                 r == -EBADMSG ? "is no list of revoked tokens" : strerror(-r));
        *ret_what = what;
        return r;
    }
    if (s->revoked.n > 0) {
        log_info("revocations_kept", LOG_INT("n", s->revoked.n));
    }
    return 0;
}

static int begin(struct signaling *s, const char **ret_what)
{
    const struct conf *c = s->conf;
    int r = check_settings(c, &s->proxies, &s->auth, ret_what);
    if (r == 0) {
        r = start_revoked(s, ret_what);
    }
    if (r == 0 && (c->tls.self_signed || c->tls.cert_file[0] != '\0')) {
        r = tls_new(c, &s->tls, ret_what);
    }
    if (r == 0) {
        webhook_configure(s->webhooks, c);
        r = start_jwks(s);
    }
    if (r == 0) {
        r = start_listeners(s, ret_what);
    }
    return r;
}

int signaling_start(const struct signaling_params *p, struct signaling **ret, const char **ret_what)
{
    struct signaling *s = calloc(1, sizeof(*s));
    *ret_what = "out of memory";
    if (s == NULL) {
        return -ENOMEM;
    }
    s->loop = p->loop;
    s->conf = p->conf;
    s->cert = p->cert;
    s->ask_drain = p->drain;
    s->ask_drain_ctx = p->ctx;
    s->started_us = clock_now_us();
    s->drain_deadline_us = INT64_MAX;
    rooms_init(&s->rooms, entropy_u64());
    resource_table_init(&s->sessions);
    uv_timer_init(p->loop, &s->tick);
    s->tick.data = s;
    s->limiter = limiter_new(entropy_u64());
    s->conferences = conference_new(s);
    s->sse = sse_new(s);
    s->post = post_new(p->loop);
    s->fetches = fetch_pool_new(p->loop);
    s->webhooks = s->fetches != NULL ? webhook_new(p->loop, s->fetches) : NULL;
    s->events = event_rooms_new(entropy_u64());
    list_init(&s->controls);
    auth_revoked_init(&s->revoked);
    auth_quota_init(&s->quota);
    s->queries = s->post != NULL ? query_new(p->loop, s->post) : NULL;
    bool whole = s->limiter != NULL && s->queries != NULL && s->webhooks != NULL &&
                 s->events != NULL && s->conferences != NULL && s->sse != NULL;
    int r = whole ? begin(s, ret_what) : -ENOMEM;
    if (r < 0) {
        signaling_stop(s);
        return r;
    }
    s->tick_due_us = s->started_us + TICK_MS * US_PER_MS;
    uv_timer_start(&s->tick, on_tick, TICK_MS, 0);
    *ret = s;
    return 0;
}

int signaling_set_plane(struct signaling *s, struct plane *plane, const char **ret_what)
{
    const char *bad;
    int r = announce_build(s->conf, plane_port(plane), &s->announce, &bad);
    if (r < 0) {
        *ret_what = r == -EINVAL ? "media.announce holds something that is no IP address"
                                 : "no interface has an address to announce; set media.announce";
        return r;
    }
    for (int i = 0; i < s->announce.n; i++) {
        char text[ADDR_TEXT_MAX];
        log_info("announce", LOG_STR("addr", addr_format(&s->announce.addrs[i], true, text)));
    }
    s->plane = plane;
    post_set_plane(s->post, plane);
    return 0;
}

void signaling_on_event(struct api_event *ev, void *ctx)
{
    struct signaling *s = ctx;
    if (ev->kind == API_EV_STATS && ev->u.stats.token == 0) {
        for (unsigned i = 0; i < ev->u.stats.n; i++) {
            sse_on_stats(s, ev->u.stats.sessions[i]);
        }
    } else if (ev->kind == API_EV_STATS) {
        query_on_stats(s->queries, ev);
        return;
    }
    if (ev->kind == API_EV_LEVELS) {
        conference_on_levels(s, ev);
    }
    life_on_event(s, ev);
    api_event_fini(ev);
}

/* ---- reload, stop ---- */

static void tell_restart(const char *key, bool changed)
{
    if (changed) {
        log_warn("reload_needs_restart", LOG_STR("key", key));
    }
}

int signaling_reload(struct signaling *s, const struct conf *conf, const char **ret_what)
{
    const struct conf *old = s->conf;
    struct proxy_set proxies;
    bool had_tls = s->tls != NULL;
    bool wants_tls = conf->tls.self_signed || conf->tls.cert_file[0] != '\0';
    struct auth *auth = NULL;
    int r = check_settings(conf, &proxies, &auth, ret_what);
    if (r == 0 && had_tls && wants_tls) {
        r = tls_reload(s->tls, conf, ret_what);
    }
    if (r < 0) {
        auth_free(auth);
        return r;
    }
    auth_free(s->auth);
    s->auth = auth;
    s->proxies = proxies;
    s->conf = conf;
    webhook_configure(s->webhooks, conf);
    if (start_jwks(s) < 0) {
        log_error("jwks_lost");
    }
    tell_restart("http.listen", strcmp(old->http.listen, conf->http.listen) != 0);
    tell_restart("admin.listen", strcmp(old->admin.listen, conf->admin.listen) != 0);
    tell_restart("admin.health_listen",
                 strcmp(old->admin.health_listen, conf->admin.health_listen) != 0);
    tell_restart("http.max_connections",
                 old->http.max_connections != conf->http.max_connections ||
                     old->http.max_connections_per_ip != conf->http.max_connections_per_ip);
    tell_restart("tls", had_tls != wants_tls || old->tls.self_signed != conf->tls.self_signed);
    tell_restart("auth.revoked_file", strcmp(s->revoked_file, conf->auth.revoked_file) != 0);
    tell_restart("media", memcmp(&old->media, &conf->media, sizeof(conf->media)) != 0);
    log_info("reloaded", LOG_INT("tokens", conf->auth.n_tokens), LOG_INT("keys", conf->auth.n_keys),
             LOG_STR("certificate", s->tls != NULL ? tls_fingerprint(s->tls) : ""));
    return 0;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void signaling_stop(struct signaling *s)
{
    if (s == NULL) {
        return;
    }
    s->draining = true;
    s->plane = NULL;
    query_free(s->queries); // whoever waits for numbers is answered without
    auth_jwks_free(s->jwks);
    webhook_free(s->webhooks);
    fetch_pool_free(s->fetches);
    event_rooms_free(s->events);
    sse_free(s->sse);
    http_stop(s->public_http);
    http_stop(s->admin_http);
    http_stop(s->health_http);
    conference_free(s->conferences);
    post_free(s->post);
    resource_table_fini(&s->sessions);
    auth_quota_fini(&s->quota);
    auth_revoked_fini(&s->revoked);
    rooms_fini(&s->rooms);
    limiter_free(s->limiter);
    auth_free(s->auth);
    tls_free(s->tls);
    uv_close((uv_handle_t *)&s->tick, on_closed);
}

const char *signaling_url(const struct signaling *s, char *out, size_t cap)
{
    char host[CONF_STR_MAX];
    uint16_t port;
    if (s->conf->http.public_origin[0] != '\0' ||
        conf_split_host_port(s->conf->http.listen, host, sizeof(host), &port) < 0) {
        const char *origin = s->conf->http.public_origin;
        size_t len = strlen(origin);
        snprintf(out, cap, "%s%s", origin, len > 0 && origin[len - 1] == '/' ? "" : "/");
        return out;
    }
    bool any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    if (any && s->announce.n > 0) {
        addr_format(&s->announce.addrs[0], false, host);
    }
    bool bracket = strchr(host, ':') != NULL;
    snprintf(out, cap, "%s://%s%s%s:%u/", s->tls != NULL ? "https" : "http", bracket ? "[" : "",
             host, bracket ? "]" : "", http_port(s->public_http));
    return out;
}

const char *signaling_self_signed(const struct signaling *s)
{
    return s->tls != NULL && s->conf->tls.self_signed ? tls_fingerprint(s->tls) : NULL;
}

uint16_t signaling_port(const struct signaling *s)
{
    return http_port(s->public_http);
}

uint16_t signaling_admin_port(const struct signaling *s)
{
    return http_port(s->admin_http);
}
