/* SPDX-License-Identifier: Apache-2.0 */
/* Session URLs: trickle, restart, entity tags, DELETE, the 30 s after. */
#include "tests/http_kit.h"

TestSuite(session, .init = kit_start, .fini = kit_stop);

#define RESTART(u) "a=ice-ufrag:" u "\r\na=ice-pwd:anotherpasswordanotherpw" u "\r\n"

static char session[256];
static char tag[64];

static void open_session(const char *headers)
{
    struct reply r = kit_publish("/whip/r", headers);
    cr_assert_eq(r.status, 201, "%s", r.body);
    snprintf(session, sizeof(session), "%s", kit_session(&r));
    snprintf(tag, sizeof(tag), "%s", kit_header(&r, "ETag"));
}

/* A PATCH with If-Match (NULL: none) and more headers. */
static struct reply patch(const char *if_match, const char *more, const char *body)
{
    char headers[512];
    snprintf(headers, sizeof(headers), "%s%s%s%s", if_match != NULL ? "If-Match: " : "",
             if_match != NULL ? if_match : "", if_match != NULL ? "\r\n" : "", more);
    return kit_do("PATCH", session, headers, body);
}

static void expect_row(size_t i, const char *id, struct reply r, int status)
{
    cr_expect_eq(r.status, status, "row %zu (%s): %d %s", i, id, r.status, r.body);
    if (status == 204) {
        cr_expect_null(kit_header(&r, "ETag"), "row %zu (%s): WHIP-31", i, id);
        cr_expect_eq(r.body_len, 0);
    }
}

Test(session, patches_with_current_credentials_are_trickle)
{
    open_session("");
    char list[256];
    char eyevinn[256];
    char weak[128];
    static char mib[1 << 18];
    memset(mib, 'a', sizeof(mib) - 1);
    snprintf(list, sizeof(list), "\"a\", %s", tag);
    snprintf(eyevinn, sizeof(eyevinn), KIT_FRAG "ETag: %s\r\n", tag);
    snprintf(weak, sizeof(weak), "W/%s", tag);
    const struct {
        const char *id;
        const char *if_match;
        const char *more;
        const char *body;
        int status;
    } rows[] = {
        {"WHIP-31", tag, KIT_FRAG, KIT_CURRENT KIT_CANDIDATE, 204},
        {"WHIP-32", NULL, KIT_FRAG, KIT_CURRENT KIT_CANDIDATE, 204}, /* lenient by default */
        {"WHIP-33", "\"old\"", KIT_FRAG, KIT_CURRENT KIT_CANDIDATE, 412},
        {"WHIP-33", weak, KIT_FRAG, KIT_CURRENT, 412},
        {"WHIP-34", list, KIT_FRAG, KIT_CURRENT KIT_CANDIDATE, 204},
        {"WHIP-35", "*", KIT_FRAG, KIT_CURRENT KIT_CANDIDATE, 204},
        {"WHIP-35", "\"*\"", KIT_FRAG, KIT_CURRENT KIT_CANDIDATE, 204},
        {"Eyevinn", NULL, eyevinn, KIT_CURRENT KIT_CANDIDATE, 204},
        {"WHIP-36", tag, "Content-Type: text/plain\r\n", KIT_CURRENT, 415},
        {"WHIP-36", tag, "", KIT_CURRENT, 415},
        {"WHIP-36", tag, KIT_SDP, KIT_CURRENT, 415},
        {"WHIP-37", tag, KIT_FRAG, "a=candidate:1 1 UDP 1 192.0.2.1 1 typ host\r\n", 400},
        {"WHIP-37", tag, KIT_FRAG, "a=ice-ufrag:clnt\r\n", 400},
        {"WHIP-37", tag, KIT_FRAG, "", 400},
        {"WHIP-37", tag, KIT_FRAG, mib, 413},
        {"WHIP-39", tag, KIT_FRAG,
         KIT_CURRENT "a=candidate:1 1 TCP 1 192.0.2.1 9 typ host tcptype active\r\n"
                     "a=candidate:2 1 UDP 1 ab-cd.local 9 typ host\r\n"
                     "a=candidate:3 1 DCCP 1 192.0.2.1 9 typ host\r\n"
                     "a=end-of-candidates\r\n",
         204},
        {"WHIP-40", tag, KIT_FRAG,
         "a=ice-ufrag:clnt\r\na=ice-pwd:clientpasswordclientpass\r\nm=audio 9 RTP/AVP 0\r\n"
         "a=mid:nope\r\n",
         400},
        {"WHIP-40", tag, KIT_FRAG, KIT_CURRENT "m=video 9 RTP/AVP 0\r\na=mid:1\r\n" KIT_CANDIDATE,
         204},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_row(i, rows[i].id, patch(rows[i].if_match, rows[i].more, rows[i].body),
                   rows[i].status);
    }
    cr_expect_eq(kit_count(API_CMD_SESSION_ICE), 0);
    cr_expect_eq(kit_do("GET", session, "", NULL).status, 200, "it lives on");
    kit.conf->http.etag_mode = CONF_ETAG_STRICT;
    expect_row(100, "WHIP-32", patch(NULL, KIT_FRAG, KIT_CURRENT KIT_CANDIDATE), 428);
    expect_row(101, "WHIP-31", patch(tag, KIT_FRAG, KIT_CURRENT KIT_CANDIDATE), 204);
}

