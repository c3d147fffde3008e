/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_sr.h"
#include "tests/rtcp_kit.h"
#include <errno.h>

/* Written by hand from RFC 3550 6.4.1: one block, lost = -2. */
static const uint8_t sr[] = "\x81\xc8\x00\x0c"
                            "\x11\x22\x33\x44"
                            "\xe9\x00\x00\x01\x80\x00\x00\x00"
                            "\x00\x01\x5f\x90\x00\x00\x00\x64\x00\x01\x86\xa0"
                            "\xaa\xbb\xcc\xdd\x40\xff\xff\xfe\x00\x02\x00\x07"
                            "\x00\x00\x00\x63\x00\x01\x80\x00\x00\x00\x80\x00";

Test(rtcp_sr, reads_a_hand_made_sender_report)
{
    struct rtcp_packet p = rtcp_kit_one(sr, sizeof(sr) - 1);
    struct rtcp_report r;
    cr_assert_eq(rtcp_sr_read(&p, &r), 0);
    cr_assert_eq(r.ssrc, 0x11223344);
    cr_assert(r.is_sr);
    cr_assert_eq(r.sender.ntp, 0xe900000180000000);
    cr_assert_eq(r.sender.rtp_ts, 90000);
    cr_assert_eq(r.sender.pkts, 100);
    cr_assert_eq(r.sender.octets, 100000);
    cr_assert_eq(r.n_blocks, 1);
    cr_assert_eq(r.blocks[0].ssrc, 0xaabbccdd);
    cr_assert_eq(r.blocks[0].fraction_lost, 64);
    cr_assert_eq(r.blocks[0].lost, -2);
    cr_assert_eq(r.blocks[0].highest_seq, 0x20007);
    cr_assert_eq(r.blocks[0].jitter, 99);
    cr_assert_eq(r.blocks[0].lsr, 0x18000);
    cr_assert_eq(r.blocks[0].dlsr, 0x8000);
    uint8_t out[sizeof(sr) - 1];
    cr_assert_eq(rtcp_sr_write(out, sizeof(out), &r), (int)sizeof(out));
    cr_assert_arr_eq(out, sr, sizeof(out));
}

Test(rtcp_sr, writes_and_reads_any_number_of_blocks)
{
    static uint8_t out[RTCP_SR_LEN(31)];
    for (int is_sr = 0; is_sr < 2; is_sr++) {
        for (uint8_t n = 0; n <= RTCP_REPORT_BLOCKS_MAX; n++) {
            struct rtcp_report r = {.ssrc = 7, .is_sr = is_sr, .n_blocks = n};
            for (uint8_t i = 0; i < n; i++) {
                r.blocks[i] = (struct rtcp_report_block){.ssrc = i, .lost = i * 1000000 - 15000000};
            }
            size_t want = is_sr ? RTCP_SR_LEN(n) : RTCP_RR_LEN(n);
            cr_assert_eq(rtcp_sr_write(out, want - 1, &r), -ENOSPC);
            cr_assert_eq(rtcp_sr_write(out, want, &r), (int)want);
            struct rtcp_packet p = rtcp_kit_one(out, want);
            struct rtcp_report got;
            cr_assert_eq(rtcp_sr_read(&p, &got), 0);
            cr_assert_eq(got.is_sr, is_sr);
            cr_assert_eq(got.n_blocks, n);
            for (uint8_t i = 0; i < n; i++) {
                int32_t lost = i * 1000000 - 15000000;
                lost = MAX(MIN(lost, 0x7fffff), -0x800000);
                cr_assert_eq(got.blocks[i].lost, lost);
            }
            for (size_t cut = 0; cut < p.body_len; cut++) {
                struct rtcp_packet c = rtcp_kit_cut(&p, cut);
                cr_assert_eq(rtcp_sr_read(&c, &got), -EBADMSG);
                free((void *)c.body);
            }
        }
    }
    struct rtcp_packet bye = {.type = RTCP_BYE};
    struct rtcp_report r;
    cr_assert_eq(rtcp_sr_read(&bye, &r), -EPROTONOSUPPORT);
}

Test(rtcp_sr, computes_the_round_trip)
{
    /* The example of RFC 3550 figure 2: 6.125 s. */
    static const struct {
        uint32_t lsr, dlsr;
        uint64_t now_ntp;
        int64_t want;
    } rows[] = {
        {0xb7052000, 0x00054000, 0xb44db710ULL << 16, -1},
        {0xb7052000, 0x00054000, 0xb710ULL << 32 | 0x8000ULL << 16, 6125000},
        {0, 0, 0x123456789, -1},
        {0x10000, 0x10000, 0x20000ULL << 16, 0},
        {0x10000, 0x10001, 0x20000ULL << 16, 0},
        {0x10000, 0x40000, 0x20000ULL << 16, -1},
        {0xffff8000, 0, 0x8000ULL << 16, 1000000}, // over the wrap
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rtcp_report_block b = {.lsr = rows[i].lsr, .dlsr = rows[i].dlsr};
        cr_assert_eq(rtcp_sr_rtt_us(&b, rows[i].now_ntp), rows[i].want, "row %zu: %ld", i,
                     (long)rtcp_sr_rtt_us(&b, rows[i].now_ntp));
    }
}
