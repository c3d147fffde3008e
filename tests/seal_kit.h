/* SPDX-License-Identifier: Apache-2.0 */
/* seal_kit.h - packets, keys, and libsrtp2 as the reference, for the tests of ice/seal.h. Included
 * by one test program each. */
#ifndef TESTS_SEAL_KIT_H
#define TESTS_SEAL_KIT_H

#include "ice/seal.h"
#include "ice/seal_backend.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <srtp2/srtp.h>
#include <stdio.h>
#include <string.h>

#define SSRC_A  0xcafebabeu
#define BUF_MAX 2048

static const enum srtp_profile profiles[] = {SRTP_AES128_CM_SHA1_80, SRTP_AEAD_AES_128_GCM,
                                             SRTP_AEAD_AES_256_GCM};
#if SLUICE_IPSEC_MB
static const enum seal_backend backends[] = {SEAL_EVP, SEAL_IPSEC_MB, SEAL_SRTP2};
static const struct seal_ops *const raw_ops[] = {&seal_evp_ops, &seal_ipsec_ops};
#else
static const enum seal_backend backends[] = {SEAL_EVP, SEAL_SRTP2};
static const struct seal_ops *const raw_ops[] = {&seal_evp_ops};
#endif

static inline uint32_t rnd(uint32_t below)
{
    static uint64_t seed = 0x9e3779b97f4a7c15ULL;

    return exact_random(&seed, below);
}

static inline size_t unhex(const char *text, uint8_t *out)
{
    size_t n = 0;
    unsigned v;
    int used;
    while (sscanf(text, " %2x%n", &v, &used) == 1) {
        out[n++] = (uint8_t)v;
        text += used;
    }
    return n;
}

static inline void same_hex(const uint8_t *got, const char *want_hex, const char *what)
{
    uint8_t want[256];
    size_t n = unhex(want_hex, want);
    cr_assert(memcmp(got, want, n) == 0, "%s", what);
}

static inline struct srtp_keys make_keys(enum srtp_profile p)
{
    struct srtp_keys k = {.profile = p};
    for (int i = 0; i < SRTP_KEY_MAX; i++) {
        k.key[i] = (uint8_t)(i * 7 + 1);
    }
    for (int i = 0; i < SRTP_SALT_MAX; i++) {
        k.salt[i] = (uint8_t)(i * 13 + 5);
    }
    return k;
}

static inline size_t make_rtp(uint8_t *buf, uint64_t index, uint32_t ssrc, size_t body)
{
    memset(buf, 0, 12);
    buf[0] = 0x80;
    buf[1] = 96;
    buf[2] = (uint8_t)(index >> 8);
    buf[3] = (uint8_t)index;
    bytes_store32(buf + 8, ssrc);
    for (size_t i = 0; i < body; i++) {
        buf[12 + i] = (uint8_t)(i + index);
    }
    return 12 + body;
}

static inline size_t make_rtcp(uint8_t *buf, uint32_t ssrc, size_t words)
{
    buf[0] = 0x81;
    buf[1] = 200;
    buf[2] = 0;
    buf[3] = (uint8_t)(words + 1);
    bytes_store32(buf + 4, ssrc);
    for (size_t i = 8; i < 8 + 4 * words; i++) {
        buf[i] = (uint8_t)i;
    }
    return 8 + 4 * words;
}

/* Seals a small packet with body bytes of payload. */
static inline int seal_simple(struct seal *s, uint64_t index, uint32_t ssrc, uint8_t *buf,
                              size_t body)
{
    uint8_t plain[BUF_MAX];
    make_rtp(plain, index, ssrc, body);
    memcpy(buf, plain, 12);
    return seal_rtp(s, seal_stream(s, ssrc), index, buf, BUF_MAX, 12, 0, plain + 12, body);
}

/* A bare libsrtp2 session: the reference. */
static inline srtp_t reference(enum srtp_profile p, bool sending, bool auth_only_rtcp)
{
    static uint8_t key[SRTP_KEY_MAX + SRTP_SALT_MAX];
    struct srtp_keys k = make_keys(p);
    srtp_policy_t policy;
    srtp_t s = NULL;
    memset(&policy, 0, sizeof(policy));
    switch (p) {
    case SRTP_AES128_CM_SHA1_80:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
        break;
    case SRTP_AEAD_AES_128_GCM:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        break;
    case SRTP_AEAD_AES_256_GCM:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
        break;
    case SRTP_NONE:
        cr_assert_fail("no profile");
    }
    policy.rtcp = policy.rtp;
    if (auth_only_rtcp) {
        policy.rtcp.sec_serv = sec_serv_auth;
    }
    memcpy(key, k.key, srtp_key_len(p));
    memcpy(key + srtp_key_len(p), k.salt, srtp_salt_len(p));
    policy.key = key;
    policy.window_size = 1024;
    policy.ssrc.type = sending ? ssrc_any_outbound : ssrc_any_inbound;
    cr_assert_eq(srtp_create(&s, &policy), srtp_err_status_ok);
    return s;
}

#endif
