/* SPDX-License-Identifier: Apache-2.0 */
/* ice_servers.h - Link headers that tell clients their STUN and TURN servers (RFC 9725 4.6), with
 * credentials made per session for servers that share a secret with us (coturn's
 * static-auth-secret: username "expiry:name", credential base64(HMAC-SHA1(secret, username))).
 * Pure; any thread. */
#ifndef SIGNALING_ICE_SERVERS_H
#define SIGNALING_ICE_SERVERS_H

#include "conf/conf.h"
#include "rtp/base.h"

#define ICE_SERVERS_LINK_MAX 1024

/* Checks that no URL or credential holds what OBS, MediaMTX and others split Link headers on
 * (comma, semicolon, quotes, angle brackets) or a control character. Returns 0, or -EINVAL with the
 * offending server's URL in *ret_bad. */
int ice_servers_check(const struct conf *c, const char **ret_bad) MUST_CHECK;

/* The Link value of server i.
 * name     goes into the username of ephemeral credentials: printable, without the characters above
 * now_s    seconds since 1970
 * Returns 0, or -ENOSPC if out is too small. */
int ice_servers_link(const struct conf *c, int i, const char *name, int64_t now_s,
                     char out[ICE_SERVERS_LINK_MAX]) MUST_CHECK;

/* base64(HMAC-SHA1(secret, username)); 28 characters and a terminator. */
void ice_servers_credential(const char *secret, const char *username, char out[32]);

#endif
