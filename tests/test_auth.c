/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "signaling/auth.h"
#include "signaling/auth_quota.h"
#include "signaling/auth_revoked.h"
#include "signaling/auth_revoked_file.h"
#include "tests/jwt_corpus.h"

static struct conf *with_tokens(void)
{
    struct conf *c = calloc(1, sizeof(*c));
    c->auth.n_tokens = 4;
    c->auth.tokens[0] = (struct conf_token){
        .token = "studio-secret", .name = "studio", .pattern = "live/*", .publish = true};
    c->auth.tokens[1] = (struct conf_token){
        .token = "viewer-secret", .name = "viewers", .pattern = "live/*", .play = true};
    /* The same token a second time: another pattern. */
    c->auth.tokens[2] = (struct conf_token){.token = "studio-secret",
                                            .name = "studio",
                                            .pattern = "test/main",
                                            .publish = true,
                                            .play = true};
    /* A row that lost its token must not let empty ones in. */
    c->auth.tokens[3] = (struct conf_token){
        .token = "", .name = "nobody", .pattern = "*", .publish = true, .play = true};
    return c;
}

Test(auth, glob_is_anchored_and_star_takes_any_run)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool match;
    } rows[] = {
        {"live/main", "live/main", true},
        {"live/main", "live/main2", false},
        {"live/main", "xlive/main", false},
        {"live/*", "live/", true},
        {"live/*", "live/a/b", true},
        {"live/*", "live", false},
        {"*", "", true},
        {"*", "room/main", true},
        {"*/main", "room/main", true},
        {"*/main", "room/main/x", false},
        {"a*b*c", "aXXbYYc", true},
        {"a*b*c", "aXXcYYb", false},
        {"a*bc", "abcbc", true},
        {"", "", true},
        {"", "a", false},
        {"**", "x", true},
        {"live/?", "live/a", false},
        {"live/[a]", "live/a", false},
        {"a.c", "abc", false},
        {"*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(auth_grant_glob(rows[i].pattern, rows[i].text), rows[i].match, "%s ~ %s",
                     rows[i].pattern, rows[i].text);
    }
}

static struct auth *make(const struct conf *c)
{
    struct auth *a = NULL;
    const char *what = "";
    cr_assert_eq(auth_new(c, &a, &what), 0, "%s", what);
    return a;
}

static struct auth_verdict ask(const struct auth *a, const char *header, enum auth_action action,
                               const char *label)
{
    struct auth_ask q = {.header = header, .action = action, .label = label, .now_s = JWT_KIT_NOW};
    struct auth_verdict v;
    auth_check(a, &q, &v);
    return v;
}

Test(auth, judges_headers)
{
    static char huge[8192];
    memset(huge, 'a', sizeof(huge) - 1);
    memcpy(huge, "Bearer ", 7);
    static const struct {
        const char *header;
        enum auth_action action;
        const char *label;
        enum auth_result want;
    } rows[] = {
        {NULL, AUTH_PUBLISH, "live/main", AUTH_MISSING}, /* WHIP-20 */
        {"Bearer studio-secret", AUTH_PUBLISH, "live/main", AUTH_OK},
        {"bearer studio-secret", AUTH_PUBLISH, "live/main", AUTH_OK}, /* WHIP-22 */
        {"BEARER  studio-secret ", AUTH_PUBLISH, "live/main", AUTH_OK},
        {"Bearer\tstudio-secret", AUTH_PUBLISH, "live/main", AUTH_OK},
        {"Bearer studio-secret", AUTH_PLAY, "live/main", AUTH_FORBIDDEN}, /* WHIP-21 */
        {"Bearer studio-secret", AUTH_PLAY, "test/main", AUTH_OK},
        {"Bearer studio-secret", AUTH_PUBLISH, "test/other", AUTH_FORBIDDEN},
        {"Bearer studio-secret", AUTH_MODERATE, "live/main", AUTH_FORBIDDEN},
        {"Bearer studio-secret", AUTH_ADMIN, "live/main", AUTH_FORBIDDEN},
        {"Bearer viewer-secret", AUTH_PLAY, "live/main", AUTH_OK},
        {"Bearer viewer-secret", AUTH_PUBLISH, "live/main", AUTH_FORBIDDEN},
        {"Bearer viewer-secret", AUTH_ANY, "", AUTH_OK},
        {"Bearer studio-secre", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearer studio-secrett", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearer undefined", AUTH_PUBLISH, "live/main", AUTH_INVALID}, /* WHIP-22 */
        {"Bearer eyJhbGciOiJub25lIn0.e30.x", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearer studio-secret x", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearerstudio-secret", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearer ", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearer", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Basic c3R1ZGlvLXNlY3JldA==", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"studio-secret", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {huge, AUTH_PUBLISH, "live/main", AUTH_INVALID},
    };
    struct conf *c = with_tokens();
    struct auth *a = make(c);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct auth_verdict v = ask(a, rows[i].header, rows[i].action, rows[i].label);
        cr_expect_eq(v.result, rows[i].want, "row %zu: %d", i, (int)v.result);
        cr_expect_eq(v.detail[0] == '\0', v.result == AUTH_OK, "a refusal has its sentence");
        cr_expect_eq(v.grant.rights == 0, v.result != AUTH_OK, "row %zu", i);
    }
    auth_free(a);
    free(c);
}

