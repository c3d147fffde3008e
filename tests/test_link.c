/* SPDX-License-Identifier: Apache-2.0 */
/* A link from the first check to its end, and what it refuses on the way. */
#include <errno.h>

#include "tests/link_kit.h"

Test(link, carries_media_both_ways_after_check_and_handshake)
{
    static const struct world_params rows[] = {
        {.role = DTLS_SERVER},
        {.role = DTLS_CLIENT}, /* FFmpeg offers setup:passive */
        {.role = DTLS_SERVER, .only_cm = true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *w = make_world(&rows[i]);
        cr_assert_eq(link_state(w->link), LINK_NEW);
        cr_assert_null(link_path(w->link));
        cr_assert_null(link_seal(w->link));
        cr_assert_eq(link_profile(w->link), SRTP_NONE);
        cr_assert_eq(link_last_heard(w->link), 0);
        cr_assert_eq(link_send_data(w->link, w->data, 1), -EAGAIN);
        cr_assert_eq(drain_link(w), 0, "nothing is sent before a check, in either role");

        w->now += 5;
        check(w, &w->path, 100, true);
        cr_assert_eq(link_state(w->link), LINK_ICE);
        cr_assert_eq(w->events[LINK_EVENT_PATH], 1);
        cr_assert(path_equal(link_path(w->link), &w->path));
        cr_assert_eq(link_last_heard(w->link), w->now);
        cr_assert_eq(w->dtls_out > 0, rows[i].role == DTLS_CLIENT);

        handshake(w);
        cr_assert_eq(w->events[LINK_EVENT_UP], 1);
        cr_assert_eq(w->events[LINK_EVENT_CLOSED], 0);
        cr_assert(!rows[i].only_cm || link_profile(w->link) == SRTP_AES128_CM_SHA1_80);
        for (uint16_t seq = 1; seq < 20; seq++) {
            w->now += 1000;
            media_flows(w, &w->path, seq);
        }
        cr_assert_eq(all_drops(w), 0);
        cr_assert_null(link_close_reason(w->link));
        free_world(w);
    }
}

Test(link, accepts_nothing_from_addresses_that_did_not_prove_themselves)
{
    struct world *w = make_world(&(struct world_params){.role = DTLS_SERVER});
    uint8_t out[2048];

    /* A ClientHello before the check. */
    dtls_start(w->dtls, w->now);
    size_t len = dtls_poll(w->dtls, out, sizeof(out));
    cr_assert_gt(len, 0);
    cr_assert_eq(feed(w, &w->path, out, len), LINK_IN_NOTHING);
    cr_assert_eq(drops(w, LINK_DROP_DTLS_PATH), 1);
    cr_assert_eq(drain_link(w), 0);
    cr_assert_eq(link_state(w->link), LINK_NEW);
    /* After it, from next door: other port, other host, other address of ours, TCP. */
    check(w, &w->path, 100, true);
    struct path others[] = {w->path, w->path, w->path, w->path};
    others[0].remote.port++;
    others[1].remote.ip[15]++;
    others[2].local.ip[15]++;
    others[3].transport = TRANSPORT_TCP;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        (void)feed(w, &others[i], out, len);
        cr_assert_eq(drops(w, LINK_DROP_DTLS_PATH), 2 + i);
        cr_assert_eq(drain_link(w), 0);
    }
    /* Early media, then media from next door. */
    len = make_rtp(out, 1, 1, 100);
    (void)feed(w, &w->path, out, len);
    cr_assert_eq(drops(w, LINK_DROP_SRTP_EARLY), 1);
    (void)feed(w, &w->path, (const uint8_t *)"\x80\xc9\0\1\0\0\0\1\x80\0\0\1tttttttttttttttt", 28);
    cr_assert_eq(drops(w, LINK_DROP_SRTP_EARLY), 2);
    dtls_free(w->dtls);
    struct dtls_params dp = {.cert = w->cert,
                             .role = DTLS_CLIENT,
                             .fingerprints = cert_fingerprint(w->our_cert),
                             .n_fingerprints = 1};
    w->dtls = dtls_new(&dp);
    handshake(w);
    int64_t heard = link_last_heard(w->link);
    w->now += 1000;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        len = seal_packet(w->seal, out, sizeof(out), 0x1111, (uint16_t)(i + 1), 100);
        cr_assert_eq(feed(w, &others[i], out, len), LINK_IN_NOTHING);
        cr_assert_eq(drops(w, LINK_DROP_SRTP_PATH), 1 + i);
        cr_assert_eq(link_last_heard(w->link), heard);
        /* The same packet by the right way is still fresh. */
        cr_assert_eq(feed(w, &w->path, out, len), LINK_IN_RTP);
        heard = link_last_heard(w->link);
    }
    cr_assert(path_equal(link_path(w->link), &w->path), "media never moves the path (SEC-40)");
    free_world(w);
}

