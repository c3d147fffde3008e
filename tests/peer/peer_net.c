/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHECK_FIRST_US 100000
#define CHECK_CAP_US   800000
#define CHECK_TRIES    3 /* per candidate, before the next one */
#define CONSENT_US     5000000
#define CONSENT_END_US 30000000
#define PRIORITY_PRFLX 1853693695U /* type preference 110, RFC 8445 5.1.2 */
#define STUN_BUF       1024

static void on_readable(void *ctx, uint32_t events);
static void on_ice_timer(void *ctx);
static void on_dtls_timer(void *ctx);

/* ---- socket ---- */

/* The address that reaches the server, for our candidate line; loopback without a URL. */
static void find_own_ip(struct peer *p)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof(a);
    int fd = -1;

    snprintf(p->ip, sizeof(p->ip), "%s", p->params.ipv6 ? "::1" : "127.0.0.1");
    if (!p->url || peer_http_resolve(p->url, &a, &len) < 0 ||
        a.ss_family != (p->params.ipv6 ? AF_INET6 : AF_INET)) {
        return;
    }
    fd = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, len)) {
        len = sizeof(a);
        (void)getsockname(fd, (struct sockaddr *)&a, &len);
        const void *ip = a.ss_family == AF_INET6
                             ? (const void *)&((struct sockaddr_in6 *)&a)->sin6_addr
                             : (const void *)&((struct sockaddr_in *)&a)->sin_addr;
        (void)inet_ntop(a.ss_family, ip, p->ip, sizeof(p->ip));
    }
    if (fd >= 0) {
        close(fd);
    }
}

int peer_net_open(struct peer *p)
{
    struct sockaddr_storage a = {.ss_family = p->params.ipv6 ? AF_INET6 : AF_INET};
    socklen_t len = p->params.ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    /* port 0, wildcard address; family-independent because both have the port at the same place */
    if (bind(fd, (struct sockaddr *)&a, len) || getsockname(fd, (struct sockaddr *)&a, &len)) {
        int e = errno;
        close(fd);
        return -e;
    }
    p->port = ntohs(((struct sockaddr_in *)&a)->sin_port);
    peer_loop_prepare(p->loop, fd, p->params.rcvbuf_bytes);
    p->watch = (struct peer_watch){.fd = fd, .fn = on_readable, .ctx = p};
    p->ice_timer.fn = on_ice_timer;
    p->dtls_timer.fn = on_dtls_timer;
    p->ice_timer.ctx = p->dtls_timer.ctx = p;
    p->overflows = 0;
    if (!p->ip[0]) {
        find_own_ip(p);
    }
    return peer_loop_watch(p->loop, &p->watch, EPOLLIN);
}

void peer_net_close(struct peer *p)
{
    peer_net_stop(p);
    if (p->watch.fd >= 0) {
        peer_loop_unwatch(p->loop, &p->watch);
        close(p->watch.fd);
        p->watch.fd = -1;
    }
}

void peer_net_stop(struct peer *p)
{
    peer_loop_disarm(p->loop, &p->ice_timer);
    peer_loop_disarm(p->loop, &p->dtls_timer);
}

static int send_to(struct peer *p, const uint8_t *buf, size_t len,
                   const struct sockaddr_storage *to, bool media)
{
    if (p->silent) {
        return 0;
    }
    if (p->loss_out > 0 && (media || !p->loss_media_only) && peer_rng_unit(&p->rng) < p->loss_out) {
        p->stats.tx_lost_here++;
        return 0;
    }
    socklen_t to_len =
        to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (sendto(p->watch.fd, buf, len, 0, (const struct sockaddr *)to, to_len) < 0) {
        p->stats.tx_failed++;
        return -errno;
    }
    p->stats.tx_datagrams++;
    p->stats.tx_bytes += len;
    return 0;
}

int peer_net_send(struct peer *p, const uint8_t *buf, size_t len, bool media)
{
    return p->to_len ? send_to(p, buf, len, &p->to, media) : -ENOTCONN;
}

/* ---- ICE ---- */

