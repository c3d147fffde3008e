/* SPDX-License-Identifier: Apache-2.0 */
/* check_rtcp.c - reports, NACK, key frame requests, congestion feedback. */
#include "tests/conformance/checks.h"
#include "tests/conformance/feed.h"

#define SOON_MS 1500

/* Calls for each RTCP packet in each compound that a party received. */
#define EACH_COMPOUND(p, x)                                                                        \
    for (unsigned i_ = 0; i_ < party_plain_count(p); i_++)                                         \
        for (const struct plain *x = party_plain(p, i_); x && x->rtcp; x = NULL)

/* Whether a compound holds a packet of this type (and count, if not negative). */
static bool holds(const struct plain *x, uint8_t type, int count, struct peer_rtcp *ret)
{
    size_t at = 0;

    while (peer_rtcp_next(x->buf, x->len, &at, ret) > 0) {
        if (ret->type == type && (count < 0 || ret->count == count)) {
            return true;
        }
    }
    return false;
}

/* The sender report of this SSRC. */
static bool holds_report(const struct plain *x, uint32_t ssrc, struct peer_rtcp *ret)
{
    size_t at = 0;

    while (peer_rtcp_next(x->buf, x->len, &at, ret) > 0) {
        if (ret->type == PEER_RTCP_SR && ret->ssrc == ssrc && ret->body_len >= 20) {
            return true;
        }
    }
    return false;
}

static bool has_cname(const struct peer_rtcp *r)
{
    return r->body_len >= 2 && r->body[0] == 1 && r->body[1] > 0;
}

struct report_wait {
    struct party *p;
    uint32_t ssrc; /* whom the reports are about, or from */
    unsigned (*count)(struct party *p, uint32_t ssrc);
    unsigned want;
};

static bool has_reports(void *ctx)
{
    struct report_wait *w = ctx;

    return w->count(w->p, w->ssrc) >= w->want;
}

/* Waits for so many, however slow the machine is. Returns how many there are. */
static unsigned wait_reports(struct party *p, uint32_t ssrc,
                             unsigned (*count)(struct party *p, uint32_t ssrc), unsigned want)
{
    struct report_wait w = {.p = p, .ssrc = ssrc, .count = count, .want = want};

    (void)suite_until(p->suite, has_reports, &w);
    return count(p, ssrc);
}

static unsigned count_compounds(struct party *p, uint32_t ssrc)
{
    unsigned n = 0;

    (void)ssrc;
    EACH_COMPOUND(p, x)
    {
        n += x->len > 0;
    }
    return n;
}

/* Report blocks about an SSRC. */
static unsigned count_blocks(struct party *p, uint32_t ssrc)
{
    struct peer_report b;
    struct peer_rtcp r;
    unsigned n = 0;

    EACH_COMPOUND(p, x)
    {
        if (!holds(x, PEER_RTCP_RR, -1, &r)) {
            continue;
        }
        for (size_t at = 0; at + PEER_REPORT_BYTES <= r.body_len; at += PEER_REPORT_BYTES) {
            peer_report_read(r.body + at, &b);
            n += b.ssrc == ssrc;
        }
    }
    return n;
}

static unsigned count_sender_reports(struct party *p, uint32_t ssrc)
{
    struct peer_rtcp r;
    unsigned n = 0;

    EACH_COMPOUND(p, x)
    {
        n += holds_report(x, ssrc, &r);
    }
    return n;
}

static void compound(struct suite *s)
{
    struct peer_params m;
    struct peer_rtcp r;

    if (!check_stage(s)) {
        return;
    }
    suite_params(s, true, &m);
    m.quirks |= PEER_QUIRK_NO_RSIZE;
    struct party *v = WATCH(s, .params = &m);
    if (!v) {
        return;
    }
    unsigned n = wait_reports(v, 0, count_compounds, 3);
    EACH_COMPOUND(v, x)
    {
        EXPECT(s, x->buf[1] == PEER_RTCP_SR || x->buf[1] == PEER_RTCP_RR,
               "a report first: reduced size was not negotiated", "type %u", x->buf[1]);
        EXPECT(s, holds(x, PEER_RTCP_SDES, -1, &r) && has_cname(&r), "SDES with CNAME", "none");
    }
    EXPECT(s, n > 0, "RTCP", "none");
}

