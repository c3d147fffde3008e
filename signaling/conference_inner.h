/* SPDX-License-Identifier: Apache-2.0 */
/* conference_inner.h - what conference.c (members, events), conference_seats.c (layouts, seats, the
 * plane) and conference_speech.c (who speaks) share. Private to them. Role MAIN. */
#ifndef SIGNALING_CONFERENCE_INNER_H
#define SIGNALING_CONFERENCE_INNER_H

#include "signaling/conference.h"

/* A publisher that counts: it is there and not silent. */
bool conference_is_live(const struct stream *st);

/* Gives m the layout it needs now; it keeps its seats as far as they are. Returns 0 or -ENOMEM: the
 * present one stays. */
int conference_group(struct signaling *s, struct member *m) MUST_CHECK;
/* Takes m out of its layout, which is freed with its last member. */
void conference_ungroup(struct signaling *s, struct member *m);
/* Seats all layouts of the room anew and tells the workers. Returns when a hold ends that keeps
 * somebody waiting; INT64_MAX. */
int64_t conference_seat_room(struct signaling *s, struct room *room, int64_t now_us);

/* Elects the dominant speaker and looks who speaks; sets new_seats and new_speech. Returns when
 * somebody's hang-over ends; INT64_MAX. */
int64_t conference_hear(struct signaling *s, struct room *room, int64_t now_us);
/* Begins or ends the telling of levels for each publisher of the room. */
void conference_want_levels(struct signaling *s, struct room *room);
/* True while st counts as speaking. */
bool conference_is_speaking(const struct stream *st, int64_t now_us);

#endif
