/* SPDX-License-Identifier: Apache-2.0 */
/* cors.h - which pages of other origins may talk to the public endpoints, and what they may see
 * (Fetch; SEC-29). */
#ifndef SIGNALING_CORS_H
#define SIGNALING_CORS_H

#include "rtp/base.h"

struct conf;
struct http_request;

/* The value of Access-Control-Allow-Origin for a request's Origin header (may be NULL), or NULL
 * when none is to be sent. Pure. */
const char *cors_allow_origin(const struct conf *c, const char *origin);

/* Adds what every answer carries, errors too (WHIP-18). Role MAIN. */
void cors_apply(const struct conf *c, struct http_request *rq);
/* Adds what answers to OPTIONS carry besides. methods: "GET, POST, …". */
void cors_apply_options(const struct conf *c, struct http_request *rq, const char *methods);

#endif
