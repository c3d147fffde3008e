/* SPDX-License-Identifier: Apache-2.0 */
/* keyframes.h - when to ask the source of one encoding for a key frame. All wishes of all viewers
 * meet here and are coalesced: one request outstanding, never two within KEYFRAME_FLOOR_US,
 * repeated with doubling patience because a request or its key frame may be lost on a static
 * screen, and given up after KEYFRAME_TRIES: then the source ignores PLI (OBS, FFmpeg) and its own
 * interval is awaited. Pure; one per encoding on the publisher's worker. */
#ifndef SFU_KEYFRAMES_H
#define SFU_KEYFRAMES_H

#include "rtp/base.h"

#define KEYFRAME_FLOOR_US (300 * US_PER_MS)
#define KEYFRAME_TRIES    5
/* A source that ignored KEYFRAME_TRIES requests is asked again after this long. */
#define KEYFRAME_DEAF_US (10 * US_PER_S)

struct keyframes {
    bool wanted;   /* somebody waits */
    uint8_t tries; /* requests sent since the last key frame */
    bool deaf;     /* the source ignores requests */
    bool never;    /* known not to answer any: none is sent */
    int64_t last_ask_us;
    int64_t next_ask_us; /* not before; meaningful while wanted */
    int64_t last_key_us;
    uint64_t asked, seen; /* requests sent, key frames received */
};

/* Nobody waits, nothing was asked. */
void keyframes_init(struct keyframes *k);
/* The source is known to answer no request: its client is one of those (OBS, FFmpeg), or neither
 * PLI nor FIR was negotiated. */
void keyframes_give_up(struct keyframes *k);
/* Somebody needs a key frame. */
void keyframes_want(struct keyframes *k, int64_t now_us);
/* The first packet of a key frame has come. */
void keyframes_on_key(struct keyframes *k, int64_t now_us);
/* True when a request is to be sent now; counts it as sent. rtt_us: to the source, an estimate. */
bool keyframes_poll(struct keyframes *k, int64_t now_us, int64_t rtt_us);

#endif
