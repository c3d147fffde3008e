/* SPDX-License-Identifier: Apache-2.0 */
/* recv_stats.h - what RTCP reports about one received SSRC: loss, jitter, highest sequence number;
 * and the extended sequence number of every packet on the way. Pure; memory is the caller's; role
 * MEDIA. RFC 3550 A.1, A.3, A.8. */
#ifndef RTP_RECV_STATS_H
#define RTP_RECV_STATS_H

#include "rtp/base.h"
#include "rtp/rtcp_sr.h"

/* A packet further than this from the highest one is not believed until the next in sequence
 * arrives too; then the sender has restarted (MAX_DROPOUT of RFC 3550 A.1; as wide backwards, since
 * a plain resend may come back 800 packets late). */
#define RECV_STATS_JUMP_MAX 3000

struct recv_stats {
    uint32_t ssrc;
    bool any;                /* a packet has been counted */
    bool jump_seen;          /* jump_next is valid */
    uint16_t jump_next;      /* the number that would confirm a restart */
    uint64_t base;           /* lowest extended number since the start or restart */
    uint64_t highest;        /* highest extended number */
    uint64_t received;       /* packets since then, duplicates included */
    uint64_t prior_expected; /* at the last report */
    uint64_t prior_received;
    uint32_t clock_hz;  /* of the packets behind transit; 0: none yet */
    uint32_t transit;   /* arrival minus timestamp of the newest packet, media clock units */
    uint32_t jitter_q4; /* media clock units, 4 fraction bits */
    uint32_t lsr;       /* middle of the last SR's NTP time, 0: none */
    int64_t lsr_at_us;  /* its arrival */
    uint32_t restarts;  /* of the sender, believed */
    uint32_t strays;    /* packets refused because of RECV_STATS_JUMP_MAX */
};

/* Prepares s for the packets of ssrc. */
void recv_stats_init(struct recv_stats *s, uint32_t ssrc);

/* Counts a packet that arrived under this SSRC (not one that came by RTX).
 * ts, clock_hz  RTP timestamp and its clock, > 0
 * now_us        arrival, monotonic
 * Returns its extended sequence number. The first is 0x10000 + seq16, so that packets before it
 * have numbers too; highest never goes back, not even when the sender restarts (a packet out of RTX
 * has seq_unwrap(s->highest, its original number)). 0 if the packet is too far off to be believed:
 * drop it. */
uint64_t recv_stats_on_packet(struct recv_stats *s, uint16_t seq16, uint32_t ts, uint32_t clock_hz,
                              int64_t now_us);

/* Notes a sender report of this SSRC. ntp: its NTP time as on the wire; now_us: its arrival. */
void recv_stats_on_sr(struct recv_stats *s, uint64_t ntp, int64_t now_us);

/* Fills the report block about this SSRC and begins a new interval for the fraction lost.
 * Returns false, ret_block untouched, if no packet has arrived yet. */
bool recv_stats_report(struct recv_stats *s, int64_t now_us, struct rtcp_report_block *ret_block);

/* Packets expected since the start or restart. */
uint64_t recv_stats_expected(const struct recv_stats *s);

/* Packets lost since then; negative when duplicates outnumber losses. */
int64_t recv_stats_lost(const struct recv_stats *s);

/* Interarrival jitter in microseconds. */
uint32_t recv_stats_jitter_us(const struct recv_stats *s);

#endif
