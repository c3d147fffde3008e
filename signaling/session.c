/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/log.h"
#include "signaling/auth.h"
#include "signaling/cors.h"
#include "signaling/endpoint.h"
#include "signaling/etag.h"
#include "signaling/http.h"
#include "signaling/life.h"
#include "signaling/post.h"
#include "signaling/problem.h"
#include "signaling/sdpfrag.h"
#include "signaling/session_ext.h"
#include "signaling/state.h"

#define ALLOW    "GET, HEAD, PATCH, DELETE, OPTIONS"
#define FRAGMENT "application/trickle-ice-sdpfrag"

/* The URL is a capability: no token is needed, but one that is sent must be right (WHIP-24). */
static bool authorise(struct signaling *s, struct http_request *rq, const struct resource *r)
{
    struct auth_verdict v;
    const char *header = http_header(rq, "Authorization");
    if (header == NULL && !s->conf->http.require_token_on_session) {
        return true;
    }
    /* The token of the POST stays good for its session, also when it has expired since. */
    if (r->grant != NULL && auth_is_token(header, r->grant->digest)) {
        return true;
    }
    endpoint_check_auth(s, rq, AUTH_ANY, r->label, &v);
    if (v.result == AUTH_OK && auth_required(s->auth) &&
        strcmp(v.grant.principal, r->principal) != 0) {
        v.result = AUTH_FORBIDDEN;
        v.reason = "principal";
        v.detail = "The token is not that of who made this session.";
    }
    if (v.result != AUTH_OK) {
        endpoint_answer_auth(s, rq, &v);
    }
    return v.result == AUTH_OK;
}

static void answer_restart(struct signaling *s, struct http_request *rq, struct resource *r)
{
    char tag[RESOURCE_ETAG_LEN + 3];
    struct negotiate_params p = {.creds = r->creds};
    endpoint_fill_params(s, rq, &p);
    char *text = negotiate_restart_fragment(&p, r->tag_mid, r->tag_kind, r->tag_data);
    snprintf(tag, sizeof(tag), "\"%s\"", r->etag);
    http_set_header(rq, "ETag", tag);
    http_set_header(rq, "Cache-Control", "no-store");
    http_answer_take(rq, 200, FRAGMENT, text, text != NULL ? strlen(text) : 0);
}

/* The old generation stays in use until the worker has the new one; a failure changes nothing
 * (WHIP-43). */
static void restart(struct signaling *s, struct http_request *rq, struct resource *r,
                    const struct sdpfrag *frag)
{
    struct ice_creds creds = {0};
    owner_make_creds(r->worker, &creds);
    snprintf(creds.remote_ufrag, sizeof(creds.remote_ufrag), "%s", frag->ufrag);
    snprintf(creds.remote_pwd, sizeof(creds.remote_pwd), "%s", frag->pwd);
    struct api_cmd cmd = {.kind = API_CMD_SESSION_ICE, .id = r->id};
    cmd.u.creds = malloc(sizeof(*cmd.u.creds));
    if (cmd.u.creds != NULL) {
        *cmd.u.creds = creds;
    }
    if (cmd.u.creds == NULL || post_try(s->post, r->worker, &cmd) < 0) {
        free(cmd.u.creds);
        problem_answer_later(rq, 503, "busy",
                             "The restart could not be done now; the old ICE "
                             "session goes on. Try again.",
                             1);
        return;
    }
    resource_restart(r, &creds);
    s->metrics.restarts++;
    log_info("ice_restart", LOG_STR("label", r->label), LOG_INT("id", r->id),
             LOG_INT("generation", r->generation));
    answer_restart(s, rq, r);
}

static void answer_stale(struct http_request *rq)
{
    problem_answer(rq, 412, "tag-stale",
                   "The entity tag or the ICE generation is not the current one.");
}

/* The tag decides first, then the generation that the fragment speaks of. */
static void apply(struct signaling *s, struct http_request *rq, struct resource *r,
                  const struct sdpfrag *frag)
{
    /* Eyevinn's client sends the tag in a header named like the answer's. */
    const char *header = http_header(rq, "If-Match");
    enum etag_match match = etag_match(header != NULL ? header : http_header(rq, "ETag"), r->etag);
    bool same_ufrag = strcmp(frag->ufrag, r->creds.remote_ufrag) == 0;
    bool current = same_ufrag && strcmp(frag->pwd, r->creds.remote_pwd) == 0;
    if (match == ETAG_ABSENT && !(current && s->conf->http.etag_mode == CONF_ETAG_LENIENT)) {
        problem_answer(rq, 428, "tag-missing",
                       "Send If-Match with the session's entity tag, or * to restart ICE.");
    } else if (match == ETAG_STALE) {
        answer_stale(rq);
    } else if (current) {
        s->metrics.trickled += (uint64_t)frag->n_candidates;
        http_answer_static(rq, 204, NULL, "", 0);
    } else if (same_ufrag) {
        problem_answer(rq, 400, "fragment",
                       "The ice-pwd does not belong to this ice-ufrag; a restart changes both.");
    } else if (resource_is_old_ufrag(r, frag->ufrag)) {
        answer_stale(rq); // late and out of order: never back to old credentials (WHIP-46)
    } else {
        restart(s, rq, r, frag);
    }
}

