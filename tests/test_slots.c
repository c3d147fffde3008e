/* SPDX-License-Identifier: Apache-2.0 */
/* Seats are written as letters, "." is an empty one; candidates as a letter with marks behind:
 *   * has the word  ! pinned (first)  # screen  ~ is heard now  ? sends no levels  m main
 *   jN joined turn N  sN spoke turn N */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/slots.h"

#define MS US_PER_MS

static unsigned parse(const char *text, int64_t now_us, struct slots_candidate *out)
{
    unsigned n = 0;
    for (; *text; text++) {
        struct slots_candidate *c = n ? &out[n - 1] : NULL;
        switch (*text) {
        case ' ':
            break;
        case '*':
            c->dominant = true;
            break;
        case '!':
            c->pin = 1;
            break;
        case '#':
            c->screen = true;
            break;
        case '~':
            c->active_us = now_us;
            break;
        case '?':
            c->unmetered = true;
            break;
        case 'm':
            c->main = true;
            break;
        case 'j':
            c->joined = strtoul(text + 1, NULL, 10);
            break;
        case 's':
            c->spoke = strtoul(text + 1, NULL, 10);
            break;
        default:
            if (*text >= 'A' && *text <= 'Z') {
                out[n++] =
                    (struct slots_candidate){.stream = (uint64_t)*text, .active_us = INT64_MIN};
            }
        }
    }
    return n;
}

static const char *show(const struct slots *s, char out[SLOTS_MAX + 1])
{
    for (unsigned i = 0; i < s->n; i++) {
        out[i] = s->seat[i].stream ? (char)s->seat[i].stream : '.';
    }
    out[s->n] = '\0';
    return out;
}

struct step {
    int at_ms;
    const char *candidates;
    const char *seats;
};

static void run(const char *what, unsigned seats, bool audio, const struct step *st, unsigned n)
{
    struct slots s;
    slots_init(&s, seats);
    for (unsigned i = 0; i < n && st[i].seats; i++) {
        struct slots_candidate c[32];
        char got[SLOTS_MAX + 1];
        char was[SLOTS_MAX + 1];
        int64_t again_us, now_us = st[i].at_ms * MS;
        unsigned k = parse(st[i].candidates, now_us, c);
        show(&s, was);
        uint64_t changed = audio ? slots_update_audio(&s, c, k, now_us)
                                 : slots_update_video(&s, c, k, now_us, &again_us);
        cr_expect_str_eq(show(&s, got), st[i].seats, "%s, step %u: %s, not %s", what, i, got,
                         st[i].seats);
        for (unsigned b = 0; b < s.n; b++) {
            cr_expect_eq((changed >> b) & 1, got[b] != was[b], "%s, step %u: bit %u", what, i, b);
        }
    }
}

Test(slots, tiles_are_last_n_by_speech_and_stable)
{
    static const struct {
        const char *what;
        unsigned seats;
        struct step st[7];
    } rows[] = {
        {"an empty room", 3, {{0, "", "..."}}},
        {"newcomers fill free seats and nobody moves",
         3,
         {{0, "Aj1", "A.."}, {10, "Aj1 Bj2", "AB."}, {20, "Cj3 Bj2 Aj1", "ABC"}}},
        {"CONF-03: the tenth takes the seat of the one quiet for longest, once holds are over",
         3,
         {{0, "Aj1 Bj2 Cj3", "CBA"},
          {5000, "Aj1s9 Bj2 Cj3", "CBA"},
          {6000, "Aj1s9 Bj2 Cj3 Dj10", "CDA"}}},
        {"a leaver's seat is the next one's",
         2,
         {{0, "Aj1 Bj2 Cj3", "CB"}, {10, "Aj1 Bj2", "AB"}, {20, "Bj2", ".B"}, {30, "", ".."}}},
        {"who comes back sits where it sat",
         3,
         {{0, "Aj1 Bj2 Cj3", "CBA"}, {10, "Aj1 Cj3", "C.A"}, {20, "Aj1 Cj3 Bj2", "CBA"}}},
        {"speech changes seats no faster than the hold",
         2,
         {{0, "Aj1 Bj2 Cj3", "CB"},
          {500, "Aj1s4* Bj2 Cj3", "CB"},
          {2000, "Aj1s4* Bj2 Cj3", "CA"},
          {2500, "Aj1s4 Bj2s5* Cj3", "BA"},
          {2600, "Aj1s4 Bj2s5 Cj3s6*", "BA"},
          {4000, "Aj1s4 Bj2s5 Cj3s6*", "BC"}}},
        {"a screen comes first, before any hold",
         2,
         {{0, "Aj1 Bj2 Cj3", "CB"},
          {10, "Aj1 Bj2 Cj3 Sj4#", "CS"},
          {20, "Aj1* Bj2 Cj3 Sj4#", "CS"}}},
        {"the newest of two screens in one seat", 1, {{0, "Sj1# Tj2# Aj3*", "T"}}},
        {"a pin comes before screens and holds",
         2,
         {{0, "Aj1 Bj2 Cj3", "CB"},
          {10, "Aj1! Bj2 Cj3", "CA"},
          {20, "Aj1! Bj2s8* Cj3 Sj9#", "SA"}}},
        {"the word alone does not move who is seen",
         3,
         {{0, "Aj1 Bj2 Cj3", "CBA"}, {9000, "Aj1* Bj2s4 Cj3", "CBA"}}},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        run(rows[i].what, rows[i].seats, false, rows[i].st, ARRAY_LEN(rows[i].st));
    }
}

