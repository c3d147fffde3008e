/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/dtls_filter.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define NOW 5000000

/* ---- building datagrams ---- */

static size_t put_record(uint8_t *p, uint8_t type, unsigned version, unsigned epoch,
                         const uint8_t *body, size_t len)
{
    const uint8_t hdr[DTLS_RECORD_HDR] = {type,
                                          (uint8_t)(version >> 8),
                                          (uint8_t)version,
                                          (uint8_t)(epoch >> 8),
                                          (uint8_t)epoch,
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          7,
                                          (uint8_t)(len >> 8),
                                          (uint8_t)len};
    memcpy(p, hdr, sizeof(hdr));
    if (body) {
        memcpy(p + sizeof(hdr), body, len);
    } else {
        memset(p + sizeof(hdr), 0x5a, len);
    }
    return sizeof(hdr) + len;
}

static void put24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 16);
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)v;
}

struct msg {
    uint8_t type;
    unsigned seq;
    uint32_t length;
    uint32_t offset;
    uint32_t n;
};

static size_t put_message(uint8_t *p, struct msg m)
{
    p[0] = m.type;
    put24(p + 1, m.length);
    p[4] = (uint8_t)(m.seq >> 8);
    p[5] = (uint8_t)m.seq;
    put24(p + 6, m.offset);
    put24(p + 9, m.n);
    memset(p + 12, 0x33, m.n);
    return 12 + m.n;
}

static size_t put_handshake(uint8_t *p, struct msg m)
{
    uint8_t body[2048];
    size_t n = put_message(body, m);
    return put_record(p, 22, 0xfefd, 0, body, n);
}

static enum dtls_filter_reason check(struct dtls_filter *f, const uint8_t *buf, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, buf, len);
    enum dtls_filter_reason r = dtls_filter_check(f, NOW, copy, len);
    free(copy);
    return r;
}

/* ---- tests ---- */

