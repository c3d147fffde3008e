/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - one direction of a network link in virtual time: a bottleneck with a drop-tail queue
 * whose rate follows a trace, then propagation with loss, jitter and reordering. Several flows may
 * share one; what competes for the queue need have no content (tests/sim/tcp_flow.h). Everything
 * random comes from the wire's own seed, so that one link does not change another's luck. */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include "rtp/base.h"

#define WIRE_MTU     1600
#define WIRE_HEADERS 28           /* UDP and IPv4 headers, counted against the rate */
#define WIRE_EMPTY   (1ULL << 63) /* in a tag: reserved */

/* From at_us on (since the wire's start) the link carries bps; 0 is an outage: packets wait. */
struct wire_step {
    int64_t at_us;
    uint32_t bps;
};

struct wire_params {
    const struct wire_step *trace; /* outlives the wire; NULL: no bottleneck at all */
    int n_steps;
    int64_t delay_us;     /* one way, propagation only */
    int64_t queue_us;     /* drop-tail at this much of the present rate; 0: no such limit */
    uint32_t queue_bytes; /* drop-tail at so many bytes; 0: no such limit */
    double loss;          /* each packet on its own, behind the queue */
    double burst_loss;    /* share lost in bursts (Gilbert), */
    double burst_mean;    /* whose mean length is this many packets */
    int64_t jitter_us;    /* mean of an exponentially distributed extra delay, */
    int64_t jitter_max_us;
    bool jitter_reorders; /* else packets keep their order */
    double reorder;       /* share of packets that are overtaken */
    int reorder_depth;    /* by so many */
    uint32_t police_bps;  /* token bucket before the queue: what exceeds it is dropped */
    uint32_t police_bytes;
    int64_t step_at_us, step_us;        /* from then on everything takes this much longer */
    int64_t outage_every_us, outage_us; /* the rate is 0 at the end of every period */
};

struct wire_packet {
    struct wire_packet *next;
    int flow;
    uint64_t tag; /* the sender's own */
    int64_t sent_us, arrival_us, queued_us;
    size_t len;
    uint8_t buf[]; /* len bytes, absent for cross traffic */
};

/* A packet has come out. buf is NULL where it was sent without content. Valid during the call. */
typedef void(wire_out_fn)(const struct wire_packet *p, const uint8_t *buf, void *ctx);

struct wire {
    struct wire_params p;
    int64_t start_us, now_us;
    uint64_t random;
    struct wire_packet *head, **tail; /* in the queue */
    uint64_t queued_bytes;
    double head_bits;             /* of the head packet, not yet served */
    struct wire_packet *flying;   /* by arrival */
    struct wire_packet *held[16]; /* waiting to be overtaken, with the count below */
    int held_left[16];
    bool in_burst;
    int64_t last_arrival_us;
    double police_tokens;
    int64_t police_at_us;
    /* counted */
    uint64_t sent, dropped_queue, dropped_loss, dropped_police, delivered, delivered_bytes;
    int64_t last_queue_us; /* what the packet served last had waited */
};

void wire_init(struct wire *w, const struct wire_params *p, uint64_t seed, int64_t now_us);
void wire_fini(struct wire *w);
/* buf NULL: len bytes of nothing in particular. Returns false when the packet was dropped at once
 * (queue full, policer). */
bool wire_send(struct wire *w, int flow, uint64_t tag, const uint8_t *buf, size_t len,
               int64_t now_us);
/* Everything that has arrived by now, in order of arrival. */
void wire_poll(struct wire *w, int64_t now_us, wire_out_fn *out, void *ctx);
/* The rate at a moment, outages included; UINT32_MAX without a bottleneck. */
uint32_t wire_rate(const struct wire *w, int64_t now_us);
/* How long a packet sent now would wait, at the present rate. */
int64_t wire_queue_us(const struct wire *w, int64_t now_us);
double wire_random(struct wire *w); /* 0..1 */

#endif
