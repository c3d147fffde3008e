/* SPDX-License-Identifier: Apache-2.0 */
/* remb_recv.h - how much a publisher may send that understands REMB but not transport-wide feedback
 * (Firefox and aiortc as senders, OBS): a simple estimate from what arrives, no more than that.
 * Pure; one instance per publishing transport; role MEDIA.
 *
 * The rule. Every 200 ms, over the last second, with R the bits received per second and L the share
 * of packets lost, within [floor, cap]:
 *
 *   L < 2 %      1.5 x R + 300 kbps: room to grow, and no wall behind a stream that grew idle
 *   2 % .. 10 %  the estimate before, but not above the line over this one
 *   L > 10 %     R x (1 - L / 2)
 *
 * Until a second has been measured it is REMB_RECV_START_BPS. It is told once a second, and at once
 * (within 200 ms) when it falls by more than 5 %. While nothing arrives nothing is told and the
 * estimate stays. Delay is not looked at: a queue that does not overflow goes unseen. */
#ifndef RTP_REMB_RECV_H
#define RTP_REMB_RECV_H

#include "rtp/base.h"

#define REMB_RECV_START_BPS   2500000
#define REMB_RECV_STEP_US     (200 * US_PER_MS)
#define REMB_RECV_INTERVAL_US US_PER_S
#define REMB_RECV_SAMPLES     5 /* steps in the window of a second */

struct remb_recv {
    int64_t floor_bps;
    int64_t cap_bps;
    int64_t bps;            /* the estimate last told */
    int64_t told_us;        /* when; valid if told */
    bool started;           /* a packet has arrived */
    bool told;              /* a REMB has been returned */
    int64_t next_sample_us; /* valid if started */
    uint64_t bytes;         /* received in all */
    unsigned n_samples;     /* taken in all */
    struct {
        int64_t at_us;
        uint64_t bytes;
        uint64_t expected;
        int64_t lost;
    } samples[REMB_RECV_SAMPLES]; /* ring, by n_samples modulo its length */
};

/* Prepares r. 0 < floor_bps <= cap_bps. */
void remb_recv_init(struct remb_recv *r, int64_t floor_bps, int64_t cap_bps);

/* Notes bytes of RTP that arrived on the transport, RTX included. */
void remb_recv_on_packet(struct remb_recv *r, size_t bytes, int64_t now_us);

/* Estimates, if it is time to.
 * expected, lost  sums of recv_stats_expected and recv_stats_lost over the transport's SSRCs; a sum
 *                 that shrinks (an SSRC left) counts as no loss for that second
 * Returns the bitrate for a REMB to send now, in bps, or 0 if none is due. */
int64_t remb_recv_poll(struct remb_recv *r, int64_t now_us, uint64_t expected,
                       int64_t lost) MUST_CHECK;

/* When to call remb_recv_poll next; INT64_MAX before the first packet. */
int64_t remb_recv_next_deadline(const struct remb_recv *r);

#endif
