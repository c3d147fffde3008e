/* SPDX-License-Identifier: Apache-2.0 */
/* video_refs.c - which frames a frame needs, told from the numbers around it as libwebrtc tells
 * it: by Dependency Descriptor where there is one, else by VP8's picture ids and TL0PICIDX, VP9's
 * flexible mode, and for H.264 by sequence numbers. */
#include "tests/sim/video_rx.h"

static int64_t unwrap(int64_t ref, unsigned v, unsigned bits)
{
    int64_t range = (int64_t)1 << bits;
    int64_t diff = ((int64_t)v - ref) & (range - 1);
    return ref + (diff >= range / 2 ? diff - range : diff);
}

void video_rx_identify(struct video_rx *v, struct video_rx_frame *f)
{
    bool first = !v->pid && !v->number;
    if (f->d.has_dd) {
        f->id = first ? (1 << 20) + f->d.number : unwrap(v->number, f->d.number, 16);
        v->number = MAX(v->number, f->id);
        return;
    }
    if (v->codec == CODEC_H264) {
        f->id = (int64_t)f->first;
        return;
    }
    int64_t pid = first ? (1 << 20) + f->d.pid : unwrap(v->pid, f->d.pid, 15);
    v->pid = MAX(v->pid, pid);
    if (v->codec == CODEC_VP9) {
        f->id = pid * 8 + f->d.sid;
        return;
    }
    f->id = pid;
    int64_t tl0 = first ? (1 << 20) + f->d.tl0 : unwrap(v->tl0, f->d.tl0, 8);
    v->tl0 = MAX(v->tl0, tl0);
    unsigned at = (unsigned)pid % ARRAY_LEN(v->vp8);
    v->vp8[at].pid = pid;
    v->vp8[at].tl0 = tl0;
    v->vp8[at].tid = f->d.tid;
}

/* The base frame of the group that tl0 names. */
static int64_t find_base(const struct video_rx *v, int64_t tl0, int64_t before)
{
    for (unsigned i = 0; i < ARRAY_LEN(v->vp8); i++) {
        if (v->vp8[i].tid == 0 && v->vp8[i].tl0 == tl0 && v->vp8[i].pid && v->vp8[i].pid < before &&
            v->vp8[i].pid > before - 200) {
            return v->vp8[i].pid;
        }
    }
    return -1;
}

static int refs_vp8(const struct video_rx *v, const struct video_rx_frame *f, int64_t *refs)
{
    if (!f->d.has_tl0) {
        refs[0] = f->id - 1;
        return 1;
    }
    int64_t tl0 = v->vp8[(unsigned)f->id % ARRAY_LEN(v->vp8)].tl0;
    if (f->d.tid == 0 || f->d.sync) {
        refs[0] = find_base(v, f->d.tid == 0 ? tl0 - 1 : tl0, f->id);
        return refs[0] < 0 ? -1 : 1;
    }
    /* The newest frame of each layer up to its own; every picture between must be known, since it
     * might be one of them: that is why ids may not have gaps. */
    bool found[4] = {0};
    int n = 0;
    for (int64_t pid = f->id - 1; pid > f->id - 100; pid--) {
        unsigned at = (unsigned)pid % ARRAY_LEN(v->vp8);
        unsigned tid = v->vp8[at].tid & 3;
        if (v->vp8[at].pid != pid || (tid == 0 && v->vp8[at].tl0 != tl0)) {
            return -1;
        }
        if (tid <= f->d.tid && !found[tid]) {
            found[tid] = true;
            refs[n++] = pid;
        }
        if (tid == 0) {
            return n;
        }
    }
    return -1;
}

static int refs_h264(const struct video_rx *v, const struct video_rx_frame *f, int64_t *refs)
{
    uint64_t seq = f->first - 1;
    for (int i = 0; i < 64; i++, seq--) {
        const struct video_rx_packet *p = &v->packets[seq % VIDEO_RX_PACKETS];
        if (p->seq != seq) {
            return -1;
        }
        if (!p->padding) {
            break;
        }
    }
    for (int i = 0; i < VIDEO_RX_FRAMES; i++) {
        if (v->frames[i].used && v->frames[i].last == seq) {
            refs[0] = v->frames[i].id;
            return 1;
        }
    }
    for (; v->packets[seq % VIDEO_RX_PACKETS].seq == seq; seq--) {
        if (v->packets[seq % VIDEO_RX_PACKETS].d.start) {
            refs[0] = (int64_t)seq;
            return 1;
        }
    }
    return -1;
}

int video_rx_refs(const struct video_rx *v, const struct video_rx_frame *f,
                  int64_t refs[RX_REFS + 1])
{
    int n = 0;
    if (f->d.has_dd) {
        for (; n < f->d.n_diffs; n++) {
            refs[n] = f->id - f->d.diffs[n];
        }
        return n;
    }
    if (v->codec == CODEC_VP9) {
        for (; n < f->d.n_diffs; n++) {
            refs[n] = f->id - 8 * (int64_t)f->d.diffs[n];
        }
        if (f->d.inter_layer) {
            refs[n++] = f->id - 1;
        }
        return n;
    }
    if (f->key) {
        return 0;
    }
    return v->codec == CODEC_VP8 ? refs_vp8(v, f, refs) : refs_h264(v, f, refs);
}

bool video_rx_is_done(const struct video_rx *v, int64_t id)
{
    unsigned n = MIN(v->n_done, (unsigned)VIDEO_RX_DONE);
    for (unsigned i = 1; i <= n; i++) {
        if (v->done[(v->n_done - i) % VIDEO_RX_DONE] == id) {
            return true;
        }
    }
    return false;
}
