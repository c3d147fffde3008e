/* SPDX-License-Identifier: Apache-2.0 */
/* check_sdp_codec.c - offer and answer: payload types, extensions, feedback, codec parameters. */
#include "tests/conformance/checks.h"

#include <strings.h>

/* Publisher and viewer that offer every codec. */
static bool rich_answers(struct suite *s, struct party *p[2])
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.codecs = 1U << PEER_VP8 | 1U << PEER_VP9 | 1U << PEER_H264 | 1U << PEER_AV1;
    p[0] = LIVE(s, .params = &m);
    suite_params(s, true, &m);
    m.codecs = 1U << PEER_VP8 | 1U << PEER_VP9 | 1U << PEER_H264 | 1U << PEER_AV1;
    p[1] = p[0] ? WATCH(s, .params = &m) : NULL;
    return p[1] != NULL;
}

/* What an accepted section of the rich answers must keep of its offer. */
struct kept_of_offer {
    void (*judge)(const struct check_doc *offer, const struct check_doc *answer, int section,
                  struct check_log *log);
    const char *what;
};

static void offer_is_kept(struct suite *s)
{
    const struct kept_of_offer *x = s->now->arg;
    struct party *p[2];
    struct check_log log = {""};

    if (!rich_answers(s, p)) {
        return;
    }
    for (int k = 0; k < 2; k++) {
        for (int i = 1; i <= p[k]->answer.n_sections; i++) {
            if (doc_accepted(&p[k]->answer, i)) {
                x->judge(&p[k]->offer, &p[k]->answer, i, &log);
            }
        }
    }
    EXPECT(s, !log.text[0], x->what, "%s", log.text);
}

static void only_if_offered(struct suite *s)
{
    const char *line = s->now->arg;
    struct party *p = POST(s, .edits = {{line, "", true}});

    EXPECT_STATUS(s, p->created, 201);
    EXPECT(s, !strstr(p->created->body, line), suite_keep(s, "no %.60s", line), "%.300s",
           strstr(p->created->body, line));
}

static void unknown_extension(struct suite *s)
{
    struct party *p =
        POST(s, .edits = {{"a=extmap:4 ", "a=extmap:9 urn:example:nobody-knows-this\r\na=extmap:4 ",
                           true}});

    EXPECT_STATUS(s, p->created, 201);
    EXPECT(s, !strstr(p->created->body, "nobody-knows-this"), "unknown URIs dropped", "echoed");
}

static void extension_direction(struct suite *s)
{
    static const char *const ways[][2] = {{"/sendonly", "/recvonly"}, {"/recvonly", "/sendonly"}};

    for (int i = 0; i < 2; i++) {
        struct party *p =
            POST(s, .edits = {{"a=extmap:4 ", suite_keep(s, "a=extmap:4%s ", ways[i][0]), true}});
        EXPECT_STATUS(s, p->created, 201);
        const char *echoed = check_get(&p->answer, 1, "a=extmap:4");
        /* leaving it out is a way to decline */
        EXPECT(s, !echoed || !strncmp(echoed, ways[i][1], 9), "the direction reversed, or none",
               "offered %s, answered a=extmap:4%s", ways[i][0], echoed);
        (void)party_delete(p);
    }
}

static void odd_extension_ids(struct suite *s)
{
    static const char *const rows[] = {"a=extmap:0 ",    "a=extmap:15 ",          "a=extmap:256 ",
                                       "a=extmap:4096 ", "a=extmap:99999999999 ", "a=extmap:x "};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct party *p = POST(s, .edits = {{"a=extmap:1 ", rows[i]}});
        EXPECT(s,
               p->created->status == 201 || (p->created->status >= 400 && p->created->status < 500),
               "ignored or 4xx", "%s: %s", rows[i], reply_brief(p->created));
        EXPECT(s, p->created->status != 201 || i == 1 || !strstr(p->created->body, rows[i]),
               "not echoed", "%s", rows[i]);
        if (p->created->status == 201) {
            (void)party_delete(p);
        }
    }
    struct party *p = POST(s, .edits = {{"a=extmap:1 ", "a=extmap:4 "}}); /* an id twice */
    EXPECT(s, p->created->status == 201 || (p->created->status >= 400 && p->created->status < 500),
           "one of them ignored, or 4xx", "%s", reply_brief(p->created));
}

