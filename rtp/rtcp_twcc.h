/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp_twcc.h - transport-wide congestion control feedback: which packets of a transport arrived,
 * and when. Pure; any thread. draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1. */
#ifndef RTP_RTCP_TWCC_H
#define RTP_RTCP_TWCC_H

#include "rtp/rtcp.h"

#define RTCP_TWCC_HEAD_LEN 20
/* Unit of arrival times, and the largest time between two packets of one message. */
#define RTCP_TWCC_TICK_US      250
#define RTCP_TWCC_DELTA_MAX_US (32767 * RTCP_TWCC_TICK_US)
#define RTCP_TWCC_DELTA_MIN_US (-32768 * RTCP_TWCC_TICK_US)
/* Unit of the reference time. */
#define RTCP_TWCC_REF_US 64000
/* Bytes of the longest message about n packets: a chunk per 7, 2 bytes a delta, whole words. */
#define RTCP_TWCC_LEN_MAX(n)                                                                       \
    ((RTCP_TWCC_HEAD_LEN + 2 * (((size_t)(n) + 6) / 7) + 2 * (size_t)(n) + 3) / 4 * 4)

/*  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |V=2|P|  FMT=15 |    PT=205     |           length              |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                     SSRC of packet sender                     |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                      SSRC of media source                     |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |      base sequence number     |      packet status count      |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                 reference time                | fb pkt. count |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |          packet chunks ...            |   recv deltas ...     |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+ */
struct rtcp_twcc {
    uint32_t sender_ssrc;
    uint32_t media_ssrc;
    uint16_t base_seq16;   /* of the first packet reported on */
    uint16_t status_count; /* packets reported on, >= 1 */
    uint32_t ref_time;     /* 24 bits, RTCP_TWCC_REF_US each, on the receiver's clock, wrapping */
    uint8_t fb_count;      /* number of this message, wrapping */
};

/* What became of one packet. */
struct rtcp_twcc_status {
    uint16_t seq16;   /* transport-wide sequence number */
    bool received;    /* else lost, or not yet there */
    int32_t delta_us; /* arrival since that of the received packet before it in the message, the
                         first since the reference time; a multiple of RTCP_TWCC_TICK_US, may be
                         negative; 0 if not received */
};

/* Reads a feedback message into out[0..max), one entry a packet, in order of sequence numbers.
 * ret_head  may not be NULL
 * Returns the entries stored, the lesser of status_count and max (the rest is not looked at, so
 * work is bounded by max); -EPROTONOSUPPORT if pkt is no such message; -EBADMSG if it is too short
 * for its chunks or deltas, reports on nothing, or uses the reserved symbol: out is then undefined.
 */
int rtcp_twcc_read(const struct rtcp_packet *pkt, struct rtcp_twcc *ret_head,
                   struct rtcp_twcc_status *out, int max) MUST_CHECK;

/* Writes a feedback message. Padding to a whole word is zero bytes without the P bit, as the draft
 * draws it, so that the message may stand anywhere in a compound packet.
 * head      status_count is ignored
 * st, n     1..65535 statuses of consecutive packets from base_seq16 (seq16 is ignored); deltas
 *           within RTCP_TWCC_DELTA_MIN_US..MAX_US, multiples of RTCP_TWCC_TICK_US
 * Returns the bytes written or -ENOSPC, out being then undefined; RTCP_TWCC_LEN_MAX(n) suffices. */
int rtcp_twcc_write(uint8_t *out, size_t cap, const struct rtcp_twcc *head,
                    const struct rtcp_twcc_status *st, int n) MUST_CHECK;

#endif
