/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.h - fetches what the next viewers' packets will touch while those of this one are sealed.
 * With hundreds of viewers nothing of one has stayed near since its last packet, and forty lines of
 * the cache that are waited for one by one cost more than sealing. A viewer is fetched in steps,
 * a visit apart, because what one step fetches holds the pointers that the next one follows.
 * Changes nothing. On the packet path; role MEDIA. */
#ifndef SFU_AHEAD_H
#define SFU_AHEAD_H

#include "rtp/list.h"
#include "rtp/prefetch.h"
#include "sfu/brain.h"
#include "sfu/peer.h"
#include "sfu/sub.h"

#define AHEAD_STEPS 4
#define AHEAD_AUDIO 128 /* bytes of a packet, nearly always */

/* How far each step has come on a list of peers. Good while no peer is freed. */
struct ahead {
    size_t node; /* offset in struct peer of what is in the list */
    const struct list *end;
    const struct list *at[AHEAD_STEPS];
};

/* The first step: the viewer itself. The second: its sections, as far as they say what they owe,
 * and what all of them share. The third: what the packets of those that owe something need. The
 * fourth: where the estimator notes them. */
static inline void ahead_fetch_peer(const struct peer *p, unsigned step)
{
    size_t largest = 0;
    if (step == 0) {
        prefetch_bytes(p, offsetof(struct peer, link));
        return;
    }
    if (step == 3) {
        bwe_prefetch_sent(p->brain ? p->brain->bwe : NULL);
        return;
    }
    for (unsigned i = 0; i < p->n_subs; i++) {
        const struct sub *s = &p->subs[i];
        if (step == 1) {
            prefetch_bytes(s, offsetof(struct sub, packets));
        } else if (sub_owes(s)) {
            prefetch_bytes(&s->packets, offsetof(struct sub, seg) - offsetof(struct sub, packets));
            prefetch_bytes(&s->seg[s->seg_top], sizeof(s->seg[0]));
            prefetch_bytes(&s->ml->ext, sizeof(s->ml->ext));
            prefetch_bytes(s->ml->ssrcs, sizeof(s->ml->ssrcs[0]));
            seal_stream_prefetch(s->ss);
            largest = MAX(largest, s->ml->kind == MEDIA_VIDEO ? RTP_PACKET_MAX : AHEAD_AUDIO);
        }
    }
    if (step == 1) {
        prefetch_bytes(p->seal, PREFETCH_LINE);
        prefetch_bytes(p->brain, PREFETCH_LINE);
    } else {
        seal_prefetch(p->seal, largest);
        if (p->brain) {
            prefetch_bytes(p->brain->bwe, PREFETCH_LINE);
        }
    }
}

/* Each step goes one peer on: called once a visit, before it. */
static inline void ahead_next(struct ahead *a, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        if (a->at[i] != a->end) {
            ahead_fetch_peer((const struct peer *)((const char *)a->at[i] - a->node), i);
            a->at[i] = a->at[i]->next;
        }
    }
}

/* Visits to the peers of a list are about to begin; node: offset in struct peer. */
static inline void ahead_begin(struct ahead *a, const struct list *peers, size_t node)
{
    a->node = node;
    a->end = peers;
    for (unsigned i = 0; i < AHEAD_STEPS; i++) {
        a->at[i] = peers->next;
    }
    for (unsigned k = 0; k < AHEAD_STEPS; k++) {
        ahead_next(a, k + 1);
    }
}

#endif
