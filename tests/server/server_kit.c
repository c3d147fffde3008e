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

#define START_TRIES     5
#define RCVBUF_BYTES    (1 << 20)
#define HTTP_TIMEOUT_US (SERVER_PATIENCE_MS * 1000LL)
#define LOG_TAIL_BYTES  12000

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

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *fmt, ...)
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
        give_up("no loop, or no certificate");
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
        give_up("cannot start %s: %s", s->binary, strerror(errno));
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
    give_up("%s does not start", s->binary);
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

/* ---- peers ---- */

void server_params(enum peer_role role, struct peer_params *ret)
{
    peer_params_init(ret);
    ret->role = role;
    ret->rcvbuf_bytes = RCVBUF_BYTES;
    ret->join_timeout_us = SERVER_PATIENCE_MS * 1000LL;
    ret->video_kbps = SERVER_SCALED(600, 300);
    ret->fps = SERVER_SCALED(30, 15);
    ret->keyframe_ms = 2000;
}

struct peer *server_peer(struct server *s, const char *stream, const struct peer_params *m)
{
    static uint64_t seed;
    struct peer_params with_url = *m;
    char url[256];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s/%s", s->http_port,
             m->role == PEER_PUBLISH ? "whip" : "whep", stream);
    with_url.url = url;
    with_url.seed = ++seed;
    struct peer *p = peer_new(s->loop, s->identity, &with_url);
    if (!p || peer_join(p) < 0) {
        give_up("a peer cannot be made: %s", strerror(errno));
    }
    return p;
}

struct peer *server_publisher(struct server *s, const char *stream)
{
    struct peer_params m;

    server_params(PEER_PUBLISH, &m);
    return server_peer(s, stream, &m);
}

struct peer *server_viewer(struct server *s, const char *stream)
{
    struct peer_params m;

    server_params(PEER_PLAY, &m);
    return server_peer(s, stream, &m);
}

struct group {
    struct peer *const *peers;
    unsigned n;
    const uint64_t *want; /* packets; NULL: any */
};

static uint64_t media_of(struct peer *p)
{
    const struct peer_stats *st = peer_stats(p);

    return peer_params(p)->role == PEER_PUBLISH ? st->sent_packets : st->packets;
}

static unsigned not_there(const struct group *g)
{
    unsigned n = 0;

    for (unsigned i = 0; i < g->n; i++) {
        n += peer_state(g->peers[i]) != PEER_UP ||
             media_of(g->peers[i]) < (g->want ? g->want[i] : 1);
    }
    return n;
}

static bool group_done(void *ctx)
{
    const struct group *g = ctx;

    for (unsigned i = 0; i < g->n; i++) {
        if (peer_state(g->peers[i]) >= PEER_CLOSED) {
            return true;
        }
    }
    return not_there(g) == 0;
}

static unsigned wait_group(struct server *s, const struct group *g)
{
    (void)server_until(s, SERVER_PATIENCE_MS, group_done, (void *)(uintptr_t)g);
    unsigned n = not_there(g);
    for (unsigned i = 0, shown = 0; i < g->n && n && shown < 5; i++) {
        struct peer *p = g->peers[i];
        if (peer_state(p) != PEER_UP || media_of(p) < (g->want ? g->want[i] : 1)) {
            note("peer %u of %u: %s, %llu packets; %s", i, g->n, peer_state_name(peer_state(p)),
                 (unsigned long long)media_of(p), peer_error(p));
            shown++;
        }
    }
    return n;
}

unsigned server_wait_playing(struct server *s, struct peer *const *peers, unsigned n)
{
    return wait_group(s, &(struct group){.peers = peers, .n = n});
}

unsigned server_wait_more(struct server *s, struct peer *const *peers, unsigned n, unsigned more)
{
    uint64_t *want = calloc(n, sizeof(*want));

    if (!want) {
        give_up("out of memory");
    }
    for (unsigned i = 0; i < n; i++) {
        want[i] = media_of(peers[i]) + more;
    }
    unsigned r = wait_group(s, &(struct group){.peers = peers, .n = n, .want = want});
    free(want);
    return r;
}

struct state_wait {
    struct peer *p;
    enum peer_state want;
};

static bool state_reached(void *ctx)
{
    const struct state_wait *w = ctx;

    return peer_state(w->p) >= w->want;
}

