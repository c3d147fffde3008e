/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-load: publishers and viewers against a WHIP/WHEP server, in one process and one thread.
 *
 * Phases: publishers join; the server's memory is read; viewers join at a steady rate; settle; the
 * measured phase; optionally a storm of further joins while the first viewers go on being measured;
 * drain; everybody leaves. */
#include "bench/load/load_events.h"
#include "bench/load/load_options.h"
#include "bench/load/load_report.h"
#include "tests/peer/peer_bytes.h"
#include "tests/peer/peer_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PUBLISH_WAIT_US 15000000
#define JOIN_WAIT_US    20000000
#define DRAIN_US        1300000 /* longer than a viewer waits for a gap */
#define LEAVE_RATE      500.0
#define FIFTHS          5

enum phase {
    PHASE_JOINING,
    PHASE_MEASURED,
    PHASE_STORM,
    PHASE_DRAIN,
};

/* Counters of a viewer at the start of the measured phase. */
struct viewer {
    struct load *load;
    struct peer *peer;
    uint64_t bytes_seen; /* of its counter, when a packet was last traced */
    bool storm;
    struct peer_stats before;
    struct load_events events;
};

struct load {
    struct load_options options;
    struct peer_loop *loop;
    struct peer_identity *identity;
    struct peer **publishers;
    struct peer_clip **clips; /* of the publishers; NULL = synthetic media */
    struct viewer *viewers;
    unsigned n_viewers; /* started so far */
    enum phase phase;
    struct load_results results;
    FILE *trace;
    /* the running batch of joins, or of departures */
    struct peer_timer timer;
    unsigned target;
    double rate;
    int64_t batch_start_us;
    unsigned batch_first;
    unsigned leaving;
    struct peer_timer speak_timer;
    unsigned speaker;
    int64_t main_ns[FIFTHS + 1]; /* of the server, when so many fifths of the viewers had joined */
    unsigned fifths;
};

/* What came since the last line, nearly always one datagram: bench/floor sends the same again. */
static void trace_packet(struct load *l, struct viewer *v, const struct peer_packet *pkt)
{
    uint64_t bytes = peer_stats(v->peer)->bytes;

    if (l->phase == PHASE_MEASURED) {
        fprintf(l->trace, "%lld %u %llu\n", (long long)(pkt->at_ns / 1000),
                (unsigned)(v - l->viewers), (unsigned long long)(bytes - v->bytes_seen));
    }
    v->bytes_seen = bytes;
}

static void on_packet(void *ctx, struct peer *p, const struct peer_packet *pkt)
{
    struct viewer *v = ctx;
    struct load *l = v->load;

    (void)p;
    if (l->trace) {
        trace_packet(l, v, pkt);
    }
    if (!pkt->embed || pkt->retransmitted) {
        return;
    }
    if (l->phase == PHASE_MEASURED || l->phase == PHASE_STORM) {
        load_hist_add(&l->results.own_lag, peer_loop_clock_ns() - pkt->at_ns);
    }
    if (l->phase == PHASE_MEASURED) {
        load_hist_add(&l->results.latency, pkt->latency_ns);
    } else if (l->phase == PHASE_STORM) {
        load_hist_add(&l->results.storm_latency, pkt->latency_ns);
    }
}

static void note_reason(struct load_results *r, const char *text)
{
    unsigned i = 0;

    while (i < r->n_reasons && strncmp(r->reasons[i].text, text, sizeof(r->reasons[i].text) - 1)) {
        i++;
    }
    if (i == LOAD_REASONS_MAX) {
        i--;
    } else if (i == r->n_reasons) {
        r->n_reasons++;
        snprintf(r->reasons[i].text, sizeof(r->reasons[i].text), "%s", text);
    }
    r->reasons[i].count++;
}

/* Its session has a URL: the first thing that a page does with it is to read its events. */
static void on_http(void *ctx, struct peer *p, const char *method,
                    const struct peer_http_response *r)
{
    struct viewer *v = ctx;

    if (!strcmp(method, "POST") && r->status == 201 &&
        load_events_open(&v->events, v->load->loop, peer_location(p)) < 0) {
        note_reason(&v->load->results, "events could not be read");
        v->load->results.joins_failed++;
    }
}

