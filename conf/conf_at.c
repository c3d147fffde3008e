/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_at.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int conf_at_refuse(const struct conf_at *at, const cJSON *node, const char *fmt, ...)
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

int conf_at_refuse_type(const struct conf_at *at, const cJSON *node, const char *wanted)
{
    return conf_at_refuse(at, node, "must be %s, not %s", wanted, type_name(node));
}

bool conf_at_is_repeated(const cJSON *parent, const cJSON *member)
{
    for (const cJSON *m = parent->child; m != member; m = m->next) {
        if (strcmp(m->string, member->string) == 0) {
            return true;
        }
    }
    return false;
}

struct conf_at conf_at_inside(const struct conf_at *at, const char *name)
{
    struct conf_at inside = *at;
    size_t used = strlen(inside.path);
    snprintf(inside.path + used, sizeof(inside.path) - used, "%s", name);
    return inside;
}
