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

/* log_error("ev", LOG_STR("room", r), LOG_INT("took_ms", n)). Strings are copied, escaped, cut at
 * 256 bytes; a line at 4 KiB. Each call site is limited to 20 lines per second; what was suppressed
 * is told by the next line ("suppressed":n). */
#define log_event(level, ev, ...)                                                                  \
    do {                                                                                           \
        static struct log_site log_site_here;                                                      \
        if (log_enabled(level)) {                                                                  \
            log_write(                                                                             \
                &log_site_here, (level), (ev),                                                     \
                (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.type = LOG_FIELD_END}});    \
        }                                                                                          \
    } while (0)
#define log_error(ev, ...) log_event(LOG_LEVEL_ERROR, ev, __VA_ARGS__)
#define log_warn(ev, ...)  log_event(LOG_LEVEL_WARN, ev, __VA_ARGS__)
#define log_info(ev, ...)  log_event(LOG_LEVEL_INFO, ev, __VA_ARGS__)
#define log_debug(ev, ...) log_event(LOG_LEVEL_DEBUG, ev, __VA_ARGS__)

struct log_site {
    int64_t window_us;
    uint32_t in_window;
    uint32_t suppressed;
};

/* Starts the writer on fd (usually 1). json false: text. Call before other threads start. Returns 0
 * or -errno. */
int log_start(int fd, bool json, enum log_level level) MUST_CHECK;
/* Writes what is queued and stops the writer. */
void log_stop(void);
bool log_enabled(enum log_level level);
void log_set_level(enum log_level level);
int log_parse_level(const char *text, enum log_level *ret) MUST_CHECK;
void log_write(struct log_site *site, enum log_level level, const char *ev,
               const struct log_field *fields);
/* Lines dropped because the queue was full. */
uint64_t log_dropped(void);
/* A secret or an address shortened for logs: first characters and a hash, e.g. "ab12…7f3c". Returns
 * out. */
const char *log_mask(const char *text, char out[24]);

#endif
