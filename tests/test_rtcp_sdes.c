/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_sdes.h"
#include "tests/rtcp_kit.h"
#include <errno.h>

Test(rtcp_sdes, writes_every_length_of_name)
{
    char name[301];
    memset(name, 'n', sizeof(name));
    for (int len = 300; len >= 0; len--) {
        name[len] = 0;
        uint8_t out[300];
        int n = rtcp_sdes_write_cname(out, sizeof(out), 0x01020304, name);
        cr_assert(n > 0 && n % 4 == 0);
        cr_assert_eq(rtcp_sdes_write_cname(out, (size_t)n - 1, 0x01020304, name), -ENOSPC);
        struct rtcp_packet p = rtcp_kit_one(out, (size_t)n);
        char got[300];
        int want = MIN(len, RTCP_SDES_CNAME_MAX);
        cr_assert_eq(rtcp_sdes_read_cname(&p, 0x01020304, got, sizeof(got)), want);
        cr_assert_arr_eq(got, name, (size_t)want);
        cr_assert_eq(got[want], 0);
        cr_assert_eq(rtcp_sdes_read_cname(&p, 5, got, sizeof(got)), -ENOENT);
    }
}

Test(rtcp_sdes, writes_the_bytes_of_the_rfc)
{
    uint8_t out[16];
    cr_assert_eq(rtcp_sdes_write_cname(out, 16, 0x01020304, "ab"), 16);
    cr_assert_arr_eq(out,
                     "\x81\xca\x00\x03\x01\x02\x03\x04\x01\x02"
                     "ab\x00\x00\x00\x00",
                     16);
    cr_assert_eq(rtcp_sdes_write_cname(out, 16, 0x01020304, "abcde"), 16);
    cr_assert_arr_eq(out,
                     "\x81\xca\x00\x03\x01\x02\x03\x04\x01\x05"
                     "abcde\x00",
                     16);
}

Test(rtcp_sdes, finds_the_name_among_items_and_chunks)
{
    static const struct {
        const char *what;
        const char *body;
        uint8_t len, count;
        int want;
        const char *name;
    } rows[] = {
        {"behind a tool item", "AAAA\x06\x01t\x01\x02me\x00", 12, 1, 2, "me"},
        {"second chunk",
         "BBBB\x01\x01y\x00"
         "AAAA\x01\x01x\x00",
         16, 2, 1, "x"},
        {"second chunk, padding to the word",
         "BBBB\x01\x02yy\x00\x00\x00\x00"
         "AAAA\x01\x01x\x00",
         20, 2, 1, "x"},
        {"count 0", "AAAA\x01\x01x\x00", 8, 0, -ENOENT, ""},
        {"no name", "AAAA\x06\x01x\x00", 8, 1, -ENOENT, ""},
        {"item past the end", "AAAA\x01\x09x\x00", 8, 1, -EBADMSG, ""},
        {"list never ends", "AAAA\x01\x02xy", 8, 1, -EBADMSG, ""},
        {"chunk missing", "BBBB\x01\x01x\x00", 8, 2, -EBADMSG, ""},
        {"no body", "", 0, 1, -EBADMSG, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *body = exact_copy(rows[i].body, rows[i].len);
        struct rtcp_packet p = {
            .type = RTCP_SDES, .count = rows[i].count, .body = body, .body_len = rows[i].len};
        char got[8] = "untouch";
        int r = rtcp_sdes_read_cname(&p, 0x41414141, got, sizeof(got));
        cr_assert_eq(r, rows[i].want, "%s: %d", rows[i].what, r);
        cr_assert_str_eq(got, r < 0 ? "untouch" : rows[i].name, "%s", rows[i].what);
        if (r >= 0) {
            cr_assert_eq(rtcp_sdes_read_cname(&p, 0x41414141, got, 1), 0);
            cr_assert_eq(got[0], 0);
        }
        p.type = RTCP_APP;
        cr_assert_eq(rtcp_sdes_read_cname(&p, 0x41414141, got, sizeof(got)), -EPROTONOSUPPORT);
        free(body);
    }
}
