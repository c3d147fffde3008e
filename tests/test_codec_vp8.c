/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/codec_capture.h"

static const char *const captures[] = {"vp8-ffmpeg", "vp8-gstreamer", "vp8-chromium",
                                       "vp8-chromium-dd"};

Test(codec_vp8, reads_every_form_of_the_descriptor)
{
    static const struct codec_row rows[] = {
        {"one byte, key frame", B("\x10\x10\x02\x00\x9d\x01\x2a\x80\x02\xe0\x41"), 0,
         "KE(-- 0.0 dt=1 sw=1 tsw=1 640x480"},
        {"key frame whose size is cut off", B("\x10\x10\x02\x00\x9d\x01\x2a\x80\x02\xe0"), 0,
         "KE(-- 0.0 dt=1 sw=1 tsw=1"},
        {"key frame without start code", B("\x10\x10\x02\x00\x9d\x01\x2b\x80\x02\xe0\x01"), 0,
         "KE(-- 0.0 dt=1 sw=1 tsw=1"},
        {"delta frame", B("\x10\x11"), 0, "--(-- 0.0 dt=1 sw=0 tsw=0"},
        {"not the start of a frame, P bit by chance", B("\x00\x10"), 0,
         "----- 0.0 dt=1 sw=0 tsw=0"},
        {"start of the second partition", B("\x11\x10"), 0, "----- 0.0 dt=1 sw=0 tsw=0"},
        {"discardable", B("\x30\x11"), 0, "--(-D 0.0 dt=1 sw=0 tsw=0"},
        {"T1 in sync", B("\x90\xa0\x11\x60\x01"), 0, "--(-- 0.1 dt=1 sw=1 tsw=1"},
        {"T2 in sync", B("\x90\xa0\x11\xa0\x01"), 0, "--(-- 0.2 dt=1 sw=1 tsw=1"},
        {"T2 in sync, not its first packet", B("\x80\xa0\x11\xa0\x01"), 0,
         "----- 0.2 dt=1 sw=0 tsw=0"},
        {"T2 not in sync", B("\x90\xa0\x11\x80\x01"), 0, "--(-- 0.2 dt=1 sw=0 tsw=0"},
        {"K without T: no layer", B("\x90\x10\xdf\x01"), 0, "--(-- 0.0 dt=1 sw=0 tsw=0"},
        {"empty", B(""), -EBADMSG, NULL},
        {"nothing after the first byte", B("\x10"), -EBADMSG, NULL},
        {"X without its byte", B("\x90"), -EBADMSG, NULL},
        {"I without its byte", B("\x90\x80"), -EBADMSG, NULL},
        {"15-bit id cut", B("\x90\x80\x81"), -EBADMSG, NULL},
        {"TL0PICIDX cut", B("\x90\xc0\x01"), -EBADMSG, NULL},
        {"T byte cut", B("\x90\xe0\x01\x02"), -EBADMSG, NULL},
        {"no frame behind the descriptor", B("\x90\xe0\x01\x02\x03"), -EBADMSG, NULL},
    };
    check_rows(CODEC_VP8, rows, ARRAY_LEN(rows));
}

Test(codec_vp8, describes_real_senders)
{
    check_captures(CODEC_VP8, captures, ARRAY_LEN(captures), capture_describe);
}

Test(codec_vp8, never_reads_past_a_cut_packet)
{
    check_captures(CODEC_VP8, captures, ARRAY_LEN(captures), capture_truncate);
}

Test(codec_vp8, reads_ids_and_unwraps_short_ones)
{
    static const struct {
        const char *bytes;
        size_t len;
        uint8_t flags; /* DESC_HAS_... */
        uint16_t pic_id;
        uint8_t tl0_idx;
        uint8_t key_idx;
        uint8_t head_len;
    } rows[] = {
        {B("\x90\xf0\x81\x7e\x07\x45\x01"), DESC_HAS_PIC_ID | DESC_HAS_TL0 | DESC_HAS_KEYIDX, 0x17e,
         7, 5, 6},
        {B("\x90\x80\x7f\x01"), DESC_HAS_PIC_ID, 0x17f, 0, 0, 3},
        {B("\x90\x80\x01\x01"), DESC_HAS_PIC_ID, 0x181, 0, 0, 3},
        {B("\x90\x80\x7d\x01"), DESC_HAS_PIC_ID, 0x17d, 0, 0, 3},
        {B("\x90\x80\xff\xff\x01"), DESC_HAS_PIC_ID, 0x7fff, 0, 0, 4},
        {B("\x90\x40\x09\x01"), DESC_HAS_TL0, 0, 9, 0, 3},
        {B("\x90\x10\x5f\x01"), DESC_HAS_KEYIDX, 0, 0, 31, 3},
        {B("\x10\x01"), 0, 0, 0, 0, 1},
    };
    struct describe d;
    cr_assert_eq(describe_init(&d, CODEC_VP8), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pkt_desc desc;
        struct cap_pkt p = {
            .seq16 = (uint16_t)i, .payload = rows[i].bytes, .len = (uint16_t)rows[i].len};
        cr_assert_eq(describe_pkt(CODEC_VP8, &d, &p, &desc), 0);
        cr_expect_eq(desc.flags & (DESC_HAS_PIC_ID | DESC_HAS_TL0 | DESC_HAS_KEYIDX),
                     rows[i].flags);
        cr_expect_eq(desc.pic_id, rows[i].pic_id, "row %zu: %x", i, desc.pic_id);
        cr_expect_eq(desc.tl0_idx, rows[i].tl0_idx);
        cr_expect_eq(desc.key_idx, rows[i].key_idx);
        cr_expect_eq(desc.head_len, rows[i].head_len);
    }
    describe_fini(&d);
}

Test(codec_vp8, rewrites_ids_and_keeps_the_rest)
{
    static const struct codec_ids ids = {.pic_id = 0x7abc, .tl0_idx = 0xee, .key_idx = 0x1d};
    static const struct codec_rewrite rows[] = {
        {"everything, 15 bit", B("\xb0\xf0\x81\x7e\x07\x65\x01"), 6, B("\xb0\xf0\xfa\xbc\xee\x7d")},
        {"7 bit grows", B("\x91\xf0\x7e\x07\x85\x01"), 5, B("\x91\xf0\xfa\xbc\xee\x9d")},
        {"T without K keeps its byte", B("\x90\xa0\x7e\x45\x01"), 4, B("\x90\xa0\xfa\xbc\x45")},
        {"no id gets one", B("\x10\x01"), 1, B("\x90\x80\xfa\xbc")},
        {"no id but TL0PICIDX gets one", B("\x80\x60\x07\x45\x01"), 4,
         B("\x80\xe0\xfa\xbc\xee\x45")},
        {"reserved bits of the second byte are cleared", B("\x90\x8f\x01\x01"), 3,
         B("\x90\x80\xfa\xbc")},
    };
    check_rewrites(CODEC_VP8, &ids, rows, ARRAY_LEN(rows));
}
