/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing and opening: published vectors, libsrtp2 byte for byte, tampering. */
#include "tests/exact.h"
#include "tests/seal_kit.h"

/* ---- published vectors ---- */

Test(seal, derives_session_keys_as_rfc3711_b3)
{
    struct srtp_keys master = {.profile = SRTP_AES128_CM_SHA1_80};
    struct seal_session_keys k;
    unhex("E1F97A0D3E018BE0D64FA32C06DE4139", master.key);
    unhex("0EC675AD498AFEEBB6960B3AABE6", master.salt);
    cr_assert_eq(seal_kdf(&master, &k), 0);
    same_hex(k.part[SEAL_RTP].enc, "C61E7A93744F39EE10734AFE3FF7A087", "cipher key");
    same_hex(k.part[SEAL_RTP].salt, "30CBBC08863D8C85D49DB34A9AE1", "salt");
    same_hex(k.part[SEAL_RTP].auth, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4", "auth key");
    master.profile = SRTP_NONE;
    cr_assert_eq(seal_kdf(&master, &k), -EIO);
}

Test(seal, key_stream_is_that_of_rfc3711_b2)
{
    static const struct {
        size_t block;
        const char *hex;
    } rows[] = {
        {0x0000, "E03EAD0935C95E80E166B16DD92B4EB4"}, {0x0001, "D23513162B02D0F72A43A2FE4A5F97AB"},
        {0x0002, "41E95B3BB0A2E8DD477901E4FCA894C0"}, {0xfeff, "EC8CDF7398607CB0F2D21675EA9EA1E4"},
        {0xff00, "362B7C3C6773516318A077D7FC5073AE"}, {0xff01, "6A2CC3787889374FBEB4C81B17BA6C44"},
    };
    static uint8_t zeros[0xff02 * 16];
    static uint8_t out[12 + sizeof(zeros) + SEAL_TAG_MAX];
    struct seal_session_keys k = {.profile = SRTP_AES128_CM_SHA1_80};
    unhex("2B7E151628AED2A6ABF7158809CF4F3C", k.part[SEAL_RTP].enc);
    unhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD", k.part[SEAL_RTP].salt);
    for (size_t b = 0; b < ARRAY_LEN(raw_ops); b++) {
        cr_assert_eq(raw_ops[b]->setup(), 0);
        void *keys = raw_ops[b]->keys_new(NULL, &k, true);
        const struct seal_pkt p = {
            .buf = out, .hdr_len = 12, .body = zeros, .body_len = sizeof(zeros)};
        cr_assert_eq(raw_ops[b]->seal(keys, &p), (int)(12 + sizeof(zeros) + SEAL_CM_TAG));
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            same_hex(out + 12 + 16 * rows[i].block, rows[i].hex, raw_ops[b]->name);
        }
        raw_ops[b]->keys_free(keys);
    }
}

#define V_RTP_HDR "8040f17b 8041f8d3 5501a0b2"
#define V_RTP                                                                                      \
    V_RTP_HDR " 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465"           \
              " 73207472 6573"
#define V_RTCP_HDR "81c8000d 4d617273"
#define V_RTCP                                                                                     \
    V_RTCP_HDR " 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef"          \
               " deadbeef deadbeef deadbeef"