Test(link, counts_each_kind_of_refused_packet)
{
    struct world *w = make_up(&(struct world_params){.role = DTLS_SERVER});
    uint8_t out[4096] = {0};
    uint8_t big[4096] = {0x80, 96};

    size_t n = seal_packet(w->seal, out, sizeof(out), 0x1111, 7, 100);
    cr_assert_eq(feed(w, &w->path, out, n), LINK_IN_RTP);
    cr_assert_eq(feed(w, &w->path, out, n), LINK_IN_NOTHING);
    cr_assert_eq(drops(w, LINK_DROP_SRTP_REPLAY), 1);
    n = seal_packet(w->seal, out, sizeof(out), 0x1111, 8, 100);
    out[n - 1] ^= 1;
    cr_assert_eq(feed(w, &w->path, out, n), LINK_IN_NOTHING);
    cr_assert_eq(drops(w, LINK_DROP_SRTP_AUTH), 1);
    for (uint32_t ssrc = 1; ssrc <= 8; ssrc++) {
        n = seal_packet(w->seal, out, sizeof(out), 0x9000 + ssrc, 1, 10);
        cr_assert_eq(feed(w, &w->path, out, n), ssrc <= 7 ? LINK_IN_RTP : LINK_IN_NOTHING);
    }
    cr_assert_eq(drops(w, LINK_DROP_SRTP_SSRCS), 1);
    cr_assert_eq(feed(w, &w->path, big, RTP_PACKET_MAX + SEAL_TAG_MAX + 1), LINK_IN_NOTHING);
    cr_assert_eq(feed(w, &w->path, big, sizeof(big)), LINK_IN_NOTHING);
    cr_assert_eq(feed(w, &w->path, big, 21), LINK_IN_NOTHING);
    cr_assert_eq(feed(w, &w->path, big, 0), LINK_IN_NOTHING);
    cr_assert_eq(drops(w, LINK_DROP_SIZE), 4);
    /* RFC 7983: 4..19 and 64..127 and 192..255 are not for us. */
    uint64_t unknown = 0;
    for (unsigned first = 0; first < 256; first++) {
        if ((first > 3 && first < 20) || (first > 63 && first < 128) || first > 191) {
            big[0] = (uint8_t)first;
            (void)feed(w, &w->path, big, 100);
            cr_assert_eq(drops(w, LINK_DROP_UNKNOWN), ++unknown, "%u", first);
        }
    }
    for (int d = 0; d < LINK_DROP_COUNT; d++) {
        cr_assert_not_null(link_drop_name((enum link_drop)d));
        cr_assert_gt(strlen(link_drop_name((enum link_drop)d)), 3);
    }
    free_world(w);
}

Test(link, follows_a_rebinding_and_a_better_pair)
{
    struct world *w = make_up(&(struct world_params){.role = DTLS_SERVER});
    struct path old = w->path;
    struct path moved = make_path("198.51.100.7", PEER_PORT + 9);

    media_flows(w, &old, 1);
    check(w, &moved, 100, false);
    cr_assert(path_equal(link_path(w->link), &old), "not before it is nominated");
    check(w, &moved, 100, true);
    cr_assert(path_equal(link_path(w->link), &moved));
    cr_assert_eq(w->events[LINK_EVENT_PATH], 2);
    media_flows(w, &moved, 2);
    media_flows(w, &old, 3);
    cr_assert(path_equal(link_path(w->link), &moved));
    cr_assert(path_equal(link_path_at(w->link, 0), &old));
    cr_assert(path_equal(link_path_at(w->link, 1), &moved));
    cr_assert_null(link_path_at(w->link, 2));
    cr_assert_eq(w->events[LINK_EVENT_UP], 1);
    free_world(w);
}

