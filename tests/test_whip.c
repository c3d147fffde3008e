/* SPDX-License-Identifier: Apache-2.0 */
/* WHIP endpoints over real sockets: rows carry the numbers of the compliance list. */
#include "tests/http_kit.h"

#define ORIGIN_POST "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
#define PREFLIGHT                                                                                  \
    ORIGIN_POST "Access-Control-Request-Headers: authorization,content-type,if-match\r\n"

TestSuite(whip, .init = kit_start, .fini = kit_stop);

Test(whip, answers_an_offer_with_all_a_client_needs)
{
    struct reply r = kit_publish("/whip/room/alice", "Origin: https://app.example\r\n");
    cr_assert_eq(r.status, 201, "%s%s", r.head, r.body); /* WHIP-01 */
    cr_expect_str_eq(kit_header(&r, "Content-Type"), "application/sdp");
    cr_expect_eq(strncmp(r.body, "v=0\r\n", 5), 0);
    cr_expect_not_null(strstr(r.body, "a=recvonly\r\n"));
    cr_expect_not_null(strstr(r.body, " 192.0.2.7 8189 typ host"));
    const char *location = kit_header(&r, "Location");
    cr_expect_eq(strncmp(location, "/session/", 9), 0, "%s", location);
    cr_expect_eq(strlen(location), 9 + 32); /* WHIP-25 */
    cr_expect_null(strstr(location, "room"));
    const char *tag = kit_header(&r, "ETag"); /* WHIP-30 */
    cr_expect(tag[0] == '"' && tag[strlen(tag) - 1] == '"' && strlen(tag) > 8, "%s", tag);
    cr_expect_str_eq(kit_header(&r, "Access-Control-Allow-Origin"), "*");
    const char *expose = kit_header(&r, "Access-Control-Expose-Headers"); /* WHIP-17 */
    static const char *const exposed[] = {"Location", "ETag", "Link", "Retry-After",
                                          "WWW-Authenticate"};
    for (size_t i = 0; i < ARRAY_LEN(exposed); i++) {
        cr_expect_not_null(strstr(expose, exposed[i]), "%s", exposed[i]);
    }
    cr_expect_str_eq(kit_header(&r, "Cache-Control"), "no-store");
    cr_expect_str_eq(kit_header(&r, "Accept-Patch"), "application/trickle-ice-sdpfrag");
    cr_expect_str_eq(kit_header(&r, "X-Content-Type-Options"), "nosniff");

    /* What the plane was told: the session on one worker, its stream's source on all. */
    const struct kit_cmd *add = kit_cmd(API_CMD_SESSION_ADD, 0);
    cr_assert_not_null(add);
    const struct api_session *session = add->cmd.u.session;
    cr_expect_eq(session->role, API_PUBLISH);
    cr_expect_eq(session->id, add->cmd.id);
    cr_expect_str_eq(session->label, "room/alice");
    cr_expect_eq(session->link.cert, kit.cert);
    cr_expect_eq(session->max_kbps, 20000);
    cr_expect_str_eq(session->link.creds.remote_ufrag, "clnt");
    cr_expect_eq(owner_of_ufrag(session->link.creds.local_ufrag, 12), add->worker);
    cr_expect_eq(kit_count(API_CMD_STREAM_SOURCE), KIT_WORKERS);
    for (int i = 0; i < KIT_WORKERS; i++) {
        const struct kit_cmd *c = kit_cmd(API_CMD_STREAM_SOURCE, i);
        cr_expect_eq(c->worker, i);
        cr_expect_eq(c->cmd.id, session->stream);
        cr_expect_eq(c->cmd.u.source.worker, add->worker);
        cr_expect_eq(c->cmd.u.source.publisher, session->id);
    }
}

