/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/quirks.h"

#include <criterion/criterion.h>
#include <string.h>

#define OFFER(o, s) "v=0\r\no=" o " 1 2 IN IP4 127.0.0.1\r\ns=" s "\r\nt=0 0\r\n"
#define PLAIN       OFFER("-", "-")

#define OBS(v) "Mozilla/5.0 (OBS-Studio/" v "; Linux x86_64; en-US)"
#define SAFARI(v)                                                                                  \
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "    \
    "Version/" v " Safari/605.1.15"
#define CHROME                                                                                     \
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 "     \
    "Safari/537.36"
#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"

Test(quirks, tells_clients_and_their_faults)
{
    static const struct {
        const char *agent, *offer;
        enum api_role role;
        const char *client, *names;
        unsigned bits;
    } cases[] = {
        {OBS("32.2.2"), OFFER("rtc", "-"), API_PUBLISH, "obs/32.2", "obs-no-pli", QUIRK_NO_PLI},
        {OBS("32.2.2+ds-1+b2"), PLAIN, API_PUBLISH, "obs/32.2", "obs-no-pli", QUIRK_NO_PLI},
        {OBS("30.1.2"), PLAIN, API_PUBLISH, "obs/30.1", "obs-no-pli,obs-corrupt-resends",
         QUIRK_NO_PLI | QUIRK_NO_NACK},
        {OBS("30.2.0"), PLAIN, API_PUBLISH, "obs/30.2", "obs-no-pli", QUIRK_NO_PLI},
        {OBS("32.2.2"), PLAIN, API_PLAY, "obs/32.2", "", 0},
        {OBS("nightly"), PLAIN, API_PUBLISH, "obs", "obs-no-pli", QUIRK_NO_PLI},
        {"Lavf/63.1.102", OFFER("FFmpeg", "FFmpegPublishSession"), API_PUBLISH, "ffmpeg/63.1",
         "ffmpeg-no-pli", QUIRK_NO_PLI},
        {NULL, OFFER("FFmpeg", "FFmpegPublishSession"), API_PUBLISH, "ffmpeg", "ffmpeg-no-pli",
         QUIRK_NO_PLI},
        {NULL, "v=0\no=- 1 2 IN IP4 0.0.0.0\ns=FFmpegPublishSession\n", API_PUBLISH, "ffmpeg",
         "ffmpeg-no-pli", QUIRK_NO_PLI},
        {"Go-http-client/1.1", PLAIN, API_PUBLISH, "go", "pion-own-codec", QUIRK_OWN_CODEC},
        {NULL, "v=0\r\no=- 7769714896120964051 1795291618 IN IP4 0.0.0.0\r\ns=-\r\n", API_PUBLISH,
         "pion", "pion-own-codec", QUIRK_OWN_CODEC},
        {NULL, "v=0\r\no=- 3972380405 3972380405 IN IP4 0.0.0.0\r\ns=-\r\n", API_PUBLISH, "", "",
         0},
        {NULL, "v=0\r\no=- 5 179529161 IN IP4 0.0.0.0\r\ns=-\r\n", API_PUBLISH, "", "", 0},
        {NULL, OFFER("rtc", "-"), API_PUBLISH, "libdatachannel", "", 0},
        {NULL, OFFER("rtcx", "-"), API_PUBLISH, "", "", 0},
        {SAFARI("18.4"), PLAIN, API_PUBLISH, "safari/18.4", "safari-vp9-svc", QUIRK_NO_VP9},
        {SAFARI("18.5"), PLAIN, API_PUBLISH, "safari/18.5", "", 0},
        {SAFARI("18.4"), PLAIN, API_PLAY, "safari/18.4", "", 0},
        {CHROME, PLAIN, API_PUBLISH, "chrome/156.0", "", 0},
        {CHROME " Edg/140.0.1", PLAIN, API_PLAY, "edge/140.0", "", 0},
        {FIREFOX, PLAIN, API_PLAY, "firefox/153.0", "firefox-av1-layers", QUIRK_ONE_SPATIAL},
        {FIREFOX, PLAIN, API_PUBLISH, "firefox/153.0", "", 0},
        {"OBS-Studio/99999999999999999999.999999999999", PLAIN, API_PUBLISH, "obs/9999.999",
         "obs-no-pli", QUIRK_NO_PLI},
        {NULL, "", API_PUBLISH, "", "", 0},
        {"", "o=", API_PLAY, "", "", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct quirks q;
        quirks_find(cases[i].agent, cases[i].offer, strlen(cases[i].offer), cases[i].role, &q);
        cr_expect_str_eq(q.client, cases[i].client, "row %zu", i);
        cr_expect_str_eq(q.names, cases[i].names, "row %zu", i);
        cr_expect_eq(q.bits, cases[i].bits, "row %zu: %x", i, q.bits);
    }
}

Test(quirks, reads_no_further_than_the_offer)
{
    static const char offer[] = OFFER("FFmpeg", "FFmpegPublishSession");
    for (size_t n = 0; n < sizeof(offer); n++) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, offer, n);
        struct quirks q;
        quirks_find(NULL, copy, n, API_PUBLISH, &q);
        free(copy);
    }
}

Test(quirks, every_row_says_what_and_whence)
{
    size_t n, names = 0;
    const struct quirk_row *rows = quirks_rows(&n);
    for (size_t i = 0; i < n; i++) {
        names += strlen(rows[i].name) + 1;
        cr_expect(rows[i].agent || rows[i].origin);
        cr_expect(rows[i].bits && rows[i].roles);
        cr_expect(strlen(rows[i].what) > 10 && strlen(rows[i].source) > 10);
        for (size_t k = 0; k < i; k++) {
            cr_expect_str_neq(rows[i].name, rows[k].name);
        }
    }
    cr_expect(names < QUIRKS_NAMES_MAX, "all names fit into a log line");
}
