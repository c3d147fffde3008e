/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rtp/codec_ops.h"
#include "rtp/dd.h"
#include "rtp/seq.h"

static const struct codec_info codec_table[] = {
    [CODEC_NONE] = {.id = CODEC_NONE,
                    .kind = MEDIA_VIDEO,
                    .name = "",
                    .static_pt = -1,
                    .dt_count = 1,
                    .describe = codec_audio_describe},
    [CODEC_OPUS] = {.id = CODEC_OPUS,
                    .kind = MEDIA_AUDIO,
                    .name = "opus",
                    .clock_hz = 48000,
                    .channels = 2,
                    .static_pt = -1,
                    .dt_count = 1,
                    .describe = codec_audio_describe},
    [CODEC_RED] = {.id = CODEC_RED,
                   .kind = MEDIA_AUDIO,
                   .name = "red",
                   .clock_hz = 48000,
                   .channels = 2,
                   .static_pt = -1,
                   .dt_count = 1,
                   .describe = codec_red_describe},
    /* G.722 samples at 16 kHz; its RTP clock of 8 kHz is a historical error (RFC 3551 4.5.2). */
    [CODEC_G722] = {.id = CODEC_G722,
                    .kind = MEDIA_AUDIO,
                    .name = "G722",
                    .clock_hz = 8000,
                    .channels = 1,
                    .static_pt = 9,
                    .dt_count = 1,
                    .describe = codec_audio_describe},
    [CODEC_PCMU] = {.id = CODEC_PCMU,
                    .kind = MEDIA_AUDIO,
                    .name = "PCMU",
                    .clock_hz = 8000,
                    .channels = 1,
                    .static_pt = 0,
                    .dt_count = 1,
                    .describe = codec_audio_describe},
    [CODEC_PCMA] = {.id = CODEC_PCMA,
                    .kind = MEDIA_AUDIO,
                    .name = "PCMA",
                    .clock_hz = 8000,
                    .channels = 1,
                    .static_pt = 8,
                    .dt_count = 1,
                    .describe = codec_audio_describe},
    [CODEC_VP8] = {.id = CODEC_VP8,
                   .kind = MEDIA_VIDEO,
                   .name = "VP8",
                   .clock_hz = 90000,
                   .channels = 1,
                   .static_pt = -1,
                   .dt_count = 4,
                   .no_dd = true,
                   .dense_ids = true,
                   .describe = codec_vp8_describe,
                   .rewrite = codec_vp8_rewrite},
    [CODEC_VP9] = {.id = CODEC_VP9,
                   .kind = MEDIA_VIDEO,
                   .name = "VP9",
                   .clock_hz = 90000,
                   .channels = 1,
                   .static_pt = -1,
                   .dt_count = DT_MAX,
                   .describe = codec_vp9_describe,
                   .rewrite = codec_vp9_rewrite,
                   .fmtp_match = codec_vp9_match},
    [CODEC_H264] = {.id = CODEC_H264,
                    .kind = MEDIA_VIDEO,
                    .name = "H264",
                    .clock_hz = 90000,
                    .channels = 1,
                    .static_pt = -1,
                    .dt_count = 1,
                    .describe = codec_h264_describe,
                    .fmtp_match = codec_h264_match},
    [CODEC_H265] = {.id = CODEC_H265,
                    .kind = MEDIA_VIDEO,
                    .name = "H265",
                    .clock_hz = 90000,
                    .channels = 1,
                    .static_pt = -1,
                    .dt_count = 7,
                    .describe = codec_h265_describe,
                    .fmtp_match = codec_h265_match},
    [CODEC_AV1] = {.id = CODEC_AV1,
                   .kind = MEDIA_VIDEO,
                   .name = "AV1",
                   .clock_hz = 90000,
                   .channels = 1,
                   .static_pt = -1,
                   .dt_count = 1,
                   .describe = codec_av1_describe,
                   .fmtp_match = codec_av1_match},
};
static_assert(ARRAY_LEN(codec_table) == CODEC_COUNT, "one row a codec");

/* Packets of older frames that come later than this many after the newest are a restarted stream.
 */
#define LATE_MAX_PKTS 2048
/* A timestamp that goes back further than this begins a new timeline. */
#define BACKWARD_MAX_TICKS 90000

const struct codec_info *codec_info(enum codec_id id)
{
    assert((unsigned)id < CODEC_COUNT);
    return &codec_table[id];
}

