/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/alloc.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define KBPS 1000u

struct rng {
    uint64_t s;
};

static double next(struct rng *r)
{
    r->s = r->s * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(r->s >> 11) / 9007199254740992.0;
}

/* A camera's simulcast: 180p, 360p, 720p, each with three temporal cuts. */
static void ladder(struct alloc_stream *s, struct alloc_memory *m, double scale)
{
    static const uint32_t kbps[] = {150, 500, 1500};
    static const uint32_t pixels[] = {320 * 180, 640 * 360, 1280 * 720};
    static const double share[] = {1, 0.75, 0.55};
    static const uint16_t fps[] = {30, 15, 7};
    *s = (struct alloc_stream){.weight = 1, .memory = m};
    for (uint8_t e = 0; e < 3; e++) {
        for (uint8_t d = 0; d < 3; d++) {
            s->points[s->n++] = (struct alloc_point){
                .bps = (uint32_t)(kbps[e] * KBPS * share[d] * scale),
                .pixels = pixels[e],
                .fps_q4 = (uint16_t)(fps[d] * 16),
                .enc = e,
                .dt = d,
            };
        }
    }
    alloc_prune(s);
}

Test(alloc, prunes_what_costs_more_and_shows_no_more)
{
    static const struct {
        const char *what;
        struct alloc_point in[5];
        uint32_t shown;
        bool screen;
        const char *kept; /* encoding and target of each, cheapest first */
        bool cut;
    } rows[] = {
        {"K-SVC: the layer alone is cheaper than all",
         {{900000, 921600, 480, 0, 0}, {700000, 921600, 480, 0, 1}, {200000, 230400, 480, 0, 2}},
         0,
         false,
         "02 01",
         false},
        {"a tile does not need more than it shows",
         {{150000, 57600, 480, 0, 0}, {500000, 230400, 480, 1, 0}, {1500000, 921600, 480, 2, 0}},
         320 * 180,
         false,
         "00",
         true},
        {"a tile a little larger than a layer is content with it",
         {{150000, 57600, 480, 0, 0}, {500000, 230400, 480, 1, 0}, {1500000, 921600, 480, 2, 0}},
         700 * 390,
         false,
         "00 10",
         true},
        {"layers of one size differ in quality (Safari)",
         {{150000, 921600, 480, 0, 0}, {500000, 921600, 480, 1, 0}, {1500000, 921600, 480, 2, 0}},
         0,
         false,
         "00 10 20",
         false},
        {"sizes that nobody has told: the rate stands for them",
         {{1500000, 0, 480, 0, 0}, {150000, 0, 480, 1, 0}},
         0,
         false,
         "10 00",
         false},
        {"frame rate is worth little on a screen",
         {{300000, 921600, 80, 0, 1}, {900000, 921600, 480, 0, 0}, {310000, 230400, 480, 1, 0}},
         0,
         true,
         "01 00",
         false},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct alloc_stream s = {
            .weight = 1, .shown_pixels = rows[i].shown, .screen = rows[i].screen};
        while (s.n < 5 && rows[i].in[s.n].bps) {
            s.points[s.n] = rows[i].in[s.n];
            s.n++;
        }
        alloc_prune(&s);
        char kept[32] = "";
        for (unsigned k = 0; k < s.n; k++) {
            snprintf(kept + strlen(kept), sizeof(kept) - strlen(kept), "%s%u%u", k ? " " : "",
                     s.points[k].enc, s.points[k].dt);
        }
        cr_expect_str_eq(kept, rows[i].kept, "%s: %s", rows[i].what, kept);
        cr_expect_eq(s.cut, rows[i].cut, "%s", rows[i].what);
    }
}

/* The most that n streams can be worth for bps, by trying everything there is (in steps of 2 kbps).
 */
static double brute_force(const struct alloc_stream *s, unsigned n, uint32_t bps)
{
    enum { STEP = 2000, CELLS = 8192 };
    static double best[CELLS], now[CELLS];
    unsigned cells = bps / STEP;
    cr_assert_lt(cells, CELLS);
    memset(best, 0, sizeof(best));
    for (unsigned i = 0; i < n; i++) {
        for (unsigned c = 0; c <= cells; c++) {
            now[c] = best[c];
            for (unsigned k = 0; k < s[i].n; k++) {
                unsigned need = (s[i].points[k].bps + STEP - 1) / STEP;
                if (need <= c && best[c - need] + s[i].points[k].worth > now[c]) {
                    now[c] = best[c - need] + s[i].points[k].worth;
                }
            }
        }
        memcpy(best, now, sizeof(best));
    }
    return best[cells];
}

