/* SPDX-License-Identifier: Apache-2.0 */
/* test_clients.c - clients of every kind at once: codecs, layers, DTLS roles, SRTP profiles, repair
 * with and without RTX under loss, the habits of OBS and FFmpeg; then clients that must not get
 * through: wrong certificate, DTLS without use_srtp. */
#include "tests/peer/peer_bytes.h"
#include "tests/server/server_relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAY_MS SERVER_SCALED(3000, 6000)
#define LOSS    0.05
#define CM      "SRTP_AES128_CM_SHA1_80"
#define GCM     "SRTP_AEAD_AES_128_GCM"
#define GCM_256 "SRTP_AEAD_AES_256_GCM"
#define OBS     (PEER_QUIRK_NO_CANDIDATES | PEER_QUIRK_NO_MID | PEER_QUIRK_IGNORE_PLI)
#define FFMPEG                                                                                     \
    (PEER_QUIRK_NO_EXTENSIONS | PEER_QUIRK_NO_CANDIDATES | PEER_QUIRK_BARE_CHECKS |                \
     PEER_QUIRK_NO_RSIZE | PEER_QUIRK_IGNORE_PLI | PEER_QUIRK_NO_CONSENT)

static struct server server;

/* One side of a pair, as it differs from the default. */
struct side {
    const char *srtp, *setup;
    bool no_rtx, no_nack, no_twcc, ipv6, trickle, fast;
    unsigned quirks;
    double loss; /* of media: in for a viewer, out for a publisher */
};

struct row {
    const char *name;
    enum peer_codec codec;
    unsigned layers, temporal;
    bool audio_only, video_only;
    struct side pub, viewer;
    enum peer_profile want; /* of the viewer; 0 = any */
};

