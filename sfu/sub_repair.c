/* SPDX-License-Identifier: Apache-2.0 */
/* sub_repair.c - what a viewer is sent again: what it asked for, within a share of its rate, and
 * what fills a probe. */
#include <errno.h>

#include "rtp/bytes.h"
#include "rtp/seq.h"
#include "sfu/brain.h"
#include "sfu/router.h"
#include "sfu/sub_send.h"

/* What would have to wait so long for its share of repair is a reason for a key frame, so often. */
#define HOPELESS_US    (300 * US_PER_MS)
#define GAVE_UP_GAP_US US_PER_S
/* Repair may take this share of what the viewer is sent, so that NACKs of what was never lost cost
 * little. What was not used is saved up for so long, since losses come in bursts; packets of key
 * frames may use as much again in advance. */
#define REPAIR_PERCENT 15
/* Where repair comes out of the viewer's pace, the budget has room for it anyhow. */
#define REPAIR_PACED_PERCENT 40
#define REPAIR_SAVED_MS      250 /* of the whole rate */
#define REPAIR_BYTES_MIN     16000
#define REPAIR_PACED_MIN     4000
#define REPAIR_BPS_MIN       256000
#define TWICE_AT_ONCE        2  /* more that are missing together were lost in a burst */
#define REPAIR_HEAD          40 /* RTP header, extensions, OSN and tag, about */
/* Packets sent lately that fill a probe, in turn; padding is the most that one packet holds. */
#define FILLER_BACK 24
#define FILLER_PAD  255

/* The segment that number was sent in, NULL if that was too long ago or it never was. */
static const struct sub_segment *segment_of(const struct sub *s, uint64_t number)
{
    for (unsigned i = 0; i < s->seg_count; i++) {
        const struct sub_segment *g = &s->seg[(s->seg_top + SUB_SEGMENTS - i) % SUB_SEGMENTS];
        if (number >= g->out0) {
            return g;
        }
    }
    return NULL;
}

/* The encoding that has what was sent in segment g (NULL: in none that is known), NULL if it has
 * that no more: the source has begun anew, or is gone. */
static const struct encoding *source_of(const struct sub *s, const struct sub_segment *g)
{
    const struct encoding *e = g && s->track ? &s->track->enc[g->layer] : NULL;
    return e && e->open && e->hist.resets == g->resets ? e : NULL;
}

/* Takes a packet's length out of the viewer's share for repair; slot NULL: of one without a
 * payload. Returns false if the share is used up. */
static bool may_repair(struct sub *s, const struct hist_slot *slot, int64_t now_us)
{
    const struct brain *brain = s->peer->brain;
    uint32_t bps = MAX(s->bitrate_bps, (uint32_t)REPAIR_BPS_MIN);
    unsigned percent = REPAIR_PERCENT;
    if (brain->active) {
        bps = MIN(bps, brain->facts.capacity_bps); /* not of what was before a drop */
        percent = REPAIR_PACED_PERCENT;
    }
    int64_t bytes_per_s = bps / 8;
    int64_t most = MAX(bytes_per_s * REPAIR_SAVED_MS / 1000,
                       brain->active ? (int64_t)REPAIR_PACED_MIN : (int64_t)REPAIR_BYTES_MIN);
    int64_t since_us = MIN(now_us - s->rtx_filled_us, (int64_t)(10 * US_PER_S));
    int64_t least = slot && slot->desc.flags & DESC_KEYFRAME ? -most : 0;
    int64_t cost = (slot ? slot->payload_len : 0) + REPAIR_HEAD;
    s->rtx_tokens += since_us * bytes_per_s * percent / 100 / US_PER_S;
    s->rtx_tokens = MIN(s->rtx_tokens, most);
    s->rtx_filled_us = now_us;
    if (s->rtx_tokens - cost < least) {
        s->peer->router->n.tx_rtx_refused++;
        s->refused_us += cost * US_PER_S * 100 / (bytes_per_s * percent);
        return false;
    }
    s->rtx_tokens -= cost;
    return true;
}

