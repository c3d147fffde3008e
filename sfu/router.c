/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/router.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "rtp/demux.h"
#include "sfu/ahead.h"
#include "sfu/brain.h"
#include "sfu/feed.h"
#include "sfu/ingest.h"
#include "sfu/levels.h"
#include "sfu/record.h"
#include "sfu/ring.h"
#include "sfu/sub.h"
#include "sfu/told.h"

/* What it takes to send one viewer a message, about; and what is not worth waiting for. */
#define VIEWER_US     2
#define GATHER_MIN_US 50

/* Steps of DTLS handshakes taken in one turn before the others wait, and room for those. */
#define SHAKES_A_TURN 1
#define LATER_BYTES   (1U << 19)

#define REPLICA_QUIET_US (2 * US_PER_S)

int router_init(struct router *r, const struct router_params *p)
{
    memset(r, 0, sizeof(*r));
    r->p = *p;
    r->random = p->seed;
    table_init(&r->streams);
    table_init(&r->peers);
    table_init(&r->ufrags);
    table_init(&r->addrs);
    r->later = ring_new(LATER_BYTES);
    list_init(&r->dirty);
    list_init(&r->pending);
    list_init(&r->paced);
    list_init(&r->publishers);
    list_init(&r->leaving);
    list_init(&r->levelled);
    list_init(&r->connecting);
    for (int i = 0; i < ROUTER_WHEEL; i++) {
        list_init(&r->wheel[i]);
    }
    for (int i = 0; i < ROUTER_LOOKS; i++) {
        list_init(&r->watched[i]);
    }
    r->scratch = calloc(ALLOC_STREAMS, sizeof(*r->scratch));
    r->statuses = calloc(BRAIN_STATUSES, sizeof(*r->statuses));
    r->estimates = calloc(BRAIN_CACHE, sizeof(*r->estimates));
    return r->scratch && r->later && r->statuses && r->estimates ? 0 : -ENOMEM;
}

void router_end_some(struct router *r, enum api_reason reason, struct tx_batch *b, int max)
{
    for (int i = 0; i < ROUTER_WHEEL; i++) {
        while (!list_empty(&r->wheel[i]) && max-- > 0) {
            peer_end(container_of(r->wheel[i].next, struct peer, wheel), reason, NULL, b);
        }
    }
}

void router_fini(struct router *r)
{
    router_end_some(r, API_END_SHUTDOWN, NULL, INT_MAX);
    TABLE_EACH(e, &r->streams)
    {
        stream_free(e->value);
    }
    table_fini(&r->streams);
    table_fini(&r->peers);
    table_fini(&r->ufrags);
    table_fini(&r->addrs);
    ring_free(r->later);
    free(r->scratch);
    free(r->statuses);
    free(r->estimates);
}

/* splitmix64: numbers that need not be secret (starting sequence numbers); secrets come from
 * getrandom(2) in ice/. */
