/* SPDX-License-Identifier: Apache-2.0 */
/* player.h - a viewer's browser: video streams (video_rx.h), one audio stream, and the feedback of
 * the whole transport: transport-wide feedback every 50 ms or REMB, receiver reports, NACK, PLI.
 * Takes opened packets, gives RTCP. */
#ifndef TESTS_SIM_PLAYER_H
#define TESTS_SIM_PLAYER_H

#include "tests/sim/video_rx.h"

#define PLAYER_VIDEOS 9
#define PLAYER_TWCC   16384
#define PLAYER_AUDIO  65536 /* frames of 20 ms */

struct player_stream { /* what reports need, one SSRC */
    uint32_t ssrc;
    bool any;
    uint64_t top, base, received, expected_before, received_before;
    double jitter; /* in timestamp units */
    uint32_t clock_hz;
    int64_t transit;
    uint32_t lsr;
    int64_t lsr_us;
};

struct player_params {
    enum codec_id codec;
    int n_videos;
    uint32_t video_ssrc[PLAYER_VIDEOS], rtx_ssrc[PLAYER_VIDEOS], audio_ssrc;
    uint8_t video_pt, rtx_pt, opus_pt, red_pt;
    uint8_t twcc_id, abs_id, dd_id, playout_id; /* of header extensions; 0: not negotiated */
    bool nack;
    bool remb; /* REMB instead of transport-wide feedback, as Firefox with VP9 */
};

typedef void(player_rtcp_fn)(const uint8_t *buf, size_t len, void *ctx);

struct player {
    struct player_params p;
    player_rtcp_fn *send;
    void *ctx;
    struct video_rx *video[PLAYER_VIDEOS];
    struct player_stream streams[2 * PLAYER_VIDEOS + 1];
    int n_streams;
    /* transport-wide feedback */
    struct {
        int64_t at_us; /* 0: not there */
    } arrivals[PLAYER_TWCC];
    bool twcc_any;
    uint64_t twcc_top, twcc_next; /* newest; first not yet reported */
    int64_t twcc_due_us;
    uint8_t twcc_count;
    uint64_t twcc_seen;
    bool mute_twcc; /* from now on none is sent: a scenario's wish */
    /* REMB: an estimate by arrival against send time */
    double remb_bps;
    int64_t remb_due_us, remb_min_us, remb_queue_us;
    uint64_t window_bytes;
    int64_t report_due_us;
    /* audio */
    uint8_t *audio_seen; /* by 20 ms frame */
    bool audio_any;
    uint32_t audio_ts0;
    uint64_t audio_top;
    uint64_t audio_packets, red_packets;
    uint64_t audio_wrong; /* copies of frames that are none, or of another time than they say */
    /* counted */
    uint64_t n_bytes, n_rtx, n_rtx_bytes, n_padding_bytes, n_malformed, n_twcc, n_nacks, n_plis;
    int64_t first_packet_us;
};

struct player *player_new(const struct player_params *p, player_rtcp_fn *send, void *ctx,
                          int64_t now_us);
void player_free(struct player *p);
/* One RTP packet, opened, as it arrived at arrival_us <= now. */
void player_on_rtp(struct player *p, const uint8_t *pkt, size_t len, int64_t arrival_us);
void player_on_rtcp(struct player *p, const uint8_t *pkt, size_t len, int64_t now_us);
/* Shows pictures, sends the feedback that is due. */
void player_step(struct player *p, int64_t now_us);
/* Share of the audio frames since the first that were never there. */
double player_audio_loss(const struct player *p);

#endif
