/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/dd.h"

#define B(s) s, sizeof(s) - 1

/* Chromium, AV1 L3T3 of a 640x360 source: two spatial layers, three temporal ones, chains,
 * resolutions. */
#define L2T3_KEY                                                                                   \
    "\xc1\x00\x01\x80\x05\x14\x85\x3a\xbf\xaa\xa1\x8f\x04\x30\x43\x02\xa0\x2a\x00\x60\x01\x00\x1b" \
    "\x93\x45\x15\xe0\x82\x70\x46\x08\xc0\xc7\x87\x00\x43\x21\x65\x11\x11\x54\x32\x76\x80\x9f\x80" \
    "\x59\x81\x3f\x80\xb3\x80"
/* Chromium, AV1 L1T3. */
#define L1T3_KEY "\xc0\x00\x01\x80\x02\x14\xea\xa8\x60\x41\x4d\x14\x10\x20\x84\x27\x01\x3f\x00\xb3"

static int read_copy(struct dd_state *s, const char *bytes, size_t len, struct dd_frame *ret)
{
    uint8_t *copy = malloc(len ? len : 1);
    cr_assert_not_null(copy);
    memcpy(copy, bytes, len);
    int rc = dd_read(s, copy, len, ret);
    free(copy);
    return rc;
}

/* Builds descriptors bit by bit. */
struct sink {
    uint8_t out[300];
    size_t bits;
};

static void put(struct sink *w, uint32_t v, unsigned n)
{
    while (n-- > 0) {
        w->out[w->bits / 8] |= (uint8_t)((v >> n & 1) << (7 - w->bits % 8));
        w->bits++;
    }
}

static int read_sink(struct dd_state *s, const struct sink *w, struct dd_frame *ret)
{
    return read_copy(s, (const char *)w->out, (w->bits + 7) / 8, ret);
}

/* start, end, template, number and the five flags. */
static void put_head(struct sink *w, unsigned id, unsigned number, unsigned flags)
{
    put(w, 3, 2);
    put(w, id, 6);
    put(w, number, 16);
    put(w, flags, 5);
}

#define F_STRUCTURE 16
#define F_ACTIVE    8
#define F_DTIS      4
#define F_FDIFFS    2
#define F_CHAINS    1

Test(dd, reads_a_real_structure)
{
    static struct dd_state s;
    struct dd_frame f;
    cr_assert_eq(read_copy(&s, B(L2T3_KEY), &f), 0);
    cr_expect(s.has_structure);
    cr_expect_eq(s.structure.n_sid, 2);
    cr_expect_eq(s.structure.n_tid, 3);
    cr_expect_eq(s.structure.n_targets, 6);
    cr_expect_eq(s.structure.n_chains, 2);
    cr_expect_eq(s.structure.n_templates, 10);
    cr_expect_eq(s.active_targets, 0x3f);
    static const uint8_t layers[][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}};
    for (unsigned i = 0; i < 6; i++) {
        cr_expect_eq(s.structure.target_sid[i], layers[i][0]);
        cr_expect_eq(s.structure.target_tid[i], layers[i][1]);
        cr_expect_eq(s.structure.target_chain[i], layers[i][0]);
    }
    cr_expect(s.structure.has_resolutions);
    cr_expect_eq(s.structure.width[0], 320);
    cr_expect_eq(s.structure.height[0], 180);
    cr_expect_eq(s.structure.width[1], 640);
    cr_expect_eq(s.structure.height[1], 360);
    cr_expect(f.start && f.end && f.structure);
    cr_expect_eq(f.number, 1);
    cr_expect_eq(f.n_fdiffs, 0);
    cr_expect_eq(f.dtis.present, 0x3f);
    /* The next frames, from the same capture: S1 of the key picture, then T2 of both layers. */
    cr_assert_eq(read_copy(&s, B("\xc6\x00\x02"), &f), 0);
    cr_expect(f.sid == 1 && f.tid == 0 && f.n_fdiffs == 1 && f.fdiff[0] == 1);
    cr_expect_eq(f.dtis.present, 0x38);
    cr_expect_eq(f.width, 640);
    cr_assert_eq(read_copy(&s, B("\xc3\x00\x03"), &f), 0);
    cr_expect(f.sid == 0 && f.tid == 2 && f.n_fdiffs == 1 && f.fdiff[0] == 2);
    cr_expect_eq(f.dtis.present, 0x24);
    cr_expect_eq(f.dtis.discardable, 0x04);
    cr_assert_eq(read_copy(&s, B("\xc8\x00\x04"), &f), 0);
    cr_expect(f.sid == 1 && f.tid == 2 && f.n_fdiffs == 2);
    cr_expect_eq(f.dtis.discardable, 0x20);
}

