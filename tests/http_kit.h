/* SPDX-License-Identifier: Apache-2.0 */
/* http_kit.h - the HTTP side in one process and one thread, with a recorded media plane behind it
 * and a bare socket in front: requests are bytes that the test wrote, answers are bytes that it
 * reads. One test program includes it once. */
#ifndef TESTS_HTTP_KIT_H
#define TESTS_HTTP_KIT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "ice/cert.h"
#include "ice/owner.h"
#include "sfu/api.h"
#include "signaling/signaling.h"

/* ---- the plane ---- */

#define KIT_WORKERS  3
#define KIT_CMDS_MAX 2048

struct kit_cmd {
    int worker;
    struct api_cmd cmd; /* what it owned is kept until kit_stop */
};

static struct plane {
    struct kit_cmd cmds[KIT_CMDS_MAX];
    int n_cmds;
    int sessions[KIT_WORKERS];
    bool full;                             /* mailboxes take nothing */
    bool dead;                             /* a worker's loop hangs */
    bool mute;                             /* queries are not answered */
    int64_t idle_us;                       /* of every session */
    struct api_event events[KIT_CMDS_MAX]; /* to be delivered by the loop */
    int n_events;
    char sent[1 << 16]; /* what went out on control channels, "ID text\n" each */
    int send_fails;     /* -errno of plane_data_send; 0: it takes it */
} kit_plane;

int plane_workers(const struct plane *p)
{
    (void)p;
    return KIT_WORKERS;
}

uint16_t plane_port(const struct plane *p)
{
    (void)p;
    return 8189;
}

int plane_sessions(const struct plane *p, int worker)
{
    return p->sessions[worker];
}

bool plane_alive(const struct plane *p)
{
    return !p->dead;
}

void plane_counters(const struct plane *p, struct api_counters *ret)
{
    (void)p;
    *ret = (struct api_counters){.rx_rtp_packets = 1234, .drop_rate = 5, .drop_link = 7};
    ret->link_drop[LINK_DROP_SRTP_AUTH] = 7;
}

static inline void kit_emit(struct api_event ev)
{
    cr_assert_lt(kit_plane.n_events, KIT_CMDS_MAX);
    kit_plane.events[kit_plane.n_events++] = ev;
}

/* Answers a query with the sessions that this worker was given. */
static inline void kit_answer_query(const struct plane *p, int worker, uint64_t session,
                                    uint64_t token)
{
    struct api_event ev = {.kind = API_EV_STATS, .worker = worker, .u.stats.token = token};
    ev.u.stats.sessions = calloc(KIT_CMDS_MAX, sizeof(*ev.u.stats.sessions));
    for (int i = 0; i < p->n_cmds; i++) {
        const struct kit_cmd *k = &p->cmds[i];
        if (k->worker != worker || k->cmd.kind != API_CMD_SESSION_ADD ||
            (session != 0 && k->cmd.id != session)) {
            continue;
        }
        struct api_session_stats *st = calloc(1, sizeof(*st) + sizeof(st->tracks[0]));
        st->id = k->cmd.id;
        st->role = k->cmd.u.session->role;
        st->state = LINK_UP;
        st->worker = worker;
        st->profile = SRTP_AEAD_AES_128_GCM;
        st->idle_us = p->idle_us;
        st->rtt_us = 12500;
        snprintf(st->remote, sizeof(st->remote), "192.0.2.1:4000");
        snprintf(st->transport, sizeof(st->transport), "udp");
        st->n_tracks = 1;
        st->tracks[0].kind = MEDIA_VIDEO;
        st->tracks[0].codec = CODEC_VP8;
        st->tracks[0].bytes = 123456789012;
        st->tracks[0].lost = 3;
        ev.u.stats.sessions[ev.u.stats.n++] = st;
    }
    kit_emit(ev);
}

int plane_post(struct plane *p, int worker, struct api_cmd *cmd)
{
    cr_assert(worker >= 0 && worker < KIT_WORKERS);
    if (p->full) {
        return -ENOBUFS;
    }
    cr_assert_lt(p->n_cmds, KIT_CMDS_MAX);
    p->cmds[p->n_cmds++] = (struct kit_cmd){.worker = worker, .cmd = *cmd};
    if (cmd->kind == API_CMD_QUERY && !p->mute) {
        kit_answer_query(p, worker, cmd->id, cmd->u.query.token);
    }
    return 0;
}

int plane_data_send(struct plane *p, uint64_t session, const char *room, const char *text,
                    size_t len)
{
    size_t used = strlen(p->sent);
    cr_assert_null(room);
    if (p->send_fails == 0) {
        snprintf(p->sent + used, sizeof(p->sent) - used, "%llu %.*s\n", (unsigned long long)session,
                 (int)len, text);
    }
    return p->send_fails;
}

