/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_objects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf_apply.h"

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

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

/* A secret from its file: one line, the newline at its end is not part of it. */
static int read_secret(const struct conf_at *at, const cJSON *node, char *out, size_t cap)
{
    char buf[CONF_STR_MAX + 2];
    size_t n = 0;
    int rc = conf_apply_read_file(node->valuestring, buf, sizeof(buf), &n);
    if (rc) {
        return conf_at_refuse(at, node, "%.120s: %s", node->valuestring, strerror(-rc));
    }
    n = strnlen(buf, n) == n ? n : 0;
    while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r')) {
        buf[--n] = '\0';
    }
    if (n == 0) {
        return conf_at_refuse(at, node, "%.120s: no secret in it", node->valuestring);
    }
    struct conf_keys_why why;
    if (conf_keys_copy(out, cap, buf, &why)) {
        return conf_at_refuse(at, node, "%.120s: %.120s", node->valuestring, why.text);
    }
    return 0;
}

static int apply_member(const struct conf_at *at, const cJSON *node, const struct member *m,
                        char *object)
{
    char *out = object + m->offset;
    if (m->is_bool) {
        if (!cJSON_IsBool(node)) {
            return conf_at_refuse_type(at, node, "true or false");
        }
        bool value = cJSON_IsTrue(node);
        memcpy(out, &value, sizeof(value));
        return 0;
    }
    if (!cJSON_IsString(node)) {
        return conf_at_refuse_type(at, node, "a string");
    }
    if (out[0]) {
        return conf_at_refuse(at, node, "is given both directly and as a file");
    }
    if (m->from_file) {
        return read_secret(at, node, out, m->cap);
    }
    struct conf_keys_why why;
    if (conf_keys_copy(out, m->cap, node->valuestring, &why)) {
        return conf_at_refuse(at, node, "%s", why.text);
    }
    return 0;
}

static int refuse_member(const struct conf_at *at, const cJSON *node, const struct member *members,
                         size_t n)
{
    const char *names[12];
    assert(n <= ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++) {
        names[i] = members[i].name;
    }
    const char *near = conf_keys_nearest(node->string, names, n);
    return near ? conf_at_refuse(at, node, "unknown member \"%.60s\" (did you mean %s?)",
                                 node->string, near)
                : conf_at_refuse(at, node, "unknown member \"%.60s\"", node->string);
}

/* Fills one object of a list. object is zeroed. */
static int apply_object(const struct conf_at *at, const cJSON *node, const struct member *members,
                        size_t n, void *object)
{
    if (!cJSON_IsObject(node)) {
        return conf_at_refuse_type(at, node, "an object");
    }
    for (const cJSON *v = node->child; v; v = v->next) {
        const struct member *m = members;
        while (m < members + n && strcmp(m->name, v->string) != 0) {
            m++;
        }
        if (m == members + n) {
            return refuse_member(at, v, members, n);
        }
        char dotted[32];
        snprintf(dotted, sizeof(dotted), ".%s", m->name);
        const struct conf_at inside = conf_at_inside(at, dotted);
        if (conf_at_is_repeated(node, v)) {
            return conf_at_refuse(&inside, v, "given twice");
        }
        int rc = apply_member(&inside, v, m, object);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int apply_token(const struct conf_at *at, const cJSON *node, struct conf *c, int i)
{
    struct conf_token *t = &c->auth.tokens[i];
    memset(t, 0, sizeof(*t));
    int rc = apply_object(at, node, token_members, ARRAY_LEN(token_members), t);
    if (rc) {
        return rc;
    }
    /* RFC 6750 2.1: b64token. Anything else could never arrive in an Authorization header. */
    size_t n = strspn(t->token, ALNUM "-._~+/=");
    if (!t->token[0]) {
        return conf_at_refuse(at, node, "needs token or token_file");
    }
    if (t->token[n]) {
        return conf_at_refuse(at, node, "the token may have only letters, digits and -._~+/=");
    }
    if (!t->name[0]) {
        return conf_at_refuse(
            at, node, "needs a name: it stands in logs, and decides who takes a stream over");
    }
    if (!t->publish && !t->play && !t->moderate && !t->admin) {
        return conf_at_refuse(at, node, "permits nothing: set publish, play, moderate or admin");
    }
    if (!t->pattern[0]) {
        t->pattern[0] = '*';
    }
    if (t->pattern[strspn(t->pattern, ALNUM "-._~/*")]) {
        return conf_at_refuse(at, node, "pattern may have only letters, digits and -._~ / *");
    }
    for (int j = 0; j < i; j++) {
        if (strcmp(c->auth.tokens[j].token, t->token) == 0 &&
            strcmp(c->auth.tokens[j].name, t->name) != 0) {
            return conf_at_refuse(at, node, "the same token as auth.tokens[%d], with another name",
                                  j);
        }
    }
    return 0;
}

static int apply_server(const struct conf_at *at, const cJSON *node, struct conf *c, int i)
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
        return conf_at_refuse(
            at, node, "url must be stun:HOST, stuns:HOST, turn:HOST or turns:HOST (RFC 7065)");
    }
    if (s->secret[0] && s->credential[0]) {
        return conf_at_refuse(at, node, "has both credential and secret");
    }
    if (turn && !s->secret[0] && (!s->username[0] || !s->credential[0])) {
        return conf_at_refuse(at, node, "a TURN server needs username and credential, or secret");
    }
    if (stun && (s->secret[0] || s->credential[0])) {
        return conf_at_refuse(at, node, "a STUN server takes no credentials");
    }
    return 0;
}

