/* SPDX-License-Identifier: Apache-2.0 */
/* header.h - the RTP fixed header (RFC 3550 5.1): read with every length checked, and write. Pure;
 * any thread. */
#ifndef RTP_HEADER_H
#define RTP_HEADER_H

#include "rtp/base.h"

#define RTP_HEADER_LEN 12
/* Largest RTP packet accepted or built, without the SRTP tag, in bytes. */
#define RTP_PACKET_MAX 1500

/*  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                           timestamp                           |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |           synchronization source (SSRC) identifier            |
 * +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+ */
struct rtp_header {
    uint8_t pt;           /* payload type, 0..127 */
    bool marker;          /* M bit */
    uint16_t seq16;       /* sequence number as on the wire */
    uint32_t ts;          /* media clock units */
    uint32_t ssrc;        /* host order */
    uint16_t ext_profile; /* "defined by profile" word, 0 when there is no extension */
    uint16_t ext_off;     /* offset of the first extension element, bytes from the packet's start */
    uint16_t ext_len;     /* bytes of extension elements, 0 when there is none */
    uint16_t payload_off; /* offset of the payload */
    uint16_t payload_len; /* bytes of payload, padding excluded; 0 for padding-only packets */
    uint8_t pad_len;      /* bytes of padding, the count byte included */
};

/* Reads and checks a whole packet, decrypted.
 * Returns 0; -EMSGSIZE if shorter than its header says or longer than RTP_PACKET_MAX; -EBADMSG if
 * the version is not 2 or the padding count is 0 or larger than what follows the header. RFC 3550
 * A.1. */
int rtp_header_read(const uint8_t *pkt, size_t len, struct rtp_header *ret_hdr) MUST_CHECK;

/* Writes the fixed 12 bytes: version 2, no CSRC; has_ext sets X, has_pad sets P. Only pt, marker,
 * seq16, ts and ssrc of hdr are used. out has room for RTP_HEADER_LEN bytes. */
void rtp_header_write(uint8_t *out, const struct rtp_header *hdr, bool has_ext, bool has_pad);

#endif
