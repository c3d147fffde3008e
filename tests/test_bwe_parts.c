/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the estimator, each by itself. */
#include "rtp/bwe_state.h"
#include "tests/exact.h"
#include <criterion/criterion.h>

#define MS US_PER_MS

Test(bwe_parts, sent_finds_what_the_ring_holds)
{
    struct bwe_sent s;
    cr_assert_eq(bwe_sent_init(&s, 0x7fff), 0);
    for (int i = 0; i < 200000; i++) {
        bwe_sent_add(&s, (uint32_t)i, (uint8_t)i, (int64_t)i * 100000);
        if (i % 997 && i > 600) {
            continue;
        }
        int64_t now = (int64_t)i * 100000;
        for (int back = 0; back < 600; back += 7) {
            uint16_t seq16 = (uint16_t)(0x7fff + i - back);
            const struct bwe_sent_slot *slot = bwe_sent_find(&s, seq16);
            cr_assert_eq(slot != NULL, back <= i && back < BWE_SENT_MIN, "%d, %d back", i, back);
            if (slot) {
                cr_assert_eq(bwe_sent_at_us(slot, now), (int64_t)(i - back) * 100000);
                cr_assert_eq(slot->size, MIN(i - back, 65535));
                cr_assert_eq(bwe_sent_seq(&s, seq16), (uint64_t)(0x7fff + i - back));
            }
        }
        cr_assert_null(bwe_sent_find(&s, (uint16_t)(0x8000 + i)));
        cr_assert_null(bwe_sent_find(&s, (uint16_t)(0x7fff + i + 0x7fff)));
    }
    bwe_sent_fini(&s);
}

Test(bwe_parts, sent_grows_and_keeps_what_it_held)
{
    struct bwe_sent s;
    cr_assert_eq(bwe_sent_init(&s, 5), 0);
    for (int i = 0; i < 700; i++) {
        bwe_sent_add(&s, (uint32_t)i, 0, i);
    }
    cr_assert_not(bwe_sent_grow(&s, 200));
    cr_assert(bwe_sent_grow(&s, 201));
    for (int i = 0; i < 700; i++) {
        const struct bwe_sent_slot *slot = bwe_sent_find(&s, (uint16_t)(5 + i));
        cr_assert_eq(slot != NULL, i >= 700 - BWE_SENT_MIN, "%d", i);
        cr_assert(!slot || slot->size == i);
    }
    while (bwe_sent_grow(&s, UINT32_MAX)) {
        bwe_sent_add(&s, 1, 0, 0);
    }
    cr_assert_eq(s.mask + 1, BWE_SENT_MAX);
    bwe_sent_fini(&s);
}

