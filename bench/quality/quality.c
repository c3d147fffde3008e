/* SPDX-License-Identifier: Apache-2.0 */
/* quality.c - the table of picture quality: every scenario of tests/sim/quality.h over 20 seeds, in
 * virtual time, as Markdown on standard output and as JSON for curves.py.
 *
 *   quality [--seeds N] [--json FILE] [ID ...]     the table, of all scenarios or those named
 *   quality --trace FILE [--seed N] [--viewer N] ID     one run's curves, for curves.py */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/quality.h"

struct options {
    int seeds, viewer;
    uint64_t seed;
    const char *json, *trace;
    const char *ids[64];
    int n_ids;
};

static const char *rule_text(const struct quality_figure *f, char *text, size_t cap)
{
    static const char *const names[] = {
        [QUALITY_REPORT] = "",
        [QUALITY_MEDIAN_MAX] = "median ≤",
        [QUALITY_MEDIAN_MIN] = "median ≥",
        [QUALITY_P95_MAX] = "p95 ≤",
        [QUALITY_P95_MIN] = "p95 ≥",
        [QUALITY_EVERY_MAX] = "each ≤",
    };
    if (f->rule == QUALITY_REPORT) {
        snprintf(text, cap, "reported");
    } else {
        snprintf(text, cap, "%s %g", names[f->rule], f->limit);
    }
    return text;
}

static const char *value_text(double value, char *text, size_t cap)
{
    if (value >= QUALITY_NEVER) {
        return "never";
    }
    snprintf(text, cap, "%.4g", value);
    return text;
}

static void print_rows(const struct quality_scenario *sc, const struct quality_sum *sums, int n)
{
    for (int i = 0; i < n; i++) {
        const struct quality_sum *f = &sums[i];
        char rule[40], median[24], p95[24];
        printf("| %s | %s%s%s%s%s | %s | %s | %s | %s |\n", i ? "" : sc->id, i ? "" : sc->what,
               i ? "" : ": ", f->f.name, f->f.unit[0] ? ", " : "", f->f.unit,
               value_text(f->median, median, sizeof(median)), value_text(f->p95, p95, sizeof(p95)),
               rule_text(&f->f, rule, sizeof(rule)),
               f->f.rule == QUALITY_REPORT ? ""
               : f->ok                     ? "yes"
                                           : "**no**");
    }
}

static void json_rows(FILE *out, const struct quality_scenario *sc, const struct quality_sum *sums,
                      int n, bool first)
{
    fprintf(out, "%s{\"id\":\"%s\",\"what\":\"%s\",\"figures\":[", first ? "" : ",\n", sc->id,
            sc->what);
    for (int i = 0; i < n; i++) {
        const struct quality_sum *f = &sums[i];
        fprintf(out,
                "%s{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%.6g,\"p95\":%.6g,\"worst\":%.6g,"
                "\"limit\":%.6g,\"judged\":%s,\"ok\":%s}",
                i ? "," : "", f->f.name, f->f.unit, f->median, f->p95, f->worst, f->f.limit,
                f->f.rule == QUALITY_REPORT ? "false" : "true", f->ok ? "true" : "false");
    }
    fprintf(out, "]}");
}

static bool is_asked_for(const struct options *o, const char *id)
{
    for (int i = 0; i < o->n_ids; i++) {
        if (strcmp(o->ids[i], id) == 0) {
            return true;
        }
    }
    return o->n_ids == 0;
}

static int table(const struct options *o)
{
    FILE *json = o->json ? fopen(o->json, "w") : NULL;
    if (o->json && !json) {
        fprintf(stderr, "%s: %s\n", o->json, strerror(errno));
        return 1;
    }
    int judged = 0, passed = 0;
    bool first = true;
    if (json) {
        fprintf(json, "{\"seeds\":%d,\"scenarios\":[\n", o->seeds);
    }
    printf(
        "| # | scenario: figure | median | p95 | to pass | passes |\n|---|---|---|---|---|---|\n");
    for (const struct quality_scenario *sc = quality_scenarios; sc->id; sc++) {
        struct quality_sum sums[QUALITY_FIGURES];
        char fault[400];
        if (!is_asked_for(o, sc->id)) {
            continue;
        }
        int n = quality_judge(sc, o->seeds, sums, fault, sizeof(fault));
        print_rows(sc, sums, n);
        fflush(stdout);
        for (int i = 0; i < n; i++) {
            judged += sums[i].f.rule != QUALITY_REPORT;
            passed += sums[i].f.rule != QUALITY_REPORT && sums[i].ok;
        }
        if (fault[0]) {
            fprintf(stderr, "%s: %s\n", sc->id, fault);
        }
        if (json) {
            json_rows(json, sc, sums, n, first);
        }
        first = false;
    }
    printf("\n%d of %d figures pass, %d seeds.\n", passed, judged, o->seeds);
    if (json) {
        fprintf(json, "]}\n");
        fclose(json);
    }
    return 0;
}

static int trace(const struct options *o)
{
    const struct quality_scenario *sc = o->n_ids == 1 ? quality_find(o->ids[0]) : NULL;
    FILE *out = fopen(o->trace, "w");
    if (!sc || !out) {
        fprintf(stderr, "%s: %s\n", o->trace, sc ? strerror(errno) : "name one scenario");
        if (out) {
            fclose(out);
        }
        return 1;
    }
    static struct quality_run q;
    q.seed = o->seed;
    q.trace = out;
    q.viewer = o->viewer;
    sc->run(&q);
    fclose(out);
    for (int i = 0; i < q.n; i++) {
        printf("%-48s %10.2f %s\n", q.f[i].name, q.f[i].value, q.f[i].unit);
    }
    if (q.fault[0]) {
        printf("%s\n", q.fault);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {.seeds = 20, .seed = 1};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--seeds") == 0 && more) {
            o.seeds = (int)strtol(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && more) {
            o.seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--viewer") == 0 && more) {
            o.viewer = (int)strtol(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--json") == 0 && more) {
            o.json = argv[++i];
        } else if (strcmp(argv[i], "--trace") == 0 && more) {
            o.trace = argv[++i];
        } else if (argv[i][0] == '-' || o.n_ids == (int)ARRAY_LEN(o.ids)) {
            fprintf(stderr, "usage: quality [--seeds N] [--json FILE] [ID ...]\n"
                            "       quality --trace FILE [--seed N] [--viewer N] ID\n");
            return 2;
        } else {
            o.ids[o.n_ids++] = argv[i];
        }
    }
    if (o.seeds < 1 || o.seeds > QUALITY_SEEDS || o.viewer < 0) {
        fprintf(stderr, "--seeds: 1 to %d; --viewer: from 0\n", QUALITY_SEEDS);
        return 2;
    }
    return o.trace ? trace(&o) : table(&o);
}