Test(link, restarts_ice_without_stopping_media_or_redoing_dtls)
{
    struct world *w = make_up(&(struct world_params){.role = DTLS_SERVER});
    struct path old = w->path;
    struct path moved = make_path("203.0.113.50", 9000);
    struct ice_creds next;
    struct seal *seal = link_seal(w->link);
    unsigned dtls_out = w->dtls_out;

    make_creds(&next);
    strcpy(next.remote_ufrag, "newer");
    cr_assert_not(link_has_ufrag(w->link, next.local_ufrag, ICE_OUR_UFRAG_LEN));
    link_restart(w->link, &next, w->now);
    cr_assert(link_has_ufrag(w->link, next.local_ufrag, ICE_OUR_UFRAG_LEN));
    cr_assert(link_has_ufrag(w->link, w->creds.local_ufrag, ICE_OUR_UFRAG_LEN));
    media_flows(w, &old, 1);
    check(w, &old, 100, true); /* consent under the old generation */
    check_as(w, &moved, &next, 1, false);
    cr_assert(path_equal(link_path(w->link), &old));
    media_flows(w, &moved, 2);
    check_as(w, &moved, &next, 1, true);
    cr_assert(path_equal(link_path(w->link), &moved));
    cr_assert_not(link_has_ufrag(w->link, w->creds.local_ufrag, ICE_OUR_UFRAG_LEN));
    media_flows(w, &moved, 3);
    media_flows(w, &old, 4);
    cr_assert_eq(link_seal(w->link), seal);
    cr_assert_eq(w->dtls_out, dtls_out);
    cr_assert_eq(w->events[LINK_EVENT_UP], 1);
    free_world(w);
}

Test(link, closes_with_close_notify_and_is_silent_then)
{
    for (int shrunk = 0; shrunk < 2; shrunk++) {
        struct world *w = make_up(&(struct world_params){.role = DTLS_SERVER});
        if (shrunk) {
            cr_assert_leq(link_next_deadline(w->link), w->now + 30 * (int64_t)US_PER_S);
            w->now += 31 * (int64_t)US_PER_S;
            link_on_timer(w->link, w->now);
            (void)drain_link(w);
            cr_assert_eq(link_next_deadline(w->link), INT64_MAX);
            media_flows(w, &w->path, 1);
        }
        link_close(w->link);
        link_close(w->link);
        cr_assert_eq(link_state(w->link), LINK_CLOSED);
        cr_assert_not_null(link_close_reason(w->link));
        cr_assert_gt(drain_link(w), 0);
        cr_assert_eq(dtls_state(w->dtls), DTLS_CLOSED, "the peer understood (shrunk: %d)", shrunk);
        cr_assert_eq(w->events[LINK_EVENT_CLOSED], 0, "we know that we closed");
        cr_assert_eq(link_next_deadline(w->link), INT64_MAX);
        uint64_t before = drops(w, LINK_DROP_CLOSED);
        struct kit_msg m;
        make_check(&m, &w->creds, w->creds.local_pwd, 1, true);
        (void)feed(w, &w->path, m.b, m.len);
        cr_assert_eq(drain_link(w), 0);
        cr_assert_eq(drops(w, LINK_DROP_CLOSED), before + 1);
        free_world(w);
    }
}

Test(link, notices_that_the_peer_closed)
{
    for (int shrunk = 0; shrunk < 2; shrunk++) {
        struct world *w = make_up(&(struct world_params){.role = DTLS_SERVER});
        if (shrunk) {
            w->now += 31 * (int64_t)US_PER_S;
            link_on_timer(w->link, w->now);
        }
        dtls_close(w->dtls);
        drain_peer(w);
        (void)drain_link(w);
        cr_assert_eq(link_state(w->link), LINK_CLOSED);
        cr_assert_eq(w->events[LINK_EVENT_CLOSED], 1);
        cr_assert_str_eq(link_close_reason(w->link), "peer_closed");
        free_world(w);
    }
}

