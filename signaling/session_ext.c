/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/session_ext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/conference.h"
#include "signaling/http.h"
#include "signaling/origin.h"
#include "signaling/post.h"
#include "signaling/problem.h"
#include "signaling/resource.h"
#include "signaling/roster.h"
#include "signaling/sse.h"
#include "signaling/state.h"
#include "signaling/strbuf.h"
#include "signaling/wish.h"

/* ---- Link headers ---- */

static void add_link(struct http_request *rq, const struct resource *r, const char *origin,
                     const char *part, const char *rest)
{
    char text[ORIGIN_MAX + 400];
    snprintf(text, sizeof(text), "<%s/session/%s/%s>; %s", origin, r->token, part, rest);
    http_set_header(rq, "Link", text);
}

/* rel="..."; events="a,b" of the kinds in mask. */
static void add_events_link(struct http_request *rq, const struct resource *r, const char *origin,
                            const char *rel, unsigned mask)
{
    char rest[300];
    size_t n = (size_t)snprintf(rest, sizeof(rest), "rel=\"%s\"; events=\"", rel);
    const char *comma = "";
    for (int k = 0; k < SSE_COUNT; k++) {
        if (mask >> k & 1) {
            n += (size_t)snprintf(rest + n, sizeof(rest) - n, "%s%s", comma,
                                  sse_name((enum sse_kind)k));
            comma = ",";
        }
    }
    snprintf(rest + n, sizeof(rest) - n, "\"");
    add_link(rq, r, origin, "sse", rest);
}

void session_ext_links(struct http_request *rq, const struct resource *r, const char *origin)
{
    unsigned all = sse_of(r);
    if (r->role == API_PLAY) {
        add_events_link(rq, r, origin, "urn:ietf:params:whep:ext:core:server-sent-events",
                        all & SSE_STANDARD);
        add_link(rq, r, origin, "layer", "rel=\"urn:ietf:params:whep:ext:core:layer\"");
    }
    add_events_link(rq, r, origin, "urn:sluice:whep:events", all & SSE_OWN);
    if (r->member != NULL) {
        add_link(rq, r, origin, "wish", "rel=\"urn:sluice:whep:wishes\"");
        add_link(rq, r, origin, "people", "rel=\"urn:sluice:whep:people\"");
    }
}

/* ---- wishes ---- */

static struct wish_session describe(const struct resource *r)
{
    return (struct wish_session){
        .n_mids = r->n_mids,
        .mids = (const char(*)[API_MID_MAX])r->mids,
        .audio = r->audio_lines,
        .video = r->video_lines,
    };
}

static bool is_json(struct http_request *rq)
{
    if (http_is_type(rq, "application/json")) {
        return true;
    }
    problem_answer(rq, 415, "content-type", "Post a JSON object, Content-Type: application/json.");
    return false;
}

/* What the section plays now, or NULL. */
static const struct stream *stream_at(const struct signaling *s, const struct resource *r,
                                      uint8_t mline)
{
    const struct member *m = r->member;
    for (unsigned i = 0; m != NULL && i < m->layout->video.slots.n; i++) {
        if (m->video_lines[i] == mline) {
            return rooms_find_id(&s->rooms, m->layout->video.slots.seat[i].stream);
        }
    }
    return m == NULL ? r->stream : NULL;
}

/* The stream of the section has that layer. One without publisher may have any. */
static bool has_rid(const struct stream *st, const char *rid)
{
    if (rid[0] == '\0' || st == NULL || st->publisher == 0) {
        return true;
    }
    for (unsigned i = 0; i < st->source.n_rids; i++) {
        if (strcmp(st->source.rids[i], rid) == 0) {
            return true;
        }
    }
    return false;
}

static void tell_layer(struct signaling *s, const struct resource *r, const struct api_wish *w)
{
    struct api_cmd cmd = {.kind = API_CMD_LAYER, .id = r->id, .u.wish = *w};
    post_surely(s->post, r->worker, &cmd);
}

static void refuse(struct http_request *rq, int err, const char *why)
{
    if (err == -ENOMEM) {
        problem_answer_later(rq, 503, "no-memory", "The server is out of memory.", 5);
    } else {
        problem_answer(rq, err == -ENOENT ? 422 : 400, "wish", why);
    }
}

static void post_layer(struct signaling *s, struct http_request *rq, struct resource *r)
{
    size_t len;
    char why[SESSION_EXT_WHY_MAX];
    const char *body = http_body(rq, &len);
    struct wish_session about = describe(r);
    struct api_wish w;
    if (!is_json(rq)) {
        return;
    }
    int err = wish_read_layer(body, len, &about, &w, why);
    if (err < 0) {
        refuse(rq, err, why);
    } else if (!has_rid(stream_at(s, r, w.mline), w.rid)) {
        problem_answer(rq, 422, "layer", "What is played has no layer with this rid.");
    } else {
        tell_layer(s, r, &w);
        http_answer_static(rq, 200, NULL, "", 0);
    }
}

