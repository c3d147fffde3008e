/* SPDX-License-Identifier: Apache-2.0 */
/* load_events.h - a viewer's reader of its session's server-sent events, as a page has one: what
 * comes is counted and thrown away. */
#ifndef BENCH_LOAD_LOAD_EVENTS_H
#define BENCH_LOAD_LOAD_EVENTS_H

#include "tests/peer/peer_loop.h"

struct load_events {
    struct peer_loop *loop;
    struct peer_watch watch;
    unsigned matched;      /* letters of what is looked for, seen at the end of the last piece */
    uint64_t participants; /* events of that name */
    uint64_t bytes;        /* of everything, HTTP included */
};

/* Begins to read the events of session, a URL. e: zeroed, the caller's, until load_events_close.
 * Returns 0 or -errno. */
int load_events_open(struct load_events *e, struct peer_loop *loop, const char *session);
/* Harmless for one that was never opened. */
void load_events_close(struct load_events *e);

#endif
