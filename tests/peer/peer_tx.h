/* SPDX-License-Identifier: Apache-2.0 */
/* peer_tx.h - one outgoing RTP stream of synthetic media: frames, history, retransmission. Packets
 * leave through the peer (peer_tx_send_fn); time comes in. */
#ifndef TESTS_PEER_PEER_TX_H
#define TESTS_PEER_PEER_TX_H

#include "tests/peer/peer.h"
#include "tests/peer/peer_bytes.h"
#include "tests/peer/peer_clip.h"

#define PEER_TX_HISTORY 1024
#define PEER_TX_NAMED   20

/* NTP time of a monotonic time: seconds << 32; the epoch is ours and means nothing. */
static inline uint64_t peer_ntp(int64_t us)
{
    uint64_t s = (uint64_t)us / 1000000, rest = (uint64_t)us % 1000000;

    return (s + 3900000000U) << 32 | (rest << 32) / 1000000;
}

/* What all streams of a peer share: negotiated extension ids and the transport-wide number. */
struct peer_tx_env {
    void (*send)(void *ctx, const uint8_t *buf, size_t len); /* plaintext, not changed */
    void *ctx;
    struct peer_stats *stats;
    uint16_t twcc_seq;
    bool quiet;        /* audio levels say silence */
    bool ids_at_first; /* MID and RID only on the first PEER_TX_NAMED packets of each stream */
};

struct peer_tx {
    struct peer_tx_env *env;
    enum peer_codec codec;
    char mid[33]; /* "" = not written */
    const char *rid;
    uint8_t ext[PEER_EXT_COUNT];
    uint8_t pt, rtx_pt; /* rtx_pt 0: plain resends */
    uint32_t ssrc, rtx_ssrc;
    uint32_t stream;
    unsigned layer;
    unsigned temporal_layers;
    size_t frame_bytes; /* average */
    unsigned keyframe_ms;
    uint16_t width, height;
    bool key_wanted;
    const struct peer_clip
        *clip;        /* its frames round and round; audio is true silence. NULL = none */
    unsigned clip_at; /* the next one */

    struct peer_rng rng;
    uint16_t seq, rtx_seq, pic_id;
    uint8_t tl0;
    uint32_t frame, in_pattern;
    int64_t debt_bytes; /* what large frames took in advance */
    int64_t last_key_us;
    uint32_t first_ts, last_ts;
    int64_t last_frame_us;
    uint32_t packets, octets, resent; /* resent: as RTX */
    struct {
        uint16_t seq;
        uint16_t len; /* 0 = empty */
        uint8_t buf[PEER_PACKET_MAX];
    } * history; /* PEER_TX_HISTORY */
};

/* Random sequence number, timestamp and picture id from rng. Returns 0 or -ENOMEM. */
int peer_tx_init(struct peer_tx *t, uint64_t seed);
void peer_tx_fini(struct peer_tx *t);
/* Sends one frame. media_us: its place on the stream's own clock, from 0. */
void peer_tx_frame(struct peer_tx *t, int64_t media_us, int64_t now_us);
/* Answers a NACK for one sequence number. Returns false if it is not in the history. */
bool peer_tx_resend(struct peer_tx *t, uint16_t seq);
/* Appends SR and SDES. */
void peer_tx_report(struct peer_tx *t, struct peer_rtcp_out *o, const char *cname, int64_t now_us);

#endif
