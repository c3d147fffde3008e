/* SPDX-License-Identifier: Apache-2.0 */
/* tally.h - how many of something each client network has (limiter_network), whatever their number:
 * for limits per address. Pure but for its memory; role MAIN. */
#ifndef SIGNALING_TALLY_H
#define SIGNALING_TALLY_H

#include "ice/addr.h"
#include "rtp/list.h"

/* The count of one network that has any. */
struct tally_count {
    struct list node;
    struct addr net;
    unsigned n;
};

struct tally {
    struct list buckets[256]; /* struct tally_count.node */
    uint64_t seed;
};

/* An empty tally; seed: random, so that clients cannot choose collisions. */
void tally_init(struct tally *t, uint64_t seed);
/* One more from ip; give it back with tally_leave. NULL when out of memory. */
struct tally_count *tally_enter(struct tally *t, const struct addr *ip);
/* One less. */
void tally_leave(struct tally_count *c);
/* How many there are from ip's network. */
unsigned tally_of(const struct tally *t, const struct addr *ip);

#endif
