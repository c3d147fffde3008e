/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/whep.h"

#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "signaling/conference.h"
#include "signaling/endpoint.h"
#include "signaling/http.h"
#include "signaling/life.h"
#include "signaling/permit.h"
#include "signaling/problem.h"
#include "signaling/state.h"

static void answer_not_live(struct http_request *rq)
{
    /* Not 404 or 400: Eyevinn's player would drop audio or change its mode. */
    problem_answer_later(rq, 409, "not-live", "Nobody publishes under this name now.", 2);
}

static bool is_full(struct endpoint *e)
{
    struct signaling *s = e->s;
    bool full = resource_live(&s->sessions) >= (unsigned)s->conf->limits.max_sessions;
    if (full) {
        problem_answer_later(e->rq, 503, "full", "The server has as many sessions as it may.", 5);
    }
    return full;
}

/* ---- one stream ---- */

static void play_stream(struct endpoint *e, struct stream *st)
{
    const struct endpoint_target target = {.room = st->room, .st = st, .source = &st->source};
    if (is_full(e) || !endpoint_negotiate(e, API_PLAY, &target) || !endpoint_admit(e, st)) {
        return;
    }
    e->r->stream = st;
    rooms_watch(st);
    endpoint_created(e);
}

/* ---- a room ---- */

/* What a plain player may be sent: all that one of the publishers has. A kind that nobody has is
 * refused, so that players do not wait for it (WHEP-18). */
static struct negotiate_source join_sources(const struct room *room, const struct stream *first)
{
    struct negotiate_source all = first->source;
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        const struct negotiate_source *src = &st->source;
        if (st->publisher != 0 && src->audio && !all.audio) {
            all.audio = true;
            all.audio_codec = src->audio_codec;
        }
        if (st->publisher != 0 && src->video && !all.video) {
            all.video = true;
            all.video_codec = src->video_codec;
        }
    }
    return all;
}

/* False for an offer of nothing but a data channel, which has its room to itself for as long as
 * nobody else is there. */
static bool wants_media(const struct endpoint *e)
{
    unsigned audio;
    unsigned video;
    endpoint_count_sections(e, &audio, &video);
    return audio + video > 0;
}

static void play_room(struct endpoint *e, bool slots)
{
    struct signaling *s = e->s;
    const struct stream *first = conference_pick(s, e->room, e->as);
    const struct negotiate_source nothing = {0};
    struct negotiate_source source = nothing;
    if (!slots && first == NULL && wants_media(e)) {
        answer_not_live(e->rq);
        return;
    }
    if (is_full(e)) {
        return;
    }
    struct room *room = rooms_get_room(&s->rooms, e->room, life_least_worker(s));
    if (room == NULL) {
        problem_answer_later(e->rq, 503, "no-memory", "The server is out of memory.", 5);
        return;
    }
    if (!slots && first != NULL) {
        source = join_sources(room, first);
    }
    const struct endpoint_target target = {.room = room, .source = &source, .slots = slots};
    if (!endpoint_negotiate(e, API_PLAY, &target)) {
        rooms_release_room(room);
        return;
    }
    if (conference_join(s, room, e->r, e->out.session, e->as) < 0) {
        endpoint_undo(e);
        rooms_release_room(room);
        problem_answer_later(e->rq, 503, "no-memory", "The server is out of memory.", 5);
        return;
    }
    struct member *m = e->r->member;
    if (endpoint_admit(e, NULL)) {
        conference_seat(s, m);
        endpoint_created(e);
    }
}

/* Whose session this is, so that it is not shown itself: the token's participant, or who the query
 * says if that name may be published under. Returns false after answering. */
static bool read_as(struct endpoint *e)
{
    const char *asked = http_query(e->rq, "as");
    const char *bound = e->grant.participant;
    struct auth_verdict v;
    char label[ROOMS_LABEL_MAX];
    if (asked != NULL && (!rooms_is_name(asked, strlen(asked)) || strchr(asked, '~') != NULL)) {
        problem_answer(e->rq, 400, "name", "The query's \"as\" is no participant's name.");
        return false;
    }
    if (bound[0] != '\0' && asked != NULL && strcmp(bound, asked) != 0) {
        problem_answer(e->rq, 403, "forbidden", "The token is another participant's.");
        return false;
    }
    if (bound[0] == '\0' && asked != NULL) {
        snprintf(label, sizeof(label), "%s/%s", e->room, asked);
        endpoint_check_auth(e->s, e->rq, AUTH_PUBLISH, label, &v);
        if (v.result != AUTH_OK) {
            problem_answer(e->rq, 403, "forbidden", "The token does not permit this name.");
            return false;
        }
    }
    const char *name = bound[0] != '\0' ? bound : asked;
    if (name != NULL) {
        snprintf(e->as, sizeof(e->as), "%s", name);
    }
    return true;
}

/* True when the offer asks for more than one section of a kind, and may have them. */
static bool wants_slots(const struct endpoint *e)
{
    unsigned audio;
    unsigned video;
    const struct conf *c = e->s->conf;
    endpoint_count_sections(e, &audio, &video);
    return (audio > 1 || video > 1) && (c->rooms.audio_slots > 1 || c->rooms.video_slots > 1);
}

static void on_stream_permitted(struct endpoint *e)
{
    struct stream *st = e->named ? rooms_find(&e->s->rooms, e->room, e->participant)
                                 : rooms_pick(&e->s->rooms, e->room);
    if (st == NULL || st->publisher == 0) {
        answer_not_live(e->rq);
    } else {
        play_stream(e, st);
    }
}

static void on_room_permitted(struct endpoint *e)
{
    if (read_as(e) && !endpoint_yields(e, conference_has(e->s, e->room, e->as))) {
        play_room(e, wants_slots(e));
    }
}

/* The right to all of a room is that to a stream called "*". One who has only the right to the
 * stream that the room's name stands for now plays that. */
static void ask_room(struct endpoint *e)
{
    char label[ROOMS_LABEL_MAX];
    struct auth_verdict v;
    const struct stream *st = rooms_pick(&e->s->rooms, e->room);
    snprintf(label, sizeof(label), "%s/*", e->room);
    endpoint_check_auth(e->s, e->rq, AUTH_PLAY, label, &v);
    if (v.result == AUTH_FORBIDDEN && !wants_slots(e)) {
        permit_ask(e, AUTH_PLAY, st != NULL ? rooms_label(st, label) : e->label,
                   on_stream_permitted);
    } else {
        permit_ask(e, AUTH_PLAY, label, on_room_permitted);
    }
}

void whep_handle(struct http_request *rq, void *ctx)
{
    struct endpoint e;
    if (!endpoint_read(&e, rq, ctx) || endpoint_answer_simple(&e, AUTH_PLAY) ||
        !endpoint_gate(&e)) {
        return;
    }
    if (e.named) {
        permit_ask(&e, AUTH_PLAY, e.label, on_stream_permitted);
    } else {
        ask_room(&e);
    }
}
