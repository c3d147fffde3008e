/* SPDX-License-Identifier: Apache-2.0 */
/* The tools of the quality scenarios, held against what is known without them: links carry what
 * their trace says, TCP fills them, the checker finds each kind of fault, browsers show what they
 * were sent and freeze when they should. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/player.h"
#include "tests/sim/scene.h"
#include "tests/sim/stream_check.h"

#define MS(x) ((x) * (int64_t)US_PER_MS)
#define S(x)  ((x) * (int64_t)US_PER_S)

/* ---- links ---- */

struct sum {
    uint64_t n, bytes, out_of_order, last_tag;
    int64_t first_us, last_us, most_delay_us, delay_sum;
    struct tcp_flow *flow;
};

static void count(const struct wire_packet *p, const uint8_t *buf, void *ctx)
{
    struct sum *s = ctx;
    (void)buf;
    s->out_of_order += p->tag < s->last_tag;
    s->last_tag = MAX(s->last_tag, p->tag);
    s->first_us = s->n ? s->first_us : p->arrival_us;
    s->last_us = p->arrival_us;
    s->n++;
    s->bytes += p->len + WIRE_HEADERS;
    s->most_delay_us = MAX(s->most_delay_us, p->arrival_us - p->sent_us);
    s->delay_sum += p->arrival_us - p->sent_us;
    if (s->flow) {
        tcp_flow_on_packet(s->flow, p->tag, p->len, p->arrival_us);
    }
}

/* Sends packets of 972 bytes (1,000 with headers) at bps for 10 s. */
static struct sum drive(const struct wire_params *p, uint32_t bps, struct wire *w)
{
    struct sum sum = {0};
    wire_init(w, p, 3, 0);
    int64_t next = 0;
    uint64_t tag = 0;
    for (int64_t t = 0; t < S(12); t += MS(1)) {
        for (; next <= t && t < S(10); next += 8000LL * US_PER_S / bps) {
            (void)wire_send(w, 0, ++tag, NULL, 972, t);
        }
        wire_poll(w, t, count, &sum);
    }
    return sum;
}

Test(tools, a_link_carries_what_its_trace_says)
{
    static const struct wire_step flat[] = {{0, 1000000}};
    static const struct wire_step steps[] = {{0, 1000000}, {S(5), 2000000}};
    struct wire w;
    struct sum s =
        drive(&(struct wire_params){.trace = flat, .n_steps = 1, .delay_us = MS(20)}, 500000, &w);
    cr_expect_eq(s.n, 625 + 1 - 1);
    cr_expect_leq(s.most_delay_us, MS(20) + 8000 + 1000, "one packet's time and the delay: %ld",
                  s.most_delay_us);
    wire_fini(&w);
    /* Twice too much: half is dropped, the others wait for as long as the queue is. */
    s = drive(&(struct wire_params){.trace = flat, .n_steps = 1, .queue_us = MS(300)}, 2000000, &w);
    cr_expect(s.n >= 1250 && s.n <= 1250 + 40, "%lu packets of 1,000 bytes in 10 s", s.n);
    cr_expect(s.most_delay_us >= MS(290) && s.most_delay_us <= MS(310), "%ld", s.most_delay_us);
    cr_expect_eq(w.dropped_queue + s.n, w.sent);
    wire_fini(&w);
    s = drive(&(struct wire_params){.trace = steps, .n_steps = 2, .queue_us = MS(100)}, 3000000,
              &w);
    cr_expect(s.n >= 625 + 1250 && s.n <= 625 + 1250 + 30, "%lu", s.n);
    wire_fini(&w);
    /* Half a second of every two is an outage; what waits is not lost. */
    s = drive(
        &(struct wire_params){
            .trace = flat, .n_steps = 1, .outage_every_us = S(2), .outage_us = MS(500)},
        600000, &w);
    cr_expect_eq(s.n, 750);
    cr_expect(s.most_delay_us > MS(480) && s.most_delay_us < MS(560), "%ld", s.most_delay_us);
    wire_fini(&w);
    s = drive(
        &(struct wire_params){
            .trace = flat, .n_steps = 1, .police_bps = 256000, .police_bytes = 16000},
        800000, &w);
    cr_expect(s.n >= 320 && s.n <= 320 + 17, "%lu", s.n);
    wire_fini(&w);
}

Test(tools, a_link_loses_and_reorders_as_told)
{
    struct wire w;
    struct sum s = drive(&(struct wire_params){.loss = 0.05}, 8000000, &w);
    cr_expect(w.dropped_loss > 400 && w.dropped_loss < 600, "%lu of 10,000", w.dropped_loss);
    cr_expect_eq(s.out_of_order, 0);
    wire_fini(&w);
    s = drive(&(struct wire_params){.burst_loss = 0.03, .burst_mean = 8}, 8000000, &w);
    cr_expect(w.dropped_loss > 180 && w.dropped_loss < 450, "%lu", w.dropped_loss);
    wire_fini(&w);
    s = drive(&(struct wire_params){.jitter_us = MS(10), .jitter_max_us = MS(80)}, 8000000, &w);
    cr_expect_eq(s.out_of_order, 0);
    cr_expect_gt(s.most_delay_us, MS(60));
    wire_fini(&w);
    s = drive(&(struct wire_params){.reorder = 0.01, .reorder_depth = 5}, 8000000, &w);
    cr_expect(s.out_of_order > 60 && s.out_of_order < 140, "%lu", s.out_of_order);
    cr_expect_eq(w.dropped_loss, 0);
    wire_fini(&w);
    s = drive(&(struct wire_params){.delay_us = MS(30), .step_at_us = S(5), .step_us = MS(130)},
              800000, &w);
    cr_expect_eq(s.most_delay_us, MS(160));
    wire_fini(&w);
}

