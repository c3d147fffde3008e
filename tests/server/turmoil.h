/* SPDX-License-Identifier: Apache-2.0 */
/* turmoil.h - the guests of test_turmoil and what they do. A deed returns whether there was
 * somebody to do it. State of one program; seeded by turmoil.rng. */
#ifndef TESTS_SERVER_TURMOIL_H
#define TESTS_SERVER_TURMOIL_H

#include "tests/peer/peer_internal.h"
#include "tests/server/server_relay.h"

#define TURMOIL_GUESTS    14
#define TURMOIL_ASKS      24
#define TURMOIL_WIRES     12
#define TURMOIL_OFFERS    80
#define TURMOIL_STRANGERS 2

struct turmoil_guest {
    struct peer *p; /* NULL: free */
    struct server_relay relay;
    bool relayed;
    char *offer;   /* sent in the place of its own; NULL: its own */
    uint64_t life; /* whose answer it is */
};

/* A request under way, of a guest that joins, or of anybody. */
struct turmoil_ask {
    struct peer_http *http;      /* NULL: free */
    struct turmoil_guest *joins; /* NULL: nobody reads the answer */
    uint64_t life;
};

struct turmoil {
    struct server server;
    struct peer_rng rng;
    uint64_t spared; /* sessions up to this id take no part */
    char *offers[TURMOIL_OFFERS];
    unsigned n_offers;
    struct turmoil_guest guests[TURMOIL_GUESTS];
    struct turmoil_ask asks[TURMOIL_ASKS];
    int wires[TURMOIL_WIRES]; /* connections to the HTTP or media port, -1: free */
    int strangers[TURMOIL_STRANGERS];
};
extern struct turmoil turmoil;

/* Reads offers and opens sockets; the server runs. Ends the program when there are none. */
void turmoil_open(void);
/* All guests go without a word, requests and connections are dropped. */
void turmoil_all_leave(void);
/* Frees what turmoil_open made. */
void turmoil_close(void);

/* Uniform in [0, n). */
unsigned turmoil_any(unsigned n);
/* True once in n. */
bool turmoil_maybe(unsigned n);
/* Somebody whose peer is in one of these states; NULL if there is nobody. */
struct turmoil_guest *turmoil_guest(enum peer_state from, enum peer_state to);
/* A wish as a member of a room says it, or nearly. */
const char *turmoil_wish(void);

typedef bool turmoil_deed(void);

/* turmoil_guests.c */
turmoil_deed turmoil_come, turmoil_post_offer, turmoil_leave;
/* turmoil_signaling.c */
turmoil_deed turmoil_patch, turmoil_ask_session, turmoil_moderate, turmoil_kick, turmoil_reload;
/* Sends a request without waiting for the answer, which joins reads. path begins with a slash, or
 * is a whole URL. Returns whether a place was free. */
bool turmoil_request(bool admin, const char *method, const char *path, const char *type,
                     const char *body, struct turmoil_guest *joins);
/* turmoil_packets.c: media and transport, data channels, connections of nobody */
turmoil_deed turmoil_send_rtcp, turmoil_nacks, turmoil_send_rtp, turmoil_check, turmoil_raw,
    turmoil_move, turmoil_break_frames, turmoil_change_media;
turmoil_deed turmoil_open_channel, turmoil_say, turmoil_sctp;
turmoil_deed turmoil_speak_raw;

#endif
