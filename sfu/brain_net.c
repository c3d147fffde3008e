/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "rtp/line.h"
#include "rtp/rtcp_twcc.h"
#include "sfu/brain.h"
#include "sfu/peer.h"
#include "sfu/router.h"
#include "sfu/sub.h"

#define START_BPS 1000000
#define MIN_BPS   30000
#define MAX_BPS   50000000
/* Estimates of others of the same network: how long they are good, how much of them, and how long a
 * viewer must have been there to have one. */
#define CACHE_US      (600 * US_PER_S)
#define CACHE_PERCENT 70
#define CACHE_AGE_US  (5 * US_PER_S)
/* The extension goes on being written so long after something depended on it. */
#define NEEDED_US (10 * US_PER_S)
/* The pace is this many times the estimate, so that a key frame does not wait long, and the queue
 * of the link does not take it in one gulp. */
#define PACE_PERCENT 200
/* But what it makes wait in that queue is no more than so much time of the estimate: the rest of a
 * long key frame leaves little faster than the link takes it, or it would be lost at the queue's
 * end together with what comes after. */
#define CREDIT_US      (60 * US_PER_MS)
#define CREDIT_PERCENT 110
/* Where packets that leave together arrive together, at so many times the estimate and more, the
 * link is no queue for a key frame to fill: the estimate is of what there is to send, not of the
 * link. A share of that rate is used. */
#define WIDE_TIMES     8
#define WIDE_LEAST_BPS 500000
#define WIDE_SHARE     4
/* A replay is sent at so many times the rate of its source, or it would never end: at least, with
 * an estimate, and while nothing is known of the network. */
#define REPLAY_PERCENT       150
#define REPLAY_BLIND_PERCENT 300
/* With so much waiting in the link's queue nothing is sent faster than it takes. */
#define QUEUE_US    (60 * US_PER_MS)
#define BURST_DRAIN 2400
/* What may leave in one go: more would be a queue of its own in a slow link, and be taken for one.
 */
#define BURST_US    (20 * US_PER_MS)
#define BURST_LEAST (3 * 1200)
#define BURST_MOST  (12 * 1200)
/* When a surge is seen the link's queue is full, or about to be. It is given time to make room for
 * the key frame that is on its way, which comes no later for it: as long as was seen of it, at most
 * this. */
#define SURGE_HOLD_MOST_US (100 * US_PER_MS)
/* So much in the queue, and growing: the next key frame must be a small one. */
#define URGENT_US      (120 * US_PER_MS)
#define REPAIR_MOST_Q8 26
#define UDP_IPV4       28
#define UDP_IPV6       48
/* What reports say nothing of: RTP tag, UDP, IP of 50 audio packets a second. */
#define AUDIO_MORE_BPS 20000
/* A cluster that takes so long is given up: there was nothing to fill it with. */
#define PROBE_MOST_US (250 * US_PER_MS)
/* Loss that no queue explains is worth sending repair twice: all of it while it is little, later
 * that of what other pictures build on. */
#define TWICE_LOSS_Q16 131  /* 0.2 % */
#define TWICE_BASE_Q16 2621 /* 4 % */
/* A queue no longer than what frames make by themselves. */
#define CALM_US        (40 * US_PER_MS)
#define TWICE_QUEUE_US (40 * US_PER_MS)
#define PROBE_STEP_US  (5 * US_PER_MS)
/* Loss over some seconds from which on receivers are asked to leave time for two rounds of repair,
 * and below which they need not any more. Where packets are lost in rows less is enough: repair of
 * many takes longer. */
#define LOSSY_Q16          1311 /* 2 % */
#define LOSSY_OFF_Q16      491  /* 0.75 % */
#define LOSSY_ROWS_Q16     328  /* 0.5 % */
#define LOSSY_ROWS_OFF_Q16 164  /* 0.25 % */
#define ROWS_Q4            32   /* packets in a row, in sixteenths */
#define ROWS_OFF_Q4        24
#define LOSS_SLOW          50 /* looks of 100 ms */
/* A packet is found missing by the next one; libwebrtc, which knows no round trip where it sends no
 * media, asks again after 100 ms and what its timer adds. */
