/* SPDX-License-Identifier: Apache-2.0 */
/* test_check.h - what the peer's own tests print: one "ok" or "not ok" line per check. */
#ifndef TESTS_PEER_TEST_CHECK_H
#define TESTS_PEER_TEST_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int checks_failed;
static int checks_done;

__attribute__((format(printf, 2, 3))) static inline bool check(bool ok, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    printf(ok ? "ok %d - " : "not ok %d - ", ++checks_done);
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    checks_failed += !ok;
    return ok;
}

static inline int checks_report(void)
{
    printf("1..%d\n# %d failed\n", checks_done, checks_failed);
    return checks_failed != 0;
}

#endif
