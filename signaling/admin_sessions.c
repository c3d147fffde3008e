/* SPDX-License-Identifier: Apache-2.0 */
/* admin_sessions.c - sessions with their numbers, which the workers are asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/log.h"
#include "rtp/codec.h"
#include "signaling/admin_call.h"
#include "signaling/life.h"
#include "signaling/problem.h"
#include "signaling/query.h"
#include "signaling/state.h"

static cJSON *track_json(const struct api_track_stats *t)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "kind", t->kind == MEDIA_AUDIO ? "audio" : "video");
    cJSON_AddStringToObject(o, "codec", codec_info(t->codec)->name);
    cJSON_AddStringToObject(o, "mid", t->mid);
    cJSON_AddStringToObject(o, "rid", t->rid);
    admin_add_num(o, "ssrc", t->ssrc);
    admin_add_num(o, "packets", t->packets);
    admin_add_num(o, "bytes", t->bytes);
    admin_add_num(o, "rtx_packets", t->rtx_packets);
    admin_add_num(o, "nacks", t->nacks);
    admin_add_num(o, "plis", t->plis);
    admin_add_num(o, "firs", t->firs);
    admin_add_num(o, "lost", t->lost);
    cJSON_AddNumberToObject(o, "fraction_lost", t->fraction_lost_q8 / 256.0);
    cJSON_AddNumberToObject(o, "jitter_ms", t->jitter_us / 1000.0);
    admin_add_num(o, "bitrate_bps", t->bitrate_bps);
    admin_add_num(o, "width", t->width);
    admin_add_num(o, "height", t->height);
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
        admin_add_num(aim, "bitrate_bps", t->aim_bps);
        cJSON_AddStringToObject(aim, "why", t->why);
        admin_add_num(aim, "switches", t->switches);
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
    admin_add_num(o, "estimate_bps", st->estimate_bps);
    if (st->estimate_by != NULL && st->role == API_PLAY) {
        cJSON_AddStringToObject(o, "estimate_by", st->estimate_by);
        cJSON_AddStringToObject(o, "estimate_why", st->estimate_why);
        cJSON_AddNumberToObject(o, "queue_ms", st->queue_us / 1000.0);
        cJSON_AddNumberToObject(o, "backlog_ms", st->backlog_us / 1000.0);
        cJSON_AddNumberToObject(o, "loss", st->loss_q8 / 256.0);
        cJSON_AddBoolToObject(o, "congested", st->congested);
    }
    admin_add_num(o, "packets", packets);
    admin_add_num(o, "bytes", bytes);
    admin_add_num(o, "lost", lost);
    cJSON_AddItemToObject(o, "tracks", tracks);
}

static cJSON *data_json(const struct api_data_stats *d)
{
    cJSON *o = cJSON_CreateObject();
    admin_add_num(o, "channels", d->channels);
    admin_add_num(o, "messages_in", d->messages_in);
    admin_add_num(o, "bytes_in", d->bytes_in);
    admin_add_num(o, "messages_out", d->messages_out);
    admin_add_num(o, "bytes_out", d->bytes_out);
    admin_add_num(o, "dropped", d->dropped);
    return o;
}

static const char *session_state(const struct resource *r)
{
    static const char *const states[] = {[RESOURCE_NEW] = "new",
                                         [RESOURCE_UP] = "up",
                                         [RESOURCE_ENDING] = "ending",
                                         [RESOURCE_GONE] = "gone"};
    return states[r->state];
}

static cJSON *session_json(const struct resource *r, const struct api_session_stats *st)
{
    char client[ADDR_TEXT_MAX];
    cJSON *o = cJSON_CreateObject();
    admin_add_id(o, "id", r->id);
    cJSON_AddStringToObject(o, "role", r->role == API_PUBLISH ? "publish" : "play");
    cJSON_AddStringToObject(o, "stream", r->label);
    cJSON_AddStringToObject(o, "state", session_state(r));
    cJSON_AddStringToObject(o, "principal", r->principal);
    cJSON_AddStringToObject(o, "codecs", r->codecs);
    cJSON_AddStringToObject(o, "http_client", addr_format(&r->client, false, client));
    cJSON_AddStringToObject(o, "client", r->program);
    cJSON_AddStringToObject(o, "quirks", r->quirks);
    cJSON *faults = cJSON_AddArrayToObject(o, "faults");
    for (unsigned f = 0; f < API_FAULT_COUNT; f++) {
        if (r->faults & 1U << f) {
            cJSON_AddItemToArray(faults, cJSON_CreateString(api_fault_name(f)));
        }
    }
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
    struct admin_call call;
    struct admin_page page;
    uint64_t one; /* session asked for; 0: a listing */
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

