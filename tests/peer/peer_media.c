/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_media.h"
#include "tests/peer/peer_bytes.h"

#include <string.h>
#include <strings.h>

#define MAGIC        0x536c4356U
#define MIN_FILLER   8
#define NAL_IDR      5
#define NAL_SLICE    1
#define NAL_SPS      7
#define NAL_PPS      8
#define NAL_FU_A     28
#define OBU_SEQUENCE (1 << 3)
#define OBU_FRAME    (6 << 3)

const struct peer_codec_info *peer_codec_info(enum peer_codec c)
{
    static const struct peer_codec_info rows[PEER_CODEC_COUNT] = {
        [PEER_OPUS] = {"opus", 48000, 2, 111, 0, "minptime=10;useinbandfec=1"},
        [PEER_VP8] = {"VP8", 90000, 0, 96, 97, ""},
        [PEER_VP9] = {"VP9", 90000, 0, 98, 99, "profile-id=0"},
        [PEER_H264] = {"H264", 90000, 0, 102, 103,
                       "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
        [PEER_AV1] = {"AV1", 90000, 0, 45, 46, "level-idx=5;profile=0;tier=0"},
    };
    return &rows[c];
}

enum peer_codec peer_codec_find(const char *name, uint32_t clock_hz)
{
    unsigned c = 0;

    while (c < PEER_CODEC_COUNT && (strcasecmp(name, peer_codec_info(c)->name) ||
                                    clock_hz != peer_codec_info(c)->clock_hz)) {
        c++;
    }
    return c;
}

/* ---- embedded header ---- */

/* A fast 64-bit mix, folded to 32: detects any change of a bit, a shift or a swap of packets; it is
 * no defence against intent, and need not be. Multiples of 8 bytes may be mixed piece by piece. */
static uint64_t mix(uint64_t h, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        __extension__ unsigned __int128 m = (unsigned __int128)(h ^ v) * 0xd6e8feb86659fd93U;
        h = (uint64_t)m ^ (uint64_t)(m >> 64) ^ v;
    }
    for (; n; p++, n--) {
        h = (h ^ *p) * 0x100000001b3U;
    }
    return h;
}

/* Over the n bytes at p, the checksum's own field taken as zero. */
static uint32_t checksum(const uint8_t *p, size_t n)
{
    uint8_t head[PEER_EMBED_BYTES];

    memcpy(head, p, sizeof(head));
    peer_put32(head + 36, 0);
    uint64_t h = mix(0x9e3779b97f4a7c15U ^ n, head, sizeof(head));
    h = mix(h, p + sizeof(head), n - sizeof(head));
    h ^= h >> 32;
    return (uint32_t)(h * 0xd6e8feb86659fd93U >> 32);
}

/*  0 magic | 4 stream | 8 track | 9 layer | 10 tid and key bit | 11 codec | 12 frame | 16 pkt |
 *  18 n_pkts | 20 sent_ns | 28 length from here to the end | 30 reserved | 32 filler seed |
 *  36 checksum of all the rest */
static void write_embed(const struct peer_media_pkt *m, uint8_t *p, size_t n)
{
    const struct peer_embed *e = &m->embed;
    struct peer_rng r = {(uint64_t)e->stream << 32 ^ (uint64_t)e->frame << 12 ^
                         (uint64_t)e->track << 8 ^ (uint64_t)e->layer << 4 ^ e->pkt};
    uint32_t seed = (uint32_t)peer_rng_next(&r);
    uint64_t word = seed;

    peer_put32(p, MAGIC);
    peer_put32(p + 4, e->stream);
    p[8] = e->track;
    p[9] = e->layer;
    p[10] = (uint8_t)(e->tid | (e->keyframe ? 0x80 : 0));
    p[11] = (uint8_t)m->codec;
    peer_put32(p + 12, e->frame);
    peer_put16(p + 16, e->pkt);
    peer_put16(p + 18, e->n_pkts);
    peer_put64(p + 20, (uint64_t)e->sent_ns);
    peer_put16(p + 28, (uint32_t)n);
    peer_put16(p + 30, 0);
    peer_put32(p + 32, seed);
    size_t i = PEER_EMBED_BYTES;
    for (; i + 8 <= n; i += 8) {
        word = word * 0x5851f42d4c957f2dU + 0x14057b7ef767814fU;
        memcpy(p + i, &word, 8);
    }
    memset(p + i, (int)(seed & 0xff), n - i);
    peer_put32(p + 36, checksum(p, n));
}

