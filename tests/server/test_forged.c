/* SPDX-License-Identifier: Apache-2.0 */
/* test_forged.c - a hundred thousand forged datagrams on the media port, from strangers and with
 * the victims' own addresses, ufrags and SSRCs: a running viewer loses nothing, no session changes,
 * every drop has its name, and nobody is answered. */
#include "tests/peer/peer_internal.h"
#include "tests/server/server_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOTAL         SERVER_SCALED(100000, 10000)
#define PER_TURN      50 /* datagrams between two turns of the loop */
#define PAUSE_US      SERVER_SCALED(1500, 10000)
#define RSS_GROWTH_KB 16384
#define STRANGERS     4
#define UNKNOWN       "sluice_rx_unknown_total"
#define DROPPED(why)  "sluice_dropped_packets_total{reason=\"" why "\"}"

static struct server server;
static struct peer *victims[2]; /* publisher, viewer */
static int strangers[STRANGERS];
static struct peer_rng rng = {.state = 20260101};

/* ---- what is sent ---- */

static void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)peer_rng_next(&rng);
    }
}

static unsigned below(unsigned n)
{
    return (unsigned)(peer_rng_next(&rng) % n);
}

static size_t stun(const struct peer *v, const char *user, const char *pwd, uint8_t *out)
{
    struct peer_stun s = {
        .type = PEER_STUN_REQUEST,
        .priority = 1,
        .has_controlling = true,
        .use_candidate = true,
        .tie_breaker = v->tie_breaker,
    };

    fill(s.tid, sizeof(s.tid));
    snprintf(s.username, sizeof(s.username), "%s", user);
    return peer_stun_write(&s, pwd, out, 1024);
}

static const char *user_of(const struct peer *v)
{
    static char user[520];

    snprintf(user, sizeof(user), "%.255s:%.255s", v->remote.ufrag, v->local.ufrag);
    return user;
}

static size_t stun_bare(const struct peer *v, uint8_t *out)
{
    return stun(v, user_of(v), NULL, out);
}

static size_t stun_wrong_key(const struct peer *v, uint8_t *out)
{
    return stun(v, user_of(v), "not-the-password-at-all!", out);
}

static size_t stun_our_half(const struct peer *v, uint8_t *out)
{
    char user[300];

    snprintf(user, sizeof(user), "%.255s:somebody", v->remote.ufrag);
    return stun(v, user, v->remote.pwd, out);
}

static size_t stun_nobody(const struct peer *v, uint8_t *out)
{
    char user[64];

    snprintf(user, sizeof(user), "%c%011llx:x", v->remote.ufrag[0],
             (unsigned long long)peer_rng_next(&rng) & 0xfffffffffffULL);
    return stun(v, user, "not-the-password-at-all!", out);
}

static size_t stun_answer(const struct peer *v, uint8_t *out)
{
    size_t n = stun_wrong_key(v, out);

    out[0] = 1; /* 0x0101: success response, as if we had asked */
    return n;
}

static size_t stun_cut(const struct peer *v, uint8_t *out)
{
    return stun_wrong_key(v, out) - 4;
}

/* The first flight of a client as any scanner sends it. */
static size_t client_hello(const struct peer *v, uint8_t *out)
{
    static const uint8_t head[] = {22,     0xfe, 0xff, 0,  0, 0, 0, 0, 0, 0, 0, 0,
                                   54 + 0,                                          /* record */
                                   1,      0,    0,    42, 0, 0, 0, 0, 0, 0, 0, 42, /* handshake */
                                   0xfe,   0xfd};
    static const uint8_t tail[] = {0, 0, 0, 2, 0xc0, 0x2b, 1, 0};

    (void)v;
    memcpy(out, head, sizeof(head));
    fill(out + sizeof(head), 32);
    memcpy(out + sizeof(head) + 32, tail, sizeof(tail));
    return sizeof(head) + 32 + sizeof(tail);
}

static size_t alert(const struct peer *v, uint8_t *out)
{
    static const uint8_t close[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0};

    (void)v;
    memcpy(out, close, sizeof(close));
    out[14] = (uint8_t)below(120);
    out[13] = out[14] & 1 ? 2 : 1;
    return sizeof(close);
}

/* A sealed alert that no key made. */
static size_t sealed_alert(const struct peer *v, uint8_t *out)
{
    static const uint8_t head[] = {21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 5, 0, 26};

    (void)v;
    memcpy(out, head, sizeof(head));
    fill(out + sizeof(head), 26);
    return sizeof(head) + 26;
}

