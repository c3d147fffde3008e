/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_rtp.h"
#include "tests/peer/peer_bytes.h"

#include <errno.h>
#include <string.h>

#define RTP_HEAD 12

/* Elements of an extension block, RFC 8285 4.2 and 4.3. */
static int read_exts(const uint8_t *p, size_t n, uint16_t profile, struct peer_rtp *r)
{
    bool two_byte = (profile & 0xfff0) == 0x1000;

    if (profile != 0xbede && !two_byte) {
        return 0;
    }
    for (size_t i = 0; i < n;) {
        uint8_t id = two_byte ? p[i] : p[i] >> 4;
        if (p[i] == 0) {
            i++;
            continue;
        }
        if (!two_byte && id == 15) {
            return 0;
        }
        if (two_byte && i + 1 >= n) {
            return -EBADMSG;
        }
        size_t len = two_byte ? p[i + 1] : (size_t)(p[i] & 15) + 1;
        i += two_byte ? 2 : 1;
        if (len > n - i) {
            return -EBADMSG;
        }
        if (r->n_exts < PEER_EXTS_MAX) {
            r->exts[r->n_exts++] = (struct peer_rtp_ext){id, (uint8_t)len, p + i};
        }
        i += len;
    }
    return 0;
}

int peer_rtp_read(const uint8_t *buf, size_t len, bool only_header, struct peer_rtp *ret)
{
    struct peer_rtp r = {0};

    if (len < RTP_HEAD || buf[0] >> 6 != 2) {
        return -EBADMSG;
    }
    size_t at = RTP_HEAD + (size_t)(buf[0] & 15) * 4;
    r.marker = buf[1] & 0x80;
    r.pt = buf[1] & 0x7f;
    r.seq = peer_get16(buf + 2);
    r.ts = peer_get32(buf + 4);
    r.ssrc = peer_get32(buf + 8);
    if (buf[0] & 0x10) {
        size_t n = at + 4 <= len ? (size_t)peer_get16(buf + at + 2) * 4 : SIZE_MAX;
        if (at + 4 > len || n > len - at - 4 ||
            read_exts(buf + at + 4, n, peer_get16(buf + at), &r) < 0) {
            return -EBADMSG;
        }
        at += 4 + n;
    }
    if (at > len) {
        return -EBADMSG;
    }
    if (!only_header && buf[0] & 0x20) {
        r.padding = at < len ? buf[len - 1] : 0;
        if (!r.padding || r.padding > len - at) {
            return -EBADMSG;
        }
    }
    r.payload = buf + at;
    r.payload_len = only_header ? 0 : len - at - r.padding;
    *ret = r;
    return 0;
}

const struct peer_rtp_ext *peer_rtp_ext(const struct peer_rtp *r, uint8_t id)
{
    for (unsigned i = 0; id && i < r->n_exts; i++) {
        if (r->exts[i].id == id) {
            return &r->exts[i];
        }
    }
    return NULL;
}

size_t peer_rtp_write_head(const struct peer_rtp *r, uint8_t *out, size_t cap)
{
    bool two_byte = false;
    size_t n = 0;

    for (unsigned i = 0; i < r->n_exts; i++) {
        two_byte = two_byte || r->exts[i].id > 14 || r->exts[i].len > 16 || !r->exts[i].len;
        n += (size_t)r->exts[i].len + 2;
    }
    if (cap < RTP_HEAD + 4 + n + 3) {
        return 0;
    }
    out[0] = (uint8_t)(0x80 | (r->padding ? 0x20 : 0) | (r->n_exts ? 0x10 : 0));
    out[1] = (uint8_t)((r->marker ? 0x80 : 0) | r->pt);
    peer_put16(out + 2, r->seq);
    peer_put32(out + 4, r->ts);
    peer_put32(out + 8, r->ssrc);
    if (!r->n_exts) {
        return RTP_HEAD;
    }
    size_t at = RTP_HEAD + 4;
    for (unsigned i = 0; i < r->n_exts; i++) {
        const struct peer_rtp_ext *e = &r->exts[i];
        if (two_byte) {
            out[at++] = e->id;
            out[at++] = e->len;
        } else {
            out[at++] = (uint8_t)(e->id << 4 | (e->len - 1));
        }
        memcpy(out + at, e->data, e->len);
        at += e->len;
    }
    while (at % 4) {
        out[at++] = 0;
    }
    peer_put16(out + RTP_HEAD, two_byte ? 0x1000 : 0xbede);
    peer_put16(out + RTP_HEAD + 2, (uint32_t)((at - RTP_HEAD - 4) / 4));
    return at;
}

size_t peer_rtp_write(const struct peer_rtp *r, uint8_t *out, size_t cap)
{
    size_t at = peer_rtp_write_head(r, out, cap);

    if (!at || cap - at < r->payload_len + r->padding) {
        return 0;
    }
    if (r->payload_len) {
        memcpy(out + at, r->payload, r->payload_len);
    }
    at += r->payload_len;
    if (r->padding) {
        memset(out + at, 0, r->padding);
        at += r->padding;
        out[at - 1] = (uint8_t)r->padding;
    }
    return at;
}