/* A number whose packet is none of this viewer's, is gone with its source, or has not come and is
 * older than an entry point, so that nothing depends on it: an RTX packet without a payload tells a
 * receiver that nothing is missing (libwebrtc m125 takes it so), and it asks no more. */
static void fill_hole(struct sub *s, uint64_t number, uint8_t *out, struct tx_batch *b)
{
    struct rtp_header h = {
        .pt = s->enc ? s->rtx_pt[s->enc->codec] : 0,
        .seq16 = (uint16_t)s->rtx_out,
        .ts = s->last_ts_out,
        .ssrc = s->ml->rtx_ssrcs[0],
    };
    if (!h.pt || !s->rtx_ss) {
        return;
    }
    rtp_header_write(out, &h, false, false);
    out[RTP_HEADER_LEN] = (uint8_t)(number >> 8);
    out[RTP_HEADER_LEN + 1] = (uint8_t)number;
    int len = seal_rtp(s->peer->seal, s->rtx_ss, s->rtx_out, out, TX_PACKET_MAX, RTP_HEADER_LEN,
                       SUB_OSN_LEN, out, 0);
    if (len > 0) {
        s->rtx_out++;
        tx_commit(b, s->peer->id, &s->peer->path, (size_t)len, !s->peer->gso_off);
    }
}

/* Seals a packet that was sent before into out, as RTX where there is one. */
static void send_again(struct sub *s, struct out_packet *o, uint8_t *out, struct tx_batch *b,
                       int64_t now_us)
{
    bool rtx = s->rtx_pt[o->slot->codec] && s->rtx_ss;
    if (!sub_compose(s, o, rtx, now_us, out)) {
        return;
    }
    int len = rtx ? seal_rtp(s->peer->seal, s->rtx_ss, s->rtx_out, out, TX_PACKET_MAX, o->hdr_len,
                             o->head_len, o->body, o->body_len)
                  : seal_rtp_again(s->peer->seal, s->ss, o->number, out, TX_PACKET_MAX, o->hdr_len,
                                   o->head_len, o->body, o->body_len);
    if (len > 0) {
        s->rtx_out += rtx;
        s->rtx_packets++;
        s->peer->router->n.tx_rtx_packets++;
        brain_on_sent(s->peer->brain, (uint32_t)len, s->numbered, now_us);
        tx_commit(b, s->peer->id, &s->peer->path, (size_t)len, !s->peer->gso_off);
    }
}

/* Answers one NACK entry: as RTX, or byte-identical where the viewer has no RTX and the profile
 * allows it (architecture §3). */
static bool resend(struct sub *s, uint16_t seq16, struct tx_batch *b, int64_t now_us)
{
    struct out_packet o = {.number = seq_unwrap(s->last_out, seq16)};
    o.seg = segment_of(s, o.number);
    uint8_t *out = tx_reserve(b);
    if (!out) {
        return false;
    }
    if (o.number > s->last_out) {
        return true;
    }
    const struct encoding *e = source_of(s, o.seg);
    uint16_t rank = e ? (uint16_t)(o.seg->rank0 + (o.number - o.seg->out0)) : 0;
    o.slot = e ? history_find(&e->hist, o.seg->dt, rank) : NULL;
    bool never = !e || history_is_hole(&e->hist, o.seg->dt, rank) || o.number < s->entry_out;
    if (!o.slot && never) {
        if (may_repair(s, NULL, now_us)) {
            fill_hole(s, o.number, out, b);
        } else {
            s->resends[seq16 % SUB_RESENDS].count = 0;
        }
        return true;
    }
    if (o.number < s->repair_from) {
        return true; /* of a layer that the network did not carry: it would be in the way */
    }
    if (!o.slot || !s->nack[o.slot->codec] || (e == s->enc && o.slot->arrival >= s->cursor)) {
        /* Not here yet, or only just: it is forwarded when the publisher has repaired it, and may
         * be asked for again then. */
        s->resends[seq16 % SUB_RESENDS].count = 0;
        return true;
    }
    if (!may_repair(s, o.slot, now_us)) {
        s->resends[seq16 % SUB_RESENDS].count = 0; /* later, perhaps */
        return true;
    }
    send_again(s, &o, out, b, now_us);
    /* Where packets are lost one by one, so is repair: a second copy is cheaper than another round
     * trip. */
    if (s->nack_n <= TWICE_AT_ONCE && o.slot->desc.tid < s->peer->brain->twice && s->rtx_ss &&
        (out = tx_reserve(b)) && may_repair(s, o.slot, now_us)) {
        send_again(s, &o, out, b, now_us);
    }
    return true;
}

