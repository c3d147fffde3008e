/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/params.h"

#include <string.h>
#include <strings.h>

#include "rtp/bits.h"

/* How a codec packs its NAL units, and which of them are parameter sets. */
struct form {
    size_t head_len;
    uint8_t shift; /* of the type in the first byte, */
    uint8_t mask;  /* and what is left of it */
    uint8_t aggregate;
    uint8_t first, last;  /* types: parameter sets, in the order in which they are needed */
    uint8_t head[2];      /* of an aggregate of them */
    const char *names[4]; /* of the fmtp parameters that hold them */
};

#define H264_SPS 7
#define H264_PPS 8
#define H265_VPS 32
#define H265_SPS 33
#define H265_PPS 34

static const struct form *form_of(enum codec_id codec)
{
    static const struct form h264 = {
        .head_len = 1,
        .mask = 0x1f,
        .aggregate = 24,
        .first = H264_SPS,
        .last = H264_PPS,
        .head = {0x78},
        .names = {"sprop-parameter-sets="},
    };
    static const struct form h265 = {
        .head_len = 2,
        .shift = 1,
        .mask = 0x3f,
        .aggregate = 48,
        .first = H265_VPS,
        .last = H265_PPS,
        .head = {48 << 1, 1},
        .names = {"sprop-vps=", "sprop-sps=", "sprop-pps="},
    };
    return codec == CODEC_H264 ? &h264 : codec == CODEC_H265 ? &h265 : NULL;
}

bool params_has(enum codec_id codec)
{
    return form_of(codec) != NULL;
}

static unsigned type_of(const struct form *f, const uint8_t *nal)
{
    return nal[0] >> f->shift & f->mask;
}

/* The id by which others refer to a set; of H.265's SPS it stands too deep to be worth reading. */
static uint8_t id_of(const struct form *f, const uint8_t *nal, size_t len)
{
    unsigned type = type_of(f, nal);
    struct bits b = bits_over(nal, len);
    bits_skip(&b, f->head_len * 8 + (type == H264_SPS ? 24 : 0));
    uint32_t id = type == H265_SPS ? 0 : type == H265_VPS ? bits_get(&b, 4) : bits_ue(&b);
    return (uint8_t)id;
}

static void drop(struct params *p, unsigned i)
{
    uint16_t off = p->sets[i].off, len = p->sets[i].len;
    memmove(p->bytes + off, p->bytes + off + len, (size_t)(p->used - off - len));
    memmove(p->sets + i, p->sets + i + 1, (size_t)(p->n - i - 1) * sizeof(p->sets[0]));
    p->used = (uint16_t)(p->used - len);
    p->n--;
    for (unsigned k = 0; k < p->n; k++) {
        p->sets[k].off = (uint16_t)(p->sets[k].off - (p->sets[k].off > off ? len : 0));
    }
}

/* Keeps one NAL unit if it is a parameter set. */
static bool keep_nal(struct params *p, const struct form *f, const uint8_t *nal, size_t len)
{
    unsigned type = len > f->head_len ? type_of(f, nal) : 0;
    if (type < f->first || type > f->last) {
        return false;
    }
    uint8_t id = id_of(f, nal, len);
    for (unsigned i = 0; i < p->n; i++) {
        if (p->sets[i].type != type || p->sets[i].id != id) {
            continue;
        }
        if (p->sets[i].len == len && memcmp(p->bytes + p->sets[i].off, nal, len) == 0) {
            return true;
        }
        drop(p, i);
        break;
    }
    if (len > sizeof(p->bytes)) {
        return true; /* there it is, but not to be kept; nor is what it replaces */
    }
    if (p->n == PARAMS_SETS_MAX || len > sizeof(p->bytes) - p->used) {
        p->n = 0;
        p->used = 0;
    }
    p->sets[p->n].type = (uint8_t)type;
    p->sets[p->n].id = id;
    p->sets[p->n].off = p->used;
    p->sets[p->n].len = (uint16_t)len;
    p->n++;
    memcpy(p->bytes + p->used, nal, len);
    p->used = (uint16_t)(p->used + len);
    return true;
}

bool params_keep(struct params *p, enum codec_id codec, const uint8_t *payload, size_t len)
{
    const struct form *f = form_of(codec);
    if (!f || len <= f->head_len) {
        return false;
    }
    if (type_of(f, payload) != f->aggregate) {
        return keep_nal(p, f, payload, len);
    }
    bool any = false;
    for (size_t off = f->head_len, size; len - off > 2; off += size) {
        size = (size_t)payload[off] << 8 | payload[off + 1];
        off += 2;
        if (size > len - off) {
            break;
        }
        any |= keep_nal(p, f, payload + off, size);
    }
    return any;
}

/* One base64 text (RFC 4648 4) of at most len characters, up to what is not of its alphabet.
 * Returns the bytes written. */
static size_t decode(const char *text, size_t len, uint8_t *out, size_t cap)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t word = 0;
    unsigned bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < len && n < cap; i++) {
        const char *at = memchr(alphabet, text[i], sizeof(alphabet) - 1);
        if (!at) {
            break;
        }
        word = word << 6 | (uint32_t)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (uint8_t)(word >> bits);
        }
    }
    return n;
}

/* Where the value begins in an fmtp parameter that holds sets; 0 if text is another. */
static size_t value_of(const struct form *f, const char *text)
{
    for (const char *const *name = f->names; *name; name++) {
        if (strncasecmp(text, *name, strlen(*name)) == 0) {
            return strlen(*name);
        }
    }
    return 0;
}

void params_keep_fmtp(struct params *p, enum codec_id codec, const char *fmtp)
{
    const struct form *f = form_of(codec);
    while (f && *fmtp) {
        fmtp += strspn(fmtp, "; \t");
        size_t end = strcspn(fmtp, ";");
        for (size_t at = value_of(f, fmtp); at && at < end;) {
            uint8_t nal[PARAMS_BYTES_MAX];
            size_t len = strcspn(fmtp + at, ",;");
            keep_nal(p, f, nal, decode(fmtp + at, len, nal, sizeof(nal)));
            at += len + 1;
        }
        fmtp += end;
    }
}

size_t params_write(const struct params *p, enum codec_id codec, uint8_t *out, size_t cap)
{
    const struct form *f = form_of(codec);
    if (!f || cap < f->head_len) {
        return 0;
    }
    size_t n = f->head_len;
    memcpy(out, f->head, n);
    for (unsigned type = f->first; type <= f->last; type++) {
        size_t before = n;
        for (unsigned i = 0; i < p->n; i++) {
            size_t len = p->sets[i].len;
            if (p->sets[i].type != type) {
                continue;
            }
            if (cap - n < len + 2) {
                return 0;
            }
            out[n] = (uint8_t)(len >> 8);
            out[n + 1] = (uint8_t)len;
            memcpy(out + n + 2, p->bytes + p->sets[i].off, len);
            n += 2 + len;
        }
        if (n == before) {
            return 0;
        }
    }
    return n;
}
