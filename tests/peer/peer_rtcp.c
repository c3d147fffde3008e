/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_bytes.h"
#include "tests/peer/peer_rtp.h"

#include <errno.h>
#include <string.h>

#define TWCC_DELTA_US 250
#define TWCC_REF_US   64000

int peer_rtcp_next(const uint8_t *buf, size_t len, size_t *at, struct peer_rtcp *ret)
{
    if (*at >= len) {
        return 0;
    }
    const uint8_t *p = buf + *at;
    size_t left = len - *at;
    if (left < 8 || p[0] >> 6 != 2) {
        return -EBADMSG;
    }
    size_t n = ((size_t)peer_get16(p + 2) + 1) * 4;
    if (n > left || n < 8) {
        return -EBADMSG;
    }
    size_t padding = p[0] & 0x20 ? p[n - 1] : 0;
    if (padding > n - 8) {
        return -EBADMSG;
    }
    *ret = (struct peer_rtcp){
        .type = p[1],
        .count = p[0] & 31,
        .ssrc = peer_get32(p + 4),
        .body = p + 8,
        .body_len = n - 8 - padding,
    };
    *at += n;
    return 1;
}

void peer_report_read(const uint8_t *p, struct peer_report *ret)
{
    uint32_t lost = peer_get32(p + 4) & 0xffffff;

    *ret = (struct peer_report){
        .ssrc = peer_get32(p),
        .fraction_lost = p[4],
        .total_lost = (int32_t)(lost & 0x800000 ? lost | 0xff000000U : lost),
        .highest_seq = peer_get32(p + 8),
        .jitter = peer_get32(p + 12),
        .lsr = peer_get32(p + 16),
        .dlsr = peer_get32(p + 20),
    };
}

/* Room for a packet of n bytes (a multiple of 4), header and sender written; NULL when full. */
static uint8_t *put_head(struct peer_rtcp_out *o, unsigned count, uint8_t type, size_t n,
                         uint32_t ssrc)
{
    uint8_t *p = o->buf + o->len;

    if (n > sizeof(o->buf) - 64 - o->len) {
        return NULL;
    }
    memset(p, 0, n);
    p[0] = (uint8_t)(0x80 | count);
    p[1] = type;
    peer_put16(p + 2, (uint32_t)(n / 4 - 1));
    peer_put32(p + 4, ssrc);
    o->len += n;
    return p + 8;
}

void peer_rtcp_put_sr(struct peer_rtcp_out *o, const struct peer_sr *sr)
{
    uint8_t *p = put_head(o, 0, PEER_RTCP_SR, 28, sr->ssrc);

    if (p) {
        peer_put64(p, sr->ntp);
        peer_put32(p + 8, sr->ts);
        peer_put32(p + 12, sr->packets);
        peer_put32(p + 16, sr->octets);
    }
}

void peer_rtcp_put_rr(struct peer_rtcp_out *o, uint32_t ssrc, const struct peer_report *r,
                      unsigned n)
{
    uint8_t *p = put_head(o, n, PEER_RTCP_RR, 8 + (size_t)n * PEER_REPORT_BYTES, ssrc);

    for (unsigned i = 0; p && i < n; i++, p += PEER_REPORT_BYTES) {
        peer_put32(p, r[i].ssrc);
        peer_put32(p + 4,
                   (uint32_t)r[i].fraction_lost << 24 | ((uint32_t)r[i].total_lost & 0xffffff));
        peer_put32(p + 8, r[i].highest_seq);
        peer_put32(p + 12, r[i].jitter);
        peer_put32(p + 16, r[i].lsr);
        peer_put32(p + 20, r[i].dlsr);
    }
}

void peer_rtcp_put_sdes(struct peer_rtcp_out *o, uint32_t ssrc, const char *cname)
{
    size_t n = strlen(cname);
    /* the chunk ends with at least one zero byte */
    uint8_t *p = put_head(o, 1, PEER_RTCP_SDES, (8 + 2 + n + 1 + 3) / 4 * 4, ssrc);

    if (p) {
        p[0] = 1;
        p[1] = (uint8_t)n;
        memcpy(p + 2, cname, n);
    }
}

