/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/brain.h"

#include <string.h>

#include "sfu/peer.h"
#include "sfu/router.h"
#include "sfu/sub.h"
#include "sfu/told.h"

/* A source that has only begun has no rate yet. */
#define REPLAY_BPS_MIN 500000
/* So long a viewer who has come may go up to a layer by what it costs at this moment: the estimate
 * is still on its way up, and whom a layer overloads will be careful later. */
#define BEGINNING_US (3 * US_PER_S)

/* ---- what there is to choose from ---- */

/* True if the viewer's wish lets it have target d of e. */
static bool is_wished(const struct sub *s, const struct encoding *e, unsigned d)
{
    const struct api_wish *w = &s->wish;
    const struct layer_map *m = &e->map;
    if (w->layer >= 0 && w->layer < (int8_t)s->track->n_enc && w->layer != (int8_t)e->index &&
        (s->track->alive >> w->layer & 1)) {
        return false;
    }
    int top_sid = m->n_sid - 1, top_tid = m->n_tid - 1;
    return (w->sid < 0 || m->sid[d] == MIN(w->sid, top_sid)) &&
           (w->tid < 0 || m->tid[d] == MIN(w->tid, top_tid)) &&
           (w->max_sid < 0 || m->sid[d] <= w->max_sid) &&
           (w->max_tid < 0 || m->tid[d] <= w->max_tid);
}

/* True if the viewer cannot bear target d of e: without the dependency descriptor libwebrtc cannot
 * tell AV1's spatial layers apart and decodes nothing, and Firefox stalls on them anyway. */
static bool is_too_much(const struct sub *s, const struct encoding *e, unsigned d)
{
    bool one = s->peer->session->quirks & API_QUIRK_ONE_SPATIAL || !s->ml->ext.id[EXT_DD];
    return one && e->codec == CODEC_AV1 && e->map.n_sid > 1 && e->map.sid[d] > 0;
}

static void add_points(struct alloc_stream *a, const struct sub *s, const struct encoding *e,
                       bool wished_only, int64_t now_us)
{
    const struct layer_map *m = &e->map;
    bool begins = now_us - s->peer->up_us < BEGINNING_US;
    for (unsigned d = 0; d < m->n_dt && a->n < ALLOC_POINTS; d++) {
        bool present = s->memory.has && s->memory.enc == e->index && s->memory.dt == d;
        uint32_t bps = present || begins ? encoding_cost_bps(e, d) : encoding_entry_bps(e, d);
        uint32_t told = told_pixels(e, d);
        if (!(m->active >> d & 1) || !bps || is_too_much(s, e, d)) {
            continue; /* the publisher does not send it at present, or this viewer must not have it
                       */
        }
        if (wished_only && !is_wished(s, e, d)) {
            a->wished = true;
            continue;
        }
        /* Each spatial layer below the top has half the width and height, nearly always; where not,
         * some publishers tell. */
        unsigned below = 2U * (m->n_sid - 1U - m->sid[d]);
        a->points[a->n++] = (struct alloc_point){
            .bps = bps,
            .pixels = told ? told : (uint32_t)e->width * e->height >> below,
            .fps_q4 = encoding_fps_q4(e, d),
            .enc = e->index,
            .dt = (uint8_t)d,
        };
    }
}

/* Loss without an estimate: encodings are left out from the largest on. */
static unsigned left_out(const struct sub *s)
{
    const struct track *t = s->track;
    unsigned out = 0;
    for (int steps = s->cap; steps > 0; steps--) {
        int top = -1;
        for (uint8_t i = 0; i < t->n_enc; i++) {
            bool is_in = (t->alive >> i & 1) && !(out >> i & 1);
            if (is_in && (top < 0 || t->enc[i].bitrate_bps > t->enc[top].bitrate_bps)) {
                top = i;
            }
        }
        unsigned with = top < 0 ? out : out | 1U << top;
        if ((t->alive & ~with) == 0) {
            break; /* the last one stays */
        }
        out = with;
    }
    return out;
}

/* The points of one section, pruned. */
static void gather(struct alloc_stream *a, struct sub *s, int64_t now_us)
{
    const struct track *t = s->track;
    a->n = 0;
    a->weight = s->wish.priority ? s->wish.priority : 1;
    a->shown_pixels = (uint32_t)s->wish.max_width * s->wish.max_height;
    a->screen = a->wished = a->dead = false;
    a->memory = &s->memory;
    unsigned out = left_out(s);
    for (int wished_only = 1; wished_only >= 0 && a->n == 0 && !s->wish.off; wished_only--) {
        for (uint8_t i = 0; i < t->n_enc; i++) {
            const struct encoding *e = &t->enc[i];
            if (!e->open || !(t->alive >> i & 1)) {
                a->dead |= e->open;
                continue;
            }
            a->screen |= e->map.screen;
            if (!(out >> i & 1)) {
                add_points(a, s, e, wished_only, now_us);
            }
        }
    }
    alloc_prune(a);
}

