/* SPDX-License-Identifier: Apache-2.0 */
/* peer_http.h - an HTTP/1.1 client of one request per connection on a peer_loop. http:// only. */
#ifndef TESTS_PEER_PEER_HTTP_H
#define TESTS_PEER_PEER_HTTP_H

#include "tests/peer/peer_loop.h"

struct peer_http_request {
    const char *method;
    const char *url;          /* absolute */
    const char *token;        /* NULL = no Authorization */
    const char *agent;        /* NULL = "peer/1" */
    const char *content_type; /* NULL = none */
    const char *if_match;     /* NULL = none */
    const char *headers;      /* more, each ending in CRLF; NULL = none */
    const char *body;
    size_t body_len;
};

struct peer_http_response {
    int error;  /* -errno when no response came; else 0 */
    int status; /* 0 on error */
    char location[512];
    char etag[160];
    char content_type[96];
    char link[512];
    int retry_after_s; /* -1 = absent */
    const char *head;  /* status line and headers, terminated */
    const char *body;  /* terminated; chunks already joined */
    size_t body_len;
};

typedef void(peer_http_fn)(void *ctx, const struct peer_http_response *r);

struct peer_http;

/* Starts a request; fn is called once, from the loop, and the request is gone afterwards. Returns
 * NULL (with errno) when it cannot even begin. */
struct peer_http *peer_http_start(struct peer_loop *l, const struct peer_http_request *rq,
                                  int64_t timeout_us, peer_http_fn *fn, void *ctx);
/* Ends it without calling fn; accepts NULL. */
void peer_http_cancel(struct peer_http *h);

/* Address that http://host:port/ leads to. Returns 0 or -EINVAL, -EHOSTUNREACH. Blocks for names
 * that need a resolver. */
int peer_http_resolve(const char *url, struct sockaddr_storage *ret, socklen_t *ret_len);
/* Joins a Location (absolute URL or absolute path) with the URL that answered. Returns 0 or
 * -EINVAL. */
int peer_http_join_url(const char *base, const char *location, char *out, size_t cap);

#endif
