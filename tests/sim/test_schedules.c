/* SPDX-License-Identifier: Apache-2.0 */
/* Random schedules, thousands of them: loss and reordering before and behind the router, layers
 * that stop and return, wishes that change, links that narrow and break, feedback that does not
 * come, publishers that restart. One schedule is a second of one viewer's life under circumstances
 * of its own; the stream goes on through all of them, and the independent checker looks at every
 * packet. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/sim/quality.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)
#define S(x)  ((x) * (int64_t)US_PER_S)

struct dice {
    uint64_t x;
};

static double roll(struct dice *d)
{
    d->x ^= d->x << 13;
    d->x ^= d->x >> 7;
    d->x ^= d->x << 17;
    return (double)(d->x >> 11) / 9007199254740992.0;
}

static bool one_in(struct dice *d, int n)
{
    return roll(d) * n < 1;
}

struct life {
    struct scene *s;
    struct dice d;
    struct wire *up, *down;
    struct wire_step trace[1];
    struct scene_publisher *p;
    struct scene_viewer *v;
    enum { ORDERLY, REORDERED, LOSSY } upstream; /* throughout */
    bool dense; /* wishes come one upon the other, and so many packets overtake others that most
                   switches meet one that is late */
};

static struct camera_params any_camera(struct dice *d)
{
    /* codec, layers, spatial layers, K-SVC, Dependency Descriptor, encrypted */
    static const struct {
        enum codec_id codec;
        int layers, spatial;
        bool k_svc, dd, encrypted;
    } kinds[] = {{CODEC_VP8, 3, 1, false, false},     {CODEC_VP8, 2, 1, false, false},
                 {CODEC_VP8, 1, 1, false, false},     {CODEC_H264, 3, 1, false, false},
                 {CODEC_VP9, 1, 3, false, true},      {CODEC_VP9, 1, 3, true, true},
                 {CODEC_VP9, 1, 3, true, false},      {CODEC_AV1, 1, 3, false, true},
                 {CODEC_AV1, 3, 1, false, true},      {CODEC_AV1, 2, 1, false, true},
                 {CODEC_VP9, 3, 1, false, false},     {CODEC_VP8, 3, 1, false, true, true},
                 {CODEC_VP9, 1, 3, true, true, true}, {CODEC_AV1, 3, 1, false, true, true}};
    unsigned k = (unsigned)(roll(d) * ARRAY_LEN(kinds));
    struct camera_params cam = scene_camera();
    cam.codec = kinds[k].codec;
    cam.n_layers = kinds[k].layers;
    cam.n_spatial = kinds[k].spatial;
    cam.k_svc = kinds[k].k_svc;
    cam.dd = kinds[k].dd;
    cam.encrypted = kinds[k].encrypted;
    cam.n_temporal = cam.codec == CODEC_H264 || one_in(d, 5) ? 1 : 3;
    cam.kbps[0] = 60;
    cam.kbps[1] = 200;
    cam.kbps[2] = 400;
    return cam;
}

static void be_born(struct life *l, uint64_t seed)
{
    l->d.x = seed * 0x9e3779b97f4a7c15ULL | 1;
    l->s = scene_new(seed);
    l->s->sim->step_us = MS(4);
    l->upstream = one_in(&l->d, 2) ? LOSSY : one_in(&l->d, 3) ? ORDERLY : REORDERED;
    l->trace[0].bps = 2000000;
    l->up = scene_wire(l->s, &(struct wire_params){.delay_us = MS(10)});
    l->down = scene_wire(
        l->s, &(struct wire_params){
                  .trace = l->trace, .n_steps = 1, .delay_us = MS(20), .queue_us = MS(200)});
    struct camera_params cam = any_camera(&l->d);
    l->p = scene_publish(l->s, 7, &cam, 1, l->up, NULL);
    scene_run(l->s, MS(300));
    l->v = scene_view(l->s, &(struct scene_view_params){.stream = 7,
                                                        .codec = cam.codec,
                                                        .down = l->down,
                                                        .worker = one_in(&l->d, 3),
                                                        .no_rtx = one_in(&l->d, 8),
                                                        .remb = one_in(&l->d, 8),
                                                        .encrypted = cam.encrypted,
                                                        .lossy_source = true});
}

static void wish(struct life *l)
{
    struct dice *d = &l->d;
    struct api_wish w = API_WISH_NONE;
    w.mline = 1;
    w.layer = (int8_t)(one_in(d, 2) ? -1 : (int)(roll(d) * l->p->camera[0]->p.n_layers));
    w.max_tid = (int8_t)(one_in(d, 3) ? (int)(roll(d) * 3) : -1);
    w.max_sid = (int8_t)(one_in(d, 3) ? (int)(roll(d) * 3) : -1);
    w.off = one_in(d, 12);
    struct api_cmd c = {.kind = API_CMD_LAYER, .id = l->v->id, .u.wish = w};
    router_on_cmd(l->v->r, &c, l->s->sim->now_us);
}

