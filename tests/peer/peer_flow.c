/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RING_VIDEO       1024
#define RING_AUDIO       128
#define REPORT_US        1000000
#define FEEDBACK_MIN_US  1000
#define GIVE_UP_NACK_US  1000000
#define GIVE_UP_PLAIN_US 150000
#define BEHIND_MAX_US    200000
#define WIDTH_TOP        1280
#define HEIGHT_TOP       720
#define RTX_JUMP_MAX     4096

static void on_audio_timer(void *ctx);
static void on_video_timer(void *ctx);
static void on_report_timer(void *ctx);
static void on_feedback_timer(void *ctx);

/* ---- setting up ---- */

static void send_plain(void *ctx, const uint8_t *buf, size_t len)
{
    struct peer *p = ctx;

    (void)peer_send_rtp(p, buf, len);
}

/* First codec of ours in a negotiated section; its PT, and the PT of its RTX (0 = none). */
static enum peer_codec main_codec(const struct peer *p, const struct peer_sdp_media *m,
                                  uint8_t *ret_pt, uint8_t *ret_rtx)
{
    for (unsigned i = 0; i < m->n_codecs; i++) {
        uint8_t pt = m->codecs[i].pt;
        if (pt >= 128 || p->codec_of_pt[pt] == PEER_CODEC_COUNT) {
            continue;
        }
        *ret_pt = pt;
        *ret_rtx = 0;
        for (unsigned k = 0; k < m->n_codecs; k++) {
            if (m->codecs[k].apt == pt) {
                *ret_rtx = m->codecs[k].pt;
            }
        }
        return p->codec_of_pt[pt];
    }
    return PEER_CODEC_COUNT;
}

static int add_tx(struct peer *p, unsigned section, const struct peer_sdp_media *m, unsigned layer,
                  unsigned n_layers, const char *rid)
{
    struct peer_tx *t = &p->tx[p->n_tx];
    uint8_t pt = 0, rtx_pt = 0;
    enum peer_codec c = main_codec(p, m, &pt, &rtx_pt);
    bool video = c != PEER_OPUS;

    if (c == PEER_CODEC_COUNT || p->n_tx == PEER_TX_MAX) {
        return -EPROTO;
    }
    unsigned below = n_layers - 1 - layer; /* layers above this one */
    unsigned kbps = p->params.video_kbps >> (2 * below);
    *t = (struct peer_tx){
        .env = &p->env,
        .codec = c,
        .mid = !video && p->params.quirks & PEER_QUIRK_NO_MID ? NULL : m->mid,
        .rid = rid,
        .pt = pt,
        .rtx_pt = p->params.rtx ? rtx_pt : 0,
        .ssrc = video ? p->video_ssrc[layer] : p->audio_ssrc,
        .rtx_ssrc = video ? p->rtx_ssrc[layer] : 0,
        .stream = p->params.stream_id,
        .layer = layer,
        .temporal_layers = p->params.temporal_layers,
        .frame_bytes = video ? (size_t)kbps * 125 / p->params.fps : p->params.audio_bytes,
        .keyframe_ms = p->params.keyframe_ms,
        .width = (uint16_t)(WIDTH_TOP >> below),
        .height = (uint16_t)(HEIGHT_TOP >> below),
    };
    memcpy(t->ext, p->ext[section], sizeof(t->ext));
    p->n_tx++;
    return peer_tx_init(t, p->params.seed * 1000 + p->n_tx);
}

static int add_senders(struct peer *p, const struct peer_sdp *answer)
{
    bool have[2] = {false, false};

    for (unsigned i = 0; i < answer->n_media; i++) {
        const struct peer_sdp_media *m = &answer->media[i];
        bool video = !strcmp(m->kind, "video");
        if (m->rejected || have[video] || !strcmp(m->kind, "application")) {
            continue;
        }
        have[video] = true;
        bool simulcast = video && !p->params.lite && m->n_simulcast_lines;
        unsigned n = simulcast ? p->params.n_layers : 1;
        for (unsigned k = 0; k < n; k++) {
            int r = add_tx(p, i, m, k, n, simulcast ? p->params.rids[k] : NULL);
            if (r < 0) {
                return r;
            }
        }
    }
    return p->n_tx ? 0 : -EPROTO;
}

