/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stun/debug.h>
#include <stun/stunagent.h>
#include <stun/usages/ice.h>

#include "conf/clock.h"
#include "rtp/demux.h"

#define CHECK_EVERY_MS 100
#define PACKET_MAX     2048
#define FRAME_HEAD     2           /* RFC 4571: length before each packet */
#define PRIORITY       0x6e001effu /* of a peer-reflexive candidate, RFC 8445 5.1.2.2 */
#define SSRCS_MAX      8

struct caller {
    const struct cert *cert;
    char ufrag[ICE_OUR_UFRAG_LEN + 1];
    char pwd[ICE_OUR_PWD_LEN + 1];
    StunAgent agent;
    int fd; /* UDP, connected; -1 */
    struct dtls *dtls;
    struct seal *seal;
    struct open *open;
    int64_t consent_us; /* when the last check left: the server forgets who is silent */
    struct caller_remote remote;
};

static const uint16_t known_attrs[] = {
    STUN_ATTRIBUTE_USERNAME,
    STUN_ATTRIBUTE_MESSAGE_INTEGRITY,
    STUN_ATTRIBUTE_ERROR_CODE,
    STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS,
    STUN_ATTRIBUTE_PRIORITY,
    STUN_ATTRIBUTE_USE_CANDIDATE,
    0,
};

