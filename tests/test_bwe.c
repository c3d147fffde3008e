/* SPDX-License-Identifier: Apache-2.0 */
/* The estimator's front: modes, watchdogs, feedback that lies. Its parts are in test_bwe_parts.c,
 * its behaviour over links in test_bwe_links.c. */
#include "rtp/bwe.h"
#include "rtp/bwe_state.h"
#include "tests/exact.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define MS    US_PER_MS
#define START 1000000
#define SEQ0  100

static const struct bwe_params params = {.start_bps = START, .min_bps = 50000, .max_bps = 9000000};

static struct bwe *fresh(void)
{
    struct bwe *b = bwe_new(&params, SEQ0, 0);
    cr_assert_not_null(b);
    return b;
}

static struct bwe_facts facts_of(const struct bwe *b)
{
    struct bwe_facts f;
    bwe_facts(b, &f);
    return f;
}

/* Sends n packets of 1000 bytes, one each gap_us, ticking every 100 ms. Returns the time after. */
static int64_t send_for(struct bwe *b, int64_t now_us, int n, int64_t gap_us)
{
    for (int i = 0; i < n; i++) {
        bwe_on_sent(b, 1000, 0, now_us);
        if (now_us / (100 * MS) != (now_us + gap_us) / (100 * MS)) {
            bwe_tick(b, now_us);
        }
        now_us += gap_us;
    }
    return now_us;
}

/* Tells of n packets from seq16, all received, gap_us apart from at_us on the receiver's clock. */
static bool tell(struct bwe *b, uint16_t seq16, int n, int64_t at_us, int64_t gap_us,
                 int64_t now_us)
{
    struct rtcp_twcc_status st[200];
    struct rtcp_twcc head = {.base_seq16 = seq16,
                             .status_count = (uint16_t)n,
                             .ref_time = (uint32_t)(at_us / RTCP_TWCC_REF_US) & 0xffffff};
    int64_t before = at_us / RTCP_TWCC_REF_US * RTCP_TWCC_REF_US;
    for (int i = 0; i < n; i++) {
        int64_t at = at_us + i * gap_us;
        st[i] = (struct rtcp_twcc_status){
            .seq16 = (uint16_t)(seq16 + i), .received = true, .delta_us = (int32_t)(at - before)};
        before = at;
    }
    return bwe_on_twcc(b, &head, st, n, now_us);
}

Test(bwe, starts_blind_with_the_start_value_and_numbers_packets)
{
    struct bwe *b = fresh();
    struct bwe_facts f = facts_of(b);
    cr_assert_eq(f.mode, BWE_BLIND);
    cr_assert_eq(f.estimate_bps, START);
    cr_assert_eq(f.capacity_bps, START);
    cr_assert_eq(f.acked_bps, 0);
    cr_assert_eq(f.proved_bps, 0);
    cr_assert_str_eq(f.why, "start");
    for (int i = 0; i < 0x10010; i++) {
        cr_assert_eq(bwe_seq16(b), (uint16_t)(SEQ0 + i));
        bwe_on_sent(b, 100, 0, i);
    }
    bwe_free(b);
    bwe_free(NULL);
}