static double worth(const struct alloc_stream *s, unsigned n, uint32_t *ret_bps)
{
    double sum = 0;
    *ret_bps = 0;
    for (unsigned i = 0; i < n; i++) {
        if (s[i].choice >= 0) {
            sum += s[i].points[s[i].choice].worth;
            *ret_bps += s[i].points[s[i].choice].bps;
        }
    }
    return sum;
}

Test(alloc, shares_as_well_as_trying_everything)
{
    static struct alloc_stream s[9];
    struct rng r = {1};
    double least = 1, sum = 0;
    int cases = 0;
    for (int round = 0; round < 400; round++) {
        unsigned n = 1 + (unsigned)(next(&r) * 9);
        struct alloc_memory m[9] = {0};
        uint32_t bps = (uint32_t)(n * (100 + next(&r) * 1200)) * KBPS;
        for (unsigned i = 0; i < n; i++) {
            ladder(&s[i], &m[i], 0.5 + next(&r));
            s[i].weight = next(&r) < 0.2 ? 2 : 1;
            alloc_prune(&s[i]);
        }
        double best = brute_force(s, n, bps);
        uint32_t cost = alloc_share(s, n, bps, NULL), check;
        double got = worth(s, n, &check);
        cr_assert_eq(cost, check);
        cr_assert_leq(cost, bps);
        if (best > 0) {
            least = MIN(least, got / best);
            sum += got / best;
            cases++;
        }
    }
    cr_expect_geq(sum / cases, 0.995, "%.4f on average", sum / cases);
    cr_expect_geq(least, 0.96, "%.4f at worst", least);
}

/* Runs one viewer of n ladders for seconds; bps(t) is its budget. */
struct run {
    struct alloc a;
    struct alloc_memory m[9];
    struct alloc_stream s[9];
    unsigned n;
    bool pinned; /* the first */
    int64_t now_us;
    struct alloc_needs needs;
};

static void step(struct run *u, uint32_t bps, uint32_t proved, double scale)
{
    for (unsigned i = 0; i < u->n; i++) {
        ladder(&u->s[i], &u->m[i], scale);
        u->s[i].weight = i == 0 && u->pinned ? 4 : 1;
        alloc_prune(&u->s[i]);
    }
    struct alloc_budget b = {.bps = bps, .proved_bps = proved};
    alloc_decide(&u->a, u->s, u->n, &b, u->now_us, &u->needs);
    u->now_us += 100 * US_PER_MS;
}

Test(alloc, nine_noisy_tracks_stay_near_the_best_and_calm)
{
    static struct run u;
    struct rng r = {7};
    double share = 0;
    int looks = 0;
    u = (struct run){.n = 9, .now_us = US_PER_S};
    for (int t = 0; t < 3000; t++) {
        uint32_t bps = (uint32_t)(3000 * (0.9 + 0.2 * next(&r))) * KBPS;
        step(&u, bps, 0, 0.97 + 0.06 * next(&r));
        uint32_t cost;
        double got = worth(u.s, u.n, &cost);
        if (t > 50) {
            /* What the mean budget is good for: nobody can follow noise. */
            share += got / brute_force(u.s, u.n, 3000 * KBPS);
            looks++;
        }
    }
    uint32_t switches = 0;
    for (unsigned i = 0; i < u.n; i++) {
        switches += u.m[i].switches;
    }
    cr_expect_geq(share / looks, 0.98, "%.4f of the best", share / looks);
    cr_expect_leq(switches, 2 * 9 * 5, "%u switches in 5 minutes", switches);
}

