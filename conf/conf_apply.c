/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where we are, for errors: name of the text, line, and what has been entered: "auth.tokens[2]". */
struct at {
    const struct conf_json_text *text;
    struct conf_error *ret_err;
    struct conf_origins *origins; /* or NULL */
    char path[CONF_KEYS_NAME_MAX];
};

/* A member of an object in a list. */
struct member {
    const char *name;
    bool is_bool;
    bool from_file; /* the value names a file that holds it */
    size_t offset, cap;
};

#define MEMBER(T, field, name, file)                                                               \
    {                                                                                              \
        name, false, file, offsetof(struct T, field), sizeof(((struct T *)0)->field)               \
    }
#define MEMBER_BOOL(T, field)                                                                      \
    {                                                                                              \
#field, true, false, offsetof(struct T, field), sizeof(bool)                               \
    }

static const struct member token_members[] = {
    MEMBER(conf_token, token, "token", false),
    MEMBER(conf_token, token, "token_file", true),
    MEMBER(conf_token, name, "name", false),
    MEMBER(conf_token, pattern, "pattern", false),
    MEMBER_BOOL(conf_token, publish),
    MEMBER_BOOL(conf_token, play),
    MEMBER_BOOL(conf_token, data),
    MEMBER_BOOL(conf_token, moderate),
    MEMBER_BOOL(conf_token, admin),
};

static const struct member key_members[] = {
    MEMBER(conf_auth_key, alg, "alg", false),
    MEMBER(conf_auth_key, kid, "kid", false),
    MEMBER(conf_auth_key, secret, "secret", false),
    MEMBER(conf_auth_key, secret, "secret_file", true),
    MEMBER(conf_auth_key, pem_file, "pem_file", false),
    MEMBER(conf_auth_key, jwk_file, "jwk_file", false),
};

static const struct member hook_members[] = {
    MEMBER(conf_webhook, url, "url", false),
    MEMBER(conf_webhook, secret, "secret", false),
    MEMBER(conf_webhook, secret, "secret_file", true),
    MEMBER(conf_webhook, events, "events", false),
};

static const struct member server_members[] = {
    MEMBER(conf_ice_server, url, "url", false),
    MEMBER(conf_ice_server, username, "username", false),
    MEMBER(conf_ice_server, credential, "credential", false),
    MEMBER(conf_ice_server, secret, "secret", false),
    MEMBER(conf_ice_server, secret, "secret_file", true),
};

PRINTF_LIKE(3, 4) static int refuse(const struct at *at, const cJSON *node, const char *fmt, ...)
{
    char what[CONF_KEYS_WHY_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    snprintf(at->ret_err->text, sizeof(at->ret_err->text), "%.160s:%d: %s%s%.200s", at->text->name,
             conf_json_line(node), at->path, at->path[0] ? ": " : "", what);
    return -EINVAL;
}

static const char *type_name(const cJSON *node)
{
    return cJSON_IsString(node)   ? "a string"
           : cJSON_IsNumber(node) ? "a number"
           : cJSON_IsBool(node)   ? "true or false"
           : cJSON_IsArray(node)  ? "a list"
           : cJSON_IsObject(node) ? "an object"
                                  : "null";
}

static int refuse_type(const struct at *at, const cJSON *node, const char *wanted)
{
    return refuse(at, node, "must be %s, not %s", wanted, type_name(node));
}

/* cJSON keeps both of two members with one name. */
static bool is_repeated(const cJSON *parent, const cJSON *member)
{
    for (const cJSON *m = parent->child; m != member; m = m->next) {
        if (strcmp(m->string, member->string) == 0) {
            return true;
        }
    }
    return false;
}

int conf_apply_read_file(const char *path, char *out, size_t cap, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    size_t n = 0;
    ssize_t got = 1;
    while (n < cap && got > 0) {
        got = read(fd, out + n, cap - n);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        n += got > 0 ? (size_t)got : 0;
    }
    int rc = got < 0 ? -errno : n == cap ? -EFBIG : 0;
    close(fd);
    if (rc == 0) {
        out[n] = '\0';
        *ret_len = n;
    }
    return rc;
}

/* A secret from its file: one line, the newline at its end is not part of it. */
static int read_secret(const struct at *at, const cJSON *node, char *out, size_t cap)
{
    char buf[CONF_STR_MAX + 2];
    size_t n = 0;
    int rc = conf_apply_read_file(node->valuestring, buf, sizeof(buf), &n);
    if (rc) {
        return refuse(at, node, "%.120s: %s", node->valuestring, strerror(-rc));
    }
    n = strnlen(buf, n) == n ? n : 0;
    while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r')) {
        buf[--n] = '\0';
    }
    if (n == 0) {
        return refuse(at, node, "%.120s: no secret in it", node->valuestring);
    }
    struct conf_keys_why why;
    if (conf_keys_copy(out, cap, buf, &why)) {
        return refuse(at, node, "%.120s: %.120s", node->valuestring, why.text);
    }
    return 0;
}

