/* SPDX-License-Identifier: Apache-2.0 */
/* track.h - what one worker holds of a stream: stream -> tracks -> encodings, each encoding with
 * its history. On the publisher's worker it is filled by ingest.c, on every other worker that has a
 * viewer by ring records: a replica. Viewers look at nothing else, so they do not know the
 * difference. Role MEDIA. */
#ifndef SFU_TRACK_H
#define SFU_TRACK_H

#include "rtp/history.h"
#include "rtp/list.h"
#include "rtp/vla.h"
#include "sfu/api.h"
#include "sfu/keyframes.h"

#define TRACKS_MAX 8 /* accepted media sections of one publisher */

#define ENCODING_FRAMES 16 /* frames under way at once, for late packets */
/* Bytes that a stored packet's payload gets on its way to a viewer: RTP header, extensions, tag,
 * UDP, IP. */
#define WIRE_OVERHEAD 64

struct router;
struct peer;

/* What the decode targets of an encoding are; as described at the source, followed by replicas. */
struct layer_map {
    uint8_t gen; /* counts changes of everything down to tid */
    uint8_t n_dt, n_sid, n_tid;
    uint8_t n_dd;        /* decode targets of the dependency descriptor; 0 without one */
    uint8_t sid[DT_MAX]; /* highest spatial layer in target d */
    uint8_t tid[DT_MAX];
    uint8_t dd[DT_MAX]; /* the descriptor's target behind d, or DT_NO_DD */
    bool screen;        /* the publisher says that it shows a screen */
    bool opaque;        /* payloads are encrypted end to end */
    bool blind;         /* key frames cannot be told from others: encrypted, and no descriptor */
    uint16_t active;    /* bit d: target d is being sent */
    uint32_t dd_active; /* the same in the descriptor's numbering */
    /* The publisher's own word (told.h). */
    uint8_t sent;                           /* bit i: encoding i; 0 = it has not said */
    struct vla_layer told[VLA_SPATIAL_MAX]; /* of this encoding, by spatial layer */
};

/* What the targets of an encoding weigh. */
struct target_meter {
    uint32_t ts;         /* of the picture in progress */
    uint16_t pic_mask;   /* targets that it is in */
    uint16_t in[DT_MAX]; /* bit t of [d]: all of target d since the last entry point was in t too,
                           so that who had t may go over to d where a picture begins */
    uint32_t bytes[DT_MAX]; /* since the last tick, WIRE_OVERHEAD included */
    uint16_t pics[DT_MAX];
    uint32_t bps[DT_MAX]; /* smoothed over a second; key frames count as twice the rest at most */
    uint32_t long_bps[DT_MAX]; /* the same over three seconds, the first one left out */
    uint16_t fps_q4[DT_MAX];   /* pictures a second */
    uint8_t ticks;             /* since the beginning, up to four seconds' worth */
    bool key;                  /* a key frame since the last tick */
    int64_t picture_us;        /* when the picture in progress began */
    int64_t gap_us;            /* between pictures, smoothed */
};

/* One layer of a track: one SSRC of the publisher. */
struct encoding {
    struct track *track;
    uint8_t index;      /* in track->enc: the order of a=simulcast */
    uint64_t publisher; /* whose packets are stored, */
    uint32_t epoch; /* and how often its numbering began anew: counted at the source, followed by
                       replicas */
    bool open;      /* a packet has come; history and describe are allocated */
    enum codec_id codec; /* of the latest packet that is not RED */
    struct history hist;
    struct describe desc; /* publisher's worker only */
    struct layer_map map;
    uint8_t ticked_gen;        /* of map at the last tick */
    struct target_meter meter; /* video */
    struct keyframes keys;     /* publisher's worker only */
    uint64_t feeding;       /* publisher's worker: bit w, worker w is being sent what is stored, */
    uint64_t feed_at;       /* from this arrival number on */
    int64_t keys_passed_us; /* replica: last wish passed on to the publisher's worker */
    /* ids for frames of sources that write none, so that spliced streams have continuous ones */
    struct {
        uint32_t ts;
        uint16_t id;
    } frames[ENCODING_FRAMES];
    uint32_t next_frame;
    /* sender report of the publisher: its NTP clock against this encoding's timestamps */
    bool has_sr;
    uint64_t sr_ntp;
    uint32_t sr_ts;
    /* measured */
    int64_t last_packet_us;
    uint64_t packets, bytes;
    uint64_t window_bytes;  /* since the last tick */
    uint32_t bitrate_bps;   /* smoothed over a second */
    uint16_t width, height; /* of the last key frame that said so */
};

