/* SPDX-License-Identifier: Apache-2.0 */
/* check_svc.c - layered streams. Those with spatial layers are a browser's (svc_stream.h), sent by
 * hand; each frame that comes through says in its last bytes which it is, so that what a viewer has
 * can be held against what its frames need. */
#include "tests/conformance/checks.h"
#include "tests/conformance/feed.h"
#include "tests/conformance/svc_stream.h"

#define DD_URI                                                                                     \
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
#define DD_EDIT                                                                                    \
    {                                                                                              \
        "a=mid:1\r\n", "a=mid:1\r\na=extmap:12 " DD_URI "\r\n", false                              \
    }
#define MAGIC       0x5eed0511
#define SENT_MAX    (SVC_FRAMES * 150)
#define PICTURE_MS  20
#define PICTURES    600 /* until something must have happened */
#define STEADY      24  /* pictures */
#define TICKS       3000
#define LAYER_BYTES 150
#define LONG_DD     16 /* what a one-byte header can hold */

/* A layered stream on its way, and what its viewer has of it. */
struct svc {
    struct feed f;
    struct svc_stream stream;
    enum peer_codec codec;
    int dd_ext; /* towards the server; 0 = without descriptors */
    uint32_t ts;
    uint16_t seq;
    unsigned sent; /* frames */
    unsigned seen; /* of the viewer's plaintext packets */
    /* of the viewer's frames */
    bool got[SENT_MAX];
    bool started, marked;
    uint16_t last_seq;
    unsigned last; /* index of the last frame */
    int sid, tid;  /* of the picture that is coming */
    const char *fault;
    /* pictures in a row that end with the wanted spatial layer and keep below the temporal one */
    int want_sid, want_tid;
    unsigned run;
    bool run_tid;
};

/* ---- what the viewer has ---- */

static void note_fault(struct svc *v, const char *text)
{
    v->fault = v->fault ? v->fault : text;
}

static unsigned picture_of(unsigned index)
{
    return index / 3;
}

static void end_picture(struct svc *v)
{
    bool fits = v->sid == v->want_sid && v->tid <= v->want_tid;

    v->run = fits ? v->run + 1 : 0;
    v->run_tid = fits && (v->run_tid || v->tid == v->want_tid);
    v->sid = -1;
}

static void judge_frame(struct svc *v, unsigned index, bool marker)
{
    const struct svc_frame *f = &v->stream.frames[index % SVC_FRAMES];

    if (v->started && index <= v->last) {
        note_fault(v, suite_keep(v->f.suite, "frame %u behind frame %u", index, v->last));
    }
    bool next = v->started && picture_of(index) != picture_of(v->last);
    if (v->started && next != v->marked) {
        note_fault(v, suite_keep(v->f.suite, "frame %u of layer %d: %s", v->last, v->sid,
                                 next ? "the last of its picture, without marker"
                                      : "a marker, but the picture goes on"));
    }
    if (next) {
        end_picture(v);
    }
    for (unsigned i = 0; i < f->n_refs; i++) {
        if (f->refs[i] > index || !v->got[index - f->refs[i]]) {
            note_fault(v, suite_keep(v->f.suite, "frame %u (S%u T%u) without %u, which it needs",
                                     index, f->sid, f->tid, index - f->refs[i]));
        }
    }
    v->got[index] = v->started = true;
    v->last = index;
    v->marked = marker;
    v->sid = f->sid > v->sid ? f->sid : v->sid;
    v->tid = f->tid;
}

static void judge_packet(struct svc *v, const struct plain *x)
{
    struct peer_rtp r;

    if (x->rtcp || peer_rtp_read(x->buf, x->len, false, &r) < 0 ||
        r.pt != doc_pt(&v->f.view->answer, v->f.video, peer_codec_info(v->codec)->name)) {
        return;
    }
    if (v->started && r.seq != (uint16_t)(v->last_seq + 1)) {
        note_fault(v, suite_keep(v->f.suite, "number %u behind %u", r.seq, v->last_seq));
    }
    v->last_seq = r.seq;
    const uint8_t *tail = r.payload + r.payload_len - 8;
    if (r.payload_len >= 8 && peer_get32(tail) == MAGIC && peer_get32(tail + 4) < v->sent) {
        judge_frame(v, peer_get32(tail + 4), r.marker);
    } else if (r.payload_len) {
        note_fault(v, "a packet that was never sent");
    }
}

static void judge_new(struct svc *v)
{
    const struct party *p = v->f.view;

    for (; v->seen < p->n_plain; v->seen++) {
        judge_packet(v, &p->plain[v->seen % PLAIN_MAX]);
    }
}

/* ---- the stream ---- */

