/* SPDX-License-Identifier: Apache-2.0 */
/* test_peer_session.c - two peers talk to each other over loopback, one offering and one playing
 * the server: every role, codec, SRTP profile and repair, then HTTP, then the misbehaviour that
 * tests of the server rely on. All sessions of a group run at once on one loop. */
#include "tests/peer/peer_internal.h"
#include "tests/peer/test_check.h"
#include "tests/peer/test_origin.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#define RUN_US         3300000
#define GRACE_US       1300000 /* gaps are filled or given up */
#define LATENCY_MAX_NS 500000000
#define LATE_SHARE     10 /* a machine that stands still for a moment makes some packets late */

struct row {
    const char *name;
    bool play; /* the offerer plays, else it publishes */
    enum peer_codec codec;
    const char *setup, *srtp;
    bool fast_offerer, fast_answerer;
    bool ipv6, audio_only, sparse, no_rtx, no_nack;
    unsigned layers, temporal;
    double loss;
    unsigned quirks;
};

struct pair {
    const struct row *row;
    struct peer *offerer, *answerer;
    struct peer *viewer, *publisher;
    int64_t latency_max_ns;
    uint64_t with_latency, late;
};

static struct peer_loop *loop;
static struct peer_identity *identity;

static void on_packet(void *ctx, struct peer *p, const struct peer_packet *pkt)
{
    struct pair *x = ctx;

    (void)p;
    if (pkt->embed && !pkt->retransmitted) {
        x->with_latency++;
        x->late += pkt->latency_ns >= LATENCY_MAX_NS;
        x->latency_max_ns =
            pkt->latency_ns > x->latency_max_ns ? pkt->latency_ns : x->latency_max_ns;
    }
}

static void pair_params(const struct row *r, bool offerer, struct peer_params *m)
{
    bool play = r->play == offerer;

    peer_params_init(m);
    m->role = play ? PEER_PLAY : PEER_PUBLISH;
    m->lite = !offerer;
    m->n_video = r->audio_only ? 0 : 1;
    m->codecs = 1U << (r->codec ? r->codec : PEER_VP8);
    m->setup = r->setup ? r->setup : "actpass";
    m->srtp = r->srtp ? r->srtp : m->srtp;
    m->fast = offerer ? r->fast_offerer : r->fast_answerer;
    m->ipv6 = r->ipv6;
    m->rtx = !r->no_rtx;
    m->nack = !r->no_nack;
    m->verify_sparse = r->sparse;
    m->n_layers = r->layers ? r->layers : 1;
    m->temporal_layers = r->temporal ? r->temporal : 1;
    m->quirks = offerer ? r->quirks : 0;
    m->keyframe_ms = 1000;
    m->stream_id = 4711;
    m->seed = offerer ? 7 : 8;
}

/* Both ends, and offer and answer exchanged. */
static bool pair_start(struct pair *x, const struct row *r)
{
    struct peer_params m;

    *x = (struct pair){.row = r};
    pair_params(r, true, &m);
    m.events.ctx = x;
    m.events.on_packet = on_packet;
    x->offerer = peer_new(loop, identity, &m);
    pair_params(r, false, &m);
    m.events.ctx = x;
    m.events.on_packet = on_packet;
    x->answerer = peer_new(loop, identity, &m);
    if (!x->offerer || !x->answerer) {
        return false;
    }
    x->viewer = r->play ? x->offerer : x->answerer;
    x->publisher = r->play ? x->answerer : x->offerer;
    peer_set_loss(x->viewer, r->loss, 0, true);
    const char *offer = peer_offer(x->offerer);
    const char *answer = offer ? peer_answer(x->answerer, offer, strlen(offer)) : NULL;
    return answer && peer_set_answer(x->offerer, answer, strlen(answer)) == 0;
}

static void pair_end(struct pair *x)
{
    peer_free(x->offerer);
    peer_free(x->answerer);
}

static const char *fault_list(const struct peer *p)
{
    static char text[400];
    struct peer_text t = {.buf = text, .cap = sizeof(text)};

    text[0] = '\0';
    for (unsigned f = 0; f < PEER_FAULT_COUNT; f++) {
        if (p->stats.faults[f]) {
            peer_text_add(&t, " %s=%llu", peer_fault_name(f),
                          (unsigned long long)p->stats.faults[f]);
        }
    }
    return text;
}

