/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "signaling/json.h"
#include "signaling/jwt.h"
#include "tests/jwt_corpus.h"

static struct jwt_key_set keys;
static struct jwt_policy policy = {
    .sets = {&keys}, .issuer = "iss", .audience = "aud", .leeway_s = 10, .max_lifetime_s = 3600};

static void add_pem(const char *kid, enum jwt_key_alg alg, EVP_PKEY *pkey)
{
    const char *why = "";
    struct jwt_key *k = NULL;
    char *pem = jwt_kit_pem(pkey);
    cr_assert_eq(jwt_key_from_pem(kid, alg, pem, strlen(pem), &k, &why), 0, "%s", why);
    cr_assert_eq(jwt_key_set_add(&keys, k), 0);
    free(pem);
}

static void start(void)
{
    const char *why = "";
    struct jwt_key *k = NULL;
    jwt_kit_init();
    cr_assert_eq(jwt_key_from_secret("hs", JWT_KIT_SECRET, strlen(JWT_KIT_SECRET), &k, &why), 0);
    cr_assert_eq(jwt_key_set_add(&keys, k), 0);
    add_pem("rs", JWT_RS256, jwt_kit.rsa);
    add_pem("es", JWT_ES256, jwt_kit.ec);
    add_pem("ed", JWT_EDDSA, jwt_kit.ed);
}

static void stop(void)
{
    jwt_key_set_clear(&keys);
    jwt_kit_fini();
}

TestSuite(jwt, .init = start, .fini = stop);

/* The token's fate; what it held is dropped. */
static enum jwt_error judge(const char *token, int64_t now_s)
{
    struct jwt t = {.expires_s = -1};
    enum jwt_error e = jwt_verify(&policy, token, strlen(token), now_s, &t);
    cr_expect_eq(t.expires_s == -1, e != JWT_OK, "written on success only");
    if (e == JWT_OK) {
        jwt_fini(&t);
    }
    return e;
}

Test(jwt, takes_each_algorithm_with_and_without_kid)
{
    struct jwt_corpus c = {.now_s = JWT_KIT_NOW};
    for (size_t i = 0; i < ARRAY_LEN(corpus_algs); i++) {
        char header[64];
        const char *alg = corpus_algs[i].alg;
        const void *key = corpus_algs[i].key != NULL ? *corpus_algs[i].key : JWT_KIT_SECRET;
        cr_expect_eq(judge(corpus_good(&c, i), JWT_KIT_NOW), JWT_OK, "%s", alg);
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", alg);
        cr_expect_eq(judge(jwt_kit_make(alg, key, header, corpus_claims(&c, "")), JWT_KIT_NOW),
                     JWT_OK, "%s without kid", alg);
    }
    /* Harmless: members that say which key to trust are not read, unknown ones ignored. */
    static const char *const headers[] = {
        "{\"alg\":\"HS256\",\"jku\":\"https://evil.example/k\",\"x5u\":\"file:///etc/passwd\"}",
        "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"},\"x5c\":[\"x\"]}",
        ("{\"typ\":\"jwt\",\"alg\":\"HS256\",\"kid\":\"hs\",\"x\":[1,2.5e-3,true,null,"
         "\"\\ud83d\\ude00\"]}"),
        " { \"alg\" : \"HS256\" , \"typ\" : \"at+jwt\" } ",
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        const char *t = jwt_kit_make("HS256", JWT_KIT_SECRET, headers[i], corpus_claims(&c, ""));
        cr_expect(jwt_is_one(t, strlen(t)) || headers[i][0] == ' ', "%s", headers[i]);
        cr_expect_eq(judge(t, JWT_KIT_NOW), JWT_OK, "%s", headers[i]);
    }
}

Test(jwt, tells_what_was_claimed)
{
    struct jwt_corpus c = {.now_s = JWT_KIT_NOW};
    struct jwt t;
    const char *token = jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}",
                                     corpus_claims(&c, ",\"jti\":\"t-1\",\"x\":{\"y\":[1]}"));
    cr_assert_eq(jwt_verify(&policy, token, strlen(token), JWT_KIT_NOW, &t), JWT_OK);
    cr_expect_str_eq(t.id, "t-1");
    cr_expect_str_eq(t.subject, "u1");
    cr_expect_eq(t.expires_s, JWT_KIT_NOW + 600);
    cr_expect_str_eq(json_get_text(t.claims, "room"), "*");
    jwt_fini(&t);
}

/* ---- SEC-22 to SEC-26 ---- */

