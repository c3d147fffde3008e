/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fixture.h"
#include "tests/server/turmoil.h"
#include "tests/server/turmoil_bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SDP_TYPE "application/sdp"

struct turmoil turmoil;

unsigned turmoil_any(unsigned n)
{
    return turmoil_below(&turmoil.rng, n);
}

bool turmoil_maybe(unsigned n)
{
    return turmoil_once_in(&turmoil.rng, n);
}

/* ---- guests ---- */

struct turmoil_guest *turmoil_guest(enum peer_state from, enum peer_state to)
{
    for (unsigned i = turmoil_any(TURMOIL_GUESTS), n = 0; n < TURMOIL_GUESTS;
         n++, i = (i + 1) % TURMOIL_GUESTS) {
        struct peer *p = turmoil.guests[i].p;
        if (p && peer_state(p) >= from && peer_state(p) <= to) {
            return &turmoil.guests[i];
        }
    }
    return NULL;
}

static void guest_go(struct turmoil_guest *g)
{
    peer_free(g->p);
    if (g->relayed) {
        server_relay_close(&g->relay);
    }
    free(g->offer);
    *g = (struct turmoil_guest){.life = g->life + 1};
}

static void stream_name(enum peer_role role, char *out, size_t cap)
{
    static const char *const people[] = {"a", "b", "c", "a~screen", "main"};
    char odd[128];

    turmoil_name(&turmoil.rng, odd, sizeof(odd));
    if (turmoil_maybe(12)) {
        snprintf(out, cap, "%s", odd);
    } else if (role == PEER_PLAY && !turmoil_maybe(3)) {
        snprintf(out, cap, "t%u", turmoil_any(3));
    } else {
        snprintf(out, cap, "t%u/%s", turmoil_any(3), people[turmoil_any(PEER_LEN(people))]);
    }
    if (turmoil_maybe(4)) {
        size_t n = strlen(out);
        static const char *const keys[] = {"as=a", "as", "name", "e2ee=1", "x"};
        snprintf(out + n, cap - n, "?%s=%s", keys[turmoil_any(PEER_LEN(keys))], odd);
    }
}

static void draw_params(struct peer_params *m)
{
    static const char *const setups[] = {"actpass", "active", "passive"};
    static const char *const profiles[] = {"SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80",
                                           "SRTP_AES128_CM_SHA1_80", "SRTP_AEAD_AES_256_GCM"};

    server_params(turmoil_maybe(3) ? PEER_PUBLISH : PEER_PLAY, m);
    m->video_kbps = 100;
    m->fps = 10;
    m->codecs = 1 + turmoil_any((1U << PEER_CODEC_COUNT) - 1);
    m->n_audio = m->role == PEER_PLAY ? turmoil_any(4) : turmoil_any(2);
    m->n_video = m->role == PEER_PLAY ? turmoil_any(6) : turmoil_any(2);
    m->n_layers = m->role == PEER_PUBLISH && m->n_video ? 1 + turmoil_any(PEER_LAYERS_MAX) : 1;
    m->temporal_layers = 1 + turmoil_any(3);
    m->data = turmoil_maybe(3) || m->n_audio + m->n_video == 0;
    m->rtx = !turmoil_maybe(4);
    m->nack = !turmoil_maybe(4);
    m->twcc = !turmoil_maybe(4);
    m->trickle = turmoil_maybe(4);
    m->ipv6 = turmoil_maybe(6);
    m->setup = setups[turmoil_any(3)];
    m->srtp = profiles[turmoil_any(3)];
    m->quirks = turmoil_maybe(3) ? (unsigned)peer_rng_next(&turmoil.rng) & 0xfff : 0;
    m->keyframe_ms = turmoil_any(3000);
    m->seed = peer_rng_next(&turmoil.rng);
}

