/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_nack.h"
#include <errno.h>

int rtcp_nack_read(const struct rtcp_packet *pkt, struct rtcp_nack *ret_nack)
{
    if (pkt->type != RTCP_RTPFB || pkt->count != RTCP_RTPFB_NACK) {
        return -EPROTONOSUPPORT;
    }
    if (pkt->body_len < 12) {
        return -EBADMSG;
    }
    *ret_nack = (struct rtcp_nack){
        .sender_ssrc = bytes_load32(pkt->body),
        .media_ssrc = bytes_load32(pkt->body + 4),
        .n_items = (uint16_t)((pkt->body_len - 8) / 4),
        .item = pkt->body + 8,
    };
    return 0;
}

bool rtcp_nack_next(struct rtcp_nack *nack, uint16_t *ret_seq16)
{
    if (nack->blp == 0) {
        if (nack->n_items == 0) {
            return false;
        }
        nack->pid = bytes_load16(nack->item);
        nack->blp = bytes_load16(nack->item + 2);
        nack->bit = 1;
        nack->item += 4;
        nack->n_items--;
        *ret_seq16 = nack->pid;
        return true;
    }
    int skip = __builtin_ctz(nack->blp);
    *ret_seq16 = (uint16_t)(nack->pid + nack->bit + skip);
    nack->blp = (uint16_t)((unsigned)nack->blp >> skip >> 1);
    nack->bit = (uint8_t)(nack->bit + skip + 1);
    return true;
}

int rtcp_nack_write(uint8_t *out, size_t cap, uint32_t sender_ssrc, uint32_t media_ssrc,
                    const uint16_t *seqs, int n)
{
    assert(n >= 1);
    struct bytes_out o = bytes_out_init(out, cap);
    uint8_t *head = bytes_out_take(&o, RTCP_HEADER_LEN);
    bytes_out_u32(&o, sender_ssrc);
    bytes_out_u32(&o, media_ssrc);
    for (int i = 0; i < n;) {
        uint16_t pid = seqs[i++];
        unsigned blp = 0;
        for (; i < n; i++) {
            uint16_t ahead = (uint16_t)(seqs[i] - pid);
            if (ahead > 16) {
                break;
            }
            blp |= ahead ? 1u << (ahead - 1) : 0; // a repeated number is asked for once
        }
        bytes_out_u16(&o, pid);
        bytes_out_u16(&o, (uint16_t)blp);
    }
    if (o.failed) {
        return -ENOSPC;
    }
    rtcp_header_write(head, RTCP_RTPFB, RTCP_RTPFB_NACK, bytes_out_len(&o));
    return (int)bytes_out_len(&o);
}
