/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what, over HTTP: tokens by key, keys fetched, rights of kinds of media, sessions of
 * one token, revocation and expiry. */
#include "tests/http_kit.h"
#include "tests/jwt_kit.h"
#include "tests/stub_http.h"

static void prepare(void)
{
    jwt_kit_init();
    kit_prepare();
    kit.conf->auth.n_keys = 1;
    kit.conf->auth.keys[0] =
        (struct conf_auth_key){.alg = "HS256", .kid = "hs", .secret = JWT_KIT_SECRET};
}

static void stop(void)
{
    kit_stop();
    jwt_kit_fini();
}

TestSuite(permit, .init = prepare, .fini = stop, .timeout = 60);

/* "Authorization: Bearer ..." with these claims beside exp. */
static const char *bearer(const char *claims)
{
    static char ring[16][2048];
    static int next;
    char *out = ring[next++ % 16];
    char all[1024];
    snprintf(all, sizeof(all), "{%s,\"exp\":%lld}", claims,
             (long long)(clock_wall_us() / US_PER_S + 60));
    snprintf(out, 2048, "Authorization: Bearer %s\r\n",
             jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", all));
    return out;
}

#define ALL "\"room\":\"*\",\"publish\":true,\"play\":true"

Test(permit, kinds_of_media_that_the_token_lacks_are_refused_with_a_reason)
{
    static const struct {
        const char *publish;
        const char *path;
        int status;
        const char *audio; /* how the section begins in the answer */
        const char *video;
        const char *says; /* somewhere in the body */
    } rows[] = {
        {"true", "/whip/r/a", 201, "m=audio 9 ", "m=video 9 ", "a=recvonly"},
        {"[\"camera\",\"microphone\"]", "/whip/r/b", 201, "m=audio 9 ", "m=video 9 ", "a=recvonly"},
        {"[\"camera\"]", "/whip/r/c", 201, "m=audio 0 ", "m=video 9 ",
         "a=sluice-refused:microphone"},
        {"[\"microphone\"]", "/whip/r/d", 201, "m=audio 9 ", "m=video 0 ",
         "a=sluice-refused:camera"},
        {"[\"screen\"]", "/whip/r/e", 403, "", "", "lacks the right"},
        {"[\"screen\"]", "/whip/r/e~screen", 201, "m=audio 9 ", "m=video 9 ", "a=recvonly"},
        {"[\"camera\",\"microphone\"]", "/whip/r/f~screen", 403, "", "", "lacks the right screen"},
        {"[\"camera\"]", "/whip/r/f~cam2", 201, "m=audio 0 ", "m=video 9 ", "microphone"},
        {"[]", "/whip/r/g", 403, "", "", "do not permit"},
    };
    kit_go();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char claims[256];
        snprintf(claims, sizeof(claims), "\"room\":\"r\",\"publish\":%s", rows[i].publish);
        struct reply r = kit_publish(rows[i].path, bearer(claims));
        cr_expect_eq(r.status, rows[i].status, "row %zu: %s", i, r.body);
        cr_expect_not_null(strstr(r.body, rows[i].audio), "row %zu: %s", i, r.body);
        cr_expect_not_null(strstr(r.body, rows[i].video), "row %zu: %s", i, r.body);
        cr_expect_not_null(strstr(r.body, rows[i].says), "row %zu: %s", i, r.body);
        if (r.status == 201) {
            const struct api_session *s = kit_last(API_CMD_SESSION_ADD)->cmd.u.session;
            cr_expect_eq(s->n_mlines, (strstr(r.body, "m=audio 9") != NULL) +
                                          (strstr(r.body, "m=video 9") != NULL));
        }
    }
}

