/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/server_relay.h"
#include "tests/peer/peer_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FRAME_HEAD 2

static void require(bool ok, const char *what)
{
    if (!ok) {
        check(false, "relay: %s: %s", what, strerror(errno));
        exit(check_report());
    }
}

/* ---- to the peer ---- */

static void to_peer(struct server_relay *r, const uint8_t *buf, size_t len)
{
    if (!r->peer_len || (r->pass && !r->pass(r->ctx, true, buf, len))) {
        return;
    }
    r->to_peer++;
    (void)sendto(r->inner.fd, buf, len, 0, (struct sockaddr *)&r->peer, r->peer_len);
}

/* Whole frames at the front of r->in. */
static void take_frames(struct server_relay *r)
{
    size_t at = 0;

    while (r->in_len - at >= FRAME_HEAD) {
        size_t n = peer_get16(r->in + at);
        if (r->in_len - at < FRAME_HEAD + n) {
            break;
        }
        r->bad_frames += n == 0 || n > 2048;
        to_peer(r, r->in + at + FRAME_HEAD, n);
        at += FRAME_HEAD + n;
    }
    memmove(r->in, r->in + at, r->in_len - at);
    r->in_len -= at;
}

static void on_stream(struct server_relay *r)
{
    ssize_t n = recv(r->outer.fd, r->in + r->in_len, RELAY_STREAM_MAX - r->in_len, MSG_DONTWAIT);

    if (n > 0) {
        r->in_len += (size_t)n;
        take_frames(r);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        r->eof = true;
        peer_loop_unwatch(r->server->loop, &r->outer);
        close(r->outer.fd);
        r->outer.fd = -1;
    }
}

