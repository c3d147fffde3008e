/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/permit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "rtp/codec.h"
#include "signaling/auth_jwks.h"
#include "signaling/moderate.h"
#include "signaling/permit_hook.h"
#include "signaling/problem.h"
#include "signaling/state.h"

/* A request that waits for something. */
struct pending {
    struct endpoint e;
    enum auth_action action;
    char label[ROOMS_LABEL_MAX];
    permit_fn *fn;
};

void permit_denied(const struct auth_grant *g, const char *participant, const char *ret_denied[2])
{
    const char *tilde = strchr(participant, '~');
    bool screen = tilde != NULL && strcmp(tilde, "~screen") == 0;
    unsigned audio = screen ? AUTH_RIGHT_SCREEN : AUTH_RIGHT_MICROPHONE;
    unsigned video = screen ? AUTH_RIGHT_SCREEN : AUTH_RIGHT_CAMERA;
    ret_denied[MEDIA_AUDIO] = (g->rights & audio) != 0 ? NULL : screen ? "screen" : "microphone";
    ret_denied[MEDIA_VIDEO] = (g->rights & video) != 0 ? NULL : screen ? "screen" : "camera";
}

/* The stream that this publisher is about to take over from the same token: its session will go. */
static bool replaces_own(const struct endpoint *e, enum auth_action action)
{
    const struct stream *st =
        action == AUTH_PUBLISH ? rooms_find(&e->s->rooms, e->room, e->participant) : NULL;
    const struct resource *r =
        st != NULL && st->publisher != 0 ? resource_find_id(&e->s->sessions, st->publisher) : NULL;
    return r != NULL && r->grant != NULL &&
           memcmp(r->grant->digest, e->grant.digest, sizeof(e->grant.digest)) == 0;
}

/* SEC-03. Returns false after answering 429. */
static bool within_quota(struct endpoint *e, enum auth_action action)
{
    unsigned limit = e->grant.max_sessions != 0 ? e->grant.max_sessions
                                                : (unsigned)e->s->conf->auth.max_sessions_per_token;
    if (!e->grant.is_token ||
        auth_quota_count(&e->s->quota, e->grant.digest) - (replaces_own(e, action) ? 1U : 0U) <
            limit) {
        return true;
    }
    problem_answer_later(e->rq, 429, "token-sessions",
                         "This token has as many sessions as it may; end one of them first.", 5);
    return false;
}

static void go_on(struct endpoint *e, enum auth_action action, permit_fn *fn)
{
    if (!moderate_may_enter(e)) {
        metrics_on_refusal(&e->s->metrics, "locked");
        problem_answer(e->rq, 403, "room-locked",
                       "The room is locked; ask a moderator to let you in.");
    } else if (within_quota(e, action)) {
        fn(e);
    }
}

static struct pending *keep(const struct endpoint *e, enum auth_action action, const char *label,
                            permit_fn *fn)
{
    struct pending *p = malloc(sizeof(*p));
    if (p != NULL) {
        *p = (struct pending){.e = *e, .action = action, .fn = fn};
        snprintf(p->label, sizeof(p->label), "%s", label);
    }
    return p;
}

/* ---- the operator's own judgement ---- */

static void answer_hook_failed(struct http_request *rq)
{
    problem_answer_later(rq, 503, "auth-hook", "Who may do this could not be found out; try again.",
                         2);
}

static void on_hook(enum permit_hook_verdict v, void *ctx)
{
    struct pending *p = ctx;
    struct auth_verdict no = {.result = AUTH_FORBIDDEN,
                              .reason = "hook",
                              .detail = "The operator of this server does not permit this."};
    if (v == PERMIT_HOOK_NO) {
        endpoint_answer_auth(p->e.s, p->e.rq, &no);
    } else if (v == PERMIT_HOOK_FAILED || p->e.s->draining) {
        answer_hook_failed(p->e.rq);
    } else {
        go_on(&p->e, p->action, p->fn);
    }
    free(p);
}

static void ask_hook(struct endpoint *e, enum auth_action action, const char *label, permit_fn *fn)
{
    if (e->s->conf->auth.hook_url[0] == '\0') {
        go_on(e, action, fn);
        return;
    }
    struct pending *p = keep(e, action, label, fn);
    if (p == NULL || permit_hook_ask(e, action, label, on_hook, p) < 0) {
        free(p);
        answer_hook_failed(e->rq);
    }
}

/* ---- the token ---- */

static void on_keys(void *ctx)
{
    struct pending *p = ctx;
    struct auth_verdict v;
    endpoint_check_auth(p->e.s, p->e.rq, p->action, p->label, &v);
    if (v.result == AUTH_OK && p->e.s->draining) {
        problem_answer_later(p->e.rq, 503, "draining", "This server is being shut down.", 10);
    } else if (v.result == AUTH_OK) {
        p->e.grant = v.grant;
        ask_hook(&p->e, p->action, p->label, p->fn);
    } else {
        endpoint_answer_auth(p->e.s, p->e.rq, &v);
    }
    free(p);
}

static bool wait_for_keys(const struct endpoint *e, enum auth_action action, const char *label,
                          permit_fn *fn)
{
    struct pending *p = e->s->jwks != NULL ? keep(e, action, label, fn) : NULL;
    if (p == NULL) {
        return false;
    }
    if (auth_jwks_wait(e->s->jwks, on_keys, p) < 0) {
        free(p);
        return false;
    }
    return true;
}

void permit_ask(struct endpoint *e, enum auth_action action, const char *label, permit_fn *fn)
{
    struct auth_verdict v;
    endpoint_check_auth(e->s, e->rq, action, label, &v);
    if (v.result == AUTH_UNKNOWN_KEY && wait_for_keys(e, action, label, fn)) {
        return;
    }
    if (v.result != AUTH_OK) {
        endpoint_answer_auth(e->s, e->rq, &v);
        return;
    }
    e->grant = v.grant;
    ask_hook(e, action, label, fn);
}
