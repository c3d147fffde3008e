/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/codec_capture.h"

static const char *const captures[] = {"h264-ffmpeg", "h264-ffmpeg-b", "h264-gstreamer",
                                       "h264-chromium"};

#define KEY   "K---- 0.0 dt=1 sw=0 tsw=0"
#define ENTRY "KE--- 0.0 dt=1 sw=1 tsw=1"
#define FIRST "KE(-- 0.0 dt=1 sw=1 tsw=1"

Test(codec_h264, finds_the_place_to_start)
{
    static const struct codec_step steps[] = {
        {"delta frame, single NAL unit", B("\x41\x9a"), 1, 10, true, 0,
         "--()- 0.0 dt=1 sw=0 tsw=0"},
        {"IDR without parameter sets: its start", B("\x65\x88"), 2, 20, false, 0, FIRST},
        {"its second slice", B("\x65\x48"), 3, 20, true, 0, "K--)- 0.0 dt=1 sw=0 tsw=0"},
        {"access unit delimiter", B("\x09\x10"), 4, 30, false, 0, "--(-- 0.0 dt=1 sw=0 tsw=0"},
        {"SPS alone, unreadable", B("\x67\x42"), 5, 30, false, 0, ENTRY},
        {"PPS alone", B("\x68\xce"), 6, 30, false, 0, KEY},
        {"IDR after SPS, FU-A start", B("\x7c\x85\x88"), 7, 30, false, 0, KEY},
        {"IDR, FU-A end", B("\x7c\x45\x12"), 8, 30, true, 0, "K--)- 0.0 dt=1 sw=0 tsw=0"},
        {"IDR, FU-A start", B("\x7c\x85\x88"), 9, 40, false, 0, FIRST},
        {"IDR, FU-A middle first: a packet was lost", B("\x7c\x05\x88"), 11, 50, false, 0,
         "K-(-- 0.0 dt=1 sw=0 tsw=0"},
        {"then its start, late", B("\x7c\x85\x88"), 10, 50, false, 0, ENTRY},
        {"STAP-A of SPS, PPS, IDR", B("\x78\x00\x02\x67\x42\x00\x02\x68\xce\x00\x02\x65\x88"), 12,
         60, false, 0, FIRST},
        {"STAP-A of an IDR slice only", B("\x78\x00\x02\x65\x88"), 13, 70, false, 0, FIRST},
        {"STAP-A of SPS and another slice: nowhere to start",
         B("\x78\x00\x02\x67\x42\x00\x02\x61\x88"), 14, 80, false, 0, "--(-- 0.0 dt=1 sw=0 tsw=0"},
        {"non-reference slice", B("\x01\x9a"), 15, 90, false, 0, "--(-D 0.0 dt=1 sw=0 tsw=0"},
        {"late packet of an earlier key frame", B("\x7c\x05\x88"), 13, 70, false, 0, KEY},
        {"late packet of an earlier delta frame", B("\x41\x9a"), 14, 80, false, 0,
         "----- 0.0 dt=1 sw=0 tsw=0"},
        {"end of sequence is one byte", B("\x0a"), 16, 90, true, 0, "---)- 0.0 dt=1 sw=0 tsw=0"},
        {"NAL type 0", B("\x00\x01"), 17, 100, false, -EBADMSG, NULL},
        {"MTAP", B("\x1a\x01"), 17, 100, false, -EBADMSG, NULL},
        {"FU-A without payload", B("\x7c\x85"), 17, 100, false, -EBADMSG, NULL},
        {"empty STAP-A", B("\x78"), 17, 100, false, -EBADMSG, NULL},
        {"STAP-A with a unit of no bytes", B("\x78\x00\x00\x00"), 17, 100, false, -EBADMSG, NULL},
        {"STAP-A that runs over", B("\x78\x00\x03\x67\x42"), 17, 100, false, -EBADMSG, NULL},
        {"STAP-A with half a size", B("\x78\x00\x01\x67\x00"), 17, 100, false, -EBADMSG, NULL},
        {"stream restarted far behind", B("\x41\x9a"), 30000, 5, false, 0,
         "--(-- 0.0 dt=1 sw=0 tsw=0"},
    };
    check_steps(CODEC_H264, steps, ARRAY_LEN(steps));
}

