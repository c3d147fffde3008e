/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ice/lite.h"
#include "rtp/demux.h"
#include "rtp/header.h"
#include "rtp/prefetch.h"

#define SHRINK_AFTER_US                                                                            \
    (30 * (int64_t)US_PER_S) /* late retransmissions of the handshake are over */
#define REPLIES_MAX  4 /* answers that wait for link_poll: callers drain after each datagram */
#define DATAGRAM_MAX 2048
#define SRTP_MIN     (12 + 10) /* fixed header and the shortest tag */
#define SRTCP_MIN    (8 + 4 + 10)
#define SRTP_MAX     (RTP_PACKET_MAX + SEAL_TAG_MAX)

struct reply {
    struct path to;
    size_t len;
    uint8_t bytes[LITE_REPLY_MAX];
};

struct link {
    struct lite lite;
    struct dtls *dtls;
    struct seal *seal; /* both from LINK_UP on, until link_free */
    struct open *open;
    enum link_state state;
    enum srtp_profile profile;
    const char *close_reason;
    bool data_channel, no_media;
    unsigned max_ssrcs;
    unsigned events; /* bit 1 << enum link_event */
    int64_t heard_us;
    int64_t shrink_us; /* when to free OpenSSL's state; INT64_MAX: never */
    unsigned reply_first;
    unsigned n_replies;
    struct reply reply[REPLIES_MAX];
    uint64_t drops[LINK_DROP_COUNT];
};

static const char *const drop_names[] = {
    [LINK_DROP_STUN_MALFORMED] = "stun_malformed",
    [LINK_DROP_STUN_INTEGRITY] = "stun_integrity",
    [LINK_DROP_STUN_OTHER] = "stun_other",
    [LINK_DROP_DTLS_PATH] = "dtls_path",
    [LINK_DROP_DTLS_FILTER] = "dtls_filter",
    [LINK_DROP_SRTP_PATH] = "srtp_path",
    [LINK_DROP_SRTP_EARLY] = "srtp_early",
    [LINK_DROP_SRTP_AUTH] = "srtp_auth",
    [LINK_DROP_SRTP_REPLAY] = "srtp_replay",
    [LINK_DROP_SRTP_SSRCS] = "srtp_ssrcs",
    [LINK_DROP_SIZE] = "size",
    [LINK_DROP_DATA] = "data",
    [LINK_DROP_UNKNOWN] = "unknown",
    [LINK_DROP_CLOSED] = "closed",
};
static_assert(ARRAY_LEN(drop_names) == LINK_DROP_COUNT, "every reason has a name");

const char *link_drop_name(enum link_drop d)
{
    assert(d < LINK_DROP_COUNT);
    return drop_names[d];
}

struct link *link_new(const struct link_params *p, int64_t now_us)
{
    struct link *l = calloc(1, sizeof(*l));
    struct dtls_params dp = {.cert = p->cert,
                             .role = p->role,
                             .fingerprints = p->fingerprints,
                             .n_fingerprints = p->n_fingerprints,
                             .no_media = p->no_media,
                             .only_cm = p->only_cm};

    assert(p->n_fingerprints <= LINK_FINGERPRINTS_MAX);
    (void)now_us;
    if (!l) {
        return NULL;
    }
    l->dtls = dtls_new(&dp);
    if (!l->dtls) {
        free(l);
        return NULL;
    }
    lite_init(&l->lite, &p->creds);
    l->data_channel = p->data_channel;
    l->no_media = p->no_media;
    l->max_ssrcs = p->max_ssrcs;
    l->shrink_us = INT64_MAX;
    return l;
}

void link_free(struct link *l)
{
    if (!l) {
        return;
    }
    seal_free(l->seal);
    open_free(l->open);
    dtls_free(l->dtls);
    lite_fini(&l->lite);
    free(l);
}

static enum link_in drop(struct link *l, enum link_drop why)
{
    l->drops[why]++;
    return LINK_IN_NOTHING;
}

