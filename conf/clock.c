/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/clock.h"

#include <time.h>

#define NTP_UNIX_OFFSET_S 2208988800 /* from 1900 to 1970, RFC 5905 figure 4 */

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    int rc = clock_gettime(id, &ts);
    assert(rc == 0);
    (void)rc;
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_now_us(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_wall_us(void)
{
    return read_ns(CLOCK_REALTIME) / 1000;
}

int64_t clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t clock_ntp(int64_t wall_us)
{
    /* Floor division, so that times before 1970 keep a positive fraction. */
    int64_t s = wall_us / US_PER_S;
    int64_t us = wall_us % US_PER_S;
    if (us < 0) {
        us += US_PER_S;
        s--;
    }
    /* Era 1 begins in 2036: seconds wrap, as RFC 5905 means them to. */
    uint64_t ntp_s = (uint64_t)(s + NTP_UNIX_OFFSET_S) & 0xffffffff;
    return ntp_s << 32 | ((uint64_t)us << 32) / US_PER_S;
}
