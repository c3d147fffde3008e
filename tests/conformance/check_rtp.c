/* SPDX-License-Identifier: Apache-2.0 */
/* check_rtp.c - RTP by hand: what is dropped, how packets find their section, what a viewer gets.
 */
#include "tests/conformance/checks.h"
#include "tests/conformance/feed.h"

#define SOON_MS 1500
#define MID     "urn:ietf:params:rtp-hdrext:sdes:mid"
#define RID     "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
#define LEVEL   "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
#define TWCC    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

static bool primed(struct suite *s, struct feed *f)
{
    return feed_open(s, NULL, NULL, f) && feed_prime(f, 100, 20);
}

/* Bytes as they are, protected with the publisher's keys. */
static void send_bytes(struct feed *f, const uint8_t *buf, size_t len)
{
    (void)peer_send_rtp(f->pub->peer, buf, len);
}

static void malformed(struct suite *s)
{
    struct feed f;
    uint8_t good[64] = {0x80}, bad[64];

    if (!primed(s, &f)) {
        return;
    }
    good[1] = f.audio_pt;
    peer_put16(good + 2, 120);
    peer_put32(good + 4, 120 * 960);
    peer_put32(good + 8, f.audio_ssrc);
    unsigned before = f.view->wire_media;
    for (int i = 0; i < 5; i++) {
        memcpy(bad, good, sizeof(bad));
        peer_put16(bad + 2, (uint32_t)(120 + i));
        switch (i) {
        case 0:
            bad[0] = 0xa0; /* padding longer than the packet */
            bad[63] = 200;
            break;
        case 1:
            bad[0] = 0xa0; /* padding of 0 bytes */
            bad[63] = 0;
            break;
        case 2:
            bad[0] = 0x8f; /* 15 CSRCs do not fit in */
            break;
        case 3:
            bad[0] = 0x90; /* an extension past the end */
            peer_put32(bad + 12, 0xbede00ff);
            break;
        default:
            bad[0] = 0x00; /* version 0: not even SRTP by its first byte */
            break;
        }
        send_bytes(&f, bad, i == 2 ? 40 : sizeof(bad));
    }
    suite_wait(s, 200);
    EXPECT(s, f.view->wire_media - before < 3, "malformed packets are dropped",
           "%u datagrams went to the viewer", f.view->wire_media - before);
    feed_audio(&f, 130, 21);
    EXPECT(s, feed_wait(&f, 21, SOON_MS), "the stream goes on", "it does not");
}

static void rtp_or_rtcp(struct suite *s)
{
    struct feed f;
    uint8_t app[16] = {0x80, 204, 0, 3};

    if (!primed(s, &f)) {
        return;
    }
    for (int i = 1; i <= f.view->answer.n_sections; i++) {
        for (const char *p = check_pts(&f.view->answer, i); *p;) {
            char *end;
            long pt = strtol(p, &end, 10);
            EXPECT(s, pt < 64 || pt > 95, "no payload type 64 to 95", "%ld", pt);
            p = end + strspn(end, " ");
        }
    }
    peer_put32(app + 4, f.audio_ssrc);
    (void)peer_send_rtcp(f.pub->peer, app, sizeof(app));
    suite_wait(s, 200);
    for (unsigned i = 0; i < party_plain_count(f.view); i++) {
        const struct plain *x = party_plain(f.view, i);
        EXPECT(s, x->rtcp || x->buf[1] != 204, "RTCP is not forwarded as RTP", "it is");
    }
    feed_audio(&f, 120, 21);
    EXPECT(s, feed_wait(&f, 21, SOON_MS), "the stream goes on", "it does not");
}

/* An audio packet of another SSRC with one extension. */
static void with_ext(struct feed *f, uint32_t ssrc, uint16_t seq, int id, const char *value,
                     uint32_t number)
{
    struct peer_rtp r = {.ssrc = ssrc, .seq = seq, .ts = seq * 960U};

    r.exts[0] = (struct peer_rtp_ext){(uint8_t)id, (uint8_t)strlen(value), (const uint8_t *)value};
    r.n_exts = 1;
    feed_send(f, &r, number);
}

