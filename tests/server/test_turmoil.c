/* SPDX-License-Identifier: Apache-2.0 */
/* test_turmoil.c - everything at once at the built server: peers come by offers that are nearly
 * right, through UDP and TCP, leave in the middle of a handshake, send what nobody should, sealed
 * with the right keys, and the operator mutes, removes and locks meanwhile. One publisher and one
 * viewer take no part, and must not notice; when all have left, nothing of them is left. What else
 * goes wrong here the sanitizers see.
 *
 * TURMOIL_SEED=N begins with another seed, TURMOIL_S=N goes on for so many seconds (0: one seed).
 */
#include "tests/server/turmoil.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define SEEDS      2
#define LONG_SEEDS 200
#define STEPS      SERVER_SCALED(600, 400) /* of each seed */

static struct peer *calm_pub, *calm_viewer;
static uint64_t calm_before; /* packets that were published before the viewer came */

#define DEED(f, w)                                                                                 \
    {                                                                                              \
        f, #f, w                                                                                   \
    }
static struct deed {
    turmoil_deed *fn;
    const char *name;
    unsigned weight;
    unsigned done;
} deeds[] = {
    DEED(turmoil_come, 8),         DEED(turmoil_post_offer, 2),   DEED(turmoil_leave, 3),
    DEED(turmoil_patch, 2),        DEED(turmoil_ask_session, 4),  DEED(turmoil_moderate, 2),
    DEED(turmoil_kick, 1),         DEED(turmoil_reload, 1),       DEED(turmoil_send_rtcp, 6),
    DEED(turmoil_nacks, 6),        DEED(turmoil_send_rtp, 6),     DEED(turmoil_check, 3),
    DEED(turmoil_raw, 4),          DEED(turmoil_move, 2),         DEED(turmoil_break_frames, 4),
    DEED(turmoil_change_media, 3), DEED(turmoil_open_channel, 5), DEED(turmoil_say, 8),
    DEED(turmoil_sctp, 5),         DEED(turmoil_speak_raw, 4),
};

static void do_one(void)
{
    unsigned all = 0;

    for (size_t i = 0; i < PEER_LEN(deeds); i++) {
        all += deeds[i].weight;
    }
    unsigned k = turmoil_any(all);
    struct deed *d = deeds;
    for (; k >= d->weight; d++) {
        k -= d->weight;
    }
    d->done += d->fn();
}

static bool server_lives(void)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)turmoil.server.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

/* Some deeds, and time for what they lead to. Returns whether the server has lived through it. */
static bool step(void)
{
    for (unsigned n = 1 + turmoil_any(4); n; n--) {
        do_one();
    }
    int64_t us = 1000 * (turmoil_maybe(100) ? turmoil_any(300) : turmoil_any(20));
    (void)peer_loop_run(turmoil.server.loop, us, NULL, NULL);
    return server_lives();
}

static bool live(uint64_t seed)
{
    turmoil.rng.state = seed;
    for (unsigned i = 0; i < STEPS; i++) {
        if (!step()) {
            return check(false, "seed %llu: the server lives (step %u)", (unsigned long long)seed,
                         i);
        }
    }
    return true;
}

static unsigned undone(void)
{
    unsigned n = 0;

    for (size_t k = 0; k < PEER_LEN(deeds); k++) {
        n += deeds[k].done == 0;
    }
    return n;
}

static bool only_the_calm(void *ctx)
{
    (void)ctx;
    static int64_t next_ms;
    if (server_now_ms() < next_ms) {
        return false;
    }
    next_ms = server_now_ms() + 200;
    return server_sessions_now(&turmoil.server) == 2;
}

static bool has_fds(void *ctx)
{
    return server_fds(&turmoil.server) == *(const int *)ctx;
}

static void prepare(void)
{
    turmoil_open();
    calm_pub = server_publisher(&turmoil.server, "calm");
    check(server_wait_playing(&turmoil.server, &calm_pub, 1) == 0, "a publisher is up");
    calm_viewer = server_viewer(&turmoil.server, "calm");
    check(server_wait_playing(&turmoil.server, &calm_viewer, 1) == 0, "a viewer plays");
    server_run(&turmoil.server, 100);
    calm_before = peer_stats(calm_pub)->sent_packets - peer_stats(calm_viewer)->packets;
    cJSON *l = server_sessions(&turmoil.server);
    for (unsigned i = 0; i < server_sessions_count(l); i++) {
        uint64_t id = strtoull(server_session_text(l, i, "id"), NULL, 10);
        turmoil.spared = id > turmoil.spared ? id : turmoil.spared;
    }
    cJSON_Delete(l);
    check(turmoil.spared > 0, "their sessions are known");
    server_settle(&turmoil.server);
}

