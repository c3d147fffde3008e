/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/owner.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "rtp/bytes.h"

/* An entry is one word, so that a reader never sees half of one:
 *   bits 63..16  high 48 bits of the address's hash
 *   bits 15..7   age stamp
 *   bits 6..0    worker + 1; 0 = free
 * The bucket comes from the hash's low bits, which the entry does not store. */
#define WAYS         8 /* one 64-byte cache line a bucket */
#define BUCKETS      16384
#define HASH_MASK    (~UINT64_C(0xffff))
#define AGE_MASK     0x1ffu
#define AGE_SHIFT    7
#define WORKER_MASK  0x7fu
#define PUTS_PER_AGE 4096 /* a stamp lives 4096 puts, so that 512 stamps outlast the table */

struct bucket {
    _Alignas(64) _Atomic uint64_t entry[WAYS];
};

struct owner_table {
    struct bucket bucket[BUCKETS];
    uint64_t seed;
    _Atomic uint64_t puts;
};

static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");
static_assert(OWNER_WORKERS_MAX < WORKER_MASK, "worker + 1 fits its field");
static_assert((BUCKETS & (BUCKETS - 1)) == 0 && BUCKETS <= 65536, "index fits the unstored bits");

struct owner_table *owner_new(uint64_t seed)
{
    struct owner_table *t = aligned_alloc(64, sizeof(*t));

    if (t) {
        memset(t, 0, sizeof(*t));
        t->seed = seed;
    }
    return t;
}

void owner_free(struct owner_table *t)
{
    free(t);
}

static unsigned age_of(uint64_t entry)
{
    return (unsigned)(entry >> AGE_SHIFT) & AGE_MASK;
}

static bool same_hash(uint64_t entry, uint64_t hash)
{
    return entry != 0 && (entry & HASH_MASK) == (hash & HASH_MASK);
}

/* The way to write: the address's own, else a free one, else the oldest. */
static unsigned pick_way(const struct bucket *b, uint64_t hash, unsigned now)
{
    unsigned pick = 0;
    unsigned pick_age = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t e = atomic_load_explicit(&b->entry[i], memory_order_relaxed);
        unsigned age = e == 0 ? AGE_MASK + 1 : (now - age_of(e)) & AGE_MASK;
        if (same_hash(e, hash)) {
            return i;
        }
        if (age > pick_age) {
            pick = i;
            pick_age = age;
        }
    }
    return pick;
}

void owner_put(struct owner_table *t, const struct addr *remote, int worker)
{
    uint64_t hash = addr_hash(remote, t->seed);
    struct bucket *b = &t->bucket[hash % BUCKETS];
    uint64_t puts = atomic_fetch_add_explicit(&t->puts, 1, memory_order_relaxed);
    unsigned now = (unsigned)(puts / PUTS_PER_AGE) & AGE_MASK;
    unsigned way = pick_way(b, hash, now);

    assert(worker >= 0 && worker < OWNER_WORKERS_MAX);
    /* Two workers that put into one bucket at once may take the same way; the loser's peer is found
     * again at its next check. */
    atomic_store_explicit(&b->entry[way],
                          (hash & HASH_MASK) | (uint64_t)now << AGE_SHIFT | (unsigned)(worker + 1),
                          memory_order_relaxed);
    /* Or they put the same address into two free ways: the older word would outlive a removal. */
    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t e = atomic_load_explicit(&b->entry[i], memory_order_relaxed);
        if (i != way && same_hash(e, hash)) {
            atomic_compare_exchange_strong_explicit(&b->entry[i], &e, 0, memory_order_relaxed,
                                                    memory_order_relaxed);
        }
    }
}

void owner_remove(struct owner_table *t, const struct addr *remote, int worker)
{
    uint64_t hash = addr_hash(remote, t->seed);
    struct bucket *b = &t->bucket[hash % BUCKETS];

    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t e = atomic_load_explicit(&b->entry[i], memory_order_relaxed);
        if (same_hash(e, hash) && (int)(e & WORKER_MASK) == worker + 1) {
            /* Only if it is still this entry: another worker may have taken the address over. */
            atomic_compare_exchange_strong_explicit(&b->entry[i], &e, 0, memory_order_relaxed,
                                                    memory_order_relaxed);
        }
    }
}

