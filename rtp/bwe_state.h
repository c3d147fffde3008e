/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_state.h - the fields of struct bwe, for the files that implement it and their tests. Others
 * see bwe.h. */
#ifndef RTP_BWE_STATE_H
#define RTP_BWE_STATE_H

#include "rtp/bwe.h"
#include "rtp/bwe_acked.h"
#include "rtp/bwe_aimd.h"
#include "rtp/bwe_burst.h"
#include "rtp/bwe_delay.h"
#include "rtp/bwe_drain.h"
#include "rtp/bwe_groups.h"
#include "rtp/bwe_loss.h"
#include "rtp/bwe_probe.h"
#include "rtp/bwe_queue.h"
#include "rtp/bwe_rival.h"
#include "rtp/bwe_sent.h"
#include "rtp/bwe_surge.h"

#define BWE_PROVED_S 5

struct bwe {
    struct bwe_sent sent; /* first: the packet path touches it and prober only */
    struct bwe_prober prober;
    struct bwe_params params;
    enum bwe_mode mode;
    enum bwe_usage usage;
    struct bwe_groups groups;
    struct bwe_delay delay;
    struct bwe_queue queue;
    struct bwe_acked acked;
    struct bwe_burst burst;
    struct bwe_aimd aimd;
    struct bwe_surge surge;
    uint32_t surge_bps; /* of the last packet; 0 = no surge */
    bool surged;        /* the link has become much narrower, in the overuse that goes on */
    struct bwe_drain drain;
    struct bwe_rival rival;
    struct bwe_loss loss;

    /* the receiver's clock and numbering */
    bool heard;              /* a feedback message has come; the next five are valid */
    uint32_t ref_time;       /* of the last message, 24 bits */
    int64_t ref_us;          /* the same unwrapped */
    int64_t arrival_us;      /* of the packet that arrived last */
    int64_t arrival_sent_us; /* and when that was sent */
    bool new_group;          /* since the last verdict */
    bool grew;               /* one of them showed overuse */
    uint64_t told_next;      /* number behind the highest one told of */
    uint32_t rtt_us;         /* smoothed; 0 = not known */

    /* watchdog */
    int64_t heard_us;   /* the last message that told anything new, or the first packet's time */
    uint64_t heard_seq; /* sent.next then */
    bool held;

    /* REMB and receiver reports */
    uint32_t remb_bps;
    int64_t remb_us;   /* 0 = none */
    int64_t report_us; /* 0 = none */
    int64_t report_cut_us;
    uint32_t report_bps; /* by the loss rule */
    uint16_t report_loss_q8;

    /* what the application sends */
    int64_t tick_us;
    uint64_t tick_bytes;
    uint64_t tick_seq;
    uint32_t sent_bps; /* smoothed over half a second */
    bool app_limited;

    uint32_t proved_bps[BWE_PROVED_S]; /* the best of each second, by second modulo */
    int64_t proved_s;                  /* the newest second in it */
    int64_t over_us;                   /* the last overuse; far past = never */
    uint32_t told_bps;                 /* what the caller saw when it was last asked to look */
    enum bwe_usage told_usage;
    enum bwe_mode told_mode;
    const char *why;
    /* counters */
    uint64_t ignored; /* statuses about packets not sent, forgotten or told before */
    uint64_t jumps;   /* of the receiver's clock */
};

#endif
