/* SPDX-License-Identifier: Apache-2.0 */
/* auth_jwks.h - a JWK set fetched from auth.jwks_url: at the start, every few minutes, and when a
 * token names a key that is not there, but never more often than every ten seconds. The keys that
 * are there stay in use while the URL fails. Role MAIN. */
#ifndef SIGNALING_AUTH_JWKS_H
#define SIGNALING_AUTH_JWKS_H

#include "rtp/base.h"
#include "signaling/jwt_key.h"

struct auth_jwks;
struct fetch_pool;
struct uv_loop_s;

#define AUTH_JWKS_REFRESH_MS  (5 * 60 * 1000)
#define AUTH_JWKS_RETRY_MS    (5 * 1000) /* after a failure; doubles up to AUTH_JWKS_REFRESH_MS */
#define AUTH_JWKS_INTERVAL_US (10 * (int64_t)US_PER_S)
#define AUTH_JWKS_TIMEOUT_MS  4000
#define AUTH_JWKS_WAITERS_MAX 256

struct auth_jwks_stats {
    uint64_t fetched; /* sets that were read */
    uint64_t failed;  /* fetches without one */
    int keys;
};

/* Begins to fetch. pool outlives it. NULL when out of memory. */
struct auth_jwks *auth_jwks_new(struct uv_loop_s *loop, struct fetch_pool *pool, const char *url);
/* Calls who waits. Accepts NULL. */
void auth_jwks_free(struct auth_jwks *j);
/* The keys now; the same set for the life of j. */
const struct jwt_key_set *auth_jwks_keys(const struct auth_jwks *j);
const char *auth_jwks_url(const struct auth_jwks *j);
/* Asks for a fresh set, and to be called when a fetch has ended, well or not: once, never from
 * within. Returns 0; -EAGAIN: one has just been fetched, or too many wait; fn is not called then.
 */
int auth_jwks_wait(struct auth_jwks *j, void (*fn)(void *ctx), void *ctx) MUST_CHECK;
/* What came of the fetches so far. */
void auth_jwks_stats(const struct auth_jwks *j, struct auth_jwks_stats *ret);

#endif
