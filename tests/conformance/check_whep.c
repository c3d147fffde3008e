/* SPDX-License-Identifier: Apache-2.0 */
/* check_whep.c - draft-ietf-wish-whep: the same for players. */
#include "tests/conformance/checks.h"

#include <ctype.h>
#include <strings.h>

#define SDP       "application/sdp"
#define RETURN_MS 20000
#define NO_CODEC  "NOVIDEO/90000"

static void play_is_created(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);

    if (!v) {
        return;
    }
    EXPECT(s, !strncasecmp(reply_get(v->created, "Content-Type"), SDP, strlen(SDP)),
           "Content-Type: " SDP, "%s", reply_get(v->created, "Content-Type"));
    EXPECT(s, reply_get(v->created, "Location")[0], "a Location", "none");
    for (int i = 1; i <= v->answer.n_sections; i++) {
        EXPECT(s, !doc_accepted(&v->answer, i) || check_has(&v->answer, i, "a=sendonly"),
               "a=sendonly in every accepted section", "section %d: %.300s", i, v->created->body);
    }
}

static void sendrecv(struct suite *s)
{
    if (!check_stage(s)) {
        return;
    }
    struct party *v = WATCH(s, .edits = {{"a=recvonly", "a=sendrecv", true}});
    for (int i = 1; v && i <= v->answer.n_sections; i++) {
        EXPECT(s, !doc_accepted(&v->answer, i) || check_has(&v->answer, i, "a=sendonly"),
               "a=sendonly in every accepted section", "section %d: %.300s", i, v->created->body);
    }
}

static void bad_bodies(struct suite *s)
{
    static const struct {
        const char *type, *body;
        int status; /* by policy; never 406 */
    } rows[] = {
        {"text/plain", "v=0\r\n", 415},
        {SDP, "v=0\r\ngarbage", 400},
        {SDP, "", 400},
    };

    bool staged = check_stage(s);
    for (int i = 0; staged && i < 3; i++) {
        const struct reply *r =
            ASK(s, .method = "POST", .url = s->o.whep, .type = rows[i].type, .body = rows[i].body);
        if (s->now->level == MUST) {
            EXPECT_4XX(s, r);
        } else {
            EXPECT(s, r->status == rows[i].status, "415, 400, 400, never a bare 406", "row %d: %s",
                   i, reply_brief(r));
        }
    }
}

static void not_live(struct suite *s)
{
    struct party *v = POST(s, .play = true);

    SKIP_IF(s, v->created->status == 201, "viewers may come before the publisher");
    EXPECT_STATUS(s, v->created, 409);
    EXPECT(s, isdigit((unsigned char)reply_get(v->created, "Retry-After")[0]),
           "Retry-After: seconds", "%s", reply_get(v->created, "Retry-After"));
}

static void unknown_stream(struct suite *s)
{
    const char *slash = strrchr(s->o.whep, '/');
    const char *url = suite_keep(s, "%.*s/no-such-stream-%08x", (int)(slash - s->o.whep), s->o.whep,
                                 (unsigned)(suite_now_us() & 0xffffffff));
    struct party *v = POST(s, .play = true, .url = url);
    int status = v->created->status;

    EXPECT(s, status == 404 || status == 409 || status == 401 || status == 403 || status == 201,
           "404, or 409 where any name may go live; never 400 or 406", "%s",
           reply_brief(v->created));
}

static void counter_offer(struct suite *s)
{
    if (!check_stage(s)) {
        return;
    }
    struct party *v = POST(s, .play = true, .edits = {{"VP8/90000", NO_CODEC, true}});
    SKIP_IF(
        s, v->created->status != 406 || strncasecmp(reply_get(v->created, "Content-Type"), SDP, 15),
        "the server makes no counter-offers");
    EXPECT(s, reply_get(v->created, "Location")[0], "a Location", "none");
    EXPECT(s, strstr(reply_get(v->created, "Content-Type"), "valid-until="),
           "Content-Type: " SDP "; valid-until=...", "%s", reply_get(v->created, "Content-Type"));
    EXPECT(s, !strncmp(v->created->body, "v=0\r\n", 5), "an offer", "%.100s", v->created->body);
    const char *url = reply_get(v->created, "Location");
    if (s->now->level == MUST && !strncmp(url, "http", 4)) {
        const struct reply *r =
            ASK(s, .method = "PATCH", .url = url, .type = SDP, .body = "v=0\r\ngarbage");
        EXPECT_4XX(s, r);
    }
}

