/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/rx_parse.h"

#include <string.h>

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)load16(p) << 16 | load16(p + 2);
}

static bool read_exts(const uint8_t *e, size_t len, bool wide, struct rx_rtp *ret)
{
    size_t at = 0;
    while (at < len) {
        if (e[at] == 0) {
            at++;
            continue;
        }
        unsigned id = wide ? e[at] : e[at] >> 4;
        size_t n = wide ? 0 : (e[at] & 15u) + 1;
        at++;
        if (wide) {
            if (at == len) {
                return false;
            }
            n = e[at++];
        }
        if (at + n > len) {
            return false;
        }
        if (id < ARRAY_LEN(ret->ext) && !ret->ext[id]) {
            ret->ext[id] = e + at;
            ret->ext_len[id] = (uint8_t)n;
        }
        at += n;
    }
    return true;
}

bool rx_rtp_read(const uint8_t *pkt, size_t len, struct rx_rtp *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (len < 12 || pkt[0] >> 6 != 2 || (pkt[0] & 15)) {
        return false;
    }
    ret->marker = pkt[1] & 0x80;
    ret->pt = pkt[1] & 0x7f;
    ret->seq16 = load16(pkt + 2);
    ret->ts = load32(pkt + 4);
    ret->ssrc = load32(pkt + 8);
    size_t at = 12;
    if (pkt[0] & 0x10) {
        if (len < 16) {
            return false;
        }
        unsigned profile = load16(pkt + 12);
        size_t n = load16(pkt + 14) * 4u;
        if (len < 16 + n || (profile != 0xbede && profile >> 4 != 0x100) ||
            !read_exts(pkt + 16, n, profile != 0xbede, ret)) {
            return false;
        }
        at = 16 + n;
    }
    size_t pad = pkt[0] & 0x20 ? pkt[len - 1] : 0;
    if ((pkt[0] & 0x20 && pad == 0) || at + pad > len) {
        return false;
    }
    ret->payload = pkt + at;
    ret->len = len - at - pad;
    return true;
}

/* ---- Dependency Descriptor, AV1 RTP appendix A ---- */

struct bit_source {
    const uint8_t *p;
    size_t bits, at;
    bool bad;
};

static uint32_t get(struct bit_source *b, unsigned n)
{
    uint32_t v = 0;
    for (; n > 0; n--, b->at++) {
        if (b->at >= b->bits) {
            b->bad = true;
            return 0;
        }
        v = v << 1 | (b->p[b->at / 8] >> (7 - b->at % 8) & 1);
    }
    return v;
}

static uint32_t get_ns(struct bit_source *b, uint32_t n)
{
    unsigned w = 0;
    for (uint32_t x = n; x; x >>= 1) {
        w++;
    }
    uint32_t m = (1u << w) - n, v = get(b, w - 1);
    return v < m ? v : (v << 1 | get(b, 1)) - m;
}

static void read_structure(struct bit_source *b, struct rx_dd *d)
{
    memset(d, 0, sizeof(*d));
    d->offset = (uint8_t)get(b, 6);
    d->n_targets = (uint8_t)(get(b, 5) + 1);
    uint8_t sid = 0, tid = 0;
    uint32_t step;
    do {
        d->t[d->n_templates].sid = sid;
        d->t[d->n_templates].tid = tid;
        d->n_templates++;
        step = get(b, 2);
        tid = step == 1 ? (uint8_t)(tid + 1) : step == 2 ? 0 : tid;
        sid = (uint8_t)(sid + (step == 2));
    } while (step != 3 && !b->bad && d->n_templates < ARRAY_LEN(d->t));
    for (int i = 0; i < d->n_templates; i++) {
        for (int t = 0; t < d->n_targets; t++) {
            d->t[i].present |= get(b, 2) ? 1u << t : 0;
        }
    }
    for (int i = 0; i < d->n_templates; i++) {
        while (get(b, 1) && !b->bad && d->t[i].n_diffs < RX_REFS) {
            d->t[i].diffs[d->t[i].n_diffs++] = (uint8_t)(get(b, 4) + 1);
        }
    }
    uint32_t chains = get_ns(b, d->n_targets + 1u);
    for (int t = 0; chains && t < d->n_targets; t++) {
        get_ns(b, chains);
    }
    for (uint32_t i = 0; i < d->n_templates * chains; i++) {
        get(b, 4);
    }
    if (get(b, 1)) {
        for (int s = 0; s <= d->t[d->n_templates - 1].sid; s++) {
            get(b, 32);
        }
    }
    d->known = true;
}

