/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/tls.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "signaling/tls_self.h"

#define CHAIN_MAX  8
#define FILE_MAX   (256 * 1024)
#define RETIRED_US (60 * (int64_t)US_PER_S) /* far longer than a handshake may take */

struct pair {
    struct pair *next; /* retired ones */
    int64_t retired_us;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned n;
    gnutls_privkey_t key;
    char fingerprint[TLS_FINGERPRINT_TEXT];
    int64_t not_after_s;
};

struct tls {
    struct pair *current;
    struct pair *retired;
};

/* libmicrohttpd's certificate callback has no argument of ours. One process has one public
 * listener; only MAIN touches this. */
static struct tls *in_use;

static int on_certificate(gnutls_session_t session, const gnutls_datum_t *req_ca_dn, int n_req,
                          const gnutls_pk_algorithm_t *pk_algos, int n_pk_algos,
                          gnutls_pcert_st **ret_chain, unsigned *ret_n, gnutls_privkey_t *ret_key)
{
    (void)session;
    (void)req_ca_dn;
    (void)n_req;
    (void)pk_algos;
    (void)n_pk_algos;
    if (in_use == NULL) {
        return -1;
    }
    *ret_chain = in_use->current->chain;
    *ret_n = in_use->current->n;
    *ret_key = in_use->current->key;
    return 0;
}

void *tls_callback(void)
{
    /* ISO C has no conversion from function to object pointer; POSIX does. */
    gnutls_certificate_retrieve_function2 *fn = on_certificate;
    void *p;
    static_assert(sizeof(fn) == sizeof(p), "POSIX");
    memcpy(&p, &fn, sizeof(p));
    return p;
}

static void pair_free(struct pair *p)
{
    if (p == NULL) {
        return;
    }
    for (unsigned i = 0; i < p->n; i++) {
        gnutls_pcert_deinit(&p->chain[i]);
    }
    if (p->key != NULL) {
        gnutls_privkey_deinit(p->key);
    }
    free(p);
}

/* Facts for people, and the check that key and certificate belong together: by OpenSSL, since
 * GnuTLS would tell only at the first handshake. */
static int inspect(struct pair *p, const struct tls_pem *pem, const char **ret_what)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct tm end = {0};
    BIO *cert_bio = BIO_new_mem_buf(pem->cert, (int)strlen(pem->cert));
    BIO *key_bio = BIO_new_mem_buf(pem->key, (int)strlen(pem->key));
    X509 *leaf = cert_bio != NULL ? PEM_read_bio_X509(cert_bio, NULL, NULL, NULL) : NULL;
    char none[] = "";
    EVP_PKEY *key = key_bio != NULL ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, none) : NULL;
    int r = -EBADMSG;
    if (leaf == NULL) {
        *ret_what = "tls.cert_file holds no certificate in PEM";
    } else if (key == NULL) {
        *ret_what = "tls.key_file holds no private key in PEM without a passphrase";
    } else if (X509_check_private_key(leaf, key) != 1) {
        *ret_what = "tls.key_file is not the key of the first certificate in tls.cert_file";
    } else if (X509_digest(leaf, EVP_sha256(), digest, &len) == 1 &&
               ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) == 1) {
        for (unsigned i = 0; i < len; i++) {
            snprintf(p->fingerprint + 3 * i, sizeof(p->fingerprint) - 3 * i, "%02X%s", digest[i],
                     i + 1 < len ? ":" : "");
        }
        p->not_after_s = (int64_t)timegm(&end);
        r = 0;
    } else {
        *ret_what = "tls.cert_file: the dates of the certificate cannot be read";
    }
    X509_free(leaf);
    EVP_PKEY_free(key);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    return r;
}

