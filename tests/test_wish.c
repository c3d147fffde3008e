/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "signaling/wish.h"

static const char mids[6][API_MID_MAX] = {"a0", "v1", "v2", "data", "v4", "rejected"};
static const struct wish_session session = {.n_mids = 6, .mids = mids, .audio = 1, .video = 0x16};

Test(wish, takes_what_is_meant_and_refuses_the_rest)
{
    static const struct {
        const char *json;
        int err;
    } rows[] = {
        {"{}", 0},
        {"{\"pin\":[]}", 0},
        {"{\"pin\":[\"ann\",\"bob~screen\"]}", 0},
        {"{\"mute\":[\"ann\"],\"pin\":[\"ann\"]}", 0},
        {"{\"slots\":[{\"mid\":\"v1\",\"stream\":\"ann\"}]}", 0},
        {"{\"slots\":[{\"mid\":\"v1\",\"stream\":null}]}", 0},
        {"{\"slots\":[{\"mid\":\"v1\",\"off\":true},{\"mid\":\"a0\",\"off\":false}]}", 0},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":{}}]}", 0},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":{\"rid\":\"h\",\"maxWidth\":640,\"maxHeight\":360,"
         "\"priority\":2}}]}",
         0},
        {"", -EBADMSG},
        {"[]", -EBADMSG},
        {"{", -EBADMSG},
        {"{} {}", -EBADMSG},
        {"{\"pins\":[]}", -EBADMSG},
        {"{\"pin\":\"ann\"}", -EBADMSG},
        {"{\"pin\":[1]}", -EBADMSG},
        {"{\"pin\":[\"no name\"]}", -EBADMSG},
        {"{\"pin\":[\"\"]}", -EBADMSG},
        {"{\"pin\":[\"../x\"]}", -EBADMSG},
        {"{\"pin\":[\"a\"],\"pin\":[\"b\"]}", -EBADMSG},
        {"{\"mute\":{}}", -EBADMSG},
        {"{\"slots\":{}}", -EBADMSG},
        {"{\"slots\":[1]}", -EBADMSG},
        {"{\"slots\":[{}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":1}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"zz\"}]}", -ENOENT},
        {"{\"slots\":[{\"mid\":\"data\"}]}", -ENOENT},
        {"{\"slots\":[{\"mid\":\"rejected\"}]}", -ENOENT},
        {"{\"slots\":[{\"mid\":\"v1\",\"strem\":null}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"v1\",\"stream\":7}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"v1\",\"off\":1}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"a0\",\"layer\":{}}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":[]}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":{\"rid\":1}}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":{\"maxWidth\":-1}}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":{\"maxWidth\":1.5}}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":{\"maxWidth\":1e300}}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":{\"priority\":11}}]}", -EBADMSG},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":{\"x\":{\"y\":{}}}}]}", -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wish w;
        char why[160] = "";
        int err = wish_read(rows[i].json, strlen(rows[i].json), &session, &w, why);
        cr_expect_eq(err, rows[i].err, "%s: %d %s", rows[i].json, err, why);
        cr_expect_eq(why[0] != '\0', err != 0, "%s: %s", rows[i].json, why);
        /* No beginning of it is taken for the whole. */
        for (size_t len = 0; err == 0 && len < strlen(rows[i].json); len++) {
            cr_expect_neq(wish_read(rows[i].json, len, &session, &w, why), 0, "%.*s", (int)len,
                          rows[i].json);
        }
    }
    char many[2048] = "{\"pin\":[\"a\"";
    for (int i = 0; i < WISH_NAMES; i++) {
        snprintf(many + strlen(many), sizeof(many) - strlen(many), ",\"a%d\"", i);
    }
    snprintf(many + strlen(many), sizeof(many) - strlen(many), "]}");
    struct wish w;
    char why[160];
    cr_expect_eq(wish_read(many, strlen(many), &session, &w, why), -EBADMSG);
}

Test(wish, holds_until_it_is_changed)
{
    static const struct {
        const char *json;
        bool seats;
        const char *pins, *mutes, *fixed1, *fixed4;
        uint64_t off;
    } rows[] = {
        {"{\"pin\":[\"ann\",\"bob\"]}", true, "ann", "", "", "", 0},
        {"{\"slots\":[{\"mid\":\"v4\",\"stream\":\"eve\"}]}", true, "ann", "", "", "eve", 0},
        {"{\"slots\":[{\"mid\":\"v1\",\"layer\":{\"maxWidth\":99}}]}", false, "ann", "", "", "eve",
         0},
        {"{\"mute\":[\"ann\"],\"slots\":[{\"mid\":\"v2\",\"off\":true}]}", true, "ann", "ann", "",
         "eve", 4},
        {"{\"pin\":[],\"slots\":[{\"mid\":\"v1\",\"stream\":\"x\"},{\"mid\":\"v4\",\"stream\":null}"
         "]}",
         true, "", "ann", "x", "", 4},
        {"{\"mute\":[],\"slots\":[{\"mid\":\"v1\",\"stream\":null},{\"mid\":\"v2\",\"off\":false}]"
         "}",
         true, "", "", "", "", 0},
    };
    struct wish_state st = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wish w;
        char why[160];
        cr_assert_eq(wish_read(rows[i].json, strlen(rows[i].json), &session, &w, why), 0, "%s",
                     why);
        cr_expect_eq(wish_apply(&st, &w), rows[i].seats, "row %zu", i);
        cr_expect_str_eq(st.n_pins ? st.pins[0] : "", rows[i].pins, "row %zu", i);
        cr_expect_str_eq(st.n_mutes ? st.mutes[0] : "", rows[i].mutes, "row %zu", i);
        cr_expect_str_eq(st.fixed[1], rows[i].fixed1, "row %zu", i);
        cr_expect_str_eq(st.fixed[4], rows[i].fixed4, "row %zu", i);
        cr_expect_eq(st.off, rows[i].off, "row %zu", i);
        cr_expect_eq(wish_is_empty(&st), i == 5);
    }
}

