/* SPDX-License-Identifier: Apache-2.0 */
/* Our DTLS, in both roles, against OpenSSL as anyone would use it. */
#include "ice/cert_private.h"
#include "ice/dtls.h"
#include "ice/dtls_filter.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL "EXTRACTOR-dtls_srtp"
#define BUF   2048

/* No timer runs out in these tests: nothing is lost. */
static const int64_t now_us = 1000LL * US_PER_S;

static struct fingerprint print_of(const X509 *x)
{
    struct fingerprint fp = {.hash = FP_SHA256, .len = 32};
    unsigned len = 0;
    cr_assert_eq(X509_digest(x, EVP_sha256(), fp.digest, &len), 1);
    return fp;
}

static bool same_keys(const struct srtp_keys *a, const struct srtp_keys *b)
{
    return a->profile == b->profile && memcmp(a->key, b->key, srtp_key_len(a->profile)) == 0 &&
           memcmp(a->salt, b->salt, srtp_salt_len(a->profile)) == 0;
}

struct raw {
    SSL_CTX *ctx;
    SSL *ssl;
    X509 *x509;
    EVP_PKEY *key;
    bool split; /* one record a datagram, else all that is there in one */
};

struct raw_params {
    bool server;
    const char *profiles; /* NULL: none */
    const char *ciphers;  /* NULL: default */
    const char *key;      /* "P-256" (NULL), "P-384", "P-521", "RSA", "none" */
    unsigned long options;
    int max_version; /* 0: DTLS 1.2 */
    unsigned alpn_bytes;
    long mtu; /* 0: 1200 */
};

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned *len)
{
    (void)ssl;
    memcpy(cookie, "crumbs", 6);
    *len = 6;
    return 1;
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
    (void)ssl;
    return len == 6 && memcmp(cookie, "crumbs", 6) == 0;
}

static void raw_cert(struct raw *r, const char *kind)
{
    static EVP_PKEY *rsa; /* takes long to make */
    if (strcmp(kind, "RSA") == 0) {
        rsa = rsa ? rsa : EVP_RSA_gen(2048);
        EVP_PKEY_up_ref(rsa);
        r->key = rsa;
    } else {
        r->key = EVP_EC_gen(kind);
    }
    r->x509 = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(r->x509), -60);
    X509_gmtime_adj(X509_getm_notAfter(r->x509), 3600);
    X509_set_pubkey(r->x509, r->key);
    X509_sign(r->x509, r->key, EVP_sha256());
    cr_assert_eq(SSL_CTX_use_certificate(r->ctx, r->x509), 1);
    cr_assert_eq(SSL_CTX_use_PrivateKey(r->ctx, r->key), 1);
}

