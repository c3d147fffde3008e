/* SPDX-License-Identifier: Apache-2.0 */
/* The router in virtual time: what viewers get is one continuous stream, whatever happens before
 * it. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "rtp/bytes.h"
#include "sfu/ingest.h"
#include "tests/sim/sim.h"

#define SECOND US_PER_S

static void expect_clean(const struct sim *s, const struct sim_viewer *v, const char *what)
{
    const struct sim_stream *a = &v->audio, *d = &v->video;
    cr_expect_eq(d->bad + a->bad, 0, "%s: content, seed %lu", what, s->seed);
    cr_expect_eq(d->duplicates + a->duplicates, 0, "%s: duplicates %lu, seed %lu", what,
                 d->duplicates, s->seed);
    cr_expect_eq(d->ts_back + a->ts_back, 0, "%s: timestamps went back %lu times", what,
                 d->ts_back);
    cr_expect_eq(d->pid_gaps, 0, "%s: picture ids jumped %lu times", what, d->pid_gaps);
}

static uint64_t absent(const struct sim_stream *st)
{
    uint64_t n = 0;
    for (uint64_t g = st->top > 4000 ? st->top - 4000 : 0x10000; g + 100 < st->top; g++) {
        n += !st->seen[g % 8192];
    }
    return n;
}

Test(forward, every_packet_reaches_viewers_on_both_workers)
{
    /* first sequence number and timestamp: around every wrap */
    static const struct {
        uint16_t seq;
        uint32_t ts;
    } rows[] = {{0, 0}, {65500, 4294900000u}, {32700, 2147400000u}, {1, 1}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct sim *s = sim_new(11 + i, (int64_t)i * 1000000007LL);
        struct sim_publisher *p = sim_publish(s, 0, 77, 1, rows[i].seq, rows[i].ts);
        struct sim_viewer *v[4];
        for (int k = 0; k < 4; k++) {
            v[k] = sim_view(s, k % 2, 77, true);
        }
        p->padding = i == 1;
        sim_run(s, 10 * SECOND);
        for (int k = 0; k < 4; k++) {
            expect_clean(s, v[k], "plain");
            cr_expect_geq(v[k]->video.packets, 290, "video packets %lu", v[k]->video.packets);
            cr_expect_geq(v[k]->audio.packets, 490, "audio packets %lu", v[k]->audio.packets);
            cr_expect_eq(absent(&v[k]->video), 0, "padding must not leave gaps");
            cr_expect_eq(v[k]->video.pt, 100);
            cr_expect_geq(v[k]->video.reports, 8);
            cr_expect_geq(v[k]->audio.reports, 8);
            cr_expect_eq(v[k]->video.rtx, 0);
        }
        sim_free(s);
    }
}

Test(forward, loss_on_both_sides_is_repaired)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sim *s = sim_new(seed, 5 * SECOND);
        struct sim_publisher *p = sim_publish(s, 0, 1, 1, 65000, 1);
        struct sim_viewer *rtx = sim_view(s, 0, 1, true), *far = sim_view(s, 1, 1, true);
        p->loss = 0.05;
        rtx->loss = far->loss = 0.05;
        sim_run(s, 30 * SECOND);
        cr_expect_gt(p->nacks, 10);
        cr_expect_gt(p->rtx_sent, 10);
        struct sim_viewer *both[] = {rtx, far};
        for (int k = 0; k < 2; k++) {
            cr_expect_eq(both[k]->video.bad, 0);
            cr_expect_gt(both[k]->video.rtx, 10);
            cr_expect_eq(both[k]->video.rtx_back, 0, "what is missing longest comes first");
            cr_expect_leq(absent(&both[k]->video), 4, "absent %lu, seed %lu",
                          absent(&both[k]->video), seed);
        }
        sim_free(s);
    }
}

