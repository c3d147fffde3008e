/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - what travels in the rings between workers: stored packets of a replicated stream,
 * sender reports, and datagrams for their owner. Role MEDIA. */
#ifndef SFU_RECORD_H
#define SFU_RECORD_H

#include "ice/addr.h"
#include "sfu/track.h"

struct ring;

enum record_kind {
    RECORD_PACKET,
    RECORD_REPORT,
    RECORD_RESTART, /* the encoding's source has started anew */
    RECORD_DATAGRAM,
};

/* Head of every record but RECORD_DATAGRAM. */
struct record {
    enum record_kind kind;
    uint8_t track, layer, n_layers;
    enum media_kind media;
    uint64_t stream;
    uint64_t publisher;
    uint32_t epoch;
    bool deaf; /* the source ignores key frame requests */
    bool dear; /* struct keyframes.dear */
    char rid[API_RID_MAX];
};

struct record_packet {
    struct record head;
    uint64_t seq;
    int64_t arrival_us;
    uint32_t ts;
    enum codec_id codec;
    bool marker;
    uint8_t ext_len;
    uint16_t payload_len;
    uint32_t n_slots, n_bytes; /* of the history that it comes from */
    struct pkt_desc desc;
    struct layer_map map;
    uint8_t bytes[]; /* extensions, payload */
};

struct record_report {
    struct record head;
    uint64_t ntp;
    uint32_t ts;
    int64_t ntp_offset_us; /* of the stream */
};

struct record_datagram {
    enum record_kind kind;
    uint32_t len;
    struct path from;
    uint8_t bytes[];
};

/* Producers: false when the ring is full. */
bool record_put_packet(struct ring *ring, const struct encoding *e, const struct hist_in *in);
bool record_put_report(struct ring *ring, const struct encoding *e);
bool record_put_restart(struct ring *ring, const struct encoding *e);
bool record_put_datagram(struct ring *ring, const struct path *from, const uint8_t *buf,
                         size_t len);

#endif
