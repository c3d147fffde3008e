/* SPDX-License-Identifier: Apache-2.0 */
/* check_dtls.c - DTLS and the keys that come of it: roles, versions, certificates, SRTP profiles.
 */
#include "tests/conformance/checks.h"

#include <ctype.h>
#include <openssl/ssl.h>

#define SHAKE_MS  6000
#define REFUSE_MS 1500
#define CM        "SRTP_AES128_CM_SHA1_80"
#define GCM_128   "SRTP_AEAD_AES_128_GCM"
#define GCM_256   "SRTP_AEAD_AES_256_GCM"

/* A session, its probe nominated: ready for a ClientHello. */
static struct probe *nominated(struct suite *s, struct party **ret)
{
    *ret = check_session(s, false);
    struct probe *pr = *ret ? probe_open(*ret) : NULL;

    return pr && probe_nominate(pr, *ret) ? pr : NULL;
}

static void versions(struct suite *s)
{
    struct party *p;
    struct probe *pr = nominated(s, &p);
    struct handshake h = {.profiles = CM};

    if (!pr) {
        return;
    }
    probe_handshake(pr, &h, SHAKE_MS);
    EXPECT(s, h.up && h.version == DTLS1_2_VERSION, "DTLS 1.2", "up %d, version %#x", h.up,
           h.version);
    pr = nominated(s, &p);
    h = (struct handshake){.profiles = CM, .max_version = DTLS1_VERSION};
    if (pr) {
        probe_handshake(pr, &h, REFUSE_MS);
        EXPECT(s, !h.up, "DTLS 1.0 refused", "accepted, %s", h.cipher);
    }
}

static bool is_client_hello(const uint8_t *buf, size_t n)
{
    return n > 13 && buf[0] == 22 && buf[13] == 1;
}

static void active_role(struct suite *s)
{
    struct peer_params m;
    uint8_t buf[PROBE_MAX];

    suite_params(s, false, &m);
    m.setup = "passive";
    struct party *p = POST(s, .params = &m);
    EXPECT_STATUS(s, p->created, 201);
    const char *setup = doc_get(&p->answer, doc_tagged(&p->answer), "a=setup:");
    EXPECT(s, setup && !strcmp(setup, "active"), "a=setup:active", "%s", setup ? setup : "none");
    struct probe *pr = probe_open(p);
    if (!pr) {
        return;
    }
    EXPECT(s, !probe_recv(pr, 300, buf, sizeof(buf)), "nothing before a check", "a datagram");
    if (!probe_nominate(pr, p)) {
        return;
    }
    size_t n = probe_recv(pr, 1000, buf, sizeof(buf));
    EXPECT(s, is_client_hello(buf, n), "a ClientHello after the check", "%zu bytes", n);
    bool again = false;
    for (int i = 0; i < 8 && !again; i++) {
        n = probe_recv(pr, 1200, buf, sizeof(buf));
        again = is_client_hello(buf, n);
    }
    EXPECT(s, again, "the ClientHello repeated within about a second", "not");
}

static void mandatory_suite(struct suite *s)
{
    struct party *p;
    struct probe *pr = nominated(s, &p);
    struct handshake h = {.profiles = CM, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"};

    if (pr) {
        probe_handshake(pr, &h, SHAKE_MS);
        EXPECT(s, h.up, "a handshake with ECDHE-ECDSA-AES128-GCM-SHA256", "none");
        EXPECT(s, !strcmp(h.key, "prime256v1"), "an ECDSA P-256 certificate", "%s", h.key);
    }
}

static const char *fingerprint_line(struct suite *s)
{
    return suite_keep(s, "a=fingerprint:sha-256 %s", peer_identity_fingerprint(s->identity));
}

static void other_hashes(struct suite *s)
{
    static const char *const hashes[] = {"sha-384", "sha-512"};
    char text[256];

    for (int i = 0; i < 2; i++) {
        (void)peer_identity_digest(s->identity, hashes[i], text, sizeof(text));
        const char *line = suite_keep(s, "a=fingerprint:%s %s", hashes[i], text);
        struct party *p = POST(s, .edits = {{fingerprint_line(s), line, true}});
        if (!party_up(p)) {
            return;
        }
        (void)party_more(p, 10);
        (void)party_delete(p);
    }
}

static void mismatch(struct suite *s)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.quirks |= PEER_QUIRK_BAD_FINGERPRINT;
    struct party *p = POST(s, .params = &m);
    EXPECT_STATUS(s, p->created, 201);
    (void)peer_use_offer(p->peer, p->offer_text);
    (void)peer_set_answer(p->peer, p->created->body, p->created->len);
    (void)suite_until(s, party_is_gone, p);
    EXPECT(s, party_is_gone(p), "an alert", "state %s", peer_state_name(peer_state(p->peer)));
    struct party *v = POST(s, .play = true);
    bool plays = v->created->status == 201;
    if (plays) {
        (void)peer_set_answer(v->peer, v->created->body, v->created->len);
        suite_wait(s, 1000);
    }
    EXPECT(s, !plays || peer_stats(v->peer)->packets == 0, "no media of such a publisher",
           "a viewer got %llu packets", (unsigned long long)peer_stats(v->peer)->packets);
}