Test(wish, reads_the_drafts_layer_selection)
{
    static const struct {
        const char *json;
        int err;
        struct api_wish want;
    } rows[] = {
        {"{}", 0, {.mline = 1, .layer = -1, .sid = -1, .tid = -1, .max_sid = -1, .max_tid = -1}},
        {"{\"mediaId\":\"2\"}",
         0,
         {.mline = 2, .layer = -1, .sid = -1, .tid = -1, .max_sid = -1, .max_tid = -1}},
        {"{\"mediaId\":\"1\",\"rid\":\"0\"}",
         0,
         {.mline = 1, .rid = "0", .layer = -1, .sid = -1, .tid = -1, .max_sid = -1, .max_tid = -1}},
        {"{\"mediaId\":\"1\",\"encodingId\":\"hd\"}",
         0,
         {.mline = 1,
          .rid = "hd",
          .layer = -1,
          .sid = -1,
          .tid = -1,
          .max_sid = -1,
          .max_tid = -1}},
        {"{\"mediaId\":\"4\",\"spatialLayerId\":1,\"temporalLayerId\":0,\"maxSpatialLayerId\":2,"
         "\"maxTemporalLayerId\":1,\"maxWidth\":640,\"maxHeight\":360}",
         0,
         {.mline = 4,
          .layer = -1,
          .sid = 1,
          .tid = 0,
          .max_sid = 2,
          .max_tid = 1,
          .max_width = 640,
          .max_height = 360}},
        {"{\"mediaId\":1}", -ENOENT, {0}},
        {"{\"mediaId\":\"0\"}", -ENOENT, {0}},
        {"{\"mediaId\":\"9\"}", -ENOENT, {0}},
        {"{\"mediaId\":\"1x\"}", -ENOENT, {0}},
        {"{\"mediaId\":\"-1\"}", -ENOENT, {0}},
        {"{\"mediaId\":\"\"}", -ENOENT, {0}},
        {"{\"media\":\"1\"}", -EBADMSG, {0}},
        {"{\"rid\":\"a-rid-that-is-longer-than-any-may-be\"}", -EBADMSG, {0}},
        {"null", -EBADMSG, {0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct api_wish w = {0};
        char why[160] = "";
        int err = wish_read_layer(rows[i].json, strlen(rows[i].json), &session, &w, why);
        cr_expect_eq(err, rows[i].err, "%s: %d %s", rows[i].json, err, why);
        cr_expect_eq(memcmp(&w, &rows[i].want, sizeof(w)), 0, "%s", rows[i].json);
    }
    struct wish_session deaf = {.n_mids = 1, .mids = mids, .audio = 1};
    struct api_wish w;
    char why[160];
    cr_expect_eq(wish_read_layer("{}", 2, &deaf, &w, why), -ENOENT, "no video");
}
