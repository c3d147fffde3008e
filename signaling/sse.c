/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/sse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "signaling/conference.h"
#include "signaling/control.h"
#include "signaling/entropy.h"
#include "signaling/http.h"
#include "signaling/http_stream.h"
#include "signaling/json.h"
#include "signaling/origin.h"
#include "signaling/post.h"
#include "signaling/problem.h"
#include "signaling/resource.h"
#include "signaling/roster.h"
#include "signaling/sse_json.h"
#include "signaling/state.h"
#include "signaling/strbuf.h"
#include "signaling/tally.h"

#define TYPE     "text/event-stream"
#define NAME_LEN 16
#define TICK_MS  1000
/* Ticks between comments that keep proxies from closing a quiet connection (WHEP-28), and between
 * looks whether the client is still there. */
#define HEARTBEAT_TICKS 15
#define CHECK_TICKS     2

struct event_stream {
    struct list by_session; /* resource->event_streams, oldest first */
    struct list open;       /* sse->open: being read */
    struct signaling *s;
    struct resource *r; /* NULL: the session has ended */
    char name[NAME_LEN + 1];
    unsigned kinds;
    bool passing;               /* made by the GET that reads it: goes with it */
    struct http_stream *http;   /* NULL: nobody reads it now */
    struct tally_count *reader; /* in sse->readers, while it is read */
};

struct sse {
    struct signaling *s;
    struct list open;
    struct tally readers; /* by network */
    unsigned n_open;
    uint64_t dropped;
    uint64_t ticks;
    uv_timer_t timer;
};

static const char *const names[SSE_COUNT] = {
    [SSE_ACTIVE] = "active",       [SSE_INACTIVE] = "inactive",
    [SSE_LAYERS] = "layers",       [SSE_VIEWERCOUNT] = "viewercount",
    [SSE_RECONNECT] = "reconnect", [SSE_PARTICIPANTS] = "participants",
    [SSE_SLOTS] = "slots",         [SSE_SPEAKERS] = "speakers",
    [SSE_STATS] = "stats",
};

