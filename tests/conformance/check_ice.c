/* SPDX-License-Identifier: Apache-2.0 */
/* check_ice.c - ICE, STUN, ICE-TCP: what a server answers, and to whom it sends. */
#include "tests/conformance/checks.h"
#include "tests/peer/peer_bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SHORT_MS  400
#define SILENT_MS 45000
#define TCP_MS    15000

static bool is_lite(const struct party *p)
{
    return check_has(&p->answer, 0, "a=ice-lite");
}

/* A session nobody joins, and a probe. NULL with the fault noted. */
static struct probe *open_session(struct suite *s, struct party **ret)
{
    *ret = check_session(s, false);
    return *ret ? probe_open(*ret) : NULL;
}

static void good_check(struct suite *s)
{
    struct party *p;
    struct probe *pr = open_session(s, &p);
    struct peer_stun rq, a = {0};
    uint8_t raw[PROBE_MAX];

    if (!pr) {
        return;
    }
    probe_check(p, &rq);
    EXPECT(s, probe_ask(pr, &rq, probe_remote_pwd(p), 2000, &a, raw), "an answer", "none");
    EXPECT(s, a.type == PEER_STUN_SUCCESS, "success", "type %#x, error %d", a.type, a.error_code);
    EXPECT(s, a.mapped.ss_family, "XOR-MAPPED-ADDRESS", "none");
    EXPECT(s, ntohs(((struct sockaddr_in *)&a.mapped)->sin_port) == probe_port(pr),
           "our own port in it", "%u, ours is %u",
           ntohs(((struct sockaddr_in *)&a.mapped)->sin_port), probe_port(pr));
    EXPECT(s, peer_stun_verify(raw, &a, probe_remote_pwd(p)),
           "MESSAGE-INTEGRITY with the password of the answer", "%s",
           a.integrity_at ? "it does not fit" : "none");
    EXPECT(s, a.has_fingerprint, "FINGERPRINT", "none");
}

static void wrong_credentials(struct suite *s)
{
    struct party *p;
    struct probe *pr = open_session(s, &p);
    struct peer_stun rq, a = {0};

    if (!pr) {
        return;
    }
    probe_check(p, &rq);
    bool any = probe_ask(pr, &rq, "this-is-not-the-password", SHORT_MS, &a, NULL);
    EXPECT(s, !any || a.type == PEER_STUN_ERROR, "401 or silence for a wrong password", "type %#x",
           a.type);
    probe_check(p, &rq);
    snprintf(rq.username, sizeof(rq.username), "nobodysUfrag:whoever");
    any = probe_ask(pr, &rq, probe_remote_pwd(p), SHORT_MS, &a, NULL);
    EXPECT(s, !any || a.type == PEER_STUN_ERROR, "401 or silence for an unknown ufrag", "type %#x",
           a.type);
}

static void no_integrity(struct suite *s)
{
    struct party *p;
    struct probe *pr = open_session(s, &p);
    struct peer_stun rq, a = {0};

    if (pr) {
        probe_check(p, &rq);
        bool any = probe_ask(pr, &rq, NULL, SHORT_MS, &a, NULL);
        EXPECT(s, !any || a.type == PEER_STUN_ERROR, "400 or silence", "type %#x", a.type);
    }
}

static void bad_fingerprint(struct suite *s)
{
    struct party *p;
    struct probe *pr = open_session(s, &p);
    struct peer_stun rq, a = {0};
    uint8_t buf[600];

    if (pr) {
        probe_check(p, &rq);
        size_t n = peer_stun_write(&rq, probe_remote_pwd(p), buf, sizeof(buf));
        buf[n - 1] ^= 1;
        bool any = probe_ask_raw(pr, buf, n, SHORT_MS, &a, NULL);
        EXPECT(s, !any, "silence", "type %#x", a.type);
    }
}