Test(seal, gcm_packets_are_those_of_rfc7714_16_and_17)
{
    static const struct {
        enum srtp_profile profile;
        enum seal_part part;
        uint32_t ssrc;
        uint64_t index;
        const char *plain;
        const char *sealed;
    } rows[] = {
        {SRTP_AEAD_AES_128_GCM, SEAL_RTP, 0x5501a0b2, 0xf17b, V_RTP,
         V_RTP_HDR " f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b"
                   " 36de3adf 8833 899d7f27 beb16a91 52cf765e e4390cce"},
        {SRTP_AEAD_AES_256_GCM, SEAL_RTP, 0x5501a0b2, 0xf17b, V_RTP,
         V_RTP_HDR " 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f"
                   " 1ba63799 b87b 7aa3db36 dfffd6b0 f9bb7878 d7a76c13"},
        {SRTP_AEAD_AES_128_GCM, SEAL_RTCP, 0x4d617273, 0x5d4, V_RTCP,
         V_RTCP_HDR " 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda"
                    " 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4"},
        {SRTP_AEAD_AES_256_GCM, SEAL_RTCP, 0x4d617273, 0x5d4, V_RTCP,
         V_RTCP_HDR " d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be"
                    " 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4"},
    };
    for (size_t b = 0; b < ARRAY_LEN(raw_ops); b++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct seal_session_keys k = {.profile = rows[i].profile};
            struct seal_part_keys *part = &k.part[rows[i].part];
            uint8_t plain[128];
            uint8_t sealed[128];
            uint8_t buf[128];
            size_t plain_len = unhex(rows[i].plain, plain);
            size_t sealed_len = unhex(rows[i].sealed, sealed);
            size_t hdr_len = rows[i].part == SEAL_RTP ? 12 : SEAL_RTCP_HDR;
            unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", part->enc);
            unhex("517569642070726f2071756f", part->salt);
            cr_assert_eq(raw_ops[b]->setup(), 0);
            void *tx = raw_ops[b]->keys_new(NULL, &k, true);
            void *rx = raw_ops[b]->keys_new(NULL, &k, false);
            memcpy(buf, plain, hdr_len);
            struct seal_pkt p = {.part = rows[i].part,
                                 .ssrc = rows[i].ssrc,
                                 .index = rows[i].index,
                                 .buf = buf,
                                 .hdr_len = hdr_len,
                                 .body = plain + hdr_len,
                                 .body_len = plain_len - hdr_len};
            cr_assert_eq(raw_ops[b]->seal(tx, &p), (int)sealed_len);
            cr_assert(memcmp(buf, sealed, sealed_len) == 0, "%s row %zu", raw_ops[b]->name, i);
            cr_assert_eq(raw_ops[b]->open(rx, &p), (int)plain_len);
            cr_assert(memcmp(buf, plain, plain_len) == 0, "%s row %zu", raw_ops[b]->name, i);
            raw_ops[b]->keys_free(tx);
            raw_ops[b]->keys_free(rx);
        }
    }
}

/* The packet that libsrtp publishes for AES-CM (srtp_driver). */
Test(seal, aes_cm_packet_is_that_of_libsrtp)
{
    for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
        struct srtp_keys k = {.profile = SRTP_AES128_CM_SHA1_80};
        uint8_t buf[64];
        uint8_t body[16];
        unhex("E1F97A0D3E018BE0D64FA32C06DE4139", k.key);
        unhex("0EC675AD498AFEEBB6960B3AABE6", k.salt);
        unhex("800f1234 decafbad cafebabe", buf);
        memset(body, 0xab, sizeof(body));
        cr_assert_eq(seal_backend_select(backends[b]), 0);
        struct seal *s = seal_new(&k);
        int n = seal_rtp(s, seal_stream(s, SSRC_A), 0x1234, buf, sizeof(buf), 12, 0, body, 16);
        cr_assert_eq(n, 38);
        same_hex(buf + 12, "4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
                 seal_backend_name());
        seal_free(s);
    }
}

Test(seal, backends_are_chosen_by_name_and_self_test)
{
    static const char *const names[] = {"openssl", "ipsec-mb", "libsrtp2"};
    enum seal_backend b = SEAL_EVP;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        cr_assert_eq(seal_backend_parse(names[i], &b), 0);
        int err = seal_backend_select(b);
        if (b == SEAL_IPSEC_MB && !SLUICE_IPSEC_MB) {
            cr_assert_eq(err, -ENOTSUP);
        } else {
            cr_assert_eq(err, 0, "%s", names[i]);
            cr_assert_str_eq(seal_backend_name(), names[i]);
        }
    }
    cr_assert_eq(seal_backend_parse("auto", &b), 0);
    cr_assert_eq(b, SEAL_AUTO);
    cr_assert_eq(seal_backend_select(b), 0);
    cr_assert_str_eq(seal_backend_name(), SLUICE_IPSEC_MB ? "ipsec-mb" : "openssl");
    cr_assert_eq(seal_backend_parse("nss", &b), -EINVAL);
    cr_assert_eq(seal_backend_parse("", &b), -EINVAL);

    const struct srtp_keys none = {.profile = SRTP_NONE};
    cr_assert_null(seal_new(&none));
    cr_assert_null(open_new(&none, 1));
    cr_assert_eq(srtp_key_len(SRTP_NONE), 0);
    cr_assert_eq(srtp_salt_len(SRTP_AES128_CM_SHA1_80), 14);
    cr_assert_eq(srtp_salt_len(SRTP_AEAD_AES_256_GCM), 12);
    cr_assert_str_eq(srtp_profile_name(SRTP_AEAD_AES_256_GCM), "SRTP_AEAD_AES_256_GCM");
    seal_free(NULL);
    open_free(NULL);
}

