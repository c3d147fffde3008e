/* SPDX-License-Identifier: Apache-2.0 */
/* worker_tcp.c - ICE-TCP connections of a worker. Worker 0 accepts; the first frame is a STUN
 * request whose ufrag names the owner, and the connection goes there. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/fds.h"
#include "conf/thread.h"
#include "ice/tcp.h"
#include "sfu/worker.h"

/* Connections that a worker keeps at most, and how long one may be without a session (ICE-20). */
#define CONNS_MAX    4096
#define CONN_WAIT_MS 8000

struct worker_conn {
    struct worker *w;
    struct tcp_conn *tcp;
    uint64_t id;
    uv_poll_t poll;
    uv_timer_t deadline; /* looks now and then whether a session has the connection */
    int handles;         /* uv handles not yet closed */
    bool owned;          /* the owner is known to be this worker */
    bool closing;
};

static void on_conn(uv_poll_t *handle, int status, int events);

static void on_closed(uv_handle_t *handle)
{
    struct worker_conn *c = handle->data;
    if (--c->handles == 0) {
        tcp_conn_free(c->tcp);
        free(c);
    }
}

static void close_handles(struct worker_conn *c)
{
    c->closing = true;
    uv_poll_stop(&c->poll);
    uv_timer_stop(&c->deadline);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    uv_close((uv_handle_t *)&c->deadline, on_closed);
}

static void drop_conn(struct worker_conn *c)
{
    struct worker *w = c->w;
    if (c->closing) {
        return;
    }
    table_remove(&w->conns, c->id, c);
    w->n_conns--;
    struct peer *p = router_peer_by_addr(&w->router, &tcp_conn_path(c->tcp)->remote);
    if (p && p->link) {
        link_on_conn_closed(p->link, c->id);
        peer_drain_link(p, clock_now_us());
    }
    close_handles(c);
}

static void on_deadline(uv_timer_t *handle)
{
    struct worker_conn *c = handle->data;
    if (!router_peer_by_addr(&c->w->router, &tcp_conn_path(c->tcp)->remote)) {
        drop_conn(c);
    }
}

static void watch(struct worker_conn *c)
{
    int events = UV_READABLE | (tcp_conn_wants_write(c->tcp) ? UV_WRITABLE : 0);
    uv_poll_start(&c->poll, events, on_conn);
}

/* The first frame decides whose the connection is. Returns false if c has gone. */
static bool find_owner(struct worker_conn *c)
{
    struct worker *w = c->w;
    const uint8_t *frame;
    size_t len, n;
    const char *ufrag;
    int got = tcp_conn_peek(c->tcp, &frame, &len);
    if (got == 0) {
        return true;
    }
    int owner = OWNER_NONE;
    if (got > 0 && owner_peek_ufrag(frame, len, &ufrag, &n) == 0) {
        owner = owner_of_ufrag(ufrag, n);
    }
    if (owner < 0 || owner >= w->all->n) {
        drop_conn(c);
        return false;
    }
    c->owned = true;
    if (owner == w->index) {
        return true;
    }
    struct api_cmd cmd = {.kind = API_CMD_TCP_CONN, .u.conn = c->tcp};
    table_remove(&w->conns, c->id, c);
    w->n_conns--;
    c->tcp = NULL;
    close_handles(c);
    if (mailbox_post(&w->all->w[owner].inbox, &cmd)) {
        api_cmd_fini(&cmd);
    }
    return false;
}

static bool take_frames(struct worker_conn *c, int64_t now_us)
{
    if (!c->owned && !find_owner(c)) {
        return false;
    }
    uint8_t *frame;
    size_t len;
    int got = 0;
    while (c->owned && (got = tcp_conn_next(c->tcp, &frame, &len)) == 1) {
        c->w->router.n.rx_datagrams++;
        router_on_raw(&c->w->router, tcp_conn_path(c->tcp), frame, len, now_us);
        if (c->closing) {
            return false;
        }
    }
    if (got < 0) {
        drop_conn(c);
        return false;
    }
    return true;
}

