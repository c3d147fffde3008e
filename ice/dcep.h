/* SPDX-License-Identifier: Apache-2.0 */
/* dcep.h - the Data Channel Establishment Protocol (RFC 8832): reads and writes its two messages,
 * OPEN and ACK. Pure; any thread. */
#ifndef ICE_DCEP_H
#define ICE_DCEP_H

#include "rtp/base.h"

/* Payload protocol identifiers of SCTP messages (RFC 8831 8). The deprecated partial ones, 52 and
 * 54, are not used. */
enum dcep_ppid {
    DCEP_PPID_CONTROL = 50, /* an OPEN or ACK */
    DCEP_PPID_STRING = 51,
    DCEP_PPID_BINARY = 53,
    DCEP_PPID_STRING_EMPTY = 56, /* one zero byte that stands for an empty message */
    DCEP_PPID_BINARY_EMPTY = 57,
};

#define DCEP_TEXT_MAX 256 /* bytes of a label or protocol (SEC-75) */
#define DCEP_OPEN_MAX (12 + 2 * DCEP_TEXT_MAX)
#define DCEP_ACK_LEN  1

/* What is given up for a message that does not get through. */
enum dcep_kind {
    DCEP_RELIABLE,
    DCEP_REXMIT, /* at most param retransmissions */
    DCEP_TIMED,  /* at most param milliseconds */
};

struct dcep_reliability {
    enum dcep_kind kind;
    bool unordered;
    uint32_t param; /* 0 when reliable */
};

/* An OPEN. Texts are not terminated; after reading they lie in the message. */
struct dcep_open {
    uint16_t priority; /* 128 below normal, 256 normal, 512 high, 1024 extra high (RFC 8831 6.4) */
    struct dcep_reliability reliability;
    uint16_t label_len, protocol_len;
    const char *label, *protocol;
};

enum dcep_type {
    DCEP_ACK = 2,
    DCEP_OPEN = 3,
};

/* Reads a message of PPID 50. Returns its type, with *ret_open filled for an OPEN; -EBADMSG when
 * the lengths do not add up or the message is empty; -E2BIG when a text is longer than
 * DCEP_TEXT_MAX; -EPROTONOSUPPORT for unknown message or channel types. RFC 8832 5, 8.2.1. */
int dcep_read(const uint8_t *msg, size_t len, struct dcep_open *ret_open) MUST_CHECK;

/* Writes an OPEN. Returns its length, or -ENOSPC when cap is too small, -E2BIG for a text that is
 * too long. */
int dcep_write_open(const struct dcep_open *open, uint8_t *out, size_t cap) MUST_CHECK;
/* Writes an ACK. */
void dcep_write_ack(uint8_t out[DCEP_ACK_LEN]);

/* True for the PPIDs of user messages: string and binary, empty or not. */
bool dcep_is_user(uint32_t ppid);

#endif
