/* SPDX-License-Identifier: Apache-2.0 */
/* table, ring, mailbox and tx: what the workers are built on. Their threads are tested in
 * stress/stress_ring.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sfu/mailbox.h"
#include "sfu/ring.h"
#include "sfu/table.h"
#include "sfu/tx.h"

Test(table, holds_what_was_put_after_any_removals)
{
    struct table t;
    table_init(&t);
    cr_expect_null(table_get(&t, 5));
    table_remove(&t, 5, NULL);
    static char live[5000];
    uint64_t random = 7;
    for (int step = 0; step < 200000; step++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        uint64_t key = 1 + (random >> 33) % (ARRAY_LEN(live) - 1);
        if (random & 1) {
            cr_assert_eq(table_put(&t, key, &live[key]), 0);
            live[key] = 1;
        } else {
            table_remove(&t, key, random & 2 ? &live[key] : NULL);
            live[key] = 0;
        }
    }
    uint32_t used = 0;
    for (uint64_t key = 1; key < ARRAY_LEN(live); key++) {
        cr_assert_eq(table_get(&t, key), live[key] ? &live[key] : NULL);
        used += (uint32_t)live[key];
    }
    cr_expect_eq(t.used, used);
    uint64_t some = 1;
    while (!live[some]) {
        some++;
    }
    table_remove(&t, some, &used);
    cr_expect_eq(table_get(&t, some), &live[some], "another's entry stays");
    table_fini(&t);
}

Test(ring, carries_records_of_every_size_in_order)
{
    struct ring *r = ring_new(1 << 14);
    cr_assert(r);
    uint32_t len, in = 0, out = 0;
    cr_expect_null(ring_peek(r, &len));
    for (int turn = 0; turn < 5000; turn++) {
        for (;;) {
            uint32_t want = 1 + (in * 37) % 4096;
            uint8_t *rec = ring_reserve(r, want);
            if (!rec) {
                break;
            }
            cr_assert_eq((uintptr_t)rec % 8, 0);
            memset(rec, (int)(in & 0xff), want);
            cr_assert_eq(ring_commit(r), in == out,
                         "a wake-up is due when the reader had seen all");
            in++;
        }
        for (int n = 0; n < 1 + turn % 5 && out < in; n++, out++) {
            const uint8_t *rec = ring_peek(r, &len);
            cr_assert(rec);
            cr_assert_eq(len, 1 + (out * 37) % 4096);
            cr_assert_eq(rec[0], (uint8_t)out);
            cr_assert_eq(rec[len - 1], (uint8_t)out);
            ring_pop(r);
        }
    }
    ring_free(r);
    ring_free(NULL);
}

Test(mailbox, is_bounded_ordered_and_refuses_when_closed)
{
    struct mailbox m;
    cr_assert_eq(mailbox_init(&m, sizeof(int), 3), 0);
    int v = 0;
    cr_expect_not(mailbox_take(&m, &v));
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(mailbox_post(&m, &(int){round * 10 + i}), 0);
        }
        cr_expect_eq(mailbox_post(&m, &(int){99}), -ENOBUFS);
        for (int i = 0; i < 3; i++) {
            cr_assert(mailbox_take(&m, &v));
            cr_expect_eq(v, round * 10 + i);
        }
    }
    cr_assert_eq(mailbox_post(&m, &(int){5}), 0);
    mailbox_close(&m);
    cr_expect_eq(mailbox_post(&m, &(int){6}), -ENOBUFS);
    cr_expect(mailbox_take(&m, &v) && v == 5, "what was posted before can still be taken");
    mailbox_fini(&m);
}

Test(tx, packets_join_runs_only_where_the_kernel_can_cut_them)
{
    struct tx_batch b;
    cr_assert_eq(tx_init(&b), 0);
    struct path to = {.remote = {.port = 1}};
    /* owner, length, gso -> number of runs after it */
    static const struct {
        uint64_t owner;
        size_t len;
        bool gso;
        int runs;
    } rows[] = {{1, 1000, true, 1}, {1, 1000, true, 1}, {1, 900, true, 1},   {1, 900, true, 2},
                {1, 1000, true, 3}, {2, 1000, true, 4}, {2, 1000, false, 5}, {2, 1000, true, 6},
                {2, 80, true, 6},   {2, 80, true, 7},   {3, 60, false, 8},   {3, 60, false, 9}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert(tx_reserve(&b));
        tx_commit(&b, rows[i].owner, &to, rows[i].len, rows[i].gso);
        cr_expect_eq(b.n, rows[i].runs, "row %u: %d runs", i, b.n);
    }
    cr_expect_eq(b.runs[0].len, 2900);
    cr_expect_eq(b.runs[0].seg_len, 1000);
    cr_expect_eq(b.runs[1].buf, b.runs[0].buf + 2900);
    tx_clear(&b);
    for (int i = 0; i < 65; i++) {
        cr_assert(tx_reserve(&b));
        tx_commit(&b, 1, &to, 100, true);
    }
    cr_expect_eq(b.n, 2, "64 segments a run");
    while (tx_reserve(&b)) {
        tx_commit(&b, 9, &to, TX_PACKET_MAX, false);
    }
    cr_expect_eq(b.n, UDP_TX_RUNS);
    tx_clear(&b);
    size_t total = 0;
    while (tx_reserve(&b)) {
        tx_commit(&b, 1, &to, TX_PACKET_MAX, true);
        total += TX_PACKET_MAX;
    }
    cr_expect_leq(total, TX_BYTES);
    tx_fini(&b);
}
