/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/clock.h"
#include "conf/log.h"
#include "conf/log_format.h"

/* Formats one line; the result is NUL-terminated and without its newline. */
static const char *line_of(bool json, const struct log_line *line)
{
    static char out[LOG_FORMAT_LINE_MAX + 1];
    const struct log_format_head head = {
        .wall_us = 1767225599000042, .level = LOG_LEVEL_WARN, .json = json};
    size_t n = log_format_line(&head, line, out);
    cr_assert(n > 0 && n <= LOG_FORMAT_LINE_MAX);
    cr_assert_eq(out[n - 1], '\n');
    out[n - 1] = '\0';
    cr_assert(!strchr(out, '\n'));
    return out;
}

#define LINE(...) (&(const struct log_line){__VA_ARGS__, .end = 0})

Test(log, formats_json_and_text)
{
    const struct {
        const struct log_line *line;
        const char *json, *text;
    } rows[] = {
        {LINE("up"), "", ""},
        {LINE("dtls_up", LOG_STR("room", "r1"), LOG_INT("took_ms", 84)),
         ",\"room\":\"r1\",\"took_ms\":84", " room=r1 took_ms=84"},
        {LINE("x", LOG_INT("n", INT64_MIN)), ",\"n\":-9223372036854775808",
         " n=-9223372036854775808"},
        {LINE("x", LOG_STR("s", NULL)), ",\"s\":null", " s=-"},
        {LINE("x", LOG_STR("s", "")), ",\"s\":\"\"", " s=\"\""},
        {LINE("x", LOG_STR("s", "a b=\"c\"\\")), ",\"s\":\"a b=\\\"c\\\"\\\\\"",
         " s=\"a b=\\\"c\\\"\\\\\""},
        {LINE("x", LOG_STR("s", "a\nev=fake\x1b[0m\x7f")),
         ",\"s\":\"a\\u000aev=fake\\u001b[0m\\u007f\"", " s=\"a\\u000aev=fake\\u001b[0m\\u007f\""},
        {LINE("x", LOG_STR("s", "h\xc3\xa4h \xe2\x82\xac \xf0\x9f\x8e\xa5")),
         ",\"s\":\"h\xc3\xa4h \xe2\x82\xac \xf0\x9f\x8e\xa5\"",
         " s=\"h\xc3\xa4h \xe2\x82\xac \xf0\x9f\x8e\xa5\""},
        /* invalid: lone byte, overlong, surrogate, too large, cut short */
        {LINE("x", LOG_STR("s", "\xff|\xc0\xaf|\xed\xa0\x80|\xf5\x80\x80\x80|\xe2\x82")),
         ",\"s\":\"\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd\\ufffd|"
         "\\ufffd\\ufffd\"",
         " s=\"\\xff|\\xc0\\xaf|\\xed\\xa0\\x80|\\xf5\\x80\\x80\\x80|\\xe2\\x82\""},
        /* C1 controls and Unicode line ends */
        {LINE("x", LOG_STR("s", "\xc2\x9b|\xe2\x80\xa8")), ",\"s\":\"\\u009b|\\u2028\"",
         " s=\"\\u009b|\\u2028\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char want[512];
        snprintf(want, sizeof(want),
                 "{\"ts\":\"2025-12-31T23:59:59.000042Z\",\"lvl\":\"warn\",\"ev\":\"%s\"%s}",
                 rows[i].line->ev, rows[i].json);
        cr_assert_str_eq(line_of(true, rows[i].line), want);
        cJSON *parsed = cJSON_Parse(want);
        cr_assert(parsed, "%s", want);
        cJSON_Delete(parsed);
        snprintf(want, sizeof(want), "2025-12-31T23:59:59.000042Z WARN ev=%s%s", rows[i].line->ev,
                 rows[i].text);
        cr_assert_str_eq(line_of(false, rows[i].line), want);
    }
}

Test(log, cuts_long_strings_and_long_lines)
{
    char s[400];
    memset(s, 'a', sizeof(s));
    s[sizeof(s) - 1] = '\0';
    const char *line = line_of(true, LINE("x", LOG_STR("s", s)));
    cr_assert_eq(strspn(strstr(line, ":\"aaa") + 2, "a"), 256);
    /* A character that the cut splits is left out, not shown as garbage. */
    memcpy(s + 255, "\xe2\x82\xac", 3);
    line = line_of(true, LINE("x", LOG_STR("s", s)));
    cr_assert_eq(strspn(strstr(line, ":\"aaa") + 2, "a"), 255);
    cr_assert(!strstr(line, "ufffd"));
    /* 256 control characters take 1536 bytes each field: the third does not fit. */
    memset(s, 1, 300);
    line = line_of(true,
                   LINE("x", LOG_STR("a", s), LOG_STR("b", s), LOG_STR("c", s), LOG_INT("d", 1)));
    cJSON *parsed = cJSON_Parse(line);
    cr_assert(parsed);
    cr_assert(cJSON_HasObjectItem(parsed, "b") && !cJSON_HasObjectItem(parsed, "c"));
    cr_assert(cJSON_HasObjectItem(parsed, "cut"));
    cJSON_Delete(parsed);
}

/* Each of the 65,536 pairs of bytes in a string gives a line that a strict reader takes. */
Test(log, no_bytes_break_the_line)
{
    for (int a = 1; a < 256; a++) {
        for (int b = 0; b < 256; b += a < 0x80 ? 5 : 1) {
            const char s[] = {(char)a, (char)b, '\0'};
            const char *line = line_of(true, LINE("x", LOG_STR("s", s)));
            for (const unsigned char *p = (const unsigned char *)line; *p; p++) {
                cr_assert(*p >= 0x20 && *p != 0x7f);
            }
            cJSON *parsed = cJSON_Parse(line);
            cr_assert(parsed, "%02x %02x: %s", a, b, line);
            cJSON_Delete(parsed);
        }
    }
}

static size_t read_all(int fd, char *out, size_t cap)
{
    size_t n = 0;
    for (ssize_t got = 1; got > 0 && n + 1 < cap; n += (size_t)got) {
        got = read(fd, out + n, cap - 1 - n);
        cr_assert(got >= 0);
    }
    out[n] = '\0';
    return n;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *p = strstr(text, part); p; p = strstr(p + 1, part)) {
        n++;
    }
    return n;
}

