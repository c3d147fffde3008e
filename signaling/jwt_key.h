/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_key.h - keys that verify JSON Web Tokens, each bound to one algorithm when it is made: what a
 * token's header says can only be compared with it (SEC-22, SEC-23). Read from secrets, PEM and JWK
 * (RFC 7517, RFC 7518 6, RFC 8037). Public keys only. Pure; any thread. */
#ifndef SIGNALING_JWT_KEY_H
#define SIGNALING_JWT_KEY_H

#include <cjson/cJSON.h>

#include "rtp/base.h"

#define JWT_KEY_KID_MAX    65 /* with terminator (SEC-24) */
#define JWT_KEY_SECRET_MIN 32 /* bytes: the size of the hash (RFC 7518 3.2) */
#define JWT_KEY_SET_MAX    32
#define JWT_KEY_FILE_MAX   (64 * 1024)

enum jwt_key_alg {
    JWT_HS256,
    JWT_RS256,
    JWT_ES256,
    JWT_EDDSA, /* Ed25519 */
    JWT_KEY_ALGS
};

struct jwt_key;

/* Keys in the order in which they are tried. */
struct jwt_key_set {
    int n;
    struct jwt_key *keys[JWT_KEY_SET_MAX]; /* owned */
};

/* "HS256" and so on, exactly. Returns 0 or -EINVAL. */
int jwt_key_parse_alg(const char *text, enum jwt_key_alg *ret) MUST_CHECK;
const char *jwt_key_alg_name(enum jwt_key_alg alg);
/* At most 64 of A-Z a-z 0-9 . _ - and at least one. */
bool jwt_key_is_kid(const char *text);

/* HS256. kid may be "". Returns 0; -EINVAL (too short, or a PEM file); -ENOMEM. *ret_why says what.
 */
int jwt_key_from_secret(const char *kid, const void *secret, size_t len, struct jwt_key **ret,
                        const char **ret_why) MUST_CHECK;
/* A public key or certificate that fits alg. Returns 0; -EBADMSG, -EINVAL; *ret_why says what. */
int jwt_key_from_pem(const char *kid, enum jwt_key_alg alg, const char *text, size_t len,
                     struct jwt_key **ret, const char **ret_why) MUST_CHECK;
/* One JWK. Its members alg, use and key_ops must agree with verifying tokens. kid "" takes that of
 * the JWK. Returns 0; -EPROTONOSUPPORT (another kind of key); -EBADMSG; -EINVAL; -ENOMEM. */
int jwt_key_from_jwk(const char *kid, const cJSON *jwk, struct jwt_key **ret,
                     const char **ret_why) MUST_CHECK;
void jwt_key_free(struct jwt_key *k); /* accepts NULL */

/* Takes k over. Returns 0 or -ENOSPC. */
int jwt_key_set_add(struct jwt_key_set *set, struct jwt_key *k) MUST_CHECK;
/* Frees the keys; the set is empty afterwards. */
void jwt_key_set_clear(struct jwt_key_set *set);
/* The usable keys of a JWK set from a stranger: symmetric and unknown ones are passed over, and so
 * are those beyond JWT_KEY_SET_MAX. Returns 0 (set replaced; may be empty) or -EBADMSG, -ENOMEM. */
int jwt_key_set_read(struct jwt_key_set *set, const char *text, size_t len) MUST_CHECK;

enum jwt_key_alg jwt_key_alg(const struct jwt_key *k);
const char *jwt_key_kid(const struct jwt_key *k); /* "": none */
/* True if sig is k's signature (or HMAC) of data. RFC 7515, 7518 3, 8037 3.1. */
bool jwt_key_verify(const struct jwt_key *k, const void *data, size_t len, const uint8_t *sig,
                    size_t sig_len);

/* Canonical base64url without padding (RFC 7515 2): trailing bits must be zero. Writes at most cap
 * bytes. Returns the length or -EBADMSG. */
int jwt_key_decode64(const char *text, size_t len, uint8_t *out, size_t cap) MUST_CHECK;

#endif
