/* SPDX-License-Identifier: Apache-2.0 */
/* test_drain.c - how it ends: SIGTERM lets running sessions go on until a deadline and refuses new
 * ones, a second one ends at once, a drained server ends by itself; and one session is ended by the
 * admin. Everybody is told by close_notify, and the exit code is 0. */
#include "tests/server/server_kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MS 2000
/* From a command to the peer's close_notify. */
#define PROMPT_MS SERVER_SCALED(1000, 5000)

static struct server server;
static char *offer; /* of a viewer that will never be heard of again */

struct show {
    struct peer *pub, *viewer;
};

static bool begin(struct show *x)
{
    x->pub = server_publisher(&server, "last");
    bool up = server_wait_playing(&server, &x->pub, 1) == 0;
    x->viewer = server_viewer(&server, "last");
    return check(up && server_wait_playing(&server, &x->viewer, 1) == 0, "both are up");
}

static void finish(struct show *x)
{
    peer_free(x->viewer);
    peer_free(x->pub);
}

static bool is_draining(void *ctx)
{
    (void)ctx;
    return server_log_count(&server, "ev=draining") > 0;
}

static bool both_closed(void *ctx)
{
    const struct show *x = ctx;

    return peer_state(x->pub) >= PEER_CLOSED && peer_state(x->viewer) >= PEER_CLOSED;
}

static void check_closed(struct show *x, int64_t ms)
{
    int64_t start_ms = server_now_ms();
    bool closed = server_until(&server, ms, both_closed, x);

    check(closed && peer_state(x->pub) == PEER_CLOSED && peer_state(x->viewer) == PEER_CLOSED,
          "both get close_notify (%lld ms)", (long long)(server_now_ms() - start_ms));
}

/* SIGTERM, and nobody leaves: the deadline ends it. */
static void test_deadline(void)
{
    static const char *const sets[] = {"limits.drain_timeout_ms=2000", "media.workers=2", NULL};
    static const char *const posts[] = {"/whip/new", "/whep/last"};
    struct show x;

    server_start(&server, sets);
    if (!begin(&x)) {
        return;
    }
    kill(server.pid, SIGTERM);
    int64_t start_ms = server_now_ms();
    check(server_until(&server, SERVER_PATIENCE_MS, is_draining, NULL), "SIGTERM: it drains");
    for (size_t i = 0; i < 2; i++) {
        struct server_reply r;
        int status = server_http(&server, false, "POST", posts[i], "application/sdp", offer, &r);
        check(status == 503 && r.retry_after_s > 0, "POST %s: 503 with Retry-After (%d, %d s)",
              posts[i], status, r.retry_after_s);
        free(r.body);
    }
    check(server_http_status(&server, true, "GET", "/readyz") == 503, "it is not ready any more");
    check(server_http_status(&server, true, "GET", "/livez") == 200, "but alive");
    check(server_metric(&server, "sluice_draining") == 1, "the gauge says so");
    check(server_wait_more(&server, &x.viewer, 1, 30) == 0, "the viewer plays on");
    check_closed(&x, DRAIN_MS + SERVER_PATIENCE_MS);
    int64_t closed_ms = server_now_ms() - start_ms;
    check(closed_ms >= DRAIN_MS - 100, "not before the deadline (%lld ms)", (long long)closed_ms);
    int code = server_wait_end(&server, SERVER_PATIENCE_MS);
    int64_t took_ms = server_now_ms() - start_ms;
    check(code == 0, "exit code 0 (%d)", code);
    check(took_ms <= DRAIN_MS + SERVER_SCALED(2000, 15000), "soon after it (%lld ms)",
          (long long)took_ms);
    check(peer_faults(x.viewer) == 0 && peer_stats(x.viewer)->lost == 0,
          "the viewer lost nothing until then");
    finish(&x);
}

/* A second SIGTERM: at once. */
static void test_second(void)
{
    struct show x;

    server_start(&server, NULL); /* 30 s to drain */
    if (!begin(&x)) {
        return;
    }
    kill(server.pid, SIGTERM);
    check(server_until(&server, SERVER_PATIENCE_MS, is_draining, NULL), "SIGTERM: it drains");
    check(server_wait_more(&server, &x.viewer, 1, 20) == 0, "the viewer plays on");
    kill(server.pid, SIGTERM);
    check_closed(&x, SERVER_PATIENCE_MS);
    int64_t start_ms = server_now_ms();
    int code = server_wait_end(&server, SERVER_PATIENCE_MS);
    check(code == 0 && server_now_ms() - start_ms <= SERVER_SCALED(2000, 15000),
          "a second SIGTERM ends it at once, exit code 0 (%d)", code);
    finish(&x);
}

/* The last one leaves by itself: the server does not wait for the deadline. */
static void test_empty(void)
{
    struct show x;

    server_start(&server, NULL);
    if (!begin(&x)) {
        return;
    }
    kill(server.pid, SIGTERM);
    check(server_until(&server, SERVER_PATIENCE_MS, is_draining, NULL), "SIGTERM: it drains");
    check(server_leave(&server, x.viewer) == 200, "DELETE still works");
    peer_send_close(x.pub);
    int64_t start_ms = server_now_ms();
    int code = server_wait_end(&server, SERVER_PATIENCE_MS);
    check(code == 0, "when the last has left it ends, exit code 0 (%d, %lld ms)", code,
          (long long)(server_now_ms() - start_ms));
    finish(&x);
}

/* ---- the admin ---- */

static void id_of(const char *role, char *out, size_t cap)
{
    cJSON *l = server_sessions(&server);

    out[0] = '\0';
    for (unsigned i = 0; i < server_sessions_count(l); i++) {
        if (!strcmp(server_session_text(l, i, "role"), role)) {
            snprintf(out, cap, "/api/v1/sessions/%s", server_session_text(l, i, "id"));
        }
    }
    cJSON_Delete(l);
}

static void test_kick(void)
{
    struct show x;
    char path[64];

    server_start(&server, NULL);
    if (!begin(&x)) {
        return;
    }
    check(server_http_status(&server, true, "DELETE", "/api/v1/sessions/999999") == 404,
          "a session that is none: 404");
    check(server_http_status(&server, true, "DELETE", "/api/v1/sessions/x") == 404,
          "an id that is none: 404");
    id_of("play", path, sizeof(path));
    check(server_http_status(&server, true, "DELETE", path) == 204, "DELETE of the viewer: 204");
    check(server_wait_state(&server, x.viewer, PEER_CLOSED, PROMPT_MS),
          "it gets close_notify within a second");
    check(peer_state(x.pub) == PEER_UP, "its publisher stays");
    id_of("publish", path, sizeof(path));
    check(server_http_status(&server, true, "DELETE", path) == 204, "DELETE of the publisher: 204");
    check(server_wait_state(&server, x.pub, PEER_CLOSED, PROMPT_MS),
          "it gets close_notify within a second");
    check(server_wait_metric(
              &server, "sluice_sessions_ended_total{role=\"publish\",reason=\"kicked\"}", 1) == 1 &&
              server_ended(&server, "play", "kicked") == 1,
          "both count as kicked");
    int status = server_leave(&server, x.pub);
    check(status == 200, "a DELETE by the client afterwards is 200 (%d)", status);
    check(server_sessions_now(&server) == 0, "nobody is left");
    finish(&x);
    check(server_stop(&server) == 0, "exit code 0");
}

int main(int argc, char **argv)
{
    server_init(&server, argc, argv);
    offer = server_offer(&server);
    test_deadline();
    test_second();
    test_empty();
    test_kick();
    free(offer);
    server_fini(&server);
    return check_report();
}
