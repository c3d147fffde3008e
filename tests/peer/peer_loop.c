/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define EVENTS_MAX       256
#define DATAGRAM_MAX     2048
#define DATAGRAM_GRO     65536
#define CLOCK_REFRESH_US 1000000

struct peer_loop {
    int epoll_fd;
    unsigned flags;
    int64_t poll_us; /* 0: descriptors wake us */
    int64_t now_us;
    int64_t realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
    int64_t offset_read_us;
    struct peer_timer **heap;
    size_t heap_len, heap_cap;
    struct epoll_event events[EVENTS_MAX];
    int n_events;
    size_t slot_bytes;
    uint8_t *slots;
    struct peer_datagram datagrams[PEER_LOOP_BATCH];
    struct mmsghdr msgs[PEER_LOOP_BATCH];
    struct iovec iovs[PEER_LOOP_BATCH];
    uint8_t ctrl[PEER_LOOP_BATCH][PEER_LOOP_CTRL_MAX] __attribute__((aligned(8)));
};

static int64_t clock_read_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t peer_loop_clock_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

int64_t peer_loop_now_us(const struct peer_loop *l)
{
    return l->now_us;
}

int64_t peer_loop_from_realtime_ns(const struct peer_loop *l, int64_t realtime_ns)
{
    return realtime_ns - l->realtime_offset_ns;
}

static void loop_tick(struct peer_loop *l)
{
    l->now_us = peer_loop_clock_ns() / 1000;
    if (l->offset_read_us && l->now_us - l->offset_read_us < CLOCK_REFRESH_US) {
        return;
    }
    /* The narrowest of a few readings: being descheduled between the two clocks would shift every
     * latency of the next second. */
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t before = peer_loop_clock_ns();
        int64_t real = clock_read_ns(CLOCK_REALTIME);
        int64_t after = peer_loop_clock_ns();
        if (after - before < best) {
            best = after - before;
            l->realtime_offset_ns = real - (before + after) / 2;
        }
    }
    l->offset_read_us = l->now_us;
}

static void raise_descriptor_limit(void)
{
    struct rlimit r;

    if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

struct peer_loop *peer_loop_new(unsigned flags)
{
    struct peer_loop *l = calloc(1, sizeof(*l));

    if (!l) {
        return NULL;
    }
    l->flags = flags;
    l->slot_bytes = flags & PEER_LOOP_GRO ? DATAGRAM_GRO : DATAGRAM_MAX;
    l->slots = malloc(l->slot_bytes * PEER_LOOP_BATCH);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!l->slots || l->epoll_fd < 0) {
        peer_loop_free(l);
        return NULL;
    }
    for (int i = 0; i < PEER_LOOP_BATCH; i++) {
        l->datagrams[i].buf = l->slots + (size_t)i * l->slot_bytes;
    }
    raise_descriptor_limit();
    loop_tick(l);
    return l;
}

void peer_loop_free(struct peer_loop *l)
{
    if (!l) {
        return;
    }
    if (l->epoll_fd >= 0) {
        close(l->epoll_fd);
    }
    free(l->slots);
    free(l->heap);
    free(l);
}

int peer_loop_watch(struct peer_loop *l, struct peer_watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};

    if (!epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &e)) {
        return 0;
    }
    if (errno == EEXIST && !epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &e)) {
        return 0;
    }
    return -errno;
}

void peer_loop_unwatch(struct peer_loop *l, struct peer_watch *w)
{
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    for (int i = 0; i < l->n_events; i++) {
        if (l->events[i].data.ptr == w) {
            l->events[i].data.ptr = NULL;
        }
    }
}

static void heap_set(struct peer_loop *l, size_t i, struct peer_timer *t)
{
    l->heap[i] = t;
    t->pos = i + 1;
}

static void heap_up(struct peer_loop *l, size_t i)
{
    struct peer_timer *t = l->heap[i];

    while (i > 0 && l->heap[(i - 1) / 2]->due_us > t->due_us) {
        heap_set(l, i, l->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_set(l, i, t);
}

static void heap_down(struct peer_loop *l, size_t i)
{
    struct peer_timer *t = l->heap[i];

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= l->heap_len) {
            break;
        }
        if (child + 1 < l->heap_len && l->heap[child + 1]->due_us < l->heap[child]->due_us) {
            child++;
        }
        if (l->heap[child]->due_us >= t->due_us) {
            break;
        }
        heap_set(l, i, l->heap[child]);
        i = child;
    }
    heap_set(l, i, t);
}

int peer_loop_arm(struct peer_loop *l, struct peer_timer *t, int64_t due_us)
{
    t->due_us = due_us;
    if (t->pos) {
        heap_up(l, t->pos - 1);
        heap_down(l, t->pos - 1);
        return 0;
    }
    if (l->heap_len == l->heap_cap) {
        size_t cap = l->heap_cap ? l->heap_cap * 2 : 64;
        struct peer_timer **heap = realloc(l->heap, cap * sizeof(struct peer_timer *));
        if (!heap) {
            return -ENOMEM;
        }
        l->heap = heap;
        l->heap_cap = cap;
    }
    l->heap[l->heap_len] = t;
    heap_up(l, l->heap_len++);
    return 0;
}

