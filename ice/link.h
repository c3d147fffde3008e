/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - one peer's transport: ICE-lite, DTLS and SRTP behind one door. Sans-I/O: datagrams and
 * time in; plaintext packets, datagrams and events out. Sockets, the owner table and the clock
 * belong to the caller (sfu/worker.c). Role MEDIA.
 *
 *   LINK_NEW ──authenticated check──► LINK_ICE ──DTLS flights──► LINK_UP
 *   any of them ──close_notify, failed handshake, link_close──► LINK_CLOSED
 *
 * Nothing that a peer sends before its MESSAGE-INTEGRITY is verified changes any state (SEC-38,
 * SEC-58); media is sent only to an address that proved itself (SEC-40). */
#ifndef ICE_LINK_H
#define ICE_LINK_H

#include "ice/addr.h"
#include "ice/cert.h"
#include "ice/dtls.h"
#include "ice/seal.h"
#include "rtp/base.h"

#define ICE_UFRAG_MAX         256 /* RFC 8839 5.4 */
#define ICE_PWD_MAX           256
#define LINK_FINGERPRINTS_MAX 4
/* Generated credentials: ufrag 12 characters (the first names the owner, owner.h), pwd 24 (SEC-36).
 */
#define ICE_OUR_UFRAG_LEN 12
#define ICE_OUR_PWD_LEN   24

/* One generation of ICE credentials, both sides. Terminated strings. */
struct ice_creds {
    char local_ufrag[ICE_OUR_UFRAG_LEN + 1];
    char local_pwd[ICE_OUR_PWD_LEN + 1];
    char remote_ufrag[ICE_UFRAG_MAX + 1];
    char remote_pwd[ICE_PWD_MAX + 1];
};

struct link_params {
    const struct cert *cert;
    struct ice_creds creds;
    struct fingerprint fingerprints[LINK_FINGERPRINTS_MAX];
    unsigned n_fingerprints;
    enum dtls_role role;
    bool no_media; /* data channels alone: the peer need not offer use_srtp, nothing is sealed */
    bool only_cm;  /* restrict use_srtp to AES-CM (NACK without RTX) */
    bool data_channel;  /* keep OpenSSL's state: application data will travel */
    unsigned max_ssrcs; /* incoming SSRCs that may create state */
};

enum link_state {
    LINK_NEW,
    LINK_ICE,
    LINK_UP,
    LINK_CLOSED,
};

/* What one datagram turned out to be. */
enum link_in {
    LINK_IN_NOTHING, /* consumed (STUN, DTLS) or dropped and counted */
    LINK_IN_RTP,     /* plaintext RTP in place */
    LINK_IN_RTCP,    /* plaintext compound RTCP in place */
    LINK_IN_DATA,    /* an SCTP packet */
};

enum link_event {
    LINK_EVENT_NONE,
    LINK_EVENT_PATH, /* the path to send on was chosen or moved (link_path): tell the owner table */
    LINK_EVENT_UP,   /* DTLS finished: link_seal() is there */
    LINK_EVENT_CLOSED, /* peer closed, or the handshake failed: link_close_reason() */
};

/* Why a datagram was dropped; also the names of counters (link_drop_name). */
enum link_drop {
    LINK_DROP_STUN_MALFORMED,
    LINK_DROP_STUN_INTEGRITY, /* MESSAGE-INTEGRITY missing or wrong, or a half of USERNAME not ours
                               */
    LINK_DROP_STUN_OTHER,     /* responses, indications with nothing to do, other methods */
    LINK_DROP_DTLS_PATH,      /* DTLS from an address that has not proved itself */
    LINK_DROP_DTLS_FILTER,
    LINK_DROP_SRTP_PATH,  /* media from an address that has not proved itself (SEC-59) */
    LINK_DROP_SRTP_EARLY, /* media before DTLS finished */
    LINK_DROP_SRTP_AUTH,
    LINK_DROP_SRTP_REPLAY,
    LINK_DROP_SRTP_SSRCS,
    LINK_DROP_SIZE,
    LINK_DROP_DATA,    /* application data on a link without data channels */
    LINK_DROP_UNKNOWN, /* first byte in no RFC 7983 range */
    LINK_DROP_CLOSED,  /* anything after LINK_CLOSED: a closed link is silent (DTLS-12) */
    LINK_DROP_COUNT
};
/* "stun_malformed", …: for counters. */
const char *link_drop_name(enum link_drop d);