struct caller *caller_new(const struct cert *cert, const char *ufrag, const char *pwd)
{
    struct caller *c = calloc(1, sizeof(*c));
    if (!c || strlen(ufrag) > ICE_OUR_UFRAG_LEN || strlen(pwd) > ICE_OUR_PWD_LEN) {
        free(c);
        return NULL;
    }
    c->cert = cert;
    c->fd = -1;
    memcpy(c->ufrag, ufrag, strlen(ufrag) + 1);
    memcpy(c->pwd, pwd, strlen(pwd) + 1);
    stun_debug_disable();
    stun_agent_init(&c->agent, known_attrs, STUN_COMPATIBILITY_RFC5389,
                    STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
    return c;
}

static void hang_up(struct caller *c)
{
    uint8_t out[DTLS_MTU];
    if (c->dtls && c->fd >= 0) {
        dtls_close(c->dtls);
        for (size_t n = dtls_poll(c->dtls, out, sizeof(out)); n;
             n = dtls_poll(c->dtls, out, sizeof(out))) {
            (void)send(c->fd, out, n, 0); /* the last words: nothing depends on their arrival */
        }
    }
    dtls_free(c->dtls);
    seal_free(c->seal);
    open_free(c->open);
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->dtls = NULL;
    c->seal = NULL;
    c->open = NULL;
    c->fd = -1;
}

void caller_free(struct caller *c)
{
    if (c) {
        hang_up(c);
        free(c);
    }
}

/* ---- sockets ---- */

/* Waits until fd is ready; 0, or -ETIMEDOUT at the deadline. */
static int await(int fd, short events, int64_t deadline_us)
{
    int64_t left = deadline_us - clock_now_us();
    struct pollfd p = {.fd = fd, .events = events};
    int n = poll(&p, 1, left > 0 ? (int)(left / US_PER_MS + 1) : 0);
    return n > 0 ? 0 : n < 0 && errno != EINTR ? -errno : -ETIMEDOUT;
}

/* A connected, non-blocking socket; -errno. UDP is connected too, so that the kernel tells of
 * "port unreachable". */
static int dial(const struct addr *to, enum transport transport, int64_t deadline_us)
{
    struct sockaddr_storage sa;
    int family = addr_is_v4(to) ? AF_INET : AF_INET6;
    socklen_t len = addr_to_sockaddr(to, family, &sa);
    int type = transport == TRANSPORT_TCP ? SOCK_STREAM : SOCK_DGRAM;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int err = connect(fd, (const struct sockaddr *)&sa, len) == 0 ? 0 : -errno;
    if (err == -EINPROGRESS) {
        err = await(fd, POLLOUT, deadline_us);
        socklen_t size = sizeof(int);
        int pending = 0;
        if (!err && getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &size) == 0) {
            err = -pending;
        }
    }
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

/* ---- connectivity checks ---- */

/* Writes a binding request; returns its length. */
static size_t make_check(struct caller *c, const struct caller_remote *remote, bool nominate,
                         uint8_t out[PACKET_MAX])
{
    uint8_t name[ICE_UFRAG_MAX + ICE_OUR_UFRAG_LEN + 2];
    StunMessage msg;
    size_t theirs = strlen(remote->ufrag), ours = strlen(c->ufrag);
    memcpy(name, remote->ufrag, theirs);
    name[theirs] = ':';
    memcpy(name + theirs + 1, c->ufrag, ours);
    return stun_usage_ice_conncheck_create(
        &c->agent, &msg, out, PACKET_MAX, name, theirs + 1 + ours, (const uint8_t *)remote->pwd,
        strlen(remote->pwd), nominate, true, PRIORITY, (uint64_t)(uintptr_t)c, NULL,
        STUN_USAGE_ICE_COMPATIBILITY_RFC5245);
}

/* 0: the answer to one of our checks; -EACCES: it refuses our credentials; -EAGAIN: something else.
 */
static int read_answer(struct caller *c, const uint8_t *buf, size_t len)
{
    StunMessage msg;
    StunValidationStatus st = stun_agent_validate(&c->agent, &msg, buf, len, NULL, NULL);
    if (st == STUN_VALIDATION_UNAUTHORIZED || st == STUN_VALIDATION_UNAUTHORIZED_BAD_REQUEST) {
        return -EACCES;
    }
    if (st != STUN_VALIDATION_SUCCESS) {
        return -EAGAIN;
    }
    if (stun_message_get_class(&msg) == STUN_ERROR) {
        return -EACCES;
    }
    return stun_message_get_class(&msg) == STUN_RESPONSE ? 0 : -EAGAIN;
}

static int check_udp(struct caller *c, const struct caller_remote *remote, int fd, bool nominate,
                     int64_t deadline_us)
{
    uint8_t buf[PACKET_MAX];
    int err = -ETIMEDOUT;
    while (err == -ETIMEDOUT || err == -EAGAIN) {
        int64_t now_us = clock_now_us();
        if (now_us >= deadline_us) {
            return -ETIMEDOUT;
        }
        size_t len = make_check(c, remote, nominate, buf);
        if (send(fd, buf, len, 0) < 0 && errno != EAGAIN) {
            return -errno;
        }
        int64_t again_us = MIN(now_us + CHECK_EVERY_MS * US_PER_MS, deadline_us);
        for (err = await(fd, POLLIN, again_us); !err || err == -EAGAIN;
             err = await(fd, POLLIN, again_us)) {
            ssize_t n = recv(fd, buf, sizeof(buf), 0);
            err = n < 0 ? -errno : read_answer(c, buf, (size_t)n);
            if (err != -EAGAIN) {
                break;
            }
        }
    }
    return err;
}

/* A stream needs no repetition. */
static int check_tcp(struct caller *c, const struct caller_remote *remote, int fd,
                     int64_t deadline_us)
{
    uint8_t buf[FRAME_HEAD + PACKET_MAX];
    size_t len = make_check(c, remote, false, buf + FRAME_HEAD);
    buf[0] = (uint8_t)(len >> 8);
    buf[1] = (uint8_t)len;
    if (send(fd, buf, len + FRAME_HEAD, MSG_NOSIGNAL) != (ssize_t)(len + FRAME_HEAD)) {
        return -EIO;
    }
    size_t got = 0;
    for (;;) {
        int err = await(fd, POLLIN, deadline_us);
        if (err) {
            return err;
        }
        ssize_t n = recv(fd, buf + got, sizeof(buf) - got, 0);
        if (n <= 0) {
            return n == 0 ? -ECONNRESET : -errno;
        }
        got += (size_t)n;
        size_t want = got >= FRAME_HEAD ? (size_t)(buf[0] << 8 | buf[1]) : 0;
        if (want > PACKET_MAX) {
            return -EPROTO;
        }
        if (got >= FRAME_HEAD && got >= want + FRAME_HEAD) {
            err = read_answer(c, buf + FRAME_HEAD, want);
            return err == -EAGAIN ? -EPROTO : err;
        }
    }
}

int caller_check(struct caller *c, const struct caller_remote *remote, const struct addr *to,
                 enum transport transport, int timeout_ms, int64_t *ret_us)
{
    int64_t start_us = clock_now_us();
    int64_t deadline_us = start_us + timeout_ms * US_PER_MS;
    int fd = dial(to, transport, deadline_us);
    if (fd < 0) {
        return fd;
    }
    int err = transport == TRANSPORT_TCP ? check_tcp(c, remote, fd, deadline_us)
                                         : check_udp(c, remote, fd, false, deadline_us);
    close(fd);
    if (!err) {
        *ret_us = clock_now_us() - start_us;
    }
    return err;
}

/* ---- DTLS ---- */

static int flush_dtls(struct caller *c)
{
    uint8_t out[DTLS_MTU];
    for (size_t n = dtls_poll(c->dtls, out, sizeof(out)); n;
         n = dtls_poll(c->dtls, out, sizeof(out))) {
        if (send(c->fd, out, n, 0) < 0 && errno != EAGAIN) {
            return -errno;
        }
    }
    return 0;
}

static int take_keys(struct caller *c)
{
    struct srtp_keys tx, rx;
    int err = dtls_export_keys(c->dtls, &tx, &rx);
    if (!err) {
        c->seal = seal_new(&tx);
        c->open = open_new(&rx, SSRCS_MAX);
        err = c->seal && c->open ? 0 : -ENOMEM;
    }
    explicit_bzero(&tx, sizeof(tx));
    explicit_bzero(&rx, sizeof(rx));
    return err;
}

static int shake_hands(struct caller *c, int64_t deadline_us)
{
    uint8_t buf[PACKET_MAX];
    dtls_start(c->dtls, clock_now_us());
    for (;;) {
        int err = flush_dtls(c);
        enum dtls_state state = dtls_state(c->dtls);
        if (err || state == DTLS_UP) {
            return err;
        }
        int64_t now_us = clock_now_us();
        if (state == DTLS_FAILED || state == DTLS_CLOSED) {
            return -EPROTO;
        }
        if (now_us >= deadline_us) {
            return -ETIMEDOUT;
        }
        if (await(c->fd, POLLIN, MIN(deadline_us, dtls_next_deadline(c->dtls))) == 0) {
            ssize_t n = recv(c->fd, buf, sizeof(buf), 0);
            const uint8_t *data;
            size_t data_len;
            if (n > 0 && demux_classify(buf, (size_t)n) == DEMUX_DTLS) {
                (void)dtls_on_datagram(c->dtls, clock_now_us(), buf, (size_t)n, &data, &data_len);
            }
        } else {
            dtls_on_timer(c->dtls, clock_now_us());
        }
    }
}

int caller_connect(struct caller *c, const struct caller_remote *remote, const struct addr *to,
                   int timeout_ms, const char **ret_why)
{
    int64_t deadline_us = clock_now_us() + timeout_ms * US_PER_MS;
    const struct dtls_params p = {
        .cert = c->cert,
        .role = DTLS_CLIENT,
        .fingerprints = remote->fingerprints,
        .n_fingerprints = remote->n_fingerprints,
    };
    hang_up(c);
    *ret_why = "no answer";
    c->remote = *remote;
    c->fd = dial(to, TRANSPORT_UDP, deadline_us);
    if (c->fd < 0) {
        int err = c->fd;
        c->fd = -1;
        return err;
    }
    int err = check_udp(c, remote, c->fd, true, deadline_us);
    if (err) {
        return err;
    }
    c->consent_us = clock_now_us();
    c->dtls = dtls_new(&p);
    if (!c->dtls) {
        return -ENOMEM;
    }
    err = shake_hands(c, deadline_us);
    if (!err) {
        err = take_keys(c);
    } else if (dtls_fail_reason(c->dtls)) {
        *ret_why = dtls_fail_reason(c->dtls);
    }
    return err;
}

/* ---- media ---- */

int caller_send_rtp(struct caller *c, uint64_t seq, const uint8_t *pkt, size_t hdr_len,
                    size_t pkt_len)
{
    uint8_t out[PACKET_MAX];
    if (!c->seal || hdr_len < 12 || hdr_len > pkt_len || pkt_len > PACKET_MAX - SEAL_TAG_MAX) {
        return -EINVAL;
    }
    uint32_t ssrc = (uint32_t)pkt[8] << 24 | (uint32_t)pkt[9] << 16 | (uint32_t)pkt[10] << 8 |
                    (uint32_t)pkt[11];
    struct seal_stream *st = seal_stream(c->seal, ssrc);
    if (!st) {
        return -ENOMEM;
    }
    memcpy(out, pkt, hdr_len);
    int len =
        seal_rtp(c->seal, st, seq, out, sizeof(out), hdr_len, 0, pkt + hdr_len, pkt_len - hdr_len);
    if (len < 0) {
        return len;
    }
    return send(c->fd, out, (size_t)len, 0) < 0 ? -errno : 0;
}

/* A check now and then: who is silent is forgotten (RFC 7675). */
static void keep_alive(struct caller *c, int64_t now_us)
{
    uint8_t buf[PACKET_MAX];
    if (now_us - c->consent_us >= US_PER_S) {
        c->consent_us = now_us;
        (void)send(c->fd, buf, make_check(c, &c->remote, true, buf), 0);
    }
}

int caller_recv_rtp(struct caller *c, int timeout_ms, uint8_t *out, size_t cap)
{
    uint8_t buf[PACKET_MAX];
    int64_t deadline_us = clock_now_us() + timeout_ms * US_PER_MS;
    if (!c->open) {
        return -EINVAL;
    }
    for (;;) {
        keep_alive(c, clock_now_us());
        int err = await(c->fd, POLLIN, deadline_us);
        if (err) {
            return err == -ETIMEDOUT ? 0 : err;
        }
        ssize_t n = recv(c->fd, buf, sizeof(buf), 0);
        if (n < 0 && errno != EAGAIN) {
            return -errno;
        }
        if (n <= 0) {
            continue;
        }
        enum demux_kind kind = demux_classify(buf, (size_t)n);
        if (kind == DEMUX_STUN) {
            (void)read_answer(c, buf, (size_t)n);
        }
        int len = kind == DEMUX_RTP ? open_rtp(c->open, buf, (size_t)n) : 0;
        if (len > 0 && (size_t)len <= cap) {
            memcpy(out, buf, (size_t)len);
            return len;
        }
    }
}
