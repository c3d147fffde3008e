/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/bwe_groups.h"

void bwe_groups_reset(struct bwe_groups *g)
{
    *g = (struct bwe_groups){0};
}

static void start(struct bwe_group *g, int64_t sent_us, int64_t arrival_us)
{
    *g = (struct bwe_group){
        .first_sent_us = sent_us,
        .last_sent_us = sent_us,
        .first_arrival_us = arrival_us,
        .last_arrival_us = arrival_us,
        .owd_us = arrival_us - sent_us,
        .any = true,
    };
}

/* Does it belong to the group although it left later: a link that held packets back and delivers
 * them at once says nothing about queues. */
static bool is_burst(const struct bwe_group *g, int64_t sent_us, int64_t arrival_us)
{
    int64_t arrived = arrival_us - g->last_arrival_us;
    int64_t sent = sent_us - g->last_sent_us;
    return sent == 0 || (arrived - sent < 0 && arrived <= BWE_GROUPS_BURST_US &&
                         arrival_us - g->first_arrival_us < BWE_GROUPS_BURST_MAX_US);
}

/* Closes the current group. Returns true if there is a delta to tell. */
static bool finish(struct bwe_groups *g, struct bwe_groups_delta *ret)
{
    if (!g->prev.any) {
        return false;
    }
    int64_t arrived = g->cur.last_arrival_us - g->prev.last_arrival_us;
    if (arrived < 0) {
        if (++g->reordered >= BWE_GROUPS_REORDERED_MAX) {
            bwe_groups_reset(g);
        }
        return false;
    }
    g->reordered = 0;
    *ret = (struct bwe_groups_delta){
        .sent_us = g->cur.last_sent_us - g->prev.last_sent_us,
        .arrived_us = arrived,
        .arrival_us = g->cur.last_arrival_us,
        .owd_us = g->cur.owd_us,
    };
    return true;
}

bool bwe_groups_add(struct bwe_groups *g, int64_t sent_us, int64_t arrival_us,
                    struct bwe_groups_delta *ret)
{
    if (!g->cur.any) {
        start(&g->cur, sent_us, arrival_us);
        return false;
    }
    if (sent_us < g->cur.first_sent_us) {
        return false;
    }
    if (sent_us - g->cur.first_sent_us <= BWE_GROUPS_SEND_US ||
        is_burst(&g->cur, sent_us, arrival_us)) {
        g->cur.last_sent_us = MAX(g->cur.last_sent_us, sent_us);
        g->cur.last_arrival_us = MAX(g->cur.last_arrival_us, arrival_us);
        g->cur.owd_us = MIN(g->cur.owd_us, arrival_us - sent_us);
        return false;
    }
    bool told = finish(g, ret);
    g->prev = g->cur;
    start(&g->cur, sent_us, arrival_us);
    return told;
}