Test(whip, works_around_known_faults)
{
    struct reply r =
        kit_publish("/whip/room/obs", "User-Agent: Mozilla/5.0 (OBS-Studio/30.1.2)\r\n");
    cr_assert_eq(r.status, 201, "%s%s", r.head, r.body);
    const struct api_session *session = kit_cmd(API_CMD_SESSION_ADD, 0)->cmd.u.session;
    cr_expect_eq(session->quirks, (unsigned)(API_QUIRK_NO_PLI | API_QUIRK_NO_NACK));
    for (int i = 0; i < session->n_mlines; i++) {
        for (int k = 0; k < session->mlines[i].n_codecs; k++) {
            cr_expect_not(session->mlines[i].codecs[k].nack, "nothing is asked for again");
        }
    }
}

Test(whip, judges_each_request_by_itself)
{
    static char nuls[] = "v=0\r\n\1\2\3garbage";
    static const struct kit_row rows[] = {
        {"WHIP-02", "POST", "/whip/a", "Content-Type: Application/SDP; charset=utf-8\r\n",
         KIT_OFFER("sendonly"), 201, "Location", NULL},
        {"WHIP-03", "POST", "/whip/b", "Content-Type: text/plain\r\n", KIT_OFFER("sendonly"), 415,
         "Accept-Post", "application/sdp"},
        {"WHIP-03", "POST", "/whip/b", "", KIT_OFFER("sendonly"), 415, "Accept-Post", NULL},
        {"WHIP-03", "POST", "/whip/b", "Content-Type: application/sdpx\r\n", KIT_OFFER("sendonly"),
         415, "Accept-Post", NULL},
        {"RFC 9110 8.4", "POST", "/whip/b", KIT_SDP "Content-Encoding: gzip\r\n", "\x1f\x8b", 415,
         "Accept-Encoding", "identity"},
        {"RFC 9110 8.4", "POST", "/whip/e", KIT_SDP "Content-Encoding: identity\r\n",
         KIT_OFFER("sendonly"), 201, "Location", NULL},
        {"WHIP-04", "POST", "/whip/b", KIT_SDP, "", 400, NULL, NULL},
        {"WHIP-04", "POST", "/whip/b", KIT_SDP, NULL, 400, NULL, NULL},
        {"WHIP-05", "POST", "/whip/b", KIT_SDP, "v=0\r\ngarbage", 400, NULL, NULL},
        {"WHIP-05", "POST", "/whip/b", KIT_SDP, nuls, 400, NULL, NULL},
        {"WHIP-06", "POST", "/whip/b", KIT_SDP, KIT_OFFER("recvonly"), 422, NULL, NULL},
        {"WHIP-07", "POST", "/whip/b", KIT_SDP, KIT_OFFER("inactive"), 422, NULL, NULL},
        {"WHIP-08", "POST", "/whip/c", KIT_SDP, KIT_OFFER("sendrecv"), 201, "ETag", "\""},
        {"WHIP-10", "GET", "/whip/b", "", NULL, 200, "Content-Length", "0"},
        {"WHIP-12", "HEAD", "/whip/b", "", NULL, 200, "Content-Length", "0"},
        {"WHIP-12", "PUT", "/whip/b", KIT_SDP, KIT_OFFER("sendonly"), 405, "Allow", "GET, HEAD"},
        {"WHIP-12", "DELETE", "/whip/b", "", NULL, 405, "Allow", NULL},
        {"WHIP-12", "PATCH", "/whip/b", KIT_FRAG, KIT_CURRENT, 405, "Allow", NULL},
        {"WHIP-12", "BREW", "/whip/b", "", NULL, 405, "Allow", NULL},
        {"WHIP-13", "OPTIONS", "/whip/b", PREFLIGHT, NULL, 200, "Access-Control-Allow-Origin", "*"},
        {"WHIP-13", "OPTIONS", "/whip/b", PREFLIGHT, NULL, 200, "Access-Control-Allow-Methods",
         "GET, HEAD, POST, PATCH, DELETE, OPTIONS"},
        {"WHIP-14", "OPTIONS", "/whip/b", "", NULL, 200, "Accept-Post", "application/sdp"},
        {"WHIP-16", "OPTIONS", "/whip/b", PREFLIGHT, NULL, 200, "Access-Control-Allow-Headers",
         "Authorization, Content-Type, If-Match, ETag"},
        {"WHIP-16", "OPTIONS", "/whip/b",
         ORIGIN_POST "Access-Control-Request-Headers: content-type,oven-capabilities\r\n", NULL,
         200, "Access-Control-Allow-Headers",
         "Authorization, Content-Type, If-Match, ETag, content-type,oven-capabilities"},
        {"SEC-13", "OPTIONS", "/whip/b",
         ORIGIN_POST "Access-Control-Request-Headers: x<script>\r\n", NULL, 200,
         "Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, ETag"},
        {"WHIP-18", "POST", "/whip/b", "Origin: https://app.example\r\n", "x", 415,
         "Access-Control-Allow-Origin", "*"},
        {"WHIP-18", "GET", "/nowhere", "Origin: https://app.example\r\n", NULL, 404,
         "Access-Control-Allow-Origin", "*"},
        {"WHIP-19", "OPTIONS", "/whip/b",
         PREFLIGHT "Access-Control-Request-Private-Network: true\r\n", NULL, 200,
         "Access-Control-Allow-Private-Network", "true"},
        {"WHIP-22", "POST", "/whip/d", KIT_SDP "Authorization: Bearer undefined\r\n",
         KIT_OFFER("sendonly"), 201, "Location", NULL},
        {"WHIP-51", "POST", "/whip/b", KIT_SDP, "x", 400, "Content-Type",
         "application/problem+json"},
        {"SEC-32", "POST", "/whip/..", KIT_SDP, KIT_OFFER("sendonly"), 404, NULL, NULL},
        {"SEC-32", "POST", "/whip/%2e%2e/x", KIT_SDP, KIT_OFFER("sendonly"), 404, NULL, NULL},
        {"SEC-32", "POST", "/whip/a%2fb", KIT_SDP, KIT_OFFER("sendonly"), 404, NULL, NULL},
        {"SEC-32", "POST", "/whip/a/b/c", KIT_SDP, KIT_OFFER("sendonly"), 404, NULL, NULL},
        {"SEC-32", "POST", "/whip/", KIT_SDP, KIT_OFFER("sendonly"), 404, NULL, NULL},
        {"SEC-12", "GET", "/whip/%3Cscript%3E?callback=x", "", NULL, 404, "Content-Type",
         "application/problem+json"},
    };
    kit_judge(rows, ARRAY_LEN(rows));
    cr_expect_eq(kit_count(API_CMD_SESSION_ADD), 4, "refused offers leave no session (WHIP-05)");
}