static const struct row rows[] = {
    {.name = "WHIP VP8"},
    {.name = "WHEP VP8", .play = true},
    {.name = "WHIP VP9", .codec = PEER_VP9},
    {.name = "WHIP H264", .codec = PEER_H264},
    {.name = "WHEP AV1", .play = true, .codec = PEER_AV1},
    {.name = "WHIP passive as FFmpeg",
     .setup = "passive",
     .codec = PEER_H264,
     .srtp = "SRTP_AES128_CM_SHA1_80",
     .quirks = PEER_QUIRK_NO_EXTENSIONS | PEER_QUIRK_NO_CANDIDATES | PEER_QUIRK_BARE_CHECKS |
               PEER_QUIRK_NO_CONSENT},
    {.name = "WHEP active", .play = true, .setup = "active"},
    {.name = "WHEP AES-CM", .play = true, .srtp = "SRTP_AES128_CM_SHA1_80"},
    {.name = "WHEP GCM-256", .play = true, .srtp = "SRTP_AEAD_AES_256_GCM"},
    {.name = "WHEP EVP from libsrtp2", .play = true, .fast_offerer = true},
    {.name = "WHEP libsrtp2 from EVP", .play = true, .fast_answerer = true},
    {.name = "WHEP EVP both", .play = true, .fast_offerer = true, .fast_answerer = true},
    {.name = "WHEP IPv6", .play = true, .ipv6 = true},
    {.name = "WHEP audio only", .play = true, .audio_only = true},
    {.name = "WHEP sparse libsrtp2", .play = true, .sparse = true},
    {.name = "WHEP sparse EVP", .play = true, .sparse = true, .fast_offerer = true},
    {.name = "WHIP simulcast", .layers = 3},
    {.name = "WHEP temporal layers", .play = true, .temporal = 3},
    {.name = "WHEP 5 % loss, RTX", .play = true, .loss = 0.05},
    {.name = "WHEP 5 % loss, RTX, EVP", .play = true, .loss = 0.05, .fast_offerer = true},
    {.name = "WHIP 5 % loss, simulcast, RTX", .layers = 3, .loss = 0.05},
    {.name = "WHEP 5 % loss, plain resends",
     .play = true,
     .loss = 0.05,
     .no_rtx = true,
     .fast_offerer = true},
    {.name = "WHEP 5 % loss, no repair",
     .play = true,
     .loss = 0.05,
     .no_rtx = true,
     .no_nack = true},
};

static void judge_media(const struct pair *x)
{
    const struct row *r = x->row;
    const struct peer_stats *v = &x->viewer->stats, *s = &x->publisher->stats;
    uint64_t in_flight = 60 + (uint64_t)((double)s->sent_packets * r->loss * 2);

    check(v->packets > 100 && v->packets + in_flight > s->sent_packets, "%s: %llu of %llu packets",
          r->name, (unsigned long long)v->packets, (unsigned long long)s->sent_packets);
    check(!peer_faults(x->viewer) && !peer_faults(x->publisher), "%s: no fault%s%s", r->name,
          fault_list(x->viewer), fault_list(x->publisher));
    check(!v->rx_unauthentic && !v->rx_unknown && !v->rx_wrong_source && !v->stun_bad,
          "%s: every datagram understood (%llu %llu %llu %llu)", r->name,
          (unsigned long long)v->rx_unauthentic, (unsigned long long)v->rx_unknown,
          (unsigned long long)v->rx_wrong_source, (unsigned long long)v->stun_bad);
    check(r->sparse ? v->opened >= 4 && v->opened < v->packets / 4
                    : v->opened + v->padding == v->packets,
          "%s: %llu packets opened and verified", r->name, (unsigned long long)v->opened);
    check(x->with_latency > 2 && x->latency_max_ns > 0 && x->late * LATE_SHARE <= x->with_latency,
          "%s: latency at most %lld us, %llu of %llu late", r->name,
          (long long)x->latency_max_ns / 1000, (unsigned long long)x->late,
          (unsigned long long)x->with_latency);
    if (!r->audio_only) {
        check(v->first_keyframe_us && v->first_packet_us &&
                  (r->sparse || v->keyframes >= (r->no_nack ? 1 : 3)),
              "%s: key frames", r->name);
    }
}

