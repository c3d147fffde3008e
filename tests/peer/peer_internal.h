/* SPDX-License-Identifier: Apache-2.0 */
/* peer_internal.h - the inside of struct peer, shared by peer.c (life and signaling), peer_net.c
 * (socket, ICE, DTLS), peer_flow.c (media both ways), peer_feedback.c (RTCP) and
 * peer_script.c (misbehaviour). */
#ifndef TESTS_PEER_PEER_INTERNAL_H
#define TESTS_PEER_PEER_INTERNAL_H

#include "tests/peer/peer_http.h"
#include "tests/peer/peer_rx.h"
#include "tests/peer/peer_srtp.h"
#include "tests/peer/peer_stun.h"
#include "tests/peer/peer_tx.h"

#include <netinet/in.h>

#define PEER_RX_MAX   40
#define PEER_TX_MAX   (PEER_LAYERS_MAX + 1)
#define PEER_CALL_MAX 8

struct peer_creds {
    char ufrag[257];
    char pwd[257];
};

/* One HTTP request under way. */
struct peer_call {
    struct peer *peer;
    struct peer_http *http; /* NULL = free */
    const char *method;
    bool restart;
};

struct peer {
    struct peer_loop *loop;
    struct peer_identity *identity;
    struct peer_params params;
    char *url, *token;
    enum peer_state state;
    char error[200];
    struct peer_stats stats;
    struct peer_rng rng;
    double loss_in, loss_out;
    bool loss_media_only, silent, paused;
    unsigned paused_layers; /* bits */

    /* signaling */
    struct peer_call calls[PEER_CALL_MAX];
    char location[512];
    char etag[160];
    char *text;              /* our offer or answer */
    struct peer_sdp *ours;   /* what we said; freed once the answer is in */
    struct peer_sdp *theirs; /* what the other side said */
    struct peer_timer join_timer;

    /* ICE */
    struct peer_watch watch;
    uint16_t port;
    char ip[INET6_ADDRSTRLEN];
    struct peer_creds local, remote;
    struct peer_creds next_local; /* of a restart that is being negotiated */
    uint64_t tie_breaker;
    uint8_t tid[12];
    unsigned cand, tries;
    bool checking, nominated;
    int64_t alive_us; /* last valid response */
    struct sockaddr_storage to;
    socklen_t to_len; /* 0 = no address yet */
    struct peer_timer ice_timer;
    uint32_t overflows; /* SO_RXQ_OVFL of this socket */

    /* DTLS and SRTP */
    bool dtls_server;
    struct peer_dtls *dtls;
    struct peer_srtp *srtp;
    struct peer_data *data; /* NULL = none */
    struct peer_timer dtls_timer;

    /* media */
    bool rsize;
    enum peer_codec codec_of_pt[128]; /* PEER_CODEC_COUNT = not negotiated */
    uint8_t apt_of_pt[128];           /* RTX: what it repairs; 0 = no RTX */
    uint8_t ext[PEER_SDP_MEDIA_MAX][PEER_EXT_COUNT];
    uint8_t ext_any[256]; /* ids negotiated anywhere */
    bool nack_ok, twcc_ok;
    unsigned n_sections;
    uint32_t ssrc; /* sender of our feedback */
    uint32_t audio_ssrc, video_ssrc[PEER_LAYERS_MAX], rtx_ssrc[PEER_LAYERS_MAX];
    char cname[24];
    struct peer_tx_env env;
    struct peer_tx tx[PEER_TX_MAX];
    unsigned n_tx;
    struct peer_rx *rx[PEER_RX_MAX];
    unsigned n_rx;
    int64_t media_start_us;
    uint64_t audio_ticks, video_ticks;
    struct peer_timer audio_timer, video_timer, report_timer, feedback_timer;
    struct peer_twcc twcc;
    bool twcc_started;
    bool twcc_numbered;       /* the sender has written a transport-wide number */
    uint16_t twcc_own_number; /* twcc_anyway */
    int64_t twcc_due_us;      /* INT64_MAX = nothing pending */
    uint8_t fir_nr;
};

/* peer.c */
void peer_enter(struct peer *p, enum peer_state s);
__attribute__((format(printf, 2, 3))) void peer_fail(struct peer *p, const char *fmt, ...);
void peer_make_creds(struct peer_creds *c);
void peer_local_sdp(struct peer *p, struct peer_sdp_local *ret);

/* peer_net.c */
int peer_net_open(struct peer *p);
void peer_net_close(struct peer *p);
void peer_net_start_checks(struct peer *p);
void peer_net_check_now(struct peer *p);
/* Sends a datagram to the nominated address; media tells peer_set_loss what it is. */
int peer_net_send(struct peer *p, const uint8_t *buf, size_t len, bool media);
void peer_net_stop(struct peer *p);

/* peer_flow.c */
/* Prepares streams from the answer (ours or theirs). Returns 0 or -errno. */
int peer_flow_setup(struct peer *p, const struct peer_sdp *answer, const struct peer_sdp *offer);
void peer_flow_fini(struct peer *p);
void peer_flow_start(struct peer *p);
void peer_flow_stop(struct peer *p);
void peer_flow_rtp(struct peer *p, uint8_t *buf, size_t len, int64_t at_ns);
/* The stream of an SSRC, or of an RTX SSRC; NULL if there is none. */
struct peer_rx *peer_flow_rx(struct peer *p, uint32_t ssrc, bool rtx);

/* peer_feedback.c */
void peer_feedback_setup(struct peer *p);
void peer_feedback_start(struct peer *p);
void peer_feedback_rtcp(struct peer *p, uint8_t *buf, size_t len);
void peer_feedback_send(struct peer *p, const struct peer_rtcp_out *o);
/* Something may have become due: a gap, a TWCC report. */
void peer_feedback_arm(struct peer *p);
/* A packet with this transport-wide number arrived. */
void peer_feedback_twcc(struct peer *p, uint16_t seq, int64_t at_ns);

#endif
