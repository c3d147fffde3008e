/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <strings.h>

#include "rtp/bits.h"
#include "rtp/codec_ops.h"

/* NAL unit types, H.265 table 7-1, and the packet types of RFC 7798 4.4. */
#define NAL_TSA_N      2
#define NAL_TSA_R      3
#define NAL_STSA_N     4
#define NAL_STSA_R     5
#define NAL_IRAP_FIRST 16
#define NAL_IRAP_LAST  23
#define NAL_VCL_LAST   31
#define NAL_VPS        32
#define NAL_SPS        33
#define NAL_AP         48
#define NAL_FU         49
#define NAL_PACI       50

#define NAL_HEAD_LEN 2
#define FU_START     0x80
#define SPS_READ_MAX 128

struct h265_seen {
    bool params;     /* VPS or SPS */
    bool irap;       /* some part of an IRAP slice */
    bool irap_start; /* the beginning of an IRAP picture's first slice */
    bool slice;      /* some part of another slice */
    bool reference;  /* something that frames of the same temporal layer may refer to */
    uint8_t slice_type;
    const uint8_t *sps_data;
    size_t sps_len;
};

static void skip_profile_tier_level(struct bits *b, unsigned n_sub)
{
    bits_skip(b, 96);
    unsigned has_profile = 0, has_level = 0;
    for (unsigned i = 0; i < n_sub; i++) {
        has_profile += bits_flag(b);
        has_level += bits_flag(b);
    }
    bits_skip(b, n_sub > 0 ? 2 * (size_t)(8 - n_sub) : 0);
    bits_skip(b, (size_t)has_profile * 88 + (size_t)has_level * 8);
}

/* Picture size after the conformance window (H.265 7.3.2.2). nal is the SPS with its header. */
static void read_sps_size(const uint8_t *nal, size_t len, struct pkt_desc *ret)
{
    uint8_t rbsp[SPS_READ_MAX];
    size_t n = len > NAL_HEAD_LEN
                   ? codec_nal_unescape(nal + NAL_HEAD_LEN, len - NAL_HEAD_LEN, rbsp, sizeof(rbsp))
                   : 0;
    struct bits b = bits_over(rbsp, n);
    bits_skip(&b, 4);
    unsigned n_sub = bits_get(&b, 3);
    bits_skip(&b, 1);
    skip_profile_tier_level(&b, n_sub);
    bits_ue(&b);
    uint32_t chroma = bits_ue(&b);
    bool separate = chroma == 3 && bits_flag(&b);
    uint64_t width = bits_ue(&b);
    uint64_t height = bits_ue(&b);
    if (bits_flag(&b)) {
        unsigned unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
        unsigned unit_y = chroma == 1 ? 2 : 1;
        uint64_t crop_x = bits_ue(&b), crop_y;
        crop_x = (separate ? 1 : unit_x) * (crop_x + bits_ue(&b));
        crop_y = bits_ue(&b);
        crop_y = (separate ? 1 : unit_y) * (crop_y + bits_ue(&b));
        if (crop_x >= width || crop_y >= height) {
            return;
        }
        width -= crop_x;
        height -= crop_y;
    }
    if (!b.bad && n_sub < 7 && chroma <= 3 && width <= UINT16_MAX && height <= UINT16_MAX) {
        ret->width = (uint16_t)width;
        ret->height = (uint16_t)height;
    }
}

/* A NAL unit, or the first part of one; body is what comes after its header. */
static void look_at_nal(unsigned type, const uint8_t *body, size_t body_len, struct h265_seen *seen)
{
    bool irap = type >= NAL_IRAP_FIRST && type <= NAL_IRAP_LAST;
    /* first_slice_segment_in_pic_flag is the first bit. */
    bool first_slice = body_len > 0 && body[0] & 0x80;
    seen->irap |= irap;
    seen->irap_start |= irap && first_slice;
    seen->params |= type == NAL_VPS || type == NAL_SPS;
    if (type <= NAL_VCL_LAST && !irap) {
        seen->slice = true;
        seen->slice_type = (uint8_t)type;
        /* Below 16 the even types are "sub-layer non-reference" pictures. */
        seen->reference |= type >= 16 || type & 1;
    }
}

static unsigned nal_type(const uint8_t *head)
{
    return head[0] >> 1 & 0x3f;
}

