/* SPDX-License-Identifier: Apache-2.0 */
/* seal_backend.h - what seal.c asks of a cipher library. Private to the seal_*.c files and their
 * tests. A backend knows keys and packets; indices, windows and SSRC tables are the front's. */
#ifndef ICE_SEAL_BACKEND_H
#define ICE_SEAL_BACKEND_H

#include "ice/seal.h"
#include "rtp/bytes.h"

#define SEAL_AUTH_LEN   20 /* HMAC-SHA1 key */
#define SEAL_GCM_TAG    16
#define SEAL_CM_TAG     10
#define SEAL_RTCP_HDR   8 /* authenticated, not encrypted: RFC 3711 3.4, RFC 7714 9.2 */
#define SEAL_RTCP_WORD  4 /* E bit and index */
#define SEAL_RTCP_E_BIT 0x80000000u

enum seal_part { SEAL_RTP, SEAL_RTCP, SEAL_PARTS };

/* Session keys of one direction and part (RFC 3711 4.3). */
struct seal_part_keys {
    uint8_t enc[SRTP_KEY_MAX];
    uint8_t auth[SEAL_AUTH_LEN];
    uint8_t salt[SRTP_SALT_MAX];
};

struct seal_session_keys {
    enum srtp_profile profile;
    struct seal_part_keys part[SEAL_PARTS];
};

/* One packet to seal or open.
 *   seal: buf holds hdr_len bytes of header and head_len bytes of plaintext; body follows from
 *         elsewhere (NULL when body_len is 0) and lands behind the head. Room for the tag is
 *         guaranteed by the front.
 *   open: buf holds hdr_len bytes of header, body_len bytes of ciphertext and the trailer that the
 *         profile and part prescribe; body is unused and head_len 0. */
struct seal_pkt {
    enum seal_part part;
    uint32_t ssrc;
    uint64_t index; /* RTP: ROC << 16 | SEQ; RTCP: 31 bits */
    uint8_t *buf;
    size_t hdr_len;
    size_t head_len;
    const uint8_t *body;
    size_t body_len;
};

struct seal_ops {
    const char *name;
    /* Once per process before any other call. Returns 0 or -ENOTSUP. */
    int (*setup)(void);
    /* Keys of one direction; the backend uses whichever form suits it. NULL on failure. */
    void *(*keys_new)(const struct srtp_keys *master, const struct seal_session_keys *session,
                      bool sending);
    void (*keys_free)(void *keys); /* zeroises */
    /* Returns the sealed length or -EIO. */
    int (*seal)(void *keys, const struct seal_pkt *p);
    /* The same for RTP, but the tag may be missing until flush, which finishes what this thread has
     * sealed: several at once. Both NULL where that gains nothing. */
    int (*seal_later)(void *keys, const struct seal_pkt *p);
    void (*flush)(void);
    /* Returns the plaintext length (header included) or -EBADMSG. Leaves garbage in the body when
     * the tag does not fit, but changes no state of keys. */
    int (*open)(void *keys, const struct seal_pkt *p);
    /* Brings near what a packet of so many bytes needs of keys, without looking at them; 0: where
     * its length does not matter. NULL: most of it lies elsewhere. */
    void (*prefetch)(const void *keys, enum seal_part part, size_t bytes);
};

extern const struct seal_ops seal_evp_ops;
extern const struct seal_ops seal_srtp2_ops;
#if SLUICE_IPSEC_MB
extern const struct seal_ops seal_ipsec_ops;
#endif

/* The backend that seal_new and open_new will use. Never NULL. */
const struct seal_ops *seal_select_ops(void);

/* Session keys from a master key, key derivation rate 0 (RFC 3711 4.3.1; RFC 7714 11). Returns 0 or
 * -EIO. */
int seal_kdf(const struct srtp_keys *master, struct seal_session_keys *ret) MUST_CHECK;

static inline bool seal_is_gcm(enum srtp_profile p)
{
    return p == SRTP_AEAD_AES_128_GCM || p == SRTP_AEAD_AES_256_GCM;
}

/* Bytes after the ciphertext. */
static inline size_t seal_trailer_len(enum srtp_profile p, enum seal_part part)
{
    return (seal_is_gcm(p) ? SEAL_GCM_TAG : SEAL_CM_TAG) + (part == SEAL_RTCP ? SEAL_RTCP_WORD : 0);
}

/* Counter block of AES-CM: salt * 2^16 ^ SSRC * 2^64 ^ index * 2^16 (RFC 3711 4.1.1). */
static inline void seal_iv_cm(uint8_t iv[16], const uint8_t salt[14], const struct seal_pkt *p)
{
    for (int i = 0; i < 14; i++) {
        iv[i] = salt[i];
    }
    iv[14] = iv[15] = 0;
    for (int i = 0; i < 4; i++) {
        iv[4 + i] ^= (uint8_t)(p->ssrc >> (24 - 8 * i));
    }
    for (int i = 0; i < 6; i++) {
        iv[8 + i] ^= (uint8_t)(p->index >> (40 - 8 * i));
    }
}

/* AES-GCM nonce (RFC 7714 8.1 and 9.1): two zero bytes, SSRC, 48-bit index; a 31-bit SRTCP index
 * has two zero bytes in front, which the same shift yields. */
static inline void seal_iv_gcm(uint8_t iv[12], const uint8_t salt[12], const struct seal_pkt *p)
{
    for (int i = 0; i < 12; i++) {
        iv[i] = salt[i];
    }
    for (int i = 0; i < 4; i++) {
        iv[2 + i] ^= (uint8_t)(p->ssrc >> (24 - 8 * i));
    }
    for (int i = 0; i < 6; i++) {
        iv[6 + i] ^= (uint8_t)(p->index >> (40 - 8 * i));
    }
}

#endif
