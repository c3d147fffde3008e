/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_link.h - for tests of the bandwidth estimator: a bottleneck in virtual time (rate trace,
 * drop-tail queue, policer, delay, jitter, loss) with up to five flows over it. A flow sends what
 * its own estimator allows, as frames and audio, and probes when it is told to; its receiver tells
 * by real transport-wide feedback what arrived. Steps of 250 us, the feedback's own unit. */
#ifndef TESTS_BWE_LINK_H
#define TESTS_BWE_LINK_H

#include "rtp/bwe.h"
#include "rtp/rtcp.h"
#include "rtp/twcc_recv.h"
#include "tests/exact.h"
#include <stdio.h>

#define LINK_STEP_US      250
#define LINK_FLOWS        5
#define LINK_QUEUE        4096
#define LINK_FLIGHT       8192
#define LINK_FEEDBACKS    64
#define LINK_BACKLOG      1024
#define LINK_PACKET       1240 /* bytes on the wire */
#define LINK_AUDIO        130
#define LINK_OVERHEAD_PCT 103

struct link_point {
    double at_s;
    double mbps;
};

struct link_conf {
    struct link_point trace[12]; /* ends with mbps < 0; 0 is an outage */
    double seconds;
    int queue_ms;       /* of the rate at the time; 0 = 300 */
    int delay_ms;       /* one way, each */
    int jitter_ms;      /* uniform from 0; 0 = none */
    int jitter_tail_ms; /* one packet of 100 up to this */
    bool reorder;       /* jitter may reorder, and 1 % of packets come 5 packets late */
    double loss;        /* random share, forward */
    double back_loss;   /* random share of feedback messages */
    double back_from_s;
    double back_to_s;
    int police_kbps; /* 0 = none */
    int police_bytes;
    double step_at_s; /* the path becomes longer */
    int step_ms;
    double pause_from_s; /* the source is silent */
    double pause_to_s;
    int flows; /* 0 = 1 */
    double start_s[LINK_FLOWS];
    int delays_ms[LINK_FLOWS]; /* one way; 0 = delay_ms */
    int demand_kbps;           /* of each flow; 0 = 3000 */
    bool layers;               /* 150/500/1500 instead of what fits */
    int start_kbps;            /* 0 = 1000 */
};

struct link_pkt {
    uint16_t size;
    uint16_t seq16;
    uint8_t flow;
    bool media;
    int64_t at_us; /* left the sender; in flight: arrives */
};

struct link_feedback {
    int64_t at_us;
    int len;
    uint8_t buf[1400];
};

struct link_flow {
    struct bwe *bwe;
    struct twcc_recv recv;
    struct link_feedback fb[LINK_FEEDBACKS];
    unsigned fb_in;
    unsigned fb_out;
    uint16_t backlog[LINK_BACKLOG]; /* sizes of media packets that wait for their turn */
    unsigned back_in;
    unsigned back_out;
    int64_t next_frame_us;
    int64_t next_audio_us;
    int64_t next_tick_us;
    int64_t last_arrival_us;
    double tokens; /* of the pacer, bytes */
    bool probing;
    struct bwe_probe probe;
    int64_t probe_us;
    uint32_t probe_sent;
    uint32_t probe_pkts;
    /* layers */
    int layer;
    int64_t fits_us;  /* since when the next layer fits */
    int64_t hold_us;  /* a key frame is awaited until then */
    int64_t retry_us; /* no step up until */
    int64_t retry_wait_us;
    int64_t up_us;
    int switches;
    /* what happened */
    struct bwe_facts facts;
    uint64_t sent;
    uint64_t arrived_media;
    uint64_t arrived_all;
    uint64_t lost;
    uint64_t pkts;
};

