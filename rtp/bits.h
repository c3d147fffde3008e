/* SPDX-License-Identifier: Apache-2.0 */
/* bits.h - reads single bits of a byte string, most significant first, with a sticky error: past
 * the end every read gives 0 and `bad` stays set, so that a parser may check once at its end. Pure.
 */
#ifndef RTP_BITS_H
#define RTP_BITS_H

#include "rtp/base.h"

struct bits {
    const uint8_t *data;
    size_t len_bits;
    size_t pos_bits;
    bool bad; /* a read went past the end, or a number did not fit */
};

/* A reader over data[0..len). */
static inline struct bits bits_over(const uint8_t *data, size_t len)
{
    return (struct bits){.data = data, .len_bits = len * 8};
}

/* The next n bits, n <= 32, as an unsigned number; 0 past the end. */
static inline uint32_t bits_get(struct bits *b, unsigned n)
{
    assert(n <= 32);
    if (b->bad || n > b->len_bits - b->pos_bits) {
        b->bad = true;
        return 0;
    }
    uint32_t v = 0;
    for (unsigned i = 0; i < n; i++, b->pos_bits++) {
        v = v << 1 | (b->data[b->pos_bits / 8] >> (7 - b->pos_bits % 8) & 1);
    }
    return v;
}

/* The next bit as a flag. */
static inline bool bits_flag(struct bits *b)
{
    return bits_get(b, 1) != 0;
}

/* Passes over n bits. */
static inline void bits_skip(struct bits *b, size_t n)
{
    if (b->bad || n > b->len_bits - b->pos_bits) {
        b->bad = true;
        return;
    }
    b->pos_bits += n;
}

/* Exp-Golomb number, ue(v) of H.264 9.1; at most 2^32 - 2, larger ones are bad. AV1's uvlc() has
 * the same form. */
static inline uint32_t bits_ue(struct bits *b)
{
    unsigned zeros = 0;
    while (!b->bad && !bits_flag(b)) {
        zeros++;
    }
    if (b->bad || zeros > 31) {
        b->bad = true;
        return 0;
    }
    return ((uint32_t)1 << zeros) - 1 + bits_get(b, zeros);
}

/* Non-symmetric number below n, ns(n) of AV1 4.10.7; n >= 1. */
static inline uint32_t bits_ns(struct bits *b, uint32_t n)
{
    unsigned width = 0;
    for (uint32_t x = n; x; x >>= 1) {
        width++;
    }
    uint32_t m = (uint32_t)(((uint64_t)1 << width) - n);
    uint32_t v = bits_get(b, width - 1);
    if (v < m) {
        return v;
    }
    return (v << 1) - m + bits_get(b, 1);
}

#endif
