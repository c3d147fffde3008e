/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - /livez (restart me if not 200), /readyz (send me clients), /startupz. With ?verbose
 * the answer is JSON. Role MAIN. */
#ifndef SIGNALING_HEALTH_H
#define SIGNALING_HEALTH_H

struct http_request;

/* Handlers; ctx is the struct signaling. */
void health_live(struct http_request *rq, void *ctx);
void health_ready(struct http_request *rq, void *ctx);
void health_startup(struct http_request *rq, void *ctx);

#endif
