/* SPDX-License-Identifier: Apache-2.0 */
/* stress_log.c - many threads log through shared and own call sites while the level changes and the
 * log is stopped and started. For ThreadSanitizer; exits 0 if every line came whole. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/log.h"

#define THREADS 4
#define LINES   3000
#define ROUNDS  3

struct reader {
    int fd;
    long lines, broken;
};

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "stress_log: %s\n", what);
        exit(1);
    }
}

static void *talk(void *ctx)
{
    int me = *(int *)ctx;
    char mask[24];
    for (int i = 0; i < LINES; i++) {
        struct log_site own = {0};
        log_info("shared_site", LOG_INT("i", i), LOG_STR("id", log_mask("0123456789abcdef", mask)));
        log_write(
            &own, LOG_LEVEL_INFO,
            &(const struct log_line){"own_site", LOG_INT("t", me), LOG_INT("i", i), .end = 0});
        if (i % 100 == 0) {
            log_set_level(i % 200 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG);
        }
        log_debug("sometimes");
    }
    return NULL;
}

static void *read_lines(void *ctx)
{
    struct reader *r = ctx;
    FILE *f = fdopen(r->fd, "r");
    char line[8192];
    check(f, "fdopen");
    while (fgets(line, sizeof(line), f)) {
        size_t n = strlen(line);
        r->lines++;
        r->broken +=
            strncmp(line, "{\"ts\":\"", 7) != 0 || n < 3 || strcmp(line + n - 2, "}\n") != 0;
    }
    fclose(f);
    return NULL;
}

static void round_of(int round)
{
    int fds[2];
    int ids[THREADS];
    pthread_t threads[THREADS], reader_thread;
    check(pipe(fds) == 0, "pipe");
    struct reader r = {.fd = fds[0]};
    check(log_start(fds[1], true, LOG_LEVEL_INFO) == 0, "log_start");
    uint64_t dropped = log_dropped();
    check(pthread_create(&reader_thread, NULL, read_lines, &r) == 0, "pthread_create");
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        check(pthread_create(&threads[i], NULL, talk, &ids[i]) == 0, "pthread_create");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    log_stop();
    close(fds[1]);
    pthread_join(reader_thread, NULL);
    dropped = log_dropped() - dropped;
    printf("round %d: %ld lines, %lu dropped\n", round, r.lines, (unsigned long)dropped);
    check(r.broken == 0, "a line came broken");
    check((uint64_t)r.lines + dropped >= (uint64_t)THREADS * LINES, "lines were lost uncounted");
}

int main(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        round_of(i);
    }
    return 0;
}
