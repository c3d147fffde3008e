/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "rtp/bits.h"
#include "rtp/codec_ops.h"

/* Payload descriptor, RFC 9628 4.2:
 *     +-+-+-+-+-+-+-+-+
 *     |I|P|L|F|B|E|V|Z|
 *     +-+-+-+-+-+-+-+-+
 * I:  |M| PICTURE ID  | and 8 bits more with M
 * L:  | TID |U| SID |D|
 *     |   TL0PICIDX   | only without F
 * FP: | P_DIFF      |N| up to three times, only with F and P
 * V:  scalability structure
 */
#define VP9_I     0x80
#define VP9_P     0x40
#define VP9_L     0x20
#define VP9_F     0x10
#define VP9_B     0x08
#define VP9_E     0x04
#define VP9_V     0x02
#define VP9_Z     0x01
#define VP9_M     0x80
#define VP9_U     0x10
#define VP9_DIFFS 3

struct vp9_head {
    uint8_t rewrite_len; /* bytes up to and with the last that is rewritten; 0 = none */
    uint8_t pic_id_len;  /* 0, 1 or 2 */
    bool has_tl0;
    uint16_t pic_id;
    uint8_t layer; /* the TID, U, SID, D byte */
    uint8_t tl0_idx;
};

/* Scalability structure; 0 = not said. */
struct vp9_structure {
    uint8_t n_sid;
    uint8_t n_tid;
    uint16_t width; /* of the highest spatial layer */
    uint16_t height;
};

static int read_head(struct bits *b, struct vp9_head *ret)
{
    struct vp9_head h = {0};
    uint32_t flags = bits_get(b, 8);
    if (flags & VP9_I) {
        bool is_15bit = bits_flag(b);
        h.pic_id = (uint16_t)bits_get(b, is_15bit ? 15 : 7);
        h.pic_id_len = is_15bit ? 2 : 1;
        h.rewrite_len = 1 + h.pic_id_len;
    }
    if (flags & VP9_L) {
        h.layer = (uint8_t)bits_get(b, 8);
        if (!(flags & VP9_F)) {
            h.has_tl0 = true;
            h.tl0_idx = (uint8_t)bits_get(b, 8);
            h.rewrite_len = 3 + h.pic_id_len;
        }
    }
    if (b->bad) {
        return -EBADMSG;
    }
    *ret = h;
    return 0;
}

/* The rest of the descriptor: reference differences, scalability structure. */
static int read_tail(struct bits *b, uint32_t flags, struct vp9_structure *ret)
{
    struct vp9_structure s = {0};
    bool more = (flags & (VP9_F | VP9_P)) == (VP9_F | VP9_P);
    for (unsigned i = 0; more; i++) {
        if (i == VP9_DIFFS) {
            return -EBADMSG;
        }
        bits_skip(b, 7);
        more = bits_flag(b);
    }
    if (flags & VP9_V) {
        s.n_sid = (uint8_t)(bits_get(b, 3) + 1);
        bool has_size = bits_flag(b);
        bool has_group = bits_flag(b);
        bits_skip(b, 3);
        for (unsigned i = 0; has_size && i < s.n_sid; i++) {
            s.width = (uint16_t)bits_get(b, 16);
            s.height = (uint16_t)bits_get(b, 16);
        }
        uint32_t n_group = has_group ? bits_get(b, 8) : 0;
        for (uint32_t i = 0; i < n_group && !b->bad; i++) {
            uint32_t tid = bits_get(b, 3);
            s.n_tid = (uint8_t)MAX(s.n_tid, tid + 1);
            bits_skip(b, 1);
            uint32_t refs = bits_get(b, 2);
            bits_skip(b, 2 + 8 * (size_t)refs);
        }
    }
    /* There must be a frame behind it. */
    if (b->bad || b->pos_bits >= b->len_bits) {
        return -EBADMSG;
    }
    *ret = s;
    return 0;
}

/* Reads the uncompressed header (VP9 bitstream 6.2) up to and with the sync code of a key frame; b
 * stands at the frame's start. Returns false if it is no key frame's. */
static bool read_key_head(struct bits *b, unsigned *ret_profile)
{
    uint32_t marker = bits_get(b, 2);
    unsigned profile = bits_get(b, 1);
    profile |= bits_get(b, 1) << 1;
    bits_skip(b, profile == 3 ? 1 : 0);
    bool show_existing = bits_flag(b);
    bool inter = bits_flag(b);
    bits_skip(b, 2); /* show_frame, error_resilient_mode */
    *ret_profile = profile;
    return marker == 2 && !show_existing && !inter && bits_get(b, 24) == 0x498342;
}

/* Frame size from the uncompressed header of a key frame; b stands at the frame's start. */
static void read_size(struct bits *b, struct pkt_desc *ret)
{
    unsigned profile;
    if (!read_key_head(b, &profile)) {
        return;
    }
    bits_skip(b, profile >= 2 ? 1 : 0); /* bit depth */
    if (bits_get(b, 3) != 7) {          /* not sRGB */
        bits_skip(b, profile & 1 ? 4 : 1);
    } else if (profile & 1) {
        bits_skip(b, 1);
    } else {
        return; /* sRGB is not possible in profiles 0 and 2 */
    }
    uint32_t width = bits_get(b, 16) + 1;
    uint32_t height = bits_get(b, 16) + 1;
    if (!b->bad && width <= UINT16_MAX && height <= UINT16_MAX) {
        ret->width = (uint16_t)width;
        ret->height = (uint16_t)height;
    }
}

