/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - a scriptable WebRTC peer for tests and load: publishes or plays through WHIP and WHEP,
 * verifies every packet it gets, and misbehaves on command. It shares no code with the server: its
 * STUN, SDP, RTP, RTCP and HTTP are its own, DTLS is OpenSSL's, SRTP libsrtp2's, so that an error
 * of the server cannot hide behind the same error in its test.
 *
 * Single-threaded on a peer_loop (peer_loop.h); one UDP socket per peer, thousands of peers per
 * loop. Life of a peer:
 *
 *   NEW ─peer_join─► POSTING ─201─► ICE ─check answered─► DTLS ─► UP ─► CLOSED
 *                       └────────────── any failure: FAILED ──────────────┘
 *
 * With params.lite the peer plays the server's part instead: peer_answer takes an offer and returns
 * the answer. Two peers can thus talk to each other without any server. */
#ifndef TESTS_PEER_PEER_H
#define TESTS_PEER_PEER_H

#include "tests/peer/peer_clip.h"
#include "tests/peer/peer_data.h"
#include "tests/peer/peer_dtls.h"
#include "tests/peer/peer_loop.h"
#include "tests/peer/peer_media.h"
#include "tests/peer/peer_rtp.h"
#include "tests/peer/peer_sdp.h"

struct peer;

enum peer_role {
    PEER_PUBLISH,
    PEER_PLAY,
};

enum peer_state {
    PEER_NEW,
    PEER_POSTING,
    PEER_ICE,
    PEER_DTLS,
    PEER_UP,
    PEER_CLOSED, /* DTLS closed by either side, or peer_close */
    PEER_FAILED, /* peer_error says why */
};
const char *peer_state_name(enum peer_state s);

/* Behaviour of lesser clients. */
enum peer_quirk {
    PEER_QUIRK_NO_EXTENSIONS = 1 << 0, /* offers no header extensions: no MID, no TWCC */
    PEER_QUIRK_NO_CANDIDATES = 1 << 1, /* offer without candidates, as OBS and FFmpeg do */
    PEER_QUIRK_NO_SSRC_LINES = 1 << 2,
    PEER_QUIRK_NO_RSIZE = 1 << 3,
    PEER_QUIRK_BARE_CHECKS = 1 << 4,     /* no PRIORITY, no ICE-CONTROLLING, as FFmpeg */
    PEER_QUIRK_NO_CONSENT = 1 << 5,      /* no STUN once DTLS is up, neither asked nor answered */
    PEER_QUIRK_IGNORE_PLI = 1 << 6,      /* keyframes by its own clock only, as OBS */
    PEER_QUIRK_BAD_FINGERPRINT = 1 << 7, /* offers another certificate's fingerprint */
    PEER_QUIRK_ACCEPT_FAULTS = 1 << 8,   /* goes on with an answer that peer_sdp_fault refuses */
    PEER_QUIRK_NO_MID = 1 << 9,          /* MID negotiated but not sent on audio, as OBS */
    PEER_QUIRK_IDS_AT_FIRST = 1 << 10,   /* MID and RID on a stream's first packets only */
    PEER_QUIRK_SIM_GROUP = 1 << 11,      /* layers by ssrc-group:SIM, without rids, as munged */
};

