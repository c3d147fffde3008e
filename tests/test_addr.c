/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/addr.h"
#include "tests/net_kit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

Test(addr, parses_and_formats_both_families)
{
    static const struct {
        const char *in;
        const char *bare;
        const char *with_port;
        bool v4;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.1:8189", true},
        {"0.0.0.0", "0.0.0.0", "0.0.0.0:8189", true},
        {"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1:8189", true},
        {"::", "::", "[::]:8189", false},
        {"2001:DB8::1", "2001:db8::1", "[2001:db8::1]:8189", false},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "[2001:db8:1:2:3:4:5:6]:8189", false},
        /* The longest there is. */
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:8189", false},
    };
    static const char *const bad[] = {"",          "192.0.2",      "192.0.2.1:80", "[::1]",
                                      "localhost", "192.0.2.256",  "fe80::1%eth0", " 1.2.3.4",
                                      "1.2.3.4 ",  "2001:db8:::1", "010.0.0.1",    "0x7f.1"};
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr a = net_addr(rows[i].in, 8189);
        cr_expect_str_eq(addr_format(&a, false, text), rows[i].bare);
        cr_expect_str_eq(addr_format(&a, true, text), rows[i].with_port);
        cr_expect_eq(addr_is_v4(&a), rows[i].v4);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct addr a = {.port = 7};
        cr_expect_eq(addr_parse_ip(bad[i], 80, &a), -EINVAL, "%s", bad[i]);
        cr_expect_eq(a.port, 7, "untouched on failure");
    }
}

Test(addr, crosses_socket_addresses_unchanged)
{
    static const char *const ips[] = {"192.0.2.1", "2001:db8::1", "::1", "127.0.0.1"};
    struct sockaddr_storage sa;
    struct addr back;

    for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
        struct addr a = net_addr(ips[i], 40000);
        cr_assert_eq(addr_to_sockaddr(&a, AF_INET6, &sa), sizeof(struct sockaddr_in6));
        cr_assert_eq(addr_from_sockaddr(&back, (struct sockaddr *)&sa), 0);
        cr_assert(addr_equal(&a, &back));
        cr_assert_eq(memcmp(&a, &back, sizeof(a)), 0, "comparable bytewise");
        socklen_t n = addr_to_sockaddr(&a, AF_INET, &sa);
        cr_assert_eq(n, addr_is_v4(&a) ? sizeof(struct sockaddr_in) : 0);
        if (n > 0) {
            cr_assert_eq(addr_from_sockaddr(&back, (struct sockaddr *)&sa), 0);
            cr_assert(addr_equal(&a, &back));
        }
        cr_assert_eq(addr_to_sockaddr(&a, AF_UNIX, &sa), 0);
    }
    struct sockaddr unix_sa = {.sa_family = AF_UNIX};
    cr_assert_eq(addr_from_sockaddr(&back, &unix_sa), -EAFNOSUPPORT);
    /* The scope counts for link-local addresses only. */
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3};
    memcpy(&in6.sin6_addr, net_addr("fe80::1", 0).ip, 16);
    cr_assert_eq(addr_from_sockaddr(&back, (struct sockaddr *)&in6), 0);
    cr_assert_eq(back.scope, 3);
    memcpy(&in6.sin6_addr, net_addr("2001:db8::1", 0).ip, 16);
    cr_assert_eq(addr_from_sockaddr(&back, (struct sockaddr *)&in6), 0);
    cr_assert_eq(back.scope, 0);
}

