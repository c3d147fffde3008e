/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_rtp.c - RTP header and extensions: read, write what was read for a viewer with other ids,
 * read that again and compare. The first byte chooses the viewer's ids. */
#include "rtp/ext.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static bool fits_one_byte(uint8_t id, uint8_t len)
{
    return id < 15 && len >= 1 && len <= 16;
}

static void rewrite(const struct rtp_header *hdr, const struct ext_set *set,
                    const struct ext_map *to)
{
    uint8_t pkt[RTP_PACKET_MAX];
    size_t room = sizeof(pkt) - RTP_HEADER_LEN;
    int n = ext_write(set, to, pkt + RTP_HEADER_LEN, room);
    /* A value list that does not fit the packet that it came from cannot be: ids may grow it,
     * though. */
    if (n < 0) {
        return;
    }
    check(n % 4 == 0);
    rtp_header_write(pkt, hdr, n > 0, false);
    struct rtp_header again;
    check(rtp_header_read(pkt, RTP_HEADER_LEN + (size_t)n, &again) == 0);
    check(again.pt == hdr->pt && again.marker == hdr->marker && again.seq16 == hdr->seq16);
    check(again.ts == hdr->ts && again.ssrc == hdr->ssrc && again.payload_len == 0);
    struct ext_set got;
    check(ext_read(&again, pkt, to, &got) == 0);
    bool two_byte = n > 0 && again.ext_profile == 0x1000;
    check(!two_byte || to->allow_mixed);
    for (int k = 0; k < EXT_COUNT; k++) {
        bool want =
            to->id[k] && set->e[k].data && (two_byte || fits_one_byte(to->id[k], set->e[k].len));
        check(want == (got.e[k].data != NULL));
        check(!want || (got.e[k].len == set->e[k].len &&
                        memcmp(got.e[k].data, set->e[k].data, set->e[k].len) == 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1) {
        return 0;
    }
    uint8_t choice = data[0];
    const uint8_t *pkt = data + 1;
    struct rtp_header hdr;
    if (rtp_header_read(pkt, len - 1, &hdr) < 0) {
        return 0;
    }
    check((size_t)hdr.payload_off + hdr.payload_len + hdr.pad_len == len - 1);
    check(hdr.ext_off + hdr.ext_len <= hdr.payload_off);
    struct ext_map from = {0};
    struct ext_map to = {.allow_mixed = choice & 1};
    for (int k = 0; k < EXT_COUNT; k++) {
        from.id[k] = (uint8_t)(k + 1);
        to.id[k] = (uint8_t)((k + (choice >> 1)) % (choice & 1 ? 255 : 15) + (choice > 2));
    }
    struct ext_set set;
    (void)ext_read(&hdr, pkt, &from, &set);
    for (int k = 0; k < EXT_COUNT; k++) {
        check(!set.e[k].data || (set.e[k].data >= pkt + hdr.ext_off &&
                                 set.e[k].data + set.e[k].len <= pkt + hdr.payload_off));
    }
    rewrite(&hdr, &set, &to);
    return 0;
}
