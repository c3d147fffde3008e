/* SPDX-License-Identifier: Apache-2.0 */
/* codec.h - the one table of codecs. Nothing outside rtp/codec*.c branches on a codec: a new one is
 * a new row here, and a column is added when a row does not suffice. Pure; any thread. */
#ifndef RTP_CODEC_H
#define RTP_CODEC_H

#include "rtp/base.h"

enum media_kind {
    MEDIA_AUDIO,
    MEDIA_VIDEO,
};

enum codec_id {
    CODEC_NONE,
    CODEC_OPUS,
    CODEC_RED, /* RFC 2198 carrying Opus */
    CODEC_G722,
    CODEC_PCMU,
    CODEC_PCMA,
    CODEC_VP8,
    CODEC_VP9,
    CODEC_H264,
    CODEC_H265,
    CODEC_AV1,
    CODEC_COUNT
};

/* Decode targets of one encoding. Target 0 is "everything"; 1.. are the codec's own smaller cuts,
 * best first. */
#define DT_MAX 12

enum desc_flags {
    DESC_KEYFRAME = 1 << 0,    /* packet belongs to a frame that decodes without any earlier one */
    DESC_FRAME_START = 1 << 1, /* first packet of a frame (of one spatial layer's frame for SVC) */
    DESC_FRAME_END = 1 << 2,   /* last packet of a frame */
    DESC_ENTRY = 1 << 3, /* a receiver may start or switch to this encoding at this very packet: the
                            first packet of a key frame, parameter sets included (the SPS packet of
                            H.264, not the IDR after it) */
    DESC_HAS_PIC_ID = 1 << 4,
    DESC_HAS_TL0 = 1 << 5,
    DESC_HAS_KEYIDX = 1 << 6,
    DESC_DISCARDABLE = 1 << 7, /* no later frame refers to it */
};

/* What one packet is, in the terms that layer choice needs. Filled once per published packet. */
struct pkt_desc {
    uint16_t dt_mask; /* bit d: packet belongs to decode target d; 0 for padding-only packets */
    uint16_t sw_mask; /* bit d: a receiver may enter target d at this packet */
    uint8_t flags;    /* enum desc_flags */
    uint8_t sid;      /* spatial layer, 0 = lowest */
    uint8_t tid;      /* temporal layer, 0 = base */
    uint8_t head_len; /* bytes at the payload's start that codec_info.rewrite replaces; 0 = nothing
                         to rewrite */
    uint16_t
        pic_id; /* VP8/VP9 picture id as on the wire (7 or 15 bit), valid with DESC_HAS_PIC_ID */
    uint8_t tl0_idx; /* valid with DESC_HAS_TL0 */
    uint8_t key_idx; /* VP8 KEYIDX, valid with DESC_HAS_KEYIDX */
    uint16_t width;  /* pixels, from a key frame that says so; else 0 */
    uint16_t height;
};

/* What describing the next packet of an encoding needs to remember. One per published SSRC;
 * zero-initialised. */
struct describe {
    uint32_t last_ts;    /* media clock */
    bool any;            /* a packet has been described */
    bool in_keyframe;    /* the frame at last_ts is a key frame */
    bool params_seen;    /* parameter sets seen at last_ts (H.264, H.265) */
    bool last_marker;    /* the packet before ended its frame */
    uint8_t n_dt;        /* decode targets in use, >= 1 */
    uint8_t n_sid;       /* spatial layers in this stream, >= 1 */
    uint8_t n_tid;       /* temporal layers, >= 1 */
    struct dd_state *dd; /* dependency descriptor templates; owned here, allocated by describe_init,
                            NULL for audio */
};

/* Prepares d for a codec; allocates d->dd for video. Returns 0 or -ENOMEM. */
int describe_init(struct describe *d, enum codec_id codec) MUST_CHECK;

/* Frees what describe_init allocated. Harmless on a zeroed or finished d. */
void describe_fini(struct describe *d);

/* One packet as the describer sees it; all pointers into the packet. */
struct describe_in {
    const uint8_t *payload;
    size_t len;  /* bytes of payload, > 0 */
    uint32_t ts; /* RTP timestamp */
    uint16_t seq16;
    bool marker;
    const uint8_t *dd; /* dependency descriptor extension, or NULL */
    uint8_t dd_len;
};

/* VP8 picture id, TL0PICIDX and KEYIDX to write instead of the packet's own. */
struct codec_ids {
    uint16_t pic_id; /* 15 bit */
    uint8_t tl0_idx;
    uint8_t key_idx; /* 5 bit */
};

#define CODEC_HEAD_MAX 8

struct codec_info {
    enum codec_id id;
    enum media_kind kind;
    const char *name; /* SDP encoding name, compared without case */
    uint32_t clock_hz;
    uint8_t channels;  /* SDP third field; 1 when it is left out */
    int16_t static_pt; /* RFC 3551 payload type that needs no rtpmap, or -1 */
    uint8_t dt_count;  /* decode targets that the payload itself can show, >= 1 */
    /* Fills ret (already zeroed, dt_mask and sw_mask preset to everything). Returns 0, or -EBADMSG
     * if the payload descriptor does not parse: the packet is then dropped and counted. Never reads
     * past len. */
    int (*describe)(struct describe *d, const struct describe_in *in, struct pkt_desc *ret);
    /* Writes a codec descriptor that replaces the first desc->head_len payload bytes. Returns its
     * length, at most CODEC_HEAD_MAX. NULL when the codec has nothing to rewrite. */
    uint8_t (*rewrite)(const uint8_t *payload, const struct pkt_desc *desc,
                       const struct codec_ids *ids, uint8_t out[CODEC_HEAD_MAX]);
    /* True when a stream described by fmtp a can be decoded by a receiver that asked for fmtp b (""
     * = none given). Both are the text after "a=fmtp:PT ". NULL: any fmtp matches. RFC 6184 8.2.2,
     * RFC 9628 7, AV1 RTP 7.2, RFC 7798 7.1.
     */
    bool (*fmtp_match)(const char *a, const char *b);
};

/* The row of id; never NULL for a valid id (CODEC_NONE has a row that forwards opaquely). */
const struct codec_info *codec_info(enum codec_id id);

/* The codec named by an rtpmap, e.g. ("VP8", 90000, 1); CODEC_NONE if Sluice does not forward it.
 * name is not terminated. */
enum codec_id codec_find(const char *name, size_t name_len, uint32_t clock_hz, unsigned channels);

/* The codec of a static payload type without rtpmap (RFC 3551), or CODEC_NONE. */
enum codec_id codec_find_static(unsigned pt);

/* Describes one packet: chooses the dependency descriptor where there is one, the codec's payload
 * descriptor else. Returns 0, or -EBADMSG (drop and count). */
int codec_describe(enum codec_id id, struct describe *d, const struct describe_in *in,
                   struct pkt_desc *ret_desc) MUST_CHECK;

#endif