Test(dd, custom_parts_replace_the_template)
{
    static struct dd_state s;
    struct dd_frame f;
    cr_assert_eq(read_copy(&s, B(L2T3_KEY), &f), 0);
    struct sink w = {0};
    put_head(&w, 6, 0xfffe, F_ACTIVE | F_DTIS | F_FDIFFS | F_CHAINS);
    put(&w, 0x2a, 6); /* active: 5, 3, 1 */
    for (unsigned i = 0; i < 6; i++) {
        put(&w, i % 4, 2);
    }
    put(&w, 1, 2);
    put(&w, 15, 4); /* 16 */
    put(&w, 3, 2);
    put(&w, 4095, 12);
    put(&w, 2, 2);
    put(&w, 0, 8); /* 1 */
    put(&w, 0, 2);
    put(&w, 200, 8);
    put(&w, 0, 8);
    cr_assert_eq(read_sink(&s, &w, &f), 0);
    cr_expect_eq(f.number, 0xfffe);
    cr_expect(f.active_present && !f.structure);
    cr_expect_eq(s.active_targets, 0x2a);
    cr_expect_eq(f.dtis.present, 0x2e);
    cr_expect_eq(f.dtis.discardable, 0x22);
    cr_expect_eq(f.dtis.switchable, 0x04);
    cr_expect_eq(f.n_fdiffs, 3);
    cr_expect_eq(f.fdiff[0], 16);
    cr_expect_eq(f.fdiff[1], 4096);
    cr_expect_eq(f.fdiff[2], 1);
    cr_expect_eq(f.n_chains, 2);
    cr_expect_eq(f.chain_fdiff[0], 200);
    cr_expect_eq(f.chain_fdiff[1], 0);
}

/* A structure whose template layer steps are given as bits, one target, no chains. */
static int read_layers(const unsigned *steps, unsigned n, unsigned times)
{
    struct dd_state *s = calloc(1, sizeof(*s));
    cr_assert_not_null(s);
    struct dd_frame f;
    struct sink w = {0};
    put_head(&w, 0, 1, F_STRUCTURE);
    put(&w, 0, 6);
    put(&w, 0, 5);
    unsigned templates = 1;
    for (unsigned t = 0; t < times; t++) {
        for (unsigned i = 0; i < n; i++, templates++) {
            put(&w, steps[i], 2);
        }
    }
    put(&w, 3, 2);
    for (unsigned i = 0; i < templates; i++) {
        put(&w, 2, 2);
    }
    for (unsigned i = 0; i < templates; i++) {
        put(&w, 0, 1); /* no fdiffs */
    }
    put(&w, 0, 1); /* no chains: ns(2) */
    put(&w, 0, 1); /* no resolutions */
    int rc = read_sink(s, &w, &f);
    cr_expect_eq(s->has_structure, rc == 0);
    free(s);
    return rc;
}

Test(dd, structure_limits_are_kept)
{
    static const unsigned same[] = {0}, up_t[] = {1}, up_s[] = {2};
    cr_expect_eq(read_layers(same, 1, 63), 0);
    cr_expect_eq(read_layers(same, 1, 64), -EBADMSG);
    cr_expect_eq(read_layers(up_t, 1, 7), 0);
    cr_expect_eq(read_layers(up_t, 1, 8), -EBADMSG);
    cr_expect_eq(read_layers(up_s, 1, 7), 0);
    cr_expect_eq(read_layers(up_s, 1, 8), -EBADMSG);
}

Test(dd, too_many_references_are_refused)
{
    static struct dd_state s;
    struct dd_frame f;
    cr_assert_eq(read_copy(&s, B(L1T3_KEY), &f), 0);
    for (unsigned n = 0; n <= DD_FDIFFS_MAX + 1; n++) {
        struct sink w = {0};
        put_head(&w, 1, 2, F_FDIFFS);
        for (unsigned i = 0; i < n; i++) {
            put(&w, 1, 2);
            put(&w, i, 4);
        }
        put(&w, 0, 2);
        cr_expect_eq(read_sink(&s, &w, &f), n > DD_FDIFFS_MAX ? -EBADMSG : 0);
    }
    struct sink w = {0};
    put_head(&w, 0, 1, F_STRUCTURE);
    put(&w, 0, 6);
    put(&w, 0, 5);
    put(&w, 3, 2);
    put(&w, 2, 2);
    for (unsigned i = 0; i <= DD_FDIFFS_MAX; i++) {
        put(&w, 0x10, 5);
    }
    put(&w, 0, 8);
    cr_expect_eq(read_sink(&s, &w, &f), -EBADMSG);
    cr_expect_eq(s.structure.n_targets, 3, "the old structure stays");
}

Test(dd, refuses_what_it_cannot_resolve)
{
    static struct dd_state s, before;
    struct dd_frame f = {.number = 77};
    cr_expect_eq(read_copy(&s, B("\xc1\x00\x01"), &f), -ENOENT);
    cr_expect_eq(read_copy(&s, B(""), &f), -EMSGSIZE);
    cr_expect_eq(read_copy(&s, B("\xc1\x00"), &f), -EMSGSIZE);
    cr_assert_eq(read_copy(&s, B(L1T3_KEY), &f), 0);
    cr_expect_eq(s.structure.n_templates, 5);
    before = s;
    f.number = 77;
    cr_expect_eq(read_copy(&s, B("\xc5\x00\x02"), &f), -EBADMSG, "template 5 of 0..4");
    cr_expect_eq(read_copy(&s, B("\xff\x00\x02"), &f), -EBADMSG, "template 63");
    static const char huge[DD_LEN_MAX + 1] = L1T3_KEY;
    cr_expect_eq(read_copy(&s, huge, sizeof(huge), &f), -EBADMSG);
    cr_expect_eq(f.number, 77);
    cr_expect_eq(memcmp(&s, &before, sizeof(s)), 0, "untouched on failure");
    cr_expect_eq(read_copy(&s, huge, sizeof(huge) - 1, &f), 0, "padding is ignored");
}