uint64_t router_random(struct router *r)
{
    r->random += 0x9e3779b97f4a7c15ULL;
    uint64_t z = r->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

struct peer *router_peer(const struct router *r, uint64_t id)
{
    return id ? table_get(&r->peers, id) : NULL;
}

void router_owe(struct router *r, struct peer *p)
{
    if (list_empty(&p->pending)) {
        list_append(&r->pending, &p->pending);
    }
}

void router_watch(struct router *r, struct peer *p)
{
    if (list_empty(&p->watched)) {
        list_append(&r->watched[p->slice % ROUTER_LOOKS], &p->watched);
    }
}

/* ---- streams ---- */

struct stream *router_stream(struct router *r, uint64_t id, bool create)
{
    struct stream *s = table_get(&r->streams, id);
    if (s || !create) {
        return s;
    }
    s = calloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    s->id = id;
    s->source_worker = -1;
    list_init(&s->followers);
    list_init(&s->players);
    list_init(&s->levelled);
    if (table_put(&r->streams, id, s)) {
        free(s);
        return NULL;
    }
    return s;
}

void router_settle_replica(struct router *r, struct stream *s, bool asked_anew)
{
    bool remote = s->source_worker >= 0 && s->source_worker != r->p.worker;
    bool want = remote && !list_empty(&s->players);
    if (remote && (want != s->asked || (want && asked_anew))) {
        struct api_cmd cmd = {.kind = API_CMD_REPLICA, .id = s->id};
        cmd.u.replica.from = r->p.worker;
        cmd.u.replica.want = want;
        r->p.ports.command(s->source_worker, &cmd, r->p.ports.ctx);
    }
    s->asked = want;
}

void router_settle_stream(struct router *r, struct stream *s)
{
    router_settle_replica(r, s, false);
    if (list_empty(&s->players) && list_empty(&s->followers) && !s->target && !s->local &&
        s->source_worker < 0) {
        table_remove(&r->streams, s->id, s);
        list_remove(&s->levelled);
        stream_free(s);
    }
}

void router_restart_stream(struct router *r, struct stream *s, int64_t now_us)
{
    s->has_clock = false;
    for (unsigned i = 0; i < s->n_tracks; i++) {
        for (unsigned k = 0; s->tracks[i] && k < s->tracks[i]->n_enc; k++) {
            for (uint64_t todo = s->wanted_by; todo; todo &= todo - 1) {
                int w = __builtin_ctzll(todo);
                if (record_put_restart(r->p.to_worker[w], &s->tracks[i]->enc[k])) {
                    r->ring_wakes |= 1ULL << w;
                }
            }
        }
    }
    follow_attach(s, now_us);
}

void router_want_key(struct router *r, struct encoding *e, bool urgent, int64_t now_us)
{
    struct stream *s = e->track->stream;
    if (e->track->kind != MEDIA_VIDEO) {
        return;
    }
    if (s->local) {
        if (!s->local->ingest || !s->local->ingest->muted[MEDIA_VIDEO]) {
            keyframes_want(&e->keys, urgent, now_us); /* else it would be dropped with the rest */
        }
        return;
    }
    if (s->source_worker < 0 || now_us - e->keys_passed_us < KEYFRAME_FLOOR_US / 3) {
        return;
    }
    e->keys_passed_us = now_us;
    struct api_cmd cmd = {.kind = API_CMD_FEEDBACK, .id = s->id};
    cmd.u.feedback.track = e->track->index;
    cmd.u.feedback.layer = e->index;
    cmd.u.feedback.urgent = urgent;
    r->p.ports.command(s->source_worker, &cmd, r->p.ports.ctx);
}

/* ---- datagrams and rings ---- */

/* SCTP packets go to the DATA thread as they come. */
static void on_data(struct router *r, struct peer *p, uint8_t *data, size_t len, int64_t now_us)
{
    do {
        if (p->data_open) {
            r->p.ports.data_packet(p->id, data, len, r->p.ports.ctx);
        }
    } while (link_next_data(p->link, now_us, &data, &len));
}

void router_send_data(struct router *r, uint64_t session, const uint8_t *pkt, size_t len)
{
    struct peer *p = router_peer(r, session);
    if (p && p->link && link_send_data(p->link, pkt, len) == 0) {
        p->owes_link = true;
        router_owe(r, p);
    }
}

void router_on_datagram(struct router *r, struct peer *p, const struct path *from, uint8_t *buf,
                        size_t len, int64_t now_us)
{
    uint8_t *data;
    size_t data_len;
    bool stun = demux_classify(buf, len) == DEMUX_STUN;
    switch (link_on_datagram(p->link, now_us, from, buf, len, &data, &data_len)) {
    case LINK_IN_RTP:
        router_on_rtp(r, p, data, data_len, now_us);
        break;
    case LINK_IN_RTCP:
        p->heard_us = now_us;
        router_on_rtcp(r, p, data, data_len, now_us);
        break;
    case LINK_IN_DATA:
        on_data(r, p, data, data_len, now_us);
        peer_drain_link(p, now_us);
        break;
    case LINK_IN_NOTHING:
        peer_drain_link(p, now_us);
        break;
    }
    if (stun) {
        peer_on_stun(p, from);
    }
}

void router_pass_on(struct router *r, int owner, const struct path *from, const uint8_t *buf,
                    size_t len)
{
    if (len > RTP_PACKET_MAX + SEAL_TAG_MAX) {
        r->n.link_drop[LINK_DROP_SIZE]++; /* the owner would refuse it, and no record holds it */
        r->n.drop_link++;
        return;
    }
    if (!r->p.to_worker[owner] || !record_put_datagram(r->p.to_worker[owner], from, buf, len)) {
        r->n.drop_ring++;
        return;
    }
    r->ring_wakes |= 1ULL << owner;
    r->n.rx_foreign++;
}

/* The encoding that a record is about, made at the first one. */
static struct encoding *record_encoding(struct router *r, const struct record *rec)
{
    struct stream *s = router_stream(r, rec->stream, false);
    if (!s || s->local || list_empty(&s->players)) {
        return NULL; /* nobody here watches any more, or the publisher has come here */
    }
    struct track *t = s->tracks[rec->track];
    bool is_new = !t;
    t = track_open(s, rec->track, rec->media, rec->n_layers);
    if (!t) {
        return NULL;
    }
    memcpy(t->rids[rec->layer], rec->rid, sizeof(rec->rid));
    t->enc[rec->layer].keys.deaf = rec->deaf;
    t->enc[rec->layer].keys.dear = rec->dear;
    if (is_new) {
        follow_attach(s, 0);
    }
    struct encoding *e = &t->enc[rec->layer];
    if (rec->publisher < e->publisher ||
        (rec->publisher == e->publisher && rec->epoch < e->epoch)) {
        return NULL; /* still under way from a source that has been replaced */
    }
    if (rec->publisher != e->publisher || rec->epoch != e->epoch) {
        encoding_restart(e);
        e->publisher = rec->publisher;
        e->epoch = rec->epoch;
        t->best = t->best == (int8_t)e->index ? -1 : t->best;
    }
    return e;
}

static void on_packet_record(struct router *r, const struct record_packet *rec)
{
    struct encoding *e = record_encoding(r, &rec->head);
    if (!e || encoding_open(e, rec->codec == CODEC_RED ? CODEC_OPUS : rec->codec)) {
        return;
    }
    /* All that is stored there may come at once. Without memory it keeps less. */
    (void)history_match(&e->hist, rec->n_slots, rec->n_bytes);
    told_follow(e, &rec->map, rec->arrival_us);
    const struct hist_in in = {
        .seq = rec->seq,
        .ts = rec->ts,
        .arrival_us = rec->arrival_us,
        .marker = rec->marker,
        .codec = rec->codec,
        .map_gen = rec->map.gen,
        .desc = &rec->desc,
        .ext = rec->bytes,
        .ext_len = rec->ext_len,
        .payload = rec->bytes + rec->ext_len,
        .payload_len = rec->payload_len,
    };
    (void)route_store(r, e, &in);
}

static void on_report_record(struct router *r, const struct record_report *rec)
{
    struct encoding *e = record_encoding(r, &rec->head);
    if (e) {
        e->has_sr = true;
        e->sr_ntp = rec->ntp;
        e->sr_ts = rec->ts;
        e->track->stream->has_clock = true;
        e->track->stream->ntp_offset_us = rec->ntp_offset_us;
    }
}

static void on_datagram_record(struct router *r, const struct record_datagram *rec, int64_t now_us)
{
    uint8_t buf[RTP_PACKET_MAX + SEAL_TAG_MAX];
    memcpy(buf, rec->bytes, rec->len);
    router_on_raw(r, &rec->from, buf, rec->len, now_us);
}

void router_on_ring(struct router *r, struct ring *from, int64_t now_us)
{
    uint32_t len;
    for (const void *rec = ring_peek(from, &len); rec; rec = ring_peek(from, &len)) {
        switch (*(const enum record_kind *)rec) {
        case RECORD_PACKET:
            on_packet_record(r, rec);
            break;
        case RECORD_REPORT:
            on_report_record(r, rec);
            break;
        case RECORD_RESTART:
            (void)record_encoding(r, rec); /* its epoch says it */
            break;
        case RECORD_DATAGRAM:
            on_datagram_record(r, rec, now_us);
            break;
        }
        ring_pop(from);
    }
}

/* A handshake's step costs as much as sending a hundred packets: one a turn, the others wait, in
 * order. Only addresses that have proved themselves can fill the queue; what does not fit is a lost
 * datagram, which DTLS repeats. Returns true if the datagram is not to be handled now. */
static bool put_off(struct router *r, const struct path *from, const uint8_t *buf, size_t len)
{
    uint32_t waiting;
    if ((r->shaken++ < SHAKES_A_TURN && !ring_peek(r->later, &waiting)) ||
        len > RTP_PACKET_MAX + SEAL_TAG_MAX) {
        return false;
    }
    r->n.drop_dtls_late += !record_put_datagram(r->later, from, buf, len);
    return true;
}

bool router_shake(struct router *r, int64_t now_us)
{
    uint32_t len;
    const struct record_datagram *rec = ring_peek(r->later, &len);
    r->shaken = rec != NULL;
    if (rec) {
        uint8_t buf[RTP_PACKET_MAX + SEAL_TAG_MAX];
        struct path from = rec->from;
        size_t n = rec->len;
        memcpy(buf, rec->bytes, n);
        ring_pop(r->later);
        struct peer *p = router_peer_by_addr(r, &from.remote);
        if (p) {
            router_on_datagram(r, p, &from, buf, n, now_us);
        }
    }
    return ring_peek(r->later, &len);
}

/* The session that a check is for. A client that has its answer must find its session, however fast
 * its first check is: one that nobody is known for may be newer than the last look at messages. */
static struct peer *peer_of_check(struct router *r, const uint8_t *buf, size_t len, int64_t now_us)
{
    const char *ufrag;
    size_t n;
    if (owner_peek_ufrag(buf, len, &ufrag, &n)) {
        return NULL;
    }
    struct peer *p = router_peer_by_ufrag(r, ufrag, n);
    if (!p && r->p.ports.catch_up) {
        r->p.ports.catch_up(now_us, r->p.ports.ctx);
        p = router_peer_by_ufrag(r, ufrag, n);
    }
    return p;
}

void router_on_raw(struct router *r, const struct path *from, uint8_t *buf, size_t len,
                   int64_t now_us)
{
    enum demux_kind kind = demux_classify(buf, len);
    struct peer *p = kind == DEMUX_STUN ? peer_of_check(r, buf, len, now_us)
                                        : router_peer_by_addr(r, &from->remote);
    if (p && !p->up && kind == DEMUX_DTLS && put_off(r, from, buf, len)) {
        return;
    }
    if (p) {
        router_on_datagram(r, p, from, buf, len, now_us);
    } else {
        r->n.rx_unknown++;
    }
}

/* ---- time ---- */

int64_t router_patience_us(const struct router *r)
{
    int64_t viewers = 0;
    LIST_EACH(it, &r->dirty)
    {
        const struct track *t = container_of(it, struct track, dirty);
        viewers += t->kind == MEDIA_VIDEO && t->partial ? t->watchers : 0;
    }
    int64_t us = viewers * VIEWER_US;
    return us < GATHER_MIN_US ? 0 : MIN(us, (int64_t)r->p.conf->media.gather_us);
}

/* Ten times a second, those for whom time alone may change something. */
static void tick_watched(struct router *r, int64_t now_us)
{
    struct list *watched = &r->watched[r->slice % ROUTER_LOOKS];
    struct ahead ahead;
    ahead_begin(&ahead, watched, offsetof(struct peer, watched));
    LIST_EACH(it, watched)
    {
        ahead_next(&ahead, AHEAD_STEPS);
        brain_tick(container_of(it, struct peer, watched), now_us);
    }
}

static void tick_viewer(struct router *r, struct peer *p, int64_t now_us)
{
    if (list_empty(&p->watched)) {
        brain_tick(p, now_us);
    }
    for (unsigned i = 0; i < p->n_subs; i++) {
        struct sub *s = &p->subs[i];
        s->bitrate_bps = (uint32_t)MIN((s->bytes - s->window_from) * 8, (uint64_t)UINT32_MAX);
        s->window_from = s->bytes;
    }
    if (p->up) {
        p->owes_report = true;
        router_owe(r, p);
    }
}

/* One slice of the wheel: once a second every peer is looked at, and reports. */
static void tick_slice(struct router *r, int64_t now_us)
{
    struct ahead ahead;
    ahead_begin(&ahead, &r->wheel[r->slice], offsetof(struct peer, wheel));
    LIST_EACH(it, &r->wheel[r->slice])
    {
        struct peer *p = container_of(it, struct peer, wheel);
        ahead_next(&ahead, AHEAD_STEPS);
        if (p->subs) {
            tick_viewer(r, p, now_us);
        }
        (void)peer_check(p, now_us);
    }
}

/* Says again that a stream is wanted when nothing comes: the first word may have met a full
 * mailbox. */
static void ask_again(struct router *r, struct stream *s, int64_t now_us)
{
    int64_t newest = INT64_MIN / 2;
    for (unsigned i = 0; i < s->n_tracks; i++) {
        for (unsigned k = 0; s->tracks[i] && k < s->tracks[i]->n_enc; k++) {
            newest = MAX(newest, s->tracks[i]->enc[k].last_packet_us);
        }
    }
    if (s->asked && now_us - newest > REPLICA_QUIET_US) {
        router_settle_replica(r, s, true);
    }
}

static void tick_streams(struct router *r, int64_t now_us, bool second)
{
    TABLE_EACH(e, &r->streams)
    {
        struct stream *s = e->value;
        if (second) {
            ask_again(r, s, now_us);
        }
        for (unsigned i = 0; i < s->n_tracks; i++) {
            struct track *t = s->tracks[i];
            if (t && track_tick(t, now_us)) {
                LIST_EACH(it, &t->subs)
                {
                    router_watch(r, container_of(it, struct sub, node)->peer);
                }
            }
            if (t && second) {
                track_fit(t, now_us, (int64_t)r->p.conf->media.history_ms * US_PER_MS);
            }
        }
    }
}

/* Viewers of a layer that has died go elsewhere at once. */
static void tick_layers(struct router *r, int64_t now_us)
{
    TABLE_EACH(e, &r->streams)
    {
        struct stream *s = e->value;
        for (unsigned i = 0; i < s->n_tracks; i++) {
            struct track *t = s->tracks[i];
            for (unsigned k = 0; t && k < t->n_enc; k++) {
                feed_tick(r, &t->enc[k]);
            }
            if (!t || t->n_enc < 2 || !track_check_alive(t, now_us)) {
                continue;
            }
            LIST_EACH(it, &t->subs)
            {
                brain_look(container_of(it, struct sub, node)->peer, now_us);
            }
        }
    }
}

static void tick_links(struct router *r, int64_t now_us)
{
    LIST_EACH(it, &r->connecting)
    {
        struct peer *p = container_of(it, struct peer, kin);
        if (p->link && link_next_deadline(p->link) <= now_us) {
            link_on_timer(p->link, now_us);
            peer_drain_link(p, now_us);
        }
    }
    LIST_EACH(it, &r->publishers)
    {
        struct peer *p = container_of(it, struct peer, kin);
        if (ingest_due(p, now_us)) {
            p->owes_report = true;
            router_owe(r, p);
        }
    }
}

static void tick_paced(struct router *r, int64_t now_us)
{
    if (now_us < r->next_pace_us) {
        return;
    }
    r->next_pace_us = now_us + ROUTER_PACE_US - US_PER_MS; /* timers waver */
    while (!list_empty(&r->paced)) {
        struct peer *p = container_of(r->paced.next, struct peer, paced);
        list_remove(&p->paced);
        router_owe(r, p);
    }
}

void router_tick(struct router *r, int64_t now_us)
{
    tick_paced(r, now_us);
    /* Timers come a little early or late: the rate is what counts. */
    if (now_us < r->next_tick_us - ROUTER_TICK_US / 2) {
        return;
    }
    r->next_tick_us = MAX(r->next_tick_us + ROUTER_TICK_US, now_us);
    r->slice = (r->slice + 1) % ROUTER_WHEEL;
    tick_links(r, now_us);
    follow_tick(r, now_us);
    levels_tick(r, now_us);
    tick_layers(r, now_us);
    if (r->slice % ROUTER_LOOKS == 0) {
        tick_streams(r, now_us, r->slice == 0);
    }
    tick_watched(r, now_us);
    tick_slice(r, now_us);
}
