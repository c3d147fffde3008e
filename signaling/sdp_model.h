/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_model.h - what sdp_read makes of an offer: plain structs that negotiate*.c and sdp_write.c
 * look into. Everything in them is checked for form (tokens, ranges, lengths), nothing for sense.
 * All strings are terminated, hold no control characters, and live as long as the struct sdp. */
#ifndef SIGNALING_SDP_MODEL_H
#define SIGNALING_SDP_MODEL_H

#include "ice/cert.h"
#include "ice/link.h"
#include "rtp/base.h"
#include "rtp/codec.h"
#include "rtp/ext.h"

/* Limits (architecture §9, SDP-26); more is -E2BIG. */
#define SDP_BYTES_MAX      (128 * 1024)
#define SDP_LINE_MAX       8192
#define SDP_MEDIA_MAX      64
#define SDP_ATTRS_MAX      512 /* a= lines of one section, and of the session level */
#define SDP_FORMATS_MAX    128
#define SDP_CANDIDATES_MAX 256 /* of one section; Firefox has four for each address */
#define SDP_SSRC_LINES_MAX 256 /* of one section */
#define SDP_RIDS_MAX       16  /* of one section; more than API_LAYERS_MAX are parsed, not served */
#define SDP_MID_MAX        31  /* characters */
#define SDP_PAIRS_MAX      64  /* FID groups of one section; later ones are not looked at */
#define SDP_SIMS_MAX       16  /* SSRCs of a SIM group; later ones are not looked at */

enum sdp_kind {
    SDP_AUDIO,
    SDP_VIDEO,
    SDP_APPLICATION,
    SDP_OTHER,
};

enum sdp_direction {
    SDP_DIRECTION_NONE, /* not said */
    SDP_SENDRECV,
    SDP_SENDONLY,
    SDP_RECVONLY,
    SDP_INACTIVE,
};

enum sdp_setup {
    SDP_SETUP_NONE, /* not said */
    SDP_SETUP_ACTPASS,
    SDP_SETUP_ACTIVE,
    SDP_SETUP_PASSIVE,
    SDP_SETUP_HOLDCONN,
};

/* Feedback that an offer may ask for and Sluice knows; a set of bits. */
enum sdp_fb {
    SDP_FB_NACK = 1 << 0,
    SDP_FB_PLI = 1 << 1,
    SDP_FB_FIR = 1 << 2,
    SDP_FB_TWCC = 1 << 3,
    SDP_FB_REMB = 1 << 4,
};

/* One payload type of a section, in the order of its m-line. */
struct sdp_format {
    uint8_t pt;          /* 0..127 */
    uint8_t rtx_pt;      /* payload type of this section that repairs this one; 0: none */
    uint8_t fb;          /* enum sdp_fb, "*" lines included */
    enum codec_id codec; /* of this section's kind, else CODEC_NONE */
    const char *rtpmap;  /* "opus/48000/2" as written; NULL: none, a static payload type */
    const char *fmtp;    /* as written, printable ASCII; "" = none */
};

/* Attributes that are valid for the session and for one section, the section's winning (SDP-19). */
struct sdp_transport {
    const char *ufrag, *pwd; /* NULL: not said */
    unsigned n_fingerprints; /* with a known hash */
    struct fingerprint fingerprints[LINK_FINGERPRINTS_MAX];
    enum sdp_setup setup;
    enum sdp_direction direction;
    bool allow_mixed; /* a=extmap-allow-mixed */
};

struct sdp_ext {
    uint16_t id; /* as offered, 1..255 and not 15; 0: not offered */
    enum sdp_direction direction;
};

#define SDP_MESSAGE_DEFAULT 65536 /* a=max-message-size when absent (RFC 8841 6.1) */

