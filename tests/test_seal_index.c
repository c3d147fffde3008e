/* SPDX-License-Identifier: Apache-2.0 */
/* What sealing and opening remember: indices, replay windows, SSRCs; and how many. */
#include "tests/exact.h"
#include "tests/seal_kit.h"

/* ---- indices ---- */

/* Packets are sealed in order of index and opened in the order of the row. */
Test(seal, indices_survive_wrap_loss_and_reorder)
{
    static const struct {
        const char *what;
        struct {
            uint64_t index;
            int want; /* 0: opens */
        } pkts[12];
    } rows[] = {
        {"wrap in order", {{65533, 0}, {65534, 0}, {65535, 0}, {65536, 0}, {65537, 0}}},
        {"wrap under reorder",
         {{65534, 0}, {65537, 0}, {65535, 0}, {65536, 0}, {65538, 0}, {65535, -EALREADY}}},
        {"wrap lost", {{65500, 0}, {65600, 0}, {65499, 0}, {65601, 0}}},
        {"first packet near the wrap", {{65535, 0}, {65536, 0}, {65534, 0}}},
        {"nothing lies before index 0", {{3, 0}, {65535, -EALREADY}, {4, 0}}},
        {"800 packets late", {{1000, 0}, {1800, 0}, {1001, 0}, {1001, -EALREADY}}},
        {"late across the wrap", {{65000, 0}, {65800, 0}, {65001, 0}, {65001, -EALREADY}}},
        {"window edge",
         {{5000, 0}, {6023, 0}, {5000, -EALREADY}, {5001, 0}, {6024, 0}, {5000, -EALREADY}}},
        {"a jump as long as the window forgets all",
         {{10, 0}, {1034, 0}, {11, 0}, {10, -EALREADY}}},
        {"many rounds", {{40000, 0}, {70000, 0}, {100000, 0}, {130000, 0}, {160000, 0}}},
    };
    for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
        cr_assert_eq(seal_backend_select(backends[b]), 0);
        for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
            struct srtp_keys k = make_keys(profiles[r % ARRAY_LEN(profiles)]);
            struct open *o = open_new(&k, 4);
            for (size_t i = 0; i < ARRAY_LEN(rows[r].pkts) && rows[r].pkts[i].index; i++) {
                uint8_t buf[BUF_MAX];
                uint8_t plain[BUF_MAX];
                struct seal *s = seal_new(&k); /* fresh: it may start at any index */
                uint64_t index = rows[r].pkts[i].index;
                int n = seal_simple(s, index, SSRC_A, buf, 50);
                size_t want_len = make_rtp(plain, index, SSRC_A, 50);
                int want = rows[r].pkts[i].want ? rows[r].pkts[i].want : (int)want_len;
                cr_assert_gt(n, 0);
                n = open_rtp(o, buf, (size_t)n);
                cr_assert_eq(n, want, "%s: %s: packet %zu: %d", seal_backend_name(), rows[r].what,
                             i, n);
                cr_assert(n < 0 || memcmp(buf, plain, want_len) == 0);
                seal_free(s);
            }
            open_free(o);
        }
    }
}

/* 80,000 packets, 5 % lost, delayed by 64 places on average, two wraps: each opens exactly once. */
Test(seal, every_packet_opens_exactly_once_under_loss_and_reorder)
{
    enum { SPAN = 64, COUNT = 80000 };
    static uint8_t held[SPAN][BUF_MAX];
    int held_len[SPAN] = {0};
    cr_assert_eq(seal_backend_select(SEAL_AUTO), 0);
    struct srtp_keys k = make_keys(SRTP_AEAD_AES_128_GCM);
    struct seal *s = seal_new(&k);
    struct open *o = open_new(&k, 1);
    unsigned opened = 0;
    unsigned sent = 0;
    for (unsigned i = 0; i < COUNT + 20 * SPAN; i++) {
        unsigned slot = rnd(SPAN);
        if (held_len[slot] > 0) {
            uint8_t again[BUF_MAX];
            memcpy(again, held[slot], (size_t)held_len[slot]);
            cr_assert_gt(open_rtp(o, held[slot], (size_t)held_len[slot]), 0);
            cr_assert_eq(open_rtp(o, again, (size_t)held_len[slot]), -EALREADY);
            held_len[slot] = 0;
            opened++;
        }
        if (i < COUNT && rnd(20) != 0) {
            held_len[slot] = seal_simple(s, 60000 + (uint64_t)i, SSRC_A, held[slot], 10);
            cr_assert_gt(held_len[slot], 0);
            sent++;
        }
    }
    for (unsigned i = 0; i < SPAN; i++) {
        opened += held_len[i] > 0;
    }
    cr_assert_eq(opened, sent);
    seal_free(s);
    open_free(o);
}