/* Seed after seed. Returns whether the server lives. */
static bool run(void)
{
    const char *first = getenv("TURMOIL_SEED"), *seconds = getenv("TURMOIL_S");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    unsigned n = seconds ? 1 : getenv("TESTS_LONG") ? LONG_SEEDS : SEEDS;
    int64_t start_ms = server_now_ms(), end_ms = seconds ? start_ms + 1000 * atoll(seconds) : 0;

    for (unsigned i = 0; i < n || server_now_ms() < end_ms; i++, seed++) {
        if (!live(seed)) {
            return false;
        }
        note("seed %llu: %lld s, %lld kB, %d descriptors, %u sessions", (unsigned long long)seed,
             (long long)(server_now_ms() - start_ms) / 1000,
             (long long)server_rss_kb(&turmoil.server), server_fds(&turmoil.server),
             server_sessions_now(&turmoil.server));
    }
    int64_t late_ms = server_now_ms() + SERVER_PATIENCE_MS;
    while (undone() && server_now_ms() < late_ms) {
        if (!step()) {
            return check(false, "the server lives");
        }
    }
    for (size_t k = 0; k < PEER_LEN(deeds); k++) {
        check(deeds[k].done > 0, "%s: %u times", deeds[k].name + strlen("turmoil_"), deeds[k].done);
    }
    return true;
}

static void check_calm(void)
{
    peer_set_paused(calm_pub, true);
    server_drain(&turmoil.server, calm_pub, &calm_viewer, 1);
    uint64_t sent = peer_stats(calm_pub)->sent_packets;
    check(peer_state(calm_viewer) == PEER_UP, "the viewer is still there");
    check(server_flawless(calm_viewer, "viewer"), "who takes no part has lost nothing");
    check(peer_stats(calm_viewer)->frames_skipped == 0, "and missed no frame");
    uint64_t got = peer_stats(calm_viewer)->packets + calm_before;
    check(got + 10 >= sent, "of all that was published (%llu of %llu)", (unsigned long long)got,
          (unsigned long long)sent);
    check(peer_faults(calm_pub) == 0, "its publisher was told nothing wrong");
}

static void check_nothing_left(int fds)
{
    static const char *const zero[] = {
        "sluice_sessions{role=\"publish\",state=\"new\"}",
        "sluice_sessions{role=\"publish\",state=\"up\"}",
        "sluice_sessions{role=\"publish\",state=\"ending\"}",
        "sluice_sessions{role=\"play\",state=\"new\"}",
        "sluice_sessions{role=\"play\",state=\"up\"}",
        "sluice_sessions{role=\"play\",state=\"ending\"}",
        "sluice_streams{state=\"live\"}",
        "sluice_streams{state=\"waiting\"}",
        "sluice_http_connections",
        "sluice_commands_waiting",
    };

    bool alone = server_until(&turmoil.server, SERVER_PATIENCE_MS, only_the_calm, NULL);
    check(alone, "nobody else is left (%u sessions)", server_sessions_now(&turmoil.server));
    bool flat = server_until(&turmoil.server, SERVER_PATIENCE_MS, has_fds, &fds);
    check(flat, "descriptors are flat (%d, now %d)", fds, server_fds(&turmoil.server));
    check_calm();
    struct peer *calm[] = {calm_viewer, calm_pub};
    server_free_peers(&turmoil.server, calm, 2);
    for (size_t i = 0; i < PEER_LEN(zero); i++) {
        int64_t v = server_wait_metric_down(&turmoil.server, zero[i], 0);
        check(v == 0, "%s is 0 (%lld)", zero[i], (long long)v);
    }
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {
        "media.workers=2",
        "limits.ice_timeout_ms=2000",
        "limits.dtls_timeout_ms=3000",
        "limits.media_timeout_ms=3000",
        "limits.gone_timeout_ms=3000",
        "limits.end_timeout_ms=4500",
        "limits.max_half_open=30",
        NULL,
    };

    server_init(&turmoil.server, argc, argv);
    server_start(&turmoil.server, sets);
    prepare();
    int fds = server_fds(&turmoil.server);
    if (run()) {
        turmoil_all_leave();
        check_nothing_left(fds);
    }
    turmoil_close();
    server_fini(&turmoil.server);
    return check_report();
}
