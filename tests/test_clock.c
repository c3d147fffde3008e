/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "conf/clock.h"

Test(clock, converts_wall_time_to_ntp)
{
    static const struct {
        int64_t wall_us;
        uint64_t ntp;
    } rows[] = {
        {0, (uint64_t)2208988800 << 32},
        {500000, ((uint64_t)2208988800 << 32) + 0x80000000},
        {-500000, ((uint64_t)2208988799 << 32) + 0x80000000},
        {999999, ((uint64_t)2208988800 << 32) + 4294963000},
        /* RFC 5905 figure 4: first day of the UNIX epoch, last of era 0, first of era 1 */
        {(int64_t)2085978495 * US_PER_S, (uint64_t)0xffffffff << 32},
        {(int64_t)2085978496 * US_PER_S, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t diff = (int64_t)(clock_ntp(rows[i].wall_us) - rows[i].ntp);
        cr_assert(diff > -4300 && diff < 4300, "row %zu: %jx", i,
                  (uintmax_t)clock_ntp(rows[i].wall_us));
    }
}

Test(clock, advances)
{
    int64_t now = clock_now_us();
    int64_t cpu = clock_thread_cpu_ns();
    cr_assert(now > 0);
    cr_assert(clock_wall_us() > (int64_t)1700000000 * US_PER_S);
    /* Burning CPU moves both clocks, and CPU time by no more than real time. */
    while (clock_now_us() - now < 2000) {
    }
    int64_t burnt_ns = clock_thread_cpu_ns() - cpu;
    cr_assert(burnt_ns > 0);
    cr_assert(burnt_ns / 1000 <= clock_now_us() - now + 1000);
}
