/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_acked.h"
#include <string.h>

void bwe_acked_reset(struct bwe_acked *a)
{
    *a = (struct bwe_acked){.fresh = true};
}

void bwe_acked_hole(struct bwe_acked *a)
{
    a->fresh = true;
}

static void start(struct bwe_acked *a, int64_t sent_us, int64_t arrival_us, uint32_t size)
{
    memset(a->bytes, 0, sizeof(a->bytes));
    a->head = arrival_us / BWE_ACKED_BIN_US;
    a->bytes[a->head & (BWE_ACKED_BINS - 1)] = size;
    a->sent_us[a->head & (BWE_ACKED_BINS - 1)] = (uint32_t)sent_us;
    a->first_sent_us = (uint32_t)sent_us;
    a->since_us = a->last_us = a->sampled_us = arrival_us;
    a->first_bytes = size;
    a->fresh = false;
}

/* Once per window: smooth_bps follows the window's rate with a weight of 1/3, about half a second.
 */
static void sample(struct bwe_acked *a)
{
    int64_t window_us = BWE_ACKED_WINDOW * BWE_ACKED_BIN_US;
    if (a->last_us - a->sampled_us < window_us) {
        return;
    }
    a->sampled_us = a->last_us;
    uint32_t bps = bwe_acked_recent_bps(a);
    if (a->smooth_bps == 0) {
        a->smooth_bps = bps;
    } else if (bps) {
        a->smooth_bps = (uint32_t)(((uint64_t)a->smooth_bps * 2 + bps) / 3);
    }
}

void bwe_acked_add(struct bwe_acked *a, int64_t sent_us, int64_t arrival_us, uint32_t size)
{
    static_assert((BWE_ACKED_BINS & (BWE_ACKED_BINS - 1)) == 0, "bins are found by a mask");
    if (a->fresh || arrival_us - a->last_us > BWE_ACKED_PAUSE_US) {
        start(a, sent_us, arrival_us, size);
        return;
    }
    if (arrival_us < a->since_us) {
        return;
    }
    int64_t bin = arrival_us / BWE_ACKED_BIN_US;
    if (bin <= a->head - BWE_ACKED_BINS) {
        return;
    }
    while (a->head < bin) {
        uint32_t sent = a->sent_us[a->head & (BWE_ACKED_BINS - 1)];
        a->bytes[++a->head & (BWE_ACKED_BINS - 1)] = 0;
        a->sent_us[a->head & (BWE_ACKED_BINS - 1)] = sent;
    }
    uint32_t *newest = &a->sent_us[a->head & (BWE_ACKED_BINS - 1)];
    if ((int32_t)((uint32_t)sent_us - *newest) > 0) {
        *newest = (uint32_t)sent_us;
    }
    a->bytes[bin & (BWE_ACKED_BINS - 1)] += size;
    a->last_us = MAX(a->last_us, arrival_us);
    sample(a);
}

uint32_t bwe_acked_recent_bps(const struct bwe_acked *a)
{
    if (a->fresh) {
        return 0;
    }
    int64_t bin = a->head - BWE_ACKED_WINDOW;
    int64_t from_us = (bin + 1) * BWE_ACKED_BIN_US;
    uint64_t bytes = 0;
    if (from_us <= a->since_us) {
        from_us = a->since_us;
        bin = a->since_us / BWE_ACKED_BIN_US - 1;
        bytes -= a->first_bytes;
    }
    int64_t span_us = a->last_us - from_us;
    if (span_us < BWE_ACKED_ENOUGH_US) {
        return 0;
    }
    while (bin++ < a->head) {
        bytes += a->bytes[bin & (BWE_ACKED_BINS - 1)];
    }
    uint64_t bps = bytes * 8 * US_PER_S / (uint64_t)span_us;
    return (uint32_t)MIN(bps, UINT32_MAX);
}

uint32_t bwe_acked_stretch_q8(const struct bwe_acked *a)
{
    int64_t bin = a->head - BWE_ACKED_WINDOW;
    int64_t from_us = (bin + 1) * BWE_ACKED_BIN_US;
    uint32_t before = a->sent_us[bin & (BWE_ACKED_BINS - 1)];
    if (from_us <= a->since_us) {
        from_us = a->since_us;
        before = a->first_sent_us;
    }
    int64_t arrived_us = a->last_us - from_us;
    int64_t sent_us = (int32_t)(a->sent_us[a->head & (BWE_ACKED_BINS - 1)] - before);
    if (a->fresh || arrived_us < BWE_ACKED_ENOUGH_US || sent_us <= 0) {
        return 256;
    }
    return (uint32_t)MIN(arrived_us * 256 / sent_us, UINT16_MAX);
}