static void patch_with_answer(struct suite *s)
{
    struct party *v = check_session(s, true);

    if (v) {
        const struct reply *r =
            ASK(s, .method = "PATCH", .url = v->url, .type = SDP, .body = v->offer_text);
        EXPECT(s, r->status == 422 || r->status == 415 || r->status == 405,
               "422: nothing is renegotiated", "%s", reply_brief(r));
    }
}

static void no_counter_offer_unasked(struct suite *s)
{
    if (check_stage(s)) {
        struct party *v = POST(s, .play = true);
        EXPECT(s, v->created->status != 406, "no 406 to an offer that can be answered", "%s",
               reply_brief(v->created));
    }
}

static void empty_post(struct suite *s)
{
    if (check_stage(s)) {
        const struct reply *r = ASK(s, .method = "POST", .url = s->o.whep, .type = SDP, .body = "");
        EXPECT_STATUS(s, r, 400);
    }
}

static void head(struct suite *s)
{
    const struct reply *r = ASK(s, .method = "HEAD", .url = s->o.whep);

    EXPECT_STATUS(s, r, 200);
    EXPECT(s, !strncasecmp(reply_get(r, "Content-Type"), SDP, strlen(SDP)), "Content-Type: " SDP,
           "%s", reply_get(r, "Content-Type"));
    EXPECT(s, !strcmp(reply_get(r, "Content-Length"), "0"), "Content-Length: 0", "%s",
           reply_get(r, "Content-Length"));
}

static void get(struct suite *s)
{
    const struct reply *r = ASK(s, .method = "GET", .url = s->o.whep);
    const struct reply *h = ASK(s, .method = "HEAD", .url = s->o.whep);

    EXPECT(s, r->status >= 200 && r->status < 300 && r->len == 0, "2xx without content", "%s",
           reply_brief(r));
    EXPECT(s,
           r->status == h->status &&
               !strcmp(reply_get(r, "Content-Type"), reply_get(h, "Content-Type")),
           "the same status and headers as HEAD", "%d and %d", r->status, h->status);
}

static void one_stream(struct suite *s)
{
    struct party *v = party_pair(s, NULL);
    const char *first = NULL;

    for (int i = 1; v && i <= v->answer.n_sections; i++) {
        if (!doc_accepted(&v->answer, i)) {
            continue;
        }
        const char *msid = check_get(&v->answer, i, "a=msid:");
        EXPECT(s, msid && strchr(msid, ' '), "a=msid:STREAM TRACK", "section %d: %s", i,
               msid ? msid : "none");
        first = first ? first : msid;
        size_t n = strcspn(first, " ");
        EXPECT(s, strcspn(msid, " ") == n && !strncmp(msid, first, n), "one stream id", "%s and %s",
               first, msid);
    }
}

static void several_sections(struct suite *s)
{
    struct peer_params m;

    if (!check_stage(s)) {
        return;
    }
    suite_params(s, true, &m);
    m.n_audio = 2;
    m.n_video = 3;
    struct party *v = POST(s, .play = true, .params = &m);
    EXPECT(s, v->created->status == 201 || v->created->status == 422,
           "201 with slots or port 0, or 422; never 5xx", "%s", reply_brief(v->created));
    if (v->created->status == 201 && party_up(v)) {
        EXPECT(s, v->answer.n_sections == 5, "five m-lines", "%d", v->answer.n_sections);
        (void)party_more(v, 10);
    }
}

