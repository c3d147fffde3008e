/* SPDX-License-Identifier: Apache-2.0 */
/* dtls.h - DTLS 1.2 (RFC 6347, RFC 5764) for one peer, both roles, through OpenSSL with a datagram
 * BIO of our own. Peers without the extended master secret are refused: no keys may be exported
 * without it (RFC 7627 5.4). Sans-I/O: datagrams in, datagrams out; the caller owns sockets, time
 * and retransmission deadlines. Role MEDIA. */
#ifndef ICE_DTLS_H
#define ICE_DTLS_H

#include "ice/cert.h"
#include "ice/seal.h"
#include "rtp/base.h"

enum dtls_role {
    DTLS_SERVER, /* a=setup:passive in our answer */
    DTLS_CLIENT, /* a=setup:active: FFmpeg offers setup:passive */
};

enum dtls_state {
    DTLS_NEW, /* nothing sent or received */
    DTLS_HANDSHAKE,
    DTLS_UP,     /* finished, peer's fingerprint verified, keys exported */
    DTLS_CLOSED, /* close_notify received or sent */
    DTLS_FAILED,
};

#define DTLS_MTU 1200 /* bytes of UDP payload per datagram we send */

struct dtls_params {
    const struct cert *cert; /* outlives the session */
    enum dtls_role role;
    /* of the peer, from its SDP; any match suffices (RFC 8122 5); copied */
    const struct fingerprint *fingerprints;
    unsigned n_fingerprints;
    bool no_media; /* only application data travels: SRTP is not needed (RFC 8261 3) */
    bool only_cm;  /* offer and accept AES-CM only (NACK without RTX, architecture §3) */
};

struct dtls;

/* Returns NULL when out of memory. At most 8 fingerprints are kept. */
struct dtls *dtls_new(const struct dtls_params *p);
void dtls_free(struct dtls *d); /* accepts NULL; zeroises */

/* Client role: starts the handshake (call once the peer's address has proved itself). No effect
 * otherwise. */
void dtls_start(struct dtls *d, int64_t now_us);

/* One datagram that RFC 7983 sorts as DTLS. It passes the pre-filter (dtls_filter.h) first; what
 * fails is dropped and counted. Application data (SCTP) is returned in place: *ret_len bytes at
 * *ret_data, valid until the next call; else *ret_len is 0. Should one datagram hold several data
 * records, a call with len 0 gives the next one. Returns the state after it. */
enum dtls_state dtls_on_datagram(struct dtls *d, int64_t now_us, const uint8_t *buf, size_t len,
                                 const uint8_t **ret_data, size_t *ret_len);

/* The next datagram to send, oldest first: bytes written to out, at most DTLS_MTU; 0 when there is
 * none. */
size_t dtls_poll(struct dtls *d, uint8_t *out, size_t cap);

/* Retransmits what is due: after 250 ms, doubling to 4 s; a handshake that is not over after 10 s
 * fails with "timeout".
 * OpenSSL keeps the time of its next retransmission in the wall clock (gettimeofday) and knows no
 * other. What it has left is translated into now_us after each call; so in tests with virtual time
 * gettimeofday has to be replaced too (tests/test_dtls.c), and a wall clock that jumps back delays
 * retransmissions. The handshake deadline is counted in now_us alone. */
void dtls_on_timer(struct dtls *d, int64_t now_us);
/* When dtls_on_timer wants to be called; INT64_MAX for never. */
int64_t dtls_next_deadline(const struct dtls *d);

enum dtls_state dtls_state(const struct dtls *d);
/* Why it failed: a fixed string for logs and counters ("fingerprint_mismatch", "no_srtp_profile",
 * "timeout", …); NULL if it has not. */
const char *dtls_fail_reason(const struct dtls *d);
/* Datagrams that the pre-filter refused since dtls_new. */
uint32_t dtls_filtered(const struct dtls *d);

/* Keys of both directions; only in DTLS_UP (only reachable after the fingerprint matched: SEC-53).
 * Returns 0, or -EAGAIN, also after dtls_shrink and where no SRTP was agreed on. RFC 5764 4.2. */
int dtls_export_keys(struct dtls *d, struct srtp_keys *ret_tx, struct srtp_keys *ret_rx) MUST_CHECK;

/* Queues application data (an SCTP packet), at most DTLS_MTU - 64 bytes. Returns 0, -EAGAIN before
 * DTLS_UP and after dtls_shrink, -EMSGSIZE (also for none). */
int dtls_send(struct dtls *d, const uint8_t *data, size_t len) MUST_CHECK;

/* Queues close_notify, twice, as nothing would repeat a lost one; poll it out. State becomes
 * DTLS_CLOSED. Nothing is sent when the handshake is not over. */
void dtls_close(struct dtls *d);

/* Frees OpenSSL's state (73 kB a session) and keeps what closing alerts need; only in DTLS_UP, and
 * only when no application data will travel. Export keys first. Closing works as before both ways;
 * a peer that lost the last flight of the handshake is no longer helped, so wait some seconds. */
void dtls_shrink(struct dtls *d);

#endif
