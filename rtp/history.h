/* SPDX-License-Identifier: Apache-2.0 */
/* history.h - the one stored copy of what a publisher sent in one encoding: slots by extended
 * sequence number, payload in a byte ring, and the order of arrival by which viewers are served.
 * Pure; one owner; role MEDIA.
 *
 * Ranks (rank[d]) count the packets of decode target d, so that a viewer's sequence number is a
 * constant plus a rank: dropping layers or padding leaves no gap. A number is reserved in every
 * target for a packet that has not arrived, and stays its own when it comes late. Memory is
 * allocated by history_init and history_fit only, never while packets are stored. */
#ifndef RTP_HISTORY_H
#define RTP_HISTORY_H

#include "rtp/base.h"
#include "rtp/codec.h"

/* A jump of more packets than this starts the history anew: nothing is reserved for the gap. */
#define HISTORY_GAP_MAX 512
/* Largest stored packet: forwarded extensions and payload. */
#define HISTORY_PACKET_MAX 1600
/* Targets whose left-out pictures are counted: the temporal cuts of VP8. */
#define HISTORY_CUTS 4

enum hist_flags {
    HIST_PRESENT = 1 << 0, /* stored; otherwise the number is only reserved */
    HIST_MARKER = 1 << 1,
};

/* One stored packet. */
struct hist_slot {
    uint64_t seq;         /* extended source sequence number; HIST_NO_SEQ: empty */
    uint64_t arrival;     /* number of its arrival, from 0 */
    int64_t arrival_us;   /* monotonic, when it came to this machine */
    uint64_t pos;         /* byte ring position (never wraps) of the extensions, then the payload */
    uint32_t ts;          /* source RTP timestamp */
    uint16_t payload_len; /* bytes */
    uint8_t ext_len;      /* bytes of forwarded extensions: {kind, len, data} each */
    uint8_t flags;        /* enum hist_flags */
    enum codec_id codec;  /* a packet of a RED track may be RED or Opus */
    uint8_t map_gen;      /* numbering of decode targets that desc and rank follow */
    struct pkt_desc desc;
    uint16_t rank[DT_MAX];
    uint16_t skip[HISTORY_CUTS]; /* pictures before this one that are not in target d; what is
                                    missing counts as being in it */
};

#define HIST_NO_SEQ UINT64_MAX

struct history {
    struct hist_slot *slots; /* n_slots, a power of two; index seq & (n_slots - 1) */
    uint32_t n_slots;
    uint32_t *order;   /* arrival number & (n_slots - 1) -> slot index */
    uint64_t arrivals; /* packets stored so far; the next arrival number */
    uint64_t top_seq;  /* highest sequence number stored; HIST_NO_SEQ before the first */
    uint16_t next_rank[DT_MAX];
    bool has_pic; /* pic_id and pic_mask are of the newest picture */
    uint16_t pic_id;
    uint16_t pic_mask;
    uint16_t next_skip[HISTORY_CUTS];
    uint8_t *bytes;
    uint32_t n_bytes;       /* a power of two */
    uint64_t valid_from;    /* bytes before this position did not survive history_fit */
    uint64_t write_pos;     /* never wraps */
    uint64_t entry_arrival; /* arrival number + 1 of the latest packet with DESC_ENTRY; 0 = none
                               since the start */
    uint64_t resets;        /* times the source's numbering jumped; part of a viewer's reference */
};

/* n_slots and n_bytes: powers of two. Returns 0 or -ENOMEM. */
int history_init(struct history *h, uint32_t n_slots, uint32_t n_bytes) MUST_CHECK;
void history_fini(struct history *h); /* harmless on a zeroed h */

/* Grows what is too small to hold want_us of the last packets, or will be when it is full: the byte
 * ring up to max_bytes, the slots up to max_slots, each to twice its size at a time. Contents are
 * kept. Not for the packet path: allocates. Returns 0 or -ENOMEM (what there is stays). */
int history_fit(struct history *h, int64_t now_us, int64_t want_us, uint32_t max_bytes,
                uint32_t max_slots);

/* Grows h to the size of another: so many slots and bytes at least. As history_fit. */
int history_match(struct history *h, uint32_t n_slots, uint32_t n_bytes);

/* One packet to store. */
struct hist_in {
    uint64_t seq;
    uint32_t ts;
    int64_t arrival_us;
    bool marker;
    enum codec_id codec;
    uint8_t map_gen;
    const struct pkt_desc *desc;
    const uint8_t *ext; /* {kind, len, data}*, or NULL */
    uint8_t ext_len;
    const uint8_t *payload;
    size_t payload_len;
};

/* Stores a packet. Returns 0; -EALREADY if it is there already or older than the slots reach;
 * -EMSGSIZE. */
int history_put(struct history *h, const struct hist_in *in) MUST_CHECK;

/* Reserves nothing and forgets all: the source has started anew. */
void history_reset(struct history *h);

/* The slot that arrived as number n, or NULL if it has been overwritten. */
const struct hist_slot *history_arrived(const struct history *h, uint64_t n);
/* The stored packet with this sequence number, or NULL. */
const struct hist_slot *history_at(const struct history *h, uint64_t seq);
/* The stored packet with the highest sequence number, or NULL. */
const struct hist_slot *history_newest(const struct history *h);
/* The stored packet of target dt whose rank is rank, or NULL. O(log slots). */
const struct hist_slot *history_find(const struct history *h, unsigned dt, uint16_t rank);
/* True if that rank was kept for a packet that came late and turned out to be none of target dt's:
 * a number that nobody will ever fill. */
bool history_is_hole(const struct history *h, unsigned dt, uint16_t rank);
/* Where a slot's extensions and payload are; NULL when the byte ring has passed over them.
 * Contiguous. */
const uint8_t *history_bytes(const struct history *h, const struct hist_slot *s);

#endif