/* ---- the server ---- */

static struct kit {
    uv_loop_t loop;
    struct conf *conf;
    struct cert *cert;
    struct signaling *s;
} kit;

static inline void kit_prepare(void)
{
    kit.conf = calloc(1, sizeof(*kit.conf));
    conf_defaults(kit.conf);
    snprintf(kit.conf->http.listen, sizeof(kit.conf->http.listen), "127.0.0.1:0");
    snprintf(kit.conf->admin.listen, sizeof(kit.conf->admin.listen), "127.0.0.1:0");
    kit.conf->http.posts_per_ip_per_s = 100000;
    kit.conf->media.announce.n = 1;
    snprintf(kit.conf->media.announce.s[0], sizeof(kit.conf->media.announce.s[0]), "192.0.2.7");
}

static inline void kit_go(void)
{
    const char *what = "";
    cr_assert_eq(uv_loop_init(&kit.loop), 0);
    kit.cert = cert_new();
    cr_assert_not_null(kit.cert);
    struct signaling_params p = {.loop = &kit.loop, .conf = kit.conf, .cert = kit.cert};
    cr_assert_eq(signaling_start(&p, &kit.s, &what), 0, "%s", what);
    cr_assert_eq(signaling_set_plane(kit.s, &kit_plane, &what), 0, "%s", what);
}

static inline void kit_start(void)
{
    kit_prepare();
    kit_go();
}

static inline void kit_token(const char *token, const char *name, const char *pattern, bool publish,
                             bool play)
{
    struct conf_token *t = &kit.conf->auth.tokens[kit.conf->auth.n_tokens++];
    snprintf(t->token, sizeof(t->token), "%s", token);
    snprintf(t->name, sizeof(t->name), "%s", name);
    snprintf(t->pattern, sizeof(t->pattern), "%s", pattern);
    t->publish = publish;
    t->play = play;
}

/* One turn: what the loop has, then what the plane says. */
static inline void kit_turn(void)
{
    uv_run(&kit.loop, UV_RUN_NOWAIT);
    int n = kit_plane.n_events;
    for (int i = 0; i < n; i++) {
        struct api_event ev = kit_plane.events[i];
        signaling_on_event(&ev, kit.s);
    }
    memmove(kit_plane.events, kit_plane.events + n,
            (size_t)(kit_plane.n_events - n) * sizeof(kit_plane.events[0]));
    kit_plane.n_events -= n;
}

static inline void kit_stop(void)
{
    signaling_stop(kit.s);
    kit.s = NULL;
    uv_run(&kit.loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&kit.loop), 0, "a handle was left open");
    cert_free(kit.cert);
    free(kit.conf);
    for (int i = 0; i < kit_plane.n_cmds; i++) {
        api_cmd_fini(&kit_plane.cmds[i].cmd);
    }
    for (int i = 0; i < kit_plane.n_events; i++) {
        api_event_fini(&kit_plane.events[i]);
    }
    memset(&kit_plane, 0, sizeof(kit_plane));
}

/* ---- the client ---- */

struct reply {
    int status; /* 0: the connection ended without an answer */
    char head[16384];
    char body[65536];
    size_t body_len;
    bool closed; /* by the server */
};

static inline int kit_connect(uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

/* The value of a header, or NULL; n-th of that name. */
static inline const char *kit_header_n(const struct reply *r, const char *name, int n)
{
    static char value[1024];
    size_t len = strlen(name);
    for (const char *at = strstr(r->head, "\r\n"); at != NULL; at = strstr(at + 2, "\r\n")) {
        if (strncasecmp(at + 2, name, len) == 0 && at[2 + len] == ':' && n-- == 0) {
            const char *v = at + 2 + len + 1;
            cr_assert_eq(v[0], ' ', "OBS wants a space after the colon");
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(v + 1, "\r"), v + 1);
            return value;
        }
    }
    return NULL;
}

static inline const char *kit_header(const struct reply *r, const char *name)
{
    return kit_header_n(r, name, 0);
}

