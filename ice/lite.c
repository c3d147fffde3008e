/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/lite.h"

#include <pthread.h>
#include <string.h>

#include <stun/debug.h>
#include <stun/stunagent.h>
#include <stun/usages/ice.h>

#include "rtp/bytes.h"

#define STUN_HEADER      20
#define STUN_BINDING_REQ 0x0001
#define STUN_COOKIE      0x2112a442u
#define INTEGRITY_LEN    20
#define ATTR_SOFT        0x8000 /* comprehension-optional from here on */

/* Comprehension-required attributes that are understood: those of a check, and those of RFC 8489
 * that a request may not usefully carry but that are to be ignored there (6.3.1). */
static const uint16_t known_attrs[] = {
    STUN_ATTRIBUTE_MAPPED_ADDRESS,
    STUN_ATTRIBUTE_USERNAME,
    STUN_ATTRIBUTE_MESSAGE_INTEGRITY,
    STUN_ATTRIBUTE_ERROR_CODE,
    STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES,
    STUN_ATTRIBUTE_REALM,
    STUN_ATTRIBUTE_NONCE,
    STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS,
    STUN_ATTRIBUTE_PRIORITY,
    STUN_ATTRIBUTE_USE_CANDIDATE,
    0,
};

/* libnice's agent is 14 kB of transaction table, which only senders of requests use. A responder
 * never writes to it, so two agents serve all peers of all threads: one that demands FINGERPRINT
 * (and adds it to answers), one for requests that have none. */
static StunAgent agent_printed;
static StunAgent agent_plain;
static pthread_once_t agents_once = PTHREAD_ONCE_INIT;

