/* SPDX-License-Identifier: Apache-2.0 */
/* http_conn.h - the connections of one HTTP server: how many each client network holds, and by when
 * each must have sent what it is expected to send (SEC-01, SEC-03). Knows sockets, not the HTTP
 * library. Role MAIN. */
#ifndef SIGNALING_HTTP_CONN_H
#define SIGNALING_HTTP_CONN_H

#include "ice/addr.h"
#include "rtp/base.h"
#include "rtp/list.h"
#include "signaling/tally.h"

struct http_request;

enum http_phase {
    HTTP_PHASE_HEADERS, /* new connection or request line seen */
    HTTP_PHASE_BODY,
    HTTP_PHASE_HANDLING, /* the server's turn: no deadline */
    HTTP_PHASE_SENDING,
    HTTP_PHASE_IDLE, /* between requests */
};

struct http_conn {
    struct list node;
    struct http_request *rq; /* in progress, or NULL */
    struct addr peer;
    struct tally_count *tally;
    int fd; /* owned by the HTTP library */
    enum http_phase phase;
    int64_t deadline_us; /* INT64_MAX: none */
    bool tls;
};

struct http_conns {
    struct list all;    /* struct http_conn.node */
    struct tally tally; /* by network */
    unsigned count;
    uint64_t timed_out; /* connections shut because of a deadline */
};

/* An empty set; seed: random, spreads networks over the buckets. */
void http_conns_init(struct http_conns *cs, uint64_t seed);
/* NULL when out of memory. */
struct http_conn *http_conns_add(struct http_conns *cs, int fd, const struct addr *peer, bool tls);
void http_conns_remove(struct http_conns *cs, struct http_conn *c);
/* Connections from peer's network, this one included. */
unsigned http_conns_from(const struct http_conns *cs, const struct addr *peer);
/* c is in this phase from now on: its deadline follows from it. */
void http_conn_enter(struct http_conn *c, enum http_phase phase, int64_t now_us);
/* Shuts the sockets of connections that are over their deadline; a body that is late on a plain
 * connection is told 408 first. The library then sees the end and closes. */
void http_conns_sweep(struct http_conns *cs, int64_t now_us);

#endif
