/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/nack.h"
#include <errno.h>
#include <string.h>

void nack_init(struct nack *n)
{
    n->any = false;
    n->n = 0;
    n->highest = 0;
    n->retry_us = NACK_RTT_DEFAULT_US;
    n->reorder_us = 0;
    n->recovered = 0;
    n->abandoned = 0;
}

static int64_t first_wait_us(const struct nack *n)
{
    return MAX(NACK_WAIT_MIN_US, 2 * n->reorder_us);
}

static int64_t due_us(const struct nack *n, const struct nack_item *item)
{
    return item->since_us + (item->tries ? n->retry_us : first_wait_us(n));
}

/* Index of the first item whose seq is not below seq. */
static unsigned lower_bound(const struct nack *n, uint64_t seq)
{
    unsigned lo = 0;
    unsigned hi = n->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (n->items[mid].seq < seq) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* Learns from a packet that came late by itself: up at once, so that the next such packet is not
 * asked for in vain. */
static void measure_reorder(struct nack *n, int64_t late_us)
{
    late_us = MIN(late_us, NACK_REORDER_MAX_US);
    n->reorder_us = MAX(n->reorder_us, late_us);
}

static void on_late(struct nack *n, uint64_t seq, int64_t now_us)
{
    unsigned i = lower_bound(n, seq);
    if (i == n->n || n->items[i].seq != seq) {
        return;
    }
    const struct nack_item *item = &n->items[i];
    int64_t age_us = now_us - item->since_us;
    if (item->tries == 0) {
        measure_reorder(n, age_us);
    } else if (item->tries == 1 && age_us < n->retry_us / 2) {
        /* Sooner than any answer can come: it was under way when we asked. */
        measure_reorder(n, first_wait_us(n) + age_us);
    } else {
        n->recovered++;
    }
    n->n--;
    memmove(&n->items[i], &n->items[i + 1], (n->n - i) * sizeof(n->items[0]));
}

int nack_on_seq(struct nack *n, uint64_t seq, int64_t now_us)
{
    if (!n->any) {
        n->any = true;
        n->highest = seq;
        return 0;
    }
    if (seq <= n->highest) {
        on_late(n, seq, now_us);
        return 0;
    }
    uint64_t gap = seq - n->highest - 1;
    if (gap > NACK_GAP_MAX || n->n + gap > NACK_MAX) {
        n->abandoned += n->n + gap;
        n->n = 0;
        n->highest = seq;
        return -ERANGE;
    }
    /* Old reordering is forgotten over some thousand packets. */
    n->reorder_us -= n->reorder_us / 1024;
    for (uint64_t missing = n->highest + 1; missing < seq; missing++) {
        n->items[n->n++] = (struct nack_item){.seq = missing, .since_us = now_us, .tries = 0};
    }
    n->highest = seq;
    return (int)gap;
}

void nack_on_keyframe(struct nack *n, uint64_t seq)
{
    unsigned drop = lower_bound(n, seq + 1);
    n->abandoned += drop;
    n->n = (uint16_t)(n->n - drop);
    memmove(n->items, &n->items[drop], n->n * sizeof(n->items[0]));
}

int nack_poll(struct nack *n, int64_t now_us, int64_t rtt_us, uint16_t *out, int max)
{
    n->retry_us = MAX(rtt_us > 0 ? rtt_us : NACK_RTT_DEFAULT_US, NACK_RETRY_MIN_US);
    int count = 0;
    unsigned kept = 0;
    for (unsigned i = 0; i < n->n; i++) {
        struct nack_item item = n->items[i];
        bool due = due_us(n, &item) <= now_us;
        if (due && item.tries == NACK_TRIES) {
            n->abandoned++;
            continue;
        }
        if (due && count < max) {
            out[count++] = (uint16_t)item.seq;
            item.tries++;
            item.since_us = now_us;
        }
        n->items[kept++] = item;
    }
    n->n = (uint16_t)kept;
    return count;
}

int64_t nack_next_deadline(const struct nack *n)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < n->n; i++) {
        next = MIN(next, due_us(n, &n->items[i]));
    }
    return next;
}