static int apply_member(const struct at *at, const cJSON *node, const struct member *m,
                        char *object)
{
    char *out = object + m->offset;
    if (m->is_bool) {
        if (!cJSON_IsBool(node)) {
            return refuse_type(at, node, "true or false");
        }
        bool value = cJSON_IsTrue(node);
        memcpy(out, &value, sizeof(value));
        return 0;
    }
    if (!cJSON_IsString(node)) {
        return refuse_type(at, node, "a string");
    }
    if (out[0]) {
        return refuse(at, node, "is given both directly and as a file");
    }
    if (m->from_file) {
        return read_secret(at, node, out, m->cap);
    }
    struct conf_keys_why why;
    if (conf_keys_copy(out, m->cap, node->valuestring, &why)) {
        return refuse(at, node, "%s", why.text);
    }
    return 0;
}

static int refuse_member(struct at *at, const cJSON *node, const struct member *members, size_t n)
{
    const char *names[12];
    assert(n <= ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++) {
        names[i] = members[i].name;
    }
    const char *near = conf_keys_nearest(node->string, names, n);
    return near
               ? refuse(at, node, "unknown member \"%.60s\" (did you mean %s?)", node->string, near)
               : refuse(at, node, "unknown member \"%.60s\"", node->string);
}

/* Fills one object of a list. object is zeroed. */
static int apply_object(struct at *at, const cJSON *node, const struct member *members, size_t n,
                        void *object)
{
    if (!cJSON_IsObject(node)) {
        return refuse_type(at, node, "an object");
    }
    for (const cJSON *v = node->child; v; v = v->next) {
        const struct member *m = members;
        while (m < members + n && strcmp(m->name, v->string) != 0) {
            m++;
        }
        if (m == members + n) {
            return refuse_member(at, v, members, n);
        }
        struct at inside = *at;
        size_t used = strlen(inside.path);
        snprintf(inside.path + used, sizeof(inside.path) - used, ".%s", m->name);
        if (is_repeated(node, v)) {
            return refuse(&inside, v, "given twice");
        }
        int rc = apply_member(&inside, v, m, object);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int apply_token(struct at *at, const cJSON *node, struct conf *c, int i)
{
    struct conf_token *t = &c->auth.tokens[i];
    memset(t, 0, sizeof(*t));
    int rc = apply_object(at, node, token_members, ARRAY_LEN(token_members), t);
    if (rc) {
        return rc;
    }
    /* RFC 6750 2.1: b64token. Anything else could never arrive in an Authorization header. */
    size_t n =
        strspn(t->token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");
    if (!t->token[0]) {
        return refuse(at, node, "needs token or token_file");
    }
    if (t->token[n]) {
        return refuse(at, node, "the token may have only letters, digits and -._~+/=");
    }
    if (!t->name[0]) {
        return refuse(at, node,
                      "needs a name: it stands in logs, and decides who takes a stream over");
    }
    if (!t->publish && !t->play && !t->moderate && !t->admin) {
        return refuse(at, node, "permits nothing: set publish, play, moderate or admin");
    }
    if (!t->pattern[0]) {
        t->pattern[0] = '*';
    }
    if (t->pattern[strspn(t->pattern, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-._~/*")]) {
        return refuse(at, node, "pattern may have only letters, digits and -._~ / *");
    }
    for (int j = 0; j < i; j++) {
        if (strcmp(c->auth.tokens[j].token, t->token) == 0 &&
            strcmp(c->auth.tokens[j].name, t->name) != 0) {
            return refuse(at, node, "the same token as auth.tokens[%d], with another name", j);
        }
    }
    return 0;
}

static int apply_server(struct at *at, const cJSON *node, struct conf *c, int i)
{
    struct conf_ice_server *s = &c->ice_servers.servers[i];
    memset(s, 0, sizeof(*s));
    int rc = apply_object(at, node, server_members, ARRAY_LEN(server_members), s);
    if (rc) {
        return rc;
    }
    size_t scheme = strcspn(s->url, ":");
    bool stun = strncmp(s->url, "stun:", 5) == 0 || strncmp(s->url, "stuns:", 6) == 0;
    bool turn = strncmp(s->url, "turn:", 5) == 0 || strncmp(s->url, "turns:", 6) == 0;
    if ((!stun && !turn) || !s->url[scheme + 1] || s->url[scheme + 1] == '/') {
        return refuse(at, node,
                      "url must be stun:HOST, stuns:HOST, turn:HOST or turns:HOST (RFC 7065)");
    }
    if (s->secret[0] && s->credential[0]) {
        return refuse(at, node, "has both credential and secret");
    }
    if (turn && !s->secret[0] && (!s->username[0] || !s->credential[0])) {
        return refuse(at, node, "a TURN server needs username and credential, or secret");
    }
    if (stun && (s->secret[0] || s->credential[0])) {
        return refuse(at, node, "a STUN server takes no credentials");
    }
    return 0;
}

/* What can be said of a key without reading it; signaling/auth.c does that. */
static int apply_key(struct at *at, const cJSON *node, struct conf *c, int i)
{
    static const char *const algs[] = {"HS256", "RS256", "ES256", "EdDSA"};
    struct conf_auth_key *k = &c->auth.keys[i];
    memset(k, 0, sizeof(*k));
    int rc = apply_object(at, node, key_members, ARRAY_LEN(key_members), k);
    if (rc) {
        return rc;
    }
    size_t a = 0;
    while (a < ARRAY_LEN(algs) && strcmp(algs[a], k->alg) != 0) {
        a++;
    }
    if (a == ARRAY_LEN(algs)) {
        return refuse(at, node, "needs alg, one of HS256, RS256, ES256, EdDSA");
    }
    if ((k->secret[0] != '\0') + (k->pem_file[0] != '\0') + (k->jwk_file[0] != '\0') != 1) {
        return refuse(at, node, "needs one of secret, secret_file, pem_file and jwk_file");
    }
    if (k->secret[0] && a != 0) {
        return refuse(at, node, "a secret is for HS256; %s needs pem_file or jwk_file", k->alg);
    }
    if (k->pem_file[0] && a == 0) {
        return refuse(at, node, "HS256 has a secret, not a public key");
    }
    if (strspn(k->kid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
            strlen(k->kid) ||
        strlen(k->kid) > 64) {
        return refuse(at, node, "kid may have at most 64 letters, digits and ._-");
    }
    return 0;
}

static int apply_hook(struct at *at, const cJSON *node, struct conf *c, int i)
{
    struct conf_webhook *h = &c->webhooks.targets[i];
    memset(h, 0, sizeof(*h));
    int rc = apply_object(at, node, hook_members, ARRAY_LEN(hook_members), h);
    if (rc) {
        return rc;
    }
    const char *host = strncmp(h->url, "https://", 8) == 0  ? h->url + 8
                       : strncmp(h->url, "http://", 7) == 0 ? h->url + 7
                                                            : "";
    size_t n = strcspn(host, "/?");
    if (n == 0 || memchr(host, '@', n) || host[strcspn(host, " \"<>\\^`{|}#")]) {
        return refuse(at, node, "url must be an http:// or https:// URL without user and password");
    }
    if (strspn(h->events, "abcdefghijklmnopqrstuvwxyz.*, ") != strlen(h->events)) {
        return refuse(at, node, "events must be names like room.started or room.*, with commas");
    }
    for (int j = 0; j < i; j++) {
        if (strcmp(h->url, c->webhooks.targets[j].url) == 0) {
            return refuse(at, node, "the same url as webhooks.targets[%d]", j);
        }
    }
    return 0;
}

typedef int(apply_fn)(struct at *at, const cJSON *node, struct conf *c, int i);

static int apply_objects(struct at *at, const cJSON *node, struct conf *c, const struct conf_key *k)
{
    int max = k->type == CONF_TYPE_TOKENS ? CONF_RULES_MAX : CONF_LIST_MAX;
    int *count = k->type == CONF_TYPE_TOKENS  ? &c->auth.n_tokens
                 : k->type == CONF_TYPE_KEYS  ? &c->auth.n_keys
                 : k->type == CONF_TYPE_HOOKS ? &c->webhooks.n
                                              : &c->ice_servers.n;
    apply_fn *fn = k->type == CONF_TYPE_TOKENS  ? apply_token
                   : k->type == CONF_TYPE_KEYS  ? apply_key
                   : k->type == CONF_TYPE_HOOKS ? apply_hook
                                                : apply_server;
    if (!cJSON_IsArray(node)) {
        return refuse_type(at, node, "a list of objects");
    }
    *count = 0;
    for (const cJSON *v = node->child; v; v = v->next) {
        if (*count == max) {
            return refuse(at, v, "has more than %d entries", max);
        }
        struct at inside = *at;
        size_t used = strlen(inside.path);
        snprintf(inside.path + used, sizeof(inside.path) - used, "[%d]", *count);
        int rc = fn(&inside, v, c, *count);
        if (rc) {
            return rc;
        }
        ++*count;
    }
    return 0;
}

static int apply_strings(const struct at *at, const cJSON *node, struct conf *c,
                         const struct conf_key *k)
{
    if (!cJSON_IsArray(node)) {
        return refuse_type(at, node, "a list of strings");
    }
    conf_keys_clear(c, k);
    for (const cJSON *v = node->child; v; v = v->next) {
        struct conf_keys_why why;
        if (!cJSON_IsString(v)) {
            return refuse_type(at, v, "a list of strings");
        }
        if (conf_keys_add_str(c, k, v->valuestring, &why)) {
            return refuse(at, v, "%s", why.text);
        }
    }
    return 0;
}

static int apply_value(struct at *at, const cJSON *node, struct conf *c, const struct conf_key *k)
{
    struct conf_keys_why why;
    int rc = 0;
    switch (k->type) {
    case CONF_TYPE_STR:
    case CONF_TYPE_WORD:
    case CONF_TYPE_ENUM:
        if (!cJSON_IsString(node)) {
            return refuse_type(at, node, "a string");
        }
        rc = conf_keys_put_str(c, k, node->valuestring, &why);
        break;
    case CONF_TYPE_INT:
        if (!cJSON_IsNumber(node)) {
            return refuse_type(at, node, "a number");
        }
        rc = conf_keys_put_int(c, k, node->valuedouble, &why);
        break;
    case CONF_TYPE_BOOL:
        if (!cJSON_IsBool(node)) {
            return refuse_type(at, node, "true or false");
        }
        conf_keys_put_bool(c, k, cJSON_IsTrue(node));
        break;
    case CONF_TYPE_STRINGS:
        return apply_strings(at, node, c, k);
    case CONF_TYPE_TOKENS:
    case CONF_TYPE_SERVERS:
    case CONF_TYPE_KEYS:
    case CONF_TYPE_HOOKS:
        return apply_objects(at, node, c, k);
    }
    return rc ? refuse(at, node, "%s", why.text) : 0;
}

static int refuse_key(const struct at *at, const cJSON *node)
{
    const struct conf_key *near = conf_keys_suggest(at->path);
    char name[CONF_KEYS_NAME_MAX];
    return near ? refuse(at, node, "unknown key (did you mean %s?)", conf_keys_name(near, name))
                : refuse(at, node, "unknown key");
}

static int refuse_section(const struct at *at, const cJSON *node)
{
    const char *sections[32];
    size_t n = 0;
    if (strcmp(node->string, "insecure_dev") == 0) {
        return refuse(at, node, "is no setting, but the flag --insecure-dev");
    }
    for (size_t i = 0; i < conf_keys_count; i++) {
        if (n == 0 || strcmp(sections[n - 1], conf_keys[i].section) != 0) {
            assert(n < ARRAY_LEN(sections));
            sections[n++] = conf_keys[i].section;
        }
    }
    const char *near = conf_keys_nearest(node->string, sections, n);
    return near ? refuse(at, node, "unknown section (did you mean %s?)", near)
                : refuse(at, node, "unknown section");
}

static int apply_section(struct at *at, const cJSON *section, struct conf *c)
{
    snprintf(at->path, sizeof(at->path), "%.40s", section->string);
    if (!conf_keys_has_section(section->string)) {
        return refuse_section(at, section);
    }
    if (!cJSON_IsObject(section)) {
        return refuse_type(at, section, "an object");
    }
    for (const cJSON *v = section->child; v; v = v->next) {
        snprintf(at->path, sizeof(at->path), "%.40s.%.50s", section->string, v->string);
        const struct conf_key *k = conf_keys_find(section->string, v->string);
        if (!k) {
            return refuse_key(at, v);
        }
        if (is_repeated(section, v)) {
            return refuse(at, v, "given twice");
        }
        int rc = apply_value(at, v, c, k);
        if (rc) {
            return rc;
        }
        if (at->origins) {
            at->origins->of[k - conf_keys].from = CONF_FROM_FILE;
            at->origins->of[k - conf_keys].line = conf_json_line(v);
        }
    }
    return 0;
}

static int apply_root(struct at *at, const cJSON *root, struct conf *c)
{
    if (!cJSON_IsObject(root)) {
        return refuse_type(at, root, "an object with sections");
    }
    for (const cJSON *s = root->child; s; s = s->next) {
        if (is_repeated(root, s)) {
            snprintf(at->path, sizeof(at->path), "%.40s", s->string);
            return refuse(at, s, "given twice");
        }
        int rc = apply_section(at, s, c);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int parse(const struct conf_json_text *text, cJSON **ret, struct conf_error *ret_err)
{
    int rc = conf_json_parse(text, ret, ret_err);
    if (rc == -ENOMEM) {
        snprintf(ret_err->text, sizeof(ret_err->text), "%.200s: out of memory", text->name);
    }
    return rc;
}

int conf_apply_file(struct conf *c, const struct conf_json_text *text, struct conf_origins *origins,
                    struct conf_error *ret_err)
{
    cJSON *root = NULL;
    struct at at = {.text = text, .ret_err = ret_err, .origins = origins};
    int rc = parse(text, &root, ret_err);
    if (rc == 0) {
        rc = apply_root(&at, root, c);
        cJSON_Delete(root);
    }
    return rc;
}

int conf_apply_list(struct conf *c, const struct conf_key *k, const struct conf_json_text *text,
                    struct conf_error *ret_err)
{
    cJSON *root = NULL;
    struct at at = {.text = text, .ret_err = ret_err};
    conf_keys_name(k, at.path);
    int rc = parse(text, &root, ret_err);
    if (rc == 0) {
        rc = apply_objects(&at, root, c, k);
        cJSON_Delete(root);
    }
    return rc;
}
