/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_stun.h"
#include "tests/peer/peer_bytes.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define HEADER_BYTES    20
#define STUN_MAX        2048
#define COOKIE          0x2112A442U
#define FINGERPRINT_XOR 0x5354554eU
#define INTEGRITY_BYTES 20

enum attr {
    ATTR_USERNAME = 0x0006,
    ATTR_INTEGRITY = 0x0008,
    ATTR_ERROR_CODE = 0x0009,
    ATTR_XOR_MAPPED = 0x0020,
    ATTR_PRIORITY = 0x0024,
    ATTR_USE_CANDIDATE = 0x0025,
    ATTR_FINGERPRINT = 0x8028,
    ATTR_CONTROLLED = 0x8029,
    ATTR_CONTROLLING = 0x802a,
};

static uint32_t crc32_ieee(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffffU;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
        }
    }
    return ~crc;
}

static void read_mapped(const uint8_t *msg, const uint8_t *v, size_t n, struct peer_stun *s)
{
    uint8_t x[16];

    memset(&s->mapped, 0, sizeof(s->mapped));
    for (size_t i = 0; i < 16 && 4 + i < n; i++) {
        x[i] = v[4 + i] ^ msg[4 + i]; /* the cookie and the transaction id lie side by side */
    }
    if (n == 8 && v[1] == 1) {
        struct sockaddr_in *a = (struct sockaddr_in *)&s->mapped;
        a->sin_family = AF_INET;
        a->sin_port = htons((uint16_t)(peer_get16(v + 2) ^ (COOKIE >> 16)));
        memcpy(&a->sin_addr, x, 4);
    } else if (n == 20 && v[1] == 2) {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)&s->mapped;
        a->sin6_family = AF_INET6;
        a->sin6_port = htons((uint16_t)(peer_get16(v + 2) ^ (COOKIE >> 16)));
        memcpy(&a->sin6_addr, x, 16);
    }
}

/* One attribute at offset at. Returns 0 or -EBADMSG. */
static int read_attr(const uint8_t *buf, size_t at, size_t n, struct peer_stun *s)
{
    const uint8_t *v = buf + at + 4;

    switch (peer_get16(buf + at)) {
    case ATTR_USERNAME:
        if (n > PEER_STUN_USER_MAX) {
            return -EBADMSG;
        }
        memcpy(s->username, v, n);
        s->username[n] = '\0';
        return 0;
    case ATTR_INTEGRITY:
        s->integrity_at = at;
        return n == INTEGRITY_BYTES ? 0 : -EBADMSG;
    case ATTR_ERROR_CODE:
        s->error_code = n >= 4 ? (v[2] & 7) * 100 + v[3] : 0;
        return 0;
    case ATTR_XOR_MAPPED:
        read_mapped(buf, v, n, s);
        return 0;
    case ATTR_PRIORITY:
        s->priority = n == 4 ? peer_get32(v) : 0;
        return 0;
    case ATTR_USE_CANDIDATE:
        s->use_candidate = true;
        return 0;
    case ATTR_CONTROLLING:
    case ATTR_CONTROLLED:
        s->has_controlling = peer_get16(buf + at) == ATTR_CONTROLLING;
        s->has_controlled = !s->has_controlling;
        s->tie_breaker = n == 8 ? peer_get64(v) : 0;
        return n == 8 ? 0 : -EBADMSG;
    case ATTR_FINGERPRINT:
        s->has_fingerprint = true;
        return n == 4 && peer_get32(v) == (crc32_ieee(buf, at) ^ FINGERPRINT_XOR) ? 0 : -EBADMSG;
    default:
        return 0;
    }
}

int peer_stun_read(const uint8_t *buf, size_t len, struct peer_stun *ret)
{
    struct peer_stun s;

    memset(&s, 0, sizeof(s));
    if (len < HEADER_BYTES || len > STUN_MAX || len % 4 || buf[0] & 0xc0 ||
        peer_get32(buf + 4) != COOKIE || (size_t)peer_get16(buf + 2) + HEADER_BYTES != len) {
        return -EBADMSG;
    }
    s.type = peer_get16(buf);
    memcpy(s.tid, buf + 8, sizeof(s.tid));
    for (size_t at = HEADER_BYTES; at < len;) {
        size_t n = at + 4 <= len ? peer_get16(buf + at + 2) : SIZE_MAX;
        if (n > len - at - 4 || s.has_fingerprint) {
            return -EBADMSG;
        }
        bool after_integrity = s.integrity_at && peer_get16(buf + at) != ATTR_FINGERPRINT;
        int r = after_integrity ? 0 : read_attr(buf, at, n, &s);
        if (r < 0) {
            return r;
        }
        at += 4 + (n + 3) / 4 * 4;
        if (at > len) {
            return -EBADMSG;
        }
    }
    *ret = s;
    return 0;
}

