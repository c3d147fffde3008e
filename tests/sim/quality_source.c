/* SPDX-License-Identifier: Apache-2.0 */
/* quality_source.c - sources and their viewers: media-brain scenarios 15, 17, 18, 19, 20, 22. */
#include "tests/sim/quality.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)
#define S(x)  ((x) * (int64_t)US_PER_S)

static double ms_since(const struct scene *s, int64_t us, int64_t since_us)
{
    (void)s;
    return us < 0 ? 99999 : (double)(us - since_us) / 1e3;
}

void quality_join(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 5000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct scene_publisher *p = scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, S(2) + (int64_t)(s->seed * 137) % MS(700));
    struct wire *w = scene_link(s, trace, 1, MS(20), MS(300));
    int64_t joined = scene_now(s);
    struct scene_viewer *v = scene_view(s, &(struct scene_view_params){.stream = 7, .down = w});
    scene_run(s, S(10));
    /* From the moment that keys are there: the first frame's own key frame must be coded first. */
    int64_t first = scene_first(v, 0, 0, 0), top = scene_settled(v, 0, 2, 0, S(30));
    (void)p;
    quality_add(q, "first picture", "ms", ms_since(s, first, joined), QUALITY_P95_MAX,
                400 + 33 + 10);
    quality_add(q, "top layer for good", "ms", ms_since(s, top, joined), QUALITY_P95_MAX, 1500);
    quality_add(q, "top layer first", "ms", ms_since(s, scene_first(v, 0, 2, 0), joined),
                QUALITY_REPORT, 0);
    struct scene_freezes f = scene_freezes(v, 0, joined - s->start_us, scene_now(s));
    quality_add(q, "freezes", "", f.count, QUALITY_REPORT, 0);
    quality_add(q, "queue p95", "ms", (double)scene_queue_us(v, 0, S(30), 0.95) / 1e3,
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_layer_death(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 5000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct scene_publisher *p = scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, S(1));
    struct wire *w = scene_link(s, trace, 1, MS(50), MS(300));
    struct scene_viewer *v = scene_view(s, &(struct scene_view_params){.stream = 7, .down = w});
    scene_run(s, S(10) + (int64_t)(s->seed * 7919) % MS(100));
    int64_t died = scene_now(s);
    p->camera[0]->layer[2].paused = true;
    scene_run(s, S(8));
    struct scene_freezes f = scene_freezes(v, 0, died, scene_now(s));
    quality_add(q, "freeze when the top layer stops", "ms", (double)f.longest_us / 1e3,
                QUALITY_P95_MAX, 400);
    died = scene_now(s);
    p->camera[0]->layer[1].paused = true;
    scene_run(s, S(8));
    f = scene_freezes(v, 0, died, scene_now(s));
    quality_add(q, "freeze when all but the lowest stop", "ms", (double)f.longest_us / 1e3,
                QUALITY_P95_MAX, 400);
    int64_t back = scene_now(s);
    p->camera[0]->layer[1].paused = p->camera[0]->layer[2].paused = false;
    scene_run(s, S(10));
    quality_add(q, "top layer after it is back", "ms",
                ms_since(s, scene_settled(v, 0, 2, back, S(99)), back), QUALITY_REPORT, 0);
    quality_end(q, s);
}

/* Everything at once, at random: loss and reordering on both sides, layers that stop, viewers that
 * ask for layers, links that narrow. The checker must have nothing to say. */
void quality_schedules(struct quality_run *q)
{
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire *dice = s->wires[0];
    for (uint64_t i = 0; i < q->seed % 16; i++) {
        (void)wire_random(dice);
    }
    struct wire_step trace[8];
    for (int i = 0; i < 8; i++) {
        trace[i] = (struct wire_step){S(1) * i, (uint32_t)(200000 + 3000000 * wire_random(dice))};
    }
    cam.n_layers = 1 + (int)(wire_random(dice) * 3);
    cam.n_temporal = wire_random(dice) < 0.7 ? 3 : 1;
    bool lossy = wire_random(dice) < 0.5;
    struct wire *up =
        scene_wire(s, &(struct wire_params){.delay_us = MS(10),
                                            .loss = lossy ? 0.05 * wire_random(dice) : 0,
                                            .reorder = wire_random(dice) < 0.5 ? 0.02 : 0,
                                            .reorder_depth = 1 + (int)(6 * wire_random(dice))});
    struct wire *w = scene_wire(
        s, &(struct wire_params){.trace = trace,
                                 .n_steps = 8,
                                 .delay_us = MS(5) + (int64_t)(MS(80) * wire_random(dice)),
                                 .queue_us = MS(50) + (int64_t)(MS(400) * wire_random(dice)),
                                 .loss = wire_random(dice) < 0.5 ? 0.1 * wire_random(dice) : 0,
                                 .jitter_us = MS(1) + (int64_t)(MS(10) * wire_random(dice)),
                                 .jitter_max_us = MS(60),
                                 .jitter_reorders = wire_random(dice) < 0.3});
    struct scene_publisher *p = scene_publish(s, 7, &cam, 1, up, NULL);
    scene_run(s, (int64_t)(S(1) * wire_random(dice)));
    struct scene_viewer *v = scene_view(
        s, &(struct scene_view_params){
               .stream = 7, .down = w, .worker = wire_random(dice) < 0.3, .lossy_source = true});
    for (int i = 0; i < 16; i++) {
        scene_run(s, MS(50) + (int64_t)(MS(600) * wire_random(dice)));
        int layer = (int)(wire_random(dice) * cam.n_layers);
        if (wire_random(dice) < 0.4) {
            struct api_wish wish = API_WISH_NONE;
            wish.mline = 1;
            wish.layer = (int8_t)(wire_random(dice) < 0.3 ? -1 : layer);
            wish.max_tid = (int8_t)(wire_random(dice) < 0.3 ? (int)(3 * wire_random(dice)) : -1);
            struct api_cmd c = {.kind = API_CMD_LAYER, .id = v->id, .u.wish = wish};
            router_on_cmd(v->r, &c, s->sim->now_us);
        } else if (cam.n_layers > 1) {
            p->camera[0]->layer[layer].paused = wire_random(dice) < 0.3;
        }
    }
    stream_check_end(v->check[0]);
    quality_add(q, "packets looked at", "", (double)v->check[0]->packets, QUALITY_REPORT, 0);
    quality_add(q, "retransmissions looked at", "", (double)v->check[0]->rtx_packets,
                QUALITY_REPORT, 0);
    quality_add(q, "switches", "", (double)v->check[0]->switches, QUALITY_REPORT, 0);
    quality_end(q, s);
}
