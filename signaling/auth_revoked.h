/* SPDX-License-Identifier: Apache-2.0 */
/* auth_revoked.h - tokens that are no longer good: by their jti, or by their digest where they have
 * none. An entry stays until no token that it could mean is valid any more. The table is bounded;
 * in a full one the entry that would go first gives way. auth_revoked_file.h keeps it over
 * restarts. Pure; role MAIN. */
#ifndef SIGNALING_AUTH_REVOKED_H
#define SIGNALING_AUTH_REVOKED_H

#include "rtp/base.h"
#include "rtp/list.h"
#include "signaling/auth_grant.h"

#define AUTH_REVOKED_MAX 8192

struct auth_revoked {
    struct list buckets[1024];
    unsigned n;
};

/* An empty table. */
void auth_revoked_init(struct auth_revoked *t);
/* Forgets all. */
void auth_revoked_fini(struct auth_revoked *t);
/* Revokes all tokens with this jti. until_s: wall clock, when the last of them has expired. Returns
 * 0 or -ENOMEM. */
int auth_revoked_add_jti(struct auth_revoked *t, const char *jti, int64_t until_s) MUST_CHECK;
/* Revokes one token by its digest. Same returns. */
int auth_revoked_add_digest(struct auth_revoked *t, const uint8_t digest[AUTH_GRANT_DIGEST],
                            int64_t until_s) MUST_CHECK;
/* True if g's token is revoked. */
bool auth_revoked_has(const struct auth_revoked *t, const struct auth_grant *g);
/* Calls fn for each entry with its digest, until one returns something else than 0; returns that.
 */
int auth_revoked_each(const struct auth_revoked *t,
                      int (*fn)(const uint8_t digest[AUTH_GRANT_DIGEST], int64_t until_s,
                                void *ctx),
                      void *ctx);
/* Forgets what has expired. */
void auth_revoked_sweep(struct auth_revoked *t, int64_t now_s);

#endif
