/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/whip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "signaling/conference.h"
#include "signaling/endpoint.h"
#include "signaling/http.h"
#include "signaling/life.h"
#include "signaling/moderate.h"
#include "signaling/permit.h"
#include "signaling/problem.h"
#include "signaling/query.h"
#include "signaling/state.h"

static void publish(struct endpoint *e, int64_t idle_us);

/* A POST that waits to hear how long the present publisher has been silent. */
struct contest {
    struct endpoint e;
    uint64_t session;
};

static void answer_conflict(struct http_request *rq)
{
    problem_answer_later(rq, 409, "conflict",
                         "Somebody else publishes under this name; stop that or use another name.",
                         2);
}

static void on_idle(const struct query_result *res, void *ctx)
{
    struct contest *c = ctx;
    int64_t idle_us = 0; // not told: it counts as live
    for (unsigned i = 0; i < res->n; i++) {
        if (res->sessions[i]->id == c->session) {
            idle_us = res->sessions[i]->idle_us;
        }
    }
    const struct stream *st = rooms_find(&c->e.s->rooms, c->e.room, c->e.participant);
    if (st != NULL && st->publisher != c->session) {
        idle_us = -1; // a third one was faster: ask about that
    }
    if (c->e.s->draining) {
        answer_conflict(c->e.rq);
    } else {
        publish(&c->e, idle_us);
    }
    free(c);
}

/* Another principal wants the name: it is theirs only if the present publisher is silent, which the
 * worker knows. */
static void ask_idle(struct endpoint *e, const struct stream *st)
{
    struct contest *c = malloc(sizeof(*c));
    if (c == NULL) {
        answer_conflict(e->rq);
        return;
    }
    *c = (struct contest){.e = *e, .session = st->publisher};
    if (query_start(e->s->queries, st->worker, plane_workers(e->s->plane), on_idle, c) < 0) {
        free(c);
        answer_conflict(e->rq);
    }
}

/* The directory after a successful admission; old: the session that was taken over, or 0. */
static void install(struct endpoint *e, struct stream *st, uint64_t old)
{
    struct signaling *s = e->s;
    struct rooms_publisher p = {
        .session = e->r->id,
        .worker = e->r->worker,
        .principal = e->grant.principal,
        .source = &e->out.source,
    };
    e->r->stream = st;
    rooms_publish(&s->rooms, st, &p, clock_now_us());
    life_tell_source(s, st->id, e->r->worker, e->r->id);
    conference_on_publish(s, st);
    moderate_on_publish(s, st);
    struct resource *gone = old != 0 ? resource_find_id(&s->sessions, old) : NULL;
    if (gone != NULL) {
        life_end(s, gone, API_END_TAKEN_OVER);
    }
}

/* A person's name is taken by whoever is in the room under it, that of a further stream ("ann~x")
 * by its publisher. */
static bool is_taken(const struct endpoint *e, const struct stream *st)
{
    return strchr(e->participant, '~') != NULL ? st != NULL && st->publisher != 0 && !st->silent
                                               : conference_has(e->s, e->room, e->participant);
}

static void publish(struct endpoint *e, int64_t idle_us)
{
    struct signaling *s = e->s;
    struct stream *st = rooms_find(&s->rooms, e->room, e->participant);
    uint64_t old;
    if (endpoint_yields(e, is_taken(e, st))) {
        return;
    }
    int r = rooms_claim(st, e->grant.principal, idle_us, &old);
    if (r == -EAGAIN) {
        ask_idle(e, st);
        return;
    }
    if (r < 0) {
        answer_conflict(e->rq);
        return;
    }
    if (old == 0 && resource_live(&s->sessions) >= (unsigned)s->conf->limits.max_sessions) {
        problem_answer_later(e->rq, 503, "full", "The server has as many sessions as it may.", 5);
        return;
    }
    st = rooms_get(&s->rooms, e->room, e->participant, life_least_worker(s));
    if (st == NULL) {
        problem_answer_later(e->rq, 503, "no-memory", "The server is out of memory.", 5);
        return;
    }
    const struct endpoint_target target = {.room = st->room, .st = st};
    if (!endpoint_negotiate(e, API_PUBLISH, &target) || !endpoint_admit(e, st)) {
        rooms_release(&s->rooms, st);
        return;
    }
    install(e, st, old);
    endpoint_created(e);
}

static void on_permitted(struct endpoint *e)
{
    publish(e, -1);
}

void whip_handle(struct http_request *rq, void *ctx)
{
    struct endpoint e;
    if (endpoint_read(&e, rq, ctx) && !endpoint_answer_simple(&e, AUTH_PUBLISH) &&
        endpoint_gate(&e)) {
        permit_ask(&e, AUTH_PUBLISH, e.label, on_permitted);
    }
}
