/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEYFRAME_FACTOR 5

int peer_tx_init(struct peer_tx *t, uint64_t seed)
{
    t->rng.state = seed;
    t->seq = (uint16_t)peer_rng_next(&t->rng);
    t->rtx_seq = (uint16_t)peer_rng_next(&t->rng);
    t->pic_id = (uint16_t)(peer_rng_next(&t->rng) & 0x7fff);
    t->tl0 = (uint8_t)peer_rng_next(&t->rng);
    t->first_ts = t->last_ts = (uint32_t)peer_rng_next(&t->rng);
    t->key_wanted = true;
    t->history = calloc(PEER_TX_HISTORY, sizeof(*t->history));
    return t->history ? 0 : -ENOMEM;
}

void peer_tx_fini(struct peer_tx *t)
{
    free(t->history);
    t->history = NULL;
}

/* Extensions of a packet; scratch holds their values. */
static void add_exts(struct peer_tx *t, struct peer_rtp *r, bool rtx, uint8_t scratch[8])
{
    uint8_t rid_ext = t->ext[rtx ? PEER_EXT_RRID : PEER_EXT_RID];
    bool named = !t->env->ids_at_first || (rtx ? t->resent : t->packets) < PEER_TX_NAMED;
    uint32_t abs_time = (uint32_t)((uint64_t)peer_loop_clock_ns() * 2048 / 7812500) & 0xffffff;

    if (t->ext[PEER_EXT_LEVEL]) {
        /* voice, -30..-43 dBov; or a quiet room */
        scratch[0] = t->env->quiet ? 100 : (uint8_t)(0x80 | (30 + t->frame % 14));
        r->exts[r->n_exts++] = (struct peer_rtp_ext){t->ext[PEER_EXT_LEVEL], 1, scratch};
    }
    if (t->ext[PEER_EXT_ABS_TIME]) { /* 6.18 fixed point seconds */
        scratch[1] = (uint8_t)(abs_time >> 16);
        peer_put16(scratch + 2, abs_time);
        r->exts[r->n_exts++] = (struct peer_rtp_ext){t->ext[PEER_EXT_ABS_TIME], 3, scratch + 1};
    }
    if (t->ext[PEER_EXT_TWCC]) {
        peer_put16(scratch + 4, t->env->twcc_seq++);
        r->exts[r->n_exts++] = (struct peer_rtp_ext){t->ext[PEER_EXT_TWCC], 2, scratch + 4};
    }
    if (named && t->ext[PEER_EXT_MID] && t->mid[0]) {
        r->exts[r->n_exts++] = (struct peer_rtp_ext){t->ext[PEER_EXT_MID], (uint8_t)strlen(t->mid),
                                                     (const uint8_t *)t->mid};
    }
    if (named && rid_ext && t->rid) {
        r->exts[r->n_exts++] =
            (struct peer_rtp_ext){rid_ext, (uint8_t)strlen(t->rid), (const uint8_t *)t->rid};
    }
}

static void send_packet(struct peer_tx *t, const struct peer_media_pkt *m)
{
    size_t slot = t->seq % PEER_TX_HISTORY;
    uint8_t scratch[8];
    struct peer_rtp r = {
        .pt = t->pt,
        .marker = m->codec != PEER_OPUS && m->embed.pkt + 1 == m->embed.n_pkts,
        .seq = t->seq++,
        .ts = t->last_ts,
        .ssrc = t->ssrc,
    };
    uint8_t *buf = t->history[slot].buf;

    add_exts(t, &r, false, scratch);
    size_t head = peer_rtp_write_head(&r, buf, PEER_PACKET_MAX - PEER_PAYLOAD_MAX);
    size_t n = peer_media_write(m, buf + head);
    t->history[slot].seq = r.seq;
    t->history[slot].len = (uint16_t)(head + n);
    t->packets++;
    t->octets += (uint32_t)n;
    t->env->stats->sent_packets++;
    t->env->stats->sent_bytes += n;
    t->env->stats->newest_ns = m->embed.sent_ns;
    t->env->send(t->env->ctx, buf, head + n);
}

/* Temporal layer of the next frame: 0, 0 1, or 0 2 1 2. A key frame begins the pattern anew. */
static uint8_t next_tid(struct peer_tx *t, bool key)
{
    static const uint8_t patterns[3][4] = {{0, 0, 0, 0}, {0, 1, 0, 1}, {0, 2, 1, 2}};
    unsigned n = t->temporal_layers ? t->temporal_layers : 1;

    t->in_pattern = key ? 0 : t->in_pattern + 1;
    return patterns[n > 3 ? 2 : n - 1][t->in_pattern % 4];
}

/* Size of the next frame: varying by a quarter, smaller after a key frame until its cost is paid
 * back. */
static size_t next_size(struct peer_tx *t, bool key)
{
    size_t size = t->frame_bytes;

    if (t->codec == PEER_OPUS) {
        return size;
    }
    if (key) {
        t->debt_bytes += (int64_t)(size * (KEYFRAME_FACTOR - 1));
        return size * KEYFRAME_FACTOR;
    }
    size = (size_t)((double)size * (0.75 + peer_rng_unit(&t->rng) / 2));
    if (t->debt_bytes > 0) {
        size_t pay = size / 3;
        t->debt_bytes -= (int64_t)pay;
        size -= pay;
    }
    return size;
}

