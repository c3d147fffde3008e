/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/codec_capture.h"

static const char *const captures[] = {"h265-ffmpeg", "h265-gstreamer"};

#define KEY   "K---- 0.0 dt=1 sw=0 tsw=0"
#define FIRST "KE(-- 0.0 dt=1 sw=1 tsw=1"

Test(codec_h265, finds_the_place_to_start)
{
    static const struct codec_step steps[] = {
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
    check_steps(CODEC_H265, steps, ARRAY_LEN(steps));
}

Test(codec_h265, describes_real_senders)
{
    check_captures(CODEC_H265, captures, ARRAY_LEN(captures), capture_describe);
}

Test(codec_h265, never_reads_past_a_cut_packet)
{
    check_captures(CODEC_H265, captures, ARRAY_LEN(captures), capture_truncate);
}