/* New circumstances, then a second in which things happen. */
static void live(struct life *l)
{
    struct dice *d = &l->d;
    struct camera *c = l->p->camera[0];
    struct wire_params *w = &l->down->p, *u = &l->up->p;
    l->trace[0].bps = (uint32_t)(60000 + 3000000 * roll(d) * roll(d));
    w->loss = one_in(d, 3) ? 0.2 * roll(d) * roll(d) : 0;
    w->reorder = one_in(d, 4) ? 0.05 * roll(d) : 0;
    w->reorder_depth = 1 + (int)(8 * roll(d));
    w->jitter_us = one_in(d, 3) ? 1 + (int64_t)(MS(20) * roll(d)) : 0;
    w->jitter_max_us = MS(100);
    w->outage_every_us = one_in(d, 8) ? MS(900) : 0;
    w->outage_us = MS(300);
    u->loss = l->upstream == LOSSY && one_in(d, 2) ? 0.1 * roll(d) * roll(d) : 0;
    u->reorder = l->upstream != ORDERLY && one_in(d, 4) ? 0.05 * roll(d) : 0;
    u->reorder_depth = 1 + (int)(8 * roll(d));
    if (l->dense) {
        u->reorder = l->upstream != ORDERLY ? 0.3 : 0;
        l->trace[0].bps = 3000000;
    }
    l->v->player->mute_twcc = one_in(d, 6);
    for (int i = 0; i < (l->dense ? 20 : 4); i++) {
        int layer = (int)(roll(d) * c->p.n_layers);
        if (l->dense || one_in(d, 3)) {
            wish(l);
        }
        if (one_in(d, 4) && c->p.n_layers > 1) {
            c->layer[layer].paused = !c->layer[layer].paused;
            c->layer[layer].key_wanted = true;
        }
        if (one_in(d, 10)) {
            c->layer[layer].key_wanted = true; /* of its own accord */
        }
        scene_run(l->s, (int64_t)((l->dense ? 100e3 : 500e3) * roll(d)));
    }
}

static void live_all(int lives, int schedules, bool dense)
{
    uint64_t packets = 0, rtx = 0, switches = 0, gaps = 0, frames = 0;
    const char *only = getenv("SCHEDULES_SEED");
    for (int i = 1; i <= lives; i++) {
        struct life *l = calloc(1, sizeof(*l));
        cr_assert_not_null(l);
        uint64_t seed = only ? strtoull(only, NULL, 10) : (uint64_t)i;
        l->dense = dense;
        be_born(l, seed);
        for (int k = 0; k < schedules; k++) {
            live(l);
        }
        char text[400];
        cr_expect(scene_clean(l->v, text, sizeof(text)), "seed %lu, %s: %s", seed,
                  codec_info(l->p->camera[0]->p.codec)->name, text);
        cr_expect(l->upstream != ORDERLY || l->v->check[0]->gaps == 0,
                  "seed %lu: %lu numbers left out, though every packet came", seed,
                  l->v->check[0]->gaps);
        packets += l->v->check[0]->packets;
        rtx += l->v->check[0]->rtx_packets;
        switches += l->v->check[0]->switches;
        gaps += l->v->check[0]->gaps;
        frames += l->v->check[0]->frames;
        scene_free(l->s);
        free(l);
        if (only) {
            break;
        }
    }
    printf(
        "%d schedules: %lu packets of %lu frames, %lu retransmissions, %lu switches of encoding, "
        "%lu numbers left out\n",
        lives * schedules, packets, frames, rtx, switches, gaps);
    cr_expect(only || (packets > 100000 && rtx > 1000 && switches > 1000 && gaps > 100),
              "the schedules must be lively");
}

/* A million schedules in the long run: 2,000 lives of 500. */
Test(schedules, leave_every_stream_sound, .timeout = 3600)
{
    live_all(quality_is_long() ? 2000 : 100, quality_is_long() ? 500 : 100, false);
}

Test(schedules, switches_meet_late_packets, .timeout = 3600)
{
    live_all(quality_is_long() ? 500 : 60, quality_is_long() ? 200 : 40, true);
}

/* Up and down between encodings whose frames take several packets each, over a link that just
 * carries the upper one: the pacer often holds the rest of a frame when another encoding's key
 * frame has come. Whatever becomes of that frame, no number is nobody's: a receiver would ask for
 * it, wait for it, and report it as lost. */
