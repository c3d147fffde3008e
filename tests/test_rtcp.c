/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp.h"
#include "tests/exact.h"
#include <criterion/criterion.h>
#include <errno.h>

#define RR   "\x80\xc9\x00\x01SSRC"
#define BYE0 "\x80\xcb\x00\x00"
#define XR   "\x80\xcf\x00\x02SSRCdata"
/* one with padding: two words of body, one of them padding */
#define PADDED "\xaf\xcd\x00\x02SSRC\x00\x00\x00\x04"

Test(rtcp, walks_compounds_and_keeps_what_came_before_an_error)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
        int packets; // good ones
        int end;
    } rows[] = {
        {"empty", "", 0, 0, 0},
        {"one", RR, 8, 1, 0},
        {"three, one unknown to most", RR XR BYE0, 24, 3, 0},
        {"type that nobody knows", "\x80\xf0\x00\x00", 4, 1, 0},
        {"last truncated", RR XR, 19, 1, -EBADMSG},
        {"stray bytes at the end", RR "\x80\xc9", 10, 1, -EBADMSG},
        {"version 1", "\x40\xc9\x00\x01SSRC", 8, 0, -EBADMSG},
        {"second has version 0", RR "\x00\xcb\x00\x00" RR, 20, 1, -EBADMSG},
        {"length beyond the end", "\x80\xc9\xff\xffSSRC", 8, 0, -EBADMSG},
        {"padding in the last", RR PADDED, 20, 2, 0},
        {"padding in the first, as libwebrtc does", PADDED PADDED RR, 32, 3, 0},
        {"padding 0", "\xa0\xc9\x00\x01\x00\x00\x00\x00", 8, 0, -EBADMSG},
        {"padding over the header", "\xa0\xc9\x00\x01\x00\x00\x00\x05", 8, 0, -EBADMSG},
        {"padding without a body", "\xa0\xcb\x00\x00", 4, 0, -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *buf = exact_copy(rows[i].bytes, rows[i].len);
        struct rtcp_walk w;
        struct rtcp_packet p;
        rtcp_walk_init(&w, buf, rows[i].len);
        int n = 0;
        int r;
        while ((r = rtcp_walk_next(&w, &p)) == 1) {
            cr_assert(p.whole >= buf && p.whole + p.whole_len <= buf + rows[i].len);
            n++;
        }
        cr_assert_eq(r, rows[i].end, "%s: %d", rows[i].what, r);
        cr_assert_eq(n, rows[i].packets, "%s: %d", rows[i].what, n);
        cr_assert_eq(rtcp_walk_next(&w, &p), rows[i].end, "%s: the end must last", rows[i].what);
        free(buf);
    }
    static uint8_t big[RTCP_COMPOUND_MAX + 4];
    for (size_t i = 0; i < sizeof(big); i += 4) {
        memcpy(big + i, BYE0, 4);
    }
    struct rtcp_walk w;
    struct rtcp_packet p;
    rtcp_walk_init(&w, big, RTCP_COMPOUND_MAX);
    cr_assert_eq(rtcp_walk_next(&w, &p), 1);
    rtcp_walk_init(&w, big, sizeof(big));
    cr_assert_eq(rtcp_walk_next(&w, &p), -EBADMSG);
    rtcp_walk_init(&w, NULL, 0);
    cr_assert_eq(rtcp_walk_next(&w, &p), 0);
}

Test(rtcp, returns_each_packets_parts)
{
    static const uint8_t buf[] = PADDED RR;
    struct rtcp_walk w;
    struct rtcp_packet p;
    rtcp_walk_init(&w, buf, sizeof(buf) - 1);
    cr_assert_eq(rtcp_walk_next(&w, &p), 1);
    cr_assert_eq(p.type, RTCP_RTPFB);
    cr_assert_eq(p.count, RTCP_RTPFB_TWCC);
    cr_assert_eq(p.body, buf + 4);
    cr_assert_eq(p.body_len, 4);
    cr_assert_eq(p.whole, buf);
    cr_assert_eq(p.whole_len, 12);
    cr_assert_eq(rtcp_walk_next(&w, &p), 1);
    cr_assert_eq(p.type, RTCP_RR);
    cr_assert_eq(p.body_len, 4);
}

Test(rtcp, message_begin_writes_the_header_or_nothing)
{
    uint8_t out[12] = {0};
    struct bytes_out o = rtcp_message_begin(out, 11, RTCP_PSFB, 1, 12);
    cr_assert(o.failed);
    cr_assert_eq(out[0], 0);
    o = rtcp_message_begin(out, 12, RTCP_PSFB, 1, 12);
    cr_assert(!o.failed);
    cr_assert_arr_eq(out, "\x81\xce\x00\x02", 4);
    cr_assert_eq(o.end - o.p, 8);
}