/* The codec of a payload type; answers may leave out what the offer said already. */
static void map_codec(struct peer *p, const struct peer_sdp_codec *c,
                      const struct peer_sdp_media *offered)
{
    if (c->pt >= 128) {
        return;
    }
    p->codec_of_pt[c->pt] = peer_codec_find(c->name, c->clock_hz);
    if (c->apt >= 0) {
        p->apt_of_pt[c->pt] = (uint8_t)c->apt;
    }
    for (unsigned k = 0; !c->name[0] && k < offered->n_codecs; k++) {
        if (offered->codecs[k].pt == c->pt) {
            map_codec(p, &offered->codecs[k], offered);
            return;
        }
    }
    p->nack_ok = p->nack_ok || c->nack;
    p->twcc_ok = p->twcc_ok || c->twcc;
}

int peer_flow_setup(struct peer *p, const struct peer_sdp *answer, const struct peer_sdp *offer)
{
    for (unsigned pt = 0; pt < 128; pt++) {
        p->codec_of_pt[pt] = PEER_CODEC_COUNT;
    }
    p->n_sections = answer->n_media;
    for (unsigned i = 0; i < answer->n_media; i++) {
        const struct peer_sdp_media *m = &answer->media[i];
        if (m->rejected) {
            continue;
        }
        memcpy(p->ext[i], m->ext, sizeof(p->ext[i]));
        for (unsigned e = 0; e < m->n_exts; e++) {
            p->ext_any[m->ext_ids[e]] = 1;
        }
        for (unsigned k = 0; k < m->n_codecs; k++) {
            map_codec(p, &m->codecs[k], &offer->media[i]);
        }
        p->rsize = p->rsize || m->rtcp_rsize;
    }
    p->env = (struct peer_tx_env){
        .send = send_plain,
        .ctx = p,
        .stats = &p->stats,
        .twcc_seq = (uint16_t)peer_rng_next(&p->rng),
    };
    p->audio_timer = (struct peer_timer){.fn = on_audio_timer, .ctx = p};
    p->video_timer = (struct peer_timer){.fn = on_video_timer, .ctx = p};
    p->report_timer = (struct peer_timer){.fn = on_report_timer, .ctx = p};
    p->feedback_timer = (struct peer_timer){.fn = on_feedback_timer, .ctx = p};
    return p->params.role == PEER_PUBLISH ? add_senders(p, answer) : 0;
}

void peer_flow_stop(struct peer *p)
{
    peer_loop_disarm(p->loop, &p->audio_timer);
    peer_loop_disarm(p->loop, &p->video_timer);
    peer_loop_disarm(p->loop, &p->report_timer);
    peer_loop_disarm(p->loop, &p->feedback_timer);
}

void peer_flow_fini(struct peer *p)
{
    peer_flow_stop(p);
    for (unsigned i = 0; i < p->n_tx; i++) {
        peer_tx_fini(&p->tx[i]);
    }
    for (unsigned i = 0; i < p->n_rx; i++) {
        peer_rx_fini(p->rx[i]);
        free(p->rx[i]);
    }
}

void peer_flow_start(struct peer *p)
{
    int64_t now_us = peer_loop_now_us(p->loop);

    p->media_start_us = now_us;
    if (p->params.role == PEER_PUBLISH) {
        (void)peer_loop_arm(p->loop, &p->audio_timer, now_us);
        (void)peer_loop_arm(p->loop, &p->video_timer, now_us);
    }
    /* spread over the second, or a thousand viewers would report in the same millisecond */
    (void)peer_loop_arm(p->loop, &p->report_timer,
                        now_us + (int64_t)(peer_rng_unit(&p->rng) * REPORT_US));
}

/* ---- publishing ---- */