static void publisher_without_audio(struct suite *s)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.n_audio = 0;
    if (!LIVE(s, .params = &m)) {
        return;
    }
    struct party *v = VIEW(s);
    EXPECT(s, !v || doc_accepted(&v->answer, 2), "the video is accepted", "%.300s",
           v->created->body);
}

static void foreign_codec(struct suite *s)
{
    struct peer_params m;

    if (!check_stage(s)) {
        return;
    }
    suite_params(s, true, &m);
    m.n_audio = 0;
    struct party *v = POST(s, .play = true, .params = &m, .edits = {{"VP8/90000", NO_CODEC, true}});
    EXPECT_STATUS(s, v->created, 422);
    EXPECT(s, strstr(v->created->body, "VP8"), "the codec is named", "%s", v->created->body);
}

static void current_codec_first(struct suite *s)
{
    struct peer_params m;

    if (!check_stage(s)) { /* VP8 */
        return;
    }
    suite_params(s, true, &m);
    m.codecs = 1U << PEER_VP8 | 1U << PEER_VP9 | 1U << PEER_H264;
    struct party *v = WATCH(s, .params = &m);
    if (v) {
        int video = doc_section(&v->answer, "video", 0);
        const char *pts = check_pts(&v->answer, video);
        EXPECT(s, strtol(pts, NULL, 10) == doc_pt(&v->answer, video, "VP8"),
               "the published codec first", "%s", pts);
    }
}

static void returns(struct suite *s)
{
    struct party *pub;
    struct party *v = party_pair(s, &pub);

    if (!v) {
        return;
    }
    peer_set_paused(pub->peer, true); /* no frame is cut */
    suite_wait(s, 100);
    (void)party_delete(pub);
    suite_wait(s, 200);
    SKIP_IF(s, party_is_gone(v), "viewers leave with the publisher");
    pub = LIVE(s, 0);
    if (pub && party_more(v, 50)) {
        EXPECT(s, peer_faults(v->peer) == 0, "continuous numbers and timestamps", "%s",
               party_faults(v));
    }
}

static void bundle_and_mux(struct suite *s)
{
    struct party *v = party_pair(s, NULL);

    if (!v) {
        return;
    }
    const char *group = check_get(&v->answer, 0, "a=group:BUNDLE ");
    EXPECT(s, group, "a=group:BUNDLE", "none");
    for (int i = 1; i <= v->answer.n_sections; i++) {
        const char *mid = check_get(&v->answer, i, "a=mid:");
        EXPECT(s,
               !doc_accepted(&v->answer, i) ||
                   (mid && check_has_word(group, mid) && check_has(&v->answer, i, "a=rtcp-mux") &&
                    check_has(&v->answer, i, "a=rtcp-mux-only")),
               "every accepted section in the group, with rtcp-mux and rtcp-mux-only",
               "section %d: %.300s", i, v->created->body);
    }
}

