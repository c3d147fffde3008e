/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/log_format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Room kept for ,"suppressed":4294967295,"cut":1} and the newline. */
#define TAIL_RESERVE 48

struct out {
    char *p;
    size_t n, cap;
    bool full;
};

static void put(struct out *o, const char *s, size_t n)
{
    if (o->full || n > o->cap - o->n) {
        o->full = true;
        return;
    }
    memcpy(o->p + o->n, s, n);
    o->n += n;
}

static void put_text(struct out *o, const char *s)
{
    put(o, s, strlen(s));
}

PRINTF_LIKE(2, 3) static void put_fmt(struct out *o, const char *fmt, ...)
{
    char tmp[64];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < sizeof(tmp));
    put(o, tmp, (size_t)n);
}

/* Length of the well-formed UTF-8 sequence at s (n bytes left), 0 if there is none (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t utf8_len(const unsigned char *s, size_t n, uint32_t *ret_cp)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t min;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
        if ((s[0] & forms[f].mask) != forms[f].lead) {
            continue;
        }
        if (f >= n) {
            return 0;
        }
        uint32_t cp = s[0] & (unsigned char)~forms[f].mask;
        for (size_t i = 1; i <= f; i++) {
            if ((s[i] & 0xc0) != 0x80) {
                return 0;
            }
            cp = cp << 6 | (s[i] & 0x3f);
        }
        if (cp < forms[f].min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) {
            return 0;
        }
        *ret_cp = cp;
        return f + 1;
    }
    return 0;
}

static void put_escaped(struct out *o, const char *s, bool json)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = strnlen(s, LOG_FORMAT_STR_MAX);
    bool cut = n == LOG_FORMAT_STR_MAX;
    for (size_t i = 0; i < n;) {
        uint32_t cp = 0;
        size_t len = utf8_len(u + i, n - i, &cp);
        if (len == 0 && cut && n - i < 4 && u[i] >= 0xc0) {
            return; /* a character that the limit of 256 bytes cut in two */
        }
        if (len == 0) {
            /* JSON has no way to say "this byte"; text has. */
            put_fmt(o, json ? "\\ufffd" : "\\x%02x", u[i]);
            i++;
            continue;
        }
        if (cp == '"' || cp == '\\') {
            put_fmt(o, "\\%c", (char)cp);
        } else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029) {
            /* C1 controls and the Unicode line ends reach terminals and viewers too. */
            put_fmt(o, "\\u%04x", cp);
        } else {
            put(o, s + i, len);
        }
        i += len;
    }
}

static bool is_plain(const char *s)
{
    size_t n = strnlen(s, LOG_FORMAT_STR_MAX);
    for (size_t i = 0; i < n; i++) {
        if (s[i] <= ' ' || s[i] == '"' || s[i] == '\\' || s[i] == '=' || s[i] >= 0x7f) {
            return false;
        }
    }
    return n > 0;
}

static void put_field(struct out *o, const struct log_field *f, bool json)
{
    put_text(o, json ? ",\"" : " ");
    put_text(o, f->key);
    put_text(o, json ? "\":" : "=");
    if (f->type == LOG_FIELD_INT) {
        put_fmt(o, "%" PRId64, f->num);
    } else if (!f->str) {
        put_text(o, json ? "null" : "-");
    } else if (!json && is_plain(f->str)) {
        put(o, f->str, strnlen(f->str, LOG_FORMAT_STR_MAX));
    } else {
        put_text(o, "\"");
        put_escaped(o, f->str, json);
        put_text(o, "\"");
    }
}

static void put_head(struct out *o, const struct log_format_head *head, const char *ev)
{
    time_t s = (time_t)(head->wall_us / US_PER_S);
    struct tm tm;
    char day[32];
    gmtime_r(&s, &tm);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    const char *level = log_format_level(head->level);
    put_text(o, head->json ? "{\"ts\":\"" : "");
    put_text(o, day);
    put_fmt(o, ".%06dZ", (int)(head->wall_us % US_PER_S));
    if (head->json) {
        put_text(o, "\",\"lvl\":\"");
        put_text(o, level);
        put_text(o, "\"");
    } else {
        put_text(o, " ");
        for (const char *c = level; *c; c++) {
            put_fmt(o, "%c", *c - 'a' + 'A');
        }
    }
    const struct log_field f = LOG_STR("ev", ev);
    put_field(o, &f, head->json);
}

const char *log_format_level(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    assert((unsigned)level < ARRAY_LEN(names));
    return names[level];
}

size_t log_format_line(const struct log_format_head *head, const struct log_line *line,
                       char out[LOG_FORMAT_LINE_MAX])
{
    const struct log_field *fields[LOG_FORMAT_FIELDS_MAX] = {
        &line->f0, &line->f1, &line->f2, &line->f3, &line->f4,  &line->f5,
        &line->f6, &line->f7, &line->f8, &line->f9, &line->f10, &line->f11};
    struct out o = {.p = out, .cap = LOG_FORMAT_LINE_MAX - TAIL_RESERVE};
    put_head(&o, head, line->ev);
    bool cut = false;
    for (size_t i = 0; i < ARRAY_LEN(fields) && fields[i]->key && !cut; i++) {
        size_t before = o.n;
        put_field(&o, fields[i], head->json);
        if (o.full) {
            o.n = before;
            cut = true;
        }
    }
    o.full = false;
    o.cap = LOG_FORMAT_LINE_MAX;
    if (head->suppressed) {
        const struct log_field f = LOG_INT("suppressed", head->suppressed);
        put_field(&o, &f, head->json);
    }
    if (cut) {
        const struct log_field f = LOG_INT("cut", 1);
        put_field(&o, &f, head->json);
    }
    put_text(&o, head->json ? "}\n" : "\n");
    assert(!o.full);
    return o.n;
}
