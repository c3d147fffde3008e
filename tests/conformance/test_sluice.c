/* SPDX-License-Identifier: Apache-2.0 */
/* test_sluice.c - the suite against the built server: with tokens and entity tags to the letter,
 * then without tokens what did not apply. Every MUST holds, and 95 % of the SHOULDs. The numbers,
 * levels and references of tests/conformance/README.md are those of the program; with
 * CONFORMANCE_README=PATH it is written anew (by a run of all).
 *
 *   conformance_sluice SLUICE README [PART PARTS] */
#include "tests/conformance/suite.h"
#include "tests/server/server_kit.h"

#include <unistd.h>

#define SHOULD_PERCENT 95
#define MARK           "<!-- the matrix: written by the test, do not edit below -->\n"

static const char *const strict[] = {
    "http.etag_mode=strict",
    "http.posts_per_ip_per_s=100",
    "limits.ice_timeout_ms=3000",
    "limits.gone_timeout_ms=4000", /* a silent viewer is found out within the run's patience */
    "auth.tokens=[{\"token\":\"publish-and-play\",\"name\":\"all\",\"pattern\":\"*\",\"publish\":"
    "true,"
    "\"play\":true,\"data\":true},{\"token\":\"play-only\",\"name\":\"viewers\",\"pattern\":\"*\","
    "\"play\":true}"
    "]",
    "ice_servers.servers=[{\"url\":\"stun:stun.example.net:3478\"},"
    "{\"url\":\"turn:turn.example.net:3478?transport=udp\",\"secret\":\"secret-of-the-relay\"}]",
    NULL,
};
static const char *const open_to_all[] = {"http.etag_mode=strict", "limits.ice_timeout_ms=3000",
                                          NULL};

static struct server server;
static struct suite suite;

static void set_urls(char whip[64], char whep[64])
{
    snprintf(whip, 64, "http://127.0.0.1:%u/whip/conformance", server.http_port);
    snprintf(whep, 64, "http://127.0.0.1:%u/whep/conformance", server.http_port);
    suite.o.whip = whip;
    suite.o.whep = whep;
}

static void run(unsigned part, unsigned parts)
{
    char whip[64] = "http://x/", whep[64] = "http://x/";
    struct suite_options o = {
        .whip = whip,
        .whep = whep,
        .token = "publish-and-play",
        .other_token = "play-only",
        .strict_etag = true,
        .patience_ms = SERVER_PATIENCE_MS,
        .filter = getenv("CONFORMANCE_FILTER"),
        .part = part,
        .parts = parts,
    };

    if (suite_init(&suite, &o) < 0) {
        note("the suite cannot start");
        exit(1);
    }
    server_start(&server, strict);
    set_urls(whip, whep);
    (void)suite_run(&suite);
    check(server_stop(&server) == 0, "the server ends with exit code 0");
    server_start(&server, open_to_all);
    set_urls(whip, whep);
    suite.o.token = suite.o.other_token = NULL;
    suite.o.only_skipped = true;
    (void)suite_run(&suite);
}

static void judge(void)
{
    unsigned ok = suite_count(&suite, SHOULD, PASS), bad = suite_count(&suite, SHOULD, FAIL);

    for (int l = 0; l < LEVELS; l++) {
        note("%s: %u pass, %u fail, %u not applicable, %u not observable", suite_level_name(l),
             suite_count(&suite, l, PASS), suite_count(&suite, l, FAIL),
             suite_count(&suite, l, SKIP), suite_count(&suite, l, BLIND));
    }
    unsigned green = 0, red = 0;
    for (int l = 0; l < LEVELS; l++) {
        green += suite_count(&suite, l, PASS);
        red += suite_count(&suite, l, FAIL);
    }
    printf("%u passed, %u failed\n", green, red);
    check(suite_count(&suite, MUST, FAIL) == 0, "every MUST that applies holds (%u)",
          suite_count(&suite, MUST, PASS));
    check(ok * 100 >= (ok + bad) * SHOULD_PERCENT, "%u of %u SHOULDs hold", ok, ok + bad);
    check(suite_count(&suite, POLICY, FAIL) == 0, "the server's own rules hold (%u)",
          suite_count(&suite, POLICY, PASS));
}

/* ---- the committed matrix ---- */

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = f ? calloc(1, 1 << 20) : NULL;

    if (text) {
        (void)!fread(text, 1, (1 << 20) - 1, f);
    }
    if (f) {
        fclose(f);
    }
    return text;
}

static void write_readme(const char *path)
{
    char *text = read_all(path);
    char *mark = text ? strstr(text, MARK) : NULL;
    FILE *f = mark ? fopen(path, "w") : NULL;

    if (f) {
        fprintf(f, "%.*s\n", (int)(mark + strlen(MARK) - text), text);
        report_matrix(&suite, f);
        fclose(f);
    }
    check(f != NULL, "%s is written", path);
    free(text);
}

/* Each row of the program stands in the file, with its level, and is not green there when it is red
 * here. */
static void compare_readme(const char *path)
{
    char *text = read_all(path);
    unsigned missing = 0, changed = 0;

    for (unsigned i = 0; text && i < suite.n; i++) {
        const struct check *c = suite_at(i);
        enum result r = suite.outcomes[i].result;
        char row[512];
        snprintf(row, sizeof(row), "| %s | %s | %s | ", c->id, suite_level_name(c->level), c->what);
        const char *at = strstr(text, row);
        char result[40];
        snprintf(result, sizeof(result), "| %s", suite_result_name(r));
        if (!at) {
            note("not in the matrix: %s", row);
            missing++;
        } else if (r != NOT_RUN && !memmem(at, strcspn(at, "\n"), result, strlen(result))) {
            note("the matrix says otherwise: %s now %s", c->id, suite_result_name(r));
            changed++;
        }
    }
    check(text && !missing, "the committed matrix has every row");
    if (changed) {
        note("%u rows have another result than the committed matrix: write it anew", changed);
    }
    free(text);
}

int main(int argc, char **argv)
{
    const char *out = getenv("CONFORMANCE_README");

    server_init(&server, argc, argv);
    run(argc > 4 ? (unsigned)atoi(argv[3]) : 0, argc > 4 ? (unsigned)atoi(argv[4]) : 1);
    judge();
    if (out) {
        write_readme(out);
    } else if (argc > 2 && !suite.o.filter) {
        compare_readme(argv[2]);
    }
    server_fini(&server);
    suite_fini(&suite);
    return check_report();
}
