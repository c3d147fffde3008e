/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int history_init(struct history *h, uint32_t n_slots, uint32_t n_bytes)
{
    assert((n_slots & (n_slots - 1)) == 0 && (n_bytes & (n_bytes - 1)) == 0);
    assert(n_bytes >= 2 * HISTORY_PACKET_MAX && n_slots >= 2 * HISTORY_GAP_MAX);
    memset(h, 0, sizeof(*h));
    h->slots = calloc(n_slots, sizeof(*h->slots));
    h->order = calloc(n_slots, sizeof(*h->order));
    /* lint: allow BANNED made when a track opens, not on the packet path */
    h->bytes = malloc(n_bytes + HISTORY_PACKET_MAX);
    if (!h->slots || !h->order || !h->bytes) {
        history_fini(h);
        return -ENOMEM;
    }
    h->n_slots = n_slots;
    h->n_bytes = n_bytes;
    for (uint32_t i = 0; i < n_slots; i++) {
        h->slots[i].seq = HIST_NO_SEQ;
    }
    h->top_seq = HIST_NO_SEQ;
    return 0;
}

void history_fini(struct history *h)
{
    free(h->slots); /* lint: allow BANNED history_init made it */
    free(h->order); /* lint: allow BANNED history_init made it */
    free(h->bytes); /* lint: allow BANNED history_init made it */
    memset(h, 0, sizeof(*h));
}

static struct hist_slot *slot_of(const struct history *h, uint64_t seq)
{
    return &h->slots[seq & (h->n_slots - 1)];
}

/* How long ago the oldest packet came that is there with its bytes (bytes), or with its slot alone.
 */
static int64_t reach_us(const struct history *h, int64_t now_us, bool bytes)
{
    for (uint64_t n = h->arrivals - MIN(h->arrivals, (uint64_t)h->n_slots); n < h->arrivals; n++) {
        const struct hist_slot *s = history_arrived(h, n);
        if (s && (!bytes || history_bytes(h, s))) {
            return now_us - s->arrival_us;
        }
    }
    return 0;
}

static int grow_bytes(struct history *h)
{
    uint32_t n_bytes = h->n_bytes * 2;
    /* lint: allow BANNED once a second at most */
    uint8_t *bytes = malloc(n_bytes + HISTORY_PACKET_MAX);
    if (!bytes) {
        return -ENOMEM;
    }
    for (uint64_t n = h->arrivals - MIN(h->arrivals, (uint64_t)h->n_slots); n < h->arrivals; n++) {
        const struct hist_slot *s = history_arrived(h, n);
        const uint8_t *from = s ? history_bytes(h, s) : NULL;
        if (from) {
            memcpy(bytes + (s->pos & (n_bytes - 1)), from, (size_t)s->ext_len + s->payload_len);
        }
    }
    uint64_t kept = MIN(h->write_pos, (uint64_t)h->n_bytes - HISTORY_PACKET_MAX);
    h->valid_from = MAX(h->valid_from, h->write_pos - kept);
    free(h->bytes); /* lint: allow BANNED the old ring */
    h->bytes = bytes;
    h->n_bytes = n_bytes;
    return 0;
}

static int grow_slots(struct history *h)
{
    uint32_t n_slots = h->n_slots * 2;
    struct hist_slot *slots = calloc(n_slots, sizeof(*slots));
    uint32_t *order = calloc(n_slots, sizeof(*order));
    if (!slots || !order) {
        free(slots); /* lint: allow BANNED half of what was asked for */
        free(order); /* lint: allow BANNED half of what was asked for */
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < n_slots; i++) {
        slots[i].seq = HIST_NO_SEQ;
    }
    for (uint32_t i = 0; i < h->n_slots; i++) {
        if (h->slots[i].seq != HIST_NO_SEQ) {
            slots[h->slots[i].seq & (n_slots - 1)] = h->slots[i];
        }
    }
    /* What has been overwritten points at a slot that has never held that arrival. */
    for (uint64_t n = h->arrivals - MIN(h->arrivals, (uint64_t)h->n_slots); n < h->arrivals; n++) {
        const struct hist_slot *s = history_arrived(h, n);
        order[n & (n_slots - 1)] = s ? (uint32_t)(s->seq & (n_slots - 1)) : 0;
    }
    free(h->slots); /* lint: allow BANNED the old ones */
    free(h->order); /* lint: allow BANNED the old ones */
    h->slots = slots;
    h->order = order;
    h->n_slots = n_slots;
    return 0;
}

