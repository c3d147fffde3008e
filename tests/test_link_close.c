/* SPDX-License-Identifier: Apache-2.0 */
/* A link is closed, and freed, in every state, before and after every event (SEC-89); and before
 * the first check it keeps nothing of what strangers send it (SEC-48). */
#include <errno.h>
#include <malloc.h>

#include "tests/link_kit.h"

/* ---- states ---- */

enum at {
    NEW,
    CHECKED,
    HALFWAY, /* the first flights have gone both ways */
    UP,
    SHRUNK,      /* OpenSSL's state is freed */
    PEER_CLOSED, /* its close_notify has come, the event has not been fetched */
    FAILED,      /* another certificate than that of the SDP */
    CLOSED,
    AT_COUNT,
};
static const char *const at_names[] = {"new",    "checked",     "halfway", "up",
                                       "shrunk", "peer closed", "failed",  "closed"};

static void exchange(struct world *w, int rounds)
{
    dtls_start(w->dtls, w->now);
    for (int i = 0; i < rounds; i++) {
        (void)drain_link(w);
        drain_peer(w);
    }
}

static struct world *bring(enum at at, const struct world_params *wp)
{
    struct world_params p = *wp;

    p.wrong_fingerprint = at == FAILED;
    struct world *w = make_world(&p);
    if (at != NEW) {
        check(w, &w->path, 100, true);
    }
    if (at == HALFWAY) {
        exchange(w, 1);
    } else if (at == FAILED) {
        exchange(w, 10);
    } else if (at >= UP) {
        handshake(w);
    }
    if (at == SHRUNK) {
        w->now += 31 * (int64_t)US_PER_S;
        link_on_timer(w->link, w->now);
    } else if (at == PEER_CLOSED) {
        dtls_close(w->dtls);
        drain_peer(w);
    } else if (at == CLOSED) {
        link_close(w->link);
    }
    bool open = at < PEER_CLOSED;
    cr_assert_eq(link_state(w->link) != LINK_CLOSED, open, "%s", at_names[at]);
    return w;
}

/* ---- events ---- */

static void on_check(struct world *w)
{
    struct kit_msg m;

    make_check(&m, &w->creds, w->creds.local_pwd, 1, true);
    (void)feed(w, &w->path, m.b, m.len);
}

static void on_restart(struct world *w)
{
    struct ice_creds fresh;

    make_creds(&fresh);
    link_restart(w->link, &fresh, w->now);
}

static void on_dtls(struct world *w)
{
    dtls_start(w->dtls, w->now);
    drain_peer(w);
}

static void on_media(struct world *w)
{
    uint8_t sealed[RTP_PACKET_MAX + SEAL_TAG_MAX] = {0x80, 96};
    uint8_t rtcp[64] = {0x80, 201, 0, 1, 0, 0, 0x11, 0x11};
    static uint16_t seq;
    size_t n = w->seal ? seal_packet(w->seal, sealed, sizeof(sealed), 0x1111, ++seq, 900) : 900;

    (void)feed(w, &w->path, sealed, n);
    int r = w->seal ? seal_rtcp(w->seal, rtcp, 8, sizeof(rtcp)) : 40;
    (void)feed(w, &w->path, rtcp, (size_t)r);
}

static void on_data(struct world *w)
{
    int err = link_send_data(w->link, (const uint8_t *)"out", 3);

    cr_assert(err == 0 || err == -EAGAIN);
    if (dtls_state(w->dtls) == DTLS_UP && dtls_send(w->dtls, (const uint8_t *)"in", 2) == 0) {
        drain_peer(w);
    }
}

static void on_alert(struct world *w)
{
    dtls_close(w->dtls);
    drain_peer(w);
}

static void on_timer(struct world *w)
{
    for (int i = 0; i < 3; i++) {
        w->now += 20 * (int64_t)US_PER_S;
        link_on_timer(w->link, w->now);
    }
}

static void on_conn_closed(struct world *w)
{
    link_on_conn_closed(w->link, w->path.conn);
}

static void on_one_event(struct world *w)
{
    (void)link_poll_event(w->link); /* as if it were closed from within the handler */
}

