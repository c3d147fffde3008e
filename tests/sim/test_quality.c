/* SPDX-License-Identifier: Apache-2.0 */
/* Picture quality in virtual time: the table of quality.c, each scenario with 3 seeds or as
 * many as it needs (20 with TESTS_LONG set), held against its numbers. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/sim/quality.h"

static void expect_scenario(const char *id)
{
    const struct quality_scenario *sc = quality_find(id);
    cr_assert_not_null(sc, "no scenario %s", id);
    struct quality_sum sums[QUALITY_FIGURES];
    char fault[400];
    /* Fewer seeds than that: to see that it runs, since figures are luck then. */
    const char *few = getenv("SIM_SEEDS");
    int seeds = few ? atoi(few) : quality_is_long() ? 20 : 3;
    int n = quality_judge(sc, seeds, sums, fault, sizeof(fault));
    for (int i = 0; i < n; i++) {
        const struct quality_sum *f = &sums[i];
        printf("%-7s %-40s median %9.2f  p95 %9.2f  worst %9.2f %s%s\n", id, f->f.name, f->median,
               f->p95, f->worst, f->f.unit, f->ok ? "" : "  MISSED");
        if (sc->ready && !few) {
            cr_expect(f->ok, "%s: %s: %.2f %s, to be %s %.2f", sc->what, f->f.name, f->f.value,
                      f->f.unit,
                      f->f.rule == QUALITY_MEDIAN_MIN || f->f.rule == QUALITY_P95_MIN ? "at least"
                                                                                      : "at most",
                      f->f.limit);
        }
    }
    cr_expect(!fault[0], "%s: %s", sc->what, fault);
    if (fault[0]) {
        printf("%-7s %s\n", id, fault);
    }
}

static void expect_all(const char *const *ids)
{
    for (; *ids; ids++) {
        expect_scenario(*ids);
    }
}

#define EXPECT_ALL(...) expect_all((const char *const[]){__VA_ARGS__, NULL})

Test(quality, links_that_narrow_and_widen, .timeout = 600)
{
    EXPECT_ALL("1", "2", "8", "12");
}

Test(quality, links_that_narrow_and_widen_with_spatial_layers, .timeout = 600)
{
    EXPECT_ALL("2 VP9", "2 K-SVC", "2 AV1");
}

Test(quality, viewers_share_a_link, .timeout = 600)
{
    EXPECT_ALL("3", "5a", "5b", "links");
}

Test(quality, tcp_on_the_same_link, .timeout = 600)
{
    EXPECT_ALL("6 Reno", "6 Cubic", "7a", "7b");
}

Test(quality, feedback_that_is_lost, .timeout = 600)
{
    EXPECT_ALL("4");
}

Test(quality, loss, .timeout = 600)
{
    EXPECT_ALL("9a", "9b", "9c", "9d", "10a", "10b");
}

/* A camera that has sent for a second, and the way to its viewer: as wide as trace says, lossy. */
static struct wire *publish_behind(struct scene *s, const struct camera_params *cam,
                                   const struct wire_step *trace, double loss)
{
    struct wire *w = scene_wire(s, &(struct wire_params){.trace = trace,
                                                         .n_steps = 1,
                                                         .delay_us = 25 * US_PER_MS,
                                                         .queue_us = 300 * US_PER_MS,
                                                         .loss = loss});
    scene_publish(s, 7, cam, 1, NULL, NULL);
    scene_run(s, US_PER_S);
    return w;
}

