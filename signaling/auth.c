/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/auth.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/conf.h"
#include "signaling/auth_revoked.h"
#include "signaling/json.h"
#include "signaling/jwt.h"

struct auth {
    const struct conf *conf;
    struct jwt_key_set keys;
    const struct jwt_key_set *fetched; /* NULL: none */
    const struct auth_revoked *revoked;
    char hook_secret[CONF_STR_MAX];
    int n_tokens;
    uint8_t (*digests)[SHA256_DIGEST_LENGTH]; /* of auth.tokens */
};

/* ---- keys ---- */

/* A key file as text with a terminator. NULL: it cannot be read, or is too long. */
static char *read_file(const char *path, size_t *ret_len)
{
    char *text = malloc(JWT_KEY_FILE_MAX + 1);
    FILE *f = text != NULL ? fopen(path, "rbe") : NULL;
    size_t n = f != NULL ? fread(text, 1, JWT_KEY_FILE_MAX + 1, f) : 0;
    bool ok = f != NULL && ferror(f) == 0 && n <= JWT_KEY_FILE_MAX;
    if (f != NULL) {
        fclose(f);
    }
    if (!ok) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *ret_len = n;
    return text;
}

static int key_from_jwk_file(const struct conf_auth_key *k, enum jwt_key_alg alg, const char *text,
                             size_t len, struct jwt_key **ret, const char **ret_why)
{
    cJSON *jwk;
    if (json_parse(text, len, 8, &jwk) < 0) {
        *ret_why = "the file is not valid JSON";
        return -EBADMSG;
    }
    int r = jwt_key_from_jwk(k->kid, jwk, ret, ret_why);
    cJSON_Delete(jwk);
    if (r == 0 && jwt_key_alg(*ret) != alg) {
        jwt_key_free(*ret);
        *ret_why = "the key in jwk_file is for another algorithm than alg says";
        r = -EINVAL;
    }
    return r;
}

static int read_key(const struct conf_auth_key *k, struct jwt_key **ret, const char **ret_why)
{
    enum jwt_key_alg alg;
    size_t len = 0;
    if (jwt_key_parse_alg(k->alg, &alg) < 0) {
        *ret_why = "alg is not one of HS256, RS256, ES256, EdDSA";
        return -EINVAL;
    }
    if (k->secret[0] != '\0') {
        return jwt_key_from_secret(k->kid, k->secret, strlen(k->secret), ret, ret_why);
    }
    char *text = read_file(k->pem_file[0] != '\0' ? k->pem_file : k->jwk_file, &len);
    if (text == NULL) {
        *ret_why = "the file cannot be read, or is longer than 64 KiB";
        return -EINVAL;
    }
    int r = k->pem_file[0] != '\0' ? jwt_key_from_pem(k->kid, alg, text, len, ret, ret_why)
                                   : key_from_jwk_file(k, alg, text, len, ret, ret_why);
    OPENSSL_cleanse(text, len);
    free(text);
    return r;
}

static int read_keys(struct auth *a, const char **ret_what)
{
    static char text[256];
    for (int i = 0; i < a->conf->auth.n_keys; i++) {
        const char *why = "";
        struct jwt_key *k;
        if (read_key(&a->conf->auth.keys[i], &k, &why) < 0) {
            snprintf(text, sizeof(text), "auth.keys[%d]: %s", i, why);
            *ret_what = text;
            return -EINVAL;
        }
        if (jwt_key_set_add(&a->keys, k) < 0) {
            jwt_key_free(k);
            *ret_what = "auth.keys: too many";
            return -EINVAL;
        }
    }
    return 0;
}

static int read_hook_secret(struct auth *a, const char **ret_what)
{
    size_t len;
    const char *path = a->conf->auth.hook_secret_file;
    char *text = path[0] != '\0' ? read_file(path, &len) : NULL;
    if (path[0] == '\0') {
        return 0;
    }
    if (text != NULL) {
        text[strcspn(text, "\r\n")] = '\0';
    }
    bool ok = text != NULL && text[0] != '\0' && strlen(text) < sizeof(a->hook_secret);
    if (ok) {
        snprintf(a->hook_secret, sizeof(a->hook_secret), "%s", text);
    } else {
        *ret_what = "auth.hook_secret_file: no secret of at most 255 bytes in it";
    }
    free(text);
    return ok ? 0 : -EINVAL;
}

