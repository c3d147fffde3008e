/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp_out.c - the reports and feedback we write: SR and SDES to viewers; RR, NACK, PLI, TWCC and
 * REMB to publishers. Each message is a packet of its own where reduced size was negotiated (FFmpeg
 * reads a NACK only when it is alone), a compound with RR and SDES before it else. */
#include <string.h>

#include "rtp/rtcp_fb.h"
#include "rtp/rtcp_nack.h"
#include "rtp/rtcp_remb.h"
#include "rtp/rtcp_sdes.h"
#include "rtp/rtcp_sr.h"
#include "sfu/ingest.h"
#include "sfu/peer.h"
#include "sfu/router.h"
#include "sfu/sub.h"

#define REPORT_US US_PER_S
/* No report tells the round trip to a publisher that only sends; requests are spaced by this. */
#define PUBLISHER_RTT_US (100 * US_PER_MS)
#define NACKS_PER_PACKET 64
/* Plain RTCP in one packet: leaves room for index, tag, UDP and IP under 1,280 bytes. */
#define RTCP_ROOM 1180

/* Seals len bytes of RTCP at out, reserved from b, and commits them. */
static void finish(struct peer *p, struct tx_batch *b, uint8_t *out, int len)
{
    int sealed = len > 0 ? seal_rtcp(p->seal, out, (size_t)len, TX_PACKET_MAX) : -1;
    if (sealed > 0) {
        tx_commit(b, p->id, &p->path, (size_t)sealed, false);
        p->router->n.tx_rtcp_packets++;
    }
}

static int append(int len, int more)
{
    return len < 0 || more < 0 ? -1 : len + more;
}

/* What must stand before a feedback message: nothing with reduced size, an empty RR and our CNAME
 * else. */
static int preamble(const struct peer *p, uint8_t *out)
{
    if (p->ingest->rsize) {
        return 0;
    }
    struct rtcp_report rr = {.ssrc = p->rtcp_ssrc};
    int len = rtcp_sr_write(out, RTCP_ROOM, &rr);
    return append(len, rtcp_sdes_write_cname(out + len, RTCP_ROOM - (size_t)len, p->rtcp_ssrc,
                                             p->session->cname));
}

static bool send_nacks(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    for (unsigned i = 0; i < p->ingest->n_sources; i++) {
        struct source *src = &p->ingest->sources[i];
        if (!src->ssrc || nack_next_deadline(&src->nack) > now_us) {
            continue;
        }
        uint8_t *out = tx_reserve(b);
        if (!out) {
            return false;
        }
        uint16_t seqs[NACKS_PER_PACKET];
        int n = nack_poll(&src->nack, now_us, PUBLISHER_RTT_US, seqs, NACKS_PER_PACKET);
        if (n <= 0) {
            continue;
        }
        int len = preamble(p, out);
        len = append(len, rtcp_nack_write(out + len, RTCP_ROOM - (size_t)len, p->rtcp_ssrc,
                                          src->ssrc, seqs, n));
        src->nacks_sent += (unsigned)n;
        p->router->n.tx_nack++;
        finish(p, b, out, len);
    }
    return true;
}

static bool send_plis(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    if (p->ingest->muted[MEDIA_VIDEO]) {
        return true; /* an answer would be dropped with the rest, and it be taken for deaf */
    }
    for (unsigned i = 0; i < p->ingest->n_sources; i++) {
        struct source *src = &p->ingest->sources[i];
        if (!src->ssrc || src->enc->track->kind != MEDIA_VIDEO) {
            continue;
        }
        uint8_t *out = tx_reserve(b);
        if (!out) {
            return false;
        }
        if (!keyframes_poll(&src->enc->keys, now_us, PUBLISHER_RTT_US)) {
            continue;
        }
        const struct api_codec *codec = &src->ml->codecs[0];
        int len = preamble(p, out);
        if (codec->pli) {
            len = append(len, rtcp_fb_pli_write(out + len, RTCP_ROOM - (size_t)len, p->rtcp_ssrc,
                                                src->ssrc));
        } else {
            struct rtcp_fb_fir fir = {.ssrc = src->ssrc, .seq8 = (uint8_t)src->plis_sent};
            len = append(
                len, rtcp_fb_fir_write(out + len, RTCP_ROOM - (size_t)len, p->rtcp_ssrc, &fir, 1));
        }
        src->plis_sent++;
        p->router->n.tx_pli++;
        finish(p, b, out, len);
    }
    return true;
}

static bool send_twcc(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    struct ingest *in = p->ingest;
    uint32_t media_ssrc = in->n_bindings ? in->bindings[0].ssrc : 0;
    while (in->has_twcc && twcc_recv_next_deadline(&in->twcc) <= now_us) {
        uint8_t *out = tx_reserve(b);
        if (!out) {
            return false;
        }
        int len = preamble(p, out);
        int fb = twcc_recv_poll(&in->twcc, now_us, p->rtcp_ssrc, media_ssrc, out + len,
                                RTCP_ROOM - (size_t)len);
        if (fb <= 0) {
            break;
        }
        finish(p, b, out, append(len, fb));
    }
    return true;
}

