/* SPDX-License-Identifier: Apache-2.0 */
/* sdpfrag.h - the body of trickle PATCHes (RFC 8840), read as leniently as real clients need
 * (README, "Quirks"). Pure; any thread. */
#ifndef SIGNALING_SDPFRAG_H
#define SIGNALING_SDPFRAG_H

#include "ice/link.h"
#include "rtp/base.h"

#define SDPFRAG_MIDS_MAX 64

struct sdpfrag {
    char ufrag[ICE_UFRAG_MAX + 1];
    char pwd[ICE_PWD_MAX + 1];
    int n_mids;
    char mids[SDPFRAG_MIDS_MAX][32]; /* a=mid values in order; may be m-line indices (MediaMTX) */
    int n_candidates; /* well-formed candidate lines; ICE-lite needs no more than their number */
    bool end_of_candidates;
};

/* Returns 0; -EBADMSG when ufrag or pwd is missing or malformed, or a line is not a line. text need
 * not be terminated. */
int sdpfrag_read(const char *text, size_t len, struct sdpfrag *ret) MUST_CHECK;

#endif
