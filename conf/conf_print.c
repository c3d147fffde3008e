/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_keys.h"

#define MASKED "***"

/* cJSON_Add... return NULL when out of memory; every one is looked at. */
static bool add_str(cJSON *o, const char *name, const char *value)
{
    return cJSON_AddStringToObject(o, name, value) != NULL;
}

static bool add_secret(cJSON *o, const char *name, const char *value)
{
    return add_str(o, name, value[0] ? MASKED : "");
}

static cJSON *add_entry(cJSON *list)
{
    cJSON *o = cJSON_CreateObject();
    if (o && !cJSON_AddItemToArray(list, o)) {
        cJSON_Delete(o);
        return NULL;
    }
    return o;
}

static bool add_strings(cJSON *section, const struct conf_key *k, const struct conf *c)
{
    const struct conf_strings *s = (const void *)((const char *)c + k->offset);
    cJSON *list = cJSON_AddArrayToObject(section, k->name);
    bool ok = list != NULL;
    for (int i = 0; ok && i < s->n; i++) {
        cJSON *item = cJSON_CreateString(s->s[i]);
        ok = item && cJSON_AddItemToArray(list, item);
    }
    return ok;
}

static bool add_tokens(cJSON *section, const struct conf_key *k, const struct conf *c)
{
    cJSON *list = cJSON_AddArrayToObject(section, k->name);
    bool ok = list != NULL;
    for (int i = 0; ok && i < c->auth.n_tokens; i++) {
        const struct conf_token *t = &c->auth.tokens[i];
        cJSON *o = add_entry(list);
        ok = o && add_secret(o, "token", t->token) && add_str(o, "name", t->name) &&
             add_str(o, "pattern", t->pattern) && cJSON_AddBoolToObject(o, "publish", t->publish) &&
             cJSON_AddBoolToObject(o, "play", t->play) &&
             cJSON_AddBoolToObject(o, "data", t->data) &&
             cJSON_AddBoolToObject(o, "moderate", t->moderate) &&
             cJSON_AddBoolToObject(o, "admin", t->admin);
    }
    return ok;
}

static bool add_keys(cJSON *section, const struct conf_key *k, const struct conf *c)
{
    cJSON *list = cJSON_AddArrayToObject(section, k->name);
    bool ok = list != NULL;
    for (int i = 0; ok && i < c->auth.n_keys; i++) {
        const struct conf_auth_key *a = &c->auth.keys[i];
        cJSON *o = add_entry(list);
        ok = o && add_str(o, "alg", a->alg) && add_str(o, "kid", a->kid) &&
             add_secret(o, "secret", a->secret) && add_str(o, "pem_file", a->pem_file) &&
             add_str(o, "jwk_file", a->jwk_file);
    }
    return ok;
}

static bool add_servers(cJSON *section, const struct conf_key *k, const struct conf *c)
{
    cJSON *list = cJSON_AddArrayToObject(section, k->name);
    bool ok = list != NULL;
    for (int i = 0; ok && i < c->ice_servers.n; i++) {
        const struct conf_ice_server *s = &c->ice_servers.servers[i];
        cJSON *o = add_entry(list);
        ok = o && add_str(o, "url", s->url) && add_str(o, "username", s->username) &&
             add_secret(o, "credential", s->credential) && add_secret(o, "secret", s->secret);
    }
    return ok;
}

static bool add_hooks(cJSON *section, const struct conf_key *k, const struct conf *c)
{
    cJSON *list = cJSON_AddArrayToObject(section, k->name);
    bool ok = list != NULL;
    for (int i = 0; ok && i < c->webhooks.n; i++) {
        const struct conf_webhook *h = &c->webhooks.targets[i];
        cJSON *o = add_entry(list);
        ok = o && add_str(o, "url", h->url) && add_secret(o, "secret", h->secret) &&
             add_str(o, "events", h->events);
    }
    return ok;
}

static bool add_key(cJSON *section, const struct conf_key *k, const struct conf *c)
{
    const char *at = (const char *)c + k->offset;
    char word[16];
    int n = 0;
    bool b = false;
    switch (k->type) {
    case CONF_TYPE_STR:
        return add_str(section, k->name, at);
    case CONF_TYPE_WORD:
    case CONF_TYPE_ENUM:
        return add_str(section, k->name, conf_keys_word(c, k, word));
    case CONF_TYPE_INT:
        memcpy(&n, at, sizeof(n));
        return cJSON_AddNumberToObject(section, k->name, n) != NULL;
    case CONF_TYPE_BOOL:
        memcpy(&b, at, sizeof(b));
        return cJSON_AddBoolToObject(section, k->name, b) != NULL;
    case CONF_TYPE_STRINGS:
        return add_strings(section, k, c);
    case CONF_TYPE_TOKENS:
        return add_tokens(section, k, c);
    case CONF_TYPE_SERVERS:
        return add_servers(section, k, c);
    case CONF_TYPE_KEYS:
        return add_keys(section, k, c);
    case CONF_TYPE_HOOKS:
        return add_hooks(section, k, c);
    }
    return false;
}

char *conf_print(const struct conf *c)
{
    cJSON *root = cJSON_CreateObject();
    bool ok = root != NULL;
    for (size_t i = 0; ok && i < conf_keys_count; i++) {
        cJSON *section = cJSON_GetObjectItemCaseSensitive(root, conf_keys[i].section);
        if (!section) {
            section = cJSON_AddObjectToObject(root, conf_keys[i].section);
        }
        ok = section && add_key(section, &conf_keys[i], c);
    }
    char *text = ok ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    return text;
}

static const char usage_head[] =
    "usage: sluice [flags]\n"
    "       sluice doctor [flags]     check this machine and the server on it\n"
    "       sluice doctor URL         check a server from outside (--token T, --stream S)\n"
    "\n"
    "  --config FILE             read settings from FILE (JSON with comments)\n"
    "  --set SECTION.KEY=VALUE   set one setting; lists with commas\n"
    "  --check-config            check the settings, print ok, and end\n"
    "  --print-config            print the settings in force as JSON, secrets masked, and end\n"
    "  --log-format json|text    same as --set log.format=\n"
    "  --insecure-dev            accept a public http.listen without tokens and TLS\n"
    "  --version                 print the version, and end\n"
    "  --help                    print this, and end\n"
    "\n"
    "Settings: the defaults below, then FILE, then the environment (media.workers is\n"
    "SLUICE_MEDIA__WORKERS), then --set. Settings that are refused end with status 78.\n";

PRINTF_LIKE(4, 5) static size_t append(char *out, size_t cap, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(out + n, cap - n, fmt, ap);
    va_end(ap);
    assert(len >= 0 && (size_t)len < cap - n);
    return n + (size_t)len;
}

const char *conf_usage(void)
{
    static char text[16384];
    size_t n = append(text, sizeof(text), 0, "%s", usage_head);
    const char *section = "";
    for (size_t i = 0; i < conf_keys_count; i++) {
        const struct conf_key *k = &conf_keys[i];
        if (strcmp(section, k->section) != 0) {
            section = k->section;
            n = append(text, sizeof(text), n, "\n%s\n", section);
        }
        n = append(text, sizeof(text), n, "  %-24s %s\n  %24s ", k->name, k->help, "");
        if (k->choices) {
            n = append(text, sizeof(text), n, "%s; ", k->choices);
        } else if (k->type == CONF_TYPE_INT) {
            n = append(text, sizeof(text), n, "%d to %d; ", k->min, k->max);
        }
        n = append(text, sizeof(text), n, "default %s\n", k->def[0] ? k->def : "empty");
    }
    return text;
}