enum codec_id codec_find(const char *name, size_t name_len, uint32_t clock_hz, unsigned channels)
{
    for (unsigned i = CODEC_NONE + 1; i < CODEC_COUNT; i++) {
        const struct codec_info *c = &codec_table[i];
        if (strlen(c->name) == name_len && strncasecmp(c->name, name, name_len) == 0 &&
            c->clock_hz == clock_hz && (channels == 0 || c->channels == channels)) {
            return c->id;
        }
    }
    return CODEC_NONE;
}

enum codec_id codec_find_static(unsigned pt)
{
    for (unsigned i = CODEC_NONE + 1; i < CODEC_COUNT; i++) {
        if (codec_table[i].static_pt >= 0 && (unsigned)codec_table[i].static_pt == pt) {
            return codec_table[i].id;
        }
    }
    return CODEC_NONE;
}

int describe_init(struct describe *d, enum codec_id codec)
{
    struct dd_state *dd = NULL;
    if (codec_info(codec)->kind == MEDIA_VIDEO) {
        dd = calloc(1, sizeof(*dd));
        if (!dd) {
            return -ENOMEM;
        }
    }
    memset(d, 0, sizeof(*d));
    d->dd = dd;
    codec_layers_set(d, 1, 1);
    return 0;
}

void describe_fini(struct describe *d)
{
    free(d->dd);
    d->dd = NULL;
}

/* A frame that may be of any kind. */
static int describe_opaque(struct describe *d, const struct describe_in *in, struct pkt_desc *ret)
{
    ret->flags = codec_frame_flags(codec_step(d, in), in);
    ret->flags |= codec_in_key(d, in) ? DESC_KEYFRAME : 0;
    bool entry = ret->flags & DESC_FRAME_START && !d->from_dd && !in->dd;
    ret->flags |= entry ? DESC_ENTRY : 0;
    ret->sw_mask = entry ? DT_ALL : 0;
    return 0;
}

int codec_describe(enum codec_id id, struct describe *d, const struct describe_in *in,
                   struct pkt_desc *ret_desc)
{
    if (in->len == 0) {
        return -EBADMSG;
    }
    struct pkt_desc desc = {.dt_mask = DT_ALL, .sw_mask = DT_ALL};
    bool opaque = d->opaque && codec_info(id)->kind == MEDIA_VIDEO;
    int rc = opaque ? describe_opaque(d, in, &desc) : codec_info(id)->describe(d, in, &desc);
    if (rc) {
        return rc;
    }
    desc.tsw_mask |= desc.sw_mask;
    /* The payload is read first in any case: picture ids and picture sizes are only there. A
     * descriptor that does not parse is as good as none (Chrome on iOS negotiates it and sends
     * none), and the payload's own word then holds for this packet. */
    struct dd_frame f;
    if (d->dd && in->dd && in->dd_len > 0 && dd_read(d->dd, in->dd, in->dd_len, &f) == 0) {
        codec_dd_apply(d, in, &f, &desc);
    }
    desc.frame_no = dd_number(in->dd, in->dd_len);
    d->last_marker = in->marker;
    *ret_desc = desc;
    return 0;
}

unsigned codec_find_target(const struct describe *d, uint8_t sid, uint8_t tid)
{
    unsigned best = 0;
    for (unsigned i = 1; i < d->n_dt; i++) {
        if (d->dt_sid[i] >= sid && d->dt_tid[i] >= tid) {
            best = i;
        }
    }
    return best;
}

enum codec_step codec_step(struct describe *d, const struct describe_in *in)
{
    bool newer = !d->any || seq16_after(in->seq16, d->last_seq16);
    if (d->any && in->ts == d->last_ts) {
        d->last_seq16 = newer ? in->seq16 : d->last_seq16;
        return STEP_SAME;
    }
    /* Sequence numbers decide, not timestamps: B frames make those go back (OBS). */
    if (!newer && (uint16_t)(d->last_seq16 - in->seq16) <= LATE_MAX_PKTS) {
        return STEP_LATE;
    }
    int32_t step = (int32_t)(in->ts - d->last_ts);
    d->backward += d->any && step < 0 && step > -BACKWARD_MAX_TICKS;
    d->any = true;
    d->last_ts = in->ts;
    d->last_seq16 = in->seq16;
    d->in_keyframe = false;
    d->params_seen = false;
    return STEP_NEW;
}

void codec_note_key(struct describe *d, const struct describe_in *in)
{
    if (in->ts == d->last_ts) {
        d->in_keyframe = true;
        d->has_key = true;
        d->key_ts = in->ts;
    }
}

bool codec_in_key(const struct describe *d, const struct describe_in *in)
{
    return d->has_key && d->key_ts == in->ts;
}

uint8_t codec_frame_flags(enum codec_step step, const struct describe_in *in)
{
    return (uint8_t)((step == STEP_NEW ? DESC_FRAME_START : 0) | (in->marker ? DESC_FRAME_END : 0));
}

