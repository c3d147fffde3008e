/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_surge.h"

#define RISE_US    (40 * US_PER_MS)
#define BURST_BITS (5 * 9600)
#define SPREAD_US  (40 * US_PER_MS) /* without the greatest single rise */
#define RISES      5
#define EACH_US    1500              /* less is the clock of the feedback */
#define FALL_US    (8 * US_PER_MS)   /* between two frames the queue may shrink so much */
#define BEGIN_US   (4 * US_PER_MS)   /* the link may have been idle before */
#define PAUSE_US   (200 * US_PER_MS) /* nothing was sent: what rose before is another story */

void bwe_surge_reset(struct bwe_surge *s)
{
    *s = (struct bwe_surge){.limit_us = s->limit_us};
}

static void start(struct bwe_surge *s, int64_t sent_us, int64_t arrival_us)
{
    *s = (struct bwe_surge){.sent_us = sent_us,
                            .arrival_us = arrival_us,
                            .from_us = arrival_us,
                            .limit_us = s->limit_us,
                            .any = true};
}

void bwe_surge_expect(struct bwe_surge *s, uint32_t bps, int32_t noise_us)
{
    int64_t burst_us = (int64_t)BURST_BITS * US_PER_S / MAX(bps, 1);
    s->limit_us = (int32_t)(RISE_US + MIN(burst_us, US_PER_S)) + noise_us;
}

int32_t bwe_surge_us(const struct bwe_surge *s)
{
    bool surge =
        s->rise_us >= s->limit_us && s->rises >= RISES && s->rise_us - s->most_us >= SPREAD_US;
    return surge ? s->rise_us : 0;
}

/* Jitter lets delay fall for a moment while the queue of a link that has lost much of its rate
 * fills. What others send makes it fill more slowly. */
static bool is_jitter(const struct bwe_surge *s, int64_t later, int64_t arrival_us)
{
    bool steep = 5 * (int64_t)s->rise_us >= 2 * (arrival_us - s->from_us);
    return steep && later >= -(FALL_US + (s->rise_us - s->most_us) / 3);
}

uint32_t bwe_surge_add(struct bwe_surge *s, int64_t sent_us, int64_t arrival_us, uint32_t size)
{
    int64_t sent = sent_us - s->sent_us;
    int64_t later = arrival_us - s->arrival_us - sent;
    if (s->any && sent < 0) {
        return 0;
    }
    if (!s->any || sent > PAUSE_US || later > US_PER_S || s->rise_us + later < BEGIN_US ||
        (later < -FALL_US && !is_jitter(s, later, arrival_us))) {
        start(s, sent_us, arrival_us);
        return 0;
    }
    s->sent_us = sent_us;
    s->arrival_us = arrival_us;
    s->rise_us += (int32_t)later;
    s->most_us = MAX(s->most_us, (int32_t)later);
    s->rises = (uint8_t)MIN(s->rises + (later >= EACH_US), UINT8_MAX);
    s->bytes += size;
    if (bwe_surge_us(s) == 0) {
        return 0;
    }
    uint64_t bps = (uint64_t)s->bytes * 8 * US_PER_S / (uint64_t)MAX(arrival_us - s->from_us, 1);
    return (uint32_t)MIN(bps, UINT32_MAX);
}