/* Picks the n-th usable candidate (UDP, our family) into p->to, wrapping around. */
static bool take_candidate(struct peer *p, unsigned n)
{
    unsigned usable = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; p->theirs && i < p->theirs->n_cands; i++) {
            const struct peer_sdp_cand *c = &p->theirs->cands[i];
            struct sockaddr_in6 *six = (struct sockaddr_in6 *)&p->to;
            struct sockaddr_in *four = (struct sockaddr_in *)&p->to;
            struct sockaddr_storage a = {.ss_family = p->params.ipv6 ? AF_INET6 : AF_INET};
            void *ip = p->params.ipv6 ? (void *)&((struct sockaddr_in6 *)&a)->sin6_addr
                                      : (void *)&((struct sockaddr_in *)&a)->sin_addr;
            if (c->tcp || inet_pton(a.ss_family, c->ip, ip) != 1 || usable++ != n) {
                continue;
            }
            p->to = a;
            p->to_len = p->params.ipv6 ? sizeof(*six) : sizeof(*four);
            four->sin_port = htons(c->port); /* same place as sin6_port */
            return true;
        }
        if (!usable) {
            return false;
        }
        n %= usable;
        usable = 0;
    }
    return false;
}

static void send_check(struct peer *p)
{
    bool bare = p->params.quirks & PEER_QUIRK_BARE_CHECKS;
    uint8_t buf[STUN_BUF];
    struct peer_stun s = {
        .type = PEER_STUN_REQUEST,
        .priority = bare ? 0 : PRIORITY_PRFLX,
        .has_controlling = !bare,
        .tie_breaker = p->tie_breaker,
        .use_candidate = true,
    };

    snprintf(s.username, sizeof(s.username), "%.255s:%.255s", p->remote.ufrag, p->local.ufrag);
    memcpy(s.tid, p->tid, sizeof(s.tid));
    size_t n = peer_stun_write(&s, p->remote.pwd, buf, sizeof(buf));
    if (n) {
        (void)peer_net_send(p, buf, n, false);
    }
}

static void new_check(struct peer *p)
{
    (void)RAND_bytes(p->tid, sizeof(p->tid));
    p->checking = true;
    p->tries = 0;
    send_check(p);
    (void)peer_loop_arm(p->loop, &p->ice_timer, peer_loop_now_us(p->loop) + CHECK_FIRST_US);
}

void peer_net_start_checks(struct peer *p)
{
    p->cand = 0;
    if (!p->to_len && !take_candidate(p, 0)) {
        peer_fail(p, "no UDP candidate of our address family in the answer");
        return;
    }
    new_check(p);
}

void peer_net_check_now(struct peer *p)
{
    if (p->to_len && !p->params.lite) {
        new_check(p);
    }
}

static void on_ice_timer(void *ctx)
{
    struct peer *p = ctx;
    int64_t now_us = peer_loop_now_us(p->loop);

    if (p->nominated && now_us - p->alive_us > CONSENT_END_US) {
        peer_fail(p, "consent expired: no answer to checks for 30 s");
        return;
    }
    if (!p->checking) {
        if (!(p->params.quirks & PEER_QUIRK_NO_CONSENT)) {
            new_check(p);
        }
        return;
    }
    p->tries++;
    if (!p->nominated && p->tries % CHECK_TRIES == 0) {
        (void)take_candidate(p, ++p->cand);
        (void)RAND_bytes(p->tid, sizeof(p->tid));
    }
    send_check(p);
    int64_t wait_us = CHECK_FIRST_US << (p->tries < 3 ? p->tries : 3);
    (void)peer_loop_arm(p->loop, &p->ice_timer,
                        now_us + (wait_us < CHECK_CAP_US ? wait_us : CHECK_CAP_US));
}

static void start_dtls(struct peer *p);

/* The pair works: DTLS may begin. */
static void on_pair(struct peer *p)
{
    if (p->nominated) {
        return;
    }
    p->nominated = true;
    p->stats.ice_us = peer_loop_now_us(p->loop);
    peer_enter(p, PEER_DTLS);
    start_dtls(p);
}

