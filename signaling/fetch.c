/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "rtp/list.h"

#define CONNECTIONS_MAX 16L /* kept open for the next request */

struct fetch_pool {
    uv_loop_t *loop;
    CURLM *multi; /* NULL until the first request: most servers never make one */
    uv_timer_t timer;
    struct list running;
    bool freed;
};

struct fetch {
    struct list node;
    struct fetch_pool *pool;
    CURL *easy;
    struct curl_slist *headers;
    char *post; /* the request's body */
    fetch_done_fn *fn;
    void *ctx;
    char *body;
    size_t len;
    size_t answer_max;
    bool too_large;
};

/* A socket that curl wants watched. */
struct watched {
    uv_poll_t poll;
    struct fetch_pool *pool;
    curl_socket_t fd;
};

/* ---- ends ---- */

static void destroy(struct fetch *f)
{
    list_remove(&f->node);
    if (f->pool->multi != NULL) {
        curl_multi_remove_handle(f->pool->multi, f->easy);
    }
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->headers);
    free(f->post);
    free(f->body);
    free(f);
}

static void finish(struct fetch *f, int status, const char *why)
{
    struct fetch_result res = {
        .status = status, .why = why, .body = f->body != NULL ? f->body : "", .len = f->len};
    fetch_done_fn *fn = f->fn;
    void *ctx = f->ctx;
    char *body = f->body;
    f->body = NULL;
    destroy(f);
    fn(&res, ctx);
    free(body);
}

static const char *why_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_COULDNT_CONNECT:
        return "connect";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "resolve";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
        return "tls";
    case CURLE_FILESIZE_EXCEEDED:
        return "too-large";
    default:
        return "error";
    }
}

static void collect(struct fetch_pool *p)
{
    CURLMsg *m;
    int left;
    while (p->multi != NULL && (m = curl_multi_info_read(p->multi, &left)) != NULL) {
        struct fetch *f = NULL;
        long status = 0;
        if (m->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&f);
        curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        bool ok = code == CURLE_OK && !f->too_large;
        finish(f, ok ? (int)status : 0, ok ? "" : f->too_large ? "too-large" : why_of(code));
    }
}

/* ---- loop ---- */

static void turn(struct fetch_pool *p, curl_socket_t fd, int what)
{
    int running;
    curl_multi_socket_action(p->multi, fd, what, &running);
    collect(p);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct watched *w = h->data;
    int what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
               (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) | (status < 0 ? CURL_CSELECT_ERR : 0);
    turn(w->pool, w->fd, what);
}