/* An id that the answer uses for two URIs; 0 if there is none. */
static int clashing_id(const struct check_doc *d)
{
    for (int a = 1; a <= d->n_sections; a++) {
        for (int i = 0; check_nth(d, a, "a=extmap:", i); i++) {
            const char *x = check_nth(d, a, "a=extmap:", i);
            for (int b = a; b <= d->n_sections; b++) {
                for (int k = 0; check_nth(d, b, "a=extmap:", k); k++) {
                    const char *y = check_nth(d, b, "a=extmap:", k);
                    if (strtol(x, NULL, 10) == strtol(y, NULL, 10) &&
                        strcmp(x + strcspn(x, " "), y + strcspn(y, " ")) != 0) {
                        return (int)strtol(x, NULL, 10);
                    }
                }
            }
        }
    }
    return 0;
}

/* aiortc offers so; the answer at least must be consistent. */
static void id_with_two_meanings(struct suite *s)
{
    bool play = check_is_play(s);

    if (play && !check_stage(s)) {
        return;
    }
    struct party *own = party_new(s, &(struct plan){.play = play});
    const char *text =
        check_edit_section(s, own->offer_text, "m=video", "a=extmap:2 ", "a=extmap:1 ");
    struct party *p = POST(s, .play = play, .offer = text);
    if (p->created->status >= 400 && p->created->status < 500) {
        return;
    }
    EXPECT_STATUS(s, p->created, 201);
    int id = clashing_id(&p->answer);
    EXPECT(s, !id, "4xx, or an answer that gives each id one meaning", "id %d has two", id);
}

/* ---- codecs ---- */

/* A viewer of a publisher of this codec alone; edits of the viewer's offer. */
struct match {
    enum peer_codec codec;
    struct edit edit;
    bool refused;
};

static void codec_match(struct suite *s)
{
    const struct match *x = s->now->arg;
    struct peer_params m;

    if (!check_publish(s, x->codec, 1)) {
        return;
    }
    suite_params(s, true, &m);
    m.codecs = 1U << x->codec;
    struct plan plan = {.play = true, .params = &m, .edits = {x->edit}};
    if (!x->refused) {
        struct party *v = party_watch(s, &plan);
        EXPECT(s, !v || doc_accepted(&v->answer, 2), "the video is accepted", "%.300s",
               v->created->body);
        return;
    }
    struct party *v = party_post(s, &plan);
    bool left_out = v->created->status == 201 && !doc_accepted(&v->answer, 2);
    EXPECT(s, left_out || (v->created->status >= 400 && v->created->status < 500),
           "4xx, or the section rejected", "%s", reply_brief(v->created));
}

static void opus_parameters(struct suite *s)
{
    static const char *const want[] = {"stereo=1", "sprop-stereo=1", "useinbandfec=1", "usedtx=1"};
    struct party *p =
        POST(s, .edits = {{"minptime=10;useinbandfec=1",
                           "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1;usedtx=1"}});

    EXPECT_STATUS(s, p->created, 201);
    const char *map = check_get(&p->answer, 1, "a=rtpmap:111 ");
    EXPECT(s, map && !strcasecmp(map, "opus/48000/2"), "opus/48000/2", "%s", map ? map : "none");
    const char *fmtp = check_get(&p->answer, 1, "a=fmtp:111 ");
    for (int i = 0; i < 4; i++) {
        EXPECT(s, fmtp && strstr(fmtp, want[i]), want[i], "a=fmtp:111 %s", fmtp ? fmtp : "none");
    }
}

