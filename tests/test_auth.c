/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "signaling/auth.h"

static struct conf *with_tokens(void)
{
    struct conf *c = calloc(1, sizeof(*c));
    c->auth.n_tokens = 4;
    c->auth.tokens[0] = (struct conf_token){
        .token = "studio-secret", .name = "studio", .pattern = "live/*", .publish = true};
    c->auth.tokens[1] = (struct conf_token){
        .token = "viewer-secret", .name = "viewers", .pattern = "live/*", .play = true};
    /* The same token a second time: another pattern. */
    c->auth.tokens[2] = (struct conf_token){.token = "studio-secret",
                                            .name = "studio",
                                            .pattern = "test/main",
                                            .publish = true,
                                            .play = true};
    /* A row that lost its token must not let empty ones in. */
    c->auth.tokens[3] = (struct conf_token){
        .token = "", .name = "nobody", .pattern = "*", .publish = true, .play = true};
    return c;
}

Test(auth, glob_is_anchored_and_star_takes_any_run)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool match;
    } rows[] = {
        {"live/main", "live/main", true},
        {"live/main", "live/main2", false},
        {"live/main", "xlive/main", false},
        {"live/*", "live/", true},
        {"live/*", "live/a/b", true},
        {"live/*", "live", false},
        {"*", "", true},
        {"*", "room/main", true},
        {"*/main", "room/main", true},
        {"*/main", "room/main/x", false},
        {"a*b*c", "aXXbYYc", true},
        {"a*b*c", "aXXcYYb", false},
        {"a*bc", "abcbc", true},
        {"", "", true},
        {"", "a", false},
        {"**", "x", true},
        {"live/?", "live/a", false},
        {"live/[a]", "live/a", false},
        {"a.c", "abc", false},
        {"*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(auth_glob(rows[i].pattern, rows[i].text), rows[i].match, "%s ~ %s",
                     rows[i].pattern, rows[i].text);
    }
}

Test(auth, judges_headers)
{
    static char huge[8192];
    memset(huge, 'a', sizeof(huge) - 1);
    memcpy(huge, "Bearer ", 7);
    static const struct {
        const char *header;
        enum auth_action action;
        const char *label;
        enum auth_result want;
    } rows[] = {
        {NULL, AUTH_PUBLISH, "live/main", AUTH_MISSING}, /* WHIP-20 */
        {"Bearer studio-secret", AUTH_PUBLISH, "live/main", AUTH_OK},
        {"bearer studio-secret", AUTH_PUBLISH, "live/main", AUTH_OK}, /* WHIP-22 */
        {"BEARER  studio-secret ", AUTH_PUBLISH, "live/main", AUTH_OK},
        {"Bearer\tstudio-secret", AUTH_PUBLISH, "live/main", AUTH_OK},
        {"Bearer studio-secret", AUTH_PLAY, "live/main", AUTH_FORBIDDEN}, /* WHIP-21 */
        {"Bearer studio-secret", AUTH_PLAY, "test/main", AUTH_OK},
        {"Bearer studio-secret", AUTH_PUBLISH, "test/other", AUTH_FORBIDDEN},
        {"Bearer viewer-secret", AUTH_PLAY, "live/main", AUTH_OK},
        {"Bearer viewer-secret", AUTH_PUBLISH, "live/main", AUTH_FORBIDDEN},
        {"Bearer viewer-secret", AUTH_ANY, "", AUTH_OK},
        {"Bearer studio-secre", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearer studio-secrett", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearer undefined", AUTH_PUBLISH, "live/main", AUTH_INVALID}, /* WHIP-22 */
        {"Bearer studio-secret x", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearerstudio-secret", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearer ", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Bearer", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"Basic c3R1ZGlvLXNlY3JldA==", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {"studio-secret", AUTH_PUBLISH, "live/main", AUTH_INVALID},
        {huge, AUTH_PUBLISH, "live/main", AUTH_INVALID},
    };
    struct conf *c = with_tokens();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char principal[AUTH_NAME_MAX] = "untouched";
        enum auth_result got =
            auth_check(c, rows[i].header, rows[i].action, rows[i].label, principal);
        cr_expect_eq(got, rows[i].want, "row %zu: %d", i, (int)got);
        cr_expect_eq(strcmp(principal, "untouched") == 0, got != AUTH_OK, "row %zu", i);
    }
    free(c);
}

Test(auth, names_the_principal_and_asks_nobody_without_tokens)
{
    struct conf *c = with_tokens();
    char principal[AUTH_NAME_MAX];
    cr_assert_eq(auth_check(c, "Bearer viewer-secret", AUTH_PLAY, "live/x", principal), AUTH_OK);
    cr_expect_str_eq(principal, "viewers");
    cr_expect(auth_required(c));
    c->auth.n_tokens = 0;
    cr_expect_not(auth_required(c));
    /* WHIP-22, 23: Eyevinn's client sends "Bearer undefined" where no token is asked. */
    const char *const headers[] = {NULL, "Bearer undefined", "Basic x"};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        cr_assert_eq(auth_check(c, headers[i], AUTH_PUBLISH, "a/b", principal), AUTH_OK);
        cr_expect_str_eq(principal, "");
    }
    free(c);
}
