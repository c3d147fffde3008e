/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/turmoil.h"
#include "tests/server/turmoil_bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKET 1500

/* ---- packets ---- */

static struct turmoil_guest *guest_up(void)
{
    return turmoil_guest(PEER_UP, PEER_UP);
}

static uint32_t any_ssrc(const struct peer *p)
{
    const struct peer *other = turmoil.guests[turmoil_any(TURMOIL_GUESTS)].p;
    uint32_t known[] = {p->ssrc,
                        p->n_tx ? p->tx[turmoil_any(p->n_tx)].ssrc : 0,
                        p->n_tx ? p->tx[turmoil_any(p->n_tx)].rtx_ssrc : 0,
                        p->n_rx ? p->rx[turmoil_any(p->n_rx)]->ssrc : 0,
                        p->n_rx ? p->rx[turmoil_any(p->n_rx)]->rtx_ssrc : 0,
                        other && other->n_tx ? other->tx[0].ssrc : 0,
                        (uint32_t)peer_rng_next(&turmoil.rng)};

    return known[turmoil_any(PEER_LEN(known))];
}

bool turmoil_send_rtcp(void)
{
    struct turmoil_guest *g = guest_up();
    uint8_t buf[PACKET];

    if (!g) {
        return false;
    }
    size_t n = turmoil_rtcp(&turmoil.rng, any_ssrc(g->p), any_ssrc(g->p), buf);
    return peer_send_rtcp(g->p, buf, n) == 0;
}

/* Asks again for packets that came and for others. */
bool turmoil_nacks(void)
{
    struct turmoil_guest *g = guest_up();
    uint16_t seqs[40];

    if (!g || !g->p->n_rx) {
        return false;
    }
    const struct peer_rx *x = g->p->rx[turmoil_any(g->p->n_rx)];
    uint16_t at = (uint16_t)(x->highest - turmoil_any(600));
    struct peer_rtcp_out o = {.len = 0};
    for (unsigned i = 0; i < 40; i++) {
        seqs[i] = at = (uint16_t)(at + 1 + turmoil_any(3));
    }
    peer_rtcp_put_nack(&o, g->p->ssrc, x->ssrc, seqs, 1 + turmoil_any(40));
    if (turmoil_maybe(3)) {
        peer_rtcp_put_remb(&o, g->p->ssrc, x->ssrc, peer_rng_next(&turmoil.rng) >> turmoil_any(64));
    }
    peer_feedback_send(g->p, &o);
    peer_request_keyframe(g->p, turmoil_maybe(2));
    return true;
}

bool turmoil_send_rtp(void)
{
    struct turmoil_guest *g = guest_up();
    uint8_t buf[PACKET];

    if (!g || !g->p->n_tx) {
        return false;
    }
    const struct peer_tx *t = &g->p->tx[turmoil_any(g->p->n_tx)];
    for (unsigned n = 1 + turmoil_any(4); n; n--) {
        uint8_t pt = turmoil_maybe(4)   ? (uint8_t)turmoil_any(128)
                     : turmoil_maybe(3) ? t->rtx_pt
                                        : t->pt;
        uint16_t seq = (uint16_t)(turmoil_maybe(3) ? turmoil_any(65536) : t->seq + turmoil_any(9));
        size_t len = turmoil_rtp(&turmoil.rng, pt, seq, any_ssrc(g->p), buf);
        (void)peer_send_rtp(g->p, buf, len);
    }
    return true;
}

/* From a second address of somebody's, at any time: a check that may be right, then anything. */
bool turmoil_check(void)
{
    struct turmoil_guest *g = turmoil_guest(PEER_ICE, PEER_UP);
    uint8_t buf[1024];
    char user[520];

    if (!g) {
        return false;
    }
    snprintf(user, sizeof(user), "%.255s:%.255s", g->p->remote.ufrag, g->p->local.ufrag);
    size_t n = turmoil_stun(&turmoil.rng, user, g->p->remote.pwd, buf);
    if (turmoil_maybe(2)) {
        return peer_send_raw(g->p, buf, n) == 0;
    }
    int fd = turmoil.strangers[turmoil_any(TURMOIL_STRANGERS)];
    (void)send(fd, buf, n, 0);
    static const uint8_t record[] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1};
    turmoil_fill(&turmoil.rng, buf, 100);
    memcpy(buf, record, turmoil_maybe(2) ? sizeof(record) : 1);
    (void)send(fd, buf, 73, 0);
    return true;
}

