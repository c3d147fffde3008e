/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_kit.h - makes JSON Web Tokens, right and wrong ones, with keys made at the first use. It
 * shares no code with signaling/jwt*.c. One test program includes it once. */
#ifndef TESTS_JWT_KIT_H
#define TESTS_JWT_KIT_H

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/base.h"

#define JWT_KIT_SECRET  "0123456789abcdef0123456789abcdef"
#define JWT_KIT_SECRET2 "another secret of thirty-two byte"
#define JWT_KIT_NOW     1700000000

static struct jwt_kit {
    EVP_PKEY *rsa, *rsa2, *ec, *ec2, *ed, *ed2, *p384;
} jwt_kit;

static inline void jwt_kit_init(void)
{
    if (jwt_kit.rsa == NULL) {
        jwt_kit.rsa = EVP_RSA_gen(2048);
        jwt_kit.rsa2 = EVP_RSA_gen(2048);
        jwt_kit.ec = EVP_EC_gen("P-256");
        jwt_kit.ec2 = EVP_EC_gen("P-256");
        jwt_kit.p384 = EVP_EC_gen("P-384");
        jwt_kit.ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        jwt_kit.ed2 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
}

static inline void jwt_kit_fini(void)
{
    EVP_PKEY *all[] = {jwt_kit.rsa, jwt_kit.rsa2, jwt_kit.ec,  jwt_kit.ec2,
                       jwt_kit.ed,  jwt_kit.ed2,  jwt_kit.p384};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        EVP_PKEY_free(all[i]);
    }
    memset(&jwt_kit, 0, sizeof(jwt_kit));
}

/* base64url without padding, appended to out. */
static inline void jwt_kit_b64(char *out, const void *data, size_t len)
{
    size_t n = strlen(out);
    EVP_EncodeBlock((uint8_t *)out + n, data, (int)len);
    for (char *c = out + n; *c != '\0'; c++) {
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
        if (*c == '=') {
            *c = '\0';
            break;
        }
    }
}

/* The PEM of a public key; free(3) it. */
static inline char *jwt_kit_pem(EVP_PKEY *key)
{
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key);
    long n = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)n);
    BIO_free(bio);
    return text;
}

static inline size_t jwt_kit_ecdsa(EVP_PKEY *key, const char *data, uint8_t *sig, bool raw)
{
    uint8_t der[160];
    size_t len = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key);
    EVP_DigestSign(ctx, der, &len, (const uint8_t *)data, strlen(data));
    EVP_MD_CTX_free(ctx);
    if (!raw) {
        memcpy(sig, der, len);
        return len;
    }
    const uint8_t *at = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
    int half = EVP_PKEY_get_bits(key) / 8;
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + half, half);
    ECDSA_SIG_free(pair);
    return 2 * (size_t)half;
}

/* Signs text ("header.claims") as alg says. key: an EVP_PKEY *, or a secret for the HS algorithms.
 */
static inline size_t jwt_kit_sign(const char *alg, const void *key, const char *text, uint8_t *sig)
{
    unsigned n = 0;
    size_t len = 600;
    if (strncmp(alg, "HS", 2) == 0) {
        const EVP_MD *md = strcmp(alg, "HS512") == 0   ? EVP_sha512()
                           : strcmp(alg, "HS384") == 0 ? EVP_sha384()
                                                       : EVP_sha256();
        HMAC(md, key, (int)strlen(key), (const uint8_t *)text, strlen(text), sig, &n);
        return n;
    }
    if (strncmp(alg, "ES", 2) == 0) {
        return jwt_kit_ecdsa((EVP_PKEY *)(uintptr_t)key, text, sig, strcmp(alg, "ESDER") != 0);
    }
    EVP_PKEY_CTX *pctx;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const EVP_MD *md = strcmp(alg, "EdDSA") == 0   ? NULL
                       : strcmp(alg, "RS512") == 0 ? EVP_sha512()
                                                   : EVP_sha256();
    EVP_DigestSignInit(ctx, &pctx, md, NULL, (EVP_PKEY *)(uintptr_t)key);
    if (strncmp(alg, "PS", 2) == 0) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
    }
    EVP_DigestSign(ctx, sig, &len, (const uint8_t *)text, strlen(text));
    EVP_MD_CTX_free(ctx);
    return len;
}

/* A token with that header and those claims, signed as alg says whatever the header says. */
static inline const char *jwt_kit_make(const char *alg, const void *key, const char *header,
                                       const char *claims)
{
    static char ring[4][16384];
    static int next;
    char *out = ring[next++ % 4];
    uint8_t sig[600];
    out[0] = '\0';
    jwt_kit_b64(out, header, strlen(header));
    snprintf(out + strlen(out), 2, ".");
    jwt_kit_b64(out, claims, strlen(claims));
    size_t n = jwt_kit_sign(alg, key, out, sig);
    snprintf(out + strlen(out), 2, ".");
    jwt_kit_b64(out, sig, n);
    return out;
}

#endif
