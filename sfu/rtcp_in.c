/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp_in.c - what peers report: viewers' receiver reports, NACK, PLI, FIR, REMB; publishers'
 * sender reports and BYE. One handler a message type; a type nobody negotiated changes nothing. */
#include <string.h>

#include "rtp/demux.h"
#include "rtp/prefetch.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_fb.h"
#include "rtp/rtcp_nack.h"
#include "rtp/rtcp_remb.h"
#include "rtp/rtcp_sr.h"
#include "sfu/brain.h"
#include "sfu/ingest.h"
#include "sfu/peer.h"
#include "sfu/record.h"
#include "sfu/router.h"
#include "sfu/sub.h"

/* NACK entries honoured in one compound packet (SEC-66). */
#define NACK_ENTRIES_MAX 64
/* Key frame wishes of one viewer within ten seconds; more are counted and ignored
 * (media-brain 2.4). */
#define KEY_WISHES_MAX 3
#define KEY_WISHES_US  (10 * US_PER_S)
#define PREFETCH_STEPS 4

struct in {
    struct router *r;
    struct peer *p;
    int64_t now_us;
};

static struct sub *sub_by_ssrc(const struct peer *p, uint32_t ssrc)
{
    for (unsigned i = 0; i < p->n_subs; i++) {
        if (p->subs[i].ml->ssrcs[0] == ssrc) {
            return &p->subs[i];
        }
    }
    return NULL;
}

static struct source *source_by_ssrc(const struct peer *p, uint32_t ssrc)
{
    for (unsigned i = 0; i < p->ingest->n_sources; i++) {
        if (p->ingest->sources[i].ssrc == ssrc && ssrc) {
            return &p->ingest->sources[i];
        }
    }
    return NULL;
}

static int64_t wall_us(const struct in *in)
{
    return in->now_us + in->r->wall_offset_us;
}

/* The publisher's clock for one encoding; passed on to replicas. */
static void on_sender_info(struct in *in, uint32_t ssrc, const struct rtcp_sender_info *info)
{
    struct source *src = source_by_ssrc(in->p, ssrc);
    if (!src || !info->ntp) {
        return;
    }
    recv_stats_on_sr(&src->stats, info->ntp, in->now_us);
    struct encoding *e = src->enc;
    struct stream *st = e->track->stream;
    e->has_sr = true;
    e->sr_ntp = info->ntp;
    e->sr_ts = info->rtp_ts;
    int64_t src_us = (int64_t)(info->ntp >> 32) * US_PER_S +
                     (int64_t)(((info->ntp & 0xffffffff) * US_PER_S) >> 32);
    int64_t offset = wall_us(in) - src_us;
    /* The smallest offset is the report that waited least on its way; drift is followed slowly. */
    if (!st->has_clock || offset < st->ntp_offset_us || offset - st->ntp_offset_us > US_PER_S) {
        st->ntp_offset_us = offset;
        st->has_clock = true;
    } else {
        st->ntp_offset_us += (offset - st->ntp_offset_us) / 64;
    }
    for (uint64_t todo = st->wanted_by; todo; todo &= todo - 1) {
        int w = __builtin_ctzll(todo);
        if (record_put_report(in->r->p.to_worker[w], e)) {
            in->r->ring_wakes |= 1ULL << w;
        }
    }
}

static void on_report_block(struct in *in, const struct rtcp_report_block *b)
{
    struct sub *s = sub_by_ssrc(in->p, b->ssrc);
    if (!s) {
        return;
    }
    s->mid_done = true;
    s->lost = (uint32_t)MAX(b->lost, 0);
    if (s->track && s->track->clock_hz) {
        s->jitter_us = (uint32_t)((uint64_t)b->jitter * US_PER_S / s->track->clock_hz);
    }
    int64_t wall = wall_us(in);
    uint64_t ntp = ((uint64_t)(wall / US_PER_S + 2208988800LL) << 32) |
                   ((uint64_t)(wall % US_PER_S) << 32) / US_PER_S;
    int64_t rtt = b->lsr ? rtcp_sr_rtt_us(b, ntp) : -1;
    if (rtt >= 0 && rtt < 10 * US_PER_S) {
        s->rtt_us = s->rtt_us ? (uint32_t)((s->rtt_us * 7LL + rtt) / 8) : (uint32_t)rtt;
    }
    if (s->ml->kind == MEDIA_VIDEO) {
        brain_on_report(in->p, b->fraction_lost, s->rtt_us, in->now_us);
    }
    sub_on_loss(s, b->fraction_lost, in->now_us);
}

static bool on_sr(struct in *in, const struct rtcp_packet *pkt)
{
    struct rtcp_report rep;
    if (rtcp_sr_read(pkt, &rep)) {
        return false;
    }
    if (rep.is_sr && in->p->ingest && in->p->stream->local == in->p) {
        on_sender_info(in, rep.ssrc, &rep.sender);
    }
    for (unsigned i = 0; i < rep.n_blocks; i++) {
        on_report_block(in, &rep.blocks[i]);
    }
    return true;
}