static void describe_layers(struct describe *d, uint32_t flags, const struct vp9_head *h,
                            const struct vp9_structure *s, struct pkt_desc *ret)
{
    bool switch_up = h->layer & VP9_U;
    ret->tid = h->layer >> 5;
    ret->sid = h->layer >> 1 & 7;
    if (s->n_sid) {
        codec_layers_set(d, s->n_sid, s->n_tid ? s->n_tid : d->n_tid);
    }
    codec_layers_grow(d, ret->sid, ret->tid);
    ret->dt_mask = codec_layer_mask(d, ret->sid, ret->tid, flags & VP9_Z);
    if (!(flags & VP9_B)) {
        return;
    }
    if (ret->sid == 0 && flags & VP9_L && switch_up) {
        /* U speaks of the layers above (RFC 9628 4.2), and libwebrtc sets it on every picture: on
         * the base layer it opens all targets. A frame of the first layer above can need the base
         * only, and opens the target that it tops; one above that may need layers that a receiver
         * of the base lacks (the second T2 of 0-2-1-2 needs T1). */
        ret->tsw_mask = ret->tid > 1 ? 0 : codec_tid_mask(d, ret->tid, ret->tid ? 1 : d->n_tid);
        /* With Z upper targets lack this layer's past, and "everything" is not for them (K-SVC). */
        ret->tsw_mask &= d->n_sid > 1 && flags & VP9_Z ? DT_ALL - 1 : DT_ALL;
        ret->sw_mask = d->n_sid == 1 ? ret->tsw_mask : 0;
    } else if (ret->sid == 1 && ret->tid == 0 && !(flags & VP9_P)) {
        /* Needs the lowest spatial layer of this very picture, which every receiver gets. */
        for (unsigned i = 0; i < d->n_dt; i++) {
            ret->sw_mask |= (uint16_t)(d->dt_sid[i] == 1 ? 1U << i : 0);
        }
    }
}

/* True on the first packet of a picture that needs no earlier one. FFmpeg's packetiser never sets P
 * nor sends a picture id, so without a picture id the frame itself is asked; with one it is not,
 * because what a browser sends may be encrypted end to end. */
static bool starts_key(uint32_t flags, uint8_t sid, const struct bits *frame)
{
    if ((flags & (VP9_B | VP9_P)) != VP9_B || sid != 0) {
        return false;
    }
    struct bits b = *frame;
    unsigned profile;
    return flags & VP9_I || read_key_head(&b, &profile);
}

int codec_vp9_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret)
{
    uint32_t flags = in->payload[0];
    struct bits b = bits_over(in->payload, in->len);
    struct vp9_head h;
    struct vp9_structure s;
    if (read_head(&b, &h) || read_tail(&b, flags, &s)) {
        return -EBADMSG;
    }
    (void)codec_step(d, in);
    unsigned out = (flags & VP9_B ? DESC_FRAME_START : 0) | (flags & VP9_E ? DESC_FRAME_END : 0);
    ret->sw_mask = 0;
    describe_layers(d, flags, &h, &s, ret);
    if (starts_key(flags, ret->sid, &b)) {
        codec_note_key(d, in);
        out |= DESC_ENTRY | DESC_KEYFRAME;
        ret->sw_mask = DT_ALL;
        ret->width = s.width;
        ret->height = s.height;
        if (s.width == 0 && d->n_sid == 1) {
            read_size(&b, ret);
        }
    }
    out |= codec_in_key(d, in) ? DESC_KEYFRAME : 0;
    if (h.pic_id_len) {
        out |= DESC_HAS_PIC_ID;
        ret->pic_id = codec_unwrap_pic_id(d, h.pic_id, h.pic_id_len == 2);
    }
    if (h.has_tl0) {
        out |= DESC_HAS_TL0;
        ret->tl0_idx = h.tl0_idx;
    }
    ret->flags = (uint8_t)out;
    ret->head_len = h.rewrite_len;
    return 0;
}

uint8_t codec_vp9_rewrite(const uint8_t *payload, const struct pkt_desc *desc,
                          const struct codec_ids *ids, uint8_t out[CODEC_HEAD_MAX])
{
    if (desc->head_len == 0) {
        return 0;
    }
    uint8_t n = 0;
    uint8_t flags = payload[0];
    out[n++] = flags;
    uint8_t in = 1;
    if (flags & VP9_I) {
        in = payload[1] & VP9_M ? 3 : 2;
        out[n++] = (uint8_t)(VP9_M | (ids->pic_id >> 8 & 0x7f));
        out[n++] = (uint8_t)ids->pic_id;
    }
    if ((flags & (VP9_L | VP9_F)) == VP9_L) {
        out[n++] = payload[in];
        out[n++] = ids->tl0_idx;
    }
    return n;
}

bool codec_vp9_match(const char *a, const char *b)
{
    return codec_fmtp_equal(a, b, "profile-id", 0);
}