Test(forward, a_publisher_that_returns_continues_the_stream)
{
    /* worker of the first publisher, of the second, of the viewer */
    static const int rows[][3] = {{0, 0, 0}, {0, 1, 0}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {0, 0, 1}};
    static const uint16_t seqs[] = {40000, 1000, 19000, 20010};
    for (unsigned n = 0; n < ARRAY_LEN(rows) * ARRAY_LEN(seqs); n++) {
        unsigned i = n / ARRAY_LEN(seqs), k = n % ARRAY_LEN(seqs);
        struct sim *s = sim_new(100 + n, SECOND);
        struct sim_publisher *p = sim_publish(s, rows[i][0], 9, 1, 20000, 90000);
        struct sim_viewer *v = sim_view(s, rows[i][2], 9, true);
        sim_run(s, 3 * SECOND);
        uint64_t before = v->video.packets;
        cr_expect_gt(before, 80);
        sim_unpublish(s, p);
        sim_run(s, 2 * SECOND);
        /* numbers above and below those of the first */
        sim_publish(s, rows[i][1], 9, i % 2 ? 1 : 3, seqs[k], 7);
        sim_run(s, 5 * SECOND);
        expect_clean(s, v, "returned");
        cr_expect_gt(v->video.packets, before + 120, "row %u: %lu then %lu", i, before,
                     v->video.packets);
        cr_expect_eq(absent(&v->video), 0);
        sim_free(s);
    }
}

Test(forward, what_was_lost_of_a_source_that_is_gone_is_not_asked_for_for_ever)
{
    for (int w = 0; w < SIM_WORKERS; w++) {
        struct sim *s = sim_new(31, SECOND);
        struct sim_publisher *p = sim_publish(s, 0, 9, 1, 20000, 90000);
        struct sim_viewer *v = sim_view(s, w, 9, true);
        sim_run(s, 2 * SECOND);
        v->nacks = false;
        v->loss = 0.5;
        sim_run(s, SECOND / 2);
        cr_expect_gt(v->video.lost_on_link, 5);
        sim_unpublish(s, p);
        v->nacks = true;
        v->loss = 0;
        sim_publish(s, 0, 9, 1, 1000, 7);
        sim_run(s, 3 * SECOND);
        cr_expect_eq(v->video.bad, 0);
        cr_expect_eq(absent(&v->video), 0, "%lu numbers without an answer", absent(&v->video));
        sim_free(s);
    }
}

Test(forward, simulcast_viewers_get_the_largest_live_layer)
{
    struct sim *s = sim_new(5, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 3, 3, 100, 5000);
    struct sim_viewer *v = sim_view(s, 0, 3, true), *far = sim_view(s, 1, 3, true);
    sim_run(s, 4 * SECOND);
    cr_expect_eq(v->video.layer, 2);
    cr_expect_eq(far->video.layer, 2);
    p->layer[2].paused = true;
    sim_run(s, 4 * SECOND);
    cr_expect_eq(v->video.layer, 1, "the top layer died");
    cr_expect_eq(far->video.layer, 1);
    p->layer[2].paused = false;
    sim_run(s, 4 * SECOND);
    cr_expect_eq(v->video.layer, 2, "and came back");
    cr_expect_eq(far->video.layer, 2);
    struct api_cmd c = {.kind = API_CMD_LAYER, .id = v->id, .u.wish = API_WISH_NONE};
    c.u.wish.mline = 1;
    c.u.wish.layer = 0;
    router_on_cmd(v->r, &c, s->now_us);
    sim_run(s, 2 * SECOND);
    cr_expect_eq(v->video.layer, 0, "the viewer asked");
    cr_expect_eq(far->video.layer, 2, "the other did not");
    expect_clean(s, v, "layers");
    expect_clean(s, far, "layers");
    cr_expect_eq(absent(&v->video), 0);
    sim_free(s);
}

