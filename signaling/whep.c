/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/whep.h"

#include "conf/conf.h"
#include "signaling/endpoint.h"
#include "signaling/http.h"
#include "signaling/life.h"
#include "signaling/permit.h"
#include "signaling/problem.h"
#include "signaling/state.h"

/* The live stream that the URL means, or NULL. */
static struct stream *target(const struct endpoint *e)
{
    if (!e->named) {
        return rooms_pick(&e->s->rooms, e->room);
    }
    struct stream *st = rooms_find(&e->s->rooms, e->room, e->participant);
    return st != NULL && st->publisher != 0 ? st : NULL;
}

static void play(struct endpoint *e, struct stream *st)
{
    struct signaling *s = e->s;
    if (resource_live(&s->sessions) >= (unsigned)s->conf->limits.max_sessions) {
        problem_answer_later(e->rq, 503, "full", "The server has as many sessions as it may.", 5);
        return;
    }
    if (!endpoint_negotiate(e, API_PLAY, st) || !endpoint_admit(e, st)) {
        return;
    }
    e->r->stream = st;
    rooms_watch(st);
    endpoint_created(e);
}

static void on_permitted(struct endpoint *e)
{
    struct stream *st = target(e);
    if (st == NULL) {
        /* Not 404 or 400: Eyevinn's player would drop audio or change its mode. */
        problem_answer_later(e->rq, 409, "not-live", "Nobody publishes under this name now.", 2);
        return;
    }
    play(e, st);
}

void whep_handle(struct http_request *rq, void *ctx)
{
    struct endpoint e;
    char label[ROOMS_LABEL_MAX];
    if (!endpoint_read(&e, rq, ctx) || endpoint_answer_simple(&e, AUTH_PLAY) ||
        !endpoint_gate(&e)) {
        return;
    }
    /* The right is that to the stream which the room's name stands for now. */
    const struct stream *st = target(&e);
    permit_ask(&e, AUTH_PLAY, st != NULL ? rooms_label(st, label) : e.label, on_permitted);
}
