/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/rooms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/roster.h"

void rooms_init(struct rooms *r, uint64_t seed)
{
    *r = (struct rooms){.seed = seed, .next_stream = 1, .next_turn = 1};
    for (size_t i = 0; i < ARRAY_LEN(r->buckets); i++) {
        list_init(&r->buckets[i]);
        list_init(&r->ids[i]);
    }
    static_assert(ARRAY_LEN(r->buckets) == ARRAY_LEN(r->ids), "one loop for both");
}

void rooms_fini(struct rooms *r)
{
    for (size_t i = 0; i < ARRAY_LEN(r->buckets); i++) {
        LIST_EACH(it, &r->buckets[i])
        {
            struct room *room = container_of(it, struct room, node);
            LIST_EACH(s, &room->streams)
            {
                free(container_of(s, struct stream, node));
            }
            free(room);
        }
        list_init(&r->buckets[i]);
        list_init(&r->ids[i]);
    }
}

static bool alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool rooms_is_name(const char *name, size_t len)
{
    if (len == 0 || len >= ROOMS_NAME_MAX || !alnum(name[0])) {
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        if (!alnum(name[i]) && (name[i] == '\0' || strchr("._~-", name[i]) == NULL)) {
            return false;
        }
    }
    return true;
}

static int hex(char c)
{
    char low = (char)(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Some clients escape what needs no escape, '~' above all; others end a path with a slash. Any
 * other escape stays, and makes the name a bad one. Returns 0 or -EINVAL. */
static int tidy(const char *path, char *out, size_t cap)
{
    size_t n = 0;
    for (; *path != '\0'; path++) {
        int high = path[0] == '%' ? hex(path[1]) : -1;
        int low = high >= 0 ? hex(path[2]) : -1;
        char c = low >= 0 ? (char)(high << 4 | low) : '\0';
        bool plain = alnum(c) || (c != '\0' && strchr("._~-", c) != NULL);
        if (n + 1 == cap) {
            return -EINVAL;
        }
        out[n++] = plain ? c : *path;
        path += plain ? 2 : 0;
    }
    n -= n > 0 && out[n - 1] == '/';
    out[n] = '\0';
    return 0;
}

int rooms_split(const char *url, char room[ROOMS_NAME_MAX], char participant[ROOMS_NAME_MAX],
                bool *ret_named)
{
    char path[2 * ROOMS_NAME_MAX + 1];
    if (tidy(url, path, sizeof(path)) < 0) {
        return -EINVAL;
    }
    size_t len = strcspn(path, "/");
    bool named = path[len] == '/';
    const char *second = named ? path + len + 1 : "main";
    if (!rooms_is_name(path, len) || !rooms_is_name(second, strlen(second))) {
        return -EINVAL;
    }
    memcpy(room, path, len);
    room[len] = '\0';
    snprintf(participant, ROOMS_NAME_MAX, "%s", second);
    *ret_named = named;
    return 0;
}

uint64_t rooms_hash(const char *name, uint64_t seed)
{
    uint64_t h = 0xcbf29ce484222325ULL ^ seed;
    for (; *name != '\0'; name++) {
        h = (h ^ (unsigned char)*name) * 0x100000001b3ULL;
    }
    return h ^ h >> 32;
}

static struct list *bucket(const struct rooms *r, const char *name)
{
    return (struct list *)&r->buckets[rooms_hash(name, r->seed) % ARRAY_LEN(r->buckets)];
}

struct room *rooms_find_room(const struct rooms *r, const char *name)
{
    struct list *head = bucket(r, name);
    LIST_EACH(it, head)
    {
        struct room *room = container_of(it, struct room, node);
        if (strcmp(room->name, name) == 0) {
            return room;
        }
    }
    return NULL;
}

static struct stream *find_in(const struct room *room, const char *participant)
{
    LIST_EACH(it, &room->streams)
    {
        struct stream *st = container_of(it, struct stream, node);
        if (strcmp(st->participant, participant) == 0) {
            return st;
        }
    }
    return NULL;
}

struct stream *rooms_find(const struct rooms *r, const char *room, const char *participant)
{
    const struct room *found = rooms_find_room(r, room);
    return found != NULL ? find_in(found, participant) : NULL;
}

struct stream *rooms_find_id(const struct rooms *r, uint64_t id)
{
    const struct list *head = &r->ids[id % ARRAY_LEN(r->ids)];
    LIST_EACH(it, head)
    {
        struct stream *st = container_of(it, struct stream, by_id);
        if (st->id == id) {
            return st;
        }
    }
    return NULL;
}

struct room *rooms_get_room(struct rooms *r, const char *name, int home)
{
    struct room *room = rooms_find_room(r, name);
    if (room != NULL) {
        return room;
    }
    room = calloc(1, sizeof(*room));
    if (room == NULL) {
        return NULL;
    }
    list_init(&room->node);
    list_init(&room->streams);
    list_init(&room->members);
    list_init(&room->layouts);
    list_init(&room->people);
    list_init(&room->publishers);
    for (size_t i = 0; i < ROOMS_PEOPLE; i++) {
        list_init(&room->by_name[i]);
    }
    list_init(&room->dirty);
    list_init(&room->dirty_people);
    room->next_person = 1;
    snprintf(room->name, sizeof(room->name), "%s", name);
    room->home = home;
    list_append(bucket(r, name), &room->node);
    return room;
}

void rooms_release_room(struct room *room)
{
    if (list_empty(&room->streams) && list_empty(&room->members)) {
        roster_end(room);
        assert(list_empty(&room->people) && list_empty(&room->layouts));
        list_remove(&room->dirty);
        list_remove(&room->node);
        free(room);
    }
}

uint64_t rooms_new_id(struct rooms *r)
{
    return r->next_stream++;
}

const char *rooms_participant(const char *stream, char out[ROOMS_NAME_MAX])
{
    snprintf(out, ROOMS_NAME_MAX, "%.*s", (int)strcspn(stream, "~"), stream);
    return out;
}

const char *rooms_source(const char *stream)
{
    const char *tilde = strchr(stream, '~');
    return tilde != NULL ? tilde + 1 : "camera";
}

bool rooms_is_screen(const char *stream)
{
    return strcmp(rooms_source(stream), "screen") == 0;
}

bool rooms_is_data_only(const struct stream *st)
{
    return st->publisher != 0 && !st->source.audio && !st->source.video;
}

enum codec_id rooms_video_codec(const struct room *room, const struct stream *but)
{
    const struct stream *first = NULL;
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        if (st != but && st->publisher != 0 && st->source.video &&
            (first == NULL || st->turn < first->turn)) {
            first = st;
        }
    }
    return first != NULL ? first->source.video_codec.id : CODEC_NONE;
}

struct stream *rooms_get(struct rooms *r, const char *room_name, const char *participant, int home)
{
    struct room *room = rooms_get_room(r, room_name, home);
    struct stream *st = room != NULL ? find_in(room, participant) : NULL;
    if (room == NULL || st != NULL) {
        return st;
    }
    st = calloc(1, sizeof(*st));
    if (st == NULL) {
        rooms_release_room(room);
        return NULL;
    }
    list_init(&st->node);
    list_init(&st->by_id);
    st->room = room;
    st->id = rooms_new_id(r);
    st->worker = -1;
    st->media.active_us = INT64_MIN;
    snprintf(st->participant, sizeof(st->participant), "%s", participant);
    list_append(&r->ids[st->id % ARRAY_LEN(r->ids)], &st->by_id);
    list_append(&room->streams, &st->node);
    r->n_streams++;
    return st;
}

struct stream *rooms_pick(const struct rooms *r, const char *name)
{
    return rooms_pick_but(r, name, NULL);
}

struct stream *rooms_pick_but(const struct rooms *r, const char *name, const struct person *own)
{
    const struct room *room = rooms_find_room(r, name);
    struct stream *best = NULL;
    if (room == NULL) {
        return NULL;
    }
    LIST_EACH(it, &room->streams)
    {
        struct stream *st = container_of(it, struct stream, node);
        if (st->publisher == 0 || (own != NULL && st->person == own)) {
            continue;
        }
        if (strcmp(st->participant, "main") == 0) {
            return st;
        }
        if (best == NULL || st->turn > best->turn) {
            best = st;
        }
    }
    return best;
}

int rooms_claim(const struct stream *st, const char *principal, int64_t idle_us, uint64_t *ret_old)
{
    if (st == NULL || st->publisher == 0) {
        *ret_old = 0;
        return 0;
    }
    bool same = strcmp(st->principal, principal) == 0;
    if (!same && !st->silent && idle_us < 0) {
        return -EAGAIN;
    }
    if (!same && !st->silent && idle_us < ROOMS_SILENT_US) {
        return -EBUSY;
    }
    *ret_old = st->publisher;
    return 0;
}

void rooms_publish(struct rooms *r, struct stream *st, const struct rooms_publisher *p,
                   int64_t now_us)
{
    r->n_live += st->publisher == 0 ? 1 : 0;
    st->publisher = p->session;
    st->worker = p->worker;
    st->silent = false;
    st->live_since_us = now_us;
    st->turn = r->next_turn++;
    st->source = *p->source;
    st->media = (struct stream_media){
        .audio = p->source->audio,
        .video = p->source->video,
        .active_us = INT64_MIN,
    };
    snprintf(st->principal, sizeof(st->principal), "%s", p->principal);
}

void rooms_release(struct rooms *r, struct stream *st)
{
    if (st->publisher != 0 || st->viewers > 0) {
        return;
    }
    struct room *room = st->room;
    assert(st->person == NULL);
    list_remove(&st->node);
    list_remove(&st->by_id);
    free(st);
    r->n_streams--;
    rooms_release_room(room);
}

bool rooms_unpublish(struct rooms *r, struct stream *st, uint64_t session)
{
    if (st->publisher != session) {
        return false;
    }
    st->publisher = 0;
    st->worker = -1;
    st->silent = false;
    st->source = (struct negotiate_source){0};
    st->media.live = false;
    r->n_live--;
    rooms_release(r, st);
    return true;
}

void rooms_watch(struct stream *st)
{
    st->viewers++;
}

void rooms_unwatch(struct rooms *r, struct stream *st)
{
    assert(st->viewers > 0);
    st->viewers--;
    rooms_release(r, st);
}

const char *rooms_label(const struct stream *st, char out[ROOMS_LABEL_MAX])
{
    snprintf(out, ROOMS_LABEL_MAX, "%s/%s", st->room->name, st->participant);
    return out;
}
