/* SPDX-License-Identifier: Apache-2.0 */
/* codec_util.h - for the tests of rtp/codec*.c: describes packets from heap blocks of their exact
 * size, so that ASan sees a read past the end, and tells the result in a line of text. */
#ifndef TESTS_CODEC_UTIL_H
#define TESTS_CODEC_UTIL_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/codec.h"

/* One packet of a capture. */
struct cap_pkt {
    uint16_t seq16;
    uint32_t ts;
    bool marker;
    const char *dd;
    uint8_t dd_len;
    const char *payload;
    uint16_t len;
};

static inline uint8_t *heap_copy(const void *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    cr_assert_not_null(copy);
    memcpy(copy, data, len);
    return copy;
}

static inline int describe_pkt(enum codec_id id, struct describe *d, const struct cap_pkt *p,
                               struct pkt_desc *ret)
{
    uint8_t *payload = heap_copy(p->payload, p->len);
    uint8_t *dd = heap_copy(p->dd ? p->dd : "", p->dd_len);
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

/* Describes a capture packet by packet and compares with the expected lines. */
static inline void check_capture(enum codec_id id, const struct cap_pkt *pkts, size_t n,
                                 const char *const *expect)
{
    struct describe d;
    cr_assert_eq(describe_init(&d, id), 0);
    for (size_t i = 0; i < n; i++) {
        struct pkt_desc desc;
        cr_assert_eq(describe_pkt(id, &d, &pkts[i], &desc), 0, "packet %zu", i);
        cr_expect_str_eq(desc_text(&d, &desc), expect[i], "packet %zu: got %s, want %s", i,
                         desc_text(&d, &desc), expect[i]);
    }
    describe_fini(&d);
}

/* Every shorter version of the packets, each after those before it, parses or is refused. */
static inline void check_truncated(enum codec_id id, const struct cap_pkt *pkts, size_t n)
{
    struct describe d;
    cr_assert_eq(describe_init(&d, id), 0);
    for (size_t i = 0; i < n; i++) {
        struct pkt_desc desc;
        for (uint16_t len = 0; len <= pkts[i].len; len++) {
            struct cap_pkt cut = pkts[i];
            cut.len = len;
            int rc = describe_pkt(id, &d, &cut, &desc);
            cr_assert(rc == 0 || rc == -EBADMSG, "packet %zu cut to %u: %d", i, len, rc);
            cr_assert(rc != 0 || desc.head_len <= len);
        }
        for (uint8_t len = 0; len < pkts[i].dd_len; len++) {
            struct cap_pkt cut = pkts[i];
            cut.dd_len = len;
            cr_assert_eq(describe_pkt(id, &d, &cut, &desc), 0);
        }
        cr_assert_eq(describe_pkt(id, &d, &pkts[i], &desc), 0);
    }
    describe_fini(&d);
}

#endif