/* Sends what is due of one kind and arms its timer for the next. */
static void run_media(struct peer *p, bool video, uint64_t *ticks, unsigned per_s,
                      struct peer_timer *timer)
{
    int64_t now_us = peer_loop_now_us(p->loop);
    bool any = false;

    for (unsigned i = 0; i < p->n_tx; i++) {
        any = any || (p->tx[i].codec != PEER_OPUS) == video;
    }
    if (!any || !per_s) {
        return;
    }
    int64_t media_us = (int64_t)(*ticks * 1000000 / per_s);
    if (now_us - p->media_start_us - media_us > BEHIND_MAX_US) {
        /* we were not scheduled: skip, as an encoder would, instead of bursting */
        *ticks = (uint64_t)(now_us - p->media_start_us) * per_s / 1000000;
        media_us = (int64_t)(*ticks * 1000000 / per_s);
    }
    for (unsigned i = 0; !p->paused && i < p->n_tx; i++) {
        if ((p->tx[i].codec != PEER_OPUS) == video) {
            peer_tx_frame(&p->tx[i], media_us, now_us);
        }
    }
    ++*ticks;
    (void)peer_loop_arm(p->loop, timer, p->media_start_us + (int64_t)(*ticks * 1000000 / per_s));
}

static void on_audio_timer(void *ctx)
{
    struct peer *p = ctx;

    run_media(p, false, &p->audio_ticks, p->params.audio_pps, &p->audio_timer);
}

static void on_video_timer(void *ctx)
{
    struct peer *p = ctx;

    run_media(p, true, &p->video_ticks, p->params.fps, &p->video_timer);
}

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

/* ---- receiving ---- */

static struct peer_rx *rx_of(struct peer *p, uint32_t ssrc, bool rtx)
{
    for (unsigned i = 0; i < p->n_rx; i++) {
        if ((rtx ? p->rx[i]->rtx_ssrc : p->rx[i]->ssrc) == ssrc) {
            return p->rx[i];
        }
    }
    return NULL;
}

/* The m-line that a packet of a new SSRC belongs to: announced SSRC, MID, else the only one of its
 * kind. -1 = cannot be told. */
static int section_of(struct peer *p, const struct peer_rtp *r, bool rtx, bool video)
{
    const struct peer_sdp *s = p->theirs;
    int found = -1;

    for (unsigned i = 0; i < s->n_media; i++) {
        const struct peer_sdp_media *m = &s->media[i];
        const struct peer_rtp_ext *mid = peer_rtp_ext(r, p->ext[i][PEER_EXT_MID]);
        if ((rtx ? m->rtx_ssrc : m->ssrc) == r->ssrc) {
            return (int)i;
        }
        if (mid && mid->len == strlen(m->mid) && !memcmp(mid->data, m->mid, mid->len)) {
            return (int)i;
        }
    }
    for (unsigned i = 0; i < s->n_media; i++) {
        if (!s->media[i].rejected && !strcmp(s->media[i].kind, video ? "video" : "audio")) {
            found = found < 0 ? (int)i : -2;
        }
    }
    return found < 0 ? -1 : found;
}

static struct peer_rx *new_rx(struct peer *p, const struct peer_rtp *r)
{
    enum peer_codec c = p->codec_of_pt[r->pt];
    bool video = c != PEER_OPUS;
    int section = section_of(p, r, false, video);
    struct peer_rx *x = p->n_rx < PEER_RX_MAX ? calloc(1, sizeof(*x)) : NULL;

