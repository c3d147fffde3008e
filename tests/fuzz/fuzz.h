/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what the fuzz targets share. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/exact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static inline void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* An input of packets: each behind a byte of time (units of 50 ms) and two bytes of length. */
struct fuzz_packets {
    const uint8_t *data;
    size_t len;
    int64_t now_us; /* moved on by each packet's time */
};

/* The next packet in a heap block of its size, which the caller frees; NULL at the end. */
static inline uint8_t *fuzz_next_packet(struct fuzz_packets *in, size_t *ret_len)
{
    if (in->len < 3) {
        return NULL;
    }
    in->now_us += in->data[0] * 50000LL;
    size_t n = (size_t)in->data[1] << 8 | in->data[2];
    in->data += 3;
    in->len -= 3;
    n = n < in->len ? n : in->len;
    uint8_t *copy = exact_copy(in->data, n);
    in->data += n;
    in->len -= n;
    *ret_len = n;
    return copy;
}

#endif
