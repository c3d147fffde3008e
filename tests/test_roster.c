/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/roster.h"
#include "signaling/strbuf.h"

static struct rooms rooms;
static struct room *room;

static void setup(void)
{
    rooms_init(&rooms, 7);
    room = rooms_get_room(&rooms, "r", 0);
}

static void teardown(void)
{
    roster_free(room);
    rooms_fini(&rooms);
}

TestSuite(roster, .init = setup, .fini = teardown);

static cJSON *parsed(struct strbuf *b)
{
    size_t len;
    char *text = strbuf_take(b, &len);
    cJSON *o = cJSON_ParseWithLength(text, len);
    cr_assert_not_null(o, "%s", text);
    free(text);
    return o;
}

static cJSON *changes(void)
{
    struct strbuf b = {0};
    cr_expect(roster_is_dirty(room));
    roster_write_changes(room, &b);
    cr_expect_not(roster_is_dirty(room));
    return parsed(&b);
}

/* "a,b" of the people or names in a list. */
static const char *names(const cJSON *o, const char *key)
{
    static char text[4096];
    text[0] = '\0';
    const cJSON *i;
    cJSON_ArrayForEach(i, cJSON_GetObjectItem(o, key))
    {
        const char *name =
            cJSON_IsString(i) ? i->valuestring : cJSON_GetObjectItem(i, "name")->valuestring;
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", text[0] ? "," : "",
                 name);
    }
    return text;
}

static int number(const cJSON *o, const char *key)
{
    return (int)cJSON_GetNumberValue(cJSON_GetObjectItem(o, key));
}

static struct person *come(const char *name, int streams, int members)
{
    struct person *p = roster_ref(room, name);
    roster_count(room, p, streams, members);
    return p;
}

Test(roster, tells_who_comes_changes_and_goes)
{
    struct person *ann = come("ann", 1, 0), *bob = come("bob", 0, 1);
    cJSON *o = changes();
    cr_expect_str_eq(names(o, "people"), "ann,bob");
    cr_expect_eq(number(o, "total"), 2);
    cJSON_Delete(o);
    roster_count(room, bob, 1, 0); /* begins to publish */
    o = changes();
    cr_expect_str_eq(names(o, "people"), "bob");
    cJSON_Delete(o);
    roster_count(room, ann, -1, 0);
    roster_unref(ann);
    struct person *eve = come("eve", 0, 1);
    o = changes();
    cr_expect_str_eq(names(o, "people"), "eve");
    cr_expect_str_eq(names(o, "left"), "ann");
    cr_expect_eq(number(o, "total"), 2);
    cJSON_Delete(o);
    /* Back before anybody heard that it had gone. */
    roster_count(room, eve, 0, -1);
    roster_unref(eve);
    eve = come("eve", 0, 1);
    o = changes();
    cr_expect_str_eq(names(o, "left"), "");
    cr_expect_str_eq(names(o, "people"), "eve");
    cJSON_Delete(o);
    cr_expect_eq(roster_find(room, "ann"), NULL);
}

Test(roster, who_never_came_leaves_nothing)
{
    struct person *p = roster_ref(room, "half-open");
    cr_expect_eq(roster_ref(room, "half-open"), p);
    roster_unref(p);
    cr_expect_eq(roster_find(room, "half-open"), p);
    roster_unref(p);
    cr_expect_null(roster_find(room, "half-open"));
    cr_expect_eq(room->n_people, 0);
    come("ann", 1, 0);
    p = roster_find(room, "ann");
    roster_count(room, p, -1, 0);
    roster_unref(p);
    roster_forget(room);
    cr_expect(list_empty(&room->people));
    cr_expect_not(roster_is_dirty(room));
}

Test(roster, who_is_muted_is_remembered)
{
    struct person *ann = come("ann", 1, 0);
    roster_mute(room, ann, ROSTER_MICROPHONE | ROSTER_SCREEN | ROSTER_SCREEN_SOUND);
    cJSON *o = changes();
    char *text = cJSON_PrintUnformatted(
        cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "people"), 0), "muted"));
    cr_expect_str_eq(text, "[\"microphone\",\"screen\"]");
    free(text);
    cJSON_Delete(o);
    roster_count(room, ann, -1, 0);
    roster_unref(ann);
    o = changes();
    cr_expect_str_eq(names(o, "left"), "ann");
    cr_expect_eq(number(o, "total"), 0);
    cJSON_Delete(o);
    cr_assert_eq(roster_find(room, "ann"), ann, "she may come back");
    room->locked = true;
    roster_tell(room);
    o = changes();
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(o, "locked")));
    cJSON_Delete(o);
    roster_mute(room, ann, ROSTER_CAMERA);
    o = changes();
    cr_expect_str_eq(names(o, "people"), "", "she is not here");
    cr_expect_str_eq(names(o, "left"), "");
    cJSON_Delete(o);
    roster_mute(room, ann, 0);
    cr_expect_null(roster_find(room, "ann"));
    struct person *bob = come("bob", 1, 0);
    roster_mute(room, bob, ROSTER_ALL);
    roster_count(room, bob, -1, 0);
    roster_unref(bob);
    roster_end(room);
    cr_expect(list_empty(&room->people));
}