Test(link, fails_on_a_wrong_fingerprint)
{
    struct world *w =
        make_world(&(struct world_params){.role = DTLS_SERVER, .wrong_fingerprint = true});

    check(w, &w->path, 100, true);
    dtls_start(w->dtls, w->now);
    for (int i = 0; i < 10; i++) {
        drain_peer(w);
        (void)drain_link(w);
    }
    cr_assert_eq(link_state(w->link), LINK_CLOSED);
    cr_assert_eq(w->events[LINK_EVENT_CLOSED], 1);
    cr_assert_eq(w->events[LINK_EVENT_UP], 0);
    cr_assert_null(link_seal(w->link));
    cr_assert_str_eq(link_close_reason(w->link), "fingerprint_mismatch");
    free_world(w);
}

/* Two records in one datagram. */
static void data_in_one_datagram(struct world *w)
{
    uint8_t both[2 * DTLS_MTU];
    uint8_t *data = NULL;
    size_t len = 0;

    cr_assert_eq(dtls_send(w->dtls, (const uint8_t *)"first", 5), 0);
    size_t n = dtls_poll(w->dtls, both, DTLS_MTU);
    cr_assert_eq(dtls_send(w->dtls, (const uint8_t *)"second", 6), 0);
    n += dtls_poll(w->dtls, both + n, DTLS_MTU);
    cr_assert_eq(feed(w, &w->path, both, n), LINK_IN_DATA);
    cr_assert_eq(memcmp(w->data, "first", 5), 0);
    cr_assert(link_next_data(w->link, w->now, &data, &len));
    cr_assert_eq(len, 6);
    cr_assert_eq(memcmp(data, "second", 6), 0);
    cr_assert_not(link_next_data(w->link, w->now, &data, &len));
}

Test(link, carries_application_data_only_where_negotiated)
{
    for (int on = 0; on < 2; on++) {
        struct world *w = make_up(&(struct world_params){.data_channel = on});
        if (on) {
            w->now += 100 * (int64_t)US_PER_S;
            link_on_timer(w->link, w->now); /* nothing is freed */
            cr_assert_eq(link_send_data(w->link, (const uint8_t *)"sctp out", 8), 0);
            (void)drain_link(w);
            cr_assert_eq(w->data_len, 8);
            cr_assert_eq(memcmp(w->data, "sctp out", 8), 0);
        }
        cr_assert_eq(dtls_send(w->dtls, (const uint8_t *)"sctp in", 7), 0);
        drain_peer(w);
        cr_assert_eq(w->in, on ? LINK_IN_DATA : LINK_IN_NOTHING);
        cr_assert_eq(drops(w, LINK_DROP_DATA), on ? 0 : 1);
        if (on) {
            cr_assert_eq(w->data_len, 7);
            cr_assert_eq(memcmp(w->data, "sctp in", 7), 0);
            data_in_one_datagram(w);
            cr_assert_eq(link_last_heard(w->link), w->now);
        }
        free_world(w);
    }
}

Test(link, retransmits_its_hello_until_the_peer_answers)
{
    struct world *w = make_world(&(struct world_params){.role = DTLS_CLIENT});

    w->lose_dtls = true;
    check(w, &w->path, 100, true);
    unsigned first = w->dtls_out;
    cr_assert_gt(first, 0);
    for (int i = 0; i < 2; i++) {
        int64_t at = link_next_deadline(w->link);
        cr_assert_lt(at, w->now + 5 * (int64_t)US_PER_S);
        w->now = at;
        link_on_timer(w->link, w->now);
        unsigned before = w->dtls_out;
        (void)drain_link(w);
        cr_assert_gt(w->dtls_out, before);
    }
    w->lose_dtls = false;
    w->now = link_next_deadline(w->link);
    link_on_timer(w->link, w->now);
    handshake(w);
    media_flows(w, &w->path, 1);
    free_world(w);
}

Test(link, bounds_the_answers_that_wait)
{
    struct world *w = make_world(&(struct world_params){.role = DTLS_SERVER});
    struct kit_msg m;

    for (int i = 0; i < 100; i++) {
        make_check(&m, &w->creds, w->creds.local_pwd, 1, true);
        (void)feed(w, &w->path, m.b, m.len);
    }
    unsigned n = drain_link(w);
    cr_assert(n >= 1 && n <= 16, "%u", n);
    check(w, &w->path, 1, true);
    free_world(w);
}

