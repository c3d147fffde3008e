/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles, session keys, and the choice of a backend with its known-answer self-test. */
#include "ice/seal.h"
#include "ice/seal_backend.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* lint: allow FORBIDDEN_STEM libsrtp2 has no such name, and the public header is older */
size_t srtp_key_len(enum srtp_profile p)
{
    switch (p) {
    case SRTP_AES128_CM_SHA1_80:
    case SRTP_AEAD_AES_128_GCM:
        return 16;
    case SRTP_AEAD_AES_256_GCM:
        return 32;
    case SRTP_NONE:
        break;
    }
    return 0;
}

/* lint: allow FORBIDDEN_STEM libsrtp2 has no such name, and the public header is older */
size_t srtp_salt_len(enum srtp_profile p)
{
    return p == SRTP_NONE ? 0 : seal_is_gcm(p) ? 12 : 14;
}

/* lint: allow FORBIDDEN_STEM libsrtp2 has no such name, and the public header is older */
const char *srtp_profile_name(enum srtp_profile p)
{
    switch (p) {
    case SRTP_AES128_CM_SHA1_80:
        return "SRTP_AES128_CM_SHA1_80";
    case SRTP_AEAD_AES_128_GCM:
        return "SRTP_AEAD_AES_128_GCM";
    case SRTP_AEAD_AES_256_GCM:
        return "SRTP_AEAD_AES_256_GCM";
    case SRTP_NONE:
        break;
    }
    return "none";
}

/* One session key: the AES-CM key stream for label << 48 ^ salt (RFC 3711 4.3.1 with key_id =
 * label * 2^48; a 96-bit salt counts as the upper bytes, RFC 7714 11). */
static bool derive(EVP_CIPHER_CTX *ctx, const struct srtp_keys *master, uint8_t label, uint8_t *out,
                   size_t len)
{
    static const uint8_t zeros[SRTP_KEY_MAX];
    uint8_t iv[16] = {0};
    int done = 0;
    assert(len <= sizeof(zeros));
    memcpy(iv, master->salt, srtp_salt_len(master->profile));
    iv[7] ^= label;
    return EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, iv) == 1 &&
           EVP_EncryptUpdate(ctx, out, &done, zeros, (int)len) == 1;
}

int seal_kdf(const struct srtp_keys *master, struct seal_session_keys *ret)
{
    size_t key_len = srtp_key_len(master->profile);
    const EVP_CIPHER *cipher = key_len == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
    struct seal_session_keys out = {.profile = master->profile};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = key_len > 0 && ctx && EVP_EncryptInit_ex(ctx, cipher, NULL, master->key, NULL) == 1;
    for (int i = 0; ok && i < SEAL_PARTS; i++) {
        struct seal_part_keys *k = &out.part[i];
        uint8_t label = (uint8_t)(3 * i); /* 0..2 RTP, 3..5 RTCP: cipher, authentication, salt */
        ok = derive(ctx, master, label, k->enc, key_len) &&
             derive(ctx, master, (uint8_t)(label + 1), k->auth, sizeof(k->auth)) &&
             derive(ctx, master, (uint8_t)(label + 2), k->salt, srtp_salt_len(master->profile));
    }
    EVP_CIPHER_CTX_free(ctx);
    if (ok) {
        *ret = out;
    }
    OPENSSL_cleanse(&out, sizeof(out));
    return ok ? 0 : -EIO;
}

/* ---- self-test ---- */

#define CHECK_LEN 28

/* Master key 00 01 02 …, salt a0 a1 a2 …, one packet of 28 bytes (12 of them header), index
 * 0x1234; made with libsrtp 2.5.0. */
static const struct check {
    enum srtp_profile profile;
    uint8_t sealed[CHECK_LEN - 12 + SEAL_GCM_TAG]; /* from the ciphertext on */
} checks[] = {
    {SRTP_AES128_CM_SHA1_80,
     {0x45, 0x7e, 0x7a, 0x2b, 0xc1, 0xcf, 0x6f, 0x30, 0x7c, 0xee, 0x93, 0x52, 0x71,
      0x1b, 0x31, 0xd6, 0xc4, 0x6a, 0x08, 0x3b, 0x08, 0x5f, 0x12, 0xe3, 0xb8, 0x59}},
    {SRTP_AEAD_AES_128_GCM, {0x62, 0xa6, 0x8b, 0x7a, 0xbf, 0x75, 0x64, 0x96, 0x06, 0xaf, 0xe4,
                             0x5c, 0x3b, 0xb8, 0x11, 0xde, 0x10, 0xe2, 0x8c, 0x7d, 0x91, 0xcf,
                             0x26, 0x3a, 0xa4, 0x13, 0x40, 0xd1, 0x5e, 0xa1, 0x87, 0x94}},
    {SRTP_AEAD_AES_256_GCM, {0xad, 0x51, 0x57, 0xba, 0x31, 0x2a, 0x04, 0x15, 0xc5, 0xfc, 0xe1,
                             0x20, 0x82, 0x5f, 0xfa, 0x01, 0x8b, 0x8f, 0xbb, 0x7b, 0x64, 0x9d,
                             0x84, 0xf7, 0x13, 0xcf, 0x17, 0x21, 0x5b, 0xa1, 0x85, 0x6a}},
};

