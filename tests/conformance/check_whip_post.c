/* SPDX-License-Identifier: Apache-2.0 */
/* check_whip_post.c - RFC 9725: what may be posted, and what comes back. */
#include "tests/conformance/checks.h"

#include <strings.h>

#define SDP "application/sdp"

static void post_is_created(struct suite *s)
{
    struct party *p = POST(s, 0);

    EXPECT_STATUS(s, p->created, 201);
    EXPECT(s, !strncasecmp(reply_get(p->created, "Content-Type"), SDP, strlen(SDP)),
           "Content-Type: " SDP, "%s", reply_get(p->created, "Content-Type"));
    EXPECT(s, reply_get(p->created, "Location")[0], "a Location", "none");
    EXPECT(s, !strncmp(p->created->body, "v=0\r\n", 5) && p->answer.n_sections == 2,
           "an SDP answer of two m-lines", "%.200s", p->created->body);
    if (party_up(p)) {
        (void)party_more(p, 10);
    }
}

static void type_has_parameters(struct suite *s)
{
    struct party *p = POST(s, .type = "Application/SDP; charset=utf-8");

    EXPECT_STATUS(s, p->created, 201);
}

static void wrong_type(struct suite *s)
{
    static const char *const types[] = {"text/plain", "application/json", NULL};
    struct party *p = party_new(s, &(struct plan){0});

    for (int i = 0; i < 3; i++) {
        const struct reply *r =
            ASK(s, .method = "POST", .url = s->o.whip, .type = types[i], .body = p->offer_text);
        EXPECT_4XX(s, r);
    }
}

static void wrong_type_policy(struct suite *s)
{
    struct party *p = POST(s, .type = "text/plain");

    EXPECT_STATUS(s, p->created, 415);
    EXPECT(s, list_has(reply_get(p->created, "Accept-Post"), SDP), "Accept-Post: " SDP, "%s",
           reply_get(p->created, "Accept-Post"));
}

static void empty_body(struct suite *s)
{
    const struct reply *r = ASK(s, .method = "POST", .url = s->o.whip, .type = SDP, .body = "");

    EXPECT_4XX(s, r);
    EXPECT(s, s->now->level == MUST || r->status == 400, "status 400", "%s", reply_brief(r));
}

