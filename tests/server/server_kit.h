/* SPDX-License-Identifier: Apache-2.0 */
/* server_kit.h - starts the built server as a process of its own and looks at it from outside:
 * HTTP, admin API, metrics, log, memory, descriptors. Media goes through tests/peer. One server and
 * one loop per test program; a helper that waits lets the loop turn meanwhile, so that all peers of
 * the program live on. */
#ifndef TESTS_SERVER_SERVER_KIT_H
#define TESTS_SERVER_SERVER_KIT_H

#include "tests/peer/peer.h"
#include "tests/peer/peer_http.h"

#include <cjson/cJSON.h>
#include <sys/types.h>

#if defined(__SANITIZE_ADDRESS__)
#define SERVER_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SERVER_SANITIZED 1
#endif
#endif
#ifndef SERVER_SANITIZED
#define SERVER_SANITIZED 0
#endif

/* Counts and times that a sanitized build gets smaller or longer: both sides are several times as
 * slow then. */
#define SERVER_SCALED(normal, sanitized) (SERVER_SANITIZED ? (sanitized) : (normal))
/* How long to wait for what must happen, ms. Nothing is measured by it. */
#define SERVER_PATIENCE_MS SERVER_SCALED(15000, 60000)

#define SERVER_SETS_MAX 32

struct server {
    pid_t pid; /* 0 = does not run */
    int log_fd;
    const char *binary;
    const char *config;      /* a file of settings; NULL: none but those of server_start */
    const char *admin_token; /* what server_http and all below say to the admin; NULL: none */
    uint16_t http_port, admin_port, media_port;
    struct peer_loop *loop;
    struct peer_identity *identity;
};

/* ---- verdicts ---- */

/* Prints "ok N - ..." or "not ok N - ...". Returns ok. */
__attribute__((format(printf, 2, 3))) bool check(bool ok, const char *fmt, ...);
/* A line that explains, "# ...". */
__attribute__((format(printf, 1, 2))) void note(const char *fmt, ...);
/* Prints "N passed, N failed". Returns the exit code. */
int check_report(void);
/* Ends the program with a failure: nothing more can be checked. */
__attribute__((noreturn, format(printf, 1, 2))) void check_give_up(const char *fmt, ...);

/* ---- the process ---- */

/* The binary: argv[1] or $SLUICE. Ends the program with a message if there is none. Makes loop and
 * identity. */
void server_init(struct server *s, int argc, char **argv);
/* Starts it on free ports with further settings ("limits.max_sessions=5", NULL at the end) and
 * waits until it is ready. Ends the program if it is not. The rate limit of HTTP is lifted unless
 * sets say otherwise. */
void server_start(struct server *s, const char *const *sets);
/* Asks it to end at once and waits. Returns its exit code, -1 if it had to be killed or died of a
 * signal. */
int server_stop(struct server *s);
/* Waits for an end that has been asked for. Same returns. */
int server_wait_end(struct server *s, int64_t ms);
/* Stops it, checks for a clean end, and frees loop and identity. Its log is printed if any check
 * has failed. */
void server_fini(struct server *s);

int64_t server_rss_kb(const struct server *s); /* -1 when it cannot be read */
int server_fds(const struct server *s);
/* How often the text stands in its log. */
int server_log_count(const struct server *s, const char *text);

/* ---- time ---- */

int64_t server_now_ms(void);
/* Lets the loop turn. */
void server_run(struct server *s, int64_t ms);
bool server_until(struct server *s, int64_t ms, bool (*done)(void *ctx), void *ctx);

/* ---- peers ---- */

/* peer_params_init with receive buffers and time-outs for a busy machine. */
void server_params(enum peer_role role, struct peer_params *ret);
/* A peer of /whip/stream or /whep/stream (by m->role) that has posted. Never NULL: ends the program
 * when memory or sockets are not to be had. */
