/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_clip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IVF_HEAD       32
#define IVF_FRAME_HEAD 12

static uint32_t little32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int peer_clip_read(uint8_t *file, size_t len, struct peer_clip *ret)
{
    size_t at = IVF_HEAD;

    *ret = (struct peer_clip){.file = file};
    if (len < IVF_HEAD || memcmp(file, "DKIF", 4) || memcmp(file + 8, "VP80", 4)) {
        return -EINVAL;
    }
    while (at < len && ret->n < PEER_CLIP_FRAMES_MAX) {
        size_t n = len - at >= IVF_FRAME_HEAD ? little32(file + at) : 0;
        at += IVF_FRAME_HEAD;
        if (!n || n > len - at) {
            return -EINVAL;
        }
        /* RFC 6386 9.1: bit 0 of a frame says that it is no key frame */
        ret->frames[ret->n++] = (struct peer_clip_frame){file + at, n, !(file[at] & 1)};
        at += n;
    }
    return ret->n && ret->frames[0].key ? 0 : -EINVAL;
}

struct peer_clip *peer_clip_open(const char *path)
{
    struct peer_clip *c = malloc(sizeof(*c));
    uint8_t *file = malloc(PEER_CLIP_BYTES_MAX);
    FILE *f = fopen(path, "rbe");
    size_t n = f && file ? fread(file, 1, PEER_CLIP_BYTES_MAX, f) : 0;
    int r = !f || !c || !file ? -errno : peer_clip_read(file, n, c);

    if (f) {
        fclose(f);
    }
    if (r < 0) {
        free(file);
        free(c);
        errno = -r;
        return NULL;
    }
    return c;
}

void peer_clip_free(struct peer_clip *c)
{
    if (c) {
        free(c->file);
        free(c);
    }
}
