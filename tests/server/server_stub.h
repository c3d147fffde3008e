/* SPDX-License-Identifier: Apache-2.0 */
/* server_stub.h - an HTTP server on the test's own loop for what the built server fetches and calls
 * (key sets, the authorisation hook, webhooks): keeps the requests, and answers as told, or not at
 * all. */
#ifndef TESTS_SERVER_SERVER_STUB_H
#define TESTS_SERVER_SERVER_STUB_H

#include "tests/peer/peer_loop.h"

#define STUB_CONNS    16
#define STUB_PAGES    4
#define STUB_TEXT_MAX 16384

struct stub_request {
    struct stub_request *next; /* in the order of arrival */
    const char *page;
    const char *body; /* inside text, terminated */
    int64_t at_ms;
    char text[]; /* head and body */
};

/* What one path answers from now on; the test changes it as it likes. */
struct stub_page {
    const char *path;
    int status;       /* 0: says nothing, and waits */
    int fail_first;   /* so many are answered with 503 before */
    const char *head; /* further header lines, each with CRLF; NULL: none */
    const char *body; /* NULL: empty */
    unsigned n;       /* requests so far */
};

struct stub_conn {
    struct stub *stub;
    struct peer_watch watch; /* fd -1: free */
    size_t len;
    char text[STUB_TEXT_MAX];
};

struct stub {
    struct peer_loop *loop;
    struct peer_watch watch;
    uint16_t port;
    struct stub_page pages[STUB_PAGES];
    struct stub_request *first, *last;
    struct stub_conn conns[STUB_CONNS];
};

/* Listens on a free port of 127.0.0.1; the pages are the caller's to fill. Returns 0 or -errno. */
int stub_open(struct stub *st, struct peer_loop *l);
/* Closes everything and forgets the requests. */
void stub_close(struct stub *st);

/* A header's value in a request, "" if it is not there. Valid until the next call. */
const char *stub_header(const struct stub_request *r, const char *name);
/* The hexadecimal HMAC-SHA256 of "SECONDS.BODY", as Sluice-Signature says it; t is taken from
 * there. True if it is right. */
bool stub_signed_by(const struct stub_request *r, const char *secret);

#endif
