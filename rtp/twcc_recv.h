/* SPDX-License-Identifier: Apache-2.0 */
/* twcc_recv.h - tells a publisher which packets of its transport arrived and when, so that it can
 * estimate its bandwidth. Pure; one instance per publishing transport; memory is the caller's,
 * fixed; role MEDIA. draft-holmer-rmcat-transport-wide-cc-extensions-01.
 *
 * A message goes out 50 ms after the one before while packets flow, sooner when
 * TWCC_RECV_WAITING_MAX packets wait; after a silence 5 ms after the first packet, so that a burst
 * is told of whole. A packet that comes late but not before the base of the last message moves the
 * next one's base back to it, so that what was reported lost is then reported received (libwebrtc's
 * receiver does the same). */
#ifndef RTP_TWCC_RECV_H
#define RTP_TWCC_RECV_H

#include "rtp/base.h"

#define TWCC_RECV_WINDOW      2048 /* packets remembered; a power of 2 */
#define TWCC_RECV_WAITING_MAX 100
#define TWCC_RECV_INTERVAL_US (50 * US_PER_MS)
#define TWCC_RECV_BURST_US    (5 * US_PER_MS)
/* Packets one message reports on at most. */
#define TWCC_RECV_REPORT_MAX 512
/* Least room for a message. */
#define TWCC_RECV_CAP_MIN 64

struct twcc_recv {
    bool any;            /* a packet has been noted */
    bool draining;       /* the last message did not reach the highest packet */
    bool stray;          /* stray_next is valid */
    uint16_t stray_next; /* the number that would confirm a jump */
    uint8_t fb_count;    /* of the next message */
    uint32_t waiting;    /* packets noted since the last message */
    uint64_t next;       /* extended number at which the next message starts */
    uint64_t last_base;  /* where the last one started */
    uint64_t highest;
    int64_t first_waiting_us; /* arrival of the first of waiting */
    int64_t last_sent_us;
    uint64_t ignored;                     /* packets too late to be reported, and duplicates */
    int64_t arrival_us[TWCC_RECV_WINDOW]; /* by number modulo the window; valid from highest -
                                             TWCC_RECV_WINDOW + 1 up */
};

/* Prepares t; nothing is known of the peer's numbering. */
void twcc_recv_init(struct twcc_recv *t);

/* Notes a packet that carried the transport-wide sequence number seq16.
 * now_us  arrival, monotonic, >= 0, never less than in earlier calls
 * A jump of TWCC_RECV_WINDOW or more either way is believed when the next number arrives too; what
 * was not yet reported is then forgotten. */
void twcc_recv_on_packet(struct twcc_recv *t, uint16_t seq16, int64_t now_us);

/* Writes a feedback message (RTPFB, a whole number of words, no padding bit) if one is due.
 * sender_ssrc  ours, not 0;  media_ssrc  any SSRC of the publisher
 * cap          >= TWCC_RECV_CAP_MIN
 * Returns its bytes, or 0 if none is due. Call again until 0: a wide range takes several messages.
 */
int twcc_recv_poll(struct twcc_recv *t, int64_t now_us, uint32_t sender_ssrc, uint32_t media_ssrc,
                   uint8_t *buf, size_t cap) MUST_CHECK;

/* When the next message is due; INT64_MAX if no packet waits. */
int64_t twcc_recv_next_deadline(const struct twcc_recv *t);

#endif
