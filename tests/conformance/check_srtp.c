/* SPDX-License-Identifier: Apache-2.0 */
/* check_srtp.c - profiles, keys, replay, rollover: SRTP as the other side sees it. */
#include "tests/conformance/checks.h"
#include "tests/conformance/feed.h"

#define CM      "SRTP_AES128_CM_SHA1_80"
#define GCM_128 "SRTP_AEAD_AES_128_GCM"
#define GCM_256 "SRTP_AEAD_AES_256_GCM"
#define SOON_MS 1500

/* Publisher and viewer with these profiles. */
static struct party *pair_with(struct suite *s, const char *profiles, const char *setup)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.srtp = profiles;
    m.setup = setup;
    if (!LIVE(s, .params = &m)) {
        return NULL;
    }
    suite_params(s, true, &m);
    m.srtp = profiles;
    m.setup = setup;
    struct party *v = WATCH(s, .params = &m);
    return v && party_more(v, 20) ? v : NULL;
}

static bool opens(struct suite *s, struct party *v)
{
    const struct peer_stats *st = peer_stats(v->peer);

    return suite_expect(s, !st->rx_unauthentic && !party_faults(v)[0],
                        "every packet authentic and flawless", "%llu do not open, %s",
                        (unsigned long long)st->rx_unauthentic, party_faults(v));
}

static void only_cm(struct suite *s)
{
    struct party *v = pair_with(s, CM, "actpass");

    if (v && opens(s, v)) {
        EXPECT(s, peer_stats(v->peer)->profile == PEER_PROFILE_CM_SHA1_80, "the profile chosen",
               "profile %d", peer_stats(v->peer)->profile);
    }
}

static void prefers_gcm(struct suite *s)
{
    struct party *v = pair_with(s, CM ":" GCM_128, "actpass");

    if (v && opens(s, v)) {
        EXPECT(s, peer_stats(v->peer)->profile == PEER_PROFILE_GCM_128, "AEAD_AES_128_GCM",
               "profile %d", peer_stats(v->peer)->profile);
    }
}

static void only_gcm(struct suite *s)
{
    static const char *const rows[] = {GCM_128, GCM_256};

    for (int i = 0; i < 2; i++) {
        struct party *v = pair_with(s, rows[i], "actpass");
        if (!v || !opens(s, v)) {
            return;
        }
    }
}

static void both_roles(struct suite *s)
{
    static const char *const rows[] = {"active", "passive"};

    for (int i = 0; i < 2; i++) {
        struct party *v = pair_with(s, CM, rows[i]);
        if (!v || !opens(s, v)) {
            return;
        }
        v = pair_with(s, GCM_128, rows[i]);
        if (!v || !opens(s, v)) {
            return;
        }
    }
}

/* ---- by hand ---- */

static void forged(struct suite *s)
{
    struct feed f;
    uint8_t buf[80];

    if (!feed_open(s, NULL, NULL, &f) || !feed_prime(&f, 100, 20)) {
        return;
    }
    for (unsigned i = 0; i < 200; i++) { /* far ahead: would push the rollover counter */
        memset(buf, (int)i, sizeof(buf));
        buf[0] = 0x80;
        buf[1] = f.audio_pt;
        peer_put16(buf + 2, 120 + i * 300);
        peer_put32(buf + 4, i * 960);
        peer_put32(buf + 8, f.audio_ssrc);
        (void)peer_send_raw(f.pub->peer, buf, sizeof(buf));
    }
    unsigned before = f.view->wire_media;
    suite_wait(s, 200);
    EXPECT(s, f.view->wire_media - before < 10, "forged packets are not forwarded",
           "%u datagrams went to the viewer", f.view->wire_media - before);
    feed_audio(&f, 120, 21);
    EXPECT(s, feed_wait(&f, 21, SOON_MS), "the true stream goes on", "it does not");
}

