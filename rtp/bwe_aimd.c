/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_aimd.h"
#include <math.h>

#define NEVER         (INT64_MIN / 2)
#define GROW_PCT      8     /* a second, far from the capacity */
#define GROW_MIN_BPS  40000 /* for all alike, so that flows become equal */
#define AHEAD_BPS     10000
#define PACE_US       (100 * US_PER_MS) /* the detector's share of the response time */
#define GAP_MAX_US    (500 * US_PER_MS) /* growth is not caught up after a longer gap */
#define QUEUE_LONG_US (75 * US_PER_MS)
#define PACKET_BITS   9600
#define FRAMES_HZ     30
/* Memory of capacity, in libwebrtc's units: kbps. */
#define MEAN_WEIGHT 0.05f
#define VAR_MIN     0.4f
#define VAR_MAX     2.5f

void bwe_aimd_init(struct bwe_aimd *a, uint32_t bps, int64_t now_us)
{
    *a = (struct bwe_aimd){
        .bps = bps, .updated_us = now_us, .decreased_us = NEVER, .capacity_var = VAR_MIN};
}

/* Three standard deviations of the capacity, kbps. */
static float spread_kbps(const struct bwe_aimd *a)
{
    return 3 * sqrtf(a->capacity_var * a->capacity_kbps);
}

static void remember(struct bwe_aimd *a, uint32_t acked_bps)
{
    float kbps = (float)acked_bps / 1000;
    if (a->capacity_kbps == 0 || fabsf(kbps - a->capacity_kbps) > spread_kbps(a)) {
        a->capacity_kbps = kbps; // another capacity than before
        return;
    }
    a->capacity_kbps += MEAN_WEIGHT * (kbps - a->capacity_kbps);
    float error = a->capacity_kbps - kbps;
    float norm = MAX(a->capacity_kbps, 1);
    a->capacity_var += MEAN_WEIGHT * (error * error / norm - a->capacity_var);
    a->capacity_var = MAX(VAR_MIN, MIN(VAR_MAX, a->capacity_var));
}

/* By how much to cut. The drain empties the queue, so the cut need not. */
static uint32_t beta_pct(int32_t queue_us)
{
    if (queue_us >= QUEUE_LONG_US) {
        return BWE_AIMD_BETA_PCT;
    }
    return BWE_AIMD_BETA_PCT + (BWE_AIMD_BETA_SHORT_PCT - BWE_AIMD_BETA_PCT) *
                                   (uint32_t)(QUEUE_LONG_US - queue_us) / QUEUE_LONG_US;
}

bool bwe_aimd_overuse(struct bwe_aimd *a, uint32_t acked_bps, const struct bwe_aimd_in *in)
{
    int64_t now_us = in->now_us;
    bool soon = now_us - a->decreased_us < (int64_t)in->rtt_us + PACE_US;
    if (soon && (acked_bps == 0 || acked_bps >= a->bps / 2)) {
        return false;
    }
    uint64_t base = acked_bps ? acked_bps : a->bps;
    uint32_t bps = (uint32_t)(base * beta_pct(in->queue_us) / 100);
    if (acked_bps) {
        remember(a, acked_bps);
    }
    a->updated_us = now_us;
    a->decreased_us = now_us;
    if (bps >= a->bps) {
        return false; // a burst above the estimate made the queue: the estimate is not to blame
    }
    a->bps = bps;
    return true;
}

/* Half a packet of a typical frame per response time. */
static uint64_t near_step_bps(const struct bwe_aimd *a, uint32_t rtt_us)
{
    uint64_t frame_bits = a->bps / FRAMES_HZ;
    uint64_t packets = frame_bits / PACKET_BITS + 1;
    uint64_t step = frame_bits / packets * US_PER_S / (2 * ((uint64_t)rtt_us + PACE_US));
    return MAX(step, GROW_MIN_BPS);
}

bool bwe_aimd_grow(struct bwe_aimd *a, const struct bwe_aimd_in *in)
{
    int64_t dt_us = MIN(in->now_us - a->updated_us, GAP_MAX_US);
    a->updated_us = in->now_us;
    uint64_t limit = (uint64_t)in->acked_bps * BWE_AIMD_AHEAD_PCT / 100 + AHEAD_BPS;
    if (!in->may_grow || dt_us <= 0 || in->acked_bps == 0 || a->bps >= limit) {
        return false;
    }
    float kbps = (float)a->bps / 1000;
    bool outgrown = a->capacity_kbps > 0 && kbps > a->capacity_kbps + spread_kbps(a);
    if (outgrown) {
        a->capacity_kbps = 0; // well beyond it, so it no longer holds
    }
    bool near = a->capacity_kbps > 0 && kbps > a->capacity_kbps - spread_kbps(a);
    uint64_t per_s = near ? near_step_bps(a, in->rtt_us) : (uint64_t)a->bps * GROW_PCT / 100;
    uint64_t bps = a->bps + MAX(per_s, GROW_MIN_BPS) * (uint64_t)dt_us / US_PER_S;
    a->bps = (uint32_t)MIN(MIN(bps, limit), UINT32_MAX);
    return outgrown;
}

void bwe_aimd_set(struct bwe_aimd *a, uint32_t bps, int64_t now_us)
{
    a->bps = bps;
    a->updated_us = now_us;
}
