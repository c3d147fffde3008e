/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/fault_proxy.h"
#include "tests/peer/peer_bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/rand.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CONNS_MAX    64
#define FLOWS_MAX    256
#define SESSIONS_MAX 256
#define HTTP_MAX     (256 * 1024)
#define UDP_MAX      2048
#define VP8_PT       96 /* tests/peer's, and its id of rtp-stream-id */
#define RTX_PT       97
#define RID_EXT      10
#define DD_LINE                                                                                    \
    "a=extmap:12 "                                                                                 \
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension\r\n"

/* An HTTP request on its way. */
struct conn {
    struct fault_proxy *proxy;
    struct peer_watch watch; /* fd -1 = free */
    char *in;
    size_t len;
    bool continued;
};

/* One client address. */
struct flow {
    struct fault_proxy *proxy;
    struct peer_watch watch; /* towards the server */
    struct sockaddr_in client;
    int session; /* by the last ufrag that it named; -1 = none */
};

/* What offers and answers said. */
struct session {
    char ufrag[64], pwd[64]; /* the server's */
    char their_ufrag[64], their_pwd[64];
};

struct fault_proxy {
    struct peer_loop *loop;
    enum fault fault;
    uint16_t http_port, media_port, own_media_port;
    uint16_t port;
    struct peer_watch listener, inner;
    struct conn conns[CONNS_MAX];
    struct flow flows[FLOWS_MAX];
    unsigned n_flows, next_flow;
    struct session sessions[SESSIONS_MAX];
    unsigned n_sessions;
};

const char *fault_name(enum fault f)
{
    static const char *const names[FAULT_COUNT] = {"none",
                                                   "no Location",
                                                   "weak ETag",
                                                   "preflight wants a token",
                                                   "If-Match ignored",
                                                   "DELETE is 204",
                                                   "answers sendrecv",
                                                   "no rtcp-mux-only",
                                                   "setup:actpass",
                                                   "another mid",
                                                   "foreign payload type",
                                                   "a layer dropped",
                                                   "no STUN integrity",
                                                   "any ICE password",
                                                   "attributes passed over",
                                                   "a lite agent checks",
                                                   "amplifies junk",
                                                   "no alerts",
                                                   "no RTCP",
                                                   "no RTX",
                                                   "eager media",
                                                   "RID needed on each packet",
                                                   "choice of layers ignored",
                                                   "descriptors not understood",
                                                   "two-byte headers for all",
                                                   "no markers"};

    return names[f];
}

/* ---- text ---- */

/* Replaces find by put, everywhere or once; text is heap memory and is given back. */
static char *replace(char *text, const char *find, const char *put, bool all)
{
    if (!strstr(text, find)) {
        return text;
    }
    char *out = check_edit(text, find, put, all);
    free(text);
    return out;
}

/* Takes the whole line that begins so out of a head. */
static char *drop_line(char *text, const char *name)
{
    char *at = strcasestr(text, name);

    if (at) {
        char *end = strstr(at, "\r\n") + 2;
        memmove(at, end, strlen(end) + 1);
    }
    return text;
}

static void attribute(const char *text, const char *name, char out[64])
{
    const char *at = strstr(text, name);

    snprintf(out, 64, "%.*s", at ? (int)strcspn(at + strlen(name), "\r") : 0,
             at ? at + strlen(name) : "");
}

/* ---- what is done to HTTP ---- */

static void send_eager(struct fault_proxy *p, const char *offer)
{
    const char *at = strstr(offer, "a=candidate:");
    struct sockaddr_in to = {.sin_family = AF_INET};
    uint8_t media[100] = {0x80, 96};
    char ip[64];
    unsigned port;

    if (at && sscanf(at, "%*s %*u %*s %*u %63s %u", ip, &port) == 2 &&
        inet_pton(AF_INET, ip, &to.sin_addr) == 1) {
        to.sin_port = htons((uint16_t)port);
        for (int i = 0; i < 10; i++) {
            (void)sendto(p->inner.fd, media, sizeof(media), 0, (struct sockaddr *)&to, sizeof(to));
        }
    }
}

/* Head of a response that the server did not give; NULL: ask it. */
static const char *own_response(const struct fault_proxy *p, const char *request)
{
    if (p->fault == FAULT_PREFLIGHT_TOKEN && !strncmp(request, "OPTIONS", 7) &&
        strcasestr(request, "Access-Control-Request-Method")) {
        return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    }
    const char *choice = strstr(request, "/layer HTTP/");
    if (p->fault == FAULT_CHOICE_IGNORED && !strncmp(request, "POST", 4) && choice &&
        choice < strchr(request, '\r')) {
        return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    }
    return NULL;
}