static void expect_refused(const char *token, const char *what, void *ctx)
{
    struct jwt t = {0};
    enum jwt_error e = jwt_verify(&policy, token, strlen(token), JWT_KIT_NOW, &t);
    unsigned *claims_later = ctx;
    if (e == JWT_OK) {
        /* Well made and well signed: then it is the claims of ours that auth_grant refuses. */
        ++*claims_later;
        cr_expect(json_get(t.claims, "publish") != NULL || json_get(t.claims, "room") != NULL,
                  "%s: %s", what, token);
        jwt_fini(&t);
    }
}

Test(jwt, refuses_the_corpus)
{
    unsigned claims_later = 0;
    unsigned n = jwt_corpus(expect_refused, &claims_later, JWT_KIT_NOW);
    cr_expect_geq(n, 400, "%u", n);
    /* tests/test_auth.c has these: 401 too. */
    cr_expect_leq(claims_later, 30, "%u", claims_later);
}

Test(jwt, refuses_every_prefix)
{
    struct jwt_corpus c = {.now_s = JWT_KIT_NOW};
    for (size_t i = 0; i < ARRAY_LEN(corpus_algs); i++) {
        const char *token = corpus_good(&c, i);
        size_t len = strlen(token);
        for (size_t n = 0; n < len; n++) {
            char *exact = malloc(n + 1); /* so that a sanitizer sees what is read beyond */
            struct jwt t;
            memcpy(exact, token, n);
            cr_expect_neq(jwt_verify(&policy, exact, n, JWT_KIT_NOW, &t), JWT_OK, "%zu", n);
            free(exact);
        }
    }
}

Test(jwt, clock_and_leeway)
{
    static const struct {
        int exp, nbf, iat; /* relative to now */
        enum jwt_error want;
    } rows[] = {
        {1, 0, 0, JWT_OK},          {0, 0, 0, JWT_OK},           {-9, 0, 0, JWT_OK},
        {-10, 0, 0, JWT_EXPIRED},   {-11, 0, 0, JWT_EXPIRED},    {-3600, 0, 0, JWT_EXPIRED},
        {60, 10, 0, JWT_OK},        {60, 11, 0, JWT_EARLY},      {60, 3600, 0, JWT_EARLY},
        {60, 0, 10, JWT_OK},        {60, 0, 11, JWT_EARLY},      {3610, 0, 0, JWT_OK},
        {3611, 0, 0, JWT_LIFETIME}, {60, 0, -3550, JWT_OK},      {60, 0, -3551, JWT_LIFETIME},
        {3600, 0, 10, JWT_OK},      {7200, 0, 10, JWT_LIFETIME},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char claims[256];
        snprintf(claims, sizeof(claims),
                 "{\"iss\":\"iss\",\"aud\":[\"x\",\"aud\"],\"exp\":%d,\"nbf\":%d,\"iat\":%d}",
                 JWT_KIT_NOW + rows[i].exp, JWT_KIT_NOW + rows[i].nbf, JWT_KIT_NOW + rows[i].iat);
        const char *t = jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", claims);
        enum jwt_error e = judge(t, JWT_KIT_NOW);
        cr_expect_eq(e, rows[i].want, "row %zu: %s", i, jwt_error_name(e));
    }
    /* Dates may have fractions (RFC 7519 2). */
    char claims[128];
    snprintf(claims, sizeof(claims), "{\"iss\":\"iss\",\"aud\":\"aud\",\"exp\":%d.75}",
             JWT_KIT_NOW + 5);
    cr_expect_eq(
        judge(jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", claims), JWT_KIT_NOW),
        JWT_OK);
}

Test(jwt, audience_and_issuer_are_asked_as_configured)
{
    static const struct {
        const char *issuer, *audience, *claims;
        enum jwt_error want;
    } rows[] = {
        {"", "", "", JWT_OK},
        {"", "", "\"iss\":\"anyone\",", JWT_OK},
        {"", "", "\"aud\":\"somebody else\",", JWT_AUDIENCE},
        {"", "", "\"aud\":\"\",", JWT_AUDIENCE},
        {"", "a", "\"aud\":\"a\",", JWT_OK},
        {"", "a", "\"aud\":[\"b\",\"a\"],", JWT_OK},
        {"", "a", "", JWT_AUDIENCE},
        {"i", "", "\"iss\":\"i\",", JWT_OK},
        {"i", "", "\"iss\":\"I\",", JWT_ISSUER},
        {"i", "", "", JWT_ISSUER},
    };
    struct jwt_policy saved = policy;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char claims[256];
        policy.issuer = rows[i].issuer;
        policy.audience = rows[i].audience;
        snprintf(claims, sizeof(claims), "{%s\"exp\":%d}", rows[i].claims, JWT_KIT_NOW + 5);
        const char *t = jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", claims);
        cr_expect_eq(judge(t, JWT_KIT_NOW), rows[i].want, "row %zu", i);
    }
    policy = saved;
}