static void raise_event(struct link *l, enum link_event e)
{
    l->events |= 1U << e;
}

static void close_link(struct link *l, const char *reason)
{
    if (l->state != LINK_CLOSED) {
        l->state = LINK_CLOSED;
        l->close_reason = reason;
        l->n_replies = 0;
        l->shrink_us = INT64_MAX;
    }
}

/* ---- DTLS ---- */

/* Keys are exported once, and only here (SEC-53). */
static int make_srtp(struct link *l)
{
    struct srtp_keys tx;
    struct srtp_keys rx;
    int err = dtls_export_keys(l->dtls, &tx, &rx);

    if (err == 0) {
        l->profile = tx.profile;
        l->seal = seal_new(&tx);
        l->open = open_new(&rx, l->max_ssrcs);
        err = l->seal && l->open ? 0 : -ENOMEM;
    }
    explicit_bzero(&tx, sizeof(tx));
    explicit_bzero(&rx, sizeof(rx));
    return err;
}

/* Follows the DTLS session after whatever may have moved it. */
static void follow_dtls(struct link *l, int64_t now_us)
{
    enum dtls_state st = dtls_state(l->dtls);

    if (l->state == LINK_CLOSED) {
        return;
    }
    if (st == DTLS_UP && l->state != LINK_UP) {
        if (!l->no_media && make_srtp(l) < 0) {
            dtls_close(l->dtls);
            close_link(l, "srtp_setup");
            raise_event(l, LINK_EVENT_CLOSED);
            return;
        }
        l->state = LINK_UP;
        l->shrink_us = l->data_channel ? INT64_MAX : now_us + SHRINK_AFTER_US;
        raise_event(l, LINK_EVENT_UP);
    } else if (st == DTLS_CLOSED) {
        close_link(l, "peer_closed");
        raise_event(l, LINK_EVENT_CLOSED);
    } else if (st == DTLS_FAILED) {
        close_link(l, dtls_fail_reason(l->dtls));
        raise_event(l, LINK_EVENT_CLOSED);
    }
}

static enum link_in on_dtls(struct link *l, int64_t now_us, const struct path *from,
                            const uint8_t *buf, size_t len, uint8_t **ret_data, size_t *ret_len)
{
    const uint8_t *data = NULL;
    size_t data_len = 0;
    enum dtls_state before = dtls_state(l->dtls);
    enum dtls_state after = DTLS_NEW;

    if (!lite_has_path(&l->lite, from)) {
        return drop(l, LINK_DROP_DTLS_PATH); /* SEC-47 */
    }
    after = dtls_on_datagram(l->dtls, now_us, buf, len, &data, &data_len);
    l->drops[LINK_DROP_DTLS_FILTER] = dtls_filtered(l->dtls);
    if (data_len > 0 || (after == DTLS_UP && before != DTLS_UP)) {
        l->heard_us = now_us; /* no forged record can do either */
    }
    follow_dtls(l, now_us);
    if (data_len == 0) {
        return LINK_IN_NOTHING;
    }
    if (!l->data_channel) {
        return drop(l, LINK_DROP_DATA);
    }
    *ret_data = (uint8_t *)(uintptr_t)data;
    *ret_len = data_len;
    return LINK_IN_DATA;
}

bool link_next_data(struct link *l, int64_t now_us, uint8_t **ret_data, size_t *ret_len)
{
    const uint8_t *data = NULL;
    size_t len = 0;

    if (l->state != LINK_UP || !l->data_channel) {
        return false;
    }
    (void)dtls_on_datagram(l->dtls, now_us, NULL, 0, &data, &len);
    follow_dtls(l, now_us);
    if (len == 0) {
        return false;
    }
    *ret_data = (uint8_t *)(uintptr_t)data;
    *ret_len = len;
    return true;
}

/* ---- STUN ---- */

