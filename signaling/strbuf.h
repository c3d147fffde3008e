/* SPDX-License-Identifier: Apache-2.0 */
/* strbuf.h - text that grows, for answers whose length is not known beforehand. A failed allocation
 * sticks: later additions do nothing and strbuf_take gives NULL. Any thread, one owner. */
#ifndef SIGNALING_STRBUF_H
#define SIGNALING_STRBUF_H

#include "rtp/base.h"

struct strbuf {
    char *text; /* terminated while not NULL */
    size_t len;
    size_t cap;
    bool failed;
};

/* Appends printf-style. Start from a zeroed struct. */
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Hands the text over (free(3) it) and its length, and empties b. NULL when memory ran out. */
char *strbuf_take(struct strbuf *b, size_t *ret_len);

#endif
