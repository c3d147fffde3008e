/* SPDX-License-Identifier: Apache-2.0 */
/* test_hostile.c - peers that are let in and then misbehave: broken RTP and RTCP, foreign payload
 * types and SSRCs, storms of NACK and PLI, a publisher above its cap. Everything has its counter,
 * what it costs is bounded, and another session on the same server is not disturbed. */
#include "tests/peer/peer_internal.h"
#include "tests/server/server_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH       60  /* packets of each kind */
#define SSRCS      300 /* of nobody */
#define CAP_KBPS   2000
#define STORMERS   8
#define STORM_MS   5000
#define PLIS_MS    6000 /* one in 4 s is always allowed, however dear key frames are */
#define DROPPED(w) "sluice_dropped_packets_total{reason=\"" w "\"}"
#define PLI_PER_S  4
#define RTP_HEAD   12
#define VIDEO(p)   ((p)->tx[(p)->n_tx - 1])
#define EGRESS_PCT 120

static struct server server;

/* Publisher and viewer that have nothing to do with it all. */
static struct peer *good_pub, *good_viewer;

static struct peer *publish(const char *stream, unsigned kbps, bool fast)
{
    struct peer_params m;

    server_params(PEER_PUBLISH, &m);
    m.video_kbps = kbps;
    m.fast = fast;
    m.srtp = fast ? "SRTP_AEAD_AES_128_GCM" : m.srtp;
    struct peer *p = server_peer(&server, stream, &m);
    check(server_wait_playing(&server, &p, 1) == 0, "%s: the publisher is up", stream);
    return p;
}

static struct peer *watch(const char *stream)
{
    struct peer *v = server_viewer(&server, stream);

    check(server_wait_playing(&server, &v, 1) == 0, "%s: a viewer plays", stream);
    return v;
}

/* ---- broken RTP ---- */

/* Header of the publisher's next video packet. */
static void rtp_head(struct peer *p, uint8_t *out)
{
    struct peer_tx *t = &VIDEO(p);

    memset(out, 0, RTP_HEAD);
    out[0] = 0x80;
    out[1] = t->pt;
    peer_put16(out + 2, t->seq++);
    peer_put32(out + 4, t->last_ts);
    peer_put32(out + 8, t->ssrc);
}

static size_t no_padding_count(struct peer *p, uint8_t *out)
{
    rtp_head(p, out);
    out[0] |= 0x20;
    memset(out + RTP_HEAD, 0, 100);
    return RTP_HEAD + 100;
}

static size_t more_padding_than_packet(struct peer *p, uint8_t *out)
{
    rtp_head(p, out);
    out[0] |= 0x20;
    memset(out + RTP_HEAD, 0xff, 100);
    return RTP_HEAD + 100;
}

static size_t padding_eats_csrcs(struct peer *p, uint8_t *out)
{
    rtp_head(p, out);
    out[0] |= 0x20 | 4;
    memset(out + RTP_HEAD, 0, 30);
    out[RTP_HEAD + 29] = 20; /* the payload has 14 bytes */
    return RTP_HEAD + 30;
}

static size_t extension_overflows(struct peer *p, uint8_t *out)
{
    static const uint8_t ext[] = {0xbe, 0xde, 0, 1, 0x3f, 1, 2, 3}; /* 16 bytes in 3 */

    rtp_head(p, out);
    out[0] |= 0x10;
    memcpy(out + RTP_HEAD, ext, sizeof(ext));
    memset(out + RTP_HEAD + sizeof(ext), 0x55, 50);
    return RTP_HEAD + sizeof(ext) + 50;
}

static size_t extension_two_byte_overflows(struct peer *p, uint8_t *out)
{
    static const uint8_t ext[] = {0x10, 0, 0, 1, 3, 200, 1, 2};

    rtp_head(p, out);
    out[0] |= 0x10;
    memcpy(out + RTP_HEAD, ext, sizeof(ext));
    memset(out + RTP_HEAD + sizeof(ext), 0x55, 50);
    return RTP_HEAD + sizeof(ext) + 50;
}

static size_t foreign_pt(struct peer *p, uint8_t *out)
{
    rtp_head(p, out);
    out[1] = 50;
    memset(out + RTP_HEAD, 0x55, 80);
    return RTP_HEAD + 80;
}