Test(auth, names_the_principal_and_asks_nobody_without_tokens)
{
    struct conf *c = with_tokens();
    struct auth *a = make(c);
    struct auth_verdict v = ask(a, "Bearer viewer-secret", AUTH_PLAY, "live/x");
    cr_assert_eq(v.result, AUTH_OK);
    cr_expect_str_eq(v.grant.principal, "viewers");
    cr_expect_eq(v.grant.rights, AUTH_RIGHT_PLAY);
    cr_expect(auth_is_token("bearer viewer-secret ", v.grant.digest));
    cr_expect_not(auth_is_token("Bearer studio-secret", v.grant.digest));
    cr_expect_not(auth_is_token(NULL, v.grant.digest));
    v = ask(a, "Bearer studio-secret", AUTH_PUBLISH, "live/x");
    cr_expect_eq(v.grant.rights, AUTH_RIGHTS_PUBLISH | AUTH_RIGHT_DATA);
    cr_expect(auth_required(a));
    auth_free(a);
    c->auth.n_tokens = 0;
    a = make(c);
    cr_expect_not(auth_required(a));
    /* WHIP-22, 23: Eyevinn's client sends "Bearer undefined" where no token is asked. */
    const char *const headers[] = {NULL, "Bearer undefined", "Basic x"};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        v = ask(a, headers[i], AUTH_PUBLISH, "a/b");
        cr_assert_eq(v.result, AUTH_OK);
        cr_expect_str_eq(v.grant.principal, "");
        cr_expect_eq(v.grant.rights, AUTH_RIGHTS_ALL);
        cr_expect_eq(ask(a, headers[i], AUTH_ADMIN, "a/b").result, AUTH_FORBIDDEN);
    }
    auth_free(a);
    free(c);
}

/* ---- JSON Web Tokens ---- */

static char pem_path[][32] = {"/tmp/sluice-auth-XXXXXX", "/tmp/sluice-auth-XXXXXX",
                              "/tmp/sluice-auth-XXXXXX"};

static void add_key(struct conf *c, const char *alg, const char *kid, EVP_PKEY *key, char *path)
{
    struct conf_auth_key *k = &c->auth.keys[c->auth.n_keys++];
    char *pem = jwt_kit_pem(key);
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, pem, strlen(pem)), (ssize_t)strlen(pem));
    close(fd);
    free(pem);
    *k = (struct conf_auth_key){0};
    snprintf(k->alg, sizeof(k->alg), "%s", alg);
    snprintf(k->kid, sizeof(k->kid), "%s", kid);
    snprintf(k->pem_file, sizeof(k->pem_file), "%s", path);
}

static struct conf *with_keys(void)
{
    struct conf *c = with_tokens();
    jwt_kit_init();
    c->auth.n_keys = 1;
    c->auth.keys[0] = (struct conf_auth_key){.alg = "HS256", .kid = "hs", .secret = JWT_KIT_SECRET};
    add_key(c, "RS256", "rs", jwt_kit.rsa, pem_path[0]);
    add_key(c, "ES256", "es", jwt_kit.ec, pem_path[1]);
    add_key(c, "EdDSA", "ed", jwt_kit.ed, pem_path[2]);
    c->auth.leeway_s = 10;
    c->auth.max_lifetime_s = 3600;
    return c;
}

