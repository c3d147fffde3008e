/* SPDX-License-Identifier: Apache-2.0 */
/* cert.h - the process's DTLS certificate (ECDSA P-256, self-signed, made at start; SEC-56) and
 * fingerprints (RFC 8122). The certificate is made before other threads start and never changes;
 * any thread. */
#ifndef ICE_CERT_H
#define ICE_CERT_H

#include "rtp/base.h"

#define FINGERPRINT_MAX 64 /* sha-512 */

enum fingerprint_hash {
    FP_SHA1,
    FP_SHA256,
    FP_SHA384,
    FP_SHA512,
};

struct fingerprint {
    enum fingerprint_hash hash;
    uint8_t len; /* bytes: 20, 32, 48, 64 */
    uint8_t digest[FINGERPRINT_MAX];
};

/* Reads "sha-256 AB:CD:…" (hash name and hex without case, RFC 8122 5). text is not terminated.
 * Returns 0; -EBADMSG; -EPROTONOSUPPORT for a hash Sluice does not know. */
int fingerprint_read(const char *text, size_t len, struct fingerprint *ret) MUST_CHECK;
/* "sha-256 AB:CD:…", terminated. cap >= 208. */
void fingerprint_format(const struct fingerprint *fp, char *out, size_t cap);

struct cert; /* immutable after cert_new: shared by all threads without locks */

/* A fresh key and certificate, and what DTLS sessions share. The key lies in OpenSSL's secure heap,
 * which the first call sets up. NULL on failure. Call before other threads start. */
struct cert *cert_new(void);
/* Accepts NULL; sessions made with c must be gone. */
void cert_free(struct cert *c);
/* sha-256 of the certificate, as written into every answer. */
const struct fingerprint *cert_fingerprint(const struct cert *c);

#endif
