/* SPDX-License-Identifier: Apache-2.0 */
/* bwe.h - how much one receiver's network carries: send-side congestion control for one transport.
 *
 * Numbers every packet that leaves, matches transport-wide feedback to what was sent, and follows
 * draft-ietf-rmcat-gcc-02 with the constants of libwebrtc's GoogCC (read at m125): inter-group
 * delay trendline, AIMD, loss. What an SFU needs differs in places, each said where it is done: the
 * estimate is raised by probes towards what is wanted next, is not raised while the application
 * sends less than it may, and survives receivers that send no feedback (REMB or receiver reports
 * then).
 *
 * Pure: bytes and time in, numbers out. One instance a viewer; role MEDIA. Memory: the ring of sent
 * packets is allocated by bwe_init and doubled by bwe_tick, nowhere else. */
#ifndef RTP_BWE_H
#define RTP_BWE_H

#include "rtp/base.h"
#include "rtp/rtcp_twcc.h"

/* What the estimate stands on at present. */
enum bwe_mode {
    BWE_BLIND,  /* nothing has been heard: the start value */
    BWE_TWCC,   /* transport-wide feedback */
    BWE_REPORT, /* no such feedback for a while: REMB and receiver reports */
};

enum bwe_usage {
    BWE_NORMAL,
    BWE_OVERUSE,  /* queues grow: less must be sent now */
    BWE_UNDERUSE, /* queues drain */
};

struct bwe_params {
    uint32_t start_bps;
    uint32_t min_bps;
    uint32_t max_bps;
};

struct bwe; /* bwe_state.h has the fields, for the files that implement it and their tests */

/* Returns NULL when out of memory. seq0: the first transport sequence number; below 0x8000, since
 * simple parsers guess the first wrap wrong (media-brain trap 25). */
struct bwe *bwe_new(const struct bwe_params *p, uint16_t seq0, int64_t now_us);
void bwe_free(struct bwe *b); /* accepts NULL */

/* ---- sending: on the packet path ---- */

/* The number to write into the next packet's extension. */
uint16_t bwe_seq16(const struct bwe *b);
/* Brings near where it will be noted; b may be NULL. */
void bwe_prefetch_sent(const struct bwe *b);
/* That packet has left.
 * size      bytes on the wire, UDP and IP headers included
 * cluster   id of the probe it belongs to, 0 = none */
void bwe_on_sent(struct bwe *b, uint32_t size, uint8_t cluster, int64_t now_us);

/* ---- feedback ---- */

/* Brings near what a feedback message will touch, in two steps, 0 and 1: the second follows a
 * pointer that the first has fetched. b may be NULL. */
void bwe_prefetch(const struct bwe *b, unsigned step);

/* One transport-wide feedback message: st[0..n) as rtcp_twcc_read gave them.
 * Returns true when the estimate or the usage changed so that the caller should look again at once.
 */
bool bwe_on_twcc(struct bwe *b, const struct rtcp_twcc *head, const struct rtcp_twcc_status *st,
                 int n, int64_t now_us);
/* The receiver's own estimate (goog-remb); an upper bound with TWCC, the estimate without. */
void bwe_on_remb(struct bwe *b, uint64_t bps, int64_t now_us);
/* A receiver report about media of this transport. */
void bwe_on_report(struct bwe *b, uint32_t fraction_lost_q8, uint32_t rtt_us, int64_t now_us);

/* ---- time ---- */

/* Every 100 ms or so: watchdogs, loss window, recovery, application-limited detection, when the
 * next probe is due. Returns true as bwe_on_twcc does. */
bool bwe_tick(struct bwe *b, int64_t now_us);

/* What the allocator would like, each the total over all streams of this viewer, audio included:
 * the rate with the next better choice taken (0: there is none), and with all that is wanted.
 * Decides whether and how high to probe. */
void bwe_wish(struct bwe *b, uint32_t next_bps, uint32_t all_bps, int64_t now_us);

/* A cluster of packets to send at a given rate, on top of or made of media, so as to learn whether
 * the network carries it. */
struct bwe_probe {
    uint8_t cluster;   /* for bwe_on_sent; never 0 */
    uint32_t rate_bps; /* at which to send it */
    uint32_t bytes;    /* in all */
    uint16_t packets;  /* at least */
};
/* The probe that is to be sent now. Returns false when there is none; after true the caller sends
 * it (over several calls of its own) and says bwe_probe_end. */
bool bwe_probe_due(struct bwe *b, int64_t now_us, struct bwe_probe *ret);
/* Is the rest of the cluster still wanted? false after the first sign of overuse: call
 * bwe_probe_end with what was sent. To be asked before each part of it is sent. */
bool bwe_probe_wanted(const struct bwe *b, uint8_t cluster);
/* All packets of the cluster have left, or it is given up (sent_bytes < probe.bytes). */
void bwe_probe_end(struct bwe *b, uint8_t cluster, uint32_t sent_bytes, int64_t now_us);

/* ---- what is known ---- */

struct bwe_facts {
    enum bwe_mode mode;
    enum bwe_usage usage;
    uint32_t estimate_bps; /* what may be sent now, repair and padding included */
    uint32_t capacity_bps; /* the same without the cut of some 100 ms that empties a queue after
                              overuse: what to choose layers by, >= estimate_bps */
    uint32_t acked_bps;    /* what arrived lately; 0 = not known */
    uint32_t proved_bps;   /* the highest rate that arrived whole within the last 5 s, by a probe or
                              by media */
    uint32_t rtt_us;       /* smoothed; 0 = not known */
    uint32_t queue_us;     /* delay above the smallest seen in the last 10 s; 0 = not known */
    uint16_t loss_q8;      /* packets lost of 256 sent, over the last seconds, before repair */
    uint16_t burst_q4;     /* packets lost in a row where no queue explains it, mean of the last
                              bursts, in sixteenths; 0 = none seen */
    bool surge;            /* overuse, since the link has become much narrower at this moment: the
                              queue is longer than queue_us tells yet */
    bool app_limited;      /* less is sent than may be: the estimate is not a measure of the link */
    bool held;             /* feedback is missing: the estimate is kept, not believed */
    const char *why;       /* fixed string: what moved the estimate last, "probe", "overuse", ... */
    /* Packets that left together arrive at this rate; 0 = not known. It says how fast some may be
     * sent, not how many: radio links bunch packets. */
    uint32_t train_bps;
};
void bwe_facts(const struct bwe *b, struct bwe_facts *ret);

#endif