/* VP8 descriptor that announces more than there is. */
static size_t descriptor_cut(struct peer *p, uint8_t *out)
{
    rtp_head(p, out);
    out[RTP_HEAD] = 0x80;
    return RTP_HEAD + 1;
}

/* Fifteen contributing sources, and nothing else: valid. */
static size_t only_csrcs(struct peer *p, uint8_t *out)
{
    rtp_head(p, out);
    out[0] |= 15;
    memset(out + RTP_HEAD, 0x11, 60);
    return RTP_HEAD + 60;
}

struct broken {
    const char *name;
    size_t (*make)(struct peer *p, uint8_t *out);
    const char *counter; /* NULL: not dropped */
};

static const struct broken broken[] = {
    {"padding of zero bytes", no_padding_count, DROPPED("bad_rtp")},
    {"more padding than packet", more_padding_than_packet, DROPPED("bad_rtp")},
    {"padding over the CSRCs", padding_eats_csrcs, DROPPED("bad_rtp")},
    {"one-byte extension overflows", extension_overflows, DROPPED("bad_rtp")},
    {"two-byte extension overflows", extension_two_byte_overflows, DROPPED("bad_rtp")},
    {"payload type outside the answer", foreign_pt, DROPPED("bad_pt")},
    {"codec descriptor cut", descriptor_cut, DROPPED("bad_codec")},
    {"nothing but CSRCs", only_csrcs, NULL},
};
#define N_BROKEN (sizeof(broken) / sizeof(broken[0]))

static int64_t wait_rise(const char *name, int64_t before, int64_t rise)
{
    return server_wait_metric(&server, name, before + rise) - before;
}

static void test_broken_rtp(void)
{
    uint8_t buf[512];
    struct peer *pub = publish("broken-rtp", 300, true);
    struct peer *viewer = watch("broken-rtp");

    static const char *const counters[] = {DROPPED("bad_rtp"), DROPPED("bad_pt"),
                                           DROPPED("bad_codec")};
    int64_t before[3], want[3] = {0};

    peer_set_paused(pub, true);
    server_settle(&server);
    for (size_t c = 0; c < 3; c++) {
        before[c] = server_metric(&server, counters[c]);
    }
    for (size_t i = 0; i < N_BROKEN; i++) {
        unsigned sent = 0;
        for (int k = 0; k < EACH; k++) {
            size_t n = broken[i].make(pub, buf);
            sent += peer_send_rtp(pub, buf, n) == 0;
        }
        check(sent == EACH, "%s: %u packets are sent", broken[i].name, sent);
        for (size_t c = 0; c < 3; c++) {
            want[c] += broken[i].counter && !strcmp(broken[i].counter, counters[c]) ? sent : 0;
        }
        server_run(&server, 5);
    }
    for (size_t c = 0; c < 3; c++) {
        (void)wait_rise(counters[c], before[c], want[c]);
    }
    server_settle(&server); /* no more than that either */
    for (size_t c = 0; c < 3; c++) {
        int64_t rise = server_metric(&server, counters[c]) - before[c];
        check(rise == want[c], "%s rose by %lld (%lld)", counters[c], (long long)rise,
              (long long)want[c]);
    }
    peer_set_paused(pub, false);
    peer_force_keyframe(pub);
    check(server_wait_more(&server, &viewer, 1, 50) == 0, "afterwards its stream goes on");
    server_free_peers(&server, &viewer, 1);
    server_free_peers(&server, &pub, 1);
}

