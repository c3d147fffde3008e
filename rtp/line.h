/* SPDX-License-Identifier: Apache-2.0 */
/* line.h - memory that begins at a line of the cache. What is visited when nothing of it is near
 * costs by the lines that it lies in: an object laid out for that must not begin in the middle of
 * one. An array keeps its objects there if their first member has _Alignas(PREFETCH_LINE). Any
 * thread. */
#ifndef RTP_LINE_H
#define RTP_LINE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/prefetch.h"

/* n objects of size bytes, n and size not 0, all zero, the first at the beginning of a line. NULL
 * when out of memory; for free(3). */
static inline void *line_calloc(size_t n, size_t size)
{
    size_t bytes = (n * size + PREFETCH_LINE - 1) / PREFETCH_LINE * PREFETCH_LINE;
    void *p = size <= SIZE_MAX / 2 / n ? aligned_alloc(PREFETCH_LINE, bytes) : NULL;
    return p ? memset(p, 0, bytes) : NULL;
}

#endif
