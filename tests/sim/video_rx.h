/* SPDX-License-Identifier: Apache-2.0 */
/* video_rx.h - one received video stream as libwebrtc handles it (read at m125): packets become
 * frames, frames wait for what they refer to, pictures are shown at their time; what is missing is
 * asked for by NACK, what cannot be repaired by PLI. Keeps a log of every picture shown, from which
 * freezes, latency and layers are told afterwards. */
#ifndef TESTS_SIM_VIDEO_RX_H
#define TESTS_SIM_VIDEO_RX_H

#include "tests/sim/rx_parse.h"

#define VIDEO_RX_PACKETS 8192
#define VIDEO_RX_FRAMES  256
#define VIDEO_RX_NACKS   1000
#define VIDEO_RX_DONE    1024

struct video_shown {
    int64_t at_us, capture_us;
    uint32_t source, frame, bytes;
    uint8_t layer, sid, tid;
    bool key;
};

struct video_rx_packet {
    uint64_t seq; /* 0: empty */
    uint32_t ts;
    bool marker, padding, repaired;
    struct rx_desc d;
};

struct video_rx_frame {
    bool used, marker, key, nacked;
    uint64_t first, last; /* sequence numbers */
    uint64_t ts;          /* unwrapped */
    int64_t complete_us;
    struct rx_desc d; /* of its first packet */
    int64_t id;
};

struct video_rx_missing {
    uint64_t seq, ask_at; /* first asked for when this number has come */
    int64_t since_us, asked_us;
    uint8_t asks;
};

struct video_rx {
    enum codec_id codec;
    struct rx_dd dd;
    struct video_rx_packet packets[VIDEO_RX_PACKETS];
    bool any;
    uint64_t top;             /* newest number */
    uint64_t ts;              /* newest timestamp, unwrapped */
    int64_t pid, tl0, number; /* newest, unwrapped */
    struct video_rx_frame frames[VIDEO_RX_FRAMES];
    /* VP8: all frames seen lately, shown or not, by picture id */
    struct {
        int64_t pid, tl0;
        uint8_t tid;
    } vp8[256];
    int64_t done[VIDEO_RX_DONE];        /* ids decoded */
    uint64_t done_truth[VIDEO_RX_DONE]; /* and what they really were */
    unsigned n_done;
    struct video_rx_frame *ready[RX_REFS]; /* the picture to show next */
    int n_ready;
    bool changed;               /* look for it again */
    uint64_t last_ts, last_seq; /* of the picture decoded last */
    bool decoded_any;
    /* loss */
    struct video_rx_missing missing[VIDEO_RX_NACKS];
    int n_missing;
    uint8_t
        reorder[128]; /* distances of packets that came late, for the wait before the first ask */
    unsigned n_reorder;
    int64_t nack_poll_us;
    bool nacks; /* negotiated */
    /* playout */
    int64_t playout_us; /* local time minus media time at which pictures are shown */
    bool has_playout;
    int64_t least_us;               /* asked for by the playout-delay extension */
    int64_t target_us, retarget_us; /* where playout goes; when to look again */
    unsigned targeted;              /* n_offsets at the last look */
    int64_t offsets[90];
    unsigned n_offsets;
    int64_t stepped_us;
    int64_t nacked_us[3]; /* when the last frames that needed NACK were complete */
    /* key frames */
    bool key_required;
    int64_t waiting_us; /* since when nothing has been decoded, or asked for */
    int64_t last_packet_us, last_key_packet_us;
    bool wants_key;
    /* the log */
    struct video_shown *shown;
    int n_shown, cap_shown;
    /* counted */
    uint64_t n_packets, n_bytes, n_padding;
    uint64_t lost;       /* numbers that were missing when the next came */
    uint64_t late;       /* of these, came by themselves */
    uint64_t recovered;  /* by retransmission, before their picture had gone by */
    uint64_t too_late;   /* by retransmission, after */
    uint64_t asked;      /* entries of NACKs sent, repeats included */
    uint64_t asked_once; /* numbers asked for at least once */
    uint64_t useless;    /* repaired packets that were there already */
    uint64_t plis, broken, malformed, duplicates, skipped;
};

struct video_rx *video_rx_new(enum codec_id codec, bool nacks, int64_t now_us);
void video_rx_free(struct video_rx *v);
/* repaired: it came as a retransmission, unwrapped. dd NULL: no Dependency Descriptor. */
void video_rx_packet(struct video_rx *v, const struct rx_rtp *p, bool repaired, const uint8_t *dd,
                     size_t dd_len, int64_t now_us);
/* Shows what is due; looks whether a key frame must be asked for (wants_key, cleared by the
 * caller).
 */
void video_rx_step(struct video_rx *v, int64_t now_us);
/* Numbers to ask for now; at most max. */
int video_rx_nacks(struct video_rx *v, uint16_t *seqs, int max, int64_t now_us);

/* For video_refs.c: the ids of frames that f needs; returns their number, -1 while that is not
 * known yet. */
int video_rx_refs(const struct video_rx *v, const struct video_rx_frame *f,
                  int64_t refs[RX_REFS + 1]);
/* Gives f its id and notes it. */
void video_rx_identify(struct video_rx *v, struct video_rx_frame *f);
bool video_rx_is_done(const struct video_rx *v, int64_t id);

#endif