static void on_stun_response(struct peer *p, const uint8_t *buf, const struct peer_stun *s)
{
    if (s->type == PEER_STUN_ERROR) { /* may come without integrity (RFC 8489 9.1.3) */
        p->stats.stun_errors++;
        return;
    }
    if (memcmp(s->tid, p->tid, sizeof(p->tid))) {
        p->stats.stun_stale++; /* to a check that has been given up meanwhile */
        return;
    }
    if (!peer_stun_verify(buf, s, p->remote.pwd) || !s->mapped.ss_family) {
        p->stats.stun_bad++;
        return;
    }
    int64_t now_us = peer_loop_now_us(p->loop);
    p->stats.stun_responses++;
    p->alive_us = now_us;
    p->checking = false;
    int64_t jitter_us = (int64_t)(peer_rng_unit(&p->rng) * 2000000) - 1000000;
    (void)peer_loop_arm(p->loop, &p->ice_timer, now_us + CONSENT_US + jitter_us);
    on_pair(p);
}

static void on_stun_request(struct peer *p, const uint8_t *buf, const struct peer_stun *s,
                            const struct sockaddr_storage *from)
{
    char want[520];
    uint8_t out[STUN_BUF];
    struct peer_stun answer = {.type = PEER_STUN_SUCCESS, .mapped = *from};

    snprintf(want, sizeof(want), "%.255s:%.255s", p->local.ufrag, p->remote.ufrag);
    if (strcmp(s->username, want) || !peer_stun_verify(buf, s, p->local.pwd)) {
        p->stats.stun_bad++;
        return;
    }
    p->stats.stun_requests++;
    if (p->nominated && p->params.quirks & PEER_QUIRK_NO_CONSENT) {
        return;
    }
    memcpy(answer.tid, s->tid, sizeof(answer.tid));
    size_t n = peer_stun_write(&answer, p->local.pwd, out, sizeof(out));
    (void)send_to(p, out, n, from, false);
    if (p->params.lite && s->use_candidate) {
        p->to = *from;
        p->to_len = sizeof(*from);
        on_pair(p);
    }
}

static void on_stun(struct peer *p, const uint8_t *buf, size_t len,
                    const struct sockaddr_storage *from)
{
    struct peer_stun s;

    if (peer_stun_read(buf, len, &s) < 0 || !s.has_fingerprint) { /* RFC 8445 7.2 wants it */
        p->stats.stun_bad++;
    } else if (s.type == PEER_STUN_REQUEST) {
        on_stun_request(p, buf, &s, from);
    } else if (s.type != PEER_STUN_INDICATION) {
        on_stun_response(p, buf, &s);
    }
}

/* ---- DTLS ---- */

static void send_dtls(void *ctx, const uint8_t *buf, size_t len)
{
    (void)peer_net_send(ctx, buf, len, false);
}

static void arm_dtls(struct peer *p)
{
    int64_t us = peer_dtls_timeout_us(p->dtls);

    if (us < 0 || p->state >= PEER_CLOSED) {
        peer_loop_disarm(p->loop, &p->dtls_timer);
    } else {
        (void)peer_loop_arm(p->loop, &p->dtls_timer, peer_loop_now_us(p->loop) + us);
    }
}

static void send_sctp(void *ctx, const uint8_t *pkt, size_t len)
{
    (void)peer_send_data(ctx, pkt, len);
}

static void on_message(void *ctx, const struct peer_message *m)
{
    struct peer *p = ctx;

    if (p->params.events.on_message) {
        p->params.events.on_message(p->params.events.ctx, p, m);
    }
}

/* The association begins once DTLS is up, if the answer has a section for it. */
static void start_data(struct peer *p)
{
    const struct peer_data_events ev = {.send = send_sctp, .on_message = on_message, .ctx = p};

    for (unsigned i = 0; i < p->theirs->n_media; i++) {
        const struct peer_sdp_media *m = &p->theirs->media[i];
        if (!strcmp(m->kind, "application") && !m->rejected && !p->data) {
            p->data = peer_data_new(p->loop, m->sctp_port, !p->dtls_server, &ev);
        }
    }
}

