/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_ctx.h - how Sluice uses OpenSSL's SSL: the context that all sessions share, what is demanded
 * of a peer, the check of its fingerprint, key export. Private to cert.c and the dtls files. */
#ifndef ICE_DTLS_CTX_H
#define ICE_DTLS_CTX_H

#include "ice/cert.h"
#include "ice/seal.h"
#include "rtp/base.h"

#include <openssl/ssl.h>

#define DTLS_FINGERPRINTS_MAX 8

/* Shows that the peer's certificate had a digest from its SDP. Only the check in dtls_ctx.c makes
 * one that is filled in, and keys are exported for nothing else (SEC-53). */
struct dtls_proof {
    const struct fingerprint *matched; /* NULL: not proven */
};

/* What the callbacks of one session need. */
struct dtls_peer {
    struct fingerprint fingerprints[DTLS_FINGERPRINTS_MAX];
    unsigned n_fingerprints;
    bool no_media;
    bool only_cm;
    struct dtls_proof proof;
    const char *fail_reason; /* why a callback refused; NULL */
};

/* The context for a key and its certificate. NULL on failure. */
SSL_CTX *dtls_ctx_new(EVP_PKEY *key, X509 *x509);

/* A session over bio (owned by the session from then on, also on failure). peer must outlive it.
 * NULL on failure. */
SSL *dtls_ctx_session(SSL_CTX *ctx, struct dtls_peer *peer, BIO *bio, bool server);

/* After the handshake: NULL if everything demanded is there, else the reason why not. */
const char *dtls_ctx_check_finished(SSL *ssl, const struct dtls_peer *peer);

/* Why OpenSSL gave up; empties this thread's error queue. A fixed string. */
const char *dtls_ctx_error(const struct dtls_peer *peer);

/* Keys of both directions (RFC 5764 4.2). Returns 0 or -EAGAIN. */
int dtls_ctx_export(SSL *ssl, const struct dtls_proof *proof, struct srtp_keys *ret_tx,
                    struct srtp_keys *ret_rx) MUST_CHECK;

#endif