static enum peer_media_fault read_embed(enum peer_codec c, const uint8_t *p, size_t n,
                                        struct peer_embed *e)
{
    if (n < PEER_EMBED_BYTES || peer_get32(p) != MAGIC || p[11] != c) {
        return PEER_MEDIA_HEADER;
    }
    if (peer_get16(p + 28) != n || checksum(p, n) != peer_get32(p + 36)) {
        return PEER_MEDIA_CHECKSUM;
    }
    *e = (struct peer_embed){
        .stream = peer_get32(p + 4),
        .track = p[8],
        .layer = p[9],
        .keyframe = p[10] & 0x80,
        .tid = p[10] & 0x7f,
        .frame = peer_get32(p + 12),
        .pkt = peer_get16(p + 16),
        .n_pkts = peer_get16(p + 18),
        .sent_ns = (int64_t)peer_get64(p + 20),
    };
    return PEER_MEDIA_OK;
}

/* ---- codec heads: bytes in front of the embedded header ---- */

/* RFC 7741 4.2: X N S PID=0, I L T, picture id, TL0PICIDX, TID and Y. */
static size_t descriptor_vp8(const struct peer_media_pkt *m, uint8_t *p)
{
    p[0] = (uint8_t)(0x80 | (m->embed.tid == 2 ? 0x20 : 0) | (m->embed.pkt ? 0 : 0x10));
    p[1] = 0xe0;
    peer_put16(p + 2, 0x8000U | (m->pic_id & 0x7fff));
    p[4] = m->tl0;
    p[5] = (uint8_t)(m->embed.tid << 6 | (m->embed.tid ? 0x20 : 0));
    return 6;
}

static size_t head_vp8(const struct peer_media_pkt *m, uint8_t *p)
{
    size_t n = descriptor_vp8(m, p);

    if (m->embed.pkt) {
        return n;
    }
    /* RFC 6386 9.1: bit 0 = not a key frame, version 0, show_frame, size of the first partition */
    p[n++] = (uint8_t)(0x10 | (m->embed.keyframe ? 0 : 1));
    p[n++] = 0x20;
    p[n++] = 0x00;
    if (m->embed.keyframe) {
        static const uint8_t start[] = {0x9d, 0x01, 0x2a};
        memcpy(p + n, start, 3);
        p[n + 3] = (uint8_t)m->width;
        p[n + 4] = (uint8_t)(m->width >> 8);
        p[n + 5] = (uint8_t)m->height;
        p[n + 6] = (uint8_t)(m->height >> 8);
        n += 7;
    }
    return n;
}

static size_t head_vp9(const struct peer_media_pkt *m, uint8_t *p)
{
    const struct peer_embed *e = &m->embed;
    bool first = !e->pkt;
    bool scalability = first && e->keyframe;
    size_t n = 3;

    /* I P L F B E V Z, RFC 9628 4.2; no layer indices, non-flexible mode */
    p[0] = (uint8_t)(0x80 | (e->keyframe ? 0 : 0x40) | (first ? 0x08 : 0) |
                     (e->pkt + 1 == e->n_pkts ? 0x04 : 0) | (scalability ? 0x02 : 0));
    peer_put16(p + 1, 0x8000U | (m->pic_id & 0x7fff));
    if (scalability) {
        p[n++] = 0x10; /* one spatial layer, its size follows, no picture group */
        peer_put16(p + n, m->width);
        peer_put16(p + n + 2, m->height);
        n += 4;
    }
    if (first) {
        p[n++] = e->keyframe ? 0x82 : 0x86; /* frame marker, profile 0, shown */
        if (e->keyframe) {
            static const uint8_t sync[] = {0x49, 0x83, 0x42};
            memcpy(p + n, sync, 3);
            n += 3;
        }
    }
    return n;
}

/* Constrained baseline 3.1, 1280x720, and a PPS; as a common encoder writes them. */
static const uint8_t sps_bytes[] = {0x42, 0xe0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe4};
static const uint8_t pps_bytes[] = {0xce, 0x3c, 0x80};

static size_t head_h264(const struct peer_media_pkt *m, uint8_t *p)
{
    const struct peer_embed *e = &m->embed;
    unsigned slice_pkt = e->keyframe ? e->pkt - 2U : e->pkt;

    if (e->keyframe && e->pkt == 0) {
        p[0] = 0x60 | NAL_SPS;
        memcpy(p + 1, sps_bytes, sizeof(sps_bytes));
        return 1 + sizeof(sps_bytes);
    }
    if (e->keyframe && e->pkt == 1) {
        p[0] = 0x60 | NAL_PPS;
        memcpy(p + 1, pps_bytes, sizeof(pps_bytes));
        return 1 + sizeof(pps_bytes);
    }
    unsigned slices = e->keyframe ? e->n_pkts - 2U : e->n_pkts;
    uint8_t type = e->keyframe ? NAL_IDR : NAL_SLICE;
    if (slices == 1) {
        p[0] = (uint8_t)(0x60 | type); /* FU-A may not hold a whole NAL unit */
        p[1] = 0x88;                   /* first_mb_in_slice 0, slice_type */
        return 2;
    }
    p[0] = 0x60 | NAL_FU_A;
    p[1] = (uint8_t)(type | (slice_pkt == 0 ? 0x80 : 0) | (slice_pkt + 1 == slices ? 0x40 : 0));
    p[2] = 0x88;
    return 3;
}

