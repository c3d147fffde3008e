/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - 64-bit key -> pointer, open addressing with backward-shift deletion. One owner, no
 * lock. Keys are ids or well-mixed hashes; key 0 is not allowed. Grows by doubling when sessions
 * are added, never on the packet path. */
#ifndef SFU_TABLE_H
#define SFU_TABLE_H

#include "rtp/base.h"

struct table_entry {
    uint64_t key; /* 0: free */
    void *value;
};

struct table {
    struct table_entry *e;
    uint32_t size; /* a power of two, 0 before the first put */
    uint32_t used;
};

/* Empty; no memory yet. */
void table_init(struct table *t);
void table_fini(struct table *t);
/* Adds or replaces. Returns 0 or -ENOMEM. */
int table_put(struct table *t, uint64_t key, void *value) MUST_CHECK;
/* The value, or NULL. */
void *table_get(const struct table *t, uint64_t key);
/* Brings near where key is, or would be. */
void table_prefetch(const struct table *t, uint64_t key);
/* Removes key if its value is value (NULL: whatever it is). */
void table_remove(struct table *t, uint64_t key, const void *value);

/* Mixes bits so that ids and counters spread over the table. */
static inline uint64_t table_mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    return x;
}

/* Walks all entries; the body must not add or remove. */
#define TABLE_EACH(entry, t)                                                                       \
    for (struct table_entry *entry = (t)->e; entry && entry < (t)->e + (t)->size; entry++)         \
        if (entry->key)

#endif
