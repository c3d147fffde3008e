/* SPDX-License-Identifier: Apache-2.0 */
/* server_http.c - what the server answers: requests, the admin API, metrics. */
#include "tests/server/server_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_TIMEOUT_US (SERVER_PATIENCE_MS * 1000LL)

struct http_wait {
    struct server_reply *reply;
    bool done;
};

static void on_reply(void *ctx, const struct peer_http_response *r)
{
    struct http_wait *w = ctx;

    w->done = true;
    w->reply->status = r->status;
    w->reply->retry_after_s = r->retry_after_s;
    memcpy(w->reply->location, r->location, sizeof(w->reply->location));
    snprintf(w->reply->head, sizeof(w->reply->head), "%s", r->head ? r->head : "");
    w->reply->body = r->body ? strdup(r->body) : NULL;
    w->reply->len = r->body_len;
}

static bool reply_done(void *ctx)
{
    const struct http_wait *w = ctx;

    return w->done;
}

int server_ask(struct server *s, const struct server_ask *ask, struct server_reply *ret)
{
    char url[640];
    struct http_wait w = {.reply = ret};
    struct peer_http_request rq = {
        .method = ask->method,
        .url = url,
        .token = ask->token,
        .headers = ask->headers,
        .content_type = ask->type,
        .body = ask->body,
        .body_len = ask->body ? strlen(ask->body) : 0,
    };

    *ret = (struct server_reply){.retry_after_s = -1};
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", ask->admin ? s->admin_port : s->http_port,
             ask->path);
    struct peer_http *h = peer_http_start(s->loop, &rq, HTTP_TIMEOUT_US, on_reply, &w);
    if (h && !peer_loop_run(s->loop, HTTP_TIMEOUT_US + 1000000, reply_done, &w)) {
        peer_http_cancel(h);
    }
    return ret->status;
}

int server_http(struct server *s, bool admin, const char *method, const char *path,
                const char *type, const char *body, struct server_reply *ret)
{
    struct server_ask ask = {
        .admin = admin, .method = method, .path = path, .type = type, .body = body};

    ask.token = admin ? s->admin_token : NULL;

    return server_ask(s, &ask, ret);
}

int server_http_status(struct server *s, bool admin, const char *method, const char *path)
{
    struct server_reply r;
    int status = server_http(s, admin, method, path, NULL, NULL, &r);

    free(r.body);
    return status;
}

/* ---- admin API and metrics ---- */

cJSON *server_sessions(struct server *s)
{
    struct server_reply r;
    int status = server_http(s, true, "GET", "/api/v1/sessions", NULL, NULL, &r);
    cJSON *o = status == 200 ? cJSON_ParseWithLength(r.body, r.len) : NULL;

    if (!o || !cJSON_IsArray(cJSON_GetObjectItem(o, "sessions"))) {
        check(false, "the admin API lists sessions (status %d, %zu bytes)", status, r.len);
        cJSON_Delete(o);
        o = cJSON_CreateObject();
    }
    free(r.body);
    return o;
}

unsigned server_sessions_count(const cJSON *listing)
{
    return (unsigned)cJSON_GetArraySize(cJSON_GetObjectItem(listing, "sessions"));
}

unsigned server_sessions_now(struct server *s)
{
    cJSON *l = server_sessions(s);
    unsigned n = server_sessions_count(l);

    cJSON_Delete(l);
    return n;
}

static const cJSON *member(const cJSON *listing, unsigned i, const char *name)
{
    const cJSON *all = cJSON_GetObjectItem(listing, "sessions");

    return cJSON_GetObjectItem(cJSON_GetArrayItem(all, (int)i), name);
}

double server_session_number(const cJSON *listing, unsigned i, const char *name)
{
    const cJSON *m = member(listing, i, name);

    return cJSON_IsNumber(m) ? m->valuedouble : 0;
}

const char *server_session_text(const cJSON *listing, unsigned i, const char *name)
{
    const cJSON *m = member(listing, i, name);

    return cJSON_IsString(m) ? m->valuestring : "";
}

char *server_metrics(struct server *s)
{
    struct server_reply r;

    if (server_http(s, true, "GET", "/metrics", NULL, NULL, &r) != 200 || !r.body) {
        check(false, "/metrics answers (status %d)", r.status);
        free(r.body);
        return strdup("");
    }
    return r.body;
}

int64_t server_metric_in(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = text; line && *line;) {
        if (!strncmp(line, name, len) && line[len] == ' ') {
            return strtoll(line + len, NULL, 10);
        }
        line = strchr(line, '\n');
        line += line != NULL;
    }
    return -1;
}

int64_t server_metric(struct server *s, const char *name)
{
    char *text = server_metrics(s);
    int64_t v = server_metric_in(text, name);

    free(text);
    return v;
}

int64_t server_dropped(struct server *s, const char *reason)
{
    char name[128];

    snprintf(name, sizeof(name), "sluice_dropped_packets_total{reason=\"%s\"}", reason);
    return server_metric(s, name);
}

int64_t server_ended(struct server *s, const char *role, const char *reason)
{
    char name[128];

    snprintf(name, sizeof(name), "sluice_sessions_ended_total{role=\"%s\",reason=\"%s\"}", role,
             reason);
    return server_metric(s, name);
}

int64_t server_wait_metric(struct server *s, const char *name, int64_t want)
{
    int64_t end_ms = server_now_ms() + SERVER_PATIENCE_MS, v;

    while ((v = server_metric(s, name)) < want && server_now_ms() < end_ms) {
        server_run(s, 50);
    }
    return v;
}

int64_t server_wait_metric_down(struct server *s, const char *name, int64_t want)
{
    int64_t end_ms = server_now_ms() + SERVER_PATIENCE_MS, v;

    while ((v = server_metric(s, name)) > want && server_now_ms() < end_ms) {
        server_run(s, 50);
    }
    return v;
}

void server_settle(struct server *s)
{
    server_run(s, SERVER_SCALED(1700, 3000));
}