Test(tools, tcp_fills_a_link_and_shares_it_with_itself)
{
    static const struct wire_step flat[] = {{0, 2000000}};
    for (int cubic = 0; cubic < 2; cubic++) {
        struct wire w;
        wire_init(&w,
                  &(struct wire_params){
                      .trace = flat, .n_steps = 1, .delay_us = MS(20), .queue_us = MS(300)},
                  1, 0);
        struct tcp_flow *f = malloc(sizeof(*f));
        cr_assert_not_null(f);
        tcp_flow_init(f, &(struct tcp_params){.cubic = cubic, .return_us = MS(20)}, &w, 0);
        struct sum sum = {.flow = f};
        for (int64_t t = 0; t < S(30); t += MS(1)) {
            tcp_flow_step(f, t);
            wire_poll(&w, t, count, &sum);
        }
        double use = (double)f->delivered_bytes * 8 / 30 / 2000000;
        cr_expect_gt(use, 0.95, "%s uses %.0f %%", cubic ? "cubic" : "reno", 100 * use);
        cr_expect_gt(sum.most_delay_us, MS(250), "it fills the queue: %ld", sum.most_delay_us);
        cr_expect_lt((double)w.dropped_queue, 0.05 * (double)w.sent, "%lu of %lu dropped",
                     w.dropped_queue, w.sent);
        free(f);
        wire_fini(&w);
    }
}

/* ---- the checker ---- */

enum { STREAM = 400 };

/* A camera's packets as they are, without extensions. */
static int record(uint8_t (*out)[1500], size_t *len, enum codec_id codec)
{
    struct camera *c = malloc(sizeof(*c));
    cr_assert_not_null(c);
    struct camera_params p = scene_camera();
    p.codec = codec;
    p.n_layers = 1;
    p.kbps[0] = 800;
    p.mid = "1";
    p.n_spatial = codec == CODEC_VP8 ? 1 : 3;
    p.dd = codec != CODEC_VP8;
    camera_init(c, &p, 5000, 9, 0);
    int n = 0;
    for (int64_t t = 0; n < STREAM; t += MS(1)) {
        camera_step(c, t);
        for (struct camera_packet *k; (k = camera_poll(c, t));) {
            if (n < STREAM) {
                memcpy(out[n], k->buf, k->len);
                len[n++] = k->len;
            }
            free(k);
        }
    }
    camera_fini(c);
    free(c);
    return n;
}

static void check_one(struct stream_check *c, const uint8_t *pkt, size_t len)
{
    struct rx_rtp r;
    cr_assert(rx_rtp_read(pkt, len, &r));
    stream_check_packet(c, &r, r.ext[CAMERA_DD_ID],
                        r.ext[CAMERA_DD_ID] ? r.ext_len[CAMERA_DD_ID] : 0);
}

Test(tools, the_checker_finds_each_kind_of_fault)
{
    static uint8_t pkts[STREAM][1500];
    static size_t len[STREAM];
    static struct stream_check c;
    record(pkts, len, CODEC_VP8);
    /* An extension block of 8 bytes and the payload behind it: bytes 24 to 29 are VP8's. */
    static const struct {
        const char *what;
        int at; /* byte of packet 200 and all after it in its frame that is changed */
        uint8_t add;
        size_t fault; /* offset in check_faults */
    } rows[] = {
        {"ts", 4, 0x80, offsetof(struct check_faults, ts_back)},
        {"picture id", 23, 5, offsetof(struct check_faults, pid)},
        {"tl0", 24, 3, offsetof(struct check_faults, tl0)},
        {"marker", 1, 0x80, offsetof(struct check_faults, marker)},
        {"number", 3, 255, offsetof(struct check_faults, twice)},
    };
    stream_check_init(&c, CODEC_VP8, false);
    for (int i = 0; i < STREAM; i++) {
        check_one(&c, pkts[i], len[i]);
    }
    stream_check_end(&c);
    char text[400];
    cr_expect_eq(stream_check_faults(&c), 0, "as it came: %s",
                 stream_check_text(&c, text, sizeof(text)));
    cr_expect_geq(c.frames, 50);
    for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
        stream_check_init(&c, CODEC_VP8, false);
        for (int i = 0; i < STREAM; i++) {
            uint8_t copy[1500];
            memcpy(copy, pkts[i], len[i]);
            if (i == 200) {
                copy[rows[k].at] = (uint8_t)(copy[rows[k].at] + rows[k].add);
            }
            check_one(&c, copy, len[i]);
        }
        stream_check_end(&c);
        const uint8_t *bad = (const uint8_t *)&c.bad + rows[k].fault;
        uint64_t n;
        memcpy(&n, bad, sizeof(n));
        cr_expect_gt(n, 0, "%s: %s", rows[k].what, stream_check_text(&c, text, sizeof(text)));
    }
}

