/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "signaling/tally.h"
#include "tests/net_kit.h"

/* What is one network and what is not: test_http_conn.c. */
Test(tally, keeps_many_apart_and_forgets_them)
{
    static struct tally_count *entered[5000];
    struct tally t;
    tally_init(&t, 11);
    struct addr a = net_addr("10.0.0.1", 1);
    for (unsigned i = 0; i < ARRAY_LEN(entered); i++) {
        a.ip[13] = (uint8_t)(i / 2 >> 8);
        a.ip[14] = (uint8_t)(i / 2);
        cr_assert_eq(tally_of(&t, &a), i % 2);
        entered[i] = tally_enter(&t, &a);
        cr_assert_eq(tally_of(&t, &a), i % 2 + 1);
    }
    tally_leave(entered[0]);
    a.ip[13] = a.ip[14] = 0;
    cr_expect_eq(tally_of(&t, &a), 1);
    for (unsigned i = 1; i < ARRAY_LEN(entered); i++) {
        tally_leave(entered[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(t.buckets); i++) {
        cr_expect(list_empty(&t.buckets[i]));
    }
}