/* One record a row. */
Test(dtls_filter, judges_records)
{
    static const struct {
        bool up;
        uint8_t type;
        unsigned version;
        unsigned epoch;
        uint8_t body[4];
        size_t len;
        enum dtls_filter_reason want;
    } rows[] = {
        {false, 19, 0xfefd, 0, {0}, 4, DTLS_FILTER_TYPE},
        {false, 24, 0xfefd, 0, {0}, 4, DTLS_FILTER_TYPE},    /* heartbeat */
        {false, 25, 0xfefd, 1, {0}, 40, DTLS_FILTER_TYPE},   /* connection id */
        {false, 0x2f, 0xfefd, 1, {0}, 40, DTLS_FILTER_TYPE}, /* DTLS 1.3 unified header */
        {false, 20, 0xfefd, 0, {1}, 1, DTLS_FILTER_OK},
        {false, 20, 0xfeff, 0, {1}, 1, DTLS_FILTER_OK},
        {false, 20, 0xfefc, 0, {1}, 1, DTLS_FILTER_VERSION},
        {false, 20, 0x0303, 0, {1}, 1, DTLS_FILTER_VERSION},
        {false, 20, 0xfefd, 0, {2}, 1, DTLS_FILTER_CCS},
        {false, 20, 0xfefd, 0, {1, 1}, 2, DTLS_FILTER_CCS},
        {false, 20, 0xfefd, 1, {0}, 40, DTLS_FILTER_CCS},
        {false, 20, 0xfefd, 2, {1}, 1, DTLS_FILTER_EPOCH},
        {false, 22, 0xfefd, 0xffff, {0}, 40, DTLS_FILTER_EPOCH},
        {false, 21, 0xfefd, 0, {2, 40}, 2, DTLS_FILTER_OK},
        {false, 21, 0xfefd, 0, {1, 0}, 2, DTLS_FILTER_ALERT},
        {false, 21, 0xfefd, 0, {2, 40, 0}, 3, DTLS_FILTER_ALERT},
        {true, 21, 0xfefd, 0, {2, 40}, 2, DTLS_FILTER_ALERT},
        {true, 21, 0xfefd, 1, {0}, 26, DTLS_FILTER_OK},
        {true, 21, 0xfefd, 1, {0}, 24, DTLS_FILTER_UNDERSIZED},
        {true, 21, 0xfeff, 1, {0}, 26, DTLS_FILTER_VERSION},
        {false, 22, 0xfefd, 1, {0}, 40, DTLS_FILTER_OK}, /* Finished */
        {false, 22, 0xfefd, 1, {0}, 16, DTLS_FILTER_UNDERSIZED},
        {false, 22, 0xfefd, 1, {0}, 17, DTLS_FILTER_OK}, /* the suite is not known yet */
        {false, 23, 0xfefd, 1, {0}, 40, DTLS_FILTER_EARLY_DATA},
        {false, 23, 0xfefd, 0, {0}, 40, DTLS_FILTER_EARLY_DATA},
        {true, 23, 0xfefd, 0, {0}, 40, DTLS_FILTER_EARLY_DATA},
        {true, 23, 0xfefd, 1, {0}, 40, DTLS_FILTER_OK},
        {true, 23, 0xfefd, 1, {0}, 24, DTLS_FILTER_UNDERSIZED}, /* GCM of nothing */
        {false, 22, 0xfefd, 0, {0}, 0, DTLS_FILTER_LENGTH},
        {true, 23, 0xfefd, 1, {0}, 0, DTLS_FILTER_LENGTH},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dtls_filter f;
        uint8_t buf[128];
        dtls_filter_init(&f, true);
        if (rows[i].up) {
            dtls_filter_set_up(&f, DTLS_SEALED_MIN_AES_GCM);
        }
        size_t n = put_record(buf, rows[i].type, rows[i].version, rows[i].epoch,
                              rows[i].len <= 4 ? rows[i].body : NULL, rows[i].len);
        enum dtls_filter_reason r = check(&f, buf, n);
        cr_assert_eq(r, rows[i].want, "row %zu: %s", i, dtls_filter_reason_name(r));
        cr_assert_eq(f.drops[r], r == DTLS_FILTER_OK ? 0 : 1);
    }
}