static void raw_init(struct raw *r, const struct raw_params *p)
{
    memset(r, 0, sizeof(*r));
    r->ctx = SSL_CTX_new(DTLS_method());
    SSL_CTX_set_options(r->ctx, SSL_OP_NO_QUERY_MTU | p->options);
    SSL_CTX_set_min_proto_version(r->ctx, DTLS1_VERSION);
    SSL_CTX_set_max_proto_version(r->ctx, p->max_version ? p->max_version : DTLS1_2_VERSION);
    SSL_CTX_set_verify(r->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    if (p->max_version == DTLS1_VERSION) {
        SSL_CTX_set_security_level(r->ctx, 0);
    }
    SSL_CTX_set_cookie_generate_cb(r->ctx, make_cookie);
    SSL_CTX_set_cookie_verify_cb(r->ctx, check_cookie);
    cr_assert_eq(SSL_CTX_set_cipher_list(r->ctx, p->ciphers ? p->ciphers : "DEFAULT"), 1);
    const char *kind = p->key ? p->key : "P-256";
    if (strcmp(kind, "none") != 0) {
        raw_cert(r, kind);
    }
    r->ssl = SSL_new(r->ctx);
    if (p->profiles) {
        cr_assert_eq(SSL_set_tlsext_use_srtp(r->ssl, p->profiles), 0);
    }
    if (p->alpn_bytes) {
        uint8_t alpn[4096];
        unsigned n = 0;
        while (n < p->alpn_bytes) {
            alpn[n] = 100;
            memset(alpn + n + 1, 'a', 100);
            n += 101;
        }
        cr_assert_eq(SSL_set_alpn_protos(r->ssl, alpn, n), 0);
    }
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(r->ssl, in, out);
    cr_assert_gt(SSL_set_mtu(r->ssl, p->mtu ? p->mtu : 1200), 0);
    if (p->server) {
        SSL_set_accept_state(r->ssl);
    } else {
        SSL_set_connect_state(r->ssl);
    }
    r->split = true;
}

static void raw_free(struct raw *r)
{
    SSL_free(r->ssl);
    SSL_CTX_free(r->ctx);
    X509_free(r->x509);
    EVP_PKEY_free(r->key);
    ERR_clear_error();
}

/* What the raw peer wrote goes to ours. *data_len sums application data that came out. */
static bool raw_to_ours(struct raw *r, struct dtls *d, size_t *data_len)
{
    uint8_t *all;
    BIO *out = SSL_get_wbio(r->ssl);
    size_t left = (size_t)BIO_get_mem_data(out, &all);
    bool moved = left > 0;
    while (left > 0) {
        size_t n = DTLS_RECORD_HDR + ((size_t)all[11] << 8 | all[12]);
        const uint8_t *data;
        size_t len;
        n = r->split ? n : MIN(left, DTLS_DATAGRAM_MAX);
        dtls_on_datagram(d, now_us, all, n, &data, &len);
        *data_len += len;
        all += n;
        left -= n;
    }
    BIO_reset(out);
    return moved;
}

static bool ours_to_raw(struct raw *r, struct dtls *d)
{
    uint8_t buf[BUF];
    size_t n;
    bool moved = false;
    while ((n = dtls_poll(d, buf, sizeof(buf))) > 0) {
        uint8_t data[BUF];
        cr_assert_eq(BIO_write(SSL_get_rbio(r->ssl), buf, (int)n), (int)n);
        if (SSL_is_init_finished(r->ssl)) {
            SSL_read(r->ssl, data, sizeof(data));
        } else {
            SSL_do_handshake(r->ssl);
        }
        moved = true;
    }
    return moved;
}

static size_t raw_run(struct raw *r, struct dtls *d)
{
    size_t data = 0;
    if (!SSL_is_init_finished(r->ssl)) {
        SSL_do_handshake(r->ssl);
    }
    for (bool moved = true; moved;) {
        moved = raw_to_ours(r, d, &data);
        moved = ours_to_raw(r, d) || moved;
    }
    ERR_clear_error();
    return data;
}

/* Ours, set up to trust r. */
static struct dtls *ours_for(const struct raw *r, const struct cert *cert, bool server,
                             bool no_media)
{
    struct fingerprint fp = {.hash = FP_SHA256, .len = 32};
    if (r->x509) {
        fp = print_of(r->x509);
    }
    const struct dtls_params params = {.cert = cert,
                                       .role = server ? DTLS_SERVER : DTLS_CLIENT,
                                       .fingerprints = &fp,
                                       .n_fingerprints = 1,
                                       .no_media = no_media};
    struct dtls *d = dtls_new(&params);
    cr_assert(d);
    dtls_start(d, now_us);
    return d;
}

#define ALL_PROFILES "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM"

/* Keys by RFC 5764 4.2 straight from the peer's exporter. */
static void assert_keys_of(struct raw *r, struct dtls *d, bool raw_is_server)
{
    struct srtp_keys tx;
    struct srtp_keys rx;
    uint8_t block[128];
    cr_assert_eq(dtls_export_keys(d, &tx, &rx), 0);
    size_t key = srtp_key_len(tx.profile);
    size_t salt = srtp_salt_len(tx.profile);
    cr_assert_eq((int)SSL_get_selected_srtp_profile(r->ssl)->id, (int)tx.profile);
    cr_assert_eq(SSL_export_keying_material(r->ssl, block, 2 * (key + salt), LABEL, strlen(LABEL),
                                            NULL, 0, 0),
                 1);
    const struct srtp_keys *client = raw_is_server ? &tx : &rx;
    const struct srtp_keys *server = raw_is_server ? &rx : &tx;
    cr_assert(memcmp(client->key, block, key) == 0);
    cr_assert(memcmp(server->key, block + key, key) == 0);
    cr_assert(memcmp(client->salt, block + 2 * key, salt) == 0);
    cr_assert(memcmp(server->salt, block + 2 * key + salt, salt) == 0);
}

/* Every suite, both roles, RSA and EC peers: keys agree, data flows both ways, close_notify is
 * understood both ways, with OpenSSL's state there and after dtls_shrink. */
Test(dtls_openssl, works_with_plain_openssl_and_closes_after_shrinking, .timeout = 60)
{
    static const struct {
        const char *cipher;
        const char *key;
        const char *profiles;
        enum srtp_profile want;
    } rows[] = {
        {"ECDHE-ECDSA-AES128-GCM-SHA256", "P-256", ALL_PROFILES, SRTP_AEAD_AES_128_GCM},
        {"ECDHE-ECDSA-AES256-GCM-SHA384", "P-384", "SRTP_AEAD_AES_256_GCM", SRTP_AEAD_AES_256_GCM},
        {"ECDHE-ECDSA-CHACHA20-POLY1305", "P-256", "SRTP_AES128_CM_SHA1_80",
         SRTP_AES128_CM_SHA1_80},
        {"DEFAULT", "RSA", "SRTP_AEAD_AES_128_GCM", SRTP_AEAD_AES_128_GCM},
    };
    struct cert *cert = cert_new();
    for (size_t i = 0; i < ARRAY_LEN(rows) * 8; i++) {
        size_t row = i / 8;
        bool raw_server = i & 1;
        bool shrink = i & 2;
        bool we_close = i & 4;
        struct raw r;
        raw_init(&r, &(struct raw_params){.server = raw_server,
                                          .profiles = rows[row].profiles,
                                          .ciphers = rows[row].cipher,
                                          .key = rows[row].key});
        struct dtls *d = ours_for(&r, cert, !raw_server, false);
        raw_run(&r, d);
        cr_assert_eq(dtls_state(d), DTLS_UP, "case %zu: %s", i,
                     dtls_fail_reason(d) ? dtls_fail_reason(d) : "");
        cr_assert(SSL_is_init_finished(r.ssl));
        cr_assert(row == 3 || strcmp(SSL_get_cipher(r.ssl), rows[row].cipher) == 0);
        assert_keys_of(&r, d, raw_server);
        if (row != 0) { /* in row 0 nothing was sealed but Finished */
            cr_assert_eq(SSL_write(r.ssl, "hello", 5), 5);
            cr_assert_eq(dtls_send(d, (const uint8_t *)"world", 5), 0);
            cr_assert_eq(raw_run(&r, d), 5);
        }
        if (shrink) {
            struct srtp_keys k;
            dtls_shrink(d);
            cr_assert_eq(dtls_state(d), DTLS_UP);
            cr_assert_eq(dtls_export_keys(d, &k, &k), -EAGAIN);
            cr_assert_eq(dtls_send(d, (const uint8_t *)"x", 1), -EAGAIN);
            cr_assert_eq(dtls_next_deadline(d), INT64_MAX);
            SSL_write(r.ssl, "late", 4); /* data is not understood any more, and does no harm */
            cr_assert_eq(raw_run(&r, d), 0);
            cr_assert_eq(dtls_state(d), DTLS_UP);
        }
        if (we_close) {
            dtls_close(d);
            cr_assert_eq(dtls_state(d), DTLS_CLOSED);
            cr_assert(ours_to_raw(&r, d));
            cr_assert(SSL_get_shutdown(r.ssl) & SSL_RECEIVED_SHUTDOWN, "case %zu", i);
        } else {
            SSL_shutdown(r.ssl);
            raw_run(&r, d);
            cr_assert_eq(dtls_state(d), DTLS_CLOSED, "case %zu", i);
            cr_assert(SSL_get_shutdown(r.ssl) & SSL_RECEIVED_SHUTDOWN, "it is answered: case %zu",
                      i);
        }
        uint8_t buf[BUF];
        dtls_close(d);
        while (dtls_poll(d, buf, sizeof(buf)) > 0) {
        }
        cr_assert_eq(dtls_poll(d, buf, sizeof(buf)), 0, "closing twice sends nothing more");
        dtls_free(d);
        raw_free(&r);
    }
    cert_free(cert);
}

/* Chromium and Firefox send a ClientHello of 1.4 kB in two datagrams or records. */
Test(dtls_openssl, takes_a_client_hello_in_pieces)
{
    static const struct {
        unsigned alpn_bytes;
        long mtu;
        bool split;
    } rows[] = {
        {1300, 1200, true}, {1300, 1200, false}, {1900, 600, true},
        {1900, 1200, true}, {0, 256, true},      {3500, 300, true},
    };
    struct cert *cert = cert_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct raw r;
        raw_init(&r, &(struct raw_params){.profiles = ALL_PROFILES,
                                          .alpn_bytes = rows[i].alpn_bytes,
                                          .mtu = rows[i].mtu});
        r.split = rows[i].split;
        struct dtls *d = ours_for(&r, cert, true, false);
        raw_run(&r, d);
        cr_assert_eq(dtls_state(d), DTLS_UP, "row %zu: %s", i,
                     dtls_fail_reason(d) ? dtls_fail_reason(d) : "no reason");
        cr_assert_eq(dtls_filtered(d), 0);
        dtls_free(d);
        raw_free(&r);
    }
    cert_free(cert);
}

