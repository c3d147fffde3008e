/* SPDX-License-Identifier: Apache-2.0 */
/* camera_codec.c - payload descriptors and Dependency Descriptors, written by the book: RFC 7741,
 * RFC 6184, RFC 9628, the AV1 RTP payload format and its appendix A. Shares nothing with rtp/. */
#include <string.h>

#include "tests/sim/camera.h"

/* ---- Dependency Descriptor ---- */

struct bit_sink {
    uint8_t out[CAMERA_DD_MAX];
    size_t bits;
};

static void put(struct bit_sink *w, uint32_t v, unsigned n)
{
    while (n-- > 0) {
        assert(w->bits / 8 < sizeof(w->out));
        w->out[w->bits / 8] |= (uint8_t)((v >> n & 1) << (7 - w->bits % 8));
        w->bits++;
    }
}

/* ns(n) of AV1 4.10.10 */
static void put_ns(struct bit_sink *w, uint32_t v, uint32_t n)
{
    unsigned bits = 0;
    for (uint32_t x = n; x; x >>= 1) {
        bits++;
    }
    uint32_t m = (1u << bits) - n;
    if (v < m) {
        put(w, v, bits - 1);
    } else {
        put(w, v + m, bits);
    }
}

/* A frame's place in the structure: what it is for its spatial layer. */
enum role {
    ROLE_KEY,
    ROLE_T0,
    ROLE_T1,
    ROLE_T2A, /* after T0 */
    ROLE_T2B, /* after T1 */
    ROLE_COUNT
};

static enum role role_of(const struct camera_frame *f)
{
    if (f->key) {
        return ROLE_KEY;
    }
    static const enum role by_phase[] = {ROLE_T0, ROLE_T2A, ROLE_T1, ROLE_T2B};
    return by_phase[f->phase];
}

static int roles(const struct camera *c)
{
    return c->p.n_temporal == 1 ? ROLE_T1 : ROLE_COUNT;
}

static int tid_of(enum role r)
{
    return r <= ROLE_T0 ? 0 : r == ROLE_T1 ? 1 : 2;
}

/* 0 not present, 1 discardable, 2 switch, 3 required */
static uint32_t dti(const struct camera *c, int sid, enum role r, int to_sid, int to_tid)
{
    int tid = tid_of(r);
    if (to_sid < sid || to_tid < tid || (c->p.k_svc && r != ROLE_KEY && to_sid != sid)) {
        return 0;
    }
    if (to_sid == sid && tid > 0) {
        return to_tid == tid ? 1 : 2;
    }
    return to_sid == sid || r == ROLE_KEY ? 2 : 3;
}

/* Frames back to the last one of chain x. */
static uint32_t chain_diff(const struct camera *c, int sid, enum role r, int x)
{
    int n = c->p.n_spatial, period = c->p.n_temporal == 1 ? 1 : 4;
    static const int since_t0[] = {[ROLE_T1] = 2, [ROLE_T2A] = 1, [ROLE_T2B] = 3};
    if (r > ROLE_T0) {
        return (uint32_t)(since_t0[r] * n + sid - x);
    }
    bool joined = r == ROLE_KEY || !c->p.k_svc;
    if (joined && sid > 0) {
        return (uint32_t)(sid - MIN(sid - 1, x));
    }
    if (!joined && x < sid) {
        return (uint32_t)(sid - x);
    }
    return r == ROLE_KEY ? 0 : (uint32_t)(period * n + sid - x);
}

static void put_template_fdiffs(const struct camera *c, struct bit_sink *w, int sid, enum role r)
{
    static const int back[] = {[ROLE_T0] = 4, [ROLE_T1] = 2, [ROLE_T2A] = 1, [ROLE_T2B] = 1};
    if (r != ROLE_KEY) {
        int n = c->p.n_temporal == 1 ? 1 : back[r];
        put(w, 1, 1);
        put(w, (uint32_t)(n * c->p.n_spatial - 1), 4);
    }
    if (sid > 0 && (r == ROLE_KEY || !c->p.k_svc)) {
        put(w, 1, 1);
        put(w, 0, 4);
    }
    put(w, 0, 1);
}

