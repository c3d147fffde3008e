/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/codec_capture.h"

static const char *const captures[] = {"av1-chromium-L1T3", "av1-chromium-L3T3",
                                       "av1-chromium-L2T2_KEY", "av1-chromium-L3T3-720p"};

Test(codec_av1, reads_the_aggregation_header)
{
    static const struct codec_step steps[] = {
        {"frame of the middle of a sequence", B("\x10\x30"), 1, 10, true, 0,
         "--()- 0.0 dt=1 sw=0 tsw=0"},
        {"new sequence, unreadable", B("\x18\x08"), 2, 20, false, 0, "KE(-- 0.0 dt=1 sw=1 tsw=1"},
        {"its second packet", B("\x90\x30"), 3, 20, true, 0, "K--)- 0.0 dt=1 sw=0 tsw=0"},
        {"the next frame", B("\x10\x30"), 4, 30, false, 0, "--(-- 0.0 dt=1 sw=0 tsw=0"},
        {"late packet of the key frame", B("\x90\x30"), 3, 20, false, 0,
         "K---- 0.0 dt=1 sw=0 tsw=0"},
        {"header and nothing", B("\x18"), 5, 40, false, -EBADMSG, NULL},
        {"new sequence in the middle of an OBU", B("\x98\x30"), 5, 40, false, -EBADMSG, NULL},
        {"delimiter, then a sequence header, lengths given",
         B("\x08\x01\x10\x0b\x08\x00\x00\x00\x24\xc4\xff\xdf\x00\x68\x02"), 6, 50, false, 0,
         "KE(-- 0.0 dt=1 sw=1 tsw=1 640x480"},
    };
    check_steps(CODEC_AV1, steps, ARRAY_LEN(steps));
}

Test(codec_av1, describes_real_senders)
{
    check_captures(CODEC_AV1, captures, ARRAY_LEN(captures), capture_describe);
}

/* Payloads that are encrypted: the same but for what only they tell, whatever the codec. */
Test(codec_av1, opaque_payloads_are_described_by_the_descriptor_alone)
{
    static const enum codec_id codecs[] = {CODEC_AV1, CODEC_VP8, CODEC_VP9, CODEC_H264};
    struct capture c;
    capture_open(&c, "av1-chromium-L3T3");
    for (size_t k = 0; k < ARRAY_LEN(codecs); k++) {
        struct describe d, plain;
        cr_assert_eq(describe_init(&d, codecs[k]), 0);
        cr_assert_eq(describe_init(&plain, CODEC_AV1), 0);
        d.opaque = true;
        for (size_t i = 0; i < c.n; i++) {
            struct cap_pkt p = c.pkts[i];
            struct pkt_desc want, got;
            cr_assert_eq(describe_pkt(CODEC_AV1, &plain, &p, &want), 0);
            p.payload = "\xff";
            p.len = 1;
            cr_assert_eq(describe_pkt(codecs[k], &d, &p, &got), 0);
            cr_expect_eq(memcmp(&got, &want, sizeof(got)), 0, "%s, packet %zu: %s",
                         codec_info(codecs[k])->name, i, desc_text(&d, &got));
        }
        describe_fini(&d);
        describe_fini(&plain);
    }
    capture_close(&c);
}

/* Nor a descriptor: any frame may be one to begin with. */
Test(codec_av1, opaque_payloads_without_descriptor_are_told_by_their_frames)
{
    struct describe d;
    cr_assert_eq(describe_init(&d, CODEC_H264), 0);
    d.opaque = true;
    static const struct {
        uint16_t seq16;
        uint32_t ts;
        bool marker;
        const char *text;
    } rows[] = {
        {1, 10, false, "-E(-- 0.0 dt=1 sw=1 tsw=1"},
        {2, 10, true, "---)- 0.0 dt=1 sw=0 tsw=0"},
        {3, 20, true, "-E()- 0.0 dt=1 sw=1 tsw=1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cap_pkt p = {.seq16 = rows[i].seq16,
                            .ts = rows[i].ts,
                            .marker = rows[i].marker,
                            .payload = "\x67",
                            .len = 1};
        struct pkt_desc desc;
        cr_assert_eq(describe_pkt(CODEC_H264, &d, &p, &desc), 0);
        cr_expect_str_eq(desc_text(&d, &desc), rows[i].text);
    }
    describe_fini(&d);
}

