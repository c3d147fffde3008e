/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/red.h"

#define B(s) s, sizeof(s) - 1

static int read_copy(const char *bytes, size_t len, struct red *ret, uint8_t **ret_copy)
{
    *ret_copy = malloc(len ? len : 1);
    cr_assert_not_null(*ret_copy);
    memcpy(*ret_copy, bytes, len);
    return red_read(*ret_copy, len, ret);
}

/* Two redundant blocks of 3 and 0 bytes, 1920 and 960 units back, and a primary of 2 bytes. */
static const char two_blocks[] = "\xef\x1e\x00\x03"
                                 "\xef\x0f\x00\x00"
                                 "\x6f"
                                 "abc"
                                 "de";

Test(red, splits_blocks)
{
    struct red red;
    uint8_t *copy;
    cr_assert_eq(read_copy(B(two_blocks), &red, &copy), 0);
    cr_expect_eq(red.n_blocks, 2);
    cr_expect_eq(red.block[0].pt, 111);
    cr_expect_eq(red.block[0].ts_back, 1920);
    cr_expect_eq(red.block[0].len, 3);
    cr_expect_arr_eq(red.block[0].data, "abc", 3);
    cr_expect_eq(red.block[1].ts_back, 960);
    cr_expect_eq(red.block[1].len, 0);
    cr_expect_eq(red.primary.pt, 111);
    cr_expect_eq(red.primary.len, 2);
    cr_expect_arr_eq(red.primary.data, "de", 2);
    struct red_block primary;
    cr_expect_eq(red_primary(copy, sizeof(two_blocks) - 1, &primary), 0);
    cr_expect_eq(primary.data, red.primary.data);
    cr_expect_eq(primary.len, 2);
    free(copy);
}

Test(red, writes_what_it_reads)
{
    struct red red;
    uint8_t *copy, out[sizeof(two_blocks)];
    cr_assert_eq(read_copy(B(two_blocks), &red, &copy), 0);
    int head = (int)sizeof(two_blocks) - 1 - red.primary.len;
    cr_assert_eq(red_write(&red, out, (size_t)head), head);
    cr_expect_arr_eq(out, two_blocks, (size_t)head);
    cr_expect_eq(red_write(&red, out, (size_t)head - 1), -ENOSPC);
    red.n_blocks = 0;
    cr_expect_eq(red_write(&red, out, sizeof(out)), 1, "the primary's header alone");
    cr_expect_eq(out[0], 111);
    free(copy);
}

Test(red, reads_the_largest_fields)
{
    struct red red;
    uint8_t *copy;
    static char bytes[5 + 1023 + 1];
    memcpy(bytes, "\xff\xff\xff\xff\x7f", 5);
    cr_assert_eq(read_copy(bytes, sizeof(bytes), &red, &copy), 0);
    cr_expect_eq(red.block[0].pt, 127);
    cr_expect_eq(red.block[0].ts_back, 16383);
    cr_expect_eq(red.block[0].len, 1023);
    cr_expect_eq(red.primary.pt, 127);
    cr_expect_eq(red.primary.len, 1);
    free(copy);
}

Test(red, refuses_what_does_not_add_up)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
        int rc;
    } rows[] = {
        {"nothing", B(""), -EMSGSIZE},
        {"primary header only", B("\x6f"), -EBADMSG},
        {"primary of one byte", B("\x6f\x01"), 0},
        {"block header cut", B("\xef\x00\x00"), -EMSGSIZE},
        {"no primary header", B("\xef\x00\x00\x00"), -EMSGSIZE},
        {"block runs over", B("\xef\x00\x00\x02\x6f\x01"), -EMSGSIZE},
        {"block leaves no primary", B("\xef\x00\x00\x01\x6f\x01"), -EBADMSG},
        {"sixteen blocks",
         B("\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef"
           "\x00"
           "\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00"
           "\x00"
           "\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\x6f"
           "\x01"),
         0},
        {"seventeen blocks",
         B("\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef"
           "\x00"
           "\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00"
           "\x00"
           "\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef\x00\x00\x00\xef"
           "\x00"
           "\x00\x00\x6f\x01"),
         -EBADMSG},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct red red;
        uint8_t *copy;
        cr_expect_eq(read_copy(rows[i].bytes, rows[i].len, &red, &copy), rows[i].rc, "%s",
                     rows[i].what);
        free(copy);
    }
}

Test(red, refuses_every_cut_but_those_in_the_primary)
{
    for (size_t len = 0; len < sizeof(two_blocks) - 1; len++) {
        struct red red = {.n_blocks = 99};
        uint8_t *copy;
        int rc = read_copy(two_blocks, len, &red, &copy);
        if (len == sizeof(two_blocks) - 2) {
            cr_expect_eq(rc, 0);
            cr_expect_eq(red.primary.len, 1);
        } else {
            cr_expect(rc == -EMSGSIZE || rc == -EBADMSG, "%zu: %d", len, rc);
            cr_expect_eq(red.n_blocks, 99, "untouched on failure");
        }
        free(copy);
    }
}
