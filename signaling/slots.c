/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/slots.h"

#include <stdlib.h>
#include <string.h>

void slots_init(struct slots *s, unsigned n)
{
    *s = (struct slots){.n = MIN(n, (unsigned)SLOTS_MAX)};
}

/* ---- order ---- */

/* Negative when a comes first. */
static int by(uint64_t a, uint64_t b)
{
    return a > b ? -1 : a < b;
}

static int by_pin(const struct slots_candidate *a, const struct slots_candidate *b)
{
    return (a->pin ? a->pin : 256) - (b->pin ? b->pin : 256);
}

/* Several tiles: who came or spoke most recently. Coming counts as speaking, so that a newcomer is
 * seen at once and the one who was quiet for the longest time makes room (CONF-03). */
static int for_tiles(const void *x, const void *y)
{
    const struct slots_candidate *a = x;
    const struct slots_candidate *b = y;
    int d = by_pin(a, b);
    d = d ? d : (int)b->screen - (int)a->screen;
    d = d ? d : (int)b->dominant - (int)a->dominant;
    d = d ? d : by(MAX(a->spoke, a->joined), MAX(b->spoke, b->joined));
    return d ? d : by(b->stream, a->stream);
}

/* One picture: who speaks; among those who never did, the room's own stream, then the newest. */
static int for_single(const void *x, const void *y)
{
    const struct slots_candidate *a = x;
    const struct slots_candidate *b = y;
    int d = by_pin(a, b);
    d = d ? d : (int)b->screen - (int)a->screen;
    d = d ? d : (int)b->dominant - (int)a->dominant;
    d = d ? d : by(a->spoke, b->spoke);
    d = d ? d : (int)b->main - (int)a->main;
    d = d ? d : by(a->joined, b->joined);
    return d ? d : by(b->stream, a->stream);
}

/* Sound: who has the word, who speaks, whose speech cannot be known, who spoke last. */
static int for_audio(const void *x, const void *y)
{
    const struct slots_candidate *a = x;
    const struct slots_candidate *b = y;
    int d = (int)b->dominant - (int)a->dominant;
    d = d ? d : (a->active_us < b->active_us) - (a->active_us > b->active_us);
    d = d ? d : by(a->spoke, b->spoke);
    d = d ? d : (int)b->main - (int)a->main;
    d = d ? d : by(a->joined, b->joined);
    return d ? d : by(b->stream, a->stream);
}

/* ---- seats ---- */

static const struct slots_candidate *find(const struct slots_candidate *c, unsigned n,
                                          uint64_t stream)
{
    for (unsigned i = 0; stream && i < n; i++) {
        if (c[i].stream == stream) {
            return &c[i];
        }
    }
    return NULL;
}

static bool is_automatic(const struct slots_seat *seat)
{
    return !seat->off && !seat->is_fixed;
}

/* A bit for seat i if it has changed. */
static uint64_t put(struct slots *s, unsigned i, uint64_t stream, int64_t now_us)
{
    struct slots_seat *seat = &s->seat[i];
    if (seat->stream == stream) {
        return 0;
    }
    seat->last = seat->stream ? seat->stream : seat->last;
    seat->stream = stream;
    seat->since_us = now_us;
    return 1ULL << i;
}

/* Seats that the viewer decided about; clears those whose stream is no candidate any more, or sits
 * in a fixed seat. Marks in taken who needs no automatic seat. */
static uint64_t settle_fixed(struct slots *s, const struct slots_candidate *c, unsigned n,
                             bool *taken, int64_t now_us)
{
    uint64_t changed = 0;
    for (unsigned i = 0; i < s->n; i++) {
        const struct slots_seat *seat = &s->seat[i];
        if (!is_automatic(seat)) {
            const struct slots_candidate *f = seat->off ? NULL : find(c, n, seat->fixed);
            changed |= put(s, i, f ? f->stream : 0, now_us);
            if (f) {
                taken[f - c] = true;
            }
        }
    }
    for (unsigned i = 0; i < s->n; i++) {
        const struct slots_seat *seat = &s->seat[i];
        const struct slots_candidate *f = find(c, n, seat->stream);
        if (is_automatic(seat) && seat->stream && (!f || taken[f - c])) {
            changed |= put(s, i, 0, now_us);
        }
    }
    return changed;
}

static unsigned count_automatic(const struct slots *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n; i++) {
        n += is_automatic(&s->seat[i]);
    }
    return n;
}

