/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/ice_servers.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

static bool harmless(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char ch = (unsigned char)*text;
        if (ch <= ' ' || ch >= 0x7f || strchr(",;\"'<>\\", ch) != NULL) {
            return false;
        }
    }
    return true;
}

int ice_servers_check(const struct conf *c, const char **ret_bad)
{
    for (int i = 0; i < c->ice_servers.n; i++) {
        const struct conf_ice_server *s = &c->ice_servers.servers[i];
        if (!harmless(s->url) || !harmless(s->username) || !harmless(s->credential)) {
            *ret_bad = s->url;
            return -EINVAL;
        }
    }
    return 0;
}

void ice_servers_credential(const char *secret, const char *username, char out[32])
{
    uint8_t mac[SHA_DIGEST_LENGTH];
    unsigned len = 0;
    HMAC(EVP_sha1(), secret, (int)strlen(secret), (const uint8_t *)username, strlen(username), mac,
         &len);
    assert(len == sizeof(mac));
    EVP_EncodeBlock((uint8_t *)out, mac, (int)sizeof(mac)); // 28 characters and a terminator
}

int ice_servers_link(const struct conf *c, int i, const char *name, int64_t now_s,
                     char out[ICE_SERVERS_LINK_MAX])
{
    const struct conf_ice_server *s = &c->ice_servers.servers[i];
    char user[128];
    char cred[CONF_STR_MAX] = "";
    snprintf(user, sizeof(user), "%s", s->username);
    if (s->secret[0] != '\0') {
        snprintf(user, sizeof(user), "%" PRId64 ":%s", now_s + c->ice_servers.credential_ttl_s,
                 name);
        ice_servers_credential(s->secret, user, cred);
    } else {
        snprintf(cred, sizeof(cred), "%s", s->credential);
    }
    /* MediaMTX's reader finds the parameters by position: this order (WHIP-59). */
    int n = user[0] == '\0'
                ? snprintf(out, ICE_SERVERS_LINK_MAX, "<%s>; rel=\"ice-server\"", s->url)
                : snprintf(out, ICE_SERVERS_LINK_MAX,
                           "<%s>; rel=\"ice-server\"; username=\"%s\"; credential=\"%s\"; "
                           "credential-type=\"password\"",
                           s->url, user, cred);
    return n < 0 || n >= ICE_SERVERS_LINK_MAX ? -ENOSPC : 0;
}
