/* SPDX-License-Identifier: Apache-2.0 */
/* levels.h - what MAIN is told of publishers without asking each time: who speaks, of the streams
 * it named (one small message per worker and 50 ms, only while there is something to tell), and
 * whether audio and video flow at all, and what is wrong with them. Its cost goes with publishers,
 * never with viewers. Role MEDIA. */
#ifndef SFU_LEVELS_H
#define SFU_LEVELS_H

#include "rtp/base.h"

struct router;
struct stream;
struct track;

#define LEVELS_US (50 * US_PER_MS)

/* API_CMD_LEVELS: begins or ends telling the levels of a stream. */
void levels_want(struct router *r, uint64_t stream, bool want);
/* The extension byte of a packet of t (RFC 6464). On the packet path. */
void levels_on_packet(struct track *t, uint8_t ext, int64_t now_us);
/* Every ROUTER_TICK_US: API_EV_LEVELS, API_EV_TRACKS and API_EV_FAULT when they are due. */
void levels_tick(struct router *r, int64_t now_us);

#endif