static void replayed(struct suite *s)
{
    struct feed f;

    if (!feed_open(s, NULL, NULL, &f) || !feed_prime(&f, 100, 20)) {
        return;
    }
    for (int i = 0; i < 10; i++) {
        feed_audio(&f, 115, 16); /* the same index and bytes again */
    }
    feed_audio(&f, 120, 21);
    EXPECT(s, feed_wait(&f, 21, SOON_MS), "the stream goes on", "it does not");
    EXPECT(s, feed_count(&f, 16) == 1, "delivered once", "%u times", feed_count(&f, 16));
}

static void late_by_800(struct suite *s)
{
    struct feed f;

    if (!feed_open(s, NULL, NULL, &f) || !feed_prime(&f, 100, 20)) {
        return;
    }
    for (uint32_t i = 21; i <= 860; i++) {
        if (i != 50) {
            feed_audio(&f, (uint16_t)(99 + i), i);
        }
        if (i % 40 == 0) {
            suite_wait(s, 5);
        }
    }
    EXPECT(s, feed_wait(&f, 860, SOON_MS), "the stream goes on over a gap", "it does not");
    feed_audio(&f, 149, 50);
    EXPECT(s, feed_wait(&f, 50, SOON_MS), "a packet 800 places late is delivered", "it is not");
    EXPECT(s, feed_seq(&f, 50) == (uint16_t)(feed_seq(&f, 49) + 1), "in its own place",
           "number %d behind %d", feed_seq(&f, 50), feed_seq(&f, 49));
}

static void rollover(struct suite *s)
{
    struct feed f;
    unsigned missing = 0;

    if (!feed_open(s, NULL, NULL, &f) || !feed_prime(&f, 65500, 20)) {
        return;
    }
    for (uint32_t i = 21; i <= 80; i += 2) { /* pairs changed over, each tenth lost */
        if (i % 20 != 1) {
            feed_audio(&f, (uint16_t)(65499 + i + 1), i + 1);
        }
        feed_audio(&f, (uint16_t)(65499 + i), i);
        suite_wait(s, 5);
    }
    (void)feed_wait(&f, 79, SOON_MS);
    for (uint32_t i = 21; i <= 80; i++) {
        missing += (i % 20 != 2) && !feed_count(&f, i);
    }
    EXPECT(s, !missing, "every packet over the wrap from 65535 to 0", "%u missing", missing);
    EXPECT(s, !peer_stats(f.view->peer)->rx_unauthentic, "authentic for the viewer",
           "%llu do not open", (unsigned long long)peer_stats(f.view->peer)->rx_unauthentic);
}

static void first_near_wrap(struct suite *s)
{
    struct feed f;

    if (feed_open(s, NULL, NULL, &f)) {
        (void)feed_prime(&f, 65533, 20);
    }
}

static void outgoing_rollover(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);

    for (int i = 0; v && i < 2; i++) { /* other sources, the same viewer */
        peer_set_paused(pub->peer, true);
        (void)party_delete(pub);
        suite_wait(s, 100);
        SKIP_IF(s, party_is_gone(v), "viewers leave with the publisher");
        pub = LIVE(s, 0);
        if (!pub || !party_more(v, 20)) {
            return;
        }
    }
    if (v) {
        (void)opens(s, v);
    }
}

static void rtcp_protected(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);
    uint8_t forgery[60] = {0x81, 206, 0, 2};

    if (!v) {
        return;
    }
    suite_wait(s, 1500);
    EXPECT(s, peer_stats(v->peer)->sender_reports_received > 0 && opens(s, v),
           "authentic SRTCP from the server", "%llu sender reports",
           (unsigned long long)peer_stats(v->peer)->sender_reports_received);
    uint64_t plis = peer_stats(pub->peer)->plis_received;
    uint32_t ssrc = doc_ssrc(&v->answer, doc_section(&v->answer, "video", 0));
    peer_put32(forgery + 8, ssrc);
    for (int i = 0; i < 20; i++) {
        (void)peer_send_raw(v->peer, forgery, sizeof(forgery));
    }
    suite_wait(s, 500);
    EXPECT(s, peer_stats(pub->peer)->plis_received == plis, "a forged PLI has no effect",
           "the publisher was asked");
}

