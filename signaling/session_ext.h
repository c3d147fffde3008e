/* SPDX-License-Identifier: Apache-2.0 */
/* session_ext.h - what hangs below a session's URL: events (sse), layer selection (layer), wishes
 * (wish), the people of its room (people). README, "Rooms". Role MAIN. */
#ifndef SIGNALING_SESSION_EXT_H
#define SIGNALING_SESSION_EXT_H

#include "rtp/base.h"

#define SESSION_EXT_WHY_MAX 160

struct http_request;
struct resource;
struct signaling;

/* Adds the Link headers of a 201. origin: of our URLs, or "". */
void session_ext_links(struct http_request *rq, const struct resource *r, const char *origin);
/* A request for part ("sse", "sse/{stream}", "layer", ...) of session r, which is authorised.
 * Answers. */
void session_ext_handle(struct signaling *s, struct http_request *rq, struct resource *r,
                        const char *part);

/* A wish of r's (the body of a POST on its wish URL). Returns the HTTP status that answers it: 200,
 * or another one with a sentence in ret_why. */
int session_ext_wish(struct signaling *s, struct resource *r, const char *text, size_t len,
                     char ret_why[SESSION_EXT_WHY_MAX]) MUST_CHECK;

#endif