/* ---- against libsrtp2 ---- */

struct diff {
    struct seal *seal;
    struct open *open;
    srtp_t ref_tx;
    srtp_t ref_rx;
    uint64_t index[4];
};

/* A header with random CSRCs and extension; returns its length. */
static size_t random_header(uint8_t *buf, uint64_t index, uint32_t ssrc)
{
    make_rtp(buf, index, ssrc, 0);
    unsigned csrcs = rnd(4) == 0 ? rnd(16) : 0;
    size_t n = 12;
    buf[0] = (uint8_t)(0x80 | csrcs);
    for (unsigned i = 0; i < 4 * csrcs; i++) {
        buf[n++] = (uint8_t)rnd(256);
    }
    if (rnd(2)) {
        unsigned words = rnd(8);
        buf[0] |= 0x10;
        buf[n++] = 0xbe;
        buf[n++] = 0xde;
        buf[n++] = 0;
        buf[n++] = (uint8_t)words;
        for (unsigned i = 0; i < 4 * words; i++) {
            buf[n++] = (uint8_t)rnd(256);
        }
    }
    return n;
}

static void diff_rtp(struct diff *d)
{
    _Alignas(8) uint8_t ours[BUF_MAX];
    _Alignas(8) uint8_t theirs[BUF_MAX];
    uint8_t plain[BUF_MAX];
    unsigned which = rnd(4);
    uint32_t ssrc = 0x01000193u * (which + 1);
    uint64_t index = d->index[which] += 1 + (rnd(8) == 0 ? rnd(3000) : 0);
    size_t hdr = random_header(plain, index, ssrc);
    size_t head = rnd(3) == 0 ? rnd(20) : 0;
    size_t body = rnd(16) == 0 ? 0 : rnd(1300);
    for (size_t i = hdr; i < hdr + head + body; i++) {
        plain[i] = (uint8_t)rnd(256);
    }
    memcpy(ours, plain, hdr + head);
    memcpy(theirs, plain, hdr + head + body);
    int n = seal_rtp(d->seal, seal_stream(d->seal, ssrc), index, ours, sizeof(ours), hdr, head,
                     plain + hdr + head, body);
    int m = (int)(hdr + head + body);
    cr_assert_eq(srtp_protect(d->ref_tx, theirs, &m), srtp_err_status_ok);
    cr_assert_eq(n, m);
    cr_assert(memcmp(ours, theirs, (size_t)n) == 0, "index %llu body %zu head %zu",
              (unsigned long long)index, body, head);
    cr_assert_eq(srtp_unprotect(d->ref_rx, ours, &n), srtp_err_status_ok);
    m = open_rtp(d->open, theirs, (size_t)m);
    cr_assert_eq(m, (int)(hdr + head + body));
    cr_assert_eq(n, m);
    cr_assert(memcmp(theirs, plain, (size_t)m) == 0);
    cr_assert(memcmp(ours, plain, (size_t)m) == 0);
}

static void diff_rtcp(struct diff *d)
{
    _Alignas(8) uint8_t ours[BUF_MAX];
    _Alignas(8) uint8_t theirs[BUF_MAX];
    uint8_t plain[BUF_MAX];
    size_t len = make_rtcp(plain, SSRC_A, rnd(60));
    memcpy(ours, plain, len);
    memcpy(theirs, plain, len);
    int n = seal_rtcp(d->seal, ours, len, sizeof(ours));
    int m = (int)len;
    cr_assert_eq(srtp_protect_rtcp(d->ref_tx, theirs, &m), srtp_err_status_ok);
    cr_assert_eq(n, m);
    cr_assert(memcmp(ours, theirs, (size_t)n) == 0);
    cr_assert_eq(srtp_unprotect_rtcp(d->ref_rx, ours, &n), srtp_err_status_ok);
    cr_assert_eq(open_rtcp(d->open, theirs, (size_t)m), (int)len);
    cr_assert(memcmp(theirs, plain, len) == 0);
    cr_assert_eq(n, (int)len);
}

