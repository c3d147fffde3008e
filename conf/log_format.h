/* SPDX-License-Identifier: Apache-2.0 */
/* log_format.h - one log line as bytes: JSON, or text for people. Whatever the fields hold, the
 * result is one line of valid UTF-8 without control characters (SEC-81). Pure; any thread. */
#ifndef CONF_LOG_FORMAT_H
#define CONF_LOG_FORMAT_H

#include "conf/log.h"

#define LOG_FORMAT_FIELDS_MAX 12
#define LOG_FORMAT_LINE_MAX   4096 /* with the newline; also PIPE_BUF, so that lines stay whole */
#define LOG_FORMAT_STR_MAX    256  /* bytes of a string that are looked at */

/* What surrounds the fields. */
struct log_format_head {
    int64_t wall_us;
    enum log_level level;
    uint32_t suppressed; /* told when not 0 */
    bool json;
};

/* Writes the line with its newline. Fields that no longer fit are left out and "cut":1 says so.
 * Returns the number of bytes, at most LOG_FORMAT_LINE_MAX. */
size_t log_format_line(const struct log_format_head *head, const struct log_line *line,
                       char out[LOG_FORMAT_LINE_MAX]);
/* The name of a level, "error" to "debug". */
const char *log_format_level(enum log_level level);

#endif
