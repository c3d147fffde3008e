/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/feed.h"

#include "sfu/record.h"
#include "sfu/ring.h"
#include "sfu/router.h"

/* Bytes a tick: 8 MB, the most that is kept, take 160 ms. */
#define FEED_BYTES (512u << 10)

void feed_begin(struct router *r, struct encoding *e, int worker)
{
    bool needed = e->open && (encoding_is_scarce(e) || keyframes_untested(&e->keys));
    uint64_t entry = needed ? e->hist.entry_arrival : 0;
    const struct hist_slot *slot = entry ? history_arrived(&e->hist, entry - 1) : NULL;
    if (!slot || !history_bytes(&e->hist, slot)) {
        return;
    }
    /* Another that is being fed just now starts over with this one: what it has it drops. */
    e->feeding |= 1ULL << worker;
    e->feed_at = entry - 1;
    feed_tick(r, e);
}

/* Copies one stored packet to all that are being fed. False if one of them has no room. */
static bool put(struct router *r, const struct encoding *e, const struct hist_slot *slot,
                const uint8_t *bytes)
{
    const struct hist_in in = {
        .seq = slot->seq,
        .ts = slot->ts,
        .arrival_us = slot->arrival_us,
        .marker = slot->flags & HIST_MARKER,
        .codec = slot->codec,
        .map_gen = slot->map_gen,
        .desc = &slot->desc,
        .ext = bytes,
        .ext_len = slot->ext_len,
        .payload = bytes + slot->ext_len,
        .payload_len = slot->payload_len,
    };
    bool all = true;
    for (uint64_t todo = e->feeding; todo; todo &= todo - 1) {
        int w = __builtin_ctzll(todo);
        if (record_put_packet(r->p.to_worker[w], e, &in)) {
            r->ring_wakes |= 1ULL << w;
        } else {
            all = false;
        }
    }
    return all;
}

void feed_tick(struct router *r, struct encoding *e)
{
    uint32_t sent = 0;
    e->feeding &= e->track->stream->wanted_by;
    while (e->feeding && sent < FEED_BYTES) {
        if (e->feed_at >= e->hist.arrivals) {
            e->feeding = 0; /* from now on it gets packets as they come */
            return;
        }
        const struct hist_slot *slot = history_arrived(&e->hist, e->feed_at);
        const uint8_t *bytes = slot ? history_bytes(&e->hist, slot) : NULL;
        if (bytes && !put(r, e, slot, bytes)) {
            return; /* the same packet again next time; who has it already drops it */
        }
        sent += slot ? slot->payload_len : 0U;
        e->feed_at++;
    }
}