struct link_sim {
    struct link_conf conf;
    struct link_flow flows[LINK_FLOWS];
    struct link_pkt queue[LINK_QUEUE];
    unsigned q_in;
    unsigned q_out;
    int64_t queued_bytes;
    struct link_pkt flight[LINK_FLIGHT]; /* unordered */
    int n_flight;
    double credit; /* bytes the link may pass */
    double police_tokens;
    uint64_t rng;
    int64_t now_us;
    double mbps;
    uint64_t capacity_bytes;
};

static inline double link_random(struct link_sim *s)
{
    return exact_random(&s->rng, 1000000) / 1e6;
}

static inline int link_n_flows(const struct link_sim *s)
{
    return s->conf.flows ? s->conf.flows : 1;
}

static inline void link_init(struct link_sim *s, const struct link_conf *conf, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    s->conf = *conf;
    s->rng = seed * 0x9e3779b97f4a7c15ULL + 1;
    s->now_us = 1000000;
    s->police_tokens = conf->police_bytes;
    for (int i = 0; i < link_n_flows(s); i++) {
        struct bwe_params p = {.start_bps =
                                   (uint32_t)(conf->start_kbps ? conf->start_kbps : 1000) * 1000,
                               .min_bps = 50000,
                               .max_bps = 20000000};
        struct link_flow *f = &s->flows[i];
        int64_t start_us = s->now_us + (int64_t)(conf->start_s[i] * 1e6);
        f->bwe = bwe_new(&p, (uint16_t)(exact_random(&s->rng, 0x8000)), start_us);
        f->next_frame_us = f->next_audio_us = f->next_tick_us =
            start_us + exact_random(&s->rng, 30000);
        f->retry_wait_us = 3000000;
        twcc_recv_init(&f->recv);
        bwe_facts(f->bwe, &f->facts);
    }
}

static inline void link_fini(struct link_sim *s)
{
    for (int i = 0; i < link_n_flows(s); i++) {
        bwe_free(s->flows[i].bwe);
    }
}

static inline double link_t(const struct link_sim *s)
{
    return (double)(s->now_us - 1000000) / 1e6;
}

static inline double link_rate_mbps(const struct link_sim *s)
{
    double mbps = s->conf.trace[0].mbps;
    for (int i = 0; i < 12 && s->conf.trace[i].mbps >= 0; i++) {
        if (s->conf.trace[i].at_s <= link_t(s)) {
            mbps = s->conf.trace[i].mbps;
        }
    }
    return mbps;
}

/* How long a packet that came now would wait, ms. */
static inline double link_queue_ms(const struct link_sim *s)
{
    return s->mbps > 0 ? (double)s->queued_bytes * 8 / s->mbps / 1000 : 0;
}

/* ---- the sender ---- */

static inline void link_send(struct link_sim *s, int flow, uint16_t size, bool media,
                             uint8_t cluster)
{
    struct link_flow *f = &s->flows[flow];
    struct link_pkt p = {.size = size,
                         .seq16 = bwe_seq16(f->bwe),
                         .flow = (uint8_t)flow,
                         .media = media,
                         .at_us = s->now_us};
    bwe_on_sent(f->bwe, size, cluster, s->now_us);
    f->sent += size;
    f->pkts++;
    if (s->conf.police_kbps) {
        if (s->police_tokens < size) {
            f->lost++;
            return;
        }
        s->police_tokens -= size;
    }
    double room_ms = s->conf.queue_ms ? s->conf.queue_ms : 300;
    double room = (s->mbps > 0.05 ? s->mbps : 4) * 1000 / 8 * room_ms;
    if ((double)s->queued_bytes + size > room || s->q_in - s->q_out == LINK_QUEUE ||
        link_random(s) < s->conf.loss) {
        f->lost++;
        return;
    }
    s->queue[s->q_in++ % LINK_QUEUE] = p;
    s->queued_bytes += size;
}

static inline void link_push(struct link_flow *f, double bytes)
{
    while (bytes > 0 && f->back_in - f->back_out < LINK_BACKLOG) {
        f->backlog[f->back_in++ % LINK_BACKLOG] = (uint16_t)(bytes > LINK_PACKET ? LINK_PACKET
                                                             : bytes < 100       ? 100
                                                                                 : bytes);
        bytes -= LINK_PACKET;
    }
}

