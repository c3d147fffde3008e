/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/conference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "conf/clock.h"
#include "signaling/conference_inner.h"
#include "signaling/resource.h"
#include "signaling/roster.h"
#include "signaling/sse.h"
#include "signaling/state.h"
#include "signaling/strbuf.h"

/* The same news is told at most so often. */
#define TELL_US (100 * (int64_t)US_PER_MS)

struct conferences {
    struct signaling *s;
    struct list dirty; /* struct room.dirty */
    uv_timer_t timer;
};

static void on_timer(uv_timer_t *h)
{
    struct conferences *c = h->data;
    conference_settle(c->s);
}

struct conferences *conference_new(struct signaling *s)
{
    struct conferences *c = calloc(1, sizeof(*c));
    if (c != NULL) {
        c->s = s;
        list_init(&c->dirty);
        uv_timer_init(s->loop, &c->timer);
        c->timer.data = c;
    }
    return c;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

/* The room is gone afterwards unless it has streams. */
static void empty_room(struct signaling *s, struct room *room)
{
    bool has_streams = !list_empty(&room->streams);
    LIST_EACH(it, &room->streams)
    {
        container_of(it, struct stream, node)->person = NULL;
    }
    for (unsigned n = room->n_members; n > 0; n--) {
        conference_leave(s, container_of(room->members.next, struct member, node)->r);
    }
    if (has_streams) {
        list_remove(&room->dirty);
        roster_free(room);
    }
}

void conference_free(struct conferences *c)
{
    if (c != NULL) {
        for (size_t i = 0; i < ARRAY_LEN(c->s->rooms.buckets); i++) {
            LIST_EACH(it, &c->s->rooms.buckets[i])
            {
                empty_room(c->s, container_of(it, struct room, node));
            }
        }
        uv_close((uv_handle_t *)&c->timer, on_closed);
    }
}

void conference_touch(struct signaling *s, struct room *room)
{
    struct conferences *c = s->conferences;
    room->due_us = 0;
    if (list_empty(&room->dirty)) {
        list_append(&c->dirty, &room->dirty);
    }
    uv_timer_start(&c->timer, on_timer, 0, 0);
}

/* ---- members ---- */

static void add_seat(struct member *m, struct layout *proto, const struct api_mline *line)
{
    bool audio = line->kind == MEDIA_AUDIO;
    struct seating *sg = audio ? &proto->audio : &proto->video;
    uint8_t *lines = audio ? m->audio_lines : m->video_lines;
    uint32_t codecs = 0;
    for (unsigned i = 0; i < line->n_codecs; i++) {
        codecs |= 1U << line->codecs[i].id;
    }
    if (sg->slots.n < SLOTS_MAX) {
        sg->codecs = sg->slots.n == 0 ? codecs : sg->codecs & codecs;
        lines[sg->slots.n++] = line->index;
    }
}

static void describe(struct person *p, const struct resource *r)
{
    roster_describe(p, r->display, r->grant != NULL ? r->grant->metadata : "");
}

int conference_join(struct signaling *s, struct room *room, struct resource *r,
                    const struct api_session *session, const char *as)
{
    struct member *m = calloc(1, sizeof(*m));
    struct layout *proto = calloc(1, sizeof(*proto));
    struct person *person = as[0] != '\0' ? roster_ref(room, as) : NULL;
    if (m == NULL || proto == NULL || (as[0] != '\0' && person == NULL)) {
        if (person != NULL) {
            roster_unref(person);
        }
        free(m);
        free(proto);
        return -ENOMEM;
    }
    list_init(&m->node);
    list_init(&m->by_layout);
    list_init(&proto->node);
    list_init(&proto->members);
    m->room = room;
    m->r = r;
    m->person = person;
    if (person != NULL) {
        describe(person, r);
    }
    m->layout = proto;
    proto->n_members = 1;
    for (unsigned i = 0; i < session->n_mlines; i++) {
        add_seat(m, proto, &session->mlines[i]);
    }
    m->slots = proto->audio.slots.n > 1 || proto->video.slots.n > 1;
    r->member = m;
    list_append(&room->members, &m->node);
    room->n_members++;
    room->n_slot_members += m->slots ? 1 : 0;
    if (conference_group(s, m) < 0) {
        conference_leave(s, r);
        return -ENOMEM;
    }
    m->new_audio = m->new_video = 0;
    conference_want_levels(s, room);
    (void)conference_seat_room(s, room, clock_now_us()); // touch looks again
    conference_touch(s, room);
    return 0;
}

void conference_presence(struct signaling *s, struct resource *r, bool present)
{
    struct member *m = r->member;
    if (m == NULL || m->counted == present) {
        return;
    }
    m->counted = present;
    if (m->person != NULL) {
        roster_count(m->room, m->person, 0, present ? 1 : -1);
    }
    m->room->new_people = true;
    conference_touch(s, m->room);
}

void conference_leave(struct signaling *s, struct resource *r)
{
    struct member *m = r->member;
    if (m == NULL) {
        return;
    }
    struct room *room = m->room;
    conference_presence(s, r, false);
    conference_ungroup(s, m);
    list_remove(&m->node);
    room->n_members--;
    room->n_slot_members -= m->slots ? 1 : 0;
    room->new_people = true; // who watches without a name is counted too
    r->member = NULL;
    if (m->person != NULL) {
        roster_unref(m->person);
    }
    free(m->wishes);
    free(m);
    if (list_empty(&room->members)) {
        roster_forget(room);
    }
    conference_touch(s, room);
    rooms_release_room(room);
}

/* ---- publishers ---- */

/* Whether st counts among what its person publishes. */
static void set_present(struct stream *st, bool present)
{
    if (st->person != NULL && st->present != present) {
        roster_count(st->room, st->person, present ? 1 : -1, 0);
    } else if (st->person != NULL && present) {
        roster_changed(st->room, st->person);
    }
    st->present = st->person != NULL && present;
}

void conference_on_publish(struct signaling *s, struct stream *st)
{
    char name[ROOMS_NAME_MAX];
    struct room *room = st->room;
    if (st->person == NULL) {
        /* Without memory it is published, but in no list. */
        st->person = roster_ref(room, rooms_participant(st->participant, name));
        if (st->person != NULL) {
            st->person->n_published++;
        }
    }
    const struct resource *r = resource_find_id(&s->sessions, st->publisher);
    if (st->person != NULL && r != NULL) {
        describe(st->person, r);
    }
    room->regroup = true;
    room->new_seats = true;
    room->new_media = true;
    conference_touch(s, room);
}

void conference_on_unpublish(struct signaling *s, struct stream *st)
{
    struct room *room = st->room;
    set_present(st, false);
    if (st->person != NULL) {
        st->person->n_published--;
        roster_unref(st->person);
        st->person = NULL;
    }
    room->dominant = room->dominant == st->id ? 0 : room->dominant;
    room->regroup = true;
    room->new_seats = true;
    room->new_speech = true;
    room->new_media = true;
    conference_touch(s, room);
    if (list_empty(&room->members)) {
        roster_forget(room); // nobody is there to be told; the room may be gone in a moment
    }
}

void conference_on_media(struct signaling *s, struct stream *st)
{
    struct room *room = st->room;
    /* Here since its session is up, whether or not it sends anything, until it is not heard of. */
    set_present(st, conference_is_live(st) && (st->present || st->media.live));
    room->new_seats = true;
    room->new_levels = true;
    room->new_media = true;
    conference_touch(s, room);
}

void conference_on_up(struct signaling *s, struct stream *st)
{
    set_present(st, true);
    conference_touch(s, st->room);
}

void conference_on_tracks(struct signaling *s, struct stream *st, const struct api_event *ev)
{
    st->media.audio = ev->u.tracks.audio;
    st->media.video = ev->u.tracks.video;
    conference_on_media(s, st);
}

void conference_mute(struct signaling *s, struct stream *st, bool audio, bool video)
{
    st->media.no_audio = audio;
    st->media.no_video = video;
    conference_on_media(s, st);
}

void conference_on_wish(struct signaling *s, struct member *m)
{
    m->room->regroup = true;
    m->room->new_seats = true;
    conference_touch(s, m->room);
}

struct stream *conference_pick(const struct signaling *s, const char *name, const char *as)
{
    const struct room *room = rooms_find_room(&s->rooms, name);
    const struct person *own = room != NULL && as[0] != '\0' ? roster_find(room, as) : NULL;
    return rooms_pick_but(&s->rooms, name, own);
}

bool conference_has(const struct signaling *s, const char *room_name, const char *name)
{
    const struct room *room = rooms_find_room(&s->rooms, room_name);
    const struct person *p = room != NULL ? roster_find(room, name) : NULL;
    if (p == NULL) {
        return false;
    }
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        if (st->person == p && conference_is_live(st)) {
            return true;
        }
    }
    LIST_EACH(it, &room->members)
    {
        const struct member *m = container_of(it, struct member, node);
        if (m->person == p && !m->r->silent) {
            return true;
        }
    }
    return false;
}

