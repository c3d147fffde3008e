/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/sub.h"

#include <string.h>

#include "rtp/seq.h"
#include "sfu/brain.h"
#include "sfu/peer.h"
#include "sfu/router.h"
#include "sfu/sub_send.h"

/* A viewer that joins is given the last key frame at once when it is at most this old; everything
 * since then follows in one burst. */
#define REPLAY_US (400 * US_PER_MS)
/* Who has got what is stored gets it again after this long at the earliest, since it is much; and
 * receivers ask for a key frame while the first one is still on its way. */
#define AGAIN_US (3 * US_PER_S)
/* How much earlier than the last packet sent the first of another stream may have come. */
#define OVERLAP_US (50 * US_PER_MS)
/* How old the first audio packet sent may be: Opus with DTX sends one in 400 ms. */
#define AUDIO_FRESH_US (100 * US_PER_MS)
/* Loss above this for LOSS_BAD_US steps one layer down; below LOSS_GOOD for LOSS_GOOD_US steps up
 * again. Q8. */
#define LOSS_BAD     26 /* 10 % */
#define LOSS_GOOD    5  /* 2 % */
#define LOSS_BAD_US  (2 * US_PER_S)
#define LOSS_GOOD_US (10 * US_PER_S)
/* Resends of one packet, and how far apart at least. */
#define RESENDS_MAX    3
#define RESEND_GAP_MIN (20 * US_PER_MS)
#define RESEND_GAP_MAX (100 * US_PER_MS)
/* A joiner that has waited so long for the layer it should get takes any. */
#define GRACE_US US_PER_S
/* A stream opens its upper temporal layers every few pictures; one that does not needs a key frame.
 */
#define TEMPORAL_WAIT_US (2 * US_PER_S)

void sub_init(struct sub *s, struct peer *viewer, const struct api_mline *ml, uint64_t random)
{
    memset(s, 0, sizeof(*s));
    list_init(&s->node);
    follow_init(&s->follow);
    s->peer = viewer;
    s->ml = ml;
    s->wish = (struct api_wish)API_WISH_NONE;
    s->aim = (struct sub_aim){.enc = -1, .hold = DT_NONE};
    s->dt_hold = DT_NONE;
    /* Below 0x8000: libsrtp2 receivers guess the first rollover counter right even when the first
     * packets are lost (RFC 3711 3.3.1). */
    s->last_out = random & 0x3fff;
    s->rtx_out = (random >> 16) & 0x3fff;
    s->last_ts_out = (uint32_t)(random >> 32);
    s->last_pid_out = (uint16_t)(random >> 24) & 0x7fff;
    s->last_frame_out = (uint16_t)(random >> 40);
    s->last_was_end = true;
    for (unsigned i = 0; i < ml->n_codecs; i++) {
        const struct api_codec *c = &ml->codecs[i];
        if (!s->pt[c->id]) {
            s->pt[c->id] = c->pt;
            s->rtx_pt[c->id] = c->rtx_pt;
            s->nack[c->id] = c->nack;
        }
    }
}

void sub_detach(struct sub *s)
{
    list_remove(&s->node);
    s->track = NULL;
    s->enc = NULL;
    s->want = NULL;
    s->live = false;
    /* What was wished of the layers of that track says nothing about those of another. */
    s->wish.layer = s->wish.sid = s->wish.tid = -1;
    s->wish.rid[0] = 0;
    s->aim = (struct sub_aim){.enc = -1, .hold = DT_NONE};
    s->memory = (struct alloc_memory){.switches = s->memory.switches};
    s->waits_since_us = 0;
    s->cap = 0;
    s->seg_count = 0; /* they name layers of the track that is left */
}

void sub_attach(struct sub *s, struct track *t, int64_t now_us)
{
    if (s->track == t) {
        return;
    }
    sub_detach(s);
    s->track = t;
    list_append(&t->subs, &s->node);
    brain_look(s->peer, now_us);
}

static bool is_alive(const struct encoding *e)
{
    return e->open && (e->track->alive >> e->index) & 1;
}

