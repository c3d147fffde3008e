/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_rival.h"

bool bwe_rival_vain(struct bwe_rival *r, uint32_t before_bps, int64_t now_us)
{
    bool again = r->vain_us && now_us - r->vain_us < BWE_RIVAL_AGAIN_US;
    if (!again) {
        r->vain_us = now_us;
        r->before_bps = now_us < r->until_us ? MAX(r->before_bps, before_bps) : before_bps;
        return false;
    }
    bwe_rival_seen(r, before_bps, now_us);
    return true;
}

void bwe_rival_seen(struct bwe_rival *r, uint32_t before_bps, int64_t now_us)
{
    if (now_us >= r->until_us) {
        r->before_bps = MAX(r->before_bps, before_bps);
    }
    r->until_us = now_us + BWE_RIVAL_LASTS_US;
}

uint32_t bwe_rival_floor_bps(const struct bwe_rival *r, int64_t now_us)
{
    if (now_us >= r->until_us) {
        return 0;
    }
    uint64_t share = (uint64_t)r->before_bps * BWE_RIVAL_PCT / 100;
    return (uint32_t)MIN(share, BWE_RIVAL_MOST_BPS);
}
