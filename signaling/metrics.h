/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - what MAIN counts, and /metrics in OpenMetrics text. Names of metrics are stable;
 * README lists them. Role MAIN. */
#ifndef SIGNALING_METRICS_H
#define SIGNALING_METRICS_H

#include "rtp/base.h"
#include "sfu/api.h"

struct http_done;
struct http_request;
struct signaling;

#define METRICS_BUCKETS  12
#define METRICS_ROUTES   24
#define METRICS_CODES    24
#define METRICS_PROBLEMS 64
#define METRICS_REFUSALS 32

struct metrics_hist {
    uint64_t buckets[METRICS_BUCKETS + 1]; /* not cumulative; the last is +Inf */
    uint64_t count;
    int64_t sum_us;
};

enum metrics_join {
    METRICS_JOIN_HTTP,  /* request to 201 */
    METRICS_JOIN_DTLS,  /* the plane's SESSION_ADD to DTLS finished */
    METRICS_JOIN_MEDIA, /* publisher: request to first media */
    METRICS_JOIN_COUNT
};

struct metrics_route {
    const char *name;
    struct {
        int status;
        uint64_t n;
    } codes[METRICS_CODES];
    struct metrics_hist took;
};

struct metrics {
    uint64_t created[2]; /* by role */
    uint64_t ended[2][API_END_COUNT];
    uint64_t restarts; /* ICE */
    uint64_t trickled; /* candidates received; ICE-lite needs none */
    struct metrics_hist join[METRICS_JOIN_COUNT];
    struct metrics_route routes[METRICS_ROUTES];
    struct {
        const char *type; /* fixed string */
        uint64_t n;
    } problems[METRICS_PROBLEMS];
    struct {
        const char *reason; /* fixed string */
        uint64_t n;
    } refusals[METRICS_REFUSALS]; /* of tokens */
    uint64_t hook[3];             /* answers of auth.hook_url, enum permit_hook_verdict */
    uint64_t control_too_large;   /* events that no data channel takes */
    int64_t loop_lag_us;          /* latest */
};

/* Puts one duration into its bucket. */
void metrics_observe(struct metrics_hist *h, int64_t took_us);
/* Counts a request; status 0 counts as 499. */
void metrics_on_done(struct metrics *m, const struct http_done *done);
/* Counts a token that was refused. reason: fixed string. */
void metrics_on_refusal(struct metrics *m, const char *reason);
/* The whole exposition; heap, NULL when out of memory. plane: its counters. */
char *metrics_text(const struct signaling *s, const struct api_counters *plane, size_t *ret_len);
/* GET /metrics. */
void metrics_handle(struct http_request *rq, void *ctx);

#endif
