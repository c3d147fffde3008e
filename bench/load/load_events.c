/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/load_events.h"
#include "tests/peer/peer_http.h"
#include "tests/peer/peer_http_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static const char sought[] = "event: participants\n";

static void count(struct load_events *e, const char *text, size_t len)
{
    e->bytes += len;
    for (size_t i = 0; i < len; i++) {
        e->matched = text[i] == sought[e->matched] ? e->matched + 1 : text[i] == sought[0];
        if (!sought[e->matched]) {
            e->participants++;
            e->matched = 0;
        }
    }
}

static void on_ready(void *ctx, uint32_t events)
{
    struct load_events *e = ctx;
    char text[4096];
    ssize_t n;

    (void)events;
    while ((n = recv(e->watch.fd, text, sizeof(text), MSG_DONTWAIT)) > 0) {
        count(e, text, (size_t)n);
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        load_events_close(e);
    }
}

/* The request, short enough for any socket's buffer. */
static int ask(int fd, const struct peer_http_url *u)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "GET %s/sse HTTP/1.1\r\nHost: %s:%s\r\nAccept: text/event-stream\r\n\r\n",
                     u->path, u->host, u->port);

    if (n < 0 || (size_t)n >= sizeof(text)) {
        return -EMSGSIZE;
    }
    return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -EIO;
}

int load_events_open(struct load_events *e, struct peer_loop *loop, const char *session)
{
    struct sockaddr_storage to;
    struct peer_http_url u;
    socklen_t to_len = 0;
    int r = peer_http_resolve(session, &to, &to_len);

    if (r < 0 || (r = peer_http_url_read(session, &u)) < 0) {
        return r;
    }
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r = fd < 0 || connect(fd, (struct sockaddr *)&to, to_len) ? -errno : ask(fd, &u);
    e->loop = loop;
    e->watch = (struct peer_watch){.fd = fd, .fn = on_ready, .ctx = e};
    r = r < 0 ? r : peer_loop_watch(loop, &e->watch, EPOLLIN);
    if (r < 0 && fd >= 0) {
        close(fd);
        e->loop = NULL;
    }
    return r;
}

void load_events_close(struct load_events *e)
{
    if (e->loop) {
        peer_loop_unwatch(e->loop, &e->watch);
        close(e->watch.fd);
        e->loop = NULL;
    }
}
