/* SPDX-License-Identifier: Apache-2.0 */
/* WHEP endpoints over real sockets. */
#include "tests/http_kit.h"

TestSuite(whep, .init = kit_start, .fini = kit_stop);

Test(whep, answers_a_viewer_of_a_live_stream)
{
    kit_publish("/whip/room/alice", "");
    uint64_t stream = kit_last(API_CMD_SESSION_ADD)->cmd.u.session->stream;
    uint64_t publisher = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    int worker = kit_last(API_CMD_SESSION_ADD)->worker;
    int told = kit_count(API_CMD_STREAM_SOURCE);
    struct reply r = kit_play("/whep/room/alice", "Origin: https://x.example\r\n");
    cr_assert_eq(r.status, 201, "%s", r.body); /* WHEP-01 */
    cr_expect_not_null(strstr(r.body, "a=sendonly\r\n"));
    cr_expect_not_null(strstr(r.body, "a=msid:"));
    cr_expect_not_null(kit_header(&r, "ETag"));
    cr_expect_str_eq(kit_header(&r, "Access-Control-Allow-Origin"), "*");
    const struct kit_cmd *add = kit_last(API_CMD_SESSION_ADD);
    cr_expect_eq(add->cmd.u.session->role, API_PLAY);
    cr_expect_eq(add->cmd.u.session->stream, stream);
    cr_expect_neq(add->cmd.id, publisher);
    cr_expect_str_eq(add->cmd.u.session->label, "room/alice");
    cr_expect_neq(add->cmd.u.session->cname[0], '\0');
    /* Its worker learns the source before the session. */
    cr_expect_eq(kit_count(API_CMD_STREAM_SOURCE), told + 1);
    const struct kit_cmd *source = kit_last(API_CMD_STREAM_SOURCE);
    cr_expect_eq(source->worker, add->worker);
    cr_expect_eq(source->cmd.id, stream);
    cr_expect_eq(source->cmd.u.source.worker, worker);
    cr_expect_eq(source->cmd.u.source.publisher, publisher);
    cr_expect_lt(source, add);
}

Test(whep, judges_each_request_by_itself)
{
    kit_publish("/whip/live", "");
    static const struct kit_row rows[] = {
        {"WHEP-02", "POST", "/whep/live", KIT_SDP, KIT_OFFER("sendrecv"), 201, "Location", NULL},
        {"WHEP-02", "POST", "/whep/live", KIT_SDP, KIT_OFFER("sendonly"), 422, NULL, NULL},
        {"WHEP-02", "POST", "/whep/live", KIT_SDP, KIT_OFFER("inactive"), 422, NULL, NULL},
        {"WHEP-03", "POST", "/whep/live", "Content-Type: text/plain\r\n", "x", 415, "Accept-Post",
         NULL},
        {"WHEP-03", "POST", "/whep/live", KIT_SDP, "v=0\r\nx", 400, NULL, NULL},
        {"JSON", "POST", "/whep/live", KIT_SDP, "{\"type\":\"offer\"}", 400, NULL, NULL},
        {"slash", "POST", "/whep/live/", KIT_SDP, KIT_OFFER("sendonly"), 422, NULL, NULL},
        {"escape", "POST", "/whep/l%69ve", KIT_SDP, KIT_OFFER("sendonly"), 422, NULL, NULL},
        {"WHEP-04", "POST", "/whep/later", KIT_SDP, KIT_OFFER("recvonly"), 409, "Retry-After", "2"},
        {"WHEP-04", "POST", "/whep/live/bob", KIT_SDP, KIT_OFFER("recvonly"), 409, "Retry-After",
         NULL},
        {"data alone", "POST", "/whep/empty", KIT_SDP,
         "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
         "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 "
         "0.0.0.0\r\na=mid:0\r\n" KIT_TRANSPORT "a=sctp-port:5000\r\n",
         201, "Location", NULL},
        {"WHEP-05", "POST", "/whep/-bad", KIT_SDP, KIT_OFFER("recvonly"), 404, NULL, NULL},
        {"WHEP-10", "POST", "/whep/live", KIT_SDP, "", 400, NULL, NULL},
        {"WHEP-11", "HEAD", "/whep/live", "", NULL, 200, "Content-Type", "application/sdp"},
        {"WHEP-11", "HEAD", "/whep/live", "", NULL, 200, "Content-Length", "0"},
        {"WHEP-12", "GET", "/whep/live", "", NULL, 200, "Content-Type", "application/sdp"},
        {"WHEP-12", "GET", "/whep/live", "", NULL, 200, "Content-Length", "0"},
        {"WHEP-13", "OPTIONS", "/whep/live", "Access-Control-Request-Method: POST\r\n", NULL, 200,
         "Access-Control-Allow-Headers", "Authorization"},
        {"WHEP-13", "OPTIONS", "/whep/live", "", NULL, 200, "Accept-Post", "application/sdp"},
        {"WHIP-12", "PUT", "/whep/live", KIT_SDP, "x", 405, "Allow", NULL},
        {"WHIP-12", "DELETE", "/whep/live", "", NULL, 405, "Allow", NULL},
    };
    kit_judge(rows, ARRAY_LEN(rows));
    cr_expect_eq(kit_count(API_CMD_SESSION_ADD), 3);
}

