/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h - /api/v1: sessions with their numbers, ending one, streams, limits. On the admin
 * listener only (SEC-17). Role MAIN. */
#ifndef SIGNALING_ADMIN_H
#define SIGNALING_ADMIN_H

#include "rtp/base.h"

struct http_request;

/* Who may use the admin listener. On loopback it serves only those who call it by an address or
 * "localhost": a name that somebody's DNS points at us is a web page reaching for it (DNS
 * rebinding), 421; and pages of other origins are refused everywhere, 403. With a token of "admin":
 * true in the settings, or on a public address, all but the probes ask for a token with that right.
 * Returns false after answering. */
bool admin_gate(struct http_request *rq, void *ctx);

/* GET /api/v1/sessions: asks every worker; after one second the answer is what there is, with
 * "partial": true. ctx is the struct signaling. */
void admin_sessions(struct http_request *rq, void *ctx);
/* DELETE /api/v1/sessions/{id}: 204, 404. */
void admin_session(struct http_request *rq, void *ctx);
/* GET /api/v1/streams. */
void admin_streams(struct http_request *rq, void *ctx);
/* DELETE /api/v1/tokens/{jti}: revokes; 200 with the number of sessions that end. */
void admin_token(struct http_request *rq, void *ctx);
/* GET /api/v1/limits: what is allowed and how much of it is used. */
void admin_limits(struct http_request *rq, void *ctx);

#endif
