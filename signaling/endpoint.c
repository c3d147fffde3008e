/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "ice/cert.h"
#include "rtp/codec.h"
#include "signaling/conference.h"
#include "signaling/cors.h"
#include "signaling/entropy.h"
#include "signaling/http.h"
#include "signaling/ice_servers.h"
#include "signaling/json.h"
#include "signaling/life.h"
#include "signaling/limiter.h"
#include "signaling/origin.h"
#include "signaling/permit.h"
#include "signaling/problem.h"
#include "signaling/quirks.h"
#include "signaling/sdp.h"
#include "signaling/sdp_model.h"
#include "signaling/session_ext.h"
#include "signaling/state.h"

/* PATCH and DELETE act on session URLs; MediaMTX's client looks for PATCH here to decide on
 * trickle.
 */
#define METHODS "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
#define ALLOW   "GET, HEAD, POST, OPTIONS"

bool endpoint_read(struct endpoint *e, struct http_request *rq, struct signaling *s)
{
    *e = (struct endpoint){.s = s, .rq = rq};
    if (rooms_split(http_tail(rq), e->room, e->participant, &e->named) < 0) {
        problem_answer(rq, 404, "name",
                       "Names are room or room/participant, each 1 to 64 of A-Z a-z 0-9 . _ ~ - "
                       "and beginning with a letter or digit.");
        return false;
    }
    snprintf(e->label, sizeof(e->label), "%s/%s", e->room, e->participant);
    return true;
}

static void add_ice_servers(const struct endpoint *e, const char *name)
{
    int64_t now_s = clock_wall_us() / US_PER_S;
    for (int i = 0; i < e->s->conf->ice_servers.n; i++) {
        char link[ICE_SERVERS_LINK_MAX];
        if (ice_servers_link(e->s->conf, i, name, now_s, link) == 0) {
            http_set_header(e->rq, "Link", link);
        }
    }
}

static void answer_options(struct endpoint *e, enum auth_action action)
{
    struct http_request *rq = e->rq;
    struct auth_verdict v;
    http_set_header(rq, "Allow", ALLOW);
    http_set_header(rq, "Accept-Post", "application/sdp");
    cors_apply_options(e->s->conf, rq, METHODS);
    /* Preflights come without a token and get no credentials; others may (WHIP-58). */
    if (http_header(rq, "Access-Control-Request-Method") == NULL &&
        (endpoint_check_auth(e->s, rq, action, e->label, &v), v.result == AUTH_OK)) {
        char name[24];
        snprintf(name, sizeof(name), "o%016llx", (unsigned long long)entropy_u64());
        add_ice_servers(e, name);
    }
    http_answer_static(rq, 200, NULL, "", 0);
}

bool endpoint_answer_simple(struct endpoint *e, enum auth_action action)
{
    switch (http_method(e->rq)) {
    case HTTP_POST:
        return false;
    case HTTP_OPTIONS:
        answer_options(e, action);
        return true;
    case HTTP_GET:
    case HTTP_HEAD:
        http_set_header(e->rq, "Accept-Post", "application/sdp");
        http_answer_static(e->rq, 200, "application/sdp", "", 0);
        return true;
    case HTTP_PUT:
    case HTTP_PATCH:
    case HTTP_DELETE:
    case HTTP_OTHER:
        problem_answer_method(e->rq, ALLOW);
        return true;
    }
    return true;
}

void endpoint_check_auth(const struct signaling *s, const struct http_request *rq,
                         enum auth_action action, const char *label, struct auth_verdict *ret)
{
    struct auth_ask ask = {
        .header = http_header(rq, "Authorization"),
        .action = action,
        .label = label,
        .now_s = clock_wall_us() / US_PER_S,
    };
    auth_check(s->auth, &ask, ret);
}

