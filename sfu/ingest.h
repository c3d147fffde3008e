/* SPDX-License-Identifier: Apache-2.0 */
/* ingest.h - what a publisher sends: SSRCs bound to encodings (RFC 9143 9.2: MID, then RID, then
 * known SSRC, then payload type), RTX unwrapped, receiver statistics, upstream NACK, transport-wide
 * feedback, REMB, key frame requests, the bitrate cap. Role MEDIA. */
#ifndef SFU_INGEST_H
#define SFU_INGEST_H

#include "rtp/nack.h"
#include "rtp/recv_stats.h"
#include "rtp/remb_recv.h"
#include "rtp/twcc_recv.h"
#include "sfu/preface.h"
#include "sfu/track.h"

struct peer;
struct router;
struct tx_batch;
struct rtp_header;

#define INGEST_BINDINGS        64
#define INGEST_SOURCES         (TRACKS_MAX * API_LAYERS_MAX)
#define INGEST_FORWARD_EXT_MAX 200 /* bytes of extensions that travel on with one packet */

/* One published encoding as received here. */
struct source {
    struct preface *preface; /* of codecs with parameter sets; else NULL */
    struct encoding *enc;
    const struct api_mline *ml;
    uint32_t ssrc; /* 0: not seen yet */
    bool no_keys;  /* key frames cannot be asked for */
    bool adapts;   /* feedback for send-side estimation was negotiated */
    struct recv_stats stats;
    struct nack nack;
    uint64_t packets, bytes, rtx_packets, nacks_sent, plis_sent;
    int64_t last_report_us;
};

struct binding {
    int64_t left_us; /* src NULL: when the source went over to another SSRC */
    uint32_t ssrc;
    bool rtx;
    struct source *src;
};

struct ingest {
    unsigned n_sources;
    struct source *sources; /* INGEST_SOURCES at most; one per layer of each section */
    unsigned n_bindings;
    struct binding bindings[INGEST_BINDINGS];
    struct binding *last; /* of the packet before */
    struct twcc_recv twcc;
    bool has_twcc, has_remb, rsize;
    struct remb_recv remb;
    bool muted[2];      /* by enum media_kind: its packets are counted and dropped */
    int64_t cap_tokens; /* bytes that may come now (SEC-71) */
    int64_t cap_us;
    uint64_t window_bytes;
};

/* Makes the tracks of p's stream match its session. Returns NULL when out of memory. */
struct ingest *ingest_new(struct peer *p, int64_t now_us);
void ingest_free(struct ingest *in);

/* The binding of a packet, making one if MID, RID, SSRC line or payload type say so; NULL: unknown.
 */
struct binding *ingest_bind(struct peer *p, const struct rtp_header *hdr, const uint8_t *pkt,
                            int64_t now_us);
/* True if len bytes more stay below the publisher's cap. */
bool ingest_admit(struct peer *p, size_t len, int64_t now_us);
/* Drops, or no longer drops, what comes of audio and video. What goes on after a pause begins anew,
 * with a key frame: its viewers see a switch of the source, not a gap. */
void ingest_mute(struct peer *p, bool audio, bool video, int64_t now_us);
/* A BYE for ssrc. */
void ingest_on_bye(struct peer *p, uint32_t ssrc);

/* Feedback that is due: TWCC, NACK, PLI, RR with REMB. Seals into b; false when it was full. */
bool ingest_feedback(struct peer *p, struct tx_batch *b, int64_t now_us);
/* True if ingest_feedback would send something now. */
bool ingest_due(const struct peer *p, int64_t now_us);

#endif
