/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/player.h"

#include <stdlib.h>
#include <string.h>

#include "rtp/rtcp.h"
#include "rtp/rtcp_fb.h"
#include "rtp/rtcp_nack.h"
#include "rtp/rtcp_remb.h"
#include "rtp/rtcp_sr.h"
#include "rtp/rtcp_twcc.h"

#define TWCC_US      (50 * US_PER_MS)
#define REMB_US      (200 * US_PER_MS)
#define REPORT_US    US_PER_S
#define SENDER_SSRC  1u
#define OPUS_FRAME   960
#define FEEDBACK_MAX 400 /* packets one feedback message speaks of */

struct player *player_new(const struct player_params *p, player_rtcp_fn *send, void *ctx,
                          int64_t now_us)
{
    struct player *q = calloc(1, sizeof(*q));
    assert(q);
    q->p = *p;
    q->send = send;
    q->ctx = ctx;
    for (int i = 0; i < p->n_videos; i++) {
        q->video[i] = video_rx_new(p->codec, p->nack, now_us);
    }
    q->audio_seen = calloc(1, PLAYER_AUDIO);
    assert(q->audio_seen);
    q->remb_bps = 300000;
    q->remb_min_us = INT64_MAX;
    q->first_packet_us = -1;
    q->twcc_due_us = now_us + TWCC_US;
    q->report_due_us = now_us + REPORT_US;
    return q;
}

void player_free(struct player *p)
{
    if (!p) {
        return;
    }
    for (int i = 0; i < p->p.n_videos; i++) {
        video_rx_free(p->video[i]);
    }
    free(p->audio_seen);
    free(p);
}

/* ---- what came ---- */

static struct player_stream *stream_of(struct player *p, uint32_t ssrc, uint32_t clock_hz)
{
    for (int i = 0; i < p->n_streams; i++) {
        if (p->streams[i].ssrc == ssrc) {
            return &p->streams[i];
        }
    }
    if (p->n_streams == (int)ARRAY_LEN(p->streams)) {
        return NULL;
    }
    struct player_stream *s = &p->streams[p->n_streams++];
    s->ssrc = ssrc;
    s->clock_hz = clock_hz;
    return s;
}

/* RFC 3550 A.1, A.8 */
static void account(struct player *p, const struct rx_rtp *r, uint32_t clock_hz, int64_t now_us)
{
    struct player_stream *s = stream_of(p, r->ssrc, clock_hz);
    if (!s) {
        return;
    }
    int64_t transit = now_us * clock_hz / US_PER_S - r->ts;
    if (!s->any) {
        s->any = true;
        s->top = s->base = 0x10000u + r->seq16;
        s->transit = transit;
    }
    uint64_t seq = s->top + (uint64_t)(int64_t)(int16_t)(r->seq16 - (uint16_t)s->top);
    s->top = MAX(s->top, seq);
    s->received++;
    int64_t d = (int32_t)(transit - s->transit);
    s->transit = transit;
    s->jitter += ((double)(d < 0 ? -d : d) - s->jitter) / 16;
}

static void note_transport(struct player *p, const struct rx_rtp *r, int64_t now_us)
{
    const uint8_t *e = p->p.twcc_id ? r->ext[p->p.twcc_id] : NULL;
    if (!e) {
        return;
    }
    uint16_t seq16 = (uint16_t)(e[0] << 8 | e[1]);
    p->twcc_seen++;
    if (!p->twcc_any) {
        p->twcc_any = true;
        p->twcc_top = p->twcc_next = 0x10000u + seq16;
    }
    uint64_t seq = p->twcc_top + (uint64_t)(int64_t)(int16_t)(seq16 - (uint16_t)p->twcc_top);
    if (seq + PLAYER_TWCC / 2 < p->twcc_top) {
        return;
    }
    for (uint64_t s = p->twcc_top + 1; s <= seq; s++) {
        p->arrivals[s % PLAYER_TWCC].at_us = 0;
    }
    p->twcc_top = MAX(p->twcc_top, seq);
    p->twcc_next = MIN(p->twcc_next, seq);
    p->arrivals[seq % PLAYER_TWCC].at_us = now_us;
}

