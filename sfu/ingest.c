/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/ingest.h"

#include <stdlib.h>
#include <string.h>

#include "rtp/ext.h"
#include "rtp/header.h"
#include "sfu/peer.h"
#include "sfu/router.h"

/* The cap allows bursts: key frames come at many times the mean rate. */
#define CAP_BURST_US (2 * US_PER_S)
/* How long an SSRC that a source has left cannot come back. */
#define LEFT_US (2 * US_PER_S)
/* What a REMB never goes below, and what it may say where no cap is set. */
#define REMB_FLOOR_BPS 150000
#define REMB_CAP_BPS   50000000

static struct source *add_source(struct ingest *in, struct encoding *e, const struct api_mline *ml)
{
    struct source *src = &in->sources[in->n_sources++];
    src->enc = e;
    src->ml = ml;
    nack_init(&src->nack);
    return src;
}

static void bind_ssrc(struct ingest *in, uint32_t ssrc, struct source *src, bool rtx)
{
    if (ssrc == 0 || in->n_bindings == INGEST_BINDINGS) {
        return;
    }
    in->bindings[in->n_bindings++] = (struct binding){.ssrc = ssrc, .rtx = rtx, .src = src};
    if (!rtx) {
        src->ssrc = ssrc;
        recv_stats_init(&src->stats, ssrc);
    }
}

/* A source's stream begins, or begins anew. */
static void start_over(struct source *src)
{
    encoding_restart(src->enc);
    if (src->preface) {
        src->preface->added = 0;
    }
    if (src->no_keys) {
        keyframes_give_up(&src->enc->keys);
    } else if (src->adapts) {
        keyframes_trust(&src->enc->keys);
    }
}

/* Tracks, layers and announced SSRCs of one media section. */
static bool add_mline(struct ingest *in, const struct peer *p, const struct api_mline *ml,
                      uint8_t index)
{
    struct stream *st = p->stream;
    const struct api_codec *codec = &ml->codecs[0];
    uint8_t layers = MAX(ml->n_rids, (uint8_t)1);
    struct track *t = track_open(st, index, ml->kind, layers);
    if (!t) {
        return false;
    }
    t->best = -1;
    for (uint8_t i = 0; i < layers; i++) {
        memcpy(t->rids[i], ml->rids[i], sizeof(t->rids[i]));
        t->enc[i].publisher = p->id;
        struct source *src = add_source(in, &t->enc[i], ml);
        src->no_keys = p->session->quirks & API_QUIRK_NO_PLI || (!codec->pli && !codec->fir);
        src->adapts = codec->twcc && ml->ext.id[EXT_TWCC];
        start_over(src);
        for (unsigned k = 0; k < ml->n_codecs && !src->preface; k++) {
            if (params_has(ml->codecs[k].id)) {
                src->preface = preface_new(ml->codecs[k].id, p->session->sprop);
            }
        }
    }
    unsigned n_bound = ml->by_ssrc ? layers : ml->n_rids == 0 ? MIN(ml->n_ssrcs, 1U) : 0;
    for (unsigned i = 0; i < n_bound; i++) {
        struct source *src = &in->sources[in->n_sources - layers + i];
        bind_ssrc(in, ml->ssrcs[i], src, false);
        bind_ssrc(in, ml->rtx_ssrcs[i], src, true);
    }
    for (unsigned i = 0; i < ml->n_codecs; i++) {
        in->has_twcc |= ml->codecs[i].twcc && ml->ext.id[EXT_TWCC];
        in->has_remb |= ml->codecs[i].remb;
    }
    in->rsize |= ml->rsize;
    return true;
}

struct ingest *ingest_new(struct peer *p, int64_t now_us)
{
    struct ingest *in = calloc(1, sizeof(*in));
    if (!in) {
        return NULL;
    }
    in->sources = calloc(INGEST_SOURCES, sizeof(*in->sources));
    bool ok = in->sources;
    /* Audio tracks have even indices, video tracks odd ones, whatever the order of sections: a
     * publisher that returns as another client finds its viewers. */
    uint8_t next[2] = {[MEDIA_AUDIO] = 0, [MEDIA_VIDEO] = 1};
    for (uint8_t i = 0; ok && i < p->session->n_mlines; i++) {
        const struct api_mline *ml = &p->session->mlines[i];
        p->flows |= 1U << ml->kind;
        ok = add_mline(in, p, ml, next[ml->kind]);
        next[ml->kind] = (uint8_t)(next[ml->kind] + 2);
    }
    if (!ok) {
        ingest_free(in);
        return NULL;
    }
    twcc_recv_init(&in->twcc);
    int64_t cap_bps = p->session->max_kbps ? p->session->max_kbps * 1000LL : REMB_CAP_BPS;
    remb_recv_init(&in->remb, MIN((int64_t)REMB_FLOOR_BPS, cap_bps), cap_bps);
    in->cap_us = now_us - CAP_BURST_US; /* a full bucket */
    return in;
}

