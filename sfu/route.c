/* SPDX-License-Identifier: Apache-2.0 */
/* route.c - the packet path: the publisher's half (router_on_rtp: bind, describe, store, copy to
 * the workers that have viewers) and the turn's second pass (router_fill: viewer by viewer). The
 * viewer's half is sub_send.c. No allocation but at a stream's first packet, no log, no lock, no
 * clock. */
#include <errno.h>
#include <string.h>

#include "rtp/ext.h"
#include "rtp/header.h"
#include "rtp/seq.h"
#include "sfu/ahead.h"
#include "sfu/brain.h"
#include "sfu/ingest.h"
#include "sfu/levels.h"
#include "sfu/peer.h"
#include "sfu/record.h"
#include "sfu/ring.h"
#include "sfu/router.h"
#include "sfu/sub.h"
#include "sfu/told.h"

/* One visit to a viewer sends at most this many packets, so that a key frame to many does not make
 * the last one wait for all. */
#define VISIT_PACKETS 16
/* On the walk over a track's viewers the one so many places ahead is fetched. */
#define AHEAD 6

/* Everyone on this worker who plays a track that got packets in this turn has something to send.
 * Once per turn and track, however many packets came. */
static void wake_subs(struct router *r, int64_t now_us)
{
    while (!list_empty(&r->dirty)) {
        struct track *t = container_of(r->dirty.next, struct track, dirty);
        bool changed = t->changed;
        list_remove(&t->dirty);
        t->changed = false;
        t->partial = 0;
        t->watchers = 0;
        struct sub *seen[AHEAD] = {0};
        LIST_EACH(it, &t->subs)
        {
            struct sub *s = container_of(it, struct sub, node);
            struct sub **before = &seen[t->watchers++ % AHEAD];
            prefetch_bytes(s->ahead, 2UL * PREFETCH_LINE); // may be NULL
            __builtin_prefetch(s->peer_ahead);
            if (*before && (*before)->ahead != s) {
                (*before)->ahead = s;
                (*before)->peer_ahead = &s->peer->pending;
            }
            *before = s;
            if (changed && (!s->enc || !s->live || (s->want && s->want != s->enc))) {
                sub_choose(s, now_us);
            }
            if (sub_owes(s)) {
                router_owe(r, s->peer);
            }
        }
    }
}

/* Stores a packet of e, from wherever it came, and wakes its viewers. Returns false if it was there
 * already. */
bool route_store(struct router *r, struct encoding *e, const struct hist_in *in)
{
    if (history_put(&e->hist, in)) {
        r->n.drop_late++;
        return false;
    }
    bool first = e->track->best < 0;
    if (first) {
        e->track->best = (int8_t)e->index; /* the next tick knows better */
    }
    e->last_packet_us = in->arrival_us;
    e->packets++;
    e->bytes += in->payload_len;
    e->window_bytes += in->payload_len;
    if (e->track->kind == MEDIA_VIDEO) {
        encoding_count(e, in);
    }
    if (in->desc->width) {
        e->width = in->desc->width;
        e->height = in->desc->height;
    }
    e->track->changed |= first || (in->desc->flags & DESC_ENTRY);
    bool ends = in->marker || (in->desc->flags & DESC_FRAME_END);
    e->track->partial = (uint8_t)((e->track->partial & ~(1U << e->index)) | (!ends << e->index));
    if (list_empty(&e->track->dirty)) {
        list_append(&r->dirty, &e->track->dirty);
    }
    return true;
}

/* Copies the packet once per worker that has viewers of the stream. */
static void replicate(struct router *r, const struct encoding *e, const struct hist_in *in)
{
    uint64_t todo = e->track->stream->wanted_by & ~e->feeding;
    while (todo) {
        int w = __builtin_ctzll(todo);
        todo &= todo - 1;
        if (record_put_packet(r->p.to_worker[w], e, in)) {
            r->ring_wakes |= 1ULL << w;
        } else {
            r->n.drop_ring++;
        }
    }
}

bool route_put(struct router *r, struct encoding *e, const struct hist_in *in)
{
    if (!route_store(r, e, in)) {
        return false;
    }
    replicate(r, e, in);
    return true;
}

/* The extensions that viewers may want, as {kind, len, data}. */
static uint8_t pick_exts(const struct ext_set *set, uint8_t out[INGEST_FORWARD_EXT_MAX])
{
    size_t n = 0;
    for (int k = 0; k < EXT_COUNT; k++) {
        if (!set->e[k].data || ext_info(k)->policy != EXT_FORWARD ||
            n + 2 + set->e[k].len > INGEST_FORWARD_EXT_MAX) {
            continue;
        }
        out[n] = (uint8_t)k;
        out[n + 1] = set->e[k].len;
        memcpy(out + n + 2, set->e[k].data, set->e[k].len);
        n += 2U + set->e[k].len;
    }
    return (uint8_t)n;
}

