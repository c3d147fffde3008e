/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/event.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/clock.h"
#include "conf/log.h"
#include "signaling/entropy.h"
#include "signaling/moderate.h"
#include "signaling/state.h"
#include "signaling/webhook.h"

struct someone {
    struct list node;
    char name[ROOMS_NAME_MAX];
    unsigned n; /* sessions */
};

struct place {
    struct list node;
    char name[ROOMS_NAME_MAX];
    unsigned n;                       /* sessions */
    struct list people[ROOMS_PEOPLE]; /* struct someone.node by name */
};

struct event_rooms {
    uint64_t seed;
    uint64_t seq;
    struct list buckets[1024];
};

struct event_rooms *event_rooms_new(uint64_t seed)
{
    struct event_rooms *e = calloc(1, sizeof(*e));
    if (e != NULL) {
        e->seed = seed;
        for (size_t i = 0; i < ARRAY_LEN(e->buckets); i++) {
            list_init(&e->buckets[i]);
        }
    }
    return e;
}

static void free_place(struct place *p)
{
    for (size_t i = 0; i < ROOMS_PEOPLE; i++) {
        LIST_EACH(it, &p->people[i])
        {
            free(container_of(it, struct someone, node));
        }
    }
    list_remove(&p->node);
    free(p);
}

void event_rooms_free(struct event_rooms *e)
{
    for (size_t i = 0; e != NULL && i < ARRAY_LEN(e->buckets); i++) {
        LIST_EACH(it, &e->buckets[i])
        {
            free_place(container_of(it, struct place, node));
        }
    }
    free(e);
}

/* ---- who is where ---- */

/* The room of "room/participant". */
static void room_of(const struct resource *r, char out[ROOMS_NAME_MAX])
{
    snprintf(out, ROOMS_NAME_MAX, "%.*s", (int)strcspn(r->label, "/"), r->label);
}

/* Whose session it is; "": nobody's. It stays so when the session has left its room. */
static const char *name_of(const struct resource *r)
{
    return r->counted ? r->counted_as : moderate_name_of(r);
}

static struct list *bucket(struct event_rooms *e, const char *name)
{
    return &e->buckets[rooms_hash(name, e->seed) % ARRAY_LEN(e->buckets)];
}

static struct place *find_place(struct event_rooms *e, const char *name, bool make)
{
    struct list *head = bucket(e, name);
    LIST_EACH(it, head)
    {
        struct place *p = container_of(it, struct place, node);
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }
    struct place *p = make ? calloc(1, sizeof(*p)) : NULL;
    if (p != NULL) {
        list_init(&p->node);
        for (size_t i = 0; i < ROOMS_PEOPLE; i++) {
            list_init(&p->people[i]);
        }
        snprintf(p->name, sizeof(p->name), "%s", name);
        list_append(head, &p->node);
    }
    return p;
}

static struct someone *find_someone(struct place *p, const char *name, bool make)
{
    struct list *head = &p->people[rooms_hash(name, 0) % ROOMS_PEOPLE];
    LIST_EACH(it, head)
    {
        struct someone *one = container_of(it, struct someone, node);
        if (strcmp(one->name, name) == 0) {
            return one;
        }
    }
    struct someone *one = make ? calloc(1, sizeof(*one)) : NULL;
    if (one != NULL) {
        list_init(&one->node);
        snprintf(one->name, sizeof(one->name), "%s", name);
        list_append(head, &one->node);
    }
    return one;
}

/* ---- bodies ---- */

static void add_time(cJSON *o, int64_t wall_us)
{
    char text[40];
    struct tm tm;
    time_t s = (time_t)(wall_us / US_PER_S);
    gmtime_r(&s, &tm);
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(wall_us / US_PER_MS % 1000));
    cJSON_AddStringToObject(o, "time", text);
}

static void add_holder(cJSON *o, const struct resource *r)
{
    cJSON_AddStringToObject(o, "principal", r->principal);
    if (r->display[0] != '\0') {
        cJSON_AddStringToObject(o, "name", r->display);
    }
    if (r->grant != NULL && r->grant->metadata[0] != '\0') {
        cJSON_AddRawToObject(o, "metadata", r->grant->metadata);
    }
}

static void add_session(cJSON *o, const struct resource *r)
{
    char id[24];
    snprintf(id, sizeof(id), "%" PRIu64, r->id);
    cJSON_AddStringToObject(o, "session", id);
    cJSON_AddStringToObject(o, "role", r->role == API_PUBLISH ? "publish" : "play");
    cJSON_AddStringToObject(o, "stream", r->label);
    cJSON_AddStringToObject(o, "codecs", r->codecs);
}

