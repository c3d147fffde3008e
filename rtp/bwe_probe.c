/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_probe.h"

#define STARTS        2
#define START_TIMES   3
#define ALL_PCT       130
#define NEXT_PCT      115
#define TIMES_MAX     2
#define QUIET_US      US_PER_S /* after a cut */
#define SPACE_MAX_US  (2500 * US_PER_MS)
#define SPACE_LONG_US (6 * US_PER_S)
#define SHARED_US     (10 * US_PER_S)
#define SHARED_PCT    130
#define OPENED_US     (500 * US_PER_MS) /* what a probe did to bursts is over */
#define LASTS_US      (300 * US_PER_MS)
#define LONGEST_US    (60 * US_PER_MS)
#define GOOD_PCT      70 /* of the rate: it has arrived */
#define SLOW_PCT      90 /* of the rate of sending: less means that the link was full */
#define SLOW_USE_PCT  95 /* and this much of what arrived may be used */
#define SAME_PCT      20 /* two such results that differ less are of one capacity */
#define STARVED_PCT   60 /* sent slower than this it tells nothing of the link */
#define WAIT_US       (400 * US_PER_MS) /* for feedback, beyond a round trip */
#define SENDING_US    US_PER_S          /* a caller that never ends is not waited for longer */
#define RATE_US_MIN   (4 * US_PER_MS)   /* of sending and of arriving */
#define RATIO_MAX     2 /* arrived faster than sent by more: the link bunched them */
#define FALL_PCT      66
#define RECOVER_PCT   85
#define RECOVER_US    (6 * US_PER_S)
#define WORTH_PCT     103 /* of the estimate; less is not probed for */
#define DEAF_US       (300 * US_PER_MS)
#define DEAF_PCT      150
#define DEAF_SPACE_US (5 * US_PER_S)

void bwe_probe_init(struct bwe_prober *p)
{
    *p = (struct bwe_prober){.space_us = BWE_PROBE_SPACE_US, .starts = STARTS};
}

static uint32_t pct(uint32_t bps, uint32_t percent)
{
    return (uint32_t)MIN((uint64_t)bps * percent / 100, UINT32_MAX);
}

/* How fast the next probe should be; 0 = none is wanted. */
static uint32_t rate(const struct bwe_prober *p, const struct bwe_probe_in *in)
{
    uint32_t est = in->estimate_bps;
    uint32_t wanted = p->next_bps ? pct(p->next_bps, NEXT_PCT) : 0;
    uint32_t times = TIMES_MAX;
    if (wanted && wanted <= pct(est, WORTH_PCT)) {
        wanted = pct(p->all_bps, NEXT_PCT); // enough for the next, which the allocator may delay
    }
    if (p->starts) {
        wanted = pct(p->all_bps, ALL_PCT);
        times = p->starts == STARTS ? START_TIMES : TIMES_MAX;
    }
    uint32_t most = times * 100;
    if (in->full && in->quiet_us < SHARED_US) {
        most = SHARED_PCT;
    }
    uint32_t bps = MIN(wanted, pct(est, most));
    if (p->recover_bps && in->now_us < p->recover_until_us && wanted) {
        bps = MAX(bps, MIN(p->recover_bps, wanted));
    }
    if (in->deaf) {
        bps = MIN(bps, pct(est, DEAF_PCT));
    }
    bps = MIN(MIN(bps, in->cap_bps), BWE_PROBE_MAX_BPS);
    return bps > pct(est, WORTH_PCT) ? bps : 0;
}

/* Other signs say that a probe would fail: what bursts of media do, or else the growth that goes
 * on anyway. */
static bool is_hopeless(const struct bwe_prober *p, const struct bwe_probe_in *in, uint32_t bps)
{
    /* Bursts tell only whether there is much more. */
    bool closed = in->burst == BWE_BURST_CLOSED && bps > pct(in->estimate_bps, BWE_BURST_OPEN_PCT);
    if (p->soon || p->starts || in->burst == BWE_BURST_OPEN || in->deaf) {
        return false;
    }
    return (closed || in->full) && in->now_us < p->end_us + SPACE_LONG_US;
}

/* How long to probe at bps: what it queues if the link carries the estimate only is limited, and a
 * probe little above the estimate is given the time of a frame or two of whoever shares the link.
 */