static void judge_repair(const struct pair *x)
{
    const struct row *r = x->row;
    const struct peer_stats *v = &x->viewer->stats, *s = &x->publisher->stats;

    if (r->loss <= 0) {
        check(!v->missing && !v->lost && !v->rtx, "%s: nothing missing", r->name);
        return;
    }
    if (r->no_nack) {
        check(v->lost > 0 && !v->recovered && !v->nacks_sent && v->plis_sent > 0 &&
                  s->plis_received == v->plis_sent,
              "%s: %llu lost, PLI asked", r->name, (unsigned long long)v->lost);
        return;
    }
    /* audio has no NACK: its losses stay */
    check(v->missing_video > 5 && v->recovered == v->missing_video && !v->lost_video &&
              s->nacks_received > 0,
          "%s: %llu of %llu missing video packets recovered", r->name,
          (unsigned long long)v->recovered, (unsigned long long)v->missing_video);
    check(r->no_rtx ? !v->rtx : v->rtx > 0, "%s: by %s", r->name,
          r->no_rtx ? "plain resends" : "RTX");
}

static void judge_feedback(const struct pair *x)
{
    const struct row *r = x->row;
    const struct peer_stats *v = &x->viewer->stats, *s = &x->publisher->stats;
    bool twcc = !(r->quirks & PEER_QUIRK_NO_EXTENSIONS);

    check(s->reports_received > 0 && v->sender_reports_received > 0 && s->rtt_us < 500000,
          "%s: reports both ways, rtt %lld us", r->name, (long long)s->rtt_us);
    check(twcc ? s->twcc_received > 5 && !s->twcc_bad : !s->twcc_received, "%s: TWCC %llu", r->name,
          (unsigned long long)s->twcc_received);
}

static void sessions(void)
{
    static struct pair pairs[PEER_LEN(rows)];

    for (size_t i = 0; i < PEER_LEN(rows); i++) {
        check(pair_start(&pairs[i], &rows[i]), "%s: offer and answer", rows[i].name);
    }
    (void)peer_loop_run(loop, RUN_US, NULL, NULL);
    for (size_t i = 0; i < PEER_LEN(rows); i++) {
        peer_set_paused(pairs[i].publisher, true);
        peer_set_loss(pairs[i].viewer, 0, 0, true);
    }
    (void)peer_loop_run(loop, GRACE_US, NULL, NULL);
    for (size_t i = 0; i < PEER_LEN(rows); i++) {
        struct pair *x = &pairs[i];
        if (check(peer_state(x->viewer) == PEER_UP && peer_state(x->publisher) == PEER_UP,
                  "%s: both up%s%s", rows[i].name, peer_error(x->viewer),
                  peer_error(x->publisher))) {
            judge_media(x);
            judge_repair(x);
            judge_feedback(x);
        }
        pair_end(x);
    }
}

/* ---- misbehaviour ---- */

static const struct row plain = {.name = "script", .play = true};

static bool both_up(void *ctx)
{
    const struct pair *x = ctx;

    return peer_state(x->viewer) == PEER_UP && peer_state(x->publisher) == PEER_UP &&
           x->viewer->stats.packets > 10;
}

static bool offerer_done(void *ctx)
{
    return peer_state(((const struct pair *)ctx)->offerer) >= PEER_CLOSED;
}

static bool answerer_done(void *ctx)
{
    return peer_state(((const struct pair *)ctx)->answerer) >= PEER_CLOSED;
}

static void start_up(struct pair *x, const struct row *r)
{
    check(pair_start(x, r) && peer_loop_run(loop, 5000000, both_up, x), "%s: up", r->name);
}

