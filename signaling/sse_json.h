/* SPDX-License-Identifier: Apache-2.0 */
/* sse_json.h - what the events of one session say: layers, numbers, viewers. Private to
 * sse.c. Role MAIN. */
#ifndef SIGNALING_SSE_JSON_H
#define SIGNALING_SSE_JSON_H

#include "rtp/base.h"

struct api_session_stats;
struct resource;
struct signaling;
struct strbuf;
struct stream;

/* True while what r plays has media. */
bool sse_is_active(const struct signaling *s, const struct resource *r);
/* Sessions that play what r plays: its stream, or its room. */
unsigned sse_viewers(const struct signaling *s, const struct resource *r);
/* The streams whose video r plays now, at most SLOTS_MAX; returns how many. */
unsigned sse_sources(const struct signaling *s, const struct resource *r,
                     struct stream **ret_sources);
/* Keeps what a publisher's numbers say of its layers. */
void sse_note_layers(struct stream *st, const struct api_session_stats *stats);
/* Appends the layers event: by m-line, what the publisher sends (draft-ietf-wish-whep). Returns a
 * digest that changes with what is worth telling; 0: nothing is known yet. */
uint64_t sse_write_layers(const struct signaling *s, const struct resource *r, struct strbuf *out);
/* Appends the stats event. */
void sse_write_stats(const struct signaling *s, const struct api_session_stats *st,
                     struct strbuf *out);

#endif