Test(alloc, goes_down_at_once_and_up_with_proof_or_patience)
{
    static const struct {
        const char *what;
        uint32_t kbps[4]; /* for 2 s each */
        uint32_t proved[4];
        int enc[4]; /* at the end of each */
        int ms[4];  /* by when it was there, at most */
    } rows[] = {
        {"down at once", {2000, 600, 600, 600}, {0}, {2, 1, 1, 1}, {0, 100, 0, 0}},
        {"up after a second", {600, 2000, 2000, 2000}, {0}, {1, 2, 2, 2}, {0, 1100, 0, 0}},
        {"up at once with proof",
         {600, 2000, 2000, 2000},
         {600, 2000, 2000, 2000},
         {1, 2, 2, 2},
         {0, 100, 0, 0}},
        {"the last stream stays, whatever happens",
         {600, 20, 20, 300},
         {0},
         {1, 0, 0, 0},
         {0, 100, 0, 0}},
        {"not up without room to spare",
         {600, 1550, 1550, 1700},
         {0},
         {1, 2, 2, 2},
         {0, 2000, 0, 2000}},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        static struct run u;
        u = (struct run){.n = 1, .now_us = US_PER_S};
        for (int p = 0; p < 4; p++) {
            int there_ms = 0;
            for (int t = 0; t < 20; t++) {
                step(&u, rows[i].kbps[p] * KBPS, rows[i].proved[p] * KBPS, 1);
                cr_assert_geq(u.s[0].choice, 0, "%s: off", rows[i].what);
                if (u.s[0].points[u.s[0].choice].enc != rows[i].enc[p]) {
                    there_ms = (t + 1) * 100;
                }
            }
            cr_expect_eq(u.s[0].points[u.s[0].choice].enc, rows[i].enc[p], "%s: phase %d: %u",
                         rows[i].what, p, u.s[0].points[u.s[0].choice].enc);
            if (rows[i].ms[p]) {
                cr_expect_leq(there_ms, rows[i].ms[p], "%s: phase %d after %d ms", rows[i].what, p,
                              there_ms);
            }
        }
    }
}

Test(alloc, what_falls_back_is_tried_later_and_later)
{
    static struct run u;
    u = (struct run){.n = 1, .now_us = US_PER_S};
    int ups = 0;
    int64_t gaps_us[8] = {0}, down_us = 0;
    uint8_t before = 1;
    /* The network takes the top layer back one second after each step up. */
    int64_t up_us = 0;
    for (int t = 0; t < 2500 && ups < 7; t++) {
        bool breaks = up_us && u.now_us - up_us > US_PER_S;
        step(&u, (breaks ? 700u : 2200u) * KBPS, 2200 * KBPS, 1);
        uint8_t enc = u.s[0].points[u.s[0].choice].enc;
        if (t > 0 && enc > before) {
            up_us = u.now_us;
            gaps_us[ups++] = down_us ? u.now_us - down_us : 0;
        } else if (enc < before) {
            down_us = u.now_us;
            up_us = 0;
        }
        if (t == 0) {
            up_us = u.now_us; /* the start counts as a step up for this test's network only */
        }
        before = enc;
    }
    cr_expect_geq(ups, 5, "%d steps up in 250 s", ups);
    for (int i = 2; i + 1 < ups; i++) {
        cr_expect_geq(gaps_us[i + 1], MIN(gaps_us[i] * 3 / 2, 59 * US_PER_S),
                      "gap %d: %ld then %ld ms", i, (long)(gaps_us[i] / 1000),
                      (long)(gaps_us[i + 1] / 1000));
    }
    cr_expect_leq(gaps_us[ups - 1], 62 * US_PER_S);
}

/* An estimate climbs and is cut, again and again: what one stream has given up another must not
 * take at the next climb. Frame rates may follow. */
Test(alloc, several_streams_do_not_take_turns)
{
    enum { PERIOD = 100, STEPS = 3000 };
    static struct run u;
    u = (struct run){.n = 9, .now_us = US_PER_S};
    unsigned sizes = 0, rates = 0;
    uint8_t enc[9] = {0}, dt[9] = {0};
    for (int t = 0; t < STEPS; t++) {
        step(&u, (uint32_t)(1600 + 16 * (t % PERIOD)) * KBPS, 0, 1);
        for (unsigned i = 0; i < u.n; i++) {
            sizes += t > PERIOD && u.m[i].enc != enc[i];
            rates += t > PERIOD && u.m[i].enc == enc[i] && u.m[i].dt != dt[i];
            enc[i] = u.m[i].enc;
            dt[i] = u.m[i].dt;
        }
    }
    cr_expect_leq(sizes, 9 * 5 * 2, "%u changes of size in five minutes", sizes);
    cr_expect_geq(rates, 20, "%u changes of frame rate: the room is left unused", rates);
    /* Who is wanted more now does not wait until what failed may be tried again. */
    u.a.size = (struct alloc_retry){.retry_us = u.now_us + 60 * US_PER_S, .up_bps = 3000 * KBPS};
    u.pinned = true;
    for (int t = 0; t < 15; t++) {
        step(&u, 2700 * KBPS, 0, 1);
    }
    cr_expect_eq(u.m[0].enc, 2, "the pinned one is at encoding %u", u.m[0].enc);
}