static uint32_t video_ssrc_of(const struct party *v)
{
    return doc_ssrc(&v->answer, doc_section(&v->answer, "video", 0));
}

/* The SSRC of the viewer's video as it came, in case the SDP does not tell. */
static uint32_t media_ssrc(struct party *v)
{
    uint32_t ssrc = video_ssrc_of(v);
    int pt = doc_pt(&v->answer, doc_section(&v->answer, "video", 0), "VP8");

    for (unsigned i = 0; !ssrc && i < party_plain_count(v); i++) {
        const struct plain *x = party_plain(v, i);
        if (!x->rtcp && (x->buf[1] & 127) == pt) {
            ssrc = peer_get32(x->buf + 8);
        }
    }
    return ssrc;
}

static uint64_t key_requests(struct party *pub)
{
    const struct peer_stats *st = peer_stats(pub->peer);

    return st->plis_received + st->firs_received;
}

struct asked {
    struct party *pub;
    uint64_t before;
};

static bool is_asked(void *ctx)
{
    struct asked *a = ctx;

    return key_requests(a->pub) > a->before;
}

static bool wait_asked(struct party *pub, uint64_t before, unsigned ms)
{
    struct asked a = {.pub = pub, .before = before};

    return suite_until_ms(pub->suite, ms, is_asked, &a);
}

/* A pair whose publisher makes key frames only on request, at rest: the requests of the join are
 * over. */
static struct party *settled_pair(struct suite *s, struct party **ret_pub)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.keyframe_ms = 0;
    *ret_pub = LIVE(s, .params = &m);
    struct party *v = *ret_pub ? VIEW(s) : NULL;
    if (v) {
        suite_wait(s, 1200);
    }
    return v;
}

static void broken_compound(struct suite *s)
{
    struct party *pub;
    struct party *v = settled_pair(s, &pub);
    struct peer_rtcp_out o = {.len = 0};
    static const uint8_t garbage[] = {0x81, 201, 0xff, 0xff, 1, 2, 3, 4};

    if (!v) {
        return;
    }
    (void)peer_send_rtcp(v->peer, garbage, sizeof(garbage));
    (void)peer_send_rtcp(v->peer, garbage, 4);
    uint64_t before = key_requests(pub);
    peer_rtcp_put_rr(&o, 7, NULL, 0);
    peer_rtcp_put_pli(&o, 7, media_ssrc(v));
    memcpy(o.buf + o.len, garbage, sizeof(garbage));
    (void)peer_send_rtcp(v->peer, o.buf, o.len + sizeof(garbage));
    (void)wait_asked(pub, before, SOON_MS);
    (void)party_more(v, 20);
    EXPECT(s, !party_faults(v)[0], "the session goes on", "%s", party_faults(v));
}

static void reports_to_publisher(struct suite *s)
{
    struct party *pub = LIVE(s, 0);
    uint32_t ssrc = pub ? doc_ssrc(&pub->offer, doc_section(&pub->offer, "video", 0)) : 0;

    if (!pub) {
        return;
    }
    int64_t start_us = suite_now_us();
    unsigned n = wait_reports(pub, ssrc, count_blocks, 3);
    double seconds = (double)(suite_now_us() - start_us) / 1e6;
    EXPECT(s, n >= 3, "reports about the video", "%u in %.1f s", n, seconds);
    EXPECT(s, n <= 4 + 5 * seconds, "one each second or so", "%u in %.1f s", n, seconds);
    int64_t rtt_us = peer_stats(pub->peer)->rtt_us;
    EXPECT(s, rtt_us > 0 && rtt_us < 2000000, "LSR and DLSR that give a round trip time", "%lld us",
           (long long)rtt_us);
}