static void lower_case(struct suite *s)
{
    char *line = suite_keep(s, "%s", fingerprint_line(s));

    for (char *c = line + strlen("a=fingerprint:sha-256 "); *c; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    struct party *p = POST(s, .edits = {{fingerprint_line(s), line, true}});
    if (party_up(p)) {
        (void)party_more(p, 10);
    }
}

static void several_fingerprints(struct suite *s)
{
    const char *own = fingerprint_line(s);
    const char *lines = suite_keep(s, "a=fingerprint:sha-256 %s\r\n%s",
                                   peer_identity_fingerprint(s->stranger), own);
    struct party *p = POST(s, .edits = {{own, lines, true}});

    if (party_up(p)) {
        (void)party_more(p, 10);
    }
}

static void no_use_srtp(struct suite *s)
{
    struct party *p;
    struct probe *pr = nominated(s, &p);
    struct handshake h = {.profiles = NULL};

    if (pr) {
        probe_handshake(pr, &h, REFUSE_MS);
        EXPECT(s, !h.up || h.closed, "refused, or closed at once", "up with %s", h.cipher);
    }
}

static void lossy_handshake(struct suite *s)
{
    struct party *p = POST(s, 0);

    EXPECT_STATUS(s, p->created, 201);
    peer_set_loss(p->peer, 0.3, 0.3, false);
    (void)party_up(p);
    EXPECT(s, p->largest <= 1250, "flights in datagrams of at most 1250 bytes", "%zu bytes",
           p->largest);
}

static void session_ends_with_close(struct suite *s)
{
    struct party *p = LIVE(s, 0);

    if (!p) {
        return;
    }
    peer_send_close(p->peer);
    suite_wait(s, 300);
    struct probe *pr = probe_open(p);
    struct peer_stun rq, a = {0};
    if (pr) {
        probe_check(p, &rq);
        bool any = probe_ask(pr, &rq, probe_remote_pwd(p), 400, &a, NULL);
        EXPECT(s, !any || a.type != PEER_STUN_SUCCESS, "the session has ended",
               "checks are still answered");
    }
    const struct reply *r = party_delete(p);
    EXPECT_STATUS(s, r, 200);
}

static void delete_revokes(struct suite *s)
{
    struct party *v = party_pair(s, NULL);

    if (!v) {
        return;
    }
    (void)party_delete(v);
    (void)suite_until_ms(s, 2000, party_is_gone, v);
    EXPECT(s, peer_state(v->peer) == PEER_CLOSED, "close_notify", "state %s",
           peer_state_name(peer_state(v->peer)));
    suite_wait(s, 100);
    unsigned before = v->wire_media;
    suite_wait(s, 600);
    EXPECT(s, v->wire_media == before, "silence", "%u datagrams", v->wire_media - before);
}

static void hello_from_elsewhere(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);
    struct probe *pr = v ? probe_open(v) : NULL;
    struct handshake h = {.profiles = CM};

    if (pr) {
        probe_handshake(pr, &h, 700);
        EXPECT(s, !h.up, "no handshake with an unproved address", "up");
        (void)party_more(v, 20);
        EXPECT(s, !party_faults(v)[0] && peer_stats(v->peer)->rx_unauthentic == 0,
               "the session's keys as before", "%s", party_faults(v));
    }
}

static void fingerprints_match(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub); /* both peers compare the certificate */

    if (v) {
        const char *a = doc_get(&pub->answer, 1, "a=fingerprint:");
        const char *b = doc_get(&v->answer, 1, "a=fingerprint:");
        EXPECT(s, a && b, "a=fingerprint in both answers", "%s, %s", a ? a : "none",
               b ? b : "none");
    }
}

static void no_resumption(struct suite *s)
{
    struct party *p;
    struct probe *pr = nominated(s, &p);
    struct handshake h = {.profiles = CM};

    if (pr) {
        probe_handshake(pr, &h, SHAKE_MS);
        EXPECT(s, h.up && !h.resumable, "a session that cannot be resumed", "up %d, resumable %d",
               h.up, h.resumable);
    }
}

const struct check checks_dtls[] = {
    {"DTLS-01", MUST, "RFC 8827 6.5", "passive; DTLS 1.2; 1.0 is refused", versions},
    {"DTLS-02", MUST, "RFC 5763 5", "active: a ClientHello behind the check, repeated",
     active_role},
    {"DTLS-03", MUST, "RFC 8827 6.5", "ECDHE-ECDSA-AES128-GCM-SHA256, P-256", mandatory_suite},
    {"DTLS-04", MUST, "RFC 8122 5", "fingerprints by SHA-384 and SHA-512", other_hashes},
    {"DTLS-05", MUST, "RFC 5763 6.7", "another certificate: alert, no media", mismatch},
    {"DTLS-06", MUST, "RFC 8122 5", "fingerprints are compared without case", lower_case},
    {"DTLS-07", MUST, "RFC 8122 5", "one of several fingerprints fits", several_fingerprints},
    {"DTLS-08", MUST, "RFC 5764 4.1", "no use_srtp: refused", no_use_srtp},
    {"DTLS-09", MUST, "RFC 6347 4.2.4", "30 % loss both ways; small datagrams", lossy_handshake},
    {"DTLS-10", MUST, "RFC 8842 5.5", "DTLS before the fingerprint is known", NULL, NULL,
     "a WHIP or WHEP server answers: it has the fingerprint before the client has an address"},
    {"DTLS-11", MUST, "RFC 9725 4.2", "close_notify ends the session; DELETE is still 200",
     session_ends_with_close},
    {"DTLS-12", MUST, "RFC 9725 4.2, RFC 7675 5.2", "DELETE: close_notify, then silence",
     delete_revokes},
    {"DTLS-13", POLICY, "RFC 8842 5.5", "a ClientHello from elsewhere changes nothing",
     hello_from_elsewhere},
    {"DTLS-14", POLICY, "RFC 8122 5", "the fingerprint in the answer is the certificate's",
     fingerprints_match},
    {"DTLS-15", POLICY, "RFC 8827 6.5", "sessions cannot be resumed", no_resumption},
    {"DTLS-17", POLICY, "RFC 9147", "DTLS 1.3", NULL, NULL,
     "OpenSSL 3 has no DTLS 1.3 to try it with"},
    {0},
};
