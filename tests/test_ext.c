/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/ext.h"
#include "tests/exact.h"
#include <criterion/criterion.h>
#include <errno.h>

Test(ext, finds_each_uri_of_the_table)
{
    for (int k = 0; k < EXT_COUNT; k++) {
        const char *uri = ext_info((enum ext_kind)k)->uri;
        cr_assert_not_null(uri, "%d", k);
        size_t n = strlen(uri);
        cr_assert_eq(ext_find(uri, n), k, "%s", uri);
        cr_assert_eq(ext_find(uri, n - 1), -1, "%s cut", uri);
    }
    cr_assert_eq(ext_find("urn:ietf:params:rtp-hdrext:sdes:mid", 35), EXT_MID);
    cr_assert_eq(ext_find("http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", 58),
                 EXT_ABS_SEND_TIME);
    cr_assert_eq(ext_find("URN:IETF:PARAMS:RTP-HDREXT:SDES:MID", 35), -1);
    cr_assert_eq(ext_find("urn:ietf:params:rtp-hdrext:encrypt", 34), -1);
    cr_assert_eq(ext_find("", 0), -1);
}

Test(ext, hop_values_never_pass)
{
    static const struct {
        enum ext_kind kind;
        enum ext_policy policy;
        bool publish, play;
    } rows[] = {
        {EXT_MID, EXT_OURS, true, true},
        {EXT_RID, EXT_STRIP, true, false},
        {EXT_RRID, EXT_STRIP, true, false},
        {EXT_TWCC, EXT_OURS, true, true},
        {EXT_ABS_SEND_TIME, EXT_OURS, true, true},
        {EXT_AUDIO_LEVEL, EXT_FORWARD, true, true},
        {EXT_DD, EXT_FORWARD, true, true},
        {EXT_PLAYOUT_DELAY, EXT_FORWARD, true, true},
        {EXT_ABS_CAPTURE_TIME, EXT_FORWARD, true, true},
        {EXT_VIDEO_ORIENTATION, EXT_FORWARD, true, true},
        {EXT_TOFFSET, EXT_STRIP, false, false},
        {EXT_CONTENT_TYPE, EXT_FORWARD, true, true},
        {EXT_VIDEO_TIMING, EXT_STRIP, false, false},
        {EXT_COLOR_SPACE, EXT_FORWARD, true, true},
        {EXT_VLA, EXT_STRIP, true, false},
    };
    cr_assert_eq(ARRAY_LEN(rows), EXT_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct ext_info *info = ext_info(rows[i].kind);
        cr_assert_eq(info->policy, rows[i].policy, "%s", info->uri);
        cr_assert_eq(info->publish, rows[i].publish, "%s", info->uri);
        cr_assert_eq(info->play, rows[i].play, "%s", info->uri);
        cr_assert(info->audio || info->video, "%s", info->uri);
    }
}

static int read_block(uint16_t profile, const uint8_t *block, size_t len, const struct ext_map *map,
                      struct ext_set *set)
{
    struct rtp_header h = {.ext_profile = profile, .ext_off = 0, .ext_len = (uint16_t)len};
    return ext_read(&h, block, map, set);
}

static const struct ext_map map = {
    .id = {[EXT_MID] = 1, [EXT_TWCC] = 3, [EXT_ABS_SEND_TIME] = 14, [EXT_DD] = 15}};

