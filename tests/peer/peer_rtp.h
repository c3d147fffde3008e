/* SPDX-License-Identifier: Apache-2.0 */
/* peer_rtp.h - RTP packets with header extensions (RFC 3550 5.1, RFC 8285) and RTCP packets
 * (RFC 3550 6, RFC 4585 6, RFC 5104 4.3, TWCC and REMB drafts), written and read. Pure. */
#ifndef TESTS_PEER_PEER_RTP_H
#define TESTS_PEER_PEER_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_PACKET_MAX 1500
#define PEER_EXTS_MAX   16

struct peer_rtp_ext {
    uint8_t id;
    uint8_t len;
    const uint8_t *data;
};

struct peer_rtp {
    uint8_t pt;
    bool marker;
    uint16_t seq;
    uint32_t ts;
    uint32_t ssrc;
    unsigned n_exts;
    struct peer_rtp_ext exts[PEER_EXTS_MAX]; /* point into the packet */
    const uint8_t *payload;                  /* padding already taken off */
    size_t payload_len;
    size_t padding;
};

/* Reads a plaintext packet. Returns 0 or -EBADMSG. With only_header the payload is left out, as for
 * a packet that is still encrypted. */
int peer_rtp_read(const uint8_t *buf, size_t len, bool only_header, struct peer_rtp *ret);
/* The extension with this id; NULL if absent or id is 0. */
const struct peer_rtp_ext *peer_rtp_ext(const struct peer_rtp *r, uint8_t id);
/* Writes header, extensions (one-byte form unless an element needs the other) and payload. Returns
 * the length, 0 if it does not fit. */
size_t peer_rtp_write(const struct peer_rtp *r, uint8_t *out, size_t cap);
/* Writes header and extensions only: the payload follows. Same returns. */
size_t peer_rtp_write_head(const struct peer_rtp *r, uint8_t *out, size_t cap);

enum peer_rtcp_type {
    PEER_RTCP_SR = 200,
    PEER_RTCP_RR = 201,
    PEER_RTCP_SDES = 202,
    PEER_RTCP_BYE = 203,
    PEER_RTCP_RTPFB = 205,
    PEER_RTCP_PSFB = 206,
};

enum {
    PEER_RTPFB_NACK = 1,
    PEER_RTPFB_TWCC = 15,
    PEER_PSFB_PLI = 1,
    PEER_PSFB_FIR = 4,
    PEER_PSFB_AFB = 15, /* REMB */
};

/* One packet of a compound, still in wire form. */
struct peer_rtcp {
    uint8_t type;
    uint8_t count;       /* or FMT */
    uint32_t ssrc;       /* sender */
    const uint8_t *body; /* after the sender's SSRC */
    size_t body_len;
};

/* The packet at *at, which moves on. Returns 1; 0 at the end; -EBADMSG. */
int peer_rtcp_next(const uint8_t *buf, size_t len, size_t *at, struct peer_rtcp *ret);

/* A report block (RFC 3550 6.4.1). */
struct peer_report {
    uint32_t ssrc;
    uint8_t fraction_lost;
    int32_t total_lost;
    uint32_t highest_seq;
    uint32_t jitter;
    uint32_t lsr;
    uint32_t dlsr;
};

#define PEER_REPORT_BYTES 24
void peer_report_read(const uint8_t *p, struct peer_report *ret);

/* An RTCP compound under construction. */
struct peer_rtcp_out {
    uint8_t buf[PEER_PACKET_MAX];
    size_t len;
};

struct peer_sr {
    uint32_t ssrc;
    uint64_t ntp;
    uint32_t ts;
    uint32_t packets;
    uint32_t octets;
};

/* Each appends one packet; silently nothing when the compound is full. */
void peer_rtcp_put_sr(struct peer_rtcp_out *o, const struct peer_sr *sr);
void peer_rtcp_put_rr(struct peer_rtcp_out *o, uint32_t ssrc, const struct peer_report *r,
                      unsigned n);
void peer_rtcp_put_sdes(struct peer_rtcp_out *o, uint32_t ssrc, const char *cname);
void peer_rtcp_put_bye(struct peer_rtcp_out *o, uint32_t ssrc);
void peer_rtcp_put_pli(struct peer_rtcp_out *o, uint32_t sender, uint32_t media);
void peer_rtcp_put_fir(struct peer_rtcp_out *o, uint32_t sender, uint32_t media, uint8_t nr);
/* seqs ascending; each is asked for once, packed into PID and BLP pairs. */
void peer_rtcp_put_nack(struct peer_rtcp_out *o, uint32_t sender, uint32_t media,
                        const uint16_t *seqs, unsigned n);
void peer_rtcp_put_remb(struct peer_rtcp_out *o, uint32_t sender, uint32_t media, uint64_t bps);

/* TWCC feedback: arrival of n consecutive sequence numbers from base on; -1 = not received, else
 * microseconds on the receiver's clock. n <= PEER_TWCC_MAX; arrivals may be out of order. */
#define PEER_TWCC_MAX 256
struct peer_twcc {
    uint16_t base;
    uint16_t n;
    uint8_t fb_count;
    int64_t at_us[PEER_TWCC_MAX];
};
void peer_rtcp_put_twcc(struct peer_rtcp_out *o, uint32_t sender, uint32_t media,
                        const struct peer_twcc *t);
/* Reads the body of an RTPFB 15. Times are relative to the reference time's zero. Returns 0 or
 * -EBADMSG (truncated, or deltas and statuses that disagree); -E2BIG for more than PEER_TWCC_MAX.
 */
int peer_twcc_read(const struct peer_rtcp *r, struct peer_twcc *ret);

#endif
