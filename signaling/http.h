/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - an HTTP/1.1 server on MAIN's loop, over libmicrohttpd, which runs without a thread of
 * its own: its epoll descriptor is watched by uv_poll, its timeout by a timer.
 *
 * A handler is called once the whole request is there. It answers at once, or keeps the request and
 * answers later; until then the connection is suspended. Bodies are bounded per route and refused
 * by their Content-Length before a byte is read; every answer carries Content-Length (204 and
 * streams apart, http_stream.h).
 * Role MAIN throughout. */
#ifndef SIGNALING_HTTP_H
#define SIGNALING_HTTP_H

#include "ice/addr.h"
#include "rtp/base.h"

struct http_request;
struct http_server;
struct proxy_set;
struct tls;
struct uv_loop_s;

#define HTTP_HEADER_BYTES_MAX (16 * 1024) /* of a request's header block; 431 */
#define HTTP_HEADERS_MAX      64          /* 431 */
#define HTTP_URL_MAX          2048        /* 414 */

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER,
};

typedef void(http_handler_fn)(struct http_request *rq, void *ctx);

struct http_route {
    const char *path;
    bool prefix;      /* path is the beginning, else all of it */
    const char *name; /* label of metrics and logs */
    size_t body_max;  /* bytes; 413 above */
    http_handler_fn *fn;
};

/* What one request came to. */
struct http_done {
    const struct http_route *route;
    enum http_method method;
    const char *tail;    /* http_tail */
    int status;          /* 0: the client went away before an answer */
    const char *problem; /* type, or NULL */
    struct addr client;
    int64_t took_us; /* from the request line to the end of the answer */
};

struct http_params {
    struct uv_loop_s *loop;
    const char *listen;              /* "host:port"; port 0 lets the kernel choose */
    const struct tls *tls;           /* NULL: plain HTTP. Must be the one made current (tls.h). */
    int max_connections;             /* beyond it, accepting pauses */
    int max_connections_per_ip;      /* 0: not limited; trusted proxies never are */
    bool for_strangers;              /* when descriptors run short, new connections are closed */
    const struct proxy_set *proxies; /* outlives the server; may be NULL */
    const struct http_route *routes; /* the last one serves what no other does */
    int n_routes;
    bool (*gate)(struct http_request *rq, void *ctx); /* before the handler: answers and returns
                                                         false, or lets pass; or NULL */
    void (*before_answer)(struct http_request *rq, void *ctx); /* may add headers; or NULL */
    void (*on_done)(const struct http_done *done, void *ctx);  /* or NULL */
    void *ctx;
};

/* Binds and serves. Returns 0 or -errno; then *ret_what says in words what failed. */
int http_start(const struct http_params *p, struct http_server **ret,
               const char **ret_what) MUST_CHECK;
/* Answers 503 to what still waits, closes everything; memory goes once the loop has run on. Accepts
 * NULL. */
void http_stop(struct http_server *s);
uint16_t http_port(const struct http_server *s);
/* Open connections. */
unsigned http_connections(const struct http_server *s);
/* Connections closed because of a limit (per address, descriptors) or a deadline, since start. */
uint64_t http_refused_connections(const struct http_server *s);
uint64_t http_timed_out(const struct http_server *s);

/* ---- the request ---- */

enum http_method http_method(const struct http_request *rq);
const char *http_path(const struct http_request *rq); /* as sent: not unescaped, without query */
const char *http_tail(const struct http_request *rq); /* path behind the route's prefix */
/* A header's value, or NULL. Valid until the answer. */
const char *http_header(const struct http_request *rq, const char *name);
/* Takes the escapes (RFC 3986 2.1) out of len bytes of a URL. False if the result does not fit cap
 * with its terminator, an escape is malformed, or there are control characters. */
bool http_unescape(const char *text, size_t len, char *out, size_t cap);
/* The value of a key in the query, not unescaped, or NULL. Valid until the answer. */
const char *http_query(const struct http_request *rq, const char *key);
/* True if the query has this key. */
bool http_has_query(const struct http_request *rq, const char *key);
/* The whole body; never NULL. */
const char *http_body(const struct http_request *rq, size_t *ret_len);
/* True when Content-Type is type, compared without case and parameters (RFC 9110 8.3). */
bool http_is_type(const struct http_request *rq, const char *type);
/* The client, seen through trusted proxies. */
const struct addr *http_client(const struct http_request *rq);
/* True when the connection itself comes from a trusted proxy. */
bool http_is_proxied(const struct http_request *rq);
bool http_is_tls(const struct http_request *rq);
/* The address of ours that the connection came to. Returns 0 or -errno. */
int http_local(const struct http_request *rq, struct addr *ret) MUST_CHECK;
/* Monotonic: when the request line was read. */
int64_t http_begun_us(const struct http_request *rq);

/* ---- the answer ---- */

/* Adds a header; values with control characters are left out (SEC-13). Copied. */
void http_set_header(struct http_request *rq, const char *name, const char *value);
/* Answers, now or later, exactly once; rq is gone afterwards. body is copied; type may be NULL when
 * it is empty. */
void http_answer(struct http_request *rq, int status, const char *type, const char *body,
                 size_t len);
/* The same; body is heap and taken over. NULL: memory ran out, 500. */
void http_answer_take(struct http_request *rq, int status, const char *type, char *body,
                      size_t len);
/* The same; body lives as long as the process. */
void http_answer_static(struct http_request *rq, int status, const char *type, const char *body,
                        size_t len);
/* Remembers the problem type for on_done; a fixed string. */
void http_note_problem(struct http_request *rq, const char *type);
/* Calls fn(id, ctx) if the answer does not reach the client's socket. */
void http_on_lost(struct http_request *rq, void (*fn)(uint64_t id, void *ctx), uint64_t id);

#endif