/* The frame rate comes and goes while a larger picture that failed twice waits for its turn. */
Test(alloc, frame_rates_do_not_shorten_the_wait_for_a_larger_picture)
{
    static struct run u;
    u = (struct run){.n = 1, .now_us = US_PER_S};
    for (int round = 0; round < 3; round++) {
        for (int t = 0; t < 120; t++) {
            bool breaks = u.m[0].enc == 2 && u.now_us - u.m[0].moved_us > US_PER_S;
            step(&u, (t == 0 || breaks ? 700u : 2200u) * KBPS, 2200 * KBPS, 1);
        }
    }
    while (u.m[0].enc == 2) {
        step(&u, 560 * KBPS, 0, 1);
    }
    int64_t retry_us = u.m[0].size.retry_us;
    cr_assert_gt(retry_us, u.now_us + 8 * US_PER_S);
    uint32_t before = u.m[0].switches;
    for (int t = 0; t < 80; t++) {
        step(&u, (t / 20 % 2 ? 460u : 620u) * KBPS, 0, 1);
    }
    cr_expect_gt(u.m[0].switches, before, "the frame rate never changed");
    cr_expect_eq(u.m[0].size.retry_us, retry_us);
}

Test(alloc, what_fell_back_is_tried_at_once_when_there_is_much_more)
{
    static const struct {
        uint32_t kbps; /* at last, after the top layer fell back twice */
        int within_ms;
        bool want;
    } rows[] = {{1700, 1500, false}, {2600, 1500, true}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        static struct run u;
        u = (struct run){.n = 1, .now_us = US_PER_S};
        for (int round = 0; round < 2; round++) {
            for (int t = 0; t < 60; t++) {
                bool breaks = t > 30 && u.s[0].memory->size.up_us;
                step(&u, (t == 0 || breaks ? 700u : 1700u) * KBPS, 0, 1);
            }
        }
        cr_assert_neq(u.s[0].points[u.s[0].choice].enc, 2);
        bool there = false;
        for (int ms = 0; ms < rows[i].within_ms; ms += 100) {
            step(&u, rows[i].kbps * KBPS, rows[i].kbps * KBPS, 1);
            there |= u.s[0].points[u.s[0].choice].enc == 2;
        }
        cr_expect_eq(there, rows[i].want, "%u kbps", rows[i].kbps);
    }
}

/* A large picture that moves slowly is nothing to prefer to a smaller one that moves fast, whatever
 * the measured rates say at the moment. */
Test(alloc, slow_pictures_are_not_sought)
{
    for (int noise = -8; noise <= 8; noise += 2) {
        struct alloc_memory m = {0};
        struct alloc_stream s = {.weight = 1, .memory = &m, .n = 2};
        s.points[0] = (struct alloc_point){
            .bps = 550 * KBPS, .pixels = 640 * 360, .fps_q4 = 30 * 16, .enc = 1};
        s.points[1] = (struct alloc_point){.bps = (uint32_t)((600 + 10 * noise) * KBPS),
                                           .pixels = 1280 * 720,
                                           .fps_q4 = (uint16_t)(120 + noise),
                                           .enc = 2};
        alloc_prune(&s);
        (void)alloc_share(&s, 1, 700 * KBPS, NULL);
        cr_expect_eq(s.points[s.choice].enc, 1, "noise %d", noise);
    }
}

/* Thumbnails of five pictures a second: they are worth next to nothing, and shown all the same, at
 * their full rate; also those that come when others are there. */