/* Medooze's player goes back to automatic so (WHEP-31). */
static void delete_layer(struct signaling *s, struct http_request *rq, struct resource *r)
{
    for (uint64_t todo = r->video_lines; todo != 0; todo &= todo - 1) {
        struct api_wish w = API_WISH_NONE;
        w.mline = (uint8_t)__builtin_ctzll(todo);
        tell_layer(s, r, &w);
    }
    http_answer_static(rq, 200, NULL, "", 0);
}

int session_ext_wish(struct signaling *s, struct resource *r, const char *text, size_t len,
                     char ret_why[SESSION_EXT_WHY_MAX])
{
    struct wish_session about = describe(r);
    struct wish w;
    struct member *m = r->member;
    if (m == NULL) {
        snprintf(ret_why, SESSION_EXT_WHY_MAX, "Only who plays a whole room has wishes.");
        return 404;
    }
    int err = wish_read(text, len, &about, &w, ret_why);
    if (err == 0 && m->wishes == NULL) {
        m->wishes = calloc(1, sizeof(*m->wishes));
        err = m->wishes != NULL ? 0 : -ENOMEM;
    }
    if (err == -ENOMEM) {
        snprintf(ret_why, SESSION_EXT_WHY_MAX, "The server is out of memory.");
    }
    if (err < 0) {
        return err == -ENOMEM ? 503 : err == -ENOENT ? 422 : 400;
    }
    bool seats = wish_apply(m->wishes, &w);
    if (wish_is_empty(m->wishes)) {
        free(m->wishes);
        m->wishes = NULL;
    }
    if (seats) {
        conference_on_wish(s, m);
        conference_settle(s); // so that a layer meets the stream that was asked for with it
    }
    for (unsigned i = 0; i < w.n_layers; i++) {
        tell_layer(s, r, &w.layers[i]);
    }
    return 200;
}

static void post_wish(struct signaling *s, struct http_request *rq, struct resource *r)
{
    size_t len;
    char why[SESSION_EXT_WHY_MAX];
    const char *body = http_body(rq, &len);
    if (!is_json(rq)) {
        return;
    }
    int status = session_ext_wish(s, r, body, len, why);
    if (status == 200) {
        http_answer_static(rq, 200, NULL, "", 0);
    } else if (status == 503) {
        problem_answer_later(rq, 503, "no-memory", why, 5);
    } else {
        problem_answer(rq, status, "wish", why);
    }
}

/* ---- people ---- */

static void get_people(struct http_request *rq, const struct resource *r)
{
    struct strbuf b = {0};
    size_t len;
    const char *after = http_query(rq, "after");
    uint64_t from = after != NULL ? strtoull(after, NULL, 10) : 0;
    roster_write_page(r->member->room, from, &b);
    char *text = strbuf_take(&b, &len);
    http_set_header(rq, "Cache-Control", "no-store");
    http_answer_take(rq, 200, "application/json", text, len);
}

/* ---- dispatch ---- */

static void handle_sse(struct signaling *s, struct http_request *rq, struct resource *r,
                       const char *name)
{
    enum http_method method = http_method(rq);
    if (method == HTTP_GET) {
        sse_read(s, rq, r, name);
    } else if (method == HTTP_POST && name == NULL) {
        sse_create(s, rq, r);
    } else if (method == HTTP_DELETE && name != NULL) {
        sse_delete(s, rq, r, name);
    } else {
        problem_answer_method(rq, name != NULL ? "GET, DELETE, OPTIONS" : "GET, POST, OPTIONS");
    }
}

void session_ext_handle(struct signaling *s, struct http_request *rq, struct resource *r,
                        const char *part)
{
    enum http_method method = http_method(rq);
    if (strcmp(part, "sse") == 0 || strncmp(part, "sse/", 4) == 0) {
        handle_sse(s, rq, r, part[3] == '/' ? part + 4 : NULL);
    } else if (strcmp(part, "layer") == 0 && r->role == API_PLAY) {
        if (method == HTTP_POST) {
            post_layer(s, rq, r);
        } else if (method == HTTP_DELETE) {
            delete_layer(s, rq, r);
        } else {
            problem_answer_method(rq, "POST, DELETE, OPTIONS");
        }
    } else if (strcmp(part, "wish") == 0 && r->member != NULL) {
        if (method == HTTP_POST) {
            post_wish(s, rq, r);
        } else {
            problem_answer_method(rq, "POST, OPTIONS");
        }
    } else if (strcmp(part, "people") == 0 && r->member != NULL) {
        if (method == HTTP_GET) {
            get_people(rq, r);
        } else {
            problem_answer_method(rq, "GET, OPTIONS");
        }
    } else {
        problem_answer(rq, 404, "not-found", "Nothing is here; the Link headers name what is.");
    }
}
