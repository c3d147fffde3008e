/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "rtp/speaker.h"

#define SILENT 127
#define QUIET  95 /* a ventilator */
#define VOICE  30
#define LOUD   10
#define MS     US_PER_MS
#define PEOPLE 4

/* Plays a script of who is how loud until when, and notes when the dominant one changes. */
struct phase {
    int until_ms;
    uint8_t level[PEOPLE]; /* -dBov */
};

struct change {
    int at_ms, who;
};

static int play(const struct phase *ph, int n, int ptime_ms, struct change *ret)
{
    struct speaker s[PEOPLE];
    int present = -1, changes = 0, at = 0;
    for (int i = 0; i < PEOPLE; i++) {
        speaker_init(&s[i]);
    }
    for (int ms = 1; at < n; ms++) {
        for (int i = 0; i < PEOPLE; i++) {
            if (ms % ptime_ms == i % ptime_ms) {
                speaker_on_level(&s[i], (uint8_t)(0x80 | ph[at].level[i]), ms * MS);
            }
        }
        if (ms % 50 == 0) {
            struct speaker_window w[PEOPLE];
            for (int i = 0; i < PEOPLE; i++) {
                speaker_read(&s[i], ms * MS, &w[i]);
            }
            int now = speaker_elect(w, PEOPLE, present);
            if (now != present) {
                cr_assert_lt(changes, 8);
                ret[changes++] = (struct change){ms, now};
                present = now;
            }
        }
        at += ms >= ph[at].until_ms;
    }
    return changes;
}

Test(speaker, the_one_who_goes_on_speaking_is_chosen)
{
    static const struct {
        const char *what;
        struct phase ph[6];
        int n;
        struct {
            int who, from_ms, by_ms;
        } want[4];
        int n_want;
    } rows[] = {
        {"nobody speaks", {{3000, {SILENT, QUIET, QUIET, SILENT}}}, 1, {{0}}, 0},
        {"the first word",
         {{1000, {QUIET, QUIET, QUIET, QUIET}}, {3000, {QUIET, VOICE, QUIET, QUIET}}},
         2,
         {{1, 1000, 1300}},
         1},
        {"one after the other",
         {{2000, {VOICE, QUIET, SILENT, SILENT}},
          {4000, {QUIET, VOICE, SILENT, SILENT}},
          {6000, {QUIET, QUIET, LOUD, QUIET}}},
         3,
         {{0, 0, 300}, {1, 2000, 2550}, {2, 4000, 4550}},
         3},
        {"a cough",
         {{2000, {VOICE, QUIET, QUIET, QUIET}},
          {2100, {VOICE, LOUD, QUIET, QUIET}},
          {4000, {VOICE, QUIET, QUIET, QUIET}}},
         3,
         {{0, 0, 300}},
         1},
        {"a pause for breath",
         {{2000, {VOICE, QUIET, QUIET, QUIET}},
          {2300, {QUIET, QUIET, QUIET, QUIET}},
          {4000, {VOICE, QUIET, QUIET, QUIET}}},
         3,
         {{0, 0, 300}},
         1},
        {"both at once: who has the word keeps it",
         {{2000, {VOICE, QUIET, QUIET, QUIET}}, {4000, {VOICE, LOUD, QUIET, QUIET}}},
         2,
         {{0, 0, 300}},
         1},
        {"after silence the last speaker stays",
         {{2000, {VOICE, QUIET, QUIET, QUIET}}, {9000, {QUIET, QUIET, QUIET, QUIET}}},
         2,
         {{0, 0, 300}},
         1},
        {"a short answer into a pause",
         {{2000, {VOICE, QUIET, QUIET, QUIET}},
          {2300, {QUIET, VOICE, QUIET, QUIET}},
          {4000, {VOICE, QUIET, QUIET, QUIET}}},
         3,
         {{0, 0, 300}},
         1},
    };
    static const int ptimes[] = {20, 10, 40, 60};
    for (unsigned i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(ptimes); i++) {
        unsigned r = i / ARRAY_LEN(ptimes);
        int ptime = ptimes[i % ARRAY_LEN(ptimes)];
        struct change got[8];
        int n = play(rows[r].ph, rows[r].n, ptime, got);
        cr_expect_eq(n, rows[r].n_want, "%s, frames of %d ms: %d changes", rows[r].what, ptime, n);
        for (int k = 0; k < n && k < rows[r].n_want; k++) {
            cr_expect_eq(got[k].who, rows[r].want[k].who, "%s: %d", rows[r].what, got[k].who);
            cr_expect(got[k].at_ms > rows[r].want[k].from_ms &&
                          got[k].at_ms <= rows[r].want[k].by_ms,
                      "%s, frames of %d ms: at %d ms", rows[r].what, ptime, got[k].at_ms);
        }
    }
}

Test(speaker, background_noise_is_learnt)
{
    /* A drill at -50 dBov for a minute: active at first, background later; a voice over it counts.
     */
    struct speaker s;
    struct speaker_window w;
    speaker_init(&s);
    for (int ms = 0; ms < 60000; ms += 20) {
        speaker_on_level(&s, 65, ms * MS + 1);
    }
    speaker_read(&s, 60000 * MS, &w);
    cr_expect_not(speaker_is_active(&w));
    for (int ms = 60000; ms < 60500; ms += 20) {
        speaker_on_level(&s, VOICE, ms * MS + 1);
    }
    speaker_read(&s, 60500 * MS, &w);
    cr_expect(speaker_is_active(&w));
    cr_expect_gt(w.lasting, 2);
    cr_expect_geq(w.level, 80);
    /* Packets end: in a second nothing is left. */
    speaker_read(&s, 60700 * MS, &w);
    cr_expect_eq(w.medium, 0);
    speaker_read(&s, 62500 * MS, &w);
    cr_expect_eq(w.lasting, 0);
    cr_expect_eq(w.level, 0);
}

Test(speaker, nothing_heard_is_nobody)
{
    struct speaker s;
    struct speaker_window w = {.immediate = 9};
    speaker_init(&s);
    speaker_read(&s, 12345, &w);
    cr_expect_eq(w.immediate + w.medium + w.lasting + w.level, 0);
    cr_expect_eq(speaker_elect(&w, 1, -1), -1);
    cr_expect_eq(speaker_elect(&w, 0, -1), -1);
    /* Counts beyond their windows (a message from elsewhere) are as good as full ones. */
    struct speaker_window odd[2] = {{255, 255, 255, 255}, {13, 5, 10, 127}};
    cr_expect_eq(speaker_elect(odd, 2, 1), 1);
}
