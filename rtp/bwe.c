/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe.h"
#include "rtp/bwe_state.h"
#include "rtp/line.h"
#include "rtp/prefetch.h"
#include <stdlib.h>
#include <string.h>

#define NEVER (INT64_MIN / 2)

/* Watchdog: feedback that stays away while so many packets leave is missing. */
#define SILENT_PACKETS   20
#define SILENT_HOLD_US   (500 * US_PER_MS)
#define SILENT_REPORT_US (1500 * US_PER_MS)
/* REMB is repeated every second, reports every five at the least. */
#define REMB_FRESH_US   (5 * US_PER_S)
#define REPORT_FRESH_US (12 * US_PER_S)

/* A receiver's clock that differs so much from ours between two packets has jumped. */
#define JUMP_US (3 * US_PER_S)

/* A gradient without at least this queue is noise: GCC backs off needlessly at small jitter. */
#define QUEUE_REAL_US (25 * US_PER_MS)
/* A queue longer than this, and standing, is overuse although its gradient is 0. */
#define QUEUE_LIMIT_US (30 * US_PER_MS)
#define QUEUE_STAND_US (150 * US_PER_MS)
/* With so long a queue the link is surely full, and only what arrived last tells how much it
 * carries.
 */
#define QUEUE_SURE_US (100 * US_PER_MS)
/* What a probe may queue by itself. */
#define QUEUE_PROBE_US (80 * US_PER_MS)
#define QUEUE_GROW_US  (25 * US_PER_MS)
#define PACKET_BITS    9600
/* A surge that leaves less of the estimate than this is more than somebody else's key frame. */
#define SURGE_DEEP_PCT 60

#define ALR_BEGIN_PCT 65
#define ALR_END_PCT   80
/* The application sends all it may, so that growth alone finds more capacity. */
#define FULL_PCT 92
/* Who sends less than may be sent is not what fills the queue: cut to so much of it. */
#define SPARE_PCT 160
/* But where less than this share of it arrives the link has become narrower. */
#define SPARE_ARRIVES_PCT 60
#define PATH_BACK_PCT     95
#define OVER_RECENT_US    US_PER_S
#define TICK_MAX_US       US_PER_S
#define SENT_US           (500 * US_PER_MS)

/* What the next message is likely to tell of: 16 packets. */
#define PREFETCH_SLOTS (16 * sizeof(struct bwe_sent_slot))

/* With so much lost a link is too narrow even for what a rival is believed to leave. */
#define RIVAL_LOSS 0.15f

#define LOSS_LOW_Q8     5  /* 2 % */
#define LOSS_HIGH_Q8    26 /* 10 % */
#define REPORT_GROW_PCT 8  /* a second */

struct bwe *bwe_new(const struct bwe_params *p, uint16_t seq0, int64_t now_us)
{
    struct bwe *b = line_calloc(1, sizeof(*b));
    if (!b || bwe_sent_init(&b->sent, seq0) < 0) {
        free(b);
        return NULL;
    }
    b->params = *p;
    b->params.max_bps = MAX(p->max_bps, p->min_bps);
    uint32_t start = MAX(b->params.min_bps, MIN(b->params.max_bps, p->start_bps));
    bwe_delay_reset(&b->delay);
    bwe_acked_reset(&b->acked);
    bwe_aimd_init(&b->aimd, start, now_us);
    bwe_loss_init(&b->loss);
    bwe_probe_init(&b->prober);
    b->heard_us = now_us;
    b->heard_seq = seq0;
    b->told_next = seq0;
    b->tick_us = now_us;
    b->tick_seq = seq0;
    b->over_us = b->report_cut_us = NEVER;
    b->report_bps = start;
    b->told_bps = start;
    b->app_limited = true;
    b->why = "start";
    return b;
}

void bwe_free(struct bwe *b)
{
    if (b) {
        bwe_sent_fini(&b->sent);
        free(b);
    }
}

