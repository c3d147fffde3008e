/* SPDX-License-Identifier: Apache-2.0 */
/* sub_send.c - the viewer's half of the packet path: gate, rewrite, seal into the run. No
 * allocation, no log, no lock, no clock. */
#include <string.h>

#include "rtp/bytes.h"
#include "rtp/dd.h"
#include "sfu/brain.h"
#include "sfu/ingest.h"
#include "sfu/router.h"
#include "sfu/sub_send.h"

/* What is older than this when its turn comes is not sent any more: a new entry point is awaited.
 */
#define BEHIND_US (3 * US_PER_S)
/* So far behind the publisher, a paced viewer gets the base layer only until it has caught up. */
#define LAG_US (200 * US_PER_MS)
/* A key frame that has not come so soon may not come at all. */
#define YIELD_US (500 * US_PER_MS)
/* Who has got nothing for so long gets one packet beyond its share: where other streams use that
 * up, only what comes back of this one tells that the network carries more again. */
#define STARVED_US (500 * US_PER_MS)
/* All that travels on, each with the longer head, a longer dependency descriptor, MID, the hop's
 * two, the block's head and its padding. */
#define EXT_OUT_MAX (INGEST_FORWARD_EXT_MAX + 5 + 2 + API_MID_MAX + 4 + 5 + 5 + 4 + 3)

/* Extended number of slot for this viewer, and the segment it belongs to; 0 if none. */
static uint64_t number_of(const struct sub *s, const struct hist_slot *slot,
                          const struct sub_segment **ret_seg)
{
    const struct sub_segment *g = &s->seg[s->seg_top];
    int64_t out = (int64_t)s->last_out + (int16_t)(uint16_t)(slot->rank[g->dt] - s->last_rank);
    if (out < (int64_t)g->out0 && g->goes_on && s->seg_count > 1) {
        /* Late, from before the target changed. */
        out = (int64_t)g->out0 + (int16_t)(uint16_t)(slot->rank[g->prev_dt] - g->prev_rank);
        g = &s->seg[(s->seg_top + SUB_SEGMENTS - 1) % SUB_SEGMENTS];
        out = out < (int64_t)s->seg[s->seg_top].out0 ? out : 0;
    }
    *ret_seg = g;
    return out >= (int64_t)g->out0 ? (uint64_t)out : 0;
}

/* 24 bits of seconds, 6 before the point (abs-send-time). */
static uint32_t send_time(int64_t now_us)
{
    return (uint32_t)(((uint64_t)(now_us % (64 * US_PER_S)) << 18) / US_PER_S);
}

/* The dependency descriptor with the frame numbers of this viewer, and what it is sent of the
 * targets. Said with every packet until a structure says anew that all are, since any may be lost.
 * Returns its length. */
static uint8_t write_dd(const struct sub *s, const struct sub_segment *seg, const uint8_t *data,
                        uint8_t len, uint8_t out[DD_LEN_MAX])
{
    uint32_t active = seg->dd_active & s->track->enc[seg->layer].map.dd_active;
    int n = active ? dd_narrow(seg->n_dd, data, len, active, out) : 0;
    if (n <= 0) {
        memcpy(out, data, len);
        n = len;
    }
    bytes_store16(out + 1, (uint16_t)(dd_number(data, len) + seg->dd_off));
    return (uint8_t)n;
}

/* Extensions: those of the publisher that travel on (ext_len bytes at ext), with ids of this
 * viewer; MID until it has been heard; what describes this hop. seg: NULL for padding. */
static int write_ext(const struct sub *s, const struct sub_segment *seg, const uint8_t *ext,
                     size_t ext_len, int64_t now_us, uint8_t *out)
{
    bool mid = !s->mid_done && s->ml->ext.id[EXT_MID];
    uint16_t playout_cs = s->ml->kind == MEDIA_VIDEO ? s->peer->brain->playout_cs : PLAYOUT_UNSAID;
    bool bare = !ext_len && !mid && !s->stamped && playout_cs == PLAYOUT_UNSAID;
    if (bare && !s->numbered) {
        return 0;
    }
    if (bare && s->ml->ext.id[EXT_TWCC] <= EXT_SHORT_ID_MAX) {
        return ext_write_number(s->ml->ext.id[EXT_TWCC], bwe_seq16(s->peer->brain->bwe), out);
    }
    struct ext_set set = {0};
    uint8_t number[2], stamp[3], playout[3], dd[DD_LEN_MAX] UNINITIALIZED;
    for (const uint8_t *p = ext, *end = ext + ext_len; p < end; p += 2 + p[1]) {
        set.e[p[0]].data = p + 2;
        set.e[p[0]].len = p[1];
    }
    if (mid) {
        set.e[EXT_MID].data = (const uint8_t *)s->ml->mid;
        set.e[EXT_MID].len = (uint8_t)strlen(s->ml->mid);
    }
    if (s->numbered) {
        bytes_store16(number, bwe_seq16(s->peer->brain->bwe));
        set.e[EXT_TWCC].data = number;
        set.e[EXT_TWCC].len = sizeof(number);
    }
    if (s->stamped) {
        uint32_t t = send_time(now_us);
        stamp[0] = (uint8_t)(t >> 16);
        bytes_store16(stamp + 1, (uint16_t)t);
        set.e[EXT_ABS_SEND_TIME].data = stamp;
        set.e[EXT_ABS_SEND_TIME].len = sizeof(stamp);
    }
    if (playout_cs != PLAYOUT_UNSAID) {
        /* At least this, at most anything: 12 bits each. */
        playout[0] = (uint8_t)(playout_cs >> 4);
        bytes_store16(playout + 1, (uint16_t)(playout_cs << 12 | 0xfff));
        set.e[EXT_PLAYOUT_DELAY].data = playout;
        set.e[EXT_PLAYOUT_DELAY].len = sizeof(playout);
    }
    if (seg && set.e[EXT_DD].len >= DD_LEN_MIN && s->ml->ext.id[EXT_DD]) {
        set.e[EXT_DD].len = write_dd(s, seg, set.e[EXT_DD].data, set.e[EXT_DD].len, dd);
        set.e[EXT_DD].data = dd;
    }
    return ext_write(&set, &s->ml->ext, out, EXT_OUT_MAX);
}

