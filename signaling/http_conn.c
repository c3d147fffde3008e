/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/http_conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "signaling/limiter.h"

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

static struct list *bucket(const struct http_conns *cs, const struct addr *peer)
{
    struct addr net = limiter_network(peer);
    return (struct list *)&cs->buckets[addr_hash(&net, cs->seed) % ARRAY_LEN(cs->buckets)];
}

void http_conns_init(struct http_conns *cs, uint64_t seed)
{
    *cs = (struct http_conns){.seed = seed};
    for (size_t i = 0; i < ARRAY_LEN(cs->buckets); i++) {
        list_init(&cs->buckets[i]);
    }
}

struct http_conn *http_conns_add(struct http_conns *cs, int fd, const struct addr *peer, bool tls)
{
    struct http_conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    list_init(&c->node);
    c->fd = fd;
    c->peer = *peer;
    c->tls = tls;
    c->deadline_us = INT64_MAX;
    list_append(bucket(cs, peer), &c->node);
    cs->count++;
    return c;
}

void http_conns_remove(struct http_conns *cs, struct http_conn *c)
{
    list_remove(&c->node);
    cs->count--;
    free(c);
}

unsigned http_conns_from(const struct http_conns *cs, const struct addr *peer)
{
    struct addr net = limiter_network(peer);
    const struct list *head = bucket(cs, peer);
    unsigned n = 0;
    for (const struct list *i = head->next; i != head; i = i->next) {
        struct addr other = limiter_network(&container_of(i, struct http_conn, node)->peer);
        n += addr_equal(&net, &other) ? 1 : 0;
    }
    return n;
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
    for (size_t i = 0; i < ARRAY_LEN(cs->buckets); i++) {
        LIST_EACH(it, &cs->buckets[i])
        {
            struct http_conn *c = container_of(it, struct http_conn, node);
            if (c->deadline_us <= now_us) {
                cs->timed_out++;
                shut(c);
            }
        }
    }
}
