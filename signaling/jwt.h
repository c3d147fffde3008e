/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.h - JSON Web Tokens (RFC 7519, RFC 7515 compact form, RFC 8725) against known keys: what was
 * signed, by whom, and whether now is the time for it. Nothing of a token is looked at before its
 * signature is right but the three members of its header that choose the key. Pure: the clock is an
 * argument; any thread. */
#ifndef SIGNALING_JWT_H
#define SIGNALING_JWT_H

#include "rtp/base.h"
#include "signaling/jwt_key.h"

#define JWT_TOKEN_MAX   4096 /* bytes */
#define JWT_ID_MAX      65   /* jti with terminator */
#define JWT_SUBJECT_MAX 256  /* sub with terminator */
#define JWT_SETS_MAX    2

/* Why a token was refused: enum, name for counters, sentence for the client. */
#define JWT_ERRORS(X)                                                                              \
    X(JWT_OK, "ok", "")                                                                            \
    X(JWT_MALFORMED, "malformed", "The token is not a JSON Web Token of three canonical parts.")   \
    X(JWT_HEADER, "header", "The token's header has members that are not supported.")              \
    X(JWT_ALG, "alg", "No key of this server has the token's algorithm and kid.")                  \
    X(JWT_UNKNOWN_KID, "unknown_kid", "No key of this server has the token's kid.")                \
    X(JWT_SIGNATURE, "signature", "The token's signature is not that of a key of this server.")    \
    X(JWT_CLAIMS, "claims", "The token's claims are malformed, or lack exp.")                      \
    X(JWT_EXPIRED, "expired", "The token has expired; get a new one.")                             \
    X(JWT_EARLY, "early", "The token is not valid yet; check nbf, iat and the clocks.")            \
    X(JWT_LIFETIME, "lifetime", "The token is good for longer than auth.max_lifetime_s allows.")   \
    X(JWT_ISSUER, "issuer", "The token's iss is not auth.issuer.")                                 \
    X(JWT_AUDIENCE, "audience", "The token's aud does not hold auth.audience.")

enum jwt_error {
#define JWT_ERROR_ENUM(id, name, text) id,
    JWT_ERRORS(JWT_ERROR_ENUM)
#undef JWT_ERROR_ENUM
        JWT_ERROR_COUNT
};
/* The name and the sentence of the list above. */
const char *jwt_error_name(enum jwt_error e);
/* See jwt_error_name. */
const char *jwt_error_text(enum jwt_error e);

struct jwt_policy {
    const struct jwt_key_set *sets[JWT_SETS_MAX]; /* tried in this order; may be NULL */
    const char *issuer;                           /* "": any */
    const char *audience;                         /* "": a token must have none (RFC 7519 4.1.3) */
    int leeway_s;
    int max_lifetime_s;
};

struct jwt {
    char id[JWT_ID_MAX];           /* jti, "" */
    char subject[JWT_SUBJECT_MAX]; /* sub, "" */
    int64_t expires_s;             /* seconds since 1970, leeway not added */
    cJSON *claims;                 /* all of them, an object; jwt_fini */
};

/* True if text has the form of a JWT: then it is judged as one, and is no opaque token. */
bool jwt_is_one(const char *text, size_t len);
/* Judges a token. now_s: wall clock. *ret is written on JWT_OK only. JWT_UNKNOWN_KID: no key with
 * the token's kid is there, a fresh key set may have it. */
enum jwt_error jwt_verify(const struct jwt_policy *p, const char *text, size_t len, int64_t now_s,
                          struct jwt *ret);
void jwt_fini(struct jwt *t);

#endif
