/* SPDX-License-Identifier: Apache-2.0 */
/* How long the packets of a frame wait for each other before they go to the viewers. */
#include <criterion/criterion.h>

#include "rtp/header.h"
#include "sfu/sub.h"
#include "tests/sim/sim.h"

/* Stores the next packet of the stream's video, as if it had just come. */
static void store(struct sim *s, bool ends)
{
    struct stream *st = router_stream(&s->r[0], 1, false);
    struct encoding *e = &stream_track(st, MEDIA_VIDEO)->enc[0];
    uint8_t payload[64] = {0x10};
    const struct pkt_desc desc = {.dt_mask = UINT16_MAX, .flags = ends ? DESC_FRAME_END : 0};
    const struct hist_in in = {
        .seq = e->hist.top_seq + 1,
        .arrival_us = s->now_us,
        .marker = ends,
        .codec = CODEC_VP8,
        .desc = &desc,
        .payload = payload,
        .payload_len = sizeof(payload),
    };
    cr_assert(route_store(&s->r[0], e, &in));
}

Test(gather, a_frame_that_many_watch_is_waited_for_until_it_is_whole)
{
    /* viewers, the setting, how long the first packet may wait */
    static const struct {
        int viewers, gather_us;
        int64_t patience_us;
    } rows[] = {
        {1, 1000, 0},     /* sending at once costs less */
        {100, 1000, 200}, /* as long as sending takes */
        {1000, 1000, 1000} /* as the setting says */,
        {1000, 0, 0}, /* off */
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct sim *s = sim_new(70 + i, US_PER_S);
        s->conf.media.gather_us = rows[i].gather_us;
        sim_publish(s, 0, 1, 1, 100, 1000);
        for (int v = 0; v < rows[i].viewers; v++) {
            cr_assert(sim_view(s, 0, 1, true));
        }
        sim_run(s, US_PER_S);
        cr_expect_eq(router_patience_us(&s->r[0]), 0, "nothing has come");
        store(s, false);
        cr_expect_eq(router_patience_us(&s->r[0]), rows[i].patience_us, "row %u: %ld us", i,
                     (long)router_patience_us(&s->r[0]));
        store(s, true);
        cr_expect_eq(router_patience_us(&s->r[0]), 0, "row %u: the frame is whole", i);
        store(s, false);
        sim_run(s, US_PER_MS); /* patience ran out, they were sent */
        cr_expect_eq(router_patience_us(&s->r[0]), 0, "row %u: what was sent waits no more", i);
        sim_free(s);
    }
}