static void on_conn(uv_poll_t *handle, int status, int events)
{
    struct worker_conn *c = handle->data;
    struct worker *w = c->w;
    thread_assert_media();
    int64_t now_us = clock_now_us();
    int err = status < 0 ? status : 0;
    if (!err && (events & UV_WRITABLE)) {
        err = tcp_conn_flush(c->tcp);
    }
    bool alive = true;
    if (!err && (events & UV_READABLE)) {
        int closed = tcp_conn_read(c->tcp);
        alive = take_frames(c, now_us);
        err = closed;
    }
    if (alive && err) {
        drop_conn(c);
    } else if (alive) {
        watch(c);
    }
    worker_flush(w, now_us);
}

void worker_tcp_adopt(struct worker *w, struct tcp_conn *tcp)
{
    struct worker_conn *c = w->n_conns < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
    if (!c || table_put(&w->conns, w->next_conn, c)) {
        free(c);
        tcp_conn_free(tcp);
        w->router.n.tcp_refused++;
        return;
    }
    c->w = w;
    c->tcp = tcp;
    c->id = w->next_conn++;
    c->handles = 2;
    w->n_conns++;
    tcp_conn_set_id(tcp, c->id);
    uv_poll_init(&w->loop, &c->poll, tcp_conn_fd(tcp));
    c->poll.data = c;
    uv_timer_init(&w->loop, &c->deadline);
    c->deadline.data = c;
    uv_timer_start(&c->deadline, on_deadline, CONN_WAIT_MS, CONN_WAIT_MS);
    if (take_frames(c, clock_now_us())) { /* bytes that travelled with it */
        watch(c);
    }
}

static void on_listen(uv_poll_t *handle, int status, int events)
{
    struct worker *w = handle->data;
    (void)events;
    struct path path;
    int fd = status < 0 ? status : tcp_accept(w->listen_fd, &path);
    while (fd >= 0) {
        bool reserved = fds_is_reserved(fd);
        struct tcp_conn *tcp = reserved ? NULL : tcp_conn_new(fd, &path);
        if (reserved) {
            close(fd);
            w->router.n.tcp_refused++;
        } else if (tcp) {
            worker_tcp_adopt(w, tcp);
        }
        fd = tcp_accept(w->listen_fd, &path);
    }
    if (fd != -EAGAIN) { /* of descriptors or memory: worker_tcp_resume goes on in a moment */
        uv_poll_stop(handle);
        w->listen_paused = true;
    }
}

void worker_tcp_resume(struct worker *w)
{
    if (w->listen_paused) {
        w->listen_paused = false;
        uv_poll_start(&w->listen_poll, UV_READABLE, on_listen);
    }
}

int worker_tcp_listen(struct worker *w, const struct addr *bind)
{
    int fd = tcp_listen(bind);
    if (fd < 0) {
        return fd;
    }
    w->listen_fd = fd;
    uv_poll_init(&w->loop, &w->listen_poll, fd);
    w->listen_poll.data = w;
    return uv_poll_start(&w->listen_poll, UV_READABLE, on_listen);
}

void worker_tcp_send(struct worker *w, const struct udp_run *run)
{
    struct worker_conn *c = table_get(&w->conns, run->to->conn);
    for (uint32_t off = 0; c && off < run->len; off += run->seg_len) {
        uint32_t len = MIN((uint32_t)run->seg_len, run->len - off);
        int err = tcp_conn_send(c->tcp, run->buf + off, len);
        if (err == -ENOBUFS) {
            w->router.n.drop_stale++;
        } else if (err) {
            drop_conn(c);
            return;
        }
    }
    if (c && tcp_conn_wants_write(c->tcp)) {
        watch(c);
    }
}

void worker_tcp_close_all(struct worker *w)
{
    for (uint32_t i = 0; i < w->conns.size;) {
        if (w->conns.e[i].key) {
            drop_conn(w->conns.e[i].value); /* moves entries: look at the same place again */
        } else {
            i++;
        }
    }
    if (w->listen_fd >= 0) {
        uv_poll_stop(&w->listen_poll);
        uv_close((uv_handle_t *)&w->listen_poll, NULL);
        close(w->listen_fd);
        w->listen_fd = -1;
    }
}