static void put_structure(const struct camera *c, struct bit_sink *w)
{
    int n_s = c->p.n_spatial, n_t = c->p.n_temporal, n_r = roles(c);
    put(w, 0, 6);
    put(w, (uint32_t)(n_s * n_t - 1), 5);
    for (int i = 1; i < n_s * n_r; i++) {
        int was = (i - 1) % n_r, is = i % n_r;
        put(w, is == 0 ? 2 : tid_of((enum role)is) != tid_of((enum role)was) ? 1 : 0, 2);
    }
    put(w, 3, 2);
    for (int i = 0; i < n_s * n_r; i++) {
        for (int t = 0; t < n_s * n_t; t++) {
            put(w, dti(c, i / n_r, (enum role)(i % n_r), t / n_t, t % n_t), 2);
        }
    }
    for (int i = 0; i < n_s * n_r; i++) {
        put_template_fdiffs(c, w, i / n_r, (enum role)(i % n_r));
    }
    put_ns(w, (uint32_t)n_s, (uint32_t)(n_s * n_t + 1));
    for (int t = 0; t < n_s * n_t; t++) {
        put_ns(w, (uint32_t)(t / n_t), (uint32_t)n_s);
    }
    for (int i = 0; i < n_s * n_r; i++) {
        for (int x = 0; x < n_s; x++) {
            put(w, chain_diff(c, i / n_r, (enum role)(i % n_r), x), 4);
        }
    }
    put(w, 1, 1);
    for (int s = 0; s < n_s; s++) {
        put(w, (uint32_t)((1280 >> (n_s - 1 - s)) - 1), 16);
        put(w, (uint32_t)((720 >> (n_s - 1 - s)) - 1), 16);
    }
}

static size_t write_dd(const struct camera *c, const struct camera_frame *f, bool start, bool end,
                       uint8_t *out)
{
    struct bit_sink w = {0};
    put(&w, start, 1);
    put(&w, end, 1);
    put(&w, (uint32_t)(f->sid * roles(c) + (int)role_of(f)), 6);
    put(&w, (f->frame + c->layer[f->layer].dd_off) & 0xffff, 16);
    if (start && f->key && f->first) {
        put(&w, 0x10, 5);
        put_structure(c, &w);
    }
    size_t n = (w.bits + 7) / 8;
    memcpy(out, w.out, n);
    return n;
}

/* ---- payload heads: everything before the truth; returns their length ---- */

static size_t head_vp8(const struct camera *c, const struct camera_frame *f, bool start,
                       uint8_t *out)
{
    const struct camera_layer *l = &c->layer[f->layer];
    bool t3 = c->p.n_temporal > 1;
    size_t n = 0;
    out[n++] = (uint8_t)(0x80 | (f->discardable ? 0x20 : 0) | (start ? 0x10 : 0));
    out[n++] = t3 ? 0x80 | 0x40 | 0x20 : 0x80;
    out[n++] = (uint8_t)(0x80 | (l->pid >> 8));
    out[n++] = (uint8_t)l->pid;
    if (t3) {
        out[n++] = l->tl0;
        out[n++] = (uint8_t)(f->tid << 6 | (f->sync ? 0x20 : 0));
    }
    if (start) {
        uint32_t size = (uint32_t)MIN(f->bytes, (size_t)0x7ffff) << 5 | 0x10 | !f->key;
        out[n++] = (uint8_t)size;
        out[n++] = (uint8_t)(size >> 8);
        out[n++] = (uint8_t)(size >> 16);
        if (f->key) {
            unsigned width = 320u << f->layer, height = 180u << f->layer;
            const uint8_t key[] = {0x9d,
                                   0x01,
                                   0x2a,
                                   (uint8_t)width,
                                   (uint8_t)(width >> 8),
                                   (uint8_t)height,
                                   (uint8_t)(height >> 8)};
            memcpy(out + n, key, sizeof(key));
            n += sizeof(key);
        }
    }
    return n;
}

static size_t head_h264(const struct camera_frame *f, bool start, bool end, uint8_t *out)
{
    out[0] = 0x60 | 28;
    out[1] = (uint8_t)((start ? 0x80 : 0) | (end ? 0x40 : 0) | (f->key ? 5 : 1));
    return 2;
}

static size_t head_vp9(const struct camera *c, const struct camera_frame *f, bool start, bool end,
                       uint8_t *out)
{
    const struct camera_layer *l = &c->layer[f->layer];
    bool inter_layer = f->sid > 0 && (f->key || !c->p.k_svc);
    bool layers = c->p.n_spatial > 1 || c->p.n_temporal > 1;
    size_t n = 0;
    bool structure = f->key && f->first && start;
    out[n++] = (uint8_t)(0x80 | (f->key ? 0 : 0x40) | (layers ? 0x20 : 0) | 0x10 |
                         (start ? 0x08 : 0) | (end ? 0x04 : 0) | (structure ? 0x02 : 0) |
                         (f->discardable && f->last ? 0x01 : 0));
    out[n++] = (uint8_t)(0x80 | (l->pid >> 8));
    out[n++] = (uint8_t)l->pid;
    if (layers) {
        out[n++] = (uint8_t)(f->tid << 5 | 0x10 | f->sid << 1 | inter_layer);
    }
    if (!f->key) {
        static const uint8_t back[] = {4, 1, 2, 1};
        out[n++] = (uint8_t)((c->p.n_temporal == 1 ? 1 : back[f->phase]) << 1);
    }
    if (structure) {
        out[n++] = (uint8_t)((c->p.n_spatial - 1) << 5 | 0x10);
        for (int s = 0; s < c->p.n_spatial; s++) {
            unsigned w = 1280u >> (c->p.n_spatial - 1 - s), h = 720u >> (c->p.n_spatial - 1 - s);
            out[n++] = (uint8_t)(w >> 8);
            out[n++] = (uint8_t)w;
            out[n++] = (uint8_t)(h >> 8);
            out[n++] = (uint8_t)h;
        }
    }
    return n;
}