int sse_find(const char *name)
{
    for (int i = 0; i < SSE_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *sse_name(enum sse_kind k)
{
    return names[k];
}

unsigned sse_of(const struct resource *r)
{
    if (r->role == API_PUBLISH) {
        return 1U << SSE_STATS;
    }
    return r->member != NULL ? SSE_STANDARD | SSE_OWN : SSE_STANDARD | 1U << SSE_STATS;
}

/* ---- streams ---- */

static void free_stream(struct event_stream *es)
{
    list_remove(&es->by_session);
    if (es->r != NULL) {
        es->r->n_event_streams--;
    }
    free(es);
}

static struct event_stream *new_stream(struct signaling *s, struct resource *r, unsigned kinds)
{
    struct event_stream *es = calloc(1, sizeof(*es));
    if (es == NULL) {
        return NULL;
    }
    list_init(&es->by_session);
    list_init(&es->open);
    es->s = s;
    es->r = r;
    es->kinds = kinds;
    entropy_text(es->name, NAME_LEN);
    list_append(&r->event_streams, &es->by_session);
    r->n_event_streams++;
    return es;
}

/* Makes room for one more: the oldest that nobody reads goes. False: all are being read. */
static bool make_room(struct resource *r)
{
    LIST_EACH(it, &r->event_streams)
    {
        struct event_stream *es = container_of(it, struct event_stream, by_session);
        if (r->n_event_streams >= SSE_STREAMS_PER_SESSION && es->http == NULL) {
            free_stream(es);
        }
    }
    return r->n_event_streams < SSE_STREAMS_PER_SESSION;
}

void sse_note_wanted(struct resource *r)
{
    r->sse_wanted = list_empty(&r->by_control) ? 0 : sse_of(r);
    LIST_EACH(it, &r->event_streams)
    {
        const struct event_stream *es = container_of(it, struct event_stream, by_session);
        r->sse_wanted |= es->http != NULL ? es->kinds : 0;
    }
}

/* The connection has gone; es->r may have before. */
static void on_closed(void *ctx)
{
    struct event_stream *es = ctx;
    es->http = NULL;
    list_remove(&es->open);
    tally_leave(es->reader);
    es->s->sse->n_open--;
    if (es->r != NULL) {
        sse_note_wanted(es->r);
    }
    if (es->r == NULL || es->passing) {
        free_stream(es);
    }
}

static void write_event(struct event_stream *es, const char *name, const char *json, size_t len)
{
    struct strbuf b = {0};
    size_t n;
    strbuf_addf(&b, "event: %s\ndata: %.*s\n\n", name, (int)len, json);
    char *text = strbuf_take(&b, &n);
    if (text == NULL || http_stream_write(es->http, text, n) < 0) {
        es->s->sse->dropped++;
        http_stream_abort(es->http);
    }
    free(text);
}

/* Who is told: one stream, or (NULL) the session's control channel. */
struct reader {
    struct signaling *s;
    struct resource *r;
    struct event_stream *es;
    unsigned kinds;
};

static void tell(const struct reader *to, enum sse_kind kind, const char *json, size_t len)
{
    if (to->es != NULL) {
        write_event(to->es, names[kind], json, len);
    } else {
        control_send(to->s, to->r, names[kind], json, len);
    }
}

static void tell_buf(const struct reader *to, enum sse_kind kind, struct strbuf *b)
{
    if (b->text != NULL && !b->failed) {
        tell(to, kind, b->text, b->len);
    }
    free(b->text);
    *b = (struct strbuf){0};
}

static void tell_room(const struct reader *to)
{
    struct strbuf b = {0};
    struct member *m = to->r->member;
    if (to->kinds & 1U << SSE_PARTICIPANTS) {
        roster_write_snapshot(m->room, &b);
        tell_buf(to, SSE_PARTICIPANTS, &b);
    }
    if (to->kinds & 1U << SSE_SLOTS) {
        conference_write_slots(to->s, m, true, &b);
        tell_buf(to, SSE_SLOTS, &b);
    }
    if (to->kinds & 1U << SSE_SPEAKERS) {
        conference_write_speakers(m->room, clock_now_us(), &b);
        tell_buf(to, SSE_SPEAKERS, &b);
    }
}

/* How things stand, for one who has just connected. */
static void tell_snapshot(const struct reader *to)
{
    struct resource *r = to->r;
    struct strbuf b = {0};
    if (sse_is_active(to->s, r)) {
        r->told_active = true;
        if (to->kinds & 1U << SSE_ACTIVE) {
            tell(to, SSE_ACTIVE, "{}", 2);
        }
    }
    if (to->kinds & 1U << SSE_VIEWERCOUNT) {
        r->told_viewers = sse_viewers(to->s, r);
        strbuf_addf(&b, "{\"viewercount\":%u}", r->told_viewers);
        tell_buf(to, SSE_VIEWERCOUNT, &b);
    }
    if (r->member != NULL) {
        tell_room(to);
    }
}

void sse_tell_all(struct signaling *s, struct resource *r)
{
    struct reader to = {.s = s, .r = r, .kinds = sse_of(r)};
    sse_note_wanted(r);
    tell_snapshot(&to);
}

static void answer_no_memory(struct http_request *rq)
{
    problem_answer_later(rq, 503, "no-memory", "The server is out of memory.", 5);
}

/* Begins to serve es to rq. */
static void serve(struct event_stream *es, struct http_request *rq)
{
    struct sse *e = es->s->sse;
    struct tally_count *reader = tally_enter(&e->readers, http_client(rq));
    if (reader == NULL) {
        answer_no_memory(rq);
        return;
    }
    if (es->http != NULL) {
        /* A browser that reconnects may be faster than the end of its old connection. */
        struct event_stream *again = new_stream(es->s, es->r, es->kinds);
        if (again == NULL) {
            tally_leave(reader);
            answer_no_memory(rq);
            return;
        }
        memcpy(again->name, es->name, sizeof(again->name));
        again->passing = es->passing;
        es->passing = true;
        es->name[0] = '\0';
        http_stream_abort(es->http);
        es = again;
    }
    http_set_header(rq, "Cache-Control", "no-store");
    http_set_header(rq, "X-Accel-Buffering", "no"); // nginx would hold events back
    es->http = http_stream_begin(rq, TYPE, on_closed, es);
    if (es->http == NULL) {
        tally_leave(reader);
        return;
    }
    es->reader = reader;
    list_append(&e->open, &es->open);
    e->n_open++;
    sse_note_wanted(es->r);
    if (http_stream_write(es->http, "retry: 2000\n\n", 13) < 0) {
        http_stream_abort(es->http);
        return;
    }
    tell_snapshot(&(struct reader){.s = es->s, .r = es->r, .es = es, .kinds = es->kinds});
}

/* ---- requests ---- */

/* The kinds in a JSON list of names; 0 after answering. */
static unsigned read_kinds(struct http_request *rq, const struct resource *r)
{
    size_t len;
    const char *body = http_body(rq, &len);
    cJSON *list = NULL;
    unsigned kinds = 0;
    if (!http_is_type(rq, "application/json")) {
        problem_answer(rq, 415, "content-type",
                       "Post the names of events as a JSON list, Content-Type: application/json.");
        return 0;
    }
    bool good = json_parse(body, len, 2, &list) == 0 && cJSON_IsArray(list) && list->child != NULL;
    for (const cJSON *i = good ? list->child : NULL; i != NULL && good; i = i->next) {
        int kind = cJSON_IsString(i) ? sse_find(i->valuestring) : -1;
        good = kind >= 0 && (sse_of(r) >> kind & 1);
        kinds |= good ? 1U << kind : 0;
    }
    cJSON_Delete(list);
    if (!good) {
        problem_answer(rq, 400, "events",
                       "The body must be a JSON list of events that the Link header offers.");
        return 0;
    }
    return kinds;
}

void sse_create(struct signaling *s, struct http_request *rq, struct resource *r)
{
    char base[ORIGIN_MAX], location[ORIGIN_MAX + 128];
    unsigned kinds = read_kinds(rq, r);
    if (kinds == 0) {
        return;
    }
    struct event_stream *es = make_room(r) ? new_stream(s, r, kinds) : NULL;
    if (es == NULL) {
        problem_answer_later(rq, 429, "event-streams",
                             "This session has as many event streams as it may.", 5);
        return;
    }
    origin_find(s->conf, rq, base);
    snprintf(location, sizeof(location), "%s/session/%s/sse/%s", base, r->token, es->name);
    http_set_header(rq, "Location", location);
    http_answer_static(rq, 201, NULL, "", 0);
}

static struct event_stream *find(const struct resource *r, const char *name)
{
    LIST_EACH(it, &r->event_streams)
    {
        struct event_stream *es = container_of(it, struct event_stream, by_session);
        if (strcmp(es->name, name) == 0) {
            return es;
        }
    }
    return NULL;
}

static void answer_unknown(struct http_request *rq)
{
    problem_answer(rq, 404, "no-event-stream", "There is no such event stream, or it has ended.");
}

void sse_read(struct signaling *s, struct http_request *rq, struct resource *r, const char *name)
{
    struct event_stream *es = name != NULL ? find(r, name) : NULL;
    if (name != NULL && es == NULL) {
        answer_unknown(rq);
        return;
    }
    int limit = s->conf->http.event_streams_per_ip;
    if (tally_of(&s->sse->readers, http_client(rq)) >= (unsigned)limit) {
        problem_answer_later(rq, 429, "event-streams", "Too many event streams from this address.",
                             10);
        return;
    }
    if (es == NULL) {
        es = make_room(r) ? new_stream(s, r, sse_of(r)) : NULL;
        if (es == NULL) {
            problem_answer_later(rq, 429, "event-streams",
                                 "This session has as many event streams as it may.", 5);
            return;
        }
        es->passing = true;
    }
    serve(es, rq);
}

void sse_delete(struct signaling *s, struct http_request *rq, struct resource *r, const char *name)
{
    struct event_stream *es = find(r, name);
    (void)s;
    if (es == NULL) {
        answer_unknown(rq);
        return;
    }
    if (es->http != NULL) {
        es->passing = true;
        es->name[0] = '\0';
        http_stream_abort(es->http);
    } else {
        free_stream(es);
    }
    http_answer_static(rq, 200, NULL, "", 0);
}

/* ---- sending ---- */

bool sse_wants(const struct resource *r, enum sse_kind kind)
{
    return r->sse_wanted >> kind & 1;
}

void sse_send(struct signaling *s, struct resource *r, enum sse_kind kind, const char *json,
              size_t len)
{
    if (json == NULL || !sse_wants(r, kind)) {
        return;
    }
    control_send(s, r, names[kind], json, len);
    LIST_EACH(it, &r->event_streams)
    {
        struct event_stream *es = container_of(it, struct event_stream, by_session);
        if (es->http != NULL && (es->kinds >> kind & 1)) {
            write_event(es, names[kind], json, len);
        }
    }
}

void sse_activity(struct signaling *s, struct resource *r, bool active)
{
    if (r->told_active != active) {
        r->told_active = active;
        sse_send(s, r, active ? SSE_ACTIVE : SSE_INACTIVE, "{}", 2);
    }
}

static void stream_activity(struct signaling *s, struct resource *r, uint64_t stream)
{
    if (r != NULL && r->role == API_PLAY && r->stream != NULL && r->stream->id == stream) {
        sse_activity(s, r, sse_is_active(s, r));
    }
}

void sse_stream_activity(struct signaling *s, uint64_t stream)
{
    LIST_EACH(it, &s->sse->open)
    {
        stream_activity(s, container_of(it, struct event_stream, open)->r, stream);
    }
    LIST_EACH(it, &s->controls)
    {
        stream_activity(s, container_of(it, struct resource, by_control), stream);
    }
}

void sse_end(struct signaling *s, struct resource *r)
{
    (void)s;
    r->sse_wanted = 0;
    list_remove(&r->by_control);
    LIST_EACH(it, &r->event_streams)
    {
        struct event_stream *es = container_of(it, struct event_stream, by_session);
        list_remove(&es->by_session);
        r->n_event_streams--;
        es->r = NULL;
        if (es->http != NULL) {
            http_stream_end(es->http); // on_closed frees it
        } else {
            free_stream(es);
        }
    }
}

void sse_drain(struct signaling *s)
{
    LIST_EACH(it, &s->sse->open)
    {
        struct event_stream *es = container_of(it, struct event_stream, open);
        if (es->r != NULL && (es->kinds >> SSE_RECONNECT & 1)) {
            write_event(es, names[SSE_RECONNECT], "{}", 2);
        }
    }
    LIST_EACH(it, &s->controls)
    {
        struct resource *r = container_of(it, struct resource, by_control);
        if (sse_of(r) >> SSE_RECONNECT & 1) {
            control_send(s, r, names[SSE_RECONNECT], "{}", 2);
        }
    }
}

void sse_on_stats(struct signaling *s, const struct api_session_stats *st)
{
    struct resource *r = resource_find_id(&s->sessions, st->id);
    if (r == NULL) {
        return;
    }
    if (r->role == API_PUBLISH && r->stream != NULL) {
        sse_note_layers(r->stream, st);
    }
    if (sse_wants(r, SSE_STATS)) {
        struct strbuf b = {0};
        sse_write_stats(s, st, &b);
        sse_send(s, r, SSE_STATS, b.text, b.len);
        free(b.text);
    }
}

/* ---- the clock ---- */

static void ask(struct signaling *s, const struct resource *r)
{
    struct api_cmd cmd = {.kind = API_CMD_QUERY, .id = r->id};
    int err = post_try(s->post, r->worker, &cmd);
    (void)err; // a full mailbox: the next second asks again
}

/* The publishers behind what r plays are asked for their layers, each once a second. */
static void ask_sources(struct signaling *s, const struct resource *r, uint64_t tick)
{
    struct stream *sources[SLOTS_MAX];
    unsigned n = sse_sources(s, r, sources);
    for (unsigned i = 0; i < n; i++) {
        struct stream *st = sources[i];
        const struct resource *p =
            st->publisher != 0 ? resource_find_id(&s->sessions, st->publisher) : NULL;
        if (p != NULL && st->layers.asked != tick) {
            st->layers.asked = tick;
            ask(s, p);
        }
    }
}

static void tick_session(struct signaling *s, struct resource *r, uint64_t tick)
{
    if (r->sse_tick == tick) {
        return; // another stream of the same session
    }
    r->sse_tick = tick;
    if (sse_wants(r, SSE_STATS)) {
        ask(s, r);
    }
    if (sse_wants(r, SSE_LAYERS)) {
        struct strbuf b = {0};
        uint64_t digest = sse_write_layers(s, r, &b);
        if (digest != r->told_layers && digest != 0) {
            r->told_layers = digest;
            sse_send(s, r, SSE_LAYERS, b.text, b.len);
        }
        free(b.text);
        ask_sources(s, r, tick);
    }
    unsigned viewers = sse_wants(r, SSE_VIEWERCOUNT) ? sse_viewers(s, r) : r->told_viewers;
    if (viewers != r->told_viewers) {
        char text[48];
        r->told_viewers = viewers;
        int n = snprintf(text, sizeof(text), "{\"viewercount\":%u}", viewers);
        sse_send(s, r, SSE_VIEWERCOUNT, text, (size_t)n);
    }
}

static void on_timer(uv_timer_t *h)
{
    struct sse *e = h->data;
    uint64_t tick = ++e->ticks;
    LIST_EACH(it, &e->open)
    {
        struct event_stream *es = container_of(it, struct event_stream, open);
        if (es->r == NULL) {
            continue;
        }
        tick_session(e->s, es->r, tick);
        if (tick % HEARTBEAT_TICKS == 0 && http_stream_write(es->http, ":\n\n", 3) < 0) {
            e->dropped++;
            http_stream_abort(es->http);
        }
        if (tick % CHECK_TICKS == 0) {
            http_stream_check(es->http);
        }
    }
    LIST_EACH(it, &e->s->controls)
    {
        tick_session(e->s, container_of(it, struct resource, by_control), tick);
    }
    control_tick(e->s);
}

struct sse *sse_new(struct signaling *s)
{
    struct sse *e = calloc(1, sizeof(*e));
    if (e != NULL) {
        e->s = s;
        list_init(&e->open);
        tally_init(&e->readers, entropy_u64());
        uv_timer_init(s->loop, &e->timer);
        e->timer.data = e;
        uv_timer_start(&e->timer, on_timer, TICK_MS, TICK_MS);
    }
    return e;
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h->data);
}

void sse_free(struct sse *e)
{
    if (e != NULL) {
        const struct resource_table *t = &e->s->sessions;
        for (size_t i = 0; i < ARRAY_LEN(t->ids); i++) {
            LIST_EACH(it, &t->ids[i])
            {
                sse_end(e->s, container_of(it, struct resource, by_id));
            }
        }
        uv_close((uv_handle_t *)&e->timer, on_timer_closed);
    }
}

unsigned sse_open(const struct sse *e)
{
    return e->n_open;
}

uint64_t sse_dropped(const struct sse *e)
{
    return e->dropped;
}
