/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - network byte order: plain loads and stores, and bounded cursors whose error is sticky,
 * so that a reader or writer checks once, at its end. Nothing else in the tree touches wire bytes
 * by casts. Pure; any thread. */
#ifndef RTP_BYTES_H
#define RTP_BYTES_H

#include "rtp/base.h"
#include <string.h>

/* Loads of 2, 3, 4 and 8 bytes at p, which need not be aligned. */
static inline uint16_t bytes_load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t bytes_load24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t bytes_load32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | bytes_load24(p + 1);
}

static inline uint64_t bytes_load64(const uint8_t *p)
{
    return (uint64_t)bytes_load32(p) << 32 | bytes_load32(p + 4);
}

/* Stores of the low 2, 3, 4 and 8 bytes of v at p, which need not be aligned. */
static inline void bytes_store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void bytes_store24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 16);
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)v;
}

static inline void bytes_store32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    bytes_store24(p + 1, v);
}

static inline void bytes_store64(uint8_t *p, uint64_t v)
{
    bytes_store32(p, (uint32_t)(v >> 32));
    bytes_store32(p + 4, (uint32_t)v);
}

/* Read cursor. After a read past the end every later read returns 0 and failed stays true. */
struct bytes_in {
    const uint8_t *p;   /* next byte */
    const uint8_t *end; /* one past the last */
    bool failed;
};

/* A cursor over buf[0..len), which the caller keeps. */
static inline struct bytes_in bytes_in_init(const uint8_t *buf, size_t len)
{
    return (struct bytes_in){.p = buf, .end = buf + len, .failed = false};
}

/* Bytes not yet read; 0 after a failure. */
static inline size_t bytes_in_left(const struct bytes_in *in)
{
    return (size_t)(in->end - in->p);
}

/* The next n bytes, which are then behind the cursor; NULL and failure if fewer are left. */
static inline const uint8_t *bytes_in_take(struct bytes_in *in, size_t n)
{
    if (n > bytes_in_left(in)) {
        in->failed = true;
        in->p = in->end;
        return NULL;
    }
    const uint8_t *p = in->p;
    in->p += n;
    return p;
}

/* The next 1, 2, 3, 4 or 8 bytes as a number; 0 and failure if fewer are left. */
static inline uint8_t bytes_in_u8(struct bytes_in *in)
{
    const uint8_t *p = bytes_in_take(in, 1);
    return p ? *p : 0;
}

static inline uint16_t bytes_in_u16(struct bytes_in *in)
{
    const uint8_t *p = bytes_in_take(in, 2);
    return p ? bytes_load16(p) : 0;
}

static inline uint32_t bytes_in_u24(struct bytes_in *in)
{
    const uint8_t *p = bytes_in_take(in, 3);
    return p ? bytes_load24(p) : 0;
}

static inline uint32_t bytes_in_u32(struct bytes_in *in)
{
    const uint8_t *p = bytes_in_take(in, 4);
    return p ? bytes_load32(p) : 0;
}

static inline uint64_t bytes_in_u64(struct bytes_in *in)
{
    const uint8_t *p = bytes_in_take(in, 8);
    return p ? bytes_load64(p) : 0;
}

/* Write cursor. A write that does not fit writes nothing, and nor do later ones. */
struct bytes_out {
    uint8_t *start;
    uint8_t *p;   /* next byte */
    uint8_t *end; /* one past the last */
    bool failed;
};

/* A cursor over buf[0..cap), which the caller keeps. */
static inline struct bytes_out bytes_out_init(uint8_t *buf, size_t cap)
{
    return (struct bytes_out){.start = buf, .p = buf, .end = buf + cap, .failed = false};
}

/* Bytes written so far. */
static inline size_t bytes_out_len(const struct bytes_out *out)
{
    return (size_t)(out->p - out->start);
}

/* Room for n bytes that the caller fills, now behind the cursor; NULL and failure if there is less.
 */
static inline uint8_t *bytes_out_take(struct bytes_out *out, size_t n)
{
    if (out->failed || n > (size_t)(out->end - out->p)) {
        out->failed = true;
        return NULL;
    }
    uint8_t *p = out->p;
    out->p += n;
    return p;
}

/* Appends v as 1, 2, 3, 4 or 8 bytes. */
static inline void bytes_out_u8(struct bytes_out *out, uint8_t v)
{
    uint8_t *p = bytes_out_take(out, 1);
    if (p) {
        *p = v;
    }
}

static inline void bytes_out_u16(struct bytes_out *out, uint16_t v)
{
    uint8_t *p = bytes_out_take(out, 2);
    if (p) {
        bytes_store16(p, v);
    }
}

static inline void bytes_out_u24(struct bytes_out *out, uint32_t v)
{
    uint8_t *p = bytes_out_take(out, 3);
    if (p) {
        bytes_store24(p, v);
    }
}

static inline void bytes_out_u32(struct bytes_out *out, uint32_t v)
{
    uint8_t *p = bytes_out_take(out, 4);
    if (p) {
        bytes_store32(p, v);
    }
}

static inline void bytes_out_u64(struct bytes_out *out, uint64_t v)
{
    uint8_t *p = bytes_out_take(out, 8);
    if (p) {
        bytes_store64(p, v);
    }
}

/* Appends src[0..n). */
static inline void bytes_out_copy(struct bytes_out *out, const uint8_t *src, size_t n)
{
    uint8_t *p = bytes_out_take(out, n);
    if (p && n) {
        memcpy(p, src, n);
    }
}

#endif
