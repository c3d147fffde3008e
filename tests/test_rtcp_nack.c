/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_nack.h"
#include "tests/rtcp_kit.h"
#include <errno.h>

Test(rtcp_nack, writes_pairs)
{
    static const struct {
        const char *what;
        uint16_t seqs[20];
        int n, pairs;
        const char *bytes;
    } rows[] = {
        {"one", {7}, 1, 1, "\x00\x07\x00\x00"},
        {"two neighbours", {7, 8}, 2, 1, "\x00\x07\x00\x01"},
        {"16 ahead", {7, 23}, 2, 1, "\x00\x07\x80\x00"},
        {"17 ahead", {7, 24}, 2, 2, "\x00\x07\x00\x00\x00\x18\x00\x00"},
        {"over the wrap", {65535, 0, 2}, 3, 1, "\xff\xff\x00\x05"},
        {"a repeat", {7, 7, 8}, 3, 1, "\x00\x07\x00\x01"},
        {"17 in a row and one",
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18},
         18,
         2,
         "\x00\x01\xff\xff\x00\x12\x00\x00"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t out[RTCP_NACK_LEN_MAX(20)];
        int n = rtcp_nack_write(out, sizeof(out), 1, 2, rows[i].seqs, rows[i].n);
        cr_assert_eq(n, 12 + 4 * rows[i].pairs, "%s: %d", rows[i].what, n);
        cr_assert_arr_eq(out, "\x81\xcd\x00", 3);
        cr_assert_eq(out[3], 2 + rows[i].pairs);
        cr_assert_arr_eq(out + 4, "\x00\x00\x00\x01\x00\x00\x00\x02", 8);
        cr_assert_arr_eq(out + 12, rows[i].bytes, 4 * (size_t)rows[i].pairs, "%s", rows[i].what);
        cr_assert_eq(rtcp_nack_write(out, (size_t)n - 1, 1, 2, rows[i].seqs, rows[i].n), -ENOSPC);
    }
}

Test(rtcp_nack, round_trip_of_random_lists)
{
    uint64_t seed = 4585;
    for (int round = 0; round < 5000; round++) {
        uint16_t seqs[200];
        int n = 1 + (int)exact_random(&seed, 200);
        uint32_t stride = 1 + exact_random(&seed, 40);
        seqs[0] = (uint16_t)exact_random(&seed, 65536);
        for (int i = 1; i < n; i++) {
            seqs[i] = (uint16_t)(seqs[i - 1] + 1 + exact_random(&seed, stride));
        }
        uint8_t out[RTCP_NACK_LEN_MAX(200)];
        int len = rtcp_nack_write(out, RTCP_NACK_LEN_MAX(n), 0xabcd, 0xef01, seqs, n);
        cr_assert_gt(len, 0);
        struct rtcp_packet p = rtcp_kit_one(out, (size_t)len);
        struct rtcp_nack nack;
        cr_assert_eq(rtcp_nack_read(&p, &nack), 0);
        cr_assert_eq(nack.sender_ssrc, 0xabcd);
        cr_assert_eq(nack.media_ssrc, 0xef01);
        uint16_t got;
        for (int i = 0; i < n; i++) {
            cr_assert(rtcp_nack_next(&nack, &got));
            cr_assert_eq(got, seqs[i], "round %d, %d", round, i);
        }
        cr_assert(!rtcp_nack_next(&nack, &got));
    }
}

Test(rtcp_nack, reads_truncated_ones_only_as_far_as_they_go)
{
    uint8_t out[64];
    const uint16_t seqs[] = {1, 2, 100, 200};
    int len = rtcp_nack_write(out, sizeof(out), 1, 2, seqs, 4);
    struct rtcp_packet p = rtcp_kit_one(out, (size_t)len);
    for (size_t cut = 0; cut <= p.body_len; cut++) {
        struct rtcp_packet c = rtcp_kit_cut(&p, cut);
        struct rtcp_nack nack;
        cr_assert_eq(rtcp_nack_read(&c, &nack), cut < 12 ? -EBADMSG : 0, "%zu", cut);
        if (cut >= 12) {
            int n = 0;
            uint16_t seq16;
            while (rtcp_nack_next(&nack, &seq16)) {
                n++;
            }
            cr_assert_eq(n, cut < 16 ? 2 : cut < 20 ? 3 : 4, "%zu", cut);
        }
        free((void *)c.body);
    }
    p.count = RTCP_RTPFB_TWCC;
    struct rtcp_nack nack;
    cr_assert_eq(rtcp_nack_read(&p, &nack), -EPROTONOSUPPORT);
}
