/* SPDX-License-Identifier: Apache-2.0 */
/* moderate_http.c - moderation on the public listener, for tokens with the right to it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "signaling/admin_call.h"
#include "signaling/cors.h"
#include "signaling/endpoint.h"
#include "signaling/moderate.h"
#include "signaling/problem.h"
#include "signaling/state.h"

#define ALLOW "POST, OPTIONS"

struct request {
    struct admin_call call;
    char room[ROOMS_NAME_MAX];
    char participant[ROOMS_NAME_MAX]; /* "": the room */
    char verb[16];
};

static bool copy_segment(const char **at, char *out, size_t cap)
{
    size_t n = strcspn(*at, "/");
    if (n == 0 || n >= cap) {
        return false;
    }
    snprintf(out, cap, "%.*s", (int)n, *at);
    *at += n + ((*at)[n] == '/' ? 1 : 0);
    return true;
}

/* "{room}/{verb}" or "{room}/{participant}/{verb}". */
static bool split(const char *path, struct request *q)
{
    char second[ROOMS_NAME_MAX];
    if (!copy_segment(&path, q->room, sizeof(q->room)) ||
        !copy_segment(&path, second, sizeof(second)) || !rooms_is_name(q->room, strlen(q->room))) {
        return false;
    }
    if (*path == '\0') {
        snprintf(q->verb, sizeof(q->verb), "%.15s", second);
        return true;
    }
    snprintf(q->participant, sizeof(q->participant), "%s", second);
    return rooms_is_name(second, strlen(second)) && copy_segment(&path, q->verb, sizeof(q->verb)) &&
           *path == '\0';
}

/* Returns how many, -ENOENT, or -EINVAL: no such verb. */
static int act_on_room(struct signaling *s, const struct request *q)
{
    if (strcmp(q->verb, "lock") == 0 || strcmp(q->verb, "unlock") == 0) {
        return moderate_lock(s, q->room, q->verb[0] == 'l');
    }
    return strcmp(q->verb, "end") == 0 ? moderate_end_room(s, q->room) : -EINVAL;
}

/* The same; -EALREADY: answered. */
static int mute(struct signaling *s, struct request *q, bool on)
{
    unsigned parts;
    if (!admin_parts(&q->call, &parts)) {
        return -EALREADY;
    }
    return moderate_mute(s, q->room, q->participant, parts, on);
}

static int remove_somebody(struct signaling *s, struct request *q)
{
    static const char *const known[] = {"revoke", NULL};
    cJSON *body;
    bool revoke;
    if (!admin_body(&q->call, known, &body)) {
        return -EALREADY;
    }
    bool ok = admin_flag(&q->call, body, "revoke", false, &revoke);
    cJSON_Delete(body);
    if (!ok) {
        return -EALREADY;
    }
    int r = moderate_remove(s, q->room, q->participant, revoke);
    if (r >= 0 || r == -ENOENT) {
        return r;
    }
    moderate_answer_failure(q->call.rq, r);
    return -EALREADY;
}

static int act_on_participant(struct signaling *s, struct request *q)
{
    if (strcmp(q->verb, "mute") == 0 || strcmp(q->verb, "unmute") == 0) {
        return mute(s, q, q->verb[0] == 'm');
    }
    return strcmp(q->verb, "remove") == 0 ? remove_somebody(s, q) : -EINVAL;
}

static void act(struct signaling *s, struct request *q)
{
    struct http_request *rq = q->call.rq;
    struct auth_verdict v;
    char label[ROOMS_LABEL_MAX];
    snprintf(label, sizeof(label), "%s/%s", q->room,
             q->participant[0] != '\0' ? q->participant : "main");
    endpoint_check_auth(s, rq, AUTH_MODERATE, label, &v);
    if (v.result != AUTH_OK) {
        endpoint_answer_auth(s, rq, &v);
        return;
    }
    int r = q->participant[0] != '\0' ? act_on_participant(s, q) : act_on_room(s, q);
    if (r == -ENOENT) {
        problem_answer(rq, 404, "not-here", "There is no such room, or nobody of that name in it.");
    } else if (r == -EINVAL) {
        problem_answer(rq, 404, "verb",
                       "A room can be locked, unlocked and ended, a participant muted, unmuted and "
                       "removed: POST /moderate/ROOM/lock, /moderate/ROOM/PARTICIPANT/mute.");
    } else if (r >= 0) {
        http_answer_static(rq, 204, NULL, "", 0);
    }
}

void moderate_handle(struct http_request *rq, void *ctx)
{
    struct signaling *s = ctx;
    struct request q = {.call = {.s = s, .rq = rq}};
    if (!split(http_tail(rq), &q)) {
        problem_answer(rq, 404, "name", "Nothing is here.");
    } else if (http_method(rq) == HTTP_OPTIONS) {
        http_set_header(rq, "Allow", ALLOW);
        cors_apply_options(s->conf, rq, ALLOW);
        http_answer_static(rq, 200, NULL, "", 0);
    } else if (http_method(rq) != HTTP_POST) {
        problem_answer_method(rq, ALLOW);
    } else if (endpoint_within_rate(s, rq)) {
        act(s, &q);
    }
}
