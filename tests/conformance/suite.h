/* SPDX-License-Identifier: Apache-2.0 */
/* suite.h - black-box checks of a WHIP and WHEP server, one numbered requirement each. A check is a
 * row in a table: number, level, reference, what must be seen, and a function that looks. It stands
 * on tests/peer, an HTTP client of its own and raw sockets; no product code is linked.
 *
 * All checks use one endpoint pair: a stream that may be published, and the same stream to play.
 * They run one after another; what a check opened (parties, replies, text) is closed and freed
 * behind it. Single-threaded: whatever waits lets the loop turn. */
#ifndef TESTS_CONFORMANCE_SUITE_H
#define TESTS_CONFORMANCE_SUITE_H

#include "tests/peer/peer.h"
#include "tests/peer/peer_stun.h"
#include "tests/sdp_check.h"

#include <netinet/in.h>
#include <stdio.h>

enum level {
    MUST,
    SHOULD,
    MAY,
    POLICY, /* good practice with a reason, but no RFC behind it */
    LEVELS
};

enum result {
    NOT_RUN, /* filtered out */
    PASS,
    FAIL,
    SKIP,  /* does not apply: the server does not offer it, or an option is missing */
    BLIND, /* cannot be seen from outside */
    RESULTS
};

struct suite;

struct check {
    const char *id; /* "WHIP-01"; several rows may share one */
    enum level level;
    const char *ref;
    const char *what;
    void (*run)(struct suite *s); /* NULL: cannot be seen from outside */
    const void *arg;              /* for a function that serves several rows */
    const char *blind;            /* why run is NULL */
};

/* All tables, in the order of the matrix; NULL at the end of each by id. */
extern const struct check *const suite_tables[];

struct outcome {
    enum result result;
    char expected[200];
    char got[400]; /* or why it was skipped */
};

struct suite_options {
    const char *whip, *whep; /* endpoint URLs, http:// or https:// */
    const char *token, *whep_token;
    const char *other_token; /* valid, but may not publish here */
    const char *filter;      /* extended regular expression over the ids */
    unsigned part,
        parts;         /* of several runs side by side this one: each does every parts-th check */
    bool strict_etag;  /* the server claims RFC 9725 4.3.1 to the letter */
    bool only_skipped; /* a second run over a suite: what was not applicable in the first */
    unsigned patience_ms; /* for what must happen; 0 = 10 s */
    /* To test the suite: may change a packet that a party received, before any check sees it. */
    void (*spoil)(void *ctx, bool rtcp, uint8_t *buf, size_t len);
    void *spoil_ctx;
};

struct reply;
struct party;
struct kept;

struct suite {
    struct suite_options o;
    struct peer_loop *loop;
    struct peer_identity *identity, *stranger; /* stranger: another certificate */
    const struct check *now;
    struct outcome *outcomes; /* by position in suite_at */
    unsigned n;
    struct outcome verdict; /* of the check that runs */
    struct reply *replies;
    struct party *parties;
    struct kept *kept;
    bool quiet; /* no TAP lines */
    unsigned printed;
    unsigned n_parties; /* ever */
};

/* 0 or -errno: -ENOMEM, -EINVAL for a URL or a filter. */
int suite_init(struct suite *s, const struct suite_options *o);
void suite_fini(struct suite *s);
/* The i-th check of all tables; NULL behind the last. */
const struct check *suite_at(unsigned i);
/* Runs what the filter selects, prints TAP. Returns the number of MUSTs that failed. */
unsigned suite_run(struct suite *s);
/* Ends the sessions and frees the memory of the running check: suite_run does so by itself. */
void suite_clean_up(struct suite *s);
/* How many have this level and result. */
unsigned suite_count(const struct suite *s, enum level l, enum result r);

const char *suite_level_name(enum level l);
const char *suite_result_name(enum result r);

/* report.c: return 0 or -errno. */
int report_json(const struct suite *s, const char *path);
int report_markdown(const struct suite *s, const char *path);
void report_matrix(const struct suite *s, FILE *f);

/* ---- inside a check ---- */

/* Notes the first fault of the running check. Returns ok. */
__attribute__((format(printf, 4, 5))) bool suite_expect(struct suite *s, bool ok,
                                                        const char *expected, const char *got, ...);
/* The running check does not apply. */
__attribute__((format(printf, 2, 3))) void suite_skip(struct suite *s, const char *why, ...);