Test(dtls_openssl, says_why_it_failed)
{
    static const struct {
        struct raw_params raw;
        const char *want; /* NULL: comes up */
        bool no_media;
    } rows[] = {
        {{.profiles = NULL}, NULL, true},
        {{.server = true, .profiles = NULL}, NULL, true},
        {{.profiles = "SRTP_AES128_CM_SHA1_32"}, NULL, true},
        {{.profiles = NULL, .key = "none"}, "no_certificate", true},
        {{.profiles = NULL}, "no_srtp_profile"},
        {{.profiles = "SRTP_AES128_CM_SHA1_32"}, "no_srtp_profile"},
        {{.profiles = ALL_PROFILES}, NULL},
        {{.profiles = ALL_PROFILES, .key = "none"}, "no_certificate"},
        {{.profiles = ALL_PROFILES, .key = "P-521"}, "peer_key_type"},
        {{.profiles = ALL_PROFILES, .options = SSL_OP_NO_EXTENDED_MASTER_SECRET},
         "no_extended_master_secret"},
        {{.profiles = ALL_PROFILES, .max_version = DTLS1_VERSION}, "version"},
        {{.profiles = ALL_PROFILES, .ciphers = "ECDHE-ECDSA-AES128-SHA"}, "no_shared_cipher"},
        {{.server = true, .profiles = NULL}, "no_srtp_profile"},
        {{.server = true, .profiles = "SRTP_AES128_CM_SHA1_32"}, "no_srtp_profile"},
        {{.server = true, .profiles = ALL_PROFILES}, NULL},
        /* HelloVerifyRequest, of servers on mbedTLS (ESP32) */
        {{.server = true, .profiles = ALL_PROFILES, .options = SSL_OP_COOKIE_EXCHANGE}, NULL},
        {{.server = true, .profiles = ALL_PROFILES, .key = "P-521"}, "peer_alert"},
        {{.server = true, .profiles = ALL_PROFILES, .options = SSL_OP_NO_EXTENDED_MASTER_SECRET},
         "no_extended_master_secret"},
        {{.server = true, .profiles = ALL_PROFILES, .ciphers = "ECDHE-ECDSA-AES128-SHA"},
         "peer_alert"},
    };
    struct cert *cert = cert_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct raw r;
        struct srtp_keys k;
        raw_init(&r, &rows[i].raw);
        struct dtls *d = ours_for(&r, cert, !rows[i].raw.server, rows[i].no_media);
        raw_run(&r, d);
        const char *why = dtls_fail_reason(d);
        if (rows[i].want) {
            cr_assert_eq(dtls_state(d), DTLS_FAILED, "row %zu", i);
            cr_assert_str_eq(why, rows[i].want, "row %zu: %s", i, why);
            cr_assert_eq(dtls_export_keys(d, &k, &k), -EAGAIN);
            cr_assert_eq(dtls_next_deadline(d), INT64_MAX);
        } else {
            cr_assert_eq(dtls_state(d), DTLS_UP, "row %zu: %s", i, why ? why : "");
        }
        dtls_free(d);
        raw_free(&r);
    }
    cert_free(cert);
}

