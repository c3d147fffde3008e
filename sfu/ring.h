/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - single producer, single consumer byte ring between one ordered pair of workers: media
 * packets copied once per destination worker, and datagrams passed to their owner. Records are
 * whole or refused; no locks. */
#ifndef SFU_RING_H
#define SFU_RING_H

#include "rtp/base.h"

struct ring;

/* bytes: a power of two. NULL when out of memory. */
struct ring *ring_new(uint32_t bytes);
void ring_free(struct ring *r);

/* Producer: room for one record of len bytes (at most 4,096), contiguous and 8-byte aligned, or
 * NULL when the ring is full. Fill it, then ring_commit. */
void *ring_reserve(struct ring *r, uint32_t len);
/* Producer: publishes the reserved record. Returns true if the consumer had taken everything before
 * it, and so needs a wake-up. */
bool ring_commit(struct ring *r);

/* Consumer: the next record and its length, or NULL. Valid until ring_pop. */
const void *ring_peek(struct ring *r, uint32_t *ret_len);
/* Consumer: gives the peeked record's room back. */
void ring_pop(struct ring *r);

#endif
