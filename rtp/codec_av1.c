/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "rtp/bits.h"
#include "rtp/codec_ops.h"

/* Aggregation header, AV1 RTP 4.4: |Z|Y| W |N|-|-|-|, then OBU elements, each with a leb128 length
 * but the last when W counts them. */
#define AV1_Z 0x80
#define AV1_N 0x08

#define OBU_SEQUENCE_HEADER    1
#define OBU_TEMPORAL_DELIMITER 2

/* leb128() of AV1 4.10.5, bounded by 32 bits. */
static uint32_t read_leb128(struct bits *b)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint32_t byte = bits_get(b, 8);
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            break;
        }
        b->bad |= i == 7;
    }
    b->bad |= v > UINT32_MAX;
    return b->bad ? 0 : (uint32_t)v;
}

/* Returns the length in bits of the decoder buffer delays, 0 without a decoder model. */
static unsigned skip_timing_info(struct bits *b)
{
    bits_skip(b, 64);
    if (bits_flag(b)) {
        bits_ue(b);
    }
    if (!bits_flag(b)) {
        return 0;
    }
    unsigned delay_bits = bits_get(b, 5) + 1;
    bits_skip(b, 42);
    return delay_bits;
}

static void skip_operating_points(struct bits *b, unsigned delay_bits)
{
    bool has_display_delay = bits_flag(b);
    unsigned n = bits_get(b, 5) + 1;
    for (unsigned i = 0; i < n && !b->bad; i++) {
        bits_skip(b, 12);
        uint32_t level = bits_get(b, 5);
        bits_skip(b, level > 7 ? 1 : 0);
        if (delay_bits && bits_flag(b)) {
            bits_skip(b, 2 * (size_t)delay_bits + 1);
        }
        if (has_display_delay && bits_flag(b)) {
            bits_skip(b, 4);
        }
    }
}

/* Largest frame size from sequence_header_obu() (AV1 5.5.1); b stands behind the OBU header. */
static void read_sequence_size(struct bits *b, struct pkt_desc *ret)
{
    bits_skip(b, 4); /* profile, still_picture */
    if (bits_flag(b)) {
        bits_skip(b, 5); /* reduced still picture header: level only */
    } else {
        unsigned delay_bits = bits_flag(b) ? skip_timing_info(b) : 0;
        skip_operating_points(b, delay_bits);
    }
    unsigned width_bits = bits_get(b, 4) + 1;
    unsigned height_bits = bits_get(b, 4) + 1;
    uint32_t width = bits_get(b, width_bits) + 1;
    uint32_t height = bits_get(b, height_bits) + 1;
    if (!b->bad && width <= UINT16_MAX && height <= UINT16_MAX) {
        ret->width = (uint16_t)width;
        ret->height = (uint16_t)height;
    }
}

/* The sequence header is the first OBU of a coded video sequence, but for a temporal delimiter that
 * senders ought to leave out. */
static void find_sequence_size(const uint8_t *p, size_t len, struct pkt_desc *ret)
{
    struct bits b = bits_over(p, len);
    unsigned count = bits_get(&b, 8) >> 4 & 3;
    for (unsigned i = 0; i < 2 && !b.bad; i++) {
        bool has_len = count == 0 || i + 1 < count;
        size_t left = (b.len_bits - b.pos_bits) / 8;
        size_t size = has_len ? read_leb128(&b) : left;
        size_t off = b.pos_bits / 8;
        if (b.bad || size == 0 || size > len - off) {
            return;
        }
        struct bits obu = bits_over(p + off, size);
        bits_skip(&obu, 1);
        uint32_t type = bits_get(&obu, 4);
        bool has_ext = bits_flag(&obu);
        bool has_size = bits_flag(&obu);
        bits_skip(&obu, has_ext ? 9 : 1);
        if (has_size) {
            read_leb128(&obu);
        }
        if (type == OBU_SEQUENCE_HEADER) {
            read_sequence_size(&obu, ret);
        }
        if (type != OBU_TEMPORAL_DELIMITER) {
            return;
        }
        bits_skip(&b, size * 8);
    }
}

int codec_av1_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret)
{
    uint8_t head = in->payload[0];
    bool entry = head & AV1_N;
    if (in->len < 2 || (entry && head & AV1_Z)) {
        return -EBADMSG;
    }
    enum codec_step step = codec_step(d, in);
    unsigned flags = codec_frame_flags(step, in);
    ret->sw_mask = 0;
    if (entry) {
        codec_note_key(d, in);
        flags |= DESC_ENTRY | DESC_KEYFRAME;
        ret->sw_mask = DT_ALL;
        find_sequence_size(in->payload, in->len, ret);
    }
    flags |= codec_in_key(d, in) ? DESC_KEYFRAME : 0;
    ret->flags = (uint8_t)flags;
    return 0;
}

bool codec_av1_match(const char *a, const char *b)
{
    return codec_fmtp_equal(a, b, "profile", 0);
}