static void make_agents(void)
{
    stun_debug_disable();
    stun_agent_init(&agent_printed, known_attrs, STUN_COMPATIBILITY_RFC5389,
                    STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
    stun_agent_init(&agent_plain, known_attrs, STUN_COMPATIBILITY_RFC5389,
                    STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS);
}

/* ---- reading ---- */

/* What the bounded walk found. Only attributes before MESSAGE-INTEGRITY count. */
struct scan {
    const uint8_t *username;
    size_t username_len;
    bool integrity;
    bool fingerprint;
    bool controlled; /* the peer claims our role */
    unsigned n_unknown;
    uint16_t unknown[LITE_ATTRS_MAX]; /* host order */
};

static bool is_known(unsigned type)
{
    for (size_t i = 0; known_attrs[i] != 0; i++) {
        if (known_attrs[i] == type) {
            return true;
        }
    }
    return false;
}

/* Notes one attribute. Returns false if it is malformed. */
static bool scan_attr(struct scan *s, unsigned type, const uint8_t *value, size_t len)
{
    if (type == STUN_ATTRIBUTE_FINGERPRINT) {
        s->fingerprint = true;
        return len == 4;
    }
    if (s->integrity) {
        return true; /* unauthenticated: as if it were not there (RFC 8489 14.5) */
    }
    switch (type) {
    case STUN_ATTRIBUTE_MESSAGE_INTEGRITY:
        s->integrity = true;
        /* libnice compares 20 bytes whatever the length says. */
        return len == INTEGRITY_LEN;
    case STUN_ATTRIBUTE_USERNAME:
        if (!s->username) {
            s->username = value;
            s->username_len = len;
        }
        return true;
    case STUN_ATTRIBUTE_PRIORITY:
        return len == 4;
    case STUN_ATTRIBUTE_USE_CANDIDATE:
        return len == 0;
    case STUN_ATTRIBUTE_ICE_CONTROLLED:
        s->controlled = true;
        return len == 8;
    case STUN_ATTRIBUTE_ICE_CONTROLLING:
        return len == 8;
    default:
        if (type < ATTR_SOFT && !is_known(type)) {
            s->unknown[s->n_unknown++] = (uint16_t)type;
        }
        return true;
    }
}

/* Walks a message of any kind. Returns LITE_OK for a well-formed binding request. */
static enum lite_verdict scan_message(struct scan *s, const uint8_t *buf, size_t len)
{
    size_t off = STUN_HEADER;

    if (len < STUN_HEADER || len % 4 != 0 || bytes_load16(buf + 2) != len - STUN_HEADER ||
        bytes_load32(buf + 4) != STUN_COOKIE) {
        return LITE_MALFORMED;
    }
    if (bytes_load16(buf) != STUN_BINDING_REQ) {
        return LITE_OTHER;
    }
    for (unsigned n = 0; off < len; n++) {
        unsigned type = 0;
        size_t alen = 0;
        size_t room = 0;
        /* len and off are multiples of 4: a header fits. FINGERPRINT is the last (RFC 8489 14.7).
         */
        if (n == LITE_ATTRS_MAX || s->fingerprint) {
            return LITE_MALFORMED;
        }
        type = bytes_load16(buf + off);
        alen = bytes_load16(buf + off + 2);
        room = (alen + 3) & ~(size_t)3;
        if (room > len - off - 4 || !scan_attr(s, type, buf + off + 4, alen)) {
            return LITE_MALFORMED;
        }
        off += 4 + room;
    }
    return s->integrity && s->username ? LITE_OK : LITE_INTEGRITY;
}

/* USERNAME is exactly "local:remote" (RFC 8445 7.3, SEC-38). */
static bool username_matches(const struct ice_creds *c, const uint8_t *name, size_t len)
{
    size_t local = strlen(c->local_ufrag);
    size_t remote = strlen(c->remote_ufrag);

    return len == local + 1 + remote && memcmp(name, c->local_ufrag, local) == 0 &&
           name[local] == ':' && memcmp(name + local + 1, c->remote_ufrag, remote) == 0;
}

static const struct lite_creds *find_creds(const struct lite *l, const struct scan *s)
{
    if (username_matches(&l->current.creds, s->username, s->username_len)) {
        return &l->current;
    }
    if (l->has_old && username_matches(&l->old.creds, s->username, s->username_len)) {
        return &l->old;
    }
    return NULL;
}

static bool give_password(StunAgent *agent, StunMessage *msg, uint8_t *username,
                          uint16_t username_len, uint8_t **password, size_t *password_len,
                          void *ctx)
{
    struct ice_creds *c = ctx;

    (void)agent;
    (void)msg;
    (void)username;
    (void)username_len;
    *password = (uint8_t *)c->local_pwd;
    *password_len = strlen(c->local_pwd);
    return *password_len > 0;
}

/* FINGERPRINT if there is one, then MESSAGE-INTEGRITY. */
static enum lite_verdict verify(const struct scan *s, const struct lite_creds *c,
                                const uint8_t *buf, size_t len, StunMessage *ret_msg)
{
    StunAgent *agent = s->fingerprint ? &agent_printed : &agent_plain;
    StunValidationStatus st =
        stun_agent_validate(agent, ret_msg, buf, len, give_password, (void *)(uintptr_t)&c->creds);

    switch (st) {
    case STUN_VALIDATION_SUCCESS:
    case STUN_VALIDATION_UNKNOWN_REQUEST_ATTRIBUTE: /* found after the integrity was */
        return LITE_OK;
    case STUN_VALIDATION_UNAUTHORIZED:
    case STUN_VALIDATION_UNAUTHORIZED_BAD_REQUEST:
        return LITE_INTEGRITY;
    case STUN_VALIDATION_NOT_STUN:
    case STUN_VALIDATION_INCOMPLETE_STUN:
    case STUN_VALIDATION_BAD_REQUEST:
    case STUN_VALIDATION_UNMATCHED_RESPONSE:
    case STUN_VALIDATION_UNKNOWN_ATTRIBUTE:
    case STUN_VALIDATION_FORBIDDEN:
        break;
    }
    return LITE_MALFORMED;
}

/* A source that no honest packet has, or ourselves: an answer would go to somebody else (SEC-43).
 */
static bool is_impossible_source(const struct path *from)
{
    return from->remote.port == 0 || !addr_is_unicast(&from->remote) ||
           (from->local.port != 0 && addr_equal(&from->remote, &from->local));
}

/* ---- answering ---- */

/* libnice pads with spaces; padding is zero here (SEC-37). */
static bool append(StunMessage *msg, StunAttribute type, const void *data, size_t len)
{
    size_t pad = (4 - len % 4) % 4;

    if (stun_message_append_bytes(msg, type, data, len) != STUN_MESSAGE_RETURN_SUCCESS) {
        return false;
    }
    memset(msg->buffer + stun_message_length(msg) - pad, 0, pad);
    return true;
}

/* Builds an answer without attributes. The codec's own error builder would pad with spaces, so
 * the class is set afterwards. */
static bool begin_answer(StunMessage *msg, uint8_t *reply, const StunMessage *req, bool error)
{
    if (!stun_agent_init_response(&agent_printed, msg, reply, LITE_REPLY_MAX, req)) {
        return false;
    }
    if (error) {
        reply[1] |= 0x10; /* class bits 11: binding error response, 0x0111 */
    }
    return true;
}

static size_t write_success(uint8_t *reply, const StunMessage *req, const struct addr *remote)
{
    StunMessage msg;
    struct sockaddr_storage sa = {0};
    int family = addr_is_v4(remote) ? AF_INET : AF_INET6;
    socklen_t sa_len = addr_to_sockaddr(remote, family, &sa);

    if (!begin_answer(&msg, reply, req, false) ||
        stun_message_append_xor_addr(&msg, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &sa, sa_len) !=
            STUN_MESSAGE_RETURN_SUCCESS) {
        return 0;
    }
    return stun_agent_finish_message(&agent_printed, &msg, req->key, req->key_len);
}

static size_t write_error(uint8_t *reply, const StunMessage *req, StunError code,
                          const struct scan *s)
{
    StunMessage msg;
    uint8_t value[4 + 32] = {0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100)};
    const char *reason = code == STUN_ERROR_ROLE_CONFLICT ? "Role Conflict" : "Unknown Attribute";
    uint8_t types[2 * LITE_ATTRS_MAX];

    memcpy(value + 4, reason, strlen(reason));
    if (!begin_answer(&msg, reply, req, true) ||
        !append(&msg, STUN_ATTRIBUTE_ERROR_CODE, value, 4 + strlen(reason))) {
        return 0;
    }
    if (code == STUN_ERROR_UNKNOWN_ATTRIBUTE) {
        for (unsigned i = 0; i < s->n_unknown; i++) {
            types[2 * i] = (uint8_t)(s->unknown[i] >> 8);
            types[2 * i + 1] = (uint8_t)s->unknown[i];
        }
        if (!append(&msg, STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES, types, (size_t)2 * s->n_unknown)) {
            return 0;
        }
    }
    return stun_agent_finish_message(&agent_printed, &msg, req->key, req->key_len);
}

