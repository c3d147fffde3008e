/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/life.h"

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "signaling/conference.h"
#include "signaling/control.h"
#include "signaling/event.h"
#include "signaling/metrics.h"
#include "signaling/post.h"
#include "signaling/sse.h"
#include "signaling/state.h"

int life_least_worker(const struct signaling *s)
{
    int least = 0;
    for (int i = 1; i < plane_workers(s->plane); i++) {
        if (plane_sessions(s->plane, i) < plane_sessions(s->plane, least)) {
            least = i;
        }
    }
    return least;
}

int life_choose_worker(const struct signaling *s, const struct room *room)
{
    int least = life_least_worker(s);
    int home = room->home;
    bool room_left =
        plane_sessions(s->plane, home) < plane_sessions(s->plane, least) + LIFE_HOME_SLACK;
    return room_left ? home : least;
}

static struct api_cmd source_cmd(uint64_t stream, int worker, uint64_t publisher)
{
    return (struct api_cmd){
        .kind = API_CMD_STREAM_SOURCE,
        .id = stream,
        .u.source = {.worker = worker, .publisher = publisher},
    };
}

int life_admit(struct signaling *s, struct resource *r, const struct stream *st,
               struct api_session *session)
{
    int err;
    if (st != NULL && r->role == API_PLAY) {
        /* Idempotent; a worker that starts late or was never told learns the stream here. */
        struct api_cmd source = source_cmd(st->id, st->worker, st->publisher);
        err = post_try(s->post, r->worker, &source);
        if (err < 0) {
            return err;
        }
    }
    struct api_cmd add = {.kind = API_CMD_SESSION_ADD, .id = r->id, .u.session = session};
    err = post_try(s->post, r->worker, &add);
    if (err == 0) {
        s->metrics.created[r->role]++;
    }
    return err;
}

void life_tell_source(struct signaling *s, uint64_t stream, int worker, uint64_t publisher)
{
    for (int i = 0; i < plane_workers(s->plane); i++) {
        struct api_cmd cmd = source_cmd(stream, worker, publisher);
        post_surely(s->post, i, &cmd);
    }
}

static void detach(struct signaling *s, struct resource *r)
{
    struct stream *st = r->stream;
    sse_end(s, r);
    conference_leave(s, r);
    if (st == NULL) {
        return;
    }
    r->stream = NULL;
    uint64_t id = st->id;
    if (r->role == API_PLAY) {
        rooms_unwatch(&s->rooms, st);
        return;
    }
    if (st->publisher == r->id) {
        conference_on_unpublish(s, st);
    }
    if (rooms_unpublish(&s->rooms, st, r->id)) {
        life_tell_source(s, id, -1, 0);
        sse_stream_activity(s, id);
    }
}

void life_end(struct signaling *s, struct resource *r, enum api_reason reason)
{
    if (r->state == RESOURCE_ENDING || r->state == RESOURCE_GONE) {
        return;
    }
    resource_set_ending(&s->sessions, r, reason, clock_now_us());
    detach(s, r);
    struct api_cmd cmd = {.kind = API_CMD_SESSION_END, .id = r->id, .u.end.reason = reason};
    post_surely(s->post, r->worker, &cmd);
}

void life_enforce_half_open(struct signaling *s)
{
    while (s->sessions.n_half_open > (unsigned)s->conf->limits.max_half_open) {
        life_end(s, resource_oldest_half_open(&s->sessions), API_END_HALF_OPEN);
    }
}

static const char *role_name(const struct resource *r)
{
    return r->role == API_PUBLISH ? "publish" : "play";
}

static void on_up(struct signaling *s, struct resource *r, const struct api_event *ev)
{
    char remote[24];
    int64_t now_us = clock_now_us();
    if (r->state != RESOURCE_NEW) {
        return;
    }
    resource_set_up(&s->sessions, r, now_us);
    conference_presence(s, r, true);
    if (r->stream != NULL && r->stream->publisher == r->id) {
        conference_on_up(s, r->stream);
    }
    metrics_observe(&s->metrics.join[METRICS_JOIN_DTLS], ev->u.up.took_us);
    event_on_up(s, r);
    log_info("session_join", LOG_STR("label", r->label), LOG_STR("role", role_name(r)),
             LOG_INT("id", r->id), LOG_STR("codec", r->codecs), LOG_INT("worker", r->worker),
             LOG_STR("remote", log_mask(ev->u.up.remote, remote)), LOG_STR("client", r->program),
             LOG_STR("quirks", r->quirks),
             LOG_INT("took_ms", (now_us - r->created_us) / US_PER_MS));
}

