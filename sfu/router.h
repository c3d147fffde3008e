/* SPDX-License-Identifier: Apache-2.0 */
/* router.h - all streams and sessions of one worker, without sockets, clocks or threads: packets
 * and time in; sealed packets (tx.h), events for MAIN and commands for other workers out. tests/sim
 * runs it under a virtual clock. Role MEDIA.
 *
 *   router ─┬─ streams (id) ── tracks ── encodings ── history
 *           └─ peers (id) ──┬─ link
 *                           ├─ ingest: what a publisher's SSRCs are bound to
 *                           └─ subs: what a viewer gets */
#ifndef SFU_ROUTER_H
#define SFU_ROUTER_H

#include "ice/owner.h"
#include "ice/udp.h"
#include "sfu/api.h"
#include "sfu/peer.h"
#include "sfu/table.h"
#include "sfu/track.h"
#include "sfu/tx.h"

struct alloc_stream;
struct brain_cache;
struct rtcp_twcc_status;
struct ring;
struct conf;

/* Ways out that are not packets. Two implementations: the worker's mailboxes, and the simulator's.
 * A message that cannot be taken is finished by the callee. */
struct router_ports {
    void (*event)(struct api_event *ev, void *ctx);
    void (*command)(int worker, struct api_cmd *cmd, void *ctx);
    /* Handles the messages that MAIN has posted and the router has not seen yet; may be NULL. */
    void (*catch_up)(int64_t now_us, void *ctx);
    /* Data channels; all NULL when they are off. A session that negotiated them is up; an SCTP
     * packet came from its peer; it has ended. */
    void (*data_open)(const struct api_session *s, void *ctx);
    void (*data_packet)(uint64_t session, const uint8_t *pkt, size_t len, void *ctx);
    void (*data_close)(uint64_t session, void *ctx);
    void *ctx;
};

struct router_params {
    int worker; /* our number */
    int n_workers;
    const struct conf *conf; /* outlives the router */
    struct router_ports ports;
    struct ring **to_worker;    /* [n_workers], ours NULL: media for replicas */
    struct owner_table *owners; /* told of authenticated addresses; NULL in the simulator */
    uint64_t seed;              /* of sequence numbers, SSRCs and hashes */
};

/* Datagrams at a time: what their reports touch fits the first-level cache. */
#define ROUTER_AHEAD 8

#define ROUTER_WHEEL 100 /* viewers' reports are spread over a second in as many slices */
#define ROUTER_LOOKS 10  /* looks a second at a viewer for whom time alone may change something */

struct router {
    struct router_params p;
    uint64_t random;
    struct table streams;            /* id -> struct stream */
    struct table peers;              /* id -> struct peer */
    struct table ufrags;             /* hash of a local ufrag -> struct peer */
    struct table addrs;              /* hash of a remote address -> struct peer */
    struct list dirty;               /* struct track.dirty: packets came in this turn */
    struct list pending;             /* struct peer.pending: something is owed */
    struct list paced;               /* struct peer.paced: more is owed than may be sent now */
    struct list wheel[ROUTER_WHEEL]; /* struct peer.wheel: all */
    struct list publishers;          /* struct peer.kin */
    struct list leaving;             /* struct sub.follow.leaving */
    struct list levelled;            /* struct stream.levelled */
    struct list connecting;       /* struct peer.kin of peers whose link is not up: DTLS timers */
    struct alloc_stream *scratch; /* [ALLOC_STREAMS], of brain_look; owned */
    struct rtcp_twcc_status *statuses; /* [BRAIN_STATUSES], of brain_on_twcc; owned */
    struct brain_cache *estimates;     /* [BRAIN_CACHE]; owned */
    struct list watched[ROUTER_LOOKS]; /* struct peer.watched: viewers with something to decide */
    unsigned n_peers;
    int64_t levels_us, flows_us; /* when MAIN was last told (levels.c) */
    int64_t next_tick_us, next_pace_us;
    unsigned slice;
    int64_t wall_offset_us; /* wall clock minus monotonic, told by the loop */
    struct ring *later;     /* DTLS datagrams that wait for their turn */
    unsigned shaken;        /* DTLS datagrams taken in this turn */
    bool congested;      /* the socket is full: packets older than ROUTER_STALE_US are not sent */
    uint64_t ring_wakes; /* bit w: worker w has new records in its ring */
    struct api_counters n;
};

#define ROUTER_TICK_US  (10 * US_PER_MS)
#define ROUTER_PACE_US  (5 * US_PER_MS)
#define ROUTER_STALE_US (50 * US_PER_MS)

/* Returns 0 or -ENOMEM. */
int router_init(struct router *r, const struct router_params *p) MUST_CHECK;
/* Ends what is left. */
void router_fini(struct router *r);

