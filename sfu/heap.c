/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/heap.h"

#include <malloc.h>

/* OpenSSL's buffers for reading, writing and handshake messages are 16 KiB and more each. A page is
 * the least that a mapping takes: smaller blocks are better off in the heap. */
#define OWN_MAPPING_BYTES (12 << 10)
#define ENDED_MIN         64 /* sessions */
#define ADDED_MAX         4  /* since the last look */

void heap_init(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
    (void)mallopt(M_TOP_PAD, 0); /* what a heap has in reserve is used before a mapping is made */
}

bool heap_is_due(struct heap *h, uint64_t added, uint64_t ended)
{
    bool calm = added - h->added <= ADDED_MAX;
    h->added = added;
    if (!calm || ended - h->ended < ENDED_MIN) {
        return false;
    }
    h->ended = ended;
    return true;
}

void heap_trim(void)
{
    (void)malloc_trim(0);
}
