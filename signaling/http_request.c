/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.c - what a handler sees of its request, and how it answers. */
#include "signaling/http.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "signaling/http_head.h"
#include "signaling/http_inner.h"

enum http_method http_method(const struct http_request *rq)
{
    return rq->method;
}

const char *http_path(const struct http_request *rq)
{
    return rq->path;
}

const char *http_tail(const struct http_request *rq)
{
    return rq->path + (rq->route->prefix ? strlen(rq->route->path) : 0);
}

const char *http_header(const struct http_request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->mc, MHD_HEADER_KIND, name);
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) % 16 : -1;
}

bool http_unescape(const char *text, size_t len, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex(text[i + 1]) : -1;
            int low = i + 2 < len ? hex(text[i + 2]) : -1;
            c = high < 0 || low < 0 ? -1 : high * 16 + low;
            i += 2;
        }
        if (n + 1 >= cap || c < ' ' || c == 0x7f) {
            return false;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return true;
}

static enum MHD_Result match_key(void *cls, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    (void)kind;
    (void)value;
    const char **want = cls;
    if (strcmp(key, *want) == 0) {
        *want = NULL;
        return MHD_NO;
    }
    return MHD_YES;
}

const char *http_query(const struct http_request *rq, const char *key)
{
    return MHD_lookup_connection_value(rq->mc, MHD_GET_ARGUMENT_KIND, key);
}

bool http_has_query(const struct http_request *rq, const char *key)
{
    const char *want = key;
    MHD_get_connection_values(rq->mc, MHD_GET_ARGUMENT_KIND, match_key, &want);
    return want == NULL;
}

const char *http_body(const struct http_request *rq, size_t *ret_len)
{
    *ret_len = rq->body_len;
    return rq->body != NULL ? rq->body : "";
}

bool http_is_type(const struct http_request *rq, const char *type)
{
    const char *have = http_header(rq, "Content-Type");
    if (have == NULL) {
        return false;
    }
    size_t len = strcspn(have, "; \t");
    return len == strlen(type) && strncasecmp(have, type, len) == 0;
}

const struct addr *http_client(const struct http_request *rq)
{
    return &rq->client;
}

bool http_is_proxied(const struct http_request *rq)
{
    return rq->proxied;
}

int http_local(const struct http_request *rq, struct addr *ret)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);
    if (getsockname(rq->conn->fd, (struct sockaddr *)&at, &len) < 0) {
        return -errno;
    }
    return addr_from_sockaddr(ret, (struct sockaddr *)&at);
}

bool http_is_tls(const struct http_request *rq)
{
    return rq->server->params.tls != NULL;
}

int64_t http_begun_us(const struct http_request *rq)
{
    return rq->begun_us;
}

/* ---- the answer ---- */

void http_note_problem(struct http_request *rq, const char *type)
{
    rq->problem = type;
}

void http_on_lost(struct http_request *rq, void (*fn)(uint64_t id, void *ctx), uint64_t id)
{
    rq->on_lost = fn;
    rq->lost_id = id;
}

void http_set_header(struct http_request *rq, const char *name, const char *value)
{
    assert(rq->n_headers < HTTP_ANSWER_HEADERS);
    if (rq->n_headers == HTTP_ANSWER_HEADERS || !http_head_is_value(value, strlen(value))) {
        return;
    }
    char *copy = strdup(value);
    if (copy == NULL) {
        rq->failed = true;
        return;
    }
    rq->headers[rq->n_headers++] = (struct http_answer_header){.name = name, .value = copy};
}

void http_answer_response(struct http_request *rq, int status, const char *type,
                          struct MHD_Response *response)
{
    assert(rq->response == NULL);
    rq->status = status;
    rq->response = response;
    if (rq->server->params.before_answer != NULL) {
        rq->server->params.before_answer(rq, rq->server->params.ctx);
    }
    if (response == NULL) {
        rq->failed = true;
    } else {
        if (type != NULL) {
            MHD_add_response_header(response, "Content-Type", type);
        }
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        for (int i = 0; i < rq->n_headers; i++) {
            MHD_add_response_header(response, rq->headers[i].name, rq->headers[i].value);
        }
    }
    if (rq->suspended) {
        rq->suspended = false;
        http_resume(rq);
    }
}

void http_answer(struct http_request *rq, int status, const char *type, const char *body,
                 size_t len)
{
    /* The library copies; its parameter only lacks a const. */
    http_answer_response(
        rq, status, type,
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY));
}

void http_answer_take(struct http_request *rq, int status, const char *type, char *body, size_t len)
{
    if (body == NULL) {
        http_answer(rq, 500, NULL, "", 0);
        return;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(body);
    }
    http_answer_response(rq, status, type, response);
}

void http_answer_static(struct http_request *rq, int status, const char *type, const char *body,
                        size_t len)
{
    http_answer_response(
        rq, status, type,
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT));
}
