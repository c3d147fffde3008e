/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/permit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "rtp/codec.h"
#include "signaling/auth_jwks.h"
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
    if (within_quota(e, action)) {
        fn(e);
    }
}

static void on_keys(void *ctx)
{
    struct pending *p = ctx;
    struct auth_verdict v;
    endpoint_check_auth(p->e.s, p->e.rq, p->action, p->label, &v);
    if (v.result == AUTH_OK && p->e.s->draining) {
        problem_answer_later(p->e.rq, 503, "draining", "This server is being shut down.", 10);
    } else if (v.result == AUTH_OK) {
        p->e.grant = v.grant;
        go_on(&p->e, p->action, p->fn);
    } else {
        endpoint_answer_auth(p->e.s, p->e.rq, &v);
    }
    free(p);
}

static bool wait_for_keys(const struct endpoint *e, enum auth_action action, const char *label,
                          permit_fn *fn)
{
    struct pending *p = e->s->jwks != NULL ? malloc(sizeof(*p)) : NULL;
    if (p == NULL) {
        return false;
    }
    *p = (struct pending){.e = *e, .action = action, .fn = fn};
    snprintf(p->label, sizeof(p->label), "%s", label);
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
    go_on(e, action, fn);
}
