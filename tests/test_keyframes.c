/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "sfu/keyframes.h"

#define MS US_PER_MS

static int asks_between(struct keyframes *k, int64_t from, int64_t to)
{
    int n = 0;
    for (int64_t t = from; t < to; t += MS) {
        n += keyframes_poll(k, t, 50 * MS);
    }
    return n;
}

Test(keyframes, many_wishes_are_one_request)
{
    struct keyframes k;
    keyframes_init(&k);
    cr_expect_not(keyframes_poll(&k, 0, 50 * MS), "nobody waits");
    for (int i = 0; i < 1000; i++) {
        keyframes_want(&k, 0);
    }
    cr_expect_eq(asks_between(&k, 0, 290 * MS), 1);
    keyframes_on_key(&k, 100 * MS);
    keyframes_want(&k, 110 * MS);
    cr_expect_eq(asks_between(&k, 110 * MS, 399 * MS), 0,
                 "siblings and late wishes wait for the floor");
    cr_expect_eq(asks_between(&k, 399 * MS, 402 * MS), 1);
}

Test(keyframes, a_lost_request_is_repeated_then_the_source_counts_as_deaf)
{
    struct keyframes k;
    keyframes_init(&k);
    keyframes_want(&k, 0);
    cr_expect_eq(asks_between(&k, 0, 10000 * MS), KEYFRAME_TRIES);
    cr_expect(k.deaf);
    cr_expect_leq(asks_between(&k, 10000 * MS, 60000 * MS), 5, "asked again now and then");
    keyframes_on_key(&k, 61000 * MS);
    keyframes_want(&k, 61001 * MS);
    cr_expect_leq(asks_between(&k, 61001 * MS, 64000 * MS), 1);
    keyframes_init(&k);
    keyframes_want(&k, 0);
    cr_expect_eq(asks_between(&k, 0, 100 * MS), 1);
    keyframes_on_key(&k, 150 * MS);
    cr_expect_not(k.deaf);
    cr_expect_eq(k.tries, 0);
}

Test(keyframes, a_source_that_is_known_to_be_deaf_is_not_asked)
{
    struct keyframes k;
    keyframes_init(&k);
    keyframes_give_up(&k);
    keyframes_want(&k, 0);
    cr_expect_eq(asks_between(&k, 0, 60000 * MS), 0);
    keyframes_on_key(&k, 60000 * MS);
    cr_expect(k.deaf, "its own interval is no answer");
    cr_expect_eq(k.seen, 1);
}