struct bits {
    uint8_t *p;
    unsigned at;
};

static void put_bits(struct bits *b, uint32_t v, unsigned n)
{
    while (n--) {
        b->p[b->at / 8] = (uint8_t)(b->p[b->at / 8] | (v >> n & 1) << (7 - b->at % 8));
        b->at++;
    }
}

/* A sequence header OBU payload (AV1 5.5): profile 0, level 3.1, every tool off. */
static size_t av1_sequence(uint16_t width, uint16_t height, uint8_t *p)
{
    struct bits b = {.p = p};

    memset(p, 0, 16);
    put_bits(&b, 0, 3 + 1 + 1 + 1 + 1 + 5); /* profile .. operating_points_cnt_minus_1 */
    put_bits(&b, 0, 12);                    /* operating_point_idc */
    put_bits(&b, 5, 5);                     /* seq_level_idx */
    put_bits(&b, 15, 4);
    put_bits(&b, 15, 4);
    put_bits(&b, width - 1U, 16);
    put_bits(&b, height - 1U, 16);
    put_bits(&b, 0, 1 + 1 + 1 + 1); /* frame ids, 128 superblocks, filter intra, intra edge */
    put_bits(&b, 0, 5);             /* interintra .. enable_order_hint */
    put_bits(&b, 3, 2);             /* choose screen content tools and integer mv */
    put_bits(&b, 0, 3);             /* superres, cdef, restoration */
    put_bits(&b, 0, 8);             /* colour: 8 bit 4:2:0, unknown position; no film grain */
    put_bits(&b, 1, 1);             /* trailing bit */
    return (b.at + 7) / 8;
}

static size_t head_av1(const struct peer_media_pkt *m, uint8_t *p)
{
    const struct peer_embed *e = &m->embed;
    bool first = !e->pkt, last = e->pkt + 1 == e->n_pkts;
    bool sequence = first && e->keyframe;
    size_t n = 1;

    /* Z Y W W N, AV1 RTP 4.4 */
    p[0] = (uint8_t)((first ? 0 : 0x80) | (last ? 0 : 0x40) | (sequence ? 2 : 1) << 4 |
                     (sequence ? 0x08 : 0));
    if (sequence) {
        size_t len = av1_sequence(m->width, m->height, p + 3);
        p[1] = (uint8_t)(len + 1);
        p[2] = OBU_SEQUENCE;
        n = 3 + len;
    }
    if (first) {
        p[n++] = OBU_FRAME;
        p[n++] = e->keyframe ? 0x10 : 0x30; /* frame_type, show_frame */
    }
    return n;
}

static size_t write_head(const struct peer_media_pkt *m, uint8_t *p)
{
    switch (m->codec) {
    case PEER_VP8:
        return head_vp8(m, p);
    case PEER_VP9:
        return head_vp9(m, p);
    case PEER_H264:
        return head_h264(m, p);
    case PEER_AV1:
        return head_av1(m, p);
    case PEER_OPUS:
    case PEER_CODEC_COUNT:
        break;
    }
    p[0] = 0x78; /* TOC: hybrid, fullband, 20 ms, one frame */
    return 1;
}

unsigned peer_media_count(enum peer_codec c, bool keyframe, size_t frame_bytes)
{
    size_t room = PEER_PAYLOAD_MAX - PEER_MEDIA_HEAD_MAX;
    unsigned n = (unsigned)((frame_bytes + room - 1) / room);

    n = n ? n : 1;
    return c == PEER_H264 && keyframe ? n + 2 : n;
}

size_t peer_media_write(const struct peer_media_pkt *m, uint8_t *out)
{
    if (m->body) {
        size_t n = m->codec == PEER_VP8 ? descriptor_vp8(m, out) : 0;
        memcpy(out + n, m->body, m->body_len);
        return n + m->body_len;
    }
    size_t head = write_head(m, out);
    size_t least = head + PEER_EMBED_BYTES + MIN_FILLER;
    size_t n = m->payload_bytes > least ? m->payload_bytes : least;

    n = n < PEER_PAYLOAD_MAX ? n : PEER_PAYLOAD_MAX;
    write_embed(m, out + head, n - head);
    return n;
}

