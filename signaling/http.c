/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - the server: connections and requests as libmicrohttpd tells of them, up to the handler.
 */
#include "signaling/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "conf/clock.h"
#include "conf/fds.h"
#include "conf/log.h"
#include "signaling/entropy.h"
#include "signaling/http_bind.h"
#include "signaling/http_head.h"
#include "signaling/http_inner.h"
#include "signaling/http_stream.h"
#include "signaling/problem.h"
#include "signaling/proxy.h"
#include "signaling/tls.h"

/* The library's pool per connection: header block, its index, and the room to read bodies into. It
 * is mapped lazily, so an idle connection costs a page. */
#define POOL_BYTES (48 * 1024)
/* A refused body up to this size is read and thrown away, so that the refusal is not lost to a
 * connection reset; a larger one is answered at once and the connection closed. */
#define SWALLOW_BYTES (256 * 1024)
#define SWEEP_MS      500

/* ---- the loop ---- */

static void arm(struct http_server *s);

static void turn(struct http_server *s)
{
    MHD_run(s->daemon);
    arm(s);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    (void)status;
    (void)events;
    turn(h->data);
}

static void on_timer(uv_timer_t *h)
{
    turn(h->data);
}

static void arm(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (s->stopping) {
        return;
    }
    if (MHD_get_timeout(s->daemon, &ms) == MHD_YES) {
        uv_timer_start(&s->timer, on_timer, ms, 0);
    } else {
        uv_timer_stop(&s->timer);
    }
}

void http_resume(struct http_request *rq)
{
    MHD_resume_connection(rq->mc);
    uv_timer_start(&rq->server->timer, on_timer, 0, 0);
}

static void on_sweep(uv_timer_t *h)
{
    struct http_server *s = h->data;
    http_conns_sweep(&s->conns, clock_now_us());
    turn(s); /* after a failed accept the library looks at the listener again only when it is run */
}

/* ---- request ---- */

static enum http_method method_of(const char *text)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
        [HTTP_OPTIONS] = "OPTIONS",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], text) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_OTHER;
}

static const struct http_route *find_route(const struct http_server *s, const char *path)
{
    const struct http_params *p = &s->params;
    for (int i = 0; i < p->n_routes - 1; i++) {
        const struct http_route *r = &p->routes[i];
        if (r->prefix ? strncmp(path, r->path, strlen(r->path)) == 0 : strcmp(path, r->path) == 0) {
            return r;
        }
    }
    return &p->routes[p->n_routes - 1];
}

static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *mc)
{
    struct http_server *s = cls;
    struct http_request *rq = calloc(1, sizeof(*rq));
    if (rq == NULL) {
        return NULL;
    }
    rq->server = s;
    rq->mc = mc;
    rq->conn = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    rq->begun_us = clock_now_us();
    rq->route = &s->params.routes[s->params.n_routes - 1];
    if (strlen(uri) > HTTP_URL_MAX) {
        rq->status = 414;
    }
    if (rq->conn != NULL) {
        rq->conn->rq = rq;
        http_conn_enter(rq->conn, HTTP_PHASE_HEADERS, rq->begun_us);
    }
    return rq;
}

static enum MHD_Result scan_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                   size_t key_len, const char *value, size_t value_len)
{
    (void)kind;
    http_head_field(cls, key, key_len, value, value_len);
    return MHD_YES;
}

static void refuse(struct http_request *rq, int status, const char *type, const char *detail)
{
    rq->refused = true;
    problem_answer(rq, status, type, detail);
}