Test(link, forgets_paths_of_a_closed_connection)
{
    struct world *w = make_up(&(struct world_params){.role = DTLS_SERVER});
    struct path tcp = w->path;

    tcp.transport = TRANSPORT_TCP;
    tcp.conn = 77;
    check(w, &tcp, 200, true);
    cr_assert(path_equal(link_path(w->link), &tcp));
    media_flows(w, &tcp, 1);
    link_on_conn_closed(w->link, 78);
    cr_assert(path_equal(link_path(w->link), &tcp));
    unsigned moved = w->events[LINK_EVENT_PATH];
    link_on_conn_closed(w->link, 77);
    (void)drain_link(w);
    cr_assert_eq(w->events[LINK_EVENT_PATH], moved + 1);
    cr_assert(path_equal(link_path(w->link), &w->path));
    media_flows(w, &w->path, 2);
    free_world(w);
}

/* ---- forgeries ---- */

static uint32_t rnd(uint32_t below)
{
    static uint64_t seed = 0x9e3779b97f4a7c15;

    return exact_random(&seed, below);
}

/* What an outsider can send who knows our ufrags and sees the traffic, but has no key. */
static size_t forge(struct world *w, uint8_t *out)
{
    struct kit_msg m;
    size_t len = 1 + rnd(1300);

    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)rnd(256);
    }
    switch (rnd(6)) {
    case 0:
        make_check(&m, &w->creds, rnd(2) ? "wrong" : w->creds.remote_pwd, rnd(1000), true);
        memcpy(out, m.b, m.len);
        return m.len;
    case 1:
        kit_begin(&m, rnd(2) ? KIT_INDICATION : KIT_SUCCESS);
        memcpy(out, m.b, m.len);
        return m.len;
    case 2:
        out[0] = (uint8_t)(128 + rnd(64));
        out[1] = (uint8_t)rnd(256);
        return len;
    case 3: /* a record of the epoch in use: sealed, but not by the peer */
        len = MAX(len, 64);
        out[0] = (uint8_t)(20 + rnd(4));
        out[1] = 0xfe;
        out[2] = 0xfd;
        kit_put16(out + 3, 1);
        kit_put16(out + 11, (unsigned)(len - 13));
        return len;
    case 4: /* unsealed fatal alert */
        memcpy(out, "\x15\xfe\xfd\0\0\0\0\0\0\0\x09\0\x02\x02\x28", 15);
        return 15;
    default:
        return len;
    }
}

struct snapshot {
    enum link_state state;
    struct path path;
    bool has_path[2];
    int64_t heard;
    int64_t deadline;
    struct seal *seal;
};

static struct snapshot snap(const struct world *w)
{
    struct snapshot s;

    memset(&s, 0, sizeof(s));
    s.state = link_state(w->link);
    if (link_path(w->link)) {
        s.path = *link_path(w->link);
    }
    s.has_path[0] = link_path_at(w->link, 0) != NULL;
    s.has_path[1] = link_path_at(w->link, 1) != NULL;
    s.heard = link_last_heard(w->link);
    s.deadline = link_next_deadline(w->link);
    s.seal = link_seal(w->link);
    return s;
}

static void forge_many(struct world *w, unsigned n)
{
    static uint8_t buf[2048];
    struct path others[] = {w->path, w->path};
    struct snapshot before = snap(w);

    others[1].remote.port ^= 5;
    for (unsigned i = 0; i < n; i++) {
        size_t len = forge(w, buf);
        cr_assert_eq(feed(w, &others[i % 2], buf, len), LINK_IN_NOTHING);
        cr_assert_eq(drain_link(w), 0, "answered a forgery");
        cr_assert_eq(w->events[LINK_EVENT_CLOSED], 0);
    }
    struct snapshot after = snap(w);
    cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
}

Test(link, a_hundred_thousand_forgeries_change_nothing)
{
    struct world *w = make_world(&(struct world_params){.role = DTLS_SERVER});

    forge_many(w, 50000);
    cr_assert_eq(all_drops(w), 50000, "each has its reason");
    check(w, &w->path, 100, true);
    handshake(w);
    forge_many(w, 50000);
    w->now += 2 * US_PER_S;
    media_flows(w, &w->path, 1);
    dtls_close(w->dtls);
    drain_peer(w);
    cr_assert_str_eq(link_close_reason(w->link), "peer_closed", "the real one is heard");
    free_world(w);
}
