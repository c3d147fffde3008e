/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/server_stub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void conn_close(struct stub_conn *c)
{
    if (c->watch.fd >= 0) {
        peer_loop_unwatch(c->stub->loop, &c->watch);
        close(c->watch.fd);
        c->watch.fd = -1;
    }
}

static void answer(struct stub_conn *c, struct stub_page *page)
{
    static char out[32768];
    int status = page == NULL ? 404 : page->fail_first > 0 ? 503 : page->status;
    const char *body = page && page->body && status != 503 ? page->body : "";

    if (page && page->fail_first > 0) {
        page->fail_first--;
    }
    if (status == 0) {
        return;
    }
    int n = snprintf(out, sizeof(out), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status,
                     strlen(body), page && page->head ? page->head : "", body);
    if (n < 0 || n >= (int)sizeof(out) || send(c->watch.fd, out, (size_t)n, MSG_NOSIGNAL) != n) {
        conn_close(c);
    }
}

static void keep(struct stub_conn *c, const char *page, size_t head_len)
{
    struct stub *st = c->stub;
    struct stub_request *r = calloc(1, sizeof(*r) + c->len + 1);

    if (!r) {
        return;
    }
    memcpy(r->text, c->text, c->len);
    r->page = page;
    r->body = r->text + head_len;
    r->at_ms = peer_loop_clock_ns() / 1000000;
    *(st->last ? &st->last->next : &st->first) = r;
    st->last = r;
}

static void on_request(struct stub_conn *c, size_t head_len)
{
    struct stub *st = c->stub;
    struct stub_page *page = NULL;
    char path[256] = "";

    (void)sscanf(c->text, "%*s %255s", path);
    for (unsigned i = 0; i < STUB_PAGES && !page; i++) {
        page = st->pages[i].path && !strcmp(st->pages[i].path, path) ? &st->pages[i] : NULL;
    }
    if (page) {
        page->n++;
        keep(c, page->path, head_len);
    }
    c->len = 0;
    answer(c, page);
}

static void on_conn(void *ctx, uint32_t events)
{
    struct stub_conn *c = ctx;
    (void)events;
    ssize_t n = recv(c->watch.fd, c->text + c->len, sizeof(c->text) - 1 - c->len, MSG_DONTWAIT);

    if (n <= 0) {
        conn_close(c);
        return;
    }
    c->len += (size_t)n;
    c->text[c->len] = '\0';
    const char *end = strstr(c->text, "\r\n\r\n");
    const char *length = strcasestr(c->text, "\r\nContent-Length:");
    size_t body = end && length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    if (end && c->len >= (size_t)(end + 4 - c->text) + body) {
        on_request(c, (size_t)(end + 4 - c->text));
    }
}

static void on_accept(void *ctx, uint32_t events)
{
    struct stub *st = ctx;
    int fd = accept(st->watch.fd, NULL, NULL);

    (void)events;
    for (unsigned i = 0; fd >= 0 && i < STUB_CONNS; i++) {
        struct stub_conn *c = &st->conns[i];
        if (c->watch.fd < 0) {
            c->watch = (struct peer_watch){.fd = fd, .fn = on_conn, .ctx = c};
            c->len = 0;
            (void)peer_loop_watch(st->loop, &c->watch, EPOLLIN);
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

int stub_open(struct stub *st, struct peer_loop *l)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memset(st, 0, sizeof(*st));
    st->loop = l;
    for (unsigned i = 0; i < STUB_CONNS; i++) {
        st->conns[i].stub = st;
        st->conns[i].watch.fd = -1;
    }
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) || listen(fd, STUB_CONNS) ||
        getsockname(fd, (struct sockaddr *)&a, &len)) {
        return -errno;
    }
    st->port = ntohs(a.sin_port);
    st->watch = (struct peer_watch){.fd = fd, .fn = on_accept, .ctx = st};
    return peer_loop_watch(l, &st->watch, EPOLLIN);
}

void stub_close(struct stub *st)
{
    for (unsigned i = 0; i < STUB_CONNS; i++) {
        conn_close(&st->conns[i]);
    }
    peer_loop_unwatch(st->loop, &st->watch);
    close(st->watch.fd);
    for (struct stub_request *r = st->first, *next; r; r = next) {
        next = r->next;
        free(r);
    }
    st->first = st->last = NULL;
}

const char *stub_header(const struct stub_request *r, const char *name)
{
    static char value[1024];
    char key[128];

    snprintf(key, sizeof(key), "\r\n%s: ", name);
    const char *at = strcasestr(r->text, key);
    value[0] = '\0';
    if (at && at < r->body) {
        at += strlen(key);
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    }
    return value;
}

bool stub_signed_by(const struct stub_request *r, const char *secret)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    char want[80] = ",v1=", text[STUB_TEXT_MAX + 32];
    const char *signature = stub_header(r, "Sluice-Signature");
    const char *comma = strchr(signature, ',');

    if (strncmp(signature, "t=", 2) != 0 || !comma) {
        return false;
    }
    int n = snprintf(text, sizeof(text), "%.*s.%s", (int)(comma - signature - 2), signature + 2,
                     r->body);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)text, (size_t)n, mac,
         &mac_len);
    for (unsigned i = 0; i < mac_len; i++) {
        snprintf(want + 4 + 2 * (size_t)i, 3, "%02x", mac[i]);
    }
    return !strcmp(comma, want);
}
