/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/lite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stun_kit.h"

#define USER "AbcdefghijkL:remo"
#define PWD  "0123456789abcdefghijklmn"

static const struct ice_creds creds = {"AbcdefghijkL", PWD, "remo", "remotepassword0123456789"};

static struct path make_path(const char *ip, uint16_t port)
{
    struct path p = {.transport = TRANSPORT_UDP, .ifindex = 2};

    cr_assert_eq(addr_parse_ip(ip, port, &p.remote), 0);
    cr_assert_eq(addr_parse_ip(addr_is_v4(&p.remote) ? "192.0.2.1" : "2001:db8::1", 0, &p.local),
                 0);
    return p;
}

/* Feeds a copy of its exact size, so that ASan sees a byte too far, and checks that it was left
 * alone. */
static struct lite_result feed(struct lite *l, int64_t now, const struct path *from,
                               const uint8_t *b, size_t len, uint8_t *reply)
{
    uint8_t *copy = malloc(len ? len : 1);
    struct lite_result r;

    memcpy(copy, b, len);
    r = lite_on_datagram(l, now, from, copy, len, reply);
    cr_assert_eq(memcmp(copy, b, len), 0, "input was modified");
    free(copy);
    return r;
}

static bool chosen_is(const struct lite *l, const struct path *p)
{
    return lite_chosen(l) && path_equal(lite_chosen(l), p);
}

Test(lite, answers_a_valid_check_of_either_family)
{
    static const char *const ips[] = {"198.51.100.7", "2001:db8::77"};

    for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
        struct lite l;
        struct kit_msg m;
        struct path from = make_path(ips[i], 50001);
        uint8_t reply[LITE_REPLY_MAX];
        size_t n = 0;

        lite_init(&l, &creds);
        cr_assert_null(lite_chosen(&l));
        kit_check(&m, USER, PWD, 0x6e7f1eff, false);
        struct lite_result r = feed(&l, 1000, &from, m.b, m.len, reply);
        cr_assert_eq(r.verdict, LITE_OK);
        cr_assert(r.moved);
        cr_assert(kit_answer_ok(reply, r.reply_len, KIT_SUCCESS, &m, PWD));
        cr_assert_leq(r.reply_len, 2 * m.len);
        const uint8_t *a = kit_find(reply, r.reply_len, KIT_XOR_MAPPED, &n);
        bool v4 = addr_is_v4(&from.remote);
        cr_assert_not_null(a);
        cr_assert_eq(n, v4 ? 8 : 20);
        cr_assert_eq(a[1], v4 ? 1 : 2);
        cr_assert_eq(kit_get16(a + 2) ^ 0x2112, 50001);
        for (size_t k = 0; k < n - 4; k++) { /* cookie, then transaction id */
            cr_assert_eq(a[4 + k] ^ reply[4 + k], from.remote.ip[(v4 ? 12 : 0) + k]);
        }
        cr_assert(chosen_is(&l, &from));
        lite_fini(&l);
    }
}