int sub_write_hop_ext(const struct sub *s, int64_t now_us, uint8_t *out)
{
    return write_ext(s, NULL, out, 0, now_us, out);
}

/* The timestamp of slot as the viewer sees it. */
static uint32_t time_of(const struct sub_segment *g, const struct hist_slot *slot)
{
    uint32_t ago = g->replay_src_ts - slot->ts;
    bool old =
        g->replay_end && slot->arrival < g->replay_end + SUB_REPLAY_STRAGGLERS && ago < 1U << 31;
    return old ? g->replay_ts - sub_replay_age(ago) : slot->ts + g->ts_off;
}

static uint16_t picture_id(const struct sub *s, const struct out_packet *o)
{
    return (uint16_t)(o->slot->desc.pic_id + o->seg->pid_off -
                      sub_skipped(s, o->slot, o->seg->dt)) &
           0x7fff;
}

bool sub_compose(struct sub *s, struct out_packet *o, bool rtx, int64_t now_us, uint8_t *out)
{
    const struct hist_slot *slot = o->slot;
    const uint8_t *bytes = history_bytes(&s->track->enc[o->seg->layer].hist, slot);
    if (!bytes) {
        return false;
    }
    o->body = bytes + slot->ext_len;
    o->body_len = slot->payload_len;
    int ext_len = write_ext(s, o->seg, bytes, slot->ext_len, now_us, out + RTP_HEADER_LEN);
    if (ext_len < 0) {
        return false;
    }
    o->hdr_len = RTP_HEADER_LEN + (size_t)ext_len;
    uint8_t *head = out + o->hdr_len;
    o->head_len = 0;
    if (rtx) {
        head[0] = (uint8_t)(o->number >> 8);
        head[1] = (uint8_t)o->number;
        o->head_len = SUB_OSN_LEN;
    }
    enum codec_id codec = slot->codec;
    if ((codec == CODEC_RED || (codec == CODEC_OPUS && s->copies)) &&
        !sub_red_fit(s, o, head + o->head_len, &codec)) {
        return false;
    }
    struct rtp_header h = {
        .pt = rtx ? s->rtx_pt[codec] : s->pt[codec],
        /* Where upper layers are cut off, the picture ends with its highest one that is sent. */
        .marker = (slot->flags & HIST_MARKER) ||
                  (slot->desc.sid == o->seg->mark_sid && (slot->desc.flags & DESC_FRAME_END)),
        .seq16 = (uint16_t)(rtx ? s->rtx_out : o->number),
        .ts = time_of(o->seg, slot),
        .ssrc = rtx ? s->ml->rtx_ssrcs[0] : s->ml->ssrcs[0],
    };
    if (!h.pt) {
        s->peer->router->n.drop_no_codec++;
        return false;
    }
    rtp_header_write(out, &h, ext_len > 0, false);
    if (slot->desc.head_len) {
        struct codec_ids ids = {
            .pic_id = picture_id(s, o),
            .tl0_idx = (uint8_t)(slot->desc.tl0_idx + o->seg->tl0_off),
            .key_idx = (uint8_t)(slot->desc.key_idx + o->seg->key_off) & 0x1f,
        };
        o->head_len += codec_info(codec)->rewrite(o->body, &slot->desc, &ids, head + o->head_len);
        o->body += slot->desc.head_len;
        o->body_len -= slot->desc.head_len;
    }
    return true;
}

