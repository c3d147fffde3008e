/* SPDX-License-Identifier: Apache-2.0 */
/* announce.h - the host candidates that go into answers: the configured addresses, or those of the
 * interfaces that a client can be expected to reach. Role MAIN, at start. */
#ifndef SIGNALING_ANNOUNCE_H
#define SIGNALING_ANNOUNCE_H

#include "ice/addr.h"
#include "rtp/base.h"

struct conf;

#define ANNOUNCE_MAX 8

struct announce {
    int n;
    struct addr addrs[ANNOUNCE_MAX]; /* port is the media port */
};

/* Builds the list. Order without configuration: public IPv4, private IPv4, IPv6, and 127.0.0.1 last
 * when HTTP is on loopback (FFmpeg takes the first UDP host candidate and no other).
 * Returns 0; -EINVAL with *ret_bad naming an entry that is no IP address; -EADDRNOTAVAIL when
 * nothing can be announced. */
int announce_build(const struct conf *c, uint16_t media_port, struct announce *ret,
                   const char **ret_bad) MUST_CHECK;

/* One interface address as announce_order sorts it. */
struct announce_if {
    char name[32];
    struct addr addr;
};

/* Picks and orders: leaves out loopback, link-local and the bridges of container engines. Pure.
 * Returns how many of ret (room for ANNOUNCE_MAX) are set. */
int announce_order(const struct announce_if *list, int n, struct addr *ret);

/* The order for one client: first the address that its request came to, which it reaches; then
 * those of its own family; each in the order of a. Clients try candidates in that order, FFmpeg the
 * first and no other. local: NULL where the request came by a proxy. Pure. */
struct announce announce_for(const struct announce *a, const struct addr *local,
                             const struct addr *client);

#endif
