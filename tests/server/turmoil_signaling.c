/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/turmoil.h"
#include "tests/server/turmoil_bytes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SDP_TYPE  "application/sdp"
#define FRAG_TYPE "application/trickle-ice-sdpfrag"

/* ---- requests ---- */

static void on_answer(void *ctx, const struct peer_http_response *r)
{
    struct turmoil_ask *a = ctx;
    struct turmoil_guest *g = a->joins;

    a->http = NULL;
    if (!g || !g->p || g->life != a->life || r->status != 201) {
        return;
    }
    if (peer_http_join_url(g->p->url, r->location, g->p->location, sizeof(g->p->location)) == 0) {
        memcpy(g->p->etag, r->etag, sizeof(g->p->etag));
        (void)peer_use_offer(g->p, g->offer);
        (void)peer_set_answer(g->p, r->body, r->body_len);
    }
}

bool turmoil_request(bool admin, const char *method, const char *path, const char *type,
                     const char *body, struct turmoil_guest *joins)
{
    char url[2048], headers[64];
    struct turmoil_ask *a = &turmoil.asks[turmoil_any(TURMOIL_ASKS)];

    if (a->http) {
        if (!turmoil_maybe(3)) {
            return false;
        }
        peer_http_cancel(a->http); /* who asks hangs up */
        a->http = NULL;
    }
    if (path[0] == '/') {
        snprintf(url, sizeof(url), "http://127.0.0.1:%u%s",
                 admin ? turmoil.server.admin_port : turmoil.server.http_port, path);
    } else {
        snprintf(url, sizeof(url), "%s", path);
    }
    snprintf(headers, sizeof(headers), "%s", turmoil_maybe(10) ? "If-None-Match: *\r\n" : "");
    struct peer_http_request rq = {
        .method = method,
        .url = url,
        .content_type = type,
        .if_match = turmoil_maybe(4) ? (turmoil_maybe(2) ? "*" : "\"wrong\"") : NULL,
        .headers = headers,
        .body = body,
        .body_len = body ? strlen(body) : 0,
    };
    a->joins = joins;
    a->life = joins ? joins->life : 0;
    a->http = peer_http_start(turmoil.server.loop, &rq, 20000000, on_answer, a);
    return a->http != NULL;
}

