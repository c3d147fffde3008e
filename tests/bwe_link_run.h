/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_link_run.h - the estimator's scenarios over tests/bwe_link.h, and what is measured of a run.
 */
#ifndef TESTS_BWE_LINK_RUN_H
#define TESTS_BWE_LINK_RUN_H

#include "tests/bwe_link.h"

#define LINK_SAMPLES_MAX 20000 /* one each 10 ms */

/* What is measured. */
enum link_figure {
    LINK_USE,      /* media delivered of what the link or the demand allowed, from 3 s on */
    LINK_Q95,      /* queue, 95th percentile, ms */
    LINK_QLONG,    /* seconds with more than 200 ms of queue */
    LINK_LOST,     /* share of packets lost from 10 s on */
    LINK_DOWN,     /* worst time from a fall of the link to sending no more than it carries, s */
    LINK_UP,       /* worst time from a rise until the best point (or 85 %) is reached, s */
    LINK_JAIN,     /* the least over the link's phases, from their 10th second */
    LINK_TOP,      /* share of time on the top layer, from 3 s on */
    LINK_SWITCHES, /* of layers, per minute */
    LINK_LEAST,    /* the least estimate from 5 s on, of the largest demand or link */
    LINK_FIGURES,
};

static const char *const link_figure_names[] = {"use", "q95",  "qlong", "lost",     "down",
                                                "up",  "jain", "top",   "switches", "least"};

struct link_run {
    struct link_sim sim;
    float queue_ms[LINK_SAMPLES_MAX];
    int samples;
    double could_bits;
    double late_sent;
    double late_lost;
    double down_s;
    double up_s;
    double jain;
    double top_s;
    double least;
    double media0; /* delivered by 3 s */
    double phase0[LINK_FLOWS];
};

