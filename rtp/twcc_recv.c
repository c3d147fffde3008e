/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/twcc_recv.h"
#include "rtp/rtcp_twcc.h"
#include "rtp/seq.h"

#define NOT_ARRIVED   INT64_MIN
#define TICKS_PER_REF (RTCP_TWCC_REF_US / RTCP_TWCC_TICK_US)

static_assert((TWCC_RECV_WINDOW & (TWCC_RECV_WINDOW - 1)) == 0, "window is a mask");
static_assert(TWCC_RECV_CAP_MIN >= RTCP_TWCC_LEN_MAX(2), "a message always makes progress");

static int64_t *slot(struct twcc_recv *t, uint64_t seq)
{
    return &t->arrival_us[seq & (TWCC_RECV_WINDOW - 1)];
}

/* Forgets all packets; seq will be the first. */
static void restart(struct twcc_recv *t, uint64_t seq)
{
    for (unsigned i = 0; i < TWCC_RECV_WINDOW; i++) {
        t->arrival_us[i] = NOT_ARRIVED;
    }
    t->any = true;
    t->stray = false;
    t->draining = false;
    t->waiting = 0;
    t->next = seq;
    t->last_base = 0; // nothing told yet: the first packets may come in any order
    t->highest = seq;
}

void twcc_recv_init(struct twcc_recv *t)
{
    restart(t, 0);
    t->any = false;
    t->fb_count = 0;
    t->ignored = 0;
    t->first_waiting_us = 0;
    t->last_sent_us = INT64_MIN / 2; // long ago
}

/* Makes seq the highest number. */
static void advance(struct twcc_recv *t, uint64_t seq)
{
    for (uint64_t s = t->highest + 1; s <= seq; s++) {
        *slot(t, s) = NOT_ARRIVED;
    }
    t->highest = seq;
    if (t->highest - t->next >= TWCC_RECV_WINDOW) {
        t->next = t->highest - TWCC_RECV_WINDOW + 1; // nobody polled
    }
}

/* The extended number of a packet, or 0 if it is not to be noted. */
static uint64_t place(struct twcc_recv *t, uint16_t seq16)
{
    if (!t->any) {
        restart(t, 0x10000u + seq16);
        return t->highest;
    }
    uint64_t seq = seq_unwrap(t->highest, seq16);
    uint64_t distance = seq > t->highest ? seq - t->highest : t->highest - seq;
    if (distance >= TWCC_RECV_WINDOW) {
        if (!t->stray || seq16 != t->stray_next) {
            t->stray = true;
            t->stray_next = (uint16_t)(seq16 + 1);
            return 0;
        }
        restart(t, 0x10000u + seq16);
        return t->highest;
    }
    if (seq > t->highest) {
        advance(t, seq);
    } else if (seq < t->last_base || *slot(t, seq) != NOT_ARRIVED) {
        return 0;
    }
    return seq;
}

void twcc_recv_on_packet(struct twcc_recv *t, uint16_t seq16, int64_t now_us)
{
    assert(now_us >= 0);
    uint64_t seq = place(t, seq16);
    if (seq == 0) {
        t->ignored++;
        return;
    }
    *slot(t, seq) = now_us;
    t->next = MIN(t->next, seq);
    if (t->waiting++ == 0) {
        t->first_waiting_us = now_us;
    }
}

int64_t twcc_recv_next_deadline(const struct twcc_recv *t)
{
    if (t->waiting == 0) {
        return INT64_MAX;
    }
    if (t->draining || t->waiting >= TWCC_RECV_WAITING_MAX) {
        return t->first_waiting_us;
    }
    return MAX(t->last_sent_us + TWCC_RECV_INTERVAL_US, t->first_waiting_us + TWCC_RECV_BURST_US);
}

/* Collects statuses from t->next on, as many as one message of cap bytes holds. Times are whole
 * ticks from the clock's start, so that rounding never adds up. */
static int collect(struct twcc_recv *t, int64_t now_us, size_t cap, struct rtcp_twcc_status *st,
                   uint32_t *ret_ref_time)
{
    bool any = false;
    int64_t ref = now_us / RTCP_TWCC_REF_US; // stands if none has arrived
    int64_t last_tick = 0;
    size_t delta_bytes = 0;
    int n = 0;
    for (uint64_t seq = t->next; seq <= t->highest && n < TWCC_RECV_REPORT_MAX; seq++, n++) {
        st[n] = (struct rtcp_twcc_status){.seq16 = (uint16_t)seq};
        int64_t arrival_us = *slot(t, seq);
        int64_t ticks = 0;
        if (arrival_us != NOT_ARRIVED) {
            int64_t tick = arrival_us / RTCP_TWCC_TICK_US;
            if (!any) {
                any = true;
                ref = tick / TICKS_PER_REF;
                last_tick = ref * TICKS_PER_REF;
            }
            ticks = tick - last_tick;
            if (ticks < INT16_MIN || ticks > INT16_MAX) {
                break; // the next message has a reference time of its own
            }
            last_tick = tick;
            delta_bytes += ticks >= 0 && ticks <= 255 ? 1 : 2;
            st[n].received = true;
            st[n].delta_us = (int32_t)ticks * RTCP_TWCC_TICK_US;
        }
        if (RTCP_TWCC_HEAD_LEN + 2 * ((size_t)n / 7 + 1) + delta_bytes > cap / 4 * 4) {
            break;
        }
    }
    *ret_ref_time = (uint32_t)ref & 0xffffff;
    return n;
}

int twcc_recv_poll(struct twcc_recv *t, int64_t now_us, uint32_t sender_ssrc, uint32_t media_ssrc,
                   uint8_t *buf, size_t cap)
{
    assert(cap >= TWCC_RECV_CAP_MIN);
    if (twcc_recv_next_deadline(t) > now_us) {
        return 0;
    }
    struct rtcp_twcc_status st[TWCC_RECV_REPORT_MAX] = {0};
    struct rtcp_twcc head = {
        .sender_ssrc = sender_ssrc,
        .media_ssrc = media_ssrc,
        .base_seq16 = (uint16_t)t->next,
        .fb_count = t->fb_count,
    };
    int n = collect(t, now_us, cap, st, &head.ref_time);
    assert(n > 0);
    int len = rtcp_twcc_write(buf, cap, &head, st, n);
    assert(len > 0);
    t->fb_count++;
    t->last_base = t->next;
    t->next += (uint64_t)n;
    t->last_sent_us = now_us;
    t->draining = t->next <= t->highest;
    if (!t->draining) {
        t->waiting = 0;
    }
    return len;
}
