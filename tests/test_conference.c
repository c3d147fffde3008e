/* SPDX-License-Identifier: Apache-2.0 */
/* Rooms over real HTTP with a recorded plane: who is sent what, and by how many commands. */
#include "tests/http_kit.h"

TestSuite(conference, .init = kit_start, .fini = kit_stop);

#define SECTION                                                                                    \
    "c=IN IP4 0.0.0.0\r\n" KIT_TRANSPORT "a=%s\r\na=rtcp-mux\r\na=mid:%d\r\na=msid:s t%d\r\n"
#define LEVEL "a=extmap:9 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
#define VP8                                                                                        \
    "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
#define H264                                                                                       \
    "a=rtpmap:98 H264/90000\r\na=fmtp:98 "                                                         \
    "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"

/* An offer of so many sections; pts: the video formats, "96 97 98" with their lines. */
static const char *offer(const char *dir, int audio, int video, const char *pts, const char *lines)
{
    static char text[65536];
    int n = snprintf(text, sizeof(text),
                     "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
    for (int i = 0; i < audio + video; i++) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, " %d", i);
    }
    n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
    for (int i = 0; i < audio + video; i++) {
        bool sound = i < audio;
        n += snprintf(text + n, sizeof(text) - (size_t)n,
                      "m=%s 9 UDP/TLS/RTP/SAVPF %s\r\n" SECTION "%s%s", sound ? "audio" : "video",
                      sound ? "111" : pts, dir, i, sound ? 0 : 1,
                      sound ? "a=rtpmap:111 opus/48000/2\r\n" : lines, sound ? LEVEL : "");
    }
    return text;
}

struct party {
    uint64_t session, stream;
    char url[256];
    const struct api_session *offered;
};

static struct party party_of(const struct reply *r)
{
    const struct kit_cmd *add = kit_last(API_CMD_SESSION_ADD);
    struct party p = {.session = add->cmd.id,
                      .stream = add->cmd.u.session->stream,
                      .offered = add->cmd.u.session};
    cr_assert_eq(r->status, 201, "%s", r->body);
    snprintf(p.url, sizeof(p.url), "%s", kit_session(r));
    return p;
}

/* Publishes VP8 and Opus with levels; media flows at once. */
static struct party publish(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "/whip/room/%s", name);
    struct reply r = kit_do("POST", path, KIT_SDP, offer("sendonly", 1, 1, "96 97", VP8));
    struct party p = party_of(&r);
    kit_say(API_EV_UP, p.session, 0);
    kit_say(API_EV_LIVE, p.session, 0);
    return p;
}

static struct party join(const char *path, int audio, int video)
{
    struct reply r = kit_do("POST", path, KIT_SDP, offer("recvonly", audio, video, "96 97", VP8));
    struct party p = party_of(&r);
    kit_say(API_EV_UP, p.session, 0);
    return p;
}

/* Whether a section comes to play stream. */
static bool plays(const struct party *p, uint8_t mline, uint64_t stream)
{
    int64_t deadline_us = clock_now_us() + 5 * (int64_t)US_PER_S;
    while (kit_plays(p->session, mline) != stream && clock_now_us() < deadline_us) {
        struct pollfd nothing = {.fd = -1};
        kit_turn();
        (void)poll(&nothing, 1, 2);
    }
    return kit_plays(p->session, mline) == stream;
}

/* The section that plays stream, -1: none. */
static int where(const struct party *p, int from, int to, uint64_t stream)
{
    for (int i = from; i < to; i++) {
        if (kit_plays(p->session, (uint8_t)i) == stream) {
            return i;
        }
    }
    return -1;
}

/* The worker's digest: one speaks, and everybody else is silent. */
static void speak(const struct party *who, const struct party *all, int n)
{
    struct api_event ev = {.kind = API_EV_LEVELS};
    ev.u.levels.levels = calloc((size_t)n, sizeof(*ev.u.levels.levels));
    for (int i = 0; i < n; i++) {
        struct api_level *l = &ev.u.levels.levels[ev.u.levels.n++];
        l->stream = all[i].stream;
        if (&all[i] == who) {
            l->window =
                (struct speaker_window){.immediate = 10, .medium = 5, .lasting = 6, .level = 100};
        }
    }
    kit_emit(ev);
    kit_turn();
    kit_turn();
}

