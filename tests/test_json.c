/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/json.h"

static const struct {
    const char *text;
    int want;
} rows[] = {
    {"{}", 0},
    {" [ ] ", 0},
    {"null", 0},
    {"-0.5e+3", 0},
    {"\"\\u00e9\\ud83d\\ude00\\\"\\/\"", 0},
    {"{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}", 0},
    {"\"\xf0\x9f\x98\x80\xe2\x82\xac\xc3\xa9\"", 0},
    {"[[[[1]]]]", 0},
    {"[[[[[1]]]]]", -E2BIG},
    {"{\"a\":[[[[]]]]}", -E2BIG},
    {"", -EBADMSG},
    {" ", -EBADMSG},
    {"{} {}", -EBADMSG},
    {"{}\v", -EBADMSG},
    {"{\"a\" 1}", -EBADMSG},
    {"{\"a\":}", -EBADMSG},
    {"{a:1}", -EBADMSG},
    {"{\"a\":1,}", -EBADMSG},
    {"[1,]", -EBADMSG},
    {"[1 2]", -EBADMSG},
    {"[", -EBADMSG},
    {"]", -EBADMSG},
    {"{]", -EBADMSG},
    {"01", -EBADMSG},
    {"-", -EBADMSG},
    {"+1", -EBADMSG},
    {"1.", -EBADMSG},
    {".1", -EBADMSG},
    {"1e", -EBADMSG},
    {"1e+", -EBADMSG},
    {"0x10", -EBADMSG},
    {"1e400", -EBADMSG},
    {"[-1e400]", -EBADMSG},
    {"NaN", -EBADMSG},
    {"Infinity", -EBADMSG},
    {"tru", -EBADMSG},
    {"True", -EBADMSG},
    {"'a'", -EBADMSG},
    {"\"a", -EBADMSG},
    {"\"a\tb\"", -EBADMSG},
    {"\"\\x41\"", -EBADMSG},
    {"\"\\u12\"", -EBADMSG},
    {"\"\\u12g4\"", -EBADMSG},
    {"\"\\u0000\"", -EBADMSG},
    {"\"\\ud800\"", -EBADMSG},
    {"\"\\ud800\\u0041\"", -EBADMSG},
    {"\"\\udc00\"", -EBADMSG},
    {"\"\x80\"", -EBADMSG},
    {"\"\xc0\xaf\"", -EBADMSG},
    {"\"\xe0\x80\xaf\"", -EBADMSG},
    {"\"\xed\xa0\x80\"", -EBADMSG},
    {"\"\xf4\x90\x80\x80\"", -EBADMSG},
    {"\"\xf5\x80\x80\x80\"", -EBADMSG},
    {"\"\xc3\"", -EBADMSG},
    {"/**/1", -EBADMSG},
    {"\xef\xbb\xbf{}", -EBADMSG},
    {"{\"a\":1,\"a\":1}", -EEXIST},
    {"{\"a\":1,\"\\u0061\":1}", -EEXIST},
    {"[{\"x\":{\"a\":1,\"b\":2,\"a\":3}}]", -EEXIST},
};

Test(json, takes_what_rfc_8259_is_and_nothing_else)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *o = NULL;
        int r = json_parse(rows[i].text, strlen(rows[i].text), 4, &o);
        cr_expect_eq(r, rows[i].want, "%s: %d", rows[i].text, r);
        cr_expect_eq(o != NULL, r == 0, "written on success only");
        cJSON_Delete(o);
    }
    cJSON *o = NULL;
    cr_expect_eq(json_parse("{\"a\":1}\0", 8, 4, &o), -EBADMSG, "a NUL behind the end");
}

Test(json, reads_no_byte_beyond)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].text);
        for (size_t n = 0; n <= len; n++) {
            char *exact = malloc(n > 0 ? n : 1);
            cJSON *o = NULL;
            memcpy(exact, rows[i].text, n);
            if (json_parse(exact, n, 4, &o) == 0) {
                cJSON_Delete(o);
            }
            free(exact);
        }
    }
}

Test(json, bounds_members)
{
    char text[2048] = "{";
    cJSON *o = NULL;
    for (int i = 0; i < JSON_MEMBERS_MAX; i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof(text) - n, "%s\"m%d\":%d", i > 0 ? "," : "", i, i);
    }
    size_t n = strlen(text);
    snprintf(text + n, sizeof(text) - n, "}");
    cr_assert_eq(json_parse(text, n + 1, 4, &o), 0);
    cr_expect_eq(json_get(o, "m63")->valueint, 63);
    cr_expect_null(json_get(o, "M63"), "names are exact");
    cr_expect_null(json_get_text(o, "m63"), "no text");
    cJSON_Delete(o);
    snprintf(text + n, sizeof(text) - n, ",\"more\":1}");
    cr_expect_eq(json_parse(text, strlen(text), 4, &o), -E2BIG);
}
