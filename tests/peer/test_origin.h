/* SPDX-License-Identifier: Apache-2.0 */
/* test_origin.h - a WHIP and WHEP endpoint for one session, just enough to test the peer's HTTP
 * half: POST makes a lite peer, PATCH takes candidates or restarts ICE, DELETE ends it. */
#ifndef TESTS_PEER_TEST_ORIGIN_H
#define TESTS_PEER_TEST_ORIGIN_H

#include "tests/peer/peer_internal.h"

#define ORIGIN_CONNS 8

struct origin_conn {
    struct origin *origin;
    struct peer_watch watch; /* fd -1 = free */
    char buf[65536];
    size_t len;
};

struct origin {
    struct peer_loop *loop;
    struct peer_identity *identity;
    struct peer_watch watch;
    uint16_t port;
    struct peer *peer; /* the answering side of the last POST */
    struct origin_conn conns[ORIGIN_CONNS];
    unsigned requests, authorized, patches;
};

/* Listens on a free port of 127.0.0.1. Returns 0 or -errno. */
int origin_open(struct origin *o, struct peer_loop *l, struct peer_identity *id);
void origin_close(struct origin *o);

#endif
