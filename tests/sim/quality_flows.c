/* SPDX-License-Identifier: Apache-2.0 */
/* quality_flows.c - several flows on one link, and links whose way back is narrow: media-brain
 * scenarios 3, 4, 5, 6, 7, and three viewers on links of their own. */
#include "tests/sim/quality.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)
#define S(x)  ((x) * (int64_t)US_PER_S)

static double jain(const double *x, int n)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        sum += x[i];
        squares += x[i] * x[i];
    }
    return squares > 0 ? sum * sum / (n * squares) : 0;
}

/* Fairness of the rates that reached the first n viewers. */
static double fairness(const struct scene *s, int n, int64_t from_us, int64_t to_us)
{
    double rates[8];
    for (int i = 0; i < n; i++) {
        rates[i] = scene_delivered_bps(s->viewers[i], from_us, to_us);
    }
    return jain(rates, n);
}

/* Layers come in steps, and steps bound fairness. With headers a viewer can have 175 kbps (the low
 * layer whole), 340 and 575 (the middle one at 15 and 30 pictures a second), 1,000 and 1,660 (the
 * top one). Of points that stay as they are, the best that a link carries:
 *
 *   2 Mbps, two     1000 + 575             79 % used, fairness .932   (575 + 575: 58 %, 1)
 *   1 Mbps, two     575 + 340              92 %, .938                 (340 + 340: 68 %, 1)
 *   3.5 Mbps, three 1000 + 1000 + 1000     86 %, 1
 *   4 Mbps, five    2 x 1000 + 3 x 575     93 %, .928
 *
 * So with two viewers .95 is had by taking turns, or by leaving a third of the link unused. */
static struct scene_viewer *view(struct scene *s, struct wire *w, int64_t back_us)
{
    struct wire *up = scene_wire(s, &(struct wire_params){.delay_us = back_us});
    return scene_view(s, &(struct scene_view_params){.stream = 7, .down = w, .up = up});
}

void quality_two_viewers(struct quality_run *q)
{
    static const struct wire_step trace[] = {
        {0, 4000000}, {S(25), 2000000}, {S(50), 3500000}, {S(75), 1000000}, {S(100), 2000000}};
    static const char *const names[] = {"fairness at 4 Mbps", "fairness at 2 Mbps",
                                        "fairness at 3.5 Mbps", "fairness at 1 Mbps",
                                        "fairness at 2 Mbps again"};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire *w = scene_link(s, trace, ARRAY_LEN(trace), MS(50), MS(300));
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    view(s, w, MS(50));
    scene_run(s, MS(200));
    view(s, w, MS(50));
    scene_run(s, S(125));
    for (int i = 0; i < 5; i++) {
        quality_add(q, names[i], "", fairness(s, 2, S(25) * i + S(10), S(25) * (i + 1)),
                    QUALITY_MEDIAN_MIN, 0.95);
    }
    quality_add(q, "queue p95", "ms",
                (double)scene_queue_us(s->viewers[0], S(5), S(125), 0.95) / 1e3, QUALITY_REPORT, 0);
    quality_end(q, s);
}

