/* SPDX-License-Identifier: Apache-2.0 */
/* Offers in, answers and sessions out. Every answer goes through sdp_check.h, which knows the rules
 * without knowing the product. */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/negotiate_kit.h"
#include "tests/sdp_check.h"

#define OFFER(direction, direction_video)                                                          \
    "v=0\r\no=- 6748837078724460739 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"                        \
    "a=group:BUNDLE 0 1\r\na=extmap-allow-mixed\r\n"                                               \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0 110\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n" TRANSPORT        \
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"                                   \
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=" direction "\r\n"                        \
    "a=msid:s a\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\n"                    \
    "a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtcp-fb:111 transport-cc\r\n"                      \
    "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:110 telephone-event/48000\r\n"       \
    "a=ssrc:11 cname:x\r\n"                                                                        \
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 108 109 98 99 120\r\nc=IN IP4 0.0.0.0\r\n"          \
    "a=mid:1\r\n" TRANSPORT "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"                   \
    "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"                                \
    "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n"                       \
    "a=extmap:13 urn:3gpp:video-orientation\r\n"                                                   \
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"     \
    "a=" direction_video "\r\na=msid:s v\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"                        \
    "a=rtcp-fb:* nack\r\na=rtcp-fb:* nack pli\r\na=rtcp-fb:* goog-remb\r\n"                        \
    "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 transport-cc\r\n"                                       \
    "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"                                                \
    "a=rtpmap:102 H264/90000\r\n"                                                                  \
    "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n"        \
    "a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n"                                             \
    "a=rtpmap:108 H264/90000\r\n"                                                                  \
    "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"        \
    "a=rtpmap:109 rtx/90000\r\na=fmtp:109 apt=108\r\n"                                             \
    "a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\na=rtpmap:99 rtx/90000\r\n"                 \
    "a=fmtp:99 apt=98\r\na=rtpmap:120 ulpfec/90000\r\n"                                            \
    "a=ssrc-group:FID 21 22\r\na=ssrc:21 cname:x\r\na=ssrc:22 cname:x\r\n"

static const char pub[] = OFFER("sendonly", "sendonly");
static const char play[] = OFFER("recvonly", "recvonly");
/* What a session must be, whatever the offer. */
static void check_session(const char *name, const char *text, const struct negotiate_result *r)
{
    struct check_doc *a = malloc(sizeof(*a));
    check_cut(text, a);
    const struct api_session *s = r->session;
    int n_accepted = 0;
    for (int i = 1; i <= a->n_sections; i++) {
        n_accepted += strcmp(check_field(a, i, 1), "0") != 0;
    }
    cr_expect_eq(s->n_mlines, n_accepted, "%s", name);
    uint32_t last = 0;
    for (int i = 0; i < s->n_mlines; i++) {
        const struct api_mline *l = &s->mlines[i];
        const char *mid = check_get(a, l->index + 1, "a=mid:");
        cr_expect_str_eq(l->mid, mid ? mid : "", "%s", name);
        cr_expect_geq(l->n_codecs, 1, "%s", name);
        cr_expect_eq(l->codecs[0].pt, atoi(check_pts(a, l->index + 1)), "%s", name);
        if (s->role == API_PLAY) {
            cr_expect_eq(l->n_ssrcs, 1, "%s", name);
            cr_expect(l->ssrcs[0] && l->ssrcs[0] != last && l->ssrcs[0] != l->rtx_ssrcs[0]);
            last = l->ssrcs[0];
        }
    }
    cr_expect(s->link.creds.remote_ufrag[0] && s->link.creds.remote_pwd[0], "%s", name);
    cr_expect_geq(s->link.n_fingerprints, 1, "%s", name);
    cr_expect_geq(s->link.max_ssrcs, 8, "%s", name);
    cr_expect(s->id == 7 && s->stream == 9 && s->max_kbps == 5000, "%s", name);
    struct sdp *again = NULL;
    int line = 0;
    cr_expect_eq(sdp_read(text, strlen(text), &again, &line), 0, "%s: line %d", name, line);
    sdp_free(again);
    free(a->text);
    free(a);
}

static void expect_answer(const char *name, const char *offer, bool publish,
                          const struct negotiate_params *p, const struct negotiate_source *src)
{
    struct negotiate_result r = {0};
    struct negotiate_refusal why;
    struct check_log log;
    int status = answer(offer, publish, p, src, &r, &why);
    cr_expect_eq(status, 0, "%s: %s", name, why.detail);
    if (status == 0) {
        check_answer(offer, r.answer, publish, &log);
        cr_expect_str_eq(log.text, "", "%s: %s", name, log.text);
        check_session(name, r.answer, &r);
    }
    done(&r);
}

static const struct negotiate_source vp8_source = {
    .known = true,
    .audio = true,
    .video = true,
    .audio_codec = {.id = CODEC_OPUS, .pt = 111, .fmtp = "minptime=10;useinbandfec=1"},
    .video_codec = {.id = CODEC_VP8, .pt = 96}};

static void answer_one(const char *name, const char *text, size_t len)
{
    (void)len;
    struct negotiate_params p = params();
    bool publish = !strstr(name, "-play-") && !strstr(name, "-play.");
    if (strstr(name, "reoffer-2")) { /* WHIP-48: two videos */
        struct negotiate_result r;
        struct negotiate_refusal why;
        cr_expect_eq(answer(text, true, &p, NULL, &r, &why), 422);
        cr_expect_str_eq(why.type, "too-many-tracks");
        return;
    }
    expect_answer(name, text, publish, &p, NULL);
    p.prefer_offer_order = true;
    expect_answer(name, text, publish, &p, NULL);
    if (!publish) {
        struct negotiate_source src = vp8_source;
        expect_answer(name, text, publish, &p, &src);
        src.audio = false;
        expect_answer(name, text, publish, &p, &src);
    }
}

Test(negotiate, answers_the_offers_of_real_clients)
{
    cr_assert_eq(fixture_each("sdp", ".sdp", answer_one), 73);
}

