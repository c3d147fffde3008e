/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/seq.h"
#include <criterion/criterion.h>

Test(seq, unwraps_to_the_nearest)
{
    static const struct {
        uint64_t ref;
        uint16_t seq16;
        uint64_t want;
    } rows[] = {
        {0x10005, 5, 0x10005},
        {0x10005, 6, 0x10006},
        {0x10005, 4, 0x10004},
        {0x1ffff, 0, 0x20000},
        {0x20000, 0xffff, 0x1ffff},
        {0x10000, 0x7fff, 0x17fff},
        {0x10000, 0x8000, 0x8000}, // exactly half way: back
        {0x10000, 0x8001, 0x8001},
        {0, 0, 0},
        {0, 0xffff, 0xffff}, // nothing below 0: forward only
        {5, 0xffff, 0xffff},
        {0x7fff, 0, 0},
        {0xffffffffffff, 0, 0x1000000000000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert_eq(seq_unwrap(rows[i].ref, rows[i].seq16), rows[i].want, "row %zu: %lx", i,
                     (unsigned long)seq_unwrap(rows[i].ref, rows[i].seq16));
    }
}

Test(seq, follows_a_stream_over_every_wrap)
{
    uint64_t ref = 0x10000;
    for (uint64_t seq = ref; seq < 5 * 65536; seq += 97) {
        uint64_t got = seq_unwrap(ref, (uint16_t)seq);
        cr_assert_eq(got, seq);
        cr_assert_eq(seq_unwrap(got, (uint16_t)(seq - 1000)), seq - 1000);
        ref = got;
    }
}

Test(seq, orders_on_the_circle)
{
    static const struct {
        uint16_t a, b;
        bool after;
    } rows[] = {
        {1, 0, true},       {0, 1, false},     {0, 0, false},      {0, 0xffff, true},
        {0xffff, 0, false}, {0x7fff, 0, true}, {0x8001, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert_eq(seq16_after(rows[i].a, rows[i].b), rows[i].after, "row %zu", i);
    }
    cr_assert_eq(ts_diff(5, 0xfffffffb), 10);
    cr_assert_eq(ts_diff(0xfffffffb, 5), -10);
}