bool turmoil_raw(void)
{
    static const uint8_t firsts[] = {0, 1, 20, 21, 22, 23, 24, 63, 64, 79, 127, 128, 144, 191, 255};
    struct turmoil_guest *g = turmoil_guest(PEER_DTLS, PEER_UP);
    uint8_t buf[PACKET];

    if (!g) {
        return false;
    }
    turmoil_fill(&turmoil.rng, buf, sizeof(buf));
    buf[0] = firsts[turmoil_any(PEER_LEN(firsts))];
    if (buf[0] >= 20 && buf[0] <= 24) { /* a DTLS record of any epoch */
        peer_put16(buf + 1, 0xfefd);
        peer_put16(buf + 3, turmoil_any(3));
        peer_put16(buf + 11, turmoil_maybe(2) ? 87 : turmoil_any(2000));
    }
    return peer_send_raw(g->p, buf, 1 + turmoil_any(turmoil_maybe(4) ? sizeof(buf) - 1 : 100)) == 0;
}

bool turmoil_move(void)
{
    struct turmoil_guest *g = turmoil_guest(PEER_ICE, PEER_UP);

    if (!g) {
        return false;
    }
    if (g->relayed && g->relay.tcp) {
        server_relay_reconnect(&g->relay);
        return true;
    }
    return !g->relayed && peer_rebind(g->p, turmoil_maybe(2)) == 0;
}

/* Less than a frame, or more, on the TCP connection of a session. */
bool turmoil_break_frames(void)
{
    struct turmoil_guest *g = turmoil.guests;
    uint8_t buf[200];

    while (g < turmoil.guests + TURMOIL_GUESTS &&
           !(g->relayed && g->relay.tcp && g->relay.outer.fd >= 0)) {
        g++;
    }
    if (g == turmoil.guests + TURMOIL_GUESTS) {
        return false;
    }
    turmoil_fill(&turmoil.rng, buf, sizeof(buf));
    return server_relay_raw(&g->relay, buf, 1 + turmoil_any(sizeof(buf)));
}

bool turmoil_change_media(void)
{
    struct turmoil_guest *g = guest_up();

    if (!g) {
        return false;
    }
    switch (turmoil_any(6)) {
    case 0:
        peer_set_paused(g->p, turmoil_maybe(2));
        break;
    case 1:
        peer_set_layer_paused(g->p, turmoil_any(PEER_LAYERS_MAX), turmoil_maybe(2));
        break;
    case 2:
        peer_set_voice(g->p, turmoil_maybe(2));
        break;
    case 3:
        peer_set_loss(g->p, turmoil_any(20) / 100.0, turmoil_any(20) / 100.0, turmoil_maybe(2));
        break;
    case 4:
        peer_send_bye(g->p);
        break;
    default:
        peer_force_keyframe(g->p);
    }
    return true;
}

/* ---- data channels ---- */

static struct turmoil_guest *guest_with_data(void)
{
    struct turmoil_guest *g = guest_up();

    return g && peer_data(g->p) && peer_data_is_up(peer_data(g->p)) ? g : NULL;
}

bool turmoil_open_channel(void)
{
    static const char *const labels[] = {"sluice", "chat", "", "game", "x"};
    struct turmoil_guest *g = guest_with_data();

    if (!g) {
        return false;
    }
    uint8_t type =
        (uint8_t)(turmoil_maybe(8) ? turmoil_any(256) : turmoil_any(3) | turmoil_any(2) << 7);
    return peer_data_open(peer_data(g->p), labels[turmoil_any(PEER_LEN(labels))],
                          turmoil_maybe(3) ? "p" : "", type, turmoil_any(5)) >= 0;
}

/* The stream of an open channel; now and then any, or when none is open. */
static uint16_t any_channel(const struct peer_data *d)
{
    uint16_t sid = (uint16_t)turmoil_any(turmoil_maybe(8) ? 300 : 12);

    for (unsigned n = 0; n < 30 && !turmoil_maybe(40); n++) {
        uint16_t at = (uint16_t)((sid + n) % 30);
        const struct peer_channel *c = peer_data_channel(d, at);
        if (c && c->state == PEER_CHANNEL_OPEN) {
            return at;
        }
    }
    return sid;
}

