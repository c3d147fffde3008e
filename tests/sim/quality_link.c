/* SPDX-License-Identifier: Apache-2.0 */
/* quality_link.c - one viewer on a link that changes: media-brain scenarios 1, 2, 8, 12, 13, 14. */
#include "tests/sim/quality.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)
#define S(x)  ((x) * (int64_t)US_PER_S)

static double seconds(int64_t us, int64_t since_us)
{
    return us < 0 ? QUALITY_NEVER : (double)(us - since_us) / 1e6;
}

/* A camera, and a viewer behind this link from 0.5 s on. */
static struct scene_viewer *watch(struct scene *s, struct wire *w, const struct camera_params *cam)
{
    scene_publish(s, 7, cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    return scene_view(s, &(struct scene_view_params){.stream = 7, .codec = cam->codec, .down = w});
}

static struct scene_viewer *one_viewer(struct scene *s, struct wire *w)
{
    struct camera_params cam = scene_camera();
    return watch(s, w, &cam);
}

/* RFC 8867 5.1. Best points: 1.0 Mbps carries the middle layer whole, 2.5 the top, 0.6 the middle
 * one at 15 fps with room to spare. */
void quality_ramp(struct quality_run *q)
{
    static const struct wire_step trace[] = {
        {0, 1000000}, {S(40), 2500000}, {S(60), 600000}, {S(80), 1000000}};
    struct scene *s = scene_new(q->seed);
    struct wire *w = scene_wire(s, &(struct wire_params){.trace = trace,
                                                         .n_steps = ARRAY_LEN(trace),
                                                         .delay_us = MS(50),
                                                         .queue_us = MS(300),
                                                         .jitter_us = MS(5),
                                                         .jitter_max_us = MS(30)});
    struct scene_viewer *v = one_viewer(s, w);
    scene_run(s, S(100));
    double mid = camera_cost_bps(s->publishers[0]->camera[0], 1, 0, 2);
    struct scene_freezes f = scene_freezes(v, 0, S(5), S(100));
    quality_add(q, "up to the middle layer at the start", "s",
                seconds(scene_first(v, 0, 1, 0), MS(500)), QUALITY_P95_MAX, 4);
    quality_add(q, "up to the top layer at 2.5 Mbps", "s",
                seconds(scene_settled(v, 0, 2, S(40), S(60)), S(40)), QUALITY_P95_MAX, 4);
    quality_add(q, "up to the whole middle layer at 1 Mbps", "s",
                seconds(scene_fluent(v, 0, 1, 27, S(80), S(100)), S(80)), QUALITY_P95_MAX, 4);
    quality_add(q, "down: sending at most 0.6 Mbps", "s",
                seconds(scene_sending_below(v, S(60), S(80), 600000), S(60)), QUALITY_P95_MAX, 0.5);
    quality_add(q, "queue p95", "ms", (double)scene_queue_us(v, S(1), S(100), 0.95) / 1e3,
                QUALITY_P95_MAX, 60);
    quality_add(q, "queue above 200 ms in all", "s",
                (double)scene_queue_above(v, 0, S(100), MS(200)) / 1e6, QUALITY_P95_MAX, 1);
    quality_add(q, "use of the best point at 1 Mbps", "%",
                100 * MIN(scene_shown_bps(v, 0, S(5), S(40)) / mid, 1.0), QUALITY_MEDIAN_MIN, 95);
    quality_add(q, "use of the best point at 2.5 Mbps", "%",
                100 * scene_shown_bps(v, 0, S(45), S(60)) / 1500000, QUALITY_MEDIAN_MIN, 95);
    quality_add(q, "use of the best point at 0.6 Mbps", "%",
                100 * scene_shown_bps(v, 0, S(65), S(80)) / (0.6 * mid), QUALITY_MEDIAN_MIN, 95);
    quality_add(q, "freezes", "", f.count, QUALITY_P95_MAX, 1);
    quality_add(q, "longest gap", "ms", (double)f.longest_us / 1e3, QUALITY_P95_MAX, 300);
    quality_add(q, "layer switches", "", scene_switches(v, 0, S(1), S(100)), QUALITY_P95_MAX, 6);
    quality_end(q, s);
}

static void drop(struct quality_run *q, struct camera_params cam)
{
    static const struct wire_step trace[] = {{0, 2500000}, {S(30), 600000}, {S(60), 2500000}};
    struct scene *s = scene_new(q->seed);
    struct scene_viewer *v =
        watch(s, scene_link(s, trace, ARRAY_LEN(trace), MS(50), MS(300)), &cam);
    scene_run(s, S(90));
    struct scene_freezes f = scene_freezes(v, 0, S(5), S(90));
    quality_add(q, "top layer back", "s", seconds(scene_settled(v, 0, 2, S(60), S(90)), S(60)),
                QUALITY_MEDIAN_MAX, 6);
    quality_add(q, "top layer back, slowest", "s",
                seconds(scene_settled(v, 0, 2, S(60), S(90)), S(60)), QUALITY_P95_MAX, 10);
    quality_add(q, "relapses after it first was back", "",
                scene_first(v, 0, 2, S(60)) != scene_settled(v, 0, 2, S(60), S(90)), QUALITY_REPORT,
                0);
    quality_add(q, "queue p95 while narrow", "ms",
                (double)scene_queue_us(v, S(31), S(60), 0.95) / 1e3, QUALITY_MEDIAN_MAX, 100);
    quality_add(q, "sending below the link after the drop", "s",
                seconds(scene_sending_below(v, S(30), S(60), 600000), S(30)), QUALITY_REPORT, 0);
    quality_add(q, "stalls over 500 ms", "", f.stalls, QUALITY_MEDIAN_MAX, 0);
    quality_add(q, "longest gap", "ms", (double)f.longest_us / 1e3, QUALITY_REPORT, 0);
    quality_add(q, "freezes", "", f.count, QUALITY_REPORT, 0);
    quality_add(q, "use while narrow", "%", 100 * scene_delivered_bps(v, S(35), S(60)) / 600000,
                QUALITY_REPORT, 0);
    quality_add(q, "top layer while wide", "%", 100 * scene_share(v, 0, 2, S(10), S(30)),
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_drop(struct quality_run *q)
{
    drop(q, scene_camera());
}

void quality_drop_vp9(struct quality_run *q)
{
    drop(q, scene_svc_camera(CODEC_VP9));
}

void quality_drop_av1(struct quality_run *q)
{
    drop(q, scene_svc_camera(CODEC_AV1));
}

void quality_drop_ksvc(struct quality_run *q)
{
    drop(q, scene_ksvc_camera());
}

/* RFC 8867 5.8 */
void quality_pause(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 2500000}};
    struct scene *s = scene_new(q->seed);
    struct scene_viewer *v = one_viewer(s, scene_link(s, trace, 1, MS(50), MS(300)));
    struct camera *c = s->publishers[0]->camera[0];
    scene_run(s, S(40));
    for (int i = 0; i < 3; i++) {
        c->layer[i].paused = true;
    }
    scene_run(s, S(20));
    int64_t back = scene_now(s);
    for (int i = 0; i < 3; i++) {
        c->layer[i].paused = false;
        c->layer[i].key_wanted = true; /* an encoder starts anew */
    }
    scene_run(s, S(20));
    quality_add(q, "top layer again", "s", seconds(scene_settled(v, 0, 2, back, S(90)), back),
                QUALITY_P95_MAX, 2);
    quality_add(q, "first picture again", "s", seconds(scene_first(v, 0, 0, back), back),
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_delay_step(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 2500000}};
    struct scene *s = scene_new(q->seed);
    struct wire *w = scene_wire(s, &(struct wire_params){.trace = trace,
                                                         .n_steps = 1,
                                                         .delay_us = MS(50),
                                                         .queue_us = MS(300),
                                                         .step_at_us = S(20),
                                                         .step_us = MS(130)});
    struct scene_viewer *v = one_viewer(s, w);
    scene_run(s, S(40));
    quality_add(q, "back to 90 % for good", "s",
                seconds(scene_fluent(v, 0, 2, 27, S(20), S(40)), S(20)), QUALITY_P95_MAX, 5);
    quality_add(q, "top layer after the step", "%", 100 * scene_share(v, 0, 2, S(20), S(40)),
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_policer(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 5000000}};
    struct scene *s = scene_new(q->seed);
    struct wire *w = scene_wire(s, &(struct wire_params){.trace = trace,
                                                         .n_steps = 1,
                                                         .delay_us = MS(50),
                                                         .queue_us = MS(300),
                                                         .police_bps = 256000,
                                                         .police_bytes = 16000});
    struct scene_viewer *v = one_viewer(s, w);
    scene_run(s, S(10));
    uint64_t sent = w->sent, dropped = w->dropped_police;
    scene_run(s, S(30));
    quality_add(q, "delivered", "kbps", scene_delivered_bps(v, S(10), S(40)) / 1e3,
                QUALITY_MEDIAN_MIN, 180);
    quality_add(q, "loss after 10 s", "%",
                100 * (double)(w->dropped_police - dropped) / (double)(w->sent - sent),
                QUALITY_MEDIAN_MAX, 5);
    struct scene_freezes f = scene_freezes(v, 0, S(10), S(40));
    quality_add(q, "freezes after 10 s", "", f.count, QUALITY_REPORT, 0);
    quality_add(q, "stalls over 500 ms", "", f.stalls, QUALITY_REPORT, 0);
    quality_end(q, s);
}

void quality_outages(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 4000000}};
    struct scene *s = scene_new(q->seed);
    struct wire *w = scene_wire(s, &(struct wire_params){.trace = trace,
                                                         .n_steps = 1,
                                                         .delay_us = MS(50),
                                                         .queue_us = MS(300),
                                                         .outage_every_us = S(5),
                                                         .outage_us = MS(500)});
    struct scene_viewer *v = one_viewer(s, w);
    scene_run(s, S(60));
    struct scene_freezes f = scene_freezes(v, 0, S(4), S(60));
    quality_add(q, "delivered", "kbps", scene_delivered_bps(v, S(4), S(60)) / 1e3,
                QUALITY_MEDIAN_MIN, 1500);
    quality_add(q, "longest gap", "ms", (double)f.longest_us / 1e3, QUALITY_P95_MAX, 800);
    quality_add(q, "freezes", "", f.count, QUALITY_REPORT, 0);
    quality_add(q, "top layer", "%", 100 * scene_share(v, 0, 2, S(4), S(60)), QUALITY_REPORT, 0);
    quality_end(q, s);
}