int auth_new(const struct conf *c, struct auth **ret, const char **ret_what)
{
    struct auth *a = calloc(1, sizeof(*a));
    *ret_what = "out of memory";
    if (a == NULL) {
        return -ENOMEM;
    }
    a->conf = c;
    a->n_tokens = c->auth.n_tokens;
    a->digests = calloc((size_t)MAX(a->n_tokens, 1), sizeof(*a->digests));
    int r = a->digests != NULL ? read_keys(a, ret_what) : -ENOMEM;
    r = r == 0 ? read_hook_secret(a, ret_what) : r;
    if (r < 0) {
        auth_free(a);
        return r;
    }
    for (int i = 0; i < a->n_tokens; i++) {
        const char *token = c->auth.tokens[i].token;
        SHA256((const uint8_t *)token, strlen(token), a->digests[i]);
    }
    *ret = a;
    return 0;
}

void auth_free(struct auth *a)
{
    if (a == NULL) {
        return;
    }
    jwt_key_set_clear(&a->keys);
    OPENSSL_cleanse(a->hook_secret, sizeof(a->hook_secret));
    free(a->digests);
    free(a);
}

void auth_set_fetched(struct auth *a, const struct jwt_key_set *set)
{
    a->fetched = set;
}

void auth_set_revoked(struct auth *a, const struct auth_revoked *revoked)
{
    a->revoked = revoked;
}

const char *auth_hook_secret(const struct auth *a)
{
    return a->hook_secret;
}

bool auth_required(const struct auth *a)
{
    return conf_has_auth(a->conf);
}

/* ---- judging ---- */

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
    if (len == 0 || len > JWT_TOKEN_MAX) {
        return false;
    }
    *ret_token = token;
    *ret_len = len;
    return true;
}

bool auth_is_token(const char *header, const uint8_t digest[AUTH_GRANT_DIGEST])
{
    const char *token;
    size_t len;
    uint8_t given[SHA256_DIGEST_LENGTH];
    if (header == NULL || !bearer(header, &token, &len)) {
        return false;
    }
    SHA256((const uint8_t *)token, len, given);
    return CRYPTO_memcmp(given, digest, sizeof(given)) == 0;
}

static unsigned needed(enum auth_action action)
{
    static const unsigned rights[] = {
        [AUTH_PUBLISH] = AUTH_RIGHTS_PUBLISH,
        [AUTH_PLAY] = AUTH_RIGHT_PLAY,
        [AUTH_MODERATE] = AUTH_RIGHT_MODERATE,
        [AUTH_ADMIN] = AUTH_RIGHT_ADMIN,
        [AUTH_ANY] = ~0U,
    };
    return rights[action];
}

static void set_verdict(struct auth_verdict *v, enum auth_result result, const char *reason,
                        const char *detail)
{
    v->result = result;
    v->reason = reason;
    v->detail = detail;
}

static void forbid(struct auth_verdict *v, const char *reason, const char *detail)
{
    set_verdict(v, AUTH_FORBIDDEN, reason, detail);
}

/* A token of the settings. It may stand in several rows, one per pattern. No early end: the time
 * does not tell which row matched. Returns false if it is in none. */
static bool check_listed(const struct auth *a, const struct auth_ask *ask,
                         const uint8_t given[SHA256_DIGEST_LENGTH], struct auth_verdict *ret)
{
    bool known = false;
    const struct conf_token *permitted = NULL;
    for (int i = 0; i < a->n_tokens; i++) {
        const struct conf_token *t = &a->conf->auth.tokens[i];
        if (CRYPTO_memcmp(given, a->digests[i], SHA256_DIGEST_LENGTH) == 0 && t->token[0] != '\0') {
            struct auth_grant g;
            known = true;
            auth_grant_from_token(t, &g);
            bool scoped = ask->action == AUTH_ANY || ask->action == AUTH_ADMIN ||
                          auth_grant_glob(t->pattern, ask->label);
            if (permitted == NULL && (g.rights & needed(ask->action)) != 0 && scoped) {
                permitted = t;
            }
        }
    }
    if (known && permitted == NULL) {
        forbid(ret, "right", "The token does not permit this on this stream.");
    } else if (known) {
        set_verdict(ret, AUTH_OK, "ok", "");
        auth_grant_from_token(permitted, &ret->grant);
    }
    return known;
}

/* What a token's holder may do with label; ret->grant is filled. */
static void judge_grant(const struct auth_ask *ask, struct auth_verdict *ret)
{
    const struct auth_grant *g = &ret->grant;
    char room[AUTH_GRANT_ROOM_MAX];
    const char *slash = strchr(ask->label, '/');
    size_t len = slash != NULL ? (size_t)(slash - ask->label) : strlen(ask->label);
    snprintf(room, sizeof(room), "%.*s", (int)MIN(len, sizeof(room) - 1), ask->label);
    /* "alice~screen" is alice's too. */
    const char *participant = slash != NULL ? slash + 1 : "";
    size_t own = strcspn(participant, "~");
    if (ask->action != AUTH_ANY && (g->rights & needed(ask->action)) == 0) {
        forbid(ret, "right", "The token's claims do not permit this.");
    } else if (ask->action != AUTH_ANY && ask->action != AUTH_ADMIN &&
               !auth_grant_glob(g->room, room)) {
        forbid(ret, "room", "The token is for another room.");
    } else if (ask->action == AUTH_PUBLISH && g->participant[0] != '\0' &&
               (strlen(g->participant) != own || memcmp(g->participant, participant, own) != 0)) {
        forbid(ret, "participant", "The token is bound to another participant's name.");
    } else {
        set_verdict(ret, AUTH_OK, "ok", "");
    }
}

