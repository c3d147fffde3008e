/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_probe.h - when to send a cluster of packets faster than the estimate, how fast, and what was
 * learnt from it. Pure; memory is the caller's; role MEDIA. The public half is in bwe.h.
 *
 * As libwebrtc's ProbeController, differing thus:
 * - one cluster at a time: the first is 3 x the start value, and 6 x follows only when 3 x arrived,
 *   not blindly along with it, since on a slow link the second does nothing but queue;
 * - both, and all later ones, go no higher than what is wanted: 1.3 x all of it at the start, later
 *   1.15 x the next better choice, at most doubling the estimate;
 * - a failed probe is repeated soon (2 to 2.5 s): it costs 1 % of the link and the viewer waits for
 *   the better layer. Later (6 s) while all is sent that may be, when growth finds capacity too.
 * Only when loss caps the estimate the cap's own clock decides (bwe_loss.h);
 * - all that was sent and arrived between the first and the last packet of a cluster is counted,
 *   so that media that flowed beside the padding does not make the link look slower. */
#ifndef RTP_BWE_PROBE_H
#define RTP_BWE_PROBE_H

#include "rtp/base.h"
#include "rtp/bwe.h"
#include "rtp/bwe_burst.h"

#define BWE_PROBE_MAX_BPS   10000000
#define BWE_PROBE_US        (25 * US_PER_MS)
#define BWE_PROBE_PACKETS   5
#define BWE_PROBE_BYTES_MIN 5000
#define BWE_PROBE_SPACE_US  (2 * US_PER_S)

enum bwe_probe_state {
    BWE_PROBE_IDLE,
    BWE_PROBE_SENDING,
    BWE_PROBE_WAITING, /* all has left, feedback is awaited */
};

struct bwe_prober {
    enum bwe_probe_state state;
    struct bwe_probe probe; /* the last one */
    bool filled;            /* the link: what the last result said is all that it carries */
    bool aborted;           /* the rest of it is not to be sent */
    /* sent, of the cluster or beside it */
    int64_t first_us;
    int64_t last_us;
    uint32_t sent_pkts; /* of the cluster */
    uint32_t told_pkts; /* of the cluster: arrived or lost */
    int64_t end_us;     /* when bwe_probe_end was called */
    /* arrived */
    uint32_t arrived_pkts;
    uint32_t arrived_bytes;
    int64_t first_arrival_us;
    int64_t last_arrival_us;
    int64_t first_sent_us; /* of what arrived */
    int64_t last_sent_us;
    uint32_t first_arrival_bytes;
    uint32_t last_sent_bytes;
    uint32_t full_bps; /* mean of what arrived when the link was full; 0 = not known */
    /* wanted */
    uint32_t next_bps;
    uint32_t all_bps;
    /* when */
    int64_t next_us;  /* not before */
    int64_t space_us; /* after a failure */
    bool soon;        /* the last succeeded, or there are other signs */
    uint8_t starts;   /* clusters left of those at the start */
    bool closed;      /* bursts showed no room; when they do, that is news */
    bool was_cut;     /* once at least */
    uint32_t recover_bps;
    int64_t recover_until_us;
};

/* What probing depends on. */
struct bwe_probe_in {
    uint32_t estimate_bps;
    uint32_t cap_bps; /* no probe beyond it */
    uint32_t rtt_us;
    bool clear; /* feedback flows and no queue stands */
    bool blind; /* nothing has been heard yet */
    enum bwe_burst_verdict burst;
    bool full;        /* all is sent that the estimate allows: its growth explores as well */
    bool deaf;        /* only REMB comes: longer clusters, no result */
    int64_t quiet_us; /* since the last cut */
    int64_t now_us;
};

/* Starts with the clusters of the start still to be sent, as soon as anything is wanted. */
void bwe_probe_init(struct bwe_prober *p);

/* Decides; as bwe_probe_due. */
bool bwe_probe_poll(struct bwe_prober *p, const struct bwe_probe_in *in, struct bwe_probe *ret);

/* The cluster has been sent, or was given up. */
void bwe_probe_sent_all(struct bwe_prober *p, uint32_t sent_bytes, int64_t now_us);

/* A packet of the cluster leaves. */
static inline void bwe_probe_on_sent(struct bwe_prober *p, uint8_t cluster, int64_t now_us)
{
    if (cluster != p->probe.cluster || p->state != BWE_PROBE_SENDING) {
        return;
    }
    if (p->sent_pkts++ == 0) {
        p->first_us = now_us;
    }
    p->last_us = now_us;
}

/* A packet that left at sent_us has arrived. Any packet: those of the time of the cluster count. */
void bwe_probe_on_arrival(struct bwe_prober *p, int64_t sent_us, int64_t arrival_us, uint32_t size);

/* A packet of the cluster has arrived or is lost. */
static inline void bwe_probe_on_told(struct bwe_prober *p, uint8_t cluster)
{
    p->told_pkts += p->state != BWE_PROBE_IDLE && cluster == p->probe.cluster;
}

/* Looks for a result, after each message and tick. Returns the rate that is proved, or 0: none yet,
 * or nothing learnt. */
uint32_t bwe_probe_result(struct bwe_prober *p, const struct bwe_probe_in *in);

/* Is a cluster under way, or so lately that the queue may still be its doing? */
bool bwe_probe_lasts(const struct bwe_prober *p, uint32_t rtt_us, int64_t now_us);

/* There are signs of more capacity: no need to wait for the next probe. */
void bwe_probe_soon(struct bwe_prober *p, int64_t now_us);

/* Queues grow: what is being sent is given up. */
void bwe_probe_overuse(struct bwe_prober *p, int64_t now_us);

/* The estimate was cut from before_bps: a fall by a third or more is probed once. */
void bwe_probe_cut(struct bwe_prober *p, uint32_t before_bps, uint32_t bps, int64_t now_us);

/* Sets the wishes; when much more is wanted than before, the start is repeated. */
void bwe_probe_wish(struct bwe_prober *p, uint32_t next_bps, uint32_t all_bps, int64_t now_us);

#endif
