/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/admin.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "rtp/codec.h"
#include "signaling/conference.h"
#include "signaling/endpoint.h"
#include "signaling/http.h"
#include "signaling/life.h"
#include "signaling/moderate.h"
#include "signaling/problem.h"
#include "signaling/query.h"
#include "signaling/state.h"

/* The host of "host:port", "[v6]:port" or "host". */
static void host_of(const char *header, char *out, size_t cap)
{
    bool bracket = header[0] == '[';
    header += bracket ? 1 : 0;
    snprintf(out, cap, "%.*s", (int)strcspn(header, bracket ? "]" : ":"), header);
}

/* True when the listener is called by the name it was meant to be called by. */
static bool is_called_rightly(const struct signaling *s, const char *header)
{
    char host[CONF_STR_MAX];
    struct addr a;
    if (conf_admin_is_public(s->conf)) {
        return true;
    }
    host_of(header != NULL ? header : "", host, sizeof(host));
    return header == NULL || strcmp(host, "localhost") == 0 || addr_parse_ip(host, 0, &a) == 0;
}

/* A browser says where a request comes from; a page elsewhere has no business here. */
static bool is_own_origin(const struct http_request *rq)
{
    const char *origin = http_header(rq, "Origin");
    const char *site = http_header(rq, "Sec-Fetch-Site");
    const char *host = http_header(rq, "Host");
    const char *behind = origin != NULL ? strstr(origin, "://") : NULL;
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) {
        return false;
    }
    return origin == NULL || (behind != NULL && host != NULL && strcmp(behind + 3, host) == 0);
}

static bool asks_for_token(const struct conf *c)
{
    bool token = conf_admin_is_public(c) && conf_has_auth(c);
    for (int i = 0; i < c->auth.n_tokens; i++) {
        token = token || c->auth.tokens[i].admin;
    }
    return token;
}

static bool is_probe(const char *path)
{
    return strcmp(path, "/livez") == 0 || strcmp(path, "/readyz") == 0 ||
           strcmp(path, "/startupz") == 0;
}

bool admin_gate(struct http_request *rq, void *ctx)
{
    struct signaling *s = ctx;
    struct auth_verdict v;
    if (!is_called_rightly(s, http_header(rq, "Host"))) {
        problem_answer(rq, 421, "host", "Call the admin listener by its address or as localhost.");
        return false;
    }
    if (!is_own_origin(rq)) {
        problem_answer(rq, 403, "origin", "Pages of other origins may not use the admin API.");
        return false;
    }
    if (is_probe(http_path(rq)) || !asks_for_token(s->conf)) {
        return true;
    }
    endpoint_check_auth(s, rq, AUTH_ADMIN, "", &v);
    if (v.result != AUTH_OK) {
        endpoint_answer_auth(s, rq, &v);
    }
    return v.result == AUTH_OK;
}

/* Takes o over. */
static void answer_json(struct http_request *rq, int status, cJSON *o)
{
    char *text = o != NULL ? cJSON_PrintUnformatted(o) : NULL;
    cJSON_Delete(o);
    http_set_header(rq, "Cache-Control", "no-store");
    http_answer_take(rq, status, "application/json", text, text != NULL ? strlen(text) : 0);
}

/* Ids do not fit a JSON number for good. */
static void add_id(cJSON *o, const char *key, uint64_t id)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, id);
    cJSON_AddStringToObject(o, key, text);
}

static void add_num(cJSON *o, const char *key, uint64_t n)
{
    cJSON_AddNumberToObject(o, key, (double)n);
}

