/* SPDX-License-Identifier: Apache-2.0 */
/* stream_check.h - the independent checker: watches what leaves the router for one viewer, before
 * any network, and holds it against what a receiver may rely on. Every stream: no sequence number
 * twice, timestamps that do not go back in order of the numbers, frames whole and in one piece,
 * markers exactly at the ends of pictures, VP8 picture ids that follow each other and TL0PICIDX
 * that counts base frames, frame numbers of the Dependency Descriptor that lead to the right
 * frames, its decode targets those that are sent, and every reference sent before. Retransmissions
 * repeat what was sent. A number is left out only for a packet that has not come from upstream in
 * time; a frame that a key frame of another source cuts short leaves none out. */
#ifndef TESTS_SIM_STREAM_CHECK_H
#define TESTS_SIM_STREAM_CHECK_H

#include "tests/sim/rx_parse.h"

#define CHECK_WINDOW  2048
#define CHECK_FRAMES  4096
#define CHECK_NUMBERS 1024

/* What is wrong, counted by kind. */
#define CHECK_FAULTS(X)                                                                            \
    X(malformed, "does not parse")                                                                 \
    X(twice, "sequence number sent twice")                                                         \
    X(ts_back, "timestamp went back")                                                              \
    X(torn, "frame in pieces, or without its beginning or end")                                    \
    X(marker, "marker not at the end of a picture")                                                \
    X(pid, "picture ids do not follow each other")                                                 \
    X(tl0, "TL0PICIDX does not count base frames")                                                 \
    X(number, "frame numbers do not follow each other, or lead elsewhere")                         \
    X(active, "decode targets are not those that are sent")                                        \
    X(reference, "reference was not sent")                                                         \
    X(rtx, "retransmission of what was not sent, or different")                                    \
    X(rtx_seq, "retransmission stream is not continuous")

struct check_faults {
#define CHECK_FIELD(name, text) uint64_t name;
    CHECK_FAULTS(CHECK_FIELD)
#undef CHECK_FIELD
};

struct check_packet {
    uint64_t seq; /* 0: empty */
    uint32_t ts;
    bool marker, padding;
    bool late; /* a later number had been sent already */
    bool told; /* left out, and sent again all the same: late from upstream, or nobody's */
    struct rx_desc d;
};

struct stream_check {
    enum codec_id codec;
    bool lossy_source; /* numbers may be missing, and references with them */
    struct rx_dd dd;
    bool any;
    uint64_t top, settled; /* newest; all up to here have been looked at */
    struct check_packet w[CHECK_WINDOW];
    struct check_packet last;
    bool has_last, whole, excused;
    unsigned gap; /* numbers left out since last */
    uint8_t last_tl0;
    uint64_t numbered[CHECK_NUMBERS]; /* DD: the frame that had this number last */
    uint64_t done[CHECK_FRAMES];
    unsigned n_done;
    bool rtx_any;
    uint16_t rtx_top;
    uint64_t packets, rtx_packets, frames, switches;
    uint64_t gaps;   /* numbers left out, */
    uint64_t untold; /* of them: what they were was not said by a retransmission either */
    uint64_t cuts;   /* frames that a key frame cut short, all numbers there */
    struct check_faults bad;
};

struct transport_check {
    bool any;
    uint16_t last;
    uint64_t packets, bad;
};

void stream_check_init(struct stream_check *c, enum codec_id codec, bool lossy_source);
void stream_check_packet(struct stream_check *c, const struct rx_rtp *p, const uint8_t *dd,
                         size_t dd_len);
void stream_check_rtx(struct stream_check *c, const struct rx_rtp *p);
/* Looks at all that is left. */
void stream_check_end(struct stream_check *c);
/* The sum of all faults. */
uint64_t stream_check_faults(const struct stream_check *c);
/* Writes the faults that are not 0 as text; returns text. */
const char *stream_check_text(const struct stream_check *c, char *text, size_t cap);
/* Every packet of a transport, in the order they leave; e: the extension's two bytes. */
void stream_check_transport(struct transport_check *t, const uint8_t *e);

#endif