/* From which arrival number on an entry point of e is good enough for s. One from before the last
 * packet sent (of another stream) would move all later timestamps ahead of the clock. */
static uint64_t acceptable_entry(const struct sub *s, const struct encoding *e, int64_t now_us)
{
    uint64_t entry = e->hist.entry_arrival;
    const struct hist_slot *slot = entry ? history_arrived(&e->hist, entry - 1) : NULL;
    if (!slot || !history_bytes(&e->hist, slot)) {
        return e->hist.arrivals;
    }
    bool overlaps = s->started && slot->arrival_us + OVERLAP_US < s->last_arrival_us;
    int64_t age_us = now_us - slot->arrival_us;
    bool stale = !keyframes_in_vain(&e->keys) &&
                 age_us >= KEYFRAME_SLOWEST_US; /* one may be asked for anyway */
    if ((age_us <= REPLAY_US && !overlaps) || (sub_makes_do(s, e) && !stale)) {
        return entry - 1; /* entry_arrival > this: start there */
    }
    return e->hist.arrivals;
}

/* The largest encoding that can be begun with at once; NULL: none can. */
static struct encoding *any_entry(const struct sub *s, int64_t now_us)
{
    struct encoding *found = NULL;
    for (uint8_t i = 0; i < s->track->n_enc; i++) {
        struct encoding *e = &s->track->enc[i];
        if (is_alive(e) && e->hist.entry_arrival > acceptable_entry(s, e, now_us) &&
            (!found || e->bitrate_bps > found->bitrate_bps)) {
            found = e;
        }
    }
    return found;
}

/* The encoding it should get now; NULL while nothing flows. */
static struct encoding *pick(const struct sub *s, int64_t now_us)
{
    struct track *t = s->track;
    if (!t || t->best < 0 || s->aim.off) {
        return NULL;
    }
    struct encoding *e = &t->enc[t->best];
    if (s->aim.enc >= 0 && s->aim.enc < (int8_t)t->n_enc && is_alive(&t->enc[s->aim.enc])) {
        e = &t->enc[s->aim.enc];
    }
    /* The first picture should come at once, the right layer soon after. */
    bool impatient = !s->started || (s->waits_since_us && now_us - s->waits_since_us > GRACE_US);
    if (!s->live && impatient && t->n_enc > 1 &&
        e->hist.entry_arrival <= acceptable_entry(s, e, now_us)) {
        struct encoding *other = any_entry(s, now_us);
        e = other ? other : e;
    }
    return e;
}

void sub_enter_target(struct sub *s, unsigned dt)
{
    const struct layer_map *m = &s->enc->map;
    struct sub_segment *g = &s->seg[s->seg_top];
    g->dt = (uint8_t)dt;
    g->mark_sid = m->sid[dt] + 1 < m->n_sid ? m->sid[dt] : SID_NONE;
    g->n_dd = m->n_dd;
    g->dd_active = 0;
    s->map_gen = m->gen;
    s->sid = m->sid[dt];
    s->tid = m->tid[dt];
    s->dt_base = (uint8_t)layer_map_find(m, s->sid, 0);
    s->dense_ids = codec_info(s->enc->codec)->dense_ids;
    s->narrowed |= dt > 0 && m->n_dd > 0;
    for (unsigned d = 0; s->narrowed && d < m->n_dt; d++) {
        bool in = m->dd[d] != DT_NO_DD && m->sid[d] <= s->sid && m->tid[d] <= s->tid;
        g->dd_active |= in ? 1U << m->dd[d] : 0;
    }
}

/* It gets encoding e, and has it: the target may be another one. */
static void choose_target(struct sub *s, struct encoding *e, bool aimed, int64_t now_us)
{
    s->want = NULL;
    s->dt_goal = aimed && s->aim.dt < e->map.n_dt ? s->aim.dt : 0;
    s->dt_hold = s->aim.hold;
    unsigned dt = s->seg[s->seg_top].dt;
    if (dt == s->dt_goal || s->map_gen != e->map.gen) {
        s->waits_since_us = 0;
        return;
    }
    if (!s->waits_since_us) {
        s->waits_since_us = now_us;
    }
    /* Downwards a picture's beginning will do, unless lower layers go their own ways (K-SVC);
     * upwards within a spatial layer the stream opens itself now and then. */
    bool down = (e->meter.in[s->dt_goal] >> dt) & 1;
    bool temporal = e->map.sid[s->dt_goal] == s->sid;
    if (!down && (!temporal || now_us - s->waits_since_us > TEMPORAL_WAIT_US)) {
        router_want_key(s->peer->router, e, e->map.sid[s->dt_goal] < s->sid, now_us);
    }
}

