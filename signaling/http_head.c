/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/http_head.h"

#include <string.h>
#include <strings.h>

static bool is_token(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c) != NULL) {
            return false;
        }
    }
    return n > 0;
}

bool http_head_is_value(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool read_length(const char *s, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9' || v > UINT64_MAX / 100) {
            return false;
        }
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    *ret = v;
    return n > 0;
}

static bool is(const char *name, size_t len, const char *want)
{
    return len == strlen(want) && strncasecmp(name, want, len) == 0;
}

void http_head_field(struct http_head *h, const char *name, size_t name_len, const char *value,
                     size_t value_len)
{
    h->fields++;
    if (!is_token(name, name_len) || !http_head_is_value(value, value_len)) {
        h->bad = true;
    } else if (is(name, name_len, "Host")) {
        h->hosts++;
    } else if (is(name, name_len, "Content-Length")) {
        h->lengths++;
        h->bad |= !read_length(value, value_len, &h->length);
    } else if (is(name, name_len, "Transfer-Encoding")) {
        h->encodings++;
        h->bad |= !is(value, value_len, "chunked");
    }
}

bool http_head_is_bad(const struct http_head *h)
{
    return h->bad || h->hosts > 1 || h->lengths > 1 || h->encodings > 1 ||
           (h->lengths > 0 && h->encodings > 0);
}
