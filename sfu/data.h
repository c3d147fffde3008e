/* SPDX-License-Identifier: Apache-2.0 */
/* data.h - what a data channel message means: who of a room gets it. All associations of the
 * process and all their state live here, on one thread; packets come from and go to the workers. No
 * sockets, no clock, no threads of its own (data_loop.h has them). Role DATA.
 *
 * A client opens a channel with a label. What it sends there reaches every other session of its
 * room that has a channel with the same label open; with a label "L@name", only the sessions called
 * name that have L open. A reader gets one channel for each sender and label, made by the server
 * when there is something to send, with that label, the sender's reliability, and the protocol
 * "sender=NAME" ("&direct=1" when addressed, "&protocol=…" if the sender's channel has one). It is
 * closed when the sender closes its channel or leaves. A reader that closes it hears no more from
 * that channel. The label "sluice" is the server's own: MAIN reads and writes it.
 *
 * A reader that is slower than others loses messages of lossy channels, and loses the channel where
 * messages must not be lost: it is closed, so that both sides know. A sender is read more slowly,
 * and SCTP holds it up, when it is faster than the settings allow, and when none of the readers of
 * a reliable channel keeps up, as long as one gets on: who keeps up never waits for who does not.
 */
#ifndef SFU_DATA_H
#define SFU_DATA_H

#include "rtp/base.h"
#include "sfu/api.h"

struct conf;
struct data;

struct data_ports {
    /* One SCTP packet for the peer of a session. False when it could not be taken: it is lost. */
    bool (*packet)(int worker, uint64_t session, const uint8_t *pkt, size_t len, void *ctx);
    /* For MAIN; the callee owns what ev owns. */
    void (*event)(struct api_event *ev, void *ctx);
    void *ctx;
};

struct data_params {
    const struct conf *conf; /* outlives it */
    struct data_ports ports;
    uint64_t (*random)(void); /* unpredictable */
};

/* A session as its worker tells of it once DTLS is up. */
struct data_open {
    uint64_t id;
    int worker;
    bool client_even; /* the peer is the DTLS client: its streams are even (RFC 8832 6) */
    struct api_data data;
};

/* One at a time in a process, as there is one SCTP stack. NULL when out of memory. */
struct data *data_new(const struct data_params *p);
void data_free(struct data *d); /* accepts NULL */

/* A session has come up: its association begins. */
void data_on_open(struct data *d, const struct data_open *o, int64_t now_us);
/* It has ended; harmless for one that is not there. */
void data_on_close(struct data *d, uint64_t id);
bool data_has(const struct data *d, uint64_t id);
/* An SCTP packet from its peer. */
void data_on_packet(struct data *d, uint64_t id, const uint8_t *pkt, size_t len, int64_t now_us);
/* A text message on the control channel of a session, or (session 0) of all of a room. */
void data_send(struct data *d, uint64_t session, const char *room, const char *text, size_t len);

/* Reads and routes what has come. Returns true when there is more: call again after other work. */
bool data_turn(struct data *d, int64_t now_us);
/* Timers; every ASSOC_TICK_US while data_sessions is not 0. */
void data_tick(struct data *d, int64_t now_us);
unsigned data_sessions(const struct data *d);

/* Counters; only those named data_ and drop_sctp_ move. */
const struct api_counters *data_counters(const struct data *d);
/* Calls fn for each session whose numbers have changed since the last call. */
void data_each_changed(struct data *d,
                       void (*fn)(int worker, uint64_t id, const struct api_data_stats *st,
                                  void *ctx),
                       void *ctx);

#endif
