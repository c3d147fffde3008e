/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf/clock.h"
#include "conf/log_format.h"

#define QUEUE_BYTES     ((size_t)512 * 1024) /* some thousand lines: seconds of a busy server */
#define SITE_PER_S      20
#define STOP_WAIT_US    US_PER_S
#define POLL_MS         100
#define REPORT_EVERY_US US_PER_S
#define TELL_AFTER_US   (2 * (int64_t)US_PER_S)

/* One queue of whole lines, a byte ring. The lock is held for a memcpy, never during I/O. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t writer;
    int fd;
    bool json;
    bool is_socket;
    bool stopping;
    int64_t stop_by_us;
    size_t head, used;
    uint64_t dropped, reported;
    int64_t reported_us;
    struct log_site *late; /* have suppressed lines, and may owe the number */
    char ring[QUEUE_BYTES];
} q = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .fd = -1};

/* The highest level that is written, -1 while stopped: read by every thread on every log call. */
static atomic_int enabled = -1;

static void ring_put(const char *line, size_t n)
{
    size_t at = (q.head + q.used) % QUEUE_BYTES;
    size_t first = MIN(n, QUEUE_BYTES - at);
    memcpy(q.ring + at, line, first);
    memcpy(q.ring, line + first, n - first);
    q.used += n;
}

/* Queues a line, or counts it. Locked. */
static void put(const char *line, size_t n)
{
    if (n <= QUEUE_BYTES - q.used) {
        ring_put(line, n);
    } else {
        q.dropped++;
    }
}

/* Takes as many whole lines as fit into one atomic write of a pipe. */
static size_t ring_take(char out[LOG_FORMAT_LINE_MAX])
{
    size_t n = MIN(q.used, LOG_FORMAT_LINE_MAX);
    size_t first = MIN(n, QUEUE_BYTES - q.head);
    memcpy(out, q.ring + q.head, first);
    memcpy(out + first, q.ring, n - first);
    while (n > 0 && out[n - 1] != '\n') {
        n--;
    }
    q.head = (q.head + n) % QUEUE_BYTES;
    q.used -= n;
    return n;
}

static bool give_up(void)
{
    pthread_mutex_lock(&q.lock);
    bool yes = q.stopping && clock_now_us() >= q.stop_by_us;
    pthread_mutex_unlock(&q.lock);
    return yes;
}

/* Writes to the sink, waiting for it as long as it takes, or until log_stop loses patience. Polled
 * first: a pipe that polls writable takes 4096 bytes without blocking. Returns false if the sink
 * is gone or does not take it. */
static bool sink_write(const char *buf, size_t n)
{
    for (size_t done = 0; done < n;) {
        struct pollfd p = {.fd = q.fd, .events = POLLOUT};
        int rc = poll(&p, 1, POLL_MS);
        if (rc <= 0) {
            if ((rc < 0 && errno != EINTR) || give_up()) {
                return false;
            }
            continue;
        }
        ssize_t w = q.is_socket ? send(q.fd, buf + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL)
                                : write(q.fd, buf + done, n - done);
        if (w >= 0) {
            done += (size_t)w;
        } else if ((errno != EINTR && errno != EAGAIN) || give_up()) {
            return false;
        }
    }
    return true;
}

static void report_dropped(uint64_t n)
{
    char out[LOG_FORMAT_LINE_MAX];
    const struct log_format_head head = {
        .wall_us = clock_wall_us(), .level = LOG_LEVEL_WARN, .json = q.json};
    size_t len = log_format_line(
        &head, &(const struct log_line){"log_dropped", LOG_INT("n", n), .end = 0}, out);
    (void)sink_write(out, len);
}

static uint64_t count_lines(const char *buf, size_t n)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < n; i++) {
        lines += buf[i] == '\n';
    }
    return lines;
}

/* Nothing more will be taken before the end. Locked. */
static void drop_queue(void)
{
    size_t first = MIN(q.used, QUEUE_BYTES - q.head);
    q.dropped += count_lines(q.ring + q.head, first) + count_lines(q.ring, q.used - first);
    q.used = 0;
}

/* What is due to be said about dropped lines: when the queue ran dry, else once a second. */
static uint64_t take_report(void)
{
    int64_t now_us = clock_now_us();
    if (q.dropped == q.reported || (q.used > 0 && now_us - q.reported_us < REPORT_EVERY_US)) {
        return 0;
    }
    uint64_t n = q.dropped - q.reported;
    q.reported = q.dropped;
    q.reported_us = now_us;
    return n;
}

/* Puts lines for call sites that have suppressed some and said nothing since; all: at once. Locked.
 */
static void tell_suppressed(bool all)
{
    int64_t now_us = clock_now_us();
    for (struct log_site **at = &q.late; *at;) {
        struct log_site *site = *at;
        if (!all && now_us - site->window_us < TELL_AFTER_US) {
            at = &site->next;
            continue;
        }
        *at = site->next;
        site->listed = false;
        if (site->suppressed) {
            char out[LOG_FORMAT_LINE_MAX];
            const struct log_format_head head = {
                .wall_us = clock_wall_us(), .level = LOG_LEVEL_WARN, .json = q.json};
            put(out,
                log_format_line(&head,
                                &(const struct log_line){"log_suppressed", LOG_STR("of", site->ev),
                                                         LOG_INT("n", site->suppressed), .end = 0},
                                out));
            site->suppressed = 0;
        }
    }
}

/* Waits until there is something to write, or an end. Locked. */
static void wait_for_lines(void)
{
    while (q.used == 0 && !q.stopping) {
        if (q.late) {
            int64_t until_us = clock_now_us() + US_PER_S;
            const struct timespec until = {until_us / US_PER_S, until_us % US_PER_S * 1000};
            (void)pthread_cond_clockwait(&q.wake, &q.lock, CLOCK_MONOTONIC, &until);
            tell_suppressed(false);
        } else {
            pthread_cond_wait(&q.wake, &q.lock);
        }
    }
    if (q.stopping) {
        tell_suppressed(true);
    }
}

