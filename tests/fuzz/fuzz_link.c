/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_link - datagrams into a link. First byte: bit 0 completes a DTLS handshake before, bit 1
 * with data channels, bit 2 our end as DTLS client. Then steps: a byte of what to do (STEP_*), two
 * bytes of length, the datagram. */
#include <stdlib.h>
#include <string.h>

#include "ice/link.h"
#include "tests/fuzz/fuzz.h"
#include "tests/stun_kit.h"

#define PWD "0123456789abcdefghijklmn"

enum {
    STEP_OTHER_PATH = 1, /* from an address that did not prove itself yet */
    STEP_SIGN = 2,       /* sign it as STUN */
    STEP_TIME = 4,       /* five seconds pass first */
    STEP_RESTART = 8,
    STEP_TCP = 16,
    STEP_CONN_CLOSED = 32,
    STEP_CLOSE = 64,
    STEP_SEND_DATA = 128,
};

static const struct ice_creds creds = {"AbcdefghijkL", PWD, "remo", ""};
static struct cert *cert;

static void drain(struct link *l, struct dtls *peer, int64_t now)
{
    uint8_t out[2048];
    struct path to;
    size_t n = 0;

    while ((n = link_poll(l, out, sizeof(out), &to)) > 0) {
        const uint8_t *data = NULL;
        size_t data_len = 0;
        must(n <= sizeof(out));
        /* Only STUN answers go where nothing was proved. */
        must(out[0] <= 3 || path_equal(&to, link_path(l)));
        if (peer && out[0] > 3) {
            (void)dtls_on_datagram(peer, now, out, n, &data, &data_len);
        }
    }
    while (link_poll_event(l) != LINK_EVENT_NONE) {
    }
}

static enum link_in feed(struct link *l, int64_t now, const struct path *from, const uint8_t *b,
                         size_t n)
{
    uint8_t *copy = exact_copy(b, n);
    uint8_t *got = NULL;
    size_t got_len = 0;

    enum link_in in = link_on_datagram(l, now, from, copy, n, &got, &got_len);
    must(in == LINK_IN_NOTHING || (got && got_len > 0 && got_len <= n));
    while (in == LINK_IN_DATA && link_next_data(l, now, &got, &got_len)) {
        must(got_len > 0);
    }
    free(copy);
    return in;
}

static void connect_peer(struct link *l, enum dtls_role role, const struct path *from, int64_t now)
{
    struct dtls_params dp = {.cert = cert,
                             .role = role == DTLS_SERVER ? DTLS_CLIENT : DTLS_SERVER,
                             .fingerprints = cert_fingerprint(cert),
                             .n_fingerprints = 1};
    struct dtls *peer = dtls_new(&dp);
    struct kit_msg m;
    uint8_t out[DTLS_MTU];
    size_t n = 0;

    must(peer != NULL);
    kit_check(&m, "AbcdefghijkL:remo", PWD, 1, true);
    (void)feed(l, now, from, m.b, m.len);
    dtls_start(peer, now);
    for (int i = 0; i < 20 && link_state(l) != LINK_UP; i++) {
        drain(l, peer, now);
        while ((n = dtls_poll(peer, out, sizeof(out))) > 0) {
            (void)feed(l, now, from, out, n);
        }
    }
    drain(l, NULL, now);
    must(link_state(l) == LINK_UP);
    dtls_free(peer);
}

static void step(struct link *l, int64_t *now, unsigned what, const uint8_t *b, size_t n)
{
    static const struct ice_creds next = {"AnewnewnewnW", PWD, "rem2", ""};
    struct path from = {.remote = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 198, [15] = 7},
                                   .port = what & STEP_OTHER_PATH ? 2 : 1}};
    struct kit_msg m = {.len = n};
    uint64_t before[LINK_DROP_COUNT];

    if (what & STEP_TCP) {
        from.transport = TRANSPORT_TCP;
        from.conn = 9;
    }
    if (what & STEP_TIME) {
        *now += 5 * (int64_t)US_PER_S;
        link_on_timer(l, *now);
    }
    if (what & STEP_RESTART) {
        link_restart(l, &next, *now);
    }
    if (what & STEP_CONN_CLOSED) {
        link_on_conn_closed(l, 9);
    }
    if (what & STEP_SEND_DATA) {
        (void)!link_send_data(l, b, n);
    }
    if (what & STEP_CLOSE) {
        link_close(l);
    }
    memcpy(m.b, b, n);
    if (what & STEP_SIGN && n >= 20) {
        m.len &= ~(size_t)3;
        kit_set_len(&m);
        kit_integrity(&m, PWD);
        kit_fingerprint(&m);
    }
    memcpy(before, link_drops(l), sizeof(before));
    (void)feed(l, *now, &from, m.b, m.len);
    for (int d = 0; d < LINK_DROP_COUNT; d++) {
        must(link_drops(l)[d] - before[d] <= 1);
    }
    drain(l, NULL, *now);
    must(link_state(l) != LINK_NEW || link_path(l) == NULL);
    must((link_seal(l) != NULL) == (link_profile(l) != SRTP_NONE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct path from = {
        .remote = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 198, [15] = 7}, .port = 1}};
    struct link_params lp = {.creds = creds, .n_fingerprints = 1, .max_ssrcs = 4};
    int64_t now = 1000000;

    if (!cert) {
        must(seal_backend_select(SEAL_AUTO) == 0);
        cert = cert_new();
        must(cert != NULL);
    }
    if (len < 1) {
        return 0;
    }
    lp.cert = cert;
    lp.fingerprints[0] = *cert_fingerprint(cert);
    lp.data_channel = data[0] & 2;
    lp.role = data[0] & 4 ? DTLS_CLIENT : DTLS_SERVER;
    struct link *l = link_new(&lp, now);
    must(l != NULL);
    if (data[0] & 1) {
        connect_peer(l, lp.role, &from, now);
    }
    for (size_t off = 1; off + 3 <= len;) {
        size_t n = kit_get16(data + off + 1) % 1600;
        unsigned what = data[off];
        off += 3;
        n = MIN(n, len - off);
        step(l, &now, what, data + off, n);
        off += n;
    }
    link_free(l);
    return 0;
}