static void on_dtls_up(struct peer *p)
{
    struct peer_srtp_keys k = {0};
    const struct peer_sdp_media *m = &p->theirs->media[0];

    for (unsigned i = 0; i < p->theirs->n_media && !m->fingerprint[0]; i++) {
        m = &p->theirs->media[i];
    }
    if (!peer_dtls_peer_matches(p->dtls, m->fingerprint_alg, m->fingerprint)) {
        peer_fail(p, "DTLS certificate does not have the fingerprint of the SDP");
        return;
    }
    bool media = p->params.n_audio + p->params.n_video > 0;
    bool keys = peer_dtls_keys(p->dtls, &k);
    if (!keys && media) {
        peer_fail(p, "DTLS negotiated no SRTP profile");
        return;
    }
    p->srtp = keys ? peer_srtp_new(&k, p->params.fast) : NULL;
    if (keys && !p->srtp) {
        peer_fail(p, "SRTP refuses the keys");
        return;
    }
    p->stats.profile = k.profile;
    p->stats.dtls_server = p->dtls_server;
    p->stats.dtls_us = peer_loop_now_us(p->loop);
    peer_flow_start(p);
    start_data(p);
    peer_enter(p, PEER_UP);
}

static void on_dtls_event(struct peer *p, enum peer_dtls_event e)
{
    switch (e) {
    case PEER_DTLS_UP:
        on_dtls_up(p);
        break;
    case PEER_DTLS_CLOSED:
        peer_enter(p, PEER_CLOSED);
        break;
    case PEER_DTLS_FAILED:
        peer_fail(p, "DTLS: %s", peer_dtls_error(p->dtls));
        break;
    case PEER_DTLS_NONE:
        break;
    }
    arm_dtls(p);
}

static void start_dtls(struct peer *p)
{
    p->dtls = peer_dtls_new(p->identity, p->dtls_server, p->params.srtp, send_dtls, p);
    if (!p->dtls) {
        peer_fail(p, "DTLS cannot start");
        return;
    }
    on_dtls_event(p, peer_dtls_start(p->dtls));
}

static void on_dtls_timer(void *ctx)
{
    struct peer *p = ctx;

    on_dtls_event(p, peer_dtls_on_timer(p->dtls));
}

/* ---- reading ---- */

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;

    if (a->ss_family != b->ss_family || a4->sin_port != b4->sin_port) {
        return false;
    }
    if (a->ss_family == AF_INET) {
        return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    }
    return !memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                   &((const struct sockaddr_in6 *)b)->sin6_addr, 16);
}

static void on_datagram(struct peer *p, uint8_t *buf, size_t len, const struct peer_datagram *d)
{
    bool media = len && buf[0] >= 128 && buf[0] <= 191;

    p->stats.rx_datagrams++;
    p->stats.rx_bytes += len;
    if (p->params.events.on_wire) {
        p->params.events.on_wire(p->params.events.ctx, p, buf, len);
    }
    if (p->loss_in > 0 && (media || !p->loss_media_only) && peer_rng_unit(&p->rng) < p->loss_in) {
        p->stats.rx_lost_here++;
        return;
    }
    if (p->nominated && !p->params.lite && !same_address(&d->from, &p->to)) {
        p->stats.rx_wrong_source++;
    }
    if (len >= 20 && buf[0] <= 3) {
        on_stun(p, buf, len, &d->from);
    } else if (len && buf[0] >= 20 && buf[0] <= 63) {
        if (p->dtls) {
            size_t n;
            on_dtls_event(p, peer_dtls_input(p->dtls, buf, len));
            const uint8_t *data = peer_dtls_data(p->dtls, &n);
            if (data && p->data) {
                peer_data_input(p->data, data, n);
            }
        }
    } else if (media && len >= 8 && buf[1] >= 192 && buf[1] <= 223) {
        peer_feedback_rtcp(p, buf, len);
    } else if (media && len >= 12) {
        peer_flow_rtp(p, buf, len, d->at_ns ? d->at_ns : peer_loop_clock_ns());
    } else {
        p->stats.rx_unknown++;
    }
}

static void on_readable(void *ctx, uint32_t events)
{
    struct peer *p = ctx;
    struct peer_datagram *d;

    (void)events;
    int n = peer_loop_recv(p->loop, p->watch.fd, &d);
    for (int i = 0; i < n; i++) {
        if (d[i].has_overflows) {
            p->stats.rx_kernel_drops += d[i].overflows - p->overflows;
            p->overflows = d[i].overflows;
        }
        for (size_t at = 0; at < d[i].len; at += d[i].segment) {
            size_t left = d[i].len - at;
            on_datagram(p, d[i].buf + at, left < d[i].segment ? left : d[i].segment, &d[i]);
        }
    }
}
