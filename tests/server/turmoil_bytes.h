/* SPDX-License-Identifier: Apache-2.0 */
/* turmoil_bytes.h - what test_turmoil sends: text and packets that are nearly right, drawn from a
 * seeded generator. Pure. */
#ifndef TESTS_SERVER_TURMOIL_BYTES_H
#define TESTS_SERVER_TURMOIL_BYTES_H

#include "tests/peer/peer_bytes.h"

/* Uniform in [0, n); 0 for n == 0. */
unsigned turmoil_below(struct peer_rng *r, unsigned n);
/* True once in n. */
bool turmoil_once_in(struct peer_rng *r, unsigned n);
/* Random bytes, small values as often as any. */
void turmoil_fill(struct peer_rng *r, uint8_t *out, size_t len);

/* An SDP or fragment with up to max_edits lines, numbers or bytes changed. Heap text. */
char *turmoil_edit(struct peer_rng *r, const char *text, unsigned max_edits);
/* Bytes as they may stand in a path or query, percent-encoded or not, right or wrong. */
void turmoil_name(struct peer_rng *r, char *out, size_t cap);

/* One to three RTCP packets with true heads about these SSRCs, and any bodies; the last one may be
 * cut. cap: at least 1400. Returns the length. */
size_t turmoil_rtcp(struct peer_rng *r, uint32_t from, uint32_t about, uint8_t *out);
/* An RTP packet of that stream with any extensions and payload. Returns the length, up to 1300. */
size_t turmoil_rtp(struct peer_rng *r, uint8_t pt, uint16_t seq, uint32_t ssrc, uint8_t *out);
/* Value of an SCTP chunk of that type, its fields often in range. Returns the length, up to 200. */
size_t turmoil_chunk(struct peer_rng *r, uint8_t type, uint8_t *out);
/* A STUN request with a right integrity and attributes that nobody expects. Returns the length, up
 * to 600. */
size_t turmoil_stun(struct peer_rng *r, const char *user, const char *password, uint8_t *out);

#endif
