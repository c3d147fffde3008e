/* SPDX-License-Identifier: Apache-2.0 */
/* sub_send.c - the viewer's half of the packet path: gate, rewrite, seal into the run. No
 * allocation, no log, no lock, no clock. */
#include <errno.h>
#include <string.h>

#include "rtp/bytes.h"
#include "rtp/dd.h"
#include "rtp/red.h"
#include "rtp/seq.h"
#include "sfu/brain.h"
#include "sfu/ingest.h"
#include "sfu/peer.h"
#include "sfu/router.h"
#include "sfu/sub.h"

/* Two streams that follow each other lie at least this far apart in time, and at most so far by the
 * publisher's clock before that is disbelieved. */
#define SPLICE_MIN_US (10 * US_PER_MS)
#define SPLICE_MAX_US (5 * US_PER_S)
/* What is this much older than the present is replayed in fast motion. */
#define REPLAY_MIN_US (500 * US_PER_MS)
/* So many times as fast. */
#define REPLAY_SPEED 32
/* Packets of before a replay's end may come so much later. */
#define REPLAY_STRAGGLERS 2048
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
/* What would have to wait so long for its share of repair is a reason for a key frame, so often. */
#define HOPELESS_US    (300 * US_PER_MS)
#define GAVE_UP_GAP_US US_PER_S
/* Repair may take this share of what the viewer is sent, so that NACKs of what was never lost cost
 * little. What was not used is saved up for so long, since losses come in bursts; packets of key
 * frames may use as much again in advance. */
#define REPAIR_PERCENT 15
/* Where repair comes out of the viewer's pace, the budget has room for it anyhow. */
#define REPAIR_PACED_PERCENT 40
#define REPAIR_SAVED_MS      250 /* of the whole rate */
#define REPAIR_BYTES_MIN     16000
#define REPAIR_PACED_MIN     4000
#define REPAIR_BPS_MIN       256000
#define TWICE_AT_ONCE        2  /* more that are missing together were lost in a burst */
#define REPAIR_HEAD          40 /* RTP header, extensions, OSN and tag, about */
#define OSN_LEN              2  /* original sequence number, RFC 4588 4 */
/* All that travels on, each with the longer head, a longer dependency descriptor, MID, the hop's
 * two, the block's head and its padding. */
#define EXT_OUT_MAX (INGEST_FORWARD_EXT_MAX + 5 + 2 + API_MID_MAX + 4 + 5 + 5 + 4 + 3)

/* Microseconds of media time between the last packet sent and the first of the next source. */
static int64_t splice_gap_us(const struct sub *s, const struct encoding *next,
                             const struct hist_slot *slot)
{
    int64_t gap = slot->arrival_us - s->last_arrival_us;
    uint64_t publisher = s->track->stream->publisher;
    uint64_t was = s->enc && s->publisher == publisher ? encoding_ntp(s->enc, s->last_src_ts) : 0;
    uint64_t is = encoding_ntp(next, slot->ts);
    if (was && is) {
        int64_t diff = (int64_t)(is - was); /* 32.32 seconds */
        int64_t by_clock = (diff >> 32) * US_PER_S + (((diff & 0xffffffff) * US_PER_S) >> 32);
        if (by_clock - gap < SPLICE_MAX_US && gap - by_clock < SPLICE_MAX_US) {
            gap = by_clock;
        }
    }
    return gap;
}

/* How long before the newest picture of a replay a slot is shown, when its source's clock says that
 * it is ago older. */
static uint32_t replay_age(uint32_t ago)
{
    return ago < 1U << 31 ? ago / REPLAY_SPEED : 0;
}

/* The timestamp of slot as the viewer sees it. */
static uint32_t time_of(const struct sub_segment *g, const struct hist_slot *slot)
{
    uint32_t ago = g->replay_src_ts - slot->ts;
    bool old = g->replay_end && slot->arrival < g->replay_end + REPLAY_STRAGGLERS && ago < 1U << 31;
    return old ? g->replay_ts - replay_age(ago) : slot->ts + g->ts_off;
}