static void patch(struct signaling *s, struct http_request *rq, struct resource *r)
{
    size_t len;
    const char *body = http_body(rq, &len);
    struct sdpfrag frag;
    if (r->role == API_PLAY && http_is_type(rq, "application/sdp")) {
        problem_answer(rq, 422, "no-counter-offer",
                       "This session was answered with 201; there is no counter-offer to answer.");
        return;
    }
    if (!http_is_type(rq, FRAGMENT)) {
        http_set_header(rq, "Accept-Patch", FRAGMENT);
        problem_answer(rq, 415, "content-type",
                       "Send the fragment with Content-Type: " FRAGMENT ".");
        return;
    }
    if (sdpfrag_read(body, len, &frag) < 0) {
        problem_answer(rq, 400, "fragment",
                       "The fragment is malformed, or lacks a=ice-ufrag or a=ice-pwd.");
        return;
    }
    for (int i = 0; i < frag.n_mids; i++) {
        if (!resource_has_mid(r, frag.mids[i])) {
            problem_answer(rq, 400, "fragment",
                           "The fragment names an a=mid that the session does "
                           "not have.");
            return;
        }
    }
    apply(s, rq, r, &frag);
}

static void answer_unknown(struct signaling *s, struct http_request *rq)
{
    /* Guessing is limited; known sessions always get through to DELETE. */
    if (endpoint_within_rate(s, rq)) {
        problem_answer(rq, 404, "no-session", "There is no such session, or it has ended.");
    }
}

/* Pages come back by themselves after a break; whoever was sent away should not. */
static void answer_ended(struct signaling *s, struct http_request *rq, const struct resource *r)
{
    static const struct {
        enum api_reason reason;
        const char *type, *detail;
    } rows[] = {
        {API_END_TAKEN_OVER, "taken-over", "Somebody else publishes under this name now."},
        {API_END_REMOVED, "removed", "A moderator has ended this session."},
        {API_END_KICKED, "removed", "The operator of this server has ended this session."},
        {API_END_ROOM, "room-ended", "A moderator has ended the room."},
        {API_END_REVOKED, "token-revoked", "The token of this session has been revoked."},
        {API_END_EXPIRED, "token-expired", "The token of this session has expired; get a new one."},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].reason == r->reason) {
            problem_answer(rq, 404, rows[i].type, rows[i].detail);
            return;
        }
    }
    answer_unknown(s, rq);
}

static void answer_delete(struct signaling *s, struct http_request *rq, struct resource *r)
{
    /* Entity tags do not count here (RFC 9725 4.3.1); 200, because OBS and others insist. */
    if (authorise(s, rq, r)) {
        life_end(s, r, API_END_CLIENT);
        http_answer_static(rq, 200, NULL, "", 0);
    }
}

/* Reading events asks for no token: EventSource cannot send one (WHEP-25). */
static void handle_part(struct signaling *s, struct http_request *rq, struct resource *r,
                        const char *part)
{
    bool reads = http_method(rq) == HTTP_GET && http_header(rq, "Authorization") == NULL;
    if (r->state == RESOURCE_ENDING || r->state == RESOURCE_GONE) {
        answer_ended(s, rq, r);
    } else if (endpoint_within_rate(s, rq) && (reads || authorise(s, rq, r))) {
        session_ext_handle(s, rq, r, part);
    }
}

void session_handle(struct http_request *rq, void *ctx)
{
    struct signaling *s = ctx;
    enum http_method method = http_method(rq);
    if (method == HTTP_OPTIONS) {
        http_set_header(rq, "Allow", ALLOW);
        http_set_header(rq, "Accept-Patch", FRAGMENT);
        cors_apply_options(s->conf, rq, "GET, HEAD, POST, PATCH, DELETE, OPTIONS");
        http_answer_static(rq, 200, NULL, "", 0);
        return;
    }
    char token[RESOURCE_TOKEN_LEN + 2];
    const char *part = strchr(http_tail(rq), '/');
    part = part != NULL && part[1] == '\0' ? NULL : part; /* "/session/ID/" */
    size_t len = strcspn(http_tail(rq), "/");
    snprintf(token, sizeof(token), "%.*s", (int)MIN(len, sizeof(token) - 1), http_tail(rq));
    struct resource *r = resource_find(&s->sessions, token);
    if (r == NULL) {
        answer_unknown(s, rq);
        return;
    }
    if (part != NULL) {
        handle_part(s, rq, r, part + 1);
        return;
    }
    if (method == HTTP_DELETE) {
        answer_delete(s, rq, r);
        return;
    }
    if (r->state == RESOURCE_ENDING || r->state == RESOURCE_GONE) {
        answer_ended(s, rq, r);
    } else if (method == HTTP_PATCH) {
        if (endpoint_within_rate(s, rq) && authorise(s, rq, r)) {
            patch(s, rq, r);
        }
    } else if (method == HTTP_GET || method == HTTP_HEAD) {
        http_answer_static(rq, 200, NULL, "", 0);
    } else {
        problem_answer_method(rq, ALLOW);
    }
}
