/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the only place that reads a clock. The loops call it once per turn and pass the time
 * on. Any thread. */
#ifndef CONF_CLOCK_H
#define CONF_CLOCK_H

#include "rtp/base.h"

/* Monotonic, microseconds. */
int64_t clock_now_us(void);
/* Wall clock, microseconds since 1970, UTC. */
int64_t clock_wall_us(void);
/* CPU time of the calling thread, nanoseconds. */
int64_t clock_thread_cpu_ns(void);
/* 64-bit NTP timestamp (RFC 5905) of a wall time. */
uint64_t clock_ntp(int64_t wall_us);

#endif