static bool on_bye(struct in *in, const struct rtcp_packet *pkt)
{
    uint32_t ssrcs[RTCP_FB_BYE_MAX];
    int n = rtcp_fb_bye_read(pkt, ssrcs, RTCP_FB_BYE_MAX);
    for (int i = 0; i < n && in->p->ingest && in->p->stream->local == in->p; i++) {
        ingest_on_bye(in->p, ssrcs[i]);
    }
    return n >= 0;
}

static void wish_key(struct in *in, uint32_t ssrc, bool fir)
{
    struct sub *s = sub_by_ssrc(in->p, ssrc);
    if (!s || !s->enc) {
        return;
    }
    s->plis += !fir;
    s->firs += fir;
    if (in->now_us - s->wishes_since_us > KEY_WISHES_US) {
        s->wishes_since_us = in->now_us;
        s->wishes = 0;
    }
    if (s->wishes++ < KEY_WISHES_MAX) {
        sub_on_key_wish(s, in->now_us);
    }
}

static bool on_psfb(struct in *in, const struct rtcp_packet *pkt)
{
    if (pkt->count == RTCP_PSFB_PLI) {
        uint32_t ssrc;
        if (rtcp_fb_pli_read(pkt, &ssrc)) {
            return false;
        }
        in->r->n.rx_pli++;
        wish_key(in, ssrc, false);
    } else if (pkt->count == RTCP_PSFB_FIR) {
        struct rtcp_fb_fir items[8];
        int n = rtcp_fb_fir_read(pkt, items, ARRAY_LEN(items));
        if (n < 0) {
            return false;
        }
        in->r->n.rx_fir++;
        for (int i = 0; i < n; i++) {
            wish_key(in, items[i].ssrc, true);
        }
    } else if (pkt->count == RTCP_PSFB_REMB) {
        struct rtcp_remb remb;
        if (rtcp_remb_read(pkt, &remb) == 0 && in->p->n_subs) {
            in->p->remb_bps = (uint32_t)MIN(remb.bps, (uint64_t)UINT32_MAX);
            brain_on_remb(in->p, remb.bps, in->now_us);
        }
    }
    return true;
}

static bool on_rtpfb(struct in *in, const struct rtcp_packet *pkt)
{
    if (pkt->count == RTCP_RTPFB_TWCC) {
        return brain_on_twcc(in->p, pkt, in->now_us);
    }
    if (pkt->count != RTCP_RTPFB_NACK) {
        return true;
    }
    struct rtcp_nack nack;
    if (rtcp_nack_read(pkt, &nack)) {
        return false;
    }
    in->r->n.rx_nack++;
    struct sub *s = sub_by_ssrc(in->p, nack.media_ssrc);
    uint16_t seq16;
    for (int n = 0; s && n < NACK_ENTRIES_MAX && rtcp_nack_next(&nack, &seq16); n++) {
        s->nacks++;
        sub_on_nack(s, seq16, in->now_us);
    }
    if (s && s->nack_n) {
        router_owe(in->r, in->p);
    }
    return true;
}

/* Step by step: what one has fetched of a viewer holds the pointers that the next one follows. */
static void prefetch_reporter(const struct peer *p, unsigned step)
{
    const struct brain *b = p->brain;
    if (step == 0) {
        prefetch_bytes(p, offsetof(struct peer, wheel));
        return;
    }
    link_prefetch(p->link, step - 1);
    if (b && step == 1) {
        prefetch_bytes(b, PREFETCH_LINE);
    } else if (b) {
        bwe_prefetch(b->bwe, step - 2);
    }
}

void router_prefetch_reports(const struct router *r, const struct udp_in *in, int n)
{
    const struct peer *p[ROUTER_AHEAD];
    int found = 0;
    for (int i = 0; i < n; i++) {
        if (demux_classify(in[i].buf, in[i].len) == DEMUX_RTCP) {
            router_prefetch_addr(r, &in[i].from.remote);
        }
    }
    for (int i = 0; i < n; i++) {
        bool report = demux_classify(in[i].buf, in[i].len) == DEMUX_RTCP;
        p[found] = report ? router_peer_by_addr(r, &in[i].from.remote) : NULL;
        found += p[found] != NULL;
    }
    for (unsigned step = 0; step < PREFETCH_STEPS; step++) {
        for (int i = 0; i < found; i++) {
            prefetch_reporter(p[i], step);
        }
    }
}

void router_on_rtcp(struct router *r, struct peer *p, const uint8_t *pkt, size_t len,
                    int64_t now_us)
{
    struct in in = {.r = r, .p = p, .now_us = now_us};
    struct rtcp_walk walk;
    rtcp_walk_init(&walk, pkt, len);
    r->n.rx_rtcp_packets++;
    struct rtcp_packet one;
    int more;
    while ((more = rtcp_walk_next(&walk, &one)) == 1) {
        bool ok = true;
        if (one.type == RTCP_SR || one.type == RTCP_RR) {
            ok = on_sr(&in, &one);
        } else if (one.type == RTCP_BYE) {
            ok = on_bye(&in, &one);
        } else if (one.type == RTCP_PSFB) {
            ok = on_psfb(&in, &one);
        } else if (one.type == RTCP_RTPFB) {
            ok = on_rtpfb(&in, &one);
        }
        r->n.drop_bad_rtcp += !ok;
    }
    r->n.drop_bad_rtcp += more < 0;
}
