/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_burst.h - what the bursts in which frames are sent anyway say about the link. Pure; memory is
 * the caller's; role MEDIA.
 *
 * Not in gcc-02. A frame leaves at a multiple of the mean rate, since encoders and pacers send
 * their packets together. It arrives at that rate if the link carries so much, else spread to what
 * the link carries. So the media itself shows, for nothing, whether a probe is worth while: a link
 * that has opened is probed at once, one that has not is not probed every two seconds. Only the
 * decision to probe hangs on it, and how fast a key frame may leave (bwe_burst_train_bps), never
 * the estimate: radio links bunch packets. */
#ifndef RTP_BWE_BURST_H
#define RTP_BWE_BURST_H

#include "rtp/base.h"

/* Bursts that arrive at this rate, of the estimate, show that there is room. */
#define BWE_BURST_OPEN_PCT 135

enum bwe_burst_verdict {
    BWE_BURST_MUTE,   /* nothing was sent fast enough to tell */
    BWE_BURST_CLOSED, /* bursts arrive spread: the link carries little more than the estimate */
    BWE_BURST_OPEN,   /* bursts arrive as fast as they were sent */
};

struct bwe_burst {
    /* the burst being gathered; all but its first packet */
    int64_t first_sent_us;
    int64_t last_sent_us;
    int64_t first_arrival_us;
    int64_t last_arrival_us;
    uint32_t bytes;
    bool any;
    /* of bursts that were sent faster than the link may carry */
    uint32_t sum_bytes;
    int64_t sum_arrived_us;
    int64_t since_us; /* arrival of the first */
    enum bwe_burst_verdict verdict;
    int64_t verdict_us; /* arrival time of it */
    /* of packets that left together, each train's first apart */
    uint32_t train_bytes;
    int64_t train_arrived_us;
    uint32_t train_bps[2]; /* of the last two sums of so many bytes; 0 = there is none */
    int64_t train_us;      /* arrival time of the last one */
};

/* Takes an arrived packet. estimate_bps is what bursts are compared with. */
void bwe_burst_add(struct bwe_burst *b, int64_t sent_us, int64_t arrival_us, uint32_t size,
                   uint32_t estimate_bps);

/* The rate at which packets that left together have arrived lately, the least of what was seen; 0 =
 * not known. No less than the link's, but for bunches. */
static inline uint32_t bwe_burst_train_bps(const struct bwe_burst *b)
{
    return MIN(b->train_bps[0], b->train_bps[1]);
}

/* Forgets everything. */
void bwe_burst_reset(struct bwe_burst *b);

#endif
