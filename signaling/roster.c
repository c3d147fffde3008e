/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/roster.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/codec.h"
#include "signaling/strbuf.h"

/* Between events that name somebody, and between those that only count a crowd. */
#define NAMED_US   (100 * (int64_t)US_PER_MS)
#define COUNTED_US US_PER_S

static bool is_here(const struct person *p)
{
    return p->n_streams + p->n_members > 0;
}

static struct list *bucket(const struct room *room, const char *name)
{
    return (struct list *)&room->by_name[rooms_hash(name, 0) % ROOMS_PEOPLE];
}

struct person *roster_find(const struct room *room, const char *name)
{
    struct list *head = bucket(room, name);
    LIST_EACH(it, head)
    {
        struct person *p = container_of(it, struct person, by_name);
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }
    return NULL;
}

struct person *roster_ref(struct room *room, const char *name)
{
    struct person *p = roster_find(room, name);
    if (p != NULL) {
        p->refs++;
        return p;
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    list_init(&p->node);
    list_init(&p->by_name);
    list_init(&p->dirty);
    list_init(&p->publishing);
    p->refs = 1;
    p->id = room->next_person++;
    snprintf(p->name, sizeof(p->name), "%s", name);
    list_append(&room->people, &p->node);
    list_append(bucket(room, name), &p->by_name);
    return p;
}

static void free_person(struct person *p)
{
    list_remove(&p->node);
    list_remove(&p->by_name);
    list_remove(&p->dirty);
    list_remove(&p->publishing);
    free(p->about);
    free(p);
}

void roster_unref(struct person *p)
{
    assert(p->refs > 0);
    /* One that others know of stays until they have been told. */
    if (--p->refs == 0 && !p->told) {
        assert(!is_here(p));
        free_person(p);
    }
}

void roster_describe(struct person *p, const char *name, const char *metadata)
{
    struct strbuf b = {0};
    size_t len;
    if (name[0] == '\0' && metadata[0] == '\0') {
        return;
    }
    cJSON *display = cJSON_CreateString(name);
    char *text = cJSON_PrintUnformatted(display);
    if (name[0] != '\0' && text != NULL) {
        strbuf_addf(&b, ",\"display\":%s", text);
    }
    if (metadata[0] != '\0') {
        strbuf_addf(&b, ",\"metadata\":%s", metadata);
    }
    cJSON_free(text);
    cJSON_Delete(display);
    free(p->about);
    p->about = strbuf_take(&b, &len); // without memory: no more than the name
}

void roster_count(struct room *room, struct person *p, int streams, int members)
{
    bool was_here = is_here(p);
    p->n_streams += (unsigned)streams;
    p->n_members += (unsigned)members;
    room->n_named += (unsigned)members;
    room->n_people += !was_here && is_here(p) ? 1 : 0;
    room->n_people -= was_here && !is_here(p) ? 1 : 0;
    if (p->n_streams == 0) {
        list_remove(&p->publishing);
    } else if (list_empty(&p->publishing)) {
        list_append(&room->publishers, &p->publishing);
    }
    roster_changed(room, p);
}

void roster_mute(struct room *room, struct person *p, unsigned parts)
{
    bool was = p->muted != 0;
    if (p->muted == parts) {
        return;
    }
    p->muted = parts;
    roster_changed(room, p);
    if (!was) {
        p->refs++;
    } else if (parts == 0) {
        roster_unref(p);
    }
}

void roster_end(struct room *room)
{
    LIST_EACH(it, &room->people)
    {
        struct person *p = container_of(it, struct person, node);
        if (p->muted != 0) {
            p->told = false; // whom?
            roster_mute(room, p, 0);
        }
    }
}

/* Others are told of it by its name. */
static bool is_listed(const struct room *room, const struct person *p)
{
    return p->told || p->n_streams > 0 || room->n_people <= ROSTER_LISTED;
}

void roster_changed(struct room *room, struct person *p)
{
    room->new_people = true;
    room->new_listed |= is_listed(room, p);
    if (list_empty(&p->dirty)) {
        list_append(&room->dirty_people, &p->dirty);
    }
}

void roster_tell(struct room *room)
{
    room->new_people = true;
    room->new_listed = true;
}

bool roster_is_dirty(const struct room *room)
{
    return room->new_people;
}

int64_t roster_pause_us(const struct room *room)
{
    return room->new_listed || room->n_members <= ROSTER_LISTED ? NAMED_US : COUNTED_US;
}

/* ---- JSON; names need no escapes ---- */

static const char *truth(bool v)
{
    return v ? "true" : "false";
}

static void write_stream(const struct stream *st, const char *before, struct strbuf *out)
{
    const struct stream_media *m = &st->media;
    const char *source = rooms_is_data_only(st) ? "data" : rooms_source(st->participant);
    strbuf_addf(out, "%s{\"stream\":\"%s\",\"source\":\"%s\"", before, st->participant, source);
    if (st->source.audio) {
        strbuf_addf(out, ",\"audio\":{\"codec\":\"%s\",\"muted\":%s}",
                    codec_info(st->source.audio_codec.id)->name,
                    truth(!m->live || !m->audio || m->no_audio));
    }
    if (st->source.video) {
        strbuf_addf(out, ",\"video\":{\"codec\":\"%s\",\"muted\":%s}",
                    codec_info(st->source.video_codec.id)->name,
                    truth(!m->live || !m->video || m->no_video));
    }
    strbuf_addf(out, "}");
}

/* What a moderator has muted: not the same as what has been switched off. */
static void write_muted(const struct person *p, struct strbuf *out)
{
    static const struct {
        unsigned part;
        const char *name;
    } parts[] = {
        {ROSTER_MICROPHONE, "microphone"},
        {ROSTER_CAMERA, "camera"},
        {ROSTER_SCREEN, "screen"},
    };
    const char *comma = "";
    if (p->muted == 0) {
        return;
    }
    strbuf_addf(out, ",\"muted\":[");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if ((p->muted & parts[i].part) != 0) {
            strbuf_addf(out, "%s\"%s\"", comma, parts[i].name);
            comma = ",";
        }
    }
    strbuf_addf(out, "]");
}

