/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/speaker.h"

#include <math.h>
#include <string.h>

/* Loudness above which a part is active, and active parts that make a medium window active. */
#define ACTIVE_LOUDNESS 7
#define ACTIVE_PARTS    4
#define LEVEL_STEP      10 /* 127 levels in SPEAKER_LEVELS steps, rounded up */
/* By how much a challenger must win in each window: logarithm of the quotient of scores. */
#define WIN_IMMEDIATE 3.0
#define WIN_MEDIUM    2.0
#define WIN_LASTING   0.0
#define SCORE_MIN     1e-10
/* A packet speaks for so long: frames of 60 ms, and some jitter. */
#define HOLD_US (80 * US_PER_MS)
/* Background is the quietest level of so long; sound must be this much louder. */
#define FLOOR_US     (10 * (int64_t)US_PER_S)
#define FLOOR_MARGIN 8
#define FLOOR_MAX    70 /* louder than that it is no background */

void speaker_init(struct speaker *s)
{
    memset(s, 0, sizeof(*s));
    s->lowest = FLOOR_MAX;
}

static uint8_t loudness(const struct speaker *s, uint8_t level)
{
    return level > s->floor + FLOOR_MARGIN ? (uint8_t)(level / LEVEL_STEP) : 0;
}

/* Finishes the parts that are over at now. */
static void advance(struct speaker *s, int64_t now_us)
{
    if (now_us - s->part_us >= SPEAKER_PARTS * SPEAKER_PART_US) {
        memset(s->parts, 0, sizeof(s->parts)); /* silent for longer than the windows look back */
        s->peak = 0;
        s->part_us = now_us;
        return;
    }
    while (now_us - s->part_us >= SPEAKER_PART_US) {
        s->part_us += SPEAKER_PART_US;
        s->top = (uint8_t)((s->top + 1) % SPEAKER_PARTS);
        s->parts[s->top] = loudness(s, s->peak);
        s->peak = s->part_us - s->level_us <= HOLD_US ? s->level : 0;
    }
}

static void track_floor(struct speaker *s, int64_t now_us)
{
    /* 0 is digital silence (a muted microphone): it says nothing about the room. */
    if (s->level > 0 && s->level < s->lowest) {
        s->lowest = s->level;
    }
    if (now_us - s->floor_us >= FLOOR_US) {
        s->floor = s->lowest < FLOOR_MAX ? s->lowest : s->floor;
        s->lowest = FLOOR_MAX;
        s->floor_us = now_us;
    }
}

void speaker_on_level(struct speaker *s, uint8_t ext, int64_t now_us)
{
    if (!s->part_us) {
        s->part_us = now_us;
        s->floor_us = now_us;
    }
    advance(s, now_us);
    s->level = (uint8_t)(127 - (ext & 0x7f));
    s->level_us = now_us;
    s->peak = MAX(s->peak, s->level);
    track_floor(s, now_us);
}

void speaker_read(struct speaker *s, int64_t now_us, struct speaker_window *ret)
{
    *ret = (struct speaker_window){0};
    if (!s->part_us) {
        return;
    }
    advance(s, now_us);
    ret->immediate = s->parts[s->top];
    for (unsigned m = 0; m < SPEAKER_LONG; m++) {
        unsigned active = 0;
        for (unsigned i = 0; i < SPEAKER_MEDIUM; i++) {
            unsigned at = (s->top + SPEAKER_PARTS - m * SPEAKER_MEDIUM - i) % SPEAKER_PARTS;
            active += s->parts[at] > ACTIVE_LOUDNESS;
        }
        ret->medium = m == 0 ? (uint8_t)active : ret->medium;
        ret->lasting = (uint8_t)(ret->lasting + (active > ACTIVE_PARTS));
    }
    ret->level = s->parts[s->top] ? (uint8_t)MIN(s->parts[s->top] * LEVEL_STEP, 127) : 0;
}

bool speaker_is_active(const struct speaker_window *w)
{
    return w->medium >= 2;
}

/* How much more likely v active parts of n are in speech (their number then falls off by lambda)
 * than by chance (p = 1/2). */
static double score(unsigned v, unsigned n, double lambda)
{
    double log_choose = lgamma(n + 1.0) - lgamma(v + 1.0) - lgamma(n - v + 1.0);
    double s = log_choose - n * M_LN2 - log(lambda) + lambda * v;
    return s > SCORE_MIN ? s : SCORE_MIN;
}

struct scores {
    double immediate, medium, lasting;
};

static struct scores score_all(const struct speaker_window *w)
{
    return (struct scores){
        .immediate = score(MIN(w->immediate, SPEAKER_LEVELS), SPEAKER_LEVELS, 0.78),
        .medium = score(MIN(w->medium, SPEAKER_MEDIUM), SPEAKER_MEDIUM, 24),
        .lasting = score(MIN(w->lasting, SPEAKER_LONG), SPEAKER_LONG, 47),
    };
}

int speaker_elect(const struct speaker_window *w, int n, int present)
{
    static const struct speaker_window nothing;
    struct scores holder = score_all(present >= 0 ? &w[present] : &nothing);
    int best = present;
    double best_margin = WIN_MEDIUM;
    for (int i = 0; i < n; i++) {
        if (i == present || w[i].lasting == 0) {
            continue; /* most of a room: no need to compute anything */
        }
        struct scores c = score_all(&w[i]);
        double margin = log(c.medium / holder.medium);
        if (log(c.immediate / holder.immediate) > WIN_IMMEDIATE && margin > best_margin &&
            log(c.lasting / holder.lasting) > WIN_LASTING) {
            best = i;
            best_margin = margin;
        }
    }
    return best;
}
