/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf_objects.h"

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

static int apply_strings(const struct conf_at *at, const cJSON *node, struct conf *c,
                         const struct conf_key *k)
{
    if (!cJSON_IsArray(node)) {
        return conf_at_refuse_type(at, node, "a list of strings");
    }
    conf_keys_clear(c, k);
    for (const cJSON *v = node->child; v; v = v->next) {
        struct conf_keys_why why;
        if (!cJSON_IsString(v)) {
            return conf_at_refuse_type(at, v, "a list of strings");
        }
        if (conf_keys_add_str(c, k, v->valuestring, &why)) {
            return conf_at_refuse(at, v, "%s", why.text);
        }
    }
    return 0;
}

static int apply_value(struct conf_at *at, const cJSON *node, struct conf *c,
                       const struct conf_key *k)
{
    struct conf_keys_why why;
    int rc = 0;
    switch (k->type) {
    case CONF_TYPE_STR:
    case CONF_TYPE_WORD:
    case CONF_TYPE_ENUM:
        if (!cJSON_IsString(node)) {
            return conf_at_refuse_type(at, node, "a string");
        }
        rc = conf_keys_put_str(c, k, node->valuestring, &why);
        break;
    case CONF_TYPE_INT:
        if (!cJSON_IsNumber(node)) {
            return conf_at_refuse_type(at, node, "a number");
        }
        rc = conf_keys_put_int(c, k, node->valuedouble, &why);
        break;
    case CONF_TYPE_BOOL:
        if (!cJSON_IsBool(node)) {
            return conf_at_refuse_type(at, node, "true or false");
        }
        conf_keys_put_bool(c, k, cJSON_IsTrue(node));
        break;
    case CONF_TYPE_STRINGS:
        return apply_strings(at, node, c, k);
    case CONF_TYPE_TOKENS:
    case CONF_TYPE_SERVERS:
    case CONF_TYPE_KEYS:
    case CONF_TYPE_HOOKS:
        return conf_objects_apply(at, node, c, k);
    }
    return rc ? conf_at_refuse(at, node, "%s", why.text) : 0;
}

static int refuse_key(const struct conf_at *at, const cJSON *node)
{
    const struct conf_key *near = conf_keys_suggest(at->path);
    char name[CONF_KEYS_NAME_MAX];
    return near ? conf_at_refuse(at, node, "unknown key (did you mean %s?)",
                                 conf_keys_name(near, name))
                : conf_at_refuse(at, node, "unknown key");
}

static int refuse_section(const struct conf_at *at, const cJSON *node)
{
    const char *sections[32];
    size_t n = 0;
    if (strcmp(node->string, "insecure_dev") == 0) {
        return conf_at_refuse(at, node, "is no setting, but the flag --insecure-dev");
    }
    for (size_t i = 0; i < conf_keys_count; i++) {
        if (n == 0 || strcmp(sections[n - 1], conf_keys[i].section) != 0) {
            assert(n < ARRAY_LEN(sections));
            sections[n++] = conf_keys[i].section;
        }
    }
    const char *near = conf_keys_nearest(node->string, sections, n);
    return near ? conf_at_refuse(at, node, "unknown section (did you mean %s?)", near)
                : conf_at_refuse(at, node, "unknown section");
}

static int apply_section(struct conf_at *at, const cJSON *section, struct conf *c)
{
    snprintf(at->path, sizeof(at->path), "%.40s", section->string);
    if (!conf_keys_has_section(section->string)) {
        return refuse_section(at, section);
    }
    if (!cJSON_IsObject(section)) {
        return conf_at_refuse_type(at, section, "an object");
    }
    for (const cJSON *v = section->child; v; v = v->next) {
        snprintf(at->path, sizeof(at->path), "%.40s.%.50s", section->string, v->string);
        const struct conf_key *k = conf_keys_find(section->string, v->string);
        if (!k) {
            return refuse_key(at, v);
        }
        if (conf_at_is_repeated(section, v)) {
            return conf_at_refuse(at, v, "given twice");
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

static int apply_root(struct conf_at *at, const cJSON *root, struct conf *c)
{
    if (!cJSON_IsObject(root)) {
        return conf_at_refuse_type(at, root, "an object with sections");
    }
    for (const cJSON *s = root->child; s; s = s->next) {
        if (conf_at_is_repeated(root, s)) {
            snprintf(at->path, sizeof(at->path), "%.40s", s->string);
            return conf_at_refuse(at, s, "given twice");
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
    struct conf_at at = {.text = text, .ret_err = ret_err, .origins = origins};
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
    struct conf_at at = {.text = text, .ret_err = ret_err};
    conf_keys_name(k, at.path);
    int rc = parse(text, &root, ret_err);
    if (rc == 0) {
        rc = conf_objects_apply(&at, root, c, k);
        cJSON_Delete(root);
    }
    return rc;
}
