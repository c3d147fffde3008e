/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_rx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPARSE_US      1000000
#define NACK_FIRST_US  5000 /* reordering is no loss yet */
#define NACK_REPEAT_US 60000
#define NACK_TRIES_MAX 10
#define KEY_FIRST_US   1000000
#define KEY_REPEAT_US  1000000
#define JUMP_MAX       16384

int peer_rx_init(struct peer_rx *r, size_t ring)
{
    r->slots = calloc(ring, sizeof(*r->slots));
    r->mask = ring - 1;
    return r->slots ? 0 : -ENOMEM;
}

void peer_rx_fini(struct peer_rx *r)
{
    free(r->slots);
    r->slots = NULL;
}

bool peer_rx_wants(const struct peer_rx *r, int64_t now_us)
{
    if (!r->sparse || !r->started) {
        return true;
    }
    return (r->video && !r->key_seen) || now_us - r->opened_us >= SPARSE_US;
}

static void fault(struct peer_rx *r, enum peer_fault f)
{
    r->stats->faults[f]++;
}

/* ---- the walk: consecutive packets a, b of the media SSRC ---- */

/* A frame without its end, since what follows is the key frame of another layer or publisher; of
 * packets that were not opened that cannot be known. */
static bool is_cut(const struct peer_rx_slot *a, const struct peer_rx_slot *b)
{
    if (!(a->flags & b->flags & RX_OPENED)) {
        return true;
    }
    return (a->layer != b->layer || a->stream != b->stream) && b->flags & RX_KEY && !b->pkt;
}

static void check_boundary(struct peer_rx *r, const struct peer_rx_slot *a,
                           const struct peer_rx_slot *b)
{
    if ((int32_t)(b->ts - a->ts) < 0) {
        fault(r, PEER_FAULT_TIMESTAMP);
    }
    bool same = b->ts == a->ts, marked = a->flags & RX_MARKER;
    if (r->video && (same ? marked : !marked && !is_cut(a, b))) {
        fault(r, PEER_FAULT_MARKER);
    }
    if (!r->video && b->ts == a->ts) {
        fault(r, PEER_FAULT_TIMESTAMP);
    }
}

static void check_ids(struct peer_rx *r, const struct peer_rx_slot *a, const struct peer_rx_slot *b)
{
    bool same = b->ts == a->ts;

    if (a->flags & b->flags & RX_PIC_ID) {
        unsigned want = same ? a->pic_id : (a->pic_id + 1U) & 0x7fff;
        if (b->pic_id != want) {
            fault(r, PEER_FAULT_PICTURE_ID);
        }
    }
    if (a->flags & b->flags & RX_TL0) {
        uint8_t want = (uint8_t)(same || b->tid ? a->tl0 : a->tl0 + 1);
        if (b->tl0 != want) {
            fault(r, PEER_FAULT_TL0);
        }
    }
}

static void check_frame(struct peer_rx *r, const struct peer_rx_slot *a,
                        const struct peer_rx_slot *b)
{
    bool other_layer = a->layer != b->layer, other_source = a->stream != b->stream;

    if (other_layer || other_source) {
        r->stats->layer_switches += other_layer && !other_source;
        r->stats->source_switches += other_source;
        if (r->video && (!(b->flags & RX_KEY) || b->pkt)) {
            fault(r, PEER_FAULT_SWITCH);
        }
        return;
    }
    if (a->ts == b->ts) {
        if (b->frame != a->frame || b->pkt != a->pkt + 1) {
            fault(r, PEER_FAULT_ORDER);
        }
        return;
    }
    if (b->pkt || a->pkt + 1 != a->n_pkts || (int32_t)(b->frame - a->frame) <= 0) {
        fault(r, PEER_FAULT_ORDER);
    } else {
        r->stats->frames_skipped += b->frame - a->frame - 1;
    }
}

