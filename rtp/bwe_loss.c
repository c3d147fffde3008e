/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_loss.h"
#include <math.h>

#define PACKETS_LEAST 10
#define BIN_MAX_US    US_PER_S
#define RECENT_BINS   4 /* a second */
#define RUN_MOST      64
#define RUN_MEAN      4 /* rows */
#define IGNORED       0.02f
#define HEAVY         0.12f /* lost in most networks only when too much is sent */
#define HEAVY_MORE    0.10f /* above the inherent */
#define HUGE_LOSS     0.30f /* what arrives is then what the network carries */
#define HALF_LEAST    80    /* packets on each side of a comparison */
#define HALF_RATIO    1.15f /* by which the halves' rates must differ */
#define HALF_MORE     0.03f /* lost in the half that sent more */
#define SIGMAS_HALVES 4.0f
#define SIGMAS_HEAVY  3.0f
#define SIGMAS_CAUSED 1.5f
#define CAP_PCT       95 /* of what arrived */
#define RETRY_MIN_US  (5 * US_PER_S)
#define RETRY_MAX_US  (30 * US_PER_S)
#define TRIAL_US      (3 * US_PER_S)
#define TRIAL_PCT     125
#define TRIALS_FREE   3 /* so many raises without loss lift the cap */
#define OBEYED_PCT    85
#define TRIAL_LEAST   60                /* packets */
#define OBEY_US       (300 * US_PER_MS) /* until the source sends what a cut left it */
#define FLOOR_PCT     70
#define SUDDEN        1.5f
#define SAME_MOST     1.35f /* more than so many times the loss before is not the same */

struct sums {
    float n;
    float lost;
    float bits; /* rate weighted with packets */
};

void bwe_loss_init(struct bwe_loss *l)
{
    *l = (struct bwe_loss){.wait_us = RETRY_MIN_US};
}

void bwe_loss_reset(struct bwe_loss *l)
{
    l->at = l->n_bins = 0;
    l->n = l->lost = 0;
    l->bytes = 0;
    l->queued = false;
}

void bwe_loss_run_ends(struct bwe_loss *l)
{
    if (!l->queued) {
        int32_t run_q4 = 16 * MIN(l->run, RUN_MOST);
        int32_t mean_q4 = l->run_q4 ? l->run_q4 : 16;
        l->run_q4 = (uint16_t)(mean_q4 + (run_q4 - mean_q4) / RUN_MEAN);
    }
    l->run = 0;
}

void bwe_loss_found(struct bwe_loss *l, int64_t sent_us)
{
    if (sent_us < l->cut_us) {
        return;
    }
    if (l->lost) {
        l->lost--;
        return;
    }
    struct bwe_loss_bin *last = &l->bins[(l->at + BWE_LOSS_BINS - 1) % BWE_LOSS_BINS];
    if (l->n_bins && last->lost) {
        last->lost--;
    }
}

static const struct bwe_loss_bin *bin(const struct bwe_loss *l, int age)
{
    return &l->bins[(l->at + BWE_LOSS_BINS - 1 - age) % BWE_LOSS_BINS];
}

static struct sums sum(const struct bwe_loss *l, int bins)
{
    struct sums s = {0};
    for (int i = 0; i < MIN(bins, l->n_bins); i++) {
        const struct bwe_loss_bin *b = bin(l, i);
        s.n += b->n;
        s.lost += b->lost;
        s.bits += (float)b->n * (float)b->bps;
    }
    return s;
}

/* How much more than of packets lost one by one the share lost of some packets varies, where they
 * are lost in rows: such rows are of geometric lengths, and few. */
static float spread(const struct bwe_loss *l)
{
    float run = (float)l->run_q4 / 16;
    return run > 1 ? sqrtf(2 * run - 1) : 1;
}

