/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "sfu/api.h"
#include "signaling/limiter.h"
#include "signaling/resource.h"
#include "signaling/session_ext.h"
#include "signaling/sse.h"
#include "signaling/state.h"
#include "signaling/strbuf.h"

void control_send(struct signaling *s, struct resource *r, const char *event, const char *json,
                  size_t len)
{
    struct strbuf b = {0};
    size_t n;
    if (list_empty(&r->by_control) || s->plane == NULL) {
        return;
    }
    strbuf_addf(&b, "{\"event\":\"%s\",\"data\":%.*s}", event, (int)len, json);
    char *text = strbuf_take(&b, &n);
    int err = text != NULL ? plane_data_send(s->plane, r->id, NULL, text, n) : -ENOMEM;
    free(text);
    if (err == -EMSGSIZE) {
        s->metrics.control_too_large++; // it would be no smaller the next time
    } else if (err < 0) {
        r->control_stale = true;
    }
}

/* A wish costs as much as one by POST, and is counted with those. */
static int take_wish(struct signaling *s, struct resource *r, const struct api_data_event *ev,
                     char ret_why[SESSION_EXT_WHY_MAX])
{
    int rate = s->conf->http.posts_per_ip_per_s;
    if (limiter_take(s->limiter, &r->client, rate, 5 * rate, clock_now_us()) > 0) {
        snprintf(ret_why, SESSION_EXT_WHY_MAX, "Too many requests from this address; slow down.");
        return 429;
    }
    if (ev->binary) {
        snprintf(ret_why, SESSION_EXT_WHY_MAX, "A wish is a JSON object, sent as text.");
        return 400;
    }
    return session_ext_wish(s, r, ev->bytes, ev->len, ret_why);
}

static void on_message(struct signaling *s, struct resource *r, const struct api_data_event *ev)
{
    char why[SESSION_EXT_WHY_MAX] = "", text[SESSION_EXT_WHY_MAX + 64];
    int status = take_wish(s, r, ev, why);
    for (char *c = why; *c != '\0'; c++) {
        *c = *c == '"' || *c == '\\' ? '\'' : *c;
    }
    int n = why[0] == '\0'
                ? snprintf(text, sizeof(text), "{\"status\":%d}", status)
                : snprintf(text, sizeof(text), "{\"status\":%d,\"detail\":\"%s\"}", status, why);
    control_send(s, r, "wish", text, (size_t)n);
}

void control_on_data(struct signaling *s, struct resource *r, const struct api_event *ev)
{
    if (r->state != RESOURCE_NEW && r->state != RESOURCE_UP) {
        return;
    }
    switch (ev->u.data->kind) {
    case API_DATA_OPENED:
        if (list_empty(&r->by_control)) {
            list_append(&s->controls, &r->by_control);
        }
        sse_tell_all(s, r);
        break;
    case API_DATA_CLOSED:
        list_remove(&r->by_control);
        sse_note_wanted(r);
        break;
    case API_DATA_MESSAGE:
        on_message(s, r, ev->u.data);
        break;
    }
}

void control_tick(struct signaling *s)
{
    LIST_EACH(it, &s->controls)
    {
        struct resource *r = container_of(it, struct resource, by_control);
        if (r->control_stale) {
            r->control_stale = false;
            sse_tell_all(s, r);
        }
    }
}
