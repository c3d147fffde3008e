/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/jwt_key.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/json.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define SECRET_MAX   512

struct jwt_key {
    enum jwt_key_alg alg;
    char kid[JWT_KEY_KID_MAX];
    EVP_PKEY *pkey; /* NULL for HS256: it has nothing that could verify another algorithm */
    uint8_t secret[SECRET_MAX]; /* HS256 */
    size_t secret_len;
};

static const char *const alg_names[JWT_KEY_ALGS] = {
    [JWT_HS256] = "HS256", [JWT_RS256] = "RS256", [JWT_ES256] = "ES256", [JWT_EDDSA] = "EdDSA"};

int jwt_key_parse_alg(const char *text, enum jwt_key_alg *ret)
{
    for (int i = 0; i < JWT_KEY_ALGS; i++) {
        if (strcmp(alg_names[i], text) == 0) {
            *ret = (enum jwt_key_alg)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *jwt_key_alg_name(enum jwt_key_alg alg)
{
    return alg_names[alg];
}

bool jwt_key_is_kid(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && n < JWT_KEY_KID_MAX && text[n] == '\0';
}

/* ---- base64url ---- */

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int jwt_key_decode64(const char *text, size_t len, uint8_t *out, size_t cap)
{
    uint32_t bits = 0;
    int n_bits = 0;
    size_t n = 0;
    if (len % 4 == 1 || len / 4 * 3 + (len % 4) * 3 / 4 > cap) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < len; i++) {
        int v = sextet(text[i]);
        if (v < 0) {
            return -EBADMSG;
        }
        bits = bits << 6 | (uint32_t)v;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (uint8_t)(bits >> n_bits);
            bits &= (1U << n_bits) - 1;
        }
    }
    return bits == 0 ? (int)n : -EBADMSG;
}

/* ---- making ---- */

static struct jwt_key *new_key(enum jwt_key_alg alg, const char *kid)
{
    struct jwt_key *k = calloc(1, sizeof(*k));
    if (k != NULL) {
        k->alg = alg;
        snprintf(k->kid, sizeof(k->kid), "%s", kid);
    }
    return k;
}

void jwt_key_free(struct jwt_key *k)
{
    if (k == NULL) {
        return;
    }
    EVP_PKEY_free(k->pkey);
    OPENSSL_cleanse(k->secret, sizeof(k->secret));
    free(k);
}

int jwt_key_from_secret(const char *kid, const void *secret, size_t len, struct jwt_key **ret,
                        const char **ret_why)
{
    if (len < JWT_KEY_SECRET_MIN || len > SECRET_MAX) {
        *ret_why = "a secret for HS256 must have 32 to 512 bytes; openssl rand -hex 32 makes one";
        return -EINVAL;
    }
    if (memmem(secret, len, "-----BEGIN", 10) != NULL) {
        *ret_why = "the secret is a PEM file; a public key is no secret";
        return -EINVAL;
    }
    struct jwt_key *k = new_key(JWT_HS256, kid);
    if (k == NULL) {
        *ret_why = "out of memory";
        return -ENOMEM;
    }
    memcpy(k->secret, secret, len);
    k->secret_len = len;
    *ret = k;
    return 0;
}

/* The key must be of the kind and size that alg is for. */
static bool fits(const EVP_PKEY *pkey, enum jwt_key_alg alg, const char **ret_why)
{
    char group[32] = "";
    switch (alg) {
    case JWT_RS256:
        *ret_why = "RS256 needs an RSA key of 2048 to 4096 bits";
        return EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN &&
               EVP_PKEY_get_bits(pkey) <= RSA_BITS_MAX;
    case JWT_ES256:
        *ret_why = "ES256 needs an EC key on P-256";
        return EVP_PKEY_is_a(pkey, "EC") &&
               EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
               strcmp(group, "prime256v1") == 0;
    case JWT_EDDSA:
        *ret_why = "EdDSA needs an Ed25519 key";
        return EVP_PKEY_is_a(pkey, "ED25519");
    case JWT_HS256:
    case JWT_KEY_ALGS:
        break;
    }
    *ret_why = "HS256 has a secret, not a public key";
    return false;
}

/* Takes pkey over. */
static int adopt(const char *kid, enum jwt_key_alg alg, EVP_PKEY *pkey, struct jwt_key **ret,
                 const char **ret_why)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool sound = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (!fits(pkey, alg, ret_why)) {
        EVP_PKEY_free(pkey);
        return -EINVAL;
    }
    struct jwt_key *k = sound ? new_key(alg, kid) : NULL;
    if (k == NULL) {
        *ret_why = sound ? "out of memory" : "the public key is not a valid one";
        EVP_PKEY_free(pkey);
        return sound ? -ENOMEM : -EBADMSG;
    }
    k->pkey = pkey;
    *ret = k;
    return 0;
}