/* Head (its last line with its end, without the blank one) and body as one message; frees both. */
static char *with_length(char *head, char *body)
{
    char length[48];

    head = drop_line(head, "Content-Length:");
    snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n", strlen(body));
    size_t cap = strlen(head) + strlen(length) + strlen(body) + 1;
    char *out = malloc(cap);
    bool none = strstr(head, " 204 ") != NULL;
    snprintf(out, cap, "%s%s%s", head, none ? "\r\n" : length, none ? "" : body);
    free(head);
    free(body);
    return out;
}

/* The offer in a POST with something replaced. */
static void alter_offer(struct conn *c, const char *find, const char *put)
{
    char *end = strstr(c->in, "\r\n\r\n");

    if (end && strstr(end, find)) {
        char *head = strndup(c->in, (size_t)(end + 2 - c->in));
        char *body = replace(strdup(end + 4), find, put, true);
        free(c->in);
        c->in = with_length(head, body);
        c->len = strlen(c->in);
    }
}

static void alter_request(struct conn *c)
{
    enum fault f = c->proxy->fault;

    if (f == FAULT_IF_MATCH_IGNORED && !strncmp(c->in, "PATCH", 5) &&
        strcasestr(c->in, "If-Match: \"not-the-tag")) {
        char *at = strcasestr(c->in, "If-Match: ");
        size_t n = strcspn(at, "\r");
        memset(at + 10, ' ', n - 10);
        at[10] = '*';
    }
    if (f == FAULT_NO_DESCRIPTORS && strstr(c->in, "a=sendonly")) {
        alter_offer(c, DD_LINE, "");
    }
    if (f == FAULT_MIXED_ASSUMED && !strstr(c->in, "a=extmap-allow-mixed")) {
        alter_offer(c, "a=msid-semantic:", "a=extmap-allow-mixed\r\na=msid-semantic:");
    }
}

static char *alter_head(const struct fault_proxy *p, char *head, const char *request)
{
    switch ((int)p->fault) {
    case FAULT_NO_LOCATION:
        return drop_line(head, "Location:");
    case FAULT_WEAK_ETAG:
        return replace(head, "ETag: \"", "ETag: W/\"", false);
    case FAULT_DELETE_204:
        return !strncmp(request, "DELETE", 6)
                   ? replace(head, "HTTP/1.1 200 OK", "HTTP/1.1 204 No Content", false)
                   : head;
    default:
        return head;
    }
}

static char *alter_answer(const struct fault_proxy *p, char *sdp)
{
    switch ((int)p->fault) {
    case FAULT_SENDRECV:
        return replace(sdp, "a=recvonly", "a=sendrecv", true);
    case FAULT_NO_MUX_ONLY:
        return replace(sdp, "a=rtcp-mux-only\r\n", "", true);
    case FAULT_ACTPASS:
        return replace(replace(sdp, "a=setup:passive", "a=setup:actpass", true), "a=setup:active",
                       "a=setup:actpass", true);
    case FAULT_OTHER_MID:
        return replace(sdp, "a=mid:1\r\n", "a=mid:7\r\n", false);
    case FAULT_FOREIGN_PT:
        return replace(replace(sdp, "SAVPF 96 97", "SAVPF 96 97 121", false), "a=rtpmap:96 VP8",
                       "a=rtpmap:121 VP9/90000\r\na=rtpmap:96 VP8", false);
    case FAULT_NO_DESCRIPTORS:
        return strstr(sdp, "a=recvonly") ? replace(sdp, "a=mid:1\r\n", "a=mid:1\r\n" DD_LINE, false)
                                         : sdp;
    case FAULT_LAYER_DROPPED:
        return replace(replace(sdp, ";h;f\r\n", ";h\r\n", false), "a=rid:f recv\r\n", "", false);
    default:
        return sdp;
    }
}

static void note_session(struct fault_proxy *p, const char *request, const char *answer)
{
    struct session *s = &p->sessions[p->n_sessions++ % SESSIONS_MAX];

    attribute(answer, "a=ice-ufrag:", s->ufrag);
    attribute(answer, "a=ice-pwd:", s->pwd);
    attribute(request, "a=ice-ufrag:", s->their_ufrag);
    attribute(request, "a=ice-pwd:", s->their_pwd);
}