#define REPAIR_AGAIN_US (160 * US_PER_MS)
#define REPAIR_MOST_US  (400 * US_PER_MS)
/* One for a small step goes on for so long: jitter makes a short one say anything. */
#define PROBE_LEAST_US (150 * US_PER_MS)

/* ---- estimates of others ---- */

/* Where the estimate of p's network is, or would be. */
static struct brain_cache *cache_slot(const struct peer *p, uint64_t *ret_key)
{
    const struct router *r = p->router;
    struct addr prefix = p->path.remote;
    unsigned keep = addr_is_v4(&prefix) ? 15 : 6; /* bytes: an IPv4 /24, an IPv6 /48 */
    memset(prefix.ip + keep, 0, sizeof(prefix.ip) - keep);
    prefix.port = 0;
    prefix.scope = 0;
    uint64_t key = addr_hash(&prefix, r->p.seed);
    *ret_key = key ? key : 1;
    return &r->estimates[key % BRAIN_CACHE];
}

static uint32_t start_bps(const struct peer *p, int64_t now_us)
{
    uint64_t key;
    const struct brain_cache *c = cache_slot(p, &key);
    if (c->key != key || now_us - c->at_us > CACHE_US) {
        return START_BPS;
    }
    return MAX((uint32_t)((uint64_t)c->bps * CACHE_PERCENT / 100), (uint32_t)MIN_BPS);
}

static void remember(const struct peer *p, const struct brain *b, int64_t now_us)
{
    uint64_t key;
    struct brain_cache *c = cache_slot(p, &key);
    if (b->bwe && b->facts.mode == BWE_TWCC && now_us - b->born_us > CACHE_AGE_US) {
        *c = (struct brain_cache){.key = key, .bps = b->facts.capacity_bps, .at_us = now_us};
    }
}

/* ---- life ---- */

struct brain *brain_new(const struct peer *p)
{
    struct brain *b = line_calloc(1, sizeof(*b));
    if (b) {
        b->playout_cs = PLAYOUT_UNSAID;
    }
    /* Where a resend must be byte-identical, no number may differ between the two. */
    for (unsigned i = 0; b && i < p->n_subs; i++) {
        const struct api_mline *ml = p->subs[i].ml;
        for (unsigned k = 0; k < ml->n_codecs && ml->kind == MEDIA_VIDEO; k++) {
            b->twcc |= ml->codecs[k].twcc && ml->ext.id[EXT_TWCC] && !p->session->link.only_cm;
            b->remb |= ml->codecs[k].remb;
        }
    }
    return b;
}

void brain_free(struct brain *b, struct peer *p, int64_t now_us)
{
    if (b) {
        remember(p, b, now_us);
        bwe_free(b->bwe);
        free(b);
    }
}

static bool sub_has_twcc(const struct sub *s)
{
    bool any = false;
    for (unsigned i = 0; i < s->ml->n_codecs; i++) {
        any |= s->ml->codecs[i].twcc;
    }
    return any && s->ml->ext.id[EXT_TWCC];
}

/* What each sub writes into its packets, as things stand. */
static void set_marks(struct peer *p)
{
    struct brain *b = p->brain;
    b->numbered = b->active && b->twcc;
    for (unsigned i = 0; i < p->n_subs; i++) {
        struct sub *s = &p->subs[i];
        s->numbered = b->numbered && sub_has_twcc(s);
        s->paced = (b->active || b->replay_bps) && s->ml->kind == MEDIA_VIDEO;
        /* Firefox sends no transport-wide feedback for VP9: the REMB that it sends instead needs
         * the time of sending. */
        s->stamped = b->active && s->ml->ext.id[EXT_ABS_SEND_TIME] && !p->session->link.only_cm &&
                     (!s->numbered || b->facts.mode != BWE_TWCC);
    }
}

static void begin(struct peer *p, int64_t now_us)
{
    struct brain *b = p->brain;
    struct bwe_params params = {
        .start_bps = start_bps(p, now_us), .min_bps = MIN_BPS, .max_bps = MAX_BPS};
    b->bwe = bwe_new(&params, (uint16_t)(router_random(p->router) & 0x7fff), now_us);
    b->born_us = now_us;
    b->overhead = addr_is_v4(&p->path.remote) ? UDP_IPV4 : UDP_IPV6;
    b->refilled_us = now_us;
    if (b->bwe) {
        bwe_facts(b->bwe, &b->facts);
    }
}

