/* SPDX-License-Identifier: Apache-2.0 */
/* sub_send.h - what the files that send to a viewer's section say to each other: sub_send.c (the
 * packet path), sub_splice.c (going over to another source, layer or pace), sub_repair.c (what is
 * sent again), sub_red.c (audio with copies of what went before). Nobody else includes it. Role
 * MEDIA. */
#ifndef SFU_SUB_SEND_H
#define SFU_SUB_SEND_H

#include "sfu/peer.h"
#include "sfu/sub.h"

/* Original sequence number at the head of an RTX payload, bytes (RFC 4588 4). */
#define SUB_OSN_LEN 2
/* What is old is shown so many times as fast as it was taken. */
#define SUB_REPLAY_SPEED 32
/* Packets of before a replay's end may come so much later. */
#define SUB_REPLAY_STRAGGLERS 2048

/* One packet in the making. */
struct out_packet {
    const struct hist_slot *slot;
    const struct sub_segment *seg;
    uint64_t number;     /* extended sequence number on the media SSRC */
    const uint8_t *body; /* payload as stored, codec head and RED stripped off */
    size_t body_len;
    size_t hdr_len;  /* header and extensions written */
    size_t head_len; /* OSN and rewritten codec head written after them */
};

/* The target that is wanted at this moment: behind, the base of the spatial layer being sent,
 * unless a lower one is wanted anyway. */
static inline unsigned sub_goal(const struct sub *s)
{
    bool lower = s->dt_goal < s->enc->map.n_dt && s->enc->map.sid[s->dt_goal] < s->sid;
    return s->lagging && !lower ? s->dt_base : s->dt_goal;
}

/* Pictures before slot that a viewer of target dt has not got, where ids must not show it. */
static inline uint16_t sub_skipped(const struct sub *s, const struct hist_slot *slot, unsigned dt)
{
    return s->dense_ids ? slot->skip[dt % HISTORY_CUTS] : 0;
}

/* How long before the newest picture of a replay a slot is shown, when its source's clock says that
 * it is ago older; both in units of the RTP clock. */
static inline uint32_t sub_replay_age(uint32_t ago)
{
    return ago < 1U << 31 ? ago / SUB_REPLAY_SPEED : 0;
}

/* ---- sub_send.c ---- */

/* Writes header, extensions and codec head of o (slot, seg and number set) to out, TX_PACKET_MAX
 * bytes, and sets the rest of o. rtx: as a retransmission. Returns false if this viewer cannot take
 * the packet, which is counted. */
bool sub_compose(struct sub *s, struct out_packet *o, bool rtx, int64_t now_us, uint8_t *out);
/* Writes the extensions of a packet that has none of the publisher's. Returns bytes, 0 for none,
 * negative: they do not fit. */
int sub_write_hop_ext(const struct sub *s, int64_t now_us, uint8_t *out);

/* ---- sub_splice.c ---- */

/* Goes over to the wanted encoding if its entry point has come, and the rest of a frame begun
 * before is not there to be sent first. */
void sub_switch_if_due(struct sub *s);
/* Goes over to the wanted target if slot, the next to be sent, lets it, or to the one that does
 * meanwhile. Returns false for a late packet whose place among the targets of before is not known.
 */
bool sub_retarget(struct sub *s, const struct hist_slot *slot);
/* At the end of a replay, whose next packet is slot: it has caught up, or is still behind, since it
 * may be sent no faster; then the next stretch is a replay as well, from the next picture on. */
void sub_go_on_replaying(struct sub *s, const struct hist_slot *slot, int64_t now_us);

/* ---- sub_red.c ---- */

/* Fits audio of o (seg, slot, number, body set) to the viewer: RED that it cannot read becomes its
 * newest frame alone, and Opus gets copies of the frames before while s->copies says so. Writes
 * what stands before the body to out, counts it in o->head_len, and sets what the packet is now.
 * Returns false if the publisher's RED does not parse. On the packet path. */
bool sub_red_fit(struct sub *s, struct out_packet *o, uint8_t *out, enum codec_id *codec);
/* A report of this loss came: sets s->copies. */
void sub_red_on_loss(struct sub *s, uint32_t fraction_q8, int64_t now_us);

/* ---- sub_repair.c ---- */

/* Answers what was asked for again (RFC 4585 6.2.1). A viewer that misses more than its share for
 * repair covers soon would ask on in vain, and freeze for seconds before it asked for a key frame:
 * it gets that at once. Returns false when b is full. */
bool sub_repair(struct sub *s, struct tx_batch *b, int64_t now_us);

#endif
