/* SPDX-License-Identifier: Apache-2.0 */
/* peer_stun.h - STUN Binding messages for ICE (RFC 8489, RFC 8445 7), written and read from the
 * RFC's text, independent of the server's codec. Pure. */
#ifndef TESTS_PEER_PEER_STUN_H
#define TESTS_PEER_PEER_STUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PEER_STUN_REQUEST    0x0001
#define PEER_STUN_INDICATION 0x0011
#define PEER_STUN_SUCCESS    0x0101
#define PEER_STUN_ERROR      0x0111
#define PEER_STUN_USER_MAX   513

struct peer_stun {
    uint16_t type;
    uint8_t tid[12];
    char username[PEER_STUN_USER_MAX + 1]; /* "" = absent */
    uint32_t priority;                     /* 0 = absent */
    bool use_candidate;
    bool has_controlling;
    bool has_controlled;
    uint64_t tie_breaker;
    int error_code;                 /* 300..699; 0 = absent */
    struct sockaddr_storage mapped; /* XOR-MAPPED-ADDRESS; ss_family 0 = absent */
    size_t integrity_at;            /* offset of MESSAGE-INTEGRITY; 0 = absent */
    bool has_fingerprint;
};

/* Reads one message. Returns 0; -EBADMSG when it is not well-formed STUN, its length is wrong, or
 * its FINGERPRINT does not fit. */
int peer_stun_read(const uint8_t *buf, size_t len, struct peer_stun *ret);

/* Whether MESSAGE-INTEGRITY of a read message fits the password. */
bool peer_stun_verify(const uint8_t *buf, const struct peer_stun *s, const char *password);

/* Writes a message from those fields that are set, MESSAGE-INTEGRITY with password (NULL = leave it
 * out) and FINGERPRINT. Returns its length, 0 if it does not fit cap (20..2048). */
size_t peer_stun_write(const struct peer_stun *s, const char *password, uint8_t *out, size_t cap);

#endif