/* A REMB for every video SSRC of the publisher, where it has nothing better. */
static bool send_remb(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    struct ingest *in = p->ingest;
    if (!in->has_remb || in->has_twcc || remb_recv_next_deadline(&in->remb) > now_us) {
        return true;
    }
    uint8_t *out = tx_reserve(b);
    if (!out) {
        return false;
    }
    uint32_t ssrcs[INGEST_SOURCES];
    int n = 0;
    uint64_t expected = 0;
    int64_t lost = 0;
    for (unsigned i = 0; i < in->n_sources; i++) {
        const struct source *src = &in->sources[i];
        expected += recv_stats_expected(&src->stats);
        lost += recv_stats_lost(&src->stats);
        if (src->ssrc && src->enc->track->kind == MEDIA_VIDEO) {
            ssrcs[n++] = src->ssrc;
        }
    }
    int64_t bps = remb_recv_poll(&in->remb, now_us, expected, lost);
    if (bps <= 0 || n == 0) {
        return true;
    }
    int len = preamble(p, out);
    finish(p, b, out,
           append(len, rtcp_remb_write(out + len, RTCP_ROOM - (size_t)len, p->rtcp_ssrc,
                                       (uint64_t)bps, ssrcs, n)));
    return true;
}

static bool report_due(const struct source *src, int64_t now_us)
{
    return src->ssrc && now_us - src->last_report_us >= REPORT_US;
}

static bool send_receiver_report(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    struct ingest *in = p->ingest;
    struct rtcp_report rr = {.ssrc = p->rtcp_ssrc};
    uint8_t *out = tx_reserve(b);
    if (!out) {
        return false;
    }
    for (unsigned i = 0; i < in->n_sources && rr.n_blocks < RTCP_REPORT_BLOCKS_MAX; i++) {
        struct source *src = &in->sources[i];
        if (report_due(src, now_us)) {
            if (recv_stats_report(&src->stats, now_us, &rr.blocks[rr.n_blocks])) {
                rr.n_blocks++;
            }
            src->last_report_us = now_us;
        }
    }
    if (!rr.n_blocks) {
        return true;
    }
    int len = rtcp_sr_write(out, RTCP_ROOM, &rr);
    len = append(len, rtcp_sdes_write_cname(out + len, RTCP_ROOM - (size_t)len, p->rtcp_ssrc,
                                            p->session->cname));
    finish(p, b, out, len);
    return true;
}

bool ingest_due(const struct peer *p, int64_t now_us)
{
    const struct ingest *in = p->ingest;
    if (in->has_twcc && twcc_recv_next_deadline(&in->twcc) <= now_us) {
        return true;
    }
    if (in->has_remb && !in->has_twcc && remb_recv_next_deadline(&in->remb) <= now_us) {
        return true;
    }
    for (unsigned i = 0; i < in->n_sources; i++) {
        const struct source *src = &in->sources[i];
        const struct keyframes *k = &src->enc->keys;
        if (src->ssrc && (nack_next_deadline(&src->nack) <= now_us || report_due(src, now_us) ||
                          (k->wanted && !k->never && k->next_ask_us <= now_us))) {
            return true;
        }
    }
    return false;
}

bool ingest_feedback(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    return send_twcc(p, b, now_us) && send_nacks(p, b, now_us) && send_plis(p, b, now_us) &&
           send_remb(p, b, now_us) && send_receiver_report(p, b, now_us);
}

/* SR and SDES of every stream that this viewer gets, in one compound packet. */
static bool send_sender_reports(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    uint8_t *out = tx_reserve(b);
    if (!out) {
        return false;
    }
    int len = 0;
    for (unsigned i = 0; i < p->n_subs; i++) {
        struct sub *s = &p->subs[i];
        uint32_t ssrc = s->ml->ssrcs[0];
        struct rtcp_report sr = {.ssrc = ssrc, .is_sr = true};
        if (!sub_report(s, now_us, now_us + p->router->wall_offset_us, &sr.sender) ||
            (size_t)len + RTCP_SR_LEN(0) + 12 + API_CNAME_MAX > RTCP_ROOM) {
            continue;
        }
        len = append(len, rtcp_sr_write(out + len, RTCP_ROOM - (size_t)len, &sr));
        len = append(len, rtcp_sdes_write_cname(out + len, RTCP_ROOM - (size_t)len, ssrc,
                                                p->session->cname));
        if (len < 0) {
            return true;
        }
    }
    finish(p, b, out, len);
    return true;
}

bool peer_send_report(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    bool done = p->ingest ? ingest_feedback(p, b, now_us) : send_sender_reports(p, b, now_us);
    p->owes_report = !done;
    return done;
}