/* ---- budget ---- */

static uint32_t audio_bps(const struct peer *p)
{
    uint64_t bps = 0;
    for (unsigned i = 0; i < p->n_subs; i++) {
        const struct sub *s = &p->subs[i];
        bps += s->ml->kind == MEDIA_AUDIO && s->bitrate_bps ? s->bitrate_bps + AUDIO_MORE_BPS : 0;
    }
    return (uint32_t)MIN(bps, (uint64_t)MAX_BPS);
}

/* Share of the video that will have to be sent again, of 256. What a full queue drops is not worth
 * planning for: it ends with the overuse. */
static uint32_t repair_q8(const struct peer *p)
{
    return MIN(p->brain->facts.loss_q8, (uint32_t)REPAIR_MOST_Q8);
}

/* What is left for video of bps, which audio and repair come out of. */
static uint32_t for_video(const struct peer *p, uint32_t bps)
{
    uint32_t audio = audio_bps(p);
    uint32_t rest = bps > audio ? bps - audio : 0;
    return (uint32_t)((uint64_t)rest * (256 - repair_q8(p)) / 256);
}

/* What a video rate comes to with audio and repair. */
static uint32_t in_all(const struct peer *p, uint32_t bps)
{
    uint64_t all = (uint64_t)bps * 256 / (256 - repair_q8(p));
    return (uint32_t)MIN(all + audio_bps(p), (uint64_t)UINT32_MAX);
}

void brain_budget(struct peer *p, bool dependent, struct alloc_budget *ret, int64_t now_us)
{
    struct brain *b = p->brain;
    *ret = (struct alloc_budget){.unlimited = true};
    bool needed = dependent || b->replay_bps;
    if (needed) {
        b->needed_us = now_us;
    }
    if (needed && !b->bwe && p->up && (b->twcc || b->remb)) {
        begin(p, now_us);
    }
    b->active = b->bwe && now_us - b->needed_us < NEEDED_US;
    if (!b->active) {
        if (b->numbered || b->probe.cluster) {
            b->probe = (struct brain_probe){0};
            b->twice = 0;
            set_marks(p);
        }
        return;
    }
    bwe_facts(b->bwe, &b->facts);
    ret->unlimited = !dependent;
    ret->overuse = b->facts.usage == BWE_OVERUSE;
    ret->calm = b->facts.mode == BWE_TWCC && !b->facts.held && b->facts.queue_us < CALM_US;
    ret->urgent = ret->overuse && (b->facts.queue_us > URGENT_US || b->facts.surge);
    ret->bps = for_video(p, b->facts.capacity_bps);
    ret->proved_bps = for_video(p, b->facts.proved_bps);
}

/* For how many temporal layers repair is sent twice. In a row both copies would be lost. */
static uint8_t twice(const struct brain *b)
{
    bool random = b->facts.mode == BWE_TWCC && b->facts.usage == BWE_NORMAL &&
                  b->facts.queue_us < TWICE_QUEUE_US && b->facts.burst_q4 < ROWS_Q4;
    if (!random || b->loss_q16 < TWICE_LOSS_Q16) {
        return 0;
    }
    return b->loss_q16 < TWICE_BASE_Q16 ? UINT8_MAX : 1;
}

/* The rate at which a key frame may leave where the link is much wider than the estimate; 0: it is
 * not, or not known to be. */
static uint32_t wide_bps(const struct brain *b)
{
    const struct bwe_facts *f = &b->facts;
    bool calm = f->mode == BWE_TWCC && !f->held && f->usage == BWE_NORMAL &&
                f->queue_us < CALM_US && f->loss_q8 == 0;
    bool wide = f->capacity_bps >= WIDE_LEAST_BPS && f->train_bps / WIDE_TIMES >= f->capacity_bps;
    return calm && wide ? f->train_bps / WIDE_SHARE : 0;
}

