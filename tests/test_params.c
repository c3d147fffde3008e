/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "rtp/params.h"

#define SPS     "\x67\x42\xc0\x1f\xda\x01"
#define SPS_NEW "\x67\x42\xc0\x1f\xda\x02\x03"
#define SPS_ID1 "\x67\x42\xc0\x1f\x4a\x01" /* ue(v) 010: 1 */
#define PPS     "\x68\xce\x3c\x80"
#define PPS_ID1 "\x68\x4e\x3c\x80"
#define IDR     "\x65\x88\x84\x00"
#define VPS     "\x40\x01\x0c\x01\xff"
#define SPS_265 "\x42\x01\x01\x01\x60"
#define PPS_265 "\x44\x01\xc1\x72"
#define STAP(x) "\x78" x
#define AP(x)   "\x60\x01" x
#define B(s)    s, sizeof(s) - 1

struct packet {
    const char *bytes;
    size_t len;
    bool has_sets;
};

Test(params, what_is_kept_comes_out_in_order)
{
    static const struct {
        const char *what;
        enum codec_id codec;
        struct packet in[4];
        const char *out;
        size_t out_len;
    } rows[] = {
        {"single units",
         CODEC_H264,
         {{B(SPS), true}, {B(PPS), true}, {B(IDR), false}},
         B(STAP("\0\6" SPS "\0\4" PPS))},
        {"an aggregate, with more in it",
         CODEC_H264,
         {{B("\x78\0\2\x09\xf0\0\6" SPS "\0\4" PPS "\0\4" IDR), true}},
         B(STAP("\0\6" SPS "\0\4" PPS))},
        {"PPS first", CODEC_H264, {{B(PPS), true}, {B(SPS), true}}, B(STAP("\0\6" SPS "\0\4" PPS))},
        {"a new SPS in place of the old",
         CODEC_H264,
         {{B(SPS), true}, {B(PPS), true}, {B(SPS_NEW), true}},
         B(STAP("\0\7" SPS_NEW "\0\4" PPS))},
        {"ids of their own stay beside each other",
         CODEC_H264,
         {{B(SPS), true}, {B(PPS), true}, {B(SPS_ID1), true}, {B(PPS_ID1), true}},
         B(STAP("\0\6" SPS "\0\6" SPS_ID1 "\0\4" PPS "\0\4" PPS_ID1))},
        {"repeated ones once",
         CODEC_H264,
         {{B(SPS), true}, {B(PPS), true}, {B(SPS), true}, {B(PPS), true}},
         B(STAP("\0\6" SPS "\0\4" PPS))},
        {"no PPS", CODEC_H264, {{B(SPS), true}}, NULL, 0},
        {"fragments",
         CODEC_H264,
         {{B("\x7c\x87\x42\xc0\x1f\xda"), false}, {B(PPS), true}},
         NULL,
         0},
        {"H.265",
         CODEC_H265,
         {{B(VPS), true}, {B(SPS_265), true}, {B(PPS_265), true}},
         B(AP("\0\5" VPS "\0\5" SPS_265 "\0\4" PPS_265))},
        {"H.265, an aggregate",
         CODEC_H265,
         {{B(AP("\0\4" PPS_265 "\0\5" SPS_265 "\0\5" VPS)), true}},
         B(AP("\0\5" VPS "\0\5" SPS_265 "\0\4" PPS_265))},
        {"H.265 without VPS", CODEC_H265, {{B(SPS_265), true}, {B(PPS_265), true}}, NULL, 0},
        {"a codec without sets", CODEC_VP8, {{B(SPS), false}, {B(PPS), false}}, NULL, 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct params p = {0};
        for (unsigned k = 0; k < ARRAY_LEN(rows[i].in) && rows[i].in[k].bytes; k++) {
            const struct packet *in = &rows[i].in[k];
            cr_expect_eq(params_keep(&p, rows[i].codec, (const uint8_t *)in->bytes, in->len),
                         in->has_sets, "%s, packet %u", rows[i].what, k);
        }
        uint8_t out[200];
        size_t n = params_write(&p, rows[i].codec, out, sizeof(out));
        cr_expect_eq(n, rows[i].out_len, "%s: %zu bytes", rows[i].what, n);
        cr_expect(n == 0 || memcmp(out, rows[i].out, n) == 0, "%s", rows[i].what);
        for (size_t cap = 0; cap < n; cap++) {
            cr_expect_eq(params_write(&p, rows[i].codec, out, cap), 0, "%s in %zu", rows[i].what,
                         cap);
        }
    }
}

Test(params, sets_in_an_offer)
{
    static const struct {
        enum codec_id codec;
        const char *fmtp;
        size_t len; /* of what comes out */
    } rows[] = {
        {CODEC_H264, "sprop-parameter-sets=Z0LAH9oB,aM48gA==", 15},
        {CODEC_H264, "packetization-mode=1; Sprop-Parameter-Sets=Z0LAH9oB,aM48gA", 15},
        {CODEC_H264, "sprop-parameter-sets=Z0LAH9oB,aM48gA==;profile-level-id=42c01f", 15},
        {CODEC_H264, "sprop-parameter-sets=Z0LAH9oB", 0},
        {CODEC_H264, "sprop-parameter-sets=,,!!!,aM48gA==", 0},
        {CODEC_H264, "sprop-vps=QAEMAf8=;sprop-sps=QgEBAWA=;sprop-pps=RAHBcg==", 0},
        {CODEC_H264, "", 0},
        {CODEC_H265, "sprop-vps=QAEMAf8=;sprop-sps=QgEBAWA=;sprop-pps=RAHBcg==", 22},
        {CODEC_H265, "sprop-vps=QAEMAf8=;sprop-sps=QgEBAWA=", 0},
        {CODEC_VP8, "sprop-parameter-sets=Z0LAH9oB,aM48gA==", 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct params p = {0};
        uint8_t out[200];
        params_keep_fmtp(&p, rows[i].codec, rows[i].fmtp);
        size_t n = params_write(&p, rows[i].codec, out, sizeof(out));
        cr_expect_eq(n, rows[i].len, "%s: %zu", rows[i].fmtp, n);
    }
}

/* Any bytes, cut anywhere, in buffers of their own so that a sanitizer sees a step beyond; memory
 * stays as it was laid out. */
Test(params, junk)
{
    static const char whole[] = "\x78\0\6" SPS "\0\4" PPS "\0\4" IDR "\0\4" PPS_ID1;
    struct params p = {0};
    uint32_t x = 1;
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = i % sizeof(whole);
        uint8_t *buf = malloc(len ? len : 1);
        cr_assert_not_null(buf);
        for (size_t k = 0; k < len; k++) {
            x = x * 1664525 + 1013904223;
            buf[k] =
                i < sizeof(whole) ? (uint8_t)whole[k] : (uint8_t)(x >> 24 & (k % 3 ? 0xff : 0x7f));
        }
        (void)params_keep(&p, i % 2 ? CODEC_H264 : CODEC_H265, buf, len);
        free(buf);
        size_t used = 0;
        for (unsigned k = 0; k < p.n; k++) {
            used += p.sets[k].len;
            cr_assert_leq(p.sets[k].off + p.sets[k].len, p.used);
        }
        cr_assert_eq(used, p.used);
        cr_assert_leq(p.n, PARAMS_SETS_MAX);
    }
    static uint8_t large[PARAMS_BYTES_MAX + 1] = SPS_NEW;
    uint8_t out[200];
    p = (struct params){0};
    params_keep_fmtp(&p, CODEC_H264, "sprop-parameter-sets=Z0LAH9oB,aM48gA==");
    cr_expect_gt(params_write(&p, CODEC_H264, out, sizeof(out)), 0);
    cr_expect(params_keep(&p, CODEC_H264, large, sizeof(large)), "it is there");
    cr_expect_eq(params_write(&p, CODEC_H264, out, sizeof(out)), 0, "the old one is not it");
    char fmtp[2000];
    memset(fmtp, 'A', sizeof(fmtp));
    memcpy(fmtp, "sprop-parameter-sets=Z", 22);
    fmtp[sizeof(fmtp) - 1] = '\0';
    params_keep_fmtp(&p, CODEC_H264, fmtp); /* longer than all that is kept */
}