static inline int link_layer_kbps(int layer)
{
    static const int kbps[] = {0, 150, 500, 1500};
    return kbps[layer];
}

/* Cost on the wire with audio. */
static inline uint32_t link_layer_bps(int layer)
{
    return (uint32_t)link_layer_kbps(layer) * 1000 / 100 * LINK_OVERHEAD_PCT + LINK_AUDIO * 8 * 50;
}

/* A plain allocator: up at .9 of what is proved, or has fitted for a second; down at once. */
static inline void link_choose_layer(struct link_sim *s, struct link_flow *f)
{
    int best = 1;
    while (best < 3 && link_layer_bps(best + 1) <= f->facts.capacity_bps) {
        best++;
    }
    if (best < f->layer) {
        f->layer = best;
        f->switches++;
        f->hold_us = s->now_us + 150000;
        if (s->now_us - f->up_us < 5000000) {
            f->retry_us = s->now_us + f->retry_wait_us;
            f->retry_wait_us = MIN(f->retry_wait_us * 2, 60000000);
        } else {
            f->retry_wait_us = 3000000;
        }
    }
    int up = f->layer;
    while (up < 3 && link_layer_bps(up + 1) <= f->facts.capacity_bps / 10 * 9) {
        up++;
    }
    bool ample = link_layer_bps(up) <= f->facts.capacity_bps / 8 * 7; // not the step that failed
    if (up == f->layer || (s->now_us < f->retry_us && !ample)) {
        f->fits_us = 0;
    } else {
        f->fits_us = f->fits_us ? f->fits_us : s->now_us;
        bool proved = f->facts.proved_bps >= link_layer_bps(up);
        if ((proved || s->now_us - f->fits_us > 1000000) && s->now_us > f->hold_us + 300000) {
            bool first = f->layer == 0;
            f->layer = up;
            f->up_us = s->now_us;
            f->switches += !first;
            link_push(f, link_layer_kbps(up) * 1000.0 / 8 / 30 * 4); // key frame
            f->fits_us = 0;
        }
    }
    uint32_t next = f->layer < 3 ? link_layer_bps(f->layer + 1) : 0;
    bwe_wish(f->bwe, next, link_layer_bps(3), s->now_us);
}

static inline double link_media_bps(struct link_sim *s, struct link_flow *f)
{
    double demand = (s->conf.demand_kbps ? s->conf.demand_kbps : 3000) * 1e3;
    double all = demand + LINK_AUDIO * 8 * 50;
    if (!s->conf.layers) {
        bwe_wish(f->bwe, f->facts.capacity_bps < all ? (uint32_t)all : 0, (uint32_t)all, s->now_us);
        double bps = (double)f->facts.estimate_bps - LINK_AUDIO * 8 * 50;
        bps = bps < 30000 ? 30000 : bps;
        return bps < demand ? bps : demand;
    }
    link_choose_layer(s, f);
    double bps = link_layer_kbps(f->layer) * 1e3;
    if (s->now_us < f->hold_us) {
        bps = bps * .4 > f->facts.estimate_bps ? f->facts.estimate_bps : bps * .6;
    } else if (f->facts.estimate_bps < bps) {
        bps = bps * .5; // temporal layers are left out
    }
    return bps;
}

static inline void link_source(struct link_sim *s, int flow)
{
    struct link_flow *f = &s->flows[flow];
    double t = link_t(s);
    bool paused = s->conf.pause_to_s > 0 && t >= s->conf.pause_from_s && t < s->conf.pause_to_s;
    if (s->now_us >= f->next_audio_us) {
        f->next_audio_us += 20000;
        if (!paused) {
            link_send(s, flow, LINK_AUDIO, true, 0);
        }
    }
    if (s->now_us >= f->next_frame_us) {
        f->next_frame_us += 33333;
        double bps = link_media_bps(s, f);
        if (!paused) {
            link_push(f, bps / 8 / 30 * (.8 + .4 * link_random(s)));
        }
    }
}

