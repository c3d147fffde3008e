/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_aimd.h - raises the estimate while nothing speaks against it, lowers it to less than what
 * arrives when queues grow. Pure; memory is the caller's; role MEDIA.
 * draft-ietf-rmcat-gcc-02 5.5: beta .85, 8 % a second far from the last capacity seen, half a
 * packet per response time near it.
 *
 * Differs: what arrives is measured over 150 ms rather than smoothed when it is the base of a cut,
 * so that one cut suffices; and the estimate grows to BWE_AIMD_AHEAD_PCT of what arrives, not to
 * 150 %: a viewer gets layers in steps and probes prove the next one, so a wide margin would only
 * be a guess that the allocator takes for a measurement. */
#ifndef RTP_BWE_AIMD_H
#define RTP_BWE_AIMD_H

#include "rtp/base.h"

#define BWE_AIMD_BETA_PCT 85
/* Instead, when hardly a queue is seen yet. Nearer to 100 the larger of two flows never gives way.
 */
#define BWE_AIMD_BETA_SHORT_PCT 88
#define BWE_AIMD_AHEAD_PCT      125

struct bwe_aimd {
    uint32_t bps;         /* the estimate */
    int64_t updated_us;   /* until when growth is counted in */
    int64_t decreased_us; /* the last cut; INT64_MIN / 2 = never */
    float capacity_kbps;  /* mean of what arrived at cuts; 0 = not known */
    float capacity_var;   /* its variance, divided by the mean */
};

/* What growth depends on. */
struct bwe_aimd_in {
    uint32_t acked_bps; /* smoothed; 0 = not known */
    uint32_t rtt_us;
    int32_t queue_us;
    int64_t now_us;
    bool may_grow; /* feedback flows, no queue, and the application sends what it may */
};

/* Starts with the estimate bps and no memory of capacity. */
void bwe_aimd_init(struct bwe_aimd *a, uint32_t bps, int64_t now_us);

/* Queues grow: cuts the estimate below acked_bps (0: not known), the rate that arrives at present.
 * Does nothing sooner than a round trip and 100 ms after the cut before, unless less than half of
 * the estimate arrives. Returns true if it cut. */
bool bwe_aimd_overuse(struct bwe_aimd *a, uint32_t acked_bps, const struct bwe_aimd_in *in);

/* Lets the estimate grow for the time since the last call. Returns true when it has outgrown the
 * capacity that was remembered: the link carries more than it did. */
bool bwe_aimd_grow(struct bwe_aimd *a, const struct bwe_aimd_in *in);

/* The estimate is bps by other evidence. */
void bwe_aimd_set(struct bwe_aimd *a, uint32_t bps, int64_t now_us);

#endif