/* What the answer to a captured offer must say, and must not. */
static const struct {
    const char *file, *has, *lacks;
    bool opaque; /* published with ?e2ee=1 */
} captured[] = {
    {"ffmpeg9.0.2-pub-baseline", "a=setup:active\r\n", "a=setup:passive"},
    {"ffmpeg9.0.2-pub-baseline", "m=video 9 UDP/TLS/RTP/SAVPF 106 105\r\n", "nack pli"},
    {"ffmpeg9.0.2-pub-baseline", "a=rtcp-fb:106 nack\r\n", "transport-cc"},
    {"ffmpeg9.0.2-pub-audio-only", "a=group:BUNDLE 0\r\n", "m=video"},
    {"obs32.2.2-pub-simulcast3", "a=rid:2 recv\r\na=simulcast:recv 0;1;2\r\n", "rtcp-rsize"},
    {"obs32.2.2-pub-h264", "a=rtcp-fb:96 goog-remb\r\n", "extmap-allow-mixed"},
    {"chromium156-pub-simulcast-vp8", "video-layers-allocation00\r\n", "video-timing"},
    /* with it libwebrtc leaves the picture ids out of VP8 payloads */
    {"chromium156-pub-simulcast-vp8", "a=extmap:10 ", "dependency-descriptor"},
    {"chromium156-pub-simulcast-vp9-L1T3", "a=simulcast:recv q;h;f\r\n", "goog-remb"},
    {"chromium156-pub-svc-av1-L3T3", "dependency-descriptor", "goog-remb"},
    {"chromium156-pub-default", "a=fmtp:96 x-google-start-bitrate=1000\r\n", "3gpp:video"},
    {"chromium156-pub-default", "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n", "toffset"},
    {"chromium156-pub-red", "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n", "telephone-event"},
    {"chromium156-pub-allext", "a=extmap-allow-mixed\r\n", "encrypt"},
    {"chromium156-pub-av-datachannel", "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n",
     "sctp-port"},                                                                       /* DC-01 */
    {"aiortc1.4.0-pub-av-datachannel", "m=application 0 DTLS/SCTP 5000\r\n", "sctpmap"}, /* DC-02 */
    {"aiortc1.4.0-pub-default", "a=extmap:2 http://www.webrtc.org/", "ssrc-audio-level"},
    {"aiortc1.4.0-play-default", "a=extmap:2 http://www.webrtc.org/", "ssrc-audio-level"},
    {"gst1.28-whip-client-pub-vp8", "a=group:BUNDLE video0 audio1\r\n", "extmap"},
    {"gst1.28-whip-client-pub-vp8", "a=rtpmap:100 OPUS/48000/2\r\n", "bundle-only"},
    {"firefox153-pub-simulcast-vp8", "a=simulcast:recv q;h;f\r\n", "playout-delay"},
    {"firefox153-pub-simulcast-vp8", "a=extmap:9/recvonly urn", "csrc-audio-level"},
    {"firefox153-play-default", "a=extmap:6/sendonly http", "flexfec"},
    {"firefox153-pub-opus-dtx-stereo", "usedtx=1", "a=ssrc"},
    {"weblib-eyevinn-whep-chromium156-play", "a=rtcp-fb:111 nack\r\n", "goog-remb"},
    {"weblib-eyevinn-whep-chromium156-play", "a=group:BUNDLE 0 1\r\n", "ulpfec"},
    {"chromium156-play-1audio-9video", "m=video 0 UDP/TLS/RTP/SAVPF", "red/90000"},
    {"chromium156-pub-simulcast-vp8", "dependency-descriptor", "red/48000", true},
    {"chromium156-pub-simulcast-vp8", "a=simulcast:recv q;h;f\r\n", "red/48000", true},
    {"chromium156-pub-red", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "red/48000", true},
    /* no descriptor: nobody could tell where to go from one layer to another */
    {"obs32.2.2-pub-simulcast3", "m=video 9 ", "a=simulcast", true},
};

Test(negotiate, answers_each_client_in_its_way)
{
    struct negotiate_params p = params();
    p.prefer_offer_order = true;
    for (size_t i = 0; i < ARRAY_LEN(captured); i++) {
        char path[128];
        snprintf(path, sizeof(path), "sdp/%s.sdp", captured[i].file);
        char *text = fixture_load(path, NULL);
        struct negotiate_result r = {0};
        struct negotiate_refusal why;
        p.opaque = captured[i].opaque;
        int status = answer(text, !strstr(path, "-play"), &p, NULL, &r, &why);
        cr_assert_eq(status, 0, "%s: %s", path, why.detail);
        cr_expect(strstr(r.answer, captured[i].has), "%s: lacks %s:\n%s", path, captured[i].has,
                  r.answer);
        cr_expect(!strstr(r.answer, captured[i].lacks), "%s: has %s:\n%s", path, captured[i].lacks,
                  r.answer);
        done(&r);
        free(text);
    }
}

enum {
    PUB = 1,
    ALL = 2, /* replace every occurrence */
};

#define SIMULCAST(lines) "a=rid:a send\r\na=rid:b send\r\n" lines "a=ssrc-group:FID 21 22\r\n"

