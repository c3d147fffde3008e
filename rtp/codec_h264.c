/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "rtp/bits.h"
#include "rtp/codec_ops.h"

/* NAL unit types, H.264 table 7-1, and the packet types of RFC 6184 5.2. */
#define NAL_SLICE  1
#define NAL_IDR    5
#define NAL_SPS    7
#define NAL_STAP_A 24
#define NAL_FU_A   28

#define FU_START     0x80
#define NAL_REF_IDC  0x60
#define SPS_READ_MAX 256 /* bytes of an SPS that are looked at; scaling lists can make it long */

/* What one packet holds. */
struct h264_seen {
    bool sps;
    bool idr;       /* some part of an IDR slice */
    bool idr_start; /* the beginning of an IDR picture's first slice */
    bool slice;     /* some part of another slice */
    bool reference; /* something that later frames may refer to */
    const uint8_t *sps_data;
    size_t sps_len;
};

static void skip_scaling_lists(struct bits *b, unsigned n_lists)
{
    for (unsigned i = 0; i < n_lists; i++) {
        if (!bits_flag(b)) {
            continue;
        }
        unsigned size = i < 6 ? 16 : 64;
        int32_t last = 8, next = 8;
        for (unsigned j = 0; j < size && next != 0 && !b->bad; j++) {
            uint32_t code = bits_ue(b); /* se(v): 0, 1, -1, 2, -2 ... */
            int32_t half = (int32_t)(code / 2 & 0xff);
            next = (last + (code & 1 ? half + 1 : -half) + 256) & 0xff;
            last = next ? next : last;
        }
    }
}

/* The profiles whose SPS has chroma_format_idc and scaling lists (H.264 7.3.2.1.1). */
static bool is_high_sps(uint32_t profile_idc)
{
    static const uint8_t high[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
    return memchr(high, (int)profile_idc, sizeof(high)) != NULL;
}

static void skip_poc(struct bits *b)
{
    uint32_t type = bits_ue(b);
    if (type == 0) {
        bits_ue(b);
    } else if (type == 1) {
        bits_skip(b, 1);
        bits_ue(b);
        bits_ue(b);
        uint32_t n = bits_ue(b);
        for (uint32_t i = 0; i < n && !b->bad; i++) {
            bits_ue(b);
        }
    }
}

/* Picture size after cropping; leaves ret alone when the SPS does not parse. nal is the SPS with
 * its header byte. */
static void read_sps_size(const uint8_t *nal, size_t len, struct pkt_desc *ret)
{
    uint8_t rbsp[SPS_READ_MAX];
    struct bits b = bits_over(rbsp, codec_nal_unescape(nal + 1, len - 1, rbsp, sizeof(rbsp)));
    uint32_t profile_idc = bits_get(&b, 8);
    bits_skip(&b, 16);
    bits_ue(&b);
    uint32_t chroma = 1;
    bool separate = false;
    if (is_high_sps(profile_idc)) {
        chroma = bits_ue(&b);
        separate = chroma == 3 && bits_flag(&b);
        bits_ue(&b);
        bits_ue(&b);
        bits_skip(&b, 1);
        if (bits_flag(&b)) {
            skip_scaling_lists(&b, chroma == 3 ? 12 : 8);
        }
    }
    bits_ue(&b); /* log2_max_frame_num_minus4 */
    skip_poc(&b);
    bits_ue(&b);
    bits_skip(&b, 1);
    uint64_t width = 16 * ((uint64_t)bits_ue(&b) + 1);
    uint64_t units = (uint64_t)bits_ue(&b) + 1;
    bool frames_only = bits_flag(&b);
    uint64_t height = 16 * units * (frames_only ? 1 : 2);
    bits_skip(&b, frames_only ? 1 : 2);
    if (bits_flag(&b)) {
        unsigned mono = chroma == 0 || separate;
        unsigned unit_x = !mono && chroma < 3 ? 2 : 1;
        unsigned unit_y = (!mono && chroma == 1 ? 2U : 1U) * (frames_only ? 1 : 2);
        uint64_t crop_x = bits_ue(&b), crop_y;
        crop_x = unit_x * (crop_x + bits_ue(&b));
        crop_y = bits_ue(&b);
        crop_y = unit_y * (crop_y + bits_ue(&b));
        if (crop_x >= width || crop_y >= height) {
            return;
        }
        width -= crop_x;
        height -= crop_y;
    }
    if (!b.bad && chroma <= 3 && width <= UINT16_MAX && height <= UINT16_MAX) {
        ret->width = (uint16_t)width;
        ret->height = (uint16_t)height;
    }
}

/* A whole NAL unit, or with fragment the first part of one: head is its header byte, body what
 * comes after it. */
static void look_at_nal(uint8_t head, const uint8_t *body, size_t body_len, struct h264_seen *seen)
{
    unsigned type = head & 0x1f;
    seen->reference |= (head & NAL_REF_IDC) != 0;
    /* first_mb_in_slice is 0, which is one bit, in a picture's first slice. */
    bool first_slice = body_len > 0 && body[0] & 0x80;
    seen->idr |= type == NAL_IDR;
    seen->idr_start |= type == NAL_IDR && first_slice;
    seen->slice |= type >= NAL_SLICE && type < NAL_IDR;
    seen->sps |= type == NAL_SPS;
}

static int look_at_stap(const uint8_t *p, size_t len, struct h264_seen *seen)
{
    size_t off = 1;
    while (off < len) {
        if (len - off < 2) {
            return -EBADMSG;
        }
        size_t size = (size_t)p[off] << 8 | p[off + 1];
        off += 2;
        if (size == 0 || size > len - off) {
            return -EBADMSG;
        }
        if ((p[off] & 0x1f) == NAL_SPS) {
            seen->sps_data = p + off;
            seen->sps_len = size;
        }
        look_at_nal(p[off], p + off + 1, size - 1, seen);
        off += size;
    }
    return len > 1 ? 0 : -EBADMSG;
}

static int look_at_fu(const uint8_t *p, size_t len, struct h264_seen *seen)
{
    if (len < 3) {
        return -EBADMSG;
    }
    uint8_t head = (uint8_t)((p[0] & 0xe0) | (p[1] & 0x1f));
    bool start = p[1] & FU_START;
    look_at_nal(head, p + 2, start ? len - 2 : 0, seen);
    /* A later fragment of an SPS is nowhere to start. */
    seen->sps = seen->sps && start;
    return 0;
}

static int look_at_packet(const uint8_t *p, size_t len, struct h264_seen *seen)
{
    unsigned type = p[0] & 0x1f;
    if (type == NAL_STAP_A) {
        return look_at_stap(p, len, seen);
    }
    if (type == NAL_FU_A) {
        return look_at_fu(p, len, seen);
    }
    /* STAP-B, MTAP and FU-B belong to the interleaved mode, which is never negotiated. */
    if (type == 0 || type > NAL_STAP_A) {
        return -EBADMSG;
    }
    if (type == NAL_SPS) {
        seen->sps_data = p;
        seen->sps_len = len;
    }
    look_at_nal(p[0], p + 1, len - 1, seen);
    return 0;
}

int codec_h264_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret)
{
    struct h264_seen seen = {0};
    if (look_at_packet(in->payload, in->len, &seen)) {
        return -EBADMSG;
    }
    enum codec_step step = codec_step(d, in);
    unsigned flags = codec_frame_flags(step, in);
    /* An SPS beside a slice of another kind repeats the parameters in mid-stream. Else it stands
     * before an IDR picture, and that is where to start: the IDR slice itself only if none came. */
    bool params = seen.sps && !seen.slice;
    bool entered = step != STEP_LATE && d->params_seen;
    bool entry = !entered && (params || seen.idr_start);
    if (params || seen.idr) {
        codec_note_key(d, in);
        flags |= DESC_KEYFRAME;
        d->params_seen |= entry && step != STEP_LATE;
    }
    if (entry) {
        flags |= DESC_ENTRY;
    }
    ret->sw_mask = entry ? DT_ALL : 0;
    flags |= codec_in_key(d, in) ? DESC_KEYFRAME : 0;
    flags |= seen.slice && !seen.reference ? DESC_DISCARDABLE : 0;
    ret->flags = (uint8_t)flags;
    if (seen.sps_data) {
        read_sps_size(seen.sps_data, seen.sps_len, ret);
    }
    return 0;
}

