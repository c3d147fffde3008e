/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/data/capture_h26x.h"

struct step {
    const char *what;
    const char *bytes;
    size_t len;
    uint16_t seq16;
    uint32_t ts;
    bool marker;
    int rc;
    const char *text; /* desc_text, when rc is 0 */
};
#define B(s) s, sizeof(s) - 1

static void walk(enum codec_id id, const struct step *steps, size_t n)
{
    struct describe d;
    cr_assert_eq(describe_init(&d, id), 0);
    for (size_t i = 0; i < n; i++) {
        const struct step *s = &steps[i];
        struct cap_pkt p = {.seq16 = s->seq16,
                            .ts = s->ts,
                            .marker = s->marker,
                            .payload = s->bytes,
                            .len = (uint16_t)s->len};
        struct pkt_desc desc;
        cr_expect_eq(describe_pkt(id, &d, &p, &desc), s->rc, "%s", s->what);
        if (s->rc == 0) {
            cr_expect_str_eq(desc_text(&d, &desc), s->text, "%s: %s", s->what,
                             desc_text(&d, &desc));
        }
    }
    describe_fini(&d);
}

#define KEY   "K---- 0.0 dt=1 sw=0 tsw=0"
#define FIRST "KE(-- 0.0 dt=1 sw=1 tsw=1"

Test(codec_h265, finds_the_place_to_start)
{
    static const struct step steps[] = {
        {"delta frame", B("\x02\x01\xd0"), 1, 10, true, 0, "--()- 0.0 dt=1 sw=0 tsw=0"},
        {"VPS alone", B("\x40\x01\x0c"), 2, 20, false, 0, FIRST},
        {"SPS alone, unreadable", B("\x42\x01\x01"), 3, 20, false, 0, KEY},
        {"PPS alone", B("\x44\x01\xc1"), 4, 20, false, 0, KEY},
        {"IDR slice, FU start", B("\x62\x01\x93\x80"), 5, 20, false, 0, KEY},
        {"IDR slice, FU end", B("\x62\x01\x53\x80"), 6, 20, true, 0, "K--)- 0.0 dt=1 sw=0 tsw=0"},
        {"CRA without parameter sets", B("\x2a\x01\x80"), 7, 30, false, 0, FIRST},
        {"its second slice segment", B("\x2a\x01\x00"), 8, 30, true, 0,
         "K--)- 0.0 dt=1 sw=0 tsw=0"},
        {"IDR, FU start", B("\x62\x01\x93\x80"), 9, 40, true, 0, "KE()- 0.0 dt=1 sw=1 tsw=1"},
        {"IDR, FU middle: its start was lost", B("\x62\x01\x13\x80"), 11, 50, true, 0,
         "K-()- 0.0 dt=1 sw=0 tsw=0"},
        {"AP of VPS, SPS", B("\x60\x01\x00\x03\x40\x01\x0c\x00\x03\x42\x01\x01"), 12, 60, false, 0,
         FIRST},
        {"AP of SPS and another slice", B("\x60\x01\x00\x03\x42\x01\x01\x00\x03\x02\x01\xd0"), 13,
         70, true, 0, "--()- 0.0 dt=1 sw=0 tsw=0"},
        {"PPS alone opens nothing", B("\x44\x01\xc1"), 14, 80, false, 0,
         "--(-- 0.0 dt=1 sw=0 tsw=0"},
        {"TRAIL_N of the only layer", B("\x00\x01\xd0"), 15, 90, true, 0,
         "--()D 0.0 dt=1 sw=0 tsw=0"},
        {"TSA_N of layer 2 opens it and all above", B("\x04\x03\xd0"), 16, 100, true, 0,
         "--()D 0.2 dt=1 sw=1 tsw=1"},
        {"TSA_R of layer 1", B("\x06\x02\xd0"), 17, 110, true, 0, "--()- 0.1 dt=3 sw=3 tsw=3"},
        {"STSA_R of layer 1 opens it only", B("\x0a\x02\xd0"), 18, 120, true, 0,
         "--()- 0.1 dt=3 sw=2 tsw=2"},
        {"TRAIL_N of a lower layer may be needed above", B("\x00\x02\xd0"), 19, 130, true, 0,
         "--()- 0.1 dt=3 sw=0 tsw=0"},
        {"temporal id 0 is forbidden", B("\x02\x00\xd0"), 20, 140, false, -EBADMSG, NULL},
        {"only a header", B("\x02\x01"), 20, 140, false, -EBADMSG, NULL},
        {"FU without payload", B("\x62\x01\x93"), 20, 140, false, -EBADMSG, NULL},
        {"AP that runs over", B("\x60\x01\x00\x04\x40\x01\x0c"), 20, 140, false, -EBADMSG, NULL},
        {"AP with a unit of one byte", B("\x60\x01\x00\x01\x40"), 20, 140, false, -EBADMSG, NULL},
        {"AP with half a size", B("\x60\x01\x00"), 20, 140, false, -EBADMSG, NULL},
        {"unknown packet type", B("\x66\x01\x00"), 20, 140, false, -EBADMSG, NULL},
    };
    walk(CODEC_H265, steps, ARRAY_LEN(steps));
}