static void scripted_media(void)
{
    struct pair x;
    start_up(&x, &plain);
    uint64_t before = x.viewer->stats.packets;
    (void)peer_rebind(x.viewer, true);
    (void)peer_loop_run(loop, 300000, NULL, NULL);
    check(x.viewer->stats.packets > before + 20, "rebind: media follows to the new port");

    uint64_t keys = x.publisher->stats.sent_keyframes;
    peer_request_keyframe(x.viewer, false);
    (void)peer_loop_run(loop, 200000, NULL, NULL);
    peer_request_keyframe(x.viewer, true);
    (void)peer_loop_run(loop, 200000, NULL, NULL);
    check(x.publisher->stats.sent_keyframes >= keys + 2 && x.publisher->stats.plis_received == 1 &&
              x.publisher->stats.firs_received == 1,
          "keyframe: PLI and FIR are obeyed");

    uint8_t evil[200] = {0x80, 96, 0, 1, 0, 0, 0, 0};
    peer_put32(evil + 8, 0xabcdef01);
    bool sealed = peer_send_rtp(x.publisher, evil, sizeof(evil)) == 0;
    evil[3] = 99; /* else libsrtp2's replay check answers before its authentication */
    check(sealed && peer_send_raw(x.publisher, evil, sizeof(evil)) == 0 &&
              peer_send_raw(x.publisher, (const uint8_t *)"\x02zzzzzzzzzzzzzzzzzzzzzzz", 24) == 0,
          "inject: sent");
    (void)peer_loop_run(loop, 100000, NULL, NULL);
    const struct peer_stats *v = &x.viewer->stats;
    check(v->faults[PEER_FAULT_SSRC] && v->faults[PEER_FAULT_HEADER] && v->rx_unauthentic == 1 &&
              v->stun_bad == 1,
          "inject: foreign SSRC, bad content, bad SRTP, bad STUN noticed (%s, %llu, %llu)",
          fault_list(x.viewer), (unsigned long long)v->rx_unauthentic,
          (unsigned long long)v->stun_bad);

    peer_set_silent(x.publisher, true);
    (void)peer_loop_run(loop, 100000, NULL, NULL);
    before = v->rx_datagrams;
    (void)peer_loop_run(loop, 300000, NULL, NULL);
    check(v->rx_datagrams == before, "silence: not one datagram");
    peer_set_silent(x.publisher, false);
    peer_send_bye(x.publisher);
    peer_send_close(x.publisher);
    check(peer_loop_run(loop, 1000000, offerer_done, &x) && v->byes_received == 2 &&
              peer_state(x.viewer) == PEER_CLOSED,
          "close: BYE of both streams, then close_notify");
    pair_end(&x);
}

static void bad_fingerprint(void)
{
    static const struct row r = {
        .name = "wrong fingerprint", .play = true, .quirks = PEER_QUIRK_BAD_FINGERPRINT};
    struct pair x;

    (void)pair_start(&x, &r);
    check(peer_loop_run(loop, 3000000, answerer_done, &x) &&
              peer_state(x.answerer) == PEER_FAILED &&
              strstr(peer_error(x.answerer), "fingerprint"),
          "wrong fingerprint: noticed (%s)", peer_error(x.answerer));
    pair_end(&x);
}

static void lossy_handshake(void)
{
    static const struct row r = {.name = "handshake at 30 % loss", .play = true};
    static struct pair x[8];
    unsigned up = 0;

    for (size_t i = 0; i < PEER_LEN(x); i++) {
        (void)pair_start(&x[i], &r);
        x[i].offerer->rng.state = x[i].answerer->rng.state = i;
        peer_set_loss(x[i].offerer, 0.3, 0.3, false);
    }
    for (int round = 0; round < 50 && up < PEER_LEN(x); round++) {
        (void)peer_loop_run(loop, 200000, NULL, NULL);
        up = 0;
        for (size_t i = 0; i < PEER_LEN(x); i++) {
            up += both_up(&x[i]);
        }
    }
    check(up == PEER_LEN(x), "handshake at 30 %% loss both ways: %u of 8 up", up);
    for (size_t i = 0; i < PEER_LEN(x); i++) {
        pair_end(&x[i]);
    }
}

static void no_common_profile(void)
{
    static const struct row r = {.name = "no common profile"};
    struct peer_params m;
    struct pair x = {.row = &r};

    pair_params(&r, true, &m);
    m.srtp = "SRTP_AEAD_AES_256_GCM";
    x.offerer = peer_new(loop, identity, &m);
    pair_params(&r, false, &m);
    m.srtp = "SRTP_AES128_CM_SHA1_80";
    x.answerer = peer_new(loop, identity, &m);
    const char *offer = peer_offer(x.offerer);
    const char *answer = peer_answer(x.answerer, offer, strlen(offer));
    (void)peer_set_answer(x.offerer, answer, strlen(answer));
    check(peer_loop_run(loop, 3000000, offerer_done, &x) && peer_state(x.offerer) == PEER_FAILED,
          "no common SRTP profile: refused (%s)", peer_error(x.offerer));
    pair_end(&x);
}

/* ---- over HTTP ---- */

static void on_http(void *ctx, struct peer *p, const char *method,
                    const struct peer_http_response *r)
{
    int *status = ctx;

    (void)p;
    status[!strcmp(method, "POST") ? 0 : !strcmp(method, "PATCH") ? 1 : 2] = r->status;
}

