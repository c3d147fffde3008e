/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/ext.h"
#include "rtp/bytes.h"
#include <errno.h>

#define PROFILE_ONE_BYTE 0xbede
#define PROFILE_TWO_BYTE 0x1000 /* low four bits are appbits */

#define GOOG "http://www.webrtc.org/experiments/rtp-hdrext/"
#define IETF "urn:ietf:params:rtp-hdrext:"

/* SDES items and timing say something about one hop only, so they never pass. The layer allocation
 * names layers that a viewer of one of them does not have. */
static const struct ext_info table[EXT_COUNT] = {
    [EXT_MID] = {IETF "sdes:mid", EXT_OURS, true, true, true, true},
    [EXT_RID] = {IETF "sdes:rtp-stream-id", EXT_STRIP, false, true, true, false},
    [EXT_RRID] = {IETF "sdes:repaired-rtp-stream-id", EXT_STRIP, false, true, true, false},
    [EXT_TWCC] = {"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
                  EXT_OURS, true, true, true, true},
    [EXT_ABS_SEND_TIME] = {GOOG "abs-send-time", EXT_OURS, true, true, true, true},
    [EXT_AUDIO_LEVEL] = {IETF "ssrc-audio-level", EXT_FORWARD, true, false, true, true},
    [EXT_DD] =
        {"https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
         EXT_FORWARD, false, true, true, true},
    [EXT_PLAYOUT_DELAY] = {GOOG "playout-delay", EXT_FORWARD, false, true, true, true},
    [EXT_ABS_CAPTURE_TIME] = {GOOG "abs-capture-time", EXT_FORWARD, true, true, true, true},
    [EXT_VIDEO_ORIENTATION] = {"urn:3gpp:video-orientation", EXT_FORWARD, false, true, true, true},
    [EXT_TOFFSET] = {IETF "toffset", EXT_STRIP, true, true, false, false},
    [EXT_CONTENT_TYPE] = {GOOG "video-content-type", EXT_FORWARD, false, true, true, true},
    [EXT_VIDEO_TIMING] = {GOOG "video-timing", EXT_STRIP, false, true, false, false},
    [EXT_COLOR_SPACE] = {GOOG "color-space", EXT_FORWARD, false, true, true, true},
    [EXT_VLA] = {GOOG "video-layers-allocation00", EXT_STRIP, false, true, true, false},
};

const struct ext_info *ext_info(enum ext_kind kind)
{
    assert((unsigned)kind < EXT_COUNT);
    return &table[kind];
}

int ext_find(const char *uri, size_t len)
{
    for (int k = 0; k < EXT_COUNT; k++) {
        if (strlen(table[k].uri) == len && memcmp(table[k].uri, uri, len) == 0) {
            return k;
        }
    }
    return -1;
}

static void note(const struct ext_map *map, struct ext_set *set, uint8_t id, const uint8_t *data,
                 uint8_t len)
{
    for (int k = 0; k < EXT_COUNT; k++) {
        if (map->id[k] == id) {
            if (!set->e[k].data) {
                set->e[k].data = data;
                set->e[k].len = len;
            }
            return;
        }
    }
}

static int read_one_byte(struct bytes_in *in, const struct ext_map *map, struct ext_set *set)
{
    while (bytes_in_left(in) > 0) {
        uint8_t head = bytes_in_u8(in);
        if (head == 0) {
            continue; // padding
        }
        uint8_t id = head >> 4;
        uint8_t len = (uint8_t)((head & 0x0f) + 1);
        /* 15 is reserved, and 0 with a length is no padding: both end the walk. */
        if (id == 15 || id == 0) {
            return 0;
        }
        const uint8_t *data = bytes_in_take(in, len);
        if (!data) {
            return -EBADMSG;
        }
        note(map, set, id, data, len);
    }
    return 0;
}

static int read_two_byte(struct bytes_in *in, const struct ext_map *map, struct ext_set *set)
{
    while (bytes_in_left(in) > 0) {
        uint8_t id = bytes_in_u8(in);
        if (id == 0) {
            continue; // padding
        }
        uint8_t len = bytes_in_u8(in);
        const uint8_t *data = bytes_in_take(in, len);
        if (in->failed) {
            return -EBADMSG;
        }
        note(map, set, id, data, len);
    }
    return 0;
}

int ext_read(const struct rtp_header *hdr, const uint8_t *pkt, const struct ext_map *map,
             struct ext_set *ret_set)
{
    memset(ret_set, 0, sizeof(*ret_set));
    struct bytes_in in = bytes_in_init(pkt + hdr->ext_off, hdr->ext_len);
    if (hdr->ext_profile == PROFILE_ONE_BYTE) {
        return read_one_byte(&in, map, ret_set);
    }
    if ((hdr->ext_profile & 0xfff0) == PROFILE_TWO_BYTE) {
        return read_two_byte(&in, map, ret_set);
    }
    return 0;
}

