/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - an HTTP/1.1 client that can be as odd as a check needs: any header, chunked bodies,
 * Expect, slow bodies. http:// and https:// (the certificate is not judged: it is the server's
 * protocol that is under test, often with a self-signed one). */
#include "tests/conformance/suite.h"
#include "tests/peer/peer_http_text.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RETRIES         5
#define RETRY_AFTER_MAX 5
#define RESPONSE_MAX    (4U << 20)
#define EXPECT_WAIT_MS  1000

struct wire {
    struct suite *suite;
    struct peer_watch watch;
    bool woken;
    SSL_CTX *ctx;
    SSL *ssl;
    int64_t end_us;
};

/* ---- bytes ---- */

static void on_ready(void *ctx, uint32_t events)
{
    (void)events;
    ((struct wire *)ctx)->woken = true;
}

static bool is_woken(void *ctx)
{
    return ((struct wire *)ctx)->woken;
}

/* Waits for the socket. Returns 0 or -ETIMEDOUT. */
static int await(struct wire *w, uint32_t events)
{
    int64_t left_us = w->end_us - suite_now_us();

    w->woken = false;
    (void)peer_loop_watch(w->suite->loop, &w->watch, events);
    bool ok = left_us > 0 && suite_until_ms(w->suite, (unsigned)(left_us / 1000 + 1), is_woken, w);
    peer_loop_unwatch(w->suite->loop, &w->watch);
    return ok ? 0 : -ETIMEDOUT;
}

/* One attempt: bytes, 0 at the end, -EAGAIN with the event to wait for, or another -errno. */
static ssize_t attempt(struct wire *w, bool out, void *buf, size_t len, uint32_t *ret_wait)
{
    *ret_wait = out ? EPOLLOUT : EPOLLIN;
    if (w->ssl) {
        int n = out ? SSL_write(w->ssl, buf, (int)len) : SSL_read(w->ssl, buf, (int)len);
        int e = SSL_get_error(w->ssl, n);
        if (n > 0) {
            return n;
        }
        *ret_wait = e == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN;
        return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? -EAGAIN
               : e == SSL_ERROR_ZERO_RETURN                          ? 0
                                                                     : -ECONNRESET;
    }
    ssize_t n = out ? send(w->watch.fd, buf, len, MSG_NOSIGNAL) : recv(w->watch.fd, buf, len, 0);
    return n < 0 ? -errno : n;
}

static int put(struct wire *w, const char *buf, size_t len)
{
    uint32_t events;

    while (len) {
        ssize_t n = attempt(w, true, (char *)(uintptr_t)buf, len, &events);
        int r = n == -EAGAIN ? await(w, events) : n < 0 ? (int)n : 0;
        if (r < 0) {
            return r;
        }
        buf += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int start_tls(struct wire *w, const struct peer_http_url *t)
{
    w->ctx = SSL_CTX_new(TLS_client_method());
    w->ssl = w->ctx ? SSL_new(w->ctx) : NULL;
    if (!w->ssl || !SSL_set_fd(w->ssl, w->watch.fd)) {
        return -ENOMEM;
    }
    if (!t->v6) {
        (void)SSL_set_tlsext_host_name(w->ssl, t->host);
    }
    for (;;) {
        int n = SSL_connect(w->ssl);
        int e = SSL_get_error(w->ssl, n);
        if (n == 1) {
            return 0;
        }
        if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
            return -EPROTO;
        }
        int r = await(w, e == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT);
        if (r < 0) {
            return r;
        }
    }
}

static int open_wire(struct wire *w, const struct peer_http_url *t)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;

    if (getaddrinfo(t->host, t->port, &hints, &found) || !found) {
        return -EHOSTUNREACH;
    }
    w->watch.fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r = w->watch.fd < 0 ? -errno : 0;
    if (r == 0 && connect(w->watch.fd, found->ai_addr, found->ai_addrlen)) {
        r = -errno;
    }
    freeaddrinfo(found);
    if (r == -EINPROGRESS) {
        int e = 0;
        socklen_t len = sizeof(e);
        r = await(w, EPOLLOUT);
        if (r == 0) {
            (void)getsockopt(w->watch.fd, SOL_SOCKET, SO_ERROR, &e, &len);
            r = -e;
        }
    }
    return r < 0 || !t->tls ? r : start_tls(w, t);
}

