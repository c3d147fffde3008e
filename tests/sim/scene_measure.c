/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/scene.h"

#define MEAN_OF   30             /* intervals */
#define STANDS_US (1 * US_PER_S) /* a picture that stands for longer is not worth its layer */

static const struct video_rx *video_of(const struct scene_viewer *v, int video)
{
    return v->player->video[video];
}

static int quality(const struct video_shown *s)
{
    return s->layer + s->sid;
}

struct scene_freezes scene_freezes(const struct scene_viewer *v, int video, int64_t from_us,
                                   int64_t to_us)
{
    const struct video_rx *x = video_of(v, video);
    int64_t from = from_us + v->scene->start_us, to = to_us + v->scene->start_us;
    struct scene_freezes f = {0};
    int64_t window[MEAN_OF] = {0}, sum = 0;
    int n = 0;
    for (int i = 1; i <= x->n_shown; i++) {
        /* What is still standing at the end counts too. */
        int64_t at = i < x->n_shown ? x->shown[i].at_us : MIN(to, v->scene->sim->now_us);
        int64_t begin = MAX(x->shown[i - 1].at_us, from), gap = MIN(at, to) - begin;
        if (at > from && gap > 0 && x->shown[i - 1].at_us < to) {
            int64_t mean = n ? sum / MIN(n, MEAN_OF) : 33333;
            if (n >= 5 && gap > MAX(3 * mean, mean + 150 * US_PER_MS)) {
                f.count++;
                f.total_us += gap;
            }
            if (gap > 500 * US_PER_MS) {
                f.stalls++;
                f.stalls_us += gap;
            }
            f.longest_us = MAX(f.longest_us, gap);
        }
        if (i < x->n_shown) {
            int64_t interval = at - x->shown[i - 1].at_us;
            sum += interval - window[n % MEAN_OF];
            window[n++ % MEAN_OF] = interval;
        }
    }
    return f;
}

int64_t scene_settled(const struct scene_viewer *v, int video, int layer, int64_t from_us,
                      int64_t to_us)
{
    const struct video_rx *x = video_of(v, video);
    int64_t settled = -1;
    for (int i = 0; i < x->n_shown; i++) {
        int64_t at = x->shown[i].at_us - v->scene->start_us;
        if (at < from_us || at >= to_us) {
            continue;
        }
        if (quality(&x->shown[i]) < layer) {
            settled = -1;
        } else if (settled < 0) {
            settled = at;
        }
    }
    return settled;
}

int64_t scene_first(const struct scene_viewer *v, int video, int layer, int64_t from_us)
{
    const struct video_rx *x = video_of(v, video);
    for (int i = 0; i < x->n_shown; i++) {
        int64_t at = x->shown[i].at_us - v->scene->start_us;
        if (at >= from_us && quality(&x->shown[i]) >= layer) {
            return at;
        }
    }
    return -1;
}

int scene_switches(const struct scene_viewer *v, int video, int64_t from_us, int64_t to_us)
{
    const struct video_rx *x = video_of(v, video);
    int n = 0;
    for (int i = 1; i < x->n_shown; i++) {
        int64_t at = x->shown[i].at_us - v->scene->start_us;
        n += at >= from_us && at < to_us && quality(&x->shown[i]) != quality(&x->shown[i - 1]);
    }
    return n;
}

double scene_share(const struct scene_viewer *v, int video, int layer, int64_t from_us,
                   int64_t to_us)
{
    const struct video_rx *x = video_of(v, video);
    int64_t good = 0;
    for (int i = 0; i < x->n_shown; i++) {
        int64_t a = x->shown[i].at_us - v->scene->start_us;
        int64_t b = i + 1 < x->n_shown ? x->shown[i + 1].at_us - v->scene->start_us : to_us;
        b = MIN(b, a + STANDS_US);
        a = MAX(a, from_us);
        b = MIN(b, to_us);
        good += b > a && quality(&x->shown[i]) >= layer ? b - a : 0;
    }
    return (double)good / (double)(to_us - from_us);
}

double scene_shown_bps(const struct scene_viewer *v, int video, int64_t from_us, int64_t to_us)
{
    const struct video_rx *x = video_of(v, video);
    double bits = 0;
    for (int i = 0; i < x->n_shown; i++) {
        int64_t at = x->shown[i].at_us - v->scene->start_us;
        bits += at >= from_us && at < to_us ? x->shown[i].bytes * 8.0 : 0;
    }
    return bits * 1e6 / (double)(to_us - from_us);
}