/* ---- sending ---- */

uint16_t bwe_seq16(const struct bwe *b)
{
    return (uint16_t)b->sent.next;
}

void bwe_prefetch_sent(const struct bwe *b)
{
    if (b) {
        prefetch_bytes(&b->sent.slots[b->sent.next & b->sent.mask], sizeof(*b->sent.slots));
    }
}

void bwe_on_sent(struct bwe *b, uint32_t size, uint8_t cluster, int64_t now_us)
{
    if (b->sent.bytes == 0) {
        b->heard_us = now_us; // the watchdog counts from the first packet
    }
    bwe_sent_add(&b->sent, size, cluster, now_us);
    if (cluster) {
        bwe_probe_on_sent(&b->prober, cluster, now_us);
    }
}

/* ---- the estimate ---- */

static bool remb_fresh(const struct bwe *b, int64_t now_us)
{
    return b->remb_us && now_us - b->remb_us < REMB_FRESH_US;
}

static uint32_t clamp(const struct bwe *b, uint32_t bps)
{
    return MAX(b->params.min_bps, MIN(b->params.max_bps, bps));
}

/* The queue; in a surge the present delay rather than the least of the last 100 ms. */
static int32_t queue_us(const struct bwe *b)
{
    return MAX(bwe_queue_us(&b->queue), bwe_surge_us(&b->surge));
}

/* The estimate within all limits; the drain apart. */
static uint32_t capacity_bps(const struct bwe *b)
{
    uint32_t bps = b->aimd.bps;
    if (b->remb_us) {
        bps = MIN(bps, b->remb_bps);
    }
    if (b->loss.cap_bps) {
        bps = MIN(bps, b->loss.cap_bps);
    }
    return clamp(b, bps);
}

static uint32_t estimate_bps(const struct bwe *b)
{
    uint32_t bps = capacity_bps(b);
    return clamp(b, bwe_drain_bps(&b->drain, bps, queue_us(b)));
}

static void set(struct bwe *b, uint32_t bps, const char *why, int64_t now_us)
{
    bwe_aimd_set(&b->aimd, clamp(b, bps), now_us);
    b->why = why;
}

/* Is it worth the caller's while to look again? */
static bool changed(struct bwe *b)
{
    uint32_t bps = estimate_bps(b);
    uint32_t diff = bps > b->told_bps ? bps - b->told_bps : b->told_bps - bps;
    if (diff <= b->told_bps / 32 && b->usage == b->told_usage && b->mode == b->told_mode) {
        return false;
    }
    b->told_bps = bps;
    b->told_usage = b->usage;
    b->told_mode = b->mode;
    return true;
}

static void prove(struct bwe *b, uint32_t bps, int64_t now_us)
{
    int64_t s = now_us / US_PER_S;
    if (s - b->proved_s >= BWE_PROVED_S) {
        memset(b->proved_bps, 0, sizeof(b->proved_bps));
        b->proved_s = s;
    }
    while (b->proved_s < s) {
        b->proved_bps[++b->proved_s % BWE_PROVED_S] = 0;
    }
    uint32_t *best = &b->proved_bps[s % BWE_PROVED_S];
    *best = MAX(*best, bps);
}

static struct bwe_drain_in drain_in(const struct bwe *b, int64_t now_us)
{
    return (struct bwe_drain_in){
        .queue_us = queue_us(b),
        .rtt_us = b->rtt_us,
        .sent_bytes = b->sent.bytes,
        .estimate_bps = b->aimd.bps,
        .now_us = now_us,
    };
}

/* What was sent for bps to arrive: loss that sending does not cause takes its share of whatever is
 * sent, so that the link carries more than arrives. */
static uint32_t before_loss(const struct bwe *b, uint32_t bps)
{
    float sent = (float)bps / (1 - b->loss.inherent);
    return (uint32_t)MIN(sent, 4e9f);
}

