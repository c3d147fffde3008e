/* SPDX-License-Identifier: Apache-2.0 */
/* The estimator over modelled links: the scenarios that concern it, with several seeds, and what is
 * asked of them. The router is not part of it (tests/sim runs that); a source that sends what it
 * may stands for it. */
#include "tests/bwe_link_run.h"
#include <criterion/criterion.h>

#define SEEDS 6

struct want {
    const char *scenario;
    enum link_figure figure;
    bool at_least; /* else at most */
    double median;
    double worst;
};

static const struct want wants[] = {
    {"1 varying", LINK_USE, true, .88, .85},
};

static double figures[LINK_SCENARIOS][LINK_FIGURES][SEEDS];

static void run_all(size_t first, size_t behind)
{
    static struct link_run r;
    for (size_t i = first; i < behind; i++) {
        for (int seed = 0; seed < SEEDS; seed++) {
            link_run(&r, &link_scenarios[i].conf, (uint64_t)seed + 1);
            for (int f = 0; f < LINK_FIGURES; f++) {
                figures[i][f][seed] = link_figure(&r, f);
            }
        }
        printf("%-20s", link_scenarios[i].name);
        for (int f = 0; f < LINK_FIGURES; f++) {
            qsort(figures[i][f], SEEDS, sizeof(double), link_cmp);
            printf(" %s %.3g-%.3g-%.3g", link_figure_names[f], figures[i][f][0],
                   figures[i][f][SEEDS / 2], figures[i][f][SEEDS - 1]);
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
        double median = f[SEEDS / 2];
        double worst = w->at_least ? f[0] : f[SEEDS - 1];
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