static uint32_t ssrc_of(const struct peer *v)
{
    return v->n_tx ? v->tx[v->n_tx - 1].ssrc : v->n_rx ? v->rx[0]->ssrc : v->ssrc;
}

static size_t srtp(const struct peer *v, uint8_t *out)
{
    fill(out, 400);
    out[0] = 0x80;
    out[1] = v->n_tx ? v->tx[v->n_tx - 1].pt : 111;
    if (v->n_tx) { /* the very next numbers */
        peer_put16(out + 2, (uint16_t)(v->tx[v->n_tx - 1].seq + below(8)));
    }
    peer_put32(out + 8, ssrc_of(v));
    return 400;
}

static size_t srtcp(const struct peer *v, uint8_t *out)
{
    fill(out, 120);
    out[0] = 0x81;
    out[1] = (uint8_t)(200 + below(7));
    peer_put32(out + 4, v->n_tx ? ssrc_of(v) : v->ssrc);
    peer_put32(out + 104, 0x80000000U | (uint32_t)below(10000)); /* E and index */
    return 120;
}

static size_t srtp_long(const struct peer *v, uint8_t *out)
{
    (void)srtp(v, out);
    fill(out + 400, 1500);
    return 1900;
}

static size_t srtp_short(const struct peer *v, uint8_t *out)
{
    (void)srtp(v, out);
    return 12 + 4;
}

static size_t giant(const struct peer *v, uint8_t *out)
{
    (void)srtp(v, out);
    fill(out + 400, 8600);
    return 9000;
}

static size_t no_protocol(const struct peer *v, uint8_t *out)
{
    (void)v;
    fill(out, 60);
    out[0] = (uint8_t)(200 + below(50));
    return 60;
}

static size_t nothing(const struct peer *v, uint8_t *out)
{
    (void)v;
    out[0] = 0;
    return 0;
}

enum source { STRANGER, OWN };

struct forgery {
    const char *name;
    enum source source; /* another address, or the victim's own */
    size_t (*make)(const struct peer *v, uint8_t *out);
    unsigned share;      /* of 1,000 */
    const char *counter; /* NULL: may be counted in more than one way */
};

static const struct forgery forgeries[] = {
    {"check without integrity", STRANGER, stun_bare, 100, DROPPED("link_stun_integrity")},
    {"check with a wrong key", STRANGER, stun_wrong_key, 100, DROPPED("link_stun_integrity")},
    {"check with our half only", STRANGER, stun_our_half, 100, DROPPED("link_stun_integrity")},
    {"check of nobody", STRANGER, stun_nobody, 60, UNKNOWN},
    {"check that is cut", STRANGER, stun_cut, 30, UNKNOWN},
    {"STUN answer", STRANGER, stun_answer, 30, UNKNOWN},
    {"ClientHello", STRANGER, client_hello, 100, UNKNOWN},
    {"alert", STRANGER, alert, 40, UNKNOWN},
    {"SRTP", STRANGER, srtp, 80, UNKNOWN},
    {"SRTCP", STRANGER, srtcp, 60, UNKNOWN},
    {"oversize", STRANGER, giant, 20, UNKNOWN},
    {"no protocol", STRANGER, no_protocol, 20, UNKNOWN},
    {"empty", STRANGER, nothing, 20, NULL},
    {"own check without integrity", OWN, stun_bare, 30, DROPPED("link_stun_integrity")},
    {"own check with a wrong key", OWN, stun_wrong_key, 30, DROPPED("link_stun_integrity")},
    {"own ClientHello", OWN, client_hello, 30, NULL},
    {"own alert", OWN, alert, 30, DROPPED("link_dtls_filter")},
    {"own sealed alert", OWN, sealed_alert, 10, NULL},
    {"own SRTP", OWN, srtp, 40, DROPPED("link_srtp_auth")},
    {"own SRTCP", OWN, srtcp, 40, DROPPED("link_srtp_auth")},
    {"own SRTP, long", OWN, srtp_long, 10, DROPPED("link_size")},
    {"own SRTP, short", OWN, srtp_short, 10, DROPPED("link_size")},
    {"own, no protocol", OWN, no_protocol, 10, DROPPED("link_unknown")},
};
#define N_FORGERIES (sizeof(forgeries) / sizeof(forgeries[0]))

/* ---- sending ---- */

