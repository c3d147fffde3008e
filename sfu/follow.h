/* SPDX-License-Identifier: Apache-2.0 */
/* follow.h - which stream a viewer's section plays. MAIN names a stream, or an alias: an id that
 * stands for one stream now and for another later, so that a room of thousands goes over to the
 * next speaker by one command to each worker. A section that leaves a stream in the middle of a
 * frame sends that frame to its end first, so that the receiver sees no gap. Role MEDIA. */
#ifndef SFU_FOLLOW_H
#define SFU_FOLLOW_H

#include "rtp/base.h"
#include "rtp/list.h"

struct router;
struct stream;
struct sub;

/* The part of a sub that says what it plays. */
struct follow {
    struct list by_name;   /* in named->followers */
    struct list by_stream; /* in stream->players */
    struct list leaving;   /* in router->leaving: waits for the end of a frame */
    struct stream *named;  /* what MAIN said: a stream or an alias; NULL: nothing */
    struct stream *stream; /* what is played; NULL: nothing */
    int64_t leave_by_us;   /* leaving: whatever the frame does */
};

/* In no list, playing nothing. */
void follow_init(struct follow *f);
/* From now on s plays id, a stream or an alias; 0: nothing. Without memory it plays on. */
void follow_play(struct sub *s, uint64_t id, int64_t now_us);
/* id stands for target from now on; 0: for nothing. */
void follow_alias(struct router *r, uint64_t id, uint64_t target, int64_t now_us);
/* The stream has got tracks: those who play it are attached. */
void follow_attach(struct stream *st, int64_t now_us);
/* s ends. */
void follow_end(struct sub *s);
/* Lets go those whose frame is complete; every ROUTER_TICK_US. */
void follow_tick(struct router *r, int64_t now_us);

#endif