static void unknown_attribute(struct suite *s)
{
    struct party *p;
    struct probe *pr = open_session(s, &p);
    struct probe_message m;
    struct peer_stun rq, a = {0};
    uint8_t raw[PROBE_MAX] = {0}, priority[4] = {0x6e, 0x7f, 0, 1};

    if (!pr) {
        return;
    }
    probe_check(p, &rq);
    probe_begin(&m, PEER_STUN_REQUEST);
    probe_attr(&m, 0x0006, rq.username, strlen(rq.username));
    probe_attr(&m, 0x0024, priority, 4);
    probe_attr(&m, 0x802a, "12345678", 8);
    probe_attr(&m, 0x7f01, "what", 4); /* comprehension-required, nobody's */
    probe_sign(&m, probe_remote_pwd(p));
    probe_fingerprint(&m);
    EXPECT(s, probe_ask_raw(pr, m.buf, m.len, 2000, &a, raw), "an answer", "none");
    EXPECT(s, a.type == PEER_STUN_ERROR && a.error_code == 420, "error 420", "type %#x, error %d",
           a.type, a.error_code);
    size_t len = 20 + (size_t)peer_get16(raw + 2);
    const uint8_t want[] = {0x00, 0x0a, 0x00, 0x02, 0x7f, 0x01};
    EXPECT(s, memmem(raw, len < sizeof(raw) ? len : sizeof(raw), want, sizeof(want)),
           "UNKNOWN-ATTRIBUTES with 0x7f01", "without");
}

static void bare_check(struct suite *s)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.quirks |= PEER_QUIRK_BARE_CHECKS;
    struct party *p = LIVE(s, .params = &m);
    (void)p;
}

static void indication(struct suite *s)
{
    struct party *p;
    struct probe *pr = open_session(s, &p);
    struct probe_message m;
    uint8_t buf[PROBE_MAX];

    if (pr && probe_nominate(pr, p)) {
        probe_begin(&m, PEER_STUN_INDICATION);
        probe_fingerprint(&m);
        probe_send(pr, m.buf, m.len);
        size_t n = probe_recv(pr, SHORT_MS, buf, sizeof(buf));
        EXPECT(s, n == 0 || buf[0] > 3, "no reply", "%zu bytes", n);
        (void)probe_nominate(pr, p);
    }
}

static void role_conflict(struct suite *s)
{
    struct party *p;
    struct probe *pr = open_session(s, &p);
    struct peer_stun rq, a = {0};

    if (!pr) {
        return;
    }
    SKIP_IF(s, is_lite(p), "ICE-lite: always controlled");
    probe_check(p, &rq);
    rq.has_controlling = rq.use_candidate = false;
    rq.has_controlled = true;
    EXPECT(s, probe_ask(pr, &rq, probe_remote_pwd(p), 2000, &a, NULL), "an answer", "none");
    EXPECT(s, a.type == PEER_STUN_SUCCESS || a.error_code == 487, "a role switch or 487",
           "type %#x, error %d", a.type, a.error_code);
}

static void lite_sends_no_checks(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);

    if (!v) {
        return;
    }
    SKIP_IF(s, !is_lite(v), "a full agent");
    suite_wait(s, 1000);
    EXPECT(s, !pub->stun_requests && !v->stun_requests, "no binding requests from a lite agent",
           "%u and %u", pub->stun_requests, v->stun_requests);
}

static void no_candidates(struct suite *s)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.quirks |= PEER_QUIRK_NO_CANDIDATES;
    if (LIVE(s, .params = &m)) {
        suite_params(s, true, &m);
        m.quirks |= PEER_QUIRK_NO_CANDIDATES;
        (void)WATCH(s, .params = &m);
    }
}

/* Another local port, announced by a check with USE-CANDIDATE. */
static void moves(struct suite *s)
{
    bool publisher = s->now->arg != NULL;
    struct party *pub;
    struct party *v = party_pair(s, &pub);

    if (v) {
        (void)peer_rebind((publisher ? pub : v)->peer, true);
        suite_wait(s, 200);
        (void)party_more(v, 50);
        EXPECT(s, party_faults(v)[0] == '\0', "flawless media", "%s", party_faults(v));
    }
}

static void end_of_candidates(struct suite *s)
{
    struct party *p = check_session(s, false);

    if (p) {
        int tag = doc_tagged(&p->answer);
        EXPECT(s, check_count(&p->answer, tag, "a=candidate:") > 0, "candidates", "none");
        EXPECT(s,
               check_has(&p->answer, tag, "a=end-of-candidates") ||
                   check_has(&p->answer, 0, "a=end-of-candidates"),
               "a=end-of-candidates", "none");
    }
}

