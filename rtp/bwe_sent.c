/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_sent.h"
#include <errno.h>
#include <stdlib.h>

int bwe_sent_init(struct bwe_sent *s, uint16_t seq0)
{
    struct bwe_sent_slot *slots = calloc(BWE_SENT_MIN, sizeof(*slots));
    if (!slots) {
        return -ENOMEM;
    }
    *s = (struct bwe_sent){.slots = slots, .mask = BWE_SENT_MIN - 1, .first = seq0, .next = seq0};
    return 0;
}

void bwe_sent_fini(struct bwe_sent *s)
{
    free(s->slots);
    s->slots = NULL;
}

bool bwe_sent_grow(struct bwe_sent *s, uint32_t pps)
{
    uint64_t len = (uint64_t)s->mask + 1;
    if (len >= BWE_SENT_MAX || (uint64_t)pps * BWE_SENT_CS <= len * 100) {
        return false;
    }
    struct bwe_sent_slot *slots = calloc(len * 2, sizeof(*slots));
    if (!slots) {
        return false;
    }
    uint64_t held = MIN(len, s->next - s->first);
    uint32_t mask = (uint32_t)(len * 2 - 1);
    for (uint64_t seq = s->next - held; seq < s->next; seq++) {
        slots[seq & mask] = s->slots[seq & s->mask];
    }
    free(s->slots);
    s->slots = slots;
    s->mask = mask;
    /* The slots behind those it held are empty: as if nothing older had been sent. */
    s->first = s->next - held;
    return true;
}