/* What is wrong with received media; each occurrence is counted. */
enum peer_fault {
    PEER_FAULT_DESCRIPTOR, /* codec descriptor broken or contradicting the content */
    PEER_FAULT_HEADER,     /* no embedded header */
    PEER_FAULT_CHECKSUM,   /* content changed */
    PEER_FAULT_DUPLICATE,  /* a sequence number twice on the media SSRC */
    PEER_FAULT_TIMESTAMP,  /* goes backwards in sequence order */
    PEER_FAULT_MARKER,     /* frame boundary without marker, or marker inside a frame */
    PEER_FAULT_PICTURE_ID, /* picture id not contiguous in sequence order */
    PEER_FAULT_TL0,        /* TL0PICIDX out of step with the temporal layers */
    PEER_FAULT_ORDER,      /* packets of a frame missing or out of order without a gap in seq */
    PEER_FAULT_SWITCH,     /* another layer or source began with something else than a keyframe */
    PEER_FAULT_PT,         /* payload type that was not negotiated */
    PEER_FAULT_SSRC,       /* SSRC other than the announced one */
    PEER_FAULT_MID,        /* MID extension names another section */
    PEER_FAULT_EXTENSION,  /* header extension id that was not negotiated */
    PEER_FAULT_RTX,        /* RTX of a packet that was never sent or with other bytes */
    PEER_FAULT_RTCP,       /* malformed or not about this session */
    PEER_FAULT_COUNT
};
const char *peer_fault_name(enum peer_fault f);

/* One received media packet, after verification. */
struct peer_packet {
    const struct peer_rtp *rtp;
    enum peer_codec codec;
    unsigned section; /* m-line, from 0 */
    bool video;
    bool retransmitted;             /* came as RTX */
    const struct peer_embed *embed; /* NULL when it was not opened (verify_sparse) or is faulty */
    int64_t at_ns;                  /* kernel receive time, monotonic */
    int64_t latency_ns;             /* at_ns - embed->sent_ns; 0 without embed */
};

struct peer_http_response;

/* A message on a data channel: what peer_data.h tells, and of whom. */
typedef void(peer_message_fn)(void *ctx, struct peer *p, const struct peer_message *m);

/* Any may be NULL. A callback must not free the peer; it may call everything else. */
struct peer_events {
    void (*on_state)(void *ctx, struct peer *p, enum peer_state s);
    void (*on_packet)(void *ctx, struct peer *p, const struct peer_packet *pkt);
    void (*on_rtcp)(void *ctx, struct peer *p, const struct peer_rtcp *r);
    /* Answers to POST, PATCH and DELETE alike. */
    void (*on_http)(void *ctx, struct peer *p, const char *method,
                    const struct peer_http_response *r);
    peer_message_fn *on_message;
    /* Every incoming datagram as it is on the wire, before anything else. */
    void (*on_wire)(void *ctx, struct peer *p, const uint8_t *buf, size_t len);
    /* Every SRTP or SRTCP packet that opened, whole and in plaintext, before it is judged. */
    void (*on_plain)(void *ctx, struct peer *p, bool rtcp, const uint8_t *buf, size_t len);
    void *ctx;
};

struct peer_params {
    enum peer_role role;
    bool lite;         /* play the server's part (peer_answer) */
    const char *url;   /* WHIP or WHEP endpoint, http:// only; copied */
    const char *token; /* Bearer; NULL = none; copied */
    const char *agent; /* User-Agent of the POST; NULL = "peer/1"; not copied */
    unsigned n_audio;  /* m-lines; more than one only for playing slots */
    unsigned n_video;
    unsigned codecs;                       /* bits 1 << enum peer_codec; video codecs offered */
    unsigned n_layers;                     /* simulcast encodings when publishing; 1 = plain */
    const char *rids[PEER_LAYERS_MAX];     /* not copied; default "q", "h", "f", "e" */
    uint32_t video_ssrcs[PEER_LAYERS_MAX]; /* 0 = random */
    unsigned temporal_layers;              /* 1..3 */
    bool rtx, nack, twcc;
    bool trickle; /* candidate by PATCH after the answer */
    bool ipv6;
    const char *setup;   /* DTLS role in the offer: "actpass", "active", "passive"; not copied */
    const char *srtp;    /* OpenSSL's profile list; not copied */
    bool fast;           /* GCM by EVP instead of libsrtp2 */
    bool verify_sparse;  /* open one packet per track and second; count the rest by header */
    unsigned quirks;     /* enum peer_quirk */
    uint64_t seed;       /* media, losses; credentials are random all the same */
    uint32_t stream_id;  /* publishing: written into every packet */
    unsigned video_kbps; /* highest layer; each lower one a quarter */
    unsigned fps;
    unsigned keyframe_ms; /* own keyframe interval; 0 = on request only */
    unsigned audio_pps;
    unsigned audio_bytes;
    unsigned twcc_ms; /* feedback interval as a viewer */
    bool twcc_anyway; /* feedback even where the sender writes no numbers: it counts packets */
    int rcvbuf_bytes; /* 0 = the system's default */
    int64_t join_timeout_us; /* POST to DTLS up */
    bool data;               /* offers data channels, alone when there are no other m-lines */
    uint32_t message_bytes;  /* a=max-message-size in the offer; 0 = not said */
    /* Publishing VP8 without layers: real pictures, and silence for sound, in place of what can be
     * verified. Not copied; NULL = none. A wish for a key frame begins it anew. */
    const struct peer_clip *clip;
    struct peer_events events;
};

