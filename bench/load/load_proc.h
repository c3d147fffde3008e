/* SPDX-License-Identifier: Apache-2.0 */
/* load_proc.h - what /proc says about the server and about ourselves. */
#ifndef BENCH_LOAD_LOAD_PROC_H
#define BENCH_LOAD_LOAD_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct load_proc {
    bool known;
    int64_t cpu_ns;  /* all threads: schedstat where the kernel has it, else utime + stime */
    int64_t main_ns; /* the main thread's; 0 where the kernel has no schedstat */
    int64_t user_ns; /* utime, in clock ticks of the kernel */
    int64_t system_ns;
    int64_t rss_bytes;
    int64_t pss_bytes; /* 0 when smaps_rollup may not be read */
    unsigned threads;
};

/* Reads a process; ret->known is false when it is gone. */
void load_proc_read(pid_t pid, struct load_proc *ret);

#endif