static void flush(struct server_relay *r)
{
    ssize_t n = r->out_len ? send(r->outer.fd, r->out, r->out_len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

    if (n > 0) {
        memmove(r->out, r->out + n, r->out_len - (size_t)n);
        r->out_len -= (size_t)n;
    }
    uint32_t events = (r->stalled ? 0 : EPOLLIN) | (r->out_len ? EPOLLOUT : 0);
    (void)peer_loop_watch(r->server->loop, &r->outer, events);
}

static void on_outer(void *ctx, uint32_t events)
{
    struct server_relay *r = ctx;
    uint8_t buf[4096];

    if (r->tcp) {
        if (events & EPOLLOUT) {
            flush(r);
        }
        if (events & ~(uint32_t)EPOLLOUT && !r->stalled) {
            on_stream(r);
        }
        return;
    }
    for (ssize_t n; (n = recv(r->outer.fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0;) {
        to_peer(r, buf, (size_t)n);
    }
}

/* ---- to the server ---- */

bool server_relay_raw(struct server_relay *r, const uint8_t *buf, size_t len)
{
    if (r->outer.fd < 0) {
        return false;
    }
    if (!r->tcp) {
        return send(r->outer.fd, buf, len, 0) == (ssize_t)len;
    }
    if (r->out_len + len > RELAY_STREAM_MAX) {
        return false;
    }
    memcpy(r->out + r->out_len, buf, len);
    r->out_len += len;
    flush(r);
    return true;
}

static void on_inner(void *ctx, uint32_t events)
{
    struct server_relay *r = ctx;
    uint8_t buf[FRAME_HEAD + 4096];
    ssize_t n;

    (void)events;
    for (;;) {
        r->peer_len = sizeof(r->peer);
        n = recvfrom(r->inner.fd, buf + FRAME_HEAD, sizeof(buf) - FRAME_HEAD, MSG_DONTWAIT,
                     (struct sockaddr *)&r->peer, &r->peer_len);
        if (n < 0) {
            break;
        }
        if (r->pass && !r->pass(r->ctx, false, buf + FRAME_HEAD, (size_t)n)) {
            continue;
        }
        peer_put16(buf, (uint16_t)n);
        r->to_server += r->tcp ? server_relay_raw(r, buf, FRAME_HEAD + (size_t)n)
                               : server_relay_raw(r, buf + FRAME_HEAD, (size_t)n);
    }
}

/* ---- life ---- */

void server_relay_reconnect(struct server_relay *r)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(r->server->media_port)};
    int one = 1;

    if (r->outer.fd >= 0) {
        peer_loop_unwatch(r->server->loop, &r->outer);
        close(r->outer.fd);
    }
    r->in_len = r->out_len = 0;
    r->eof = r->stalled = false;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->outer.fd = socket(AF_INET, (r->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    require(r->outer.fd >= 0, "socket");
    require(connect(r->outer.fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
    if (r->tcp) {
        setsockopt(r->outer.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    require(peer_loop_watch(r->server->loop, &r->outer, EPOLLIN) == 0, "epoll");
}

void server_relay_open(struct server_relay *r, struct server *s, bool tcp)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);

    *r = (struct server_relay){.server = s, .tcp = tcp};
    r->outer = (struct peer_watch){.fd = -1, .fn = on_outer, .ctx = r};
    r->inner = (struct peer_watch){.fn = on_inner, .ctx = r};
    r->in = malloc(RELAY_STREAM_MAX);
    r->out = malloc(RELAY_STREAM_MAX);
    require(r->in && r->out, "memory");
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->inner.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    require(r->inner.fd >= 0 && bind(r->inner.fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
                getsockname(r->inner.fd, (struct sockaddr *)&a, &len) == 0,
            "socket");
    r->port = ntohs(a.sin_port);
    require(peer_loop_watch(s->loop, &r->inner, EPOLLIN) == 0, "epoll");
    server_relay_reconnect(r);
}

void server_relay_close(struct server_relay *r)
{
    peer_loop_unwatch(r->server->loop, &r->inner);
    close(r->inner.fd);
    if (r->outer.fd >= 0) {
        peer_loop_unwatch(r->server->loop, &r->outer);
        close(r->outer.fd);
    }
    free(r->in);
    free(r->out);
}

/* The answer with the relay's port in every candidate. */
static char *redirect(const struct server_relay *r, const char *answer)
{
    char from[32], to[32];
    size_t cap = strlen(answer) + 1024, at = 0;
    char *out = calloc(1, cap);

    snprintf(from, sizeof(from), " %u typ ", r->server->media_port);
    snprintf(to, sizeof(to), " %u typ ", r->port);
    for (const char *p = answer, *hit; out && *p; p = hit) {
        hit = strstr(p, from);
        size_t n = hit ? (size_t)(hit - p) : strlen(p);
        if (at + n + sizeof(to) >= cap) {
            break;
        }
        memcpy(out + at, p, n);
        at += n;
        if (!hit) {
            break;
        }
        memcpy(out + at, to, strlen(to));
        at += strlen(to);
        hit += strlen(from);
    }
    return out;
}

struct peer *server_relay_peer(struct server_relay *r, const char *stream,
                               const struct peer_params *m)
{
    struct server *s = r->server;
    struct peer_params prm = *m;
    struct server_reply reply;
    char path[200], url[256];

    snprintf(path, sizeof(path), "/%s/%s", m->role == PEER_PUBLISH ? "whip" : "whep", stream);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", s->http_port, path);
    prm.url = url;
    struct peer *p = peer_new(s->loop, s->identity, &prm);
    require(p, "peer");
    const char *offer = peer_offer(p);
    int status = server_http(s, false, "POST", path, "application/sdp", offer, &reply);
    if (status != 201) {
        peer_fail(p, "POST through the relay: status %d", status);
        free(reply.body);
        return p;
    }
    (void)peer_http_join_url(url, reply.location, p->location, sizeof(p->location));
    char *answer = redirect(r, reply.body);
    (void)peer_set_answer(p, answer, strlen(answer));
    free(answer);
    free(reply.body);
    return p;
}