void peer_rtcp_put_bye(struct peer_rtcp_out *o, uint32_t ssrc)
{
    (void)put_head(o, 1, PEER_RTCP_BYE, 8, ssrc);
}

void peer_rtcp_put_pli(struct peer_rtcp_out *o, uint32_t sender, uint32_t media)
{
    uint8_t *p = put_head(o, PEER_PSFB_PLI, PEER_RTCP_PSFB, 12, sender);

    if (p) {
        peer_put32(p, media);
    }
}

void peer_rtcp_put_fir(struct peer_rtcp_out *o, uint32_t sender, uint32_t media, uint8_t nr)
{
    uint8_t *p = put_head(o, PEER_PSFB_FIR, PEER_RTCP_PSFB, 20, sender);

    if (p) {
        peer_put32(p + 4, media); /* the SSRC that counts is in the FCI */
        p[8] = nr;
    }
}

void peer_rtcp_put_nack(struct peer_rtcp_out *o, uint32_t sender, uint32_t media,
                        const uint16_t *seqs, unsigned n)
{
    uint8_t fci[4 * 64];
    size_t pairs = 0;

    for (unsigned i = 0; i < n;) {
        uint16_t pid = seqs[i++], blp = 0;
        for (uint16_t d = 0; i < n && (d = (uint16_t)(seqs[i] - pid)) <= 16 && d; i++) {
            blp = (uint16_t)(blp | 1U << (d - 1));
        }
        if (pairs == sizeof(fci) / 4) {
            break;
        }
        peer_put16(fci + pairs * 4, pid);
        peer_put16(fci + pairs * 4 + 2, blp);
        pairs++;
    }
    uint8_t *p = put_head(o, PEER_RTPFB_NACK, PEER_RTCP_RTPFB, 12 + pairs * 4, sender);
    if (p) {
        peer_put32(p, media);
        memcpy(p + 4, fci, pairs * 4);
    }
}

void peer_rtcp_put_remb(struct peer_rtcp_out *o, uint32_t sender, uint32_t media, uint64_t bps)
{
    uint8_t *p = put_head(o, PEER_PSFB_AFB, PEER_RTCP_PSFB, 24, sender);
    uint32_t exp = 0;

    if (!p) {
        return;
    }
    while (bps >= 1U << 18) {
        bps >>= 1;
        exp++;
    }
    memcpy(p + 4, "REMB", 4);
    peer_put32(p + 8, 1U << 24 | exp << 18 | (uint32_t)bps);
    peer_put32(p + 12, media);
}

/* ---- transport-wide congestion control feedback ---- */

/* Status of one packet: 0 not received, 1 one-byte delta, 2 two-byte delta. */
static unsigned twcc_deltas(const struct peer_twcc *t, int64_t ref_us, uint8_t *status,
                            uint8_t *deltas)
{
    int64_t last = ref_us / TWCC_DELTA_US;
    unsigned n = 0;

    for (unsigned i = 0; i < t->n; i++) {
        status[i] = 0;
        if (t->at_us[i] < 0) {
            continue;
        }
        int64_t delta = t->at_us[i] / TWCC_DELTA_US - last;
        if (delta < -32768 || delta > 32767) {
            continue; /* does not fit: reported as not received */
        }
        last += delta;
        if (delta >= 0 && delta <= 255) {
            status[i] = 1;
            deltas[n++] = (uint8_t)delta;
        } else {
            status[i] = 2;
            peer_put16(deltas + n, (uint32_t)(uint16_t)delta);
            n += 2;
        }
    }
    return n;
}

