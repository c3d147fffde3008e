/* SPDX-License-Identifier: Apache-2.0 */
/* The estimator over modelled links: the scenarios that concern it, with 4 seeds (20 with
 * TESTS_LONG set), and what is asked of them. The router is not part of it (tests/sim runs that); a
 * source that sends what it may stands for it. */
#include "tests/bwe_link_run.h"
#include <criterion/criterion.h>

#define SEEDS_MAX 20
#define SEEDS     4

struct want {
    const char *scenario;
    enum link_figure figure;
    bool at_least; /* else at most */
    double median;
    double worst;
};

/* The design's pass numbers where they make sense for the estimator alone, else what may not get
 * worse. */
static const struct want wants[] = {
    {"1 varying", LINK_USE, true, .88, .88},
    {"1 varying", LINK_Q95, false, 70, 80},
    {"1 varying", LINK_QLONG, false, 1, 1.5},
    {"1 varying", LINK_DOWN, false, .5, .65},
    {"1 varying", LINK_UP, false, 4, 5},
    {"1 varying, layers", LINK_USE, true, .95, .93},
    {"1 varying, layers", LINK_Q95, false, 60, 60},
    {"1 varying, layers", LINK_QLONG, false, 1, 1},
    {"1 varying, layers", LINK_UP, false, 4, 5},
    {"1 varying, layers", LINK_SWITCHES, false, 6, 8},
    {"2 narrow", LINK_USE, true, .9, .88},
    {"2 narrow", LINK_Q95, false, 70, 80},
    {"2 narrow", LINK_UP, false, 4, 6},
    {"2 narrow, layers", LINK_UP, false, 4, 8},
    {"2 narrow, layers", LINK_Q95, false, 60, 60},
    {"3 two flows", LINK_USE, true, .9, .88},
    {"3 two flows", LINK_JAIN, true, .85, .65},
    {"4 without loss", LINK_USE, true, .9, .88},
    {"4 feedback lost", LINK_USE, true, .85, .8},
    {"4 half the feedback", LINK_LEAST, true, 1, .85},
    {"5 three flows", LINK_USE, true, .9, .9},
    {"5 three flows", LINK_JAIN, true, .85, .65},
    {"5 five RTTs", LINK_JAIN, true, .78, .55},
    {"8 pause", LINK_TOP, true, .95, .85},
    {"9 loss 1 %", LINK_USE, true, .95, .94},
    {"9 loss 5 %", LINK_USE, true, .85, .85},
    {"9 loss 5 %, layers", LINK_TOP, true, .95, .9},
    {"9 loss 10 %", LINK_USE, true, .7, .7},
    {"9 loss 10 %, layers", LINK_TOP, true, .95, .8},
    {"11 jitter", LINK_USE, true, .98, .95},
    {"11 jitter", LINK_LEAST, true, 1, .85},
    {"12 longer path", LINK_USE, true, .95, .9},
    {"13 policer", LINK_USE, true, .7, .7},
    {"13 policer", LINK_LOST, false, .05, .07},
    {"14 outages", LINK_USE, true, .5, .5},
    {"steady 0.3", LINK_USE, true, .88, .88},
    {"steady 0.3", LINK_QLONG, false, .5, 1},
    {"start 0.4", LINK_QLONG, false, 1, 2},
};

static double figures[LINK_SCENARIOS][LINK_FIGURES][SEEDS_MAX];
static int n_seeds;

static void run_all(size_t first, size_t behind)
{
    static struct link_run r;
    n_seeds = getenv("TESTS_LONG") ? SEEDS_MAX : SEEDS;
    for (size_t i = first; i < behind; i++) {
        for (int seed = 0; seed < n_seeds; seed++) {
            link_run(&r, &link_scenarios[i].conf, (uint64_t)seed + 1);
            for (int f = 0; f < LINK_FIGURES; f++) {
                figures[i][f][seed] = link_figure(&r, f);
            }
        }
        printf("%-20s", link_scenarios[i].name);
        for (int f = 0; f < LINK_FIGURES; f++) {
            qsort(figures[i][f], (size_t)n_seeds, sizeof(double), link_cmp);
            printf(" %s %.3g-%.3g-%.3g", link_figure_names[f], figures[i][f][0],
                   figures[i][f][n_seeds / 2], figures[i][f][n_seeds - 1]);
        }
        printf("\n");
    }
}

static void check(size_t scenario)
{
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        const struct want *w = &wants[i];
        if (strcmp(w->scenario, link_scenarios[scenario].name)) {
            continue;
        }
        const double *f = figures[scenario][w->figure];
        double median = f[n_seeds / 2];
        int tail = n_seeds / 20; /* seeds that may miss the worst: the 95th percentile */
        double worst = w->at_least ? f[tail] : f[n_seeds - 1 - tail];
        const char *name = link_figure_names[w->figure];
        cr_expect(w->at_least ? median >= w->median : median <= w->median,
                  "%s: %s median %g, want %g", w->scenario, name, median, w->median);
        cr_expect(w->at_least ? worst >= w->worst : worst <= w->worst, "%s: %s worst %g, want %g",
                  w->scenario, name, worst, w->worst);
    }
}

static void run_share(size_t part, size_t parts)
{
    size_t first = LINK_SCENARIOS * part / parts;
    size_t behind = LINK_SCENARIOS * (part + 1) / parts;
    run_all(first, behind);
    for (size_t i = first; i < behind; i++) {
        check(i);
    }
}

Test(bwe_links, first_half_of_the_scenarios)
{
    run_share(0, 2);
}

Test(bwe_links, second_half_of_the_scenarios)
{
    run_share(1, 2);
}