Test(permit, identity_is_bound_to_the_claim)
{
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/whip/r/alice", 201},  {"/whip/r/alice~screen", 201}, {"/whip/r/alic", 403},
                {"/whip/r/alice2", 403}, {"/whip/r/bob", 403},          {"/whip/r", 403},
                {"/whip/q/alice", 403},  {"/whip/r/alice~x~y", 201}};
    kit_go();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply r = kit_publish(
            rows[i].path, bearer("\"room\":\"r\",\"participant\":\"alice\",\"publish\":true"));
        cr_expect_eq(r.status, rows[i].status, "%s: %s", rows[i].path, r.body);
    }
    cr_expect_eq(
        kit_play("/whep/r/alice", bearer("\"room\":\"r\",\"participant\":\"bob\",\"play\":true"))
            .status,
        201);
    cr_expect_eq(kit_play("/whep/r/alice", bearer("\"room\":\"r\",\"publish\":true")).status, 403);
    cr_expect_eq(kit_play("/whep/r/alice", "").status, 401);
}

Test(permit, a_session_keeps_to_its_token)
{
    kit_go();
    const char *a = bearer(ALL ",\"sub\":\"a\"");
    const char *b = bearer(ALL ",\"sub\":\"b\"");
    struct reply r = kit_publish("/whip/r/x", a);
    const char *path = kit_session(&r);
    char headers[2300];
    snprintf(headers, sizeof(headers), KIT_FRAG "%s", b);
    cr_expect_eq(kit_do("PATCH", path, headers, KIT_CURRENT).status, 403);
    snprintf(headers, sizeof(headers), KIT_FRAG "%s", a);
    cr_expect_eq(kit_do("PATCH", path, headers, KIT_CURRENT).status, 204);
    snprintf(headers, sizeof(headers), KIT_FRAG "Authorization: Bearer nonsense\r\n");
    cr_expect_eq(kit_do("PATCH", path, headers, KIT_CURRENT).status, 401);
    /* Another principal does not take a live name over. */
    cr_expect_eq(kit_publish("/whip/r/x", b).status, 409);
    cr_expect_eq(kit_publish("/whip/r/x", bearer(ALL ",\"sub\":\"a\",\"jti\":\"2\"")).status, 201);
}

Test(permit, tokens_have_so_many_sessions)
{
    kit.conf->auth.max_sessions_per_token = 3;
    kit_go();
    const char *t = bearer(ALL ",\"jti\":\"t\"");
    cr_expect_eq(kit_publish("/whip/r/a", t).status, 201);
    struct reply r = kit_play("/whep/r/a", t);
    const char *second = kit_session(&r);
    cr_expect_eq(kit_play("/whep/r/a", t).status, 201);
    r = kit_play("/whep/r/a", t);
    cr_expect_eq(r.status, 429);
    cr_expect_not_null(kit_header(&r, "Retry-After"));
    cr_expect_not_null(strstr(r.body, "token-sessions"));
    cr_expect_eq(kit_publish("/whip/r/b", t).status, 429);
    /* Taking its own name over needs no room, another token has its own. */
    cr_expect_eq(kit_publish("/whip/r/a", t).status, 201);
    cr_expect_eq(kit_play("/whep/r/a", bearer(ALL ",\"jti\":\"u\"")).status, 201);
    cr_expect_eq(kit_do("DELETE", second, "", NULL).status, 200);
    cr_expect_eq(kit_play("/whep/r/a", t).status, 201);
    cr_expect_eq(kit_play("/whep/r/a", t).status, 429);
    /* A refused offer does not count. */
    const char *one = bearer(ALL ",\"jti\":\"one\",\"sessions\":1");
    char headers[2300];
    snprintf(headers, sizeof(headers), KIT_SDP "%s", one);
    cr_expect_eq(kit_do("POST", "/whep/r/a", headers, "v=0\r\nx").status, 400);
    cr_expect_eq(kit_play("/whep/r/a", one).status, 201);
    cr_expect_eq(kit_play("/whep/r/a", one).status, 429);
}

