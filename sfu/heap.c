/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/heap.h"

#include <malloc.h>

/* OpenSSL's buffers for reading, writing and handshake messages are 16 KiB and more each. A page is
 * the least that a mapping takes: smaller blocks are better off in the heap. */
#define OWN_MAPPING_BYTES (12 << 10)
#define ENDED_MIN         64 /* sessions */
#define ENDED_QUIET_MIN   8  /* the same when all is quiet */
#define ADDED_MAX         4  /* since the last look */
#define LOOKS_MAX         12 /* without calm */

void heap_init(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
    (void)mallopt(M_TOP_PAD, 0); /* what a heap has in reserve is used before a mapping is made */
}

bool heap_is_due(struct heap *h, uint64_t added, uint64_t ended)
{
    bool calm = added - h->added <= ADDED_MAX;
    bool quiet = added == h->added && ended == h->gone;
    h->added = added;
    h->gone = ended;
    h->looks++;
    if (ended - h->ended < (quiet ? ENDED_QUIET_MIN : ENDED_MIN) ||
        (!calm && h->looks < LOOKS_MAX)) {
        return false;
    }
    h->ended = ended;
    h->looks = 0;
    return true;
}

void heap_trim(void)
{
    (void)malloc_trim(0);
}
