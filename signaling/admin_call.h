/* SPDX-License-Identifier: Apache-2.0 */
/* admin_call.h - what the files of the admin API share: the table of operations, and helpers for
 * answers, bodies and pages. Private to admin*.c and its test. Role MAIN. */
#ifndef SIGNALING_ADMIN_CALL_H
#define SIGNALING_ADMIN_CALL_H

#include <cjson/cJSON.h>

#include "rtp/base.h"
#include "signaling/http.h"

struct signaling;

#define ADMIN_ARG_MAX   200 /* of a path segment, with terminator */
#define ADMIN_BODY_MAX  4096
#define ADMIN_LIMIT_MAX 1000

/* One request. */
struct admin_call {
    struct signaling *s;
    struct http_request *rq;
    char args[2][ADMIN_ARG_MAX]; /* what stands for the {names} of the path, unescaped */
};
typedef void(admin_fn)(struct admin_call *c);

struct admin_op {
    enum http_method method;
    const char *path; /* "/api/v1/rooms/{room}/lock" */
    admin_fn *fn;
};
/* The operations; NULL behind the last. openapi.json describes each. */
const struct admin_op *admin_op_at(size_t i);

/* Answers with o, which is taken over. */
void admin_answer(struct http_request *rq, int status, cJSON *o);
/* Answers with how many sessions moderate_remove or moderate_revoke ended, or for a negative n why
 * they failed. */
void admin_answer_ended(struct http_request *rq, int n);
/* Adds a number that JSON would round as text. */
void admin_add_id(cJSON *o, const char *key, uint64_t id);
void admin_add_num(cJSON *o, const char *key, uint64_t n);
/* The body as an object of no members but the known ones (NULL at the end): an empty one when there
 * is none. Returns false after answering 400 or 415. Delete *ret. */
bool admin_body(struct admin_call *c, const char *const *known, cJSON **ret);
/* A member that must be true or false when it is there. Returns false after answering 400. */
bool admin_flag(struct admin_call *c, const cJSON *body, const char *name, bool otherwise,
                bool *ret);
/* The body of mute and unmute: which parts (enum roster_part) it means. Returns false after
 * answering 400 or 415. */
bool admin_parts(struct admin_call *c, unsigned *ret);
/* Decimal digits, below 10^19. */
bool admin_parse_id(const char *text, uint64_t *ret);

/* A page of a listing: entries are sorted by key, those up to "after" are left out. */
struct admin_page {
    unsigned limit;    /* all when the query does not say */
    const char *after; /* "" for the first page */
    bool more;         /* entries were left out at the end */
    cJSON *items;      /* into which entries go */
};
/* Reads limit and after from the query. Returns false after answering 400. */
bool admin_page_read(struct admin_call *c, struct admin_page *ret);
/* Sorts n pointers by cmp, and counts off the page: returns the index of its first, *ret_end one
 * past its last. is_after(entry, after): true if the entry comes behind the text. */
size_t admin_page_cut(struct admin_page *p, const void **all, size_t n,
                      int (*cmp)(const void *, const void *),
                      bool (*is_after)(const void *entry, const char *after), size_t *ret_end);
/* True if the query's value for key is absent, or the same as value. */
bool admin_filter(const struct admin_call *c, const char *key, const char *value);

/* ---- the operations ---- */

/* GET /version. */
void admin_get_version(struct admin_call *c);
/* GET /health: 200 or 503. */
void admin_get_health(struct admin_call *c);
/* GET /openapi.json: signaling/openapi.json. */
void admin_get_openapi(struct admin_call *c);
/* GET /limits: what is allowed and how much of it is used. */
void admin_get_limits(struct admin_call *c);
/* POST /drain: as SIGTERM; 202. */
void admin_post_drain(struct admin_call *c);
/* DELETE /tokens/{jti}: revokes it, its sessions end. */
void admin_delete_token(struct admin_call *c);
/* GET /sessions: asks every worker; after one second the answer is what there is, "partial": true.
 */
void admin_get_sessions(struct admin_call *c);
/* GET /sessions/{id}. */
void admin_get_session(struct admin_call *c);
/* DELETE /sessions/{id}: ends it; 204. */
void admin_delete_session(struct admin_call *c);
/* GET /streams. */
void admin_get_streams(struct admin_call *c);
/* GET /streams/{id}. */
void admin_get_stream(struct admin_call *c);
/* POST /streams/{id}/keyframe: asks the publisher for one; 202. */
void admin_post_keyframe(struct admin_call *c);
/* GET /rooms. */
void admin_get_rooms(struct admin_call *c);
/* GET /rooms/{room}. */
void admin_get_room(struct admin_call *c);
/* DELETE /rooms/{room}: ends all its sessions. */
void admin_delete_room(struct admin_call *c);
/* POST /rooms/{room}/lock: nobody new comes in; 204. */
void admin_post_lock(struct admin_call *c);
/* POST /rooms/{room}/unlock; 204. */
void admin_post_unlock(struct admin_call *c);
/* GET /rooms/{room}/participants. */
void admin_get_participants(struct admin_call *c);
/* GET /rooms/{room}/participants/{participant}. */
void admin_get_participant(struct admin_call *c);
/* DELETE /rooms/{room}/participants/{participant}: ends its sessions, revokes its tokens if asked
 * to. */
void admin_delete_participant(struct admin_call *c);
/* POST /rooms/{room}/participants/{participant}/mute. */
void admin_post_mute(struct admin_call *c);
/* POST /rooms/{room}/participants/{participant}/unmute. */
void admin_post_unmute(struct admin_call *c);

#endif
