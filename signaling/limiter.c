/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/limiter.h"

#include <stdlib.h>
#include <string.h>

#define SETS 2048
#define WAYS 4
/* Tokens are counted in millionths, so that a microsecond times a rate is exact. */
#define ONE 1000000LL

struct bucket {
    struct addr net;
    int64_t used_us; /* when tokens was right; 0: empty slot */
    int64_t tokens;
};

struct limiter {
    uint64_t seed;
    struct bucket sets[SETS][WAYS];
};

struct limiter *limiter_new(uint64_t seed)
{
    struct limiter *l = calloc(1, sizeof(*l));
    if (l != NULL) {
        l->seed = seed;
    }
    return l;
}

void limiter_free(struct limiter *l)
{
    free(l);
}

struct addr limiter_network(const struct addr *ip)
{
    struct addr net = {0};
    memcpy(net.ip, ip->ip, addr_is_v4(ip) ? 16 : 8);
    return net;
}

static struct bucket *find(struct limiter *l, const struct addr *net, int64_t full, int64_t now_us)
{
    struct bucket *set = l->sets[addr_hash(net, l->seed) % SETS];
    struct bucket *victim = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].used_us != 0 && addr_equal(&set[i].net, net)) {
            return &set[i];
        }
        if (set[i].used_us < victim->used_us) {
            victim = &set[i];
        }
    }
    *victim = (struct bucket){.net = *net, .used_us = MAX(now_us, 1), .tokens = full};
    return victim;
}

int limiter_take(struct limiter *l, const struct addr *ip, int per_s, int burst, int64_t now_us)
{
    assert(per_s > 0 && burst > 0);
    struct addr net = limiter_network(ip);
    int64_t full = burst * ONE;
    struct bucket *b = find(l, &net, full, now_us);
    /* Beyond the time that fills the bucket the product could overflow, and is of no use. */
    int64_t idle_us = MIN(MAX(now_us - b->used_us, 0), full / per_s + 1);
    b->tokens = MIN(full, b->tokens + idle_us * per_s);
    b->used_us = MAX(now_us, 1);
    if (b->tokens >= ONE) {
        b->tokens -= ONE;
        return 0;
    }
    int64_t wait_us = (ONE - b->tokens + per_s - 1) / per_s;
    return (int)((wait_us + US_PER_S - 1) / US_PER_S);
}