/* The response as the client gets it; heap memory. */
static char *alter_response(struct fault_proxy *p, const char *request, const char *in, size_t len)
{
    const char *end = memmem(in, len, "\r\n\r\n", 4);
    char *head = strndup(in, end ? (size_t)(end + 2 - in) : len);
    char *body = strdup(end ? end + 4 : "");
    char ours[32], theirs[32];

    head = alter_head(p, head, request);
    if (strstr(body, "a=ice-pwd:")) {
        note_session(p, request, body);
        snprintf(theirs, sizeof(theirs), "127.0.0.1 %u typ", p->media_port);
        snprintf(ours, sizeof(ours), "127.0.0.1 %u typ", p->own_media_port);
        body = alter_answer(p, replace(body, theirs, ours, true));
        if (p->fault == FAULT_EAGER_MEDIA && strstr(request, "a=recvonly")) {
            send_eager(p, request);
        }
    }
    return with_length(head, body);
}

/* ---- HTTP ---- */

static void close_conn(struct conn *c)
{
    peer_loop_unwatch(c->proxy->loop, &c->watch);
    close(c->watch.fd);
    free(c->in);
    *c = (struct conn){.proxy = c->proxy, .watch = {.fd = -1}};
}

static bool is_whole(const struct conn *c)
{
    const char *end = memmem(c->in, c->len, "\r\n\r\n", 4);
    const char *length = end ? strcasestr(c->in, "Content-Length:") : NULL;
    size_t want = length && length < end ? strtoul(length + 15, NULL, 10) : 0;

    return end && c->len >= (size_t)(end + 4 - c->in) + want;
}

/* Asks the server, which does not need our loop, and waits for it. Heap memory, terminated. */
static char *ask_server(const struct fault_proxy *p, const char *request, size_t len,
                        size_t *ret_len)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(p->http_port)};
    char *out = calloc(1, HTTP_MAX + 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval tv = {.tv_sec = 10};
    ssize_t n;

    *ret_len = 0;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    if (!connect(fd, (struct sockaddr *)&to, sizeof(to)) &&
        send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len) {
        while (*ret_len < HTTP_MAX && (n = recv(fd, out + *ret_len, HTTP_MAX - *ret_len, 0)) > 0) {
            *ret_len += (size_t)n;
        }
    }
    close(fd);
    return out;
}

static void serve(struct conn *c)
{
    struct fault_proxy *p = c->proxy;
    const char *own = own_response(p, c->in);
    size_t len = 0;

    if (!own) {
        alter_request(c);
    }
    char *in = own ? strdup(own) : ask_server(p, c->in, c->len, &len);
    char *out = own ? strdup(own) : alter_response(p, c->in, in, len);
    (void)!send(c->watch.fd, out, strlen(out), MSG_NOSIGNAL);
    free(in);
    free(out);
    close_conn(c);
}

static void on_request(void *ctx, uint32_t events)
{
    struct conn *c = ctx;

    (void)events;
    ssize_t n = recv(c->watch.fd, c->in + c->len, HTTP_MAX - c->len, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            close_conn(c);
        }
        return;
    }
    c->len += (size_t)n;
    c->in[c->len] = '\0';
    if (is_whole(c)) {
        serve(c);
    } else if (c->len == HTTP_MAX) {
        close_conn(c);
    }
}

