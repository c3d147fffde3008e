/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/server_kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TRIES    5
#define LOG_TAIL_BYTES 12000

static int passed, failed;

/* ---- verdicts ---- */

bool check(bool ok, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    printf(ok ? "ok %d - " : "not ok %d - ", passed + failed + 1);
    vprintf(fmt, ap);
    printf("\n");
    fflush(stdout);
    va_end(ap);
    passed += ok;
    failed += !ok;
    return ok;
}

void note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    printf("# ");
    vprintf(fmt, ap);
    printf("\n");
    fflush(stdout);
    va_end(ap);
}

int check_report(void)
{
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}

void check_give_up(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    printf("not ok %d - ", passed + failed + 1);
    vprintf(fmt, ap);
    printf("\n%d passed, %d failed\n", passed, failed + 1);
    va_end(ap);
    exit(1);
}

/* ---- the process ---- */

void server_init(struct server *s, int argc, char **argv)
{
    *s = (struct server){.log_fd = -1};
    s->binary = argc > 1 ? argv[1] : getenv("SLUICE");
    if (!s->binary || !s->binary[0]) {
        fprintf(stderr, "usage: %s PATH_OF_SLUICE (or SLUICE=PATH)\n", argv[0]);
        exit(2);
    }
    s->loop = peer_loop_new(0);
    s->identity = peer_identity_new();
    if (!s->loop || !s->identity) {
        check_give_up("no loop, or no certificate");
    }
}

/* A port that nobody has at this moment, for UDP and TCP alike. 0 if there is none. */
static uint16_t free_port(void)
{
    for (int i = 0; i < 50; i++) {
        struct sockaddr_in6 a = {.sin6_family = AF_INET6};
        socklen_t len = sizeof(a);
        int tcp = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool ok = bind(tcp, (struct sockaddr *)&a, sizeof(a)) == 0 &&
                  getsockname(tcp, (struct sockaddr *)&a, &len) == 0 &&
                  bind(udp, (struct sockaddr *)&a, sizeof(a)) == 0;
        close(tcp);
        close(udp);
        if (ok) {
            return ntohs(a.sin6_port);
        }
    }
    return 0;
}

static void exec_server(const struct server *s, const char *const *sets)
{
    char http[64], admin[64], media[64];
    const char *argv[19 + 2 * SERVER_SETS_MAX];
    int n = 0;

    snprintf(http, sizeof(http), "http.listen=127.0.0.1:%u", s->http_port);
    snprintf(admin, sizeof(admin), "admin.listen=127.0.0.1:%u", s->admin_port);
    snprintf(media, sizeof(media), "media.listen=[::]:%u", s->media_port);
    const char *own[] = {http,
                         admin,
                         media,
                         "media.announce=127.0.0.1,::1",
                         "http.posts_per_ip_per_s=100000",
                         "http.max_connections_per_ip=1024"};
    argv[n++] = s->binary;
    argv[n++] = "--insecure-dev";
    argv[n++] = "--log-format";
    argv[n++] = "text";
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        argv[n++] = "--set";
        argv[n++] = own[i];
    }
    if (s->config) {
        argv[n++] = "--config";
        argv[n++] = s->config;
    }
    for (int i = 0; sets && sets[i] && i < SERVER_SETS_MAX; i++) {
        argv[n++] = "--set";
        argv[n++] = sets[i];
    }
    argv[n] = NULL;
    dup2(s->log_fd, STDOUT_FILENO);
    dup2(s->log_fd, STDERR_FILENO);
    execv(s->binary, (char **)argv);
    _exit(127);
}

static void spawn(struct server *s, const char *const *sets)
{
    s->http_port = free_port();
    s->admin_port = free_port();
    s->media_port = free_port();
    if (s->log_fd >= 0) {
        close(s->log_fd); /* of a server that has been stopped */
    }
    s->log_fd = memfd_create("server log", MFD_CLOEXEC);
    (void)fcntl(s->log_fd, F_SETFL, O_APPEND); /* two streams write to it */
    fflush(stdout);
    pid_t parent = getpid();
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* no server outlives its test */
        if (getppid() == parent) {
            exec_server(s, sets);
        }
        _exit(127);
    }
    if (s->pid < 0 || s->log_fd < 0) {
        check_give_up("cannot start %s: %s", s->binary, strerror(errno));
    }
}

