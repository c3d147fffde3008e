/* SPDX-License-Identifier: Apache-2.0 */
/* cert_private.h - the inside of struct cert, for cert.c and dtls_ctx.c only. */
#ifndef ICE_CERT_PRIVATE_H
#define ICE_CERT_PRIVATE_H

#include "ice/cert.h"

#include <openssl/ssl.h>

struct cert {
    EVP_PKEY *key;
    X509 *x509;
    SSL_CTX *ctx; /* of every session, both roles; OpenSSL counts its references atomically */
    struct fingerprint fp;
};

#endif