bool conference_is_active(const struct signaling *s, const struct member *m)
{
    const struct seating *both[] = {&m->layout->video, &m->layout->audio};
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < both[k]->slots.n; i++) {
            const struct stream *st = rooms_find_id(&s->rooms, both[k]->slots.seat[i].stream);
            if (st != NULL && conference_is_live(st) && st->media.live) {
                return true;
            }
        }
    }
    return false;
}

/* ---- what members are told ---- */

static const char *json_bool(bool v)
{
    return v ? "true" : "false";
}

static void write_seats(const struct signaling *s, const struct member *m, enum media_kind kind,
                        uint64_t which, const char **comma, struct strbuf *out)
{
    bool audio = kind == MEDIA_AUDIO;
    const struct slots *slots = audio ? &m->layout->audio.slots : &m->layout->video.slots;
    const uint8_t *lines = audio ? m->audio_lines : m->video_lines;
    for (unsigned i = 0; i < slots->n; i++) {
        if (!(which >> i & 1)) {
            continue;
        }
        char name[ROOMS_NAME_MAX];
        const struct slots_seat *seat = &slots->seat[i];
        const struct stream *st = rooms_find_id(&s->rooms, seat->stream);
        strbuf_addf(out, "%s{\"mid\":\"%s\",\"kind\":\"%s\"", *comma, m->r->mids[lines[i]],
                    audio ? "audio" : "video");
        *comma = ",";
        if (st == NULL) {
            strbuf_addf(out, ",\"participant\":null,\"off\":%s}", json_bool(seat->off));
            continue;
        }
        const struct stream_media *media = &st->media;
        bool muted = audio ? !media->audio || media->no_audio : !media->video || media->no_video;
        strbuf_addf(out,
                    ",\"participant\":\"%s\",\"stream\":\"%s\",\"source\":\"%s\",\"muted\":%s,"
                    "\"fixed\":%s}",
                    rooms_participant(st->participant, name), st->participant,
                    rooms_source(st->participant), json_bool(muted), json_bool(seat->is_fixed));
    }
}

