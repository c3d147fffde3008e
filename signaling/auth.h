/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - bearer tokens (RFC 6750): those listed in auth.tokens, and JSON Web Tokens signed by a
 * key of auth.keys or of the fetched set. Listed tokens are compared as digests in constant time,
 * and always all of them. No I/O but reading key files in auth_new; the clock is an argument. Role
 * MAIN. */
#ifndef SIGNALING_AUTH_H
#define SIGNALING_AUTH_H

#include "rtp/base.h"
#include "signaling/auth_grant.h"
#include "signaling/jwt_key.h"

struct auth;
struct auth_revoked;
struct conf;

#define AUTH_NAME_MAX AUTH_GRANT_PRINCIPAL_MAX

enum auth_action {
    AUTH_PUBLISH,
    AUTH_PLAY,
    AUTH_MODERATE,
    AUTH_ADMIN,
    AUTH_ANY, /* only asks whether the token is one of ours */
};

enum auth_result {
    AUTH_OK,
    AUTH_MISSING,     /* no Authorization header: 401 */
    AUTH_INVALID,     /* not a token of ours: 401 error="invalid_token" */
    AUTH_FORBIDDEN,   /* ours, but without this right: 403 */
    AUTH_UNKNOWN_KEY, /* no key with its kid: fetch the set again, then ask again; else 401 */
};

struct auth_ask {
    const char *header; /* Authorization, or NULL */
    enum auth_action action;
    const char *label; /* "room/participant" */
    int64_t now_s;     /* wall clock, seconds since 1970 */
};

/* What came of it. */
struct auth_verdict {
    enum auth_result result;
    const char *reason;      /* fixed word for counters: "missing", "unknown", "expired", "right" */
    const char *detail;      /* sentence for the client; fixed string; "" when permitted */
    struct auth_grant grant; /* AUTH_OK: what its holder may do */
};

/* Reads the keys. c outlives it. Returns 0; -EINVAL, -ENOMEM with *ret_what in words (valid until
 * the next call). */
int auth_new(const struct conf *c, struct auth **ret, const char **ret_what) MUST_CHECK;
void auth_free(struct auth *a); /* accepts NULL */
/* A further set of keys, not owned; it may change while it is here. NULL: none. */
void auth_set_fetched(struct auth *a, const struct jwt_key_set *set);

/* Tokens that are refused, not owned. NULL: none. */
void auth_set_revoked(struct auth *a, const struct auth_revoked *revoked);

/* What signs questions to auth.hook_url; "": nothing does. */
const char *auth_hook_secret(const struct auth *a);

/* True when tokens are asked for; without, everybody may do everything but what AUTH_ADMIN means.
 */
bool auth_required(const struct auth *a);
/* True if an Authorization header (NULL: none) carries the token of that digest. */
bool auth_is_token(const char *header, const uint8_t digest[AUTH_GRANT_DIGEST]);
/* Judges a request. */
void auth_check(const struct auth *a, const struct auth_ask *ask, struct auth_verdict *ret);

#endif