struct track {
    struct stream *stream;
    uint8_t index;
    enum media_kind kind;
    uint32_t clock_hz;
    uint8_t n_enc;
    struct encoding enc[API_LAYERS_MAX];
    char rids[API_LAYERS_MAX][API_RID_MAX]; /* "" without simulcast */
    int8_t best;     /* index of the encoding that automatic viewers should get; -1: none is live */
    uint8_t alive;   /* bit i: encoding i has packets no older than those of its siblings, about */
    uint8_t sent;    /* as in layer_map, by the latest word of any encoding, */
    int64_t sent_us; /* and when that came */
    struct list subs;       /* struct sub.node */
    struct list dirty;      /* router->dirty */
    bool changed;           /* in this turn a first packet or an entry point came */
    uint8_t partial;        /* bit of a layer: its last frame of this turn has not ended */
    unsigned watchers;      /* in subs when packets last came */
    struct speaker speaker; /* publisher's worker, audio: while the stream is levelled */
};

struct stream {
    uint64_t id;
    int source_worker;     /* of the publisher, -1: nobody publishes */
    uint64_t publisher;    /* its session id, 0 */
    struct peer *local;    /* the publisher, if it is on this worker */
    uint64_t target;       /* not 0: an alias, and what it stands for (follow.h) */
    struct list followers; /* struct sub.follow.by_name */
    struct list players;   /* struct sub.follow.by_stream: viewers on this worker */
    struct list levelled;  /* router->levelled: MAIN wants to know who speaks */
    bool was_loud;         /* in the last digest */
    uint64_t wanted_by;    /* publisher's worker: bit w set: worker w has viewers */
    bool asked;            /* replica: the publisher's worker has been asked for packets */
    bool has_clock;        /* ntp_offset_us is valid */
    int64_t ntp_offset_us; /* our wall clock minus the publisher's NTP clock, us */
    uint8_t n_tracks;
    struct track *tracks[TRACKS_MAX];
};

/* Makes track index of stream s exist with n_enc layers. Returns it, or NULL when out of memory or
 * range; a track whose kind differs from the one that is there gives NULL too. */
struct track *track_open(struct stream *s, uint8_t index, enum media_kind kind, uint8_t n_enc);
void stream_free(struct stream *s); /* accepts NULL */
/* The first track of a kind, or NULL. */
struct track *stream_track(const struct stream *s, enum media_kind kind);

/* Allocates what an encoding needs to store packets. Returns 0 or -ENOMEM. */
int encoding_open(struct encoding *e, enum codec_id codec) MUST_CHECK;
/* The source has started anew (another publisher, another SSRC): history is forgotten, viewers wait
 * for a key frame. */
void encoding_restart(struct encoding *e);

/* The id of the frame with this timestamp: one more for each new one. */
uint16_t encoding_frame_id(struct encoding *e, uint32_t ts);

/* Takes over what the targets are now, after a packet was described. */
void encoding_note_map(struct encoding *e);
/* Counts a stored video packet for the rates of its targets. On the packet path. */
void encoding_count(struct encoding *e, const struct hist_in *in);
/* What target d of e costs: measured; in its first second no more than the publisher aims at, since
 * a mean of less holds a key frame. What it aims at is no measure by itself: Chromium's may be ten
 * times what its encoder needs. 0: not known. */
uint32_t encoding_cost_bps(const struct encoding *e, unsigned d);
/* What target d will cost who goes over to it: no less than over some seconds, since a rate that
 * has just fallen rises again. */
uint32_t encoding_entry_bps(const struct encoding *e, unsigned d);
/* Pictures a second of it, in sixteenths; in its first second as the publisher has told. */
uint16_t encoding_fps_q4(const struct encoding *e, unsigned d);
/* Highest target of layer map m that holds (sid, tid) and no more than needed; 0 if only everything
 * does. */
unsigned layer_map_find(const struct layer_map *m, uint8_t sid, uint8_t tid);

/* Once in 100 ms: layer rates, the best live layer. True when the targets of a layer are others
 * than at the last tick. */
bool track_tick(struct track *t, int64_t now_us);
/* Once in 10 ms: looks for layers that have fallen silent while a sibling flows. True when the set
 * of live ones has changed. */
bool track_check_alive(struct track *t, int64_t now_us);
/* Once a second: sizes of byte rings. want_us: how long packets can be asked for again. */
void track_fit(struct track *t, int64_t now_us, int64_t want_us);

/* Publisher's NTP time (64 bit) of a timestamp of e, by its last sender report; 0 without one. */
uint64_t encoding_ntp(const struct encoding *e, uint32_t ts);
/* True when joiners begin with what is stored of e, although that is old: its source gives no key
 * frame on request, or another one just for them would take too much from those who watch. The
 * latter where there are other encodings only, since then their networks are estimated in any case:
 * an estimate for the few seconds of fast motion costs feedback for long after. */
static inline bool encoding_is_scarce(const struct encoding *e)
{
    return keyframes_in_vain(&e->keys) || (e->keys.dear && e->track->n_enc > 1);
}

#endif