int jwt_key_from_pem(const char *kid, enum jwt_key_alg alg, const char *text, size_t len,
                     struct jwt_key **ret, const char **ret_why)
{
    if (memmem(text, len, "PRIVATE KEY-----", 16) != NULL) {
        *ret_why = "this is a private key; give the server the public one only";
        return -EINVAL;
    }
    BIO *bio = len <= JWT_KEY_FILE_MAX ? BIO_new_mem_buf(text, (int)len) : NULL;
    EVP_PKEY *pkey = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    if (bio != NULL && pkey == NULL && BIO_reset(bio) == 1) {
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        pkey = x != NULL ? X509_get_pubkey(x) : NULL;
        X509_free(x);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (pkey == NULL) {
        *ret_why = "there is no PEM public key or certificate in it";
        return -EBADMSG;
    }
    return adopt(kid, alg, pkey, ret, ret_why);
}

/* ---- JWK ---- */

/* A base64url member. Returns its length or -EBADMSG. */
static int member64(const cJSON *jwk, const char *name, uint8_t *out, size_t cap)
{
    const char *text = json_get_text(jwk, name);
    return text != NULL ? jwt_key_decode64(text, strlen(text), out, cap) : -EBADMSG;
}

static EVP_PKEY *from_params(const char *kind, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static EVP_PKEY *rsa_of(const cJSON *jwk)
{
    uint8_t n[RSA_BITS_MAX / 8 + 1];
    uint8_t e[8];
    int n_len = member64(jwk, "n", n, sizeof(n));
    int e_len = member64(jwk, "e", e, sizeof(e));
    if (n_len <= 0 || e_len <= 0) {
        return NULL;
    }
    EVP_PKEY *pkey = NULL;
    BIGNUM *bn_n = BN_bin2bn(n, n_len, NULL);
    BIGNUM *bn_e = BN_bin2bn(e, e_len, NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (bn_n != NULL && bn_e != NULL && bld != NULL &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1) {
        pkey = from_params("RSA", bld);
    }
    OSSL_PARAM_BLD_free(bld);
    BN_free(bn_n);
    BN_free(bn_e);
    return pkey;
}

static EVP_PKEY *ec_of(const cJSON *jwk)
{
    uint8_t point[65] = {4};
    const char *crv = json_get_text(jwk, "crv");
    if (crv == NULL || strcmp(crv, "P-256") != 0 || member64(jwk, "x", point + 1, 32) != 32 ||
        member64(jwk, "y", point + 33, 32) != 32) {
        return NULL;
    }
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (bld != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1) {
        pkey = from_params("EC", bld);
    }
    OSSL_PARAM_BLD_free(bld);
    return pkey;
}

static EVP_PKEY *okp_of(const cJSON *jwk)
{
    uint8_t x[32];
    const char *crv = json_get_text(jwk, "crv");
    if (crv == NULL || strcmp(crv, "Ed25519") != 0 || member64(jwk, "x", x, sizeof(x)) != 32) {
        return NULL;
    }
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof(x));
}

/* use and key_ops, where they are there (RFC 7517 4.2, 4.3). */
static bool is_for_verifying(const cJSON *jwk)
{
    const cJSON *use = json_get(jwk, "use");
    const cJSON *ops = json_get(jwk, "key_ops");
    bool verify = ops == NULL;
    for (const cJSON *op = cJSON_IsArray(ops) ? ops->child : NULL; op != NULL; op = op->next) {
        verify = verify || (cJSON_IsString(op) && strcmp(op->valuestring, "verify") == 0);
    }
    return verify && (use == NULL || (cJSON_IsString(use) && strcmp(use->valuestring, "sig") == 0));
}

static int kind_of(const cJSON *jwk, enum jwt_key_alg *ret)
{
    static const struct {
        const char *kty, *crv;
        enum jwt_key_alg alg;
    } kinds[] = {{"oct", NULL, JWT_HS256},
                 {"RSA", NULL, JWT_RS256},
                 {"EC", "P-256", JWT_ES256},
                 {"OKP", "Ed25519", JWT_EDDSA}};
    const char *kty = json_get_text(jwk, "kty");
    const char *crv = json_get_text(jwk, "crv");
    const cJSON *alg = json_get(jwk, "alg");
    for (size_t i = 0; kty != NULL && i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kty, kinds[i].kty) != 0 ||
            (kinds[i].crv != NULL && (crv == NULL || strcmp(crv, kinds[i].crv) != 0))) {
            continue;
        }
        if (alg != NULL &&
            (!cJSON_IsString(alg) || strcmp(alg->valuestring, alg_names[kinds[i].alg]) != 0)) {
            return -EPROTONOSUPPORT;
        }
        *ret = kinds[i].alg;
        return 0;
    }
    return -EPROTONOSUPPORT;
}