/* True when so much room will not do for want_us, of which `used` (ever) reaches back reach_us. It
 * is told before the room is full: the oldest may be the one key frame there is. */
static bool is_short(uint64_t used, uint32_t room, int64_t reach_us, int64_t want_us)
{
    return reach_us < want_us && used >= room / 2 &&
           reach_us * room / (int64_t)MIN(used, (uint64_t)room) < want_us;
}

int history_fit(struct history *h, int64_t now_us, int64_t want_us, uint32_t max_bytes,
                uint32_t max_slots)
{
    int err = 0;
    if (h->n_bytes < max_bytes &&
        is_short(h->write_pos, h->n_bytes, reach_us(h, now_us, true), want_us)) {
        err = grow_bytes(h);
    }
    if (!err && h->n_slots < max_slots &&
        is_short(h->arrivals, h->n_slots, reach_us(h, now_us, false), want_us)) {
        err = grow_slots(h);
    }
    return err;
}

int history_match(struct history *h, uint32_t n_slots, uint32_t n_bytes)
{
    int err = 0;
    while (!err && h->n_bytes < n_bytes) {
        err = grow_bytes(h);
    }
    while (!err && h->n_slots < n_slots) {
        err = grow_slots(h);
    }
    return err;
}

void history_reset(struct history *h)
{
    for (uint32_t i = 0; i < h->n_slots; i++) {
        h->slots[i].seq = HIST_NO_SEQ;
        h->slots[i].flags = 0;
    }
    h->top_seq = HIST_NO_SEQ;
    h->has_pic = false;
    h->entry_arrival = 0;
    h->resets++;
}

/* Gives numbers to the packets between top_seq and seq, which may still come. */
static void reserve_gap(struct history *h, uint64_t seq)
{
    for (uint64_t g = h->top_seq + 1; g < seq; g++) {
        struct hist_slot *s = slot_of(h, g);
        s->seq = g;
        s->flags = 0;
        for (unsigned d = 0; d < DT_MAX; d++) {
            s->rank[d] = h->next_rank[d]++;
        }
    }
}

/* Copies the bytes in. A packet never wraps inside the ring: HISTORY_PACKET_MAX spare bytes lie
 * behind its end. */
static void store_bytes(struct history *h, struct hist_slot *s, const struct hist_in *in)
{
    s->pos = h->write_pos;
    uint8_t *to = h->bytes + (s->pos & (h->n_bytes - 1));
    if (in->ext_len) {
        memcpy(to, in->ext, in->ext_len);
    }
    if (in->payload_len) {
        memcpy(to + in->ext_len, in->payload, in->payload_len);
    }
    h->write_pos += (uint64_t)in->ext_len + in->payload_len;
}

/* Pictures left out before the newest packet. */
static void count_skips(struct history *h, struct hist_slot *s, const struct pkt_desc *desc)
{
    if (desc->dt_mask && h->has_pic && desc->pic_id != h->pic_id) {
        for (unsigned d = 0; d < HISTORY_CUTS; d++) {
            h->next_skip[d] = (uint16_t)(h->next_skip[d] + !((h->pic_mask >> d) & 1));
        }
    }
    if (desc->dt_mask) {
        h->has_pic = true;
        h->pic_id = desc->pic_id;
        h->pic_mask = desc->dt_mask;
    }
    memcpy(s->skip, h->next_skip, sizeof(s->skip));
}

/* The same for one that comes late: whatever lies between it and the next packet that is there has
 * been counted as present, so both have as many left out before them. */
static void copy_skips(const struct history *h, struct hist_slot *s)
{
    memcpy(s->skip, h->next_skip, sizeof(s->skip));
    for (uint64_t g = s->seq + 1; g <= h->top_seq; g++) {
        const struct hist_slot *next = slot_of(h, g);
        if (next->seq == g && (next->flags & HIST_PRESENT) && next->desc.dt_mask) {
            memcpy(s->skip, next->skip, sizeof(s->skip));
            return;
        }
    }
}

