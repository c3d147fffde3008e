/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_twcc.h"
#include <errno.h>

/* Packet status symbols; a symbol is also the length of its delta. */
enum symbol {
    SYM_LOST = 0,
    SYM_SMALL = 1, /* 8 bit, 0..255 ticks */
    SYM_LARGE = 2, /* 16 bit, signed */
    SYM_RESERVED = 3,
};

#define RUN_MAX  8191
#define BITS_MAX 14 /* symbols of a one-bit vector */
#define DUOS_MAX 7  /* symbols of a two-bit vector */

/* How one chunk lays out its symbols. */
struct chunk {
    unsigned n;     /* symbols in it */
    unsigned shift; /* of the first symbol in word */
    unsigned step;  /* bits from one symbol to the next; 0: all the same */
    unsigned mask;
    uint16_t word;
};

static struct chunk chunk_read(uint16_t word)
{
    if (!(word & 0x8000)) {
        return (struct chunk){.n = word & RUN_MAX, .shift = 13, .step = 0, .mask = 3, .word = word};
    }
    if (word & 0x4000) {
        return (struct chunk){.n = DUOS_MAX, .shift = 12, .step = 2, .mask = 3, .word = word};
    }
    return (struct chunk){.n = BITS_MAX, .shift = 13, .step = 1, .mask = 1, .word = word};
}

/* Fills in the received statuses' deltas. */
static int deltas_read(struct bytes_in *in, struct rtcp_twcc_status *out, int n)
{
    for (int i = 0; i < n; i++) {
        /* delta_us holds the symbol until now */
        int32_t ticks = 0;
        switch ((enum symbol)out[i].delta_us) {
        case SYM_LOST:
            continue;
        case SYM_SMALL:
            ticks = bytes_in_u8(in);
            break;
        case SYM_LARGE:
            ticks = (int16_t)bytes_in_u16(in);
            break;
        case SYM_RESERVED:
            return -EBADMSG;
        }
        out[i].received = true;
        out[i].delta_us = ticks * RTCP_TWCC_TICK_US;
    }
    return in->failed ? -EBADMSG : 0;
}

int rtcp_twcc_read(const struct rtcp_packet *pkt, struct rtcp_twcc *ret_head,
                   struct rtcp_twcc_status *out, int max)
{
    if (pkt->type != RTCP_RTPFB || pkt->count != RTCP_RTPFB_TWCC) {
        return -EPROTONOSUPPORT;
    }
    struct bytes_in in = bytes_in_init(pkt->body, pkt->body_len);
    struct rtcp_twcc head;
    head.sender_ssrc = bytes_in_u32(&in);
    head.media_ssrc = bytes_in_u32(&in);
    head.base_seq16 = bytes_in_u16(&in);
    head.status_count = bytes_in_u16(&in);
    head.ref_time = bytes_in_u24(&in);
    head.fb_count = bytes_in_u8(&in);
    if (in.failed || head.status_count == 0) {
        return -EBADMSG;
    }
    int want = MIN((int)head.status_count, max);
    int n = 0;
    unsigned seen = 0; // symbols of all chunks, those beyond max included: the deltas follow them
    while (seen < head.status_count) {
        struct chunk c = chunk_read(bytes_in_u16(&in));
        if (in.failed) {
            return -EBADMSG;
        }
        seen += c.n;
        for (unsigned i = 0; i < c.n && n < want; i++, c.shift -= c.step, n++) {
            out[n] = (struct rtcp_twcc_status){
                .seq16 = (uint16_t)(head.base_seq16 + n),
                .delta_us = (int32_t)((unsigned)c.word >> c.shift & c.mask),
            };
        }
    }
    int r = deltas_read(&in, out, n);
    if (r < 0) {
        return r;
    }
    *ret_head = head;
    return n;
}

static inline unsigned symbol_of(const struct rtcp_twcc_status *st)
{
    if (!st->received) {
        return SYM_LOST;
    }
    return st->delta_us >= 0 && st->delta_us <= 255 * RTCP_TWCC_TICK_US ? SYM_SMALL : SYM_LARGE;
}

/* Writes the chunk that covers most of st[0..n), n >= 1. Returns the statuses it covers. */
static int chunk_write(struct bytes_out *o, const struct rtcp_twcc_status *st, int n)
{
    unsigned first = symbol_of(&st[0]);
    int run = 1;
    while (run < n && run < RUN_MAX && symbol_of(&st[run]) == first) {
        run++;
    }
    if (run >= BITS_MAX || run == n) {
        bytes_out_u16(o, (uint16_t)(first << 13 | (unsigned)run));
        return run;
    }
    /* A one-bit vector must be full unless it is the last. */
    unsigned bits = 0;
    int n_bits = MIN(n, BITS_MAX);
    bool small = true;
    for (int i = 0; i < n_bits && small; i++) {
        unsigned s = symbol_of(&st[i]);
        small = s != SYM_LARGE;
        bits |= s << (13 - i);
    }
    if (small) {
        bytes_out_u16(o, (uint16_t)(0x8000 | bits));
        return n_bits;
    }
    if (run >= DUOS_MAX) {
        bytes_out_u16(o, (uint16_t)(first << 13 | (unsigned)run));
        return run;
    }
    int n_duos = MIN(n, DUOS_MAX);
    unsigned duos = 0;
    for (int i = 0; i < n_duos; i++) {
        duos |= symbol_of(&st[i]) << (12 - 2 * i);
    }
    bytes_out_u16(o, (uint16_t)(0xc000 | duos));
    return n_duos;
}

int rtcp_twcc_write(uint8_t *out, size_t cap, const struct rtcp_twcc *head,
                    const struct rtcp_twcc_status *st, int n)
{
    assert(n >= 1 && n <= 0xffff);
    struct bytes_out o = bytes_out_init(out, cap);
    uint8_t *start = bytes_out_take(&o, RTCP_HEADER_LEN);
    bytes_out_u32(&o, head->sender_ssrc);
    bytes_out_u32(&o, head->media_ssrc);
    bytes_out_u16(&o, head->base_seq16);
    bytes_out_u16(&o, (uint16_t)n);
    bytes_out_u24(&o, head->ref_time);
    bytes_out_u8(&o, head->fb_count);
    for (int i = 0; i < n;) {
        i += chunk_write(&o, st + i, n - i);
    }
    for (int i = 0; i < n; i++) {
        unsigned symbol = symbol_of(&st[i]);
        int32_t ticks = st[i].delta_us / RTCP_TWCC_TICK_US;
        if (symbol == SYM_SMALL) {
            bytes_out_u8(&o, (uint8_t)ticks);
        } else if (symbol == SYM_LARGE) {
            assert(ticks >= INT16_MIN && ticks <= INT16_MAX);
            bytes_out_u16(&o, (uint16_t)ticks);
        }
    }
    while (!o.failed && bytes_out_len(&o) % 4) {
        bytes_out_u8(&o, 0);
    }
    if (o.failed) {
        return -ENOSPC;
    }
    rtcp_header_write(start, RTCP_RTPFB, RTCP_RTPFB_TWCC, bytes_out_len(&o));
    return (int)bytes_out_len(&o);
}
