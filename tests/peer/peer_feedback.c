/* SPDX-License-Identifier: Apache-2.0 */
/* peer_feedback.c - RTCP both ways: reports, NACK, PLI and FIR, transport-wide feedback. */
#include "tests/peer/peer_internal.h"

#include <errno.h>
#include <string.h>

#define REPORT_US       1000000
#define FEEDBACK_MIN_US 1000

static void on_report_timer(void *ctx);
static void on_feedback_timer(void *ctx);

/* ---- as a sender ---- */

static struct peer_tx *tx_of(struct peer *p, uint32_t ssrc)
{
    for (unsigned i = 0; i < p->n_tx; i++) {
        if (p->tx[i].ssrc == ssrc) {
            return &p->tx[i];
        }
    }
    return NULL;
}

static void on_nack(struct peer *p, const struct peer_rtcp *r)
{
    struct peer_tx *t = r->body_len >= 8 ? tx_of(p, peer_get32(r->body)) : NULL;

    p->stats.nacks_received++;
    if (!t) {
        p->stats.faults[PEER_FAULT_RTCP]++;
        return;
    }
    for (size_t at = 4; at + 4 <= r->body_len; at += 4) {
        uint16_t pid = peer_get16(r->body + at);
        uint32_t mask = (uint32_t)peer_get16(r->body + at + 2) << 1 | 1;
        for (unsigned bit = 0; bit <= 16; bit++) {
            if (!(mask >> bit & 1)) {
                continue;
            }
            p->stats.nack_seqs_received++;
            if (p->params.nack && !peer_tx_resend(t, (uint16_t)(pid + bit))) {
                p->stats.nack_unknown++;
            }
        }
    }
}

static void on_key_request(struct peer *p, uint32_t media)
{
    struct peer_tx *t = tx_of(p, media);

    if (!t) {
        p->stats.faults[PEER_FAULT_RTCP]++;
    } else if (!(p->params.quirks & PEER_QUIRK_IGNORE_PLI)) {
        t->key_wanted = true;
    }
}

static void on_payload_feedback(struct peer *p, const struct peer_rtcp *r)
{
    if (r->count == PEER_PSFB_PLI && r->body_len == 4) {
        p->stats.plis_received++;
        on_key_request(p, peer_get32(r->body));
    } else if (r->count == PEER_PSFB_FIR && r->body_len >= 12) {
        p->stats.firs_received++;
        on_key_request(p, peer_get32(r->body + 4));
    } else if (r->count == PEER_PSFB_AFB && r->body_len >= 12 && !memcmp(r->body + 4, "REMB", 4)) {
        p->stats.rembs_received++;
    } else if (r->count == PEER_PSFB_PLI || r->count == PEER_PSFB_FIR) {
        p->stats.faults[PEER_FAULT_RTCP]++;
    }
}

static void on_twcc(struct peer *p, const struct peer_rtcp *r)
{
    struct peer_twcc t;

    p->stats.twcc_received++;
    if (peer_twcc_read(r, &t) < 0 ||
        (uint16_t)(p->env.twcc_seq - (uint16_t)(t.base + t.n)) > 0x7fff) {
        p->stats.twcc_bad++; /* unreadable, or about packets that we have not sent yet */
    }
}

static void on_reports(struct peer *p, const struct peer_rtcp *r, size_t skip)
{
    int64_t now_us = peer_loop_now_us(p->loop);

    for (unsigned i = 0; i < r->count; i++) {
        struct peer_report b;
        size_t at = skip + (size_t)i * PEER_REPORT_BYTES;
        if (at + PEER_REPORT_BYTES > r->body_len) {
            p->stats.faults[PEER_FAULT_RTCP]++;
            return;
        }
        peer_report_read(r->body + at, &b);
        p->stats.reports_received++;
        if (b.lsr && tx_of(p, b.ssrc)) {
            uint32_t rtt = (uint32_t)(peer_ntp(now_us) >> 16) - b.lsr - b.dlsr;
            p->stats.rtt_us = (int64_t)rtt * 1000000 / 65536;
        }
    }
}

/* ---- as a receiver ---- */

/* Arms the feedback timer for the first of: TWCC due, a NACK due, a gap too old. A viewer to whom
 * nothing of that applies costs no timer. */
