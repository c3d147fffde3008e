/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bytes.h"
#include <criterion/criterion.h>

Test(bytes, reads_back_what_it_wrote)
{
    uint8_t buf[21];
    struct bytes_out out = bytes_out_init(buf, sizeof(buf));
    bytes_out_u8(&out, 0xf1);
    bytes_out_u16(&out, 0xf1f2);
    bytes_out_u24(&out, 0xfff1f2f3); // the top byte is not written
    bytes_out_u32(&out, 0xf1f2f3f4);
    bytes_out_u64(&out, 0xf1f2f3f4f5f6f7f8);
    bytes_out_copy(&out, (const uint8_t *)"abc", 3);
    cr_assert(!out.failed);
    cr_assert_eq(bytes_out_len(&out), 21);
    cr_assert_arr_eq(buf,
                     "\xf1\xf1\xf2\xf1\xf2\xf3\xf1\xf2\xf3\xf4\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8"
                     "abc",
                     21);

    struct bytes_in in = bytes_in_init(buf, sizeof(buf));
    cr_assert_eq(bytes_in_u8(&in), 0xf1);
    cr_assert_eq(bytes_in_u16(&in), 0xf1f2);
    cr_assert_eq(bytes_in_u24(&in), 0xf1f2f3);
    cr_assert_eq(bytes_in_u32(&in), 0xf1f2f3f4);
    cr_assert_eq(bytes_in_u64(&in), 0xf1f2f3f4f5f6f7f8);
    cr_assert_eq(bytes_in_left(&in), 3);
    cr_assert_arr_eq(bytes_in_take(&in, 3), "abc", 3);
    cr_assert(!in.failed);
}

Test(bytes, read_error_is_sticky)
{
    const uint8_t buf[] = {1, 2, 3};
    struct bytes_in in = bytes_in_init(buf, sizeof(buf));
    cr_assert_eq(bytes_in_u16(&in), 0x0102);
    cr_assert_eq(bytes_in_u32(&in), 0);
    cr_assert(in.failed);
    cr_assert_eq(bytes_in_u8(&in), 0, "the byte that was left must not be read after the failure");
    cr_assert_eq(bytes_in_left(&in), 0);
    cr_assert_null(bytes_in_take(&in, 1));
}

Test(bytes, write_error_is_sticky_and_writes_nothing)
{
    uint8_t buf[4] = {9, 9, 9, 9};
    struct bytes_out out = bytes_out_init(buf, 3);
    bytes_out_u16(&out, 0x0102);
    bytes_out_u16(&out, 0x0304);
    bytes_out_u8(&out, 5);
    cr_assert(out.failed);
    cr_assert_eq(bytes_out_len(&out), 2);
    cr_assert_arr_eq(buf, "\x01\x02\x09\x09", 4);
    cr_assert_null(bytes_out_take(&out, 0));
}