Test(forward, only_viewers_with_something_to_choose_or_to_wait_for_are_watched)
{
    struct sim *s = sim_new(8, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 3, 1, 100, 5000);
    struct sim_viewer *v[] = {sim_view(s, 0, 3, true), sim_view(s, 1, 3, true),
                              sim_view(s, 0, 0, true)};
    const struct {
        const char *what;
        int n_tid, n_layers;      /* of the publisher */
        bool returns, is_watched; /* it is another; what becomes of the viewers */
    } rows[] = {{"one target", 1, 1, false, false},
                {"temporal layers", 3, 1, false, true},
                {"another publisher with one target", 1, 1, true, false},
                {"another with three encodings", 1, 3, true, true}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].returns) {
            sim_unpublish(s, p);
            p = sim_publish(s, 0, 3, rows[i].n_layers, 9000, 7);
        }
        p->layer[0].n_tid = rows[i].n_tid;
        sim_run(s, SECOND / 4);
        for (int k = 0; k < 2 && rows[i].is_watched; k++) {
            cr_expect_not(list_empty(&v[k]->peer->watched), "%s: soon", rows[i].what);
        }
        sim_run(s, 7 * SECOND / 4);
        for (int k = 0; k < 2; k++) {
            cr_expect_eq(!list_empty(&v[k]->peer->watched), rows[i].is_watched, "%s: viewer %d",
                         rows[i].what, k);
            cr_expect_geq(v[k]->video.packets, 50 * (i + 1), "%s: viewer %d", rows[i].what, k);
        }
        cr_expect(list_empty(&v[2]->peer->watched), "who plays nothing waits for nothing");
    }
    p->layer[0].paused = p->layer[1].paused = p->layer[2].paused = p->ignores_pli = true;
    struct sim_viewer *late = sim_view(s, 0, 3, true);
    sim_run(s, SECOND);
    cr_expect_not(list_empty(&late->peer->watched), "it waits for its first picture");
    sim_free(s);
}

Test(forward, key_frame_wishes_are_coalesced)
{
    struct sim *s = sim_new(6, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 3, 1, 100, 5000);
    sim_run(s, 2 * SECOND);
    uint64_t before = p->plis;
    for (int i = 0; i < 500; i++) {
        sim_view(s, i % 2, 3, true);
        sim_run(s, 10 * US_PER_MS);
    }
    cr_expect_leq(p->plis - before, 5 * 1000 / 300 + 2, "%lu requests in 5 s", p->plis - before);
    sim_run(s, SECOND);
    for (int i = 0; i < s->n_viewers; i++) {
        cr_expect_gt(s->viewers[i]->video.packets, 5, "viewer %d got %lu", i,
                     s->viewers[i]->video.packets);
        expect_clean(s, s->viewers[i], "storm");
    }
    sim_free(s);
}

Test(forward, a_deaf_source_is_not_asked_for_ever)
{
    struct sim *s = sim_new(7, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 3, 1, 100, 5000);
    sim_run(s, SECOND);
    p->ignores_pli = true;
    struct sim_viewer *v = sim_view(s, 0, 3, true);
    sim_run(s, 30 * SECOND);
    cr_expect_leq(p->plis, 12, "%lu requests", p->plis);
    /* Its first key frame is stored. */
    cr_expect_gt(v->video.packets, 800);
    p->layer[0].key_wanted = true; /* its own interval */
    sim_run(s, SECOND);
    cr_expect_gt(v->video.packets, 20);
    expect_clean(s, v, "deaf");
    sim_free(s);
}

Test(forward, leaving_viewers_leave_nothing)
{
    struct sim *s = sim_new(8, SECOND);
    sim_publish(s, 0, 3, 3, 100, 5000);
    for (int round = 0; round < 50; round++) {
        struct sim_viewer *v = sim_view(s, round % 2, 3, round % 3);
        sim_run(s, 40 * US_PER_MS);
        sim_leave(s, v);
    }
    sim_run(s, SECOND);
    cr_expect_eq(s->r[0].n_peers, 1);
    cr_expect_eq(s->r[1].n_peers, 0);
    cr_expect_eq(s->r[0].streams.used, 1);
    cr_expect_eq(router_stream(&s->r[0], 3, false)->wanted_by, 0);
    cr_expect_eq(s->r[1].n.sessions_ended, 25);
    sim_free(s);
}

