/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "rtp/history.h"

static int put(struct history *h, uint64_t seq, uint16_t dt_mask, uint8_t flags, size_t len,
               int64_t at)
{
    uint8_t payload[HISTORY_PACKET_MAX + 1];
    memset(payload, (int)(seq & 0xff), sizeof(payload));
    struct pkt_desc d = {.dt_mask = dt_mask, .flags = flags};
    struct hist_in in = {.seq = seq,
                         .ts = (uint32_t)seq,
                         .arrival_us = at,
                         .desc = &d,
                         .payload = payload,
                         .payload_len = len};
    return history_put(h, &in);
}

static struct history make(uint32_t bytes)
{
    struct history h;
    cr_assert_eq(history_init(&h, 1024, bytes), 0);
    return h;
}

Test(history, ranks_skip_padding_and_keep_numbers_for_what_is_late)
{
    struct history h = make(1 << 16);
    /* 10 media, 11 padding, 12 lost for now, 13 media of every target, 14 media of target 0 only */
    cr_assert_eq(put(&h, 10, 0xfff, 0, 5, 0), 0);
    cr_assert_eq(put(&h, 11, 0, 0, 0, 0), 0);
    cr_assert_eq(put(&h, 13, 0xfff, 0, 5, 0), 0);
    cr_assert_eq(put(&h, 14, 0x001, 0, 5, 0), 0);
    cr_assert_eq(put(&h, 15, 0xfff, 0, 5, 0), 0);
    static const struct {
        uint64_t arrival, seq;
        uint16_t rank0, rank1;
    } rows[] = {{0, 10, 0, 0}, {1, 11, 1, 1}, {2, 13, 2, 2}, {3, 14, 3, 3}, {4, 15, 4, 3}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        const struct hist_slot *s = history_arrived(&h, rows[i].arrival);
        cr_assert(s);
        cr_expect_eq(s->seq, rows[i].seq);
        cr_expect_eq(s->rank[0], rows[i].rank0, "row %u", i);
        cr_expect_eq(s->rank[1], rows[i].rank1, "row %u", i);
    }
    cr_expect_null(history_find(&h, 0, 1), "12 has not come");
    cr_assert_eq(put(&h, 12, 0xfff, 0, 5, 0), 0);
    cr_expect_eq(history_find(&h, 0, 1)->seq, 12);
    cr_expect_eq(history_arrived(&h, 5)->seq, 12, "it arrived last");
    cr_expect_eq(history_find(&h, 1, 3)->seq, 15, "14 is not in target 1");
    cr_expect_null(history_find(&h, 0, 5));
    cr_expect_null(history_find(&h, 0, 0xffff));
    cr_expect_eq(put(&h, 12, 0xfff, 0, 5, 0), -EALREADY);
    cr_expect_eq(put(&h, 9, 0xfff, 0, 5, 0), -EALREADY, "before the beginning");
    cr_expect_eq(put(&h, 16, 0xfff, 0, HISTORY_PACKET_MAX + 1, 0), -EMSGSIZE);
    history_fini(&h);
}

Test(history, every_stored_packet_is_found_by_rank_across_wraps)
{
    struct history h = make(1 << 20);
    uint64_t seq = 0xfff0;
    for (unsigned n = 0; n < 140000; n++, seq++) {
        if (n % 7 == 3) {
            continue; /* lost */
        }
        cr_assert_eq(put(&h, seq, n % 5 ? 0xfff : 0x1, 0, 3, n), 0);
        if (n % 997 == 0 && n > 1000) {
            for (uint64_t back = 0; back < 900; back++) {
                const struct hist_slot *s = history_arrived(&h, h.arrivals - 1 - back);
                if (!s) {
                    cr_assert_geq(back, 800, "only what the slots no longer reach");
                    continue;
                }
                const struct hist_slot *f = history_find(&h, 0, s->rank[0]);
                if (seq - s->seq < 1000) {
                    cr_assert_eq(f, s, "n %u back %lu", n, back);
                }
            }
        }
    }
    history_fini(&h);
}