void endpoint_answer_auth(struct signaling *s, struct http_request *rq,
                          const struct auth_verdict *v)
{
    metrics_on_refusal(&s->metrics, v->reason);
    switch (v->result) {
    case AUTH_MISSING:
        http_set_header(rq, "WWW-Authenticate", "Bearer realm=\"sluice\"");
        problem_answer(rq, 401, "token-missing", v->detail);
        break;
    case AUTH_INVALID:
    case AUTH_UNKNOWN_KEY:
        http_set_header(rq, "WWW-Authenticate", "Bearer realm=\"sluice\", error=\"invalid_token\"");
        problem_answer(rq, 401, "token-invalid", v->detail);
        break;
    case AUTH_FORBIDDEN:
    case AUTH_OK:
        http_set_header(rq, "WWW-Authenticate",
                        "Bearer realm=\"sluice\", error=\"insufficient_scope\"");
        problem_answer(rq, 403, "forbidden", v->detail);
        break;
    }
}

bool endpoint_within_rate(struct signaling *s, struct http_request *rq)
{
    int rate = s->conf->http.posts_per_ip_per_s;
    int wait_s = limiter_take(s->limiter, http_client(rq), rate, 5 * rate, clock_now_us());
    if (wait_s > 0) {
        problem_answer_later(rq, 429, "rate", "Too many requests from this address; slow down.",
                             wait_s);
    }
    return wait_s == 0;
}

static bool read_display(struct endpoint *e)
{
    const char *name = http_query(e->rq, "name");
    return name == NULL || (http_unescape(name, strlen(name), e->display, sizeof(e->display)) &&
                            json_is_plain(e->display));
}

bool endpoint_gate(struct endpoint *e)
{
    size_t len;
    if (!endpoint_within_rate(e->s, e->rq)) {
        return false;
    }
    if (e->s->draining) {
        problem_answer_later(e->rq, 503, "draining",
                             "This server is being shut down; try another, or this one later.", 10);
    } else if (e->s->plane == NULL) {
        problem_answer_later(e->rq, 503, "starting", "This server is starting.", 1);
    } else if (!http_is_type(e->rq, "application/sdp")) {
        http_set_header(e->rq, "Accept-Post", "application/sdp");
        problem_answer(e->rq, 415, "content-type",
                       "Post the offer with Content-Type: application/sdp.");
    } else if (http_body(e->rq, &len), len == 0) {
        problem_answer(e->rq, 400, "sdp-missing",
                       "The body is empty; it must be an SDP offer made by the client.");
    } else if (!read_display(e)) {
        problem_answer(e->rq, 400, "name",
                       "The query's \"name\" must be UTF-8 of at most 128 bytes.");
    } else {
        return true;
    }
    return false;
}

static void fill_candidates(const struct signaling *s, const struct http_request *rq,
                            struct negotiate_params *p)
{
    struct addr local;
    bool direct = !http_is_proxied(rq) && http_local(rq, &local) == 0;
    struct announce near = announce_for(&s->announce, direct ? &local : NULL, http_client(rq));
    for (int tcp = 0; tcp <= (s->conf->media.tcp ? 1 : 0); tcp++) {
        for (int i = 0; i < near.n; i++) {
            p->candidates[p->n_candidates].addr = near.addrs[i];
            p->candidates[p->n_candidates++].tcp = tcp == 1;
        }
    }
    static_assert(2 * ANNOUNCE_MAX <= NEGOTIATE_CANDIDATES_MAX, "UDP and TCP of each");
}

void endpoint_fill_params(const struct signaling *s, const struct http_request *rq,
                          struct negotiate_params *p)
{
    const struct conf *c = s->conf;
    p->fingerprint = cert_fingerprint(s->cert);
    fill_candidates(s, rq, p);
    int room = (int)ARRAY_LEN(p->video_codecs);
    for (int i = 0; i < c->media.video_codecs.n && p->n_video_codecs < room; i++) {
        const char *name = c->media.video_codecs.s[i];
        enum codec_id id = codec_find(name, strlen(name), 90000, 1);
        if (id != CODEC_NONE) {
            p->video_codecs[p->n_video_codecs++] = id;
        }
    }
    p->prefer_offer_order = c->media.prefer_offer_order;
    p->video_orientation = c->media.video_orientation;
    /* Browsers decode H.264 levels and profiles beside the one they name (standards 4a.10). */
    p->h264_relaxed = true;
    p->max_kbps = (uint32_t)c->media.max_publisher_kbps;
    p->data = c->data.enabled;
    p->data_max_message_bytes = (uint32_t)c->data.max_message_bytes;
}