static void drop_keys(struct conf *c)
{
    for (size_t i = 0; i < ARRAY_LEN(pem_path); i++) {
        unlink(pem_path[i]);
        memset(strrchr(pem_path[i], '-') + 1, 'X', 6);
    }
    free(c);
    jwt_kit_fini();
}

/* "Bearer " and a token with these claims beside exp. */
static const char *with_claims(const char *claims)
{
    static char header[8192];
    char all[1024];
    snprintf(all, sizeof(all), "{%s,\"exp\":%d}", claims, JWT_KIT_NOW + 60);
    snprintf(header, sizeof(header), "Bearer %s",
             jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", all));
    return header;
}

Test(auth, claims_bind_room_participant_and_rights)
{
#define ROOM "\"room\":\"class-*\","
    static const struct {
        const char *claims;
        enum auth_action action;
        const char *label;
        enum auth_result want;
        const char *reason;
    } rows[] = {
        {ROOM "\"publish\":true", AUTH_PUBLISH, "class-1/bob", AUTH_OK, "ok"},
        {ROOM "\"publish\":true", AUTH_PUBLISH, "class-/bob", AUTH_OK, "ok"},
        {ROOM "\"publish\":true", AUTH_PUBLISH, "Class-1/bob", AUTH_FORBIDDEN, "room"},
        {ROOM "\"publish\":true", AUTH_PUBLISH, "xclass-1/bob", AUTH_FORBIDDEN, "room"},
        {ROOM "\"publish\":true", AUTH_PUBLISH, "class/bob", AUTH_FORBIDDEN, "room"},
        {ROOM "\"publish\":true", AUTH_PUBLISH, "x/class-1", AUTH_FORBIDDEN, "room"},
        {ROOM "\"publish\":true", AUTH_PLAY, "class-1/bob", AUTH_FORBIDDEN, "right"},
        {ROOM "\"publish\":false", AUTH_PUBLISH, "class-1/bob", AUTH_FORBIDDEN, "right"},
        {ROOM "\"publish\":[]", AUTH_PUBLISH, "class-1/bob", AUTH_FORBIDDEN, "right"},
        {ROOM "\"publish\":[\"screen\"]", AUTH_PUBLISH, "class-1/bob", AUTH_OK, "ok"},
        {ROOM "\"play\":true", AUTH_PLAY, "class-1/bob", AUTH_OK, "ok"},
        {ROOM "\"play\":true", AUTH_PUBLISH, "class-1/bob", AUTH_FORBIDDEN, "right"},
        {ROOM "\"play\":true", AUTH_MODERATE, "class-1/bob", AUTH_FORBIDDEN, "right"},
        {ROOM "\"play\":true", AUTH_ANY, "other/bob", AUTH_OK, "ok"},
        {ROOM "\"moderate\":true", AUTH_MODERATE, "class-1/bob", AUTH_OK, "ok"},
        {ROOM "\"moderate\":true", AUTH_MODERATE, "other/bob", AUTH_FORBIDDEN, "room"},
        {ROOM "\"moderate\":true", AUTH_ADMIN, "class-1/bob", AUTH_FORBIDDEN, "right"},
        {"\"admin\":true", AUTH_ADMIN, "", AUTH_OK, "ok"},
        {"\"admin\":true", AUTH_PUBLISH, "class-1/bob", AUTH_FORBIDDEN, "right"},
        {ROOM "\"participant\":\"bob\",\"publish\":true", AUTH_PUBLISH, "class-1/bob", AUTH_OK,
         "ok"},
        {ROOM "\"participant\":\"bob\",\"publish\":true", AUTH_PUBLISH, "class-1/bobby",
         AUTH_FORBIDDEN, "participant"},
        {ROOM "\"participant\":\"bob\",\"publish\":true", AUTH_PUBLISH, "class-1/main",
         AUTH_FORBIDDEN, "participant"},
        {ROOM "\"participant\":\"bob\",\"play\":true", AUTH_PLAY, "class-1/alice", AUTH_OK, "ok"},
        {"\"room\":\"a.c\",\"play\":true", AUTH_PLAY, "abc/x", AUTH_FORBIDDEN, "room"},
        {"\"room\":\"*\",\"play\":true", AUTH_PLAY, "abc/x", AUTH_OK, "ok"},
    };
    struct conf *c = with_keys();
    struct auth *a = make(c);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct auth_verdict v = ask(a, with_claims(rows[i].claims), rows[i].action, rows[i].label);
        cr_expect_eq(v.result, rows[i].want, "row %zu: %s", i, v.detail);
        cr_expect_str_eq(v.reason, rows[i].reason, "row %zu", i);
    }
    /* A token of the settings works beside them. */
    cr_expect_eq(ask(a, "Bearer viewer-secret", AUTH_PLAY, "live/x").result, AUTH_OK);
    auth_free(a);
    drop_keys(c);
}

