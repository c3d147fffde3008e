/* SPDX-License-Identifier: Apache-2.0 */
/* data_loop.h - the DATA thread: a libuv loop around struct data, and its ways to MAIN and the
 * workers. SCTP packets travel in one ring per worker and direction; what does not fit is lost, and
 * SCTP repairs it. Openings and endings of sessions come by mailbox. The thread of each function is
 * named with it. */
#ifndef SFU_DATA_LOOP_H
#define SFU_DATA_LOOP_H

#include "sfu/data.h"
#include "sfu/mailbox.h"

struct data_loop;

struct data_loop_params {
    const struct conf *conf; /* outlives it */
    int n_workers;
    struct mailbox *to_main;             /* struct api_event */
    void (*wake)(int worker, void *ctx); /* there is something in its ring; called on DATA */
    void *ctx;
};

enum data_record_kind {
    DATA_RECORD_PACKET, /* an SCTP packet for the session's peer */
    DATA_RECORD_STATS,  /* a struct api_data_stats */
};

/* What a worker finds in its ring. */
struct data_record {
    enum data_record_kind kind;
    uint32_t len;
    uint64_t session;
    uint8_t bytes[];
};

/* Everything but the thread. Returns 0 or -errno. MAIN. */
int data_loop_new(const struct data_loop_params *p, struct data_loop **ret) MUST_CHECK;
/* Starts the thread. Returns 0 or -errno. MAIN. */
int data_loop_start(struct data_loop *l) MUST_CHECK;
/* Ends the thread. Workers may go on calling; nothing comes of it. MAIN. */
void data_loop_stop(struct data_loop *l);
/* Frees it, after the workers have ended. Accepts NULL. MAIN. */
void data_loop_free(struct data_loop *l);

/* A session is up, with data channels negotiated. MEDIA. */
void data_loop_open(struct data_loop *l, const struct data_open *o);
/* It has ended. MEDIA. */
void data_loop_close(struct data_loop *l, uint64_t id);
/* An SCTP packet from its peer. False when the ring is full. MEDIA. */
bool data_loop_put(struct data_loop *l, int worker, uint64_t id, const uint8_t *pkt, size_t len);
/* The next record for a worker, valid until data_loop_pop; NULL: none. MEDIA. */
const struct data_record *data_loop_peek(struct data_loop *l, int worker);
void data_loop_pop(struct data_loop *l, int worker);

/* As plane_data_send. MAIN. */
int data_loop_send(struct data_loop *l, uint64_t session, const char *room, const char *text,
                   size_t len) MUST_CHECK;
/* Adds its counters, at most a second old. Any thread. */
void data_loop_add_counters(struct data_loop *l, struct api_counters *sum);

#endif