static void close_wire(struct wire *w)
{
    SSL_free(w->ssl);
    SSL_CTX_free(w->ctx);
    if (w->watch.fd >= 0) {
        close(w->watch.fd);
    }
}

/* ---- request ---- */

static const char *usual_token(const struct suite *s, const char *url)
{
    size_t n = strlen(s->o.whep);

    return !strncmp(url, s->o.whep, n) && s->o.whep_token ? s->o.whep_token : s->o.token;
}

static char *write_head(struct suite *s, const struct request *rq, const struct peer_http_url *t,
                        size_t len)
{
    const char *token = rq->token ? rq->token : usual_token(s, rq->url);
    const char *auth = rq->auth            ? rq->auth
                       : token && token[0] ? suite_keep(s, "Bearer %s", token)
                                           : NULL;
    bool has_body = rq->body || !strcmp(rq->method, "POST") || !strcmp(rq->method, "PATCH");
    const char *body = rq->chunked ? "Transfer-Encoding: chunked\r\n"
                       : has_body  ? suite_keep(s, "Content-Length: %zu\r\n", len)
                                   : "";

    return suite_keep(s,
                      "%s %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nConnection: close\r\n"
                      "User-Agent: conformance/1\r\nAccept: */*\r\n%s%s%s%s%s%s%s%s%s\r\n",
                      rq->method, t->path, t->v6 ? "[" : "", t->host, t->v6 ? "]" : "", t->port,
                      auth ? "Authorization: " : "", auth ? auth : "", auth ? "\r\n" : "",
                      rq->type ? "Content-Type: " : "", rq->type ? rq->type : "",
                      rq->type ? "\r\n" : "", rq->expects ? "Expect: 100-continue\r\n" : "",
                      rq->headers ? rq->headers : "", body);
}

/* In chunks of odd sizes. */
static int put_chunks(struct wire *w, const char *body, size_t len)
{
    char size[24];
    int r = 0;

    for (size_t at = 0, n; at < len && r == 0; at += n) {
        n = len - at < 509 ? len - at : 509;
        snprintf(size, sizeof(size), "%zx\r\n", n);
        r = put(w, size, strlen(size));
        r = r < 0 ? r : put(w, body + at, n);
        r = r < 0 ? r : put(w, "\r\n", 2);
    }
    return r < 0 ? r : put(w, "0\r\n\r\n", 5);
}

/* ---- reply ---- */

static void keep_reply(struct reply *r, const char *head, size_t head_len, const char *body,
                       size_t len)
{
    r->head = strndup(head, head_len);
    r->len = len;
    r->body = calloc(1, len + 1);
    memcpy(r->body, body, len);
}

/* Cuts what has come into head and body. Returns 1 when whole, 0 when not, -EBADMSG. */
static int cut(struct reply *r, char *in, size_t len, bool head_only, bool eof)
{
    struct peer_http_text t;
    int whole = peer_http_text_read(in, len, head_only, eof, &t);

    if (whole == 1) {
        r->status = t.status;
        keep_reply(r, in, t.head_len, t.body, t.body_len);
    }
    return whole;
}

/* Reads one response. stop_at_100: an interim response ends the reading (1). */
static int read_reply(struct wire *w, struct reply *r, bool head_only, bool stop_at_100)
{
    size_t cap = 65536, len = 0;
    char *in = malloc(cap + 1);
    int done = 0;
    uint32_t events;

    while (in && done == 0) {
        if (len == cap) {
            char *more = cap < RESPONSE_MAX ? realloc(in, cap * 2 + 1) : NULL;
            if (!more) {
                done = -EMSGSIZE;
                break;
            }
            in = more;
            cap *= 2;
        }
        ssize_t n = attempt(w, false, in + len, cap - len, &events);
        if (n == -EAGAIN) {
            done = await(w, events);
            continue;
        }
        len += n > 0 ? (size_t)n : 0;
        in[len] = '\0';
        char *end = memmem(in, len, "\r\n\r\n", 4);
        if (end && !strncmp(in, "HTTP/1.1 100", 12)) {
            r->continued = true;
            len -= (size_t)(end + 4 - in);
            memmove(in, end + 4, len + 1);
            if (stop_at_100) {
                done = 1;
                break;
            }
        }
        done = n < 0 && !len ? (int)n : cut(r, in, len, head_only, n <= 0);
    }
    char *end = in && done == -ETIMEDOUT && !r->body ? memmem(in, len, "\r\n\r\n", 4) : NULL;
    if (end && sscanf(in, "HTTP/1.%*1[01] %d", &r->status) == 1) {
        /* a stream that never ends: what came of it */
        keep_reply(r, in, (size_t)(end + 2 - in), end + 4, len - (size_t)(end + 4 - in));
    }
    free(in);
    return in ? done : -ENOMEM;
}

