/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_drain.h - after a cut the queue that made it necessary still stands: sends less for a moment
 * until it is gone. Pure; memory is the caller's; role MEDIA.
 *
 * Not in gcc-02, which leaves the queue to the 15 % that a cut goes below capacity: 300 ms of
 * queue then take 2 s. The rate while draining is what empties the queue in BWE_DRAIN_US, but not
 * below BWE_DRAIN_FLOOR_PCT of the estimate. It is an experiment as well: a delay that stays
 * although less is sent is no queue but a longer path. */
#ifndef RTP_BWE_DRAIN_H
#define RTP_BWE_DRAIN_H

#include "rtp/base.h"

#define BWE_DRAIN_US        (400 * US_PER_MS)
#define BWE_DRAIN_FLOOR_PCT 40
/* A queue not longer than this is left alone, and ends a drain. */
#define BWE_DRAIN_ENOUGH_US (15 * US_PER_MS)

struct bwe_drain {
    bool on;
    int64_t begun_us;
    int64_t since_us;     /* the time of the longest queue */
    int32_t from_us;      /* which was that */
    int32_t least_us;     /* the shortest since */
    uint32_t link_bps;    /* what arrived while the queue stood: what the link carries */
    uint32_t before_bps;  /* the estimate before the cut that began it */
    uint64_t sent_bytes;  /* by since_us */
    uint64_t began_bytes; /* by begun_us */
};

enum bwe_drain_end {
    BWE_DRAIN_GOING, /* or none going */
    BWE_DRAIN_DONE,  /* the queue is gone, or time is up */
    BWE_DRAIN_RIVAL, /* less was sent and the queue grew: somebody else fills it */
    BWE_DRAIN_PATH,  /* less was sent and the delay stayed: it belongs to the path */
};

/* Facts a drain depends on. */
struct bwe_drain_in {
    int32_t queue_us;
    uint32_t rtt_us;
    uint64_t sent_bytes;   /* in all */
    uint32_t estimate_bps; /* the drain apart */
    int64_t now_us;
};

/* Begins to drain, or goes on if it does already. link_bps and before_bps as above. */
void bwe_drain_start(struct bwe_drain *d, const struct bwe_drain_in *in, uint32_t link_bps,
                     uint32_t before_bps);

/* Looks at the queue; after any but GOING the drain is over. */
enum bwe_drain_end bwe_drain_update(struct bwe_drain *d, const struct bwe_drain_in *in);

/* What may be sent at present, given the estimate. */
uint32_t bwe_drain_bps(const struct bwe_drain *d, uint32_t bps, int32_t queue_us);

#endif