/* One base offer with one piece replaced. status 0 = answered; has, lacks: of answer or detail. */
static const struct row {
    const char *id;
    int flags;
    const char *find, *replace;
    int status;
    const char *type, *has, *lacks;
} rows[] = {
    /* direction */
    {"WHIP-06", PUB | ALL, "sendonly", "recvonly", 422, "direction", "/whep/", NULL},
    {"WHIP-06 one of two", PUB, "sendonly", "recvonly", 422, "direction", "audio", NULL},
    {"WHIP-07", PUB | ALL, "sendonly", "inactive", 422, "no-codec", NULL, NULL},
    {"one section inactive", PUB, "sendonly", "inactive", 0, NULL, "m=audio 0 ", NULL},
    {"ICE-lite on both sides", PUB, "t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", 422, "ice-lite", "full",
     NULL},
    {"WHIP-08", PUB | ALL, "sendonly", "sendrecv", 0, NULL, "a=recvonly\r\n", "a=sendonly"},
    {"WHIP-09", PUB | ALL, "a=sendonly\r\n", "", 0, NULL, "a=recvonly\r\n", "a=sendrecv"},
    {"WHEP-01", ALL, "recvonly", "recvonly", 0, NULL, "a=sendonly\r\n", "a=recvonly\r\n"},
    {"WHEP-02 sendrecv", ALL, "recvonly", "sendrecv", 0, NULL, "a=sendonly\r\n", NULL},
    {"WHEP-02 sendonly", ALL, "recvonly", "sendonly", 422, "direction", "/whip/", NULL},
    {"WHEP-02 inactive", ALL, "recvonly", "inactive", 422, "no-codec", NULL, NULL},
    {"session direction", PUB | ALL, "a=sendonly\r\n", "a=recvonly\r\n", 422, "direction", NULL,
     NULL},
    /* tracks */
    {"WHIP-48 streams", PUB, "a=msid:s v", "a=msid:t v", 422, "too-many-tracks", "stream", NULL},
    {"WHIP-48 two audio", PUB, "m=video", "m=audio", 422, "too-many-tracks", "audio", NULL},
    {"WHEP-17", 0, "m=video", "m=audio", 0, NULL, "m=audio 0 UDP/TLS/RTP/SAVPF 96\r\n", NULL},
    {"SDP-38 msid -", PUB, "a=msid:s v", "a=msid:- v", 0, NULL, NULL, NULL},
    {"SDP-38 no msid", PUB, "a=msid:s v\r\n", "", 0, NULL, NULL, NULL},
    {"SDP-38 two msids", PUB, "a=msid:s v\r\n", "a=msid:s v\r\na=msid:t v\r\n", 0, NULL, NULL,
     NULL},
    {"WHIP-49, DC-04", PUB, "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 108 109 98 99 120",
     "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", 0, NULL, "BUNDLE 0\r\n", "sctp"},
    {"WHEP-19", 0, "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 108 109 98 99 120",
     "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", 0, NULL, "m=application 0 ", "sctp"},
    {"unknown media", PUB, "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0 110", "m=text 9 RTP/AVP t140", 0,
     NULL, "m=text 0 RTP/AVP t140\r\n", "BUNDLE 0"},
    /* ports and BUNDLE */
    {"SDP-04", PUB, "m=video 9", "a=x\r\nm=video 0", 0, NULL, "m=video 0", "BUNDLE 0 1"},
    {"SDP-04 bundle-only", PUB, "a=mid:1", "a=mid:1\r\na=bundle-only", 0, NULL, "m=video 9",
     "bundle-only"},
    {"SDP-05", PUB, "m=audio 9", "m=audio 0", 0, NULL, "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n",
     "BUNDLE 0"},
    {"SDP-05 none left", PUB | ALL, "o 9 UDP", "o 0 UDP", 422, "no-codec", NULL, NULL},
    {"SDP-07", PUB, "BUNDLE 0 1", "BUNDLE 0 1 2 3", 0, NULL, "BUNDLE 0 1\r\n", NULL},
    {"SDP-06 order of the group", PUB, "BUNDLE 0 1", "BUNDLE 1 0", 0, NULL, "BUNDLE 1 0\r\n", NULL},
    {"SDP-08", PUB, "a=group:BUNDLE 0 1\r\n", "a=group:LS 0 1\r\na=group:BUNDLE 0 1\r\n", 0, NULL,
     NULL, "group:LS"},
    {"SDP-09", PUB, "a=group:BUNDLE 0 1\r\n", "", 422, "bundle-required", "max-bundle", NULL},
    {"SDP-10 two groups", PUB, "BUNDLE 0 1", "BUNDLE 0\r\na=group:BUNDLE 1", 422, "bundle-required",
     NULL, NULL},
    {"SDP-10 outside", PUB, "BUNDLE 0 1", "BUNDLE 0", 422, "bundle-required", "\"1\"", NULL},
    {"SDP-11", PUB, "a=rtcp-mux\r\n", "", 422, "mux-required", "rtcp-mux", NULL},
    /* FEC is not asked for, and its stream is not taken for a layer */
    {"FlexFEC", PUB, "a=rtpmap:120 ulpfec/90000\r\na=ssrc-group:FID 21 22\r\n",
     "a=rtpmap:120 flexfec-03/90000\r\na=rtcp-fb:120 transport-cc\r\n"
     "a=fmtp:120 repair-window=10000000\r\na=ssrc-group:FID 21 22\r\n"
     "a=ssrc-group:FEC-FR 21 23\r\na=ssrc:23 cname:x\r\n",
     0, NULL, "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n", ":120 "},
    {"SDP-13", PUB | ALL, "a=rtcp-rsize\r\n", "", 0, NULL, NULL, "rsize"},
    {"SDP-14", PUB, "a=extmap-allow-mixed\r\n", "", 0, NULL, NULL, "allow-mixed"},
    /* extensions */
    {"SDP-15", PUB, "extmap:4 ", "extmap:4/sendonly ", 0, NULL, "extmap:4/recvonly ", NULL},
    {"SDP-15 useless", PUB, "extmap:4 ", "extmap:4/recvonly ", 0, NULL, NULL, "extmap:4/"},
    {"SDP-15 inactive", PUB, "extmap:1 ", "extmap:1/inactive ", 0, NULL, NULL, "extmap:1 "},
    {"SDP-16 above 14", PUB, "extmap:1 ", "extmap:16 ", 0, NULL, "a=extmap:16 ", NULL},
    {"SDP-16 above 14, not mixed", PUB, "a=extmap-allow-mixed\r\n", "a=x\r\n", 0, NULL, NULL, NULL},
    {"SDP-16 twice", PUB, "extmap:1 ", "extmap:4 ", 0, NULL,
     "extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "audio-level"},
    {"SDP-17", PUB, "extmap:1 ", "extmap:10 ", 0, NULL,
     "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes", "audio-level"},
    {"orientation", PUB, "extmap:13 ", "extmap:12 ", 0, NULL, NULL, "3gpp"},
    {"SRTP-13", PUB, "extmap:1 ", "extmap:1 urn:ietf:params:rtp-hdrext:encrypt ", 0, NULL, NULL,
     "encrypt"},
    {"WHEP RID", 0, "extmap:4 ", "extmap:4 ", 0, NULL, "sdes:mid", "stream-id"},
    /* transport */
    {"SDP-19 session level", PUB | ALL, "t=0 0\r\n", "t=0 0\r\n" TRANSPORT, 0, NULL, NULL, NULL},
    {"SDP-20 ufrag", PUB | ALL, "a=ice-ufrag:NZ1N\r\n", "", 400, "sdp-malformed", "ice-ufrag",
     NULL},
    {"SDP-20 pwd", PUB | ALL, "a=ice-pwd:/v5MJK+UBIxgXMCz738Qi5Ll\r\n", "", 400, "sdp-malformed",
     "ice-pwd", NULL},
    {"SDP-20 fingerprint", PUB | ALL, "a=fingerprint:sha-256 " FP "\r\n", "", 400, "sdp-malformed",
     "sha-256", NULL},
    {"SDP-20 unknown hash", PUB | ALL, "sha-256", "sha-999", 400, "sdp-malformed", "sha-256", NULL},
    {"SDP-21", PUB, "ufrag:NZ1N", "ufrag:N", 400, "sdp-malformed", NULL, NULL},
    {"SDP-22", PUB | ALL, "a=setup:actpass\r\n", "", 0, NULL, "a=setup:passive\r\n", NULL},
    {"SDP-23, WHIP-52", PUB | ALL, "setup:actpass", "setup:active", 0, NULL, "a=setup:passive\r\n",
     NULL},
    {"SDP-23 passive", PUB | ALL, "setup:actpass", "setup:passive", 0, NULL, "a=setup:active\r\n",
     "setup:passive"},
    {"holdconn", PUB | ALL, "setup:actpass", "setup:holdconn", 422, "setup", "holdconn", NULL},
    {"SDP-28 RTP/SAVPF", PUB | ALL, "UDP/TLS/RTP/SAVPF", "RTP/SAVPF", 0, NULL, "9 RTP/SAVPF", NULL},
    {"SDP-28 SAVP", PUB | ALL, "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", 0, NULL, "RTP/SAVP ", NULL},
    {"SDP-28 TCP", PUB | ALL, "UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", 0, NULL, "9 TCP/TLS", NULL},
    {"SDP-29", PUB | ALL, "UDP/TLS/RTP/SAVPF", "RTP/AVP", 422, "setup", "encrypted", NULL},
    /* codecs */
    {"SDP-18", PUB, "63 0 110", "63 96 110", 422, "sdp-malformed", "96", NULL},
    {"SDP-34", PUB, "apt=96", "apt=95", 0, NULL, "SAVPF 96\r\n", "rtx"},
    {"SDP-34 no number", PUB, "apt=96", "apt=x", 0, NULL, "SAVPF 96\r\n", "rtx"},
    {"WHIP-50 video", PUB | ALL, "90000", "90001", 422, "no-codec", "VP8, H264, VP9, AV1", NULL},
    {"WHIP-50 audio", PUB, "111 63 0 110", "110", 422, "no-codec", "opus", NULL},
    {"audio without opus", PUB, "111 63 0 110", "110 0", 0, NULL, "a=rtpmap:0 PCMU/8000\r\n",
     "red/"},
    {"RED of another", PUB, "63 111/111", "63 0/0", 0, NULL, "SAVPF 111\r\n", "red/"},
    {"RED without fmtp", PUB, "a=fmtp:63 111/111\r\n", "", 0, NULL, "SAVPF 111\r\n", "red/"},
    {"opus nack", 0, "a=rtcp-fb:111 ", "a=rtcp-fb:111 nack\r\na=rtcp-fb:111 ", 0, NULL,
     "a=rtcp-fb:111 nack\r\n", NULL},
    {"remb only without twcc", PUB, "a=rtcp-fb:96 transport-cc\r\n", "", 0, NULL,
     "a=rtcp-fb:96 goog-remb\r\n", "transport-cc"},
    {"remb beside twcc", PUB, "a=rtcp-fb:96 transport-cc\r\n", "a=rtcp-fb:96 transport-cc\r\n", 0,
     NULL, "a=rtcp-fb:96 transport-cc\r\n", "goog-remb"},
    {"twcc without its extension", PUB, "extmap:3 ", "extmap:3 x", 0, NULL, "96 goog-remb",
     "transport-cc"},
    {"SDP-36", PUB, "a=rtcp-fb:* nack pli\r\n", "", 0, NULL, "96 nack\r\n", "nack pli"},
    /* simulcast */
    {"SIM-01", PUB, "a=ssrc-group:FID 21 22\r\n", SIMULCAST("a=simulcast:send b;a\r\n"), 0, NULL,
     "a=rid:b recv\r\na=rid:a recv\r\na=simulcast:recv b;a\r\n", NULL},
    {"SIM-02 line only", PUB, "a=ssrc-group:FID 21 22\r\n", SIMULCAST("a=simulcast:send b\r\n"), 0,
     NULL, "a=simulcast:recv b\r\n", "rid:a"},
    {"SIM-02 no line", PUB, "a=ssrc-group:FID 21 22\r\n", SIMULCAST("a=simulcast:send z;b\r\n"), 0,
     NULL, "a=simulcast:recv b\r\n", "z;"},
    {"SIM-02 nothing left", PUB, "a=ssrc-group:FID 21 22\r\n", SIMULCAST("a=simulcast:send z\r\n"),
     0, NULL, NULL, "simulcast"},
    {"SIM-02 no simulcast", PUB, "a=ssrc-group:FID 21 22\r\n", SIMULCAST(""), 0, NULL, NULL,
     "rid:"},
    {"SIM-03", PUB, "a=ssrc-group:FID 21 22\r\n", SIMULCAST("a=simulcast:send z,b,a;~a\r\n"), 0,
     NULL, "a=simulcast:recv b;a\r\n", "~"},
    {"SIM same layer twice", PUB, "a=ssrc-group:FID 21 22\r\n",
     SIMULCAST("a=simulcast:send a;a;b\r\n"), 0, NULL, "a=simulcast:recv a;b\r\n", NULL},
    {"SIM five layers", PUB, "a=ssrc-group:FID 21 22\r\n",
     SIMULCAST("a=rid:c send\r\na=rid:d send\r\na=rid:e send\r\na=simulcast:send a;b;c;d;e\r\n"), 0,
     NULL, "a=simulcast:recv a;b;c;d\r\n", "rid:e"},
    {"SIM-10 long", PUB, "a=ssrc-group:FID 21 22\r\n",
     SIMULCAST("a=rid:abcdefghijklmnopqrstuvwxyz012345 send\r\n"
               "a=simulcast:send a;abcdefghijklmnopqrstuvwxyz012345;b\r\n"),
     0, NULL, "a=simulcast:recv a;b\r\n", NULL},
    {"SDP-40", PUB, "a=ssrc-group:FID 21 22\r\n",
     SIMULCAST("a=simulcast:send a\r\na=simulcast:send b\r\n"), 400, "sdp-malformed", NULL, NULL},
    {"SIM to a player", 0, "a=ssrc-group:FID 21 22\r\n", SIMULCAST("a=simulcast:send a;b\r\n"), 0,
     NULL, NULL, "simulcast"},
};

static void run_row(const struct row *row, const struct negotiate_params *p)
{
    bool publish = row->flags & PUB;
    const char *base = publish ? pub : play;
    char *text = check_edit(base, row->find, row->replace, row->flags & ALL);
    struct negotiate_result r = {0};
    struct negotiate_refusal why;
    struct check_log log;
    int status = answer(text, publish, p, NULL, &r, &why);
    cr_expect_eq(status, row->status, "%s: %d %s", row->id, status, why.detail);
    if (status == 0 && row->status == 0) {
        check_answer(text, r.answer, publish, &log);
        cr_expect_str_eq(log.text, "", "%s: %s", row->id, log.text);
        check_session(row->id, r.answer, &r);
    } else if (row->status) {
        cr_expect_str_eq(why.type, row->type, "%s: %s", row->id, why.type);
    }
    const char *said = status ? why.detail : r.answer;
    cr_expect(!row->has || strstr(said, row->has), "%s lacks %s:\n%s", row->id, row->has, said);
    cr_expect(!row->lacks || !strstr(said, row->lacks), "%s has %s:\n%s", row->id, row->lacks,
              said);
    done(&r);
    free(text);
}

Test(negotiate, answers_or_refuses_as_the_table_says)
{
    struct negotiate_params p = params();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        run_row(&rows[i], &p);
    }
}

