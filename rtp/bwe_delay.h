/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_delay.h - do queues grow? The slope of delay over the last 20 groups of packets against a
 * threshold that adapts. Pure; memory is the caller's; role MEDIA. draft-ietf-rmcat-gcc-02 5.3-5.4
 * with the trendline filter and constants of libwebrtc's GoogCC (m125).
 *
 * Differs: sums are kept up to date in integers rather than computed anew for each group (a third
 * of the cost, and exact); and one group's contribution is limited to BWE_DELAY_STEP_US, so that a
 * change of route or one late burst cannot look like a queue that grows: a queue that grows shows
 * in every group. */
#ifndef RTP_BWE_DELAY_H
#define RTP_BWE_DELAY_H

#include "rtp/base.h"
#include "rtp/bwe.h"
#include "rtp/bwe_groups.h"

#define BWE_DELAY_GROUPS  20
#define BWE_DELAY_STEP_US (25 * US_PER_MS)

struct bwe_delay {
    /* The window: x = arrival in 1/8 ms since base_us, y = smoothed delay in 1/16 us */
    int32_t x[BWE_DELAY_GROUPS];
    int32_t y[BWE_DELAY_GROUPS];
    int64_t sum_x;
    int64_t sum_y;
    int64_t sum_xx;
    int64_t sum_xy;
    int64_t base_us;
    int64_t last_arrival_us;
    int32_t sum_delay_us; /* of all groups, each limited */
    int32_t smoothed_q4;  /* the same smoothed, 1/16 us */
    uint8_t at;           /* slot of the oldest, or of the next if not full */
    uint8_t n;            /* in the window */
    uint8_t groups;       /* seen, at most 60 */
    uint8_t over_groups;  /* in a row over the threshold */
    enum bwe_usage usage; /* the verdict */
    float trend;          /* the last one, multiplied, ms */
    float slope;          /* delay per time */
    float threshold_ms;   /* that the trend is compared with */
    int32_t over_us;      /* time of sending over the threshold */
};

/* Forgets the window; the threshold too. */
void bwe_delay_reset(struct bwe_delay *d);

/* Takes a group. Returns the verdict, also in usage. */
enum bwe_usage bwe_delay_add(struct bwe_delay *d, const struct bwe_groups_delta *g);

#endif