Test(whip, takes_chunked_bodies_and_expect_continue)
{
    /* WHIP-65 */
    static char text[32768];
    int n = snprintf(text, sizeof(text),
                     "POST /whip/a HTTP/1.1\r\nHost: x\r\n" KIT_SDP
                     "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
                     strlen(KIT_OFFER("sendonly")), KIT_OFFER("sendonly"));
    struct reply r = kit_raw(signaling_port(kit.s), text, (size_t)n);
    cr_expect_eq(r.status, 201, "%s", r.body);

    int fd = kit_connect(signaling_port(kit.s));
    n = snprintf(text, sizeof(text),
                 "POST /whip/b HTTP/1.1\r\nHost: x\r\n" KIT_SDP
                 "Content-Length: %zu\r\nExpect: 100-continue\r\n\r\n",
                 strlen(KIT_OFFER("sendonly")));
    kit_send(fd, text, (size_t)n);
    kit_read(fd, false, &r);
    cr_assert_eq(r.status, 100);
    kit_send(fd, KIT_OFFER("sendonly"), strlen(KIT_OFFER("sendonly")));
    kit_read(fd, false, &r);
    cr_expect_eq(r.status, 201, "%s", r.body);
    close(fd);
}

Test(whip, the_same_principal_takes_over)
{
    /* WHIP-63, architecture 9: anyone is the same when authentication is off. */
    struct reply r = kit_publish("/whip/a", "");
    const char *first = kit_session(&r);
    uint64_t first_id = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    uint64_t stream = kit_last(API_CMD_SESSION_ADD)->cmd.u.session->stream;
    r = kit_publish("/whip/a/main", "");
    cr_assert_eq(r.status, 201);
    const struct kit_cmd *second = kit_last(API_CMD_SESSION_ADD);
    cr_expect_eq(second->cmd.u.session->stream, stream, "viewers play on");
    const struct kit_cmd *end = kit_last(API_CMD_SESSION_END);
    cr_assert_not_null(end);
    cr_expect_eq(end->cmd.id, first_id);
    cr_expect_eq(end->cmd.u.end.reason, API_END_TAKEN_OVER);
    cr_expect_eq(kit_last(API_CMD_STREAM_SOURCE)->cmd.u.source.publisher, second->cmd.id);
    /* The old one's end says nothing about the stream. */
    int told = kit_count(API_CMD_STREAM_SOURCE);
    kit_say(API_EV_ENDED, first_id, API_END_TAKEN_OVER);
    cr_expect_eq(kit_count(API_CMD_STREAM_SOURCE), told);
    cr_expect_eq(kit_do("DELETE", first, "", NULL).status, 200);
    cr_expect_eq(kit_play("/whep/a", "").status, 201, "it is still live");
}

