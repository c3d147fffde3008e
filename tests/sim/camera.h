/* SPDX-License-Identifier: Apache-2.0 */
/* camera.h - one video track as an encoder and a sender produce it: layers, temporal layers, frames
 * of plausible sizes (key frames 5 to 8 times the mean, paid back afterwards), a pacer, answers to
 * PLI and NACK. Knows nothing of the router: packets come out of camera_poll. */
#ifndef TESTS_SIM_CAMERA_H
#define TESTS_SIM_CAMERA_H

#include "rtp/codec.h"
#include "tests/sim/truth.h"

#define CAMERA_LAYERS  4
#define CAMERA_SPATIAL 3
#define CAMERA_HISTORY 4096
#define CAMERA_PAYLOAD 1100
#define CAMERA_DD_MAX  160

/* Ids of header extensions, payload types: the same for every publisher here. */
#define CAMERA_PT      96
#define CAMERA_RTX_PT  97
#define CAMERA_MID_ID  4
#define CAMERA_RID_ID  10
#define CAMERA_RRID_ID 11
#define CAMERA_DD_ID   12
#define CAMERA_TYPE_ID 13 /* content type: written by screens */
#define CAMERA_VLA_ID  14

struct camera_params {
    enum codec_id codec;
    int n_layers;   /* SSRCs: simulcast, lowest first */
    int n_spatial;  /* of each SSRC: SVC; 1 = none */
    bool k_svc;     /* spatial layers build on each other in key frames only */
    int n_temporal; /* 1 or 3 */
    bool dd;        /* writes the Dependency Descriptor */
    bool vla; /* says which layers it sends, as Chromium does: in the first packet of each frame
                 until one of tid 0 has said it, when that changes and with key frames */
    bool encrypted; /* payloads are no such thing to who has not the key */
    int fps;
    uint32_t kbps[CAMERA_LAYERS]; /* of each SSRC, or of each spatial layer alone */
    int64_t encode_us;            /* from capture to the pacer */
    bool screen;                  /* static pictures, a new slide every slide_us */
    int64_t slide_us;
    double noise; /* slow change of the rate, share */
    bool ignores_pli;
    int64_t gop_us; /* a key frame of its own accord every so often; 0: never */
    const char *mid;
};

struct camera_packet {
    struct camera_packet *next;
    int64_t ready_us;
    size_t len;
    uint8_t buf[1500];
};

struct camera_layer {
    uint32_t ssrc, rtx_ssrc, ts_off;
    uint16_t seq, rtx_seq;
    uint32_t frame, tu; /* frames, pictures since the start */
    int phase;          /* within the temporal pattern */
    uint32_t last_t0[CAMERA_SPATIAL], last_t1[CAMERA_SPATIAL];
    uint16_t pid;
    uint16_t dd_off; /* frame numbers in the descriptor are ahead by this */
    uint8_t tl0;
    bool key_wanted, paused;
    bool started; /* a key frame has come */
    bool news;    /* of what is sent: not said yet */
    bool says;    /* the next packet says it */
    double debt_bits[CAMERA_SPATIAL];
    uint64_t packets, octets;
    uint32_t last_ts;
    int64_t last_key_us;
    uint64_t keys;
    uint64_t key_bytes, bytes;
    struct {
        uint16_t len, dd_len;
        uint8_t dd[CAMERA_DD_MAX];
        uint8_t buf[1400]; /* header and payload, without extensions */
    } sent[CAMERA_HISTORY];
};

struct camera {
    struct camera_params p;
    uint32_t source;
    uint64_t random;
    struct camera_layer layer[CAMERA_LAYERS];
    unsigned sent; /* those that are not paused, by bits */
    int64_t next_frame_us, next_slide_us;
    int64_t drift_us; /* the rate drifts at this pace */
    double drift;
    struct camera_packet *queue, **tail;
    double pace_tokens; /* bytes that may leave now */
    int64_t paced_us;
    uint64_t plis, nacks, rtx;
    uint32_t slide;                      /* how many slides were shown */
    int64_t slide_capture_us;            /* when the last one appeared */
    uint32_t slide_frame[CAMERA_LAYERS]; /* and the frame that completes it */
};

/* ssrc0: the first of a block of SSRCs. */
void camera_init(struct camera *c, const struct camera_params *p, uint32_t ssrc0, uint64_t seed,
                 int64_t now_us);
void camera_fini(struct camera *c);
/* Encodes what is due by now. */
void camera_step(struct camera *c, int64_t now_us);
/* Encrypts a payload, and decrypts it. */
void camera_crypt(uint8_t *payload, size_t len);
/* The next packet that the pacer lets go by now, NULL: none. The caller frees it. */
struct camera_packet *camera_poll(struct camera *c, int64_t now_us);
void camera_on_pli(struct camera *c, uint32_t ssrc);
void camera_on_nack(struct camera *c, uint32_t ssrc, uint16_t seq16, int64_t now_us);
/* What the whole track costs per second at most, and one layer with all below tid (RTP only). */
uint32_t camera_cost_bps(const struct camera *c, int layer, int sid, int tid);
double camera_random(struct camera *c);

/* For camera_codec.c: one frame of a layer, to be cut into packets. */
struct camera_frame {
    int layer, sid, tid;
    bool key, discardable, sync;
    bool first, last; /* of the picture */
    uint32_t frame, n_refs, refs[TRUTH_REFS];
    size_t bytes;
    uint32_t ts;
    int64_t capture_us, ready_us;
    int phase;
};
/* Cuts a frame into packets and gives them to the pacer. */
void camera_packetise(struct camera *c, const struct camera_frame *f);
/* Queues one finished packet of a layer; dd: extension bytes or NULL. */
void camera_queue(struct camera *c, int layer, const uint8_t *payload, size_t len, bool marker,
                  const struct camera_frame *f, const uint8_t *dd, size_t dd_len);

#endif