Test(log, writes_lines_of_enabled_levels_only)
{
    int fds[2];
    static char text[65536];
    log_info("before_start");
    cr_assert(!log_enabled(LOG_LEVEL_ERROR));
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(log_start(fds[1], true, LOG_LEVEL_INFO), 0);
    cr_assert_eq(log_start(fds[1], true, LOG_LEVEL_INFO), -EALREADY);
    log_info("one", LOG_INT("n", 1));
    log_debug("hidden");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("two");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("hidden");
    log_error("three");
    log_stop();
    log_stop();
    log_error("after_stop");
    log_set_level(LOG_LEVEL_DEBUG);
    cr_assert(!log_enabled(LOG_LEVEL_ERROR));
    close(fds[1]);
    read_all(fds[0], text, sizeof(text));
    cr_assert_eq(count(text, "\n"), 3, "%s", text);
    cr_assert(strstr(text, "\"one\",\"n\":1}\n") && strstr(text, "\"two\"") &&
              strstr(text, "\"lvl\":\"error\",\"ev\":\"three\""));
    close(fds[0]);
}

static void one_site(int i)
{
    log_info("busy", LOG_INT("i", i));
}

/* How many lines were suppressed, as the log tells: by the next line, or after a while. */
static unsigned long told(const char *text)
{
    static const char *const marks[] = {" suppressed=", "of=busy n="};
    unsigned long n = 0;
    for (size_t m = 0; m < ARRAY_LEN(marks); m++) {
        for (const char *at = text; (at = strstr(at, marks[m])) != NULL;) {
            at += strlen(marks[m]);
            n += strtoul(at, NULL, 10);
        }
    }
    return n;
}

Test(log, limits_each_call_site_and_tells_what_was_suppressed)
{
    enum { BURST = 100 };
    int fds[2];
    static char text[65536];
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(log_start(fds[1], false, LOG_LEVEL_INFO), 0);
    int64_t start_us = clock_now_us();
    for (int i = 0; i < BURST; i++) {
        one_site(i);
        if (i < 15) {
            log_info("other_site");
        }
    }
    while (clock_now_us() - start_us < US_PER_S + 100000) {
        poll(NULL, 0, 50);
    }
    /* The first of these tells what was suppressed before; for the others the writer does. */
    for (int i = 0; i < BURST; i++) {
        one_site(i);
    }
    size_t n = 0;
    while (count(text, "ev=busy") + told(text) < 2 * BURST) {
        ssize_t got = read(fds[0], text + n, sizeof(text) - 1 - n);
        cr_assert_gt(got, 0);
        n += (size_t)got;
    }
    size_t windows = (size_t)((clock_now_us() - start_us) / US_PER_S) + 1;
    log_stop();
    close(fds[1]);
    read_all(fds[0], text + n, sizeof(text) - n);
    cr_assert_eq(count(text, "ev=other_site"), 15);
    cr_assert_leq(count(text, "ev=busy"), 20 * windows);
    cr_assert_eq(count(text, "ev=busy") + told(text), 2 * BURST, "%s", text);
    cr_assert(strstr(text, "INFO ev=busy i=0 suppressed="), "%s", text);
    cr_assert(strstr(text, "WARN ev=log_suppressed of=busy n="), "%s", text);
    close(fds[0]);
}