Test(quality, lossy_viewers_are_asked_to_leave_time_for_repair)
{
    static const struct {
        double loss;
        int64_t least_us, most_us; /* asked for */
    } rows[] = {{0, 0, 0}, {0.05, 150 * US_PER_MS, 400 * US_PER_MS}};
    static const struct wire_step trace[] = {{0, 3000000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene *s = scene_new(3);
        struct camera_params cam = scene_camera();
        struct wire *w = publish_behind(s, &cam, trace, rows[i].loss);
        struct scene_viewer *v = scene_view(s, &(struct scene_view_params){.stream = 7, .down = w});
        scene_run(s, 15 * US_PER_S);
        const struct video_rx *x = v->player->video[0];
        cr_expect(rows[i].loss > 0 || x->lost == 0, "a picture cut off leaves no number out");
        int64_t asked_us = x->least_us;
        cr_expect(asked_us >= rows[i].least_us && asked_us <= rows[i].most_us, "%.2f lost: %ld us",
                  rows[i].loss, asked_us);
        w->p.loss = 0;
        scene_run(s, 25 * US_PER_S);
        cr_expect_eq(v->player->video[0]->least_us, 0, "no longer needed");
        scene_free(s);
    }
}

/* Copies of audio frames: for who reads them, while packets are lost, where the link has room. */
Test(quality, lossy_viewers_get_audio_in_copies)
{
    static const struct {
        const char *what;
        double loss;
        uint32_t bps;
        bool red, encrypted, copies;
    } rows[] = {
        {"lossy", 0.05, 3000000, true, false, true},
        {"clean", 0, 3000000, true, false, false},
        {"no RED", 0.05, 3000000, false, false, false},
        {"nobody but the receiver may look into it", 0.05, 3000000, true, true, false},
        {"no room", 0.05, 150000, true, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct wire_step trace[] = {{0, rows[i].bps}};
        struct scene *s = scene_new(i + 1);
        struct camera_params cam = scene_camera();
        cam.encrypted = cam.dd = rows[i].encrypted;
        struct wire *w = publish_behind(s, &cam, trace, rows[i].loss);
        struct scene_viewer *v = scene_view(
            s, &(struct scene_view_params){
                   .stream = 7, .down = w, .red = rows[i].red, .encrypted = rows[i].encrypted});
        scene_run(s, 20 * US_PER_S);
        uint64_t before = v->player->red_packets;
        scene_run(s, 10 * US_PER_S);
        uint64_t copied = v->player->red_packets - before;
        cr_expect(rows[i].copies ? copied > 300 : copied < 50, "%s: %lu of 500", rows[i].what,
                  copied);
        cr_expect_eq(v->player->audio_wrong, 0, "%s", rows[i].what);
        w->p.loss = 0;
        scene_run(s, 15 * US_PER_S);
        before = v->player->red_packets;
        scene_run(s, 5 * US_PER_S);
        cr_expect_eq(v->player->red_packets, before, "%s: no longer needed", rows[i].what);
        scene_free(s);
    }
}

Test(quality, jitter_policers_and_outages, .timeout = 600)
{
    EXPECT_ALL("11", "13", "14a", "14b");
}

Test(quality, joining, .timeout = 600)
{
    EXPECT_ALL("15a", "15b");
}

Test(quality, layers_that_stop, .timeout = 600)
{
    EXPECT_ALL("17", "17 said", "fresh", "fresh said");
}

Test(quality, a_crowd, .timeout = 900)
{
    EXPECT_ALL("18");
}

Test(quality, nine_tracks, .timeout = 900)
{
    EXPECT_ALL("19");
}

Test(quality, screens, .timeout = 600)
{
    EXPECT_ALL("20");
}

Test(quality, random_schedules_leave_every_stream_sound, .timeout = 600)
{
    EXPECT_ALL("22");
}

/* A viewer whose link was gone for a second, of a source with a key frame every 20 s and none on
 * request. What it missed is too much to be sent again, and its receiver asks for a key frame after
 * three seconds: it begins again with the stored one, in fast motion, and is in the present long
 * before the next. */
Test(quality, a_broken_picture_of_a_deaf_source_is_mended, .timeout = 60)
{
    static const struct wire_step trace[] = {{0, 8000000}};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct scene *s = scene_new(seed);
        struct camera_params cam = scene_camera();
        cam.n_layers = cam.n_temporal = 1;
        cam.kbps[0] = 1500;
        cam.ignores_pli = true;
        cam.gop_us = 20 * US_PER_S;
        scene_publish(s, 7, &cam, 1, NULL, NULL);
        struct wire *w = scene_link(s, trace, 1, 20 * US_PER_MS, 300 * US_PER_MS);
        struct scene_viewer *v = scene_view(
            s, &(struct scene_view_params){.stream = 7, .down = w, .worker = (int)(seed & 1)});
        scene_run(s, 26 * US_PER_S);
        w->p.loss = 1;
        scene_run(s, US_PER_S);
        w->p.loss = 0;
        int64_t back_us = s->start_us + scene_now(s), live_us = INT64_MAX;
        scene_run(s, 11 * US_PER_S);
        const struct video_rx *x = v->player->video[0];
        for (int i = 0; i < x->n_shown && live_us == INT64_MAX; i++) {
            const struct video_shown *f = &x->shown[i];
            bool is_live = f->at_us - f->capture_us < 400 * US_PER_MS;
            live_us = f->at_us > back_us && is_live ? f->at_us - back_us : INT64_MAX;
        }
        cr_expect_leq(live_us, 8 * US_PER_S, "seed %d: in the present after %ld ms", (int)seed,
                      (long)(live_us / US_PER_MS));
        cr_expect_leq(x->plis, 2, "seed %d: %lu requests", (int)seed, x->plis);
        cr_expect_leq(w->dropped_queue, 300, "seed %d: of 2,000 in one burst 1,900", (int)seed);
        scene_free(s);
    }
}