Test(bwe_parts, groups_are_bursts_of_5_ms)
{
    static const struct {
        const char *what;
        int n;
        int sent_ms[8];
        int arrived_ms[8];
        int told;          /* deltas */
        int last_sent_ms;  /* of the last delta */
        int last_later_ms; /* arrived - sent of it */
    } rows[] = {
        {"each its own", 4, {0, 10, 20, 30}, {50, 60, 70, 80}, 2, 10, 0},
        {"growing delay", 4, {0, 10, 20, 30}, {50, 63, 76, 89}, 2, 10, 3},
        {"5 ms make one", 5, {0, 5, 10, 15, 30}, {50, 55, 60, 65, 80}, 1, 10, 0},
        {"sent together", 6, {0, 0, 0, 20, 20, 40}, {50, 51, 52, 70, 71, 90}, 1, 20, -1},
        {"held back and delivered at once",
         5,
         {0, 10, 20, 30, 60},
         {50, 90, 91, 92, 120},
         1,
         30,
         12},
        {"an older one is ignored", 5, {0, 10, 4, 20, 30}, {50, 60, 61, 70, 80}, 2, 10, 0},
        {"one that overtakes joins it", 4, {0, 10, 20, 30}, {50, 70, 60, 90}, 1, 20, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_groups g = {0};
        struct bwe_groups_delta d = {0};
        int told = 0;
        for (int k = 0; k < rows[i].n; k++) {
            told += bwe_groups_add(&g, rows[i].sent_ms[k] * MS, rows[i].arrived_ms[k] * MS, &d);
        }
        cr_assert_eq(told, rows[i].told, "%s: %d", rows[i].what, told);
        cr_assert_eq(d.sent_us, rows[i].last_sent_ms * MS, "%s: %d", rows[i].what, (int)d.sent_us);
        cr_assert_eq(d.arrived_us - d.sent_us, rows[i].last_later_ms * MS, "%s: %d", rows[i].what,
                     (int)(d.arrived_us - d.sent_us));
    }
}

/* The slope computed from nothing, in double. */
static double slope_of(const double *x, const double *y, int n)
{
    double sx = 0;
    double sy = 0;
    double num = 0;
    double den = 0;
    for (int i = 0; i < n; i++) {
        sx += x[i] / n;
        sy += y[i] / n;
    }
    for (int i = 0; i < n; i++) {
        num += (x[i] - sx) * (y[i] - sy);
        den += (x[i] - sx) * (x[i] - sx);
    }
    return den > 0 ? num / den : 0;
}

Test(bwe_parts, delay_sums_equal_the_least_squares_they_stand_for)
{
    static double x[200000];
    static double y[200000];
    struct bwe_delay d;
    bwe_delay_reset(&d);
    uint64_t rng = 7;
    int64_t at = 3 * US_PER_S;
    double sum = 0;
    double smoothed = 0;
    for (int i = 0; i < 200000; i++) {
        int64_t sent = 5 * MS + exact_random(&rng, 30 * MS);
        int64_t later = (int64_t)exact_random(&rng, 6 * MS) - 3 * MS;
        at += sent + later;
        struct bwe_groups_delta g = {.sent_us = sent, .arrived_us = sent + later, .arrival_us = at};
        bwe_delay_add(&d, &g);
        sum += (double)later;
        smoothed += (sum - smoothed) / 10;
        x[i] = (double)at;
        y[i] = smoothed;
        if (i >= 20 && i % 50 == 0) {
            double want = slope_of(&x[i - 19], &y[i - 19], 20);
            cr_assert_float_eq(d.slope, want, 1e-3, "%d: %g, %g", i, (double)d.slope, want);
        }
    }
}

Test(bwe_parts, delay_tells_a_growing_queue_from_all_else)
{
    static const struct {
        const char *what;
        double grow;   /* ms later per 20 ms of sending */
        int jitter_us; /* uniform */
        int step_ms;   /* once, at group 100 */
        int spike_ms;  /* one group late, at group 100 */
        bool over;
        bool under;
    } rows[] = {
        {"nothing", 0, 0, 0, 0, false, false},
        {"jitter of 4 ms", 0, 4000, 0, 0, false, false},
        {"grows by 5 %", 1, 500, 0, 0, true, false},
        {"grows by 50 %", 10, 2000, 0, 0, true, false},
        {"doubles", 20, 0, 0, 0, true, false},
        {"drains", -3, 0, 0, 0, false, true},
        {"clocks drift by 200 ppm", .004, 500, 0, 0, false, false},
        {"one group 200 ms late", 0, 500, 0, 200, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_delay d;
        bwe_delay_reset(&d);
        uint64_t rng = 5;
        double path = 0;
        int64_t before = 0;
        bool over = false;
        bool under = false;
        for (int k = 0; k < 200; k++) {
            int64_t at = k * 20 * MS;
            path += k > 50 ? rows[i].grow * MS : 0;
            at += (int64_t)path + (rows[i].jitter_us ? exact_random(&rng, rows[i].jitter_us) : 0);
            at += k >= 100 ? rows[i].step_ms * MS : 0;
            at += k == 100 ? rows[i].spike_ms * MS : 0;
            struct bwe_groups_delta g = {
                .sent_us = 20 * MS, .arrived_us = at - before, .arrival_us = at};
            before = at;
            enum bwe_usage u = bwe_delay_add(&d, &g);
            over |= k > 20 && u == BWE_OVERUSE;
            under |= k > 20 && u == BWE_UNDERUSE;
        }
        cr_assert_eq(over, rows[i].over, "%s", rows[i].what);
        cr_assert_eq(under, rows[i].under, "%s", rows[i].what);
    }
}

Test(bwe_parts, queue_is_the_delay_above_the_least)
{
    static const struct {
        const char *what;
        int base_ms;
        int then_ms; /* from second 3 on */
        int seconds;
        int want_ms; /* at the end */
    } rows[] = {
        {"none", 40, 40, 6, 0},
        {"a queue", 40, 100, 6, 60},
        {"it drains", 100, 40, 6, 0},
        {"a longer path is believed after 10 s", 40, 100, 15, 0},
        {"clocks differ", -70000000, -69999900, 6, 100},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_queue q = {0};
        cr_assert_eq(bwe_queue_us(&q), 0);
        for (int t = 0; t < rows[i].seconds * 1000; t += 20) {
            int64_t owd = t < 3000 ? rows[i].base_ms : rows[i].then_ms;
            bwe_queue_add(&q, owd * MS + (t % 60 == 0 ? 0 : 15 * MS), t * MS);
        }
        cr_assert_eq(bwe_queue_us(&q), rows[i].want_ms * MS, "%s: %d", rows[i].what,
                     bwe_queue_us(&q));
    }
    struct bwe_queue q = {0};
    bool stood = false;
    for (int t = 0; t < 1000; t += 20) {
        bwe_queue_add(&q, (t < 500 ? 10 : 90) * MS, t * MS);
        bool stands = bwe_queue_stands(&q, 50 * MS, 200 * MS);
        cr_assert(t >= 800 || !stands, "%d", t);
        stood |= stands;
    }
    cr_assert(stood);
    bwe_queue_rebase(&q);
    cr_assert_eq(bwe_queue_us(&q), 0);
}

Test(bwe_parts, noise_is_what_jitter_does_to_delay)
{
    static const struct {
        const char *what;
        int jitter_ms; /* uniform */
        int rise_ms;   /* a second, in the last second */
        int least_ms, most_ms;
    } rows[] = {
        {"none", 0, 0, 0, 0},
        {"frames that differ in size", 10, 0, 0, 0},
        {"a busy radio", 60, 0, 15, 40},
        {"no more than this", 500, 0, 40, 40},
        {"a queue that fills", 0, 300, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_queue q = {0};
        uint64_t rng = 7;
        for (int t = 0; t < 10000; t += 20) {
            int64_t jitter = rows[i].jitter_ms
                                 ? (int64_t)exact_random(&rng, (uint32_t)rows[i].jitter_ms * MS)
                                 : 0;
            int64_t rise = (int64_t)MAX(t - 9000, 0) * rows[i].rise_ms;
            bwe_queue_add(&q, 40 * MS + jitter + rise, t * MS);
        }
        int32_t noise_us = bwe_queue_noise_us(&q);
        cr_expect(noise_us >= rows[i].least_ms * MS && noise_us <= rows[i].most_ms * MS, "%s: %d",
                  rows[i].what, noise_us);
    }
}

Test(bwe_parts, surges_are_links_that_narrow_at_once)
{
    static const struct {
        const char *what;
        int link_kbps; /* from second 1 on; 3000 before, 1500 are sent in frames */
        int step_ms;   /* the path becomes longer then */
        int jitter_ms; /* uniform, order kept */
        int noise_ms;  /* that jitter is known to make */
        bool want;
        int within_ms; /* of arrival */
    } rows[] = {
        {"nothing", 3000, 0, 0, 0, false, 0},
        {"jitter", 3000, 0, 30, 0, false, 0},
        {"a longer path", 3000, 130, 0, 0, false, 0},
        {"a longer path and jitter", 3000, 130, 10, 0, false, 0},
        {"a bit narrower: the trend's business", 1450, 0, 0, 0, false, 0},
        {"much narrower", 600, 0, 0, 0, true, 220},
        {"much narrower, jitter", 600, 0, 10, 0, true, 250},
        {"much narrower, on a link known for noise", 600, 0, 10, 80, true, 450},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_surge s = {0};
        uint64_t rng = 4;
        double free_us = 0;
        int64_t last = 0;
        int64_t first = 0;
        bwe_surge_expect(&s, 1500000, rows[i].noise_ms * MS);
        for (int t = 0; t < 5 * 60; t++) { // 5 packets of 1250 bytes a frame, 2 s
            int64_t sent = t / 5 * 33333 + t % 5 * 2700;
            bool then = sent > US_PER_S;
            free_us = MAX(free_us, (double)sent) + 1e7 / (then ? rows[i].link_kbps : 3000);
            int64_t at = (int64_t)free_us + 40 * MS + (then ? rows[i].step_ms * MS : 0);
            at += rows[i].jitter_ms ? exact_random(&rng, (uint32_t)rows[i].jitter_ms * MS) : 0;
            last = MAX(last, at);
            uint32_t bps = bwe_surge_add(&s, sent, last, 1250);
            cr_assert_eq(bps != 0, bwe_surge_us(&s) != 0);
            if (bps && !first) {
                first = last - 1040 * MS;
                cr_assert_float_eq((double)bps, rows[i].link_kbps * 1e3, rows[i].link_kbps * 250.,
                                   "%s: %u", rows[i].what, bps);
            }
        }
        cr_assert_eq(first != 0, rows[i].want, "%s", rows[i].what);
        cr_assert(first <= rows[i].within_ms * MS, "%s: %d us", rows[i].what, (int)first);
    }
}

Test(bwe_parts, acked_is_the_rate_of_arrival)
{
    struct bwe_acked a;
    bwe_acked_reset(&a);
    cr_assert_eq(bwe_acked_recent_bps(&a), 0);
    int64_t at = 7000 * MS;
    for (int i = 0; i < 400; i++, at += 5 * MS) { // 1000 bytes each 5 ms: 1.6 Mbps
        bwe_acked_add(&a, at, at, 1000);
    }
    cr_assert_float_eq((double)bwe_acked_recent_bps(&a), 1600000, 120000);
    cr_assert_float_eq((double)a.smooth_bps, 1600000, 120000);
    for (int i = 0; i < 40; i++, at += 10 * MS) { // the recent rate falls at once
        bwe_acked_add(&a, at, at, 500);
    }
    cr_assert_float_eq((double)bwe_acked_recent_bps(&a), 400000, 50000);
    bwe_acked_hole(&a); // neither a hole in the feedback nor an outage reads as a low rate
    at += 300 * MS;
    for (int i = 0; i < 40; i++, at += 10 * MS) {
        bwe_acked_add(&a, at, at, 500);
        uint32_t bps = bwe_acked_recent_bps(&a);
        cr_assert(bps == 0 || (bps > 340000 && bps < 460000), "%d: %u", i, bps);
    }
    at += 900 * MS;
    for (int i = 0; i < 40; i++, at += 10 * MS) {
        bwe_acked_add(&a, at, at, 500);
        uint32_t bps = bwe_acked_recent_bps(&a);
        cr_assert(bps == 0 || (bps > 340000 && bps < 460000), "%d: %u", i, bps);
    }
    bwe_acked_add(&a, at - 900 * MS, at - 900 * MS, 60000); // older than all bins
    cr_assert_float_eq((double)bwe_acked_recent_bps(&a), 400000, 60000);
}

Test(bwe_parts, acked_tells_how_much_the_link_stretches_what_is_sent)
{
    static const struct {
        int sent_ms; /* between packets */
        int arrived_ms;
        unsigned want_q8;
    } rows[] = {{10, 10, 256}, {10, 20, 512}, {20, 10, 128}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_acked a;
        bwe_acked_reset(&a);
        cr_assert_eq(bwe_acked_stretch_q8(&a), 256);
        for (int k = 0; k < 100; k++) {
            /* the low 32 bits of the time wrap meanwhile */
            bwe_acked_add(&a, (1LL << 32) - 500 * MS + k * rows[i].sent_ms * MS,
                          5000 * MS + k * rows[i].arrived_ms * MS, 500);
        }
        cr_assert_float_eq((double)bwe_acked_stretch_q8(&a), rows[i].want_q8, rows[i].want_q8 * .2,
                           "%zu: %u", i, bwe_acked_stretch_q8(&a));
    }
}

Test(bwe_parts, bursts_show_whether_there_is_room)
{
    static const struct {
        const char *what;
        int burst_kbps; /* at which frames of 4 packets are sent, 30 a second */
        int link_kbps;
        int jitter_us;
        enum bwe_burst_verdict want; /* with an estimate of 1000 kbps */
    } rows[] = {
        {"full", 2500, 1000, 0, BWE_BURST_CLOSED},
        {"full, jitter", 2500, 1000, 5000, BWE_BURST_CLOSED},
        {"room", 2500, 2000, 0, BWE_BURST_OPEN},
        {"room, jitter", 2500, 2500, 5000, BWE_BURST_OPEN},
        {"much room, sent at once", 50000, 9000, 0, BWE_BURST_OPEN},
        {"sent too slowly to tell", 1300, 9000, 0, BWE_BURST_MUTE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_burst b = {0};
        uint64_t rng = 9;
        double free_us = 0;
        int64_t last = 0;
        for (int t = 0; t < 60 * 4; t++) {
            int64_t sent = t / 4 * 33333 + t % 4 * 8000000LL / rows[i].burst_kbps;
            free_us = MAX(free_us, (double)sent) + 8e6 / rows[i].link_kbps;
            int64_t at = (int64_t)free_us + 40 * MS;
            at += rows[i].jitter_us ? exact_random(&rng, (uint32_t)rows[i].jitter_us) : 0;
            last = MAX(last, at);
            bwe_burst_add(&b, sent, last, 1000, 1000000);
        }
        cr_assert_eq(b.verdict, rows[i].want, "%s: %d", rows[i].what, b.verdict);
        bwe_burst_add(&b, 9 * US_PER_S, 9 * US_PER_S, 1000, 1000000);
        cr_assert_eq(b.verdict, BWE_BURST_MUTE, "%s: it does not last", rows[i].what);
    }
}

Test(bwe_parts, packets_that_leave_together_show_how_wide_the_link_is)
{
    static const struct {
        int apart_us; /* packets of a frame: four of 1,000 bytes, 30 a second */
        int link_kbps, least_kbps, most_kbps;
    } rows[] = {
        {0, 1000, 990, 1010}, {0, 20000, 19000, 21000}, {0, 1000000, 90000, 200000},
        {200, 1000000, 0, 0}, {9000, 1000000, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_burst b = {0};
        double free_us = 0;
        for (int t = 0; t < 8 * 4; t++) {
            int64_t sent = t / 4 * 33333 + t % 4 * rows[i].apart_us;
            free_us = MAX(free_us, (double)sent) + 8e6 / rows[i].link_kbps;
            bwe_burst_add(&b, sent, (int64_t)free_us + 40 * MS, 1000, 1000000);
            uint32_t early = bwe_burst_train_bps(&b);
            cr_assert(t > 2 * 4 || early == 0, "row %zu: %u after %d packets", i, early, t);
        }
        uint32_t kbps = bwe_burst_train_bps(&b) / 1000;
        cr_assert(kbps >= (uint32_t)rows[i].least_kbps && kbps <= (uint32_t)rows[i].most_kbps,
                  "row %zu: %u kbps", i, kbps);
        bwe_burst_add(&b, 9 * US_PER_S, 9 * US_PER_S, 1000, 1000000);
        cr_assert_eq(bwe_burst_train_bps(&b), 0, "it does not last");
    }
}

Test(bwe_parts, aimd_cuts_below_what_arrives_and_grows_by_8_percent)
{
    struct bwe_aimd a;
    bwe_aimd_init(&a, 1000000, 0);
    struct bwe_aimd_in in = {.acked_bps = 950000, .rtt_us = 100 * MS, .may_grow = true};
    for (int t = 0; t <= 2000; t += 50) {
        in.now_us = t * MS;
        in.acked_bps = a.bps / 100 * 95;
        bwe_aimd_grow(&a, &in);
    }
    cr_assert_float_eq((double)a.bps, 1170000, 15000, "%u", a.bps);
    in.queue_us = 100 * MS;
    in.now_us = 2050 * MS;
    cr_assert(bwe_aimd_overuse(&a, 800000, &in));
    cr_assert_eq(a.bps, 680000);
    in.now_us = 2150 * MS;
    cr_assert_not(bwe_aimd_overuse(&a, 600000, &in), "it has had no effect yet");
    in.now_us = 2160 * MS;
    cr_assert(bwe_aimd_overuse(&a, 300000, &in), "less than half arrives");
    cr_assert_eq(a.bps, 255000);
    /* never beyond 125 % of what arrives, not while it may not, near the capacity slowly */
    in.acked_bps = 190000;
    in.now_us = 9000 * MS;
    bwe_aimd_grow(&a, &in);
    cr_assert_eq(a.bps, 255000);
    in.acked_bps = 300000;
    in.may_grow = false;
    in.now_us += 100 * MS;
    bwe_aimd_grow(&a, &in);
    cr_assert_eq(a.bps, 255000);
    in.may_grow = true;
    in.now_us += 500 * MS;
    bwe_aimd_grow(&a, &in);
    cr_assert(a.bps > 256000 && a.bps < 290000, "%u", a.bps);
    in.now_us += 500 * MS;
    cr_assert_not(bwe_aimd_overuse(&a, 400000, &in), "more arrives than the estimate: a burst");
    in.now_us += 500 * MS;
    in.queue_us = 0;
    cr_assert(bwe_aimd_overuse(&a, 200000, &in));
    cr_assert_eq(a.bps, 176000, "hardly a queue: less of a cut");
}

Test(bwe_parts, two_drains_in_vain_are_a_rival)
{
    static const struct {
        const char *what;
        int vain_s[3]; /* drains in vain; 0 = none */
        int at_s;
        uint32_t want_bps; /* before it was 2 Mbps */
    } rows[] = {
        {"one is a longer path", {5}, 6, 0},
        {"two far apart are two", {5, 16}, 17, 0},
        {"two are a rival", {5, 12}, 13, 450000},
        {"it goes", {5, 12}, 28, 0},
        {"it stays, and what was before it counts", {5, 12, 14}, 28, 450000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_rival r = {0};
        for (int k = 0; k < 3 && rows[i].vain_s[k]; k++) {
            (void)bwe_rival_vain(&r, 2000000 >> k, rows[i].vain_s[k] * (int64_t)US_PER_S);
        }
        uint32_t bps = bwe_rival_floor_bps(&r, rows[i].at_s * (int64_t)US_PER_S);
        cr_expect_eq(bps, rows[i].want_bps, "%s: %u", rows[i].what, bps);
    }
    struct bwe_rival r = {0};
    bwe_rival_seen(&r, 400000, US_PER_S);
    cr_expect_eq(bwe_rival_floor_bps(&r, 2 * US_PER_S), 100000);
}

Test(bwe_parts, drain_tells_a_queue_from_a_longer_path)
{
    static const struct {
        const char *what;
        int from_ms;
        int left_ms; /* per 100 ms of draining it falls by this much */
        double obey; /* share of the link that is sent meanwhile */
        enum bwe_drain_end want;
    } rows[] = {
        {"no queue", 10, 0, .5, BWE_DRAIN_GOING},
        {"it drains", 200, 50, .5, BWE_DRAIN_DONE},
        {"it drains slowly", 200, 20, .8, BWE_DRAIN_DONE},
        {"the path has grown", 130, 0, .5, BWE_DRAIN_PATH},
        {"no trial, since as much was sent", 130, 0, 1, BWE_DRAIN_DONE},
        {"somebody fills it", 60, -20, .4, BWE_DRAIN_RIVAL},
        {"it grows, since as much was sent", 60, -20, 1, BWE_DRAIN_DONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_drain d = {0};
        struct bwe_drain_in in = {.queue_us = rows[i].from_ms * MS, .rtt_us = 50 * MS};
        bwe_drain_start(&d, &in, 1000000, 1200000);
        cr_assert_eq(d.on, rows[i].from_ms > 15, "%s", rows[i].what);
        enum bwe_drain_end end = BWE_DRAIN_GOING;
        for (int t = 0; t < 5000 && end == BWE_DRAIN_GOING; t += 50) {
            in.now_us = t * MS;
            in.sent_bytes = (uint64_t)(rows[i].obey * t * 125);
            int fallen = t > 50 ? (t - 50) * rows[i].left_ms / 100 : 0;
            in.queue_us = MAX(rows[i].from_ms - fallen, 0) * MS;
            uint32_t bps = bwe_drain_bps(&d, 850000, in.queue_us);
            cr_assert(bps >= 340000 && bps <= 850000, "%s: %u", rows[i].what, bps);
            end = bwe_drain_update(&d, &in);
        }
        cr_assert_eq(end, rows[i].want, "%s: %d", rows[i].what, end);
        cr_assert_not(d.on);
        cr_assert_eq(bwe_drain_bps(&d, 850000, 90 * MS), 850000);
    }
}

Test(bwe_parts, loss_is_blamed_on_sending_only_with_a_reason)
{
    static const struct {
        const char *what;
        int lo_kbps; /* the rate alternates each second */
        int hi_kbps;
        double loss;     /* at random, */
        double row;      /* one by one (0), or so many in a row in the mean */
        int police_kbps; /* beyond this all is lost; 0 = no limit */
        bool queue;
        double least; /* estimate after 90 s in Mbps, from 2; what is sent is bound by it */
        double most;
    } rows[] = {
        {"none", 1000, 2000, 0, 0, 0, false, 2, 2},
        {"1 %", 1000, 2000, .01, 0, 0, false, 2, 2},
        {"5 %", 1000, 2000, .05, 0, 0, false, 2, 2},
        {"10 %", 1000, 2000, .1, 0, 0, false, 2, 2},
        {"10 % at a steady rate", 2000, 2000, .1, 0, 0, false, 2, 2},
        {"20 % is tried, and found inherent", 2000, 2000, .2, 0, 0, false, 1.9, 2},
        {"a policer", 2000, 2000, 0, 0, 500, false, .35, .55},
        {"a policer and 5 %", 2000, 2000, .05, 0, 500, false, .2, .55},
        {"a policer and 10 %: no collapse", 2000, 2000, .1, 0, 500, false, .08, .55},
        {"a mild policer, seen by comparing", 1000, 2000, 0, 0, 1850, false, 1.2, 1.95},
        {"3 % in bursts", 2000, 2000, .03, 8, 0, false, 2, 2},
        {"5 % in bursts", 1000, 2000, .05, 8, 0, false, 2, 2},
        {"a queue's loss is not looked at", 2000, 2000, 0, 0, 500, true, 2, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_loss l;
        bwe_loss_init(&l);
        uint64_t rng = 11;
        uint32_t est = 2000000;
        double bucket = 0;
        int64_t now = US_PER_S;
        double least = 99;
        bool in_row = false;
        while (now < 91 * US_PER_S) {
            uint32_t want = (uint32_t)(now / US_PER_S % 2 ? rows[i].hi_kbps : rows[i].lo_kbps);
            uint32_t bps = MIN(want * 1000, MIN(est, bwe_loss_cap_bps(&l, now)));
            int64_t gap = (int64_t)1000 * 8 * US_PER_S / bps;
            bucket = MIN(bucket + rows[i].police_kbps * 125.0 * (double)gap / 1e6, 4000);
            double row = MAX(rows[i].row, 1);
            bool goes_on = in_row && exact_random(&rng, 10000) >= 10000 / row;
            bool lost = goes_on || exact_random(&rng, 10000) < rows[i].loss * 10000 / row;
            in_row = rows[i].row > 0 && lost;
            if (rows[i].police_kbps && bucket < 1000) {
                lost = true;
            } else {
                bucket -= 1000;
            }
            now += gap;
            bwe_loss_add(&l, 1000, now, lost);
            if (rows[i].queue) {
                bwe_loss_queue(&l);
            }
            struct bwe_loss_in in = {.estimate_bps = est, .now_us = now};
            est = bwe_loss_verdict(&l, &in);
            least = MIN(least, est / 1e6);
            if (est < bwe_loss_cap_bps(&l, now)) { // growth as the rest of the estimator has it
                est = (uint32_t)MIN(est * (1 + .08 * (double)gap / 1e6), 2000000);
            }
        }
        cr_assert(est / 1e6 >= rows[i].least && est / 1e6 <= rows[i].most, "%s: %.2f (least %.2f)",
                  rows[i].what, est / 1e6, least);
    }
}

Test(bwe_parts, loss_forgets_what_turns_up_late)
{
    struct bwe_loss l;
    bwe_loss_init(&l);
    struct bwe_loss_in in = {.estimate_bps = 1000000};
    for (int i = 0; i < 2000; i++) {
        in.now_us = (i + 1) * 8 * MS;
        bwe_loss_add(&l, 1000, in.now_us, i % 2);
        if (i % 2) {
            bwe_loss_found(&l, in.now_us);
        }
        cr_assert_eq(bwe_loss_verdict(&l, &in), 1000000);
    }
    cr_assert_lt(l.recent, .01);
}

Test(bwe_parts, loss_tells_how_many_are_lost_in_a_row)
{
    static const struct {
        const char *what;
        int lost, of;
        bool queue;
        double least, most;
    } rows[] = {
        {"nothing lost", 0, 100, false, 0, 0},
        {"one by one", 1, 50, false, 1, 1},
        {"three", 3, 100, false, 2.5, 3},
        {"eight", 8, 200, false, 7, 8},
        {"what a queue explains", 8, 200, true, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bwe_loss l;
        bwe_loss_init(&l);
        for (int k = 0; k < 20 * rows[i].of; k++) {
            if (rows[i].queue) {
                bwe_loss_queue(&l);
            }
            bwe_loss_add(&l, 1000, (k + 1) * 8 * MS, k % rows[i].of < rows[i].lost);
        }
        double run = l.run_q4 / 16.0;
        cr_expect(run >= rows[i].least && run <= rows[i].most, "%s: %.2f", rows[i].what, run);
    }
}

static bool poll_at(struct bwe_prober *p, int64_t now_ms, uint32_t est, struct bwe_probe *ret)
{
    struct bwe_probe_in in = {.estimate_bps = est,
                              .cap_bps = UINT32_MAX,
                              .rtt_us = 50 * MS,
                              .clear = true,
                              .quiet_us = 10 * US_PER_S,
                              .now_us = now_ms * MS};
    return bwe_probe_poll(p, &in, ret);
}

/* Sends the cluster from at_ms on over a link of link_bps. Returns the result. */
static uint32_t probe_over(struct bwe_prober *p, const struct bwe_probe *probe, int64_t at_ms,
                           double link_bps, double loss)
{
    int64_t now = at_ms * MS;
    double free_us = 0;
    uint32_t sent = 0;
    int n = 0;
    uint64_t rng = 3;
    int64_t sent_us[64];
    int64_t got_us[64];
    bool lost[64];
    while (sent < probe->bytes || n < probe->packets) {
        bwe_probe_on_sent(p, probe->cluster, now);
        sent_us[n] = now;
        free_us = MAX(free_us, (double)now) + 1000 * 8e6 / link_bps;
        got_us[n] = (int64_t)free_us + 30 * MS;
        lost[n] = exact_random(&rng, 100) < loss * 100;
        sent += 1000;
        n++;
        now += (int64_t)1000 * 8 * US_PER_S / probe->rate_bps;
    }
    bwe_probe_sent_all(p, sent, now);
    struct bwe_probe_in in = {.estimate_bps = 1000000, .rtt_us = 60 * MS, .now_us = now};
    cr_assert_eq(bwe_probe_result(p, &in), 0, "nothing is known yet");
    for (int i = 0; i < n; i++) {
        if (!lost[i]) {
            bwe_probe_on_arrival(p, sent_us[i], got_us[i], 1000);
        }
        bwe_probe_on_told(p, probe->cluster);
    }
    in.now_us = now + 100 * MS;
    return bwe_probe_result(p, &in);
}

Test(bwe_parts, probe_rises_in_steps_to_what_is_wanted)
{
    struct bwe_prober p;
    struct bwe_probe c;
    bwe_probe_init(&p);
    cr_assert_not(poll_at(&p, 0, 1000000, &c), "nothing is wanted");
    bwe_probe_wish(&p, 2000000, 8000000, 0);
    cr_assert(poll_at(&p, 1, 1000000, &c));
    cr_assert_eq(c.rate_bps, 3000000, "3 x the start");
    cr_assert_eq(c.bytes, 9375, "25 ms of it");
    cr_assert_neq(c.cluster, 0);
    cr_assert_not(poll_at(&p, 2, 1000000, &c), "one at a time");
    uint32_t got = probe_over(&p, &c, 2, 10e6, 0);
    cr_assert_float_eq((double)got, 3000000, 60000, "%u", got);
    cr_assert(poll_at(&p, 150, got, &c));
    cr_assert_float_eq((double)c.rate_bps, 6000000, 100000, "then 6 x: %u", c.rate_bps);
    got = probe_over(&p, &c, 150, 4e6, 0);
    cr_assert_float_eq((double)got, 3800000, 100000, "95 %% of the link: %u", got);
    cr_assert_not(poll_at(&p, 400, got, &c), "the link was full: not at once");
    bwe_probe_wish(&p, 0, 3000000, 400 * MS);
    cr_assert_not(poll_at(&p, 3000, got, &c), "nothing better is wanted");
    bwe_probe_wish(&p, 3500000, 3500000, 3000 * MS);
    cr_assert(poll_at(&p, 3000, got, &c));
    cr_assert_eq(c.rate_bps, 4025000, "1.15 x the next: %u", c.rate_bps);
    cr_assert_float_eq((double)c.bytes, 30000, 3000, "a small step lasts 60 ms: %u", c.bytes);
    got = probe_over(&p, &c, 3000, 10e6, .2);
    cr_assert(got > 2500000 && got < 4600000, "loss lowers the result: %u", got);
}

Test(bwe_parts, probe_gives_up_when_it_should)
{
    struct bwe_prober p;
    struct bwe_probe c;
    bwe_probe_init(&p);
    bwe_probe_wish(&p, 2000000, 2000000, 0);
    cr_assert(poll_at(&p, 1, 1000000, &c));
    cr_assert_eq(c.rate_bps, 2600000, "1.3 x all that is wanted");
    bwe_probe_overuse(&p, 5 * MS);
    cr_assert(p.aborted);
    bwe_probe_sent_all(&p, 0, 6 * MS); // not a packet of it
    cr_assert_not(poll_at(&p, 1000, 1000000, &c));
    cr_assert(poll_at(&p, 2600, 1000000, &c));
    cr_assert_eq(c.rate_bps, 2000000, "no start any more: twice the estimate");
    cr_assert_not(poll_at(&p, 2700, 1000000, &c));
    cr_assert_not(poll_at(&p, 4000, 1000000, &c), "the caller forgot it: it counts as failed");
    cr_assert(poll_at(&p, 6600, 1000000, &c));
    /* a fall is probed up to .85 of what was before, but not beyond what is wanted */
    bwe_probe_sent_all(&p, 0, 6600 * MS);
    bwe_probe_wish(&p, 2500000, 2500000, 6600 * MS);
    bwe_probe_cut(&p, 3000000, 500000, 7000 * MS);
    cr_assert(poll_at(&p, 9200, 500000, &c));
    cr_assert_eq(c.rate_bps, 2550000);
    /* what is wanted grows much: at once */
    bwe_probe_sent_all(&p, 0, 9200 * MS);
    bwe_probe_wish(&p, 5000000, 5000000, 9300 * MS);
    cr_assert(poll_at(&p, 9300, 1000000, &c));
    cr_assert_eq(c.rate_bps, 2000000, "but on a known link the start is not repeated: %u",
                 c.rate_bps);
    /* all numbers of clusters come round, never 0 */
    for (int i = 0; i < 600; i++) {
        bwe_probe_sent_all(&p, 0, 0);
        cr_assert(poll_at(&p, 20000 + i * 4000, 1000000, &c));
        cr_assert_neq(c.cluster, 0);
    }
}
