/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits.c - what is bounded stays bounded: half-open sessions, sessions, requests per second,
 * and every time-out from POST to silence. Each end has its reason, and a real viewer gets in. */
#include "tests/server/server_kit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HALF_OPEN  100
#define POSTS      300
#define RATE       5
#define RATE_BURST (5 * RATE)
#define NEW_PLAY   "sluice_sessions{role=\"play\",state=\"new\"}"

static struct server server;
static char *offer; /* of a viewer that will never be heard of again */

static int post(const char *path, int *ret_retry_after_s)
{
    struct server_reply r;
    int status = server_http(&server, false, "POST", path, "application/sdp", offer, &r);

    *ret_retry_after_s = r.retry_after_s;
    free(r.body);
    return status;
}

static struct peer *publish(const char *stream)
{
    struct peer *pub = server_publisher(&server, stream);

    check(server_wait_playing(&server, &pub, 1) == 0, "%s: the publisher is up", stream);
    return pub;
}

/* ---- half-open sessions ---- */

static void check_oldest_went(void)
{
    cJSON *l = server_sessions(&server);
    unsigned n = server_sessions_count(l), fresh = 0, old = 0;

    for (unsigned i = 0; i < n; i++) {
        if (strcmp(server_session_text(l, i, "role"), "play") ||
            strcmp(server_session_text(l, i, "state"), "new")) {
            continue;
        }
        /* ids count up from 1: publisher, early viewer, then the half-open ones */
        bool is_old = strtoull(server_session_text(l, i, "id"), NULL, 10) <= POSTS - HALF_OPEN + 2;
        old += is_old;
        fresh += !is_old;
    }
    check(old == 0 && fresh == HALF_OPEN, "the newest %u stay, of the oldest none (%u, %u)",
          HALF_OPEN, fresh, old);
    cJSON_Delete(l);
}

static void test_half_open(void)
{
    static const char *const sets[] = {"limits.max_half_open=100", "limits.ice_timeout_ms=120000",
                                       "media.workers=2", NULL};
    unsigned created = 0, most = 0;
    int retry;

    server_start(&server, sets);
    struct peer *pub = publish("crowded");
    struct peer *early = server_viewer(&server, "crowded");
    check(server_wait_playing(&server, &early, 1) == 0, "a viewer plays before");
    for (unsigned i = 0; i < POSTS; i++) {
        created += post("/whep/crowded", &retry) == 201;
        if (i % 50 == 49) {
            int64_t now = server_metric(&server, NEW_PLAY);
            most = now > most ? (unsigned)now : most;
        }
    }
    check(created == POSTS, "%u offers without follow-up are answered", created);
    check(most <= HALF_OPEN, "never more than %u are half open (%u)", HALF_OPEN, most);
    int64_t ended = server_ended(&server, "play", "half_open_limit");
    check(ended == POSTS - HALF_OPEN || server_wait_metric(&server, NEW_PLAY, HALF_OPEN) > 0,
          "the rest ends");
    server_settle(&server);
    ended = server_ended(&server, "play", "half_open_limit");
    check(ended == POSTS - HALF_OPEN, "the others ended as half_open_limit (%lld)",
          (long long)ended);
    check_oldest_went();
    struct peer *late = server_viewer(&server, "crowded");
    check(server_wait_playing(&server, &late, 1) == 0, "a real viewer joins all the same");
    check(peer_faults(early) == 0 && peer_stats(early)->lost == 0,
          "and the early one noticed nothing");
    struct peer *all[] = {late, early, pub};
    server_free_peers(&server, all, 3);
    check(server_stop(&server) == 0, "exit code 0 with half-open sessions left");
}

/* ---- requests per second, and sessions ---- */

static void test_rate(void)
{
    static const char *const sets[] = {"http.posts_per_ip_per_s=5", NULL};
    unsigned answered = 0, refused = 0, other = 0;
    int retry, least = INT32_MAX;

    server_start(&server, sets);
    int64_t start_ms = server_now_ms();
    for (unsigned i = 0; i < 3 * RATE_BURST; i++) {
        int status = post("/whep/nobody", &retry);
        answered += status == 409;
        refused += status == 429;
        other += status != 409 && status != 429;
        least = status == 429 && retry < least ? retry : least;
    }
    unsigned refill = (unsigned)((server_now_ms() - start_ms) * RATE / 1000) + 1;
    check(other == 0 && answered >= RATE_BURST && answered <= RATE_BURST + refill,
          "a burst of %d passes (%u did, %u were refused)", RATE_BURST, answered, refused);
    check(refused > 0 && least >= 1, "the rest gets 429 with Retry-After (%d s)", least);
    server_run(&server, 1100);
    check(post("/whep/nobody", &retry) == 409, "a second later there is room again");
    check(server_http_status(&server, true, "GET", "/livez") == 200, "health is not limited");
    check(server_metric(&server, "sluice_http_problems_total{type=\"rate\"}") >= refused,
          "refusals are counted");
    check(server_log_count(&server, "route=whep label=nobody status=409") > 0,
          "and logged with the stream's name");
    check(server_stop(&server) == 0, "exit code 0");
}

