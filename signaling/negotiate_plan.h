/* SPDX-License-Identifier: Apache-2.0 */
/* negotiate_plan.h - what negotiate_publish.c and negotiate_play.c share: the checks that both
 * protocols make of an offer, and the session and answer at the end. Internal to negotiate*.c.
 *
 *   negotiate_begin (form, BUNDLE, payload types) -> the caller accepts sections
 *   -> negotiate_build (transport, session, mid, extensions) -> the caller fills codecs and SSRCs
 *   -> negotiate_finish (answer) */
#ifndef SIGNALING_NEGOTIATE_PLAN_H
#define SIGNALING_NEGOTIATE_PLAN_H

#include "rtp/base.h"
#include "signaling/negotiate.h"
#include "signaling/sdp_model.h"

struct negotiate_plan {
    const struct sdp *offer;
    const struct negotiate_params *p;
    enum api_role role;
    struct negotiate_refusal *why;
    unsigned n_accepted;
    uint8_t accepted[SDP_MEDIA_MAX]; /* m-line indices, rising */
    int data;                        /* m-line index of the data channel section, -1: none */
    uint8_t tag;                     /* m-line index of the BUNDLE-tagged section */
    struct api_session *session;     /* from negotiate_build on */
};

/* Fills *why (detail cleaned to printable ASCII) and returns -EPROTO. */
int negotiate_refuse(struct negotiate_refusal *why, int status, const char *type, const char *fmt,
                     ...) PRINTF_LIKE(4, 5);

/* Checks what holds for the whole offer. Returns 0 or -EPROTO. */
int negotiate_begin(struct negotiate_plan *plan) MUST_CHECK;

/* True if the section is audio or video and not rejected by its offerer (port 0 without
 * bundle-only, SDP-04, SDP-05). */
bool negotiate_is_media(const struct sdp *offer, const struct sdp_media *m);

/* The section's direction: its own, else the session's, else sendrecv. */
enum sdp_direction negotiate_direction(const struct sdp *offer, const struct sdp_media *m);

/* "audio" or "video". */
const char *negotiate_kind_name(const struct sdp_media *m);

/* Chooses the transport and makes plan->session from the accepted sections: all of it but codecs,
 * SSRCs and rids. Returns 0, -EPROTO, -ENOMEM. */
int negotiate_build(struct negotiate_plan *plan) MUST_CHECK;

/* Writes the answer and moves the session to ret. Returns 0 or -ENOMEM. */
int negotiate_finish(struct negotiate_plan *plan, struct negotiate_result *ret) MUST_CHECK;

/* ---- negotiate_codec.c ---- */

/* Appends the section's format to line->codecs, with its RTX, feedback and fmtp, but for parameter
 * sets: they are no terms. False if it is there already, or the list is full. */
bool negotiate_codec_add(struct api_mline *line, const struct sdp_media *m,
                         const struct sdp_format *f);

/* Those of f's parameters that tell parameter sets (RFC 6184 8.1, RFC 7798 7.1). */
void negotiate_codec_sprop(const struct sdp_format *f, char out[API_SPROP_MAX]);

/* The RED format of an audio section whose blocks are all of payload type opus_pt; NULL if none. */
const struct sdp_format *negotiate_codec_red(const struct sdp_media *m, uint8_t opus_pt);

/* The best format of codec id in the section: H264 with packetization-mode 1 and, if the server
 * chooses, constrained baseline; else the first offered. NULL if none. */
const struct sdp_format *negotiate_codec_best(const struct sdp_media *m, enum codec_id id,
                                              bool by_offer);

/* True if the video codec may be used by this server. All audio codecs may. */
bool negotiate_codec_allowed(const struct negotiate_params *p, enum codec_id id);

/* True if f's H264 profile-level-id names the same profile, and its packetization-mode is the same,
 * as those of fmtp. */
bool negotiate_codec_h264_exact(const char *fmtp, const struct sdp_format *f);

/* True if f and a stream of H264 fmtp have profiles that every common decoder knows, from baseline
 * to High, and the stream has no packetization-mode 1 for a receiver of mode 0. */
bool negotiate_codec_h264_common(const char *fmtp, const struct sdp_format *f);

/* Of two that are common: true if f is of the same or a higher profile, baseline counting as
 * constrained baseline. */
bool negotiate_codec_h264_upward(const char *fmtp, const struct sdp_format *f);

/* The order in which a publisher's and a viewer's codecs of one kind are tried. Returns the number
 * of ids written, at most CODEC_COUNT. */
unsigned negotiate_codec_order(const struct negotiate_plan *plan, const struct sdp_media *m,
                               enum codec_id ret[CODEC_COUNT]);

#endif
