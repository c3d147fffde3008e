/* SPDX-License-Identifier: Apache-2.0 */
/* exact.h - for tests: copies in heap blocks of exactly their size, so that ASan sees one byte too
 * far, and repeatable random numbers. */
#ifndef TESTS_EXACT_H
#define TESTS_EXACT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* src[0..len) in a heap block of its own; the caller frees it. */
static inline uint8_t *exact_copy(const void *src, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy) {
        abort();
    }
    memcpy(copy, src, len);
    return copy;
}

/* The next of a sequence of random numbers below n; *state is its seed, not 0. */
static inline uint32_t exact_random(uint64_t *state, uint32_t n)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)((*state >> 20) % n);
}

#endif