static int look_at_ap(const uint8_t *p, size_t len, struct h265_seen *seen)
{
    size_t off = NAL_HEAD_LEN;
    while (off < len) {
        if (len - off < 2) {
            return -EBADMSG;
        }
        size_t size = (size_t)p[off] << 8 | p[off + 1];
        off += 2;
        if (size < NAL_HEAD_LEN || size > len - off) {
            return -EBADMSG;
        }
        unsigned type = nal_type(p + off);
        if (type == NAL_SPS) {
            seen->sps_data = p + off;
            seen->sps_len = size;
        }
        look_at_nal(type, p + off + NAL_HEAD_LEN, size - NAL_HEAD_LEN, seen);
        off += size;
    }
    return len > NAL_HEAD_LEN ? 0 : -EBADMSG;
}

static int look_at_packet(const uint8_t *p, size_t len, struct h265_seen *seen)
{
    if (len <= NAL_HEAD_LEN) {
        return -EBADMSG;
    }
    unsigned type = nal_type(p);
    if (type == NAL_AP) {
        return look_at_ap(p, len, seen);
    }
    if (type == NAL_FU) {
        if (len < NAL_HEAD_LEN + 2) {
            return -EBADMSG;
        }
        bool start = p[2] & FU_START;
        look_at_nal(p[2] & 0x3f, p + 3, start ? len - 3 : 0, seen);
        seen->params = seen->params && start;
        return 0;
    }
    if (type > NAL_PACI) {
        return -EBADMSG;
    }
    if (type == NAL_SPS) {
        seen->sps_data = p;
        seen->sps_len = len;
    }
    look_at_nal(type, p + NAL_HEAD_LEN, len - NAL_HEAD_LEN, seen);
    return 0;
}

/* Temporal layers are in every NAL header, and a lower one never needs a higher one (7.4.2.2). A
 * TSA picture opens its own layer and all above, an STSA picture its own only. */
static void describe_layers(struct describe *d, const struct h265_seen *seen, bool start,
                            struct pkt_desc *ret)
{
    codec_layers_grow(d, 0, ret->tid);
    ret->dt_mask = codec_layer_mask(d, 0, ret->tid, false);
    if (!start || !seen->slice || ret->tid == 0) {
        return;
    }
    if (seen->slice_type == NAL_TSA_N || seen->slice_type == NAL_TSA_R) {
        ret->sw_mask = codec_tid_mask(d, ret->tid, d->n_tid);
    } else if (seen->slice_type == NAL_STSA_N || seen->slice_type == NAL_STSA_R) {
        ret->sw_mask = codec_tid_mask(d, ret->tid, ret->tid);
    }
}

int codec_h265_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret)
{
    struct h265_seen seen = {0};
    if (look_at_packet(in->payload, in->len, &seen)) {
        return -EBADMSG;
    }
    unsigned tid_plus1 = in->payload[1] & 7;
    if (tid_plus1 == 0) {
        return -EBADMSG;
    }
    enum codec_step step = codec_step(d, in);
    unsigned flags = codec_frame_flags(step, in);
    ret->tid = (uint8_t)(tid_plus1 - 1);
    ret->sw_mask = 0;
    describe_layers(d, &seen, flags & DESC_FRAME_START, ret);
    bool params = seen.params && !seen.slice;
    bool entered = step != STEP_LATE && d->params_seen;
    bool entry = !entered && (params || seen.irap_start);
    if (params || seen.irap) {
        codec_note_key(d, in);
        flags |= DESC_KEYFRAME;
        d->params_seen |= entry && step != STEP_LATE;
    }
    if (entry) {
        flags |= DESC_ENTRY;
        ret->sw_mask = DT_ALL;
    }
    flags |= codec_in_key(d, in) ? DESC_KEYFRAME : 0;
    if (seen.slice && !seen.irap && !seen.reference && tid_plus1 == d->n_tid) {
        flags |= DESC_DISCARDABLE;
    }
    ret->flags = (uint8_t)flags;
    if (seen.sps_data) {
        read_sps_size(seen.sps_data, seen.sps_len, ret);
    }
    return 0;
}

/* tx-mode defaults to SRST, all on one stream; nothing else is forwarded. */
static bool is_srst(const char *fmtp)
{
    size_t len;
    const char *v = codec_fmtp_find(fmtp, "tx-mode", &len);
    return !v || (len == 4 && strncasecmp(v, "SRST", 4) == 0);
}

bool codec_h265_match(const char *a, const char *b)
{
    return codec_fmtp_equal(a, b, "profile-id", 1) && codec_fmtp_equal(a, b, "tier-flag", 0) &&
           is_srst(a) && is_srst(b);
}
