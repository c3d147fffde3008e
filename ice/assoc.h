/* SPDX-License-Identifier: Apache-2.0 */
/* assoc.h - SCTP associations for data channels (RFC 8831, RFC 8261): usrsctp without threads of
 * its own, behind a packet filter. usrsctp is one global state with one clock, so there is one
 * stack a process; everything here belongs to the one thread that called assoc_stack_init. Role
 * DATA.
 *
 * Packets in by assoc_input, out by the callback; time by assoc_stack_tick. Nothing is called back
 * but the output: associations that have something to tell are handed out by assoc_next_ready and
 * read with assoc_read. What usrsctp knows an association by is a random number, never a pointer
 * (SEC-74): packets and upcalls for a number that is not in the table find nothing. */
#ifndef ICE_ASSOC_H
#define ICE_ASSOC_H

#include "ice/assoc_filter.h"
#include "ice/dcep.h"
#include "rtp/base.h"

#define ASSOC_PORT 5000 /* ours, in every answer */
/* Each way, from the start, as libwebrtc never adds any (DC-11). An idle association holds 61 kB
 * with 512 (usrsctp allocates them all), 114 kB with 1,024. */
#define ASSOC_STREAMS    512
#define ASSOC_PACKET_MAX 1136 /* bytes of an SCTP packet: fits a DTLS record of 1,200 (DC-14) */
#define ASSOC_TICK_US    (10 * US_PER_MS)

struct assoc;

/* One SCTP packet for the peer of association a, whose ctx this is. len <= ASSOC_PACKET_MAX. */
typedef void(assoc_output_fn)(const uint8_t *pkt, size_t len, void *ctx);

struct assoc_stack_params {
    assoc_output_fn *output;
    uint32_t max_message_bytes; /* largest message that any association takes */
    uint32_t send_buffer_bytes; /* of memory, not of payload, that may wait for one slow peer */
    uint64_t (*random)(void);   /* keys; unpredictable */
};

/* Starts the stack. Returns 0, -EBUSY when there is one already, -ENOMEM. */
int assoc_stack_init(const struct assoc_stack_params *p) MUST_CHECK;
/* All associations must be gone. */
void assoc_stack_fini(void);
/* Retransmissions and the like; every ASSOC_TICK_US while there are associations. now_us:
 * monotonic.
 */
void assoc_stack_tick(int64_t now_us);
unsigned assoc_stack_count(void);

/* A new association that begins to connect at once (both sides may: RFC 8831 6.2).
 * remote_port  the peer's a=sctp-port
 * ctx          given to output; the caller's
 * Returns NULL when out of memory. */
struct assoc *assoc_new(uint16_t remote_port, void *ctx, int64_t now_us);
/* Aborts it (one last packet goes out) and frees it. Accepts NULL. */
void assoc_free(struct assoc *a);
void *assoc_ctx(const struct assoc *a);

/* One packet from the peer. Returns why the filter refused it, ASSOC_FILTER_OK if it went on. */
enum assoc_filter_reason assoc_input(struct assoc *a, const uint8_t *pkt, size_t len,
                                     int64_t now_us);

enum assoc_event_kind {
    ASSOC_NOTHING,
    ASSOC_UP,
    ASSOC_DOWN,          /* for good; only assoc_free is left */
    ASSOC_MESSAGE,       /* whole */
    ASSOC_TOO_LONG,      /* a message above max_message_bytes; thrown away */
    ASSOC_RESET_BY_PEER, /* the peer has closed its half of these streams */
    ASSOC_RESET_DONE,    /* our half of these streams is closed */
};

/* Pointers are valid until the next call of assoc_read for any association. */
struct assoc_event {
    enum assoc_event_kind kind;
    uint16_t sid;
    uint16_t n_streams; /* ASSOC_UP: that we may send on */
    uint32_t ppid;
    const uint8_t *data;
    size_t len;
    const uint16_t *sids; /* of resets */
    unsigned n_sids;      /* 0: all streams */
};

/* The next association that may have something to read, taken off the list; NULL: none. */
struct assoc *assoc_next_ready(void);
/* Puts a back at the end of that list: it was not read to its end. */
void assoc_set_ready(struct assoc *a);
/* The next event. Returns false when there is none for now. */
bool assoc_read(struct assoc *a, struct assoc_event *ret);

struct assoc_message {
    uint16_t sid;
    uint32_t ppid;
    struct dcep_reliability reliability;
    const uint8_t *data;
    size_t len; /* > 0 */
};

/* Queues a message. Returns 0; -EAGAIN when the send buffer is full or the stream is being reset,
 * and nothing of it was taken; -EMSGSIZE when it is larger than the whole buffer; -ENOTCONN before
 * ASSOC_UP and after ASSOC_DOWN. */
int assoc_send(struct assoc *a, const struct assoc_message *m) MUST_CHECK;
/* Closes our half of a stream once what is queued on it has gone (RFC 8831 6.7). ASSOC_RESET_DONE
 * tells when. Returns 0 or -ENOTCONN. */
int assoc_reset(struct assoc *a, uint16_t sid) MUST_CHECK;
/* True while less than half of what may wait does. */
bool assoc_has_room(struct assoc *a);
/* Bytes that wait or are not acknowledged, about. */
size_t assoc_waiting(struct assoc *a);

#endif
