/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ice/assoc_filter.h"
#include "rtp/bytes.h"
#include "tests/exact.h"

#define LOCAL  5000
#define REMOTE 5001
#define NOW    (100 * (int64_t)US_PER_S)

struct packet {
    uint8_t bytes[ASSOC_FILTER_PACKET_MAX + 8];
    size_t len;
};

static void begin(struct packet *p, uint32_t tag)
{
    memset(p, 0, sizeof(*p));
    bytes_store16(p->bytes, REMOTE);
    bytes_store16(p->bytes + 2, LOCAL);
    bytes_store32(p->bytes + 4, tag);
    p->len = 12;
}

/* Appends a chunk with n bytes of value (NULL: zeros), padded. */
static void chunk(struct packet *p, uint8_t type, const void *value, size_t n)
{
    uint8_t *c = p->bytes + p->len;
    c[0] = type;
    bytes_store16(c + 2, (uint16_t)(4 + n));
    if (value && n) {
        memcpy(c + 4, value, n);
    }
    p->len += (4 + n + 3) & ~(size_t)3;
}

/* An INIT or INIT-ACK with one parameter (type 0: none). */
static void init(struct packet *p, uint8_t type, uint32_t tag, uint16_t param, size_t param_len)
{
    uint8_t v[1024] = {0};
    bytes_store32(v, tag);
    bytes_store32(v + 4, 131072);
    bytes_store16(v + 8, 1024);
    bytes_store16(v + 10, 1024);
    if (param) {
        bytes_store16(v + 16, param);
        bytes_store16(v + 18, (uint16_t)param_len);
    }
    begin(p, type == 1 ? 0 : 77);
    chunk(p, type, v, 16 + (param ? param_len : 0));
}

static enum assoc_filter_reason check(struct assoc_filter *f, const struct packet *p, int64_t now)
{
    uint8_t *copy = exact_copy(p->bytes, p->len);
    enum assoc_filter_reason r = assoc_filter_check(f, copy, p->len, now);
    free(copy);
    return r;
}

static enum assoc_filter_reason check_new(const struct packet *p)
{
    struct assoc_filter f;
    assoc_filter_init(&f, LOCAL, REMOTE, NOW);
    return check(&f, p, NOW);
}

Test(assoc_filter, chunks_of_a_data_channel_pass_and_no_others)
{
    static const struct {
        uint8_t type;
        size_t n;
    } rows[] = {
        {0, 13}, {0, 1100}, {3, 12},  {4, 4},  {5, 40}, {6, 0},   {6, 20},  {7, 4},
        {8, 0},  {9, 4},    {10, 96}, {11, 0}, {14, 0}, {192, 4}, {192, 8},
    };
    bool allowed[256] = {[1] = true, [2] = true, [130] = true}; /* these are tried below */
    struct packet p;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(&p, 77);
        chunk(&p, rows[i].type, NULL, rows[i].n);
        cr_expect_eq(check_new(&p), ASSOC_FILTER_OK, "type %u with %zu", rows[i].type, rows[i].n);
        allowed[rows[i].type] = true;
    }
    for (int type = 0; type < 256; type++) {
        begin(&p, 77);
        chunk(&p, (uint8_t)type, NULL, 64);
        if (!allowed[type]) {
            cr_expect_eq(check_new(&p), ASSOC_FILTER_CHUNK, "type %d", type);
        }
        begin(&p, 77);
        chunk(&p, 11, NULL, 0); /* and not behind an allowed one either */
        chunk(&p, (uint8_t)type, NULL, 64);
        if (!allowed[type]) {
            cr_expect_eq(check_new(&p), ASSOC_FILTER_CHUNK, "type %d", type);
        }
    }
}

Test(assoc_filter, lengths_must_add_up)
{
    static const struct {
        uint8_t type;
        size_t n;
    } rows[] = {
        {0, 12}, {3, 11}, {3, 16}, {4, 0},   {5, 3},   {7, 0},   {7, 8},  {8, 4},
        {10, 0}, {11, 4}, {14, 4}, {130, 0}, {192, 0}, {192, 5}, {1, 15}, {2, 15},
    };
    struct packet p;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(&p, rows[i].type == 1 ? 0 : 77);
        chunk(&p, rows[i].type, NULL, rows[i].n);
        cr_expect_eq(check_new(&p), ASSOC_FILTER_LENGTH, "type %u with %zu", rows[i].type,
                     rows[i].n);
    }
    begin(&p, 77);
    chunk(&p, 0, NULL, 30);
    chunk(&p, 3, NULL, 12);
    for (size_t len = 0; len < p.len; len++) {
        struct packet cut = p;
        cut.len = len;
        if (len != 12 + 36) {
            cr_expect_eq(check_new(&cut), ASSOC_FILTER_LENGTH, "cut to %zu", len);
        }
    }
    begin(&p, 77);
    p.len = ASSOC_FILTER_PACKET_MAX + 4;
    cr_expect_eq(check_new(&p), ASSOC_FILTER_LENGTH);
    for (uint16_t len = 0; len < 4; len++) { /* a chunk that would never end */
        begin(&p, 77);
        chunk(&p, 6, NULL, 4);
        bytes_store16(p.bytes + 14, len);
        cr_expect_eq(check_new(&p), ASSOC_FILTER_LENGTH);
    }
    begin(&p, 77); /* gap blocks beyond the chunk */
    chunk(&p, 3, "\0\0\0\0\0\0\0\0\xff\xff\xff\xff", 12);
    cr_expect_eq(check_new(&p), ASSOC_FILTER_LENGTH);
}

