/* SPDX-License-Identifier: Apache-2.0 */
/* quality.h - scenarios of picture quality, each a function of a seed that fills in figures with
 * the numbers they are held against. tests/sim/test_quality.c runs them with few seeds or many and
 * judges; bench/quality prints them as a table, and as curves. */
#ifndef TESTS_SIM_QUALITY_H
#define TESTS_SIM_QUALITY_H

#include <stdio.h>

#include "tests/sim/scene.h"

#define QUALITY_FIGURES 24
#define QUALITY_SEEDS   64
/* The value of a figure that is a time, when what it waits for did not come. */
#define QUALITY_NEVER 1e9

enum quality_rule {
    QUALITY_REPORT,     /* no number to pass */
    QUALITY_MEDIAN_MAX, /* the median of all seeds is at most the limit */
    QUALITY_MEDIAN_MIN,
    QUALITY_P95_MAX, /* 95 of 100 seeds are at most the limit; with few seeds all */
    QUALITY_P95_MIN,
    QUALITY_EVERY_MAX, /* every seed */
};

struct quality_figure {
    const char *name, *unit;
    enum quality_rule rule;
    double limit, value;
};

struct quality_run {
    uint64_t seed;
    FILE *trace; /* curves of one viewer, as JSON; NULL: not wanted */
    int viewer;  /* which; 0 = the first to come */
    int n;
    struct quality_figure f[QUALITY_FIGURES];
    char fault[400]; /* what the checker says, "" = nothing */
};

struct quality_scenario {
    const char *id; /* as in the table of the README */
    const char *what;
    void (*run)(struct quality_run *q);
    bool ready; /* false: the product does not do it yet; shown, not judged */
    int seeds;  /* fewer than asked for, for the long ones; 0: as asked */
    int least;  /* more, where several take so many to tell a median from luck */
};

/* All of them, in the table's order; ends with id NULL. */
extern const struct quality_scenario quality_scenarios[];
const struct quality_scenario *quality_find(const char *id);

/* True where TESTS_LONG is set: more of everything. */
bool quality_is_long(void);
/* A figure of this run. name and unit are fixed strings. */
void quality_add(struct quality_run *q, const char *name, const char *unit, double value,
                 enum quality_rule rule, double limit);
/* The end of a run: all viewers' streams are held against the checker (a figure "faults" of which
 * there may be none), the trace is written, the scene is freed. */
void quality_end(struct quality_run *q, struct scene *s);

/* One figure over all seeds. */
struct quality_sum {
    struct quality_figure f; /* value: what the rule judges */
    double median, p95, worst;
    bool ok;
};
/* Runs a scenario with n seeds. Returns the number of figures in out[QUALITY_FIGURES]; fault gets
 * the first fault. */
int quality_judge(const struct quality_scenario *sc, int n, struct quality_sum *out, char *fault,
                  size_t cap);

/* The scenarios, by file. */
void quality_ramp(struct quality_run *q);
void quality_drop(struct quality_run *q);
void quality_drop_vp9(struct quality_run *q);
void quality_drop_ksvc(struct quality_run *q);
void quality_drop_av1(struct quality_run *q);
void quality_pause(struct quality_run *q);
void quality_delay_step(struct quality_run *q);
void quality_policer(struct quality_run *q);
void quality_outages(struct quality_run *q);
void quality_mobile(struct quality_run *q);
void quality_two_viewers(struct quality_run *q);
void quality_feedback(struct quality_run *q);
void quality_three_flows(struct quality_run *q);
void quality_five_rtts(struct quality_run *q);
void quality_reno(struct quality_run *q);
void quality_cubic(struct quality_run *q);
void quality_short_tcp(struct quality_run *q);
void quality_upload(struct quality_run *q);
void quality_loss_1(struct quality_run *q);
void quality_loss_5(struct quality_run *q);
void quality_loss_5_ksvc(struct quality_run *q);
void quality_loss_10(struct quality_run *q);
void quality_loss_audio(struct quality_run *q);
void quality_burst_3(struct quality_run *q);
void quality_burst_8(struct quality_run *q);
void quality_jitter(struct quality_run *q);
void quality_join(struct quality_run *q);
void quality_join_deaf(struct quality_run *q);
void quality_layer_death(struct quality_run *q);
void quality_layer_death_said(struct quality_run *q);
void quality_fresh(struct quality_run *q);
void quality_fresh_said(struct quality_run *q);
void quality_storm(struct quality_run *q);
void quality_nine_tracks(struct quality_run *q);
void quality_slides(struct quality_run *q);
void quality_three_links(struct quality_run *q);
void quality_schedules(struct quality_run *q);

#endif