void peer_feedback_arm(struct peer *p)
{
    int64_t due_us = p->twcc_due_us;

    for (unsigned i = 0; i < p->n_rx; i++) {
        const struct peer_rx *x = p->rx[i];
        if (x->n_nacks) {
            int64_t t = peer_rx_deadline(x, p->params.nack && p->nack_ok && x->video);
            due_us = t < due_us ? t : due_us;
        }
    }
    int64_t soonest_us = peer_loop_now_us(p->loop) + FEEDBACK_MIN_US;
    due_us = due_us > soonest_us ? due_us : soonest_us;
    if (due_us < INT64_MAX && (!p->feedback_timer.pos || p->feedback_timer.due_us > due_us)) {
        (void)peer_loop_arm(p->loop, &p->feedback_timer, due_us);
    }
}

static void send_twcc(struct peer *p)
{
    struct peer_rtcp_out o = {.len = 0};

    if (!p->rsize) {
        peer_rtcp_put_rr(&o, p->ssrc, NULL, 0);
        peer_rtcp_put_sdes(&o, p->ssrc, p->cname);
    }
    peer_rtcp_put_twcc(&o, p->ssrc, p->n_rx ? p->rx[0]->ssrc : 0, &p->twcc);
    p->twcc.base = (uint16_t)(p->twcc.base + p->twcc.n);
    p->twcc.n = 0;
    p->twcc.fb_count++;
    p->twcc_due_us = INT64_MAX;
    p->stats.twcc_sent++;
    peer_feedback_send(p, &o);
}

void peer_feedback_twcc(struct peer *p, uint16_t seq, int64_t at_ns)
{
    struct peer_twcc *t = &p->twcc;

    if (!p->twcc_started) {
        p->twcc_started = true;
        t->base = seq;
    }
    uint16_t i = (uint16_t)(seq - t->base);
    if (i >= 0x8000) {
        return; /* reported before as lost */
    }
    if (i >= PEER_TWCC_MAX) {
        if (t->n) {
            send_twcc(p);
        }
        t->base = seq;
        i = 0;
    }
    for (; t->n <= i; t->n++) {
        t->at_us[t->n] = -1;
    }
    t->at_us[i] = at_ns / 1000;
    if (p->twcc_due_us == INT64_MAX) {
        p->twcc_due_us = peer_loop_now_us(p->loop) + (int64_t)p->params.twcc_ms * 1000;
        peer_feedback_arm(p);
    }
}

/* ---- RTCP ---- */

void peer_feedback_send(struct peer *p, const struct peer_rtcp_out *o)
{
    if (o->len) {
        (void)peer_send_rtcp(p, o->buf, o->len);
    }
}

static void on_sender_report(struct peer *p, const struct peer_rtcp *r)
{
    struct peer_rx *x = peer_flow_rx(p, r->ssrc, false);

    p->stats.sender_reports_received++;
    if (r->body_len < 20) {
        p->stats.faults[PEER_FAULT_RTCP]++;
        return;
    }
    if (x) {
        peer_rx_on_sr(x, peer_get64(r->body), peer_loop_now_us(p->loop));
    }
    on_reports(p, r, 20);
}

static void dispatch_rtcp(struct peer *p, const struct peer_rtcp *r)
{
    switch (r->type) {
    case PEER_RTCP_SR:
        on_sender_report(p, r);
        break;
    case PEER_RTCP_RR:
        on_reports(p, r, 0);
        break;
    case PEER_RTCP_BYE:
        p->stats.byes_received++;
        break;
    case PEER_RTCP_RTPFB:
        if (r->count == PEER_RTPFB_NACK) {
            on_nack(p, r);
        } else if (r->count == PEER_RTPFB_TWCC) {
            on_twcc(p, r);
        }
        break;
    case PEER_RTCP_PSFB:
        on_payload_feedback(p, r);
        break;
    default:
        break;
    }
    if (p->params.events.on_rtcp) {
        p->params.events.on_rtcp(p->params.events.ctx, p, r);
    }
}

