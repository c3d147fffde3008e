/* SPDX-License-Identifier: Apache-2.0 */
/* moderate.h - what those in charge may do to others: revoke tokens, remove people, end rooms, lock
 * them, mute streams. The admin API and the holders of the right to moderate come here. Private to
 * signaling/. Role MAIN. */
#ifndef SIGNALING_MODERATE_H
#define SIGNALING_MODERATE_H

#include "rtp/base.h"
#include "sfu/api.h"

struct signaling;

/* Revokes all tokens with this jti and ends their sessions at once. Returns how many; -ENOMEM. */
int moderate_revoke(struct signaling *s, const char *jti) MUST_CHECK;
/* Ends the sessions whose token has expired, with auth.end_on_expiry; forgets revocations that have
 * become pointless. now_s: wall clock. */
void moderate_sweep(struct signaling *s, int64_t now_s);

#endif