static void note_frame(struct peer_rx *r, const struct peer_rx_slot *b, int64_t now_us)
{
    if (!(b->flags & RX_OPENED)) {
        r->chain_ok = false;
        r->stats->frames += r->video && b->flags & RX_MARKER && r->last_valid;
        return;
    }
    r->chain_ok = b->pkt == 0 || (r->chain_ok && r->last_valid);
    if (!r->chain_ok || b->pkt + 1 != b->n_pkts) {
        return;
    }
    r->stats->frames++;
    if (r->video && b->flags & RX_KEY) {
        r->stats->keyframes++;
        r->key_seen = true;
        r->key_lost = false;
        if (!r->stats->first_keyframe_us) {
            r->stats->first_keyframe_us = now_us;
        }
    }
}

static void walk_over(struct peer_rx *r, const struct peer_rx_slot *b, int64_t now_us)
{
    if (b->flags & RX_PADDING) {
        return; /* continuity is judged between media packets */
    }
    if (r->last_valid) {
        check_boundary(r, &r->last, b);
        if (r->last.flags & b->flags & RX_OPENED) {
            check_ids(r, &r->last, b);
            check_frame(r, &r->last, b);
        }
    }
    note_frame(r, b, now_us);
    r->last = *b;
    r->last_valid = true;
}

static void drop_nacks_before(struct peer_rx *r, uint64_t seq)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < r->n_nacks; i++) {
        if (r->nacks[i].seq >= seq) {
            r->nacks[kept++] = r->nacks[i];
        }
    }
    r->n_nacks = kept;
}

static void give_up_one(struct peer_rx *r)
{
    r->stats->lost++;
    r->stats->lost_video += r->video;
    r->last_valid = false;
    r->chain_ok = false;
    r->key_lost = true;
    r->next++;
}

static void walk(struct peer_rx *r, int64_t now_us)
{
    while (r->next <= r->highest) {
        const struct peer_rx_slot *s = &r->slots[r->next & r->mask];
        if (!(s->flags & RX_GOT) || s->seq != r->next) {
            return;
        }
        walk_over(r, s, now_us);
        r->next++;
    }
}

void peer_rx_on_time(struct peer_rx *r, int64_t now_us)
{
    while (r->n_nacks && now_us - r->nacks[0].since_us >= r->give_up_us) {
        uint64_t seq = r->nacks[0].seq;
        while (r->next < seq) {
            /* cannot happen while the list is complete; after its overflow holes have no entry */
            const struct peer_rx_slot *s = &r->slots[r->next & r->mask];
            if (s->flags & RX_GOT && s->seq == r->next) {
                walk(r, now_us);
            } else {
                give_up_one(r);
            }
        }
        if (r->next == seq) {
            give_up_one(r);
        }
        drop_nacks_before(r, seq + 1);
        walk(r, now_us);
    }
}

/* ---- arrival ---- */

/* The extended number nearest to the highest one. */
static uint64_t extend(const struct peer_rx *r, uint16_t seq)
{
    return r->highest + (uint64_t)(int64_t)(int16_t)(seq - (uint16_t)r->highest);
}

static void note_gap(struct peer_rx *r, uint64_t from, uint64_t to, int64_t now_us)
{
    for (uint64_t s = from; s < to; s++) {
        r->stats->missing++;
        r->stats->missing_video += r->video;
        if (r->n_nacks < PEER_RX_NACKS_MAX) {
            r->nacks[r->n_nacks++] = (struct peer_rx_nack){.seq = s, .since_us = now_us};
        }
    }
}

static void start(struct peer_rx *r, uint16_t seq)
{
    r->started = true;
    r->first = r->next = 65536 + (uint64_t)seq; /* room for late ones below */
    r->highest = r->first - 1;
}

