/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/track.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/dd.h"
#include "sfu/told.h"

#define VIDEO_SLOTS     2048u
#define VIDEO_SLOTS_MAX 4096u
#define VIDEO_BYTES     (512u << 10)
#define VIDEO_BYTES_MAX (8u << 20)
#define AUDIO_SLOTS     1024u
#define AUDIO_BYTES     (64u << 10)
#define AUDIO_BYTES_MAX (512u << 10)
/* What is kept of a source that ignores key frame requests: its longest interval, within reason
 * (architecture §9). */
#define GOP_US        (30 * US_PER_S)
#define GOP_SLOTS_MAX 8192u
/* A camera layer is dead when it has been silent for so long, or for so many of its pictures, while
 * a sibling flowed. Key frames of that sibling are asked for and viewers go over when one comes, so
 * that a layer which was only late has time until then. A still screen sends next to nothing:
 * there, silence says little. */
#define DEAD_US        (150 * US_PER_MS)
#define DEAD_PICTURES  4
#define DEAD_SCREEN_US (4 * US_PER_S)
#define TICKS_PER_S    10
#define SHORT_TICKS    7
#define LONG_TICKS     30
/* Nothing at all comes any more. */
#define GONE_US US_PER_S

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
    e->map =
        (struct layer_map){.gen = (uint8_t)(e->map.gen + 1), .n_dt = 1, .n_sid = 1, .n_tid = 1};
    memset(&e->meter, 0, sizeof(e->meter));
    e->last_packet_us = INT64_MIN / 2;
    e->bitrate_bps = 0;
    e->has_sr = false;
    e->track->sent = 0;
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

void encoding_note_map(struct encoding *e)
{
    const struct describe *d = &e->desc;
    struct layer_map *m = &e->map;
    m->active = d->active_mask;
    m->opaque = d->opaque;
    m->blind = d->opaque && !d->from_dd && e->track->kind == MEDIA_VIDEO;
    e->keys.blind = m->blind;
    m->dd_active = d->from_dd && d->dd ? d->dd->active_targets : 0;
    uint8_t n_dd = d->from_dd && d->dd ? d->dd->structure.n_targets : 0;
    if (m->n_dt == d->n_dt && m->n_sid == d->n_sid && m->n_tid == d->n_tid && m->n_dd == n_dd &&
        memcmp(m->sid, d->dt_sid, m->n_dt) == 0 && memcmp(m->tid, d->dt_tid, m->n_dt) == 0) {
        return;
    }
    m->gen++;
    m->n_dt = d->n_dt;
    m->n_sid = d->n_sid;
    m->n_tid = d->n_tid;
    m->n_dd = n_dd;
    memcpy(m->sid, d->dt_sid, sizeof(m->sid));
    memcpy(m->tid, d->dt_tid, sizeof(m->tid));
    memcpy(m->dd, d->dt_dd, sizeof(m->dd));
}

unsigned layer_map_find(const struct layer_map *m, uint8_t sid, uint8_t tid)
{
    unsigned best = 0;
    for (unsigned d = 1; d < m->n_dt; d++) {
        if (m->sid[d] >= sid && m->tid[d] >= tid) {
            best = d; /* they are sorted, best first */
        }
    }
    return best;
}

/* A picture has begun: the one before it is whole, as far as it will be. */
static void count_picture(struct target_meter *m, const struct hist_in *in)
{
    for (unsigned todo = m->pic_mask; todo; todo &= todo - 1) {
        m->pics[__builtin_ctz(todo)]++;
    }
    int64_t gap = in->arrival_us - m->picture_us;
    if (m->picture_us && gap > 0 && gap < US_PER_S) {
        m->gap_us = m->gap_us ? (m->gap_us * 7 + gap) / 8 : gap;
    }
    m->picture_us = in->arrival_us;
    m->ts = in->ts;
    m->pic_mask = 0;
}

void encoding_count(struct encoding *e, const struct hist_in *in)
{
    struct target_meter *m = &e->meter;
    unsigned mask = in->desc->dt_mask & ((1U << e->map.n_dt) - 1);
    bool late = in->seq < e->hist.top_seq;
    /* An entry point that comes late must not wipe out what has come after it. */
    if ((in->desc->flags & DESC_ENTRY) && !late) {
        memset(m->in, 0xff, sizeof(m->in));
    }
    if (in->ts != m->ts && mask && !late) {
        count_picture(m, in);
    }
    m->key |= in->desc->flags & DESC_KEYFRAME;
    m->pic_mask |= in->ts == m->ts ? (uint16_t)mask : 0;
    uint32_t bytes = (uint32_t)in->payload_len + WIRE_OVERHEAD;
    for (unsigned todo = mask; todo; todo &= todo - 1) {
        unsigned d = (unsigned)__builtin_ctz(todo);
        m->bytes[d] += bytes;
        m->in[d] &= (uint16_t)mask;
    }
}

/* A mean over the last most + 1 ticks, about; a plain one of what there is before that. */
static uint32_t smooth(uint32_t was, uint64_t is, unsigned ticks, unsigned most)
{
    unsigned weight = MIN(ticks, most);
    return (uint32_t)MIN((was * (uint64_t)weight + is) / (weight + 1), (uint64_t)UINT32_MAX);
}