void codec_layers_set(struct describe *d, unsigned n_sid, unsigned n_tid)
{
    if (d->n_sid == n_sid && d->n_tid == n_tid) {
        return;
    }
    d->n_sid = (uint8_t)n_sid;
    d->n_tid = (uint8_t)n_tid;
    d->from_dd = false;
    d->active_mask = DT_ALL;
    d->dt_sid[0] = (uint8_t)(n_sid - 1);
    d->dt_tid[0] = (uint8_t)(n_tid - 1);
    unsigned n = 1;
    unsigned cuts = MIN(n_tid, (DT_MAX - (n_sid > 1 ? 1 : 0)) / n_sid);
    for (unsigned s = n_sid; s-- > 0;) {
        for (unsigned c = n_sid > 1 ? 0 : 1; c < cuts; c++) {
            d->dt_sid[n] = (uint8_t)s;
            d->dt_tid[n] = (uint8_t)(n_tid - 1 - c);
            n++;
        }
    }
    assert(n <= DT_MAX);
    d->n_dt = (uint8_t)n;
}

void codec_layers_grow(struct describe *d, unsigned sid, unsigned tid)
{
    codec_layers_set(d, MAX(d->n_sid, sid + 1), MAX(d->n_tid, tid + 1));
}

uint16_t codec_layer_mask(const struct describe *d, unsigned sid, unsigned tid, bool no_upper)
{
    unsigned mask = DT_ALL;
    for (unsigned i = 1; i < d->n_dt; i++) {
        bool in = sid <= d->dt_sid[i] && tid <= d->dt_tid[i] && !(no_upper && sid < d->dt_sid[i]);
        mask &= in ? DT_ALL : ~(1U << i);
    }
    return (uint16_t)mask;
}

uint16_t codec_tid_mask(const struct describe *d, unsigned tid_min, unsigned tid_max)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < d->n_dt; i++) {
        mask |= d->dt_tid[i] >= tid_min && d->dt_tid[i] <= tid_max ? 1U << i : 0;
    }
    return (uint16_t)mask;
}

uint16_t codec_unwrap_pic_id(struct describe *d, uint16_t id, bool is_15bit)
{
    if (!is_15bit && d->has_pic_ref) {
        /* The 15-bit number nearest to the newest whose low 7 bits are id. */
        int diff = (id - d->pic_ref) & 0x7f;
        diff -= diff >= 0x40 ? 0x80 : 0;
        id = (uint16_t)((d->pic_ref + diff) & 0x7fff);
    }
    if (!d->has_pic_ref || ((id - d->pic_ref) & 0x7fff) < 0x4000) {
        d->pic_ref = id;
        d->has_pic_ref = true;
    }
    return id;
}

size_t codec_nal_unescape(const uint8_t *nal, size_t len, uint8_t *out, size_t cap)
{
    size_t n = 0;
    unsigned zeros = 0;
    for (size_t i = 0; i < len && n < cap; i++) {
        if (zeros >= 2 && nal[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = nal[i] ? 0 : zeros + 1;
        out[n++] = nal[i];
    }
    return n;
}

const char *codec_fmtp_find(const char *fmtp, const char *key, size_t *ret_len)
{
    size_t key_len = strlen(key);
    for (const char *p = fmtp; *p;) {
        p += strspn(p, "; \t\r\n");
        size_t len = strcspn(p, ";");
        const char *next = p + len;
        if (len > key_len && p[key_len] == '=' && strncasecmp(p, key, key_len) == 0) {
            p += key_len + 1;
            p += strspn(p, " \t");
            len = p < next ? (size_t)(next - p) : 0;
            while (len > 0 && strchr(" \t\r\n", p[len - 1])) {
                len--;
            }
            *ret_len = len;
            return p;
        }
        p = next;
    }
    return NULL;
}

/* As codec_fmtp_find, a decimal number; dflt if absent; -1 if not a number below 2^20. */
static long fmtp_number(const char *fmtp, const char *key, long dflt)
{
    size_t len;
    const char *v = codec_fmtp_find(fmtp, key, &len);
    if (!v) {
        return dflt;
    }
    long n = 0;
    for (size_t i = 0; i < len; i++) {
        if (v[i] < '0' || v[i] > '9') {
            return -1;
        }
        n = n * 10 + (v[i] - '0');
        if (n >= 1 << 20) {
            return -1;
        }
    }
    return len ? n : -1;
}

bool codec_fmtp_equal(const char *a, const char *b, const char *key, long dflt)
{
    long value = fmtp_number(a, key, dflt);
    return value >= 0 && value == fmtp_number(b, key, dflt);
}