bool server_wait_state(struct server *s, struct peer *p, enum peer_state want, int64_t ms)
{
    struct state_wait w = {.p = p, .want = want};

    (void)server_until(s, ms, state_reached, &w);
    if (peer_state(p) != want) {
        note("peer is %s, not %s: %s", peer_state_name(peer_state(p)), peer_state_name(want),
             peer_error(p));
    }
    return peer_state(p) == want;
}

static bool no_gaps(void *ctx)
{
    const struct group *g = ctx;

    for (unsigned i = 0; i < g->n; i++) {
        const struct peer_stats *st = peer_stats(g->peers[i]);
        if (st->missing != st->recovered + st->lost) {
            return false;
        }
    }
    return true;
}

void server_drain(struct server *s, struct peer *const *peers, unsigned n)
{
    struct group g = {.peers = peers, .n = n};

    server_run(s, SERVER_SCALED(200, 600));
    (void)server_until(s, SERVER_SCALED(3000, 10000), no_gaps, &g);
}

bool server_flawless(struct peer *p, const char *who)
{
    const struct peer_stats *st = peer_stats(p);
    /* What another test's server sends to a port that was its viewer's before is not ours. */
    bool ours = st->rx_unauthentic + st->rx_unknown <= st->rx_wrong_source;
    bool ok = ours && peer_faults(p) == 0 && st->lost == 0 && st->missing == st->recovered &&
              st->packets > 0;

    if (ok) {
        return true;
    }
    note("%s: %s, packets %llu lost %llu missing %llu recovered %llu unauthentic %llu replayed "
         "%llu unknown %llu wrong source %llu kernel drops %llu",
         who, peer_state_name(peer_state(p)), (unsigned long long)st->packets,
         (unsigned long long)st->lost, (unsigned long long)st->missing,
         (unsigned long long)st->recovered, (unsigned long long)st->rx_unauthentic,
         (unsigned long long)st->rx_replayed, (unsigned long long)st->rx_unknown,
         (unsigned long long)st->rx_wrong_source, (unsigned long long)st->rx_kernel_drops);
    for (unsigned f = 0; f < PEER_FAULT_COUNT; f++) {
        if (st->faults[f]) {
            note("%s: fault %s %llu times", who, peer_fault_name((enum peer_fault)f),
                 (unsigned long long)st->faults[f]);
        }
    }
    return false;
}

int server_leave(struct server *s, struct peer *p)
{
    const char *url = peer_location(p);
    const char *path = strstr(url, "/session/");

    return path ? server_http_status(s, false, "DELETE", path) : 0;
}

void server_free_peers(struct server *s, struct peer **peers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (peers[i] && peer_state(peers[i]) == PEER_UP) {
            peer_send_close(peers[i]);
        }
    }
    server_run(s, SERVER_SCALED(50, 200)); /* what is under way does not meet a port's next owner */
    for (unsigned i = 0; i < n; i++) {
        peer_free(peers[i]);
        peers[i] = NULL;
    }
}

/* ---- HTTP ---- */

struct http_wait {
    struct server_reply *reply;
    bool done;
};

static void on_reply(void *ctx, const struct peer_http_response *r)
{
    struct http_wait *w = ctx;

    w->done = true;
    w->reply->status = r->status;
    w->reply->retry_after_s = r->retry_after_s;
    memcpy(w->reply->location, r->location, sizeof(w->reply->location));
    snprintf(w->reply->head, sizeof(w->reply->head), "%s", r->head ? r->head : "");
    w->reply->body = r->body ? strdup(r->body) : NULL;
    w->reply->len = r->body_len;
}

static bool reply_done(void *ctx)
{
    const struct http_wait *w = ctx;

    return w->done;
}

int server_ask(struct server *s, const struct server_ask *ask, struct server_reply *ret)
{
    char url[640];
    struct http_wait w = {.reply = ret};
    struct peer_http_request rq = {
        .method = ask->method,
        .url = url,
        .token = ask->token,
        .headers = ask->headers,
        .content_type = ask->type,
        .body = ask->body,
        .body_len = ask->body ? strlen(ask->body) : 0,
    };

    *ret = (struct server_reply){.retry_after_s = -1};
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", ask->admin ? s->admin_port : s->http_port,
             ask->path);
    struct peer_http *h = peer_http_start(s->loop, &rq, HTTP_TIMEOUT_US, on_reply, &w);
    if (h && !peer_loop_run(s->loop, HTTP_TIMEOUT_US + 1000000, reply_done, &w)) {
        peer_http_cancel(h);
    }
    return ret->status;
}

