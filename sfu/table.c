/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/table.h"

#include <errno.h>
#include <stdlib.h>

#define TABLE_MIN 16

void table_init(struct table *t)
{
    *t = (struct table){0};
}

void table_fini(struct table *t)
{
    free(t->e);
    *t = (struct table){0};
}

static uint32_t slot_for(const struct table *t, uint64_t key)
{
    uint32_t mask = t->size - 1;
    uint32_t i = (uint32_t)table_mix(key) & mask;
    while (t->e[i].key && t->e[i].key != key) {
        i = (i + 1) & mask;
    }
    return i;
}

static int grow(struct table *t)
{
    struct table bigger = {.size = t->size ? t->size * 2 : TABLE_MIN, .used = t->used};
    bigger.e = calloc(bigger.size, sizeof(*bigger.e));
    if (!bigger.e) {
        return -ENOMEM;
    }
    TABLE_EACH(entry, t)
    {
        bigger.e[slot_for(&bigger, entry->key)] = *entry;
    }
    free(t->e);
    *t = bigger;
    return 0;
}

int table_put(struct table *t, uint64_t key, void *value)
{
    assert(key != 0);
    if (t->used * 2 >= t->size) {
        int err = grow(t);
        if (err) {
            return err;
        }
    }
    struct table_entry *e = &t->e[slot_for(t, key)];
    t->used += e->key == 0;
    e->key = key;
    e->value = value;
    return 0;
}

void *table_get(const struct table *t, uint64_t key)
{
    return t->size ? t->e[slot_for(t, key)].value : NULL;
}

void table_prefetch(const struct table *t, uint64_t key)
{
    if (t->size) {
        __builtin_prefetch(&t->e[(uint32_t)table_mix(key) & (t->size - 1)]);
    }
}

void table_remove(struct table *t, uint64_t key, const void *value)
{
    if (!t->size) {
        return;
    }
    uint32_t mask = t->size - 1;
    uint32_t hole = slot_for(t, key);
    if (!t->e[hole].key || (value && t->e[hole].value != value)) {
        return;
    }
    t->used--;
    /* Entries that were pushed past the hole move back, so that every probe still ends at the first
     * free slot. */
    for (uint32_t i = (hole + 1) & mask; t->e[i].key; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)table_mix(t->e[i].key) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            t->e[hole] = t->e[i];
            hole = i;
        }
    }
    t->e[hole] = (struct table_entry){0};
}
