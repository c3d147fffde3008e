/* SPDX-License-Identifier: Apache-2.0 */
/* peer_dtls.h - DTLS 1.2 with use_srtp (RFC 5764) on OpenSSL, one datagram at a time. Both roles.
 * No sockets: datagrams leave through a callback. */
#ifndef TESTS_PEER_PEER_DTLS_H
#define TESTS_PEER_PEER_DTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_profile {
    PEER_PROFILE_NONE = 0,
    PEER_PROFILE_CM_SHA1_80 = 1, /* SRTP_AES128_CM_HMAC_SHA1_80 */
    PEER_PROFILE_GCM_128 = 7,    /* SRTP_AEAD_AES_128_GCM */
    PEER_PROFILE_GCM_256 = 8,    /* SRTP_AEAD_AES_256_GCM */
};

#define PEER_SRTP_KEY_MAX  32
#define PEER_SRTP_SALT_MAX 14

/* What the exporter gave, sorted by direction. */
struct peer_srtp_keys {
    enum peer_profile profile;
    size_t key_bytes;
    size_t salt_bytes;
    uint8_t tx_key[PEER_SRTP_KEY_MAX];
    uint8_t tx_salt[PEER_SRTP_SALT_MAX];
    uint8_t rx_key[PEER_SRTP_KEY_MAX];
    uint8_t rx_salt[PEER_SRTP_SALT_MAX];
};

/* One P-256 certificate and its SSL_CTX, shared by any number of peers. */
struct peer_identity;

struct peer_identity *peer_identity_new(void); /* NULL when OpenSSL refuses */
void peer_identity_free(struct peer_identity *id);
/* "AB:CD:..." of SHA-256. */
const char *peer_identity_fingerprint(const struct peer_identity *id);

/* The same with another hash: "sha-384", "sha-512". False if it is not known. */
bool peer_identity_digest(const struct peer_identity *id, const char *alg, char *out, size_t cap);
/* Gives certificate and key to an SSL_CTX of somebody else's. */
struct ssl_ctx_st;
void peer_identity_use(const struct peer_identity *id, struct ssl_ctx_st *ctx);

enum peer_dtls_event {
    PEER_DTLS_NONE,
    PEER_DTLS_UP,
    PEER_DTLS_CLOSED, /* close_notify came */
    PEER_DTLS_FAILED, /* alert or broken handshake */
};

typedef void(peer_dtls_send_fn)(void *ctx, const uint8_t *buf, size_t len);

struct peer_dtls;

/* profiles: OpenSSL's colon list, e.g. "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80". Returns NULL
 * when it is not understood or memory is short. */
struct peer_dtls *peer_dtls_new(struct peer_identity *id, bool server, const char *profiles,
                                peer_dtls_send_fn *send, void *ctx);
void peer_dtls_free(struct peer_dtls *d);

/* Client: sends the ClientHello. Server: nothing. Returns PEER_DTLS_NONE or _FAILED. */
enum peer_dtls_event peer_dtls_start(struct peer_dtls *d);
/* One datagram. UP and CLOSED are reported once. */
enum peer_dtls_event peer_dtls_input(struct peer_dtls *d, const uint8_t *buf, size_t len);
/* Application data of the datagram that peer_dtls_input was given last; NULL: none. */
const uint8_t *peer_dtls_data(const struct peer_dtls *d, size_t *ret_len);
/* Microseconds until a flight must be repeated; -1 = nothing to repeat. */
int64_t peer_dtls_timeout_us(struct peer_dtls *d);
/* Repeats it. Returns PEER_DTLS_FAILED after too many times. */
enum peer_dtls_event peer_dtls_on_timer(struct peer_dtls *d);

/* After UP. Returns false when no SRTP profile was negotiated. */
bool peer_dtls_keys(struct peer_dtls *d, struct peer_srtp_keys *ret);
/* Whether the peer's certificate has this digest. alg: as in a=fingerprint ("sha-256"); hex
 * compared without case. */
bool peer_dtls_peer_matches(struct peer_dtls *d, const char *alg, const char *fingerprint);
/* Sends close_notify. */
void peer_dtls_close(struct peer_dtls *d);
/* Application data (SCTP). Returns 0 or -EAGAIN. */
int peer_dtls_write(struct peer_dtls *d, const uint8_t *buf, size_t len);
/* Last handshake error in OpenSSL's words; "" if none. */
const char *peer_dtls_error(const struct peer_dtls *d);

#endif