#define HEAD "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
#define OPUS                                                                                       \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-mux\r\n" TRANSPORT

/* Whole offers, all of one direction (SDP-09, SDP-39, DC-05). */
static const struct {
    const char *id, *text;
    int status;
    const char *type, *has;
} wholes[] = {
    {"SDP-09 lone section", HEAD OPUS "a=mid:x\r\n", 0, NULL, "a=mid:x\r\n"},
    {"lone section without mid", HEAD OPUS, 0, NULL, "m=audio 9"},
    {"lone section outside its group", HEAD "a=group:BUNDLE 0\r\n" OPUS "a=mid:1\r\n", 0, NULL,
     "a=mid:1\r\n"},
    {"SDP-39 long mid",
     HEAD "a=group:BUNDLE a-mid!of.more_than-16\r\n" OPUS "a=mid:a-mid!of.more_than-16\r\n", 0,
     NULL, "BUNDLE a-mid!of.more_than-16\r\n"},
    {"DC-05", HEAD "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n" TRANSPORT, 422,
     "no-codec", "at least one"},
    {"bundle-only says nothing",
     HEAD "a=group:BUNDLE 0 1\r\n"
          "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=bundle-only\r\na=rtpmap:96 VP8/90000\r\n"
          "a=rtcp-mux\r\n" OPUS "a=mid:1\r\n",
     0, NULL, "a=group:BUNDLE 0 1\r\n"},
    {"SDP-29 lone section", HEAD "m=audio 9 RTP/AVP 0\r\n" TRANSPORT, 422, "setup", "RTP/AVP;"},
};

