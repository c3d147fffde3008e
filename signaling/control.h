/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - the data channel "sluice": what a session is told by server-sent events, it is told
 * there as well, {"event":NAME,"data":...}; each message of its own is a wish, answered by
 * {"event":"wish","data":{"status":...}}. README, "Rooms". Role MAIN. */
#ifndef SIGNALING_CONTROL_H
#define SIGNALING_CONTROL_H

#include "rtp/base.h"

struct api_event;
struct resource;
struct signaling;

/* API_EV_DATA of r. */
void control_on_data(struct signaling *s, struct resource *r, const struct api_event *ev);
/* Tells r's channel, if it is open. json: one value, len bytes. What cannot be sent now is made up
 * for by control_tick. */
void control_send(struct signaling *s, struct resource *r, const char *event, const char *json,
                  size_t len);
/* Each second: who has missed something is told how things stand. */
void control_tick(struct signaling *s);

#endif
