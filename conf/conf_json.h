/* SPDX-License-Identifier: Apache-2.0 */
/* conf_json.h - JSON with comments to a cJSON tree in which every node knows its line. Slash-slash
 * and slash-star comments are allowed where JSON allows white space; everything else is strict
 * RFC 8259, also where cJSON is not. Pure; MAIN. */
#ifndef CONF_CONF_JSON_H
#define CONF_CONF_JSON_H

#include <cjson/cJSON.h>

#include "conf/conf.h"

#define CONF_JSON_TEXT_MAX  (1 << 20)
#define CONF_JSON_DEPTH_MAX 8

/* A text and what to call it in errors: a file name, or the name of an environment variable. */
struct conf_json_text {
    const char *name;
    const char *bytes;
    size_t len;
};

/* Parses. Returns 0; -EINVAL with ret_err filled ("name:line: what"); -ENOMEM. Free *ret with
 * cJSON_Delete. */
int conf_json_parse(const struct conf_json_text *text, cJSON **ret,
                    struct conf_error *ret_err) MUST_CHECK;
/* The line, counted from 1, on which a node of a parsed tree begins; for a member, its key. */
int conf_json_line(const cJSON *node);

#endif
