/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_fb.h"
#include <errno.h>

int rtcp_fb_pli_read(const struct rtcp_packet *pkt, uint32_t *ret_media_ssrc)
{
    if (pkt->type != RTCP_PSFB || pkt->count != RTCP_PSFB_PLI) {
        return -EPROTONOSUPPORT;
    }
    if (pkt->body_len < 8) {
        return -EBADMSG;
    }
    *ret_media_ssrc = bytes_load32(pkt->body + 4);
    return 0;
}

int rtcp_fb_pli_write(uint8_t *out, size_t cap, uint32_t sender_ssrc, uint32_t media_ssrc)
{
    struct bytes_out o = rtcp_message_begin(out, cap, RTCP_PSFB, RTCP_PSFB_PLI, RTCP_FB_PLI_LEN);
    bytes_out_u32(&o, sender_ssrc);
    bytes_out_u32(&o, media_ssrc);
    return o.failed ? -ENOSPC : RTCP_FB_PLI_LEN;
}

int rtcp_fb_fir_read(const struct rtcp_packet *pkt, struct rtcp_fb_fir *items, int max)
{
    if (pkt->type != RTCP_PSFB || pkt->count != RTCP_PSFB_FIR) {
        return -EPROTONOSUPPORT;
    }
    if (pkt->body_len < 16) {
        return -EBADMSG;
    }
    int n = MIN((pkt->body_len - 8) / 8, max);
    for (int i = 0; i < n; i++) {
        items[i].ssrc = bytes_load32(pkt->body + 8 + 8 * i);
        items[i].seq8 = pkt->body[8 + 8 * i + 4];
    }
    return n;
}

int rtcp_fb_fir_write(uint8_t *out, size_t cap, uint32_t sender_ssrc,
                      const struct rtcp_fb_fir *items, int n)
{
    assert(n >= 1);
    size_t len = RTCP_FB_FIR_LEN(n);
    struct bytes_out o = rtcp_message_begin(out, cap, RTCP_PSFB, RTCP_PSFB_FIR, len);
    bytes_out_u32(&o, sender_ssrc);
    bytes_out_u32(&o, 0); // "media source" SHALL be 0, RFC 5104 4.3.1.2
    for (int i = 0; i < n && !o.failed; i++) {
        bytes_out_u32(&o, items[i].ssrc);
        bytes_out_u8(&o, items[i].seq8);
        bytes_out_u24(&o, 0);
    }
    return o.failed ? -ENOSPC : (int)len;
}

int rtcp_fb_bye_read(const struct rtcp_packet *pkt, uint32_t *ssrcs, int max)
{
    if (pkt->type != RTCP_BYE) {
        return -EPROTONOSUPPORT;
    }
    if (pkt->body_len < 4u * pkt->count) {
        return -EBADMSG;
    }
    int n = MIN(pkt->count, max);
    for (int i = 0; i < n; i++) {
        ssrcs[i] = bytes_load32(pkt->body + 4 * i);
    }
    return n;
}

int rtcp_fb_bye_write(uint8_t *out, size_t cap, const uint32_t *ssrcs, int n)
{
    assert(n >= 0 && n <= RTCP_FB_BYE_MAX);
    size_t len = RTCP_FB_BYE_LEN(n);
    struct bytes_out o = rtcp_message_begin(out, cap, RTCP_BYE, (unsigned)n, len);
    for (int i = 0; i < n; i++) {
        bytes_out_u32(&o, ssrcs[i]);
    }
    return o.failed ? -ENOSPC : (int)len;
}
