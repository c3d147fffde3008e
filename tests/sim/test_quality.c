/* SPDX-License-Identifier: Apache-2.0 */
/* Picture quality in virtual time: the table of quality.c, each scenario with 3 seeds (20 with
 * TESTS_LONG set), held against its numbers. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/sim/quality.h"

static void expect_scenario(const char *id)
{
    const struct quality_scenario *sc = quality_find(id);
    cr_assert_not_null(sc, "no scenario %s", id);
    struct quality_sum sums[QUALITY_FIGURES];
    char fault[400];
    int n = quality_judge(sc, getenv("TESTS_LONG") ? 20 : 3, sums, fault, sizeof(fault));
    for (int i = 0; i < n; i++) {
        const struct quality_sum *f = &sums[i];
        printf("%-4s %-40s median %9.2f  p95 %9.2f  worst %9.2f %s%s\n", id, f->f.name, f->median,
               f->p95, f->worst, f->f.unit, f->ok ? "" : "  MISSED");
        if (sc->ready) {
            cr_expect(f->ok, "%s: %s: %.2f %s, to be %s %.2f", sc->what, f->f.name, f->f.value,
                      f->f.unit,
                      f->f.rule == QUALITY_MEDIAN_MIN || f->f.rule == QUALITY_P95_MIN ? "at least"
                                                                                      : "at most",
                      f->f.limit);
        }
    }
    cr_expect(!fault[0], "%s: %s", sc->what, fault);
    if (fault[0]) {
        printf("%-4s %s\n", id, fault);
    }
}

Test(quality, a_link_that_narrows_and_widens, .timeout = 300)
{
    expect_scenario("2");
}

Test(quality, random_loss, .timeout = 300)
{
    expect_scenario("9a");
    expect_scenario("9b");
    expect_scenario("9c");
}

Test(quality, joining, .timeout = 300)
{
    expect_scenario("15");
}

Test(quality, layers_that_stop, .timeout = 300)
{
    expect_scenario("17");
}

Test(quality, random_schedules_leave_every_stream_sound, .timeout = 600)
{
    expect_scenario("22");
}
