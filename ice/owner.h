/* SPDX-License-Identifier: Apache-2.0 */
/* owner.h - who owns a datagram. All workers read the same UDP port; the local ufrag names the
 * worker of a session (its first character), and a process-wide table maps remote addresses, filled
 * by owners after an authenticated check, to workers. Readers and writers take no lock: one 64-bit
 * atomic per entry. A wrong hit is harmless: the worker it names finds no session and drops. */
#ifndef ICE_OWNER_H
#define ICE_OWNER_H

#include "ice/addr.h"
#include "ice/link.h"
#include "rtp/base.h"

#define OWNER_WORKERS_MAX 64
#define OWNER_NONE        (-1)

struct owner_table;

/* seed: random. NULL when out of memory. Entries are bounded; the oldest of a bucket gives way. */
struct owner_table *owner_new(uint64_t seed);
void owner_free(struct owner_table *t);
/* Any thread. */
void owner_put(struct owner_table *t, const struct addr *remote, int worker);
/* Forgets remote if it is worker's. */
void owner_remove(struct owner_table *t, const struct addr *remote, int worker);
/* The worker, or OWNER_NONE. */
int owner_find(const struct owner_table *t, const struct addr *remote);

/* Random credentials from getrandom(2); the ufrag's first character encodes worker
 * (0..OWNER_WORKERS_MAX-1). Fills local_* only. */
void owner_make_creds(int worker, struct ice_creds *ret);
/* The worker named by a local ufrag, or OWNER_NONE if it does not look like one of ours. */
int owner_of_ufrag(const char *ufrag, size_t len);
/* The local half of USERNAME ("local:remote") of a STUN binding request, found without verifying
 * anything. Bounded walk, no allocation. Returns 0 and a pointer into buf, or -EBADMSG. */
int owner_peek_ufrag(const uint8_t *buf, size_t len, const char **ret_ufrag,
                     size_t *ret_len) MUST_CHECK;

#endif
