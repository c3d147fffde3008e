/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/candidate.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8445 5.1.2.2 suggests 126 for host candidates; RFC 6544 4.2 wants TCP below UDP, and 90 is
 * what browsers give a TCP host candidate. */
#define TYPE_HOST_UDP 126
#define TYPE_HOST_TCP 90
/* RFC 6544 4.2: local preference = 2^13 * direction + other; passive host candidates have 4. */
#define TCP_PASSIVE_PREF 4
#define COMPONENT        1

#define IFADDRS_MAX 256 /* addresses looked at; a host of containers can have thousands */

/* Interfaces that container engines and hypervisors make on the host side. The one inside a
 * container is called eth0, whatever it is. */
static const char *const virtual_names[] = {
    "docker", "br-",  "veth", "virbr", "cni", "flannel", "cali",  "podman",
    "lxc",    "lxdb", "vnet", "vmnet", "tap", "vboxnet", "kube-", "nodelocaldns",
};

static bool is_virtual(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(virtual_names); i++) {
        if (strncmp(name, virtual_names[i], strlen(virtual_names[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct candidate_if *c, unsigned flags)
{
    if (!addr_is_unicast(&c->addr)) {
        return false;
    }
    if (addr_is_loopback(&c->addr)) {
        return (flags & CANDIDATE_LOOPBACK) != 0;
    }
    if (addr_is_link_local(&c->addr) && (flags & CANDIDATE_LINK_LOCAL) == 0) {
        return false;
    }
    return (flags & CANDIDATE_VIRTUAL) != 0 || !is_virtual(c->name);
}

/* FFmpeg takes the first line only and most publishers have IPv4 only: the most reachable IPv4
 * address goes first. */
static unsigned order_class(const struct addr *a)
{
    unsigned c = addr_is_v4(a) ? 0 : 2;

    if (addr_is_loopback(a)) {
        return 4 + c / 2;
    }
    return c + (addr_is_private(a) ? 1 : 0);
}

static bool contains(const struct addr *list, size_t n, const struct addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(list[i].ip, a->ip, sizeof(a->ip)) == 0) {
            return true;
        }
    }
    return false;
}

size_t candidate_select(const struct candidate_if *list, size_t n, unsigned flags, struct addr *ret,
                        size_t max)
{
    size_t out = 0;

    for (unsigned c = 0; c <= 5; c++) {
        for (size_t i = 0; i < n && out < max; i++) {
            if (order_class(&list[i].addr) == c && is_wanted(&list[i], flags) &&
                !contains(ret, out, &list[i].addr)) {
                ret[out++] = list[i].addr;
            }
        }
    }
    return out;
}

int candidate_enumerate(unsigned flags, struct addr *ret, size_t max)
{
    struct candidate_if *list = calloc(IFADDRS_MAX, sizeof(*list));
    struct ifaddrs *ifs = NULL;
    size_t n = 0;
    size_t found = 0;

    if (!list) {
        return -ENOMEM;
    }
    if (getifaddrs(&ifs) < 0) {
        int err = -errno;
        free(list);
        return err;
    }
    for (const struct ifaddrs *i = ifs; i && n < IFADDRS_MAX; i = i->ifa_next) {
        unsigned up = IFF_UP | IFF_RUNNING;
        if (!i->ifa_addr || (i->ifa_flags & up) != up ||
            addr_from_sockaddr(&list[n].addr, i->ifa_addr) < 0) {
            continue;
        }
        list[n].addr.port = 0;
        (void)snprintf(list[n].name, sizeof(list[n].name), "%s", i->ifa_name);
        n++;
    }
    freeifaddrs(ifs);
    found = candidate_select(list, n, flags, ret, max);
    free(list);
    return (int)found;
}

uint32_t candidate_priority(enum transport transport, unsigned rank)
{
    uint32_t type = TYPE_HOST_UDP;
    uint32_t local = 65535 - MIN(rank, 65535U);

    if (transport == TRANSPORT_TCP) {
        type = TYPE_HOST_TCP;
        local = (TCP_PASSIVE_PREF << 13) + 8191 - MIN(rank, 8191U);
    }
    return type << 24 | local << 8 | (256 - COMPONENT);
}

size_t candidate_build(const struct addr *addrs, size_t n, uint16_t port, bool tcp,
                       struct candidate ret[CANDIDATE_MAX])
{
    size_t out = 0;

    n = MIN(n, (size_t)CANDIDATE_ADDRS_MAX);
    for (unsigned t = 0; t < (tcp ? 2U : 1U); t++) {
        enum transport transport = t == 0 ? TRANSPORT_UDP : TRANSPORT_TCP;
        for (size_t i = 0; i < n; i++) {
            struct candidate *c = &ret[out++];
            *c = (struct candidate){.foundation = (unsigned)out,
                                    .transport = transport,
                                    .priority = candidate_priority(transport, (unsigned)i),
                                    .addr = addrs[i]};
            c->addr.port = port;
        }
    }
    return out;
}

const char *candidate_format(const struct candidate *c, char text[CANDIDATE_TEXT_MAX])
{
    char ip[ADDR_TEXT_MAX];
    bool tcp = c->transport == TRANSPORT_TCP;

    (void)snprintf(text, CANDIDATE_TEXT_MAX, "candidate:%u %d %s %u %s %u typ host%s",
                   c->foundation, COMPONENT, tcp ? "tcp" : "udp", (unsigned)c->priority,
                   addr_format(&c->addr, false, ip), (unsigned)c->addr.port,
                   tcp ? " tcptype passive" : "");
    return text;
}
