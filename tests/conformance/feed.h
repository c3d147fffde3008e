/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h - media by hand: a publisher whose own encoder is silent, a viewer of it, and single RTP
 * packets in between. Each payload begins with a number that says which packet it is. */
#ifndef TESTS_CONFORMANCE_FEED_H
#define TESTS_CONFORMANCE_FEED_H

#include "tests/conformance/suite.h"
#include "tests/peer/peer_bytes.h"
#include "tests/peer/peer_rtp.h"

struct feed {
    struct suite *suite;
    struct party *pub, *view;
    int audio, video; /* sections */
    uint8_t audio_pt, video_pt, rtx_pt;
    uint32_t audio_ssrc, video_ssrc, rtx_ssrc;
    int mid_ext;   /* id towards the server; 0 = not negotiated */
    unsigned seen; /* plaintext packets of the viewer that were there at the last feed_mark */
};

/* Both up, nothing sent yet. pub and view may be NULL. False when that failed, which is noted. */
bool feed_open(struct suite *s, const struct plan *pub, const struct plan *view, struct feed *ret);
/* One Opus packet with this number; seq is also its time. extra: header extensions. */
void feed_audio(struct feed *f, uint16_t seq, uint32_t number);
/* Any packet: what is 0 in r is filled for audio. Payload of 40 bytes if none is given. */
void feed_send(struct feed *f, const struct peer_rtp *r, uint32_t number);
/* A whole VP8 frame in one packet. */
void feed_vp8(struct feed *f, uint16_t seq, uint32_t ts, bool key, uint32_t number);
/* The payload of such a frame, 64 bytes. */
void feed_vp8_payload(uint8_t out[64], uint8_t picture_id, bool key, uint32_t number);
/* Opens the way: a viewer needs some packets before it is sent anything. Numbers from 1, seqs from
 * first on. Returns whether the last one came through. */
bool feed_prime(struct feed *f, uint16_t first, unsigned n);
/* Waits until the viewer has a packet with that number (at most ms). Returns it, NULL if not. */
const struct plain *feed_wait(struct feed *f, uint32_t number, unsigned ms);
/* How many of the viewer's packets carry that number. */
unsigned feed_count(const struct feed *f, uint32_t number);
/* Its number; 0 if it is not one of feed_audio's. */
uint32_t feed_number(const struct feed *f, const struct plain *x);
/* Outgoing sequence number of the packet with that number, -1 if it never came. */
int feed_seq(const struct feed *f, uint32_t number);

#endif
