/* SPDX-License-Identifier: Apache-2.0 */
/* check_shared.c - checks that both protocols have. */
#include "tests/conformance/checks.h"

#include <strings.h>

#define PREFLIGHT                                                                                  \
    "Origin: https://player.example\r\nAccess-Control-Request-Method: %s\r\n"                      \
    "Access-Control-Request-Headers: authorization,content-type,if-match\r\n"
#define GONE_MS        3000
#define NO_ANSWER_MS   400
#define LAST_REPAIR_MS 400

const char check_play_arg[] = "play";

const struct check *const suite_tables[] = {
    checks_whip_post,
    checks_whip_session,
    checks_whip_patch,
    checks_whep,
    checks_whep_events,
    checks_sdp_shape,
    checks_sdp_codec,
    checks_ice,
    checks_dtls,
    checks_srtp,
    checks_rtp,
    checks_rtp_codec,
    checks_rtcp,
    checks_sim,
    checks_svc,
    checks_dc,
    NULL,
};

static void params_of(struct suite *s, bool play, unsigned n_audio, unsigned n_video,
                      struct peer_params *ret)
{
    suite_params(s, play, ret);
    ret->n_audio = n_audio ? n_audio : 1;
    ret->n_video = n_video ? n_video : 1;
}

bool check_stage(struct suite *s)
{
    return LIVE(s, 0) != NULL;
}

struct party *check_session(struct suite *s, bool play)
{
    struct party *p = play && !check_stage(s) ? NULL : POST(s, .play = play);

    return p && suite_expect(s, p->created->status == 201, "a session (201)", "%s",
                             reply_brief(p->created))
               ? p
               : NULL;
}

struct party *check_publish(struct suite *s, enum peer_codec codec, unsigned temporal_layers)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.codecs = 1U << codec;
    m.temporal_layers = temporal_layers;
    struct party *pub = POST(s, .params = &m);
    if (pub->created->status == 422) {
        suite_skip(s, "the server takes no %s", peer_codec_info(codec)->name);
        return NULL;
    }
    return party_up(pub) && party_more(pub, 10) ? pub : NULL;
}

bool check_lossy_publisher(struct suite *s, unsigned quirks, struct party **ret_pub,
                           struct party **ret_viewer)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.quirks |= quirks;
    m.keyframe_ms = 60000; /* what is lost before a key frame is not asked for */
    *ret_pub = LIVE(s, .params = &m);
    *ret_viewer = *ret_pub ? VIEW(s) : NULL;
    if (!*ret_viewer) {
        return false;
    }
    peer_set_loss((*ret_pub)->peer, 0, 0.05, true);
    bool flows = party_more(*ret_viewer, 250);
    peer_set_loss((*ret_pub)->peer, 0, 0, true);
    suite_wait(s, LAST_REPAIR_MS);
    return flows;
}

void check_refused(struct suite *s)
{
    const struct refusal *x = s->now->arg;
    struct plan plan = {.play = x->play, .offer = x->offer};
    struct peer_params m;

    if (x->play && !check_stage(s)) {
        return;
    }
    params_of(s, x->play, x->n_audio, x->n_video, &m);
    plan.params = &m;
    memcpy(plan.edits, x->edits, sizeof(plan.edits));
    struct party *p = party_post(s, &plan);
    if (s->now->level == POLICY && x->status) {
        EXPECT(s, p->created->status == x->status, suite_keep(s, "status %d", x->status), "%s",
               reply_brief(p->created));
    } else {
        EXPECT_4XX(s, p->created);
    }
}

void check_accepted_offer(struct suite *s)
{
    const struct acceptance *x = s->now->arg;
    struct plan plan = {.play = x->play};
    struct peer_params m;

    if (x->play && !check_stage(s)) {
        return;
    }
    params_of(s, x->play, x->n_audio, x->n_video, &m);
    m.n_audio = x->video_only ? 0 : m.n_audio;
    m.n_video = x->audio_only ? 0 : m.n_video;
    plan.params = &m;
    memcpy(plan.edits, x->edits, sizeof(plan.edits));
    struct party *p = party_post(s, &plan);
    EXPECT_STATUS(s, p->created, 201);
    EXPECT(s, !x->has || strstr(p->created->body, x->has), x->has, "not in the answer: %.300s",
           p->created->body);
    const char *found = x->lacks ? strstr(p->created->body, x->lacks) : NULL;
    EXPECT(s, !found, suite_keep(s, "no %s", x->lacks), "in the answer: %.200s", found);
    if (x->up && party_up(p)) {
        (void)party_more(p, 10);
    }
}