Test(ext, reads_both_forms)
{
    static const struct {
        const char *what;
        uint16_t profile;
        const char *bytes;
        size_t len;
        int want;
        int mid, twcc, ast, dd; // lengths, -1: absent
    } rows[] = {
        {"one byte", 0xbede,
         "\x10"
         "a\x31\x01\x02\xe2xyz",
         9, 0, 1, 2, 3, -1},
        {"padding between", 0xbede,
         "\x00\x10"
         "a\x00\x00\x31\x01\x02",
         8, 0, 1, 2, -1, -1},
        {"16 bytes", 0xbede,
         "\x1f"
         "0123456789abcdef\x00\x00\x00",
         20, 0, 16, -1, -1, -1},
        {"unknown id skipped", 0xbede,
         "\x21xx\x10"
         "a",
         5, 0, 1, -1, -1, -1},
        {"id 15 stops", 0xbede,
         "\x10"
         "a\xf0x\x31\x01\x02\x00",
         8, 0, 1, -1, -1, -1},
        {"id 0 with a length stops", 0xbede,
         "\x10"
         "a\x01xx\x31\x01\x02",
         8, 0, 1, -1, -1, -1},
        {"first of two wins", 0xbede,
         "\x10"
         "a\x11"
         "bc",
         5, 0, 1, -1, -1, -1},
        {"runs past the end", 0xbede,
         "\x10"
         "a\x33\x01",
         4, -EBADMSG, 1, -1, -1, -1},
        {"two byte", 0x1000,
         "\x01\x01"
         "a\x03\x02\x01\x02\x0f\x03xyz",
         12, 0, 1, 2, -1, 3},
        {"appbits", 0x100f,
         "\x01\x01"
         "a\x00",
         4, 0, 1, -1, -1, -1},
        {"two byte, no value", 0x1000, "\x01\x00\x03\x01q\x00\x00\x00", 8, 0, 0, 1, -1, -1},
        {"two byte, head cut", 0x1000,
         "\x01\x01"
         "a\x03",
         4, -EBADMSG, 1, -1, -1, -1},
        {"two byte past the end", 0x1000,
         "\x01\x01"
         "a\x03\x02\x00",
         6, -EBADMSG, 1, -1, -1, -1},
        {"cryptex", 0xc0de,
         "\x10"
         "a\x00\x00",
         4, 0, -1, -1, -1, -1},
        {"no extension", 0, "", 0, 0, -1, -1, -1, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *block = exact_copy(rows[i].bytes, rows[i].len);
        struct ext_set set;
        const int want[] = {rows[i].mid, rows[i].twcc, rows[i].ast, rows[i].dd};
        const enum ext_kind kinds[] = {EXT_MID, EXT_TWCC, EXT_ABS_SEND_TIME, EXT_DD};
        cr_assert_eq(read_block(rows[i].profile, block, rows[i].len, &map, &set), rows[i].want,
                     "%s", rows[i].what);
        for (size_t k = 0; k < 4; k++) {
            cr_assert_eq(set.e[kinds[k]].data ? set.e[kinds[k]].len : -1, want[k], "%s, %zu",
                         rows[i].what, k);
        }
        free(block);
    }
    struct ext_set set;
    cr_assert_eq(read_block(0xbede,
                            (const uint8_t *)"\x10"
                                             "a\x31\x01\x02\x00",
                            6, &map, &set),
                 0);
    cr_assert_eq(set.e[EXT_MID].data[0], 'a');
    cr_assert_eq(set.e[EXT_TWCC].data[1], 2);
}

Test(ext, writes_the_shortest_form_that_is_allowed)
{
    static const uint8_t v[40] = "0123456789abcdefghijklmnopqrstuvwxyz";
    static const struct {
        const char *what;
        int mid_len, dd_len; // -1: absent
        uint8_t dd_id;
        bool mixed;
        size_t cap;
        int want;
        const char *bytes;
    } rows[] = {
        {"nothing", -1, -1, 2, true, 0, 0, ""},
        {"not negotiated", -1, 3, 0, true, 0, 0, ""},
        {"one", 1, -1, 2, false, 8, 8,
         "\xbe\xde\x00\x01\x10"
         "0\x00\x00"},
        {"two", 1, 4, 2, false, 12, 12,
         "\xbe\xde\x00\x02\x10"
         "0\x23"
         "0123\x00"},
        {"16 bytes", 16, -1, 2, false, 24, 24,
         "\xbe\xde\x00\x05\x1f"
         "0123456789abcdef\x00\x00\x00"},
        {"17 bytes, no mixed", 1, 17, 2, false, 64, 8,
         "\xbe\xde\x00\x01\x10"
         "0\x00\x00"},
        {"17 bytes, no mixed, nothing else", -1, 17, 2, false, 64, 0, ""},
        {"17 bytes, mixed", 1, 17, 2, true, 64, 28,
         "\x10\x00\x00\x06\x01\x01"
         "0\x02\x11"
         "0123456789abcdefg\x00\x00"},
        {"id 15, mixed", 1, 1, 15, true, 64, 12,
         "\x10\x00\x00\x02\x01\x01"
         "0\x0f\x01"
         "0\x00\x00"},
        {"id 15, no mixed", 1, 1, 15, false, 64, 8,
         "\xbe\xde\x00\x01\x10"
         "0\x00\x00"},
        {"empty value, mixed", 1, 0, 2, true, 64, 12,
         "\x10\x00\x00\x02\x01\x01"
         "0\x02\x00\x00\x00\x00"},
        {"empty value, no mixed", 1, 0, 2, false, 64, 8,
         "\xbe\xde\x00\x01\x10"
         "0\x00\x00"},
        {"no room", 1, -1, 2, false, 7, -ENOSPC, ""},
        {"no room for the second", 1, 4, 2, false, 11, -ENOSPC, ""},
        {"no room, two byte", 1, 17, 2, true, 27, -ENOSPC, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ext_map m = {.id = {[EXT_MID] = 1, [EXT_DD] = rows[i].dd_id},
                            .allow_mixed = rows[i].mixed};
        struct ext_set set = {0};
        if (rows[i].mid_len >= 0) {
            set.e[EXT_MID].data = v;
            set.e[EXT_MID].len = (uint8_t)rows[i].mid_len;
        }
        if (rows[i].dd_len >= 0) {
            set.e[EXT_DD].data = v;
            set.e[EXT_DD].len = (uint8_t)rows[i].dd_len;
        }
        uint8_t *out = exact_copy(v, rows[i].cap < sizeof(v) ? rows[i].cap : sizeof(v));
        size_t cap = rows[i].cap < sizeof(v) ? rows[i].cap : sizeof(v);
        int r = ext_write(&set, &m, out, cap);
        cr_assert_eq(r, rows[i].want, "%s: %d", rows[i].what, r);
        if (r > 0) {
            cr_assert_arr_eq(out, rows[i].bytes, (size_t)r, "%s", rows[i].what);
        }
        free(out);
    }
}

Test(ext, a_lone_number_is_written_as_any_other_set)
{
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t number[2] = {(uint8_t)(i * 131 >> 8), (uint8_t)(i * 131)}, want[16], got[16];
        struct ext_map ids = {.id[EXT_TWCC] = (uint8_t)(1 + i % EXT_SHORT_ID_MAX)};
        struct ext_set set = {.e[EXT_TWCC] = {.data = number, .len = sizeof(number)}};
        int n = ext_write(&set, &ids, want, sizeof(want));
        cr_assert_eq(ext_write_number(ids.id[EXT_TWCC], (uint16_t)(i * 131), got), n);
        cr_assert_arr_eq(got, want, (size_t)n);
    }
}

Test(ext, round_trip_of_random_sets)
{
    uint64_t seed = 20240229;
    uint8_t values[EXT_COUNT][255];
    for (int round = 0; round < 20000; round++) {
        struct ext_map m = {.allow_mixed = exact_random(&seed, 2)};
        struct ext_set set = {0};
        bool all_short = true;
        for (int k = 0; k < EXT_COUNT; k++) {
            m.id[k] = exact_random(&seed, 3) ? (uint8_t)(k + 1) : 0; // 15 only in the two-byte form
            if (exact_random(&seed, 2)) {
                uint32_t max = exact_random(&seed, 8) ? 17 : 40;
                set.e[k].len = (uint8_t)exact_random(&seed, max);
                for (unsigned i = 0; i < set.e[k].len; i++) {
                    values[k][i] = (uint8_t)exact_random(&seed, 256);
                }
                set.e[k].data = values[k];
            }
            bool there = m.id[k] && set.e[k].data;
            all_short &= !there || (m.id[k] < 15 && set.e[k].len >= 1 && set.e[k].len <= 16);
        }
        uint8_t out[1024];
        int r = ext_write(&set, &m, out, sizeof(out));
        cr_assert(r >= 0 && r % 4 == 0);
        if (r == 0) {
            continue;
        }
        uint16_t profile = (uint16_t)(out[0] << 8 | out[1]);
        cr_assert_eq(profile, all_short || !m.allow_mixed ? 0xbede : 0x1000);
        struct ext_set got;
        cr_assert_eq(read_block(profile, out + 4, (size_t)r - 4, &m, &got), 0);
        for (int k = 0; k < EXT_COUNT; k++) {
            bool fits =
                profile == 0x1000 || (m.id[k] < 15 && set.e[k].len >= 1 && set.e[k].len <= 16);
            bool want = m.id[k] && set.e[k].data && fits;
            cr_assert_eq(got.e[k].data != NULL, want, "round %d kind %d", round, k);
            if (want) {
                cr_assert_eq(got.e[k].len, set.e[k].len);
                cr_assert_arr_eq(got.e[k].data, set.e[k].data, set.e[k].len);
            }
        }
    }
}
