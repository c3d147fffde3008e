/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_remb.h"
#include <errno.h>

#define REMB_NAME     0x52454d42u /* "REMB" */
#define MANTISSA_BITS 18

int rtcp_remb_read(const struct rtcp_packet *pkt, struct rtcp_remb *ret_remb)
{
    if (pkt->type != RTCP_PSFB || pkt->count != RTCP_PSFB_REMB) {
        return -EPROTONOSUPPORT;
    }
    struct bytes_in in = bytes_in_init(pkt->body, pkt->body_len);
    uint32_t sender_ssrc = bytes_in_u32(&in);
    (void)bytes_in_u32(&in); // media SSRC, always 0
    uint32_t name = bytes_in_u32(&in);
    if (in.failed || name != REMB_NAME) {
        return -EPROTONOSUPPORT;
    }
    uint8_t n = bytes_in_u8(&in);
    uint32_t rate = bytes_in_u24(&in);
    const uint8_t *ssrcs = bytes_in_take(&in, 4u * n);
    if (in.failed) {
        return -EBADMSG;
    }
    unsigned exp = rate >> MANTISSA_BITS;
    uint64_t mantissa = rate & ((1u << MANTISSA_BITS) - 1);
    bool fits = mantissa <= (uint64_t)INT64_MAX >> exp;
    *ret_remb = (struct rtcp_remb){
        .sender_ssrc = sender_ssrc,
        .bps = fits ? mantissa << exp : (uint64_t)INT64_MAX,
        .n_ssrcs = n,
        .ssrcs = ssrcs,
    };
    return 0;
}

int rtcp_remb_write(uint8_t *out, size_t cap, uint32_t sender_ssrc, uint64_t bps,
                    const uint32_t *ssrcs, int n)
{
    assert(n >= 1 && n <= RTCP_REMB_SSRCS_MAX);
    unsigned exp = 0;
    while (bps >> exp >= 1u << MANTISSA_BITS) {
        exp++;
    }
    size_t len = RTCP_REMB_LEN(n);
    struct bytes_out o = rtcp_message_begin(out, cap, RTCP_PSFB, RTCP_PSFB_REMB, len);
    bytes_out_u32(&o, sender_ssrc);
    bytes_out_u32(&o, 0);
    bytes_out_u32(&o, REMB_NAME);
    bytes_out_u8(&o, (uint8_t)n);
    bytes_out_u24(&o, (uint32_t)exp << MANTISSA_BITS | (uint32_t)(bps >> exp));
    for (int i = 0; i < n && !o.failed; i++) {
        bytes_out_u32(&o, ssrcs[i]);
    }
    return o.failed ? -ENOSPC : (int)len;
}