static int count_lines(const char *text, const char *begin)
{
    int n = 0;
    for (const char *at = strstr(text, begin); at != NULL; at = strstr(at + 1, begin)) {
        n++;
    }
    return n;
}

#define LONG_NAME                                                                                  \
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"                             \
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

/* Names for people stand in the query where no token says them; the others are told. */
Test(conference, names_for_people)
{
    static const struct {
        const char *query;
        int status;
        const char *display; /* in the roster */
    } rows[] = {
        {"?name=%D0%9C%D0%B0%D1%80%D0%B8%D1%8F%20%22M%22", 201,
         "\"name\":\"p0\",\"display\":\"\xd0\x9c\xd0\xb0\xd1\x80\xd0\xb8\xd1\x8f \\\"M\\\"\""},
        {"?name=", 201, "\"name\":\"p1\",\"watching\""},
        {"?name=%ff", 400, NULL},
        {"?name=a%0ab", 400, NULL},
        {"?name=" LONG_NAME, 201, "\"display\":\"" LONG_NAME "\""},
        {"?name=" LONG_NAME "x", 400, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[256];
        snprintf(path, sizeof(path), "/whip/names/p%zu%s", i, rows[i].query);
        struct reply r = kit_publish(path, "");
        cr_assert_eq(r.status, rows[i].status, "row %zu: %d %s", i, r.status, r.body);
        if (rows[i].display == NULL) {
            continue;
        }
        struct party p = party_of(&r);
        kit_say(API_EV_UP, p.session, 0);
        kit_say(API_EV_LIVE, p.session, 0);
        struct reply w = kit_do("POST", "/whep/names", KIT_SDP, offer("recvonly", 1, 2, "96", VP8));
        snprintf(path, sizeof(path), "%s/people", strstr(kit_header(&w, "Location"), "/session/"));
        w = kit_do("GET", path, "", NULL);
        cr_expect_not_null(strstr(w.body, rows[i].display), "row %zu: %s", i, w.body);
    }
}

/* Posts an offer to publish or to watch in slots. */
static struct reply ask(const char *path, const char *headers)
{
    char all[256];
    bool whip = strncmp(path, "/whip", 5) == 0;
    snprintf(all, sizeof(all), KIT_SDP "%s", headers);
    return kit_do("POST", path, all,
                  offer(whip ? "sendonly" : "recvonly", 1, whip ? 1 : 2, "96 97", VP8));
}

#define NEW "If-None-Match: *\r\n"

/* Two of one name, who publish or watch: the second can ask not to be taken for the first. */
Test(conference, if_none_match_takes_nobodys_name)
{
    static const struct {
        const char *path, *headers;
        int status;
    } rows[] = {
        {"/whip/twice/ann", NEW, 201},
        {"/whip/twice/ann", NEW, 412},
        {"/whep/twice?as=ann", NEW, 412},
        {"/whep/twice?as=ann", "", 201}, // her own
        {"/whip/twice/ann~screen", NEW, 201},
        {"/whip/twice/ann~screen", NEW, 412},
        {"/whip/twice/ann-2", NEW, 201},
        {"/whip/twice/ann", "If-None-Match: \"x\"\r\n", 201},
        {"/whip/twice/ann", "", 201},
        {"/whep/twice?as=bob", NEW, 201}, // watches only
        {"/whep/twice?as=bob", NEW, 412},
        {"/whip/twice/bob", NEW, 412},
        {"/whip/twice/bob", "", 201},
        {"/whep/twice", NEW, 201}, // nobody's name
        {"/whep/twice", NEW, 201},
        {"/whip/elsewhere/bob", NEW, 201},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply r = ask(rows[i].path, rows[i].headers);
        cr_expect_eq(r.status, rows[i].status, "row %zu: %d %s", i, r.status, r.body);
    }
}

/* The name of somebody who is not heard any more is free. */
Test(conference, silence_gives_a_name_away)
{
    static const char *const paths[] = {"/whep/twice?as=ann", "/whip/twice/ann"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct party first = join(paths[0], 1, 2);
        cr_expect_eq(ask(paths[i], NEW).status, 412);
        kit_say(API_EV_SILENT, first.session, 0);
        struct reply r = ask(paths[i], NEW);
        struct party second = party_of(&r);
        kit_do("DELETE", second.url, "", NULL);
        kit_do("DELETE", first.url, "", NULL);
    }
}

/* Who publishes is here from the moment its session is up, muted until something flows. */
Test(conference, who_sends_nothing_yet_is_here)
{
    static const struct {
        enum api_ev_kind ev;
        const char *begin; // of the person in the list; "": nobody
        bool muted;
    } rows[] = {
        {API_EV_UP, "\"name\":\"ann\"", true},
        {API_EV_LIVE, "\"name\":\"ann\"", false},
        {API_EV_SILENT, "\"people\":[]", false},
        {API_EV_LIVE, "\"name\":\"ann\"", false},
    };
    struct party w = join("/whep/quiet", 1, 2);
    char people[300];
    snprintf(people, sizeof(people), "%s/people", strstr(w.url, "/session/"));
    struct reply r = ask("/whip/quiet/ann", "");
    struct party p = party_of(&r);
    r = kit_do("GET", people, "", NULL);
    cr_expect_not_null(strstr(r.body, "\"people\":[]"), "not before it is up: %s", r.body);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        kit_say(rows[i].ev, p.session, 0);
        r = kit_do("GET", people, "", NULL);
        cr_expect_not_null(strstr(r.body, rows[i].begin), "row %zu: %s", i, r.body);
        cr_expect_eq(strstr(r.body, "\"muted\":true") != NULL, rows[i].muted, "row %zu: %s", i,
                     r.body);
    }
}

