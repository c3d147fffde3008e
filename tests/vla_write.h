/* SPDX-License-Identifier: Apache-2.0 */
/* vla_write.h - writes the video layers allocation extension, as publishers do: for tests. */
#ifndef TESTS_VLA_WRITE_H
#define TESTS_VLA_WRITE_H

#include "rtp/vla.h"

#define VLA_WRITE_MAX 279 /* 16 layers with 4 rates of 3 bytes and a size each */

static inline size_t vla_write_leb128(uint32_t v, uint8_t *out)
{
    size_t n = 0;
    do {
        out[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v);
    return n;
}

/* The masks of the streams, in one if they are the same. Returns the bytes written behind out[0].
 */
static inline size_t vla_write_masks(const struct vla *v, uint8_t *out)
{
    uint8_t mask[VLA_STREAMS_MAX] = {0};
    bool same = true;
    for (unsigned s = 0; s < v->n_streams; s++) {
        for (unsigned i = 0; i < VLA_SPATIAL_MAX; i++) {
            mask[s] |= (uint8_t)(v->layer[s][i].n_tid ? 1U << i : 0);
        }
        same &= mask[s] == mask[0];
    }
    out[0] = (uint8_t)(v->stream << 6 | (v->n_streams - 1) << 4 | (same ? mask[0] : 0));
    if (same && mask[0]) {
        return 0;
    }
    out[1] = (uint8_t)(mask[0] << 4 | mask[1]);
    out[2] = (uint8_t)(mask[2] << 4 | mask[3]);
    return v->n_streams > 2 ? 2 : 1;
}

/* v->n_streams is not 0; sizes are written if the first layer that is there has one. Returns the
 * length. */
static inline size_t vla_write(const struct vla *v, uint8_t out[VLA_WRITE_MAX])
{
    const struct vla_layer *there[VLA_STREAMS_MAX * VLA_SPATIAL_MAX];
    unsigned n = 0;
    for (unsigned s = 0; s < v->n_streams; s++) {
        for (unsigned i = 0; i < VLA_SPATIAL_MAX; i++) {
            if (v->layer[s][i].n_tid) {
                there[n++] = &v->layer[s][i];
            }
        }
    }
    size_t at = 1 + vla_write_masks(v, out);
    for (unsigned i = 0; i < n; i++) {
        uint8_t two = (uint8_t)((there[i]->n_tid - 1) << (6 - 2 * (i % 4)));
        out[at + i / 4] = (uint8_t)(i % 4 ? out[at + i / 4] | two : two);
    }
    at += (n + 3) / 4;
    for (unsigned i = 0; i < n; i++) {
        for (unsigned t = 0; t < there[i]->n_tid; t++) {
            at += vla_write_leb128(there[i]->kbps[t], out + at);
        }
    }
    for (unsigned i = 0; i < n && there[0]->width; i++, at += 5) {
        out[at] = (uint8_t)((there[i]->width - 1) >> 8);
        out[at + 1] = (uint8_t)(there[i]->width - 1);
        out[at + 2] = (uint8_t)((there[i]->height - 1) >> 8);
        out[at + 3] = (uint8_t)(there[i]->height - 1);
        out[at + 4] = there[i]->fps;
    }
    return at;
}

#endif
