/* SPDX-License-Identifier: Apache-2.0 */
/* conference_seats.c - layouts and seats, and what the plane is told of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/conference_inner.h"
#include "signaling/post.h"
#include "signaling/resource.h"
#include "signaling/roster.h"
#include "signaling/state.h"

bool conference_is_live(const struct stream *st)
{
    return st->publisher != 0 && !st->silent;
}

/* ---- what the plane is told ---- */

static void tell_alias(struct signaling *s, uint64_t alias, uint64_t target)
{
    for (int w = 0; s->plane != NULL && w < plane_workers(s->plane); w++) {
        struct api_cmd cmd = {.kind = API_CMD_STREAM_ALIAS, .id = alias, .u.alias.target = target};
        post_surely(s->post, w, &cmd);
    }
}

static void tell_slot(struct signaling *s, const struct member *m, uint8_t mline, uint64_t stream)
{
    struct api_cmd cmd = {.kind = API_CMD_SLOT, .id = m->r->id};
    cmd.u.slot.mline = mline;
    cmd.u.slot.stream = stream;
    post_surely(s->post, m->r->worker, &cmd);
}

static void tell_seating(struct signaling *s, const struct member *m, const struct seating *sg,
                         const uint8_t *lines)
{
    for (unsigned i = 0; i < sg->slots.n; i++) {
        /* Empty seats too: the section may still play another layout's alias. */
        tell_slot(s, m, lines[i], sg->aliases != NULL ? sg->aliases[i] : sg->slots.seat[i].stream);
    }
}

void conference_seat(struct signaling *s, struct member *m)
{
    tell_seating(s, m, &m->layout->audio, m->audio_lines);
    tell_seating(s, m, &m->layout->video, m->video_lines);
}

/* ---- layouts ---- */

static bool is_own(const struct member *m, const struct stream *st)
{
    return m->person != NULL && st->person == m->person;
}

/* Others cannot sit in the same seats. */
static bool is_personal(const struct member *m)
{
    return m->wishes != NULL || (m->person != NULL && m->person->n_published > 0);
}

static bool is_shared(const struct layout *l)
{
    return l->audio.aliases != NULL;
}

static bool same_seating(const struct seating *a, const struct seating *b)
{
    return a->slots.n == b->slots.n && a->codecs == b->codecs;
}

static struct layout *find_shared(const struct room *room, const struct layout *like)
{
    LIST_EACH(it, &room->layouts)
    {
        struct layout *l = container_of(it, struct layout, node);
        if (is_shared(l) && same_seating(&l->audio, &like->audio) &&
            same_seating(&l->video, &like->video)) {
            return l;
        }
    }
    return NULL;
}

static void free_layout(struct layout *l)
{
    list_remove(&l->node);
    free(l->audio.aliases);
    free(l->video.aliases);
    free(l);
}

/* Ids for the seats of a shared layout; those that are taken are told. */
static int make_aliases(struct signaling *s, struct seating *sg)
{
    sg->aliases = calloc(MAX(sg->slots.n, 1U), sizeof(*sg->aliases));
    for (unsigned i = 0; sg->aliases != NULL && i < sg->slots.n; i++) {
        sg->aliases[i] = rooms_new_id(&s->rooms);
        if (sg->slots.seat[i].stream != 0) {
            tell_alias(s, sg->aliases[i], sg->slots.seat[i].stream);
        }
    }
    return sg->aliases != NULL ? 0 : -ENOMEM;
}

/* Seats as like has them, without its viewer's choices. */
static void copy_seats(struct slots *to, const struct slots *like)
{
    *to = *like;
    for (unsigned i = 0; i < to->n; i++) {
        to->seat[i].is_fixed = false;
        to->seat[i].off = false;
        to->seat[i].fixed = 0;
    }
}

static struct layout *new_layout(struct signaling *s, struct room *room, const struct layout *like,
                                 bool shared)
{
    struct layout *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return NULL;
    }
    list_init(&l->node);
    list_init(&l->members);
    l->audio.codecs = like->audio.codecs;
    l->video.codecs = like->video.codecs;
    copy_seats(&l->audio.slots, &like->audio.slots);
    copy_seats(&l->video.slots, &like->video.slots);
    if (shared && (make_aliases(s, &l->audio) < 0 || make_aliases(s, &l->video) < 0)) {
        free_layout(l);
        return NULL;
    }
    list_append(&room->layouts, &l->node);
    room->new_seats = true;
    return l;
}

