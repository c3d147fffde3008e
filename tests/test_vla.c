/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/exact.h"
#include "tests/vla_write.h"

#define B(s) (const uint8_t *)s, sizeof(s) - 1

/* Three streams of 150, 500 and 1,500 kbps with two temporal layers each, sizes told. */
static const struct vla three = {
    .stream = 1,
    .n_streams = 3,
    .layer = {{{2, 30, 320, 180, {90, 150}}},
              {{2, 30, 640, 360, {300, 500}}},
              {{2, 30, 1280, 720, {900, 1500}}}},
};
/* One of two spatial layers, and a second stream that is off. */
static const struct vla uneven = {
    .stream = 0,
    .n_streams = 2,
    .layer = {{{3, 0, 0, 0, {40, 60, 100}}, {1, 0, 0, 0, {700}}}},
};

static int read_exact(const uint8_t *data, size_t len, struct vla *ret)
{
    uint8_t *copy = exact_copy(data, len);
    int rc = vla_read(copy, len, ret);
    free(copy);
    return rc;
}

Test(vla, reads_what_publishers_write)
{
    static const struct {
        const char *what;
        const struct vla *v;
        uint8_t sent;
    } rows[] = {{"three streams", &three, 7}, {"uneven", &uneven, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t out[VLA_WRITE_MAX];
        size_t len = vla_write(rows[i].v, out);
        struct vla v;
        memset(&v, 0xa5, sizeof(v));
        cr_assert_eq(read_exact(out, len, &v), 0, "%s", rows[i].what);
        cr_expect_eq(vla_sent(&v), rows[i].sent, "%s", rows[i].what);
        cr_expect_eq(memcmp(&v, rows[i].v, sizeof(v)), 0, "%s", rows[i].what);
    }
}

Test(vla, reads_bytes_as_the_text_has_them)
{
    static const struct {
        const char *what;
        const uint8_t *data;
        size_t len;
        int rc;
        uint8_t n_streams, sent, n_tid;
        uint16_t kbps, width;
    } rows[] = {
        {"nothing is sent", B("\x00"), 0, 0, 0, 0, 0, 0},
        {"one layer", B("\x01\x00\x64"), 0, 1, 1, 1, 100, 0},
        {"with a size", B("\x01\x00\x64\x01\x3f\x00\xb3\x1e"), 0, 1, 1, 1, 100, 320},
        {"three temporal layers", B("\x01\x80\x0a\x14\xac\x02"), 0, 1, 1, 3, 10, 0},
        {"two streams with masks of their own", B("\x10\x10\x00\xc8\x01"), 0, 2, 1, 1, 200, 0},
        {"two streams that are off", B("\x10\x00"), 0, 2, 0, 0, 0, 0},
        {"more than the field holds", B("\x01\x00\xff\xff\xff\xff\x0f"), 0, 1, 1, 1, UINT16_MAX, 0},
        {"a rate without end", B("\x01\x00\xff\xff\xff\xff\xff"), 0, 1, 1, 1, UINT16_MAX, 0},
        {"the widest", B("\x01\x00\x64\xff\xff\x00\xb3\x1e"), 0, 1, 1, 1, 100, UINT16_MAX},
        {"more behind it", B("\x01\x00\x64\x01\x3f\x00\xb3\x1e\x77\x77"), 0, 1, 1, 1, 100, 320},
        {"empty", B(""), -EMSGSIZE, 0, 0, 0, 0, 0},
        {"no masks", B("\x20"), -EMSGSIZE, 0, 0, 0, 0, 0},
        {"half a size", B("\x01\x00\x64\x01\x3f"), -EMSGSIZE, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct vla v = {0};
        cr_expect_eq(read_exact(rows[i].data, rows[i].len, &v), rows[i].rc, "%s", rows[i].what);
        const struct vla_layer *l = &v.layer[0][0];
        cr_expect_eq(v.n_streams, rows[i].n_streams, "%s", rows[i].what);
        cr_expect_eq(vla_sent(&v), rows[i].sent, "%s", rows[i].what);
        cr_expect(l->n_tid == rows[i].n_tid && l->kbps[0] == rows[i].kbps &&
                      l->width == rows[i].width,
                  "%s: %u, %u kbps, %u wide", rows[i].what, l->n_tid, l->kbps[0], l->width);
    }
}

/* Without all sizes it is whole again: whether there are any is told by the length alone. */
Test(vla, refuses_every_cut_but_that_before_the_sizes)
{
    uint8_t out[VLA_WRITE_MAX];
    size_t len = vla_write(&three, out), rates = len - 3UL * 5;
    for (size_t cut = 0; cut < len; cut++) {
        struct vla v = {.n_streams = 99};
        int rc = read_exact(out, cut, &v);
        cr_expect_eq(rc, cut == rates ? 0 : -EMSGSIZE, "%zu: %d", cut, rc);
        cr_expect(rc == 0 || v.n_streams == 99, "%zu: untouched", cut);
    }
}
