/* SPDX-License-Identifier: Apache-2.0 */
/* negotiate.h - offer x policy -> answer and the session that the media plane will serve (RFC 3264,
 * RFC 9429, RFC 9725). Pure: no I/O, no clock, no randomness of its own; the same inputs give the
 * same answer. Any thread. */
#ifndef SIGNALING_NEGOTIATE_H
#define SIGNALING_NEGOTIATE_H

#include "rtp/base.h"
#include "sfu/api.h"

struct sdp;

/* Why an offer was refused: becomes problem+json. */
struct negotiate_refusal {
    int status;       /* HTTP: 400 or 422 */
    const char *type; /* last part of the problem type: "sdp-malformed", "bundle-required",
                         "mux-required", "direction", "too-many-tracks", "no-codec", "setup" */
    char detail[256]; /* a sentence that says what to do; printable ASCII, quotes peer text only
                         after cleaning */
};

#define NEGOTIATE_CANDIDATES_MAX 16

struct negotiate_params {
    /* ours; local credentials of creds are set by the caller (owner_make_creds), remote ones come
     * from the offer */
    struct ice_creds creds;
    const struct fingerprint *fingerprint;
    int n_candidates;
    struct {
        struct addr addr; /* host candidates, in the order to be written (standards ICE-13) */
        bool tcp;         /* passive */
    } candidates[NEGOTIATE_CANDIDATES_MAX];
    uint64_t sdp_session_id; /* random, 63 bit: the o= line */
    /* policy */
    int n_video_codecs;
    bool own_codec;                /* publish: the client chooses among the codecs of the answer */
    enum codec_id video_codecs[8]; /* allowed, server's preference first */
    bool prefer_offer_order;
    bool video_orientation;
    bool h264_relaxed;
    const char *denied[2];    /* publish, by enum media_kind: the right that the token lacks for it
                                 (fixed word); NULL: permitted */
    enum codec_id room_codec; /* video codec that the room has agreed on: before all others where it
                                 is offered; CODEC_NONE: free */
    bool opaque;              /* publish: payloads are encrypted end to end */
    bool slots; /* play: every section is a slot with a stream id of its own, audio is Opus only */
    unsigned max_audio_slots, max_video_slots;
    /* session */
    uint64_t id, stream;
    char label[64];
    char cname[API_CNAME_MAX]; /* play */
    /* play: random; SSRCs are derived from it, collision-free within the session */
    uint32_t ssrc_seed;
    uint32_t max_kbps;
    bool data;                       /* accept a data channel section */
    uint32_t data_max_message_bytes; /* told as a=max-message-size */
    char data_room[API_NAME_MAX];    /* whom messages reach */
    char data_name[API_NAME_MAX];    /* who sends them */
};

/* What a stream carries, as its publisher's answer said: the input for answering viewers. */
struct negotiate_source {
    bool known;        /* false: nobody publishes yet; all allowed codecs are answered */
    bool audio, video; /* the publisher has such a track */
    struct api_codec audio_codec, video_codec;
    uint8_t n_rids; /* simulcast layers of the video */
    char rids[API_LAYERS_MAX][API_RID_MAX];
    bool audio_level; /* packets tell how loud they are (RFC 6464) */
};

struct negotiate_result {
    struct api_session *session; /* heap; hand it to the plane or free(3) it */
    char *answer; /* heap, CRLF, below 8192 bytes for offers of one audio and one video section */
    struct negotiate_source source; /* publish: what this publisher brings */
};

/* WHIP. Returns 0; -EPROTO with *ret_why filled; -ENOMEM. An offer of nothing but a data channel is
 * taken where data channels are on. */
int negotiate_publish(const struct sdp *offer, const struct negotiate_params *p,
                      struct negotiate_result *ret, struct negotiate_refusal *ret_why) MUST_CHECK;
/* WHEP. Sections beyond the first of each kind, or with slots beyond so many, are answered with
 * port 0. Same returns. */
int negotiate_play(const struct sdp *offer, const struct negotiate_params *p,
                   const struct negotiate_source *src, struct negotiate_result *ret,
                   struct negotiate_refusal *ret_why) MUST_CHECK;

/* The answer to an ICE restart (application/trickle-ice-sdpfrag, RFC 9725 4.3.3): our new
 * credentials, candidates, ice-options as in the first answer. mid: of the BUNDLE-tagged section;
 * data: it is a data channel's, of no media kind. Heap text, or NULL. */
char *negotiate_restart_fragment(const struct negotiate_params *p, const char *mid,
                                 enum media_kind kind, bool data);

#endif
