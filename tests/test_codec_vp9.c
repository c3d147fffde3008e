/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/data/capture_vpx.h"

struct row {
    const char *what;
    const char *bytes;
    size_t len;
    int rc;
    const char *text; /* desc_text, when rc is 0 */
};
#define B(s) s, sizeof(s) - 1

Test(codec_vp9, reads_every_form_of_the_descriptor)
{
    static const struct row rows[] = {
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
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct describe d;
        struct pkt_desc desc;
        struct cap_pkt p = {
            .seq16 = 7, .ts = 9, .payload = rows[i].bytes, .len = (uint16_t)rows[i].len};
        cr_assert_eq(describe_init(&d, CODEC_VP9), 0);
        cr_expect_eq(describe_pkt(CODEC_VP9, &d, &p, &desc), rows[i].rc, "%s", rows[i].what);
        if (rows[i].rc == 0) {
            cr_expect_str_eq(desc_text(&d, &desc), rows[i].text, "%s: %s", rows[i].what,
                             desc_text(&d, &desc));
        }
        describe_fini(&d);
    }
}

Test(codec_vp9, describes_real_senders)
{
    static const char *const ffmpeg_vp9[] = {
        "KE(-- 0.0 dt=1 sw=1 tsw=1 320x180", "K---- 0.0 dt=1 sw=0 tsw=0",
        "K--)- 0.0 dt=1 sw=0 tsw=0",         "--()- 0.0 dt=1 sw=0 tsw=0",
        "--()- 0.0 dt=1 sw=0 tsw=0",         "KE(-- 0.0 dt=1 sw=1 tsw=1 320x180",
    };
    static_assert(ARRAY_LEN(ffmpeg_vp9) == ARRAY_LEN(cap_ffmpeg_vp9), "a line a packet");
    static const char *const gst_vp9[] = {
        "KE(-- 0.0 dt=1 sw=1 tsw=1 320x180",
        "K---- 0.0 dt=1 sw=0 tsw=0",
        "K--)- 0.0 dt=1 sw=0 tsw=0",
        "--(-- 0.0 dt=1 sw=0 tsw=0",
    };
    static_assert(ARRAY_LEN(gst_vp9) == ARRAY_LEN(cap_gst_vp9), "a line a packet");
    static const char *const chrome_vp9_ksvc[] = {
        "KE()- 0.0 dt=7f sw=7f tsw=7f 320x180",
        "--()D 0.2 dt=11 sw=0 tsw=0",
        "--()- 0.1 dt=31 sw=0 tsw=12",
        "KE()- 0.0 dt=7f sw=7f tsw=7f 640x360",
        "K-()- 1.0 dt=f sw=e tsw=e",
        "--()D 0.2 dt=11 sw=0 tsw=0",
        "--()D 1.2 dt=3 sw=0 tsw=0",
        "--()- 0.1 dt=31 sw=0 tsw=12",
        "--(-- 1.1 dt=7 sw=0 tsw=0",
        "----- 1.1 dt=7 sw=0 tsw=0",
        "---)- 1.1 dt=7 sw=0 tsw=0",
        "--()D 0.2 dt=11 sw=0 tsw=0",
        "--()D 1.2 dt=3 sw=0 tsw=0",
        "--(-- 0.0 dt=71 sw=0 tsw=7e",
        "---)- 0.0 dt=71 sw=0 tsw=0",
        "--(-- 1.0 dt=f sw=0 tsw=0",
        "----- 1.0 dt=f sw=0 tsw=0",
        "----- 1.0 dt=f sw=0 tsw=0",
        "---)- 1.0 dt=f sw=0 tsw=0",
        "--()D 0.2 dt=11 sw=0 tsw=0",
        "--()D 1.2 dt=3 sw=0 tsw=0",
        "--()- 0.1 dt=31 sw=0 tsw=12",
        "--()- 1.1 dt=7 sw=0 tsw=0",
        "--()D 0.2 dt=11 sw=0 tsw=0",
        "--()D 1.2 dt=3 sw=0 tsw=0",
        "--()- 0.0 dt=71 sw=0 tsw=7e",
    };
    static_assert(ARRAY_LEN(chrome_vp9_ksvc) == ARRAY_LEN(cap_chrome_vp9_ksvc), "a line a packet");
    static const char *const chrome_vp9_svc[] = {
        "KE()- 0.0 dt=7f sw=7f tsw=7f 320x180",
        "--()- 0.2 dt=13 sw=0 tsw=0",
        "--()- 0.1 dt=37 sw=0 tsw=13",
        "--()- 0.2 dt=13 sw=0 tsw=0",
        "--(-- 0.0 dt=7f sw=0 tsw=7f",
        "---)- 0.0 dt=7f sw=0 tsw=0",
        "--()- 1.0 dt=f sw=f tsw=f",
        "--()- 0.2 dt=13 sw=0 tsw=0",
        "--()D 1.2 dt=3 sw=0 tsw=0",
        "--()- 0.1 dt=37 sw=0 tsw=13",
        "--(-- 1.1 dt=7 sw=0 tsw=0",
        "---)- 1.1 dt=7 sw=0 tsw=0",
        "--()- 0.2 dt=13 sw=0 tsw=0",
        "--()D 1.2 dt=3 sw=0 tsw=0",
        "--()- 0.0 dt=7f sw=0 tsw=7f",
        "--()- 1.0 dt=f sw=0 tsw=0",
    };
    static_assert(ARRAY_LEN(chrome_vp9_svc) == ARRAY_LEN(cap_chrome_vp9_svc), "a line a packet");
    check_capture(CODEC_VP9, cap_ffmpeg_vp9, ARRAY_LEN(cap_ffmpeg_vp9), ffmpeg_vp9);
    check_capture(CODEC_VP9, cap_gst_vp9, ARRAY_LEN(cap_gst_vp9), gst_vp9);
    check_capture(CODEC_VP9, cap_chrome_vp9_ksvc, ARRAY_LEN(cap_chrome_vp9_ksvc), chrome_vp9_ksvc);
    check_capture(CODEC_VP9, cap_chrome_vp9_svc, ARRAY_LEN(cap_chrome_vp9_svc), chrome_vp9_svc);
}