/* It waits for an entry point of e. */
static void wait_for(struct sub *s, struct encoding *e, bool anew, int64_t now_us)
{
    if (!s->waits_since_us) {
        s->waits_since_us = now_us;
    }
    if (s->live && s->aim.hold != DT_NONE && s->aim.hold < s->enc->map.n_dt) {
        s->dt_goal = s->aim.hold;
    }
    if (anew) {
        s->want = e;
        s->sought_us = now_us;
        if (e->track->kind == MEDIA_AUDIO) {
            /* Any packet will do: the newest if it is not a leftover (a replica that was given up
             * for a while), else the next one. */
            bool fresh = e->hist.arrivals && now_us - e->last_packet_us <= AUDIO_FRESH_US;
            s->want_after = e->hist.arrivals - fresh;
            return;
        }
        s->want_after = e->hist.arrivals;
    }
    if (!s->live && e->track->kind == MEDIA_VIDEO) { /* what will do changes while it waits */
        s->want_after = MIN(s->want_after, acceptable_entry(s, e, now_us));
    }
    bool waits = e->hist.entry_arrival <= s->want_after || e->map.blind;
    if (waits && e->track->kind == MEDIA_VIDEO) {
        bool urgent = s->live ? s->fleeing || !is_alive(s->enc) : s->started;
        router_want_key(s->peer->router, e, urgent, now_us);
    }
}

void sub_choose(struct sub *s, int64_t now_us)
{
    struct encoding *e = pick(s, now_us);
    router_watch(s->peer->router, s->peer);
    bool restarted = s->enc && s->live && s->seg_count && s->enc->open &&
                     s->enc->hist.resets != s->seg[s->seg_top].resets;
    if (restarted || s->aim.off) {
        s->live = false;
    }
    if (!e || !e->open) {
        s->want = NULL;
    } else if (e == s->enc && s->live) {
        choose_target(s, e, (int8_t)e->index == s->aim.enc, now_us);
    } else {
        wait_for(s, e, e != s->want || restarted, now_us);
    }
}

void sub_on_key_wish(struct sub *s, int64_t now_us)
{
    struct encoding *e = s->want ? s->want : s->enc;
    router_want_key(s->peer->router, e, true, now_us);
    bool helpless = s->live && !s->want && !s->replaying && keyframes_in_vain(&e->keys);
    if (helpless && now_us - s->sought_us > AGAIN_US &&
        e->hist.entry_arrival > acceptable_entry(s, e, now_us)) {
        s->live = false;
        brain_look(s->peer, now_us); /* and a pace for it */
    }
}

void sub_wish(struct sub *s, const struct api_wish *wish, int64_t now_us)
{
    s->wish = *wish;
    for (uint8_t k = 0; s->track && wish->rid[0] && k < s->track->n_enc; k++) {
        if (strcmp(s->track->rids[k], wish->rid) == 0) {
            s->wish.layer = (int8_t)k;
        }
    }
    brain_look(s->peer, now_us);
}

