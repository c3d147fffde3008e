/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp_sr.h - sender and receiver reports. Pure; any thread. RFC 3550 6.4. */
#ifndef RTP_RTCP_SR_H
#define RTP_RTCP_SR_H

#include "rtp/rtcp.h"

#define RTCP_REPORT_BLOCKS_MAX 31
#define RTCP_SR_LEN(blocks)    (28 + 24 * (size_t)(blocks))
#define RTCP_RR_LEN(blocks)    (8 + 24 * (size_t)(blocks))

/* The sender's part of an SR. */
struct rtcp_sender_info {
    uint64_t ntp;    /* 32.32 fixed point seconds since 1900 */
    uint32_t rtp_ts; /* media clock at the same moment */
    uint32_t pkts;   /* sent since the start, wrapping */
    uint32_t octets; /* payload bytes sent since the start, wrapping */
};

/*  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 * |                            SSRC                               |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | fraction lost |       cumulative number of packets lost       |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |           extended highest sequence number received           |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                      interarrival jitter                      |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                         last SR (LSR)                         |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                   delay since last SR (DLSR)                  |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+ */
struct rtcp_report_block {
    uint32_t ssrc;         /* the source reported on */
    uint8_t fraction_lost; /* of the last interval, 1/256 */
    int32_t lost;          /* since the start, -0x800000..0x7fffff */
    uint32_t highest_seq;  /* cycles << 16 | highest sequence number */
    uint32_t jitter;       /* media clock units */
    uint32_t lsr;          /* middle 32 bits of the last SR's NTP time, 0 = no SR yet */
    uint32_t dlsr;         /* time since that SR, 1/65536 s */
};

/* What an SR or RR says. */
struct rtcp_report {
    uint32_t ssrc;                  /* of the reporter */
    bool is_sr;                     /* sender is valid */
    struct rtcp_sender_info sender; /* zero in an RR */
    uint8_t n_blocks;
    struct rtcp_report_block blocks[RTCP_REPORT_BLOCKS_MAX];
};

/* Reads an SR or RR; profile-specific extensions after the blocks are ignored.
 * Returns 0; -EPROTONOSUPPORT if pkt is of another type; -EBADMSG if it is too short for its
 * blocks.
 */
int rtcp_sr_read(const struct rtcp_packet *pkt, struct rtcp_report *ret_report) MUST_CHECK;

/* Writes report: an SR if is_sr, else an RR (n_blocks 0 is an empty one). lost is clamped to 24
 * bits. Returns the bytes written, RTCP_SR_LEN or RTCP_RR_LEN of n_blocks, or -ENOSPC. */
int rtcp_sr_write(uint8_t *out, size_t cap, const struct rtcp_report *report) MUST_CHECK;

/* Round trip time of the path that block reports on, RFC 3550 6.4.1: arrival - LSR - DLSR.
 * now_ntp  arrival of the report on the clock that wrote the SR's NTP time
 * Returns microseconds; 0 if the peer's delay exceeds the time passed by up to a second (its clock
 * is coarse); -1 if the block names no SR, or says what no living path has: above 60 s, or further
 * below 0. */
int64_t rtcp_sr_rtt_us(const struct rtcp_report_block *block, uint64_t now_ntp);

#endif
