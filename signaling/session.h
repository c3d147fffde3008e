/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - session URLs, /session/{random}: trickle and ICE restart by PATCH (RFC 9725 4.3),
 * DELETE, GET. Role MAIN. */
#ifndef SIGNALING_SESSION_H
#define SIGNALING_SESSION_H

struct http_request;

/* Every method on a session URL. ctx is the struct signaling. */
void session_handle(struct http_request *rq, void *ctx);

#endif