/* The packet that was sent as number, for sending it again. Returns false if it is gone. */
static bool sent_before(struct sub *s, uint64_t number, struct out_packet *ret)
{
    const struct sub_segment *g = segment_of(s, number);
    const struct encoding *e = source_of(s, g);
    if (!e || number > s->last_out) {
        return false;
    }
    *ret = (struct out_packet){.number = number, .seg = g};
    ret->slot = history_find(&e->hist, g->dt, (uint16_t)(g->rank0 + (number - g->out0)));
    return ret->slot && s->rtx_pt[ret->slot->codec] &&
           !(e == s->enc && ret->slot->arrival >= s->cursor);
}

/* Writes the head of a packet of padding. Returns its length, 0: not possible. */
static size_t compose_padding(struct sub *s, int64_t now_us, uint8_t *out)
{
    struct rtp_header h = {
        .pt = s->enc ? s->rtx_pt[s->enc->codec] : 0,
        .seq16 = (uint16_t)s->rtx_out,
        .ts = s->last_ts_out,
        .ssrc = s->ml->rtx_ssrcs[0],
    };
    int ext_len = sub_write_hop_ext(s, now_us, out + RTP_HEADER_LEN);
    if (!h.pt || ext_len < 0) {
        return 0;
    }
    rtp_header_write(out, &h, ext_len > 0, true);
    return RTP_HEADER_LEN + (size_t)ext_len;
}

int sub_send_filler(struct sub *s, struct tx_batch *b, int64_t now_us)
{
    static const uint8_t padding[FILLER_PAD] = {[FILLER_PAD - 1] = FILLER_PAD};
    struct out_packet o = {.body = padding, .body_len = FILLER_PAD};
    uint8_t *out = tx_reserve(b);
    if (!out) {
        return -ENOSPC;
    }
    uint64_t back = s->fillers++ % FILLER_BACK;
    if (!sent_before(s, s->last_out - back, &o) || !sub_compose(s, &o, true, now_us, out)) {
        o = (struct out_packet){.body = padding, .body_len = FILLER_PAD};
        o.hdr_len = compose_padding(s, now_us, out);
    }
    int len = o.hdr_len ? seal_rtp(s->peer->seal, s->rtx_ss, s->rtx_out, out, TX_PACKET_MAX,
                                   o.hdr_len, o.head_len, o.body, o.body_len)
                        : -1;
    if (len > 0) {
        s->rtx_out++;
        s->peer->router->n.tx_probe_packets++;
        brain_on_sent(s->peer->brain, (uint32_t)len, s->numbered, now_us);
        tx_commit(b, s->peer->id, &s->peer->path, (size_t)len, !s->peer->gso_off);
    }
    return MAX(len, 0);
}

bool sub_repair(struct sub *s, struct tx_batch *b, int64_t now_us)
{
    s->refused_us = 0;
    if (s->fleeing) {
        s->nack_n = 0; /* a cheaper layer is on its way, and repair of this one in its */
    }
    while (s->nack_n && !(s->paced && brain_is_dry(s->peer->brain))) {
        if (!resend(s, s->nack_queue[s->nack_first], b, now_us)) {
            return false;
        }
        s->nack_first = (uint8_t)((s->nack_first + 1) % SUB_NACK_QUEUE);
        s->nack_n--;
    }
    if (s->refused_us > HOPELESS_US && s->live && now_us - s->gave_up_us > GAVE_UP_GAP_US) {
        s->gave_up_us = now_us;
        router_want_key(s->peer->router, s->enc, true, now_us);
    }
    return true;
}