/* What arrives, as the base of a cut; 0 = not known. Jitter looks like a short queue, and makes the
 * last 150 ms say anything: the shorter the queue, the more counts what arrived before. */
static uint32_t arriving_bps(const struct bwe *b)
{
    uint32_t recent = bwe_acked_recent_bps(&b->acked);
    uint32_t smooth = b->acked.smooth_bps;
    if (recent == 0 || smooth <= recent) {
        return recent;
    }
    int64_t unsure_us = MAX(QUEUE_SURE_US - queue_us(b), 0);
    return recent + (uint32_t)((smooth - recent) * unsure_us / QUEUE_SURE_US);
}

/* What a rival leaves us; 0 while there is none, or so much is lost that it leaves less. */
static uint32_t rival_floor_bps(const struct bwe *b, int64_t now_us)
{
    return b->loss.recent > RIVAL_LOSS ? 0 : bwe_rival_floor_bps(&b->rival, now_us);
}

/* The base of a cut, when acked arrives. While little of the estimate is used, others on the same
 * link have filled its queue: cut to what it sends itself, the smaller of two flows would lose what
 * lets it grow each time that the larger one tries for more. What is spared goes in three or four
 * cuts should the link be too narrow after all. The first cut is of a time when it is not known yet
 * how much is sent. */
static uint32_t spare(const struct bwe *b, uint32_t acked)
{
    bool narrower = (uint64_t)acked * 100 < (uint64_t)b->sent_bps * SPARE_ARRIVES_PCT;
    if (!b->app_limited || !b->prober.was_cut || narrower) {
        return acked;
    }
    uint64_t spared = (uint64_t)b->sent_bps * SPARE_PCT / 100;
    return (uint32_t)MAX(acked, MIN(spared, b->aimd.bps));
}

static void on_overuse(struct bwe *b, const char *why, int64_t now_us)
{
    b->usage = BWE_OVERUSE;
    b->over_us = now_us;
    uint32_t before = b->aimd.bps;
    uint32_t acked = before_loss(b, arriving_bps(b));
    if (b->drain.on && acked) {
        /* Little arrives because little is sent. The link's share is what would have arrived. */
        uint64_t share = (uint64_t)before * 256 / bwe_acked_stretch_q8(&b->acked);
        acked = (uint32_t)MAX(acked, MIN(share, before));
    }
    if (b->surge_bps) {
        acked = before_loss(b, b->surge_bps); // 150 ms reach back to before it
    }
    acked = acked ? spare(b, acked) : 0;
    struct bwe_aimd_in how = {.rtt_us = b->rtt_us, .queue_us = queue_us(b), .now_us = now_us};
    if (bwe_aimd_overuse(&b->aimd, acked, &how)) {
        uint32_t floor = rival_floor_bps(b, now_us);
        b->aimd.bps = clamp(b, MAX(b->aimd.bps, MIN(floor, before)));
        b->why = why;
        bwe_probe_cut(&b->prober, before, b->aimd.bps, now_us);
        b->surged |= b->surge_bps && b->aimd.bps < (uint64_t)before * SURGE_DEEP_PCT / 100;
    }
    struct bwe_drain_in in = drain_in(b, now_us);
    bwe_drain_start(&b->drain, &in, acked ? acked : b->aimd.bps, before);
}

/* It is seen anew: what was given up to it is taken back as far as the floor. */
static void on_rival(struct bwe *b, int64_t now_us)
{
    uint32_t floor = rival_floor_bps(b, now_us);
    if (floor > b->aimd.bps) {
        set(b, floor, "rival", now_us);
    }
}

static void on_longer_path(struct bwe *b, int64_t now_us)
{
    bwe_queue_rebase(&b->queue);
    bwe_delay_reset(&b->delay);
    if (bwe_rival_vain(&b->rival, b->drain.before_bps, now_us)) {
        on_rival(b, now_us);
        return;
    }
    uint64_t back = (uint64_t)b->drain.before_bps * PATH_BACK_PCT / 100;
    if (back > b->aimd.bps) {
        set(b, (uint32_t)MIN(back, UINT32_MAX), "path", now_us);
    }
}

