/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/rooms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rooms_init(struct rooms *r, uint64_t seed)
{
    *r = (struct rooms){.seed = seed, .next_stream = 1, .next_turn = 1};
    for (size_t i = 0; i < ARRAY_LEN(r->buckets); i++) {
        list_init(&r->buckets[i]);
    }
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

int rooms_split(const char *path, char room[ROOMS_NAME_MAX], char participant[ROOMS_NAME_MAX],
                bool *ret_named)
{
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

/* FNV-1a, started from a random number; its words end in the buckets' choice only. */
static struct list *bucket(const struct rooms *r, const char *name)
{
    uint64_t h = 0xcbf29ce484222325ULL ^ r->seed;
    for (; *name != '\0'; name++) {
        h = (h ^ (unsigned char)*name) * 0x100000001b3ULL;
    }
    h ^= h >> 32;
    return (struct list *)&r->buckets[h % ARRAY_LEN(r->buckets)];
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

struct stream *rooms_get(struct rooms *r, const char *room_name, const char *participant, int home)
{
    struct room *room = rooms_find_room(r, room_name);
    struct stream *st = room != NULL ? find_in(room, participant) : NULL;
    if (st != NULL) {
        return st;
    }
    st = calloc(1, sizeof(*st));
    if (st == NULL) {
        return NULL;
    }
    if (room == NULL) {
        room = calloc(1, sizeof(*room));
        if (room == NULL) {
            free(st);
            return NULL;
        }
        list_init(&room->node);
        list_init(&room->streams);
        snprintf(room->name, sizeof(room->name), "%s", room_name);
        room->home = home;
        list_append(bucket(r, room_name), &room->node);
    }
    list_init(&st->node);
    st->room = room;
    st->id = r->next_stream++;
    st->worker = -1;
    snprintf(st->participant, sizeof(st->participant), "%s", participant);
    list_append(&room->streams, &st->node);
    r->n_streams++;
    return st;
}

struct stream *rooms_pick(const struct rooms *r, const char *name)
{
    const struct room *room = rooms_find_room(r, name);
    struct stream *best = NULL;
    if (room == NULL) {
        return NULL;
    }
    LIST_EACH(it, &room->streams)
    {
        struct stream *st = container_of(it, struct stream, node);
        if (st->publisher == 0) {
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
    snprintf(st->principal, sizeof(st->principal), "%s", p->principal);
}

void rooms_release(struct rooms *r, struct stream *st)
{
    if (st->publisher != 0 || st->viewers > 0) {
        return;
    }
    struct room *room = st->room;
    list_remove(&st->node);
    free(st);
    r->n_streams--;
    if (list_empty(&room->streams)) {
        list_remove(&room->node);
        free(room);
    }
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