/* 10^5 packets over all profiles and backends, indices far beyond one roll-over. */
Test(seal, agrees_with_libsrtp2_byte_for_byte, .timeout = 60)
{
    const size_t rounds = 100000 / (ARRAY_LEN(profiles) * ARRAY_LEN(backends)) + 1;
    for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
        cr_assert_eq(seal_backend_select(backends[b]), 0);
        for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
            struct srtp_keys k = make_keys(profiles[i]);
            cr_assert_eq(seal_srtp2_ops.setup(), 0);
            struct diff d = {
                seal_new(&k),
                open_new(&k, 8),
                reference(profiles[i], true, false),
                reference(profiles[i], false, false),
                {0, 1000, 30000, 62000}}; /* the first packet is before the first wrap */
            for (size_t r = 0; r < rounds; r++) {
                if (rnd(5) == 0) {
                    diff_rtcp(&d);
                } else {
                    diff_rtp(&d);
                }
            }
            cr_assert(d.index[0] >> 16 > 2, "the roll-over counter must have moved");
            seal_free(d.seal);
            open_free(d.open);
            srtp_dealloc(d.ref_tx);
            srtp_dealloc(d.ref_rx);
        }
    }
}

/* Packet n of the test below: head of its own, body from elsewhere. */
static int seal_nth(struct seal *s, unsigned n, bool later, uint8_t *out)
{
    static uint8_t body[BUF_MAX];
    size_t head = n % 20, size = n * 977 % 1200;
    struct seal_stream *st = seal_stream(s, SSRC_A);
    memset(body, (int)n, sizeof(body));
    make_rtp(out, 70000 + n, SSRC_A, head);
    return later ? seal_rtp_later(s, st, 70000 + n, out, BUF_MAX, 12, head, body, size)
                 : seal_rtp(s, st, 70000 + n, out, BUF_MAX, 12, head, body, size);
}

/* More packets than any backend takes at once, of two sessions in turn. */
Test(seal, what_was_sealed_for_later_is_the_same_after_the_flush)
{
    enum { PACKETS = 100 };
    static uint8_t got[PACKETS][BUF_MAX], want[BUF_MAX];
    int len[PACKETS];
    for (size_t i = 0; i < ARRAY_LEN(profiles) * ARRAY_LEN(backends); i++) {
        cr_assert_eq(seal_backend_select(backends[i / ARRAY_LEN(profiles)]), 0);
        struct srtp_keys k[2] = {make_keys(profiles[i % ARRAY_LEN(profiles)])};
        k[1] = k[0];
        k[1].key[0] ^= 1;
        struct seal *s[4] = {seal_new(&k[0]), seal_new(&k[1]), seal_new(&k[0]), seal_new(&k[1])};
        for (unsigned n = 0; n < PACKETS; n++) {
            len[n] = seal_nth(s[n % 2], n, true, got[n]);
        }
        seal_flush();
        for (unsigned n = 0; n < PACKETS; n++) {
            cr_assert_eq(len[n], seal_nth(s[2 + n % 2], n, false, want));
            cr_assert(memcmp(got[n], want, (size_t)len[n]) == 0, "%s, %s, packet %u",
                      seal_backend_name(), srtp_profile_name(k[0].profile), n);
        }
        for (unsigned j = 0; j < ARRAY_LEN(s); j++) {
            seal_free(s[j]);
        }
    }
}

/* What a session seals is the same alone, and between others of its thread that come and go. */
Test(seal, sessions_leave_each_other_alone)
{
    enum { PACKETS = 8 };
    static uint8_t want[PACKETS][BUF_MAX], got[BUF_MAX], other[BUF_MAX];
    for (size_t i = 0; i < ARRAY_LEN(profiles) * ARRAY_LEN(backends); i++) {
        cr_assert_eq(seal_backend_select(backends[i / ARRAY_LEN(profiles)]), 0);
        struct srtp_keys k = make_keys(profiles[i % ARRAY_LEN(profiles)]), others = k;
        struct seal *s = seal_new(&k);
        for (unsigned n = 0; n < PACKETS; n++) {
            cr_assert_gt(seal_nth(s, n, false, want[n]), 0);
        }
        seal_free(s);
        s = seal_new(&k);
        for (unsigned n = 0; n < PACKETS; n++) {
            others.key[0]++;
            struct seal *passing = seal_new(&others);
            int len = seal_nth(passing, n, false, other);
            if (n % 2) {
                seal_free(passing);
            }
            cr_assert_eq(seal_nth(s, n, false, got), len);
            cr_assert(memcmp(got, want[n], (size_t)len) == 0, "%s, %s, packet %u",
                      seal_backend_name(), srtp_profile_name(k.profile), n);
            cr_assert(memcmp(got, other, (size_t)len) != 0);
            if (n % 2 == 0) {
                seal_free(passing);
            }
        }
        seal_free(s);
    }
}

