/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_dtls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#define DTLS_MTU          1200
#define FIRST_TIMEOUT_US  100000
#define TIMEOUT_CAP_US    1000000
#define CERT_LIFE_S       (30 * 24 * 3600)
#define FINGERPRINT_CHARS (EVP_MAX_MD_SIZE * 3)

struct peer_identity {
    SSL_CTX *client;
    SSL_CTX *server;
    BIO_METHOD *bio;
    X509 *cert;
    EVP_PKEY *key;
    char fingerprint[FINGERPRINT_CHARS];
};

struct peer_dtls {
    SSL *ssl;
    bool up, ended;
    peer_dtls_send_fn *send;
    void *ctx;
    const uint8_t *in;
    size_t in_len;
    size_t data_len; /* of what the last datagram held */
    uint8_t data[2048];
    char error[128];
};

/* ---- datagram BIO: one write, one datagram; one read, the datagram being served ---- */

static int bio_write(BIO *b, const char *data, int len)
{
    struct peer_dtls *d = BIO_get_data(b);

    d->send(d->ctx, (const uint8_t *)data, (size_t)len);
    return len;
}

static int bio_read(BIO *b, char *out, int cap)
{
    struct peer_dtls *d = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (!d->in) {
        BIO_set_retry_read(b);
        return -1;
    }
    size_t n = d->in_len < (size_t)cap ? d->in_len : (size_t)cap;
    memcpy(out, d->in, n);
    d->in = NULL;
    return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    (void)b;
    (void)num;
    (void)ptr;
    switch (cmd) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return DTLS_MTU;
    default:
        return 0;
    }
}

static int bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

/* ---- identity ---- */

static void format_fingerprint(const uint8_t *md, unsigned n, char out[FINGERPRINT_CHARS])
{
    for (unsigned i = 0; i < n; i++) {
        snprintf(out + (size_t)i * 3, 4, "%02X%s", md[i], i + 1 < n ? ":" : "");
    }
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();

    if (!x) {
        return NULL;
    }
    X509_NAME *name = X509_get_subject_name(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), CERT_LIFE_S);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"peer", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, key);
    if (!X509_sign(x, key, EVP_sha256())) {
        X509_free(x);
        return NULL;
    }
    return x;
}

static int accept_any_certificate(int ok, X509_STORE_CTX *store)
{
    (void)ok; /* WebRTC certificates are self-signed: the fingerprint in the SDP decides */
    (void)store;
    return 1;
}

static SSL_CTX *make_ctx(const struct peer_identity *id, const SSL_METHOD *method)
{
    SSL_CTX *c = SSL_CTX_new(method);

    if (!c || !SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) ||
        !SSL_CTX_set_max_proto_version(c, DTLS1_2_VERSION) ||
        SSL_CTX_use_certificate(c, id->cert) != 1 || SSL_CTX_use_PrivateKey(c, id->key) != 1 ||
        SSL_CTX_set_cipher_list(c, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                                   "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA") != 1) {
        SSL_CTX_free(c);
        return NULL;
    }
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       accept_any_certificate);
    SSL_CTX_set_options(c, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    return c;
}

