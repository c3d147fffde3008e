/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "ice/dcep.h"
#include "tests/exact.h"

static int read_copy(const uint8_t *msg, size_t len, struct dcep_open *o)
{
    uint8_t *copy = exact_copy(msg, len);
    int r = dcep_read(copy, len, o);
    free(copy);
    return r;
}

Test(dcep, open_and_ack_come_back_as_they_were_written)
{
    static const struct dcep_open rows[] = {
        {.priority = 256, .label = "chat", .label_len = 4, .protocol = "", .protocol_len = 0},
        {.priority = 0, .label = "", .protocol = "json", .protocol_len = 4},
        {.priority = 1024,
         .reliability = {.kind = DCEP_REXMIT, .unordered = true, .param = 0},
         .label = "a",
         .label_len = 1,
         .protocol = "b",
         .protocol_len = 1},
        {.priority = 65535,
         .reliability = {.kind = DCEP_TIMED, .param = 0xfffffffe},
         .label = "\xc3\xa4\0b",
         .label_len = 4,
         .protocol = "",
         .protocol_len = 0},
        {.reliability = {.unordered = true}, .label = "", .protocol = ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t out[DCEP_OPEN_MAX];
        struct dcep_open o;
        int n = dcep_write_open(&rows[i], out, sizeof(out));
        cr_assert_eq(n, 12 + rows[i].label_len + rows[i].protocol_len, "row %zu", i);
        cr_assert_eq(dcep_read(out, (size_t)n, &o), DCEP_OPEN, "row %zu", i);
        cr_expect_eq(o.priority, rows[i].priority);
        cr_expect_eq(o.reliability.kind, rows[i].reliability.kind);
        cr_expect_eq(o.reliability.unordered, rows[i].reliability.unordered);
        cr_expect_eq(o.reliability.param, rows[i].reliability.param);
        cr_expect_eq(o.label_len, rows[i].label_len);
        cr_expect_arr_eq(o.label, rows[i].label, o.label_len);
        cr_expect_arr_eq(o.protocol, rows[i].protocol, o.protocol_len);
        for (int len = 0; len < n; len++) {
            cr_expect_eq(read_copy(out, (size_t)len, &o), -EBADMSG, "row %zu cut to %d", i, len);
            cr_expect_eq(dcep_write_open(&rows[i], out, (size_t)len), -ENOSPC);
        }
    }
    uint8_t ack[DCEP_ACK_LEN];
    struct dcep_open none;
    dcep_write_ack(ack);
    cr_expect_eq(dcep_read(ack, sizeof(ack), &none), DCEP_ACK);
}

Test(dcep, what_is_no_message_is_refused_with_a_reason)
{
    static const struct {
        const char *bytes;
        size_t len;
        int err;
    } rows[] = {
        {"", 0, -EBADMSG},
        {"\x02\x00", 2, -EBADMSG}, /* ACK with a tail */
        {"\x00", 1, -EPROTONOSUPPORT},
        {"\x01", 1, -EPROTONOSUPPORT},
        {"\xff\0\0\0", 4, -EPROTONOSUPPORT},
        {"\x03\x03\0\0\0\0\0\0\0\0\0\0", 12, -EPROTONOSUPPORT}, /* channel types */
        {"\x03\x7f\0\0\0\0\0\0\0\0\0\0", 12, -EPROTONOSUPPORT},
        {"\x03\x83\0\0\0\0\0\0\0\0\0\0", 12, -EPROTONOSUPPORT},
        {"\x03\0\0\0\0\0\0\0\0\x01\0\0", 12, -EBADMSG}, /* label beyond */
        {"\x03\0\0\0\0\0\0\0\xff\xff\xff\xff", 12, -EBADMSG},
        {"\x03\0\0\0\0\0\0\0\0\0\0\0x", 13, -EBADMSG}, /* a byte too many */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dcep_open o = {.priority = 7};
        cr_expect_eq(read_copy((const uint8_t *)rows[i].bytes, rows[i].len, &o), rows[i].err,
                     "row %zu", i);
        cr_expect_eq(o.priority, 7, "row %zu: written on failure", i);
    }
    uint8_t big[12 + 65535] = {DCEP_OPEN};
    struct dcep_open o;
    big[8] = big[9] = 0xff; /* a label of 65,535 bytes: DC-10 */
    cr_expect_eq(dcep_read(big, sizeof(big), &o), -E2BIG);
    big[8] = 1;
    big[9] = 0;
    cr_expect_eq(dcep_read(big, 12 + 256, &o), DCEP_OPEN);
    big[9] = 1;
    cr_expect_eq(dcep_read(big, 12 + 257, &o), -E2BIG);
    const struct dcep_open too_long = {
        .label = (const char *)big, .label_len = 257, .protocol = ""};
    cr_expect_eq(dcep_write_open(&too_long, big, sizeof(big)), -E2BIG);
}

Test(dcep, user_messages_are_told_by_their_identifier)
{
    static const uint32_t user[] = {51, 53, 56, 57};
    for (uint32_t ppid = 0; ppid < 100; ppid++) {
        bool want = false;
        for (size_t i = 0; i < ARRAY_LEN(user); i++) {
            want |= user[i] == ppid;
        }
        cr_expect_eq(dcep_is_user(ppid), want, "%u", ppid);
    }
}
