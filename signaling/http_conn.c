/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/http_conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int64_t allowance_us(const struct http_conn *c, enum http_phase phase)
{
    switch (phase) {
    case HTTP_PHASE_HEADERS:
        return (c->tls ? 10 : 5) * (int64_t)US_PER_S; // TLS: 5 s for the handshake on top
    case HTTP_PHASE_BODY:
        return 10 * (int64_t)US_PER_S;
    case HTTP_PHASE_HANDLING:
        return INT64_MAX;
    case HTTP_PHASE_SENDING:
        return 60 * (int64_t)US_PER_S;
    case HTTP_PHASE_IDLE:
        return 30 * (int64_t)US_PER_S;
    }
    return 0;
}

void http_conns_init(struct http_conns *cs, uint64_t seed)
{
    *cs = (struct http_conns){0};
    list_init(&cs->all);
    tally_init(&cs->tally, seed);
}

struct http_conn *http_conns_add(struct http_conns *cs, int fd, const struct addr *peer, bool tls)
{
    struct http_conn *c = calloc(1, sizeof(*c));
    struct tally_count *tally = c != NULL ? tally_enter(&cs->tally, peer) : NULL;
    if (tally == NULL) {
        free(c);
        return NULL;
    }
    list_init(&c->node);
    c->fd = fd;
    c->peer = *peer;
    c->tally = tally;
    c->tls = tls;
    c->deadline_us = INT64_MAX;
    list_append(&cs->all, &c->node);
    cs->count++;
    return c;
}

void http_conns_remove(struct http_conns *cs, struct http_conn *c)
{
    list_remove(&c->node);
    tally_leave(c->tally);
    cs->count--;
    free(c);
}

unsigned http_conns_from(const struct http_conns *cs, const struct addr *peer)
{
    return tally_of(&cs->tally, peer);
}

void http_conn_enter(struct http_conn *c, enum http_phase phase, int64_t now_us)
{
    int64_t allowed = allowance_us(c, phase);
    c->phase = phase;
    c->deadline_us = allowed == INT64_MAX ? INT64_MAX : now_us + allowed;
}

static void shut(struct http_conn *c)
{
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                               "Connection: close\r\n\r\n";
    if (c->phase == HTTP_PHASE_BODY && !c->tls) {
        /* Nothing else is under way in this direction: the library answers after the body. */
        (void)!send(c->fd, late, sizeof(late) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    shutdown(c->fd, SHUT_RDWR);
    c->deadline_us = INT64_MAX;
}

void http_conns_sweep(struct http_conns *cs, int64_t now_us)
{
    LIST_EACH(it, &cs->all)
    {
        struct http_conn *c = container_of(it, struct http_conn, node);
        if (c->deadline_us <= now_us) {
            cs->timed_out++;
            shut(c);
        }
    }
}
