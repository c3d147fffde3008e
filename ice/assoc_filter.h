/* SPDX-License-Identifier: Apache-2.0 */
/* assoc_filter.h - looks at every SCTP packet before usrsctp does (SEC-73): only the chunks that a
 * data channel needs, well formed, in the phase where they belong. A packet passes as a whole or
 * not at all. The checksum is usrsctp's to check. Pure; one instance per association; role DATA.
 *
 * What never passes: ASCONF, AUTH, PKTDROP, NR-SACK, ECN, I-DATA (not negotiated), addresses in
 * INIT (an association has one path, DTLS), requests to add streams or to reset all of them, an
 * INIT once the association is up, more INITs than one a second. */
#ifndef ICE_ASSOC_FILTER_H
#define ICE_ASSOC_FILTER_H

#include "rtp/base.h"

#define ASSOC_FILTER_PACKET_MAX 2048
#define ASSOC_FILTER_INIT_MAX   512 /* bytes of an INIT or INIT-ACK's packet; the cookie apart */
#define ASSOC_FILTER_INITS      3   /* may come at once, then one a second */

enum assoc_filter_reason {
    ASSOC_FILTER_OK,
    ASSOC_FILTER_LENGTH, /* packet, chunk or parameter lengths do not add up */
    ASSOC_FILTER_PORT,   /* not the negotiated ports */
    ASSOC_FILTER_TAG,    /* verification tag 0 without INIT, or an INIT with one */
    ASSOC_FILTER_CHUNK,  /* a chunk type that is not on the list, or not alone where it must be */
    ASSOC_FILTER_PARAM,  /* a parameter that is not allowed */
    ASSOC_FILTER_INIT,   /* INIT after the association came up, or too many of them */
    ASSOC_FILTER_COUNT
};

struct assoc_filter {
    uint16_t local_port, remote_port;
    bool up;
    int64_t init_us; /* when the bucket of INITs was full */
};

/* now_us: monotonic. */
void assoc_filter_init(struct assoc_filter *f, uint16_t local_port, uint16_t remote_port,
                       int64_t now_us);
/* The association is up: it takes no INIT any more. */
void assoc_filter_set_up(struct assoc_filter *f);
/* Whether this packet may go on. RFC 9260 3, RFC 6525 4, RFC 3758 3.2. */
enum assoc_filter_reason assoc_filter_check(struct assoc_filter *f, const uint8_t *pkt, size_t len,
                                            int64_t now_us) MUST_CHECK;

#endif
