/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_twcc.h"
#include "rtp/twcc_recv.h"
#include "tests/rtcp_kit.h"

#define MS US_PER_MS

static struct twcc_recv t;
static uint8_t buf[1200];

/* What the publisher has been told. */
static struct rtcp_twcc head;
static struct rtcp_twcc_status st[TWCC_RECV_REPORT_MAX];

/* Polls; returns the number of statuses of the message, 0 if none. */
static int poll_at(int64_t now_us, size_t cap)
{
    uint8_t *exact = exact_copy(buf, cap);
    int len = twcc_recv_poll(&t, now_us, 1, 2, exact, cap);
    int n = 0;
    if (len > 0) {
        cr_assert(len % 4 == 0 && (size_t)len <= cap);
        struct rtcp_packet p = rtcp_kit_one(exact, (size_t)len);
        n = rtcp_twcc_read(&p, &head, st, TWCC_RECV_REPORT_MAX);
        cr_assert_gt(n, 0);
        cr_assert_eq(n, head.status_count);
        cr_assert_eq(head.sender_ssrc, 1);
        cr_assert_eq(head.media_ssrc, 2);
    }
    cr_assert_geq(len, 0);
    free(exact);
    return n;
}

Test(twcc_recv, writes_the_message_that_the_draft_draws)
{
    twcc_recv_init(&t);
    cr_assert_eq(twcc_recv_next_deadline(&t), INT64_MAX);
    cr_assert_eq(poll_at(1000 * MS, sizeof(buf)), 0);
    /* 1000.1 ms = reference 15 (960 ms) + 160 ticks; then 4 ms; one lost; 100 ms later; 1 ms
     * earlier */
    static const struct {
        uint16_t seq16;
        int64_t at_us;
    } in[] = {{65534, 1000100}, {65535, 1004100}, {1, 1104100}, {2, 1103100}};
    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        twcc_recv_on_packet(&t, in[i].seq16, in[i].at_us);
    }
    static const uint8_t want[] = "\x8f\xcd\x00\x06"
                                  "\x00\x00\x00\x01\x00\x00\x00\x02"
                                  "\xff\xfe\x00\x05\x00\x00\x0f\x00"
                                  "\xd4\xa0" // 1 1 0 2 2, two bits each
                                  "\xa0\x10\x01\x90\xff\xfc";
    cr_assert_eq(twcc_recv_poll(&t, 1105000, 1, 2, buf, sizeof(buf)), (int)sizeof(want) - 1);
    cr_assert_arr_eq(buf, want, sizeof(want) - 1);
    cr_assert_eq(poll_at(1105000, sizeof(buf)), 0);
}

Test(twcc_recv, sends_every_50_ms_and_earlier_when_many_wait)
{
    twcc_recv_init(&t);
    twcc_recv_on_packet(&t, 1, 1000 * MS);
    cr_assert_eq(twcc_recv_next_deadline(&t), 1005 * MS, "first: after the burst");
    cr_assert_eq(poll_at(1005 * MS - 1, sizeof(buf)), 0);
    twcc_recv_on_packet(&t, 2, 1002 * MS);
    cr_assert_eq(poll_at(1005 * MS, sizeof(buf)), 2);
    cr_assert_eq(twcc_recv_next_deadline(&t), INT64_MAX);
    twcc_recv_on_packet(&t, 3, 1006 * MS);
    cr_assert_eq(twcc_recv_next_deadline(&t), 1055 * MS);
    cr_assert_eq(poll_at(1055 * MS, sizeof(buf)), 1);
    cr_assert_eq(head.base_seq16, 3);
    cr_assert_eq(head.fb_count, 1);
    for (uint16_t i = 0; i < 99; i++) {
        twcc_recv_on_packet(&t, (uint16_t)(4 + i), 1060 * MS);
    }
    cr_assert_eq(poll_at(1060 * MS, sizeof(buf)), 0, "99 wait");
    twcc_recv_on_packet(&t, 103, 1060 * MS);
    cr_assert_eq(poll_at(1060 * MS, sizeof(buf)), 100);
    /* Over the wrap of the message count. */
    for (int i = 0; i < 300; i++) {
        int64_t now_us = (2000 + 100 * i) * MS;
        twcc_recv_on_packet(&t, (uint16_t)(104 + i), now_us);
        cr_assert_eq(poll_at(now_us + 5 * MS, sizeof(buf)), 1);
        cr_assert_eq(head.fb_count, (3 + i) % 256);
    }
}