Test(conference, conf_03_slots_are_answered_in_order_and_filled)
{
    struct reply r = kit_do("POST", "/whep/room", KIT_SDP, offer("recvonly", 3, 9, "96 97", VP8));
    cr_assert_eq(r.status, 201, "an empty room has seats: %s", r.body);
    cr_expect_eq(count_lines(r.body, "a=sendonly\r\n"), 12);
    cr_expect_eq(count_lines(r.body, "m=audio 9"), 3);
    cr_expect_eq(count_lines(r.body, "m=video 9"), 9);
    cr_expect_eq(count_lines(r.body, "a=ssrc-group:FID"), 9);
    struct party v = party_of(&r);
    for (unsigned i = 0; i < 12; i++) {
        const struct api_mline *a = &v.offered->mlines[i];
        cr_expect_eq(a->index, i);
        cr_expect_eq(a->kind, i < 3 ? MEDIA_AUDIO : MEDIA_VIDEO);
        char msid[64];
        snprintf(msid, sizeof(msid), "a=msid:%s-%u ", v.offered->cname, i);
        cr_expect_eq(count_lines(r.body, msid), 1, "each slot is a stream of its own");
        for (unsigned k = 0; k < i; k++) {
            cr_expect_neq(a->ssrcs[0], v.offered->mlines[k].ssrcs[0]);
        }
    }
    cr_expect_eq(v.offered->stream, 0, "nothing is played until seats are given");
    struct party p[10];
    for (int i = 0; i < 9; i++) {
        char name[8];
        snprintf(name, sizeof(name), "p%d", i);
        p[i] = publish(name);
        cr_expect(plays(&v, (uint8_t)(3 + i), p[i].stream), "participant %d has a seat of its own",
                  i);
    }
    cr_expect_geq(where(&v, 0, 3, p[8].stream), -1);
    /* The tenth takes the seat of the one who was quiet for longest, once its hold is over. */
    p[9] = publish("p9");
    cr_expect(plays(&v, 3, p[9].stream), "the first comer makes room");
    for (int i = 1; i < 9; i++) {
        cr_expect_eq(where(&v, 3, 12, p[i].stream), 3 + i, "nobody else moves");
    }
    kit_do("DELETE", p[4].url, "", NULL);
    cr_expect(plays(&v, 7, p[0].stream), "a free seat is the next one's");
}

