/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "rtp/bytes.h"
#include "rtp/codec_ops.h"

/* Payload descriptor, RFC 7741 4.2:
 *       0 1 2 3 4 5 6 7
 *      +-+-+-+-+-+-+-+-+
 *      |X|R|N|S|R| PID |
 *      +-+-+-+-+-+-+-+-+
 * X:   |I|L|T|K| RSV   |
 * I:   |M| PictureID   | and 8 bits more with M
 * L:   |   TL0PICIDX   |
 * T/K: |TID|Y| KEYIDX  |
 */
#define VP8_X      0x80
#define VP8_N      0x20
#define VP8_S      0x10
#define VP8_PID    0x07
#define VP8_X_I    0x80
#define VP8_X_L    0x40
#define VP8_X_T    0x20
#define VP8_X_K    0x10
#define VP8_M      0x80
#define VP8_Y      0x20
#define VP8_KEYIDX 0x1f

struct vp8_head {
    uint8_t len;
    uint8_t ext; /* I, L, T, K bits */
    bool is_15bit;
    uint16_t pic_id;
    uint8_t tl0_idx;
    uint8_t tk; /* the TID, Y, KEYIDX byte */
};

static int read_head(const uint8_t *p, size_t len, struct vp8_head *ret)
{
    struct bytes_in in = bytes_in_init(p, len);
    struct vp8_head h = {0};
    if (bytes_in_u8(&in) & VP8_X) {
        h.ext = bytes_in_u8(&in) & 0xf0;
        if (h.ext & VP8_X_I) {
            uint8_t first = bytes_in_u8(&in);
            h.is_15bit = first & VP8_M;
            h.pic_id = first & 0x7f;
            if (h.is_15bit) {
                h.pic_id = (uint16_t)(h.pic_id << 8 | bytes_in_u8(&in));
            }
        }
        if (h.ext & VP8_X_L) {
            h.tl0_idx = bytes_in_u8(&in);
        }
        if (h.ext & (VP8_X_T | VP8_X_K)) {
            h.tk = bytes_in_u8(&in);
        }
    }
    if (in.failed) {
        return -EBADMSG;
    }
    h.len = (uint8_t)(len - bytes_in_left(&in));
    *ret = h;
    return 0;
}

/* Frame size from the head of a key frame (RFC 6386 9.1); the two scaling bits are not part of it.
 */
static void read_size(const uint8_t *vp8, size_t len, struct pkt_desc *ret)
{
    if (len >= 10 && vp8[3] == 0x9d && vp8[4] == 0x01 && vp8[5] == 0x2a) {
        ret->width = (uint16_t)((vp8[7] << 8 | vp8[6]) & 0x3fff);
        ret->height = (uint16_t)((vp8[9] << 8 | vp8[8]) & 0x3fff);
    }
}

static void describe_layers(struct describe *d, const struct vp8_head *h, bool start,
                            struct pkt_desc *ret)
{
    if (!(h->ext & VP8_X_T)) {
        return;
    }
    ret->tid = h->tk >> 6;
    codec_layers_grow(d, 0, ret->tid);
    ret->dt_mask = codec_layer_mask(d, 0, ret->tid, false);
    /* A synchronising frame needs the base layer only. It opens the target that it tops; a higher
     * one has frames of its own that need not be in sync yet. */
    if (start && h->tk & VP8_Y && ret->tid > 0) {
        ret->sw_mask = codec_tid_mask(d, ret->tid, ret->tid);
    }
}

int codec_vp8_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret)
{
    const uint8_t *p = in->payload;
    struct vp8_head h;
    if (read_head(p, in->len, &h) || h.len >= in->len) {
        return -EBADMSG;
    }
    (void)codec_step(d, in);
    bool start = (p[0] & (VP8_S | VP8_PID)) == VP8_S;
    unsigned flags = (start ? DESC_FRAME_START : 0) | (in->marker ? DESC_FRAME_END : 0) |
                     (p[0] & VP8_N ? DESC_DISCARDABLE : 0);
    ret->sw_mask = 0;
    describe_layers(d, &h, start, ret);
    if (start && !(p[h.len] & 1)) {
        codec_note_key(d, in);
        flags |= DESC_ENTRY | DESC_KEYFRAME;
        ret->sw_mask = DT_ALL;
        read_size(p + h.len, in->len - h.len, ret);
    }
    flags |= codec_in_key(d, in) ? DESC_KEYFRAME : 0;
    if (h.ext & VP8_X_I) {
        flags |= DESC_HAS_PIC_ID;
        ret->pic_id = codec_unwrap_pic_id(d, h.pic_id, h.is_15bit);
    }
    if (h.ext & VP8_X_L) {
        flags |= DESC_HAS_TL0;
        ret->tl0_idx = h.tl0_idx;
    }
    if (h.ext & VP8_X_K) {
        flags |= DESC_HAS_KEYIDX;
        ret->key_idx = h.tk & VP8_KEYIDX;
    }
    ret->flags = (uint8_t)flags;
    ret->head_len = h.len;
    return 0;
}

uint8_t codec_vp8_rewrite(const uint8_t *payload, const struct pkt_desc *desc,
                          const struct codec_ids *ids, uint8_t out[CODEC_HEAD_MAX])
{
    struct vp8_head h;
    if (read_head(payload, desc->head_len, &h)) {
        assert(false); /* describe has read the same bytes */
        return 0;
    }
    uint8_t n = 0;
    out[n++] = payload[0] | VP8_X;
    out[n++] = h.ext | VP8_X_I;
    out[n++] = (uint8_t)(VP8_M | (ids->pic_id >> 8 & 0x7f));
    out[n++] = (uint8_t)ids->pic_id;
    if (h.ext & VP8_X_L) {
        out[n++] = ids->tl0_idx;
    }
    if (h.ext & VP8_X_K) {
        out[n++] = (uint8_t)((h.tk & ~VP8_KEYIDX) | (ids->key_idx & VP8_KEYIDX));
    } else if (h.ext & VP8_X_T) {
        out[n++] = h.tk;
    }
    return n;
}
