/* SPDX-License-Identifier: Apache-2.0 */
/* stun_kit.h - a STUN writer and reader for tests, written apart from the product's (RFC 8489), so
 * that one error cannot hide in both. Included by one test program each. */
#ifndef TESTS_STUN_KIT_H
#define TESTS_STUN_KIT_H

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    KIT_REQUEST = 0x0001,
    KIT_INDICATION = 0x0011,
    KIT_SUCCESS = 0x0101,
    KIT_ERROR = 0x0111,
    KIT_USERNAME = 0x0006,
    KIT_INTEGRITY = 0x0008,
    KIT_ERROR_CODE = 0x0009,
    KIT_UNKNOWN = 0x000a,
    KIT_XOR_MAPPED = 0x0020,
    KIT_PRIORITY = 0x0024,
    KIT_USE = 0x0025,
    KIT_SOFTWARE = 0x8022,
    KIT_FINGERPRINT = 0x8028,
    KIT_CONTROLLED = 0x8029,
    KIT_CONTROLLING = 0x802a,
};

struct kit_msg {
    uint8_t b[2048];
    size_t len;
};

static inline void kit_put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline unsigned kit_get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static inline void kit_put32(uint8_t *p, uint32_t v)
{
    kit_put16(p, v >> 16);
    kit_put16(p + 2, v & 0xffff);
}

static inline uint32_t kit_get32(const uint8_t *p)
{
    return (uint32_t)kit_get16(p) << 16 | kit_get16(p + 2);
}

static inline void kit_begin(struct kit_msg *m, unsigned type)
{
    static uint32_t serial;

    memset(m, 0, sizeof(*m));
    kit_put16(m->b, type);
    kit_put32(m->b + 4, 0x2112a442);
    kit_put32(m->b + 8, 0x54455354);
    kit_put32(m->b + 16, ++serial);
    m->len = 20;
}

static inline void kit_set_len(struct kit_msg *m)
{
    kit_put16(m->b + 2, (unsigned)(m->len - 20));
}

static inline void kit_attr(struct kit_msg *m, unsigned type, const void *data, size_t len)
{
    kit_put16(m->b + m->len, type);
    kit_put16(m->b + m->len + 2, (unsigned)len);
    if (len > 0) {
        memcpy(m->b + m->len + 4, data, len);
    }
    m->len += 4 + ((len + 3) & ~(size_t)3);
    kit_set_len(m);
}

static inline void kit_attr32(struct kit_msg *m, unsigned type, uint32_t v)
{
    uint8_t b[4];

    kit_put32(b, v);
    kit_attr(m, type, b, sizeof(b));
}

static inline uint32_t kit_crc32(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
    }
    return ~crc;
}

/* HMAC over b[0..upto) with the length field that a message ending after the attribute has. */
static inline void kit_hmac(const uint8_t *b, size_t upto, const char *pwd, uint8_t out[20])
{
    uint8_t copy[2048];
    unsigned n = 0;

    memcpy(copy, b, upto);
    kit_put16(copy + 2, (unsigned)(upto + 24 - 20));
    HMAC(EVP_sha1(), pwd, (int)strlen(pwd), copy, upto, out, &n);
}

static inline void kit_integrity(struct kit_msg *m, const char *pwd)
{
    uint8_t mac[20];

    kit_hmac(m->b, m->len, pwd, mac);
    kit_attr(m, KIT_INTEGRITY, mac, sizeof(mac));
}

static inline void kit_fingerprint(struct kit_msg *m)
{
    kit_put16(m->b + 2, (unsigned)(m->len + 8 - 20));
    kit_attr32(m, KIT_FINGERPRINT, kit_crc32(m->b, m->len) ^ 0x5354554e);
}

/* The value of an attribute, NULL if there is none. */
static inline const uint8_t *kit_find(const uint8_t *b, size_t len, unsigned type, size_t *ret_len)
{
    for (size_t off = 20; off + 4 <= len;) {
        size_t alen = kit_get16(b + off + 2);
        if (kit_get16(b + off) == type) {
            *ret_len = alen;
            return b + off + 4;
        }
        off += 4 + ((alen + 3) & ~(size_t)3);
    }
    return NULL;
}

/* True if b is a whole answer to req of the given class: same transaction, MESSAGE-INTEGRITY and
 * FINGERPRINT right and last, padding zero, no USERNAME. */
static inline bool kit_answer_ok(const uint8_t *b, size_t len, unsigned type,
                                 const struct kit_msg *req, const char *pwd)
{
    uint8_t mac[20];
    size_t n = 0;
    const uint8_t *a = NULL;

    if (len < 52 || kit_get16(b) != type || kit_get16(b + 2) + 20 != len ||
        memcmp(b + 4, req->b + 4, 16) != 0) {
        return false;
    }
    for (size_t off = 20; off < len;) {
        size_t alen = kit_get16(b + off + 2);
        for (size_t i = alen; i % 4 != 0; i++) {
            if (b[off + 4 + i] != 0) {
                return false;
            }
        }
        off += 4 + ((alen + 3) & ~(size_t)3);
        if (off > len) {
            return false;
        }
    }
    a = kit_find(b, len, KIT_INTEGRITY, &n);
    kit_hmac(b, len - 32, pwd, mac);
    if (!a || a != b + len - 28 || n != 20 || memcmp(a, mac, 20) != 0) {
        return false;
    }
    a = kit_find(b, len, KIT_FINGERPRINT, &n);
    return a == b + len - 4 && n == 4 && kit_get32(a) == (kit_crc32(b, len - 8) ^ 0x5354554e) &&
           kit_find(b, len, KIT_USERNAME, &n) == NULL;
}

static inline unsigned kit_error_code(const uint8_t *b, size_t len)
{
    size_t n = 0;
    const uint8_t *a = kit_find(b, len, KIT_ERROR_CODE, &n);

    return a && n >= 4 ? a[2] * 100U + a[3] : 0;
}

/* A check as browsers send it. user: "ours:theirs". */
static inline void kit_check(struct kit_msg *m, const char *user, const char *pwd, uint32_t prio,
                             bool use)
{
    static const uint8_t tie[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    kit_begin(m, KIT_REQUEST);
    kit_attr(m, KIT_USERNAME, user, strlen(user));
    kit_attr(m, KIT_CONTROLLING, tie, sizeof(tie));
    if (use) {
        kit_attr(m, KIT_USE, NULL, 0);
    }
    kit_attr32(m, KIT_PRIORITY, prio);
    kit_integrity(m, pwd);
    kit_fingerprint(m);
}

#endif
