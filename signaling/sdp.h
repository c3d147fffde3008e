/* SPDX-License-Identifier: Apache-2.0 */
/* sdp.h - session descriptions (RFC 8866): a single-pass reader over (pointer, length) without
 * recursion, into a bounded model. Pure; any thread. */
#ifndef SIGNALING_SDP_H
#define SIGNALING_SDP_H

#include "rtp/base.h"

struct sdp;

/* Reads an offer. LF-only lines, a missing last line end and blank lines are accepted (SDP-24).
 * Limits: architecture §9. Returns 0; -EBADMSG malformed (ret_line: 1-based line); -ENODATA well
 * formed, but without any m-line; -E2BIG over a limit; -ENOMEM. *ret is owned by the caller:
 * sdp_free. */
int sdp_read(const char *text, size_t len, struct sdp **ret, int *ret_line) MUST_CHECK;
void sdp_free(struct sdp *s); /* accepts NULL */

#endif
