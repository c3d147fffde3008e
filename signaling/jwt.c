/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/jwt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "signaling/json.h"

#define DEPTH_MAX      8
#define AUDIENCES_MAX  16
#define SIGNATURE_MAX  512 /* bytes: RSA of 4096 bits */
#define CANDIDATES_MAX 8   /* keys tried for one token */

const char *jwt_error_name(enum jwt_error e)
{
    static const char *const names[] = {
#define JWT_ERROR_NAME(id, name, text) [id] = name,
        JWT_ERRORS(JWT_ERROR_NAME)
#undef JWT_ERROR_NAME
    };
    return names[e];
}

const char *jwt_error_text(enum jwt_error e)
{
    static const char *const texts[] = {
#define JWT_ERROR_TEXT(id, name, text) [id] = text,
        JWT_ERRORS(JWT_ERROR_TEXT)
#undef JWT_ERROR_TEXT
    };
    return texts[e];
}

struct part {
    const char *at;
    size_t len;
};

/* Exactly two dots, nothing empty. */
static bool split(const char *text, size_t len, struct part parts[3])
{
    const char *at = text;
    const char *end = text + len;
    for (int i = 0; i < 3; i++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        if ((dot == NULL) != (i == 2)) {
            return false;
        }
        const char *stop = dot != NULL ? dot : end;
        parts[i] = (struct part){.at = at, .len = (size_t)(stop - at)};
        if (parts[i].len == 0) {
            return false;
        }
        at = stop + 1;
    }
    return true;
}

bool jwt_is_one(const char *text, size_t len)
{
    /* Every header begins with {" or with { and white space: "ey", "ew", "eC", "eA", "eS". */
    const char *dot = memchr(text, '.', len);
    return len > 2 && text[0] == 'e' && memchr("ywCAS", text[1], 5) != NULL && dot != NULL &&
           memchr(dot + 1, '.', len - (size_t)(dot + 1 - text)) != NULL;
}

/* One part as a JSON object, or NULL. */
static cJSON *read_object(const struct part *p)
{
    uint8_t bytes[JWT_TOKEN_MAX];
    cJSON *o;
    int len = jwt_key_decode64(p->at, p->len, bytes, sizeof(bytes));
    if (len < 0 || json_parse((const char *)bytes, (size_t)len, DEPTH_MAX, &o) < 0) {
        return NULL;
    }
    if (!cJSON_IsObject(o)) {
        cJSON_Delete(o);
        return NULL;
    }
    return o;
}

/* ---- header ---- */

struct header {
    enum jwt_key_alg alg;
    char kid[JWT_KEY_KID_MAX]; /* "": none */
};

/* jku, x5u, jwk, x5c are ignored: they say which key to trust, and who knows that is us. crit, b64,
 * zip, enc and cty would change what the rest means (RFC 7515 4.1.11, RFC 7797, RFC 7516). */
static enum jwt_error read_header(const struct part *part, struct header *ret)
{
    static const char *const refused[] = {"crit", "b64", "zip", "enc", "cty"};
    cJSON *o = read_object(part);
    enum jwt_error err = o != NULL ? JWT_OK : JWT_MALFORMED;
    for (size_t i = 0; err == JWT_OK && i < ARRAY_LEN(refused); i++) {
        err = json_get(o, refused[i]) != NULL ? JWT_HEADER : JWT_OK;
    }
    const cJSON *typ = json_get(o, "typ");
    const cJSON *kid = json_get(o, "kid");
    const char *alg = json_get_text(o, "alg");
    const char *name = cJSON_IsString(typ) ? typ->valuestring : "";
    ret->kid[0] = '\0';
    if (err == JWT_OK && typ != NULL && strcasecmp(name, "JWT") != 0 &&
        strcasecmp(name, "at+jwt") != 0) {
        err = JWT_HEADER;
    }
    if (err == JWT_OK && kid != NULL) {
        if (cJSON_IsString(kid) && jwt_key_is_kid(kid->valuestring)) {
            snprintf(ret->kid, sizeof(ret->kid), "%s", kid->valuestring);
        } else {
            err = JWT_HEADER;
        }
    }
    if (err == JWT_OK && (alg == NULL || jwt_key_parse_alg(alg, &ret->alg) < 0)) {
        err = JWT_ALG;
    }
    cJSON_Delete(o);
    return err;
}

/* ---- signature ---- */

/* A key serves a token if its algorithm is the token's, and their kids do not differ. */
static bool is_candidate(const struct jwt_key *k, const struct header *h)
{
    const char *kid = jwt_key_kid(k);
    return jwt_key_alg(k) == h->alg &&
           (kid[0] == '\0' || h->kid[0] == '\0' || strcmp(kid, h->kid) == 0);
}

static enum jwt_error check_signature(const struct jwt_policy *p, const struct header *h,
                                      const char *text, const struct part parts[3])
{
    uint8_t sig[SIGNATURE_MAX];
    size_t signed_len = (size_t)(parts[2].at - 1 - text);
    int sig_len = jwt_key_decode64(parts[2].at, parts[2].len, sig, sizeof(sig));
    int tried = 0;
    bool kid_known = h->kid[0] == '\0';
    if (sig_len < 0) {
        return JWT_MALFORMED;
    }
    for (int s = 0; s < JWT_SETS_MAX; s++) {
        for (int i = 0; p->sets[s] != NULL && i < p->sets[s]->n; i++) {
            const struct jwt_key *k = p->sets[s]->keys[i];
            kid_known = kid_known || strcmp(jwt_key_kid(k), h->kid) == 0;
            if (!is_candidate(k, h) || tried == CANDIDATES_MAX) {
                continue;
            }
            tried++;
            if (jwt_key_verify(k, text, signed_len, sig, (size_t)sig_len)) {
                return JWT_OK;
            }
        }
    }
    return !kid_known ? JWT_UNKNOWN_KID : tried > 0 ? JWT_SIGNATURE : JWT_ALG;
}

