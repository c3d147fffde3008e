/* SPDX-License-Identifier: Apache-2.0 */
/* auth_grant.h - what a token permits and who holds it, the same for tokens of the settings and for
 * JSON Web Tokens; the README's "Tokens" lists the claims. Pure; any thread. */
#ifndef SIGNALING_AUTH_GRANT_H
#define SIGNALING_AUTH_GRANT_H

#include "rtp/base.h"

struct conf_token;
struct jwt;

#define AUTH_GRANT_PRINCIPAL_MAX 64 /* with terminator, as all of these */
#define AUTH_GRANT_JTI_MAX       65
#define AUTH_GRANT_ROOM_MAX      129
#define AUTH_GRANT_NAME_MAX      65
#define AUTH_GRANT_DISPLAY_MAX   129
#define AUTH_GRANT_METADATA_MAX  513
#define AUTH_GRANT_DIGEST        32

enum auth_right {
    AUTH_RIGHT_MICROPHONE = 1 << 0,
    AUTH_RIGHT_CAMERA = 1 << 1,
    AUTH_RIGHT_SCREEN = 1 << 2,
    AUTH_RIGHT_PLAY = 1 << 3,
    AUTH_RIGHT_DATA = 1 << 4,
    AUTH_RIGHT_MODERATE = 1 << 5,
    AUTH_RIGHT_ADMIN = 1 << 6,
};
#define AUTH_RIGHTS_PUBLISH (AUTH_RIGHT_MICROPHONE | AUTH_RIGHT_CAMERA | AUTH_RIGHT_SCREEN)
/* Without any authentication: everything but what a token makes safe. */
#define AUTH_RIGHTS_ALL                                                                            \
    (AUTH_RIGHTS_PUBLISH | AUTH_RIGHT_PLAY | AUTH_RIGHT_DATA | AUTH_RIGHT_MODERATE)

struct auth_grant {
    unsigned rights;                          /* enum auth_right */
    char principal[AUTH_GRANT_PRINCIPAL_MAX]; /* who: decides take-over; "": nobody in particular */
    char jti[AUTH_GRANT_JTI_MAX];             /* "": none */
    char room[AUTH_GRANT_ROOM_MAX];           /* JWT: glob over room names */
    char participant[AUTH_GRANT_NAME_MAX];    /* JWT: the only name to publish under; "": any */
    char display[AUTH_GRANT_DISPLAY_MAX];     /* name for people, UTF-8; "" */
    char metadata[AUTH_GRANT_METADATA_MAX];   /* JSON text; "" */
    int64_t expires_s;                        /* seconds since 1970; INT64_MAX: never */
    unsigned max_sessions;                    /* at a time of this token; 0: as configured */
    bool is_token;                            /* digest is there */
    uint8_t digest[AUTH_GRANT_DIGEST];        /* SHA-256 of the token: which one it was */
};

/* The rights of a row of auth.tokens, and its name as principal. */
void auth_grant_from_token(const struct conf_token *t, struct auth_grant *ret);
/* The claims of a verified token. Returns 0, or -EBADMSG with *ret_why in words. */
int auth_grant_from_jwt(const struct jwt *t, struct auth_grant *ret,
                        const char **ret_why) MUST_CHECK;

/* Anchored glob: '*' matches any run of characters, '/' too; all else itself. */
bool auth_grant_glob(const char *pattern, const char *text);

#endif
