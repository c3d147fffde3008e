/* SPDX-License-Identifier: Apache-2.0 */
/* peer_media.h - synthetic media: RTP payloads with true payload descriptors of their codec around
 * an embedded header that names stream, track, layer, frame, packet and send time, and a checksum.
 * So a receiver can verify content and order of every packet and its one-way latency.
 *
 *  payload = codec descriptor | codec header bytes | embedded header (40 bytes) | filler
 *
 * Pure but for the send time, which peer_media_write is given. */
#ifndef TESTS_PEER_PEER_MEDIA_H
#define TESTS_PEER_PEER_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_codec { PEER_OPUS, PEER_VP8, PEER_VP9, PEER_H264, PEER_AV1, PEER_CODEC_COUNT };

/* One row per codec: what the SDP calls it and the payload types that our offers use. */
struct peer_codec_info {
    const char *name;
    uint32_t clock_hz;
    unsigned channels; /* 0 = left out of the rtpmap */
    uint8_t pt;
    uint8_t rtx_pt;   /* 0 = none */
    const char *fmtp; /* "" = none */
};
const struct peer_codec_info *peer_codec_info(enum peer_codec c);
/* PEER_CODEC_COUNT if there is none of that name (compared without case). */
enum peer_codec peer_codec_find(const char *name, uint32_t clock_hz);

#define PEER_EMBED_BYTES 40
#define PEER_PAYLOAD_MAX 1150
/* Largest codec descriptor and header bytes in front of the embedded header. */
#define PEER_MEDIA_HEAD_MAX 40
/* What a packet takes of a real frame. */
#define PEER_BODY_MAX (PEER_PAYLOAD_MAX - PEER_MEDIA_HEAD_MAX)

/* What the embedded header says. */
struct peer_embed {
    uint32_t stream;
    uint8_t track; /* 0 audio, 1 video */
    uint8_t layer;
    bool keyframe;
    uint8_t tid; /* temporal layer */
    uint32_t frame;
    uint16_t pkt;
    uint16_t n_pkts;
    int64_t sent_ns; /* CLOCK_MONOTONIC */
};

/* Facts of the codec's own descriptor. */
struct peer_desc {
    bool has_pic_id;
    uint16_t pic_id; /* 15 bit */
    bool has_tl0;
    uint8_t tl0;
    bool keyframe_bit; /* the codec's bytes say key frame (first packet of the frame) */
    bool frame_start;
};

/* One packet to write. */
struct peer_media_pkt {
    enum peer_codec codec;
    struct peer_embed embed;
    uint16_t pic_id;
    uint8_t tl0;
    uint16_t width, height;
    size_t payload_bytes; /* wanted; raised to what the headers need */
    /* Real media instead (Opus, VP8): this is what follows the codec's descriptor. NULL = none. */
    const uint8_t *body;
    size_t body_len; /* at most PEER_BODY_MAX */
};

/* Number of packets that a frame of this size takes (H.264 key frames: two parameter sets more). */
unsigned peer_media_count(enum peer_codec c, bool keyframe, size_t frame_bytes);
/* Writes a payload. Returns its length; out has room for PEER_PAYLOAD_MAX bytes. */
size_t peer_media_write(const struct peer_media_pkt *m, uint8_t *out);

enum peer_media_fault {
    PEER_MEDIA_OK,
    PEER_MEDIA_DESCRIPTOR, /* the codec's descriptor does not parse or contradicts itself */
    PEER_MEDIA_HEADER,     /* no embedded header where it must be */
    PEER_MEDIA_CHECKSUM,   /* header or filler changed on the way */
};

/* Reads and verifies a payload. ret_desc is filled as far as the descriptor was understood. */
enum peer_media_fault peer_media_read(enum peer_codec c, const uint8_t *payload, size_t len,
                                      struct peer_desc *ret_desc, struct peer_embed *ret_embed);

#endif
