/* SPDX-License-Identifier: Apache-2.0 */
/* What MAIN hears of publishers: speech, tracks that stop and go on, one session's numbers. */
#include <criterion/criterion.h>

#include "sfu/ingest.h"
#include "sfu/peer.h"
#include "tests/sim/sim.h"

#define SECOND US_PER_S
#define VOICE  (0x80 | 25)
#define QUIET  100

Test(levels, speech_is_told_while_there_is_any)
{
    struct sim *s = sim_new(70, SECOND);
    struct sim_publisher *p[2] = {sim_publish(s, 0, 1, 1, 5, 5), sim_publish(s, 1, 2, 1, 5, 5)};
    p[0]->level = VOICE;
    p[1]->level = VOICE;
    sim_run(s, SECOND);
    cr_expect_eq(s->events[API_EV_LEVELS], 0, "nobody asked");
    sim_want_levels(s, 0, 1);
    sim_run(s, SECOND);
    cr_expect_geq(s->events[API_EV_LEVELS], 19);
    cr_expect_leq(s->events[API_EV_LEVELS], 21, "20 a second");
    cr_expect_eq(s->level.stream, 1);
    cr_expect_eq(s->level.window.medium, SPEAKER_MEDIUM);
    cr_expect_geq(s->level.window.lasting, 8);
    p[0]->level = QUIET;
    sim_run(s, 2 * SECOND);
    cr_expect_eq(s->level.window.lasting, 0, "the last digest says silence");
    uint64_t told = s->events[API_EV_LEVELS];
    sim_run(s, 5 * SECOND);
    cr_expect_eq(s->events[API_EV_LEVELS], told, "silence costs nothing");
    /* The publisher comes back on another worker, where nobody asked yet. */
    sim_unpublish(s, p[0]);
    struct sim_publisher *again = sim_publish(s, 1, 1, 1, 900, 9);
    again->level = VOICE;
    sim_run(s, SECOND);
    cr_expect_eq(s->events[API_EV_LEVELS], told);
    sim_want_levels(s, 1, 1);
    sim_run(s, SECOND);
    cr_expect_gt(s->events[API_EV_LEVELS], told);
    sim_free(s);
}

Test(levels, tracks_that_stop_are_told_once)
{
    struct sim *s = sim_new(71, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 1, 3, 5, 5);
    sim_run(s, 10 * SECOND);
    cr_expect_eq(s->events[API_EV_TRACKS], 0, "both flow, as assumed");
    p->blind = true;
    sim_run(s, 10 * SECOND);
    cr_expect_eq(s->events[API_EV_TRACKS], 1);
    cr_expect(s->audio_flows && !s->video_flows);
    p->silent = true;
    p->blind = false;
    sim_run(s, SECOND);
    cr_expect_eq(s->events[API_EV_TRACKS], 2);
    cr_expect(s->audio_flows && s->video_flows);
    sim_run(s, 10 * SECOND);
    cr_expect_eq(s->events[API_EV_TRACKS], 3);
    cr_expect(!s->audio_flows && s->video_flows);
    sim_free(s);
}

/* What the sources count is told, once each, whichever layer has it. */
Test(levels, faults_are_told_once)
{
    struct sim *s = sim_new(73, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 1, 3, 5, 5);
    sim_run(s, 10 * SECOND);
    cr_expect_eq(s->events[API_EV_FAULT], 0, "a browser has none");
    const struct ingest *in = p->peer->ingest;
    struct encoding *top = in->sources[in->n_sources - 1].enc;
    cr_assert_eq(top->track->kind, MEDIA_VIDEO);
    top->desc.backward = 1000;
    sim_run(s, SECOND);
    cr_expect_eq(s->events[API_EV_FAULT], 1);
    cr_expect_eq(s->fault, API_FAULT_B_FRAMES);
    top->keys.deaf = true;
    top->keys.own_us = 9 * SECOND;
    sim_run(s, SECOND);
    cr_expect_eq(s->events[API_EV_FAULT], 2);
    cr_expect_eq(s->fault, API_FAULT_RARE_KEYS);
    sim_run(s, 10 * SECOND);
    cr_expect_eq(s->events[API_EV_FAULT], 2);
    for (unsigned f = 0; f < API_FAULT_COUNT; f++) {
        cr_expect(api_fault_name(f)[0] && api_fault_remedy(f)[0], "%u", f);
    }
    sim_free(s);
}

Test(levels, one_session_can_be_asked_for)
{
    struct sim *s = sim_new(72, SECOND);
    sim_publish(s, 0, 1, 1, 5, 5);
    struct sim_viewer *v = sim_view(s, 0, 1, true);
    sim_view(s, 0, 1, true);
    sim_query(s, 0, v->id);
    cr_expect_eq(s->query_n, 1);
    cr_expect_eq(s->query_id, v->id);
    sim_query(s, 0, 0);
    cr_expect_eq(s->query_n, 3);
    sim_query(s, 1, v->id);
    cr_expect_eq(s->query_n, 0, "another worker's session");
    sim_free(s);
}
