/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/suite.h"

#include <errno.h>
#include <regex.h>
#include <stdarg.h>

#define PATIENCE_MS 10000
#define TURN_US     5000

struct kept {
    struct kept *next;
    max_align_t bytes[];
};

const char *suite_level_name(enum level l)
{
    static const char *const names[LEVELS] = {"MUST", "SHOULD", "MAY", "POLICY"};

    return names[l];
}

const char *suite_result_name(enum result r)
{
    static const char *const names[RESULTS] = {"not run", "pass", "fail", "not applicable",
                                               "not observable"};

    return names[r];
}

const struct check *suite_at(unsigned i)
{
    for (unsigned t = 0; suite_tables[t]; t++) {
        for (const struct check *c = suite_tables[t]; c->id; c++) {
            if (i-- == 0) {
                return c;
            }
        }
    }
    return NULL;
}

static bool is_url(const char *url)
{
    return url && (!strncmp(url, "http://", 7) || !strncmp(url, "https://", 8));
}

int suite_init(struct suite *s, const struct suite_options *o)
{
    regex_t re;

    *s = (struct suite){.o = *o};
    if (!is_url(o->whip) || !is_url(o->whep)) {
        return -EINVAL;
    }
    if (o->filter) {
        if (regcomp(&re, o->filter, REG_EXTENDED | REG_NOSUB)) {
            return -EINVAL;
        }
        regfree(&re);
    }
    s->o.patience_ms = o->patience_ms ? o->patience_ms : PATIENCE_MS;
    while (suite_at(s->n)) {
        s->n++;
    }
    s->outcomes = calloc(s->n, sizeof(*s->outcomes));
    s->loop = peer_loop_new(0);
    s->identity = peer_identity_new();
    s->stranger = peer_identity_new();
    if (!s->outcomes || !s->loop || !s->identity || !s->stranger) {
        suite_fini(s);
        return -ENOMEM;
    }
    return 0;
}

void suite_fini(struct suite *s)
{
    peer_identity_free(s->identity);
    peer_identity_free(s->stranger);
    peer_loop_free(s->loop);
    free(s->outcomes);
}

/* ---- memory and time of a check ---- */

void *suite_alloc(struct suite *s, size_t bytes)
{
    struct kept *k = calloc(1, sizeof(*k) + bytes);

    if (!k) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    k->next = s->kept;
    s->kept = k;
    return k->bytes;
}

char *suite_keep(struct suite *s, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *out = suite_alloc(s, (size_t)n + 1);
    vsnprintf(out, (size_t)n + 1, fmt, again);
    va_end(again);
    return out;
}

void suite_clean_up(struct suite *s)
{
    party_free_all(s);
    for (struct reply *r = s->replies, *next; r; r = next) {
        next = r->next;
        free(r->head);
        free(r->body);
        free(r);
    }
    for (struct kept *k = s->kept, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    s->replies = NULL;
    s->kept = NULL;
}

int64_t suite_now_us(void)
{
    return peer_loop_clock_ns() / 1000;
}

bool suite_until_ms(struct suite *s, unsigned ms, bool (*done)(void *ctx), void *ctx)
{
    int64_t end_us = suite_now_us() + (int64_t)ms * 1000;

    while (!done || !done(ctx)) {
        int64_t left_us = end_us - suite_now_us();
        if (left_us <= 0) {
            return false;
        }
        peer_loop_turn(s->loop, left_us < TURN_US ? left_us : TURN_US);
    }
    return true;
}

bool suite_until(struct suite *s, bool (*done)(void *ctx), void *ctx)
{
    return suite_until_ms(s, s->o.patience_ms, done, ctx);
}

void suite_wait(struct suite *s, unsigned ms)
{
    (void)suite_until_ms(s, ms, NULL, NULL);
}

/* ---- verdicts ---- */

bool suite_expect(struct suite *s, bool ok, const char *expected, const char *got, ...)
{
    va_list ap;

    if (ok || s->verdict.result == FAIL) {
        return ok;
    }
    s->verdict.result = FAIL;
    snprintf(s->verdict.expected, sizeof(s->verdict.expected), "%s", expected);
    va_start(ap, got);
    vsnprintf(s->verdict.got, sizeof(s->verdict.got), got, ap);
    va_end(ap);
    return false;
}

void suite_skip(struct suite *s, const char *why, ...)
{
    va_list ap;

    if (s->verdict.result == FAIL) {
        return;
    }
    s->verdict.result = SKIP;
    va_start(ap, why);
    vsnprintf(s->verdict.got, sizeof(s->verdict.got), why, ap);
    va_end(ap);
}

/* One TAP line, and what was expected if it is red. Only a MUST counts as red to a TAP reader: the
 * others carry the directive for what need not work. */
static void print(struct suite *s, const struct check *c, const struct outcome *v)
{
    bool bad = v->result == FAIL;

    if (s->quiet) {
        return;
    }
    printf("%s %u - %s %s %s (%s)", bad ? "not ok" : "ok", ++s->printed, c->id,
           suite_level_name(c->level), c->what, c->ref);
    if (v->result == SKIP || v->result == BLIND) {
        printf(" # SKIP %s: %s", suite_result_name(v->result), v->got);
    } else if (bad && c->level != MUST) {
        printf(" # TO"
               "DO not required");
    }
    printf("\n");
    if (bad) {
        printf("#   expected: %s\n#   got: %s\n", v->expected, v->got);
    }
    fflush(stdout);
}

static void run_check(struct suite *s, const struct check *c, struct outcome *out)
{
    s->now = c;
    s->verdict = (struct outcome){.result = PASS};
    if (c->run) {
        c->run(s);
        suite_clean_up(s);
    } else {
        s->verdict.result = BLIND;
        snprintf(s->verdict.got, sizeof(s->verdict.got), "%s", c->blind);
    }
    *out = s->verdict;
    for (char *p = out->got; *p; p++) {
        *p = *p >= ' ' && *p <= '~' ? *p : ' ';
    }
    print(s, c, out);
}

unsigned suite_run(struct suite *s)
{
    regex_t re;
    unsigned failed = 0;
    bool filtered = s->o.filter && !regcomp(&re, s->o.filter, REG_EXTENDED | REG_NOSUB);

    for (unsigned i = 0; i < s->n; i++) {
        const struct check *c = suite_at(i);
        bool wanted = !filtered || !regexec(&re, c->id, 0, NULL, 0);
        bool ours = s->o.parts < 2 || i % s->o.parts == s->o.part;
        if (!wanted || !ours || (s->o.only_skipped && s->outcomes[i].result != SKIP)) {
            continue;
        }
        run_check(s, c, &s->outcomes[i]);
        failed += c->level == MUST && s->outcomes[i].result == FAIL;
    }
    if (filtered) {
        regfree(&re);
    }
    return failed;
}

unsigned suite_count(const struct suite *s, enum level l, enum result r)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->n; i++) {
        n += suite_at(i)->level == l && s->outcomes[i].result == r;
    }
    return n;
}
