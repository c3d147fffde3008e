/* SPDX-License-Identifier: Apache-2.0 */
/* tx.h - the caller's buffer that the router fills with sealed packets: runs of segments, viewer by
 * viewer (architecture §3). A packet joins the run before it when it goes to the same peer and is
 * not larger; a shorter one ends the run. Role MEDIA; memory is allocated once. */
#ifndef SFU_TX_H
#define SFU_TX_H

#include "ice/udp.h"
#include "rtp/base.h"

#define TX_BYTES (512u << 10)
/* Room that tx_reserve asks for: the largest packet with its tag. */
#define TX_PACKET_MAX 1600

struct tx_batch {
    uint8_t *buf;
    size_t len; /* bytes filled */
    int n;      /* runs filled */
    struct udp_run runs[UDP_TX_RUNS];
    struct path paths[UDP_TX_RUNS]; /* runs[i].to: a copy, since a session may end while its runs
                                       wait for the socket */
    bool gso[UDP_TX_RUNS];          /* the run may be segmented, as far as its peer is known */
    uint64_t owner[UDP_TX_RUNS];    /* session of each run */
    bool open;                      /* the last run may grow */
    uint32_t packets;
};

/* Returns 0 or -ENOMEM. */
int tx_init(struct tx_batch *b) MUST_CHECK;
void tx_fini(struct tx_batch *b);
void tx_clear(struct tx_batch *b);

/* Room for one packet of up to TX_PACKET_MAX bytes, or NULL: send what there is first. */
uint8_t *tx_reserve(struct tx_batch *b);
/* The packet of len bytes at the reserved place goes to session owner at path to. gso false: never
 * as part of a segmented run. */
void tx_commit(struct tx_batch *b, uint64_t owner, const struct path *to, size_t len, bool gso);

#endif
