/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/permit_hook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "signaling/endpoint.h"
#include "signaling/fetch.h"
#include "signaling/http.h"
#include "signaling/json.h"
#include "signaling/state.h"
#include "signaling/webhook.h"

struct question {
    struct signaling *s;
    permit_hook_fn *fn;
    void *ctx;
};

enum permit_hook_verdict permit_hook_judge(int status, const char *body, size_t len)
{
    cJSON *o;
    if (status == 401 || status == 403) {
        return PERMIT_HOOK_NO;
    }
    if (status < 200 || status >= 300) {
        return PERMIT_HOOK_FAILED;
    }
    if (len == 0 || (body[0] != '{' && body[0] != ' ' && body[0] != '\n')) {
        return PERMIT_HOOK_YES; // a plain "ok"
    }
    /* What looks like JSON must be JSON: half an answer is no yes. */
    if (json_parse(body, len, 8, &o) < 0) {
        return PERMIT_HOOK_FAILED;
    }
    const cJSON *allow = json_get(o, "allow");
    enum permit_hook_verdict v = allow == NULL || cJSON_IsTrue(allow) ? PERMIT_HOOK_YES
                                 : cJSON_IsFalse(allow)               ? PERMIT_HOOK_NO
                                                                      : PERMIT_HOOK_FAILED;
    cJSON_Delete(o);
    return v;
}

static void on_answer(const struct fetch_result *res, void *ctx)
{
    struct question *q = ctx;
    enum permit_hook_verdict v =
        res->status != 0 ? permit_hook_judge(res->status, res->body, res->len) : PERMIT_HOOK_FAILED;
    q->s->metrics.hook[v]++;
    if (v == PERMIT_HOOK_FAILED) {
        log_warn("auth_hook_failed", LOG_INT("status", res->status), LOG_STR("why", res->why));
    }
    q->fn(v, q->ctx);
    free(q);
}

static char *question_text(const struct endpoint *e, enum auth_action action, const char *label)
{
    char ip[ADDR_TEXT_MAX];
    const char *header = http_header(e->rq, "Authorization");
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "action", action == AUTH_PUBLISH ? "publish" : "play");
    cJSON_AddStringToObject(o, "room", e->room);
    cJSON_AddStringToObject(o, "participant", e->participant);
    cJSON_AddStringToObject(o, "stream", label);
    cJSON_AddStringToObject(o, "principal", e->grant.principal);
    cJSON_AddStringToObject(o, "client", addr_format(http_client(e->rq), false, ip));
    if (header != NULL) {
        const char *token = header + strcspn(header, " \t");
        cJSON_AddStringToObject(o, "token", token + strspn(token, " \t"));
    }
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    return text;
}

int permit_hook_ask(const struct endpoint *e, enum auth_action action, const char *label,
                    permit_hook_fn *fn, void *ctx)
{
    struct signaling *s = e->s;
    char signature[WEBHOOK_SIGNATURE + 32] = "Sluice-Signature: ";
    struct question *q = malloc(sizeof(*q));
    char *text = question_text(e, action, label);
    if (q == NULL || text == NULL) {
        free(q);
        cJSON_free(text);
        return -ENOMEM;
    }
    *q = (struct question){.s = s, .fn = fn, .ctx = ctx};
    const char *secret = auth_hook_secret(s->auth);
    if (secret[0] != '\0') {
        webhook_sign(secret, clock_wall_us() / US_PER_S, text, strlen(text),
                     signature + strlen(signature));
    }
    struct fetch_params p = {
        .url = s->conf->auth.hook_url,
        .body = text,
        .body_len = strlen(text),
        .headers = {"Content-Type: application/json", secret[0] != '\0' ? signature : NULL},
        .timeout_ms = s->conf->auth.hook_timeout_ms,
        .answer_max = PERMIT_HOOK_ANSWER_MAX,
        .fn = on_answer,
        .ctx = q,
    };
    int r = fetch_start(s->fetches, &p, NULL);
    cJSON_free(text);
    if (r < 0) {
        s->metrics.hook[PERMIT_HOOK_FAILED]++;
        free(q);
    }
    return r;
}
