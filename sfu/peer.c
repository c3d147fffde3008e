/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/peer.h"

#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "rtp/line.h"
#include "sfu/brain.h"
#include "sfu/ingest.h"
#include "sfu/router.h"
#include "sfu/sub.h"

static uint64_t ufrag_key(const struct router *r, const char *ufrag, size_t len)
{
    uint64_t h = r->p.seed ^ 0x9e3779b97f4a7c15ULL;
    for (size_t i = 0; i < len; i++) {
        h = table_mix(h ^ (uint8_t)ufrag[i]) * 0x9fb21c651e98df25ULL;
    }
    return h ? h : 1;
}

struct peer *router_peer_by_ufrag(const struct router *r, const char *ufrag, size_t len)
{
    struct peer *p = table_get(&r->ufrags, ufrag_key(r, ufrag, len));
    return p && link_has_ufrag(p->link, ufrag, len) ? p : NULL;
}

static uint64_t addr_key(const struct router *r, const struct addr *a)
{
    uint64_t h = addr_hash(a, r->p.seed);
    return h ? h : 1;
}

struct peer *router_peer_by_addr(const struct router *r, const struct addr *a)
{
    return table_get(&r->addrs, addr_key(r, a));
}

void router_prefetch_addr(const struct router *r, const struct addr *a)
{
    table_prefetch(&r->addrs, addr_key(r, a));
}

static void forget_addr(struct peer *p, unsigned slot)
{
    struct router *r = p->router;
    if (table_get(&r->addrs, p->addr_keys[slot]) == p) { /* else it is another session's by now */
        table_remove(&r->addrs, p->addr_keys[slot], p);
        if (r->p.owners) {
            owner_remove(r->p.owners, &p->addrs[slot], r->p.worker);
        }
    }
    p->addr_keys[slot] = 0;
}

/* From now on datagrams from a are p's. The oldest of p's addresses gives way. */
static void add_addr(struct peer *p, const struct addr *a)
{
    struct router *r = p->router;
    uint64_t key = addr_key(r, a);
    if (table_get(&r->addrs, key) == p || table_put(&r->addrs, key, p)) {
        return;
    }
    if (r->p.owners) {
        owner_put(r->p.owners, a, r->p.worker);
    }
    unsigned slot = p->n_addr_keys++ % ARRAY_LEN(p->addr_keys);
    if (p->addr_keys[slot]) {
        forget_addr(p, slot);
    }
    p->addr_keys[slot] = key;
    p->addrs[slot] = *a;
}

/* Viewers: one sub per section, playing what the session says, or nothing yet. */
static bool add_subs(struct peer *p, int64_t now_us)
{
    const struct api_session *s = p->session;
    p->subs = line_calloc(s->n_mlines ? s->n_mlines : 1, sizeof(*p->subs));
    if (!p->subs) {
        return false;
    }
    p->n_subs = s->n_mlines;
    for (unsigned i = 0; i < p->n_subs; i++) {
        sub_init(&p->subs[i], p, &s->mlines[i], router_random(p->router));
        /* Without RTX a resend must be byte-identical: the MID is left to the SDP's a=ssrc lines.
         */
        p->subs[i].mid_done = s->link.only_cm;
        follow_play(&p->subs[i], s->stream, now_us);
    }
    p->brain = brain_new(p);
    brain_look(p, now_us);
    return p->brain;
}

static bool start(struct peer *p, int64_t now_us)
{
    struct router *r = p->router;
    const struct api_session *s = p->session;
    if (table_put(&r->peers, p->id, p)) {
        return false;
    }
    if (s->link.creds.local_ufrag[0]) { /* the simulator has no links */
        p->link = link_new(&s->link, now_us);
        const char *ufrag = s->link.creds.local_ufrag;
        if (!p->link || table_put(&r->ufrags, ufrag_key(r, ufrag, strlen(ufrag)), p)) {
            return false;
        }
    }
    if (s->role == API_PLAY) {
        return add_subs(p, now_us);
    }
    p->stream = router_stream(r, s->stream, true);
    p->ingest = p->stream ? ingest_new(p, now_us) : NULL;
    if (p->ingest) {
        p->stream->local = p;
        router_restart_stream(r, p->stream, now_us);
    }
    return p->ingest;
}

struct peer *peer_new(struct router *r, struct api_session *session, int64_t now_us)
{
    struct peer *p = line_calloc(1, sizeof(*p));
    if (!p) {
        free(session);
        return NULL;
    }
    p->router = r;
    p->id = session->id;
    p->session = session;
    p->created_us = now_us;
    p->rtcp_ssrc = (uint32_t)router_random(r) | 1;
    if (!session->cname[0]) {
        memcpy(session->cname, "sluice", sizeof("sluice"));
    }
    list_init(&p->pending);
    list_init(&p->paced);
    list_init(&p->wheel);
    list_init(&p->watched);
    list_init(&p->kin);
    p->slice = (unsigned)(router_random(r) % ROUTER_WHEEL);
    list_append(&r->wheel[p->slice], &p->wheel);
    list_append(&r->connecting, &p->kin);
    r->n_peers++;
    r->n.sessions_added++;
    if (!start(p, now_us)) {
        peer_end(p, API_END_NO_MEMORY, NULL, NULL);
        return NULL;
    }
    return p;
}

