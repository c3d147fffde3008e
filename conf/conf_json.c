/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    const char *p;
    const char *end;
    int line;
    const char *wrong; /* what was found, if the text is refused */
};

/* Where the comment that begins at s[i] ends, one past its last byte; 0 if it never does. */
static size_t comment_end(const char *s, size_t n, size_t i)
{
    bool line = s[i + 1] == '/';
    const char *close = line ? memchr(s + i, '\n', n - i) : memmem(s + i + 2, n - i - 2, "*/", 2);
    if (!close) {
        return line ? n : 0;
    }
    return (size_t)(close - s) + (line ? 0 : 2);
}

/* Overwrites comments with spaces, so that offsets and lines stay. Returns NULL, or where a comment
 * begins that does not end. */
static const char *blank_comments(char *s, size_t n)
{
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string && s[i] == '\\') {
            i++;
        } else if (s[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && s[i] == '/' && i + 1 < n && (s[i + 1] == '/' || s[i + 1] == '*')) {
            size_t end = comment_end(s, n, i);
            if (end == 0) {
                return s + i;
            }
            for (; i < end; i++) {
                s[i] = s[i] == '\n' ? '\n' : ' ';
            }
            i--;
        }
    }
    return NULL;
}

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (const char *p = text; p < at; p++) {
        line += *p == '\n';
    }
    return line;
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && memchr(" \t\r\n", *s->p, 4)) {
        s->line += *s->p == '\n';
        s->p++;
    }
}

static bool fail(struct scan *s, const char *wrong)
{
    s->wrong = wrong;
    return false;
}

static bool expect(struct scan *s, char c)
{
    skip_space(s);
    if (s->p >= s->end || *s->p != c) {
        return fail(s, "syntax error");
    }
    s->p++;
    return true;
}

static bool scan_string(struct scan *s)
{
    if (!expect(s, '"')) {
        return false;
    }
    for (; s->p < s->end && *s->p != '"'; s->p++) {
        if ((unsigned char)*s->p < 0x20) {
            return fail(s, "control character in a string");
        }
        if (*s->p == '\\') {
            s->p++;
            if (s->end - s->p >= 5 && memcmp(s->p, "u0000", 5) == 0) {
                return fail(s, "NUL character in a string");
            }
        }
    }
    return expect(s, '"');
}

/* RFC 8259: -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?  cJSON takes whatever strtod takes. */
static bool scan_number(struct scan *s)
{
    const char *digits = "0123456789";
    const char *p = s->p;
    p += *p == '-';
    size_t n = strspn(p, digits);
    bool ok = n > 0 && (n == 1 || *p != '0');
    p += n;
    if (*p == '.') {
        n = strspn(p + 1, digits);
        ok = ok && n > 0;
        p += 1 + n;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        n = strspn(p, digits);
        ok = ok && n > 0;
        p += n;
    }
    s->p = p;
    return ok || fail(s, "malformed number");
}

static bool locate(struct scan *s, cJSON *node, int depth);

static bool locate_children(struct scan *s, cJSON *node, int depth)
{
    bool object = cJSON_IsObject(node);
    s->p++;
    for (cJSON *child = node->child; child; child = child->next) {
        skip_space(s);
        int line = s->line;
        if (object && (!scan_string(s) || !expect(s, ':'))) {
            return false;
        }
        if (!locate(s, child, depth + 1)) {
            return false;
        }
        child->valueint = line;
        if (child->next && !expect(s, ',')) {
            return false;
        }
    }
    return expect(s, object ? '}' : ']');
}

/* Walks text and tree side by side and notes lines. The text is known to hold the tree; what cJSON
 * accepted beyond RFC 8259 is found here. valueint is free for the line: it is an int's view of
 * valuedouble in numbers, and nothing in the other types. */
