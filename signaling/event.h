/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - what happens, as JSON for webhooks: sessions, publishers, participants, rooms. A room
 * is started by the first session that is up in it and ends with the last; a participant joins with
 * the first session under its name and leaves with the last. The README's "Webhooks" describes the
 * bodies. Private to signaling/. Role MAIN. */
#ifndef SIGNALING_EVENT_H
#define SIGNALING_EVENT_H

#include "rtp/base.h"
#include "sfu/api.h"

struct event_rooms; /* who is where */
struct resource;
struct signaling;

/* NULL when out of memory; seed: random. */
struct event_rooms *event_rooms_new(uint64_t seed);
void event_rooms_free(struct event_rooms *e); /* accepts NULL */

/* r is up: session.started, and what follows from it. */
void event_on_up(struct signaling *s, struct resource *r);
/* r's media flow for the first time, or again: publisher.live. */
void event_on_live(struct signaling *s, const struct resource *r, bool again);
/* publisher.silent. */
void event_on_silent(struct signaling *s, const struct resource *r);
/* r has ended: publisher.gone, participant.left, room.ended, session.ended. last may be NULL. */
void event_on_ended(struct signaling *s, struct resource *r, const struct api_session_stats *last);

#endif
