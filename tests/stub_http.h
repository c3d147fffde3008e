/* SPDX-License-Identifier: Apache-2.0 */
/* stub_http.h - an HTTP server on the test's own loop for what the product fetches: keeps requests,
 * answers as told, or not at all. One test program includes it once. */
#ifndef TESTS_STUB_HTTP_H
#define TESTS_STUB_HTTP_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "rtp/base.h"

#define STUB_REQUESTS_MAX 256
#define STUB_TEXT_MAX     16384

struct stub_request {
    char text[STUB_TEXT_MAX]; /* head and body */
    size_t len;
    const char *body; /* inside text */
};

static struct stub {
    uv_tcp_t listener;
    uint16_t port;
    int n;
    struct stub_request *requests; /* STUB_REQUESTS_MAX */
    /* what to answer from now on */
    int status;       /* 0: close without an answer; -1: say nothing */
    const char *head; /* further header lines, each with CRLF */
    const char *body;
    int fail_first; /* so many are answered with 503 before */
} stub;

struct stub_conn {
    uv_tcp_t tcp;
    uv_write_t write;
    char text[STUB_TEXT_MAX];
    size_t len;
    char *answer;
};

static inline void stub_conn_closed(uv_handle_t *h)
{
    struct stub_conn *c = h->data;
    free(c->answer);
    free(c);
}

static inline void stub_close(struct stub_conn *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
        uv_close((uv_handle_t *)&c->tcp, stub_conn_closed);
    }
}

static inline void stub_written(uv_write_t *w, int status)
{
    struct stub_conn *c = w->data;
    free(c->answer);
    c->answer = NULL;
    if (status < 0) {
        stub_close(c);
    }
}

static inline void stub_answer(struct stub_conn *c)
{
    int status = stub.fail_first > 0 ? 503 : stub.status;
    const char *body = stub.body != NULL ? stub.body : "";
    if (stub.fail_first > 0) {
        stub.fail_first--;
    }
    if (status <= 0) {
        if (status == 0) {
            stub_close(c);
        }
        return;
    }
    size_t cap = strlen(body) + 1024;
    c->answer = malloc(cap);
    int n = snprintf(c->answer, cap, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status,
                     strlen(body), stub.head != NULL ? stub.head : "", body);
    uv_buf_t buf = uv_buf_init(c->answer, (unsigned)n);
    c->write.data = c;
    uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, stub_written);
}

static inline void stub_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf)
{
    struct stub_conn *c = h->data;
    (void)size;
    *buf = uv_buf_init(c->text + c->len, (unsigned)(sizeof(c->text) - 1 - c->len));
}

static inline void stub_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct stub_conn *c = s->data;
    (void)buf;
    if (n < 0) {
        stub_close(c);
        return;
    }
    c->len += (size_t)n;
    c->text[c->len] = '\0';
    const char *end = strstr(c->text, "\r\n\r\n");
    const char *length = strcasestr(c->text, "\r\nContent-Length:");
    size_t body = end != NULL && length != NULL && length < end ? (size_t)atoi(length + 17) : 0;
    if (end == NULL || c->len < (size_t)(end + 4 - c->text) + body) {
        return;
    }
    cr_assert_lt(stub.n, STUB_REQUESTS_MAX);
    struct stub_request *r = &stub.requests[stub.n++];
    memcpy(r->text, c->text, c->len + 1);
    r->len = c->len;
    r->body = r->text + (end + 4 - c->text);
    c->len = 0;
    stub_answer(c);
}

static inline void stub_on_connection(uv_stream_t *s, int status)
{
    struct stub_conn *c = calloc(1, sizeof(*c));
    cr_assert_eq(status, 0);
    uv_tcp_init(s->loop, &c->tcp);
    c->tcp.data = c;
    cr_assert_eq(uv_accept(s, (uv_stream_t *)&c->tcp), 0);
    uv_read_start((uv_stream_t *)&c->tcp, stub_alloc, stub_read);
}

static inline void stub_start(uv_loop_t *loop)
{
    struct sockaddr_in at;
    struct sockaddr_storage got;
    int len = sizeof(got);
    memset(&stub, 0, sizeof(stub));
    stub.requests = calloc(STUB_REQUESTS_MAX, sizeof(*stub.requests));
    stub.status = 200;
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_init(loop, &stub.listener);
    cr_assert_eq(uv_tcp_bind(&stub.listener, (struct sockaddr *)&at, 0), 0);
    cr_assert_eq(uv_listen((uv_stream_t *)&stub.listener, 64, stub_on_connection), 0);
    uv_tcp_getsockname(&stub.listener, (struct sockaddr *)&got, &len);
    stub.port = ntohs(((struct sockaddr_in *)(void *)&got)->sin_port);
}

/* Stops to listen; connections end with their clients. */
static inline void stub_stop(void)
{
    uv_close((uv_handle_t *)&stub.listener, NULL);
}

static inline void stub_free(void)
{
    free(stub.requests);
    stub.requests = NULL;
}

/* "http://127.0.0.1:PORT" and path. A few can be held at once. */
static inline const char *stub_url(const char *path)
{
    static char ring[4][128];
    static int next;
    char *out = ring[next++ % 4];
    snprintf(out, 128, "http://127.0.0.1:%u%s", stub.port, path);
    return out;
}

/* A header's value of a request; "" if it is not there. */
static inline const char *stub_header(const struct stub_request *r, const char *name)
{
    static char value[1024];
    char key[128];
    snprintf(key, sizeof(key), "\r\n%s: ", name);
    const char *at = strcasestr(r->text, key);
    value[0] = '\0';
    if (at != NULL && at < r->body) {
        at += strlen(key);
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    }
    return value;
}

#endif
