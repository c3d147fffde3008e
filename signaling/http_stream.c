/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/http_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "signaling/http_inner.h"
#include "signaling/problem.h"

#define BLOCK_BYTES 4096 /* the library asks for pieces of this size */

struct http_stream {
    struct http_request *rq;
    char *queue;
    size_t len; /* bytes that wait, from at on */
    size_t at;
    size_t cap;
    bool sleeping; /* the connection is suspended */
    bool ended;
    http_stream_closed_fn *fn;
    void *ctx;
};

/* The library wants the next piece. */
static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct http_stream *st = cls;
    (void)pos;
    size_t n = MIN(st->len, max);
    if (n > 0) {
        memcpy(buf, st->queue + st->at, n);
        st->at = st->len == n ? 0 : st->at + n;
        st->len -= n;
        return (ssize_t)n;
    }
    if (st->ended) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    st->sleeping = true;
    MHD_suspend_connection(st->rq->mc);
    return 0;
}

struct http_stream *http_stream_begin(struct http_request *rq, const char *type,
                                      http_stream_closed_fn *fn, void *ctx)
{
    struct http_stream *st = calloc(1, sizeof(*st));
    struct MHD_Response *response = NULL;
    if (st != NULL) {
        *st = (struct http_stream){.rq = rq, .fn = fn, .ctx = ctx};
        response =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, st, NULL);
    }
    if (response == NULL) {
        free(st);
        problem_answer_later(rq, 503, "no-memory", "The server is out of memory.", 5);
        return NULL;
    }
    rq->stream = st;
    http_answer_response(rq, 200, type, response);
    return st;
}

static void wake(struct http_stream *st)
{
    if (st->sleeping) {
        st->sleeping = false;
        http_resume(st->rq);
    }
}

int http_stream_write(struct http_stream *st, const char *data, size_t len)
{
    if (st->ended) {
        return -EPIPE;
    }
    if (st->len + len > HTTP_STREAM_QUEUE) {
        return -ENOBUFS;
    }
    if (st->at + st->len + len > st->cap) {
        if (st->at > 0) {
            memmove(st->queue, st->queue + st->at, st->len);
            st->at = 0;
        }
        size_t cap = MAX(st->cap, (size_t)1024);
        while (cap < st->len + len) {
            cap *= 2;
        }
        char *queue = cap > st->cap ? realloc(st->queue, cap) : st->queue;
        if (queue == NULL) {
            return -ENOMEM;
        }
        st->queue = queue;
        st->cap = cap;
    }
    memcpy(st->queue + st->at + st->len, data, len);
    st->len += len;
    wake(st);
    return 0;
}

void http_stream_end(struct http_stream *st)
{
    st->ended = true;
    wake(st);
}

void http_stream_abort(struct http_stream *st)
{
    st->len = 0;
    st->at = 0;
    st->ended = true;
    if (st->rq->conn != NULL) {
        shutdown(st->rq->conn->fd, SHUT_RDWR);
    }
    wake(st);
}

void http_stream_check(struct http_stream *st)
{
    char c;
    if (st->rq->conn != NULL && recv(st->rq->conn->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        http_stream_abort(st);
    }
}

void http_stream_on_closed(struct http_request *rq)
{
    struct http_stream *st = rq->stream;
    if (st != NULL) {
        rq->stream = NULL;
        st->fn(st->ctx);
        free(st->queue);
        free(st);
    }
}