Test(history, bytes_are_whole_or_gone)
{
    struct history h = make(1 << 13);
    for (uint64_t seq = 1; seq < 3000; seq++) {
        size_t len = 1 + (seq * 37) % 1400;
        cr_assert_eq(put(&h, seq, 1, 0, len, 0), 0);
        for (uint64_t n = h.arrivals > 20 ? h.arrivals - 20 : 0; n < h.arrivals; n++) {
            const struct hist_slot *s = history_arrived(&h, n);
            const uint8_t *b = history_bytes(&h, s);
            for (unsigned i = 0; b && i < s->payload_len; i++) {
                cr_assert_eq(b[i], (uint8_t)s->seq);
            }
        }
        cr_assert(history_bytes(&h, history_arrived(&h, h.arrivals - 1)));
    }
    uint32_t before = h.n_bytes;
    cr_assert_eq(history_fit(&h, 1000000, 2000000, 1 << 20, 2048), 0);
    cr_expect_eq(h.n_bytes, 2 * before, "it holds too little");
    const struct hist_slot *s = history_arrived(&h, h.arrivals - 1);
    cr_expect_eq(history_bytes(&h, s)[0], (uint8_t)s->seq, "growing keeps what is there");
    cr_assert_eq(history_fit(&h, 1000000, 2000000, 1 << 13, 2048), 0);
    cr_expect_eq(h.n_bytes, 2 * before, "not above its bound");
    history_fini(&h);
}

/* The oldest packet may be the one key frame there is: room is made before it is overwritten. */
Test(history, room_is_made_in_time)
{
    struct history h = make(1 << 14), other = make(1 << 14);
    uint64_t seq = 1;
    for (int64_t now = 0; now < 30 * US_PER_S; now += US_PER_S) {
        for (int i = 0; i < 10; i++, seq++) {
            cr_assert_eq(put(&h, seq, 1, 0, 100, now), 0);
        }
        cr_assert_eq(history_fit(&h, now + US_PER_S, 60 * US_PER_S, 1 << 20, 8192), 0);
        const struct hist_slot *first = history_arrived(&h, 0);
        cr_assert(first && history_bytes(&h, first), "after %d s", (int)(now / US_PER_S));
    }
    cr_expect_eq(h.n_bytes, 1 << 16, "no more than is called for");
    cr_expect_eq(h.n_slots, 1024);
    cr_assert_eq(history_match(&other, 2048, h.n_bytes), 0);
    cr_expect_eq(other.n_slots, 2048);
    cr_expect_eq(other.n_bytes, h.n_bytes);
    cr_assert_eq(history_match(&other, 1024, 1 << 14), 0);
    cr_expect_eq(other.n_bytes, h.n_bytes, "never smaller");
    history_fini(&h);
    history_fini(&other);
}

Test(history, a_jump_starts_anew_and_viewers_can_tell)
{
    struct history h = make(1 << 16);
    cr_assert_eq(put(&h, 100, 1, DESC_ENTRY, 5, 0), 0);
    cr_expect_eq(h.entry_arrival, 1);
    uint64_t resets = h.resets;
    cr_assert_eq(put(&h, 100 + HISTORY_GAP_MAX, 1, 0, 5, 0), 0);
    cr_expect_eq(h.resets, resets, "as large a gap as may be");
    cr_assert_eq(put(&h, 101 + 2 * HISTORY_GAP_MAX, 1, 0, 5, 0), 0);
    cr_expect_eq(h.resets, resets + 1);
    cr_expect_eq(h.entry_arrival, 0);
    cr_expect_null(history_arrived(&h, 0));
    cr_expect_eq(h.arrivals, 3, "arrival numbers go on");
    history_fini(&h);
}

Test(history, growing_brings_nothing_back_that_was_overwritten)
{
    struct history h = make(1 << 16);
    unsigned here[2] = {0};
    for (uint64_t seq = 1; seq <= 900; seq++) {
        cr_assert_eq(put(&h, seq, 1, 0, 1000, 0), 0);
    }
    for (int grown = 0; grown < 2; grown++) {
        for (uint64_t n = 0; n < h.arrivals; n++) {
            const struct hist_slot *s = history_arrived(&h, n);
            const uint8_t *b = s ? history_bytes(&h, s) : NULL;
            here[grown] += b != NULL;
            for (unsigned i = 0; b && i < s->payload_len; i++) {
                cr_assert_eq(b[i], (uint8_t)s->seq, "packet %lu", s->seq);
            }
        }
        cr_assert_eq(history_fit(&h, 1000000, 2000000, 1 << 20, 2048), 0);
    }
    cr_expect_gt(here[0], 50);
    cr_expect_eq(here[1], here[0]);
    history_fini(&h);
}