static void test_max_sessions(void)
{
    static const char *const sets[] = {"limits.max_sessions=3", NULL};
    int retry;

    server_start(&server, sets);
    struct peer *pub = publish("full");
    struct peer *v[2] = {server_viewer(&server, "full"), NULL};
    check(server_wait_playing(&server, v, 1) == 0, "a viewer plays");
    v[1] = server_viewer(&server, "full");
    check(server_wait_playing(&server, v, 2) == 0, "a second one plays");
    int status = post("/whep/full", &retry);
    check(status == 503 && retry >= 1, "the next gets 503 with Retry-After (%d, %d s)", status,
          retry);
    check(server_leave(&server, v[1]) == 200, "one leaves");
    check(server_wait_state(&server, v[1], PEER_CLOSED, SERVER_PATIENCE_MS), "and is closed");
    peer_free(v[1]);
    v[1] = server_viewer(&server, "full");
    check(server_wait_playing(&server, &v[1], 1) == 0, "now there is room");
    check(peer_faults(v[0]) == 0 && peer_stats(v[0])->lost == 0, "the first one noticed nothing");
    server_free_peers(&server, v, 2);
    server_free_peers(&server, &pub, 1);
    check(server_stop(&server) == 0, "exit code 0");
}

/* ---- file descriptors ---- */

#define FDS       128
#define STRANGERS 200

static unsigned connect_strangers(uint16_t port, int *fds)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    unsigned n = 0;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (unsigned i = 0; i < STRANGERS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        n += connect(fds[i], (struct sockaddr *)&to, sizeof(to)) == 0;
    }
    return n;
}

/* Strangers take all the connections they get; health, admin and media go on. */
static void test_descriptors(void)
{
    const struct rlimit few = {FDS, FDS};
    const struct {
        const char *what, *refused;
        uint16_t *port;
    } rows[] = {
        {"HTTP", "sluice_http_connections_refused_total", &server.http_port},
        {"ICE-TCP", "sluice_tcp_refused_total", &server.media_port},
    };

    server_start(&server, NULL);
    struct peer *pub = publish("narrow");
    struct peer *viewer = server_viewer(&server, "narrow");
    check(server_wait_playing(&server, &viewer, 1) == 0, "a viewer plays");
    check(prlimit(server.pid, RLIMIT_NOFILE, &few, NULL) == 0, "%d descriptors are allowed", FDS);
    for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        int fds[STRANGERS];
        check(connect_strangers(*rows[r].port, fds) == STRANGERS, "%d strangers connect by %s",
              STRANGERS, rows[r].what);
        check(server_wait_metric(&server, rows[r].refused, 1) >= 1, "some are refused, counted");
        check(server_http_status(&server, true, "GET", "/livez") == 200, "probes are answered");
        check(server_fds(&server) < FDS - 8, "and descriptors are left");
        for (unsigned i = 0; i < STRANGERS; i++) {
            close(fds[i]);
        }
        check(server_wait_more(&server, &viewer, 1, 50) == 0, "the viewer plays on");
        struct peer *late = server_viewer(&server, "narrow");
        check(server_wait_playing(&server, &late, 1) == 0, "when they have gone another joins");
        server_free_peers(&server, &late, 1);
    }
    check(server_log_count(&server, "descriptors_short") > 0, "the log says why");
    server_free_peers(&server, &viewer, 1);
    server_free_peers(&server, &pub, 1);
    check(server_stop(&server) == 0, "exit code 0");
}

/* ---- time-outs ---- */

/* Goes as far as ICE, and then says nothing more. */
static void on_state_silent(void *ctx, struct peer *p, enum peer_state s)
{
    (void)ctx;
    if (s == PEER_DTLS) {
        peer_set_silent(p, true);
    }
}

