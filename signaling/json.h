/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON from strangers (tokens, key sets, API bodies): exactly RFC 8259, valid UTF-8, no
 * NUL character, bounded depth, no member twice (SEC-22, SEC-33). cJSON alone takes more than that.
 * Pure; any thread. */
#ifndef SIGNALING_JSON_H
#define SIGNALING_JSON_H

#include <cjson/cJSON.h>

#include "rtp/base.h"

#define JSON_DEPTH_MAX   16
#define JSON_MEMBERS_MAX 64 /* of one object */

/* Parses len bytes, all of them. depth: containers within each other, at most JSON_DEPTH_MAX.
 * Returns 0; -EBADMSG (syntax, UTF-8, NUL); -E2BIG (depth, members); -EEXIST (a member twice);
 * -ENOMEM. Free *ret with cJSON_Delete. */
int json_parse(const char *text, size_t len, int depth, cJSON **ret) MUST_CHECK;

/* True if the text is well-formed UTF-8, without control characters. */
bool json_is_plain(const char *text);
/* The member of that exact name, or NULL. */
const cJSON *json_get(const cJSON *object, const char *name);
/* Its text, or NULL when it is absent or no string. */
const char *json_get_text(const cJSON *object, const char *name);

#endif