Test(alloc, thumbnails_are_shown)
{
    enum { ALL = 5, TARGETS = 3 };
    struct alloc a = {0};
    struct alloc_memory m[ALL] = {0};
    int64_t now_us = US_PER_S;
    for (unsigned n = 1; n <= ALL; n++) {
        for (int t = 0; t < 30; t++, now_us += 100 * US_PER_MS) {
            struct alloc_stream s[ALL];
            struct alloc_needs needs;
            for (unsigned i = 0; i < ALL; i++) {
                s[i] = (struct alloc_stream){.weight = 1, .memory = &m[i]};
                for (uint8_t d = 0; d < TARGETS && i < n; d++) {
                    s[i].points[s[i].n++] = (struct alloc_point){.bps = (13 * KBPS) >> d,
                                                                 .pixels = 160 * 90,
                                                                 .fps_q4 = (uint16_t)(80 >> d),
                                                                 .dt = d};
                }
                alloc_prune(&s[i]);
            }
            struct alloc_budget b = {.bps = 900 * KBPS, .proved_bps = (unsigned)t % 7 * KBPS};
            alloc_decide(&a, s, ALL, &b, now_us, &needs);
            for (unsigned i = 0; i < n; i++) {
                cr_expect_geq(s[i].choice, 0, "%u streams: %u is off", n, i);
                cr_expect(t < 20 || (m[i].has && m[i].dt == 0), "%u streams: %u is slow", n, i);
            }
        }
    }
}

Test(alloc, says_why)
{
    static const struct {
        const char *reason;
        uint32_t kbps, shown;
        bool wished, dead, unlimited;
    } rows[] = {
        {"best", 5000, 0, false, false, false},         {"bandwidth", 600, 0, false, false, false},
        {"size", 5000, 640 * 360, false, false, false}, {"wish", 5000, 0, true, false, false},
        {"dead", 5000, 0, false, true, false},          {"best", 0, 0, false, false, true},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct alloc a = {0};
        struct alloc_memory m = {0};
        struct alloc_stream s;
        struct alloc_needs needs;
        ladder(&s, &m, 1);
        s.shown_pixels = rows[i].shown;
        s.wished = rows[i].wished;
        s.dead = rows[i].dead;
        alloc_prune(&s);
        struct alloc_budget b = {.bps = rows[i].kbps * KBPS, .unlimited = rows[i].unlimited};
        alloc_decide(&a, &s, 1, &b, US_PER_S, &needs);
        cr_expect_str_eq(alloc_reason_name(s.reason), rows[i].reason, "row %u: %s", i,
                         alloc_reason_name(s.reason));
        cr_expect_eq(needs.next_bps > 0, s.choice < (int)s.n - 1);
    }
    for (unsigned r = 0; r < ALLOC_REASONS; r++) {
        cr_expect(alloc_reason_name(r)[0], "reason %u has no name", r);
    }
}

Test(alloc, a_cut_without_a_queue_is_borne_for_a_while)
{
    static const struct {
        bool calm, overuse;
        uint32_t kbps;         /* after a budget of 1,800 for a top layer of 1,500 */
        int least_ms, most_ms; /* until it goes down */
    } rows[] = {
        {true, true, 1400, 2900, 3200}, {true, false, 1400, 2900, 3200},
        {false, true, 1400, 0, 100},    {false, false, 1400, 400, 700},
        {true, true, 1000, 0, 100},     {true, true, 1480, 60000, 60000},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        static struct run u;
        u = (struct run){.n = 1, .now_us = US_PER_S};
        for (int t = 0; t < 30; t++) {
            step(&u, 1800 * KBPS, 1800 * KBPS, 1);
        }
        cr_assert_eq(u.s[0].points[u.s[0].choice].bps, 1500 * KBPS);
        int ms = 0;
        for (; ms < 60000 && u.m[0].enc == 2 && u.m[0].dt == 0; ms += 100) {
            ladder(&u.s[0], &u.m[0], 1);
            struct alloc_budget b = {
                .bps = rows[i].kbps * KBPS, .calm = rows[i].calm, .overuse = rows[i].overuse};
            alloc_decide(&u.a, u.s, 1, &b, u.now_us, &u.needs);
            u.now_us += 100 * US_PER_MS;
        }
        cr_expect(ms >= rows[i].least_ms && ms <= rows[i].most_ms, "row %u: down after %d ms", i,
                  ms);
    }
}
