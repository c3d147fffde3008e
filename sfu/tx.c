/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tx_init(struct tx_batch *b)
{
    memset(b, 0, sizeof(*b));
    b->buf = malloc(TX_BYTES);
    return b->buf ? 0 : -ENOMEM;
}

void tx_fini(struct tx_batch *b)
{
    free(b->buf);
    b->buf = NULL;
}

void tx_clear(struct tx_batch *b)
{
    b->len = 0;
    b->n = 0;
    b->open = false;
    b->packets = 0;
}

uint8_t *tx_reserve(struct tx_batch *b)
{
    if (b->n == UDP_TX_RUNS || b->len + TX_PACKET_MAX > TX_BYTES) {
        return NULL;
    }
    return b->buf + b->len;
}

void tx_commit(struct tx_batch *b, uint64_t owner, const struct path *to, size_t len, bool gso)
{
    struct udp_run *run = b->n ? &b->runs[b->n - 1] : NULL;
    bool joins = run && b->open && b->owner[b->n - 1] == owner && gso && len <= run->seg_len &&
                 run->len + len <= UDP_RUN_BYTES && run->len / run->seg_len < UDP_RUN_SEGMENTS;
    if (!joins) {
        int i = b->n++;
        run = &b->runs[i];
        b->paths[i] = *to;
        b->owner[i] = owner;
        b->gso[i] = gso;
        *run = (struct udp_run){
            .to = &b->paths[i], .buf = b->buf + b->len, .seg_len = (uint16_t)len, .gso_off = !gso};
    }
    run->len += (uint32_t)len;
    b->open = gso && len == run->seg_len;
    b->len += len;
    b->packets++;
}
