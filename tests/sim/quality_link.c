/* SPDX-License-Identifier: Apache-2.0 */
/* quality_link.c - one viewer on a link that changes: media-brain scenarios 1, 2, 8, 12, 13, 14. */
#include "tests/sim/quality.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)
#define S(x)  ((x) * (int64_t)US_PER_S)

static double seconds(int64_t us, int64_t since_us)
{
    return us < 0 ? 999 : (double)(us - since_us) / 1e6;
}

void quality_drop(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 2500000}, {S(30), 600000}, {S(60), 2500000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire *w = scene_link(s, trace, ARRAY_LEN(trace), MS(50), MS(300));
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    struct scene_viewer *v = scene_view(s, &(struct scene_view_params){.stream = 7, .down = w});
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