/* Pictures before slot that a viewer of target dt has not got, where ids must not show it. */
static uint16_t skipped(const struct sub *s, const struct hist_slot *slot, unsigned dt)
{
    return s->dense_ids ? slot->skip[dt % HISTORY_CUTS] : 0;
}

/* Goes over to encoding e, whose stored packet slot is the first to be sent: everything that a
 * receiver sees goes on. */
static void splice(struct sub *s, struct encoding *e, const struct hist_slot *slot)
{
    struct sub_segment *g = &s->seg[(s->seg_top + 1) % SUB_SEGMENTS];
    uint32_t ts_out = s->last_ts_out;
    /* The newest packet is in time, and what is older is shown in fast motion up to it, so that the
     * viewer does not stay behind by as much as the source's interval between key frames. */
    const struct hist_slot *newest = history_newest(&e->hist);
    bool replay = newest && newest->arrival_us - slot->arrival_us > REPLAY_MIN_US;
    const struct hist_slot *anchor = replay ? newest : slot;
    uint32_t old = replay ? replay_age(newest->ts - slot->ts) : 0;
    /* Every target may be entered at an entry point. */
    bool aimed = e->index == s->aim.enc && slot->map_gen == e->map.gen;
    unsigned dt = aimed && s->aim.dt < e->map.n_dt ? s->aim.dt : 0;
    if (s->started) {
        /* What had to be added to keep time going forward is taken back from later gaps. */
        int64_t gap_us = splice_gap_us(s, e, anchor);
        int64_t old_us = (int64_t)old * US_PER_S / e->track->clock_hz;
        int64_t used_us = MAX(gap_us - s->ahead_us, SPLICE_MIN_US + old_us);
        s->ahead_us += used_us - gap_us;
        ts_out += (uint32_t)(used_us * e->track->clock_hz / US_PER_S);
    }
    *g = (struct sub_segment){
        /* A frame that was cut off leaves one number out, so that the receiver does not take it for
           whole. */
        .out0 = s->last_out + (s->last_was_end ? 1 : 2),
        .left_out = !s->last_was_end,
        .resets = e->hist.resets,
        .ts_off = ts_out - anchor->ts,
        .replay_end = replay ? e->hist.arrivals : 0,
        .replay_ts = ts_out,
        .replay_src_ts = anchor->ts,
        .rank0 = slot->rank[dt],
        .pid_off = (uint16_t)(s->last_pid_out + 1 - slot->desc.pic_id),
        .dd_off = (uint16_t)(s->last_frame_out + 1 - slot->desc.frame_no),
        .tl0_off = (uint8_t)(s->last_tl0_out + 1 - slot->desc.tl0_idx),
        .key_off = (uint8_t)(s->last_key_out + 1 - slot->desc.key_idx),
        .layer = e->index,
    };
    s->seg_top = (uint8_t)((s->seg_top + 1) % SUB_SEGMENTS);
    s->seg_count = MIN(s->seg_count + 1, SUB_SEGMENTS);
    s->last_out = g->out0 - 1;
    s->last_rank = (uint16_t)(g->rank0 - 1);
    s->caught_up = e->hist.arrivals;
    s->replaying = replay;
    s->enc = e;
    s->want = NULL;
    s->live = true;
    s->waits_since_us = 0;
    s->dt_goal = (uint8_t)dt;
    s->dt_hold = DT_NONE;
    s->narrowed = false;
    sub_enter_target(s, dt);
    g->pid_off = (uint16_t)(g->pid_off + skipped(s, slot, dt));
    s->repair_from = s->fleeing ? g->out0 : s->repair_from;
    s->fleeing = false;
    s->publisher = s->track->stream->publisher;
}

/* True when slot comes after all that has been sent of target dt. */
static bool is_ahead(const struct sub *s, const struct hist_slot *slot, unsigned dt)
{
    return (int16_t)(uint16_t)(slot->rank[dt] - s->last_rank) > 0;
}

/* True when a receiver of target from may get target to instead, beginning with slot. Only where a
 * picture begins: to a receiver, upper layers of one whose lower ones have gone out come too late.
 */
