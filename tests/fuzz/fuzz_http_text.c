/* SPDX-License-Identifier: Apache-2.0 */
/* The small readers of what HTTP clients write: names, header fields, If-Match, X-Forwarded-For,
 * Authorization, and the glob of token patterns. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "signaling/auth.h"
#include "signaling/etag.h"
#include "signaling/http_head.h"
#include "signaling/proxy.h"
#include "signaling/rooms.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_name(const char *text)
{
    char room[ROOMS_NAME_MAX];
    char participant[ROOMS_NAME_MAX];
    bool named;
    if (rooms_split(text, room, participant, &named) == 0) {
        /* What passed is harmless in paths, headers, logs and JSON. */
        if (strcspn(room, "/%\\\"'<>\r\n ") != strlen(room) || strstr(room, "..") == room ||
            strcspn(participant, "/%\\\"'<>\r\n ") != strlen(participant)) {
            abort();
        }
    }
}

static void fuzz_proxy(const char *text)
{
    static struct conf_strings list = {.n = 2, .s = {"10.0.0.0/8", "fd00::/8"}};
    struct proxy_set set;
    struct addr peer;
    const char *bad;
    if (proxy_parse(&list, &set, &bad) < 0 || addr_parse_ip("10.0.0.1", 0, &peer) < 0) {
        abort();
    }
    struct addr client = proxy_client(&set, &peer, text);
    struct addr stranger;
    if (addr_parse_ip("192.0.2.1", 0, &stranger) < 0) {
        abort();
    }
    struct addr still = proxy_client(&set, &stranger, text);
    if (!addr_equal(&still, &stranger) || (text[0] == '\0' && !addr_equal(&client, &peer))) {
        abort();
    }
}

static void fuzz_auth(const char *text)
{
    static struct conf *c;
    static struct auth *a;
    const char *what;
    struct auth_verdict v;
    if (c == NULL) {
        c = calloc(1, sizeof(*c));
        c->auth.n_tokens = 1;
        c->auth.tokens[0] =
            (struct conf_token){.token = "s3cret", .name = "n", .pattern = "*", .publish = true};
        if (auth_new(c, &a, &what) < 0) {
            abort();
        }
    }
    struct auth_ask ask = {.header = text, .action = AUTH_PUBLISH, .label = "a/b"};
    auth_check(a, &ask, &v);
    if (v.result == AUTH_OK && strstr(text, "s3cret") == NULL) {
        abort();
    }
}

static void fuzz_head(const char *text, size_t len)
{
    struct http_head h = {0};
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end != NULL ? (size_t)(end - text) : len;
        const char *colon = memchr(text, ':', line);
        size_t name = colon != NULL ? (size_t)(colon - text) : line;
        http_head_field(&h, text, name, text + name, line - name);
        line += end != NULL ? 1 : 0;
        text += line;
        len -= line;
    }
    if (!http_head_is_bad(&h) && (h.lengths > 1 || (h.lengths == 1 && h.encodings == 1))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    char *text = malloc(len);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data + 1, len - 1);
    text[len - 1] = '\0';
    switch (data[0] % 6) {
    case 0:
        fuzz_name(text);
        break;
    case 1:
        (void)etag_match(text, "current");
        break;
    case 2:
        fuzz_proxy(text);
        break;
    case 3:
        fuzz_auth(text);
        break;
    case 4:
        fuzz_head(text, len - 1);
        break;
    default:
        (void)auth_grant_glob(text, "room/participant");
        (void)auth_grant_glob("*/p*t", text);
        break;
    }
    free(text);
    return 0;
}
