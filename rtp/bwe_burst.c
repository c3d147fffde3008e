/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_burst.h"

#define GAP_US    (8 * US_PER_MS) /* packets further apart are of different bursts */
#define FAST_PCT  150             /* of the estimate: a burst sent slower tells nothing */
#define BYTES     8000            /* that make a verdict */
#define STALE_US  (1500 * US_PER_MS)
#define SPAN_US   250 /* the clock of the feedback */
#define BURST_MAX (100 * US_PER_MS)

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

void bwe_burst_add(struct bwe_burst *b, int64_t sent_us, int64_t arrival_us, uint32_t size,
                   uint32_t estimate_bps)
{
    int64_t gap_us = sent_us - b->last_sent_us;
    if (b->any && gap_us >= 0 && gap_us <= GAP_US && arrival_us >= b->last_arrival_us &&
        sent_us - b->first_sent_us <= BURST_MAX) {
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
    b->any = true;
    b->bytes = 0;
    b->first_sent_us = b->last_sent_us = sent_us;
    b->first_arrival_us = b->last_arrival_us = arrival_us;
}