/* Reads one answer from fd; head_only: to a HEAD request. */
static inline void kit_read(int fd, bool head_only, struct reply *r)
{
    static char text[1 << 17];
    size_t n = 0;
    size_t want = SIZE_MAX;
    int64_t deadline = clock_now_us() + 8 * (int64_t)US_PER_S;
    memset(r, 0, sizeof(*r));
    while (n < want) {
        cr_assert_lt(clock_now_us(), deadline, "no answer: %.*s", (int)n, text);
        kit_turn();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 1) == 0) {
            continue;
        }
        /* Byte by byte where the end is not known yet, so that pipelined answers stay apart. */
        ssize_t got = recv(fd, text + n, want == SIZE_MAX ? 1 : want - n, 0);
        if (got <= 0) {
            r->closed = true;
            break;
        }
        n += (size_t)got;
        text[n] = '\0';
        char *end = want == SIZE_MAX ? strstr(text, "\r\n\r\n") : NULL;
        if (end != NULL) {
            size_t head = (size_t)(end + 4 - text);
            cr_assert_lt(head, sizeof(r->head));
            memcpy(r->head, text, head);
            r->status = atoi(text + 9);
            const char *length = kit_header(r, "Content-Length");
            cr_assert_null(kit_header(r, "Transfer-Encoding"), "FFmpeg fails on chunked answers");
            bool bodyless = r->status == 204 || r->status == 304 || r->status == 100;
            cr_assert(length != NULL || bodyless, "Content-Length is missing: %s", r->head);
            r->body_len = length != NULL && !head_only && !bodyless ? (size_t)atoi(length) : 0;
            want = head + r->body_len;
        }
    }
    if (r->status != 0) {
        cr_assert_lt(r->body_len, sizeof(r->body));
        memcpy(r->body, text + strlen(r->head), r->body_len);
    }
}

static inline void kit_send(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        kit_turn();
        if (n < 0 && errno != EAGAIN) {
            return; // the server has closed; kit_read tells
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* Sends raw bytes over a connection of their own and reads one answer. */
static inline struct reply kit_raw(uint16_t port, const char *data, size_t len)
{
    static struct reply r;
    int fd = kit_connect(port);
    kit_send(fd, data, len);
    kit_read(fd, strncmp(data, "HEAD", 4) == 0, &r);
    close(fd);
    kit_turn();
    return r;
}

/* A request: headers end with CRLF each or are "". body NULL: none, not even a length. */
static inline struct reply kit_do(const char *method, const char *path, const char *headers,
                                  const char *body)
{
    static char text[1 << 19];
    size_t body_len = body != NULL ? strlen(body) : 0;
    int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", method, path,
                     headers);
    if (body != NULL) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, "Content-Length: %zu\r\n", body_len);
    }
    n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n%s", body != NULL ? body : "");
    return kit_raw(signaling_port(kit.s), text, (size_t)n);
}

static inline struct reply kit_admin(const char *method, const char *path)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: localhost:9090\r\n\r\n", method,
                     path);
    return kit_raw(signaling_admin_port(kit.s), text, (size_t)n);
}

/* A request and what is answered. */
struct kit_row {
    const char *id; /* of the requirement */
    const char *method;
    const char *path;
    const char *headers;
    const char *body;
    int status;
    const char *header; /* must be there; NULL: any will do */
    const char *value;  /* and begin so; NULL: with anything */
};

/* Asks and compares; errors explain themselves and reflect no markup. */
static inline void kit_judge(const struct kit_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct kit_row *w = &rows[i];
        struct reply r = kit_do(w->method, w->path, w->headers, w->body);
        cr_expect_eq(r.status, w->status, "row %zu (%s): %d %s", i, w->id, r.status, r.body);
        const char *v = w->header ? kit_header(&r, w->header) : "";
        cr_expect_not_null(v, "row %zu (%s): no %s", i, w->id, w->header);
        if (w->value && v) {
            cr_expect_eq(strncmp(v, w->value, strlen(w->value)), 0, "row %zu (%s): %s", i, w->id,
                         v);
        }
        cr_expect_not(strstr(r.head, "script") || strstr(r.body, "script"),
                      "row %zu (%s): reflected", i, w->id);
        if (w->status >= 400) {
            cr_expect_not_null(strstr(r.body, "\"detail\""), "row %zu (%s): %s", i, w->id, r.body);
            cr_expect_not_null(strstr(r.body, "\"status\""), "row %zu (%s)", i, w->id);
        }
    }
}

/* ---- offers and fragments ---- */

#define KIT_TRANSPORT                                                                              \
    "a=ice-ufrag:clnt\r\na=ice-pwd:clientpasswordclientpass\r\n"                                   \
    "a=fingerprint:sha-256 "                                                                       \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:"   \
    "EE:FF\r\na=setup:actpass\r\n"
#define KIT_OFFER(dir)                                                                             \
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"                    \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n" KIT_TRANSPORT "a=" dir    \
    "\r\na=msid:s a\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"                                \
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n" KIT_TRANSPORT "a=" dir  \
    "\r\na=msid:s v\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\n"               \
    "a=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