static cJSON *track_json(const struct api_track_stats *t)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "kind", t->kind == MEDIA_AUDIO ? "audio" : "video");
    cJSON_AddStringToObject(o, "codec", codec_info(t->codec)->name);
    cJSON_AddStringToObject(o, "mid", t->mid);
    cJSON_AddStringToObject(o, "rid", t->rid);
    add_num(o, "ssrc", t->ssrc);
    add_num(o, "packets", t->packets);
    add_num(o, "bytes", t->bytes);
    add_num(o, "rtx_packets", t->rtx_packets);
    add_num(o, "nacks", t->nacks);
    add_num(o, "plis", t->plis);
    add_num(o, "firs", t->firs);
    add_num(o, "lost", t->lost);
    cJSON_AddNumberToObject(o, "fraction_lost", t->fraction_lost_q8 / 256.0);
    cJSON_AddNumberToObject(o, "jitter_ms", t->jitter_us / 1000.0);
    add_num(o, "bitrate_bps", t->bitrate_bps);
    add_num(o, "width", t->width);
    add_num(o, "height", t->height);
    if (t->kind == MEDIA_VIDEO) {
        cJSON_AddNumberToObject(o, "layer", t->layer);
        cJSON_AddNumberToObject(o, "spatial_layers", t->n_sid);
        cJSON_AddNumberToObject(o, "temporal_layers", t->n_tid);
    }
    if (t->why != NULL) {
        cJSON_AddNumberToObject(o, "spatial_layer", t->sid);
        cJSON_AddNumberToObject(o, "temporal_layer", t->tid);
        cJSON *aim = cJSON_AddObjectToObject(o, "aim");
        cJSON_AddNumberToObject(aim, "layer", t->aim_layer);
        cJSON_AddNumberToObject(aim, "spatial_layer", t->aim_sid);
        cJSON_AddNumberToObject(aim, "temporal_layer", t->aim_tid);
        add_num(aim, "bitrate_bps", t->aim_bps);
        cJSON_AddStringToObject(aim, "why", t->why);
        add_num(aim, "switches", t->switches);
    }
    return o;
}

static void add_media(cJSON *o, const struct api_session_stats *st)
{
    static const char *const states[] = {
        [LINK_NEW] = "new", [LINK_ICE] = "ice", [LINK_UP] = "up", [LINK_CLOSED] = "closed"};
    uint64_t bytes = 0;
    uint64_t packets = 0;
    uint64_t lost = 0;
    cJSON *tracks = cJSON_CreateArray();
    for (int i = 0; i < st->n_tracks; i++) {
        bytes += st->tracks[i].bytes;
        packets += st->tracks[i].packets;
        lost += st->tracks[i].lost;
        cJSON_AddItemToArray(tracks, track_json(&st->tracks[i]));
    }
    cJSON_AddStringToObject(o, "link", states[st->state]);
    cJSON_AddBoolToObject(o, "silent", st->silent);
    cJSON_AddStringToObject(o, "remote", st->remote);
    cJSON_AddStringToObject(o, "transport", st->transport);
    cJSON_AddStringToObject(o, "srtp", srtp_profile_name(st->profile));
    cJSON_AddNumberToObject(o, "idle_ms", (double)(st->idle_us / US_PER_MS));
    cJSON_AddNumberToObject(o, "rtt_ms", st->rtt_us / 1000.0);
    add_num(o, "estimate_bps", st->estimate_bps);
    if (st->estimate_by != NULL && st->role == API_PLAY) {
        cJSON_AddStringToObject(o, "estimate_by", st->estimate_by);
        cJSON_AddStringToObject(o, "estimate_why", st->estimate_why);
        cJSON_AddNumberToObject(o, "queue_ms", st->queue_us / 1000.0);
        cJSON_AddNumberToObject(o, "backlog_ms", st->backlog_us / 1000.0);
        cJSON_AddNumberToObject(o, "loss", st->loss_q8 / 256.0);
        cJSON_AddBoolToObject(o, "congested", st->congested);
    }
    add_num(o, "packets", packets);
    add_num(o, "bytes", bytes);
    add_num(o, "lost", lost);
    cJSON_AddItemToObject(o, "tracks", tracks);
}

static cJSON *data_json(const struct api_data_stats *d)
{
    cJSON *o = cJSON_CreateObject();
    add_num(o, "channels", d->channels);
    add_num(o, "messages_in", d->messages_in);
    add_num(o, "bytes_in", d->bytes_in);
    add_num(o, "messages_out", d->messages_out);
    add_num(o, "bytes_out", d->bytes_out);
    add_num(o, "dropped", d->dropped);
    return o;
}

