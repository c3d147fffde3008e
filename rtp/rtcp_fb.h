/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp_fb.h - the small messages: PLI (RFC 4585 6.3.1), FIR (RFC 5104 4.3.1), BYE (RFC 3550 6.6).
 * Pure; any thread. In what we write the sender SSRC is not 0: GStreamer drops those. */
#ifndef RTP_RTCP_FB_H
#define RTP_RTCP_FB_H

#include "rtp/rtcp.h"

#define RTCP_FB_PLI_LEN    12
#define RTCP_FB_FIR_LEN(n) (12 + 8 * (size_t)(n))
#define RTCP_FB_BYE_LEN(n) (4 + 4 * (size_t)(n))
#define RTCP_FB_BYE_MAX    31

/* Reads a PLI. ret_media_ssrc: the stream whose key frame is wanted.
 * Returns 0; -EPROTONOSUPPORT if pkt is no PLI; -EBADMSG if it is too short. */
int rtcp_fb_pli_read(const struct rtcp_packet *pkt, uint32_t *ret_media_ssrc) MUST_CHECK;

/* Writes a PLI. Returns RTCP_FB_PLI_LEN or -ENOSPC. */
int rtcp_fb_pli_write(uint8_t *out, size_t cap, uint32_t sender_ssrc,
                      uint32_t media_ssrc) MUST_CHECK;

/* One request of a FIR. */
struct rtcp_fb_fir {
    uint32_t ssrc; /* the stream whose key frame is wanted (the message's media SSRC is unused) */
    uint8_t seq8;  /* one more for each new request, the same for a repetition */
};

/* Reads a FIR's requests into items[0..max).
 * Returns how many were stored, >= 1 (those beyond max are dropped); -EPROTONOSUPPORT if pkt is no
 * FIR; -EBADMSG if it has no whole request. */
int rtcp_fb_fir_read(const struct rtcp_packet *pkt, struct rtcp_fb_fir *items, int max) MUST_CHECK;

/* Writes a FIR of n >= 1 requests. Returns RTCP_FB_FIR_LEN(n) or -ENOSPC. */
int rtcp_fb_fir_write(uint8_t *out, size_t cap, uint32_t sender_ssrc,
                      const struct rtcp_fb_fir *items, int n) MUST_CHECK;

/* Reads the sources that leave into ssrcs[0..max); the reason text is ignored.
 * Returns how many were stored (0 is legal, those beyond max are dropped); -EPROTONOSUPPORT if pkt
 * is no BYE; -EBADMSG if it is too short for its count. */
int rtcp_fb_bye_read(const struct rtcp_packet *pkt, uint32_t *ssrcs, int max) MUST_CHECK;

/* Writes a BYE of n sources, 0..RTCP_FB_BYE_MAX, without a reason. Returns RTCP_FB_BYE_LEN(n) or
 * -ENOSPC. */
int rtcp_fb_bye_write(uint8_t *out, size_t cap, const uint32_t *ssrcs, int n) MUST_CHECK;

#endif