Test(codec_h264, describes_real_senders)
{
    check_captures(CODEC_H264, captures, ARRAY_LEN(captures), capture_describe);
}

/* The order in which pictures are shown, in the order in which they are sent. */
Test(codec_h264, counts_pictures_sent_behind_their_time)
{
    static const struct {
        const char *what;
        uint32_t shown[10];
        unsigned backward;
    } rows[] = {
        {"as they come", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0},
        {"one B frame between two", {1, 3, 2, 5, 4, 7, 6, 9, 8, 11}, 4},
        {"two, one of them a reference", {1, 4, 3, 2, 7, 6, 5, 10, 9, 8}, 6},
        {"a new timeline", {100, 101, 102, 1, 2, 3, 4, 5, 6, 7}, 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct describe d;
        cr_assert_eq(describe_init(&d, CODEC_H264), 0);
        for (unsigned k = 0; k < ARRAY_LEN(rows[i].shown); k++) {
            struct pkt_desc desc;
            struct describe_in in = {.payload = (const uint8_t *)"\x41\x9a\x02",
                                     .len = 3,
                                     .ts = UINT32_MAX - 9000 + rows[i].shown[k] * 3000,
                                     .seq16 = (uint16_t)(65530 + k),
                                     .marker = true};
            cr_assert_eq(codec_describe(CODEC_H264, &d, &in, &desc), 0);
        }
        cr_expect_eq(d.backward, rows[i].backward, "%s: %u", rows[i].what, d.backward);
        describe_fini(&d);
    }
}

Test(codec_h264, never_reads_past_a_cut_packet)
{
    check_captures(CODEC_H264, captures, ARRAY_LEN(captures), capture_truncate);
}

Test(codec_h264, reads_the_size_from_sps)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
        uint16_t width;
        uint16_t height;
    } rows[] = {
        /* FFmpeg 5.1.9, libx264, testsrc of the named size and pixel format. */
        {"1920x1080, cropped",
         B("\x67\x42\xc0\x28\xda\x01\xe0\x08\x9f\x97\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x00"
           "\xa0\xf1\x83\x2a"),
         1920, 1080},
        {"odd crop 854x480",
         B("\x67\x42\xc0\x16\xda\x03\x60\xf7\x9b\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\x28"
           "\x3c\x58\xba\x80"),
         854, 480},
        {"4:2:2, 322x182",
         B("\x67\x7a\x00\x0b\xbc\xb4\x0a\x8c\xf1\x11\x78\x08\x80\x00\x00\x03\x00\x80\x00\x00\x05"
           "\x07\x8a\x15\x50"),
         322, 182},
        {"4:4:4, 321x181",
         B("\x67\xf4\x00\x0b\x91\x96\x81\x51\x9e\x10\x8c\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03"
           "\x00\x28\x3c\x50\xaa\x80"),
         321, 181},
        {"interlaced 720x576",
         B("\x67\x4d\x40\x16\xf4\x05\xa1\x26\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\x28\x7c"
           "\x50\xaa\x80"),
         720, 576},
        {"interlaced 1920x1080",
         B("\x67\x4d\x40\x28\xf4\x03\xc0\x22\x7e\xf0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x0a"
           "\x1f\x16\x2e\xa0"),
         1920, 1080},
        {"grey, 318x178",
         B("\x67\x64\x00\x0b\xf2\xd0\x28\x33\xdc\x7e\x02\xd9\x00\x00\x03\x00\x01\x00\x00\x03\x00"
           "\x0a\x0f\x14\x2a\xa0"),
         318, 178},
        {"scaling lists 640x360",
         B("\x67\x64\x00\x16\xac\xb4\x05\x01\x7f\xcb\x80\x88\x00\x00\x03\x00\x08\x00\x00\x03\x00"
           "\x50\x78\xb1\x75"),
         640, 360},
        {"baseline 160x120",
         B("\x67\x42\xc0\x0a\xda\x0a\x11\xf9\x70\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x0a\x0f"
           "\x12\x26\xa0"),
         160, 120},
        {"9 x 16 phone 1080x1920",
         B("\x67\x42\xc0\x28\xda\x01\x10\x0f\x1e\x5f\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x00"
           "\xa0\xf1\x83\x2a"),
         1080, 1920},
        {"an SPS of ones is one macroblock", B("\x67\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
         16, 16},
        {"an SPS of zeros", B("\x67\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_size(CODEC_H264, rows[i].bytes, rows[i].len, rows[i].width, rows[i].height,
                   rows[i].what);
    }
}

/* A 352x288 SPS with every optional part: scaling lists of both sizes, picture order count type 1.
 */
Test(codec_h264, reads_the_size_behind_scaling_lists)
{
    for (unsigned chroma = 1; chroma <= 3; chroma += 2) {
        struct bit_out w = {0};
        put_bits(&w, 0x67640028, 32);
        put_ue(&w, 0);
        put_ue(&w, chroma);
        if (chroma == 3) {
            put_bits(&w, 0, 1);
        }
        put_ue(&w, 0);
        put_ue(&w, 0);
        put_bits(&w, 0, 1);
        put_bits(&w, 1, 1);
        for (unsigned i = 0; i < (chroma == 3 ? 12 : 8); i++) {
            put_bits(&w, i == 0 || i == 1 || i == 7, 1);
            if (i == 0) {
                put_ue(&w, 16); /* -8: the next value is 0, which ends the list */
            } else if (i == 1) {
                put_ue(&w, 3); /* 2 */
                put_ue(&w, 4); /* -2 */
                put_ue(&w, 16);
            } else if (i == 7) {
                for (unsigned j = 0; j < 64; j++) {
                    put_ue(&w, j % 2 ? 2 : 1);
                }
            }
        }
        put_ue(&w, 0);
        put_ue(&w, 1);
        put_bits(&w, 1, 1);
        put_ue(&w, 3);
        put_ue(&w, 3);
        put_ue(&w, 2);
        put_ue(&w, 5);
        put_ue(&w, 5);
        put_ue(&w, 4);
        put_bits(&w, 0, 1);
        put_ue(&w, 21);
        put_ue(&w, 17);
        put_bits(&w, 0xd, 4); /* frames only, direct 8x8, no cropping, stop bit */
        check_size(CODEC_H264, w.bytes, (w.bits + 7) / 8, 352, 288,
                   chroma == 3 ? "4:4:4" : "4:2:0");
    }
}

Test(codec_h264, tells_profiles_apart)
{
    static const struct {
        const char *fmtp;
        int profile;
    } rows[] = {
        {"", H264_BASELINE},
        {"packetization-mode=1", H264_BASELINE},
        {"profile-level-id=42e01f", H264_CONSTRAINED_BASELINE},
        {"profile-level-id=42c01e;packetization-mode=1", H264_CONSTRAINED_BASELINE},
        {"packetization-mode=1; profile-level-id=42001f", H264_BASELINE},
        {"packetization-mode=1;profile-level-id=42801f", H264_BASELINE},
        {"Profile-Level-Id=4D001F", H264_MAIN},
        {"profile-level-id=4d401f", H264_MAIN},
        {"profile-level-id=4d801f", H264_CONSTRAINED_BASELINE},
        {"profile-level-id=58e01f", H264_CONSTRAINED_BASELINE},
        {"profile-level-id=58801f", H264_BASELINE},
        {"profile-level-id=58001f", H264_OTHER},
        {"profile-level-id=640c1f", H264_CONSTRAINED_HIGH},
        {"profile-level-id=64001f", H264_HIGH},
        {"profile-level-id=640032 ;x=y", H264_HIGH},
        {"profile-level-id=f4001f", H264_OTHER},
        {"profile-level-id=", -EBADMSG},
        {"profile-level-id=42e01", -EBADMSG},
        {"profile-level-id=42e01fff", -EBADMSG},
        {"profile-level-id=42e0zz", -EBADMSG},
        {"profile-level-id=zze01f", -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(codec_h264_profile(rows[i].fmtp), rows[i].profile, "%s", rows[i].fmtp);
    }
}
