/* SPDX-License-Identifier: Apache-2.0 */
/* The reader. What an offer means is tested in test_negotiate.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <time.h>

#include "signaling/sdp.h"
#include "signaling/sdp_model.h"
#include "signaling/sdp_write.h"
#include "tests/sdp_check.h"

#define FP                                                                                         \
    "73:09:2E:3A:CE:D6:B1:6B:51:0C:82:39:92:48:A5:D4:9A:BE:23:72:BA:62:7F:27:27:59:6E:B3:FD:C5:A6" \
    ":8E"

static const char base[] = "v=0\r\n"
                           "o=- 6748837078724460739 2 IN IP4 127.0.0.1\r\n"
                           "s=-\r\n"
                           "t=0 0\r\n"
                           "a=group:BUNDLE 0 1\r\n"
                           "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n"
                           "c=IN IP4 0.0.0.0\r\n"
                           "a=candidate:1 1 udp 2122063615 192.0.2.2 53804 typ host\r\n"
                           "a=ice-ufrag:NZ1N\r\n"
                           "a=ice-pwd:/v5MJK+UBIxgXMCz738Qi5Ll\r\n"
                           "a=fingerprint:sha-256 " FP "\r\n"
                           "a=setup:actpass\r\n"
                           "a=mid:0\r\n"
                           "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
                           "a=sendonly\r\n"
                           "a=rtcp-mux\r\n"
                           "a=rtpmap:111 opus/48000/2\r\n"
                           "a=fmtp:111 minptime=10;useinbandfec=1\r\n"
                           "a=ssrc:11 cname:x\r\n"
                           "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"
                           "c=IN IP4 0.0.0.0\r\n"
                           "a=mid:1\r\n"
                           "a=rid:q send\r\n"
                           "a=rid:h send\r\n"
                           "a=simulcast:send q;h\r\n"
                           "a=rtcp-mux\r\n"
                           "a=fmtp:97 apt=96\r\n"
                           "a=rtpmap:96 VP8/90000\r\n"
                           "a=rtpmap:97 rtx/90000\r\n"
                           "a=rtcp-fb:96 nack pli\r\n"
                           "a=rtcp-fb:* transport-cc\r\n";

/* From a heap block of the exact size, so that ASan sees one byte too far. */
static int read_exact(const char *text, size_t len, struct sdp **ret, int *ret_line)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    int err = sdp_read(copy, len, ret, ret_line);
    free(copy);
    return err;
}

Test(sdp, fills_the_model)
{
    struct sdp *s = NULL;
    int line = 0;
    cr_assert_eq(read_exact(base, strlen(base), &s, &line), 0, "line %d", line);
    cr_assert_eq(s->n_media, 2);
    cr_assert_eq(s->n_bundles, 1);
    cr_assert_eq(s->n_bundle, 2);
    const struct sdp_media *a = s->media[0];
    const struct sdp_media *v = s->media[1];
    cr_assert(a->in_bundle && v->in_bundle && a->mux && v->mux);
    cr_assert_str_eq(a->transport.ufrag, "NZ1N");
    cr_assert_eq(a->transport.n_fingerprints, 1);
    cr_assert_eq(a->transport.setup, SDP_SETUP_ACTPASS);
    cr_assert_eq(a->transport.direction, SDP_SENDONLY);
    cr_assert_eq(v->transport.direction, SDP_DIRECTION_NONE);
    cr_assert_eq(a->ext[EXT_MID].id, 4);
    cr_assert_eq(a->n_formats, 2);
    cr_assert_eq(a->formats[0].codec, CODEC_OPUS);
    cr_assert_str_eq(a->formats[0].fmtp, "minptime=10;useinbandfec=1");
    cr_assert_eq(a->formats[1].codec, CODEC_PCMU, "static payload type without rtpmap");
    cr_assert_eq(a->n_ssrcs, 1);
    cr_assert_eq(v->formats[0].rtx_pt, 97, "fmtp before rtpmap");
    cr_assert_eq(v->formats[0].fb, SDP_FB_PLI | SDP_FB_TWCC, "SDP-35: wildcard feedback");
    cr_assert_eq(v->n_layers, 2);
    cr_assert_str_eq(v->layers[1], "h");
    sdp_free(s);
    sdp_free(NULL);
}

