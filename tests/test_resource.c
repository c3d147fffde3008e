/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/resource.h"

static struct resource_table t;

static void setup(void)
{
    resource_table_init(&t);
}

static void teardown(void)
{
    resource_table_fini(&t);
}

TestSuite(resource, .init = setup, .fini = teardown);

Test(resource, lives_from_post_to_tombstone)
{
    struct resource *r = resource_add(&t, API_PUBLISH, 0);
    char token[RESOURCE_TOKEN_LEN + 1];
    uint64_t id = r->id;
    strcpy(token, r->token);
    cr_expect_eq(resource_live(&t), 1);
    cr_expect_eq(resource_oldest_half_open(&t), r);
    resource_set_up(&t, r, US_PER_S);
    resource_set_up(&t, r, 2 * US_PER_S);
    cr_expect_eq(r->up_us, US_PER_S);
    cr_expect_null(resource_oldest_half_open(&t));
    cr_expect_eq(t.n_half_open, 0);
    resource_set_ending(&t, r, API_END_CLIENT, 3 * US_PER_S);
    resource_set_ending(&t, r, API_END_KICKED, 4 * US_PER_S);
    cr_expect_eq(r->reason, API_END_CLIENT, "the first reason stays");
    cr_expect_eq(resource_live(&t), 0, "the quota is free before the plane says so");
    resource_set_up(&t, r, 5 * US_PER_S);
    cr_expect_eq(r->state, RESOURCE_ENDING, "nothing leads back");
    resource_set_gone(&t, r, 10 * US_PER_S);
    resource_set_gone(&t, r, 20 * US_PER_S);
    resource_sweep(&t, 39 * (int64_t)US_PER_S);
    cr_expect_eq(resource_find(&t, token), r, "WHIP-28: for 30 s");
    resource_sweep(&t, 40 * (int64_t)US_PER_S);
    cr_expect_null(resource_find(&t, token));
    cr_expect_null(resource_find_id(&t, id));
    for (int role = 0; role < 2; role++) {
        for (int state = 0; state <= RESOURCE_GONE; state++) {
            cr_expect_eq(t.n[role][state], 0, "role %d state %d", role, state);
        }
    }
}

Test(resource, every_way_out_gives_the_quota_back_once)
{
    for (int way = 0; way < 16; way++) {
        struct resource *r = resource_add(&t, way & 1 ? API_PLAY : API_PUBLISH, 0);
        if (way & 2) {
            resource_set_up(&t, r, 1);
        }
        if (way & 4) {
            resource_set_ending(&t, r, API_END_KICKED, 2);
        }
        if (way & 8) {
            resource_drop(&t, r);
        } else {
            resource_set_gone(&t, r, 3);
        }
        cr_assert_eq(resource_live(&t), 0, "way %d", way);
        cr_assert_eq(t.n_half_open, 0, "way %d", way);
    }
    resource_sweep(&t, 3 + RESOURCE_TOMBSTONE_US);
    cr_expect(list_empty(&t.tombs));
}

Test(resource, tombstones_are_bounded)
{
    for (int i = 0; i < RESOURCE_TOMBS_MAX + 100; i++) {
        resource_set_gone(&t, resource_add(&t, i & 1 ? API_PLAY : API_PUBLISH, 0), i);
    }
    resource_sweep(&t, RESOURCE_TOMBS_MAX + 100);
    unsigned n = t.n[API_PUBLISH][RESOURCE_GONE] + t.n[API_PLAY][RESOURCE_GONE];
    cr_expect_eq(n, RESOURCE_TOMBS_MAX, "%u", n);
    cr_expect_null(resource_find_id(&t, 100), "the oldest go");
    cr_expect_not_null(resource_find_id(&t, 101));
}

