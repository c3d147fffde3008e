/* SPDX-License-Identifier: Apache-2.0 */
/* The front of sealing: index windows, index estimates and SSRC tables. What a cipher library does
 * lies behind seal_backend.h. */
#include "ice/seal.h"
#include "ice/seal_backend.h"
#include "rtp/line.h"
#include "rtp/prefetch.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define SEAL_STREAMS_MAX    256
#define RTP_HDR_MIN         12
#define OPEN_RTCP_SSRCS_MIN 8
#define OPEN_REPORT         128 /* bytes of a report, nearly always */
#define RTCP_INDEX_MAX      0x7fffffffu

/* ---- windows of the last n indices; n is a power of two, bits has n of them ---- */

enum seen {
    SEEN_NEW, /* above the top, or inside and not set */
    SEEN_BEFORE,
    SEEN_BELOW, /* too old to know */
};

static enum seen window_look(uint64_t top, const uint64_t *bits, unsigned n, uint64_t index)
{
    if (index > top) {
        return SEEN_NEW;
    }
    if (top - index >= n) {
        return SEEN_BELOW;
    }
    unsigned i = (unsigned)(index % n);
    return bits[i / 64] >> (i % 64) & 1 ? SEEN_BEFORE : SEEN_NEW;
}

static void window_mark(uint64_t *top, uint64_t *bits, unsigned n, uint64_t index)
{
    if (index > *top) {
        if (index - *top >= n) {
            memset(bits, 0, n / 8);
        } else {
            for (uint64_t i = *top + 1; i < index; i++) {
                bits[i % n / 64] &= ~(1ULL << (i % 64));
            }
        }
        *top = index;
    }
    bits[index % n / 64] |= 1ULL << (index % 64);
}

/* ---- tables from SSRC to a heap object: open addressing, never more than half full ---- */

struct ssrc_slot {
    uint32_t ssrc;
    void *entry; /* NULL: free */
};

struct ssrc_table {
    struct ssrc_slot *slots;
    unsigned n_slots; /* 0 or a power of two */
    unsigned n;
    unsigned max;
};

static struct ssrc_slot *table_slot(const struct ssrc_table *t, uint32_t ssrc)
{
    unsigned i = (ssrc * 2654435769u) >> 16;
    for (;; i++) {
        struct ssrc_slot *s = &t->slots[i & (t->n_slots - 1)];
        if (!s->entry || s->ssrc == ssrc) {
            return s;
        }
    }
}

static void *table_find(const struct ssrc_table *t, uint32_t ssrc)
{
    return t->n_slots ? table_slot(t, ssrc)->entry : NULL;
}

static bool table_full(const struct ssrc_table *t)
{
    return t->n >= t->max;
}

static int table_grow(struct ssrc_table *t)
{
    struct ssrc_table bigger = {.n_slots = t->n_slots ? 2 * t->n_slots : 4};
    bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
    if (!bigger.slots) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < t->n_slots; i++) {
        if (t->slots[i].entry) {
            *table_slot(&bigger, t->slots[i].ssrc) = t->slots[i];
        }
    }
    free(t->slots);
    t->slots = bigger.slots;
    t->n_slots = bigger.n_slots;
    return 0;
}

/* Adds a zeroed object of the given size. NULL when full or out of memory. */
static void *table_add(struct ssrc_table *t, uint32_t ssrc, size_t size)
{
    if (table_full(t) || (2 * (t->n + 1) > t->n_slots && table_grow(t) != 0)) {
        return NULL;
    }
    void *entry = line_calloc(1, size);
    if (entry) {
        *table_slot(t, ssrc) = (struct ssrc_slot){.ssrc = ssrc, .entry = entry};
        t->n++;
    }
    return entry;
}

static void table_free(struct ssrc_table *t)
{
    for (unsigned i = 0; i < t->n_slots; i++) {
        free(t->slots[i].entry);
    }
    free(t->slots);
}

/* ---- sending ---- */

struct seal_stream {
    uint32_t ssrc;
    bool started;
    uint64_t top;
    uint64_t bits[SEAL_WINDOW / 64];
};

struct seal {
    const struct seal_ops *ops;
    void *keys;
    size_t rtp_trailer;
    size_t rtcp_trailer;
    bool gcm;
    uint32_t rtcp_index; /* of the last packet; the first carries 1, as libsrtp's does */
    struct ssrc_table streams;
};