Test(forward, a_viewer_that_was_silent_comes_back_to_the_present)
{
    struct sim *s = sim_new(9, SECOND);
    sim_publish(s, 0, 3, 1, 100, 5000);
    struct sim_viewer *v = sim_view(s, 1, 3, true);
    sim_run(s, 3 * SECOND);
    v->peer->silent = true;
    uint64_t before = v->video.packets;
    sim_run(s, 20 * SECOND);
    cr_expect_eq(v->video.packets, before, "nothing is sent to the silent");
    v->peer->silent = false;
    sim_run(s, 2 * SECOND);
    cr_expect_geq(v->video.packets, before + 40);
    cr_expect_leq(v->video.packets, before + 80, "not the 20 s that were missed: %lu",
                  v->video.packets - before);
    expect_clean(s, v, "silent");
    sim_free(s);
}

Test(forward, the_cap_of_a_publisher_is_enforced)
{
    struct sim *s = sim_new(10, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 3, 3, 100, 5000);
    p->peer->session->max_kbps = 500;
    p->answers_nacks = false;
    struct sim_viewer *v = sim_view(s, 0, 3, true);
    sim_run(s, 20 * SECOND);
    uint64_t bits = s->r[0].n.rx_rtp_bytes * 8;
    cr_expect_gt(bits, 20 * 1500000ULL, "it sent more: %lu", bits);
    cr_expect_gt(s->r[0].n.drop_rate, 1000);
    uint64_t stored = 0;
    for (int i = 0; i < 3; i++) {
        stored += p->peer->ingest->sources[1 + i].enc->bytes * 8;
    }
    cr_expect_leq(stored, 22 * 500000ULL, "kept %lu bits of 20 s at 500 kbps", stored);
    (void)v;
    sim_free(s);
}

/* FEC that was not negotiated: an SSRC of its own under the section's MID, and the media's. */
Test(forward, packets_of_no_codec_change_nothing)
{
    struct sim *s = sim_new(5, 0);
    struct sim_publisher *p = sim_publish(s, 0, 77, 1, 1, 1);
    struct sim_viewer *v = sim_view(s, 1, 77, true);
    sim_run(s, SECOND);
    for (uint16_t i = 0; i < 200; i++) {
        uint8_t pkt[1400];
        unsigned newest = (uint16_t)(p->layer[0].seq - 1) % 2048;
        memcpy(pkt, p->layer[0].sent[newest], p->layer[0].sent_len[newest]);
        pkt[1] = (uint8_t)((pkt[1] & 0x80) | 120);
        bytes_store16(pkt + 2, (uint16_t)(30000 + i));
        bytes_store32(pkt + 8, i % 2 ? p->layer[0].ssrc : 4711);
        router_on_rtp(p->r, p->peer, pkt, p->layer[0].sent_len[newest], s->now_us);
        sim_run(s, SECOND / 50);
    }
    expect_clean(s, v, "FEC");
    cr_expect_geq(v->video.packets, 140);
    cr_expect_eq(absent(&v->video), 0);
    cr_expect_eq(p->plis, 1, "%lu key frames asked for", p->plis);
    cr_expect_eq(p->r->n.drop_unknown_ssrc, 100);
    cr_expect_eq(p->r->n.drop_bad_pt, 100);
    sim_free(s);
}

Test(forward, red_reaches_those_who_can_read_it_and_others_get_opus)
{
    struct sim *s = sim_new(12, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 3, 1, 100, 5000);
    struct sim_viewer *plain = sim_view(s, 0, 3, true), *red = sim_view_red(s, 1, 3, 111);
    /* the blocks name the publisher's payload type, which this one does not share */
    struct sim_viewer *other = sim_view_red(s, 0, 3, 96 + 20);
    p->red = true;
    sim_run(s, 2 * SECOND);
    cr_expect_eq(plain->audio.pt, 109);
    cr_expect_eq(red->audio.pt, 63);
    cr_expect_eq(other->audio.pt, 116);
    p->red = false;
    sim_run(s, SECOND);
    cr_expect_eq(red->audio.pt, 111, "Opus alone is taken too");
    struct sim_viewer *all[] = {plain, red, other};
    for (int i = 0; i < 3; i++) {
        cr_expect_geq(all[i]->audio.packets, 140);
        expect_clean(s, all[i], "red");
    }
    sim_free(s);
}