static int from_oct(const char *kid, const cJSON *jwk, struct jwt_key **ret, const char **ret_why)
{
    uint8_t secret[SECRET_MAX];
    int len = member64(jwk, "k", secret, sizeof(secret));
    int r = len < 0 ? -EBADMSG : jwt_key_from_secret(kid, secret, (size_t)len, ret, ret_why);
    if (len < 0) {
        *ret_why = "k of the JWK is not base64url, or longer than 512 bytes";
    }
    OPENSSL_cleanse(secret, sizeof(secret));
    return r;
}

int jwt_key_from_jwk(const char *kid, const cJSON *jwk, struct jwt_key **ret, const char **ret_why)
{
    enum jwt_key_alg alg;
    const cJSON *own = json_get(jwk, "kid");
    if (!is_for_verifying(jwk) || kind_of(jwk, &alg) < 0) {
        *ret_why = "a key of this kty, crv, alg or use is not for verifying tokens here";
        return -EPROTONOSUPPORT;
    }
    if (own != NULL && (!cJSON_IsString(own) || !jwt_key_is_kid(own->valuestring))) {
        *ret_why = "kid may have 1 to 64 letters, digits and ._-";
        return -EINVAL;
    }
    if (kid[0] == '\0' && own != NULL) {
        kid = own->valuestring;
    }
    if (alg == JWT_HS256) {
        return from_oct(kid, jwk, ret, ret_why);
    }
    EVP_PKEY *pkey = alg == JWT_RS256 ? rsa_of(jwk) : alg == JWT_ES256 ? ec_of(jwk) : okp_of(jwk);
    ERR_clear_error();
    if (pkey == NULL) {
        *ret_why = "the JWK lacks members of its key, or they are no such key";
        return -EBADMSG;
    }
    return adopt(kid, alg, pkey, ret, ret_why);
}

/* ---- sets ---- */

int jwt_key_set_add(struct jwt_key_set *set, struct jwt_key *k)
{
    if (set->n == JWT_KEY_SET_MAX) {
        return -ENOSPC;
    }
    set->keys[set->n++] = k;
    return 0;
}