static void on_timer(uv_timer_t *h)
{
    turn(h->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    (void)multi;
    struct fetch_pool *p = ctx;
    if (timeout_ms < 0) {
        uv_timer_stop(&p->timer);
    } else {
        uv_timer_start(&p->timer, on_timer, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

static void on_watched_closed(uv_handle_t *h)
{
    free(h->data);
}

static int watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    (void)easy;
    struct fetch_pool *p = ctx;
    struct watched *w = socket_ctx;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            uv_poll_stop(&w->poll);
            uv_close((uv_handle_t *)&w->poll, on_watched_closed);
            curl_multi_assign(p->multi, fd, NULL);
        }
        return 0;
    }
    if (w == NULL) {
        w = calloc(1, sizeof(*w));
        if (w == NULL || uv_poll_init_socket(p->loop, &w->poll, fd) < 0) {
            free(w);
            return -1;
        }
        w->pool = p;
        w->fd = fd;
        w->poll.data = w;
        curl_multi_assign(p->multi, fd, w);
    }
    int events =
        (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    uv_poll_start(&w->poll, events, on_poll);
    return 0;
}

/* ---- pool ---- */

struct fetch_pool *fetch_pool_new(struct uv_loop_s *loop)
{
    struct fetch_pool *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    p->loop = loop;
    list_init(&p->running);
    uv_timer_init(loop, &p->timer);
    p->timer.data = p;
    return p;
}

static int open_multi(struct fetch_pool *p)
{
    if (p->multi != NULL) {
        return 0;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return -ENOMEM;
    }
    p->multi = curl_multi_init();
    if (p->multi == NULL) {
        curl_global_cleanup();
        return -ENOMEM;
    }
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, watch);
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    return 0;
}

static void on_pool_closed(uv_handle_t *h)
{
    free(h->data);
}

void fetch_pool_free(struct fetch_pool *p)
{
    if (p == NULL) {
        return;
    }
    p->freed = true;
    while (!list_empty(&p->running)) {
        finish(container_of(p->running.next, struct fetch, node), 0, "stopped");
    }
    if (p->multi != NULL) {
        curl_multi_cleanup(p->multi);
        curl_global_cleanup();
        p->multi = NULL;
    }
    uv_close((uv_handle_t *)&p->timer, on_pool_closed);
}

/* ---- requests ---- */

bool fetch_is_safe(const char *url)
{
    static const char *const local[] = {"localhost", "[::1]"};
    if (strncmp(url, "https://", 8) == 0) {
        return true;
    }
    if (strncmp(url, "http://", 7) != 0) {
        return false;
    }
    const char *host = url + 7;
    size_t n = strcspn(host, "/?#");
    if (memchr(host, '@', n) != NULL) {
        return false;
    }
    n = strcspn(host, host[0] == '[' ? "]/?#" : ":/?#");
    n += host[n] == ']' ? 1 : 0;
    if (host[n] != '\0' && strchr(":/?#", host[n]) == NULL) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        if (n == strlen(local[i]) && strncmp(host, local[i], n) == 0) {
            return true;
        }
    }
    return n > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct fetch *f = ctx;
    size_t len = size * n;
    char *grown = f->len + len <= f->answer_max ? realloc(f->body, f->len + len + 1) : NULL;
    if (grown == NULL) {
        f->too_large = true;
        return 0;
    }
    memcpy(grown + f->len, data, len);
    f->body = grown;
    f->len += len;
    f->body[f->len] = '\0';
    return len;
}

static bool set_headers(struct fetch *f, const struct fetch_params *params)
{
    /* An empty Expect: no waiting for 100, which small servers never send. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (int i = 0; i < FETCH_HEADERS_MAX && params->headers[i] != NULL && list != NULL; i++) {
        struct curl_slist *more = curl_slist_append(list, params->headers[i]);
        if (more == NULL) {
            curl_slist_free_all(list);
        }
        list = more;
    }
    f->headers = list;
    return list != NULL;
}

static void set_options(struct fetch *f, const struct fetch_params *params)
{
    CURL *e = f->easy;
    curl_easy_setopt(e, CURLOPT_URL, params->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)params->timeout_ms);
    curl_easy_setopt(e, CURLOPT_MAXFILESIZE, (long)params->answer_max);
    /* A resolver that hangs must not hang the loop when the time is over. */
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(e, CURLOPT_PRIVATE, f);
    if (f->post != NULL) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, f->post);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)params->body_len);
    }
}

int fetch_start(struct fetch_pool *p, const struct fetch_params *params, struct fetch **ret)
{
    if (!fetch_is_safe(params->url) &&
        !(params->http_ok && strncmp(params->url, "http://", 7) == 0)) {
        return -EINVAL;
    }
    struct fetch *f = p->freed || open_multi(p) < 0 ? NULL : calloc(1, sizeof(*f));
    if (f == NULL) {
        return -ENOMEM;
    }
    list_init(&f->node);
    f->pool = p;
    f->fn = params->fn;
    f->ctx = params->ctx;
    f->answer_max = params->answer_max;
    f->easy = curl_easy_init();
    f->post = params->body != NULL ? malloc(params->body_len + 1) : NULL;
    if (f->post != NULL) {
        memcpy(f->post, params->body, params->body_len);
    }
    bool ok =
        f->easy != NULL && (f->post != NULL) == (params->body != NULL) && set_headers(f, params);
    if (ok) {
        set_options(f, params);
        ok = curl_multi_add_handle(p->multi, f->easy) == CURLM_OK;
    }
    if (!ok) {
        destroy(f);
        return -ENOMEM;
    }
    list_append(&p->running, &f->node);
    if (ret != NULL) {
        *ret = f;
    }
    return 0;
}

void fetch_cancel(struct fetch *f)
{
    if (f != NULL) {
        destroy(f);
    }
}