/* A message from MAIN or another worker; finishes it. */
void router_on_cmd(struct router *r, struct api_cmd *cmd, int64_t now_us);

/* One datagram for peer p, from path from. Modified in place. */
void router_on_datagram(struct router *r, struct peer *p, const struct path *from, uint8_t *buf,
                        size_t len, int64_t now_us);
/* One datagram that is ours or nobody's: finds the peer by ufrag or address. Modified in place. */
void router_on_raw(struct router *r, const struct path *from, uint8_t *buf, size_t len,
                   int64_t now_us);
/* A turn has begun: handshakes may take their share of it again. The first of the DTLS datagrams
 * that wait is handled. Returns whether more wait: they want another turn, after what the worker
 * owes has been sent and what has come has been read. */
bool router_shake(struct router *r, int64_t now_us);
/* Ends at most max sessions; their close_notify goes into b. */
void router_end_some(struct router *r, enum api_reason reason, struct tx_batch *b, int max);
/* Decrypted packets of peer p (router_on_datagram uses these; the simulator calls them directly).
 */
void router_on_rtp(struct router *r, struct peer *p, uint8_t *pkt, size_t len, int64_t now_us);
void router_on_rtcp(struct router *r, struct peer *p, const uint8_t *pkt, size_t len,
                    int64_t now_us);
/* Brings near what the reports among in[0..n), n <= ROUTER_AHEAD, will touch: five times something
 * is followed to something else far away, and all of them wait for each together. Changes nothing.
 */
void router_prefetch_reports(const struct router *r, const struct udp_in *in, int n);
/* An SCTP packet for the peer of a session. */
void router_send_data(struct router *r, uint64_t session, const uint8_t *pkt, size_t len);
/* Everything that waits in the ring from another worker. datagrams for our peers included. */
void router_on_ring(struct router *r, struct ring *from, int64_t now_us);
/* Puts a foreign datagram into its owner's ring. */
void router_pass_on(struct router *r, int owner, const struct path *from, const uint8_t *buf,
                    size_t len);

/* Seals what is owed, viewer by viewer. Returns true when b filled up first: send it, clear it,
 * call again. */
bool router_fill(struct router *r, struct tx_batch *b, int64_t now_us);
/* How long it pays to wait for more packets before router_fill: until the frames that began in this
 * turn are whole, a viewer's packets leave as two messages instead of one. At most as long as
 * sending to all those viewers takes, 0 when no frame is open or few watch. Microseconds. */
int64_t router_patience_us(const struct router *r);
/* Reports, feedback, timers; at most once a ROUTER_TICK_US. Those who wait for their share of the
 * moment (router->paced) get another look, at most once a ROUTER_PACE_US. What it owes is sent by
 * the next router_fill. */
void router_tick(struct router *r, int64_t now_us);

/* The session with this id, or NULL. */
struct peer *router_peer(const struct router *r, uint64_t id);
/* The session that a local ufrag (len bytes) belongs to, or NULL. */
struct peer *router_peer_by_ufrag(const struct router *r, const char *ufrag, size_t len);
/* The session that has authenticated a packet from this address, or NULL. */
struct peer *router_peer_by_addr(const struct router *r, const struct addr *a);
/* Brings near what that looks at. */
void router_prefetch_addr(const struct router *r, const struct addr *a);

/* For peer.c, ingest.c, route.c: */
struct stream *router_stream(struct router *r, uint64_t id, bool create);
/* The stream's publisher is new: replicas and viewers are told, histories are forgotten. */
void router_restart_stream(struct router *r, struct stream *s, int64_t now_us);
/* Asks the publisher's worker for packets of s while somebody here watches, and to stop when nobody
 * does; asked_anew: also if it has been asked before. */
void router_settle_replica(struct router *r, struct stream *s, bool asked_anew);
/* Somebody has begun or ceased to play s: asks its worker for packets or to stop. s is gone
 * afterwards when nobody needs it. */
void router_settle_stream(struct router *r, struct stream *s);
uint64_t router_random(struct router *r);
/* Viewer p is looked at ROUTER_LOOKS times a second, until a look finds nothing that only waits. */
void router_watch(struct router *r, struct peer *p);
/* p owes something: the next router_fill visits it. */
void router_owe(struct router *r, struct peer *p);
/* Stores a packet of e, from a publisher or a ring, and wakes its viewers. False if it was there
 * already. On the packet path. */
bool route_store(struct router *r, struct encoding *e, const struct hist_in *in);
/* The same, and copies it to the workers that have viewers. On the publisher's worker; on the
 * packet path. */
bool route_put(struct router *r, struct encoding *e, const struct hist_in *in);
/* A viewer needs a key frame of e: asks the source, here or on its worker. urgent: it has no
 * picture until then. */
void router_want_key(struct router *r, struct encoding *e, bool urgent, int64_t now_us);

#endif