static bool may_enter(const struct sub *s, const struct hist_slot *slot, unsigned from, unsigned to)
{
    const struct encoding *e = s->enc;
    bool begins = slot->ts != s->last_src_ts && (slot->desc.flags & DESC_FRAME_START);
    if (to >= e->map.n_dt || from == to || !begins || !slot->desc.dt_mask ||
        !is_ahead(s, slot, from)) {
        return false;
    }
    bool temporal = e->map.sid[from] == e->map.sid[to];
    unsigned open = temporal ? slot->desc.tsw_mask : slot->desc.sw_mask;
    /* What is known of targets within targets holds since the last entry point: a viewer that has
     * not come so far may rely on the stream's own word only. */
    bool since = slot->arrival + 1 >= e->hist.entry_arrival;
    return ((open >> to) & 1) || (since && ((e->meter.in[to] >> from) & 1));
}

/* From slot on the viewer gets target dt of the encoding that it has. Numbers go on: those of
 * packets before slot that may still come stay theirs. */
static void change_target(struct sub *s, const struct hist_slot *slot, unsigned dt)
{
    const struct sub_segment *old = &s->seg[s->seg_top];
    struct sub_segment *g = &s->seg[(s->seg_top + 1) % SUB_SEGMENTS];
    *g = *old;
    g->goes_on = true;
    g->left_out = false;
    g->prev_dt = old->dt;
    g->prev_rank = slot->rank[old->dt];
    g->out0 = s->last_out + (uint16_t)(g->prev_rank - s->last_rank);
    g->rank0 = slot->rank[dt];
    g->pid_off = (uint16_t)(old->pid_off - skipped(s, slot, old->dt) + skipped(s, slot, dt));
    s->seg_top = (uint8_t)((s->seg_top + 1) % SUB_SEGMENTS);
    s->seg_count = MIN(s->seg_count + 1, SUB_SEGMENTS);
    s->last_out = g->out0 - 1;
    s->last_rank = (uint16_t)(g->rank0 - 1);
    sub_enter_target(s, dt);
}

/* The target that is wanted at this moment: behind, the base of the spatial layer being sent,
 * unless a lower one is wanted anyway. */
static unsigned goal_of(const struct sub *s)
{
    bool lower = s->dt_goal < s->enc->map.n_dt && s->enc->map.sid[s->dt_goal] < s->sid;
    return s->lagging && !lower ? s->dt_base : s->dt_goal;
}

/* Goes over to the wanted target if slot lets it, or to the one that does meanwhile. Returns false
 * for a late packet whose place among the targets of before is not known. */
static bool retarget(struct sub *s, const struct hist_slot *slot)
{
    const struct layer_map *m = &s->enc->map;
    unsigned dt = s->seg[s->seg_top].dt;
    if (slot->map_gen != m->gen) {
        return true; /* from before the targets were numbered anew: soon */
    }
    if (s->map_gen != m->gen) {
        if (!is_ahead(s, slot, dt)) {
            return false;
        }
        s->dt_goal = (uint8_t)(dt ? layer_map_find(m, s->sid, s->tid) : 0);
        s->dt_hold = DT_NONE;
        if (s->dt_goal != dt) {
            change_target(s, slot, s->dt_goal);
        } else {
            sub_enter_target(s, dt);
        }
    } else if (may_enter(s, slot, dt, goal_of(s))) {
        change_target(s, slot, goal_of(s));
    } else if (!s->lagging && s->dt_hold != DT_NONE && may_enter(s, slot, dt, s->dt_hold)) {
        change_target(s, slot, s->dt_hold);
    }
    return true;
}

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

/* One packet in the making. */
struct out_packet {
    const struct hist_slot *slot;
    const struct sub_segment *seg;
    uint64_t number;     /* extended sequence number on the media SSRC */
    const uint8_t *body; /* payload as stored, codec head and RED stripped off */
    size_t body_len;
    size_t hdr_len;  /* header and extensions written */
    size_t head_len; /* OSN and rewritten codec head written after them */
};

static uint16_t picture_id(const struct sub *s, const struct out_packet *o)
{
    return (uint16_t)(o->slot->desc.pic_id + o->seg->pid_off - skipped(s, o->slot, o->seg->dt)) &
           0x7fff;
}

