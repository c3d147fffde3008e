/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/remb_recv.h"
#include <criterion/criterion.h>

#define MS US_PER_MS

static struct remb_recv r;
static int64_t now_us;
static uint64_t expected;
static int64_t lost;
static int told; // REMBs returned

/* Runs ms milliseconds of a stream that arrives at kbps after losing pct of 1000 packets a second.
 * Returns the last REMB, or 0. */
static int64_t run(int ms, int kbps, int pct)
{
    int64_t last = 0;
    for (int i = 0; i < ms; i++) {
        now_us += MS;
        expected++;
        lost += expected % 100 < (unsigned)pct;
        if (kbps) {
            remb_recv_on_packet(&r, (size_t)kbps / 8, now_us);
        }
        int64_t bps = remb_recv_poll(&r, now_us, expected, lost);
        if (bps) {
            last = bps;
            told++;
        }
    }
    return last;
}

static void start(int64_t floor_bps, int64_t cap_bps)
{
    remb_recv_init(&r, floor_bps, cap_bps);
    now_us = 5 * US_PER_S;
    expected = 0;
    lost = 0;
    told = 0;
}

Test(remb_recv, starts_high_and_follows_the_rule)
{
    static const struct {
        const char *what;
        int kbps, pct;
        int64_t want_bps;
    } rows[] = {
        {"no loss", 1000, 0, 1800000},
        {"1 %", 1000, 1, 1800000},
        {"2 % holds, under the line above", 1000, 2, 1800000},
        {"10 % holds", 2000, 10, 2500000},
        {"20 % falls", 1000, 20, 900000},
        {"100 % of what was expected", 1000, 100, 500000},
        {"floor", 40, 60, 100000},
        {"cap", 4000, 0, 5000000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        start(100000, 5000000);
        cr_assert_eq(remb_recv_next_deadline(&r), INT64_MAX);
        cr_assert_eq(run(1, rows[i].kbps, rows[i].pct), REMB_RECV_START_BPS, "%s", rows[i].what);
        int64_t got = run(3000, rows[i].kbps, rows[i].pct);
        cr_assert(got > rows[i].want_bps * 97 / 100 && got < rows[i].want_bps * 103 / 100,
                  "%s: %ld", rows[i].what, (long)got);
    }
    start(1000, 2000);
    cr_assert_eq(run(1, 100, 0), 2000, "the start is within the limits too");
}

Test(remb_recv, tells_once_a_second_and_falls_within_200_ms)
{
    start(100000, 10000000);
    (void)run(1, 2000, 0);
    (void)run(5000, 2000, 0);
    told = 0;
    int64_t steady = run(10000, 2000, 0);
    cr_assert_eq(told, 10);
    told = 0;
    int64_t fallen = run(400, 500, 30);
    cr_assert_geq(told, 1);
    cr_assert_lt(fallen, steady * 95 / 100);
    fallen = run(1000, 500, 30);
    cr_assert(fallen > 400000 && fallen < 450000, "%ld: 500 kbps less half of 30 %%", (long)fallen);
    /* It recovers by growing on what gets through. */
    int64_t up = run(2000, 500, 0);
    cr_assert(up > 1000000 && up < 1100000, "%ld", (long)up);
}

Test(remb_recv, says_nothing_about_nothing)
{
    start(100000, 10000000);
    cr_assert_eq(run(1000, 0, 0), 0, "no packet yet");
    (void)run(3000, 1000, 0);
    (void)run(1000, 0, 0); // the window empties
    told = 0;
    (void)run(5000, 0, 0);
    cr_assert_eq(told, 0);
    /* A sum that shrinks, because an SSRC left, is no loss. */
    (void)run(3000, 1000, 0);
    expected = 0;
    lost = 0;
    int64_t got = run(1000, 1000, 0);
    cr_assert(got > 1700000 && got < 1900000, "%ld", (long)got);
}