static unsigned twcc_chunks(const uint8_t *status, unsigned n, uint8_t *out)
{
    unsigned len = 0;

    for (unsigned i = 0; i < n; len += 2) {
        unsigned run = 1;
        while (i + run < n && status[i + run] == status[i] && run < 8191) {
            run++;
        }
        if (run >= 7) {
            peer_put16(out + len, (uint32_t)status[i] << 13 | run);
            i += run;
            continue;
        }
        uint32_t chunk = 0xc000; /* vector of seven two-bit symbols */
        for (unsigned k = 0; k < 7; k++, i++) {
            chunk |= (i < n ? (uint32_t)status[i] : 0) << (12 - 2 * k);
        }
        peer_put16(out + len, chunk);
    }
    return len;
}

void peer_rtcp_put_twcc(struct peer_rtcp_out *o, uint32_t sender, uint32_t media,
                        const struct peer_twcc *t)
{
    uint8_t status[PEER_TWCC_MAX], deltas[2 * PEER_TWCC_MAX], chunks[PEER_TWCC_MAX + 2];
    int64_t first_us = -1;

    for (unsigned i = 0; i < t->n && first_us < 0; i++) {
        first_us = t->at_us[i];
    }
    if (first_us < 0) {
        return;
    }
    int64_t ref = first_us / TWCC_REF_US;
    unsigned n_deltas = twcc_deltas(t, ref * TWCC_REF_US, status, deltas);
    unsigned n_chunks = twcc_chunks(status, t->n, chunks);
    size_t used = 8 + 12 + n_chunks + n_deltas;
    uint8_t *p = put_head(o, PEER_RTPFB_TWCC, PEER_RTCP_RTPFB, (used + 3) / 4 * 4, sender);
    if (!p) {
        return;
    }
    peer_put32(p, media);
    peer_put16(p + 4, t->base);
    peer_put16(p + 6, t->n);
    peer_put32(p + 8, ((uint32_t)ref & 0xffffff) << 8 | t->fb_count);
    memcpy(p + 12, chunks, n_chunks);
    memcpy(p + 12 + n_chunks, deltas, n_deltas);
}

/* Statuses from the chunks. Returns the offset behind them or -EBADMSG. */
static int read_chunks(const uint8_t *p, size_t len, unsigned n, uint8_t *status)
{
    size_t at = 12;

    for (unsigned i = 0; i < n; at += 2) {
        if (at + 2 > len) {
            return -EBADMSG;
        }
        uint32_t c = peer_get16(p + at);
        bool vector = c & 0x8000, two_bit = c & 0x4000;
        unsigned k = !vector ? c & 0x1fff : two_bit ? 7 : 14;
        if (!k) {
            return -EBADMSG;
        }
        for (unsigned j = 0; j < k && i < n; j++, i++) {
            status[i] = (uint8_t)(!vector   ? c >> 13 & 3
                                  : two_bit ? c >> (12 - 2 * j) & 3
                                            : c >> (13 - j) & 1);
        }
    }
    return (int)at;
}

int peer_twcc_read(const struct peer_rtcp *r, struct peer_twcc *ret)
{
    uint8_t status[PEER_TWCC_MAX];
    const uint8_t *p = r->body;

    if (r->body_len < 14) {
        return -EBADMSG;
    }
    ret->base = peer_get16(p + 4);
    ret->n = peer_get16(p + 6);
    ret->fb_count = p[11];
    if (ret->n > PEER_TWCC_MAX) {
        return -E2BIG;
    }
    int at = read_chunks(p, r->body_len, ret->n, status);
    if (at < 0) {
        return at;
    }
    int64_t now_us = (int64_t)(peer_get32(p + 8) >> 8) * TWCC_REF_US;
    for (unsigned i = 0; i < ret->n; i++) {
        size_t need = status[i] == 1 ? 1 : status[i] == 2 ? 2 : 0;
        ret->at_us[i] = -1;
        if (status[i] == 3 || (size_t)at + need > r->body_len) {
            return -EBADMSG;
        }
        if (need) {
            now_us += TWCC_DELTA_US * (need == 1 ? p[at] : (int16_t)peer_get16(p + at));
            ret->at_us[i] = now_us;
            at += (int)need;
        }
    }
    /* at most three bytes of alignment may follow */
    return r->body_len - (size_t)at < 4 ? 0 : -EBADMSG;
}
