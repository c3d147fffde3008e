/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - bearer tokens (RFC 6750) against the configured list: who may publish into or play which
 * streams. Tokens are compared as digests in constant time, and always all of them. Pure; any
 * thread. */
#ifndef SIGNALING_AUTH_H
#define SIGNALING_AUTH_H

#include "rtp/base.h"

struct conf;

#define AUTH_NAME_MAX 64 /* room for a principal's name with its terminator */

enum auth_action {
    AUTH_PUBLISH,
    AUTH_PLAY,
    AUTH_ANY, /* only asks whether the token is one of ours */
};

enum auth_result {
    AUTH_OK,
    AUTH_MISSING,   /* no Authorization header: 401 */
    AUTH_INVALID,   /* not a token of ours: 401 error="invalid_token" */
    AUTH_FORBIDDEN, /* ours, but without this right: 403 */
};

/* True when tokens are configured; without any, everybody may do everything. */
bool auth_required(const struct conf *c);

/* Judges an Authorization header (NULL: none was sent).
 * label           "room/participant"
 * ret_principal   the token's name; "" when tokens are not required. Written only on AUTH_OK. */
enum auth_result auth_check(const struct conf *c, const char *header, enum auth_action action,
                            const char *label, char ret_principal[AUTH_NAME_MAX]);

/* Anchored glob: '*' matches any run of characters, '/' too; all else itself. */
bool auth_glob(const char *pattern, const char *text);

#endif