static inline void link_pace(struct link_sim *s, int flow)
{
    struct link_flow *f = &s->flows[flow];
    double rate = (double)f->facts.estimate_bps * 2.5;
    uint8_t cluster = 0;
    if (!f->probing && bwe_probe_due(f->bwe, s->now_us, &f->probe)) {
        f->probing = true;
        f->probe_us = s->now_us;
        f->probe_sent = f->probe_pkts = 0;
    }
    if (f->probing) {
        cluster = f->probe.cluster;
        double owed = (double)f->probe.rate_bps / 8 * (double)(s->now_us - f->probe_us) / 1e6;
        while (f->probe_sent <= owed && bwe_probe_wanted(f->bwe, cluster) &&
               (f->probe_sent < f->probe.bytes || f->probe_pkts < f->probe.packets)) {
            bool media = f->back_out != f->back_in;
            uint16_t size = media ? f->backlog[f->back_out++ % LINK_BACKLOG] : 1100;
            link_send(s, flow, size, media, cluster);
            f->probe_sent += size;
            f->probe_pkts++;
        }
        if (!bwe_probe_wanted(f->bwe, cluster) ||
            (f->probe_sent >= f->probe.bytes && f->probe_pkts >= f->probe.packets)) {
            f->probing = false;
            bwe_probe_end(f->bwe, cluster, f->probe_sent, s->now_us);
        }
        return;
    }
    f->tokens += rate / 8 * LINK_STEP_US / 1e6;
    double most = rate / 8 * .005 > LINK_PACKET ? rate / 8 * .005 : LINK_PACKET;
    f->tokens = f->tokens > most ? most : f->tokens;
    while (f->back_out != f->back_in && f->tokens > 0) {
        uint16_t size = f->backlog[f->back_out++ % LINK_BACKLOG];
        f->tokens -= size;
        link_send(s, flow, size, true, 0);
    }
}

/* ---- the network ---- */

static inline void link_arrive(struct link_sim *s, const struct link_pkt *p)
{
    struct link_flow *f = &s->flows[p->flow];
    twcc_recv_on_packet(&f->recv, p->seq16, s->now_us);
    f->arrived_all += p->size;
    f->arrived_media += p->media ? p->size : 0;
}

static inline void link_fly(struct link_sim *s, struct link_pkt p)
{
    struct link_flow *f = &s->flows[p.flow];
    int ms = s->conf.delays_ms[p.flow] ? s->conf.delays_ms[p.flow] : s->conf.delay_ms;
    int64_t jitter = 0;
    if (s->conf.jitter_ms) {
        jitter = (int64_t)(link_random(s) * s->conf.jitter_ms * 1000);
        if (s->conf.jitter_tail_ms && exact_random(&s->rng, 100) == 0) {
            jitter = (int64_t)(link_random(s) * s->conf.jitter_tail_ms * 1000);
        }
    }
    if (s->conf.step_ms && link_t(s) >= s->conf.step_at_s) {
        ms += s->conf.step_ms;
    }
    p.at_us = s->now_us + ms * 1000 + jitter;
    if (s->conf.reorder && exact_random(&s->rng, 100) == 0) {
        p.at_us += 40000;
    } else if (!s->conf.reorder || exact_random(&s->rng, 100) != 0) {
        p.at_us = MAX(p.at_us, f->last_arrival_us);
        f->last_arrival_us = p.at_us;
    }
    if (s->n_flight < LINK_FLIGHT) {
        s->flight[s->n_flight++] = p;
    }
}