/* The delay above the smallest, from 24 bits of the sender's clock. */
static void note_send_time(struct player *p, const struct rx_rtp *r, int64_t now_us)
{
    const uint8_t *e = p->p.abs_id ? r->ext[p->p.abs_id] : NULL;
    if (!e) {
        return;
    }
    int64_t sent = (int64_t)((uint32_t)(e[0] << 16 | e[1] << 8 | e[2]) * 1000000ULL >> 18);
    int64_t delay = (now_us - sent) % (64 * US_PER_S);
    p->remb_min_us = MIN(p->remb_min_us, delay);
    p->remb_queue_us = delay - p->remb_min_us;
}

/* The least of how late pictures are to be shown, and the most, 12 bits of 10 ms each. */
static void note_playout(struct player *p, int video, const struct rx_rtp *r)
{
    const uint8_t *e = p->p.playout_id ? r->ext[p->p.playout_id] : NULL;
    if (e) {
        p->video[video]->least_us = (e[0] << 4 | e[1] >> 4) * 10 * US_PER_MS;
    }
}

static void audio_frame(struct player *p, uint32_t ts)
{
    if (!p->audio_any) {
        p->audio_any = true;
        p->audio_ts0 = ts - 10 * OPUS_FRAME;
    }
    uint32_t at = (ts - p->audio_ts0) / OPUS_FRAME;
    if (at < PLAYER_AUDIO) {
        p->audio_seen[at] = 1;
        p->audio_top = MAX(p->audio_top, at);
    }
}

static void on_audio(struct player *p, const struct rx_rtp *r)
{
    p->audio_packets++;
    if (!p->p.red_pt || r->pt != p->p.red_pt) {
        audio_frame(p, r->ts);
        return;
    }
    p->red_packets++;
    size_t heads = 0;
    while (heads + 4 <= r->len && (r->payload[heads] & 0x80)) {
        heads += 4;
    }
    size_t at = heads + 1;
    for (size_t h = 0; h < heads; h += 4) {
        const uint8_t *head = r->payload + h;
        uint32_t ago = (uint32_t)(head[1] << 6 | head[2] >> 2);
        size_t len = (head[2] & 3U) << 8 | head[3];
        /* Each frame begins with the publisher's timestamp of it. */
        bool copy = (head[0] & 0x7f) == p->p.opus_pt && at + 2 * len <= r->len && len >= 4 &&
                    bytes_load32(r->payload + r->len - len) - bytes_load32(r->payload + at) == ago;
        p->audio_wrong += !copy;
        at += len;
        audio_frame(p, r->ts - ago);
    }
    audio_frame(p, r->ts);
}

double player_audio_loss(const struct player *p)
{
    uint64_t lost = 0, n = 0;
    for (uint64_t i = 10; i + 5 < p->audio_top; i++, n++) {
        lost += !p->audio_seen[i];
    }
    return n ? (double)lost / (double)n : 1;
}

static void on_repair(struct player *p, int video, struct rx_rtp *r, int64_t now_us)
{
    p->n_rtx++;
    p->n_rtx_bytes += r->len;
    if (r->len < 2) {
        p->n_padding_bytes += r->len;
        return; /* a probe made of padding */
    }
    r->seq16 = (uint16_t)(r->payload[0] << 8 | r->payload[1]);
    r->payload += 2;
    r->len -= 2;
    const uint8_t *dd = p->p.dd_id ? r->ext[p->p.dd_id] : NULL;
    video_rx_packet(p->video[video], r, true, dd, dd ? r->ext_len[p->p.dd_id] : 0, now_us);
}

