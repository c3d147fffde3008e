/* SPDX-License-Identifier: Apache-2.0 */
/* demux.h - which protocol a datagram of the one media port belongs to. Pure; any thread.
 * First byte by RFC 7983, RTP from RTCP by RFC 5761 4. */
#ifndef RTP_DEMUX_H
#define RTP_DEMUX_H

#include "rtp/base.h"

enum demux_kind {
    DEMUX_STUN,
    DEMUX_DTLS,
    DEMUX_RTP,
    DEMUX_RTCP,
    DEMUX_OTHER, /* ZRTP, TURN channels, QUIC, empty: nothing that Sluice speaks */
};

/* The kind of buf[0..len). Looks at two bytes at most; says nothing about the rest. RTP and RTCP
 * look the same encrypted, since their first header words are in clear. */
static inline enum demux_kind demux_classify(const uint8_t *buf, size_t len)
{
    if (len < 2) {
        return DEMUX_OTHER;
    }
    if (buf[0] >= 128 && buf[0] <= 191) {
        return buf[1] >= 192 && buf[1] <= 223 ? DEMUX_RTCP : DEMUX_RTP;
    }
    if (buf[0] <= 3) {
        return DEMUX_STUN;
    }
    return buf[0] >= 20 && buf[0] <= 63 ? DEMUX_DTLS : DEMUX_OTHER;
}

#endif