Test(codec_h265, describes_real_senders)
{
    static const char *const ffmpeg_h265[] = {
        "KE(-- 0.0 dt=1 sw=1 tsw=1 320x180", "K---- 0.0 dt=1 sw=0 tsw=0",
        "K---- 0.0 dt=1 sw=0 tsw=0",         "K---- 0.0 dt=1 sw=0 tsw=0",
        "K---- 0.0 dt=1 sw=0 tsw=0",         "K---- 0.0 dt=1 sw=0 tsw=0",
        "K---- 0.0 dt=1 sw=0 tsw=0",         "K---- 0.0 dt=1 sw=0 tsw=0",
        "K--)- 0.0 dt=1 sw=0 tsw=0",         "--()- 0.0 dt=1 sw=0 tsw=0",
        "--()- 0.0 dt=1 sw=0 tsw=0",         "KE(-- 0.0 dt=1 sw=1 tsw=1 320x180",
    };
    static_assert(ARRAY_LEN(ffmpeg_h265) == ARRAY_LEN(cap_ffmpeg_h265), "a line a packet");
    static const char *const gst_h265[] = {
        "KE(-- 0.0 dt=1 sw=1 tsw=1",         "K---- 0.0 dt=1 sw=0 tsw=0 320x180",
        "K---- 0.0 dt=1 sw=0 tsw=0",         "K---- 0.0 dt=1 sw=0 tsw=0",
        "K---- 0.0 dt=1 sw=0 tsw=0",         "K---- 0.0 dt=1 sw=0 tsw=0",
        "K---- 0.0 dt=1 sw=0 tsw=0",         "K---- 0.0 dt=1 sw=0 tsw=0",
        "K---- 0.0 dt=1 sw=0 tsw=0",         "K---- 0.0 dt=1 sw=0 tsw=0",
        "K---- 0.0 dt=1 sw=0 tsw=0 320x180", "K---- 0.0 dt=1 sw=0 tsw=0",
    };
    static_assert(ARRAY_LEN(gst_h265) == ARRAY_LEN(cap_gst_h265), "a line a packet");
    check_capture(CODEC_H265, cap_ffmpeg_h265, ARRAY_LEN(cap_ffmpeg_h265), ffmpeg_h265);
    check_capture(CODEC_H265, cap_gst_h265, ARRAY_LEN(cap_gst_h265), gst_h265);
}

Test(codec_h265, never_reads_past_a_cut_packet)
{
    check_truncated(CODEC_H265, cap_ffmpeg_h265, ARRAY_LEN(cap_ffmpeg_h265));
    check_truncated(CODEC_H265, cap_gst_h265, ARRAY_LEN(cap_gst_h265));
}