Test(jwt, a_kid_that_is_not_there_is_told_apart)
{
    struct jwt_corpus c = {.now_s = JWT_KIT_NOW};
    static const char *const unknown = "{\"alg\":\"ES256\",\"kid\":\"next\"}";
    cr_expect_eq(
        judge(jwt_kit_make("ES256", jwt_kit.ec2, unknown, corpus_claims(&c, "")), JWT_KIT_NOW),
        JWT_UNKNOWN_KID);
    /* Old and new set beside each other. */
    struct jwt_key_set more = {0};
    char text[1024];
    char x[64] = "", y[64] = "";
    uint8_t point[65];
    size_t len = 0;
    EVP_PKEY_get_octet_string_param(jwt_kit.ec2, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
                                    &len);
    jwt_kit_b64(x, point + 1, 32);
    jwt_kit_b64(y, point + 33, 32);
    snprintf(
        text, sizeof(text),
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-521\",\"kid\":\"big\",\"x\":\"AA\",\"y\":\"AA\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"next\",\"use\":\"sig\",\"x\":\"%s\",\"y\":"
        "\"%s\"}]}",
        x, y);
    cr_assert_eq(jwt_key_set_read(&more, text, strlen(text)), 0);
    cr_assert_eq(more.n, 1);
    policy.sets[1] = &more;
    cr_expect_eq(
        judge(jwt_kit_make("ES256", jwt_kit.ec2, unknown, corpus_claims(&c, "")), JWT_KIT_NOW),
        JWT_OK);
    cr_expect_eq(judge(corpus_good(&c, 2), JWT_KIT_NOW), JWT_OK);
    policy.sets[1] = NULL;
    jwt_key_set_clear(&more);
}

/* ---- keys ---- */

Test(jwt, decodes_canonical_base64url_only)
{
    static const struct {
        const char *text;
        int want;
        const char *bytes;
    } rows[] = {
        {"", 0, ""},
        {"AA", 1, "\0"},
        {"_-8", 2, "\xff\xef"},
        {"AAAA", 3, "\0\0\0"},
        {"A", -EBADMSG, 0},
        {"AAAAA", -EBADMSG, 0},
        {"AB", -EBADMSG, 0},
        {"AAB", -EBADMSG, 0},
        {"AA==", -EBADMSG, 0},
        {"AA=", -EBADMSG, 0},
        {"+/8", -EBADMSG, 0},
        {"A A", -EBADMSG, 0},
        {"A\nAA", -EBADMSG, 0},
        {"AAAAAAAAAAAAAAAA", -EBADMSG, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t out[8];
        int n = jwt_key_decode64(rows[i].text, strlen(rows[i].text), out, sizeof(out));
        cr_expect_eq(n, rows[i].want, "%s: %d", rows[i].text, n);
        cr_expect(n <= 0 || memcmp(out, rows[i].bytes, (size_t)n) == 0, "%s", rows[i].text);
    }
}

Test(jwt, makes_no_key_of_what_does_not_fit)
{
    static const struct {
        const char *secret;
    } secrets[] = {{""}, {"short"}, {"0123456789abcdef0123456789abcde"}};
    const char *why = NULL;
    struct jwt_key *k = NULL;
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        const char *s = secrets[i].secret;
        cr_expect_eq(jwt_key_from_secret("", s, strlen(s), &k, &why), -EINVAL);
    }
    char *pem = jwt_kit_pem(jwt_kit.rsa);
    cr_expect_eq(jwt_key_from_secret("", pem, strlen(pem), &k, &why), -EINVAL,
                 "a PEM is no secret");
    cr_expect_not_null(strstr(why, "PEM"));
    struct {
        enum jwt_key_alg alg;
        EVP_PKEY *key;
    } rows[] = {
        {JWT_HS256, jwt_kit.rsa}, {JWT_ES256, jwt_kit.rsa}, {JWT_EDDSA, jwt_kit.rsa},
        {JWT_RS256, jwt_kit.ec},  {JWT_EDDSA, jwt_kit.ec},  {JWT_ES256, jwt_kit.p384},
        {JWT_RS256, jwt_kit.ed},  {JWT_ES256, jwt_kit.ed},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = jwt_kit_pem(rows[i].key);
        cr_expect_eq(jwt_key_from_pem("", rows[i].alg, text, strlen(text), &k, &why), -EINVAL,
                     "row %zu", i);
        free(text);
    }
    EVP_PKEY *small = EVP_RSA_gen(1024);
    char *text = jwt_kit_pem(small);
    cr_expect_eq(jwt_key_from_pem("", JWT_RS256, text, strlen(text), &k, &why), -EINVAL);
    free(text);
    EVP_PKEY_free(small);
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, jwt_kit.ec, NULL, NULL, 0, NULL, NULL);
    size_t len = (size_t)BIO_get_mem_data(bio, &data);
    cr_expect_eq(jwt_key_from_pem("", JWT_ES256, data, len, &k, &why), -EINVAL);
    cr_expect_not_null(strstr(why, "private"));
    BIO_free(bio);
    cr_expect_eq(jwt_key_from_pem("", JWT_ES256, "x", 1, &k, &why), -EBADMSG);
    cr_expect_null(k);
    free(pem);
}