static bool is_up(void *ctx)
{
    struct peer *p = ctx;
    return peer_state(p) >= PEER_UP &&
           (peer_state(p) > PEER_UP || p->stats.sent_packets > 50 || p->stats.packets > 50);
}

static void over_http(bool play, bool trickle)
{
    struct origin o;
    struct peer_params m;
    int status[3] = {0}; /* POST, PATCH, DELETE */
    char url[64];

    if (!check(origin_open(&o, loop, identity) == 0, "http: origin listens")) {
        return;
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s/live", o.port, play ? "whep" : "whip");
    peer_params_init(&m);
    m.role = play ? PEER_PLAY : PEER_PUBLISH;
    m.url = url;
    m.token = "secret";
    m.trickle = trickle;
    m.events.on_http = on_http;
    m.events.ctx = status;
    struct peer *p = peer_new(loop, identity, &m);
    const char *kind = play ? "WHEP" : "WHIP";
    check(peer_join(p) == 0 && peer_loop_run(loop, 5000000, is_up, p) && peer_state(p) == PEER_UP &&
              p->stats.http_status == 201,
          "http: %s up with %s candidates %s", kind, trickle ? "trickled" : "offered",
          peer_error(p));
    check(o.patches == (trickle ? 1U : 0U) && o.authorized == o.requests && status[0] == 201 &&
              status[1] == (trickle ? 204 : 0),
          "http: %s requests", kind);

    char before[257];
    snprintf(before, sizeof(before), "%.256s", p->remote.ufrag);
    uint64_t answered = p->stats.stun_responses;
    check(peer_ice_restart(p) == 0, "http: %s restart sent", kind);
    (void)peer_loop_run(loop, 400000, NULL, NULL);
    uint64_t count = play ? p->stats.packets : o.peer->stats.packets;
    (void)peer_loop_run(loop, 300000, NULL, NULL);
    check(strcmp(before, p->remote.ufrag) && p->stats.stun_responses > answered &&
              (play ? p->stats.packets : o.peer->stats.packets) > count + 20,
          "http: %s new credentials work and media goes on", kind);
    check(!peer_faults(p) && !peer_faults(o.peer), "http: %s no fault%s%s", kind, fault_list(p),
          fault_list(o.peer));
    check(peer_delete(p) == 0, "http: %s DELETE sent", kind);
    (void)peer_loop_run(loop, 400000, NULL, NULL);
    check(status[2] == 200 && peer_state(p) == PEER_CLOSED, "http: %s DELETE 200, close_notify",
          kind);
    peer_free(p);
    origin_close(&o);
}

static void refused_joins(void)
{
    static const struct {
        const char *path, *error;
    } cases[] = {
        {"none", "POST: status 404"},
        {"whip/no-location", "POST: Location"},
        {"whip/broken", "answer"},
        {"whip/hang", "not up in time"},
    };
    struct origin o;
    struct peer_params m;
    char url[96];

    (void)origin_open(&o, loop, identity);
    for (size_t i = 0; i <= PEER_LEN(cases); i++) {
        bool closed_port = i == PEER_LEN(cases);
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s", closed_port ? 1 : o.port,
                 closed_port ? "whip/x" : cases[i].path);
        peer_params_init(&m);
        m.url = url;
        m.join_timeout_us = 700000;
        struct pair x = {.offerer = peer_new(loop, identity, &m)};
        int r = peer_join(x.offerer);
        bool ended = r < 0 || peer_loop_run(loop, 2000000, offerer_done, &x);
        const char *want = closed_port ? "POST: Connection refused" : cases[i].error;
        check(ended && (r < 0 || strstr(peer_error(x.offerer), want)), "http: refused (%s)",
              r < 0 ? strerror(-r) : peer_error(x.offerer));
        peer_free(x.offerer);
    }
    origin_close(&o);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    loop = peer_loop_new(PEER_LOOP_GRO);
    identity = peer_identity_new();
    if (!loop || !identity) {
        printf("Bail out! no loop or no certificate\n");
        return 1;
    }
    sessions();
    scripted_media();
    bad_fingerprint();
    no_common_profile();
    lossy_handshake();
    over_http(false, false);
    over_http(true, true);
    refused_joins();
    peer_identity_free(identity);
    peer_loop_free(loop);
    return checks_report();
}
