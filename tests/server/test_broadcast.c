/* SPDX-License-Identifier: Apache-2.0 */
/* test_broadcast.c - one publisher, many viewers on all workers: everything arrives, in order and
 * unchanged. And a publisher that goes and comes back under its name: the same viewers play on. */
#include "tests/server/server_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CROWD   SERVER_SCALED(200, 60)
#define PLAY_MS SERVER_SCALED(2000, 4000)
#define FEW     12
/* Within this a viewer must have its picture back after the publisher's return (the issue). */
#define RETURN_MS SERVER_SCALED(3000, 12000)

static struct server server;

static unsigned flawed(struct peer **viewers, unsigned n)
{
    unsigned bad = 0;

    for (unsigned i = 0; i < n; i++) {
        char who[32];
        snprintf(who, sizeof(who), "viewer %u", i);
        bad += !server_flawless(viewers[i], who);
    }
    return bad;
}

/* ---- a crowd ---- */

static void check_workers(unsigned expected)
{
    cJSON *l = server_sessions(&server);
    unsigned n = server_sessions_count(l), on[64] = {0}, up = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned w = (unsigned)server_session_number(l, i, "worker");
        bool viewer = !strcmp(server_session_text(l, i, "role"), "play");
        up += !strcmp(server_session_text(l, i, "link"), "up");
        if (viewer && w < 64) {
            on[w]++;
        }
    }
    check(n == expected, "the admin API lists %u sessions (%u)", expected, n);
    check(up == expected, "all of them are up (%u)", up);
    /* A room's home worker may serve 32 more than the other. */
    check(on[0] >= CROWD / 6 && on[1] >= CROWD / 6, "viewers are on both workers (%u and %u)",
          on[0], on[1]);
    cJSON_Delete(l);
}

static bool all_see(void *ctx)
{
    struct peer *const *v = ctx;

    for (unsigned i = 0; i < CROWD; i++) {
        if (!peer_stats(v[i])->keyframes || !peer_stats(v[i])->frames) {
            return false;
        }
    }
    return true;
}

static void test_crowd(void)
{
    struct peer *v[CROWD];
    struct peer *pub = server_publisher(&server, "crowd");

    check(server_wait_playing(&server, &pub, 1) == 0, "the publisher is up");
    for (unsigned i = 0; i < CROWD; i++) {
        v[i] = server_viewer(&server, "crowd");
        server_run(&server, SERVER_SCALED(4, 15));
    }
    check(server_wait_playing(&server, v, CROWD) == 0, "%d viewers are up and receive", CROWD);
    check(server_until(&server, SERVER_PATIENCE_MS, all_see, v),
          "each has had a key frame, and pictures");
    uint64_t sent = peer_stats(pub)->sent_packets;
    server_run(&server, PLAY_MS);
    sent = peer_stats(pub)->sent_packets - sent;
    check_workers(CROWD + 1);
    peer_set_paused(pub, true);
    server_drain(&server, pub, v, CROWD);
    check(flawed(v, CROWD) == 0, "every viewer got everything, in order and unchanged");
    unsigned few = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        few += peer_stats(v[i])->packets < sent;
    }
    check(few == 0, "each got at least the %llu packets of the measured time",
          (unsigned long long)sent);
    check(peer_faults(pub) == 0, "nothing sent to the publisher was wrong");
    server_free_peers(&server, v, CROWD);
    server_free_peers(&server, &pub, 1);
}

/* ---- a publisher comes back ---- */

/* Viewers that wait until both their tracks, sound and picture, come from another publisher. */
struct switching {
    struct peer **v;
    uint64_t before[FEW];
    int64_t since_ms;
};

static bool all_switched(void *ctx)
{
    struct switching *w = ctx;

    for (unsigned i = 0; i < FEW; i++) {
        if (peer_stats(w->v[i])->source_switches < w->before[i] + 2) {
            return false;
        }
    }
    return true;
}