/* What can be said of a key without reading it; signaling/auth.c does that. */
static int apply_key(const struct conf_at *at, const cJSON *node, struct conf *c, int i)
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
        return conf_at_refuse(at, node, "needs alg, one of HS256, RS256, ES256, EdDSA");
    }
    if ((k->secret[0] != '\0') + (k->pem_file[0] != '\0') + (k->jwk_file[0] != '\0') != 1) {
        return conf_at_refuse(at, node, "needs one of secret, secret_file, pem_file and jwk_file");
    }
    if (k->secret[0] && a != 0) {
        return conf_at_refuse(at, node, "a secret is for HS256; %s needs pem_file or jwk_file",
                              k->alg);
    }
    if (k->pem_file[0] && a == 0) {
        return conf_at_refuse(at, node, "HS256 has a secret, not a public key");
    }
    if (strspn(k->kid, ALNUM "._-") != strlen(k->kid) || strlen(k->kid) > 64) {
        return conf_at_refuse(at, node, "kid may have at most 64 letters, digits and ._-");
    }
    return 0;
}

static int apply_hook(const struct conf_at *at, const cJSON *node, struct conf *c, int i)
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
        return conf_at_refuse(at, node,
                              "url must be an http:// or https:// URL without user and password");
    }
    if (strspn(h->events, "abcdefghijklmnopqrstuvwxyz.*, ") != strlen(h->events)) {
        return conf_at_refuse(at, node,
                              "events must be names like room.started or room.*, with commas");
    }
    for (int j = 0; j < i; j++) {
        if (strcmp(h->url, c->webhooks.targets[j].url) == 0) {
            return conf_at_refuse(at, node, "the same url as webhooks.targets[%d]", j);
        }
    }
    return 0;
}

/* The lists of objects: how many there may be, where their number stands, and what fills one. */
static const struct {
    enum conf_type type;
    int max;
    size_t count;
    int (*apply)(const struct conf_at *at, const cJSON *node, struct conf *c, int i);
} lists[] = {
    {CONF_TYPE_TOKENS, CONF_RULES_MAX, offsetof(struct conf, auth.n_tokens), apply_token},
    {CONF_TYPE_KEYS, CONF_LIST_MAX, offsetof(struct conf, auth.n_keys), apply_key},
    {CONF_TYPE_HOOKS, CONF_LIST_MAX, offsetof(struct conf, webhooks.n), apply_hook},
    {CONF_TYPE_SERVERS, CONF_LIST_MAX, offsetof(struct conf, ice_servers.n), apply_server},
};

int conf_objects_apply(const struct conf_at *at, const cJSON *node, struct conf *c,
                       const struct conf_key *k)
{
    size_t l = 0;
    while (lists[l].type != k->type) {
        l++;
        assert(l < ARRAY_LEN(lists));
    }
    int *count = (int *)((char *)c + lists[l].count);
    if (!cJSON_IsArray(node)) {
        return conf_at_refuse_type(at, node, "a list of objects");
    }
    *count = 0;
    for (const cJSON *v = node->child; v; v = v->next) {
        char name[16];
        snprintf(name, sizeof(name), "[%d]", *count);
        const struct conf_at inside = conf_at_inside(at, name);
        if (*count == lists[l].max) {
            return conf_at_refuse(at, v, "has more than %d entries", lists[l].max);
        }
        int rc = lists[l].apply(&inside, v, c, *count);
        if (rc) {
            return rc;
        }
        ++*count;
    }
    return 0;
}