static void *backend_keys(const struct seal_ops *ops, const struct srtp_keys *keys, bool sending)
{
    struct seal_session_keys session;
    if (seal_kdf(keys, &session) != 0) {
        return NULL;
    }
    void *k = ops->keys_new(keys, &session, sending);
    OPENSSL_cleanse(&session, sizeof(session));
    return k;
}

struct seal *seal_new(const struct srtp_keys *keys)
{
    struct seal *s = line_calloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    s->ops = seal_select_ops();
    s->keys = backend_keys(s->ops, keys, true);
    if (!s->keys) {
        free(s);
        return NULL;
    }
    s->gcm = seal_is_gcm(keys->profile);
    s->rtp_trailer = seal_trailer_len(keys->profile, SEAL_RTP);
    s->rtcp_trailer = seal_trailer_len(keys->profile, SEAL_RTCP);
    s->streams.max = SEAL_STREAMS_MAX;
    return s;
}

void seal_free(struct seal *s)
{
    if (s) {
        s->ops->keys_free(s->keys);
        table_free(&s->streams);
        free(s);
    }
}

struct seal_stream *seal_stream(struct seal *s, uint32_t ssrc)
{
    struct seal_stream *st = table_find(&s->streams, ssrc);
    if (!st) {
        st = table_add(&s->streams, ssrc, sizeof(*st));
        if (st) {
            st->ssrc = ssrc;
        }
    }
    return st;
}

static enum seen stream_look(const struct seal_stream *st, uint64_t index)
{
    return st->started ? window_look(st->top, st->bits, SEAL_WINDOW, index) : SEEN_NEW;
}

static void stream_mark(struct seal_stream *st, uint64_t index)
{
    if (!st->started) {
        st->started = true;
        st->top = index;
    }
    window_mark(&st->top, st->bits, SEAL_WINDOW, index);
}

/* bytes: of the packet, where the cipher's tables are the longer the longer it is. */
static void fetch_keys(const struct seal_ops *ops, const void *keys, enum seal_part part,
                       size_t bytes)
{
    if (ops->prefetch) {
        ops->prefetch(keys, part, bytes);
    } else {
        prefetch_bytes(keys, PREFETCH_LINE);
    }
}

void seal_prefetch(const struct seal *s, size_t bytes)
{
    if (s) {
        fetch_keys(s->ops, s->keys, SEAL_RTP, s->gcm ? bytes : 0);
    }
}

void seal_stream_prefetch(const struct seal_stream *st)
{
    if (st) {
        prefetch_bytes(st, sizeof(*st));
    }
}

/* Takes the packet's index. Returns 0, or -errno if it must not be sealed. */
static int admit(const struct seal *s, struct seal_stream *st, const struct seal_pkt *p, size_t cap)
{
    assert(p->hdr_len >= RTP_HDR_MIN && bytes_load32(p->buf + 8) == st->ssrc);
    assert(p->index >> 48 == 0 && (uint8_t)(p->index >> 8) == p->buf[2] &&
           (uint8_t)p->index == p->buf[3]);
    if (p->hdr_len + p->head_len + p->body_len + s->rtp_trailer > cap) {
        return -ENOSPC;
    }
    if (stream_look(st, p->index) != SEEN_NEW) {
        return -EALREADY;
    }
    /* Marked even if the backend fails then: part of the key stream may have been shown. */
    stream_mark(st, p->index);
    return 0;
}

int seal_rtp(struct seal *s, struct seal_stream *st, uint64_t index, uint8_t *out, size_t cap,
             size_t hdr_len, size_t head_len, const uint8_t *body, size_t body_len)
{
    const struct seal_pkt p = {SEAL_RTP, st->ssrc, index, out, hdr_len, head_len, body, body_len};
    int err = admit(s, st, &p, cap);
    return err ? err : s->ops->seal(s->keys, &p);
}

int seal_rtp_later(struct seal *s, struct seal_stream *st, uint64_t index, uint8_t *out, size_t cap,
                   size_t hdr_len, size_t head_len, const uint8_t *body, size_t body_len)
{
    const struct seal_pkt p = {SEAL_RTP, st->ssrc, index, out, hdr_len, head_len, body, body_len};
    int err = admit(s, st, &p, cap);
    if (err) {
        return err;
    }
    return s->ops->seal_later ? s->ops->seal_later(s->keys, &p) : s->ops->seal(s->keys, &p);
}

