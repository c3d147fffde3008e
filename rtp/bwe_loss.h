/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_loss.h - tells loss that sending causes from loss that is there anyway. Pure; memory is the
 * caller's; role MEDIA.
 *
 * Takes the place of gcc-02 section 6, where every loss above 10 % lowers the rate, and of
 * libwebrtc's loss-based v2, whose aim it shares (inherent loss) by other means. Packets are
 * gathered into observations of 250 ms; the last BWE_LOSS_BINS are compared:
 * - below 2 % nothing is lowered;
 * - loss while a queue stands is the queue's: the delay detector acts, it is not counted here;
 * - loss that is higher when more is sent (two halves of the observations, 4 sigma) is caused by
 *   sending, as behind a policer or a shallow buffer;
 * - loss so high that it would be that in most networks (12 %, or 10 % above the inherent) is taken
 *   for it on trial: if the share lost stays when a good deal less is sent, it is inherent after
 *   all, and the estimate goes back;
 * - where such a trial has shown that sending less helps, 2 % suffice from then on;
 * - any other loss is inherent: what is sent is repaired, not lowered.
 * What arrived when loss was caused by sending is kept as a cap, tried again after 5 s and then
 * ever later up to 30 s by small steps, since behind a policer a short probe always succeeds. */
#ifndef RTP_BWE_LOSS_H
#define RTP_BWE_LOSS_H

#include "rtp/base.h"

#define BWE_LOSS_BINS   16
#define BWE_LOSS_BIN_US (250 * US_PER_MS)

struct bwe_loss_bin {
    uint32_t bps; /* sent meanwhile */
    uint16_t n;   /* packets reported on */
    uint16_t lost;
};

struct bwe_loss {
    struct bwe_loss_bin bins[BWE_LOSS_BINS]; /* ring */
    uint8_t at;                              /* slot of the next */
    uint8_t n_bins;
    /* being gathered */
    uint16_t n;
    uint16_t lost;
    uint32_t bytes;
    int64_t first_us; /* sending of the first; 0 = none */
    int64_t last_us;
    bool queued; /* a queue stood meanwhile */

    uint16_t run;    /* lost in a row up to the newest packet */
    uint16_t run_q4; /* the same at the end of each row that no queue explains, mean of the last
                        few, in sixteenths; 0 = none yet */

    float inherent;     /* share lost that sending does not cause */
    float allowed;      /* what a trial has shown not to be caused by sending; 0 = no trial */
    float recent;       /* share lost lately, queue or not */
    uint32_t cap_bps;   /* more than this was lost; 0 = no cap */
    int64_t retry_us;   /* when the cap is raised on trial */
    int64_t wait_us;    /* from a cut to that */
    uint8_t trials_ok;  /* raised so often in a row without loss */
    int64_t cut_us;     /* observations of packets sent earlier are void */
    bool caused;        /* a trial has shown that sending less helps; until the cap is lifted */
    uint32_t floor_bps; /* further cuts go no lower; 0 = none */
    /* the cut on trial; rate 0 = none */
    uint32_t trial_bps; /* sent before */
    float trial_loss;
    uint32_t trial_back_bps; /* the estimate to go back to */
};

/* What a verdict depends on. */
struct bwe_loss_in {
    uint32_t estimate_bps;
    uint32_t acked_bps; /* recent; 0 = not known */
    int64_t now_us;
};

/* Starts knowing nothing, without a cap. */
void bwe_loss_init(struct bwe_loss *l);

/* Forgets the observations: feedback was away. */
void bwe_loss_reset(struct bwe_loss *l);

/* What was lost in a row is counted, the packet behind it has arrived. */
void bwe_loss_run_ends(struct bwe_loss *l);

/* Notes the fate of a packet that left at sent_us; in the order of sending. */
static inline void bwe_loss_add(struct bwe_loss *l, uint32_t size, int64_t sent_us, bool lost)
{
    if (lost) {
        l->run++;
    } else if (l->run) {
        bwe_loss_run_ends(l);
    }
    if (sent_us < l->cut_us) {
        return;
    }
    if (l->n == 0) {
        l->first_us = sent_us;
        l->last_us = sent_us;
    }
    if (l->n == UINT16_MAX) {
        return;
    }
    l->n++;
    l->lost = (uint16_t)(l->lost + lost);
    l->bytes += size;
    l->last_us = MAX(l->last_us, sent_us);
}

/* A packet that was reported lost has arrived after all. */
void bwe_loss_found(struct bwe_loss *l, int64_t sent_us);

/* A queue stands at present, or grows. */
static inline void bwe_loss_queue(struct bwe_loss *l)
{
    l->queued = true;
}

/* Looks at what was gathered, after each message. Returns the estimate that loss asks for: lower
 * than in->estimate_bps to cut, higher to go back to what it was before a cut that did not help,
 * else the same. */
uint32_t bwe_loss_verdict(struct bwe_loss *l, const struct bwe_loss_in *in);

/* The rate above which packets were lost, or UINT32_MAX. Raises it when it is time to try. */
uint32_t bwe_loss_cap_bps(struct bwe_loss *l, int64_t now_us);

#endif