/* Refuses what can be judged before the body (SEC-02, 05, 07). Returns false after refusing. */
static bool judge_head(struct http_request *rq, const struct http_head *head)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(rq->mc, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *coding = http_header(rq, "Content-Encoding");
    if (rq->status == 414) {
        refuse(rq, 414, "url-too-long", "The URL is longer than 2048 bytes.");
    } else if (http_head_is_bad(head)) {
        /* The end of such a request is a matter of opinion; nothing after it may be believed. */
        rq->closing = true;
        refuse(rq, 400, "bad-request",
               "Host, Content-Length and Transfer-Encoding must be single and well-formed, not the "
               "last two both there; header fields may hold no control characters.");
    } else if (head->fields > HTTP_HEADERS_MAX ||
               (info != NULL && info->header_size > HTTP_HEADER_BYTES_MAX)) {
        rq->closing = true;
        refuse(rq, 431, "headers-too-large",
               "At most 64 header fields and 16 KiB of them are accepted.");
    } else if (head->lengths > 0 && head->length > rq->route->body_max) {
        const char *expect = http_header(rq, "Expect");
        rq->closing = head->length > SWALLOW_BYTES || expect != NULL;
        refuse(rq, 413, "body-too-large", "The body is larger than this URL accepts.");
    } else if (coding != NULL && strcasecmp(coding, "identity") != 0) {
        http_set_header(rq, "Accept-Encoding", "identity");
        refuse(rq, 415, "content-encoding", "Send the body as it is, without Content-Encoding.");
    } else {
        return true;
    }
    return false;
}

static enum MHD_Result queue(struct http_request *rq)
{
    if (rq->response == NULL || rq->failed) {
        return MHD_NO;
    }
    if (rq->closing) {
        MHD_add_response_header(rq->response, "Connection", "close");
    }
    if (rq->conn != NULL) {
        /* A stream has no end to wait for; its owner watches it. */
        http_conn_enter(rq->conn, rq->stream ? HTTP_PHASE_HANDLING : HTTP_PHASE_SENDING,
                        clock_now_us());
    }
    return MHD_queue_response(rq->mc, (unsigned)rq->status, rq->response);
}

/* The path of a request target: of the absolute form as well, which every server must accept (RFC
 * 9112 3.2.2), and with one slash where somebody put an endpoint's URL together with two. */
static char *path_of(const char *target)
{
    const char *scheme = strstr(target, "://");
    if (scheme != NULL && target[0] != '/') {
        target = scheme + 3 + strcspn(scheme + 3, "/");
        target = *target != '\0' ? target : "/";
    }
    char *path = strdup(target);
    size_t n = 0;
    for (const char *p = target; path != NULL && *p != '\0'; p++) {
        if (p[0] != '/' || p[1] != '/') {
            path[n++] = *p;
        }
    }
    if (path != NULL) {
        path[n] = '\0';
    }
    return path;
}

/* The headers are there, the body is not. */
static enum MHD_Result begin(struct http_request *rq, const char *path, const char *method)
{
    struct http_server *s = rq->server;
    rq->begun = true;
    rq->method = method_of(method);
    rq->path = path_of(path);
    if (rq->path == NULL || rq->conn == NULL) {
        return MHD_NO;
    }
    if (rq->status != 414) {
        rq->route = find_route(s, rq->path);
    }
    rq->client = rq->conn->peer;
    if (s->params.proxies != NULL) {
        rq->proxied = proxy_is_trusted(s->params.proxies, &rq->conn->peer);
        rq->client =
            proxy_client(s->params.proxies, &rq->conn->peer, http_header(rq, "X-Forwarded-For"));
    }
    struct http_head head = {0};
    MHD_get_connection_values_n(rq->mc, MHD_HEADER_KIND, scan_header, &head);
    http_conn_enter(rq->conn, HTTP_PHASE_BODY, rq->begun_us);
    if (!judge_head(rq, &head) && rq->closing) {
        return queue(rq);
    }
    return MHD_YES;
}