void player_on_rtp(struct player *p, const uint8_t *pkt, size_t len, int64_t arrival_us)
{
    struct rx_rtp r;
    if (!rx_rtp_read(pkt, len, &r)) {
        p->n_malformed++;
        return;
    }
    p->first_packet_us = p->first_packet_us < 0 ? arrival_us : p->first_packet_us;
    p->n_bytes += len;
    p->window_bytes += len;
    note_transport(p, &r, arrival_us);
    note_send_time(p, &r, arrival_us);
    account(p, &r, r.ssrc == p->p.audio_ssrc ? 48000 : 90000, arrival_us);
    if (r.ssrc == p->p.audio_ssrc) {
        on_audio(p, &r);
        return;
    }
    for (int i = 0; i < p->p.n_videos; i++) {
        if (r.ssrc == p->p.video_ssrc[i]) {
            const uint8_t *dd = p->p.dd_id ? r.ext[p->p.dd_id] : NULL;
            note_playout(p, i, &r);
            video_rx_packet(p->video[i], &r, false, dd, dd ? r.ext_len[p->p.dd_id] : 0, arrival_us);
            return;
        }
        if (p->p.rtx_ssrc[i] && r.ssrc == p->p.rtx_ssrc[i]) {
            on_repair(p, i, &r, arrival_us);
            return;
        }
    }
    p->n_malformed++; /* nobody's */
}

void player_on_rtcp(struct player *p, const uint8_t *pkt, size_t len, int64_t now_us)
{
    struct rtcp_walk w;
    struct rtcp_packet one;
    struct rtcp_report rep;
    rtcp_walk_init(&w, pkt, len);
    while (rtcp_walk_next(&w, &one) == 1) {
        if (one.type == RTCP_SR && rtcp_sr_read(&one, &rep) == 0) {
            for (int i = 0; i < p->n_streams; i++) {
                if (p->streams[i].ssrc == rep.ssrc) {
                    p->streams[i].lsr = (uint32_t)(rep.sender.ntp >> 16);
                    p->streams[i].lsr_us = now_us;
                }
            }
        }
    }
}

/* ---- feedback ---- */

static void send_twcc(struct player *p)
{
    static struct rtcp_twcc_status st[FEEDBACK_MAX];
    while (p->twcc_next <= p->twcc_top) {
        uint64_t base = p->twcc_next;
        struct rtcp_twcc head = {.sender_ssrc = SENDER_SSRC,
                                 .media_ssrc = p->p.video_ssrc[0],
                                 .base_seq16 = (uint16_t)base,
                                 .fb_count = p->twcc_count++};
        int64_t last = -1;
        int n = 0;
        for (uint64_t s = base; s <= p->twcc_top && n < FEEDBACK_MAX; s++, n++) {
            int64_t at = p->arrivals[s % PLAYER_TWCC].at_us;
            st[n] = (struct rtcp_twcc_status){.seq16 = (uint16_t)s, .received = at != 0};
            if (!at) {
                continue;
            }
            if (last < 0) {
                head.ref_time = (uint32_t)(at / RTCP_TWCC_REF_US) & 0xffffff;
                last = at / RTCP_TWCC_REF_US * RTCP_TWCC_REF_US;
            }
            int64_t ticks = (at - last) / RTCP_TWCC_TICK_US;
            if (ticks > 32767 || ticks < -32768) {
                break;
            }
            st[n].delta_us = (int32_t)(ticks * RTCP_TWCC_TICK_US);
            last += st[n].delta_us;
        }
        if (n == 0) {
            break;
        }
        p->twcc_next = base + (uint64_t)n;
        uint8_t buf[1500];
        int len = rtcp_twcc_write(buf, sizeof(buf), &head, st, n);
        if (len > 0 && !p->mute_twcc) {
            p->n_twcc++;
            p->send(buf, (size_t)len, p->ctx);
        }
    }
}

/* Roughly libwebrtc's receiver-side estimate: up by 8 % a second while packets do not queue, down
 * to 0.85 of what came when they do. */
