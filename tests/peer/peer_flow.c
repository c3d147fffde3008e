/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RING_VIDEO       1024
#define RING_AUDIO       128
#define GIVE_UP_NACK_US  1000000
#define GIVE_UP_PLAIN_US 150000
#define BEHIND_MAX_US    200000
#define WIDTH_TOP        1280
#define HEIGHT_TOP       720
#define RTX_JUMP_MAX     4096

static void on_audio_timer(void *ctx);
static void on_video_timer(void *ctx);

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
        .clip = p->params.clip,
        .width = (uint16_t)(WIDTH_TOP >> below),
        .height = (uint16_t)(HEIGHT_TOP >> below),
    };
    memcpy(t->ext, p->ext[section], sizeof(t->ext));
    if (video || !(p->params.quirks & PEER_QUIRK_NO_MID)) {
        memcpy(t->mid, m->mid, sizeof(t->mid));
    }
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
        bool group = video && p->params.quirks & PEER_QUIRK_SIM_GROUP;
        bool simulcast = video && !p->params.lite && m->n_simulcast_lines;
        unsigned n = simulcast || group ? p->params.n_layers : 1;
        for (unsigned k = 0; k < n; k++) {
            int r = add_tx(p, i, m, k, n, simulcast ? p->params.rids[k] : NULL);
            if (r < 0) {
                return r;
            }
        }
    }
    return p->n_tx || p->params.data ? 0 : -EPROTO;
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
        .quiet = p->env.quiet,
        .ids_at_first = p->params.quirks & PEER_QUIRK_IDS_AT_FIRST,
        .send = send_plain,
        .ctx = p,
        .stats = &p->stats,
        .twcc_seq = (uint16_t)peer_rng_next(&p->rng),
    };
    p->audio_timer = (struct peer_timer){.fn = on_audio_timer, .ctx = p};
    p->video_timer = (struct peer_timer){.fn = on_video_timer, .ctx = p};
    peer_feedback_setup(p);
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
    peer_feedback_start(p);
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
        bool off = video && p->paused_layers >> p->tx[i].layer & 1;
        if ((p->tx[i].codec != PEER_OPUS) == video && !off) {
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

/* ---- receiving ---- */

struct peer_rx *peer_flow_rx(struct peer *p, uint32_t ssrc, bool rtx)
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
    bool numbered = e && e->len == 2;
    if (!p->twcc_ok || !p->params.twcc) {
        return;
    }
    if (numbered && !p->twcc_numbered) {
        p->twcc_numbered = true;
        p->twcc_started = false; /* our own count means nothing any more */
        p->twcc.n = 0;
    }
    if (numbered) {
        peer_feedback_twcc(p, peer_get16(e->data), at_ns);
    } else if (p->params.twcc_anyway && !p->twcc_numbered) {
        peer_feedback_twcc(p, p->twcc_own_number++, at_ns);
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
        peer_feedback_arm(p);
    }
    if (got != PEER_RX_NEW) {
        bool excused = rtx || x->plain_resends || got == PEER_RX_LATE;
        p->stats.rtx_needless += excused;
        p->stats.faults[PEER_FAULT_DUPLICATE] += !excused;
        return;
    }
    p->stats.packets++;
    if (has_embed && embed.sent_ns > p->stats.newest_ns) {
        p->stats.newest_ns = embed.sent_ns;
    }
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
    struct peer_rx *x = peer_flow_rx(p, r->ssrc, true);

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
    p->stats.bytes += len;
    if (!rtx && p->codec_of_pt[r.pt] == PEER_CODEC_COUNT) {
        p->stats.faults[PEER_FAULT_PT]++;
        return;
    }
    struct peer_rx *x = rtx ? NULL : peer_flow_rx(p, r.ssrc, false);
    bool open = rtx || !x || peer_rx_wants(x, peer_loop_now_us(p->loop));
    if (!open) {
        peer_srtp_skip_rtp(p->srtp, buf, len);
    } else if (open_rtp(p, buf, &len) < 0 || peer_rtp_read(buf, len, false, &r) < 0) {
        return;
    }
    if (open && p->params.events.on_plain) {
        p->params.events.on_plain(p->params.events.ctx, p, false, buf, len);
    }
    if (rtx) {
        on_rtx(p, &r, at_ns);
        return;
    }
    x = x ? x : new_rx(p, &r);
    if (!x) {
        return;
    }
    if (p->codec_of_pt[r.pt] != x->codec) { /* another source: any codec of the kind may follow */
        bool same_kind = (p->codec_of_pt[r.pt] == PEER_OPUS) == (x->codec == PEER_OPUS);
        if (!same_kind) {
            p->stats.faults[PEER_FAULT_PT]++;
            return;
        }
        x->codec = p->codec_of_pt[r.pt];
    }
    check_extensions(p, &r, x, at_ns);
    deliver(p, x, &r, r.seq, open, false, at_ns);
}