static const struct row rows[] = {
    {.name = "vp8", .codec = PEER_VP8},
    {.name = "vp9", .codec = PEER_VP9},
    {.name = "h264", .codec = PEER_H264},
    {.name = "av1", .codec = PEER_AV1},
    {.name = "vp8-temporal", .codec = PEER_VP8, .temporal = 3},
    {.name = "vp9-temporal", .codec = PEER_VP9, .temporal = 3},
    {.name = "vp8-simulcast", .codec = PEER_VP8, .layers = 3},
    {.name = "h264-simulcast", .codec = PEER_H264, .layers = 3},
    {.name = "ssrc-group", .codec = PEER_VP8, .layers = 3, .pub = {.quirks = PEER_QUIRK_SIM_GROUP}},
    {.name = "ssrc-group-loss",
     .codec = PEER_VP8,
     .layers = 3,
     .pub = {.quirks = PEER_QUIRK_SIM_GROUP, .loss = LOSS}},
    {.name = "audio-only", .codec = PEER_VP8, .audio_only = true},
    {.name = "video-only", .codec = PEER_VP8, .video_only = true},
    {.name = "ipv6", .codec = PEER_VP8, .pub = {.ipv6 = true}, .viewer = {.ipv6 = true}},
    {.name = "trickle", .codec = PEER_VP8, .pub = {.trickle = true}, .viewer = {.trickle = true}},
    {.name = "obs", .codec = PEER_H264, .pub = {.quirks = OBS, .no_twcc = true}},
    {.name = "ffmpeg",
     .codec = PEER_H264,
     .pub = {.srtp = CM, .setup = "passive", .quirks = FFMPEG, .no_rtx = true, .no_twcc = true}},
    {.name = "ffmpeg-plays",
     .codec = PEER_VP8,
     .viewer = {.srtp = CM, .setup = "passive", .quirks = FFMPEG, .no_rtx = true, .no_twcc = true},
     .want = PEER_PROFILE_CM_SHA1_80},
    {.name = "no-ssrc-lines",
     .codec = PEER_VP8,
     .pub = {.quirks = PEER_QUIRK_NO_SSRC_LINES},
     .viewer = {.quirks = PEER_QUIRK_NO_SSRC_LINES}},
    {.name = "simulcast-no-ssrc-lines",
     .codec = PEER_VP8,
     .layers = 3,
     .pub = {.quirks = PEER_QUIRK_NO_SSRC_LINES}},
    {.name = "active",
     .codec = PEER_VP8,
     .pub = {.setup = "active"},
     .viewer = {.setup = "active"}},
    {.name = "passive",
     .codec = PEER_VP8,
     .pub = {.setup = "passive"},
     .viewer = {.setup = "passive"}},
    {.name = "gcm-128",
     .codec = PEER_VP8,
     .pub = {.srtp = GCM},
     .viewer = {.srtp = GCM},
     .want = PEER_PROFILE_GCM_128},
    {.name = "gcm-256-or-128", .codec = PEER_VP8, .viewer = {.srtp = GCM_256 ":" GCM}},
    {.name = "cm",
     .codec = PEER_VP8,
     .pub = {.srtp = CM},
     .viewer = {.srtp = CM},
     .want = PEER_PROFILE_CM_SHA1_80},
    {.name = "prefers-gcm",
     .codec = PEER_VP8,
     .viewer = {.srtp = CM ":" GCM},
     .want = PEER_PROFILE_GCM_128},
    {.name = "loss-rtx",
     .codec = PEER_VP8,
     .viewer = {.srtp = GCM, .loss = LOSS},
     .want = PEER_PROFILE_GCM_128},
    {.name = "loss-rtx-h264", .codec = PEER_H264, .viewer = {.loss = LOSS}},
    {.name = "loss-rtx-cm", .codec = PEER_VP8, .viewer = {.srtp = CM, .loss = LOSS}},
    /* NACK without RTX: the server takes AES-CM whatever the client prefers, since a repetition
       under GCM would need the same nonce. */
    {.name = "loss-no-rtx",
     .codec = PEER_VP8,
     .viewer = {.no_rtx = true, .loss = LOSS},
     .want = PEER_PROFILE_CM_SHA1_80},
    {.name = "publisher-loss", .codec = PEER_VP8, .pub = {.loss = LOSS}},
    {.name = "publisher-loss-no-rtx", .codec = PEER_VP8, .pub = {.no_rtx = true, .loss = LOSS}},
    {.name = "loss-both-ways",
     .codec = PEER_VP8,
     .temporal = 2,
     .pub = {.loss = LOSS},
     .viewer = {.loss = LOSS}},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static struct peer *start(const struct row *r, bool publisher)
{
    const struct side *d = publisher ? &r->pub : &r->viewer;
    struct peer_params m;
    char stream[64];

    server_params(publisher ? PEER_PUBLISH : PEER_PLAY, &m);
    m.codecs = 1U << r->codec;
    m.n_layers = publisher && r->layers ? r->layers : 1;
    m.temporal_layers = r->temporal ? r->temporal : 1;
    m.n_audio = r->video_only ? 0 : 1;
    m.n_video = r->audio_only ? 0 : 1;
    m.srtp = d->srtp ? d->srtp : m.srtp;
    m.setup = d->setup ? d->setup : m.setup;
    m.rtx = !d->no_rtx;
    m.nack = !d->no_nack;
    m.twcc = !d->no_twcc;
    m.ipv6 = d->ipv6;
    m.trickle = d->trickle;
    m.quirks = d->quirks;
    /* What a publisher lost before a key frame is not asked for any more: none, where all counts.
     */
    m.keyframe_ms = r->pub.loss > 0 ? 60000 : 1000;
    m.video_kbps = SERVER_SCALED(300, 150);
    snprintf(stream, sizeof(stream), "%s", r->name);
    return server_peer(&server, stream, &m);
}

static void judge(const struct row *r, struct peer *pub, struct peer *viewer)
{
    const struct peer_stats *st = peer_stats(viewer);
    bool lossy = r->pub.loss > 0 || r->viewer.loss > 0;

    if (!lossy) {
        check(server_flawless(viewer, r->name), "%s: nothing lost, nothing wrong", r->name);
    } else {
        bool whole = st->lost_video == 0 && peer_faults(viewer) == 0 && st->recovered > 0;
        if (!whole) {
            (void)server_flawless(viewer, r->name);
        }
        check(whole, "%s: all of the picture was recovered (%llu lost, %llu recovered)", r->name,
              (unsigned long long)st->lost_video, (unsigned long long)st->recovered);
    }
    check(r->audio_only || (st->keyframes > 0 && st->frames > 10), "%s: %llu frames decoded",
          r->name, (unsigned long long)st->frames);
    if (r->viewer.loss > 0) {
        check(r->viewer.no_rtx ? st->rtx == 0 : st->rtx > 0, "%s: repaired %s RTX", r->name,
              r->viewer.no_rtx ? "without" : "by");
    }
    if (r->want) {
        check(st->profile == r->want, "%s: SRTP profile %d (%d)", r->name, r->want, st->profile);
    }
    check(peer_faults(pub) == 0, "%s: the publisher was told nothing wrong", r->name);
}

static void test_rows(void)
{
    struct peer *pubs[N_ROWS], *viewers[N_ROWS];

    for (size_t i = 0; i < N_ROWS; i++) {
        pubs[i] = start(&rows[i], true);
    }
    check(server_wait_playing(&server, pubs, N_ROWS) == 0, "%zu publishers are up", N_ROWS);
    for (size_t i = 0; i < N_ROWS; i++) {
        peer_set_loss(pubs[i], 0, rows[i].pub.loss, true);
        viewers[i] = start(&rows[i], false);
    }
    check(server_wait_playing(&server, viewers, N_ROWS) == 0, "%zu viewers are up", N_ROWS);
    for (size_t i = 0; i < N_ROWS; i++) {
        peer_set_loss(viewers[i], rows[i].viewer.loss, 0, true);
    }
    server_run(&server, PLAY_MS);
    for (size_t i = 0; i < N_ROWS; i++) {
        peer_set_loss(pubs[i], 0, 0, true);
        peer_set_loss(viewers[i], 0, 0, true);
    }
    server_run(&server, SERVER_SCALED(200, 500)); /* a packet behind the last gap shows it */
    for (size_t i = 0; i < N_ROWS; i++) {
        peer_set_paused(pubs[i], true);
    }
    server_drain(&server, NULL, viewers, N_ROWS);
    for (size_t i = 0; i < N_ROWS; i++) {
        judge(&rows[i], pubs[i], viewers[i]);
    }
    server_free_peers(&server, viewers, N_ROWS);
    server_free_peers(&server, pubs, N_ROWS);
}

/* ---- layers of an SSRC group ---- */

struct group_viewer {
    int layer, want;
};

static void note_layer(void *ctx, struct peer *p, const struct peer_packet *pkt)
{
    struct group_viewer *g = ctx;

    (void)p;
    if (pkt->video && pkt->embed) {
        g->layer = pkt->embed->layer;
    }
}

static bool has_layer(void *ctx)
{
    const struct group_viewer *g = ctx;

    return g->layer == g->want;
}

/* The names that a listing has for them are what a viewer wishes by. */
static void test_group(void)
{
    static const struct {
        const char *wish;
        int want;
    } steps[] = {{"", 2}, {",\"rid\":\"s0\"", 0}, {",\"rid\":\"s1\"", 1}, {"", 2}};
    struct group_viewer g = {.layer = -1};
    struct peer_params m;

    server_params(PEER_PUBLISH, &m);
    m.n_layers = 3;
    m.video_kbps = SERVER_SCALED(900, 300);
    m.quirks = PEER_QUIRK_SIM_GROUP;
    struct peer *pub = server_peer(&server, "group", &m);
    check(server_wait_playing(&server, &pub, 1) == 0, "group: the publisher is up");
    server_params(PEER_PLAY, &m);
    m.events = (struct peer_events){.on_packet = note_layer, .ctx = &g};
    struct peer *viewer = server_peer(&server, "group", &m);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct server_reply r;
        char path[600], body[80];
        g.want = steps[i].want;
        if (i > 0) {
            snprintf(path, sizeof(path), "%s/layer", strstr(peer_location(viewer), "/session/"));
            snprintf(body, sizeof(body), "{\"mediaId\":\"1\"%s}", steps[i].wish);
            int status = server_http(&server, false, "POST", path, "application/json", body, &r);
            check(status == 200, "group: %s is taken (%d)", body, status);
            free(r.body);
        }
        check(server_until(&server, SERVER_PATIENCE_MS, has_layer, &g), "group: layer %d (%d)",
              g.want, g.layer);
    }
    check(server_flawless(viewer, "group"), "group: each switch on a key frame");
    server_free_peers(&server, &viewer, 1);
    server_free_peers(&server, &pub, 1);
}

