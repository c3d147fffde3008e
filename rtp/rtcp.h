/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp.h - the RTCP common header and the walk over a compound packet. The messages have a file
 * each: rtcp_sr (SR, RR), rtcp_sdes, rtcp_nack, rtcp_fb (PLI, FIR, BYE), rtcp_remb, rtcp_twcc.
 * Pure; any thread. RFC 3550 6, RFC 4585 6.1. */
#ifndef RTP_RTCP_H
#define RTP_RTCP_H

#include "rtp/base.h"
#include "rtp/bytes.h"

#define RTCP_HEADER_LEN 4
/* Largest compound packet read, in bytes without the SRTCP trailer. */
#define RTCP_COMPOUND_MAX 1500

enum rtcp_type {
    RTCP_SR = 200,
    RTCP_RR = 201,
    RTCP_SDES = 202,
    RTCP_BYE = 203,
    RTCP_APP = 204,
    RTCP_RTPFB = 205, /* count is an enum rtcp_rtpfb_fmt */
    RTCP_PSFB = 206,  /* count is an enum rtcp_psfb_fmt */
    RTCP_XR = 207,
};

enum rtcp_rtpfb_fmt {
    RTCP_RTPFB_NACK = 1,
    RTCP_RTPFB_TWCC = 15,
};

enum rtcp_psfb_fmt {
    RTCP_PSFB_PLI = 1,
    RTCP_PSFB_FIR = 4,
    RTCP_PSFB_REMB = 15, /* application layer feedback; REMB by its name word */
};

/*  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |V=2|P| count   |      type     |    length in words minus 1    |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+ */
struct rtcp_packet {
    uint8_t type;         /* enum rtcp_type, or one we do not know */
    uint8_t count;        /* blocks, chunks or sources; the format of feedback messages */
    const uint8_t *body;  /* what follows the common header */
    uint16_t body_len;    /* bytes, padding excluded */
    const uint8_t *whole; /* the common header */
    uint16_t whole_len;   /* bytes, padding included */
};

struct rtcp_walk {
    const uint8_t *p;
    const uint8_t *end;
    bool failed;
};

/* Starts a walk over buf[0..len), decrypted, which must outlive it and the packets it returns. */
void rtcp_walk_init(struct rtcp_walk *w, const uint8_t *buf, size_t len);

/* The next packet of the compound. Unknown types are returned like any other: skip them. Padding is
 * taken off wherever it stands, not only in the last packet as RFC 3550 6.4.1 wants, because
 * libwebrtc sets it in every TWCC message and puts several into one compound. Returns 1 and fills
 * ret_pkt; 0 at the end; -EBADMSG, now and ever after, at a packet with a wrong version, length or
 * padding, or if the compound is longer than RTCP_COMPOUND_MAX: what was returned before stays
 * good, the rest is dropped. */
int rtcp_walk_next(struct rtcp_walk *w, struct rtcp_packet *ret_pkt) MUST_CHECK;

/* Writes the common header of a packet of len bytes in all, a multiple of 4, without padding. out
 * has room for RTCP_HEADER_LEN bytes. */
void rtcp_header_write(uint8_t *out, unsigned type, unsigned count, size_t len);

/* Starts a message at out[0..cap): takes len bytes, a multiple of 4, writes the common header and
 * returns a cursor over the rest. For the writers of this folder; a message that does not fit
 * yields a cursor with failed set. */
struct bytes_out rtcp_message_begin(uint8_t *out, size_t cap, unsigned type, unsigned count,
                                    size_t len);

#endif