double scene_fps(const struct scene_viewer *v, int video, int layer, int64_t from_us, int64_t to_us)
{
    const struct video_rx *x = video_of(v, video);
    int n = 0;
    for (int i = 0; i < x->n_shown; i++) {
        int64_t at = x->shown[i].at_us - v->scene->start_us;
        n += at >= from_us && at < to_us && quality(&x->shown[i]) >= layer;
    }
    return n * 1e6 / (double)(to_us - from_us);
}

int64_t scene_fluent(const struct scene_viewer *v, int video, int layer, double fps,
                     int64_t from_us, int64_t to_us)
{
    int64_t since = -1;
    for (int64_t t = from_us; t + US_PER_S <= to_us; t += 100 * US_PER_MS) {
        if (scene_fps(v, video, layer, t, t + US_PER_S) < fps) {
            since = -1;
        } else if (since < 0) {
            since = t;
        }
    }
    return since;
}

static double rate(const struct scene_viewer *v, int64_t from_us, int64_t to_us, bool sent)
{
    double bytes = 0;
    for (int i = 0; i < v->n_samples; i++) {
        const struct scene_sample *s = &v->samples[i];
        bytes += s->at_us > from_us && s->at_us <= to_us ? (sent ? s->sent : s->delivered) : 0;
    }
    return bytes * 8e6 / (double)(to_us - from_us);
}

double scene_delivered_bps(const struct scene_viewer *v, int64_t from_us, int64_t to_us)
{
    return rate(v, from_us, to_us, false);
}

double scene_sent_bps(const struct scene_viewer *v, int64_t from_us, int64_t to_us)
{
    return rate(v, from_us, to_us, true);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int64_t scene_queue_us(const struct scene_viewer *v, int64_t from_us, int64_t to_us, double p)
{
    uint32_t *w = malloc(((size_t)v->n_queue + 1) * sizeof(*w));
    assert(w);
    int n = 0;
    for (int i = 0; i < v->n_queue; i++) {
        int64_t at = v->queue[i].at_us - v->scene->start_us;
        if (at >= from_us && at < to_us) {
            w[n++] = v->queue[i].queue_us;
        }
    }
    qsort(w, (size_t)n, sizeof(*w), by_value);
    int64_t r = n ? w[MIN((int)(p * n), n - 1)] : 0;
    free(w);
    return r;
}

int64_t scene_queue_above(const struct scene_viewer *v, int64_t from_us, int64_t to_us, int64_t us)
{
    int64_t sum = 0, last = from_us;
    for (int i = 0; i < v->n_queue; i++) {
        int64_t at = v->queue[i].at_us - v->scene->start_us;
        if (at < from_us || at >= to_us) {
            continue;
        }
        sum += v->queue[i].queue_us > us ? MIN(at - last, 100 * US_PER_MS) : 0;
        last = at;
    }
    return sum;
}

int64_t scene_sending_below(const struct scene_viewer *v, int64_t from_us, int64_t to_us,
                            uint32_t bps)
{
    enum { N = 8 }; /* samples of 50 ms: frames of three temporal layers come in fours */
    for (int i = 0; i + N <= v->n_samples; i++) {
        int64_t at = v->samples[i].at_us - SCENE_SAMPLE_US;
        uint64_t bytes = 0;
        for (int k = 0; k < N && at >= from_us && at < to_us; k++) {
            bytes += v->samples[i + k].sent;
        }
        if (at >= from_us && at < to_us && bytes * 8 * US_PER_S / (N * SCENE_SAMPLE_US) <= bps) {
            return at;
        }
    }
    return -1;
}

bool scene_clean(const struct scene_viewer *v, char *text, size_t cap)
{
    uint64_t bad = v->player->n_malformed + v->transport.bad;
    int n = snprintf(text, cap, "%lu malformed or nobody's, %lu transport numbers; ",
                     v->player->n_malformed, v->transport.bad);
    for (int i = 0; i < v->player->p.n_videos; i++) {
        const struct video_rx *x = v->player->video[i];
        bad += x->broken + x->malformed + x->duplicates;
        if (x->broken + x->malformed + x->duplicates) {
            n += snprintf(text + n, cap - (size_t)n,
                          "video %d: %lu broken pictures, %lu malformed, %lu duplicates; ", i,
                          x->broken, x->malformed, x->duplicates);
        }
        if (v->check[i]) {
            stream_check_end(v->check[i]);
            bad += stream_check_faults(v->check[i]);
            if ((size_t)n < cap) {
                stream_check_text(v->check[i], text + n, cap - (size_t)n);
                n += (int)strlen(text + n);
            }
        }
    }
    return bad == 0;
}