Test(twcc_recv, reports_late_packets_until_the_base_is_past_them)
{
    twcc_recv_init(&t);
    twcc_recv_on_packet(&t, 10, 0);
    twcc_recv_on_packet(&t, 8, 0); // before the first, but nothing is told yet
    twcc_recv_on_packet(&t, 14, 0);
    cr_assert_eq(poll_at(5 * MS, sizeof(buf)), 7);
    cr_assert_eq(head.base_seq16, 8);
    cr_assert(st[0].received && !st[1].received && st[2].received && !st[5].received);
    twcc_recv_on_packet(&t, 13, 20 * MS); // told as lost
    twcc_recv_on_packet(&t, 7, 20 * MS);  // before the base
    twcc_recv_on_packet(&t, 14, 20 * MS); // duplicate: its first arrival stands
    cr_assert_eq(t.ignored, 2);
    cr_assert_eq(poll_at(55 * MS, sizeof(buf)), 2);
    cr_assert_eq(head.base_seq16, 13);
    cr_assert(st[0].received && st[1].received);
    cr_assert_eq(st[0].delta_us, 20 * MS);
    cr_assert_eq(st[1].delta_us, -20 * MS);
    twcc_recv_on_packet(&t, 12, 60 * MS);
    cr_assert_eq(t.ignored, 3, "the base has moved on");
    cr_assert_eq(twcc_recv_next_deadline(&t), INT64_MAX);
}