Test(forward, a_new_ssrc_is_followed_here_and_by_replicas)
{
    struct sim *s = sim_new(100, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 9, 1, 40000, 90000);
    struct sim_viewer *near = sim_view(s, 0, 9, true), *far = sim_view(s, 1, 9, true);
    sim_run(s, 3 * SECOND);
    uint64_t a = near->video.packets, b = far->video.packets;
    p->layer[0].ssrc += 50;
    p->layer[0].seq = 1000;
    p->layer[0].key_wanted = true;
    sim_run(s, 5 * SECOND);
    cr_expect_geq(near->video.packets, a + 145, "%lu, then %lu", a, near->video.packets);
    cr_expect_geq(far->video.packets, b + 145, "%lu, then %lu", b, far->video.packets);
    expect_clean(s, near, "new ssrc");
    expect_clean(s, far, "new ssrc");
    sim_free(s);
}

/* A moderator's mute: silence here and on replicas, no key frames asked for in vain, and afterwards
 * a clean switch, not a gap. */
Test(forward, a_muted_publisher_is_not_passed_on)
{
    static const struct {
        bool audio, video;
        int layers;
    } rows[] = {{true, false, 1}, {false, true, 1}, {true, true, 1}, {false, true, 3}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct sim *s = sim_new(40 + i, SECOND);
        struct sim_publisher *p = sim_publish(s, 0, 3, rows[i].layers, 65000, 4000000000U);
        struct sim_viewer *v[] = {sim_view(s, 0, 3, true), sim_view(s, 1, 3, true)};
        struct api_cmd c = {.kind = API_CMD_MUTE, .id = p->id};
        sim_run(s, 3 * SECOND);
        c.u.mute.audio = rows[i].audio;
        c.u.mute.video = rows[i].video;
        sim_post(s, 0, c);
        sim_run(s, SECOND / 5);
        uint64_t audio[2], video[2], plis = p->plis, nacks = p->nacks;
        uint64_t dropped = s->r[0].n.drop_muted;
        for (int k = 0; k < 2; k++) {
            audio[k] = v[k]->audio.packets;
            video[k] = v[k]->video.packets;
        }
        sim_run(s, 3 * SECOND);
        cr_expect_leq(p->plis, plis + 1, "row %u: %lu key frames asked for in vain", i,
                      p->plis - plis);
        cr_expect_eq(p->nacks, nacks);
        cr_expect_gt(s->r[0].n.drop_muted, dropped + 80, "row %u", i);
        for (int k = 0; k < 2; k++) {
            cr_expect_eq(v[k]->audio.packets == audio[k], rows[i].audio, "row %u viewer %d", i, k);
            cr_expect_eq(v[k]->video.packets == video[k], rows[i].video, "row %u viewer %d", i, k);
        }
        c.u.mute.audio = false;
        c.u.mute.video = false;
        sim_post(s, 0, c);
        for (int k = 0; k < 2; k++) {
            audio[k] = v[k]->audio.packets;
            video[k] = v[k]->video.packets;
        }
        sim_run(s, 3 * SECOND);
        for (int k = 0; k < 2; k++) {
            expect_clean(s, v[k], "unmuted");
            cr_expect_gt(v[k]->audio.packets, audio[k] + 100, "row %u viewer %d", i, k);
            cr_expect_gt(v[k]->video.packets, video[k] + 70, "row %u viewer %d", i, k);
            cr_expect_eq(absent(&v[k]->video) + absent(&v[k]->audio), 0, "row %u viewer %d", i, k);
        }
        sim_free(s);
    }
}

