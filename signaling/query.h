/* SPDX-License-Identifier: Apache-2.0 */
/* query.h - asks workers for the numbers of their sessions and collects the answers. Role MAIN. */
#ifndef SIGNALING_QUERY_H
#define SIGNALING_QUERY_H

#include "rtp/base.h"

struct api_event;
struct api_session_stats;
struct post;
struct queries;
struct uv_loop_s;

#define QUERY_TIMEOUT_MS 1000
#define QUERY_MAX        32 /* under way at once */
#define QUERY_ALL        (-1)

struct query_result {
    struct api_session_stats **sessions; /* valid during the call */
    unsigned n;
    bool partial; /* a worker did not answer in time */
};
/* When the server stops the result is empty and partial. */
typedef void(query_done_fn)(const struct query_result *res, void *ctx);

/* NULL when out of memory. */
struct queries *query_new(struct uv_loop_s *loop, struct post *post);
/* Ends what is under way with partial results. Accepts NULL. */
void query_free(struct queries *q);

/* Asks worker (or QUERY_ALL of n_workers). fn is called exactly once, never from within. Returns 0;
 * -EBUSY with QUERY_MAX under way; -ENOMEM. */
int query_start(struct queries *q, int worker, int n_workers, query_done_fn *fn,
                void *ctx) MUST_CHECK;
/* An API_EV_STATS event; takes what it owns. */
void query_on_stats(struct queries *q, struct api_event *ev);

#endif
