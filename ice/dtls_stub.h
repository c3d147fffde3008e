/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_stub.h - what is left of a DTLS 1.2 session after its SSL object is gone: record keys and
 * numbers, enough to send and understand alerts. Private to dtls.c. RFC 5246 6.3, RFC 5288, RFC
 * 7905, RFC 6347 4.1. */
#ifndef ICE_DTLS_STUB_H
#define ICE_DTLS_STUB_H

#include "ice/dtls_bio.h"
#include "rtp/base.h"

#include <openssl/ssl.h>

#define DTLS_ALERT_RECORD_MAX 48

struct dtls_stub {
    const EVP_CIPHER *cipher;
    size_t key_len;
    size_t iv_len; /* of the implicit part: 4 (AES-GCM) or 12 (ChaCha20-Poly1305) */
    uint8_t write_key[32];
    uint8_t read_key[32];
    uint8_t write_iv[12];
    uint8_t read_iv[12];
    uint64_t next_seq;      /* of our sealed records */
    uint64_t next_explicit; /* nonce part that AES-GCM records carry */
};

/* Takes over from a finished session whose sealed records have all passed through io. Returns 0, or
 * -ENOTSUP if the suite is not an AEAD that is known here: keep the SSL object then. */
int dtls_stub_init(struct dtls_stub *s, SSL *ssl, const struct dtls_io *io) MUST_CHECK;

/* Writes an alert record (levels and descriptions: RFC 5246 7.2). cap >= DTLS_ALERT_RECORD_MAX.
 * Returns its length, 0 on failure. Each call uses one record number. */
size_t dtls_stub_alert(struct dtls_stub *s, uint8_t level, uint8_t description, uint8_t *out,
                       size_t cap);

/* Opens one record (header included). Returns true if it is a genuine alert. */
bool dtls_stub_read_alert(const struct dtls_stub *s, const uint8_t *record, size_t len,
                          uint8_t *ret_level, uint8_t *ret_description);

#endif
