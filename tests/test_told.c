/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sfu/told.h"
#include "tests/vla_write.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)

/* Three encodings of 320, 640 and 1,280 pixels, two temporal layers. */
static const struct vla three = {
    .n_streams = 3,
    .layer = {{{2, 30, 320, 180, {90, 150}}},
              {{2, 30, 640, 360, {300, 500}}},
              {{2, 30, 1280, 720, {900, 1500}}}},
};
/* Two spatial layers in one. */
static const struct vla spatial = {
    .n_streams = 1,
    .layer = {{{1, 30, 640, 360, {400}}, {1, 30, 1280, 700, {1200}}}},
};

static struct stream stream;

/* A track whose targets are those of v: the best first. */
static struct track *track_of(const struct vla *v)
{
    stream = (struct stream){0};
    struct track *t = track_open(&stream, 0, MEDIA_VIDEO, v->n_streams);
    for (unsigned i = 0; i < v->n_streams; i++) {
        struct layer_map *m = &t->enc[i].map;
        cr_assert_eq(encoding_open(&t->enc[i], CODEC_VP8), 0);
        m->n_tid = v->layer[i][0].n_tid;
        m->n_sid = v->layer[i][1].n_tid ? 2 : 1;
        for (int sid = m->n_sid - 1; sid >= 0; sid--) {
            for (int tid = m->n_tid - 1; tid >= 0; tid--, m->n_dt++) {
                m->sid[m->n_dt] = (uint8_t)sid;
                m->tid[m->n_dt] = (uint8_t)tid;
            }
        }
    }
    return t;
}

static void track_drop(struct track *t)
{
    for (unsigned i = 0; i < t->n_enc; i++) {
        history_fini(&t->enc[i].hist);
        describe_fini(&t->enc[i].desc);
    }
    free(t);
}

static int say(struct encoding *e, const struct vla *v, int64_t now_us)
{
    uint8_t out[VLA_WRITE_MAX];
    struct vla mine = *v;
    mine.stream = e->index;
    return told_on_packet(e, out, vla_write(&mine, out), now_us);
}

Test(told, says_what_targets_cost_and_how_large_they_are)
{
    static const struct {
        const struct vla *v;
        unsigned enc, d;
        uint32_t kbps, pixels;
        uint16_t fps;
    } rows[] = {
        {&three, 0, 0, 150, 320 * 180, 30},   {&three, 2, 0, 1500, 1280 * 720, 30},
        {&three, 2, 1, 900, 1280 * 720, 15},  {&spatial, 0, 0, 1600, 1280 * 700, 30},
        {&spatial, 0, 1, 400, 640 * 360, 30},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct track *t = track_of(rows[i].v);
        struct encoding *e = &t->enc[rows[i].enc];
        cr_expect_eq(told_bps(e, rows[i].d) + told_pixels(e, rows[i].d), 0, "nothing yet");
        cr_assert_eq(say(e, rows[i].v, 1), 0);
        uint32_t kbps = told_bps(e, rows[i].d) / 1000;
        cr_expect(kbps >= rows[i].kbps && kbps <= rows[i].kbps * 11 / 10, "row %zu: %u", i, kbps);
        cr_expect_eq(told_pixels(e, rows[i].d), rows[i].pixels, "row %zu", i);
        cr_expect_eq(told_fps_q4(e, rows[i].d), 16 * rows[i].fps, "row %zu", i);
        track_drop(t);
    }
}