int owner_find(const struct owner_table *t, const struct addr *remote)
{
    uint64_t hash = addr_hash(remote, t->seed);
    const struct bucket *b = &t->bucket[hash % BUCKETS];

    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t e = atomic_load_explicit(&b->entry[i], memory_order_relaxed);
        if (same_hash(e, hash)) {
            return (int)(e & WORKER_MASK) - 1;
        }
    }
    return OWNER_NONE;
}

/* ---- credentials ---- */

/* ice-char of RFC 8839 5.4, exactly 64 of them: one character carries six bits, or a worker. */
static const char ice_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int ice_char_value(char c)
{
    const char *p = c ? strchr(ice_chars, c) : NULL;

    return p ? (int)(p - ice_chars) : -1;
}

void owner_make_creds(int worker, struct ice_creds *ret)
{
    uint8_t random[ICE_OUR_UFRAG_LEN + ICE_OUR_PWD_LEN];
    size_t got = 0;

    assert(worker >= 0 && worker < OWNER_WORKERS_MAX);
    while (got < sizeof(random)) {
        ssize_t n = getrandom(random + got, sizeof(random) - got, 0);
        if (n > 0) {
            got += (size_t)n;
        } else if (errno != EINTR) {
            abort(); /* predictable credentials would be worse than none (SEC-36) */
        }
    }
    for (size_t i = 0; i < ICE_OUR_UFRAG_LEN; i++) {
        ret->local_ufrag[i] = ice_chars[random[i] & 63];
    }
    ret->local_ufrag[0] = ice_chars[worker];
    ret->local_ufrag[ICE_OUR_UFRAG_LEN] = '\0';
    for (size_t i = 0; i < ICE_OUR_PWD_LEN; i++) {
        ret->local_pwd[i] = ice_chars[random[ICE_OUR_UFRAG_LEN + i] & 63];
    }
    ret->local_pwd[ICE_OUR_PWD_LEN] = '\0';
}

int owner_of_ufrag(const char *ufrag, size_t len)
{
    if (len != ICE_OUR_UFRAG_LEN) {
        return OWNER_NONE;
    }
    for (size_t i = 1; i < len; i++) {
        if (ice_char_value(ufrag[i]) < 0) {
            return OWNER_NONE;
        }
    }
    return ice_char_value(ufrag[0]);
}

/* ---- a look into a binding request ---- */

#define STUN_HEADER      20
#define STUN_BINDING_REQ 0x0001
#define STUN_COOKIE      0x2112a442u
#define STUN_USERNAME    0x0006
#define STUN_INTEGRITY   0x0008
#define STUN_ATTRS_MAX   32 /* SEC-37 */

int owner_peek_ufrag(const uint8_t *buf, size_t len, const char **ret_ufrag, size_t *ret_len)
{
    size_t off = STUN_HEADER;

    if (len < STUN_HEADER || bytes_load16(buf) != STUN_BINDING_REQ || len % 4 != 0 ||
        bytes_load16(buf + 2) != len - STUN_HEADER || bytes_load32(buf + 4) != STUN_COOKIE) {
        return -EBADMSG;
    }
    for (unsigned i = 0; i < STUN_ATTRS_MAX && off + 4 <= len; i++) {
        unsigned type = bytes_load16(buf + off);
        size_t alen = bytes_load16(buf + off + 2);
        const uint8_t *value = buf + off + 4;

        /* Nothing after MESSAGE-INTEGRITY is authenticated, so nothing there counts. */
        if (alen > len - off - 4 || type == STUN_INTEGRITY) {
            return -EBADMSG;
        }
        if (type == STUN_USERNAME) {
            const uint8_t *colon = memchr(value, ':', alen);
            if (!colon || colon == value || colon - value > ICE_UFRAG_MAX) {
                return -EBADMSG;
            }
            *ret_ufrag = (const char *)value;
            *ret_len = (size_t)(colon - value);
            return 0;
        }
        off += 4 + ((alen + 3) & ~(size_t)3);
    }
    return -EBADMSG;
}
