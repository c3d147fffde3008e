/* SPDX-License-Identifier: Apache-2.0 */
/* codec_util.h - for the tests of rtp/codec*.c: describes packets out of heap blocks of their exact
 * size, so that ASan sees a read past the end, and tells the result in a line of text. */
#ifndef TESTS_CODEC_UTIL_H
#define TESTS_CODEC_UTIL_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/codec.h"
#include "tests/exact.h"

/* The bytes of a literal and how many they are: two members of a row. */
#define B(s) s, sizeof(s) - 1

/* One packet as its receiver sees it: dd is the dependency descriptor, of no length if there is
 * none. */
struct cap_pkt {
    uint16_t seq16;
    uint32_t ts;
    bool marker;
    const char *dd;
    uint8_t dd_len;
    const char *payload;
    uint16_t len;
};

static inline int describe_pkt(enum codec_id id, struct describe *d, const struct cap_pkt *p,
                               struct pkt_desc *ret)
{
    uint8_t *payload = exact_copy(p->payload, p->len);
    uint8_t *dd = exact_copy(p->dd_len ? p->dd : "", p->dd_len);
    struct describe_in in = {.payload = payload,
                             .len = p->len,
                             .ts = p->ts,
                             .seq16 = p->seq16,
                             .marker = p->marker,
                             .dd = p->dd_len ? dd : NULL,
                             .dd_len = p->dd_len};
    int rc = codec_describe(id, d, &in, ret);
    free(payload);
    free(dd);
    return rc;
}

/* Writes headers bit by bit. */
struct bit_out {
    uint8_t bytes[128];
    size_t bits;
};

static inline void put_bits(struct bit_out *w, uint32_t v, unsigned n)
{
    cr_assert(w->bits + n <= sizeof(w->bytes) * 8);
    while (n-- > 0) {
        w->bytes[w->bits / 8] |= (uint8_t)((v >> n & 1) << (7 - w->bits % 8));
        w->bits++;
    }
}

/* Exp-Golomb number. */
static inline void put_ue(struct bit_out *w, uint32_t v)
{
    unsigned n = 0;
    while ((v + 1) >> (n + 1)) {
        n++;
    }
    put_bits(w, 0, n);
    put_bits(w, v + 1, n + 1);
}

/* "K" key frame, "E" entry, "(" start, ")" end, "D" discardable, then sid.tid, the masks of the
 * targets in use (dt, sw, tsw) in hexadecimal, and the size if there is one: "KE(-- 0.0 dt=7 sw=7
 * tsw=7". */
static inline const char *desc_text(const struct describe *d, const struct pkt_desc *p)
{
    static char text[96];
    unsigned used = (1U << d->n_dt) - 1;
    int n = snprintf(text, sizeof(text), "%c%c%c%c%c %u.%u dt=%x sw=%x tsw=%x",
                     p->flags & DESC_KEYFRAME ? 'K' : '-', p->flags & DESC_ENTRY ? 'E' : '-',
                     p->flags & DESC_FRAME_START ? '(' : '-', p->flags & DESC_FRAME_END ? ')' : '-',
                     p->flags & DESC_DISCARDABLE ? 'D' : '-', p->sid, p->tid, p->dt_mask & used,
                     p->sw_mask & used, p->tsw_mask & used);
    if (p->width && n > 0) {
        snprintf(text + n, sizeof(text) - (size_t)n, " %ux%u", p->width, p->height);
    }
    return text;
}

/* A packet of a codec that looks at each by itself. */
struct codec_row {
    const char *what;
    const char *bytes;
    size_t len;
    int rc;
    const char *text; /* desc_text, when rc is 0 */
};

/* A packet of a codec that remembers those before it. */
struct codec_step {
    const char *what;
    const char *bytes;
    size_t len;
    uint16_t seq16;
    uint32_t ts;
    bool marker;
    int rc;
    const char *text; /* desc_text, when rc is 0 */
};

static inline void check_step(enum codec_id id, struct describe *d, const struct codec_step *s)
{
    struct cap_pkt p = {.seq16 = s->seq16,
                        .ts = s->ts,
                        .marker = s->marker,
                        .payload = s->bytes,
                        .len = (uint16_t)s->len};
    struct pkt_desc desc;
    cr_expect_eq(describe_pkt(id, d, &p, &desc), s->rc, "%s", s->what);
    if (s->rc == 0) {
        cr_expect_str_eq(desc_text(d, &desc), s->text, "%s: %s", s->what, desc_text(d, &desc));
    }
}

/* The steps one after another, as packets of one stream. */
static inline void check_steps(enum codec_id id, const struct codec_step *steps, size_t n)
{
    struct describe d;
    cr_assert_eq(describe_init(&d, id), 0);
    for (size_t i = 0; i < n; i++) {
        check_step(id, &d, &steps[i]);
    }
    describe_fini(&d);
}

/* Each row as the first packet of a stream of its own. */
static inline void check_rows(enum codec_id id, const struct codec_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct codec_row *r = &rows[i];
        struct codec_step alone = {.what = r->what,
                                   .bytes = r->bytes,
                                   .len = r->len,
                                   .seq16 = 7,
                                   .ts = 1000,
                                   .rc = r->rc,
                                   .text = r->text};
        check_steps(id, &alone, 1);
    }
}

/* bytes[0..len), the first packet of a stream, tells a picture of this size. */
static inline void check_size(enum codec_id id, const void *bytes, size_t len, unsigned width,
                              unsigned height, const char *what)
{
    struct describe d;
    struct pkt_desc desc;
    struct cap_pkt p = {.payload = bytes, .len = (uint16_t)len};
    cr_assert_eq(describe_init(&d, id), 0);
    cr_assert_eq(describe_pkt(id, &d, &p, &desc), 0, "%s", what);
    cr_expect_eq(desc.width, width, "%s: %u", what, desc.width);
    cr_expect_eq(desc.height, height, "%s: %u", what, desc.height);
    describe_fini(&d);
}

/* A payload descriptor, and what it is with other ids. */
struct codec_rewrite {
    const char *what;
    const char *bytes;
    size_t len;
    uint8_t head_len; /* how much of bytes is replaced */
    const char *want;
    size_t want_len;
};

static inline void check_rewrites(enum codec_id id, const struct codec_ids *ids,
                                  const struct codec_rewrite *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct codec_rewrite *r = &rows[i];
        struct describe d;
        struct pkt_desc desc;
        struct cap_pkt p = {.payload = r->bytes, .len = (uint16_t)r->len};
        uint8_t out[CODEC_HEAD_MAX];
        cr_assert_eq(describe_init(&d, id), 0);
        cr_assert_eq(describe_pkt(id, &d, &p, &desc), 0, "%s", r->what);
        uint8_t *head = exact_copy(r->bytes, desc.head_len);
        uint8_t len = codec_info(id)->rewrite(head, &desc, ids, out);
        free(head);
        cr_expect_eq(desc.head_len, r->head_len, "%s", r->what);
        cr_assert_eq(len, r->want_len, "%s", r->what);
        cr_expect_eq(memcmp(out, r->want, r->want_len), 0, "%s", r->what);
        describe_fini(&d);
    }
}

#endif
