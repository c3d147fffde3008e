/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/red.h"

#include <errno.h>

/* Block header: F=1, 7 bit payload type, 14 bit timestamp offset, 10 bit length; the last one, of
 * the primary block, is F=0 and the payload type only. */
#define BLOCK_HEAD_LEN 4

int red_read(const uint8_t *payload, size_t len, struct red *ret_red)
{
    struct red red = {0};
    size_t off = 0, blocks_len = 0;
    for (; off < len && payload[off] & 0x80; off += BLOCK_HEAD_LEN) {
        if (len - off < BLOCK_HEAD_LEN) {
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