/* RFC 8867 5.3: what comes back shares its link with media that goes the other way. */
static double with_feedback(struct quality_run *q, bool congested, struct scene **ret)
{
    static const struct wire_step fwd[] = {
        {0, 2000000}, {S(20), 1000000}, {S(40), 500000}, {S(60), 2000000}};
    static const struct wire_step back[] = {{0, 2000000}, {S(35), 800000}, {S(70), 2000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire *down = scene_link(s, fwd, ARRAY_LEN(fwd), MS(50), MS(300));
    struct wire *up = congested ? scene_link(s, back, ARRAY_LEN(back), MS(50), MS(300))
                                : scene_wire(s, &(struct wire_params){.delay_us = MS(50)});
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    struct scene_viewer *v =
        scene_view(s, &(struct scene_view_params){.stream = 7, .down = down, .up = up});
    if (congested) {
        scene_fill(s, up, 1.0, S(5), S(100));
    }
    scene_run(s, S(100));
    *ret = s;
    return scene_shown_bps(v, 0, S(5), S(100));
}

void quality_feedback(struct quality_run *q)
{
    struct scene *good, *bad;
    double a = with_feedback(q, false, &good), b = with_feedback(q, true, &bad);
    double worst = 1;
    for (int64_t t = S(10); t < S(100); t += S(5)) {
        /* Five seconds of a phase, its beginning left out. */
        double was = scene_shown_bps(good->viewers[0], 0, t, t + S(5));
        double is = scene_shown_bps(bad->viewers[0], 0, t, t + S(5));
        if (t % S(20) >= S(10) && was > 0) {
            worst = MIN(worst, is / was);
        }
    }
    quality_add(q, "shown, of what is shown with free feedback", "%", 100 * b / a,
                QUALITY_MEDIAN_MIN, 85);
    quality_add(q, "worst five seconds against the same", "%", 100 * worst, QUALITY_MEDIAN_MIN, 85);
    quality_add(q, "feedback lost", "%",
                100 * (double)bad->viewers[0]->up->dropped_queue /
                    (double)bad->viewers[0]->up->sent,
                QUALITY_REPORT, 0);
    scene_free(good);
    quality_end(q, bad);
}

void quality_three_flows(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 3500000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire *w = scene_link(s, trace, 1, MS(50), MS(300));
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    for (int i = 0; i < 3; i++) {
        view(s, w, MS(50));
        scene_run(s, S(20));
    }
    scene_run(s, S(60));
    quality_add(q, "fairness of three from 60 to 120 s", "", fairness(s, 3, S(60), S(120)),
                QUALITY_MEDIAN_MIN, 0.95);
    quality_add(q, "fairness of two from 30 to 40 s", "", fairness(s, 2, S(30), S(40)),
                QUALITY_REPORT, 0);
    quality_add(q, "use of the link", "%",
                100 *
                    (scene_delivered_bps(s->viewers[0], S(60), S(120)) +
                     scene_delivered_bps(s->viewers[1], S(60), S(120)) +
                     scene_delivered_bps(s->viewers[2], S(60), S(120))) /
                    3.5e6,
                QUALITY_REPORT, 0);
    quality_add(q, "queue p95", "ms",
                (double)scene_queue_us(s->viewers[0], S(60), S(120), 0.95) / 1e3, QUALITY_REPORT,
                0);
    quality_end(q, s);
}

void quality_five_rtts(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 4000000}};
    static const int rtts_ms[] = {20, 50, 100, 200, 300};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire *w = scene_link(s, trace, 1, MS(5), MS(300));
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    for (unsigned i = 0; i < ARRAY_LEN(rtts_ms); i++) {
        view(s, w, MS(rtts_ms[i] - 5));
        scene_run(s, MS(100));
    }
    scene_run(s, S(80));
    quality_add(q, "fairness from 20 to 80 s", "", fairness(s, 5, S(20), S(80)), QUALITY_MEDIAN_MIN,
                0.90);
    quality_end(q, s);
}

/* RFC 8867 5.6: against TCP that never ends. */
static void against_tcp(struct quality_run *q, bool cubic)
{
    static const struct wire_step trace[] = {{0, 2000000}};
    static const struct {
        const char *share, *least;
        int64_t queue_us;
    } rows[] = {
        {"share of the link, queue of 300 ms", "shown, worst 5 s, queue of 300 ms", MS(300)},
        {"share of the link, queue of 1 s", "shown, worst 5 s, queue of 1 s", MS(1000)}};
    struct scene *s = NULL;
    for (int i = 0; i < 2; i++) {
        if (s) {
            scene_free(s);
        }
        s = scene_new(q->seed);
        struct camera_params cam = scene_camera();
        struct wire *w = scene_link(s, trace, 1, MS(50), rows[i].queue_us);
        scene_publish(s, 7, &cam, 1, NULL, NULL);
        scene_run(s, MS(500));
        struct scene_viewer *v = view(s, w, MS(50));
        scene_flow(s, w,
                   &(struct tcp_params){.cubic = cubic, .return_us = MS(50), .start_us = S(5)});
        scene_run(s, S(120));
        double least = 1e12;
        for (int64_t t = S(20); t < S(120); t += S(5)) {
            least = MIN(least, scene_shown_bps(v, 0, t, t + S(5)));
        }
        quality_add(q, rows[i].share, "%", 100 * scene_delivered_bps(v, S(20), S(120)) / 2e6,
                    QUALITY_REPORT, 0);
        quality_add(q, rows[i].least, "kbps", least / 1e3, QUALITY_REPORT, 0);
    }
    quality_end(q, s);
}

