/* SPDX-License-Identifier: Apache-2.0 */
/* peer_data.h - SCTP and data channels of a test peer: usrsctp without threads, on the peer's loop,
 * and DCEP (RFC 8832). One association a peer, any number of peers, one loop a process. */
#ifndef TESTS_PEER_PEER_DATA_H
#define TESTS_PEER_PEER_DATA_H

#include "tests/peer/peer_loop.h"

#define PEER_CHANNELS_MAX 1024 /* stream ids that are looked at */
#define PEER_LABEL_MAX    256

/* Payload protocol identifiers. */
enum peer_ppid {
    PEER_PPID_DCEP = 50,
    PEER_PPID_STRING = 51,
    PEER_PPID_BINARY = 53,
    PEER_PPID_STRING_EMPTY = 56,
    PEER_PPID_BINARY_EMPTY = 57,
};

/* Channel types of RFC 8832 5.1. */
enum peer_channel_type {
    PEER_CHANNEL_RELIABLE = 0x00,
    PEER_CHANNEL_REXMIT = 0x01,
    PEER_CHANNEL_TIMED = 0x02,
    PEER_CHANNEL_UNORDERED = 0x80, /* or'ed to one of these */
};

enum peer_channel_state {
    PEER_CHANNEL_NONE,
    PEER_CHANNEL_OPENING, /* OPEN sent */
    PEER_CHANNEL_OPEN,
    PEER_CHANNEL_CLOSING, /* our half is being reset */
};

struct peer_channel {
    enum peer_channel_state state;
    bool theirs; /* the other side opened it */
    uint8_t type;
    uint32_t param;
    uint16_t priority;
    char label[PEER_LABEL_MAX + 1];
    char protocol[PEER_LABEL_MAX + 1];
    uint64_t messages, bytes; /* received */
};

struct peer_message {
    uint16_t sid;
    uint32_t ppid;
    const uint8_t *data;
    size_t len;
};

/* Any may be NULL. */
struct peer_data_events {
    void (*on_message)(void *ctx, const struct peer_message *m);
    /* A channel was opened by the other side, acknowledged, or closed. */
    void (*on_channel)(void *ctx, uint16_t sid, enum peer_channel_state s);
    void (*send)(void *ctx, const uint8_t *pkt, size_t len); /* must be there */
    void *ctx;
};

struct peer_data;

/* Begins to connect. even: our streams are the even ones (we are the DTLS client). NULL when
 * usrsctp refuses. */
struct peer_data *peer_data_new(struct peer_loop *l, uint16_t remote_port, bool even,
                                const struct peer_data_events *ev);
void peer_data_free(struct peer_data *d); /* nothing is sent; accepts NULL */
/* A decrypted packet. */
void peer_data_input(struct peer_data *d, const uint8_t *pkt, size_t len);

bool peer_data_is_up(const struct peer_data *d);
bool peer_data_is_down(const struct peer_data *d); /* aborted, or given up */
/* True: throws away what comes, as a peer that does not read any more. */
void peer_data_set_deaf(struct peer_data *d, bool deaf);
/* The verification tag that the other side expects, 0 before it is known: for forging. */
uint32_t peer_data_tag(const struct peer_data *d);

/* Opens a channel on the next free stream of ours. Returns its id or -errno. */
int peer_data_open(struct peer_data *d, const char *label, const char *protocol, uint8_t type,
                   uint32_t param);
/* NULL: there is none on that stream. */
const struct peer_channel *peer_data_channel(const struct peer_data *d, uint16_t sid);
/* The first channel of the other side's with this label and protocol, or -1. */
int peer_data_find(const struct peer_data *d, const char *label, const char *protocol);
/* A message with the channel's reliability; any stream will do. Returns 0, -EAGAIN when the buffer
 * is full, or -errno. */
int peer_data_send(struct peer_data *d, const struct peer_message *m);
/* Resets our half. Returns 0 or -errno. */
int peer_data_close(struct peer_data *d, uint16_t sid);

/* Writes an SCTP packet of one chunk with a right checksum: 12 + 4 + len bytes and padding. Returns
 * its length. */
size_t peer_data_forge(uint32_t tag, uint8_t type, uint8_t flags, const void *value, size_t len,
                       uint8_t *out, size_t cap);

#endif
