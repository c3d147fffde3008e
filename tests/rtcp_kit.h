/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp_kit.h - for the tests of the RTCP messages. */
#ifndef TESTS_RTCP_KIT_H
#define TESTS_RTCP_KIT_H

#include "rtp/rtcp.h"
#include "tests/exact.h"
#include <criterion/criterion.h>

/* The one packet in buf[0..len), which must be well formed and all there is. */
static inline struct rtcp_packet rtcp_kit_one(const uint8_t *buf, size_t len)
{
    struct rtcp_walk w;
    struct rtcp_packet p = {0};
    struct rtcp_packet rest;
    rtcp_walk_init(&w, buf, len);
    cr_assert_eq(rtcp_walk_next(&w, &p), 1);
    cr_assert_eq(rtcp_walk_next(&w, &rest), 0);
    return p;
}

/* p with its body cut to n bytes in a heap block of that size; free body afterwards. */
static inline struct rtcp_packet rtcp_kit_cut(const struct rtcp_packet *p, size_t n)
{
    struct rtcp_packet cut = *p;
    cut.body = exact_copy(p->body, n);
    cut.body_len = (uint16_t)n;
    cut.whole = NULL;
    cut.whole_len = 0;
    return cut;
}

#endif