Test(twcc_recv, splits_what_one_message_cannot_hold)
{
    static const struct {
        const char *what;
        uint16_t second; // its number; the first is 0
        int64_t gap_us;  // between the two
        size_t cap;
        int sizes[6]; // statuses of each message
    } rows[] = {
        {"adjacent", 1, 0, 1200, {2}},
        {"wide gap", 1500, 0, 1200, {512, 512, 477}},
        {"window's width", 2047, 0, 1200, {512, 512, 512, 512}},
        {"8.19 s apart", 1, 8191 * MS, 1200, {2}},
        {"8.2 s apart", 1, 8260 * MS, 1200, {1, 1}},
        {"9 s apart behind a loss", 2, 9000 * MS, 1200, {2, 1}},
        {"hours apart", 1, 100000 * (int64_t)US_PER_S, 1200, {1, 1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        twcc_recv_init(&t);
        twcc_recv_on_packet(&t, 0, 64 * MS);
        twcc_recv_on_packet(&t, rows[i].second, 64 * MS + rows[i].gap_us);
        int64_t now_us = 100 * MS + rows[i].gap_us;
        int k = 0;
        unsigned received = 0;
        int n;
        while ((n = poll_at(now_us, rows[i].cap)) > 0) {
            cr_assert_lt(k, 6);
            cr_assert_eq(n, rows[i].sizes[k], "%s, message %d: %d", rows[i].what, k, n);
            for (int s = 0; s < n; s++) {
                received += st[s].received;
            }
            k++;
        }
        cr_assert_eq(rows[i].sizes[k], 0, "%s", rows[i].what);
        cr_assert_eq(received, 2, "%s", rows[i].what);
        cr_assert_eq(twcc_recv_next_deadline(&t), INT64_MAX);
    }
}

Test(twcc_recv, believes_a_jump_when_two_say_it)
{
    static const struct {
        uint16_t from, to;
    } rows[] = {{100, 2148}, {100, 20000}, {30000, 100}, {30000, 27952}, {0, 0x8000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        twcc_recv_init(&t);
        twcc_recv_on_packet(&t, rows[i].from, 0);
        cr_assert_eq(poll_at(5 * MS, sizeof(buf)), 1);
        twcc_recv_on_packet(&t, rows[i].to, 10 * MS);
        cr_assert_eq(twcc_recv_next_deadline(&t), INT64_MAX, "row %zu", i);
        twcc_recv_on_packet(&t, (uint16_t)(rows[i].from + 1), 20 * MS);
        cr_assert_eq(poll_at(60 * MS, sizeof(buf)), 1, "row %zu: goes on as before", i);
        twcc_recv_on_packet(&t, (uint16_t)(rows[i].to + 1), 70 * MS);
        twcc_recv_on_packet(&t, (uint16_t)(rows[i].to + 2), 71 * MS);
        cr_assert_eq(poll_at(200 * MS, sizeof(buf)), 2, "row %zu", i);
        cr_assert_eq(head.base_seq16, (uint16_t)(rows[i].to + 1), "row %zu", i);
    }
}

Test(twcc_recv, unpolled_window_slides)
{
    twcc_recv_init(&t);
    for (unsigned i = 0; i < 10000; i++) {
        twcc_recv_on_packet(&t, (uint16_t)i, i * 100);
    }
    int total = 0;
    uint16_t first = 0;
    int n;
    while ((n = poll_at(1100 * MS, sizeof(buf))) > 0) {
        first = total ? first : head.base_seq16;
        total += n;
    }
    cr_assert_eq(total, TWCC_RECV_WINDOW);
    cr_assert_eq(first, 10000 - TWCC_RECV_WINDOW);
}

/* The arrivals a publisher can put together from all messages must be those that happened. */
struct truth {
    int64_t arrived_us; // -1: never
    int64_t told_us;    // -1: not told, or told lost
    bool ignored;
};

static void check_message(struct truth *truth, int n, uint64_t sent_top)
{
    int64_t at_us = (int64_t)head.ref_time * RTCP_TWCC_REF_US;
    for (int i = 0; i < n; i++) {
        /* the number nearest to the newest sent one */
        uint64_t seq = sent_top - (uint16_t)((uint16_t)sent_top - st[i].seq16);
        at_us += st[i].delta_us;
        if (st[i].received) {
            cr_assert_eq(truth[seq].arrived_us / 250 * 250, at_us, "packet %lu",
                         (unsigned long)seq);
            truth[seq].told_us = at_us;
        } else {
            cr_assert_eq(truth[seq].told_us, -1, "%lu was received, now lost", (unsigned long)seq);
        }
    }
}

Test(twcc_recv, random_arrivals_are_told_exactly)
{
    enum { PACKETS = 4000 };
    static struct truth truth[PACKETS + 0x10000];
    for (uint64_t round = 1; round <= 60; round++) {
        uint64_t seed = round * 0x9e3779b97f4a7c15;
        uint32_t loss = exact_random(&seed, 60);
        uint32_t late = exact_random(&seed, 20);
        uint32_t spacing = 1 + exact_random(&seed, round % 10 == 0 ? 400000 : 4000);
        size_t cap = 64 + 4 * exact_random(&seed, 285);
        uint64_t base = 1 + exact_random(&seed, 65535);
        memset(truth, 0xff, sizeof(truth)); // all times -1
        twcc_recv_init(&t);
        int64_t now_us = 1 + exact_random(&seed, 1000000);
        uint64_t held = 0; // a packet under way, overtaken
        bool begun = false;
        for (uint64_t seq = base; seq < base + PACKETS; seq++) {
            now_us += exact_random(&seed, spacing);
            uint64_t arriving[2] = {0, 0};
            if (exact_random(&seed, 100) >= loss) {
                if (!held && exact_random(&seed, 100) < late) {
                    held = seq;
                } else {
                    arriving[0] = seq;
                }
            }
            if (held && seq > held && exact_random(&seed, 8) == 0) {
                arriving[1] = held;
                held = 0;
            }
            for (int i = 0; i < 2; i++) {
                if (arriving[i]) {
                    uint64_t before = t.ignored;
                    twcc_recv_on_packet(&t, (uint16_t)arriving[i], now_us);
                    truth[arriving[i]].ignored = t.ignored > before;
                    truth[arriving[i]].arrived_us = now_us;
                    begun = true;
                }
            }
            cr_assert(!begun || twcc_recv_next_deadline(&t) == INT64_MAX ||
                      twcc_recv_next_deadline(&t) <= now_us + 55 * MS);
            int n;
            while ((n = poll_at(now_us, cap)) > 0) {
                check_message(truth, n, seq);
            }
        }
        int n;
        while ((n = poll_at(now_us + 60 * MS, cap)) > 0) {
            check_message(truth, n, base + PACKETS - 1);
        }
        for (uint64_t seq = base; seq < base + PACKETS; seq++) {
            bool want = truth[seq].arrived_us >= 0 && !truth[seq].ignored;
            cr_assert_eq(truth[seq].told_us >= 0, want, "round %lu packet %lu",
                         (unsigned long)round, (unsigned long)(seq - base));
        }
    }
}