/* ---- paths ---- */

static int find_path(const struct lite *l, const struct path *p)
{
    for (unsigned i = 0; i < l->n_paths; i++) {
        if (path_equal(&l->paths[i].path, p)) {
            return (int)i;
        }
    }
    return -1;
}

/* The entry of a path, made if need be: in place of the one unheard for longest, never of the
 * chosen one. */
static int take_path(struct lite *l, const struct path *p)
{
    int i = find_path(l, p);

    if (i >= 0) {
        return i;
    }
    if (l->n_paths < LITE_PATHS_MAX) {
        i = (int)l->n_paths++;
    } else {
        for (int k = 0; k < LITE_PATHS_MAX; k++) {
            if (k != l->chosen && (i < 0 || l->paths[k].heard_us < l->paths[i].heard_us)) {
                i = k;
            }
        }
    }
    l->paths[i] = (struct lite_path){0};
    return i;
}

/* Whether path i, just checked, takes the place of the chosen one. */
static bool takes_over(const struct lite *l, int i, bool nominates, int64_t now_us)
{
    const struct lite_path *p = &l->paths[i];
    const struct lite_path *c = NULL;

    if (l->chosen < 0) {
        return true;
    }
    c = &l->paths[l->chosen];
    if (!nominates || !c->nominated) {
        return !c->nominated;
    }
    return p->priority >= c->priority || now_us - c->nominated_us > LITE_RENOMINATE_US;
}

/* The restart is over: what was nominated before it no longer stands. */
static void forget_old(struct lite *l)
{
    explicit_bzero(&l->old, sizeof(l->old));
    l->has_old = false;
    for (unsigned i = 0; i < l->n_paths; i++) {
        l->paths[i].nominated =
            l->paths[i].nominated && l->paths[i].generation == l->current.generation;
    }
}

/* A valid check came: RFC 8445 7.3. Returns true if the chosen path moved. */
static bool on_check(struct lite *l, int64_t now_us, const struct path *from,
                     const StunMessage *req, uint32_t generation)
{
    bool nominates = stun_usage_ice_conncheck_use_candidate(req);
    int i = take_path(l, from);
    struct lite_path *p = &l->paths[i];

    p->path = *from; /* the interface may have changed */
    p->priority = stun_usage_ice_conncheck_priority(req);
    p->generation = MAX(p->generation, generation);
    p->heard_us = now_us;
    if (nominates) {
        if (l->has_old && generation == l->current.generation) {
            forget_old(l);
        }
        p->nominated = true;
        p->nominated_us = now_us;
    }
    if (i == l->chosen || !takes_over(l, i, nominates, now_us)) {
        return false;
    }
    l->chosen = i;
    return true;
}