static void many_ssrcs(struct suite *s)
{
    struct feed f;

    if (!feed_open(s, NULL, NULL, &f) || !feed_prime(&f, 100, 20)) {
        return;
    }
    for (uint32_t i = 0; i < 3000; i++) {
        /* a MID of no section: nothing that the packet could belong to */
        struct peer_rtp r = {.ssrc = 0x10000 + i, .seq = (uint16_t)i, .ts = i};
        r.exts[0] = (struct peer_rtp_ext){(uint8_t)f.mid_ext, 4, (const uint8_t *)"nope"};
        r.n_exts = f.mid_ext ? 1 : 0;
        feed_send(&f, &r, 0);
        if (i % 100 == 0) {
            suite_wait(s, 1);
        }
    }
    feed_audio(&f, 120, 21);
    EXPECT(s, feed_wait(&f, 21, SOON_MS), "the stream goes on behind 3000 unknown SSRCs",
           "it does not");
}

static void cryptex(struct suite *s)
{
    struct party *p = POST(s, .edits = {{"a=rtcp-mux\r\n", "a=rtcp-mux\r\na=cryptex\r\n", true}});

    EXPECT_STATUS(s, p->created, 201);
    SKIP_IF(s, strstr(p->created->body, "a=cryptex"), "accepted; tests/peer cannot encrypt so");
    if (party_up(p)) {
        (void)party_more(p, 10);
    }
}

static void sizes(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);
    static const size_t rows[] = {1, 2, 11, 12, 13, 1472};
    uint8_t buf[1500] = {0x80, 111};

    for (size_t i = 0; v && i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)peer_send_raw(pub->peer, buf, rows[i]);
        (void)peer_send_raw(v->peer, buf, rows[i]);
    }
    if (v && party_more(v, 20)) {
        (void)opens(s, v);
    }
}

const struct check checks_srtp[] = {
    {"SRTP-01", MUST, "RFC 5764 4.1.2, RFC 8827 6.5", "AES128_CM_SHA1_80 alone works", only_cm},
    {"SRTP-02", SHOULD, "RFC 7714 14", "AEAD_AES_128_GCM is preferred", prefers_gcm},
    {"SRTP-03", MUST, "RFC 5764 4.2", "keys in both DTLS roles", both_roles},
    {"SRTP-04", MUST, "RFC 7714 12", "GCM with its salt of 12 bytes, 128 and 256", only_gcm},
    {"SRTP-05", MUST, "RFC 3711 3.3", "forged packets are dropped and change nothing", forged},
    {"SRTP-06", POLICY, "RFC 3711 3.3.2", "a replayed packet is delivered once", replayed},
    {"SRTP-07", MUST, "RFC 3711 3.3.2", "a packet 800 places late fills its gap", late_by_800},
    {"SRTP-08", MUST, "RFC 3711 3.3.1", "the wrap of the sequence number under loss and disorder",
     rollover},
    {"SRTP-08", MUST, "RFC 3711 3.3.1", "a stream that begins just before the wrap",
     first_near_wrap},
    {"SRTP-09", MUST, "RFC 3711 3.3.1", "a change of source leaves the viewer's counters",
     outgoing_rollover},
    {"SRTP-10", MUST, "RFC 3711 3.4", "SRTCP is authentic; forged SRTCP has no effect",
     rtcp_protected},
    {"SRTP-11", POLICY, "robustness", "3000 unknown SSRCs do no harm", many_ssrcs},
    {"SRTP-12", MAY, "RFC 9335", "cryptex is answered only if it works", cryptex},
    {"SRTP-13", MAY, "RFC 6904", "encrypted header extensions are refused", check_accepted_offer,
     &(struct acceptance){
         .edits = {{"a=extmap:1 urn", "a=extmap:1 urn:ietf:params:rtp-hdrext:encrypt urn"}},
         .lacks = "hdrext:encrypt",
         .up = true}},
    {"SRTP-14", POLICY, "robustness", "packets of odd sizes do no harm", sizes},
    {0},
};
