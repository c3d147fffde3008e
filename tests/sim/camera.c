/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/camera.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/bytes.h"
#include "tests/vla_write.h"

#define CLOCK_HZ   90000
#define PACE       2.5 /* times the media rate, as libwebrtc's pacer */
#define PACE_BURST 6000.0
#define NOISE      0.2  /* of a frame's size */
#define PAYBACK    0.85 /* frames after a key frame are that much smaller until it is paid */

double camera_random(struct camera *c)
{
    c->random = c->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(c->random >> 11) / 9007199254740992.0;
}

static double gauss(struct camera *c)
{
    double u = camera_random(c), v = camera_random(c);
    return sqrt(-2 * log(1 - u)) * cos(6.283185307 * v);
}

void camera_init(struct camera *c, const struct camera_params *p, uint32_t ssrc0, uint64_t seed,
                 int64_t now_us)
{
    memset(c, 0, sizeof(*c));
    c->p = *p;
    c->source = ssrc0;
    c->random = seed * 0x9e3779b97f4a7c15ULL + ssrc0;
    c->tail = &c->queue;
    c->drift = 1;
    for (int i = 0; i < p->n_layers; i++) {
        struct camera_layer *l = &c->layer[i];
        l->ssrc = ssrc0 + (uint32_t)i;
        l->rtx_ssrc = ssrc0 + 100 + (uint32_t)i;
        l->seq = (uint16_t)(camera_random(c) * 65535);
        l->ts_off = (uint32_t)(camera_random(c) * 4294967295.0);
        l->pid = (uint16_t)(camera_random(c) * 32767);
        l->tl0 = (uint8_t)(camera_random(c) * 255);
        l->dd_off = (uint16_t)(l->pid * 7);
        l->key_wanted = true;
    }
    c->next_frame_us = now_us + (int64_t)(camera_random(c) * 33333);
    c->next_slide_us = c->next_frame_us + p->slide_us;
    c->paced_us = now_us;
}

void camera_fini(struct camera *c)
{
    while (c->queue) {
        struct camera_packet *next = c->queue->next;
        free(c->queue);
        c->queue = next;
    }
    c->tail = &c->queue;
}

/* ---- sizes ---- */

/* Share of a layer's bits that frames up to tid take, times 100. */
static int share(int n_temporal, int tid)
{
    static const int cumulative[] = {40, 60, 100};
    return n_temporal == 1 ? 100 : cumulative[MIN(tid, 2)];
}

uint32_t camera_cost_bps(const struct camera *c, int layer, int sid, int tid)
{
    uint32_t kbps = 0;
    if (c->p.n_spatial == 1) {
        kbps = c->p.kbps[layer];
    } else if (c->p.k_svc) {
        kbps = c->p.kbps[sid];
    } else {
        for (int s = 0; s <= sid; s++) {
            kbps += c->p.kbps[s];
        }
    }
    return kbps * 10u * (uint32_t)share(c->p.n_temporal, tid);
}

static size_t frame_bytes(struct camera *c, struct camera_layer *l, const struct camera_frame *f)
{
    /* T3 of a mean frame: T0 1.6, T1 0.8, T2 0.8, so that shares are 40, 20 and 40 %. */
    double mean = c->p.kbps[c->p.n_spatial > 1 ? f->sid : f->layer] * 1000.0 / c->p.fps * c->drift;
    double weight = c->p.n_temporal == 1 ? 1 : f->tid == 0 ? 1.6 : 0.8;
    double bits = mean * weight * exp(gauss(c) * NOISE - NOISE * NOISE / 2);
    double *debt = &l->debt_bits[f->sid];
    if (f->key) {
        bits = mean * (5 + 3 * camera_random(c));
        *debt += bits - mean * weight;
    } else if (*debt > 0) {
        *debt -= bits * (1 - PAYBACK);
        bits *= PAYBACK;
    }
    return (size_t)MAX(bits / 8, 80.0);
}

/* A static screen: next to nothing; a slide: as much as 400 ms of the layer's rate. */
static size_t screen_bytes(struct camera *c, struct camera_layer *l, const struct camera_frame *f,
                           bool slide)
{
    double rate = c->p.kbps[c->p.n_spatial > 1 ? f->sid : f->layer] * 125.0; /* bytes per second */
    if (slide || f->key) {
        c->slide_frame[f->layer] = f->frame;
        return (size_t)(rate * (0.35 + 0.1 * camera_random(c)));
    }
    (void)l;
    return (size_t)(120 + 300 * camera_random(c));
}