static int exchange(struct suite *s, struct wire *w, const struct request *rq, struct reply *r)
{
    struct peer_http_url t;
    size_t len = rq->len ? rq->len : rq->body ? strlen(rq->body) : 0;
    int e = peer_http_url_read(rq->url, &t);

    e = e < 0 ? e : open_wire(w, &t);
    if (e < 0) {
        return e;
    }
    const char *head = write_head(s, rq, &t, len);
    bool head_only = !strcmp(rq->method, "HEAD");
    e = put(w, head, strlen(head));
    if (e == 0 && rq->expects) {
        int64_t end_us = w->end_us;
        w->end_us = suite_now_us() + EXPECT_WAIT_MS * 1000;
        e = read_reply(w, r, head_only, true);
        w->end_us = end_us;
        if (e != -ETIMEDOUT && (e < 0 || r->status)) {
            return e; /* refused at once */
        }
        e = 0;
    }
    if (rq->slow_ms) {
        suite_wait(s, rq->slow_ms);
    }
    if (e == 0) {
        /* a server may answer and close before it has read a body that it does not want */
        (void)(rq->chunked ? put_chunks(w, rq->body, len) : put(w, rq->body, len));
        e = read_reply(w, r, head_only, false);
    }
    return e;
}

static struct reply *once(struct suite *s, const struct request *rq)
{
    struct wire w = {.suite = s, .watch = {.fd = -1, .fn = on_ready, .ctx = &w}};
    struct reply *r = calloc(1, sizeof(*r));

    if (!r) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    w.end_us = suite_now_us() + (int64_t)(s->o.patience_ms + rq->slow_ms) * 1000;
    r->suite = s;
    r->next = s->replies;
    s->replies = r;
    int e = exchange(s, &w, rq, r);
    close_wire(&w);
    r->head = r->head ? r->head : strdup("");
    r->body = r->body ? r->body : strdup("");
    if (e < 0) {
        r->error = e;
        r->status = 0;
    }
    return r;
}

const struct reply *suite_ask(struct suite *s, const struct request *rq)
{
    struct reply *r = once(s, rq);

    for (int i = 0; !rq->once && (r->status == 429 || r->status == 503) && i < RETRIES; i++) {
        long wait_s = strtol(reply_get(r, "Retry-After"), NULL, 10);
        if (wait_s < 1 || wait_s > RETRY_AFTER_MAX) {
            break;
        }
        suite_wait(s, (unsigned)wait_s * 1000);
        r = once(s, rq);
    }
    return r;
}

/* ---- reading replies ---- */

const char *reply_nth(const struct reply *r, const char *name, unsigned n)
{
    size_t len = 0;
    const char *value = peer_http_text_header(r->head, name, n, &len);

    return value ? suite_keep(r->suite, "%.*s", (int)len, value) : NULL;
}

const char *reply_get(const struct reply *r, const char *name)
{
    const char *v = reply_nth(r, name, 0);

    return v ? v : "";
}

const char *reply_brief(const struct reply *r)
{
    return r->error
               ? suite_keep(r->suite, "no response: %s", strerror(-r->error))
               : suite_keep(r->suite, "status %d%s%.160s", r->status, r->len ? " " : "", r->body);
}

bool list_has(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; *p;) {
        p += strspn(p, " \t,");
        size_t len = strcspn(p, ",");
        size_t trimmed = len;
        while (trimmed && isspace((unsigned char)p[trimmed - 1])) {
            trimmed--;
        }
        if (trimmed == n && !strncasecmp(p, word, n)) {
            return true;
        }
        p += len;
    }
    return false;
}