/* ---- claims ---- */

/* A NumericDate (RFC 7519 2) in whole seconds, rounded down. */
static bool read_date(const cJSON *claims, const char *name, bool *ret_there, int64_t *ret)
{
    const cJSON *n = json_get(claims, name);
    *ret_there = n != NULL;
    if (n == NULL) {
        return true;
    }
    if (!cJSON_IsNumber(n) || !(n->valuedouble >= 0 && n->valuedouble <= 253402300799.0)) {
        return false;
    }
    *ret = (int64_t)n->valuedouble;
    return true;
}

static enum jwt_error check_times(const struct jwt_policy *p, const cJSON *claims, int64_t now_s,
                                  int64_t *ret_expires_s)
{
    bool has_exp, has_nbf, has_iat;
    int64_t exp = 0, nbf = 0, iat = 0;
    if (!read_date(claims, "exp", &has_exp, &exp) || !read_date(claims, "nbf", &has_nbf, &nbf) ||
        !read_date(claims, "iat", &has_iat, &iat) || !has_exp) {
        return JWT_CLAIMS;
    }
    if (now_s - p->leeway_s >= exp) {
        return JWT_EXPIRED;
    }
    if ((has_nbf && now_s + p->leeway_s < nbf) || (has_iat && now_s + p->leeway_s < iat)) {
        return JWT_EARLY;
    }
    /* Counted from where it began, and from now: an old iat does not make a far exp shorter. */
    int64_t from = has_iat ? MIN(iat, now_s) : now_s;
    if (exp - from > p->max_lifetime_s + (int64_t)p->leeway_s) {
        return JWT_LIFETIME;
    }
    *ret_expires_s = exp;
    return JWT_OK;
}

/* Strings compared exactly, aud a string or a list of them (RFC 7519 4.1.1, 4.1.3). */
static enum jwt_error check_parties(const struct jwt_policy *p, const cJSON *claims)
{
    const cJSON *iss = json_get(claims, "iss");
    const cJSON *aud = json_get(claims, "aud");
    if (p->issuer[0] != '\0' &&
        (!cJSON_IsString(iss) || strcmp(iss->valuestring, p->issuer) != 0)) {
        return JWT_ISSUER;
    }
    if (aud == NULL) {
        return p->audience[0] != '\0' ? JWT_AUDIENCE : JWT_OK;
    }
    bool list = cJSON_IsArray(aud);
    int n = list ? cJSON_GetArraySize(aud) : 1;
    bool ours = false;
    if (n > AUDIENCES_MAX) {
        return JWT_CLAIMS;
    }
    for (const cJSON *one = list ? aud->child : aud; one != NULL; one = list ? one->next : NULL) {
        if (!cJSON_IsString(one)) {
            return JWT_CLAIMS;
        }
        ours = ours || (p->audience[0] != '\0' && strcmp(one->valuestring, p->audience) == 0);
    }
    return ours ? JWT_OK : JWT_AUDIENCE;
}

static bool copy_text(const cJSON *claims, const char *name, char *out, size_t cap)
{
    const cJSON *v = json_get(claims, name);
    out[0] = '\0';
    if (v == NULL) {
        return true;
    }
    if (!cJSON_IsString(v) || strlen(v->valuestring) >= cap || v->valuestring[0] == '\0') {
        return false;
    }
    for (const char *c = v->valuestring; *c != '\0'; c++) {
        if ((uint8_t)*c < ' ' || *c == 0x7f) {
            return false;
        }
    }
    snprintf(out, cap, "%s", v->valuestring);
    return true;
}

enum jwt_error jwt_verify(const struct jwt_policy *p, const char *text, size_t len, int64_t now_s,
                          struct jwt *ret)
{
    struct part parts[3];
    struct header h;
    struct jwt t = {0};
    if (len > JWT_TOKEN_MAX || !split(text, len, parts)) {
        return JWT_MALFORMED;
    }
    enum jwt_error err = read_header(&parts[0], &h);
    err = err == JWT_OK ? check_signature(p, &h, text, parts) : err;
    if (err != JWT_OK) {
        return err;
    }
    t.claims = read_object(&parts[1]);
    err = t.claims == NULL ? JWT_CLAIMS : check_times(p, t.claims, now_s, &t.expires_s);
    err = err == JWT_OK ? check_parties(p, t.claims) : err;
    if (err == JWT_OK && (!copy_text(t.claims, "jti", t.id, sizeof(t.id)) ||
                          !copy_text(t.claims, "sub", t.subject, sizeof(t.subject)))) {
        err = JWT_CLAIMS;
    }
    if (err != JWT_OK) {
        jwt_fini(&t);
        return err;
    }
    *ret = t;
    return JWT_OK;
}

void jwt_fini(struct jwt *t)
{
    cJSON_Delete(t->claims);
    t->claims = NULL;
}
