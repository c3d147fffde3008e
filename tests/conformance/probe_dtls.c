/* SPDX-License-Identifier: Apache-2.0 */
/* probe_dtls.c - a DTLS client of OpenSSL's own making on a probe's socket, for handshakes that a
 * peer would not begin. */
#include "tests/conformance/suite.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1; /* the fingerprint in the SDP decides */
}

static SSL_CTX *make_ctx(struct suite *s, const struct handshake *h)
{
    SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());

    if (!ctx) {
        return NULL;
    }
    SSL_CTX_set_security_level(ctx, 0); /* DTLS 1.0 needs SHA-1 */
    SSL_CTX_set_min_proto_version(ctx, DTLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, h->max_version ? h->max_version : DTLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any);
    peer_identity_use(s->identity, ctx);
    if (h->ciphers) {
        SSL_CTX_set_cipher_list(ctx, h->ciphers);
    }
    if (h->profiles) {
        (void)SSL_CTX_set_tlsext_use_srtp(ctx, h->profiles);
    }
    return ctx;
}

static void note_certificate(SSL *ssl, struct handshake *h)
{
    X509 *cert = SSL_get1_peer_certificate(ssl);
    EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;
    size_t n = 0;

    if (key) {
        (void)EVP_PKEY_get_group_name(key, h->key, sizeof(h->key), &n);
    }
    X509_free(cert);
}

/* Turns until the handshake is done or refused. */
static void shake(struct suite *s, SSL *ssl, struct handshake *h, int64_t end_us)
{
    while (suite_now_us() < end_us && !h->up && !h->closed) {
        ERR_clear_error();
        int r = SSL_do_handshake(ssl);
        int e = SSL_get_error(ssl, r);
        h->up = r == 1;
        h->closed = !h->up && e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE;
        if (!h->up && !h->closed) {
            suite_wait(s, 10);
            (void)DTLSv1_handle_timeout(ssl);
        }
    }
}

/* An alert that comes right behind. */
static void listen_for_close(struct suite *s, SSL *ssl, struct handshake *h)
{
    uint8_t buf[2048];
    int64_t end_us = suite_now_us() + 500000;

    while (suite_now_us() < end_us && !h->closed) {
        int r = SSL_read(ssl, buf, sizeof(buf));
        int e = SSL_get_error(ssl, r);
        h->closed = r <= 0 && e != SSL_ERROR_WANT_READ;
        suite_wait(s, 10);
    }
}

/* Without it a BIO does not know where a connected socket leads. */
static void set_connected(BIO *bio, int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof(a);
    BIO_ADDR *to = BIO_ADDR_new();
    bool v6 = !getpeername(fd, (struct sockaddr *)&a, &len) && a.ss_family == AF_INET6;
    struct sockaddr_in *four = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a;

    if (to &&
        BIO_ADDR_rawmake(to, a.ss_family, v6 ? (void *)&six->sin6_addr : (void *)&four->sin_addr,
                         v6 ? 16 : 4, four->sin_port)) {
        (void)BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, to);
    }
    BIO_ADDR_free(to);
}

void probe_handshake(struct probe *pr, struct handshake *h, unsigned ms)
{
    struct suite *s = probe_suite(pr);
    SSL_CTX *ctx = make_ctx(s, h);
    SSL *ssl = ctx ? SSL_new(ctx) : NULL;
    BIO *bio = ssl ? BIO_new_dgram(probe_fd(pr), BIO_NOCLOSE) : NULL;

    if (!bio) {
        fprintf(stderr, "OpenSSL refuses\n");
        exit(2);
    }
    set_connected(bio, probe_fd(pr));
    SSL_set_bio(ssl, bio, bio);
    SSL_set_connect_state(ssl);
    SSL_set_mtu(ssl, 1200);
    shake(s, ssl, h, suite_now_us() + (int64_t)ms * 1000);
    if (h->up) {
        h->version = SSL_version(ssl);
        snprintf(h->cipher, sizeof(h->cipher), "%s", SSL_get_cipher_name(ssl));
        note_certificate(ssl, h);
        h->resumable = SSL_SESSION_is_resumable(SSL_get_session(ssl));
        listen_for_close(s, ssl, h);
        (void)SSL_shutdown(ssl);
    }
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}
