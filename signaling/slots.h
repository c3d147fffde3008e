/* SPDX-License-Identifier: Apache-2.0 */
/* slots.h - who is seen and heard in which slot of a viewer. A slot is a media section that never
 * changes; what flows in it does. The choice is last-N by speech, screens first, what the viewer
 * pinned before all; the seating is stable: who stays among the chosen stays in the same slot, a
 * slot that has just changed is held for a moment, and only as many change as must. Audio slots go
 * to those who speak.
 *
 * Pure: candidates and time in, seats out; the same inputs give the same seats. Any thread. */
#ifndef SIGNALING_SLOTS_H
#define SIGNALING_SLOTS_H

#include "rtp/base.h"

#define SLOTS_MAX 64
/* A seat that speech gave is not taken away by speech for so long: several, or the only one. */
#define SLOTS_HOLD_US        (2 * (int64_t)US_PER_S)
#define SLOTS_HOLD_SINGLE_US (1 * (int64_t)US_PER_S)
/* Who has fallen silent counts as speaking for so long. */
#define SLOTS_HANG_US (500 * (int64_t)US_PER_MS)

/* A stream that may be given a seat. */
struct slots_candidate {
    uint64_t stream;   /* id, not 0 */
    uint8_t pin;       /* the viewer's: 1 is the most wanted, 0 none */
    bool screen;       /* a shared screen */
    bool dominant;     /* has the word now */
    bool main;         /* the stream of the room's own name */
    bool unmetered;    /* sends no audio levels: whether it speaks is not known */
    uint64_t spoke;    /* the larger, the more recently it had the word; 0 never */
    uint64_t joined;   /* the larger, the more recently it came; counted like spoke */
    int64_t active_us; /* when it was last heard, by a low bar; INT64_MIN: never */
};

struct slots_seat {
    uint64_t stream;  /* 0: empty */
    uint64_t last;    /* who sat here before; comes back here if it can */
    uint64_t fixed;   /* the viewer's choice for this slot: this stream or nothing; 0: automatic */
    int64_t since_us; /* when stream was seated */
    bool off;         /* not shown: stays empty */
    bool is_fixed;    /* fixed counts, even when it is 0: nobody of that name is here */
};

struct slots {
    unsigned n;
    struct slots_seat seat[SLOTS_MAX];
};

/* n empty automatic seats. */
void slots_init(struct slots *s, unsigned n);

/* Seats for video. Returns a bit for each seat that has changed. *ret_again_us: when a hold ends
 * that kept somebody waiting; INT64_MAX: none. c: n candidates of which all have video that the
 * viewer can decode and may see, in any order; reordered. */
uint64_t slots_update_video(struct slots *s, struct slots_candidate *c, unsigned n, int64_t now_us,
                            int64_t *ret_again_us);
/* Seats for audio; same returns. Nobody is held: sound needs no key frame. */
uint64_t slots_update_audio(struct slots *s, struct slots_candidate *c, unsigned n, int64_t now_us);

#endif
