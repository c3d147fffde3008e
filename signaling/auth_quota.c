/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/auth_quota.h"

#include <stdlib.h>
#include <string.h>

struct auth_quota_ticket {
    struct list node;
    uint8_t digest[AUTH_GRANT_DIGEST];
    unsigned n;
};

void auth_quota_init(struct auth_quota *q)
{
    for (size_t i = 0; i < ARRAY_LEN(q->buckets); i++) {
        list_init(&q->buckets[i]);
    }
}

void auth_quota_fini(struct auth_quota *q)
{
    for (size_t i = 0; i < ARRAY_LEN(q->buckets); i++) {
        assert(list_empty(&q->buckets[i]));
    }
}

static struct list *bucket(const struct auth_quota *q, const uint8_t *digest)
{
    return (struct list *)&q->buckets[(digest[0] | digest[1] << 8) % (int)ARRAY_LEN(q->buckets)];
}

static struct auth_quota_ticket *find(const struct auth_quota *q, const uint8_t *digest)
{
    struct list *head = bucket(q, digest);
    LIST_EACH(it, head)
    {
        struct auth_quota_ticket *t = container_of(it, struct auth_quota_ticket, node);
        if (memcmp(t->digest, digest, sizeof(t->digest)) == 0) {
            return t;
        }
    }
    return NULL;
}

unsigned auth_quota_count(const struct auth_quota *q, const uint8_t digest[AUTH_GRANT_DIGEST])
{
    const struct auth_quota_ticket *t = find(q, digest);
    return t != NULL ? t->n : 0;
}

struct auth_quota_ticket *auth_quota_take(struct auth_quota *q,
                                          const uint8_t digest[AUTH_GRANT_DIGEST])
{
    struct auth_quota_ticket *t = find(q, digest);
    if (t == NULL) {
        t = calloc(1, sizeof(*t));
        if (t == NULL) {
            return NULL;
        }
        list_init(&t->node);
        memcpy(t->digest, digest, sizeof(t->digest));
        list_append(bucket(q, digest), &t->node);
    }
    t->n++;
    return t;
}

void auth_quota_give(struct auth_quota_ticket **ticket)
{
    struct auth_quota_ticket *t = *ticket;
    *ticket = NULL;
    if (t != NULL && --t->n == 0) {
        list_remove(&t->node);
        free(t);
    }
}