Test(schedules, a_frame_begun_before_a_switch_leaves_no_number_out, .timeout = 300)
{
    static const struct {
        enum codec_id codec;
        bool dd;
    } rows[] = {{CODEC_VP8, false}, {CODEC_H264, false}, {CODEC_VP9, false}, {CODEC_AV1, true}};
    uint64_t cuts = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wire_step trace[1] = {{.bps = 2600000}};
        struct scene *s = scene_new(i + 1);
        struct camera_params cam = scene_camera();
        cam.codec = rows[i].codec;
        cam.dd = rows[i].dd;
        cam.n_layers = 2;
        cam.n_temporal = cam.codec == CODEC_H264 ? 1 : 3;
        cam.kbps[0] = 700;
        cam.kbps[1] = 1800;
        scene_publish(s, 7, &cam, 1, NULL, NULL);
        scene_run(s, S(1));
        struct wire *down = scene_link(s, trace, 1, MS(20), MS(300));
        struct scene_viewer *v = scene_view(
            s, &(struct scene_view_params){.stream = 7, .codec = cam.codec, .down = down});
        scene_run(s, S(4));
        for (int k = 0; k < 80; k++) {
            struct api_wish w = API_WISH_NONE;
            w.mline = 1;
            w.layer = (int8_t)(k % 2);
            struct api_cmd c = {.kind = API_CMD_LAYER, .id = v->id, .u.wish = w};
            router_on_cmd(v->r, &c, s->sim->now_us);
            scene_run(s, MS(700) + MS(k % 33));
        }
        char text[400];
        const char *name = codec_info(cam.codec)->name;
        cr_expect(scene_clean(v, text, sizeof(text)), "%s: %s", name, text);
        cr_expect_eq(v->check[0]->gaps, 0, "%s: %lu numbers left out", name, v->check[0]->gaps);
        cr_expect_geq(v->check[0]->switches, 30, "%s: %lu", name, v->check[0]->switches);
        cuts += v->check[0]->cuts;
        scene_free(s);
    }
    cr_expect_gt(cuts, 0, "frames are cut off by a switch");
}

/* What only who has the key can read is sent layer by layer all the same, where the Dependency
 * Descriptor says what it is; else as it comes. */
Test(schedules, encrypted_pictures_find_their_layer, .timeout = 300)
{
    static const struct {
        enum codec_id codec;
        int layers, spatial;
        bool dd;
        int top; /* shown on a wide link */
    } rows[] = {
        {CODEC_VP8, 3, 1, true, 2},  {CODEC_VP9, 1, 3, true, 2},  {CODEC_AV1, 3, 1, true, 2},
        {CODEC_VP8, 1, 1, false, 0}, {CODEC_AV1, 1, 1, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wire_step trace[1] = {{.bps = 4000000}};
        struct scene *s = scene_new(i + 1);
        struct camera_params cam = scene_camera();
        cam.codec = rows[i].codec;
        cam.n_layers = rows[i].layers;
        cam.n_spatial = rows[i].spatial;
        cam.dd = rows[i].dd;
        cam.encrypted = true;
        cam.n_temporal = rows[i].dd ? 3 : 1;
        struct scene_publisher *p = scene_publish(s, 7, &cam, 1, NULL, NULL);
        scene_run(s, S(1));
        struct wire *down = scene_link(s, trace, 1, MS(20), MS(300));
        struct scene_viewer *v =
            scene_view(s, &(struct scene_view_params){
                              .stream = 7, .codec = cam.codec, .down = down, .encrypted = true});
        scene_run(s, S(9));
        const char *name = codec_info(cam.codec)->name;
        int64_t first = scene_first(v, 0, 0, S(1));
        cr_expect(first >= 0 && first < S(2), "%s %zu: first picture at %ld", name, i, first);
        cr_expect(scene_share(v, 0, rows[i].top, S(5), S(10)) > 0.95, "%s %zu: wide", name, i);
        trace[0].bps = rows[i].dd ? 400000 : 4000000;
        scene_run(s, S(10));
        cr_expect(scene_share(v, 0, 0, S(12), S(20)) > 0.95, "%s %zu: narrow", name, i);
        cr_expect_leq(p->camera[0]->plis, 12, "%s %zu: %lu", name, i, p->camera[0]->plis);
        char text[400];
        /* Without a descriptor the checker's rules for beginnings do not hold. */
        cr_expect(!rows[i].dd || scene_clean(v, text, sizeof(text)), "%s %zu: %s", name, i, text);
        scene_free(s);
    }
}