static void garbage(struct suite *s)
{
    static const char zeros[64];
    static const struct {
        const char *body;
        size_t len;
    } rows[] = {
        {"v=0\r\ngarbage", 0},
        {"not SDP at all", 0},
        {zeros, sizeof(zeros)},
        {"v=0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", 0}, /* no o= */
        {"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", 0},        /* no m= */
        {"\xff\xfe\xfd\xfc\r\n", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct reply *r = ASK(s, .method = "POST", .url = s->o.whip, .type = SDP,
                                    .body = rows[i].body, .len = rows[i].len);
        EXPECT(s, r->status >= 400 && r->status < 500 && !reply_get(r, "Location")[0],
               "status 4xx, no Location", "row %zu: %s", i, reply_brief(r));
    }
    struct party *p = POST(s, 0);
    EXPECT(s, p->created->status == 201, "the server lives on", "%s", reply_brief(p->created));
}

/* Every accepted m-line of the answer is recvonly. */
static void answered_recvonly(struct suite *s)
{
    const char *direction = s->now->arg;
    struct party *p = POST(s, .edits = {{"a=sendonly\r\n", direction, true}});

    EXPECT_STATUS(s, p->created, 201);
    for (int i = 1; i <= p->answer.n_sections; i++) {
        EXPECT(s, !doc_accepted(&p->answer, i) || check_has(&p->answer, i, "a=recvonly"),
               "a=recvonly in every accepted section", "section %d: %.300s", i, p->created->body);
    }
    if (party_up(p)) {
        (void)party_more(p, 5);
    }
}

static void get_endpoint(struct suite *s)
{
    const struct reply *r = ASK(s, .method = "GET", .url = s->o.whip);

    EXPECT(s, r->status >= 200 && r->status < 300, "status 2xx", "%s", reply_brief(r));
    EXPECT(s, r->len == 0, "no body", "%zu bytes", r->len);
}

static void other_methods(struct suite *s)
{
    struct party *p = POST(s, 0);
    const struct reply *head = ASK(s, .method = "HEAD", .url = s->o.whip);
    const struct reply *put = ASK(s, .method = "PUT", .url = s->o.whip, .type = SDP, .body = "x");

    EXPECT(s, head->status >= 200 && head->status < 300, "HEAD like GET", "%s", reply_brief(head));
    EXPECT(s, put->status == 405 && list_has(reply_get(put, "Allow"), "POST"),
           "PUT: 405 with Allow: POST", "%s, Allow: %s", reply_brief(put), reply_get(put, "Allow"));
    EXPECT_STATUS(s, p->created, 201);
    const struct reply *post = ASK(s, .method = "POST", .url = p->url, .type = "application/json",
                                   .body = "{\"video\": true}");
    EXPECT(s, post->status == 405 && list_has(reply_get(post, "Allow"), "PATCH"),
           "POST on the session: 405 with Allow: PATCH", "%s, Allow: %s", reply_brief(post),
           reply_get(post, "Allow"));
}

/* ---- CORS ---- */

static void allow_headers_by_name(struct suite *s)
{
    static const char *const names[] = {"Authorization", "Content-Type", "If-Match"};
    const struct reply *r = ASK(s, .method = "OPTIONS", .url = s->o.whip, .token = "",
                                .headers = "Origin: https://player.example\r\n"
                                           "Access-Control-Request-Method: POST\r\n");
    const char *list = reply_get(r, "Access-Control-Allow-Headers");

    for (int i = 0; i < 3; i++) {
        EXPECT(s, list_has(list, names[i]), "Authorization, Content-Type, If-Match by name", "%s",
               list);
    }
}

static void exposed_headers(struct suite *s)
{
    static const char *const names[] = {"Location", "ETag", "Link"};
    struct party *p = POST(s, .headers = "Origin: https://player.example\r\n");
    const char *list = reply_get(p->created, "Access-Control-Expose-Headers");

    EXPECT_STATUS(s, p->created, 201);
    EXPECT(s, reply_get(p->created, "Access-Control-Allow-Origin")[0],
           "Access-Control-Allow-Origin", "none");
    for (int i = 0; i < 3; i++) {
        EXPECT(s, list_has(list, names[i]), "Location, ETag, Link exposed", "%s", list);
    }
}

static void cors_on_errors(struct suite *s)
{
    const struct reply *r = ASK(s, .method = "POST", .url = s->o.whip, .type = "text/plain",
                                .body = "x", .headers = "Origin: https://player.example\r\n");

    EXPECT_4XX(s, r);
    EXPECT(s, reply_get(r, "Access-Control-Allow-Origin")[0], "Access-Control-Allow-Origin",
           "none with %s", reply_brief(r));
}

static void private_network(struct suite *s)
{
    const struct reply *r = ASK(s, .method = "OPTIONS", .url = s->o.whip, .token = "",
                                .headers = "Origin: https://player.example\r\n"
                                           "Access-Control-Request-Method: POST\r\n"
                                           "Access-Control-Request-Private-Network: true\r\n");
    const char *v = reply_get(r, "Access-Control-Allow-Private-Network");

    SKIP_IF(s, !v[0], "private network access is not granted");
    EXPECT(s, !strcmp(v, "true"), "true", "%s", v);
}

/* ---- tokens ---- */

#define NEED_TOKEN(s) SKIP_IF(s, !(s)->o.token, "no --token: the server asks for none")

static void no_token(struct suite *s)
{
    NEED_TOKEN(s);
    struct party *p = POST(s, .token = "");
    EXPECT_STATUS(s, p->created, 401);
    const char *ask = reply_get(p->created, "WWW-Authenticate");
    EXPECT(s, !strncasecmp(ask, "Bearer", 6), "WWW-Authenticate: Bearer", "%s", ask);
}

static void wrong_token(struct suite *s)
{
    NEED_TOKEN(s);
    struct party *p = POST(s, .token = "certainly-not-the-token");
    EXPECT_STATUS(s, p->created, 401);
    const char *ask = reply_get(p->created, "WWW-Authenticate");
    EXPECT(s, strstr(ask, "invalid_token"), "error=\"invalid_token\"", "%s", ask);
}

static void token_without_right(struct suite *s)
{
    SKIP_IF(s, !s->o.other_token, "no --other-token: one that may not publish here");
    struct party *p = POST(s, .token = s->o.other_token);
    EXPECT_STATUS(s, p->created, 403);
}

static void lower_case_scheme(struct suite *s)
{
    NEED_TOKEN(s);
    struct party *p = POST(s, .auth = suite_keep(s, "bearer %s", s->o.token));
    EXPECT_STATUS(s, p->created, 201);
    p = POST(s, .auth = "Bearer undefined");
    EXPECT_STATUS(s, p->created, 401);
}

static void no_token_needed(struct suite *s)
{
    SKIP_IF(s, s->o.token, "the server asks for a token");
    struct party *p = POST(s, 0);
    EXPECT_STATUS(s, p->created, 201);
}

static void undefined_token(struct suite *s)
{
    SKIP_IF(s, s->o.token, "the server asks for a token");
    struct party *p = POST(s, .auth = "Bearer undefined");
    EXPECT_STATUS(s, p->created, 201);
}

/* ---- shape of requests ---- */

static void flood(struct suite *s)
{
    const struct reply *r = NULL;
    int i = 0;

    for (; i < 1000 && (!r || r->status != 429); i++) {
        r = ASK(s, .method = "POST", .url = s->o.whip, .type = SDP, .body = "v=0\r\n",
                .once = true);
    }
    EXPECT(s, r->status == 429, "429 for a flood of POSTs", "%d of them: %s", i, reply_brief(r));
    EXPECT(s, strtol(reply_get(r, "Retry-After"), NULL, 10) > 0, "Retry-After: seconds", "%s",
           reply_get(r, "Retry-After"));
    struct party *p = POST(s, 0); /* waits as long as it is told to */
    EXPECT_STATUS(s, p->created, 201);
}

static void too_large(struct suite *s)
{
    size_t n = 1 << 20;
    char *body = suite_alloc(s, n + 1);

    memset(body, 'a', n);
    const struct reply *r = ASK(s, .method = "POST", .url = s->o.whip, .type = SDP, .body = body);
    EXPECT_STATUS(s, r, 413);
}

static void chunked(struct suite *s)
{
    struct party *p = party_new(s, &(struct plan){0});

    p->created = ASK(s, .method = "POST", .url = s->o.whip, .type = SDP, .body = p->offer_text,
                     .chunked = true);
    EXPECT_STATUS(s, p->created, 201);
    party_take_reply(p, s->o.whip);
}

static void expects_100(struct suite *s)
{
    struct party *p = party_new(s, &(struct plan){0});

    p->created = ASK(s, .method = "POST", .url = s->o.whip, .type = SDP, .body = p->offer_text,
                     .expects = true);
    EXPECT_STATUS(s, p->created, 201);
    party_take_reply(p, s->o.whip);
}

static void problem_json(struct suite *s)
{
    static const char *const members[] = {"\"type\"", "\"title\"", "\"status\"", "\"detail\""};
    const struct reply *rows[] = {
        ASK(s, .method = "POST", .url = s->o.whip, .type = "text/plain", .body = "x"),
        ASK(s, .method = "POST", .url = s->o.whip, .type = SDP, .body = "v=0\r\n"),
        ASK(s, .method = "PUT", .url = s->o.whip, .body = "x"),
    };

    for (int i = 0; i < 3; i++) {
        const char *type = reply_get(rows[i], "Content-Type");
        EXPECT(s, !strncasecmp(type, "application/problem+json", 24), "application/problem+json",
               "%s with status %d", type, rows[i]->status);
        for (int k = 0; k < 4; k++) {
            EXPECT(s, strstr(rows[i]->body, members[k]), "type, title, status, detail", "%.300s",
                   rows[i]->body);
        }
    }
}

/* ---- what an offer may hold ---- */

static void two_streams(struct suite *s)
{
    struct party *p = party_new(s, &(struct plan){0});
    const char *msid = check_get(&p->offer, 2, "a=msid:");
    const char *line = suite_keep(s, "a=msid:%s", msid);
    p = POST(s, .offer = p->offer_text, .edits = {{line, "a=msid:another-stream another-track"}});
    EXPECT_4XX(s, p->created);
}

static void tracks(struct suite *s)
{
    struct peer_params m;

    for (int video = 0; video < 2; video++) {
        suite_params(s, false, &m);
        m.n_audio += video == 0;
        m.n_video += video == 1;
        struct party *p = POST(s, .params = &m);
        EXPECT(s, p->created->status == 422 || p->created->status == 400, "422 or 400",
               "two %s tracks: %s", video ? "video" : "audio", reply_brief(p->created));
    }
}

static void active_offer(struct suite *s)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.setup = "active";
    struct party *p = POST(s, .params = &m);
    SKIP_IF(s, p->created->status == 422, "setup:active is refused with 422, as allowed");
    EXPECT_STATUS(s, p->created, 201);
    const char *setup = doc_get(&p->answer, doc_tagged(&p->answer), "a=setup:");
    EXPECT(s, setup && !strcmp(setup, "passive"), "a=setup:passive", "%s", setup ? setup : "none");
    (void)party_up(p);
}