void seal_flush(void)
{
    const struct seal_ops *ops = seal_select_ops();
    if (ops->flush) {
        ops->flush();
    }
}

int seal_rtp_again(struct seal *s, struct seal_stream *st, uint64_t index, uint8_t *out, size_t cap,
                   size_t hdr_len, size_t head_len, const uint8_t *body, size_t body_len)
{
    assert(hdr_len >= RTP_HDR_MIN && bytes_load32(out + 8) == st->ssrc);
    assert(index >> 48 == 0 && (uint8_t)(index >> 8) == out[2] && (uint8_t)index == out[3]);
    if (s->gcm) {
        return -EPERM;
    }
    if (stream_look(st, index) != SEEN_BEFORE) {
        return -ENOENT;
    }
    if (hdr_len + head_len + body_len + s->rtp_trailer > cap) {
        return -ENOSPC;
    }
    const struct seal_pkt p = {SEAL_RTP, st->ssrc, index, out, hdr_len, head_len, body, body_len};
    return s->ops->seal(s->keys, &p);
}

int seal_rtcp(struct seal *s, uint8_t *buf, size_t len, size_t cap)
{
    assert(len >= SEAL_RTCP_HDR);
    if (len + s->rtcp_trailer > cap) {
        return -ENOSPC;
    }
    if (s->rtcp_index >= RTCP_INDEX_MAX) {
        return -EOVERFLOW;
    }
    s->rtcp_index++;
    const struct seal_pkt p = {.part = SEAL_RTCP,
                               .ssrc = bytes_load32(buf + 4),
                               .index = s->rtcp_index,
                               .buf = buf,
                               .hdr_len = SEAL_RTCP_HDR,
                               .head_len = len - SEAL_RTCP_HDR};
    return s->ops->seal(s->keys, &p);
}

/* ---- receiving ---- */

struct rtp_in {
    uint32_t ssrc;
    uint64_t top;
    uint64_t bits[OPEN_WINDOW / 64];
};

struct rtcp_in {
    uint32_t ssrc;
    uint64_t top;
    uint64_t bits[OPEN_WINDOW_RTCP / 64];
};

struct open {
    const struct seal_ops *ops;
    void *keys;
    enum srtp_profile profile;
    struct rtp_in *last;       /* of the last packet that was opened */
    struct rtcp_in *last_rtcp; /* and of the last report: nearly always the same sender's */
    struct ssrc_table rtp;
    struct ssrc_table rtcp;
};

struct open *open_new(const struct srtp_keys *keys, unsigned max_ssrcs)
{
    struct open *o = calloc(1, sizeof(*o));
    if (!o) {
        return NULL;
    }
    o->ops = seal_select_ops();
    o->keys = backend_keys(o->ops, keys, false);
    if (!o->keys) {
        free(o);
        return NULL;
    }
    o->profile = keys->profile;
    o->rtp.max = max_ssrcs;
    o->rtcp.max = MAX(max_ssrcs, OPEN_RTCP_SSRCS_MIN);
    return o;
}

void open_free(struct open *o)
{
    if (o) {
        o->ops->keys_free(o->keys);
        table_free(&o->rtp);
        table_free(&o->rtcp);
        free(o);
    }
}

/* Header length with CSRCs and extension; 0 if malformed. */
static size_t rtp_hdr_len(const uint8_t *buf, size_t len)
{
    if (len < RTP_HDR_MIN || buf[0] >> 6 != 2) {
        return 0;
    }
    size_t n = RTP_HDR_MIN + 4u * (buf[0] & 0x0f);
    if (buf[0] & 0x10) {
        if (n + 4 > len) {
            return 0;
        }
        n += 4 + 4u * ((unsigned)buf[n + 2] << 8 | buf[n + 3]);
    }
    return n <= len ? n : 0;
}

/* The 48-bit index that a sequence number stands for, nearest to top (RFC 3711 3.3.1 and appendix
 * A). False if it would lie before index 0. */
