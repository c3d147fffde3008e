/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/follow.h"

#include "sfu/peer.h"
#include "sfu/router.h"
#include "sfu/sub.h"

/* The rest of a frame is on its way for so long at most; what is missing then stays missing. */
#define LEAVE_US (50 * US_PER_MS)

void follow_init(struct follow *f)
{
    list_init(&f->by_name);
    list_init(&f->by_stream);
    list_init(&f->leaving);
}

/* What an id comes down to; NULL: nothing, or no memory. */
static struct stream *resolve(struct router *r, struct stream *named)
{
    return named && named->target ? router_stream(r, named->target, true) : named;
}

static void attach(struct sub *s, int64_t now_us)
{
    struct track *t = s->follow.stream ? stream_track(s->follow.stream, s->ml->kind) : NULL;
    if (t) {
        sub_attach(s, t, now_us);
    }
}

/* Leaves what is played for to; NULL: for nothing. */
static void change(struct sub *s, struct stream *to, int64_t now_us)
{
    struct router *r = s->peer->router;
    struct stream *old = s->follow.stream;
    list_remove(&s->follow.leaving);
    s->leaving = false;
    if (old == to) {
        return;
    }
    sub_detach(s);
    list_remove(&s->follow.by_stream);
    s->follow.stream = to;
    if (to) {
        list_append(&to->players, &s->follow.by_stream);
        router_settle_stream(r, to);
        attach(s, now_us);
    }
    if (old) {
        router_settle_stream(r, old);
    }
}

/* Goes over to what s->named stands for now: at once, or at the end of the frame. */
static void update(struct sub *s, int64_t now_us)
{
    struct router *r = s->peer->router;
    struct stream *to = resolve(r, s->follow.named);
    if (s->live && !s->last_was_end && to != s->follow.stream) {
        if (!s->leaving) {
            s->leaving = true;
            s->follow.leave_by_us = now_us + LEAVE_US;
            list_append(&r->leaving, &s->follow.leaving);
        }
        return;
    }
    change(s, to, now_us);
}

/* Nobody may need the stream of this id any more; it may be gone already. */
static void settle(struct router *r, uint64_t id)
{
    struct stream *st = id ? router_stream(r, id, false) : NULL;
    if (st) {
        router_settle_stream(r, st);
    }
}

void follow_play(struct sub *s, uint64_t id, int64_t now_us)
{
    struct router *r = s->peer->router;
    uint64_t old = s->follow.named ? s->follow.named->id : 0;
    struct stream *named = id ? router_stream(r, id, true) : NULL;
    if (old == id || (id && !named)) {
        return;
    }
    list_remove(&s->follow.by_name);
    s->follow.named = named;
    if (named) {
        list_append(&named->followers, &s->follow.by_name);
    }
    update(s, now_us);
    settle(r, old);
}

void follow_alias(struct router *r, uint64_t id, uint64_t target, int64_t now_us)
{
    struct stream *st = router_stream(r, id, target != 0);
    if (!st || target == id) {
        return;
    }
    st->target = target;
    LIST_EACH(it, &st->followers)
    {
        update(container_of(it, struct sub, follow.by_name), now_us);
    }
    router_settle_stream(r, st);
}

void follow_attach(struct stream *st, int64_t now_us)
{
    LIST_EACH(it, &st->players)
    {
        attach(container_of(it, struct sub, follow.by_stream), now_us);
    }
}

void follow_end(struct sub *s)
{
    struct router *r = s->peer->router;
    uint64_t named = s->follow.named ? s->follow.named->id : 0;
    list_remove(&s->follow.by_name);
    s->follow.named = NULL;
    change(s, NULL, 0);
    settle(r, named);
}

void follow_tick(struct router *r, int64_t now_us)
{
    LIST_EACH(it, &r->leaving)
    {
        struct sub *s = container_of(it, struct sub, follow.leaving);
        if (s->last_was_end || !s->live || now_us >= s->follow.leave_by_us) {
            change(s, resolve(r, s->follow.named), now_us);
        }
    }
}
