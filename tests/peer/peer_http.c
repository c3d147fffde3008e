/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_http.h"
#include "tests/peer/peer_bytes.h"
#include "tests/peer/peer_http_text.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RESPONSE_MAX (2048 * 1024)

struct peer_http {
    struct peer_loop *loop;
    struct peer_watch watch;
    struct peer_timer timer;
    peer_http_fn *fn;
    void *ctx;
    char *out;
    size_t out_len, out_at;
    char *in;
    size_t in_len, in_cap;
    bool head_request;
};

int peer_http_resolve(const char *url, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct peer_http_url u;

    if (peer_http_url_read(url, &u) < 0 || u.tls) {
        return -EINVAL;
    }
    if (getaddrinfo(u.host, u.port, &hints, &found) || !found) {
        return -EHOSTUNREACH;
    }
    memcpy(ret, found->ai_addr, found->ai_addrlen);
    *ret_len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int peer_http_join_url(const char *base, const char *location, char *out, size_t cap)
{
    int n;

    if (!strncmp(location, "http", 4)) {
        n = snprintf(out, cap, "%s", location);
    } else if (location[0] == '/' && !strncmp(base, "http://", 7)) {
        size_t origin = 7 + strcspn(base + 7, "/");
        n = snprintf(out, cap, "%.*s%s", (int)origin, base, location);
    } else {
        return -EINVAL;
    }
    return n > 0 && (size_t)n < cap ? 0 : -EINVAL;
}

static void http_free(struct peer_http *h)
{
    peer_loop_disarm(h->loop, &h->timer);
    if (h->watch.fd >= 0) {
        peer_loop_unwatch(h->loop, &h->watch);
        close(h->watch.fd);
    }
    free(h->out);
    free(h->in);
    free(h);
}

void peer_http_cancel(struct peer_http *h)
{
    if (h) {
        http_free(h);
    }
}

static void finish(struct peer_http *h, struct peer_http_response *r)
{
    peer_http_fn *fn = h->fn;
    void *ctx = h->ctx;
    char *in = h->in;

    h->in = NULL; /* the response points into it */
    http_free(h);
    fn(ctx, r);
    free(in);
}

static void fail(struct peer_http *h, int error)
{
    struct peer_http_response r = {.error = error, .head = "", .body = "", .retry_after_s = -1};

    finish(h, &r);
}

/* The value of a header, "" if absent. */
static void header(const char *head, const char *name, char *out, size_t cap)
{
    size_t n = 0;
    const char *value = peer_http_text_header(head, name, 0, &n);

    snprintf(out, cap, "%.*s", (int)n, value ? value : "");
}

/* Whether what has come is all there will be: then fn has been called and h is gone. eof: nothing
 * more will come. */
static bool try_finish(struct peer_http *h, bool eof)
{
    struct peer_http_text t;
    struct peer_http_response r = {.retry_after_s = -1};
    char value[32];

    h->in[h->in_len] = '\0';
    if (peer_http_text_read(h->in, h->in_len, h->head_request, eof, &t) != 1) {
        return false;
    }
    h->in[t.head_len] = '\0';
    t.body[t.body_len] = '\0';
    header(h->in, "Location", r.location, sizeof(r.location));
    header(h->in, "ETag", r.etag, sizeof(r.etag));
    header(h->in, "Content-Type", r.content_type, sizeof(r.content_type));
    header(h->in, "Link", r.link, sizeof(r.link));
    header(h->in, "Retry-After", value, sizeof(value));
    r.retry_after_s = value[0] ? atoi(value) : -1;
    r.status = t.status;
    r.head = h->in;
    r.body = t.body;
    r.body_len = t.body_len;
    finish(h, &r);
    return true;
}

static void on_readable(struct peer_http *h)
{
    for (;;) {
        if (h->in_len + 1 >= h->in_cap) {
            size_t cap = h->in_cap ? h->in_cap * 2 : 16384;
            char *in = cap <= RESPONSE_MAX ? realloc(h->in, cap) : NULL;
            if (!in) {
                fail(h, -EMSGSIZE);
                return;
            }
            h->in = in;
            h->in_cap = cap;
        }
        ssize_t n = read(h->watch.fd, h->in + h->in_len, h->in_cap - h->in_len - 1);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n < 0) {
            fail(h, -errno);
            return;
        }
        h->in_len += (size_t)n;
        if (try_finish(h, n == 0)) {
            return;
        }
        if (n == 0) {
            fail(h, -ECONNRESET);
            return;
        }
    }
}