Test(jwt, reads_jwks_and_passes_over_the_rest)
{
#define ED                                                                                         \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define EC                                                                                         \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","      \
    "\"y\":"                                                                                       \
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define OCT "\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\""
    static const struct {
        const char *jwk;
        int want;
        const char *kid;
    } rows[] = {
        {"{" ED "}", 0, ""},                /* RFC 8037 A.2 */
        {"{" EC ",\"kid\":\"a\"}", 0, "a"}, /* RFC 7515 A.3 */
        {"{" OCT "}", 0, ""},
        {"{" EC ",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"verify\"]}", 0, ""},
        {"{" EC ",\"alg\":\"ES384\"}", -EPROTONOSUPPORT, 0},
        {"{" EC ",\"alg\":7}", -EPROTONOSUPPORT, 0},
        {"{" EC ",\"use\":\"enc\"}", -EPROTONOSUPPORT, 0},
        {"{" EC ",\"key_ops\":[\"sign\"]}", -EPROTONOSUPPORT, 0},
        {"{" EC ",\"key_ops\":\"verify\"}", -EPROTONOSUPPORT, 0},
        {"{" EC ",\"kid\":\"a b\"}", -EINVAL, 0},
        {"{" EC ",\"kid\":1}", -EINVAL, 0},
        {"{" OCT ",\"alg\":\"RS256\"}", -EPROTONOSUPPORT, 0},
        {"{" ED ",\"alg\":\"HS256\"}", -EPROTONOSUPPORT, 0},
        {"{\"kty\":\"oct\",\"k\":\"AAAA\"}", -EINVAL, 0},
        {"{\"kty\":\"oct\"}", -EBADMSG, 0},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}", -EPROTONOSUPPORT, 0},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", -EBADMSG, 0},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", -EBADMSG, 0},
        /* not on the curve */
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
         "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
         -EBADMSG, 0},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", -EINVAL, 0},
        {"{\"kty\":\"RSA\",\"e\":\"AQAB\"}", -EBADMSG, 0},
        {"{}", -EPROTONOSUPPORT, 0},
        {"7", -EPROTONOSUPPORT, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *jwk;
        const char *why = "";
        struct jwt_key *k = NULL;
        cr_assert_eq(json_parse(rows[i].jwk, strlen(rows[i].jwk), 8, &jwk), 0);
        cr_expect_eq(jwt_key_from_jwk("", jwk, &k, &why), rows[i].want, "%s: %s", rows[i].jwk, why);
        cr_expect_eq(k != NULL, rows[i].want == 0, "%s", rows[i].jwk);
        if (k != NULL) {
            cr_expect_str_eq(jwt_key_kid(k), rows[i].kid);
        }
        jwt_key_free(k);
        cJSON_Delete(jwk);
    }
    static const struct {
        const char *text;
        int r, n;
    } sets[] = {
        {"{\"keys\":[]}", 0, 0},
        {"{\"keys\":[{" ED "},{" EC "},{" OCT "},{\"kty\":\"XX\"},7]}", 0, 2},
        {"{\"keys\":{}}", -EBADMSG, 2},
        {"[]", -EBADMSG, 2},
        {"<html>", -EBADMSG, 2},
        {"", -EBADMSG, 2},
        {"{\"keys\":[{" ED "}]}", 0, 1},
    };
    struct jwt_key_set set = {0};
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        cr_expect_eq(jwt_key_set_read(&set, sets[i].text, strlen(sets[i].text)), sets[i].r);
        cr_expect_eq(set.n, sets[i].n, "what is there stays: %s", sets[i].text);
    }
    jwt_key_set_clear(&set);
}

Test(jwt, knows_its_own_form)
{
    static const struct {
        const char *text;
        bool is;
    } rows[] = {{"eyJhbGciOiJIUzI1NiJ9.e30.x", true},
                {"eyJ.x", false},
                {"studio.secret.x", false},
                {"", false},
                {"ey", false},
                {"e..", false},
                {"ewogImFsZyI6.x.y", true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(jwt_is_one(rows[i].text, strlen(rows[i].text)), rows[i].is, "%s",
                     rows[i].text);
    }
}
