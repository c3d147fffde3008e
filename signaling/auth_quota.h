/* SPDX-License-Identifier: Apache-2.0 */
/* auth_quota.h - how many sessions each token has now (SEC-03). A session holds a ticket, given
 * back exactly once (SEC-79). Pure; role MAIN. */
#ifndef SIGNALING_AUTH_QUOTA_H
#define SIGNALING_AUTH_QUOTA_H

#include "rtp/base.h"
#include "rtp/list.h"
#include "signaling/auth_grant.h"

struct auth_quota_ticket; /* one token's count, shared by its sessions */

struct auth_quota {
    struct list buckets[1024];
};

/* An empty table. */
void auth_quota_init(struct auth_quota *q);
/* All tickets must have been given back. */
void auth_quota_fini(struct auth_quota *q);
/* Sessions of the token now. */
unsigned auth_quota_count(const struct auth_quota *q, const uint8_t digest[AUTH_GRANT_DIGEST]);
/* Counts one session more. NULL when out of memory. */
struct auth_quota_ticket *auth_quota_take(struct auth_quota *q,
                                          const uint8_t digest[AUTH_GRANT_DIGEST]);
/* Counts it no longer, and empties the holder's pointer; harmless when that is NULL. */
void auth_quota_give(struct auth_quota_ticket **ticket);

#endif
