/* SPDX-License-Identifier: Apache-2.0 */
/* peer_rx.h - one incoming RTP stream: sequence numbers, gaps, NACK, and a verifier that walks the
 * packets in sequence order as soon as it has them, retransmitted ones included. Bytes and time in,
 * facts out; nothing is sent from here. */
#ifndef TESTS_PEER_PEER_RX_H
#define TESTS_PEER_PEER_RX_H

#include "tests/peer/peer.h"

#define PEER_RX_NACKS_MAX 256

enum peer_rx_flags {
    RX_GOT = 1 << 0,
    RX_MARKER = 1 << 1,
    RX_OPENED = 1 << 2, /* embedded header is known */
    RX_KEY = 1 << 3,
    RX_PIC_ID = 1 << 4,
    RX_TL0 = 1 << 5,
    RX_PADDING = 1 << 6,
};

/* One place of the reorder ring. */
struct peer_rx_slot {
    uint64_t seq; /* extended */
    uint32_t ts;
    uint32_t frame;
    uint32_t stream;
    uint16_t pkt, n_pkts;
    uint16_t pic_id;
    uint8_t tl0, tid, layer;
    uint8_t flags;
};

struct peer_rx_nack {
    uint64_t seq;
    int64_t since_us;
    int64_t asked_us; /* 0 = not yet */
    unsigned tries;
};

struct peer_rx {
    struct peer_stats *stats;
    enum peer_codec codec;
    bool video;
    bool sparse;
    unsigned section;
    uint32_t ssrc;
    uint32_t rtx_ssrc; /* 0 = not known yet */
    char rid[17];
    uint8_t pt;
    bool plain_resends; /* NACK without RTX: a number may come twice */
    int64_t give_up_us; /* how long a gap is waited for */

    bool started;
    struct peer_rx_slot *slots;
    size_t mask;
    uint64_t first, highest, next; /* next: where the walk stands */
    struct peer_rx_nack nacks[PEER_RX_NACKS_MAX];
    unsigned n_nacks;
    struct peer_rx_slot last; /* last media packet walked over */
    bool last_valid;          /* false after a loss: continuity cannot be judged */
    bool chain_ok;            /* every packet of the current frame so far was there */
    bool key_seen;
    bool key_lost; /* decoding is broken until the next key frame */
    int64_t opened_us;
    int64_t asked_key_us;

    /* receiver report */
    uint64_t received, expected_prior, received_prior;
    uint32_t jitter_q4;
    int64_t transit;
    uint32_t last_sr;
    int64_t last_sr_us;
};

/* ring: places, a power of two. Returns 0 or -ENOMEM. */
int peer_rx_init(struct peer_rx *r, size_t ring);
void peer_rx_fini(struct peer_rx *r);

/* Whether the next packet should be opened: always, or as often as sparse verification wants. */
bool peer_rx_wants(const struct peer_rx *r, int64_t now_us);

enum peer_rx_result {
    PEER_RX_NEW,
    PEER_RX_DUPLICATE, /* here already */
    PEER_RX_LATE,      /* given up before */
};

/* One packet of the stream. seq is given apart from rtp: for RTX it is the original one. opened:
 * the payload is plaintext. ret_embed is filled when the content was verified; *ret_has_embed says
 * so. */
enum peer_rx_result peer_rx_packet(struct peer_rx *r, const struct peer_rtp *rtp, uint16_t seq,
                                   bool opened, bool rtx, int64_t now_us,
                                   struct peer_embed *ret_embed, bool *ret_has_embed);

/* Gives up on gaps that are too old and walks on. Call it now and then. */
void peer_rx_on_time(struct peer_rx *r, int64_t now_us);
/* Sequence numbers to ask for now, at most cap; notes that they were asked for. */
unsigned peer_rx_nacks(struct peer_rx *r, int64_t now_us, uint16_t *out, unsigned cap);
/* When peer_rx_nacks or peer_rx_on_time has something to do; INT64_MAX = never. */
int64_t peer_rx_deadline(const struct peer_rx *r, bool nack);
/* Whether a keyframe must be asked for now; notes that it was. */
bool peer_rx_needs_key(struct peer_rx *r, int64_t now_us, int64_t up_us);
void peer_rx_on_sr(struct peer_rx *r, uint64_t ntp, int64_t now_us);
void peer_rx_report(struct peer_rx *r, struct peer_report *ret, int64_t now_us);
/* Gaps not yet filled nor given up. */
unsigned peer_rx_open_gaps(const struct peer_rx *r);

#endif
