/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/quality.h"

#include <stdlib.h>
#include <string.h>

const struct quality_scenario quality_scenarios[] = {
    {"1", "RFC 8867 5.1: 1.0, 2.5, 0.6, 1.0 Mbps", quality_ramp, false, 0},
    {"2", "2.5, 0.6, 2.5 Mbps, 30 s each", quality_drop, true, 0, 9},
    {"2 VP9", "the same, VP9 with three spatial layers", quality_drop_vp9, true, 0, 9},
    {"2 K-SVC", "the same, VP9 K-SVC", quality_drop_ksvc, true, 0, 9},
    {"2 AV1", "the same, AV1 with three spatial layers", quality_drop_av1, true, 0, 9},
    {"3", "two viewers on one link of 4, 2, 3.5, 1, 2 Mbps", quality_two_viewers, false, 0},
    {"4", "feedback through a link that is full", quality_feedback, false, 0},
    {"5a", "three viewers come to one link of 3.5 Mbps", quality_three_flows, false, 0},
    {"5b", "five round trips from 20 to 300 ms on one link", quality_five_rtts, false, 0},
    {"6 Reno", "against an endless TCP Reno on 2 Mbps", quality_reno, false, 0},
    {"6 Cubic", "against an endless TCP Cubic on 2 Mbps", quality_cubic, false, 0},
    {"7a", "ten short TCP transfers on 2 Mbps", quality_short_tcp, false, 0},
    {"7b", "2 MB of TCP beside 2.7 Mbps on 5 Mbps", quality_upload, false, 0},
    {"8", "the source pauses for 20 s", quality_pause, true, 0},
    {"9a", "random loss of 1 % on 2 Mbps", quality_loss_1, false, 0},
    {"9b", "random loss of 5 % on 2 Mbps", quality_loss_5, false, 0},
    {"9b K-SVC", "the same, VP9 K-SVC", quality_loss_5_ksvc, false, 0},
    {"9c", "random loss of 10 % on 2 Mbps", quality_loss_10, false, 0},
    {"9d", "audio, random loss of 10 %", quality_loss_audio, true, 0},
    {"10a", "3 % lost in bursts of 3", quality_burst_3, true, 0},
    {"10b", "3 % lost in bursts of 8", quality_burst_8, true, 0},
    {"11", "jitter of 30 ms, 1 % reordered by 5", quality_jitter, true, 0},
    {"12", "130 ms more delay from one moment on", quality_delay_step, true, 0},
    {"13", "a policer of 256 kbps on 5 Mbps", quality_policer, true, 0},
    {"14a", "an outage of 500 ms every 5 s on 4 Mbps", quality_outages, true, 0},
    {"14b", "a mobile link", quality_mobile, false, 0},
    {"15a", "join on 5 Mbps, round trip 40 ms", quality_join, true, 0},
    {"15b", "the same, a source that ignores key frame wishes", quality_join_deaf, true, 0, 20},
    {"17", "top layer stops, then all but the lowest", quality_layer_death, true, 0},
    {"17 said", "the same, the publisher says so (VLA)", quality_layer_death_said, true, 0},
    {"fresh", "a publisher adds layer to layer", quality_fresh, false, 0},
    {"fresh said", "the same, the publisher says so (VLA)", quality_fresh_said, false, 0},
    {"18", "1,000 viewers join in 5 s, 20 with loss", quality_storm, false, 2},
    {"19", "nine tracks on 3 Mbps that vary by 10 %", quality_nine_tracks, true, 5},
    {"20", "a screen with a new slide every 5 s", quality_slides, false, 0},
    {"links", "three viewers on 5, 1 and 0.3 Mbps", quality_three_links, false, 0},
    {"22", "random loss, reordering and switches, source included", quality_schedules, true, 0},
    {0},
};

const struct quality_scenario *quality_find(const char *id)
{
    for (const struct quality_scenario *s = quality_scenarios; s->id; s++) {
        if (strcmp(s->id, id) == 0) {
            return s;
        }
    }
    return NULL;
}

bool quality_is_long(void)
{
    return getenv("TESTS_LONG") != NULL;
}

void quality_add(struct quality_run *q, const char *name, const char *unit, double value,
                 enum quality_rule rule, double limit)
{
    assert(q->n < QUALITY_FIGURES);
    q->f[q->n++] = (struct quality_figure){
        .name = name, .unit = unit, .rule = rule, .limit = limit, .value = value};
}

