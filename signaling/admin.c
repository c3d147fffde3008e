/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c - who may use the admin API, and the table of what it can do. */
#include "signaling/admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "signaling/admin_call.h"
#include "signaling/endpoint.h"
#include "signaling/json.h"
#include "signaling/moderate.h"
#include "signaling/problem.h"
#include "signaling/state.h"

/* The host of "host:port", "[v6]:port" or "host". */
static void host_of(const char *header, char *out, size_t cap)
{
    bool bracket = header[0] == '[';
    header += bracket ? 1 : 0;
    snprintf(out, cap, "%.*s", (int)strcspn(header, bracket ? "]" : ":"), header);
}

/* True when the listener is called by the name it was meant to be called by. */
static bool is_called_rightly(const struct signaling *s, const char *header)
{
    char host[CONF_STR_MAX];
    struct addr a;
    if (conf_admin_is_public(s->conf)) {
        return true;
    }
    host_of(header != NULL ? header : "", host, sizeof(host));
    return header == NULL || strcmp(host, "localhost") == 0 || addr_parse_ip(host, 0, &a) == 0;
}

/* A browser says where a request comes from; a page elsewhere has no business here. */
static bool is_own_origin(const struct http_request *rq)
{
    const char *origin = http_header(rq, "Origin");
    const char *site = http_header(rq, "Sec-Fetch-Site");
    const char *host = http_header(rq, "Host");
    const char *behind = origin != NULL ? strstr(origin, "://") : NULL;
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) {
        return false;
    }
    return origin == NULL || (behind != NULL && host != NULL && strcmp(behind + 3, host) == 0);
}

static bool asks_for_token(const struct conf *c)
{
    bool token = conf_admin_is_public(c) && conf_has_auth(c);
    for (int i = 0; i < c->auth.n_tokens; i++) {
        token = token || c->auth.tokens[i].admin;
    }
    return token;
}

static bool is_probe(const char *path)
{
    return strcmp(path, "/livez") == 0 || strcmp(path, "/readyz") == 0 ||
           strcmp(path, "/startupz") == 0;
}

bool admin_gate(struct http_request *rq, void *ctx)
{
    struct signaling *s = ctx;
    struct auth_verdict v;
    if (!is_called_rightly(s, http_header(rq, "Host"))) {
        problem_answer(rq, 421, "host", "Call the admin listener by its address or as localhost.");
        return false;
    }
    if (!is_own_origin(rq)) {
        problem_answer(rq, 403, "origin", "Pages of other origins may not use the admin API.");
        return false;
    }
    if (is_probe(http_path(rq)) || !asks_for_token(s->conf)) {
        return true;
    }
    endpoint_check_auth(s, rq, AUTH_ADMIN, "", &v);
    if (v.result != AUTH_OK) {
        endpoint_answer_auth(s, rq, &v);
    }
    return v.result == AUTH_OK;
}

/* ---- the table ---- */

static const struct admin_op ops[] = {
    {HTTP_GET, "/api/v1/version", admin_get_version},
    {HTTP_GET, "/api/v1/health", admin_get_health},
    {HTTP_GET, "/api/v1/openapi.json", admin_get_openapi},
    {HTTP_GET, "/api/v1/limits", admin_get_limits},
    {HTTP_POST, "/api/v1/drain", admin_post_drain},
    {HTTP_DELETE, "/api/v1/tokens/{jti}", admin_delete_token},
    {HTTP_GET, "/api/v1/sessions", admin_get_sessions},
    {HTTP_GET, "/api/v1/sessions/{id}", admin_get_session},
    {HTTP_DELETE, "/api/v1/sessions/{id}", admin_delete_session},
    {HTTP_GET, "/api/v1/streams", admin_get_streams},
    {HTTP_GET, "/api/v1/streams/{id}", admin_get_stream},
    {HTTP_POST, "/api/v1/streams/{id}/keyframe", admin_post_keyframe},
    {HTTP_GET, "/api/v1/rooms", admin_get_rooms},
    {HTTP_GET, "/api/v1/rooms/{room}", admin_get_room},
    {HTTP_DELETE, "/api/v1/rooms/{room}", admin_delete_room},
    {HTTP_POST, "/api/v1/rooms/{room}/lock", admin_post_lock},
    {HTTP_POST, "/api/v1/rooms/{room}/unlock", admin_post_unlock},
    {HTTP_GET, "/api/v1/rooms/{room}/participants", admin_get_participants},
    {HTTP_GET, "/api/v1/rooms/{room}/participants/{participant}", admin_get_participant},
    {HTTP_DELETE, "/api/v1/rooms/{room}/participants/{participant}", admin_delete_participant},
    {HTTP_POST, "/api/v1/rooms/{room}/participants/{participant}/mute", admin_post_mute},
    {HTTP_POST, "/api/v1/rooms/{room}/participants/{participant}/unmute", admin_post_unmute},
};

static const struct {
    enum http_method method;
    const char *name;
} methods[] = {{HTTP_GET, "GET"}, {HTTP_POST, "POST"}, {HTTP_DELETE, "DELETE"}};

const struct admin_op *admin_op_at(size_t i)
{
    return i < ARRAY_LEN(ops) ? &ops[i] : NULL;
}