/* Is more lost when more is sent? */
static bool is_correlated(const struct bwe_loss *l)
{
    struct sums all = sum(l, BWE_LOSS_BINS);
    float middle = all.n > 0 ? all.bits / all.n : 0;
    struct sums hi = {0};
    for (int i = 0; i < l->n_bins; i++) {
        const struct bwe_loss_bin *b = bin(l, i);
        if ((float)b->bps > middle) {
            hi.n += b->n;
            hi.lost += b->lost;
            hi.bits += (float)b->n * (float)b->bps;
        }
    }
    struct sums lo = {all.n - hi.n, all.lost - hi.lost, all.bits - hi.bits};
    if (hi.n < HALF_LEAST || lo.n < HALF_LEAST) {
        return false;
    }
    float ratio = (hi.bits / hi.n) / MAX(lo.bits / lo.n, 1);
    float p = all.lost / all.n;
    float more = hi.lost / hi.n - lo.lost / lo.n;
    float sigma = sqrtf(p * (1 - p) * (1 / hi.n + 1 / lo.n)) * spread(l);
    if (p < l->allowed * SAME_MOST) {
        return false; // a trial has shown that so much is inherent
    }
    return ratio > HALF_RATIO && more > MAX(SIGMAS_HALVES * sigma, HALF_MORE);
}

static bool is_heavy(const struct bwe_loss *l, const struct sums *recent)
{
    float p = recent->lost / recent->n;
    float sigma = sqrtf(p * (1 - p) / recent->n) * spread(l);
    if (l->caused) {
        return p - SIGMAS_CAUSED * sigma >
               MAX(IGNORED, l->allowed); // this network polices: no benefit of doubt
    }
    float limit = l->allowed > 0 ? MAX(HEAVY, l->allowed + HEAVY_MORE) : HEAVY;
    return p - SIGMAS_HEAVY * sigma > limit;
}

/* Moves what was gathered into the ring. Returns true if it is an observation. */
static bool bin_close(struct bwe_loss *l)
{
    int64_t span_us = l->last_us - l->first_us;
    if (span_us < BWE_LOSS_BIN_US || (l->n < PACKETS_LEAST && span_us < BIN_MAX_US)) {
        return false;
    }
    float p = (float)l->lost / (float)l->n;
    l->recent += (p - l->recent) / RECENT_BINS;
    bool queued = l->queued;
    if (!queued) {
        uint64_t bps = (uint64_t)l->bytes * 8 * US_PER_S / (uint64_t)span_us;
        l->bins[l->at] = (struct bwe_loss_bin){
            .bps = (uint32_t)MIN(bps, UINT32_MAX), .n = l->n, .lost = l->lost};
        l->at = (uint8_t)((l->at + 1) % BWE_LOSS_BINS);
        l->n_bins = (uint8_t)MIN(l->n_bins + 1, BWE_LOSS_BINS);
    }
    l->n = l->lost = 0;
    l->bytes = 0;
    l->queued = false;
    return !queued;
}

/* Sending causes the loss: cuts to what is believed to arrive whole. */
static uint32_t cut(struct bwe_loss *l, const struct bwe_loss_in *in, const struct sums *recent)
{
    /* The last observation may stand for a bucket that has just run empty. */
    struct sums last = sum(l, 1);
    bool sudden = last.lost / last.n > SUDDEN * recent->lost / recent->n;
    const struct sums *s = sudden ? &last : recent;
    float p = s->lost / s->n;
    float sent = s->bits / s->n;
    float arrived = sent * (1 - p);
    bool again = l->cap_bps != 0;
    float bps = p > HUGE_LOSS || again ? arrived : sent * (1 - p / 2);
    bps = bps * CAP_PCT / 100;
    if (l->trial_bps == 0) {
        /* Not the second that was bad enough to act upon, but what it is a sample of. */
        struct sums all = sum(l, BWE_LOSS_BINS);
        l->trial_bps = (uint32_t)sent;
        l->trial_loss = sudden ? p : all.lost / all.n;
        l->trial_back_bps = in->estimate_bps;
    }
    if (again && p < HUGE_LOSS) {
        /* What arrives behind a policer does not fall with what is sent: where it does, there is
         * other loss besides, and an end to cutting. */
        l->floor_bps = MAX(l->floor_bps, (uint32_t)(arrived * FLOOR_PCT / 100));
        bps = MAX(bps, (float)l->floor_bps);
    }
    if (again) {
        l->wait_us = MIN(l->wait_us * 2, RETRY_MAX_US);
    }
    l->cap_bps = (uint32_t)MIN(bps, (float)in->estimate_bps);
    l->retry_us = in->now_us + l->wait_us;
    l->trials_ok = 0;
    l->cut_us = in->now_us + OBEY_US;
    bwe_loss_reset(l);
    return l->cap_bps;
}