Test(permit, revocation_ends_sessions_and_refuses_the_token)
{
    kit_go();
    const char *t = bearer(ALL ",\"jti\":\"bad-1\"");
    cr_expect_eq(kit_publish("/whip/r/a", t).status, 201);
    cr_expect_eq(kit_play("/whep/r/a", bearer(ALL ",\"jti\":\"good\"")).status, 201);
    cr_expect_eq(kit_play("/whep/r/a", t).status, 201);
    struct reply r = kit_admin("DELETE", "/api/v1/tokens/bad-1");
    cr_expect_eq(r.status, 200);
    cr_expect_str_eq(r.body, "{\"sessions_ended\":2}");
    cr_expect_eq(kit_count(API_CMD_SESSION_END), 2);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_REVOKED);
    r = kit_publish("/whip/r/a", t);
    cr_expect_eq(r.status, 401);
    cr_expect_not_null(strstr(r.body, "revoked"));
    cr_expect_eq(kit_publish("/whip/r/a", bearer(ALL ",\"jti\":\"bad-2\"")).status, 201);
    cr_expect_not_null(strstr(kit_admin("GET", "/metrics").body,
                              "sluice_tokens_refused_total{reason=\"revoked\"} 1\n"));
    cr_expect_eq(kit_admin("DELETE", "/api/v1/tokens/").status, 404);
    cr_expect_eq(kit_admin("GET", "/api/v1/tokens/x").status, 405);
}

Test(permit, expiry_ends_sessions_only_when_asked_to)
{
    for (int end = 0; end < 2; end++) {
        char claims[256];
        char header[2048];
        if (end == 1) {
            kit_stop();
            prepare();
        }
        kit.conf->auth.end_on_expiry = end == 1;
        kit.conf->auth.leeway_s = 0;
        kit_go();
        snprintf(claims, sizeof(claims), "{" ALL ",\"exp\":%lld}",
                 (long long)(clock_wall_us() / US_PER_S + 1));
        snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n",
                 jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", claims));
        cr_assert_eq(kit_publish("/whip/r/a", header).status, 201);
        int64_t until = clock_now_us() + (end == 1 ? 10 : 3) * (int64_t)US_PER_S;
        while (clock_now_us() < until && kit_count(API_CMD_SESSION_END) == 0) {
            kit_turn();
        }
        cr_expect_eq(kit_count(API_CMD_SESSION_END), end);
    }
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_EXPIRED);
}

/* ---- moderators ---- */

static struct reply moderate(const char *path, const char *token, const char *body)
{
    char headers[2300];
    char full[128];
    snprintf(headers, sizeof(headers), "Content-Type: application/json\r\n%s", token);
    snprintf(full, sizeof(full), "/moderate/%s", path);
    return kit_do("POST", full, headers, body);
}

Test(permit, moderators_act_in_their_rooms_only)
{
    kit_go();
    const char *mod = bearer("\"room\":\"r\",\"moderate\":true");
    const char *plain = bearer(ALL);
    kit_publish("/whip/r/bob", bearer(ALL ",\"sub\":\"bob\",\"jti\":\"b\""));
    static const struct {
        const char *path, *body;
        int status;
    } rows[] = {
        {"r/bob/mute", "{\"video\":false}", 204},
        {"r/bob/unmute", "", 204},
        {"r/bob/mute", "{", 400},
        {"r/nobody/mute", "", 404},
        {"r/bob/sing", "", 404},
        {"r/sing", "", 404},
        {"r/lock", "", 204},
        {"r/unlock", "", 204},
        {"q/lock", "", 403},
        {"r/../lock", "", 404},
        {"r", "", 404},
        {"r/bob/mute/x", "", 404},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply r = moderate(rows[i].path, mod, rows[i].body);
        cr_expect_eq(r.status, rows[i].status, "%s: %d %s", rows[i].path, r.status, r.body);
    }
    cr_expect_eq(kit_count(API_CMD_MUTE), 2);
    cr_expect_eq(moderate("r/bob/mute", plain, "").status, 403);
    cr_expect_eq(moderate("r/bob/mute", "", "").status, 401);
    cr_expect_eq(kit_do("GET", "/moderate/r/lock", "", NULL).status, 405);
    struct reply r = kit_do("OPTIONS", "/moderate/r/lock", "Origin: https://a.example\r\n", NULL);
    cr_expect_str_eq(kit_header(&r, "Access-Control-Allow-Methods"), "POST, OPTIONS");
    cr_expect_eq(moderate("r/bob/remove", mod, "{\"revoke\":true}").status, 204);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_REVOKED);
    cr_expect_eq(kit_publish("/whip/r/bob", bearer(ALL ",\"sub\":\"bob\",\"jti\":\"b\"")).status,
                 401);
    cr_expect_eq(kit_publish("/whip/r/bob", bearer(ALL ",\"sub\":\"bob\",\"jti\":\"c\"")).status,
                 201);
    cr_expect_eq(moderate("r/end", mod, "").status, 204);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_ROOM);
    cr_expect_eq(moderate("r/end", mod, "").status, 404);
}

