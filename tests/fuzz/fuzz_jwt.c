/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens. The first byte chooses: 0 a token as it is; 1 header and claims
 * ("header\nclaims") that are given a right HMAC, so that what is behind the signature is reached;
 * 2 a key set; 3 JSON. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/auth_grant.h"
#include "signaling/json.h"
#include "signaling/jwt.h"
#include "tests/fuzz/fuzz.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW    1700000000

static struct jwt_key_set keys;

/* A token that passed is within its limits, and what it grants is text without control characters.
 */
static void judge(const char *token, size_t len, bool signed_by_us)
{
    struct jwt_policy p = {
        .sets = {&keys}, .issuer = "", .audience = "", .leeway_s = 10, .max_lifetime_s = 3600};
    struct jwt t;
    struct auth_grant g;
    const char *why = NULL;
    if (jwt_verify(&p, token, len, NOW, &t) != JWT_OK) {
        return;
    }
    if (!signed_by_us || t.expires_s <= NOW - 10 || t.expires_s > NOW + 3620 ||
        len > JWT_TOKEN_MAX) {
        abort();
    }
    if (auth_grant_from_jwt(&t, &g, &why) == 0) {
        if (g.room[0] == '\0' && (g.rights & ~(unsigned)AUTH_RIGHT_ADMIN) != 0) {
            abort();
        }
        if (strpbrk(g.room, "/\\\"\r\n ") != NULL || strpbrk(g.participant, "/*\"\r\n ") != NULL) {
            abort();
        }
    } else if (why == NULL) {
        abort();
    }
    jwt_fini(&t);
}

static void encode(char *out, const void *bytes, size_t len)
{
    size_t n = strlen(out);
    EVP_EncodeBlock((uint8_t *)out + n, bytes, (int)len);
    for (char *c = out + n; *c != '\0'; c++) {
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
        if (*c == '=') {
            *c = '\0';
        }
    }
}

static void sign_and_judge(const char *text, size_t len)
{
    char token[8192] = "";
    uint8_t mac[32];
    unsigned mac_len;
    const char *split = memchr(text, '\n', len);
    if (split == NULL || len > 3000) {
        return;
    }
    encode(token, text, (size_t)(split - text));
    snprintf(token + strlen(token), 2, ".");
    encode(token, split + 1, len - (size_t)(split + 1 - text));
    HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (const uint8_t *)token, strlen(token), mac,
         &mac_len);
    snprintf(token + strlen(token), 2, ".");
    encode(token, mac, mac_len);
    judge(token, strlen(token), true);
}

static void read_json(const char *text, size_t len)
{
    cJSON *o;
    if (json_parse(text, len, JSON_DEPTH_MAX, &o) == 0) {
        char *printed = cJSON_PrintUnformatted(o);
        cJSON *again;
        if (printed == NULL || json_parse(printed, strlen(printed), JSON_DEPTH_MAX, &again) < 0 ||
            !cJSON_Compare(o, again, true)) {
            abort();
        }
        cJSON_Delete(again);
        cJSON_free(printed);
        cJSON_Delete(o);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *why;
    if (keys.n == 0 && (jwt_key_from_secret("", SECRET, strlen(SECRET), &keys.keys[0], &why) < 0 ||
                        ++keys.n != 1)) {
        abort();
    }
    if (len == 0) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    struct jwt_key_set set = {0};
    switch (data[0] % 4) {
    case 0:
        judge(text, len - 1, true);
        break;
    case 1:
        sign_and_judge(text, len - 1);
        break;
    case 2:
        if (jwt_key_set_read(&set, text, len - 1) < 0 && set.n != 0) {
            abort();
        }
        jwt_key_set_clear(&set);
        break;
    default:
        read_json(text, len - 1);
        break;
    }
    return 0;
}
