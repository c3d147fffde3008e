/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_queue.h"

/* Of what delays differ by, one difference counts so much at most: a queue that fills is not noise.
 */
#define DIFFER_MAX_US (60 * US_PER_MS)
#define NOISE_GROUPS  64              /* one or two seconds */
#define NOISE_FREE_US (6 * US_PER_MS) /* what frames of different size make by themselves */
#define NOISE_TIMES   2

void bwe_queue_reset(struct bwe_queue *q)
{
    *q = (struct bwe_queue){0};
}

static void least_start(struct bwe_queue_least *l, int64_t owd_us, int64_t at_us)
{
    for (int i = 0; i < BWE_QUEUE_BEST; i++) {
        l->owd_us[i] = owd_us;
        l->at_us[i] = at_us;
    }
}

static void least_set(struct bwe_queue_least *l, int i, int64_t owd_us, int64_t at_us)
{
    for (; i < BWE_QUEUE_BEST; i++) {
        l->owd_us[i] = owd_us;
        l->at_us[i] = at_us;
    }
}

/* Drops what has left the window, and keeps the runners-up young enough to succeed. */
static void least_age(struct bwe_queue_least *l, int64_t owd_us, int64_t at_us, int64_t window_us)
{
    int64_t age = at_us - l->at_us[0];
    if (age > window_us) {
        l->owd_us[0] = l->owd_us[1];
        l->at_us[0] = l->at_us[1];
        l->owd_us[1] = l->owd_us[2];
        l->at_us[1] = l->at_us[2];
        least_set(l, 2, owd_us, at_us);
        if (at_us - l->at_us[0] > window_us) {
            l->owd_us[0] = l->owd_us[1];
            l->at_us[0] = l->at_us[1];
            least_set(l, 1, owd_us, at_us);
        }
    } else if (l->at_us[1] == l->at_us[0] && age > window_us / 4) {
        least_set(l, 1, owd_us, at_us);
    } else if (l->at_us[2] == l->at_us[1] && age > window_us / 2) {
        least_set(l, 2, owd_us, at_us);
    }
}

static void least_add(struct bwe_queue_least *l, int64_t owd_us, int64_t at_us, int64_t window_us)
{
    if (owd_us <= l->owd_us[0] || at_us - l->at_us[2] > window_us) {
        least_start(l, owd_us, at_us);
        return;
    }
    if (owd_us <= l->owd_us[1]) {
        least_set(l, 1, owd_us, at_us);
    } else if (owd_us <= l->owd_us[2]) {
        least_set(l, 2, owd_us, at_us);
    }
    least_age(l, owd_us, at_us, window_us);
}

void bwe_queue_add(struct bwe_queue *q, int64_t owd_us, int64_t arrival_us)
{
    int64_t differ_us = owd_us > q->last_owd_us ? owd_us - q->last_owd_us : q->last_owd_us - owd_us;
    q->last_us = arrival_us;
    q->last_owd_us = owd_us;
    if (!q->any) {
        q->any = true;
        least_start(&q->base, owd_us, arrival_us);
        least_start(&q->now, owd_us, arrival_us);
        return;
    }
    q->noise_us += (int32_t)(MIN(differ_us, DIFFER_MAX_US) - q->noise_us) / NOISE_GROUPS;
    least_add(&q->base, owd_us, arrival_us, BWE_QUEUE_BASE_US);
    least_add(&q->now, owd_us, arrival_us, BWE_QUEUE_NOW_US);
}

int32_t bwe_queue_us(const struct bwe_queue *q)
{
    int64_t queue_us = q->now.owd_us[0] - q->base.owd_us[0];
    return (int32_t)MAX(0, MIN(queue_us, 60 * US_PER_S));
}

int32_t bwe_queue_noise_us(const struct bwe_queue *q)
{
    int32_t noise_us = MAX(q->noise_us - NOISE_FREE_US, 0) * NOISE_TIMES;
    return MIN(noise_us, BWE_QUEUE_NOISE_US);
}

void bwe_queue_rebase(struct bwe_queue *q)
{
    least_start(&q->base, q->now.owd_us[0], q->now.at_us[0]);
    q->over = false;
}

bool bwe_queue_stands(struct bwe_queue *q, int32_t limit_us, int64_t for_us)
{
    int32_t queue_us = bwe_queue_us(q);
    if (queue_us <= limit_us || (q->over && queue_us < q->over_from_us / 3 * 2)) {
        q->over = false;
        return false;
    }
    if (!q->over) {
        q->over = true;
        q->over_since_us = q->last_us;
        q->over_from_us = queue_us;
    }
    return q->last_us - q->over_since_us >= for_us;
}