static void test_unknown_ssrcs(void)
{
    uint8_t buf[512];
    struct peer *pub = publish("ssrcs", 300, true);
    struct peer *viewer = watch("ssrcs");
    const char *unbound = DROPPED("unknown_ssrc"), *refused = DROPPED("link_srtp_ssrcs");

    server_settle(&server);
    int64_t a = server_metric(&server, unbound), b = server_metric(&server, refused);
    uint32_t ssrc = 0x10000000;
    for (int i = 0; i < SSRCS; i++) {
        size_t n = foreign_pt(pub, buf);
        VIDEO(pub).seq--; /* not of our stream */
        peer_put32(buf + 8, ssrc += 7919);
        (void)peer_send_rtp(pub, buf, n);
        if (i % 50 == 49) {
            server_run(&server, 10);
        }
    }
    int64_t a_before = a, b_before = b, end_ms = server_now_ms() + SERVER_PATIENCE_MS;
    do {
        server_run(&server, 100);
        a = server_metric(&server, unbound) - a_before;
        b = server_metric(&server, refused) - b_before;
    } while (a + b < SSRCS && server_now_ms() < end_ms);
    check(a + b == SSRCS, "%d foreign SSRCs are dropped (%lld bound to nothing, %lld refused)",
          SSRCS, (long long)a, (long long)b);
    check(b > SSRCS / 2, "few of them were kept in mind");
    check(server_wait_more(&server, &viewer, 1, 50) == 0, "the real stream goes on");
    check(peer_faults(viewer) == 0 && peer_stats(viewer)->lost == 0, "and has lost nothing");
    server_free_peers(&server, &viewer, 1);
    server_free_peers(&server, &pub, 1);
}

/* A viewer that wants to publish. */
static void test_viewer_media(void)
{
    struct peer *evil = watch("good");
    const char *name = DROPPED("viewer_media");
    uint8_t buf[200];
    int64_t before = server_metric(&server, name);

    memset(buf, 0x22, sizeof(buf));
    buf[0] = 0x80;
    buf[1] = 96;
    peer_put32(buf + 8, 0x33333333);
    for (int i = 0; i < EACH; i++) {
        peer_put16(buf + 2, (uint16_t)i);
        (void)peer_send_rtp(evil, buf, sizeof(buf));
    }
    int64_t rise = wait_rise(name, before, EACH);
    check(rise == EACH, "media of a viewer is dropped (%lld of %d)", (long long)rise, EACH);
    server_free_peers(&server, &evil, 1);
}

/* ---- broken RTCP ---- */

struct rtcp_row {
    const char *name;
    uint8_t bytes[40];
    uint8_t len;
    bool bad; /* must be counted; the others are valid, or of no known kind */
};

#define OF_NOBODY 0xde, 0xad, 0xbe, 0xef

static const struct rtcp_row rtcps[] = {
    {"longer than it is", {0x81, 201, 0xff, 0xff, OF_NOBODY, 1, 2, 3, 4}, 12, true},
    {"blocks that are not there", {0x9f, 201, 0, 1, OF_NOBODY}, 8, true},
    {"sender report cut", {0x80, 200, 0, 2, OF_NOBODY, 1, 2, 3, 4}, 12, true},
    {"second one cut", {0x80, 201, 0, 1, OF_NOBODY, 0x81, 206, 0, 9, OF_NOBODY}, 16, true},
    {"NACK without content", {0x81, 205, 0, 2, OF_NOBODY, OF_NOBODY}, 12, false},
    {"FIR without entries", {0x84, 206, 0, 2, OF_NOBODY, OF_NOBODY}, 12, false},
    {"PLI of nobody", {0x81, 206, 0, 2, OF_NOBODY, OF_NOBODY}, 12, false},
    {"NACK of nobody", {0x81, 205, 0, 3, OF_NOBODY, OF_NOBODY, 0, 1, 0xff, 0xff}, 16, false},
    {"REMB of 255 SSRCs",
     {0x8f, 206, 0, 4, OF_NOBODY, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 255, 0xff, 0xff, 0xff},
     20,
     false},
    {"REMB of a terabit",
     {0x8f, 206, 0, 5, OF_NOBODY, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 1, 0xff, 0xff, 0xff, 1, 2, 3, 4},
     24,
     false},
    {"TWCC that expands without end",
     {0x8f, 205, 0, 5, OF_NOBODY, OF_NOBODY, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0x3f, 0xff, 0x3f, 0xff},
     24,
     false},
    {"BYE of somebody else", {0x81, 203, 0, 1, OF_NOBODY}, 8, false},
    {"BYE of 31", {0x9f, 203, 0, 1, OF_NOBODY}, 8, true},
    {"SDES that runs over", {0x81, 202, 0, 2, OF_NOBODY, 1, 200, 'x', 'y'}, 12, false},
    {"APP", {0x80, 204, 0, 2, OF_NOBODY, 'n', 'a', 'm', 'e'}, 12, false},
    {"XR", {0x80, 207, 0, 1, OF_NOBODY}, 8, false},
    {"type 223", {0x80, 223, 0, 1, OF_NOBODY}, 8, false},
};
#define N_RTCPS (sizeof(rtcps) / sizeof(rtcps[0]))

