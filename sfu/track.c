/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/track.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VIDEO_SLOTS     2048u
#define VIDEO_BYTES     (512u << 10)
#define VIDEO_BYTES_MAX (8u << 20)
#define AUDIO_SLOTS     1024u
#define AUDIO_BYTES     (64u << 10)
#define AUDIO_BYTES_MAX (512u << 10)

struct track *track_open(struct stream *s, uint8_t index, enum media_kind kind, uint8_t n_enc)
{
    if (index >= TRACKS_MAX || n_enc > API_LAYERS_MAX) {
        return NULL;
    }
    struct track *t = s->tracks[index];
    if (!t) {
        t = calloc(1, sizeof(*t));
        if (!t) {
            return NULL;
        }
        t->stream = s;
        t->index = index;
        t->kind = kind;
        t->best = -1;
        list_init(&t->subs);
        list_init(&t->dirty);
        speaker_init(&t->speaker);
        for (uint8_t i = 0; i < API_LAYERS_MAX; i++) {
            t->enc[i].track = t;
            t->enc[i].index = i;
            keyframes_init(&t->enc[i].keys);
        }
        s->tracks[index] = t;
        s->n_tracks = MAX(s->n_tracks, (uint8_t)(index + 1));
    }
    if (t->kind != kind) {
        return NULL;
    }
    t->n_enc = MAX(n_enc, 1);
    return t;
}

static void encoding_close(struct encoding *e)
{
    history_fini(&e->hist);
    describe_fini(&e->desc);
    e->open = false;
}

void stream_free(struct stream *s)
{
    if (!s) {
        return;
    }
    for (unsigned i = 0; i < s->n_tracks; i++) {
        struct track *t = s->tracks[i];
        if (!t) {
            continue;
        }
        assert(list_empty(&t->subs));
        list_remove(&t->dirty);
        for (unsigned k = 0; k < API_LAYERS_MAX; k++) {
            encoding_close(&t->enc[k]);
        }
        free(t);
    }
    free(s);
}

struct track *stream_track(const struct stream *s, enum media_kind kind)
{
    for (unsigned i = 0; i < s->n_tracks; i++) {
        if (s->tracks[i] && s->tracks[i]->kind == kind) {
            return s->tracks[i];
        }
    }
    return NULL;
}

int encoding_open(struct encoding *e, enum codec_id codec)
{
    bool video = e->track->kind == MEDIA_VIDEO;
    if (e->open && e->codec == codec) {
        return 0;
    }
    if (!e->open) {
        int err = history_init(&e->hist, video ? VIDEO_SLOTS : AUDIO_SLOTS,
                               video ? VIDEO_BYTES : AUDIO_BYTES);
        if (err) {
            return err;
        }
    } else {
        describe_fini(&e->desc);
    }
    int err = describe_init(&e->desc, codec);
    if (err) {
        history_fini(&e->hist);
        e->open = false;
        return err;
    }
    e->codec = codec;
    e->open = true;
    e->track->clock_hz = codec_info(codec)->clock_hz;
    return 0;
}

void encoding_restart(struct encoding *e)
{
    if (e->open) {
        history_reset(&e->hist);
        describe_fini(&e->desc);
        if (describe_init(&e->desc, e->codec)) {
            encoding_close(e);
        }
    }
    e->epoch++;
    e->last_packet_us = INT64_MIN / 2;
    e->bitrate_bps = 0;
    e->has_sr = false;
    e->width = 0;
    e->height = 0;
    keyframes_init(&e->keys);
}

uint16_t encoding_frame_id(struct encoding *e, uint32_t ts)
{
    for (unsigned i = 0; i < MIN(e->next_frame, (unsigned)ENCODING_FRAMES); i++) {
        if (e->frames[i].ts == ts) {
            return e->frames[i].id;
        }
    }
    unsigned i = e->next_frame % ENCODING_FRAMES;
    e->frames[i].ts = ts;
    e->frames[i].id = (uint16_t)(e->next_frame++ & 0x7fff);
    return e->frames[i].id;
}

static void encoding_tick(struct encoding *e)
{
    /* Smoothing by an eighth each 100 ms: settles in about a second. */
    uint64_t bps = e->window_bytes * 8 * 10;
    e->window_bytes = 0;
    e->bitrate_bps = (uint32_t)((e->bitrate_bps * 7ULL + bps) / 8);
}

void track_tick(struct track *t, int64_t now_us)
{
    int8_t best = -1;
    uint32_t best_bps = 0;
    for (uint8_t i = 0; i < t->n_enc; i++) {
        struct encoding *e = &t->enc[i];
        if (!e->open) {
            continue;
        }
        encoding_tick(e);
        if (now_us - e->last_packet_us > TRACK_LAYER_DEAD_US) {
            continue;
        }
        /* Layers are ordered by what they weigh, never by name: OBS calls the largest one "0". The
         * present best keeps its place unless another one is clearly larger, so that two layers of
         * about the same rate do not alternate. */
        uint32_t bps = e->bitrate_bps + (i == t->best ? e->bitrate_bps / 4 : 0);
        if (best < 0 || bps > best_bps) {
            best = (int8_t)i;
            best_bps = bps;
        }
    }
    if (best >= 0) {
        t->best = best;
    }
}

void track_fit(struct track *t, int64_t now_us, int64_t want_us)
{
    uint32_t max = t->kind == MEDIA_VIDEO ? VIDEO_BYTES_MAX : AUDIO_BYTES_MAX;
    for (uint8_t i = 0; i < t->n_enc; i++) {
        if (t->enc[i].open) {
            (void)history_fit(&t->enc[i].hist, now_us, want_us,
                              max); /* without memory the history stays shorter */
        }
    }
}

uint64_t encoding_ntp(const struct encoding *e, uint32_t ts)
{
    if (!e->has_sr || !e->track->clock_hz) {
        return 0;
    }
    int64_t ticks = (int32_t)(ts - e->sr_ts);
    int64_t hz = e->track->clock_hz;
    /* 2^32 fractions a second; whole seconds and the rest apart, so that nothing overflows. */
    int64_t frac = (ticks / hz) * (1LL << 32) + (ticks % hz) * (1LL << 32) / hz;
    return e->sr_ntp + (uint64_t)frac;
}