Test(whip, gives_way_by_budget_and_limit)
{
    /* SEC-76: the oldest half-open session gives way; WHIP-55: full is 503. */
    kit.conf->limits.max_half_open = 2;
    kit.conf->limits.max_sessions = 4;
    kit_publish("/whip/a", "");
    uint64_t a = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_say(API_EV_UP, a, 0);
    kit_publish("/whip/b", "");
    uint64_t b = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_publish("/whip/c", "");
    cr_expect_eq(kit_count(API_CMD_SESSION_END), 0);
    kit_publish("/whip/d", "");
    cr_assert_eq(kit_count(API_CMD_SESSION_END), 1);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.id, b);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_HALF_OPEN);
    kit.conf->limits.max_half_open = 100;
    kit_publish("/whip/e", "");
    struct reply r = kit_publish("/whip/f", "");
    cr_expect_eq(r.status, 503);
    cr_expect_not_null(kit_header(&r, "Retry-After"));
    cr_expect_eq(kit_publish("/whip/a", "").status, 201, "a take-over needs no room");
}

Test(whip, says_busy_when_mailboxes_are_full_and_loses_nothing)
{
    struct reply r = kit_publish("/whip/a", "");
    const char *session = kit_session(&r);
    kit_plane.full = true;
    r = kit_publish("/whip/b", "");
    cr_expect_eq(r.status, 503);
    cr_expect_not_null(kit_header(&r, "Retry-After"));
    cr_expect_eq(kit_do("DELETE", session, "", NULL).status, 200);
    cr_expect_eq(kit_count(API_CMD_SESSION_END), 0);
    kit_plane.full = false;
    int64_t deadline = clock_now_us() + 5 * (int64_t)US_PER_S;
    while (kit_count(API_CMD_SESSION_END) == 0 && clock_now_us() < deadline) {
        kit_turn();
    }
    cr_assert_eq(kit_count(API_CMD_SESSION_END), 1);
    cr_expect_eq(kit_count(API_CMD_STREAM_SOURCE), 2 * KIT_WORKERS);
    cr_expect_eq(kit_last(API_CMD_STREAM_SOURCE)->cmd.u.source.worker, -1);
    cr_expect_eq(kit_publish("/whip/b", "").status, 201);
}

Test(whip, keeps_a_room_on_its_home_worker_until_that_is_full)
{
    kit_plane.sessions[0] = 3;
    kit_plane.sessions[1] = 0;
    kit_plane.sessions[2] = 5;
    kit_publish("/whip/r/a", "");
    cr_expect_eq(kit_last(API_CMD_SESSION_ADD)->worker, 1, "the least loaded becomes home");
    kit_plane.sessions[1] = 34;
    kit_play("/whep/r/a", "");
    cr_expect_eq(kit_last(API_CMD_SESSION_ADD)->worker, 1, "31 more than the least loaded");
    kit_plane.sessions[1] = 35;
    kit_play("/whep/r/a", "");
    cr_expect_eq(kit_last(API_CMD_SESSION_ADD)->worker, 0);
}

