/* SPDX-License-Identifier: Apache-2.0 */
/* admin_server.c - the server itself: version, health, limits, drain, tokens, the description. */
#include <errno.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "signaling/admin_call.h"
#include "signaling/asset.h"
#include "signaling/json.h"
#include "signaling/life.h"
#include "signaling/moderate.h"
#include "signaling/problem.h"
#include "signaling/signaling.h"
#include "signaling/state.h"

#define DRAIN_MAX_MS 86400000

#define ASSET(i, name, path) ASSET_BYTES(admin, i, path)
#include "admin_assets.h"
#undef ASSET

void admin_get_openapi(struct admin_call *c)
{
    http_answer_static(c->rq, 200, "application/json", admin_asset_0,
                       (size_t)(admin_asset_end_0 - admin_asset_0));
}

void admin_get_version(struct admin_call *c)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", "sluice");
    cJSON_AddStringToObject(o, "version", SLUICE_VERSION);
    cJSON_AddNumberToObject(o, "uptime_s",
                            (double)((clock_now_us() - c->s->started_us) / US_PER_S));
    admin_answer(c->rq, 200, o);
}

void admin_get_health(struct admin_call *c)
{
    const struct signaling *s = c->s;
    bool alive = s->plane != NULL && plane_alive(s->plane);
    bool ready = alive && !s->draining;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddBoolToObject(o, "ready", ready);
    cJSON_AddBoolToObject(o, "workers_alive", alive);
    cJSON_AddBoolToObject(o, "draining", s->draining);
    cJSON_AddNumberToObject(o, "sessions", life_count(s));
    cJSON_AddNumberToObject(o, "loop_lag_ms", (double)s->metrics.loop_lag_us / US_PER_MS);
    admin_answer(c->rq, ready ? 200 : 503, o);
}

static void add_limit(cJSON *o, const char *name, int64_t limit, int64_t used)
{
    cJSON *one = cJSON_AddObjectToObject(o, name);
    cJSON_AddNumberToObject(one, "limit", (double)limit);
    if (used >= 0) {
        cJSON_AddNumberToObject(one, "used", (double)used);
    }
}

void admin_get_limits(struct admin_call *call)
{
    const struct signaling *s = call->s;
    const struct conf *c = s->conf;
    cJSON *o = cJSON_CreateObject();
    add_limit(o, "max_sessions", c->limits.max_sessions, resource_live(&s->sessions));
    add_limit(o, "max_half_open", c->limits.max_half_open, s->sessions.n_half_open);
    add_limit(o, "max_connections", c->http.max_connections, http_connections(s->public_http));
    add_limit(o, "max_connections_per_ip", c->http.max_connections_per_ip, -1);
    add_limit(o, "max_sessions_per_token", c->auth.max_sessions_per_token, -1);
    add_limit(o, "posts_per_ip_per_s", c->http.posts_per_ip_per_s, -1);
    add_limit(o, "ice_timeout_ms", c->limits.ice_timeout_ms, -1);
    add_limit(o, "dtls_timeout_ms", c->limits.dtls_timeout_ms, -1);
    add_limit(o, "media_timeout_ms", c->limits.media_timeout_ms, -1);
    add_limit(o, "gone_timeout_ms", c->limits.gone_timeout_ms, -1);
    add_limit(o, "end_timeout_ms", c->limits.end_timeout_ms, -1);
    add_limit(o, "drain_timeout_ms", c->limits.drain_timeout_ms, -1);
    add_limit(o, "max_publisher_kbps", c->media.max_publisher_kbps, -1);
    admin_answer(call->rq, 200, o);
}

void admin_post_drain(struct admin_call *c)
{
    static const char *const known[] = {"timeout_ms", NULL};
    cJSON *body;
    struct signaling *s = c->s;
    if (!admin_body(c, known, &body)) {
        return;
    }
    const cJSON *v = json_get(body, "timeout_ms");
    double ms = v == NULL           ? s->conf->limits.drain_timeout_ms
                : cJSON_IsNumber(v) ? v->valuedouble
                                    : -1;
    cJSON_Delete(body);
    if (!(ms >= 0 && ms <= DRAIN_MAX_MS)) {
        problem_answer(c->rq, 400, "body",
                       "timeout_ms must be a number from 0 (wait until the last session ends) to "
                       "86400000.");
        return;
    }
    if (s->ask_drain == NULL) {
        problem_answer_later(c->rq, 503, "starting", "This server is starting.", 1);
        return;
    }
    log_info("admin_drain", LOG_INT("timeout_ms", ms));
    s->ask_drain((int)ms, s->ask_drain_ctx);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddBoolToObject(o, "draining", s->draining);
    cJSON_AddNumberToObject(o, "sessions", life_count(s));
    admin_answer(c->rq, 202, o);
}

void admin_delete_token(struct admin_call *c)
{
    const char *jti = c->args[0];
    if (strlen(jti) >= AUTH_GRANT_JTI_MAX) {
        problem_answer(c->rq, 404, "no-token", "A jti has at most 64 bytes.");
        return;
    }
    admin_answer_ended(c->rq, moderate_revoke(c->s, jti));
}