/* A slow link needs longer for a single frame: two packets' time is no queue. */
static int32_t queue_limit_us(const struct bwe *b)
{
    int64_t packets_us = 2 * PACKET_BITS * (int64_t)US_PER_S / MAX(b->aimd.bps, 1);
    return (int32_t)MAX(QUEUE_LIMIT_US, QUEUE_LIMIT_US / 2 + packets_us) +
           bwe_queue_noise_us(&b->queue);
}

/* A shorter queue does not speak against sending more. */
static int32_t grow_limit_us(const struct bwe *b)
{
    return QUEUE_GROW_US + bwe_queue_noise_us(&b->queue);
}

/* Puts together what delay says. */
static void judge_delay(struct bwe *b, int64_t now_us)
{
    if (!b->new_group && !b->surge_bps) {
        return;
    }
    int32_t queued_us = queue_us(b);
    bool probing = bwe_probe_lasts(&b->prober, b->rtt_us, now_us);
    bool grows = b->grew && queued_us >= QUEUE_REAL_US + bwe_queue_noise_us(&b->queue);
    bool stands = bwe_queue_stands(&b->queue, queue_limit_us(b), QUEUE_STAND_US);
    bool surges = b->surge_bps != 0;
    b->grew = b->new_group = false;
    if (grows) {
        bwe_probe_overuse(&b->prober, now_us);
    }
    if (grows || queued_us > QUEUE_REAL_US * 2) {
        bwe_loss_queue(&b->loss);
    }
    if (probing && (grows || stands || surges) && queued_us < QUEUE_PROBE_US) {
        /* The probe's own doing: what it queued is drained, the estimate is not to blame. */
        struct bwe_drain_in in = drain_in(b, now_us);
        bwe_drain_start(&b->drain, &in, b->aimd.bps, b->aimd.bps);
        grows = stands = surges = false;
    }
    if (surges || grows || (stands && !b->drain.on)) {
        on_overuse(b, surges ? "surge" : grows ? "overuse" : "queue", now_us);
        b->surge_bps = 0;
    } else {
        b->usage = b->delay.usage == BWE_UNDERUSE ? BWE_UNDERUSE : BWE_NORMAL;
        b->surged = false;
    }
    struct bwe_drain_in in = drain_in(b, now_us);
    enum bwe_drain_end end = bwe_drain_update(&b->drain, &in);
    if (end == BWE_DRAIN_PATH) {
        on_longer_path(b, now_us);
    } else if (end == BWE_DRAIN_RIVAL) {
        bwe_rival_seen(&b->rival, b->drain.before_bps, now_us);
        on_rival(b, now_us);
    }
}

static void judge_loss(struct bwe *b, int64_t now_us)
{
    struct bwe_loss_in in = {
        .estimate_bps = b->aimd.bps,
        .acked_bps = bwe_acked_recent_bps(&b->acked),
        .now_us = now_us,
    };
    uint32_t bps = bwe_loss_verdict(&b->loss, &in);
    if (bps != b->aimd.bps) {
        set(b, bps, "loss", now_us);
    }
}

static struct bwe_probe_in probe_in(struct bwe *b, int64_t now_us)
{
    int32_t queued_us = queue_us(b);
    bool deaf = b->mode == BWE_REPORT && remb_fresh(b, now_us);
    return (struct bwe_probe_in){
        .estimate_bps = capacity_bps(b),
        .cap_bps = MIN(b->params.max_bps, bwe_loss_cap_bps(&b->loss, now_us)),
        .rtt_us = b->rtt_us,
        .clear = (b->mode == BWE_TWCC && !b->held && b->usage != BWE_OVERUSE && !b->drain.on &&
                  queued_us < grow_limit_us(b)) ||
                 deaf,
        .blind = b->mode == BWE_BLIND,
        .deaf = deaf,
        .burst = b->burst.verdict,
        .full = (uint64_t)b->sent_bps * 100 >= (uint64_t)b->aimd.bps * FULL_PCT,
        .quiet_us = now_us - b->over_us,
        .now_us = now_us,
    };
}