static void encoding_tick(struct encoding *e)
{
    struct target_meter *m = &e->meter;
    uint64_t bps = e->window_bytes * 8 * TICKS_PER_S;
    e->window_bytes = 0;
    e->bitrate_bps = smooth(e->bitrate_bps, bps, SHORT_TICKS, SHORT_TICKS);
    for (unsigned d = 0; d < e->map.n_dt; d++) {
        uint64_t is = m->bytes[d] * 8ULL * TICKS_PER_S;
        /* One key frame must not make a layer look too large for those who have it. */
        is = m->key && m->ticks ? MIN(is, 2ULL * m->bps[d]) : is;
        m->bps[d] = smooth(m->bps[d], is, m->ticks, SHORT_TICKS);
        if (m->ticks >= TICKS_PER_S) { /* before that is the first key frame */
            m->long_bps[d] = smooth(m->long_bps[d], is, m->ticks - TICKS_PER_S, LONG_TICKS);
        }
        uint64_t fps_q4 = m->pics[d] * 16ULL * TICKS_PER_S;
        m->fps_q4[d] = (uint16_t)smooth(m->fps_q4[d], fps_q4, m->ticks, SHORT_TICKS);
        m->bytes[d] = 0;
        m->pics[d] = 0;
    }
    m->key = false;
    m->ticks = (uint8_t)MIN(m->ticks + 1, TICKS_PER_S + LONG_TICKS);
}

static bool is_young(const struct encoding *e)
{
    return e->meter.ticks < TICKS_PER_S;
}

uint32_t encoding_cost_bps(const struct encoding *e, unsigned d)
{
    uint32_t told = is_young(e) ? told_bps(e, d) : 0, is = e->meter.bps[d];
    return told && (!is || told < is) ? told : is;
}

uint32_t encoding_entry_bps(const struct encoding *e, unsigned d)
{
    uint32_t bps = encoding_cost_bps(e, d);
    return e->meter.ticks < 2 * TICKS_PER_S ? bps : MAX(bps, e->meter.long_bps[d]);
}

uint16_t encoding_fps_q4(const struct encoding *e, unsigned d)
{
    uint16_t told = is_young(e) ? told_fps_q4(e, d) : 0;
    return told ? told : e->meter.fps_q4[d];
}

/* Layers are ordered by what they weigh, never by name: OBS calls the largest one "0". The present
 * best keeps its place unless another one is clearly larger, so that two layers of about the same
 * rate do not alternate. */
static void elect(struct track *t, int64_t now_us)
{
    int8_t best = -1;
    uint32_t best_bps = 0;
    for (uint8_t i = 0; i < t->n_enc; i++) {
        const struct encoding *e = &t->enc[i];
        if (!((t->alive >> i) & 1) || now_us - e->last_packet_us > GONE_US) {
            continue;
        }
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

bool track_check_alive(struct track *t, int64_t now_us)
{
    int64_t newest = INT64_MIN / 2;
    for (uint8_t i = 0; i < t->n_enc; i++) {
        newest = MAX(newest, t->enc[i].last_packet_us);
    }
    uint8_t alive = 0;
    for (uint8_t i = 0; i < t->n_enc; i++) {
        const struct encoding *e = &t->enc[i];
        int64_t limit = MAX((int64_t)DEAD_US, e->meter.gap_us * DEAD_PICTURES);
        limit = e->map.screen ? DEAD_SCREEN_US : limit;
        if (e->open && newest - e->last_packet_us <= limit && !told_is_off(e)) {
            alive |= (uint8_t)(1U << i);
        }
    }
    if (alive == t->alive) {
        return false;
    }
    t->alive = alive;
    elect(t, now_us);
    return true;
}

bool track_tick(struct track *t, int64_t now_us)
{
    bool others = false;
    (void)track_check_alive(t, now_us);
    for (uint8_t i = 0; i < t->n_enc; i++) {
        struct encoding *e = &t->enc[i];
        others |= e->ticked_gen != e->map.gen;
        e->ticked_gen = e->map.gen;
        if (e->open) {
            encoding_tick(e);
        }
    }
    elect(t, now_us);
    return others;
}

void track_fit(struct track *t, int64_t now_us, int64_t want_us)
{
    bool video = t->kind == MEDIA_VIDEO;
    for (uint8_t i = 0; i < t->n_enc; i++) {
        struct encoding *e = &t->enc[i];
        /* Joiners of a source that gives no key frame on request start at its last one; and
         * whether it does must be found out first. */
        bool gop = video && (e->keys.deaf || keyframes_untested(&e->keys));
        if (e->open) {
            /* Without memory the history stays shorter. */
            (void)history_fit(&e->hist, now_us, gop ? MAX(want_us, GOP_US) : want_us,
                              video ? VIDEO_BYTES_MAX : AUDIO_BYTES_MAX,
                              gop     ? GOP_SLOTS_MAX
                              : video ? VIDEO_SLOTS_MAX
                                      : AUDIO_SLOTS);
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
