/* SPDX-License-Identifier: Apache-2.0 */
/* check_rtp_codec.c - payloads: descriptors rewritten, key frames found, RED, content untouched. */
#include "tests/conformance/checks.h"
#include "tests/conformance/feed.h"

#define SOON_MS 1500

/* A viewer of a publisher of one codec; temporal layers if any. */
struct play {
    enum peer_codec codec;
    unsigned temporal;
};

static void plays(struct suite *s)
{
    const struct play *x = s->now->arg;
    struct peer_params m;

    if (!check_publish(s, x->codec, x->temporal ? x->temporal : 1)) {
        return;
    }
    suite_params(s, true, &m);
    m.codecs = 1U << x->codec;
    struct party *v = WATCH(s, .params = &m);
    if (!v || !party_more(v, 200)) {
        return;
    }
    const struct peer_stats *st = peer_stats(v->peer);
    EXPECT(s, !party_faults(v)[0], "descriptors and content without fault", "%s", party_faults(v));
    EXPECT(s, st->keyframes > 0 && st->frames > 15, "a key frame, and frames",
           "%llu key frames, %llu frames", (unsigned long long)st->keyframes,
           (unsigned long long)st->frames);
}

/* 7 bit picture ids go round within the check; 15 bit ones are the peer's. */
static void short_picture_ids(struct suite *s)
{
    struct feed f;

    if (!feed_open(s, NULL, NULL, &f) || !feed_prime(&f, 100, 10)) {
        return;
    }
    for (unsigned i = 0; i < 160; i++) {
        feed_vp8(&f, (uint16_t)(1000 + i), 90000 + i * 3000, i % 40 == 0, 5000 + i);
        suite_wait(s, i % 8 ? 0 : 5);
    }
    EXPECT(s, feed_wait(&f, 5159, SOON_MS), "the last frame", "it did not arrive");
    int last = -1;
    for (unsigned i = 0; i < 160; i++) {
        const struct plain *x = feed_wait(&f, 5000 + i, 0);
        struct peer_rtp r;
        if (!x || peer_rtp_read(x->buf, x->len, false, &r) < 0) {
            continue;
        }
        bool wide = r.payload[2] & 0x80;
        int id = wide ? peer_get16(r.payload + 2) & 0x7fff : r.payload[2];
        int mask = wide ? 0x7fff : 0x7f;
        EXPECT(s, last < 0 || id == ((last + 1) & mask), "picture ids one after another, mod 128",
               "%d behind %d", id, last);
        last = id;
    }
    EXPECT(s, last >= 0, "frames", "none");
}

/* Of High profile, under a 42e01f label. */
static const uint8_t sps[] = {0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01};
static const uint8_t pps[] = {0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};

/* A publisher and a viewer of H264. more: behind its fmtp in the offer. */
static bool open_h264(struct suite *s, const char *more, struct feed *f)
{
    struct peer_params m, mv;
    struct plan pub = {.params = &m};

    suite_params(s, false, &m);
    suite_params(s, true, &mv);
    m.codecs = mv.codecs = 1U << PEER_H264;
    if (more) {
        pub.edits[0] = (struct edit){"profile-level-id=42e01f", more};
    }
    return feed_open(s, &pub, &(struct plan){.params = &mv}, f) && feed_prime(f, 100, 10);
}

/* One NAL unit in one packet; with number the end of a picture. */
static void send_nal(struct feed *f, uint16_t seq, uint32_t ts, const uint8_t *nal, size_t len,
                     uint32_t number)
{
    struct peer_rtp r = {.pt = f->video_pt, .ssrc = f->video_ssrc, .seq = seq, .ts = ts};

    r.marker = number != 0;
    r.payload = nal;
    r.payload_len = len;
    feed_send(f, &r, number);
}

/* A picture of one slice. */
static void send_slice(struct feed *f, uint16_t seq, uint32_t ts, bool idr, uint32_t number)
{
    uint8_t nal[64] = {idr ? 0x65 : 0x41, 0x88, 0x84, 0x00};

    peer_put32(nal + 8, 0x5eedf00d);
    peer_put32(nal + 12, number);
    send_nal(f, seq, ts, nal, sizeof(nal), number);
}

