/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp.c - peers that reach the server by ICE-TCP only (RFC 6544 passive candidates, RFC 4571
 * frames): they publish and play, on every worker; a lost connection is replaced by a new one; a
 * connection that stands still holds up nobody; and garbage on the port gets nowhere. */
#include "tests/peer/peer_internal.h"
#include "tests/server/server_relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEERS   6
#define PLAY_MS SERVER_SCALED(1500, 4000)
/* Longest time that a connection may live without a session (ICE-20), and some. */
#define WAIT_MS       8000
#define CONNECTIONS   40
#define RSS_GROWTH_KB 16384

static struct server server;
static const char *const sets[] = {"media.workers=2", NULL};

struct tcp_peer {
    struct server_relay relay;
    struct peer *p;
};

static void open_peer(struct tcp_peer *x, const char *stream, enum peer_role role)
{
    struct peer_params m;

    server_params(role, &m);
    server_relay_open(&x->relay, &server, true);
    x->p = server_relay_peer(&x->relay, stream, &m);
}

static void close_peer(struct tcp_peer *x)
{
    server_free_peers(&server, &x->p, 1);
    server_relay_close(&x->relay);
}

static void check_listed(unsigned want)
{
    cJSON *l = server_sessions(&server);
    unsigned tcp = 0, on[64] = {0};

    for (unsigned i = 0; i < server_sessions_count(l); i++) {
        unsigned w = (unsigned)server_session_number(l, i, "worker");
        if (!strcmp(server_session_text(l, i, "transport"), "tcp")) {
            tcp++;
            on[w & 63]++;
        }
    }
    check(tcp == want, "the admin API lists %u sessions over TCP (%u)", want, tcp);
    check(on[0] && on[1], "on both workers (%u, %u)", on[0], on[1]);
    cJSON_Delete(l);
}

static void test_media(void)
{
    struct tcp_peer pubs[2], v[PEERS];
    struct peer *plain = NULL;

    for (int i = 0; i < 2; i++) { /* two rooms, for two workers */
        open_peer(&pubs[i], i ? "tcp-b" : "tcp-a", PEER_PUBLISH);
        check(server_wait_playing(&server, &pubs[i].p, 1) == 0, "publisher %d is up over TCP", i);
    }
    for (int i = 0; i < PEERS; i++) {
        open_peer(&v[i], i & 1 ? "tcp-b" : "tcp-a", PEER_PLAY);
    }
    plain = server_viewer(&server, "tcp-a");
    for (int i = 0; i < PEERS; i++) {
        check(server_wait_playing(&server, &v[i].p, 1) == 0, "viewer %d plays over TCP", i);
    }
    check(server_wait_playing(&server, &plain, 1) == 0, "a viewer plays over UDP");
    server_run(&server, PLAY_MS);
    check_listed(PEERS + 2);
    for (int i = 0; i < 2; i++) {
        peer_set_paused(pubs[i].p, true);
    }
    struct peer *all[PEERS + 1] = {[PEERS] = plain};
    for (int i = 0; i < PEERS; i++) {
        all[i] = v[i].p;
    }
    server_drain(&server, NULL, all, PEERS + 1);
    for (int i = 0; i < PEERS; i++) {
        char who[32];
        snprintf(who, sizeof(who), "TCP viewer %d", i);
        check(server_flawless(v[i].p, who) && !v[i].relay.bad_frames, "%s got everything", who);
    }
    check(server_flawless(plain, "UDP viewer"), "the UDP viewer got everything");
    for (int i = 0; i < 2; i++) {
        check(peer_faults(pubs[i].p) == 0, "publisher %d was told nothing wrong", i);
    }
    for (int i = 0; i < PEERS; i++) {
        close_peer(&v[i]);
    }
    close_peer(&pubs[0]);
    close_peer(&pubs[1]);
    server_free_peers(&server, &plain, 1);
}

/* The connection breaks, the session does not: a check over a new one takes it up again. */
static void test_reconnect(void)
{
    struct tcp_peer v;
    struct peer *pub = server_publisher(&server, "tcp-again");

    check(server_wait_playing(&server, &pub, 1) == 0, "a publisher is up over UDP");
    open_peer(&v, "tcp-again", PEER_PLAY);
    check(server_wait_playing(&server, &v.p, 1) == 0, "a viewer plays over TCP");
    for (int i = 0; i < 3; i++) {
        server_relay_reconnect(&v.relay);
        peer_net_check_now(v.p);
        check(server_wait_more(&server, &v.p, 1, 40) == 0, "it plays on over connection %d", i + 2);
    }
    peer_set_paused(pub, true);
    server_drain(&server, pub, &v.p, 1);
    const struct peer_stats *st = peer_stats(v.p);
    check(peer_faults(v.p) == 0 && st->lost_video == 0, "the picture is whole (%llu lost)",
          (unsigned long long)st->lost_video);
    close_peer(&v);
    server_free_peers(&server, &pub, 1);
}