Test(roster, tells_what_is_published)
{
    struct negotiate_source source = {.known = true, .audio = true, .video = true};
    source.audio_codec.id = CODEC_OPUS;
    source.video_codec.id = CODEC_VP8;
    struct rooms_publisher p = {.session = 1, .worker = 0, .principal = "", .source = &source};
    static const char *const streams[] = {"ann", "ann~screen"};
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        struct stream *st = rooms_get(&rooms, "r", streams[i], 0);
        rooms_publish(&rooms, st, &p, 1);
        st->person = come("ann", 1, 0);
        st->media.live = true;
        st->present = true;
        st->media.no_audio = i == 0;
        st->media.video = i == 0;
    }
    cJSON *o = changes();
    const cJSON *ann = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "people"), 0);
    const cJSON *list = cJSON_GetObjectItem(ann, "streams");
    cr_assert_eq(cJSON_GetArraySize(list), 2);
    char *text = cJSON_PrintUnformatted(list);
    cr_expect_str_eq(
        text,
        "[{\"stream\":\"ann\",\"source\":\"camera\",\"audio\":{\"codec\":\"opus\",\"muted\":true},"
        "\"video\":{\"codec\":\"VP8\",\"muted\":false}},"
        "{\"stream\":\"ann~screen\",\"source\":\"screen\",\"audio\":{\"codec\":\"opus\",\"muted\":"
        "false},"
        "\"video\":{\"codec\":\"VP8\",\"muted\":true}}]");
    free(text);
    cJSON_Delete(o);
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        rooms_find(&rooms, "r", streams[i])->person = NULL;
    }
}

Test(roster, tokens_say_who_it_is)
{
    struct person *p = come("ann", 0, 1);
    roster_describe(p, "Ann \"the\" Lee", "{\"team\":\"red\"}");
    roster_describe(p, "", "");
    cJSON *o = changes();
    const cJSON *ann = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "people"), 0);
    cr_expect_str_eq(cJSON_GetObjectItem(ann, "display")->valuestring, "Ann \"the\" Lee");
    cr_expect_str_eq(cJSON_GetObjectItem(cJSON_GetObjectItem(ann, "metadata"), "team")->valuestring,
                     "red");
    cJSON_Delete(o);
}

Test(roster, a_webinar_is_counted_not_listed)
{
    char name[16];
    come("speaker", 1, 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "p%03d", i);
        come(name, 0, 1);
        room->n_members++;
    }
    room->n_members += 3; /* without a name */
    cJSON *o = changes();
    cr_expect_str_eq(names(o, "people"), "speaker");
    cr_expect_eq(number(o, "total"), 1001);
    cr_expect_eq(number(o, "anonymous"), 3);
    cJSON_Delete(o);
    struct strbuf b = {0};
    roster_write_snapshot(room, &b);
    cr_expect_leq(b.len, 8192, "%zu bytes for a thousand", b.len);
    o = parsed(&b);
    cr_expect_eq(cJSON_GetArraySize(cJSON_GetObjectItem(o, "people")), ROSTER_PAGE);
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(o, "more")));
    cr_expect_eq(strncmp(names(o, "people"), "speaker,p000,", 13), 0);
    cJSON_Delete(o);
    /* One more: a message of some bytes, whatever the room's size, that may wait for more. */
    come("late", 0, 1);
    cr_expect_eq(roster_pause_us(room), US_PER_S);
    roster_write_changes(room, &b);
    cr_expect_leq(b.len, 80, "%s", b.text);
    cJSON_Delete(parsed(&b));
    /* Page by page everybody is found once. */
    uint64_t after = 0;
    int found = 0, pages = 0;
    bool more = true;
    while (more) {
        roster_write_page(room, after, &b);
        o = parsed(&b);
        const cJSON *i;
        cJSON_ArrayForEach(i, cJSON_GetObjectItem(o, "people"))
        {
            after = (uint64_t)number(i, "id");
            found++;
        }
        more = cJSON_IsTrue(cJSON_GetObjectItem(o, "more"));
        pages++;
        cJSON_Delete(o);
    }
    cr_expect_eq(found, 1002);
    cr_expect_eq(pages, 11);
    /* Who begins to speak up is listed. */
    roster_count(room, roster_find(room, "p500"), 1, 0);
    cr_expect_eq(roster_pause_us(room), 100 * US_PER_MS);
    o = changes();
    cr_expect_str_eq(names(o, "people"), "p500");
    cJSON_Delete(o);
    roster_write_snapshot(room, &b);
    o = parsed(&b);
    cr_expect_eq(strncmp(names(o, "people"), "speaker,p500,p000,", 18), 0);
    cJSON_Delete(o);
    roster_count(room, roster_find(room, "p500"), -1, 0);
    roster_write_snapshot(room, &b);
    o = parsed(&b);
    cr_expect_eq(strncmp(names(o, "people"), "speaker,p000,p001,", 18), 0);
    cJSON_Delete(o);
}
