/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/cors.h"

#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "signaling/http.h"

const char *cors_allow_origin(const struct conf *c, const char *origin)
{
    for (int i = 0; i < c->http.cors_origins.n; i++) {
        const char *allowed = c->http.cors_origins.s[i];
        if (strcmp(allowed, "*") == 0) {
            return "*";
        }
        if (origin != NULL && strcmp(allowed, origin) == 0) {
            return allowed;
        }
    }
    return NULL;
}

static bool varies(const struct conf *c)
{
    return c->http.cors_origins.n > 0 && cors_allow_origin(c, NULL) == NULL;
}

void cors_apply(const struct conf *c, struct http_request *rq)
{
    if (varies(c)) {
        http_set_header(rq, "Vary", "Origin");
    }
    const char *allowed = cors_allow_origin(c, http_header(rq, "Origin"));
    if (allowed == NULL) {
        return;
    }
    http_set_header(rq, "Access-Control-Allow-Origin", allowed);
    /* Access-Control-Allow-Methods: Eyevinn's client trickles only if it can read PATCH there. */
    http_set_header(rq, "Access-Control-Expose-Headers",
                    "Location, ETag, Link, Retry-After, WWW-Authenticate, Accept-Post, "
                    "Accept-Patch, Allow, Access-Control-Allow-Methods");
}

/* By name, since Fetch's "*" does not cover Authorization (WHIP-16); ETag: Eyevinn's client sends
 * the tag in a request header of that name. */
#define HEADERS   "Authorization, Content-Type, If-Match, ETag"
#define ASKED_MAX 512

/* Players send headers of their makers along (OvenLiveKit: Oven-Capabilities, Livepeer:
 * Livepeer-Jwt): nothing here reads them, but a browser keeps the whole request back if they are
 * not allowed. Those that the page asks for, where they are names (RFC 9110 5.6.2). */
static void allow_headers(struct http_request *rq)
{
    static const char list[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz, ";
    char all[sizeof(HEADERS) + ASKED_MAX + 2] = HEADERS;
    const char *asked = http_header(rq, "Access-Control-Request-Headers");
    size_t n = asked != NULL ? strlen(asked) : 0;
    if (n > 0 && n <= ASKED_MAX && strspn(asked, list) == n) {
        snprintf(all, sizeof(all), HEADERS ", %s", asked);
    }
    http_set_header(rq, "Access-Control-Allow-Headers", all);
}

void cors_apply_options(const struct conf *c, struct http_request *rq, const char *methods)
{
    if (cors_allow_origin(c, http_header(rq, "Origin")) == NULL) {
        return;
    }
    http_set_header(rq, "Access-Control-Allow-Methods", methods);
    allow_headers(rq);
    http_set_header(rq, "Access-Control-Max-Age", "600");
    const char *private_network = http_header(rq, "Access-Control-Request-Private-Network");
    if (private_network != NULL && strcmp(private_network, "true") == 0) {
        http_set_header(rq, "Access-Control-Allow-Private-Network", "true");
    }
}
