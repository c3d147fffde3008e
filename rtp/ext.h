/* SPDX-License-Identifier: Apache-2.0 */
/* ext.h - RTP header extensions (RFC 8285): the table of those Sluice knows, a reader and a writer.
 * Pure; any thread. Ids are per session, so every call takes the map that the session negotiated.
 */
#ifndef RTP_EXT_H
#define RTP_EXT_H

#include "rtp/base.h"
#include "rtp/header.h"

enum ext_kind {
    EXT_MID,  /* urn:ietf:params:rtp-hdrext:sdes:mid, RFC 9143 */
    EXT_RID,  /* urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id, RFC 8852 */
    EXT_RRID, /* urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id, RFC 8852 */
    EXT_TWCC, /* transport-wide sequence number, draft-holmer-rmcat-transport-wide-cc-extensions-01
               */
    EXT_ABS_SEND_TIME,     /* 24 bit, 6.18 fixed point seconds */
    EXT_AUDIO_LEVEL,       /* RFC 6464 */
    EXT_DD,                /* AV1 dependency descriptor */
    EXT_PLAYOUT_DELAY,     /* 2 x 12 bit, units of 10 ms */
    EXT_ABS_CAPTURE_TIME,  /* 8 or 16 bytes */
    EXT_VIDEO_ORIENTATION, /* urn:3gpp:video-orientation */
    EXT_TOFFSET,           /* RFC 5450 */
    EXT_CONTENT_TYPE,      /* video-content-type */
    EXT_VIDEO_TIMING,      /* video-timing */
    EXT_COLOR_SPACE,       /* color-space */
    EXT_VLA,               /* video-layers-allocation00 */
    EXT_COUNT
};

/* What Sluice does with an extension that a publisher sent, when a viewer negotiated it too. */
enum ext_policy {
    EXT_STRIP,   /* ends here: it describes the hop, or the publisher's layers */
    EXT_OURS,    /* ends here, and Sluice writes its own value for the viewer */
    EXT_FORWARD, /* value copied, id rewritten */
};

struct ext_info {
    const char *uri;
    enum ext_policy policy;
    bool audio;   /* may be negotiated in audio sections */
    bool video;   /* may be negotiated in video sections */
    bool publish; /* accepted from publishers (WHIP answers) */
    bool play;    /* accepted by viewers (WHEP answers) */
};

/* One row per kind. Never NULL for a valid kind. */
const struct ext_info *ext_info(enum ext_kind kind);

/* The kind whose URI is uri[0..len), or -1 if it is not in the table. Exact comparison (RFC 8285
 * 5). */
int ext_find(const char *uri, size_t len);

/* Negotiated ids: id[kind], 0 = not negotiated. Ids are 1..14 (one-byte form) or 1..255 (two-byte
 * form). */
struct ext_map {
    uint8_t id[EXT_COUNT];
    bool allow_mixed; /* a=extmap-allow-mixed was negotiated: two-byte headers may be written */
};

/* Where each known extension of one packet lies. Points into the packet. */
struct ext_set {
    struct {
        const uint8_t *data; /* NULL: absent */
        uint8_t len;         /* bytes; 0 is possible in the two-byte form */
    } e[EXT_COUNT];
};

/* Reads the extensions of a parsed packet, both RFC 8285 forms; id 0 is padding, one-byte id 15
 * (and one-byte id 0 with a length) stops the walk, appbits are ignored, unknown ids are skipped,
 * the first of two equal ids wins. Any other profile word reads as "no extensions" (RFC 9335's
 * too).
 * pkt  the packet that hdr was read from
 * Returns 0, or -EBADMSG if an element runs past the block (ret_set then holds those before it). */
int ext_read(const struct rtp_header *hdr, const uint8_t *pkt, const struct ext_map *map,
             struct ext_set *ret_set);

/* Writes an extension block (profile word, length word, elements, padding) for all entries of set
 * whose id in map is not 0. The one-byte form is used when every element fits it (id 1..14, 1..16
 * bytes); else the two-byte form if allow_mixed; else elements that do not fit are left out. set's
 * values must not lie in out.
 * out, cap  where to write, and the room there, in bytes
 * Returns the bytes written, a multiple of 4; 0 if there is nothing to write; -ENOSPC, and out is
 * then undefined. */
int ext_write(const struct ext_set *set, const struct ext_map *map, uint8_t *out, size_t cap);

#define EXT_SHORT_ID_MAX 14
/* Writes the block that holds nothing but a transport-wide number, as most packets of video do:
 * what ext_write would, in a tenth of the time. id: 1 to EXT_SHORT_ID_MAX. Returns its length, 8.
 */
int ext_write_number(uint8_t id, uint16_t number, uint8_t *out);

#endif