void conference_write_slots(const struct signaling *s, struct member *m, bool all,
                            struct strbuf *out)
{
    const char *comma = "";
    strbuf_addf(out, "{\"slots\":[");
    write_seats(s, m, MEDIA_AUDIO, all ? UINT64_MAX : m->new_audio, &comma, out);
    write_seats(s, m, MEDIA_VIDEO, all ? UINT64_MAX : m->new_video, &comma, out);
    strbuf_addf(out, "]}");
}

void conference_write_speakers(const struct room *room, int64_t now_us, struct strbuf *out)
{
    char name[ROOMS_NAME_MAX];
    const char *comma = "";
    const char *dominant = NULL;
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        dominant = st->id == room->dominant ? rooms_participant(st->participant, name) : dominant;
    }
    strbuf_addf(out,
                dominant != NULL ? "{\"dominant\":\"%s\",\"speaking\":["
                                 : "{\"dominant\":%s,\"speaking\":[",
                dominant != NULL ? dominant : "null");
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        if (conference_is_speaking(st, now_us)) {
            strbuf_addf(out, "%s{\"participant\":\"%s\",\"stream\":\"%s\",\"level\":%u}", comma,
                        rooms_participant(st->participant, name), st->participant,
                        (unsigned)st->media.heard.level);
            comma = ",";
        }
    }
    strbuf_addf(out, "]}");
}