Test(slots, one_picture_follows_the_speaker)
{
    static const struct {
        const char *what;
        struct step st[7];
    } rows[] = {
        {"the only one", {{0, "Aj1", "A"}}},
        {"without speech: main, else the newest",
         {{0, "Aj1 Bj2", "B"}, {2000, "Aj1 Bj2 Mj0m", "M"}, {3000, "Aj1 Bj9", "B"}}},
        {"a newcomer does not take it from a speaker",
         {{0, "Aj1s2*", "A"}, {5000, "Aj1s2* Bj9", "A"}, {9000, "Aj1s2 Bj9", "A"}}},
        {"the speaker, once a second",
         {{0, "Aj1s3* Bj2", "A"},
          {500, "Aj1s3 Bj2s4*", "A"},
          {1000, "Aj1s3 Bj2s4*", "B"},
          {1900, "Aj1s5* Bj2s4", "B"},
          {2000, "Aj1s5* Bj2s4", "A"}}},
        {"when the speaker leaves, the one before",
         {{0, "Aj1s3 Bj2s4* Cj9", "B"}, {10, "Aj1s3 Cj9", "A"}}},
        {"a screen", {{0, "Aj1s3* Bj2#", "B"}, {10, "Aj1s3*", "A"}}},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        run(rows[i].what, 1, false, rows[i].st, ARRAY_LEN(rows[i].st));
    }
}

Test(slots, sound_goes_to_those_who_speak)
{
    static const struct {
        const char *what;
        unsigned seats;
        struct step st[7];
    } rows[] = {
        {"everybody while there is room", 3, {{0, "Aj1 Bj2", "BA."}, {10, "Aj1 Bj2 Cj3", "BAC"}}},
        {"a voice takes a quiet one's seat at once",
         2,
         {{0, "Aj1 Bj2 Cj3", "CB"}, {20, "Aj1~ Bj2 Cj3", "CA"}, {40, "Aj1~ Bj2~ Cj3~", "CA"}}},
        {"who has the word is heard",
         2,
         {{0, "Aj1~ Bj2~ Cj3~", "CB"}, {20, "Aj1~* Bj2~ Cj3~", "CA"}}},
        {"a source without levels is heard before the silent",
         2,
         {{0, "Aj1? Bj2 Cj3 Dj4", "AD"},
          {20, "Aj1? Bj2~ Cj3 Dj4", "AB"},
          {40, "Aj1? Bj2~ Cj3~ Dj4", "CB"}}},
        {"nobody moves for nothing",
         2,
         {{0, "Aj1~ Bj2~ Cj3", "BA"}, {600, "Aj1 Bj2 Cj3", "BA"}, {700, "Cj3 Bj2 Aj1", "BA"}}},
        {"one seat follows the word",
         1,
         {{0, "Aj1~* Bj2", "A"}, {100, "Aj1* Bj2~", "A"}, {200, "Aj1 Bj2~*", "B"}}},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        run(rows[i].what, rows[i].seats, true, rows[i].st, ARRAY_LEN(rows[i].st));
    }
    /* The hang-over: a pause for breath. */
    struct slots s;
    slots_init(&s, 1);
    for (int ms = 0; ms <= 600; ms += 100) {
        struct slots_candidate c[] = {
            {.stream = 'A', .joined = 1, .active_us = 0},
            {.stream = 'B', .joined = 2, .active_us = ms < 300 ? INT64_MIN : ms * MS}};
        slots_update_audio(&s, c, 2, ms * MS);
        cr_expect_eq(s.seat[0].stream, ms <= 500 ? 'A' : 'B', "at %d ms", ms);
    }
}

