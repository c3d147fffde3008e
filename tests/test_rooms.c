/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "signaling/rooms.h"

#define X16 "aaaaaaaaaaaaaaaa"
#define X64 X16 X16 X16 X16

static struct rooms rooms;

static void setup(void)
{
    rooms_init(&rooms, 7);
}

static void teardown(void)
{
    rooms_fini(&rooms);
}

TestSuite(rooms, .init = setup, .fini = teardown);

static struct stream *publish(const char *room, const char *participant, uint64_t session,
                              const char *principal)
{
    struct negotiate_source source = {.known = true};
    struct rooms_publisher p = {
        .session = session, .worker = 1, .principal = principal, .source = &source};
    struct stream *st = rooms_get(&rooms, room, participant, 0);
    cr_assert_not_null(st);
    rooms_publish(&rooms, st, &p, (int64_t)session);
    return st;
}

Test(rooms, knows_names)
{
    static const struct {
        const char *path;
        bool good;
        const char *room;
        const char *participant;
        bool named;
    } rows[] = {
        {"a", true, "a", "main", false},
        {"a/b", true, "a", "b", true},
        {"a/main", true, "a", "main", true},
        {"A-b_c.d~9/0", true, "A-b_c.d~9", "0", true},
        {X64 "/" X64, true, X64, X64, true},
        {X64 "a", false},
        {"a/" X64 "a", false},
        {"", false},
        {"/", false},
        {"a/", true, "a", "main", false},
        {"a/b/", true, "a", "b", true},
        {"%61%7Eb/c%2E", true, "a~b", "c.", true},
        {X64 "/" X64 "/", true, X64, X64, true},
        {"/a", false},
        {"a/b/c", false},
        {"a//b", false},
        {".", false},
        {"..", false},
        {"a/..", false},
        {"-a", false},
        {"~a", false},
        {"a b", false},
        {"a%20b", false},
        {"a%2fb", false},
        {"%2e%2e", false},
        {"a%", false},
        {"a%7", false},
        {"a//", false},
        {"a\xc3\xa9", false},
        {"a\r\nX: y", false},
        {"a?x", false},
        {"a*", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char room[ROOMS_NAME_MAX];
        char participant[ROOMS_NAME_MAX];
        bool named;
        int r = rooms_split(rows[i].path, room, participant, &named);
        cr_assert_eq(r == 0, rows[i].good, "row %zu: %s", i, rows[i].path);
        if (r == 0) {
            cr_expect_str_eq(room, rows[i].room);
            cr_expect_str_eq(participant, rows[i].participant);
            cr_expect_eq(named, rows[i].named);
        }
    }
    cr_expect_not(rooms_is_name("a\0b", 3));
}

Test(rooms, decides_who_may_take_over)
{
    static const struct {
        const char *principal;
        bool silent;
        int64_t idle_us;
        int want;
    } rows[] = {
        {"alice", false, -1, 0},     /* her own stream */
        {"bob", false, -1, -EAGAIN}, /* has to be looked up */
        {"bob", false, 0, -EBUSY},   {"bob", false, 1999999, -EBUSY},
        {"bob", false, 2000000, 0},  {"bob", true, -1, 0}, /* the plane said so already */
        {"", false, 0, -EBUSY},
    };
    struct stream *st = publish("r", "main", 11, "alice");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t old = 99;
        st->silent = rows[i].silent;
        cr_expect_eq(rooms_claim(st, rows[i].principal, rows[i].idle_us, &old), rows[i].want,
                     "row %zu", i);
        cr_expect_eq(old, rows[i].want == 0 ? 11U : 99U, "row %zu", i);
    }
    uint64_t old = 99;
    cr_expect_eq(rooms_claim(NULL, "bob", -1, &old), 0);
    cr_expect_eq(old, 0);
    /* Without authentication everybody is the same nobody. */
    struct stream *open = publish("r", "open", 12, "");
    cr_expect_eq(rooms_claim(open, "", -1, &old), 0);
    cr_expect_eq(old, 12);
}

Test(rooms, keeps_the_stream_while_somebody_publishes_or_watches)
{
    struct stream *st = publish("r", "main", 1, "");
    uint64_t id = st->id;
    rooms_watch(st);
    cr_expect(rooms_unpublish(&rooms, st, 1));
    cr_expect_eq(rooms_find(&rooms, "r", "main"), st, "a viewer waits");
    cr_expect_eq(rooms.n_live, 0);
    cr_expect_eq(publish("r", "main", 2, "")->id, id, "viewers play on when it returns");
    rooms_unwatch(&rooms, st);
    cr_expect_not_null(rooms_find(&rooms, "r", "main"));
    cr_expect_not(rooms_unpublish(&rooms, st, 1), "that one was taken over");
    cr_expect_eq(rooms.n_live, 1);
    cr_expect(rooms_unpublish(&rooms, st, 2));
    cr_expect_null(rooms_find(&rooms, "r", "main"));
    cr_expect_null(rooms_find_room(&rooms, "r"));
    cr_expect_eq(rooms.n_streams, 0);
    cr_expect_neq(publish("r", "main", 3, "")->id, id, "ids are not used again");
}

Test(rooms, picks_the_only_one_or_main_or_the_latest)
{
    cr_expect_null(rooms_pick(&rooms, "r"));
    struct stream *a = publish("r", "a", 1, "");
    cr_expect_eq(rooms_pick(&rooms, "r"), a);
    struct stream *b = publish("r", "b", 2, "");
    cr_expect_eq(rooms_pick(&rooms, "r"), b);
    publish("r", "a", 3, ""); // a again, later
    cr_expect_eq(rooms_pick(&rooms, "r"), a);
    struct stream *m = publish("r", "main", 4, "");
    publish("r", "b", 5, "");
    cr_expect_eq(rooms_pick(&rooms, "r"), m);
    rooms_watch(m);
    rooms_unpublish(&rooms, m, 4);
    cr_expect_eq(rooms_pick(&rooms, "r"), b, "main is there, but not live");
    publish("s", "x", 6, "");
    cr_expect_str_eq(rooms_pick(&rooms, "s")->participant, "x", "rooms do not mix");
    rooms_unwatch(&rooms, m);
}

Test(rooms, serves_many)
{
    for (uint64_t i = 1; i <= 5000; i++) {
        char room[ROOMS_NAME_MAX];
        snprintf(room, sizeof(room), "room-%d", (int)(i % 500));
        char participant[ROOMS_NAME_MAX];
        snprintf(participant, sizeof(participant), "p%d", (int)i);
        publish(room, participant, i, "");
    }
    cr_expect_eq(rooms.n_streams, 5000);
    for (uint64_t i = 1; i <= 5000; i++) {
        char room[ROOMS_NAME_MAX];
        char participant[ROOMS_NAME_MAX];
        snprintf(room, sizeof(room), "room-%d", (int)(i % 500));
        snprintf(participant, sizeof(participant), "p%d", (int)i);
        struct stream *st = rooms_find(&rooms, room, participant);
        cr_assert_not_null(st);
        cr_assert(rooms_unpublish(&rooms, st, i));
    }
    cr_expect_eq(rooms.n_streams, 0);
    cr_expect_eq(rooms.n_live, 0);
}