Test(negotiate, answers_whole_offers_as_the_table_says)
{
    struct negotiate_params p = params();
    for (size_t i = 0; i < ARRAY_LEN(wholes); i++) {
        for (int publish = 0; publish < 2; publish++) {
            struct negotiate_result r = {0};
            struct negotiate_refusal why;
            struct check_log log = {0};
            int status = answer(wholes[i].text, publish, &p, NULL, &r, &why);
            cr_expect_eq(status, wholes[i].status, "%s: %s", wholes[i].id, why.detail);
            if (status == 0) {
                check_answer(wholes[i].text, r.answer, publish, &log);
                check_session(wholes[i].id, r.answer, &r);
            }
            const char *said = status ? why.detail : r.answer;
            cr_expect_str_eq(log.text, "", "%s: %s", wholes[i].id, log.text);
            cr_expect(strstr(said, wholes[i].has), "%s: %s", wholes[i].id, said);
            cr_expect(!status || strcmp(why.type, wholes[i].type) == 0, "%s", wholes[i].id);
            done(&r);
        }
    }
}

/* ---- publish ---- */

/* WHIP codec choice: by the server's list or the client's, mode 1 before mode 0. */
Test(negotiate, publisher_gets_one_codec_or_those_that_it_may_choose_from)
{
    static const struct {
        enum codec_id allowed[4];
        bool by_offer;
        const char *m_line;
        bool own;
    } choices[] = {
        {{CODEC_VP8, CODEC_H264}, false, "SAVPF 96 97\r\n"},
        {{CODEC_H264, CODEC_VP8}, false, "SAVPF 108 109\r\n"},
        {{CODEC_VP9}, true, "SAVPF 98 99\r\n"},
        {{CODEC_VP9, CODEC_H264}, true, "SAVPF 108 109\r\n"},
        {{CODEC_AV1, CODEC_VP9}, false, "SAVPF 98 99\r\n"},
        /* Pion: the track was made for one of them. */
        {{CODEC_H264, CODEC_VP8}, false, "SAVPF 108 109 96 97\r\n", true},
        {{CODEC_VP9}, false, "SAVPF 98 99\r\n", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        struct negotiate_params p = params();
        struct negotiate_result r = {0};
        struct negotiate_refusal why;
        memcpy(p.video_codecs, choices[i].allowed, sizeof(choices[i].allowed));
        p.n_video_codecs = choices[i].allowed[1] ? 2 : 1;
        p.prefer_offer_order = choices[i].by_offer;
        p.own_codec = choices[i].own;
        cr_assert_eq(answer(pub, true, &p, NULL, &r, &why), 0, "%s", why.detail);
        cr_expect(strstr(r.answer, choices[i].m_line), "row %zu:\n%s", i, r.answer);
        done(&r);
    }
}

Test(negotiate, start_bitrate_is_told_only_under_the_cap)
{
    static const struct {
        uint32_t max_kbps;
        bool told;
    } caps[] = {{0, true}, {999, false}, {1000, true}, {20000, true}};
    for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
        struct negotiate_params p = params();
        struct negotiate_result r = {0};
        struct negotiate_refusal why;
        p.max_kbps = caps[i].max_kbps;
        p.video_codecs[0] = CODEC_VP9;
        cr_assert_eq(answer(pub, true, &p, NULL, &r, &why), 0);
        bool told = strstr(r.answer, "a=fmtp:98 profile-id=0;x-google-start-bitrate=1000\r\n");
        cr_expect_eq(told, caps[i].told, "row %zu:\n%s", i, r.answer);
        cr_expect_str_eq(r.source.video_codec.fmtp, "profile-id=0");
        done(&r);
    }
}

