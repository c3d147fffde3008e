/* SPDX-License-Identifier: Apache-2.0 */
/* moderate.h - what those in charge may do to others: revoke tokens, remove people, end rooms, lock
 * them, mute. The admin API and the holders of the right to moderate come here. A participant is
 * the name before '~': alice is who publishes "alice" and "alice~screen", and who plays with a
 * token bound to alice. Private to signaling/. Role MAIN. */
#ifndef SIGNALING_MODERATE_H
#define SIGNALING_MODERATE_H

#include "rtp/base.h"
#include "sfu/api.h"

struct endpoint;
struct http_request;
struct resource;
struct signaling;
struct stream;

/* Revokes all tokens with this jti and ends their sessions at once. Returns how many; -ENOMEM:
 * nothing has been done; -EIO: it has been done, but auth.revoked_file could not be written. */
int moderate_revoke(struct signaling *s, const char *jti) MUST_CHECK;
/* Ends the sessions of a participant; revoke: their tokens are refused from now on (those of the
 * settings are not: others have them too). Returns how many; -ENOENT: nobody of that name is here;
 * -EIO, -ENOMEM: they have ended, but not every token is refused, or will be after a restart. */
int moderate_remove(struct signaling *s, const char *room, const char *participant,
                    bool revoke) MUST_CHECK;
/* Answers for what these two return when they could not do all: 500 or 503, and why. */
void moderate_answer_failure(struct http_request *rq, int err);
/* Ends all sessions of a room. Returns how many, or -ENOENT. */
int moderate_end_room(struct signaling *s, const char *room) MUST_CHECK;
/* A locked room takes nobody who is not in it; it is unlocked when it ends. Returns 0 or -ENOENT.
 */
int moderate_lock(struct signaling *s, const char *room, bool locked) MUST_CHECK;
/* Mutes (or unmutes) parts (enum roster_part) of what a participant publishes, now and later: the
 * worker drops the packets. It stays so until it is unmuted, or the room ends. Returns 0, or
 * -ENOENT: nobody of that name is here. */
int moderate_mute(struct signaling *s, const char *room, const char *participant, unsigned parts,
                  bool mute) MUST_CHECK;
/* A publisher has come to st: what was muted before is muted still. */
void moderate_on_publish(struct signaling *s, struct stream *st);
/* Asks the publisher of st for a key frame. Returns 0, or -ENOENT: nobody publishes. */
int moderate_keyframe(struct signaling *s, const struct stream *st) MUST_CHECK;

/* True if e's request may come into its room although that is locked: who is in it comes back, and
 * moderators always may. True for rooms that are not locked. */
bool moderate_may_enter(const struct endpoint *e);
/* Whose session r is: a publisher's name up to '~'; a viewer's as it plays the room, or as its
 * token says. "": nobody's. Valid until the next call, or r's end. */
const char *moderate_name_of(const struct resource *r);
/* True if r is participant's session. */
bool moderate_is_of(const struct resource *r, const char *room, const char *participant);

/* Ends the sessions whose token has expired, with auth.end_on_expiry; forgets revocations that have
 * become pointless. now_s: wall clock. */
void moderate_sweep(struct signaling *s, int64_t now_s);

/* POST /moderate/{room}/{lock,unlock,end} and /moderate/{room}/{participant}/{mute,unmute,remove}
 * on the public listener, for tokens with the right to moderate. ctx is the struct signaling. */
void moderate_handle(struct http_request *rq, void *ctx);

#endif
