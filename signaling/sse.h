/* SPDX-License-Identifier: Apache-2.0 */
/* sse.h - what clients of a session are told while it lasts, by server-sent events (WHATWG): one
 * connection carries all kinds that its opener asked for. The standard kinds of
 * draft-ietf-wish-whep, and our own for rooms. Nothing is kept for a stream that nobody reads: who
 * connects is first told how things stand. Role MAIN. */
#ifndef SIGNALING_SSE_H
#define SIGNALING_SSE_H

#include "rtp/base.h"

struct api_event;
struct api_session_stats;
struct http_request;
struct resource;
struct signaling;

enum sse_kind {
    SSE_ACTIVE,
    SSE_INACTIVE,
    SSE_LAYERS,
    SSE_VIEWERCOUNT,
    SSE_RECONNECT,
    SSE_PARTICIPANTS,
    SSE_SLOTS,
    SSE_SPEAKERS,
    SSE_STATS,
    SSE_COUNT
};

#define SSE_STREAMS_PER_SESSION 4
#define SSE_STANDARD                                                                               \
    (1U << SSE_ACTIVE | 1U << SSE_INACTIVE | 1U << SSE_LAYERS | 1U << SSE_VIEWERCOUNT |            \
     1U << SSE_RECONNECT)
#define SSE_ROOM (1U << SSE_PARTICIPANTS | 1U << SSE_SLOTS | 1U << SSE_SPEAKERS)
#define SSE_OWN  (SSE_ROOM | 1U << SSE_STATS)

struct sse;

/* NULL when out of memory. */
struct sse *sse_new(struct signaling *s);
/* Ends all streams; their connections close with http_stop, which must follow before the loop runs
 * on. Accepts NULL. */
void sse_free(struct sse *e);

/* The kinds that a session of this kind may have, as a mask. */
unsigned sse_of(const struct resource *r);
/* The kind of that name, or -1. */
int sse_find(const char *name);
const char *sse_name(enum sse_kind k);

/* POST on /session/{id}/sse: makes a stream of the kinds in the body, to be read by GET. Answers.
 */
void sse_create(struct signaling *s, struct http_request *rq, struct resource *r);
/* GET or DELETE on /session/{id}/sse/{stream}; GET on /session/{id}/sse (name NULL) reads a stream
 * of all kinds, made on the way. Answers. */
void sse_read(struct signaling *s, struct http_request *rq, struct resource *r, const char *name);
void sse_delete(struct signaling *s, struct http_request *rq, struct resource *r, const char *name);

/* r's control channel has opened, or has missed something: it is told how things stand. */
void sse_tell_all(struct signaling *s, struct resource *r);
/* Who reads r's events has changed. */
void sse_note_wanted(struct resource *r);
/* True if somebody reads events of this kind. */
bool sse_wants(const struct resource *r, enum sse_kind kind);
/* Sends one event to those who want it. json: one line, len bytes; NULL (memory ran out): nothing
 * is sent. A reader that is too slow loses its connection. */
void sse_send(struct signaling *s, struct resource *r, enum sse_kind kind, const char *json,
              size_t len);
/* Tells active or inactive if that has changed. */
void sse_activity(struct signaling *s, struct resource *r, bool active);
/* The same for all sessions that play a stream by its own name. */
void sse_stream_activity(struct signaling *s, uint64_t stream);
/* The session has ended: its streams end. */
void sse_end(struct signaling *s, struct resource *r);
/* The server is being shut down: everybody is told to reconnect. */
void sse_drain(struct signaling *s);
/* Numbers asked for by the events' own clock (API_EV_STATS with token 0). */
void sse_on_stats(struct signaling *s, const struct api_session_stats *st);

/* Streams being read now, and closed because their reader was too slow. */
unsigned sse_open(const struct sse *e);
uint64_t sse_dropped(const struct sse *e);

#endif
