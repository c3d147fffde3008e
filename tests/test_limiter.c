/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "signaling/limiter.h"
#include "tests/net_kit.h"

Test(limiter, lets_a_burst_pass_then_the_rate)
{
    struct limiter *l = limiter_new(1);
    struct addr a = net_addr("192.0.2.1", 4242);
    int64_t now = 5 * US_PER_S;
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(limiter_take(l, &a, 2, 10, now), 0, "%d of the burst", i);
    }
    cr_expect_eq(limiter_take(l, &a, 2, 10, now), 1, "half a second is told as one");
    cr_expect_eq(limiter_take(l, &a, 2, 10, now + 499999), 1);
    cr_expect_eq(limiter_take(l, &a, 2, 10, now + 500000), 0);
    cr_expect_eq(limiter_take(l, &a, 2, 10, now + 500001), 1);
    /* A day fills the bucket, not more. */
    now += 86400LL * US_PER_S;
    int passed = 0;
    while (limiter_take(l, &a, 2, 10, now) == 0) {
        passed++;
    }
    cr_expect_eq(passed, 10);
    limiter_free(l);
}

Test(limiter, counts_ipv4_addresses_and_ipv6_networks_apart)
{
    struct limiter *l = limiter_new(2);
    static const struct {
        const char *who;
        bool passes;
    } rows[] = {
        {"192.0.2.1", true},       {"192.0.2.1", false},       {"192.0.2.2", true},
        {"2001:db8:1:1::1", true}, {"2001:db8:1:1::2", false}, {"2001:db8:1:2::1", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr a = net_addr(rows[i].who, 4242);
        cr_expect_eq(limiter_take(l, &a, 1, 1, US_PER_S) == 0, rows[i].passes, "row %zu", i);
    }
    limiter_free(l);
}

Test(limiter, holds_a_flood_of_addresses_in_fixed_memory_and_keeps_the_busy_one)
{
    struct limiter *l = limiter_new(3);
    struct addr busy = net_addr("198.51.100.7", 4242);
    int64_t now = US_PER_S;
    int passed = limiter_take(l, &busy, 1, 1, now) == 0 ? 1 : 0;
    for (int i = 0; i < 20000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "10.%d.%d.%d", i >> 16, (i >> 8) & 255, i & 255);
        struct addr a = net_addr(text, 4242);
        (void)limiter_take(l, &a, 1, 1, ++now);
        if (i % 8 == 0) {
            passed += limiter_take(l, &busy, 1, 1, now) == 0 ? 1 : 0;
        }
    }
    cr_expect_eq(passed, 1, "passed %d times within 20 ms", passed);
    limiter_free(l);
}
