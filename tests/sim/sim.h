/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - the real router under a virtual clock: scripted publishers and viewers, real sealing, two
 * workers joined by real rings, links with delay and loss. A test advances time; nothing sleeps.
 * Everything random comes from one seed, printed when a check fails. */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include "conf/conf.h"
#include "sfu/router.h"
#include "tests/vla_write.h"

#define SIM_WORKERS        2
#define SIM_VIEWERS_MAX    1024
#define SIM_PUBLISHERS_MAX 64
#define SIM_LAYERS_MAX     3

/* A viewer's checks: what came must be one gapless stream once repairs are in. */
struct sim_stream {
    uint32_t ssrc;
    bool any;
    uint64_t top; /* highest extended sequence number */
    uint32_t first_ts, top_ts;
    uint8_t seen[8192]; /* by number modulo: 1 = arrived; covers the last 8,192 */
    uint64_t packets, rtx, lost_on_link, duplicates;
    uint64_t rtx_back; /* repair of an older packet than the one before it at the same moment */
    uint64_t rtx_seq;  /* number of the last that was repaired, */
    int64_t rtx_us;    /* and when */
    uint64_t bad;      /* content that is not what its number promises */
    uint64_t ts_back;  /* timestamps that went back in sequence order */
    uint64_t pid_gaps; /* VP8 picture ids that do not follow each other */
    uint64_t missing;  /* numbers given up: still absent 1,000 later */
    uint16_t last_pid;
    bool has_pid;
    uint64_t last_frame_id; /* frame counter painted into the payload */
    uint8_t pt;
    uint8_t layer; /* painted into the payload */
    uint64_t layer_packets[4];
    uint64_t tid_packets[4]; /* of the newest in order */
    int64_t first_us, last_us;
    uint64_t reports; /* SRs seen */
};

struct sim_viewer {
    struct peer *peer;
    struct router *r;
    uint64_t id;
    struct open *open; /* opens what the router sealed */
    struct seal *seal; /* what the router seals with; a link owns it outside the simulator */
    struct sim_stream audio, video;
    double loss; /* downlink, 0..1 */
    bool nacks;  /* asks again for what is missing */
};

struct sim_publisher {
    struct peer *peer;
    struct router *r;
    uint64_t id, stream;
    struct open *open;
    struct seal *seal;
    struct {
        uint32_t ssrc, rtx_ssrc;
        uint16_t seq, rtx_seq;
        uint32_t ts;
        uint64_t frame;
        uint16_t pid;
        uint8_t tl0;
        int packets_per_frame;
        bool key_wanted, paused;
        int n_tid; /* temporal layers: 1, or 3 as T0 T2 T1 T2 */
        uint8_t sent[2048][1400];
        uint16_t sent_len[2048];
    } layer[SIM_LAYERS_MAX];
    int n_layers;
    uint32_t audio_ssrc;
    uint16_t audio_seq;
    uint32_t audio_ts;
    double loss;  /* uplink */
    bool red;     /* audio is sent as RFC 2198 with one redundant block */
    bool padding; /* a padding-only packet after every frame */
    bool ignores_pli;
    uint8_t word[VLA_WRITE_MAX]; /* what it says of its layers with each frame's first packet; its
                                    first two bits are filled in */
    size_t word_len;             /* 0: nothing */
    uint8_t level;               /* audio: RFC 6464 byte sent with each packet, 0: none */
    bool silent, blind;          /* sends no audio, no video */
    bool answers_nacks;
    uint64_t plis, nacks, rtx_sent, twccs, key_frames;
    uint64_t next_frame_us, next_audio_us;
};

struct sim {
    struct conf conf;
    struct router r[SIM_WORKERS];
    struct ring *ring[SIM_WORKERS][SIM_WORKERS];
    struct ring *to[SIM_WORKERS][OWNER_WORKERS_MAX];
    struct tx_batch batch;
    int64_t now_us;
    int64_t step_us; /* 1 ms; more where time need not be so fine */
    uint64_t seed, random;
    struct sim_viewer *viewers[SIM_VIEWERS_MAX];
    int n_viewers;
    struct sim_publisher *publishers[SIM_PUBLISHERS_MAX];
    int n_publishers;
    uint64_t next_id;
    uint64_t events[API_EV_DATA + 1]; /* by enum api_ev_kind */
    struct api_level level;           /* of the latest API_EV_LEVELS with a loud stream */
    bool
        encoders; /* publishers to come have no feedback for send-side estimation, as browsers do */
    bool audio_flows, video_flows; /* of the latest API_EV_TRACKS */
    enum api_fault fault;          /* in the latest API_EV_FAULT */
    uint64_t query_id;             /* the session in the latest API_EV_STATS */
    unsigned query_n;              /* and how many it told of */
    enum api_reason last_reason;
    struct {
        int worker;
        struct api_cmd cmd;
    } cmds[256];
    int n_cmds;
    /* A network beside the one here (scene.h): is offered every packet first, and every step. */
    bool (*on_packet)(uint64_t owner, const uint8_t *pkt, size_t len, void *net);
    void (*on_step)(void *net);
    void *net;
};

/* now starts at start_us. */
struct sim *sim_new(uint64_t seed, int64_t start_us);
void sim_free(struct sim *s);
double sim_random(struct sim *s); /* 0..1 */

/* A publisher of VP8 with n_layers rids (1: no simulcast) and Opus into stream on worker. seq0: its
 * first sequence numbers; ts0: timestamps. */
struct sim_publisher *sim_publish(struct sim *s, int worker, uint64_t stream, int n_layers,
                                  uint16_t seq0, uint32_t ts0);
/* A viewer of stream on worker, 0: of nothing yet; rtx: negotiated. */
struct sim_viewer *sim_view(struct sim *s, int worker, uint64_t stream, bool rtx);
/* The same, with RED negotiated; opus_pt: the viewer's payload type for Opus. */
struct sim_viewer *sim_view_red(struct sim *s, int worker, uint64_t stream, uint8_t opus_pt);
void sim_leave(struct sim *s, struct sim_viewer *v);
/* The publisher goes; the stream stays. */
void sim_unpublish(struct sim *s, struct sim_publisher *p);

/* The viewer's section goes over to a stream or alias; 0: nothing. */
void sim_slot(struct sim *s, struct sim_viewer *v, uint8_t mline, uint64_t stream);
/* id stands for target on both workers. */
void sim_alias(struct sim *s, uint64_t id, uint64_t target);

/* Begins to tell the levels of a stream. */
void sim_want_levels(struct sim *s, int worker, uint64_t stream);
/* Asks worker for the numbers of a session, 0: of all. */
void sim_query(struct sim *s, int worker, uint64_t session);
/* A session of n_mlines sections, the first audio, the others video, with the extensions that all
 * here negotiate; codecs and SSRCs are the caller's, and so is it until it is posted. */
struct api_session *sim_session(struct sim *s, enum api_role role, uint64_t stream, int n_mlines);
/* Gives a peer keys, as a finished handshake would; returns the far side's opener. */
struct open *sim_bring_up(struct sim *s, struct peer *p, struct seal **ret_seal);
void sim_post(struct sim *s, int worker, struct api_cmd cmd);
/* Every worker learns that stream's publisher is on worker (-1: nowhere). */
void sim_announce(struct sim *s, uint64_t stream, int worker, uint64_t publisher);

/* Runs for us microseconds of virtual time. */
void sim_run(struct sim *s, int64_t us);

#endif