/* ---- frames ---- */

/* Temporal layer of a position in the pattern 0 2 1 2. */
static int tid_at(const struct camera *c, int phase)
{
    static const int tids[] = {0, 2, 1, 2};
    return c->p.n_temporal == 1 ? 0 : tids[phase];
}

static void refer(struct camera_frame *f, uint32_t frame)
{
    f->refs[f->n_refs++] = frame;
}

/* Which frames this one needs. */
static void add_refs(const struct camera *c, const struct camera_layer *l, struct camera_frame *f)
{
    if (!f->key) {
        if (f->tid == 0 || f->phase == 1 || f->phase == 2) {
            refer(f, l->last_t0[f->sid]);
        } else {
            refer(f, l->last_t1[f->sid]);
            if (c->p.codec == CODEC_VP8) {
                refer(f, l->last_t0[f->sid]);
            }
        }
    }
    if (f->sid > 0 && (f->key || !c->p.k_svc)) {
        refer(f, f->frame - 1);
    }
    f->sync = !f->key && (f->phase == 1 || f->phase == 2);
    f->discardable = f->tid == 2;
}

static void encode(struct camera *c, int layer, int64_t capture_us, bool slide)
{
    struct camera_layer *l = &c->layer[layer];
    bool key = l->key_wanted;
    if (key) {
        l->phase = 0;
        l->key_wanted = false;
        l->last_key_us = capture_us;
        l->keys++;
        l->started = true;
        l->news = true;
    }
    l->says = c->p.vla && l->news;
    int tid = tid_at(c, l->phase);
    l->pid = (l->pid + 1) & 0x7fff;
    l->tl0 = (uint8_t)(l->tl0 + (tid == 0));
    l->last_ts = l->ts_off + (uint32_t)(capture_us * 9 / 100);
    for (int sid = 0; sid < c->p.n_spatial; sid++) {
        struct camera_frame f = {.layer = layer,
                                 .sid = sid,
                                 .tid = tid,
                                 .key = key,
                                 .first = sid == 0,
                                 .last = sid == c->p.n_spatial - 1,
                                 .frame = ++l->frame,
                                 .ts = l->last_ts,
                                 .capture_us = capture_us,
                                 .ready_us = capture_us + c->p.encode_us,
                                 .phase = l->phase};
        add_refs(c, l, &f);
        f.bytes = c->p.screen ? screen_bytes(c, l, &f, slide) : frame_bytes(c, l, &f);
        l->bytes += f.bytes;
        l->key_bytes += key ? f.bytes : 0;
        camera_packetise(c, &f);
        if (tid == 0) {
            l->last_t0[sid] = f.frame;
        } else if (tid == 1) {
            l->last_t1[sid] = f.frame;
        }
    }
    l->news &= tid > 0;
    l->tu++;
    l->phase = c->p.n_temporal == 1 ? 0 : (l->phase + 1) % 4;
}

static void drift(struct camera *c, int64_t now_us)
{
    if (c->p.noise > 0 && now_us >= c->drift_us) {
        c->drift_us = now_us + 500 * US_PER_MS;
        c->drift += (1 - c->drift) * 0.3 + gauss(c) * c->p.noise * 0.7;
        c->drift = MIN(MAX(c->drift, 1 - 2 * c->p.noise), 1 + 2 * c->p.noise);
    }
}

static void note_sent(struct camera *c)
{
    unsigned sent = 0;
    for (int i = 0; i < c->p.n_layers; i++) {
        sent |= c->layer[i].paused ? 0 : 1U << i;
    }
    for (int i = 0; i < c->p.n_layers && sent != c->sent; i++) {
        c->layer[i].news = true;
    }
    c->sent = sent;
}