Test(conference, own_media_is_left_out_and_wishes_are_personal)
{
    struct party p[3] = {publish("ann"), publish("bob"), publish("ann~screen")};
    struct party ann = join("/whep/room?as=ann", 2, 3);
    struct party bob = join("/whep/room?as=bob", 2, 3);
    struct party guest = join("/whep/room", 2, 3);
    cr_expect(plays(&ann, 2, p[1].stream));
    cr_expect_eq(where(&ann, 0, 5, p[0].stream), -1, "not her own face");
    cr_expect_eq(where(&ann, 0, 5, p[2].stream), -1, "nor her own screen");
    cr_expect_eq(where(&bob, 2, 5, p[2].stream), 2, "the screen comes first");
    cr_expect_geq(where(&bob, 2, 5, p[0].stream), 2);
    cr_expect_eq(where(&bob, 0, 5, p[1].stream), -1);
    for (int i = 0; i < 3; i++) {
        cr_expect_geq(where(&guest, 2, 5, p[i].stream), 2, "a guest sees all");
    }
    static const char json[] = "Content-Type: application/json\r\n";
    char url[300];
    snprintf(url, sizeof(url), "%s/wish", guest.url);
    struct reply r =
        kit_do("POST", url, json,
               "{\"slots\":[{\"mid\":\"4\",\"stream\":\"bob\",\"layer\":{\"maxWidth\":320}},"
               "{\"mid\":\"3\",\"off\":true}],\"mute\":[\"ann\"]}");
    cr_expect_eq(r.status, 200, "%s", r.body);
    cr_expect_eq(kit_plays(guest.session, 4), p[1].stream);
    cr_expect_eq(kit_plays(guest.session, 3), 0);
    cr_expect_eq(where(&guest, 0, 2, p[0].stream), -1, "muted for this viewer");
    cr_expect_eq(kit_last(API_CMD_LAYER)->cmd.u.wish.max_width, 320);
    cr_expect_eq(kit_last(API_CMD_LAYER)->cmd.u.wish.mline, 4);
    r = kit_do(
        "POST", url, json,
        "{\"slots\":[{\"mid\":\"4\",\"stream\":null},{\"mid\":\"3\",\"off\":false}],\"mute\":[]}");
    cr_expect_eq(r.status, 200, "%s", r.body);
    kit_turn();
    for (int i = 0; i < 3; i++) {
        cr_expect_geq(where(&guest, 2, 5, p[i].stream), 2, "as before");
    }
    static const struct {
        const char *type;
        const char *body;
        int status;
    } rows[] = {
        {"Content-Type: text/plain\r\n", "{}", 415},
        {json, "{", 400},
        {json, "{\"pin\":7}", 400},
        {json, "{\"slots\":[{\"mid\":\"99\"}]}", 422},
        {json, "{\"pin\":[\"bob\"]}", 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        r = kit_do("POST", url, rows[i].type, rows[i].body);
        cr_expect_eq(r.status, rows[i].status, "row %zu: %s", i, r.body);
    }
    cr_expect_eq(kit_do("GET", url, "", NULL).status, 405);
    cr_expect_eq(
        kit_do("POST", "/whep/room?as=no+name", KIT_SDP, offer("recvonly", 2, 2, "96 97", VP8))
            .status,
        400);
}

Test(conference, a_change_costs_one_command_a_worker_however_many_watch)
{
    struct party p[2] = {publish("ann"), publish("bob")};
    struct party v[40];
    for (int i = 0; i < 40; i++) {
        v[i] = join("/whep/room", 1, 1);
    }
    cr_expect_eq(kit_plays(v[0].session, 1), p[1].stream, "the newest");
    cr_expect_eq(kit_count(API_CMD_LEVELS), 2, "each publisher's worker is asked once");
    int aliases = kit_count(API_CMD_STREAM_ALIAS), slots = kit_count(API_CMD_SLOT);
    cr_expect_eq(slots, 80, "two for each that joined");
    speak(&p[0], p, 2);
    for (int i = 0; i < 40; i++) {
        cr_expect(plays(&v[i], 1, p[0].stream), "the speaker");
        cr_expect(plays(&v[i], 0, p[0].stream));
    }
    cr_expect_eq(kit_count(API_CMD_STREAM_ALIAS), aliases + 2 * KIT_WORKERS);
    cr_expect_eq(kit_count(API_CMD_SLOT), slots);
    /* The last one to leave takes the aliases along. */
    for (int i = 0; i < 40; i++) {
        kit_do("DELETE", v[i].url, "", NULL);
    }
    cr_expect_eq(kit_last(API_CMD_STREAM_ALIAS)->cmd.u.alias.target, 0);
    cr_expect_eq(kit_count(API_CMD_STREAM_ALIAS), aliases + 4 * KIT_WORKERS);
}

Test(conference, a_viewer_that_begins_to_publish_keeps_its_seats)
{
    struct party p[2] = {publish("ann"), publish("bob")};
    struct party v = join("/whep/room?as=eve", 2, 4), w = join("/whep/room", 2, 4);
    uint64_t was[6];
    for (uint8_t i = 0; i < 6; i++) {
        was[i] = kit_plays(v.session, i);
    }
    cr_expect_eq(where(&v, 2, 6, p[0].stream), where(&w, 2, 6, p[0].stream), "the same layout");
    struct party eve = publish("eve");
    kit_turn();
    for (uint8_t i = 0; i < 6; i++) {
        cr_expect_eq(kit_plays(v.session, i), was[i], "section %u", i);
    }
    cr_expect_geq(where(&w, 2, 6, eve.stream), 2, "others see her");
    cr_expect_eq(where(&v, 0, 6, eve.stream), -1);
    kit_do("DELETE", eve.url, "", NULL);
    kit_turn();
    cr_expect_eq(where(&w, 2, 6, eve.stream), -1);
    for (uint8_t i = 0; i < 6; i++) {
        cr_expect_eq(kit_plays(v.session, i), kit_plays(w.session, i), "one layout again");
    }
}

Test(conference, what_does_not_flow_has_no_seat)
{
    struct party p = publish("ann");
    struct party v = join("/whep/room", 2, 2);
    struct api_event ev = {.kind = API_EV_TRACKS, .id = p.session, .u.tracks = {.audio = true}};
    cr_expect_eq(where(&v, 2, 4, p.stream), 2);
    kit_emit(ev);
    kit_turn();
    kit_turn();
    cr_expect_eq(where(&v, 2, 4, p.stream), -1, "the camera is off");
    cr_expect_eq(where(&v, 0, 2, p.stream), 0);
    ev.u.tracks.video = true;
    kit_emit(ev);
    kit_turn();
    kit_turn();
    cr_expect_eq(where(&v, 2, 4, p.stream), 2);
    kit_say(API_EV_SILENT, p.session, 0);
    kit_turn();
    cr_expect_eq(where(&v, 0, 4, p.stream), -1, "lost from sight");
    kit_say(API_EV_LIVE, p.session, 0);
    kit_turn();
    cr_expect_eq(where(&v, 2, 4, p.stream), 2, "where it was");
    kit_say(API_EV_ENDED, p.session, API_END_PEER_CLOSED);
    kit_turn();
    cr_expect_eq(where(&v, 0, 4, p.stream), -1);
    /* Nobody live: a plain player waits, one with slots may come in. */
    cr_expect_eq(kit_play("/whep/room", "").status, 409);
    join("/whep/room", 2, 2);
}

Test(conference, conf_06_the_room_agrees_on_a_codec_and_admits_exceptions)
{
    /* H264 first: the room's codec. Who has both is answered with it, who has not is let in. */
    struct reply r =
        kit_do("POST", "/whip/room/ann", KIT_SDP, offer("sendonly", 1, 1, "98 96 97", H264 VP8));
    struct party ann = party_of(&r);
    cr_expect_eq(ann.offered->mlines[1].codecs[0].id, CODEC_H264);
    r = kit_do("POST", "/whip/room/bob", KIT_SDP, offer("sendonly", 1, 1, "96 97 98", VP8 H264));
    struct party bob = party_of(&r);
    cr_expect_eq(bob.offered->mlines[1].codecs[0].id, CODEC_H264, "though it prefers VP8");
    struct party eve = publish("eve");
    cr_expect_eq(eve.offered->mlines[1].codecs[0].id, CODEC_VP8, "it has nothing else");
    kit_say(API_EV_LIVE, ann.session, 0);
    kit_say(API_EV_LIVE, bob.session, 0);
    r = kit_do("POST", "/whep/room", KIT_SDP, offer("recvonly", 2, 3, "96 97 98", VP8 H264));
    struct party both = party_of(&r);
    cr_expect_eq(both.offered->mlines[2].codecs[0].id, CODEC_H264, "the room's codec first");
    cr_expect_eq(both.offered->mlines[2].codecs[1].id, CODEC_VP8);
    struct party half = join("/whep/room", 2, 3);
    kit_turn();
    cr_expect_geq(where(&both, 2, 5, ann.stream), 2);
    cr_expect_geq(where(&both, 2, 5, eve.stream), 2);
    cr_expect_geq(where(&half, 2, 5, eve.stream), 2);
    cr_expect_eq(where(&half, 2, 5, ann.stream), -1, "what it cannot decode has no seat");
    cr_expect_geq(where(&half, 0, 2, ann.stream), -1);
    /* Its first publisher gone, a room agrees anew. */
    kit_do("DELETE", ann.url, "", NULL);
    kit_do("DELETE", bob.url, "", NULL);
    r = kit_do("POST", "/whip/room/joe", KIT_SDP, offer("sendonly", 1, 1, "98 96 97", H264 VP8));
    cr_expect_eq(party_of(&r).offered->mlines[1].codecs[0].id, CODEC_VP8, "eve's");
}

static void without_slots(void)
{
    kit_prepare();
    kit.conf->rooms.audio_slots = 1;
    kit.conf->rooms.video_slots = 1;
    kit_go();
}

TestSuite(conference_off, .init = without_slots, .fini = kit_stop);

Test(conference_off, conf_04_only_the_first_pair_plays)
{
    struct party p = publish("ann");
    struct reply r = kit_do("POST", "/whep/room", KIT_SDP, offer("recvonly", 3, 9, "96 97", VP8));
    struct party v = party_of(&r);
    cr_expect_eq(count_lines(r.body, "m=video 0 "), 8);
    cr_expect_eq(count_lines(r.body, "m=audio 0 "), 2);
    cr_expect_eq(v.offered->n_mlines, 2);
    cr_expect(plays(&v, 0, p.stream));
    cr_expect(plays(&v, 3, p.stream));
}

static void with_tokens(void)
{
    kit_prepare();
    kit_token("all", "all", "room/*", true, true);
    kit_token("view", "view", "room/*", false, true);
    kit_token("main", "main", "room/main", false, true);
    kit_go();
}

TestSuite(conference_tokens, .init = with_tokens, .fini = kit_stop);

Test(conference_tokens, a_room_needs_the_right_to_all_of_it)
{
    static const struct {
        const char *path, *token;
        int audio, video, status;
    } rows[] = {
        {"/whep/room", "", 2, 2, 401},
        {"/whep/room", "Authorization: Bearer no\r\n", 2, 2, 401},
        {"/whep/room", "Authorization: Bearer view\r\n", 2, 2, 201},
        {"/whep/room", "Authorization: Bearer main\r\n", 2, 2, 403},
        {"/whep/room?as=bob", "Authorization: Bearer view\r\n", 2, 2, 403},
        {"/whep/room?as=bob", "Authorization: Bearer all\r\n", 2, 2, 201},
        {"/whep/other", "Authorization: Bearer all\r\n", 2, 2, 403},
        {"/whep/room", "Authorization: Bearer main\r\n", 1, 1, 201},
        {"/whep/room", "Authorization: Bearer view\r\n", 1, 1, 201},
    };
    char all[512];
    snprintf(all, sizeof(all), KIT_SDP "Authorization: Bearer all\r\n");
    struct reply r = kit_do("POST", "/whip/room", all, offer("sendonly", 1, 1, "96 97", VP8));
    uint64_t main_stream = party_of(&r).stream;
    r = kit_do("POST", "/whip/room/secret", all, offer("sendonly", 1, 1, "96 97", VP8));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(all, sizeof(all), KIT_SDP "%s", rows[i].token);
        r = kit_do("POST", rows[i].path, all,
                   offer("recvonly", rows[i].audio, rows[i].video, "96 97", VP8));
        cr_expect_eq(r.status, rows[i].status, "row %zu: %s", i, r.body);
        if (i == 7) {
            cr_expect_eq(kit_last(API_CMD_SESSION_ADD)->cmd.u.session->stream, main_stream,
                         "bound to what the token permits, whoever speaks");
        }
    }
}