static void on_accept(void *ctx, uint32_t events)
{
    struct fault_proxy *p = ctx;
    int fd = accept4(p->listener.fd, NULL, NULL, SOCK_CLOEXEC);

    (void)events;
    for (int i = 0; fd >= 0 && i < CONNS_MAX; i++) {
        struct conn *c = &p->conns[i];
        if (c->watch.fd < 0) {
            c->in = calloc(1, HTTP_MAX + 1);
            c->watch = (struct peer_watch){.fd = fd, .fn = on_request, .ctx = c};
            (void)peer_loop_watch(p->loop, &c->watch, EPOLLIN);
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* ---- UDP ---- */

static void to_client(struct flow *f, const uint8_t *buf, size_t len)
{
    (void)sendto(f->proxy->inner.fd, buf, len, 0, (struct sockaddr *)&f->client, sizeof(f->client));
}

/* A check to the client, by the book but for its being sent at all. */
static void send_check(struct flow *f, const struct session *s)
{
    struct peer_stun rq = {.type = PEER_STUN_REQUEST, .priority = 1, .has_controlled = true};
    uint8_t buf[600];

    (void)RAND_bytes(rq.tid, sizeof(rq.tid));
    snprintf(rq.username, sizeof(rq.username), "%s:%s", s->their_ufrag, s->ufrag);
    size_t n = peer_stun_write(&rq, s->their_pwd, buf, sizeof(buf));
    to_client(f, buf, n);
}

/* Success for a request, in the server's name. */
static void send_success(struct flow *f, const struct peer_stun *rq, const char *pwd)
{
    struct peer_stun a = {.type = PEER_STUN_SUCCESS};
    uint8_t buf[600];

    memcpy(a.tid, rq->tid, sizeof(a.tid));
    memcpy(&a.mapped, &f->client, sizeof(f->client));
    size_t n = peer_stun_write(&a, pwd, buf, sizeof(buf));
    to_client(f, buf, n);
}

static int find_session(const struct fault_proxy *p, const char *username)
{
    size_t n = strcspn(username, ":");
    unsigned all = p->n_sessions < SESSIONS_MAX ? p->n_sessions : SESSIONS_MAX;

    for (unsigned i = 0; i < all; i++) {
        if (strlen(p->sessions[i].ufrag) == n && !strncmp(p->sessions[i].ufrag, username, n)) {
            return (int)i;
        }
    }
    return -1;
}

/* Whether the datagram goes on to the server. */
static bool on_client_stun(struct flow *f, const uint8_t *buf, size_t len)
{
    struct fault_proxy *p = f->proxy;
    uint8_t junk[1200] = {0x01, 0x01};
    struct peer_stun rq;

    if (peer_stun_read(buf, len, &rq) < 0 || rq.type != PEER_STUN_REQUEST) {
        return true;
    }
    int i = find_session(p, rq.username);
    if (i < 0) {
        if (p->fault == FAULT_AMPLIFIES) {
            to_client(f, junk, sizeof(junk));
        }
        return true;
    }
    f->session = i;
    const struct session *s = &p->sessions[i];
    if (p->fault == FAULT_CHECKS) {
        send_check(f, s);
    }
    bool wrong = rq.integrity_at && !peer_stun_verify(buf, &rq, s->pwd);
    if ((p->fault == FAULT_ANY_PASSWORD && wrong)) {
        send_success(f, &rq, s->pwd);
        return false;
    }
    return true;
}

static struct flow *flow_of(struct fault_proxy *p, const struct sockaddr_in *from);

/* Whether a publisher's packet gets lost: the extensions of SRTP can be read by everybody. */
static bool is_lost(const struct fault_proxy *p, const uint8_t *buf, size_t n)
{
    struct peer_rtp r;

    return p->fault == FAULT_RID_NEEDED && n >= 12 && buf[0] >> 6 == 2 &&
           (buf[1] & 127) == VP8_PT && peer_rtp_read(buf, n, true, &r) == 0 &&
           !peer_rtp_ext(&r, RID_EXT);
}

static void on_inner(void *ctx, uint32_t events)
{
    struct fault_proxy *p = ctx;
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    uint8_t buf[UDP_MAX];
    ssize_t n;

    (void)events;
    while ((n = recvfrom(p->inner.fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
                         &from_len)) >= 0) {
        struct flow *f = flow_of(p, &from);
        bool stun = n >= 20 && buf[0] <= 3;
        if (f && !is_lost(p, buf, (size_t)n) && (!stun || on_client_stun(f, buf, (size_t)n))) {
            (void)!send(f->watch.fd, buf, (size_t)n, 0);
        }
        from_len = sizeof(from);
    }
}

/* The server sees our address: the client must see its own. Whether it was handled. */
static bool on_server_stun(struct flow *f, const uint8_t *buf, size_t len)
{
    struct fault_proxy *p = f->proxy;
    struct peer_stun a;

    if (f->session < 0 || peer_stun_read(buf, len, &a) < 0) {
        return false;
    }
    const char *pwd = p->sessions[f->session].pwd;
    bool passed = p->fault == FAULT_ATTRIBUTES_PASSED && a.error_code == 420;
    if (a.type != PEER_STUN_SUCCESS && !passed) {
        return false;
    }
    send_success(f, &a, p->fault == FAULT_NO_INTEGRITY ? NULL : pwd);
    return true;
}

static bool is_swallowed(const struct fault_proxy *p, const uint8_t *buf, size_t n)
{
    bool media = n >= 12 && buf[0] >= 128 && buf[0] <= 191;
    bool rtcp = media && buf[1] >= 192 && buf[1] <= 223;

    switch ((int)p->fault) {
    case FAULT_NO_ALERTS:
        return n > 0 && buf[0] == 21;
    case FAULT_NO_RTCP:
        return rtcp;
    case FAULT_NO_RTX:
        return media && !rtcp && (buf[1] & 127) == RTX_PT;
    default:
        return false;
    }
}

static void on_outer(void *ctx, uint32_t events)
{
    struct flow *f = ctx;
    uint8_t buf[UDP_MAX];
    ssize_t n;

    (void)events;
    while ((n = recv(f->watch.fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0) {
        bool stun = n >= 20 && buf[0] <= 3;
        if ((!stun || !on_server_stun(f, buf, (size_t)n)) &&
            !is_swallowed(f->proxy, buf, (size_t)n)) {
            to_client(f, buf, (size_t)n);
        }
    }
}

static void close_flow(struct flow *f)
{
    if (f->watch.fd >= 0) {
        peer_loop_unwatch(f->proxy->loop, &f->watch);
        close(f->watch.fd);
        f->watch.fd = -1;
    }
}

static struct flow *flow_of(struct fault_proxy *p, const struct sockaddr_in *from)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(p->media_port)};

    for (unsigned i = 0; i < p->n_flows; i++) {
        if (p->flows[i].client.sin_port == from->sin_port) {
            return &p->flows[i];
        }
    }
    struct flow *f = &p->flows[p->next_flow++ % FLOWS_MAX]; /* the oldest gives way */
    if (p->n_flows < FLOWS_MAX) {
        p->n_flows++;
    } else {
        close_flow(f);
    }
    *f = (struct flow){.proxy = p, .client = *from, .session = -1};
    f->watch = (struct peer_watch){.fn = on_outer, .ctx = f};
    f->watch.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)connect(f->watch.fd, (struct sockaddr *)&to, sizeof(to));
    (void)peer_loop_watch(p->loop, &f->watch, EPOLLIN);
    return f;
}

/* ---- the box ---- */

/* A socket on a free port of 127.0.0.1; -1 when there is none. */
static int open_socket(int type, uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), size = 1 << 20;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
        getsockname(fd, (struct sockaddr *)&a, &len) || (type == SOCK_STREAM && listen(fd, 64))) {
        return -1;
    }
    *ret_port = ntohs(a.sin_port);
    return fd;
}

