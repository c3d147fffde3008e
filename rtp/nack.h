/* SPDX-License-Identifier: Apache-2.0 */
/* nack.h - decides which missing packets of a publisher to ask for again, and when.
 * Pure; one instance per received SSRC; role MEDIA. Memory is the caller's, fixed at NACK_MAX
 * entries. The receiver side of RFC 4585 6.2.1. The timing is ours: the first request after a wait
 * for mere reordering, max(10 ms, 2 x the reordering measured); then one a round trip, at least 20
 * ms apart; ten at most. */
#ifndef RTP_NACK_H
#define RTP_NACK_H

#include "rtp/base.h"

#define NACK_MAX     1000 /* outstanding packets */
#define NACK_GAP_MAX 150  /* missing at once: a key frame is cheaper */
#define NACK_TRIES   10   /* requests per packet */

#define NACK_WAIT_MIN_US    (10 * US_PER_MS)
#define NACK_REORDER_MAX_US (50 * US_PER_MS) /* the wait is never above twice this */
#define NACK_RETRY_MIN_US   (20 * US_PER_MS)
#define NACK_RTT_DEFAULT_US (100 * US_PER_MS) /* while no round trip is measured */

struct nack_item {
    uint64_t seq;     /* extended */
    int64_t since_us; /* noticed, or last asked for */
    uint8_t tries;    /* requests so far */
};

struct nack {
    bool any;
    uint16_t n;                       /* items in use */
    uint64_t highest;                 /* extended sequence number, valid if any */
    int64_t retry_us;                 /* between requests; set by nack_poll */
    int64_t reorder_us;               /* how late packets come that nobody asked for; fades */
    uint64_t recovered;               /* packets that came after they were asked for */
    uint64_t abandoned;               /* packets given up: tries spent, key frame, or reset */
    struct nack_item items[NACK_MAX]; /* ascending */
};

/* Prepares n: nothing is missing, the first packet noted sets the position. */
void nack_init(struct nack *n);

/* Notes an arrived packet (by itself, or out of RTX) and any gap it reveals.
 * seq      extended sequence number (recv_stats_on_packet)
 * now_us   monotonic, microseconds, never less than in earlier calls
 * Returns the number of newly missing packets; 0 if none, late or duplicate; -ERANGE if more than
 * NACK_GAP_MAX are missing at once or more than NACK_MAX in all: then all are forgotten, ask for a
 * key frame. */
int nack_on_seq(struct nack *n, uint64_t seq, int64_t now_us) MUST_CHECK;

/* Stops asking for everything up to seq, the first packet of a key frame: decoding starts there.
 * Missing packets of the key frame itself, which come after seq, stay. */
void nack_on_keyframe(struct nack *n, uint64_t seq);

/* The packets to ask for now, marked as asked for.
 * rtt_us    round trip to the publisher, <= 0 if unknown
 * out, max  gets their sequence numbers in ascending order, as rtcp_nack_write takes them
 * Returns how many; if that is max, call again. */
int nack_poll(struct nack *n, int64_t now_us, int64_t rtt_us, uint16_t *out, int max) MUST_CHECK;

/* When to call nack_poll next, by the round trip of its last call; INT64_MAX if nothing is missing.
 */
int64_t nack_next_deadline(const struct nack *n);

#endif