static inline void link_network(struct link_sim *s)
{
    s->mbps = link_rate_mbps(s);
    s->capacity_bytes += (uint64_t)(s->mbps * 1e6 / 8 * LINK_STEP_US / 1e6);
    s->police_tokens += s->conf.police_kbps * 125.0 * LINK_STEP_US / 1e6;
    if (s->police_tokens > s->conf.police_bytes) {
        s->police_tokens = s->conf.police_bytes;
    }
    s->credit += s->mbps * 1e6 / 8 * LINK_STEP_US / 1e6;
    while (s->q_out != s->q_in && s->credit >= s->queue[s->q_out % LINK_QUEUE].size) {
        struct link_pkt p = s->queue[s->q_out++ % LINK_QUEUE];
        s->credit -= p.size;
        s->queued_bytes -= p.size;
        link_fly(s, p);
    }
    if (s->q_out == s->q_in && s->credit > s->mbps * 1e6 / 8 * LINK_STEP_US / 1e6) {
        s->credit = s->mbps * 1e6 / 8 * LINK_STEP_US / 1e6;
    }
    for (int i = 0; i < s->n_flight;) {
        if (s->flight[i].at_us > s->now_us) {
            i++;
            continue;
        }
        struct link_pkt p = s->flight[i];
        s->n_flight--;
        memmove(&s->flight[i], &s->flight[i + 1], (size_t)(s->n_flight - i) * sizeof(s->flight[0]));
        link_arrive(s, &p);
    }
}

static inline void link_feed(struct link_flow *f, const struct link_feedback *m, int64_t now_us)
{
    static struct rtcp_twcc_status st[TWCC_RECV_REPORT_MAX];
    struct rtcp_walk w;
    struct rtcp_packet p;
    struct rtcp_twcc head;
    rtcp_walk_init(&w, m->buf, (size_t)m->len);
    if (rtcp_walk_next(&w, &p) != 1) {
        abort();
    }
    int n = rtcp_twcc_read(&p, &head, st, TWCC_RECV_REPORT_MAX);
    if (n < 0) {
        abort();
    }
    bwe_on_twcc(f->bwe, &head, st, n, now_us);
    bwe_facts(f->bwe, &f->facts);
}

static inline void link_back(struct link_sim *s, int flow)
{
    struct link_flow *f = &s->flows[flow];
    struct link_feedback *m = &f->fb[f->fb_in % LINK_FEEDBACKS];
    while (f->fb_in - f->fb_out < LINK_FEEDBACKS &&
           (m->len = twcc_recv_poll(&f->recv, s->now_us, 1, 2, m->buf, sizeof(m->buf))) > 0) {
        int ms = s->conf.delays_ms[flow] ? s->conf.delays_ms[flow] : s->conf.delay_ms;
        bool bad = link_t(s) >= s->conf.back_from_s &&
                   (s->conf.back_to_s <= 0 || link_t(s) < s->conf.back_to_s);
        m->at_us = s->now_us + ms * 1000;
        if (!bad || link_random(s) >= s->conf.back_loss) {
            f->fb_in++;
            m = &f->fb[f->fb_in % LINK_FEEDBACKS];
        }
    }
    while (f->fb_out != f->fb_in && f->fb[f->fb_out % LINK_FEEDBACKS].at_us <= s->now_us) {
        link_feed(f, &f->fb[f->fb_out++ % LINK_FEEDBACKS], s->now_us);
    }
}

/* One step. Returns false at the end. */
static inline bool link_step(struct link_sim *s)
{
    s->now_us += LINK_STEP_US;
    link_network(s);
    for (int i = 0; i < link_n_flows(s); i++) {
        struct link_flow *f = &s->flows[i];
        if (link_t(s) < s->conf.start_s[i]) {
            continue;
        }
        link_back(s, i);
        if (s->now_us >= f->next_tick_us) {
            f->next_tick_us += 100000;
            bwe_tick(f->bwe, s->now_us);
            bwe_facts(f->bwe, &f->facts);
        }
        link_source(s, i);
        link_pace(s, i);
    }
    return link_t(s) < s->conf.seconds;
}

#endif