/* ---- tampering ---- */

static void flip_and_cut(struct open *o, const uint8_t *sealed, size_t len,
                         int (*open)(struct open *, uint8_t *, size_t))
{
    uint8_t buf[BUF_MAX];
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            memcpy(buf, sealed, len);
            buf[i] ^= (uint8_t)bit;
            cr_assert_lt(open(o, buf, len), 0, "%s byte %zu", seal_backend_name(), i);
        }
    }
    for (size_t n = 0; n < len; n++) {
        uint8_t exact[BUF_MAX];
        memcpy(exact, sealed, n);
        cr_assert_lt(open(o, exact, n), 0, "%s length %zu", seal_backend_name(), n);
    }
    memcpy(buf, sealed, len);
    cr_assert_gt(open(o, buf, len), 0, "%s: state must not have changed", seal_backend_name());
    memcpy(buf, sealed, len);
    cr_assert_eq(open(o, buf, len), -EALREADY);
}

/* One SSRC is allowed: a forged one that left state behind would take its place. */
Test(seal, refuses_every_flipped_bit_and_keeps_its_state)
{
    for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
        cr_assert_eq(seal_backend_select(backends[b]), 0);
        for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
            struct srtp_keys k = make_keys(profiles[i]);
            struct seal *s = seal_new(&k);
            struct open *o = open_new(&k, 1);
            uint8_t buf[BUF_MAX];
            int n = seal_simple(s, 500, SSRC_A, buf, 20);
            cr_assert_gt(n, 0);
            flip_and_cut(o, buf, (size_t)n, open_rtp);
            n = seal_simple(s, 501, SSRC_A, buf, 20); /* now with a stream that exists */
            flip_and_cut(o, buf, (size_t)n, open_rtp);
            for (int j = 0; j < 2; j++) {
                size_t len = make_rtcp(buf, SSRC_A, 5);
                n = seal_rtcp(s, buf, len, sizeof(buf));
                flip_and_cut(o, buf, (size_t)n, open_rtcp);
            }
            seal_free(s);
            open_free(o);
        }
    }
}

Test(seal, refuses_srtcp_without_encryption)
{
    cr_assert_eq(seal_srtp2_ops.setup(), 0);
    for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
        cr_assert_eq(seal_backend_select(backends[b]), 0);
        for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
            _Alignas(8) uint8_t buf[256];
            _Alignas(8) uint8_t copy[256];
            struct srtp_keys k = make_keys(profiles[i]);
            struct open *o = open_new(&k, 1);
            srtp_t tx = reference(profiles[i], true, true);
            srtp_t rx = reference(profiles[i], false, true);
            int n = (int)make_rtcp(buf, SSRC_A, 5);
            cr_assert_eq(srtp_protect_rtcp(tx, buf, &n), srtp_err_status_ok);
            memcpy(copy, buf, (size_t)n);
            cr_assert_eq(open_rtcp(o, buf, (size_t)n), -EBADMSG);
            cr_assert_eq(srtp_unprotect_rtcp(rx, copy, &n), srtp_err_status_ok,
                         "else it proves nothing");
            srtp_dealloc(tx);
            srtp_dealloc(rx);
            open_free(o);
        }
    }
}

Test(seal, refuses_malformed_headers)
{
    static const char *const rows[] = {
        "",
        "80",
        "8060000100000000cafeba",                     /* short */
        "0060000100000000cafebabe",                   /* version 0 */
        "c060000100000000cafebabe",                   /* version 3 */
        "8f60000100000000cafebabe00000000",           /* 15 CSRCs, one present */
        "9060000100000000cafebabebede",               /* extension header cut */
        "9060000100000000cafebabebedeffff00000000",   /* extension longer than the packet */
        "8060000100000000cafebabe000000000000000000", /* shorter than any tag */
    };
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        struct srtp_keys k = make_keys(profiles[i]);
        struct open *o = open_new(&k, 1);
        for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
            uint8_t buf[64];
            size_t n = unhex(rows[r], buf);
            cr_assert_eq(open_rtp(o, buf, n), -EBADMSG, "row %zu", r);
            n = unhex(rows[r], buf);
            cr_assert_eq(open_rtcp(o, buf, n), -EBADMSG, "row %zu", r);
        }
        open_free(o);
    }
}
