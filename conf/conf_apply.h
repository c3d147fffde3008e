/* SPDX-License-Identifier: Apache-2.0 */
/* conf_apply.h - puts JSON into struct conf: a whole file, or one list of objects. MAIN; reads the
 * files that token_file and secret_file name. */
#ifndef CONF_CONF_APPLY_H
#define CONF_CONF_APPLY_H

#include "conf/conf_json.h"
#include "conf/conf_keys.h"

/* A settings file. Keys that it does not name stay as they are; the lines of those that it does go
 * into origins, unless that is NULL. Returns 0; -EINVAL with ret_err ("name:line: section.key:
 * what"); -ENOMEM with ret_err. */
int conf_apply_file(struct conf *c, const struct conf_json_text *text, struct conf_origins *origins,
                    struct conf_error *ret_err) MUST_CHECK;
/* The value of a key that is a list of objects, as JSON; replaces the list. Same returns. */
int conf_apply_list(struct conf *c, const struct conf_key *k, const struct conf_json_text *text,
                    struct conf_error *ret_err) MUST_CHECK;
/* Reads up to cap - 1 bytes of a file that must not hold more, and ends them with NUL. Returns 0;
 * -EFBIG; -errno. */
int conf_apply_read_file(const char *path, char *out, size_t cap, size_t *ret_len) MUST_CHECK;

#endif