/* ---- data ---- */

Test(dtls_openssl, data_records_of_one_datagram_come_out_one_by_one)
{
    struct cert *cert = cert_new();
    struct raw r;
    uint8_t *all;
    const uint8_t *data;
    size_t len;
    uint8_t big[DTLS_MTU] = {0};
    raw_init(&r, &(struct raw_params){.profiles = ALL_PROFILES});
    struct dtls *d = ours_for(&r, cert, true, false);
    raw_run(&r, d);
    for (int drain = 0; drain < 2; drain++) {
        SSL_write(r.ssl, "one", 3);
        SSL_write(r.ssl, "two!", 4);
        SSL_write(r.ssl, "three", 5);
        size_t n = (size_t)BIO_get_mem_data(SSL_get_wbio(r.ssl), &all);
        cr_assert_eq(dtls_on_datagram(d, now_us, all, n, &data, &len), DTLS_UP);
        cr_assert(len == 3 && memcmp(data, "one", 3) == 0);
        dtls_on_datagram(d, now_us, NULL, 0, &data, &len);
        cr_assert(len == 4 && memcmp(data, "two!", 4) == 0);
        if (drain) {
            dtls_on_datagram(d, now_us, NULL, 0, &data, &len);
            cr_assert(len == 5 && memcmp(data, "three", 5) == 0);
            dtls_on_datagram(d, now_us, NULL, 0, &data, &len);
            cr_assert_eq(len, 0);
        }
        BIO_reset(SSL_get_wbio(r.ssl));
    }
    SSL_write(r.ssl, "next", 4);
    size_t n = (size_t)BIO_get_mem_data(SSL_get_wbio(r.ssl), &all);
    uint8_t replay[BUF];
    memcpy(replay, all, n);
    dtls_on_datagram(d, now_us, all, n, &data, &len);
    cr_assert(len == 4 && memcmp(data, "next", 4) == 0, "not mixed with what was left");
    dtls_on_datagram(d, now_us, replay, n, &data, &len);
    cr_assert_eq(len, 0, "a replayed record is dropped");
    replay[n - 1] ^= 1;
    cr_assert_eq(dtls_on_datagram(d, now_us, replay, n, &data, &len), DTLS_UP);
    cr_assert_eq(len, 0);

    cr_assert_eq(dtls_send(d, big, DTLS_MTU - 64), 0);
    uint8_t out[BUF];
    cr_assert_leq(dtls_poll(d, out, sizeof(out)), DTLS_MTU);
    cr_assert_eq(dtls_send(d, big, DTLS_MTU - 63), -EMSGSIZE);
    cr_assert_eq(dtls_send(d, big, 0), -EMSGSIZE);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(dtls_send(d, big, 1000), 0);
    }
    int queued = 0;
    while (dtls_poll(d, out, sizeof(out)) > 0) {
        queued++;
    }
    cr_assert_eq(queued, 16, "the queue is bounded");
    dtls_free(d);
    raw_free(&r);
    cert_free(cert);
}

