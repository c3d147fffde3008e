/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp_sdes.h - source descriptions, of which only the CNAME matters here. Pure; any thread.
 * RFC 3550 6.5. */
#ifndef RTP_RTCP_SDES_H
#define RTP_RTCP_SDES_H

#include "rtp/rtcp.h"

/* Largest CNAME, in bytes without a terminator. */
#define RTCP_SDES_CNAME_MAX 255

/* Finds the CNAME of ssrc in an SDES packet.
 * out, cap  gets the name, 0-terminated, cut to cap - 1 bytes; not text that may be trusted
 * Returns its length in bytes as written; -ENOENT if there is none; -EBADMSG if a chunk before it
 * does not parse; -EPROTONOSUPPORT if pkt is no SDES. out is untouched on failure. */
int rtcp_sdes_read_cname(const struct rtcp_packet *pkt, uint32_t ssrc, char *out,
                         size_t cap) MUST_CHECK;

/* Writes an SDES packet of one chunk with one CNAME.
 * cname  0-terminated, at most RTCP_SDES_CNAME_MAX bytes (longer ones are cut)
 * Returns the bytes written or -ENOSPC. */
int rtcp_sdes_write_cname(uint8_t *out, size_t cap, uint32_t ssrc, const char *cname) MUST_CHECK;

#endif