/* HMAC-SHA1 over the bytes before MESSAGE-INTEGRITY, with the length field counting up to its end
 * (RFC 8489 14.5). */
static void integrity(const uint8_t *buf, size_t at, const char *password, uint8_t mac[20])
{
    uint8_t copy[STUN_MAX];
    unsigned n = INTEGRITY_BYTES;

    memcpy(copy, buf, at);
    peer_put16(copy + 2, (uint32_t)(at + 4 + INTEGRITY_BYTES - HEADER_BYTES));
    HMAC(EVP_sha1(), password, (int)strlen(password), copy, at, mac, &n);
}

bool peer_stun_verify(const uint8_t *buf, const struct peer_stun *s, const char *password)
{
    uint8_t mac[INTEGRITY_BYTES];

    if (!s->integrity_at) {
        return false;
    }
    integrity(buf, s->integrity_at, password, mac);
    return !CRYPTO_memcmp(mac, buf + s->integrity_at + 4, sizeof(mac));
}

struct writer {
    uint8_t *p;
    size_t len;
    size_t cap;
    bool over;
};

static uint8_t *add_attr(struct writer *w, enum attr type, size_t n)
{
    static uint8_t nowhere[PEER_STUN_USER_MAX + 8];
    size_t padded = (n + 3) / 4 * 4;

    if (w->over || w->cap - w->len < 4 + padded) {
        w->over = true;
        return nowhere;
    }
    uint8_t *at = w->p + w->len;
    peer_put16(at, (uint32_t)type);
    peer_put16(at + 2, (uint32_t)n);
    memset(at + 4, 0, padded);
    w->len += 4 + padded;
    peer_put16(w->p + 2, (uint32_t)(w->len - HEADER_BYTES));
    return at + 4;
}

static void add_mapped(struct writer *w, const struct sockaddr_storage *a)
{
    bool v6 = a->ss_family == AF_INET6;
    uint8_t *v = add_attr(w, ATTR_XOR_MAPPED, v6 ? 20 : 8);
    uint16_t port = v6 ? ((const struct sockaddr_in6 *)a)->sin6_port
                       : ((const struct sockaddr_in *)a)->sin_port;
    const void *ip = v6 ? (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr
                        : (const void *)&((const struct sockaddr_in *)a)->sin_addr;

    v[1] = v6 ? 2 : 1;
    peer_put16(v + 2, (uint32_t)ntohs(port) ^ COOKIE >> 16);
    memcpy(v + 4, ip, v6 ? 16 : 4);
    for (size_t i = 0; i < (v6 ? 16 : 4); i++) {
        v[4 + i] ^= w->p[4 + i];
    }
}

size_t peer_stun_write(const struct peer_stun *s, const char *password, uint8_t *out, size_t cap)
{
    struct writer w = {.p = out, .len = HEADER_BYTES, .cap = cap};

    if (cap < HEADER_BYTES || cap > STUN_MAX) {
        return 0;
    }
    peer_put16(out, s->type);
    peer_put16(out + 2, 0);
    peer_put32(out + 4, COOKIE);
    memcpy(out + 8, s->tid, sizeof(s->tid));
    if (s->username[0]) {
        memcpy(add_attr(&w, ATTR_USERNAME, strlen(s->username)), s->username, strlen(s->username));
    }
    if (s->priority) {
        peer_put32(add_attr(&w, ATTR_PRIORITY, 4), s->priority);
    }
    if (s->has_controlling || s->has_controlled) {
        peer_put64(add_attr(&w, s->has_controlling ? ATTR_CONTROLLING : ATTR_CONTROLLED, 8),
                   s->tie_breaker);
    }
    if (s->use_candidate) {
        (void)add_attr(&w, ATTR_USE_CANDIDATE, 0);
    }
    if (s->error_code) {
        uint8_t *v = add_attr(&w, ATTR_ERROR_CODE, 4);
        v[2] = (uint8_t)(s->error_code / 100);
        v[3] = (uint8_t)(s->error_code % 100);
    }
    if (s->mapped.ss_family) {
        add_mapped(&w, &s->mapped);
    }
    if (password) {
        size_t at = w.len;
        uint8_t *mac = add_attr(&w, ATTR_INTEGRITY, INTEGRITY_BYTES);
        if (!w.over) {
            integrity(out, at, password, mac);
        }
    }
    size_t at = w.len;
    uint8_t *v = add_attr(&w, ATTR_FINGERPRINT, 4);
    if (w.over) {
        return 0;
    }
    peer_put32(v, crc32_ieee(out, at) ^ FINGERPRINT_XOR);
    return w.len;
}