static void common_params(const struct load_options *o, struct peer_params *m)
{
    peer_params_init(m);
    m->token = o->token;
    m->codecs = 1U << o->codec;
    m->rtx = o->rtx;
    m->nack = o->nack;
    m->twcc = o->twcc;
    m->twcc_ms = o->twcc_ms;
    m->twcc_anyway = o->twcc_anyway;
    m->ipv6 = o->ipv6;
    m->fast = o->fast;
    m->srtp = o->srtp;
    m->video_kbps = o->kbps;
    m->fps = o->fps;
    m->keyframe_ms = o->keyframe_ms;
    m->n_layers = o->layers;
    m->temporal_layers = o->temporal;
    m->join_timeout_us = JOIN_WAIT_US;
}

static struct peer *start_publisher(struct load *l, unsigned i)
{
    const struct load_options *o = &l->options;
    struct peer_params m;
    char url[512], clip[512];

    common_params(o, &m);
    load_options_url(o->whip, i, 0, url, sizeof(url));
    m.url = url;
    m.n_audio = o->no_audio ? 0 : 1;
    m.n_video = o->audio_only ? 0 : 1;
    m.stream_id = i + 1;
    m.seed = o->seed * 100003 + i;
    m.rcvbuf_bytes = o->rcvbuf_bytes;
    if (o->clip) {
        load_options_url(o->clip, i, 0, clip, sizeof(clip));
        m.clip = l->clips[i] = peer_clip_open(clip);
        if (!m.clip) {
            note_reason(&l->results, clip);
            return NULL;
        }
    }
    struct peer *p = peer_new(l->loop, l->identity, &m);
    if (p && peer_join(p) < 0) {
        peer_free(p);
        return NULL;
    }
    return p;
}

static struct peer *start_viewer(struct load *l, unsigned i, bool storm)
{
    const struct load_options *o = &l->options;
    struct peer_params m;
    char url[512];

    common_params(o, &m);
    load_options_url(o->whep, o->publishers ? i % o->publishers : i, i, url, sizeof(url));
    m.role = PEER_PLAY;
    m.url = url;
    m.n_audio = o->no_audio ? 0 : o->slots_audio;
    m.n_video = o->audio_only ? 0 : o->slots_video;
    m.seed = o->seed * 1000003 + i;
    m.rcvbuf_bytes = o->rcvbuf_bytes;
    m.verify_sparse = i % o->verify_every != 0;
    m.events.ctx = &l->viewers[i];
    m.events.on_packet = storm ? NULL : on_packet;
    if ((uint64_t)i * o->readers % o->viewers < o->readers) {
        m.events.on_http = on_http;
    }
    struct peer *p = peer_new(l->loop, l->identity, &m);
    if (!p) {
        return NULL;
    }
    peer_set_loss(p, o->loss, 0, true);
    if (peer_join(p) < 0) {
        peer_free(p);
        return NULL;
    }
    return p;
}

/* ---- joining ---- */

/* What the server's main thread has used, whenever another fifth of the viewers has come. */
static void note_fifth(struct load *l)
{
    struct load_proc p;

    if (l->options.pid && l->phase == PHASE_JOINING && l->fifths <= FIFTHS &&
        l->n_viewers == l->options.viewers * l->fifths / FIFTHS) {
        load_proc_read(l->options.pid, &p);
        l->main_ns[l->fifths++] = p.main_ns;
    }
}

/* Starts as many as the rate says are due by now. */
static void on_join_timer(void *ctx)
{
    struct load *l = ctx;
    int64_t now_us = peer_loop_now_us(l->loop);
    double due = (double)(now_us - l->batch_start_us) * l->rate / 1e6 + 1;

    while (l->n_viewers < l->target && l->n_viewers - l->batch_first < (unsigned)due) {
        struct viewer *v = &l->viewers[l->n_viewers];
        v->load = l;
        v->storm = l->phase == PHASE_STORM;
        v->peer = start_viewer(l, l->n_viewers, v->storm);
        l->n_viewers++;
        note_fifth(l);
    }
    if (l->n_viewers < l->target) {
        double next_us = (double)(l->n_viewers - l->batch_first) / l->rate * 1e6;
        (void)peer_loop_arm(l->loop, &l->timer, l->batch_start_us + (int64_t)next_us);
    }
}

static void begin_joins(struct load *l, unsigned n, double rate)
{
    l->batch_start_us = peer_loop_now_us(l->loop);
    l->batch_first = l->n_viewers;
    l->target = l->n_viewers + n;
    l->rate = rate;
    l->timer = (struct peer_timer){.fn = on_join_timer, .ctx = l};
    (void)peer_loop_arm(l->loop, &l->timer, l->batch_start_us);
}

