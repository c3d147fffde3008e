/* SPDX-License-Identifier: Apache-2.0 */
/* params.h - the parameter sets (VPS, SPS, PPS) of one H.264 or H.265 source: kept as they come,
 * for key frames that come without them. Pure; one owner. */
#ifndef RTP_PARAMS_H
#define RTP_PARAMS_H

#include "rtp/codec.h"

#define PARAMS_SETS_MAX 8 /* sets of other types or ids than these start anew */
/* Bytes of all sets together. A longer one ends what it replaces, and is not kept. */
#define PARAMS_BYTES_MAX 600

struct params {
    uint8_t n;
    uint16_t used;
    struct {
        uint8_t type; /* NAL unit type */
        uint8_t id;   /* of the set; one SPS of H.265 is kept */
        uint16_t off, len;
    } sets[PARAMS_SETS_MAX];
    uint8_t bytes[PARAMS_BYTES_MAX]; /* NAL units, header included */
};

/* True for codecs with parameter sets. */
bool params_has(enum codec_id codec);

/* Keeps the sets in one packet: a NAL unit of its own, or within an aggregate (RFC 6184 5.7.1, RFC
 * 7798 4.4.2); not those in fragments. A set replaces the one of its type and id. Returns true if
 * there were any. */
bool params_keep(struct params *p, enum codec_id codec, const uint8_t *payload, size_t len);

/* Keeps the sets that an fmtp ("" = none) names: sprop-parameter-sets (RFC 6184 8.1), sprop-vps,
 * sprop-sps, sprop-pps (RFC 7798 7.1). What does not decode is passed over. */
void params_keep_fmtp(struct params *p, enum codec_id codec, const char *fmtp);

/* Writes one aggregate with all that is kept, in the order in which a decoder needs it. Returns its
 * length; 0 when a kind of set is missing that the codec cannot do without, or cap does not
 * suffice. */
size_t params_write(const struct params *p, enum codec_id codec, uint8_t *out, size_t cap);

#endif
