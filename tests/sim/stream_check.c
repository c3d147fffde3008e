/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/stream_check.h"

#include <stdio.h>
#include <string.h>

/* Numbers so far below the newest are final: later repairs from upstream are not waited for. */
#define SETTLE (CHECK_WINDOW / 2)

void stream_check_init(struct stream_check *c, enum codec_id codec, bool lossy_source)
{
    memset(c, 0, sizeof(*c));
    c->codec = codec;
    c->lossy_source = lossy_source;
    c->excused = lossy_source;
}

static uint64_t frame_id(const struct truth *t, uint32_t frame)
{
    return (uint64_t)t->source << 34 | (uint64_t)t->layer << 32 | frame;
}

static bool same_frame(const struct truth *a, const struct truth *b)
{
    return frame_id(a, a->frame) == frame_id(b, b->frame);
}

static bool was_sent(const struct stream_check *c, uint64_t id)
{
    unsigned n = MIN(c->n_done, (unsigned)CHECK_FRAMES);
    for (unsigned i = 1; i <= n; i++) {
        if (c->done[(c->n_done - i) % CHECK_FRAMES] == id) {
            return true;
        }
    }
    return false;
}

static void check_pid(struct stream_check *c, const struct check_packet *p)
{
    if (c->codec != CODEC_VP8 || p->d.has_dd) {
        return;
    }
    unsigned step = (unsigned)(p->d.pid - c->last.d.pid) & 0x7fff;
    c->bad.pid += !p->d.has_pid || step < 1 || step > 1 + c->gap;
    if (p->d.has_tl0) {
        uint8_t tl0_step = (uint8_t)(p->d.tl0 - c->last_tl0);
        c->bad.tl0 += c->gap ? tl0_step > 1 + c->gap : tl0_step != (p->d.tid == 0);
    }
}

/* The Dependency Descriptor of a frame's first packet, against the truth. */
static void check_dd(struct stream_check *c, const struct check_packet *p)
{
    const struct truth *t = &p->d.truth;
    if (!p->d.has_dd) {
        return;
    }
    bool back = c->has_last && (int16_t)(uint16_t)(p->d.number - c->last.d.number) <= 0;
    c->bad.number += back;
    c->numbered[p->d.number % CHECK_NUMBERS] = frame_id(t, t->frame);
    for (int i = 0; i < p->d.n_diffs && !c->excused; i++) {
        uint64_t id = c->numbered[(uint16_t)(p->d.number - p->d.diffs[i]) % CHECK_NUMBERS];
        bool right = false;
        for (int k = 0; k < t->n_refs; k++) {
            right |= id == frame_id(t, t->refs[k]);
        }
        c->bad.number += !right;
    }
    c->bad.active += p->d.unneeded && !p->late;
}

/* p begins another frame than the packet before it. */
static void next_frame(struct stream_check *c, const struct check_packet *p)
{
    const struct truth *t = &p->d.truth;
    bool free = c->gap > 0;
    bool entry = t->key && t->n_refs == 0;
    if (c->has_last) {
        bool new_picture = p->ts != c->last.ts;
        c->cuts += !c->whole && !free && entry;
        c->bad.torn += (!c->whole && !free && !entry) || (t->part != 0 && !free);
        /* A key frame may cut a picture short. Where a packet comes late from upstream and its
         * picture has been left out meanwhile, nothing refers to that. */
        bool cut = free || t->key || (c->lossy_source && c->last.d.truth.tid > 0);
        c->bad.marker += new_picture && !c->last.marker && !cut;
        c->bad.marker += !new_picture && c->last.marker;
        check_pid(c, p);
        c->switches += t->layer != c->last.d.truth.layer || t->source != c->last.d.truth.source;
    } else {
        c->bad.torn += t->part != 0 || !t->key;
    }
    c->excused = !entry && (c->excused || (free && c->lossy_source));
    for (int i = 0; i < t->n_refs && !c->excused; i++) {
        c->bad.reference += !was_sent(c, frame_id(t, t->refs[i]));
    }
    check_dd(c, p);
    c->frames++;
}

static void settle_one(struct stream_check *c, const struct check_packet *p)
{
    if (c->has_last) {
        c->bad.ts_back += (int32_t)(p->ts - c->last.ts) < 0;
    }
    if (p->padding) {
        c->bad.torn += c->has_last && !c->whole && !c->gap;
        c->gap = 0;
        return;
    }
    const struct truth *t = &p->d.truth;
    /* A viewer that was off for a moment may get the same key frame again, as another picture. */
    if (!c->has_last || !same_frame(t, &c->last.d.truth) || (p->ts != c->last.ts && t->part == 0)) {
        next_frame(c, p);
        c->whole = false;
    } else {
        c->bad.torn +=
            t->part <= c->last.d.truth.part || t->part > c->last.d.truth.part + 1u + c->gap;
        c->bad.torn += t->part != c->last.d.truth.part + 1u && !c->gap;
        c->bad.torn += p->ts != c->last.ts;
        c->bad.pid += c->codec == CODEC_VP8 && p->d.pid != c->last.d.pid;
        c->bad.marker += c->last.marker;
        c->excused |= c->gap && c->lossy_source;
    }
    c->bad.active += p->marker && p->d.has_dd && p->d.sid != p->d.top_sid && !p->late;
    if (t->part + 1 == t->parts) {
        c->whole = true;
        c->done[c->n_done++ % CHECK_FRAMES] = frame_id(t, t->frame);
    }
    c->gap = 0;
    c->last = *p;
    c->last_tl0 = p->d.has_tl0 ? p->d.tl0 : c->last_tl0;
    c->has_last = true;
}