/* Who the session is to the readers of its messages: its participant, by URL or token; else a name
 * that no participant can have, since those begin with a letter or digit. */
static void fill_data(const struct endpoint *e, struct negotiate_params *p)
{
    const char *name = e->r->role == API_PUBLISH ? e->participant : e->as;
    name = name[0] != '\0' ? name : e->grant.participant;
    p->data = p->data && e->grant.rights & AUTH_RIGHT_DATA;
    snprintf(p->data_room, sizeof(p->data_room), "%s", e->room);
    if (rooms_is_name(name, strlen(name))) {
        snprintf(p->data_name, sizeof(p->data_name), "%s", name);
    } else {
        snprintf(p->data_name, sizeof(p->data_name), "~%llu", (unsigned long long)e->r->id);
    }
}

static void fill_session(const struct endpoint *e, const struct endpoint_target *t,
                         struct negotiate_params *p)
{
    const struct conf *c = e->s->conf;
    owner_make_creds(e->r->worker, &p->creds);
    p->sdp_session_id = entropy_u64() >> 1;
    p->id = e->r->id;
    p->stream = t->st != NULL ? t->st->id : 0;
    p->room_codec = c->rooms.pin_video_codec ? rooms_video_codec(t->room, t->st) : CODEC_NONE;
    p->slots = t->slots;
    p->max_audio_slots = (unsigned)c->rooms.audio_slots;
    p->max_video_slots = (unsigned)c->rooms.video_slots;
    snprintf(p->label, sizeof(p->label), "%.*s", (int)sizeof(p->label) - 1, e->r->label);
    entropy_text(p->cname, 16);
    fill_data(e, p);
    p->ssrc_seed = (uint32_t)entropy_u64();
}