void peer_loop_disarm(struct peer_loop *l, struct peer_timer *t)
{
    if (!t->pos) {
        return;
    }
    size_t i = t->pos - 1;
    struct peer_timer *last = l->heap[--l->heap_len];
    t->pos = 0;
    if (last != t) {
        heap_set(l, i, last);
        heap_up(l, i);
        heap_down(l, last->pos - 1);
    }
}

static void run_timers(struct peer_loop *l)
{
    /* Timers armed by callbacks for "now" wait for the next turn, so that descriptors get theirs.
     */
    int64_t until_us = l->now_us;

    while (l->heap_len && l->heap[0]->due_us <= until_us) {
        struct peer_timer *t = l->heap[0];
        peer_loop_disarm(l, t);
        l->now_us = peer_loop_clock_ns() / 1000;
        t->fn(t->ctx);
    }
}

/* Nothing but time ends it: whoever sends to us pays for no wake-up. */
static void nap(int64_t us)
{
    struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    (void)ppoll(NULL, 0, &ts, NULL);
}

void peer_loop_set_poll(struct peer_loop *l, int64_t poll_us)
{
    l->poll_us = poll_us;
}

void peer_loop_turn(struct peer_loop *l, int64_t max_wait_us)
{
    loop_tick(l);
    int64_t wait_us = max_wait_us;
    if (l->heap_len) {
        int64_t left_us = l->heap[0]->due_us - l->now_us;
        wait_us = left_us < wait_us ? left_us : wait_us;
    }
    wait_us = wait_us < 0 ? 0 : wait_us;
    if (l->poll_us && wait_us > 0) {
        nap(wait_us < l->poll_us ? wait_us : l->poll_us);
        wait_us = 0;
    }
    struct timespec ts = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    int n = epoll_pwait2(l->epoll_fd, l->events, EVENTS_MAX, &ts, NULL);
    if (n < 0 && errno == ENOSYS) {
        n = epoll_wait(l->epoll_fd, l->events, EVENTS_MAX, (int)((wait_us + 999) / 1000));
    }
    loop_tick(l);
    l->n_events = n > 0 ? n : 0;
    for (int i = 0; i < l->n_events; i++) {
        struct peer_watch *w = l->events[i].data.ptr;
        if (w) {
            w->fn(w->ctx, l->events[i].events);
        }
    }
    l->n_events = 0;
    run_timers(l);
}

bool peer_loop_run(struct peer_loop *l, int64_t duration_us, bool (*done)(void *ctx), void *ctx)
{
    loop_tick(l);
    int64_t end_us = l->now_us + duration_us;

    for (;;) {
        if (done && done(ctx)) {
            return true;
        }
        loop_tick(l);
        if (l->now_us >= end_us) {
            return false;
        }
        peer_loop_turn(l, end_us - l->now_us);
    }
}

void peer_loop_prepare(const struct peer_loop *l, int fd, int rcvbuf_bytes)
{
    int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
    if (l->flags & PEER_LOOP_GRO) {
        (void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
    }
    if (rcvbuf_bytes > 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf_bytes, sizeof(rcvbuf_bytes))) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf_bytes, sizeof(rcvbuf_bytes));
    }
}

static void read_control(const struct peer_loop *l, struct msghdr *m, struct peer_datagram *d)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec ts;
            memcpy(&ts, CMSG_DATA(c), sizeof(ts));
            d->at_ns = peer_loop_from_realtime_ns(l, (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&d->overflows, CMSG_DATA(c), sizeof(d->overflows));
            d->has_overflows = true;
        } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int size = 0;
            memcpy(&size, CMSG_DATA(c), sizeof(size));
            if (size > 0) {
                d->segment = (size_t)size;
            }
        }
    }
}

int peer_loop_recv(struct peer_loop *l, int fd, struct peer_datagram **ret_datagrams)
{
    for (int i = 0; i < PEER_LOOP_BATCH; i++) {
        l->iovs[i] = (struct iovec){.iov_base = l->datagrams[i].buf, .iov_len = l->slot_bytes};
        l->msgs[i].msg_hdr = (struct msghdr){
            .msg_iov = &l->iovs[i],
            .msg_iovlen = 1,
            .msg_name = &l->datagrams[i].from,
            .msg_namelen = sizeof(l->datagrams[i].from),
            .msg_control = l->ctrl[i],
            .msg_controllen = sizeof(l->ctrl[i]),
        };
    }
    int n = recvmmsg(fd, l->msgs, PEER_LOOP_BATCH, MSG_DONTWAIT, NULL);
    if (n < 0) {
        return -errno;
    }
    for (int i = 0; i < n; i++) {
        struct peer_datagram *d = &l->datagrams[i];
        d->len = l->msgs[i].msg_len;
        d->segment = d->len;
        d->at_ns = 0;
        d->has_overflows = false;
        read_control(l, &l->msgs[i].msg_hdr, d);
    }
    *ret_datagrams = l->datagrams;
    return n;
}
