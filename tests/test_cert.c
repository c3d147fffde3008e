/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/cert.h"
#include "ice/cert_private.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define SHA1_TEXT "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:01:02:03:04"

/* Reads from a heap block of the exact size, so that ASan sees one byte too far. */
static int read_exact(const char *text, size_t len, struct fingerprint *ret)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    int err = fingerprint_read(copy, len, ret);
    free(copy);
    return err;
}

Test(cert, reads_fingerprints)
{
    static const struct {
        const char *text;
        int want;
    } rows[] = {
        {"sha-1 " SHA1_TEXT, 0},
        {"SHA-1 " SHA1_TEXT, 0},
        {"Sha-1 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:01:02:03:04", 0},
        {"sha-1 " SHA1_TEXT ":05", -EBADMSG},
        {"sha-1 " SHA1_TEXT " ", -EBADMSG},
        {"sha-1  " SHA1_TEXT, -EBADMSG},
        {"sha-1 00-11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:01:02:03:04", -EBADMSG},
        {"sha-1 0G:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:01:02:03:04", -EBADMSG},
        {"sha-256 " SHA1_TEXT, -EBADMSG},
        {"sha-1", -EBADMSG},
        {"sha-1 ", -EBADMSG},
        {" " SHA1_TEXT, -EBADMSG},
        {"", -EBADMSG},
        {"sha-224 " SHA1_TEXT, -EPROTONOSUPPORT},
        {"md5 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF", -EPROTONOSUPPORT},
        {"sha " SHA1_TEXT, -EPROTONOSUPPORT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fingerprint fp = {.len = 99};
        int err = read_exact(rows[i].text, strlen(rows[i].text), &fp);
        cr_assert_eq(err, rows[i].want, "%s: %d", rows[i].text, err);
        if (err) {
            cr_assert_eq(fp.len, 99, "written only on success");
        } else {
            cr_assert_eq(fp.hash, FP_SHA1);
            cr_assert_eq(fp.len, 20);
            cr_assert_eq(fp.digest[10], 0xaa);
            cr_assert_eq(fp.digest[19], 0x04);
        }
    }
}

Test(cert, every_hash_survives_a_round_trip_and_no_prefix_does)
{
    static const struct {
        enum fingerprint_hash hash;
        uint8_t len;
        const char *start;
    } rows[] = {
        {FP_SHA1, 20, "sha-1 07:2C"},
        {FP_SHA256, 32, "sha-256 07:2C"},
        {FP_SHA384, 48, "sha-384 07:2C"},
        {FP_SHA512, 64, "sha-512 07:2C"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fingerprint fp = {.hash = rows[i].hash, .len = rows[i].len};
        struct fingerprint back = {0};
        char text[208];
        for (size_t b = 0; b < fp.len; b++) {
            fp.digest[b] = (uint8_t)(7 + 37 * b);
        }
        fingerprint_format(&fp, text, sizeof(text));
        size_t len = strlen(text);
        cr_assert_eq(strncmp(text, rows[i].start, strlen(rows[i].start)), 0, "%s", text);
        cr_assert_eq(read_exact(text, len, &back), 0);
        cr_assert(memcmp(&fp, &back, sizeof(fp)) == 0);
        for (size_t n = 0; n < len; n++) {
            cr_assert_lt(read_exact(text, n, &back), 0, "%zu of %s", n, text);
        }
    }
}

Test(cert, is_a_fresh_self_signed_p256_certificate)
{
    struct cert *a = cert_new();
    struct cert *b = cert_new();
    uint8_t digest[32];
    unsigned len = 0;
    char group[32];
    cr_assert(a && b);
    const struct fingerprint *fp = cert_fingerprint(a);
    cr_assert_eq(fp->hash, FP_SHA256);
    cr_assert_eq(fp->len, 32);
    cr_assert_eq(X509_digest(a->x509, EVP_sha256(), digest, &len), 1);
    cr_assert(memcmp(fp->digest, digest, 32) == 0);
    cr_assert(memcmp(fp->digest, cert_fingerprint(b)->digest, 32) != 0, "not the same twice");
    cr_assert_eq(X509_verify(a->x509, a->key), 1);
    cr_assert_eq(EVP_PKEY_get_group_name(a->key, group, sizeof(group), NULL), 1);
    cr_assert_str_eq(group, "prime256v1");
    cr_assert_lt(X509_cmp_current_time(X509_get0_notBefore(a->x509)), 0);
    cr_assert_gt(X509_cmp_current_time(X509_get0_notAfter(a->x509)), 0);
    cr_assert_gt(CRYPTO_secure_used(), 0, "the private key lies in the secure heap");
    cert_free(a);
    cert_free(b);
    cert_free(NULL);
}