/* Bypasses the limit of a call site. */
static void flood(int n)
{
    static const char pad[] = "0123456789012345678901234567890123456789012345678901234567890123456";
    for (int i = 0; i < n; i++) {
        struct log_site site = {0};
        log_write(&site, LOG_LEVEL_INFO, LINE("flood", LOG_STR("pad", pad), LOG_INT("i", i)));
    }
}

Test(log, a_blocked_sink_blocks_nobody_and_drops_are_told)
{
    enum { LINES = 20000 };
    int fds[2];
    static char text[8 * 1024 * 1024];
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(log_start(fds[1], true, LOG_LEVEL_INFO), 0);
    int64_t start_us = clock_now_us();
    flood(LINES); /* 3 MB into a pipe of 64 kB that nobody reads */
    cr_assert_lt(clock_now_us() - start_us, 20 * US_PER_S);
    uint64_t dropped = log_dropped();
    cr_assert_gt(dropped, 0);
    cr_assert_lt(dropped, LINES);
    /* Somebody reads again: all that was queued comes, and the report. */
    size_t n = 0;
    for (uint64_t lines = 0; lines < LINES - dropped + 1;) {
        ssize_t got = read(fds[0], text + n, sizeof(text) - 1 - n);
        cr_assert_gt(got, 0);
        for (size_t end = n + (size_t)got; n < end; n++) {
            lines += text[n] == '\n';
        }
    }
    log_stop();
    close(fds[1]);
    read_all(fds[0], text + n, sizeof(text) - n);
    cr_assert_eq(count(text, "\"ev\":\"flood\""), LINES - dropped);
    /* On a busy machine the writer gets a word in between: then they are told in parts. */
    static const char report[] = "\"ev\":\"log_dropped\",\"n\":";
    uint64_t told = 0;
    for (const char *at = text; (at = strstr(at, report)) != NULL;) {
        at += sizeof(report) - 1;
        told += strtoull(at, NULL, 10);
    }
    cr_assert_eq(told, dropped, "%ju of %ju", (uintmax_t)told, (uintmax_t)dropped);
    close(fds[0]);
}

Test(log, stops_within_seconds_when_the_sink_is_blocked_or_gone)
{
    int fds[2];
    /* blocked: a pipe, and the socket that journald gives to services */
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(round ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds), 0);
        cr_assert_eq(log_start(fds[1], true, LOG_LEVEL_INFO), 0);
        flood(5000);
        int64_t start_us = clock_now_us();
        log_stop();
        cr_assert_lt(clock_now_us() - start_us, 10 * US_PER_S);
        close(fds[0]);
        close(fds[1]);
    }
    /* gone: EPIPE, not a signal */
    uint64_t before = log_dropped();
    cr_assert_eq(pipe(fds), 0);
    close(fds[0]);
    cr_assert_eq(log_start(fds[1], true, LOG_LEVEL_INFO), 0);
    flood(10);
    log_stop();
    cr_assert_eq(log_dropped() - before, 10);
    close(fds[1]);
}

Test(log, parses_levels)
{
    enum log_level l = LOG_LEVEL_INFO;
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        cr_assert_eq(log_parse_level(names[i], &l), 0);
        cr_assert_eq(l, (enum log_level)i);
        cr_assert_str_eq(log_format_level(l), names[i]);
    }
    cr_assert_eq(log_parse_level("INFO", &l), -EINVAL);
    cr_assert_eq(log_parse_level("", &l), -EINVAL);
    cr_assert_eq(l, LOG_LEVEL_DEBUG);
}

Test(log, masks_secrets)
{
    char a[24], b[24];
    static const char secret[] = "ab12-a-long-secret-that-nobody-may-see";
    cr_assert_eq(strncmp(log_mask(secret, a), "ab12\xe2\x80\xa6", 7), 0);
    cr_assert_eq(strlen(a), 4 + 3 + 4);
    cr_assert_str_eq(a, log_mask(secret, b));
    cr_assert_str_neq(a, log_mask("ab12-a-long-secret-that-nobody-may-sEe", b));
    /* Of a short one at most a quarter shows. */
    cr_assert_eq(strncmp(log_mask("abcdefg", a), "a\xe2\x80\xa6", 4), 0);
    cr_assert_eq(strncmp(log_mask("abc", a), "\xe2\x80\xa6", 3), 0);
    cr_assert_eq(strlen(log_mask("", a)), 7);
    cr_assert_eq(strncmp(log_mask("\n\x80 \x7fxxxxxxxxxxxxxxxxx", a), "????", 4), 0);
}