#define KIT_SDP  "Content-Type: application/sdp\r\n"
#define KIT_FRAG "Content-Type: application/trickle-ice-sdpfrag\r\n"
#define KIT_CURRENT                                                                                \
    "a=ice-ufrag:clnt\r\na=ice-pwd:clientpasswordclientpass\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
#define KIT_CANDIDATE "a=candidate:1 1 UDP 2122260223 192.0.2.9 50000 typ host\r\n"

static inline struct reply kit_publish(const char *path, const char *headers)
{
    char all[8192];
    snprintf(all, sizeof(all), KIT_SDP "%s", headers);
    return kit_do("POST", path, all, KIT_OFFER("sendonly"));
}

static inline struct reply kit_play(const char *path, const char *headers)
{
    char all[8192];
    snprintf(all, sizeof(all), KIT_SDP "%s", headers);
    return kit_do("POST", path, all, KIT_OFFER("recvonly"));
}

/* The path of a 201's session URL; a few can be held at once. */
static inline const char *kit_session(const struct reply *r)
{
    static char paths[8][256];
    static int next;
    char *out = paths[next++ % 8];
    const char *location = kit_header(r, "Location");
    cr_assert_not_null(location, "%s%s", r->head, r->body);
    const char *at = strstr(location, "/session/");
    cr_assert_not_null(at);
    snprintf(out, 256, "%s", at);
    return out;
}

/* The n-th command of a kind so far, or NULL. */
static inline const struct kit_cmd *kit_cmd(enum api_cmd_kind kind, int n)
{
    for (int i = 0; i < kit_plane.n_cmds; i++) {
        if (kit_plane.cmds[i].cmd.kind == kind && n-- == 0) {
            return &kit_plane.cmds[i];
        }
    }
    return NULL;
}

static inline int kit_count(enum api_cmd_kind kind)
{
    int n = 0;
    while (kit_cmd(kind, n) != NULL) {
        n++;
    }
    return n;
}

static inline const struct kit_cmd *kit_last(enum api_cmd_kind kind)
{
    return kit_cmd(kind, kit_count(kind) - 1);
}

/* The stream that a session's section plays now, by its SLOT commands and the aliases behind them;
 * 0: none. */
static inline uint64_t kit_plays(uint64_t session, uint8_t mline)
{
    uint64_t plays = 0;
    for (int i = 0; i < kit_plane.n_cmds; i++) {
        const struct api_cmd *c = &kit_plane.cmds[i].cmd;
        if (c->kind == API_CMD_SLOT && c->id == session && c->u.slot.mline == mline) {
            plays = c->u.slot.stream;
        }
    }
    for (int i = kit_plane.n_cmds - 1; i >= 0; i--) {
        const struct api_cmd *c = &kit_plane.cmds[i].cmd;
        if (c->kind == API_CMD_STREAM_ALIAS && c->id == plays) {
            return c->u.alias.target;
        }
        if (c->kind == API_CMD_STREAM_SOURCE && c->id == plays) {
            return plays;
        }
    }
    return 0; // an alias that stands for nothing yet
}

/* The plane's word about a session. */
static inline void kit_say(enum api_ev_kind kind, uint64_t id, enum api_reason reason)
{
    struct api_event ev = {.kind = kind, .id = id};
    if (kind == API_EV_ENDED) {
        ev.u.ended.reason = reason;
    }
    kit_emit(ev);
    kit_turn();
}

/* A publisher whose session has its answer; returns its id. */
static inline uint64_t kit_publish_id(const char *path)
{
    cr_assert_eq(kit_publish(path, "").status, 201);
    return kit_last(API_CMD_SESSION_ADD)->cmd.id;
}

static inline void kit_say_live(uint64_t session)
{
    kit_say(API_EV_UP, session, 0);
    kit_say(API_EV_LIVE, session, 0);
}

/* A publisher whose media flow. */
static inline uint64_t kit_live(const char *path)
{
    uint64_t id = kit_publish_id(path);
    kit_say_live(id);
    return id;
}

/* An offer to play a room in one slot for sound and two for pictures. */
#define KIT_SLOTS                                                                                  \
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n"                  \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n" KIT_TRANSPORT             \
    "a=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"                                    \
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n" KIT_TRANSPORT              \
    "a=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"                                        \
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n" KIT_TRANSPORT              \
    "a=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"

/* A viewer with those slots who is up; returns its id, and its session's path in *ret_session. */
static inline uint64_t kit_join(const char *path, const char **ret_session)
{
    struct reply r = kit_do("POST", path, KIT_SDP, KIT_SLOTS);
    cr_assert_eq(r.status, 201, "%s", r.body);
    *ret_session = kit_session(&r);
    uint64_t id = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_say(API_EV_UP, id, 0);
    return id;
}

#endif
