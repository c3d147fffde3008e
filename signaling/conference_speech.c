/* SPDX-License-Identifier: Apache-2.0 */
/* conference_speech.c - who speaks, from the workers' digests. */
#include <stdlib.h>

#include "conf/clock.h"
#include "rtp/speaker.h"
#include "signaling/conference_inner.h"
#include "signaling/post.h"
#include "signaling/state.h"

void conference_on_levels(struct signaling *s, const struct api_event *ev)
{
    int64_t now_us = clock_now_us();
    for (unsigned i = 0; i < ev->u.levels.n; i++) {
        const struct api_level *l = &ev->u.levels.levels[i];
        struct stream *st = rooms_find_id(&s->rooms, l->stream);
        if (st == NULL || st->publisher == 0) {
            continue;
        }
        bool spoke = conference_is_speaking(st, now_us);
        st->media.heard = l->window;
        if (speaker_is_active(&l->window)) {
            st->media.active_us = now_us;
            st->room->new_seats |= !spoke; // a voice may need a seat for its sound
        }
        st->room->new_levels = true;
        conference_touch(s, st->room);
    }
}

bool conference_is_speaking(const struct stream *st, int64_t now_us)
{
    const struct stream_media *m = &st->media;
    return m->active_us != INT64_MIN && now_us - m->active_us <= SLOTS_HANG_US && !m->no_audio;
}

/* Who has the word now: a stream, or NULL. */
static struct stream *elect(struct room *room, size_t n_streams)
{
    struct speaker_window *w = calloc(n_streams, sizeof(*w));
    struct stream **who = calloc(n_streams, sizeof(*who));
    struct stream *best = NULL;
    int present = -1;
    int n = 0;
    LIST_EACH(it, &room->streams)
    {
        struct stream *st = container_of(it, struct stream, node);
        if (w == NULL || who == NULL || !conference_is_live(st) || st->media.no_audio) {
            continue;
        }
        present = st->id == room->dominant ? n : present;
        w[n] = st->media.heard;
        who[n++] = st;
    }
    if (n > 0) {
        int chosen = speaker_elect(w, n, present);
        best = chosen >= 0 ? who[chosen] : NULL;
    }
    free(w);
    free(who);
    return best;
}

int64_t conference_hear(struct signaling *s, struct room *room, int64_t now_us)
{
    int64_t again_us = INT64_MAX;
    size_t n = 0;
    LIST_EACH(it, &room->streams)
    {
        struct stream *st = container_of(it, struct stream, node);
        bool speaking = conference_is_speaking(st, now_us);
        room->new_speech |= speaking != st->media.told_speaking;
        if (speaking) {
            again_us = MIN(again_us, st->media.active_us + SLOTS_HANG_US + US_PER_MS);
        }
        n++;
    }
    struct stream *dominant = n > 0 ? elect(room, n) : NULL;
    uint64_t id = dominant != NULL ? dominant->id : 0;
    if (id != room->dominant) {
        room->dominant = id;
        room->new_speech = true;
        room->told_speech_us = 0; // this is told at once
        room->new_seats = true;
        if (dominant != NULL) {
            dominant->media.spoke = s->rooms.next_turn++;
        }
    }
    room->new_levels = false;
    return again_us;
}

void conference_want_levels(struct signaling *s, struct room *room)
{
    unsigned heard = 0;
    LIST_EACH(it, &room->streams)
    {
        const struct stream *st = container_of(it, struct stream, node);
        heard += st->publisher != 0 && st->source.audio_level ? 1 : 0;
    }
    /* A plain player of the only source has nobody to choose from. */
    bool want = room->n_slot_members > 0 || (room->n_members > 0 && heard > 1);
    LIST_EACH(it, &room->streams)
    {
        struct stream *st = container_of(it, struct stream, node);
        bool wanted = want && st->source.audio_level;
        if (st->publisher != 0 && st->media.levelled != wanted) {
            struct api_cmd cmd = {.kind = API_CMD_LEVELS, .id = st->id, .u.levels.want = wanted};
            st->media.levelled = wanted;
            post_surely(s->post, st->worker, &cmd);
        }
    }
}