/* OBS sends AV1 without the dependency descriptor. */
Test(codec_av1, keyframes_are_found_without_dependency_descriptor)
{
    struct describe d;
    struct capture c;
    capture_open(&c, "av1-chromium-L3T3");
    cr_assert_eq(describe_init(&d, CODEC_AV1), 0);
    for (size_t i = 0; i < c.n; i++) {
        struct cap_pkt bare = c.pkts[i];
        struct pkt_desc desc;
        bare.dd_len = 0;
        cr_assert_eq(describe_pkt(CODEC_AV1, &d, &bare, &desc), 0);
        cr_expect_eq(!!(desc.flags & DESC_ENTRY), i == 0);
        cr_expect_eq(!!(desc.flags & DESC_KEYFRAME), i <= 1);
        cr_expect_eq(!!(desc.flags & DESC_FRAME_END), bare.marker);
        cr_expect_eq(desc.dt_mask, DT_ALL);
        cr_expect_eq(desc.width, i == 0 ? 640 : 0, "%u", desc.width);
        cr_expect_eq(desc.height, i == 0 ? 360 : 0, "%u", desc.height);
    }
    cr_expect_eq(d.n_dt, 1);
    describe_fini(&d);
    capture_close(&c);
}

/* A 1920x1080 sequence header in its longest and its shortest form (AV1 5.5.1). */
Test(codec_av1, reads_the_size_behind_optional_parts)
{
    for (unsigned reduced = 0; reduced <= 1; reduced++) {
        struct bit_out w = {0};
        put_bits(&w, 0x18, 8); /* W = 1, N */
        put_bits(&w, 0x0e, 8); /* sequence header with extension and size */
        put_bits(&w, 0x00, 8);
        put_bits(&w, 0xa000, 16); /* leb128 of 32 in two bytes */
        w.bytes[4] = 0x01;
        put_bits(&w, reduced, 5);
        if (reduced) {
            put_bits(&w, 8, 5);
        } else {
            put_bits(&w, 1, 1); /* timing info */
            put_bits(&w, 1, 32);
            put_bits(&w, 30, 32);
            put_bits(&w, 1, 1);
            put_ue(&w, 5);
            put_bits(&w, 1, 1); /* decoder model, delays of 10 bits */
            put_bits(&w, 9, 5);
            put_bits(&w, 0x12345678, 32);
            put_bits(&w, 0, 10);
            put_bits(&w, 1, 1); /* display delays */
            put_bits(&w, 1, 5); /* two operating points */
            for (unsigned i = 0; i < 2; i++) {
                put_bits(&w, 0x103, 12);
                put_bits(&w, i ? 9 : 7, 5);
                put_bits(&w, 1, i); /* tier, above level 7 only */
                put_bits(&w, 1, 1);
                put_bits(&w, 0xfffff, 21);
                put_bits(&w, i, 1);
                put_bits(&w, 0xf, i ? 4 : 0);
            }
        }
        put_bits(&w, 10, 4);
        put_bits(&w, 11, 4);
        put_bits(&w, 1919, 11);
        put_bits(&w, 1079, 12);
        check_size(CODEC_AV1, w.bytes, (w.bits + 7) / 8, 1920, 1080, reduced ? "reduced" : "full");
    }
}

Test(codec_av1, never_reads_past_a_cut_packet)
{
    check_captures(CODEC_AV1, captures, ARRAY_LEN(captures), capture_truncate);
}

Test(codec_av1, targets_follow_the_structure_and_the_active_mask)
{
    struct describe d;
    struct pkt_desc desc;
    struct capture c;
    capture_open(&c, "av1-chromium-L3T3");
    cr_assert_eq(describe_init(&d, CODEC_AV1), 0);
    cr_assert_eq(describe_pkt(CODEC_AV1, &d, &c.pkts[0], &desc), 0);
    cr_expect(d.from_dd);
    cr_expect_eq(d.n_sid, 2);
    cr_expect_eq(d.n_tid, 3);
    cr_expect_eq(d.n_dt, 7);
    cr_expect_eq(d.active_mask, DT_ALL);
    static const uint8_t layers[][2] = {{1, 2}, {1, 2}, {1, 1}, {1, 0}, {0, 2}, {0, 1}, {0, 0}};
    for (unsigned i = 0; i < ARRAY_LEN(layers); i++) {
        cr_expect_eq(d.dt_sid[i], layers[i][0]);
        cr_expect_eq(d.dt_tid[i], layers[i][1]);
        cr_expect_eq(codec_find_target(&d, layers[i][0], layers[i][1]), i ? i : 1);
    }
    cr_expect_eq(codec_find_target(&d, 2, 0), 0);
    describe_fini(&d);
    capture_close(&c);
}
