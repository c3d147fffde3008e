/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/preface.h"

#include <stdlib.h>

#include "sfu/ingest.h"
#include "sfu/router.h"

/* What came so long before a place belongs to a numbering that has ended. */
#define PLACE_REACH 8192
/* Packets of one picture before its first slice: delimiter, SEI. */
#define PRELUDE_MAX 8

struct preface *preface_new(enum codec_id codec, const char *fmtp)
{
    struct preface *f = calloc(1, sizeof(*f));
    if (f) {
        f->codec = codec;
        params_keep_fmtp(&f->params, codec, fmtp);
    }
    return f;
}

static uint64_t number_of(const struct preface *f, uint64_t seq)
{
    uint64_t n = seq + f->added;
    for (unsigned i = 0; i < MIN(f->added, (uint64_t)PREFACE_PLACES); i++) {
        n -= seq < f->places[i] && f->places[i] - seq < PLACE_REACH;
    }
    return n;
}

/* True when all that came of the picture before *in is there: its own sets are not merely late. */
static bool is_whole_before(const struct history *h, const struct hist_in *in)
{
    if (h->top_seq == HIST_NO_SEQ) {
        return true;
    }
    for (uint64_t seq = in->seq - 1; in->seq - seq <= PRELUDE_MAX; seq--) {
        const struct hist_slot *slot = history_at(h, seq);
        if (!slot || slot->ts != in->ts) {
            return slot != NULL;
        }
    }
    return false;
}

void preface_apply(struct router *r, struct source *src, struct hist_in *in, struct pkt_desc *desc)
{
    struct preface *f = src->preface;
    if (in->codec != f->codec) { /* one of several that the publisher may send */
        f->params.n = 0;
        f->params.used = 0;
        f->codec = in->codec;
    }
    uint64_t sent_as = in->seq;
    in->seq = number_of(f, sent_as);
    const struct history *h = &src->enc->hist;
    bool own = params_keep(&f->params, in->codec, in->payload, in->payload_len);
    bool late = h->top_seq != HIST_NO_SEQ && in->seq <= h->top_seq;
    if (own || late || !(desc->flags & DESC_ENTRY) || src->enc->map.n_dd ||
        !is_whole_before(h, in)) {
        return;
    }
    uint8_t sets[PARAMS_BYTES_MAX + 4 * PARAMS_SETS_MAX];
    struct hist_in first = *in;
    struct pkt_desc first_desc = *desc;
    first.desc = &first_desc;
    first.marker = false;
    first.ext_len = 0;
    first.payload = sets;
    first.payload_len = params_write(&f->params, in->codec, sets, sizeof(sets));
    first_desc.flags &= (uint8_t)~DESC_FRAME_END;
    f->missed += !first.payload_len;
    if (!first.payload_len || !route_put(r, src->enc, &first)) {
        return;
    }
    r->n.prefaces++;
    f->places[f->added++ % PREFACE_PLACES] = sent_as;
    in->seq++;
    desc->flags &= (uint8_t) ~(DESC_ENTRY | DESC_FRAME_START);
    desc->sw_mask = 0;
    desc->tsw_mask = 0;
}