/* ---- what to aim at ---- */

/* What a viewer gets of the encoding (or spatial layer) it has while it waits for a cheaper one:
 * the best it can go over to at once for that money, else the least. */
static uint8_t hold_of(const struct sub *s, uint32_t bps)
{
    const struct encoding *e = s->enc;
    unsigned now = s->seg[s->seg_top].dt;
    uint8_t best = DT_NONE;
    if (now >= e->map.n_dt || encoding_cost_bps(e, now) <= bps) {
        return DT_NONE;
    }
    for (unsigned d = 0; d < e->map.n_dt; d++) {
        if (!((e->meter.in[d] >> now) & 1) || d == now) {
            continue;
        }
        uint32_t cost = encoding_cost_bps(e, d);
        uint32_t was = best == DT_NONE ? UINT32_MAX : encoding_cost_bps(e, best);
        bool fits = cost <= bps, fitted = was <= bps;
        if (best == DT_NONE || (fits && (!fitted || cost > was)) ||
            (!fits && !fitted && cost < was)) {
            best = (uint8_t)d;
        }
    }
    return best;
}

static void aim(struct sub *s, const struct alloc_stream *a)
{
    s->aim = (struct sub_aim){.enc = -1, .hold = DT_NONE, .off = s->wish.off};
    s->fleeing = false;
    s->reason = s->wish.off ? ALLOC_WISH : a->reason;
    if (a->n && a->choice == ALLOC_OFF) {
        s->aim.off = true;
    } else if (a->n) {
        const struct alloc_point *p = &a->points[a->choice];
        s->aim.enc = (int8_t)p->enc;
        s->aim.dt = p->dt;
        if (s->live && s->enc && s->enc->open) {
            s->aim.hold = hold_of(s, p->bps);
            unsigned now = s->seg[s->seg_top].dt;
            s->fleeing = s->peer->brain->active && p->enc != s->enc->index &&
                         now < s->enc->map.n_dt && encoding_cost_bps(s->enc, now) > p->bps;
        }
    }
}

/* Rate of the sources whose stored packets p is being sent, or waits for. */
static uint32_t replay_bps(const struct peer *p)
{
    uint32_t bps = 0;
    for (unsigned i = 0; i < p->n_subs; i++) {
        const struct sub *s = &p->subs[i];
        if (sub_is_catching_up(s)) {
            const struct encoding *e = s->enc ? s->enc : &s->track->enc[s->track->best];
            bps += MAX(e->bitrate_bps, (uint32_t)REPLAY_BPS_MIN);
        }
    }
    return bps;
}

/* Nothing waits, and there is nothing to choose from: only what is told of makes a difference. */
static bool is_settled(const struct peer *p)
{
    bool settled = !p->brain->bwe && !p->brain->replay_bps;
    for (unsigned i = 0; settled && i < p->n_subs; i++) {
        const struct sub *s = &p->subs[i];
        settled = !s->track || (s->live && !s->want && !s->waits_since_us && s->track->n_enc == 1 &&
                                s->enc->map.n_dt <= 1);
    }
    return settled;
}

void brain_look(struct peer *p, int64_t now_us)
{
    struct alloc_stream *streams = p->router->scratch;
    unsigned n = 0;
    bool dependent = false;
    if (!p->brain) {
        return;
    }
    for (unsigned i = 0; i < p->n_subs && n < ALLOC_STREAMS; i++) {
        if (p->subs[i].track && p->subs[i].ml->kind == MEDIA_VIDEO) {
            gather(&streams[n], &p->subs[i], now_us);
            dependent |= streams[n].n > 1;
            n++;
        }
    }
    struct alloc_budget budget;
    p->brain->replay_bps = replay_bps(p);
    brain_budget(p, dependent, &budget, now_us);
    alloc_decide(&p->brain->alloc, streams, n, &budget, now_us, &p->brain->needs);
    brain_settle(p, now_us);
    n = 0;
    for (unsigned i = 0; i < p->n_subs; i++) {
        struct sub *s = &p->subs[i];
        if (s->track && s->ml->kind == MEDIA_VIDEO && n < ALLOC_STREAMS) {
            aim(s, &streams[n++]);
        }
        sub_choose(s, now_us);
    }
    if (is_settled(p)) {
        list_remove(&p->watched);
    }
}