bool turmoil_say(void)
{
    static const uint32_t ppids[] = {PEER_PPID_DCEP,
                                     PEER_PPID_STRING,
                                     PEER_PPID_STRING,
                                     PEER_PPID_BINARY,
                                     PEER_PPID_STRING_EMPTY,
                                     0,
                                     54};
    static uint8_t buf[70000];
    struct turmoil_guest *g = guest_with_data();

    if (!g) {
        return false;
    }
    struct peer_message m = {.sid = any_channel(peer_data(g->p)),
                             .ppid = ppids[turmoil_any(PEER_LEN(ppids))],
                             .data = buf,
                             .len = 1 + turmoil_any(turmoil_maybe(8) ? sizeof(buf) - 1 : 60)};
    turmoil_fill(&turmoil.rng, buf, m.len);
    if (m.ppid == PEER_PPID_DCEP) { /* OPEN, often with lengths that fit */
        buf[0] = turmoil_maybe(4) ? 2 : 3;
        buf[8] = buf[10] = 0;
    } else if (turmoil_maybe(2)) {
        char *text = turmoil_edit(&turmoil.rng, turmoil_wish(), turmoil_maybe(4));
        m.len = strlen(text);
        memcpy(buf, text, m.len);
        free(text);
    }
    int r = m.len ? peer_data_send(peer_data(g->p), &m) : -EINVAL;
    if (turmoil_maybe(6)) {
        (void)peer_data_close(peer_data(g->p), (uint16_t)turmoil_any(12));
    }
    if (turmoil_maybe(20)) {
        peer_data_set_deaf(peer_data(g->p), turmoil_maybe(2));
    }
    return r == 0;
}

/* An SCTP packet that no stack would make, in the session's DTLS. */
bool turmoil_sctp(void)
{
    struct turmoil_guest *g = guest_up();
    uint8_t value[256], pkt[400];

    if (!g || !peer_data(g->p)) {
        return false;
    }
    uint8_t type = (uint8_t)(turmoil_maybe(4)   ? turmoil_any(256)
                             : turmoil_maybe(4) ? 130
                                                : turmoil_any(16));
    size_t n = turmoil_chunk(&turmoil.rng, type, value);
    uint32_t tag =
        turmoil_maybe(8) ? (uint32_t)peer_rng_next(&turmoil.rng) : peer_data_tag(peer_data(g->p));
    n = peer_data_forge(tag, type, (uint8_t)turmoil_any(8), value, n, pkt, sizeof(pkt));
    if (turmoil_maybe(8)) {
        turmoil_fill(&turmoil.rng, pkt, n);
    }
    return peer_send_data(g->p, pkt, n) == 0;
}

/* ---- connections ---- */

static bool connect_wire(int *fd, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return *fd >= 0 &&
           (connect(*fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
}

/* Something that begins like what the port expects. */
static size_t wire_words(uint8_t *out)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /room.html HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /whip/t1/a HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nv=0\r\n\r\nffffffffffffffff\r\n",
        "POST /whep/t1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
        "Content-Type: application/sdp\r\n\r\nv=0\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "GET http://other/whip/x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    };
    struct turmoil_guest *g = turmoil_guest(PEER_ICE, PEER_UP);
    char user[520];

    if (g && turmoil_maybe(2)) {
        snprintf(user, sizeof(user), "%.255s:%.255s", g->p->remote.ufrag, g->p->local.ufrag);
        size_t n = turmoil_stun(&turmoil.rng, user, g->p->remote.pwd, out + 2);
        peer_put16(out, turmoil_maybe(4) ? turmoil_any(65536) : (uint32_t)n);
        return n + 2;
    }
    const char *text = texts[turmoil_any(PEER_LEN(texts))];
    memcpy(out, text, strlen(text));
    return strlen(text);
}

bool turmoil_speak_raw(void)
{
    int *fd = &turmoil.wires[turmoil_any(TURMOIL_WIRES)];
    uint8_t buf[1024];

    if (*fd >= 0 && turmoil_maybe(4)) {
        struct linger hard = {.l_onoff = 1};
        if (turmoil_maybe(2)) {
            (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        }
        close(*fd);
        *fd = -1;
        return true;
    }
    if (*fd < 0) {
        return connect_wire(fd, turmoil_maybe(2) ? turmoil.server.http_port
                                                 : turmoil.server.media_port);
    }
    size_t n = wire_words(buf);
    if (turmoil_maybe(3)) {
        turmoil_fill(&turmoil.rng, buf + turmoil_any((unsigned)n), 1);
    }
    (void)send(*fd, buf, turmoil_maybe(2) ? n : 1 + turmoil_any((unsigned)n), MSG_NOSIGNAL);
    return true;
}
