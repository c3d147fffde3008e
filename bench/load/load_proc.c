/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/load_proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *open_proc(pid_t pid, const char *what)
{
    char path[320];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
    return fopen(path, "re");
}

static bool read_stat(pid_t pid, struct load_proc *p)
{
    FILE *f = open_proc(pid, "stat");
    char line[1024], *after;
    unsigned long long user = 0, system = 0;
    bool ok = f && fgets(line, sizeof(line), f) && (after = strrchr(line, ')')) &&
              sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
                     &system) == 2;

    if (f) {
        fclose(f);
    }
    int64_t tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
    p->user_ns = (int64_t)user * tick_ns;
    p->system_ns = (int64_t)system * tick_ns;
    return ok;
}

/* Nanoseconds on a CPU, summed over the threads: the ticks of stat are too coarse for short runs.
 */
static void read_schedstat(pid_t pid, struct load_proc *p)
{
    char path[64], name[300];
    unsigned long long ns;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(name, sizeof(name), "task/%s/schedstat", e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : open_proc(pid, name);
        if (f && fscanf(f, "%llu", &ns) == 1) {
            p->cpu_ns += (int64_t)ns;
            p->main_ns += atoi(e->d_name) == pid ? (int64_t)ns : 0;
            p->threads++;
        }
        if (f) {
            fclose(f);
        }
    }
    if (d) {
        closedir(d);
    }
}

static void read_memory(pid_t pid, struct load_proc *p)
{
    FILE *f = open_proc(pid, "smaps_rollup");
    char line[256];
    long long kb;

    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "Rss: %lld kB", &kb) == 1) {
            p->rss_bytes = kb * 1024;
        } else if (sscanf(line, "Pss: %lld kB", &kb) == 1) {
            p->pss_bytes = kb * 1024;
        }
    }
    if (f) {
        fclose(f);
    }
    f = p->rss_bytes ? NULL : open_proc(pid, "status");
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "VmRSS: %lld kB", &kb) == 1) {
            p->rss_bytes = kb * 1024;
        }
    }
    if (f) {
        fclose(f);
    }
}

void load_proc_read(pid_t pid, struct load_proc *ret)
{
    struct load_proc p = {0};

    p.known = pid > 0 && read_stat(pid, &p);
    if (p.known) {
        read_schedstat(pid, &p);
        read_memory(pid, &p);
        if (!p.cpu_ns) {
            p.cpu_ns = p.user_ns + p.system_ns;
        }
    }
    *ret = p;
}
