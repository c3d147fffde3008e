/* SPDX-License-Identifier: Apache-2.0 */
/* router_cmd.c - what MAIN and the other workers tell a router to do. */
#include <stdlib.h>

#include "sfu/feed.h"
#include "sfu/ingest.h"
#include "sfu/levels.h"
#include "sfu/record.h"
#include "sfu/router.h"
#include "sfu/sub.h"

static void on_source(struct router *r, uint64_t id, int worker, uint64_t publisher)
{
    struct stream *s = router_stream(r, id, worker >= 0);
    if (!s) {
        return;
    }
    bool anew = s->publisher != publisher || s->source_worker != worker;
    s->source_worker = worker;
    s->publisher = publisher;
    if (anew && worker != r->p.worker) {
        s->wanted_by = 0; /* who wants it asks its new home */
        s->asked = false;
    }
    router_settle_replica(r, s, anew);
    router_settle_stream(r, s);
}

static void on_replica(struct router *r, uint64_t id, int from, bool want, int64_t now_us)
{
    struct stream *s = router_stream(r, id, want);
    if (!s || from < 0 || from >= r->p.n_workers || from == r->p.worker) {
        return;
    }
    uint64_t bit = 1ULL << from;
    s->wanted_by = want ? s->wanted_by | bit : s->wanted_by & ~bit;
    for (unsigned i = 0; want && i < s->n_tracks; i++) {
        for (unsigned k = 0; s->tracks[i] && k < s->tracks[i]->n_enc; k++) {
            struct encoding *e = &s->tracks[i]->enc[k];
            if (e->has_sr && record_put_report(r->p.to_worker[from], e)) {
                r->ring_wakes |= bit;
            }
            if (s->tracks[i]->best == (int8_t)k) {
                router_want_key(r, e, false, now_us);
            }
            feed_begin(r, e, from);
        }
    }
    router_settle_stream(r, s);
}

static void on_slot(struct router *r, const struct api_cmd *cmd, int64_t now_us)
{
    struct peer *p = router_peer(r, cmd->id);
    for (unsigned i = 0; p && i < p->n_subs; i++) {
        if (p->subs[i].ml->index == cmd->u.slot.mline) {
            follow_play(&p->subs[i], cmd->u.slot.stream, now_us);
        }
    }
}

static void on_layer(struct router *r, const struct api_cmd *cmd, int64_t now_us)
{
    struct peer *p = router_peer(r, cmd->id);
    for (unsigned i = 0; p && i < p->n_subs; i++) {
        if (p->subs[i].ml->index == cmd->u.wish.mline) {
            sub_wish(&p->subs[i], &cmd->u.wish, now_us);
        }
    }
}

/* session: 0 = all. */
static void on_query(struct router *r, uint64_t session, uint64_t token, int64_t now_us)
{
    struct api_event ev = {.kind = API_EV_STATS, .worker = r->p.worker, .id = session};
    ev.u.stats.token = token;
    if (session) {
        struct peer *p = router_peer(r, session);
        ev.u.stats.sessions = calloc(1, sizeof(*ev.u.stats.sessions));
        if (p && ev.u.stats.sessions) {
            ev.u.stats.sessions[0] = peer_stats(p, now_us);
            ev.u.stats.n = ev.u.stats.sessions[0] != NULL;
        }
        r->p.ports.event(&ev, r->p.ports.ctx);
        return;
    }
    ev.u.stats.sessions = calloc(r->n_peers ? r->n_peers : 1, sizeof(*ev.u.stats.sessions));
    TABLE_EACH(e, &r->peers)
    {
        if (ev.u.stats.sessions) {
            ev.u.stats.sessions[ev.u.stats.n] = peer_stats(e->value, now_us);
            ev.u.stats.n += ev.u.stats.sessions[ev.u.stats.n] != NULL;
        }
    }
    r->p.ports.event(&ev, r->p.ports.ctx);
}

static void on_feedback(struct router *r, const struct api_cmd *cmd, int64_t now_us)
{
    struct stream *s = router_stream(r, cmd->id, false);
    uint8_t track = cmd->u.feedback.track, layer = cmd->u.feedback.layer;
    for (unsigned t = 0; s && t < s->n_tracks; t++) {
        for (unsigned l = 0; s->tracks[t] && l < s->tracks[t]->n_enc; l++) {
            if ((track == t || track == API_ALL) && (layer == l || layer == API_ALL)) {
                router_want_key(r, &s->tracks[t]->enc[l], cmd->u.feedback.urgent, now_us);
            }
        }
    }
}

void router_on_cmd(struct router *r, struct api_cmd *cmd, int64_t now_us)
{
    struct peer *p;
    switch (cmd->kind) {
    case API_CMD_SESSION_ADD:
        (void)peer_new(r, cmd->u.session, now_us); /* tells MAIN itself when it fails */
        cmd->u.session = NULL;
        break;
    case API_CMD_SESSION_ICE:
        p = router_peer(r, cmd->id);
        if (p && p->link && peer_restart_ice(p, cmd->u.creds, now_us)) {
            r->n.drop_link++; /* out of memory: the old generation goes on */
        }
        break;
    case API_CMD_STREAM_SOURCE:
        on_source(r, cmd->id, cmd->u.source.worker, cmd->u.source.publisher);
        break;
    case API_CMD_REPLICA:
        on_replica(r, cmd->id, cmd->u.replica.from, cmd->u.replica.want, now_us);
        break;
    case API_CMD_SLOT:
        on_slot(r, cmd, now_us);
        break;
    case API_CMD_STREAM_ALIAS:
        follow_alias(r, cmd->id, cmd->u.alias.target, now_us);
        break;
    case API_CMD_LAYER:
        on_layer(r, cmd, now_us);
        break;
    case API_CMD_QUERY:
        on_query(r, cmd->id, cmd->u.query.token, now_us);
        break;
    case API_CMD_LEVELS:
        levels_want(r, cmd->id, cmd->u.levels.want);
        break;
    case API_CMD_FEEDBACK:
        on_feedback(r, cmd, now_us);
        break;
    case API_CMD_MUTE:
        p = router_peer(r, cmd->id);
        if (p) {
            ingest_mute(p, cmd->u.mute.audio, cmd->u.mute.video, now_us);
        }
        break;
    case API_CMD_SESSION_END:
    case API_CMD_TCP_CONN:
        break; /* the worker's: they need its sockets */
    }
    api_cmd_fini(cmd);
}