/* Takes p out of every table and list that knows it. */
static void unlink_peer(struct peer *p)
{
    struct router *r = p->router;
    list_remove(&p->pending);
    list_remove(&p->paced);
    list_remove(&p->wheel);
    list_remove(&p->watched);
    list_remove(&p->kin);
    table_remove(&r->peers, p->id, p);
    for (unsigned i = 0; i < ARRAY_LEN(p->addr_keys); i++) {
        if (p->addr_keys[i]) {
            forget_addr(p, i);
        }
    }
    for (unsigned i = 0; i < p->n_ufrag_keys; i++) {
        table_remove(&r->ufrags, p->ufrag_keys[i], p);
    }
    const char *ufrag = p->session->link.creds.local_ufrag;
    table_remove(&r->ufrags, ufrag_key(r, ufrag, strlen(ufrag)), p);
    for (unsigned i = 0; i < p->n_subs; i++) {
        follow_end(&p->subs[i]);
    }
    if (p->stream) {
        if (p->stream->local == p) {
            p->stream->local = NULL;
        }
        router_settle_stream(r, p->stream);
    }
}

/* Adds what the link has dropped since the last look to the worker's counters. */
static void count_drops(struct peer *p)
{
    const uint64_t *drops = link_drops(p->link);
    struct api_counters *n = &p->router->n;
    for (int i = 0; i < LINK_DROP_COUNT; i++) {
        n->link_drop[i] += drops[i] - p->drops_counted[i];
        n->drop_link += drops[i] - p->drops_counted[i];
        p->drops_counted[i] = drops[i];
    }
}

void peer_end(struct peer *p, enum api_reason reason, const char *detail, struct tx_batch *b)
{
    struct router *r = p->router;
    struct api_event ev = {.kind = API_EV_ENDED, .worker = r->p.worker, .id = p->id};
    ev.u.ended.reason = reason;
    ev.u.ended.detail = detail;
    ev.u.ended.stats = peer_stats(p, MAX(p->heard_us, p->created_us));
    if (p->link && reason != API_END_PEER_CLOSED) {
        link_close(p->link);
    }
    if (p->link && b) {
        (void)peer_send_link(p, b); /* what does not fit is lost, as it could be on the wire */
    }
    if (p->link) {
        count_drops(p);
    }
    if (p->data_open) {
        r->p.ports.data_close(p->id, r->p.ports.ctx);
    }
    unlink_peer(p);
    ingest_free(p->ingest);
    free(p->subs);
    brain_free(p->brain, p, MAX(p->heard_us, p->created_us));
    link_free(p->link);
    free(p->session);
    free(p);
    r->n_peers--;
    r->n.sessions_ended++;
    r->p.ports.event(&ev, r->p.ports.ctx);
}

void peer_on_up(struct peer *p, struct seal *seal, int64_t now_us)
{
    struct router *r = p->router;
    p->seal = seal;
    p->up = true;
    p->up_us = now_us;
    p->heard_us = now_us;
    list_remove(&p->kin);
    if (p->ingest) {
        list_append(&r->publishers, &p->kin);
    }
    for (unsigned i = 0; i < p->n_subs; i++) {
        struct sub *s = &p->subs[i];
        s->ss = seal_stream(seal, s->ml->ssrcs[0]);
        s->rtx_ss = s->ml->rtx_ssrcs[0] ? seal_stream(seal, s->ml->rtx_ssrcs[0]) : NULL;
        s->want = NULL; /* the entry point that was good at the POST may be old by now */
    }
    brain_look(p, now_us);
    r->n.dtls_up++;
    struct api_event ev = {.kind = API_EV_UP, .worker = r->p.worker, .id = p->id};
    ev.u.up.took_us = now_us - p->created_us;
    if (p->link) {
        ev.u.up.profile = link_profile(p->link);
        addr_format(&p->path.remote, true, ev.u.up.remote);
    }
    r->p.ports.event(&ev, r->p.ports.ctx);
    if (p->session->data.on && r->p.ports.data_open) {
        p->data_open = true;
        r->p.ports.data_open(p->session, r->p.ports.ctx);
    }
    router_owe(r, p);
}

/* A publisher is heard by its media; one with nothing but data channels never sends any. */
static bool owes_media(const struct peer *p)
{
    return p->ingest && p->session->n_mlines > 0;
}

/* An event that says no more than its kind. */
static void tell(struct peer *p, enum api_ev_kind kind)
{
    struct router *r = p->router;
    struct api_event ev = {.kind = kind, .worker = r->p.worker, .id = p->id};
    r->p.ports.event(&ev, r->p.ports.ctx);
}

