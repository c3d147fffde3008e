/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/svc_stream.h"
#include "signaling/asset.h"
#include "tests/peer/peer_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATES_MAX 64

ASSET_BYTES(svc, 0, RTP_DATA "/vp9-chromium-L3T3_KEY-720p.txt")
ASSET_BYTES(svc, 1, RTP_DATA "/av1-chromium-L3T3-720p.txt")

/* ---- the dependency descriptor, AV1 RTP A.8 ---- */

struct bits {
    const uint8_t *p;
    size_t n, at; /* bits */
};

static unsigned get(struct bits *b, unsigned n)
{
    unsigned v = 0;

    for (; n; n--, b->at++) {
        v = v << 1 | (b->at < b->n ? b->p[b->at / 8] >> (7 - b->at % 8) & 1U : 0);
    }
    return v;
}

struct structure {
    unsigned first_id, n_targets, n;
    struct svc_frame templates[TEMPLATES_MAX]; /* sid, tid, refs */
};

/* Up to the templates' frame differences; what follows is not needed. */
static bool read_structure(struct bits *b, struct structure *t)
{
    unsigned sid = 0, tid = 0, next;

    t->first_id = get(b, 6);
    t->n_targets = get(b, 5) + 1;
    t->n = 0;
    do {
        struct svc_frame *f = &t->templates[t->n++];
        *f = (struct svc_frame){.sid = (uint8_t)sid, .tid = (uint8_t)tid};
        next = get(b, 2);
        sid += next == 2;
        tid = next == 1 ? tid + 1 : next == 2 ? 0 : tid;
    } while (next != 3 && t->n < TEMPLATES_MAX);
    b->at += 2 * (size_t)t->n * t->n_targets; /* indications of the decode targets */
    for (unsigned i = 0; i < t->n; i++) {
        struct svc_frame *f = &t->templates[i];
        while (get(b, 1) && f->n_refs < 8) {
            f->refs[f->n_refs++] = (uint16_t)(get(b, 4) + 1);
        }
    }
    return next == 3 && b->at <= b->n;
}

/* Layer and references of a frame that lies in one packet. The structure comes with the first. */
static bool read_descriptor(struct structure *t, struct svc_frame *f)
{
    struct bits b = {.p = f->dd, .n = (size_t)f->dd_len * 8};
    bool whole = get(&b, 2) == 3;
    unsigned id = get(&b, 6);

    (void)get(&b, 16);
    unsigned flags = f->dd_len > 3 ? get(&b, 5) : 0;
    if (!whole || (flags & 0x10 && !read_structure(&b, t))) {
        return false;
    }
    unsigned at = (id + 64 - t->first_id) % 64;
    if (at >= t->n) {
        return false;
    }
    f->sid = t->templates[at].sid;
    f->tid = t->templates[at].tid;
    f->n_refs = t->templates[at].n_refs;
    memcpy(f->refs, t->templates[at].refs, sizeof(f->refs));
    if (flags & 0x10 || !(flags & 0x02)) {
        return true;
    }
    b.at += (flags & 0x08 ? t->n_targets : 0) + (flags & 0x04 ? 2 * t->n_targets : 0);
    f->n_refs = 0;
    for (unsigned size = get(&b, 2); size && f->n_refs < 8; size = get(&b, 2)) {
        f->refs[f->n_refs++] = (uint16_t)(get(&b, 4 * size) + 1);
    }
    return b.at <= b.n;
}

/* ---- the files ---- */

static uint8_t read_hex(const char *text, uint8_t *out, size_t cap)
{
    unsigned byte;
    size_t n = 0;

    while (n < cap && sscanf(text + 2 * n, "%2x", &byte) == 1) {
        out[n++] = (uint8_t)byte;
    }
    return (uint8_t)n;
}

bool svc_stream_read(enum peer_codec codec, struct svc_stream *ret)
{
    const char *p = codec == PEER_VP9 ? svc_asset_0 : svc_asset_1;
    struct structure t = {0};
    unsigned n = 0;

    memset(ret, 0, sizeof(*ret));
    for (p = strchr(p, '\n'); p && p[1] && n < SVC_FRAMES; p = strchr(p + 1, '\n')) {
        struct svc_frame *f = &ret->frames[n++];
        char marker, dd[2 * SVC_DD_MAX + 1], head[129];
        if (sscanf(p + 1, "%*u %*u %c %256s %128s", &marker, dd, head) != 3) {
            return false;
        }
        f->last = marker == 'M';
        f->dd_len = read_hex(dd, f->dd, sizeof(f->dd));
        f->head_len = read_hex(head, f->head, sizeof(f->head));
        if (!read_descriptor(&t, f)) {
            return false;
        }
    }
    return n == SVC_FRAMES && ret->frames[n - 1].last;
}

void svc_stream_head(const struct svc_stream *st, enum peer_codec codec, unsigned index,
                     uint8_t head[64], uint8_t dd[SVC_DD_MAX])
{
    const struct svc_frame *f = &st->frames[index % SVC_FRAMES];
    unsigned round = index / SVC_FRAMES, pictures = 0;

    for (unsigned i = 0; i < SVC_FRAMES; i++) {
        pictures += st->frames[i].last;
    }
    memcpy(head, f->head, sizeof(f->head));
    memcpy(dd, f->dd, sizeof(f->dd));
    peer_put16(dd + 1, (uint16_t)(peer_get16(f->dd + 1) + round * SVC_FRAMES));
    if (codec == PEER_VP9) { /* a picture id of 15 bits, RFC 9628 4.2 */
        unsigned id = (peer_get16(f->head + 1) & 0x7fff) + round * pictures;
        peer_put16(head + 1, 0x8000 | (id & 0x7fff));
    }
}