/* ---- the agent ---- */

static void set_creds(struct lite_creds *c, const struct ice_creds *creds, uint32_t generation)
{
    c->creds = *creds;
    c->generation = generation;
}

void lite_init(struct lite *l, const struct ice_creds *creds)
{
    (void)pthread_once(&agents_once, make_agents);
    memset(l, 0, sizeof(*l));
    set_creds(&l->current, creds, 1);
    l->chosen = -1;
}

void lite_fini(struct lite *l)
{
    explicit_bzero(&l->current, sizeof(l->current));
    explicit_bzero(&l->old, sizeof(l->old));
}

struct lite_result lite_on_datagram(struct lite *l, int64_t now_us, const struct path *from,
                                    const uint8_t *buf, size_t len, uint8_t reply[LITE_REPLY_MAX])
{
    struct lite_result r = {.verdict = LITE_OTHER};
    struct scan s = {0};
    const struct lite_creds *c = NULL;
    StunMessage req;

    if (is_impossible_source(from)) {
        return r;
    }
    r.verdict = scan_message(&s, buf, len);
    if (r.verdict != LITE_OK) {
        return r;
    }
    c = find_creds(l, &s);
    if (!c) {
        r.verdict = LITE_INTEGRITY;
        return r;
    }
    r.verdict = verify(&s, c, buf, len, &req);
    if (r.verdict != LITE_OK) {
        return r;
    }
    /* The sender is the peer from here on. The key of the answer points into its credentials, so
     * the answer is written before they can be forgotten. */
    if (s.n_unknown > 0) {
        r.verdict = LITE_REFUSED;
        r.reply_len = write_error(reply, &req, STUN_ERROR_UNKNOWN_ATTRIBUTE, &s);
    } else if (s.controlled) {
        r.verdict = LITE_REFUSED; /* a lite agent is always controlled (SEC-41) */
        r.reply_len = write_error(reply, &req, STUN_ERROR_ROLE_CONFLICT, &s);
    } else {
        r.reply_len = write_success(reply, &req, &from->remote);
        r.moved = on_check(l, now_us, from, &req, c->generation);
    }
    return r;
}

void lite_restart(struct lite *l, const struct ice_creds *creds)
{
    l->old = l->current;
    l->has_old = true;
    set_creds(&l->current, creds, l->old.generation + 1);
}

static bool ufrag_is(const struct ice_creds *c, const char *ufrag, size_t n)
{
    return strlen(c->local_ufrag) == n && memcmp(c->local_ufrag, ufrag, n) == 0;
}

bool lite_has_ufrag(const struct lite *l, const char *ufrag, size_t n)
{
    return ufrag_is(&l->current.creds, ufrag, n) ||
           (l->has_old && ufrag_is(&l->old.creds, ufrag, n));
}

const struct path *lite_chosen(const struct lite *l)
{
    return l->chosen < 0 ? NULL : &l->paths[l->chosen].path;
}

bool lite_has_path(const struct lite *l, const struct path *p)
{
    return find_path(l, p) >= 0;
}

/* The best of what is left when the chosen path has gone. */
static int best_path(const struct lite *l)
{
    int best = -1;

    for (int i = 0; i < (int)l->n_paths; i++) {
        const struct lite_path *p = &l->paths[i];
        const struct lite_path *b = best < 0 ? NULL : &l->paths[best];
        bool better = !b || p->nominated > b->nominated;
        if (b && p->nominated && b->nominated) {
            better = p->priority > b->priority ||
                     (p->priority == b->priority && p->nominated_us > b->nominated_us);
        } else if (b && !p->nominated && !b->nominated) {
            better = p->heard_us > b->heard_us;
        }
        if (better) {
            best = i;
        }
    }
    return best;
}

bool lite_drop_conn(struct lite *l, uint64_t conn)
{
    bool chosen_gone = false;
    unsigned kept = 0;

    for (unsigned i = 0; i < l->n_paths; i++) {
        bool gone = l->paths[i].path.transport == TRANSPORT_TCP && l->paths[i].path.conn == conn;
        if ((int)i == l->chosen) {
            chosen_gone = gone;
            l->chosen = gone ? -1 : (int)kept;
        }
        if (!gone) {
            l->paths[kept++] = l->paths[i];
        }
    }
    l->n_paths = kept;
    if (chosen_gone) {
        l->chosen = best_path(l);
    }
    return chosen_gone;
}