    if (section < 0 || !x || peer_rx_init(x, video ? RING_VIDEO : RING_AUDIO) < 0) {
        free(x);
        p->stats.faults[PEER_FAULT_SSRC]++;
        return NULL;
    }
    const struct peer_sdp_media *m = &p->theirs->media[section];
    if (m->ssrc && m->ssrc != r->ssrc) {
        p->stats.faults[PEER_FAULT_SSRC]++;
    }
    x->stats = &p->stats;
    x->codec = c;
    x->video = video;
    x->sparse = p->params.verify_sparse;
    x->section = (unsigned)section;
    x->ssrc = r->ssrc;
    x->pt = r->pt;
    x->rtx_ssrc = m->ssrc == r->ssrc ? m->rtx_ssrc : 0;
    x->plain_resends = p->nack_ok;
    for (unsigned pt = 0; pt < 128; pt++) {
        x->plain_resends = x->plain_resends && p->apt_of_pt[pt] != r->pt;
    }
    x->give_up_us = video && p->params.nack && p->nack_ok ? GIVE_UP_NACK_US : GIVE_UP_PLAIN_US;
    const struct peer_rtp_ext *rid = peer_rtp_ext(r, p->ext[section][PEER_EXT_RID]);
    if (rid && rid->len < sizeof(x->rid)) {
        memcpy(x->rid, rid->data, rid->len);
    }
    p->rx[p->n_rx++] = x;
    return x;
}

/* The stream that an RTX SSRC repairs: announced, by RRID, or the only one without RTX. */
static struct peer_rx *bind_rtx(struct peer *p, const struct peer_rtp *r)
{
    int section = section_of(p, r, true, true);
    struct peer_rx *only = NULL;

    if (section < 0) {
        return NULL;
    }
    const struct peer_rtp_ext *rid = peer_rtp_ext(r, p->ext[section][PEER_EXT_RRID]);
    for (unsigned i = 0; i < p->n_rx; i++) {
        struct peer_rx *x = p->rx[i];
        if (x->section != (unsigned)section || x->rtx_ssrc) {
            continue;
        }
        if (rid && rid->len == strlen(x->rid) && !memcmp(rid->data, x->rid, rid->len)) {
            x->rtx_ssrc = r->ssrc;
            return x;
        }
        only = x;
    }
    if (only && !rid) {
        only->rtx_ssrc = r->ssrc;
        return only;
    }
    return NULL;
}

/* Arms the feedback timer for the first of: TWCC due, a NACK due, a gap too old. A viewer to whom
 * nothing of that applies costs no timer. */
static void arm_feedback(struct peer *p)
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
    peer_flow_send_rtcp(p, &o);
}

static void note_twcc(struct peer *p, uint16_t seq, int64_t at_ns)
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
        arm_feedback(p);
    }
}

static void check_extensions(struct peer *p, const struct peer_rtp *r, const struct peer_rx *x,
                             int64_t at_ns)
{
    const char *mid = p->theirs->media[x->section].mid;
    const uint8_t *ids = p->ext[x->section];

    for (unsigned i = 0; i < r->n_exts; i++) {
        if (!p->ext_any[r->exts[i].id]) {
            p->stats.faults[PEER_FAULT_EXTENSION]++;
        }
    }
    const struct peer_rtp_ext *e = peer_rtp_ext(r, ids[PEER_EXT_MID]);
    if (e && (e->len != strlen(mid) || memcmp(e->data, mid, e->len))) {
        p->stats.faults[PEER_FAULT_MID]++;
    }
    e = peer_rtp_ext(r, ids[PEER_EXT_TWCC]);
    if (e && e->len == 2 && p->twcc_ok && p->params.twcc) {
        note_twcc(p, peer_get16(e->data), at_ns);
    }
}

static int open_rtp(struct peer *p, uint8_t *buf, size_t *len)
{
    int r = peer_srtp_open_rtp(p->srtp, buf, len);

    if (r == -EALREADY) {
        p->stats.rx_replayed++;
    } else if (r < 0) {
        p->stats.rx_unauthentic++;
    }
    return r;
}