/* A source with one key frame at its start that has never answered a request: who comes before that
 * is known sees its pictures after three in vain, who comes later at once; on the other worker
 * too. */
Test(forward, the_first_joiners_of_a_deaf_source_do_not_wait, .timeout = 60)
{
    static const int at_ms[] = {0, 200, 600, 1100, 2000, 2900, 4000, 9000, 20000};
    for (unsigned i = 0; i < 2 * ARRAY_LEN(at_ms); i++) {
        int ms = at_ms[i / 2];
        struct sim *s = sim_new(100 + i, SECOND);
        s->encoders = true;
        struct sim_publisher *p = sim_publish(s, 0, 9, 1, 40000, 90000);
        p->ignores_pli = true;
        sim_run(s, ms * US_PER_MS + 1);
        int64_t from_us = s->now_us;
        struct sim_viewer *v = sim_view(s, i % 2, 9, true);
        sim_run(s, 6 * SECOND);
        cr_assert(v->video.any, "at %d ms, worker %u: never", ms, i % 2);
        cr_expect_leq(v->video.first_us - from_us, (ms > 3500 ? 150 : 900) * US_PER_MS,
                      "at %d ms: after %ld us", ms, v->video.first_us - from_us);
        cr_expect_leq(p->layer[0].frame - v->video.last_frame_id, 8, "at %d ms: %lu behind", ms,
                      p->layer[0].frame - v->video.last_frame_id);
        expect_clean(s, v, "early");
        sim_free(s);
    }
}

/* A source that gives no key frame on request, on worker 0: joiners there and on worker 1, which
 * has nothing of it yet, see its last key frame at once and the rest in fast motion. */
Test(forward, joiners_of_a_deaf_source_catch_up_in_fast_motion, .timeout = 60)
{
    for (int lossy = 0; lossy < 2; lossy++) {
        struct sim *s = sim_new(100, SECOND);
        struct sim_publisher *p = sim_publish(s, 0, 9, 1, 40000, 90000);
        p->ignores_pli = true;
        sim_run(s, 2 * SECOND);
        struct sim_viewer *first = sim_view(s, 0, 9, true);
        sim_run(s, 12 * SECOND); /* found out to be deaf */
        p->layer[0].key_wanted = true;
        sim_run(s, 6 * SECOND);
        for (int worker = 0; worker < 2; worker++) {
            int64_t from_us = s->now_us;
            struct sim_viewer *late = sim_view(s, worker, 9, true);
            late->loss = lossy ? 0.03 : 0;
            late->nacks = lossy;
            sim_run(s, 6 * SECOND);
            cr_expect(late->video.any && late->video.first_us - from_us <= 150 * US_PER_MS,
                      "first picture after %ld us", late->video.first_us - from_us);
            /* The key frame of six seconds ago, all since, and six seconds more, once each; and
             * it is in the present. */
            cr_expect_geq(late->video.packets + late->video.lost_on_link, 355, "%lu",
                          late->video.packets);
            cr_expect_leq(p->layer[0].frame - late->video.last_frame_id, 8, "%lu behind",
                          p->layer[0].frame - late->video.last_frame_id);
            cr_expect_eq(late->video.bad + late->video.ts_back + late->video.duplicates, 0);
            cr_expect_leq(absent(&late->video), 4);
            sim_leave(s, late);
            sim_run(s, SECOND);
        }
        expect_clean(s, first, "there before");
        sim_free(s);
    }
}

