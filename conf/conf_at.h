/* SPDX-License-Identifier: Apache-2.0 */
/* conf_at.h - a place in a settings text, and refusals that name it. For conf_apply.c and
 * conf_objects.c; MAIN. */
#ifndef CONF_CONF_AT_H
#define CONF_CONF_AT_H

#include "conf/conf_json.h"
#include "conf/conf_keys.h"

/* Where we are: name of the text, line, and what has been entered: "auth.tokens[2]". */
struct conf_at {
    const struct conf_json_text *text;
    struct conf_error *ret_err;
    struct conf_origins *origins; /* or NULL */
    char path[CONF_KEYS_NAME_MAX];
};

/* Says in ret_err what is wrong with node: "f.json:3: auth.tokens[2]: what". Returns -EINVAL. */
PRINTF_LIKE(3, 4)
int conf_at_refuse(const struct conf_at *at, const cJSON *node, const char *fmt, ...);
/* The same when node should have been something else: "a number". */
int conf_at_refuse_type(const struct conf_at *at, const cJSON *node, const char *wanted);
/* True if an earlier member of parent has the name of this one: cJSON keeps both. */
bool conf_at_is_repeated(const cJSON *parent, const cJSON *member);
/* The place inside at that is called name: ".token", "[2]". */
struct conf_at conf_at_inside(const struct conf_at *at, const char *name);

#endif
