/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/candidate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *ip;
} host[] = {
    {"lo", "127.0.0.1"},         {"lo", "::1"},
    {"eth0", "fe80::1"},         {"eth0", "2001:db8::5"},
    {"eth0", "fd00::5"},         {"eth0", "192.168.1.5"},
    {"eth1", "203.0.113.9"},     {"eth1", "203.0.113.9"}, /* twice */
    {"eth2", "169.254.3.4"},     {"docker0", "172.17.0.1"},
    {"br-0a1b2c", "172.18.0.1"}, {"veth12ab", "10.200.0.1"},
    {"virbr0", "192.168.122.1"}, {"cni0", "10.244.0.1"},
    {"wlan0", "10.0.0.7"},       {"odd", "0.0.0.0"},
    {"odd", "ff02::5"},
};

Test(candidate, chooses_and_orders_the_addresses_of_a_host)
{
    static const struct {
        unsigned flags;
        const char *expect;
    } rows[] = {
        {0, "203.0.113.9 192.168.1.5 10.0.0.7 2001:db8::5 fd00::5 "},
        {CANDIDATE_LOOPBACK, "203.0.113.9 192.168.1.5 10.0.0.7 2001:db8::5 fd00::5 127.0.0.1 ::1 "},
        {CANDIDATE_LINK_LOCAL,
         "203.0.113.9 192.168.1.5 169.254.3.4 10.0.0.7 2001:db8::5 fe80::1 fd00::5 "},
        {CANDIDATE_VIRTUAL, "203.0.113.9 192.168.1.5 172.17.0.1 172.18.0.1 10.200.0.1 "
                            "192.168.122.1 10.244.0.1 10.0.0.7 2001:db8::5 fd00::5 "},
    };
    struct candidate_if list[ARRAY_LEN(host)];
    struct addr out[CANDIDATE_ADDRS_MAX];
    char ip[ADDR_TEXT_MAX];

    memset(list, 0, sizeof(list));
    for (size_t i = 0; i < ARRAY_LEN(host); i++) {
        snprintf(list[i].name, sizeof(list[i].name), "%s", host[i].name);
        cr_assert_eq(addr_parse_ip(host[i].ip, 0, &list[i].addr), 0);
    }
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        char text[1024] = "";
        size_t n = candidate_select(list, ARRAY_LEN(list), rows[r].flags, out, ARRAY_LEN(out));
        for (size_t i = 0; i < n; i++) {
            strcat(text, addr_format(&out[i], false, ip));
            strcat(text, " ");
        }
        cr_expect_str_eq(text, rows[r].expect);
    }
    cr_assert_eq(candidate_select(list, ARRAY_LEN(list), 0, out, 2), 2);
    cr_assert_eq(candidate_select(list, 0, 0, out, 2), 0);
}

Test(candidate, gives_distinct_priorities_udp_above_tcp)
{
    uint32_t last = UINT32_MAX;

    cr_assert_eq(candidate_priority(TRANSPORT_UDP, 0), 2130706431, "as everybody computes it");
    for (unsigned t = 0; t < 2; t++) {
        for (unsigned rank = 0; rank < 100; rank++) {
            uint32_t p = candidate_priority(t == 0 ? TRANSPORT_UDP : TRANSPORT_TCP, rank);
            cr_assert_lt(p, last);
            cr_assert_leq(p, 0x7fffffff);
            cr_assert_eq(p & 0xff, 255, "component 1");
            last = p;
        }
    }
}

Test(candidate, writes_sdp)
{
    static const char *const expect[] = {
        "candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host",
        "candidate:2 1 udp 2130706175 2001:db8::1 8189 typ host",
        "candidate:3 1 tcp 1520435199 192.0.2.1 8189 typ host tcptype passive",
        "candidate:4 1 tcp 1520434943 2001:db8::1 8189 typ host tcptype passive",
    };
    struct addr addrs[2];
    struct candidate c[CANDIDATE_MAX];
    char text[CANDIDATE_TEXT_MAX];

    cr_assert_eq(addr_parse_ip("192.0.2.1", 0, &addrs[0]), 0);
    cr_assert_eq(addr_parse_ip("2001:db8::1", 0, &addrs[1]), 0);
    cr_assert_eq(candidate_build(addrs, 2, 8189, true, c), 4);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_str_eq(candidate_format(&c[i], text), expect[i]);
    }
    cr_assert_eq(candidate_build(addrs, 2, 8189, false, c), 2);
    /* No list overruns, and the longest line fits. */
    struct addr many[CANDIDATE_ADDRS_MAX + 5];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        cr_assert_eq(addr_parse_ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, &many[i]), 0);
    }
    cr_assert_eq(candidate_build(many, ARRAY_LEN(many), 65535, true, c), CANDIDATE_MAX);
    cr_assert_lt(strlen(candidate_format(&c[CANDIDATE_MAX - 1], text)), CANDIDATE_TEXT_MAX - 1);
}

Test(candidate, finds_loopback_on_this_machine_only_if_asked)
{
    struct addr out[64];
    int n = candidate_enumerate(CANDIDATE_LOOPBACK, out, ARRAY_LEN(out));
    bool found = false;

    cr_assert_geq(n, 1);
    for (int i = 0; i < n; i++) {
        found = found || addr_is_loopback(&out[i]);
        cr_assert_eq(out[i].port, 0);
    }
    cr_assert(found);
    n = candidate_enumerate(0, out, ARRAY_LEN(out));
    cr_assert_geq(n, 0);
    for (int i = 0; i < n; i++) {
        cr_assert_not(addr_is_loopback(&out[i]));
        cr_assert_not(addr_is_link_local(&out[i]));
    }
}
