/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/recv_stats.h"
#include "rtp/seq.h"

#define SEQ_START 0x10000u

void recv_stats_init(struct recv_stats *s, uint32_t ssrc)
{
    *s = (struct recv_stats){.ssrc = ssrc};
}

/* Counting begins at seq. The last SR and the jitter stay: they do not depend on the numbering. */
static void start(struct recv_stats *s, uint64_t seq)
{
    s->any = true;
    s->jump_seen = false;
    s->base = seq;
    s->highest = seq;
    s->received = 0;
    s->prior_expected = 0;
    s->prior_received = 0;
}

/* RFC 3550 A.8. */
static void measure_jitter(struct recv_stats *s, uint32_t ts, uint32_t clock_hz, int64_t now_us)
{
    /* Seconds and rest apart, so that the product stays small at any uptime. */
    uint32_t arrival =
        (uint32_t)(now_us / US_PER_S * clock_hz + now_us % US_PER_S * clock_hz / US_PER_S);
    uint32_t transit = arrival - ts;
    bool fresh = s->clock_hz != clock_hz;
    int32_t d = ts_diff(transit, s->transit);
    s->transit = transit;
    s->clock_hz = clock_hz;
    uint32_t dist = d < 0 ? 0u - (uint32_t)d : (uint32_t)d;
    /* A timestamp base that moves by seconds is a new timeline, not jitter. */
    if (fresh || dist > 5 * (uint64_t)clock_hz) {
        return;
    }
    s->jitter_q4 += dist - ((s->jitter_q4 + 8) >> 4);
}

uint64_t recv_stats_on_packet(struct recv_stats *s, uint16_t seq16, uint32_t ts, uint32_t clock_hz,
                              int64_t now_us)
{
    assert(clock_hz > 0);
    if (!s->any) {
        start(s, SEQ_START + seq16);
    }
    int16_t diff = (int16_t)(uint16_t)(seq16 - (uint16_t)s->highest);
    if (diff > RECV_STATS_JUMP_MAX || diff < -RECV_STATS_JUMP_MAX) {
        if (!s->jump_seen || seq16 != s->jump_next) {
            s->jump_seen = true;
            s->jump_next = (uint16_t)(seq16 + 1);
            s->strays++;
            return 0;
        }
        start(s, s->highest + (uint16_t)diff);
        s->restarts++;
        diff = 0;
    }
    uint64_t seq = s->highest + (uint64_t)(int64_t)diff;
    s->received++;
    s->base = MIN(s->base, seq);
    if (seq >= s->highest) {
        s->highest = seq;
        /* Only packets in order: a resend says nothing about the path's jitter. */
        measure_jitter(s, ts, clock_hz, now_us);
    }
    return seq;
}

void recv_stats_on_sr(struct recv_stats *s, uint64_t ntp, int64_t now_us)
{
    s->lsr = (uint32_t)(ntp >> 16);
    s->lsr_at_us = now_us;
}

uint64_t recv_stats_expected(const struct recv_stats *s)
{
    return s->any ? s->highest - s->base + 1 : 0;
}

int64_t recv_stats_lost(const struct recv_stats *s)
{
    return (int64_t)recv_stats_expected(s) - (int64_t)s->received;
}

uint32_t recv_stats_jitter_us(const struct recv_stats *s)
{
    return s->clock_hz ? (uint32_t)((uint64_t)(s->jitter_q4 >> 4) * US_PER_S / s->clock_hz) : 0;
}

bool recv_stats_report(struct recv_stats *s, int64_t now_us, struct rtcp_report_block *ret_block)
{
    if (!s->any) {
        return false;
    }
    uint64_t expected = recv_stats_expected(s);
    int64_t interval = (int64_t)(expected - s->prior_expected);
    int64_t lost = interval - (int64_t)(s->received - s->prior_received);
    s->prior_expected = expected;
    s->prior_received = s->received;
    int64_t total = recv_stats_lost(s);
    *ret_block = (struct rtcp_report_block){
        .ssrc = s->ssrc,
        .fraction_lost = (uint8_t)(lost > 0 ? MIN(lost * 256 / interval, 255) : 0),
        .lost = (int32_t)MIN(MAX(total, -0x800000), 0x7fffff),
        .highest_seq = (uint32_t)(s->highest - SEQ_START),
        .jitter = s->jitter_q4 >> 4,
        .lsr = s->lsr,
    };
    if (s->lsr) {
        uint64_t since_us = (uint64_t)MAX(now_us - s->lsr_at_us, 0);
        ret_block->dlsr = (uint32_t)MIN(since_us * 65536 / US_PER_S, UINT32_MAX);
    }
    return true;
}