static int seat_of(const struct slots *s, uint64_t stream)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (is_automatic(&s->seat[i]) && s->seat[i].stream == stream) {
            return (int)i;
        }
    }
    return -1;
}

/* An empty seat for stream: its old one, else the first that is not kept for another; -1: none. */
static int empty_seat(const struct slots *s, uint64_t stream)
{
    int first = -1;
    for (unsigned i = 0; i < s->n; i++) {
        const struct slots_seat *seat = &s->seat[i];
        if (!is_automatic(seat) || seat->stream) {
            continue;
        }
        if (seat->last == stream) {
            return (int)i;
        }
        first = first < 0 ? (int)i : first;
    }
    return first;
}

/* The seat whose occupant is not among the first wanted of c, and comes last in the order; -1:
 * none. hold_us: younger seats stay; the end of the first hold goes to *ret_again_us. */
static int weakest_seat(const struct slots *s, const struct slots_candidate *c, unsigned n,
                        unsigned wanted, int64_t held_after_us, int64_t *ret_oldest_us)
{
    int weakest = -1;
    const struct slots_candidate *last = NULL;
    for (unsigned i = 0; i < s->n; i++) {
        const struct slots_seat *seat = &s->seat[i];
        const struct slots_candidate *occupant =
            is_automatic(seat) ? find(c, n, seat->stream) : NULL;
        if (!occupant || occupant < c + wanted) {
            continue;
        }
        if (seat->since_us > held_after_us) {
            *ret_oldest_us = MIN(*ret_oldest_us, seat->since_us);
        } else if (!last || occupant > last) {
            weakest = (int)i;
            last = occupant;
        }
    }
    return weakest;
}

struct rules {
    int (*order)(const void *, const void *);
    int64_t hold_us;
};

/* Seats the first candidates in the order of the rules. */
static uint64_t seat_all(struct slots *s, struct slots_candidate *c, unsigned n,
                         const struct rules *rules, int64_t now_us, int64_t *ret_again_us)
{
    *ret_again_us = INT64_MAX;
    bool *taken = n ? calloc(n, sizeof(*taken)) : NULL;
    if (n && !taken) {
        return 0; /* later, perhaps */
    }
    uint64_t changed = settle_fixed(s, c, n, taken, now_us);
    unsigned rest = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!taken[i]) {
            c[rest++] = c[i];
        }
    }
    free(taken);
    if (rest) {
        qsort(c, rest, sizeof(*c), rules->order);
    }
    unsigned wanted = MIN(count_automatic(s), rest);
    for (unsigned i = 0; i < wanted; i++) {
        if (seat_of(s, c[i].stream) >= 0) {
            continue;
        }
        int64_t oldest_us = INT64_MAX;
        int at = empty_seat(s, c[i].stream);
        if (at < 0) {
            int64_t held_after_us = c[i].pin || c[i].screen ? INT64_MAX : now_us - rules->hold_us;
            at = weakest_seat(s, c, rest, wanted, held_after_us, &oldest_us);
        }
        if (at >= 0) {
            changed |= put(s, (unsigned)at, c[i].stream, now_us);
        } else if (oldest_us != INT64_MAX) {
            *ret_again_us = MIN(*ret_again_us, oldest_us + rules->hold_us);
        }
    }
    return changed;
}

uint64_t slots_update_video(struct slots *s, struct slots_candidate *c, unsigned n, int64_t now_us,
                            int64_t *ret_again_us)
{
    static const struct rules tiles = {for_tiles, SLOTS_HOLD_US};
    static const struct rules single = {for_single, SLOTS_HOLD_SINGLE_US};
    return seat_all(s, c, n, s->n == 1 ? &single : &tiles, now_us, ret_again_us);
}

uint64_t slots_update_audio(struct slots *s, struct slots_candidate *c, unsigned n, int64_t now_us)
{
    static const struct rules sound = {for_audio, 0};
    int64_t again_us;
    for (unsigned i = 0; i < n; i++) {
        /* Three ranks in one number: speaking now, not known, silent; who sits stays before who
         * would only be as good. */
        bool speaks = c[i].active_us != INT64_MIN && now_us - c[i].active_us <= SLOTS_HANG_US;
        bool sits = seat_of(s, c[i].stream) >= 0;
        c[i].active_us = (speaks ? 4 : c[i].unmetered ? 2 : 0) + (sits ? 1 : 0);
    }
    return seat_all(s, c, n, &sound, now_us, &again_us);
}
