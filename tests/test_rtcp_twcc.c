/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_twcc.h"
#include "tests/rtcp_kit.h"
#include <errno.h>

/* Made by hand from the draft: base 65534, 24 packets, reference time 0x010203, feedback 9.
 * Chunks: run of 3 lost; one-bit vector 1000 0000 0000 01; two-bit vector 1 2 0 2 1 0 0.
 * Deltas: 0x04 0xff | 0x01, -4 (0xfffc), 0x0100, 0x00. */
static const uint8_t vector[] = "\x8f\xcd\x00\x08"
                                "\x00\x00\x00\x01\x00\x00\x00\x02"
                                "\xff\xfe\x00\x18\x01\x02\x03\x09"
                                "\x00\x03\xa0\x01\xd8\x90"
                                "\x04\xff\x01\xff\xfc\x01\x00\x00"
                                "\x00\x00";

Test(rtcp_twcc, reads_a_hand_made_message)
{
    static const struct {
        int index, delta_us;
    } received[] = {{3, 1000}, {16, 63750}, {17, 250}, {18, -1000}, {20, 64000}, {21, 0}};
    struct rtcp_packet p = rtcp_kit_one(vector, sizeof(vector) - 1);
    struct rtcp_twcc head;
    struct rtcp_twcc_status st[30];
    cr_assert_eq(rtcp_twcc_read(&p, &head, st, 30), 24);
    cr_assert_eq(head.sender_ssrc, 1);
    cr_assert_eq(head.media_ssrc, 2);
    cr_assert_eq(head.base_seq16, 65534);
    cr_assert_eq(head.status_count, 24);
    cr_assert_eq(head.ref_time, 0x010203);
    cr_assert_eq(head.fb_count, 9);
    size_t r = 0;
    for (int i = 0; i < 24; i++) {
        cr_assert_eq(st[i].seq16, (uint16_t)(65534 + i));
        bool want = r < ARRAY_LEN(received) && received[r].index == i;
        cr_assert_eq(st[i].received, want, "%d", i);
        cr_assert_eq(st[i].delta_us, want ? received[r].delta_us : 0, "%d", i);
        r += want;
    }
    cr_assert_eq(r, ARRAY_LEN(received));
    /* Fewer wanted: the first ones, with their deltas, which follow all chunks. */
    struct rtcp_twcc_status few[4];
    cr_assert_eq(rtcp_twcc_read(&p, &head, few, 4), 4);
    cr_assert_eq(few[3].delta_us, 1000);
    cr_assert_eq(rtcp_twcc_read(&p, &head, few, 0), 0);
}