/* What both sections of the latest session play. */
static uint64_t plays(void)
{
    uint64_t id = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    return kit_plays(id, 1);
}

static bool comes_to_play(uint64_t stream)
{
    int64_t deadline_us = clock_now_us() + 5 * (int64_t)US_PER_S;
    while (plays() != stream && clock_now_us() < deadline_us) {
        struct pollfd nothing = {.fd = -1};
        kit_turn();
        (void)poll(&nothing, 1, 5);
    }
    return plays() == stream;
}

Test(whep, a_publisher_with_several_codecs_has_the_one_that_it_sends)
{
    struct api_event ev = {.kind = API_EV_CODEC, .u.codec = calloc(1, sizeof(*ev.u.codec))};
    kit_publish("/whip/live", "User-Agent: Go-http-client/1.1\r\n");
    ev.id = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    ev.u.codec->id = CODEC_H264;
    cr_expect_eq(kit_play("/whep/live", "").status, 201,
                 "as the answer prefers, until it is known");
    kit_emit(ev);
    kit_turn();
    struct reply r = kit_play("/whep/live", "");
    cr_expect_eq(r.status, 422);
    cr_expect_not_null(strstr(r.body, "H264"), "%s", r.body);
}

Test(whep, the_room_plays_the_only_one_main_or_the_latest)
{
    kit_publish("/whip/r/a", "");
    uint64_t a = kit_last(API_CMD_SESSION_ADD)->cmd.u.session->stream;
    kit_play("/whep/r", "");
    cr_expect_eq(plays(), a);
    kit_publish("/whip/r/b", "");
    uint64_t b = kit_last(API_CMD_SESSION_ADD)->cmd.u.session->stream;
    kit_play("/whep/r", "");
    cr_expect(comes_to_play(b), "a seat is held for a second");
    kit_publish("/whip/r", "");
    uint64_t main_stream = kit_last(API_CMD_SESSION_ADD)->cmd.u.session->stream;
    kit_publish("/whip/r/c", "");
    kit_play("/whep/r", "");
    cr_expect(comes_to_play(main_stream));
    kit_play("/whep/r/a", "");
    cr_expect_eq(kit_last(API_CMD_SESSION_ADD)->cmd.u.session->stream, a);
}

Test(whep, a_publisher_that_returns_finds_its_viewers)
{
    /* WHEP-34: the stream's id outlives the publisher. */
    struct reply r = kit_publish("/whip/r", "");
    uint64_t stream = kit_last(API_CMD_SESSION_ADD)->cmd.u.session->stream;
    uint64_t publisher = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    r = kit_play("/whep/r/main", "");
    const char *viewer = kit_session(&r);
    kit_say(API_EV_ENDED, publisher, API_END_PEER_CLOSED);
    const struct kit_cmd *source = kit_last(API_CMD_STREAM_SOURCE);
    cr_expect_eq(source->cmd.id, stream);
    cr_expect_eq(source->cmd.u.source.worker, -1);
    cr_expect_eq(source->cmd.u.source.publisher, 0);
    cr_expect_eq(kit_play("/whep/r", "").status, 409);
    cr_expect_eq(kit_publish("/whip/r", "").status, 201);
    cr_expect_eq(kit_last(API_CMD_SESSION_ADD)->cmd.u.session->stream, stream);
    cr_expect_eq(kit_do("DELETE", viewer, "", NULL).status, 200); /* WHEP-15 */
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_CLIENT);
}

static void tokens(void)
{
    kit_stop(); // the suite started a plain one
    kit_prepare();
    kit_token("pub-token", "alice", "live/*", true, false);
    kit_token("view-token", "viewers", "live/main", false, true);
    kit_go();
}

Test(whep, asks_for_tokens_before_it_says_what_is_live, .init = tokens)
{
    cr_assert_eq(kit_publish("/whip/live", "Authorization: Bearer pub-token\r\n").status, 201);
    cr_assert_eq(kit_publish("/whip/live/x", "Authorization: Bearer pub-token\r\n").status, 201);
    static const struct {
        const char *path;
        const char *headers;
        int status;
    } rows[] = {
        {"/whep/live", "", 401},
        {"/whep/nobody", "", 401},
        {"/whep/live", "Authorization: Bearer no\r\n", 401},
        {"/whep/live", "Authorization: Bearer pub-token\r\n", 403},
        {"/whep/live/x", "Authorization: Bearer view-token\r\n", 403},
        {"/whep/nobody", "Authorization: Bearer view-token\r\n", 403},
        {"/whep/live", "Authorization: Bearer view-token\r\n", 201},
        {"/whep/live/main", "Authorization: Bearer view-token\r\n", 201},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(kit_play(rows[i].path, rows[i].headers).status, rows[i].status, "row %zu", i);
    }
}