const struct check checks_whep[] = {
    {"WHEP-01", MUST, "draft-ietf-wish-whep 4.2", "POST of recvonly: 201, sendonly; media flows",
     play_is_created},
    {"WHEP-02", MUST, "draft-ietf-wish-whep 4.2", "sendrecv is answered sendonly", sendrecv},
    {"WHEP-02", MUST, "draft-ietf-wish-whep 4.2", "sendonly is refused", check_refused,
     &(struct refusal){.play = true, .edits = {{"a=recvonly", "a=sendonly", true}}}},
    {"WHEP-02", MUST, "draft-ietf-wish-whep 4.2", "inactive is refused", check_refused,
     &(struct refusal){.play = true, .edits = {{"a=recvonly", "a=inactive", true}}}},
    {"WHEP-03", MUST, "draft-ietf-wish-whep 4.2", "other types and garbage are refused",
     bad_bodies},
    {"WHEP-03", POLICY, "RFC 9110 15.5", "other types: 415; garbage: 400; never a bare 406",
     bad_bodies},
    {"WHEP-04", MUST, "draft-ietf-wish-whep 4.2", "nobody live: 409 and Retry-After", not_live},
    {"WHEP-05", POLICY, "clients in the field", "an unknown stream is never 400 or 406",
     unknown_stream},
    {"WHEP-06", MAY, "draft-ietf-wish-whep 4.3", "counter-offer: 406, Location, valid-until",
     counter_offer},
    {"WHEP-07", MUST, "draft-ietf-wish-whep 4.3", "a malformed answer to it is refused",
     counter_offer},
    {"WHEP-08", POLICY, "draft-ietf-wish-whep 4.3", "PATCH with SDP renegotiates nothing",
     patch_with_answer},
    {"WHEP-09", POLICY, "clients in the field", "no counter-offer where an answer is possible",
     no_counter_offer_unasked},
    {"WHEP-10", POLICY, "RFC 9110 15.5.1", "an empty POST: 400", empty_post},
    {"WHEP-11", SHOULD, "draft-ietf-wish-whep 4.1", "HEAD: 200, application/sdp, length 0", head},
    {"WHEP-12", MUST, "draft-ietf-wish-whep 4.1", "GET without content, headers as with HEAD", get},
    {"WHEP-13", MUST, "draft-ietf-wish-whep 4.1, 4.8", "preflight of the endpoint without a token",
     check_preflight, PLAY_ROW},
    {"WHEP-13", SHOULD, "draft-ietf-wish-whep 4.2", "OPTIONS: Accept-Post: application/sdp",
     check_accept_post, PLAY_ROW},
    {"WHEP-13", MUST, "draft-ietf-wish-whep 4.2, Fetch", "preflight of the session",
     check_preflight_session, PLAY_ROW},
    {"WHEP-14", MUST, "draft-ietf-wish-whep 4.4", "the 201 has a strong, unique ETag", check_etag,
     PLAY_ROW},
    {"WHEP-14", MUST, "draft-ietf-wish-whep 4.4", "trickle: 204, no content, no ETag",
     check_trickle, PLAY_ROW},
    {"WHEP-14", MUST, "draft-ietf-wish-whep 4.4", "PATCH with another tag: 412",
     check_trickle_stale, PLAY_ROW},
    {"WHEP-14", MUST, "draft-ietf-wish-whep 4.4", "restart: 200, new credentials, new tag",
     check_restart, PLAY_ROW},
    {"WHEP-15", MUST, "draft-ietf-wish-whep 4.2", "DELETE: 200, close_notify, ICE gone",
     check_delete, PLAY_ROW},
    {"WHEP-16", MUST, "draft-ietf-wish-whep 4.5", "one stream: the same msid in all sections",
     one_stream},
    {"WHEP-17", POLICY, "draft-ietf-wish-whep 4.5", "several sections of a kind do no harm",
     several_sections},
    {"WHEP-18", POLICY, "RFC 9429 5.3.1", "a publisher without audio can be watched",
     publisher_without_audio},
    {"WHEP-19", POLICY, "clients in the field", "m=application in the offer; the rest plays",
     check_application, PLAY_ROW},
    {"WHEP-20", POLICY, "RFC 9110 15.5.21", "no common codec: 422 naming the codec", foreign_codec},
    {"WHEP-20", POLICY, "RFC 3264 6.1", "the published codec is answered first",
     current_codec_first},
    {"WHEP-21", MUST, "RFC 9143 7.3, RFC 8858", "one BUNDLE, rtcp-mux and rtcp-mux-only",
     bundle_and_mux},
    {"WHEP-22", SHOULD, "draft-ietf-wish-whep 4.6", "a redirect is a 307 or 308", check_redirect,
     PLAY_ROW},
    {"WHEP-34", POLICY, "robustness", "the publisher comes back; the viewer's session goes on",
     returns},
    {"WHEP-35", MUST, "draft-ietf-wish-whep 4.2", "a session that the server ends: close_notify",
     check_delete, PLAY_ROW},
    {0},
};