struct sdp_media {
    const char *name; /* "audio", as written */
    enum sdp_kind kind;
    uint16_t port;
    const char *proto;
    const char *first_format; /* of any kind of section */
    const char *mid;          /* 1..SDP_MID_MAX token characters; "" = none */
    struct sdp_transport transport;
    bool bundle_only;
    bool in_bundle; /* named by the (first) BUNDLE group */
    bool mux;
    bool rsize;
    uint16_t sctp_port; /* a=sctp-port (RFC 8841 5); 0: none */
    /* a=max-message-size (RFC 8841 6); 0: no limit, 65536 if not said */
    uint32_t max_message_bytes;
    const char *msid_stream;          /* first MediaStream id; NULL: none, or "-" */
    struct sdp_ext ext[EXT_COUNT];    /* by enum ext_kind */
    unsigned n_rids;                  /* a=rid lines with direction send */
    const char *rids[SDP_RIDS_MAX];   /* 1..255 characters each */
    uint32_t rid_ssrcs[SDP_RIDS_MAX]; /* "ssrc=" of its line, of SDKs that munge; 0: not said */
    unsigned n_layers; /* a=simulcast send: first existing alternative of each layer */
    const char *layers[SDP_RIDS_MAX];
    unsigned n_ssrcs; /* a=ssrc, in order, neighbours differ, none is 0 */
    uint32_t ssrcs[SDP_SSRC_LINES_MAX];
    unsigned n_fids;
    struct {
        uint32_t primary, rtx;
    } fids[SDP_PAIRS_MAX];
    unsigned n_sims; /* SSRCs of the first legacy ssrc-group:SIM, each once, none is 0 */
    uint32_t sims[SDP_SIMS_MAX];
    uint8_t index_of_pt[SDP_FORMATS_MAX]; /* into formats; SDP_NO_FORMAT: not in this section */
    unsigned n_formats;                   /* audio and video only */
    struct sdp_format formats[];
};
#define SDP_NO_FORMAT 0xff

struct sdp {
    struct sdp_transport transport; /* session level */
    bool ice_lite;                  /* a=ice-lite */
    unsigned n_bundles;             /* a=group:BUNDLE lines */
    unsigned n_bundle;              /* mids of the first, in its order */
    const char *bundle[SDP_MEDIA_MAX];
    unsigned n_media; /* >= 1 */
    struct sdp_media *media[SDP_MEDIA_MAX];
    char *text; /* the offer, cut into the strings above */
};

/* The value of one parameter of an fmtp ("a=1;b=2"; names without case). Returns its start, not
 * terminated, and its length; NULL if fmtp has no such parameter. */
const char *sdp_fmtp_param(const char *fmtp, const char *name, size_t *ret_len);

/* Reads a decimal number of digits only (no sign, no blanks) at *at, at most max, and moves *at
 * behind it. False, and *at unmoved, if there is none or it is larger. The one integer parser of
 * everything that comes as SDP. */
bool sdp_uint(const char **at, uint64_t max, uint64_t *ret) MUST_CHECK;

/* True if s is 1..max characters of "token" (RFC 8866 9). */
bool sdp_is_token(const char *s, size_t max);

/* True if s is min..max ice-chars (RFC 8839 5.4), or of "-_=#", which are none, but which libwebrtc
 * takes for the sake of peers that have them. */
bool sdp_is_ice_chars(const char *s, size_t min, size_t max);

/* Cuts the next blank-separated word off *at (terminating it in place). NULL at the end. */
char *sdp_word(char **at);

/* Where the first line begins: behind a byte order mark, which some editors write. */
const char *sdp_begin(const char *text, size_t len);
/* The next line of text: start and length without its line end and the blanks before that; *at
 * moves behind it. False at the end. A line may end in LF or CR LF, the last one in nothing
 * (SDP-24). */
bool sdp_line(const char **at, const char *end, const char **ret_line, size_t *ret_len);

/* True if line holds no control characters but TAB, so that text echoed from it cannot add lines to
 * an answer. */
bool sdp_line_is_clean(const char *line, size_t len);

#endif
