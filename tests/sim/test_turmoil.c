/* SPDX-License-Identifier: Apache-2.0 */
/* Everything at once, thousands of times: publishers come under names that others hold, viewers'
 * sections go from stream to alias to nothing, wishes and commands say what nobody should, peers
 * send RTP and RTCP of any content. One viewer and its publisher take no part, and must not notice;
 * when all have left, nothing of them is left. What else goes wrong here the sanitizers see. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/bytes.h"
#include "rtp/rtcp_nack.h"
#include "tests/sim/sim.h"

#define CALM    50 /* the stream of the two who take no part */
#define STREAMS 6
#define ALIAS   1000
#define ALIASES 3
#define VIEWERS 24

struct turmoil {
    struct sim *s;
    struct sim_publisher *publishers[STREAMS + 1]; /* by stream, from 1 */
    struct sim_viewer *viewers[VIEWERS];
    uint64_t done[16]; /* of each kind of deed */
};

static unsigned any(struct turmoil *t, unsigned n)
{
    return (unsigned)(sim_random(t->s) * n);
}

/* A stream or an alias, sometimes one that does not exist, sometimes none. */
static uint64_t any_stream(struct turmoil *t)
{
    unsigned k = any(t, STREAMS + ALIASES + 2);
    return k <= STREAMS ? k : k <= STREAMS + ALIASES ? ALIAS + k - STREAMS - 1 : 77;
}

static struct sim_viewer *any_viewer(struct turmoil *t)
{
    return t->viewers[any(t, VIEWERS)];
}

static struct sim_publisher *any_publisher(struct turmoil *t)
{
    return t->publishers[1 + any(t, STREAMS)];
}

/* A session that is there, one that has gone, or none; not one of the first two, who take no part.
 */
static uint64_t any_session(struct turmoil *t)
{
    return 3 + any(t, (unsigned)t->s->next_id);
}

/* ---- those who come and go ---- */

static void come_or_go_publishing(struct turmoil *t)
{
    uint64_t stream = 1 + any(t, STREAMS);
    struct sim_publisher **p = &t->publishers[stream];
    if (*p) {
        sim_unpublish(t->s, *p);
        *p = NULL;
    } else if (t->s->n_publishers < SIM_PUBLISHERS_MAX) {
        *p = sim_publish(t->s, (int)any(t, SIM_WORKERS), stream, 1 + (int)any(t, 3),
                         (uint16_t)any(t, 65536), any(t, 1U << 31));
        (*p)->red = any(t, 3) == 0;
        (*p)->padding = any(t, 4) == 0;
        (*p)->ignores_pli = any(t, 5) == 0;
        (*p)->loss = any(t, 4) == 0 ? 0.1 : 0;
    }
}

static void come_or_go_viewing(struct turmoil *t)
{
    struct sim_viewer **v = &t->viewers[any(t, VIEWERS)];
    int worker = (int)any(t, SIM_WORKERS);
    if (*v) {
        sim_leave(t->s, *v);
        *v = NULL;
    } else if (t->s->n_viewers < SIM_VIEWERS_MAX) {
        *v = any(t, 4) ? sim_view(t->s, worker, any_stream(t), any(t, 3) != 0)
                       : sim_view_red(t->s, worker, any_stream(t), 109);
        (*v)->nacks = any(t, 2);
        (*v)->loss = any(t, 2) ? 0 : 0.2 * sim_random(t->s);
    }
}

static void pause_layers(struct turmoil *t)
{
    struct sim_publisher *p = any_publisher(t);
    if (p) {
        unsigned i = any(t, (unsigned)p->n_layers);
        p->layer[i].paused = !p->layer[i].paused;
        p->layer[i].key_wanted = true;
        p->silent = any(t, 4) == 0;
    }
}

/* ---- what MAIN might say ---- */

static void slot(struct turmoil *t)
{
    struct sim_viewer *v = any_viewer(t);
    if (v) {
        sim_slot(t->s, v, (uint8_t)any(t, 3), any_stream(t));
    }
}

static void alias(struct turmoil *t)
{
    sim_alias(t->s, ALIAS + any(t, ALIASES), any(t, STREAMS + 1));
}