static void settle(struct stream_check *c, uint64_t upto)
{
    while (c->settled < upto) {
        uint64_t seq = ++c->settled;
        const struct check_packet *p = &c->w[seq % CHECK_WINDOW];
        if (p->seq == seq && !p->told) {
            settle_one(c, p);
        } else {
            c->gap++;
            c->gaps++;
            c->untold += p->seq != seq;
        }
    }
}

void stream_check_packet(struct stream_check *c, const struct rx_rtp *p, const uint8_t *dd,
                         size_t dd_len)
{
    if (!c->any) {
        c->any = true;
        c->top = 0x10000u + p->seq16;
        c->settled = c->top - 1;
    }
    c->packets++;
    uint64_t seq = c->top + (uint64_t)(int64_t)(int16_t)(p->seq16 - (uint16_t)c->top);
    bool late = seq < c->top;
    c->top = MAX(c->top, seq);
    settle(c, c->top > c->settled + SETTLE ? c->top - SETTLE : c->settled);
    struct check_packet *slot = &c->w[seq % CHECK_WINDOW];
    if ((slot->seq == seq && !slot->told) || seq + CHECK_WINDOW <= c->top) {
        c->bad.twice++;
        return;
    }
    *slot = (struct check_packet){
        .seq = seq, .ts = p->ts, .marker = p->marker, .padding = p->len == 0, .late = late};
    if (!slot->padding &&
        (!rx_desc_read(c->codec, &c->dd, p, dd, dd_len, &slot->d) || !slot->d.has_truth)) {
        c->bad.malformed++;
        slot->seq = 0;
    }
}

void stream_check_rtx(struct stream_check *c, const struct rx_rtp *p)
{
    c->rtx_packets++;
    c->bad.rtx_seq += c->rtx_any && (uint16_t)(p->seq16 - c->rtx_top) != 1;
    c->rtx_any = true;
    c->rtx_top = p->seq16;
    if (p->len < 2) {
        return; /* padding */
    }
    uint16_t osn = (uint16_t)(p->payload[0] << 8 | p->payload[1]);
    uint64_t seq = c->top + (uint64_t)(int64_t)(int16_t)(osn - (uint16_t)c->top);
    struct check_packet *was = &c->w[seq % CHECK_WINDOW];
    if (seq > c->top) {
        c->bad.rtx++;
        return;
    }
    if (was->seq != seq && seq > c->settled) {
        *was = (struct check_packet){.seq = seq, .told = true};
    }
    if (p->len == 2 || was->seq != seq || was->told) {
        return; /* "nobody's", or not there to be compared */
    }
    struct rx_rtp inner = *p;
    struct rx_desc d;
    struct rx_dd dd = c->dd;
    inner.payload += 2;
    inner.len -= 2;
    bool same = p->ts == was->ts && p->marker == was->marker &&
                rx_desc_read(c->codec, &dd, &inner, NULL, 0, &d) &&
                memcmp(&d.truth, &was->d.truth, sizeof(d.truth)) == 0 && d.pid == was->d.pid &&
                d.tl0 == was->d.tl0;
    c->bad.rtx += !same;
}

void stream_check_end(struct stream_check *c)
{
    settle(c, c->top);
}

uint64_t stream_check_faults(const struct stream_check *c)
{
    uint64_t sum = 0;
#define CHECK_ADD(name, text) sum += c->bad.name;
    CHECK_FAULTS(CHECK_ADD)
#undef CHECK_ADD
    return sum;
}

const char *stream_check_text(const struct stream_check *c, char *text, size_t cap)
{
    size_t n = 0;
    text[0] = 0;
#define CHECK_SAY(name, what)                                                                      \
    if (c->bad.name && n < cap) {                                                                  \
        n += (size_t)snprintf(text + n, cap - n, "%s%lu x %s", n ? "; " : "", c->bad.name, what);  \
    }
    CHECK_FAULTS(CHECK_SAY)
#undef CHECK_SAY
    return text;
}

void stream_check_transport(struct transport_check *t, const uint8_t *e)
{
    uint16_t seq = (uint16_t)(e[0] << 8 | e[1]);
    t->bad += t->any && (uint16_t)(seq - t->last) != 1;
    t->any = true;
    t->last = seq;
    t->packets++;
}