bool turmoil_come(void)
{
    struct turmoil_guest *g = &turmoil.guests[turmoil_any(TURMOIL_GUESTS)];
    struct peer_params m;
    char stream[512], url[640];

    if (g->p) {
        return false;
    }
    draw_params(&m);
    stream_name(m.role, stream, sizeof(stream));
    g->relayed = turmoil_maybe(4);
    if (g->relayed) {
        stream[96] = '\0'; /* what the relay takes */
        m.ipv6 = false;
        server_relay_open(&g->relay, &turmoil.server, turmoil_maybe(2));
        g->p = server_relay_peer(&g->relay, stream, &m);
        return true;
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s/%s", turmoil.server.http_port,
             m.role == PEER_PUBLISH ? "whip" : "whep", stream);
    m.url = url;
    g->p = peer_new(turmoil.server.loop, turmoil.server.identity, &m);
    if (!g->p) {
        check_give_up("a peer cannot be made: %s", strerror(errno));
    }
    if (turmoil_maybe(2)) {
        (void)peer_join(g->p);
        return true;
    }
    const char *own = peer_offer(g->p);
    g->offer = turmoil_edit(&turmoil.rng, own ? own : "", 4);
    (void)turmoil_request(false, "POST", url, SDP_TYPE, g->offer, g);
    return true;
}

/* Nobody stays for the answer. */
bool turmoil_post_offer(void)
{
    char stream[512], path[600];
    char *text = turmoil_edit(&turmoil.rng, turmoil.offers[turmoil_any(turmoil.n_offers)], 6);
    bool publish = turmoil_maybe(2);

    stream_name(publish ? PEER_PUBLISH : PEER_PLAY, stream, sizeof(stream));
    snprintf(path, sizeof(path), "/%s/%s", publish ? "whip" : "whep", stream);
    bool done = turmoil_request(false, "POST", path, turmoil_maybe(20) ? "text/plain" : SDP_TYPE,
                                text, NULL);
    free(text);
    return done;
}

bool turmoil_leave(void)
{
    struct turmoil_guest *g = turmoil_guest(PEER_NEW, PEER_FAILED);

    if (!g || (peer_state(g->p) < PEER_UP && !turmoil_maybe(3))) {
        return false;
    }
    if (peer_state(g->p) > PEER_UP) {
        guest_go(g);
        return true;
    }
    switch (turmoil_any(5)) {
    case 0:
        peer_send_close(g->p);
        break;
    case 1: /* twice */
        (void)peer_delete(g->p);
        (void)peer_delete(g->p);
        return true; /* whoever goes on after it */
    case 2:
        peer_set_silent(g->p, true);
        return true;
    default:
        break; /* without a word, in the midst of it */
    }
    guest_go(g);
    return true;
}

/* ---- all of them ---- */

static void keep_offer(const char *name, const char *text, size_t len)
{
    (void)name;
    if (turmoil.n_offers < TURMOIL_OFFERS && len) {
        turmoil.offers[turmoil.n_offers++] = strdup(text);
    }
}

void turmoil_open(void)
{
    (void)fixture_each("sdp", ".sdp", keep_offer);
    check(turmoil.n_offers > 40, "%u offers to begin with", turmoil.n_offers);
    for (unsigned i = 0; i < TURMOIL_WIRES; i++) {
        turmoil.wires[i] = -1;
    }
    for (unsigned i = 0; i < TURMOIL_STRANGERS; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(turmoil.server.media_port)};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        turmoil.strangers[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(turmoil.strangers[i], (struct sockaddr *)&to, sizeof(to))) {
            check_give_up("a stranger has no socket: %s", strerror(errno));
        }
    }
}

void turmoil_all_leave(void)
{
    for (unsigned i = 0; i < TURMOIL_GUESTS; i++) {
        if (turmoil.guests[i].p) {
            guest_go(&turmoil.guests[i]);
        }
    }
    for (unsigned i = 0; i < TURMOIL_ASKS; i++) {
        peer_http_cancel(turmoil.asks[i].http);
        turmoil.asks[i].http = NULL;
    }
    for (unsigned i = 0; i < TURMOIL_WIRES; i++) {
        if (turmoil.wires[i] >= 0) {
            close(turmoil.wires[i]);
            turmoil.wires[i] = -1;
        }
    }
}

void turmoil_close(void)
{
    for (unsigned i = 0; i < TURMOIL_STRANGERS; i++) {
        close(turmoil.strangers[i]);
    }
    while (turmoil.n_offers) {
        free(turmoil.offers[--turmoil.n_offers]);
    }
}