struct candidate {
    unsigned component, port;
    unsigned long long priority;
    char transport[8], ip[64], type[8];
    const char *rest;
};

/* The i-th candidate of the answer. */
static bool candidate_at(const struct party *p, int i, struct candidate *ret)
{
    for (int k = 1; k <= p->answer.n_sections; k++) {
        const char *v = check_nth(&p->answer, k, "a=candidate:", i);
        if (v && sscanf(v, "%*s %u %7s %llu %63s %u typ %7s", &ret->component, ret->transport,
                        &ret->priority, ret->ip, &ret->port, ret->type) == 6) {
            ret->rest = v;
            return true;
        }
    }
    return false;
}

static void candidate_order(struct suite *s)
{
    struct party *p = check_session(s, false);
    struct candidate c;
    int last = 0;

    for (int i = 0; p && candidate_at(p, i, &c); i++) {
        bool tcp = !strcasecmp(c.transport, "tcp");
        int rank = tcp ? 2 : strchr(c.ip, ':') ? 1 : 0;
        EXPECT(s, c.component == 1, "component 1", "%s", c.rest);
        EXPECT(s, c.priority <= 0x7fffffff, "priority up to 2^31-1", "%s", c.rest);
        EXPECT(s, rank >= last, "IPv4 UDP, then IPv6 UDP, then TCP", "%s", c.rest);
        EXPECT(s, !tcp || strstr(c.rest, "tcptype passive"), "tcptype passive", "%s", c.rest);
        last = rank;
    }
}

static void related_addresses(struct suite *s)
{
    struct party *p = check_session(s, false);
    struct candidate c;
    unsigned n = 0;

    for (int i = 0; p && candidate_at(p, i, &c); i++) {
        if (strcmp(c.type, "host")) {
            n++;
            EXPECT(s, strstr(c.rest, " raddr ") && strstr(c.rest, " rport "), "raddr and rport",
                   "%s", c.rest);
        }
    }
    SKIP_IF(s, p && !n, "host candidates only");
}

/* Candidates in the offer, none of which is ours: they must do no harm. */
static void foreign_candidates(struct suite *s)
{
    const char *line = s->now->arg;
    struct party *p = POST(s, .edits = {{"a=end-of-candidates\r\n", line}});

    if (party_up(p)) {
        (void)party_more(p, 10);
    }
}

/* ---- TCP ---- */

struct stream {
    struct suite *suite;
    struct peer_watch watch;
    bool woken;
};

static void on_stream(void *ctx, uint32_t events)
{
    (void)events;
    ((struct stream *)ctx)->woken = true;
}

static bool is_woken(void *ctx)
{
    return ((struct stream *)ctx)->woken;
}

