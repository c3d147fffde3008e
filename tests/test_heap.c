/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sfu/heap.h"

/* A sanitizer has a heap of its own. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

Test(heap, is_trimmed_after_many_have_gone_and_when_it_is_calm)
{
    /* sessions added and ended so far, and what follows */
    static const struct {
        uint64_t added, ended;
        bool due;
    } looks[] = {
        {0, 0, false},        {1000, 0, false}, {1000, 10, false}, /* few */
        {1500, 500, false},                                        /* many, but others come */
        {1503, 500, true},                                         /* hardly any come */
        {1503, 500, false},                                        /* done */
        {1503, 560, false},                                        /* few since */
        {1503, 564, true},                                         /* many since */
        {1503, 1503, true},                                        /* the rest */
        {9000, 1503, false},                                       /* a storm */
        {18000, 9000, false},                                      /* goes on */
        {18001, 9000, true},                                       /* and is over */
        {18001, 9020, false},                                      /* a few more */
        {18001, 9020, true},                                       /* nobody comes or goes */
        {18001, 9027, false},                                      /* hardly anybody */
        {18001, 9027, false},                                      /* not worth it */
    };
    struct heap h = {0};
    for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
        cr_expect_eq(heap_is_due(&h, looks[i].added, looks[i].ended), looks[i].due, "look %zu", i);
    }
}

Test(heap, is_trimmed_once_a_minute_where_it_is_never_calm)
{
    struct heap h = {0};
    for (uint64_t look = 1; look <= 36; look++) {
        cr_expect_eq(heap_is_due(&h, 50 * look, 40 * look), look % 12 == 0, "look %lu", look);
    }
}

/* Resident pages. */
static long resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long all, pages = -1;
    cr_assert(f && fscanf(f, "%ld %ld", &all, &pages) == 2);
    fclose(f);
    return pages;
}

Test(heap, what_a_handshake_used_goes_back_though_later_blocks_stay)
{
    enum { N = 400, BUFFER = 16 << 10, SMALL = 300 };
    static void *buffer[N], *small[N];
    if (SANITIZED) {
        return;
    }
    heap_init();
    for (int i = 0; i < N; i++) {
        buffer[i] = malloc(BUFFER);
        small[i] = malloc(SMALL);
        cr_assert(buffer[i] && small[i]);
        memset(buffer[i], i, BUFFER);
        memset(small[i], i, SMALL);
    }
    long full = resident();
    for (int i = 0; i < N; i++) {
        free(buffer[i]);
    }
    long want = (long)N * BUFFER / getpagesize();
    cr_expect_geq(full - resident(), want * 9 / 10, "%ld of %ld pages came back", full - resident(),
                  want);
    for (int i = 0; i < N; i += 2) {
        free(small[i]);
    }
    heap_trim();
}
