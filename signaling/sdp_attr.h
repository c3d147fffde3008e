/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_attr.h - the a= lines of one level of an offer, the session's or a section's. A known
 * attribute with a wrong value refuses the whole offer where guessing could connect the wrong thing
 * (credentials, mids, rtpmap, rid); elsewhere it is left out, as unknown ones are (SDP-25). Private
 * to sdp_read.c and sdp_attr.c. Pure. */
#ifndef SIGNALING_SDP_ATTR_H
#define SIGNALING_SDP_ATTR_H

#include "signaling/sdp_model.h"

/* Where attributes go, and what has to be remembered between them. Starts with sdp and m set. */
struct sdp_attr {
    struct sdp *sdp;
    struct sdp_media *m; /* the section being read; NULL at session level */
    unsigned n_attrs;
    unsigned n_candidates, n_ssrc_lines;
    bool has_msid, has_simulcast;
    char *simulcast;              /* a=simulcast's value, looked at when all rids are known */
    bool is_rtx[SDP_FORMATS_MAX]; /* by index into formats */
    uint8_t fb_all;               /* from "a=rtcp-fb:* ..." */
    bool ext_used[256];
};

/* Reads what follows "a=", cutting it into the strings that the model points to. Returns 0,
 * -EBADMSG, or -E2BIG over a limit of sdp_model.h. */
int sdp_attr_read(struct sdp_attr *r, char *text) MUST_CHECK;
/* At the end of a section: what needs all of its lines, as attributes come in any order. Same
 * returns. */
int sdp_attr_finish(struct sdp_attr *r) MUST_CHECK;

#endif
