/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_queue.h - how long packets wait in the network: their one-way delay above the least seen in
 * 10 s. Pure; memory is the caller's; role MEDIA.
 *
 * Not in gcc-02, whose delay gradient does not see a queue that stands. The present delay is the
 * least of the last 100 ms of arrivals, so that jitter does not look like a queue. */
#ifndef RTP_BWE_QUEUE_H
#define RTP_BWE_QUEUE_H

#include "rtp/base.h"

#define BWE_QUEUE_BASE_US (10 * US_PER_S)
#define BWE_QUEUE_NOW_US  (100 * US_PER_MS)
#define BWE_QUEUE_BEST    3
/* Jitter is taken off what looks like a queue, but no more than this. */
#define BWE_QUEUE_NOISE_US (40 * US_PER_MS)

/* The least of a sliding window, kept as its best three samples in falling age (K. Nichols). */
struct bwe_queue_least {
    int64_t at_us[BWE_QUEUE_BEST];
    int64_t owd_us[BWE_QUEUE_BEST];
};

struct bwe_queue {
    struct bwe_queue_least base;
    struct bwe_queue_least now;
    int64_t last_us;     /* newest arrival */
    int64_t last_owd_us; /* its delay */
    int32_t noise_us;    /* by how much delays differ from one group to the next, smoothed */
    bool any;
    int64_t over_since_us; /* arrival time; since when the queue has been over the limit; valid if
                              over */
    int32_t over_from_us;  /* the queue then */
    bool over;
};

/* Forgets everything: the receiver's clock has jumped. */
void bwe_queue_reset(struct bwe_queue *q);

/* Takes the least one-way delay of a group and the time of its arrival. */
void bwe_queue_add(struct bwe_queue *q, int64_t owd_us, int64_t arrival_us);

/* The queue, us; 0 if nothing is known. */
int32_t bwe_queue_us(const struct bwe_queue *q);

/* How much of a queue, in us, jitter may feign at most times: less than that says nothing. */
int32_t bwe_queue_noise_us(const struct bwe_queue *q);

/* The path itself has become longer: what is the least at present is the base from now on. */
void bwe_queue_rebase(struct bwe_queue *q);

/* Has the queue been longer than limit_us for for_us of arrival time, and not shrunk by a third
 * since? To be asked after every bwe_queue_add. */
bool bwe_queue_stands(struct bwe_queue *q, int32_t limit_us, int64_t for_us);

#endif
