/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/announce.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"

#define IFS_MAX 64

/* Smaller is better; -1: not announced. */
static int rank(const struct announce_if *i)
{
    static const char *const bridges[] = {"docker", "br-", "veth", "virbr", "cni", "podman"};
    for (size_t k = 0; k < ARRAY_LEN(bridges); k++) {
        if (strncmp(i->name, bridges[k], strlen(bridges[k])) == 0) {
            return -1;
        }
    }
    const uint8_t *ip = i->addr.ip;
    if (addr_is_loopback(&i->addr)) {
        return -1;
    }
    if (addr_is_v4(&i->addr)) {
        if (ip[12] == 169 && ip[13] == 254) {
            return -1;
        }
        return addr_is_private(&i->addr) ? 1 : 0;
    }
    if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) {
        return -1;
    }
    return addr_is_private(&i->addr) ? 3 : 2;
}

int announce_order(const struct announce_if *list, int n, struct addr *ret)
{
    int count = 0;
    for (int want = 0; want <= 3; want++) {
        for (int i = 0; i < n && count < ANNOUNCE_MAX; i++) {
            if (rank(&list[i]) == want) {
                ret[count++] = list[i].addr;
            }
        }
    }
    return count;
}

static int interfaces(struct announce_if *list)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0) {
        return 0;
    }
    int n = 0;
    for (struct ifaddrs *i = all; i != NULL && n < IFS_MAX; i = i->ifa_next) {
        if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0) {
            continue;
        }
        if (addr_from_sockaddr(&list[n].addr, i->ifa_addr) == 0) {
            snprintf(list[n].name, sizeof(list[n].name), "%s", i->ifa_name);
            list[n].addr.port = 0;
            list[n].addr.scope = 0;
            n++;
        }
    }
    freeifaddrs(all);
    return n;
}

static bool http_on_loopback(const struct conf *c)
{
    char host[CONF_STR_MAX];
    uint16_t port;
    struct addr a;
    if (conf_split_host_port(c->http.listen, host, sizeof(host), &port) < 0) {
        return false;
    }
    return strcmp(host, "localhost") == 0 ||
           (addr_parse_ip(host, 0, &a) == 0 && addr_is_loopback(&a));
}

/* What the media socket is bound to, when that is one address; else false. v4_only: bound to
 * 0.0.0.0. */
static bool bound_address(const struct conf *c, struct addr *ret, bool *ret_v4_only)
{
    char host[CONF_STR_MAX];
    uint16_t port;
    *ret_v4_only = false;
    if (conf_split_host_port(c->media.listen, host, sizeof(host), &port) < 0 ||
        addr_parse_ip(host, 0, ret) < 0) {
        return false;
    }
    if (addr_is_v4(ret)) {
        static const uint8_t any[4];
        *ret_v4_only = memcmp(ret->ip + 12, any, sizeof(any)) == 0;
        return !*ret_v4_only;
    }
    static const uint8_t any6[16];
    return memcmp(ret->ip, any6, sizeof(any6)) != 0;
}

static void from_interfaces(const struct conf *c, struct announce *a)
{
    struct addr bound;
    bool v4_only;
    if (bound_address(c, &bound, &v4_only)) {
        a->addrs[a->n++] = bound;
        return;
    }
    struct announce_if list[IFS_MAX];
    struct addr picked[ANNOUNCE_MAX];
    int n = announce_order(list, interfaces(list), picked);
    int room = ANNOUNCE_MAX - (http_on_loopback(c) ? 1 : 0);
    for (int i = 0; i < n && a->n < room; i++) {
        if (!v4_only || addr_is_v4(&picked[i])) {
            a->addrs[a->n++] = picked[i];
        }
    }
    if (http_on_loopback(c) && addr_parse_ip("127.0.0.1", 0, &a->addrs[a->n]) == 0) {
        a->n++;
    }
}

int announce_build(const struct conf *c, uint16_t media_port, struct announce *ret,
                   const char **ret_bad)
{
    struct announce a = {0};
    for (int i = 0; i < c->media.announce.n && a.n < ANNOUNCE_MAX; i++) {
        if (addr_parse_ip(c->media.announce.s[i], 0, &a.addrs[a.n]) < 0) {
            *ret_bad = c->media.announce.s[i];
            return -EINVAL;
        }
        a.n++;
    }
    if (c->media.announce.n == 0) {
        from_interfaces(c, &a);
    }
    if (a.n == 0) {
        return -EADDRNOTAVAIL;
    }
    for (int i = 0; i < a.n; i++) {
        a.addrs[i].port = media_port;
    }
    *ret = a;
    return 0;
}

/* Smaller comes first. */
static int distance(const struct addr *a, const struct addr *local, const struct addr *client)
{
    if (local != NULL && memcmp(a->ip, local->ip, sizeof(a->ip)) == 0) {
        return 0;
    }
    return addr_is_v4(a) == addr_is_v4(client) ? 1 : 2;
}

struct announce announce_for(const struct announce *a, const struct addr *local,
                             const struct addr *client)
{
    struct announce near = {0};
    for (int want = 0; want <= 2; want++) {
        for (int i = 0; i < a->n; i++) {
            if (distance(&a->addrs[i], local, client) == want) {
                near.addrs[near.n++] = a->addrs[i];
            }
        }
    }
    return near;
}