Test(session, new_credentials_restart_ice)
{
    open_session("");
    uint64_t id = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    int worker = kit_last(API_CMD_SESSION_ADD)->worker;
    char first_local[32];
    strcpy(first_local, kit_last(API_CMD_SESSION_ADD)->cmd.u.session->link.creds.local_ufrag);

    expect_row(0, "WHIP-32", patch(NULL, KIT_FRAG, RESTART("gen1")), 428);
    expect_row(1, "WHIP-33", patch("\"old\"", KIT_FRAG, RESTART("gen1")), 412);
    struct reply r = patch("*", KIT_FRAG, RESTART("gen1")); /* WHIP-41; medooze: no m-line */
    cr_assert_eq(r.status, 200, "%s", r.body);
    cr_expect_str_eq(kit_header(&r, "Content-Type"), "application/trickle-ice-sdpfrag");
    cr_expect_not_null(strstr(r.body, "a=ice-ufrag:"));
    cr_expect_not_null(strstr(r.body, "a=ice-pwd:"));
    cr_expect_not_null(strstr(r.body, "a=candidate:"));
    cr_expect_not_null(strstr(r.body, "a=ice-lite"), "WHIP-45: %s", r.body);
    cr_expect_str_eq(r.body + r.body_len - 2, "\r\n"); /* WHIP-47 */
    cr_expect_str_neq(kit_header(&r, "ETag"), tag);
    char tag1[64];
    snprintf(tag1, sizeof(tag1), "%s", kit_header(&r, "ETag"));
    const struct kit_cmd *ice = kit_last(API_CMD_SESSION_ICE);
    cr_assert_not_null(ice);
    cr_expect_eq(ice->cmd.id, id);
    cr_expect_eq(ice->worker, worker);
    cr_expect_str_eq(ice->cmd.u.creds->remote_ufrag, "gen1");
    cr_expect_str_neq(ice->cmd.u.creds->local_ufrag, first_local);
    cr_expect_eq(owner_of_ufrag(ice->cmd.u.creds->local_ufrag, 12), worker);
    cr_expect_not_null(strstr(r.body, ice->cmd.u.creds->local_ufrag));

    expect_row(2, "WHIP-46", patch("*", KIT_FRAG, KIT_CURRENT KIT_CANDIDATE), 412);
    expect_row(3, "WHIP-33", patch(tag, KIT_FRAG, RESTART("gen1")), 412);
    expect_row(4, "again", patch("*", KIT_FRAG, RESTART("gen1")), 204);
    expect_row(5, "WHIP-31", patch(tag1, KIT_FRAG, RESTART("gen1") KIT_CANDIDATE), 204);
    r = patch(tag1, KIT_FRAG, RESTART("gen2")); /* WHIP-42: with the tag instead of * */
    cr_expect_eq(r.status, 200);
    cr_expect_str_neq(kit_header(&r, "ETag"), tag1);
    expect_row(6, "WHIP-46", patch("*", KIT_FRAG, RESTART("gen1")), 412);
    expect_row(7, "pwd",
               patch("*", KIT_FRAG, "a=ice-ufrag:gen2\r\na=ice-pwd:notthepasswordnotthepw1\r\n"),
               400);
    cr_expect_eq(kit_count(API_CMD_SESSION_ICE), 2);

    kit_plane.full = true; /* WHIP-43 */
    r = patch("*", KIT_FRAG, RESTART("gen3"));
    cr_expect_eq(r.status, 503);
    kit_plane.full = false;
    expect_row(8, "WHIP-43", patch("*", KIT_FRAG, RESTART("gen2") KIT_CANDIDATE), 204);
}

Test(session, other_methods)
{
    open_session("");
    static const struct kit_row rows[] = {
        {"WHIP-11", "GET", session, "", NULL, 200, "Content-Length", "0"},
        {"WHIP-12", "HEAD", session, "", NULL, 200, "Content-Length", "0"},
        {"WHIP-12", "POST", session, "Content-Type: application/json\r\n", "{}", 405, "Allow",
         "GET"},
        {"WHIP-12", "PUT", session, "", "x", 405, "Allow", "GET"},
        {"WHIP-15", "OPTIONS", session,
         "Origin: https://x.example\r\nAccess-Control-Request-Method: PATCH\r\n", NULL, 200,
         "Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE"},
        {"WHIP-15", "OPTIONS", session,
         "Origin: https://x.example\r\nAccess-Control-Request-Method: DELETE\r\n", NULL, 200,
         "Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, ETag"},
        {"WHIP-36", "OPTIONS", session, "", NULL, 200, "Accept-Patch",
         "application/trickle-ice-sdpfrag"},
    };
    kit_judge(rows, ARRAY_LEN(rows));
    cr_expect_eq(kit_count(API_CMD_SESSION_END), 0, "none of these ends it");
}

