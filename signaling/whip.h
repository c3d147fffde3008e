/* SPDX-License-Identifier: Apache-2.0 */
/* whip.h - publishing: /whip/{room}/{participant} and /whip/{stream} (RFC 9725). Role MAIN. */
#ifndef SIGNALING_WHIP_H
#define SIGNALING_WHIP_H

struct http_request;

/* Every method on an endpoint URL. ctx is the struct signaling. */
void whip_handle(struct http_request *rq, void *ctx);

#endif