static bool locate(struct scan *s, cJSON *node, int depth)
{
    skip_space(s);
    if (s->p >= s->end) {
        return fail(s, "syntax error");
    }
    node->valueint = s->line;
    if (depth > CONF_JSON_DEPTH_MAX) {
        return fail(s, "nested too deeply");
    }
    if (cJSON_IsObject(node) || cJSON_IsArray(node)) {
        return locate_children(s, node, depth);
    }
    if (cJSON_IsString(node)) {
        return scan_string(s);
    }
    if (cJSON_IsNumber(node)) {
        return scan_number(s);
    }
    /* true, false, null */
    s->p += cJSON_IsFalse(node) ? 5 : 4;
    return true;
}

static int refuse(const struct conf_json_text *text, int line, const char *what,
                  struct conf_error *ret_err)
{
    snprintf(ret_err->text, sizeof(ret_err->text), "%.200s:%d: %s", text->name, line, what);
    return -EINVAL;
}

/* The last byte before at that is no space; NUL if there is none. */
static char byte_before(const char *copy, const char *at)
{
    while (at > copy && strchr(" \t\r\n", at[-1])) {
        at--;
    }
    return at > copy ? at[-1] : '\0';
}

/* What to say of a text that cJSON refused at stop. */
static int refuse_syntax(const struct conf_json_text *text, const char *copy, const char *stop,
                         struct conf_error *ret_err)
{
    const char *space = " \t\r\n";
    char what[96] = "ends too early: a brace, bracket or quote is not closed";
    if (stop > copy && memchr(",{", byte_before(copy, stop - 1), 2)) {
        stop--; /* where a key should begin, cJSON stops one byte late */
    }
    stop += strspn(stop, space);
    const char *close = stop + (*stop == ',');
    close += strspn(close, space);
    if (copy[strspn(copy, space)] == '\0') {
        snprintf(what, sizeof(what), "nothing in it; {} means the defaults");
    } else if ((*close == '}' || *close == ']') && byte_before(copy, close) == ',') {
        snprintf(what, sizeof(what), "a comma before %c", *close);
    } else if (*stop != '\0') {
        snprintf(what, sizeof(what), "syntax error near \"%.*s\"%s",
                 (int)MIN(strcspn(stop, "\r\n"), 16), stop,
                 *stop == '#'    ? "; comments are // or /* */"
                 : *stop == '\'' ? "; strings and keys have double quotes"
                                 : "");
    }
    return refuse(text, line_of(copy, stop), what, ret_err);
}

/* copy: the text with a NUL behind it, ours to change. */
static int parse_copy(const struct conf_json_text *text, char *copy, cJSON **ret,
                      struct conf_error *ret_err)
{
    const char *nul = memchr(copy, '\0', text->len);
    if (nul) {
        return refuse(text, line_of(copy, nul), "NUL byte; the file must be UTF-8", ret_err);
    }
    if (text->len >= 3 && memcmp(copy, "\xef\xbb\xbf", 3) == 0) {
        memset(copy, ' ', 3);
    }
    const char *open = blank_comments(copy, text->len);
    if (open) {
        return refuse(text, line_of(copy, open), "comment without an end", ret_err);
    }
    const char *stop = copy;
    cJSON *root = cJSON_ParseWithLengthOpts(copy, text->len + 1, &stop, true);
    if (!root) {
        return refuse_syntax(text, copy, stop, ret_err);
    }
    struct scan s = {.p = copy, .end = copy + text->len, .line = 1};
    if (!locate(&s, root, 1)) {
        cJSON_Delete(root);
        return refuse(text, s.line, s.wrong, ret_err);
    }
    *ret = root;
    return 0;
}

int conf_json_parse(const struct conf_json_text *text, cJSON **ret, struct conf_error *ret_err)
{
    if (text->len > CONF_JSON_TEXT_MAX) {
        return refuse(text, 1, "longer than 1 MiB", ret_err);
    }
    char *copy = malloc(text->len + 1);
    if (!copy) {
        return -ENOMEM;
    }
    memcpy(copy, text->bytes, text->len);
    copy[text->len] = '\0';
    int rc = parse_copy(text, copy, ret, ret_err);
    free(copy);
    return rc;
}

int conf_json_line(const cJSON *node)
{
    return node->valueint;
}