static void by_mid(struct suite *s)
{
    struct feed f;

    if (!primed(s, &f)) {
        return;
    }
    SKIP_IF(s, !f.mid_ext, "the answer has no MID extension");
    with_ext(&f, 0xabcd0001, 500, f.mid_ext, "nope", 1001);
    suite_wait(s, 300);
    EXPECT(s, !feed_count(&f, 1001), "an unknown MID drops the packet", "it was forwarded");
    for (unsigned i = 0; i < 5; i++) {
        with_ext(&f, 0xabcd0002, (uint16_t)(700 + i), f.mid_ext, "0", 1002 + i);
    }
    EXPECT(s, feed_wait(&f, 1006, SOON_MS), "an unknown SSRC with a known MID is taken",
           "it is not");
}

static void new_ssrc(struct suite *s)
{
    struct feed f;

    if (!primed(s, &f)) {
        return;
    }
    SKIP_IF(s, !f.mid_ext, "the answer has no MID extension");
    for (unsigned i = 0; i < 30; i++) {
        with_ext(&f, 0xabcd0003, (uint16_t)(40000 + i), f.mid_ext, "0", 2000 + i);
        suite_wait(s, 5);
    }
    EXPECT(s, feed_wait(&f, 2029, SOON_MS), "the new SSRC is forwarded", "it is not");
    const struct plain *a = feed_wait(&f, 20, 10), *b = feed_wait(&f, 2029, 10);
    EXPECT(s, !memcmp(a->buf + 8, b->buf + 8, 4), "under the SSRC that the viewer knows",
           "%08x, was %08x", peer_get32(b->buf + 8), peer_get32(a->buf + 8));
    uint16_t step = (uint16_t)(feed_seq(&f, 2029) - feed_seq(&f, 20));
    EXPECT(s, step <= 40, "numbered on", "a jump of %u", step);
}

static void without_mid(struct suite *s)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.quirks |= PEER_QUIRK_NO_MID;
    struct party *pub = LIVE(s, .params = &m), *v = pub ? VIEW(s) : NULL;
    int audio = v ? doc_section(&v->answer, "audio", 0) : 0;
    unsigned n = 0;
    if (!v || !party_more(v, 50)) {
        return;
    }
    int pt = doc_pt(&v->answer, audio, "opus");
    for (unsigned i = 0; i < party_plain_count(v); i++) {
        const struct plain *x = party_plain(v, i);
        n += !x->rtcp && (x->buf[1] & 127) == pt;
    }
    EXPECT(s, n > 5, "audio by its SSRC line or payload type", "%u audio packets", n);
}

static void stray_rid(struct suite *s)
{
    struct feed f;

    if (!primed(s, &f)) {
        return;
    }
    /* by the id of the offer: OBS sends it, whatever the answer says */
    int id = doc_ext(&f.pub->offer, f.video, RID);
    for (unsigned i = 0; i < 10; i++) {
        uint8_t frame[64];
        struct peer_rtp r = {.pt = f.video_pt,
                             .ssrc = f.video_ssrc,
                             .seq = (uint16_t)(500 + i),
                             .ts = i * 3000,
                             .marker = true};
        feed_vp8_payload(frame, (uint8_t)i, true, 3000 + i);
        r.payload = frame;
        r.payload_len = sizeof(frame);
        r.exts[0] = (struct peer_rtp_ext){(uint8_t)id, 1, (const uint8_t *)"0"};
        r.n_exts = 1;
        feed_send(&f, &r, 0);
        suite_wait(s, 20);
    }
    EXPECT(s, feed_wait(&f, 3009, SOON_MS), "a RID without a=rid does no harm",
           "the frames are gone");
}