static void judge_probe(struct bwe *b, int64_t now_us)
{
    struct bwe_probe_in in = probe_in(b, now_us);
    uint32_t bps = before_loss(b, bwe_probe_result(&b->prober, &in));
    if (bps == 0) {
        return;
    }
    prove(b, bps, now_us);
    if (bps > b->aimd.bps && b->usage != BWE_OVERUSE) {
        set(b, bps, "probe", now_us);
    } else if (b->prober.filled && bps < b->aimd.bps && bps > before_loss(b, b->acked.smooth_bps)) {
        /* Two probes contradict each other, and nothing else has shown which is right. */
        set(b, bps + (b->aimd.bps - bps) / 2, "probe", now_us);
    }
}

static void grow(struct bwe *b, int64_t now_us)
{
    struct bwe_aimd_in in = {
        .acked_bps = before_loss(b, b->acked.smooth_bps),
        .rtt_us = b->rtt_us,
        .now_us = now_us,
        .may_grow = b->usage == BWE_NORMAL && !b->app_limited && !b->held && !b->drain.on &&
                    queue_us(b) < grow_limit_us(b) &&
                    b->aimd.bps < bwe_loss_cap_bps(&b->loss, now_us),
    };
    uint32_t before = b->aimd.bps;
    if (bwe_aimd_grow(&b->aimd, &in)) {
        bwe_probe_soon(&b->prober, now_us);
    }
    b->aimd.bps = clamp(b, b->aimd.bps);
    if (b->aimd.bps > before) {
        b->why = "increase";
    }
}

/* ---- transport-wide feedback ---- */

static void on_jump(struct bwe *b)
{
    b->jumps++;
    bwe_groups_reset(&b->groups);
    bwe_delay_reset(&b->delay);
    bwe_queue_reset(&b->queue);
    bwe_acked_reset(&b->acked);
    bwe_burst_reset(&b->burst);
    bwe_surge_reset(&b->surge);
    b->drain.on = false;
}

static void on_arrival(struct bwe *b, const struct bwe_sent_slot *slot, int64_t arrival_us,
                       int64_t now_us)
{
    int64_t sent_us = bwe_sent_at_us(slot, now_us);
    int64_t differ = (arrival_us - b->arrival_us) - (sent_us - b->arrival_sent_us);
    if (b->mode == BWE_TWCC && (differ > JUMP_US || differ < -JUMP_US)) {
        on_jump(b);
    }
    b->arrival_us = arrival_us;
    b->arrival_sent_us = sent_us;
    bwe_acked_add(&b->acked, sent_us, arrival_us, slot->size);
    uint32_t surge_bps = bwe_surge_add(&b->surge, sent_us, arrival_us, slot->size);
    b->surge_bps = surge_bps;
    bwe_burst_add(&b->burst, sent_us, arrival_us, slot->size, b->aimd.bps);
    if (b->prober.state != BWE_PROBE_IDLE) {
        bwe_probe_on_arrival(&b->prober, sent_us, arrival_us, slot->size);
    }
    struct bwe_groups_delta g;
    if (bwe_groups_add(&b->groups, sent_us, arrival_us, &g)) {
        bwe_queue_add(&b->queue, g.owd_us, g.arrival_us);
        b->grew |= bwe_delay_add(&b->delay, &g) == BWE_OVERUSE;
        b->new_group = true;
    }
}