/* The mean of its first moments holds a key frame. */
Test(told, a_layers_first_second_costs_no_more_than_it_aims_at)
{
    struct track *t = track_of(&three);
    struct encoding *e = &t->enc[2];
    cr_assert_eq(say(e, &three, 1), 0);
    uint32_t told = told_bps(e, 0);
    static const struct {
        uint8_t ticks;
        uint32_t measured;
        bool told;
    } rows[] = {{0, 0, true}, {1, 6000000, true}, {5, 700000, false}, {10, 6000000, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        e->meter.ticks = rows[i].ticks;
        e->meter.bps[0] = rows[i].measured;
        cr_expect_eq(encoding_cost_bps(e, 0), rows[i].told ? told : rows[i].measured, "row %zu", i);
    }
    struct vla off = three;
    off.n_streams = 2;
    cr_assert_eq(say(&t->enc[0], &off, 2), 0);
    cr_assert_eq(say(&t->enc[0], &three, 3), 0);
    cr_expect_eq(e->meter.ticks, 0, "it begins anew");
    track_drop(t);
}

/* Who goes over to a layer that costs less at this moment must bear what it costs at others. */
Test(told, a_rate_that_has_just_fallen_is_not_what_a_layer_costs_to_enter)
{
    struct track *t = track_of(&three);
    struct encoding *e = &t->enc[2];
    int64_t now = 0;
    for (int tick = 0; tick < 80; tick++) {
        e->meter.bytes[0] = tick == 0 ? 90000 : tick < 70 ? 18750 : 15000; /* 1.5, then 1.2 Mbps */
        (void)track_tick(t, now += MS(100));
        uint32_t cost = encoding_cost_bps(e, 0), entry = encoding_entry_bps(e, 0);
        cr_expect_geq(entry, cost, "tick %d", tick);
        cr_expect(tick < 30 || entry < 1560000, "tick %d: %u, the first key frame", tick, entry);
        cr_expect(tick < 30 || entry > 1400000, "tick %d: %u", tick, entry);
    }
    cr_expect_lt(encoding_cost_bps(e, 0), 1320000);
    track_drop(t);
}

Test(told, a_layer_is_off_until_packets_belie_it)
{
    struct track *t = track_of(&three);
    struct encoding *e = &t->enc[2];
    for (int i = 0; i < 3; i++) {
        t->enc[i].last_packet_us = MS(1000);
    }
    struct vla off = three;
    off.n_streams = 2;
    cr_assert_eq(say(&t->enc[1], &off, MS(1000)), 0);
    cr_expect(told_is_off(e) && !told_is_off(&t->enc[1]));
    (void)track_check_alive(t, MS(1001));
    cr_expect_eq(t->alive, 3);
    e->last_packet_us = MS(1100);
    cr_expect(told_is_off(e), "what was under way");
    e->last_packet_us = MS(1300);
    cr_expect_not(told_is_off(e), "it is sent all the same");
    cr_assert_eq(say(&t->enc[0], &off, MS(1300)), 0);
    cr_expect_not(told_is_off(e), "the same word again is none");
    cr_assert_eq(say(e, &three, MS(1400)), 0);
    cr_assert_eq(say(&t->enc[0], &off, MS(1500)), 0);
    cr_expect(told_is_off(e), "a new one is");
    encoding_restart(&t->enc[0]);
    cr_expect_not(told_is_off(e), "another source has said nothing yet");
    track_drop(t);
}

Test(told, sizes_last_and_make_up_for_what_cannot_be_read)
{
    struct track *t = track_of(&three);
    struct encoding *e = &t->enc[1];
    e->map.opaque = true;
    cr_assert_eq(say(e, &three, 1), 0);
    cr_expect(e->width == 640 && e->height == 360);
    struct vla bare = three;
    for (int i = 0; i < 3; i++) {
        bare.layer[i][0].width = bare.layer[i][0].height = bare.layer[i][0].fps = 0;
    }
    cr_assert_eq(say(e, &bare, 2), 0);
    cr_expect_eq(told_pixels(e, 0), 640 * 360, "said before");
    struct layer_map map = e->map;
    struct track *replica = track_of(&three);
    told_follow(&replica->enc[1], &map, 3);
    cr_expect_eq(replica->sent, 7);
    cr_expect_eq(replica->enc[1].width, 640);
    map.sent = 3;
    told_follow(&replica->enc[1], &map, 4);
    told_follow(&replica->enc[0], &(struct layer_map){.n_dt = 1}, 5);
    cr_expect_eq(replica->sent, 3, "a map without a word says nothing");
    track_drop(replica);
    track_drop(t);
}

Test(told, takes_no_word_that_is_not_its_own)
{
    struct track *t = track_of(&three);
    cr_expect_eq(told_on_packet(&t->enc[0], (const uint8_t *)"\x21\x80", 2, 1), -EMSGSIZE);
    cr_expect_eq(told_on_packet(&t->enc[0], (const uint8_t *)"\x00", 1, 1), 0);
    cr_expect_eq(told_on_packet(&t->enc[0], (const uint8_t *)"\x41\x00\x64", 3, 1), 0);
    cr_expect_eq(t->sent, 0, "of another order of streams");
    cr_expect_eq(told_bps(&t->enc[0], 0), 0);
    track_drop(t);
}
