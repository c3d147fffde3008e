/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what the files of this folder share: one struct, made by signaling.c, owned by MAIN.
 * Private to signaling/. */
#ifndef SIGNALING_STATE_H
#define SIGNALING_STATE_H

#include <uv.h>

#include "conf/conf.h"
#include "ice/owner.h"
#include "rtp/base.h"
#include "sfu/api.h"
#include "signaling/announce.h"
#include "signaling/auth_quota.h"
#include "signaling/auth_revoked.h"
#include "signaling/metrics.h"
#include "signaling/proxy.h"
#include "signaling/resource.h"
#include "signaling/rooms.h"

struct auth;
struct auth_jwks;
struct event_rooms;
struct fetch_pool;
struct conferences;
struct sse;
struct http_server;
struct limiter;
struct post;
struct queries;
struct tls;
struct webhooks;

struct signaling {
    struct uv_loop_s *loop;
    const struct conf *conf; /* the present one: a reload swaps it */
    const struct cert *cert;
    struct plane *plane; /* NULL until signaling_set_plane */
    struct http_server *public_http;
    struct http_server *admin_http;
    struct http_server *health_http; /* NULL: not configured */
    struct tls *tls;                 /* NULL: plain */
    struct proxy_set proxies;
    struct announce announce;
    struct auth *auth;    /* made anew by a reload */
    struct list controls; /* struct resource.by_control */
    struct auth_revoked revoked;
    char revoked_file[CONF_STR_MAX]; /* as it was at the start; "": none */
    struct auth_quota quota;
    struct fetch_pool *fetches;
    struct auth_jwks *jwks; /* NULL: auth.jwks_url is empty */
    struct webhooks *webhooks;
    struct event_rooms *events;
    struct limiter *limiter;
    struct rooms rooms;
    struct conferences *conferences;
    struct sse *sse;
    struct resource_table sessions;
    struct post *post;
    struct queries *queries;
    struct metrics metrics;
    uv_timer_t tick;
    int64_t tick_due_us; /* loop lag is measured against it */
    int64_t started_us;
    bool draining;
    int64_t drain_deadline_us; /* INT64_MAX: until empty */
    bool drain_forced;
    int64_t drained_us; /* since when no session is left; 0 */
    void (*ask_drain)(int timeout_ms, void *ctx);
    void *ask_drain_ctx;
    void (*on_drained)(void *ctx);
    void *on_drained_ctx;
};

#endif
