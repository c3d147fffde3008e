/* SPDX-License-Identifier: Apache-2.0 */
/* link_kit.h - a link and the other end of it, a scripted peer with DTLS and SRTP of its own, in
 * virtual time. Included by one test program each. */
#ifndef TESTS_LINK_KIT_H
#define TESTS_LINK_KIT_H

#include "ice/link.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "ice/owner.h"
#include "rtp/header.h"
#include "tests/exact.h"
#include "tests/stun_kit.h"

#define PEER_PORT 50001

struct world {
    int64_t now;
    struct link *link;
    struct ice_creds creds;
    struct cert *our_cert;
    struct path path; /* of the peer, as the link sees it */

    struct cert *cert;
    struct dtls *dtls;
    struct seal *seal;
    struct open *open;

    /* What the link last said. */
    uint8_t data[2048];
    size_t data_len;
    enum link_in in;
    struct kit_msg stun; /* last STUN answer */
    struct path stun_to;
    unsigned dtls_out; /* DTLS datagrams that the link sent */
    bool lose_dtls;    /* do not deliver them */
    unsigned events[LINK_EVENT_CLOSED + 1];
};

/* OpenSSL counts its retransmissions in the wall clock (ice/dtls.h): here that is virtual too. */
static const struct world *clock_of;

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    int64_t us = clock_of ? clock_of->now : 0;

    (void)tz;
    *tv = (struct timeval){.tv_sec = 1800000000 + us / US_PER_S, .tv_usec = us % US_PER_S};
    return 0;
}

struct world_params {
    enum dtls_role role; /* the link's */
    bool only_cm;
    bool data_channel;
    bool wrong_fingerprint;
};

static inline struct path make_path(const char *ip, uint16_t port)
{
    struct path p = {.transport = TRANSPORT_UDP, .ifindex = 2};

    cr_assert_eq(addr_parse_ip(ip, port, &p.remote), 0);
    cr_assert_eq(addr_parse_ip("192.0.2.1", 0, &p.local), 0);
    return p;
}

static inline void make_creds(struct ice_creds *c)
{
    owner_make_creds(3, c);
    strcpy(c->remote_ufrag, "theirs");
    strcpy(c->remote_pwd, "their-password-is-not-used");
}

static inline struct world *make_world(const struct world_params *wp)
{
    struct world *w = calloc(1, sizeof(*w));
    struct link_params lp = {.role = wp->role,
                             .only_cm = wp->only_cm,
                             .data_channel = wp->data_channel,
                             .max_ssrcs = 8,
                             .n_fingerprints = 1};

    cr_assert_eq(seal_backend_select(SEAL_AUTO), 0);
    w->now = 1000000;
    clock_of = w;
    w->our_cert = cert_new();
    w->cert = cert_new();
    cr_assert(w->our_cert && w->cert);
    w->path = make_path("198.51.100.7", PEER_PORT);
    make_creds(&w->creds);
    lp.cert = w->our_cert;
    lp.creds = w->creds;
    lp.fingerprints[0] = *cert_fingerprint(wp->wrong_fingerprint ? w->our_cert : w->cert);
    w->link = link_new(&lp, w->now);
    struct dtls_params dp = {.cert = w->cert,
                             .role = wp->role == DTLS_SERVER ? DTLS_CLIENT : DTLS_SERVER,
                             .fingerprints = cert_fingerprint(w->our_cert),
                             .n_fingerprints = 1};
    w->dtls = dtls_new(&dp);
    cr_assert(w->link && w->dtls);
    return w;
}

static inline void free_world(struct world *w)
{
    link_free(w->link);
    dtls_free(w->dtls);
    seal_free(w->seal);
    open_free(w->open);
    cert_free(w->cert);
    cert_free(w->our_cert);
    free(w);
    clock_of = NULL;
}

static inline bool is_dtls(const uint8_t *b, size_t len)
{
    return len > 0 && b[0] >= 20 && b[0] <= 63;
}

/* Takes everything out of the link: answers are kept, DTLS is handed to the peer. Nothing but STUN
 * answers may go to an address that has not proved itself. */
static unsigned drain_link(struct world *w)
{
    uint8_t out[RTP_PACKET_MAX];
    struct path to;
    unsigned n = 0;
    size_t len = 0;

    while ((len = link_poll(w->link, out, sizeof(out), &to)) > 0) {
        cr_assert_lt(++n, 100);
        if (!is_dtls(out, len)) {
            cr_assert_leq(out[0], 3);
            memcpy(w->stun.b, out, len);
            w->stun.len = len;
            w->stun_to = to;
            continue;
        }
        const uint8_t *data = NULL;
        size_t data_len = 0;
        cr_assert(path_equal(&to, link_path(w->link)));
        w->dtls_out++;
        if (!w->lose_dtls) {
            (void)dtls_on_datagram(w->dtls, w->now, out, len, &data, &data_len);
            if (data_len > 0) {
                memcpy(w->data, data, data_len);
            }
            w->data_len = data_len;
        }
    }
    for (enum link_event e = link_poll_event(w->link); e != LINK_EVENT_NONE;
         e = link_poll_event(w->link)) {
        w->events[e]++;
    }
    return n;
}

/* One datagram to the link, from a copy of its exact size. */
static inline enum link_in feed(struct world *w, const struct path *from, const uint8_t *b,
                                size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    uint8_t *data = NULL;
    size_t data_len = 0;

    memcpy(copy, b, len);
    w->in = link_on_datagram(w->link, w->now, from, copy, len, &data, &data_len);
    w->data_len = 0;
    if (w->in != LINK_IN_NOTHING) {
        cr_assert_leq(data_len, sizeof(w->data));
        memcpy(w->data, data, data_len);
        w->data_len = data_len;
    }
    free(copy);
    return w->in;
}

