/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.h - ICE-TCP, passive (RFC 6544) with RFC 4571 framing. One listener per process on the media
 * port; whoever accepts reads the first frame on the raw descriptor, finds the owner by ufrag, and
 * hands descriptor and bytes over. Role MEDIA. The caller watches descriptors (uv_poll) and calls
 * in. */
#ifndef ICE_TCP_H
#define ICE_TCP_H

#include "ice/addr.h"
#include "rtp/base.h"

#define TCP_FRAME_MAX      2048 /* bytes of one frame accepted; larger ones close the connection */
#define TCP_TX_QUEUE_BYTES (256 * 1024) /* per connection; whole packets are dropped beyond it */

/* Listens non-blocking on bind (SO_REUSEADDR). Returns the descriptor or -errno. */
int tcp_listen(const struct addr *bind) MUST_CHECK;
/* Accepts one connection, non-blocking, TCP_NODELAY. Returns its descriptor, -EAGAIN, or -errno. */
int tcp_accept(int listen_fd, struct path *ret_path) MUST_CHECK;

/* A connection and what was read of it so far; may be handed to another thread between calls. */
struct tcp_conn;

/* Takes over fd. Returns NULL when out of memory (fd is closed then). */
struct tcp_conn *tcp_conn_new(int fd, const struct path *path);
void tcp_conn_free(struct tcp_conn *c); /* closes */
int tcp_conn_fd(const struct tcp_conn *c);
const struct path *tcp_conn_path(const struct tcp_conn *c);
void tcp_conn_set_id(struct tcp_conn *c, uint64_t id); /* path.conn */

/* Reads what is there. Call tcp_conn_next until it returns 0. Returns 0, or -errno: -ECONNRESET
 * when closed. */
int tcp_conn_read(struct tcp_conn *c);
/* The next whole frame: a writable pointer, valid until the next tcp_conn_read. Returns 1, 0
 * (none), or -EMSGSIZE (close it). */
int tcp_conn_next(struct tcp_conn *c, uint8_t **ret_frame, size_t *ret_len);
/* Looks at the first whole frame without consuming it. Same returns. */
int tcp_conn_peek(struct tcp_conn *c, const uint8_t **ret_frame, size_t *ret_len);
/* Queues one packet as a frame and writes what the socket takes. Returns 0, -ENOBUFS (dropped
 * whole), or -errno (close it). */
int tcp_conn_send(struct tcp_conn *c, const uint8_t *pkt, size_t len);
/* Writes what is queued; returns 0 or -errno. */
int tcp_conn_flush(struct tcp_conn *c);
bool tcp_conn_wants_write(const struct tcp_conn *c);

#endif
