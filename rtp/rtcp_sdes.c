/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_sdes.h"
#include <errno.h>

#define ITEM_END   0
#define ITEM_CNAME 1

/* Walks one chunk's items up to its padded end. Notes the first CNAME in *name and *name_len. */
static void chunk_read(struct bytes_in *in, const uint8_t *body, const uint8_t **name,
                       uint8_t *name_len)
{
    *name = NULL;
    while (!in->failed) {
        uint8_t item = bytes_in_u8(in);
        if (item == ITEM_END) {
            /* The list ends with one to four zero bytes, up to the next word of the packet. */
            bytes_in_take(in, (size_t)(-(in->p - body) & 3));
            return;
        }
        uint8_t len = bytes_in_u8(in);
        const uint8_t *text = bytes_in_take(in, len);
        if (item == ITEM_CNAME && text && !*name) {
            *name = text;
            *name_len = len;
        }
    }
}

int rtcp_sdes_read_cname(const struct rtcp_packet *pkt, uint32_t ssrc, char *out, size_t cap)
{
    if (pkt->type != RTCP_SDES) {
        return -EPROTONOSUPPORT;
    }
    struct bytes_in in = bytes_in_init(pkt->body, pkt->body_len);
    for (unsigned i = 0; i < pkt->count; i++) {
        const uint8_t *name = NULL;
        uint8_t name_len = 0;
        uint32_t chunk_ssrc = bytes_in_u32(&in);
        chunk_read(&in, pkt->body, &name, &name_len);
        if (in.failed) {
            return -EBADMSG;
        }
        if (chunk_ssrc == ssrc && name && cap > 0) {
            size_t n = MIN((size_t)name_len, cap - 1);
            memcpy(out, name, n);
            out[n] = 0;
            return (int)n;
        }
    }
    return -ENOENT;
}

int rtcp_sdes_write_cname(uint8_t *out, size_t cap, uint32_t ssrc, const char *cname)
{
    size_t n = strnlen(cname, RTCP_SDES_CNAME_MAX);
    /* header, SSRC, item head, text, at least one byte of end */
    size_t len = (8 + 2 + n + 1 + 3) / 4 * 4;
    struct bytes_out o = rtcp_message_begin(out, cap, RTCP_SDES, 1, len);
    if (o.failed) {
        return -ENOSPC;
    }
    bytes_out_u32(&o, ssrc);
    bytes_out_u8(&o, ITEM_CNAME);
    bytes_out_u8(&o, (uint8_t)n);
    bytes_out_copy(&o, (const uint8_t *)cname, n);
    memset(o.p, ITEM_END, (size_t)(o.end - o.p));
    return (int)len;
}
