/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.h - HTTP requests that Sluice itself makes: key sets, webhooks, authorisation hooks.
 * libcurl's multi interface on MAIN's loop: nothing here waits. Only URLs of the settings are
 * asked; redirects are not followed, proxies, .netrc and cookies of the environment not used; the
 * answer is bounded in size and time. Role MAIN. */
#ifndef SIGNALING_FETCH_H
#define SIGNALING_FETCH_H

#include "rtp/base.h"

struct fetch;
struct fetch_pool;
struct uv_loop_s;

#define FETCH_HEADERS_MAX 8

/* What came of a request. Valid during the call. */
struct fetch_result {
    int status;       /* HTTP; 0: no whole answer came */
    const char *why;  /* with status 0: fixed words: "timeout", "connect", "resolve", "tls",
                         "too-large", "stopped", "error" */
    const char *body; /* terminated */
    size_t len;
};
typedef void(fetch_done_fn)(const struct fetch_result *res, void *ctx);

struct fetch_params {
    const char *url;
    const char *body; /* POST of body_len bytes, copied; NULL: GET */
    size_t body_len;
    const char *headers[FETCH_HEADERS_MAX]; /* "Name: value"; NULL ends the list */
    int timeout_ms;                         /* of all of it */
    size_t answer_max;                      /* bytes of the answer's body */
    bool http_ok;                           /* http:// too, else only on loopback */
    fetch_done_fn *fn;
    void *ctx;
};

/* NULL when out of memory. */
struct fetch_pool *fetch_pool_new(struct uv_loop_s *loop);
/* Ends what is under way with "stopped"; memory goes once the loop has run on. Accepts NULL. */
void fetch_pool_free(struct fetch_pool *p);

/* Starts a request. fn is called exactly once, never from within. Returns 0, -EINVAL (URL),
 * -ENOMEM. ret (may be NULL) names the request for fetch_cancel until fn is called. */
int fetch_start(struct fetch_pool *p, const struct fetch_params *params,
                struct fetch **ret) MUST_CHECK;
/* Ends a request without calling fn. Accepts NULL. */
void fetch_cancel(struct fetch *f);
/* True for https://, and for http:// on 127.0.0.0/8, [::1] and localhost. */
bool fetch_is_safe(const char *url);

#endif
