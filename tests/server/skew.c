/* SPDX-License-Identifier: Apache-2.0 */
/* skew.c - preloaded into a program, sets its wall clock SKEW_S seconds off: what a wrong clock
 * looks like to `sluice doctor`. The monotonic clock is left alone. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

/* Exported: in place of the C library's. */
int clock_gettime(clockid_t id, struct timespec *ts);
time_t time(time_t *ret);

static long skew_s(void)
{
    const char *text = getenv("SKEW_S");
    return text ? strtol(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    int r = real(id, ts);
    if (r == 0 && id == CLOCK_REALTIME) {
        ts->tv_sec += skew_s();
    }
    return r;
}

time_t time(time_t *ret)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (ret) {
        *ret = ts.tv_sec;
    }
    return ts.tv_sec;
}