Test(seal, never_seals_an_index_twice)
{
    static const struct {
        uint64_t index;
        int want; /* 0: seals */
    } rows[] = {
        {70000, 0},          {70000, -EALREADY}, {70001, 0},
        {70010, 0},          {70005, 0},         {70005, -EALREADY},
        {70001, -EALREADY},  {70010 - 1023, 0},  {70010 - 1024, -EALREADY},
        {0, -EALREADY},      {200000, 0},        {70011, -EALREADY},
        {200000 - 1, 0},     {1ULL << 47, 0},    {(1ULL << 47) - 1, 0},
        {200001, -EALREADY},
    };
    for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
        cr_assert_eq(seal_backend_select(backends[b]), 0);
        for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
            struct srtp_keys k = make_keys(profiles[i]);
            struct seal *s = seal_new(&k);
            for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
                uint8_t buf[BUF_MAX];
                memset(buf, 0x55, sizeof(buf));
                int n = seal_simple(s, rows[r].index, SSRC_A, buf, 30);
                cr_assert(rows[r].want ? n == rows[r].want : n > 0, "%s: row %zu: %d",
                          seal_backend_name(), r, n);
                cr_assert(n > 0 || buf[12] == 0x55, "nothing is written when refused");
            }
            uint8_t buf[BUF_MAX];
            cr_assert_gt(seal_simple(s, 70000, SSRC_A + 1, buf, 30), 0, "each SSRC has its own");
            seal_free(s);
        }
    }
}

Test(seal, seals_again_only_what_counter_mode_sealed_before)
{
    for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
        cr_assert_eq(seal_backend_select(backends[b]), 0);
        for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
            struct srtp_keys k = make_keys(profiles[i]);
            struct seal *s = seal_new(&k);
            struct seal_stream *st = seal_stream(s, SSRC_A);
            uint8_t first[BUF_MAX];
            uint8_t again[BUF_MAX];
            uint8_t plain[BUF_MAX];
            int n = seal_simple(s, 65530, SSRC_A, first, 100);
            uint8_t other[BUF_MAX];
            for (uint64_t index = 65531; index < 65600; index++) {
                cr_assert_gt(seal_simple(s, index, SSRC_A, other, 100), 0);
            }
            make_rtp(plain, 65530, SSRC_A, 100);
            memcpy(again, plain, 12);
            int m = seal_rtp_again(s, st, 65530, again, sizeof(again), 12, 0, plain + 12, 100);
            if (profiles[i] != SRTP_AES128_CM_SHA1_80) {
                cr_assert_eq(m, -EPERM);
                seal_free(s);
                continue;
            }
            cr_assert_eq(m, n);
            cr_assert(memcmp(first, again, (size_t)n) == 0, "%s", seal_backend_name());
            make_rtp(plain, 65600, SSRC_A, 100);
            memcpy(again, plain, 12);
            cr_assert_eq(seal_rtp_again(s, st, 65600, again, BUF_MAX, 12, 0, plain + 12, 100),
                         -ENOENT);
            make_rtp(plain, 65530, SSRC_A, 100);
            cr_assert_eq(seal_rtp_again(s, st, 65530, plain, 121, 12, 100, NULL, 0), -ENOSPC);
            cr_assert_gt(seal_simple(s, 65600, SSRC_A, other, 100), 0, "goes on as before");
            seal_free(s);
        }
    }
}

/* ---- limits ---- */

