/* SPDX-License-Identifier: Apache-2.0 */
/* server_peers.c - publishers and viewers at the server. */
#include "tests/server/server_kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RCVBUF_BYTES (1 << 20)

void server_params(enum peer_role role, struct peer_params *ret)
{
    peer_params_init(ret);
    ret->role = role;
    ret->rcvbuf_bytes = RCVBUF_BYTES;
    ret->join_timeout_us = SERVER_PATIENCE_MS * 1000LL;
    ret->video_kbps = SERVER_SCALED(600, 300);
    ret->fps = SERVER_SCALED(30, 15);
    ret->keyframe_ms = 2000;
}

struct peer *server_peer(struct server *s, const char *stream, const struct peer_params *m)
{
    static uint64_t seed;
    struct peer_params with_url = *m;
    char url[256];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s/%s", s->http_port,
             m->role == PEER_PUBLISH ? "whip" : "whep", stream);
    with_url.url = url;
    with_url.seed = ++seed;
    struct peer *p = peer_new(s->loop, s->identity, &with_url);
    if (!p || peer_join(p) < 0) {
        check_give_up("a peer cannot be made: %s", strerror(errno));
    }
    return p;
}

struct peer *server_publisher(struct server *s, const char *stream)
{
    struct peer_params m;

    server_params(PEER_PUBLISH, &m);
    return server_peer(s, stream, &m);
}

struct peer *server_viewer(struct server *s, const char *stream)
{
    struct peer_params m;

    server_params(PEER_PLAY, &m);
    return server_peer(s, stream, &m);
}

struct group {
    struct peer *const *peers;
    unsigned n;
    const uint64_t *want; /* packets; NULL: any */
    struct peer *pub;     /* whose last packet is waited for; NULL: nobody's */
};

static uint64_t media_of(struct peer *p)
{
    const struct peer_stats *st = peer_stats(p);

    return peer_params(p)->role == PEER_PUBLISH ? st->sent_packets : st->packets;
}

static unsigned not_there(const struct group *g)
{
    unsigned n = 0;

    for (unsigned i = 0; i < g->n; i++) {
        n += peer_state(g->peers[i]) != PEER_UP ||
             media_of(g->peers[i]) < (g->want ? g->want[i] : 1);
    }
    return n;
}

static bool group_done(void *ctx)
{
    const struct group *g = ctx;

    for (unsigned i = 0; i < g->n; i++) {
        if (peer_state(g->peers[i]) >= PEER_CLOSED) {
            return true;
        }
    }
    return not_there(g) == 0;
}

static unsigned wait_group(struct server *s, const struct group *g)
{
    (void)server_until(s, SERVER_PATIENCE_MS, group_done, (void *)(uintptr_t)g);
    unsigned n = not_there(g);
    for (unsigned i = 0, shown = 0; i < g->n && n && shown < 5; i++) {
        struct peer *p = g->peers[i];
        if (peer_state(p) != PEER_UP || media_of(p) < (g->want ? g->want[i] : 1)) {
            note("peer %u of %u: %s, %llu packets; %s", i, g->n, peer_state_name(peer_state(p)),
                 (unsigned long long)media_of(p), peer_error(p));
            shown++;
        }
    }
    return n;
}

unsigned server_wait_playing(struct server *s, struct peer *const *peers, unsigned n)
{
    return wait_group(s, &(struct group){.peers = peers, .n = n});
}

unsigned server_wait_more(struct server *s, struct peer *const *peers, unsigned n, unsigned more)
{
    uint64_t *want = calloc(n, sizeof(*want));

    if (!want) {
        check_give_up("out of memory");
    }
    for (unsigned i = 0; i < n; i++) {
        want[i] = media_of(peers[i]) + more;
    }
    unsigned r = wait_group(s, &(struct group){.peers = peers, .n = n, .want = want});
    free(want);
    return r;
}

struct state_wait {
    struct peer *p;
    enum peer_state want;
};

static bool state_reached(void *ctx)
{
    const struct state_wait *w = ctx;

    return peer_state(w->p) >= w->want;
}

bool server_wait_state(struct server *s, struct peer *p, enum peer_state want, int64_t ms)
{
    struct state_wait w = {.p = p, .want = want};

    (void)server_until(s, ms, state_reached, &w);
    if (peer_state(p) != want) {
        note("peer is %s, not %s: %s", peer_state_name(peer_state(p)), peer_state_name(want),
             peer_error(p));
    }
    return peer_state(p) == want;
}

static bool has_all(void *ctx)
{
    const struct group *g = ctx;

    for (unsigned i = 0; i < g->n; i++) {
        const struct peer_stats *st = peer_stats(g->peers[i]);
        if (st->missing != st->recovered + st->lost ||
            (g->pub && st->newest_ns < peer_stats(g->pub)->newest_ns)) {
            return false;
        }
    }
    return true;
}

void server_drain(struct server *s, struct peer *pub, struct peer *const *peers, unsigned n)
{
    struct group g = {.peers = peers, .n = n, .pub = pub};

    server_run(s, SERVER_SCALED(200, 600));
    (void)server_until(s, SERVER_SCALED(3000, 10000), has_all, &g);
}

bool server_flawless(struct peer *p, const char *who)
{
    const struct peer_stats *st = peer_stats(p);
    /* What another test's server sends to a port that was its viewer's before is not ours. */
    bool ours = st->rx_unauthentic + st->rx_unknown <= st->rx_wrong_source;
    bool ok = ours && peer_faults(p) == 0 && st->lost == 0 && st->missing == st->recovered &&
              st->packets > 0;

    if (ok) {
        return true;
    }
    note("%s: %s, packets %llu lost %llu missing %llu recovered %llu unauthentic %llu replayed "
         "%llu unknown %llu wrong source %llu kernel drops %llu",
         who, peer_state_name(peer_state(p)), (unsigned long long)st->packets,
         (unsigned long long)st->lost, (unsigned long long)st->missing,
         (unsigned long long)st->recovered, (unsigned long long)st->rx_unauthentic,
         (unsigned long long)st->rx_replayed, (unsigned long long)st->rx_unknown,
         (unsigned long long)st->rx_wrong_source, (unsigned long long)st->rx_kernel_drops);
    for (unsigned f = 0; f < PEER_FAULT_COUNT; f++) {
        if (st->faults[f]) {
            note("%s: fault %s %llu times", who, peer_fault_name((enum peer_fault)f),
                 (unsigned long long)st->faults[f]);
        }
    }
    return false;
}

int server_leave(struct server *s, struct peer *p)
{
    const char *url = peer_location(p);
    const char *path = strstr(url, "/session/");

    return path ? server_http_status(s, false, "DELETE", path) : 0;
}

void server_free_peers(struct server *s, struct peer **peers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (peers[i] && peer_state(peers[i]) == PEER_UP) {
            peer_send_close(peers[i]);
        }
    }
    server_run(s, SERVER_SCALED(50, 200)); /* what is under way does not meet a port's next owner */
    for (unsigned i = 0; i < n; i++) {
        peer_free(peers[i]);
        peers[i] = NULL;
    }
}

char *server_offer(struct server *s)
{
    struct peer_params m;

    server_params(PEER_PLAY, &m);
    m.url = "http://127.0.0.1:1/"; /* nobody is asked */
    struct peer *p = peer_new(s->loop, s->identity, &m);
    const char *text = p ? peer_offer(p) : NULL;
    char *copy = strdup(text ? text : "");
    check(text && copy, "an offer is made");
    peer_free(p);
    return copy;
}