static struct peer *publisher_with(const char *stream, uint32_t id, unsigned codecs,
                                   unsigned layers)
{
    struct peer_params m;

    server_params(PEER_PUBLISH, &m);
    m.stream_id = id;
    m.codecs = codecs;
    m.n_layers = layers;
    return server_peer(&server, stream, &m);
}

enum way { VANISHES, DELETES, IS_TAKEN_OVER };

struct comeback {
    const char *name;
    enum way way;
    unsigned layers_before, layers_after;
};

static const struct comeback comebacks[] = {
    {"vanished", VANISHES, 1, 1},           {"deleted", DELETES, 1, 1},
    {"taken-over", IS_TAKEN_OVER, 1, 1},    {"back-with-layers", DELETES, 1, 3},
    {"back-without-layers", DELETES, 3, 1},
};

/* What must hold for viewers over the change: same SSRCs, numbers and times go on, and the new
 * source begins with a key frame. peer_rx judges all that; here it is only looked at. */
static void check_comeback(const struct comeback *c, struct peer **v, struct peer *second,
                           struct switching *w)
{
    bool up = server_wait_playing(&server, &second, 1) == 0;
    bool switched = up && server_until(&server, SERVER_PATIENCE_MS, all_switched, w);
    int64_t took_ms = server_now_ms() - w->since_ms;

    check(switched && took_ms <= RETURN_MS, "%s: all viewers play the new publisher after %lld ms",
          c->name, (long long)took_ms);
    check(server_wait_more(&server, v, FEW, 70) == 0, "%s: and go on playing", c->name);
    peer_set_paused(second, true);
    server_drain(&server, c->layers_after == 1 ? second : NULL, v, FEW);
    check(flawed(v, FEW) == 0, "%s: sequence numbers, times and picture ids went on", c->name);
}

static void test_comeback(const struct comeback *c)
{
    struct peer *v[FEW];
    struct switching w = {.v = v};
    struct peer *first = publisher_with(c->name, 1, 1U << PEER_VP8, c->layers_before);

    check(server_wait_playing(&server, &first, 1) == 0, "%s: the publisher is up", c->name);
    for (unsigned i = 0; i < FEW; i++) {
        v[i] = server_viewer(&server, c->name);
    }
    check(server_wait_playing(&server, v, FEW) == 0 && server_wait_more(&server, v, FEW, 30) == 0,
          "%s: viewers receive", c->name);
    if (c->way == VANISHES) {
        peer_free(first);
        first = NULL;
        server_run(&server, 700);
    } else if (c->way == DELETES) {
        check(server_leave(&server, first) == 200, "%s: DELETE answers 200", c->name);
        check(server_wait_state(&server, first, PEER_CLOSED, SERVER_PATIENCE_MS),
              "%s: the deleted publisher gets close_notify", c->name);
        server_run(&server, 300);
    }
    for (unsigned i = 0; i < FEW; i++) {
        w.before[i] = peer_stats(v[i])->source_switches;
    }
    w.since_ms = server_now_ms();
    struct peer *second = publisher_with(c->name, 2, 1U << PEER_VP8, c->layers_after);
    check_comeback(c, v, second, &w);
    if (c->way == IS_TAKEN_OVER) {
        check(server_wait_state(&server, first, PEER_CLOSED, SERVER_PATIENCE_MS),
              "%s: the first publisher is closed", c->name);
        check(server_ended(&server, "publish", "taken_over") >= 1, "%s: and counted as taken over",
              c->name);
    }
    server_free_peers(&server, v, FEW);
    peer_free(first);
    server_free_peers(&server, &second, 1);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"media.workers=2", NULL};

    server_init(&server, argc, argv);
    server_start(&server, sets);
    test_crowd();
    for (size_t i = 0; i < sizeof(comebacks) / sizeof(comebacks[0]); i++) {
        test_comeback(&comebacks[i]);
    }
    server_fini(&server);
    return check_report();
}
