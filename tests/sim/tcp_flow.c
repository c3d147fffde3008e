/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/tcp_flow.h"

#include <math.h>
#include <string.h>

#define SEGMENT    1472 /* with WIRE_HEADERS a full Ethernet packet */
#define CUBIC_C    0.4
#define CUBIC_BETA 0.7
#define RENO_BETA  0.5
#define MIN_RTO_US (200 * US_PER_MS)

void tcp_flow_init(struct tcp_flow *f, const struct tcp_params *p, struct wire *w, int flow)
{
    memset(f, 0, sizeof(*f));
    f->p = *p;
    f->wire = w;
    f->flow = flow;
    f->cwnd = 10;
    f->ssthresh = 1e9;
    f->next = f->acked = 1;
    f->done_us = -1;
}

static void cut(struct tcp_flow *f, int64_t now_us, bool timeout)
{
    f->w_max = f->cwnd;
    f->epoch_us = now_us;
    f->cwnd = MAX(f->cwnd * (f->p.cubic ? CUBIC_BETA : RENO_BETA), 2.0);
    f->ssthresh = f->cwnd;
    f->cwnd = timeout ? 1 : f->cwnd;
    f->recover = f->next;
}

static void grow(struct tcp_flow *f, int64_t now_us)
{
    if (f->cwnd < f->ssthresh) {
        f->cwnd += 1;
        return;
    }
    if (!f->p.cubic) {
        f->cwnd += 1 / f->cwnd;
        return;
    }
    double k = cbrt(f->w_max * (1 - CUBIC_BETA) / CUBIC_C);
    double t = (double)(now_us - f->epoch_us + (int64_t)f->srtt_us) / 1e6;
    double target = CUBIC_C * pow(t - k, 3) + f->w_max;
    f->cwnd += target > f->cwnd ? MIN((target - f->cwnd) / f->cwnd, 1.0) : 0.01 / f->cwnd;
}

static void on_ack(struct tcp_flow *f, uint64_t seq, int64_t now_us)
{
    unsigned at = seq % TCP_WINDOW;
    if (seq < f->acked || f->w[at].state == 2) {
        return;
    }
    f->outstanding -= f->w[at].state == 1;
    double rtt = (double)(now_us - f->w[at].sent_us);
    f->srtt_us = f->srtt_us > 0 ? f->srtt_us * 0.875 + rtt * 0.125 : rtt;
    f->min_rtt_us = f->min_rtt_us > 0 ? MIN(f->min_rtt_us, rtt) : rtt;
    if (f->cwnd < f->ssthresh && rtt > 1.5 * f->min_rtt_us + 10000) {
        f->ssthresh = f->cwnd; /* HyStart: no overshoot by a whole window */
    }
    f->w[at].state = 2;
    f->highest_acked = MAX(f->highest_acked, seq);
    f->progress_us = now_us;
    /* What three later ones have overtaken is lost. */
    for (uint64_t s = f->acked; s + 3 <= f->highest_acked; s++) {
        if (f->w[s % TCP_WINDOW].state == 1 && f->w[s % TCP_WINDOW].sent_us <= f->w[at].sent_us) {
            f->w[s % TCP_WINDOW].state = 3;
            f->outstanding--;
            if (s >= f->recover) {
                cut(f, now_us, false);
            }
        }
    }
    while (f->acked < f->next && f->w[f->acked % TCP_WINDOW].state == 2) {
        f->w[f->acked % TCP_WINDOW].state = 0;
        f->acked++;
    }
    if (f->acked >= f->recover) {
        grow(f, now_us);
    }
}

void tcp_flow_on_packet(struct tcp_flow *f, uint64_t seq, size_t len, int64_t arrival_us)
{
    f->delivered_bytes += len + WIRE_HEADERS;
    unsigned at = f->ack_tail++ % TCP_WINDOW;
    f->acks[at].seq = seq;
    f->acks[at].at_us = arrival_us + f->p.return_us;
}

static void send_one(struct tcp_flow *f, uint64_t seq, int64_t now_us)
{
    f->w[seq % TCP_WINDOW].state = 1;
    f->w[seq % TCP_WINDOW].sent_us = now_us;
    f->outstanding++;
    (void)wire_send(f->wire, f->flow, seq, NULL, SEGMENT, now_us);
}

/* The first lost one to send again, else the next new one; 0: nothing. */
static uint64_t to_send(struct tcp_flow *f)
{
    for (uint64_t s = f->acked; s < f->next; s++) {
        if (f->w[s % TCP_WINDOW].state == 3) {
            return s;
        }
    }
    bool all = f->p.bytes && f->next * SEGMENT > f->p.bytes + SEGMENT;
    return all || f->next - f->acked >= TCP_WINDOW - 1 ? 0 : f->next++;
}

void tcp_flow_step(struct tcp_flow *f, int64_t now_us)
{
    int64_t t = now_us - f->wire->start_us;
    while (f->ack_head != f->ack_tail && f->acks[f->ack_head % TCP_WINDOW].at_us <= now_us) {
        on_ack(f, f->acks[f->ack_head % TCP_WINDOW].seq, now_us);
        f->ack_head++;
    }
    if (t < f->p.start_us || (f->p.stop_us && t >= f->p.stop_us) || f->done_us >= 0) {
        return;
    }
    if (f->p.bytes && f->acked * SEGMENT > f->p.bytes) {
        f->done_us = now_us;
        return;
    }
    int64_t rto = MAX((int64_t)(2 * f->srtt_us), (int64_t)MIN_RTO_US);
    if (f->outstanding && now_us - f->progress_us > rto) {
        for (uint64_t s = f->acked; s < f->next; s++) {
            if (f->w[s % TCP_WINDOW].state == 1) {
                f->w[s % TCP_WINDOW].state = 3;
            }
        }
        f->outstanding = 0;
        f->progress_us = now_us;
        cut(f, now_us, true);
    }
    while ((double)f->outstanding < f->cwnd) {
        uint64_t seq = to_send(f);
        if (!seq) {
            break;
        }
        if (!f->outstanding) {
            f->progress_us = now_us;
        }
        send_one(f, seq, now_us);
    }
}
