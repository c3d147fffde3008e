/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool grow(struct strbuf *b, size_t need)
{
    if (need <= b->cap) {
        return true;
    }
    size_t cap = MAX(need, MAX(b->cap * 2, (size_t)1024));
    char *text = realloc(b->text, cap);
    if (text == NULL) {
        b->failed = true;
        return false;
    }
    b->text = text;
    b->cap = cap;
    return true;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    if (b->failed || !grow(b, b->len + 128)) {
        return;
    }
    for (;;) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(b->text + b->len, b->cap - b->len, fmt, ap);
        va_end(ap);
        if (n < 0) {
            b->failed = true;
            return;
        }
        if ((size_t)n < b->cap - b->len) {
            b->len += (size_t)n;
            return;
        }
        if (!grow(b, b->len + (size_t)n + 1)) {
            return;
        }
    }
}

char *strbuf_take(struct strbuf *b, size_t *ret_len)
{
    char *text = b->text;
    if (b->failed) {
        free(text);
        text = NULL;
    } else {
        *ret_len = b->len;
    }
    *b = (struct strbuf){0};
    return text;
}