static int64_t lasting_us(uint32_t bps, const struct bwe_probe_in *in)
{
    if (in->deaf) {
        return DEAF_US;
    }
    int64_t more = MAX((int64_t)bps - in->estimate_bps, 1);
    int64_t us = BWE_PROBE_US * (int64_t)in->estimate_bps / more;
    return MAX(BWE_PROBE_US, MIN(us, LONGEST_US));
}

bool bwe_probe_poll(struct bwe_prober *p, const struct bwe_probe_in *in, struct bwe_probe *ret)
{
    if (p->state == BWE_PROBE_SENDING && in->now_us - p->end_us > SENDING_US) {
        bwe_probe_sent_all(p, 0, in->now_us);
    }
    if (in->burst == BWE_BURST_CLOSED) {
        p->closed = true;
    } else if (in->burst == BWE_BURST_OPEN && p->closed && !in->full &&
               in->now_us > p->end_us + OPENED_US) {
        p->closed = false;
        bwe_probe_soon(p, in->now_us);
    }
    bool ready = in->clear || (in->blind && p->starts == STARTS);
    if (p->state != BWE_PROBE_IDLE || !ready || in->now_us < p->next_us ||
        in->quiet_us < QUIET_US) {
        return false;
    }
    uint32_t bps = rate(p, in);
    if (bps == 0 || is_hopeless(p, in, bps)) {
        return false;
    }
    uint8_t id = (uint8_t)(p->probe.cluster == UINT8_MAX ? 1 : p->probe.cluster + 1);
    uint64_t bytes = (uint64_t)bps * (uint64_t)lasting_us(bps, in) / 8 / US_PER_S;
    struct bwe_prober next = {
        .state = BWE_PROBE_SENDING,
        .probe = {.cluster = id,
                  .rate_bps = bps,
                  .bytes = (uint32_t)MAX(bytes, BWE_PROBE_BYTES_MIN),
                  .packets = BWE_PROBE_PACKETS},
        .end_us = in->now_us,
        .next_bps = p->next_bps,
        .all_bps = p->all_bps,
        .next_us = in->now_us + (in->deaf ? DEAF_SPACE_US : 0),
        .space_us = p->space_us,
        .full_bps = p->full_bps,
        .was_cut = p->was_cut,
        .closed = p->closed,
        .starts = (uint8_t)(p->starts ? p->starts - 1 : 0),
    };
    *p = next;
    *ret = p->probe;
    return true;
}

void bwe_probe_sent_all(struct bwe_prober *p, uint32_t sent_bytes, int64_t now_us)
{
    p->end_us = now_us;
    p->state = p->sent_pkts && sent_bytes ? BWE_PROBE_WAITING : BWE_PROBE_IDLE;
    if (p->state == BWE_PROBE_IDLE) {
        p->next_us = now_us + p->space_us;
    }
}

void bwe_probe_on_arrival(struct bwe_prober *p, int64_t sent_us, int64_t arrival_us, uint32_t size)
{
    if (p->state == BWE_PROBE_IDLE || p->sent_pkts == 0 || sent_us < p->first_us ||
        sent_us > p->last_us) {
        return;
    }
    if (p->arrived_pkts++ == 0) {
        p->first_arrival_us = p->last_arrival_us = arrival_us;
        p->first_sent_us = p->last_sent_us = sent_us;
        p->first_arrival_bytes = p->last_sent_bytes = size;
    }
    if (arrival_us < p->first_arrival_us) {
        p->first_arrival_us = arrival_us;
        p->first_arrival_bytes = size;
    }
    if (sent_us >= p->last_sent_us) {
        p->last_sent_us = sent_us;
        p->last_sent_bytes = size;
    }
    p->first_sent_us = MIN(p->first_sent_us, sent_us);
    p->last_arrival_us = MAX(p->last_arrival_us, arrival_us);
    p->arrived_bytes += size;
}

static uint32_t rate_of(uint32_t bytes, int64_t us)
{
    uint64_t bps = (uint64_t)bytes * 8 * US_PER_S / (uint64_t)us;
    return (uint32_t)MIN(bps, UINT32_MAX);
}

/* The link was full: of many such measurements with errors the mean must prevail, not the highest.
 * One that differs by more than errors do is believed as it is. */
