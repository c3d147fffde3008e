/* SPDX-License-Identifier: Apache-2.0 */
/* scene.h - a scenario: cameras that publish, browsers that watch, links between them and the real
 * router (sim.h), and what can be measured of it. A test sets the links up, runs virtual time, and
 * asks; scene_measure.c answers. */
#ifndef TESTS_SIM_SCENE_H
#define TESTS_SIM_SCENE_H

#include "tests/sim/camera.h"
#include "tests/sim/player.h"
#include "tests/sim/sim.h"
#include "tests/sim/stream_check.h"
#include "tests/sim/tcp_flow.h"
#include "tests/sim/wire.h"

#define SCENE_VIEWERS    1100
#define SCENE_PUBLISHERS 10
#define SCENE_WIRES      64
#define SCENE_FLOWS      16
#define SCENE_SAMPLE_US  (50 * US_PER_MS)
#define SCENE_SECOND     US_PER_S

struct scene;

/* One moment of a viewer's, every SCENE_SAMPLE_US. */
struct scene_sample {
    int64_t at_us;
    uint32_t link_bps;        /* what its link carries at that moment */
    uint32_t sent, delivered; /* bytes on the wire since the last sample */
    uint32_t rtx;             /* of sent: retransmissions and probes */
    uint32_t estimate_bps;
    uint32_t queue_us;       /* what the packet delivered last had waited */
    int8_t layer, tid;       /* shown last; -1: nothing yet */
    const char *why, *moved; /* the router's words: why no more is sent; what moved the estimate */
    uint32_t aim_bps, backlog_us;
    uint16_t loss_q8;
};

struct scene_viewer {
    struct scene *scene;
    int index;
    struct peer *peer; /* NULL: has left */
    struct router *r;
    uint64_t id;
    struct open *open;
    struct seal *seal;
    struct player *player;
    struct stream_check *check[PLAYER_VIDEOS];
    bool encrypted, checked; /* else the checker is left out, for crowds */
    struct transport_check transport;
    struct wire *down, *up;
    int64_t joined_us;
    /* since the last sample */
    struct scene_sample now;
    struct scene_sample *samples;
    int n_samples, cap_samples;
    /* every packet delivered: what it waited */
    struct {
        int64_t at_us;
        uint32_t queue_us;
    } * queue;
    int n_queue, cap_queue;
    uint64_t sent_bytes, delivered_bytes, dropped;
};

struct scene_publisher {
    struct scene *scene;
    int index;
    struct peer *peer;
    struct router *r;
    uint64_t id, stream;
    struct open *open;
    struct seal *seal;
    struct camera *camera[PLAYER_VIDEOS];
    int n_cameras;
    struct wire *up, *down;
    uint32_t audio_ssrc, audio_ts;
    uint16_t audio_seq;
    bool red;
    int64_t next_audio_us, next_report_us;
    uint64_t audio_packets;
    uint64_t nacked; /* numbers that the router asked for */
};

/* Traffic that yields to nothing. */
struct scene_filler {
    struct wire *wire;
    double share; /* of what the link carries */
    int64_t start_us, stop_us;
    double owed; /* bytes */
};

struct scene {
    struct sim *sim;
    uint64_t seed;
    struct scene_viewer *viewers[SCENE_VIEWERS];
    int n_viewers;
    struct scene_publisher *publishers[SCENE_PUBLISHERS];
    int n_publishers;
    struct wire *wires[SCENE_WIRES];
    int n_wires;
    struct tcp_flow *flows[SCENE_FLOWS];
    int n_flows;
    struct scene_filler fillers[4];
    int n_fillers;
    int64_t next_sample_us;
    int64_t start_us;
};

struct scene_view_params {
    uint64_t stream; /* 0: every section waits for scene_slot */
    int worker;
    int n_videos;        /* 0 means 1 */
    enum codec_id codec; /* CODEC_NONE: VP8 */
    bool no_rtx, remb, red, unchecked;
    struct wire *down, *up; /* NULL: perfect, 1 ms */
    bool lossy_source;      /* for the checker: the publisher's packets may be lost */
    bool encrypted;         /* as the publisher's cameras */
};

struct scene *scene_new(uint64_t seed);
void scene_free(struct scene *s);
/* Owned by the scene. */
struct wire *scene_wire(struct scene *s, const struct wire_params *p);
/* A link of constant rate (bps 0: none), drop-tail at queue_us, with this delay. */
struct wire *scene_link(struct scene *s, const struct wire_step *trace, int n, int64_t delay_us,
                        int64_t queue_us);
