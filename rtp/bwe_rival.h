/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_rival.h - somebody else fills the queue of the link, as TCP does. Pure; memory is the
 * caller's; role MEDIA.
 *
 * Not in gcc-02, whose flows give way to such a rival until next to nothing is left. A queue that
 * stays or grows although less is sent is not ours, and sending less of no use to anybody: for some
 * time the estimate is cut no lower than to what a small picture and sound need, or to a share of
 * what it was before the rival came, where that is less. What stays once may be a longer path. */
#ifndef RTP_BWE_RIVAL_H
#define RTP_BWE_RIVAL_H

#include "rtp/base.h"

/* Two drains in vain that lie no further apart are of one rival. */
#define BWE_RIVAL_AGAIN_US (10 * US_PER_S)
/* So long after the last one it is believed to be there. */
#define BWE_RIVAL_LASTS_US (15 * US_PER_S)
/* The least that is left: this share of what was before, no more than so much. */
#define BWE_RIVAL_PCT      25
#define BWE_RIVAL_MOST_BPS 450000

struct bwe_rival {
    int64_t vain_us;     /* the drain in vain that was taken for a longer path; 0 = never */
    int64_t until_us;    /* there is a rival until then */
    uint32_t before_bps; /* the estimate before the first of them */
};

/* A drain was in vain, before which the estimate was before_bps. Returns true if that is a rival's
 * doing, false if it may as well be a longer path. */
bool bwe_rival_vain(struct bwe_rival *r, uint32_t before_bps, int64_t now_us);

/* A drain, before which the estimate was before_bps, has shown a rival at once. */
void bwe_rival_seen(struct bwe_rival *r, uint32_t before_bps, int64_t now_us);

/* The least that the estimate is cut to; 0 while there is no rival. */
uint32_t bwe_rival_floor_bps(const struct bwe_rival *r, int64_t now_us);

#endif