static bool settled(struct peer *p)
{
    return !p || peer_state(p) >= PEER_UP;
}

static bool joins_done(void *ctx)
{
    struct load *l = ctx;

    if (l->n_viewers < l->target) {
        return false;
    }
    while (l->batch_first < l->target && settled(l->viewers[l->batch_first].peer)) {
        l->batch_first++; /* each is looked at once more only while it is the first unsettled */
    }
    return l->batch_first == l->target;
}

static bool publishers_done(void *ctx)
{
    struct load *l = ctx;

    for (unsigned i = 0; i < l->options.publishers; i++) {
        struct peer *p = l->publishers[i];
        if (!settled(p) || (p && peer_state(p) == PEER_UP && !peer_stats(p)->sent_packets)) {
            return false;
        }
    }
    return true;
}

/* The word goes to the next one. */
static void on_speak_timer(void *ctx)
{
    struct load *l = ctx;

    l->speaker = (l->speaker + 1) % l->options.publishers;
    for (unsigned i = 0; i < l->options.publishers; i++) {
        if (l->publishers[i]) {
            peer_set_voice(l->publishers[i], i == l->speaker);
        }
    }
    (void)peer_loop_arm(l->loop, &l->speak_timer,
                        peer_loop_now_us(l->loop) + (int64_t)l->options.speak_ms * 1000);
}

static void join_publishers(struct load *l)
{
    for (unsigned i = 0; i < l->options.publishers; i++) {
        l->publishers[i] = start_publisher(l, i);
    }
    if (l->options.speak_ms && l->options.publishers) {
        l->speak_timer = (struct peer_timer){.fn = on_speak_timer, .ctx = l};
        on_speak_timer(l);
    }
    (void)peer_loop_run(l->loop, PUBLISH_WAIT_US, publishers_done, l);
    for (unsigned i = 0; i < l->options.publishers; i++) {
        struct peer *p = l->publishers[i];
        if (p && peer_state(p) == PEER_UP) {
            l->results.publishers_up++;
        } else {
            note_reason(&l->results, p ? peer_error(p) : "publisher could not start");
        }
    }
}

static void join_viewers(struct load *l, unsigned n, double rate)
{
    begin_joins(l, n, rate);
    int64_t most_us = (int64_t)(n / rate * 1e6) + JOIN_WAIT_US + 1000000;
    (void)peer_loop_run(l->loop, most_us, joins_done, l);
}

/* ---- measuring ---- */

static double own_cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t published(const struct load *l)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < l->options.publishers; i++) {
        n += l->publishers[i] ? peer_stats(l->publishers[i])->sent_packets : 0;
    }
    return n;
}

/* What the viewers got within the phase: that is what the server's CPU time is divided by. */
static void count_received(struct load *l)
{
    struct load_results *r = &l->results;

    for (unsigned i = 0; i < l->n_viewers; i++) {
        const struct viewer *v = &l->viewers[i];
        const struct peer_stats *s = v->peer ? peer_stats(v->peer) : &v->before;
        r->received += s->packets - v->before.packets;
        r->received_bytes += s->bytes - v->before.bytes;
        r->opened += s->opened - v->before.opened;
    }
}

static void measure(struct load *l)
{
    struct load_results *r = &l->results;
    int64_t start_us = peer_loop_clock_ns() / 1000;

    for (unsigned i = 0; i < l->n_viewers; i++) {
        if (l->viewers[i].peer) {
            l->viewers[i].before = *peer_stats(l->viewers[i].peer);
        }
    }
    uint64_t published_before = published(l);
    double cpu = own_cpu_s();
    load_proc_read(l->options.pid, &r->start);
    l->phase = PHASE_MEASURED;
    (void)peer_loop_run(l->loop, (int64_t)(l->options.duration_s * 1e6), NULL, NULL);
    load_proc_read(l->options.pid, &r->end);
    r->seconds = (double)(peer_loop_clock_ns() / 1000 - start_us) / 1e6;
    r->own_cpu = (own_cpu_s() - cpu) / r->seconds;
    r->published = published(l) - published_before;
    count_received(l);
}

/* Adds a viewer's counters from the start of the measured phase to the drain: only then is it known
 * what is lost. */