/* SPS, PPS and IDR as single NAL units (OBS). */
static void single_nals(struct suite *s)
{
    struct feed f;

    if (!open_h264(s, NULL, &f)) {
        return;
    }
    for (unsigned i = 0; i < 10; i++) {
        uint32_t ts = 90000 + i * 3000;
        uint16_t seq = (uint16_t)(1000 + 3 * i);
        send_nal(&f, seq, ts, sps, sizeof(sps), 0);
        send_nal(&f, (uint16_t)(seq + 1), ts, pps, sizeof(pps), 0);
        send_slice(&f, (uint16_t)(seq + 2), ts, true, 6000 + i);
        suite_wait(s, 40);
    }
    EXPECT(s, feed_wait(&f, 6009, SOON_MS), "key frames of single NAL units are forwarded",
           "none arrived");
    bool same = false;
    for (unsigned i = 0; i < party_plain_count(f.view); i++) {
        const struct plain *x = party_plain(f.view, i);
        same = same || (!x->rtcp && memmem(x->buf, x->len, sps, sizeof(sps)));
    }
    EXPECT(s, same, "the parameter sets unchanged, whatever the label", "no such SPS");
}

/* The viewer's packet with this outgoing sequence number; NULL: none came. */
static const struct plain *video_at(const struct feed *f, uint16_t seq, uint8_t pt)
{
    for (unsigned i = 0; i < party_plain_count(f->view); i++) {
        const struct plain *x = party_plain(f->view, i);
        if (!x->rtcp && (x->buf[1] & 0x7f) == pt && peer_get16(x->buf + 2) == seq) {
            return x;
        }
    }
    return NULL;
}

/* An encoder that sends its parameter sets once, or in its offer alone (arg: the fmtp): whoever
 * joins later would see nothing. Pictures: slice, IDR, slice, slice, with the one before the second
 * IDR late. */
static void bare_key_frames(struct suite *s)
{
    enum { PICTURES = 12, LATE = 7 };
    struct feed f;

    if (!open_h264(s, s->now->arg, &f)) {
        return;
    }
    if (!s->now->arg) {
        send_nal(&f, 998, 90000, sps, sizeof(sps), 0);
        send_nal(&f, 999, 90000, pps, sizeof(pps), 0);
    }
    for (unsigned i = 0; i < PICTURES + 1; i++) {
        unsigned k = i == PICTURES ? LATE : i;
        if (i != LATE) {
            send_slice(&f, (uint16_t)(1000 + k), 90000 + k * 3000, k % 5 == 0, 8000 + k);
            suite_wait(s, 20);
        }
    }
    EXPECT(s, feed_wait(&f, 8000 + LATE, SOON_MS), "a picture that came late", "it did not arrive");
    uint16_t first = (uint16_t)feed_seq(&f, 8000);
    for (unsigned i = 0; i < PICTURES; i++) {
        const struct plain *x = feed_wait(&f, 8000 + i, 0);
        uint16_t want = (uint16_t)(first + i + i / 5);
        EXPECT(s, x && peer_get16(x->buf + 2) == want, "numbers without a gap",
               "picture %u is %d, not %u", i, x ? peer_get16(x->buf + 2) : -1, want);
        if (i % 5 == 0 && (i > 0 || s->now->arg)) {
            const struct plain *p = video_at(&f, (uint16_t)(want - 1), x->buf[1] & 0x7f);
            EXPECT(s,
                   p && memmem(p->buf, p->len, sps, sizeof(sps)) &&
                       memmem(p->buf, p->len, pps, sizeof(pps)),
                   "SPS and PPS in front of each IDR picture", "none before picture %u", i);
            EXPECT(s, !(p->buf[1] & 0x80) && peer_get32(p->buf + 4) == peer_get32(x->buf + 4),
                   "as a part of that picture", "another timestamp, or a marker");
        }
    }
}

#define RED_MAP "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:111 "

static void red_unwrapped(struct suite *s)
{
    const struct plan with_red = {
        .edits = {{"SAVPF 111", "SAVPF 111 63"}, {"a=rtpmap:111 ", RED_MAP}}};
    struct feed f;
    uint8_t p[60] = {0};

    if (!feed_open(s, &with_red, NULL, &f) || !feed_prime(&f, 100, 20)) {
        return;
    }
    SKIP_IF(s, doc_pt(&f.pub->answer, f.audio, "red") != 63, "the server takes no RED");
    p[0] = 0x80 | 111; /* one redundant block: 960 ticks ago, 10 bytes; then the primary one */
    peer_put32(p + 0, (0x80U | 111) << 24 | 960U << 10 | 10);
    p[4] = 111;
    p[15] = 0x78;
    peer_put32(p + 19, 0x5eedf00d);
    peer_put32(p + 23, 7000);
    feed_send(&f,
              &(struct peer_rtp){
                  .pt = 63, .seq = 120, .ts = 120 * 960, .payload = p, .payload_len = sizeof(p)},
              0);
    const struct plain *x = feed_wait(&f, 7000, SOON_MS);
    EXPECT(s, x, "the primary block reaches the viewer", "it does not");
    int pt = doc_pt(&f.view->answer, doc_section(&f.view->answer, "audio", 0), "opus");
    struct peer_rtp r;
    EXPECT(s, peer_rtp_read(x->buf, x->len, false, &r) == 0 && r.pt == pt,
           "as Opus: this viewer knows no RED", "payload type %u", r.pt);
    EXPECT(s, r.payload_len == sizeof(p) - 15 && r.payload[0] == 0x78, "the primary block alone",
           "%zu bytes", r.payload_len);
}

