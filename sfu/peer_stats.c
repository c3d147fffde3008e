/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

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
