/* SPDX-License-Identifier: Apache-2.0 */
/* bwe_groups.h - gathers packets into bursts and tells how much later each burst arrived than it
 * should have: the input of the delay detector. Pure; memory is the caller's; role MEDIA.
 * draft-ietf-rmcat-gcc-02 5.2 (5 ms of sending make a group) and its pre-filtering of bursts that
 * a radio link delivers at once. */
#ifndef RTP_BWE_GROUPS_H
#define RTP_BWE_GROUPS_H

#include "rtp/base.h"

#define BWE_GROUPS_SEND_US      (5 * US_PER_MS)
#define BWE_GROUPS_BURST_US     (5 * US_PER_MS)
#define BWE_GROUPS_BURST_MAX_US (100 * US_PER_MS)
/* So many groups in a row that arrive before their predecessors: the clock has jumped. */
#define BWE_GROUPS_REORDERED_MAX 3

struct bwe_group {
    int64_t first_sent_us;
    int64_t last_sent_us;
    int64_t first_arrival_us;
    int64_t last_arrival_us;
    int64_t owd_us; /* the least of arrival minus sending; the clocks differ, so only differences
                       mean anything */
    bool any;
};

struct bwe_groups {
    struct bwe_group cur;
    struct bwe_group prev;
    uint8_t reordered; /* groups in a row */
};

/* A finished group against the one before it. */
struct bwe_groups_delta {
    int64_t sent_us;    /* from the end of one's sending to that of the other's */
    int64_t arrived_us; /* same of arrival */
    int64_t arrival_us; /* of its last packet, on the receiver's clock */
    int64_t owd_us;     /* the least of the group */
};

/* Forgets everything: the receiver's clock has jumped, or feedback was away. */
void bwe_groups_reset(struct bwe_groups *g);

/* Adds an arrived packet; any order, though those that left before the group being gathered are
 * ignored. Returns true when it began a new group and the finished one has a predecessor; *ret is
 * written only then. */
bool bwe_groups_add(struct bwe_groups *g, int64_t sent_us, int64_t arrival_us,
                    struct bwe_groups_delta *ret);

#endif
