/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/lite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/exact.h"
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
    uint8_t *copy = exact_copy(b, len);
    struct lite_result r = lite_on_datagram(l, now, from, copy, len, reply);

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

/* ---- hostile and odd requests ---- */

/* What a message is made of, in this order: attributes, and what is computed over those before. */
enum {
    SIGNED = 0x10000, /* MESSAGE-INTEGRITY with data as password */
    PRINTED,          /* FINGERPRINT */
};

struct item {
    unsigned type;
    const char *data;
    size_t len;
    unsigned times; /* more of the following types; 0 = only this one */
};

#define NAMED(user)                                                                                \
    {                                                                                              \
        KIT_USERNAME, user, sizeof(user) - 1                                                       \
    }
#define NAME NAMED(USER)
#define USE                                                                                        \
    {                                                                                              \
        KIT_USE                                                                                    \
    }
#define SIGN                                                                                       \
    {                                                                                              \
        SIGNED, PWD                                                                                \
    }
#define PRINT                                                                                      \
    {                                                                                              \
        PRINTED                                                                                    \
    }
#define ITEMS_MAX 7

struct odd {
    const char *what;
    struct item items[ITEMS_MAX + 1];
    enum lite_verdict verdict;
    unsigned code; /* of the error answer */
    unsigned type; /* 0: a binding request */
    void (*spoil)(struct kit_msg *m);
};

static void make_odd(struct kit_msg *m, const struct odd *o)
{
    kit_begin(m, o->type ? o->type : KIT_REQUEST);
    for (const struct item *i = o->items; i->type; i++) {
        if (i->type == SIGNED) {
            kit_integrity(m, i->data);
        } else if (i->type == PRINTED) {
            kit_fingerprint(m);
        } else {
            for (unsigned k = 0; k < MAX(i->times, 1); k++) {
                kit_attr(m, i->type + k, i->data, i->len);
            }
        }
    }
    if (o->spoil) {
        o->spoil(m);
    }
}

static void turn_last_bit(struct kit_msg *m)
{
    m->b[m->len - 1] ^= 1;
}
static void clear_cookie(struct kit_msg *m)
{
    m->b[4] = 0;
}
static void add_bytes(struct kit_msg *m)
{
    m->len += 4;
}
static void claim_more(struct kit_msg *m)
{
    kit_put16(m->b + 2, (unsigned)m->len);
}
static void claim_long_name(struct kit_msg *m)
{
    kit_put16(m->b + 22, 0xffff);
}
static void add_long_integrity(struct kit_msg *m)
{
    uint8_t mac[24] = {0};
    kit_hmac(m->b, m->len, PWD, mac);
    kit_attr(m, KIT_INTEGRITY, mac, sizeof(mac));
}

static const char huge[600] = "u";
static const struct odd unknown_required = {
    "unknown attributes that must be understood",
    {{0x7777, "?", 1},
     NAME,
     USE,
     {0x0003, "\0\0\0\0", 4}, /* CHANGE-REQUEST of RFC 3489 */
     {0x7778},
     SIGN,
     PRINT},
    LITE_REFUSED,
    420,
};

static const struct odd late_nomination = {
    "nomination behind the integrity", {NAME, SIGN, USE, PRINT}, LITE_OK};

