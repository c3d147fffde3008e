/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/nack.h"
#include "tests/exact.h"
#include <criterion/criterion.h>
#include <errno.h>

#define MS US_PER_MS

static struct nack n;

static int poll_at(int64_t now_us, int64_t rtt_us, uint16_t *out)
{
    return nack_poll(&n, now_us, rtt_us, out, NACK_MAX);
}

Test(nack, finds_gaps)
{
    static const struct {
        const char *what;
        int count;
        uint64_t seqs[6];
        int want[6];
        int outstanding;
    } rows[] = {
        {"in order", 3, {100, 101, 102}, {0, 0, 0}, 0},
        {"a gap", 2, {100, 104}, {0, 3}, 3},
        {"filled late", 3, {100, 102, 101}, {0, 1, 0}, 0},
        {"duplicate", 4, {100, 102, 102, 100}, {0, 1, 0, 0}, 1},
        {"before the first", 2, {100, 99}, {0, 0}, 0},
        {"150 at once", 2, {100, 251}, {0, 150}, 150},
        {"151 at once", 3, {100, 252, 253}, {0, -ERANGE, 0}, 0},
        {"151 at once forget the others", 3, {100, 102, 254}, {0, 1, -ERANGE}, 0},
        {"after a reset, late ones are ignored", 3, {100, 252, 200}, {0, -ERANGE, 0}, 0},
        {"over 16 bits", 3, {0x1ffff, 0x20001, 0x20000}, {0, 1, 0}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nack_init(&n);
        for (int k = 0; k < rows[i].count; k++) {
            cr_assert_eq(nack_on_seq(&n, rows[i].seqs[k], k), rows[i].want[k], "%s, %d",
                         rows[i].what, k);
        }
        cr_assert_eq(n.n, rows[i].outstanding, "%s", rows[i].what);
        cr_assert_eq(nack_next_deadline(&n) == INT64_MAX, n.n == 0, "%s", rows[i].what);
    }
}

Test(nack, never_holds_more_than_its_memory)
{
    nack_init(&n);
    uint64_t seq = 0x10000;
    cr_assert_eq(nack_on_seq(&n, seq, 0), 0);
    int held = 0;
    while (held + 150 <= NACK_MAX) {
        seq += 151;
        cr_assert_eq(nack_on_seq(&n, seq, 0), 150);
        held += 150;
    }
    cr_assert_eq(nack_on_seq(&n, seq + 1 + NACK_MAX - held, 0), NACK_MAX - held);
    seq += 1 + NACK_MAX - held;
    cr_assert_eq(n.n, NACK_MAX);
    cr_assert_eq(nack_on_seq(&n, seq + 1, 0), 0, "no gap, no need for room");
    cr_assert_eq(nack_on_seq(&n, seq + 3, 0), -ERANGE);
    cr_assert_eq(n.n, 0);
    cr_assert_eq(n.abandoned, NACK_MAX + 1);
}

Test(nack, asks_after_the_reorder_wait_then_once_a_round_trip)
{
    static const struct {
        int64_t rtt_us, retry_us;
    } rows[] = {{60 * MS, 60 * MS}, {3 * MS, 20 * MS}, {0, 100 * MS}, {-1, 100 * MS}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint16_t out[NACK_MAX];
        nack_init(&n);
        cr_assert_eq(nack_on_seq(&n, 0x1fffe, 0), 0);
        cr_assert_eq(nack_on_seq(&n, 0x20001, 1000), 2);
        int64_t due_us = 11 * MS;
        for (int try = 0; try < NACK_TRIES; try++) {
            cr_assert_eq(nack_next_deadline(&n), due_us, "row %zu try %d", i, try);
            cr_assert_eq(poll_at(due_us - 1, rows[i].rtt_us, out), 0);
            cr_assert_eq(poll_at(due_us, rows[i].rtt_us, out), 2);
            cr_assert_eq(out[0], 0xffff);
            cr_assert_eq(out[1], 0);
            cr_assert_eq(poll_at(due_us, rows[i].rtt_us, out), 0);
            due_us += rows[i].retry_us;
        }
        cr_assert_eq(n.n, 2);
        cr_assert_eq(poll_at(due_us, rows[i].rtt_us, out), 0, "ten tries and no more");
        cr_assert_eq(n.n, 0);
        cr_assert_eq(n.abandoned, 2);
        cr_assert_eq(nack_next_deadline(&n), INT64_MAX);
    }
}

Test(nack, hands_out_no_more_than_asked)
{
    uint16_t out[4];
    nack_init(&n);
    cr_assert_eq(nack_on_seq(&n, 100, 0), 0);
    cr_assert_eq(nack_on_seq(&n, 110, 0), 9);
    int total = 0;
    uint16_t next = 101;
    for (int got = 4; got == 4; total += got) {
        got = nack_poll(&n, 10 * MS, 50 * MS, out, 4);
        for (int i = 0; i < got; i++) {
            cr_assert_eq(out[i], next++);
        }
    }
    cr_assert_eq(total, 9);
}

Test(nack, key_frame_ends_the_past)
{
    static const struct {
        uint64_t first;
        int left;
    } rows[] = {{99, 9}, {101, 8}, {105, 4}, {109, 0}, {200, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint16_t out[NACK_MAX];
        nack_init(&n);
        nack_on_keyframe(&n, 5); // harmless when nothing is known
        cr_assert_eq(nack_on_seq(&n, 100, 0), 0);
        cr_assert_eq(nack_on_seq(&n, 110, 0), 9); // 101..109 missing
        nack_on_keyframe(&n, rows[i].first);
        cr_assert_eq(poll_at(MS * 10, 0, out), rows[i].left, "row %zu", i);
        if (rows[i].left) {
            cr_assert_eq(out[0], 110 - rows[i].left);
            cr_assert_eq(out[rows[i].left - 1], 109);
        }
        cr_assert_eq(n.abandoned, 9u - (unsigned)rows[i].left);
    }
}

Test(nack, waits_longer_where_packets_come_late_by_themselves)
{
    uint16_t out[NACK_MAX];
    static const struct {
        const char *what;
        int64_t late_us;
        bool asked; // before it came
        int64_t want_wait_us;
    } rows[] = {
        {"2 ms late", 2 * MS, false, 10 * MS},
        {"9 ms late", 9 * MS, false, 18 * MS},
        {"12 ms late, asked for at 10", 12 * MS, true, 24 * MS},
        {"answered after a round trip", 130 * MS, true, 10 * MS},
        {"bounded", 900 * MS, false, 100 * MS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nack_init(&n);
        cr_assert_eq(nack_on_seq(&n, 100, 0), 0);
        cr_assert_eq(nack_on_seq(&n, 102, 0), 1);
        if (rows[i].asked) {
            cr_assert_eq(poll_at(10 * MS, 100 * MS, out), 1);
        }
        cr_assert_eq(nack_on_seq(&n, 101, rows[i].late_us), 0);
        cr_assert_eq(n.recovered, rows[i].late_us > 100 * MS && rows[i].asked);
        cr_assert_eq(nack_on_seq(&n, 104, 2000 * MS), 1);
        int64_t wait_us = nack_next_deadline(&n) - 2000 * MS;
        cr_assert(wait_us <= rows[i].want_wait_us && wait_us > rows[i].want_wait_us * 99 / 100,
                  "%s: %ld", rows[i].what, (long)wait_us);
    }
    /* It is forgotten again. */
    for (uint64_t seq = 105; seq < 10105; seq++) {
        cr_assert_eq(nack_on_seq(&n, seq, 3000 * MS), 0);
    }
    cr_assert_eq(nack_on_seq(&n, 10106, 4000 * MS), 1);
    n.items[0] = n.items[n.n - 1];
    n.n = 1;
    cr_assert_eq(nack_next_deadline(&n), 4010 * MS);
}

Test(nack, recovers_every_packet_of_a_lossy_path)
{
    /* 30 % loss both ways, 40 ms round trip, retransmissions included: what is asked for and sent
     * again must come to nothing missing, with no request for a packet that is there. */
    uint64_t seed = 777;
    static bool have[20000];
    static int64_t resend_at[20000];
    static unsigned asked[20000];
    nack_init(&n);
    uint64_t base = 0x10000;
    have[0] = true;
    cr_assert_eq(nack_on_seq(&n, base, 0), 0);
    int sent = 1;
    unsigned given_up = 0;
    for (int64_t now_us = 0; sent < 10000 || n.n > 0; now_us += MS) {
        if (sent < 10000) {
            if (exact_random(&seed, 10) >= 3) {
                have[sent] = true;
                cr_assert_geq(nack_on_seq(&n, base + (uint64_t)sent, now_us), 0);
            }
            sent++;
        }
        for (int i = MAX(0, sent - 3000); i < sent; i++) {
            if (resend_at[i] && resend_at[i] <= now_us) {
                resend_at[i] = 0;
                have[i] = true;
                cr_assert_eq(nack_on_seq(&n, base + (uint64_t)i, now_us), 0);
            }
        }
        uint16_t out[NACK_MAX];
        int want = poll_at(now_us, 40 * MS, out);
        for (int k = 0; k < want; k++) {
            int i = (uint16_t)(out[k] - (uint16_t)base);
            cr_assert(!have[i], "%d is there", i);
            asked[i]++;
            if (exact_random(&seed, 10) >= 3) {
                resend_at[i] = exact_random(&seed, 10) >= 3 ? now_us + 40 * MS : 0;
            }
        }
        cr_assert(now_us < 20 * US_PER_S, "it ends");
    }
    for (int i = 0; i < (int)(n.highest - base); i++) {
        cr_assert_leq(asked[i], NACK_TRIES);
        given_up += !have[i];
    }
    cr_assert_eq(given_up, n.abandoned);
    cr_assert_lt(given_up, 15, "%u: 0.51^10 of 3000 is 4", given_up);
}
