/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rtp/codec_ops.h"
#include "rtp/dd.h"

static bool target_before(const struct dd_structure *s, unsigned a, unsigned b)
{
    if (s->target_sid[a] != s->target_sid[b]) {
        return s->target_sid[a] > s->target_sid[b];
    }
    return s->target_tid[a] > s->target_tid[b];
}

/* The structure's targets, best first; of several with the same layers only the first stays. */
static unsigned sort_targets(const struct dd_structure *s, uint8_t order[DD_TARGETS_MAX])
{
    unsigned n = 0;
    for (unsigned t = 0; t < s->n_targets; t++) {
        unsigned at = 0;
        while (at < n && target_before(s, order[at], t)) {
            at++;
        }
        if (at < n && !target_before(s, t, order[at])) {
            continue;
        }
        memmove(order + at + 1, order + at, n - at);
        order[at] = (uint8_t)t;
        n++;
    }
    return n;
}

/* True when a target contains every frame, so that it is "everything". */
static bool has_all_frames(const struct dd_structure *s, unsigned t)
{
    for (unsigned i = 0; i < s->n_templates; i++) {
        if (!(s->templ[i].dtis.present >> t & 1)) {
            return false;
        }
    }
    return true;
}

static void add_target(struct describe *d, unsigned t)
{
    const struct dd_structure *s = &d->dd->structure;
    d->dt_sid[d->n_dt] = s->target_sid[t];
    d->dt_tid[d->n_dt] = s->target_tid[t];
    d->dt_dd[d->n_dt] = (uint8_t)t;
    d->n_dt++;
}

/* Takes the targets of the structure in force. */
static void layers_from_dd(struct describe *d)
{
    const struct dd_structure *s = &d->dd->structure;
    uint8_t order[DD_TARGETS_MAX];
    unsigned n = sort_targets(s, order);
    d->from_dd = true;
    d->n_sid = s->n_sid;
    d->n_tid = s->n_tid;
    d->dt_sid[0] = (uint8_t)(s->n_sid - 1);
    d->dt_tid[0] = (uint8_t)(s->n_tid - 1);
    d->dt_dd[0] = DT_NO_DD;
    d->n_dt = 1;
    unsigned from = 0;
    if (has_all_frames(s, order[0])) {
        d->dt_dd[0] = order[0];
        from = s->n_sid == 1 ? 1 : 0;
    }
    unsigned room = DT_MAX - 1;
    unsigned cuts = n - from <= room ? room : MAX(room / s->n_sid, 1U);
    for (unsigned i = from, run = 0; i < n && d->n_dt < DT_MAX; i++) {
        run = i > from && s->target_sid[order[i]] == s->target_sid[order[i - 1]] ? run + 1 : 0;
        if (run < cuts) {
            add_target(d, order[i]);
        }
    }
}

/* Bits of our targets among the decode targets in `targets`. */
static unsigned map_targets(const struct describe *d, uint32_t targets)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < d->n_dt; i++) {
        bool in = d->dt_dd[i] != DT_NO_DD && targets >> d->dt_dd[i] & 1;
        mask |= in ? 1U << i : 0;
    }
    return mask;
}

static void remember(struct dd_state *s, const struct describe_in *in, const struct dd_frame *f)
{
    if (!s->tu_any || s->tu_ts != in->ts) {
        s->tu_any = true;
        s->tu_ts = in->ts;
        s->tu_first = f->number;
    }
    unsigned i = f->number % DD_RECENT;
    s->recent[i].number = f->number;
    s->recent[i].tid = f->tid;
    s->recent[i].seen = true;
}

/* True when everything the frame refers to is known to be of the temporal base layer, which every
 * receiver has. */
static bool needs_base_only(const struct dd_state *s, const struct dd_frame *f)
{
    for (unsigned i = 0; i < f->n_fdiffs; i++) {
        uint16_t number = (uint16_t)(f->number - f->fdiff[i]);
        unsigned at = number % DD_RECENT;
        if (!s->recent[at].seen || s->recent[at].number != number || s->recent[at].tid != 0) {
            return false;
        }
    }
    return true;
}