static bool estimate_index(uint64_t top, uint16_t seq, uint64_t *ret)
{
    uint64_t roc = top >> 16;
    uint16_t s_l = (uint16_t)top;
    if (s_l < 0x8000) {
        if (seq > s_l && seq - s_l > 0x8000) {
            if (roc == 0) {
                return false;
            }
            roc--;
        }
    } else if (s_l - 0x8000 > seq) {
        roc++;
    }
    *ret = roc << 16 | seq;
    return *ret >> 48 == 0;
}

int open_rtp(struct open *o, uint8_t *buf, size_t len)
{
    size_t hdr_len = rtp_hdr_len(buf, len);
    size_t trailer = seal_trailer_len(o->profile, SEAL_RTP);
    if (hdr_len == 0 || len - hdr_len < trailer) {
        return -EBADMSG;
    }
    struct seal_pkt p = {.part = SEAL_RTP,
                         .ssrc = bytes_load32(buf + 8),
                         .buf = buf,
                         .hdr_len = hdr_len,
                         .body_len = len - hdr_len - trailer};
    uint16_t seq = (uint16_t)(buf[2] << 8 | buf[3]);
    struct rtp_in *in = o->last;
    if (!in || in->ssrc != p.ssrc) {
        in = table_find(&o->rtp, p.ssrc);
    }
    if (in) {
        if (!estimate_index(in->top, seq, &p.index) ||
            window_look(in->top, in->bits, OPEN_WINDOW, p.index) != SEEN_NEW) {
            return -EALREADY;
        }
    } else if (table_full(&o->rtp)) {
        return -EMLINK;
    } else {
        p.index = seq; /* a sender that we hear for the first time is in its first round */
    }

    int n = o->ops->open(o->keys, &p);
    if (n < 0) {
        return n;
    }
    if (!in) {
        in = table_add(&o->rtp, p.ssrc, sizeof(*in));
        if (!in) {
            return -ENOMEM;
        }
        in->ssrc = p.ssrc;
        in->top = p.index;
    }
    window_mark(&in->top, in->bits, OPEN_WINDOW, p.index);
    o->last = in;
    return n;
}

void seal_prefetch_open(const struct open *o, unsigned step)
{
    if (o && step == 0) {
        prefetch_bytes(o, sizeof(*o));
    } else if (o) {
        fetch_keys(o->ops, o->keys, SEAL_RTCP, seal_is_gcm(o->profile) ? OPEN_REPORT : 0);
        prefetch_bytes(o->last_rtcp, sizeof(*o->last_rtcp));
    }
}

int open_rtcp(struct open *o, uint8_t *buf, size_t len)
{
    size_t trailer = seal_trailer_len(o->profile, SEAL_RTCP);
    if (len < SEAL_RTCP_HDR + trailer || buf[0] >> 6 != 2) {
        return -EBADMSG;
    }
    /* GCM puts the word behind the tag, AES-CM before it (RFC 7714 9.2, RFC 3711 3.4). */
    size_t word_at = len - SEAL_RTCP_WORD - (seal_is_gcm(o->profile) ? 0 : SEAL_CM_TAG);
    uint32_t word = bytes_load32(buf + word_at);
    if (!(word & SEAL_RTCP_E_BIT)) {
        return -EBADMSG;
    }
    const struct seal_pkt p = {.part = SEAL_RTCP,
                               .ssrc = bytes_load32(buf + 4),
                               .index = word & ~SEAL_RTCP_E_BIT,
                               .buf = buf,
                               .hdr_len = SEAL_RTCP_HDR,
                               .body_len = len - SEAL_RTCP_HDR - trailer};
    struct rtcp_in *in = o->last_rtcp;
    if (!in || in->ssrc != p.ssrc) {
        in = table_find(&o->rtcp, p.ssrc);
    }
    if (in) {
        if (window_look(in->top, in->bits, OPEN_WINDOW_RTCP, p.index) != SEEN_NEW) {
            return -EALREADY;
        }
    } else if (table_full(&o->rtcp)) {
        return -EMLINK;
    }

    int n = o->ops->open(o->keys, &p);
    if (n < 0) {
        return n;
    }
    if (!in) {
        in = table_add(&o->rtcp, p.ssrc, sizeof(*in));
        if (!in) {
            return -ENOMEM;
        }
        in->ssrc = p.ssrc;
        in->top = p.index;
    }
    window_mark(&in->top, in->bits, OPEN_WINDOW_RTCP, p.index);
    o->last_rtcp = in;
    return n;
}