/* Defaults: publish 1 Opus at 50 pps and 1 VP8 at 1000 kbps, 30 fps, keyframe each 10 s; RTX, NACK
 * and TWCC on; actpass; GCM-128 before AES-CM; 15 s to join. */
void peer_params_init(struct peer_params *p);

/* Counters since peer_new. Times are monotonic microseconds, 0 = has not happened. */
struct peer_stats {
    int64_t post_us, answer_us, ice_us, dtls_us, first_packet_us, first_keyframe_us, closed_us;
    int http_status; /* of the POST; 0 = none came */
    enum peer_profile profile;
    bool dtls_server;

    uint64_t rx_datagrams, rx_bytes;
    uint64_t rx_wrong_source; /* from another address than the nominated one */
    uint64_t rx_unknown;      /* no RFC 7983 kind, or unreadable */
    uint64_t rx_lost_here;    /* dropped by peer_set_loss */
    uint64_t rx_kernel_drops; /* our own socket buffer overflowed */
    uint64_t rx_unauthentic;  /* SRTP or SRTCP that does not open */
    uint64_t rx_replayed;     /* libsrtp2's replay check */
    uint64_t stun_requests, stun_responses, stun_bad, stun_errors, stun_stale;
    uint64_t tx_datagrams, tx_bytes, tx_lost_here, tx_failed;

    uint64_t packets; /* media packets with a new sequence number, recovered ones included */
    uint64_t opened;  /* of these, decrypted and verified */
    uint64_t bytes;   /* of all SRTP packets, as received */
    uint64_t missing, missing_video; /* gaps noticed; those of video tracks among them */
    uint64_t recovered;              /* filled by RTX or late arrival */
    uint64_t lost, lost_video;       /* given up */
    uint64_t rtx, rtx_needless;      /* RTX packets; those for what was already here */
    uint64_t padding;                /* packets without payload */
    uint64_t frames, keyframes;      /* complete */
    uint64_t frames_skipped; /* frame numbers passed over without a gap (layers cut by server) */
    uint64_t layer_switches, source_switches;
    int64_t newest_ns; /* when the newest packet sent was sent; of those received and opened, too */
    uint64_t faults[PEER_FAULT_COUNT];

    uint64_t sent_packets, sent_bytes, sent_frames, sent_keyframes, sent_rtx;
    uint64_t nacks_received, nack_seqs_received, nack_unknown, plis_received, firs_received;
    uint64_t twcc_received, twcc_bad, rembs_received, reports_received, byes_received;
    uint64_t sender_reports_received;
    uint64_t nacks_sent, plis_sent, twcc_sent;
    int64_t rtt_us; /* from report blocks (publisher); 0 = unknown */
};

/* Returns NULL when memory or a socket is not to be had. id is shared and outlives the peer. */
struct peer *peer_new(struct peer_loop *l, struct peer_identity *id, const struct peer_params *p);
void peer_free(struct peer *p); /* at once, nothing is sent; accepts NULL */

