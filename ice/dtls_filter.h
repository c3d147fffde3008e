/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_filter.h - looks at every DTLS datagram before OpenSSL does (SEC-49): what no honest peer
 * sends in this role and phase is dropped, and what makes OpenSSL hold memory is bounded. Pure; one
 * instance per session; role MEDIA.
 *
 * A datagram passes as a whole or not at all. Per record it checks: content type, version, epoch,
 * exact length, record rate, application data only after the handshake, the fixed shapes of
 * ChangeCipherSpec and alerts, the least length of a sealed record; per handshake fragment: message
 * type for the role, declared length, offset and length inside it, message_seq. Fragments are
 * allowed: a post-quantum ClientHello does not fit one datagram. */
#ifndef ICE_DTLS_FILTER_H
#define ICE_DTLS_FILTER_H

#include "rtp/base.h"

#define DTLS_DATAGRAM_MAX       2048
#define DTLS_CLIENT_HELLO_MAX   8192
#define DTLS_CERTIFICATE_MAX    16384
#define DTLS_CERTIFICATE_SEQ    2    /* highest message_seq of a Certificate: one cookie round */
#define DTLS_MESSAGE_MAX        4096 /* any other */
#define DTLS_MESSAGE_SEQ_AHEAD  4
#define DTLS_RECORDS_PER_S      64 /* application data not counted */
#define DTLS_SEALED_MIN_UNKNOWN 17 /* a byte and a tag */
#define DTLS_SEALED_MIN_AES_GCM 25 /* explicit nonce, a byte, a tag: RFC 5288 3 */
#define DTLS_RECORD_HDR         13
#define DTLS_HANDSHAKE_HDR      12

enum dtls_filter_reason {
    DTLS_FILTER_OK,
    DTLS_FILTER_DATAGRAM,     /* empty, or above DTLS_DATAGRAM_MAX */
    DTLS_FILTER_TYPE,         /* content type not 20…23 */
    DTLS_FILTER_VERSION,      /* not fe ff or fe fd; sealed and not fe fd */
    DTLS_FILTER_EPOCH,        /* above 1 */
    DTLS_FILTER_LENGTH,       /* record header cut, or record longer than the datagram, or empty */
    DTLS_FILTER_EARLY_DATA,   /* application data before the handshake is over, or not sealed */
    DTLS_FILTER_CCS,          /* ChangeCipherSpec that is not a single 1 in epoch 0 */
    DTLS_FILTER_ALERT,        /* unsealed alert other than a fatal one during the handshake */
    DTLS_FILTER_UNDERSIZED,   /* sealed record too short to hold nonce, tag and a byte */
    DTLS_FILTER_MESSAGE_TYPE, /* handshake message that the peer's role does not send */
    DTLS_FILTER_MESSAGE_LENGTH, /* declared length above the limit */
    DTLS_FILTER_FRAGMENT,       /* fragment outside its message, cut, or empty */
    DTLS_FILTER_MESSAGE_SEQ,    /* too far ahead, or a Certificate that comes late */
    DTLS_FILTER_RATE,           /* above DTLS_RECORDS_PER_S */
    DTLS_FILTER_COUNT
};

struct dtls_filter {
    bool server;        /* our role */
    bool up;            /* handshake over */
    uint8_t sealed_min; /* least length of a sealed record, bytes */
    /* message_seq that the peer has not completed yet, as far as one can see */
    uint16_t next_message;
    uint32_t covered;                  /* bytes of it that came, from its start */
    uint32_t records;                  /* since window_us */
    int64_t window_us;                 /* start of the second that records counts */
    uint32_t drops[DTLS_FILTER_COUNT]; /* datagrams by reason */
};

/* A new session. server: we are the DTLS server. */
void dtls_filter_init(struct dtls_filter *f, bool server);

/* The handshake is over: application data may pass. sealed_min: DTLS_SEALED_MIN_*. */
void dtls_filter_set_up(struct dtls_filter *f, uint8_t sealed_min);

/* Returns DTLS_FILTER_OK if the datagram may go on, else why not (also counted in drops). A
 * datagram that is refused changes nothing but counters. now_us: monotonic. */
enum dtls_filter_reason dtls_filter_check(struct dtls_filter *f, int64_t now_us, const uint8_t *buf,
                                          size_t len) MUST_CHECK;

/* Fixed string for counters. */
const char *dtls_filter_reason_name(enum dtls_filter_reason r);

#endif