struct peer_identity *peer_identity_new(void)
{
    struct peer_identity *id = calloc(1, sizeof(*id));
    uint8_t md[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (!id) {
        return NULL;
    }
    id->bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peer datagram");
    id->key = EVP_EC_gen("P-256");
    id->cert = id->key ? make_certificate(id->key) : NULL;
    if (!id->bio || !id->cert || X509_digest(id->cert, EVP_sha256(), md, &n) != 1) {
        peer_identity_free(id);
        return NULL;
    }
    BIO_meth_set_write(id->bio, bio_write);
    BIO_meth_set_read(id->bio, bio_read);
    BIO_meth_set_ctrl(id->bio, bio_ctrl);
    BIO_meth_set_create(id->bio, bio_create);
    format_fingerprint(md, n, id->fingerprint);
    id->client = make_ctx(id, DTLS_client_method());
    id->server = make_ctx(id, DTLS_server_method());
    if (!id->client || !id->server) {
        peer_identity_free(id);
        return NULL;
    }
    return id;
}

void peer_identity_free(struct peer_identity *id)
{
    if (!id) {
        return;
    }
    SSL_CTX_free(id->client);
    SSL_CTX_free(id->server);
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
    BIO_meth_free(id->bio);
    free(id);
}

const char *peer_identity_fingerprint(const struct peer_identity *id)
{
    return id->fingerprint;
}

static const EVP_MD *find_md(const char *alg)
{
    return !strcasecmp(alg, "sha-256")   ? EVP_sha256()
           : !strcasecmp(alg, "sha-384") ? EVP_sha384()
           : !strcasecmp(alg, "sha-512") ? EVP_sha512()
                                         : NULL;
}

bool peer_identity_digest(const struct peer_identity *id, const char *alg, char *out, size_t cap)
{
    const EVP_MD *md = find_md(alg);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (!md || cap < FINGERPRINT_CHARS || X509_digest(id->cert, md, digest, &n) != 1) {
        return false;
    }
    format_fingerprint(digest, n, out);
    return true;
}

void peer_identity_use(const struct peer_identity *id, struct ssl_ctx_st *ctx)
{
    (void)SSL_CTX_use_certificate(ctx, id->cert);
    (void)SSL_CTX_use_PrivateKey(ctx, id->key);
}

/* ---- one association ---- */

static unsigned next_timeout_us(SSL *ssl, unsigned timer_us)
{
    (void)ssl;
    if (!timer_us) {
        return FIRST_TIMEOUT_US;
    }
    return timer_us * 2 < TIMEOUT_CAP_US ? timer_us * 2 : TIMEOUT_CAP_US;
}

struct peer_dtls *peer_dtls_new(struct peer_identity *id, bool server, const char *profiles,
                                peer_dtls_send_fn *send, void *ctx)
{
    struct peer_dtls *d = calloc(1, sizeof(*d));
    BIO *bio = BIO_new(id->bio);

    if (!d || !bio) {
        BIO_free(bio);
        free(d);
        return NULL;
    }
    d->send = send;
    d->ctx = ctx;
    BIO_set_data(bio, d);
    d->ssl = SSL_new(server ? id->server : id->client);
    /* 0 is success here, unlike everywhere else in OpenSSL */
    if (!d->ssl || (profiles[0] && SSL_set_tlsext_use_srtp(d->ssl, profiles))) {
        BIO_free(bio);
        peer_dtls_free(d);
        return NULL;
    }
    SSL_set_bio(d->ssl, bio, bio);
    SSL_set_mtu(d->ssl, DTLS_MTU);
    DTLS_set_timer_cb(d->ssl, next_timeout_us);
    if (server) {
        SSL_set_accept_state(d->ssl);
    } else {
        SSL_set_connect_state(d->ssl);
    }
    return d;
}

void peer_dtls_free(struct peer_dtls *d)
{
    if (!d) {
        return;
    }
    SSL_free(d->ssl);
    free(d);
}

static enum peer_dtls_event fail(struct peer_dtls *d)
{
    unsigned long e = ERR_peek_last_error();