/* Each row: base with one piece replaced. line: of the error, 0 = do not care. */
static const struct row {
    const char *id, *find, *replace;
    int err, line;
} rows[] = {
    /* accepted: SDP-24, SDP-25, SDP-08, SDP-38 */
    {"SDP-24 blank line", "s=-\r\n", "s=-\r\n\r\n\n", 0, 0},
    {"SDP-24 LF only", "s=-\r\n", "s=-\n", 0, 0},
    {"SDP-24 stray LF", "a=mid:0\r\n", "a=mid:0\r\n\n", 0, 0},
    {"SDP-24 blank behind the version", "v=0\r\n", "v=0 \r\n", 0, 0},
    {"SDP-24 blanks behind an attribute", "a=mid:0\r\n", "a=mid:0 \t\r\n", 0, 0},
    {"SDP-24 byte order mark", "v=0\r\n", "\xef\xbb\xbfv=0\r\n", 0, 0},
    {"SDP-24 byte order mark inside", "s=-\r\n", "\xef\xbb\xbfs=-\r\n", -EBADMSG, 3},
    {"SDP-25 unknown", "t=0 0\r\n", "i=x\r\nk=clear:y\r\nb=AS:5\r\nz=0 0\r\nr=7d\r\na=x-y:z\r\n", 0,
     0},
    {"SDP-25 rtcp", "a=mid:1\r\n",
     "a=mid:1\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=msid-semantic:WMS *\r\n", 0, 0},
    {"SDP-08 LS group", "a=group:BUNDLE 0 1\r\n", "a=group:BUNDLE 0 1\r\na=group:LS 0 1\r\n", 0, 0},
    {"SDP-07 mid without m-line", "BUNDLE 0 1", "BUNDLE 0 1 7", 0, 0},
    {"SDP-38 two msids", "a=mid:0\r\n", "a=mid:0\r\na=msid:- t\r\na=msid:a b\r\n", 0, 0},
    {"SDP-39 32 characters", "a=mid:0\r\n", "a=mid:a-very.long_mid!of32characters.x\r\n", -E2BIG,
     13},
    {"SDP-39 17 characters", "a=mid:0\r\n", "a=mid:seventeen-tokens!\r\n", 0, 0},
    {"UTF-8 session name", "s=-", "s=\xc3\xa9t\xc3\xa9", 0, 0},
    {"port range", "m=audio 9 ", "m=audio 9/2 ", 0, 0},
    {"trailing blank", "a=sendonly\r\n", "a=setup:active \r\n", 0, 0},
    {"name in capitals", "opus/48000/2", "OPUS/48000/2", 0, 0},
    {"RFC 8122 unknown hash beside", "a=setup:actpass",
     "a=fingerprint:sha3-256 AA\r\na=setup:active", 0, 0},
    {"fmtp of no format", "a=fmtp:97", "a=fmtp:98", 0, 0},
    {"fmtp of PT 300", "a=fmtp:97", "a=fmtp:300", 0, 0},
    {"rtcp-fb of nothing", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:", 0, 0},
    {"SDP-16 ext id 0", "extmap:4 ", "extmap:0 ", 0, 0},
    {"SDP-16 ext id 15", "extmap:4 ", "extmap:15 ", 0, 0},
    {"SDP-16 ext id 256", "extmap:4 ", "extmap:256 ", 0, 0},
    {"SDP-16 ext id to be chosen", "extmap:4 ", "extmap:4096 ", 0, 0},
    {"SDP-16 ext id huge", "extmap:4 ", "extmap:99999999999999999999 ", 0, 0},
    {"SDP-16 ext garbage", "extmap:4 ", "extmap:4x ", 0, 0},
    {"SDP-16 ext without uri", "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:4", 0,
     0},
    {"SIM-03 paused", "send q;h", "send ~q;h", 0, 0},
    {"SIM-03 alternatives", "send q;h", "send x,q;h", 0, 0},
    {"SIM-03 both directions", "send q;h", "recv z send q;h", 0, 0},
    {"SIM-02 rid without line", "send q;h", "send q;h;zz", 0, 0},
    {"SIM rid restrictions", "a=rid:q send", "a=rid:q send pt=96;max-width=1280", 0, 0},
    {"FID garbage", "a=ssrc:11 cname:x",
     "a=ssrc-group:FID 1\r\na=ssrc-group:FID x y\r\na=ssrc-group:", 0, 0},
    {"other media", "m=video 9 UDP/TLS/RTP/SAVPF 96 97", "m=text 9 RTP/AVP t140", 0, 0},
    {"data channel", "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
     "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", 0, 0}, /* DC-01 */
    {"legacy data channel", "m=video 9 UDP/TLS/RTP/SAVPF 96 97", "m=application 9 DTLS/SCTP 5000",
     0, 0}, /* DC-02 */
    /* refused: WHIP-05 */
    {"WHIP-05 no version", "v=0\r\n", "", -EBADMSG, 1},
    {"WHIP-05 version 1", "v=0", "v=1", -EBADMSG, 1},
    {"WHIP-05 text before", "v=0", "x\r\nv=0", -EBADMSG, 1},
    {"WHIP-05 garbage", "s=-", "garbage", -EBADMSG, 3},
    {"WHIP-05 no origin", "o=- 6748837078724460739 2 IN IP4 127.0.0.1\r\n", "", -EBADMSG, 5},
    {"WHIP-05 short origin", "o=- 6748837078724460739 2 IN IP4 127.0.0.1", "o=-", -EBADMSG, 2},
    {"line without type", "s=-", "=-", -EBADMSG, 3},
    {"line of one byte", "s=-", "s", -EBADMSG, 3},
    {"upper case type", "s=-", "S=-", -EBADMSG, 3},
    {"SDP-27 bare CR", "a=mid:0", "a=mid:0\ra=x", -EBADMSG, 13},
    {"SDP-27 escape", "a=mid:0", "a=mid:0\x1b", -EBADMSG, 13},
    {"SDP-27 negative port", "m=audio 9 ", "m=audio -9 ", -EBADMSG, 6},
    {"SDP-27 plus port", "m=audio 9 ", "m=audio +9 ", -EBADMSG, 6},
    {"SDP-27 port 65536", "m=audio 9 ", "m=audio 65536 ", -EBADMSG, 6},
    {"SDP-27 port overlong", "m=audio 9 ", "m=audio 18446744073709551625 ", -EBADMSG, 6},
    {"SDP-27 port hex", "m=audio 9 ", "m=audio 0x9 ", -EBADMSG, 6},
    {"SDP-27 UTF-8 mid", "a=mid:0", "a=mid:\xc3\xa9", -EBADMSG, 13},
    {"SDP-27 UTF-8 fmtp", "minptime=10", "minptime=\xc3\xa9", -EBADMSG, 18},
    {"m-line cut", "m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "m=audio 9 UDP/TLS/RTP/SAVPF", -EBADMSG, 6},
    {"m-line without proto", "m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "m=audio 9", -EBADMSG, 6},
    {"m-line empty", "m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "m=", -EBADMSG, 6},
    {"payload type 128", "SAVPF 111 0", "SAVPF 111 128", -EBADMSG, 6},
    {"payload type text", "SAVPF 111 0", "SAVPF 111 x", -EBADMSG, 6},
    {"SDP-21 ufrag of 3", "ufrag:NZ1N", "ufrag:NZ1", -EBADMSG, 9},
    {"SDP-21 ufrag character", "ufrag:NZ1N", "ufrag:NZ1:", -EBADMSG, 9},
    {"SDP-21 pwd of 21", "/v5MJK+UBIxgXMCz738Qi5Ll", "/v5MJK+UBIxgXMCz738Qi", -EBADMSG, 10},
    {"SDP-21 pwd character", "/v5MJK+UBIxgXMCz738Qi5Ll", "/v5MJK+UBIxgXMCz738Qi5L ;", -EBADMSG, 10},
    {"fingerprint short", ":A6:8E\r\n", ":A6\r\n", -EBADMSG, 11},
    {"fingerprint letters", ":A6:8E\r\n", ":A6:XX\r\n", -EBADMSG, 11},
    {"setup unknown", "setup:actpass", "setup:both", -EBADMSG, 12},
    {"mid empty", "a=mid:0", "a=mid:", -EBADMSG, 13},
    {"mid twice", "a=mid:0", "a=mid:0\r\na=mid:5", -EBADMSG, 14},
    {"mid of another section", "a=mid:1", "a=mid:0", -EBADMSG, 22},
    {"rtpmap without clock", "VP8/90000", "VP8", -EBADMSG, 28},
    {"rtpmap clock text", "VP8/90000", "VP8/9000x", -EBADMSG, 28},
    {"rtpmap clock overlong", "VP8/90000", "VP8/4294967296", -EBADMSG, 28},
    {"rtpmap no name", "VP8/90000", "/90000", -EBADMSG, 28},
    {"rtpmap channels", "opus/48000/2", "opus/48000/", -EBADMSG, 17},
    {"ssrc text", "a=ssrc:11 ", "a=ssrc:1x ", -EBADMSG, 19},
    {"ssrc overlong", "a=ssrc:11 ", "a=ssrc:4294967296 ", -EBADMSG, 19},
    {"SDP-40 simulcast twice", "send q;h", "send q\r\na=simulcast:send h", -EBADMSG, 26},
    {"SDP-40 simulcast empty", "simulcast:send q;h", "simulcast:", -EBADMSG, 0},
    {"SDP-40 simulcast send nothing", "send q;h", "send", -EBADMSG, 0},
    {"SDP-40 simulcast hole", "send q;h", "send q;;h", -EBADMSG, 0},
    {"SDP-40 simulcast word", "send q;h", "both q;h", -EBADMSG, 0},
    {"draft 03", "send q;h", " send rid=q;h paused=h", 0, 0},
    {"draft 03, payload types", "send q;h", " recv pt=96 send pt=96", 0, 0},
    {"draft 03, paused alone", "send q;h", " paused=h", -EBADMSG, 0},
    {"blank behind the colon", "a=mid:0", "a=mid: 0", 0, 0},
    {"libwebrtc's ice-chars", "ufrag:NZ1N", "ufrag:-_=#", 0, 0},
    {"channels 0", "opus/48000/2", "opus/48000/0", -EBADMSG, 17},
    {"SIM-10 rid character", "a=rid:q send", "a=rid:q. send", -EBADMSG, 23},
    {"SIM-10 rid empty", "a=rid:q send", "a=rid: send", -EBADMSG, 23},
    {"SIM-10 rid direction", "a=rid:q send", "a=rid:q sendonly", -EBADMSG, 23},
    {"SIM-10 rid twice", "a=rid:h send", "a=rid:q send", -EBADMSG, 24},
};

Test(sdp, takes_and_refuses_as_the_table_says)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = check_edit(base, rows[i].find, rows[i].replace, false);
        struct sdp *s = NULL;
        int line = -1;
        int err = read_exact(text, strlen(text), &s, &line);
        cr_expect_eq(err, rows[i].err, "%s: %d on line %d", rows[i].id, err, line);
        cr_expect(rows[i].line == 0 || line == rows[i].line, "%s: line %d", rows[i].id, line);
        cr_expect(err ? !s && line >= 1 : s != NULL, "%s", rows[i].id);
        sdp_free(s);
        free(text);
    }
}

Test(sdp, refuses_a_body_that_is_no_text)
{
    static const struct {
        const char *text;
        size_t len;
    } bodies[] = {
#define BODY(s) {s, sizeof(s) - 1}
        BODY(""),           BODY("\0"), BODY("v=0\0o="), BODY("\r\n"),      BODY("v=0\r\n"),
        BODY("\xff\xfe\n"), BODY("v"),  BODY("v="),      BODY("m=a 0 b c"),
#undef BODY
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct sdp *s = NULL;
        int line = 0;
        cr_expect_eq(read_exact(bodies[i].text, bodies[i].len, &s, &line), -EBADMSG, "%zu", i);
        cr_expect(line >= 1);
        sdp_free(s);
    }
    static const char empty[] = "v=0\no=- 1 1 IN IP4 0.0.0.0\n"; /* WHIP-05: no m-line */
    struct sdp *s = NULL;
    int line = 0;
    cr_expect_eq(read_exact(empty, strlen(empty), &s, &line), -ENODATA);
}

Test(sdp, survives_every_truncation_and_every_inverted_byte)
{
    char copy[sizeof(base)];
    size_t len = strlen(base);
    for (size_t i = 0; i < len; i++) {
        struct sdp *s = NULL;
        int line = 0;
        int err = read_exact(base, i, &s, &line);
        cr_expect(err == 0 || err == -EBADMSG || err == -ENODATA, "cut at %zu: %d", i, err);
        sdp_free(s);
        s = NULL;
        memcpy(copy, base, len);
        copy[i] = (char)~copy[i];
        err = read_exact(copy, len, &s, &line);
        cr_expect(err == 0 || err == -EBADMSG, "inverted at %zu: %d", i, err);
        sdp_free(s);
    }
}

static const char head[] = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

/* head, then n times line; %d is replaced by the number. */
static char *repeat(const char *before, const char *line, int n)
{
    size_t cap = strlen(before) + (strlen(line) + 16) * (size_t)n + 1;
    char *text = malloc(cap);
    size_t at = (size_t)snprintf(text, cap, "%s", before);
    const char *mark = strstr(line, "%d");
    for (int i = 0; i < n; i++) {
        if (mark) {
            at += (size_t)snprintf(text + at, cap - at, "%.*s%d%s", (int)(mark - line), line, i,
                                   mark + 2);
        } else {
            at += (size_t)snprintf(text + at, cap - at, "%s", line);
        }
    }
    return text;
}

/* SDP-26, architecture §9 */
Test(sdp, keeps_its_limits)
{
    char section[sizeof(head) + 64];
    snprintf(section, sizeof(section), "%sm=video 9 RTP/SAVPF 96\r\n", head);
    const struct {
        const char *before, *line;
        int n, err;
    } limits[] = {
        {head, "m=audio 9 RTP/SAVPF 0\r\n", SDP_MEDIA_MAX, 0},
        {head, "m=audio 9 RTP/SAVPF 0\r\n", SDP_MEDIA_MAX + 1, -E2BIG},
        {section, "a=x\r\n", SDP_ATTRS_MAX, 0},
        {section, "a=x\r\n", SDP_ATTRS_MAX + 1, -E2BIG},
        {section, "a=candidate:1\r\n", SDP_CANDIDATES_MAX, 0},
        {section, "a=candidate:1\r\n", SDP_CANDIDATES_MAX + 1, -E2BIG},
        {section, "a=ssrc:%d x\r\n", SDP_SSRC_LINES_MAX, 0},
        {section, "a=ssrc:%d x\r\n", SDP_SSRC_LINES_MAX + 1, -E2BIG},
        {section, "a=rid:%d send\r\n", SDP_RIDS_MAX, 0},
        {section, "a=rid:%d send\r\n", SDP_RIDS_MAX + 1, -E2BIG},
        {section, "a=ssrc-group:FID %d 9\r\n", 300, 0},
        {section, "a=x\r\n", 40000, -E2BIG},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        char *text = repeat(limits[i].before, limits[i].line, limits[i].n);
        struct sdp *s = NULL;
        int line = 0;
        cr_expect_eq(read_exact(text, strlen(text), &s, &line), limits[i].err, "row %zu", i);
        sdp_free(s);
        free(text);
    }
    for (int n = SDP_LINE_MAX - 2; n <= SDP_LINE_MAX - 1; n++) { /* line of 8192 and of 8193 */
        char *text = malloc(SDP_LINE_MAX + sizeof(section) + 8);
        int at = sprintf(text, "%si=%0*d\r\n", section, n, 0);
        struct sdp *s = NULL;
        int line = 0;
        cr_expect_eq(read_exact(text, (size_t)at, &s, &line), n + 2 > SDP_LINE_MAX ? -E2BIG : 0);
        sdp_free(s);
        free(text);
    }
    char *many = repeat("m=video 9 RTP/SAVPF", " %d", SDP_FORMATS_MAX + 1);
    char *text = check_edit(section, "m=video 9 RTP/SAVPF 96", many, false);
    struct sdp *s = NULL;
    int line = 0;
    cr_expect_eq(read_exact(text, strlen(text), &s, &line), -E2BIG, "129 payload types");
    free(many);
    free(text);
}

/* 128 KiB of whatever costs most must not hold up the thread that serves everyone. */
Test(sdp, reads_the_largest_body_in_linear_time)
{
    static const char *const lines[] = {
        "a=ssrc-group:FID %d 9\r\n",
        "a=rtcp-fb:%d nack\r\n",
        "a=group:BUNDLE %d\r\n",
        "a=extmap:%d u\r\n",
        "a=x\r\n",
        "a=fmtp:%d apt=5;apt=6\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char *section = repeat("m=video 9 RTP/SAVPF 96\r\n", lines[i], 128);
        size_t cap = SDP_BYTES_MAX + 1;
        char *text = malloc(cap);
        size_t n = (size_t)snprintf(text, cap, "%s", head);
        for (int k = 0; k < SDP_MEDIA_MAX && n + strlen(section) < cap; k++) {
            n += (size_t)snprintf(text + n, cap - n, "%s", section);
        }
        struct timespec t0, t1;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t0);
        struct sdp *s = NULL;
        int line = 0;
        int err = sdp_read(text, n, &s, &line);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t1);
        double ms = (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6;
        cr_expect_eq(err, 0, "row %zu: %d on line %d", i, err, line);
        cr_expect_lt(ms, 50, "row %zu: %f ms", i, ms); /* 5 unsanitized */
        sdp_free(s);
        free(text);
        free(section);
    }
}

static void read_one(const char *name, const char *text, size_t len)
{
    struct sdp *s = NULL;
    int line = 0;
    cr_expect_eq(read_exact(text, len, &s, &line), 0, "%s: line %d", name, line);
    if (s) {
        int n_sections = 0;
        for (const char *p = strstr(text, "\nm="); p; p = strstr(p + 1, "\nm=")) {
            n_sections++;
        }
        cr_expect_eq((int)s->n_media, n_sections, "%s", name);
    }
    sdp_free(s);
}

Test(sdp, reads_the_offers_of_real_clients)
{
    cr_assert_eq(fixture_each("sdp", ".sdp", read_one), 73);
}

Test(sdp, writer_is_bounded_and_remembers_its_failure)
{
    struct sdp_write w = {0};
    for (int i = 0; i < 1000; i++) {
        sdp_write_fmt(&w, "%0100d", i);
    }
    cr_assert_eq(w.len, 100000);
    char *text = sdp_write_take(&w);
    cr_assert_not_null(text);
    cr_assert_eq(strlen(text), 100000);
    free(text);
    for (int i = 0; i < 3000; i++) {
        sdp_write_fmt(&w, "%0100d", i);
    }
    cr_assert(w.failed);
    cr_assert_null(sdp_write_take(&w));
    cr_assert_eq(w.len, 0);
}

Test(sdp, integer_parser_is_exact)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t value;
        size_t used;
    } numbers[] = {
        {"0", 0, true, 0, 1},
        {"1", 0, false, 0, 0},
        {"007x", 9, true, 7, 3},
        {"10", 9, false, 0, 0},
        {"", 9, false, 0, 0},
        {"-1", 9, false, 0, 0},
        {" 1", 9, false, 0, 0},
        {"4294967295", UINT32_MAX, true, UINT32_MAX, 10},
        {"4294967296", UINT32_MAX, false, 0, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX, 20},
        {"18446744073709551616", UINT64_MAX, false, 0, 0},
        {"99999999999999999999999999", UINT64_MAX, false, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        const char *at = numbers[i].text;
        uint64_t v = 0;
        cr_expect_eq(sdp_uint(&at, numbers[i].max, &v), numbers[i].ok, "row %zu", i);
        cr_expect_eq((size_t)(at - numbers[i].text), numbers[i].used, "row %zu", i);
        cr_expect_eq(v, numbers[i].value, "row %zu", i);
    }
}
