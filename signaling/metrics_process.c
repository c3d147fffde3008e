/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/metrics_process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "signaling/strbuf.h"

/* Numbers of /proc/self/stat behind the command's name, which may hold spaces. */
struct stat_fields {
    uint64_t utime_ticks;
    uint64_t stime_ticks;
    uint64_t threads;
    uint64_t start_ticks; /* since boot */
    uint64_t vsize_bytes;
    uint64_t rss_pages;
};

static bool read_stat(struct stat_fields *ret)
{
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    if (f == NULL) {
        return false;
    }
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    char *at = strrchr(text, ')');
    if (at == NULL) {
        return false;
    }
    /* Field numbers as in proc(5); the name is the 2nd. */
    uint64_t v[25] = {0};
    int field = 2;
    char *save = NULL;
    for (char *word = strtok_r(at + 1, " ", &save); word != NULL && ++field < 25;
         word = strtok_r(NULL, " ", &save)) {
        v[field] = strtoull(word, NULL, 10);
    }
    *ret = (struct stat_fields){
        .utime_ticks = v[14],
        .stime_ticks = v[15],
        .threads = v[20],
        .start_ticks = v[22],
        .vsize_bytes = v[23],
        .rss_pages = v[24],
    };
    return field >= 24;
}

static uint64_t boot_time_s(void)
{
    char line[256];
    uint64_t boot = 0;
    FILE *f = fopen("/proc/stat", "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "btime ", 6) == 0) {
            boot = strtoull(line + 6, NULL, 10);
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return boot;
}

static unsigned open_fds(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL) {
        return 0;
    }
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n > 3 ? n - 3 : 0; // ".", ".." and the directory itself
}

static void add(struct strbuf *b, const char *name, const char *type, const char *help)
{
    strbuf_addf(b, "# TYPE process_%s %s\n# HELP process_%s %s\n", name, type, name, help);
}

void metrics_process_add(struct strbuf *b)
{
    struct stat_fields st;
    if (read_stat(&st)) {
        uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
        uint64_t cpu = st.utime_ticks + st.stime_ticks;
        add(b, "cpu_seconds", "counter", "User and system CPU time.");
        strbuf_addf(b, "process_cpu_seconds_total %" PRIu64 ".%02" PRIu64 "\n", cpu / hz,
                    cpu % hz * 100 / hz);
        add(b, "resident_memory_bytes", "gauge", "Resident memory.");
        strbuf_addf(b, "process_resident_memory_bytes %" PRIu64 "\n",
                    st.rss_pages * (uint64_t)sysconf(_SC_PAGESIZE));
        add(b, "virtual_memory_bytes", "gauge", "Virtual memory.");
        strbuf_addf(b, "process_virtual_memory_bytes %" PRIu64 "\n", st.vsize_bytes);
        add(b, "threads", "gauge", "Threads.");
        strbuf_addf(b, "process_threads %" PRIu64 "\n", st.threads);
        add(b, "start_time_seconds", "gauge", "Start, seconds since 1970.");
        strbuf_addf(b, "process_start_time_seconds %" PRIu64 "\n",
                    boot_time_s() + st.start_ticks / hz);
    }
    struct rlimit limit;
    add(b, "open_fds", "gauge", "Open file descriptors.");
    strbuf_addf(b, "process_open_fds %u\n", open_fds());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        add(b, "max_fds", "gauge", "File descriptors that may be open.");
        strbuf_addf(b, "process_max_fds %" PRIu64 "\n", (uint64_t)limit.rlim_cur);
    }
}
