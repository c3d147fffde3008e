/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "sfu/brain.h"
#include "sfu/ingest.h"
#include "sfu/peer.h"
#include "sfu/router.h"
#include "sfu/sub.h"

static void source_stats(const struct source *src, struct api_track_stats *t)
{
    const struct encoding *e = src->enc;
    t->kind = e->track->kind;
    t->codec = e->codec;
    memcpy(t->mid, src->ml->mid, sizeof(t->mid));
    memcpy(t->rid, e->track->rids[e->index], sizeof(t->rid));
    t->stream = e->track->stream->id;
    t->ssrc = src->ssrc;
    t->packets = src->packets;
    t->bytes = src->bytes;
    t->rtx_packets = src->rtx_packets;
    t->nacks = src->nacks_sent;
    t->plis = src->plis_sent;
    t->lost = (uint64_t)MAX(recv_stats_lost(&src->stats), 0);
    t->jitter_us = recv_stats_jitter_us(&src->stats);
    t->bitrate_bps = e->bitrate_bps;
    t->width = e->width;
    t->height = e->height;
    t->layer = (int8_t)e->index;
    t->n_sid = e->map.n_sid;
    t->n_tid = e->map.n_tid;
}

/* What a viewer's video section gets and should get. */
static void layer_stats(const struct sub *s, struct api_track_stats *t)
{
    t->layer = s->live ? (int8_t)s->enc->index : -1;
    t->aim_layer = s->aim.off ? -1 : s->aim.enc;
    t->switches = s->memory.switches;
    t->why = alloc_reason_name(s->reason);
    if (s->live) {
        t->sid = (int8_t)s->sid;
        t->tid = (int8_t)s->tid;
        t->n_sid = s->enc->map.n_sid;
        t->n_tid = s->enc->map.n_tid;
    }
    if (s->track && s->aim.enc >= 0 && s->aim.dt < s->track->enc[s->aim.enc].map.n_dt) {
        const struct encoding *e = &s->track->enc[s->aim.enc];
        t->aim_sid = (int8_t)e->map.sid[s->aim.dt];
        t->aim_tid = (int8_t)e->map.tid[s->aim.dt];
        t->aim_bps = encoding_cost_bps(e, s->aim.dt);
    }
}

static uint32_t backlog_us(const struct sub *s, int64_t now_us)
{
    const struct hist_slot *slot = s->live ? history_arrived(&s->enc->hist, s->cursor) : NULL;
    return slot ? (uint32_t)MIN(now_us - slot->arrival_us, (int64_t)UINT32_MAX) : 0;
}

static void network_stats(const struct peer *p, struct api_session_stats *st, int64_t now_us)
{
    static const char *const by[] = {
        [BWE_BLIND] = "start", [BWE_TWCC] = "twcc", [BWE_REPORT] = "report"};
    const struct brain *b = p->brain;
    st->estimate_by = p->remb_bps ? "remb" : "none";
    st->estimate_why = "";
    if (b && b->bwe) {
        st->estimate_by = by[b->facts.mode];
        st->estimate_why = b->facts.why;
        st->queue_us = b->facts.queue_us;
        st->loss_q8 = b->facts.loss_q8;
        st->congested = b->facts.usage == BWE_OVERUSE;
    }
    for (unsigned i = 0; i < p->n_subs; i++) {
        st->backlog_us = MAX(st->backlog_us, backlog_us(&p->subs[i], now_us));
    }
}

static void sub_stats(const struct sub *s, struct api_track_stats *t)
{
    t->kind = s->ml->kind;
    memcpy(t->mid, s->ml->mid, sizeof(t->mid));
    if (s->enc) {
        t->codec = s->enc->codec;
        memcpy(t->rid, s->track->rids[s->enc->index], sizeof(t->rid));
        t->width = s->enc->width;
        t->height = s->enc->height;
    }
    t->stream = s->follow.stream ? s->follow.stream->id : 0;
    t->ssrc = s->ml->ssrcs[0];
    t->packets = s->packets;
    t->bytes = s->bytes;
    t->rtx_packets = s->rtx_packets;
    t->nacks = s->nacks;
    t->plis = s->plis;
    t->firs = s->firs;
    t->lost = s->lost;
    t->fraction_lost_q8 = s->fraction_lost_q8;
    t->jitter_us = s->jitter_us;
    t->bitrate_bps = s->bitrate_bps;
    if (s->ml->kind == MEDIA_VIDEO) {
        layer_stats(s, t);
    }
}

struct api_session_stats *peer_stats(const struct peer *p, int64_t now_us)
{
    unsigned n = p->ingest ? p->ingest->n_sources : p->n_subs;
    struct api_session_stats *st = calloc(1, sizeof(*st) + n * sizeof(st->tracks[0]));
    if (!st) {
        return NULL;
    }
    st->id = p->id;
    st->role = p->session->role;
    st->state = p->link ? link_state(p->link) : LINK_UP;
    st->silent = p->silent;
    st->worker = p->router->p.worker;
    memcpy(st->label, p->session->label, sizeof(st->label));
    if (p->has_path) {
        addr_format(&p->path.remote, true, st->remote);
    }
    memcpy(st->transport, p->path.transport == TRANSPORT_TCP ? "tcp" : "udp",
           sizeof(st->transport));
    st->profile = p->link ? link_profile(p->link) : SRTP_NONE;
    st->age_us = now_us - p->created_us;
    st->idle_us = p->heard_us ? now_us - p->heard_us : now_us - p->created_us;
    st->estimate_bps = p->estimate_bps ? p->estimate_bps : p->remb_bps;
    st->has_data = p->session->data.on;
    st->data = p->data_stats;
    network_stats(p, st, now_us);
    st->n_tracks = (uint8_t)n;
    for (unsigned i = 0; i < n; i++) {
        if (p->ingest) {
            source_stats(&p->ingest->sources[i], &st->tracks[i]);
        } else {
            sub_stats(&p->subs[i], &st->tracks[i]);
            st->rtt_us = MAX(st->rtt_us, p->subs[i].rtt_us);
        }
    }
    return st;
}
