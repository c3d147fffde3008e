/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/owner.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stun_kit.h"

static struct addr peer(unsigned i)
{
    struct addr a = {.ip = {[10] = 0xff,
                            [11] = 0xff,
                            [12] = 198,
                            [13] = (uint8_t)(i >> 24),
                            [14] = (uint8_t)(i >> 16),
                            [15] = 7},
                     .port = (uint16_t)i};

    return a;
}

Test(owner, finds_what_was_put_and_forgets_what_was_removed)
{
    enum { N = 10000 };
    struct owner_table *t = owner_new(0x1122334455667788);

    cr_assert_not_null(t);
    for (unsigned i = 1; i <= N; i++) {
        struct addr a = peer(i);
        cr_assert_eq(owner_find(t, &a), OWNER_NONE);
        owner_put(t, &a, (int)(i % OWNER_WORKERS_MAX));
        cr_assert_eq(owner_find(t, &a), (int)(i % OWNER_WORKERS_MAX));
    }
    for (unsigned i = 1; i <= N; i++) {
        struct addr a = peer(i);
        cr_assert_eq(owner_find(t, &a), (int)(i % OWNER_WORKERS_MAX), "%u", i);
        owner_remove(t, &a, (int)((i + 1) % OWNER_WORKERS_MAX));
        cr_assert_eq(owner_find(t, &a), (int)(i % OWNER_WORKERS_MAX), "not its worker's to remove");
        owner_put(t, &a, 7); /* moved */
        cr_assert_eq(owner_find(t, &a), 7);
        owner_remove(t, &a, 7);
        cr_assert_eq(owner_find(t, &a), OWNER_NONE);
    }
    owner_free(t);
    owner_free(NULL);
}

Test(owner, lets_the_oldest_of_a_bucket_give_way)
{
    enum { N = 2000000, RECENT = 50000 };
    struct owner_table *t = owner_new(99);
    unsigned lost = 0;

    /* Far more than it holds, one of them put again and again. */
    struct addr busy = peer(1);
    owner_put(t, &busy, 5);
    for (unsigned i = 2; i < N; i++) {
        struct addr a = peer(i);
        owner_put(t, &a, 3);
        if (i % 20000 == 0) {
            owner_put(t, &busy, 5);
        }
    }
    cr_assert_eq(owner_find(t, &busy), 5);
    for (unsigned i = N - RECENT; i < N; i++) {
        struct addr a = peer(i);
        lost += owner_find(t, &a) != 3;
    }
    cr_assert_lt(lost, RECENT / 20, "%u of the latest %d lost", lost, (int)RECENT);
    owner_free(t);
}

Test(owner, makes_credentials_that_name_the_worker)
{
    struct ice_creds c = {.remote_ufrag = "keep"};
    struct ice_creds last = {0};
    unsigned seen[256] = {0};

    for (int round = 0; round < 200; round++) {
        for (int w = 0; w < OWNER_WORKERS_MAX; w++) {
            owner_make_creds(w, &c);
            cr_assert_eq(strlen(c.local_ufrag), ICE_OUR_UFRAG_LEN);
            cr_assert_eq(strlen(c.local_pwd), ICE_OUR_PWD_LEN);
            cr_assert_eq(owner_of_ufrag(c.local_ufrag, ICE_OUR_UFRAG_LEN), w);
            cr_assert_str_eq(c.remote_ufrag, "keep");
            cr_assert_neq(memcmp(&c.local_ufrag[1], &last.local_ufrag[1], 11), 0);
            cr_assert_neq(memcmp(c.local_pwd, last.local_pwd, 24), 0);
            for (const char *p = c.local_pwd; *p; p++) {
                seen[(uint8_t)*p]++;
            }
            last = c;
        }
    }
    unsigned distinct = 0;
    for (unsigned i = 0; i < 256; i++) { /* 307,200 characters: 4,800 of each, sigma 69 */
        distinct += seen[i] > 0;
        cr_assert(seen[i] == 0 || (seen[i] > 4300 && seen[i] < 5300), "%u: %u", i, seen[i]);
    }
    cr_assert_eq(distinct, 64);
}

Test(owner, refuses_ufrags_that_are_not_ours)
{
    static const char *const bad[] = {"",
                                      "A",
                                      "ABCDEFGHIJK",
                                      "ABCDEFGHIJKLM",
                                      "ABCDEFGHIJK-",
                                      "-BCDEFGHIJKL",
                                      "ABCDE GHIJKL",
                                      "ABCDEFGHIJK\xff"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(owner_of_ufrag(bad[i], strlen(bad[i])), OWNER_NONE, "%s", bad[i]);
    }
    cr_expect_eq(owner_of_ufrag("ABCDE\0FGHIJK", 12), OWNER_NONE);
    cr_expect_eq(owner_of_ufrag("ABCDEFGHIJKL", 12), 0);
    cr_expect_eq(owner_of_ufrag("/BCDEFGHIJKL", 12), 63);
}