static void queue_reply(struct link *l, const struct path *to, const uint8_t *bytes, size_t len)
{
    struct reply *r = NULL;

    if (l->n_replies == REPLIES_MAX) {
        return; /* the caller does not drain; the peer asks again */
    }
    r = &l->reply[(l->reply_first + l->n_replies++) % REPLIES_MAX];
    r->to = *to;
    r->len = len;
    memcpy(r->bytes, bytes, len);
}

static enum link_in on_stun(struct link *l, int64_t now_us, const struct path *from,
                            const uint8_t *buf, size_t len)
{
    uint8_t reply[LITE_REPLY_MAX];
    struct lite_result r = lite_on_datagram(&l->lite, now_us, from, buf, len, reply);

    switch (r.verdict) {
    case LITE_MALFORMED:
        return drop(l, LINK_DROP_STUN_MALFORMED);
    case LITE_INTEGRITY:
        return drop(l, LINK_DROP_STUN_INTEGRITY);
    case LITE_OTHER:
        return drop(l, LINK_DROP_STUN_OTHER);
    case LITE_OK:
    case LITE_REFUSED:
        break;
    }
    l->heard_us = now_us;
    if (r.reply_len > 0) {
        queue_reply(l, from, reply, r.reply_len);
    }
    if (r.moved) {
        raise_event(l, LINK_EVENT_PATH);
    }
    if (r.verdict == LITE_OK && l->state == LINK_NEW) {
        l->state = LINK_ICE;
        dtls_start(l->dtls, now_us); /* client role only */
        follow_dtls(l, now_us);
    }
    return LINK_IN_NOTHING;
}

/* ---- SRTP ---- */

static enum link_drop open_failure(int err)
{
    switch (err) {
    case -EALREADY:
        return LINK_DROP_SRTP_REPLAY;
    case -EMLINK:
        return LINK_DROP_SRTP_SSRCS;
    default:
        return LINK_DROP_SRTP_AUTH;
    }
}

void link_prefetch(const struct link *l, unsigned step)
{
    if (l && step == 0) {
        const char *paths = (const char *)l->lite.paths, *end = (const char *)&l->lite.n_paths;
        prefetch_bytes(paths, sizeof(l->lite.paths[0]));
        prefetch_bytes(end, (size_t)((const char *)l->reply - end));
    } else if (l) {
        seal_prefetch_open(l->open, step - 1);
    }
}

/* One encrypted packet; opened in place, ret_len bytes of plaintext. */
static enum link_in on_srtp(struct link *l, int64_t now_us, const struct path *from, uint8_t *buf,
                            size_t len, bool rtcp, size_t *ret_len)
{
    int n = 0;

    if (len < (rtcp ? SRTCP_MIN : SRTP_MIN) || len > SRTP_MAX) {
        return drop(l, LINK_DROP_SIZE);
    }
    if (!lite_has_path(&l->lite, from)) {
        return drop(l, LINK_DROP_SRTP_PATH); /* SEC-59: before any cipher */
    }
    if (l->state != LINK_UP || l->no_media) {
        return drop(l, LINK_DROP_SRTP_EARLY);
    }
    n = rtcp ? open_rtcp(l->open, buf, len) : open_rtp(l->open, buf, len);
    if (n < 0) {
        return drop(l, open_failure(n));
    }
    l->heard_us = now_us;
    *ret_len = (size_t)n;
    return rtcp ? LINK_IN_RTCP : LINK_IN_RTP;
}

/* ---- the door ---- */

