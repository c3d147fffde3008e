/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/header.h"
#include "rtp/bytes.h"
#include <errno.h>

int rtp_header_read(const uint8_t *pkt, size_t len, struct rtp_header *ret_hdr)
{
    if (len < RTP_HEADER_LEN || len > RTP_PACKET_MAX) {
        return -EMSGSIZE;
    }
    if (pkt[0] >> 6 != 2) {
        return -EBADMSG;
    }
    size_t off = RTP_HEADER_LEN + 4u * (pkt[0] & 0x0f);
    size_t ext_off = 0;
    size_t ext_len = 0;
    uint16_t ext_profile = 0;
    if (pkt[0] & 0x10) {
        if (off + 4 > len) {
            return -EMSGSIZE;
        }
        ext_profile = bytes_load16(pkt + off);
        ext_len = 4u * bytes_load16(pkt + off + 2);
        ext_off = off + 4;
        off = ext_off + ext_len;
    }
    if (off > len) {
        return -EMSGSIZE;
    }
    uint8_t pad_len = 0;
    if (pkt[0] & 0x20) {
        pad_len = pkt[len - 1];
        if (pad_len == 0 || pad_len > len - off) {
            return -EBADMSG;
        }
    }
    *ret_hdr = (struct rtp_header){
        .pt = pkt[1] & 0x7f,
        .marker = pkt[1] & 0x80,
        .seq16 = bytes_load16(pkt + 2),
        .ts = bytes_load32(pkt + 4),
        .ssrc = bytes_load32(pkt + 8),
        .ext_profile = ext_profile,
        .ext_off = (uint16_t)ext_off,
        .ext_len = (uint16_t)ext_len,
        .payload_off = (uint16_t)off,
        .payload_len = (uint16_t)(len - off - pad_len),
        .pad_len = pad_len,
    };
    return 0;
}

void rtp_header_write(uint8_t *out, const struct rtp_header *hdr, bool has_ext, bool has_pad)
{
    out[0] = (uint8_t)(0x80 | (has_pad ? 0x20 : 0) | (has_ext ? 0x10 : 0));
    out[1] = (uint8_t)((hdr->marker ? 0x80 : 0) | (hdr->pt & 0x7f));
    bytes_store16(out + 2, hdr->seq16);
    bytes_store32(out + 4, hdr->ts);
    bytes_store32(out + 8, hdr->ssrc);
}