static void add_viewer(struct load_results *r, const struct viewer *v)
{
    const struct peer_stats *s = peer_stats(v->peer), *b = &v->before;

    r->delivered += s->packets - b->packets;
    r->lost += s->lost - b->lost;
    r->lost_video += s->lost_video - b->lost_video;
    r->recovered += s->recovered - b->recovered;
    r->duplicates += s->faults[PEER_FAULT_DUPLICATE] + s->rx_replayed;
    r->frames += s->frames - b->frames;
    r->keyframes += s->keyframes - b->keyframes;
    r->dropped_here += s->rx_lost_here - b->rx_lost_here;
    r->nacks += s->nacks_sent - b->nacks_sent;
}

static void add_join(struct load_results *r, const struct peer_stats *s)
{
    if (s->answer_us) {
        load_hist_add(&r->answer, (s->answer_us - s->post_us) * 1000);
    }
    if (s->ice_us) {
        load_hist_add(&r->ice, (s->ice_us - s->post_us) * 1000);
    }
    if (s->dtls_us) {
        load_hist_add(&r->up, (s->dtls_us - s->post_us) * 1000);
    }
    if (s->first_packet_us) {
        load_hist_add(&r->first_packet, (s->first_packet_us - s->post_us) * 1000);
    }
    if (s->first_keyframe_us) {
        load_hist_add(&r->first_keyframe, (s->first_keyframe_us - s->post_us) * 1000);
    }
}

static void collect(struct load *l)
{
    struct load_results *r = &l->results;

    for (unsigned i = 0; i < l->n_viewers; i++) {
        const struct viewer *v = &l->viewers[i];
        const struct peer_stats *s = v->peer ? peer_stats(v->peer) : NULL;
        bool ok = s && s->dtls_us;
        r->joins_ok += ok && !v->storm;
        r->joins_failed += !ok && !v->storm;
        r->storm_ok += ok && v->storm;
        r->storm_failed += !ok && v->storm;
        if (!ok) {
            note_reason(r, s ? peer_error(v->peer) : "viewer could not start");
            continue;
        }
        if (peer_state(v->peer) != PEER_UP) {
            r->left++;
            note_reason(r, peer_error(v->peer)[0] ? peer_error(v->peer) : "closed by the server");
        }
        add_join(r, s);
        for (unsigned f = 0; f < PEER_FAULT_COUNT; f++) {
            r->faults[f] += s->faults[f];
        }
        r->kernel_drops += s->rx_kernel_drops;
        if (!v->storm) {
            add_viewer(r, v);
        }
    }
    for (unsigned i = 0; i < l->options.publishers; i++) {
        if (l->publishers[i]) {
            const struct peer_stats *s = peer_stats(l->publishers[i]);
            r->publisher_faults += peer_faults(l->publishers[i]) + s->twcc_bad;
            r->plis_to_publishers += s->plis_received + s->firs_received;
            r->nacks_to_publishers += s->nacks_received;
            r->kernel_drops += s->rx_kernel_drops;
            r->left += peer_state(l->publishers[i]) > PEER_UP && s->dtls_us;
        }
    }
}

/* ---- leaving ---- */

static struct peer *member(const struct load *l, unsigned i)
{
    return i < l->n_viewers ? l->viewers[i].peer : l->publishers[i - l->n_viewers];
}

static void on_leave_timer(void *ctx)
{
    struct load *l = ctx;
    unsigned n = l->n_viewers + l->options.publishers;
    int64_t now_us = peer_loop_now_us(l->loop);

    if (l->leaving < n) {
        struct peer *p = member(l, l->leaving++);
        if (p && peer_state(p) == PEER_UP) {
            (void)peer_delete(p);
        }
        (void)peer_loop_arm(l->loop, &l->timer, now_us + (int64_t)(1e6 / LEAVE_RATE));
    }
}

static bool all_left(void *ctx)
{
    struct load *l = ctx;

    for (unsigned i = 0; i < l->n_viewers + l->options.publishers; i++) {
        struct peer *p = member(l, i);
        if (p && peer_state(p) == PEER_UP) {
            return false;
        }
    }
    return true;
}

static void leave(struct load *l)
{
    unsigned n = l->n_viewers + l->options.publishers;

    l->timer = (struct peer_timer){.fn = on_leave_timer, .ctx = l};
    (void)peer_loop_arm(l->loop, &l->timer, peer_loop_now_us(l->loop));
    (void)peer_loop_run(l->loop, (int64_t)(n / LEAVE_RATE * 1e6) + 2000000, all_left, l);
    peer_loop_disarm(l->loop, &l->timer);
}

