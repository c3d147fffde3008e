/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_surge.h - a link that becomes much narrower at once: its queue fills within 200 ms, before
 * the trend of groups shows it. Pure; memory is the caller's; role MEDIA.
 *
 * Not in gcc-02. Looks at packets rather than groups: a run in which delay rises, over five packets
 * or more, by 40 ms and what the burst of a frame takes at the estimated rate. One big step is not
 * enough, since a longer path looks like that. While delay rises fast, a fall by a third of what it
 * has risen ends no run. */
#ifndef RTP_BWE_SURGE_H
#define RTP_BWE_SURGE_H

#include "rtp/base.h"

struct bwe_surge {
    int64_t sent_us;    /* of the last packet */
    int64_t arrival_us; /* same */
    int64_t from_us;    /* arrival of the first packet of the run */
    int32_t rise_us;    /* of the delay since */
    int32_t most_us;    /* the greatest rise from one packet to the next */
    uint32_t bytes;     /* arrived in the run, without its first packet */
    uint8_t rises;      /* packets that were later than the one before, at most 255 */
    int32_t limit_us;   /* a rise that is a surge; the caller's */
    bool any;
};

/* Takes an arrived packet; one that overtook the last one is ignored. Returns the rate at which the
 * link passed on the run when that is a surge, else 0. */
uint32_t bwe_surge_add(struct bwe_surge *s, int64_t sent_us, int64_t arrival_us, uint32_t size);

/* Sets what is a surge when the link is believed to carry bps, and jitter to make noise_us. */
void bwe_surge_expect(struct bwe_surge *s, uint32_t bps, int32_t noise_us);

/* By how much the run has made packets later, us, if it is a surge at present; else 0. */
int32_t bwe_surge_us(const struct bwe_surge *s);

/* Forgets everything. */
void bwe_surge_reset(struct bwe_surge *s);

#endif