/* Takes one status. Returns true if it was news. */
static bool on_status(struct bwe *b, const struct rtcp_twcc_status *st, int64_t arrival_us,
                      int64_t now_us)
{
    struct bwe_sent_slot *slot = bwe_sent_find(&b->sent, st->seq16);
    if (!slot || slot->fate == BWE_ARRIVED || slot->fate == BWE_UNSENT ||
        (slot->fate == BWE_LOST && !st->received)) {
        b->ignored++;
        return false;
    }
    int64_t sent_us = bwe_sent_at_us(slot, now_us);
    if (slot->fate == BWE_LOST) {
        bwe_loss_found(&b->loss, sent_us);
    } else {
        bwe_loss_add(&b->loss, slot->size, sent_us, !st->received);
        bwe_probe_on_told(&b->prober, slot->cluster);
    }
    if (st->received) {
        on_arrival(b, slot, arrival_us, now_us);
    }
    slot->fate = st->received ? BWE_ARRIVED : BWE_LOST;
    return true;
}

static void on_rtt(struct bwe *b, int64_t rtt_us)
{
    rtt_us = MAX(0, MIN(rtt_us, 10 * US_PER_S));
    b->rtt_us = (uint32_t)(b->rtt_us ? (7 * (int64_t)b->rtt_us + rtt_us) / 8 : rtt_us);
}

/* The message's reference time on a clock that does not wrap. */
static int64_t reference_us(struct bwe *b, uint32_t ref_time)
{
    if (!b->heard) {
        b->ref_us = (int64_t)ref_time * RTCP_TWCC_REF_US;
    } else {
        int32_t diff = (int32_t)((ref_time - b->ref_time) << 8) >> 8;
        b->ref_us += (int64_t)diff * RTCP_TWCC_REF_US;
    }
    b->ref_time = ref_time;
    return b->ref_us;
}

static void on_news(struct bwe *b, int64_t now_us)
{
    b->heard_us = now_us;
    b->heard_seq = b->sent.next;
    b->held = false;
    if (b->mode != BWE_TWCC) {
        b->mode = BWE_TWCC;
        b->aimd.updated_us = now_us;
    }
    b->heard = true;
}

void bwe_prefetch(const struct bwe *b, unsigned step)
{
    if (b && step == 0) {
        prefetch_bytes(b, sizeof(*b));
    } else if (b) {
        prefetch_bytes(&b->sent.slots[b->told_next & b->sent.mask], PREFETCH_SLOTS);
    }
}

bool bwe_on_twcc(struct bwe *b, const struct rtcp_twcc *head, const struct rtcp_twcc_status *st,
                 int n, int64_t now_us)
{
    int64_t arrival_us = reference_us(b, head->ref_time);
    bwe_surge_expect(&b->surge, b->aimd.bps, 2 * bwe_queue_noise_us(&b->queue));
    const struct rtcp_twcc_status *newest = NULL;
    bool news = false;
    if (n > 0 && bwe_sent_find(&b->sent, st[0].seq16) &&
        bwe_sent_seq(&b->sent, st[0].seq16) > b->told_next) {
        bwe_acked_hole(&b->acked); // a message between the last one and this is missing
    }
    for (int i = 0; i < n; i++) {
        arrival_us += st[i].delta_us;
        if (!on_status(b, &st[i], arrival_us, now_us)) {
            continue;
        }
        news = true;
        newest = st[i].received ? &st[i] : newest;
    }
    if (!news) {
        return false;
    }
    uint64_t last = bwe_sent_seq(&b->sent, st[n - 1].seq16);
    if (bwe_sent_find(&b->sent, st[n - 1].seq16) && last >= b->told_next) {
        b->told_next = last + 1;
        if (newest) {
            on_rtt(b, now_us - bwe_sent_at_us(bwe_sent_find(&b->sent, newest->seq16), now_us));
        }
    }
    on_news(b, now_us);
    judge_delay(b, now_us);
    judge_loss(b, now_us);
    judge_probe(b, now_us);
    grow(b, now_us);
    return changed(b);
}

