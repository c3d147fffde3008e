/* SPDX-License-Identifier: Apache-2.0 */
/* sub_red.c - audio in RED (RFC 2198): the publisher's where the viewer reads it, and copies of the
 * frames before for a viewer whose way loses packets: what was lost is there with the next one,
 * with no round trip. */
#include "rtp/red.h"
#include "sfu/brain.h"
#include "sfu/router.h"
#include "sfu/sub_send.h"

/* From this loss on, Q8, each packet carries the two frames before; below the other for so long,
 * none. Where many packets are lost in a row a frame further back goes along, so that one of those
 * that carry a frame comes after the burst: 100 ms, which a receiver waits for that keeps audio
 * with video whose repair takes as long (brain_net.c asks for that). */
#define LOSS_BAD     8 /* 3 % */
#define LOSS_GOOD    3 /* 1 % */
#define LOSS_GOOD_US (10 * US_PER_S)
#define COPIES_NEAR  0x3 /* bit n: the frame n + 1 before */
#define COPIES_FAR   0x13
#define FAR_Q4       64 /* packets in a row, in sixteenths */
/* Fewer where audio would take more than one part in so many of what the link carries. */
#define COPIES_SHARE 4
/* A frame of DTX says only that there is silence. */
#define DTX_LEN 2
/* What a packet with copies holds at most, so that it does not become two on the way. */
#define PAYLOAD_MAX 1100

/* The copies that the viewer's losses ask for and its link has room for. Of those that reach far
 * the furthest is the last to go, else the nearest. */
static uint8_t affordable(const struct sub *s)
{
    const struct brain *b = s->peer->brain;
    if (!b || !b->active) {
        return COPIES_NEAR;
    }
    unsigned alone = 1U + (unsigned)__builtin_popcount(s->copies);
    uint64_t frames = b->facts.estimate_bps / COPIES_SHARE / MAX(s->bitrate_bps / alone, 1U);
    bool far = b->facts.burst_q4 >= FAR_Q4;
    unsigned set = far ? COPIES_FAR : COPIES_NEAR;
    while (set && (unsigned)__builtin_popcount(set) + 1 > frames) {
        set &= far ? set - 1 : set >> 1;
    }
    return (uint8_t)set;
}

void sub_red_on_loss(struct sub *s, uint32_t fraction_q8, int64_t now_us)
{
    /* Sent again without RTX a packet must be the same to the byte, which copies are not: what was
     * missing before it may have come meanwhile. */
    if (!s->pt[CODEC_RED] || !s->pt[CODEC_OPUS] || s->nack[CODEC_OPUS]) {
        return;
    }
    if (fraction_q8 > LOSS_GOOD) {
        s->good_since_us = 0;
    } else if (!s->good_since_us) {
        s->good_since_us = now_us;
    }
    bool calm = s->good_since_us && now_us - s->good_since_us >= LOSS_GOOD_US;
    bool wanted = fraction_q8 >= LOSS_BAD || (s->copies && !calm);
    s->copies = wanted ? affordable(s) : 0;
}

/* The frames before o, oldest first, as far as they are there and were this viewer's too. */
static void gather(const struct sub *s, const struct out_packet *o, struct red *red)
{
    const struct history *h = &s->track->enc[o->seg->layer].hist;
    size_t room = PAYLOAD_MAX - MIN(o->body_len, (size_t)PAYLOAD_MAX);
    for (unsigned back = 8; back > 0; back--) {
        if (!(s->copies >> (back - 1) & 1)) {
            continue;
        }
        bool ours = o->number >= o->seg->out0 + back && o->slot->seq >= back;
        const struct hist_slot *was = ours ? history_at(h, o->slot->seq - back) : NULL;
        const uint8_t *bytes = was && was->codec == CODEC_OPUS ? history_bytes(h, was) : NULL;
        uint32_t ago = was ? o->slot->ts - was->ts : 0;
        if (!bytes || ago == 0 || ago > RED_BACK_MAX || was->payload_len <= DTX_LEN ||
            was->payload_len > RED_LEN_MAX || (size_t)was->payload_len + RED_HEAD_LEN > room) {
            continue;
        }
        room -= (size_t)was->payload_len + RED_HEAD_LEN;
        red->block[red->n_blocks++] = (struct red_block){.data = bytes + was->ext_len,
                                                         .len = was->payload_len,
                                                         .ts_back = (uint16_t)ago,
                                                         .pt = s->pt[CODEC_OPUS]};
    }
}

/* The blocks of RED name the publisher's payload type: a viewer that has another one for Opus, or
 * no RED, gets the newest frame alone. Returns false if they do not parse. */
static bool strip(const struct sub *s, struct out_packet *o, enum codec_id *codec)
{
    struct red_block primary;
    if (red_primary(o->body, o->body_len, &primary)) {
        return false;
    }
    if (!s->pt[CODEC_RED] || s->pt[CODEC_OPUS] != primary.pt) {
        *codec = CODEC_OPUS;
        o->body = primary.data;
        o->body_len = primary.len;
    }
    return true;
}

bool sub_red_fit(struct sub *s, struct out_packet *o, uint8_t *out, enum codec_id *codec)
{
    if (*codec == CODEC_RED) {
        return strip(s, o, codec);
    }
    struct red red UNINITIALIZED;
    red.n_blocks = 0;
    red.primary.pt = s->pt[CODEC_OPUS];
    /* A receiver could not tell frames apart that are encrypted. */
    if (!s->track->enc[o->seg->layer].map.opaque) {
        gather(s, o, &red);
    }
    int len = red.n_blocks ? red_write(&red, out, PAYLOAD_MAX) : 0;
    if (len > 0) {
        o->head_len += (size_t)len;
        *codec = CODEC_RED;
        s->peer->router->n.tx_red_packets++;
    }
    return true;
}