static void send_remb(struct player *p, int64_t now_us)
{
    double rate = (double)p->window_bytes * 8e6 / REMB_US;
    p->window_bytes = 0;
    if (p->remb_queue_us > 60 * US_PER_MS) {
        p->remb_bps = 0.85 * rate;
    } else {
        p->remb_bps = MIN(p->remb_bps * 1.016 + 1000, MAX(1.5 * rate + 10000, p->remb_bps));
    }
    p->remb_bps = MAX(p->remb_bps, 50000);
    p->remb_due_us = now_us + REMB_US;
    uint8_t buf[100];
    int len =
        rtcp_remb_write(buf, sizeof(buf), SENDER_SSRC, (uint64_t)p->remb_bps, p->p.video_ssrc, 1);
    if (len > 0) {
        p->send(buf, (size_t)len, p->ctx);
    }
}

static void send_report(struct player *p, int64_t now_us)
{
    struct rtcp_report rr = {.ssrc = SENDER_SSRC};
    for (int i = 0; i < p->n_streams && rr.n_blocks < RTCP_REPORT_BLOCKS_MAX; i++) {
        struct player_stream *s = &p->streams[i];
        uint64_t expected = s->top - s->base + 1;
        int64_t e = (int64_t)(expected - s->expected_before);
        int64_t lost = e - (int64_t)(s->received - s->received_before);
        s->expected_before = expected;
        s->received_before = s->received;
        rr.blocks[rr.n_blocks++] = (struct rtcp_report_block){
            .ssrc = s->ssrc,
            .fraction_lost = (uint8_t)(e > 0 && lost > 0 ? MIN(lost * 256 / e, 255) : 0),
            .lost = (int32_t)((int64_t)expected - (int64_t)s->received),
            .highest_seq = (uint32_t)s->top - 0x10000u,
            .jitter = (uint32_t)s->jitter,
            .lsr = s->lsr,
            .dlsr = s->lsr ? (uint32_t)((now_us - s->lsr_us) * 65536 / US_PER_S) : 0,
        };
    }
    uint8_t buf[1200];
    int len = rr.n_blocks ? rtcp_sr_write(buf, sizeof(buf), &rr) : 0;
    if (len > 0) {
        p->send(buf, (size_t)len, p->ctx);
    }
}

static void send_repair_wishes(struct player *p, int64_t now_us)
{
    for (int i = 0; i < p->p.n_videos; i++) {
        struct video_rx *v = p->video[i];
        uint16_t seqs[200];
        uint8_t buf[1000];
        int n = video_rx_nacks(v, seqs, ARRAY_LEN(seqs), now_us);
        int len =
            n ? rtcp_nack_write(buf, sizeof(buf), SENDER_SSRC, p->p.video_ssrc[i], seqs, n) : 0;
        if (len > 0) {
            p->n_nacks++;
            p->send(buf, (size_t)len, p->ctx);
        }
        if (v->wants_key) {
            v->wants_key = false;
            v->plis++;
            p->n_plis++;
            len = rtcp_fb_pli_write(buf, sizeof(buf), SENDER_SSRC, p->p.video_ssrc[i]);
            p->send(buf, (size_t)len, p->ctx);
        }
    }
}

void player_step(struct player *p, int64_t now_us)
{
    for (int i = 0; i < p->p.n_videos; i++) {
        video_rx_step(p->video[i], now_us);
    }
    send_repair_wishes(p, now_us);
    if (now_us >= p->twcc_due_us) {
        p->twcc_due_us += TWCC_US;
        if (p->twcc_any && !p->p.remb) {
            send_twcc(p);
        }
    }
    if (p->p.remb && now_us >= p->remb_due_us) {
        send_remb(p, now_us);
    }
    if (now_us >= p->report_due_us) {
        p->report_due_us += REPORT_US;
        send_report(p, now_us);
    }
}
