/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/red.h"

#include <errno.h>
#include <string.h>

/* Block header: F=1, 7 bit payload type, 14 bit timestamp offset, 10 bit length; the last one, of
 * the primary block, is F=0 and the payload type only. */

int red_read(const uint8_t *payload, size_t len, struct red *ret_red)
{
    struct red red = {0};
    size_t off = 0, blocks_len = 0;
    for (; off < len && payload[off] & 0x80; off += RED_HEAD_LEN) {
        if (len - off < RED_HEAD_LEN) {
            return -EMSGSIZE;
        }
        if (red.n_blocks == RED_BLOCKS_MAX) {
            return -EBADMSG;
        }
        const uint8_t *h = payload + off;
        struct red_block *blk = &red.block[red.n_blocks++];
        blk->pt = h[0] & 0x7f;
        blk->ts_back = (uint16_t)(h[1] << 6 | h[2] >> 2);
        blk->len = (uint16_t)((h[2] & 3) << 8 | h[3]);
        blocks_len += blk->len;
    }
    if (off >= len || blocks_len > len - off - 1) {
        return -EMSGSIZE;
    }
    red.primary.pt = payload[off++];
    for (unsigned i = 0; i < red.n_blocks; i++) {
        red.block[i].data = payload + off;
        off += red.block[i].len;
    }
    if (off == len || len - off > UINT16_MAX) {
        return -EBADMSG;
    }
    red.primary.data = payload + off;
    red.primary.len = (uint16_t)(len - off);
    *ret_red = red;
    return 0;
}

int red_primary(const uint8_t *payload, size_t len, struct red_block *ret_primary)
{
    struct red red;
    int rc = red_read(payload, len, &red);
    if (rc == 0) {
        *ret_primary = red.primary;
    }
    return rc;
}

int red_write(const struct red *red, uint8_t *out, size_t cap)
{
    size_t len = RED_LAST_LEN;
    for (unsigned i = 0; i < red->n_blocks; i++) {
        assert(red->block[i].len <= RED_LEN_MAX && red->block[i].ts_back <= RED_BACK_MAX);
        len += (size_t)RED_HEAD_LEN + red->block[i].len;
    }
    if (len > cap) {
        return -ENOSPC;
    }
    for (unsigned i = 0; i < red->n_blocks; i++) {
        const struct red_block *b = &red->block[i];
        *out++ = 0x80 | b->pt;
        *out++ = (uint8_t)(b->ts_back >> 6);
        *out++ = (uint8_t)(b->ts_back << 2 | b->len >> 8);
        *out++ = (uint8_t)b->len;
    }
    *out++ = red->primary.pt;
    for (unsigned i = 0; i < red->n_blocks; i++) {
        memcpy(out, red->block[i].data, red->block[i].len);
        out += red->block[i].len;
    }
    return (int)len;
}
