/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_sr.h"
#include <errno.h>

#define BLOCK_LEN 24
#define RTT_MAX   (60 * 65536) /* 1/65536 s */
#define RTT_SLACK 65536

static void block_read(struct bytes_in *in, struct rtcp_report_block *b)
{
    b->ssrc = bytes_in_u32(in);
    uint32_t lost = bytes_in_u32(in);
    b->fraction_lost = (uint8_t)(lost >> 24);
    /* 24 bits in two's complement */
    b->lost = (int32_t)((lost & 0xffffff) ^ 0x800000) - 0x800000;
    b->highest_seq = bytes_in_u32(in);
    b->jitter = bytes_in_u32(in);
    b->lsr = bytes_in_u32(in);
    b->dlsr = bytes_in_u32(in);
}

int rtcp_sr_read(const struct rtcp_packet *pkt, struct rtcp_report *ret_report)
{
    if (pkt->type != RTCP_SR && pkt->type != RTCP_RR) {
        return -EPROTONOSUPPORT;
    }
    bool is_sr = pkt->type == RTCP_SR;
    if (pkt->body_len < (is_sr ? 24u : 4u) + (unsigned)pkt->count * BLOCK_LEN) {
        return -EBADMSG;
    }
    struct bytes_in in = bytes_in_init(pkt->body, pkt->body_len);
    ret_report->ssrc = bytes_in_u32(&in);
    ret_report->is_sr = is_sr;
    ret_report->sender = (struct rtcp_sender_info){0};
    if (is_sr) {
        ret_report->sender.ntp = bytes_in_u64(&in);
        ret_report->sender.rtp_ts = bytes_in_u32(&in);
        ret_report->sender.pkts = bytes_in_u32(&in);
        ret_report->sender.octets = bytes_in_u32(&in);
    }
    ret_report->n_blocks = pkt->count;
    for (unsigned i = 0; i < pkt->count; i++) {
        block_read(&in, &ret_report->blocks[i]);
    }
    return 0;
}

static void block_write(struct bytes_out *out, const struct rtcp_report_block *b)
{
    int32_t lost = MIN(MAX(b->lost, -0x800000), 0x7fffff);
    bytes_out_u32(out, b->ssrc);
    bytes_out_u32(out, (uint32_t)b->fraction_lost << 24 | ((uint32_t)lost & 0xffffff));
    bytes_out_u32(out, b->highest_seq);
    bytes_out_u32(out, b->jitter);
    bytes_out_u32(out, b->lsr);
    bytes_out_u32(out, b->dlsr);
}

int rtcp_sr_write(uint8_t *out, size_t cap, const struct rtcp_report *report)
{
    assert(report->n_blocks <= RTCP_REPORT_BLOCKS_MAX);
    size_t len = report->is_sr ? RTCP_SR_LEN(report->n_blocks) : RTCP_RR_LEN(report->n_blocks);
    struct bytes_out o =
        rtcp_message_begin(out, cap, report->is_sr ? RTCP_SR : RTCP_RR, report->n_blocks, len);
    if (o.failed) {
        return -ENOSPC;
    }
    bytes_out_u32(&o, report->ssrc);
    if (report->is_sr) {
        bytes_out_u64(&o, report->sender.ntp);
        bytes_out_u32(&o, report->sender.rtp_ts);
        bytes_out_u32(&o, report->sender.pkts);
        bytes_out_u32(&o, report->sender.octets);
    }
    for (unsigned i = 0; i < report->n_blocks; i++) {
        block_write(&o, &report->blocks[i]);
    }
    assert(!o.failed && o.p == o.end);
    return (int)len;
}

int64_t rtcp_sr_rtt_us(const struct rtcp_report_block *block, uint64_t now_ntp)
{
    if (block->lsr == 0) {
        return -1;
    }
    /* On the circle of 2^32 / 65536 s, 18 hours long. */
    int32_t rtt = (int32_t)((uint32_t)(now_ntp >> 16) - block->lsr - block->dlsr);
    if (rtt > RTT_MAX || rtt < -RTT_SLACK) {
        return -1;
    }
    return rtt < 0 ? 0 : (int64_t)rtt * US_PER_S / 65536;
}
