/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/tally.h"

#include <stdlib.h>

#include "signaling/limiter.h"

void tally_init(struct tally *t, uint64_t seed)
{
    t->seed = seed;
    for (size_t i = 0; i < ARRAY_LEN(t->buckets); i++) {
        list_init(&t->buckets[i]);
    }
}

static struct list *bucket(const struct tally *t, const struct addr *net)
{
    return (struct list *)&t->buckets[addr_hash(net, t->seed) % ARRAY_LEN(t->buckets)];
}

static struct tally_count *find(const struct tally *t, const struct addr *net)
{
    LIST_EACH(it, bucket(t, net))
    {
        struct tally_count *c = container_of(it, struct tally_count, node);
        if (addr_equal(&c->net, net)) {
            return c;
        }
    }
    return NULL;
}

struct tally_count *tally_enter(struct tally *t, const struct addr *ip)
{
    struct addr net = limiter_network(ip);
    struct tally_count *c = find(t, &net);
    if (c == NULL) {
        c = calloc(1, sizeof(*c));
        if (c == NULL) {
            return NULL;
        }
        c->net = net;
        list_init(&c->node);
        list_append(bucket(t, &net), &c->node);
    }
    c->n++;
    return c;
}

void tally_leave(struct tally_count *c)
{
    assert(c->n > 0);
    if (--c->n == 0) {
        list_remove(&c->node);
        free(c);
    }
}

unsigned tally_of(const struct tally *t, const struct addr *ip)
{
    struct addr net = limiter_network(ip);
    const struct tally_count *c = find(t, &net);
    return c != NULL ? c->n : 0;
}