/* True when the frame refers to frames of its own picture only. */
static bool needs_own_picture_only(const struct dd_state *s, const struct dd_frame *f)
{
    uint16_t into = (uint16_t)(f->number - s->tu_first);
    for (unsigned i = 0; i < f->n_fdiffs; i++) {
        if (f->fdiff[i] > into) {
            return false;
        }
    }
    return true;
}

/* A switch indication holds for receivers that can decode the frame. These bits are for those that
 * cannot ask: they must be true for a receiver of any smaller target. */
static void apply_switches(struct describe *d, const struct dd_frame *f, struct pkt_desc *desc)
{
    const struct dd_state *s = d->dd;
    unsigned sw = 0, tsw = 0;
    bool first = f->number == s->tu_first && f->sid == 0;
    unsigned open = map_targets(d, f->dtis.switchable);
    if (first && needs_base_only(s, f)) {
        /* Upper spatial layers of a picture keep step with the lowest one: where a target of the
         * lowest layer opens, so do those of the same temporal layer above it. */
        for (unsigned i = 0; i < d->n_dt; i++) {
            tsw |= d->dt_sid[i] == 0 && open >> i & 1
                       ? codec_tid_mask(d, d->dt_tid[i], d->dt_tid[i])
                       : 0;
        }
        /* Everything is more than the frames of any target: nobody can be sure to have its past. */
        tsw &= d->dt_dd[0] == DT_NO_DD ? ~1U : ~0U;
        sw = d->n_sid == 1 ? tsw : 0;
    } else if (f->sid > 0 &&
               (f->n_fdiffs == 0 || (f->sid == 1 && f->tid == 0 && needs_own_picture_only(s, f)))) {
        sw = open;
    }
    desc->sw_mask = (uint16_t)sw;
    desc->tsw_mask = (uint16_t)(sw | tsw);
}

static uint8_t frame_flags(const struct describe *d, const struct dd_frame *f)
{
    unsigned flags = (f->start ? DESC_FRAME_START : 0) | (f->end ? DESC_FRAME_END : 0);
    uint32_t present = f->dtis.present;
    if (d->from_dd && present && present == f->dtis.discardable) {
        flags |= DESC_DISCARDABLE;
    }
    return (uint8_t)flags;
}

/* The size of the largest layer that is being sent, if the structure tells. */
static void read_size(const struct dd_state *s, struct pkt_desc *desc)
{
    const struct dd_structure *st = &s->structure;
    unsigned top = 0;
    for (unsigned t = 0; t < st->n_targets; t++) {
        top = s->active_targets >> t & 1 ? MAX(top, st->target_sid[t]) : top;
    }
    if (st->has_resolutions && st->width[top] <= UINT16_MAX && st->height[top] <= UINT16_MAX) {
        desc->width = (uint16_t)st->width[top];
        desc->height = (uint16_t)st->height[top];
    }
}

void codec_dd_apply(struct describe *d, const struct describe_in *in, const struct dd_frame *f,
                    struct pkt_desc *desc)
{
    if (f->structure || !d->from_dd) {
        layers_from_dd(d);
    }
    remember(d->dd, in, f);
    d->active_mask =
        (uint16_t)(map_targets(d, d->dd->active_targets) | 1 | (DT_ALL & ~((1U << d->n_dt) - 1)));
    desc->sid = f->sid;
    desc->tid = f->tid;
    desc->dt_mask =
        (uint16_t)(map_targets(d, f->dtis.present) | 1 | (DT_ALL & ~((1U << d->n_dt) - 1)));
    bool entry = desc->flags & DESC_ENTRY;
    if (f->structure && f->start && f->n_fdiffs == 0) {
        entry = true;
        codec_note_key(d, in);
    }
    desc->sw_mask = 0;
    desc->tsw_mask = 0;
    if (entry) {
        desc->sw_mask = desc->tsw_mask = DT_ALL;
    } else if (f->start) {
        apply_switches(d, f, desc);
    }
    unsigned keep = desc->flags & ~(unsigned)(DESC_FRAME_START | DESC_FRAME_END | DESC_DISCARDABLE);
    desc->flags = (uint8_t)(keep | frame_flags(d, f) | (entry ? DESC_ENTRY | DESC_KEYFRAME : 0) |
                            (codec_in_key(d, in) ? DESC_KEYFRAME : 0));
    if (entry && desc->width == 0) {
        read_size(d->dd, desc);
    }
}