static cJSON *session_json(const struct resource *r, const struct api_session_stats *st)
{
    static const char *const states[] = {[RESOURCE_NEW] = "new",
                                         [RESOURCE_UP] = "up",
                                         [RESOURCE_ENDING] = "ending",
                                         [RESOURCE_GONE] = "gone"};
    char client[ADDR_TEXT_MAX];
    cJSON *o = cJSON_CreateObject();
    add_id(o, "id", r->id);
    cJSON_AddStringToObject(o, "role", r->role == API_PUBLISH ? "publish" : "play");
    cJSON_AddStringToObject(o, "stream", r->label);
    cJSON_AddStringToObject(o, "state", states[r->state]);
    cJSON_AddStringToObject(o, "principal", r->principal);
    cJSON_AddStringToObject(o, "codecs", r->codecs);
    cJSON_AddStringToObject(o, "http_client", addr_format(&r->client, false, client));
    cJSON_AddNumberToObject(o, "worker", r->worker);
    cJSON_AddNumberToObject(o, "age_ms", (double)((clock_now_us() - r->created_us) / US_PER_MS));
    if (st != NULL) {
        add_media(o, st);
    }
    if (st != NULL && st->has_data) {
        cJSON_AddItemToObject(o, "data", data_json(&st->data));
    }
    return o;
}

/* A GET that waits for the workers. */
struct listing {
    struct signaling *s;
    struct http_request *rq;
};

static int by_id(const void *a, const void *b)
{
    const struct api_session_stats *const *x = a;
    const struct api_session_stats *const *y = b;
    return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static const struct api_session_stats *find_stats(const struct query_result *res, uint64_t id)
{
    struct api_session_stats key = {.id = id};
    const struct api_session_stats *key_at = &key;
    struct api_session_stats **found =
        res->n > 0 ? bsearch(&key_at, res->sessions, res->n, sizeof(*res->sessions), by_id) : NULL;
    return found != NULL ? *found : NULL;
}

static void on_listing(const struct query_result *res, void *ctx)
{
    struct listing *l = ctx;
    cJSON *o = cJSON_CreateObject();
    cJSON *all = cJSON_AddArrayToObject(o, "sessions");
    if (res->n > 0) {
        qsort(res->sessions, res->n, sizeof(*res->sessions), by_id);
    }
    for (size_t i = 0; i < ARRAY_LEN(l->s->sessions.ids); i++) {
        LIST_EACH(it, &l->s->sessions.ids[i])
        {
            const struct resource *r = container_of(it, struct resource, by_id);
            if (r->state != RESOURCE_GONE) {
                cJSON_AddItemToArray(all, session_json(r, find_stats(res, r->id)));
            }
        }
    }
    cJSON_AddBoolToObject(o, "partial", res->partial);
    answer_json(l->rq, 200, o);
    free(l);
}

void admin_sessions(struct http_request *rq, void *ctx)
{
    struct signaling *s = ctx;
    if (http_method(rq) != HTTP_GET) {
        problem_answer_method(rq, "GET");
        return;
    }
    struct listing *l = s->plane != NULL ? malloc(sizeof(*l)) : NULL;
    if (l != NULL) {
        *l = (struct listing){.s = s, .rq = rq};
    }
    if (l == NULL ||
        query_start(s->queries, QUERY_ALL, plane_workers(s->plane), on_listing, l) < 0) {
        free(l);
        problem_answer_later(rq, 503, "busy", "Too many listings are under way.", 1);
    }
}

static bool parse_id(const char *text, uint64_t *ret)
{
    uint64_t v = 0;
    if (text[0] == '\0' || strlen(text) > 19) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(*text - '0');
    }
    *ret = v;
    return true;
}

void admin_session(struct http_request *rq, void *ctx)
{
    struct signaling *s = ctx;
    uint64_t id;
    if (http_method(rq) != HTTP_DELETE) {
        problem_answer_method(rq, "DELETE");
        return;
    }
    struct resource *r = parse_id(http_tail(rq), &id) ? resource_find_id(&s->sessions, id) : NULL;
    if (r == NULL || r->state == RESOURCE_GONE) {
        problem_answer(rq, 404, "no-session", "There is no session with this id.");
        return;
    }
    log_info("admin_kick", LOG_STR("label", r->label), LOG_INT("id", r->id));
    life_end(s, r, API_END_KICKED);
    http_answer_static(rq, 204, NULL, "", 0);
}