/* Extension blocks of every legal kind around a MID. */
static void extension_forms(struct suite *s)
{
    struct feed f;
    uint8_t id = 0;

    if (!primed(s, &f)) {
        return;
    }
    SKIP_IF(s, !f.mid_ext, "the answer has no MID extension");
    id = (uint8_t)f.mid_ext;
    const uint8_t blocks[][12] = {
        {0xbe, 0xde, 0, 2, 0, 0, (uint8_t)(id << 4), '0', 0, 0, 0, 0},       /* padding around */
        {0xbe, 0xde, 0, 2, (uint8_t)(id << 4), '0', 0xf0, 0xff, 0xff, 0xff}, /* id 15 stops */
        {0x10, 0x00, 0, 2, id, 1, '0', 0, 200, 0, 0, 0},                     /* two-byte form */
        {0x10, 0x0b, 0, 2, 0, id, 1, '0', 0, 0, 0, 0},                       /* with appbits */
    };
    for (unsigned i = 0; i < 4; i++) {
        uint8_t buf[80] = {0x90};
        buf[1] = f.audio_pt;
        peer_put16(buf + 2, 120 + i);
        peer_put32(buf + 4, (120 + i) * 960);
        peer_put32(buf + 8, f.audio_ssrc);
        memcpy(buf + 12, blocks[i], 12);
        buf[24] = 0x78;
        peer_put32(buf + 28, 0x5eedf00d);
        peer_put32(buf + 32, 3000 + i);
        send_bytes(&f, buf, sizeof(buf));
    }
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(s, feed_wait(&f, 3000 + i, SOON_MS), "all four forms are read",
               "form %u did not arrive", i);
    }
}

/* ---- what a viewer is sent ---- */

/* Every RTP packet of the viewer. */
#define EACH_RTP(v, x, r)                                                                          \
    for (unsigned i_ = 0; i_ < party_plain_count(v); i_++)                                         \
        for (const struct plain *x = party_plain(v, i_); x && !x->rtcp; x = NULL)                  \
            for (struct peer_rtp r, *once_ = peer_rtp_read(x->buf, x->len, false, &r) ? NULL : &r; \
                 once_; once_ = NULL)

static void one_byte_only(struct suite *s)
{
    if (!check_stage(s)) {
        return;
    }
    struct party *v = WATCH(s, .edits = {{"a=extmap-allow-mixed\r\n", ""}});
    if (!v || !party_more(v, 50)) {
        return;
    }
    for (unsigned i = 0; i < party_plain_count(v); i++) {
        const struct plain *x = party_plain(v, i);
        unsigned head = 12 + 4 * (x->buf[0] & 15U);
        EXPECT(s, x->rtcp || !(x->buf[0] & 0x10) || peer_get16(x->buf + head) == 0xbede,
               "one-byte extensions (0xbede)", "%#x", peer_get16(x->buf + head));
    }
}

static void viewer_ids(struct suite *s)
{
    unsigned n = 0;

    if (!check_stage(s)) {
        return;
    }
    struct party *v = WATCH(s, .edits = {{"a=extmap:4 ", "a=extmap:13 ", true},
                                         {"a=extmap:3 ", "a=extmap:7 ", true},
                                         {"a=extmap:2 ", "a=extmap:6 ", true},
                                         {"a=extmap:1 ", "a=extmap:12 ", true}});
    if (!v || !party_more(v, 50)) {
        return;
    }
    EACH_RTP(v, x, r)
    {
        for (unsigned e = 0; e < r.n_exts; e++) {
            unsigned id = r.exts[e].id;
            EXPECT(s, id == 13 || id == 7 || id == 6 || id == 12, "the ids of the viewer", "id %u",
                   id);
            n += id == 13;
        }
    }
    EXPECT(s, n > 0 || !doc_ext(&v->answer, 1, MID), "the MID under the viewer's id", "never");
    EXPECT(s, !party_faults(v)[0], "true content", "%s", party_faults(v));
}

static void mid_at_first(struct suite *s)
{
    struct party *v = party_pair(s, NULL);
    unsigned with = 0, all = 0;

    if (!v) {
        return;
    }
    int id = doc_ext(&v->answer, 1, MID);
    SKIP_IF(s, !id, "the answer has no MID extension");
    EACH_RTP(v, x, r)
    {
        with += all < 5 && peer_rtp_ext(&r, (uint8_t)id) != NULL;
        all++;
        EXPECT(s, !peer_rtp_ext(&r, 10) && !peer_rtp_ext(&r, 11), "no RID to a viewer",
               "a RID was sent");
    }
    EXPECT(s, with == 5, "the MID on the first packets", "%u of 5", with);
}

