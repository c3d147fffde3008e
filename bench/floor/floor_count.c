/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/floor/floor.h"

#include <linux/perf_event.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int open_counter(bool user_only)
{
    struct perf_event_attr a = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof(a),
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .exclude_kernel = user_only,
        .exclude_hv = 1,
    };

    return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int64_t read_counter(int fd)
{
    int64_t v = -1;

    return fd >= 0 && read(fd, &v, sizeof(v)) == sizeof(v) ? v : -1;
}

void floor_count_read(struct floor_count *ret)
{
    static int all = -2, user = -2;
    struct timespec ts;
    struct rusage u;

    if (all == -2) {
        all = open_counter(false);
        user = open_counter(true);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    getrusage(RUSAGE_THREAD, &u);
    ret->cpu_ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
    ret->user_ns = (int64_t)u.ru_utime.tv_sec * 1000000000 + (int64_t)u.ru_utime.tv_usec * 1000;
    ret->instructions = read_counter(all);
    ret->user_instructions = read_counter(user);
}
