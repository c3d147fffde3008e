/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_acked.h - the rate at which a receiver's packets arrive, by its own clock: over the last
 * 150 ms for decisions in a hurry, smoothed for the rest. Pure; memory is the caller's; role MEDIA.
 *
 * Differs from libwebrtc's estimator: a hole in the feedback is left out of the time, not counted
 * as nothing received (or lost feedback would read as lost capacity); so is a pause in which
 * nothing arrived at all, an outage or a silent source. */
#ifndef RTP_BWE_ACKED_H
#define RTP_BWE_ACKED_H

#include "rtp/base.h"

#define BWE_ACKED_BIN_US    (25 * US_PER_MS)
#define BWE_ACKED_BINS      16
#define BWE_ACKED_WINDOW    6 /* bins: 150 ms */
#define BWE_ACKED_PAUSE_US  (150 * US_PER_MS)
#define BWE_ACKED_ENOUGH_US (75 * US_PER_MS)

struct bwe_acked {
    uint32_t bytes[BWE_ACKED_BINS];   /* by bin modulo their number */
    uint32_t sent_us[BWE_ACKED_BINS]; /* when the newest packet up to this bin left, low 32 bits */
    int64_t head;                     /* newest bin: arrival / BWE_ACKED_BIN_US */
    int64_t since_us;                 /* arrivals are complete from here on */
    int64_t last_us;                  /* newest arrival */
    int64_t sampled_us;               /* until where smooth_bps looks */
    uint32_t first_sent_us;           /* low 32 bits of the time the packet at since_us left */
    uint32_t first_bytes;             /* of the packet at since_us: its time is not in the window */
    uint32_t smooth_bps;              /* 0 = not known */
    bool fresh;                       /* the next packet starts a window */
};

/* Forgets everything. */
void bwe_acked_reset(struct bwe_acked *a);

/* Feedback about packets before the next one is missing. */
void bwe_acked_hole(struct bwe_acked *a);

/* Notes an arrived packet. One that is older than all bins is ignored. */
void bwe_acked_add(struct bwe_acked *a, int64_t sent_us, int64_t arrival_us, uint32_t size);

/* The rate over the last 150 ms, or less since a hole; 0 if that is not long enough to tell. */
uint32_t bwe_acked_recent_bps(const struct bwe_acked *a);

/* How much longer the packets of that window took to arrive than to be sent, in 1/256: 256 = the
 * link kept up. 256 if that is not known. */
uint32_t bwe_acked_stretch_q8(const struct bwe_acked *a);

#endif
