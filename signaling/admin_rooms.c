/* SPDX-License-Identifier: Apache-2.0 */
/* admin_rooms.c - rooms, streams and participants: listings and what may be done to them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "rtp/codec.h"
#include "signaling/admin_call.h"
#include "signaling/conference.h"
#include "signaling/json.h"
#include "signaling/moderate.h"
#include "signaling/problem.h"
#include "signaling/roster.h"
#include "signaling/state.h"

static void answer_no_room(struct admin_call *c)
{
    problem_answer(c->rq, 404, "no-room", "There is no room of this name now.");
}

static void answer_no_participant(struct admin_call *c)
{
    problem_answer(c->rq, 404, "not-here", "Nobody of this name is in the room.");
}

/* ---- streams ---- */

static cJSON *stream_json(const struct stream *st)
{
    cJSON *o = cJSON_CreateObject();
    admin_add_id(o, "id", st->id);
    cJSON_AddStringToObject(o, "room", st->room->name);
    cJSON_AddStringToObject(o, "participant", st->participant);
    cJSON_AddBoolToObject(o, "live", st->publisher != 0);
    admin_add_num(o, "viewers", conference_viewers(st));
    cJSON_AddBoolToObject(o, "audio_muted", st->media.no_audio);
    cJSON_AddBoolToObject(o, "video_muted", st->media.no_video);
    if (st->publisher != 0) {
        admin_add_id(o, "publisher", st->publisher);
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

static int by_stream_id(const void *a, const void *b)
{
    const struct stream *const *x = a;
    const struct stream *const *y = b;
    return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static bool is_stream_after(const void *entry, const char *after)
{
    const struct stream *st = entry;
    uint64_t id;
    return !admin_parse_id(after, &id) || st->id > id;
}

/* Calls fn for every stream of every room, or of one room. */
static void each_stream(const struct signaling *s, void (*fn)(const struct stream *st, void *ctx),
                        void *ctx)
{
    for (size_t i = 0; i < ARRAY_LEN(s->rooms.buckets); i++) {
        LIST_EACH(it, &s->rooms.buckets[i])
        {
            struct room *room = container_of(it, struct room, node);
            LIST_EACH(k, &room->streams)
            {
                fn(container_of(k, struct stream, node), ctx);
            }
        }
    }
}

struct gathering {
    const struct admin_call *call;
    const void **all;
    size_t n, cap;
    uint64_t id; /* looked for */
    const struct stream *found;
};

static void gather_stream(const struct stream *st, void *ctx)
{
    struct gathering *g = ctx;
    const char *live = st->publisher != 0 ? "true" : "false";
    if (g->n < g->cap && admin_filter(g->call, "room", st->room->name) &&
        admin_filter(g->call, "participant", st->participant) &&
        admin_filter(g->call, "live", live)) {
        g->all[g->n++] = st;
    }
}

void admin_get_streams(struct admin_call *c)
{
    struct admin_page page;
    struct gathering g = {.call = c, .cap = c->s->rooms.n_streams};
    if (!admin_page_read(c, &page)) {
        return;
    }
    g.all = calloc(MAX(g.cap, (size_t)1), sizeof(*g.all));
    if (g.all == NULL) {
        admin_answer(c->rq, 500, NULL);
        return;
    }
    each_stream(c->s, gather_stream, &g);
    size_t end;
    size_t i = admin_page_cut(&page, g.all, g.n, by_stream_id, is_stream_after, &end);
    cJSON *o = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(o, "streams");
    for (; i < end; i++) {
        cJSON_AddItemToArray(list, stream_json(g.all[i]));
    }
    if (page.more) {
        admin_add_id(o, "next", ((const struct stream *)g.all[end - 1])->id);
    }
    free(g.all);
    admin_answer(c->rq, 200, o);
}

static void match_stream(const struct stream *st, void *ctx)
{
    struct gathering *g = ctx;
    g->found = st->id == g->id ? st : g->found;
}

static const struct stream *find_stream(struct admin_call *c)
{
    struct gathering g = {0};
    if (admin_parse_id(c->args[0], &g.id)) {
        each_stream(c->s, match_stream, &g);
    }
    if (g.found == NULL) {
        problem_answer(c->rq, 404, "no-stream", "There is no stream with this id.");
    }
    return g.found;
}

void admin_get_stream(struct admin_call *c)
{
    const struct stream *st = find_stream(c);
    if (st != NULL) {
        admin_answer(c->rq, 200, stream_json(st));
    }
}

void admin_post_keyframe(struct admin_call *c)
{
    const struct stream *st = find_stream(c);
    if (st == NULL) {
        return;
    }
    if (moderate_keyframe(c->s, st) < 0) {
        problem_answer(c->rq, 409, "not-live", "Nobody publishes this stream now.");
        return;
    }
    http_answer_static(c->rq, 202, NULL, "", 0);
}

/* ---- participants ---- */

static void add_sessions_of(cJSON *o, const struct signaling *s, const char *room, const char *name)
{
    cJSON *list = cJSON_AddArrayToObject(o, "sessions");
    bool told = false;
    for (size_t i = 0; i < ARRAY_LEN(s->sessions.ids); i++) {
        LIST_EACH(it, &s->sessions.ids[i])
        {
            const struct resource *r = container_of(it, struct resource, by_id);
            char id[24];
            if ((r->state != RESOURCE_NEW && r->state != RESOURCE_UP) ||
                !moderate_is_of(r, room, name)) {
                continue;
            }
            snprintf(id, sizeof(id), "%llu", (unsigned long long)r->id);
            cJSON_AddItemToArray(list, cJSON_CreateString(id));
            if (!told && r->grant != NULL) {
                told = true;
                cJSON_AddStringToObject(o, "principal", r->grant->principal);
                cJSON_AddStringToObject(o, "name", r->display);
                if (r->grant->metadata[0] != '\0') {
                    cJSON_AddRawToObject(o, "metadata", r->grant->metadata);
                }
            }
        }
    }
}

static cJSON *participant_json(const struct signaling *s, const struct room *room, const char *name)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "participant", name);
    cJSON *list = cJSON_AddArrayToObject(o, "streams");
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        char person[ROOMS_NAME_MAX];
        if (strcmp(rooms_participant(st->participant, person), name) == 0) {
            cJSON_AddItemToArray(list, stream_json(st));
        }
    }
    add_sessions_of(o, s, room->name, name);
    return o;
}