/* One reads nothing any more. Its neighbour does not notice, and memory is bounded. */
static void test_stalled(void)
{
    struct tcp_peer slow;
    struct peer_params m;

    server_params(PEER_PUBLISH, &m);
    m.video_kbps = SERVER_SCALED(4000, 1500);
    struct peer *pub = server_peer(&server, "tcp-slow", &m);
    check(server_wait_playing(&server, &pub, 1) == 0, "a publisher of much is up");
    open_peer(&slow, "tcp-slow", PEER_PLAY);
    struct peer *calm = server_viewer(&server, "tcp-slow");
    check(server_wait_playing(&server, &slow.p, 1) == 0, "a viewer plays over TCP");
    check(server_wait_playing(&server, &calm, 1) == 0, "another over UDP");
    int64_t rss_kb = server_rss_kb(&server);
    slow.relay.stalled = true;
    (void)peer_loop_watch(server.loop, &slow.relay.outer, 0);
    server_run(&server, SERVER_SCALED(4000, 6000));
    rss_kb = server_rss_kb(&server) - rss_kb;
    check(SERVER_SANITIZED || rss_kb <= RSS_GROWTH_KB,
          "what the stalled one does not take is not kept (%lld kB)", (long long)rss_kb);
    slow.relay.stalled = false;
    (void)peer_loop_watch(server.loop, &slow.relay.outer, 1 /* EPOLLIN */);
    check(server_wait_more(&server, &slow.p, 1, 500) == 0, "it goes on when it reads again");
    check(peer_stats(slow.p)->faults[PEER_FAULT_CHECKSUM] == 0 && !slow.relay.bad_frames,
          "no frame was cut");
    peer_set_paused(pub, true);
    server_drain(&server, pub, &calm, 1);
    check(server_flawless(calm, "UDP viewer"), "the UDP viewer noticed nothing");
    close_peer(&slow);
    server_free_peers(&server, &calm, 1);
    server_free_peers(&server, &pub, 1);
}

/* ---- garbage ---- */

static bool has_fds(void *ctx)
{
    return server_fds(&server) <= *(const int *)ctx;
}

struct garbage {
    const char *name;
    uint8_t bytes[32];
    size_t len;
};

static const struct garbage garbage[] = {
    {"nothing", {0}, 0},
    {"half a length", {0}, 1},
    {"an empty frame", {0, 0}, 2},
    {"a frame that never ends", {0xff, 0xff, 1, 2, 3}, 5},
    {"an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
    {"a frame of RTP", {0, 12, 0x80, 96, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4}, 14},
    {"a check of nobody", {0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5}, 22},
};
#define N_GARBAGE (sizeof(garbage) / sizeof(garbage[0]))

/* Begun first and looked at last: what says nothing sensible may stay for some seconds. */
static struct server_relay strange[CONNECTIONS];

static void garbage_begin(void)
{
    struct tcp_peer v;
    struct peer *pub = server_publisher(&server, "tcp-garbage");
    int64_t end_ms = server_now_ms() + SERVER_PATIENCE_MS;

    check(server_wait_playing(&server, &pub, 1) == 0, "a publisher is up");
    for (int i = 0; i < CONNECTIONS; i++) {
        const struct garbage *g = &garbage[(size_t)i % N_GARBAGE];
        server_relay_open(&strange[i], &server, true);
        (void)server_relay_raw(&strange[i], g->bytes, g->len);
    }
    open_peer(&v, "tcp-garbage", PEER_PLAY);
    check(server_wait_playing(&server, &v.p, 1) == 0, "a real viewer joins among %d of garbage",
          CONNECTIONS);
    check(peer_state(pub) == PEER_UP && peer_faults(pub) == 0, "the publisher noticed nothing");
    close_peer(&v);
    server_free_peers(&server, &pub, 1);
    while (server_sessions_now(&server) && server_now_ms() < end_ms) {
        server_run(&server, 50);
    }
    server_run(&server, 700); /* until the workers have told how many sessions they have */
}

static bool all_refused(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < CONNECTIONS; i++) {
        if (!strange[i].eof) {
            return false;
        }
    }
    return true;
}

static void garbage_end(int *fds)
{
    check(server_until(&server, WAIT_MS + SERVER_PATIENCE_MS, all_refused, NULL),
          "the server has closed all strange connections");
    bool same = server_until(&server, SERVER_PATIENCE_MS, has_fds, fds);
    check(same, "and holds no descriptor of them (%d, %d at first)", server_fds(&server), *fds);
    for (int i = 0; i < CONNECTIONS; i++) {
        server_relay_close(&strange[i]);
    }
}

int main(int argc, char **argv)
{
    server_init(&server, argc, argv);
    server_start(&server, sets);
    server_settle(&server);
    int fds = server_fds(&server) + 1; /* a connection of our own may be closing */
    garbage_begin();
    test_media();
    test_reconnect();
    test_stalled();
    garbage_end(&fds);
    server_fini(&server);
    return check_report();
}
