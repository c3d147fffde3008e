/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_sent.h - what one transport sent lately, by transport-wide number: time, size, probe, fate.
 * Pure; one instance a viewer; role MEDIA. A ring of 8 bytes a packet, 256 packets at first; grown
 * by bwe_sent_grow only. Feedback is not trusted: numbers that were never sent, that the ring has
 * forgotten or whose arrival is already known find nothing. */
#ifndef RTP_BWE_SENT_H
#define RTP_BWE_SENT_H

#include "rtp/base.h"

#define BWE_SENT_MIN 256  /* packets; a power of 2 */
#define BWE_SENT_MAX 8192 /* more than 1.28 s at 6,400 packets a second */
/* A ring of n packets serves n * 100 / this packets a second: a round trip of 1.28 s. */
#define BWE_SENT_CS 128

enum bwe_fate {
    BWE_UNSENT,  /* the slot has never been used */
    BWE_OUT,     /* nothing is known of it */
    BWE_LOST,    /* reported missing; it may turn up yet */
    BWE_ARRIVED, /* reported received */
};

struct bwe_sent_slot {
    uint32_t at_us; /* low 32 bits of the time it left */
    uint16_t size;  /* bytes on the wire, at most 65535 */
    uint8_t cluster;
    uint8_t fate; /* enum bwe_fate */
};

struct bwe_sent {
    struct bwe_sent_slot *slots; /* owned */
    uint32_t mask;               /* slots - 1 */
    uint64_t first;              /* number of the first packet ever */
    uint64_t next;               /* number of the next packet */
    uint64_t bytes;              /* sent in all */
};

/* Starts with number seq0 and an empty ring. Returns 0 or -ENOMEM; bwe_sent_fini frees. */
int bwe_sent_init(struct bwe_sent *s, uint16_t seq0) MUST_CHECK;
void bwe_sent_fini(struct bwe_sent *s); /* accepts one that is all zero */

/* Notes that packet number next has left. Never allocates. */
static inline void bwe_sent_add(struct bwe_sent *s, uint32_t size, uint8_t cluster, int64_t now_us)
{
    struct bwe_sent_slot *slot = &s->slots[s->next++ & s->mask];
    slot->at_us = (uint32_t)now_us;
    slot->size = (uint16_t)MIN(size, UINT16_MAX);
    slot->cluster = cluster;
    slot->fate = BWE_OUT;
    s->bytes += size;
}

/* The packet whose number ends in seq16, or NULL: not sent, or forgotten. Numbers above the last
 * one sent look like very old ones, so a peer that makes them up finds nothing. */
static inline struct bwe_sent_slot *bwe_sent_find(const struct bwe_sent *s, uint16_t seq16)
{
    uint16_t behind = (uint16_t)((uint16_t)s->next - 1 - seq16);
    if (behind > s->mask || behind >= s->next - s->first) {
        return NULL;
    }
    return &s->slots[(s->next - 1 - behind) & s->mask];
}

/* The 64-bit number of a packet that bwe_sent_find found. */
static inline uint64_t bwe_sent_seq(const struct bwe_sent *s, uint16_t seq16)
{
    return s->next - 1 - (uint16_t)((uint16_t)s->next - 1 - seq16);
}

/* When a packet left, given a time within 71 minutes after it. */
static inline int64_t bwe_sent_at_us(const struct bwe_sent_slot *slot, int64_t now_us)
{
    return now_us - (int64_t)(uint32_t)((uint32_t)now_us - slot->at_us);
}

/* Doubles the ring when pps packets a second are too many for it; what it holds stays. Not on the
 * packet path. Returns true if it grew; when out of memory it stays as it is. */
bool bwe_sent_grow(struct bwe_sent *s, uint32_t pps);

#endif