const struct check checks_whip_post[] = {
    {"WHIP-01", MUST, "RFC 9725 4.2", "POST of an offer: 201, answer, Location; media flows",
     post_is_created},
    {"WHIP-02", MUST, "RFC 9110 8.3", "the media type is compared without case and parameters",
     type_has_parameters},
    {"WHIP-03", MUST, "RFC 9725 4.2", "another media type, or none, is refused", wrong_type},
    {"WHIP-03", POLICY, "RFC 9110 15.5.16", "another media type: 415 and Accept-Post",
     wrong_type_policy},
    {"WHIP-04", MUST, "RFC 9725 4.2", "an empty body is refused", empty_body},
    {"WHIP-04", POLICY, "RFC 9110 15.5.1", "an empty body: 400", empty_body},
    {"WHIP-05", MUST, "RFC 9725 4.2", "garbage is refused, leaves no session, harms nobody",
     garbage},
    {"WHIP-06", MUST, "RFC 9725 4.2", "recvonly is refused", check_refused,
     &(struct refusal){.edits = {{"a=sendonly", "a=recvonly", true}}}},
    {"WHIP-07", MUST, "RFC 9725 4.2", "inactive is refused", check_refused,
     &(struct refusal){.edits = {{"a=sendonly", "a=inactive", true}}}},
    {"WHIP-06", POLICY, "RFC 9110 15.5.21", "recvonly: 422", check_refused,
     &(struct refusal){.edits = {{"a=sendonly", "a=recvonly", true}}, .status = 422}},
    {"WHIP-08", MUST, "RFC 9725 4.2", "sendrecv is answered recvonly", answered_recvonly,
     "a=sendrecv\r\n"},
    {"WHIP-09", MUST, "RFC 8866 6.7", "no direction means sendrecv: answered recvonly",
     answered_recvonly, ""},
    {"WHIP-10", MUST, "RFC 9725 4.1", "GET of the endpoint: 2xx without content", get_endpoint},
    {"WHIP-12", POLICY, "RFC 9110 15.5.6", "HEAD like GET; other methods: 405 and Allow",
     other_methods},
    {"WHIP-13", MUST, "RFC 9725 4.2, 4.7.1", "preflight of the endpoint without a token",
     check_preflight},
    {"WHIP-14", SHOULD, "RFC 9725 4.2", "OPTIONS: Accept-Post: application/sdp", check_accept_post},
    {"WHIP-15", MUST, "RFC 9725 4.2, Fetch", "preflight of the session for PATCH and DELETE",
     check_preflight_session},
    {"WHIP-16", POLICY, "Fetch", "allowed headers by name: * does not cover Authorization",
     allow_headers_by_name},
    {"WHIP-17", POLICY, "Fetch", "the 201 exposes Location, ETag and Link", exposed_headers},
    {"WHIP-18", POLICY, "Fetch", "errors carry CORS headers too", cors_on_errors},
    {"WHIP-19", POLICY, "Private Network Access", "the preflight grants it, if it does",
     private_network},
    {"WHIP-20", MUST, "RFC 9725 4.7.1, RFC 6750 3", "no token: 401, WWW-Authenticate: Bearer",
     no_token},
    {"WHIP-21", MUST, "RFC 6750 3.1", "a wrong token: 401, invalid_token", wrong_token},
    {"WHIP-21", MUST, "RFC 6750 3.1", "a token without the right to publish: 403",
     token_without_right},
    {"WHIP-22", POLICY, "RFC 9110 11.1",
     "the scheme is compared without case; \"undefined\" is a wrong token", lower_case_scheme},
    {"WHIP-22", POLICY, "clients in the field",
     "where no token is asked for, one called \"undefined\" does no harm", undefined_token},
    {"WHIP-23", MUST, "RFC 9725 4.7.1", "a token is not demanded where none is required",
     no_token_needed},
    {"WHIP-48", MUST, "RFC 9725 4.4.2", "two tracks of a kind are refused", tracks},
    {"WHIP-48", MUST, "RFC 9725 4.4.2", "two media streams are refused", two_streams},
    {"WHIP-49", MUST, "RFC 9725 4.4.3", "m=application does not fail the request; media plays",
     check_application},
    {"WHIP-50", SHOULD, "RFC 9725 4.4.3", "a section without a common codec fails the request",
     check_refused,
     &(struct refusal){.edits = {{"VP8/90000", "NOVIDEO/90000", true}}, .status = 422}},
    {"WHIP-51", MAY, "RFC 9725 4.1, RFC 9457", "errors are application/problem+json", problem_json},
    {"WHIP-52", MUST, "RFC 9725 4.4.4", "setup:active is answered passive", active_offer},
    {"WHIP-53", MUST, "RFC 9725 4.5", "a redirect is a 307 or 308", check_redirect},
    {"WHIP-54", POLICY, "RFC 9725 4.5", "after a redirect the Location is absolute", NULL, NULL,
     "the clients' side of a redirect; needs a second server behind it"},
    {"WHIP-55", MAY, "RFC 9725 4.5", "overload: 503 and Retry-After", NULL, NULL,
     "the server would have to be overloaded"},
    {"WHIP-56", SHOULD, "RFC 9725 5", "a flood of POSTs: 429 and Retry-After", flood},
    {"WHIP-64", POLICY, "RFC 9110 15.5.14", "a body of a megabyte: 413", too_large},
    {"WHIP-65", POLICY, "RFC 9112 7.1", "chunked bodies work", chunked},
    {"WHIP-65", POLICY, "RFC 9110 10.1.1", "Expect: 100-continue works", expects_100},
    {"WHIP-66", POLICY, "robustness", "a client that hangs up before the answer leaves nothing",
     NULL, NULL, "a leak leaves no trace outside"},
    {0},
};