static void own_sender_reports(struct suite *s)
{
    struct party *v = party_pair(s, NULL);
    struct peer_rtcp r;
    uint64_t last_ntp = 0;

    if (!v) {
        return;
    }
    uint32_t ssrc = media_ssrc(v);
    unsigned n = wait_reports(v, ssrc, count_sender_reports, 2);
    EACH_COMPOUND(v, x)
    {
        if (!holds_report(x, ssrc, &r)) {
            continue;
        }
        uint64_t ntp = peer_get64(r.body);
        uint32_t packets = peer_get32(r.body + 12);
        EXPECT(s, ntp > last_ntp, "NTP time runs on", "it does not");
        EXPECT(s, packets <= peer_stats(v->peer)->packets + 50, "the server's own packet count",
               "%u sent, by its report", packets);
        last_ntp = ntp;
    }
    EXPECT(s, n >= 2, "sender reports for the viewer's SSRC", "%u", n);
}

static void nack_from_viewer(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);

    if (!v) {
        return;
    }
    peer_set_loss(v->peer, 0.05, 0, true);
    (void)party_more(v, 250);
    peer_set_loss(v->peer, 0, 0, true);
    suite_wait(s, 300);
    EXPECT(s, peer_stats(v->peer)->recovered > 0, "repaired from the server's store",
           "nothing recovered of %llu", (unsigned long long)peer_stats(v->peer)->missing);
    EXPECT(s, peer_stats(pub->peer)->nack_seqs_received == 0,
           "the publisher is not asked for what it did not lose", "asked for %llu",
           (unsigned long long)peer_stats(pub->peer)->nack_seqs_received);
}

static void nack_to_publisher(struct suite *s)
{
    struct party *pub, *v;

    if (!check_lossy_publisher(s, 0, &pub, &v)) {
        return;
    }
    const struct peer_stats *st = peer_stats(pub->peer);
    EXPECT(s, st->nack_seqs_received > 0 && st->nack_unknown == 0,
           "NACKs for what was lost, nothing else", "%llu asked for, %llu unknown",
           (unsigned long long)st->nack_seqs_received, (unsigned long long)st->nack_unknown);
    EXPECT(s, st->nack_seqs_received <= 12 * (st->tx_lost_here + 5), "a bounded number of repeats",
           "%llu for %llu losses", (unsigned long long)st->nack_seqs_received,
           (unsigned long long)st->tx_lost_here);
}

static void key_frame_request(struct suite *s)
{
    bool fir = s->now->arg != NULL;
    struct party *pub;
    struct party *v = settled_pair(s, &pub);

    if (!v) {
        return;
    }
    uint64_t before = key_requests(pub), keys = peer_stats(v->peer)->keyframes;
    for (int i = 0; i < 10; i++) {
        peer_request_keyframe(v->peer, fir);
        suite_wait(s, 10);
    }
    EXPECT(s, wait_asked(pub, before, SOON_MS), "the publisher is asked for a key frame",
           "it is not");
    suite_wait(s, 500);
    EXPECT(s, key_requests(pub) - before <= 3, "ten requests become one or two", "%llu",
           (unsigned long long)(key_requests(pub) - before));
    EXPECT(s, peer_stats(v->peer)->keyframes > keys, "the viewer gets a key frame", "none");
}

static void sender_ssrc(struct suite *s)
{
    struct party *pub;
    struct party *v = settled_pair(s, &pub);
    struct peer_rtcp r;

    if (!v) {
        return;
    }
    uint64_t before = key_requests(pub);
    peer_request_keyframe(v->peer, false);
    (void)wait_asked(pub, before, SOON_MS);
    EACH_COMPOUND(pub, x)
    {
        if (holds(x, PEER_RTCP_PSFB, -1, &r)) {
            EXPECT(s, r.ssrc != 0, "a sender SSRC", "0, which GStreamer drops");
        }
    }
}

