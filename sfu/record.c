/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/record.h"

#include <string.h>

#include "sfu/ring.h"

static void fill_head(struct record *h, enum record_kind kind, const struct encoding *e)
{
    const struct track *t = e->track;
    *h = (struct record){
        .kind = kind,
        .track = t->index,
        .layer = e->index,
        .n_layers = t->n_enc,
        .media = t->kind,
        .stream = t->stream->id,
        .publisher = e->publisher,
        .epoch = e->epoch,
        .deaf = keyframes_in_vain(&e->keys),
        .dear = e->keys.dear,
    };
    memcpy(h->rid, t->rids[e->index], sizeof(h->rid));
}

bool record_put_packet(struct ring *ring, const struct encoding *e, const struct hist_in *in)
{
    struct record_packet *rec =
        ring_reserve(ring, (uint32_t)(sizeof(*rec) + in->ext_len + in->payload_len));
    if (!rec) {
        return false;
    }
    fill_head(&rec->head, RECORD_PACKET, e);
    rec->seq = in->seq;
    rec->arrival_us = in->arrival_us;
    rec->ts = in->ts;
    rec->codec = in->codec;
    rec->marker = in->marker;
    rec->ext_len = in->ext_len;
    rec->payload_len = (uint16_t)in->payload_len;
    rec->n_slots = e->hist.n_slots;
    rec->n_bytes = e->hist.n_bytes;
    rec->desc = *in->desc;
    rec->map = e->map;
    if (in->ext_len) {
        memcpy(rec->bytes, in->ext, in->ext_len);
    }
    if (in->payload_len) {
        memcpy(rec->bytes + in->ext_len, in->payload, in->payload_len);
    }
    (void)ring_commit(ring); /* the turn's end wakes every worker that was written to */
    return true;
}

bool record_put_report(struct ring *ring, const struct encoding *e)
{
    struct record_report *rec = ring_reserve(ring, sizeof(*rec));
    if (!rec) {
        return false;
    }
    fill_head(&rec->head, RECORD_REPORT, e);
    rec->ntp = e->sr_ntp;
    rec->ts = e->sr_ts;
    rec->ntp_offset_us = e->track->stream->ntp_offset_us;
    (void)ring_commit(ring);
    return true;
}

bool record_put_restart(struct ring *ring, const struct encoding *e)
{
    struct record *rec = ring_reserve(ring, sizeof(*rec));
    if (!rec) {
        return false;
    }
    fill_head(rec, RECORD_RESTART, e);
    (void)ring_commit(ring);
    return true;
}

bool record_put_datagram(struct ring *ring, const struct path *from, const uint8_t *buf, size_t len)
{
    struct record_datagram *rec = ring_reserve(ring, (uint32_t)(sizeof(*rec) + len));
    if (!rec) {
        return false;
    }
    rec->kind = RECORD_DATAGRAM;
    rec->len = (uint32_t)len;
    rec->from = *from;
    memcpy(rec->bytes, buf, len);
    (void)ring_commit(ring);
    return true;
}
