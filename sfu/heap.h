/* SPDX-License-Identifier: Apache-2.0 */
/* heap.h - gives memory back that sessions have left: OpenSSL's buffers at once, the rest when it
 * is calm. Role MAIN. */
#ifndef SFU_HEAP_H
#define SFU_HEAP_H

#include "rtp/base.h"

struct heap {
    uint64_t ended;       /* sessions, when the heap was last trimmed */
    uint64_t added, gone; /* sessions that had come and ended at the last look */
    unsigned looks;       /* since the heap was last trimmed */
};

/* Before threads start: blocks as large as a handshake's buffers become mappings of their own,
 * which go back to the kernel with free(3), 30 s after the handshake; in a heap they would keep the
 * tide mark of every join there ever was. */
void heap_init(void);

/* Every five seconds, with the counts of sessions added and ended so far. True when many have ended
 * since the last time and hardly any came since the last look: heap_trim holds the lock of every
 * arena for some milliseconds, which only joins would feel. Where it is never calm, once a minute
 * all the same, else the heaps keep the holes of every session there was; and for the last few
 * sessions, when nobody comes or goes any more. */
bool heap_is_due(struct heap *h, uint64_t added, uint64_t ended);
/* Gives free pages of all threads' heaps back. */
void heap_trim(void);

#endif