/* Keeps the ring from being overrun: what the walk still waits for is given up. */
static void make_room(struct peer_rx *r, uint64_t seq, int64_t now_us)
{
    while (r->next + r->mask < seq) {
        const struct peer_rx_slot *s = &r->slots[r->next & r->mask];
        if (s->flags & RX_GOT && s->seq == r->next) {
            walk_over(r, s, now_us);
            r->next++;
        } else {
            give_up_one(r);
        }
    }
    drop_nacks_before(r, r->next);
    walk(r, now_us);
}

static void note_jitter(struct peer_rx *r, const struct peer_rtp *rtp, int64_t now_us)
{
    int64_t clock = peer_codec_info(r->codec)->clock_hz;
    int64_t transit = now_us * clock / 1000000 - rtp->ts;
    int64_t d = (int32_t)(uint32_t)(transit - r->transit);

    if (r->received > 1) {
        d = d < 0 ? -d : d;
        r->jitter_q4 = (uint32_t)(r->jitter_q4 + d - ((r->jitter_q4 + 8) >> 4));
    }
    r->transit = transit;
}

static void verify(struct peer_rx *r, const struct peer_rtp *rtp, struct peer_rx_slot *s,
                   struct peer_embed *ret_embed, bool *ret_has_embed)
{
    struct peer_desc d;

    switch (peer_media_read(r->codec, rtp->payload, rtp->payload_len, &d, ret_embed)) {
    case PEER_MEDIA_OK:
        break;
    case PEER_MEDIA_DESCRIPTOR:
        fault(r, PEER_FAULT_DESCRIPTOR);
        return;
    case PEER_MEDIA_HEADER:
        fault(r, PEER_FAULT_HEADER);
        return;
    case PEER_MEDIA_CHECKSUM:
        fault(r, PEER_FAULT_CHECKSUM);
        return;
    }
    *ret_has_embed = true;
    s->flags = (uint8_t)(s->flags | RX_OPENED | (ret_embed->keyframe ? RX_KEY : 0) |
                         (d.has_pic_id ? RX_PIC_ID : 0) | (d.has_tl0 ? RX_TL0 : 0));
    s->pic_id = d.pic_id;
    s->tl0 = d.tl0;
    s->tid = ret_embed->tid;
    s->layer = ret_embed->layer;
    s->frame = ret_embed->frame;
    s->stream = ret_embed->stream;
    s->pkt = ret_embed->pkt;
    s->n_pkts = ret_embed->n_pkts;
}

static void forget_nack(struct peer_rx *r, uint64_t seq)
{
    for (unsigned i = 0; i < r->n_nacks; i++) {
        if (r->nacks[i].seq == seq) {
            memmove(&r->nacks[i], &r->nacks[i + 1], (r->n_nacks - i - 1) * sizeof(r->nacks[0]));
            r->n_nacks--;
            return;
        }
    }
}

/* Sorts a number below the walk: here already, or given up. */
static enum peer_rx_result judge_old(const struct peer_rx *r, uint64_t seq)
{
    const struct peer_rx_slot *s = &r->slots[seq & r->mask];

    return s->flags & RX_GOT && s->seq == seq ? PEER_RX_DUPLICATE : PEER_RX_LATE;
}

enum peer_rx_result peer_rx_packet(struct peer_rx *r, const struct peer_rtp *rtp, uint16_t seq,
                                   bool opened, bool rtx, int64_t now_us,
                                   struct peer_embed *ret_embed, bool *ret_has_embed)
{
    *ret_has_embed = false;
    if (!r->started) {
        start(r, seq);
    }
    uint64_t ext = extend(r, seq);
    struct peer_rx_slot *s = &r->slots[ext & r->mask];
    bool here = s->flags & RX_GOT && s->seq == ext;
    if (ext < r->next || here) {
        return here ? PEER_RX_DUPLICATE : judge_old(r, ext);
    }
    if (ext > r->highest) {
        if (ext - r->highest > JUMP_MAX) {
            fault(r, PEER_FAULT_ORDER);
        }
        note_gap(r, r->highest + 1, ext, now_us);
        r->highest = ext;
        make_room(r, ext, now_us);
    } else {
        forget_nack(r, ext);
        r->stats->recovered++;
    }
    r->received++;
    *s = (struct peer_rx_slot){
        .seq = ext,
        .ts = rtp->ts,
        .flags = (uint8_t)(RX_GOT | (rtp->marker ? RX_MARKER : 0)),
    };
    if (opened && !rtp->payload_len) {
        s->flags |= RX_PADDING;
        r->stats->padding++;
    } else if (opened) {
        r->stats->opened++;
        r->opened_us = now_us;
        verify(r, rtp, s, ret_embed, ret_has_embed);
    }
    if (!rtx) {
        note_jitter(r, rtp, now_us);
    }
    walk(r, now_us);
    return PEER_RX_NEW;
}