/* A client that renegotiates is told no, and the session lives (DTLS-15). */
Test(dtls_openssl, refuses_renegotiation)
{
    struct cert *cert = cert_new();
    struct raw r;
    raw_init(&r, &(struct raw_params){.profiles = ALL_PROFILES});
    struct dtls *d = ours_for(&r, cert, true, false);
    raw_run(&r, d);
    struct srtp_keys tx[2];
    struct srtp_keys rx[2];
    cr_assert_eq(dtls_export_keys(d, &tx[0], &rx[0]), 0);
    SSL_renegotiate(r.ssl);
    SSL_do_handshake(r.ssl);
    size_t data = 0;
    raw_to_ours(&r, d, &data);
    cr_assert_eq(dtls_state(d), DTLS_UP);
    cr_assert_eq(dtls_export_keys(d, &tx[1], &rx[1]), 0);
    cr_assert(same_keys(&tx[0], &tx[1]) && same_keys(&rx[0], &rx[1]));
    dtls_free(d);
    raw_free(&r);
    cert_free(cert);
}

/* ---- the private key (SEC-56); not where AddressSanitizer has laid its shadow over memory ---- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHADOWED 1
#endif
#endif
#if !defined(SHADOWED) && !defined(__SANITIZE_ADDRESS__)

#define MASK 0x5a

/* The private number of a key, masked, so that this is no copy of it. */
static void masked_secret(const EVP_PKEY *key, uint8_t out[32])
{
    BIGNUM *n = NULL;
    cr_assert_eq(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &n), 1);
    cr_assert_eq(BN_bn2lebinpad(n, out, 32), 32);
    BN_clear_free(n);
    for (int i = 0; i < 32; i++) {
        out[i] ^= MASK;
    }
}

/* Wipes what the calls before have left below on the stack. */
static __attribute__((noinline)) void wipe_stack(void)
{
    uint8_t below[65536];
    OPENSSL_cleanse(below, sizeof(below));
}

