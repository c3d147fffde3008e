/* SPDX-License-Identifier: Apache-2.0 */
/* brain.h - what a viewer's network carries, and which layers it gets for it: gathers what is known
 * of its streams and its network, lets alloc.h decide, and tells each sub what to aim at. One a
 * viewer. Role MEDIA; not on the packet path. */
#ifndef SFU_BRAIN_H
#define SFU_BRAIN_H

#include "sfu/alloc.h"

struct peer;
struct sub;

/* Of one viewer; owned by its peer. */
struct brain {
    struct alloc alloc;
    struct alloc_needs needs; /* at the last decision */
};

/* Looks at all sections of viewer p again and sets what they aim at: tracks came or went, layers
 * did, the viewer wished, the network changed, or 100 ms are over. Harmless for publishers. */
void brain_look(struct peer *p, int64_t now_us);

#endif