/* Its next key frame comes while a joiner catches up: the rest of the old pictures is left out. */
Test(forward, a_newer_key_frame_ends_the_catching_up, .timeout = 60)
{
    struct sim *s = sim_new(100, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 9, 1, 40000, 90000);
    p->ignores_pli = true;
    sim_run(s, 2 * SECOND);
    sim_view(s, 0, 9, true);
    sim_run(s, 12 * SECOND);
    p->layer[0].key_wanted = true;
    sim_run(s, 8 * SECOND);
    struct sim_viewer *late = sim_view(s, 0, 9, true);
    sim_run(s, SECOND);
    p->layer[0].key_wanted = true;
    uint64_t before = late->video.packets;
    sim_run(s, SECOND);
    cr_expect_leq(late->video.packets - before, 60, "%lu: at once in the present",
                  late->video.packets - before);
    expect_clean(s, late, "skips");
    sim_free(s);
}

Test(forward, a_straggler_of_the_publisher_before_does_not_spoil_the_next)
{
    for (int straggles = 0; straggles < 2; straggles++) {
        struct sim *s = sim_new(100, SECOND);
        struct sim_publisher *old = sim_publish(s, 0, 9, 1, 40000, 90000);
        struct sim_viewer *v = sim_view(s, 0, 9, true);
        sim_run(s, 3 * SECOND);
        uint64_t before = v->video.packets;
        struct sim_publisher *next = sim_publish(s, 0, 9, 1, 1000, 7);
        next->next_frame_us += 200000;
        next->next_audio_us += 200000;
        if (straggles) {
            sim_run(s, 40 * US_PER_MS);
        }
        peer_end(old->peer, API_END_TAKEN_OVER, NULL, NULL);
        old->peer = NULL;
        sim_run(s, 10 * SECOND);
        cr_expect_geq(v->video.packets, before + 280, "%d: %lu, then %lu", straggles, before,
                      v->video.packets);
        expect_clean(s, v, "taken over");
        sim_free(s);
    }
}

Test(forward, a_layer_switch_does_not_go_back_in_time_and_outlives_the_layer)
{
    struct sim *s = sim_new(5, SECOND);
    struct sim_publisher *p = sim_publish(s, 0, 3, 3, 100, 5000);
    struct sim_viewer *v = sim_view(s, 0, 3, true);
    sim_run(s, 4 * SECOND);
    p->layer[0].key_wanted = true; /* by another viewer's wish */
    sim_run(s, 350 * US_PER_MS);
    struct api_cmd c = {.kind = API_CMD_LAYER, .id = v->id, .u.wish = API_WISH_NONE};
    c.u.wish.mline = 1;
    c.u.wish.layer = 0;
    uint64_t frame = v->video.last_frame_id;
    uint32_t ts = v->video.top_ts;
    router_on_cmd(v->r, &c, s->now_us);
    sim_run(s, SECOND);
    cr_expect_eq(v->video.layer, 0);
    cr_expect_geq(v->video.last_frame_id, frame + 25);
    cr_expect_leq((int32_t)(v->video.top_ts - ts), 95000, "%u ticks in a second",
                  v->video.top_ts - ts);
    uint64_t before = v->video.packets;
    p->layer[0].paused = true;
    sim_run(s, 5 * SECOND);
    cr_expect_eq(v->video.layer, 2, "the layer it asked for has gone");
    cr_expect_geq(v->video.packets, before + 300);
    expect_clean(s, v, "switch");
    sim_free(s);
}