static void on_close(struct world *w)
{
    link_close(w->link);
}

static const struct {
    const char *name;
    void (*happens)(struct world *w);
} events[] = {
    {"check", on_check},
    {"restart", on_restart},
    {"DTLS", on_dtls},
    {"media", on_media},
    {"data", on_data},
    {"alert", on_alert},
    {"timer", on_timer},
    {"connection gone", on_conn_closed},
    {"event fetched", on_one_event},
    {"close", on_close},
};

/* Closed: it says goodbye where there is somebody to hear it, then nothing ever again. */
static void closes(struct world *w, const char *state, const char *event)
{
    link_close(w->link);
    cr_expect_eq(link_state(w->link), LINK_CLOSED, "%s, %s", state, event);
    cr_expect(link_close_reason(w->link), "%s, %s", state, event);
    (void)drain_link(w);
    uint64_t before = drops(w, LINK_DROP_CLOSED);
    on_check(w);
    on_media(w);
    on_timer(w);
    cr_expect_eq(drops(w, LINK_DROP_CLOSED), before + 3, "%s, %s", state, event);
    cr_expect_eq(drain_link(w), 0, "%s, %s: speaks after its end", state, event);
    cr_expect_eq(link_next_deadline(w->link), INT64_MAX, "%s, %s", state, event);
    cr_expect_eq(link_send_data(w->link, (const uint8_t *)"x", 1), -EAGAIN);
    cr_expect_leq(w->events[LINK_EVENT_CLOSED], 1, "%s, %s", state, event);
}

Test(link_close, in_every_state_after_every_event, .timeout = 120)
{
    static const struct world_params kinds[] = {
        {.role = DTLS_SERVER}, {.role = DTLS_CLIENT}, {.role = DTLS_SERVER, .data_channel = true}};

    for (size_t i = 0; i < ARRAY_LEN(kinds) * AT_COUNT * ARRAY_LEN(events); i++) {
        enum at at = (enum at)(i / ARRAY_LEN(events) % AT_COUNT);
        size_t e = i % ARRAY_LEN(events);
        struct world *w = bring(at, &kinds[i / ARRAY_LEN(events) / AT_COUNT]);
        events[e].happens(w);
        if (e % 2) { /* also with what is to be sent and said still in it */
            (void)drain_link(w);
        }
        closes(w, at_names[at], events[e].name);
        free_world(w);
    }
}

Test(link_close, a_freed_link_needs_no_farewell)
{
    for (int at = 0; at < AT_COUNT; at++) {
        for (size_t e = 0; e < ARRAY_LEN(events); e++) {
            struct world *w = bring((enum at)at, &(struct world_params){.role = DTLS_SERVER});
            events[e].happens(w);
            free_world(w);
        }
    }
}

/* ---- before the first check ---- */

/* Ten thousand ClientHellos and other records, from the address that will be the peer's: no byte of
 * them is kept, and the handshake of then begins anew. */
Test(link_close, dtls_before_a_check_is_not_kept)
{
    struct world *w = make_world(&(struct world_params){.role = DTLS_SERVER});
    uint8_t hello[DTLS_MTU];

    dtls_start(w->dtls, w->now);
    size_t len = dtls_poll(w->dtls, hello, sizeof(hello));
    cr_assert_gt(len, 0);
    (void)feed(w, &w->path, hello, len);
    size_t held = mallinfo2().uordblks;
    for (unsigned i = 0; i < 10000; i++) {
        hello[len - 1] = (uint8_t)i;
        cr_assert_eq(feed(w, &w->path, hello, len - i % 2), LINK_IN_NOTHING);
    }
    cr_expect_eq(mallinfo2().uordblks, held);
    cr_expect_eq(drops(w, LINK_DROP_DTLS_PATH), 10001);
    cr_expect_eq(drain_link(w), 0);
    cr_expect_eq(link_last_heard(w->link), 0);

    check(w, &w->path, 100, true);
    w->now += US_PER_S; /* the peer sends its hello again */
    dtls_on_timer(w->dtls, w->now);
    handshake(w);
    media_flows(w, &w->path, 1);
    free_world(w);
}