enum link_in link_on_datagram(struct link *l, int64_t now_us, const struct path *from, uint8_t *buf,
                              size_t len, uint8_t **ret_data, size_t *ret_len)
{
    enum demux_kind kind = demux_classify(buf, len);
    enum link_in in = LINK_IN_NOTHING;

    if (l->state == LINK_CLOSED) {
        return drop(l, LINK_DROP_CLOSED);
    }
    if (len == 0 || len > DATAGRAM_MAX) {
        return drop(l, LINK_DROP_SIZE);
    }
    switch (kind) {
    case DEMUX_STUN:
        return on_stun(l, now_us, from, buf, len);
    case DEMUX_DTLS:
        return on_dtls(l, now_us, from, buf, len, ret_data, ret_len);
    case DEMUX_RTP:
    case DEMUX_RTCP:
        in = on_srtp(l, now_us, from, buf, len, kind == DEMUX_RTCP, ret_len);
        if (in != LINK_IN_NOTHING) {
            *ret_data = buf;
        }
        return in;
    case DEMUX_OTHER:
        break;
    }
    return drop(l, LINK_DROP_UNKNOWN);
}

size_t link_poll(struct link *l, uint8_t *out, size_t cap, struct path *ret_to)
{
    const struct path *chosen = lite_chosen(&l->lite);
    size_t len = 0;

    if (l->n_replies > 0) {
        const struct reply *r = &l->reply[l->reply_first];
        assert(r->len <= cap);
        memcpy(out, r->bytes, r->len);
        *ret_to = r->to;
        l->reply_first = (l->reply_first + 1) % REPLIES_MAX;
        l->n_replies--;
        return r->len;
    }
    if (!chosen) {
        return 0;
    }
    len = dtls_poll(l->dtls, out, cap);
    if (len > 0) {
        *ret_to = *chosen;
    }
    return len;
}

enum link_event link_poll_event(struct link *l)
{
    static const enum link_event order[] = {LINK_EVENT_PATH, LINK_EVENT_UP, LINK_EVENT_CLOSED};

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        unsigned bit = 1U << order[i];
        if (l->events & bit) {
            l->events &= ~bit;
            return order[i];
        }
    }
    return LINK_EVENT_NONE;
}

void link_on_timer(struct link *l, int64_t now_us)
{
    if (l->state == LINK_CLOSED) {
        return;
    }
    dtls_on_timer(l->dtls, now_us);
    follow_dtls(l, now_us);
    if (now_us >= l->shrink_us) {
        l->shrink_us = INT64_MAX;
        dtls_shrink(l->dtls);
    }
}

int64_t link_next_deadline(const struct link *l)
{
    if (l->state == LINK_CLOSED) {
        return INT64_MAX;
    }
    return MIN(dtls_next_deadline(l->dtls), l->shrink_us);
}

enum link_state link_state(const struct link *l)
{
    return l->state;
}

const char *link_close_reason(const struct link *l)
{
    return l->close_reason;
}

const struct path *link_path(const struct link *l)
{
    return lite_chosen(&l->lite);
}

const struct path *link_path_at(const struct link *l, unsigned i)
{
    return i < l->lite.n_paths ? &l->lite.paths[i].path : NULL;
}

void link_on_conn_closed(struct link *l, uint64_t conn)
{
    if (lite_drop_conn(&l->lite, conn)) {
        raise_event(l, LINK_EVENT_PATH);
    }
}

struct seal *link_seal(struct link *l)
{
    return l->seal;
}

enum srtp_profile link_profile(const struct link *l)
{
    return l->profile;
}

int64_t link_last_heard(const struct link *l)
{
    return l->heard_us;
}

void link_restart(struct link *l, const struct ice_creds *creds, int64_t now_us)
{
    (void)now_us;
    lite_restart(&l->lite, creds);
}

bool link_has_ufrag(const struct link *l, const char *ufrag, size_t n)
{
    return lite_has_ufrag(&l->lite, ufrag, n);
}

int link_send_data(struct link *l, const uint8_t *data, size_t len)
{
    return l->state == LINK_UP ? dtls_send(l->dtls, data, len) : -EAGAIN;
}

void link_close(struct link *l)
{
    if (l->state != LINK_CLOSED) {
        dtls_close(l->dtls);
        close_link(l, "local");
    }
}

const uint64_t *link_drops(const struct link *l)
{
    return l->drops;
}
