/* SPDX-License-Identifier: Apache-2.0 */
/* life.h - a session's life on MAIN: which worker serves it, how it is admitted, how it ends, and
 * what the plane's events mean for names, quotas, log and metrics. Private to signaling/. Role
 * MAIN.
 */
#ifndef SIGNALING_LIFE_H
#define SIGNALING_LIFE_H

#include "rtp/base.h"
#include "sfu/api.h"

struct resource;
struct room;
struct signaling;
struct stream;

/* Sessions that the home worker of a room may have more than the least loaded one. */
#define LIFE_HOME_SLACK 32

/* The worker that serves the fewest sessions now. */
int life_least_worker(const struct signaling *s);
/* The worker for a session of a room: its home while that has room, else the least loaded. */
int life_choose_worker(const struct signaling *s, const struct room *room);

/* Hands session (heap) to r's worker, which is told st's source first when r is a viewer of st
 * (NULL: of a room, whose streams it has been told). Returns 0 (session moved), or -ENOBUFS (the
 * caller still owns it; nothing has changed). */
int life_admit(struct signaling *s, struct resource *r, const struct stream *st,
               struct api_session *session) MUST_CHECK;
/* Tells every worker who publishes into stream: worker -1 and publisher 0 for nobody. */
void life_tell_source(struct signaling *s, uint64_t stream, int worker, uint64_t publisher);
/* Ends the oldest half-open sessions beyond the budget (SEC-76). */
void life_enforce_half_open(struct signaling *s);

/* Asks the plane to end r and lets go of its stream at once. Harmless when it has ended. */
void life_end(struct signaling *s, struct resource *r, enum api_reason reason);
/* UP, LIVE, SILENT and ENDED. */
void life_on_event(struct signaling *s, const struct api_event *ev);
/* A session whose answer did not reach the client: http_on_lost. ctx is the struct signaling. */
void life_on_lost(uint64_t id, void *ctx);
/* Sessions that are not gone yet. */
unsigned life_count(const struct signaling *s);

#endif
