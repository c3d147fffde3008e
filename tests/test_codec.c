/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/codec_util.h"

Test(codec, every_row_is_whole)
{
    for (int i = 0; i < CODEC_COUNT; i++) {
        const struct codec_info *c = codec_info((enum codec_id)i);
        cr_expect_eq(c->id, (enum codec_id)i);
        cr_assert_not_null(c->name);
        cr_expect_not_null(c->describe);
        cr_expect(c->dt_count >= 1 && c->dt_count <= DT_MAX);
        cr_expect(i == CODEC_NONE || (c->clock_hz > 0 && c->channels > 0), "%s", c->name);
    }
}

Test(codec, is_found_by_rtpmap)
{
    static const struct {
        const char *name;
        uint32_t clock_hz;
        unsigned channels;
        enum codec_id want;
    } rows[] = {
        {"opus", 48000, 2, CODEC_OPUS}, {"OPUS", 48000, 2, CODEC_OPUS},
        {"opus", 48000, 1, CODEC_NONE}, {"opus", 16000, 2, CODEC_NONE},
        {"OPUS", 48000, 0, CODEC_OPUS}, {"VP8", 90000, 0, CODEC_VP8},
        {"red", 48000, 2, CODEC_RED},   {"red", 90000, 1, CODEC_NONE},
        {"G722", 8000, 1, CODEC_G722},  {"PCMU", 8000, 1, CODEC_PCMU},
        {"pcma", 8000, 1, CODEC_PCMA},  {"VP8", 90000, 1, CODEC_VP8},
        {"vp9", 90000, 1, CODEC_VP9},   {"H264", 90000, 1, CODEC_H264},
        {"h265", 90000, 1, CODEC_H265}, {"AV1", 90000, 1, CODEC_AV1},
        {"AV1X", 90000, 1, CODEC_NONE}, {"rtx", 90000, 1, CODEC_NONE},
        {"H26", 90000, 1, CODEC_NONE},  {"", 0, 0, CODEC_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        /* Not terminated: the name is followed by the slash of the rtpmap. */
        size_t len = strlen(rows[i].name);
        char *name = (char *)exact_copy(rows[i].name, len);
        cr_expect_eq(codec_find(name, len, rows[i].clock_hz, rows[i].channels), rows[i].want, "%s",
                     rows[i].name);
        free(name);
    }
}

Test(codec, is_found_by_static_payload_type)
{
    for (unsigned pt = 0; pt < 128; pt++) {
        enum codec_id want = pt == 0   ? CODEC_PCMU
                             : pt == 8 ? CODEC_PCMA
                             : pt == 9 ? CODEC_G722
                                       : CODEC_NONE;
        cr_expect_eq(codec_find_static(pt), want, "%u", pt);
    }
}

Test(codec, fmtp_decides_what_a_receiver_can_decode)
{
    static const struct {
        enum codec_id id;
        const char *a;
        const char *b;
        bool want;
    } rows[] = {
        {CODEC_H264, "profile-level-id=42e01f;packetization-mode=1",
         "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42c034", true},
        {CODEC_H264, "profile-level-id=42e01f;packetization-mode=1", "profile-level-id=42e01f",
         false},
        {CODEC_H264, "profile-level-id=42e01f", "profile-level-id=42e01f;packetization-mode=0",
         true},
        {CODEC_H264, "profile-level-id=42e01f", "profile-level-id=42001f", false},
        {CODEC_H264, "profile-level-id=64001f", "profile-level-id=640c1f", false},
        {CODEC_H264, "profile-level-id=f4001f", "profile-level-id=f40020", true},
        {CODEC_H264, "profile-level-id=f4001f", "profile-level-id=6e001f", false},
        {CODEC_H264, "profile-level-id=42e01f;packetization-mode=1", "", true},
        {CODEC_H264, "profile-level-id=64001f;packetization-mode=1", "packetization-mode=1", true},
        {CODEC_H264, "profile-level-id=64001f;packetization-mode=1", "packetization-mode=0", false},
        {CODEC_H264, "", "profile-level-id=42000a", true},
        {CODEC_H264, "profile-level-id=xx", "profile-level-id=xx", false},
        {CODEC_H264, "profile-level-id=42e01f;packetization-mode=x",
         "profile-level-id=42e01f;packetization-mode=x", false},
        {CODEC_VP9, "", "", true},
        {CODEC_VP9, "profile-id=0", "", true},
        {CODEC_VP9, "profile-id=2", "", false},
        {CODEC_VP9, "profile-id=2", "PROFILE-ID= 2 ", true},
        {CODEC_VP9, "profile-id=99999999999999999999", "profile-id=99999999999999999999", false},
        {CODEC_VP9, "xprofile-id=2", "", true},
        {CODEC_AV1, "level-idx=5;profile=0;tier=0", "level-idx=8;profile=0;tier=1", true},
        {CODEC_AV1, "level-idx=5;profile=1;tier=0", "", false},
        {CODEC_AV1, "", "level-idx=5", true},
        {CODEC_H265, "", "level-id=93;tx-mode=SRST", true},
        {CODEC_H265, "profile-id=1;tier-flag=0", "", true},
        {CODEC_H265, "profile-id=2", "", false},
        {CODEC_H265, "tier-flag=1", "tier-flag=0", false},
        {CODEC_H265, "", "tx-mode=MRST", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(codec_info(rows[i].id)->fmtp_match(rows[i].a, rows[i].b), rows[i].want,
                     "\"%s\" for \"%s\"", rows[i].a, rows[i].b);
    }
    cr_expect_null(codec_info(CODEC_OPUS)->fmtp_match);
    cr_expect_null(codec_info(CODEC_VP8)->fmtp_match);
}

Test(codec, audio_packets_are_all_entries)
{
    static const enum codec_id ids[] = {CODEC_OPUS, CODEC_G722, CODEC_PCMU, CODEC_PCMA, CODEC_NONE};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct describe d;
        struct pkt_desc desc;
        struct cap_pkt p = {.payload = "\x78", .len = 1};
        cr_assert_eq(describe_init(&d, ids[i]), 0);
        cr_expect_eq(d.dd == NULL, ids[i] != CODEC_NONE);
        cr_expect_eq(describe_pkt(ids[i], &d, &p, &desc), 0);
        cr_expect_str_eq(desc_text(&d, &desc), "-E()- 0.0 dt=1 sw=1 tsw=1");
        cr_expect_eq(desc.dt_mask, DT_ALL);
        cr_expect_eq(desc.head_len, 0);
        p.len = 0;
        cr_expect_eq(describe_pkt(ids[i], &d, &p, &desc), -EBADMSG);
        describe_fini(&d);
        describe_fini(&d);
    }
}

Test(codec, red_is_checked_before_it_is_forwarded)
{
    struct describe d;
    struct pkt_desc desc;
    struct cap_pkt p = {.payload = "\xef\x0f\x00\x01\x6f\xaa\xbb", .len = 7};
    cr_assert_eq(describe_init(&d, CODEC_RED), 0);
    cr_expect_eq(describe_pkt(CODEC_RED, &d, &p, &desc), 0);
    cr_expect_str_eq(desc_text(&d, &desc), "-E()- 0.0 dt=1 sw=1 tsw=1");
    p.len = 6;
    cr_expect_eq(describe_pkt(CODEC_RED, &d, &p, &desc), -EBADMSG);
    describe_fini(&d);
}

/* VP9 shows any number of layers without a dependency descriptor. */
static void grow_to(struct describe *d, unsigned sid, unsigned tid)
{
    char bytes[] = {(char)0xe8, 1, (char)(tid << 5 | sid << 1), 0, 0};
    struct cap_pkt p = {.payload = bytes, .len = sizeof(bytes)};
    struct pkt_desc desc;
    cr_assert_eq(describe_pkt(CODEC_VP9, d, &p, &desc), 0);
    cr_expect(desc.dt_mask & 1);
}

Test(codec, targets_are_ordered_and_bounded)
{
    static const struct {
        unsigned sid;
        unsigned tid;
        unsigned n_dt;
    } rows[] = {
        {0, 0, 1}, {0, 1, 2}, {0, 2, 3},  {0, 7, 8},  {1, 0, 3}, {1, 2, 7}, {2, 2, 10},
        {3, 1, 9}, {3, 2, 9}, {2, 4, 10}, {4, 7, 11}, {7, 0, 9}, {7, 7, 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct describe d;
        cr_assert_eq(describe_init(&d, CODEC_VP9), 0);
        grow_to(&d, rows[i].sid, rows[i].tid);
        cr_expect_eq(d.n_sid, rows[i].sid + 1);
        cr_expect_eq(d.n_tid, rows[i].tid + 1);
        cr_expect_eq(d.n_dt, rows[i].n_dt, "S%u T%u: %u", rows[i].sid, rows[i].tid, d.n_dt);
        cr_expect_eq(d.dt_sid[0], rows[i].sid);
        cr_expect_eq(d.dt_tid[0], rows[i].tid);
        for (unsigned t = 2; t < d.n_dt; t++) {
            cr_expect(d.dt_sid[t] < d.dt_sid[t - 1] ||
                      (d.dt_sid[t] == d.dt_sid[t - 1] && d.dt_tid[t] < d.dt_tid[t - 1]));
        }
        cr_expect_eq(d.dt_sid[d.n_dt - 1], 0);
        describe_fini(&d);
    }
}

Test(codec, layer_is_mapped_to_the_smallest_target)
{
    struct describe d;
    cr_assert_eq(describe_init(&d, CODEC_VP9), 0);
    cr_expect_eq(codec_find_target(&d, 0, 0), 0);
    grow_to(&d, 2, 2);
    cr_expect_eq(codec_find_target(&d, 2, 2), 1);
    cr_expect_eq(codec_find_target(&d, 1, 0), 6);
    cr_expect_eq(codec_find_target(&d, 0, 0), 9);
    cr_expect_eq(codec_find_target(&d, 3, 0), 0);
    cr_expect_eq(codec_find_target(&d, 0, 3), 0);
    describe_fini(&d);
}