static void leave_layout(struct signaling *s, struct member *m)
{
    struct layout *l = m->layout;
    list_remove(&m->by_layout);
    m->layout = NULL;
    if (--l->n_members > 0) {
        return;
    }
    for (unsigned i = 0; is_shared(l) && i < l->audio.slots.n; i++) {
        tell_alias(s, l->audio.aliases[i], 0);
    }
    for (unsigned i = 0; is_shared(l) && i < l->video.slots.n; i++) {
        tell_alias(s, l->video.aliases[i], 0);
    }
    free_layout(l);
}

void conference_ungroup(struct signaling *s, struct member *m)
{
    if (m->layout != NULL) {
        leave_layout(s, m);
    }
}

int conference_group(struct signaling *s, struct member *m)
{
    struct room *room = m->room;
    struct layout *old = m->layout;
    bool shared = !is_personal(m);
    if (is_shared(old) == shared && !list_empty(&old->node)) {
        return 0;
    }
    struct layout *l = shared ? find_shared(room, old) : NULL;
    l = l != NULL ? l : new_layout(s, room, old, shared);
    if (l == NULL) {
        return -ENOMEM;
    }
    /* Where seats are the same, nothing changes for the viewer but the name it plays them by. */
    for (unsigned i = 0; i < l->audio.slots.n; i++) {
        bool same = l->audio.slots.seat[i].stream == old->audio.slots.seat[i].stream;
        m->new_audio |= same ? 0 : 1ULL << i;
    }
    for (unsigned i = 0; i < l->video.slots.n; i++) {
        bool same = l->video.slots.seat[i].stream == old->video.slots.seat[i].stream;
        m->new_video |= same ? 0 : 1ULL << i;
    }
    m->layout = l;
    l->n_members++;
    bool was_known = !list_empty(&m->by_layout);
    list_remove(&m->by_layout);
    list_append(&l->members, &m->by_layout);
    if (was_known) {
        room->new_slots = true;
        conference_seat(s, m);
    }
    struct member leaver = {.layout = old};
    list_init(&leaver.by_layout);
    leave_layout(s, &leaver);
    return 0;
}

/* ---- seats ---- */

static bool names(const char (*list)[WISH_NAME_MAX], unsigned n, const struct stream *st,
                  unsigned *ret_at)
{
    char participant[ROOMS_NAME_MAX];
    rooms_participant(st->participant, participant);
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(list[i], st->participant) == 0 || strcmp(list[i], participant) == 0) {
            *ret_at = i;
            return true;
        }
    }
    return false;
}

static bool is_seated(const struct slots *slots, uint64_t stream)
{
    for (unsigned i = 0; i < slots->n; i++) {
        if (slots->seat[i].stream == stream) {
            return true;
        }
    }
    return false;
}

/* The stream has this kind of media, may be shown, and the members can decode it. Its first packet
 * is awaited, unless there is nothing else to wait for, or it has only been taken over. */
static bool offers(const struct stream *st, const struct seating *sg, enum media_kind kind)
{
    const struct stream_media *m = &st->media;
    const struct negotiate_source *src = &st->source;
    bool due = m->live || sg->slots.n == 1 || is_seated(&sg->slots, st->id);
    if (!conference_is_live(st) || !due) {
        return false;
    }
    if (kind == MEDIA_AUDIO) {
        return src->audio && m->audio && !m->no_audio && (sg->codecs >> src->audio_codec.id & 1);
    }
    return src->video && m->video && !m->no_video && (sg->codecs >> src->video_codec.id & 1);
}

/* Those who may sit in l's seats of a kind. Returns how many; out has room for all of the room. */
static unsigned find_candidates(const struct room *room, const struct layout *l,
                                enum media_kind kind, struct slots_candidate *out)
{
    const struct seating *sg = kind == MEDIA_AUDIO ? &l->audio : &l->video;
    const struct member *own =
        is_shared(l) ? NULL : container_of(l->members.next, struct member, by_layout);
    const struct wish_state *w = own != NULL ? own->wishes : NULL;
    unsigned n = 0;
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        unsigned pin;
        unsigned at;
        if (!offers(st, sg, kind) || (own != NULL && is_own(own, st))) {
            continue;
        }
        if (kind == MEDIA_AUDIO && w != NULL && names(w->mutes, w->n_mutes, st, &at)) {
            continue;
        }
        bool pinned = w != NULL && names(w->pins, w->n_pins, st, &pin);
        out[n++] = (struct slots_candidate){
            .stream = st->id,
            .pin = pinned ? (uint8_t)(pin + 1) : 0,
            .screen = rooms_is_screen(st->participant),
            .dominant = st->id == room->dominant,
            .main = strcmp(st->participant, "main") == 0,
            .unmetered = !st->source.audio_level,
            .spoke = st->media.spoke,
            .joined = st->turn,
            .active_us = st->media.active_us,
        };
    }
    return n;
}

