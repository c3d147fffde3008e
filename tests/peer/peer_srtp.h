/* SPDX-License-Identifier: Apache-2.0 */
/* peer_srtp.h - SRTP and SRTCP through libsrtp2 (RFC 3711, RFC 7714), and AES-GCM by OpenSSL's EVP
 * for load generators, where Debian's libsrtp2 (on NSS) would cost more than the server's own work.
 */
#ifndef TESTS_PEER_PEER_SRTP_H
#define TESTS_PEER_PEER_SRTP_H

#include "tests/peer/peer_dtls.h"

#define PEER_SRTP_TRAILER_MAX 32 /* room that protecting needs behind a packet */

struct peer_srtp;

/* fast: EVP for GCM profiles; AES-CM always goes through libsrtp2. Returns NULL on refusal. */
struct peer_srtp *peer_srtp_new(const struct peer_srtp_keys *k, bool fast);
void peer_srtp_free(struct peer_srtp *s);

/* In place; buf has PEER_SRTP_TRAILER_MAX bytes of room behind *len. Returns 0 or -EBADMSG. A
 * packet protected twice gets the same index again (plain retransmission). */
int peer_srtp_protect_rtp(struct peer_srtp *s, uint8_t *buf, size_t *len);
int peer_srtp_protect_rtcp(struct peer_srtp *s, uint8_t *buf, size_t *len);
/* In place. Returns 0, -EBADMSG (authentication), -EALREADY (replay, libsrtp2 only). */
int peer_srtp_open_rtp(struct peer_srtp *s, uint8_t *buf, size_t *len);
int peer_srtp_open_rtcp(struct peer_srtp *s, uint8_t *buf, size_t *len);
/* A packet that is counted but not opened: follows the sequence number, so that a later one of that
 * SSRC still opens. */
void peer_srtp_skip_rtp(struct peer_srtp *s, const uint8_t *buf, size_t len);

#endif
