/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - one session on its worker: link, and what it publishes or plays. Created by
 * API_CMD_SESSION_ADD, ended once, with a reason. Role MEDIA. */
#ifndef SFU_PEER_H
#define SFU_PEER_H

#include "ice/link.h"
#include "rtp/list.h"
#include "rtp/prefetch.h"
#include "sfu/api.h"

struct brain;
struct router;
struct ingest;
struct sub;
struct stream;
struct tx_batch;

struct peer {
    /* What every packet to it touches: two lines of the cache. */
    _Alignas(PREFETCH_LINE) struct list pending; /* router->pending */
    struct router *router;
    uint64_t id;
    struct seal *seal;   /* the link's; NULL before DTLS is up */
    struct sub *subs;    /* viewer: owned, one per media section */
    struct brain *brain; /* viewer: owned */
    uint8_t n_subs;
    bool has_path;
    bool gso_off;     /* the kernel refused a segmented run to this peer */
    bool owes_report; /* viewer: SR and SDES; publisher: feedback */
    bool owes_link;   /* STUN answers, DTLS flights */
    bool silent;
    bool ending;
    bool up;
    _Alignas(PREFETCH_LINE) struct path path; /* where packets go; meaningful with has_path */
    /* Reports and looks touch the third. */
    _Alignas(PREFETCH_LINE) struct link *link; /* owned; NULL in the simulator */
    struct api_session *session;               /* owned */
    struct list watched;                       /* router->watched[slice % ROUTER_LOOKS] */
    struct list paced;                         /* router->paced */
    int64_t heard_us;
    uint32_t estimate_bps; /* viewer: by brain.h; 0 = there is none */
    unsigned slice;
    /* The rest. */
    _Alignas(PREFETCH_LINE) struct list wheel; /* router->wheel[slice] */
    struct list kin;                           /* router->publishers or ->connecting */
    struct stream *stream;                     /* publisher: published into */
    struct ingest *ingest;                     /* publisher: owned */
    bool live;                                 /* publisher: media has come */
    unsigned flows;            /* publisher: bit k: media of kind k flows, as MAIN was told */
    unsigned faults;           /* publisher: bit f: MAIN was told of enum api_fault f */
    enum codec_id video_codec; /* publisher with several: as MAIN was told */
    bool timed_out;            /* ending for want of media */
    bool data_open;            /* the DATA thread knows the session */
    struct api_data_stats data_stats; /* as the DATA thread told last */
    int64_t created_us, up_us;
    uint32_t remb_bps;      /* viewer's own; 0 = none */
    uint64_t addr_keys[8];  /* keys in router->addrs, to take out at the end */
    struct addr addrs[8];   /* the addresses themselves */
    unsigned n_addr_keys;   /* added ever; a ring of the last ones */
    uint64_t ufrag_keys[2]; /* of ICE restarts, the last two generations */
    unsigned n_ufrag_keys;
    uint64_t drops_counted[LINK_DROP_COUNT]; /* already in the worker's counters */
    uint32_t rtcp_ssrc;                      /* sender SSRC of our RTCP to a publisher */
};

/* Takes over session. Returns NULL when out of memory (session is freed). */
struct peer *peer_new(struct router *r, struct api_session *session, int64_t now_us);
/* Says good-bye where it can (close_notify into b, which may be NULL), tells MAIN, frees. */
void peer_end(struct peer *p, enum api_reason reason, const char *detail, struct tx_batch *b);
/* The link has come up: keys are there. The simulator calls it with a seal of its own. */
void peer_on_up(struct peer *p, struct seal *seal, int64_t now_us);
/* A STUN packet came from this path: if it proved the path, what comes from there later is p's. */
void peer_on_stun(struct peer *p, const struct path *from);
/* A new generation of ICE credentials. Returns 0 or -ENOMEM: the old one stays. */
int peer_restart_ice(struct peer *p, const struct ice_creds *creds, int64_t now_us);
/* Takes events and answers out of the link after a datagram or a timer. */
void peer_drain_link(struct peer *p, int64_t now_us);
/* Seals what p owes; false when b was full first. On the packet path. */
bool peer_fill(struct peer *p, struct tx_batch *b, int64_t now_us);
/* The two parts of peer_fill beside media: what the link wants to send (STUN answers, DTLS
 * flights), and reports or feedback. False when b was full first. */
bool peer_send_link(struct peer *p, struct tx_batch *b);
bool peer_send_report(struct peer *p, struct tx_batch *b, int64_t now_us);
/* Media of a publisher was accepted. */
void peer_on_media(struct peer *p, int64_t now_us);
/* Time-outs of SEC-76 and architecture §9. Ends p when due: it is gone when this returns true. */
bool peer_check(struct peer *p, int64_t now_us);
/* A snapshot for the admin API and the last log line; heap, or NULL. */
struct api_session_stats *peer_stats(const struct peer *p, int64_t now_us);

#endif
