/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/cert.h"
#include "ice/cert_private.h"
#include "ice/dtls_ctx.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAY_S              86400L
#define CERT_DAYS          3650 /* peers compare the fingerprint, not the dates; processes run long */
#define SECURE_HEAP_BYTES  65536
#define SECURE_HEAP_MIN    32
#define FINGERPRINT_FORMAT 208

static const struct {
    const char *name; /* RFC 8122 5 */
    uint8_t len;
} hashes[] = {
    [FP_SHA1] = {"sha-1", 20},
    [FP_SHA256] = {"sha-256", 32},
    [FP_SHA384] = {"sha-384", 48},
    [FP_SHA512] = {"sha-512", 64},
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* AB:CD:…, exactly want bytes. */
static int read_digest(const char *text, size_t len, uint8_t *out, size_t want)
{
    if (len != 3 * want - 1) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < want; i++) {
        int hi = hex_digit(text[3 * i]);
        int lo = hex_digit(text[3 * i + 1]);
        if (hi < 0 || lo < 0 || (i + 1 < want && text[3 * i + 2] != ':')) {
            return -EBADMSG;
        }
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return 0;
}

int fingerprint_read(const char *text, size_t len, struct fingerprint *ret)
{
    const char *space = memchr(text, ' ', len);
    size_t name_len = space ? (size_t)(space - text) : 0;
    if (name_len == 0) {
        return -EBADMSG;
    }
    for (size_t h = 0; h < ARRAY_LEN(hashes); h++) {
        if (strlen(hashes[h].name) == name_len &&
            strncasecmp(hashes[h].name, text, name_len) == 0) {
            struct fingerprint fp = {.hash = (enum fingerprint_hash)h, .len = hashes[h].len};
            int err = read_digest(space + 1, len - name_len - 1, fp.digest, fp.len);
            if (!err) {
                *ret = fp;
            }
            return err;
        }
    }
    return -EPROTONOSUPPORT;
}

void fingerprint_format(const struct fingerprint *fp, char *out, size_t cap)
{
    assert(cap >= FINGERPRINT_FORMAT);
    size_t n = (size_t)snprintf(out, cap, "%s", hashes[fp->hash].name);
    for (size_t i = 0; i < fp->len; i++) {
        n += (size_t)snprintf(out + n, cap - n, "%c%02X", i ? ':' : ' ', fp->digest[i]);
    }
}

/* ---- the certificate ---- */

static bool set_names(X509 *x)
{
    uint8_t random[8];
    char name[2 * sizeof(random) + 1];
    ASN1_INTEGER *serial = X509_get_serialNumber(x);
    X509_NAME *subject = X509_get_subject_name(x);
    uint64_t number = 0;
    if (RAND_bytes(random, sizeof(random)) != 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        snprintf(name + 2 * i, 3, "%02x", random[i]);
        number = number << 8 | random[i];
    }
    return ASN1_INTEGER_set_uint64(serial, number >> 1) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(x, subject) == 1;
}

static bool self_sign(struct cert *c)
{
    c->x509 = X509_new();
    return c->x509 && X509_set_version(c->x509, X509_VERSION_3) == 1 && set_names(c->x509) &&
           X509_gmtime_adj(X509_getm_notBefore(c->x509), -DAY_S) &&
           X509_gmtime_adj(X509_getm_notAfter(c->x509), CERT_DAYS * DAY_S) &&
           X509_set_pubkey(c->x509, c->key) == 1 && X509_sign(c->x509, c->key, EVP_sha256()) > 0;
}

struct cert *cert_new(void)
{
    unsigned len = 0;
    /* Private keys go to pages that are locked, guarded and left out of core dumps (SEC-56). Where
     * the lock limit is too low OpenSSL says 2 and goes on without it. */
    if (!CRYPTO_secure_malloc_initialized()) {
        CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, SECURE_HEAP_MIN);
    }
    struct cert *c = OPENSSL_zalloc(sizeof(*c));
    if (!c) {
        return NULL;
    }
    c->key = EVP_EC_gen("P-256");
    c->fp.hash = FP_SHA256;
    if (c->key && self_sign(c) && X509_digest(c->x509, EVP_sha256(), c->fp.digest, &len) == 1) {
        c->fp.len = (uint8_t)len;
        c->ctx = dtls_ctx_new(c->key, c->x509);
    }
    if (!c->ctx) {
        cert_free(c);
        return NULL;
    }
    return c;
}

void cert_free(struct cert *c)
{
    if (c) {
        SSL_CTX_free(c->ctx);
        X509_free(c->x509);
        EVP_PKEY_free(c->key);
        OPENSSL_free(c);
    }
}

const struct fingerprint *cert_fingerprint(const struct cert *c)
{
    return &c->fp;
}
