/* SPDX-License-Identifier: Apache-2.0 */
/* addr.h - transport addresses in one canonical form: 16 address bytes (IPv4 as ::ffff:a.b.c.d) and
 * a port, so that equality, hashing and prefix tests have one meaning for both families (SEC-45).
 * Pure; any thread. */
#ifndef ICE_ADDR_H
#define ICE_ADDR_H

#include <sys/socket.h>

#include "rtp/base.h"

struct addr {
    uint8_t ip[16]; /* network order; IPv4 is mapped */
    uint16_t port;  /* host order */
    uint16_t pad;   /* 0, so that the struct compares bytewise */
    uint32_t scope; /* IPv6 link-local interface index, else 0 */
};

#define ADDR_TEXT_MAX 64

/* From a socket address of either family. Returns 0 or -EAFNOSUPPORT. */
int addr_from_sockaddr(struct addr *ret, const struct sockaddr *sa) MUST_CHECK;

/* For a socket of the given family (AF_INET6 sockets take mapped IPv4). Returns the length to pass
 * to the kernel, or 0 if an IPv6 address was asked of an AF_INET socket. */
socklen_t addr_to_sockaddr(const struct addr *a, int family, struct sockaddr_storage *ret);

/* Parses "192.0.2.1" or "2001:db8::1"; no port, no brackets, no names. Returns 0 or -EINVAL. */
int addr_parse_ip(const char *text, uint16_t port, struct addr *ret) MUST_CHECK;

/* "192.0.2.1:8189" or "[2001:db8::1]:8189"; ip only when with_port is false. Returns text. */
const char *addr_format(const struct addr *a, bool with_port, char text[ADDR_TEXT_MAX]);

/* Same IP, port and scope. */
bool addr_equal(const struct addr *a, const struct addr *b);
/* True for IPv4, however it was written. */
bool addr_is_v4(const struct addr *a);
/* 127/8 and ::1. */
bool addr_is_loopback(const struct addr *a);
/* RFC 3927 and fe80::/10. */
bool addr_is_link_local(const struct addr *a);
/* False for unspecified, 0/8, broadcast and multicast addresses, to which nothing is answered
 * (SEC-43). The port is not looked at. */
bool addr_is_unicast(const struct addr *a);
/* RFC 1918, RFC 4193, link-local, loopback, 100.64/10: not reachable from the Internet. */
bool addr_is_private(const struct addr *a);
/* True if the first bits of both addresses are equal; bits counts in the 16-byte form (an IPv4 /24
 * is 120). */
bool addr_in_prefix(const struct addr *a, const struct addr *prefix, unsigned bits);
/* Well-mixed 64-bit hash of address and port. seed: a random per-process number, so that peers
 * cannot choose collisions. */
uint64_t addr_hash(const struct addr *a, uint64_t seed);

/* Where datagrams of a peer come from and go to. */
enum transport {
    TRANSPORT_UDP,
    TRANSPORT_TCP,
};

struct path {
    struct addr remote;
    struct addr local; /* the address the peer sent to (IP_PKTINFO): replies leave from it; port
                          unused for UDP */
    uint32_t ifindex;  /* interface the datagram came in by, 0 = let the kernel choose */
    enum transport transport;
    uint64_t conn; /* TCP: id of the connection on its worker; 0 for UDP */
};

/* The same 5-tuple: transport, connection, remote address, local IP. The interface does not count:
 * it may change with routing while the addresses stay. */
bool path_equal(const struct path *a, const struct path *b);

#endif