/* Remembers what the receiver has now seen. */
static void note_sent(struct sub *s, const struct out_packet *o, int64_t now_us)
{
    const struct hist_slot *slot = o->slot;
    if (o->number > s->last_out) {
        s->last_out = o->number;
        s->last_rank = slot->rank[o->seg->dt];
        s->last_ts_out = time_of(o->seg, slot);
        s->last_src_ts = slot->ts;
        s->last_arrival_us = slot->arrival_us;
        s->last_pid_out = picture_id(s, o);
        if (o->seg->n_dd) {
            s->last_frame_out = (uint16_t)(slot->desc.frame_no + o->seg->dd_off);
        }
        s->last_tl0_out = (uint8_t)(slot->desc.tl0_idx + o->seg->tl0_off);
        s->last_key_out = (uint8_t)(slot->desc.key_idx + o->seg->key_off) & 0x1f;
        s->last_was_end = slot->desc.flags & DESC_FRAME_END;
    }
    s->started = true;
    s->last_sent_us = now_us;
    s->packets++;
    s->octets += o->head_len + o->body_len;
    s->bytes += o->hdr_len + o->head_len + o->body_len;
}

/* Seals one stored packet for this viewer. Returns false when b is full. */
static bool send_packet(struct sub *s, const struct hist_slot *slot, struct tx_batch *b,
                        int64_t now_us)
{
    uint8_t *out = tx_reserve(b);
    if (!out) {
        return false;
    }
    bool moves = sub_goal(s) != s->seg[s->seg_top].dt || s->map_gen != slot->map_gen;
    if (moves && !sub_retarget(s, slot)) {
        return true;
    }
    struct out_packet o = {.slot = slot};
    o.number = number_of(s, slot, &o.seg);
    if (!o.number || !((slot->desc.dt_mask >> o.seg->dt) & 1)) {
        s->peer->router->n.drop_lag += s->lagging && slot->desc.dt_mask;
        return true;
    }
    if (!sub_compose(s, &o, false, now_us, out)) {
        return true;
    }
    int len = seal_rtp_later(s->peer->seal, s->ss, o.number, out, TX_PACKET_MAX, o.hdr_len,
                             o.head_len, o.body, o.body_len);
    if (len > 0) {
        tx_commit(b, s->peer->id, &s->peer->path, (size_t)len, !s->peer->gso_off);
        note_sent(s, &o, now_us);
        brain_on_sent(s->peer->brain, (uint32_t)len, s->numbered, now_us);
        struct api_counters *n = &s->peer->router->n;
        n->tx_rtp_packets++;
        n->tx_rtp_bytes += (uint64_t)len;
    }
    return true;
}

/* True when the next packet owed is so old that a receiver would only skip it: the viewer was
 * silent, or its connection stood still. */
static bool is_behind(const struct sub *s, int64_t now_us)
{
    const struct history *h = &s->enc->hist;
    if (s->cursor >= h->arrivals) {
        return false;
    }
    const struct hist_slot *slot = history_arrived(h, s->cursor);
    return h->arrivals - s->cursor > h->n_slots || (s->cursor >= s->caught_up && !s->replaying &&
                                                    slot && now_us - slot->arrival_us > BEHIND_US);
}

/* Nothing may be sent at this moment: the viewer's share is used up, or the link's queue is full
 * and what is on its way from a cheaper encoding must come through first. */
static bool must_wait(const struct sub *s, int64_t now_us)
{
    const struct brain *b = s->peer->brain;
    bool yields = s->fleeing && b->full && now_us - s->waits_since_us < YIELD_US;
    bool dry = brain_is_dry(b) && now_us - s->last_sent_us < STARVED_US;
    return s->paced && (dry || yields);
}

/* Goes over to what is wanted if this is the moment, then: whether a packet is owed. */
static bool is_owed(struct sub *s)
{
    if (s->want || s->replaying) {
        sub_switch_if_due(s);
    }
    return s->live && !sub_is_held(s) && s->cursor < s->enc->hist.arrivals;
}

bool sub_fill(struct sub *s, struct tx_batch *b, int64_t now_us, int max)
{
    if (s->nack_n && !sub_repair(s, b, now_us)) {
        return false;
    }
    if (s->live && is_behind(s, now_us)) {
        s->live = false;
        sub_choose(s, now_us);
    } else if (s->live && s->enc->hist.resets != s->seg[s->seg_top].resets) {
        sub_choose(s, now_us); /* the source has started anew */
    }
    struct router *r = s->peer->router;
    while (is_owed(s) && max-- > 0) {
        const struct hist_slot *slot = history_arrived(&s->enc->hist, s->cursor);
        if (slot && must_wait(s, now_us)) {
            s->lagging |= now_us - slot->arrival_us > LAG_US && !s->replaying;
            return true;
        }
        if (slot && s->replaying && s->cursor >= s->seg[s->seg_top].replay_end) {
            sub_go_on_replaying(s, slot, now_us);
        }
        if (slot && r->congested && now_us - slot->arrival_us > ROUTER_STALE_US) {
            r->n.drop_stale++;
        } else if (slot && !send_packet(s, slot, b, now_us)) {
            return false;
        }
        s->cursor++;
    }
    s->lagging &= sub_owes(s);
    return true;
}