Test(lite, knows_the_request_of_rfc5769)
{
    static const uint8_t request[] = {
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
        0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e,
        0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24,
        0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1,
        0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68,
        0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c,
        0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5,
        0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf};
    static const struct ice_creds sample = {"evtj", "VOkJxbRl1RmTxUk/WvJxBt", "h6vY", ""};
    struct lite l;
    struct kit_msg m = {.len = sizeof(request)};
    struct path from = make_path("192.0.2.1", 32853);
    uint8_t reply[LITE_REPLY_MAX];

    from.local.ip[15] = 9;
    memcpy(m.b, request, sizeof(request));
    lite_init(&l, &sample);
    struct lite_result r = feed(&l, 1, &from, request, sizeof(request), reply);
    cr_assert_eq(r.verdict, LITE_REFUSED, "authentic, but its sender is controlled");
    cr_assert(kit_answer_ok(reply, r.reply_len, KIT_ERROR, &m, sample.local_pwd));
    cr_assert_eq(kit_error_code(reply, r.reply_len), 487);
    cr_assert_null(lite_chosen(&l));
    /* Every single bit counts but those of FINGERPRINT's type: with one of them turned it is some
     * other attribute behind the integrity, which is ignored. */
    for (size_t bit = 0; bit < 8 * sizeof(request); bit++) {
        if (bit / 16 == (sizeof(request) - 8) / 2) {
            continue;
        }
        m.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        r = feed(&l, 1, &from, m.b, m.len, reply);
        cr_assert(r.verdict != LITE_OK && r.verdict != LITE_REFUSED, "bit %zu", bit);
        cr_assert_eq(r.reply_len, 0);
        m.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* ---- rows of hostile and odd requests ---- */

struct odd {
    const char *what;
    void (*make)(struct kit_msg *m);
    enum lite_verdict verdict;
    unsigned code; /* of the error answer */
};

static void wrong_password(struct kit_msg *m)
{
    kit_check(m, USER, "0123456789abcdefghijklmN", 1, true);
}
static void remote_password(struct kit_msg *m)
{
    kit_check(m, USER, creds.remote_pwd, 1, true);
}
static void wrong_local_half(struct kit_msg *m)
{
    kit_check(m, "Abcdefghijkl:remo", PWD, 1, true);
}
static void wrong_remote_half(struct kit_msg *m)
{
    kit_check(m, "AbcdefghijkL:remO", PWD, 1, true);
}
static void longer_remote_half(struct kit_msg *m)
{
    kit_check(m, USER "x", PWD, 1, true);
}
static void only_local_half(struct kit_msg *m)
{
    kit_check(m, "AbcdefghijkL", PWD, 1, true);
}
static void reversed_halves(struct kit_msg *m)
{
    kit_check(m, "remo:AbcdefghijkL", PWD, 1, true);
}
static void empty_username(struct kit_msg *m)
{
    kit_check(m, "", PWD, 1, true);
}
static void huge_username(struct kit_msg *m)
{
    char user[601];
    memset(user, 'u', 600);
    user[600] = '\0';
    kit_check(m, user, PWD, 1, true);
}
static void no_username(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USE, NULL, 0);
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void no_integrity(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, KIT_USE, NULL, 0);
    kit_fingerprint(m);
}
static void bare_header(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
}
static void bad_fingerprint(struct kit_msg *m)
{
    kit_check(m, USER, PWD, 1, true);
    m->b[m->len - 1] ^= 1;
}
static void no_fingerprint(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, KIT_USE, NULL, 0);
    kit_integrity(m, PWD);
}
static void short_fingerprint(struct kit_msg *m)
{
    no_fingerprint(m);
    kit_attr(m, KIT_FINGERPRINT, "\1\2", 2);
}
static void attr_after_fingerprint(struct kit_msg *m)
{
    kit_check(m, USER, PWD, 1, true);
    kit_attr(m, KIT_SOFTWARE, "late", 4);
}
static void as_ffmpeg(struct kit_msg *m)
{
    no_fingerprint(m);
    kit_fingerprint(m);
}
static void short_integrity(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, KIT_INTEGRITY, "\1\2\3\4", 4);
}
static void long_integrity(struct kit_msg *m)
{
    uint8_t mac[24] = {0};
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_hmac(m->b, m->len, PWD, mac);
    kit_attr(m, KIT_INTEGRITY, mac, sizeof(mac));
}
static void nomination_after_integrity(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_integrity(m, PWD);
    kit_attr(m, KIT_USE, NULL, 0);
    kit_fingerprint(m);
}
static void username_after_integrity(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_integrity(m, PWD);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_fingerprint(m);
}
static void controlled_peer(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, KIT_CONTROLLED, "\377\377\377\377\377\377\377\377", 8);
    kit_attr(m, KIT_USE, NULL, 0);
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void short_controlled(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, KIT_CONTROLLED, "\1", 1);
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void unknown_required(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, 0x7777, "?", 1);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, KIT_USE, NULL, 0);
    kit_attr(m, 0x0003, "\0\0\0\0", 4); /* CHANGE-REQUEST of RFC 3489 */
    kit_attr(m, 0x7778, NULL, 0);
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void unknown_required_unauthenticated(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, 0x7777, "?", 1);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_integrity(m, "wrong");
    kit_fingerprint(m);
}
static void most_unknown(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    for (unsigned i = 0; i < LITE_ATTRS_MAX - 3; i++) {
        kit_attr(m, 0x7000 + i, NULL, 0);
    }
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void unknown_optional(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, 0xc057, "\0\1\0\2", 4); /* libwebrtc's network info */
    kit_attr(m, 0xc001, "\0\0\0\1", 4);
    kit_attr(m, KIT_SOFTWARE, "odd", 3);
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void too_many_attrs(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    for (int i = 0; i < LITE_ATTRS_MAX - 2; i++) {
        kit_attr(m, KIT_SOFTWARE, NULL, 0);
    }
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void indication(struct kit_msg *m)
{
    kit_begin(m, KIT_INDICATION);
}
static void signed_indication(struct kit_msg *m)
{
    kit_begin(m, KIT_INDICATION);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, KIT_USE, NULL, 0);
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void success_response(struct kit_msg *m)
{
    kit_begin(m, KIT_SUCCESS);
    kit_attr(m, KIT_XOR_MAPPED, "\0\1\1\2\3\4\5\6", 8);
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void allocate_request(struct kit_msg *m)
{
    kit_begin(m, 0x0003);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void no_cookie(struct kit_msg *m)
{
    kit_check(m, USER, PWD, 1, true);
    m->b[4] = 0;
}
static void trailing_bytes(struct kit_msg *m)
{
    kit_check(m, USER, PWD, 1, true);
    m->len += 4;
}
static void length_beyond(struct kit_msg *m)
{
    kit_check(m, USER, PWD, 1, true);
    kit_put16(m->b + 2, (unsigned)m->len);
}
static void attr_beyond(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_put16(m->b + 22, 0xffff);
}
static void odd_priority(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, KIT_PRIORITY, "\1\2", 2);
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}
static void fat_use_candidate(struct kit_msg *m)
{
    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, USER, strlen(USER));
    kit_attr(m, KIT_USE, "\1\2\3\4", 4);
    kit_integrity(m, PWD);
    kit_fingerprint(m);
}

#define ODD(f, v, c)                                                                               \
    {                                                                                              \
#f, f, v, c                                                                                \
    }

static const struct odd odds[] = {
    ODD(wrong_password, LITE_INTEGRITY, 0),
    ODD(remote_password, LITE_INTEGRITY, 0),
    ODD(wrong_local_half, LITE_INTEGRITY, 0),
    ODD(wrong_remote_half, LITE_INTEGRITY, 0),
    ODD(longer_remote_half, LITE_INTEGRITY, 0),
    ODD(only_local_half, LITE_INTEGRITY, 0),
    ODD(reversed_halves, LITE_INTEGRITY, 0),
    ODD(empty_username, LITE_INTEGRITY, 0),
    ODD(huge_username, LITE_INTEGRITY, 0),
    ODD(no_username, LITE_INTEGRITY, 0),
    ODD(no_integrity, LITE_INTEGRITY, 0),
    ODD(bare_header, LITE_INTEGRITY, 0),
    ODD(bad_fingerprint, LITE_MALFORMED, 0),
    ODD(no_fingerprint, LITE_OK, 0),
    ODD(short_fingerprint, LITE_MALFORMED, 0),
    ODD(attr_after_fingerprint, LITE_MALFORMED, 0),
    ODD(as_ffmpeg, LITE_OK, 0),
    ODD(short_integrity, LITE_MALFORMED, 0),
    ODD(long_integrity, LITE_MALFORMED, 0),
    ODD(nomination_after_integrity, LITE_OK, 0),
    ODD(username_after_integrity, LITE_INTEGRITY, 0),
    ODD(controlled_peer, LITE_REFUSED, 487),
    ODD(short_controlled, LITE_MALFORMED, 0),
    ODD(unknown_required, LITE_REFUSED, 420),
    ODD(unknown_required_unauthenticated, LITE_INTEGRITY, 0),
    ODD(most_unknown, LITE_REFUSED, 420),
    ODD(unknown_optional, LITE_OK, 0),
    ODD(too_many_attrs, LITE_MALFORMED, 0),
    ODD(indication, LITE_OTHER, 0),
    ODD(signed_indication, LITE_OTHER, 0),
    ODD(success_response, LITE_OTHER, 0),
    ODD(allocate_request, LITE_OTHER, 0),
    ODD(no_cookie, LITE_MALFORMED, 0),
    ODD(trailing_bytes, LITE_MALFORMED, 0),
    ODD(length_beyond, LITE_MALFORMED, 0),
    ODD(attr_beyond, LITE_MALFORMED, 0),
    ODD(odd_priority, LITE_MALFORMED, 0),
    ODD(fat_use_candidate, LITE_MALFORMED, 0),
};

Test(lite, sorts_odd_requests_and_changes_nothing_unless_valid)
{
    struct path from = make_path("198.51.100.7", 50001);
    uint8_t reply[LITE_REPLY_MAX];

    for (size_t i = 0; i < ARRAY_LEN(odds); i++) {
        struct lite l;
        struct lite before;
        struct kit_msg m;

        lite_init(&l, &creds);
        before = l;
        odds[i].make(&m);
        struct lite_result r = feed(&l, 1000, &from, m.b, m.len, reply);
        cr_expect_eq(r.verdict, odds[i].verdict, "%s: %d", odds[i].what, (int)r.verdict);
        if (odds[i].verdict == LITE_OK) {
            cr_expect(kit_answer_ok(reply, r.reply_len, KIT_SUCCESS, &m, PWD), "%s", odds[i].what);
            continue;
        }
        cr_expect_eq(memcmp(&l, &before, sizeof(l)), 0, "%s changed state", odds[i].what);
        cr_expect_not(r.moved);
        cr_expect_eq(r.reply_len > 0, odds[i].code != 0, "%s: %zu", odds[i].what, r.reply_len);
        if (odds[i].code != 0) {
            cr_expect(kit_answer_ok(reply, r.reply_len, KIT_ERROR, &m, PWD), "%s", odds[i].what);
            cr_expect_eq(kit_error_code(reply, r.reply_len), odds[i].code);
        }
    }
}

Test(lite, names_the_unknown_attributes)
{
    struct lite l;
    struct kit_msg m;
    struct path from = make_path("198.51.100.7", 50001);
    uint8_t reply[LITE_REPLY_MAX];
    size_t n = 0;

    lite_init(&l, &creds);
    unknown_required(&m);
    struct lite_result r = feed(&l, 1, &from, m.b, m.len, reply);
    const uint8_t *a = kit_find(reply, r.reply_len, KIT_UNKNOWN, &n);
    cr_assert_not_null(a);
    cr_assert_eq(n, 6);
    cr_assert_eq(kit_get16(a), 0x7777);
    cr_assert_eq(kit_get16(a + 2), 0x0003);
    cr_assert_eq(kit_get16(a + 4), 0x7778);
}

Test(lite, ignores_what_follows_the_integrity)
{
    struct lite l;
    struct kit_msg m;
    struct path from = make_path("198.51.100.7", 50001);
    uint8_t reply[LITE_REPLY_MAX];

    lite_init(&l, &creds);
    nomination_after_integrity(&m);
    (void)feed(&l, 1, &from, m.b, m.len, reply);
    cr_assert_eq(l.n_paths, 1);
    cr_assert_not(l.paths[0].nominated);
}

Test(lite, refuses_every_truncation_and_every_inverted_byte)
{
    struct lite l;
    struct lite before;
    struct kit_msg m;
    struct path from = make_path("198.51.100.7", 50001);
    uint8_t reply[LITE_REPLY_MAX];

    lite_init(&l, &creds);
    before = l;
    kit_check(&m, USER, PWD, 1, true);
    for (size_t n = 0; n < m.len; n++) {
        cr_assert_eq(feed(&l, 1, &from, m.b, n, reply).reply_len, 0, "cut at %zu", n);
        kit_put16(m.b + 2, (unsigned)(n - 20)); /* with a length that agrees */
        if (n != m.len - 8) {                   /* that is the same request without FINGERPRINT */
            cr_assert_eq(feed(&l, 1, &from, m.b, n, reply).reply_len, 0, "shortened to %zu", n);
        }
        kit_set_len(&m);
    }
    for (size_t i = 0; i < m.len; i++) {
        if (i / 2 == (m.len - 8) / 2) {
            continue; /* FINGERPRINT's type, as above */
        }
        m.b[i] = (uint8_t)~m.b[i];
        cr_assert_eq(feed(&l, 1, &from, m.b, m.len, reply).reply_len, 0, "byte %zu", i);
        m.b[i] = (uint8_t)~m.b[i];
    }
    cr_assert_eq(memcmp(&l, &before, sizeof(l)), 0);
    cr_assert_eq(feed(&l, 1, &from, m.b, m.len, reply).verdict, LITE_OK);
}

Test(lite, never_answers_an_impossible_source)
{
    static const struct {
        const char *ip;
        uint16_t port;
    } rows[] = {
        {"198.51.100.7", 0}, {"0.0.0.0", 9},   {"255.255.255.255", 9},
        {"224.0.0.1", 9},    {"239.1.2.3", 9}, {"ff02::1", 9},
        {"::", 9},           {"0.1.2.3", 9},   {"192.0.2.1", 8189}, /* ourselves */
    };
    struct kit_msg m;
    uint8_t reply[LITE_REPLY_MAX];

    kit_check(&m, USER, PWD, 1, true);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lite l;
        struct path from = make_path(rows[i].ip, rows[i].port);
        from.local.port = addr_is_v4(&from.remote) && rows[i].port == 8189 ? 8189 : 0;
        lite_init(&l, &creds);
        struct lite_result r = feed(&l, 1, &from, m.b, m.len, reply);
        cr_assert_eq(r.verdict, LITE_OTHER, "%s", rows[i].ip);
        cr_assert_eq(r.reply_len, 0);
        cr_assert_eq(l.n_paths, 0);
    }
}

/* ---- which path ---- */

struct step {
    int path;        /* whose check comes */
    uint32_t prio;   /* its PRIORITY */
    bool use;        /* USE-CANDIDATE */
    int64_t wait_us; /* time that passes before */
    int expect;      /* the chosen path after it */
};

static void walk(const char *what, const struct step *steps, size_t n)
{
    struct lite l;
    struct path paths[3] = {make_path("198.51.100.7", 1001), make_path("198.51.100.7", 1002),
                            make_path("2001:db8::7", 1003)};
    int64_t now = 1000;
    int last = -1;

    lite_init(&l, &creds);
    for (size_t i = 0; i < n; i++) {
        struct kit_msg m;
        uint8_t reply[LITE_REPLY_MAX];
        now += steps[i].wait_us;
        kit_check(&m, USER, PWD, steps[i].prio, steps[i].use);
        struct lite_result r = feed(&l, now, &paths[steps[i].path], m.b, m.len, reply);
        cr_assert_eq(r.verdict, LITE_OK);
        cr_assert(chosen_is(&l, &paths[steps[i].expect]), "%s, step %zu", what, i);
        cr_assert_eq(r.moved, steps[i].expect != last, "%s, step %zu", what, i);
        last = steps[i].expect;
    }
}
#define WALK(what, ...)                                                                            \
    walk(what, (const struct step[]){__VA_ARGS__}, ARRAY_LEN(((const struct step[]){__VA_ARGS__})))

Test(lite, chooses_the_path_to_send_on)
{
    WALK("latest validated before any nomination", {0, 9, false, 0, 0}, {1, 5, false, 1, 1},
         {0, 9, false, 1, 0});
    WALK("a nomination beats a validation", {0, 5, true, 0, 0}, {1, 9, false, 1, 0});
    WALK("a nomination of lower priority beats a validation", {0, 9, false, 0, 0},
         {1, 5, true, 1, 1});
    WALK("aggressive: the highest priority, whatever the order", {0, 5, true, 0, 0},
         {1, 9, true, 10, 1}, {2, 7, true, 10, 1}, {0, 5, true, 10, 1});
    WALK("rebinding: the latest among equals", {0, 5, true, 0, 0}, {1, 5, true, 10, 1});
    WALK("FFmpeg rebinding without PRIORITY", {0, 0, true, 0, 0}, {1, 0, true, 10, 1});
    WALK("a better pair nominated later", {0, 5, true, 0, 0}, {1, 6, true, 60 * US_PER_S, 1});
    WALK("a worse pair, once the better one is no longer nominated", {0, 9, true, 0, 0},
         {1, 5, true, US_PER_S, 0}, {0, 9, false, US_PER_S, 0}, {1, 5, true, LITE_RENOMINATE_US, 1},
         {0, 9, false, 1, 1}, {0, 9, true, 1, 0});
}

Test(lite, forgets_the_old_generation_when_the_new_one_nominates)
{
    static const struct ice_creds next = {"AnewnewnewnW", "nmlkjihgfedcba9876543210", "rem2", ""};
    struct lite l;
    struct kit_msg m;
    struct path a = make_path("198.51.100.7", 1001);
    struct path b = make_path("198.51.100.7", 1002);
    uint8_t reply[LITE_REPLY_MAX];

    lite_init(&l, &creds);
    kit_check(&m, USER, PWD, 9, true);
    (void)feed(&l, 1, &a, m.b, m.len, reply);
    lite_restart(&l, &next);
    cr_assert(lite_has_ufrag(&l, "AbcdefghijkL", 12));
    cr_assert(lite_has_ufrag(&l, "AnewnewnewnW", 12));
    cr_assert_not(lite_has_ufrag(&l, "AnewnewnewnW", 11));
    /* Both generations check; halves do not mix. */
    (void)feed(&l, 2, &a, m.b, m.len, reply);
    kit_check(&m, "AnewnewnewnW:rem2", next.local_pwd, 1, false);
    cr_assert_eq(feed(&l, 3, &b, m.b, m.len, reply).verdict, LITE_OK);
    cr_assert(chosen_is(&l, &a), "media does not stop");
    kit_check(&m, "AnewnewnewnW:remo", next.local_pwd, 1, true);
    cr_assert_eq(feed(&l, 4, &b, m.b, m.len, reply).verdict, LITE_INTEGRITY);
    kit_check(&m, "AnewnewnewnW:rem2", PWD, 1, true);
    cr_assert_eq(feed(&l, 4, &b, m.b, m.len, reply).verdict, LITE_INTEGRITY);
    /* A pair of lower priority, but of the new generation. */
    kit_check(&m, "AnewnewnewnW:rem2", next.local_pwd, 1, true);
    struct lite_result r = feed(&l, 5, &b, m.b, m.len, reply);
    cr_assert(r.moved);
    cr_assert(kit_answer_ok(reply, r.reply_len, KIT_SUCCESS, &m, next.local_pwd));
    cr_assert(chosen_is(&l, &b));
    cr_assert_not(lite_has_ufrag(&l, "AbcdefghijkL", 12));
    kit_check(&m, USER, PWD, 9, true);
    cr_assert_eq(feed(&l, 6, &a, m.b, m.len, reply).verdict, LITE_INTEGRITY);
    cr_assert(lite_has_path(&l, &a), "still received from");
    /* A restart during a restart: the oldest generation goes. */
    lite_restart(&l, &creds);
    lite_restart(&l, &(struct ice_creds){"third0000000", PWD, "remo", ""});
    cr_assert_not(lite_has_ufrag(&l, "AnewnewnewnW", 12));
    cr_assert(lite_has_ufrag(&l, "AbcdefghijkL", 12) && lite_has_ufrag(&l, "third0000000", 12));
}

Test(lite, remembers_a_bounded_number_of_addresses)
{
    struct lite l;
    struct kit_msg m;
    struct path first = make_path("198.51.100.7", 1);
    uint8_t reply[LITE_REPLY_MAX];

    lite_init(&l, &creds);
    kit_check(&m, USER, PWD, 9, true);
    (void)feed(&l, 1, &first, m.b, m.len, reply);
    kit_check(&m, USER, PWD, 1, false);
    for (uint16_t port = 2; port < 100; port++) {
        struct path p = make_path("198.51.100.7", port);
        (void)feed(&l, port, &p, m.b, m.len, reply);
        cr_assert(lite_has_path(&l, &p));
        cr_assert_leq(l.n_paths, LITE_PATHS_MAX);
    }
    cr_assert(chosen_is(&l, &first), "the chosen one is never displaced");
    struct path recent = make_path("198.51.100.7", 99 - (LITE_PATHS_MAX - 2));
    struct path gone = make_path("198.51.100.7", 99 - (LITE_PATHS_MAX - 1));
    cr_assert(lite_has_path(&l, &recent));
    cr_assert_not(lite_has_path(&l, &gone));
}

Test(lite, falls_back_when_a_connection_goes)
{
    struct lite l;
    struct kit_msg m;
    struct path udp = make_path("198.51.100.7", 1);
    struct path worse = make_path("198.51.100.7", 2);
    struct path tcp = make_path("198.51.100.7", 3);
    uint8_t reply[LITE_REPLY_MAX];

    tcp.transport = TRANSPORT_TCP;
    tcp.conn = 42;
    lite_init(&l, &creds);
    kit_check(&m, USER, PWD, 4, true);
    (void)feed(&l, 1, &worse, m.b, m.len, reply);
    kit_check(&m, USER, PWD, 5, true);
    (void)feed(&l, 1, &udp, m.b, m.len, reply);
    kit_check(&m, USER, PWD, 9, true);
    (void)feed(&l, 2, &tcp, m.b, m.len, reply);
    cr_assert(chosen_is(&l, &tcp));
    cr_assert_not(lite_drop_conn(&l, 41));
    cr_assert(lite_drop_conn(&l, 42));
    cr_assert(chosen_is(&l, &udp));
    cr_assert_eq(l.n_paths, 2);
    struct lite only;
    lite_init(&only, &creds);
    (void)feed(&only, 2, &tcp, m.b, m.len, reply);
    cr_assert(lite_drop_conn(&only, 42));
    cr_assert_null(lite_chosen(&only));
}
