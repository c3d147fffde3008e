/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_write.h - bounded, append-only text, and the answers and fragments made with it. Pure; any
 * thread. */
#ifndef SIGNALING_SDP_WRITE_H
#define SIGNALING_SDP_WRITE_H

#include "rtp/base.h"
#include "signaling/negotiate.h"

struct sdp;

/* An answer of 64 accepted sections with 8 codecs each stays below this. */
#define SDP_WRITE_MAX (256 * 1024)

/* Text under construction; grows on the heap up to SDP_WRITE_MAX bytes. Zero-initialise. The first
 * failure sticks: later calls do nothing, and sdp_write_take says so. */
struct sdp_write {
    char *text; /* terminated */
    size_t len, cap;
    bool failed;
};

/* Appends formatted text. */
void sdp_write_fmt(struct sdp_write *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The finished text, to be freed by the caller; NULL (and everything freed) if any append failed.
 * w is empty afterwards. */
char *sdp_write_take(struct sdp_write *w);

/* Host candidates (RFC 8839 5.1, RFC 6544 4.5 for TCP passive), priorities falling in the order
 * given, so that the preferred one is first for clients that look no further (FFmpeg).
 * n_max  at most so many lines */
void sdp_write_candidates(struct sdp_write *w, const struct negotiate_params *p, int n_max);

/* The answer to offer: m-lines in s are accepted as s says, all others get port 0.
 * tag  index of the m-line whose transport the BUNDLE uses: the one with candidates
 * Returns heap text, or NULL when out of memory. standards §4. */
char *sdp_write_answer(const struct sdp *offer, const struct negotiate_params *p,
                       const struct api_session *s, unsigned tag);

#endif