static void on_ready(void *ctx, uint32_t events)
{
    struct peer_http *h = ctx;

    if (h->out_at < h->out_len && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        ssize_t n = send(h->watch.fd, h->out + h->out_at, h->out_len - h->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            fail(h, -errno);
            return;
        }
        h->out_at += n > 0 ? (size_t)n : 0;
        if (h->out_at == h->out_len) {
            (void)peer_loop_watch(h->loop, &h->watch, EPOLLIN);
        }
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        on_readable(h);
    }
}

static void on_timeout(void *ctx)
{
    fail(ctx, -ETIMEDOUT);
}

static int write_request(struct peer_http *h, const struct peer_http_request *rq)
{
    struct peer_http_url u;

    if (peer_http_url_read(rq->url, &u) < 0) {
        return -EINVAL;
    }
    size_t cap = 2048 + strlen(u.path) + rq->body_len + (rq->token ? strlen(rq->token) : 0) +
                 (rq->agent ? strlen(rq->agent) : 0) + (rq->headers ? strlen(rq->headers) : 0);
    h->out = malloc(cap);
    if (!h->out) {
        return -ENOMEM;
    }
    struct peer_text t = {.buf = h->out, .cap = cap};
    peer_text_add(&t, "%s %s HTTP/1.1\r\n", rq->method, u.path);
    peer_text_add(&t, u.v6 ? "Host: [%s]:%s\r\n" : "Host: %s:%s\r\n", u.host, u.port);
    peer_text_add(&t, "Connection: close\r\nUser-Agent: %s\r\n", rq->agent ? rq->agent : "peer/1");
    if (rq->token) {
        peer_text_add(&t, "Authorization: Bearer %s\r\n", rq->token);
    }
    if (rq->content_type) {
        peer_text_add(&t, "Content-Type: %s\r\n", rq->content_type);
    }
    if (rq->if_match) {
        peer_text_add(&t, "If-Match: %s\r\n", rq->if_match);
    }
    if (rq->headers) {
        peer_text_add(&t, "%s", rq->headers);
    }
    if (rq->body_len || !strcmp(rq->method, "POST") || !strcmp(rq->method, "PATCH")) {
        peer_text_add(&t, "Content-Length: %zu\r\n", rq->body_len);
    }
    peer_text_add(&t, "\r\n");
    if (t.over || cap - t.len < rq->body_len) {
        return -EMSGSIZE;
    }
    if (rq->body_len) {
        memcpy(h->out + t.len, rq->body, rq->body_len);
    }
    h->out_len = t.len + rq->body_len;
    return 0;
}

struct peer_http *peer_http_start(struct peer_loop *l, const struct peer_http_request *rq,
                                  int64_t timeout_us, peer_http_fn *fn, void *ctx)
{
    struct sockaddr_storage to;
    socklen_t to_len = 0;
    struct peer_http *h = calloc(1, sizeof(*h));

    if (!h) {
        return NULL;
    }
    h->loop = l;
    h->fn = fn;
    h->ctx = ctx;
    h->head_request = !strcmp(rq->method, "HEAD");
    h->watch = (struct peer_watch){.fd = -1, .fn = on_ready, .ctx = h};
    h->timer = (struct peer_timer){.fn = on_timeout, .ctx = h};
    int r = peer_http_resolve(rq->url, &to, &to_len);
    r = r < 0 ? r : write_request(h, rq);
    if (r == 0) {
        h->watch.fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        r = h->watch.fd < 0 ? -errno : 0;
    }
    if (r == 0 && connect(h->watch.fd, (struct sockaddr *)&to, to_len) && errno != EINPROGRESS) {
        r = -errno;
    }
    r = r < 0 ? r : peer_loop_watch(l, &h->watch, EPOLLIN | EPOLLOUT);
    r = r < 0 ? r : peer_loop_arm(l, &h->timer, peer_loop_now_us(l) + timeout_us);
    if (r < 0) {
        http_free(h);
        errno = -r;
        return NULL;
    }
    return h;
}
