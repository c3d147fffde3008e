/* SPDX-License-Identifier: Apache-2.0 */
/* truth.h - what the modelled encoder writes into every packet's payload behind the codec's own
 * head, so that a receiver can tell whether a picture was really decodable, whatever the numbers
 * around it say. Never seen by the product, for which it is a part of an encrypted picture. */
#ifndef TESTS_SIM_TRUTH_H
#define TESTS_SIM_TRUTH_H

#include "rtp/base.h"

#define TRUTH_MAGIC 0x7a11f00du
#define TRUTH_REFS  4

struct truth {
    uint32_t magic;
    uint32_t source; /* the publisher's track: frame numbers of different ones do not compare */
    uint8_t layer;   /* SSRC of a simulcast, lowest first */
    uint8_t sid, tid;
    uint8_t key; /* decodes without any earlier picture */
    uint8_t n_refs;
    uint8_t top_sid;      /* the highest spatial layer of this picture */
    uint16_t part, parts; /* this packet of the frame's */
    uint32_t frame;       /* number within the layer, spatial layers counted singly */
    uint32_t refs[TRUTH_REFS];
    int64_t capture_us;
    uint64_t bytes; /* of the whole frame */
};

#endif