/* The viewer's choices, by m-line, become choices for seats. */
static void fix_seats(const struct room *room, const struct member *m, struct slots *slots,
                      const uint8_t *lines)
{
    for (unsigned i = 0; i < slots->n; i++) {
        const char *name = m->wishes != NULL ? m->wishes->fixed[lines[i]] : "";
        struct slots_seat *seat = &slots->seat[i];
        seat->off = m->wishes != NULL && (m->wishes->off >> lines[i] & 1);
        seat->is_fixed = name[0] != '\0';
        seat->fixed = 0;
        LIST_EACH(it, &room->streams)
        {
            const struct stream *st = container_of(it, struct stream, node);
            if (seat->is_fixed && strcmp(st->participant, name) == 0) {
                seat->fixed = st->id;
            }
        }
    }
}

static void note_changes(struct signaling *s, struct room *room, struct layout *l,
                         enum media_kind kind, uint64_t changed)
{
    room->new_slots = true;
    const struct seating *sg = kind == MEDIA_AUDIO ? &l->audio : &l->video;
    for (uint64_t todo = changed; todo != 0; todo &= todo - 1) {
        unsigned i = (unsigned)__builtin_ctzll(todo);
        if (sg->aliases != NULL) {
            tell_alias(s, sg->aliases[i], sg->slots.seat[i].stream);
        }
    }
    LIST_EACH(it, &l->members)
    {
        struct member *m = container_of(it, struct member, by_layout);
        *(kind == MEDIA_AUDIO ? &m->new_audio : &m->new_video) |= changed;
        const uint8_t *lines = kind == MEDIA_AUDIO ? m->audio_lines : m->video_lines;
        for (uint64_t todo = sg->aliases == NULL ? changed : 0; todo != 0; todo &= todo - 1) {
            unsigned i = (unsigned)__builtin_ctzll(todo);
            tell_slot(s, m, lines[i], sg->slots.seat[i].stream);
        }
    }
}

static int64_t seat_layout(struct signaling *s, struct room *room, struct layout *l,
                           struct slots_candidate *c, int64_t now_us)
{
    int64_t again_us = INT64_MAX;
    if (!is_shared(l)) {
        const struct member *m = container_of(l->members.next, struct member, by_layout);
        fix_seats(room, m, &l->audio.slots, m->audio_lines);
        fix_seats(room, m, &l->video.slots, m->video_lines);
    }
    unsigned n = find_candidates(room, l, MEDIA_AUDIO, c);
    uint64_t changed = slots_update_audio(&l->audio.slots, c, n, now_us);
    if (changed != 0) {
        note_changes(s, room, l, MEDIA_AUDIO, changed);
    }
    n = find_candidates(room, l, MEDIA_VIDEO, c);
    changed = slots_update_video(&l->video.slots, c, n, now_us, &again_us);
    if (changed != 0) {
        note_changes(s, room, l, MEDIA_VIDEO, changed);
    }
    return again_us;
}

int64_t conference_seat_room(struct signaling *s, struct room *room, int64_t now_us)
{
    int64_t again_us = INT64_MAX;
    size_t n = 1;
    LIST_EACH(it, &room->streams)
    {
        n++;
    }
    struct slots_candidate *c = calloc(n, sizeof(*c));
    if (c == NULL) {
        return now_us + US_PER_S; // seats stay as they are
    }
    LIST_EACH(it, &room->layouts)
    {
        struct layout *l = container_of(it, struct layout, node);
        again_us = MIN(again_us, seat_layout(s, room, l, c, now_us));
    }
    free(c);
    return again_us;
}

unsigned conference_viewers(const struct stream *st)
{
    unsigned n = st->viewers;
    LIST_EACH(it, &st->room->layouts)
    {
        const struct layout *l = container_of(it, struct layout, node);
        bool seated = is_seated(&l->audio.slots, st->id) || is_seated(&l->video.slots, st->id);
        n += seated ? l->n_members : 0;
    }
    return n;
}
