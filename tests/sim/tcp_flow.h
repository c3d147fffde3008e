/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_flow.h - competing TCP: Reno or Cubic with full packets over a wire, acknowledgements coming
 * back after a fixed delay. Slow start, fast retransmit by three packets that overtook, timeout.
 * Enough to fill a queue as the real ones do. */
#ifndef TESTS_SIM_TCP_FLOW_H
#define TESTS_SIM_TCP_FLOW_H

#include "tests/sim/wire.h"

#define TCP_WINDOW 8192

struct tcp_params {
    bool cubic;
    int64_t return_us;         /* delay of acknowledgements */
    int64_t start_us, stop_us; /* virtual time of the wire; stop 0: never */
    uint64_t bytes;            /* to transfer, then it is silent; 0: endless */
};

struct tcp_flow {
    struct tcp_params p;
    struct wire *wire;
    int flow;
    double cwnd, ssthresh; /* packets */
    double w_max;          /* Cubic: where the last loss was */
    int64_t epoch_us;
    uint64_t next, acked, highest_acked; /* next to send; all below are acknowledged; newest */
    uint64_t recover;                    /* until this is acknowledged no further cut */
    struct {
        uint8_t state; /* 0 none, 1 under way, 2 acknowledged, 3 lost */
        int64_t sent_us;
    } w[TCP_WINDOW];
    struct {
        uint64_t seq;
        int64_t at_us;
    } acks[TCP_WINDOW]; /* on their way back, a ring */
    unsigned ack_head, ack_tail;
    uint64_t outstanding;
    double srtt_us, min_rtt_us;
    int64_t progress_us;
    uint64_t delivered_bytes;
    int64_t done_us; /* -1: not yet */
};

void tcp_flow_init(struct tcp_flow *f, const struct tcp_params *p, struct wire *w, int flow);
void tcp_flow_step(struct tcp_flow *f, int64_t now_us);
/* One of its packets has come out of the wire. */
void tcp_flow_on_packet(struct tcp_flow *f, uint64_t seq, size_t len, int64_t arrival_us);

#endif
