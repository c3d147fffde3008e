/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp_nack.h - generic NACK, the list of lost packets. Pure; any thread. RFC 4585 6.2.1. */
#ifndef RTP_RTCP_NACK_H
#define RTP_RTCP_NACK_H

#include "rtp/rtcp.h"

/* Bytes of the longest message for n sequence numbers. */
#define RTCP_NACK_LEN_MAX(n) (12 + 4 * (size_t)(n))

/* A NACK being read. Points into the packet. */
struct rtcp_nack {
    uint32_t sender_ssrc;
    uint32_t media_ssrc; /* whose packets are missing */
    uint16_t n_items;    /* PID+BLP pairs not yet begun */
    const uint8_t *item; /* the next pair */
    uint16_t pid;        /* of the pair under way */
    uint16_t blp;        /* its bits not yet returned */
    uint8_t bit;         /* of blp's bit 0: sequence number pid + bit */
};

/* Reads the head of a NACK.
 * Returns 0; -EPROTONOSUPPORT if pkt is no NACK; -EBADMSG if it has no whole PID+BLP pair. */
int rtcp_nack_read(const struct rtcp_packet *pkt, struct rtcp_nack *ret_nack) MUST_CHECK;

/* The next sequence number asked for, each pair in ascending order (17 at most of a pair; repeats
 * across pairs are the sender's). Returns false at the end. */
bool rtcp_nack_next(struct rtcp_nack *nack, uint16_t *ret_seq16);

/* Writes a NACK.
 * sender_ssrc  ours; not 0 (GStreamer drops those)
 * seqs, n      ascending on the 16-bit circle, n >= 1; neighbours within 16 share a pair
 * Returns the bytes written or -ENOSPC; RTCP_NACK_LEN_MAX(n) always suffices. */
int rtcp_nack_write(uint8_t *out, size_t cap, uint32_t sender_ssrc, uint32_t media_ssrc,
                    const uint16_t *seqs, int n) MUST_CHECK;

#endif
