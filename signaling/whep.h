/* SPDX-License-Identifier: Apache-2.0 */
/* whep.h - playing: /whep/{room}/{participant} and /whep/{room} (draft-ietf-wish-whep). Role MAIN.
 */
#ifndef SIGNALING_WHEP_H
#define SIGNALING_WHEP_H

struct http_request;

/* Every method on an endpoint URL. ctx is the struct signaling. */
void whep_handle(struct http_request *rq, void *ctx);

#endif