Test(permit, a_locked_room_takes_nobody_new)
{
    kit_go();
    const char *alice = bearer(ALL ",\"sub\":\"alice\"");
    const char *bob = bearer(ALL ",\"sub\":\"bob\"");
    const char *mod = bearer(ALL ",\"sub\":\"mod\",\"moderate\":true");
    cr_assert_eq(kit_publish("/whip/r/alice", alice).status, 201);
    cr_assert_eq(moderate("r/lock", mod, "").status, 204);
    struct reply r = kit_publish("/whip/r/bob", bob);
    cr_expect_eq(r.status, 403);
    cr_expect_not_null(strstr(r.body, "room-locked"));
    cr_expect_eq(kit_play("/whep/r/alice", bob).status, 403);
    cr_expect_eq(kit_play("/whep/r/alice", alice).status, 201, "who is in it");
    cr_expect_eq(kit_publish("/whip/r/alice", alice).status, 201);
    cr_expect_eq(kit_play("/whep/r/alice", mod).status, 201);
    cr_expect_eq(kit_publish("/whip/q/bob", bob).status, 201, "another room");
    cr_assert_eq(moderate("r/unlock", mod, "").status, 204);
    cr_expect_eq(kit_play("/whep/r/alice", bob).status, 201);
    /* The lock goes with the room. */
    cr_assert_eq(moderate("r/lock", mod, "").status, 204);
    cr_assert_eq(moderate("r/end", mod, "").status, 204);
    cr_expect_eq(kit_publish("/whip/r/bob", bob).status, 201);
}

/* ---- fetched keys ---- */

static const char *key_set(EVP_PKEY *ed, const char *kid)
{
    static char text[512];
    uint8_t raw[32];
    size_t len = sizeof(raw);
    char x[64] = "";
    EVP_PKEY_get_raw_public_key(ed, raw, &len);
    jwt_kit_b64(x, raw, len);
    snprintf(text, sizeof(text),
             "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"%s\"}]}", kid,
             x);
    return text;
}

static const char *ed_bearer(EVP_PKEY *ed, const char *kid)
{
    static char out[2048];
    char header[128];
    char claims[256];
    snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", kid);
    snprintf(claims, sizeof(claims), "{" ALL ",\"exp\":%lld}",
             (long long)(clock_wall_us() / US_PER_S + 60));
    snprintf(out, sizeof(out), "Authorization: Bearer %s\r\n",
             jwt_kit_make("EdDSA", ed, header, claims));
    return out;
}

/* The stub shares the kit's loop. */
static void start_with_set(void)
{
    cr_assert_eq(uv_loop_init(&kit.loop), 0);
    stub_start(&kit.loop);
    snprintf(kit.conf->auth.jwks_url, sizeof(kit.conf->auth.jwks_url), "%s", stub_url("/keys"));
    const char *what = "";
    kit.cert = cert_new();
    struct signaling_params p = {.loop = &kit.loop, .conf = kit.conf, .cert = kit.cert};
    cr_assert_eq(signaling_start(&p, &kit.s, &what), 0, "%s", what);
    cr_assert_eq(signaling_set_plane(kit.s, &kit_plane, &what), 0, "%s", what);
}

