/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - what a run found, as JSON and as a matrix in Markdown. */
#include "tests/conformance/suite.h"

#include <errno.h>

static void put_json(FILE *f, const char *name, const char *text, bool last)
{
    fprintf(f, "\"%s\": \"", name);
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\') {
            fprintf(f, "\\%c", c);
        } else if (c < ' ') {
            fprintf(f, "\\u%04x", c);
        } else {
            fputc(c, f);
        }
    }
    fputs(last ? "\"" : "\", ", f);
}

static int close_file(FILE *f)
{
    bool bad = ferror(f);

    return fclose(f) || bad ? -EIO : 0;
}

int report_json(const struct suite *s, const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f) {
        return -errno;
    }
    fprintf(f, "{\n  \"summary\": {");
    for (int l = 0; l < LEVELS; l++) {
        fprintf(f, "%s\"%s\": {\"pass\": %u, \"fail\": %u, \"not_applicable\": %u}", l ? ", " : "",
                suite_level_name(l), suite_count(s, l, PASS), suite_count(s, l, FAIL),
                suite_count(s, l, SKIP));
    }
    fprintf(f, "},\n  \"checks\": [");
    bool first = true;
    for (unsigned i = 0; i < s->n; i++) {
        const struct check *c = suite_at(i);
        const struct outcome *v = &s->outcomes[i];
        if (v->result == NOT_RUN) {
            continue;
        }
        fprintf(f, "%s\n    {", first ? "" : ",");
        first = false;
        put_json(f, "id", c->id, false);
        put_json(f, "level", suite_level_name(c->level), false);
        put_json(f, "reference", c->ref, false);
        put_json(f, "what", c->what, false);
        put_json(f, "result", suite_result_name(v->result), false);
        put_json(f, "expected", v->expected, false);
        put_json(f, "got", v->got, true);
        fputc('}', f);
    }
    fprintf(f, "\n  ]\n}\n");
    return close_file(f);
}

static void put_cell(FILE *f, const char *text)
{
    for (; *text; text++) {
        fputs(*text == '|' ? "\\|" : (char[2]){*text, '\0'}, f);
    }
}

static void put_row(const struct suite *s, unsigned i, FILE *f)
{
    const struct check *c = suite_at(i);
    const struct outcome *v = &s->outcomes[i];

    fprintf(f, "| %s | %s | ", c->id, suite_level_name(c->level));
    put_cell(f, c->what);
    fputs(" | ", f);
    put_cell(f, c->ref);
    fprintf(f, " | %s", v->result == FAIL ? "**fail**" : suite_result_name(v->result));
    if (v->result == FAIL) {
        fputs(": expected ", f);
        put_cell(f, v->expected);
        fputs("; got ", f);
    } else if (v->result == SKIP || v->result == BLIND) {
        fputs(": ", f);
    }
    if (v->result != PASS) {
        put_cell(f, v->got);
    }
    fputs(" |\n", f);
}

void report_matrix(const struct suite *s, FILE *f)
{
    fprintf(f, "| | pass | fail | not applicable | not observable |\n|---|---|---|---|---|\n");
    for (int l = 0; l < LEVELS; l++) {
        fprintf(f, "| %s | %u | %u | %u | %u |\n", suite_level_name(l), suite_count(s, l, PASS),
                suite_count(s, l, FAIL), suite_count(s, l, SKIP), suite_count(s, l, BLIND));
    }
    fprintf(f, "\n| requirement | level | what must be seen | reference | result |\n"
               "|---|---|---|---|---|\n");
    for (unsigned i = 0; i < s->n; i++) {
        if (s->outcomes[i].result != NOT_RUN) {
            put_row(s, i, f);
        }
    }
}

int report_markdown(const struct suite *s, const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f) {
        return -errno;
    }
    report_matrix(s, f);
    return close_file(f);
}
