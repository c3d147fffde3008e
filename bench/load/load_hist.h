/* SPDX-License-Identifier: Apache-2.0 */
/* load_hist.h - histogram of times with 1.6 % resolution from 1 ns to 2^42 ns (73 minutes). */
#ifndef BENCH_LOAD_LOAD_HIST_H
#define BENCH_LOAD_LOAD_HIST_H

#include <stdint.h>

#define LOAD_HIST_SUB 64
#define LOAD_HIST_LEN (LOAD_HIST_SUB * 40)

/* Zero-initialised. */
struct load_hist {
    uint64_t n;
    int64_t max_ns;
    uint64_t counts[LOAD_HIST_LEN];
};

/* Negative times count as 0. */
void load_hist_add(struct load_hist *h, int64_t ns);
/* The time below which share q of the values lie, 0 < q <= 1; 0 when empty. Never above max_ns. */
int64_t load_hist_quantile(const struct load_hist *h, double q);

#endif