void quality_reno(struct quality_run *q)
{
    against_tcp(q, false);
}

void quality_cubic(struct quality_run *q)
{
    against_tcp(q, true);
}

/* RFC 8867 5.7: ten short transfers at random moments. */
void quality_short_tcp(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 2000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct wire *w = scene_link(s, trace, 1, MS(50), MS(300));
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    struct scene_viewer *v = view(s, w, MS(50));
    for (int i = 0; i < 10; i++) {
        scene_flow(s, w,
                   &(struct tcp_params){.cubic = true,
                                        .return_us = MS(50),
                                        .bytes = 100000 + (uint64_t)(wire_random(w) * 400000),
                                        .start_us = S(10) + (int64_t)(wire_random(w) * S(60))});
    }
    scene_run(s, S(100));
    struct scene_freezes f = scene_freezes(v, 0, S(5), S(100));
    quality_add(q, "shown", "kbps", scene_shown_bps(v, 0, S(10), S(100)) / 1e3, QUALITY_REPORT, 0);
    quality_add(q, "freezes", "", f.count, QUALITY_REPORT, 0);
    quality_add(q, "stalls over 500 ms", "", f.stalls, QUALITY_REPORT, 0);
    quality_end(q, s);
}

/* 2 MB from elsewhere in the middle of a 2.5 Mbps picture on 5 Mbps. */
void quality_upload(struct quality_run *q)
{
    static const struct wire_step trace[] = {{0, 5000000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    cam.kbps[1] = 800;
    cam.kbps[2] = 2700;
    struct wire *w = scene_link(s, trace, 1, MS(50), MS(300));
    scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    struct scene_viewer *v = view(s, w, MS(50));
    struct tcp_flow *f =
        scene_flow(s, w,
                   &(struct tcp_params){
                       .cubic = true, .return_us = MS(50), .bytes = 2000000, .start_us = S(15)});
    scene_run(s, S(60));
    int64_t done = f->done_us - s->start_us;
    int64_t back = scene_fluent(v, 0, 2, 27, done, S(60));
    quality_add(q, "2.5 Mbps after the upload", "s",
                f->done_us < 0 || back < 0 ? QUALITY_NEVER : (double)(back - done) / 1e6,
                QUALITY_REPORT, 5);
    quality_add(q, "upload took", "s",
                f->done_us < 0 ? QUALITY_NEVER : (double)(done - S(15)) / 1e6, QUALITY_REPORT, 0);
    quality_add(q, "stalls over 500 ms", "", scene_freezes(v, 0, S(5), S(60)).stalls,
                QUALITY_REPORT, 0);
    quality_end(q, s);
}

/* One source, three links: each viewer on its layer, none disturbed by the others. */
void quality_three_links(struct quality_run *q)
{
    static const struct wire_step wide[] = {{0, 5000000}}, middle[] = {{0, 1000000}},
                                  narrow[] = {{0, 300000}};
    struct scene *s = scene_new(q->seed);
    struct camera_params cam = scene_camera();
    struct scene_publisher *p = scene_publish(s, 7, &cam, 1, NULL, NULL);
    scene_run(s, MS(500));
    const struct wire_step *const traces[] = {wide, middle, narrow};
    struct scene_viewer *v[3];
    for (int i = 0; i < 3; i++) {
        v[i] =
            scene_view(s, &(struct scene_view_params){
                              .stream = 7, .down = scene_link(s, traces[i], 1, MS(30), MS(300))});
    }
    scene_run(s, S(60));
    static const char *const names[] = {"5 Mbps: top layer", "1 Mbps: middle layer or more",
                                        "0.3 Mbps: lowest layer or more"};
    for (int i = 0; i < 3; i++) {
        quality_add(q, names[i], "%", 100 * scene_share(v[i], 0, 2 - i, S(10), S(60)),
                    QUALITY_MEDIAN_MIN, 95);
    }
    int freezes = 0;
    for (int i = 0; i < 3; i++) {
        freezes += scene_freezes(v[i], 0, S(10), S(60)).count;
    }
    quality_add(q, "freezes", "", freezes, QUALITY_MEDIAN_MAX, 0);
    quality_add(q, "key frame wishes that reached the source", "per min",
                (double)p->camera[0]->plis, QUALITY_REPORT, 0);
    quality_end(q, s);
}
