/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_text.c - the small bounded scanners under sdp_read.c and sdpfrag.c. */
#include <string.h>
#include <strings.h>

#include "signaling/sdp_model.h"

bool sdp_uint(const char **at, uint64_t max, uint64_t *ret)
{
    const char *p = *at;
    uint64_t v = 0;
    while (*p >= '0' && *p <= '9') {
        unsigned digit = (unsigned)(*p - '0');
        if (v > (max - MIN(digit, max)) / 10 || v * 10 + digit > max) {
            return false;
        }
        v = v * 10 + digit;
        p++;
    }
    if (p == *at) {
        return false;
    }
    *at = p;
    *ret = v;
    return true;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool sdp_is_token(const char *s, size_t max)
{
    size_t n = 0;
    for (; s[n]; n++) {
        if (n == max || (!is_alnum(s[n]) && !strchr("!#$%&'*+-.^_`{|}~", s[n]))) {
            return false;
        }
    }
    return n > 0;
}

bool sdp_is_ice_chars(const char *s, size_t min, size_t max)
{
    size_t n = 0;
    for (; s[n]; n++) {
        if (n == max || (!is_alnum(s[n]) && !strchr("+/-_=#", s[n]))) {
            return false;
        }
    }
    return n >= min;
}

char *sdp_word(char **at)
{
    char *p = *at + strspn(*at, " \t");
    if (!*p) {
        *at = p;
        return NULL;
    }
    char *end = p + strcspn(p, " \t");
    *at = *end ? end + 1 : end;
    *end = '\0';
    return p;
}

const char *sdp_begin(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

bool sdp_line(const char **at, const char *end, const char **ret_line, size_t *ret_len)
{
    if (*at == end) {
        return false;
    }
    const char *line = *at;
    const char *lf = memchr(line, '\n', (size_t)(end - line));
    const char *stop = lf ? lf : end;
    *at = lf ? lf + 1 : end;
    while (stop > line && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t')) {
        stop--;
    }
    *ret_line = line;
    *ret_len = (size_t)(stop - line);
    return true;
}

bool sdp_line_is_clean(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

const char *sdp_fmtp_param(const char *fmtp, const char *name, size_t *ret_len)
{
    size_t name_len = strlen(name);
    while (*fmtp) {
        fmtp += strspn(fmtp, " ;\t");
        size_t len = strcspn(fmtp, ";");
        if (len > name_len && fmtp[name_len] == '=' && strncasecmp(fmtp, name, name_len) == 0) {
            const char *value = fmtp + name_len + 1;
            size_t n = len - name_len - 1;
            while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t')) {
                n--;
            }
            *ret_len = n;
            return value;
        }
        fmtp += len;
    }
    return NULL;
}