static bool read_dd(struct rx_dd *state, const uint8_t *p, size_t len, struct rx_desc *ret)
{
    struct bit_source b = {.p = p, .bits = len * 8};
    ret->start = get(&b, 1);
    ret->end = get(&b, 1);
    unsigned id = get(&b, 6);
    ret->number = (uint16_t)get(&b, 16);
    bool own_dtis = false, own_diffs = false, own_active;
    if (len > 3) {
        ret->structure = get(&b, 1);
        own_active = get(&b, 1);
        own_dtis = get(&b, 1);
        own_diffs = get(&b, 1);
        get(&b, 1);
        if (ret->structure) {
            read_structure(&b, state);
            state->active = state->n_targets < 32 ? (1u << state->n_targets) - 1 : UINT32_MAX;
        }
        if (own_active) {
            state->active = get(&b, state->n_targets);
        }
    }
    unsigned at = (id + 64 - state->offset) % 64;
    if (!state->known || at >= state->n_templates || b.bad) {
        return false;
    }
    ret->sid = state->t[at].sid;
    ret->tid = state->t[at].tid;
    uint32_t present = own_dtis ? 0 : state->t[at].present;
    for (int i = 0; own_dtis && i < state->n_targets; i++) {
        present |= get(&b, 2) ? 1u << i : 0;
    }
    ret->unneeded = !(present & state->active);
    for (int i = 0; i < state->n_templates; i++) {
        if (state->t[i].present & state->active) {
            ret->top_sid = MAX(ret->top_sid, state->t[i].sid);
        }
    }
    if (own_diffs) {
        for (uint32_t n; (n = get(&b, 2)) && !b.bad && ret->n_diffs < RX_REFS;) {
            ret->diffs[ret->n_diffs++] = (uint16_t)(get(&b, 4 * n) + 1);
        }
    } else {
        ret->n_diffs = state->t[at].n_diffs;
        for (int i = 0; i < ret->n_diffs; i++) {
            ret->diffs[i] = state->t[at].diffs[i];
        }
    }
    ret->has_dd = true;
    return !b.bad;
}

/* ---- payload descriptors; return the bytes before the truth, 0: malformed ---- */

static size_t read_vp8(const struct rx_rtp *p, struct rx_desc *ret)
{
    const uint8_t *b = p->payload;
    if (p->len < 8 || !(b[0] & 0x80)) {
        return 0;
    }
    size_t n = 2;
    ret->start = (b[0] & 0x10) && !(b[0] & 7);
    ret->end = p->marker;
    if (b[1] & 0x80) {
        ret->has_pid = b[n] & 0x80; /* a 7-bit id cannot be told apart from a jump: not accepted */
        ret->pid = load16(b + n) & 0x7fff;
        n += 2;
        if (!ret->has_pid) {
            return 0;
        }
    }
    if (b[1] & 0x40) {
        ret->has_tl0 = true;
        ret->tl0 = b[n++];
    }
    if (b[1] & 0x30) {
        ret->tid = b[n] >> 6;
        ret->sync = b[n] & 0x20;
        n++;
    }
    if (ret->start) {
        ret->key = !(b[n] & 1);
        n += ret->key ? 10 : 3;
    }
    return n;
}

static size_t read_h264(const struct rx_rtp *p, struct rx_desc *ret)
{
    const uint8_t *b = p->payload;
    unsigned type = b[0] & 31;
    ret->end = p->marker;
    if (type == 24) {
        size_t at = 1;
        while (at + 3 < p->len && (b[at + 2] & 31) != 6) {
            at += 2u + load16(b + at);
        }
        ret->start = ret->key = true;
        return at + 3;
    }
    if (type != 28 || p->len < 3) {
        return 0;
    }
    ret->key = (b[1] & 31) == 5;
    ret->start = (b[1] & 0x80) && !ret->key; /* an IDR picture starts with its parameter sets */
    return 2;
}

static size_t read_vp9(const struct rx_rtp *p, struct rx_desc *ret)
{
    const uint8_t *b = p->payload;
    size_t n = 1;
    if (p->len < 12 || !(b[0] & 0x80) || !(b[1] & 0x80)) {
        return 0;
    }
    ret->key = !(b[0] & 0x40);
    ret->start = b[0] & 0x08;
    ret->end = b[0] & 0x04;
    ret->has_pid = true;
    ret->pid = load16(b + n) & 0x7fff;
    n += 2;
    if (b[0] & 0x20) {
        ret->tid = b[n] >> 5;
        ret->sid = b[n] >> 1 & 7;
        ret->inter_layer = b[n] & 1;
        n++;
        n += !(b[0] & 0x10);
    }
    if ((b[0] & 0x50) == 0x50) {
        do {
            ret->diffs[ret->n_diffs++] = b[n] >> 1;
        } while ((b[n++] & 1) && ret->n_diffs < RX_REFS);
    }
    if (b[0] & 0x02) {
        n += 1u + (b[n] & 0x10 ? 4u * ((b[n] >> 5) + 1u) : 0);
    }
    return n;
}

static size_t read_av1(const struct rx_rtp *p, struct rx_desc *ret)
{
    const uint8_t *b = p->payload;
    ret->start = !(b[0] & 0x80);
    ret->end = !(b[0] & 0x40);
    ret->key = b[0] & 0x08;
    return 1u + (ret->start ? 1u + (b[1] & 4 ? 1 : 0) : 0);
}

bool rx_desc_read(enum codec_id codec, struct rx_dd *dd_state, const struct rx_rtp *p,
                  const uint8_t *dd, size_t dd_len, struct rx_desc *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (p->len < 3) {
        return false;
    }
    size_t n = codec == CODEC_VP8    ? read_vp8(p, ret)
               : codec == CODEC_H264 ? read_h264(p, ret)
               : codec == CODEC_VP9  ? read_vp9(p, ret)
                                     : read_av1(p, ret);
    if (!n) {
        return false;
    }
    if (dd) {
        ret->n_diffs = 0;
        if (!read_dd(dd_state, dd, dd_len, ret)) {
            return false;
        }
        ret->key = ret->key || ret->structure || ret->n_diffs == 0;
    }
    if (n + sizeof(ret->truth) <= p->len) {
        memcpy(&ret->truth, p->payload + n, sizeof(ret->truth));
        ret->has_truth = ret->truth.magic == TRUTH_MAGIC;
    }
    return true;
}