static int peek(const struct kit_msg *m, char *ret)
{
    uint8_t *copy = malloc(m->len ? m->len : 1);
    const char *ufrag = NULL;
    size_t n = 0;

    memcpy(copy, m->b, m->len);
    int r = owner_peek_ufrag(copy, m->len, &ufrag, &n);
    if (r == 0) {
        memcpy(ret, ufrag, n);
        ret[n] = '\0';
    }
    free(copy);
    return r;
}

Test(owner, peeks_at_the_local_half_of_a_check)
{
    struct kit_msg m;
    char got[ICE_UFRAG_MAX + 1];

    kit_check(&m, "ABCDEFGHIJKL:remote", "password", 1, true);
    cr_assert_eq(peek(&m, got), 0);
    cr_assert_str_eq(got, "ABCDEFGHIJKL");
    /* Cut short it is no longer a message; the loop covers every prefix. */
    size_t whole = m.len;
    for (m.len = 0; m.len < whole; m.len++) {
        cr_assert_eq(peek(&m, got), -EBADMSG, "%zu", m.len);
    }
    for (size_t n = 20; n < whole; n += 4) { /* with a length that agrees */
        m.len = n;
        kit_set_len(&m);
        cr_assert(peek(&m, got) == (n >= 44 ? 0 : -EBADMSG), "%zu", n);
    }
    static const struct {
        unsigned type;
        const char *user;
        int expect;
    } rows[] = {
        {KIT_REQUEST, "a:b", 0},        {KIT_REQUEST, "ab", -EBADMSG},
        {KIT_REQUEST, ":b", -EBADMSG},  {KIT_REQUEST, "", -EBADMSG},
        {KIT_REQUEST, "a:", 0},         {KIT_INDICATION, "a:b", -EBADMSG},
        {KIT_SUCCESS, "a:b", -EBADMSG}, {0x0003, "a:b", -EBADMSG},
        {0x4001, "a:b", -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        kit_begin(&m, rows[i].type);
        kit_attr(&m, KIT_SOFTWARE, "x", 1);
        kit_attr(&m, KIT_USERNAME, rows[i].user, strlen(rows[i].user));
        cr_expect_eq(peek(&m, got), rows[i].expect, "row %zu", i);
    }
}

Test(owner, peeks_no_further_than_it_must)
{
    struct kit_msg m;
    char got[ICE_UFRAG_MAX + 1];
    char user[600];

    /* The longest local half, and one more. */
    memset(user, 'u', sizeof(user));
    user[256] = ':';
    kit_begin(&m, KIT_REQUEST);
    kit_attr(&m, KIT_USERNAME, user, 260);
    cr_assert_eq(peek(&m, got), 0);
    cr_assert_eq(strlen(got), 256);
    user[256] = 'u';
    user[257] = ':';
    kit_begin(&m, KIT_REQUEST);
    kit_attr(&m, KIT_USERNAME, user, 260);
    cr_assert_eq(peek(&m, got), -EBADMSG);
    /* Attribute 32 is the last one looked at. */
    for (int before = 31; before <= 32; before++) {
        kit_begin(&m, KIT_REQUEST);
        for (int i = 0; i < before; i++) {
            kit_attr(&m, KIT_SOFTWARE, NULL, 0);
        }
        kit_attr(&m, KIT_USERNAME, "a:b", 3);
        cr_assert_eq(peek(&m, got), before == 31 ? 0 : -EBADMSG);
    }
    /* Not behind the integrity, not beyond the end, not without the cookie. */
    kit_begin(&m, KIT_REQUEST);
    kit_integrity(&m, "x");
    kit_attr(&m, KIT_USERNAME, "a:b", 3);
    cr_assert_eq(peek(&m, got), -EBADMSG);
    kit_begin(&m, KIT_REQUEST);
    kit_attr(&m, KIT_USERNAME, "a:bc", 4);
    kit_put16(m.b + 22, 5);
    cr_assert_eq(peek(&m, got), -EBADMSG);
    kit_put16(m.b + 22, 4);
    cr_assert_eq(peek(&m, got), 0);
    m.b[7] ^= 1;
    cr_assert_eq(peek(&m, got), -EBADMSG);
}