/* Only what feedback has shown is known for a rate. */
static void set_credit(struct brain *b)
{
    bool known = b->facts.mode == BWE_TWCC && !b->replay_bps && !wide_bps(b);
    uint64_t Bps = known ? (uint64_t)b->facts.estimate_bps * CREDIT_PERCENT / 100 / 8 : 0;
    b->credit_Bps = (uint32_t)Bps;
    b->most = (uint32_t)MAX(Bps * CREDIT_US / US_PER_S, BURST_LEAST);
    b->credit = MIN(MAX(b->credit, -(int64_t)BURST_LEAST), (int64_t)b->most);
}

void brain_settle(struct peer *p, int64_t now_us)
{
    struct brain *b = p->brain;
    bool blind = !b->active || b->facts.mode == BWE_BLIND;
    unsigned percent = blind ? REPLAY_BLIND_PERCENT : REPLAY_PERCENT;
    uint32_t replay_Bps = (uint32_t)((uint64_t)b->replay_bps * percent / 100 / 8);
    if (!b->pace_Bps) { /* a pace begins with a full bucket */
        b->tokens = BRAIN_BURST;
        b->burst = BRAIN_BURST;
        b->refilled_us = now_us;
    }
    if (!b->active) {
        if (replay_Bps != b->pace_Bps) { /* most viewers need neither pace nor marks */
            b->pace_Bps = replay_Bps;
            set_marks(p);
        }
        return;
    }
    uint32_t want = b->needs.next_bps;
    if (b->needs.now_bps > for_video(p, b->facts.capacity_bps)) {
        want = b->needs.now_bps; /* borne for a while: is there room for it? */
    }
    uint32_t next = want ? in_all(p, want) : 0;
    uint32_t all = in_all(p, b->needs.all_bps);
    if (b->replay_bps) { /* the sooner it is over the better */
        next = MAX(next, in_all(p, 2 * b->replay_bps));
        all = MAX(all, next);
    }
    bwe_wish(b->bwe, next, all, now_us);
    b->full = b->facts.queue_us > QUEUE_US;
    if (b->facts.usage == BWE_OVERUSE || b->full) {
        /* A burst would only be dropped at the queue's end, the key frame of a cheaper layer with
         * it. */
        b->pace_Bps = b->facts.capacity_bps / 8;
        b->tokens = MIN(b->tokens, (int64_t)BURST_DRAIN);
        if (b->facts.surge && !b->surged) {
            int64_t full_us = MIN((int64_t)b->facts.queue_us, (int64_t)SURGE_HOLD_MOST_US);
            b->tokens = MIN(b->tokens, -full_us * b->pace_Bps / US_PER_S);
        }
    } else {
        b->pace_Bps = (uint32_t)((uint64_t)b->facts.estimate_bps * PACE_PERCENT / 100 / 8);
        b->pace_Bps = MAX(MAX(b->pace_Bps, replay_Bps), wide_bps(b) / 8);
    }
    b->surged = b->facts.surge;
    b->twice = twice(b);
    int64_t burst = (int64_t)b->facts.estimate_bps / 8 * BURST_US / US_PER_S;
    burst = wide_bps(b) ? BURST_MOST : burst;
    b->burst = (uint32_t)MAX(MIN(burst, (int64_t)BURST_MOST), (int64_t)BURST_LEAST);
    set_credit(b);
    p->estimate_bps = b->facts.capacity_bps;
    set_marks(p);
}

/* ---- probes ---- */

static void begin_probe(struct peer *p, int64_t now_us)
{
    struct brain *b = p->brain;
    struct bwe_probe due;
    if (!b->numbered || b->probe.cluster || !bwe_probe_due(b->bwe, now_us, &due)) {
        return;
    }
    b->probe = (struct brain_probe){
        .cluster = due.cluster,
        .rate_bps = due.rate_bps,
        .bytes = due.bytes,
        .packets = due.packets,
        .started_us = now_us,
        .least_us = due.rate_bps / 3 < b->facts.estimate_bps / 2 ? PROBE_LEAST_US : 0,
    };
    router_owe(p->router, p);
}

static void end_probe(struct brain *b, int64_t now_us)
{
    bwe_probe_end(b->bwe, b->probe.cluster, b->probe.sent_bytes, now_us);
    b->probe = (struct brain_probe){0};
}

/* A section that can carry what fills a probe. */
static struct sub *filler(const struct peer *p)
{
    for (unsigned i = 0; i < p->n_subs; i++) {
        struct sub *s = &p->subs[i];
        if (s->numbered && s->rtx_ss && s->started && s->ml->kind == MEDIA_VIDEO) {
            return s;
        }
    }
    return NULL;
}