static void wildcard_feedback(struct suite *s)
{
    struct party *p = POST(s, .edits = {{"a=rtcp-fb:96 nack\r\n", "a=rtcp-fb:* nack\r\n"},
                                        {"a=rtcp-fb:96 nack pli\r\n", "a=rtcp-fb:* nack pli\r\n"}});

    EXPECT_STATUS(s, p->created, 201);
    bool nack = check_has(&p->answer, 2, "a=rtcp-fb:96 nack") ||
                check_has(&p->answer, 2, "a=rtcp-fb:* nack");
    bool pli = check_has(&p->answer, 2, "a=rtcp-fb:96 nack pli") ||
               check_has(&p->answer, 2, "a=rtcp-fb:* nack pli");
    EXPECT(s, nack && pli, "nack and nack pli for the video", "%.600s", p->created->body);
}

static void feedback_only_if_offered(struct suite *s)
{
    struct party *own = party_new(s, &(struct plan){0});
    struct peer_params m;

    suite_params(s, false, &m);
    m.nack = m.twcc = false;
    struct party *p = POST(s, .params = &m);
    EXPECT_STATUS(s, p->created, 201);
    EXPECT(s,
           !check_has(&p->answer, 2, "a=rtcp-fb:96 nack") &&
               !strstr(p->created->body, "transport-cc"),
           "no nack, no transport-cc", "%.600s", p->created->body);
    EXPECT(s, strstr(own->offer_text, "transport-cc"), "the offer has it otherwise", "it has not");
}

static void fid_with_ssrcs(struct suite *s)
{
    struct party *v = party_pair(s, NULL);
    unsigned a, b;

    for (int i = 1; v && i <= v->answer.n_sections; i++) {
        const char *fid = check_get(&v->answer, i, "a=ssrc-group:FID ");
        if (!fid) {
            continue;
        }
        EXPECT(s, sscanf(fid, "%u %u", &a, &b) == 2, "two SSRCs", "%s", fid);
        EXPECT(s,
               strstr(v->created->body, suite_keep(s, "a=ssrc:%u ", a)) &&
                   strstr(v->created->body, suite_keep(s, "a=ssrc:%u ", b)),
               "an a=ssrc line for each of them", "%.600s", v->created->body);
    }
}

static void odd_msid(struct suite *s)
{
    struct party *own = party_new(s, &(struct plan){0});
    const char *line = suite_keep(s, "a=msid:%s\r\n", check_get(&own->offer, 2, "a=msid:"));
    const char *one = suite_keep(s, "a=msid:%s\r\n", check_get(&own->offer, 1, "a=msid:"));
    const struct edit rows[][2] = {
        {{one, ""}, {line, ""}},
        {{one, "a=msid:- a\r\n"}, {line, "a=msid:- b\r\n"}},
        {{line, suite_keep(s, "%s%s", line, line)}, {NULL, NULL}},
    };

    for (int i = 0; i < 3; i++) {
        struct party *p = POST(s, .offer = own->offer_text, .edits = {rows[i][0], rows[i][1]});
        EXPECT(s, p->created->status == 201, "201", "row %d: %s", i, reply_brief(p->created));
        (void)party_delete(p);
    }
}

#define ALLOW_MIXED "a=extmap-allow-mixed\r\n"
#define RSIZE       "a=rtcp-rsize\r\n"
#define H264_MODE_1 "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"