/* The payload descriptor and the dependency descriptor of one packet say the same. */
static void compare_sources(const struct cap_pkt *pkts, size_t n)
{
    struct describe with, without;
    cr_assert_eq(describe_init(&with, CODEC_VP9), 0);
    cr_assert_eq(describe_init(&without, CODEC_VP9), 0);
    size_t compared = 0;
    for (size_t i = 0; i < n; i++) {
        struct pkt_desc a, b;
        struct cap_pkt bare = pkts[i];
        bare.dd_len = 0;
        cr_assert_eq(describe_pkt(CODEC_VP9, &with, &pkts[i], &a), 0);
        cr_assert_eq(describe_pkt(CODEC_VP9, &without, &bare, &b), 0);
        cr_expect_eq(a.sid, b.sid);
        cr_expect_eq(a.tid, b.tid);
        unsigned same = DESC_KEYFRAME | DESC_ENTRY | DESC_FRAME_START | DESC_FRAME_END;
        cr_expect_eq(a.flags & same, b.flags & same, "packet %zu", i);
        if (with.n_dt == without.n_dt) {
            cr_expect_eq(a.dt_mask, b.dt_mask, "packet %zu: %x, %x", i, a.dt_mask, b.dt_mask);
            compared++;
        }
    }
    cr_assert_gt(compared, n / 2);
    describe_fini(&with);
    describe_fini(&without);
}

Test(codec_vp9, payload_and_dependency_descriptor_agree)
{
    compare_sources(cap_chrome_vp9_ksvc, ARRAY_LEN(cap_chrome_vp9_ksvc));
    compare_sources(cap_chrome_vp9_svc, ARRAY_LEN(cap_chrome_vp9_svc));
}

Test(codec_vp9, never_reads_past_a_cut_packet)
{
    check_truncated(CODEC_VP9, cap_ffmpeg_vp9, ARRAY_LEN(cap_ffmpeg_vp9));
    check_truncated(CODEC_VP9, cap_gst_vp9, ARRAY_LEN(cap_gst_vp9));
    check_truncated(CODEC_VP9, cap_chrome_vp9_ksvc, ARRAY_LEN(cap_chrome_vp9_ksvc));
    check_truncated(CODEC_VP9, cap_chrome_vp9_svc, ARRAY_LEN(cap_chrome_vp9_svc));
}

Test(codec_vp9, rewrites_ids_and_keeps_the_rest)
{
    static const struct codec_ids ids = {.pic_id = 0x7abc, .tl0_idx = 0xee};
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
        uint8_t head_len;
        const char *want;
        size_t want_len;
    } rows[] = {
        {"15 bit", B("\x88\x81\x02\x00"), 3, B("\x88\xfa\xbc")},
        {"7 bit grows", B("\xc8\x01\x00"), 2, B("\xc8\xfa\xbc")},
        {"with layers", B("\xe8\x01\x50\x07\x00"), 4, B("\xe8\xfa\xbc\x50\xee")},
        {"flexible, layer byte is left where it is", B("\xb8\x81\x02\x50\x00"), 3,
         B("\xb8\xfa\xbc")},
        {"TL0PICIDX without picture id", B("\x68\x50\x07\x00"), 3, B("\x68\x50\xee")},
        {"nothing to rewrite", B("\x48\x00"), 0, B("")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct describe d;
        struct pkt_desc desc;
        struct cap_pkt p = {.payload = rows[i].bytes, .len = (uint16_t)rows[i].len};
        uint8_t out[CODEC_HEAD_MAX];
        cr_assert_eq(describe_init(&d, CODEC_VP9), 0);
        cr_assert_eq(describe_pkt(CODEC_VP9, &d, &p, &desc), 0);
        uint8_t *head = heap_copy(rows[i].bytes, desc.head_len);
        uint8_t n = codec_info(CODEC_VP9)->rewrite(head, &desc, &ids, out);
        free(head);
        cr_expect_eq(desc.head_len, rows[i].head_len, "%s", rows[i].what);
        cr_expect_eq(n, rows[i].want_len, "%s", rows[i].what);
        cr_expect_eq(memcmp(out, rows[i].want, rows[i].want_len), 0, "%s", rows[i].what);
        describe_fini(&d);
    }
}
