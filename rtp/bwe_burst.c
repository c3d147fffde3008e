/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_burst.h"

#define GAP_US      (8 * US_PER_MS) /* packets further apart are of different bursts */
#define FAST_PCT    150             /* of the estimate: a burst sent slower tells nothing */
#define BYTES       8000            /* that make a verdict */
#define STALE_US    (1500 * US_PER_MS)
#define SPAN_US     250 /* the clock of the feedback */
#define BURST_MAX   (100 * US_PER_MS)
#define TOGETHER_US 100  /* packets no further apart leave together */
#define TRAIN_BYTES 4000 /* that make a rate */

void bwe_burst_reset(struct bwe_burst *b)
{
    *b = (struct bwe_burst){0};
}

static bool is_faster(uint32_t bytes, int64_t us, uint32_t bps, unsigned pct)
{
    return (uint64_t)bytes * 8 * US_PER_S * 100 >= (uint64_t)us * bps * pct;
}

/* Closes the burst, and the verdict when enough has been gathered. */
static void finish(struct bwe_burst *b, uint32_t estimate_bps)
{
    int64_t sent_us = b->last_sent_us - b->first_sent_us;
    int64_t arrived_us = MAX(b->last_arrival_us - b->first_arrival_us, SPAN_US);
    if (b->bytes == 0 || !is_faster(b->bytes, sent_us, estimate_bps, FAST_PCT)) {
        return;
    }
    if (b->sum_bytes == 0) {
        b->since_us = b->first_arrival_us;
    }
    b->sum_bytes += b->bytes;
    b->sum_arrived_us += arrived_us;
    if (b->sum_bytes < BYTES) {
        return;
    }
    bool open = is_faster(b->sum_bytes, b->sum_arrived_us, estimate_bps, BWE_BURST_OPEN_PCT);
    b->verdict = open ? BWE_BURST_OPEN : BWE_BURST_CLOSED;
    b->verdict_us = b->last_arrival_us;
    b->sum_bytes = 0;
    b->sum_arrived_us = 0;
}

/* A packet has arrived so long after the one that it left together with. */
static void add_to_train(struct bwe_burst *b, uint32_t size, int64_t after_us, int64_t arrival_us)
{
    b->train_bytes += size;
    b->train_arrived_us += after_us;
    if (b->train_bytes >= TRAIN_BYTES) {
        uint64_t bits = b->train_bytes * 8ULL;
        uint64_t bps = bits * US_PER_S / (uint64_t)MAX(b->train_arrived_us, SPAN_US);
        b->train_bps[1] = b->train_bps[0];
        b->train_bps[0] = (uint32_t)MIN(bps, UINT32_MAX);
        b->train_us = arrival_us;
        b->train_bytes = 0;
        b->train_arrived_us = 0;
    }
}

void bwe_burst_add(struct bwe_burst *b, int64_t sent_us, int64_t arrival_us, uint32_t size,
                   uint32_t estimate_bps)
{
    int64_t gap_us = sent_us - b->last_sent_us;
    if (b->any && gap_us >= 0 && gap_us <= GAP_US && arrival_us >= b->last_arrival_us &&
        sent_us - b->first_sent_us <= BURST_MAX) {
        if (gap_us <= TOGETHER_US) {
            add_to_train(b, size, arrival_us - b->last_arrival_us, arrival_us);
        }
        b->bytes += size;
        b->last_sent_us = sent_us;
        b->last_arrival_us = arrival_us;
        return;
    }
    if (b->any) {
        finish(b, estimate_bps);
    }
    bool stale = b->sum_bytes && arrival_us - b->since_us > STALE_US;
    if (stale || arrival_us < b->since_us) {
        b->sum_bytes = 0;
        b->sum_arrived_us = 0;
    }
    if (arrival_us - b->verdict_us > STALE_US || arrival_us < b->verdict_us) {
        b->verdict = BWE_BURST_MUTE;
    }
    if (arrival_us - b->train_us > STALE_US || arrival_us < b->train_us) {
        b->train_bps[0] = b->train_bps[1] = 0;
    }
    b->any = true;
    b->bytes = 0;
    b->first_sent_us = b->last_sent_us = sent_us;
    b->first_arrival_us = b->last_arrival_us = arrival_us;
}
