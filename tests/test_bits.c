/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "rtp/bits.h"

Test(bits, reads_exp_golomb_and_stops_at_the_end)
{
    static const uint8_t data[] = {0xa6, 0x42, 0x98, 0xe2, 0x04, 0x8a}; /* 0 1 2 3 4 5 6 7 8 */
    struct bits b = bits_over(data, sizeof(data));
    for (uint32_t want = 0; want <= 8; want++) {
        cr_expect_eq(bits_ue(&b), want);
    }
    cr_expect_not(b.bad);
    static const uint8_t longest[] = {0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff};
    b = bits_over(longest, sizeof(longest));
    cr_expect_eq(bits_ue(&b), UINT32_MAX - 1);
    static const uint8_t zeros[9] = {0};
    b = bits_over(zeros, sizeof(zeros));
    cr_expect_eq(bits_ue(&b), 0);
    cr_expect(b.bad);
    b = bits_over(longest, 4);
    cr_expect_eq(bits_get(&b, 31), 0);
    cr_expect_eq(bits_get(&b, 2), 0);
    cr_expect(b.bad);
    cr_expect_eq(bits_get(&b, 1), 0, "the error stays");
    bits_skip(&b, 1);
    cr_expect(b.bad);
}

/* ns(n), AV1 4.10.7: numbers below m = 2^w - n take w - 1 bits, the others w. */
Test(bits, reads_non_symmetric_numbers)
{
    static const uint8_t data[] = {0x1b, 0x80}; /* n = 5: 00 01 10 111 0.. is 0 1 2 4, then 0 */
    struct bits b = bits_over(data, sizeof(data));
    static const uint32_t want[] = {0, 1, 2, 4, 0};
    for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
        cr_expect_eq(bits_ns(&b, 5), want[i], "%u", i);
    }
    cr_expect_eq(b.pos_bits, 11);
    cr_expect_eq(bits_ns(&b, 1), 0);
    cr_expect_eq(b.pos_bits, 11, "one value needs no bit");
}