bool brain_fill_probe(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    struct brain *brain = p->brain;
    struct brain_probe *pr = &brain->probe;
    if (brain->pace_Bps) {
        brain_refill(brain, now_us);
    }
    if (!brain->active || !pr->cluster) {
        return true;
    }
    int64_t since_us = now_us - pr->started_us;
    struct sub *s = filler(p);
    uint64_t due = (uint64_t)(since_us + PROBE_STEP_US) * pr->rate_bps / 8 / US_PER_S;
    bool wanted = bwe_probe_wanted(brain->bwe, pr->cluster);
    bool done = false;
    int64_t tokens = brain->tokens, credit = brain->credit; /* what fills a probe costs nothing */
    while (s && wanted && !done && pr->sent_bytes < due) {
        int n = sub_send_filler(s, b, now_us);
        brain->tokens = tokens;
        brain->credit = credit;
        if (n < 0) {
            return false;
        }
        wanted = n > 0;
        done = pr->sent_bytes >= pr->bytes && pr->sent_packets >= pr->packets &&
               since_us >= pr->least_us;
    }
    if (done || !wanted || since_us > PROBE_MOST_US) {
        end_probe(brain, now_us);
    }
    return true;
}

/* ---- time for repair ---- */

/* Without this a receiver's buffer leaves time for one round at most, and a twentieth of what is
 * sent again is lost as well where a twentieth is. */
static void set_playout(struct brain *b)
{
    int32_t lost_q16 = b->facts.mode == BWE_TWCC ? b->facts.loss_q8 * 256 : 0;
    b->loss_q16 += (lost_q16 - b->loss_q16) / LOSS_SLOW;
    bool on = b->playout_cs && b->playout_cs != PLAYOUT_UNSAID;
    bool rows = b->facts.burst_q4 >= (on ? ROWS_OFF_Q4 : ROWS_Q4);
    if (!on && b->loss_q16 >= (rows ? LOSSY_ROWS_Q16 : LOSSY_Q16) && b->facts.rtt_us) {
        int64_t us = MIN(REPAIR_AGAIN_US + (int64_t)b->facts.rtt_us, REPAIR_MOST_US);
        b->playout_cs = (uint16_t)(us / (10 * US_PER_MS));
    } else if (on && b->loss_q16 < (rows ? LOSSY_ROWS_OFF_Q16 : LOSSY_OFF_Q16)) {
        b->playout_cs = 0;
    }
}

/* ---- feedback and time ---- */

static void look_again(struct peer *p, bool changed, int64_t now_us)
{
    begin_probe(p, now_us);
    if (changed) {
        brain_look(p, now_us);
    }
}

bool brain_on_twcc(struct peer *p, const struct rtcp_packet *pkt, int64_t now_us)
{
    struct brain *b = p->brain;
    if (!b || !b->numbered) {
        return true; /* of before nothing depended on it any more */
    }
    struct rtcp_twcc head;
    struct rtcp_twcc_status *st = p->router->statuses;
    int n = rtcp_twcc_read(pkt, &head, st, BRAIN_STATUSES);
    if (n < 0) {
        return false;
    }
    look_again(p, bwe_on_twcc(b->bwe, &head, st, n, now_us), now_us);
    return true;
}

void brain_on_remb(struct peer *p, uint64_t bps, int64_t now_us)
{
    if (p->brain && p->brain->bwe && p->brain->remb) {
        bwe_on_remb(p->brain->bwe, bps, now_us);
    }
}

void brain_on_report(struct peer *p, uint32_t fraction_lost_q8, uint32_t rtt_us, int64_t now_us)
{
    if (p->brain && p->brain->bwe) {
        bwe_on_report(p->brain->bwe, fraction_lost_q8, rtt_us, now_us);
    }
}

void brain_tick(struct peer *p, int64_t now_us)
{
    struct brain *b = p->brain;
    if (b->bwe) {
        (void)bwe_tick(b->bwe, now_us); /* it is looked at in any case */
        set_playout(b);
    }
    brain_look(p, now_us);
    begin_probe(p, now_us);
}