static inline int link_cmp(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

static inline int link_cmp_f(const void *a, const void *b)
{
    float d = *(const float *)a - *(const float *)b;
    return d < 0 ? -1 : d > 0;
}

static inline double link_arrived(const struct link_sim *s)
{
    double sum = 0;
    for (int i = 0; i < link_n_flows(s); i++) {
        sum += (double)s->flows[i].arrived_media * 8;
    }
    return sum;
}

/* The most that could be delivered at present, Mbps. */
static inline double link_could(const struct link_sim *s)
{
    double demand = 0;
    bool paused = s->conf.pause_to_s > 0 && link_t(s) >= s->conf.pause_from_s &&
                  link_t(s) < s->conf.pause_to_s;
    double mbps = s->mbps;
    if (s->conf.police_kbps) {
        mbps = MIN(mbps, s->conf.police_kbps / 1000.0);
    }
    mbps *= 1 - s->conf.loss;
    for (int i = 0; i < link_n_flows(s) && !paused; i++) {
        if (link_t(s) < s->conf.start_s[i]) {
            continue;
        }
        if (s->conf.layers) {
            int best = 1;
            while (best < 3 && link_layer_bps(best + 1) <= mbps * 1e6 * .9) {
                best++;
            }
            demand += link_layer_bps(best) / 1e6;
        } else {
            demand += (s->conf.demand_kbps ? s->conf.demand_kbps : 3000) / 1000.0;
        }
    }
    return MIN(mbps, demand);
}

/* The rate at which the flows send, over the last 100 ms; sent[] is a ring of 10 ms. */
struct link_meter {
    double bytes[10];
    int at;
};

static inline double link_sending_mbps(struct link_meter *m, const struct link_sim *s)
{
    double sum = 0;
    for (int i = 0; i < link_n_flows(s); i++) {
        sum += (double)s->flows[i].sent;
    }
    double was = m->bytes[m->at];
    m->bytes[m->at] = sum;
    m->at = (m->at + 1) % 10;
    return (sum - was) * 8 / .1 / 1e6;
}

static inline bool link_is_up(const struct link_sim *s)
{
    for (int i = 0; i < link_n_flows(s); i++) {
        const struct link_flow *f = &s->flows[i];
        if (s->conf.layers && f->layer < 3 && link_layer_bps(f->layer + 1) <= s->mbps * 1e6 * .85) {
            return false;
        }
    }
    double sum = 0;
    for (int i = 0; i < link_n_flows(s); i++) {
        sum += s->flows[i].facts.capacity_bps;
    }
    return s->conf.layers || sum >= link_could(s) * 1e6 * .85;
}

static inline void link_jain(struct link_run *r, double from_s)
{
    struct link_sim *s = &r->sim;
    double sum = 0;
    double squares = 0;
    int n = 0;
    for (int i = 0; i < link_n_flows(s); i++) {
        double x = (double)s->flows[i].arrived_media - r->phase0[i];
        if (s->conf.start_s[i] <= from_s) {
            n++;
            sum += x;
            squares += x * x;
        }
    }
    if (n > 1 && squares > 0) {
        r->jain = MIN(r->jain, sum * sum / squares / n);
    }
}

struct link_watch {
    struct link_meter meter;
    double mbps;     /* of the phase */
    double phase_s;  /* its beginning */
    bool jain_begun; /* the 10th second is over */
    bool down;       /* waiting for sending to fall */
    bool up;         /* waiting for the estimate to rise */
    double calm_s;   /* since when it has fallen */
};

/* A phase begins when the link's rate changes or a flow starts. */
static inline bool link_new_phase(const struct link_sim *s, const struct link_watch *w)
{
    for (int i = 0; i < link_n_flows(s); i++) {
        if (s->conf.start_s[i] > w->phase_s && s->conf.start_s[i] <= link_t(s)) {
            return true;
        }
    }
    return s->mbps != w->mbps;
}

static inline void link_phase(struct link_run *r, struct link_watch *w)
{
    struct link_sim *s = &r->sim;
    double t = link_t(s);
    double after = link_n_flows(s) > 2 ? 20 : 10;
    if (link_new_phase(s, w)) {
        if (w->jain_begun) {
            link_jain(r, w->phase_s);
        }
        w->down = w->mbps > 0 && s->mbps > 0 && s->mbps < w->mbps;
        w->up = w->mbps > 0 && s->mbps > w->mbps;
        w->mbps = s->mbps;
        w->phase_s = t;
        w->calm_s = 0;
        w->jain_begun = false;
    }
    if (!w->jain_begun && t - w->phase_s >= (after == 20 && t > 65 ? 10 : after)) {
        w->jain_begun = true;
        for (int i = 0; i < link_n_flows(s); i++) {
            r->phase0[i] = (double)s->flows[i].arrived_media;
        }
    }
    double sending = link_sending_mbps(&w->meter, s);
    if (w->down) {
        /* to hold for 300 ms */
        w->calm_s = sending > s->mbps * 1.03 ? 0 : w->calm_s > 0 ? w->calm_s : t;
        if (w->calm_s > 0 && t - w->calm_s > .3) {
            r->down_s = MAX(r->down_s, w->calm_s - w->phase_s);
            w->down = false;
        }
    }
    if (w->up && link_is_up(s)) {
        r->up_s = MAX(r->up_s, t - w->phase_s);
        w->up = false;
    }
}

static inline void link_sample(struct link_run *r)
{
    struct link_sim *s = &r->sim;
    double t = link_t(s);
    if (r->samples < LINK_SAMPLES_MAX) {
        r->queue_ms[r->samples++] = (float)link_queue_ms(s);
    }
    if (t < 3) {
        r->media0 = link_arrived(s);
        return;
    }
    r->could_bits += link_could(s) * 1e6 * .01;
    r->top_s += s->flows[0].layer == 3 ? .01 : 0;
    if (t < 10) {
        r->late_sent = r->late_lost = 0;
        for (int i = 0; i < link_n_flows(s); i++) {
            r->late_sent -= (double)s->flows[i].pkts;
            r->late_lost -= (double)s->flows[i].lost;
        }
    }
    if (t > 5) {
        double part = s->flows[0].facts.capacity_bps / 1e6 / link_could(s);
        r->least = MIN(r->least, part);
    }
}

static inline void link_run(struct link_run *r, const struct link_conf *conf, uint64_t seed)
{
    memset(r, 0, sizeof(*r));
    r->jain = 1;
    r->least = 100;
    struct link_sim *s = &r->sim;
    struct link_watch w = {0};
    link_init(s, conf, seed);
    int step = 0;
    while (link_step(s)) {
        if (++step % (10000 / LINK_STEP_US) == 0) {
            link_sample(r);
            link_phase(r, &w);
        }
    }
    if (w.jain_begun) {
        link_jain(r, w.phase_s);
    }
    if (w.up) {
        r->up_s = 99;
    }
    if (w.down) {
        r->down_s = 99;
    }
    for (int i = 0; i < link_n_flows(s); i++) {
        r->late_sent += (double)s->flows[i].pkts;
        r->late_lost += (double)s->flows[i].lost;
    }
    qsort(r->queue_ms, (size_t)r->samples, sizeof(float), link_cmp_f);
    link_fini(s);
}

static inline double link_figure(const struct link_run *r, enum link_figure what)
{
    double n = 0;
    switch (what) {
    case LINK_USE:
        return (link_arrived(&r->sim) - r->media0) / r->could_bits;
    case LINK_Q95:
        return r->queue_ms[r->samples * 95 / 100];
    case LINK_QLONG:
        for (int i = 0; i < r->samples; i++) {
            n += r->queue_ms[i] > 200;
        }
        return n / 100;
    case LINK_LOST:
        return r->late_lost / r->late_sent;
    case LINK_DOWN:
        return r->down_s;
    case LINK_UP:
        return r->up_s;
    case LINK_JAIN:
        return r->jain;
    case LINK_TOP:
        return r->top_s / (r->sim.conf.seconds - 3);
    case LINK_SWITCHES:
        return r->sim.flows[0].switches * 60 / r->sim.conf.seconds;
    case LINK_LEAST:
        return r->least;
    case LINK_FIGURES:
        break;
    }
    return 0;
}

struct link_scenario {
    const char *name;
    struct link_conf conf;
};

/* In the order of the design's list; 5 ms of jitter where it says nothing. */
static const struct link_scenario link_scenarios[] = {
    {"1 varying",
     {.trace = {{0, 1}, {40, 2.5}, {60, .6}, {80, 1}, {0, -1}},
      .seconds = 100,
      .delay_ms = 50,
      .jitter_ms = 5}},
    {"1 varying, layers",
     {.trace = {{0, 1}, {40, 2.5}, {60, .6}, {80, 1}, {0, -1}},
      .seconds = 100,
      .delay_ms = 50,
      .jitter_ms = 5,
      .layers = true}},
    {"2 narrow",
     {.trace = {{0, 2.5}, {30, .6}, {60, 2.5}, {0, -1}},
      .seconds = 90,
      .delay_ms = 50,
      .jitter_ms = 5}},
    {"2 narrow, layers",
     {.trace = {{0, 2.5}, {30, .6}, {60, 2.5}, {0, -1}},
      .seconds = 90,
      .delay_ms = 50,
      .jitter_ms = 5,
      .layers = true}},
    {"3 two flows",
     {.trace = {{0, 4}, {25, 2}, {50, 3.5}, {75, 1}, {100, 2}, {0, -1}},
      .seconds = 125,
      .delay_ms = 50,
      .jitter_ms = 5,
      .flows = 2}},
    {"4 without loss",
     {.trace = {{0, 2}, {20, 1}, {40, .5}, {60, 2}, {0, -1}},
      .seconds = 100,
      .delay_ms = 50,
      .jitter_ms = 5}},
    {"4 feedback lost",
     {.trace = {{0, 2}, {20, 1}, {40, .5}, {60, 2}, {0, -1}},
      .seconds = 100,
      .delay_ms = 50,
      .jitter_ms = 5,
      .back_loss = .3,
      .back_from_s = 35,
      .back_to_s = 70}},
    {"4 half the feedback",
     {.trace = {{0, 2}, {0, -1}},
      .seconds = 60,
      .delay_ms = 50,
      .jitter_ms = 5,
      .back_loss = .5,
      .back_from_s = 10,
      .demand_kbps = 1700}},
    {"5 three flows",
     {.trace = {{0, 3.5}, {0, -1}},
      .seconds = 90,
      .delay_ms = 50,
      .jitter_ms = 5,
      .flows = 3,
      .start_s = {0, 20, 40}}},
    {"5 five RTTs",
     {.trace = {{0, 3.5}, {0, -1}},
      .seconds = 120,
      .delay_ms = 50,
      .jitter_ms = 5,
      .flows = 5,
      .delays_ms = {10, 25, 50, 100, 150}}},
    {"3 two flows, layers",
     {.trace = {{0, 4}, {25, 2}, {50, 3.5}, {75, 1}, {100, 2}, {0, -1}},
      .seconds = 125,
      .delay_ms = 50,
      .jitter_ms = 5,
      .flows = 2,
      .layers = true}},
    {"5 three flows, layers",
     {.trace = {{0, 3.5}, {0, -1}},
      .seconds = 90,
      .delay_ms = 50,
      .jitter_ms = 5,
      .flows = 3,
      .start_s = {0, 20, 40},
      .layers = true}},
    {"8 pause",
     {.trace = {{0, 2}, {0, -1}},
      .seconds = 90,
      .delay_ms = 50,
      .jitter_ms = 5,
      .layers = true,
      .pause_from_s = 40,
      .pause_to_s = 60}},
    {"9 loss 1 %",
     {.trace = {{0, 2}, {0, -1}}, .seconds = 90, .delay_ms = 25, .jitter_ms = 5, .loss = .01}},
    {"9 loss 5 %",
     {.trace = {{0, 2}, {0, -1}}, .seconds = 90, .delay_ms = 25, .jitter_ms = 5, .loss = .05}},
    {"9 loss 5 %, layers",
     {.trace = {{0, 2}, {0, -1}},
      .seconds = 90,
      .delay_ms = 25,
      .jitter_ms = 5,
      .loss = .05,
      .layers = true}},
    {"9 loss 10 %",
     {.trace = {{0, 2}, {0, -1}}, .seconds = 90, .delay_ms = 25, .jitter_ms = 5, .loss = .10}},
    {"9 loss 10 %, layers",
     {.trace = {{0, 2}, {0, -1}},
      .seconds = 90,
      .delay_ms = 25,
      .jitter_ms = 5,
      .loss = .10,
      .layers = true}},
    {"11 jitter",
     {.trace = {{0, 2}, {0, -1}},
      .seconds = 90,
      .delay_ms = 50,
      .jitter_ms = 30,
      .jitter_tail_ms = 120,
      .reorder = true,
      .demand_kbps = 1500}},
    {"12 longer path",
     {.trace = {{0, 2.5}, {0, -1}},
      .seconds = 60,
      .delay_ms = 50,
      .jitter_ms = 5,
      .step_ms = 130,
      .step_at_s = 30,
      .demand_kbps = 2200}},
    {"13 policer",
     {.trace = {{0, 5}, {0, -1}},
      .seconds = 90,
      .delay_ms = 50,
      .jitter_ms = 5,
      .police_kbps = 256,
      .police_bytes = 16000}},
    {"14 outages",
     {.trace = {{0, 4},
                {5, 0},
                {5.5, 4},
                {10, 0},
                {10.5, 4},
                {15, 0},
                {15.5, 4},
                {20, 0},
                {20.5, 4},
                {25, 0},
                {25.5, 4},
                {0, -1}},
      .seconds = 30,
      .delay_ms = 50,
      .jitter_ms = 5}},
    {"steady 0.3",
     {.trace = {{0, .3}, {0, -1}},
      .seconds = 60,
      .delay_ms = 50,
      .jitter_ms = 5,
      .start_kbps = 300}},
    {"steady 1", {.trace = {{0, 1}, {0, -1}}, .seconds = 60, .delay_ms = 50, .jitter_ms = 5}},
    {"start 0.4", {.trace = {{0, .4}, {0, -1}}, .seconds = 30, .delay_ms = 50, .jitter_ms = 5}},
};
#define LINK_SCENARIOS ARRAY_LEN(link_scenarios)

#endif