/* One text to all members who want to hear of it. */
static void tell_all(struct signaling *s, const struct room *room, enum sse_kind kind,
                     struct strbuf *text)
{
    LIST_EACH(it, &room->members)
    {
        struct member *m = container_of(it, struct member, node);
        sse_send(s, m->r, kind, text->text, text->len);
    }
    free(text->text);
}

static void tell_seats(struct signaling *s, struct room *room)
{
    room->new_slots = false;
    LIST_EACH(it, &room->members)
    {
        struct member *m = container_of(it, struct member, node);
        if ((m->new_audio | m->new_video) != 0 && sse_wants(m->r, SSE_SLOTS)) {
            struct strbuf text = {0};
            conference_write_slots(s, m, false, &text);
            sse_send(s, m->r, SSE_SLOTS, text.text, text.len);
            free(text.text);
        }
        m->new_audio = 0;
        m->new_video = 0;
    }
}

static void tell_activity(struct signaling *s, struct room *room)
{
    room->new_media = false;
    LIST_EACH(it, &room->members)
    {
        struct member *m = container_of(it, struct member, node);
        sse_activity(s, m->r, conference_is_active(s, m));
    }
}

/* Tells what is new; returns when the rest may be told. */
static int64_t tell(struct signaling *s, struct room *room, int64_t now_us)
{
    int64_t again_us = INT64_MAX;
    if (room->new_slots) {
        tell_seats(s, room);
    }
    if (room->new_media) {
        tell_activity(s, room);
    }
    int64_t pause_us = roster_pause_us(room);
    if (roster_is_dirty(room) && now_us - room->told_people_us < pause_us) {
        again_us = room->told_people_us + pause_us;
    } else if (roster_is_dirty(room)) {
        struct strbuf text = {0};
        room->told_people_us = now_us;
        roster_write_changes(room, &text);
        tell_all(s, room, SSE_PARTICIPANTS, &text);
    }
    if (room->new_speech && now_us - room->told_speech_us < TELL_US) {
        again_us = MIN(again_us, room->told_speech_us + TELL_US);
    } else if (room->new_speech) {
        struct strbuf text = {0};
        room->told_speech_us = now_us;
        room->new_speech = false;
        LIST_EACH(it, &room->streams)
        {
            struct stream *st = container_of(it, struct stream, node);
            st->media.told_speaking = conference_is_speaking(st, now_us);
        }
        conference_write_speakers(room, now_us, &text);
        tell_all(s, room, SSE_SPEAKERS, &text);
    }
    return again_us;
}

/* ---- settling ---- */

static void regroup(struct signaling *s, struct room *room)
{
    room->regroup = false;
    LIST_EACH(it, &room->members)
    {
        if (conference_group(s, container_of(it, struct member, node)) < 0) {
            break; // without memory they stay where they are
        }
    }
    conference_want_levels(s, room);
}

static int64_t settle(struct signaling *s, struct room *room, int64_t now_us)
{
    if (room->regroup) {
        regroup(s, room);
    }
    int64_t again_us = conference_hear(s, room, now_us);
    if (room->new_seats && !list_empty(&room->layouts)) {
        int64_t held_us = conference_seat_room(s, room, now_us);
        room->new_seats = held_us != INT64_MAX;
        room->new_media = true;
        again_us = MIN(again_us, held_us);
    } else {
        room->new_seats = false;
    }
    return MIN(again_us, tell(s, room, now_us));
}

void conference_settle(struct signaling *s)
{
    struct conferences *c = s->conferences;
    int64_t now_us = clock_now_us();
    int64_t next_us = INT64_MAX;
    LIST_EACH(it, &c->dirty)
    {
        struct room *room = container_of(it, struct room, dirty);
        if (room->due_us <= now_us) {
            room->due_us = settle(s, room, now_us);
        }
        if (room->due_us == INT64_MAX) {
            list_remove(&room->dirty);
        } else {
            next_us = MIN(next_us, room->due_us);
        }
    }
    if (next_us != INT64_MAX) {
        int64_t ms = MAX(next_us - now_us, 0) / US_PER_MS + 1;
        uv_timer_start(&c->timer, on_timer, (uint64_t)ms, 0);
    }
}