static void write_trace(FILE *out, const struct scene_viewer *v)
{
    fprintf(out, "{\"samples\":[");
    for (int i = 0; i < v->n_samples; i++) {
        const struct scene_sample *s = &v->samples[i];
        fprintf(out, "%s\n[%.3f,%u,%u,%u,%u,%u,%u,%d,%d,\"%s\",\"%s\",%u,%u,%u]", i ? "," : "",
                (double)s->at_us / 1e6, s->link_bps == UINT32_MAX ? 0 : s->link_bps,
                s->estimate_bps, (unsigned)(s->sent * 8ULL * US_PER_S / SCENE_SAMPLE_US),
                (unsigned)(s->delivered * 8ULL * US_PER_S / SCENE_SAMPLE_US),
                (unsigned)(s->rtx * 8ULL * US_PER_S / SCENE_SAMPLE_US), s->queue_us, s->layer,
                s->tid, s->why ? s->why : "", s->moved ? s->moved : "", s->aim_bps, s->backlog_us,
                s->loss_q8);
    }
    fprintf(out, "],\n\"shown\":[");
    const struct video_rx *x = v->player->video[0];
    for (int i = 0; i < x->n_shown; i++) {
        fprintf(out, "%s[%.3f,%d,%d,%d]", i ? "," : "",
                (double)(x->shown[i].at_us - v->scene->start_us) / 1e6,
                x->shown[i].layer + x->shown[i].sid, x->shown[i].tid, x->shown[i].key);
    }
    fprintf(out, "]}\n");
}

void quality_end(struct quality_run *q, struct scene *s)
{
    uint64_t faulty = 0;
    for (int i = 0; i < s->n_viewers; i++) {
        char text[400];
        if (!scene_clean(s->viewers[i], text, sizeof(text))) {
            faulty++;
            if (!q->fault[0]) {
                snprintf(q->fault, sizeof(q->fault), "seed %lu, viewer %d: %.350s", q->seed, i,
                         text);
            }
        }
    }
    quality_add(q, "viewers whose stream is faulty", "", (double)faulty, QUALITY_EVERY_MAX, 0);
    if (q->trace) {
        write_trace(q->trace, s->viewers[MIN(q->viewer, s->n_viewers - 1)]);
    }
    scene_free(s);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void judge(struct quality_sum *out, const double *values, int n)
{
    double v[QUALITY_SEEDS];
    bool least = out->f.rule == QUALITY_MEDIAN_MIN || out->f.rule == QUALITY_P95_MIN;
    memcpy(v, values, (size_t)n * sizeof(*v));
    qsort(v, (size_t)n, sizeof(*v), by_value);
    int tail = n / 20; /* seeds that may miss a P95 */
    out->median = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
    out->p95 = least ? v[tail] : v[n - 1 - tail];
    out->worst = least ? v[0] : v[n - 1];
    bool median = out->f.rule == QUALITY_MEDIAN_MAX || out->f.rule == QUALITY_MEDIAN_MIN;
    out->f.value = out->f.rule == QUALITY_EVERY_MAX ? out->worst : median ? out->median : out->p95;
    out->ok = out->f.rule == QUALITY_REPORT ||
              (least ? out->f.value >= out->f.limit : out->f.value <= out->f.limit);
}

int quality_judge(const struct quality_scenario *sc, int n, struct quality_sum *out, char *fault,
                  size_t cap)
{
    static double values[QUALITY_FIGURES][QUALITY_SEEDS];
    struct quality_run q = {0};
    n = MIN(sc->seeds ? MIN(n, sc->seeds) : n > 1 ? MAX(n, sc->least) : n, QUALITY_SEEDS);
    fault[0] = 0;
    for (int i = 0; i < n; i++) {
        q = (struct quality_run){.seed = (uint64_t)i + 1};
        sc->run(&q);
        for (int k = 0; k < q.n; k++) {
            values[k][i] = q.f[k].value;
            out[k].f = q.f[k];
        }
        if (!fault[0]) {
            snprintf(fault, cap, "%s", q.fault);
        }
    }
    for (int k = 0; k < q.n; k++) {
        judge(&out[k], values[k], n);
    }
    return q.n;
}
