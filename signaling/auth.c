/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/auth.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/conf.h"

#define TOKEN_MAX 4096

bool auth_required(const struct conf *c)
{
    return c->auth.n_tokens > 0;
}

bool auth_glob(const char *pattern, const char *text)
{
    /* On a mismatch only the latest '*' needs to take one character more, so the time is bounded by
     * the product of the lengths. */
    const char *star = NULL;
    const char *mark = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            mark = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

/* The token of "Bearer x"; the scheme's case and spaces around are not significant (RFC 9110 11.1).
 * False for other schemes and empty tokens. */
static bool bearer(const char *header, const char **ret_token, size_t *ret_len)
{
    header += strspn(header, " \t");
    if (strncasecmp(header, "Bearer", 6) != 0 || (header[6] != ' ' && header[6] != '\t')) {
        return false;
    }
    const char *token = header + 6 + strspn(header + 6, " \t");
    size_t len = strlen(token);
    while (len > 0 && (token[len - 1] == ' ' || token[len - 1] == '\t')) {
        len--;
    }
    if (len == 0 || len > TOKEN_MAX) {
        return false;
    }
    *ret_token = token;
    *ret_len = len;
    return true;
}

static bool permits(const struct conf_token *t, enum auth_action action, const char *label)
{
    switch (action) {
    case AUTH_PUBLISH:
        return t->publish && auth_glob(t->pattern, label);
    case AUTH_PLAY:
        return t->play && auth_glob(t->pattern, label);
    case AUTH_ANY:
        return true;
    }
    return false;
}

enum auth_result auth_check(const struct conf *c, const char *header, enum auth_action action,
                            const char *label, char ret_principal[AUTH_NAME_MAX])
{
    if (!auth_required(c)) {
        ret_principal[0] = '\0';
        return AUTH_OK;
    }
    const char *token;
    size_t len;
    if (header == NULL) {
        return AUTH_MISSING;
    }
    if (!bearer(header, &token, &len)) {
        return AUTH_INVALID;
    }
    uint8_t given[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)token, len, given);
    bool known = false;
    const struct conf_token *permitted = NULL;
    for (int i = 0; i < c->auth.n_tokens; i++) {
        /* One token may stand in several rows, one per pattern. No early end: the time does not
         * tell which row matched. */
        const struct conf_token *t = &c->auth.tokens[i];
        uint8_t ours[SHA256_DIGEST_LENGTH];
        SHA256((const uint8_t *)t->token, strlen(t->token), ours);
        if (CRYPTO_memcmp(given, ours, sizeof(ours)) == 0 && t->token[0] != '\0') {
            known = true;
            if (permitted == NULL && permits(t, action, label)) {
                permitted = t;
            }
        }
    }
    if (!known) {
        return AUTH_INVALID;
    }
    if (permitted == NULL) {
        return AUTH_FORBIDDEN;
    }
    snprintf(ret_principal, AUTH_NAME_MAX, "%s", permitted->name);
    return AUTH_OK;
}