struct fault_proxy *fault_proxy_new(struct peer_loop *l, uint16_t http_port, uint16_t media_port)
{
    struct fault_proxy *p = calloc(1, sizeof(*p));

    if (!p) {
        return NULL;
    }
    p->loop = l;
    p->http_port = http_port;
    p->media_port = media_port;
    for (int i = 0; i < CONNS_MAX; i++) {
        p->conns[i] = (struct conn){.proxy = p, .watch = {.fd = -1}};
    }
    p->listener = (struct peer_watch){.fn = on_accept, .ctx = p};
    p->inner = (struct peer_watch){.fn = on_inner, .ctx = p};
    p->listener.fd = open_socket(SOCK_STREAM, &p->port);
    p->inner.fd = open_socket(SOCK_DGRAM, &p->own_media_port);
    if (p->listener.fd < 0 || p->inner.fd < 0) {
        free(p);
        return NULL;
    }
    (void)peer_loop_watch(l, &p->listener, EPOLLIN);
    (void)peer_loop_watch(l, &p->inner, EPOLLIN);
    return p;
}

void fault_proxy_free(struct fault_proxy *p)
{
    for (int i = 0; i < CONNS_MAX; i++) {
        if (p->conns[i].watch.fd >= 0) {
            close_conn(&p->conns[i]);
        }
    }
    for (unsigned i = 0; i < p->n_flows; i++) {
        close_flow(&p->flows[i]);
    }
    peer_loop_unwatch(p->loop, &p->listener);
    peer_loop_unwatch(p->loop, &p->inner);
    close(p->listener.fd);
    close(p->inner.fd);
    free(p);
}

uint16_t fault_proxy_port(const struct fault_proxy *p)
{
    return p->port;
}

void fault_proxy_set(struct fault_proxy *p, enum fault f)
{
    p->fault = f;
}

void fault_proxy_spoil(void *ctx, bool rtcp, uint8_t *buf, size_t len)
{
    const struct fault_proxy *p = ctx;

    if (p->fault == FAULT_NO_MARKER && !rtcp && len >= 2) {
        buf[1] &= 127;
    }
}