static const struct odd odds[] = {
    {"wrong password", {NAME, USE, {SIGNED, "0123456789abcdefghijklmN"}, PRINT}, LITE_INTEGRITY},
    {"remote password", {NAME, USE, {SIGNED, "remotepassword0123456789"}, PRINT}, LITE_INTEGRITY},
    {"wrong local half", {NAMED("Abcdefghijkl:remo"), USE, SIGN, PRINT}, LITE_INTEGRITY},
    {"wrong remote half", {NAMED("AbcdefghijkL:remO"), USE, SIGN, PRINT}, LITE_INTEGRITY},
    {"longer remote half", {NAMED(USER "x"), USE, SIGN, PRINT}, LITE_INTEGRITY},
    {"only local half", {NAMED("AbcdefghijkL"), USE, SIGN, PRINT}, LITE_INTEGRITY},
    {"reversed halves", {NAMED("remo:AbcdefghijkL"), USE, SIGN, PRINT}, LITE_INTEGRITY},
    {"empty username", {NAMED(""), USE, SIGN, PRINT}, LITE_INTEGRITY},
    {"huge username", {{KIT_USERNAME, huge, sizeof(huge)}, USE, SIGN, PRINT}, LITE_INTEGRITY},
    {"no username", {USE, SIGN, PRINT}, LITE_INTEGRITY},
    {"no integrity", {NAME, USE, PRINT}, LITE_INTEGRITY},
    {"bare header", {{0}}, LITE_INTEGRITY},
    {"bad fingerprint", {NAME, USE, SIGN, PRINT}, LITE_MALFORMED, .spoil = turn_last_bit},
    {"no fingerprint", {NAME, USE, SIGN}, LITE_OK},
    {"short fingerprint", {NAME, USE, SIGN, {KIT_FINGERPRINT, "\1\2", 2}}, LITE_MALFORMED},
    {"attribute after fingerprint",
     {NAME, USE, SIGN, PRINT, {KIT_SOFTWARE, "late", 4}},
     LITE_MALFORMED},
    {"as FFmpeg", {NAME, USE, SIGN, PRINT}, LITE_OK},
    {"short integrity", {NAME, {KIT_INTEGRITY, "\1\2\3\4", 4}}, LITE_MALFORMED},
    {"long integrity", {NAME}, LITE_MALFORMED, .spoil = add_long_integrity},
    {"username after integrity", {SIGN, NAME, PRINT}, LITE_INTEGRITY},
    {"controlled peer",
     {NAME, {KIT_CONTROLLED, "\377\377\377\377\377\377\377\377", 8}, USE, SIGN, PRINT},
     LITE_REFUSED,
     487},
    {"short controlled", {NAME, {KIT_CONTROLLED, "\1", 1}, SIGN, PRINT}, LITE_MALFORMED},
    {"unknown attribute, not authentic",
     {{0x7777, "?", 1}, NAME, {SIGNED, "wrong"}, PRINT},
     LITE_INTEGRITY},
    {"as many unknown attributes as are read",
     {NAME, {0x7000, .times = LITE_ATTRS_MAX - 3}, SIGN, PRINT},
     LITE_REFUSED,
     420},
    {"unknown attributes that may be ignored",
     {NAME,
      {0xc057, "\0\1\0\2", 4}, /* libwebrtc's network info */
      {0xc001, "\0\0\0\1", 4},
      {KIT_SOFTWARE, "odd", 3},
      SIGN,
      PRINT},
     LITE_OK},
    {"too many attributes",
     {NAME, {0xc100, .times = LITE_ATTRS_MAX - 2}, SIGN, PRINT},
     LITE_MALFORMED},
    {"indication", {{0}}, LITE_OTHER, .type = KIT_INDICATION},
    {"signed indication", {NAME, USE, SIGN, PRINT}, LITE_OTHER, .type = KIT_INDICATION},
    {"success response",
     {{KIT_XOR_MAPPED, "\0\1\1\2\3\4\5\6", 8}, SIGN, PRINT},
     LITE_OTHER,
     .type = KIT_SUCCESS},
    {"allocate request", {NAME, SIGN, PRINT}, LITE_OTHER, .type = 0x0003},
    {"no cookie", {NAME, USE, SIGN, PRINT}, LITE_MALFORMED, .spoil = clear_cookie},
    {"trailing bytes", {NAME, USE, SIGN, PRINT}, LITE_MALFORMED, .spoil = add_bytes},
    {"length beyond the end", {NAME, USE, SIGN, PRINT}, LITE_MALFORMED, .spoil = claim_more},
    {"attribute beyond the end", {NAME}, LITE_MALFORMED, .spoil = claim_long_name},
    {"odd priority", {NAME, {KIT_PRIORITY, "\1\2", 2}, SIGN, PRINT}, LITE_MALFORMED},
    {"fat USE-CANDIDATE", {NAME, {KIT_USE, "\1\2\3\4", 4}, SIGN, PRINT}, LITE_MALFORMED},
};

static void check_odd(const struct odd *o)
{
    struct path from = make_path("198.51.100.7", 50001);
    uint8_t reply[LITE_REPLY_MAX];
    struct lite l;
    struct kit_msg m;

    lite_init(&l, &creds);
    struct lite before = l;
    make_odd(&m, o);
    struct lite_result r = feed(&l, 1000, &from, m.b, m.len, reply);
    cr_expect_eq(r.verdict, o->verdict, "%s: %d", o->what, (int)r.verdict);
    if (o->verdict == LITE_OK) {
        cr_expect(kit_answer_ok(reply, r.reply_len, KIT_SUCCESS, &m, PWD), "%s", o->what);
        return;
    }
    cr_expect_eq(memcmp(&l, &before, sizeof(l)), 0, "%s changed state", o->what);
    cr_expect_not(r.moved);
    cr_expect_eq(r.reply_len > 0, o->code != 0, "%s: %zu", o->what, r.reply_len);
    if (o->code != 0) {
        cr_expect(kit_answer_ok(reply, r.reply_len, KIT_ERROR, &m, PWD), "%s", o->what);
        cr_expect_eq(kit_error_code(reply, r.reply_len), o->code);
    }
}

Test(lite, sorts_odd_requests_and_changes_nothing_unless_valid)
{
    check_odd(&unknown_required);
    check_odd(&late_nomination);
    for (size_t i = 0; i < ARRAY_LEN(odds); i++) {
        check_odd(&odds[i]);
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
    make_odd(&m, &unknown_required);
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
    make_odd(&m, &late_nomination);
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