static const struct api_codec *codec_by_pt(const struct api_mline *ml, uint8_t pt, bool rtx)
{
    for (unsigned i = 0; i < ml->n_codecs; i++) {
        if ((rtx ? ml->codecs[i].rtx_pt : ml->codecs[i].pt) == pt) {
            return &ml->codecs[i];
        }
    }
    return NULL;
}

/* Undoes RFC 4588: after it hdr and payload are those of the lost packet; one without a payload
 * says that its number is nobody's. Returns false for probes, which carry nothing. */
static bool unwrap_rtx(struct source *src, const struct api_codec *codec, const uint8_t *pkt,
                       struct rtp_header *hdr)
{
    src->rtx_packets++;
    if (hdr->payload_len < 2 || !src->ssrc) {
        return false;
    }
    hdr->seq16 = (uint16_t)(pkt[hdr->payload_off] << 8 | pkt[hdr->payload_off + 1]);
    hdr->pt = codec->pt;
    hdr->ssrc = src->ssrc;
    hdr->payload_off += 2;
    hdr->payload_len -= 2;
    return true;
}

/* Loss statistics and NACK; returns the extended sequence number, 0 if it cannot be believed. */
static uint64_t account(struct router *r, struct source *src, const struct api_codec *codec,
                        const struct rtp_header *hdr, bool repaired, int64_t now_us)
{
    uint64_t seq = 0;
    if (!repaired) {
        seq = recv_stats_on_packet(&src->stats, hdr->seq16, hdr->ts,
                                   codec_info(codec->id)->clock_hz, now_us);
    } else if (src->stats.any) {
        seq = seq_unwrap(src->stats.highest, hdr->seq16);
        if (seq > src->stats.highest) {
            return 0; /* nobody can have asked for it */
        }
    }
    if (seq && codec->nack && nack_on_seq(&src->nack, seq, now_us) == -ERANGE) {
        router_want_key(r, src->enc, true,
                        now_us); /* too much is missing to ask for it piece by piece */
    }
    return seq;
}

/* What the publisher says of its layers, if this is its latest word. */
static void take_word(struct router *r, struct source *src, const struct ext_set *set, uint64_t seq,
                      int64_t now_us)
{
    const uint8_t *word = set->e[EXT_VLA].data;
    if (!word || seq < src->stats.highest) {
        return;
    }
    r->n.rx_layer_words++;
    if (told_on_packet(src->enc, word, set->e[EXT_VLA].len, now_us)) {
        r->n.bad_layer_words++;
    }
}

/* Describes and stores one media packet of src. */
static void take(struct router *r, struct source *src, const struct api_codec *codec,
                 const struct rtp_header *hdr, const uint8_t *pkt, const struct ext_set *set,
                 uint64_t seq, int64_t now_us)
{
    struct encoding *e = src->enc;
    if (encoding_open(e, codec->id == CODEC_RED ? CODEC_OPUS : codec->id)) {
        return;
    }
    e->desc.opaque = src->ml->opaque;
    struct pkt_desc desc = {0};
    const struct describe_in in = {
        .payload = pkt + hdr->payload_off,
        .len = hdr->payload_len,
        .ts = hdr->ts,
        .seq16 = hdr->seq16,
        .marker = hdr->marker,
        .dd = set->e[EXT_DD].data,
        .dd_len = set->e[EXT_DD].len,
    };
    if (hdr->payload_len && codec_describe(codec->id, &e->desc, &in, &desc)) {
        r->n.drop_bad_codec++;
        return;
    }
    if (e->track->kind == MEDIA_VIDEO && !(desc.flags & DESC_HAS_PIC_ID)) {
        desc.pic_id = encoding_frame_id(e, hdr->ts);
    }
    encoding_note_map(e);
    take_word(r, src, set, seq, now_us);
    if (set->e[EXT_CONTENT_TYPE].len) {
        e->map.screen = set->e[EXT_CONTENT_TYPE].data[0] & 1;
    }
    uint8_t exts[INGEST_FORWARD_EXT_MAX];
    struct hist_in stored = {
        .seq = seq,
        .ts = hdr->ts,
        .arrival_us = now_us,
        .marker = hdr->marker,
        .codec = codec->id,
        .map_gen = e->map.gen,
        .desc = &desc,
        .ext = exts,
        .ext_len = pick_exts(set, exts),
        .payload = in.payload,
        .payload_len = in.len,
    };
    bool entry = desc.flags & DESC_ENTRY;
    if (src->preface) {
        preface_apply(r, src, &stored, &desc);
    }
    if (!route_put(r, e, &stored)) {
        return;
    }
    if (e->track->kind == MEDIA_VIDEO) {
        keyframes_on_packet(&e->keys, (uint32_t)in.len, desc.flags & DESC_KEYFRAME);
    }
    if (set->e[EXT_AUDIO_LEVEL].len == 1) {
        levels_on_packet(e->track, *set->e[EXT_AUDIO_LEVEL].data, now_us);
    }
    if (e->track->kind == MEDIA_VIDEO && entry && !e->map.blind) {
        r->n.keyframes++;
        keyframes_on_key(&e->keys, now_us);
        for (uint8_t i = 0; i < e->track->n_enc; i++) {
            keyframes_on_sibling(&e->track->enc[i].keys, now_us);
        }
        nack_on_keyframe(&src->nack, seq);
    }
}