static cJSON *stream_json(const struct stream *st)
{
    cJSON *o = cJSON_CreateObject();
    add_id(o, "id", st->id);
    cJSON_AddStringToObject(o, "room", st->room->name);
    cJSON_AddStringToObject(o, "participant", st->participant);
    cJSON_AddBoolToObject(o, "live", st->publisher != 0);
    add_num(o, "viewers", conference_viewers(st));
    if (st->publisher != 0) {
        add_id(o, "publisher", st->publisher);
        cJSON_AddStringToObject(o, "principal", st->principal);
        cJSON_AddNumberToObject(o, "worker", st->worker);
        cJSON_AddBoolToObject(o, "silent", st->silent);
        cJSON_AddNumberToObject(o, "live_ms",
                                (double)((clock_now_us() - st->live_since_us) / US_PER_MS));
        cJSON_AddStringToObject(
            o, "audio", st->source.audio ? codec_info(st->source.audio_codec.id)->name : "");
        cJSON_AddStringToObject(
            o, "video", st->source.video ? codec_info(st->source.video_codec.id)->name : "");
    }
    return o;
}

void admin_streams(struct http_request *rq, void *ctx)
{
    struct signaling *s = ctx;
    if (http_method(rq) != HTTP_GET) {
        problem_answer_method(rq, "GET");
        return;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON *all = cJSON_AddArrayToObject(o, "streams");
    for (size_t i = 0; i < ARRAY_LEN(s->rooms.buckets); i++) {
        LIST_EACH(it, &s->rooms.buckets[i])
        {
            struct room *room = container_of(it, struct room, node);
            LIST_EACH(k, &room->streams)
            {
                cJSON_AddItemToArray(all, stream_json(container_of(k, struct stream, node)));
            }
        }
    }
    answer_json(rq, 200, o);
}

void admin_token(struct http_request *rq, void *ctx)
{
    struct signaling *s = ctx;
    const char *jti = http_tail(rq);
    if (http_method(rq) != HTTP_DELETE) {
        problem_answer_method(rq, "DELETE");
        return;
    }
    if (jti[0] == '\0' || strlen(jti) >= AUTH_GRANT_JTI_MAX || strpbrk(jti, "/%") != NULL) {
        problem_answer(rq, 404, "no-token",
                       "Name the token by its jti, of at most 64 bytes and without / and %.");
        return;
    }
    int n = moderate_revoke(s, jti);
    if (n < 0) {
        problem_answer_later(rq, 503, "no-memory", "The server is out of memory.", 5);
        return;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "sessions_ended", n);
    answer_json(rq, 200, o);
}

static void add_limit(cJSON *o, const char *name, int64_t limit, int64_t used)
{
    cJSON *one = cJSON_AddObjectToObject(o, name);
    cJSON_AddNumberToObject(one, "limit", (double)limit);
    if (used >= 0) {
        cJSON_AddNumberToObject(one, "used", (double)used);
    }
}

void admin_limits(struct http_request *rq, void *ctx)
{
    struct signaling *s = ctx;
    const struct conf *c = s->conf;
    if (http_method(rq) != HTTP_GET) {
        problem_answer_method(rq, "GET");
        return;
    }
    cJSON *o = cJSON_CreateObject();
    add_limit(o, "max_sessions", c->limits.max_sessions, resource_live(&s->sessions));
    add_limit(o, "max_half_open", c->limits.max_half_open, s->sessions.n_half_open);
    add_limit(o, "max_connections", c->http.max_connections, http_connections(s->public_http));
    add_limit(o, "max_connections_per_ip", c->http.max_connections_per_ip, -1);
    add_limit(o, "posts_per_ip_per_s", c->http.posts_per_ip_per_s, -1);
    add_limit(o, "ice_timeout_ms", c->limits.ice_timeout_ms, -1);
    add_limit(o, "dtls_timeout_ms", c->limits.dtls_timeout_ms, -1);
    add_limit(o, "media_timeout_ms", c->limits.media_timeout_ms, -1);
    add_limit(o, "gone_timeout_ms", c->limits.gone_timeout_ms, -1);
    add_limit(o, "end_timeout_ms", c->limits.end_timeout_ms, -1);
    add_limit(o, "drain_timeout_ms", c->limits.drain_timeout_ms, -1);
    add_limit(o, "max_publisher_kbps", c->media.max_publisher_kbps, -1);
    answer_json(rq, 200, o);
}