void camera_step(struct camera *c, int64_t now_us)
{
    drift(c, now_us);
    while (c->next_frame_us + c->p.encode_us <= now_us) {
        int64_t t = c->next_frame_us;
        bool slide = c->p.screen && t >= c->next_slide_us;
        if (slide) {
            c->slide++;
            c->slide_capture_us = t;
            c->next_slide_us += c->p.slide_us;
        }
        for (int i = 0; i < c->p.n_layers; i++) {
            struct camera_layer *l = &c->layer[i];
            if (c->p.gop_us && t - l->last_key_us >= c->p.gop_us) {
                l->key_wanted = true;
            }
        }
        note_sent(c);
        /* libvpx codes key frames of all simulcast layers together. */
        bool key = false;
        for (int i = 0; i < c->p.n_layers; i++) {
            key |= c->layer[i].key_wanted && !c->layer[i].paused;
        }
        for (int i = 0; i < c->p.n_layers; i++) {
            c->layer[i].key_wanted |= key && c->p.codec == CODEC_VP8;
            if (!c->layer[i].paused) {
                encode(c, i, t, slide);
            }
        }
        c->next_frame_us += US_PER_S / c->p.fps;
    }
}

/* ---- sending ---- */

static size_t put_ext(uint8_t *out, uint8_t id, const void *data, size_t len, bool wide)
{
    size_t n = 0;
    if (wide) {
        out[n++] = id;
        out[n++] = (uint8_t)len;
    } else {
        out[n++] = (uint8_t)(id << 4 | (len - 1));
    }
    memcpy(out + n, data, len);
    return n + len;
}

/* What is sent at present, and how large it is, as said in a packet of this layer. */
static size_t word_of(const struct camera *c, int layer, uint8_t out[VLA_WRITE_MAX])
{
    struct vla v = {.stream = (uint8_t)layer};
    for (int i = 0; i < c->p.n_layers; i++) {
        bool sent = c->sent >> i & 1;
        v.n_streams = sent ? (uint8_t)(i + 1) : v.n_streams;
        for (int sid = 0; sid < c->p.n_spatial && sent; sid++) {
            bool svc = c->p.n_spatial > 1;
            struct vla_layer *l = &v.layer[i][sid];
            *l = (struct vla_layer){
                .n_tid = (uint8_t)c->p.n_temporal,
                .fps = (uint8_t)c->p.fps,
                .width = (uint16_t)(svc ? 1280 >> (c->p.n_spatial - 1 - sid) : 320 << i),
                .height = (uint16_t)(svc ? 720 >> (c->p.n_spatial - 1 - sid) : 180 << i)};
            for (int tid = 0; tid < c->p.n_temporal; tid++) {
                uint32_t kbps = c->p.kbps[svc ? sid : i];
                l->kbps[tid] = (uint16_t)(kbps * (uint32_t)share(c->p.n_temporal, tid) / 100);
            }
        }
    }
    return vla_write(&v, out);
}

/* Header extensions that not every packet has. */
struct extras {
    const uint8_t *dd;
    size_t dd_len;
    bool word;
};

/* The packet with extensions between its header (12 bytes at head) and its payload. */
static struct camera_packet *assemble(const struct camera *c, int layer, bool rtx,
                                      const uint8_t *head, const uint8_t *payload, size_t len,
                                      struct extras x)
{
    struct camera_packet *p = calloc(1, sizeof(*p));
    assert(p);
    uint8_t word[VLA_WRITE_MAX];
    size_t word_len = x.word ? word_of(c, layer, word) : 0;
    bool wide = x.dd_len > 16 || word_len > 16;
    memcpy(p->buf, head, 12);
    p->buf[0] |= 0x10;
    uint8_t *e = p->buf + 16;
    size_t n = put_ext(e, CAMERA_MID_ID, c->p.mid, strlen(c->p.mid), wide);
    if (c->p.n_layers > 1) {
        char rid = (char)('a' + layer);
        n += put_ext(e + n, rtx ? CAMERA_RRID_ID : CAMERA_RID_ID, &rid, 1, wide);
    }
    if (x.dd_len) {
        n += put_ext(e + n, CAMERA_DD_ID, x.dd, x.dd_len, wide);
    }
    if (word_len) {
        n += put_ext(e + n, CAMERA_VLA_ID, word, word_len, wide);
    }
    if (c->p.screen) {
        n += put_ext(e + n, CAMERA_TYPE_ID, "\x01", 1, wide);
    }
    n = (n + 3) / 4 * 4;
    bytes_store16(p->buf + 12, wide ? 0x1000 : 0xbede);
    bytes_store16(p->buf + 14, (uint16_t)(n / 4));
    memcpy(e + n, payload, len);
    p->len = 16 + n + len;
    return p;
}