void router_on_rtp(struct router *r, struct peer *p, uint8_t *pkt, size_t len, int64_t now_us)
{
    struct rtp_header hdr;
    if (rtp_header_read(pkt, len, &hdr)) {
        r->n.drop_bad_rtp++;
        return;
    }
    if (!p->ingest) {
        r->n.drop_viewer_media++;
        return;
    }
    if (p->stream->local != p) {
        r->n.drop_late++; /* another has taken over; this session is about to end */
        return;
    }
    struct binding *b = ingest_bind(p, &hdr, pkt, now_us);
    if (!b) {
        r->n.drop_unknown_ssrc++;
        return;
    }
    struct source *src = b->src;
    const struct api_codec *codec = codec_by_pt(src->ml, hdr.pt, b->rtx);
    if (!codec) {
        r->n.drop_bad_pt++;
        return;
    }
    struct ext_set set;
    if (ext_read(&hdr, pkt, &src->ml->ext, &set)) {
        r->n.drop_bad_rtp++;
        return;
    }
    r->n.rx_rtp_packets++;
    r->n.rx_rtp_bytes += len;
    p->ingest->window_bytes += len;
    remb_recv_on_packet(&p->ingest->remb, len, now_us);
    if (!ingest_admit(p, len, now_us)) {
        r->n.drop_rate++;
        return; /* not reported as received either: the sender's estimate sees a loss */
    }
    if (set.e[EXT_TWCC].len == 2) {
        const uint8_t *v = set.e[EXT_TWCC].data;
        twcc_recv_on_packet(&p->ingest->twcc, (uint16_t)(v[0] << 8 | v[1]), now_us);
    }
    if (b->rtx && !unwrap_rtx(src, codec, pkt, &hdr)) {
        return;
    }
    src->packets += !b->rtx;
    src->bytes += len;
    uint64_t seq = account(r, src, codec, &hdr, b->rtx, now_us);
    if (!seq) {
        r->n.drop_late++;
        return;
    }
    peer_on_media(p, now_us);
    if (p->ingest->muted[src->ml->kind]) {
        r->n.drop_muted++;
        return;
    }
    take(r, src, codec, &hdr, pkt, &set, seq, now_us);
}

bool router_fill(struct router *r, struct tx_batch *b, int64_t now_us)
{
    wake_subs(r, now_us);
    bool full = false;
    struct ahead ahead;
    ahead_begin(&ahead, &r->pending, offsetof(struct peer, pending));
    while (!full && !list_empty(&r->pending)) {
        struct peer *p = container_of(r->pending.next, struct peer, pending);
        ahead_next(&ahead, AHEAD_STEPS);
        list_remove(&p->pending);
        full = !peer_fill(p, b, now_us);
        if (full) {
            list_append(&r->pending, &p->pending);
        }
    }
    seal_flush();
    return full;
}

/* p is visited again: at once if it is owed more, or when it may have more. */
static void owe_more(struct peer *p, bool more)
{
    const struct brain *b = p->brain;
    if (b && (b->probe.cluster || (b->pace_Bps && more && (brain_is_dry(b) || b->full)))) {
        if (list_empty(&p->paced)) {
            list_append(&p->router->paced, &p->paced);
        }
    } else if (more) {
        router_owe(p->router, p);
    }
}

bool peer_fill(struct peer *p, struct tx_batch *b, int64_t now_us)
{
    if (p->owes_link && !peer_send_link(p, b)) {
        return false;
    }
    if (!p->seal || !p->has_path || p->silent || p->ending) {
        return true;
    }
    bool more = false;
    if (p->brain && !brain_fill_probe(p, b, now_us)) {
        return false;
    }
    for (unsigned i = p->n_subs; i-- > 0;) { /* audio last: it fits the end of a run of video */
        struct sub *s = &p->subs[i];
        if (!sub_owes(s)) {
            s->lagging = false;
            continue;
        }
        if (!sub_fill(s, b, now_us, VISIT_PACKETS)) {
            return false;
        }
        more |= sub_owes(s);
    }
    if (p->owes_report && !peer_send_report(p, b, now_us)) {
        return false;
    }
    owe_more(p, more);
    return true;
}
