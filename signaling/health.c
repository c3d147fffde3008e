/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/health.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "signaling/http.h"
#include "signaling/life.h"
#include "signaling/problem.h"
#include "signaling/state.h"

static void answer(const struct signaling *s, struct http_request *rq, bool good)
{
    int status = good ? 200 : 503;
    if (http_method(rq) != HTTP_GET && http_method(rq) != HTTP_HEAD) {
        problem_answer_method(rq, "GET, HEAD");
        return;
    }
    http_set_header(rq, "Cache-Control", "no-store");
    if (!http_has_query(rq, "verbose")) {
        const char *text = good ? "ok\n" : "not ok\n";
        http_answer_static(rq, status, "text/plain; charset=utf-8", text, strlen(text));
        return;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddBoolToObject(o, "ok", good);
    cJSON_AddBoolToObject(o, "started", s->plane != NULL);
    cJSON_AddBoolToObject(o, "workers_alive", s->plane != NULL && plane_alive(s->plane));
    cJSON_AddBoolToObject(o, "draining", s->draining);
    cJSON_AddNumberToObject(o, "sessions", life_count(s));
    cJSON_AddStringToObject(o, "version", SLUICE_VERSION);
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    http_answer_take(rq, status, "application/json", text, text != NULL ? strlen(text) : 0);
}

void health_live(struct http_request *rq, void *ctx)
{
    const struct signaling *s = ctx;
    answer(s, rq, s->plane == NULL || plane_alive(s->plane));
}

void health_ready(struct http_request *rq, void *ctx)
{
    const struct signaling *s = ctx;
    answer(s, rq, s->plane != NULL && plane_alive(s->plane) && !s->draining);
}

void health_startup(struct http_request *rq, void *ctx)
{
    const struct signaling *s = ctx;
    answer(s, rq, s->plane != NULL);
}
