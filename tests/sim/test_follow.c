/* SPDX-License-Identifier: Apache-2.0 */
/* Viewers' sections go from stream to stream: for the receiver it stays one stream. */
#include <criterion/criterion.h>

#include "rtp/seq.h"
#include "sfu/sub.h"
#include "tests/sim/sim.h"

#define SECOND US_PER_S
#define ALIAS  1000
/* Frames of stream n are numbered from here on, so that a frame tells whose it is. */
#define FRAMES 1000000ULL

static struct sim_publisher *publish(struct sim *s, int worker, uint64_t stream, int layers)
{
    struct sim_publisher *p =
        sim_publish(s, worker, stream, layers, (uint16_t)(stream * 9000), (uint32_t)stream * 77777);
    for (int i = 0; i < layers; i++) {
        p->layer[i].frame = stream * FRAMES;
    }
    return p;
}

static uint64_t seen_stream(const struct sim_viewer *v)
{
    return v->video.last_frame_id / FRAMES;
}

static void expect_continuous(const struct sim *s, const struct sim_viewer *v, const char *what)
{
    const struct sim_stream *st[] = {&v->audio, &v->video};
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(st[i]->bad, 0, "%s: %lu bad, seed %lu", what, st[i]->bad, s->seed);
        cr_expect_eq(st[i]->duplicates, 0, "%s: %lu duplicates", what, st[i]->duplicates);
        cr_expect_eq(st[i]->ts_back, 0, "%s: timestamps went back", what);
        cr_expect_eq(st[i]->pid_gaps, 0, "%s: %lu picture ids jumped", what, st[i]->pid_gaps);
        uint64_t absent = 0;
        for (uint64_t g = st[i]->top > 6000 ? st[i]->top - 6000 : 0x10000; g < st[i]->top; g++) {
            absent += !st[i]->seen[g % 8192];
        }
        cr_expect_eq(absent, 0, "%s: %lu numbers of section %d were never sent", what, absent, i);
    }
}

Test(follow, a_slot_goes_from_stream_to_stream_without_a_gap)
{
    /* worker of the viewer, layers of the publishers, time between moves */
    static const struct {
        int worker, layers;
        int64_t every_us;
    } rows[] = {{0, 1, 2 * SECOND}, {1, 1, 700 * US_PER_MS}, {0, 3, 1300 * US_PER_MS}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct sim *s = sim_new(40 + i, SECOND);
        for (uint64_t id = 1; id <= 3; id++) {
            publish(s, (int)(id & 1), id, rows[i].layers);
        }
        struct sim_viewer *v = sim_view(s, rows[i].worker, 0, true);
        sim_run(s, SECOND);
        cr_expect_not(v->video.any, "an empty slot is silent");
        for (int n = 0; n < 12; n++) {
            uint64_t id = 1 + (uint64_t)n % 3;
            sim_slot(s, v, 0, id);
            sim_slot(s, v, 1, id);
            sim_run(s, rows[i].every_us);
            cr_expect_eq(seen_stream(v), id, "move %d shows %lu", n, seen_stream(v));
        }
        expect_continuous(s, v, "moves");
        cr_expect_geq(v->video.reports, 6);
        sim_free(s);
    }
}

Test(follow, time_in_the_slot_keeps_to_the_clock)
{
    struct sim *s = sim_new(50, SECOND);
    publish(s, 0, 1, 1);
    publish(s, 0, 2, 1);
    struct sim_viewer *v = sim_view(s, 0, 1, true);
    sim_run(s, 2 * SECOND);
    uint32_t ts0 = v->video.top_ts;
    int64_t at0 = v->video.last_us;
    for (int n = 0; n < 60; n++) {
        sim_slot(s, v, 1, n % 2 ? 1 : 2);
        sim_run(s, 430 * US_PER_MS);
    }
    int64_t media_ms = (int64_t)(v->video.top_ts - ts0) / 90;
    int64_t real_ms = (v->video.last_us - at0) / US_PER_MS;
    cr_expect_leq(media_ms - real_ms, 60, "%ld ms ahead", media_ms - real_ms);
    cr_expect_geq(media_ms - real_ms, -60, "%ld ms behind", media_ms - real_ms);
    sim_free(s);
}