Test(rtcp_twcc, judges_messages)
{
    static const struct {
        const char *what;
        const char *tail; // from the status count on
        size_t len;
        int want;
    } rows[] = {
        {"about nothing",
         "\x00\x00"
         "REF\x00"
         "\x00\x00",
         8, -EBADMSG},
        {"one, no chunk",
         "\x00\x01"
         "REF\x00",
         6, -EBADMSG},
        {"one lost",
         "\x00\x01"
         "REF\x00"
         "\x00\x01",
         8, 1},
        {"one, delta missing",
         "\x00\x01"
         "REF\x00"
         "\x20\x01",
         8, -EBADMSG},
        {"one, large delta cut",
         "\x00\x01"
         "REF\x00"
         "\x40\x01\x00",
         9, -EBADMSG},
        {"one, large delta",
         "\x00\x01"
         "REF\x00"
         "\x40\x01\x00\x01",
         10, 1},
        {"reserved symbol in a run",
         "\x00\x01"
         "REF\x00"
         "\x60\x01\x00\x00",
         10, -EBADMSG},
        {"reserved symbol in a vector",
         "\x00\x02"
         "REF\x00"
         "\xcc\x00\x00\x00",
         10, -EBADMSG},
        {"reserved symbol beyond the count",
         "\x00\x01"
         "REF\x00"
         "\xcc\x00",
         8, 1},
        {"empty runs",
         "\x00\x01"
         "REF\x00"
         "\x00\x00\x00\x00\x00\x01",
         12, 1},
        {"empty runs only",
         "\x00\x01"
         "REF\x00"
         "\x00\x00\x00\x00",
         10, -EBADMSG},
        {"run longer than the count",
         "\x00\x02"
         "REF\x00"
         "\x1f\xff",
         8, 2},
        {"65535 in 8 runs",
         "\xff\xff"
         "REF\x00"
         "\x1f\xff\x1f\xff\x1f\xff\x1f\xff\x1f\xff\x1f\xff\x1f\xff"
         "\x1f\xff\x00\x07",
         24, 100},
        {"65535 in one run too few",
         "\xff\xff"
         "REF\x00"
         "\x1f\xff",
         8, -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t body[64] = "SNDRMEDI\x01\x02";
        memcpy(body + 10, rows[i].tail, rows[i].len);
        uint8_t *copy = exact_copy(body, 10 + rows[i].len);
        struct rtcp_packet p = {.type = RTCP_RTPFB,
                                .count = RTCP_RTPFB_TWCC,
                                .body = copy,
                                .body_len = (uint16_t)(10 + rows[i].len)};
        struct rtcp_twcc head = {.base_seq16 = 7};
        struct rtcp_twcc_status st[100];
        int r = rtcp_twcc_read(&p, &head, st, 100);
        cr_assert_eq(r, rows[i].want, "%s: %d", rows[i].what, r);
        cr_assert_eq(head.base_seq16, r < 0 ? 7 : 0x0102, "%s", rows[i].what);
        p.count = RTCP_RTPFB_NACK;
        cr_assert_eq(rtcp_twcc_read(&p, &head, st, 100), -EPROTONOSUPPORT);
        free(copy);
    }
}

Test(rtcp_twcc, never_reads_past_a_prefix)
{
    struct rtcp_packet p = rtcp_kit_one(vector, sizeof(vector) - 1);
    for (size_t cut = 0; cut <= p.body_len; cut++) {
        struct rtcp_packet c = rtcp_kit_cut(&p, cut);
        struct rtcp_twcc head;
        struct rtcp_twcc_status st[24];
        cr_assert_eq(rtcp_twcc_read(&c, &head, st, 24), cut < 30 ? -EBADMSG : 24, "%zu", cut);
        free((void *)c.body);
    }
}

Test(rtcp_twcc, chooses_chunks)
{
    static const struct {
        const char *what;
        const char *symbols; // 0 lost, 1 small, 2 large
        int n_chunks;
        uint16_t chunks[4];
    } rows[] = {
        {"one", "1", 1, {0x2001}},
        {"all the same", "00000", 1, {0x0005}},
        {"mixed, short", "0110", 1, {0x9800}},
        {"14 mixed", "10101010101010", 1, {0xaaaa}},
        {"15 mixed", "101010101010101", 2, {0xaaaa, 0x2001}},
        {"run of 13 then mixed: a vector is as good", "11111111111110", 1, {0xbffe}},
        {"run of 14", "111111111111110", 2, {0x200e, 0x0001}},
        {"a large one", "1211", 1, {0xd940}},
        {"run of 7 before a large one", "00000002", 2, {0x0007, 0x4001}},
        {"a large one behind the first seven", "0101010002", 2, {0xc444, 0xc200}},
        {"run of large", "222222222", 1, {0x4009}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int n = (int)strlen(rows[i].symbols);
        struct rtcp_twcc_status st[32] = {0};
        for (int s = 0; s < n; s++) {
            st[s].received = rows[i].symbols[s] != '0';
            st[s].delta_us = rows[i].symbols[s] == '2' ? -250 : 0;
        }
        uint8_t out[128];
        struct rtcp_twcc head = {.base_seq16 = 1};
        int len = rtcp_twcc_write(out, sizeof(out), &head, st, n);
        cr_assert_gt(len, 0);
        for (int c = 0; c < rows[i].n_chunks; c++) {
            uint16_t got = bytes_load16(out + 20 + 2 * c);
            cr_assert_eq(got, rows[i].chunks[c], "%s: chunk %d is %04x", rows[i].what, c, got);
        }
        for (size_t cap = 0; cap < (size_t)len; cap++) {
            uint8_t *small = exact_copy(out, cap);
            cr_assert_eq(rtcp_twcc_write(small, cap, &head, st, n), -ENOSPC);
            free(small);
        }
    }
}

Test(rtcp_twcc, round_trip_of_random_statuses)
{
    uint64_t seed = 1701;
    static struct rtcp_twcc_status st[20000];
    static struct rtcp_twcc_status got[20000];
    static uint8_t out[RTCP_TWCC_LEN_MAX(20000)];
    for (int round = 0; round < 3000; round++) {
        int n = 1 + (int)exact_random(&seed, round % 100 == 0 ? 20000 : 100);
        uint32_t lost = exact_random(&seed, 101);
        uint32_t large = exact_random(&seed, 3) ? exact_random(&seed, 5) : exact_random(&seed, 101);
        uint32_t change = 1 + exact_random(&seed, 20); // how long a state lasts
        struct rtcp_twcc_status now = {0};
        struct rtcp_twcc head = {.sender_ssrc = exact_random(&seed, UINT32_MAX),
                                 .media_ssrc = exact_random(&seed, UINT32_MAX),
                                 .base_seq16 = (uint16_t)exact_random(&seed, 65536),
                                 .ref_time = exact_random(&seed, 1 << 24),
                                 .fb_count = (uint8_t)exact_random(&seed, 256)};
        for (int i = 0; i < n; i++) {
            if (exact_random(&seed, change) == 0) {
                now.received = exact_random(&seed, 100) >= lost;
                int32_t ticks = exact_random(&seed, 100) < large
                                    ? (int32_t)exact_random(&seed, 65536) - 32768
                                    : (int32_t)exact_random(&seed, 256);
                now.delta_us = now.received ? ticks * 250 : 0;
            }
            st[i] = now;
        }
        int len = rtcp_twcc_write(out, RTCP_TWCC_LEN_MAX(n), &head, st, n);
        cr_assert(len > 0 && len % 4 == 0, "round %d: %d", round, len);
        /* Larger than a walk would take, so described by hand. */
        struct rtcp_packet p = {
            .type = out[1], .count = out[0] & 31, .body = out + 4, .body_len = (uint16_t)(len - 4)};
        cr_assert_eq(4 * (bytes_load16(out + 2) + 1), len);
        struct rtcp_twcc h;
        cr_assert_eq(rtcp_twcc_read(&p, &h, got, 20000), n, "round %d", round);
        cr_assert_eq(h.base_seq16, head.base_seq16);
        cr_assert_eq(h.status_count, n);
        cr_assert_eq(h.ref_time, head.ref_time);
        cr_assert_eq(h.fb_count, head.fb_count);
        for (int i = 0; i < n; i++) {
            cr_assert(got[i].received == st[i].received && got[i].delta_us == st[i].delta_us,
                      "round %d, %d of %d", round, i, n);
        }
    }
}