    if (e) {
        ERR_error_string_n(e, d->error, sizeof(d->error));
    } else {
        snprintf(d->error, sizeof(d->error), "handshake ended without an error");
    }
    ERR_clear_error();
    d->ended = true;
    return PEER_DTLS_FAILED;
}

static enum peer_dtls_event shake(struct peer_dtls *d)
{
    ERR_clear_error();
    int r = SSL_do_handshake(d->ssl);
    if (r == 1) {
        d->up = true;
        return PEER_DTLS_UP;
    }
    int e = SSL_get_error(d->ssl, r);
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? PEER_DTLS_NONE : fail(d);
}

enum peer_dtls_event peer_dtls_start(struct peer_dtls *d)
{
    return SSL_is_server(d->ssl) ? PEER_DTLS_NONE : shake(d);
}

enum peer_dtls_event peer_dtls_input(struct peer_dtls *d, const uint8_t *buf, size_t len)
{
    d->data_len = 0;
    if (d->ended) {
        return PEER_DTLS_NONE;
    }
    d->in = buf;
    d->in_len = len;
    if (!d->up) {
        enum peer_dtls_event e = shake(d);
        if (e != PEER_DTLS_NONE) {
            d->in = NULL;
            return e;
        }
        d->in = NULL;
        return PEER_DTLS_NONE;
    }
    ERR_clear_error();
    int r = SSL_read(d->ssl, d->data, sizeof(d->data));
    d->in = NULL;
    d->data_len = r > 0 ? (size_t)r : 0;
    if (SSL_get_shutdown(d->ssl) & SSL_RECEIVED_SHUTDOWN) {
        d->ended = true;
        return PEER_DTLS_CLOSED;
    }
    if (r <= 0 && SSL_get_error(d->ssl, r) == SSL_ERROR_SSL) {
        return fail(d);
    }
    return PEER_DTLS_NONE;
}

const uint8_t *peer_dtls_data(const struct peer_dtls *d, size_t *ret_len)
{
    *ret_len = d->data_len;
    return d->data_len ? d->data : NULL;
}

int64_t peer_dtls_timeout_us(struct peer_dtls *d)
{
    struct timeval tv;

    if (d->ended || !DTLSv1_get_timeout(d->ssl, &tv)) {
        return -1;
    }
    return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

enum peer_dtls_event peer_dtls_on_timer(struct peer_dtls *d)
{
    if (d->ended) {
        return PEER_DTLS_NONE;
    }
    return DTLSv1_handle_timeout(d->ssl) < 0 ? fail(d) : PEER_DTLS_NONE;
}

bool peer_dtls_keys(struct peer_dtls *d, struct peer_srtp_keys *ret)
{
    static const char label[] = "EXTRACTOR-dtls_srtp";
    const SRTP_PROTECTION_PROFILE *p = SSL_get_selected_srtp_profile(d->ssl);
    struct peer_srtp_keys k = {0};
    uint8_t m[2 * (PEER_SRTP_KEY_MAX + PEER_SRTP_SALT_MAX)];

    if (!p) {
        return false;
    }
    k.profile = (enum peer_profile)p->id;
    k.key_bytes = k.profile == PEER_PROFILE_GCM_256 ? 32 : 16;
    k.salt_bytes = k.profile == PEER_PROFILE_CM_SHA1_80 ? 14 : 12;
    size_t n = 2 * (k.key_bytes + k.salt_bytes);
    if (SSL_export_keying_material(d->ssl, m, n, label, sizeof(label) - 1, NULL, 0, 0) != 1) {
        return false;
    }
    /* RFC 5764 4.2: client key, server key, client salt, server salt */
    bool server = SSL_is_server(d->ssl);
    const uint8_t *salts = m + 2 * k.key_bytes;
    memcpy(server ? k.rx_key : k.tx_key, m, k.key_bytes);
    memcpy(server ? k.tx_key : k.rx_key, m + k.key_bytes, k.key_bytes);
    memcpy(server ? k.rx_salt : k.tx_salt, salts, k.salt_bytes);
    memcpy(server ? k.tx_salt : k.rx_salt, salts + k.salt_bytes, k.salt_bytes);
    *ret = k;
    return true;
}

bool peer_dtls_peer_matches(struct peer_dtls *d, const char *alg, const char *fingerprint)
{
    const EVP_MD *md = find_md(alg);
    X509 *cert = md ? SSL_get1_peer_certificate(d->ssl) : NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    char text[FINGERPRINT_CHARS] = "";
    unsigned n = 0;

    if (!cert) {
        return false;
    }
    if (X509_digest(cert, md, digest, &n) == 1) {
        format_fingerprint(digest, n, text);
    }
    X509_free(cert);
    return n && !strcasecmp(text, fingerprint);
}

void peer_dtls_close(struct peer_dtls *d)
{
    if (d->up && !d->ended) {
        (void)SSL_shutdown(d->ssl);
    }
}

int peer_dtls_write(struct peer_dtls *d, const uint8_t *buf, size_t len)
{
    if (!d->up || d->ended || SSL_write(d->ssl, buf, (int)len) <= 0) {
        return -EAGAIN;
    }
    return 0;
}

const char *peer_dtls_error(const struct peer_dtls *d)
{
    return d->error;
}