static void test_broken_rtcp(void)
{
    struct peer *evil[] = {publish("broken-rtcp", 300, true), watch("good")};
    const char *name = DROPPED("bad_rtcp");

    server_settle(&server);
    int64_t before = server_metric(&server, name), want = 0, any = 0;
    for (size_t i = 0; i < N_RTCPS; i++) {
        for (int k = 0; k < EACH; k++) {
            struct peer *p = evil[k & 1];
            bool sent = peer_send_rtcp(p, rtcps[i].bytes, rtcps[i].len) == 0;
            want += sent && rtcps[i].bad;
            any += sent;
        }
        server_run(&server, 5);
    }
    (void)wait_rise(name, before, want);
    server_settle(&server);
    int64_t rise = server_metric(&server, name) - before;
    check(any == (int64_t)(N_RTCPS * EACH), "%zu kinds of strange RTCP were sent", N_RTCPS);
    check(rise >= want && rise <= any, "what does not parse is counted (%lld, at least %lld)",
          (long long)rise, (long long)want);
    check(server_wait_more(&server, evil, 2, 50) == 0, "both play on");
    /* BYE of the own streams: SRTP goes on, so the session does. */
    peer_send_bye(evil[0]);
    peer_send_bye(evil[1]);
    check(server_wait_more(&server, evil, 2, 50) == 0, "and after a BYE too");
    server_free_peers(&server, evil, 2);
}

/* ---- storms ---- */

static struct peer_rx *video_of(struct peer *p)
{
    for (unsigned i = 0; i < p->n_rx; i++) {
        if (p->rx[i]->video) {
            return p->rx[i];
        }
    }
    return NULL;
}

/* Asks ten times for 64 of the last 400 packets again. */
static void storm_nacks(struct peer *p)
{
    static struct peer_rng rng = {.state = 7};
    const struct peer_rx *x = video_of(p);

    for (int k = 0; x && k < 10; k++) {
        uint16_t seqs[64];
        uint16_t at = (uint16_t)(x->highest - 64 - peer_rng_next(&rng) % 336);
        struct peer_rtcp_out o = {.len = 0};
        for (unsigned i = 0; i < 64; i++) {
            seqs[i] = at++;
        }
        peer_rtcp_put_nack(&o, p->ssrc, x->ssrc, seqs, 64);
        peer_feedback_send(p, &o);
    }
}

static void run_storm(struct peer *p, int64_t ms)
{
    int64_t end_ms = server_now_ms() + ms;

    while (server_now_ms() < end_ms) {
        storm_nacks(p);
        server_run(&server, 10);
    }
}

/* What a viewer got in a time. */
struct meter {
    struct peer *p;
    uint64_t bytes, from;
};

static void meter_start(struct meter *m, struct peer *p)
{
    m->p = p;
    m->from = peer_stats(p)->bytes;
}

static void meter_stop(struct meter *m)
{
    m->bytes = peer_stats(m->p)->bytes - m->from;
}

