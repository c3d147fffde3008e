/* SPDX-License-Identifier: Apache-2.0 */
/* rx_parse.h - a receiver's reading of one RTP packet: header, extensions, payload descriptor,
 * Dependency Descriptor, and the truth behind them. Written against the RFCs, not against rtp/,
 * which is what it checks. */
#ifndef TESTS_SIM_RX_PARSE_H
#define TESTS_SIM_RX_PARSE_H

#include "rtp/codec.h"
#include "tests/sim/truth.h"

#define RX_REFS 8

struct rx_rtp {
    uint8_t pt;
    bool marker;
    uint16_t seq16;
    uint32_t ts, ssrc;
    const uint8_t *ext[16]; /* by id, NULL: absent */
    uint8_t ext_len[16];
    const uint8_t *payload;
    size_t len;
};

/* Returns false if the packet is malformed. Ids above 15 are skipped. */
bool rx_rtp_read(const uint8_t *pkt, size_t len, struct rx_rtp *ret);

/* What the numbers around the picture say. */
struct rx_desc {
    bool start, end; /* of the frame */
    bool key;
    uint8_t sid, tid;
    bool has_pid, has_tl0, sync, inter_layer;
    uint16_t pid;
    uint8_t tl0;
    bool has_dd, structure;
    bool unneeded;   /* DD: no target that is said to be sent has this frame */
    uint8_t top_sid; /* DD: highest spatial layer of the targets that are said to be sent */
    uint16_t number; /* DD: of the frame */
    uint8_t n_diffs; /* DD: frames back; VP9: pictures back */
    uint16_t diffs[RX_REFS];
    bool has_truth;
    struct truth truth;
};

/* The structure that came with the last key frame. */
struct rx_dd {
    bool known;
    uint8_t offset, n_templates, n_targets;
    uint32_t active; /* targets that are said to be sent */
    struct {
        uint8_t sid, tid, n_diffs, diffs[RX_REFS];
        uint32_t present; /* targets that have frames of it */
    } t[64];
};

/* Returns false if something is not as its RFC says. */
bool rx_desc_read(enum codec_id codec, struct rx_dd *dd_state, const struct rx_rtp *p,
                  const uint8_t *dd, size_t dd_len, struct rx_desc *ret);

#endif
