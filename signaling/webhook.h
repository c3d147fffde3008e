/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.h - delivers events to the URLs of webhooks.targets: each target has its own queue, in
 * order, one delivery at a time, signed, tried again with growing pauses, and bounded: what does
 * not fit or is too old is dropped and counted, and the next delivery says how many were. Role
 * MAIN. */
#ifndef SIGNALING_WEBHOOK_H
#define SIGNALING_WEBHOOK_H

#include "rtp/base.h"

struct conf;
struct fetch_pool;
struct uv_loop_s;
struct webhooks;

#define WEBHOOK_ID_LEN       22
#define WEBHOOK_SIGNATURE    96 /* room for "t=...,v1=..." with terminator */
#define WEBHOOK_RETRY_MS     1000
#define WEBHOOK_RETRY_MAX_MS 60000

enum webhook_result {
    WEBHOOK_DELIVERED,
    WEBHOOK_RETRIED, /* attempts that will be repeated */
    WEBHOOK_REFUSED, /* the target answered 4xx (but 408, 425, 429): not repeated */
    WEBHOOK_EXPIRED, /* older than webhooks.retry_s */
    WEBHOOK_OVERFLOW,
    WEBHOOK_STOPPED, /* lost because the server stopped, or its target left the settings */
    WEBHOOK_RESULTS
};
const char *webhook_result_name(enum webhook_result r);

/* NULL when out of memory. pool and loop outlive it. */
struct webhooks *webhook_new(struct uv_loop_s *loop, struct fetch_pool *pool);
/* Takes the targets of c, which must outlive it or the next call. Events that wait for a URL that
 * is still there go on waiting. */
void webhook_configure(struct webhooks *w, const struct conf *c);
/* Drops what waits. Accepts NULL. */
void webhook_free(struct webhooks *w);

/* Refuses targets that ask for events which do not exist. Returns 0; -EINVAL with *ret_what in
 * words (valid until the next call). */
int webhook_check(const struct conf *c, const char **ret_what) MUST_CHECK;
/* True if there are events of this name, or of a name that this pattern matches. */
bool webhook_knows(const char *pattern);

/* True if any target wants events of this name. */
bool webhook_wants(const struct webhooks *w, const char *event);
/* Queues an event for those who want it. body: JSON text, copied. id: of WEBHOOK_ID_LEN characters,
 * the same for all attempts. */
void webhook_emit(struct webhooks *w, const char *event, const char *id, const char *body,
                  size_t len);
/* Deliveries queued or under way. */
unsigned webhook_waiting(const struct webhooks *w);
uint64_t webhook_count(const struct webhooks *w, enum webhook_result r);

/* The signature header's value: "t=SECONDS,v1=HEX", HEX the HMAC-SHA256 with secret of
 * "SECONDS.BODY". Pure. Returns out. */
const char *webhook_sign(const char *secret, int64_t now_s, const char *body, size_t len,
                         char out[WEBHOOK_SIGNATURE]);

#endif
