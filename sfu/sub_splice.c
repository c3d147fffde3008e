/* SPDX-License-Identifier: Apache-2.0 */
/* sub_splice.c - where a viewer's stream goes over to another source, layer or pace, and every
 * number that a receiver sees goes on. */
#include "sfu/brain.h"
#include "sfu/sub_send.h"

/* Two streams that follow each other lie at least this far apart in time, and at most so far by the
 * publisher's clock before that is disbelieved. */
#define SPLICE_MIN_US (10 * US_PER_MS)
#define SPLICE_MAX_US (5 * US_PER_S)
/* What is this much older than the present is replayed in fast motion: of a source that gives key
 * frames on request, and of one that does not (or not so many); until what comes next is hardly
 * older than the present. What would be left to catch up then stays in the receiver's buffer for
 * seconds. */
#define REPLAY_MIN_US  (500 * US_PER_MS)
#define REPLAY_DEAF_US (100 * US_PER_MS)
#define REPLAY_END_US  (50 * US_PER_MS)

/* Microseconds of media time between the last packet sent and the first of the next source. */
static int64_t splice_gap_us(const struct sub *s, const struct encoding *next,
                             const struct hist_slot *slot)
{
    if (s->replaying) {
        return slot->arrival_us - s->last_sent_us; /* what was replayed was shown when it came */
    }
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

/* Goes over to encoding e, whose stored packet slot is the first to be sent: everything that a
 * receiver sees goes on. */
static void splice(struct sub *s, struct encoding *e, const struct hist_slot *slot)
{
    struct sub_segment *g = &s->seg[(s->seg_top + 1) % SUB_SEGMENTS];
    uint32_t ts_out = s->last_ts_out;
    /* The newest packet is in time, and what is older is shown in fast motion up to it, so that the
     * viewer does not stay behind by as much as the source's interval between key frames. */
    const struct hist_slot *newest = history_newest(&e->hist);
    int64_t least_us = sub_makes_do(s, e) ? REPLAY_DEAF_US : REPLAY_MIN_US;
    bool replay = newest && newest->arrival_us - slot->arrival_us > least_us;
    const struct hist_slot *anchor = replay ? newest : slot;
    uint32_t old = replay ? sub_replay_age(newest->ts - slot->ts) : 0;
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
        /* After a frame that was cut off as well: a receiver sees by the timestamp, and by the
           marker that never came, that it is none. A number left out would be asked for again and
           again, waited for, and reported as lost. */
        .out0 = s->last_out + 1,
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
    g->pid_off = (uint16_t)(g->pid_off + sub_skipped(s, slot, dt));
    s->entry_out = g->out0;
    s->repair_from = s->fleeing ? g->out0 : s->repair_from;
    s->fleeing = false;
    s->publisher = s->track->stream->publisher;
}

/* True when slot comes after all that has been sent of target dt. */
static bool is_ahead(const struct sub *s, const struct hist_slot *slot, unsigned dt)
{
    return (int16_t)(uint16_t)(slot->rank[dt] - s->last_rank) > 0;
}

/* True when a picture begins with slot, and nothing of target dt is missing between it and what was
 * sent last: what comes late might be of either picture, and be sent under another rule than the
 * rest of it. */
static bool begins_picture(const struct sub *s, const struct hist_slot *slot, unsigned dt)
{
    return slot->ts != s->last_src_ts && (slot->desc.flags & DESC_FRAME_START) &&
           (uint16_t)(slot->rank[dt] - s->last_rank) == 1;
}

/* True when a receiver of target from may get target to instead, beginning with slot. Only where a
 * picture begins: to a receiver, upper layers of one whose lower ones have gone out come too late.
 */
static bool may_enter(const struct sub *s, const struct hist_slot *slot, unsigned from, unsigned to)
{
    const struct encoding *e = s->enc;
    if (to >= e->map.n_dt || from == to || !slot->desc.dt_mask || !begins_picture(s, slot, from)) {
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
 * packets before slot that may still come stay theirs. A late slot begins nothing: false, and all
 * stays as it is. */
static bool change_target(struct sub *s, const struct hist_slot *slot, unsigned dt)
{
    const struct sub_segment *old = &s->seg[s->seg_top];
    if (!is_ahead(s, slot, old->dt)) {
        return false;
    }
    struct sub_segment *g = &s->seg[(s->seg_top + 1) % SUB_SEGMENTS];
    *g = *old;
    g->goes_on = true;
    g->prev_dt = old->dt;
    g->prev_rank = slot->rank[old->dt];
    g->out0 = s->last_out + (uint16_t)(g->prev_rank - s->last_rank);
    g->rank0 = slot->rank[dt];
    g->pid_off =
        (uint16_t)(old->pid_off - sub_skipped(s, slot, old->dt) + sub_skipped(s, slot, dt));
    s->seg_top = (uint8_t)((s->seg_top + 1) % SUB_SEGMENTS);
    s->seg_count = MIN(s->seg_count + 1, SUB_SEGMENTS);
    s->last_out = g->out0 - 1;
    s->last_rank = (uint16_t)(g->rank0 - 1);
    sub_enter_target(s, dt);
    return true;
}

bool sub_retarget(struct sub *s, const struct hist_slot *slot)
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
    } else if (may_enter(s, slot, dt, sub_goal(s))) {
        change_target(s, slot, sub_goal(s));
    } else if (!s->lagging && s->dt_hold != DT_NONE && may_enter(s, slot, dt, s->dt_hold)) {
        change_target(s, slot, s->dt_hold);
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

void sub_go_on_replaying(struct sub *s, const struct hist_slot *slot, int64_t now_us)
{
    if (now_us - slot->arrival_us <= REPLAY_END_US) {
        s->replaying = false;
        return;
    }
    const struct history *h = &s->enc->hist;
    const struct hist_slot *newest = history_newest(h);
    unsigned dt = s->seg[s->seg_top].dt;
    if (newest && begins_picture(s, slot, dt) && change_target(s, slot, dt)) {
        struct sub_segment *g = &s->seg[s->seg_top];
        g->replay_end = h->arrivals;
        g->replay_src_ts = newest->ts;
        g->replay_ts =
            s->last_ts_out + sub_replay_age(newest->ts - slot->ts) + s->track->clock_hz / 1000;
        g->ts_off = g->replay_ts - newest->ts;
    }
}

/* True while the rest of a frame that has been begun is stored and owed next. It is finished first,
 * unless the network does not carry it: to who does not look at markers, half a frame is a broken
 * one. */
static bool finishes_first(const struct sub *s)
{
    if (!s->live || s->last_was_end || s->fleeing) {
        return false;
    }
    const struct hist_slot *slot = history_arrived(&s->enc->hist, s->cursor);
    return slot && slot->ts == s->last_src_ts;
}

void sub_switch_if_due(struct sub *s)
{
    if (finishes_first(s)) {
        return;
    }
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
