/* SPDX-License-Identifier: Apache-2.0 */
/* peer_sdp.h - offer text of our own, reading of any description, and a check of answers against
 * RFC 3264, RFC 8843, RFC 8853 and RFC 9725. Pure. */
#ifndef TESTS_PEER_PEER_SDP_H
#define TESTS_PEER_PEER_SDP_H

#include "tests/peer/peer_media.h"

#define PEER_SDP_MEDIA_MAX  32
#define PEER_SDP_CODECS_MAX 64
#define PEER_SDP_CANDS_MAX  16
#define PEER_LAYERS_MAX     4
#define PEER_SDP_TEXT_MAX   49152

/* Header extensions that the peer uses; also the order of their ids in our offers. */
enum peer_ext {
    PEER_EXT_LEVEL,
    PEER_EXT_ABS_TIME,
    PEER_EXT_TWCC,
    PEER_EXT_MID,
    PEER_EXT_RID,
    PEER_EXT_RRID,
    PEER_EXT_COUNT
};
const char *peer_ext_uri(enum peer_ext e);

struct peer_sdp_codec {
    uint8_t pt;
    char name[16];
    uint32_t clock_hz;
    int apt; /* RTX: the payload type it repairs; -1 = none */
    bool nack, pli, fir, twcc, remb;
};

struct peer_sdp_media {
    char kind[12]; /* "audio", "video", "application" */
    bool rejected; /* port 0 without bundle-only */
    char mid[33];
    char direction[9]; /* "" = absent */
    unsigned n_codecs;
    struct peer_sdp_codec codecs[PEER_SDP_CODECS_MAX];
    uint8_t ext[PEER_EXT_COUNT]; /* ids; 0 = not there */
    uint8_t ext_ids[32];         /* all ids, known or not */
    unsigned n_exts;
    bool rtcp_mux, rtcp_rsize;
    char ufrag[257], pwd[257], setup[10];
    char fingerprint_alg[12], fingerprint[200];
    uint32_t ssrc, rtx_ssrc; /* first announced, and its FID partner; 0 = none */
    char rids[PEER_LAYERS_MAX][17];
    unsigned n_rids;
    char simulcast[96]; /* "" = absent */
    unsigned n_simulcast_lines;
    char msid[160];
    uint16_t sctp_port;     /* application; 0 = absent */
    uint32_t message_bytes; /* a=max-message-size; 0 = absent */
};

struct peer_sdp_cand {
    bool tcp;
    char ip[64];
    uint16_t port;
    uint32_t priority;
    char type[8];
};

struct peer_sdp {
    bool ice_lite;
    bool mixed;       /* extmap-allow-mixed */
    char bundle[256]; /* "" = no group */
    unsigned n_cands;
    struct peer_sdp_cand cands[PEER_SDP_CANDS_MAX];
    bool end_of_candidates;
    const char *fault; /* syntax seen as wrong by this reader; NULL = none */
    unsigned n_media;
    struct peer_sdp_media media[PEER_SDP_MEDIA_MAX];
};

/* Reads a description or a trickle fragment. Returns 0; -EBADMSG when it is neither. */
int peer_sdp_read(const char *text, size_t len, struct peer_sdp *ret);

/* What our side says about itself. Strings are the caller's. */
struct peer_sdp_local {
    bool publish;
    unsigned n_audio, n_video;
    unsigned codecs; /* bit 1 << enum peer_codec: video codecs to offer, in the enum's order */
    const char *ufrag, *pwd, *fingerprint;
    const char *setup; /* "actpass", "active", "passive" */
    const char *ip;    /* host candidate; NULL = none in the text */
    uint16_t port;
    bool rtx, nack, twcc;
    bool extensions;
    bool rsize;
    bool ssrc_lines;
    const char *cname;
    unsigned n_layers; /* > 1: simulcast */
    bool sim_group;    /* of SSRCs, instead of rids */
    const char *rids[PEER_LAYERS_MAX];
    uint32_t audio_ssrc;
    uint32_t video_ssrc[PEER_LAYERS_MAX];
    uint32_t rtx_ssrc[PEER_LAYERS_MAX];
    uint64_t session_id;
    bool data;              /* a section for data channels, the last */
    uint32_t message_bytes; /* our a=max-message-size; 0 = not said */
};

/* Return the length of the terminated text, 0 if it does not fit. */
size_t peer_sdp_offer(const struct peer_sdp_local *l, char *out, size_t cap);
/* The answer of a peer that plays the server (ICE-lite): takes the first codec of ours that each
 * section offers, echoes known extensions. */
size_t peer_sdp_answer(const struct peer_sdp_local *l, const struct peer_sdp *offer, char *out,
                       size_t cap);
/* application/trickle-ice-sdpfrag (RFC 8840 9) with our credentials and, if ip is set, one
 * candidate. */
size_t peer_sdp_fragment(const struct peer_sdp_local *l, char *out, size_t cap);

/* Whether the answer fits the offer. Returns NULL, or what is wrong with it. */
const char *peer_sdp_fault(const struct peer_sdp *offer, const struct peer_sdp *answer);

#endif