Test(history, pictures_left_out_of_a_target_are_counted)
{
    struct history h = make(1 << 16);
    /* pictures of two packets; a bit of the mask is a target that has the picture */
    static const struct {
        uint64_t seq;
        uint16_t pic, mask;
        uint16_t skip0, skip1, skip2;
    } rows[] = {
        {10, 5, 7, 0, 0, 0}, {11, 5, 7, 0, 0, 0}, {12, 6, 1, 0, 0, 0}, {13, 6, 1, 0, 0, 0},
        {14, 7, 3, 0, 1, 1}, /* 15 and 16, picture 8, are late; 17 is picture 9's second */
        {17, 9, 1, 0, 1, 2}, {16, 8, 1, 0, 1, 2}, {15, 8, 1, 0, 1, 2}, {18, 10, 7, 0, 2, 3},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct pkt_desc d = {.dt_mask = rows[i].mask, .pic_id = rows[i].pic};
        struct hist_in in = {.seq = rows[i].seq, .desc = &d};
        cr_assert_eq(history_put(&h, &in), 0);
        const struct hist_slot *s = history_arrived(&h, i);
        cr_expect_eq(s->skip[0], rows[i].skip0, "row %u", i);
        cr_expect_eq(s->skip[1], rows[i].skip1, "row %u: %u", i, s->skip[1]);
        cr_expect_eq(s->skip[2], rows[i].skip2, "row %u: %u", i, s->skip[2]);
    }
    history_fini(&h);
}

Test(history, a_number_kept_for_a_packet_of_no_target_is_a_hole)
{
    struct history h = make(1 << 16);
    cr_assert_eq(put(&h, 10, 0xfff, 0, 5, 0), 0);
    cr_assert_eq(put(&h, 11, 0x001, 0, 5, 0), 0); /* takes no number in target 1 */
    cr_assert_eq(put(&h, 13, 0xfff, 0, 5, 0), 0); /* 12 keeps rank 2 and 1 */
    cr_expect_not(history_is_hole(&h, 1, 1), "it may come");
    cr_assert_eq(put(&h, 12, 0x001, 0, 5, 0), 0);
    cr_expect(history_is_hole(&h, 1, 1));
    cr_expect_null(history_find(&h, 1, 1));
    cr_expect_not(history_is_hole(&h, 0, 2));
    cr_expect_eq(history_find(&h, 0, 2)->seq, 12);
    cr_expect_not(history_is_hole(&h, 1, 2), "13 is there");
    cr_expect_not(history_is_hole(&h, 1, 3), "not yet");
    history_fini(&h);
}

/* A packet every millisecond, as many as the slots hold and more; every tenth comes late. */
static void fill(struct history *h, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq < to; seq++) {
        uint64_t at = seq % 10 == 4 ? seq + 1 : seq % 10 == 5 ? seq - 1 : seq;
        uint8_t body[8];
        memcpy(body, &at, sizeof(at));
        struct pkt_desc desc = {.dt_mask = at % 3 ? DT_ALL : 1};
        struct hist_in in = {.seq = at,
                             .arrival_us = (int64_t)seq * 1000,
                             .desc = &desc,
                             .payload = body,
                             .payload_len = sizeof(body)};
        cr_assert_eq(history_put(h, &in), 0);
    }
}

Test(history, slots_grow_and_keep_what_they_hold)
{
    struct history h;
    cr_assert_eq(history_init(&h, 1024, 1 << 16), 0);
    fill(&h, 1000, 4000);
    cr_assert_eq(h.n_slots, 1024);
    cr_assert_eq(history_fit(&h, 4000 * 1000, 900 * 1000, 1 << 16, 8192), 0);
    cr_expect_eq(h.n_slots, 1024, "it reaches far enough");
    for (uint32_t want = 2048; want <= 8192; want *= 2) {
        uint64_t oldest = h.arrivals - h.n_slots;
        const struct hist_slot *was = history_arrived(&h, oldest + 20);
        cr_assert_not_null(was);
        uint64_t seq = was->seq;
        uint16_t rank = was->rank[1];
        cr_assert_eq(history_fit(&h, 5000 * 1000, 60 * US_PER_S, 1 << 16, 8192), 0);
        cr_assert_eq(h.n_slots, want);
        for (uint64_t n = oldest + 20; n < h.arrivals; n++) {
            const struct hist_slot *s = history_arrived(&h, n);
            cr_assert_not_null(s, "arrival %llu", (unsigned long long)n);
            cr_assert_eq(s->arrival, n);
            const uint8_t *bytes = history_bytes(&h, s);
            cr_assert(bytes && memcmp(bytes, &s->seq, 8) == 0);
        }
        const struct hist_slot *is = history_arrived(&h, oldest + 20);
        cr_expect_eq(is->seq, seq);
        const struct hist_slot *found = history_find(&h, 1, rank);
        cr_expect_eq(found ? found->rank[1] : rank + 1, rank);
        fill(&h, h.top_seq + 1, h.top_seq + 1 + want);
    }
    cr_assert_eq(history_fit(&h, 60 * US_PER_S, 60 * US_PER_S, 1 << 16, 8192), 0);
    cr_expect_eq(h.n_slots, 8192, "and no further than allowed");
    history_fini(&h);
}