void peer_feedback_rtcp(struct peer *p, uint8_t *buf, size_t len)
{
    struct peer_rtcp r;
    size_t at = 0;
    int more;

    if (!p->srtp || p->state >= PEER_CLOSED) {
        return;
    }
    int e = peer_srtp_open_rtcp(p->srtp, buf, &len);
    if (e < 0) {
        p->stats.rx_unauthentic += e != -EALREADY;
        p->stats.rx_replayed += e == -EALREADY;
        return;
    }
    if (p->params.events.on_plain) {
        p->params.events.on_plain(p->params.events.ctx, p, true, buf, len);
    }
    if (!p->rsize && buf[1] != PEER_RTCP_SR && buf[1] != PEER_RTCP_RR) {
        p->stats.faults[PEER_FAULT_RTCP]++; /* reduced size without a=rtcp-rsize, RFC 5506 */
    }
    while ((more = peer_rtcp_next(buf, len, &at, &r)) > 0) {
        dispatch_rtcp(p, &r);
    }
    if (more < 0) {
        p->stats.faults[PEER_FAULT_RTCP]++;
    }
}

/* ---- timers ---- */

void peer_feedback_setup(struct peer *p)
{
    p->report_timer = (struct peer_timer){.fn = on_report_timer, .ctx = p};
    p->feedback_timer = (struct peer_timer){.fn = on_feedback_timer, .ctx = p};
}

void peer_feedback_start(struct peer *p)
{
    /* spread over the second, or a thousand viewers would report in the same millisecond */
    (void)peer_loop_arm(p->loop, &p->report_timer,
                        peer_loop_now_us(p->loop) + (int64_t)(peer_rng_unit(&p->rng) * REPORT_US));
}

/* NACKs and PLIs of one stream, each in its own packet when reduced size is negotiated. */
static void feed_back(struct peer *p, struct peer_rx *x, int64_t now_us)
{
    struct peer_rtcp_out o = {.len = 0};
    uint16_t seqs[64];
    unsigned n = 0;

    peer_rx_on_time(x, now_us);
    if (p->params.nack && p->nack_ok && x->video) {
        n = peer_rx_nacks(x, now_us, seqs, PEER_LEN(seqs));
    }
    bool key = peer_rx_needs_key(x, now_us, p->media_start_us);
    if (!n && !key) {
        return;
    }
    if (!p->rsize) {
        peer_rtcp_put_rr(&o, p->ssrc, NULL, 0);
        peer_rtcp_put_sdes(&o, p->ssrc, p->cname);
    }
    if (n) {
        peer_rtcp_put_nack(&o, p->ssrc, x->ssrc, seqs, n);
        p->stats.nacks_sent++;
    }
    if (key) {
        peer_rtcp_put_pli(&o, p->ssrc, x->ssrc);
        p->stats.plis_sent++;
    }
    peer_feedback_send(p, &o);
}

static void on_report_timer(void *ctx)
{
    struct peer *p = ctx;
    struct peer_rtcp_out o = {.len = 0};
    struct peer_report b[31];
    int64_t now_us = peer_loop_now_us(p->loop);
    unsigned n = 0;

    for (unsigned i = 0; i < p->n_tx; i++) {
        if (p->tx[i].packets) {
            peer_tx_report(&p->tx[i], &o, p->cname, now_us);
        }
    }
    for (unsigned i = 0; i < p->n_rx && n < PEER_LEN(b); i++) {
        feed_back(p, p->rx[i], now_us); /* asks for a first key frame, gives up old gaps */
        peer_rx_report(p->rx[i], &b[n++], now_us);
    }
    if (n) {
        peer_rtcp_put_rr(&o, p->ssrc, b, n);
        peer_rtcp_put_sdes(&o, p->ssrc, p->cname);
    }
    peer_feedback_send(p, &o);
    (void)peer_loop_arm(p->loop, &p->report_timer,
                        now_us + REPORT_US * 9 / 10 +
                            (int64_t)(peer_rng_unit(&p->rng) * REPORT_US / 5));
}

static void on_feedback_timer(void *ctx)
{
    struct peer *p = ctx;
    int64_t now_us = peer_loop_now_us(p->loop);

    for (unsigned i = 0; i < p->n_rx; i++) {
        feed_back(p, p->rx[i], now_us);
    }
    if (now_us >= p->twcc_due_us && p->twcc.n) {
        send_twcc(p);
    }
    peer_feedback_arm(p);
}