static void *writer_main(void *ctx)
{
    char buf[LOG_FORMAT_LINE_MAX];
    (void)ctx;
    pthread_mutex_lock(&q.lock);
    for (;;) {
        wait_for_lines();
        size_t n = ring_take(buf);
        if (n == 0) {
            break; /* stopping, and all is written */
        }
        pthread_mutex_unlock(&q.lock);
        bool ok = sink_write(buf, n);
        pthread_mutex_lock(&q.lock);
        if (!ok) {
            /* What the dead sink swallowed is counted, but a report has nowhere to go. */
            q.dropped += count_lines(buf, n);
            if (q.stopping) {
                drop_queue();
            }
            q.reported = q.dropped;
            continue;
        }
        uint64_t lost = take_report();
        if (lost) {
            pthread_mutex_unlock(&q.lock);
            report_dropped(lost);
            pthread_mutex_lock(&q.lock);
        }
    }
    pthread_mutex_unlock(&q.lock);
    return NULL;
}

int log_start(int fd, bool json, enum log_level level)
{
    if (atomic_load(&enabled) >= 0) {
        return -EALREADY;
    }
    int type = 0;
    socklen_t len = sizeof(type);
    q.fd = fd;
    q.json = json;
    q.is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
    q.stopping = false;
    q.head = q.used = 0;
    /* Signals belong to the main loop, and EPIPE must come as an error. */
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&q.writer, NULL, writer_main, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        return -rc;
    }
    (void)pthread_setname_np(q.writer, "log");
    atomic_store(&enabled, (int)level);
    return 0;
}

void log_stop(void)
{
    if (atomic_exchange(&enabled, -1) < 0) {
        return;
    }
    pthread_mutex_lock(&q.lock);
    q.stopping = true;
    q.stop_by_us = clock_now_us() + STOP_WAIT_US;
    pthread_cond_signal(&q.wake);
    pthread_mutex_unlock(&q.lock);
    pthread_join(q.writer, NULL);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&enabled, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
    int now = atomic_load(&enabled);
    /* Not through a stop that happens meanwhile. */
    while (now >= 0 && !atomic_compare_exchange_weak(&enabled, &now, (int)level)) {
    }
}

int log_parse_level(const char *text, enum log_level *ret)
{
    for (int l = LOG_LEVEL_ERROR; l <= LOG_LEVEL_DEBUG; l++) {
        if (strcmp(text, log_format_level((enum log_level)l)) == 0) {
            *ret = (enum log_level)l;
            return 0;
        }
    }
    return -EINVAL;
}

/* Twenty lines a second and call site. Returns false if this one, ev, is suppressed. Locked. */
static bool site_admits(struct log_site *site, const char *ev, uint32_t *ret_suppressed)
{
    int64_t now_us = clock_now_us();
    if (now_us - site->window_us >= US_PER_S) {
        site->window_us = now_us;
        site->in_window = 0;
    }
    if (site->in_window >= SITE_PER_S) {
        site->suppressed++;
        site->ev = ev;
        if (!site->listed) {
            site->listed = true;
            site->next = q.late;
            q.late = site;
            pthread_cond_signal(&q.wake);
        }
        return false;
    }
    site->in_window++;
    *ret_suppressed = site->suppressed;
    site->suppressed = 0;
    return true;
}

void log_write(struct log_site *site, enum log_level level, const struct log_line *line)
{
    struct log_format_head head = {.wall_us = clock_wall_us(), .level = level};
    pthread_mutex_lock(&q.lock);
    head.json = q.json;
    bool admitted = site_admits(site, line->ev, &head.suppressed);
    pthread_mutex_unlock(&q.lock);
    if (!admitted) {
        return;
    }
    char out[LOG_FORMAT_LINE_MAX];
    size_t n = log_format_line(&head, line, out);
    pthread_mutex_lock(&q.lock);
    put(out, n);
    pthread_cond_signal(&q.wake);
    pthread_mutex_unlock(&q.lock);
}

uint64_t log_dropped(void)
{
    pthread_mutex_lock(&q.lock);
    uint64_t n = q.dropped;
    pthread_mutex_unlock(&q.lock);
    return n;
}

static uint64_t mask_seed(void)
{
    static _Atomic uint64_t seed;
    uint64_t s = atomic_load(&seed);
    if (s == 0) {
        uint64_t fresh = 0;
        if (getrandom(&fresh, sizeof(fresh), GRND_NONBLOCK) != (ssize_t)sizeof(fresh)) {
            fresh = (uint64_t)clock_wall_us(); /* too early after boot: still differs by process */
        }
        fresh |= 1;
        s = atomic_compare_exchange_strong(&seed, &s, fresh) ? fresh : s;
    }
    return s;
}

const char *log_mask(const char *text, char out[24])
{
    uint64_t h = mask_seed() ^ 0xcbf29ce484222325; /* FNV-1a, seeded */
    size_t len = 0;
    for (; text[len]; len++) {
        h = (h ^ (unsigned char)text[len]) * 0x100000001b3;
    }
    h ^= h >> 32;
    h ^= h >> 16;
    char shown[5] = "";
    for (size_t i = 0; i < MIN(len / 4, sizeof(shown) - 1); i++) {
        shown[i] = text[i] > ' ' && text[i] < 0x7f ? text[i] : '?';
    }
    snprintf(out, 24, "%s\xe2\x80\xa6%04x", shown, (unsigned)(h & 0xffff));
    return out;
}