static void send_frame(struct svc *v)
{
    const struct svc_frame *f = &v->stream.frames[v->sent % SVC_FRAMES];
    uint8_t payload[64 + 4 * LAYER_BYTES] = {0}, dd[SVC_DD_MAX];
    size_t len = 64 + (size_t)LAYER_BYTES * (f->sid + 1U);
    struct peer_rtp r = {.pt = v->f.video_pt,
                         .ssrc = v->f.video_ssrc,
                         .seq = v->seq++,
                         .ts = v->ts,
                         .marker = f->last,
                         .payload = payload,
                         .payload_len = len};

    svc_stream_head(&v->stream, v->codec, v->sent, payload, dd);
    peer_put32(payload + len - 8, MAGIC);
    peer_put32(payload + len - 4, v->sent);
    if (v->dd_ext) {
        r.exts[r.n_exts++] = (struct peer_rtp_ext){(uint8_t)v->dd_ext, f->dd_len, dd};
    }
    v->sent++;
    feed_send(&v->f, &r, 0);
}

/* Sends pictures until the viewer has so many in a row that end with layer sid and have temporal
 * layers up to tid. Returns whether it came to that. */
static bool play_until(struct svc *v, int sid, int tid, unsigned run)
{
    bool same = sid == v->want_sid && tid == v->want_tid;

    v->want_sid = sid;
    v->want_tid = tid;
    v->run = same ? v->run : 0;
    v->run_tid = same && v->run_tid;
    for (unsigned i = 0; i < PICTURES && v->sent + 3 <= SENT_MAX; i++) {
        for (bool last = false; !last;) {
            last = v->stream.frames[v->sent % SVC_FRAMES].last;
            send_frame(v);
        }
        v->ts += TICKS;
        suite_wait(v->f.suite, PICTURE_MS);
        judge_new(v);
        if (v->run >= run && v->run_tid) {
            return true;
        }
    }
    return false;
}

/* A publisher and a viewer of a layered stream. NULL when that failed, which is noted, or when the
 * server does not take part. without: text that the viewer's offer lacks. */
static struct svc *svc_open(struct suite *s, enum peer_codec codec, bool dd, const char *without)
{
    struct svc *v = suite_alloc(s, sizeof(*v));
    struct peer_params pub, view;

    suite_params(s, false, &pub);
    suite_params(s, true, &view);
    pub.codecs = view.codecs = 1U << codec;
    pub.n_audio = view.n_audio = 1;
    struct plan pub_plan = {.params = &pub};
    struct plan view_plan = {.params = &view, .edits = {{without, "", false}}};
    if (dd) {
        pub_plan.edits[0] = (struct edit)DD_EDIT;
        view_plan.edits[without ? 1 : 0] = (struct edit)DD_EDIT;
    }
    v->codec = codec;
    v->sid = -1;
    if (!suite_expect(s, svc_stream_read(codec, &v->stream), "a captured stream", "unreadable") ||
        !feed_open(s, &pub_plan, &view_plan, &v->f)) {
        return NULL;
    }
    v->dd_ext = dd ? doc_ext(&v->f.pub->answer, v->f.video, DD_URI) : 0;
    if (dd && !v->dd_ext) {
        suite_skip(s, "the server takes no dependency descriptors");
        return NULL;
    }
    v->seen = v->f.view->n_plain;
    return v;
}

/* Asks for layers, by the draft's extension; -1, -1: none in particular. */
static bool choose(struct svc *v, int sid, int tid)
{
    struct suite *s = v->f.suite;
    const char *link,
        *url = check_extension(v->f.view, "urn:ietf:params:whep:ext:core:layer", &link);
    if (!url) {
        suite_skip(s, "no Link to select layers");
        return false;
    }
    const char *mid = check_get(&v->f.view->answer, v->f.video, "a=mid:");
    const char *which =
        sid < 0 ? "" : suite_keep(s, ",\"spatialLayerId\":%d,\"temporalLayerId\":%d", sid, tid);
    const struct reply *r = ASK(s, .method = "POST", .url = url, .type = "application/json",
                                .body = suite_keep(s, "{\"mediaId\":\"%s\"%s}", mid, which));
    return suite_expect(s, r->status == 200, "status 200", "%s", reply_brief(r));
}

/* Up to layer sid and temporal layer tid, and that for a while. */
static bool shows(struct svc *v, int sid, int tid)
{
    const char *want =
        suite_keep(v->f.suite, "S%d with T0 to T%d, picture after picture", sid, tid);

    return suite_expect(v->f.suite, play_until(v, sid, tid, STEADY), want,
                        "last picture S%d T%d, %u of %u in a row", v->sid, v->tid, v->run,
                        STEADY) &&
           suite_expect(v->f.suite, !v->fault, "nothing missing that is needed, markers right",
                        "%s", v->fault);
}

/* VP9 by its payload descriptor, AV1 by the dependency descriptor. */
static struct svc *svc_of_row(struct suite *s)
{
    bool av1 = s->now->arg != NULL;

    return svc_open(s, av1 ? PEER_AV1 : PEER_VP9, av1, NULL);
}

static void layers_cut(struct suite *s)
{
    struct svc *v = svc_of_row(s);

    if (v && shows(v, 2, 2) && choose(v, 1, 2) && shows(v, 1, 2) && choose(v, 1, 0)) {
        (void)shows(v, 1, 0);
    }
}

