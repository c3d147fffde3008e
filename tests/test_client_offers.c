/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of tests/data/shapes: offers of clients that cannot be run here. Each is answered so
 * that the client goes on, or refused in words that say what to change. */
#include <criterion/criterion.h>

#include "tests/negotiate_kit.h"
#include "tests/sdp_check.h"

enum {
    PLAIN,
    ODD, /* in words that sdp_check.h, which knows the rules only, does not understand */
};

/* status 0: an answer; has and lacks are looked for in it, or in the words of the refusal. */
static const struct {
    const char *file;
    int kind, status;
    const char *has, *lacks;
} shapes[] = {
    {"pub-libpeer", PLAIN, 0, "a=setup:active\r\n", "m=audio 9 UDP/TLS/RTP/SAVPF"},
    {"pub-esp-peer", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 102\r\n", "106"},
    {"pub-sipsorcery", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVP 96\r\n", "RTP/SAVPF"},
    {"pub-kvs", PLAIN, 0, "a=rtcp-fb:125 transport-cc\r\n", "goog-remb"},
    {"pub-str0m", PLAIN, 0, "a=group:BUNDLE jaK qpL\r\n", "rsize"},
    {"pub-rfc9725", PLAIN, 0, "a=group:BUNDLE 0 1\r\n", "m=video 0"},
    {"pub-libdatachannel0.20", PLAIN, 0, "a=group:BUNDLE 0 1\r\n", "group:LS"},
    {"pub-unreal", PLAIN, 0, "x-google-start-bitrate=10000;x-google-max-bitrate=20000\r\n",
     "=1000;"},
    {"pub-firefox60-simulcast", ODD, 0, "a=simulcast:recv foo;bar\r\n", "paused"},
    {"pub-firefox-many-networks", PLAIN, 0, "m=audio 9", "10.1.0.2"},
    {"pub-safari12", PLAIN, 0, "a=group:BUNDLE audio\r\n", "sctpmap"},
    {"pub-freeswitch", PLAIN, 0, "m=audio 9 RTP/SAVPF 0\r\n", "group:BUNDLE"},
    {"pub-millicast-ssrcs", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n", "simulcast"},
    {"pub-medooze-ssrcs", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n", "ssrc="},
    {"pub-kurento-sim", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "simulcast"},
    {"pub-livekit", PLAIN, 0, "a=simulcast:recv q;h;f\r\n", "AV1"},
    {"pub-safari18", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n", "H265"},
    {"pub-gst-fec", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 96 100\r\n", "fec"},
    {"pub-wowza", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 97\r\n", "framerate"},
    {"pub-h265", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 49 50\r\n", "VP8"},
    {"pub-opus-no-channels", PLAIN, 0, "a=rtpmap:111 OPUS/48000\r\n", "PCM"},
    {"pub-blanks", ODD, 0, "a=mid:0\r\n", "a=mid: "},
    {"pub-odd-ice-chars", PLAIN, 0, "m=audio 9", "N_1-="},
    {"pub-hashes", PLAIN, 0, "a=setup:passive\r\n", "sha-1 "},
    {"pub-no-bundle", PLAIN, 422, "a=group:BUNDLE", NULL},
    {"pub-ice-lite", PLAIN, 422, "full ICE", NULL},
    {"pub-sdes", PLAIN, 400, "a=fingerprint", NULL},
    {"play-sipsorcery", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVP 96\r\n", NULL},
    {"play-chromium-no-high", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 102 106 96 ", NULL},
    {"play-mediamtx-reader", PLAIN, 0, "m=audio 9 UDP/TLS/RTP/SAVPF 111 ", "L16"},
    {"play-go2rtc", PLAIN, 0, "m=video 9 UDP/TLS/RTP/SAVPF 97 98 96\r\n", "nack\r\na=rtcp-fb:101"},
    {"play-vp8-only", PLAIN, 422, "H264", NULL},
};

/* What is there to play: labelled as FFmpeg does where nobody asks for a profile. */
static const struct negotiate_source high = {
    .known = true,
    .audio = true,
    .video = true,
    .audio_codec = {.id = CODEC_OPUS, .pt = 111},
    .video_codec = {
        .id = CODEC_H264, .pt = 106, .fmtp = "profile-level-id=64001f;packetization-mode=1"}};

static void count_file(const char *name, const char *text, size_t len)
{
    (void)name;
    (void)text;
    (void)len;
}

Test(client_offers, let_the_client_go_on_or_say_what_to_change)
{
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct negotiate_params p = params();
        struct negotiate_result r = {0};
        struct negotiate_refusal why;
        struct check_log log = {0};
        char path[128];
        snprintf(path, sizeof(path), "shapes/%s.sdp", shapes[i].file);
        char *text = fixture_load(path, NULL);
        bool publish = strncmp(shapes[i].file, "pub-", 4) == 0;
        p.prefer_offer_order = true;
        p.h264_relaxed = true;
        p.video_codecs[p.n_video_codecs++] = CODEC_H265;
        int status = answer(text, publish, &p, &high, &r, &why);
        cr_expect_eq(status, shapes[i].status, "%s: %d %s", path, status, why.detail);
        if (status == 0 && shapes[i].kind != ODD) {
            check_answer(text, r.answer, publish, &log);
            cr_expect_str_eq(log.text, "", "%s: %s", path, log.text);
        }
        const char *said = status ? why.detail : r.answer;
        cr_expect(strstr(said, shapes[i].has), "%s lacks %s:\n%s", path, shapes[i].has, said);
        cr_expect(!shapes[i].lacks || !strstr(said, shapes[i].lacks), "%s has %s:\n%s", path,
                  shapes[i].lacks, said);
        done(&r);
        free(text);
    }
    cr_expect_eq(fixture_each("shapes", ".sdp", count_file), ARRAY_LEN(shapes), "a row each");
}
