/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/quality.h"

#include <stdlib.h>
#include <string.h>

const struct quality_scenario quality_scenarios[] = {
    {"2", "2.5, 0.6, 2.5 Mbps, 30 s each", quality_drop, false, 0},
    {"9a", "random loss of 1 % on 2 Mbps", quality_loss_1, false, 0},
    {"9b", "random loss of 5 % on 2 Mbps", quality_loss_5, false, 0},
    {"9c", "random loss of 10 % on 2 Mbps", quality_loss_10, false, 0},
    {"15", "join on 5 Mbps, round trip 40 ms", quality_join, true, 0},
    {"17", "top layer stops, then all but the lowest", quality_layer_death, true, 0},
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
        fprintf(out, "%s\n[%.3f,%u,%u,%u,%u,%u,%u,%d,%d]", i ? "," : "", (double)s->at_us / 1e6,
                s->link_bps == UINT32_MAX ? 0 : s->link_bps, s->estimate_bps,
                (unsigned)(s->sent * 8ULL * US_PER_S / SCENE_SAMPLE_US),
                (unsigned)(s->delivered * 8ULL * US_PER_S / SCENE_SAMPLE_US),
                (unsigned)(s->rtx * 8ULL * US_PER_S / SCENE_SAMPLE_US), s->queue_us, s->layer,
                s->tid);
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
        write_trace(q->trace, s->viewers[0]);
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
    n = MIN(sc->seeds ? MIN(n, sc->seeds) : n, QUALITY_SEEDS);
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