static int hex_byte(const char *s)
{
    int v = 0;
    for (int i = 0; i < 2; i++) {
        int c = s[i] | 0x20;
        if (c >= '0' && c <= '9') {
            v = v * 16 + (c - '0');
        } else if (c >= 'a' && c <= 'f') {
            v = v * 16 + (c - 'a' + 10);
        } else {
            return -1;
        }
    }
    return v;
}

/* profile_idc << 8 | profile_iop, or -EBADMSG. */
static int read_profile(const char *fmtp)
{
    size_t len;
    const char *v = codec_fmtp_find(fmtp, "profile-level-id", &len);
    if (!v) {
        return 0x4200;
    }
    if (len != 6) {
        return -EBADMSG;
    }
    int idc = hex_byte(v), iop = hex_byte(v + 2), level = hex_byte(v + 4);
    return idc < 0 || iop < 0 || level < 0 ? -EBADMSG : idc << 8 | iop;
}

int codec_h264_profile(const char *fmtp)
{
    int profile = read_profile(fmtp);
    if (profile < 0) {
        return profile;
    }
    unsigned iop = (unsigned)profile & 0xff;
    bool set0 = iop & 0x80, set1 = iop & 0x40;
    switch (profile >> 8) {
    case 0x42:
        return set1 ? H264_CONSTRAINED_BASELINE : H264_BASELINE;
    case 0x4d:
        return set0 ? H264_CONSTRAINED_BASELINE : H264_MAIN;
    case 0x58:
        if (set0) {
            return set1 ? H264_CONSTRAINED_BASELINE : H264_BASELINE;
        }
        return H264_OTHER;
    case 0x64:
        return (iop & 0x0c) == 0x0c ? H264_CONSTRAINED_HIGH : H264_HIGH;
    default:
        return H264_OTHER;
    }
}

bool codec_h264_match(const char *a, const char *b)
{
    size_t len;
    if (!codec_fmtp_find(b, "profile-level-id", &len)) {
        /* GStreamer's and SIPSorcery's players name no profile and take any */
        return *b == '\0' || codec_fmtp_equal(a, b, "packetization-mode", 0);
    }
    int pa = codec_h264_profile(a);
    if (pa < 0 || pa != codec_h264_profile(b)) {
        return false;
    }
    if (pa == H264_OTHER && read_profile(a) != read_profile(b)) {
        return false;
    }
    return codec_fmtp_equal(a, b, "packetization-mode", 0);
}
