/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h - /api/v1 on the admin listener only (SEC-17); signaling/openapi.json describes it. Role
 * MAIN. */
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

/* Everything below /api/v1/. ctx is the struct signaling. */
void admin_handle(struct http_request *rq, void *ctx);

#endif
