/* SPDX-License-Identifier: Apache-2.0 */
/* entropy.h - random numbers and unguessable names from getrandom(2). Any thread. */
#ifndef SIGNALING_ENTROPY_H
#define SIGNALING_ENTROPY_H

#include "rtp/base.h"

/* Fills out with len random bytes. Never fails: a kernel without randomness ends the process. */
void entropy_fill(void *out, size_t len);
/* A random 64-bit number. */
uint64_t entropy_u64(void);
/* len characters of [A-Za-z0-9_-], six random bits each, and a terminator: out holds len + 1. */
void entropy_text(char *out, size_t len);

#endif