static void command(struct turmoil *t)
{
    struct api_cmd c = {.id = any_session(t)};
    switch (any(t, 6)) {
    case 0:
    case 1:
        c.kind = API_CMD_LAYER;
        c.u.wish = (struct api_wish)API_WISH_NONE;
        c.u.wish.mline = (uint8_t)any(t, 3);
        c.u.wish.layer = (int8_t)((int)any(t, 7) - 2);
        c.u.wish.max_tid = (int8_t)((int)any(t, 6) - 2);
        c.u.wish.max_sid = (int8_t)((int)any(t, 6) - 2);
        c.u.wish.off = any(t, 5) == 0;
        c.u.wish.rid[0] = any(t, 3) ? 0 : (char)('a' + any(t, 5));
        break;
    case 2:
        c.kind = API_CMD_MUTE;
        c.u.mute.audio = any(t, 2);
        c.u.mute.video = any(t, 2);
        break;
    case 3:
        c.kind = API_CMD_FEEDBACK;
        c.id = any_stream(t);
        c.u.feedback.track = any(t, 2) ? API_ALL : (uint8_t)any(t, 4);
        c.u.feedback.layer = any(t, 2) ? API_ALL : (uint8_t)any(t, 5);
        c.u.feedback.urgent = any(t, 2);
        break;
    case 4:
        c.kind = API_CMD_LEVELS;
        c.id = any_stream(t);
        c.u.levels.want = any(t, 2);
        break;
    default:
        c.kind = API_CMD_QUERY;
        c.id = any(t, 3) ? c.id : 0;
    }
    sim_post(t->s, (int)any(t, SIM_WORKERS), c);
}

/* ---- what peers might send ---- */

static uint32_t any_ssrc(struct turmoil *t, const struct sim_viewer *v,
                         const struct sim_publisher *p)
{
    uint32_t known[] = {v ? v->audio.ssrc : 0, v ? v->video.ssrc : 0, p ? p->audio_ssrc : 0,
                        p ? p->layer[any(t, (unsigned)p->n_layers)].ssrc : 0,
                        (uint32_t)any(t, UINT32_MAX)};
    return known[any(t, ARRAY_LEN(known))];
}

/* One to three packets with true heads and any bodies; the last one may be cut off. */
static void any_rtcp(struct turmoil *t, struct router *r, struct peer *peer, uint32_t one,
                     uint32_t other)
{
    uint8_t buf[1400];
    size_t len = 0;
    for (unsigned n = 1 + any(t, 3); n; n--) {
        unsigned words = 1 + any(t, any(t, 4) ? 8 : 110);
        uint8_t *p = buf + len;
        p[0] = (uint8_t)(0x80 | (any(t, 10) == 0) << 5 | any(t, any(t, 3) ? 16 : 32));
        p[1] = (uint8_t)(any(t, 10) ? 200 + any(t, 8) : 192 + any(t, 32));
        bytes_store16(p + 2, (uint16_t)words);
        for (size_t i = 4; i < 4 + 4 * (size_t)words; i++) {
            p[i] = (uint8_t)(any(t, 2) ? any(t, 4) : any(t, 256));
        }
        bytes_store32(p + 4, one);
        if (words > 1) {
            bytes_store32(p + 8, other);
        }
        len += 4 + 4 * (size_t)words;
    }
    router_on_rtcp(r, peer, buf, any(t, 6) ? len : any(t, (unsigned)len), t->s->now_us);
}

static void viewer_rtcp(struct turmoil *t)
{
    struct sim_viewer *v = any_viewer(t);
    if (v) {
        any_rtcp(t, v->r, v->peer, any_ssrc(t, v, NULL), any_ssrc(t, v, any_publisher(t)));
    }
}

static void publisher_rtcp(struct turmoil *t)
{
    struct sim_publisher *p = any_publisher(t);
    if (p) {
        any_rtcp(t, p->r, p->peer, any_ssrc(t, NULL, p), any_ssrc(t, any_viewer(t), p));
    }
}

/* Asks again for numbers around those that came, whether they did or not. */
static void viewer_nacks(struct turmoil *t)
{
    struct sim_viewer *v = any_viewer(t);
    uint8_t buf[RTCP_NACK_LEN_MAX(40)];
    uint16_t seqs[40];
    if (!v) {
        return;
    }
    const struct sim_stream *st = any(t, 3) ? &v->video : &v->audio;
    uint16_t seq16 = (uint16_t)(st->top - any(t, 600));
    for (unsigned i = 0; i < 40; i++) {
        seqs[i] = seq16 = (uint16_t)(seq16 + 1 + any(t, 3));
    }
    int len = rtcp_nack_write(buf, sizeof(buf), 1, st->ssrc, seqs, 1 + (int)any(t, 40));
    cr_assert_gt(len, 0);
    router_on_rtcp(v->r, v->peer, buf, (size_t)len, t->s->now_us);
}

/* A packet of a known or unknown stream, with extensions and a payload of any kind. */
static void publisher_rtp(struct turmoil *t)
{
    static const uint8_t pts[] = {111, 96, 97, 63, 100, 0, 127};
    struct sim_publisher *p = any_publisher(t);
    uint8_t buf[1300];
    if (!p) {
        return;
    }
    size_t len = 12 + any(t, any(t, 2) ? 30 : 1250);
    for (size_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)(any(t, 2) ? any(t, 8) : any(t, 256));
    }
    buf[0] = (uint8_t)(0x80 | any(t, 4) << 4 | (any(t, 8) ? 0 : any(t, 16)));
    buf[1] = (uint8_t)(pts[any(t, ARRAY_LEN(pts))] | any(t, 2) << 7);
    bytes_store16(buf + 2, (uint16_t)(any(t, 3) ? p->layer[0].seq + any(t, 9) : any(t, 65536)));
    bytes_store32(buf + 8, any_ssrc(t, NULL, p));
    if (buf[0] & 0x10 && len > 30) { /* MID, RID and what else the ids are for */
        static const uint8_t head[] = {0xbe, 0xde, 0, 2, 0x40, '1', 0xa0};
        memcpy(buf + 12, head, sizeof(head));
        buf[19] = (uint8_t)('a' + any(t, 5));
        buf[20] = (uint8_t)(any(t, 16) << 4 | any(t, 4));
    }
    router_on_rtp(p->r, p->peer, buf, len, t->s->now_us);
}

