/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/load_hist.h"

/* Values below 64 have a bucket each; above, each power of two has 64. */
static unsigned bucket_of(uint64_t v)
{
    if (v < LOAD_HIST_SUB) {
        return (unsigned)v;
    }
    unsigned shift = 57 - (unsigned)__builtin_clzll(v); /* leaves seven bits, 64..127 */
    unsigned b = (shift + 1) * LOAD_HIST_SUB + (unsigned)(v >> shift) - LOAD_HIST_SUB;
    return b < LOAD_HIST_LEN ? b : LOAD_HIST_LEN - 1;
}

static int64_t upper_edge(unsigned b)
{
    if (b < LOAD_HIST_SUB) {
        return b;
    }
    unsigned shift = b / LOAD_HIST_SUB - 1;
    return (int64_t)((uint64_t)(b % LOAD_HIST_SUB + LOAD_HIST_SUB + 1) << shift) - 1;
}

void load_hist_add(struct load_hist *h, int64_t ns)
{
    ns = ns < 0 ? 0 : ns;
    h->counts[bucket_of((uint64_t)ns)]++;
    h->n++;
    h->max_ns = ns > h->max_ns ? ns : h->max_ns;
}

int64_t load_hist_quantile(const struct load_hist *h, double q)
{
    uint64_t want = (uint64_t)((double)h->n * q), seen = 0;

    want += (double)want < (double)h->n * q; /* round up: of five values p99 is the largest */
    for (unsigned b = 0; h->n && b < LOAD_HIST_LEN; b++) {
        seen += h->counts[b];
        if (seen >= want) {
            int64_t edge = upper_edge(b);
            return edge < h->max_ns ? edge : h->max_ns;
        }
    }
    return 0;
}