const char *turmoil_wish(void)
{
    const char *const wishes[] = {
        "{\"pin\":[\"a\",\"b~screen\",\"a\"],\"mute\":[\"c\"]}",
        "{\"slots\":[{\"mid\":\"1\",\"stream\":\"a\"},{\"mid\":\"2\",\"off\":true}]}",
        "{\"slots\":[{\"mid\":\"1\",\"layer\":{\"rid\":\"q\",\"maxWidth\":-1}}]}",
        "{\"mediaId\":\"1\",\"encodingId\":\"h\",\"maxTemporalLayerId\":0}",
        "[\"active\",\"layers\",\"slots\",\"stats\"]",
        "{\"pin\":[],\"slots\":[{\"mid\":\"1\",\"stream\":null}]}",
        "{\"pin\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "{\"pin\":\"\\ud800\",\"pin\":{}}",
    };

    return wishes[turmoil_any(PEER_LEN(wishes))];
}

/* ---- signaling ---- */

bool turmoil_patch(void)
{
    struct turmoil_guest *g = turmoil_guest(PEER_ICE, PEER_UP);
    char text[1024] = "";

    if (!g) {
        return false;
    }
    if (turmoil_maybe(3)) {
        return peer_ice_restart(g->p) == 0;
    }
    if (turmoil_maybe(2)) {
        (void)peer_fragment(g->p, text, sizeof(text));
    } else {
        (void)peer_restart_fragment(g->p, text, sizeof(text));
    }
    char *body = turmoil_edit(&turmoil.rng, text, 3);
    int r =
        peer_patch(g->p, turmoil_maybe(8) ? SDP_TYPE : FRAG_TYPE,
                   turmoil_maybe(2) ? peer_etag(g->p) : (turmoil_maybe(2) ? "\"old\"" : "*"), body);
    free(body);
    return r == 0;
}

bool turmoil_ask_session(void)
{
    static const struct {
        const char *method, *path, *type;
    } kinds[] = {
        {"GET", "/sse", NULL},      {"GET", "/sse", NULL},      {"POST", "/sse", "json"},
        {"POST", "/wish", "json"},  {"POST", "/wish", "json"},  {"POST", "/layer", "json"},
        {"DELETE", "/layer", NULL}, {"GET", "/people", NULL},   {"GET", "/people?after=3", NULL},
        {"OPTIONS", "", NULL},      {"HEAD", "", NULL},         {"PUT", "/sse/1", "json"},
        {"GET", "/sse/1", NULL},    {"DELETE", "/sse/1", NULL},
    };
    struct turmoil_guest *g = turmoil_guest(PEER_ICE, PEER_CLOSED);
    unsigned k = turmoil_any(PEER_LEN(kinds));
    char url[600];

    if (!g || !peer_location(g->p)[0]) {
        return false;
    }
    snprintf(url, sizeof(url), "%s%s", peer_location(g->p), kinds[k].path);
    char *body =
        kinds[k].type ? turmoil_edit(&turmoil.rng, turmoil_wish(), turmoil_maybe(3)) : NULL;
    bool done =
        turmoil_request(false, kinds[k].method, url, body ? "application/json" : NULL, body, NULL);
    free(body);
    return done;
}

bool turmoil_moderate(void)
{
    static const struct {
        const char *method, *path;
    } kinds[] = {
        {"POST", "rooms/t%u/participants/%c/mute"},
        {"POST", "rooms/t%u/participants/%c/mute"},
        {"POST", "rooms/t%u/participants/%c/unmute"},
        {"DELETE", "rooms/t%u/participants/%c"},
        {"DELETE", "rooms/t%u/participants/%c?revoke=true"},
        {"POST", "rooms/t%u/lock"},
        {"POST", "rooms/t%u/unlock"},
        {"POST", "rooms/t%u/unlock"},
        {"POST", "rooms/t%u/unlock"},
        {"DELETE", "rooms/t%u"},
        {"GET", "rooms/t%u/participants"},
        {"GET", "rooms"},
        {"GET", "sessions?limit=%u"},
        {"GET", "streams"},
        {"GET", "health"},
        {"DELETE", "tokens/jti%u"},
    };
    static const char *const bodies[] = {"{}", "{\"microphone\":true}", "{\"video\":true}",
                                         "{\"audio\":false,\"screen\":1}", "["};
    char path[200];
    unsigned k = turmoil_any(PEER_LEN(kinds));

    size_t at = (size_t)snprintf(path, sizeof(path), "/api/v1/");
    snprintf(path + at, sizeof(path) - at, kinds[k].path, turmoil_any(3),
             (int)('a' + turmoil_any(4)));
    if (!strcmp(kinds[k].method, "DELETE") && !turmoil_maybe(3)) {
        return false;
    }
    const char *body =
        strcmp(kinds[k].method, "POST") ? NULL : bodies[turmoil_any(PEER_LEN(bodies))];
    return turmoil_request(true, kinds[k].method, path, body ? "application/json" : NULL, body,
                           NULL);
}

bool turmoil_kick(void)
{
    char path[100];
    static const char *const kinds[][2] = {{"DELETE", "/api/v1/sessions/%llu"},
                                           {"GET", "/api/v1/sessions/%llu"},
                                           {"POST", "/api/v1/streams/%llu/keyframe"}};
    unsigned k = turmoil_any(3);

    snprintf(path, sizeof(path), kinds[k][1],
             (unsigned long long)(turmoil.spared + 1 + turmoil_any(SERVER_SCALED(400, 200))));
    return turmoil_request(true, kinds[k][0], path, NULL, NULL, NULL);
}

bool turmoil_reload(void)
{
    return turmoil_maybe(3) && kill(turmoil.server.pid, SIGHUP) == 0;
}