Test(permit, keys_are_fetched_and_a_token_may_wait_for_them)
{
    stub.body = "";
    start_with_set();
    stub.body = key_set(jwt_kit.ed, "one");
    /* The first fetch may still be under way: the POST waits for it. */
    struct reply r = kit_publish("/whip/r/a", ed_bearer(jwt_kit.ed, "one"));
    cr_expect_eq(r.status, 201, "%s", r.body);
    cr_expect_eq(stub.n, 1);
    cr_expect_eq(strncmp(stub.requests[0].text, "GET /keys HTTP/1.1\r\n", 20), 0);
    cr_expect_eq(kit_publish("/whip/r/b", ed_bearer(jwt_kit.ed, "one")).status, 201);
    cr_expect_eq(stub.n, 1, "keys are kept");
    /* A key that the set does not have: no second fetch within ten seconds, however many ask. */
    for (int i = 0; i < 20; i++) {
        r = kit_publish("/whip/r/c", ed_bearer(jwt_kit.ed2, "two"));
        cr_expect_eq(r.status, 401);
    }
    cr_expect_eq(stub.n, 1);
    /* The key of the settings works beside it, and a forged one under the known kid does not. */
    cr_expect_eq(kit_publish("/whip/r/d", bearer(ALL)).status, 201);
    cr_expect_eq(kit_publish("/whip/r/e", ed_bearer(jwt_kit.ed2, "one")).status, 401);
    cr_expect_not_null(strstr(kit_admin("GET", "/metrics").body, "sluice_jwks_keys 1\n"));
    stub_stop();
    stub_free();
}

Test(permit, a_set_that_cannot_be_had_is_401_and_closes_nothing)
{
    start_with_set();
    stub.status = 500;
    cr_expect_eq(kit_publish("/whip/r/a", ed_bearer(jwt_kit.ed, "one")).status, 401);
    cr_expect_eq(kit_publish("/whip/r/d", bearer(ALL)).status, 201);
    cr_expect_not_null(strstr(kit_admin("GET", "/metrics").body,
                              "sluice_jwks_fetches_total{result=\"failed\"} 1\n"));
    stub_stop();
    stub_free();
}

Test(permit, stops_while_a_post_waits_for_keys)
{
    start_with_set();
    stub.status = -1;
    char text[8192];
    const char *body = KIT_OFFER("sendonly");
    int n =
        snprintf(text, sizeof(text),
                 "POST /whip/r/a HTTP/1.1\r\nHost: a\r\n" KIT_SDP "%sContent-Length: %zu\r\n\r\n%s",
                 ed_bearer(jwt_kit.ed, "one"), strlen(body), body);
    int fd = kit_connect(signaling_port(kit.s));
    kit_send(fd, text, (size_t)n);
    while (stub.n < 1) {
        kit_turn();
    }
    for (int i = 0; i < 50; i++) {
        kit_turn();
    }
    close(fd);
    stub_stop();
    stub_free();
    /* kit_stop checks that nothing is left open, the sanitizer that nothing is lost. */
}

/* ---- the operator's hook ---- */

/* Long enough for a machine that stands still; shorter where no answer is to come. */
#define HOOK_PATIENCE_MS 10000

static void start_with_hook(void)
{
    cr_assert_eq(uv_loop_init(&kit.loop), 0);
    stub_start(&kit.loop);
    snprintf(kit.conf->auth.hook_url, sizeof(kit.conf->auth.hook_url), "%s", stub_url("/may"));
    kit.conf->auth.hook_timeout_ms = HOOK_PATIENCE_MS;
    const char *what = "";
    kit.cert = cert_new();
    struct signaling_params p = {.loop = &kit.loop, .conf = kit.conf, .cert = kit.cert};
    cr_assert_eq(signaling_start(&p, &kit.s, &what), 0, "%s", what);
    cr_assert_eq(signaling_set_plane(kit.s, &kit_plane, &what), 0, "%s", what);
}