void camera_crypt(uint8_t *payload, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        payload[i] ^= (uint8_t)(0xa5 + 7 * i);
    }
}

static void append(struct camera *c, struct camera_packet *p, int64_t ready_us)
{
    p->ready_us = ready_us;
    *c->tail = p;
    c->tail = &p->next;
}

void camera_queue(struct camera *c, int layer, const uint8_t *payload, size_t len, bool marker,
                  const struct camera_frame *f, const uint8_t *dd, size_t dd_len)
{
    struct camera_layer *l = &c->layer[layer];
    uint16_t seq = l->seq++;
    uint8_t head[12] = {0x80, (uint8_t)((marker ? 0x80 : 0) | CAMERA_PT)};
    bytes_store16(head + 2, seq);
    bytes_store32(head + 4, f->ts);
    bytes_store32(head + 8, l->ssrc);
    unsigned at = seq % CAMERA_HISTORY;
    assert(12 + len <= sizeof(l->sent[at].buf) && dd_len <= sizeof(l->sent[at].dd));
    memcpy(l->sent[at].buf, head, 12);
    memcpy(l->sent[at].buf + 12, payload, len);
    if (c->p.encrypted) {
        camera_crypt(l->sent[at].buf + 12, len);
    }
    l->sent[at].len = (uint16_t)(12 + len);
    if (dd_len) {
        memcpy(l->sent[at].dd, dd, dd_len);
    }
    l->sent[at].dd_len = (uint16_t)dd_len;
    l->packets++;
    l->octets += len;
    struct extras x = {.dd = dd, .dd_len = dd_len, .word = l->says};
    l->says = false;
    append(c, assemble(c, layer, false, head, l->sent[at].buf + 12, len, x), f->ready_us);
}

struct camera_packet *camera_poll(struct camera *c, int64_t now_us)
{
    double kbps = 0;
    for (int i = 0; i < CAMERA_LAYERS; i++) {
        kbps += c->p.kbps[i];
    }
    c->pace_tokens += (double)(now_us - c->paced_us) * kbps * PACE / 8000.0;
    c->pace_tokens = MIN(c->pace_tokens, PACE_BURST);
    c->paced_us = now_us;
    struct camera_packet *p = c->queue;
    if (!p || p->ready_us > now_us || c->pace_tokens < 0) {
        return NULL;
    }
    c->pace_tokens -= (double)p->len;
    c->queue = p->next;
    if (!c->queue) {
        c->tail = &c->queue;
    }
    return p;
}

void camera_on_pli(struct camera *c, uint32_t ssrc)
{
    c->plis++;
    for (int i = 0; i < c->p.n_layers && !c->p.ignores_pli; i++) {
        c->layer[i].key_wanted |= c->layer[i].ssrc == ssrc;
    }
}

void camera_on_nack(struct camera *c, uint32_t ssrc, uint16_t seq16, int64_t now_us)
{
    c->nacks++;
    for (int i = 0; i < c->p.n_layers; i++) {
        struct camera_layer *l = &c->layer[i];
        unsigned at = seq16 % CAMERA_HISTORY;
        if (l->ssrc != ssrc || !l->sent[at].len || bytes_load16(l->sent[at].buf + 2) != seq16) {
            continue;
        }
        uint8_t head[12], body[1400];
        size_t len = l->sent[at].len - 12u;
        memcpy(head, l->sent[at].buf, 12);
        head[1] = (uint8_t)((head[1] & 0x80) | CAMERA_RTX_PT);
        bytes_store16(head + 2, l->rtx_seq++);
        bytes_store32(head + 8, l->rtx_ssrc);
        bytes_store16(body, seq16);
        memcpy(body + 2, l->sent[at].buf + 12, len);
        struct extras x = {.dd = l->sent[at].dd, .dd_len = l->sent[at].dd_len};
        struct camera_packet *p = assemble(c, i, true, head, body, len + 2, x);
        /* Before the media, as libwebrtc's pacer orders them. */
        p->ready_us = now_us;
        p->next = c->queue;
        if (!c->queue) {
            c->tail = &p->next;
        }
        c->queue = p;
        c->rtx++;
        return;
    }
}
