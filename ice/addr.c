/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* ::ffff:0:0/96 */
static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* The ranges of addr_is_private, in the 16-byte form. */
struct range {
    uint8_t ip[16];
    uint8_t bits;
};

#define V4(a, b, c, d)                                                                             \
    {                                                                                              \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d                                       \
    }

static const struct range private_ranges[] = {
    {V4(0, 0, 0, 0), 96 + 8},      /* RFC 1122 "this network" */
    {V4(10, 0, 0, 0), 96 + 8},     /* RFC 1918 */
    {V4(172, 16, 0, 0), 96 + 12},  /* RFC 1918 */
    {V4(192, 168, 0, 0), 96 + 16}, /* RFC 1918 */
    {V4(100, 64, 0, 0), 96 + 10},  /* RFC 6598, carrier-grade NAT */
    {V4(169, 254, 0, 0), 96 + 16}, /* RFC 3927, link-local */
    {V4(127, 0, 0, 0), 96 + 8},    /* loopback */
    {{0xfc}, 7},                   /* RFC 4193, unique local */
    {{0xfe, 0x80}, 10},            /* link-local */
    {{0}, 127},                    /* :: and ::1 */
};

static void set_v4(struct addr *a, const void *four_bytes)
{
    memcpy(a->ip, v4_prefix, sizeof(v4_prefix));
    memcpy(a->ip + 12, four_bytes, 4);
}

static bool is_v6_link_local(const uint8_t ip[16])
{
    return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

int addr_from_sockaddr(struct addr *ret, const struct sockaddr *sa)
{
    struct addr a = {0};

    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        set_v4(&a, &in.sin_addr);
        a.port = ntohs(in.sin_port);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        memcpy(a.ip, &in6.sin6_addr, sizeof(a.ip));
        a.port = ntohs(in6.sin6_port);
        /* The kernel may fill the scope of other addresses too; there it names nothing. */
        a.scope = is_v6_link_local(a.ip) ? in6.sin6_scope_id : 0;
    } else {
        return -EAFNOSUPPORT;
    }
    *ret = a;
    return 0;
}

socklen_t addr_to_sockaddr(const struct addr *a, int family, struct sockaddr_storage *ret)
{
    if (family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        if (!addr_is_v4(a)) {
            return 0;
        }
        memcpy(&in.sin_addr, a->ip + 12, 4);
        memcpy(ret, &in, sizeof(in));
        return sizeof(in);
    }
    if (family == AF_INET6) {
        struct sockaddr_in6 in6 = {
            .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};
        memcpy(&in6.sin6_addr, a->ip, sizeof(a->ip));
        memcpy(ret, &in6, sizeof(in6));
        return sizeof(in6);
    }
    return 0;
}

int addr_parse_ip(const char *text, uint16_t port, struct addr *ret)
{
    struct addr a = {.port = port};
    uint8_t four[4];

    if (inet_pton(AF_INET, text, four) == 1) {
        set_v4(&a, four);
    } else if (inet_pton(AF_INET6, text, a.ip) != 1) {
        return -EINVAL;
    }
    *ret = a;
    return 0;
}

const char *addr_format(const struct addr *a, bool with_port, char text[ADDR_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN];
    bool v4 = addr_is_v4(a);

    /* Neither family can fail: the buffer holds the longest text. */
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->ip + 12 : a->ip, ip, sizeof(ip));
    if (!with_port) {
        (void)snprintf(text, ADDR_TEXT_MAX, "%s", ip);
    } else {
        (void)snprintf(text, ADDR_TEXT_MAX, v4 ? "%s:%u" : "[%s]:%u", ip, (unsigned)a->port);
    }
    return text;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->port == b->port && a->scope == b->scope;
}

bool addr_is_v4(const struct addr *a)
{
    return memcmp(a->ip, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t v6_loopback[16] = {[15] = 1};

    return addr_is_v4(a) ? a->ip[12] == 127 : memcmp(a->ip, v6_loopback, sizeof(v6_loopback)) == 0;
}

bool addr_is_link_local(const struct addr *a)
{
    return addr_is_v4(a) ? a->ip[12] == 169 && a->ip[13] == 254 : is_v6_link_local(a->ip);
}

static bool ip_in_prefix(const uint8_t ip[16], const uint8_t prefix[16], unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    if (bits >= 128) {
        return memcmp(ip, prefix, 16) == 0;
    }
    if (memcmp(ip, prefix, whole) != 0) {
        return false;
    }
    return rest == 0 || ((ip[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

bool addr_in_prefix(const struct addr *a, const struct addr *prefix, unsigned bits)
{
    return ip_in_prefix(a->ip, prefix->ip, bits);
}

bool addr_is_private(const struct addr *a)
{
    for (size_t i = 0; i < ARRAY_LEN(private_ranges); i++) {
        if (ip_in_prefix(a->ip, private_ranges[i].ip, private_ranges[i].bits)) {
            return true;
        }
    }
    return false;
}

bool addr_is_unicast(const struct addr *a)
{
    static const uint8_t zero[16];
    static const uint8_t ones[4] = {0xff, 0xff, 0xff, 0xff};

    if (addr_is_v4(a)) {
        return a->ip[12] != 0 && (a->ip[12] & 0xf0) != 0xe0 && memcmp(a->ip + 12, ones, 4) != 0;
    }
    return a->ip[0] != 0xff && memcmp(a->ip, zero, sizeof(zero)) != 0;
}

/* ---- hash: SipHash-1-3, the keyed hash made for tables whose keys an attacker chooses ---- */

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t addr_hash(const struct addr *a, uint64_t seed)
{
    uint64_t k1 = rotl(seed, 29) * UINT64_C(0x9e3779b97f4a7c15); /* second half of the key */
    uint64_t v[4] = {seed ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                     seed ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    uint64_t words[3];

    memcpy(words, a->ip, sizeof(a->ip));
    words[2] = (uint64_t)a->scope << 16 | a->port;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        v[3] ^= words[i];
        sip_round(v);
        v[0] ^= words[i];
    }
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

bool path_equal(const struct path *a, const struct path *b)
{
    return a->transport == b->transport && a->conn == b->conn &&
           addr_equal(&a->remote, &b->remote) &&
           memcmp(a->local.ip, b->local.ip, sizeof(a->local.ip)) == 0;
}
