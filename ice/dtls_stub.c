/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/dtls_stub.h"
#include "ice/dtls_filter.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#define TAG_LEN      16
#define EXPLICIT_LEN 8
#define ALERT_LEN    2
#define ALERT_TYPE   21
#define MASTER_LEN   48

static const char key_expansion[] = "key expansion";

static void put_be(uint8_t *p, uint64_t v, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        p[i] = (uint8_t)v;
        v >>= 8;
    }
}

/* key_block = PRF(master_secret, "key expansion", server_random + client_random), RFC 5246 6.3. */
static bool key_block(SSL *ssl, const EVP_MD *md, uint8_t *out, size_t len)
{
    uint8_t master[MASTER_LEN];
    uint8_t seed[sizeof(key_expansion) - 1 + 2 * SSL3_RANDOM_SIZE];
    uint8_t *random = seed + sizeof(key_expansion) - 1;
    size_t n = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
    memcpy(seed, key_expansion, sizeof(key_expansion) - 1);
    bool ok =
        n == sizeof(master) &&
        SSL_get_server_random(ssl, random, SSL3_RANDOM_SIZE) == SSL3_RANDOM_SIZE &&
        SSL_get_client_random(ssl, random + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE) == SSL3_RANDOM_SIZE;
    EVP_KDF *kdf = ok ? EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_PRF, NULL) : NULL;
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    char md_name[32];
    OPENSSL_strlcpy(md_name, EVP_MD_get0_name(md), sizeof(md_name));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, md_name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof(master)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
        OSSL_PARAM_construct_end(),
    };
    ok = ctx && EVP_KDF_derive(ctx, out, len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    OPENSSL_cleanse(master, sizeof(master));
    return ok;
}

static const EVP_CIPHER *aead_of(const SSL_CIPHER *suite)
{
    switch (suite ? SSL_CIPHER_get_cipher_nid(suite) : NID_undef) {
    case NID_aes_128_gcm:
        return EVP_aes_128_gcm();
    case NID_aes_256_gcm:
        return EVP_aes_256_gcm();
    case NID_chacha20_poly1305:
        return EVP_chacha20_poly1305();
    default:
        return NULL;
    }
}

int dtls_stub_init(struct dtls_stub *s, SSL *ssl, const struct dtls_io *io)
{
    const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
    const EVP_CIPHER *cipher = aead_of(suite);
    uint8_t block[2 * (32 + 12)];
    if (!cipher) {
        return -ENOTSUP;
    }
    size_t key = (size_t)EVP_CIPHER_get_key_length(cipher);
    size_t iv = EVP_CIPHER_get_nid(cipher) == NID_chacha20_poly1305 ? 12 : 4;
    if (!key_block(ssl, SSL_CIPHER_get_handshake_digest(suite), block, 2 * (key + iv))) {
        return -ENOTSUP;
    }
    /* The block holds client key, server key, client IV, server IV. */
    size_t ours = SSL_is_server(ssl) ? 1 : 0;
    memset(s, 0, sizeof(*s));
    s->cipher = cipher;
    s->key_len = key;
    s->iv_len = iv;
    memcpy(s->write_key, block + ours * key, key);
    memcpy(s->read_key, block + (1 - ours) * key, key);
    memcpy(s->write_iv, block + 2 * key + ours * iv, iv);
    memcpy(s->read_iv, block + 2 * key + (1 - ours) * iv, iv);
    s->next_seq = io->sealed_seq;
    s->next_explicit = io->sealed_explicit + 1;
    OPENSSL_cleanse(block, sizeof(block));
    return 0;
}

/* Nonce of a record: AES-GCM carries eight bytes of it (RFC 5288 3), ChaCha20 mixes epoch and
 * sequence number into the IV (RFC 7905 2). */
static void make_nonce(const struct dtls_stub *s, const uint8_t *iv, const uint8_t *record,
                       uint8_t nonce[12])
{
    memcpy(nonce, iv, s->iv_len);
    if (s->iv_len == 4) {
        memcpy(nonce + 4, record + DTLS_RECORD_HDR, EXPLICIT_LEN);
        return;
    }
    for (int i = 0; i < 8; i++) {
        nonce[4 + i] ^= record[3 + i];
    }
}

/* Epoch and sequence number, type, version, plaintext length (RFC 5246 6.2.3.3, RFC 6347 4.1.2.1).
 */
static void make_aad(const uint8_t *record, size_t plain_len, uint8_t aad[13])
{
    memcpy(aad, record + 3, 8);
    memcpy(aad + 8, record, 3);
    put_be(aad + 11, plain_len, 2);
}

size_t dtls_stub_alert(struct dtls_stub *s, uint8_t level, uint8_t description, uint8_t *out,
                       size_t cap)
{
    size_t explicit_len = s->iv_len == 4 ? EXPLICIT_LEN : 0;
    size_t body = explicit_len + ALERT_LEN + TAG_LEN;
    uint8_t *text = out + DTLS_RECORD_HDR + explicit_len;
    const uint8_t plain[ALERT_LEN] = {level, description};
    uint8_t nonce[12];
    uint8_t aad[13];
    int n = 0;
    assert(cap >= DTLS_ALERT_RECORD_MAX);
    out[0] = ALERT_TYPE;
    put_be(out + 1, DTLS1_2_VERSION, 2);
    put_be(out + 3, 1, 2);
    put_be(out + 5, s->next_seq++, 6);
    put_be(out + 11, body, 2);
    if (explicit_len > 0) {
        put_be(out + DTLS_RECORD_HDR, s->next_explicit++, EXPLICIT_LEN);
    }
    make_nonce(s, s->write_iv, out, nonce);
    make_aad(out, ALERT_LEN, aad);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_EncryptInit_ex(ctx, s->cipher, NULL, s->write_key, nonce) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &n, aad, sizeof(aad)) == 1 &&
              EVP_EncryptUpdate(ctx, text, &n, plain, sizeof(plain)) == 1 &&
              EVP_EncryptFinal_ex(ctx, text + ALERT_LEN, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, text + ALERT_LEN) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? DTLS_RECORD_HDR + body : 0;
}

bool dtls_stub_read_alert(const struct dtls_stub *s, const uint8_t *record, size_t len,
                          uint8_t *ret_level, uint8_t *ret_description)
{
    size_t explicit_len = s->iv_len == 4 ? EXPLICIT_LEN : 0;
    const uint8_t *text = record + DTLS_RECORD_HDR + explicit_len;
    uint8_t tag[TAG_LEN];
    uint8_t plain[ALERT_LEN];
    uint8_t nonce[12];
    uint8_t aad[13];
    int n = 0;
    if (len != DTLS_RECORD_HDR + explicit_len + ALERT_LEN + TAG_LEN || record[0] != ALERT_TYPE ||
        record[3] != 0 || record[4] != 1) {
        return false;
    }
    make_nonce(s, s->read_iv, record, nonce);
    make_aad(record, ALERT_LEN, aad);
    memcpy(tag, text + ALERT_LEN, sizeof(tag));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_DecryptInit_ex(ctx, s->cipher, NULL, s->read_key, nonce) == 1 &&
              EVP_DecryptUpdate(ctx, NULL, &n, aad, sizeof(aad)) == 1 &&
              EVP_DecryptUpdate(ctx, plain, &n, text, ALERT_LEN) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1 &&
              EVP_DecryptFinal_ex(ctx, tag, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (ok) {
        *ret_level = plain[0];
        *ret_description = plain[1];
    }
    return ok;
}
