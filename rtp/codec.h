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
 * best first: by highest spatial layer, then by highest temporal layer. With one spatial layer
 * target 1 is the first cut below everything; with several it is the highest layers alone, which is
 * less than everything where upper layers do not build on the lower ones (K-SVC, S modes). When
 * there are more combinations than room, each spatial layer keeps its best temporal cuts. */
#define DT_MAX   12
#define DT_ALL   ((uint16_t)((1 << DT_MAX) - 1))
#define DT_NO_DD 0xff

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
    uint16_t dt_mask; /* bit d: packet belongs to decode target d; 0 for padding-only packets. Bit 0
                         and the bits from describe.n_dt on are set in every other packet, so that a
                         target that vanished means everything */
    uint16_t sw_mask; /* bit d: a receiver of any target of this encoding may enter target d at this
                         packet */
    uint16_t tsw_mask; /* as sw_mask, for a receiver of a target with the same highest spatial layer
                          (describe.dt_sid); holds sw_mask's bits too */
    uint8_t flags;     /* enum desc_flags */
    uint8_t sid;       /* spatial layer, 0 = lowest */
    uint8_t tid;       /* temporal layer, 0 = base */
    uint8_t head_len;  /* bytes at the payload's start that codec_info.rewrite replaces; 0 = nothing
                          to rewrite */
    uint16_t pic_id;   /* VP8/VP9 picture id, 15 bit (7-bit ids are unwrapped to the nearest), valid
                          with DESC_HAS_PIC_ID */
    uint8_t tl0_idx;   /* valid with DESC_HAS_TL0 */
    uint8_t key_idx;   /* VP8 KEYIDX, valid with DESC_HAS_KEYIDX */
    uint16_t frame_no; /* of the dependency descriptor, 0 without one */
    uint16_t width;    /* pixels of the largest layer, from a key frame that says so; else 0 */
    uint16_t height;
};

/* What describing the next packet of an encoding needs to remember. One per published SSRC;
 * zero-initialised. */
struct describe {
    bool opaque;      /* payloads are encrypted end to end: none is looked into. Set by the caller
                         after describe_init */
    uint32_t last_ts; /* media clock */
    bool any;         /* a packet has been described */
    bool in_keyframe; /* the frame at last_ts is a key frame */
    bool params_seen; /* the packet to enter the frame at last_ts was already seen: its parameter
                         sets, or the start of its first slice (H.264, H.265) */
    bool last_marker; /* the packet before ended its frame */
    bool has_key;     /* key_ts is valid */
    bool from_dd;     /* the targets below are those of the dependency descriptor */
    bool has_pic_ref; /* pic_ref is valid */
    uint16_t last_seq16;    /* newest sequence number */
    uint32_t backward;      /* pictures sent behind one that is shown later: B frames */
    uint16_t pic_ref;       /* newest picture id, 15 bit */
    uint32_t key_ts;        /* timestamp of the newest key frame, for its packets that come late */
    uint8_t n_dt;           /* decode targets in use, >= 1 */
    uint8_t n_sid;          /* spatial layers in this stream, >= 1 */
    uint8_t n_tid;          /* temporal layers, >= 1 */
    uint16_t active_mask;   /* bit d: target d is being sent, as the dependency descriptor says; all
                               ones without one */
    uint8_t dt_sid[DT_MAX]; /* highest spatial layer in target d, d < n_dt */
    uint8_t dt_tid[DT_MAX]; /* highest temporal layer in target d, d < n_dt */
    uint8_t dt_dd[DT_MAX];  /* decode target of the dependency descriptor behind d, with from_dd;
                               DT_NO_DD for "everything" where no decode target is that */
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

/* VP8 and VP9 picture id, TL0PICIDX and (VP8) KEYIDX to write instead of the packet's own. */
struct codec_ids {
    /* 15 bit, and written so. VP8: also written where the source had none, because a stream spliced
     * from several sources must not mix frames with and without */
    uint16_t pic_id;
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
    /* A sender that writes the dependency descriptor leaves picture ids out of the payload
     * (libwebrtc's VP8), which viewers without it need: not to be negotiated with publishers. */
    bool no_dd;
    /* Picture ids of what a receiver gets must follow each other: it takes a jump for a lost frame
     * and waits (libwebrtc's VP8). */
    bool dense_ids;
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
 * name is not terminated. channels 0: not told, any (Opus has 2, RFC 7587 7, but some leave it
 * out).
 */
enum codec_id codec_find(const char *name, size_t name_len, uint32_t clock_hz, unsigned channels);

/* The codec of a static payload type without rtpmap (RFC 3551), or CODEC_NONE. */
enum codec_id codec_find_static(unsigned pt);

/* The smallest target that holds layer (sid, tid) and all below it: for a receiver that asks for a
 * layer instead of a target. 0 if only "everything" does. */
unsigned codec_find_target(const struct describe *d, uint8_t sid, uint8_t tid);

/* H.264 profiles that browsers tell apart, RFC 6184 table 5, in rising order: a decoder of one can
 * in practice decode those before it (of baseline, the part without FMO and ASO that encoders use).
 */
enum h264_profile {
    H264_CONSTRAINED_BASELINE,
    H264_BASELINE,
    H264_MAIN,
    H264_CONSTRAINED_HIGH,
    H264_HIGH,
    H264_OTHER, /* High 10, High 4:4:4 ...: comparable by equality of the whole profile only */
};

/* The profile that an H.264 fmtp names; without profile-level-id the default of RFC 6184 8.1,
 * H264_BASELINE. Returns an enum h264_profile, or -EBADMSG if profile-level-id is not 6 hex digits.
 */
int codec_h264_profile(const char *fmtp);

/* Describes one packet: chooses the dependency descriptor where there is one, the codec's payload
 * descriptor else. Of an opaque stream only the former is read; where it has none either, nothing
 * is known of its frames but where they begin, and each counts as an entry. Returns 0, or -EBADMSG
 * (drop and count). */
int codec_describe(enum codec_id id, struct describe *d, const struct describe_in *in,
                   struct pkt_desc *ret_desc) MUST_CHECK;

#endif