/* How often the number stands in [from, to), in either order of its bytes. */
static unsigned count_secret(const uint8_t *from, const uint8_t *to, const uint8_t masked[32])
{
    unsigned n = 0;
    for (const uint8_t *p = from; p + 32 <= to; p++) {
        bool little = true, big = true;
        for (int i = 0; i < 32 && (little || big); i++) {
            little = little && (p[i] ^ MASK) == masked[i];
            big = big && (p[i] ^ MASK) == masked[31 - i];
        }
        n += little || big;
    }
    return n;
}

/* Copies of a key in writable memory: those that a core dump would hold, or swap, and the others.
 */
static void find_copies(const uint8_t masked[32], unsigned *ret_open, unsigned *ret_locked)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    uintptr_t from = 0, to = 0;
    unsigned n = 0;
    cr_assert(f);
    *ret_open = 0;
    *ret_locked = 0;
    while (fgets(line, sizeof(line), f)) {
        unsigned long a, b;
        char mode[8];
        if (sscanf(line, "%lx-%lx %7s", &a, &b, mode) == 3) {
            from = a;
            to = b;
            bool ours = strncmp(mode, "rw", 2) == 0 && !strstr(line, "[vv");
            n = ours ? count_secret((uint8_t *)from, (uint8_t *)to, masked) : 0;
        } else if (strncmp(line, "VmFlags:", 8) == 0) {
            *(strstr(line, " lo") && strstr(line, " dd") ? ret_locked : ret_open) += n;
            n = 0;
        }
    }
    fclose(f);
}

/* Signing as server and as client, and with the peer's RSA beside it, leaves no copy of our key
 * where a core dump or swap would show it. */
Test(dtls_openssl, the_private_key_is_in_locked_memory_only, .timeout = 60)
{
    struct cert *cert = cert_new();
    uint8_t masked[32];
    unsigned open_copies, locked;
    masked_secret(cert->key, masked);
    for (int i = 0; i < 4; i++) {
        struct raw r;
        raw_init(&r, &(struct raw_params){.server = i & 1,
                                          .profiles = ALL_PROFILES,
                                          .key = i & 2 ? "RSA" : "P-256"});
        struct dtls *d = ours_for(&r, cert, !(i & 1), false);
        raw_run(&r, d);
        cr_assert_eq(dtls_state(d), DTLS_UP);
        dtls_free(d);
        raw_free(&r);
    }
    wipe_stack();
    find_copies(masked, &open_copies, &locked);
    cr_expect_eq(open_copies, 0, "%u copies outside", open_copies);
    cr_expect_geq(locked, 1, "the key itself is found, else this proves nothing");
    cert_free(cert);
    find_copies(masked, &open_copies, &locked);
    cr_expect(open_copies + locked == 0, "%u and %u left when it is freed", open_copies, locked);
}

#endif

/* ---- certificates of any size (SEC-50) ---- */

/* Puts further certificates, each with a comment, into what the peer sends. */
static void grow_chain(struct raw *r, unsigned n_extra, size_t comment_bytes)
{
    for (unsigned i = 0; i < n_extra; i++) {
        X509 *x = X509_new();
        char *text = calloc(1, comment_bytes + 1);
        memset(text, 'n', comment_bytes);
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_netscape_comment, text);
        X509_gmtime_adj(X509_getm_notBefore(x), -60);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        X509_set_pubkey(x, r->key);
        cr_assert_eq(X509_add_ext(x, e, -1), 1);
        X509_sign(x, r->key, EVP_sha256());
        cr_assert_eq(SSL_add1_chain_cert(r->ssl, x), 1);
        X509_EXTENSION_free(e);
        X509_free(x);
        free(text);
    }
}

Test(dtls_openssl, certificates_beyond_16_kib_end_the_handshake)
{
    static const struct {
        unsigned n_extra;
        size_t comment_bytes;
        bool up;
    } rows[] = {{1, 100, true}, {2, 3000, true}, {9, 3000, false}, {1, 30000, false}};
    struct cert *cert = cert_new();
    for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
        size_t row = i / 2;
        bool server = i & 1;
        struct raw r;
        raw_init(&r, &(struct raw_params){.server = server, .profiles = ALL_PROFILES});
        grow_chain(&r, rows[row].n_extra, rows[row].comment_bytes);
        struct dtls *d = ours_for(&r, cert, !server, false);
        raw_run(&r, d);
        cr_expect_eq(dtls_state(d) == DTLS_UP, rows[row].up, "row %zu: %s", i,
                     dtls_fail_reason(d) ? dtls_fail_reason(d) : "");
        dtls_free(d);
        raw_free(&r);
    }
    cert_free(cert);
}