const struct check checks_sdp_codec[] = {
    {"SDP-03", MUST, "RFC 9429 5.3.1", "payload types are those of the offer", offer_is_kept,
     &(const struct kept_of_offer){check_codecs, "payload types, rtpmap, fmtp of the offer"}},
    {"SDP-13", MUST, "RFC 5506 5", "rtcp-rsize only if offered", only_if_offered, RSIZE},
    {"SDP-14", MUST, "RFC 8285 6", "extmap-allow-mixed only if offered", only_if_offered,
     ALLOW_MIXED},
    {"SDP-15", MUST, "RFC 8285 7", "extension ids are those of the offer", offer_is_kept,
     &(const struct kept_of_offer){check_extensions, "ids and URIs of the offer"}},
    {"SDP-15", MUST, "RFC 8285 7", "unknown extensions are dropped", unknown_extension},
    {"SDP-15", MUST, "RFC 8285 7", "the direction of an extension is reversed",
     extension_direction},
    {"SDP-16", MUST, "RFC 8285 5", "impossible extension ids: ignored or refused",
     odd_extension_ids},
    {"SDP-17", MUST, "RFC 9143 9.1", "one id, two meanings: refused, or one is left (publisher)",
     id_with_two_meanings},
    {"SDP-17", MUST, "RFC 9143 9.1", "one id, two meanings: refused, or one is left (viewer)",
     id_with_two_meanings, PLAY_ROW},
    {"SDP-18", MUST, "RFC 9143 9.1", "a payload type with two codecs is refused", check_refused,
     &(struct refusal){
         .edits = {{"RTP/SAVPF 111", "RTP/SAVPF 96"}, {"a=rtpmap:111 ", "a=rtpmap:96 "}}}},
    {"SDP-30", MUST, "RFC 6184 8.2.2", "H264: another level of the profile matches", codec_match,
     &(struct match){.codec = PEER_H264, .edit = {"42e01f", "42e034"}}},
    {"SDP-30", MUST, "RFC 6184 8.2.2", "H264: another packetization-mode does not", codec_match,
     &(struct match){.codec = PEER_H264,
                     .edit = {"packetization-mode=1", "packetization-mode=0"},
                     .refused = true}},
    {"SDP-31", POLICY, "RFC 6184 8.1", "H264 without fmtp matches", codec_match,
     &(struct match){.codec = PEER_H264, .edit = {"a=fmtp:102 " H264_MODE_1 "\r\n", ""}}},
    {"SDP-32", MUST, "RFC 9628 6", "VP9: another profile-id does not match", codec_match,
     &(struct match){.codec = PEER_VP9, .edit = {"profile-id=0", "profile-id=2"}, .refused = true}},
    {"SDP-32", MUST, "RFC 9628 6", "VP9: no profile-id means 0", codec_match,
     &(struct match){.codec = PEER_VP9, .edit = {"a=fmtp:98 profile-id=0\r\n", ""}}},
    {"SDP-32", MUST, "AV1 RTP 7.2", "AV1: another profile does not match", codec_match,
     &(struct match){.codec = PEER_AV1, .edit = {"profile=0", "profile=1"}, .refused = true}},
    {"SDP-32", MUST, "AV1 RTP 7.2", "AV1: no fmtp means profile 0", codec_match,
     &(struct match){.codec = PEER_AV1,
                     .edit = {"a=fmtp:45 level-idx=5;profile=0;tier=0\r\n", ""}}},
    {"SDP-33", MUST, "RFC 7587 7", "opus/48000/2 with its parameters", opus_parameters},
    {"SDP-34", MUST, "RFC 4588 8.6", "RTX of a payload type that is not there is dropped",
     check_accepted_offer, &(struct acceptance){.edits = {{"apt=96", "apt=77"}}, .lacks = "apt="}},
    {"SDP-35", MUST, "RFC 4585 4.2", "rtcp-fb:* is for all payload types", wildcard_feedback},
    {"SDP-36", MUST, "RFC 4585 4.2", "feedback only if offered", feedback_only_if_offered},
    {"SDP-37", MUST, "RFC 5576 4.2", "a FID group has an a=ssrc line for each SSRC",
     fid_with_ssrcs},
    {"SDP-38", POLICY, "RFC 8830 2", "no msid, msid of \"-\", msid twice: taken", odd_msid},
    {"SDP-40", MUST, "RFC 8853 5.1", "two a=simulcast lines are refused", check_refused,
     &(struct refusal){
         .edits = {{"a=mid:1\r\n",
                    "a=mid:1\r\na=rid:x send\r\na=simulcast:send x\r\na=simulcast:send x\r\n"}}}},
    {"SDP-40", MUST, "RFC 8853 5.1", "an empty a=simulcast is refused", check_refused,
     &(struct refusal){.edits = {{"a=mid:1\r\n", "a=mid:1\r\na=simulcast:\r\n"}}}},
    {0},
};