/* A storm of NACKs; at the same time a publisher sends four times its cap. */
static void test_nacks_and_cap(void)
{
    struct peer *evil = watch("good"), *calm = watch("good");
    struct peer *heavy = publish("heavy", 4 * CAP_KBPS, true), *heavy_viewer = watch("heavy");
    const char *nacks = "sluice_rtcp_feedback_total{dir=\"in\",type=\"nack\"}";
    const char *refused = "sluice_rtx_packets_total{result=\"refused\"}";
    struct meter e, c, h;

    check(server_wait_more(&server, &evil, 1, 60) == 0 && video_of(evil), "there is a picture");
    int64_t nacks_before = server_metric(&server, nacks);
    int64_t refused_before = server_metric(&server, refused);
    int64_t rate_before = server_metric(&server, DROPPED("rate"));
    run_storm(evil, 2200); /* what was saved up for repair, and for bursts, is spent */
    meter_start(&e, evil);
    meter_start(&c, calm);
    meter_start(&h, heavy_viewer);
    uint64_t resent = peer_stats(evil)->rtx;
    int64_t start_ms = server_now_ms();
    run_storm(evil, STORM_MS);
    int64_t took_ms = server_now_ms() - start_ms;
    meter_stop(&e);
    meter_stop(&c);
    meter_stop(&h);
    int64_t pct = c.bytes ? (int64_t)(100 * e.bytes / c.bytes) : 0;
    resent = peer_stats(evil)->rtx - resent;
    check(pct <= EGRESS_PCT, "a storm of NACKs costs at most a fifth more (%lld %%, %llu resent)",
          (long long)pct, (unsigned long long)resent);
    check(resent > 0, "but some are answered");
    check(wait_rise(refused, refused_before, 1000) >= 1000, "refusals are counted");
    check(wait_rise(nacks, nacks_before, 1000) >= 1000, "the NACKs are counted");
    check(peer_faults(evil) == 0, "nothing wrong was sent");
    check(peer_faults(calm) == 0 && peer_stats(calm)->lost == 0,
          "a calm viewer of the stream lost nothing");
    int64_t kbps = took_ms ? (int64_t)h.bytes * 8 / took_ms : 0;
    check(kbps > 0 && kbps <= CAP_KBPS * 115 / 100,
          "a publisher of %d kbit/s is cut to its cap of %d (%lld)", 4 * CAP_KBPS, CAP_KBPS,
          (long long)kbps);
    check(wait_rise(DROPPED("rate"), rate_before, 100) >= 100, "what is above is counted");
    struct peer *all[] = {evil, calm, heavy_viewer, heavy};
    server_free_peers(&server, all, 4);
}

static void test_pli_storm(void)
{
    struct peer *evil[STORMERS];
    struct peer_params m;

    server_params(PEER_PUBLISH, &m);
    m.keyframe_ms = 0; /* when asked: key frames that come by themselves are waited for */
    struct peer *pub = server_peer(&server, "stormed", &m);
    check(server_wait_playing(&server, &pub, 1) == 0, "their publisher is up");
    for (int i = 0; i < STORMERS; i++) {
        evil[i] = server_viewer(&server, "stormed");
    }
    check(server_wait_playing(&server, evil, STORMERS) == 0, "%d viewers play", STORMERS);
    uint64_t before = peer_stats(pub)->plis_received + peer_stats(pub)->firs_received;
    int64_t start_ms = server_now_ms(), end_ms = start_ms + PLIS_MS;
    unsigned asked = 0;
    while (server_now_ms() < end_ms) {
        for (int i = 0; i < STORMERS; i++) {
            peer_request_keyframe(evil[i], asked++ % 4 == 3);
        }
        server_run(&server, 20);
    }
    uint64_t got = peer_stats(pub)->plis_received + peer_stats(pub)->firs_received;
    uint64_t most = (uint64_t)(server_now_ms() - start_ms) * PLI_PER_S / 1000 + 1;
    got -= before;
    check(got >= 1 && got <= most, "of %u requests the publisher sees %llu (at most %llu)", asked,
          (unsigned long long)got, (unsigned long long)most);
    for (int i = 0; i < STORMERS; i++) {
        check(peer_faults(evil[i]) == 0 && peer_stats(evil[i])->lost == 0,
              "stormer %d gets whole media", i);
    }
    server_free_peers(&server, evil, STORMERS);
    server_free_peers(&server, &pub, 1);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"media.workers=2", "media.max_publisher_kbps=2000", NULL};

    server_init(&server, argc, argv);
    server_start(&server, sets);
    good_pub = publish("good", 600, false);
    good_viewer = watch("good");
    test_broken_rtp();
    test_unknown_ssrcs();
    test_viewer_media();
    test_broken_rtcp();
    test_nacks_and_cap();
    test_pli_storm();
    peer_set_paused(good_pub, true);
    server_drain(&server, good_pub, &good_viewer, 1);
    check(server_flawless(good_viewer, "neighbour"), "the neighbour has lost nothing all the time");
    check(peer_faults(good_pub) == 0, "its publisher was told nothing wrong");
    server_free_peers(&server, &good_viewer, 1);
    server_free_peers(&server, &good_pub, 1);
    server_fini(&server);
    return check_report();
}