Test(negotiate, publish_session_says_what_the_plane_needs)
{
    struct negotiate_params p = params();
    struct negotiate_result r = {0};
    struct negotiate_refusal why;
    cr_assert_eq(answer(pub, true, &p, NULL, &r, &why), 0, "%s", why.detail);
    const struct api_session *s = r.session;
    cr_assert_eq(s->role, API_PUBLISH);
    cr_assert_str_eq(s->label, "room/main");
    cr_assert_str_eq(s->link.creds.remote_ufrag, "NZ1N");
    cr_assert_str_eq(s->link.creds.local_ufrag, "AbcdefghijkL");
    cr_assert_eq(s->link.role, DTLS_SERVER);
    cr_assert_eq(s->link.fingerprints[0].digest[31], 0x8e);
    cr_assert(!s->link.only_cm && !s->link.data_channel);
    cr_assert_eq(s->link.max_ssrcs, 64);
    const struct api_mline *v = &s->mlines[1];
    cr_assert_eq(v->n_ssrcs, 1);
    cr_assert(v->ssrcs[0] == 21 && v->rtx_ssrcs[0] == 22);
    cr_assert(v->codecs[0].nack && v->codecs[0].pli && v->codecs[0].twcc && !v->codecs[0].remb);
    cr_assert_eq(v->ext.id[EXT_RID], 10);
    cr_assert(v->ext.allow_mixed && v->rsize);
    cr_assert_eq(s->mlines[0].n_codecs, 2, "opus and RED");
    cr_assert_eq(s->mlines[0].codecs[1].id, CODEC_RED);
    cr_assert(r.source.known && r.source.audio && r.source.video);
    cr_assert_eq(r.source.audio_codec.id, CODEC_OPUS);
    cr_assert_eq(r.source.video_codec.id, CODEC_VP8);
    done(&r);
}

