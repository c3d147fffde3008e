/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-floor: the least that forwarding can cost. Sends the datagrams that sluice-load recorded
 * (--trace) to as many sockets, sealed with real ciphers and given to the kernel in every way that
 * it has, and does nothing else. Prints CPU time and, where the machine counts them, instructions
 * per datagram.
 *
 * A viewer's datagrams that came within RUN_US of each other are one run, as the source's frame
 * was; runs that lie less than BURST_US apart are one burst and are sent without a pause, at the
 * time when the burst began. */
#include "bench/floor/floor.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RUN_US       1500
#define BURST_US     1000
#define SNDBUF_BYTES (8 << 20)

struct record {
    int64_t at_us;
    uint32_t viewer;
    uint32_t len;
    size_t line; /* in the file: the datagrams of one GRO train have one time */
};

struct run {
    int64_t at_us; /* due: when its burst begins */
    uint32_t viewer;
    uint32_t first, n; /* in trace.lens */
};

struct trace {
    struct record *records;
    size_t n_records;
    struct run *runs;
    size_t n_runs;
    uint16_t *lens;
    unsigned viewers;
};

static const struct floor_way ways[] = {
    {"sendmsg", 1, 1},
    {"sendmmsg of 64", FLOOR_RUNS, 1},
    {"UDP_SEGMENT of 4", FLOOR_RUNS, 4},
    {"UDP_SEGMENT of 8", FLOOR_RUNS, 8},
    {"UDP_SEGMENT as runs allow", FLOOR_RUNS, FLOOR_RUN_PACKETS},
};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

struct options {
    const char *trace, *json;
    double seconds;
    int cpu, sink_cpu;
    int cipher, way; /* -1: all */
};

/* ---- the trace ---- */

static int by_viewer(const void *a, const void *b)
{
    const struct record *x = a, *y = b;

    if (x->viewer != y->viewer) {
        return x->viewer < y->viewer ? -1 : 1;
    }
    if (x->at_us != y->at_us) {
        return x->at_us < y->at_us ? -1 : 1;
    }
    return (x->line > y->line) - (x->line < y->line);
}

