/* SPDX-License-Identifier: Apache-2.0 */
/* sub.h - one media section of a viewer: which encoding of which track it gets, and how that
 * becomes one continuous RTP stream. Sequence number, timestamp and picture ids go on over layer
 * switches, lost publishers and returning ones, and other streams (follow.h). Role MEDIA. */
#ifndef SFU_SUB_H
#define SFU_SUB_H

#include "ice/seal.h"
#include "rtp/list.h"
#include "rtp/prefetch.h"
#include "rtp/rtcp_sr.h"
#include "sfu/alloc.h"
#include "sfu/api.h"
#include "sfu/follow.h"
#include "sfu/track.h"

struct tx_batch;
struct peer;

#define SUB_SEGMENTS   8
#define SUB_RESENDS    256
#define SUB_NACK_QUEUE 64

/* From out0 on, numbers sent are out0 + (rank - rank0) of one encoding. Kept for the last switches,
 * so that a NACK finds what was sent. */
struct sub_segment {
    uint64_t out0;
    uint64_t resets; /* of the history the ranks belong to */
    uint32_t ts_off;
    uint16_t rank0;
    uint16_t pid_off;
    uint8_t tl0_off;
    uint8_t key_off;
    uint8_t layer;
    uint8_t dt;
    bool goes_on; /* the same encoding as before, another target: packets of before out0 that come
                     late count back from it with */
    uint8_t prev_dt;
    uint16_t prev_rank; /* in the target before, of the packet that opened this segment */
    uint8_t mark_sid;   /* the last packet of this spatial layer ends the picture; SID_NONE: that
                           with the publisher's marker */
    uint8_t n_dd;       /* decode targets of the publisher's dependency descriptor, */
    uint32_t dd_active; /* and those that are sent; 0: what the publisher says is true */
    uint16_t dd_off;    /* what frame numbers in it are ahead of the publisher's */
    /* What came before replay_end is old, and shown in fast motion, up to the picture of
     * replay_src_ts, which the viewer sees at replay_ts. 0: nothing is. */
    uint64_t replay_end;
    uint32_t replay_ts;
    uint32_t replay_src_ts;
};

/* When a number was last sent again. */
struct sub_resend {
    uint32_t last_ms; /* monotonic, wrapping */
    uint16_t seq16;
    uint8_t count; /* times; 0: the entry is free */
};

#define DT_NONE  0xff
#define SID_NONE 0xff

/* What brain.c has decided for a sub. */
struct sub_aim {
    int8_t enc; /* index in the track; -1: the largest live one */
    uint8_t dt; /* target of it */
    uint8_t
        hold; /* target of the encoding being sent, while another is waited for; DT_NONE: stay */
    bool off; /* nothing */
};

struct sub {
    /* What every packet touches stands together at the beginning: with hundreds of viewers each
     * line of the cache is a miss. The first line says whether anything is owed. */
    _Alignas(PREFETCH_LINE) struct list node; /* in track->subs */
    struct peer *peer;
    struct encoding *enc;  /* being sent; NULL before the first */
    struct encoding *want; /* to switch to at its next entry point, or NULL */
    uint64_t cursor;       /* next arrival number to look at */
    const void *ahead; /* the sub that stood a few places behind us in track->subs at the last walk:
                          to be prefetched, never followed, since it may be gone */
    bool live;         /* packets flow; false: waiting for an entry point */
    bool started;      /* something has been sent, ever */
    bool leaving;      /* follow.leaving is in its list */
    bool lagging;      /* behind: the viewer's share of the moment does not suffice */
    uint8_t nack_n;    /* waiting in nack_queue */
    /* targets of enc: packets of another begin where the stream allows it */
    uint8_t dt_goal; /* wanted now */
    uint8_t dt_hold; /* until that can be had: DT_NONE, or a smaller one that can be had sooner */
    uint8_t
        dt_base; /* the base layer of the spatial layer being sent: all that is left when behind */
    /* The second line. */
    _Alignas(PREFETCH_LINE) struct track *track; /* NULL while the stream has no such track */
    const void *peer_ahead; /* what is touched of that sub's peer; the same rule */
    const struct api_mline *ml;
    struct seal_stream *ss;
    uint64_t last_out; /* highest extended sequence number sent */
    bool fleeing;    /* another encoding is waited for, since the network does not carry this one */
    uint8_t copies;  /* Opus: frames before that go along with each, since packets are lost; bit n:
                        the one n + 1 before */
    uint8_t map_gen; /* numbering of targets that dt_goal and the newest segment follow */
    uint8_t sid, tid; /* highest layers of the target being sent */
    bool dense_ids;   /* pictures left out leave no gap in picture ids */
    bool replaying;   /* it gets what is stored, in fast motion, until that is the present */
    uint8_t seg_top;
    bool mid_done; /* an RR has covered the SSRC: MID need not be sent any more (RTP-09) */
    bool numbered; /* packets get transport-wide numbers, */
    bool stamped;  /* and the time of sending, */
    bool paced;    /* and leave no faster than brain.h lets them */
    bool last_was_end;
    uint8_t pt[CODEC_COUNT]; /* by codec; 0 = the viewer lacks it */
    /* The third line. */
    _Alignas(PREFETCH_LINE) uint64_t packets; /* media sent, */
    uint64_t bytes;                           /* headers included */
    uint64_t octets;                          /* payload only, for SR */
    uint64_t
        caught_up; /* arrivals when the present segment began: a replay up to here may be old */
    int64_t last_arrival_us;
    int64_t last_sent_us;
    uint32_t last_ts_out;
    uint32_t last_src_ts;
    uint16_t last_rank; /* of last_out */
    uint16_t last_pid_out;
    uint16_t last_frame_out; /* frame number in the dependency descriptor */
    uint8_t last_tl0_out;
    uint8_t last_key_out;
    /* And a line for each of these: a ring, the newest is seg[seg_top]. */
    _Alignas(PREFETCH_LINE) struct sub_segment seg[SUB_SEGMENTS];
    /* From here on what few packets touch. */
    uint64_t want_after;  /* accept entry points with a larger arrival number */
    uint64_t window_from; /* bytes when bitrate_bps was last measured */
    uint8_t seg_count;
    bool narrowed;        /* the receiver has been told that not all decode targets are sent */
    int64_t ahead_us;     /* how far timestamps run ahead of the clock: what splices had to add */
    uint64_t publisher;   /* whose packets were last sent */
    struct follow follow; /* which stream it plays */
    /* repair */
    struct seal_stream *rtx_ss;
    uint64_t rtx_out; /* extended sequence number of the next RTX packet */
    uint8_t rtx_pt[CODEC_COUNT];
    bool nack[CODEC_COUNT];
    uint64_t entry_out;   /* the number of the last entry point that was gone over to */
    uint64_t repair_from; /* numbers before this one are not sent again */
    uint16_t nack_queue[SUB_NACK_QUEUE]; /* ring: what is missing longest is sent first */
    uint8_t nack_first;
    uint8_t fillers;       /* counts what sub_send_filler sent */
    int64_t rtx_tokens;    /* bytes that may be sent again now; by sub_send.c */
    int64_t rtx_filled_us; /* when tokens were last added */
    /* counted */
    uint64_t rtx_packets, nacks, plis, firs;
    uint32_t bitrate_bps;
    /* told by the viewer */
    uint32_t lost, fraction_lost_q8, jitter_us, rtt_us;
    int64_t wishes_since_us; /* key frame wishes are counted from here */
    int64_t refused_us;      /* how long the share of repair would take for what a turn refused */
    int64_t gave_up_us;      /* when repair last gave way to a key frame */
    int64_t sought_us;       /* when an entry point was last looked for */
    uint32_t wishes;
    int64_t last_sr_us;
    uint32_t sr_lsr;                     /* middle bits of the NTP time of the last SR sent */
    int64_t bad_since_us, good_since_us; /* loss: when it began to be high or low */
    /* choice */
    struct api_wish wish;
    struct sub_aim aim;
    struct alloc_memory memory;
    enum alloc_reason reason; /* why aim is no better */
    int8_t cap; /* by loss, without an estimate: so many encodings below the best; 0 = none */
    int64_t waits_since_us; /* for an entry point, or for a way into dt_goal; 0 = does not */
    struct sub_resend resends[SUB_RESENDS]; /* last, since it is large and seldom touched */
};

