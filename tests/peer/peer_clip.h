/* SPDX-License-Identifier: Apache-2.0 */
/* peer_clip.h - VP8 frames of an IVF file, for publishers whose pictures somebody is to look at:
 * browsers decode them, where they only fail on the synthetic media of peer_media.h. */
#ifndef TESTS_PEER_PEER_CLIP_H
#define TESTS_PEER_PEER_CLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_CLIP_BYTES_MAX  (16U << 20)
#define PEER_CLIP_FRAMES_MAX 3000

struct peer_clip_frame {
    const uint8_t *data;
    size_t len;
    bool key;
};

struct peer_clip {
    unsigned n;
    uint8_t *file;
    struct peer_clip_frame frames[PEER_CLIP_FRAMES_MAX]; /* the first one is a key frame */
};

/* Reads the frames of an IVF file in memory, which the clip keeps pointing into: a header of 32
 * bytes that begins with DKIF, then frames behind 12 bytes of length and time each. -EINVAL if it
 * is not VP8, is cut off, or does not begin with a key frame. */
int peer_clip_read(uint8_t *file, size_t len, struct peer_clip *ret);
/* The same of a file by name. Returns NULL, with errno, if it cannot be read. */
struct peer_clip *peer_clip_open(const char *path);
void peer_clip_free(struct peer_clip *c); /* NULL is fine */

#endif