static void remb(struct suite *s)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.twcc = false;
    struct party *pub = LIVE(
        s, .params = &m,
        .edits = {{"a=rtcp-fb:96 nack\r\n", "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 goog-remb\r\n"}});
    if (!pub) {
        return;
    }
    SKIP_IF(s, !strstr(pub->created->body, "goog-remb"), "the answer has no goog-remb");
    suite_wait(s, 3000);
    EXPECT(s, peer_stats(pub->peer)->rembs_received > 0, "REMB to a publisher without TWCC",
           "none in 3 s");
}

static void twcc(struct suite *s)
{
    struct party *pub = LIVE(s, 0);

    if (!pub) {
        return;
    }
    SKIP_IF(s, !strstr(pub->created->body, "transport-cc"), "not negotiated");
    const struct peer_stats *st = peer_stats(pub->peer);
    uint64_t before = st->twcc_received;
    suite_wait(s, 2000);
    EXPECT(s, st->twcc_received - before >= 8 && st->twcc_bad == 0,
           "feedback each 50 to 250 ms, readable", "%llu in 2 s, %llu bad",
           (unsigned long long)(st->twcc_received - before), (unsigned long long)st->twcc_bad);
}

static void bye(struct suite *s)
{
    struct feed f;
    struct peer_rtcp_out o = {.len = 0};

    if (!feed_open(s, NULL, NULL, &f) || !feed_prime(&f, 100, 20)) {
        return;
    }
    peer_rtcp_put_rr(&o, f.video_ssrc, NULL, 0);
    peer_rtcp_put_bye(&o, f.video_ssrc);
    (void)peer_send_rtcp(f.pub->peer, o.buf, o.len);
    suite_wait(s, 100);
    feed_audio(&f, 120, 21);
    EXPECT(s, feed_wait(&f, 21, SOON_MS), "BYE of the video leaves the audio", "it ends too");
}

static void foreign_ssrc(struct suite *s)
{
    struct party *pub;
    struct party *v = settled_pair(s, &pub);

    if (!v) {
        return;
    }
    uint64_t before = key_requests(pub);
    uint32_t theirs = doc_ssrc(&pub->offer, doc_section(&pub->offer, "video", 0));
    const uint32_t rows[] = {0x12345678, theirs};
    for (int i = 0; i < 2; i++) { /* unknown, and the publisher's own, which no viewer knows */
        struct peer_rtcp_out o = {.len = 0};
        peer_rtcp_put_rr(&o, 7, NULL, 0);
        peer_rtcp_put_pli(&o, 7, rows[i]);
        (void)peer_send_rtcp(v->peer, o.buf, o.len);
    }
    EXPECT(s, !wait_asked(pub, before, 700), "feedback about a foreign SSRC has no effect",
           "the publisher was asked");
}

static void only_negotiated(struct suite *s)
{
    struct peer_params m;
    static const uint8_t unknown[] = {0x9f, 206, 0, 2, 0, 0, 0, 7, 0, 0, 0, 9};

    suite_params(s, false, &m);
    m.nack = m.twcc = false;
    struct party *pub = LIVE(s, .params = &m), *v = pub ? VIEW(s) : NULL;
    if (!v) {
        return;
    }
    (void)peer_send_rtcp(v->peer, unknown, sizeof(unknown));
    peer_set_loss(pub->peer, 0, 0.05, true);
    (void)party_more(v, 150);
    const struct peer_stats *st = peer_stats(pub->peer);
    EXPECT(s, st->nacks_received == 0 && st->twcc_received == 0,
           "no NACK and no TWCC to a publisher without them", "%llu and %llu",
           (unsigned long long)st->nacks_received, (unsigned long long)st->twcc_received);
}

static void extended_reports(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);
    uint8_t xr[20] = {0x80, 207, 0, 4, 0, 0, 0, 7, 4, 0, 0, 2}; /* RRTR */

    if (v) {
        (void)peer_send_rtcp(v->peer, xr, sizeof(xr));
        (void)peer_send_rtcp(pub->peer, xr, sizeof(xr));
        (void)party_more(v, 30);
    }
}