Test(auth, grants_carry_what_was_claimed)
{
    struct conf *c = with_keys();
    struct auth *a = make(c);
    struct auth_verdict v =
        ask(a,
            with_claims(
                ROOM "\"sub\":\"u-7\",\"jti\":\"t1\",\"participant\":\"bob\",\"name\":\"B\u00f6b\","
                     "\"publish\":[\"microphone\",\"screen\"],\"data\":true,\"sessions\":2,"
                     "\"metadata\":{\"seat\":[1, 2]}"),
            AUTH_PUBLISH, "class-1/bob");
    const struct auth_grant *g = &v.grant;
    cr_assert_eq(v.result, AUTH_OK, "%s", v.detail);
    cr_expect_eq(g->rights, AUTH_RIGHT_MICROPHONE | AUTH_RIGHT_SCREEN | AUTH_RIGHT_DATA);
    cr_expect_str_eq(g->principal, "sub:u-7");
    cr_expect_str_eq(g->jti, "t1");
    cr_expect_str_eq(g->participant, "bob");
    cr_expect_str_eq(g->display, "B\xc3\xb6"
                                 "b");
    cr_expect_str_eq(g->metadata, "{\"seat\":[1,2]}");
    cr_expect_eq(g->expires_s, JWT_KIT_NOW + 60);
    cr_expect_eq(g->max_sessions, 2);
    /* Principals: sub, participant, jti, the token; long ones are hashed, and differ at their end.
     */
    char two[2][64];
    for (int i = 0; i < 2; i++) {
        char claims[400];
        snprintf(claims, sizeof(claims), "\"room\":\"*\",\"play\":true,\"sub\":\"%0120d\"", i);
        v = ask(a, with_claims(claims), AUTH_PLAY, "r/x");
        snprintf(two[i], sizeof(two[i]), "%s", v.grant.principal);
    }
    cr_expect_str_neq(two[0], two[1]);
    v = ask(a, with_claims("\"room\":\"*\",\"play\":true,\"participant\":\"p\""), AUTH_PLAY, "r/x");
    cr_expect_str_eq(v.grant.principal, "par:p");
    v = ask(a, with_claims("\"room\":\"*\",\"play\":true,\"jti\":\"j\""), AUTH_PLAY, "r/x");
    cr_expect_str_eq(v.grant.principal, "jti:j");
    v = ask(a, with_claims("\"room\":\"*\",\"play\":true"), AUTH_PLAY, "r/x");
    cr_expect_eq(strncmp(v.grant.principal, "tok:", 4), 0);
    cr_expect_eq(strlen(v.grant.principal), 36);
    auth_free(a);
    drop_keys(c);
}

static void expect_401(const char *token, const char *what, void *ctx)
{
    char header[20000];
    snprintf(header, sizeof(header), "Bearer %s", token);
    struct auth_verdict v = ask(ctx, header, AUTH_PUBLISH, "room/main");
    cr_expect_eq(v.result, AUTH_INVALID, "%s: %d %s", what, (int)v.result, v.detail);
}

Test(auth, answers_401_to_the_whole_corpus)
{
    struct conf *c = with_keys();
    snprintf(c->auth.issuer, sizeof(c->auth.issuer), "iss");
    snprintf(c->auth.audience, sizeof(c->auth.audience), "aud");
    struct auth *a = make(c);
    struct jwt_corpus good = {.now_s = JWT_KIT_NOW};
    for (size_t i = 0; i < ARRAY_LEN(corpus_algs); i++) {
        char header[8192];
        snprintf(header, sizeof(header), "Bearer %s", corpus_good(&good, i));
        cr_expect_eq(ask(a, header, AUTH_PUBLISH, "room/main").result, AUTH_OK);
    }
    cr_expect_geq(jwt_corpus(expect_401, a, JWT_KIT_NOW), 400);
    auth_free(a);
    drop_keys(c);
}