/* ---- repetitions, byte for byte ---- */

#define WIRE_MAX 65536

/* What the server has put on the wire, by sequence number, for the video SSRC. */
struct wire {
    struct {
        uint16_t len;
        uint8_t buf[1500];
    } * at;
    uint32_t ssrc;
    unsigned seen, dropped, again, different;
};

/* Drops every twentieth packet when it comes first, and compares it when it comes again. */
static bool on_wire(void *ctx, bool to_peer, const uint8_t *buf, size_t len)
{
    struct wire *w = ctx;

    if (!to_peer || len < 12 || buf[0] < 128 || buf[0] > 191 || (buf[1] & 0x7f) < 90 ||
        buf[1] >= 200 || len > sizeof(w->at[0].buf) || peer_get32(buf + 8) != w->ssrc) {
        return true;
    }
    uint16_t seq = peer_get16(buf + 2);
    if (w->at[seq].len) {
        w->again++;
        w->different += w->at[seq].len != len || memcmp(w->at[seq].buf, buf, len) != 0;
        return true;
    }
    w->at[seq].len = (uint16_t)len;
    memcpy(w->at[seq].buf, buf, len);
    w->dropped += ++w->seen % 20 == 0;
    return w->seen % 20 != 0;
}

static void test_identical(void)
{
    struct server_relay relay;
    struct wire wire = {.at = calloc(WIRE_MAX, sizeof(*wire.at))};
    struct peer_params m;
    struct peer *pub = server_publisher(&server, "identical");

    check(server_wait_playing(&server, &pub, 1) == 0, "identical: the publisher is up");
    server_relay_open(&relay, &server, false);
    relay.pass = on_wire;
    relay.ctx = &wire;
    server_params(PEER_PLAY, &m);
    m.rtx = false;
    struct peer *viewer = server_relay_peer(&relay, "identical", &m);
    const struct peer_sdp *answer = peer_remote(viewer);
    wire.ssrc = answer && answer->n_media > 1 ? answer->media[1].ssrc : 0;
    check(wire.ssrc != 0 && server_wait_playing(&server, &viewer, 1) == 0,
          "identical: the viewer is up");
    server_run(&server, SERVER_SCALED(2000, 5000));
    peer_set_paused(pub, true);
    server_drain(&server, pub, &viewer, 1);
    check(peer_stats(viewer)->profile == PEER_PROFILE_CM_SHA1_80, "identical: AES-CM was chosen");
    check(wire.dropped > 3 && wire.again >= wire.dropped - 1,
          "identical: %u of %u packets were dropped, %u repeated", wire.dropped, wire.seen,
          wire.again);
    check(wire.different == 0, "identical: every repetition is the same bytes (%u are not)",
          wire.different);
    check(peer_faults(viewer) == 0, "identical: nothing is wrong");
    server_free_peers(&server, &viewer, 1);
    server_free_peers(&server, &pub, 1);
    server_relay_close(&relay);
    free(wire.at);
}