void jwt_key_set_clear(struct jwt_key_set *set)
{
    for (int i = 0; i < set->n; i++) {
        jwt_key_free(set->keys[i]);
    }
    *set = (struct jwt_key_set){0};
}

int jwt_key_set_read(struct jwt_key_set *set, const char *text, size_t len)
{
    cJSON *root;
    int r = len <= JWT_KEY_FILE_MAX ? json_parse(text, len, 8, &root) : -EBADMSG;
    if (r < 0) {
        return r == -ENOMEM ? r : -EBADMSG;
    }
    const cJSON *list = cJSON_IsObject(root) ? json_get(root, "keys") : NULL;
    if (!cJSON_IsArray(list)) {
        cJSON_Delete(root);
        return -EBADMSG;
    }
    struct jwt_key_set fresh = {0};
    const cJSON *jwk;
    cJSON_ArrayForEach(jwk, list)
    {
        const char *why;
        const char *kty = json_get_text(jwk, "kty");
        struct jwt_key *k;
        /* A secret that anybody can fetch is none. */
        if (fresh.n < JWT_KEY_SET_MAX && kty != NULL && strcmp(kty, "oct") != 0 &&
            jwt_key_from_jwk("", jwk, &k, &why) == 0) {
            fresh.keys[fresh.n++] = k;
        }
    }
    cJSON_Delete(root);
    jwt_key_set_clear(set);
    *set = fresh;
    return 0;
}

/* ---- verifying ---- */

enum jwt_key_alg jwt_key_alg(const struct jwt_key *k)
{
    return k->alg;
}

const char *jwt_key_kid(const struct jwt_key *k)
{
    return k->kid;
}

static bool digest_verify(const struct jwt_key *k, const EVP_MD *md, const uint8_t *sig,
                          size_t sig_len, const void *data, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, md, NULL, k->pkey) == 1 &&
              EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static bool hmac_verify(const struct jwt_key *k, const void *data, size_t len, const uint8_t *sig,
                        size_t sig_len)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    if (sig_len != 32 ||
        HMAC(EVP_sha256(), k->secret, (int)k->secret_len, data, len, mac, &mac_len) == NULL) {
        return false;
    }
    return mac_len == 32 && CRYPTO_memcmp(mac, sig, 32) == 0;
}

/* JOSE has r and s side by side (RFC 7518 3.4), OpenSSL wants them in DER. */
static bool ecdsa_verify(const struct jwt_key *k, const void *data, size_t len, const uint8_t *sig,
                         size_t sig_len)
{
    uint8_t der[80];
    uint8_t *at = der;
    if (sig_len != 64) {
        return false;
    }
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig, 32, NULL);
    BIGNUM *s = BN_bin2bn(sig + 32, 32, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        ECDSA_SIG_free(pair);
        BN_free(r);
        BN_free(s);
        return false;
    }
    int der_len = i2d_ECDSA_SIG(pair, NULL);
    bool ok = der_len > 0 && (size_t)der_len <= sizeof(der) &&
              i2d_ECDSA_SIG(pair, &at) == der_len &&
              digest_verify(k, EVP_sha256(), der, (size_t)der_len, data, len);
    ECDSA_SIG_free(pair);
    return ok;
}

bool jwt_key_verify(const struct jwt_key *k, const void *data, size_t len, const uint8_t *sig,
                    size_t sig_len)
{
    switch (k->alg) {
    case JWT_HS256:
        return hmac_verify(k, data, len, sig, sig_len);
    case JWT_RS256:
        return sig_len == (size_t)EVP_PKEY_get_size(k->pkey) &&
               digest_verify(k, EVP_sha256(), sig, sig_len, data, len);
    case JWT_ES256:
        return ecdsa_verify(k, data, len, sig, sig_len);
    case JWT_EDDSA:
        return sig_len == 64 && digest_verify(k, NULL, sig, sig_len, data, len);
    case JWT_KEY_ALGS:
        break;
    }
    return false;
}