enum trial {
    TRIAL_OPEN, /* or none */
    TRIAL_HELPED,
    TRIAL_VAIN, /* as much is lost as before, though less is sent */
};

/* since  what was observed since the last cut. Looked at again and again while the cap stands, so
 * that an error is put right before the rate has fallen far. */
static enum trial trial(const struct bwe_loss *l, const struct sums *since)
{
    float sent = since->bits / since->n;
    if (l->trial_bps == 0 || sent * 100 > (float)l->trial_bps * OBEYED_PCT ||
        since->n < TRIAL_LEAST) {
        return TRIAL_OPEN;
    }
    float p = since->lost / since->n;
    float should = 1 - (1 - l->trial_loss) * (float)l->trial_bps / sent;
    bool same = p > (l->trial_loss + MAX(should, 0)) / 2 && p < l->trial_loss * SAME_MOST;
    return same && p < HUGE_LOSS ? TRIAL_VAIN : TRIAL_HELPED;
}

/* Less loss is believed at once, more only slowly, and so much only after a trial that it would
 * otherwise be taken for caused. */
static void learn(struct bwe_loss *l, const struct sums *recent)
{
    float p = MIN(recent->lost / recent->n, MAX(HEAVY, l->allowed));
    if (p < l->allowed / 2) {
        l->allowed = 0; // another network than that of the trial
    }
    l->inherent += (p - l->inherent) / (p < l->inherent ? RECENT_BINS : BWE_LOSS_BINS);
}

uint32_t bwe_loss_verdict(struct bwe_loss *l, const struct bwe_loss_in *in)
{
    if (!bin_close(l)) {
        return in->estimate_bps;
    }
    struct sums recent = sum(l, RECENT_BINS);
    float p = recent.lost / recent.n;
    struct sums all = sum(l, BWE_LOSS_BINS);
    enum trial result = trial(l, &all);
    if (result == TRIAL_VAIN) {
        uint32_t back = l->trial_back_bps;
        l->inherent = l->allowed = all.lost / all.n;
        l->cap_bps = l->trial_bps = l->floor_bps = 0;
        l->caused = false;
        l->wait_us = RETRY_MIN_US;
        return MAX(back, in->estimate_bps);
    }
    l->caused |= result == TRIAL_HELPED;
    bool enough = l->n_bins >= 2 && (l->cap_bps == 0 || all.n >= TRIAL_LEAST);
    if (p > IGNORED && enough && (is_heavy(l, &recent) || is_heavy(l, &all) || is_correlated(l))) {
        return cut(l, in, &recent);
    }
    if (l->trial_bps == 0 || l->caused) {
        learn(l, &recent);
    }
    return in->estimate_bps;
}

uint32_t bwe_loss_cap_bps(struct bwe_loss *l, int64_t now_us)
{
    if (l->cap_bps == 0) {
        return UINT32_MAX;
    }
    if (now_us >= l->retry_us) {
        l->retry_us = now_us + TRIAL_US;
        l->cap_bps = (uint32_t)MIN((uint64_t)l->cap_bps * TRIAL_PCT / 100, UINT32_MAX);
        if (l->trials_ok++ == TRIALS_FREE) {
            l->cap_bps = l->floor_bps = 0;
            l->trial_bps = 0;
            l->caused = false;
            l->wait_us = RETRY_MIN_US;
            return UINT32_MAX;
        }
    }
    return l->cap_bps;
}
