/* SPDX-License-Identifier: Apache-2.0 */
/* candidate.h - the addresses that answers announce: which of the host's addresses are worth
 * announcing, in which order, with which priority, and how they are written in SDP (RFC 8839 5.1,
 * RFC 6544 4.5). Sluice announces host candidates of component 1 only; a configured public address
 * of a 1:1 NAT is announced as host too (FFmpeg takes nothing else). Any thread. */
#ifndef ICE_CANDIDATE_H
#define ICE_CANDIDATE_H

#include "ice/addr.h"
#include "rtp/base.h"

#define CANDIDATE_ADDRS_MAX 16                        /* addresses announced at most */
#define CANDIDATE_MAX       (2 * CANDIDATE_ADDRS_MAX) /* UDP and TCP each */
#define CANDIDATE_TEXT_MAX  160

/* Which addresses of the host to take, beside the ordinary ones of interfaces that are up. */
enum candidate_flags {
    CANDIDATE_LOOPBACK = 1 << 0,   /* 127.0.0.1 and ::1: development */
    CANDIDATE_LINK_LOCAL = 1 << 1, /* 169.254/16 and fe80::/10 */
    CANDIDATE_VIRTUAL = 1 << 2,    /* bridges and pairs of container and VM hosts, by their names */
};

/* One address of one interface. */
struct candidate_if {
    char name[32];
    struct addr addr; /* port 0 */
};

/* One announced candidate. */
struct candidate {
    unsigned foundation; /* 1, 2, …: own to each address and transport (RFC 8445 5.1.1.3) */
    enum transport transport;
    uint32_t priority;
    struct addr addr; /* with the port */
};

/* Chooses from the n addresses of a list and orders them: IPv4 before IPv6, public before private,
 * loopback last, else as listed; each once. flags: enum candidate_flags. Returns how many were
 * written to ret, at most max. Pure. */
size_t candidate_select(const struct candidate_if *list, size_t n, unsigned flags, struct addr *ret,
                        size_t max);

/* The same over the host's interfaces that are up (getifaddrs). Returns the number, or -errno. */
int candidate_enumerate(unsigned flags, struct addr *ret, size_t max);

/* RFC 8445 5.1.2.1 for a host candidate of component 1. rank: 0 for the first address announced.
 * All UDP priorities are above all TCP ones; none exceeds 2^31 - 1. */
uint32_t candidate_priority(enum transport transport, unsigned rank);

/* Candidates for n addresses in the given order, on one port: UDP first, then TCP passive if tcp.
 * Returns how many were written to ret. Pure. */
size_t candidate_build(const struct addr *addrs, size_t n, uint16_t port, bool tcp,
                       struct candidate ret[CANDIDATE_MAX]);

/* "candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host", without "a=" and line end. Returns text.
 */
const char *candidate_format(const struct candidate *c, char text[CANDIDATE_TEXT_MAX]);

#endif
