/* SPDX-License-Identifier: Apache-2.0 */
/* peer_bytes.h - big-endian bytes, a seeded random generator and a bounded string: what the peer's
 * files share. The peer includes nothing of the product, not even its macros. */
#ifndef TESTS_PEER_PEER_BYTES_H
#define TESTS_PEER_PEER_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PEER_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline void peer_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void peer_put32(uint8_t *p, uint32_t v)
{
    peer_put16(p, v >> 16);
    peer_put16(p + 2, v);
}

static inline void peer_put64(uint8_t *p, uint64_t v)
{
    peer_put32(p, (uint32_t)(v >> 32));
    peer_put32(p + 4, (uint32_t)v);
}

static inline uint16_t peer_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t peer_get32(const uint8_t *p)
{
    return (uint32_t)peer_get16(p) << 16 | peer_get16(p + 2);
}

static inline uint64_t peer_get64(const uint8_t *p)
{
    return (uint64_t)peer_get32(p) << 32 | peer_get32(p + 4);
}

/* Seeded generator (splitmix64): the same seed gives the same media, the same losses. Keys and
 * passwords come from OpenSSL instead. */
struct peer_rng {
    uint64_t state;
};

static inline uint64_t peer_rng_next(struct peer_rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15U;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

/* Uniform in [0, 1). */
static inline double peer_rng_unit(struct peer_rng *r)
{
    return (double)(peer_rng_next(r) >> 11) * 0x1p-53;
}

/* Text in a caller's buffer, always terminated; over is set when something did not fit. */
struct peer_text {
    char *buf;
    size_t len;
    size_t cap;
    bool over;
};

__attribute__((format(printf, 2, 3))) static inline void peer_text_add(struct peer_text *t,
                                                                       const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= t->cap - t->len) {
        t->over = true;
        return;
    }
    t->len += (size_t)n;
}

#endif