int server_http(struct server *s, bool admin, const char *method, const char *path,
                const char *type, const char *body, struct server_reply *ret)
{
    struct server_ask ask = {
        .admin = admin, .method = method, .path = path, .type = type, .body = body};

    ask.token = admin ? s->admin_token : NULL;

    return server_ask(s, &ask, ret);
}

int server_http_status(struct server *s, bool admin, const char *method, const char *path)
{
    struct server_reply r;
    int status = server_http(s, admin, method, path, NULL, NULL, &r);

    free(r.body);
    return status;
}

/* ---- admin API and metrics ---- */

cJSON *server_sessions(struct server *s)
{
    struct server_reply r;
    int status = server_http(s, true, "GET", "/api/v1/sessions", NULL, NULL, &r);
    cJSON *o = status == 200 ? cJSON_ParseWithLength(r.body, r.len) : NULL;

    if (!o || !cJSON_IsArray(cJSON_GetObjectItem(o, "sessions"))) {
        check(false, "the admin API lists sessions (status %d, %zu bytes)", status, r.len);
        cJSON_Delete(o);
        o = cJSON_CreateObject();
    }
    free(r.body);
    return o;
}

unsigned server_sessions_count(const cJSON *listing)
{
    return (unsigned)cJSON_GetArraySize(cJSON_GetObjectItem(listing, "sessions"));
}

unsigned server_sessions_now(struct server *s)
{
    cJSON *l = server_sessions(s);
    unsigned n = server_sessions_count(l);

    cJSON_Delete(l);
    return n;
}

static const cJSON *member(const cJSON *listing, unsigned i, const char *name)
{
    const cJSON *all = cJSON_GetObjectItem(listing, "sessions");

    return cJSON_GetObjectItem(cJSON_GetArrayItem(all, (int)i), name);
}

double server_session_number(const cJSON *listing, unsigned i, const char *name)
{
    const cJSON *m = member(listing, i, name);

    return cJSON_IsNumber(m) ? m->valuedouble : 0;
}

const char *server_session_text(const cJSON *listing, unsigned i, const char *name)
{
    const cJSON *m = member(listing, i, name);

    return cJSON_IsString(m) ? m->valuestring : "";
}

char *server_metrics(struct server *s)
{
    struct server_reply r;

    if (server_http(s, true, "GET", "/metrics", NULL, NULL, &r) != 200 || !r.body) {
        check(false, "/metrics answers (status %d)", r.status);
        free(r.body);
        return strdup("");
    }
    return r.body;
}

int64_t server_metric_in(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = text; line && *line;) {
        if (!strncmp(line, name, len) && line[len] == ' ') {
            return strtoll(line + len, NULL, 10);
        }
        line = strchr(line, '\n');
        line += line != NULL;
    }
    return -1;
}

int64_t server_metric(struct server *s, const char *name)
{
    char *text = server_metrics(s);
    int64_t v = server_metric_in(text, name);

    free(text);
    return v;
}

int64_t server_dropped(struct server *s, const char *reason)
{
    char name[128];

    snprintf(name, sizeof(name), "sluice_dropped_packets_total{reason=\"%s\"}", reason);
    return server_metric(s, name);
}

int64_t server_ended(struct server *s, const char *role, const char *reason)
{
    char name[128];

    snprintf(name, sizeof(name), "sluice_sessions_ended_total{role=\"%s\",reason=\"%s\"}", role,
             reason);
    return server_metric(s, name);
}

int64_t server_wait_metric(struct server *s, const char *name, int64_t want)
{
    int64_t end_ms = server_now_ms() + SERVER_PATIENCE_MS, v;

    while ((v = server_metric(s, name)) < want && server_now_ms() < end_ms) {
        server_run(s, 50);
    }
    return v;
}

int64_t server_wait_metric_down(struct server *s, const char *name, int64_t want)
{
    int64_t end_ms = server_now_ms() + SERVER_PATIENCE_MS, v;

    while ((v = server_metric(s, name)) > want && server_now_ms() < end_ms) {
        server_run(s, 50);
    }
    return v;
}

void server_settle(struct server *s)
{
    server_run(s, SERVER_SCALED(1700, 3000));
}