/* Publishes n cameras and audio as stream; up and down NULL: perfect, 10 ms. */
struct scene_publisher *scene_publish(struct scene *s, uint64_t stream,
                                      const struct camera_params *p, int n, struct wire *up,
                                      struct wire *down);
struct scene_viewer *scene_view(struct scene *s, const struct scene_view_params *p);
void scene_leave(struct scene_viewer *v);
/* The viewer's section (0 audio, 1.. video) plays a stream from now on. */
void scene_slot(struct scene_viewer *v, int mline, uint64_t stream);
/* Cross traffic over a wire; owned by the scene. */
struct tcp_flow *scene_flow(struct scene *s, struct wire *w, const struct tcp_params *p);
/* Traffic over a wire that takes this share of its rate, whatever happens. */
void scene_fill(struct scene *s, struct wire *w, double share, int64_t from_us, int64_t to_us);
void scene_run(struct scene *s, int64_t us);
/* Virtual time since the scene began. */
int64_t scene_now(const struct scene *s);

/* The usual camera: VP8, 150, 500 and 1,500 kbps, three temporal layers, 30 fps. */
struct camera_params scene_camera(void);
/* One SSRC with three spatial layers, each building on the one below: 150, 500 and 1,500 kbps in
 * all. */
struct camera_params scene_svc_camera(enum codec_id codec);
/* VP9 whose spatial layers build on each other in key frames only, each with its whole rate. */
struct camera_params scene_ksvc_camera(void);

/* ---- what can be measured; times are since the scene began, [from, to) ---- */

struct scene_freezes {
    int count; /* libwebrtc's rule: a gap above max(3 x mean, mean + 150 ms) */
    int64_t total_us, longest_us;
    int stalls; /* gaps above 500 ms, */
    int64_t stalls_us;
};
struct scene_freezes scene_freezes(const struct scene_viewer *v, int video, int64_t from_us,
                                   int64_t to_us);
/* From when on until to_us every picture shown was of at least that layer (and had none of a lower
 * tid cut: a picture of tid was shown within 300 ms); -1: never. */
int64_t scene_settled(const struct scene_viewer *v, int video, int layer, int64_t from_us,
                      int64_t to_us);
/* First picture shown of at least that layer, after from_us; -1: none. */
int64_t scene_first(const struct scene_viewer *v, int video, int layer, int64_t from_us);
/* Changes of the layer shown. */
int scene_switches(const struct scene_viewer *v, int video, int64_t from_us, int64_t to_us);
/* Share of the time in which the layer shown was at least layer, and moved; 0..1. */
double scene_share(const struct scene_viewer *v, int video, int layer, int64_t from_us,
                   int64_t to_us);
/* Rate of pictures shown (encoded bits), bps. */
double scene_shown_bps(const struct scene_viewer *v, int video, int64_t from_us, int64_t to_us);
/* Pictures per second of at least that layer. */
double scene_fps(const struct scene_viewer *v, int video, int layer, int64_t from_us,
                 int64_t to_us);
/* From when on every second until to_us had fps pictures of at least that layer; -1: never. */
int64_t scene_fluent(const struct scene_viewer *v, int video, int layer, double fps,
                     int64_t from_us, int64_t to_us);
/* Rate delivered on the wire, everything included, bps; and sent. */
double scene_delivered_bps(const struct scene_viewer *v, int64_t from_us, int64_t to_us);
double scene_sent_bps(const struct scene_viewer *v, int64_t from_us, int64_t to_us);
/* Waiting time in the bottleneck: the share p of all delivered packets waited at most this. */
int64_t scene_queue_us(const struct scene_viewer *v, int64_t from_us, int64_t to_us, double p);
/* For how long in all the queue was above us. */
int64_t scene_queue_above(const struct scene_viewer *v, int64_t from_us, int64_t to_us, int64_t us);
/* The first moment from which 400 ms of sending stay within bps; -1: none. */
int64_t scene_sending_below(const struct scene_viewer *v, int64_t from_us, int64_t to_us,
                            uint32_t bps);
/* All streams of the viewer are as the checker wants them; else what is wrong, in text. */
bool scene_clean(const struct scene_viewer *v, char *text, size_t cap);

#endif