static int load(const struct tls_pem *pem, struct pair **ret, const char **ret_what)
{
    struct pair *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        *ret_what = "out of memory";
        return -ENOMEM;
    }
    int r = inspect(p, pem, ret_what);
    if (r < 0) {
        pair_free(p);
        return r;
    }
    gnutls_datum_t cert = {(unsigned char *)pem->cert, (unsigned)strlen(pem->cert)};
    gnutls_datum_t key = {(unsigned char *)pem->key, (unsigned)strlen(pem->key)};
    unsigned n = CHAIN_MAX;
    if (gnutls_pcert_list_import_x509_raw(p->chain, &n, &cert, GNUTLS_X509_FMT_PEM, 0) < 0) {
        *ret_what = "tls.cert_file: GnuTLS does not take it (at most 8 certificates)";
        pair_free(p);
        return -EBADMSG;
    }
    p->n = n;
    if (gnutls_privkey_init(&p->key) < 0 ||
        gnutls_privkey_import_x509_raw(p->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0) < 0) {
        *ret_what = "tls.key_file: GnuTLS does not take it";
        pair_free(p);
        return -EBADMSG;
    }
    *ret = p;
    return 0;
}

/* A whole file as terminated text, or NULL. */
static char *slurp(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = f != NULL ? malloc(FILE_MAX + 1) : NULL;
    if (text != NULL) {
        size_t n = fread(text, 1, FILE_MAX, f);
        text[n] = '\0';
    }
    if (f != NULL) {
        fclose(f);
    }
    return text;
}

static void pem_fini(struct tls_pem *pem)
{
    if (pem->key != NULL) {
        OPENSSL_cleanse(pem->key, strlen(pem->key));
    }
    free(pem->cert);
    free(pem->key);
}

static int obtain(const struct conf *c, struct pair **ret, const char **ret_what)
{
    struct tls_pem pem = {0};
    int r = -ENOENT;
    if (c->tls.cert_file[0] != '\0') {
        pem.cert = slurp(c->tls.cert_file);
        pem.key = slurp(c->tls.key_file);
        *ret_what =
            pem.cert == NULL ? "tls.cert_file cannot be read" : "tls.key_file cannot be read";
    } else {
        r = tls_self_make(c, &pem);
        *ret_what = "the self-signed certificate could not be made";
    }
    if (pem.cert != NULL && pem.key != NULL) {
        r = load(&pem, ret, ret_what);
    }
    pem_fini(&pem);
    return r;
}

int tls_check(const struct conf *c, const char **ret_what)
{
    struct pair *p;
    int r = obtain(c, &p, ret_what);
    if (r == 0) {
        pair_free(p);
    }
    return r;
}

int tls_new(const struct conf *c, struct tls **ret, const char **ret_what)
{
    struct tls *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        *ret_what = "out of memory";
        return -ENOMEM;
    }
    int r = obtain(c, &t->current, ret_what);
    if (r < 0) {
        free(t);
        return r;
    }
    if (in_use == NULL) {
        in_use = t;
    }
    *ret = t;
    return 0;
}

void tls_free(struct tls *t)
{
    if (t == NULL) {
        return;
    }
    if (in_use == t) {
        in_use = NULL;
    }
    pair_free(t->current);
    while (t->retired != NULL) {
        struct pair *p = t->retired;
        t->retired = p->next;
        pair_free(p);
    }
    free(t);
}

static void free_old(struct tls *t, int64_t now_us)
{
    struct pair **at = &t->retired;
    while (*at != NULL) {
        struct pair *p = *at;
        if (now_us - p->retired_us > RETIRED_US) {
            *at = p->next;
            pair_free(p);
        } else {
            at = &p->next;
        }
    }
}

int tls_reload(struct tls *t, const struct conf *c, const char **ret_what)
{
    struct pair *p;
    int64_t now_us = clock_now_us();
    free_old(t, now_us);
    if (c->tls.cert_file[0] == '\0') {
        return 0;
    }
    int r = obtain(c, &p, ret_what);
    if (r < 0) {
        return r;
    }
    /* A handshake may be between certificate and signature. */
    t->current->retired_us = now_us;
    t->current->next = t->retired;
    t->retired = t->current;
    t->current = p;
    return 0;
}

const char *tls_fingerprint(const struct tls *t)
{
    return t->current->fingerprint;
}

int64_t tls_not_after_s(const struct tls *t)
{
    return t->current->not_after_s;
}