/* ---- REMB and receiver reports ---- */

void bwe_on_remb(struct bwe *b, uint64_t bps, int64_t now_us)
{
    b->remb_bps = (uint32_t)MIN(bps, UINT32_MAX);
    b->remb_us = now_us;
    if (b->mode == BWE_REPORT) {
        /* Reports that tell of loss keep it lower than the receiver believes. */
        if (b->report_loss_q8 < LOSS_LOW_Q8) {
            b->report_bps = MAX(b->report_bps, b->remb_bps);
        }
        set(b, MIN(b->remb_bps, b->report_bps), "remb", now_us);
    }
}

void bwe_on_report(struct bwe *b, uint32_t fraction_lost_q8, uint32_t rtt_us, int64_t now_us)
{
    int64_t since_us = b->report_us ? MIN(now_us - b->report_us, TICK_MAX_US * 2) : 0;
    b->report_us = now_us;
    b->report_loss_q8 = (uint16_t)MIN(fraction_lost_q8, UINT8_MAX);
    if (b->mode == BWE_TWCC) {
        return;
    }
    if (rtt_us) {
        on_rtt(b, rtt_us);
    }
    if (b->mode != BWE_REPORT) {
        return;
    }
    uint32_t bps = b->report_bps;
    if (b->report_loss_q8 > LOSS_HIGH_Q8) {
        if (now_us - b->report_cut_us > 2 * (int64_t)b->rtt_us + 300 * US_PER_MS) {
            b->report_cut_us = now_us;
            bps -= (uint32_t)((uint64_t)bps * b->report_loss_q8 / 512);
        }
    } else if (b->report_loss_q8 < LOSS_LOW_Q8 && !b->app_limited) {
        bps += (uint32_t)((uint64_t)bps * REPORT_GROW_PCT * (uint64_t)since_us / 100 / US_PER_S);
    }
    b->report_bps = clamp(b, bps);
    if (remb_fresh(b, now_us)) {
        bps = MIN(b->report_bps, b->remb_bps);
    }
    set(b, bps, "report", now_us);
}

/* ---- time ---- */

static void measure_sent(struct bwe *b, int64_t now_us)
{
    int64_t dt_us = now_us - b->tick_us;
    uint64_t bps = (b->sent.bytes - b->tick_bytes) * 8 * US_PER_S / (uint64_t)dt_us;
    uint64_t pps = (b->sent.next - b->tick_seq) * US_PER_S / (uint64_t)dt_us;
    int64_t weight_us = MIN(dt_us, SENT_US);
    int64_t diff = (int64_t)MIN(bps, UINT32_MAX) - b->sent_bps;
    b->sent_bps = (uint32_t)(b->sent_bps + diff * weight_us / SENT_US);
    b->tick_us = now_us;
    b->tick_bytes = b->sent.bytes;
    b->tick_seq = b->sent.next;
    bwe_sent_grow(&b->sent, (uint32_t)MIN(pps, UINT32_MAX));
    uint32_t limit = b->app_limited ? ALR_END_PCT : ALR_BEGIN_PCT;
    b->app_limited = (uint64_t)b->sent_bps * 100 < (uint64_t)capacity_bps(b) * limit;
}

/* Feedback stays away: keeps the estimate at first, then goes by what else there is. */
static void watch(struct bwe *b, int64_t now_us)
{
    bool silent = b->sent.next - b->heard_seq > SILENT_PACKETS;
    int64_t for_us = now_us - b->heard_us;
    if (!silent || for_us < SILENT_HOLD_US) {
        return;
    }
    b->held = true;
    b->usage = BWE_NORMAL;
    b->drain.on = false;
    if (b->mode == BWE_REPORT || for_us < SILENT_REPORT_US) {
        return;
    }
    b->mode = BWE_REPORT;
    b->report_bps = b->aimd.bps;
    bwe_groups_reset(&b->groups);
    bwe_delay_reset(&b->delay);
    bwe_queue_reset(&b->queue);
    bwe_acked_reset(&b->acked);
    bwe_loss_reset(&b->loss);
    if (remb_fresh(b, now_us)) {
        set(b, b->remb_bps, "remb", now_us);
        b->report_bps = b->aimd.bps;
    }
}