static uint32_t average(struct bwe_prober *p, uint32_t arrived)
{
    uint32_t bps = pct(arrived, SLOW_USE_PCT);
    uint32_t diff = bps > p->full_bps ? bps - p->full_bps : p->full_bps - bps;
    if (diff > pct(p->full_bps, SAME_PCT)) {
        p->full_bps = bps;
    } else {
        p->full_bps = (uint32_t)(((uint64_t)p->full_bps * 3 + bps) / 4);
    }
    return p->full_bps;
}

/* What the arrivals say; 0 = nothing. */
static uint32_t measure(struct bwe_prober *p, uint32_t *ret_sent_bps, bool *ret_full)
{
    int64_t sent_us = p->last_sent_us - p->first_sent_us;
    int64_t arrived_us = p->last_arrival_us - p->first_arrival_us;
    if (p->arrived_pkts < BWE_PROBE_PACKETS - 1 || sent_us < RATE_US_MIN ||
        arrived_us < RATE_US_MIN) {
        return 0;
    }
    uint32_t sent = rate_of(p->arrived_bytes - p->last_sent_bytes, sent_us);
    uint32_t arrived = rate_of(p->arrived_bytes - p->first_arrival_bytes, arrived_us);
    if ((uint64_t)arrived > (uint64_t)sent * RATIO_MAX) {
        return 0;
    }
    *ret_sent_bps = sent;
    *ret_full = (uint64_t)arrived * 100 < (uint64_t)sent * SLOW_PCT;
    if (*ret_full) {
        return average(p, arrived);
    }
    return MIN(sent, arrived);
}

static void fail(struct bwe_prober *p, int64_t now_us)
{
    p->starts = 0;
    p->next_us = now_us + p->space_us;
    p->space_us = MIN(p->space_us * 5 / 4, SPACE_MAX_US);
}

uint32_t bwe_probe_result(struct bwe_prober *p, const struct bwe_probe_in *in)
{
    if (p->state != BWE_PROBE_WAITING) {
        return 0;
    }
    bool late = in->now_us - p->end_us > (int64_t)in->rtt_us + WAIT_US;
    if (p->told_pkts < p->sent_pkts && !late) {
        return 0;
    }
    p->state = BWE_PROBE_IDLE;
    uint32_t sent_bps = 0;
    bool full = false;
    uint32_t bps = measure(p, &sent_bps, &full);
    p->filled = full;
    if (in->deaf) {
        return 0;
    }
    if (bps && sent_bps < pct(p->probe.rate_bps, STARVED_PCT)) {
        p->next_us = in->now_us + p->space_us; // the sender had too little to send
    } else if (bps < pct(p->probe.rate_bps, GOOD_PCT) || full || p->aborted) {
        fail(p, in->now_us);
    } else {
        p->space_us = BWE_PROBE_SPACE_US;
        bwe_probe_soon(p, in->now_us);
    }
    return bps;
}

bool bwe_probe_lasts(const struct bwe_prober *p, uint32_t rtt_us, int64_t now_us)
{
    return p->state != BWE_PROBE_IDLE ||
           (p->probe.cluster && now_us - p->end_us < (int64_t)rtt_us + LASTS_US);
}

void bwe_probe_soon(struct bwe_prober *p, int64_t now_us)
{
    p->next_us = now_us;
    p->soon = true;
}

void bwe_probe_overuse(struct bwe_prober *p, int64_t now_us)
{
    if (p->state != BWE_PROBE_SENDING || p->aborted) {
        return;
    }
    p->aborted = true;
    fail(p, now_us);
}

void bwe_probe_cut(struct bwe_prober *p, uint32_t before_bps, uint32_t bps, int64_t now_us)
{
    p->starts = 0;
    p->was_cut = true;
    if (bps < pct(before_bps, FALL_PCT)) {
        p->recover_bps = pct(before_bps, RECOVER_PCT);
        p->recover_until_us = now_us + RECOVER_US;
    }
}

void bwe_probe_wish(struct bwe_prober *p, uint32_t next_bps, uint32_t all_bps, int64_t now_us)
{
    if (all_bps > pct(p->all_bps, 150) && p->state == BWE_PROBE_IDLE) {
        p->starts = p->was_cut ? 0 : STARTS; // a link whose limits are known is not overrun again
        p->next_us = MIN(p->next_us, now_us);
    }
    p->next_bps = next_bps;
    p->all_bps = all_bps;
}