static void continuous(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);

    if (!v) {
        return;
    }
    peer_set_paused(pub->peer, true); /* mute */
    suite_wait(s, 600);
    peer_set_paused(pub->peer, false);
    if (!party_more(v, 40)) {
        return;
    }
    peer_set_paused(pub->peer, true);
    suite_wait(s, 100);
    (void)party_delete(pub);
    suite_wait(s, 100);
    if (!party_is_gone(v)) {
        pub = LIVE(s, 0); /* another source */
        if (!pub || !party_more(v, 40)) {
            return;
        }
    }
    EXPECT(s, !party_faults(v)[0], "continuous numbers and timestamps", "%s", party_faults(v));
    EXPECT(s, peer_stats(v->peer)->lost == 0, "no gap", "%llu lost",
           (unsigned long long)peer_stats(v->peer)->lost);
}

/* Probes of padding alone are not for the viewer, and leave no hole in its numbers. */
static void padding_only(struct suite *s)
{
    struct feed f;
    uint8_t buf[40] = {0xa0};

    if (!primed(s, &f)) {
        return;
    }
    buf[1] = f.audio_pt;
    peer_put32(buf + 8, f.audio_ssrc);
    buf[39] = 28;
    uint16_t seq = 120;
    for (uint32_t i = 21; i <= 60; i++) {
        if (i % 2) {
            feed_audio(&f, seq++, i);
            continue;
        }
        peer_put16(buf + 2, seq++);
        peer_put32(buf + 4, (uint32_t)seq * 960);
        send_bytes(&f, buf, sizeof(buf));
        suite_wait(s, 5);
    }
    EXPECT(s, feed_wait(&f, 59, SOON_MS), "the media between arrives", "it does not");
    uint16_t step = (uint16_t)(feed_seq(&f, 59) - feed_seq(&f, 21));
    EXPECT(s, step == 19, "20 packets, 20 numbers", "%u numbers", step + 1);
}

static void one_cname(struct suite *s)
{
    struct party *v = party_pair(s, NULL);
    const char *first = NULL;

    for (int i = 1; v && i <= v->answer.n_sections; i++) {
        const char *line = check_get(&v->answer, i, "a=ssrc:");
        const char *cname = line ? strstr(line, "cname:") : NULL;
        if (!cname) {
            continue;
        }
        first = first ? first : cname;
        EXPECT(s, !strcmp(first, cname), "one CNAME for audio and video", "%s and %s", first,
               cname);
    }
    SKIP_IF(s, v && !first, "no a=ssrc cname in the answer");
}

/* ---- repair ---- */

static struct party *lossy_viewer(struct suite *s, bool rtx)
{
    struct peer_params m;

    if (!check_stage(s)) {
        return NULL;
    }
    suite_params(s, true, &m);
    m.rtx = rtx;
    struct party *v = WATCH(s, .params = &m);
    if (v) {
        peer_set_loss(v->peer, 0.08, 0, true);
        bool ok = party_more(v, 250);
        peer_set_loss(v->peer, 0, 0, true);
        suite_wait(s, 400);
        return ok ? v : NULL;
    }
    return NULL;
}

static void by_rtx(struct suite *s)
{
    struct party *v = lossy_viewer(s, true);

    if (v) {
        const struct peer_stats *st = peer_stats(v->peer);
        EXPECT(s, st->rtx > 0 && st->recovered > 0, "losses repaired by RTX",
               "%llu RTX packets, %llu recovered", (unsigned long long)st->rtx,
               (unsigned long long)st->recovered);
        EXPECT(s, !party_faults(v)[0] && st->lost_video == 0,
               "true repetitions, all of the picture", "%s, %llu lost", party_faults(v),
               (unsigned long long)st->lost_video);
    }
}