static void name_codecs(struct resource *r, const struct api_session *session)
{
    size_t used = 0;
    for (int i = 0; i < session->n_mlines; i++) {
        const struct api_mline *m = &session->mlines[i];
        if (m->n_codecs > 0 && used < sizeof(r->codecs)) {
            int n = snprintf(r->codecs + used, sizeof(r->codecs) - used, "%s%s",
                             used > 0 ? "," : "", codec_info(m->codecs[0].id)->name);
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

/* What later PATCHes are judged by. Returns 0 or -ENOMEM. */
static int remember(struct resource *r, const struct negotiate_result *out)
{
    const struct api_session *session = out->session;
    r->creds = session->link.creds;
    if (session->n_mlines > 0) {
        snprintf(r->tag_mid, sizeof(r->tag_mid), "%s", session->mlines[0].mid);
        r->tag_kind = session->mlines[0].kind;
    } else {
        snprintf(r->tag_mid, sizeof(r->tag_mid), "%s", session->data.mid);
        r->tag_data = true;
    }
    for (unsigned i = 0; i < session->n_mlines; i++) {
        const struct api_mline *line = &session->mlines[i];
        *(line->kind == MEDIA_AUDIO ? &r->audio_lines : &r->video_lines) |= 1ULL << line->index;
    }
    name_codecs(r, session);
    return resource_set_mids(r, out->answer);
}

/* Before the answer: what is to be agreed on with this client. */
static void limit_codecs(const struct quirks *q, struct negotiate_params *p)
{
    int n = 0;
    for (int i = 0; i < p->n_video_codecs; i++) {
        if (p->video_codecs[i] != CODEC_VP9 || !(q->bits & QUIRK_NO_VP9)) {
            p->video_codecs[n++] = p->video_codecs[i];
        }
    }
    p->n_video_codecs = n;
    p->own_codec = q->bits & QUIRK_OWN_CODEC;
}

/* After it: what the plane works around. */
static void tell_quirks(const struct quirks *q, struct resource *r, struct api_session *session)
{
    session->quirks = q->bits & (API_QUIRK_NO_PLI | API_QUIRK_NO_NACK | API_QUIRK_ONE_SPATIAL);
    memcpy(r->program, q->client, sizeof(r->program));
    memcpy(r->quirks, q->names, sizeof(r->quirks));
    for (int i = 0; i < session->n_mlines && (q->bits & QUIRK_NO_NACK); i++) {
        for (int k = 0; k < session->mlines[i].n_codecs; k++) {
            session->mlines[i].codecs[k].nack = false;
        }
    }
}

void endpoint_count_sections(const struct endpoint *e, unsigned *ret_audio, unsigned *ret_video)
{
    size_t len;
    const char *body = http_body(e->rq, &len);
    struct sdp *offer;
    int line;
    *ret_audio = 0;
    *ret_video = 0;
    if (sdp_read(body, len, &offer, &line) < 0) {
        return;
    }
    for (unsigned i = 0; i < offer->n_media; i++) {
        *ret_audio += offer->media[i]->kind == SDP_AUDIO ? 1 : 0;
        *ret_video += offer->media[i]->kind == SDP_VIDEO ? 1 : 0;
    }
    sdp_free(offer);
}

/* Why sdp_read did not take a body. */
static void describe_unread(int err, const char *body, int line, char *out, size_t cap)
{
    if (body[0] == '{') {
        snprintf(out, cap, "The body is JSON; post the SDP itself, the text of offer.sdp.");
    } else if (err == -ENODATA) { /* Safari without transceivers, SIPSorcery without tracks */
        snprintf(out, cap,
                 "The offer has no m-line; add tracks or transceivers before making it "
                 "(addTrack, addTransceiver).");
    } else {
        snprintf(out, cap, "The offer %s at line %d.",
                 err == -E2BIG ? "exceeds a limit (lines, sections or attributes)"
                               : "is not valid SDP",
                 line);
    }
}

static int answer_offer(struct endpoint *e, enum api_role role, const struct endpoint_target *t,
                        struct negotiate_refusal *why)
{
    size_t len;
    const char *body = http_body(e->rq, &len);
    struct sdp *offer;
    int line = 0;
    int r = sdp_read(body, len, &offer, &line);
    if (r < 0) {
        why->status = 400;
        why->type = "sdp-malformed";
        describe_unread(r, body, line, why->detail, sizeof(why->detail));
        return r == -ENOMEM ? -ENOMEM : -EPROTO;
    }
    struct negotiate_params p = {0};
    struct quirks q;
    quirks_find(http_header(e->rq, "User-Agent"), body, len, role, &q);
    endpoint_fill_params(e->s, e->rq, &p);
    limit_codecs(&q, &p);
    fill_session(e, t, &p);
    if (role == API_PUBLISH) {
        permit_denied(&e->grant, t->st->participant, p.denied);
        const char *e2ee = http_query(e->rq, "e2ee");
        p.opaque = e2ee != NULL && strcmp(e2ee, "0") != 0;
    }
    r = role == API_PUBLISH ? negotiate_publish(offer, &p, &e->out, why)
                            : negotiate_play(offer, &p, t->source, &e->out, why);
    sdp_free(offer);
    if (r == 0) {
        tell_quirks(&q, e->r, e->out.session);
    }
    return r;
}

/* What the token permitted stays with the session, which counts among those of the token. */
static int keep_grant(struct endpoint *e)
{
    if (!e->grant.is_token) {
        return 0;
    }
    e->r->grant = malloc(sizeof(*e->r->grant));
    e->r->ticket = auth_quota_take(&e->s->quota, e->grant.digest);
    if (e->r->grant == NULL || e->r->ticket == NULL) {
        return -ENOMEM;
    }
    *e->r->grant = e->grant;
    return 0;
}

bool endpoint_negotiate(struct endpoint *e, enum api_role role, const struct endpoint_target *t)
{
    struct signaling *s = e->s;
    e->r = resource_add(&s->sessions, role, http_begun_us(e->rq));
    if (e->r == NULL) {
        problem_answer_later(e->rq, 503, "no-memory", "The server is out of memory.", 5);
        return false;
    }
    e->r->worker = life_choose_worker(s, t->room);
    e->r->client = *http_client(e->rq);
    if (t->st != NULL) {
        rooms_label(t->st, e->r->label);
    } else {
        snprintf(e->r->label, sizeof(e->r->label), "%s/*", t->room->name);
    }
    snprintf(e->r->principal, sizeof(e->r->principal), "%s", e->grant.principal);
    snprintf(e->r->display, sizeof(e->r->display), "%s",
             e->grant.display[0] != '\0' ? e->grant.display : e->display);
    struct negotiate_refusal why = {0};
    int r = keep_grant(e);
    r = r == 0 ? answer_offer(e, role, t, &why) : r;
    if (r == 0 && remember(e->r, &e->out) == 0) {
        e->out.session->link.cert = s->cert;
        return true;
    }
    endpoint_undo(e);
    if (r == -EPROTO) {
        problem_answer(e->rq, why.status, why.type, why.detail);
    } else {
        problem_answer_later(e->rq, 503, "no-memory", "The server is out of memory.", 5);
    }
    return false;
}

void endpoint_undo(struct endpoint *e)
{
    free(e->out.session);
    free(e->out.answer);
    e->out = (struct negotiate_result){0};
    resource_drop(&e->s->sessions, e->r);
    e->r = NULL;
}

bool endpoint_yields(struct endpoint *e, bool taken)
{
    const char *match = taken ? http_header(e->rq, "If-None-Match") : NULL;
    bool yields = match != NULL && strcmp(match, "*") == 0;
    if (yields) {
        problem_answer(e->rq, 412, "name-taken", "Somebody is here under this name already.");
    }
    return yields;
}

bool endpoint_admit(struct endpoint *e, const struct stream *st)
{
    if (life_admit(e->s, e->r, st, e->out.session) < 0) {
        conference_leave(e->s, e->r);
        endpoint_undo(e);
        problem_answer_later(e->rq, 503, "busy", "The media workers are busy; try again.", 1);
        return false;
    }
    e->out.session = NULL; // moved
    return true;
}

void endpoint_created(struct endpoint *e)
{
    struct signaling *s = e->s;
    char base[ORIGIN_MAX];
    char text[ORIGIN_MAX + 64];
    char name[24];
    origin_find(s->conf, e->rq, base);
    snprintf(text, sizeof(text), "%s/session/%s", base, e->r->token);
    http_set_header(e->rq, "Location", text);
    snprintf(text, sizeof(text), "\"%s\"", e->r->etag);
    http_set_header(e->rq, "ETag", text);
    http_set_header(e->rq, "Accept-Patch", "application/trickle-ice-sdpfrag");
    http_set_header(e->rq, "Cache-Control", "no-store");
    snprintf(name, sizeof(name), "s%llu", (unsigned long long)e->r->id);
    add_ice_servers(e, name);
    session_ext_links(e->rq, e->r, base);
    http_on_lost(e->rq, life_on_lost, e->r->id);
    metrics_observe(&s->metrics.join[METRICS_JOIN_HTTP], clock_now_us() - http_begun_us(e->rq));
    char *answer = e->out.answer;
    e->out.answer = NULL;
    http_answer_take(e->rq, 201, "application/sdp", answer, strlen(answer));
    life_enforce_half_open(s);
}
