/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/moderate.h"

#include <errno.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "signaling/auth_revoked_file.h"
#include "signaling/conference.h"
#include "signaling/endpoint.h"
#include "signaling/life.h"
#include "signaling/post.h"
#include "signaling/roster.h"
#include "signaling/state.h"

static bool is_live(const struct resource *r)
{
    return r->state == RESOURCE_NEW || r->state == RESOURCE_UP;
}

/* True if text up to its first end character is name. */
static bool begins_as(const char *text, const char *ends, const char *name)
{
    size_t n = strcspn(text, ends);
    return strlen(name) == n && memcmp(text, name, n) == 0;
}

const char *moderate_name_of(const struct resource *r)
{
    static char name[ROOMS_NAME_MAX];
    const char *slash = strchr(r->label, '/');
    if (r->role == API_PUBLISH && slash != NULL) {
        return rooms_participant(slash + 1, name);
    }
    if (r->member != NULL && r->member->person != NULL) {
        return r->member->person->name;
    }
    return r->role == API_PLAY && r->grant != NULL ? r->grant->participant : "";
}

bool moderate_is_of(const struct resource *r, const char *room, const char *participant)
{
    return begins_as(r->label, "/", room) && strcmp(moderate_name_of(r), participant) == 0;
}

/* ---- ending ---- */

struct who {
    const char *jti; /* not NULL: of this token */
    const char *room;
    const char *participant; /* NULL: all of the room */
    bool revoke;
    int64_t until_s;
};

static bool is_meant(const struct resource *r, const struct who *w)
{
    if (w->jti != NULL) {
        return r->grant != NULL && strcmp(r->grant->jti, w->jti) == 0;
    }
    return w->participant != NULL ? moderate_is_of(r, w->room, w->participant)
                                  : begins_as(r->label, "/", w->room);
}

static void revoke_token_of(struct signaling *s, const struct resource *r, int64_t until_s)
{
    const struct auth_grant *g = r->grant;
    if (g == NULL || g->expires_s == INT64_MAX) {
        return;
    }
    int err = g->jti[0] != '\0' ? auth_revoked_add_jti(&s->revoked, g->jti, until_s)
                                : auth_revoked_add_digest(&s->revoked, g->digest, until_s);
    if (err < 0) {
        log_error("revocation_lost", LOG_STR("label", r->label));
    }
}

static int end_all(struct signaling *s, const struct who *w, enum api_reason reason)
{
    int n = 0;
    for (size_t i = 0; i < ARRAY_LEN(s->sessions.ids); i++) {
        LIST_EACH(it, &s->sessions.ids[i])
        {
            struct resource *r = container_of(it, struct resource, by_id);
            if (!is_live(r) || !is_meant(r, w)) {
                continue;
            }
            if (w->revoke) {
                revoke_token_of(s, r, w->until_s);
            }
            life_end(s, r, reason);
            n++;
        }
    }
    return n;
}

/* When a token that is good now has certainly expired. */
static int64_t last_expiry_s(const struct signaling *s)
{
    return clock_wall_us() / US_PER_S + s->conf->auth.max_lifetime_s + 2 * s->conf->auth.leeway_s;
}

/* What has been revoked is so for now in any case; a log line says when it would not survive. */
static void save_revoked(const struct signaling *s)
{
    const char *path = s->revoked_file;
    int r = path[0] != '\0' ? auth_revoked_file_save(&s->revoked, path) : 0;
    if (r < 0) {
        log_error("revocations_not_saved", LOG_STR("file", path), LOG_STR("why", strerror(-r)));
    }
}

int moderate_revoke(struct signaling *s, const char *jti)
{
    struct who w = {.jti = jti};
    if (auth_revoked_add_jti(&s->revoked, jti, last_expiry_s(s)) < 0) {
        return -ENOMEM;
    }
    save_revoked(s);
    int n = end_all(s, &w, API_END_REVOKED);
    log_info("token_revoked", LOG_STR("jti", jti), LOG_INT("sessions", n));
    return n;
}

int moderate_remove(struct signaling *s, const char *room, const char *participant, bool revoke)
{
    struct who w = {
        .room = room, .participant = participant, .revoke = revoke, .until_s = last_expiry_s(s)};
    int n = end_all(s, &w, revoke ? API_END_REVOKED : API_END_REMOVED);
    if (revoke && n > 0) {
        save_revoked(s);
    }
    log_info("participant_removed", LOG_STR("room", room), LOG_STR("participant", participant),
             LOG_INT("sessions", n), LOG_INT("revoked", revoke));
    return n > 0 ? n : -ENOENT;
}