struct peer *server_peer(struct server *s, const char *stream, const struct peer_params *m);
/* Default publisher and viewer. */
struct peer *server_publisher(struct server *s, const char *stream);
struct peer *server_viewer(struct server *s, const char *stream);
/* Waits until all are up, and have sent or received media. Returns how many are not, and notes
 * why. */
unsigned server_wait_playing(struct server *s, struct peer *const *peers, unsigned n);
/* Waits until each of them has got that many more media packets than now. Returns how many have
 * not. */
unsigned server_wait_more(struct server *s, struct peer *const *peers, unsigned n, unsigned more);
/* Waits for a state (or a later one); returns whether it is exactly this one. */
bool server_wait_state(struct server *s, struct peer *p, enum peer_state want, int64_t ms);
/* After the publisher of one encoding (pub; NULL: of several) has paused: waits until every viewer
 * has the last packet that it sent, and no gap that may still be filled. */
void server_drain(struct server *s, struct peer *pub, struct peer *const *peers, unsigned n);
/* Whether the viewer has received flawless media: no fault, nothing lost, nothing unauthentic from
 * the server; else notes what is wrong. */
bool server_flawless(struct peer *p, const char *who);
/* DELETE of the session; waits for the answer. Returns the status. */
int server_leave(struct server *s, struct peer *p);
/* The offer of a viewer that will never be heard of again, to be posted by server_http; free(3) it.
 * A failure is checked. */
char *server_offer(struct server *s);
/* Says good-bye for those that are up, and frees all; NULLs are skipped. */
void server_free_peers(struct server *s, struct peer **peers, unsigned n);

/* ---- HTTP ---- */

struct server_reply {
    int status; /* 0 = no answer */
    int retry_after_s;
    char location[512];
    char head[2048]; /* status line and headers, terminated; cut */
    char *body;      /* terminated */
    size_t len;
};

struct server_ask {
    bool admin; /* on the admin's listener, not on the public one */
    const char *method, *path;
    const char *token;   /* Bearer; NULL: none */
    const char *headers; /* more, each ending in CRLF; NULL: none */
    const char *type, *body;
};

/* One request. The caller frees ret->body. Returns the status. */
int server_ask(struct server *s, const struct server_ask *ask, struct server_reply *ret);
/* The same without token and headers; type and body may be NULL. */
int server_http(struct server *s, bool admin, const char *method, const char *path,
                const char *type, const char *body, struct server_reply *ret);
/* The same, when only the status matters. */
int server_http_status(struct server *s, bool admin, const char *method, const char *path);

/* ---- admin API and metrics ---- */

/* GET /api/v1/sessions; the caller deletes it. Never NULL: an empty object after a failure, which
 * is checked. */
cJSON *server_sessions(struct server *s);
/* How many sessions are in a listing. */
unsigned server_sessions_count(const cJSON *listing);
/* The sessions in the server's listing right now. */
unsigned server_sessions_now(struct server *s);
/* A session's member by name, by its place in the listing; 0 and "" when absent. */
double server_session_number(const cJSON *listing, unsigned i, const char *name);
const char *server_session_text(const cJSON *listing, unsigned i, const char *name);

/* The text of /metrics; free(3) it. Counters of the media plane lag by up to a second. */
char *server_metrics(struct server *s);
/* One value: name with labels as it stands there ("sluice_x_total{a=\"b\"}"). -1 when absent. */
int64_t server_metric_in(const char *text, const char *name);
int64_t server_metric(struct server *s, const char *name);
/* sluice_dropped_packets_total by reason. */
int64_t server_dropped(struct server *s, const char *reason);
/* Sessions of a role that ended for a reason. */
int64_t server_ended(struct server *s, const char *role, const char *reason);
/* Waits until the value is at least (below: at most) want. Returns the last one seen. */
int64_t server_wait_metric(struct server *s, const char *name, int64_t want);
int64_t server_wait_metric_down(struct server *s, const char *name, int64_t want);
/* Waits until the plane has published its counters anew. */
void server_settle(struct server *s);

#endif