/* People stay in the list for a moment after they have gone. */
static bool is_here(const struct person *p)
{
    return p->n_published + p->n_streams + p->n_members > 0;
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

static bool is_name_after(const void *entry, const char *after)
{
    return strcmp(entry, after) > 0;
}

/* The names of who is in the room, on the heap. NULL when out of memory. */
static const void **names_of(const struct room *room, size_t *ret_n)
{
    size_t n = 0;
    LIST_EACH(it, &room->people)
    {
        n++;
    }
    const void **all = calloc(MAX(n, (size_t)1), sizeof(*all));
    n = 0;
    LIST_EACH(it, &room->people)
    {
        const struct person *p = container_of(it, struct person, node);
        if (all != NULL && is_here(p)) {
            all[n++] = p->name;
        }
    }
    *ret_n = n;
    return all;
}

void admin_get_participants(struct admin_call *c)
{
    const struct room *room = rooms_find_room(&c->s->rooms, c->args[0]);
    struct admin_page page;
    size_t n = 0;
    if (room == NULL) {
        answer_no_room(c);
        return;
    }
    if (!admin_page_read(c, &page)) {
        return;
    }
    const void **all = names_of(room, &n);
    cJSON *o = all != NULL ? cJSON_CreateObject() : NULL;
    cJSON *list = cJSON_AddArrayToObject(o, "participants");
    size_t end = 0;
    size_t i = o != NULL ? admin_page_cut(&page, all, n, by_name, is_name_after, &end) : 0;
    for (; i < end; i++) {
        cJSON_AddItemToArray(list, participant_json(c->s, room, all[i]));
    }
    if (o != NULL && page.more) {
        cJSON_AddStringToObject(o, "next", all[end - 1]);
    }
    free(all);
    admin_answer(c->rq, 200, o);
}

void admin_get_participant(struct admin_call *c)
{
    const struct room *room = rooms_find_room(&c->s->rooms, c->args[0]);
    const struct person *p = room != NULL ? roster_find(room, c->args[1]) : NULL;
    if (room == NULL) {
        answer_no_room(c);
    } else if (p == NULL || !is_here(p)) {
        answer_no_participant(c);
    } else {
        admin_answer(c->rq, 200, participant_json(c->s, room, c->args[1]));
    }
}

void admin_delete_participant(struct admin_call *c)
{
    const char *revoke = http_query(c->rq, "revoke");
    int n = moderate_remove(c->s, c->args[0], c->args[1],
                            revoke != NULL && strcmp(revoke, "true") == 0);
    if (n == -ENOENT) {
        answer_no_participant(c);
        return;
    }
    admin_answer_ended(c->rq, n);
}

bool admin_parts(struct admin_call *c, unsigned *ret)
{
    static const char *const names[] = {"microphone", "camera", "screen", "audio", "video", NULL};
    static const unsigned parts[] = {
        ROSTER_MICROPHONE,
        ROSTER_CAMERA,
        ROSTER_SCREEN | ROSTER_SCREEN_SOUND,
        ROSTER_MICROPHONE | ROSTER_SCREEN_SOUND,
        ROSTER_CAMERA | ROSTER_SCREEN,
    };
    cJSON *body;
    unsigned yes = 0;
    unsigned no = 0;
    bool ok = true;
    if (!admin_body(c, names, &body)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts) && ok; i++) {
        bool named = false;
        ok = admin_flag(c, body, names[i], false, &named);
        yes |= named ? parts[i] : 0;
        no |= !named && json_get(body, names[i]) != NULL ? parts[i] : 0;
    }
    cJSON_Delete(body);
    *ret = (yes != 0 ? yes : ROSTER_ALL) & ~no;
    return ok;
}