Test(seal, bounds_room_and_ssrcs)
{
    for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
        cr_assert_eq(seal_backend_select(backends[b]), 0);
        struct srtp_keys k = make_keys(profiles[b % ARRAY_LEN(profiles)]);
        struct seal *s = seal_new(&k);
        struct open *o = open_new(&k, 8);
        uint8_t buf[BUF_MAX];
        size_t len = make_rtp(buf, 1, SSRC_A, 10);
        struct seal_stream *st = seal_stream(s, SSRC_A);
        size_t trailer = seal_trailer_len(k.profile, SEAL_RTP);
        cr_assert_eq(seal_rtp(s, st, 1, buf, len + trailer - 1, 12, 10, NULL, 0), -ENOSPC);
        cr_assert_eq(seal_rtp(s, st, 1, buf, len + trailer, 12, 10, NULL, 0), (int)(len + trailer),
                     "a refusal for want of room uses no index");
        len = make_rtcp(buf, SSRC_A, 3);
        cr_assert_eq(seal_rtcp(s, buf, len, len + trailer + 3), -ENOSPC);
        cr_assert_eq(seal_rtcp(s, buf, len, len + trailer + 4), (int)(len + trailer + 4));

        for (uint32_t i = 0; i < 12; i++) {
            int n = seal_simple(s, 7, 1000 + i, buf, 10);
            n = open_rtp(o, buf, (size_t)n);
            cr_assert_eq(n, i < 8 ? 22 : -EMLINK, "RTP from SSRC %u: %d", i, n);
            len = make_rtcp(buf, 2000 + i, 3);
            n = seal_rtcp(s, buf, len, sizeof(buf));
            n = open_rtcp(o, buf, (size_t)n);
            cr_assert_eq(n, i < 8 ? (int)len : -EMLINK, "RTCP from SSRC %u: %d", i, n);
        }
        int n = seal_simple(s, 8, 1003, buf, 10);
        cr_assert_eq(open_rtp(o, buf, (size_t)n), 22, "those that were there go on");

        for (uint32_t i = 0; i < 300; i++) {
            if (!seal_stream(s, 0x10000 + i * 0x10001)) {
                cr_assert_eq(i, 256 - 13);
                break;
            }
            cr_assert_eq(seal_stream(s, 0x10000), seal_stream(s, 0x10000));
        }
        cr_assert_eq(seal_stream(s, SSRC_A), st, "the same SSRC gives the same window");
        seal_free(s);
        open_free(o);
    }
}

/* A viewer may send no media, but its reports count. */
Test(seal, rtcp_opens_where_no_media_ssrc_is_allowed)
{
    struct srtp_keys k = make_keys(SRTP_AEAD_AES_128_GCM);
    cr_assert_eq(seal_backend_select(SEAL_AUTO), 0);
    struct seal *s = seal_new(&k);
    struct open *o = open_new(&k, 0);
    uint8_t buf[BUF_MAX];
    size_t len = make_rtcp(buf, 1, 3);
    int n = seal_rtcp(s, buf, len, sizeof(buf));
    cr_assert_eq(open_rtcp(o, buf, (size_t)n), (int)len);
    n = seal_simple(s, 1, SSRC_A, buf, 10);
    cr_assert_eq(open_rtp(o, buf, (size_t)n), -EMLINK);
    seal_free(s);
    open_free(o);
}

/* SRTCP window: 128 indices (SRTP-10) of each sender. */
Test(seal, rtcp_replay_window_holds_128)
{
    enum { COUNT = 200 };
    static uint8_t sealed[COUNT][64];
    int len[COUNT];
    struct srtp_keys k = make_keys(SRTP_AEAD_AES_128_GCM);
    cr_assert_eq(seal_backend_select(SEAL_EVP), 0);
    struct seal *s = seal_new(&k);
    struct open *o = open_new(&k, 1);
    for (int i = 0; i < COUNT; i++) {
        len[i] = seal_rtcp(s, sealed[i], make_rtcp(sealed[i], SSRC_A, 2), sizeof(sealed[i]));
    }
    uint8_t buf[64];
#define OPEN(i) (memcpy(buf, sealed[i], (size_t)len[i]), open_rtcp(o, buf, (size_t)len[i]))
    cr_assert_eq(OPEN(0), 16);
    cr_assert_eq(OPEN(150), 16);
    cr_assert_eq(OPEN(150), -EALREADY);
    cr_assert_eq(OPEN(150 - 127), 16);
    cr_assert_eq(OPEN(150 - 127), -EALREADY);
    cr_assert_eq(OPEN(150 - 128), -EALREADY);
    cr_assert(OPEN(199) == 16 && OPEN(198) == 16);
    len[0] = seal_rtcp(s, sealed[0], make_rtcp(sealed[0], SSRC_A + 1, 2), sizeof(sealed[0]));
    cr_assert(OPEN(0) == 16 && OPEN(0) == -EALREADY && OPEN(197) == 16 && OPEN(197) == -EALREADY);
#undef OPEN
    seal_free(s);
    open_free(o);
}