void sub_on_loss(struct sub *s, uint32_t fraction_q8, int64_t now_us)
{
    s->fraction_lost_q8 = fraction_q8;
    if (s->ml->kind == MEDIA_AUDIO) {
        sub_red_on_loss(s, fraction_q8, now_us);
    }
    if (!s->track || s->track->n_enc < 2) {
        return;
    }
    if (s->peer->brain && s->peer->brain->active) {
        s->cap = 0; /* an estimate knows better */
        return;
    }
    if (fraction_q8 < LOSS_BAD) {
        s->bad_since_us = 0;
    } else if (!s->bad_since_us) {
        s->bad_since_us = now_us;
    }
    if (fraction_q8 > LOSS_GOOD) {
        s->good_since_us = 0;
    } else if (!s->good_since_us) {
        s->good_since_us = now_us;
    }
    if (s->bad_since_us && now_us - s->bad_since_us >= LOSS_BAD_US &&
        s->cap < (int8_t)(s->track->n_enc - 1)) {
        s->cap++;
        s->bad_since_us = 0;
        brain_look(s->peer, now_us);
    } else if (s->cap > 0 && s->good_since_us && now_us - s->good_since_us >= LOSS_GOOD_US) {
        s->cap--;
        s->good_since_us = now_us;
        brain_look(s->peer, now_us);
    }
}

void sub_on_nack(struct sub *s, uint16_t seq16, int64_t now_us)
{
    if (!s->started || s->nack_n == SUB_NACK_QUEUE || seq16_after(seq16, (uint16_t)s->last_out)) {
        return;
    }
    struct sub_resend *r = &s->resends[seq16 % SUB_RESENDS];
    uint32_t now_ms = (uint32_t)(now_us / US_PER_MS);
    int64_t gap_us = MIN(MAX((int64_t)s->rtt_us, (int64_t)RESEND_GAP_MIN), (int64_t)RESEND_GAP_MAX);
    bool again = r->count && r->seq16 == seq16;
    if (again && (r->count >= RESENDS_MAX || now_ms - r->last_ms < gap_us / US_PER_MS)) {
        return;
    }
    r->count = (uint8_t)(again ? r->count + 1 : 1);
    r->seq16 = seq16;
    r->last_ms = now_ms;
    s->nack_queue[(s->nack_first + s->nack_n++) % SUB_NACK_QUEUE] = seq16;
}

bool sub_is_catching_up(const struct sub *s)
{
    if (!s->track || s->ml->kind != MEDIA_VIDEO) {
        return false;
    }
    const struct track *t = s->track;
    return s->live ? s->replaying : t->best >= 0 && sub_makes_do(s, &t->enc[t->best]);
}

bool sub_owes(const struct sub *s)
{
    if (s->nack_n) {
        return true;
    }
    if (s->want && s->want->open && s->want->hist.entry_arrival > s->want_after) {
        return true;
    }
    return s->live && s->enc->hist.arrivals > s->cursor && !sub_is_held(s);
}

bool sub_report(struct sub *s, int64_t now_us, int64_t wall_us, struct rtcp_sender_info *ret)
{
    if (!s->started || !s->enc || !s->track->clock_hz || s->replaying) {
        return false; /* timestamps of fast motion would set audio and video apart */
    }
    int64_t hz = s->track->clock_hz;
    int64_t since_us = now_us - s->last_arrival_us;
    const struct stream *st = s->track->stream;
    uint64_t src_ntp = st->has_clock ? encoding_ntp(s->enc, s->last_src_ts) : 0;
    if (src_ntp) {
        /* The publisher's own clock keeps audio and video together: when our wall clock shows
         * wall_us, its clock shows this much later than at the last packet. */
        int64_t src_us = (int64_t)(src_ntp >> 32) * US_PER_S +
                         (int64_t)(((src_ntp & 0xffffffff) * US_PER_S) >> 32);
        int64_t by_clock = wall_us - st->ntp_offset_us - src_us;
        if (by_clock > -2 * US_PER_S && by_clock < 10 * US_PER_S) {
            since_us = by_clock;
        }
    }
    uint64_t ntp = ((uint64_t)(wall_us / US_PER_S + 2208988800LL) << 32) |
                   ((uint64_t)(wall_us % US_PER_S) << 32) / US_PER_S;
    ret->ntp = ntp;
    ret->rtp_ts = s->last_ts_out + (uint32_t)(since_us * hz / US_PER_S);
    ret->pkts = (uint32_t)s->packets;
    ret->octets = (uint32_t)s->octets;
    s->last_sr_us = now_us;
    s->sr_lsr = (uint32_t)(ntp >> 16);
    return true;
}