/* A check under credentials c, signed with pwd. */
static inline void make_check(struct kit_msg *m, const struct ice_creds *c, const char *pwd,
                              uint32_t prio, bool use)
{
    char user[sizeof(c->local_ufrag) + sizeof(c->remote_ufrag)];

    snprintf(user, sizeof(user), "%s:%s", c->local_ufrag, c->remote_ufrag);
    kit_check(m, user, pwd, prio, use);
}

static inline void check_as(struct world *w, const struct path *from, const struct ice_creds *c,
                            uint32_t prio, bool use)
{
    struct kit_msg m;

    make_check(&m, c, c->local_pwd, prio, use);
    w->stun.len = 0;
    (void)feed(w, from, m.b, m.len);
    (void)drain_link(w);
    cr_assert(kit_answer_ok(w->stun.b, w->stun.len, KIT_SUCCESS, &m, c->local_pwd));
    cr_assert(path_equal(&w->stun_to, from), "answers go back to where the request came from");
}

static inline void check(struct world *w, const struct path *from, uint32_t prio, bool use)
{
    check_as(w, from, &w->creds, prio, use);
}

/* The peer's DTLS to the link. */
static inline void drain_peer(struct world *w)
{
    uint8_t out[DTLS_MTU];
    size_t len = 0;

    while ((len = dtls_poll(w->dtls, out, sizeof(out))) > 0) {
        (void)feed(w, &w->path, out, len);
    }
}

static inline void handshake(struct world *w)
{
    struct srtp_keys tx;
    struct srtp_keys rx;

    dtls_start(w->dtls, w->now);
    for (int i = 0; i < 20 && link_state(w->link) != LINK_UP; i++) {
        (void)drain_link(w);
        drain_peer(w);
    }
    (void)drain_link(w);
    cr_assert_eq(link_state(w->link), LINK_UP);
    cr_assert_eq(dtls_state(w->dtls), DTLS_UP);
    cr_assert_eq(dtls_export_keys(w->dtls, &tx, &rx), 0);
    cr_assert_eq(tx.profile, link_profile(w->link));
    w->seal = seal_new(&tx);
    w->open = open_new(&rx, 8);
    cr_assert(w->seal && w->open);
}

static inline struct world *make_up(const struct world_params *wp)
{
    struct world *w = make_world(wp);

    check(w, &w->path, 100, true);
    handshake(w);
    return w;
}

static inline size_t make_rtp(uint8_t *out, uint32_t ssrc, uint16_t seq, size_t payload)
{
    memset(out, 0, 12);
    out[0] = 0x80;
    out[1] = 96;
    kit_put16(out + 2, seq);
    kit_put32(out + 8, ssrc);
    for (size_t i = 0; i < payload; i++) {
        out[12 + i] = (uint8_t)(seq + i);
    }
    return 12 + payload;
}

/* The peer seals an RTP packet. Returns the length at out. */
static inline size_t seal_packet(struct seal *s, uint8_t *out, size_t cap, uint32_t ssrc,
                                 uint16_t seq, size_t payload)
{
    uint8_t plain[RTP_PACKET_MAX];
    size_t len = make_rtp(plain, ssrc, seq, payload);
    struct seal_stream *st = seal_stream(s, ssrc);

    cr_assert_not_null(st);
    memcpy(out, plain, 12);
    int n = seal_rtp(s, st, seq, out, cap, 12, 0, plain + 12, len - 12);
    cr_assert_gt(n, 0);
    return (size_t)n;
}

static inline void media_flows(struct world *w, const struct path *from, uint16_t seq)
{
    uint8_t plain[RTP_PACKET_MAX];
    uint8_t sealed[RTP_PACKET_MAX + SEAL_TAG_MAX];
    size_t len = make_rtp(plain, 0x1111, seq, 900);
    size_t n = seal_packet(w->seal, sealed, sizeof(sealed), 0x1111, seq, 900);

    cr_assert_eq(feed(w, from, sealed, n), LINK_IN_RTP);
    cr_assert_eq(w->data_len, len);
    cr_assert_eq(memcmp(w->data, plain, len), 0);
    cr_assert_eq(link_last_heard(w->link), w->now);

    n = seal_packet(link_seal(w->link), sealed, sizeof(sealed), 0x2222, seq, 900);
    make_rtp(plain, 0x2222, seq, 900);
    cr_assert_eq(open_rtp(w->open, sealed, n), (int)len);
    cr_assert_eq(memcmp(sealed, plain, len), 0);

    uint8_t rtcp[64] = {0x80, 201, 0, 1, 0, 0, 0x11, 0x11};
    int r = seal_rtcp(w->seal, rtcp, 8, sizeof(rtcp));
    cr_assert_gt(r, 0);
    cr_assert_eq(feed(w, from, rtcp, (size_t)r), LINK_IN_RTCP);
    cr_assert_eq(w->data_len, 8);
    cr_assert_eq(memcmp(w->data, "\x80\xc9\0\1\0\0\x11\x11", 8), 0);
}

static inline uint64_t drops(const struct world *w, enum link_drop d)
{
    return link_drops(w->link)[d];
}

static inline uint64_t all_drops(const struct world *w)
{
    uint64_t n = 0;

    for (int d = 0; d < LINK_DROP_COUNT; d++) {
        n += link_drops(w->link)[d];
    }
    return n;
}

#endif