static void nack_storm(struct suite *s)
{
    struct party *v = party_pair(s, NULL);
    uint16_t seqs[1] = {0};

    if (!v || !party_more(v, 30)) {
        return;
    }
    uint32_t ssrc = media_ssrc(v);
    for (unsigned i = 0; i < party_plain_count(v); i++) {
        const struct plain *x = party_plain(v, i);
        if (!x->rtcp && peer_get32(x->buf + 8) == ssrc) {
            seqs[0] = peer_get16(x->buf + 2);
        }
    }
    uint64_t before = peer_stats(v->peer)->rtx;
    for (int i = 0; i < 1000; i++) {
        struct peer_rtcp_out o = {.len = 0};
        peer_rtcp_put_nack(&o, 7, ssrc, seqs, 1);
        (void)peer_send_rtcp(v->peer, o.buf, o.len);
    }
    suite_wait(s, 500);
    uint64_t n = peer_stats(v->peer)->rtx - before;
    EXPECT(s, n <= 50, "a thousand NACKs for one packet bring a few repetitions", "%llu",
           (unsigned long long)n);
}

const struct check checks_rtcp[] = {
    {"RTCP-01", MUST, "RFC 3550 6.1", "compound with report and CNAME without rtcp-rsize",
     compound},
    {"RTCP-02", MUST, "RFC 3550 A.2", "broken compounds do no harm", broken_compound},
    {"RTCP-03", MUST, "RFC 3550 6.4", "receiver reports to publishers, with LSR and DLSR",
     reports_to_publisher},
    {"RTCP-04", MUST, "RFC 3550 6.4.1", "sender reports of the server's own", own_sender_reports},
    {"RTCP-05", POLICY, "clients in the field", "layers without sender reports stay in sync", NULL,
     NULL, "needs a decoder's clock"},
    {"RTCP-06", MUST, "RFC 4585 6.2.1", "a viewer's NACK is answered from the store",
     nack_from_viewer},
    {"RTCP-07", MUST, "RFC 4585 6.2.1", "NACK to the publisher for what it lost",
     nack_to_publisher},
    {"RTCP-08", POLICY, "clients in the field",
     "a repetition of another layer's packet (OBS) is found out", NULL, NULL,
     "needs a publisher with OBS's fault"},
    {"RTCP-09", MUST, "RFC 4585 6.3.1", "PLIs become one to the publisher", key_frame_request},
    {"RTCP-10", MUST, "RFC 5104 4.3.1", "FIR is answered like PLI", key_frame_request, "fir"},
    {"RTCP-11", POLICY, "clients in the field", "key frame requests have a sender SSRC",
     sender_ssrc},
    {"RTCP-12", MUST, "draft-alvestrand-rmcat-remb", "REMB where it is all there is", remb},
    {"RTCP-13", MUST, "draft-holmer-rmcat-transport-wide-cc-extensions-01",
     "TWCC feedback to publishers", twcc},
    {"RTCP-14", MUST, "draft-holmer-rmcat-transport-wide-cc-extensions-01",
     "a viewer's TWCC feedback drives its rate", NULL, NULL,
     "needs a network whose capacity can be set"},
    {"RTCP-15", MUST, "RFC 3550 6.6", "BYE ends its SSRC only", bye},
    {"RTCP-16", MUST, "RFC 3550 6.4", "feedback about a foreign SSRC has no effect", foreign_ssrc},
    {"RTCP-17", POLICY, "RFC 4585 4.2", "no feedback that was not negotiated", only_negotiated},
    {"RTCP-18", MAY, "RFC 3611", "XR does no harm", extended_reports},
    {"RTCP-19", POLICY, "RFC 4585 3.6", "a storm of NACKs is bounded", nack_storm},
    {0},
};