static void take_body(struct http_request *rq, const char *data, size_t len)
{
    if (rq->refused) {
        return;
    }
    if (rq->body_len + len > rq->route->body_max) {
        /* Only a chunked body gets here. How much more follows is not known: end the connection. */
        rq->closing = true;
        refuse(rq, 413, "body-too-large", "The body is larger than this URL accepts.");
        return;
    }
    if (rq->body_len + len > rq->body_cap) {
        size_t cap = MIN(MAX(rq->body_cap * 2, rq->body_len + len), rq->route->body_max);
        char *body = realloc(rq->body, cap);
        if (body == NULL) {
            refuse(rq, 503, "no-memory", "The server is out of memory; try again later.");
            return;
        }
        rq->body = body;
        rq->body_cap = cap;
    }
    memcpy(rq->body + rq->body_len, data, len);
    rq->body_len += len;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *mc, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *data_len, void **rq_at)
{
    (void)version;
    struct http_server *s = cls;
    struct http_request *rq = *rq_at;
    if (rq == NULL) {
        return MHD_NO; // there was no memory for it
    }
    if (!rq->begun) {
        return begin(rq, url, method);
    }
    if (*data_len > 0) {
        take_body(rq, data, *data_len);
        *data_len = 0;
        return rq->refused && rq->closing && rq->response == NULL ? MHD_NO : MHD_YES;
    }
    if (rq->response == NULL && !rq->failed && !rq->dispatched) {
        rq->dispatched = true;
        http_conn_enter(rq->conn, HTTP_PHASE_HANDLING, clock_now_us());
        if (s->params.gate == NULL || s->params.gate(rq, s->params.ctx)) {
            rq->route->fn(rq, s->params.ctx);
        }
    }
    if (rq->response != NULL || rq->failed) {
        return queue(rq);
    }
    rq->suspended = true;
    MHD_suspend_connection(mc);
    return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *mc, void **rq_at,
                         enum MHD_RequestTerminationCode code)
{
    (void)mc;
    struct http_server *s = cls;
    struct http_request *rq = *rq_at;
    if (rq == NULL) {
        return;
    }
    *rq_at = NULL;
    bool delivered = code == MHD_REQUEST_TERMINATED_COMPLETED_OK && rq->response != NULL;
    if (!delivered && rq->on_lost != NULL) {
        rq->on_lost(rq->lost_id, s->params.ctx);
    }
    int64_t now_us = clock_now_us();
    if (s->params.on_done != NULL && rq->begun) {
        struct http_done done = {
            .route = rq->route,
            .method = rq->method,
            .tail = http_tail(rq),
            .status = delivered ? rq->status : 0,
            .problem = rq->problem,
            .client = rq->client,
            .took_us = now_us - rq->begun_us,
        };
        s->params.on_done(&done, s->params.ctx);
    }
    if (rq->conn != NULL) {
        rq->conn->rq = NULL;
        http_conn_enter(rq->conn, HTTP_PHASE_IDLE, now_us);
    }
    if (rq->response != NULL) {
        MHD_destroy_response(rq->response);
    }
    http_stream_on_closed(rq);
    for (int i = 0; i < rq->n_headers; i++) {
        free(rq->headers[i].value);
    }
    free(rq->body);
    free(rq->path);
    free(rq);
}

static void on_connection(void *cls, struct MHD_Connection *mc, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*context != NULL) {
            http_conns_remove(&s->conns, *context);
            *context = NULL;
        }
        return;
    }
    const union MHD_ConnectionInfo *at =
        MHD_get_connection_info(mc, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mc, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct addr peer;
    struct http_conn *c = NULL;
    if (at != NULL && fd != NULL && addr_from_sockaddr(&peer, at->client_addr) == 0) {
        c = http_conns_add(&s->conns, fd->connect_fd, &peer, s->params.tls != NULL);
    }
    if (c == NULL) {
        if (fd != NULL) {
            shutdown(fd->connect_fd, SHUT_RDWR);
        }
        return;
    }
    *context = c;
    http_conn_enter(c, HTTP_PHASE_HEADERS, clock_now_us());
    int limit = s->params.max_connections_per_ip;
    bool exempt = s->params.proxies != NULL && proxy_is_trusted(s->params.proxies, &peer);
    bool many = limit > 0 && !exempt && http_conns_from(&s->conns, &peer) > (unsigned)limit;
    if (many || (s->params.for_strangers && fds_is_reserved(c->fd))) {
        s->refused++;
        shutdown(c->fd, SHUT_RDWR);
    }
}