static void mute(struct admin_call *c, bool on)
{
    unsigned parts;
    if (!admin_parts(c, &parts)) {
        return;
    }
    if (moderate_mute(c->s, c->args[0], c->args[1], parts, on) < 0) {
        answer_no_participant(c);
        return;
    }
    const struct room *room = rooms_find_room(&c->s->rooms, c->args[0]);
    admin_answer(c->rq, 200, participant_json(c->s, room, c->args[1]));
}

void admin_post_mute(struct admin_call *c)
{
    mute(c, true);
}

void admin_post_unmute(struct admin_call *c)
{
    mute(c, false);
}

/* ---- rooms ---- */

static cJSON *room_json(const struct room *room)
{
    cJSON *o = cJSON_CreateObject();
    unsigned live = 0;
    unsigned viewers = 0;
    size_t people = 0;
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        live += st->publisher != 0;
        viewers += st->viewers;
    }
    free(names_of(room, &people));
    cJSON_AddStringToObject(o, "room", room->name);
    cJSON_AddBoolToObject(o, "locked", room->locked);
    admin_add_num(o, "participants", people);
    admin_add_num(o, "streams_live", live);
    admin_add_num(o, "viewers", viewers + room->n_members);
    return o;
}

static int by_room_name(const void *a, const void *b)
{
    const struct room *const *x = a;
    const struct room *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static bool is_room_after(const void *entry, const char *after)
{
    return strcmp(((const struct room *)entry)->name, after) > 0;
}

/* All rooms, on the heap. NULL when out of memory. */
static const void **all_rooms(const struct signaling *s, size_t *ret_n)
{
    size_t n = 0;
    const void **all = NULL;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            all = calloc(MAX(n, (size_t)1), sizeof(*all));
            n = 0;
        }
        for (size_t i = 0; i < ARRAY_LEN(s->rooms.buckets) && (pass == 0 || all != NULL); i++) {
            LIST_EACH(it, &s->rooms.buckets[i])
            {
                if (pass == 1) {
                    all[n] = container_of(it, struct room, node);
                }
                n++;
            }
        }
    }
    *ret_n = n;
    return all;
}

void admin_get_rooms(struct admin_call *c)
{
    struct admin_page page;
    size_t n = 0;
    if (!admin_page_read(c, &page)) {
        return;
    }
    const void **all = all_rooms(c->s, &n);
    size_t kept = 0;
    for (size_t i = 0; all != NULL && i < n; i++) {
        const char *pattern = http_query(c->rq, "name");
        if (pattern == NULL || auth_grant_glob(pattern, ((const struct room *)all[i])->name)) {
            all[kept++] = all[i];
        }
    }
    cJSON *o = all != NULL ? cJSON_CreateObject() : NULL;
    cJSON *list = cJSON_AddArrayToObject(o, "rooms");
    size_t end = 0;
    size_t i = o != NULL ? admin_page_cut(&page, all, kept, by_room_name, is_room_after, &end) : 0;
    for (; i < end; i++) {
        cJSON_AddItemToArray(list, room_json(all[i]));
    }
    if (o != NULL && page.more) {
        cJSON_AddStringToObject(o, "next", ((const struct room *)all[end - 1])->name);
    }
    free(all);
    admin_answer(c->rq, 200, o);
}

void admin_get_room(struct admin_call *c)
{
    const struct room *room = rooms_find_room(&c->s->rooms, c->args[0]);
    if (room == NULL) {
        answer_no_room(c);
    } else {
        admin_answer(c->rq, 200, room_json(room));
    }
}

void admin_delete_room(struct admin_call *c)
{
    int n = moderate_end_room(c->s, c->args[0]);
    if (n < 0) {
        answer_no_room(c);
        return;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "sessions_ended", n);
    admin_answer(c->rq, 200, o);
}

static void lock(struct admin_call *c, bool locked)
{
    if (moderate_lock(c->s, c->args[0], locked) < 0) {
        answer_no_room(c);
    } else {
        http_answer_static(c->rq, 204, NULL, "", 0);
    }
}

void admin_post_lock(struct admin_call *c)
{
    lock(c, true);
}

void admin_post_unlock(struct admin_call *c)
{
    lock(c, false);
}