/* FID without a=ssrc for the RTX (FFmpeg), several streams. */
Test(negotiate, publisher_ssrcs_come_with_their_rtx)
{
    static const struct {
        const char *lines;
        int n;
        uint32_t ssrcs[3], rtx[3];
    } groups[] = {
        {"a=ssrc-group:FID 21 22\r\na=ssrc:21 cname:x\r\n", 1, {21}, {22}},
        {"a=ssrc:21 cname:x\r\na=ssrc:21 msid:s v\r\n", 1, {21}, {0}},
        {"a=ssrc:1 a\r\na=ssrc:2 a\r\na=ssrc:3 a\r\na=ssrc:4 a\r\na=ssrc:1 b\r\n"
         "a=ssrc-group:FID 1 2\r\na=ssrc-group:FID 3 4\r\n",
         2,
         {1, 3},
         {2, 4}},
        {"a=ssrc:0 a\r\n", 0, {0}, {0}},
        {"", 0, {0}, {0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        struct negotiate_params p = params();
        struct negotiate_result r = {0};
        struct negotiate_refusal why;
        char *text =
            check_edit(pub, "a=ssrc-group:FID 21 22\r\na=ssrc:21 cname:x\r\na=ssrc:22 cname:x\r\n",
                       groups[i].lines, false);
        cr_assert_eq(answer(text, true, &p, NULL, &r, &why), 0, "%s", why.detail);
        const struct api_mline *v = &r.session->mlines[1];
        cr_expect_eq(v->n_ssrcs, groups[i].n, "row %zu", i);
        for (int k = 0; k < groups[i].n; k++) {
            cr_expect_eq(v->ssrcs[k], groups[i].ssrcs[k], "row %zu", i);
            cr_expect_eq(v->rtx_ssrcs[k], groups[i].rtx[k], "row %zu", i);
        }
        done(&r);
        free(text);
    }
}

#define SSRC(n)         "a=ssrc:" #n " a\r\n"
#define SSRCS_5_7       SSRC(5) SSRC(6) SSRC(7)
#define RID(name, ssrc) "a=rid:" name " send ssrc=" #ssrc "\r\n"

/* SIM-12: layers that only SSRCs tell apart: of a legacy SIM group, by names of ours that no answer
 * has, or by an "ssrc=" that SDKs write into their rids. rids "" is one stream. */
Test(negotiate, layers_by_ssrc)
{
    static const struct {
        const char *lines, *rids;
        uint32_t ssrcs[API_LAYERS_MAX], rtx[API_LAYERS_MAX];
        bool by_name; /* not by_ssrc */
    } by_ssrc[] = {
        {"a=ssrc-group:SIM 5 6 7\r\na=ssrc-group:FID 5 8\r\na=ssrc-group:FID 7 9\r\n" SSRCS_5_7
             SSRC(8) SSRC(9),
         "s0 s1 s2",
         {5, 6, 7},
         {8, 0, 9}},
        {"a=ssrc-group:SIM 5 6 7\r\n" SSRC(5) SSRC(7), "s0 s1", {5, 7}},
        {"a=ssrc-group:SIM 5 6 7\r\n" SSRC(6), "", {6}},
        {"a=ssrc-group:SIM 5 6 7\r\n", ""},
        {"a=ssrc-group:SIM 5 5 0 x 99999999999 6\r\n" SSRCS_5_7, "s0 s1", {5, 6}},
        {"a=ssrc-group:SIM 5 5\r\n" SSRCS_5_7, "", {5}},
        {"a=ssrc-group:SIM 5\r\na=ssrc-group:SIM\r\na=ssrc-group:SIM 6 7\r\na=ssrc-group:SIM 5 "
         "6\r\n" SSRCS_5_7,
         "s0 s1",
         {6, 7}},
        {"a=ssrc-group:SIM 1 2 3 4 5 6 7\r\n" SSRC(1) SSRC(2) SSRC(3) SSRC(4) SSRCS_5_7,
         "s0 s1 s2 s3",
         {1, 2, 3, 4}},
        {"a=ssrc-group:SIM 5 6 8\r\na=ssrc-group:FID 5 8\r\n" SSRCS_5_7 SSRC(8),
         "s0 s1",
         {5, 6},
         {8, 0}},
        {"a=ssrc-group:SIM 5 6 7\r\n" SSRCS_5_7 RID("a", 7) RID("b", 6) "a=simulcast:send b;a\r\n",
         "b a",
         {6, 7}},
        {"a=ssrc-group:SIM 5 6\r\n" SSRCS_5_7 RID("a",
                                                  7) "a=rid:b send\r\na=simulcast:send a;b\r\n",
         "a b", .by_name = true},
        {SSRCS_5_7 RID("a", 7) RID("b", 7) "a=simulcast:send a;b\r\n", "a", {7}},
    };
    for (size_t i = 0; i < ARRAY_LEN(by_ssrc); i++) {
        struct negotiate_params p = params();
        struct negotiate_result r = {0};
        struct negotiate_refusal why;
        char rids[API_LAYERS_MAX * API_RID_MAX] = "";
        char *text =
            check_edit(pub, "a=ssrc-group:FID 21 22\r\na=ssrc:21 cname:x\r\na=ssrc:22 cname:x\r\n",
                       by_ssrc[i].lines, false);
        cr_assert_eq(answer(text, true, &p, NULL, &r, &why), 0, "%s", why.detail);
        const struct api_mline *v = &r.session->mlines[1];
        for (unsigned k = 0; k < v->n_rids; k++) {
            sprintf(rids + strlen(rids), "%s%s", k ? " " : "", v->rids[k]);
        }
        cr_expect_str_eq(rids, by_ssrc[i].rids, "row %zu: %s", i, rids);
        cr_expect_eq(v->by_ssrc, rids[0] && !by_ssrc[i].by_name, "row %zu", i);
        for (unsigned k = 0; k < API_LAYERS_MAX && by_ssrc[i].ssrcs[k]; k++) {
            cr_expect_eq(v->ssrcs[k], by_ssrc[i].ssrcs[k], "row %zu", i);
            cr_expect_eq(v->rtx_ssrcs[k], by_ssrc[i].rtx[k], "row %zu", i);
        }
        cr_expect_eq(strstr(r.answer, "simulcast:recv") != NULL, rids[0] && rids[0] != 's',
                     "row %zu: names of ours are not told", i);
        done(&r);
        free(text);
    }
}

/* ---- play ---- */

#define H264(pm, profile)                                                                          \
    "level-asymmetry-allowed=1;packetization-mode=" pm ";profile-level-id=" profile

/* SDP-30, SDP-31, rule 10: which payload type a viewer gets first for a source. */
Test(negotiate, viewer_gets_the_source_codec_first)
{
    static const struct {
        enum codec_id id;
        const char *fmtp;
        bool relaxed;
        int first_pt; /* 0: 422 */
    } sources[] = {
        {CODEC_VP8, "", false, 96},
        {CODEC_VP9, "profile-id=0", false, 98},
        {CODEC_VP9, "", false, 98}, /* SDP-32: absent = default */
        {CODEC_VP9, "profile-id=2", false, 0},
        {CODEC_AV1, "", false, 0},
        {CODEC_H264, H264("1", "42e01f"), false, 108},
        {CODEC_H264, H264("1", "42E034"), false, 108}, /* level and case do not count */
        {CODEC_H264, H264("0", "42e01f"), false, 102},
        {CODEC_H264, H264("1", "640c1f"), false, 0},
        {CODEC_H264, H264("1", "640c1f"), true, 108}, /* decoders know more than they name */
        {CODEC_H264, H264("1", "6e001f"), true, 0},   /* but High 10 few know */
        {CODEC_H264, H264("1", "42001f"), true, 108},
    };
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        struct negotiate_params p = params();
        struct negotiate_source src = vp8_source;
        struct negotiate_result r = {0};
        struct negotiate_refusal why;
        src.video_codec.id = sources[i].id;
        snprintf(src.video_codec.fmtp, sizeof(src.video_codec.fmtp), "%s", sources[i].fmtp);
        p.h264_relaxed = sources[i].relaxed;
        int status = answer(play, false, &p, &src, &r, &why);
        cr_expect_eq(status, sources[i].first_pt ? 0 : 422, "row %zu: %s", i, why.detail);
        if (status) {
            cr_expect_str_eq(why.type, "no-codec");
            cr_expect(strstr(why.detail, codec_info(sources[i].id)->name), "%s", why.detail);
        } else {
            cr_expect_eq(r.session->mlines[1].codecs[0].pt, sources[i].first_pt, "row %zu", i);
            cr_expect_geq(r.session->mlines[1].n_codecs, 4, "row %zu: the others are there too", i);
            cr_expect_eq(r.session->mlines[0].codecs[0].id, CODEC_OPUS);
            cr_expect_eq(r.session->mlines[0].codecs[1].id, CODEC_RED);
        }
        done(&r);
    }
}

/* SDP-31: GStreamer's whepsrc offers H264 without fmtp. */
Test(negotiate, viewer_without_h264_fmtp_takes_any)
{
    struct negotiate_params p = params();
    struct negotiate_source src = vp8_source;
    struct negotiate_result r = {0};
    struct negotiate_refusal why;
    src.video_codec.id = CODEC_H264;
    snprintf(src.video_codec.fmtp, sizeof(src.video_codec.fmtp), "%s", H264("1", "640c1f"));
    char *text = check_edit(play, "a=fmtp:108 " H264("1", "42e01f") "\r\n", "", false);
    cr_assert_eq(answer(text, false, &p, &src, &r, &why), 0, "%s", why.detail);
    cr_expect_eq(r.session->mlines[1].codecs[0].pt, 108);
    done(&r);
    free(text);
}

/* WHEP-18 and its reverse: what the publisher lacks gets port 0, but never everything. */
Test(negotiate, viewer_sections_follow_the_source)
{
    static const struct {
        bool audio, video;
        const char *has, *lacks;
    } sources[] = {
        {true, true, "BUNDLE 0 1\r\n", " 0 UDP"},
        {true, false, "BUNDLE 0\r\n", "m=video 9"},
        {false, true, "BUNDLE 0 1\r\n", " 0 UDP"}, /* the first carries the transport */
    };
    struct negotiate_params p = params();
    struct negotiate_result r = {0};
    struct negotiate_refusal why;
    struct check_log log;
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        struct negotiate_source src = vp8_source;
        src.audio = sources[i].audio;
        src.video = sources[i].video;
        cr_assert_eq(answer(play, false, &p, &src, &r, &why), 0, "%s", why.detail);
        check_answer(play, r.answer, false, &log);
        cr_expect_str_eq(log.text, "", "row %zu: %s", i, log.text);
        cr_expect(strstr(r.answer, sources[i].has) && !strstr(r.answer, sources[i].lacks), "%s",
                  r.answer);
        done(&r);
    }
    char *text = fixture_load("sdp/chromium156-play-audio-only.sdp", NULL);
    struct negotiate_source src = vp8_source;
    src.audio = false;
    cr_assert_eq(answer(text, false, &p, &src, &r, &why), 0, "%s", why.detail);
    cr_expect(strstr(r.answer, "m=audio 9"), "one section stays");
    done(&r);
    free(text);
}