Test(permit, the_hook_decides_and_fails_closed)
{
    static char large[9000];
    memset(large, ' ', sizeof(large) - 1);
    static const struct {
        int status;
        const char *head, *body;
        int want;
    } rows[] = {
        {200, "", "", 201},
        {204, "", "", 201},
        {200, "", "ok", 201},
        {200, "", "0", 201},
        {200, "", "{\"allow\":true}", 201},
        {200, "", "{}", 201},
        {200, "", "{\"allow\":false}", 403},
        {200, "", "{\"allow\":\"yes\"}", 503},
        {200, "", "{\"allow\":tru", 503},
        {401, "", "", 403},
        {403, "", "", 403},
        {404, "", "", 503},
        {500, "", "{\"allow\":true}", 503},
        {302, "Location: http://127.0.0.1:1/\r\n", "", 503},
        {200, "", large, 503},
        {0, "", "", 503},
        {-1, "", "", 503},
    };
    start_with_hook();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        stub.status = rows[i].status;
        stub.head = rows[i].head;
        stub.body = rows[i].body;
        kit.conf->auth.hook_timeout_ms = rows[i].status < 0 ? 200 : HOOK_PATIENCE_MS;
        struct reply r = kit_publish("/whip/r/a", bearer(ALL ",\"sub\":\"u\""));
        cr_expect_eq(r.status, rows[i].want, "row %zu: %d %s", i, r.status, r.body);
        cr_expect_eq(kit_header(&r, "Retry-After") != NULL, rows[i].want == 503, "row %zu", i);
    }
    cr_expect_eq(stub.n, (int)ARRAY_LEN(rows), "each time anew");
    const char *asked = stub.requests[0].body;
    cr_expect_not_null(strstr(asked, "\"action\":\"publish\",\"room\":\"r\",\"participant\":\"a\""),
                       "%s", asked);
    cr_expect_not_null(
        strstr(asked, "\"principal\":\"sub:u\",\"client\":\"127.0.0.1\",\"token\":\"ey"), "%s",
        asked);
    stub.status = 200;
    stub.body = "";
    stub.head = "";
    cr_expect_eq(kit_play("/whep/r/a", bearer(ALL)).status, 201);
    cr_expect_not_null(strstr(stub.requests[stub.n - 1].body, "\"action\":\"play\""));
    /* The hook is not asked about what the token does not permit. */
    int before = stub.n;
    cr_expect_eq(kit_publish("/whip/r/a", "").status, 401);
    cr_expect_eq(kit_publish("/whip/r/a", bearer("\"room\":\"q\",\"publish\":true")).status, 403);
    cr_expect_eq(stub.n, before);
    stub_stop();
    stub_free();
}

Test(permit, the_hook_alone_is_enough)
{
    kit.conf->auth.n_keys = 0;
    start_with_hook();
    cr_expect_eq(kit_publish("/whip/r/a", "Authorization: Bearer whatever\r\n").status, 201);
    cr_expect_not_null(strstr(stub.requests[0].body, "\"token\":\"whatever\""));
    cr_expect_eq(kit_play("/whep/r/a", "").status, 201);
    cr_expect_null(strstr(stub.requests[1].body, "\"token\""));
    /* The same token takes over, another does not. */
    cr_expect_eq(kit_publish("/whip/r/a", "Authorization: Bearer whatever\r\n").status, 201);
    cr_expect_eq(kit_publish("/whip/r/a", "Authorization: Bearer other\r\n").status, 409);
    stub.status = 403;
    cr_expect_eq(kit_publish("/whip/r/b", "").status, 403);
    stub_stop();
    stub_free();
}