/* A mobile link: its rate walks between 0.4 and 12 Mbps, a step every 200 ms, now and then nothing
 * for a moment. */
void quality_mobile(struct quality_run *q)
{
    enum { STEPS = 300 };
    static struct wire_step trace[STEPS];
    struct scene *s = scene_new(q->seed);
    double x = 0, mean = 0;
    for (int i = 0; i < STEPS; i++) {
        x += (sim_random(s->sim) - 0.5) * 0.7 - x * 0.04;
        double bps = 3e6 * (x > 0 ? 1 + 2 * x : 1 / (1 - 3 * x));
        bps = MIN(MAX(bps, 400e3), 12e6);
        trace[i] = (struct wire_step){MS(200) * i, sim_random(s->sim) < 0.01 ? 0 : (uint32_t)bps};
        mean += MIN(bps, 1.7e6) / STEPS;
    }
    struct scene_viewer *v = one_viewer(s, scene_link(s, trace, STEPS, MS(40), MS(600)));
    scene_run(s, S(59));
    struct scene_freezes f = scene_freezes(v, 0, S(4), S(59));
    quality_add(q, "delivered of what could be", "%",
                100 * scene_delivered_bps(v, S(4), S(59)) / mean, QUALITY_REPORT, 0);
    quality_add(q, "queue p95", "ms", (double)scene_queue_us(v, S(4), S(59), 0.95) / 1e3,
                QUALITY_REPORT, 0);
    quality_add(q, "freezes per minute", "", f.count, QUALITY_REPORT, 0);
    quality_add(q, "stalls over 500 ms", "", f.stalls, QUALITY_REPORT, 0);
    quality_add(q, "layer switches", "", scene_switches(v, 0, S(4), S(59)), QUALITY_REPORT, 0);
    quality_end(q, s);
}