/* Pauses of 400 ms between packets of Opus, marker at each new talkspurt. */
static void dtx(struct suite *s)
{
    struct feed f;

    if (!feed_open(s, NULL, NULL, &f) || !feed_prime(&f, 100, 20)) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        suite_wait(s, 400);
        feed_send(&f,
                  &(struct peer_rtp){
                      .seq = (uint16_t)(120 + i), .ts = (140 + i * 20) * 960U, .marker = true},
                  21 + i);
    }
    for (unsigned i = 0; i < 4; i++) {
        const struct plain *x = feed_wait(&f, 21 + i, SOON_MS);
        EXPECT(s, x, "each packet behind a pause", "number %u is missing", i);
        EXPECT(s, x->buf[1] & 0x80, "its marker", "gone");
    }
    const struct plain *a = feed_wait(&f, 21, 0), *b = feed_wait(&f, 24, 0);
    uint32_t step = peer_get32(b->buf + 4) - peer_get32(a->buf + 4);
    EXPECT(s, step == 3 * 20 * 960 && feed_seq(&f, 24) == (uint16_t)(feed_seq(&f, 21) + 3),
           "time runs on, numbers do not jump", "%u ticks", step);
}

static void no_orientation(struct suite *s)
{
    struct party *p = POST(
        s, .edits = {{"a=extmap:10 ", "a=extmap:13 urn:3gpp:video-orientation\r\na=extmap:10 "}});

    EXPECT_STATUS(s, p->created, 201);
    EXPECT(s, !strstr(p->created->body, "video-orientation"),
           "not offered to publishers: viewers without it see turned pictures", "answered");
}

const struct check checks_rtp_codec[] = {
    {"RTP-18", MUST, "RFC 7741 4.2", "VP8: picture id and TL0PICIDX stay continuous", plays,
     &(struct play){PEER_VP8, 3}},
    {"RTP-18", MUST, "RFC 7741 4.2", "VP8: 7 bit picture ids, and their wrap", short_picture_ids},
    {"RTP-19", MUST, "RFC 9628 4.2", "VP9 plays", plays, &(struct play){PEER_VP9, 2}},
    {"RTP-20", MUST, "RFC 6184 5", "H264 plays: STAP-A and FU-A", plays,
     &(struct play){PEER_H264, 1}},
    {"RTP-20", MUST, "RFC 6184 5.6", "H264: key frames of single NAL units (OBS)", single_nals},
    {"RTP-20", POLICY, "RFC 6184 8.4",
     "H264: key frames without parameter sets get those sent before", bare_key_frames},
    {"RTP-20", POLICY, "RFC 6184 8.1", "H264: or those that the offer tells", bare_key_frames,
     "profile-level-id=42e01f;sprop-parameter-sets=Z2QAH6zZQFAFuwE=,aOvjyyLA"},
    {"RTP-21", MUST, "RFC 7798 4.4", "H265 plays", NULL, NULL, "tests/peer sends no H265"},
    {"RTP-22", MUST, "AV1 RTP 4.4", "AV1 without dependency descriptor plays", plays,
     &(struct play){PEER_AV1, 1}},
    {"RTP-23", MUST, "RFC 6184 8.1", "parameter sets pass unchanged, whatever the label says",
     single_nals},
    {"RTP-24", MUST, "RFC 2198 3", "RED is unwrapped for a viewer without it", red_unwrapped},
    {"RTP-24", MUST, "RFC 7587 3.1.3", "pauses of Opus DTX", dtx},
    {"RTP-26", POLICY, "clients in the field",
     "video orientation is not negotiated with publishers", no_orientation},
    {0},
};
