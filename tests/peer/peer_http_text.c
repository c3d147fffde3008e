/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_http_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

int peer_http_url_read(const char *url, struct peer_http_url *ret)
{
    struct peer_http_url u = {.tls = !strncmp(url, "https://", 8)};
    char authority[256];

    if (!u.tls && strncmp(url, "http://", 7)) {
        return -EINVAL;
    }
    const char *p = url + (u.tls ? 8 : 7);
    size_t n = strcspn(p, "/");
    if (!n || n >= sizeof(authority)) {
        return -EINVAL;
    }
    snprintf(authority, sizeof(authority), "%.*s", (int)n, p);
    char *name = authority, *colon = strrchr(authority, ':'), *end = strchr(authority, ']');
    if (authority[0] == '[' && end) {
        u.v6 = true;
        name++;
        *end = '\0';
        colon = end[1] == ':' ? end + 1 : NULL;
    }
    snprintf(u.port, sizeof(u.port), "%.6s", colon ? colon + 1 : u.tls ? "443" : "80");
    if (colon) {
        *colon = '\0';
    }
    snprintf(u.host, sizeof(u.host), "%s", name);
    u.path = p[n] ? p + n : "/";
    *ret = u;
    return 0;
}

const char *peer_http_text_header(const char *head, const char *name, unsigned n, size_t *ret_len)
{
    size_t len = strlen(name);

    for (const char *p = strstr(head, "\r\n"); p && p[2]; p = strstr(p + 2, "\r\n")) {
        const char *line = p + 2;
        if (strncasecmp(line, name, len) || line[len] != ':' || n-- > 0) {
            continue;
        }
        line += len + 1;
        line += strspn(line, " \t");
        *ret_len = strcspn(line, "\r");
        return line;
    }
    return NULL;
}

/* Joins chunks, in place if join is set. Returns their length, or -1 when the last has not come. */
static ssize_t join_chunks(char *body, size_t len, bool join)
{
    size_t out = 0, at = 0;

    for (;;) {
        char *line_end = memmem(body + at, len - at, "\r\n", 2);
        size_t n = line_end ? strtoul(body + at, NULL, 16) : 0;
        size_t data = line_end ? (size_t)(line_end - body) + 2 : 0;
        if (!line_end || n > len || data + n + 2 > len) {
            return -1;
        }
        if (!n) {
            return (ssize_t)out;
        }
        if (join) {
            memmove(body + out, body + data, n);
        }
        out += n;
        at = data + n + 2;
    }
}

int peer_http_text_read(char *in, size_t len, bool head_only, bool eof, struct peer_http_text *ret)
{
    struct peer_http_text t = {0};
    char *end = memmem(in, len, "\r\n\r\n", 4);
    size_t n;

    if (!end || sscanf(in, "HTTP/1.%*1[01] %d", &t.status) != 1) {
        return eof ? -EBADMSG : 0;
    }
    t.head_len = (size_t)(end + 2 - in);
    t.body = end + 4;
    size_t have = len - (size_t)(t.body - in);
    end[2] = '\0'; /* headers are looked for in the head alone */
    const char *coding = peer_http_text_header(in, "Transfer-Encoding", 0, &n);
    bool chunked = coding && n == 7 && !strncasecmp(coding, "chunked", n);
    const char *length = peer_http_text_header(in, "Content-Length", 0, &n);
    bool whole = eof;
    if (head_only || t.status == 204 || t.status == 304) {
        whole = true;
    } else if (chunked) {
        whole = join_chunks(t.body, have, false) >= 0;
        t.body_len = whole ? (size_t)join_chunks(t.body, have, true) : 0;
    } else if (length) {
        t.body_len = strtoul(length, NULL, 10);
        whole = have >= t.body_len;
    } else {
        t.body_len = have;
    }
    end[2] = '\r';
    if (!whole) {
        return eof ? -EBADMSG : 0;
    }
    *ret = t;
    return 1;
}
