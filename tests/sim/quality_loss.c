/* SPDX-License-Identifier: Apache-2.0 */
/* quality_loss.c - networks that lose, delay and reorder: media-brain scenarios 9, 10, 11. */
#include "tests/sim/quality.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)
#define S(x)  ((x) * (int64_t)US_PER_S)

/* Nothing more is lost for as long as repair takes, so that what was lost last is not counted as
 * not repaired. Returns what has been lost of a viewer's video. */
static double settle(struct scene *s, struct wire *w, const struct video_rx *x)
{
    w->p.loss = w->p.burst_loss = 0;
    scene_run(s, MS(600));
    return (double)(x->lost - x->late);
}

struct loss_case {
    struct camera_params cam;
    double loss, least_use, least_repair, freezes_per_min;
};

static void random_loss(struct quality_run *q, struct loss_case c)
{
    static const struct wire_step trace[] = {{0, 2000000}};
    struct scene *s = scene_new(q->seed);
    struct wire *w = scene_wire(
        s,
        &(struct wire_params){
            .trace = trace, .n_steps = 1, .delay_us = MS(25), .queue_us = MS(300), .loss = c.loss});
    scene_publish(s, 7, &c.cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    struct scene_viewer *v =
        scene_view(s, &(struct scene_view_params){.stream = 7, .codec = c.cam.codec, .down = w});
    scene_run(s, S(65));
    /* The best point that fits is the whole top layer: use is the share of it that was shown. */
    double best =
        camera_cost_bps(s->publishers[0]->camera[0], c.cam.n_layers - 1, c.cam.n_spatial - 1, 2);
    const struct video_rx *x = v->player->video[0];
    double lost = settle(s, w, x);
    struct scene_freezes f = scene_freezes(v, 0, S(5), S(65));
    quality_add(q, "use of the best point", "%", 100 * scene_shown_bps(v, 0, S(5), S(65)) / best,
                QUALITY_MEDIAN_MIN, c.least_use);
    quality_add(q, "repaired in time", "%", lost > 0 ? 100 * (double)x->recovered / lost : 100,
                QUALITY_MEDIAN_MIN, c.least_repair);
    quality_add(q, "freezes per minute", "", f.count, QUALITY_MEDIAN_MAX, c.freezes_per_min);
    quality_add(q, "stalls over 500 ms", "", f.stalls, QUALITY_REPORT, 0);
    quality_add(q, "pictures per second", "", scene_fps(v, 0, 0, S(5), S(65)), QUALITY_REPORT, 0);
    quality_add(q, "top layer", "%", 100 * scene_share(v, 0, 2, S(5), S(65)), QUALITY_REPORT, 0);
    quality_add(q, "layer switches", "", scene_switches(v, 0, S(5), S(65)), QUALITY_REPORT, 0);
    quality_add(q, "queue p95", "ms", (double)scene_queue_us(v, S(5), S(65), 0.95) / 1e3,
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_loss_1(struct quality_run *q)
{
    random_loss(q, (struct loss_case){scene_camera(), 0.01, 95, 99.9, 0});
}

void quality_loss_5(struct quality_run *q)
{
    random_loss(q, (struct loss_case){scene_camera(), 0.05, 85, 99.5, 0});
}

void quality_loss_5_ksvc(struct quality_run *q)
{
    random_loss(q, (struct loss_case){scene_ksvc_camera(), 0.05, 85, 99.5, 0});
}

void quality_loss_10(struct quality_run *q)
{
    random_loss(q, (struct loss_case){scene_camera(), 0.10, 70, 98, 2});
}

/* Audio alone of so many lost, for a viewer that reads RED and for one that does not: no number of
 * the design's, but what copies are for. */
void quality_loss_audio(struct quality_run *q)
{
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    struct scene_viewer *v[2];
    for (int i = 0; i < 2; i++) {
        struct wire *w = scene_wire(s, &(struct wire_params){.delay_us = MS(25), .loss = 0.10});
        v[i] = scene_view(
            s, &(struct scene_view_params){.stream = 7, .down = w, .red = i, .worker = i});
    }
    scene_run(s, S(65));
    quality_add(q, "audio frames lost without RED", "%", 100 * player_audio_loss(v[0]->player),
                QUALITY_REPORT, 0);
    quality_add(q, "audio frames lost with RED", "%", 100 * player_audio_loss(v[1]->player),
                QUALITY_MEDIAN_MAX, 0.5);
    quality_add(q, "copies that are none", "", (double)v[1]->player->audio_wrong, QUALITY_P95_MAX,
                0);
    quality_end(q, s);
}

static void burst_loss(struct quality_run *q, double mean, double least_repair)
{
    static const struct wire_step trace[] = {{0, 2500000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire *w = scene_wire(s, &(struct wire_params){.trace = trace,
                                                         .n_steps = 1,
                                                         .delay_us = MS(50),
                                                         .queue_us = MS(300),
                                                         .burst_loss = 0.03,
                                                         .burst_mean = mean});
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    struct scene_viewer *v =
        scene_view(s, &(struct scene_view_params){.stream = 7, .down = w, .red = true});
    scene_run(s, S(65));
    const struct video_rx *x = v->player->video[0];
    double lost = settle(s, w, x);
    struct scene_freezes f = scene_freezes(v, 0, S(5), S(65));
    quality_add(q, "repaired in time", "%", lost > 0 ? 100 * (double)x->recovered / lost : 100,
                QUALITY_MEDIAN_MIN, least_repair);
    quality_add(q, "freezes per minute", "", f.count, QUALITY_MEDIAN_MAX, 1);
    quality_add(q, "audio frames lost", "%", 100 * player_audio_loss(v->player), QUALITY_MEDIAN_MAX,
                0.5);
    quality_add(q, "stalls over 500 ms", "", f.stalls, QUALITY_REPORT, 0);
    quality_add(q, "top layer", "%", 100 * scene_share(v, 0, 2, S(5), S(65)), QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_burst_3(struct quality_run *q)
{
    burst_loss(q, 3, 99);
}

void quality_burst_8(struct quality_run *q)
{
    burst_loss(q, 8, 97);
}

/* The publisher's way to the router is as bad, so that the router's own NACKs are seen too. */
void quality_jitter(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 2500000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire_params bad = {.trace = trace,
                              .n_steps = 1,
                              .delay_us = MS(50),
                              .queue_us = MS(300),
                              .jitter_us = MS(17),
                              .jitter_max_us = MS(90),
                              .reorder = 0.01,
                              .reorder_depth = 5};
    struct wire *w = scene_wire(s, &bad);
    bad.trace = NULL;
    bad.delay_us = MS(20);
    struct wire *up = scene_wire(s, &bad);
    struct scene_publisher *p = scene_publish(s, 7, &cam, 1, up, NULL);
    scene_run(s, MS(500));
    struct scene_viewer *v =
        scene_view(s, &(struct scene_view_params){.stream = 7, .down = w, .lossy_source = true});
    scene_run(s, S(60));
    double least = 1e12, sum = 0;
    int n = 0;
    for (int64_t t = S(10); t < S(60); t += S(2), n++) {
        double fps = scene_fps(v, 0, 2, t, t + S(2));
        sum += fps;
        least = MIN(least, fps);
    }
    quality_add(q, "top layer, pictures in the worst two seconds against the mean", "%",
                100 * least / (sum / n), QUALITY_P95_MIN, 85);
    quality_add(q, "spurious NACKs of the router", "%",
                100 * (double)p->nacked / (double)up->delivered, QUALITY_MEDIAN_MAX, 0.5);
    quality_add(q, "spurious NACKs of the browser", "%",
                100 * (double)v->player->video[0]->asked_once / (double)w->delivered,
                QUALITY_REPORT, 0);
    quality_add(q, "top layer", "%", 100 * scene_share(v, 0, 2, S(10), S(60)), QUALITY_REPORT, 0);
    quality_add(q, "freezes", "", scene_freezes(v, 0, S(10), S(60)).count, QUALITY_REPORT, 0);
    quality_end(q, s);
}