int moderate_end_room(struct signaling *s, const char *room)
{
    struct who w = {.room = room};
    if (rooms_find_room(&s->rooms, room) == NULL) {
        return -ENOENT;
    }
    int n = end_all(s, &w, API_END_ROOM);
    log_info("room_ended", LOG_STR("room", room), LOG_INT("sessions", n));
    return n;
}

void moderate_sweep(struct signaling *s, int64_t now_s)
{
    auth_revoked_sweep(&s->revoked, now_s);
    if (!s->conf->auth.end_on_expiry) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(s->sessions.ids); i++) {
        LIST_EACH(it, &s->sessions.ids[i])
        {
            struct resource *r = container_of(it, struct resource, by_id);
            int64_t leeway_s = s->conf->auth.leeway_s;
            if (is_live(r) && r->grant != NULL && r->grant->expires_s < now_s - leeway_s) {
                life_end(s, r, API_END_EXPIRED);
            }
        }
    }
}

/* ---- locks ---- */

int moderate_lock(struct signaling *s, const char *name, bool locked)
{
    struct room *room = rooms_find_room(&s->rooms, name);
    if (room == NULL) {
        return -ENOENT;
    }
    room->locked = locked;
    log_info("room_lock", LOG_STR("room", name), LOG_INT("locked", locked));
    return 0;
}

/* Somebody of this principal, or with this very token, is in the room. */
static bool is_inside(const struct endpoint *e)
{
    const struct signaling *s = e->s;
    for (size_t i = 0; i < ARRAY_LEN(s->sessions.ids); i++) {
        LIST_EACH(it, &s->sessions.ids[i])
        {
            const struct resource *r = container_of(it, struct resource, by_id);
            if (is_live(r) && begins_as(r->label, "/", e->room) && r->principal[0] != '\0' &&
                strcmp(r->principal, e->grant.principal) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool moderate_may_enter(const struct endpoint *e)
{
    const struct room *room = rooms_find_room(&e->s->rooms, e->room);
    if (room == NULL || !room->locked) {
        return true;
    }
    return (e->grant.is_token && (e->grant.rights & AUTH_RIGHT_MODERATE) != 0) || is_inside(e);
}

/* ---- muting ---- */

static void tell_mute(struct signaling *s, const struct stream *st)
{
    struct api_cmd cmd = {.kind = API_CMD_MUTE, .id = st->publisher};
    cmd.u.mute.audio = st->media.no_audio;
    cmd.u.mute.video = st->media.no_video;
    post_surely(s->post, st->worker, &cmd);
}

static bool wished(enum moderate_wish w, bool now)
{
    return w == MODERATE_LEAVE ? now : w == MODERATE_MUTE;
}

int moderate_mute(struct signaling *s, const char *room_name, const char *participant,
                  enum moderate_wish audio, enum moderate_wish video)
{
    const struct room *room = rooms_find_room(&s->rooms, room_name);
    int n = 0;
    if (room == NULL) {
        return -ENOENT;
    }
    LIST_EACH(it, &room->streams)
    {
        struct stream *st = container_of(it, struct stream, node);
        if (!begins_as(st->participant, "~", participant)) {
            continue;
        }
        conference_mute(s, st, wished(audio, st->media.no_audio),
                        wished(video, st->media.no_video));
        if (st->publisher != 0) {
            tell_mute(s, st);
        }
        log_info("stream_muted", LOG_STR("room", room_name), LOG_STR("stream", st->participant),
                 LOG_INT("audio", st->media.no_audio), LOG_INT("video", st->media.no_video));
        n++;
    }
    return n > 0 ? n : -ENOENT;
}

void moderate_on_publish(struct signaling *s, const struct stream *st)
{
    if (st->media.no_audio || st->media.no_video) {
        tell_mute(s, st);
    }
}

int moderate_keyframe(struct signaling *s, const struct stream *st)
{
    struct api_cmd cmd = {.kind = API_CMD_FEEDBACK, .id = st->id};
    if (st->publisher == 0) {
        return -ENOENT;
    }
    cmd.u.feedback.track = API_ALL;
    cmd.u.feedback.layer = API_ALL;
    post_surely(s->post, st->worker, &cmd);
    return 0;
}
