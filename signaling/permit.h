/* SPDX-License-Identifier: Apache-2.0 */
/* permit.h - may this POST do that: the token, with a fresh set of keys if it names one that is not
 * there; the operator's hook; whether the room is locked; how many sessions the token has. The
 * answer may take a moment. Private to signaling/. Role MAIN. */
#ifndef SIGNALING_PERMIT_H
#define SIGNALING_PERMIT_H

#include "rtp/base.h"
#include "signaling/endpoint.h"

typedef void(permit_fn)(struct endpoint *e);

/* Judges e's request for action on label ("room/participant"); e->grant is filled and fn called if
 * it is permitted, at once or later with a copy of e; else it is answered: 401, 403, 429, 503. */
void permit_ask(struct endpoint *e, enum auth_action action, const char *label, permit_fn *fn);

/* What of a publisher's offer g does not permit, see negotiate_params.denied. participant: "alice"
 * for camera and microphone, "alice~screen" for a shared screen with its sound. */
void permit_denied(const struct auth_grant *g, const char *participant, const char *ret_denied[2]);

#endif
