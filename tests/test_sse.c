/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events and layer selection over real sockets (draft-ietf-wish-whep 4.8, our own). */
#include "tests/http_kit.h"

#include "signaling/http_stream.h"

TestSuite(sse, .init = kit_start, .fini = kit_stop);

#define JSON "Content-Type: application/json\r\n"
/* A connection that reads events. */
struct reader {
    int fd;
    size_t len;
    bool closed;
    char text[1 << 18];
};
static struct reader readers[8];

static struct reader *open_reader(const char *path)
{
    struct reader *rd = NULL;
    for (size_t i = 0; rd == NULL && i < ARRAY_LEN(readers); i++) {
        rd = readers[i].fd == 0 ? &readers[i] : NULL;
    }
    cr_assert_not_null(rd);
    memset(rd, 0, sizeof(*rd));
    char rq[512];
    int n = snprintf(rq, sizeof(rq), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    rd->fd = kit_connect(signaling_port(kit.s));
    kit_send(rd->fd, rq, (size_t)n);
    return rd;
}

static void pump(struct reader *rd, bool read)
{
    struct pollfd p = {.fd = rd->fd, .events = POLLIN};
    kit_turn();
    if (!read || poll(&p, 1, 1) <= 0 || rd->closed) {
        return;
    }
    ssize_t n = recv(rd->fd, rd->text + rd->len, sizeof(rd->text) - 1 - rd->len, MSG_DONTWAIT);
    rd->closed |= n == 0 || (n < 0 && errno != EAGAIN);
    rd->len += n > 0 ? (size_t)n : 0;
    rd->text[rd->len] = '\0';
}

/* Whether text comes within so many milliseconds. */
static bool comes(struct reader *rd, const char *text, int ms)
{
    int64_t deadline_us = clock_now_us() + ms * (int64_t)US_PER_MS;
    do {
        pump(rd, true);
    } while (strstr(rd->text, text) == NULL && !rd->closed && clock_now_us() < deadline_us);
    return strstr(rd->text, text) != NULL;
}

static void forget(struct reader *rd)
{
    rd->len = 0;
    rd->text[0] = '\0';
}

static void close_reader(struct reader *rd)
{
    close(rd->fd);
    rd->fd = 0;
    kit_turn();
}

static const char *below(const char *session, const char *part)
{
    static char text[4][400];
    static int next;
    char *out = text[next++ % 4];
    snprintf(out, 400, "%s/%s", session, part);
    return out;
}

/* POSTs the list and returns the path of the stream. */
static const char *make(const char *session, const char *list)
{
    static char path[300];
    struct reply r = kit_do("POST", below(session, "sse"), JSON, list);
    cr_assert_eq(r.status, 201, "%s: %s", list, r.body); /* WHEP-24 */
    snprintf(path, sizeof(path), "%s", kit_header(&r, "Location"));
    return path;
}

Test(sse, links_say_what_there_is)
{
    struct reply r = kit_publish("/whip/room/ann", "");
    int n = 0;
    bool sse = false, layer = false, own = false, wish = false;
    cr_expect_not_null(strstr(r.head, "rel=\"urn:sluice:whep:events\"; events=\"stats\""));
    cr_expect_null(strstr(r.head, "urn:ietf:params:whep"), "WHIP has no such extension");
    r = kit_play("/whep/room", "");
    for (const char *v; (v = kit_header_n(&r, "Link", n)) != NULL; n++) {
        sse |= strstr(v, "/sse>; rel=\"urn:ietf:params:whep:ext:core:server-sent-events\"; "
                         "events=\"active,inactive,layers,viewercount,reconnect\"") !=
               NULL; /* WHEP-23 */
        layer |=
            strstr(v, "/layer>; rel=\"urn:ietf:params:whep:ext:core:layer\"") != NULL; /* WHEP-29 */
        own |= strstr(v, "/sse>; rel=\"urn:sluice:whep:events\"; "
                         "events=\"participants,slots,speakers,stats\"") != NULL;
        wish |= strstr(v, "/wish>; rel=\"urn:sluice:whep:wishes\"") != NULL;
    }
    cr_expect(sse && layer && own && wish, "%s", r.head);
    r = kit_play("/whep/room/ann", "");
    cr_expect_null(strstr(r.head, "urn:sluice:whep:wishes"), "one stream has no seats");
}

Test(sse, standard_events_of_one_stream)
{
    uint64_t p = kit_publish_id("/whip/room/ann");
    struct reply r = kit_play("/whep/room/ann", "");
    const char *session = kit_session(&r);
    struct reader *rd = open_reader(make(session, "[\"active\",\"inactive\",\"viewercount\"]"));
    cr_expect(comes(rd, "Content-Type: text/event-stream\r\n", 2000)); /* WHEP-25 */
    cr_expect(comes(rd, "event: viewercount\ndata: {\"viewercount\":1}\n\n", 2000));
    cr_expect_null(strstr(rd->text, "active\n"), "WHEP-27: no inactive at the beginning");
    kit_say_live(p);
    cr_expect(comes(rd, "event: active\ndata: {}\n\n", 2000));
    forget(rd);
    kit_play("/whep/room/ann", "");
    cr_expect(comes(rd, "data: {\"viewercount\":2}\n", 3000));
    kit_say(API_EV_SILENT, p, 0);
    cr_expect(comes(rd, "event: inactive\n", 2000));
    forget(rd);
    kit_say(API_EV_LIVE, p, 0);
    cr_expect(comes(rd, "event: active\n", 2000));
    forget(rd);
    kit_say(API_EV_ENDED, p, API_END_PEER_CLOSED);
    cr_expect(comes(rd, "event: inactive\n", 2000));
    forget(rd);
    (void)kit_live("/whip/room/ann"); /* WHEP-34 */
    cr_expect(comes(rd, "event: active\n", 2000));
    cr_expect_null(strstr(rd->text, "participants"), "not asked for");
    /* The session ends: so does the stream, and its URL. */
    kit_do("DELETE", session, "", NULL);
    int64_t deadline_us = clock_now_us() + 2 * (int64_t)US_PER_S;
    while (!rd->closed && strstr(rd->text, "\r\n0\r\n\r\n") == NULL &&
           clock_now_us() < deadline_us) {
        pump(rd, true);
    }
    cr_expect_not_null(strstr(rd->text, "0\r\n\r\n"), "a clean end");
    close_reader(rd);
    cr_expect_eq(kit_do("GET", below(session, "sse"), "", NULL).status, 404);
}

Test(sse, requests_are_judged)
{
    (void)kit_publish_id("/whip/room/ann");
    struct reply r = kit_play("/whep/room/ann", "");
    const char *session = kit_session(&r);
    static const struct {
        const char *method, *part, *headers, *body;
        int status;
    } rows[] = {
        {"POST", "sse", JSON, "[\"active\"]", 201},
        {"POST", "sse", JSON, "[\"active\",\"active\"]", 201},
        {"POST", "sse", JSON, "[]", 400},
        {"POST", "sse", JSON, "[\"slots\"]", 400},
        {"POST", "sse", JSON, "[\"scte35\"]", 400},
        {"POST", "sse", JSON, "[1]", 400},
        {"POST", "sse", JSON, "{\"active\":1}", 400},
        {"POST", "sse", JSON, "[\"active\"", 400},
        {"POST", "sse", "Content-Type: text/plain\r\n", "[\"active\"]", 415},
        {"PUT", "sse", JSON, "[\"active\"]", 405},
        {"GET", "sse/nonsense", "", NULL, 404},
        {"DELETE", "sse/nonsense", "", NULL, 404},
        {"POST", "layer", JSON, "{\"mediaId\":\"1\"}", 200},
        {"POST", "layer", JSON, "{}", 200},
        {"POST", "layer", JSON, "{\"mediaId\":\"1\",\"maxWidth\":320}", 200},
        {"POST", "layer", JSON, "{\"mediaId\":\"1\",\"rid\":\"nope\"}", 422}, /* WHEP-30 */
        {"POST", "layer", JSON, "{\"mediaId\":\"0\"}", 422},
        {"POST", "layer", JSON, "{", 400},
        {"POST", "layer", "", "{}", 415},
        {"DELETE", "layer", "", NULL, 200}, /* WHEP-31 */
        {"GET", "layer", "", NULL, 405},
        {"POST", "wish", JSON, "{}", 404},
        {"GET", "people", "", NULL, 404},
        {"GET", "nothing", "", NULL, 404},
        {"OPTIONS", "sse", "Origin: https://x\r\nAccess-Control-Request-Method: POST\r\n", NULL,
         200},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        r = kit_do(rows[i].method, below(session, rows[i].part), rows[i].headers, rows[i].body);
        cr_expect_eq(r.status, rows[i].status, "row %zu: %d %s", i, r.status, r.body);
    }
    cr_expect_eq(kit_last(API_CMD_LAYER)->cmd.u.wish.mline, 1);
    /* WHEP-26: what is deleted is gone. */
    char path[300];
    snprintf(path, sizeof(path), "%s", make(session, "[\"active\"]"));
    cr_expect_eq(kit_do("DELETE", path, "", NULL).status, 200);
    cr_expect_eq(kit_do("GET", path, "", NULL).status, 404);
    cr_expect_eq(kit_do("DELETE", path, "", NULL).status, 404);
}

Test(sse, a_room_tells_who_is_here_and_where)
{
    (void)kit_live("/whip/room/ann");
    const char *session;
    (void)kit_join("/whep/room?as=bob", &session);
    struct reader *rd = open_reader(below(session, "sse")); /* WHEP-28 */
    cr_expect(comes(rd, "event: participants\ndata: {\"snapshot\":true,\"total\":2", 2000), "%s",
              rd->text);
    cr_expect(comes(rd,
                    "{\"mid\":\"1\",\"kind\":\"video\",\"participant\":\"ann\",\"stream\":\"ann\","
                    "\"source\":\"camera\",\"muted\":false",
                    2000));
    cr_expect(comes(rd, "{\"mid\":\"2\",\"kind\":\"video\",\"participant\":null", 2000));
    cr_expect(comes(rd, "event: speakers\ndata: {\"dominant\":null,\"speaking\":[]}", 2000));
    forget(rd);
    uint64_t eve = kit_live("/whip/room/eve");
    cr_expect(comes(rd, "{\"mid\":\"2\",\"kind\":\"video\",\"participant\":\"eve\"", 2000), "%s",
              rd->text);
    cr_expect(
        comes(rd, "\"name\":\"eve\",\"watching\":false,\"streams\":[{\"stream\":\"eve\"", 2000));
    cr_expect_null(strstr(rd->text, "\"mid\":\"1\""), "only what has changed");
    forget(rd);
    /* She speaks. */
    uint64_t stream = 0;
    for (int i = 0; i < kit_count(API_CMD_SESSION_ADD); i++) {
        const struct kit_cmd *add = kit_cmd(API_CMD_SESSION_ADD, i);
        stream = add->cmd.id == eve ? add->cmd.u.session->stream : stream;
    }
    struct api_event ev = {.kind = API_EV_LEVELS};
    ev.u.levels.levels = calloc(1, sizeof(*ev.u.levels.levels));
    ev.u.levels.levels[ev.u.levels.n++] =
        (struct api_level){.stream = stream, .window = {10, 5, 6, 100}};
    kit_emit(ev);
    cr_expect(comes(rd,
                    "event: speakers\ndata: "
                    "{\"dominant\":\"eve\",\"speaking\":[{\"participant\":\"eve\",\"stream\":"
                    "\"eve\",\"level\":100}]}",
                    2000),
              "%s", rd->text);
    forget(rd);
    cr_expect(comes(rd, "\"dominant\":\"eve\",\"speaking\":[]", 2000),
              "half a second later nobody speaks");
    forget(rd);
    kit_say(API_EV_ENDED, eve, API_END_PEER_CLOSED);
    cr_expect(comes(rd, "\"left\":[\"eve\"]", 2000));
    cr_expect(comes(rd, "{\"mid\":\"2\",\"kind\":\"video\",\"participant\":null", 2000));
    cr_expect(comes(rd, "\"dominant\":null", 2000));
    close_reader(rd);
    struct reply r = kit_do("GET", below(session, "people?after=0"), "", NULL);
    cr_expect_eq(r.status, 200);
    cr_expect_not_null(strstr(r.body, "\"name\":\"bob\",\"watching\":true"), "%s", r.body);
}

Test(sse, numbers_and_layers_once_a_second)
{
    uint64_t p = kit_live("/whip/room/ann");
    const char *session;
    uint64_t viewer = kit_join("/whep/room", &session);
    int asked = kit_count(API_CMD_QUERY);
    struct reader *rd = open_reader(make(session, "[\"stats\",\"layers\"]"));
    cr_expect(
        comes(rd,
              "event: stats\ndata: {\"rtt_ms\":12.5,\"transport\":\"udp\",\"estimate_bps\":", 4000),
        "%s", rd->text);
    cr_expect(
        comes(rd, "event: layers\ndata: {\"1\":[{\"spatialLayerId\":0,\"bitrate\":0}]}", 4000),
        "%s", rd->text);
    const struct kit_cmd *q = kit_cmd(API_CMD_QUERY, asked);
    cr_assert_not_null(q);
    cr_expect(q->cmd.id == viewer || q->cmd.id == p, "one session is asked for, not all");
    forget(rd);
    cr_expect_not(comes(rd, "event: layers", 1500), "nothing has changed");
    cr_expect_not_null(strstr(rd->text, "event: stats"));
    close_reader(rd);
    for (int i = 0; i < 3000 && kit_plane.n_events == 0; i++) {
        kit_turn();
    }
}

Test(sse, a_slow_reader_is_dropped_and_others_go_on)
{
    uint64_t ann = kit_live("/whip/room/ann");
    const char *session;
    (void)kit_join("/whep/room", &session);
    char path[300];
    snprintf(path, sizeof(path), "%s", make(session, "[\"participants\",\"slots\"]"));
    struct reader *slow = open_reader(path);
    int small = 4096;
    setsockopt(slow->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    struct reader *quick = open_reader(below(session, "sse"));
    cr_expect(comes(quick, "event: slots", 2000));
    cr_expect(comes(slow, "event: slots", 2000));
    /* Mutes flap: news without end. */
    bool dropped = false;
    int n_cmds = kit_plane.n_cmds;
    for (int i = 0; i < 60000 && !dropped; i++) {
        struct api_event ev = {
            .kind = API_EV_TRACKS, .id = ann, .u.tracks = {.audio = true, .video = i % 2}};
        kit_emit(ev);
        pump(quick, true);
        kit_plane.n_cmds = n_cmds; /* aliases, by the thousand */
        quick->len = quick->len > 100000 ? 0 : quick->len;
        if (i % 500 == 499) {
            struct reply r = kit_admin("GET", "/metrics");
            dropped = strstr(r.body, "sluice_event_streams_dropped_total 1\n") != NULL;
        }
    }
    cr_expect(dropped, "the slow one is closed, and counted");
    forget(quick);
    kit_say(API_EV_ENDED, ann, API_END_PEER_CLOSED);
    cr_expect(comes(quick, "\"left\":[\"ann\"]", 3000));
    close_reader(slow);
    /* It may come again: its stream is still there. */
    slow = open_reader(path);
    cr_expect(comes(slow, "event: slots", 2000));
    close_reader(slow);
    close_reader(quick);
}

static void few(void)
{
    kit_prepare();
    kit.conf->http.event_streams_per_ip = 3;
    kit_go();
}

TestSuite(sse_limits, .init = few, .fini = kit_stop);

Test(sse_limits, streams_are_bounded_by_session_and_address)
{
    (void)kit_publish_id("/whip/room/ann");
    struct reply r = kit_play("/whep/room/ann", "");
    char session[300];
    snprintf(session, sizeof(session), "%s", kit_session(&r));
    /* Streams that nobody reads give way to new ones. */
    for (int i = 0; i < 20; i++) {
        make(session, "[\"active\"]");
    }
    struct reader *rd[3];
    for (int i = 0; i < 3; i++) {
        rd[i] = open_reader(below(session, "sse"));
        cr_expect(comes(rd[i], "200 OK", 2000));
    }
    cr_expect_eq(kit_do("GET", below(session, "sse"), "", NULL).status, 429, "the address");
    close_reader(rd[0]);
    /* A sleeping connection's end is noticed within seconds. */
    int64_t deadline_us = clock_now_us() + 6 * (int64_t)US_PER_S;
    bool gone = false;
    while (!gone && clock_now_us() < deadline_us) {
        kit_turn();
        r = kit_admin("GET", "/metrics");
        gone = strstr(r.body, "sluice_event_streams 2\n") != NULL;
    }
    cr_expect(gone);
    rd[0] = open_reader(below(session, "sse"));
    cr_expect(comes(rd[0], "200 OK", 2000));
    /* The server stops with streams open: kit_stop finds nothing left. */
    for (int i = 0; i < 3; i++) {
        close(rd[i]->fd);
    }
}

Test(sse, draining_asks_players_to_reconnect)
{
    (void)kit_publish_id("/whip/room/ann");
    struct reply r = kit_play("/whep/room/ann", "");
    struct reader *rd = open_reader(make(kit_session(&r), "[\"reconnect\"]"));
    cr_expect(comes(rd, "200 OK", 2000));
    signaling_drain(kit.s, -1, NULL, NULL);
    cr_expect(comes(rd, "event: reconnect\ndata: {}\n", 2000)); /* WHEP-33 */
    close_reader(rd);
}
