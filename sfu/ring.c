/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/ring.h"

#include <stdatomic.h>
#include <stdlib.h>

#define RECORD_HEAD 8u
#define RECORD_MAX  4096u
#define CACHE_LINE  64

/* A record: 4 bytes of length, 4 of nothing, the bytes, padding to 8. A length of 0 says: go on at
 * the ring's start. */
struct ring {
    uint32_t size;
    uint8_t *bytes;
    /* producer's line */
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* bytes published */
    uint64_t reserved_head;                     /* after the record being filled */
    uint64_t tail_seen;                         /* the producer's last look at tail */
    /* consumer's line */
    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* bytes consumed */
    uint64_t next_tail;                         /* after the record being looked at */
    uint64_t head_seen;
};

struct ring *ring_new(uint32_t bytes)
{
    assert((bytes & (bytes - 1)) == 0 && bytes >= 4 * RECORD_MAX);
    struct ring *r = aligned_alloc(CACHE_LINE, sizeof(*r));
    uint8_t *mem = aligned_alloc(CACHE_LINE, bytes);
    if (!r || !mem) {
        free(r);
        free(mem);
        return NULL;
    }
    *r = (struct ring){.size = bytes, .bytes = mem};
    return r;
}

void ring_free(struct ring *r)
{
    if (r) {
        free(r->bytes);
        free(r);
    }
}

static uint32_t record_size(uint32_t len)
{
    return (RECORD_HEAD + len + 7u) & ~7u;
}

static void write_len(struct ring *r, uint64_t at, uint32_t len)
{
    *(uint32_t *)(void *)(r->bytes + (at & (r->size - 1))) = len;
}

void *ring_reserve(struct ring *r, uint32_t len)
{
    assert(len > 0 && len <= RECORD_MAX);
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t to_end = r->size - (uint32_t)(head & (r->size - 1));
    uint32_t need = record_size(len);
    uint64_t start = need <= to_end ? head : head + to_end;
    if (start + need - r->tail_seen > r->size) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (start + need - r->tail_seen > r->size) {
            return NULL;
        }
    }
    if (start != head) {
        write_len(r, head, 0);
    }
    write_len(r, start, len);
    r->reserved_head = start + need;
    return r->bytes + (start & (r->size - 1)) + RECORD_HEAD;
}

bool ring_commit(struct ring *r)
{
    uint64_t before = atomic_load_explicit(&r->head, memory_order_relaxed);
    atomic_store_explicit(&r->head, r->reserved_head, memory_order_seq_cst);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_seq_cst);
    r->tail_seen = tail;
    return tail == before;
}

const void *ring_peek(struct ring *r, uint32_t *ret_len)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail == r->head_seen) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_seq_cst);
        if (tail == r->head_seen) {
            return NULL;
        }
    }
    uint32_t len = *(const uint32_t *)(const void *)(r->bytes + (tail & (r->size - 1)));
    if (len == 0) {
        tail += r->size - (uint32_t)(tail & (r->size - 1));
        len = *(const uint32_t *)(const void *)(r->bytes + (tail & (r->size - 1)));
    }
    r->next_tail = tail + record_size(len);
    *ret_len = len;
    return r->bytes + (tail & (r->size - 1)) + RECORD_HEAD;
}

void ring_pop(struct ring *r)
{
    atomic_store_explicit(&r->tail, r->next_tail, memory_order_seq_cst);
}
