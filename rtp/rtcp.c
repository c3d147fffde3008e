/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp.h"
#include <errno.h>

void rtcp_walk_init(struct rtcp_walk *w, const uint8_t *buf, size_t len)
{
    *w = (struct rtcp_walk){.p = buf, .end = buf, .failed = len > RTCP_COMPOUND_MAX};
    if (len && !w->failed) {
        w->end = buf + len;
    }
}

int rtcp_walk_next(struct rtcp_walk *w, struct rtcp_packet *ret_pkt)
{
    if (w->p == w->end && !w->failed) {
        return 0;
    }
    size_t left = (size_t)(w->end - w->p);
    if (w->failed || left < RTCP_HEADER_LEN || w->p[0] >> 6 != 2) {
        w->failed = true;
        return -EBADMSG;
    }
    size_t len = 4u * (bytes_load16(w->p + 2) + 1u);
    if (len > left) {
        w->failed = true;
        return -EBADMSG;
    }
    size_t pad = 0;
    if (w->p[0] & 0x20) {
        pad = w->p[len - 1];
        if (pad == 0 || pad > len - RTCP_HEADER_LEN) {
            w->failed = true;
            return -EBADMSG;
        }
    }
    *ret_pkt = (struct rtcp_packet){
        .type = w->p[1],
        .count = w->p[0] & 0x1f,
        .body = w->p + RTCP_HEADER_LEN,
        .body_len = (uint16_t)(len - RTCP_HEADER_LEN - pad),
        .whole = w->p,
        .whole_len = (uint16_t)len,
    };
    w->p += len;
    return 1;
}

void rtcp_header_write(uint8_t *out, unsigned type, unsigned count, size_t len)
{
    assert(len >= RTCP_HEADER_LEN && len % 4 == 0 && count < 32);
    out[0] = (uint8_t)(0x80 | count);
    out[1] = (uint8_t)type;
    bytes_store16(out + 2, (uint16_t)(len / 4 - 1));
}

struct bytes_out rtcp_message_begin(uint8_t *out, size_t cap, unsigned type, unsigned count,
                                    size_t len)
{
    if (len > cap) {
        return (struct bytes_out){.start = out, .p = out, .end = out, .failed = true};
    }
    rtcp_header_write(out, type, count, len);
    return bytes_out_init(out + RTCP_HEADER_LEN, len - RTCP_HEADER_LEN);
}
