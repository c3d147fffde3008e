/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/codec_capture.h"

static const char *const captures[] = {"vp9-ffmpeg", "vp9-gstreamer", "vp9-chromium-L3T3_KEY",
                                       "vp9-chromium-L3T3", "vp9-chromium-L3T3_KEY-720p"};

Test(codec_vp9, reads_every_form_of_the_descriptor)
{
    static const struct codec_row rows[] = {
        {"key frame, 15-bit id", B("\x88\x81\x02\x00"), 0, "KE(-- 0.0 dt=1 sw=1 tsw=1"},
        {"delta frame", B("\xc8\x01\x00"), 0, "--(-- 0.0 dt=1 sw=0 tsw=0"},
        {"delta frame's last packet", B("\xc4\x01\x00"), 0, "---)- 0.0 dt=1 sw=0 tsw=0"},
        {"key frame, not its first packet", B("\x80\x01\x00"), 0, "----- 0.0 dt=1 sw=0 tsw=0"},
        {"T2, switching up: may need T1", B("\xe8\x01\x50\x07\x00"), 0,
         "--(-- 0.2 dt=1 sw=0 tsw=0"},
        {"T1, switching up", B("\xe8\x01\x30\x07\x00"), 0, "--(-- 0.1 dt=1 sw=1 tsw=1"},
        {"T0, switching up", B("\xe8\x01\x10\x07\x00"), 0, "--(-- 0.0 dt=1 sw=1 tsw=1"},
        {"S1 T0 of two layers, by the picture before it", B("\xe8\x01\x02\x07\x00"), 0,
         "--(-- 1.0 dt=3 sw=0 tsw=0"},
        {"S1 T0, by its own picture alone", B("\xa8\x01\x02\x07\x00"), 0,
         "--(-- 1.0 dt=3 sw=3 tsw=3"},
        {"flexible, three references", B("\xf8\x01\x20\x03\x05\x06\x00"), 0,
         "--(-- 0.1 dt=1 sw=0 tsw=0"},
        {"structure with sizes and a group of T0, T1",
         B("\xaa\x01\x00\x07\x38\x00\xa0\x00\x5a\x01\x40\x00\xb4\x02\x00\x24\x01\x00"), 0,
         "KE(-- 0.0 dt=1f sw=1f tsw=1f 320x180"},
        {"structure with a picture group of T0, T2, T1",
         B("\x8a\x01\x08\x03\x00\x54\x01\x24\x02\x00"), 0, "KE(-- 0.0 dt=7 sw=7 tsw=7"},
        {"frame header of a key frame, profile 0", B("\x08\x82\x49\x83\x42\x00\x13\xf0\x0b\x30"), 0,
         "KE(-- 0.0 dt=1 sw=1 tsw=1 320x180"},
        {"without picture id, an inter frame that lacks P", B("\x08\x86\x00\x40\x92"), 0,
         "--(-- 0.0 dt=1 sw=0 tsw=0"},
        {"four references", B("\xf8\x01\x20\x03\x05\x07\x08\x00"), -EBADMSG, NULL},
        {"only the first byte", B("\x08"), -EBADMSG, NULL},
        {"id cut", B("\x88\x81"), -EBADMSG, NULL},
        {"nothing behind the descriptor", B("\x88\x81\x02"), -EBADMSG, NULL},
        {"group cut", B("\x8a\x01\x08\xff\x00\x54\x01"), -EBADMSG, NULL},
    };
    check_rows(CODEC_VP9, rows, ARRAY_LEN(rows));
}

Test(codec_vp9, describes_real_senders)
{
    check_captures(CODEC_VP9, captures, ARRAY_LEN(captures), capture_describe);
}

/* The payload descriptor and the dependency descriptor of one packet say the same. */
static void capture_compare(enum codec_id id, const struct capture *c)
{
    struct describe with, without;
    cr_assert_eq(describe_init(&with, id), 0);
    cr_assert_eq(describe_init(&without, id), 0);
    size_t compared = 0;
    for (size_t i = 0; i < c->n; i++) {
        struct pkt_desc a, b;
        struct cap_pkt bare = c->pkts[i];
        bare.dd_len = 0;
        cr_assert_eq(describe_pkt(id, &with, &c->pkts[i], &a), 0);
        cr_assert_eq(describe_pkt(id, &without, &bare, &b), 0);
        cr_expect_eq(a.sid, b.sid);
        cr_expect_eq(a.tid, b.tid);
        unsigned same = DESC_KEYFRAME | DESC_ENTRY | DESC_FRAME_START | DESC_FRAME_END;
        cr_expect_eq(a.flags & same, b.flags & same, "packet %zu", i);
        if (with.n_dt == without.n_dt) {
            cr_expect_eq(a.dt_mask, b.dt_mask, "packet %zu: %x, %x", i, a.dt_mask, b.dt_mask);
            compared++;
        }
    }
    cr_assert_gt(compared, c->n / 2);
    describe_fini(&with);
    describe_fini(&without);
}

Test(codec_vp9, payload_and_dependency_descriptor_agree)
{
    static const char *const both[] = {"vp9-chromium-L3T3_KEY", "vp9-chromium-L3T3",
                                       "vp9-chromium-L3T3_KEY-720p"};
    check_captures(CODEC_VP9, both, ARRAY_LEN(both), capture_compare);
}

Test(codec_vp9, never_reads_past_a_cut_packet)
{
    check_captures(CODEC_VP9, captures, ARRAY_LEN(captures), capture_truncate);
}

Test(codec_vp9, rewrites_ids_and_keeps_the_rest)
{
    static const struct codec_ids ids = {.pic_id = 0x7abc, .tl0_idx = 0xee};
    static const struct codec_rewrite rows[] = {
        {"15 bit", B("\x88\x81\x02\x00"), 3, B("\x88\xfa\xbc")},
        {"7 bit grows", B("\xc8\x01\x00"), 2, B("\xc8\xfa\xbc")},
        {"with layers", B("\xe8\x01\x50\x07\x00"), 4, B("\xe8\xfa\xbc\x50\xee")},
        {"flexible, layer byte is left where it is", B("\xb8\x81\x02\x50\x00"), 3,
         B("\xb8\xfa\xbc")},
        {"TL0PICIDX without picture id", B("\x68\x50\x07\x00"), 3, B("\x68\x50\xee")},
        {"nothing to rewrite", B("\x48\x00"), 0, B("")},
    };
    check_rewrites(CODEC_VP9, &ids, rows, ARRAY_LEN(rows));
}