/* Binds a sub to its viewer's section; random: for the first numbers. */
void sub_init(struct sub *s, struct peer *viewer, const struct api_mline *ml, uint64_t random);
/* Takes the sub out of its track; harmless without one. What was sent cannot be asked for again. */
void sub_detach(struct sub *s);
/* Attaches it to a track. */
void sub_attach(struct sub *s, struct track *t, int64_t now_us);
/* Goes for what it should get: s->aim, or what is nearest while that is not there. Layers came or
 * went, brain.c decided anew, or a turn found the stream broken. */
void sub_choose(struct sub *s, int64_t now_us);
/* The viewer cannot decode what it gets: it asks for a key frame. Where the source gives none, it
 * begins again with the last one and what has come since, in fast motion. */
void sub_on_key_wish(struct sub *s, int64_t now_us);
/* The viewer's wish, by rid or index; replaces the one before. */
void sub_wish(struct sub *s, const struct api_wish *wish, int64_t now_us);
/* Target dt of the encoding being sent is what the newest segment carries: what follows from it. */
void sub_enter_target(struct sub *s, unsigned dt);

/* True while a sub that is to leave its stream has sent a frame to its end, and sends no more. */
static inline bool sub_is_held(const struct sub *s)
{
    return s->leaving && s->last_was_end;
}
/* True when it begins with what is stored of e, although that is old. */
static inline bool sub_makes_do(const struct sub *s, const struct encoding *e)
{
    return encoding_is_scarce(e) && (keyframes_in_vain(&e->keys) || !s->started);
}
/* True while it waits for, or gets, what is stored of a source (sub_makes_do): that is much, and
 * paced. */
bool sub_is_catching_up(const struct sub *s);

/* True when packets or resends are owed. */
bool sub_owes(const struct sub *s);
/* Seals what is owed into b, at most max packets. Returns false when b was full before all was
 * done. On the packet path. */
bool sub_fill(struct sub *s, struct tx_batch *b, int64_t now_us, int max);

/* Seals one more packet of the RTX stream into b, for a probe: something sent lately, else padding.
 * Only with rtx_ss. Returns the bytes sent, 0 if there is nothing that could be, -ENOSPC when b was
 * full. */
int sub_send_filler(struct sub *s, struct tx_batch *b, int64_t now_us);

/* The viewer asks for seq16 again; queued, answered by sub_fill. rtt_us guards against repeats. */
void sub_on_nack(struct sub *s, uint16_t seq16, int64_t now_us);

/* A receiver report's fraction lost (Q8): sustained loss of a simulcast viewer steps one layer
 * down, its absence up again; audio goes with copies of the frames before. */
void sub_on_loss(struct sub *s, uint32_t fraction_q8, int64_t now_us);

/* The sender report of this stream at now: fills info (NTP, timestamp, counts); false before
 * anything was sent. wall_us: our clock for now_us. */
bool sub_report(struct sub *s, int64_t now_us, int64_t wall_us, struct rtcp_sender_info *ret);

#endif
