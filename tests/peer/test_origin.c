/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/test_origin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void reply(struct origin_conn *c, const char *status, const char *headers, const char *body)
{
    static char out[65536];
    int n = snprintf(out, sizeof(out), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                     headers, strlen(body), body);

    if (n > 0) {
        (void)send(c->watch.fd, out, (size_t)n, MSG_NOSIGNAL);
    }
}

static void on_post(struct origin_conn *c, const char *path, const char *body)
{
    struct origin *o = c->origin;
    struct peer_params m;

    peer_params_init(&m);
    m.lite = true;
    m.role = strncmp(path, "/whep/", 6) ? PEER_PLAY : PEER_PUBLISH;
    peer_free(o->peer);
    o->peer = peer_new(o->loop, o->identity, &m);
    const char *answer = peer_answer(o->peer, body, strlen(body));
    if (!answer) {
        reply(c, "422 Unprocessable Content", "", "");
    } else if (strstr(path, "no-location")) {
        reply(c, "201 Created", "Content-Type: application/sdp\r\n", answer);
    } else if (strstr(path, "broken")) {
        reply(c, "201 Created", "Content-Type: application/sdp\r\nLocation: /session/1\r\n",
              "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n");
    } else {
        reply(c, "201 Created",
              "Content-Type: application/sdp\r\nLocation: /session/1\r\nETag: \"1\"\r\n", answer);
    }
}

static void on_patch(struct origin_conn *c, const char *head, const char *body)
{
    struct origin *o = c->origin;
    char want[300];

    snprintf(want, sizeof(want), "a=ice-ufrag:%.256s\r\n", o->peer->remote.ufrag);
    if (strstr(body, want)) {
        o->patches += strstr(head, "If-Match: \"1\"") && strstr(body, "a=candidate:");
        reply(c, "204 No Content", "", "");
        return;
    }
    struct peer_sdp *s = malloc(sizeof(*s));
    if (!s || peer_sdp_read(body, strlen(body), s) < 0) {
        reply(c, "400 Bad Request", "", "");
    } else {
        char text[1024];
        struct peer_sdp_local l;
        memcpy(o->peer->remote.ufrag, s->media[0].ufrag, sizeof(o->peer->remote.ufrag));
        memcpy(o->peer->remote.pwd, s->media[0].pwd, sizeof(o->peer->remote.pwd));
        peer_make_creds(&o->peer->local);
        peer_local_sdp(o->peer, &l);
        (void)peer_sdp_fragment(&l, text, sizeof(text));
        reply(c, "200 OK", "Content-Type: application/trickle-ice-sdpfrag\r\nETag: \"2\"\r\n",
              text);
    }
    free(s);
}

static void on_request(struct origin_conn *c, char *body)
{
    struct origin *o = c->origin;
    char method[8], path[128];

    if (sscanf(c->buf, "%7s %127s", method, path) != 2) {
        return;
    }
    o->requests++;
    o->authorized += strstr(c->buf, "Authorization: Bearer secret\r\n") != NULL;
    if (!strcmp(path, "/whip/hang")) {
        return;
    }
    if (!strcmp(method, "POST") && strncmp(path, "/none", 5)) {
        on_post(c, path, body);
    } else if (!strcmp(method, "PATCH") && o->peer) {
        on_patch(c, c->buf, body);
    } else if (!strcmp(method, "DELETE") && o->peer) {
        peer_send_close(o->peer);
        reply(c, "200 OK", "", "");
    } else {
        reply(c, "404 Not Found", "", "nothing here");
    }
}

static void conn_close(struct origin_conn *c)
{
    if (c->watch.fd >= 0) {
        peer_loop_unwatch(c->origin->loop, &c->watch);
        close(c->watch.fd);
        c->watch.fd = -1;
    }
}

static void on_conn(void *ctx, uint32_t events)
{
    struct origin_conn *c = ctx;

    (void)events;
    ssize_t n = recv(c->watch.fd, c->buf + c->len, sizeof(c->buf) - 1 - c->len, MSG_DONTWAIT);
    if (n <= 0) {
        conn_close(c);
        return;
    }
    c->len += (size_t)n;
    c->buf[c->len] = '\0';
    char *end = strstr(c->buf, "\r\n\r\n"), *length = strstr(c->buf, "Content-Length: ");
    size_t want = length ? strtoul(length + 16, NULL, 10) : 0;
    if (end && c->len >= (size_t)(end + 4 - c->buf) + want) {
        on_request(c, end + 4);
    }
}

static void on_accept(void *ctx, uint32_t events)
{
    struct origin *o = ctx;
    int fd = accept(o->watch.fd, NULL, NULL);

    (void)events;
    for (unsigned i = 0; fd >= 0 && i < ORIGIN_CONNS; i++) {
        struct origin_conn *c = &o->conns[i];
        if (c->watch.fd < 0) {
            c->watch = (struct peer_watch){.fd = fd, .fn = on_conn, .ctx = c};
            c->len = 0;
            (void)peer_loop_watch(o->loop, &c->watch, EPOLLIN);
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

int origin_open(struct origin *o, struct peer_loop *l, struct peer_identity *id)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    memset(o, 0, sizeof(*o));
    o->loop = l;
    o->identity = id;
    for (unsigned i = 0; i < ORIGIN_CONNS; i++) {
        o->conns[i].origin = o;
        o->conns[i].watch.fd = -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) || listen(fd, 8) ||
        getsockname(fd, (struct sockaddr *)&a, &len)) {
        return -errno;
    }
    o->port = ntohs(a.sin_port);
    o->watch = (struct peer_watch){.fd = fd, .fn = on_accept, .ctx = o};
    return peer_loop_watch(l, &o->watch, EPOLLIN);
}

void origin_close(struct origin *o)
{
    for (unsigned i = 0; i < ORIGIN_CONNS; i++) {
        conn_close(&o->conns[i]);
    }
    peer_loop_unwatch(o->loop, &o->watch);
    close(o->watch.fd);
    peer_free(o->peer);
    o->peer = NULL;
}