/* One media packet, its own or unwrapped from RTX. */
static void deliver(struct peer *p, struct peer_rx *x, const struct peer_rtp *r, uint16_t seq,
                    bool opened, bool rtx, int64_t at_ns)
{
    int64_t now_us = peer_loop_now_us(p->loop);
    struct peer_embed embed;
    bool has_embed;

    enum peer_rx_result got = peer_rx_packet(x, r, seq, opened, rtx, now_us, &embed, &has_embed);
    if (x->n_nacks) {
        arm_feedback(p);
    }
    if (got != PEER_RX_NEW) {
        bool excused = rtx || x->plain_resends || got == PEER_RX_LATE;
        p->stats.rtx_needless += excused;
        p->stats.faults[PEER_FAULT_DUPLICATE] += !excused;
        return;
    }
    p->stats.packets++;
    p->stats.bytes += r->payload_len;
    if (!p->stats.first_packet_us) {
        p->stats.first_packet_us = at_ns / 1000;
    }
    if (p->params.events.on_packet) {
        struct peer_packet pkt = {
            .rtp = r,
            .codec = x->codec,
            .section = x->section,
            .video = x->video,
            .retransmitted = rtx,
            .embed = has_embed ? &embed : NULL,
            .at_ns = at_ns,
            .latency_ns = has_embed ? at_ns - embed.sent_ns : 0,
        };
        p->params.events.on_packet(p->params.events.ctx, p, &pkt);
    }
}

static void on_rtx(struct peer *p, struct peer_rtp *r, int64_t at_ns)
{
    struct peer_rx *x = rx_of(p, r->ssrc, true);

    x = x ? x : bind_rtx(p, r);
    p->stats.rtx++;
    if (r->payload_len < 2) {
        p->stats.padding++; /* bandwidth probe */
        return;
    }
    if (!x || !x->started) {
        p->stats.rtx_needless++;
        return;
    }
    check_extensions(p, r, x, at_ns);
    uint16_t seq = peer_get16(r->payload);
    r->payload += 2;
    r->payload_len -= 2;
    r->pt = x->pt;
    if ((int16_t)(seq - (uint16_t)x->highest) > RTX_JUMP_MAX) {
        p->stats.faults[PEER_FAULT_RTX]++;
        return;
    }
    if (r->payload_len) { /* an empty one says that the number was never used for media */
        deliver(p, x, r, seq, true, true, at_ns);
    } else {
        bool has;
        struct peer_embed e;
        (void)peer_rx_packet(x, r, seq, true, true, peer_loop_now_us(p->loop), &e, &has);
    }
}

void peer_flow_rtp(struct peer *p, uint8_t *buf, size_t len, int64_t at_ns)
{
    struct peer_rtp r;

    if (!p->srtp || p->state >= PEER_CLOSED) {
        return;
    }
    if (peer_rtp_read(buf, len, true, &r) < 0) {
        p->stats.rx_unknown++;
        return;
    }
    bool rtx = p->apt_of_pt[r.pt] != 0;
    if (!rtx && p->codec_of_pt[r.pt] == PEER_CODEC_COUNT) {
        p->stats.faults[PEER_FAULT_PT]++;
        return;
    }
    struct peer_rx *x = rtx ? NULL : rx_of(p, r.ssrc, false);
    bool open = rtx || !x || peer_rx_wants(x, peer_loop_now_us(p->loop));
    if (!open) {
        peer_srtp_skip_rtp(p->srtp, buf, len);
    } else if (open_rtp(p, buf, &len) < 0 || peer_rtp_read(buf, len, false, &r) < 0) {
        return;
    }
    if (rtx) {
        on_rtx(p, &r, at_ns);
        return;
    }
    x = x ? x : new_rx(p, &r);
    if (!x) {
        return;
    }
    if (p->codec_of_pt[r.pt] != x->codec) {
        p->stats.faults[PEER_FAULT_PT]++;
        return;
    }
    check_extensions(p, &r, x, at_ns);
    deliver(p, x, &r, r.seq, open, false, at_ns);
}

/* ---- RTCP ---- */

void peer_flow_send_rtcp(struct peer *p, const struct peer_rtcp_out *o)
{
    if (o->len) {
        (void)peer_send_rtcp(p, o->buf, o->len);
    }
}

static void on_sender_report(struct peer *p, const struct peer_rtcp *r)
{
    struct peer_rx *x = rx_of(p, r->ssrc, false);

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

void peer_flow_rtcp(struct peer *p, uint8_t *buf, size_t len)
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
    peer_flow_send_rtcp(p, &o);
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
    peer_flow_send_rtcp(p, &o);
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
    arm_feedback(p);
}