void peer_on_media(struct peer *p, int64_t now_us)
{
    p->heard_us = now_us;
    if (!p->live || p->silent) {
        p->live = true;
        p->silent = false;
        tell(p, API_EV_LIVE);
    }
}

void peer_drain_link(struct peer *p, int64_t now_us)
{
    for (enum link_event ev = link_poll_event(p->link); ev != LINK_EVENT_NONE;
         ev = link_poll_event(p->link)) {
        switch (ev) {
        case LINK_EVENT_PATH:
            p->has_path =
                link_path(p->link) != NULL; /* a closed TCP connection may have been the last */
            if (p->has_path) {
                p->path = *link_path(p->link);
            }
            break;
        case LINK_EVENT_UP:
            peer_on_up(p, link_seal(p->link), now_us);
            break;
        case LINK_EVENT_CLOSED:
            p->ending = true; /* freed by the next peer_check, not under the caller's feet */
            break;
        case LINK_EVENT_NONE:
            break;
        }
    }
    int64_t heard = link_last_heard(p->link);
    if (heard > p->heard_us) {
        p->heard_us = heard;
        if (p->silent && !owes_media(p)) { /* a publisher comes back with its media */
            p->silent = false;
            tell(p, API_EV_LIVE);
        }
    }
    p->owes_link = true;
    router_owe(p->router, p);
}

void peer_on_stun(struct peer *p, const struct path *from)
{
    const struct path *valid;
    for (unsigned i = 0; (valid = link_path_at(p->link, i)); i++) {
        if (path_equal(valid, from)) {
            add_addr(p, &from->remote);
            return;
        }
    }
}

bool peer_send_link(struct peer *p, struct tx_batch *b)
{
    for (;;) {
        struct path to;
        uint8_t *out = tx_reserve(b);
        if (!out) {
            return false;
        }
        size_t len = link_poll(p->link, out, TX_PACKET_MAX, &to);
        if (!len) {
            p->owes_link = false;
            return true;
        }
        tx_commit(b, p->id, &to, len, false);
    }
}

bool peer_check(struct peer *p, int64_t now_us)
{
    const struct conf *c = p->router->p.conf;
    if (!p->link) {
        return false;
    }
    count_drops(p);
    enum link_state state = link_state(p->link);
    int64_t age = now_us - p->created_us;
    if (p->timed_out) {
        peer_end(p, API_END_MEDIA_TIMEOUT, NULL, NULL);
        return true;
    }
    if (p->ending || state == LINK_CLOSED) {
        const char *why = link_close_reason(p->link);
        peer_end(p, p->up ? API_END_PEER_CLOSED : API_END_DTLS_FAILED, why, NULL);
        return true;
    }
    if (state == LINK_NEW && age > (int64_t)c->limits.ice_timeout_ms * US_PER_MS) {
        peer_end(p, API_END_ICE_TIMEOUT, NULL, NULL);
        return true;
    }
    int64_t dtls_limit =
        (int64_t)(c->limits.ice_timeout_ms + c->limits.dtls_timeout_ms) * US_PER_MS;
    if (state == LINK_ICE && age > dtls_limit) {
        peer_end(p, API_END_DTLS_TIMEOUT, NULL, NULL);
        return true;
    }
    if (!p->up) {
        return false;
    }
    if (link_next_deadline(p->link) <= now_us) {
        link_on_timer(p->link, now_us);
        peer_drain_link(p, now_us);
    }
    if (owes_media(p) && !p->live &&
        now_us - p->up_us > (int64_t)c->limits.media_timeout_ms * US_PER_MS) {
        link_close(p->link); /* the next fill sends the close_notify, the next check ends p */
        p->timed_out = true;
        p->ending = true;
        p->owes_link = true;
        router_owe(p->router, p);
        return false;
    }
    int64_t idle = now_us - p->heard_us;
    if (idle > (int64_t)c->limits.end_timeout_ms * US_PER_MS) {
        peer_end(p, API_END_SILENT, NULL, NULL);
        return true;
    }
    if (!p->silent && idle > (int64_t)c->limits.gone_timeout_ms * US_PER_MS) {
        p->silent = true;
        tell(p, API_EV_SILENT);
    }
    return false;
}

int peer_restart_ice(struct peer *p, const struct ice_creds *creds, int64_t now_us)
{
    uint64_t key = ufrag_key(p->router, creds->local_ufrag, strlen(creds->local_ufrag));
    int err = table_put(&p->router->ufrags, key, p);
    if (err) {
        return err;
    }
    /* Two generations live at a time; an older one is forgotten. */
    if (p->n_ufrag_keys == ARRAY_LEN(p->ufrag_keys)) {
        table_remove(&p->router->ufrags, p->ufrag_keys[0], p);
        memmove(p->ufrag_keys, p->ufrag_keys + 1, sizeof(p->ufrag_keys) - sizeof(p->ufrag_keys[0]));
        p->n_ufrag_keys--;
    }
    p->ufrag_keys[p->n_ufrag_keys++] = key;
    link_restart(p->link, creds, now_us);
    return 0;
}