Test(session, delete_is_200_again_and_again_for_a_while)
{
    open_session("");
    uint64_t id = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    struct reply r = kit_do("DELETE", session, "If-Match: \"stale\"\r\n", NULL);
    cr_expect_eq(r.status, 200, "WHIP-26, 27"); /* 200, not 204: OBS */
    cr_expect_str_eq(kit_header(&r, "Content-Length"), "0");
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.id, id);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_CLIENT);
    cr_expect_eq(kit_last(API_CMD_STREAM_SOURCE)->cmd.u.source.worker, -1);
    cr_expect_eq(kit_do("DELETE", session, "", NULL).status, 200, "WHIP-28");
    cr_expect_eq(kit_do("GET", session, "", NULL).status, 404);
    cr_expect_eq(patch("*", KIT_FRAG, KIT_CURRENT).status, 404);
    kit_say(API_EV_ENDED, id, API_END_CLIENT);
    cr_expect_eq(kit_do("DELETE", session, "", NULL).status, 200);
    cr_expect_eq(kit_count(API_CMD_SESSION_END), 1);
    cr_expect_eq(kit_do("DELETE", "/session/0123456789abcdef0123456789abcdef", "", NULL).status,
                 404);
    cr_expect_eq(kit_do("DELETE", "/session/x", "", NULL).status, 404, "not 400");
    cr_expect_eq(kit_do("DELETE", "/session/", "", NULL).status, 404);
}

Test(session, delete_after_the_peers_goodbye_is_200)
{
    /* WHIP-29: OBS closes DTLS first. */
    open_session("");
    kit_say(API_EV_ENDED, kit_last(API_CMD_SESSION_ADD)->cmd.id, API_END_PEER_CLOSED);
    cr_expect_eq(kit_do("GET", session, "", NULL).status, 404);
    cr_expect_eq(kit_do("DELETE", session, "", NULL).status, 200);
    cr_expect_eq(kit_count(API_CMD_SESSION_END), 0);
}

Test(session, viewers_have_no_counter_offer_to_answer)
{
    kit_publish("/whip/r", "");
    struct reply r = kit_play("/whep/r", "");
    snprintf(session, sizeof(session), "%s", kit_session(&r));
    expect_row(0, "WHEP-08", patch("*", KIT_SDP, KIT_OFFER("sendonly")), 422);
    expect_row(1, "WHEP-14", patch(NULL, KIT_FRAG, KIT_CURRENT KIT_CANDIDATE), 204);
}

static void tokens(void)
{
    kit_stop(); // the suite started a plain one
    kit_prepare();
    kit_token("alice-token", "alice", "*", true, true);
    kit_token("alice-new", "alice", "*", true, true);
    kit_token("bob-token", "bob", "*", true, true);
    kit_go();
}

Test(session, the_url_suffices_but_a_wrong_token_does_not, .init = tokens)
{
    /* WHIP-24 */
    open_session("Authorization: Bearer alice-token\r\n");
    static const struct {
        const char *headers;
        bool required;
        int status;
    } rows[] = {
        {KIT_FRAG, false, 204},
        {KIT_FRAG "Authorization: Bearer alice-token\r\n", false, 204},
        {KIT_FRAG "Authorization: Bearer alice-new\r\n", false, 204}, /* the same principal */
        {KIT_FRAG "Authorization: Bearer wrong\r\n", false, 401},
        {KIT_FRAG "Authorization: Bearer bob-token\r\n", false, 403},
        {KIT_FRAG, true, 401},
        {KIT_FRAG "Authorization: Bearer alice-token\r\n", true, 204},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        kit.conf->http.require_token_on_session = rows[i].required;
        struct reply r = kit_do("PATCH", session, rows[i].headers, KIT_CURRENT);
        cr_expect_eq(r.status, rows[i].status, "row %zu: %d", i, r.status);
    }
    cr_expect_eq(kit_do("DELETE", session, "Authorization: Bearer wrong\r\n", NULL).status, 401);
    cr_expect_eq(kit_do("DELETE", session, "", NULL).status, 401, "token required by setting");
    kit.conf->http.require_token_on_session = false;
    cr_expect_eq(kit_do("DELETE", session, "", NULL).status, 200);
}

Test(session, guesses_are_limited_and_real_deletes_are_not)
{
    kit.conf->http.posts_per_ip_per_s = 1;
    open_session("");
    int limited = 0;
    for (int i = 0; i < 20; i++) {
        struct reply r = kit_do("GET", "/session/0123456789abcdef0123456789abcdef", "", NULL);
        limited += r.status == 429 ? 1 : 0;
        cr_expect(r.status != 429 || kit_header(&r, "Retry-After") != NULL);
    }
    cr_expect_geq(limited, 14);
    cr_expect_eq(kit_publish("/whip/x", "").status, 429, "WHIP-56");
    cr_expect_eq(patch("*", KIT_FRAG, KIT_CURRENT).status, 429);
    cr_expect_eq(kit_do("DELETE", session, "", NULL).status, 200);
}