static void write_person(const struct room *room, const struct person *p, const char *before,
                         struct strbuf *out)
{
    const char *comma = "";
    strbuf_addf(out, "%s{\"id\":%" PRIu64 ",\"name\":\"%s\"%s,\"watching\":%s", before, p->id,
                p->name, p->about != NULL ? p->about : "", truth(p->n_members > 0));
    write_muted(p, out);
    strbuf_addf(out, ",\"streams\":[");
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        if (st->person == p && st->present) {
            write_stream(st, comma, out);
            comma = ",";
        }
    }
    strbuf_addf(out, "]}");
}

static void write_totals(const struct room *room, struct strbuf *out)
{
    strbuf_addf(out, "\"total\":%u,\"anonymous\":%u", room->n_people,
                room->n_members - MIN(room->n_named, room->n_members));
    if (room->locked) {
        strbuf_addf(out, ",\"locked\":true");
    }
}

/* The others know, or need not: who has gone and is not pointed at is freed. */
static void settle(struct person *p)
{
    list_remove(&p->dirty);
    p->told &= is_here(p);
    if (!is_here(p) && p->refs == 0) {
        free_person(p);
    }
}

void roster_write_changes(struct room *room, struct strbuf *out)
{
    const char *comma = "";
    strbuf_addf(out, "{");
    write_totals(room, out);
    strbuf_addf(out, ",\"people\":[");
    LIST_EACH(it, &room->dirty_people)
    {
        struct person *p = container_of(it, struct person, dirty);
        if (is_here(p)) {
            list_remove(&p->dirty);
            if (is_listed(room, p)) {
                p->told = true;
                write_person(room, p, comma, out);
                comma = ",";
            }
        }
    }
    comma = "";
    strbuf_addf(out, "],\"left\":[");
    LIST_EACH(it, &room->dirty_people) // only those who have gone are left in it
    {
        struct person *p = container_of(it, struct person, dirty);
        if (p->told) {
            strbuf_addf(out, "%s\"%s\"", comma, p->name);
            comma = ",";
        }
        settle(p);
    }
    strbuf_addf(out, "]}");
    room->new_people = false;
    room->new_listed = false;
}

void roster_write_snapshot(const struct room *room, struct strbuf *out)
{
    const char *comma = "";
    unsigned n = 0;
    strbuf_addf(out, "{\"snapshot\":true,");
    write_totals(room, out);
    strbuf_addf(out, ",\"people\":[");
    LIST_EACH(it, &room->publishers)
    {
        if (n == ROSTER_PAGE) {
            break;
        }
        write_person(room, container_of(it, struct person, publishing), comma, out);
        comma = ",";
        n++;
    }
    LIST_EACH(it, &room->people)
    {
        const struct person *p = container_of(it, struct person, node);
        if (n == ROSTER_PAGE) {
            break;
        }
        if (is_here(p) && p->n_streams == 0) {
            write_person(room, p, comma, out);
            comma = ",";
            n++;
        }
    }
    strbuf_addf(out, "],\"left\":[],\"more\":%s}", truth(n < room->n_people));
}

void roster_write_page(const struct room *room, uint64_t after, struct strbuf *out)
{
    const char *comma = "";
    unsigned n = 0;
    bool more = false;
    strbuf_addf(out, "{");
    write_totals(room, out);
    strbuf_addf(out, ",\"people\":[");
    LIST_EACH(it, &room->people)
    {
        const struct person *p = container_of(it, struct person, node);
        if (p->id <= after || !is_here(p)) {
            continue;
        }
        more = n == ROSTER_PAGE;
        if (more) {
            break;
        }
        write_person(room, p, comma, out);
        comma = ",";
        n++;
    }
    strbuf_addf(out, "],\"more\":%s}", truth(more));
}

void roster_forget(struct room *room)
{
    LIST_EACH(it, &room->dirty_people)
    {
        settle(container_of(it, struct person, dirty));
    }
    room->new_people = false;
    room->new_listed = false;
}

void roster_free(struct room *room)
{
    LIST_EACH(it, &room->people)
    {
        free_person(container_of(it, struct person, node));
    }
}
