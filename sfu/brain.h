/* SPDX-License-Identifier: Apache-2.0 */
/* brain.h - what a viewer's network carries, and which layers it gets for it: gathers what is known
 * of its streams (brain.c) and its network (brain_net.c), lets alloc.h decide, and tells each sub
 * what to aim at. One a viewer. Role MEDIA; only the inline functions are on the packet path.
 *
 * An estimate is made only for viewers of something that can be had at more than one rate, and
 * whose receiver tells enough: transport-wide feedback, or REMB. Others get the largest layer, less
 * one for sustained loss (sub_on_loss). */
#ifndef SFU_BRAIN_H
#define SFU_BRAIN_H

#include "rtp/bwe.h"
#include "rtp/prefetch.h"
#include "sfu/alloc.h"

struct addr;
struct peer;
struct sub;
struct tx_batch;
struct rtcp_packet;

/* Estimates of the networks that viewers came from, for those who come next: by /24 or /48. */
#define BRAIN_CACHE 512
struct brain_cache {
    uint64_t key; /* hash of the prefix; 0 = free */
    uint32_t bps;
    int64_t at_us;
};

/* Statuses of one feedback message that are looked at (SEC-66). */
#define BRAIN_STATUSES 1024

/* A probe under way. */
struct brain_probe {
    uint8_t cluster; /* 0 = none */
    uint32_t rate_bps;
    uint32_t bytes, packets; /* to be sent */
    uint32_t sent_bytes, sent_packets;
    int64_t started_us;
    int64_t least_us; /* it lasts */
};

#define BRAIN_BURST (12 * 1200) /* bytes that may be sent at once: so many packets */

#define PLAYOUT_UNSAID UINT16_MAX

/* Of one viewer; owned by its peer. */
struct brain {
    /* packet path: one line of the cache, unless a probe is under way */
    int64_t tokens;      /* bytes that may be sent now; negative: wait */
    int64_t credit;      /* the same over a longer time, by the rate that the link is known for */
    int64_t refilled_us; /* when both were last added to */
    struct bwe *bwe;     /* NULL: nothing has depended on an estimate yet, or nothing tells one */
    uint32_t pace_Bps;   /* bytes a second that are added to tokens, */
    uint32_t credit_Bps; /* to credit; 0: it does not count */
    uint32_t burst;      /* the most that can be saved up of tokens, */
    uint32_t most;       /* of credit */
    uint16_t overhead;   /* bytes of UDP and IP in front of a packet */
    uint16_t
        playout_cs; /* packets ask the receiver to show pictures so late at least, so that repair
                       comes in time, in 10 ms; PLAYOUT_UNSAID: they say nothing of it */
    bool numbered;  /* transport-wide numbers are written, and noted here */
    uint8_t twice;  /* repair is sent in two copies for so many temporal layers */
    bool full;      /* the link's queue is long: nothing that will be given up goes into it */
    bool active;    /* something depends on bwe, or did lately */
    struct brain_probe probe;
    /* the rest */
    uint32_t replay_bps;    /* of what is being replayed (sub_is_catching_up); 0: nothing is */
    bool twcc, remb;        /* negotiated, and of use */
    bool surged;            /* facts.surge has been acted upon */
    int64_t needed_us;      /* when an estimate was last needed */
    int64_t born_us;        /* of bwe */
    struct bwe_facts facts; /* of the last look */
    int32_t loss_q16;       /* lost on the way, over some seconds */
    struct alloc alloc;
    struct alloc_needs needs; /* at the last decision */
};
static_assert(offsetof(struct brain, probe.rate_bps) < PREFETCH_LINE, "without a probe, one line");

/* ---- brain.c ---- */

/* Looks at all sections of viewer p again and sets what they aim at: tracks came or went, layers
 * did, the viewer wished, the network changed, or it is time (brain_tick). Harmless for publishers.
 */
void brain_look(struct peer *p, int64_t now_us);

/* ---- brain_net.c ---- */

/* For viewer p, whose subs exist. Returns NULL when out of memory. */
struct brain *brain_new(const struct peer *p);
/* Remembers the estimate for others of the same network. Accepts NULL. */
void brain_free(struct brain *b, struct peer *p, int64_t now_us);
/* What p may be sent by the estimate; begins or ends one as it is needed. dependent: something can
 * be had at more than one rate. A replay is paced by the estimate as well, but does not depend on
 * it. */
void brain_budget(struct peer *p, bool dependent, struct alloc_budget *ret, int64_t now_us);
/* After a decision: tells the estimator what would be used, and sets the pace. */
void brain_settle(struct peer *p, int64_t now_us);
/* ROUTER_LOOKS times a second, or once where there is nothing to choose from and nothing waits
 * (router_watch). */
void brain_tick(struct peer *p, int64_t now_us);
/* Feedback of p's receiver. False if it does not parse. */
bool brain_on_twcc(struct peer *p, const struct rtcp_packet *pkt, int64_t now_us);
void brain_on_remb(struct peer *p, uint64_t bps, int64_t now_us);
void brain_on_report(struct peer *p, uint32_t fraction_lost_q8, uint32_t rtt_us, int64_t now_us);
/* A visit to p begins: adds what time has brought to what may be sent, and sends what is due of a
 * probe under way. Returns false when b was full. On the packet path. */
bool brain_fill_probe(struct peer *p, struct tx_batch *b, int64_t now_us);

/* True when the viewer's share of this moment has been sent. */
static inline bool brain_is_dry(const struct brain *b)
{
    return b->tokens <= 0 || (b->credit_Bps && b->credit <= 0);
}

/* A packet of len bytes has left. numbered: with a transport-wide number. On the packet path. */
static inline void brain_on_sent(struct brain *b, uint32_t len, bool numbered, int64_t now_us)
{
    b->tokens -= len;
    b->credit -= len;
    if (!b->active) {
        return;
    }
    if (b->probe.cluster) {
        b->probe.sent_bytes += len + b->overhead;
        b->probe.sent_packets++;
    }
    if (numbered) {
        bwe_on_sent(b->bwe, len + b->overhead, b->probe.cluster, now_us);
    }
}

/* Adds what time has brought. On the packet path. */
static inline void brain_refill(struct brain *b, int64_t now_us)
{
    int64_t since_us = MIN(now_us - b->refilled_us, (int64_t)US_PER_S);
    b->tokens = MIN(b->tokens + since_us * b->pace_Bps / US_PER_S, (int64_t)b->burst);
    b->credit = MIN(b->credit + since_us * b->credit_Bps / US_PER_S, (int64_t)b->most);
    b->refilled_us = now_us;
}

#endif
