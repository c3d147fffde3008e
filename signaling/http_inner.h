/* SPDX-License-Identifier: Apache-2.0 */
/* http_inner.h - what http.c, http_request.c and http_stream.c share: the server and one request of
 * it. The only header that shows libmicrohttpd. Private to them. Role MAIN. */
#ifndef SIGNALING_HTTP_INNER_H
#define SIGNALING_HTTP_INNER_H

#include <microhttpd.h>
#include <uv.h>

#include "signaling/http.h"
#include "signaling/http_conn.h"

struct http_stream;

#define HTTP_ANSWER_HEADERS 40

struct http_server {
    struct http_params params;
    struct MHD_Daemon *daemon;
    struct http_conns conns;
    uv_poll_t poll;
    uv_timer_t timer; /* the library's timeouts */
    uv_timer_t sweep;
    int open_handles;
    uint16_t port;
    uint64_t refused;
    bool stopping;
};

struct http_answer_header {
    const char *name; /* fixed string */
    char *value;
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *mc;
    struct http_conn *conn;
    const struct http_route *route;
    enum http_method method;
    char *path;
    struct addr client;
    bool proxied;
    bool begun;      /* headers were looked at */
    bool refused;    /* while reading headers or body: the body is thrown away */
    bool dispatched; /* the handler has it or had it */
    bool suspended;
    bool closing; /* the connection ends with this answer */
    int64_t begun_us;
    char *body;
    size_t body_len;
    size_t body_cap;
    /* the answer */
    struct MHD_Response *response;
    int status;
    bool failed; /* no memory for an answer */
    const char *problem;
    struct http_answer_header headers[HTTP_ANSWER_HEADERS];
    int n_headers;
    void (*on_lost)(uint64_t id, void *ctx);
    uint64_t lost_id;
    struct http_stream *stream; /* the answer goes on and on; owned, NULL for others */
};

/* Takes a suspended connection up again. */
void http_resume(struct http_request *rq);
/* Answers with a response made elsewhere: the last step of every http_answer. */
void http_answer_response(struct http_request *rq, int status, const char *type,
                          struct MHD_Response *response);

#endif