struct link;

/* Returns NULL when out of memory. now_us: monotonic. */
struct link *link_new(const struct link_params *p, int64_t now_us);
void link_free(struct link *l); /* accepts NULL */

/* One datagram (or one RFC 4571 frame). buf is modified in place.
 * from               where it came from, and which local address it was sent to
 * ret_data, ret_len  for RTP, RTCP, DATA: the plaintext, in buf but for DATA, which may lie
 *                    elsewhere until the next call
 * Drain link_poll and link_poll_event after each call. */
enum link_in link_on_datagram(struct link *l, int64_t now_us, const struct path *from, uint8_t *buf,
                              size_t len, uint8_t **ret_data, size_t *ret_len);

/* After LINK_IN_DATA: the next SCTP packet of the same datagram, should it hold several (DTLS
 * allows it, nobody is known to do it). Returns false when there is none. */
bool link_next_data(struct link *l, int64_t now_us, uint8_t **ret_data, size_t *ret_len);

/* The next datagram to send: STUN answers go back to where the request came from, DTLS to the
 * chosen path. Returns its length, 0 when there is none. cap >= RTP_PACKET_MAX. */
size_t link_poll(struct link *l, uint8_t *out, size_t cap, struct path *ret_to);
/* The next event, LINK_EVENT_NONE when there is none. Events of one kind are merged; PATH comes
 * before UP, CLOSED last. */
enum link_event link_poll_event(struct link *l);

/* Retransmits DTLS, gives a handshake up, frees OpenSSL's state: whatever is due. Drain link_poll
 * and link_poll_event afterwards. */
void link_on_timer(struct link *l, int64_t now_us);
int64_t link_next_deadline(const struct link *l); /* INT64_MAX: never */

enum link_state link_state(const struct link *l);
const char *link_close_reason(const struct link *l); /* fixed string; NULL while open */

/* Where media goes: the highest-priority nominated pair, the latest one among equals (ICE-11,
 * ICE-26). NULL before the first check. */
const struct path *link_path(const struct link *l);
/* The i-th address that proved itself, NULL beyond the last. Packets are accepted from all of them,
 * so all belong into the owner table; to be forgotten there when the link goes. */
const struct path *link_path_at(const struct link *l, unsigned i);
/* A TCP connection has gone: paths on it are forgotten. If the chosen one was among them there is a
 * LINK_EVENT_PATH, and link_path may be NULL again. */
void link_on_conn_closed(struct link *l, uint64_t conn);

/* Sealing and the negotiated profile; NULL and SRTP_NONE before LINK_UP and without media. */
struct seal *link_seal(struct link *l);
/* Brings near what a report of the peer will touch, in three steps, 0 to 2, since each follows
 * pointers that the one before has fetched. l may be NULL. Changes nothing. */
void link_prefetch(const struct link *l, unsigned step);
enum srtp_profile link_profile(const struct link *l);

/* Last time any authenticated packet came (STUN with valid integrity, SRTP, SRTCP, DTLS record),
 * monotonic us; 0 = never. */
int64_t link_last_heard(const struct link *l);
/* A new generation of credentials beside the old one; the old is forgotten once the new one
 * nominates a pair (ICE-25). DTLS stays. */
void link_restart(struct link *l, const struct ice_creds *creds, int64_t now_us);
/* True if ufrag (n bytes) is a current local ufrag, old or new generation. */
bool link_has_ufrag(const struct link *l, const char *ufrag, size_t n);

/* Queues an SCTP packet. Returns 0, -EAGAIN before LINK_UP and after, -EMSGSIZE (dtls_send). */
int link_send_data(struct link *l, const uint8_t *data, size_t len) MUST_CHECK;

/* Queues close_notify and enters LINK_CLOSED; drain link_poll afterwards. */
void link_close(struct link *l);

/* Drops since link_new, one count per reason. */
const uint64_t *link_drops(const struct link *l);

#endif
