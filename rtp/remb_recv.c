/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/remb_recv.h"

#define GROWTH_BPS    300000
#define LOSS_LOW_PCT  2
#define LOSS_HIGH_PCT 10
/* Fewer packets a second than this say nothing about loss. */
#define EXPECTED_MIN 10

void remb_recv_init(struct remb_recv *r, int64_t floor_bps, int64_t cap_bps)
{
    assert(floor_bps > 0 && floor_bps <= cap_bps);
    *r = (struct remb_recv){
        .floor_bps = floor_bps,
        .cap_bps = cap_bps,
        .bps = MAX(floor_bps, MIN(cap_bps, REMB_RECV_START_BPS)),
    };
}

void remb_recv_on_packet(struct remb_recv *r, size_t bytes, int64_t now_us)
{
    if (!r->started) {
        r->started = true;
        r->next_sample_us = now_us; // the first poll tells the start value
    }
    r->bytes += bytes;
}

int64_t remb_recv_next_deadline(const struct remb_recv *r)
{
    return r->started ? r->next_sample_us : INT64_MAX;
}

/* The rule in the header. */
static int64_t estimate(const struct remb_recv *r, int64_t rate_bps, int64_t expected, int64_t lost)
{
    int64_t bps = rate_bps + rate_bps / 2 + GROWTH_BPS;
    if (expected >= EXPECTED_MIN && lost * 100 > expected * LOSS_HIGH_PCT) {
        bps = rate_bps - rate_bps * MIN(lost, expected) / (2 * expected);
    } else if (expected >= EXPECTED_MIN && lost * 100 >= expected * LOSS_LOW_PCT) {
        bps = MIN(r->bps, bps);
    }
    return MAX(r->floor_bps, MIN(r->cap_bps, bps));
}

/* Takes a sample. Returns the new estimate; 0 if nothing arrived; the old one while the window is
 * not full. */
static int64_t sample(struct remb_recv *r, int64_t now_us, uint64_t expected, int64_t lost)
{
    unsigned i = r->n_samples++ % REMB_RECV_SAMPLES;
    int64_t span_us = now_us - r->samples[i].at_us;
    int64_t bytes = (int64_t)(r->bytes - r->samples[i].bytes);
    int64_t d_expected = (int64_t)(expected - r->samples[i].expected);
    int64_t d_lost = lost - r->samples[i].lost;
    r->samples[i].at_us = now_us;
    r->samples[i].bytes = r->bytes;
    r->samples[i].expected = expected;
    r->samples[i].lost = lost;
    if (r->n_samples <= REMB_RECV_SAMPLES) {
        return r->bps;
    }
    return bytes ? estimate(r, bytes * 8 * US_PER_S / span_us, d_expected, d_lost) : 0;
}

int64_t remb_recv_poll(struct remb_recv *r, int64_t now_us, uint64_t expected, int64_t lost)
{
    if (now_us < remb_recv_next_deadline(r)) {
        return 0;
    }
    r->next_sample_us = now_us + REMB_RECV_STEP_US;
    int64_t bps = sample(r, now_us, expected, lost);
    bool due = !r->told || now_us - r->told_us >= REMB_RECV_INTERVAL_US || bps < r->bps * 95 / 100;
    if (bps == 0 || !due) {
        return 0;
    }
    r->bps = bps;
    r->told = true;
    r->told_us = now_us;
    return bps;
}