Test(auth, asks_for_a_fresh_set_only_when_one_is_fetched)
{
    struct conf *c = with_keys();
    struct auth *a = make(c);
    struct jwt_corpus good = {.now_s = JWT_KIT_NOW};
    char header[8192];
    snprintf(header, sizeof(header), "Bearer %s",
             jwt_kit_make("ES256", jwt_kit.ec2, "{\"alg\":\"ES256\",\"kid\":\"next\"}",
                          corpus_claims(&good, "")));
    cr_expect_eq(ask(a, header, AUTH_PUBLISH, "r/main").result, AUTH_INVALID);
    struct jwt_key_set set = {0};
    auth_set_fetched(a, &set);
    cr_expect_eq(ask(a, header, AUTH_PUBLISH, "r/main").result, AUTH_UNKNOWN_KEY);
    auth_free(a);
    drop_keys(c);
}

Test(auth, names_the_key_that_cannot_be_read)
{
    static const struct {
        struct conf_auth_key key;
        const char *says;
    } rows[] = {
        {{.alg = "HS256", .secret = "too short"}, "auth.keys[0]: a secret for HS256 must have 32"},
        {{.alg = "RS256", .pem_file = "/nowhere/x"}, "auth.keys[0]: the file cannot be read"},
        {{.alg = "RS256", .pem_file = "/dev/null"}, "auth.keys[0]: there is no PEM public key"},
        {{.alg = "ES256", .jwk_file = "/dev/null"}, "auth.keys[0]: the file is not valid JSON"},
        {{.alg = "XS256", .secret = JWT_KIT_SECRET}, "auth.keys[0]: alg is not one of"},
        {{.alg = "RS256", .pem_file = "/dev/zero"}, "auth.keys[0]: the file cannot be read"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf *c = calloc(1, sizeof(*c));
        struct auth *a = NULL;
        const char *what = "";
        c->auth.n_keys = 1;
        c->auth.keys[0] = rows[i].key;
        cr_expect_eq(auth_new(c, &a, &what), -EINVAL, "row %zu", i);
        cr_expect_eq(strncmp(what, rows[i].says, strlen(rows[i].says)), 0, "%s", what);
        cr_expect_null(a);
        free(c);
    }
}

Test(auth, revocations_are_bounded_and_forgotten)
{
    static struct auth_revoked t;
    struct auth_grant g = {.is_token = true};
    auth_revoked_init(&t);
    snprintf(g.jti, sizeof(g.jti), "a");
    cr_expect_not(auth_revoked_has(&t, &g));
    cr_assert_eq(auth_revoked_add_jti(&t, "a", 100), 0);
    cr_assert_eq(auth_revoked_add_jti(&t, "a", 50), 0);
    cr_expect_eq(t.n, 1);
    cr_expect(auth_revoked_has(&t, &g));
    auth_revoked_sweep(&t, 100);
    cr_expect(auth_revoked_has(&t, &g), "the longer of two counts");
    auth_revoked_sweep(&t, 101);
    cr_expect_not(auth_revoked_has(&t, &g));
    /* A token without jti is known by its digest; one without either is not everybody. */
    g.jti[0] = '\0';
    g.digest[5] = 7;
    cr_assert_eq(auth_revoked_add_digest(&t, g.digest, 100), 0);
    cr_expect(auth_revoked_has(&t, &g));
    g.digest[5] = 8;
    cr_expect_not(auth_revoked_has(&t, &g));
    for (int i = 0; i < AUTH_REVOKED_MAX + 10; i++) {
        char jti[16];
        snprintf(jti, sizeof(jti), "j%d", i);
        cr_assert_eq(auth_revoked_add_jti(&t, jti, 1000 + i), 0);
    }
    cr_expect_eq(t.n, AUTH_REVOKED_MAX);
    snprintf(g.jti, sizeof(g.jti), "j%d", AUTH_REVOKED_MAX + 9);
    cr_expect(auth_revoked_has(&t, &g));
    snprintf(g.jti, sizeof(g.jti), "j0");
    cr_expect_not(auth_revoked_has(&t, &g), "the one that would have gone first");
    auth_revoked_fini(&t);
    cr_expect_eq(t.n, 0);
}

/* The table after the file's first len bytes have been written and read; n: -errno of the load. */
static int load_prefix(const char *path, const char *text, size_t len, unsigned *ret_n)
{
    struct auth_revoked t;
    FILE *f = fopen(path, "we");
    cr_assert(f != NULL && fwrite(text, 1, len, f) == len && fclose(f) == 0);
    auth_revoked_init(&t);
    int r = auth_revoked_file_load(&t, path, 1000);
    *ret_n = t.n;
    auth_revoked_fini(&t);
    return r;
}

Test(auth, revocations_are_kept_in_a_file)
{
    static struct auth_revoked t, again;
    struct auth_grant g = {.is_token = true};
    char folder[] = "/tmp/sluice-revoked-XXXXXX", path[64], text[1024], none[96];
    unsigned n;
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/list", folder);
    auth_revoked_init(&t);
    auth_revoked_init(&again);
    cr_assert_eq(auth_revoked_file_load(&t, path, 1000), 0, "not there: nothing is revoked");
    cr_assert_eq(auth_revoked_add_jti(&t, "a", 2000), 0);
    cr_assert_eq(auth_revoked_add_jti(&t, "old", 999), 0);
    g.digest[31] = 0xf1;
    cr_assert_eq(auth_revoked_add_digest(&t, g.digest, 1000), 0);
    cr_assert_eq(auth_revoked_file_save(&t, path), 0);
    cr_assert_eq(auth_revoked_file_load(&again, path, 1000), 0);
    cr_expect_eq(again.n, 2, "what has expired is forgotten");
    cr_expect(auth_revoked_has(&again, &g));
    memset(g.digest, 0, sizeof(g.digest));
    snprintf(g.jti, sizeof(g.jti), "a");
    cr_expect(auth_revoked_has(&again, &g));
    /* Every prefix: whole lines count, a broken one makes the file none of ours. */
    FILE *f = fopen(path, "re");
    cr_assert(f != NULL);
    size_t len = fread(text, 1, sizeof(text), f);
    (void)fclose(f);
    for (size_t cut = 0; cut <= len; cut++) {
        bool whole = cut > 0 && text[cut - 1] == '\n';
        int r = load_prefix(path, text, cut, &n);
        cr_expect_eq(r, whole ? 0 : -EBADMSG, "%zu bytes: %d", cut, r);
    }
    static const char *const bad[] = {"sluice-revoked 2\n", "x", "sluice-revoked 1\n\n",
                                      "sluice-revoked 1\nabc 5\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(load_prefix(path, bad[i], strlen(bad[i]), &n), -EBADMSG, "%s", bad[i]);
    }
    snprintf(none, sizeof(none), "%s/none/list", folder);
    cr_expect_eq(auth_revoked_file_save(&t, none), -ENOENT);
    cr_expect_eq(auth_revoked_file_load(&t, folder, 0), -EBADMSG, "a folder is no list");
    auth_revoked_fini(&t);
    auth_revoked_fini(&again);
    unlink(path);
    rmdir(folder);
}

Test(auth, tickets_are_counted_per_token)
{
    static struct auth_quota q;
    uint8_t a[AUTH_GRANT_DIGEST] = {1};
    uint8_t b[AUTH_GRANT_DIGEST] = {1, 0, 9}; /* same bucket */
    auth_quota_init(&q);
    struct auth_quota_ticket *t[3] = {auth_quota_take(&q, a), auth_quota_take(&q, a),
                                      auth_quota_take(&q, b)};
    cr_expect_eq(auth_quota_count(&q, a), 2);
    cr_expect_eq(auth_quota_count(&q, b), 1);
    auth_quota_give(&t[0]);
    auth_quota_give(&t[0]);
    cr_expect_null(t[0]);
    cr_expect_eq(auth_quota_count(&q, a), 1, "given back once");
    auth_quota_give(&t[1]);
    auth_quota_give(&t[2]);
    cr_expect_eq(auth_quota_count(&q, a), 0);
    auth_quota_fini(&q);
}
