/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/json.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    const char *p;
    const char *end;
    int depth_left;
    bool deep; /* refused for its depth */
};

static void skip_space(struct scan *s)
{
    while (s->p < s->end && memchr(" \t\r\n", *s->p, 4) != NULL) {
        s->p++;
    }
}

static bool take(struct scan *s, char c)
{
    skip_space(s);
    if (s->p < s->end && *s->p == c) {
        s->p++;
        return true;
    }
    return false;
}

/* One character of well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong). */
static bool scan_utf8(struct scan *s)
{
    const uint8_t *p = (const uint8_t *)s->p;
    size_t left = (size_t)(s->end - s->p);
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n == 0 || p[0] > 0xf4 || n > left) {
        return false;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    if (n > 2 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
                  (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))) {
        return false;
    }
    s->p += n;
    return true;
}

/* The four digits of \uXXXX, or -1. */
static int scan_hex4(struct scan *s)
{
    int v = 0;
    if (s->end - s->p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *at = memchr(digits, *s->p++, sizeof(digits) - 1);
        if (at == NULL) {
            return -1;
        }
        v = v * 16 + (int)((at - digits) % 16);
    }
    return v;
}

static bool scan_escape(struct scan *s)
{
    if (s->p >= s->end) {
        return false;
    }
    char c = *s->p++;
    if (c != 'u') {
        return memchr("\"\\/bfnrt", c, 8) != NULL;
    }
    int unit = scan_hex4(s);
    if (unit >= 0xd800 && unit < 0xdc00) {
        if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u') {
            return false;
        }
        s->p += 2;
        int low = scan_hex4(s);
        return low >= 0xdc00 && low < 0xe000;
    }
    return unit > 0 && (unit < 0xdc00 || unit >= 0xe000);
}

/* Behind the opening quote, up to and with the closing one. */
static bool scan_string(struct scan *s)
{
    while (s->p < s->end) {
        if (*s->p == '"') {
            s->p++;
            return true;
        }
        if ((uint8_t)*s->p < 0x20) {
            return false;
        }
        if (*s->p == '\\') {
            s->p++;
            if (!scan_escape(s)) {
                return false;
            }
        } else if (!scan_utf8(s)) {
            return false;
        }
    }
    return false;
}

static size_t scan_digits(struct scan *s)
{
    const char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        s->p++;
    }
    return (size_t)(s->p - from);
}

static bool scan_number(struct scan *s)
{
    s->p += *s->p == '-' ? 1 : 0;
    bool zero = s->p < s->end && *s->p == '0';
    size_t n = scan_digits(s);
    if (n == 0 || (zero && n > 1)) {
        return false;
    }
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (scan_digits(s) == 0) {
            return false;
        }
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        s->p += s->p < s->end && (*s->p == '+' || *s->p == '-') ? 1 : 0;
        return scan_digits(s) > 0;
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) {
        return false;
    }
    s->p += n;
    return true;
}

static bool scan_value(struct scan *s);

/* Behind the opening bracket. */
static bool scan_container(struct scan *s, bool object)
{
    char close = object ? '}' : ']';
    if (s->depth_left == 0) {
        s->deep = true;
        return false;
    }
    s->depth_left--;
    if (!take(s, close)) {
        do {
            if (object && (!take(s, '"') || !scan_string(s) || !take(s, ':'))) {
                return false;
            }
            if (!scan_value(s)) {
                return false;
            }
        } while (take(s, ','));
        if (!take(s, close)) {
            return false;
        }
    }
    s->depth_left++;
    return true;
}

/* Recursion is bounded by depth_left. */
static bool scan_value(struct scan *s)
{
    skip_space(s);
    if (s->p >= s->end) {
        return false;
    }
    switch (*s->p) {
    case '{':
    case '[':
        s->p++;
        return scan_container(s, s->p[-1] == '{');
    case '"':
        s->p++;
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        return (*s->p == '-' || (*s->p >= '0' && *s->p <= '9')) && scan_number(s);
    }
}

/* Names are compared as cJSON has them, unescaped: "alg" and "al\u0067" are one. */
static int check_members(const cJSON *node)
{
    int n = 0;
    if (cJSON_IsNumber(node) && !(node->valuedouble >= -DBL_MAX && node->valuedouble <= DBL_MAX)) {
        return -EBADMSG; // more than a double holds
    }
    for (const cJSON *m = node->child; m != NULL; m = m->next) {
        if (cJSON_IsObject(node)) {
            if (++n > JSON_MEMBERS_MAX) {
                return -E2BIG;
            }
            for (const cJSON *other = node->child; other != m; other = other->next) {
                if (strcmp(other->string, m->string) == 0) {
                    return -EEXIST;
                }
            }
        }
        int r = check_members(m);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int json_parse(const char *text, size_t len, int depth, cJSON **ret)
{
    assert(depth > 0 && depth <= JSON_DEPTH_MAX);
    struct scan s = {.p = text, .end = text + len, .depth_left = depth};
    bool ok = scan_value(&s);
    skip_space(&s);
    if (!ok || s.p != s.end) {
        return s.deep ? -E2BIG : -EBADMSG;
    }
    /* What is left to go wrong is memory. */
    cJSON *root = cJSON_ParseWithLength(text, len);
    if (root == NULL) {
        return -ENOMEM;
    }
    int r = check_members(root);
    if (r < 0) {
        cJSON_Delete(root);
        return r;
    }
    *ret = root;
    return 0;
}

bool json_is_plain(const char *text)
{
    struct scan s = {.p = text, .end = text + strlen(text)};
    while (s.p < s.end) {
        if ((uint8_t)*s.p < ' ' || *s.p == 0x7f || !scan_utf8(&s)) {
            return false;
        }
    }
    return true;
}

const cJSON *json_get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *json_get_text(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(json_get(object, name));
}