static int by_session_id(const void *a, const void *b)
{
    const struct resource *const *x = a;
    const struct resource *const *y = b;
    return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static bool is_session_after(const void *entry, const char *after)
{
    const struct resource *r = entry;
    uint64_t id;
    return !admin_parse_id(after, &id) || r->id > id;
}

static bool is_wanted(const struct admin_call *c, const struct resource *r)
{
    char room[ROOMS_NAME_MAX];
    if (r->state == RESOURCE_GONE) {
        return false;
    }
    snprintf(room, sizeof(room), "%.*s", (int)MIN(strcspn(r->label, "/"), sizeof(room) - 1),
             r->label);
    return admin_filter(c, "room", room) && admin_filter(c, "stream", r->label) &&
           admin_filter(c, "principal", r->principal) &&
           admin_filter(c, "role", r->role == API_PUBLISH ? "publish" : "play") &&
           admin_filter(c, "state", session_state(r));
}

/* What the query asks for, on the heap; NULL when out of memory. */
static const void **gather(const struct admin_call *c, size_t *ret_n)
{
    const struct signaling *s = c->s;
    size_t cap = 1;
    for (int role = 0; role < 2; role++) {
        for (int state = 0; state < RESOURCE_GONE; state++) {
            cap += s->sessions.n[role][state];
        }
    }
    const void **all = calloc(cap, sizeof(*all));
    size_t n = 0;
    for (size_t i = 0; all != NULL && i < ARRAY_LEN(s->sessions.ids); i++) {
        LIST_EACH(it, &s->sessions.ids[i])
        {
            const struct resource *r = container_of(it, struct resource, by_id);
            if (n < cap && is_wanted(c, r)) {
                all[n++] = r;
            }
        }
    }
    *ret_n = n;
    return all;
}

static void answer_no_session(struct http_request *rq)
{
    problem_answer(rq, 404, "no-session", "There is no session with this id.");
}

static void answer_one(struct listing *l, const struct query_result *res)
{
    const struct resource *r = resource_find_id(&l->call.s->sessions, l->one);
    if (r == NULL || r->state == RESOURCE_GONE) {
        answer_no_session(l->call.rq);
    } else {
        admin_answer(l->call.rq, 200, session_json(r, find_stats(res, r->id)));
    }
}

static void answer_all(struct listing *l, const struct query_result *res)
{
    size_t n = 0;
    size_t end = 0;
    const void **all = gather(&l->call, &n);
    cJSON *o = all != NULL ? cJSON_CreateObject() : NULL;
    cJSON *list = cJSON_AddArrayToObject(o, "sessions");
    size_t i =
        o != NULL ? admin_page_cut(&l->page, all, n, by_session_id, is_session_after, &end) : 0;
    for (; i < end; i++) {
        const struct resource *r = all[i];
        cJSON_AddItemToArray(list, session_json(r, find_stats(res, r->id)));
    }
    cJSON_AddBoolToObject(o, "partial", res->partial);
    if (o != NULL && l->page.more) {
        admin_add_id(o, "next", ((const struct resource *)all[end - 1])->id);
    }
    free(all);
    admin_answer(l->call.rq, 200, o);
}

static void on_listing(const struct query_result *res, void *ctx)
{
    struct listing *l = ctx;
    if (res->n > 0) {
        qsort(res->sessions, res->n, sizeof(*res->sessions), by_id);
    }
    if (l->one != 0) {
        answer_one(l, res);
    } else {
        answer_all(l, res);
    }
    free(l);
}

/* Asks one worker, or all. */
static void ask(struct admin_call *c, const struct admin_page *page, uint64_t one, int worker)
{
    struct signaling *s = c->s;
    struct listing *l = s->plane != NULL ? malloc(sizeof(*l)) : NULL;
    if (l != NULL) {
        *l = (struct listing){.call = *c, .page = *page, .one = one};
    }
    if (l == NULL || query_start(s->queries, worker, plane_workers(s->plane), on_listing, l) < 0) {
        free(l);
        problem_answer_later(c->rq, 503, "busy", "Too many listings are under way.", 1);
    }
}

void admin_get_sessions(struct admin_call *c)
{
    struct admin_page page;
    if (admin_page_read(c, &page)) {
        ask(c, &page, 0, QUERY_ALL);
    }
}

static struct resource *find_session(struct admin_call *c)
{
    uint64_t id;
    struct resource *r =
        admin_parse_id(c->args[0], &id) ? resource_find_id(&c->s->sessions, id) : NULL;
    if (r == NULL || r->state == RESOURCE_GONE) {
        answer_no_session(c->rq);
        return NULL;
    }
    return r;
}

void admin_get_session(struct admin_call *c)
{
    const struct resource *r = find_session(c);
    if (r != NULL) {
        ask(c, &(struct admin_page){0}, r->id, r->worker);
    }
}

void admin_delete_session(struct admin_call *c)
{
    struct resource *r = find_session(c);
    if (r == NULL) {
        return;
    }
    log_info("admin_kick", LOG_STR("label", r->label), LOG_INT("id", r->id));
    life_end(c->s, r, API_END_KICKED);
    http_answer_static(c->rq, 204, NULL, "", 0);
}