void ingest_free(struct ingest *in)
{
    if (in) {
        for (unsigned i = 0; i < in->n_sources; i++) {
            free(in->sources[i].preface);
        }
        free(in->sources);
        free(in);
    }
}

static struct binding *find(struct ingest *in, uint32_t ssrc)
{
    if (in->last && in->last->ssrc == ssrc) {
        return in->last;
    }
    for (unsigned i = 0; i < in->n_bindings; i++) {
        if (in->bindings[i].ssrc == ssrc) {
            in->last = &in->bindings[i];
            return in->last;
        }
    }
    return NULL;
}

static bool text_is(const struct ext_set *set, enum ext_kind kind, const char *text)
{
    return set->e[kind].len == strlen(text) &&
           memcmp(set->e[kind].data, text, set->e[kind].len) == 0;
}

/* What a payload type is in a section: 1 media, 2 RTX, 0 nothing. */
static int pt_role(const struct api_mline *ml, uint8_t pt)
{
    for (unsigned i = 0; i < ml->n_codecs; i++) {
        if (ml->codecs[i].pt == pt) {
            return 1;
        }
        if (ml->codecs[i].rtx_pt && ml->codecs[i].rtx_pt == pt) {
            return 2;
        }
    }
    return 0;
}

/* The layer of a section that the packet names by RID (or, for RTX, by the repaired RID); the only
 * one where there is no simulcast. An RID without a=rid in the answer is ignored (OBS always sends
 * "0"). */
static struct source *layer_of(struct ingest *in, const struct api_mline *ml,
                               const struct ext_set *set)
{
    for (unsigned i = 0; i < in->n_sources; i++) {
        struct source *src = &in->sources[i];
        if (src->ml != ml) {
            continue;
        }
        const char *rid = src->enc->track->rids[src->enc->index];
        if (!rid[0] || text_is(set, EXT_RID, rid) || text_is(set, EXT_RRID, rid)) {
            return src;
        }
    }
    return NULL;
}

/* An RTX stream that names nothing belongs to the only layer, or to the first one that has no RTX
 * stream yet (SRTP-17: Firefox). */
static struct source *unrepaired(struct ingest *in, const struct api_mline *ml)
{
    for (unsigned i = 0; i < in->n_sources; i++) {
        struct source *src = &in->sources[i];
        bool has_rtx = false;
        for (unsigned k = 0; k < in->n_bindings; k++) {
            has_rtx |= in->bindings[k].rtx && in->bindings[k].src == src;
        }
        if (src->ml == ml && src->ssrc && !has_rtx) {
            return src;
        }
    }
    return NULL;
}

/* The section a packet belongs to: by MID, else by a payload type that only one section has. */
static const struct api_mline *section_of(const struct peer *p, const struct rtp_header *hdr,
                                          const uint8_t *pkt, struct ext_set *ret_set)
{
    const struct api_mline *by_pt = NULL;
    unsigned matches = 0;
    bool named = false;
    for (unsigned i = 0; i < p->session->n_mlines; i++) {
        const struct api_mline *ml = &p->session->mlines[i];
        struct ext_set set;
        if (ext_read(hdr, pkt, &ml->ext, &set) == 0 && set.e[EXT_MID].data) {
            named = true;
            if (text_is(&set, EXT_MID, ml->mid)) {
                *ret_set = set;
                return ml;
            }
        }
        if (pt_role(ml, hdr->pt)) {
            by_pt = ml;
            *ret_set = set;
            matches++;
        }
    }
    return !named && matches == 1 ? by_pt : NULL; /* an unknown MID drops the packet */
}

