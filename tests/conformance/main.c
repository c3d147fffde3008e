/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the conformance suite as a program. Exit code 0: every MUST that applies holds; 1: one
 * does not; 2: it could not run. */
#include "tests/conformance/suite.h"

#include <getopt.h>

static const char usage[] =
    "usage: conformance --whip URL --whep URL [options]\n"
    "Checks a WHIP and WHEP server from outside: one TAP line per requirement.\n"
    "  --whip URL          endpoint to publish to, http:// or https://\n"
    "  --whep URL          endpoint to play the same stream from\n"
    "  --token T           bearer token for publishing (and playing)\n"
    "  --whep-token T      bearer token for playing, if another\n"
    "  --other-token T     a valid token that may not publish here (for the 403)\n"
    "  --filter REGEX      only requirements whose number matches (\"^ICE|WHIP-3\")\n"
    "  --strict-etag       expect 428 for a PATCH without If-Match\n"
    "  --patience MS       how long to wait for what must happen (10000)\n"
    "  --json FILE         the outcome as JSON\n"
    "  --markdown FILE     the outcome as a matrix\n"
    "  --list              print the requirements and end\n";

static int list_checks(void)
{
    const struct check *c;

    for (unsigned i = 0; (c = suite_at(i)); i++) {
        printf("%-8s %-6s %s (%s)%s%s\n", c->id, suite_level_name(c->level), c->what, c->ref,
               c->run ? "" : " - not observable: ", c->run ? "" : c->blind);
    }
    return 0;
}

static int fail(const char *what)
{
    fprintf(stderr, "conformance: %s\n%s", what, usage);
    return 2;
}

static int finish(struct suite *s, const char *json, const char *markdown, unsigned failed)
{
    unsigned passed = 0, red = 0;

    for (int l = 0; l < LEVELS; l++) {
        printf("# %s: %u pass, %u fail, %u not applicable, %u not observable\n",
               suite_level_name(l), suite_count(s, l, PASS), suite_count(s, l, FAIL),
               suite_count(s, l, SKIP), suite_count(s, l, BLIND));
        passed += suite_count(s, l, PASS);
        red += suite_count(s, l, FAIL);
    }
    printf("1..%u\n%u passed, %u failed (%u of them MUST)\n", s->printed, passed, red, failed);
    if ((json && report_json(s, json) < 0) || (markdown && report_markdown(s, markdown) < 0)) {
        fprintf(stderr, "conformance: cannot write %s\n", json ? json : markdown);
        return 2;
    }
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    enum { WHIP, WHEP, TOKEN, WHEP_TOKEN, OTHER, FILTER, STRICT, PATIENCE, AS_JSON, AS_MD, LIST };
    static const struct option options[] = {
        {"whip", required_argument, NULL, WHIP},
        {"whep", required_argument, NULL, WHEP},
        {"token", required_argument, NULL, TOKEN},
        {"whep-token", required_argument, NULL, WHEP_TOKEN},
        {"other-token", required_argument, NULL, OTHER},
        {"filter", required_argument, NULL, FILTER},
        {"strict-etag", no_argument, NULL, STRICT},
        {"patience", required_argument, NULL, PATIENCE},
        {"json", required_argument, NULL, AS_JSON},
        {"markdown", required_argument, NULL, AS_MD},
        {"list", no_argument, NULL, LIST},
        {NULL, 0, NULL, 0},
    };
    const char *text[LIST + 1] = {NULL};
    struct suite s;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (c > LIST) {
            return fail("unknown option");
        }
        text[c] = optarg ? optarg : "";
    }
    if (text[LIST]) {
        return list_checks();
    }
    if (!text[WHIP] || !text[WHEP] || optind < argc) {
        return fail("--whip and --whep are needed");
    }
    struct suite_options o = {
        .whip = text[WHIP],
        .whep = text[WHEP],
        .token = text[TOKEN],
        .whep_token = text[WHEP_TOKEN],
        .other_token = text[OTHER],
        .filter = text[FILTER],
        .strict_etag = text[STRICT] != NULL,
        .patience_ms = text[PATIENCE] ? (unsigned)strtoul(text[PATIENCE], NULL, 10) : 0,
    };
    if (suite_init(&s, &o) < 0) {
        return fail("a URL or the filter is not valid");
    }
    unsigned failed = suite_run(&s);
    int code = finish(&s, text[AS_JSON], text[AS_MD], failed);
    suite_fini(&s);
    return code;
}