/* A frame that never left, its numbers closed up: the one fault that only the truth shows. */
Test(tools, the_checker_misses_no_reference)
{
    static uint8_t pkts[STREAM][1500];
    static size_t len[STREAM];
    static struct stream_check c;
    static const enum codec_id codecs[] = {CODEC_VP8, CODEC_AV1, CODEC_VP9};
    for (unsigned k = 0; k < ARRAY_LEN(codecs); k++) {
        record(pkts, len, codecs[k]);
        int dropped = 0;
        uint32_t gone = 0;
        stream_check_init(&c, codecs[k], false);
        for (int i = 0; i < STREAM; i++) {
            struct rx_rtp r;
            struct rx_desc d;
            cr_assert(rx_rtp_read(pkts[i], len[i], &r));
            const uint8_t *dd = r.ext[CAMERA_DD_ID];
            struct rx_dd copy = c.dd;
            cr_assert(rx_desc_read(codecs[k], &copy, &r, dd, dd ? r.ext_len[CAMERA_DD_ID] : 0, &d));
            if (i > 100 && !gone && d.tid == 0 && d.start) {
                gone = d.truth.frame;
            }
            if (gone && d.truth.frame == gone) {
                dropped++;
                continue;
            }
            uint16_t seq = (uint16_t)(r.seq16 - dropped);
            pkts[i][2] = (uint8_t)(seq >> 8);
            pkts[i][3] = (uint8_t)seq;
            check_one(&c, pkts[i], len[i]);
        }
        stream_check_end(&c);
        cr_expect_gt(dropped, 0);
        cr_expect_gt(c.bad.reference, 0, "codec %d", codecs[k]);
    }
}

/* ---- the browser ---- */

static void ignore(const uint8_t *buf, size_t len, void *ctx)
{
    (void)buf;
    (void)len;
    (void)ctx;
}

/* Every picture of every kind of source is shown when nothing is lost, and none that lacks a
 * reference is shown when one is. */
Test(tools, a_browser_shows_what_can_be_decoded)
{
    static const struct {
        enum codec_id codec;
        int spatial;
        bool k_svc, dd;
    } rows[] = {{CODEC_VP8, 1, false, false}, {CODEC_H264, 1, false, false},
                {CODEC_VP9, 3, false, false}, {CODEC_VP9, 3, true, true},
                {CODEC_AV1, 3, false, true},  {CODEC_VP9, 3, true, false}};
    for (unsigned k = 0; k < 2 * ARRAY_LEN(rows); k++) {
        bool lossy = k >= ARRAY_LEN(rows);
        struct camera *c = malloc(sizeof(*c));
        cr_assert_not_null(c);
        struct camera_params p = scene_camera();
        p.codec = rows[k % ARRAY_LEN(rows)].codec;
        p.n_layers = 1;
        p.n_spatial = rows[k % ARRAY_LEN(rows)].spatial;
        p.k_svc = rows[k % ARRAY_LEN(rows)].k_svc;
        p.dd = rows[k % ARRAY_LEN(rows)].dd;
        p.n_temporal = p.codec == CODEC_H264 ? 1 : 3;
        p.mid = "1";
        camera_init(c, &p, 5000, 9, 0);
        struct player_params pp = {.codec = p.codec, .n_videos = 1, .dd_id = CAMERA_DD_ID};
        pp.video_ssrc[0] = 5000;
        struct player *q = player_new(&pp, ignore, NULL, 0);
        uint64_t n = 0, keys = 0;
        for (int64_t t = 0; t < S(20); t += MS(1)) {
            camera_step(c, t);
            for (struct camera_packet *x; (x = camera_poll(c, t)); free(x)) {
                if (!lossy || ++n % 97 != 50) {
                    player_on_rtp(q, x->buf, x->len, t);
                }
            }
            video_rx_step(q->video[0], t);
            if (q->video[0]->wants_key) {
                q->video[0]->wants_key = false;
                keys++;
                camera_on_pli(c, 5000);
            }
        }
        const struct video_rx *v = q->video[0];
        cr_expect_eq(v->broken, 0, "row %u: %lu pictures without their references", k, v->broken);
        cr_expect_eq(v->malformed, 0, "row %u", k);
        if (lossy) {
            cr_expect(v->n_shown > 30 && v->n_shown < 590, "row %u: %d shown", k, v->n_shown);
            cr_expect_gt(keys, 0, "row %u", k);
        } else {
            cr_expect_geq(v->n_shown, 597, "row %u: %d shown", k, v->n_shown);
            cr_expect_eq(keys, 0, "row %u: %lu wishes", k, keys);
        }
        player_free(q);
        camera_fini(c);
        free(c);
    }
}