static char *read_log(const struct server *s, size_t *ret_len)
{
    struct stat st = {.st_size = 0};
    (void)fstat(s->log_fd, &st);
    char *text = calloc(1, (size_t)st.st_size + 1);
    ssize_t n = text ? pread(s->log_fd, text, (size_t)st.st_size, 0) : 0;

    *ret_len = n > 0 ? (size_t)n : 0;
    return text;
}

static void print_log(const struct server *s)
{
    size_t len;
    char *text = read_log(s, &len);
    size_t from = len > LOG_TAIL_BYTES ? len - LOG_TAIL_BYTES : 0;

    printf("# the server's log ends:\n");
    for (char *line = text + from, *end; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        printf("#   %.*s\n", (int)(end - line), line);
        end += *end == '\n';
    }
    free(text);
}

int server_log_count(const struct server *s, const char *needle)
{
    size_t len;
    char *text = read_log(s, &len);
    int n = 0;

    for (const char *p = text; p && (p = strstr(p, needle)); p += strlen(needle)) {
        n++;
    }
    free(text);
    return n;
}

static bool is_ready(void *ctx)
{
    struct server *s = ctx;
    int status;

    if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
        s->pid = 0;
        return true;
    }
    return server_log_count(s, "is ready:") > 0;
}

/* Runs done every few milliseconds: what it looks at does not wake the loop. */
bool server_until(struct server *s, int64_t ms, bool (*done)(void *ctx), void *ctx)
{
    int64_t end_ms = server_now_ms() + ms;

    while (!done(ctx)) {
        if (server_now_ms() >= end_ms) {
            return false;
        }
        peer_loop_turn(s->loop, 5000);
    }
    return true;
}

void server_start(struct server *s, const char *const *sets)
{
    for (int i = 0; i < START_TRIES; i++) {
        spawn(s, sets);
        if (server_until(s, SERVER_PATIENCE_MS, is_ready, s) && s->pid) {
            return;
        }
        print_log(s);
        (void)server_stop(s); /* another program may have taken a port: once more */
    }
    check_give_up("%s does not start", s->binary);
}

struct ending {
    struct server *s;
    int status;
    bool ended;
};

static bool has_ended(void *ctx)
{
    struct ending *e = ctx;

    e->ended = waitpid(e->s->pid, &e->status, WNOHANG) == e->s->pid;
    return e->ended;
}

int server_wait_end(struct server *s, int64_t ms)
{
    struct ending e = {.s = s};

    if (!s->pid) {
        return -1;
    }
    if (!server_until(s, ms, has_ended, &e)) {
        note("the server does not end: killed");
        kill(s->pid, SIGKILL);
        waitpid(s->pid, &e.status, 0);
    }
    s->pid = 0;
    if (!WIFEXITED(e.status)) {
        note("the server died of signal %d", WTERMSIG(e.status));
        return -1;
    }
    return WEXITSTATUS(e.status);
}

int server_stop(struct server *s)
{
    if (!s->pid) {
        return -1;
    }
    kill(s->pid, SIGINT); /* without waiting for its sessions */
    return server_wait_end(s, SERVER_PATIENCE_MS);
}

void server_fini(struct server *s)
{
    if (s->pid) {
        int code = server_stop(s);
        check(code == 0, "the server ends with exit code 0 (%d)", code);
    }
    if (failed) {
        print_log(s);
    }
    if (s->log_fd >= 0) {
        close(s->log_fd);
        s->log_fd = -1;
    }
    peer_identity_free(s->identity);
    peer_loop_free(s->loop);
}

int64_t server_rss_kb(const struct server *s)
{
    char path[64], line[256];
    long long kb = -1;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)s->pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f) && sscanf(line, "VmRSS: %lld", &kb) != 1) {
    }
    if (f) {
        fclose(f);
    }
    return kb;
}

int server_fds(const struct server *s)
{
    char path[64];
    int n = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)s->pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        n += e->d_name[0] != '.';
    }
    if (d) {
        closedir(d);
    }
    return n;
}

/* ---- time ---- */

int64_t server_now_ms(void)
{
    return peer_loop_clock_ns() / 1000000;
}

void server_run(struct server *s, int64_t ms)
{
    (void)peer_loop_run(s->loop, ms * 1000, NULL, NULL);
}
