/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/demux.h"
#include <criterion/criterion.h>

Test(demux, classifies_by_the_first_two_bytes)
{
    static const struct {
        int first_lo, first_hi, second_lo, second_hi;
        enum demux_kind kind;
    } rows[] = {
        {0, 3, 0, 255, DEMUX_STUN},      {4, 19, 0, 255, DEMUX_OTHER},   // ZRTP is 16..19
        {20, 63, 0, 255, DEMUX_DTLS},    {64, 127, 0, 255, DEMUX_OTHER}, // TURN channels, QUIC
        {128, 191, 0, 191, DEMUX_RTP},   {128, 191, 192, 223, DEMUX_RTCP},
        {128, 191, 224, 255, DEMUX_RTP}, {192, 255, 0, 255, DEMUX_OTHER},
    };
    unsigned seen = 0;
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        for (int a = rows[r].first_lo; a <= rows[r].first_hi; a++) {
            for (int b = rows[r].second_lo; b <= rows[r].second_hi; b++) {
                const uint8_t buf[2] = {(uint8_t)a, (uint8_t)b};
                cr_assert_eq(demux_classify(buf, 2), rows[r].kind, "%d %d", a, b);
                seen++;
            }
        }
    }
    cr_assert_eq(seen, 65536);
}

Test(demux, short_datagrams_are_nothing)
{
    const uint8_t buf[1] = {0x80};
    cr_assert_eq(demux_classify(buf, 1), DEMUX_OTHER);
    cr_assert_eq(demux_classify(buf, 0), DEMUX_OTHER);
}