/* ---- a life ---- */

typedef void deed_fn(struct turmoil *t);

static deed_fn *const deeds[] = {come_or_go_publishing,
                                 come_or_go_viewing,
                                 come_or_go_viewing,
                                 pause_layers,
                                 slot,
                                 slot,
                                 alias,
                                 command,
                                 command,
                                 viewer_rtcp,
                                 viewer_rtcp,
                                 publisher_rtcp,
                                 viewer_nacks,
                                 viewer_nacks,
                                 publisher_rtp};

static void all_leave(struct turmoil *t)
{
    for (unsigned i = 0; i < VIEWERS; i++) {
        if (t->viewers[i]) {
            sim_leave(t->s, t->viewers[i]);
        }
    }
    for (unsigned i = 1; i <= STREAMS; i++) {
        if (t->publishers[i]) {
            sim_unpublish(t->s, t->publishers[i]);
        }
    }
    for (unsigned i = 0; i < ALIASES; i++) {
        sim_alias(t->s, ALIAS + i, 0);
    }
    for (uint64_t id = 0; id <= ALIAS + ALIASES; id++) {
        for (int w = 0; w < SIM_WORKERS; w++) {
            sim_post(t->s, w, (struct api_cmd){.kind = API_CMD_LEVELS, .id = id});
        }
    }
}

static void expect_nothing_left(const struct turmoil *t)
{
    for (int w = 0; w < SIM_WORKERS; w++) {
        cr_expect_eq(t->s->r[w].n_peers, 0, "seed %lu: %u sessions", t->s->seed,
                     t->s->r[w].n_peers);
        for (uint64_t id = 1; id <= ALIAS + ALIASES; id++) {
            cr_expect_null(router_stream(&t->s->r[w], id, false), "seed %lu: stream %lu is left",
                           t->s->seed, id);
        }
    }
}

static void live(uint64_t seed, unsigned steps)
{
    struct turmoil t = {.s = sim_new(seed, US_PER_S)};
    struct sim_publisher *source = sim_publish(t.s, (int)(seed & 1), CALM, 1, 100, 1);
    struct sim_viewer *calm = sim_view(t.s, (int)(seed >> 1 & 1), CALM, true);
    for (unsigned i = 0; i < steps; i++) {
        for (unsigned n = 1 + any(&t, 6); n; n--) {
            unsigned k = any(&t, ARRAY_LEN(deeds));
            deeds[k](&t);
            t.done[k]++;
        }
        sim_run(t.s, (int64_t)(1 + any(&t, any(&t, 10) ? 10 : 300)) * US_PER_MS);
    }
    sim_run(t.s, US_PER_S);
    const struct sim_stream *st[] = {&calm->audio, &calm->video};
    for (int i = 0; i < 2; i++) {
        uint64_t faults = st[i]->bad + st[i]->duplicates + st[i]->ts_back + st[i]->pid_gaps +
                          st[i]->missing + st[i]->rtx;
        cr_expect_eq(faults, 0, "seed %lu: who takes no part notices (%lu)", seed, faults);
        cr_expect_lt(t.s->now_us - st[i]->last_us, 50 * US_PER_MS, "seed %lu: it plays on", seed);
    }
    cr_expect_leq(source->plis, 2 + (uint64_t)t.s->now_us / US_PER_S, "seed %lu: %lu", seed,
                  source->plis);
    for (unsigned k = 0; k < ARRAY_LEN(deeds); k++) {
        cr_expect_gt(t.done[k], 0, "seed %lu: deed %u", seed, k);
    }
    all_leave(&t);
    sim_leave(t.s, calm);
    sim_unpublish(t.s, source);
    sim_run(t.s, 2 * US_PER_S);
    expect_nothing_left(&t);
    sim_free(t.s);
}

Test(turmoil, leaves_nothing_and_disturbs_nobody, .timeout = 3600)
{
    const char *only = getenv("TURMOIL_SEED");
    bool is_long = getenv("TESTS_LONG") != NULL;
    for (uint64_t seed = 1; seed <= (is_long ? 400 : 6); seed++) {
        live(only ? strtoull(only, NULL, 10) : seed, is_long ? 3000 : 600);
        if (only) {
            break;
        }
    }
}