static size_t head_av1(const struct camera *c, const struct camera_frame *f, bool start, bool end,
                       uint8_t *out)
{
    size_t n = 0;
    out[n++] = (uint8_t)((start ? 0 : 0x80) | (end ? 0 : 0x40) | 0x10 |
                         (start && f->key && f->first ? 0x08 : 0));
    if (start) {
        bool ext = c->p.n_spatial > 1 || c->p.n_temporal > 1;
        out[n++] = (uint8_t)(6 << 3 | (ext ? 4 : 0)); /* OBU_FRAME */
        if (ext) {
            out[n++] = (uint8_t)(f->tid << 5 | f->sid << 3);
        }
    }
    return n;
}

static size_t payload_head(const struct camera *c, const struct camera_frame *f, bool start,
                           bool end, uint8_t *out)
{
    if (c->p.codec == CODEC_VP8) {
        return head_vp8(c, f, start, out);
    }
    if (c->p.codec == CODEC_H264) {
        return head_h264(f, start, end, out);
    }
    if (c->p.codec == CODEC_VP9) {
        return head_vp9(c, f, start, end, out);
    }
    return head_av1(c, f, start, end, out);
}

static struct truth truth_of(const struct camera *c, const struct camera_frame *f, size_t part,
                             size_t parts)
{
    struct truth t = {.magic = TRUTH_MAGIC,
                      .source = c->source,
                      .layer = (uint8_t)f->layer,
                      .sid = (uint8_t)f->sid,
                      .tid = (uint8_t)f->tid,
                      .key = f->key,
                      .n_refs = (uint8_t)f->n_refs,
                      .top_sid = (uint8_t)(c->p.n_spatial - 1),
                      .part = (uint16_t)part,
                      .parts = (uint16_t)parts,
                      .frame = f->frame,
                      .capture_us = f->capture_us,
                      .bytes = f->bytes};
    memcpy(t.refs, f->refs, sizeof(t.refs));
    return t;
}

/* SPS, PPS and an SEI that holds the truth, in one STAP-A: the packet before an IDR picture. */
static void send_parameter_sets(struct camera *c, const struct camera_frame *f, size_t parts)
{
    static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xec, 0x80};
    static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    uint8_t out[200] = {0x60 | 24};
    struct truth t = truth_of(c, f, 0, parts);
    size_t n = 1;
    const struct {
        const uint8_t *nal;
        size_t len;
    } nals[] = {{sps, sizeof(sps)}, {pps, sizeof(pps)}};
    for (unsigned i = 0; i < ARRAY_LEN(nals); i++) {
        out[n++] = 0;
        out[n++] = (uint8_t)nals[i].len;
        memcpy(out + n, nals[i].nal, nals[i].len);
        n += nals[i].len;
    }
    out[n++] = 0;
    out[n++] = (uint8_t)(sizeof(t) + 1);
    out[n++] = 6;
    memcpy(out + n, &t, sizeof(t));
    n += sizeof(t);
    camera_queue(c, f->layer, out, n, false, f, NULL, 0);
}

void camera_packetise(struct camera *c, const struct camera_frame *f)
{
    enum { ROOM = CAMERA_PAYLOAD - 40 - (int)sizeof(struct truth) };
    bool sets = c->p.codec == CODEC_H264 && f->key;
    size_t cuts = MAX((f->bytes + ROOM - 1) / ROOM, (size_t)1);
    if (c->p.codec == CODEC_H264) {
        cuts = MAX(cuts, (size_t)2); /* a fragment may not be whole (RFC 6184 5.8) */
    }
    size_t parts = cuts + sets, left = f->bytes;
    if (sets) {
        send_parameter_sets(c, f, parts);
    }
    for (size_t i = 0; i < cuts; i++) {
        uint8_t payload[CAMERA_PAYLOAD + 100], dd[CAMERA_DD_MAX];
        bool start = i == 0, end = i + 1 == cuts;
        size_t n = payload_head(c, f, start, end, payload);
        struct truth t = truth_of(c, f, i + sets, parts);
        memcpy(payload + n, &t, sizeof(t));
        n += sizeof(t);
        size_t take = left / (cuts - i);
        left -= take;
        memset(payload + n, (int)(f->frame + i), take);
        size_t dd_len = c->p.dd ? write_dd(c, f, start, end, dd) : 0;
        camera_queue(c, f->layer, payload, n + take, end && f->last, f, dd, dd_len);
    }
}
