/* SPDX-License-Identifier: Apache-2.0 */
/* keyframes.h - when to ask the source of one encoding for a key frame. All wishes of all viewers
 * meet here and are coalesced: one request outstanding, never two within KEYFRAME_FLOOR_US,
 * repeated with doubling patience because a request or its key frame may be lost on a static
 * screen, and given up after KEYFRAME_TRIES: then the source ignores PLI (OBS, FFmpeg, aiortc's
 * H.264) and its own interval is awaited. A source that nobody asks is asked all the same, so that
 * whether it listens is known before somebody joins. Pure; one per encoding on the publisher's
 * worker. */
#ifndef SFU_KEYFRAMES_H
#define SFU_KEYFRAMES_H

#include "rtp/base.h"

#define KEYFRAME_FLOOR_US (300 * US_PER_MS)
#define KEYFRAME_TRIES    5
/* After so many already if its own interval went on meanwhile; and joiners of a source that has
 * never answered make do with what is stored. */
#define KEYFRAME_TRIES_LEAST 3
/* A source listens when it has given so many answers: one may be chance. If no joiner asks, it is
 * asked so long after its first key frame, and so long after its first answer; so often at most. */
#define KEYFRAME_ANSWERS       2
#define KEYFRAME_TEST_US       US_PER_S
#define KEYFRAME_TEST_AGAIN_US (5 * US_PER_S)
#define KEYFRAME_TEST_ASKS     (3 * KEYFRAME_TRIES)
/* A source that ignored KEYFRAME_TRIES requests is asked again after this long. */
#define KEYFRAME_DEAF_US (10 * US_PER_S)
/* Key frames may cost this share of what the source sends, in the long run: a storm of joiners must
 * not take the picture's quality from those who watch. One in KEYFRAME_SLOWEST_US is always allowed
 * (a still screen sends next to nothing), and two may be had in advance, a third by those who
 * cannot wait. */
#define KEYFRAME_PERCENT    10
#define KEYFRAME_BURST      2
#define KEYFRAME_SLOWEST_US (4 * US_PER_S)
/* While wishes come thick, those of so long are taken together. */
#define KEYFRAME_BIN_US (100 * US_PER_MS)
/* Sources often send key frames of all layers at once: after one the siblings are waited for. */
#define KEYFRAME_SIBLING_US (300 * US_PER_MS)

struct keyframes {
    bool wanted;     /* somebody waits */
    uint8_t tries;   /* requests sent since the last key frame */
    bool blind;      /* an answer cannot be recognised: every wish is passed on once */
    bool deaf;       /* the source ignores requests */
    uint8_t answers; /* that it has given, up to KEYFRAME_ANSWERS: then it listens */
    bool went_on;    /* it has sent other packets since the last request */
    bool fresh;      /* a key frame now would be an answer to the last request, not chance */
    bool never;      /* known not to answer any: none is sent */
    bool dear;       /* what is there does not pay for another request: joiners make do with what is
                        stored. Of a replica: as the publisher's worker says */
    int64_t last_ask_us;
    int64_t next_ask_us; /* not before; meaningful while wanted */
    int64_t last_key_us;
    uint64_t asked, seen; /* requests sent, key frames received */
    int64_t own_us;       /* between key frames that nobody asked for; 0 = not known */
    /* what they cost, bytes */
    bool urgent;        /* a viewer that cannot wait wants it */
    bool charged;       /* the request under way has been paid for */
    int64_t credit;     /* may be spent on key frames; one costs size */
    uint32_t size;      /* of the last whole key frame; 0 = not known */
    uint32_t part;      /* of the one in progress */
    uint64_t key_bytes; /* of all */
};

/* Nobody waits, nothing was asked. */
void keyframes_init(struct keyframes *k);
/* The source is known to answer no request: its client is one of those (OBS, FFmpeg), or neither
 * PLI nor FIR was negotiated. */
void keyframes_give_up(struct keyframes *k);
/* The source's stack is a whole WebRTC one, whose encoder follows the bandwidth that it is told: it
 * need not be asked whether it listens. */
void keyframes_trust(struct keyframes *k);
/* True while it looks as if requests were in vain: the source is known to be deaf, or has never
 * answered and leaves several unanswered now. */
static inline bool keyframes_in_vain(const struct keyframes *k)
{
    return k->deaf || (k->answers < KEYFRAME_ANSWERS && k->tries >= KEYFRAME_TRIES_LEAST);
}
/* True while it is not known whether requests are of use: its last key frame must be kept. */
static inline bool keyframes_untested(const struct keyframes *k)
{
    return k->seen && !k->deaf && k->answers < KEYFRAME_ANSWERS;
}
/* Somebody needs a key frame. urgent: a viewer has no picture until it comes. */
void keyframes_want(struct keyframes *k, bool urgent, int64_t now_us);
/* A packet of the source has come: len bytes, of a key frame or not. On the packet path. */
void keyframes_on_packet(struct keyframes *k, uint32_t len, bool key);
/* A key frame of another layer of the same picture has come. */
void keyframes_on_sibling(struct keyframes *k, int64_t now_us);
/* The first packet of a key frame has come. */
void keyframes_on_key(struct keyframes *k, int64_t now_us);
/* True when a request is to be sent now; counts it as sent. rtt_us: to the source, an estimate. */
bool keyframes_poll(struct keyframes *k, int64_t now_us, int64_t rtt_us);

#endif