/* The blocks of RED name the publisher's payload type: a viewer that has another one for Opus, or
 * no RED, gets the newest frame alone. Returns false if they do not parse. */
static bool strip_red(const struct sub *s, struct out_packet *o, enum codec_id *codec)
{
    struct red_block primary;
    if (red_primary(o->body, o->body_len, &primary)) {
        return false;
    }
    if (!s->pt[CODEC_RED] || s->pt[CODEC_OPUS] != primary.pt) {
        *codec = CODEC_OPUS;
        o->body = primary.data;
        o->body_len = primary.len;
    }
    return true;
}

/* Writes header, extensions and codec head of o to out. rtx: as a retransmission. Returns false if
 * this viewer cannot take the packet. */
static bool compose(struct sub *s, struct out_packet *o, bool rtx, int64_t now_us, uint8_t *out)
{
    const struct hist_slot *slot = o->slot;
    const uint8_t *bytes = history_bytes(&s->track->enc[o->seg->layer].hist, slot);
    if (!bytes) {
        return false;
    }
    enum codec_id codec = slot->codec;
    o->body = bytes + slot->ext_len;
    o->body_len = slot->payload_len;
    if (codec == CODEC_RED && !strip_red(s, o, &codec)) {
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
    int ext_len = write_ext(s, o->seg, bytes, slot->ext_len, now_us, out + RTP_HEADER_LEN);
    if (ext_len < 0) {
        return false;
    }
    rtp_header_write(out, &h, ext_len > 0, false);
    o->hdr_len = RTP_HEADER_LEN + (size_t)ext_len;
    uint8_t *head = out + o->hdr_len;
    o->head_len = 0;
    if (rtx) {
        head[0] = (uint8_t)(o->number >> 8);
        head[1] = (uint8_t)o->number;
        o->head_len = OSN_LEN;
    }
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
    s->window_bytes += o->hdr_len + o->head_len + o->body_len;
}

/* Seals one stored packet for this viewer. Returns false when b is full. */
static bool send_packet(struct sub *s, const struct hist_slot *slot, struct tx_batch *b,
                        int64_t now_us)
{
    uint8_t *out = tx_reserve(b);
    if (!out) {
        return false;
    }
    bool moves = goal_of(s) != s->seg[s->seg_top].dt || s->map_gen != slot->map_gen;
    if (moves && !retarget(s, slot)) {
        return true;
    }
    struct out_packet o = {.slot = slot};
    o.number = number_of(s, slot, &o.seg);
    if (!o.number || !((slot->desc.dt_mask >> o.seg->dt) & 1)) {
        s->peer->router->n.drop_lag += s->lagging && slot->desc.dt_mask;
        return true;
    }
    if (!compose(s, &o, false, now_us, out)) {
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

/* The segment that number was sent in, NULL if that was too long ago or it never was. */
static const struct sub_segment *segment_of(const struct sub *s, uint64_t number)
{
    for (unsigned i = 0; i < s->seg_count; i++) {
        const struct sub_segment *g = &s->seg[(s->seg_top + SUB_SEGMENTS - i) % SUB_SEGMENTS];
        if (number >= g->out0) {
            return g;
        }
        if (g->left_out && number + 1 == g->out0) {
            return NULL;
        }
    }
    return NULL;
}

/* Takes the packet's length out of the viewer's share for repair. Returns false if it is used up.
 */
static bool may_repair(struct sub *s, const struct hist_slot *slot, int64_t now_us)
{
    const struct brain *brain = s->peer->brain;
    uint32_t bps = MAX(s->bitrate_bps, (uint32_t)REPAIR_BPS_MIN);
    unsigned percent = REPAIR_PERCENT;
    if (brain->active) {
        bps = MIN(bps, brain->facts.capacity_bps); /* not of what was before a drop */
        percent = REPAIR_PACED_PERCENT;
    }
    int64_t bytes_per_s = bps / 8;
    int64_t most = MAX(bytes_per_s * REPAIR_SAVED_MS / 1000,
                       brain->active ? (int64_t)REPAIR_PACED_MIN : (int64_t)REPAIR_BYTES_MIN);
    int64_t since_us = MIN(now_us - s->rtx_filled_us, (int64_t)(10 * US_PER_S));
    int64_t least = slot->desc.flags & DESC_KEYFRAME ? -most : 0;
    int64_t cost = slot->payload_len + REPAIR_HEAD;
    s->rtx_tokens += since_us * bytes_per_s * percent / 100 / US_PER_S;
    s->rtx_tokens = MIN(s->rtx_tokens, most);
    s->rtx_filled_us = now_us;
    if (s->rtx_tokens - cost < least) {
        s->peer->router->n.tx_rtx_refused++;
        s->refused_us += cost * US_PER_S * 100 / (bytes_per_s * percent);
        return false;
    }
    s->rtx_tokens -= cost;
    return true;
}

/* A number that was kept for a packet which is none of this viewer's: an RTX packet without a
 * payload tells a receiver that nothing is missing (libwebrtc m125 takes it so). */
static void fill_hole(struct sub *s, const struct encoding *e, uint64_t number, uint8_t *out,
                      struct tx_batch *b)
{
    struct rtp_header h = {
        .pt = s->rtx_pt[e->codec],
        .seq16 = (uint16_t)s->rtx_out,
        .ts = s->last_ts_out,
        .ssrc = s->ml->rtx_ssrcs[0],
    };
    if (!h.pt || !s->rtx_ss) {
        return;
    }
    rtp_header_write(out, &h, false, false);
    out[RTP_HEADER_LEN] = (uint8_t)(number >> 8);
    out[RTP_HEADER_LEN + 1] = (uint8_t)number;
    int len = seal_rtp(s->peer->seal, s->rtx_ss, s->rtx_out, out, TX_PACKET_MAX, RTP_HEADER_LEN,
                       OSN_LEN, out, 0);
    if (len > 0) {
        s->rtx_out++;
        tx_commit(b, s->peer->id, &s->peer->path, (size_t)len, !s->peer->gso_off);
    }
}

/* Seals a packet that was sent before into out, as RTX where there is one. */
static void send_again(struct sub *s, struct out_packet *o, uint8_t *out, struct tx_batch *b,
                       int64_t now_us)
{
    bool rtx = s->rtx_pt[o->slot->codec] && s->rtx_ss;
    if (!compose(s, o, rtx, now_us, out)) {
        return;
    }
    int len = rtx ? seal_rtp(s->peer->seal, s->rtx_ss, s->rtx_out, out, TX_PACKET_MAX, o->hdr_len,
                             o->head_len, o->body, o->body_len)
                  : seal_rtp_again(s->peer->seal, s->ss, o->number, out, TX_PACKET_MAX, o->hdr_len,
                                   o->head_len, o->body, o->body_len);
    if (len > 0) {
        s->rtx_out += rtx;
        s->rtx_packets++;
        s->peer->router->n.tx_rtx_packets++;
        brain_on_sent(s->peer->brain, (uint32_t)len, s->numbered, now_us);
        tx_commit(b, s->peer->id, &s->peer->path, (size_t)len, !s->peer->gso_off);
    }
}

/* Answers one NACK entry: as RTX, or byte-identical where the viewer has no RTX and the profile
 * allows it (architecture §3). */
static bool resend(struct sub *s, uint16_t seq16, struct tx_batch *b, int64_t now_us)
{
    struct out_packet o = {.number = seq_unwrap(s->last_out, seq16)};
    o.seg = segment_of(s, o.number);
    uint8_t *out = tx_reserve(b);
    if (!out) {
        return false;
    }
    const struct encoding *e = o.seg ? &s->track->enc[o.seg->layer] : NULL;
    if (!e || !e->open || e->hist.resets != o.seg->resets || o.number > s->last_out) {
        return true;
    }
    uint16_t rank = (uint16_t)(o.seg->rank0 + (o.number - o.seg->out0));
    o.slot = history_find(&e->hist, o.seg->dt, rank);
    if (!o.slot && history_is_hole(&e->hist, o.seg->dt, rank)) {
        fill_hole(s, e, o.number, out, b);
        return true;
    }
    if (o.number < s->repair_from) {
        return true; /* of a layer that the network did not carry: it would be in the way */
    }
    if (!o.slot || !s->nack[o.slot->codec] || (e == s->enc && o.slot->arrival >= s->cursor)) {
        /* Not here yet, or only just: it is forwarded when the publisher has repaired it, and may
         * be asked for again then. */
        s->resends[seq16 % SUB_RESENDS].count = 0;
        return true;
    }
    if (!may_repair(s, o.slot, now_us)) {
        s->resends[seq16 % SUB_RESENDS].count = 0; /* later, perhaps */
        return true;
    }
    send_again(s, &o, out, b, now_us);
    /* Where packets are lost one by one, so is repair: a second copy is cheaper than another round
     * trip. */
    if (s->nack_n <= TWICE_AT_ONCE && o.slot->desc.tid < s->peer->brain->twice && s->rtx_ss &&
        (out = tx_reserve(b)) && may_repair(s, o.slot, now_us)) {
        send_again(s, &o, out, b, now_us);
    }
    return true;
}

/* A newer key frame has come while it caught up: what lies between is not needed. */
static void skip_to_newest(struct sub *s)
{
    struct encoding *e = s->enc;
    const struct hist_slot *slot = e->hist.entry_arrival > s->cursor + 1
                                       ? history_arrived(&e->hist, e->hist.entry_arrival - 1)
                                       : NULL;
    if (slot) {
        s->cursor = e->hist.entry_arrival - 1;
        splice(s, e, slot);
    }
}

/* At the end of a replay: it has caught up, or is still behind, since it may be sent no faster.
 * Then the next stretch is a replay as well, from the next picture on. */
static void go_on_replaying(struct sub *s, const struct hist_slot *slot, int64_t now_us)
{
    if (now_us - slot->arrival_us <= REPLAY_MIN_US) {
        s->replaying = false;
        return;
    }
    const struct history *h = &s->enc->hist;
    const struct hist_slot *newest = history_newest(h);
    if (newest && slot->ts != s->last_src_ts) {
        change_target(s, slot, s->seg[s->seg_top].dt);
        struct sub_segment *g = &s->seg[s->seg_top];
        g->replay_end = h->arrivals;
        g->replay_src_ts = newest->ts;
        g->replay_ts =
            s->last_ts_out + replay_age(newest->ts - slot->ts) + s->track->clock_hz / 1000;
        g->ts_off = g->replay_ts - newest->ts;
    }
}

/* Goes over to the wanted encoding if its entry point has come. */
static void switch_if_due(struct sub *s)
{
    if (s->live && s->replaying) {
        skip_to_newest(s);
    }
    struct encoding *e = s->want;
    if (!e || !e->open || e->hist.entry_arrival <= s->want_after) {
        return;
    }
    const struct hist_slot *slot = history_arrived(&e->hist, e->hist.entry_arrival - 1);
    if (slot) {
        s->cursor = e->hist.entry_arrival - 1;
        splice(s, e, slot);
    } else {
        s->want_after = e->hist.entry_arrival; /* overwritten: the next one */
    }
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

/* Packets sent lately that fill a probe, in turn; padding is the most that one packet holds. */
#define FILLER_BACK 24
#define FILLER_PAD  255

/* The packet that was sent as number, for sending it again. Returns false if it is gone. */
static bool sent_before(struct sub *s, uint64_t number, struct out_packet *ret)
{
    const struct sub_segment *g = segment_of(s, number);
    const struct encoding *e = g && s->track ? &s->track->enc[g->layer] : NULL;
    if (!e || !e->open || e->hist.resets != g->resets || number > s->last_out) {
        return false;
    }
    *ret = (struct out_packet){.number = number, .seg = g};
    ret->slot = history_find(&e->hist, g->dt, (uint16_t)(g->rank0 + (number - g->out0)));
    return ret->slot && s->rtx_pt[ret->slot->codec] &&
           !(e == s->enc && ret->slot->arrival >= s->cursor);
}

/* Writes the head of a packet of padding. Returns its length, 0: not possible. */
static size_t compose_padding(struct sub *s, int64_t now_us, uint8_t *out)
{
    struct rtp_header h = {
        .pt = s->enc ? s->rtx_pt[s->enc->codec] : 0,
        .seq16 = (uint16_t)s->rtx_out,
        .ts = s->last_ts_out,
        .ssrc = s->ml->rtx_ssrcs[0],
    };
    int ext_len = write_ext(s, NULL, out, 0, now_us, out + RTP_HEADER_LEN);
    if (!h.pt || ext_len < 0) {
        return 0;
    }
    rtp_header_write(out, &h, ext_len > 0, true);
    return RTP_HEADER_LEN + (size_t)ext_len;
}

int sub_send_filler(struct sub *s, struct tx_batch *b, int64_t now_us)
{
    static const uint8_t padding[FILLER_PAD] = {[FILLER_PAD - 1] = FILLER_PAD};
    struct out_packet o = {.body = padding, .body_len = FILLER_PAD};
    uint8_t *out = tx_reserve(b);
    if (!out) {
        return -ENOSPC;
    }
    uint64_t back = s->fillers++ % FILLER_BACK;
    if (!sent_before(s, s->last_out - back, &o) || !compose(s, &o, true, now_us, out)) {
        o = (struct out_packet){.body = padding, .body_len = FILLER_PAD};
        o.hdr_len = compose_padding(s, now_us, out);
    }
    int len = o.hdr_len ? seal_rtp(s->peer->seal, s->rtx_ss, s->rtx_out, out, TX_PACKET_MAX,
                                   o.hdr_len, o.head_len, o.body, o.body_len)
                        : -1;
    if (len > 0) {
        s->rtx_out++;
        s->peer->router->n.tx_probe_packets++;
        brain_on_sent(s->peer->brain, (uint32_t)len, s->numbered, now_us);
        tx_commit(b, s->peer->id, &s->peer->path, (size_t)len, !s->peer->gso_off);
    }
    return MAX(len, 0);
}

/* Answers what was asked for again. A viewer that misses more than its share for repair covers soon
 * would ask on in vain, and freeze for seconds before it asked for a key frame: it gets that at
 * once. Returns false when b is full. */
static bool repair(struct sub *s, struct tx_batch *b, int64_t now_us)
{
    s->refused_us = 0;
    if (s->fleeing) {
        s->nack_n = 0; /* a cheaper layer is on its way, and repair of this one in its */
    }
    while (s->nack_n && !(s->paced && brain_is_dry(s->peer->brain))) {
        if (!resend(s, s->nack_queue[s->nack_n - 1], b, now_us)) {
            return false;
        }
        s->nack_n--;
    }
    if (s->refused_us > HOPELESS_US && s->live && now_us - s->gave_up_us > GAVE_UP_GAP_US) {
        s->gave_up_us = now_us;
        router_want_key(s->peer->router, s->enc, true, now_us);
    }
    return true;
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

bool sub_fill(struct sub *s, struct tx_batch *b, int64_t now_us, int max)
{
    if (s->nack_n && !repair(s, b, now_us)) {
        return false;
    }
    if (s->live && is_behind(s, now_us)) {
        s->live = false;
        sub_choose(s, now_us);
    } else if (s->live && s->enc->hist.resets != s->seg[s->seg_top].resets) {
        sub_choose(s, now_us); /* the source has started anew */
    }
    const struct router *r = s->peer->router;
    switch_if_due(s);
    while (s->live && !sub_is_held(s) && s->cursor < s->enc->hist.arrivals && max-- > 0) {
        const struct hist_slot *slot = history_arrived(&s->enc->hist, s->cursor);
        if (slot && must_wait(s, now_us)) {
            s->lagging |= now_us - slot->arrival_us > LAG_US && !s->replaying;
            return true;
        }
        if (slot && s->replaying && s->cursor >= s->seg[s->seg_top].replay_end) {
            go_on_replaying(s, slot, now_us);
        }
        if (slot && r->congested && now_us - slot->arrival_us > ROUTER_STALE_US) {
            s->peer->router->n.drop_stale++;
        } else if (slot && !send_packet(s, slot, b, now_us)) {
            return false;
        }
        s->cursor++;
    }
    s->lagging &= sub_owes(s);
    return true;
}
