/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_delay.h"

#define SMOOTHING      10 /* 1 / (1 - .9) */
#define GAIN           4.0f
#define GROUPS_MAX     60
#define THRESHOLD_MS   12.5f
#define THRESHOLD_MIN  6.0f
#define THRESHOLD_MAX  600.0f
#define THRESHOLD_SKIP 15.0f /* so far beyond the threshold is an event, not the link's nature */
#define K_UP           0.0087f
#define K_DOWN         0.039f
#define ADAPT_MAX_MS   100.0f
#define OVER_US        (10 * US_PER_MS)
/* Rebase before x leaves its range; 2^20 eighths of a ms are 131 s. */
#define X_MAX (1 << 20)
#define X_US  125
/* Delays are held within 2^25 us, so that 16ths fit and no sum overflows: 20 * 2^29 * 2^20. Clocks
 * that drift apart get there in days; the window is begun anew then. */
#define DELAY_MAX_US (1 << 25)
/* Less than the draft's full window, so that the first second is not blind. */
#define GROUPS_LEAST 10

void bwe_delay_reset(struct bwe_delay *d)
{
    *d = (struct bwe_delay){.threshold_ms = THRESHOLD_MS, .usage = BWE_NORMAL};
}

static void sums_add(struct bwe_delay *d, int64_t x, int64_t y, int64_t sign)
{
    d->sum_x += sign * x;
    d->sum_y += sign * y;
    d->sum_xx += sign * x * x;
    d->sum_xy += sign * x * y;
}

/* Makes the oldest of the window the origin of time. */
static void rebase(struct bwe_delay *d)
{
    int32_t shift = d->x[d->n == BWE_DELAY_GROUPS ? d->at : 0];
    d->base_us += (int64_t)shift * X_US;
    d->sum_x = d->sum_y = d->sum_xx = d->sum_xy = 0;
    for (int i = 0; i < d->n; i++) {
        d->x[i] -= shift;
        sums_add(d, d->x[i], d->y[i], 1);
    }
}

static void window_clear(struct bwe_delay *d)
{
    d->n = d->at = 0;
    d->sum_x = d->sum_y = d->sum_xx = d->sum_xy = 0;
}

/* Puts a point into the window. Returns false if it lies so far from the others that the window
 * was begun anew. */
static bool window_add(struct bwe_delay *d, int64_t arrival_us, int32_t y)
{
    if (d->n && (arrival_us - d->base_us) / X_US >= X_MAX) {
        rebase(d);
    }
    int64_t x = (arrival_us - d->base_us) / X_US;
    bool far = x < 0 || x >= X_MAX;
    if (d->n == 0 || far) {
        window_clear(d);
        d->base_us = arrival_us;
        x = 0;
    }
    if (d->n == BWE_DELAY_GROUPS) {
        sums_add(d, d->x[d->at], d->y[d->at], -1);
    } else {
        d->n++;
    }
    d->x[d->at] = (int32_t)x;
    d->y[d->at] = y;
    d->at = (uint8_t)(d->at + 1 == BWE_DELAY_GROUPS ? 0 : d->at + 1);
    sums_add(d, x, y, 1);
    return !far;
}

/* Least squares over the window: delay per time, without unit. */
static float slope(const struct bwe_delay *d)
{
    int64_t den = d->n * d->sum_xx - d->sum_x * d->sum_x;
    if (den == 0) {
        return 0;
    }
    int64_t num = d->n * d->sum_xy - d->sum_x * d->sum_y;
    return (float)num / (float)den / (16 * X_US);
}

static void adapt(struct bwe_delay *d, float trend_abs, float dt_ms)
{
    if (trend_abs > d->threshold_ms + THRESHOLD_SKIP) {
        return;
    }
    float k = trend_abs < d->threshold_ms ? K_DOWN : K_UP;
    d->threshold_ms += k * (trend_abs - d->threshold_ms) * MIN(dt_ms, ADAPT_MAX_MS);
    d->threshold_ms = MAX(THRESHOLD_MIN, MIN(THRESHOLD_MAX, d->threshold_ms));
}

/* The detector of the draft: over the threshold for more than 10 ms, in more than one group, and
 * not falling. */
static void detect(struct bwe_delay *d, int64_t sent_us, float dt_ms)
{
    float before = d->trend;
    d->slope = slope(d);
    d->trend = (float)d->groups * d->slope * GAIN;
    if (d->trend > d->threshold_ms) {
        int64_t step = d->over_groups ? sent_us : sent_us / 2;
        d->over_us = (int32_t)MIN(d->over_us + step, US_PER_S);
        d->over_groups = (uint8_t)MIN(d->over_groups + 1, UINT8_MAX);
        if (d->over_us > OVER_US && d->over_groups > 1 && d->trend >= before) {
            d->over_us = 0;
            d->over_groups = 1; // the next one counts in full
            d->usage = BWE_OVERUSE;
        } else if (d->trend < before) {
            d->usage = BWE_NORMAL; // still in the window, but no longer growing faster
        }
    } else {
        d->over_us = 0;
        d->over_groups = 0;
        d->usage = d->trend < -d->threshold_ms ? BWE_UNDERUSE : BWE_NORMAL;
    }
    adapt(d, d->trend < 0 ? -d->trend : d->trend, dt_ms);
}

enum bwe_usage bwe_delay_add(struct bwe_delay *d, const struct bwe_groups_delta *g)
{
    int64_t later = g->arrived_us - g->sent_us;
    later = MAX(-BWE_DELAY_STEP_US, MIN(BWE_DELAY_STEP_US, later));
    d->sum_delay_us += (int32_t)later;
    if (d->sum_delay_us > DELAY_MAX_US || d->sum_delay_us < -DELAY_MAX_US) {
        window_clear(d);
        d->sum_delay_us = d->smoothed_q4 = 0;
    }
    d->smoothed_q4 += (d->sum_delay_us * 16 - d->smoothed_q4) / SMOOTHING;
    d->groups = (uint8_t)MIN(d->groups + 1, GROUPS_MAX);
    float dt_ms = d->groups > 1 ? (float)(g->arrival_us - d->last_arrival_us) / US_PER_MS : 0;
    d->last_arrival_us = g->arrival_us;
    if (!window_add(d, g->arrival_us, d->smoothed_q4)) {
        d->usage = BWE_NORMAL;
        return d->usage;
    }
    if (d->n >= GROUPS_LEAST) {
        detect(d, g->sent_us, MAX(dt_ms, 0));
    }
    return d->usage;
}
