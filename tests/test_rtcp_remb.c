/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_remb.h"
#include "tests/rtcp_kit.h"
#include <errno.h>

Test(rtcp_remb, writes_mantissa_and_exponent)
{
    static const struct {
        uint64_t bps;
        const char *rate; // 6 bits exponent, 18 bits mantissa
        uint64_t read;
    } rows[] = {
        {0, "\x00\x00\x00", 0},
        {262143, "\x03\xff\xff", 262143},
        {262144, "\x06\x00\x00", 262144},
        {262145, "\x06\x00\x00", 262144}, // rounded down
        {2500000, "\x12\x62\x5a", 2500000},
        {UINT64_MAX, "\xbb\xff\xff", INT64_MAX},
    };
    const uint32_t ssrcs[] = {0x01020304, 0xaabbccdd};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t out[RTCP_REMB_LEN(2)];
        cr_assert_eq(rtcp_remb_write(out, sizeof(out) - 1, 1, rows[i].bps, ssrcs, 2), -ENOSPC);
        cr_assert_eq(rtcp_remb_write(out, sizeof(out), 1, rows[i].bps, ssrcs, 2), 28);
        cr_assert_arr_eq(out, "\x8f\xce\x00\x06\x00\x00\x00\x01\x00\x00\x00\x00REMB\x02", 17);
        cr_assert_arr_eq(out + 17, rows[i].rate, 3, "row %zu: %02x%02x%02x", i, out[17], out[18],
                         out[19]);
        cr_assert_arr_eq(out + 20, "\x01\x02\x03\x04\xaa\xbb\xcc\xdd", 8);
        struct rtcp_packet p = rtcp_kit_one(out, sizeof(out));
        struct rtcp_remb remb;
        cr_assert_eq(rtcp_remb_read(&p, &remb), 0);
        cr_assert_eq(remb.bps, rows[i].read, "row %zu", i);
        cr_assert_eq(remb.n_ssrcs, 2);
        cr_assert_eq(bytes_load32(remb.ssrcs + 4), 0xaabbccdd);
    }
}

Test(rtcp_remb, keeps_18_bits_of_any_rate)
{
    uint64_t seed = 99;
    const uint32_t ssrc = 1;
    for (int i = 0; i < 20000; i++) {
        uint64_t bps = (uint64_t)exact_random(&seed, UINT32_MAX) << exact_random(&seed, 31);
        uint8_t out[RTCP_REMB_LEN(1)];
        cr_assert_eq(rtcp_remb_write(out, sizeof(out), 1, bps, &ssrc, 1), 24);
        struct rtcp_packet p = rtcp_kit_one(out, sizeof(out));
        struct rtcp_remb remb;
        cr_assert_eq(rtcp_remb_read(&p, &remb), 0);
        cr_assert(remb.bps <= bps && bps - remb.bps <= bps >> 17, "%lu %lu", (unsigned long)bps,
                  (unsigned long)remb.bps);
    }
}

Test(rtcp_remb, refuses_what_is_none)
{
    uint8_t out[RTCP_REMB_LEN(2)];
    const uint32_t ssrcs[] = {1, 2};
    cr_assert_eq(rtcp_remb_write(out, sizeof(out), 1, 1000, ssrcs, 2), 28);
    struct rtcp_packet p = rtcp_kit_one(out, sizeof(out));
    struct rtcp_remb remb;
    for (size_t cut = 0; cut < p.body_len; cut++) {
        struct rtcp_packet c = rtcp_kit_cut(&p, cut);
        cr_assert_eq(rtcp_remb_read(&c, &remb), cut < 12 ? -EPROTONOSUPPORT : -EBADMSG, "%zu", cut);
        free((void *)c.body);
    }
    out[12] = 'r';
    cr_assert_eq(rtcp_remb_read(&p, &remb), -EPROTONOSUPPORT);
    out[12] = 'R';
    /* The largest number that the wire can say. */
    memcpy(out + 17, "\xff\xff\xff", 3);
    cr_assert_eq(rtcp_remb_read(&p, &remb), 0);
    cr_assert_eq(remb.bps, INT64_MAX);
    p.count = RTCP_PSFB_PLI;
    cr_assert_eq(rtcp_remb_read(&p, &remb), -EPROTONOSUPPORT);
}
