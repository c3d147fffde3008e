/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sfu/ingest.h"
#include "sfu/router.h"

#define SPS "\x67\x42\xc0\x1f\xda\x01"
#define PPS "\x68\xce\x3c\x80"

/* One source with its encoding, and a router that nobody watches. */
struct bench {
    struct router r;
    struct stream *stream;
    struct source src;
};

static struct bench *open_bench(const char *fmtp)
{
    struct bench *b = calloc(1, sizeof(*b));
    cr_assert_not_null(b);
    list_init(&b->r.dirty);
    b->stream = calloc(1, sizeof(*b->stream));
    cr_assert_not_null(b->stream);
    struct track *t = track_open(b->stream, 1, MEDIA_VIDEO, 1);
    cr_assert_not_null(t);
    t->best = -1;
    b->src.enc = &t->enc[0];
    cr_assert_eq(encoding_open(b->src.enc, CODEC_H264), 0);
    b->src.preface = preface_new(CODEC_H264, fmtp);
    cr_assert_not_null(b->src.preface);
    return b;
}

static void close_bench(struct bench *b)
{
    stream_free(b->stream);
    free(b->src.preface);
    free(b);
}

/* What a packet is: 's' SPS and PPS, 'k' the slice of a key frame, 'p' another slice. */
static uint64_t feed(struct bench *b, uint64_t seq, uint32_t ts, char kind)
{
    static const char sets[] = "\x78\0\6" SPS "\0\4" PPS, key[] = "\x65\x88\x84\0",
                      slice[] = "\x41\x9a\x02\0";
    const char *payload = kind == 's' ? sets : kind == 'k' ? key : slice;
    struct describe_in in = {.payload = (const uint8_t *)payload,
                             .len = kind == 's' ? sizeof(sets) - 1 : 4,
                             .ts = ts,
                             .seq16 = (uint16_t)seq,
                             .marker = kind != 's'};
    struct pkt_desc desc;
    cr_assert_eq(codec_describe(CODEC_H264, &b->src.enc->desc, &in, &desc), 0);
    encoding_note_map(b->src.enc);
    struct hist_in put = {.seq = seq,
                          .ts = ts,
                          .marker = in.marker,
                          .codec = CODEC_H264,
                          .map_gen = b->src.enc->map.gen,
                          .desc = &desc,
                          .payload = in.payload,
                          .payload_len = in.len};
    preface_apply(&b->r, &b->src, &put, &desc);
    cr_expect(route_put(&b->r, b->src.enc, &put), "number %lu is taken", put.seq);
    return put.seq;
}

/* Each packet: its number, its picture, its kind, and how many were put in before it. */
struct step {
    uint64_t seq;
    uint32_t ts;
    char kind;
    unsigned ahead;
};

Test(preface, numbers)
{
    static const struct {
        const char *what, *fmtp;
        struct step steps[12];
    } rows[] = {
        {"each key frame has its own",
         "",
         {{10, 1, 's'}, {11, 1, 'k'}, {12, 2, 'p'}, {13, 3, 's'}, {14, 3, 'k'}, {15, 4, 'p'}}},
        {"the first only",
         "",
         {{10, 1, 's'},
          {11, 1, 'k'},
          {12, 2, 'p'},
          {13, 3, 'k', 1},
          {14, 4, 'p', 1},
          {15, 5, 'k', 2},
          {16, 6, 'p', 2}}},
        {"none ever", "", {{10, 1, 'k'}, {11, 2, 'p'}, {12, 3, 'k'}}},
        {"in the offer",
         "sprop-parameter-sets=Z0LAH9oB,aM48gA==",
         {{10, 1, 'k', 1}, {11, 2, 'p', 1}, {12, 3, 'k', 2}}},
        {"late ones of before",
         "",
         {{10, 1, 's'},
          {11, 1, 'k'},
          {13, 3, 'p'},
          {14, 4, 'k', 1},
          {15, 5, 'p', 1},
          {12, 2, 'p', 0},
          {17, 7, 'k', 1},
          {16, 6, 'p', 1},
          {18, 8, 'k', 2}}},
        {"what is missing before it may be its own",
         "",
         {{10, 1, 's'},
          {11, 1, 'k'},
          {12, 2, 'p'},
          {14, 3, 'k', 0},
          {13, 3, 's', 0},
          {15, 4, 'p', 0}}},
        {"a key frame that comes late",
         "",
         {{10, 1, 's'}, {11, 1, 'k'}, {13, 3, 'p'}, {12, 2, 'k', 0}, {14, 4, 'k', 1}}},
        {"two slices of one picture",
         "",
         {{10, 1, 's'}, {11, 1, 'k'}, {12, 2, 'k', 1}, {13, 2, 'k', 1}, {14, 3, 'p', 1}}},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench *b = open_bench(rows[i].fmtp);
        unsigned most = 0;
        for (unsigned k = 0; rows[i].steps[k].seq; k++) {
            const struct step *x = &rows[i].steps[k];
            uint64_t is = feed(b, x->seq, x->ts * 3000, x->kind);
            cr_expect_eq(is, x->seq + x->ahead, "%s: %lu became %lu", rows[i].what, x->seq, is);
            most = MAX(most, x->ahead);
        }
        cr_expect_eq(b->r.n.prefaces, most, "%s", rows[i].what);
        close_bench(b);
    }
}

/* Where to enter is the packet that was put in, and it is the picture's. */
Test(preface, is_where_to_enter)
{
    struct bench *b = open_bench("");
    feed(b, 10, 3000, 's');
    feed(b, 11, 3000, 'k');
    feed(b, 12, 6000, 'p');
    feed(b, 13, 9000, 'k');
    const struct history *h = &b->src.enc->hist;
    const struct hist_slot *sets = history_at(h, 13), *key = history_at(h, 14);
    cr_assert(sets && key);
    cr_expect(sets->desc.flags & DESC_ENTRY && sets->desc.flags & DESC_FRAME_START);
    cr_expect_not(sets->flags & HIST_MARKER || sets->desc.flags & DESC_FRAME_END);
    cr_expect_eq(sets->ts, key->ts);
    cr_expect_not(key->desc.flags & (DESC_ENTRY | DESC_FRAME_START));
    cr_expect(key->desc.flags & DESC_KEYFRAME && key->desc.flags & DESC_FRAME_END);
    cr_expect_eq(h->entry_arrival, sets->arrival + 1);
    const uint8_t *bytes = history_bytes(h, sets);
    cr_assert_not_null(bytes);
    cr_expect_eq(sets->payload_len, 15);
    cr_expect_eq(memcmp(bytes, "\x78\0\6" SPS "\0\4" PPS, 15), 0);
    close_bench(b);
}

/* Years of key frames: only the last places are remembered, and a numbering that began anew is not
 * held against them. */
Test(preface, goes_on)
{
    struct bench *b = open_bench("");
    feed(b, 99999, 0, 's');
    for (unsigned i = 0; i < 100; i++) {
        cr_expect_eq(feed(b, 100000 + i, 3000 * (i + 1), 'k'), 100000 + i + i + 1);
    }
    history_reset(&b->src.enc->hist);
    b->src.enc->desc.any = false;
    cr_expect_eq(feed(b, 70000, 1, 'p'), 70100);
    cr_expect_eq(feed(b, 70001, 2, 'k'), 70102);
    close_bench(b);
}
