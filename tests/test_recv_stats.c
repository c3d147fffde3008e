/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/recv_stats.h"
#include "tests/exact.h"
#include <criterion/criterion.h>

/* Feeds seqs one every 20 ms with matching timestamps; want are the extended numbers. */
static void feed(struct recv_stats *s, const uint16_t *seqs, const uint64_t *want, int n)
{
    for (int i = 0; i < n; i++) {
        uint64_t got = recv_stats_on_packet(s, seqs[i], 960u * i, 48000, 20000 * i);
        cr_assert_eq(got, want[i], "packet %d: %lx", i, (unsigned long)got);
    }
}

Test(recv_stats, extends_sequence_numbers)
{
    static const struct {
        const char *what;
        int n;
        uint16_t seqs[8];
        uint64_t want[8];
        int64_t lost;
        unsigned strays, restarts;
    } rows[] = {
        {"in order", 3, {5, 6, 7}, {0x10005, 0x10006, 0x10007}, 0, 0, 0},
        {"a hole", 2, {5, 9}, {0x10005, 0x10009}, 3, 0, 0},
        {"reordered", 3, {5, 7, 6}, {0x10005, 0x10007, 0x10006}, 0, 0, 0},
        {"before the first", 2, {0, 0xffff}, {0x10000, 0xffff}, 0, 0, 0},
        {"over the wrap", 3, {0xfffe, 1, 0xffff}, {0x1fffe, 0x20001, 0x1ffff}, 1, 0, 0},
        {"duplicate", 3, {5, 5, 6}, {0x10005, 0x10005, 0x10006}, -1, 0, 0},
        {"3000 ahead", 2, {5, 3005}, {0x10005, 0x10bbd}, 2999, 0, 0},
        {"3001 ahead is not believed", 3, {5, 3006, 6}, {0x10005, 0, 0x10006}, 0, 1, 0},
        {"3001 ahead twice is", 4, {5, 3006, 3007, 3008}, {0x10005, 0, 0x10bbf, 0x10bc0}, 0, 1, 1},
        {"far back twice", 4, {50000, 7, 8, 9}, {0x1c350, 0, 0x20008, 0x20009}, 0, 1, 1},
        {"far off, not in sequence", 3, {5, 20000, 20005}, {0x10005, 0, 0}, 0, 2, 0},
        {"late resend", 2, {2000, 1200}, {0x107d0, 0x104b0}, 799, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct recv_stats s;
        recv_stats_init(&s, 1);
        feed(&s, rows[i].seqs, rows[i].want, rows[i].n);
        cr_assert_eq(recv_stats_lost(&s), rows[i].lost, "%s", rows[i].what);
        cr_assert_eq(s.strays, rows[i].strays, "%s", rows[i].what);
        cr_assert_eq(s.restarts, rows[i].restarts, "%s", rows[i].what);
    }
}

Test(recv_stats, reports_loss_per_interval_and_in_all)
{
    struct recv_stats s;
    struct rtcp_report_block b;
    recv_stats_init(&s, 0xabc);
    cr_assert(!recv_stats_report(&s, 0, &b));
    cr_assert_eq(recv_stats_expected(&s), 0);
    uint16_t seq16 = 65500;
    for (int i = 0; i < 100; i++, seq16++) {
        if (i % 4 != 1) { // 25 of 100, the last one there
            cr_assert_neq(recv_stats_on_packet(&s, seq16, 0, 8000, 0), 0);
        }
    }
    cr_assert(recv_stats_report(&s, 0, &b));
    cr_assert_eq(b.ssrc, 0xabc);
    cr_assert_eq(b.fraction_lost, 64);
    cr_assert_eq(b.lost, 25);
    cr_assert_eq(b.highest_seq, 65599, "cycles count from 0: %u", b.highest_seq);
    cr_assert_eq(b.lsr, 0);
    cr_assert_eq(b.dlsr, 0);
    for (int i = 0; i < 10; i++, seq16++) {
        cr_assert_neq(recv_stats_on_packet(&s, seq16, 0, 8000, 0), 0);
    }
    cr_assert(recv_stats_report(&s, 0, &b));
    cr_assert_eq(b.fraction_lost, 0, "nothing was lost in the second interval");
    cr_assert_eq(b.lost, 25);
    cr_assert(recv_stats_report(&s, 0, &b));
    cr_assert_eq(b.fraction_lost, 0, "an empty interval");
    /* Two late ones make the interval's loss negative, which is reported as 0. */
    cr_assert_neq(recv_stats_on_packet(&s, 65501, 0, 8000, 0), 0);
    cr_assert_neq(recv_stats_on_packet(&s, 65505, 0, 8000, 0), 0);
    cr_assert(recv_stats_report(&s, 0, &b));
    cr_assert_eq(b.fraction_lost, 0);
    cr_assert_eq(b.lost, 23);
    /* All but one of 2501. */
    cr_assert_neq(recv_stats_on_packet(&s, (uint16_t)(seq16 + 2500), 0, 8000, 0), 0);
    cr_assert(recv_stats_report(&s, 0, &b));
    cr_assert_eq(b.fraction_lost, 255);
    cr_assert_eq(b.lost, 2523);
}

Test(recv_stats, restart_begins_a_new_count)
{
    struct recv_stats s;
    struct rtcp_report_block b;
    recv_stats_init(&s, 1);
    for (uint16_t i = 0; i < 100; i += 2) {
        cr_assert_neq(recv_stats_on_packet(&s, i, 0, 8000, 0), 0);
    }
    cr_assert(recv_stats_report(&s, 0, &b));
    cr_assert_eq(recv_stats_on_packet(&s, 30000, 0, 8000, 0), 0);
    cr_assert_neq(recv_stats_on_packet(&s, 30001, 0, 8000, 0), 0);
    cr_assert_neq(recv_stats_on_packet(&s, 30002, 0, 8000, 0), 0);
    cr_assert(recv_stats_report(&s, 0, &b));
    cr_assert_eq(b.lost, 0);
    cr_assert_eq(b.fraction_lost, 0);
    cr_assert_eq(b.highest_seq, 30002);
    cr_assert_eq(recv_stats_expected(&s), 2);
}

Test(recv_stats, echoes_the_last_sender_report)
{
    struct recv_stats s;
    struct rtcp_report_block b;
    recv_stats_init(&s, 1);
    recv_stats_on_sr(&s, 0x1122334455667788, 5000000);
    cr_assert_neq(recv_stats_on_packet(&s, 1, 0, 8000, 6000000), 0);
    cr_assert(recv_stats_report(&s, 6500000, &b));
    cr_assert_eq(b.lsr, 0x33445566);
    cr_assert_eq(b.dlsr, 0x18000);
    cr_assert(recv_stats_report(&s, 5000000 + 70000LL * US_PER_S, &b));
    cr_assert_eq(b.dlsr, UINT32_MAX, "19 hours do not fit");
}

Test(recv_stats, measures_jitter_of_packets_in_order)
{
    static const struct {
        const char *what;
        uint32_t hz;
        int64_t start_us, early_us, late_us; // every second packet comes late
        uint32_t want_us, tolerance_us;
    } rows[] = {
        {"even", 90000, 0, 0, 0, 0, 0},
        {"5 ms to and fro", 90000, 1000000, 0, 5000, 5000, 100},
        {"audio", 48000, 0, 0, 3000, 3000, 100},
        {"after ten years of uptime", 90000, 315360000000000, 0, 5000, 5000, 100},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct recv_stats s;
        recv_stats_init(&s, 1);
        uint32_t ts = 0xffffff00; // wraps on the way
        for (int k = 0; k < 500; k++, ts += rows[i].hz / 50) {
            int64_t now_us = rows[i].start_us + 20000 * k + (k & 1 ? rows[i].late_us : 0);
            cr_assert_neq(recv_stats_on_packet(&s, (uint16_t)(k * 2), ts, rows[i].hz, now_us), 0);
        }
        uint32_t got = recv_stats_jitter_us(&s);
        cr_assert(got + rows[i].tolerance_us >= rows[i].want_us &&
                      got <= rows[i].want_us + rows[i].tolerance_us,
                  "%s: %u", rows[i].what, got);
        /* A resend seconds late, another clock, and a new timeline leave it as it is. */
        int64_t later_us = rows[i].start_us + 12000000;
        cr_assert_neq(recv_stats_on_packet(&s, 101, 0, rows[i].hz, later_us), 0);
        cr_assert_eq(recv_stats_jitter_us(&s), got, "%s: late", rows[i].what);
        cr_assert_neq(recv_stats_on_packet(&s, 1000, ts + 0x40000000, rows[i].hz, later_us), 0);
        cr_assert_eq(recv_stats_jitter_us(&s), got, "%s: timeline", rows[i].what);
        cr_assert_neq(recv_stats_on_packet(&s, 1001, 5, 16000, later_us), 0);
        struct rtcp_report_block b;
        cr_assert(recv_stats_report(&s, later_us, &b));
        cr_assert_eq(b.jitter, s.jitter_q4 >> 4);
    }
    struct recv_stats s;
    recv_stats_init(&s, 1);
    cr_assert_eq(recv_stats_jitter_us(&s), 0);
}
