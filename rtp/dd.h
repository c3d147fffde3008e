/* SPDX-License-Identifier: Apache-2.0 */
/* dd.h - reads the AV1 Dependency Descriptor header extension (AV1 RTP payload format, appendix A):
 * which frame a packet belongs to, what the frame needs, and which decode targets need the frame.
 * The extension names templates that came with an earlier key frame, so reading keeps a state per
 * SSRC. Pure; no allocation; any thread, one at a time per state. */
#ifndef RTP_DD_H
#define RTP_DD_H

#include "rtp/base.h"

#define DD_TEMPLATES_MAX 64 /* template ids have 6 bits */
#define DD_TARGETS_MAX   32
#define DD_CHAINS_MAX    32
#define DD_FDIFFS_MAX    8 /* AV1 keeps 8 reference frames; more is malformed */
#define DD_SPATIAL_MAX   8
#define DD_TEMPORAL_MAX  8
#define DD_LEN_MIN       3   /* a descriptor that says nothing but its template and number */
#define DD_LEN_MAX       255 /* bytes of one header extension element */

/* What a frame means to each decode target; bit t of each mask is decode target t. A target in
 * present and in neither of the others requires the frame. */
struct dd_dtis {
    uint32_t present;
    uint32_t switchable; /* whoever can decode this frame can decode all later ones of the target */
    uint32_t discardable; /* no later frame of the target refers to it */
};

struct dd_template {
    uint8_t sid;
    uint8_t tid;
    uint8_t n_fdiffs;
    uint8_t fdiff[DD_FDIFFS_MAX]; /* frame numbers back, 1.. */
    struct dd_dtis dtis;
    uint8_t chain_fdiff[DD_CHAINS_MAX]; /* frame numbers back to the chain's last frame */
};

/* The template dependency structure in force. */
struct dd_structure {
    uint8_t id_offset; /* template id of template[0] */
    uint8_t n_templates;
    uint8_t n_targets;
    uint8_t n_chains;
    uint8_t n_sid;                        /* spatial layers, 1.. */
    uint8_t n_tid;                        /* temporal layers, 1.. */
    bool has_resolutions;                 /* width and height below are valid */
    uint8_t target_sid[DD_TARGETS_MAX];   /* highest spatial layer in the target */
    uint8_t target_tid[DD_TARGETS_MAX];   /* highest temporal layer in the target */
    uint8_t target_chain[DD_TARGETS_MAX]; /* the chain that protects it */
    uint32_t width[DD_SPATIAL_MAX];       /* pixels, 1..65536 */
    uint32_t height[DD_SPATIAL_MAX];      /* pixels, 1..65536 */
    struct dd_template templ[DD_TEMPLATES_MAX];
};

#define DD_RECENT 64 /* power of two */

/* Memory of one SSRC; zero-initialised, no fini. */
struct dd_state {
    bool has_structure;
    uint32_t active_targets; /* bit t: decode target t is being sent */
    struct dd_structure structure;
    /* For codec_dd.c: the frames seen lately, by frame number, and the picture in progress. */
    struct {
        uint16_t number;
        uint8_t tid;
        bool seen;
    } recent[DD_RECENT];
    uint32_t tu_ts;    /* RTP timestamp of the picture in progress */
    uint16_t tu_first; /* its first frame number seen */
    bool tu_any;
};

/* One packet's descriptor, templates resolved. */
struct dd_frame {
    bool start;          /* first packet of the frame */
    bool end;            /* last packet of the frame */
    bool structure;      /* carries a template structure: the frame starts a coded video sequence */
    bool active_present; /* carries an active decode target mask of its own */
    uint8_t template_id; /* as on the wire */
    uint16_t number;     /* frame number, wraps */
    uint8_t sid;
    uint8_t tid;
    uint8_t n_fdiffs; /* 0: depends on no other frame */
    uint8_t n_chains;
    uint16_t fdiff[DD_FDIFFS_MAX]; /* frame numbers back, 1..4096 */
    struct dd_dtis dtis;
    uint8_t chain_fdiff[DD_CHAINS_MAX];
    uint32_t width; /* of the frame's spatial layer, pixels, 0 = not said */
    uint32_t height;
};

/* Reads one descriptor. A structure and an active mask in it replace those of s, but only when the
 * whole descriptor is sound.
 * data, len  the extension element, 3..DD_LEN_MAX bytes
 * Returns 0; -EMSGSIZE if cut short; -ENOENT if no structure has come yet; -EBADMSG if it names a
 * template that is not in the structure or does not keep the limits above. s and ret_frame are
 * untouched on failure. */
int dd_read(struct dd_state *s, const uint8_t *data, size_t len,
            struct dd_frame *ret_frame) MUST_CHECK;

/* The frame number of a descriptor, without reading it; 0 if it is NULL or cut short. */
uint16_t dd_number(const uint8_t *data, size_t len);

/* Writes a copy of a descriptor whose active decode target mask is replaced or added, for a viewer
 * that is sent fewer targets than the publisher sends.
 * s          the state right after dd_read of this very descriptor
 * data, len  the descriptor
 * active     bit t: decode target t is forwarded
 * out        room for DD_LEN_MAX bytes; at most len + 5 are used
 * Returns the bytes written; -ENOSPC if they would exceed DD_LEN_MAX; -EBADMSG or -EMSGSIZE as
 * dd_read. */
int dd_write_active(const struct dd_state *s, const uint8_t *data, size_t len, uint32_t active,
                    uint8_t out[DD_LEN_MAX]) MUST_CHECK;

/* The same for one who has not read the packets before: possible for descriptors that bring their
 * structure along, and for those of three bytes, which is most.
 * n_targets  decode targets of the structure in force, for the short ones
 * Returns the bytes written, or -ENOENT for the others. */
int dd_narrow(unsigned n_targets, const uint8_t *data, size_t len, uint32_t active,
              uint8_t out[DD_LEN_MAX]) MUST_CHECK;

#endif