int history_put(struct history *h, const struct hist_in *in)
{
    if ((size_t)in->ext_len + in->payload_len > HISTORY_PACKET_MAX) {
        return -EMSGSIZE;
    }
    if (h->top_seq != HIST_NO_SEQ &&
        (in->seq > h->top_seq + HISTORY_GAP_MAX || in->seq + h->n_slots <= h->top_seq)) {
        if (in->seq < h->top_seq) {
            return -EALREADY;
        }
        history_reset(h);
    }
    struct hist_slot *s = slot_of(h, in->seq);
    bool late = h->top_seq != HIST_NO_SEQ && in->seq <= h->top_seq;
    if (late && (s->seq != in->seq || (s->flags & HIST_PRESENT))) {
        return -EALREADY; /* there already, or from before the history began */
    }
    if (!late) {
        if (h->top_seq != HIST_NO_SEQ) {
            reserve_gap(h, in->seq);
        }
        h->top_seq = in->seq;
        s->seq = in->seq;
        for (unsigned d = 0; d < DT_MAX; d++) {
            s->rank[d] = h->next_rank[d];
            h->next_rank[d] = (uint16_t)(h->next_rank[d] + ((in->desc->dt_mask >> d) & 1));
        }
        count_skips(h, s, in->desc);
    } else {
        copy_skips(h, s);
    }
    s->arrival = h->arrivals;
    s->arrival_us = in->arrival_us;
    s->ts = in->ts;
    s->payload_len = (uint16_t)in->payload_len;
    s->ext_len = in->ext_len;
    s->flags = (uint8_t)(HIST_PRESENT | (in->marker ? HIST_MARKER : 0));
    s->codec = in->codec;
    s->map_gen = in->map_gen;
    s->desc = *in->desc;
    store_bytes(h, s, in);
    h->order[h->arrivals & (h->n_slots - 1)] = (uint32_t)(in->seq & (h->n_slots - 1));
    h->arrivals++;
    if (in->desc->flags & DESC_ENTRY) {
        h->entry_arrival = h->arrivals;
    }
    return 0;
}

const struct hist_slot *history_arrived(const struct history *h, uint64_t n)
{
    if (n >= h->arrivals || n + h->n_slots < h->arrivals) {
        return NULL;
    }
    const struct hist_slot *s = &h->slots[h->order[n & (h->n_slots - 1)]];
    /* A gap takes slots without arrivals: the slot may hold a newer packet by now. */
    return s->seq != HIST_NO_SEQ && (s->flags & HIST_PRESENT) && s->arrival == n ? s : NULL;
}

const struct hist_slot *history_at(const struct history *h, uint64_t seq)
{
    const struct hist_slot *s = slot_of(h, seq);
    return s->seq == seq && (s->flags & HIST_PRESENT) ? s : NULL;
}

const struct hist_slot *history_newest(const struct history *h)
{
    return h->top_seq == HIST_NO_SEQ ? NULL : slot_of(h, h->top_seq);
}

/* The last slot of that rank, stored, or NULL. */
static const struct hist_slot *last_of_rank(const struct history *h, unsigned dt, uint16_t rank)
{
    if (h->top_seq == HIST_NO_SEQ) {
        return NULL;
    }
    /* Ranks do not fall as sequence numbers rise: look for the last slot whose distance below the
     * newest rank is at least the wanted one. */
    uint16_t newest = h->next_rank[dt];
    uint16_t want = (uint16_t)(newest - rank);
    if (want == 0 || want > h->n_slots) {
        return NULL;
    }
    uint64_t reach = MIN(h->top_seq, (uint64_t)h->n_slots - 1);
    uint64_t low = h->top_seq - reach, high = h->top_seq;
    while (low < high) {
        uint64_t mid = low + (high - low + 1) / 2;
        const struct hist_slot *s = slot_of(h, mid);
        if (s->seq != mid || (uint16_t)(newest - s->rank[dt]) >= want) {
            low = mid; /* empty slots lie before the history's beginning */
        } else {
            high = mid - 1;
        }
    }
    const struct hist_slot *s = slot_of(h, low);
    return s->seq == low && s->rank[dt] == rank && (s->flags & HIST_PRESENT) ? s : NULL;
}

const struct hist_slot *history_find(const struct history *h, unsigned dt, uint16_t rank)
{
    const struct hist_slot *s = last_of_rank(h, dt, rank);
    return s && ((s->desc.dt_mask >> dt) & 1) ? s : NULL;
}

bool history_is_hole(const struct history *h, unsigned dt, uint16_t rank)
{
    /* Packets outside the target share the rank of the next one inside, so the last one is outside
     * only where a number had been kept for it. */
    const struct hist_slot *s = last_of_rank(h, dt, rank);
    return s && !((s->desc.dt_mask >> dt) & 1);
}

const uint8_t *history_bytes(const struct history *h, const struct hist_slot *s)
{
    /* The spare bytes at the ring's end are overwritten only together with its last packet. */
    if (s->pos < h->valid_from || h->write_pos - s->pos > h->n_bytes - HISTORY_PACKET_MAX) {
        return NULL;
    }
    return h->bytes + (s->pos & (h->n_bytes - 1));
}
