/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_drain.h"

#define TRIAL_US  (500 * US_PER_MS)
#define GIVEUP_US (3 * US_PER_S)
/* A queue that goes on growing for so long beyond a round trip, although no more than this share of
 * what the link carries is sent, is somebody else's. */
#define GROWN_US  (250 * US_PER_MS)
#define GROWN_PCT 80
/* Once no more is left of the estimate: until then giving way may yet help. */
#define GAVE_BPS 800000
/* Less than this share of what the link carries must have been sent for the trial to count. */
#define OBEYED_PCT 85

void bwe_drain_start(struct bwe_drain *d, const struct bwe_drain_in *in, uint32_t link_bps,
                     uint32_t before_bps)
{
    if (d->on) {
        d->link_bps = link_bps;
        return;
    }
    if (in->queue_us <= BWE_DRAIN_ENOUGH_US) {
        return;
    }
    *d = (struct bwe_drain){
        .on = true,
        .begun_us = in->now_us,
        .since_us = in->now_us,
        .from_us = in->queue_us,
        .began_bytes = in->sent_bytes,
        .least_us = in->queue_us,
        .link_bps = link_bps,
        .before_bps = before_bps,
        .sent_bytes = in->sent_bytes,
    };
}

/* Has the queue shrunk by less than a third of what sending less should have taken off? */
static bool is_path(const struct bwe_drain *d, const struct bwe_drain_in *in)
{
    int64_t took_us = in->now_us - d->since_us;
    int64_t seen_us = took_us - in->rtt_us; // what is known now was sent a round trip ago
    if (seen_us < TRIAL_US || d->link_bps == 0) {
        return false;
    }
    uint64_t bytes = in->sent_bytes - d->sent_bytes;
    uint64_t sent_bps = bytes * 8 * US_PER_S / (uint64_t)took_us;
    if (sent_bps * 100 > (uint64_t)d->link_bps * OBEYED_PCT) {
        return false;
    }
    int64_t should_us = seen_us * (int64_t)(d->link_bps - sent_bps) / d->link_bps;
    return d->from_us - d->least_us < MIN(should_us, d->from_us) / 3;
}

/* Has the queue become longer still, when what is sent less should have shown long ago? */
static bool is_filled(const struct bwe_drain *d, const struct bwe_drain_in *in)
{
    int64_t grown_us = d->since_us - d->begun_us;
    if (in->estimate_bps > GAVE_BPS || grown_us < (int64_t)in->rtt_us + GROWN_US) {
        return false;
    }
    uint64_t sent_bps = (d->sent_bytes - d->began_bytes) * 8 * US_PER_S / (uint64_t)grown_us;
    return sent_bps * 100 < (uint64_t)d->link_bps * GROWN_PCT;
}

enum bwe_drain_end bwe_drain_update(struct bwe_drain *d, const struct bwe_drain_in *in)
{
    if (!d->on) {
        return BWE_DRAIN_GOING;
    }
    if (in->queue_us > d->from_us) {
        /* It still grew when it was noticed: the trial begins at the peak. */
        d->from_us = d->least_us = in->queue_us;
        d->since_us = in->now_us;
        d->sent_bytes = in->sent_bytes;
    }
    d->least_us = MIN(d->least_us, in->queue_us);
    if (in->queue_us <= BWE_DRAIN_ENOUGH_US || in->now_us - d->begun_us > GIVEUP_US) {
        d->on = false;
        return BWE_DRAIN_DONE;
    }
    if (is_path(d, in)) {
        d->on = false;
        return BWE_DRAIN_PATH;
    }
    if (is_filled(d, in)) {
        d->on = false;
        return BWE_DRAIN_RIVAL;
    }
    return BWE_DRAIN_GOING;
}

uint32_t bwe_drain_bps(const struct bwe_drain *d, uint32_t bps, int32_t queue_us)
{
    if (!d->on) {
        return bps;
    }
    uint64_t queued = (uint64_t)MAX(queue_us, 0) * d->link_bps;
    uint64_t less = queued / BWE_DRAIN_US;
    uint64_t floor = (uint64_t)bps * BWE_DRAIN_FLOOR_PCT / 100;
    return (uint32_t)(less + floor >= bps ? floor : bps - less);
}
