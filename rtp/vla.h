/* SPDX-License-Identifier: Apache-2.0 */
/* vla.h - reads the video layers allocation header extension (webrtc.org experiment
 * video-layers-allocation00): which layers a publisher sends at present over all its simulcast
 * streams, at which rates it aims, and how large and fast they are. Chromium says so with each
 * stream's first packets and whenever that changes. Pure; any thread. */
#ifndef RTP_VLA_H
#define RTP_VLA_H

#include "rtp/base.h"

#define VLA_STREAMS_MAX  4
#define VLA_SPATIAL_MAX  4
#define VLA_TEMPORAL_MAX 4

/* A spatial layer of a stream. What does not fit a field is its largest value. */
struct vla_layer {
    uint8_t n_tid;                   /* temporal layers; 0 = the layer is not sent */
    uint8_t fps;                     /* the most; 0 = not told */
    uint16_t width, height;          /* pixels; 0 = not told */
    uint16_t kbps[VLA_TEMPORAL_MAX]; /* aimed at with temporal layers up to this one, without lower
                                        spatial layers */
};

struct vla {
    uint8_t stream;    /* the one that the packet belongs to, counted as in a=simulcast */
    uint8_t n_streams; /* those behind are not sent either; 0 = nothing is sent at all */
    struct vla_layer layer[VLA_STREAMS_MAX][VLA_SPATIAL_MAX];
};

/* Reads the extension's value. Returns 0; -EMSGSIZE if it ends early. What follows the sizes is
 * ignored. */
int vla_read(const uint8_t *data, size_t len, struct vla *ret) MUST_CHECK;

/* Bit i: stream i is sent. */
uint8_t vla_sent(const struct vla *v);

#endif