/* The next frame of the clip; its first, which is a key frame, when one is wanted. */
static struct peer_clip_frame next_of_clip(struct peer_tx *t)
{
    static const uint8_t silence[] = {0xf8, 0xff, 0xfe}; /* Opus: CELT, fullband, 20 ms */

    if (t->codec == PEER_OPUS) {
        return (struct peer_clip_frame){silence, sizeof(silence), true};
    }
    unsigned at = t->key_wanted ? 0 : t->clip_at;
    t->clip_at = (at + 1) % t->clip->n;
    return t->clip->frames[at];
}

void peer_tx_frame(struct peer_tx *t, int64_t media_us, int64_t now_us)
{
    uint32_t clock_hz = peer_codec_info(t->codec)->clock_hz;
    bool due = t->keyframe_ms && now_us - t->last_key_us >= (int64_t)t->keyframe_ms * 1000;
    bool key = t->codec == PEER_OPUS || t->key_wanted || due;
    struct peer_clip_frame real = {0};
    if (t->clip) {
        real = next_of_clip(t);
        key = real.key;
    }
    size_t size = t->clip ? real.len : next_size(t, key), at = 0;
    unsigned n = peer_media_count(t->codec, key, size);

    if (key) {
        t->key_wanted = false;
        t->last_key_us = now_us;
        t->env->stats->sent_keyframes += t->codec != PEER_OPUS;
    }
    uint8_t tid = t->codec == PEER_VP8 ? next_tid(t, key) : 0;
    t->tl0 = (uint8_t)(t->tl0 + (tid == 0));
    t->last_ts = t->first_ts + (uint32_t)(media_us * clock_hz / 1000000);
    t->last_frame_us = now_us;
    for (unsigned i = 0; i < n; i++) {
        struct peer_media_pkt m = {
            .codec = t->codec,
            .pic_id = t->pic_id,
            .tl0 = t->tl0,
            .width = t->width,
            .height = t->height,
            .payload_bytes = size / n,
            .body = real.data ? real.data + at : NULL,
            .body_len = size - at < PEER_BODY_MAX ? size - at : PEER_BODY_MAX,
            .embed =
                {
                    .stream = t->stream,
                    .track = t->codec != PEER_OPUS,
                    .layer = (uint8_t)t->layer,
                    .keyframe = key,
                    .tid = tid,
                    .frame = t->frame,
                    .pkt = (uint16_t)i,
                    .n_pkts = (uint16_t)n,
                    .sent_ns = peer_loop_clock_ns(),
                },
        };
        send_packet(t, &m);
        at += m.body_len;
    }
    t->frame++;
    t->pic_id = (uint16_t)((t->pic_id + 1) & 0x7fff);
    t->env->stats->sent_frames++;
}

bool peer_tx_resend(struct peer_tx *t, uint16_t seq)
{
    size_t slot = seq % PEER_TX_HISTORY;
    uint8_t buf[PEER_PACKET_MAX], scratch[8];
    struct peer_rtp r;
    size_t len = t->history[slot].len;

    if (!len || t->history[slot].seq != seq) {
        return false;
    }
    t->env->stats->sent_rtx++;
    if (!t->rtx_pt) {
        /* the same bytes: under AES-GCM any others would reuse a nonce */
        t->env->send(t->env->ctx, t->history[slot].buf, len);
        return true;
    }
    if (peer_rtp_read(t->history[slot].buf, len, false, &r) < 0) {
        return false;
    }
    const uint8_t *payload = r.payload;
    size_t n = r.payload_len;
    r = (struct peer_rtp){
        .pt = t->rtx_pt,
        .marker = r.marker,
        .seq = t->rtx_seq++,
        .ts = r.ts,
        .ssrc = t->rtx_ssrc,
    };
    add_exts(t, &r, true, scratch);
    t->resent++;
    size_t head = peer_rtp_write_head(&r, buf, sizeof(buf));
    if (!head || head + 2 + n > sizeof(buf)) {
        return false;
    }
    peer_put16(buf + head, seq);
    memcpy(buf + head + 2, payload, n);
    t->env->send(t->env->ctx, buf, head + 2 + n);
    return true;
}

void peer_tx_report(struct peer_tx *t, struct peer_rtcp_out *o, const char *cname, int64_t now_us)
{
    uint32_t clock_hz = peer_codec_info(t->codec)->clock_hz;
    struct peer_sr sr = {
        .ssrc = t->ssrc,
        .ntp = peer_ntp(now_us),
        .ts = t->last_ts + (uint32_t)((now_us - t->last_frame_us) * clock_hz / 1000000),
        .packets = t->packets,
        .octets = t->octets,
    };

    peer_rtcp_put_sr(o, &sr);
    peer_rtcp_put_sdes(o, t->ssrc, cname);
}