static void unbind(struct ingest *in, struct binding *b)
{
    *b = in->bindings[--in->n_bindings];
    in->last = NULL;
}

/* The stream has gone over to a new SSRC (Firefox after a=inactive, a restarted encoder). Packets
 * of the old one that are still under way must not take it back: its binding stays for a while, to
 * nothing. */
static void rebind(struct ingest *in, struct source *src, int64_t now_us)
{
    for (unsigned i = 0; i < in->n_bindings;) {
        struct binding *b = &in->bindings[i];
        if (b->src == src && b->rtx) {
            unbind(in, b);
            continue;
        }
        if (b->src == src) {
            b->src = NULL;
            b->left_us = now_us;
        }
        i++;
    }
    in->last = NULL;
    nack_init(&src->nack);
    start_over(src);
}

/* Announced, but not the stream that is served: without layers that is the first. */
static bool is_spare(const struct api_mline *ml, uint32_t ssrc)
{
    for (unsigned i = 1; i < ml->n_ssrcs && !ml->by_ssrc; i++) {
        if (ml->ssrcs[i] == ssrc || ml->rtx_ssrcs[i] == ssrc) {
            return true;
        }
    }
    return false;
}

/* A packet of an SSRC that is not bound yet. */
static struct binding *bind_new(struct peer *p, const struct rtp_header *hdr, const uint8_t *pkt,
                                int64_t now_us)
{
    struct ingest *in = p->ingest;
    struct ext_set set = {0};
    const struct api_mline *ml = section_of(p, hdr, pkt, &set);
    int role = ml ? pt_role(ml, hdr->pt) : 0;
    if (!role || is_spare(ml, hdr->ssrc)) {
        return NULL;
    }
    struct source *src = layer_of(in, ml, &set);
    if (role == 2 && !ml->by_ssrc && (!src || (ml->n_rids && !set.e[EXT_RRID].data))) {
        src = unrepaired(in, ml);
    }
    if (!src) {
        return NULL;
    }
    if (role == 1 && src->ssrc) {
        rebind(in, src, now_us);
    }
    bind_ssrc(in, hdr->ssrc, src, role == 2);
    return find(in, hdr->ssrc);
}

struct binding *ingest_bind(struct peer *p, const struct rtp_header *hdr, const uint8_t *pkt,
                            int64_t now_us)
{
    struct binding *b = find(p->ingest, hdr->ssrc);
    if (b && b->src) {
        return b;
    }
    if (b && now_us - b->left_us < LEFT_US) {
        return NULL;
    }
    if (b) {
        unbind(p->ingest, b);
    }
    return bind_new(p, hdr, pkt, now_us);
}

bool ingest_admit(struct peer *p, size_t len, int64_t now_us)
{
    struct ingest *in = p->ingest;
    int64_t bytes_per_s = (int64_t)p->session->max_kbps * 125;
    if (bytes_per_s == 0) {
        return true;
    }
    in->cap_tokens += (now_us - in->cap_us) * bytes_per_s / US_PER_S;
    in->cap_tokens = MIN(in->cap_tokens, bytes_per_s * CAP_BURST_US / US_PER_S);
    in->cap_us = now_us;
    if (in->cap_tokens < (int64_t)len) {
        return false;
    }
    in->cap_tokens -= (int64_t)len;
    return true;
}

void ingest_on_bye(struct peer *p, uint32_t ssrc)
{
    struct binding *b = find(p->ingest, ssrc);
    if (b && b->src && !b->rtx) {
        b->src->enc->last_packet_us =
            INT64_MIN / 2; /* dead at the next tick: viewers go to a sibling */
    }
}

void ingest_mute(struct peer *p, bool audio, bool video, int64_t now_us)
{
    struct ingest *in = p->ingest;
    if (!in) {
        return;
    }
    const bool ends[2] = {[MEDIA_AUDIO] = in->muted[MEDIA_AUDIO] && !audio,
                          [MEDIA_VIDEO] = in->muted[MEDIA_VIDEO] && !video};
    in->muted[MEDIA_AUDIO] = audio;
    in->muted[MEDIA_VIDEO] = video;
    for (unsigned i = 0; i < in->n_sources; i++) {
        struct source *src = &in->sources[i];
        if (ends[src->ml->kind]) {
            start_over(src);
            router_want_key(p->router, src->enc, true, now_us);
        }
    }
}
