/* SPDX-License-Identifier: Apache-2.0 */
/* limiter.h - token buckets per client network: IPv4 /32, IPv6 /64 (SEC-04). The table has a fixed
 * size; in a full set the bucket that was used longest ago gives way. Pure but for its memory; role
 * MAIN. */
#ifndef SIGNALING_LIMITER_H
#define SIGNALING_LIMITER_H

#include "ice/addr.h"
#include "rtp/base.h"

struct limiter;

/* seed: random, so that clients cannot choose collisions. NULL when out of memory. */
struct limiter *limiter_new(uint64_t seed);
void limiter_free(struct limiter *l); /* accepts NULL */

/* Takes one token of ip's bucket, which refills at per_s tokens a second up to burst.
 * now_us   monotonic
 * Returns 0, or the number of whole seconds (>= 1) until a token is there. */
int limiter_take(struct limiter *l, const struct addr *ip, int per_s, int burst, int64_t now_us);

/* The network that counts as one client: ip with the host half of IPv6, port and scope zeroed. */
struct addr limiter_network(const struct addr *ip);

#endif