static void layers_back(struct suite *s)
{
    struct svc *v = svc_of_row(s);

    if (v && choose(v, 0, 0) && shows(v, 0, 0) && choose(v, 0, 2) && shows(v, 0, 2) &&
        choose(v, -1, -1)) {
        (void)shows(v, 2, 2);
    }
}

/* The longest dependency descriptor that the viewer has, and whether two-byte headers came. */
static size_t longest_descriptor(const struct svc *v, bool *ret_two_byte)
{
    int id = doc_ext(&v->f.view->answer, v->f.video, DD_URI);
    size_t longest = 0;

    *ret_two_byte = false;
    for (unsigned i = 0; i < party_plain_count(v->f.view); i++) {
        const struct plain *x = party_plain(v->f.view, i);
        struct peer_rtp r;
        if (x->rtcp || peer_rtp_read(x->buf, x->len, false, &r) < 0) {
            continue;
        }
        const struct peer_rtp_ext *e = peer_rtp_ext(&r, (uint8_t)id);
        longest = e && e->len > longest ? e->len : longest;
        *ret_two_byte |= x->buf[0] & 0x10 && peer_get16(x->buf + 12) >> 4 == 0x100;
    }
    return longest;
}

static void long_descriptor(struct suite *s)
{
    bool two_byte;
    struct svc *v = svc_open(s, PEER_AV1, true, NULL);

    if (!v || !shows(v, 2, 2)) {
        return;
    }
    SKIP_IF(s, !doc_ext(&v->f.view->answer, v->f.video, DD_URI),
            "the server sends no dependency descriptors");
    size_t longest = longest_descriptor(v, &two_byte);
    EXPECT(s, longest > LONG_DD && two_byte, "the structure, in a two-byte header",
           "at most %zu bytes", longest);
    (void)party_delete(v->f.view);
    (void)party_delete(v->f.pub);
    v = svc_open(s, PEER_AV1, true, "a=extmap-allow-mixed\r\n");
    if (v && shows(v, 2, 2)) {
        longest = longest_descriptor(v, &two_byte);
        EXPECT(s, longest <= LONG_DD && !two_byte,
               "no two-byte header for a viewer that did not offer extmap-allow-mixed",
               "a descriptor of %zu bytes", longest);
    }
}

static void no_gaps(struct suite *s)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.temporal_layers = 3;
    struct party *pub = LIVE(s, .params = &m), *v = pub ? VIEW(s) : NULL;
    if (v && party_more(v, 200)) {
        const struct peer_stats *st = peer_stats(v->peer);
        EXPECT(s, st->missing == 0 && !party_faults(v)[0], "no gap in the numbers",
               "%llu missing, %s", (unsigned long long)st->missing, party_faults(v));
    }
}

/* Without a dependency descriptor nothing may be dropped. */
static void forwards_all(struct suite *s)
{
    enum peer_codec codec = s->now->arg ? PEER_H264 : PEER_AV1;
    struct peer_params m;

    suite_params(s, false, &m);
    m.codecs = 1U << codec;
    m.temporal_layers = 2;
    struct party *pub = POST(s, .params = &m);
    SKIP_IF(s, pub->created->status == 422, "the server takes no %s", peer_codec_info(codec)->name);
    if (!party_up(pub) || !party_more(pub, 10)) {
        return;
    }
    suite_params(s, true, &m);
    m.codecs = 1U << codec;
    struct party *v = WATCH(s, .params = &m);
    if (v && party_more(v, 150)) {
        EXPECT(s, peer_stats(v->peer)->frames_skipped == 0 && !party_faults(v)[0],
               "every frame is forwarded", "%llu left out, %s",
               (unsigned long long)peer_stats(v->peer)->frames_skipped, party_faults(v));
    }
}

const struct check checks_svc[] = {
    {"SVC-01", MUST, "RFC 9628 4.2", "VP9: spatial layers are cut, the marker set", layers_cut},
    {"SVC-02", MUST, "RFC 9628 4.2", "VP9: up only where the stream allows it", layers_back},
    {"SVC-03", MUST, "AV1 RTP A", "AV1: frames are dropped by decode target", layers_cut, "av1"},
    {"SVC-03", MUST, "AV1 RTP A", "AV1: up only where the descriptor allows it", layers_back,
     "av1"},
    {"SVC-04", MUST, "AV1 RTP A", "without a dependency descriptor all is forwarded", forwards_all},
    {"SVC-05", MUST, "RFC 8285 4.3, AV1 RTP A", "a long dependency descriptor", long_descriptor},
    {"SVC-06", MUST, "RFC 7741 4.2", "VP8: temporal layers keep TL0PICIDX in step", no_gaps},
    {"SVC-07", POLICY, "clients in the field", "nobody is sent layers that it cannot decode", NULL,
     NULL, "the browsers that cannot are known by name; see tests/e2e"},
    {"SVC-08", MUST, "RFC 3550 5.1", "dropped layers leave no gap", no_gaps},
    {"SVC-09", POLICY, "RFC 6184 5", "H264: all is forwarded", forwards_all, "h264"},
    {0},
};