static void by_repetition(struct suite *s)
{
    struct party *v = lossy_viewer(s, false);

    if (v) {
        const struct peer_stats *st = peer_stats(v->peer);
        EXPECT(s, st->rtx == 0, "no RTX, which was not negotiated", "%llu",
               (unsigned long long)st->rtx);
        EXPECT(s, st->recovered > 0 && !party_faults(v)[0], "losses repaired by repetition",
               "%llu recovered, %s", (unsigned long long)st->recovered, party_faults(v));
    }
}

static void rtx_probes(struct suite *s)
{
    struct feed f;
    uint8_t empty[12] = {0x80}, padded[40] = {0xa0};

    if (!primed(s, &f)) {
        return;
    }
    SKIP_IF(s, !f.rtx_ssrc || f.rtx_pt > 127, "no RTX negotiated");
    for (unsigned i = 0; i < 10; i++) {
        empty[1] = padded[1] = f.rtx_pt;
        peer_put16(empty + 2, 1000 + 2 * i);
        peer_put16(padded + 2, 1001 + 2 * i);
        peer_put32(empty + 8, f.rtx_ssrc);
        peer_put32(padded + 8, f.rtx_ssrc);
        padded[39] = 28;
        send_bytes(&f, empty, sizeof(empty));
        send_bytes(&f, padded, sizeof(padded));
    }
    feed_audio(&f, 120, 21);
    EXPECT(s, feed_wait(&f, 21, SOON_MS), "the session goes on", "it does not");
}

/* A lossy publisher whose RTX SSRCs are in no SDP. */
static void unknown_rtx(struct suite *s)
{
    struct party *pub, *v;

    if (!check_lossy_publisher(s, PEER_QUIRK_NO_SSRC_LINES, &pub, &v)) {
        return;
    }
    const struct peer_stats *st = peer_stats(v->peer);
    EXPECT(s, peer_stats(pub->peer)->sent_rtx > 0 && st->lost_video == 0,
           "the publisher's RTX repairs its stream", "%llu RTX, %llu lost",
           (unsigned long long)peer_stats(pub->peer)->sent_rtx, (unsigned long long)st->lost_video);
}

static void arrival_order(struct suite *s)
{
    struct feed f;

    if (!primed(s, &f)) {
        return;
    }
    for (uint32_t i = 21; i <= 71; i++) {
        if (i != 30) {
            feed_audio(&f, (uint16_t)(99 + i), i);
        }
    }
    EXPECT(s, feed_wait(&f, 71, 300), "packets behind a gap are not held back", "they are");
    feed_audio(&f, 129, 30);
    EXPECT(s, feed_wait(&f, 30, SOON_MS), "the late one follows", "it does not");
}

static void wrong_pt(struct suite *s)
{
    struct feed f;

    if (primed(s, &f)) {
        feed_send(&f, &(struct peer_rtp){.pt = 77, .seq = 120, .ts = 120 * 960}, 21);
        feed_send(&f, &(struct peer_rtp){.pt = 35, .seq = 121, .ts = 121 * 960}, 22);
        feed_audio(&f, 122, 23);
        EXPECT(s, feed_wait(&f, 23, SOON_MS), "the stream goes on", "it does not");
        EXPECT(s, !feed_count(&f, 21) && !feed_count(&f, 22), "other payload types are dropped",
               "forwarded");
    }
}

static void small_packets(struct suite *s)
{
    struct party *v = party_pair(s, NULL);

    if (v && party_more(v, 100)) {
        EXPECT(s, v->largest <= 1280, "datagrams of at most 1280 bytes", "%zu", v->largest);
    }
}

static void own_twcc(struct suite *s)
{
    struct party *v = party_pair(s, NULL);
    int last = -1;
    unsigned n = 0, jumps = 0;

    if (!v || !party_more(v, 150)) {
        return;
    }
    int id = doc_ext(&v->answer, 1, TWCC);
    SKIP_IF(s, !id, "not negotiated");
    EACH_RTP(v, x, r)
    {
        const struct peer_rtp_ext *e = peer_rtp_ext(&r, (uint8_t)id);
        if (e && e->len == 2) {
            int seq = peer_get16(e->data);
            jumps += last >= 0 && seq != ((last + 1) & 0xffff);
            last = seq;
            n++;
        }
    }
    SKIP_IF(s, !n, "negotiated, but not in use");
    EXPECT(s, jumps <= n / 50, "one sequence for audio and video together", "%u jumps in %u", jumps,
           n);
}