/* Connects to the first TCP candidate. Returns false with the check skipped or failed. */
static bool open_stream(struct party *p, struct stream *t)
{
    struct suite *s = p->suite;
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct candidate c;

    for (int i = 0; candidate_at(p, i, &c); i++) {
        if (strcasecmp(c.transport, "tcp") || inet_pton(AF_INET, c.ip, &to.sin_addr) != 1) {
            continue;
        }
        to.sin_port = htons((uint16_t)c.port);
        *t = (struct stream){.suite = s, .watch = {.fn = on_stream, .ctx = t}};
        t->watch.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval tv = {.tv_sec = 3};
        (void)setsockopt(t->watch.fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
        bool ok = !connect(t->watch.fd, (struct sockaddr *)&to, sizeof(to));
        (void)suite_expect(s, ok, "a TCP connection to the candidate", "%s", strerror(errno));
        if (!ok) {
            close(t->watch.fd);
        }
        return ok;
    }
    suite_skip(s, "no TCP candidate");
    return false;
}

/* Bytes within ms; 0 at the end of the stream or when none came (then *ret_eof tells). */
static size_t read_stream(struct stream *t, unsigned ms, uint8_t *buf, size_t cap, bool *ret_eof)
{
    t->woken = false;
    (void)peer_loop_watch(t->suite->loop, &t->watch, EPOLLIN);
    (void)suite_until_ms(t->suite, ms, is_woken, t);
    peer_loop_unwatch(t->suite->loop, &t->watch);
    ssize_t n = t->woken ? recv(t->watch.fd, buf, cap, MSG_DONTWAIT) : -1;
    *ret_eof = n == 0 || (n < 0 && t->woken && errno != EAGAIN);
    return n > 0 ? (size_t)n : 0;
}

static void tcp_frames(struct suite *s)
{
    struct party *p = check_session(s, false);
    struct stream t;
    struct peer_stun rq, a = {0};
    uint8_t buf[PROBE_MAX];
    bool eof = false;

    if (!p || !open_stream(p, &t)) {
        return;
    }
    probe_check(p, &rq);
    size_t n = peer_stun_write(&rq, probe_remote_pwd(p), buf + 2, sizeof(buf) - 2);
    peer_put16(buf, (uint32_t)n);
    for (size_t i = 0; i < n + 2; i++) { /* byte by byte */
        (void)!send(t.watch.fd, buf + i, 1, MSG_NOSIGNAL);
    }
    size_t got = read_stream(&t, 2000, buf, sizeof(buf), &eof);
    bool framed = got > 2 && (size_t)peer_get16(buf) + 2 == got;
    (void)suite_expect(
        s, framed && peer_stun_read(buf + 2, got - 2, &a) == 0 && a.type == PEER_STUN_SUCCESS,
        "a framed success for a check in single bytes", "%zu bytes, type %#x", got, a.type);
    (void)!send(t.watch.fd, "\0\0", 2, MSG_NOSIGNAL); /* an empty frame */
    probe_check(p, &rq);
    n = peer_stun_write(&rq, probe_remote_pwd(p), buf + 2, sizeof(buf) - 2);
    peer_put16(buf, (uint32_t)n);
    (void)!send(t.watch.fd, buf, n + 2, MSG_NOSIGNAL);
    got = read_stream(&t, 2000, buf, sizeof(buf), &eof);
    (void)suite_expect(s, got > 22 && !eof, "another answer behind an empty frame", "%zu bytes",
                       got);
    close(t.watch.fd);
}

static void tcp_idle(struct suite *s)
{
    struct party *p = check_session(s, false);
    struct stream t;
    uint8_t buf[64];
    bool eof = false;

    if (p && open_stream(p, &t)) {
        (void)read_stream(&t, TCP_MS, buf, sizeof(buf), &eof);
        (void)suite_expect(s, eof, "the connection closed within 15 s", "it is open");
        close(t.watch.fd);
    }
}

/* ---- consent and silence ---- */

static void consent(struct suite *s)
{
    struct party *v = party_pair(s, NULL);

    if (!v) {
        return;
    }
    SKIP_IF(s, is_lite(v), "ICE-lite: a lite agent sends no consent checks");
    unsigned before = v->stun_requests;
    suite_wait(s, 7000);
    EXPECT(s, v->stun_requests > before, "a consent request within 7 s", "none");
}

/* Media to this party has stopped: nothing for a second. */
static bool is_quiet(void *ctx)
{
    const struct party *p = ctx;

    return suite_now_us() - p->last_media_us > 1000000;
}

static void silent_viewer(struct suite *s)
{
    struct party *v = party_pair(s, NULL);

    if (v) {
        peer_set_silent(v->peer, true);
        EXPECT(s, suite_until_ms(s, SILENT_MS, is_quiet, v), "no media after 30 s of silence",
               "it flows on");
    }
}

static void close_stops_media(struct suite *s)
{
    struct party *v = party_pair(s, NULL);

    if (v) {
        peer_send_close(v->peer);
        suite_wait(s, 300);
        unsigned before = v->wire_media;
        suite_wait(s, 700);
        EXPECT(s, v->wire_media == before, "nothing sent behind close_notify", "%u datagrams",
               v->wire_media - before);
    }
}

static void restart_keeps_media(struct suite *s)
{
    struct party *v = party_pair(s, NULL);

    if (!v) {
        return;
    }
    SKIP_IF(s, !v->etag[0], "no ETag in the 201: no ICE restart here");
    unsigned records = v->dtls_records;
    const struct reply *r = party_restart(v, "*");
    SKIP_IF(s, r->status == 405 || r->status == 422 || r->status == 501,
            "the server does no ICE restart (%d)", r->status);
    EXPECT_STATUS(s, r, 200);
    (void)party_more(v, 60);
    EXPECT(s, v->dtls_records == records, "DTLS is not done again", "%u records",
           v->dtls_records - records);
    EXPECT(s, !party_faults(v)[0] && peer_stats(v->peer)->lost == 0, "no gap in the media",
           "%s, %llu lost", party_faults(v), (unsigned long long)peer_stats(v->peer)->lost);
}

static void nothing_before_a_check(struct suite *s)
{
    if (!check_stage(s)) {
        return;
    }
    struct party *v = POST(s, .play = true); /* with a candidate, but no check */
    EXPECT_STATUS(s, v->created, 201);
    suite_wait(s, 1200);
    unsigned n = v->wire_media + v->dtls_records;
    EXPECT(s, n == 0, "no media and no DTLS to an address that has not proved itself",
           "%u datagrams", n);
}

static void junk_flood(struct suite *s)
{
    struct party *p;
    struct probe *pr = open_session(s, &p);
    struct peer_stun rq;
    uint8_t buf[600], in[PROBE_MAX];
    size_t sent = 0, got = 0, n;

    if (!pr) {
        return;
    }
    for (unsigned i = 0; i < 3000; i++) {
        probe_check(p, &rq);
        snprintf(rq.username, sizeof(rq.username), "u%07u:x", i);
        n = peer_stun_write(&rq, "no-such-password-at-all", buf, sizeof(buf));
        probe_send(pr, buf, n);
        sent += n;
        if (i % 100 == 99) {
            while ((n = probe_recv(pr, 1, in, sizeof(in))) > 0) {
                got += n;
            }
        }
    }
    EXPECT(s, got <= sent, "no more sent back than came in", "%zu bytes for %zu", got, sent);
    (void)probe_nominate(pr, p);
}

static void turn_credentials(struct suite *s)
{
    struct party *a = POST(s, 0), *b = POST(s, 0);

    EXPECT_STATUS(s, a->created, 201);
    for (unsigned i = 0; reply_nth(a->created, "Link", i); i++) {
        const char *x = reply_nth(a->created, "Link", i), *y = reply_nth(b->created, "Link", i);
        if (!strncmp(x, "<turn", 5)) {
            EXPECT(s, strspn(x + 1, "turns:") >= 5 && !strstr(x, "//"),
                   "turn:host or turns:host (RFC 7065)", "%s", x);
            EXPECT(s, y && strcmp(x, y), "credentials of their own for each session", "%s", x);
            return;
        }
    }
    suite_skip(s, "no TURN server in the 201");
}

static void demultiplexing(struct suite *s)
{
    static const uint8_t first[] = {4, 19, 64, 79, 80, 127, 192, 255};
    struct party *pub;
    struct party *v = party_pair(s, &pub);
    uint8_t buf[200] = {0};

    if (!v) {
        return;
    }
    for (size_t i = 0; i < sizeof(first); i++) {
        buf[0] = first[i];
        (void)peer_send_raw(pub->peer, buf, sizeof(buf));
        (void)peer_send_raw(v->peer, buf, sizeof(buf));
    }
    (void)peer_send_raw(v->peer, buf, 1);
    (void)party_more(v, 30);
    EXPECT(s, !party_faults(v)[0], "flawless media", "%s", party_faults(v));
}

const struct check checks_ice[] = {
    {"ICE-01", MUST, "RFC 8445 7.3, RFC 8489 9.1",
     "a check is answered: mapped address, integrity, fingerprint", good_check},
    {"ICE-02", MUST, "RFC 8489 9.1.3", "wrong password, unknown ufrag: never success",
     wrong_credentials},
    {"ICE-03", MUST, "RFC 8489 9.1.3", "no MESSAGE-INTEGRITY: never success", no_integrity},
    {"ICE-04", MUST, "RFC 8489 6.3", "a wrong FINGERPRINT: dropped", bad_fingerprint},
    {"ICE-05", MUST, "RFC 8489 6.3.1", "unknown required attribute: 420 and its number",
     unknown_attribute},
    {"ICE-06", POLICY, "clients in the field", "a check without PRIORITY and role (FFmpeg) works",
     bare_check},
    {"ICE-07", MUST, "RFC 8445 11", "a binding indication gets no reply", indication},
    {"ICE-08", MUST, "RFC 8445 7.3.1.1", "role conflict: switch or 487", role_conflict},
    {"ICE-09", MUST, "RFC 8445 6.1.2, RFC 8839 5.3", "a lite agent sends no checks",
     lite_sends_no_checks},
    {"ICE-10", MUST, "RFC 8445 7.3.1.3", "media without any candidate of the client",
     no_candidates},
    {"ICE-11", MUST, "RFC 8445 7.3.1.5", "a viewer nominates another pair: media follows", moves},
    {"ICE-12", MUST, "RFC 8840 8.2, RFC 9725 4.3.2", "all candidates, end-of-candidates",
     end_of_candidates},
    {"ICE-13", POLICY, "clients in the field", "IPv4 UDP first, TCP passive last, component 1",
     candidate_order},
    {"ICE-14", MUST, "RFC 8839 5.1", "srflx and relay have raddr and rport", related_addresses},
    {"ICE-15", POLICY, "clients in the field",
     "behind 1:1 NAT the public address is a host candidate", NULL, NULL, "needs a NAT between"},
    {"ICE-16", MUST, "draft-ietf-mmusic-mdns-ice-candidates", "a .local candidate does no harm",
     foreign_candidates,
     "a=candidate:9 1 udp 2113937151 0f5a4a2b-6d3a-4f4e-9a53-aaaaaaaaaaaa.local 50000 typ "
     "host\r\n"},
    {"ICE-17", MUST, "RFC 8839 5.1", "unknown candidate attributes are passed over",
     foreign_candidates,
     "a=candidate:9 1 udp 2113937151 192.0.2.9 50000 typ host generation 0 ufrag abcd "
     "network-id 3 network-cost 50 x-new y\r\n"},
    {"ICE-18", MUST, "RFC 8839 5.1", "component 0 or 2, port 0, names, zones: dropped",
     foreign_candidates,
     "a=candidate:9 0 udp 2113937151 192.0.2.9 50000 typ host\r\n"
     "a=candidate:10 2 udp 2113937150 192.0.2.9 50001 typ host\r\n"
     "a=candidate:11 1 udp 2113937149 192.0.2.9 0 typ host\r\n"
     "a=candidate:12 1 udp 2113937148 host.invalid 50000 typ host\r\n"
     "a=candidate:13 1 udp 2113937147 fe80::1%eth0 50000 typ host\r\n"},
    {"ICE-19", MUST, "RFC 6544, RFC 4571", "ICE-TCP: frames in pieces, an empty frame", tcp_frames},
    {"ICE-20", POLICY, "robustness", "an idle TCP connection is closed", tcp_idle},
    {"ICE-21", MUST, "RFC 7675 5.1", "a full agent sends consent checks", consent},
    {"ICE-22", MUST, "RFC 7675 5.1", "media alone is no consent for a full agent", consent},
    {"ICE-23", POLICY, "RFC 7675 5.1", "a silent viewer is sent nothing any more", silent_viewer},
    {"ICE-24", MUST, "RFC 7675 5.2", "close_notify revokes consent at once", close_stops_media},
    {"ICE-25", MUST, "RFC 8445 9", "a restart keeps DTLS and media", restart_keeps_media},
    {"ICE-26", POLICY, "RFC 8445 7.3.1.3", "a publisher behind a rebound NAT goes on", moves,
     "publisher"},
    {"ICE-27", MUST, "RFC 8827 9.2", "nothing is sent to an address that has not proved itself",
     nothing_before_a_check},
    {"ICE-28", POLICY, "RFC 8489 16.1", "a flood of junk is not amplified", junk_flood},
    {"ICE-29", MUST, "RFC 7065 3, RFC 9725 4.6", "TURN URIs and credentials", turn_credentials},
    {"ICE-30", MUST, "RFC 7983 7", "first bytes of no protocol are dropped", demultiplexing},
    {"ICE-31", POLICY, "robustness", "gathering takes no longer than 2 s", NULL, NULL,
     "needs a STUN server that does not answer"},
    {0},
};