static int by_time(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

static int read_trace(const char *path, double seconds, struct trace *t)
{
    FILE *f = fopen(path, "re");
    size_t cap = 0;
    struct record r = {0};
    long long at;
    int64_t first = -1;

    if (!f) {
        return -errno;
    }
    while (fscanf(f, "%lld %u %u", &at, &r.viewer, &r.len) == 3) {
        r.at_us = at;
        first = first < 0 ? at : first;
        if ((double)(at - first) > seconds * 1e6 || r.len <= FLOOR_HEAD + 16 ||
            r.len > FLOOR_PACKET_MAX || r.viewer > 100000) {
            continue;
        }
        if (t->n_records == cap) {
            cap = cap ? 2 * cap : 65536;
            struct record *more = realloc(t->records, cap * sizeof(*more));
            if (!more) {
                break;
            }
            t->records = more;
        }
        r.line = t->n_records;
        t->records[t->n_records++] = r;
        t->viewers = r.viewer >= t->viewers ? r.viewer + 1 : t->viewers;
    }
    fclose(f);
    return t->n_records ? 0 : -ENODATA;
}

static int make_runs(struct trace *t)
{
    t->runs = calloc(t->n_records, sizeof(*t->runs));
    t->lens = calloc(t->n_records, sizeof(*t->lens));
    if (!t->runs || !t->lens) {
        return -ENOMEM;
    }
    qsort(t->records, t->n_records, sizeof(*t->records), by_viewer);
    for (size_t i = 0; i < t->n_records; i++) {
        const struct record *r = &t->records[i];
        struct run *last = t->n_runs ? &t->runs[t->n_runs - 1] : NULL;
        t->lens[i] = (uint16_t)r->len;
        if (last && last->viewer == r->viewer && r->at_us - last->at_us < RUN_US &&
            last->n < FLOOR_RUN_PACKETS) {
            last->n++;
        } else {
            t->runs[t->n_runs++] = (struct run){r->at_us, r->viewer, (uint32_t)i, 1};
        }
    }
    qsort(t->runs, t->n_runs, sizeof(*t->runs), by_time);
    int64_t seen = INT64_MIN / 2, begin = 0, start = t->runs[0].at_us;
    for (size_t i = 0; i < t->n_runs; i++) {
        int64_t at = t->runs[i].at_us;
        if (at - seen > BURST_US) {
            begin = at;
        }
        seen = at;
        t->runs[i].at_us = begin - start;
    }
    return 0;
}

/* ---- sending it again ---- */

static int64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void wait_until(int64_t at_us)
{
    struct timespec ts = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

struct replay {
    const struct trace *trace;
    struct floor_seal *seal;
    enum floor_cipher cipher;
    const struct floor_way *way;
    const struct floor_sink *sink;
    int fd;
    uint8_t *buf;
    uint8_t body[FLOOR_PACKET_MAX];
    struct floor_sent sent;
};

/* Seals and sends n runs, which the buffer holds. */
static int send_runs(struct replay *p, const struct run *runs, unsigned n)
{
    struct floor_run out[FLOOR_RUNS];
    size_t tag = floor_cipher_tag(p->cipher);
    uint8_t *to = p->buf;

    for (unsigned i = 0; i < n; i++) {
        const struct run *r = &runs[i];
        out[i] = (struct floor_run){&p->sink->to[r->viewer], to, p->trace->lens + r->first, r->n};
        for (unsigned k = 0; k < r->n; k++) {
            size_t len = out[i].lens[k];
            uint32_t head[3] = {0x80600000, k, r->viewer};
            memcpy(to, head, sizeof(head));
            floor_seal_packet(p->seal, r->viewer, to, p->body, len - FLOOR_HEAD - tag);
            to += len;
        }
    }
    floor_seal_flush(p->seal);
    return floor_send(p->fd, p->way, out, n, &p->sent);
}

static int replay(struct replay *p)
{
    const struct trace *t = p->trace;
    int64_t start_us = clock_us() + 1000;

    for (size_t at = 0; at < t->n_runs;) {
        unsigned n = 1;
        while (at + n < t->n_runs && n < FLOOR_RUNS / 2 &&
               t->runs[at + n].at_us == t->runs[at].at_us) {
            n++;
        }
        if (at == 0 || t->runs[at].at_us != t->runs[at - 1].at_us) {
            wait_until(start_us + t->runs[at].at_us);
        }
        int err = send_runs(p, &t->runs[at], n);
        if (err) {
            return err;
        }
        at += n;
    }
    return 0;
}

struct result {
    double cpu_ns, user_ns, instructions, user_instructions, segments;
};

static int measure(const struct options *o, const struct trace *t, enum floor_cipher c,
                   const struct floor_way *way, struct result *ret)
{
    struct floor_sink sink;
    int size = SNDBUF_BYTES;
    struct replay p = {.trace = t, .cipher = c, .way = way, .sink = &sink};
    struct floor_count a, b;

    p.seal = floor_seal_new(c, t->viewers);
    if (!p.seal) {
        return -ENOTSUP;
    }
    int err = floor_sink_start(&sink, t->viewers, o->sink_cpu);
    p.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    p.buf = malloc(FLOOR_BUF);
    if (!err && p.fd >= 0 && p.buf) {
        (void)setsockopt(p.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        memset(p.buf, 0, FLOOR_BUF);
        floor_count_read(&a);
        err = replay(&p);
        floor_count_read(&b);
    }
    double n = (double)p.sent.datagrams;
    if (!err && n > 0) {
        *ret = (struct result){
            .cpu_ns = (double)(b.cpu_ns - a.cpu_ns) / n,
            .user_ns = (double)(b.user_ns - a.user_ns) / n,
            .instructions = b.instructions < 0 ? -1 : (double)(b.instructions - a.instructions) / n,
            .user_instructions = b.user_instructions < 0
                                     ? -1
                                     : (double)(b.user_instructions - a.user_instructions) / n,
            .segments = n / (double)p.sent.messages,
        };
    }
    floor_sink_stop(&sink);
    floor_seal_free(p.seal);
    free(p.buf);
    close(p.fd);
    return err;
}

/* ---- options ---- */

static int find(const char *text, const char *(*name)(int), int n)
{
    for (int i = 0; i < n; i++) {
        if (!strcmp(text, name(i))) {
            return i;
        }
    }
    return -2;
}

static const char *cipher_name(int i)
{
    return floor_cipher_name((enum floor_cipher)i);
}

static const char *way_name(int i)
{
    static const char *const names[N_WAYS] = {"sendmsg", "sendmmsg", "gso4", "gso8", "gso"};

    return names[i];
}

static const char usage[] =
    "sluice-floor --trace FILE [--seconds S] [--cipher none|evp-gcm|ipsec-mb-gcm|evp-cm|"
    "ipsec-mb-cm]\n"
    "             [--send sendmsg|sendmmsg|gso4|gso8|gso] [--cpu N] [--sink-cpu N] [--json FILE]\n"
    "sends what sluice-load --trace recorded again; without --cipher and --send: all of them\n";

static bool read_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"trace", 1, NULL, 't'}, {"seconds", 1, NULL, 's'}, {"cipher", 1, NULL, 'c'},
        {"send", 1, NULL, 'w'},  {"cpu", 1, NULL, 'p'},     {"sink-cpu", 1, NULL, 'q'},
        {"json", 1, NULL, 'j'},  {NULL, 0, NULL, 0},
    };
    int id;

    *o = (struct options){.seconds = 3, .cpu = -1, .sink_cpu = -1, .cipher = -1, .way = -1};
    while ((id = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (id) {
        case 't':
            o->trace = optarg;
            break;
        case 's':
            o->seconds = strtod(optarg, NULL);
            break;
        case 'c':
            o->cipher = find(optarg, cipher_name, FLOOR_CIPHERS);
            break;
        case 'w':
            o->way = find(optarg, way_name, N_WAYS);
            break;
        case 'p':
            o->cpu = (int)strtol(optarg, NULL, 10);
            break;
        case 'q':
            o->sink_cpu = (int)strtol(optarg, NULL, 10);
            break;
        case 'j':
            o->json = optarg;
            break;
        default:
            return false;
        }
    }
    return o->trace && o->cipher != -2 && o->way != -2 && o->seconds > 0 && optind == argc;
}

static void print_result(FILE *json, bool first, enum floor_cipher c, int way,
                         const struct result *r)
{
    printf("%-13s %-26s %8.0f %8.0f", floor_cipher_name(c), ways[way].name, r->cpu_ns, r->user_ns);
    if (r->instructions < 0) {
        printf(" %12s %12s", "-", "-");
    } else {
        printf(" %12.0f %12.0f", r->instructions, r->user_instructions);
    }
    printf(" %8.2f\n", r->segments);
    fflush(stdout);
    if (json) {
        fprintf(json,
                "%s  {\"cipher\": \"%s\", \"send\": \"%s\", \"cpu_ns\": %.1f, \"user_ns\": %.1f, "
                "\"instructions\": %.1f, \"user_instructions\": %.1f, \"segments\": %.2f}",
                first ? "" : ",\n", floor_cipher_name(c), way_name(way), r->cpu_ns, r->user_ns,
                r->instructions, r->user_instructions, r->segments);
    }
}

static int run_all(const struct options *o, const struct trace *t, FILE *json)
{
    bool first = true;

    printf("%zu datagrams in %zu runs to %u viewers; per datagram:\n", t->n_records, t->n_runs,
           t->viewers);
    printf("%-13s %-26s %8s %8s %12s %12s %8s\n", "cipher", "send", "CPU ns", "user ns",
           "instructions", "user", "segments");
    for (int c = 0; c < FLOOR_CIPHERS; c++) {
        for (int w = 0; w < (int)N_WAYS; w++) {
            struct result r;
            if ((o->cipher >= 0 && c != o->cipher) || (o->way >= 0 && w != o->way)) {
                continue;
            }
            int err = measure(o, t, (enum floor_cipher)c, &ways[w], &r);
            if (err == -ENOTSUP) {
                continue;
            }
            if (err) {
                fprintf(stderr, "sluice-floor: %s\n", strerror(-err));
                return 1;
            }
            print_result(json, first, (enum floor_cipher)c, w, &r);
            first = false;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o;
    struct trace t = {0};

    if (!read_options(argc, argv, &o)) {
        fputs(usage, stderr);
        return 2;
    }
    int err = read_trace(o.trace, o.seconds, &t);
    err = err ? err : make_runs(&t);
    if (err) {
        fprintf(stderr, "sluice-floor: %s: %s\n", o.trace, strerror(-err));
        return 2;
    }
    if (o.cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(o.cpu, &set);
        (void)sched_setaffinity(0, sizeof(set), &set);
    }
    FILE *json = o.json ? fopen(o.json, "we") : NULL;
    if (json) {
        fputs("[\n", json);
    }
    int status = run_all(&o, &t, json);
    if (json) {
        fputs("\n]\n", json);
        fclose(json);
    }
    free(t.records);
    free(t.runs);
    free(t.lens);
    return status;
}
