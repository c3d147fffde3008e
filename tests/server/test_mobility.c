/* SPDX-License-Identifier: Apache-2.0 */
/* test_mobility.c - a peer's address changes while media flows (NAT rebinding, from Wi-Fi to
 * mobile), and ICE is restarted by PATCH: it plays on, or publishes on, without a new session. */
#include "tests/server/server_kit.h"

#include <stdio.h>
#include <string.h>

/* A peer that says nothing about its new address is found by its next consent check: 5 s +- 1 s. */
#define CONSENT_MS 7000
#define RESTARTS   2
#define FLAPS      15

static struct server server;

struct pair {
    const char *stream;
    struct peer *pub, *viewer;
};

static bool pair_open(struct pair *x, const char *stream)
{
    x->stream = stream;
    x->pub = server_publisher(&server, stream);
    bool up = server_wait_playing(&server, &x->pub, 1) == 0;
    x->viewer = server_viewer(&server, stream);
    up = server_wait_playing(&server, &x->viewer, 1) == 0 && up;
    return check(up && server_wait_more(&server, &x->viewer, 1, 20) == 0, "%s: both are up",
                 stream);
}

/* audio: nothing repairs it, so what was under way to the old address may be missing. */
static void pair_close(struct pair *x, bool audio_may_miss)
{
    peer_set_paused(x->pub, true);
    server_drain(&server, x->pub, &x->viewer, 1);
    if (audio_may_miss) {
        const struct peer_stats *st = peer_stats(x->viewer);
        check(peer_faults(x->viewer) == 0 && st->lost_video == 0 &&
                  st->rx_unauthentic <= st->rx_wrong_source,
              "%s: the picture is whole (%llu faults, %llu lost, %llu recovered)", x->stream,
              (unsigned long long)peer_faults(x->viewer), (unsigned long long)st->lost_video,
              (unsigned long long)st->recovered);
    } else {
        check(server_flawless(x->viewer, x->stream), "%s: nothing was lost", x->stream);
    }
    check(peer_faults(x->pub) == 0, "%s: nothing sent to the publisher was wrong", x->stream);
    server_free_peers(&server, &x->viewer, 1);
    server_free_peers(&server, &x->pub, 1);
}

/* The address that the server sends a session's media to. */
static void remote_of(const char *stream, const char *role, char *out, size_t cap)
{
    cJSON *l = server_sessions(&server);
    char label[80];

    /* who plays a room plays all of it */
    snprintf(label, sizeof(label), "%s/%s", stream, strcmp(role, "play") == 0 ? "*" : "main");
    out[0] = '\0';
    for (unsigned i = 0; i < server_sessions_count(l); i++) {
        if (!strcmp(server_session_text(l, i, "stream"), label) &&
            !strcmp(server_session_text(l, i, "role"), role)) {
            snprintf(out, cap, "%s", server_session_text(l, i, "remote"));
        }
    }
    cJSON_Delete(l);
}

static void test_rebind(bool publisher)
{
    struct pair x;
    char before[80], after[80];
    const char *role = publisher ? "publish" : "play";
    const char *name = publisher ? "publisher-moves" : "viewer-moves";

    if (!pair_open(&x, name)) {
        return;
    }
    remote_of(name, role, before, sizeof(before));
    struct peer *mover = publisher ? x.pub : x.viewer;
    check(peer_rebind(mover, true) == 0, "%s: a new socket", name);
    check(server_wait_more(&server, &x.viewer, 1, 100) == 0, "%s: the viewer plays on", name);
    remote_of(name, role, after, sizeof(after));
    check(before[0] && after[0] && strcmp(before, after) != 0, "%s: the server follows (%s, %s)",
          name, before, after);
    int moved = 0;
    /* Again and again, faster than anything settles. */
    for (int i = 0; i < FLAPS; i++) {
        moved += peer_rebind(mover, true) == 0;
        server_run(&server, SERVER_SCALED(40, 120));
    }
    check(moved == FLAPS && server_wait_more(&server, &x.viewer, 1, 60) == 0,
          "%s: plays on after %d moves", name, moved);
    pair_close(&x, true);
}

static void test_restart(bool publisher, bool moves)
{
    struct pair x;
    char name[40];
    int64_t before = server_metric(&server, "sluice_ice_restarts_total");

    snprintf(name, sizeof(name), "%s-restarts%s", publisher ? "publisher" : "viewer",
             moves ? "-elsewhere" : "");
    if (!pair_open(&x, name)) {
        return;
    }
    struct peer *p = publisher ? x.pub : x.viewer;
    for (int i = 0; i < RESTARTS; i++) {
        uint64_t answered = peer_stats(p)->stun_responses;
        if (moves) {
            check(peer_rebind(p, false) == 0, "%s: a new socket", name);
        }
        check(peer_ice_restart(p) == 0, "%s: PATCH is sent", name);
        check(server_wait_more(&server, &x.viewer, 1, 50) == 0, "%s: the viewer plays on", name);
        check(peer_stats(p)->stun_responses > answered, "%s: checks with the new credentials",
              name);
    }
    check(server_wait_metric(&server, "sluice_ice_restarts_total", before + RESTARTS) ==
              before + RESTARTS,
          "%s: %d restarts are counted", name, RESTARTS);
    pair_close(&x, moves);
}

/* Nobody tells the server: only the next consent check does. Both directions at once, begun first
 * and looked at last. */
struct quiet {
    struct pair a, b;
    bool open;
    int64_t moved_ms;
    uint64_t a_before, b_before;
};

static void quiet_begin(struct quiet *q)
{
    q->open = pair_open(&q->a, "quiet-viewer") && pair_open(&q->b, "quiet-publisher");
    if (!q->open) {
        return;
    }
    check(peer_rebind(q->a.viewer, false) == 0 && peer_rebind(q->b.pub, false) == 0,
          "quiet: both move");
    q->moved_ms = server_now_ms();
    q->a_before = peer_stats(q->a.viewer)->packets;
    q->b_before = peer_stats(q->b.viewer)->packets;
}

static bool quiet_done(void *ctx)
{
    const struct quiet *q = ctx;

    return peer_stats(q->a.viewer)->packets >= q->a_before + 50 &&
           peer_stats(q->b.viewer)->packets >= q->b_before + 50;
}

static void quiet_end(struct quiet *q)
{
    if (!q->open) {
        return;
    }
    int64_t left_ms = q->moved_ms + CONSENT_MS - server_now_ms();
    check(
        server_until(&server, (left_ms > 0 ? left_ms : 0) + SERVER_PATIENCE_MS / 3, quiet_done, q),
        "quiet: both play on after the next consent check");
    check(peer_faults(q->a.viewer) == 0 && peer_faults(q->b.viewer) == 0,
          "quiet: nothing is wrong");
    struct peer *all[] = {q->a.viewer, q->b.viewer, q->a.pub, q->b.pub};
    server_free_peers(&server, all, 4);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"media.workers=2", NULL};

    server_init(&server, argc, argv);
    server_start(&server, sets);
    struct quiet quiet = {0};
    quiet_begin(&quiet);
    test_rebind(false);
    test_rebind(true);
    for (int i = 0; i < 4; i++) {
        test_restart(i & 1, i & 2);
    }
    quiet_end(&quiet);
    server_fini(&server);
    return check_report();
}
