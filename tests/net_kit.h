/* SPDX-License-Identifier: Apache-2.0 */
/* net_kit.h - for tests: addresses from text, and the descriptors that are open. */
#ifndef TESTS_NET_KIT_H
#define TESTS_NET_KIT_H

#include "ice/addr.h"

#include <criterion/criterion.h>
#include <dirent.h>

static inline struct addr net_addr(const char *ip, uint16_t port)
{
    struct addr a = {0};

    cr_assert_eq(addr_parse_ip(ip, port, &a), 0, "%s", ip);
    return a;
}

static inline int net_count_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");

    cr_assert_not_null(d);
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n;
}

#endif