static bool open_strangers(void)
{
    for (int i = 0; i < STRANGERS; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET};
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(server.media_port)};
        a.sin_addr.s_addr = htonl(0x7f000002U + (uint32_t)i);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        strangers[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (bind(strangers[i], (struct sockaddr *)&a, sizeof(a)) ||
            connect(strangers[i], (struct sockaddr *)&to, sizeof(to))) {
            return false;
        }
    }
    return true;
}

static bool send_one(const struct forgery *f, unsigned i)
{
    static uint8_t buf[16384];
    struct peer *v = victims[i & 1];
    size_t n = f->make(v, buf);

    if (f->source == OWN) {
        return peer_send_raw(v, buf, n) == 0;
    }
    return send(strangers[i / 2 % STRANGERS], buf, n, 0) == (ssize_t)n;
}

/* All kinds mixed. ret_sent[i]: how many of kind i left. Returns all of them. */
static unsigned flood(unsigned ret_sent[N_FORGERIES])
{
    unsigned all = 0;

    memset(ret_sent, 0, N_FORGERIES * sizeof(ret_sent[0]));
    for (unsigned round = 0; round < TOTAL / 1000; round++) {
        unsigned in_turn = 0;
        for (unsigned i = 0; i < 100; i++) {
            for (size_t k = 0; k < N_FORGERIES; k++) {
                /* a tenth of the share each ten steps, evenly spread */
                unsigned due = forgeries[k].share * (i + 1) / 100 - forgeries[k].share * i / 100;
                while (due--) {
                    bool ok = send_one(&forgeries[k], ret_sent[k]);
                    ret_sent[k] += ok;
                    all += ok;
                    in_turn++;
                }
            }
            if (in_turn >= PER_TURN) {
                in_turn = 0;
                (void)peer_loop_run(server.loop, PAUSE_US, NULL, NULL);
            }
        }
    }
    return all;
}

/* ---- judging ---- */

/* What must not change about the sessions, as text. */
static void describe(char *out, size_t cap)
{
    static const char *const names[] = {"id",   "role",   "stream",    "state", "codecs",
                                        "link", "remote", "transport", "srtp"};
    cJSON *l = server_sessions(&server);
    size_t at = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < server_sessions_count(l); i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            int n = snprintf(out + at, cap - at, "%s ", server_session_text(l, i, names[k]));
            at += n > 0 && at + (size_t)n < cap ? (size_t)n : 0;
        }
    }
    cJSON_Delete(l);
}

static void check_counters(const char *before, const char *after, const unsigned *sent)
{
    int64_t lost = server_metric_in(after, "sluice_rx_kernel_drops_total") -
                   server_metric_in(before, "sluice_rx_kernel_drops_total");
    unsigned free_of_name = 0;

    note("the kernel dropped %lld of them before the server saw them", (long long)lost);
    for (size_t k = 0; k < N_FORGERIES; k++) {
        free_of_name += forgeries[k].counter ? 0 : sent[k];
    }
    for (size_t k = 0; k < N_FORGERIES; k++) {
        const char *name = forgeries[k].counter;
        bool seen = !name;
        int64_t want = 0;
        for (size_t j = 0; name && j < N_FORGERIES; j++) {
            bool same = forgeries[j].counter && !strcmp(forgeries[j].counter, name);
            seen |= same && j < k;
            want += same ? sent[j] : 0;
        }
        if (seen) {
            continue;
        }
        int64_t got = server_metric_in(after, name) - server_metric_in(before, name);
        check(got >= want - lost && got <= want + (int64_t)free_of_name,
              "%s rose by %lld (%lld were sent)", name, (long long)got, (long long)want);
    }
    int64_t good = 0;
    static const char *const untouched[] = {"sluice_ice_restarts_total", "sluice_dtls_up_total",
                                            "sluice_media_sessions_added_total",
                                            "sluice_media_sessions_ended_total"};
    for (size_t i = 0; i < sizeof(untouched) / sizeof(untouched[0]); i++) {
        good += server_metric_in(after, untouched[i]) == server_metric_in(before, untouched[i]);
    }
    check(good == 4, "no session began, ended or changed its credentials");
}

/* Strangers hear nothing: the server is no reflector. */
static void check_silence(void)
{
    uint8_t buf[2048];
    unsigned answers = 0;

    for (int i = 0; i < STRANGERS; i++) {
        while (recv(strangers[i], buf, sizeof(buf), 0) >= 0) {
            answers++;
        }
    }
    check(answers == 0, "no stranger was answered (%u)", answers);
}

