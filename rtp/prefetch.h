/* SPDX-License-Identifier: Apache-2.0 */
/* prefetch.h - brings memory near before it is needed. Changes nothing, never faults, and costs
 * less than waiting for one line. Any thread. */
#ifndef RTP_PREFETCH_H
#define RTP_PREFETCH_H

#include "rtp/base.h"

#define PREFETCH_LINE 64

/* The lines that hold from[0..bytes); from need not point to anything. */
static inline void prefetch_bytes(const void *from, size_t bytes)
{
    uintptr_t end = (uintptr_t)from + bytes;
    for (uintptr_t at = (uintptr_t)from & ~(uintptr_t)(PREFETCH_LINE - 1); at < end;
         at += PREFETCH_LINE) {
        __builtin_prefetch((const void *)at);
    }
}

#endif
