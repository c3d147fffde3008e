/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/web.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "signaling/asset.h"
#include "signaling/etag.h"
#include "signaling/http.h"
#include "signaling/problem.h"

/* web_assets.h is the list ASSET(number, "name", "absolute path"), written by web/assets.sh. */
#define ASSET(i, name, path) ASSET_BYTES(web, i, path)
#include "web_assets.h"
#undef ASSET

struct asset {
    const char *name;
    const char *start;
    const char *end;
};

static const struct asset assets[] = {
#define ASSET(i, name, path) {name, web_asset_##i, web_asset_end_##i},
#include "web_assets.h"
#undef ASSET
};

static const char *type_of(const char *name)
{
    static const struct {
        const char *suffix;
        const char *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".webmanifest", "application/manifest+json"},
        {".txt", "text/plain; charset=utf-8"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < ARRAY_LEN(types); i++) {
        if (strcmp(dot, types[i].suffix) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

const char *web_find(const char *path, size_t *ret_len, const char **ret_type)
{
    const char *name = strcmp(path, "/") == 0 ? "/index.html" : path;
    for (size_t i = 0; i < ARRAY_LEN(assets); i++) {
        if (name[0] == '/' && strcmp(assets[i].name, name + 1) == 0) {
            *ret_len = (size_t)(assets[i].end - assets[i].start);
            *ret_type = type_of(assets[i].name);
            return assets[i].start;
        }
    }
    return NULL;
}

static void tag_of(const char *body, size_t len, char out[17])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)body, len, digest);
    for (int i = 0; i < 8; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}

void web_handle(struct http_request *rq, void *ctx)
{
    (void)ctx;
    size_t len;
    const char *type;
    const char *body = web_find(http_path(rq), &len, &type);
    char tag[17];
    char quoted[20];
    if (body == NULL) {
        problem_answer(rq, 404, "not-found",
                       "Nothing is here. Publish by POST to /whip/ROOM, play by POST to "
                       "/whep/ROOM.");
        return;
    }
    if (http_method(rq) != HTTP_GET && http_method(rq) != HTTP_HEAD) {
        problem_answer_method(rq, "GET, HEAD");
        return;
    }
    tag_of(body, len, tag);
    snprintf(quoted, sizeof(quoted), "\"%s\"", tag);
    http_set_header(rq, "ETag", quoted);
    http_set_header(rq, "Cache-Control", "no-cache"); // ask each time; 304 is cheap
    http_set_header(rq, "Content-Security-Policy",
                    "default-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
                    "media-src 'self' blob: mediastream:; object-src 'none'; base-uri 'none'; "
                    "form-action 'none'; frame-ancestors 'none'");
    http_set_header(rq, "Referrer-Policy", "no-referrer");
    http_set_header(rq, "Permissions-Policy",
                    "camera=(self), microphone=(self), display-capture=(self)");
    enum etag_match match = etag_match(http_header(rq, "If-None-Match"), tag);
    if (match == ETAG_CURRENT || match == ETAG_ANY) {
        http_answer_static(rq, 304, NULL, "", 0);
    } else {
        http_answer_static(rq, 200, type, body, len);
    }
}