Test(slots, the_viewers_choice_for_a_slot_counts)
{
    struct slots s;
    struct slots_candidate c[8];
    char got[SLOTS_MAX + 1];
    int64_t again_us;
    slots_init(&s, 4);
    slots_update_video(&s, c, parse("Aj1 Bj2 Cj3 Dj4 Ej5", 0, c), 0, &again_us);
    cr_expect_str_eq(show(&s, got), "EDCB");
    s.seat[0].is_fixed = true;
    s.seat[0].fixed = 'A'; /* off screen until now */
    s.seat[1].is_fixed = true;
    s.seat[1].fixed = 'B'; /* from seat 3, without a hold; it is not seen twice */
    s.seat[2].off = true;
    slots_update_video(&s, c, parse("Aj1 Bj2 Cj3 Dj4 Ej5*", 1, c), 1, &again_us);
    cr_expect_str_eq(show(&s, got), "AB.E");
    slots_update_video(&s, c, parse("Bj2 Cj3 Dj4 Ej5*", 2, c), 2, &again_us);
    cr_expect_str_eq(show(&s, got), ".B.E", "a fixed seat waits for its stream");
    s.seat[0].is_fixed = s.seat[2].off = false;
    slots_update_video(&s, c, parse("Bj2 Cj3 Dj4 Ej5*", 3, c), 3, &again_us);
    cr_expect_str_eq(show(&s, got), "DBCE");
}

Test(slots, who_waits_is_told_when_to_look_again)
{
    struct slots s;
    struct slots_candidate c[8];
    int64_t again_us;
    slots_init(&s, 2);
    slots_update_video(&s, c, parse("Aj1 Bj2", 0, c), 0, &again_us);
    cr_expect_eq(again_us, INT64_MAX);
    slots_update_video(&s, c, parse("Aj1 Bj2 Cj3s4*", 100, c), 100 * MS, &again_us);
    cr_expect_eq(again_us, SLOTS_HOLD_US);
    slots_update_video(&s, c, parse("Aj1 Bj2 Cj3s4*", 0, c), SLOTS_HOLD_US, &again_us);
    cr_expect_eq(again_us, INT64_MAX);
    cr_expect_eq(s.seat[1].stream, 'C');
}

/* Fifty people, nine tiles, whoever speaks at random: what a viewer sees never jumps. */
Test(slots, a_long_meeting_does_not_flicker)
{
    uint64_t random = 7;
    struct slots s;
    uint64_t spoke[50] = {0}, turn = 100;
    int64_t since_us[9] = {0};
    unsigned changes = 0, missed = 0;
    int word = 0;
    slots_init(&s, 9);
    for (int64_t now_us = 0; now_us < 3600LL * US_PER_S; now_us += 100 * MS) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        if (random >> 59 == 0) { /* about every 3 s */
            word = (int)((random >> 32) % 50);
            spoke[word] = ++turn;
        }
        struct slots_candidate c[50];
        for (int i = 0; i < 50; i++) {
            c[i] = (struct slots_candidate){.stream = 1 + (uint64_t)i,
                                            .joined = 1 + (uint64_t)i,
                                            .spoke = spoke[i],
                                            .dominant = i == word};
        }
        struct slots before = s;
        int64_t again_us;
        uint64_t changed = slots_update_video(&s, c, 50, now_us, &again_us);
        bool seen = false;
        for (unsigned i = 0; i < 9; i++) {
            seen |= s.seat[i].stream == 1 + (uint64_t)word;
            if (!((changed >> i) & 1)) {
                cr_assert_eq(s.seat[i].stream, before.seat[i].stream);
                continue;
            }
            cr_assert(now_us == 0 || now_us - since_us[i] >= SLOTS_HOLD_US, "seat %u flickers", i);
            since_us[i] = now_us;
            changes++;
            for (unsigned k = 0; k < 9; k++) {
                cr_assert_neq(before.seat[k].stream, s.seat[i].stream, "somebody changed seats");
            }
        }
        missed += !seen;
    }
    cr_expect_leq(changes, 1400, "%u changes in an hour", changes);
    cr_expect_leq(missed, 20, "the speaker was out of sight %u times", missed);
}
