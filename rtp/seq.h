/* SPDX-License-Identifier: Apache-2.0 */
/* seq.h - 16-bit sequence numbers and 32-bit timestamps made 64 bit. Pure; any thread. */
#ifndef RTP_SEQ_H
#define RTP_SEQ_H

#include "rtp/base.h"

/* The 64-bit number nearest to ref whose low 16 bits are seq16; never below 0x10000 lower than ref,
 * never negative (ref below 0x8000 unwraps forward only). RFC 3711 3.3.1 uses the same rule. */
static inline uint64_t seq_unwrap(uint64_t ref, uint16_t seq16)
{
    int16_t diff = (int16_t)(uint16_t)(seq16 - (uint16_t)ref);
    if (diff < 0 && (uint64_t)(-(int32_t)diff) > ref) {
        return ref + (uint16_t)(seq16 - (uint16_t)ref);
    }
    return ref + (uint64_t)(int64_t)diff;
}

/* True when a comes after b on the 16-bit circle. */
static inline bool seq16_after(uint16_t a, uint16_t b)
{
    return (int16_t)(uint16_t)(a - b) > 0;
}

/* Signed distance a - b of two RTP timestamps on the 32-bit circle. */
static inline int32_t ts_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

#endif
