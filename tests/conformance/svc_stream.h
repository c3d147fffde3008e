/* SPDX-License-Identifier: Apache-2.0 */
/* svc_stream.h - layered streams as a browser sent them: the descriptors of twelve pictures from a
 * key picture on (tests/data/rtp), three spatial and three temporal layers, one packet a frame.
 * What a frame needs is read from the dependency descriptor that came with it. Pure. */
#ifndef TESTS_CONFORMANCE_SVC_STREAM_H
#define TESTS_CONFORMANCE_SVC_STREAM_H

#include "tests/peer/peer_media.h"

#define SVC_FRAMES 36
#define SVC_DD_MAX 128

struct svc_frame {
    uint8_t sid, tid;
    uint8_t n_refs;
    uint16_t refs[8]; /* frames that it is predicted from, counted back */
    bool last;        /* of its picture */
    uint8_t dd[SVC_DD_MAX];
    uint8_t dd_len;
    uint8_t head[64]; /* beginning of the payload, codec descriptor first */
    uint8_t head_len;
};

struct svc_stream {
    struct svc_frame frames[SVC_FRAMES];
};

/* PEER_VP9 (three spatial layers that depend on each other in key pictures only, flexible mode) or
 * PEER_AV1 (that depend on each other throughout). False if the file is not as it should be. */
bool svc_stream_read(enum peer_codec codec, struct svc_stream *ret);
/* The payload's beginning and the dependency descriptor of the frame with this index, the stream
 * going round for ever: picture and frame numbers go on. */
void svc_stream_head(const struct svc_stream *st, enum peer_codec codec, unsigned index,
                     uint8_t head[64], uint8_t dd[SVC_DD_MAX]);

#endif