/* ---- feedback ---- */

unsigned peer_rx_nacks(struct peer_rx *r, int64_t now_us, uint16_t *out, unsigned cap)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->n_nacks && n < cap; i++) {
        struct peer_rx_nack *k = &r->nacks[i];
        int64_t due = k->asked_us ? k->asked_us + NACK_REPEAT_US : k->since_us + NACK_FIRST_US;
        if (now_us >= due && k->tries < NACK_TRIES_MAX) {
            k->asked_us = now_us;
            k->tries++;
            out[n++] = (uint16_t)k->seq;
        }
    }
    return n;
}

int64_t peer_rx_deadline(const struct peer_rx *r, bool nack)
{
    int64_t due = INT64_MAX;

    for (unsigned i = 0; i < r->n_nacks; i++) {
        const struct peer_rx_nack *k = &r->nacks[i];
        int64_t t = k->since_us + r->give_up_us;
        if (nack && k->tries < NACK_TRIES_MAX) {
            int64_t ask = k->asked_us ? k->asked_us + NACK_REPEAT_US : k->since_us + NACK_FIRST_US;
            t = ask < t ? ask : t;
        }
        due = t < due ? t : due;
    }
    return due;
}

bool peer_rx_needs_key(struct peer_rx *r, int64_t now_us, int64_t up_us)
{
    bool never = !r->key_seen && now_us - up_us >= KEY_FIRST_US;

    if (!r->video || (!never && !(r->key_lost && !r->sparse))) {
        return false;
    }
    if (r->asked_key_us && now_us - r->asked_key_us < KEY_REPEAT_US) {
        return false;
    }
    r->asked_key_us = now_us;
    return true;
}

void peer_rx_on_sr(struct peer_rx *r, uint64_t ntp, int64_t now_us)
{
    r->last_sr = (uint32_t)(ntp >> 16);
    r->last_sr_us = now_us;
}

void peer_rx_report(struct peer_rx *r, struct peer_report *ret, int64_t now_us)
{
    uint64_t expected = r->started ? r->highest - r->first + 1 : 0;
    uint64_t due = expected - r->expected_prior, got = r->received - r->received_prior;

    *ret = (struct peer_report){
        .ssrc = r->ssrc,
        .fraction_lost = (uint8_t)(due && due > got ? ((due - got) << 8) / due : 0),
        .total_lost = (int32_t)(expected - r->received),
        .highest_seq = (uint32_t)(r->highest - 65536),
        .jitter = r->jitter_q4 >> 4,
        .lsr = r->last_sr,
        .dlsr = r->last_sr ? (uint32_t)((now_us - r->last_sr_us) * 65536 / 1000000) : 0,
    };
    r->expected_prior = expected;
    r->received_prior = r->received;
}

unsigned peer_rx_open_gaps(const struct peer_rx *r)
{
    uint64_t open = 0;

    for (uint64_t s = r->next; r->started && s <= r->highest; s++) {
        const struct peer_rx_slot *slot = &r->slots[s & r->mask];
        open += !(slot->flags & RX_GOT && slot->seq == s);
    }
    return (unsigned)open;
}
