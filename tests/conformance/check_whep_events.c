/* SPDX-License-Identifier: Apache-2.0 */
/* check_whep_events.c - draft-ietf-wish-whep extensions: server-sent events and layer selection.
 * All of it is optional: what the 201 does not announce by a Link is not applicable. */
#include "tests/conformance/checks.h"

#include <strings.h>

#define SSE   "urn:ietf:params:whep:ext:core:server-sent-events"
#define LAYER "urn:ietf:params:whep:ext:core:layer"
#define JSON  "application/json"

/* The URL of a Link with this relation, absolute; NULL if the 201 has none. */
const char *check_extension(struct party *v, const char *rel, const char **ret_link)
{
    struct suite *s = v->suite;

    for (unsigned i = 0; reply_nth(v->created, "Link", i); i++) {
        const char *link = reply_nth(v->created, "Link", i);
        if (link[0] != '<' || !strstr(link, suite_keep(s, "\"%s\"", rel))) {
            continue;
        }
        const char *uri = suite_keep(s, "%.*s", (int)strcspn(link + 1, ">"), link + 1);
        *ret_link = link;
        if (!strncmp(uri, "http", 4)) {
            return uri;
        }
        const char *host = strstr(s->o.whep, "://") + 3;
        return suite_keep(s, "%.*s%s", (int)(host - s->o.whep + (long)strcspn(host, "/")),
                          s->o.whep, uri);
    }
    return NULL;
}

/* A viewer whose 201 announces the extension; skips the check if it does not. */
static struct party *with_extension(struct suite *s, const char *rel, const char **ret_url,
                                    const char **ret_link)
{
    struct party *v = party_pair(s, NULL);

    if (!v) {
        return NULL;
    }
    *ret_url = check_extension(v, rel, ret_link);
    if (!*ret_url) {
        suite_skip(s, "no Link with rel=\"%s\"", rel);
        return NULL;
    }
    return v;
}

/* The location of an event stream for these events, absolute; "" with the reply noted. */
static const char *subscribe(struct suite *s, const char *url, const char *events,
                             const struct reply **ret)
{
    *ret = ASK(s, .method = "POST", .url = url, .type = JSON, .body = events);
    const char *location = reply_get(*ret, "Location"), *host = strstr(url, "://") + 3;
    size_t origin = (size_t)(host - url) + strcspn(host, "/");
    return location[0] == '/' ? suite_keep(s, "%.*s%s", (int)origin, url, location) : location;
}

/* The same for a session that announces events; NULL with a fault noted, or the check skipped. */
static const char *open_stream(struct suite *s, const char *events)
{
    const char *url, *link;
    const struct reply *r;

    if (!with_extension(s, SSE, &url, &link)) {
        return NULL;
    }
    const char *stream = subscribe(s, url, events, &r);
    return suite_expect(s, r->status == 201, "status 201", "%s", reply_brief(r)) ? stream : NULL;
}

static void announced(struct suite *s)
{
    const char *url, *link;

    if (with_extension(s, SSE, &url, &link)) {
        EXPECT(s, strstr(link, "events=\""), "events=\"...\"", "%s", link);
    }
}

static void subscription(struct suite *s)
{
    const char *url, *link;
    const struct reply *r;

    if (!with_extension(s, SSE, &url, &link)) {
        return;
    }
    const char *stream = subscribe(s, url, "[\"active\",\"inactive\"]", &r);
    EXPECT_STATUS(s, r, 201);
    EXPECT(s, stream[0], "a Location", "none");
    (void)subscribe(s, url, "[\"no-such-event\"]", &r);
    EXPECT_STATUS(s, r, 400);
}

/* What the stream says within ms: it never ends, so this is a reply that ran out of patience. */
static const struct reply *read_stream(struct suite *s, const char *url, const char *token,
                                       unsigned ms)
{
    unsigned patience = s->o.patience_ms;
    s->o.patience_ms = ms;
    const struct reply *r = ASK(s, .method = "GET", .url = url, .token = token,
                                .headers = "Accept: text/event-stream\r\n");
    s->o.patience_ms = patience;
    return r;
}

static void stream_type(struct suite *s)
{
    const char *stream = open_stream(s, "[\"active\",\"inactive\"]");

    if (!stream) {
        return;
    }
    const struct reply *r = read_stream(s, stream, "", 500);
    EXPECT(s, !strncasecmp(reply_get(r, "Content-Type"), "text/event-stream", 17),
           "text/event-stream without a token", "%s %s", reply_brief(r), r->head);
}

/* Whether text begins with a JSON value; *ret_end is behind it. */
static bool is_json(const char *p, const char **ret_end, int depth);

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static bool is_json_string(const char *p, const char **ret_end)
{
    if (*p++ != '"') {
        return false;
    }
    for (; *p && *p != '"'; p++) {
        if ((unsigned char)*p < ' ' || (*p == '\\' && !*++p)) {
            return false;
        }
    }
    *ret_end = p + 1;
    return *p == '"';
}

/* The members of an object or the elements of an array, p behind the bracket. */
static bool is_json_list(const char *p, char close, const char **ret_end, int depth)
{
    p = skip_blanks(p);
    if (*p == close) {
        *ret_end = p + 1;
        return true;
    }
    for (;; p = skip_blanks(p + 1)) {
        if (close == '}') {
            if (!is_json_string(p, &p)) {
                return false;
            }
            p = skip_blanks(p);
            if (*p++ != ':') {
                return false;
            }
        }
        if (!is_json(p, &p, depth + 1)) {
            return false;
        }
        p = skip_blanks(p);
        if (*p != ',') {
            *ret_end = p + 1;
            return *p == close;
        }
    }
}