Test(bwe, holds_while_feedback_is_missing_then_goes_by_reports)
{
    static const struct {
        const char *what;
        int packets; /* sent after the last feedback, one each 20 ms */
        uint64_t remb_bps;
        enum bwe_mode mode;
        bool held;
        uint32_t least;
        uint32_t most;
    } rows[] = {
        {"all is well", 20, 0, BWE_TWCC, false, START, START},
        {"20 packets say nothing", 20, 0, BWE_TWCC, false, START, START},
        {"0.6 s: held", 30, 0, BWE_TWCC, true, START, START},
        {"1.4 s: held", 70, 0, BWE_TWCC, true, START, START},
        {"2 s: reports", 100, 0, BWE_REPORT, true, START, START},
        {"60 s: nothing collapses", 3000, 0, BWE_REPORT, true, START, START},
        {"2 s with REMB", 100, 700000, BWE_REPORT, false, 700000, 700000},
        {"2 s with a REMB below the minimum", 100, 1, BWE_REPORT, false, 50000, 50000},
        {"2 s with an absurd REMB", 100, UINT64_MAX, BWE_REPORT, false, 9000000, 9000000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe *b = fresh();
        int64_t now = send_for(b, 0, 50, 20 * MS);
        tell(b, SEQ0, 50, 5000 * MS, 20 * MS, now);
        cr_assert_eq(facts_of(b).mode, BWE_TWCC, "%s", rows[i].what);
        now = send_for(b, now, rows[i].packets, 20 * MS);
        if (rows[i].remb_bps) {
            bwe_on_remb(b, rows[i].remb_bps, now);
        }
        bwe_tick(b, now);
        struct bwe_facts f = facts_of(b);
        cr_assert_eq(f.mode, rows[i].mode, "%s: mode %d", rows[i].what, f.mode);
        cr_assert_eq(f.held, rows[i].held, "%s", rows[i].what);
        cr_assert(f.estimate_bps >= rows[i].least && f.estimate_bps <= rows[i].most, "%s: %u",
                  rows[i].what, f.estimate_bps);
        /* and it comes back */
        uint16_t seq16 = bwe_seq16(b);
        now = send_for(b, now, 20, 20 * MS);
        tell(b, seq16, 20, 90000 * MS, 20 * MS, now);
        f = facts_of(b);
        cr_assert(f.mode == BWE_TWCC && !f.held, "%s", rows[i].what);
        bwe_free(b);
    }
}

Test(bwe, goes_by_the_loss_of_reports_without_anything_better)
{
    static const struct {
        const char *what;
        uint32_t loss_q8;
        double least; /* of the start value after 10 s */
        double most;
    } rows[] = {
        {"no loss grows, 8 % a second", 0, 1.7, 2.3},
        {"5 % is held", 13, 1, 1},
        {"20 % lowers", 51, .3, .5},
        {"all lost", 255, .04, .06},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe *b = fresh();
        int64_t now = send_for(b, 0, 400, 5 * MS);
        cr_assert_eq(facts_of(b).mode, BWE_REPORT, "%s", rows[i].what);
        for (int s = 0; s < 10; s++) {
            uint32_t bps = facts_of(b).estimate_bps;
            now = send_for(b, now, (int)(bps / 8000), (int64_t)8000 * US_PER_S / bps);
            bwe_on_report(b, rows[i].loss_q8, 50 * MS, now);
        }
        struct bwe_facts f = facts_of(b);
        double part = (double)f.estimate_bps / START;
        cr_assert(part >= rows[i].least && part <= rows[i].most, "%s: %.2f", rows[i].what, part);
        cr_assert_eq(f.rtt_us, 50 * MS);
        cr_assert_eq(f.loss_q8, rows[i].loss_q8);
        bwe_free(b);
    }
}

Test(bwe, counts_and_ignores_what_was_never_sent_or_told_before)
{
    struct bwe *b = fresh();
    int64_t now = send_for(b, 0, 100, 10 * MS);
    cr_assert_not(tell(b, SEQ0 + 100, 50, 1000 * MS, MS, now), "numbers of the future");
    cr_assert_not(tell(b, SEQ0 - 50, 50, 1000 * MS, MS, now), "numbers of the past");
    cr_assert_eq(b->ignored, 100);
    cr_assert_eq(facts_of(b).mode, BWE_BLIND, "lies do not count as feedback");
    tell(b, SEQ0, 100, 1000 * MS, 10 * MS, now);
    cr_assert_eq(b->ignored, 100);
    uint32_t acked = b->acked.smooth_bps;
    cr_assert_not(tell(b, SEQ0, 100, 9000 * MS, MS, now + 1), "repeated");
    cr_assert_eq(b->ignored, 200);
    cr_assert_eq(b->acked.smooth_bps, acked);
    /* what the ring has forgotten */
    uint16_t seq16 = bwe_seq16(b);
    now = send_for(b, now, BWE_SENT_MIN + 10, MS / 4);
    uint64_t ignored = b->ignored;
    uint32_t len = b->sent.mask + 1;
    tell(b, seq16, 20, 2000 * MS, MS, now);
    cr_assert_eq(b->ignored - ignored, len == BWE_SENT_MIN ? 10 : 0);
    bwe_free(b);
}

Test(bwe, survives_a_receiver_whose_clock_jumps)
{
    static const int64_t jumps_us[] = {0, -40 * US_PER_S, 3600LL * US_PER_S, 64000LL * 0xffffff};
    for (size_t i = 0; i < ARRAY_LEN(jumps_us); i++) {
        struct bwe *b = fresh();
        int64_t now = 0;
        int64_t at = 50 * US_PER_S;
        for (int m = 0; m < 100; m++) {
            uint16_t seq16 = bwe_seq16(b);
            now = send_for(b, now, 10, 8 * MS);
            if (m == 50) {
                at += jumps_us[i];
            }
            tell(b, seq16, 10, at + now, 8 * MS, now);
        }
        struct bwe_facts f = facts_of(b);
        cr_assert_geq(f.estimate_bps, START, "jump %zu", i);
        cr_assert_lt(f.queue_us, 5 * MS, "jump %zu", i);
        cr_assert(f.acked_bps > 900000 && f.acked_bps < 1100000, "jump %zu: %u", i, f.acked_bps);
        bwe_free(b);
    }
}

Test(bwe, takes_remb_as_a_bound_while_it_is_fresh)
{
    struct bwe *b = fresh();
    int64_t now = send_for(b, 0, 50, 10 * MS);
    tell(b, SEQ0, 50, 1000 * MS, 10 * MS, now);
    bwe_on_remb(b, 400000, now);
    cr_assert_eq(facts_of(b).estimate_bps, 400000);
    for (int i = 0; i < 60; i++) {
        uint16_t seq16 = bwe_seq16(b);
        int64_t at = now;
        now = send_for(b, now, 10, 10 * MS);
        tell(b, seq16, 10, at + 1000 * MS, 10 * MS, now);
        bwe_tick(b, now);
    }
    cr_assert_geq(facts_of(b).estimate_bps, 800000);
    bwe_free(b);
}

/* 1.6 Mbps, told of every 50 ms; after 2 s the link takes one packet each gap_us. */
Test(bwe, says_when_a_link_has_become_much_narrower)
{
    static const struct {
        const char *what;
        int64_t gap_us;
        bool over, surge;
    } rows[] = {
        {"as wide as before", 5 * MS, false, false},
        {"somewhat narrower", 6600, true, false},
        {"a quarter of it", 20 * MS, true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe *b = fresh();
        bool over = false, surge = false;
        uint16_t told = SEQ0;
        int64_t at = 0;
        for (int64_t now = 0; now < 3 * US_PER_S; now = send_for(b, now, 10, 5 * MS)) {
            int64_t gap_us = now < 2 * US_PER_S ? 5 * MS : rows[i].gap_us;
            int n = (int)((now - at) / gap_us);
            if (n > 0) {
                tell(b, told, n, at + 1000 * US_PER_S + gap_us, gap_us, now + 40 * MS);
                told = (uint16_t)(told + n);
                at += n * gap_us;
            }
            over |= facts_of(b).usage == BWE_OVERUSE;
            surge |= facts_of(b).surge;
        }
        cr_expect_eq(over, rows[i].over, "%s: overuse", rows[i].what);
        cr_expect_eq(surge, rows[i].surge, "%s: surge", rows[i].what);
        bwe_free(b);
    }
}

/* 400 kbps are sent of the 1,000 that may be, then packets arrive further apart. */
Test(bwe, spares_what_is_not_used_when_others_fill_the_queue)
{
    static const struct {
        const char *what;
        int64_t gap_us, for_us;
        uint32_t least_bps, most_bps; /* of the estimate, at the end */
    } rows[] = {
        {"nothing happens", 20 * MS, 3 * US_PER_S, START, START},
        {"the queue grows for a moment", 22 * MS, 600 * MS, 450000, 700000},
        {"the link has become narrower", 22 * MS, 6 * US_PER_S, 250000, 400000},
        {"it has become much narrower", 60 * MS, 1500 * MS, 50000, 200000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe *b = fresh();
        b->prober.was_cut = true;
        uint16_t told = SEQ0;
        int64_t at = 0;
        for (int64_t now = 0; now < 2 * US_PER_S + rows[i].for_us;) {
            int64_t gap_us = now < 2 * US_PER_S ? 20 * MS : rows[i].gap_us;
            now = send_for(b, now, 10, 20 * MS);
            int n = (int)((now - at) / gap_us);
            tell(b, told, n, at + 1000 * US_PER_S + gap_us, gap_us, now + 40 * MS);
            told = (uint16_t)(told + n);
            at += n * gap_us;
        }
        uint32_t bps = facts_of(b).capacity_bps;
        cr_expect(bps >= rows[i].least_bps && bps <= rows[i].most_bps, "%s: %u", rows[i].what, bps);
        bwe_free(b);
    }
}

Test(bwe, fits_its_memory)
{
    struct bwe *b = fresh();
    size_t bytes = sizeof(*b) + BWE_SENT_MIN * sizeof(struct bwe_sent_slot);
    printf("bwe: %zu bytes a viewer, %zu of them the ring\n", bytes, bytes - sizeof(*b));
    cr_assert_leq(bytes, 4 * 1024);
    /* 1,000 packets a second need more than 256 slots, 100 never do */
    send_for(b, 0, 300, 10 * MS);
    cr_assert_eq(b->sent.mask + 1, BWE_SENT_MIN);
    send_for(b, 3 * US_PER_S, 3000, MS);
    cr_assert_eq(b->sent.mask + 1, 2048);
    send_for(b, 6 * US_PER_S, 100000, 20);
    cr_assert_leq(b->sent.mask + 1, BWE_SENT_MAX);
    bwe_free(b);
}
