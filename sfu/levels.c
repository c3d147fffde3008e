/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/levels.h"

#include <stdlib.h>

#include "sfu/ingest.h"
#include "sfu/peer.h"
#include "sfu/router.h"

#define FLOWS_US (250 * US_PER_MS)
/* So much of it is no accident. */
#define B_FRAMES_LEAST  20
#define BARE_KEYS_LEAST 2
#define RARE_KEYS_US    (5 * US_PER_S)
/* Silence after which a track counts as switched off. A still screen may send a picture in a few
 * seconds, Opus with DTX a packet in 400 ms. */
#define VIDEO_STOPPED_US (4 * US_PER_S)
#define AUDIO_STOPPED_US (3 * US_PER_S)

void levels_want(struct router *r, uint64_t id, bool want)
{
    struct stream *st = router_stream(r, id, false);
    if (!st) {
        return;
    }
    list_remove(&st->levelled);
    if (want) {
        list_append(&r->levelled, &st->levelled);
    }
}

void levels_on_packet(struct track *t, uint8_t ext, int64_t now_us)
{
    if (!list_empty(&t->stream->levelled)) {
        speaker_on_level(&t->speaker, ext, now_us);
    }
}

/* Adds st to the digest if it has something to say, or had the last time. */
static void read_stream(struct stream *st, int64_t now_us, struct api_level *out, unsigned *n)
{
    struct track *t = stream_track(st, MEDIA_AUDIO);
    struct api_level l = {.stream = st->id};
    if (!t || !st->local) {
        return;
    }
    speaker_read(&t->speaker, now_us, &l.window);
    bool loud = l.window.medium || l.window.lasting;
    if (loud || st->was_loud) {
        out[(*n)++] = l;
    }
    st->was_loud = loud;
}

static void tell_levels(struct router *r, int64_t now_us)
{
    unsigned count = 0;
    LIST_EACH(it, &r->levelled)
    {
        count++;
    }
    struct api_level *levels = count ? malloc(count * sizeof(*levels)) : NULL;
    if (!levels) {
        return;
    }
    struct api_event ev = {.kind = API_EV_LEVELS, .worker = r->p.worker};
    LIST_EACH(it, &r->levelled)
    {
        read_stream(container_of(it, struct stream, levelled), now_us, levels, &ev.u.levels.n);
    }
    if (ev.u.levels.n) {
        ev.u.levels.levels = levels;
        r->p.ports.event(&ev, r->p.ports.ctx);
    } else {
        free(levels);
    }
}

/* Which kinds flow; a kind that has not begun yet is given as long as one that paused. */
static unsigned flows(const struct peer *p, int64_t now_us)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < p->ingest->n_sources; i++) {
        const struct source *src = &p->ingest->sources[i];
        bool audio = src->ml->kind == MEDIA_AUDIO;
        int64_t since_us = MAX(src->enc->last_packet_us, p->up_us);
        bool on = now_us - since_us <= (audio ? AUDIO_STOPPED_US : VIDEO_STOPPED_US);
        mask |= on ? 1U << src->ml->kind : 0;
    }
    return mask;
}

/* Which of several codecs the publisher of p sends, once it does. */
static void tell_codec(struct router *r, struct peer *p)
{
    for (unsigned i = 0; i < p->ingest->n_sources; i++) {
        const struct source *src = &p->ingest->sources[i];
        if (src->ml->kind != MEDIA_VIDEO || src->ml->n_codecs < 2 || !src->packets ||
            !src->enc->open || src->enc->codec == p->video_codec) {
            continue;
        }
        for (unsigned k = 0; k < src->ml->n_codecs; k++) {
            struct api_event ev = {.kind = API_EV_CODEC, .worker = r->p.worker, .id = p->id};
            ev.u.codec =
                src->ml->codecs[k].id == src->enc->codec ? malloc(sizeof(*ev.u.codec)) : NULL;
            if (ev.u.codec) {
                *ev.u.codec = src->ml->codecs[k];
                p->video_codec = src->enc->codec;
                r->p.ports.event(&ev, r->p.ports.ctx);
                return;
            }
        }
    }
}

static unsigned faults_of(const struct source *src)
{
    const struct keyframes *k = &src->enc->keys;
    bool b_frames = src->enc->open && src->enc->desc.backward >= B_FRAMES_LEAST;
    bool bare = src->preface && src->preface->missed >= BARE_KEYS_LEAST;
    bool rare = k->deaf && k->own_us > RARE_KEYS_US;
    return b_frames << API_FAULT_B_FRAMES | bare << API_FAULT_NO_PARAMS |
           rare << API_FAULT_RARE_KEYS;
}

/* Each fault once a session. */
static void tell_faults(struct router *r, struct peer *p)
{
    unsigned now = 0;
    for (unsigned i = 0; i < p->ingest->n_sources; i++) {
        if (p->ingest->sources[i].ml->kind == MEDIA_VIDEO) {
            now |= faults_of(&p->ingest->sources[i]);
        }
    }
    for (unsigned f = 0; f < API_FAULT_COUNT; f++) {
        if (now & ~p->faults & 1U << f) {
            struct api_event ev = {.kind = API_EV_FAULT, .worker = r->p.worker, .id = p->id};
            ev.u.fault = f;
            r->p.ports.event(&ev, r->p.ports.ctx);
        }
    }
    p->faults |= now;
}

static void tell_tracks(struct router *r, int64_t now_us)
{
    LIST_EACH(it, &r->publishers)
    {
        struct peer *p = container_of(it, struct peer, kin);
        tell_codec(r, p);
        tell_faults(r, p);
        unsigned now = p->live ? flows(p, now_us) : p->flows;
        if (now != p->flows) {
            p->flows = now;
            struct api_event ev = {.kind = API_EV_TRACKS, .worker = r->p.worker, .id = p->id};
            ev.u.tracks.audio = now & 1U << MEDIA_AUDIO;
            ev.u.tracks.video = now & 1U << MEDIA_VIDEO;
            r->p.ports.event(&ev, r->p.ports.ctx);
        }
    }
}

void levels_tick(struct router *r, int64_t now_us)
{
    if (now_us - r->levels_us >= LEVELS_US) {
        r->levels_us = now_us;
        tell_levels(r, now_us);
    }
    if (now_us - r->flows_us >= FLOWS_US) {
        r->flows_us = now_us;
        tell_tracks(r, now_us);
    }
}
