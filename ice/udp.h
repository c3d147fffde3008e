/* SPDX-License-Identifier: Apache-2.0 */
/* udp.h - one worker's UDP socket, batched: recvmmsg with GRO in, sendmmsg with UDP_SEGMENT runs
 * out. Role MEDIA; never blocks. */
#ifndef ICE_UDP_H
#define ICE_UDP_H

#include "ice/addr.h"
#include "rtp/base.h"

#define UDP_RX_BATCH     32    /* messages per recvmmsg; each may hold a GRO train */
#define UDP_RUN_SEGMENTS 64    /* segments of one run: the kernel's UDP_MAX_SEGMENTS */
#define UDP_RUN_BYTES    65000 /* bytes of one run at most */
#define UDP_TX_RUNS      64    /* runs per sendmmsg at most */

struct udp;

struct udp_params {
    struct addr bind; /* :: binds both families; falls back to IPv4 where the host has no IPv6 */
    int rcvbuf_bytes; /* asked of the kernel; what was granted: udp_rcvbuf */
    int sndbuf_bytes;
    bool gso; /* try UDP_SEGMENT */
    bool gro; /* try UDP_GRO */
};

/* Proves that nobody else has the port: binds without SO_REUSEPORT and closes. bind->port 0: picks
 * a free port, returned in *ret_port. Returns 0 or -errno (-EADDRINUSE: a second instance). */
int udp_probe(const struct addr *bind, uint16_t *ret_port) MUST_CHECK;

/* Binds with SO_REUSEPORT, IP_PKTINFO both families. Returns 0 or -errno. */
int udp_new(const struct udp_params *p, struct udp **ret) MUST_CHECK;
void udp_free(struct udp *u);
int udp_fd(const struct udp *u);
/* The port bound to: of use after binding port 0. */
uint16_t udp_port(const struct udp *u);
int udp_rcvbuf(const struct udp *u);
bool udp_gso(const struct udp *u); /* segmentation works on this socket */

/* One received datagram; buf belongs to u, is writable, and is valid until the next udp_recv. */
struct udp_in {
    uint8_t *buf;
    uint16_t len;
    struct path from;
};

#define UDP_RX_MAX (UDP_RX_BATCH * 64) /* datagrams that one batch can hold */

/* Reads at most one batch. Returns datagrams produced (GRO trains are cut), 0 when the socket is
 * empty, -errno. max: room at ret; UDP_RX_MAX holds any batch, and what does not fit is kept for
 * the next call. */
int udp_recv(struct udp *u, struct udp_in *ret, int max);

/* One run: segments to one peer, all of seg_len bytes but the last, which may be shorter;
 * contiguous at buf. */
struct udp_run {
    const struct path *to;
    const uint8_t *buf;
    uint32_t len;     /* bytes in all */
    uint16_t seg_len; /* bytes per segment; >= len for a single datagram */
    bool gso_off;     /* in: send unsegmented; out: set when the kernel refused a segmented run,
                         remember it for this link */
    int error;        /* out: 0, or -errno of the message that was skipped */
};

/* Sends n runs. A bad one is counted, marked with its errno and skipped; EINVAL, EMSGSIZE and EIO
 * on a segmented run are retried segment by segment. Returns how many runs are done with (sent or
 * failed): n, or fewer when the socket is full: keep the rest and wait for POLLOUT. A run that was
 * cut by a full socket has been advanced: its buf and len describe what is left, so that nothing
 * leaves twice. Runs longer than UDP_RUN_SEGMENTS or UDP_RUN_BYTES are split inside. */
int udp_send(struct udp *u, struct udp_run *runs, int n);

/* Counters since udp_new. */
struct udp_stats {
    uint64_t rx_datagrams, rx_bytes, rx_syscalls, rx_truncated;
    uint64_t tx_datagrams, tx_bytes, tx_messages, tx_syscalls, tx_errors, tx_full;
    uint64_t rx_kernel_drops; /* SO_RXQ_OVFL */
};
const struct udp_stats *udp_stats(const struct udp *u);

#endif
