/* SPDX-License-Identifier: Apache-2.0 */
/* quality_source.c - sources and their viewers: media-brain scenarios 15, 17, 18, 19, 20, 22. */
#include "tests/sim/quality.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)
#define S(x)  ((x) * (int64_t)US_PER_S)

static double ms_since(const struct scene *s, int64_t us, int64_t since_us)
{
    (void)s;
    return us < 0 ? QUALITY_NEVER : (double)(us - since_us) / 1e3;
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

/* A source that has a key frame every 4 s and hears no wish for one: only what the server kept can
 * be quick. Two round trips, 50 ms, and one picture's time on the screen. */
void quality_join_deaf(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 5000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    cam.n_layers = 1;
    cam.kbps[0] = 1500;
    cam.kbps[1] = cam.kbps[2] = 0;
    cam.n_temporal = 1;
    cam.ignores_pli = true;
    cam.gop_us = S(4);
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    /* The first viewer finds out that the source is deaf. */
    scene_view(s, &(struct scene_view_params){.stream = 7});
    scene_run(s, S(20) + (int64_t)(sim_random(s->sim) * S(4)));
    struct wire *w = scene_link(s, trace, 1, MS(20), MS(300));
    int64_t joined = scene_now(s);
    struct scene_viewer *v = scene_view(s, &(struct scene_view_params){.stream = 7, .down = w});
    scene_run(s, S(10));
    const struct video_rx *x = v->player->video[0];
    double live = QUALITY_NEVER;
    for (int i = 0; i < x->n_shown; i++) {
        if (x->shown[i].at_us - x->shown[i].capture_us < MS(400)) {
            live = (double)(x->shown[i].at_us - s->start_us - joined) / 1e3;
            break;
        }
    }
    struct scene_freezes f = scene_freezes(v, 0, joined, scene_now(s));
    quality_add(q, "first picture", "ms", ms_since(s, scene_first(v, 0, 0, joined), joined),
                QUALITY_P95_MAX, 130 + 33);
    quality_add(q, "live again", "ms", live, QUALITY_P95_MAX, 4000);
    quality_add(q, "stalls over 500 ms", "", f.stalls, QUALITY_MEDIAN_MAX, 0);
    quality_end(q, s);
}

/* A still screen: its top layer ends when a slide comes. How long it takes until that slide is
 * shown, by another layer. */
static double screen_death(struct quality_run *q, bool vla)
{
    static const struct wire_step trace[] = {{0, 5000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    cam.screen = true;
    cam.slide_us = S(12);
    cam.fps = 5;
    cam.n_temporal = 1;
    cam.vla = vla;
    struct scene_publisher *p = scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, S(1));
    struct scene_viewer *v = scene_view(
        s,
        &(struct scene_view_params){.stream = 7, .down = scene_link(s, trace, 1, MS(50), MS(300))});
    scene_run(s, S(10));
    p->camera[0]->layer[2].paused = true;
    scene_run(s, S(10));
    int64_t slide_us = p->camera[0]->slide_capture_us;
    const struct video_rx *x = v->player->video[0];
    double took = QUALITY_NEVER;
    for (int i = x->n_shown - 1; i >= 0 && x->shown[i].capture_us >= slide_us; i--) {
        took = (double)(x->shown[i].at_us - slide_us) / 1e6;
    }
    scene_free(s);
    return took;
}

static void layer_death(struct quality_run *q, bool vla)
{
    static const struct wire_step trace[] = {{0, 5000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    cam.vla = vla;
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
    quality_add(q, "a screen's next slide after its top layer stops", "s", screen_death(q, vla),
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_layer_death(struct quality_run *q)
{
    layer_death(q, false);
}

void quality_layer_death_said(struct quality_run *q)
{
    layer_death(q, true);
}

/* Publishers begin with their lowest layer, and add the others as they learn what their own network
 * carries: how long viewers take to follow, on a link that carries a good deal more than the best.
 */
static void fresh(struct quality_run *q, bool vla)
{
    static const struct wire_step trace[] = {{0, 3000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    cam.vla = vla;
    struct scene_publisher *p = scene_publish(s, 7, &cam, 1, NULL, NULL);
    struct camera *c = p->camera[0];
    c->layer[1].paused = c->layer[2].paused = true;
    scene_run(s, MS(500));
    struct scene_viewer *v = scene_view(
        s,
        &(struct scene_view_params){.stream = 7, .down = scene_link(s, trace, 1, MS(50), MS(300))});
    static const char *const names[] = {NULL, "to the middle layer once it is sent",
                                        "to the top layer once it is sent"};
    int64_t from = scene_now(s);
    for (int i = 1; i < 3; i++) {
        scene_run(s, S(3) + (int64_t)(sim_random(s->sim) * S(1)));
        int64_t begins = scene_now(s);
        c->layer[i].paused = false;
        c->layer[i].key_wanted = true;
        scene_run(s, S(6));
        quality_add(q, names[i], "ms", ms_since(s, scene_settled(v, 0, i, begins, S(99)), begins),
                    QUALITY_REPORT, 0);
    }
    struct scene_freezes f = scene_freezes(v, 0, from + S(2), scene_now(s));
    quality_add(q, "freezes", "", f.count, QUALITY_REPORT, 0);
    quality_add(q, "layer switches", "", scene_switches(v, 0, from, scene_now(s)), QUALITY_REPORT,
                0);
    quality_add(q, "queue p95", "ms", (double)scene_queue_us(v, from, S(99), 0.95) / 1e3,
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_fresh(struct quality_run *q)
{
    fresh(q, false);
}

void quality_fresh_said(struct quality_run *q)
{
    fresh(q, true);
}

/* A crowd comes within 5 s, twenty of it with 5 % loss: a thousand in the long run, a quarter of it
 * else. */
void quality_storm(struct quality_run *q)
{
    enum { LOSSY = 20 };
    const int crowd = quality_is_long() ? 1000 : 250;
    static const struct wire_step trace[] = {{0, 3000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    cam.kbps[0] = 100;
    cam.kbps[1] = 200;
    cam.kbps[2] = 0;
    cam.n_layers = 2;
    struct wire *back = scene_wire(s, &(struct wire_params){.delay_us = MS(20)});
    struct scene_publisher *p = scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, S(2));
    struct camera *c = p->camera[0];
    uint64_t plis = c->plis, bytes = 0, key_bytes = 0;
    for (int i = 0; i < cam.n_layers; i++) {
        bytes -= c->layer[i].bytes;
        key_bytes -= c->layer[i].key_bytes;
    }
    int64_t began = scene_now(s);
    for (int i = 0; i < crowd; i++) {
        bool lossy = i % (crowd / LOSSY) == 7;
        struct wire *w =
            lossy ? scene_wire(s,
                               &(struct wire_params){
                                   .trace = trace, .n_steps = 1, .delay_us = MS(30), .loss = 0.05})
                  : NULL;
        scene_view(s,
                   &(struct scene_view_params){
                       .stream = 7, .down = w, .up = back, .worker = i % 2, .unchecked = !lossy});
        scene_run(s, S(5) / crowd);
    }
    scene_run(s, S(15));
    for (int i = 0; i < cam.n_layers; i++) {
        bytes += c->layer[i].bytes;
        key_bytes += c->layer[i].key_bytes;
    }
    int dark = 0;
    double slowest = 0;
    for (int i = 0; i < s->n_viewers; i++) {
        int64_t first = scene_first(s->viewers[i], 0, 0, 0);
        dark += first < 0;
        slowest = MAX(slowest, (double)(first + s->start_us - s->viewers[i]->joined_us) / 1e3);
    }
    quality_add(q, "key frame wishes, each layer, per s", "",
                (double)(c->plis - plis) / cam.n_layers / ((double)(scene_now(s) - began) / 1e6),
                QUALITY_MEDIAN_MAX, 1);
    quality_add(q, "key frame bytes", "%", 100 * (double)key_bytes / (double)bytes,
                QUALITY_MEDIAN_MAX, 10);
    quality_add(q, "viewers without a picture", "", dark, QUALITY_EVERY_MAX, 0);
    quality_add(q, "slowest first picture", "ms", slowest, QUALITY_P95_MAX, 1000);
    quality_end(q, s);
}

/* What a picture is worth: 2 for each spatial step, 1 for each doubling of the frame rate. */
static double worth(int layer, int tid)
{
    return 1 + 2 * layer + tid;
}

/* The most that n equal tracks can be worth together for bps. */
static double best_worth(const struct camera *c, int n, double bps)
{
    enum { UNIT = 10000, SIZE = 400 };
    double best[SIZE] = {0};
    for (int t = 0; t < n; t++) {
        for (int b = SIZE - 1; b >= 0; b--) {
            double most = best[b];
            for (int p = 0; p < 9; p++) {
                int cost = (int)(camera_cost_bps(c, p / 3, 0, p % 3) * 1.08 / UNIT) + 1;
                if (cost <= b) {
                    most = MAX(most, best[b - cost] + worth(p / 3, p % 3));
                }
            }
            best[b] = most;
        }
    }
    return best[MIN((int)(bps / UNIT), SIZE - 1)];
}

void quality_nine_tracks(struct quality_run *q)
{
    enum { TRACKS = 9, STEPS = 600 };
    static struct wire_step trace[STEPS];
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    cam.noise = 0.05;
    double x = 0;
    for (int i = 0; i < STEPS; i++) {
        x = 0.7 * x + 0.3 * (2 * sim_random(s->sim) - 1);
        trace[i] = (struct wire_step){MS(500) * i, (uint32_t)(3e6 * (1 + 0.2 * x))};
    }
    for (uint64_t i = 0; i < TRACKS; i++) {
        scene_publish(s, 100 + i, &cam, 1, NULL, NULL);
        scene_run(s, MS(7));
    }
    scene_run(s, S(1));
    struct scene_viewer *v = scene_view(
        s, &(struct scene_view_params){.n_videos = TRACKS,
                                       .down = scene_link(s, trace, STEPS, MS(30), MS(300))});
    for (int i = 0; i < TRACKS; i++) {
        scene_slot(v, 1 + i, 100 + (uint64_t)i);
    }
    scene_slot(v, 0, 100);
    scene_run(s, S(298));
    double got = 0;
    int switches = 0, dark = 0;
    for (int i = 0; i < TRACKS; i++) {
        const struct video_rx *r = v->player->video[i];
        int tid = 0;
        for (int k = 1; k < r->n_shown; k++) {
            /* The temporal layer that is had: the highest of the last four pictures. */
            tid = r->shown[k].tid;
            for (int b = MAX(k - 3, 0); b < k; b++) {
                tid = MAX(tid, r->shown[b].tid);
            }
            if (r->shown[k].at_us - s->start_us > S(20)) {
                got += worth(r->shown[k].layer, tid) *
                       (double)MIN(r->shown[k].at_us - r->shown[k - 1].at_us, S(1));
            }
        }
        switches += scene_switches(v, i, S(20), S(299));
        dark += r->n_shown < 100;
    }
    got /= (double)(scene_now(s) - S(20));
    /* Against all that could be tried, for 90 % of the link: what hysteresis leaves. */
    double best = best_worth(s->publishers[0]->camera[0], TRACKS, 0.9 * 3e6 - 60000);
    quality_add(q, "worth, of the best for 90 % of the link", "%", 100 * got / best,
                QUALITY_MEDIAN_MIN, 98);
    quality_add(q, "switches per minute and track", "", switches / 4.65 / TRACKS,
                QUALITY_MEDIAN_MAX, 2);
    quality_add(q, "tracks without pictures", "", dark, QUALITY_EVERY_MAX, 0);
    quality_add(q, "use of the link", "%", 100 * scene_delivered_bps(v, S(20), S(298)) / 3e6,
                QUALITY_REPORT, 0);
    quality_add(q, "queue p95", "ms", (double)scene_queue_us(v, S(20), S(298), 0.95) / 1e3,
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_slides(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 3000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    cam.screen = true;
    cam.slide_us = S(5);
    cam.fps = 5;
    cam.n_temporal = 1;
    struct scene_publisher *p = scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, S(1));
    struct scene_viewer *v = scene_view(
        s,
        &(struct scene_view_params){.stream = 7, .down = scene_link(s, trace, 1, MS(50), MS(300))});
    scene_run(s, S(6));
    int64_t from = scene_now(s);
    double worst = 0;
    struct camera *c = p->camera[0];
    for (int i = 0; i < 10; i++) {
        uint32_t n = c->slide;
        while (c->slide == n) {
            scene_run(s, MS(20));
        }
        int64_t shown_us = c->slide_capture_us;
        scene_run(s, MS(4500));
        const struct video_rx *x = v->player->video[0];
        double took = QUALITY_NEVER;
        for (int k = 0; k < x->n_shown; k++) {
            if (x->shown[k].capture_us >= shown_us && x->shown[k].layer == 2) {
                took = (double)(x->shown[k].at_us - shown_us) / 1e3;
                break;
            }
        }
        worst = MAX(worst, took);
    }
    quality_add(q, "slide in full quality, slowest of ten", "ms", worst, QUALITY_P95_MAX, 1000);
    quality_add(q, "layer switches", "", scene_switches(v, 0, from, scene_now(s)),
                QUALITY_EVERY_MAX, 0);
    quality_add(q, "top layer", "%", 100 * scene_share(v, 0, 2, from, scene_now(s)), QUALITY_REPORT,
                0);
    quality_add(q, "key frame wishes", "", (double)c->plis, QUALITY_REPORT, 0);
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