Test(follow, an_emptied_slot_falls_silent_and_comes_back)
{
    struct sim *s = sim_new(51, SECOND);
    publish(s, 0, 1, 1);
    publish(s, 1, 2, 1);
    struct sim_viewer *v = sim_view(s, 0, 0, true);
    for (int n = 0; n < 4; n++) {
        sim_slot(s, v, 1, 1 + (uint64_t)n % 2);
        sim_run(s, 2 * SECOND);
        sim_slot(s, v, 1, 0);
        sim_run(s, 100 * US_PER_MS);
        uint64_t packets = v->video.packets;
        sim_run(s, SECOND);
        cr_expect_eq(v->video.packets, packets, "a slot without stream sends nothing");
    }
    expect_continuous(s, v, "emptied");
    /* The other worker's packets are not asked for any more. */
    struct stream *far = router_stream(&s->r[1], 2, false);
    cr_assert(far);
    cr_expect_eq(far->wanted_by, 0);
    sim_free(s);
}

Test(follow, what_is_asked_for_again_when_the_slot_is_empty)
{
    struct sim *s = sim_new(53, SECOND);
    publish(s, 0, 1, 1);
    publish(s, 1, 2, 1);
    for (int rtx = 0; rtx < 2; rtx++) {
        struct sim_viewer *v = sim_view(s, 0, 1, rtx);
        sim_run(s, 2 * SECOND);
        v->loss = 0.3;
        v->nacks = false;
        sim_run(s, 300 * US_PER_MS);
        v->loss = 0;
        v->nacks = true;
        sim_slot(s, v, 1, 0);
        uint64_t asked = s->r[0].n.rx_nack;
        sim_run(s, SECOND);
        cr_expect_gt(s->r[0].n.rx_nack, asked + 10, "it asks");
        uint64_t packets = v->video.packets;
        sim_slot(s, v, 1, 2);
        sim_run(s, SECOND);
        cr_expect_gt(v->video.packets, packets + 15, "and plays the next stream");
        cr_expect_eq(seen_stream(v), 2);
        sim_leave(s, v);
    }
    sim_free(s);
}

Test(follow, an_alias_moves_all_its_viewers)
{
    struct sim *s = sim_new(52, SECOND);
    struct sim_publisher *p[2] = {publish(s, 0, 1, 1), publish(s, 1, 2, 1)};
    struct sim_viewer *v[40];
    sim_alias(s, ALIAS, 1);
    for (int i = 0; i < 40; i++) {
        v[i] = sim_view(s, i % 2, ALIAS, true);
    }
    sim_run(s, 2 * SECOND);
    for (int n = 0; n < 6; n++) {
        uint64_t before = p[n % 2]->plis;
        sim_alias(s, ALIAS, 1 + (uint64_t)(n + 1) % 2);
        sim_run(s, SECOND);
        for (int i = 0; i < 40; i++) {
            cr_expect_eq(seen_stream(v[i]), 1 + (uint64_t)(n + 1) % 2, "viewer %d, turn %d", i, n);
        }
        cr_expect_leq(p[n % 2]->plis, before + 1, "who is left is not asked for key frames");
    }
    /* The target goes, and another one comes under the same alias. */
    sim_unpublish(s, p[0]);
    sim_unpublish(s, p[1]);
    sim_run(s, SECOND);
    publish(s, 1, 3, 3);
    sim_alias(s, ALIAS, 3);
    sim_run(s, 2 * SECOND);
    for (int i = 0; i < 40; i++) {
        cr_expect_eq(seen_stream(v[i]), 3);
        expect_continuous(s, v[i], "alias");
    }
    for (int i = 0; i < 40; i++) {
        sim_leave(s, v[i]);
    }
    sim_alias(s, ALIAS, 0);
    for (int w = 0; w < SIM_WORKERS; w++) {
        cr_expect_null(router_stream(&s->r[w], ALIAS, false), "a forgotten alias leaves nothing");
        cr_expect_null(router_stream(&s->r[w], 1, false), "nor does a stream nobody has");
    }
    sim_free(s);
}

Test(follow, moves_under_loss_and_in_the_middle_of_frames)
{
    for (uint64_t seed = 60; seed < 63; seed++) {
        struct sim *s = sim_new(seed, SECOND);
        publish(s, 0, 1, 3);
        publish(s, 1, 2, 3);
        struct sim_viewer *v = sim_view(s, (int)(seed & 1), 1, true);
        v->loss = 0.03;
        for (int n = 0; n < 200; n++) {
            sim_slot(s, v, (uint8_t)(n % 2), 1 + (uint64_t)(sim_random(s) * 3) % 3 % 2);
            sim_run(s, (int64_t)(sim_random(s) * 200) * US_PER_MS + US_PER_MS);
        }
        sim_slot(s, v, 1, 2);
        sim_run(s, 2 * SECOND);
        cr_expect_eq(v->video.bad, 0, "seed %lu", seed);
        cr_expect_eq(v->video.duplicates, 0);
        cr_expect_eq(v->video.ts_back + v->audio.ts_back, 0);
        cr_expect_eq(seen_stream(v), 2);
        sim_free(s);
    }
}