/* What a publisher's session says of its stream's media. */
static void note_media(struct signaling *s, struct resource *r, bool live)
{
    struct stream *st = r->stream;
    r->silent = !live;
    if (st != NULL && st->publisher == r->id) {
        st->silent = !live;
        st->media.live |= live;
        conference_on_media(s, st);
        sse_stream_activity(s, st->id);
    }
    conference_presence(s, r, live);
}

static void on_live(struct signaling *s, struct resource *r)
{
    bool first = !r->silent;
    event_on_live(s, r, !first);
    note_media(s, r, true);
    if (first && r->role == API_PUBLISH) {
        metrics_observe(&s->metrics.join[METRICS_JOIN_MEDIA], clock_now_us() - r->created_us);
    }
    log_info("session_live", LOG_STR("label", r->label), LOG_INT("id", r->id),
             LOG_INT("after_silence", !first));
}

static void on_silent(struct signaling *s, struct resource *r)
{
    note_media(s, r, false);
    event_on_silent(s, r);
    log_info("session_silent", LOG_STR("label", r->label), LOG_INT("id", r->id));
}

static void on_codec(struct signaling *s, struct resource *r, const struct api_codec *codec)
{
    if (r->stream == NULL || r->stream->publisher != r->id) {
        return;
    }
    r->stream->source.video_codec = *codec;
    conference_on_media(s, r->stream);
    log_info("session_codec", LOG_STR("label", r->label), LOG_INT("id", r->id),
             LOG_STR("codec", codec_info(codec->id)->name));
}

static void on_ended(struct signaling *s, struct resource *r, const struct api_event *ev)
{
    int64_t now_us = clock_now_us();
    uint64_t bytes = 0;
    uint64_t lost = 0;
    const struct api_session_stats *last = ev->u.ended.stats;
    for (int i = 0; last != NULL && i < last->n_tracks; i++) {
        bytes += last->tracks[i].bytes;
        lost += last->tracks[i].lost;
    }
    if (r->state == RESOURCE_NEW || r->state == RESOURCE_UP) {
        r->reason = ev->u.ended.reason;
        detach(s, r);
    }
    s->metrics.ended[r->role][r->reason]++;
    event_on_ended(s, r, last);
    log_info("session_leave", LOG_STR("label", r->label), LOG_STR("role", role_name(r)),
             LOG_INT("id", r->id), LOG_STR("reason", api_reason_name(r->reason)),
             LOG_STR("detail", ev->u.ended.detail != NULL ? ev->u.ended.detail : ""),
             LOG_INT("joined", r->up_us != 0), LOG_INT("bytes", bytes), LOG_INT("lost", lost),
             LOG_INT("took_ms", (now_us - r->created_us) / US_PER_MS));
    resource_set_gone(&s->sessions, r, now_us);
}

static void on_fault(struct resource *r, enum api_fault f)
{
    r->faults |= 1U << f;
    log_warn("publisher_fault", LOG_STR("label", r->label), LOG_INT("id", r->id),
             LOG_STR("client", r->program), LOG_STR("fault", api_fault_name(f)),
             LOG_STR("what", api_fault_remedy(f)));
}

void life_on_event(struct signaling *s, const struct api_event *ev)
{
    struct resource *r = resource_find_id(&s->sessions, ev->id);
    if (r == NULL || r->state == RESOURCE_GONE) {
        return;
    }
    switch (ev->kind) {
    case API_EV_UP:
        on_up(s, r, ev);
        break;
    case API_EV_LIVE:
        on_live(s, r);
        break;
    case API_EV_SILENT:
        on_silent(s, r);
        break;
    case API_EV_ENDED:
        on_ended(s, r, ev);
        break;
    case API_EV_TRACKS:
        if (r->stream != NULL && r->stream->publisher == r->id) {
            conference_on_tracks(s, r->stream, ev);
        }
        break;
    case API_EV_CODEC:
        on_codec(s, r, ev->u.codec);
        break;
    case API_EV_FAULT:
        on_fault(r, ev->u.fault);
        break;
    case API_EV_DATA:
        control_on_data(s, r, ev);
        break;
    case API_EV_STATS:
    case API_EV_LEVELS:
        break;
    }
}

void life_on_lost(uint64_t id, void *ctx)
{
    struct signaling *s = ctx;
    struct resource *r = resource_find_id(&s->sessions, id);
    if (r != NULL) {
        life_end(s, r, API_END_CLIENT);
    }
}

unsigned life_count(const struct signaling *s)
{
    unsigned n = 0;
    for (int role = 0; role < 2; role++) {
        for (int state = RESOURCE_NEW; state < RESOURCE_GONE; state++) {
            n += s->sessions.n[role][state];
        }
    }
    return n;
}
