/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "sfu/keyframes.h"

#define MS US_PER_MS

/* Requests to a source that sends something else meanwhile, every 33 ms; or nothing. */
static int asks(struct keyframes *k, int64_t from, int64_t to, bool flows)
{
    int n = 0;
    for (int64_t t = from; t < to; t += MS) {
        if (flows && t / MS % 33 == 0) {
            keyframes_on_packet(k, 1000, false);
        }
        n += keyframes_poll(k, t, 50 * MS);
    }
    return n;
}

static int asks_between(struct keyframes *k, int64_t from, int64_t to)
{
    return asks(k, from, to, true);
}

Test(keyframes, many_wishes_are_one_request)
{
    struct keyframes k;
    keyframes_init(&k);
    cr_expect_not(keyframes_poll(&k, 0, 50 * MS), "nobody waits");
    for (int i = 0; i < 1000; i++) {
        keyframes_want(&k, true, 0);
    }
    cr_expect_eq(asks_between(&k, 0, 290 * MS), 1);
    keyframes_on_key(&k, 100 * MS);
    keyframes_want(&k, true, 110 * MS);
    cr_expect_eq(asks_between(&k, 110 * MS, 399 * MS), 0,
                 "siblings and late wishes wait for the floor");
    cr_expect_eq(asks_between(&k, 399 * MS, 402 * MS), 1);
}

Test(keyframes, a_lost_request_is_repeated_then_the_source_counts_as_deaf)
{
    struct keyframes k;
    keyframes_init(&k);
    keyframes_want(&k, true, 0);
    cr_expect_eq(asks_between(&k, 0, 10000 * MS), KEYFRAME_TRIES);
    cr_expect(k.deaf);
    cr_expect_leq(asks_between(&k, 10000 * MS, 60000 * MS), 5, "asked again now and then");
    keyframes_on_key(&k, 61000 * MS);
    keyframes_want(&k, true, 61001 * MS);
    cr_expect_leq(asks_between(&k, 61001 * MS, 64000 * MS), 1);
    keyframes_init(&k);
    keyframes_want(&k, true, 0);
    cr_expect_eq(asks_between(&k, 0, 100 * MS), 1);
    keyframes_on_key(&k, 150 * MS);
    cr_expect_not(k.deaf);
    cr_expect_eq(k.tries, 0);
}

Test(keyframes, a_layer_that_has_ended_is_not_taken_for_deaf)
{
    struct keyframes k;
    keyframes_init(&k);
    keyframes_on_key(&k, 0);
    keyframes_want(&k, true, US_PER_S);
    cr_expect_geq(asks(&k, US_PER_S, 60 * US_PER_S, false), KEYFRAME_TRIES);
    cr_expect_not(k.deaf);
    keyframes_on_key(&k, 61 * US_PER_S);
    keyframes_want(&k, true, 63 * US_PER_S);
    cr_expect_eq(asks(&k, 63 * US_PER_S, 63 * US_PER_S + 10 * MS, true), 1, "asked at once");
}

/* Nobody watches, so nobody asks: it is found out all the same, at the price of no joiner. */
Test(keyframes, a_source_that_nobody_asks_is_asked_all_the_same)
{
    for (int listens = 0; listens < 2; listens++) {
        struct keyframes k;
        keyframes_init(&k);
        cr_expect_eq(asks_between(&k, 0, 5000 * MS), 0, "it has never had a key frame");
        keyframes_on_packet(&k, 20000, true);
        keyframes_on_key(&k, 5000 * MS);
        keyframes_on_packet(&k, 1000, false);
        int64_t credit = k.credit;
        cr_expect_eq(asks_between(&k, 5001 * MS, 5000 * MS + KEYFRAME_TEST_US), 0);
        cr_expect_eq(asks_between(&k, 5000 * MS + KEYFRAME_TEST_US, 6100 * MS), 1);
        cr_expect_geq(k.credit, credit);
        if (listens) { /* once may be chance */
            keyframes_on_key(&k, 6100 * MS);
            cr_expect(keyframes_untested(&k));
            cr_expect_eq(asks_between(&k, 6101 * MS, 11101 * MS), 1);
            keyframes_on_key(&k, 11200 * MS);
        }
        int more = asks_between(&k, 11201 * MS, 30000 * MS);
        cr_expect_eq(more, listens ? 0 : KEYFRAME_TRIES, "%d more", more);
        cr_expect_eq(k.deaf, !listens);
        cr_expect_not(keyframes_untested(&k));
        cr_expect_eq(keyframes_in_vain(&k), !listens);
    }
    struct keyframes trusted;
    keyframes_init(&trusted);
    keyframes_trust(&trusted);
    keyframes_on_key(&trusted, 0);
    cr_expect_not(keyframes_untested(&trusted));
    cr_expect_eq(asks_between(&trusted, 0, 10000 * MS), 0, "a key frame for nobody");
}