/* ---- reading ---- */

/* Each returns the offset of the embedded header, 0 when the descriptor is wrong. */
static size_t read_vp8(const uint8_t *p, size_t n, struct peer_desc *d)
{
    size_t at = 1;

    d->frame_start = p[0] & 0x10 && !(p[0] & 7);
    if (p[0] & 0x80) {
        uint8_t x = n > at ? p[at++] : 0;
        if (x & 0x80) {
            d->has_pic_id = true;
            bool wide = n > at && p[at] & 0x80;
            if (n < at + 2) {
                return 0;
            }
            d->pic_id = wide ? peer_get16(p + at) & 0x7fff : p[at];
            at += wide ? 2 : 1;
        }
        if (x & 0x40 && n > at) {
            d->has_tl0 = true;
            d->tl0 = p[at++];
        }
        at += x & 0x30 ? 1 : 0;
    }
    if (!d->frame_start) {
        return at;
    }
    if (n < at + 10) {
        return 0;
    }
    d->keyframe_bit = !(p[at] & 1);
    return at + (d->keyframe_bit ? 10 : 3);
}

static size_t read_vp9(const uint8_t *p, size_t n, struct peer_desc *d)
{
    uint8_t bits = p[0];
    size_t at = 1;

    d->frame_start = bits & 0x08;
    d->keyframe_bit = d->frame_start && !(bits & 0x40);
    if (bits & 0x80) {
        if (n < at + 2) {
            return 0;
        }
        d->has_pic_id = true;
        bool wide = p[at] & 0x80;
        d->pic_id = wide ? peer_get16(p + at) & 0x7fff : p[at];
        at += wide ? 2 : 1;
    }
    at += bits & 0x20 ? (bits & 0x10 ? 1 : 2) : 0;
    if (bits & 0x02) {
        if (n <= at || p[at] != 0x10) {
            return 0; /* we publish one structure; a server has no business changing it */
        }
        at += 5;
    }
    return d->frame_start ? at + (d->keyframe_bit ? 4 : 1) : at;
}

static size_t read_h264(const uint8_t *p, size_t n, struct peer_desc *d)
{
    unsigned type = p[0] & 31;

    if (type == NAL_SPS) {
        d->frame_start = d->keyframe_bit = true;
        return 1 + sizeof(sps_bytes);
    }
    if (type == NAL_PPS) {
        return 1 + sizeof(pps_bytes);
    }
    if (type == NAL_FU_A && n > 3) {
        d->frame_start = p[1] & 0x80 && (p[1] & 31) == NAL_SLICE;
        return 3;
    }
    d->frame_start = type == NAL_SLICE;
    return type == NAL_SLICE || type == NAL_IDR ? 2 : 0;
}

static size_t read_av1(const uint8_t *p, size_t n, struct peer_desc *d)
{
    unsigned w = p[0] >> 4 & 3;
    size_t at = 1;

    d->frame_start = !(p[0] & 0x80);
    d->keyframe_bit = p[0] & 0x08;
    if (!d->frame_start) {
        return at;
    }
    if (w == 2) {
        if (n < 2 || p[1] & 0x80) {
            return 0;
        }
        at += 1U + p[1];
    }
    return w == 1 || w == 2 ? at + 2 : 0;
}

enum peer_media_fault peer_media_read(enum peer_codec c, const uint8_t *payload, size_t len,
                                      struct peer_desc *ret_desc, struct peer_embed *ret_embed)
{
    size_t at = 1; /* Opus: the TOC byte */

    memset(ret_desc, 0, sizeof(*ret_desc));
    if (!len) {
        return PEER_MEDIA_DESCRIPTOR;
    }
    if (c == PEER_VP8) {
        at = read_vp8(payload, len, ret_desc);
    } else if (c == PEER_VP9) {
        at = read_vp9(payload, len, ret_desc);
    } else if (c == PEER_H264) {
        at = read_h264(payload, len, ret_desc);
    } else if (c == PEER_AV1) {
        at = read_av1(payload, len, ret_desc);
    } else {
        ret_desc->frame_start = ret_desc->keyframe_bit = true;
    }
    if (!at || at >= len) {
        return PEER_MEDIA_DESCRIPTOR;
    }
    enum peer_media_fault f = read_embed(c, payload + at, len - at, ret_embed);
    if (f != PEER_MEDIA_OK) {
        return f;
    }
    bool first = !ret_embed->pkt;
    bool key_fits = !first || ret_desc->keyframe_bit == ret_embed->keyframe;
    return ret_desc->frame_start == first && key_fits ? PEER_MEDIA_OK : PEER_MEDIA_DESCRIPTOR;
}
