/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/tls_self.h"

#include <errno.h>
#include <ifaddrs.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "ice/addr.h"
#include "signaling/entropy.h"
#include "signaling/strbuf.h"

#define DAYS 397

static bool is_dns_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < 254 &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") == len;
}

static void add_name(struct strbuf *b, const char *name)
{
    struct addr a;
    if (addr_parse_ip(name, 0, &a) == 0) {
        strbuf_addf(b, ",IP:%s", name);
    } else if (is_dns_name(name)) {
        strbuf_addf(b, ",DNS:%s", name);
    }
}

/* The host of "https://host:port". */
static void add_origin(struct strbuf *b, const char *origin)
{
    char host[CONF_STR_MAX];
    const char *at = strstr(origin, "://");
    if (at == NULL) {
        return;
    }
    at += 3;
    bool bracket = *at == '[';
    at += bracket ? 1 : 0;
    snprintf(host, sizeof(host), "%.*s", (int)strcspn(at, bracket ? "]" : ":/"), at);
    add_name(b, host);
}

static char *alt_names(const struct conf *c)
{
    struct strbuf b = {0};
    struct ifaddrs *all = NULL;
    char host[256] = "";
    size_t len;
    strbuf_addf(&b, "DNS:localhost,IP:127.0.0.1,IP:::1");
    if (gethostname(host, sizeof(host) - 1) == 0) {
        add_name(&b, host);
    }
    add_origin(&b, c->http.public_origin);
    if (getifaddrs(&all) == 0) {
        for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
            struct addr a;
            char text[ADDR_TEXT_MAX];
            if (i->ifa_addr != NULL && addr_from_sockaddr(&a, i->ifa_addr) == 0 &&
                !addr_is_loopback(&a) && a.scope == 0) {
                add_name(&b, addr_format(&a, false, text));
            }
        }
        freeifaddrs(all);
    }
    return strbuf_take(&b, &len);
}

static bool add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool good = e != NULL && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return good;
}

static X509 *make_cert(EVP_PKEY *key, const char *names)
{
    X509 *x = X509_new();
    if (x == NULL) {
        return NULL;
    }
    X509_NAME *subject = X509_get_subject_name(x);
    /* Browsers remember by serial and issuer: it must differ from start to start. */
    bool good =
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), entropy_u64() >> 1) == 1 &&
        X509_set_version(x, 2) == 1 && X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(x), (long)DAYS * 86400) != NULL &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                   (const unsigned char *)"Sluice (self-signed)", -1, -1, 0) == 1 &&
        X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key) == 1 &&
        add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(x, NID_key_usage, "critical,digitalSignature") &&
        add_extension(x, NID_ext_key_usage, "serverAuth") &&
        add_extension(x, NID_subject_alt_name, names) && X509_sign(x, key, EVP_sha256()) > 0;
    if (!good) {
        X509_free(x);
        return NULL;
    }
    return x;
}

/* What the memory BIO holds, as terminated text. */
static char *text_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    return len > 0 ? strndup(data, (size_t)len) : NULL;
}

int tls_self_make(const struct conf *c, struct tls_pem *ret)
{
    struct tls_pem pem = {0};
    char *names = alt_names(c);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key != NULL && names != NULL ? make_cert(key, names) : NULL;
    BIO *cert_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_secmem());
    if (x != NULL && cert_bio != NULL && key_bio != NULL && PEM_write_bio_X509(cert_bio, x) == 1 &&
        PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        pem.cert = text_of(cert_bio);
        pem.key = text_of(key_bio);
    }
    BIO_free(cert_bio);
    BIO_free(key_bio);
    X509_free(x);
    EVP_PKEY_free(key);
    free(names);
    if (pem.cert == NULL || pem.key == NULL) {
        free(pem.cert);
        free(pem.key);
        return -ENOMEM;
    }
    *ret = pem;
    return 0;
}