/* Copies a short value without a call: nearly all are 1 to 4 bytes. */
static inline void copy_short(uint8_t *dst, const uint8_t *src, unsigned len)
{
    if (len >= 8) {
        memcpy(dst, src, 8);
        memcpy(dst + len - 8, src + len - 8, 8);
    } else if (len >= 4) {
        memcpy(dst, src, 4);
        memcpy(dst + len - 4, src + len - 4, 4);
    } else {
        dst[0] = src[0];
        dst[len / 2] = src[len / 2];
        dst[len - 1] = src[len - 1];
    }
}

static inline bool fits_one_byte(uint8_t id, uint8_t len)
{
    return id <= EXT_SHORT_ID_MAX && (uint8_t)(len - 1) < 16;
}

/* Pads the elements that end at p to whole words and writes the block's head. */
static int finish(uint8_t *out, uint8_t *p, uint16_t profile)
{
    while ((p - out) & 3) {
        *p++ = 0;
    }
    bytes_store16(out, profile);
    bytes_store16(out + 2, (uint16_t)((p - out) / 4 - 1));
    return (int)(p - out);
}

static int write_two_byte(const struct ext_set *set, const struct ext_map *map, uint8_t *out,
                          size_t cap)
{
    size_t len = 4;
    for (int k = 0; k < EXT_COUNT; k++) {
        len += map->id[k] && set->e[k].data ? 2u + set->e[k].len : 0;
    }
    if ((len + 3) / 4 * 4 > cap) {
        return -ENOSPC;
    }
    uint8_t *p = out + 4;
    for (int k = 0; k < EXT_COUNT; k++) {
        if (map->id[k] && set->e[k].data) {
            *p++ = map->id[k];
            *p++ = set->e[k].len;
            memcpy(p, set->e[k].data, set->e[k].len);
            p += set->e[k].len;
        }
    }
    return finish(out, p, PROFILE_TWO_BYTE);
}

/* Kinds 0..7 and 8..EXT_COUNT - 1 that have an id, as words of their id bytes, kind 0 on top: a
 * viewer has few of the fifteen, and this runs for each of its packets. */
static_assert(EXT_COUNT > 8 && EXT_COUNT <= 16, "two words of ids");

static inline uint64_t ids_low(const struct ext_map *map)
{
    return bytes_load64(map->id);
}

static inline uint64_t ids_high(const struct ext_map *map)
{
    return bytes_load64(map->id + EXT_COUNT - 8) << (8 * (16 - EXT_COUNT));
}

/* Takes the first kind out of word, which is not 0. */
static inline unsigned first_kind(uint64_t *word)
{
    unsigned k = (unsigned)__builtin_clzll(*word) / 8;
    *word &= ~(0xff00000000000000u >> 8 * k);
    return k;
}

int ext_write(const struct ext_set *set, const struct ext_map *map, uint8_t *out, size_t cap)
{
    uint8_t *p = out + 4;
    size_t room = cap / 4 * 4; // padding comes out of it too
    uint64_t ids = ids_low(map);
    for (unsigned base = 0; base <= 8; base += 8, ids = ids_high(map)) {
        while (ids) {
            unsigned k = base + first_kind(&ids);
            uint8_t id = map->id[k];
            uint8_t n = set->e[k].len;
            if (!set->e[k].data) {
                continue;
            }
            if (!fits_one_byte(id, n)) {
                if (map->allow_mixed) {
                    return write_two_byte(set, map, out, cap);
                }
                continue; // the receiver knows only the short form
            }
            /* A later value may still force the long form, but that is never shorter. */
            if ((size_t)(p - out) + 1 + n > room) {
                return -ENOSPC;
            }
            *p++ = (uint8_t)(id << 4 | (n - 1));
            copy_short(p, set->e[k].data, n);
            p += n;
        }
    }
    return p == out + 4 ? 0 : finish(out, p, PROFILE_ONE_BYTE);
}

int ext_write_number(uint8_t id, uint16_t number, uint8_t *out)
{
    assert(id >= 1 && id <= EXT_SHORT_ID_MAX);
    bytes_store16(out, PROFILE_ONE_BYTE);
    bytes_store16(out + 2, 1);
    out[4] = (uint8_t)(id << 4 | 1);
    bytes_store16(out + 5, number);
    out[7] = 0;
    return 8;
}