#define EXPECT(s, cond, expected, ...)                                                             \
    do {                                                                                           \
        if (!suite_expect(s, cond, expected, __VA_ARGS__)) {                                       \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define EXPECT_STATUS(s, r, code)                                                                  \
    EXPECT(s, (r)->status == (code), "status " #code, "%s", reply_brief(r))
#define EXPECT_4XX(s, r)                                                                           \
    EXPECT(s, (r)->status >= 400 && (r)->status < 500, "status 4xx", "%s", reply_brief(r))
#define SKIP_IF(s, cond, ...)                                                                      \
    do {                                                                                           \
        if (cond) {                                                                                \
            suite_skip(s, __VA_ARGS__);                                                            \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* Text that lives as long as the check. */
__attribute__((format(printf, 2, 3))) char *suite_keep(struct suite *s, const char *fmt, ...);
/* Memory that lives as long as the check, zeroed. */
void *suite_alloc(struct suite *s, size_t bytes);

/* Lets the loop turn. */
void suite_wait(struct suite *s, unsigned ms);
/* Until done says so, or patience is at its end. Returns what done said. */
bool suite_until(struct suite *s, bool (*done)(void *ctx), void *ctx);
bool suite_until_ms(struct suite *s, unsigned ms, bool (*done)(void *ctx), void *ctx);
int64_t suite_now_us(void);

/* ---- HTTP ---- */

struct request {
    const char *method;
    const char *url;
    const char *token;   /* NULL: the option's for this URL; "" = no Authorization */
    const char *auth;    /* the whole value of Authorization instead */
    const char *type;    /* Content-Type; NULL = none */
    const char *headers; /* more, each with CRLF */
    const char *body;
    size_t len;       /* 0: strlen(body) */
    bool chunked;     /* Transfer-Encoding: chunked */
    bool expects;     /* Expect: 100-continue, and waits for it (at most a second) */
    bool once;        /* no patience with 429 and 503 */
    unsigned slow_ms; /* pause between head and body */
};

struct reply {
    struct reply *next;
    struct suite *suite;
    int error; /* -errno when nothing came; then status is 0 */
    int status;
    bool continued; /* 100 came first */
    char *head;     /* status line and headers, terminated */
    char *body;     /* terminated; chunks joined */
    size_t len;
};

/* One exchange; never NULL; freed behind the check. */
const struct reply *suite_ask(struct suite *s, const struct request *rq);
#define ASK(s, ...) suite_ask(s, &(struct request){__VA_ARGS__})
/* The n-th header of a name; NULL if there is none. */
const char *reply_nth(const struct reply *r, const char *name, unsigned n);
/* The first; "" if there is none. */
const char *reply_get(const struct reply *r, const char *name);
/* "422 no-codec: The ..." in one line. */
const char *reply_brief(const struct reply *r);
/* Whether a comma-separated list holds a word, compared without case. */
bool list_has(const char *list, const char *word);

/* ---- parties ---- */

struct edit {
    const char *find, *put; /* find NULL: end of the list */
    bool all;
};

#define EDITS_MAX 8

struct plan {
    bool play;
    const struct peer_params *params;                /* NULL: suite_params */
    struct edit edits[EDITS_MAX];                    /* of the offer's text */
    const char *offer;                               /* instead of the peer's own */
    const char *url, *token, *auth, *type, *headers; /* NULL: the usual ones */
    bool once;
};

#define PLAIN_MAX 4096

/* One plaintext packet that a party received. */
struct plain {
    bool rtcp;
    int64_t at_us;
    uint16_t len;
    uint8_t buf[PEER_PACKET_MAX];
};

/* A peer, its POST and what came of it. */
struct party {
    struct party *next;
    struct suite *suite;
    struct peer *peer;
    bool play;
    bool ended; /* DELETE was answered: nothing left to clean up */
    const struct reply *created;
    char *url; /* session URL, "" if none */
    char *etag;
    char *offer_text;
    struct check_doc offer, answer; /* answer: only after 201 */
    /* wire */
    unsigned stun_requests, stun_indications, dtls_records, alerts, wire_media, wire_other;
    int64_t last_media_us; /* on the wire */
    size_t largest;        /* datagram */
    struct plain *plain;   /* ring of the last PLAIN_MAX */
    unsigned n_plain;      /* ever */
    struct probe *probes;
    unsigned n_messages; /* on data channels */
    uint32_t last_ppid;
    size_t last_bytes;
};

void suite_params(struct suite *s, bool play, struct peer_params *ret);
/* The offer that this plan would post. The party has no session. */
struct party *party_new(struct suite *s, const struct plan *plan);
/* Makes a peer, posts its offer. Never NULL; look at created->status. */
struct party *party_post(struct suite *s, const struct plan *plan);
#define POST(s, ...) party_post(s, &(struct plan){__VA_ARGS__})
/* After created was set by hand: reads Location, ETag and answer. */
void party_take_reply(struct party *p, const char *base);
/* Takes the answer and waits for DTLS. Returns whether it is up; notes a fault if not. */
bool party_up(struct party *p);
/* Both: a publisher that sends, a viewer that receives. NULL when that failed, which is noted. */
struct party *party_live(struct suite *s, const struct plan *plan);
struct party *party_watch(struct suite *s, const struct plan *plan);
#define LIVE(s, ...)  party_live(s, &(struct plan){__VA_ARGS__})
#define WATCH(s, ...) party_watch(s, &(struct plan){.play = true, __VA_ARGS__})
#define VIEW(s)       party_watch(s, &(struct plan){.play = true})
/* Both at once: *ret_pub may be NULL. */
struct party *party_pair(struct suite *s, struct party **ret_pub);
/* Until it has got that many more media packets. */
bool party_more(struct party *p, unsigned packets);
/* DELETE of the session. */
const struct reply *party_delete(struct party *p);
/* A trickle fragment of its own (its candidate). */
const char *party_fragment(struct party *p);
/* PATCH with a fragment; if_match NULL = left out. */
const struct reply *party_patch(struct party *p, const char *if_match, const char *body);
/* ICE restart by the book. Returns the reply to the PATCH; the peer goes on with it if 200. */
const struct reply *party_restart(struct party *p, const char *if_match);
/* The i-th plaintext packet from the oldest still there; NULL behind the last. */
const struct plain *party_plain(const struct party *p, unsigned i);
unsigned party_plain_count(const struct party *p);
void party_free_all(struct suite *s);
bool party_is_gone(void *party); /* CLOSED or FAILED, for suite_until */
/* "" or which faults of media the peer counted. */
const char *party_faults(struct party *p);

/* ---- SDP ---- */

/* The section (1..) of a kind, the n-th from 0; 0 if there is none. */
int doc_section(const struct check_doc *d, const char *kind, int n);
bool doc_accepted(const struct check_doc *d, int section);
/* First accepted section, 0 if none. */
int doc_tagged(const struct check_doc *d);
/* An attribute at media level, else at session level; NULL if absent. prefix: "a=setup:". */
const char *doc_get(const struct check_doc *d, int section, const char *prefix);
/* "a=rtpmap:PT NAME/": the payload type of a codec, -1 if absent. */
int doc_pt(const struct check_doc *d, int section, const char *name);
/* The id of a header extension, 0 if absent. */
int doc_ext(const struct check_doc *d, int section, const char *uri);
uint32_t doc_ssrc(const struct check_doc *d, int section);

/* ---- raw UDP ---- */

struct probe;
/* A socket that is nobody's candidate, and the address of the first UDP candidate of our family in
 * the answer. NULL when there is none, which is noted. */
struct probe *probe_open(struct party *p);
void probe_send(struct probe *pr, const void *buf, size_t len);
/* The next datagram within ms. Returns its length, 0 if none came. */
size_t probe_recv(struct probe *pr, unsigned ms, uint8_t *buf, size_t cap);
uint16_t probe_port(const struct probe *pr);
void probe_close_all(struct party *p);
/* A check as a browser sends it: fields filled from offer and answer. */
void probe_check(struct party *p, struct peer_stun *ret);
/* Writes, sends, waits for a STUN answer with its transaction id. Returns whether one came; raw is
 * PROBE_MAX bytes or NULL. */
#define PROBE_MAX 2048
bool probe_ask(struct probe *pr, const struct peer_stun *rq, const char *password, unsigned ms,
               struct peer_stun *ret, uint8_t *raw);
bool probe_ask_raw(struct probe *pr, const uint8_t *buf, size_t len, unsigned ms,
                   struct peer_stun *ret, uint8_t *raw);
const char *probe_remote_pwd(struct party *p);
int probe_fd(const struct probe *pr);
struct suite *probe_suite(const struct probe *pr);
/* Sends an authenticated check with USE-CANDIDATE and waits for success; notes a fault if none. */
bool probe_nominate(struct probe *pr, struct party *p);

/* A STUN message by hand: attributes in any order, then integrity and fingerprint. */
struct probe_message {
    uint8_t buf[PROBE_MAX];
    size_t len;
};
void probe_begin(struct probe_message *m, uint16_t type);
void probe_attr(struct probe_message *m, uint16_t type, const void *value, size_t len);
void probe_sign(struct probe_message *m, const char *password); /* MESSAGE-INTEGRITY */
void probe_fingerprint(struct probe_message *m);

/* ---- DTLS without a peer ---- */

struct handshake {
    /* in */
    int max_version;      /* DTLS1_VERSION ...; 0 = 1.2 */
    const char *profiles; /* use_srtp; NULL = not offered */
    const char *ciphers;  /* NULL = OpenSSL's */
    /* out */
    bool up, closed; /* closed: an alert ended it, before or after */
    int version;
    char cipher[64];
    char key[32]; /* of the server's certificate: "prime256v1" */
    bool resumable;
};
/* As DTLS client through the probe, with the suite's identity. */
void probe_handshake(struct probe *pr, struct handshake *h, unsigned ms);

#endif
