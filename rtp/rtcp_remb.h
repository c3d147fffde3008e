/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp_remb.h - receiver estimated maximum bitrate. Pure; any thread.
 * draft-alvestrand-rmcat-remb-03.
 */
#ifndef RTP_RTCP_REMB_H
#define RTP_RTCP_REMB_H

#include "rtp/rtcp.h"

#define RTCP_REMB_LEN(n)    (20 + 4 * (size_t)(n))
#define RTCP_REMB_SSRCS_MAX 255

/* A REMB as read. Points into the packet. */
struct rtcp_remb {
    uint32_t sender_ssrc;
    uint64_t bps;         /* INT64_MAX if the number on the wire is larger */
    uint8_t n_ssrcs;      /* streams it applies to */
    const uint8_t *ssrcs; /* 4 bytes each, network order: bytes_load32(ssrcs + 4 * i) */
};

/* Reads a REMB.
 * Returns 0; -EPROTONOSUPPORT if pkt is no REMB (other application feedback included); -EBADMSG if
 * it is too short for its count. */
int rtcp_remb_read(const struct rtcp_packet *pkt, struct rtcp_remb *ret_remb) MUST_CHECK;

/* Writes a REMB for n >= 1 streams, at most RTCP_REMB_SSRCS_MAX.
 * bps  rounded down to 18 significant bits, as the wire has no more
 * Returns RTCP_REMB_LEN(n) or -ENOSPC. */
int rtcp_remb_write(uint8_t *out, size_t cap, uint32_t sender_ssrc, uint64_t bps,
                    const uint32_t *ssrcs, int n) MUST_CHECK;

#endif