/* ---- start and stop ---- */

static void on_library_log(void *cls, const char *fmt, va_list ap)
{
    (void)cls;
    char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(text, sizeof(text), fmt, ap);
#pragma GCC diagnostic pop
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("http_library", LOG_STR("text", text));
}

/* Names stay as they were sent: those we accept need no escapes, and an escaped slash or dot cannot
 * come to life later (SEC-32). */
static size_t keep_escapes(void *cls, struct MHD_Connection *mc, char *s)
{
    (void)cls;
    (void)mc;
    return strlen(s);
}

static struct MHD_Daemon *start_daemon(struct http_server *s, int fd)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    unsigned cap = (unsigned)s->params.max_connections;
    static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_callback()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    if (s->params.tls != NULL) {
        flags |= MHD_USE_TLS;
    }
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, s, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, cap,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, 30U,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_ARRAY, s->params.tls != NULL ? tls : none, MHD_OPTION_END);
}

static void watch(struct http_server *s, int epoll_fd)
{
    uv_loop_t *loop = s->params.loop;
    uv_poll_init(loop, &s->poll, epoll_fd);
    uv_timer_init(loop, &s->timer);
    uv_timer_init(loop, &s->sweep);
    s->poll.data = s;
    s->timer.data = s;
    s->sweep.data = s;
    s->open_handles = 3;
    uv_poll_start(&s->poll, UV_READABLE, on_poll);
    uv_timer_start(&s->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    arm(s);
}

int http_start(const struct http_params *p, struct http_server **ret, const char **ret_what)
{
    assert(p->n_routes > 0);
    struct http_server *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        *ret_what = "out of memory";
        return -ENOMEM;
    }
    s->params = *p;
    http_conns_init(&s->conns, entropy_u64());
    int fd;
    int r = http_bind(p->listen, &fd, &s->port);
    if (r < 0) {
        *ret_what = "the listening socket could not be made";
        free(s);
        return r;
    }
    s->daemon = start_daemon(s, fd);
    if (s->daemon == NULL) {
        *ret_what = "libmicrohttpd did not start";
        free(s);
        return -EIO;
    }
    watch(s, MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    *ret = s;
    return 0;
}

static void on_handle_closed(uv_handle_t *h)
{
    struct http_server *s = h->data;
    if (--s->open_handles == 0) {
        free(s);
    }
}

void http_stop(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    /* The library may not be stopped while a connection is suspended. */
    LIST_EACH(it, &s->conns.all)
    {
        struct http_conn *c = container_of(it, struct http_conn, node);
        if (c->rq != NULL && c->rq->stream != NULL) {
            http_stream_end(c->rq->stream);
        } else if (c->rq != NULL && c->rq->suspended) {
            problem_answer_later(c->rq, 503, "stopping", "The server is stopping.", 5);
        }
    }
    MHD_run(s->daemon);
    s->stopping = true;
    uv_poll_stop(&s->poll);
    MHD_stop_daemon(s->daemon);
    uv_close((uv_handle_t *)&s->poll, on_handle_closed);
    uv_close((uv_handle_t *)&s->timer, on_handle_closed);
    uv_close((uv_handle_t *)&s->sweep, on_handle_closed);
}

uint16_t http_port(const struct http_server *s)
{
    return s->port;
}

unsigned http_connections(const struct http_server *s)
{
    return s->conns.count;
}

uint64_t http_refused_connections(const struct http_server *s)
{
    return s->refused;
}

uint64_t http_timed_out(const struct http_server *s)
{
    return s->conns.timed_out;
}
