/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "signaling/proxy.h"
#include "tests/net_kit.h"

static struct conf_strings list_of(const char *a, const char *b)
{
    struct conf_strings l = {.n = b != NULL ? 2 : 1};
    snprintf(l.s[0], sizeof(l.s[0]), "%s", a);
    snprintf(l.s[1], sizeof(l.s[1]), "%s", b != NULL ? b : "");
    return l;
}

Test(proxy, takes_the_rightmost_untrusted_hop)
{
    struct conf_strings l = list_of("10.0.0.0/8", "2001:db8::/32");
    struct proxy_set set;
    const char *bad;
    cr_assert_eq(proxy_parse(&l, &set, &bad), 0);
    static const struct {
        const char *peer;
        const char *xff;
        const char *client;
    } rows[] = {
        {"192.0.2.9", "198.51.100.1", "192.0.2.9"}, /* SEC-11: not from a proxy of ours */
        {"10.0.0.1", NULL, "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1", "198.51.100.1"},
        {"10.0.0.1", "1.2.3.4, 198.51.100.1",
         "198.51.100.1"}, /* the left one is the client's lie */
        {"10.0.0.1", "198.51.100.1, 10.9.9.9", "198.51.100.1"},
        {"10.0.0.1", "198.51.100.1:5555", "198.51.100.1"},
        {"10.0.0.1", "[2001:db9::5]:80", "2001:db9::5"},
        {"10.0.0.1", "2001:db9::5", "2001:db9::5"},
        {"2001:db8::1", "198.51.100.1", "198.51.100.1"},
        {"10.0.0.1", "garbage", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1, garbage", "10.0.0.1"},
        {"10.0.0.1", "garbage, 10.1.1.1", "10.1.1.1"},
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", ",,", "10.0.0.1"},
        {"10.0.0.1", "[2001:db9::5", "10.0.0.1"},
        {"10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr peer = net_addr(rows[i].peer, 0);
        struct addr want = net_addr(rows[i].client, 0);
        struct addr got = proxy_client(&set, &peer, rows[i].xff);
        cr_expect(addr_equal(&want, &got), "row %zu", i);
    }
}

Test(proxy, refuses_what_is_no_network)
{
    static const char *const bad_ones[] = {
        "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "2001:db8::/129", "10.0.0.0/8x", "", "/8"};
    for (size_t i = 0; i < ARRAY_LEN(bad_ones); i++) {
        struct conf_strings l = list_of("10.0.0.1", bad_ones[i]);
        struct proxy_set set;
        const char *bad = NULL;
        cr_expect_lt(proxy_parse(&l, &set, &bad), 0, "%s", bad_ones[i]);
        cr_expect_eq(bad, l.s[1]);
    }
    struct conf_strings one = list_of("10.0.0.1", NULL);
    struct proxy_set set;
    const char *bad;
    struct addr in = net_addr("10.0.0.1", 0);
    struct addr out = net_addr("10.0.0.2", 0);
    cr_assert_eq(proxy_parse(&one, &set, &bad), 0);
    cr_expect(proxy_is_trusted(&set, &in));
    cr_expect_not(proxy_is_trusted(&set, &out));
}
