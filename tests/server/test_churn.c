/* SPDX-License-Identifier: Apache-2.0 */
/* test_churn.c - a thousand viewers join and leave, by DELETE, by close_notify, or without a word:
 * afterwards nothing of them is left, neither in counters nor in memory nor in descriptors. */
#include "tests/server/server_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH   50
#define BATCHES SERVER_SCALED(20, 4)
/* Memory after all of them against memory after half of them. The heaps of three threads keep the
 * pages of their highest tide, which settles slowly, and a URL that has ended is remembered for
 * 30 s (1.1 kB). A viewer that plays holds 120 kB: if one of ten stayed, it would show. */
#define RSS_GROWTH_KB 8192

static struct server server;

enum { BY_DELETE, BY_CLOSE, BY_SILENCE, WAYS };

static bool all_closed(void *ctx)
{
    struct peer **v = ctx;

    for (unsigned i = 0; i < BATCH; i++) {
        if (i % WAYS == BY_DELETE && peer_state(v[i]) < PEER_CLOSED) {
            return false;
        }
    }
    return true;
}

/* Returns how many went wrong. */
static unsigned one_batch(void)
{
    struct peer *v[BATCH];

    for (unsigned i = 0; i < BATCH; i++) {
        v[i] = server_viewer(&server, "churn");
    }
    unsigned bad = server_wait_playing(&server, v, BATCH);
    for (unsigned i = 0; i < BATCH; i++) {
        bad += peer_faults(v[i]) != 0;
        if (i % WAYS == BY_DELETE) {
            bad += peer_delete(v[i]) != 0;
        } else if (i % WAYS == BY_CLOSE) {
            peer_send_close(v[i]);
        } else {
            peer_set_silent(v[i], true);
        }
    }
    bad += !server_until(&server, SERVER_PATIENCE_MS, all_closed, v); /* DELETE: close_notify */
    server_run(&server, SERVER_SCALED(20, 60));
    for (unsigned i = 0; i < BATCH; i++) {
        peer_free(v[i]);
    }
    return bad;
}

static int64_t play_gauge(void)
{
    char *text = server_metrics(&server);
    static const char *const states[] = {"new", "up", "ending"};
    int64_t sum = 0;

    for (size_t i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof(name), "sluice_sessions{role=\"play\",state=\"%s\"}", states[i]);
        sum += server_metric_in(text, name);
    }
    free(text);
    return sum;
}

/* Waits until the silent ones have ended too. */
static void wait_empty(void)
{
    int64_t end_ms = server_now_ms() + SERVER_PATIENCE_MS, left;

    while ((left = play_gauge()) != 0 && server_now_ms() < end_ms) {
        server_run(&server, 100);
    }
    check(left == 0, "no viewer is left (%lld)", (long long)left);
}

/* A connection of our own last question may still be closing. */
static bool has_fds(void *ctx)
{
    return server_fds(&server) == *(const int *)ctx;
}

static void check_counters(int64_t viewers)
{
    char *text = server_metrics(&server);
    int64_t ended = 0;
    static const char *const reasons[] = {"client", "peer_closed", "silent"};

    check(server_metric_in(text, "sluice_sessions_created_total{role=\"play\"}") == viewers,
          "%lld viewers were created", (long long)viewers);
    for (size_t i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof(name), "sluice_sessions_ended_total{role=\"play\",reason=\"%s\"}",
                 reasons[i]);
        int64_t n = server_metric_in(text, name);
        check(n >= viewers / WAYS - BATCHES && n <= viewers / WAYS + BATCHES,
              "about a third ended as %s (%lld)", reasons[i], (long long)n);
        ended += n;
    }
    check(ended == viewers, "all of them ended (%lld)", (long long)ended);
    check(server_metric_in(text, "sluice_dtls_up_total") == viewers + 1, "each had DTLS");
    check(server_metric_in(text, "sluice_media_sessions_added_total") == viewers + 1 &&
              server_metric_in(text, "sluice_media_sessions_ended_total") == viewers + 1,
          "the workers have ended what they began");
    static const char *const zero[] = {
        "sluice_sessions{role=\"publish\",state=\"new\"}",
        "sluice_sessions{role=\"publish\",state=\"up\"}",
        "sluice_sessions{role=\"publish\",state=\"ending\"}",
        "sluice_sessions{role=\"play\",state=\"up\"}",
        "sluice_streams{state=\"live\"}",
        "sluice_streams{state=\"waiting\"}",
        "sluice_http_connections",
        "sluice_commands_waiting",
    };
    for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++) {
        int64_t v = server_metric_in(text, zero[i]);
        check(v == 0, "%s is 0 (%lld)", zero[i], (long long)v);
    }
    free(text);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {
        "media.workers=2",
        SERVER_SANITIZED ? "limits.gone_timeout_ms=4000" : "limits.gone_timeout_ms=1500",
        SERVER_SANITIZED ? "limits.end_timeout_ms=8000" : "limits.end_timeout_ms=2500",
        NULL,
    };
    unsigned bad = 0;
    int64_t half_kb = 0;

    server_init(&server, argc, argv);
    server_start(&server, sets);
    struct peer *pub = server_publisher(&server, "churn");
    check(server_wait_playing(&server, &pub, 1) == 0, "the publisher is up");
    server_settle(&server);
    int fds = server_fds(&server);
    for (int i = 0; i < BATCHES; i++) {
        bad += one_batch();
        if (i == BATCHES / 2 - 1) {
            wait_empty();
            half_kb = server_rss_kb(&server);
        }
    }
    check(bad == 0, "every one of %d viewers joined, played and left (%u did not)", BATCHES * BATCH,
          bad);
    wait_empty();
    check(server_sessions_now(&server) == 1, "the admin API lists the publisher only");
    int64_t rss_kb = server_rss_kb(&server);
    note("memory after half: %lld kB, after all: %lld kB", (long long)half_kb, (long long)rss_kb);
    if (!SERVER_SANITIZED) { /* the sanitizer keeps what is freed, on purpose */
        check(rss_kb - half_kb <= RSS_GROWTH_KB, "memory is flat (%+lld kB)",
              (long long)(rss_kb - half_kb));
    }
    check(server_until(&server, SERVER_PATIENCE_MS, has_fds, &fds),
          "descriptors are flat (%d, now %d)", fds, server_fds(&server));
    check(server_leave(&server, pub) == 200, "the publisher leaves");
    check(server_wait_state(&server, pub, PEER_CLOSED, SERVER_PATIENCE_MS), "and is closed");
    server_settle(&server);
    check(server_sessions_now(&server) == 0, "the admin API lists nobody");
    check_counters((int64_t)BATCHES * BATCH);
    peer_free(pub);
    server_fini(&server);
    return check_report();
}