static void check_packet(uint8_t *buf)
{
    static const uint8_t hdr[12] = {0x80, 0x60, 0x12, 0x34, 0, 0, 0, 1, 0xca, 0xfe, 0xba, 0xbe};
    memcpy(buf, hdr, sizeof(hdr));
    for (size_t i = sizeof(hdr); i < CHECK_LEN; i++) {
        buf[i] = (uint8_t)i;
    }
}

static bool check_profile(const struct seal_ops *ops, const struct check *c)
{
    struct srtp_keys master = {.profile = c->profile};
    struct seal_session_keys session;
    uint8_t plain[CHECK_LEN];
    uint8_t buf[CHECK_LEN + SEAL_TAG_MAX];
    bool ok = false;
    for (size_t i = 0; i < SRTP_KEY_MAX; i++) {
        master.key[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < SRTP_SALT_MAX; i++) {
        master.salt[i] = (uint8_t)(0xa0 + i);
    }
    if (seal_kdf(&master, &session) != 0) {
        return false;
    }
    void *tx = ops->keys_new(&master, &session, true);
    void *rx = ops->keys_new(&master, &session, false);
    if (tx && rx) {
        check_packet(plain);
        check_packet(buf);
        struct seal_pkt p = {.ssrc = 0xcafebabe, .index = 0x1234, .buf = buf, .hdr_len = 12};
        size_t trailer = seal_trailer_len(c->profile, SEAL_RTP);
        p.head_len = CHECK_LEN - 12;
        ok = ops->seal(tx, &p) == (int)(CHECK_LEN + trailer) &&
             memcmp(buf + 12, c->sealed, CHECK_LEN - 12 + trailer) == 0;
        p.head_len = 0;
        p.body_len = CHECK_LEN - 12;
        ok = ok && ops->open(rx, &p) == CHECK_LEN && memcmp(buf, plain, CHECK_LEN) == 0;
    }
    ops->keys_free(tx);
    ops->keys_free(rx);
    return ok;
}

static bool passes_checks(const struct seal_ops *ops)
{
    if (ops->setup() != 0) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (!check_profile(ops, &checks[i])) {
            return false;
        }
    }
    return true;
}

/* ---- choice ---- */

static const struct seal_ops *chosen = &seal_evp_ops;

const struct seal_ops *seal_select_ops(void)
{
    return chosen;
}

static const struct seal_ops *ops_of(enum seal_backend b)
{
    switch (b) {
    case SEAL_EVP:
        return &seal_evp_ops;
    case SEAL_IPSEC_MB:
#if SLUICE_IPSEC_MB
        return &seal_ipsec_ops;
#else
        return NULL;
#endif
    case SEAL_SRTP2:
        return &seal_srtp2_ops;
    case SEAL_AUTO:
        break;
    }
    return NULL;
}

int seal_backend_select(enum seal_backend want)
{
    const struct seal_ops *ops = ops_of(want == SEAL_AUTO ? SEAL_IPSEC_MB : want);
    if (ops && passes_checks(ops)) {
        chosen = ops;
        return 0;
    }
    if (want != SEAL_AUTO) {
        return -ENOTSUP;
    }
    chosen = &seal_evp_ops;
    return 0;
}

const char *seal_backend_name(void)
{
    return chosen->name;
}

int seal_backend_parse(const char *text, enum seal_backend *ret)
{
    static const enum seal_backend all[] = {SEAL_EVP, SEAL_IPSEC_MB, SEAL_SRTP2};
    static const char *const names[] = {"openssl", "ipsec-mb", "libsrtp2"};
    if (strcmp(text, "auto") == 0) {
        *ret = SEAL_AUTO;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = all[i];
            return 0;
        }
    }
    return -EINVAL;
}
