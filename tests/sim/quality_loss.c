/* SPDX-License-Identifier: Apache-2.0 */
/* quality_loss.c - networks that lose, delay and reorder: media-brain scenarios 9, 10, 11. */
#include "tests/sim/quality.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)
#define S(x)  ((x) * (int64_t)US_PER_S)

static void random_loss(struct quality_run *q, double loss, double least_use, double least_repair,
                        double freezes_per_min)
{
    static const struct wire_step trace[] = {{0, 2000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire *w = scene_wire(
        s,
        &(struct wire_params){
            .trace = trace, .n_steps = 1, .delay_us = MS(25), .queue_us = MS(300), .loss = loss});
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    struct scene_viewer *v = scene_view(s, &(struct scene_view_params){.stream = 7, .down = w});
    scene_run(s, S(65));
    /* The best point that fits is the whole top layer: use is the share of it that was shown. */
    double best = camera_cost_bps(s->publishers[0]->camera[0], 2, 0, 2);
    const struct video_rx *x = v->player->video[0];
    double lost = (double)(x->lost - x->late);
    struct scene_freezes f = scene_freezes(v, 0, S(5), S(65));
    quality_add(q, "use of the best point", "%", 100 * scene_shown_bps(v, 0, S(5), S(65)) / best,
                QUALITY_MEDIAN_MIN, least_use);
    quality_add(q, "repaired in time", "%", lost > 0 ? 100 * (double)x->recovered / lost : 100,
                QUALITY_MEDIAN_MIN, least_repair);
    quality_add(q, "freezes per minute", "", f.count, QUALITY_MEDIAN_MAX, freezes_per_min);
    quality_add(q, "stalls over 500 ms", "", f.stalls, QUALITY_REPORT, 0);
    quality_add(q, "top layer", "%", 100 * scene_share(v, 0, 2, S(5), S(65)), QUALITY_REPORT, 0);
    quality_add(q, "layer switches", "", scene_switches(v, 0, S(5), S(65)), QUALITY_REPORT, 0);
    quality_add(q, "queue p95", "ms", (double)scene_queue_us(v, S(5), S(65), 0.95) / 1e3,
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_loss_1(struct quality_run *q)
{
    random_loss(q, 0.01, 95, 99.9, 0);
}

void quality_loss_5(struct quality_run *q)
{
    random_loss(q, 0.05, 85, 99.5, 0);
}

void quality_loss_10(struct quality_run *q)
{
    random_loss(q, 0.10, 70, 98, 2);
}