/* By its silence alone a layer is dead after 150 ms. */
Test(forward, a_layer_that_its_publisher_ends_is_left_at_once_on_all_workers)
{
    static const struct {
        const char *what;
        size_t word_len;
        bool stops, dead;
    } rows[] = {
        {"told, and silent", 5, true, true},
        {"told, and belied", 5, false, true},
        {"silent only", 0, true, false},
        {"told in half a word", 3, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sim *s = sim_new(6, SECOND);
        struct sim_publisher *p = sim_publish(s, 0, 3, 3, 100, 5000);
        struct sim_viewer *v[2] = {sim_view(s, 0, 3, true), sim_view(s, 1, 3, true)};
        sim_run(s, 3 * SECOND);
        /* Two streams are left, of one layer each: 100 and 200 kbps. */
        const uint8_t word[] = {0x11, 0, 100, 0xc8, 1};
        memcpy(p->word, word, sizeof(word));
        p->word_len = rows[i].word_len;
        p->layer[2].paused = rows[i].stops;
        sim_run(s, 100 * US_PER_MS);
        for (int w = 0; w < 2; w++) {
            unsigned alive = stream_track(router_stream(&s->r[w], 3, false), MEDIA_VIDEO)->alive;
            cr_expect_eq(alive, rows[i].dead ? 3 : 7, "%s: worker %d", rows[i].what, w);
        }
        sim_run(s, 2 * SECOND);
        for (int w = 0; w < 2; w++) {
            cr_expect_eq(v[w]->video.layer, rows[i].stops ? 1 : 2, "%s: worker %d", rows[i].what,
                         w);
            expect_clean(s, v[w], rows[i].what);
        }
        struct api_counters *n = &s->r[0].n;
        cr_expect_eq(n->rx_layer_words > 0, rows[i].word_len > 0, "%s", rows[i].what);
        cr_expect_eq(n->bad_layer_words > 0, rows[i].word_len == 3, "%s", rows[i].what);
        sim_free(s);
    }
}

/* Packets of each temporal layer that came within us. */
static void count_tids(struct sim *s, struct sim_viewer *v, int64_t us, uint64_t ret[3])
{
    uint64_t before[3] = {v->video.tid_packets[0], v->video.tid_packets[1],
                          v->video.tid_packets[2]};
    sim_run(s, us);
    for (int i = 0; i < 3; i++) {
        ret[i] = v->video.tid_packets[i] - before[i];
    }
}

Test(forward, temporal_layers_go_and_come_without_a_gap)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct sim *s = sim_new(seed, SECOND);
        struct sim_publisher *p = sim_publish(s, 0, 3, 1, (uint16_t)(65000 + seed * 100), 5000);
        p->layer[0].n_tid = 3;
        p->layer[0].packets_per_frame = 3;
        p->padding = seed & 1;
        p->loss = seed > 3 ? 0.03 : 0;
        struct sim_viewer *v = sim_view(s, (int)(seed & 1), 3, true),
                          *all = sim_view(s, 0, 3, true);
        sim_run(s, 8 * SECOND); /* it has shown meanwhile that it answers requests */
        for (int8_t cut = 2; cut >= 0; cut--) {
            struct api_cmd c = {.kind = API_CMD_LAYER, .id = v->id, .u.wish = API_WISH_NONE};
            c.u.wish.mline = 1;
            c.u.wish.max_tid = cut;
            router_on_cmd(v->r, &c, s->now_us);
            sim_run(s, 200 * US_PER_MS);
            uint64_t n[3];
            uint64_t keys = p->key_frames;
            count_tids(s, v, 4 * SECOND, n);
            cr_expect_geq(n[0], 80, "cut %d: %lu of T0", cut, n[0]);
            cr_expect(cut >= 1 ? n[1] >= 80 : n[1] == 0, "cut %d: %lu of T1", cut, n[1]);
            cr_expect(cut == 2 ? n[2] >= 160 : n[2] == 0, "cut %d: %lu of T2", cut, n[2]);
            cr_expect_eq(p->key_frames, keys, "no key frame for it");
            c.u.wish.max_tid = -1;
            router_on_cmd(v->r, &c, s->now_us);
            sim_run(s, 300 * US_PER_MS);
            count_tids(s, v, 2 * SECOND, n);
            cr_expect_geq(n[2], 80, "up again from %d: %lu of T2", cut, n[2]);
        }
        /* What the publisher lost and repaired comes late, so ids need not be in order then. */
        cr_expect_eq(v->video.bad + v->video.duplicates, 0);
        if (p->loss == 0) {
            expect_clean(s, v, "temporal");
            cr_expect_eq(absent(&v->video), 0, "seed %lu: %lu absent", seed, absent(&v->video));
        }
        cr_expect_leq(absent(&all->video), 4, "seed %lu: %lu", seed, absent(&all->video));
        sim_free(s);
    }
}
