/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/header.h"
#include "tests/exact.h"
#include <criterion/criterion.h>
#include <errno.h>

#define FIXED "\x12\x34\x01\x02\x03\x04\xde\xad\xbe\xef"

/* 2 CSRCs, extension of 2 words, 3 bytes of payload, 2 of padding */
static const char full[] = "\xb2\xe0" FIXED "CSR1CSR2\xbe\xde\x00\x02"
                           "EXTENSIO"
                           "pay\x00\x02";

Test(header, reads_every_field)
{
    struct rtp_header h;
    cr_assert_eq(rtp_header_read((const uint8_t *)full, sizeof(full) - 1, &h), 0);
    cr_assert_eq(h.pt, 0x60);
    cr_assert(h.marker);
    cr_assert_eq(h.seq16, 0x1234);
    cr_assert_eq(h.ts, 0x01020304);
    cr_assert_eq(h.ssrc, 0xdeadbeef);
    cr_assert_eq(h.ext_profile, 0xbede);
    cr_assert_eq(h.ext_off, 24);
    cr_assert_eq(h.ext_len, 8);
    cr_assert_eq(h.payload_off, 32);
    cr_assert_eq(h.payload_len, 3);
    cr_assert_eq(h.pad_len, 2);
}

Test(header, judges_packets)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
        int want;
        int payload_len, pad_len;
    } rows[] = {
        {"bare header", "\x80\x00" FIXED, 12, 0, 0, 0},
        {"one byte short", "\x80\x00" FIXED, 11, -EMSGSIZE, 0, 0},
        {"empty", "", 0, -EMSGSIZE, 0, 0},
        {"version 1", "\x40\x00" FIXED, 12, -EBADMSG, 0, 0},
        {"version 3", "\xc0\x00" FIXED, 12, -EBADMSG, 0, 0},
        {"CSRC cut", "\x81\x00" FIXED "CSR", 15, -EMSGSIZE, 0, 0},
        {"extension head cut", "\x90\x00" FIXED "\xbe\xde\x00", 15, -EMSGSIZE, 0, 0},
        {"extension past end",
         "\x90\x00" FIXED "\xbe\xde\x00\x01"
         "abc",
         19, -EMSGSIZE, 0, 0},
        {"extension huge",
         "\x90\x00" FIXED "\xbe\xde\xff\xff"
         "abcd",
         20, -EMSGSIZE, 0, 0},
        {"empty extension",
         "\x90\x00" FIXED "\xbe\xde\x00\x00"
         "x",
         17, 0, 1, 0},
        {"padding only", "\xa0\x00" FIXED "\x00\x00\x00\x04", 16, 0, 0, 4},
        {"padding 0", "\xa0\x00" FIXED "\x01\x00", 14, -EBADMSG, 0, 0},
        {"padding too long", "\xa0\x00" FIXED "\x01\x03", 14, -EBADMSG, 0, 0},
        {"padding bit without a byte", "\xa0\x00" FIXED, 12, -EBADMSG, 0, 0},
        {"payload then padding", "\xa0\x00" FIXED "ab\x01", 15, 0, 2, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *pkt = exact_copy(rows[i].bytes, rows[i].len);
        struct rtp_header h = {.payload_len = 7777};
        cr_assert_eq(rtp_header_read(pkt, rows[i].len, &h), rows[i].want, "%s", rows[i].what);
        if (rows[i].want == 0) {
            cr_assert_eq(h.payload_len, rows[i].payload_len, "%s", rows[i].what);
            cr_assert_eq(h.pad_len, rows[i].pad_len, "%s", rows[i].what);
        } else {
            cr_assert_eq(h.payload_len, 7777, "%s: written on failure", rows[i].what);
        }
        free(pkt);
    }
    uint8_t *big = calloc(1, RTP_PACKET_MAX + 1);
    big[0] = 0x80;
    struct rtp_header h;
    cr_assert_eq(rtp_header_read(big, RTP_PACKET_MAX, &h), 0);
    cr_assert_eq(rtp_header_read(big, RTP_PACKET_MAX + 1, &h), -EMSGSIZE);
    free(big);
}

Test(header, never_reads_past_a_prefix)
{
    for (size_t n = 0; n < sizeof(full) - 1; n++) {
        uint8_t *pkt = exact_copy(full, n);
        struct rtp_header h;
        int r = rtp_header_read(pkt, n, &h);
        if (n < 32) {
            cr_assert_eq(r, -EMSGSIZE, "%zu", n);
        } else {
            cr_assert_eq(r, -EBADMSG, "%zu: the last byte is no padding count", n);
        }
        free(pkt);
    }
}

Test(header, writes_what_it_reads)
{
    for (unsigned bits = 0; bits < 8; bits++) {
        struct rtp_header h = {
            .pt = 0x7f, .marker = bits & 1, .seq16 = 0xfffe, .ts = 0x80000001, .ssrc = 0xcafef00d};
        uint8_t pkt[20] = {[12] = 0x10, [15] = 0, [19] = 2};
        rtp_header_write(pkt, &h, bits & 2, bits & 4);
        struct rtp_header got;
        cr_assert_eq(rtp_header_read(pkt, sizeof(pkt), &got), 0);
        cr_assert_eq(got.pt, h.pt);
        cr_assert_eq(got.marker, h.marker);
        cr_assert_eq(got.seq16, h.seq16);
        cr_assert_eq(got.ts, h.ts);
        cr_assert_eq(got.ssrc, h.ssrc);
        cr_assert_eq(got.ext_off, bits & 2 ? 16 : 0);
        cr_assert_eq(got.pad_len, bits & 4 ? 2 : 0);
    }
}