/* Compares segment by segment; {names} take one segment each. */
static bool match(const char *pattern, const char *path, char args[2][ADMIN_ARG_MAX])
{
    int n_args = 0;
    while (*pattern != '\0' && *path != '\0') {
        if (*pattern == '{') {
            size_t len = strcspn(path, "/");
            if (len == 0 || !http_unescape(path, len, args[n_args], ADMIN_ARG_MAX)) {
                return false;
            }
            n_args++;
            path += len;
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *pattern == '\0' && *path == '\0';
}

void admin_handle(struct http_request *rq, void *ctx)
{
    struct admin_call c = {.s = ctx, .rq = rq};
    char allow[32] = "";
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (!match(ops[i].path, http_path(rq), c.args)) {
            continue;
        }
        if (ops[i].method == http_method(rq)) {
            ops[i].fn(&c);
            return;
        }
        for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
            if (methods[m].method == ops[i].method) {
                size_t n = strlen(allow);
                snprintf(allow + n, sizeof(allow) - n, "%s%s", n > 0 ? ", " : "", methods[m].name);
            }
        }
    }
    if (allow[0] != '\0') {
        problem_answer_method(rq, allow);
    } else {
        problem_answer(rq, 404, "not-found",
                       "Nothing is here; /api/v1/openapi.json lists what is.");
    }
}

/* ---- helpers ---- */

void admin_answer(struct http_request *rq, int status, cJSON *o)
{
    char *text = o != NULL ? cJSON_PrintUnformatted(o) : NULL;
    cJSON_Delete(o);
    http_set_header(rq, "Cache-Control", "no-store");
    http_answer_take(rq, status, "application/json", text, text != NULL ? strlen(text) : 0);
}

void admin_answer_ended(struct http_request *rq, int n)
{
    if (n < 0) {
        moderate_answer_failure(rq, n);
        return;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "sessions_ended", n);
    admin_answer(rq, 200, o);
}

void admin_add_id(cJSON *o, const char *key, uint64_t id)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, id);
    cJSON_AddStringToObject(o, key, text);
}

void admin_add_num(cJSON *o, const char *key, uint64_t n)
{
    cJSON_AddNumberToObject(o, key, (double)n);
}

bool admin_parse_id(const char *text, uint64_t *ret)
{
    uint64_t v = 0;
    if (text[0] == '\0' || strlen(text) > 19) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(*text - '0');
    }
    *ret = v;
    return true;
}

static bool has_only(const cJSON *object, const char *const *known)
{
    for (const cJSON *i = object->child; i != NULL; i = i->next) {
        const char *const *k = known;
        while (*k != NULL && strcmp(*k, i->string) != 0) {
            k++;
        }
        if (*k == NULL) {
            return false;
        }
    }
    return true;
}

bool admin_body(struct admin_call *c, const char *const *known, cJSON **ret)
{
    size_t len;
    const char *body = http_body(c->rq, &len);
    if (len > 0 && !http_is_type(c->rq, "application/json")) {
        problem_answer(c->rq, 415, "content-type",
                       "Send the body with Content-Type: application/json.");
        return false;
    }
    int r = json_parse(len > 0 ? body : "{}", len > 0 ? len : 2, 4, ret);
    if (r == 0 && cJSON_IsObject(*ret) && has_only(*ret, known)) {
        return true;
    }
    if (r == 0) {
        cJSON_Delete(*ret);
    }
    problem_answer(c->rq, 400, "body",
                   "The body must be a JSON object, without members twice or unknown ones.");
    return false;
}

bool admin_flag(struct admin_call *c, const cJSON *body, const char *name, bool otherwise,
                bool *ret)
{
    const cJSON *v = json_get(body, name);
    char detail[80];
    if (v != NULL && !cJSON_IsBool(v)) {
        snprintf(detail, sizeof(detail), "%s must be true or false.", name);
        problem_answer(c->rq, 400, "body", detail);
        return false;
    }
    *ret = v != NULL ? cJSON_IsTrue(v) : otherwise;
    return true;
}

bool admin_page_read(struct admin_call *c, struct admin_page *ret)
{
    const char *limit = http_query(c->rq, "limit");
    const char *after = http_query(c->rq, "after");
    uint64_t n = UINT32_MAX; // all, as tools expect that were made before there were pages
    if (limit != NULL && (!admin_parse_id(limit, &n) || n == 0 || n > ADMIN_LIMIT_MAX)) {
        problem_answer(c->rq, 400, "query", "limit must be a number from 1 to 1000.");
        return false;
    }
    *ret = (struct admin_page){.limit = (unsigned)n, .after = after != NULL ? after : ""};
    return true;
}

size_t admin_page_cut(struct admin_page *p, const void **all, size_t n,
                      int (*cmp)(const void *, const void *),
                      bool (*is_after)(const void *entry, const char *after), size_t *ret_end)
{
    size_t first = 0;
    if (n > 0) {
        qsort(all, n, sizeof(*all), cmp);
    }
    while (first < n && p->after[0] != '\0' && !is_after(all[first], p->after)) {
        first++;
    }
    *ret_end = MIN(n, first + p->limit);
    p->more = *ret_end < n;
    return first;
}

bool admin_filter(const struct admin_call *c, const char *key, const char *value)
{
    const char *want = http_query(c->rq, key);
    return want == NULL || strcmp(want, value) == 0;
}