/* NACK without RTX restricts the session to AES-CM (architecture §3). */
Test(negotiate, viewer_with_nack_and_no_rtx_gets_no_gcm)
{
    struct negotiate_params p = params();
    struct negotiate_result r = {0};
    struct negotiate_refusal why;
    cr_assert_eq(answer(play, false, &p, &vp8_source, &r, &why), 0);
    cr_expect(!r.session->link.only_cm);
    cr_expect_eq(r.session->link.max_ssrcs, 8);
    cr_expect(r.session->mlines[1].rtx_ssrcs[0] != 0 && r.session->mlines[0].rtx_ssrcs[0] == 0);
    done(&r);
    char *text = check_edit(play, "apt=96", "apt=1", false);
    cr_assert_eq(answer(text, false, &p, &vp8_source, &r, &why), 0);
    cr_expect(r.session->link.only_cm);
    done(&r);
    free(text);
}

Test(negotiate, same_inputs_give_the_same_answer_and_seed_0_works)
{
    struct negotiate_params p = params();
    struct negotiate_result a = {0};
    struct negotiate_result b = {0};
    struct negotiate_refusal why;
    p.ssrc_seed = 0;
    cr_assert_eq(answer(play, false, &p, &vp8_source, &a, &why), 0);
    cr_assert_eq(answer(play, false, &p, &vp8_source, &b, &why), 0);
    cr_expect_str_eq(a.answer, b.answer);
    cr_expect(a.session->mlines[0].ssrcs[0] != 0);
    done(&a);
    done(&b);
}

/* An fmtp longer than the session's field is cut between parameters, in session and answer alike.
 */
Test(negotiate, long_fmtp_keeps_whole_parameters)
{
    struct negotiate_params p = params();
    struct negotiate_result r = {0};
    struct negotiate_refusal why;
    char fmtp[400] = "minptime=10";
    for (int i = 0; i < 30; i++) {
        strcat(fmtp, ";abcdefg=1");
    }
    strcat(fmtp, "\r\n");
    char *text = check_edit(pub, "minptime=10;useinbandfec=1\r\n", fmtp, false);
    cr_assert_eq(answer(text, true, &p, NULL, &r, &why), 0);
    const char *kept = r.session->mlines[0].codecs[0].fmtp;
    cr_expect(strncmp(fmtp, kept, strlen(kept)) == 0 && strlen(kept) > 100);
    cr_expect_eq(fmtp[strlen(kept)], ';');
    char line[API_FMTP_MAX + 32];
    snprintf(line, sizeof(line), "a=fmtp:111 %s\r\n", kept);
    cr_expect(strstr(r.answer, line), "%s", r.answer);
    done(&r);
    free(text);
}

/* ---- restart ---- */

/* WHIP-41, WHIP-45, WHIP-47 */
Test(negotiate, restart_fragment_is_short_and_complete)
{
    struct negotiate_params p = params();
    char *text = negotiate_restart_fragment(&p, "video0", MEDIA_VIDEO, false);
    cr_assert_not_null(text);
    cr_expect_str_eq(text, "a=ice-lite\r\n"
                           "a=ice-options:trickle ice2\r\n"
                           "a=group:BUNDLE video0\r\n"
                           "m=video 9 UDP/TLS/RTP/SAVPF 0\r\n"
                           "a=mid:video0\r\n"
                           "a=ice-ufrag:AbcdefghijkL\r\n"
                           "a=ice-pwd:0123456789abcdefghijABCD\r\n"
                           "a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host\r\n"
                           "a=end-of-candidates\r\n");
    free(text);
    text = negotiate_restart_fragment(&p, "", MEDIA_AUDIO, false);
    cr_expect(strstr(text, "m=audio 9") && !strstr(text, "mid") && !strstr(text, "BUNDLE"));
    free(text);
}