static void check_jwt(const struct auth *a, const struct auth_ask *ask, const char *token,
                      size_t len, struct auth_verdict *ret)
{
    const struct conf *c = a->conf;
    struct jwt_policy p = {
        .sets = {&a->keys, a->fetched},
        .issuer = c->auth.issuer,
        .audience = c->auth.audience,
        .leeway_s = c->auth.leeway_s,
        .max_lifetime_s = c->auth.max_lifetime_s,
    };
    struct jwt t;
    enum jwt_error err = jwt_verify(&p, token, len, ask->now_s, &t);
    if (err != JWT_OK) {
        bool ask_again = err == JWT_UNKNOWN_KID && a->fetched != NULL;
        set_verdict(ret, ask_again ? AUTH_UNKNOWN_KEY : AUTH_INVALID, jwt_error_name(err),
                    jwt_error_text(err));
        return;
    }
    const char *why;
    int r = auth_grant_from_jwt(&t, &ret->grant, &why);
    jwt_fini(&t);
    if (r < 0) {
        set_verdict(ret, AUTH_INVALID, jwt_error_name(JWT_CLAIMS), why);
    } else {
        judge_grant(ask, ret);
    }
}

/* A token that names nobody is its own principal. */
static void name_unnamed(struct auth_grant *g)
{
    if (g->principal[0] == '\0') {
        size_t n = (size_t)snprintf(g->principal, sizeof(g->principal), "tok:");
        for (int i = 0; i < 16; i++, n += 2) {
            snprintf(g->principal + n, sizeof(g->principal) - n, "%02x", g->digest[i]);
        }
    }
}

/* Nothing here knows tokens: what comes is judged by auth.hook_url alone. */
static bool only_hook(const struct auth *a)
{
    return a->n_tokens == 0 && a->keys.n == 0 && a->fetched == NULL;
}

static void leave_to_hook(const struct auth_ask *ask, struct auth_verdict *ret)
{
    const char *token;
    size_t len;
    if (ask->action != AUTH_PUBLISH && ask->action != AUTH_PLAY) {
        forbid(ret, "right", "No token permits this.");
        return;
    }
    set_verdict(ret, AUTH_OK, "ok", "");
    ret->grant.rights = AUTH_RIGHTS_PUBLISH | AUTH_RIGHT_PLAY | AUTH_RIGHT_DATA;
    if (ask->header != NULL && bearer(ask->header, &token, &len)) {
        ret->grant.is_token = true;
        SHA256((const uint8_t *)token, len, ret->grant.digest);
        name_unnamed(&ret->grant);
    }
}

void auth_check(const struct auth *a, const struct auth_ask *ask, struct auth_verdict *ret)
{
    const char *token;
    size_t len;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    *ret = (struct auth_verdict){.grant = {.expires_s = INT64_MAX}};
    if (!auth_required(a)) {
        set_verdict(ret, AUTH_OK, "ok", "");
        ret->grant.rights = AUTH_RIGHTS_ALL;
        if (ask->action == AUTH_ADMIN) {
            forbid(ret, "right", "No token permits this.");
        }
        return;
    }
    if (only_hook(a)) {
        leave_to_hook(ask, ret);
        return;
    }
    if (ask->header == NULL) {
        set_verdict(ret, AUTH_MISSING, "missing", "Send the token as Authorization: Bearer TOKEN.");
        return;
    }
    set_verdict(ret, AUTH_INVALID, "unknown",
                "The Authorization header holds no bearer token that this server knows.");
    if (!bearer(ask->header, &token, &len)) {
        return;
    }
    SHA256((const uint8_t *)token, len, digest);
    if (!check_listed(a, ask, digest, ret) && jwt_is_one(token, len) &&
        (a->keys.n > 0 || a->fetched != NULL)) {
        check_jwt(a, ask, token, len, ret);
    }
    if (ret->result == AUTH_OK) {
        ret->grant.is_token = true;
        memcpy(ret->grant.digest, digest, sizeof(digest));
        name_unnamed(&ret->grant);
        if (a->revoked != NULL && auth_revoked_has(a->revoked, &ret->grant)) {
            *ret = (struct auth_verdict){0};
            set_verdict(ret, AUTH_INVALID, "revoked", "The token has been revoked.");
        }
    }
}