/* Without any word for long the estimate falls back to the start value, no lower. */
static void watch_reports(struct bwe *b, int64_t now_us)
{
    bool any = remb_fresh(b, now_us) || (b->report_us && now_us - b->report_us < REPORT_FRESH_US);
    b->held = !any;
    if (!any && now_us - b->heard_us > REPORT_FRESH_US && b->aimd.bps > b->params.start_bps) {
        set(b, b->params.start_bps, "silence", now_us);
        b->report_bps = b->aimd.bps;
    }
    if (!remb_fresh(b, now_us)) {
        b->remb_us = 0;
    }
}

bool bwe_tick(struct bwe *b, int64_t now_us)
{
    if (now_us <= b->tick_us) {
        return false;
    }
    measure_sent(b, now_us);
    watch(b, now_us);
    if (b->mode == BWE_REPORT) {
        watch_reports(b, now_us);
    } else if (b->remb_us && !remb_fresh(b, now_us)) {
        b->remb_us = 0;
    }
    uint32_t acked = bwe_acked_recent_bps(&b->acked);
    if (b->mode == BWE_TWCC && !b->held && queue_us(b) < grow_limit_us(b)) {
        prove(b, before_loss(b, MIN(acked, b->acked.smooth_bps)), now_us);
    } else {
        prove(b, 0, now_us);
    }
    judge_probe(b, now_us);
    return changed(b);
}

void bwe_wish(struct bwe *b, uint32_t next_bps, uint32_t all_bps, int64_t now_us)
{
    bwe_probe_wish(&b->prober, next_bps, all_bps, now_us);
}

bool bwe_probe_due(struct bwe *b, int64_t now_us, struct bwe_probe *ret)
{
    struct bwe_probe_in in = probe_in(b, now_us);
    return bwe_probe_poll(&b->prober, &in, ret);
}

bool bwe_probe_wanted(const struct bwe *b, uint8_t cluster)
{
    return b->prober.state == BWE_PROBE_SENDING && b->prober.probe.cluster == cluster &&
           !b->prober.aborted;
}

void bwe_probe_end(struct bwe *b, uint8_t cluster, uint32_t sent_bytes, int64_t now_us)
{
    if (b->prober.state == BWE_PROBE_SENDING && b->prober.probe.cluster == cluster) {
        bwe_probe_sent_all(&b->prober, sent_bytes, now_us);
    }
}

/* ---- what is known ---- */

void bwe_facts(const struct bwe *b, struct bwe_facts *ret)
{
    uint32_t proved = 0;
    for (int i = 0; i < BWE_PROVED_S; i++) {
        proved = MAX(proved, b->proved_bps[i]);
    }
    float loss = b->loss.recent * 256;
    *ret = (struct bwe_facts){
        .mode = b->mode,
        .usage = b->usage,
        .estimate_bps = estimate_bps(b),
        .capacity_bps = capacity_bps(b),
        .acked_bps = b->mode == BWE_TWCC ? b->acked.smooth_bps : 0,
        .proved_bps = proved,
        .rtt_us = b->rtt_us,
        .queue_us = (uint32_t)queue_us(b),
        .train_bps = bwe_burst_train_bps(&b->burst),
        .loss_q8 = b->mode == BWE_REPORT ? b->report_loss_q8 : (uint16_t)MIN(loss, 256),
        .burst_q4 = b->loss.run_q4,
        .surge = b->surged,
        .app_limited = b->app_limited,
        .held = b->held,
        .why = b->why,
    };
}
