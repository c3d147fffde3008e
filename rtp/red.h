/* SPDX-License-Identifier: Apache-2.0 */
/* red.h - redundant audio, RFC 2198: one payload carries the newest frame and copies of older ones.
 * Blocks that were read point into the payload. Pure; any thread. */
#ifndef RTP_RED_H
#define RTP_RED_H

#include "rtp/base.h"

/* Redundant blocks in one packet; Chrome sends up to 9. More is refused. */
#define RED_BLOCKS_MAX 16
/* What the fields of a redundant block hold at most: bytes, media clock units. */
#define RED_LEN_MAX  1023
#define RED_BACK_MAX 16383
/* A redundant block's header, and the primary's. */
#define RED_HEAD_LEN 4
#define RED_LAST_LEN 1

struct red_block {
    const uint8_t *data; /* into the payload that was read */
    uint16_t len;        /* bytes, 0 is legal for a redundant block */
    uint16_t ts_back;    /* media clock units before the packet's timestamp; 0 for the primary */
    uint8_t pt;          /* payload type of the block's own codec */
};

struct red {
    uint8_t n_blocks; /* redundant ones, oldest first as on the wire */
    struct red_block block[RED_BLOCKS_MAX];
    struct red_block primary; /* the frame of the packet's own timestamp; never empty */
};

/* Splits a RED payload.
 * Returns 0; -EMSGSIZE if headers or blocks run past len; -EBADMSG if there are more than
 * RED_BLOCKS_MAX redundant blocks or the primary block is empty. RFC 2198 3. */
int red_read(const uint8_t *payload, size_t len, struct red *ret_red) MUST_CHECK;

/* The primary block alone, for a viewer that has not negotiated RED: send its data with
 * the viewer's payload type for the codec inside.
 * Returns and errors as red_read. */
int red_primary(const uint8_t *payload, size_t len, struct red_block *ret_primary) MUST_CHECK;

/* Writes all of a RED payload that stands before the primary's data: the headers, and the redundant
 * blocks, whose len and ts_back fit their fields. Returns the bytes written, -ENOSPC. */
int red_write(const struct red *red, uint8_t *out, size_t cap) MUST_CHECK;

#endif