/* Posts the offer and goes on alone. Returns 0 or -errno. */
int peer_join(struct peer *p);
/* Without HTTP: the offer's text (valid until the next call), and the answer to it. */
const char *peer_offer(struct peer *p);
int peer_set_answer(struct peer *p, const char *answer, size_t len);
/* After peer_offer: what was really sent in its place (edited, or another client's with our
 * credentials). Returns 0 or -errno. */
int peer_use_offer(struct peer *p, const char *offer);
/* Lite: the answer to an offer (valid until the next call), or NULL. */
const char *peer_answer(struct peer *p, const char *offer, size_t len);

enum peer_state peer_state(const struct peer *p);
const char *peer_error(const struct peer *p); /* "" while nothing failed */
const struct peer_stats *peer_stats(struct peer *p);
const struct peer_params *peer_params(const struct peer *p);
uint64_t peer_faults(const struct peer *p);      /* all faults together */
const char *peer_location(const struct peer *p); /* session URL of the 201, "" if none */
const char *peer_etag(const struct peer *p);
const struct peer_sdp *peer_remote(const struct peer *p); /* NULL before the answer */

/* Data channels; NULL until DTLS is up, or when the answer refused them. */
struct peer_data *peer_data(struct peer *p);

/* ---- misbehaviour and scripting ---- */

/* Drops this share of datagrams, drawn from the seed. media_only: STUN and DTLS pass. */
void peer_set_loss(struct peer *p, double in, double out, bool media_only);
/* True: sends nothing at all any more, but goes on listening. */
void peer_set_silent(struct peer *p, bool silent);
/* Whether its audio levels tell of a voice (they do at first) or of a quiet room. */
void peer_set_voice(struct peer *p, bool voice);
/* Media stops or goes on; RTCP and STUN continue. */
void peer_set_paused(struct peer *p, bool paused);
/* Publishing simulcast: this encoding sends nothing, as when the encoder cannot keep up. */
void peer_set_layer_paused(struct peer *p, unsigned layer, bool paused);
/* Any bytes to the server's address, as they are. Returns 0 or -errno. */
int peer_send_raw(struct peer *p, const uint8_t *buf, size_t len);
/* Plaintext RTP or RTCP of any content, protected with this session's keys. */
int peer_send_rtp(struct peer *p, const uint8_t *buf, size_t len);
int peer_send_rtcp(struct peer *p, const uint8_t *buf, size_t len);
/* SCTP packets or anything else as DTLS application data. */
int peer_send_data(struct peer *p, const uint8_t *buf, size_t len);
/* A new socket, as after NAT rebinding; check: announce it by a STUN request at once. */
int peer_rebind(struct peer *p, bool check);
/* New credentials through PATCH, If-Match: "*"; checks follow with the answer. */
int peer_ice_restart(struct peer *p);
/* The same in two steps without HTTP: a fragment with new credentials (returns its length, 0 if it
 * does not fit), and the fragment that answers it (0 or -EBADMSG). */
size_t peer_restart_fragment(struct peer *p, char *out, size_t cap);
int peer_restart_answer(struct peer *p, const char *text, size_t len);
/* A trickle fragment with the current credentials and our candidate. Returns its length, or 0. */
size_t peer_fragment(struct peer *p, char *out, size_t cap);
void peer_request_keyframe(struct peer *p, bool fir); /* of every video track received */
void peer_force_keyframe(struct peer *p);             /* publishing: next frame of every layer */
void peer_send_bye(struct peer *p);
void peer_send_close(struct peer *p); /* DTLS close_notify; the state becomes CLOSED */
/* HTTP DELETE of the session URL; the answer comes to on_http. Returns 0, -ENOENT without URL. */
int peer_delete(struct peer *p);
/* A PATCH of any kind on the session URL. if_match NULL = left out. */
int peer_patch(struct peer *p, const char *type, const char *if_match, const char *body);

#endif
