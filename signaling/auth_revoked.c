/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/auth_revoked.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct list node;
    uint8_t key[SHA256_DIGEST_LENGTH]; /* of "jti:" and the jti, or a token's digest */
    int64_t until_s;
};

void auth_revoked_init(struct auth_revoked *t)
{
    t->n = 0;
    for (size_t i = 0; i < ARRAY_LEN(t->buckets); i++) {
        list_init(&t->buckets[i]);
    }
}

static void drop(struct auth_revoked *t, struct entry *e)
{
    list_remove(&e->node);
    free(e);
    t->n--;
}

/* Drops what ends before until_s, and tells the entry that ends first among the rest. */
static struct entry *clean(struct auth_revoked *t, int64_t until_s)
{
    struct entry *first = NULL;
    for (size_t i = 0; i < ARRAY_LEN(t->buckets); i++) {
        LIST_EACH(it, &t->buckets[i])
        {
            struct entry *e = container_of(it, struct entry, node);
            if (e->until_s < until_s) {
                drop(t, e);
            } else if (first == NULL || e->until_s < first->until_s) {
                first = e;
            }
        }
    }
    return first;
}

void auth_revoked_fini(struct auth_revoked *t)
{
    clean(t, INT64_MAX);
    struct entry *last;
    while ((last = clean(t, 0)) != NULL) {
        drop(t, last);
    }
}

void auth_revoked_sweep(struct auth_revoked *t, int64_t now_s)
{
    if (t->n > 0) {
        clean(t, now_s);
    }
}

static struct list *bucket(const struct auth_revoked *t, const uint8_t *key)
{
    /* The keys are hashes already. */
    return (struct list *)&t->buckets[(key[0] | key[1] << 8) % (int)ARRAY_LEN(t->buckets)];
}

static struct entry *find(const struct auth_revoked *t, const uint8_t *key)
{
    struct list *head = bucket(t, key);
    LIST_EACH(it, head)
    {
        struct entry *e = container_of(it, struct entry, node);
        if (memcmp(e->key, key, sizeof(e->key)) == 0) {
            return e;
        }
    }
    return NULL;
}

static void jti_key(const char *jti, uint8_t key[SHA256_DIGEST_LENGTH])
{
    char text[AUTH_GRANT_JTI_MAX + 4];
    int n = snprintf(text, sizeof(text), "jti:%s", jti);
    SHA256((const uint8_t *)text, (size_t)n, key);
}

int auth_revoked_add_digest(struct auth_revoked *t, const uint8_t digest[AUTH_GRANT_DIGEST],
                            int64_t until_s)
{
    struct entry *e = find(t, digest);
    if (e != NULL) {
        e->until_s = MAX(e->until_s, until_s);
        return 0;
    }
    if (t->n == AUTH_REVOKED_MAX) {
        drop(t, clean(t, 0));
    }
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return -ENOMEM;
    }
    list_init(&e->node);
    memcpy(e->key, digest, sizeof(e->key));
    e->until_s = until_s;
    list_append(bucket(t, digest), &e->node);
    t->n++;
    return 0;
}

int auth_revoked_add_jti(struct auth_revoked *t, const char *jti, int64_t until_s)
{
    uint8_t key[SHA256_DIGEST_LENGTH];
    jti_key(jti, key);
    return auth_revoked_add_digest(t, key, until_s);
}

int auth_revoked_each(const struct auth_revoked *t,
                      int (*fn)(const uint8_t digest[AUTH_GRANT_DIGEST], int64_t until_s,
                                void *ctx),
                      void *ctx)
{
    for (size_t i = 0; i < ARRAY_LEN(t->buckets); i++) {
        LIST_EACH(it, &t->buckets[i])
        {
            const struct entry *e = container_of(it, struct entry, node);
            int r = fn(e->key, e->until_s, ctx);
            if (r != 0) {
                return r;
            }
        }
    }
    return 0;
}

bool auth_revoked_has(const struct auth_revoked *t, const struct auth_grant *g)
{
    uint8_t key[SHA256_DIGEST_LENGTH];
    if (t->n == 0) {
        return false;
    }
    if (g->is_token && find(t, g->digest) != NULL) {
        return true;
    }
    jti_key(g->jti, key);
    return g->jti[0] != '\0' && find(t, key) != NULL;
}