/* A row is one message of an otherwise fresh session. */
Test(dtls_filter, judges_handshake_messages)
{
    static const struct {
        bool server;
        struct msg m;
        enum dtls_filter_reason want;
    } rows[] = {
        {true, {1, 0, 200, 0, 200}, DTLS_FILTER_OK},
        {true, {1, 0, 1413, 0, 1100}, DTLS_FILTER_OK},
        {true, {1, 0, 1413, 1100, 313}, DTLS_FILTER_OK},
        {true, {1, 0, 1413, 1100, 314}, DTLS_FILTER_FRAGMENT},
        {true, {1, 0, 1413, 0xffffff, 1}, DTLS_FILTER_FRAGMENT},
        {true, {1, 0, 200, 0, 0}, DTLS_FILTER_FRAGMENT},
        {true, {1, 0, 8192, 0, 100}, DTLS_FILTER_OK},
        {true, {1, 0, 8193, 0, 100}, DTLS_FILTER_MESSAGE_LENGTH},
        {true, {11, 1, 16384, 0, 100}, DTLS_FILTER_OK},
        {true, {11, 1, 16385, 0, 100}, DTLS_FILTER_MESSAGE_LENGTH},
        {true, {11, 2, 50, 0, 50}, DTLS_FILTER_OK},
        {true, {11, 3, 50, 0, 50}, DTLS_FILTER_MESSAGE_SEQ}, /* a third one holds memory only */
        {true, {16, 2, 66, 0, 66}, DTLS_FILTER_OK},
        {true, {16, 2, 4096, 0, 66}, DTLS_FILTER_OK},
        {true, {16, 2, 4097, 0, 66}, DTLS_FILTER_MESSAGE_LENGTH},
        {true, {15, 3, 70, 0, 70}, DTLS_FILTER_OK},
        {true, {15, 4, 70, 0, 70}, DTLS_FILTER_OK},
        {true, {15, 5, 70, 0, 70}, DTLS_FILTER_MESSAGE_SEQ},
        {true, {15, 0xffff, 70, 0, 70}, DTLS_FILTER_MESSAGE_SEQ},
        {true, {2, 0, 70, 0, 70}, DTLS_FILTER_MESSAGE_TYPE},
        {true, {0, 0, 0, 0, 0}, DTLS_FILTER_MESSAGE_TYPE}, /* HelloRequest */
        {true, {14, 0, 0, 0, 0}, DTLS_FILTER_MESSAGE_TYPE},
        {true, {20, 0, 12, 0, 12}, DTLS_FILTER_MESSAGE_TYPE}, /* Finished, not sealed */
        {false, {1, 0, 200, 0, 200}, DTLS_FILTER_MESSAGE_TYPE},
        {false, {16, 0, 66, 0, 66}, DTLS_FILTER_MESSAGE_TYPE},
        {false, {2, 0, 70, 0, 70}, DTLS_FILTER_OK},
        {false, {3, 0, 23, 0, 23}, DTLS_FILTER_OK},
        {false, {4, 4, 200, 0, 200}, DTLS_FILTER_MESSAGE_TYPE}, /* ticket: we did not ask */
        {false, {11, 1, 500, 0, 500}, DTLS_FILTER_OK},
        {false, {14, 4, 0, 0, 0}, DTLS_FILTER_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dtls_filter f;
        uint8_t buf[2048];
        dtls_filter_init(&f, rows[i].server);
        enum dtls_filter_reason r = check(&f, buf, put_handshake(buf, rows[i].m));
        cr_assert_eq(r, rows[i].want, "row %zu: %s", i, dtls_filter_reason_name(r));
    }
}

/* message_seq may run ahead of what is complete, not of what was merely touched. */
Test(dtls_filter, message_seq_follows_completed_messages)
{
    struct dtls_filter f;
    uint8_t buf[2048];
    dtls_filter_init(&f, true);
    cr_assert_eq(check(&f, buf, put_handshake(buf, (struct msg){1, 0, 1413, 0, 1000})), 0);
    cr_assert_eq(f.next_message, 0);
    cr_assert_eq(check(&f, buf, put_handshake(buf, (struct msg){15, 5, 50, 0, 50})),
                 DTLS_FILTER_MESSAGE_SEQ);
    cr_assert_eq(check(&f, buf, put_handshake(buf, (struct msg){1, 0, 1413, 900, 513})), 0,
                 "fragments may overlap");
    cr_assert_eq(f.next_message, 1);
    cr_assert_eq(check(&f, buf, put_handshake(buf, (struct msg){1, 0, 1413, 0, 1000})), 0,
                 "retransmissions pass");
    cr_assert_eq(f.next_message, 1);
    cr_assert_eq(check(&f, buf, put_handshake(buf, (struct msg){15, 5, 50, 0, 50})), 0);
    cr_assert_eq(check(&f, buf, put_handshake(buf, (struct msg){15, 6, 50, 0, 50})),
                 DTLS_FILTER_MESSAGE_SEQ);
}

/* Key exchange, ChangeCipherSpec and Finished in one datagram, as clients send them; two messages
 * in one record, as BoringSSL does. */
static size_t last_flight(uint8_t *buf)
{
    uint8_t body[512];
    size_t n = put_message(body, (struct msg){16, 2, 66, 0, 66});
    n += put_message(body + n, (struct msg){15, 3, 70, 0, 70});
    size_t len = put_record(buf, 22, 0xfefd, 0, body, n);
    len += put_record(buf + len, 20, 0xfefd, 0, (const uint8_t[]){1}, 1);
    return len + put_record(buf + len, 22, 0xfefd, 1, NULL, 48);
}

Test(dtls_filter, takes_whole_flights_and_no_part_of_a_cut_one)
{
    uint8_t buf[2048];
    struct dtls_filter f;
    size_t len = last_flight(buf);
    size_t first = DTLS_RECORD_HDR + 2 * 12 + 66 + 70;
    for (size_t n = 0; n < len; n++) {
        dtls_filter_init(&f, true);
        enum dtls_filter_reason r = check(&f, buf, n);
        bool whole = n == first || n == first + DTLS_RECORD_HDR + 1;
        cr_assert_eq(r == DTLS_FILTER_OK, whole, "%zu bytes: %s", n, dtls_filter_reason_name(r));
    }
    dtls_filter_init(&f, true);
    cr_assert_eq(check(&f, buf, len), DTLS_FILTER_OK);
    dtls_filter_set_up(&f, DTLS_SEALED_MIN_AES_GCM);
    cr_assert_eq(check(&f, buf, len), DTLS_FILTER_OK, "a repeated flight asks for ours again");
    buf[len++] = 22;
    cr_assert_eq(check(&f, buf, len), DTLS_FILTER_LENGTH);

    uint8_t big[DTLS_DATAGRAM_MAX + 1];
    len = put_record(big, 22, 0xfefd, 1, NULL, sizeof(big) - DTLS_RECORD_HDR);
    cr_assert_eq(check(&f, big, len), DTLS_FILTER_DATAGRAM);
    cr_assert_eq(check(&f, big, 0), DTLS_FILTER_DATAGRAM);
}

Test(dtls_filter, refused_datagrams_leave_no_trace)
{
    struct dtls_filter f;
    uint8_t buf[2048];
    dtls_filter_init(&f, true);
    size_t len = put_handshake(buf, (struct msg){1, 0, 300, 0, 300});
    len += put_record(buf + len, 23, 0xfefd, 1, NULL, 40);
    cr_assert_eq(check(&f, buf, len), DTLS_FILTER_EARLY_DATA);
    cr_assert_eq(f.next_message, 0, "the ClientHello in front of it does not count");
    cr_assert_eq(f.covered, 0);
}

Test(dtls_filter, limits_records_per_second_but_not_data)
{
    struct dtls_filter f;
    uint8_t buf[256];
    dtls_filter_init(&f, true);
    size_t len = put_record(buf, 22, 0xfefd, 1, NULL, 40);
    int passed = 0;
    for (int i = 0; i < 1000; i++) {
        passed += dtls_filter_check(&f, NOW, buf, len) == DTLS_FILTER_OK;
    }
    cr_assert_eq(passed, DTLS_RECORDS_PER_S);
    cr_assert_eq(f.drops[DTLS_FILTER_RATE], 1000 - DTLS_RECORDS_PER_S);
    cr_assert_eq(dtls_filter_check(&f, NOW + 999999, buf, len), DTLS_FILTER_RATE);
    cr_assert_eq(dtls_filter_check(&f, NOW + 1000000, buf, len), DTLS_FILTER_OK);
    dtls_filter_set_up(&f, DTLS_SEALED_MIN_AES_GCM);
    len = put_record(buf, 23, 0xfefd, 1, NULL, 40);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(dtls_filter_check(&f, NOW + 1000000, buf, len), DTLS_FILTER_OK);
    }
}

Test(dtls_filter, reasons_have_names)
{
    for (int i = 0; i < DTLS_FILTER_COUNT; i++) {
        const char *name = dtls_filter_reason_name((enum dtls_filter_reason)i);
        cr_assert(name && name[0]);
        for (int j = 0; j < i; j++) {
            cr_assert_str_neq(name, dtls_filter_reason_name((enum dtls_filter_reason)j));
        }
    }
}