static void test_flood(void)
{
    unsigned sent[N_FORGERIES];
    char before_text[2048], after_text[2048];

    server_settle(&server);
    char *before = server_metrics(&server);
    describe(before_text, sizeof(before_text));
    int64_t rss_kb = server_rss_kb(&server);
    uint64_t stun_errors = peer_stats(victims[1])->stun_errors;
    int64_t start_ms = server_now_ms();
    unsigned n = flood(sent);
    note("%u forged datagrams in %lld ms", n, (long long)(server_now_ms() - start_ms));
    check(n >= TOTAL * 99 / 100, "%u forged datagrams were sent", n);
    for (size_t k = 0; k < N_FORGERIES; k++) { /* workers publish what they count now and then */
        const char *name = forgeries[k].counter;
        if (name && sent[k] && server_metric(&server, name) == server_metric_in(before, name)) {
            (void)server_wait_metric(&server, name, server_metric_in(before, name) + 1);
        }
    }
    server_settle(&server);
    char *after = server_metrics(&server);
    describe(after_text, sizeof(after_text));
    check(before_text[0] && !strcmp(before_text, after_text), "the sessions are what they were");
    if (strcmp(before_text, after_text)) {
        note("before: %s", before_text);
        note("after: %s", after_text);
    }
    check_counters(before, after, sent);
    check_silence();
    check(peer_stats(victims[1])->stun_errors == stun_errors, "the viewer got no STUN error");
    rss_kb = server_rss_kb(&server) - rss_kb;
    check(SERVER_SANITIZED || rss_kb <= RSS_GROWTH_KB, "memory grew by %lld kB", (long long)rss_kb);
    free(before);
    free(after);
}

/* A packet that was genuine once. */
static void test_replay(void)
{
    struct peer *v = victims[1];
    struct peer_rtcp_out o = {.len = 0};
    uint8_t buf[PEER_PACKET_MAX + PEER_SRTP_TRAILER_MAX];
    const char *name = DROPPED("link_srtp_replay");
    int64_t before = server_metric(&server, name);

    peer_rtcp_put_rr(&o, v->ssrc, NULL, 0);
    memcpy(buf, o.buf, o.len);
    size_t len = o.len;
    check(peer_srtp_protect_rtcp(v->srtp, buf, &len) == 0, "a genuine report");
    for (int i = 0; i < 1001; i++) {
        (void)peer_net_send(v, buf, len, true);
        if (i % PER_TURN == 0) {
            (void)peer_loop_run(server.loop, PAUSE_US, NULL, NULL);
        }
    }
    int64_t got = server_wait_metric(&server, name, before + 1000) - before;
    check(got == 1000, "1,000 repetitions are dropped as replayed (%lld)", (long long)got);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"media.workers=2", NULL};

    server_init(&server, argc, argv);
    server_start(&server, sets);
    victims[0] = server_publisher(&server, "victim");
    bool up = server_wait_playing(&server, victims, 1) == 0;
    victims[1] = server_viewer(&server, "victim");
    up = server_wait_playing(&server, victims, 2) == 0 && up;
    check(up && open_strangers(), "publisher and viewer are up");
    uint64_t from = peer_stats(victims[0])->sent_packets, had = peer_stats(victims[1])->packets;
    test_flood();
    test_replay();
    peer_set_paused(victims[0], true);
    server_drain(&server, victims[0], &victims[1], 1);
    uint64_t sent = peer_stats(victims[0])->sent_packets - from;
    uint64_t got = peer_stats(victims[1])->packets - had;
    check(server_flawless(victims[1], "viewer"), "the viewer lost nothing");
    check(got + 10 >= sent && sent > 0, "and got all that was published (%llu of %llu)",
          (unsigned long long)got, (unsigned long long)sent);
    check(peer_faults(victims[0]) == 0, "the publisher was told nothing wrong");
    struct peer *late = NULL;
    peer_set_paused(victims[0], false);
    late = server_viewer(&server, "victim");
    check(server_wait_playing(&server, &late, 1) == 0, "a new viewer joins");
    server_free_peers(&server, &late, 1);
    server_free_peers(&server, victims, 2);
    for (int i = 0; i < STRANGERS; i++) {
        close(strangers[i]);
    }
    server_fini(&server);
    return check_report();
}