/* Comes up, but has nothing to say. */
static void on_state_paused(void *ctx, struct peer *p, enum peer_state s)
{
    (void)ctx;
    if (s == PEER_DTLS) {
        peer_set_paused(p, true);
    }
}

static bool listed_silent(const char *label, bool want)
{
    cJSON *l = server_sessions(&server);
    bool found = false;

    for (unsigned i = 0; i < server_sessions_count(l); i++) {
        const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItem(l, "sessions"), (int)i);
        found |= !strcmp(server_session_text(l, i, "stream"), label) &&
                 !strcmp(server_session_text(l, i, "role"), "publish") &&
                 cJSON_IsTrue(cJSON_GetObjectItem(one, "silent")) == want;
    }
    cJSON_Delete(l);
    return found;
}

static bool wait_listed_silent(const char *label, bool want)
{
    int64_t end_ms = server_now_ms() + SERVER_PATIENCE_MS;
    bool is;

    while (!(is = listed_silent(label, want)) && server_now_ms() < end_ms) {
        server_run(&server, 50);
    }
    return is;
}

static int64_t wait_ended(const char *role, const char *reason, int64_t want)
{
    char name[96];

    snprintf(name, sizeof(name), "sluice_sessions_ended_total{role=\"%s\",reason=\"%s\"}", role,
             reason);
    return server_wait_metric(&server, name, want);
}

/* A publisher falls silent, comes back, and falls silent for good. */
static void test_silence(struct peer *pub, struct peer *viewer)
{
    peer_set_silent(pub, true);
    check(wait_listed_silent("quiet/main", true), "a silent publisher is listed as silent");
    peer_set_silent(pub, false);
    check(wait_listed_silent("quiet/main", false), "it comes back");
    check(server_wait_more(&server, &viewer, 1, 50) == 0, "and its viewer plays on");
    check(peer_faults(viewer) == 0, "without a fault");
    peer_set_silent(pub, true);
    check(wait_ended("publish", "silent", 1) == 1, "silent for good, it ends");
    check(peer_state(viewer) == PEER_UP, "its viewer stays, and waits for the next");
}

static void test_timeouts(void)
{
    static const char *const sets[] = {
        "limits.ice_timeout_ms=1000",
        "limits.dtls_timeout_ms=1000",
        "limits.media_timeout_ms=1500",
        SERVER_SANITIZED ? "limits.gone_timeout_ms=4000" : "limits.gone_timeout_ms=1200",
        SERVER_SANITIZED ? "limits.end_timeout_ms=9000" : "limits.end_timeout_ms=2500",
        NULL};
    struct peer_params m;
    int retry;
    unsigned created = 0;

    server_start(&server, sets);
    struct peer *pub = publish("quiet");
    struct peer *viewer = server_viewer(&server, "quiet");
    check(server_wait_playing(&server, &viewer, 1) == 0, "a viewer plays");
    for (int i = 0; i < 20; i++) {
        created += post("/whep/quiet", &retry) == 201;
    }
    server_params(PEER_PLAY, &m);
    m.events.on_state = on_state_silent;
    struct peer *half = server_peer(&server, "quiet", &m);
    server_params(PEER_PUBLISH, &m);
    m.events.on_state = on_state_paused;
    struct peer *mute = server_peer(&server, "mute", &m);
    check(created == 20 && wait_ended("play", "ice_timeout", 20) == 20,
          "sessions without a check end as ice_timeout");
    check(wait_ended("play", "dtls_timeout", 1) == 1,
          "a session with checks but without DTLS ends as dtls_timeout");
    check(wait_ended("publish", "media_timeout", 1) == 1,
          "a publisher without media ends as media_timeout");
    check(server_wait_state(&server, mute, PEER_CLOSED, SERVER_PATIENCE_MS),
          "and is told by close_notify");
    check(server_wait_metric_down(&server, NEW_PLAY, 0) == 0, "no half-open session is left");
    test_silence(pub, viewer);
    peer_free(half);
    peer_free(mute);
    peer_free(pub);
    server_free_peers(&server, &viewer, 1);
    check(server_stop(&server) == 0, "exit code 0");
}

int main(int argc, char **argv)
{
    server_init(&server, argc, argv);
    offer = server_offer(&server);
    test_half_open();
    test_rate();
    test_max_sessions();
    test_descriptors();
    test_timeouts();
    free(offer);
    server_fini(&server);
    return check_report();
}