Test(addr, knows_what_the_internet_cannot_reach)
{
    static const struct {
        const char *ip;
        bool private_range;
        bool loopback;
        bool link_local;
        bool unicast;
    } rows[] = {
        {"9.255.255.255", false, false, false, true},
        {"10.0.0.0", true, false, false, true},
        {"10.255.255.255", true, false, false, true},
        {"11.0.0.0", false, false, false, true},
        {"172.15.255.255", false, false, false, true},
        {"172.16.0.0", true, false, false, true},
        {"172.31.255.255", true, false, false, true},
        {"172.32.0.0", false, false, false, true},
        {"192.167.255.255", false, false, false, true},
        {"192.168.0.0", true, false, false, true},
        {"192.168.255.255", true, false, false, true},
        {"192.169.0.0", false, false, false, true},
        {"100.63.255.255", false, false, false, true},
        {"100.64.0.0", true, false, false, true},
        {"100.127.255.255", true, false, false, true},
        {"100.128.0.0", false, false, false, true},
        {"169.253.255.255", false, false, false, true},
        {"169.254.169.254", true, false, true, true},
        {"169.255.0.0", false, false, false, true},
        {"127.0.0.1", true, true, false, true},
        {"127.255.255.255", true, true, false, true},
        {"128.0.0.0", false, false, false, true},
        {"0.0.0.0", true, false, false, false},
        {"223.255.255.255", false, false, false, true},
        {"224.0.0.1", false, false, false, false},
        {"255.255.255.255", false, false, false, false},
        {"::ffff:127.0.0.1", true, true, false, true},
        {"::1", true, true, false, true},
        {"::", true, false, false, false},
        {"::2", false, false, false, true},
        {"fbff::1", false, false, false, true},
        {"fc00::1", true, false, false, true},
        {"fdff::1", true, false, false, true},
        {"fe00::1", false, false, false, true},
        {"fe80::1", true, false, true, true},
        {"febf::1", true, false, true, true},
        {"fec0::1", false, false, false, true},
        {"ff02::1", false, false, false, false},
        {"2001:db8::1", false, false, false, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr a = net_addr(rows[i].ip, 1);
        cr_expect_eq(addr_is_private(&a), rows[i].private_range, "%s", rows[i].ip);
        cr_expect_eq(addr_is_loopback(&a), rows[i].loopback, "%s", rows[i].ip);
        cr_expect_eq(addr_is_link_local(&a), rows[i].link_local, "%s", rows[i].ip);
        cr_expect_eq(addr_is_unicast(&a), rows[i].unicast, "%s", rows[i].ip);
    }
}

Test(addr, compares_prefixes_bit_by_bit)
{
    struct addr base = net_addr("2001:db8:5aa5:c33c:0ff0:1234:5678:9abc", 0);

    for (unsigned flip = 0; flip < 128; flip++) {
        struct addr other = base;
        other.ip[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
        for (unsigned bits = 0; bits <= 128; bits++) {
            cr_assert_eq(addr_in_prefix(&other, &base, bits), bits <= flip, "bit %u, prefix %u",
                         flip, bits);
        }
    }
    struct addr net = net_addr("192.0.2.0", 0);
    struct addr in = net_addr("192.0.2.255", 0);
    struct addr out = net_addr("192.0.3.0", 0);
    cr_assert(addr_in_prefix(&in, &net, 96 + 24));
    cr_assert_not(addr_in_prefix(&out, &net, 96 + 24));
}

Test(addr, hashes_evenly_and_by_seed)
{
    enum { N = 1 << 16, BUCKETS = 256 };
    static unsigned low[BUCKETS];
    static unsigned high[BUCKETS];
    struct addr a = net_addr("198.51.100.7", 0);

    for (unsigned i = 0; i < N; i++) {
        a.port = (uint16_t)i;
        uint64_t h = addr_hash(&a, 12345);
        low[h % BUCKETS]++;
        high[h >> 56]++;
    }
    for (unsigned i = 0; i < BUCKETS; i++) { /* mean 256, sigma 16 */
        cr_assert(low[i] > 156 && low[i] < 356, "%u", low[i]);
        cr_assert(high[i] > 156 && high[i] < 356, "%u", high[i]);
    }
    struct addr b = a;
    cr_assert_eq(addr_hash(&a, 1), addr_hash(&b, 1));
    cr_assert_neq(addr_hash(&a, 1), addr_hash(&a, 2));
    b.ip[15] ^= 1;
    cr_assert_neq(addr_hash(&a, 1), addr_hash(&b, 1));
    b = a;
    b.scope = 1;
    cr_assert_neq(addr_hash(&a, 1), addr_hash(&b, 1));
}

Test(addr, tells_paths_apart_by_five_tuple)
{
    struct path p = {
        .remote = net_addr("198.51.100.7", 1), .local = net_addr("192.0.2.1", 0), .conn = 5};
    struct path q = p;

    cr_assert(path_equal(&p, &q));
    q.ifindex = 9;
    q.local.port = 8189;
    cr_assert(path_equal(&p, &q), "interface and our own port do not count");
    q = p;
    q.remote.port = 2;
    cr_assert_not(path_equal(&p, &q));
    q = p;
    q.local.ip[15] ^= 1;
    cr_assert_not(path_equal(&p, &q));
    q = p;
    q.transport = TRANSPORT_TCP;
    cr_assert_not(path_equal(&p, &q));
    q = p;
    q.conn = 6;
    cr_assert_not(path_equal(&p, &q));
}