static void tokens(void)
{
    kit_stop(); // the suite started a plain one
    kit_prepare();
    kit_token("alice-token", "alice", "live/*", true, false);
    kit_token("bob-token", "bob", "live/*", true, false);
    kit_token("eve-token", "eve", "live/*", false, true);
    kit_go();
}

Test(whip, asks_for_tokens, .init = tokens)
{
    static const struct {
        const char *id;
        const char *headers;
        int status;
        const char *challenge;
    } rows[] = {
        {"WHIP-20", "", 401, "Bearer"},
        {"WHIP-21", "Authorization: Bearer nonsense\r\n", 401, "error=\"invalid_token\""},
        {"WHIP-21", "Authorization: Bearer eve-token\r\n", 403, NULL},
        {"WHIP-22", "Authorization: Bearer undefined\r\n", 401, "invalid_token"},
        {"WHIP-22", "authorization: bearer alice-token\r\n", 201, NULL},
        {"WHIP-18", "Origin: https://x.example\r\n", 401, "Bearer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply r = kit_publish("/whip/live", rows[i].headers);
        cr_expect_eq(r.status, rows[i].status, "row %zu (%s): %d", i, rows[i].id, r.status);
        if (rows[i].challenge != NULL) {
            const char *v = kit_header(&r, "WWW-Authenticate");
            cr_assert_not_null(v);
            cr_expect_not_null(strstr(v, rows[i].challenge), "row %zu: %s", i, v);
        }
        cr_expect_str_eq(kit_header(&r, "Access-Control-Allow-Origin"), "*");
    }
    cr_expect_eq(kit_publish("/whip/other", "Authorization: Bearer alice-token\r\n").status, 403);
    cr_expect_eq(kit_do("OPTIONS", "/whip/live", PREFLIGHT, NULL).status, 200, "never 401");
}

Test(whip, ends_the_session_whose_answer_nobody_got, .init = tokens)
{
    /* WHIP-66: bob waits for word about alice, and goes away meanwhile. */
    static char text[32768];
    struct linger reset = {.l_onoff = 1};
    kit_publish("/whip/live", "Authorization: Bearer alice-token\r\n");
    kit_plane.mute = true;
    kit_plane.idle_us = 3 * US_PER_S;
    int n = snprintf(text, sizeof(text),
                     "POST /whip/live HTTP/1.1\r\nHost: x\r\n" KIT_SDP
                     "Authorization: Bearer bob-token\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(KIT_OFFER("sendonly")), KIT_OFFER("sendonly"));
    int fd = kit_connect(signaling_port(kit.s));
    kit_send(fd, text, (size_t)n);
    while (kit_count(API_CMD_QUERY) == 0) {
        kit_turn();
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    const struct kit_cmd *query = kit_last(API_CMD_QUERY);
    kit_answer_query(&kit_plane, query->worker, 0, query->cmd.u.query.token);
    int64_t deadline = clock_now_us() + 5 * (int64_t)US_PER_S;
    while (kit_count(API_CMD_SESSION_END) < 2 && clock_now_us() < deadline) {
        kit_turn();
    }
    cr_assert_eq(kit_count(API_CMD_SESSION_ADD), 2);
    cr_assert_eq(kit_count(API_CMD_SESSION_END), 2, "alice was taken over, bob is lost");
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.id, kit_last(API_CMD_SESSION_ADD)->cmd.id);
    cr_expect_eq(kit_last(API_CMD_STREAM_SOURCE)->cmd.u.source.worker, -1);
}

Test(whip, another_principal_waits_until_the_first_is_silent, .init = tokens)
{
    cr_assert_eq(kit_publish("/whip/live", "Authorization: Bearer alice-token\r\n").status, 201);
    uint64_t alice = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_plane.idle_us = 1900000;
    struct reply r = kit_publish("/whip/live", "Authorization: Bearer bob-token\r\n");
    cr_expect_eq(r.status, 409);
    cr_expect_not_null(strstr(r.body, "urn:sluice:problem:conflict"));
    cr_expect_eq(kit_count(API_CMD_QUERY), 1, "only the publisher's worker is asked");
    kit_plane.mute = true;
    cr_expect_eq(kit_publish("/whip/live", "Authorization: Bearer bob-token\r\n").status, 409,
                 "no word from the worker: it counts as live");
    kit_plane.mute = false;
    kit_plane.idle_us = 2100000;
    cr_expect_eq(kit_publish("/whip/live", "Authorization: Bearer bob-token\r\n").status, 201);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.id, alice);
    uint64_t bob = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_say(API_EV_SILENT, bob, 0);
    int asked = kit_count(API_CMD_QUERY);
    cr_expect_eq(kit_publish("/whip/live", "Authorization: Bearer alice-token\r\n").status, 201);
    cr_expect_eq(kit_count(API_CMD_QUERY), asked, "the plane had said so");
}

static void origins(void)
{
    kit_stop(); // the suite started a plain one
    kit_prepare();
    kit.conf->http.cors_origins.n = 2;
    strcpy(kit.conf->http.cors_origins.s[0], "https://app.example");
    strcpy(kit.conf->http.cors_origins.s[1], "https://other.example:8443");
    strcpy(kit.conf->http.public_origin, "https://media.example.org");
    kit.conf->ice_servers.n = 2;
    kit.conf->ice_servers.credential_ttl_s = 600;
    strcpy(kit.conf->ice_servers.servers[0].url, "stun:stun.example.org");
    strcpy(kit.conf->ice_servers.servers[1].url, "turn:turn.example.org?transport=udp");
    strcpy(kit.conf->ice_servers.servers[1].secret, "north");
    kit_go();
}

Test(whip, lists_of_origins_are_exact, .init = origins)
{
    /* SEC-29 */
    static const struct {
        const char *origin;
        const char *allowed;
    } rows[] = {
        {"https://app.example", "https://app.example"},
        {"https://other.example:8443", "https://other.example:8443"},
        {"https://other.example", NULL},
        {"http://app.example", NULL},
        {"https://app.example.evil.org", NULL},
        {"https://evilapp.example", NULL},
        {"null", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char headers[256];
        snprintf(headers, sizeof(headers), "Origin: %s\r\nAccess-Control-Request-Method: POST\r\n",
                 rows[i].origin);
        struct reply r = kit_do("OPTIONS", "/whip/a", headers, NULL);
        const char *v = kit_header(&r, "Access-Control-Allow-Origin");
        cr_expect_eq(r.status, 200);
        cr_expect_eq(v != NULL, rows[i].allowed != NULL, "row %zu", i);
        if (v != NULL) {
            cr_expect_str_eq(v, rows[i].allowed);
        } else {
            cr_expect_null(kit_header(&r, "Access-Control-Allow-Methods"), "row %zu", i);
        }
        cr_expect_str_eq(kit_header(&r, "Vary"), "Origin");
        cr_expect_null(kit_header(&r, "Access-Control-Allow-Credentials"));
        cr_expect_null(kit_header(&r, "Link"), "WHIP-58: not in a preflight");
    }
}

Test(whip, tells_public_origin_and_ice_servers, .init = origins)
{
    struct reply r = kit_publish("/whip/a", "");
    cr_assert_eq(r.status, 201);
    cr_expect_eq(strncmp(kit_header(&r, "Location"), "https://media.example.org/session/", 34), 0);
    /* WHIP-57, 59: one header each, parameters in this order. */
    cr_expect_str_eq(kit_header_n(&r, "Link", 0), "<stun:stun.example.org>; rel=\"ice-server\"");
    const char *turn = kit_header_n(&r, "Link", 1);
    static const char begin[] =
        "<turn:turn.example.org?transport=udp>; rel=\"ice-server\"; username=\"";
    cr_expect_eq(strncmp(turn, begin, sizeof(begin) - 1), 0, "%s", turn);
    cr_expect_gt(atoll(turn + sizeof(begin) - 1), clock_wall_us() / US_PER_S + 500);
    cr_expect_not_null(strstr(turn, "; credential-type=\"password\""));
    r = kit_do("OPTIONS", "/whip/a", "", NULL);
    cr_expect_not_null(kit_header(&r, "Link"), "WHIP-58: plain OPTIONS may carry them");
}
