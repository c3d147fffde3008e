/* SPDX-License-Identifier: Apache-2.0 */
/* conf_objects.h - the settings that are lists of objects: tokens, keys of tokens, webhooks, ICE
 * servers. Each has a table of its members, and a function that says what they must be together.
 * MAIN; reads the files that token_file and secret_file name. */
#ifndef CONF_CONF_OBJECTS_H
#define CONF_CONF_OBJECTS_H

#include "conf/conf_at.h"

/* Replaces the list that k names by node. Returns 0; -EINVAL with at->ret_err. */
int conf_objects_apply(const struct conf_at *at, const cJSON *node, struct conf *c,
                       const struct conf_key *k) MUST_CHECK;

#endif
