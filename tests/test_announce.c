/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "signaling/announce.h"

Test(announce, orders_interfaces_for_clients_that_take_only_the_first)
{
    static const struct {
        const char *name;
        const char *ip;
    } in[] = {
        {"lo", "127.0.0.1"},       {"lo", "::1"},
        {"docker0", "172.17.0.1"}, {"veth12ab", "192.168.7.1"},
        {"br-1234", "172.18.0.1"}, {"eth0", "fe80::1"},
        {"eth0", "fd00::5"},       {"eth0", "2001:db8::5"},
        {"eth0", "10.1.2.3"},      {"eth1", "203.0.113.9"},
        {"eth2", "169.254.3.4"},
    };
    static const char *const want[] = {"203.0.113.9", "10.1.2.3", "2001:db8::5", "fd00::5"};
    struct announce_if list[ARRAY_LEN(in)] = {0};
    struct addr out[ANNOUNCE_MAX];
    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        snprintf(list[i].name, sizeof(list[i].name), "%s", in[i].name);
        cr_assert_eq(addr_parse_ip(in[i].ip, 0, &list[i].addr), 0);
    }
    int n = announce_order(list, ARRAY_LEN(in), out);
    cr_assert_eq(n, ARRAY_LEN(want));
    for (int i = 0; i < n; i++) {
        char text[ADDR_TEXT_MAX];
        cr_expect_str_eq(addr_format(&out[i], false, text), want[i]);
    }
}

Test(announce, keeps_the_configured_order_and_adds_the_port)
{
    struct conf *c = calloc(1, sizeof(*c));
    struct announce a;
    const char *bad = NULL;
    char text[ADDR_TEXT_MAX];
    conf_defaults(c);
    c->media.announce.n = 2;
    strcpy(c->media.announce.s[0], "2001:db8::1");
    strcpy(c->media.announce.s[1], "192.0.2.1");
    cr_assert_eq(announce_build(c, 8189, &a, &bad), 0);
    cr_assert_eq(a.n, 2);
    cr_expect_str_eq(addr_format(&a.addrs[0], true, text), "[2001:db8::1]:8189");
    cr_expect_str_eq(addr_format(&a.addrs[1], true, text), "192.0.2.1:8189");
    strcpy(c->media.announce.s[1], "example.org");
    cr_expect_eq(announce_build(c, 8189, &a, &bad), -EINVAL);
    cr_expect_str_eq(bad, "example.org");
    free(c);
}

Test(announce, adds_loopback_last_in_development_and_follows_the_bound_address)
{
    struct conf *c = calloc(1, sizeof(*c));
    struct announce a;
    const char *bad = NULL;
    char text[ADDR_TEXT_MAX];
    conf_defaults(c);
    strcpy(c->http.listen, "127.0.0.1:0");
    cr_assert_eq(announce_build(c, 1, &a, &bad), 0);
    cr_expect_str_eq(addr_format(&a.addrs[a.n - 1], true, text), "127.0.0.1:1");
    strcpy(c->media.listen, "192.0.2.44:8189");
    cr_assert_eq(announce_build(c, 2, &a, &bad), 0);
    cr_assert_eq(a.n, 1);
    cr_expect_str_eq(addr_format(&a.addrs[0], true, text), "192.0.2.44:2");
    free(c);
}

Test(announce, begins_with_what_the_client_reaches)
{
    static const struct {
        const char *local, *client, *want[4];
    } rows[] = {
        {"10.1.2.3", "10.1.2.9", {"10.1.2.3", "203.0.113.9", "2001:db8::5", "fd00::5"}},
        {"fd00::5", "fd00::9", {"fd00::5", "2001:db8::5", "203.0.113.9", "10.1.2.3"}},
        /* An address that is not announced, and none: the family of the client is what is known. */
        {"127.0.0.1", "127.0.0.1", {"203.0.113.9", "10.1.2.3", "2001:db8::5", "fd00::5"}},
        {NULL, "2001:db8::77", {"2001:db8::5", "fd00::5", "203.0.113.9", "10.1.2.3"}},
    };
    struct announce all = {.n = 4};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(addr_parse_ip(rows[2].want[i], 8189, &all.addrs[i]), 0);
    }
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        struct addr local, client;
        cr_assert_eq(addr_parse_ip(rows[r].client, 40000, &client), 0);
        cr_assert(!rows[r].local || addr_parse_ip(rows[r].local, 8080, &local) == 0);
        struct announce got = announce_for(&all, rows[r].local ? &local : NULL, &client);
        cr_assert_eq(got.n, 4);
        for (int i = 0; i < 4; i++) {
            char text[ADDR_TEXT_MAX];
            cr_expect_str_eq(addr_format(&got.addrs[i], false, text), rows[r].want[i], "row %zu",
                             r);
            cr_expect_eq(got.addrs[i].port, 8189);
        }
    }
}
