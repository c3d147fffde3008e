/* SPDX-License-Identifier: Apache-2.0 */
/* peer_loop.h - the event loop of test peers: epoll, timers, one clock, shared receive buffers.
 * Single-threaded; everything that uses one loop belongs to one thread. */
#ifndef TESTS_PEER_PEER_LOOP_H
#define TESTS_PEER_PEER_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct peer_loop;

enum peer_loop_flags {
    PEER_LOOP_GRO = 1 << 0, /* sockets of this loop receive with UDP_GRO, 64 KiB buffers */
};

/* Returns NULL when epoll or memory is not to be had. Raises RLIMIT_NOFILE to its hard limit. */
struct peer_loop *peer_loop_new(unsigned flags);
void peer_loop_free(struct peer_loop *l); /* accepts NULL; watches and timers must be gone */

/* CLOCK_MONOTONIC, nanoseconds, read now: the time that travels inside the media. */
int64_t peer_loop_clock_ns(void);
/* Time at the start of this turn of the loop, monotonic microseconds. */
int64_t peer_loop_now_us(const struct peer_loop *l);
/* A kernel receive time (CLOCK_REALTIME, ns) on the monotonic clock. */
int64_t peer_loop_from_realtime_ns(const struct peer_loop *l, int64_t realtime_ns);

/* A descriptor to watch; the caller's memory, valid until peer_loop_unwatch. */
struct peer_watch {
    int fd;
    void (*fn)(void *ctx, uint32_t events); /* EPOLLIN ... */
    void *ctx;
};

/* events: EPOLLIN, EPOLLOUT. Calling it again for a watched descriptor changes the events. Returns
 * 0 or -errno. */
int peer_loop_watch(struct peer_loop *l, struct peer_watch *w, uint32_t events);
/* Harmless for one that is not watched. No callback comes afterwards, not even in this turn. */
void peer_loop_unwatch(struct peer_loop *l, struct peer_watch *w);

/* A one-shot timer; the caller's memory, zeroed before first use. */
struct peer_timer {
    int64_t due_us;
    size_t pos; /* place in the heap + 1; 0 = not armed */
    void (*fn)(void *ctx);
    void *ctx;
};

/* Arms or re-arms. due_us: monotonic. Returns 0 or -ENOMEM. */
int peer_loop_arm(struct peer_loop *l, struct peer_timer *t, int64_t due_us);
void peer_loop_disarm(struct peer_loop *l, struct peer_timer *t);

/* Looks at descriptors each poll_us instead of being woken by them (0, the default): a sender on
 * the same machine then does not pay for waking us. */
void peer_loop_set_poll(struct peer_loop *l, int64_t poll_us);

/* One turn: waits at most max_wait_us for a descriptor or a timer and serves what is due. */
void peer_loop_turn(struct peer_loop *l, int64_t max_wait_us);
/* Turns until done(ctx) is true or duration_us have passed; done may be NULL. Returns whether done
 * said so. */
bool peer_loop_run(struct peer_loop *l, int64_t duration_us, bool (*done)(void *ctx), void *ctx);

#define PEER_LOOP_BATCH    32
#define PEER_LOOP_CTRL_MAX 128

/* Receive buffers, shared by all sockets of the loop and valid until the next peer_loop_recv. */
struct peer_datagram {
    uint8_t *buf;
    size_t len;
    size_t segment;     /* GRO: bytes of each datagram inside; else len */
    int64_t at_ns;      /* kernel receive time, monotonic; 0 = unknown */
    uint32_t overflows; /* SO_RXQ_OVFL: datagrams this socket lost to a full buffer, cumulative */
    bool has_overflows;
    struct sockaddr_storage from;
};

/* Receives up to PEER_LOOP_BATCH datagrams. Returns how many, or -errno. */
int peer_loop_recv(struct peer_loop *l, int fd, struct peer_datagram **ret_datagrams);
/* Options for a socket that peer_loop_recv serves: receive times, overflow counts, GRO if the loop
 * has it. */
void peer_loop_prepare(const struct peer_loop *l, int fd, int rcvbuf_bytes);

#endif
