/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one line per event: JSON, or text for people. Event name first, then fields; no
 * sentences. Any thread; never blocks: lines go through a bounded queue to a writer thread, and
 * what does not fit is counted and reported later (SEC-82). Never called on the packet path. */
#ifndef CONF_LOG_H
#define CONF_LOG_H

#include "rtp/base.h"

enum log_level {
    LOG_LEVEL_ERROR, /* the operator must act */
    LOG_LEVEL_WARN,  /* degraded */
    LOG_LEVEL_INFO,  /* lifecycle */
    LOG_LEVEL_DEBUG,
};

enum log_field_type {
    LOG_FIELD_STR,
    LOG_FIELD_INT,
    LOG_FIELD_END,
};

struct log_field {
    const char *key;
    enum log_field_type type;
    const char *str;
    int64_t num;
};

#define LOG_STR(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_STR, .str = (v)})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_INT, .num = (int64_t)(v)})

/* An event: its name and up to twelve fields. Filled by the macros below. */
struct log_line {
    const char *ev;
    struct log_field f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11;
    int end; /* always 0; keeps the initialiser complete when there are no fields */
};

/* log_error("ev", LOG_STR("room", r), LOG_INT("took_ms", n)). Strings are copied, escaped, cut at
 * 256 bytes; a line at 4 KiB. Each call site is limited to 20 lines per second; what was suppressed
 * is told by its next line ("suppressed":n), or when none has come for two seconds by a line
 * log_suppressed of its own. Fields are evaluated only if the level is enabled. */
#define log_event(level, ...)                                                                      \
    do {                                                                                           \
        static struct log_site log_site_here;                                                      \
        if (log_enabled(level)) {                                                                  \
            log_write(&log_site_here, (level), &(const struct log_line){__VA_ARGS__, .end = 0});   \
        }                                                                                          \
    } while (0)
#define log_error(...) log_event(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_event(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* What a call site remembers for its limit, zeroed, for ever; owned by log.c. */
struct log_site {
    int64_t window_us;
    uint32_t in_window;
    uint32_t suppressed;
    const char *ev; /* of what was suppressed last */
    struct log_site *next;
    bool listed;
};

/* Starts the writer on fd (usually 1), which stays the caller's. json false: text. Call before
 * other threads start. Lines written before are discarded. Returns 0, -EALREADY or -errno. */
int log_start(int fd, bool json, enum log_level level) MUST_CHECK;
/* Writes what is queued, for at most a second if the sink does not take it, and stops the writer.
 * Call after other threads have ended. */
void log_stop(void);
/* True if a line of this level would be written; false before log_start. */
bool log_enabled(enum log_level level);
/* Takes effect at once on every thread. */
void log_set_level(enum log_level level);
/* "error", "warn", "info", "debug". Returns 0 or -EINVAL. */
int log_parse_level(const char *text, enum log_level *ret) MUST_CHECK;
/* Behind the macros; use those. */
void log_write(struct log_site *site, enum log_level level, const struct log_line *line);
/* Lines dropped because the queue was full or the sink was gone, since the start of the process. */
uint64_t log_dropped(void);
/* A secret or an address shortened for logs: at most its first four characters and a hash of all of
 * it that differs from process to process, e.g. "ab12…7f3c". Returns out. */
const char *log_mask(const char *text, char out[24]);

#endif