static void level_value(struct suite *s)
{
    struct feed f;
    uint8_t level = 0x80 | 37;

    if (!primed(s, &f)) {
        return;
    }
    int in = doc_ext(&f.pub->answer, f.audio, LEVEL);
    int out = doc_ext(&f.view->answer, doc_section(&f.view->answer, "audio", 0), LEVEL);
    SKIP_IF(s, !in || !out, "not negotiated on both sides");
    struct peer_rtp r = {.seq = 120, .ts = 120 * 960, .n_exts = 1};
    r.exts[0] = (struct peer_rtp_ext){(uint8_t)in, 1, &level};
    feed_send(&f, &r, 21);
    const struct plain *x = feed_wait(&f, 21, SOON_MS);
    EXPECT(s, x && peer_rtp_read(x->buf, x->len, false, &r) == 0, "the packet", "not there");
    const struct peer_rtp_ext *e = peer_rtp_ext(&r, (uint8_t)out);
    EXPECT(s, e && e->len >= 1 && e->data[0] == level, "the level that was sent", "%s",
           e ? "another" : "none");
}

const struct check checks_rtp[] = {
    {"RTP-01", MUST, "RFC 3550 A.1", "malformed packets are dropped", malformed},
    {"RTP-02", MUST, "RFC 5761 4", "RTCP is told from RTP by its type", rtp_or_rtcp},
    {"RTP-03", MUST, "RFC 9143 9.2", "a MID decides; an unknown one drops the packet", by_mid},
    {"RTP-04", MUST, "RFC 9143 9.2", "audio without MID is found", without_mid},
    {"RTP-05", POLICY, "clients in the field", "a RID without a=rid (OBS) does no harm", stray_rid},
    {"RTP-06", MUST, "RFC 8285 4.2, 4.3", "extensions in one-byte and two-byte form",
     extension_forms},
    {"RTP-07", MUST, "RFC 8285 6", "no two-byte form without extmap-allow-mixed", one_byte_only},
    {"RTP-08", MUST, "RFC 8285 7", "extension ids are those of the viewer", viewer_ids},
    {"RTP-09", MUST, "RFC 9143 15", "the MID on the first packets; never a RID", mid_at_first},
    {"RTP-10", MUST, "RFC 3550 5.1", "continuous over mute and a change of source", continuous},
    {"RTP-11", MUST, "RFC 3550 5.1", "probes of padding leave no gap", padding_only},
    {"RTP-12", MUST, "RFC 9143 9.2", "a new SSRC with the same MID goes on", new_ssrc},
    {"RTP-13", MUST, "RFC 8834 4.9", "one CNAME for audio and video", one_cname},
    {"RTP-14", MUST, "RFC 4588 4", "losses are repaired by RTX", by_rtx},
    {"RTP-15", MUST, "RFC 4588 4", "empty RTX packets do no harm", rtx_probes},
    {"RTP-16", MUST, "RFC 4585 6.2.1", "without RTX: repetition under the same number",
     by_repetition},
    {"RTP-17", POLICY, "RFC 8852 3.2", "an RTX SSRC that no SDP names is bound", unknown_rtx},
    {"RTP-25", MUST, "RFC 6464 3", "the audio level arrives as it was sent", level_value},
    {"RTP-27", MUST, "draft-holmer-rmcat-transport-wide-cc-extensions-01",
     "a viewer's transport-wide numbers are its own, without gaps", own_twcc},
    {"RTP-28", POLICY, "robustness", "forwarded in the order of arrival", arrival_order},
    {"RTP-29", POLICY, "RFC 3264 8", "payload types outside the answer are dropped", wrong_pt},
    {"RTP-30", POLICY, "RFC 8834 3", "no datagram above 1280 bytes", small_packets},
    {0},
};
