/* SPDX-License-Identifier: Apache-2.0 */
/* server_relay.h - a box between one peer and the server: the peer talks UDP to it, it talks UDP or
 * ICE-TCP (RFC 4571 frames, RFC 6544) to the server. It sees, and may drop, every datagram as it is
 * on the wire. */
#ifndef TESTS_SERVER_SERVER_RELAY_H
#define TESTS_SERVER_SERVER_RELAY_H

#include "tests/server/server_kit.h"

#include <netinet/in.h>

#define RELAY_STREAM_MAX (256 * 1024)

struct server_relay {
    struct server *server;
    struct peer_watch inner; /* towards the peer */
    struct peer_watch outer; /* towards the server; fd -1 = closed */
    bool tcp;
    bool stalled; /* reads nothing from the server any more */
    struct sockaddr_storage peer;
    socklen_t peer_len; /* 0: has not spoken yet */
    uint16_t port;
    uint8_t *in; /* TCP: what is not a whole frame yet */
    size_t in_len;
    uint8_t *out; /* TCP: what did not fit the socket */
    size_t out_len;
    uint64_t to_peer, to_server, bad_frames;
    bool eof; /* the server closed the connection */
    /* Whether the datagram goes on; NULL: all do. */
    bool (*pass)(void *ctx, bool to_peer, const uint8_t *buf, size_t len);
    void *ctx;
};

/* Opens both sides. Ends the program when sockets are not to be had. */
void server_relay_open(struct server_relay *r, struct server *s, bool tcp);
/* A new connection to the server, after the old one was lost or in its place. */
void server_relay_reconnect(struct server_relay *r);
void server_relay_close(struct server_relay *r);
/* Bytes to the server that no peer sent, as they are. Returns whether all were taken. */
bool server_relay_raw(struct server_relay *r, const uint8_t *buf, size_t len);

/* Like server_peer, but through the relay, which lives at least as long. */
struct peer *server_relay_peer(struct server_relay *r, const char *stream,
                               const struct peer_params *m);

#endif
