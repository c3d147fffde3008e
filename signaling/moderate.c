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
#include "signaling/problem.h"
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

static int revoke_token_of(struct signaling *s, const struct resource *r, int64_t until_s)
{
    const struct auth_grant *g = r->grant;
    if (g == NULL || g->expires_s == INT64_MAX) {
        return 0;
    }
    int err = g->jti[0] != '\0' ? auth_revoked_add_jti(&s->revoked, g->jti, until_s)
                                : auth_revoked_add_digest(&s->revoked, g->digest, until_s);
    if (err < 0) {
        log_error("revocation_lost", LOG_STR("label", r->label));
    }
    return err;
}

/* Returns how many; -ENOMEM: all have been ended, but not every token is refused. */
static int end_all(struct signaling *s, const struct who *w, enum api_reason reason)
{
    int n = 0;
    int err = 0;
    for (size_t i = 0; i < ARRAY_LEN(s->sessions.ids); i++) {
        LIST_EACH(it, &s->sessions.ids[i])
        {
            struct resource *r = container_of(it, struct resource, by_id);
            if (!is_live(r) || !is_meant(r, w)) {
                continue;
            }
            if (w->revoke && revoke_token_of(s, r, w->until_s) < 0) {
                err = -ENOMEM;
            }
            life_end(s, r, reason);
            n++;
        }
    }
    return err < 0 ? err : n;
}

/* When a token that is good now has certainly expired. */
static int64_t last_expiry_s(const struct signaling *s)
{
    return clock_wall_us() / US_PER_S + s->conf->auth.max_lifetime_s + 2 * s->conf->auth.leeway_s;
}

/* What has been revoked stays so while we run. Returns 0, or -EIO: a restart would forget it.
 */
static int save_revoked(const struct signaling *s)
{
    const char *path = s->revoked_file;
    int r = path[0] != '\0' ? auth_revoked_file_save(&s->revoked, path) : 0;
    if (r < 0) {
        log_error("revocations_not_saved", LOG_STR("file", path), LOG_STR("why", strerror(-r)));
    }
    return r < 0 ? -EIO : 0;
}

int moderate_revoke(struct signaling *s, const char *jti)
{
    struct who w = {.jti = jti};
    if (auth_revoked_add_jti(&s->revoked, jti, last_expiry_s(s)) < 0) {
        return -ENOMEM;
    }
    int err = save_revoked(s);
    int n = end_all(s, &w, API_END_REVOKED);
    log_info("token_revoked", LOG_STR("jti", jti), LOG_INT("sessions", n));
    return err < 0 ? err : n;
}

int moderate_remove(struct signaling *s, const char *room, const char *participant, bool revoke)
{
    struct who w = {
        .room = room, .participant = participant, .revoke = revoke, .until_s = last_expiry_s(s)};
    int n = end_all(s, &w, revoke ? API_END_REVOKED : API_END_REMOVED);
    int err = revoke && n != 0 ? save_revoked(s) : 0;
    log_info("participant_removed", LOG_STR("room", room), LOG_STR("participant", participant),
             LOG_INT("sessions", n), LOG_INT("revoked", revoke));
    return n == 0 ? -ENOENT : err < 0 ? err : n;
}

void moderate_answer_failure(struct http_request *rq, int err)
{
    if (err == -EIO) {
        problem_answer(
            rq, 500, "not-saved",
            "It is revoked and the sessions have ended, but auth.revoked_file could not "
            "be written: a restart would forget it. The log says why. The next revocation "
            "saves this one too.");
    } else {
        problem_answer_later(rq, 503, "no-memory", "The server is out of memory.", 5);
    }
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
    roster_tell(room);
    conference_touch(s, room);
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

/* What its person may not send, st does not. */
static void apply_mute(struct signaling *s, struct stream *st)
{
    unsigned muted = st->person != NULL ? st->person->muted : 0;
    bool screen = rooms_is_screen(st->participant);
    struct api_cmd cmd = {.kind = API_CMD_MUTE, .id = st->publisher};
    cmd.u.mute.audio = (muted & (screen ? ROSTER_SCREEN_SOUND : ROSTER_MICROPHONE)) != 0;
    cmd.u.mute.video = (muted & (screen ? ROSTER_SCREEN : ROSTER_CAMERA)) != 0;
    if (cmd.u.mute.audio == st->media.no_audio && cmd.u.mute.video == st->media.no_video) {
        return;
    }
    conference_mute(s, st, cmd.u.mute.audio, cmd.u.mute.video);
    post_surely(s->post, st->worker, &cmd);
}

int moderate_mute(struct signaling *s, const char *room_name, const char *participant,
                  unsigned parts, bool mute)
{
    struct room *room = rooms_find_room(&s->rooms, room_name);
    if (room == NULL || roster_find(room, participant) == NULL) {
        return -ENOENT;
    }
    struct person *p = roster_ref(room, participant); // unmuted, it may be nobody
    roster_mute(room, p, mute ? p->muted | parts : p->muted & ~parts);
    LIST_EACH(it, &room->streams)
    {
        struct stream *st = container_of(it, struct stream, node);
        if (st->person == p) {
            apply_mute(s, st);
        }
    }
    roster_unref(p);
    conference_touch(s, room);
    log_info("participant_muted", LOG_STR("room", room_name), LOG_STR("participant", participant),
             LOG_INT("parts", parts), LOG_INT("muted", mute));
    return 0;
}

void moderate_on_publish(struct signaling *s, struct stream *st)
{
    apply_mute(s, st);
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
