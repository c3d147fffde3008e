/* SPDX-License-Identifier: Apache-2.0 */
/* speaker.h - who speaks: audio levels of packets (RFC 6464) in three windows, and the choice of
 * the dominant speaker among many after Volfin and Cohen ("Dominant Speaker Identification for
 * Multipoint Videoconferencing"). A window is judged by how likely so many active parts are in
 * speech against noise; a challenger must win all three: 20 ms, 100 ms and 800 ms. So a cough or a
 * door does not take the picture, and the one who holds it keeps it through short pauses.
 *
 * struct speaker is kept per stream where its packets arrive; struct speaker_window is what it
 * comes down to, small enough to be sent elsewhere; speaker_elect compares. Pure; any thread. */
#ifndef RTP_SPEAKER_H
#define RTP_SPEAKER_H

#include "rtp/base.h"

#define SPEAKER_PART_US (20 * (int64_t)US_PER_MS) /* the shortest window */
#define SPEAKER_LEVELS  13                        /* steps of loudness in a part */
#define SPEAKER_MEDIUM  5                         /* parts in the medium window */
/* The paper has ten; with eight a new speaker wins the long window after 450 ms, not 550. */
#define SPEAKER_LONG  8 /* medium windows in the long one */
#define SPEAKER_PARTS (SPEAKER_MEDIUM * SPEAKER_LONG)

/* What was heard of one stream lately. */
struct speaker {
    int64_t part_us; /* when the newest part began; 0: nothing was heard yet */
    int64_t level_us;
    uint8_t level;                /* of the latest packet, 0 silence to 127 */
    uint8_t peak;                 /* of the part in progress */
    uint8_t floor;                /* background noise */
    uint8_t top;                  /* index of the newest finished part */
    uint8_t parts[SPEAKER_PARTS]; /* ring of loudness, 0 to SPEAKER_LEVELS */
    uint8_t lowest;               /* since floor_us: the next floor */
    int64_t floor_us;
};

/* Active parts in each window. */
struct speaker_window {
    uint8_t immediate; /* loudness of the newest part, 0 to SPEAKER_LEVELS */
    uint8_t medium;    /* active parts among the newest SPEAKER_MEDIUM */
    uint8_t lasting;   /* active medium windows among SPEAKER_LONG */
    uint8_t level;     /* 0 silence to 127, over the background: for meters */
};

/* Nothing heard yet. */
void speaker_init(struct speaker *s);
/* One packet's extension byte: voice flag and 0 (loudest) to 127 (silence), -dBov. */
void speaker_on_level(struct speaker *s, uint8_t ext, int64_t now_us);
/* The windows at now: parts without packets are silent, but for the pauses between packets. */
void speaker_read(struct speaker *s, int64_t now_us, struct speaker_window *ret);
/* True while the window shows speech, by a lower bar than dominance: for audio and indicators. */
bool speaker_is_active(const struct speaker_window *w);

/* Which of n streams should be dominant; present: index of the one that is, -1: nobody (it has left
 * or there was none). Returns an index, or -1 while nobody has spoken. */
int speaker_elect(const struct speaker_window *w, int n, int present);

#endif