const char *check_edit_section(struct suite *s, const char *text, const char *section,
                               const char *find, const char *put)
{
    const char *at = strstr(text, section);
    char *tail = check_edit(at, find, put, false);
    const char *out = suite_keep(s, "%.*s%s", (int)(at - text), text, tail);

    free(tail);
    return out;
}

/* ---- OPTIONS ---- */

static void expect_preflight(struct suite *s, const char *url, const char *method)
{
    const struct reply *r = ASK(s, .method = "OPTIONS", .url = url, .token = "",
                                .headers = suite_keep(s, PREFLIGHT, method));

    EXPECT(s, r->status == 200 || r->status == 204, "status 200 or 204 without a token", "%s",
           reply_brief(r));
    EXPECT(s, reply_get(r, "Access-Control-Allow-Origin")[0], "Access-Control-Allow-Origin",
           "no such header");
    const char *methods = reply_get(r, "Access-Control-Allow-Methods");
    EXPECT(s, list_has(methods, method) || !strcmp(methods, "*"), "the method is allowed",
           "Access-Control-Allow-Methods: %s lacks %s", methods, method);
    EXPECT(s, reply_get(r, "Access-Control-Allow-Headers")[0], "Access-Control-Allow-Headers",
           "no such header");
}

void check_preflight(struct suite *s)
{
    expect_preflight(s, check_is_play(s) ? s->o.whep : s->o.whip, "POST");
}

void check_preflight_session(struct suite *s)
{
    struct party *p = check_session(s, check_is_play(s));

    if (p) {
        expect_preflight(s, p->url, "PATCH");
        expect_preflight(s, p->url, "DELETE");
    }
}

void check_accept_post(struct suite *s)
{
    const struct reply *r =
        ASK(s, .method = "OPTIONS", .url = check_is_play(s) ? s->o.whep : s->o.whip);

    EXPECT(s, list_has(reply_get(r, "Accept-Post"), "application/sdp"),
           "Accept-Post: application/sdp", "Accept-Post: %s", reply_get(r, "Accept-Post"));
}

void check_redirect(struct suite *s)
{
    bool play = check_is_play(s);

    if (play && !check_stage(s)) {
        return;
    }
    struct party *p = POST(s, .play = play);
    int status = p->created->status;
    SKIP_IF(s, status < 300 || status > 399, "the server does not redirect (%d)", status);
    EXPECT(s, status == 307 || status == 308, "307 or 308", "%s", reply_brief(p->created));
}

/* ---- entity tags, trickle, restart ---- */

static bool is_strong_tag(const char *tag)
{
    size_t n = strlen(tag);

    return n > 2 && tag[0] == '"' && tag[n - 1] == '"' && !memchr(tag + 1, '"', n - 2) &&
           strcmp(tag, "\"*\"");
}

void check_etag(struct suite *s)
{
    struct party *a = check_session(s, check_is_play(s));
    struct party *b = a ? POST(s, .play = a->play) : NULL;

    if (!b) {
        return;
    }
    SKIP_IF(s, !a->etag[0], "no ETag in the 201: no ICE restart here");
    EXPECT(s, is_strong_tag(a->etag), "a strong tag in quotes", "ETag: %s", a->etag);
    EXPECT(s, b->created->status != 201 || strcmp(a->etag, b->etag), "unique tags",
           "%s for two sessions", a->etag);
}

static bool lacks_patch(struct suite *s, const struct reply *r, const char *what)
{
    bool lacks = r->status == 405 || r->status == 501 || r->status == 422;

    if (lacks) {
        suite_skip(s, "the server does no %s (%d)", what, r->status);
    }
    return lacks;
}

void check_trickle(struct suite *s)
{
    struct party *p = check_session(s, check_is_play(s));

    if (!p) {
        return;
    }
    const struct reply *r = party_patch(p, p->etag[0] ? p->etag : NULL, party_fragment(p));
    if (lacks_patch(s, r, "trickle")) {
        return;
    }
    EXPECT_STATUS(s, r, 204);
    EXPECT(s, r->len == 0, "no body", "%zu bytes", r->len);
    EXPECT(s, !reply_nth(r, "ETag", 0), "no ETag: the ICE session is the same", "ETag: %s",
           reply_get(r, "ETag"));
}

void check_trickle_stale(struct suite *s)
{
    struct party *p = check_session(s, check_is_play(s));

    if (!p) {
        return;
    }
    SKIP_IF(s, !p->etag[0], "no ETag in the 201");
    const struct reply *r = party_patch(p, "\"not-the-tag-of-this-session\"", party_fragment(p));
    if (!lacks_patch(s, r, "trickle")) {
        EXPECT_STATUS(s, r, 412);
    }
}

