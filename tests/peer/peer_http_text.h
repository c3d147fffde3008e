/* SPDX-License-Identifier: Apache-2.0 */
/* peer_http_text.h - URLs and HTTP/1.1 responses as text, for every HTTP client of the tests. */
#ifndef TESTS_PEER_PEER_HTTP_TEXT_H
#define TESTS_PEER_PEER_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* What an http:// or https:// URL names. */
struct peer_http_url {
    char host[256];   /* without brackets */
    char port[8];     /* 80 or 443 when the URL has none */
    const char *path; /* in the URL's text; "/" when it has none */
    bool tls, v6;
};
/* Returns 0 or -EINVAL. */
int peer_http_url_read(const char *url, struct peer_http_url *ret);

/* A response; head and body point into the bytes that it was read from. */
struct peer_http_text {
    int status;
    size_t head_len; /* status line and headers, each with its CRLF */
    char *body;
    size_t body_len;
};
/* Reads the response in in[0..len), which is terminated, and joins its chunks in place. head_only:
 * it answers HEAD; eof: nothing more will come. Returns 1 when it is whole, 0 when not yet, then
 * with nothing changed, -EBADMSG when it never will be. */
int peer_http_text_read(char *in, size_t len, bool head_only, bool eof, struct peer_http_text *ret);
/* The value of the n-th (from 0) header of a name in a terminated head, and its length; NULL when
 * there is none. */
const char *peer_http_text_header(const char *head, const char *name, unsigned n, size_t *ret_len);

#endif