Test(dd, every_cut_is_refused_and_changes_nothing)
{
    static struct dd_state s, zero;
    for (size_t len = 0; len < sizeof(L2T3_KEY) - 1; len++) {
        struct dd_frame f;
        int rc = read_copy(&s, L2T3_KEY, len, &f);
        cr_expect(rc == -EMSGSIZE || rc == -ENOENT || rc == -EBADMSG, "%zu: %d", len, rc);
        cr_expect_eq(memcmp(&s, &zero, sizeof(s)), 0);
    }
}

/* 32 targets, 32 chains, 64 templates do not fit into one element, but few templates do. */
Test(dd, reads_the_most_targets_and_chains)
{
    static struct dd_state s;
    struct dd_frame f;
    struct sink w = {0};
    put_head(&w, 60, 1, F_STRUCTURE | F_ACTIVE);
    put(&w, 60, 6);
    put(&w, 31, 5);
    put(&w, 3, 2);
    for (unsigned t = 0; t < 32; t++) {
        put(&w, 3, 2);
    }
    put(&w, 0, 1);
    put(&w, 63, 6); /* ns(33) of 32: five bits 31 >= 31, then one */
    for (unsigned t = 0; t < 32; t++) {
        put(&w, 31 - t, 5); /* ns(32) is five bits */
    }
    for (unsigned c = 0; c < 32; c++) {
        put(&w, c % 16, 4);
    }
    put(&w, 0, 1);
    put(&w, 0x80000001, 32);
    cr_assert_eq(read_sink(&s, &w, &f), 0);
    cr_expect_eq(s.structure.n_chains, 32);
    cr_expect_eq(s.structure.target_chain[0], 31);
    cr_expect_eq(s.structure.target_chain[31], 0);
    cr_expect_eq(f.dtis.present, UINT32_MAX);
    cr_expect_eq(f.chain_fdiff[31], 15);
    cr_expect_eq(s.active_targets, 0x80000001);
}

/* What dd_write_active writes reads back the same but for the mask. */
static void check_rewrite(struct dd_state *s, const char *bytes, size_t len, uint32_t active)
{
    static struct dd_state copy;
    struct dd_frame f, g;
    uint8_t out[DD_LEN_MAX];
    cr_assert_eq(read_copy(s, bytes, len, &f), 0);
    uint8_t *in = malloc(len);
    cr_assert_not_null(in);
    memcpy(in, bytes, len);
    int n = dd_write_active(s, in, len, active, out);
    free(in);
    cr_assert_gt(n, 3);
    cr_assert_leq((size_t)n, len + 5);
    uint8_t narrow[DD_LEN_MAX];
    int m = dd_narrow(s->structure.n_targets, (const uint8_t *)bytes, len, active, narrow);
    if (len == 3 || f.structure) {
        cr_expect_eq(m, n, "%d bytes, not %d", m, n);
        cr_expect_eq(memcmp(narrow, out, (size_t)n), 0);
    } else {
        cr_expect_eq(m, -ENOENT);
    }
    copy = *s;
    cr_assert_eq(read_copy(&copy, (const char *)out, (size_t)n, &g), 0);
    cr_expect_eq(copy.active_targets, active);
    cr_expect_eq(memcmp(&copy.structure, &s->structure, sizeof(copy.structure)), 0);
    cr_expect(g.active_present);
    g.active_present = f.active_present;
    cr_expect_eq(memcmp(&f, &g, sizeof(f)), 0);
}

Test(dd, active_mask_can_be_replaced)
{
    static struct dd_state s;
    check_rewrite(&s, B(L2T3_KEY), 0x15);
    check_rewrite(&s, B("\xc6\x00\x02"), 0x01);
    /* From a capture: custom dtis and chains, then a mask of its own. */
    struct sink w = {0};
    put_head(&w, 6, 3, F_ACTIVE | F_FDIFFS | F_CHAINS);
    put(&w, 0x3f, 6);
    put(&w, 1, 2);
    put(&w, 3, 4);
    put(&w, 0, 2);
    put(&w, 0x1234, 16);
    check_rewrite(&s, (const char *)w.out, (w.bits + 7) / 8, 0x2a);
    /* Longest: padding is not copied. */
    static const char huge[DD_LEN_MAX] = L1T3_KEY;
    check_rewrite(&s, huge, sizeof(huge), 0x7);
    uint8_t out[DD_LEN_MAX];
    cr_expect_eq(dd_write_active(&s, (const uint8_t *)"\xc0", 1, 0, out), -EMSGSIZE);
    cr_expect_eq(dd_write_active(&s, (const uint8_t *)"\xe0\x00\x00", 3, 0, out), -EBADMSG);
}