/* A source with an interval of its own is asked once before anybody depends on it. */
Test(keyframes, a_source_with_an_interval_shows_whether_it_listens)
{
    static const struct {
        int64_t interval_ms;
        bool listens;
    } rows[] = {{2000, false}, {4000, false}, {2000, true}, {4000, true}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct keyframes k;
        int asks = 0;
        keyframes_init(&k);
        for (int64_t ms = 0, next = 0; ms < 30000; ms += 50) {
            if (ms == next) {
                keyframes_on_key(&k, ms * MS);
                next = ms + rows[i].interval_ms;
            }
            int n = asks_between(&k, ms * MS, (ms + 50) * MS - 1);
            asks += n;
            next = n && rows[i].listens ? ms + 100 : next;
        }
        cr_expect_eq(k.deaf, !rows[i].listens, "%d ms", (int)rows[i].interval_ms);
        cr_expect(asks > 0 && asks <= (rows[i].listens ? 2 : 2 * KEYFRAME_TRIES_LEAST), "%d times",
                  asks);
    }
}

Test(keyframes, a_source_that_is_known_to_be_deaf_is_not_asked)
{
    struct keyframes k;
    keyframes_init(&k);
    keyframes_give_up(&k);
    keyframes_want(&k, true, 0);
    cr_expect_eq(asks_between(&k, 0, 60000 * MS), 0);
    keyframes_on_key(&k, 60000 * MS);
    cr_expect(k.deaf, "its own interval is no answer");
    cr_expect_eq(k.seen, 1);
}

/* A second of a source of 30 frames a second, whose key frames are 20 times the others. */
static void feed(struct keyframes *k, int64_t *now, int64_t us)
{
    for (int64_t end = *now + us; *now < end; *now += 33 * MS) {
        keyframes_on_packet(k, 5000, false);
    }
}

static void key(struct keyframes *k, int64_t now)
{
    keyframes_on_key(k, now);
    keyframes_on_packet(k, 100000, true);
}

Test(keyframes, joiners_may_not_cost_more_than_a_tenth)
{
    static const struct {
        bool urgent;
        int frame;       /* bytes between key frames */
        int least, most; /* key frames in a minute of wishes without end */
    } rows[] = {{false, 5000, 14, 18}, {true, 5000, 14, 19}, {false, 50, 14, 18}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct keyframes k;
        int n = 0;
        keyframes_init(&k);
        int64_t now = US_PER_S;
        key(&k, now);
        feed(&k, &now, 10 * US_PER_S);
        cr_expect_not(k.dear, "row %u: nobody has asked", i);
        for (int64_t end = now + 60 * US_PER_S; now < end; now += 10 * MS) {
            keyframes_want(&k, rows[i].urgent, now);
            if (keyframes_poll(&k, now, 50 * MS)) {
                key(&k, now);
                n++;
            }
            if (now / (10 * MS) % 3 == 0) {
                keyframes_on_packet(&k, (uint32_t)rows[i].frame, false);
            }
        }
        cr_expect(k.dear, "row %u: joiners have had what there was", i);
        cr_expect_geq(n, rows[i].least, "row %u: %d", i, n);
        cr_expect_leq(n, rows[i].most, "row %u: %d", i, n);
    }
}

Test(keyframes, siblings_and_crowds_are_waited_for)
{
    struct keyframes k;
    keyframes_init(&k);
    keyframes_want(&k, false, 0);
    keyframes_on_sibling(&k, 0);
    cr_expect_eq(asks_between(&k, 0, 299 * MS), 0, "a sibling's key frame may bring ours");
    cr_expect_eq(asks_between(&k, 300 * MS, 302 * MS), 1);
    keyframes_on_key(&k, 350 * MS);
    keyframes_want(&k, false, 655 * MS);
    cr_expect_eq(asks_between(&k, 655 * MS, 699 * MS), 0, "wishes of 100 ms are one");
    cr_expect_eq(asks_between(&k, 700 * MS, 702 * MS), 1);
    keyframes_init(&k);
    keyframes_want(&k, true, 0);
    keyframes_on_sibling(&k, 0);
    cr_expect_eq(asks_between(&k, 0, 2 * MS), 1, "who has no picture does not wait");
}