Test(assoc_filter, ports_and_tags_are_the_negotiated_ones)
{
    struct packet p;
    begin(&p, 77);
    chunk(&p, 11, NULL, 0);
    cr_expect_eq(check_new(&p), ASSOC_FILTER_OK);
    for (int at = 0; at < 4; at++) {
        struct packet q = p;
        q.bytes[at] ^= 1;
        cr_expect_eq(check_new(&q), ASSOC_FILTER_PORT);
    }
    bytes_store32(p.bytes + 4, 0);
    cr_expect_eq(check_new(&p), ASSOC_FILTER_TAG);
    init(&p, 1, 99, 0, 0);
    bytes_store32(p.bytes + 4, 77);
    cr_expect_eq(check_new(&p), ASSOC_FILTER_TAG);
    init(&p, 1, 0, 0, 0);
    cr_expect_eq(check_new(&p), ASSOC_FILTER_TAG);
}

Test(assoc_filter, an_init_comes_alone_without_addresses_and_not_too_often)
{
    static const uint16_t refused[] = {5, 6, 11, 0xc001, 0xc002, 0xc003, 0xc004, 0xc005, 0xc006};
    static const uint16_t fine[] = {7,      9,      12,     0x8000, 0x8001,
                                    0x8002, 0x8003, 0x8004, 0x8008, 0xc000};
    struct packet p;
    for (uint8_t type = 1; type <= 2; type++) {
        for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
            init(&p, type, 99, refused[i], 8);
            cr_expect_eq(check_new(&p), ASSOC_FILTER_PARAM, "parameter %x", refused[i]);
        }
        for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
            init(&p, type, 99, fine[i], 8);
            cr_expect_eq(check_new(&p), ASSOC_FILTER_OK, "parameter %x", fine[i]);
        }
        init(&p, type, 99, 0x8008, 3);
        cr_expect_eq(check_new(&p), ASSOC_FILTER_LENGTH);
        init(&p, type, 99, 0x8002, 600);
        cr_expect_eq(check_new(&p), ASSOC_FILTER_LENGTH);
        init(&p, type, 99, 7, 600); /* a cookie is as long as we made it */
        cr_expect_eq(check_new(&p), ASSOC_FILTER_OK);
        init(&p, type, 99, 0, 0);
        bytes_store16(p.bytes + 12 + 12, 0);
        cr_expect_eq(check_new(&p), ASSOC_FILTER_PARAM); /* no streams */
        init(&p, type, 99, 0, 0);
        chunk(&p, 11, NULL, 0);
        cr_expect_eq(check_new(&p), ASSOC_FILTER_CHUNK);
    }
    struct assoc_filter f;
    unsigned passed = 0;
    assoc_filter_init(&f, LOCAL, REMOTE, NOW);
    init(&p, 1, 99, 0, 0);
    for (int i = 0; i < 1000; i++) { /* a hundred a second for ten seconds */
        passed += check(&f, &p, NOW + i * 10 * US_PER_MS) == ASSOC_FILTER_OK;
    }
    cr_expect_eq(passed, ASSOC_FILTER_INITS + 9, "%u", passed);
    assoc_filter_set_up(&f);
    cr_expect_eq(check(&f, &p, NOW + 60 * (int64_t)US_PER_S), ASSOC_FILTER_INIT);
    init(&p, 2, 99, 7, 8);
    cr_expect_eq(check(&f, &p, NOW + 60 * (int64_t)US_PER_S), ASSOC_FILTER_INIT);
}

Test(assoc_filter, streams_are_reset_but_not_added)
{
    static const struct {
        uint16_t type, len;
        enum assoc_filter_reason want;
    } rows[] = {
        {13, 16, ASSOC_FILTER_OK},     {13, 18, ASSOC_FILTER_OK},   {13, 17, ASSOC_FILTER_LENGTH},
        {13, 14, ASSOC_FILTER_LENGTH}, {14, 8, ASSOC_FILTER_OK},    {14, 10, ASSOC_FILTER_OK},
        {14, 6, ASSOC_FILTER_LENGTH},  {16, 12, ASSOC_FILTER_OK},   {16, 20, ASSOC_FILTER_OK},
        {16, 16, ASSOC_FILTER_LENGTH}, {15, 8, ASSOC_FILTER_PARAM}, {17, 12, ASSOC_FILTER_PARAM},
        {18, 12, ASSOC_FILTER_PARAM},  {1, 8, ASSOC_FILTER_PARAM},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct packet p;
        uint8_t v[32] = {0};
        bytes_store16(v, rows[i].type);
        bytes_store16(v + 2, rows[i].len);
        begin(&p, 77);
        chunk(&p, 130, v, rows[i].len);
        cr_expect_eq(check_new(&p), rows[i].want, "type %u length %u", rows[i].type, rows[i].len);
    }
}