static bool is_json(const char *p, const char **ret_end, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    char *end;

    p = skip_blanks(p);
    if (depth > 16) {
        return false;
    }
    if (*p == '{' || *p == '[') {
        return is_json_list(p + 1, *p == '{' ? '}' : ']', ret_end, depth);
    }
    if (*p == '"') {
        return is_json_string(p, ret_end);
    }
    for (int i = 0; i < 3; i++) {
        if (!strncmp(p, words[i], strlen(words[i]))) {
            *ret_end = p + strlen(words[i]);
            return true;
        }
    }
    if (*p != '-' && (*p < '0' || *p > '9')) {
        return false; /* what strtod takes besides is not JSON */
    }
    (void)strtod(p, &end);
    *ret_end = end;
    return end > p;
}

static void layers_event(struct suite *s)
{
    const char *url, *link, *end;
    struct peer_params m;
    const struct reply *r;

    suite_params(s, false, &m);
    m.n_layers = 3;
    m.video_kbps = 900;
    struct party *v = LIVE(s, .params = &m) ? VIEW(s) : NULL;
    url = v ? check_extension(v, SSE, &link) : NULL;
    SKIP_IF(s, v && (!url || !strstr(link, "layers")), "no Link that announces \"layers\"");
    if (!v) {
        return;
    }
    const char *stream = subscribe(s, url, "[\"layers\"]", &r);
    EXPECT_STATUS(s, r, 201);
    r = read_stream(s, stream, NULL, 3000);
    const char *event = strstr(r->body, "event: layers");
    event = event ? event : strstr(r->body, "event:layers");
    const char *data = event ? strstr(event, "data:") : NULL;
    EXPECT(s, data, "an event \"layers\" within 3 s", "%.200s", r->body);
    const char *text = suite_keep(s, "%.*s", (int)strcspn(data + 5, "\r\n"), data + 5);
    EXPECT(s, is_json(text, &end, 0) && !*skip_blanks(end), "one line of strict JSON", "%.300s",
           text);
    EXPECT(s, !strstr(text, "heigth"), "\"height\", not the draft's slip of the pen", "%.300s",
           text);
}

static void stream_ends(struct suite *s)
{
    const char *stream = open_stream(s, "[\"active\"]");

    if (!stream) {
        return;
    }
    const struct reply *r = ASK(s, .method = "DELETE", .url = stream);
    EXPECT(s, r->status >= 200 && r->status < 300, "DELETE: 2xx", "%s", reply_brief(r));
    r = ASK(s, .method = "GET", .url = stream);
    EXPECT_STATUS(s, r, 404);
}

static void layer_announced(struct suite *s)
{
    const char *url, *link;
    struct party *v = with_extension(s, LAYER, &url, &link);

    if (v) {
        const char *events = NULL;
        (void)check_extension(v, SSE, &events);
        EXPECT(s, events && strstr(events, "layers"), "server-sent events with \"layers\" too",
               "%s", events ? events : "no such Link");
    }
}

static void layer_requests(struct suite *s)
{
    const char *url, *link;

    if (!with_extension(s, LAYER, &url, &link)) {
        return;
    }
    const struct reply *r =
        ASK(s, .method = "POST", .url = url, .type = JSON, .body = "{\"mediaId\":\"1\"}");
    EXPECT_STATUS(s, r, 200);
    r = ASK(s, .method = "POST", .url = url, .type = JSON,
            .body = "{\"mediaId\":\"1\",\"rid\":\"no-such-rid\"}");
    EXPECT_4XX(s, r);
    r = ASK(s, .method = "POST", .url = url, .type = JSON, .body = "{\"mediaId\":\"77\"}");
    EXPECT_4XX(s, r);
}

static void layer_reset(struct suite *s)
{
    const char *url, *link;

    if (with_extension(s, LAYER, &url, &link)) {
        const struct reply *r = ASK(s, .method = "DELETE", .url = url);
        EXPECT(s, r->status >= 200 && r->status < 300, "DELETE: automatic again", "%s",
               reply_brief(r));
    }
}

const struct check checks_whep_events[] = {
    {"WHEP-23", MAY, "draft-ietf-wish-whep events 3", "the events are announced by a Link",
     announced},
    {"WHEP-24", MUST, "draft-ietf-wish-whep events 3", "POST makes a stream; unknown events: 400",
     subscription},
    {"WHEP-25", MUST, "draft-ietf-wish-whep events 3", "text/event-stream without a token",
     stream_type},
    {"WHEP-26", MUST, "draft-ietf-wish-whep events 3", "DELETE of a stream; then 404", stream_ends},
    {"WHEP-27", MUST, "draft-ietf-wish-whep events 3.1", "no inactive event at the start", NULL,
     NULL, "needs a viewer that may come before the publisher, which the 409 excludes"},
    {"WHEP-28", POLICY, "robustness", "a heartbeat every 15 s", NULL, NULL,
     "takes longer than a check may"},
    {"WHEP-29", MAY, "draft-ietf-wish-whep events 4", "layers come with the layers event",
     layer_announced},
    {"WHEP-30", MUST, "draft-ietf-wish-whep events 4", "unknown layers are refused, known taken",
     layer_requests},
    {"WHEP-31", POLICY, "clients in the field", "DELETE of the layer URL: automatic", layer_reset},
    {"WHEP-32", POLICY, "draft-ietf-wish-whep events 3.3",
     "the layers event is one line of strict JSON", layers_event},
    {"WHEP-33", MAY, "draft-ietf-wish-whep events 3.4", "reconnect and viewercount", NULL, NULL,
     "the server sends them when it likes"},
    {0},
};