/* A body that tells of r, or NULL when nobody wants to know. */
static cJSON *begin(struct signaling *s, const char *event, const struct resource *r)
{
    char room[ROOMS_NAME_MAX];
    char id[WEBHOOK_ID_LEN + 1];
    assert(webhook_knows(event));
    cJSON *o = webhook_wants(s->webhooks, event) ? cJSON_CreateObject() : NULL;
    if (o == NULL) {
        return NULL;
    }
    room_of(r, room);
    const char *name = name_of(r);
    entropy_text(id, WEBHOOK_ID_LEN);
    cJSON_AddStringToObject(o, "id", id);
    cJSON_AddNumberToObject(o, "seq", (double)++s->events->seq);
    cJSON_AddStringToObject(o, "event", event);
    add_time(o, clock_wall_us());
    cJSON_AddStringToObject(o, "room", room);
    if (name[0] != '\0' && strncmp(event, "room.", 5) != 0) {
        cJSON_AddStringToObject(o, "participant", name);
    }
    return o;
}

/* Takes o over, which may be NULL. */
static void emit(struct signaling *s, cJSON *o)
{
    char *text = o != NULL ? cJSON_PrintUnformatted(o) : NULL;
    const char *event = cJSON_GetStringValue(cJSON_GetObjectItem(o, "event"));
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(o, "id"));
    if (text != NULL && event != NULL && id != NULL) {
        webhook_emit(s->webhooks, event, id, text, strlen(text));
    } else if (o != NULL) {
        log_error("event_lost");
    }
    cJSON_free(text);
    cJSON_Delete(o);
}

static void emit_session(struct signaling *s, const char *event, const struct resource *r)
{
    cJSON *o = begin(s, event, r);
    if (o != NULL) {
        add_session(o, r);
        add_holder(o, r);
    }
    emit(s, o);
}

/* ---- what happens ---- */

void event_on_up(struct signaling *s, struct resource *r)
{
    char room[ROOMS_NAME_MAX];
    const char *name = r->counted_as;
    room_of(r, room);
    struct place *p = find_place(s->events, room, true);
    if (p == NULL) {
        log_error("event_lost");
        return;
    }
    snprintf(r->counted_as, sizeof(r->counted_as), "%s", moderate_name_of(r));
    r->counted = true;
    if (p->n++ == 0) {
        emit(s, begin(s, "room.started", r));
    }
    struct someone *one = name[0] != '\0' ? find_someone(p, name, true) : NULL;
    if (one != NULL && one->n++ == 0) {
        cJSON *o = begin(s, "participant.joined", r);
        if (o != NULL) {
            add_holder(o, r);
        }
        emit(s, o);
    }
    emit_session(s, "session.started", r);
}

void event_on_live(struct signaling *s, const struct resource *r, bool again)
{
    cJSON *o = r->role == API_PUBLISH ? begin(s, "publisher.live", r) : NULL;
    if (o != NULL) {
        add_session(o, r);
        cJSON_AddBoolToObject(o, "again", again);
    }
    emit(s, o);
}

void event_on_silent(struct signaling *s, const struct resource *r)
{
    if (r->role == API_PUBLISH) {
        emit_session(s, "publisher.silent", r);
    }
}

static void leave(struct signaling *s, struct resource *r)
{
    char room[ROOMS_NAME_MAX];
    const char *name = r->counted_as;
    room_of(r, room);
    struct place *p = r->counted ? find_place(s->events, room, false) : NULL;
    if (p == NULL) {
        return;
    }
    struct someone *one = name[0] != '\0' ? find_someone(p, name, false) : NULL;
    if (one != NULL && --one->n == 0) {
        cJSON *o = begin(s, "participant.left", r);
        if (o != NULL) {
            cJSON_AddStringToObject(o, "reason", api_reason_name(r->reason));
            add_holder(o, r);
        }
        list_remove(&one->node);
        free(one);
        emit(s, o);
    }
    if (--p->n == 0) {
        free_place(p);
        emit(s, begin(s, "room.ended", r));
    }
    r->counted = false;
}

void event_on_ended(struct signaling *s, struct resource *r, const struct api_session_stats *last)
{
    uint64_t bytes = 0;
    uint64_t lost = 0;
    bool was_up = r->up_us != 0;
    if (was_up && r->role == API_PUBLISH) {
        cJSON *o = begin(s, "publisher.gone", r);
        if (o != NULL) {
            add_session(o, r);
            cJSON_AddStringToObject(o, "reason", api_reason_name(r->reason));
        }
        emit(s, o);
    }
    for (int i = 0; last != NULL && i < last->n_tracks; i++) {
        bytes += last->tracks[i].bytes;
        lost += last->tracks[i].lost;
    }
    cJSON *o = begin(s, "session.ended", r);
    if (o != NULL) {
        add_session(o, r);
        add_holder(o, r);
        cJSON_AddStringToObject(o, "reason", api_reason_name(r->reason));
        cJSON_AddBoolToObject(o, "was_up", was_up);
        cJSON_AddNumberToObject(o, "duration_ms",
                                (double)((clock_now_us() - r->created_us) / US_PER_MS));
        cJSON_AddNumberToObject(o, "bytes", (double)bytes);
        cJSON_AddNumberToObject(o, "lost_packets", (double)lost);
    }
    emit(s, o);
    leave(s, r);
}