void check_restart(struct suite *s)
{
    bool play = check_is_play(s);
    struct party *pub = LIVE(s, 0);
    struct party *p = pub && play ? VIEW(s) : pub;

    if (!p) {
        return;
    }
    SKIP_IF(s, !p->etag[0], "no ETag in the 201: no ICE restart here");
    const char *tag = p->etag;
    char *old_pwd = suite_keep(s, "%s", probe_remote_pwd(p));
    const struct reply *r = party_restart(p, "*");
    if (lacks_patch(s, r, "ICE restart")) {
        return;
    }
    EXPECT_STATUS(s, r, 200);
    EXPECT(s, !strncasecmp(reply_get(r, "Content-Type"), "application/trickle-ice-sdpfrag", 31),
           "Content-Type: application/trickle-ice-sdpfrag", "%s", reply_get(r, "Content-Type"));
    EXPECT(s,
           strstr(r->body, "a=ice-ufrag:") && strstr(r->body, "a=ice-pwd:") &&
               !strstr(r->body, old_pwd),
           "new credentials of the server", "%.200s", r->body);
    EXPECT(s, strstr(r->body, "a=candidate:"), "candidates", "%.200s", r->body);
    EXPECT(s, is_strong_tag(p->etag) && strcmp(p->etag, tag), "a new strong tag",
           "ETag: %s, was %s", p->etag, tag);
    uint64_t answered = peer_stats(p->peer)->stun_responses;
    (void)party_more(p, 30);
    EXPECT(s, peer_stats(p->peer)->stun_responses > answered,
           "checks with the new credentials are answered", "no answer");
}

/* ---- the end ---- */

static void expect_dead(struct party *p)
{
    struct suite *s = p->suite;
    struct probe *pr = probe_open(p);
    struct peer_stun rq, answer;

    if (pr) {
        probe_check(p, &rq);
        bool any = probe_ask(pr, &rq, probe_remote_pwd(p), NO_ANSWER_MS, &answer, NULL);
        EXPECT(s, !any || answer.type != PEER_STUN_SUCCESS, "ICE of the session is gone",
               "a check is still answered with success");
    }
}

void check_delete(struct suite *s)
{
    struct party *pub = LIVE(s, 0);
    struct party *p = pub && check_is_play(s) ? VIEW(s) : pub;

    if (!p) {
        return;
    }
    const struct reply *r = party_delete(p);
    EXPECT_STATUS(s, r, 200);
    (void)suite_until_ms(s, GONE_MS, party_is_gone, p);
    EXPECT(s, peer_state(p->peer) == PEER_CLOSED, "DTLS close_notify", "state %s %s",
           peer_state_name(peer_state(p->peer)), peer_error(p->peer));
    expect_dead(p);
}

/* ---- m=application ---- */

#define APPLICATION                                                                                \
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n"          \
    "a=sctp-port:5000\r\na=max-message-size:262144\r\n"

void check_application(struct suite *s)
{
    bool play = check_is_play(s);

    if (play && !check_stage(s)) {
        return;
    }
    struct party *own = party_new(s, &(struct plan){.play = play});
    const char *offer = suite_keep(
        s,
        "%s" APPLICATION
        "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:sha-256 %s\r\na=setup:actpass\r\n",
        own->offer_text, doc_get(&own->offer, 1, "a=ice-ufrag:"),
        doc_get(&own->offer, 1, "a=ice-pwd:"), peer_identity_fingerprint(s->identity));
    char *text = check_edit(offer, "a=group:BUNDLE 0 1", "a=group:BUNDLE 0 1 2", false);
    const char *kept = suite_keep(s, "%s", text);
    free(text);
    own->created = ASK(s, .method = "POST", .url = play ? s->o.whep : s->o.whip,
                       .type = "application/sdp", .body = kept);
    EXPECT_STATUS(s, own->created, 201);
    own->offer_text = suite_keep(s, "%s", kept);
    party_take_reply(own, play ? s->o.whep : s->o.whip);
    EXPECT(s, doc_section(&own->answer, "application", 0) == 3, "a third m=application line",
           "%.300s", own->created->body);
    EXPECT(s, doc_accepted(&own->answer, 1) || doc_accepted(&own->answer, 2), "media accepted",
           "%.300s", own->created->body);
    if (party_up(own)) {
        (void)party_more(own, 10);
    }
}
