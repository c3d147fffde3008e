/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_bio.h - a BIO that keeps datagrams apart both ways (a memory BIO merges them): reading gives
 * the one datagram that was put in, writing appends to a short queue. It also remembers how far
 * sealed records have been numbered, for dtls_stub.h. Private to dtls.c and dtls_stub.c. */
#ifndef ICE_DTLS_BIO_H
#define ICE_DTLS_BIO_H

#include "rtp/base.h"

#include <openssl/bio.h>

#define DTLS_QUEUE_LEN 16

struct dtls_io {
    const uint8_t *in; /* the datagram to be read; NULL: none */
    size_t in_len;
    uint8_t *out[DTLS_QUEUE_LEN]; /* heap */
    uint16_t out_len[DTLS_QUEUE_LEN];
    unsigned out_first;
    unsigned out_n;
    uint32_t out_dropped;     /* datagrams that found the queue full */
    uint64_t sealed_seq;      /* record sequence number (48 bits) for the next sealed record */
    uint64_t sealed_explicit; /* explicit nonce of the last sealed record, RFC 5288 3 */
};

/* NULL on failure. io outlives the BIO. */
BIO *dtls_bio_new(struct dtls_io *io);

/* Appends a copy; when the queue is full or memory is short the datagram is lost, as UDP may. */
void dtls_bio_push(struct dtls_io *io, const uint8_t *buf, size_t len);
/* Appends the newest queued datagram once more; nothing if there is none. */
void dtls_bio_repeat_last(struct dtls_io *io);
/* Moves the oldest into out; 0 when there is none or cap is too small for it (then it is lost). */
size_t dtls_bio_pop(struct dtls_io *io, uint8_t *out, size_t cap);
/* Empties the queue. */
void dtls_bio_clear(struct dtls_io *io);

#endif