/* ---- refused ---- */

struct refusal {
    const char *name, *srtp, *setup;
    unsigned quirks;
};

static const struct refusal refusals[] = {
    {"another certificate, client", NULL, "active", PEER_QUIRK_BAD_FINGERPRINT},
    {"another certificate, server", NULL, "passive", PEER_QUIRK_BAD_FINGERPRINT},
    {"no use_srtp, client", "", "active", 0},
    {"no use_srtp, server", "", "passive", 0},
    {"a profile we do not have", "SRTP_AES128_CM_SHA1_32", "active", 0},
};
#define N_REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static bool none_up(void *ctx)
{
    struct peer **p = ctx;

    for (size_t i = 0; i < N_REFUSALS; i++) {
        if (peer_state(p[i]) < PEER_CLOSED) {
            return false;
        }
    }
    return true;
}

static void test_refusals(void)
{
    struct peer *p[N_REFUSALS];
    const char *name = "sluice_sessions_ended_total{role=\"play\",reason=\"dtls_failed\"}";
    struct peer *pub = server_publisher(&server, "refusing");
    struct peer *good = NULL;

    check(server_wait_playing(&server, &pub, 1) == 0, "a publisher is up");
    good = server_viewer(&server, "refusing");
    check(server_wait_playing(&server, &good, 1) == 0, "a viewer is up");
    server_settle(&server);
    int64_t before = server_metric(&server, name);
    int64_t up = server_metric(&server, "sluice_dtls_up_total");
    for (size_t i = 0; i < N_REFUSALS; i++) {
        struct peer_params m;
        server_params(PEER_PLAY, &m);
        m.srtp = refusals[i].srtp ? refusals[i].srtp : m.srtp;
        m.setup = refusals[i].setup;
        m.quirks = refusals[i].quirks;
        m.join_timeout_us = SERVER_SCALED(4000000, 12000000);
        p[i] = server_peer(&server, "refusing", &m);
    }
    int64_t ended = server_wait_metric(&server, name, before + (int64_t)N_REFUSALS) - before;
    check(ended == (int64_t)N_REFUSALS, "%zu clients end as dtls_failed (%lld)", N_REFUSALS,
          (long long)ended);
    (void)server_until(&server, SERVER_PATIENCE_MS, none_up, p);
    for (size_t i = 0; i < N_REFUSALS; i++) {
        check(peer_stats(p[i])->packets == 0 && peer_state(p[i]) != PEER_UP,
              "%s: gets no media (%s: %s)", refusals[i].name, peer_state_name(peer_state(p[i])),
              peer_error(p[i]));
    }
    server_settle(&server);
    check(server_metric(&server, "sluice_dtls_up_total") == up, "none of them counts as up");
    check(server_sessions_now(&server) == 2, "none of their sessions is left");
    check(peer_faults(good) == 0 && peer_stats(good)->lost == 0, "the good viewer noticed nothing");
    for (size_t i = 0; i < N_REFUSALS; i++) {
        peer_free(p[i]);
    }
    server_free_peers(&server, &good, 1);
    server_free_peers(&server, &pub, 1);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"media.workers=2", NULL};

    server_init(&server, argc, argv);
    server_start(&server, sets);
    test_rows();
    test_group();
    test_identical();
    test_refusals();
    server_fini(&server);
    return check_report();
}