/* What joining has cost the server's main thread; nobody has joined during the measured phase. */
static void sum_up_joins(struct load *l)
{
    struct load_results *r = &l->results;
    const int64_t *at = l->main_ns;
    double fifth = l->options.viewers / (double)FIFTHS;

    r->joins = (struct load_joins){
        .known = l->fifths == FIFTHS + 1 && at[0] && fifth >= 1,
        .all_ms = (double)(at[FIFTHS] - at[0]) / 1e6 / (fifth * FIFTHS),
        .first_ms = (double)(at[1] - at[0]) / 1e6 / fifth,
        .last_ms = (double)(at[FIFTHS] - at[FIFTHS - 1]) / 1e6 / fifth,
        .rest_ms = (double)(r->end.main_ns - r->start.main_ns) / 1e6 / r->seconds,
    };
}

static void run(struct load *l)
{
    const struct load_options *o = &l->options;

    join_publishers(l);
    load_proc_read(o->pid, &l->results.idle);
    note_fifth(l);
    join_viewers(l, o->viewers, o->ramp);
    (void)peer_loop_run(l->loop, (int64_t)(o->settle_s * 1e6), NULL, NULL);
    load_proc_read(o->pid, &l->results.joined);
    l->results.roster_events = l->viewers[0].events.participants;
    l->results.event_bytes = l->viewers[0].events.bytes;
    measure(l);
    sum_up_joins(l);
    if (o->storm) {
        l->phase = PHASE_STORM;
        join_viewers(l, o->storm, o->storm_rate);
    }
    l->phase = PHASE_DRAIN;
    for (unsigned i = 0; i < o->publishers; i++) {
        if (l->publishers[i]) {
            peer_set_paused(l->publishers[i], true);
        }
    }
    for (unsigned i = 0; i < l->n_viewers; i++) {
        if (l->viewers[i].peer) {
            peer_set_loss(l->viewers[i].peer, 0, 0, true);
        }
    }
    (void)peer_loop_run(l->loop, DRAIN_US, NULL, NULL);
    collect(l);
    if (o->leave) {
        leave(l);
    }
}

static void free_all(struct load *l)
{
    for (unsigned i = 0; l->viewers && i < l->n_viewers; i++) {
        peer_free(l->viewers[i].peer);
        load_events_close(&l->viewers[i].events);
    }
    for (unsigned i = 0; l->publishers && i < l->options.publishers; i++) {
        peer_free(l->publishers[i]);
    }
    for (unsigned i = 0; l->clips && i < l->options.publishers; i++) {
        peer_clip_free(l->clips[i]);
    }
    free(l->viewers);
    free(l->publishers);
    free(l->clips);
    if (l->trace) {
        fclose(l->trace);
    }
    peer_identity_free(l->identity);
    peer_loop_free(l->loop);
    free(l);
}

int main(int argc, char **argv)
{
    struct load *l = calloc(1, sizeof(*l));
    int r = l ? load_options_read(argc, argv, &l->options) : -1;

    if (r) {
        free(l);
        return r < 0 ? 2 : 0;
    }
    l->loop = peer_loop_new(l->options.gro ? PEER_LOOP_GRO : 0);
    if (l->loop) {
        peer_loop_set_poll(l->loop, l->options.poll_us);
    }
    l->identity = peer_identity_new();
    l->publishers = calloc(l->options.publishers + 1, sizeof(*l->publishers));
    l->clips = calloc(l->options.publishers + 1, sizeof(struct peer_clip *));
    l->viewers = calloc(l->options.viewers + l->options.storm + 1, sizeof(*l->viewers));
    if (l->options.trace && !(l->trace = fopen(l->options.trace, "we"))) {
        fprintf(stderr, "sluice-load: cannot write %s\n", l->options.trace);
        free_all(l);
        return 2;
    }
    if (!l->loop || !l->identity || !l->publishers || !l->clips || !l->viewers) {
        fprintf(stderr, "sluice-load: out of memory or descriptors\n");
        free_all(l);
        return 2;
    }
    run(l);
    if (!l->options.json || strcmp(l->options.json, "-")) {
        load_report_print(&l->options, &l->results);
    }
    bool ok = load_report_ok(&l->options, &l->results);
    r = l->options.json ? load_report_json(&l->options, &l->results, l->options.json) : 0;
    if (r < 0) {
        fprintf(stderr, "sluice-load: %s: %s\n", l->options.json, strerror(-r));
        ok = false;
    }
    free_all(l);
    return ok ? 0 : 1;
}