Test(resource, urls_and_tags_are_long_random_and_all_different)
{
    enum { N = 3000 };
    static char seen[N][RESOURCE_TOKEN_LEN + 1];
    unsigned ones = 0;
    for (int i = 0; i < N; i++) {
        struct resource *r = resource_add(&t, API_PLAY, i);
        cr_assert_eq(strlen(r->token), RESOURCE_TOKEN_LEN);
        cr_assert_eq(strspn(r->token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_"),
                     RESOURCE_TOKEN_LEN);
        cr_assert_eq(strlen(r->etag), RESOURCE_ETAG_LEN);
        strcpy(seen[i], r->token);
        ones += r->token[0] >= 'a' ? 1 : 0;
        cr_assert_eq(resource_find(&t, seen[i]), r);
    }
    qsort(seen, N, sizeof(seen[0]), (int (*)(const void *, const void *))strcmp);
    for (int i = 1; i < N; i++) {
        cr_assert_str_neq(seen[i - 1], seen[i]);
        cr_assert(strncmp(seen[i - 1], seen[i], 8) != 0, "no common prefix (WHIP-25)");
    }
    cr_expect(ones > N / 4 && ones < N / 2 + N / 8, "%u of %d", ones, N);
    /* A token with one character changed, cut or longer is nobody's. */
    char wrong[RESOURCE_TOKEN_LEN + 2];
    snprintf(wrong, sizeof(wrong), "%s", seen[0]);
    wrong[31] = wrong[31] == 'x' ? 'y' : 'x';
    cr_expect_null(resource_find(&t, wrong));
    wrong[31] = '\0';
    cr_expect_null(resource_find(&t, wrong));
    snprintf(wrong, sizeof(wrong), "%sx", seen[0]);
    cr_expect_null(resource_find(&t, wrong));
    cr_expect_null(resource_find(&t, ""));
}

Test(resource, half_open_ones_queue_by_age)
{
    struct resource *a = resource_add(&t, API_PLAY, 1);
    struct resource *b = resource_add(&t, API_PLAY, 2);
    struct resource *c = resource_add(&t, API_PLAY, 3);
    cr_expect_eq(t.n_half_open, 3);
    resource_set_up(&t, a, 4);
    cr_expect_eq(resource_oldest_half_open(&t), b);
    resource_set_ending(&t, b, API_END_HALF_OPEN, 5);
    cr_expect_eq(resource_oldest_half_open(&t), c);
    cr_expect_eq(t.n_half_open, 1);
}

Test(resource, remembers_mids_of_accepted_and_rejected_sections)
{
    struct resource *r = resource_add(&t, API_PLAY, 0);
    cr_assert_eq(resource_set_mids(r, "v=0\r\na=group:BUNDLE audio v\r\nm=audio 9 x 1\r\n"
                                      "a=mid:audio\r\nm=video 9 x 2\r\na=mid:v\r\n"
                                      "m=application 0 x y\r\na=mid:data\r\n"),
                 0);
    cr_expect_eq(r->n_mids, 3);
    static const struct {
        const char *mid;
        bool known;
    } rows[] = {{"audio", true}, {"v", true},  {"data", true}, {"0", true},   {"2", true},
                {"3", false},    {"x", false}, {"", false},    {"aud", false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(resource_has_mid(r, rows[i].mid), rows[i].known, "%s", rows[i].mid);
    }
}

Test(resource, restarts_change_tag_and_remember_generations)
{
    struct resource *r = resource_add(&t, API_PLAY, 0);
    strcpy(r->creds.remote_ufrag, "g0");
    for (int g = 1; g <= 20; g++) {
        char tag[RESOURCE_ETAG_LEN + 1];
        strcpy(tag, r->etag);
        struct ice_creds c = {0};
        snprintf(c.remote_ufrag, sizeof(c.remote_ufrag), "g%d", g);
        cr_assert_not(resource_is_old_ufrag(r, c.remote_ufrag));
        resource_restart(r, &c);
        cr_assert_str_neq(tag, r->etag);
        cr_assert_str_eq(r->creds.remote_ufrag, c.remote_ufrag);
        for (int old = g > RESOURCE_OLD_UFRAGS ? g - RESOURCE_OLD_UFRAGS : 0; old < g; old++) {
            char ufrag[8];
            snprintf(ufrag, sizeof(ufrag), "g%d", old);
            cr_assert(resource_is_old_ufrag(r, ufrag), "%s at %d", ufrag, g);
        }
        cr_assert_not(resource_is_old_ufrag(r, c.remote_ufrag));
    }
}
